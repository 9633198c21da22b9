//! What serves models, as a table for a terminal: columns as kubectl has them, worst first.

use std::fmt::Write as _;

use super::text::{Look, ascii};
use crate::domain::{Discovery, Found, Trouble};

/// Renders it. Ends with a line break.
pub fn discovery(all: &Discovery, look: Look<'_>) -> String {
    let mut out = String::new();
    let place = all.namespace.as_ref().map_or("all namespaces".to_owned(), |n| format!("namespace {n}"));
    if all.found.is_empty() {
        let _ = writeln!(
            out,
            "Nothing that serves models was found in {place} of {}: looked at images, arguments and labels of Deployments \
             and StatefulSets, and at the kinds that own engines. Name a workload as TARGET, or look with -A.",
            all.context
        );
    } else {
        let head = ["NAMESPACE", "NAME", "READY", "STATE", "MODEL", "CHANGED BY", "BY"].map(str::to_owned);
        let rows: Vec<[String; 7]> = std::iter::once(head).chain(all.found.iter().map(cells)).collect();
        let widths: Vec<usize> = (0..7).map(|i| rows.iter().map(|r| r[i].chars().count()).max().unwrap_or(0)).collect();
        for row in rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                let _ = write!(line, "{cell:width$}   ");
            }
            let _ = writeln!(out, "{}", line.trim_end());
        }
    }
    for unseen in &all.unseen {
        let _ = writeln!(out, "not looked at: {unseen}");
    }
    if look.ascii { ascii(&out) } else { out }
}

fn cells(found: &Found) -> [String; 7] {
    let count = |n: Option<u32>| n.map_or("?".to_owned(), |n| n.to_string());
    let mut owners: Vec<String> = found.owner.iter().cloned().collect();
    owners.extend(found.managers.iter().map(|m| (*m).to_owned()));
    if found.target.is_none() {
        owners.push("itself".to_owned());
    }
    [
        found.namespace.clone(),
        found.name.clone(),
        format!("{}/{}", count(found.ready), count(found.desired)),
        state(found),
        found.model.clone().unwrap_or_else(|| "?".to_owned()),
        if owners.is_empty() { "-".to_owned() } else { owners.join(", ") },
        found.evidence.join(", "),
    ]
}

/// How it stands, in words.
pub(crate) fn state(found: &Found) -> String {
    let words: Vec<&str> = found
        .troubles
        .iter()
        .map(|trouble| match trouble {
            Trouble::NothingReady => "nothing Ready",
            Trouble::RolloutStuck => "rollout stuck",
            Trouble::NotAllReady => "not all Ready",
            Trouble::RollingOut => "rolling out",
            Trouble::Paused => "paused",
        })
        .collect();
    if words.is_empty() { "ok".to_owned() } else { words.join(", ") }
}
