//! The post-mortem's timeline to paste.

use std::fmt::Write as _;

use super::{Incident, clock, standing};
use crate::contract::time;
use crate::diagnosis::length;
use crate::report::plain;

/// Renders it.
pub fn markdown(incident: &Incident) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "# Incident: {}\n", plain(&incident.target.to_string()));
    if incident.simulated {
        out.push_str("_Of a simulated cluster._\n\n");
    }
    let _ = writeln!(
        out,
        "{} to {} ({}). {}.\n",
        time(incident.opened),
        time(incident.last),
        length(incident.last.since(incident.opened)),
        plain(&standing(incident))
    );
    if let Some((at, worst)) = &incident.worst {
        let _ = writeln!(out, "**Worst, at {}:** {}\n", clock(*at, incident.opened), plain(&worst.sentence));
    }
    if let Some((at, latest)) = &incident.latest {
        let _ = writeln!(out, "**Last, at {}:** {}\n", clock(*at, incident.opened), plain(&latest.sentence));
    }
    for unanswered in &incident.unanswered {
        let _ = writeln!(out, "**Outcome not on record:** {}\n", plain(unanswered));
    }
    steps(incident, &mut out);
    if !incident.people.is_empty() {
        let people: Vec<String> = incident.people.iter().map(|p| plain(&p.to_string())).collect();
        let _ = writeln!(out, "People: {}\n", people.join(", "));
    }
    out.push_str("## Timeline (UTC)\n\n");
    for event in &incident.events {
        let by = event.by.as_ref().map_or(String::new(), |by| format!(" ({})", plain(&by.to_string())));
        let _ = writeln!(
            out,
            "- `{}` **{}** {}{by}",
            clock(event.at, incident.opened),
            event.kind.word(),
            plain(&event.text)
        );
        for detail in &event.details {
            let _ = writeln!(out, "  - {}", plain(detail));
        }
    }
    if !incident.open.is_empty() {
        let open: Vec<String> = incident.open.iter().map(|o| plain(o)).collect();
        let _ = writeln!(out, "\nLeft open: {}", open.join(", "));
    }
    if !incident.problems.is_empty() {
        out.push_str("\n## What is wrong with the record\n\n");
        for problem in &incident.problems {
            let _ = writeln!(out, "- {}", plain(problem));
        }
    }
    out
}

fn steps(incident: &Incident, out: &mut String) {
    if incident.steps.is_empty() {
        return;
    }
    let from = incident.onset.map_or("the record's beginning, as the onset is not known".to_owned(), |o| {
        format!("the onset at {}", clock(o, incident.opened))
    });
    let _ = writeln!(out, "| time to | after | at |\n|---|---|---|");
    for step in &incident.steps {
        let (after, at) = match (step.after_s, step.at) {
            (Some(after), Some(at)) if after >= 0.0 => (length(after), clock(at, incident.opened)),
            (Some(after), Some(at)) => (format!("{} before", length(-after)), clock(at, incident.opened)),
            _ => ("not reached".to_owned(), String::new()),
        };
        let _ = writeln!(out, "| {} | {after} | {at} |", step.name);
    }
    let _ = writeln!(out, "\nFrom {from}.\n");
}
