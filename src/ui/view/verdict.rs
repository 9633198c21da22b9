//! The first two questions in words: what is broken and how badly, where and why, and what helps.

use ratatui::style::{Modifier, Style};

use super::words::{self, before_words, bound, bucket, clock, length, percent, signed};
use super::{Ctx, Slot};
use crate::diagnosis::{Diagnosis, Finding, Metric, SloRow, number, seconds};
use crate::domain::{Cause, Code, RowStatus, Verdict};
use crate::ui::pen::{Line, Pen};

/// Columns of the words WHERE, WHY, CHANGED and HELPS.
const LABEL: usize = 8;

/// The style of a verdict's word.
pub(super) const fn slot(verdict: Verdict) -> Slot {
    match verdict {
        Verdict::Healthy | Verdict::Idle => Slot::VerdictHealthy,
        Verdict::Warning => Slot::VerdictWarning,
        Verdict::Breach | Verdict::Stalled => Slot::VerdictBreach,
        Verdict::CannotTell => Slot::VerdictUnknown,
    }
}

/// The shape beside a verdict's word.
pub(super) fn shape(pen: Pen<'_>, verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Healthy => pen.shape(RowStatus::Ok),
        Verdict::Idle => pen.either("○", "o"),
        Verdict::Warning => pen.shape(RowStatus::Warning),
        Verdict::Breach | Verdict::Stalled => pen.shape(RowStatus::Breach),
        Verdict::CannotTell => pen.shape(RowStatus::Unknown),
    }
}

/// A verdict's word as it stands at the top.
pub(super) fn word(verdict: Verdict) -> String {
    verdict.code().to_uppercase().replace('_', " ")
}

/// The style of a badge: what is bad is set off by its ground.
pub(super) fn badge(pen: Pen<'_>, verdict: Verdict) -> Style {
    let style = pen.style(slot(verdict));
    let calm = matches!(verdict, Verdict::Healthy | Verdict::Idle);
    if style.bg.is_some() || calm { style.add_modifier(Modifier::BOLD) } else { style.add_modifier(Modifier::REVERSED) }
}

/// The verdict: its word, since when, how many serve; then in sentences, each folded into at most `most` lines. Also how
/// many changes are named, for where they have no section of their own, and whether it says what helps.
pub(super) fn lines(
    ctx: Ctx<'_>,
    d: &Diagnosis,
    width: usize,
    (most, changes, helps): (usize, usize, bool),
) -> Vec<Line> {
    let pen = ctx.pen;
    let mut lines = vec![first(ctx, d, width)];
    for text in pen.fold(&judged(d), width.saturating_sub(2), most) {
        lines.push(pen.line(Slot::Text, " ").put(pen, Slot::TextStrong, &text));
    }
    for (label, text) in [("WHERE", place(d)), ("WHY", why(d))] {
        if let Some(text) = text {
            lines.extend(labelled(pen, label, &text, width, most));
        }
    }
    for (i, change) in super::changes::telling(d, changes).iter().enumerate() {
        let label = pen.line(Slot::Text, " ").put(pen, Slot::Heading, if i == 0 { "CHANGED" } else { "" });
        lines.push(label.to(pen, LABEL + 1).then(super::changes::brief(
            ctx,
            d,
            change,
            width.saturating_sub(LABEL + 1),
        )));
    }
    if helps {
        lines.extend(super::acting::helps(ctx, width));
    }
    lines.extend(unread(d).map(|text| labelled(pen, "UNREAD", &text, width, 1)).into_iter().flatten());
    lines
}

fn labelled(pen: Pen<'_>, label: &str, text: &str, width: usize, most: usize) -> Vec<Line> {
    let folded = pen.fold(text, width.saturating_sub(LABEL + 2), most);
    folded
        .iter()
        .enumerate()
        .map(|(i, text)| {
            let line = pen.line(Slot::Text, " ").put(pen, Slot::Heading, if i == 0 { label } else { "" });
            line.to(pen, LABEL + 1).put(pen, Slot::Text, text)
        })
        .collect()
}

/// The badge, since when, which way; at the right how many serve.
fn first(ctx: Ctx<'_>, d: &Diagnosis, width: usize) -> Line {
    let pen = ctx.pen;
    let mut line = pen.line(Slot::Text, " ");
    line = line.styled(pen, badge(pen, d.verdict), &format!(" {} {} ", shape(pen, d.verdict), word(d.verdict)));
    line = line.put(pen, Slot::TextStrong, &format!("  {}", since(d)));
    let scope = scope(d);
    if scope.is_empty() { line } else { line.beside(pen, pen.line(Slot::TextMuted, &format!("{scope} ")), width) }
}

/// Since when, until when, and which way it goes.
pub(super) fn since(d: &Diagnosis) -> String {
    let mut parts = Vec::new();
    if let Some(since) = d.since {
        let long = length(d.until.unwrap_or(d.at).since(since).max(0.0));
        parts.push(match d.until {
            Some(until) => format!("from {} to {}Z ({long})", clock(since), clock(until)),
            None => format!("since {}Z ({long})", clock(since)),
        });
    }
    parts.extend(d.trend.map(|t| t.code().to_owned()));
    parts.join(", ")
}

