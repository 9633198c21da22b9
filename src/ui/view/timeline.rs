//! Everything that changed, on one clock with the onset.

use super::{Ctx, Slot, changes, chart, list};
use crate::diagnosis::Metric;

/// The view.
pub(super) fn view(ctx: Ctx<'_>, width: usize, height: usize) -> Vec<crate::ui::pen::Line> {
    let pen = ctx.pen;
    let Some(d) = ctx.d().filter(|d| !d.changes.is_empty()) else {
        return list::empty(
            ctx,
            "Timeline",
            "Nothing is known to have changed in the time that was observed. What Kubernetes did is known only where it is read.",
            width,
        );
    };
    let target = d.slo.iter().find(|s| s.metric == Metric::Ttft).map(|s| s.target.seconds);
    let mut head = Vec::new();
    if height >= 18 {
        head.extend(chart::chart(ctx, d, chart::What::TtftMean, target, width, (height / 3).min(12)));
    }
    head.push(ctx.rule(&list::title(ctx, "Changes, newest first; how far from the onset", d.changes.len()), width));
    let selected = ctx.app.cursor().index;
    let shown = ctx.app.items();
    let changes = shown.iter().filter_map(|item| d.changes.get(item.index)).enumerate();
    let items = changes
        .map(|(i, change)| {
            let mut lines = vec![changes::line(ctx, d, change, width)];
            // The selected one in full.
            if i == selected && change.summary.chars().count() + 42 > width {
                let whole = pen.fold(&change.summary, width.saturating_sub(6), 4);
                lines.extend(whole.iter().map(|text| pen.line(Slot::Text, "     ").put(pen, Slot::Text, text)));
            }
            lines
        })
        .collect();
    let foot = vec![
        pen.line(Slot::TextMuted, "   Earlier than the onset is not yet its cause: the evidence says so, or nobody."),
    ];
    list::page(ctx, head, items, foot, width, height)
}
