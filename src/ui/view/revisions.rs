//! Revisions side by side: what requests saw on each, and in what its template differs from the one before.

use super::words::{age, brief, clock, known, percent};
use super::{Ctx, Slot, list};
use crate::diagnosis::RevisionRow;
use crate::report;
use crate::ui::pen::Line;

/// Starts that are shown with a revision: the newest.
const STARTS: usize = 4;

/// The view.
pub(super) fn view(ctx: Ctx<'_>, width: usize, height: usize) -> Vec<Line> {
    let pen = ctx.pen;
    let Some(d) = ctx.d().filter(|d| !d.revisions.is_empty()) else {
        let why = "No revision is known: they come from Kubernetes (ReplicaSets or ControllerRevisions), which was not read or may not be.";
        return list::empty(ctx, "Revisions", why, width);
    };
    let m = Slot::TextMuted;
    let mut head = vec![ctx.rule(&list::title(ctx, "Revisions, newest first", d.revisions.len()), width)];
    head.push(pen.line(m, "   revision   pods      TTFT   late     /tok        n  created"));
    let slowest = d.revisions.iter().filter_map(|r| r.ttft_mean).fold(0.0, f64::max);
    for words in report::start_times(&d.starts).chunks(2) {
        let words = format!("   {}", words.join("; "));
        head.insert(1, pen.line(m, &words).cut(pen, width));
    }
    if let Some(deadline) = d.starts.deadline {
        let left = deadline.since(ctx.app.now());
        let words = if left > 0.0 {
            format!("   counts as stuck in {} unless it moves (progressDeadlineSeconds)", age(left))
        } else {
            "   past its deadline (progressDeadlineSeconds)".to_owned()
        };
        head.insert(1, pen.line(Slot::Notice, &words).cut(pen, width));
    }
    let items =
        ctx.app.items().iter().filter_map(|i| d.revisions.get(i.index)).map(|r| row(ctx, r, slowest, width)).collect();
    let foot = vec![pen.line(m, "   ~ changed against the revision before it   > how a pod started")];
    list::page(ctx, head, items, foot, width, height)
}

/// A pod's name without the workload's, which all of them share.
fn short(ctx: Ctx<'_>, pod: &str) -> String {
    let rest = ctx.app.target().and_then(|t| pod.strip_prefix(t.name.as_str())).filter(|rest| !rest.is_empty());
    rest.map_or_else(|| pod.to_owned(), |rest| format!("{}{rest}", ctx.pen.either("…", "..")))
}

fn row(ctx: Ctx<'_>, r: &RevisionRow, slowest: f64, width: usize) -> Vec<Line> {
    let pen = ctx.pen;
    let seconds = |v: Option<f64>| v.map_or_else(|| "?".to_owned(), brief);
    let mut line = pen.line(Slot::Text, "   ").cell(pen, Slot::TextStrong, &format!("rev {}", r.number), 10);
    line = line.right(pen, Slot::Text, &format!("{}/{}", r.ready, r.desired), 18);
    line = line.right(pen, Slot::TextStrong, &seconds(r.ttft_mean), 28);
    line = line.right(pen, Slot::Text, &r.ttft_late.map_or("?".to_owned(), percent), 35);
    line = line.right(pen, Slot::Text, &seconds(r.itl_mean), 44).right(pen, Slot::Text, &known(r.count), 53);
    let created =
        r.created.map_or("?".to_owned(), |at| format!("{}Z, {} ago", clock(at), age(ctx.app.now().since(at))));
    let mut lines = vec![line.put(pen, Slot::TextMuted, &format!("  {created}")).cut(pen, width)];
    if let Some(mean) = r.ttft_mean.filter(|_| slowest > 0.0) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "columns of a bar")]
        let bar = ((mean / slowest) * width.saturating_sub(16).min(60) as f64).round().max(0.0) as usize;
        lines.push(pen.line(Slot::TextMuted, "     TTFT ").put(
            pen,
            Slot::Bar,
            &pen.either("█", "#").repeat(bar.max(1)),
        ));
    } else {
        lines.push(pen.line(Slot::TextMuted, "     no replica of it was read in the window"));
    }
    lines.push(pen.line(Slot::TextMuted, &format!("     {}  {}", r.name, r.image)).cut(pen, width));
    if let Some(cause) = &r.change_cause {
        lines.push(pen.line(Slot::TextMuted, &format!("     change-cause: {cause}")).cut(pen, width));
    }
    for change in &r.changes {
        let text = change.to_string();
        for (i, part) in pen.fold(&text, width.saturating_sub(9), 2).iter().enumerate() {
            lines.push(pen.line(Slot::Mark, if i == 0 { "     ~ " } else { "       " }).put(pen, Slot::Text, part));
        }
    }
    let unknown = (!r.unknown.is_empty()).then(|| format!("not known: {}", r.unknown.join(", ")));
    for text in r.otherwise.iter().chain(&unknown) {
        for (i, part) in pen.fold(text, width.saturating_sub(9), 2).iter().enumerate() {
            lines.push(pen.line(Slot::Notice, if i == 0 { "     ? " } else { "       " }).put(pen, Slot::Text, part));
        }
    }
    for start in ctx.d().into_iter().flat_map(|d| &d.starts.rows).filter(|s| s.revision == Some(r.number)).take(STARTS)
    {
        let words = format!("{} {}", short(ctx, &start.pod), report::start_steps(start));
        for (i, part) in pen.fold(&words, width.saturating_sub(9), 2).iter().enumerate() {
            let mark = if i == 0 { "     > " } else { "         " };
            lines.push(pen.line(Slot::TextMuted, mark).put(pen, Slot::Text, part).cut(pen, width));
        }
    }
    lines.push(Line::default());
    lines
}
