//! The runbook: where it stands and how it came there, what its checks say, which ways hold, which one it recommends and
//! why. What is decided here, the operator decides: the keys take a way, and nothing moves by itself.

mod walk;

use super::words::code;
use super::{Ctx, Slot, frame};
use crate::app::{Command, Mode};
use crate::domain::RowStatus;
use crate::runbook::{Advice, Edge, Meaning, Outcome, Run, Runbook};
use crate::ui::pen::{Line, Pen};

pub(super) use walk::view;

/// Columns of the labels.
const LABEL: usize = 9;

/// The shape, style and word of what a check says.
fn outcome(pen: Pen<'_>, outcome: Outcome) -> (&'static str, Slot, &'static str) {
    match outcome {
        Outcome::Pass => (pen.shape(RowStatus::Ok), Slot::VerdictHealthy, "pass"),
        Outcome::Fail => (pen.shape(RowStatus::Breach), Slot::VerdictWarning, "fail"),
        Outcome::CannotTell => (pen.shape(RowStatus::Unknown), Slot::VerdictUnknown, "cannot tell"),
    }
}

/// A way as it is called: a state, or another runbook.
fn name(edge: &str) -> String {
    edge.split_once(':').map_or_else(|| code(edge), |(to, book)| format!("{} to {book}", code(to)))
}

/// The panel of the main screen: the state with the count of its checks, and the way that is recommended.
pub(super) fn panel(ctx: Ctx<'_>, width: usize) -> Vec<Line> {
    let Some(advice) = ctx.app.advice() else { return Vec::new() };
    let mut title = format!("{}: {}", advice.id, code(&advice.state));
    for (wanted, word) in [(Outcome::Pass, "pass"), (Outcome::Fail, "fail"), (Outcome::CannotTell, "cannot be told")] {
        let count = advice.checks.iter().filter(|(_, o)| *o == wanted).count();
        if count > 0 {
            title = format!("{title}, {count} {word}");
        }
    }
    let mut lines = vec![ctx.rule(&title, width)];
    lines.extend(next(ctx, width));
    lines
}

/// The checks in one line, by name.
pub(super) fn checked(ctx: Ctx<'_>, width: usize) -> Option<Line> {
    ctx.app.advice().filter(|a| !a.checks.is_empty()).map(|advice| checks(ctx, advice, width))
}

/// The way that is recommended, with its key, and why; what can be done where the run is over or broke again.
pub(super) fn next(ctx: Ctx<'_>, width: usize) -> Option<Line> {
    let (app, pen) = (ctx.app, ctx.pen);
    let advice = app.advice()?;
    let key = |command| frame::key(ctx, Mode::Main, command);
    let label = |word: &str| pen.line(Slot::Text, " ").put(pen, Slot::Heading, word).to(pen, LABEL);
    let decides = app.works(Command::Go).is_ok();
    if let Some(run) = app.run().filter(|run| run.ended) {
        let text = match divert(run) {
            Some(book) => {
                format!("diverted to {book}: {} shows its first steps and the ways back", key(Command::Runbook))
            }
            None => format!("{}; {} begins a new run", code(&run.state), key(Command::Again)),
        };
        return Some(label("OVER").put(pen, Slot::TextStrong, &text).cut(pen, width));
    }
    let other = match advice.recommended {
        Some(_) => format!("{}: other ways ", key(Command::Ways)),
        None => format!("{}: all ways ", key(Command::Ways)),
    };
    let other = pen.line(Slot::TextMuted, if decides { &other } else { "" });
    let mut line = label("NEXT");
    if app.run().is_some_and(|run| run.again_offered) {
        line =
            line.put(pen, Slot::Notice, &format!("it broke again: {} goes back to the start; ", key(Command::Again)));
    }
    let Some(to) = &advice.recommended else {
        return Some(line.put(pen, Slot::Text, &app.no_way()).beside(pen, other, width));
    };
    if decides {
        line = line.put(pen, Slot::Key, &key(Command::Go)).put(pen, Slot::Text, " = ");
    }
    let because = format!(", because {}", advice.because.join("; "));
    let line = line.put(pen, Slot::TextStrong, &code(to)).put(pen, Slot::Text, &because);
    Some(line.beside(pen, other, width))
}

