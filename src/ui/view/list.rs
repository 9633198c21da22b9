//! A view that is a list: its head, its items with the selected one in sight, its foot.

use super::{Ctx, Slot};
use crate::ui::pen::Line;

/// Head, as many items as fit around the selected one, foot. The items are those of [`crate::app::App::items`], in
/// their order.
pub(super) fn page(
    ctx: Ctx<'_>,
    head: Vec<Line>,
    items: Vec<Vec<Line>>,
    foot: Vec<Line>,
    width: usize,
    height: usize,
) -> Vec<Line> {
    let pen = ctx.pen;
    let cursor = ctx.app.cursor();
    let marked = ctx.app.items();
    let mut lines = head;
    // The foot gives way to the list.
    let foot = if lines.len() + foot.len() + 4 <= height { foot } else { Vec::new() };
    let room = height.saturating_sub(lines.len() + foot.len());
    let selected = cursor.index.min(items.len().saturating_sub(1));
    let mut body: Vec<Line> = Vec::new();
    let (mut from, mut to) = (0, 0);
    for (i, item) in items.into_iter().enumerate() {
        let found = marked.get(i).is_some_and(|item| ctx.app.matches(item)) && !ctx.app.view().filters();
        if i == selected {
            (from, to) = (body.len(), body.len() + item.len());
        }
        for (row, line) in item.into_iter().enumerate() {
            let line = if found { line.over(pen.style(Slot::Match)) } else { line };
            body.push(if i == selected && row == 0 { line.selected(pen, width) } else { line });
        }
    }
    let count = body.len();
    if count == 0 && !cursor.find.is_empty() {
        body.push(pen.line(Slot::TextMuted, &format!("   nothing matches '{}'", cursor.find)));
    }
    // The selected one stands about in the middle, and wholly inside where it fits.
    let most = count.saturating_sub(room);
    let start = usize::midpoint(from, to).saturating_sub(room / 2).min(from).min(most);
    let rest = count.saturating_sub(start + room);
    let shown = room.min(body.len().saturating_sub(start));
    lines.extend(body.into_iter().skip(start).take(shown));
    if rest > 0 && room > 2 {
        // The last line says how much is below.
        lines.pop();
        lines.push(pen.line(Slot::TextMuted, &format!("   {} {} more lines", pen.either("↓", "v"), rest + 1)));
    }
    lines.extend(foot);
    lines.truncate(height);
    lines
}

/// A view with nothing in it, and why.
pub(super) fn empty(ctx: Ctx<'_>, title: &str, why: &str, width: usize) -> Vec<Line> {
    let pen = ctx.pen;
    let mut lines = vec![ctx.rule(title, width), Line::default()];
    lines.extend(
        pen.fold(why, width.saturating_sub(6), 6).iter().map(|l| pen.line(Slot::TextMuted, &format!("   {l}"))),
    );
    lines
}

/// The title of a list: its name, how many, and by what it is filtered.
pub(super) fn title(ctx: Ctx<'_>, name: &str, all: usize) -> String {
    let find = ctx.app.finding().unwrap_or(&ctx.app.cursor().find);
    if find.is_empty() || !ctx.app.view().filters() {
        return format!("{name} ({all})");
    }
    format!("{name} ({} of {all} match '{find}')", ctx.app.items().len())
}
