//! The post-mortem's timeline as one page that stands for itself: no script, nothing that is fetched, dark where the
//! reader's system is.

use std::fmt::Write as _;

use super::{Incident, clock, plot, standing};
use crate::contract::time;
use crate::diagnosis::length;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;\
color:#1c1c1c;background:#fdfdfd}h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}\
table{border-collapse:collapse}td,th{padding:.2rem .8rem .2rem 0;text-align:left;vertical-align:top}\
.time{font-family:ui-monospace,monospace;white-space:nowrap}.kind{font-weight:600}.by,.detail{color:#666}\
.detail{margin:.1rem 0 0 1rem;font-size:.92em}.problem{color:#a40000}svg{max-width:100%;height:auto}\
@media(prefers-color-scheme:dark){body{color:#e4e4e4;background:#161616}.by,.detail{color:#9a9a9a}.problem{color:#ff8a80}}";

/// Text that cannot become markup.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// Renders it.
pub fn html(incident: &Incident) -> String {
    let title = escape(&format!("Incident: {}", incident.target));
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>{title}</title>\n<style>{STYLE}</style></head>\n<body>\n<h1>{title}</h1>\n"
    );
    let simulated = if incident.simulated { " Of a simulated cluster." } else { "" };
    let _ = writeln!(
        out,
        "<p>{} to {} ({}). {}.{simulated}</p>",
        time(incident.opened),
        time(incident.last),
        length(incident.last.since(incident.opened)),
        escape(&standing(incident))
    );
    for (word, verdict) in [("Worst", &incident.worst), ("Last", &incident.latest)] {
        if let Some((at, verdict)) = verdict {
            let at = clock(*at, incident.opened);
            let _ = writeln!(out, "<p><b>{word}, at {at}:</b> {}</p>", escape(&verdict.sentence));
        }
    }
    for unanswered in &incident.unanswered {
        let _ = writeln!(out, "<p class=\"problem\">Outcome not on record: {}</p>", escape(unanswered));
    }
    if let Some(svg) = plot::svg(incident) {
        let _ = writeln!(out, "{svg}");
    }
    if !incident.steps.is_empty() {
        out.push_str("<table><tr><th>time to</th><th>after the onset</th><th>at</th></tr>\n");
        for step in &incident.steps {
            let after = match step.after_s {
                Some(s) if s >= 0.0 => length(s),
                Some(s) => format!("{} before", length(-s)),
                None => "not reached".to_owned(),
            };
            let at = step.at.map_or(String::new(), |at| clock(at, incident.opened));
            let _ = writeln!(out, "<tr><td>{}</td><td>{after}</td><td class=\"time\">{at}</td></tr>", step.name);
        }
        out.push_str("</table>\n");
    }
    out.push_str("<h2>Timeline (UTC)</h2>\n<table>\n");
    for event in &incident.events {
        let by = event
            .by
            .as_ref()
            .map_or(String::new(), |by| format!(" <span class=\"by\">{}</span>", escape(&by.to_string())));
        let details: String = event
            .details
            .iter()
            .fold(String::new(), |all, d| format!("{all}<div class=\"detail\">{}</div>", escape(d)));
        let _ = writeln!(
            out,
            "<tr><td class=\"time\">{}</td><td class=\"kind\">{}</td><td>{}{by}{details}</td></tr>",
            clock(event.at, incident.opened),
            event.kind.word(),
            escape(&event.text)
        );
    }
    out.push_str("</table>\n");
    if !incident.open.is_empty() {
        let _ = writeln!(out, "<p>Left open: {}</p>", escape(&incident.open.join(", ")));
    }
    if !incident.problems.is_empty() {
        out.push_str("<h2>What is wrong with the record</h2>\n<ul>\n");
        for problem in &incident.problems {
            let _ = writeln!(out, "<li class=\"problem\">{}</li>", escape(problem));
        }
        out.push_str("</ul>\n");
    }
    out.push_str("</body>\n</html>\n");
    out
}
