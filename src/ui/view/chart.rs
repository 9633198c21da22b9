//! Pictures of what was observed over time: a row of blocks, and a chart with the marks of what changed. A stretch in
//! which nothing was observed stays empty: a gap is no zero.

use super::words::{bound, brief, length, percent};
use super::{Ctx, Slot};
use crate::diagnosis::{Change, ChangeKind, Diagnosis, SeriesPoint, number};
use crate::domain::At;
use crate::ui::pen::Line;

/// What is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    TtftMean,
    ItlMean,
    Waiting,
    Kv,
    Tokens,
}

impl What {
    const fn title(self) -> &'static str {
        match self {
            Self::TtftMean => "TTFT mean",
            Self::ItlMean => "gap between tokens, mean",
            Self::Waiting => "requests waiting",
            Self::Kv => "KV cache, fullest",
            Self::Tokens => "tokens/s",
        }
    }

    fn value(self, p: &SeriesPoint) -> Option<f64> {
        match self {
            Self::TtftMean => p.ttft_mean,
            Self::ItlMean => p.itl_mean,
            Self::Waiting => p.waiting,
            Self::Kv => p.kv,
            Self::Tokens => p.tokens_per_s,
        }
    }

    /// By what slices are weighed when a column holds several; a level has no weight: its highest counts.
    fn weight(self, p: &SeriesPoint) -> Option<f64> {
        match self {
            Self::TtftMean => Some(p.ttft_count),
            Self::ItlMean => p.tokens_per_s.map(|t| t * p.to.since(p.from)),
            Self::Tokens => Some(p.to.since(p.from)),
            Self::Waiting | Self::Kv => None,
        }
    }

    fn show(self, value: f64) -> String {
        match self {
            Self::TtftMean | Self::ItlMean => brief(value),
            Self::Kv => percent(value),
            Self::Waiting | Self::Tokens => number(value.round()),
        }
    }
}

/// The stretch of time that pictures show: the onset about in their middle, else the last hour at most.
fn stretch(d: &Diagnosis) -> Option<(At, At)> {
    let (first, last) = (d.series.first()?.from, d.series.last()?.to.max(d.at));
    let want = d.since.map_or(3600.0, |since| (2.2 * d.at.since(since)).max(600.0));
    Some((first.max(last.plus(-want)), last))
}

/// One value per column; `None` where nothing was observed.
fn columns(d: &Diagnosis, what: What, from: At, to: At, width: usize) -> Vec<Option<f64>> {
    let step = to.since(from) / width.max(1) as f64;
    let mut points = d.series.iter().filter(|p| p.to > from && p.from < to).peekable();
    let mut values = Vec::with_capacity(width);
    for column in 0..width {
        let (begin, end) = (from.plus(step * column as f64), from.plus(step * (column + 1) as f64));
        while points.peek().is_some_and(|p| p.to <= begin) {
            points.next();
        }
        let (mut sum, mut weights, mut most) = (0.0, 0.0, None::<f64>);
        for p in points.clone().take_while(|p| p.from < end) {
            let Some(value) = what.value(p) else { continue };
            most = Some(most.map_or(value, |m| m.max(value)));
            if let Some(weight) = what.weight(p) {
                // A slice counts in a column as far as it lies in it.
                let shared = p.to.min(end).since(p.from.max(begin)).max(0.0) / p.to.since(p.from).max(1e-9);
                sum += value * weight * shared;
                weights += weight * shared;
            }
        }
        values.push(if weights > 0.0 { Some(sum / weights) } else { most });
    }
    values
}

