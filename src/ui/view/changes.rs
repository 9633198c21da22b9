//! What changed, newest first, beside the moment of the onset.

use super::words::{age, clock, length};
use super::{Ctx, Slot, chart};
use crate::diagnosis::{Change, ChangeKind, Diagnosis};
use crate::domain::At;
use crate::ui::pen::Line;

/// The changes and the onset among them, newest first.
pub(super) fn with_onset(d: &Diagnosis) -> Vec<Change> {
    let mut all = d.changes.clone();
    if let Some(at) = d.since.filter(|_| !all.iter().any(|c| c.kind == ChangeKind::Onset)) {
        all.push(Change { at, kind: ChangeKind::Onset, summary: "latency moved".to_owned() });
    }
    all.sort_by_key(|c| std::cmp::Reverse(c.at));
    all
}

/// How far a change is from the onset: `3m29s before`.
pub(super) fn distance(at: At, since: Option<At>) -> Option<String> {
    let s = since?.since(at);
    Some(if s >= 1.0 {
        format!("{} before", length(s))
    } else if s <= -1.0 {
        format!("{} after", length(-s))
    } else {
        "at the onset".to_owned()
    })
}

/// The section with its rule and at most `most` rows: where there are more, those that tell most.
pub(super) fn lines(ctx: Ctx<'_>, d: &Diagnosis, width: usize, most: usize) -> Vec<Line> {
    let pen = ctx.pen;
    let mut all = with_onset(d);
    let count = all.len();
    if count > most {
        all.sort_by_key(|c| std::cmp::Reverse((weight(c.kind), c.at)));
        all.truncate(most);
        all.sort_by_key(|c| std::cmp::Reverse(c.at));
    }
    let title = if count > most { format!("Changes, {most} of {count}") } else { "Changes, newest first".to_owned() };
    let mut lines = vec![ctx.rule(&title, width)];
    if all.is_empty() {
        let seen = length(d.at.since(d.series.first().map_or(d.from, |p| p.from)));
        lines.push(pen.line(Slot::TextMuted, &format!("   none seen in {seen}")));
    }
    lines.extend(all.iter().map(|c| line(ctx, d, c, width)));
    lines
}

/// One change.
pub(super) fn line(ctx: Ctx<'_>, d: &Diagnosis, change: &Change, width: usize) -> Line {
    let pen = ctx.pen;
    let onset = change.kind == ChangeKind::Onset;
    let mark = if onset { Slot::MarkOnset } else { Slot::Mark };
    let far = if onset {
        format!("{} ago", age(ctx.app.now().since(change.at)))
    } else {
        distance(change.at, d.since).unwrap_or_default()
    };
    let mut left = pen.line(Slot::Text, " ").put(pen, mark, chart::letter(change.kind)).put(
        pen,
        Slot::TextMuted,
        &format!(" {} ", clock(change.at)),
    );
    // Where room is short, the letter must do, and the moment says how far from the onset.
    if width >= 70 {
        left = left.cell(pen, if onset { Slot::MarkOnset } else { Slot::TextMuted }, change.kind.code(), 11);
    }
    left = left.put(pen, Slot::Text, &change.summary);
    if width < 50 {
        return left.cut(pen, width);
    }
    left.beside(pen, pen.line(Slot::TextMuted, &format!("{far} ")), width)
}

/// How much a change tells: the onset, what people and machines did, what pods went through.
const fn weight(kind: ChangeKind) -> u8 {
    match kind {
        ChangeKind::Onset => 4,
        ChangeKind::Rollout | ChangeKind::Config | ChangeKind::Gpu => 3,
        ChangeKind::Scale | ChangeKind::Autoscaler | ChangeKind::Node | ChangeKind::Traffic | ChangeKind::Restart => 2,
        ChangeKind::Pod => 1,
    }
}

/// The `most` changes but for the onset that tell most, newest first.
pub(super) fn telling(d: &Diagnosis, most: usize) -> Vec<&Change> {
    let mut all: Vec<&Change> = d.changes.iter().filter(|c| c.kind != ChangeKind::Onset).collect();
    all.sort_by_key(|c| std::cmp::Reverse((weight(c.kind), c.at)));
    all.truncate(most);
    all.sort_by_key(|c| std::cmp::Reverse(c.at));
    all
}

/// One change beside a label.
pub(super) fn brief(ctx: Ctx<'_>, d: &Diagnosis, change: &Change, width: usize) -> Line {
    let pen = ctx.pen;
    let far = distance(change.at, d.since).unwrap_or_default();
    let line = pen.line(Slot::TextMuted, &format!("{} ", clock(change.at))).put(pen, Slot::Text, &change.summary);
    line.beside(pen, pen.line(Slot::TextMuted, &format!("{far} ")), width)
}
