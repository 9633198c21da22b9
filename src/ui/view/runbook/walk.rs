//! The whole view of the runbook: the walk so far, the state with its checks and ways, and where it ended.

use super::super::list;
use super::super::words::{age, clock, code};
use super::{Ctx, LABEL, Slot, Way, divert, frame, later, line, name, outcome, ways};
use crate::app::{Command, Mode};
use crate::runbook::{Advice, Checked, How, Meaning, Run, Runbook, State};
use crate::ui::pen::Line;

/// Columns in which the evidence of a check begins.
const EVIDENCE: usize = 39;

/// The view.
pub(in super::super) fn view(ctx: Ctx<'_>, width: usize, height: usize) -> Vec<Line> {
    let pen = ctx.pen;
    let (Some(runbook), Some(advice)) = (ctx.app.runbook(), ctx.app.advice()) else {
        let why = match ctx.d() {
            Some(_) => {
                "Nothing is the matter that an incident's runbook is for. It begins with a breach, a warning or a stall."
            }
            None => "Nothing was judged yet.",
        };
        let (id, title) = ctx.app.runbook().map_or(("RB-6", ""), |r| (r.id.as_str(), r.title.as_str()));
        return list::empty(ctx, &format!("{id} {title}"), why, width);
    };
    let state = runbook.state(&advice.state);
    let mut head = vec![ctx.rule(&format!("{}: {}", runbook.id, runbook.title), width)];
    let at_start = advice.state == runbook.start && ctx.app.run().is_none_or(|run| run.trail.is_empty());
    if at_start || height >= 40 {
        let trigger = pen.fold(&runbook.trigger, width.saturating_sub(3), 2);
        head.extend(trigger.iter().map(|l| pen.line(Slot::TextMuted, &format!("   {l}"))));
    }
    let ours = if state.is_some_and(|s| s.ours) { " (our addition)" } else { "" };
    let decides = state.map_or("", |s| s.decides.as_str());
    let words = format!("{}{ours}: {decides}", code(&advice.state));
    head.extend(said(ctx, "STATE", Slot::TextStrong, &words, width, 2));
    if let Some(run) = ctx.app.run() {
        head.extend(walked(ctx, run, width));
    }
    if let Some(book) = ctx.app.run().and_then(divert) {
        head.extend(diverted(ctx, book, width));
    } else if ctx.app.run().is_some_and(|run| run.ended) {
        head.extend(super::next(ctx, width));
    } else {
        // Here the key that opens takes what is selected, so that none is named.
        let text = match &advice.recommended {
            Some(to) => format!("{}, because {}", code(to), advice.because.join("; ")),
            None => ctx.app.no_way(),
        };
        head.extend(said(ctx, "NEXT", Slot::Text, &text, width, 2));
        if ctx.app.run().is_some_and(|run| run.again_offered) {
            let key = frame::key(ctx, Mode::List, Command::Again);
            head.extend(said(
                ctx,
                "AGAIN",
                Slot::Notice,
                &format!("it broke again: {key} goes back to the start"),
                width,
                1,
            ));
        }
    }
    if let Some(run) = ctx.app.run().filter(|run| run.ended) {
        let room = height.saturating_sub(head.len() + 6);
        head.extend(recap(ctx, run, width, room));
    }
    let items = items(ctx, runbook, advice, state, width);
    let mut foot = Vec::new();
    for rank in later(runbook, &advice.state) {
        let names: Vec<String> = rank.iter().map(|name| code(name)).collect();
        foot.push(pen.line(Slot::TextMuted, &format!("   then {}", names.join(", "))));
    }
    list::page(ctx, head, items, foot, width, height)
}

/// Words under a label.
fn said(ctx: Ctx<'_>, label: &str, slot: Slot, text: &str, width: usize, most: usize) -> Vec<Line> {
    let pen = ctx.pen;
    let rows = pen.fold(text, width.saturating_sub(LABEL + 1), most);
    rows.iter()
        .enumerate()
        .map(|(i, text)| {
            let line = pen.line(Slot::Text, " ").put(pen, Slot::Heading, if i == 0 { label } else { "" });
            line.to(pen, LABEL).put(pen, slot, text)
        })
        .collect()
}