const EIGHTHS: [&str; 9] = [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
const EIGHTHS_ASCII: [&str; 9] = [" ", "_", "_", "_", "-", "-", "=", "=", "#"];

/// A row of blocks: late ones in the colour of a breach, the onset marked.
pub(super) fn spark(ctx: Ctx<'_>, d: &Diagnosis, what: What, width: usize, target: f64) -> Line {
    let pen = ctx.pen;
    let Some((from, to)) = stretch(d) else { return pen.line(Slot::TextMuted, "") };
    let values = columns(d, what, from, to, width);
    let most = values.iter().flatten().copied().fold(0.0, f64::max).max(target);
    let marks = marks(ctx, d, from, to, width);
    let mut line = Line::default();
    for (column, value) in values.iter().enumerate() {
        match marks[column] {
            Some(Mark::Change(ChangeKind::Onset)) => {
                line = line.put(pen, Slot::MarkOnset, pen.either("┃", "|"));
                continue;
            }
            Some(Mark::Own) => {
                line = line.put(pen, Slot::Mark, own(ctx));
                continue;
            }
            Some(Mark::Change(_)) | None => {}
        }
        line = match value {
            None => line.put(pen, Slot::Rule, pen.either("·", ".")),
            Some(v) => {
                let slot = if *v > target { Slot::VerdictBreach } else { Slot::Bar };
                let level = eighths(*v, most, 1)[0].max(1);
                line.put(pen, slot, pen.either(EIGHTHS, EIGHTHS_ASCII)[level])
            }
        };
    }
    line
}

/// The fill of each row of a column, from the bottom: 0 to 8.
fn eighths(value: f64, most: f64, rows: usize) -> Vec<usize> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some hundred eighths")]
    let all = if most > 0.0 { (value.max(0.0) / most * (rows * 8) as f64).round() as usize } else { 0 };
    (0..rows).map(|row| all.saturating_sub(row * 8).min(8)).collect()
}

/// What stands at a column of the time axis.
#[derive(Debug, Clone, Copy)]
enum Mark {
    Change(ChangeKind),
    /// A change that was made from a war room.
    Own,
}

/// The mark of what was done from a war room.
pub(super) fn own(ctx: Ctx<'_>) -> &'static str {
    ctx.pen.either("◆", "*")
}

/// The mark of each column; the onset before everything else, then what was done from here, then what people did.
fn marks(ctx: Ctx<'_>, d: &Diagnosis, from: At, to: At, width: usize) -> Vec<Option<Mark>> {
    let mut marks: Vec<Option<Mark>> = vec![None; width];
    let weight = |mark: Mark| match mark {
        Mark::Change(ChangeKind::Onset) => 4,
        Mark::Own => 3,
        Mark::Change(ChangeKind::Rollout) => 2,
        Mark::Change(ChangeKind::Scale | ChangeKind::Autoscaler) => 1,
        Mark::Change(_) => 0,
    };
    let onset = d.since.map(|at| (at, Mark::Change(ChangeKind::Onset)));
    let done = ctx.app.run().into_iter().flat_map(|run| &run.acts).filter(|act| act.accepted != Some(false));
    let changes = d.changes.iter().map(|c: &Change| (c.at, Mark::Change(c.kind)));
    for (at, mark) in changes.chain(onset).chain(done.map(|act| (act.at, Mark::Own))) {
        let Some(column) = column_of(at, from, to, width) else { continue };
        if marks[column].is_none_or(|m| weight(m) < weight(mark)) {
            marks[column] = Some(mark);
        }
    }
    marks
}

fn column_of(at: At, from: At, to: At, width: usize) -> Option<usize> {
    let share = at.since(from) / to.since(from);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a column of the screen")]
    let column = (share * width as f64).floor().max(0.0) as usize;
    (at >= from && at <= to && width > 0).then_some(column.min(width - 1))
}

/// The letter of a change.
pub(super) const fn letter(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Rollout => "R",
        ChangeKind::Scale => "S",
        ChangeKind::Autoscaler => "A",
        ChangeKind::Config => "C",
        ChangeKind::Onset => "!",
        ChangeKind::Restart => "x",
        ChangeKind::Pod => "p",
        ChangeKind::Node => "n",
        ChangeKind::Gpu => "g",
        ChangeKind::Traffic => "t",
    }
}

/// Columns at the left of a chart, for its scale.
const SCALE: usize = 9;

/// Whether there is anything to draw: a level that was never above zero is told better in words.
pub(super) fn draws(d: &Diagnosis, what: What) -> bool {
    let least = if what == What::Kv { 0.01 } else { 0.0 };
    d.series.iter().filter_map(|p| what.value(p)).any(|v| v > least)
}