/// How many replicas there are and answer.
pub(super) fn scope(d: &Diagnosis) -> String {
    let scope = d.scope;
    match (scope.desired, scope.ready, scope.endpoints) {
        (Some(desired), Some(ready), _) => format!("{ready}/{desired} Ready, {} answering", scope.answering),
        (Some(desired), None, _) => format!("{}/{desired} answering", scope.answering),
        (None, _, 0) => match d.replicas.len() {
            0 => String::new(),
            1 => "1 replica".to_owned(),
            n => format!("{n} replicas"),
        },
        (None, _, endpoints) => format!("{}/{endpoints} answering", scope.answering),
    }
}

/// What was judged: the objectives that are broken, else the diagnosis' own sentence.
fn judged(d: &Diagnosis) -> String {
    let mut broken = d.slo.iter().filter(|s| s.status == RowStatus::Breach);
    let Some(first) = broken.next().and_then(objective).filter(|_| d.verdict == Verdict::Breach) else {
        return d.sentence.clone();
    };
    let others = broken.map(|s| format!("; {} {} over {}", s.metric.title(), words::late(s), bound(s.target.seconds)));
    first + &others.collect::<String>()
}

/// An objective in words: `TTFT p95 10-20 s, target 2.5 s, 94% of 1841 late`.
fn objective(row: &SloRow) -> Option<String> {
    let n = row.count?;
    let what = match (row.p95, row.mean_s) {
        (Some(p95), _) => format!("p95 {}", bucket(Some(p95))),
        (None, Some(mean)) => format!("mean {}", seconds(mean)),
        (None, None) => return row.note.clone(),
    };
    let (target, late) = (bound(row.target.seconds), words::late(row));
    let unit = if row.metric == Metric::Ttft { String::new() } else { format!(" {}", row.events.name()) };
    Some(format!("{} {what}, target {target}, {late} of {}{unit} late", row.metric.title(), number(n)))
}

/// Where the seconds sit: the suspect's phase, how much it added, and what its mechanism says.
pub(super) fn place(d: &Diagnosis) -> Option<String> {
    let suspect = d.suspect.as_ref()?;
    let row = d.phases.iter().find(|p| p.phase == suspect.phase);
    let found = finding(d, Code::Mechanism(suspect.mechanism));
    let whole = match d.ttft_mean {
        (Some(now), Some(before)) if now > before => Some(now - before),
        _ => None,
    };
    let added = row.and_then(|r| {
        let delta = r.delta.filter(|x| *x > 0.0)?;
        Some(match whole.filter(|_| r.unit == "s/request" && !r.lags) {
            Some(whole) => format!(" {} of {} added", signed(delta), signed(whole)),
            None if r.unit == "s/token" => format!(" {}/token", signed(delta)),
            None => format!(" {}", signed(delta)),
        })
    });
    let said = found.map_or_else(|| words::mechanism(suspect.mechanism), |f| f.summary.clone());
    Some(format!("{}{}: {said}", suspect.phase, added.unwrap_or_default()))
}

/// Why: the cause with its sureness and its own sentence.
pub(super) fn why(d: &Diagnosis) -> Option<String> {
    let suspect = d.suspect.as_ref()?;
    match suspect.cause? {
        Cause::NoneFound => Some("no cause found: none of those that could explain it has evidence".to_owned()),
        cause => {
            let found = finding(d, Code::Cause(cause));
            let sure = found.map_or(suspect.confidence, |f| f.confidence);
            let said = found.map_or(String::new(), |f| format!(": {}", f.summary));
            Some(format!("{}, {sure} confidence{said}", words::cause(cause)))
        }
    }
}

/// What was not read and should have been; a replica that starts has nothing to say yet, and where nothing can be told
/// the sentence says why.
fn unread(d: &Diagnosis) -> Option<String> {
    if d.verdict == Verdict::CannotTell {
        return None;
    }
    let starting = |name: &str| d.replicas.iter().any(|r| r.start.is_some() && r.name == name);
    let told: Vec<String> = d
        .sources
        .iter()
        .filter(|s| s.is_missing() && !starting(&s.name))
        .map(|s| {
            let error = s.error.as_ref().map_or(String::new(), |e| format!(": {e}"));
            format!("{} {}{error}", s.name, s.state)
        })
        .collect();
    let more = if told.len() > 1 { format!("{} sources: ", told.len()) } else { String::new() };
    (!told.is_empty()).then(|| format!("{more}{}", told.join("; ")))
}

pub(super) fn finding(d: &Diagnosis, code: Code) -> Option<&Finding> {
    d.findings.iter().find(|f| f.code == code)
}

/// The mean time to first token, now and before.
pub(super) fn mean_ttft(d: &Diagnosis) -> String {
    match d.ttft_mean {
        (Some(now), Some(before)) => {
            let from = d.before.map_or(String::new(), |b| format!(" ({})", before_words(b, d.at)));
            format!("Mean TTFT {}, was {}{from}", words::brief(now), words::brief(before))
        }
        (Some(now), None) => format!("Mean TTFT {}, nothing to compare with", words::brief(now)),
        _ => "Mean TTFT not measured".to_owned(),
    }
}

/// How full the fullest cache is, where that is known.
pub(super) fn kv(k: Option<f64>) -> String {
    k.map_or_else(|| "?".to_owned(), percent)
}
