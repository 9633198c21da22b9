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
    let items = ctx
        .app
        .items()
        .iter()
        .filter_map(|i| d.changes.get(i.index))
        .map(|c| vec![changes::line(ctx, d, c, width)])
        .collect();
    let foot = vec![pen.line(
        Slot::TextMuted,
        "   What stands before the onset may have caused it; that it did is said in the evidence, or not at all.",
    )];
    list::page(ctx, head, items, foot, width, height)
}
