//! Everything that changed, on one clock with the onset.

use super::words::{clock, code};
use super::{Ctx, Slot, changes, chart, list};
use crate::app::Happened;
use crate::diagnosis::{Diagnosis, Metric};
use crate::runbook::{Act, Transition};
use crate::ui::pen::Line;

/// The view.
pub(super) fn view(ctx: Ctx<'_>, width: usize, height: usize) -> Vec<Line> {
    let pen = ctx.pen;
    let happened = ctx.app.happened();
    let Some(d) = ctx.d().filter(|_| !happened.is_empty()) else {
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
    head.push(ctx.rule(&list::title(ctx, "Changes, newest first; how far from the onset", happened.len()), width));
    let selected = ctx.app.cursor().index;
    let shown = ctx.app.items();
    let rows = shown.iter().filter_map(|item| happened.get(item.index)).enumerate();
    let items = rows
        .map(|(i, happened)| {
            let (line, whole) = match happened {
                Happened::Change(change) => (changes::line(ctx, d, change, width), change.summary.clone()),
                Happened::Act(act) => (acted(ctx, d, act, width), told(act)),
                Happened::Moved(step) => (moved(ctx, d, step, width), stepped(ctx, step)),
            };
            let mut lines = vec![line];
            // The selected one in full.
            if i == selected && whole.chars().count() + 42 > width {
                let whole = pen.fold(&whole, width.saturating_sub(6), 4);
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

/// What was done from a war room, by whom, and what the cluster answered.
fn told(act: &Act) -> String {
    let answer = match act.accepted {
        Some(true) => "accepted",
        Some(false) => "not done",
        None => "whether it was done is not known",
    };
    format!("{} by {}: {answer}", act.what, act.by)
}

fn stepped(ctx: Ctx<'_>, step: &Transition) -> String {
    let arrow = ctx.pen.either("→", "->");
    format!("{} {arrow} {}: {}", code(&step.from), code(&step.to), step.reason)
}

/// A change that was made from here: told apart from those of others by its mark and its word.
fn acted(ctx: Ctx<'_>, d: &Diagnosis, act: &Act, width: usize) -> Line {
    row(ctx, d, (act.at, Slot::Mark, chart::own(ctx), "action"), &told(act), width)
}

fn moved(ctx: Ctx<'_>, d: &Diagnosis, step: &Transition, width: usize) -> Line {
    row(ctx, d, (step.at, Slot::TextMuted, ">", "runbook"), &stepped(ctx, step), width)
}

type Kind<'a> = (crate::domain::At, Slot, &'a str, &'a str);

fn row(ctx: Ctx<'_>, d: &Diagnosis, (at, slot, mark, word): Kind<'_>, text: &str, width: usize) -> Line {
    let pen = ctx.pen;
    let line = pen.line(Slot::Text, " ").put(pen, slot, mark).put(pen, Slot::TextMuted, &format!(" {} ", clock(at)));
    let line = if width >= 70 { line.cell(pen, slot, word, 11) } else { line };
    let line = line.put(pen, Slot::Text, text);
    if width < 50 {
        return line.cut(pen, width);
    }
    let far = changes::distance(at, d.since).unwrap_or_default();
    line.beside(pen, pen.line(Slot::TextMuted, &format!("{far} ")), width)
}