/// A chart of `height` lines: its title, the blocks, a line of marks with the time. Nothing where there is nothing to
/// draw or no room.
pub(super) fn chart(
    ctx: Ctx<'_>,
    d: &Diagnosis,
    what: What,
    target: Option<f64>,
    width: usize,
    height: usize,
) -> Vec<Line> {
    let pen = ctx.pen;
    let (Some((from, to)), Some(rows)) = (stretch(d), height.checked_sub(2).filter(|r| *r > 0)) else {
        return Vec::new();
    };
    let wide = width.saturating_sub(SCALE + 1);
    if wide < 10 || !draws(d, what) {
        return Vec::new();
    }
    let values = columns(d, what, from, to, wide);
    let most = values.iter().flatten().copied().fold(0.0, f64::max);
    // Far below its target a line would be flat: then the target is only named.
    let drawn = target.filter(|t| most > t / 3.0);
    let most = if what == What::Kv { 1.0 } else { most.max(drawn.unwrap_or(0.0)).max(1e-9) };
    let marks = marks(ctx, d, from, to, wide);
    // What was read last is not what is so now, where the end is a gap.
    let last = match (values.last().copied().flatten(), values.iter().rev().flatten().next()) {
        (Some(now), _) => what.show(now),
        (None, Some(before)) => format!("?, last read {}", what.show(*before)),
        (None, None) => "?".to_owned(),
    };
    let against = target.map_or(String::new(), |t| format!(", target {}", bound(t)));
    let mut lines =
        vec![ctx.rule(&format!("{}: {last}{against}, over {}", what.title(), length(to.since(from))), width)];
    let levels: Vec<Option<Vec<usize>>> = values.iter().map(|v| v.map(|v| eighths(v, most, rows))).collect();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a row of the chart")]
    let target_row = drawn.map(|t| ((t / most * rows as f64).floor() as usize).min(rows - 1));
    for row in (0..rows).rev() {
        let scale = match row {
            _ if row == rows - 1 => what.show(most),
            _ if target_row == Some(row) => target.map(bound).unwrap_or_default(),
            0 => "0".to_owned(),
            _ => String::new(),
        };
        let mut line = Line::default().right(pen, Slot::TextMuted, &scale, SCALE - 1).to(pen, SCALE);
        for column in 0..wide {
            let fill = levels[column].as_ref().map_or(0, |l| l[row]);
            let late = target.zip(values[column]).is_some_and(|(t, v)| v > t);
            line = match (fill, marks[column]) {
                (0, Some(Mark::Change(ChangeKind::Onset))) => line.put(pen, Slot::MarkOnset, pen.either("┃", "|")),
                (0, Some(Mark::Own)) => line.put(pen, Slot::Mark, pen.either("╏", "*")),
                (0, Some(Mark::Change(ChangeKind::Rollout))) => line.put(pen, Slot::Mark, pen.either("┊", ":")),
                (0, _) if target_row == Some(row) => line.put(pen, Slot::Target, pen.either("┄", "-")),
                (0, _) if row == 0 && levels[column].is_none() => line.put(pen, Slot::Rule, pen.either("·", ".")),
                (0, _) => line.put(pen, Slot::Text, " "),
                (fill, _) => {
                    let slot = if late { Slot::VerdictBreach } else { Slot::Bar };
                    line.put(pen, slot, pen.either(EIGHTHS, EIGHTHS_ASCII)[fill])
                }
            };
        }
        lines.push(line);
    }
    lines.push(axis(ctx, &marks, from, to, wide));
    lines
}

/// The letters of what changed, between the ends of the time.
fn axis(ctx: Ctx<'_>, marks: &[Option<Mark>], from: At, to: At, wide: usize) -> Line {
    let pen = ctx.pen;
    let mut line = Line::default().right(pen, Slot::TextMuted, &super::words::minute(from), SCALE - 1).to(pen, SCALE);
    let end = super::words::minute(to);
    let free = marks.iter().rev().take(end.len() + 1).all(Option::is_none);
    let upto = if free { wide.saturating_sub(end.len()) } else { wide };
    for mark in &marks[..upto] {
        line = match mark {
            Some(Mark::Change(ChangeKind::Onset)) => line.put(pen, Slot::MarkOnset, letter(ChangeKind::Onset)),
            Some(Mark::Change(kind)) => line.put(pen, Slot::Mark, letter(*kind)),
            Some(Mark::Own) => line.put(pen, Slot::Mark, own(ctx)),
            None => line.put(pen, Slot::Rule, pen.either("─", "-")),
        };
    }
    if free { line.put(pen, Slot::TextMuted, &end) } else { line }
}
