//! Where the time goes: one row per phase, now against before. The bars are means of one unit, so that they add up.

use super::verdict::mean_ttft;
use super::words::{age, mean, phase, signed};
use super::{Ctx, Slot};
use crate::diagnosis::{Diagnosis, PhaseRow};
use crate::domain::{Phase, RowStatus};
use crate::ui::pen::{Line, status_slot};

const NAME: usize = 3;
const MEAN: usize = 21;
const STATUS: usize = 8;
const DELTA: usize = 10;

/// The rows with their rule.
pub(super) fn lines(ctx: Ctx<'_>, d: &Diagnosis, width: usize) -> Vec<Line> {
    // The longest bar is the whole mean time to first token.
    let request = |p: &&PhaseRow| p.unit == "s/request";
    let sum: f64 = d.phases.iter().filter(request).filter_map(|p| p.mean.map(|m| m.max(0.0))).sum();
    let whole = d.ttft_mean.0.unwrap_or(0.0).max(sum);
    let mut title = mean_ttft(d);
    if d.phases.iter().any(|p| p.lags) {
        title.push_str("; the split lags");
    }
    let stale = ctx.app.stale();
    if stale {
        title = format!("STALE, as last read: {title}");
    }
    let mut lines = vec![ctx.rule_with(&title, &[(width.saturating_sub(2), "age")], width)];
    lines.extend(d.phases.iter().map(|row| line(ctx, row, whole, width).dimmed(ctx.pen, stale)));
    lines
}

fn line(ctx: Ctx<'_>, row: &PhaseRow, whole: f64, width: usize) -> Line {
    let pen = ctx.pen;
    let slot = status_slot(row.status);
    let quiet = row.status == RowStatus::Ok;
    let name = pen.line(Slot::Text, " ").put(pen, slot, pen.shape(row.status)).to(pen, NAME);
    let mut line = name.cell(pen, if quiet { Slot::Text } else { Slot::TextStrong }, phase(row.phase), 9);
    let age_text = row.at.map_or(String::new(), |at| age(ctx.app.now().since(at)));
    let end = width.saturating_sub(age_text.chars().count() + 2);
    if row.mean.is_none() {
        let note = pen.fit(&row.note, end.saturating_sub(line.width() + 1));
        let slot = match (row.status, row.phase) {
            (RowStatus::Unknown, _) => Slot::TextMuted,
            (RowStatus::Ok, _) => Slot::Text,
            _ => slot,
        };
        return line.put(pen, slot, &note).right(pen, Slot::TextMuted, &age_text, width.saturating_sub(1));
    }
    line = line.right(pen, if quiet { Slot::Text } else { Slot::TextStrong }, &mean(row), MEAN).to(pen, MEAN + 1);
    let bar = bar_width(width);
    line = if row.unit == "s/request" { line.then(bars(ctx, row, whole, bar)) } else { line.to(pen, MEAN + 1 + bar) };
    let delta = row.delta.map_or(String::new(), signed);
    line = line.right(pen, if quiet { Slot::TextMuted } else { slot }, &delta, MEAN + 1 + bar + DELTA);
    let word = match row.status {
        RowStatus::Warning => "warn",
        RowStatus::Breach => "BREACH",
        other => other.code(),
    };
    line = line.put(pen, Slot::Text, " ").cell(pen, slot, word, STATUS);
    let note = pen.fit(&note(row), end.saturating_sub(line.width() + 1));
    line.put(pen, Slot::TextMuted, &note).right(pen, Slot::TextMuted, &age_text, width.saturating_sub(1))
}

/// Columns of a bar.
fn bar_width(width: usize) -> usize {
    match width {
        0..66 => 6,
        66..100 => 9,
        _ => 20,
    }
}

/// The mean as a bar: what it was before in another shade than what was added.
fn bars(ctx: Ctx<'_>, row: &PhaseRow, whole: f64, width: usize) -> Line {
    let pen = ctx.pen;
    let mean = row.mean.unwrap_or(0.0).max(0.0);
    let before = row.baseline.unwrap_or(mean).clamp(0.0, mean);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of some ten columns")]
    let columns = |value: f64| if whole > 0.0 { (value / whole * width as f64).round() as usize } else { 0 }.min(width);
    let (all, old) = (columns(mean), columns(before));
    let added = if row.status == RowStatus::Ok { Slot::Bar } else { status_slot(row.status) };
    pen.line(Slot::BarBaseline, &pen.either("▒", "=").repeat(old))
        .put(pen, added, &pen.either("█", "#").repeat(all.saturating_sub(old)))
        .put(pen, Slot::Rule, &pen.either("·", ".").repeat(width - all.max(old)))
}

/// What else there is to know.
fn note(row: &PhaseRow) -> String {
    let mut parts = Vec::new();
    if !row.note.is_empty() {
        parts.push(row.note.clone());
    }
    // What nobody feels needs no words.
    if let (Phase::Queue, Some(wait)) = (row.phase, row.estimate.filter(|s| *s >= 0.1)) {
        parts.push(format!("a newcomer waits ~{}", super::words::brief(wait)));
    }
    parts.join(", ")
}
