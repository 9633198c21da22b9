//! The runbook: where it stands, what its checks say, which way it recommends and why. It is only read here.

use super::words::code;
use super::{Ctx, Slot, list};
use crate::domain::RowStatus;
use crate::runbook::{Advice, Edge, Outcome, Runbook};
use crate::ui::pen::{Line, Pen};

/// The shape, style and word of what a check says.
fn outcome(pen: Pen<'_>, outcome: Outcome) -> (&'static str, Slot, &'static str) {
    match outcome {
        Outcome::Pass => (pen.shape(RowStatus::Ok), Slot::VerdictHealthy, "pass"),
        Outcome::Fail => (pen.shape(RowStatus::Breach), Slot::VerdictWarning, "fail"),
        Outcome::CannotTell => (pen.shape(RowStatus::Unknown), Slot::VerdictUnknown, "cannot tell"),
    }
}

/// The panel of the main screen: the recommended way in its rule, the checks in one line.
pub(super) fn panel(ctx: Ctx<'_>, width: usize) -> Vec<Line> {
    let Some(advice) = ctx.app.advice() else { return Vec::new() };
    let next = match &advice.recommended {
        Some(to) => format!("next {}, because {}", code(to), advice.because.join("; ")),
        None => "no way is recommended".to_owned(),
    };
    vec![ctx.rule(&format!("{} {}: {next}", advice.id, advice.state), width), checks(ctx, advice, width)]
}

fn next(ctx: Ctx<'_>, advice: &Advice, width: usize) -> Line {
    let pen = ctx.pen;
    let line = pen.line(Slot::Text, " ").put(pen, Slot::Heading, "NEXT").put(pen, Slot::Text, "   ");
    let Some(to) = &advice.recommended else {
        return line.put(pen, Slot::Text, "no way is recommended: none of its conditions is known to hold");
    };
    line.put(pen, Slot::TextStrong, &code(to))
        .put(pen, Slot::Text, &format!(", because {}", advice.because.join("; ")))
        .cut(pen, width)
}

/// The checks in one line: those that fail by name, those that cannot be told, and how many pass.
fn checks(ctx: Ctx<'_>, advice: &Advice, width: usize) -> Line {
    let pen = ctx.pen;
    let mut line = pen.line(Slot::Text, " ");
    for wanted in [Outcome::Fail, Outcome::CannotTell, Outcome::Pass] {
        let names: Vec<String> =
            advice.checks.iter().filter(|(_, o)| *o == wanted).map(|(check, _)| code(check.code())).collect();
        if names.is_empty() {
            continue;
        }
        let (shape, slot, word) = outcome(pen, wanted);
        if wanted == Outcome::Pass && line.width() + names.join(", ").len() + 8 > width {
            line = line.put(pen, slot, &format!("{shape} {} {word}", names.len()));
            continue;
        }
        line =
            line.put(pen, slot, &format!("{shape} {word} ")).put(pen, Slot::Text, &format!("{}  ", names.join(", ")));
    }
    line.cut(pen, width)
}

/// The map: the state in which one stands, every way out of it, and what comes after.
pub(super) fn map(ctx: Ctx<'_>, width: usize) -> Vec<Line> {
    let pen = ctx.pen;
    let (Some(runbook), Some(advice)) = (ctx.app.runbook(), ctx.app.advice()) else { return Vec::new() };
    let mut lines = vec![ctx.rule(&format!("{} map", advice.id), width)];
    let here = format!(" {} {} ", pen.either("●", "*"), code(&advice.state));
    lines.push(pen.line(Slot::Text, " ").put(pen, Slot::Selection, &here).put(pen, Slot::TextMuted, "  you are here"));
    let edges: Vec<&Edge> = runbook.edges_from(&advice.state).collect();
    for (i, edge) in edges.iter().enumerate() {
        let last = i + 1 == edges.len();
        let branch = if last { pen.either("  └─", "  `-") } else { pen.either("  ├─", "  |-") };
        lines.push(way(ctx, branch, edge, advice, width).cut(pen, width));
    }
    for rank in later(runbook, &advice.state) {
        let names: Vec<String> = rank.iter().map(|name| code(name)).collect();
        lines.push(
            pen.line(Slot::TextMuted, &format!("   {} {}", pen.either("↓", "v"), names.join(", "))).cut(pen, width),
        );
    }
    lines
}

