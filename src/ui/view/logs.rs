//! The last lines of a replica's log.

use super::{Ctx, Slot, list};
use crate::app::Logs;
use crate::decode::log::{Mark, mark};
use crate::ui::pen::Line;

/// The view.
pub(super) fn view(ctx: Ctx<'_>, width: usize, height: usize) -> Vec<Line> {
    let Some(logs) = ctx.app.logs() else { return list::empty(ctx, "Log", "No log is followed.", width) };
    let end = match (&logs.ended, logs.following) {
        (Some(why), _) => format!("ended: {why}"),
        (None, true) => "following".to_owned(),
        (None, false) => "not following".to_owned(),
    };
    let container = logs.container.as_ref().map(|c| format!(" {c}")).unwrap_or_default();
    let run = if logs.previous { " (the run before)" } else { "" };
    let title = format!("Log of {}{container}{run}, {} lines, {end}", logs.pod, logs.lines.len() + logs.dropped);
    if logs.lines.is_empty() {
        let why = match (&logs.ended, logs.answered) {
            (Some(why), _) => format!("No log: {why}"),
            (None, true) => "Nothing was written yet.".to_owned(),
            (None, false) => "asked for; nothing came yet…".to_owned(),
        };
        return list::empty(ctx, &title, &why, width);
    }
    let head = vec![ctx.rule(&title, width)];
    let room = height.saturating_sub(1);
    let last = logs.lines.len() - 1;
    let at = ctx.app.cursor().index.min(last);
    // Only what is in sight is made: a log is long. From the cursor's line upwards first, half of the room, or all of it
    // while the end is followed; then downwards as far as room is left.
    let up = if logs.following { room } else { room / 2 + 1 };
    let mut above: Vec<Line> = Vec::new();
    for index in (0..=at).rev() {
        let mut rows = line(ctx, logs, index, index == at, width);
        rows.append(&mut above);
        above = rows;
        if above.len() >= up {
            break;
        }
    }
    let mut below: Vec<Line> = Vec::new();
    for index in at + 1..=last {
        if above.len() + below.len() >= room {
            break;
        }
        below.extend(line(ctx, logs, index, false, width));
    }
    let surplus = if logs.following { above.len().saturating_sub(room) } else { above.len().saturating_sub(up) };
    let mut lines = head;
    lines.extend(above.into_iter().skip(surplus).chain(below).take(room));
    lines
}

/// One line of the log, in as many rows as it takes.
fn line(ctx: Ctx<'_>, logs: &Logs, index: usize, here: bool, width: usize) -> Vec<Line> {
    let pen = ctx.pen;
    let text = logs.lines.get(index).map_or("", String::as_str);
    let (marked, means) = mark(text).unzip();
    let slot = match marked {
        Some(Mark::OutOfMemory | Mark::Cuda | Mark::Error) => Slot::VerdictBreach,
        Some(Mark::Preemption | Mark::Warning) => Slot::VerdictWarning,
        Some(Mark::Loading | Mark::Nccl) => Slot::TextStrong,
        None => Slot::Text,
    };
    let means = means
        .filter(|m| !m.is_empty())
        .map(|m| pen.line(Slot::TextMuted, &format!("   {} {m}", pen.either("↳", "->"))));
    let found = ctx.app.looks_for(text);
    let rows = pen.wrap(text, width.saturating_sub(2));
    rows.iter()
        .enumerate()
        .map(|(i, part)| {
            let row = pen.line(slot, if i == 0 { " " } else { "   " }).put(pen, slot, part);
            let row = if found { row.over(pen.style(Slot::Match)) } else { row };
            if here && !logs.following { row.selected(pen, width) } else { row }
        })
        .chain(means)
        .collect()
}