/// The runbook to which a run that is over was diverted.
fn divert(run: &Run) -> Option<&str> {
    let last = run.moves.last().filter(|m| run.ended && m.means == Some(Meaning::Diverted))?;
    last.divert.as_deref()
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
    let ways = one_each(ways(ctx, runbook, advice));
    for (i, way) in ways.iter().enumerate() {
        let last = i + 1 == ways.len();
        let branch = if last { pen.either("  └─", "  `-") } else { pen.either("  ├─", "  |-") };
        lines.push(line(ctx, branch, way, width).cut(pen, width));
    }
    for rank in later(runbook, &advice.state) {
        let names: Vec<String> = rank.iter().map(|name| code(name)).collect();
        lines.push(
            pen.line(Slot::TextMuted, &format!("   {} {}", pen.either("↓", "v"), names.join(", "))).cut(pen, width),
        );
    }
    lines
}

/// A way out, with what was seen of it last.
struct Way<'a> {
    edge: &'a Edge,
    /// `None`: it has no conditions, and is the operator's.
    holds: Option<bool>,
    why: String,
    recommended: bool,
}

/// Every way out of the state, in the runbook's order.
fn ways<'a>(ctx: Ctx<'_>, runbook: &'a Runbook, advice: &Advice) -> Vec<Way<'a>> {
    let seen = ctx.app.run().and_then(|run| run.seen.as_ref()).filter(|seen| seen.state == advice.state);
    let from = runbook.edges.iter().filter(|e| e.from == advice.state);
    from.map(|edge| match seen {
        Some(seen) => {
            let way = seen.ways.iter().find(|w| w.edge == edge.id());
            Way {
                edge,
                holds: way.and_then(|w| w.holds),
                why: way.map_or_else(String::new, |w| w.why.clone()),
                recommended: seen.advised.as_ref().is_some_and(|a| a.edge == edge.id()),
            }
        }
        None => Way {
            edge,
            holds: edge.guard.zip(ctx.d()).map(|(guard, d)| guard.holds(d)),
            why: String::new(),
            recommended: advice.recommended.as_deref() == Some(edge.to.as_str()),
        },
    })
    .collect()
}

/// One to each state: the one that is recommended, else the one that holds, else the first.
fn one_each(ways: Vec<Way<'_>>) -> Vec<Way<'_>> {
    let rank = |way: &Way<'_>| (way.recommended, way.holds == Some(true));
    let mut kept: Vec<Way<'_>> = Vec::new();
    for way in ways {
        match kept.iter_mut().find(|known| known.edge.to == way.edge.to) {
            Some(known) if rank(&way) > rank(known) => *known = way,
            Some(_) => {}
            None => kept.push(way),
        }
    }
    kept
}

/// One way out, with its condition; where room is short, only of the ways that are open.
fn line(ctx: Ctx<'_>, branch: &str, way: &Way<'_>, width: usize) -> Line {
    let pen = ctx.pen;
    let (arrow, slot) = match (way.recommended, way.holds) {
        (true, _) => (pen.either("▶ ", "> "), Slot::LeverYes),
        (_, Some(false)) => (" ", Slot::TextMuted),
        _ => (" ", Slot::Text),
    };
    let line = pen.line(Slot::Rule, branch).put(pen, slot, &format!("{arrow}{}", name(&way.edge.id())));
    let line = line.to(pen, if width < 60 { 18 } else { 27 });
    let (state, slot) = match way.holds {
        Some(true) => ("holds", Slot::VerdictHealthy),
        Some(false) => ("not so", Slot::TextMuted),
        None => ("yours", Slot::TextMuted),
    };
    if width < 60 && way.holds == Some(true) {
        return line.put(pen, Slot::Text, &way.edge.when);
    }
    if width < 60 {
        return line.put(pen, slot, state);
    }
    let ours = if way.edge.ours { "(ours) " } else { "" };
    let line = line.cell(pen, slot, state, 9).put(pen, Slot::TextMuted, ours);
    let says = if way.why.is_empty() { &way.edge.when } else { &way.why };
    line.put(pen, if way.holds == Some(false) { Slot::TextMuted } else { Slot::Text }, says)
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
