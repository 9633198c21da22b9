//! The last lines of a replica's log.

use super::{Ctx, Slot, list};
use crate::ui::pen::Line;

/// The view.
pub(super) fn view(ctx: Ctx<'_>, width: usize, height: usize) -> Vec<Line> {
    let pen = ctx.pen;
    let Some(logs) = ctx.app.logs() else { return list::empty(ctx, "Log", "No log is followed.", width) };
    let end = match (&logs.ended, logs.following) {
        (Some(why), _) => format!("ended: {why}"),
        (None, true) => "following".to_owned(),
        (None, false) => "not following".to_owned(),
    };
    let title = format!("Log of {}, {} lines, {end}", logs.pod, logs.lines.len() + logs.dropped);
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
    let items = ctx.app.items();
    // Only what is in sight is made: a log is long.
    let start = at.saturating_sub(room / 2).min((last + 1).saturating_sub(room));
    let mut lines = head;
    for item in items.iter().skip(start).take(room) {
        let text = logs.lines.get(item.index).map_or("", String::as_str);
        let lower = text.to_lowercase();
        let slot = if ["error", "exception", "traceback", "fatal", "critical"].iter().any(|w| lower.contains(w)) {
            Slot::VerdictBreach
        } else if lower.contains("warn") {
            Slot::VerdictWarning
        } else {
            Slot::Text
        };
        let mut line: Line = pen.line(slot, " ").put(pen, slot, text);
        if ctx.app.matches(item) {
            line = line.over(pen.style(Slot::Match));
        }
        lines.push(if item.index == at && !logs.following { line.cut(pen, width).selected(pen, width) } else { line });
    }
    lines
}