/// One way out, with its condition; where room is short, only of the ways that are open.
fn way(ctx: Ctx<'_>, branch: &str, edge: &Edge, advice: &Advice, width: usize) -> Line {
    let pen = ctx.pen;
    let recommended = advice.recommended.as_deref() == Some(edge.to.as_str());
    let holds = edge.guard.zip(ctx.d()).map(|(g, d)| g.holds(d));
    let (arrow, slot) = match (recommended, holds) {
        (true, _) => (pen.either("▶ ", "> "), Slot::LeverYes),
        (_, Some(false)) => (" ", Slot::TextMuted),
        _ => (" ", Slot::Text),
    };
    let line = pen.line(Slot::Rule, branch).put(pen, slot, &format!("{arrow}{}", code(&edge.to))).to(pen, 18);
    let state = match holds {
        Some(true) => ("holds", Slot::VerdictHealthy),
        Some(false) => ("not seen", Slot::TextMuted),
        None => ("yours", Slot::TextMuted),
    };
    if width < 60 && holds == Some(true) {
        return line.put(pen, Slot::Text, &edge.when);
    }
    if width < 60 {
        return line.put(pen, state.1, state.0);
    }
    line.cell(pen, state.1, state.0, 9).put(pen, Slot::TextMuted, &edge.when)
}

/// The states that lie behind, step by step, each once.
fn later<'a>(runbook: &'a Runbook, from: &'a str) -> Vec<Vec<&'a str>> {
    let mut seen = vec![from];
    let mut ranks: Vec<Vec<&str>> = Vec::new();
    let mut rank = vec![from];
    while !rank.is_empty() {
        let mut next: Vec<&str> = Vec::new();
        for state in &rank {
            for edge in runbook.edges_from(state) {
                if !seen.contains(&edge.to.as_str()) {
                    seen.push(&edge.to);
                    next.push(&edge.to);
                }
            }
        }
        ranks.push(next.clone());
        rank = next;
    }
    // The first step is drawn as ways out.
    ranks.into_iter().skip(1).filter(|rank| !rank.is_empty()).collect()
}

/// The whole view.
pub(super) fn view(ctx: Ctx<'_>, width: usize, height: usize) -> Vec<Line> {
    let pen = ctx.pen;
    let (Some(runbook), Some(advice)) = (ctx.app.runbook(), ctx.app.advice()) else {
        let why = match ctx.d() {
            Some(_) => {
                "Nothing is the matter that an incident's runbook is for. It begins with a breach, a warning or a stall."
            }
            None => "Nothing was judged yet.",
        };
        return list::empty(
            ctx,
            &format!(
                "{} {}",
                ctx.app.runbook().map_or("RB-6", |r| r.id.as_str()),
                ctx.app.runbook().map_or("", |r| r.title.as_str())
            ),
            why,
            width,
        );
    };
    let mut head = vec![ctx.rule(&format!("{}: {}", runbook.id, runbook.title), width)];
    head.extend(
        pen.fold(&runbook.trigger, width.saturating_sub(3), 2)
            .iter()
            .map(|l| pen.line(Slot::TextMuted, &format!("   {l}"))),
    );
    let decides = runbook.state(&advice.state).map_or("", |s| s.decides.as_str());
    head.push(
        pen.line(Slot::Text, " ")
            .put(pen, Slot::Heading, "STATE")
            .to(pen, 8)
            .put(pen, Slot::TextStrong, &code(&advice.state))
            .put(pen, Slot::Text, &format!(": {decides}")),
    );
    head.push(next(ctx, advice, width));
    head.push(pen.line(Slot::TextMuted, "   Checks, then the ways out. It is shown and not walked: read-only."));
    let mut items = Vec::new();
    for (check, result) in &advice.checks {
        let (shape, slot, word) = outcome(pen, *result);
        items.push(vec![pen.line(Slot::Text, "   ").cell(pen, slot, &format!("{shape} {word}"), 14).put(
            pen,
            Slot::Text,
            &code(check.code()),
        )]);
    }
    for edge in runbook.edges_from(&advice.state) {
        items.push(vec![way(ctx, pen.either("  →", "  >"), edge, advice, width)]);
    }
    let mut foot = Vec::new();
    for rank in later(runbook, &advice.state) {
        let names: Vec<String> = rank.iter().map(|name| code(name)).collect();
        foot.push(pen.line(Slot::TextMuted, &format!("   then {}", names.join(", "))));
    }
    list::page(ctx, head, items, foot, width, height)
}