/// How it came here, and when the steps of the incident were reached.
fn walked(ctx: Ctx<'_>, run: &Run, width: usize) -> Vec<Line> {
    let (now, pen) = (ctx.app.now(), ctx.pen);
    let mut lines = Vec::new();
    if let Some(last) = run.moves.last() {
        let arrow = pen.either(" → ", " > ");
        let trail: Vec<String> = run.trail.iter().chain([&run.state]).map(|s| code(s)).collect();
        // The last steps tell most.
        let from = trail.len().saturating_sub(5);
        let before = if from > 0 { pen.either("… → ", ".. > ") } else { "" };
        let how = match last.how {
            How::Recommended => "as recommended",
            How::Chosen => "chosen",
            How::Back => "back",
            How::Lever => "by the lever",
            How::Again => "again",
            How::Returned => "returned",
        };
        let text = format!(
            "{before}{}, {} ago, {how} by {}: {}",
            trail[from..].join(arrow),
            age(now.since(last.at)),
            last.by,
            last.reason
        );
        lines.extend(said(ctx, "CAME", Slot::Text, &text, width, 2));
    }
    if run.ended {
        let means = run.moves.last().and_then(|m| m.means);
        let text = match means {
            Some(Meaning::Resolved) => "over: the incident is resolved",
            Some(Meaning::NotReal) => "over: there was no incident",
            Some(Meaning::Diverted) => "diverted: another runbook goes on",
            None => "over",
        };
        let ago = run.moves.last().map_or(String::new(), |m| format!(", since {}Z", clock(m.at)));
        lines.extend(said(ctx, "END", Slot::TextStrong, &format!("{text}{ago}"), width, 1));
    }
    let t = run.times;
    let steps = [
        ("acknowledged", t.acknowledged),
        ("diagnosed", t.diagnosed),
        ("mitigated", t.mitigated),
        ("recovered", t.recovered),
        ("verified", t.verified),
    ];
    let reached: Vec<String> =
        steps.iter().filter_map(|(word, at)| Some(format!("{word} {}", age(run.after_onset(*at)?)))).collect();
    if !reached.is_empty() {
        let from = if run.memory.onset.is_some() { "after the onset" } else { "after it was opened" };
        let text = format!("{} {from}", reached.join(", "));
        lines.extend(said(ctx, "TIMES", Slot::TextMuted, &text, width, 2));
    }
    if !run.open.is_empty() {
        let open: Vec<String> = run.open.iter().map(|edge| name(edge)).collect();
        lines.extend(said(ctx, "OPEN", Slot::TextMuted, &format!("not taken so far: {}", open.join(", ")), width, 1));
    }
    lines
}

/// The way that was walked, and what was done on it; the last of it, where it is long.
fn recap(ctx: Ctx<'_>, run: &Run, width: usize, room: usize) -> Vec<Line> {
    let pen = ctx.pen;
    let arrow = pen.either("→", "->");
    let moves = run
        .moves
        .iter()
        .map(|m| (m.at, format!("{} {arrow} {}, by {}: {}", code(&m.from), code(&m.to), m.by, m.reason)));
    let acts =
        run.acts.iter().map(|act| (act.at, format!("{} {}, by {}", super::super::chart::own(ctx), act.what, act.by)));
    let mut all: Vec<_> = moves.chain(acts).collect();
    all.sort_by_key(|(at, _)| *at);
    if room < 3 || all.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![ctx.rule("The way here", width)];
    for (at, text) in all.iter().skip(all.len().saturating_sub(room - 1)) {
        let line = pen.line(Slot::TextMuted, &format!("   {} ", clock(*at)));
        lines.push(line.put(pen, Slot::Text, text).cut(pen, width));
    }
    lines
}

/// The first steps of the runbook that goes on.
fn diverted(ctx: Ctx<'_>, id: &str, width: usize) -> Vec<Line> {
    let pen = ctx.pen;
    let Some(book) = ctx.app.catalogue().get(id).map(|loaded| &loaded.runbook) else {
        return said(ctx, id, Slot::Notice, "this runbook is not at hand: follow your own", width, 1);
    };
    let mut lines = vec![ctx.rule(&format!("{}: {}", book.id, book.title), width)];
    if let Some(first) = book.state(&book.start) {
        lines.extend(said(
            ctx,
            "FIRST",
            Slot::TextStrong,
            &format!("{}: {}", code(&first.name), first.decides),
            width,
            2,
        ));
        lines.extend(steps(ctx, first, width));
        if !first.checks.is_empty() {
            let names: Vec<String> = first.checks.iter().map(|c| code(c.code())).collect();
            lines.extend(said(ctx, "LOOK AT", Slot::Text, &names.join(", "), width, 1));
        }
    }
    let key = frame::key(ctx, Mode::List, Command::Open);
    lines.push(pen.line(Slot::TextMuted, &format!("   The ways back, once it is done; {key} takes one.")));
    lines
}

