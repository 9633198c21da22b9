//! A runbook drawn as text: each state with its checks, levers and steps, and the ways out of it. What the drawing of
//! the source has and what was added stand apart.

use std::fmt::Write as _;

use super::definition::{Edge, Kind, Runbook, State};

/// Draws it. `ascii` keeps to ASCII.
pub fn draw(runbook: &Runbook, ascii: bool) -> String {
    let mut out = format!("{}: {}\n", runbook.id, runbook.title);
    fold(&mut out, "", "", &runbook.trigger);
    out.push('\n');
    let _ = writeln!(
        out,
        "+ marks what the source's drawing does not have; * what can be recommended; {} an end.\n",
        end(ascii)
    );
    for state in in_order(runbook) {
        draw_state(runbook, state, ascii, &mut out);
    }
    for lever in &runbook.anywhere {
        let _ = writeln!(out, "from any state: {} {} {}", lever.action, arrow(ascii), lever.to);
    }
    if !runbook.structural.is_empty() {
        out.push_str("\nno lever in an incident, and worth doing afterwards:\n");
        for remedy in &runbook.structural {
            fold(&mut out, "  ", "    ", remedy);
        }
    }
    out
}

/// States in the order in which they are reached.
fn in_order(runbook: &Runbook) -> Vec<&State> {
    let mut states: Vec<&State> = runbook.reachable().into_iter().filter_map(|name| runbook.state(name)).collect();
    states.sort_by_key(|s| s.kind == Kind::End);
    // The start is drawn first; `reachable` begins with it, and the levers that work anywhere after it are no order.
    let position = |s: &&State| runbook.states.iter().position(|known| known.name == s.name);
    states.sort_by_key(|s| (s.name != runbook.start, position(s)));
    states
}

const fn arrow(ascii: bool) -> &'static str {
    if ascii { "->" } else { "→" }
}

const fn end(ascii: bool) -> &'static str {
    if ascii { "[]" } else { "◼" }
}

fn draw_state(runbook: &Runbook, state: &State, ascii: bool, out: &mut String) {
    let shape = match state.kind {
        Kind::End => end(ascii),
        Kind::Step if ascii => "o",
        Kind::Step => "●",
    };
    let ours = if state.ours { " +" } else { "" };
    let from = state.from_file.as_ref().map_or(String::new(), |f| format!("  (from {f})"));
    let _ = writeln!(out, "{shape} {}{ours}: {}{from}", state.name, state.decides);
    let bar = if ascii { "|" } else { "│" };
    if !state.checks.is_empty() {
        let checks: Vec<&str> = state.checks.iter().map(|c| c.code()).collect();
        fold(out, &format!("{bar}   checks "), &format!("{bar}          "), &checks.join(", "));
    }
    for lever in &state.levers {
        let flags = if lever.flags.is_empty() { String::new() } else { format!(" [{}]", lever.flags.join(" ")) };
        let ours = if lever.ours { "+ " } else { "" };
        fold(
            out,
            &format!("{bar}   lever  "),
            &format!("{bar}          "),
            &format!("{ours}{}: {}{flags}", lever.action, lever.text),
        );
    }
    for (i, step) in state.steps.iter().enumerate() {
        fold(out, &format!("{bar}   {:>2}. ", i + 1), &format!("{bar}       "), step);
    }
    let edges: Vec<&Edge> = runbook.edges_from(&state.name).collect();
    let returns =
        state.returns.iter().map(|to| (to.clone(), "come back from the other runbook".to_owned(), true, false));
    let ways: Vec<(String, String, bool, bool)> =
        edges.iter().map(|e| (target(e), condition(e), e.ours, e.is_guarded())).chain(returns).collect();
    for (i, (to, when, ours, guarded)) in ways.iter().enumerate() {
        let branch = match (i + 1 == ways.len(), ascii) {
            (true, true) => "`-",
            (true, false) => "└─",
            (false, true) => "|-",
            (false, false) => "├─",
        };
        let marks = match (ours, guarded) {
            (true, true) => "+*",
            (true, false) => "+ ",
            (false, true) => " *",
            (false, false) => "  ",
        };
        let stem = match (i + 1 == ways.len(), ascii) {
            (true, _) => ' ',
            (false, true) => '|',
            (false, false) => '│',
        };
        let first = format!("{branch}{marks}{} {to:<22} ", arrow(ascii));
        let rest = format!("{stem:<width$}", width = first.chars().count());
        fold(out, &first, &rest, when);
    }
    out.push('\n');
}

fn target(edge: &Edge) -> String {
    edge.divert.as_ref().map_or_else(|| edge.to.clone(), |d| format!("{} ({d})", edge.to))
}

/// When it is taken, and by what it is recommended.
fn condition(edge: &Edge) -> String {
    let mut by: Vec<String> = edge.guard.into_iter().map(|g| g.code().to_owned()).collect();
    by.extend(edge.pass.iter().map(|c| format!("{} passes", c.code())));
    by.extend(edge.unless_fail.iter().map(|c| format!("{} does not fail", c.code())));
    let from = edge.from_file.as_ref().map_or(String::new(), |f| format!(" (from {f})"));
    if by.is_empty() { format!("{}{from}", edge.when) } else { format!("{} [{}]{from}", edge.when, by.join(", ")) }
}

/// Words folded at a hundred columns, the first line after `first`, the others after `rest`.
fn fold(out: &mut String, first: &str, rest: &str, text: &str) {
    const WIDTH: usize = 100;
    let mut line = first.to_owned();
    let mut filled = false;
    for word in text.split(' ') {
        if filled && line.chars().count() + 1 + word.chars().count() > WIDTH {
            out.push_str(line.trim_end());
            out.push('\n');
            rest.clone_into(&mut line);
            filled = false;
        }
        if filled {
            line.push(' ');
        }
        line.push_str(word);
        filled = true;
    }
    out.push_str(line.trim_end());
    out.push('\n');
}
