//! A diagnosis to paste into an incident channel.

use std::fmt::Write as _;

use super::{
    baseline_words, before_words, bucket, gpu_name, headline, late, mean, revision_saw, scope, start, target,
    template_changes, trim_bound,
};
use crate::diagnosis::{Diagnosis, number, seconds};
use crate::runbook::Advice;

/// Findings that are written out; the others are named.
const MOST_FINDINGS: usize = 3;
/// Revisions and changes that are written out.
const MOST_REVISIONS: usize = 3;
const MOST_CHANGES: usize = 12;

/// Renders a diagnosis. What came from outside cannot become markup: names stand in code spans, and `|` and backticks
/// in them are replaced.
pub fn markdown(d: &Diagnosis, advice: Option<&Advice>) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "**{}**\n", headline(d));
    if let Some(target) = target(d) {
        let _ = writeln!(out, "TARGET `{}`\n", plain(&target));
    }
    let _ = writeln!(out, "{}\n", plain(&d.sentence));
    if let Some(suspect) = &d.suspect {
        let cause = suspect.cause.map_or(String::new(), |c| format!(", cause `{c}`"));
        let _ = writeln!(
            out,
            "Suspect: **{}** `{}`{cause} (confidence {})\n",
            suspect.phase, suspect.mechanism, suspect.confidence
        );
    }
    let _ = writeln!(out, "_{}_\n", plain(&scope(d)));
    objectives(d, &mut out);
    phases(d, &mut out);
    findings(d, &mut out);
    if !d.levers.is_empty() {
        let _ = writeln!(out, "| lever | helps | why |\n|---|---|---|");
        for lever in &d.levers {
            let _ = writeln!(out, "| `{}` | {} | {} |", lever.action, lever.helps, plain(&lever.why));
        }
        out.push('\n');
    }
    if let Some((advice, next)) = advice.and_then(|a| Some((a, a.recommended.as_ref()?))) {
        let _ = writeln!(
            out,
            "{}: {} → **{next}**, because {}\n",
            advice.id,
            advice.state,
            plain(&advice.because.join("; "))
        );
    }
    cluster(d, &mut out);
    for change in d.changes.iter().take(MOST_CHANGES) {
        let _ = writeln!(out, "- {} {}: {}", crate::contract::time(change.at), change.kind, plain(&change.summary));
    }
    for source in &d.sources {
        let error = source.error.as_ref().map_or(String::new(), |e| format!(": {}", plain(e)));
        let age = source.age_s.map_or(String::new(), |a| format!(", {} old", seconds(a)));
        let _ = writeln!(out, "- source `{}` {}{age}{error}", plain(&source.name), source.state);
    }
    out
}

/// Revisions side by side, replicas that are no plain rows of numbers, and GPUs.
fn cluster(d: &Diagnosis, out: &mut String) {
    let revisions: Vec<_> = d.revisions.iter().take(MOST_REVISIONS).collect();
    if !revisions.is_empty() {
        let _ = writeln!(out, "| revision | ready | saw | changes |\n|---|---|---|---|");
        for row in revisions {
            let changes = plain(&template_changes(row));
            let _ =
                writeln!(out, "| {} | {}/{} | {} | {changes} |", row.number, row.ready, row.desired, revision_saw(row));
        }
        out.push('\n');
    }
    for row in d.replicas.iter().filter(|r| r.start.is_some() || r.gone || r.ready == Some(false)) {
        let state = start(row, d.at).unwrap_or_else(|| if row.gone { "gone" } else { "not Ready" }.to_owned());
        let _ = writeln!(out, "- replica `{}`: {state}", plain(&row.name));
    }
    for row in d.gpus.iter().filter(|g| g.troubled) {
        let _ = writeln!(out, "- GPU `{}` ({}): {}", plain(&gpu_name(row)), row.truth, plain(&row.note));
    }
    if !d.gpus.is_empty() && d.gpus.iter().all(|g| !g.troubled) {
        let _ = writeln!(out, "- GPUs: {} read, {} ({})", d.gpus.len(), plain(&d.gpus[0].note), d.gpus[0].truth);
    }
}

fn objectives(d: &Diagnosis, out: &mut String) {
    let _ = writeln!(out, "| objective | status | p50 | p95 | p99 | late |\n|---|---|---|---|---|---|");
    for row in &d.slo {
        let _ = writeln!(
            out,
            "| {} {}% <= {} | {} | {} | {} | {} | {} |",
            row.metric.title(),
            number(row.target.objective * 100.0),
            trim_bound(row.target.seconds),
            row.status,
            bucket(row.p50),
            bucket(row.p95),
            bucket(row.p99),
            if row.p95.is_some() { late(row) } else { row.note.clone().unwrap_or_default() }
        );
    }
    out.push('\n');
}

fn phases(d: &Diagnosis, out: &mut String) {
    if let Some(before) = d.before.filter(|b| b.kind == crate::domain::BaselineKind::Prometheus) {
        let _ = writeln!(out, "Before: {}.\n", before_words(before, d.at));
    }
    let _ = writeln!(out, "| phase | mean | before | share of added | status | |\n|---|---|---|---|---|---|");
    for row in &d.phases {
        let before = match (row.baseline, row.baseline_from) {
            (Some(_), Some(kind)) => format!("{} ({})", mean(row, row.baseline), baseline_words(kind)),
            _ => "?".to_owned(),
        };
        let share = row.share_of_added.map_or("?".to_owned(), |s| format!("{:.0}%", s * 100.0));
        let lags = if row.lags { "lags; " } else { "" };
        let _ = writeln!(
            out,
            "| {} | {} | {before} | {share} | {} | {lags}{} |",
            row.phase,
            mean(row, row.mean),
            row.status,
            plain(&row.note)
        );
    }
    out.push('\n');
}

fn findings(d: &Diagnosis, out: &mut String) {
    for finding in d.findings.iter().take(MOST_FINDINGS) {
        let _ = writeln!(
            out,
            "- **{}** ({}, {}): {}",
            finding.code.code(),
            finding.severity,
            finding.confidence,
            plain(&finding.summary)
        );
        for evidence in &finding.evidence {
            let sign = if evidence.supports { "for" } else { "against" };
            let _ = writeln!(out, "  - {sign}: {} (`{}`)", plain(&evidence.claim), plain(&evidence.source));
        }
    }
    if d.findings.len() > MOST_FINDINGS {
        let names: Vec<String> = d.findings[MOST_FINDINGS..].iter().map(|f| format!("`{}`", f.code.code())).collect();
        let _ = writeln!(out, "- also: {}", names.join(", "));
    }
    if !d.findings.is_empty() {
        out.push('\n');
    }
}

/// Text that cannot become markup.
pub(super) fn plain(text: &str) -> String {
    text.replace('|', "/").replace('`', "'").replace('<', "&lt;").replace(['*', '['], "")
}