/// What is done by hand, in order.
fn steps(ctx: Ctx<'_>, state: &State, width: usize) -> Vec<Line> {
    let mut lines = Vec::new();
    for (i, step) in state.steps.iter().enumerate() {
        lines.extend(said(ctx, &format!("     {}.", i + 1), Slot::Text, step, width, 3));
    }
    lines
}

/// The checks, the ways out and the ways back, in the order of the items.
fn items(ctx: Ctx<'_>, runbook: &Runbook, advice: &Advice, state: Option<&State>, width: usize) -> Vec<Vec<Line>> {
    let pen = ctx.pen;
    let seen = ctx.app.run().and_then(|run| run.seen.as_ref()).filter(|seen| seen.state == advice.state);
    let selected = ctx.app.cursor().index;
    let mut items: Vec<Vec<Line>> = Vec::new();
    for (check, result) in &advice.checks {
        let (shape, slot, word) = outcome(pen, *result);
        let row = pen.line(Slot::Text, "   ").cell(pen, slot, &format!("{shape} {word}"), 14);
        let row = row.cell(pen, Slot::Text, &code(check.code()), EVIDENCE - 18).to(pen, EVIDENCE);
        let known = seen.and_then(|s| s.checks.iter().find(|c| c.check == *check));
        let here = items.len() == selected;
        items.push(known.map_or_else(|| vec![row.clone()], |known| check_rows(ctx, row.clone(), known, here, width)));
    }
    for way in ways(ctx, runbook, advice) {
        let here = items.len() == selected;
        items.push(way_rows(ctx, &way, here, width));
    }
    for to in state.map_or(&[][..], |s| &s.returns) {
        let line =
            pen.line(Slot::Rule, pen.either("  ←", "  <")).put(pen, Slot::Text, &format!(" back to {}", code(to)));
        items.push(vec![line]);
    }
    if let Some(state) = state.filter(|s| !s.steps.is_empty()) {
        let by_hand = steps(ctx, state, width);
        if let Some(last) = items.last_mut() {
            last.push(ctx.rule("By hand, in this state", width));
            last.extend(by_hand);
        }
    }
    items
}

/// A check with its evidence and age; the selected one in full.
fn check_rows(ctx: Ctx<'_>, row: Line, known: &Checked, selected: bool, width: usize) -> Vec<Line> {
    let pen = ctx.pen;
    let old = known.age_s.map_or(String::new(), |s| format!("{} ", age(ctx.app.age(s))));
    let room = width.saturating_sub(EVIDENCE + old.len() + 1);
    let first = row.put(pen, Slot::Text, &pen.fit(&known.says, room));
    let first = first.beside(pen, pen.line(Slot::TextMuted, &old), width);
    let mut rows = vec![first];
    if selected && known.says.chars().count() > room {
        let whole = pen.fold(&known.says, width.saturating_sub(19), 4);
        rows.extend(whole.iter().map(|text| Line::default().to(pen, 18).put(pen, Slot::Text, text)));
    }
    rows
}

/// A way out; the selected one with its condition and why it holds or does not.
fn way_rows(ctx: Ctx<'_>, way: &Way<'_>, selected: bool, width: usize) -> Vec<Line> {
    let pen = ctx.pen;
    let mut rows = vec![line(ctx, pen.either("  →", "  >"), way, width).cut(pen, width)];
    if selected {
        let told = match (way.holds, way.why.as_str()) {
            (Some(true), "") => format!("holds: {}", way.edge.when),
            (Some(true), why) => format!("holds: {}: {why}", way.edge.when),
            (Some(false), "") => format!("taken when {}; not seen", way.edge.when),
            (Some(false), why) => format!("taken when {}; does not hold: {why}", way.edge.when),
            (None, _) => format!("yours to take: {}", way.edge.when),
        };
        let asks = if way.recommended { "" } else { "; asks for a reason" };
        let whole = pen.fold(&format!("{told}{asks}"), width.saturating_sub(19), 4);
        rows.extend(whole.iter().map(|text| Line::default().to(pen, 18).put(pen, Slot::Text, text)));
    }
    rows
}
