//! What stands around every view: the header, and the lines for notices and keys.

use super::Ctx;
use super::words::{age, clock, length, minute};
use crate::app::{Asking, Command, View};
use crate::domain::SourceState;
use crate::ui::keymap::Key;
use crate::ui::pen::Line;
use crate::ui::theme::Slot;

/// The first line: where one is, and how old the oldest number is.
pub(super) fn header(ctx: Ctx<'_>, width: usize) -> Vec<Line> {
    let (app, pen) = (ctx.app, ctx.pen);
    let now = app.now();
    let mut right = Line::default();
    let say = |line: Line, slot: Slot, text: &str| line.put(pen, slot, text).put(pen, Slot::Header, "  ");
    if let Some(since) = app.held() {
        right = say(right, Slot::HeaderBadge, &format!("HELD {}", age(now.since(since))));
    }
    if app.presenting() && width >= 70 {
        right = say(right, Slot::HeaderBadge, "PRESENTING");
    }
    if let Some(d) = app.diagnosis().filter(|_| !app.connecting()) {
        let meant = d.sources.iter().filter(|s| s.state != SourceState::Absent);
        let down = meant.filter(|s| s.state != SourceState::Live).count();
        if down > 0 && width >= 100 {
            right = say(right, Slot::HeaderBadge, &format!("{down} of {} sources not read", d.sources.len()));
        }
    }
    right = match app.oldest_age() {
        Some(s) if s > app.stale_after_s() => say(right, Slot::HeaderBadge, &format!("stale {}", age(s))),
        Some(s) => {
            let what = if width >= 100 { "oldest data" } else { "oldest" };
            say(right, Slot::Header, &format!("{what} {}", age(calm(app.presenting(), s))))
        }
        None => say(right, Slot::Header, "no data yet"),
    };
    let time = if app.presenting() { format!("{}Z", minute(now)) } else { format!("{}Z", clock(now)) };
    right = right.put(pen, Slot::Header, &format!("{time} "));
    let badge = pen.line(Slot::HeaderBadge, if width >= 74 { "  READ-ONLY" } else { "  RO" });
    let room = width.saturating_sub(right.width() + badge.width() + 3);
    let left = pen.line(Slot::Header, " ").put(pen, Slot::HeaderBadge, &middle(&pen.say(&whereabouts(ctx)), room));
    let line = left.then(badge);
    let blanks = width.saturating_sub(line.width() + right.width());
    vec![line.put(pen, Slot::Header, &" ".repeat(blanks)).then(right)]
}

/// While others look, a number does not move each second.
fn calm(presenting: bool, s: f64) -> f64 {
    if presenting { (s / 5.0).ceil() * 5.0 } else { s }
}

/// Which workload of which cluster.
fn whereabouts(ctx: Ctx<'_>) -> String {
    if let Some(t) = ctx.app.target() {
        return format!("{}/{}/{}/{}", t.context, t.namespace, t.kind.short(), t.name);
    }
    match ctx.app.snapshot().endpoints.as_slice() {
        [] => "warroom".to_owned(),
        [one] => one.name.clone(),
        [first, rest @ ..] => format!("{} and {} more", first.name, rest.len()),
    }
}

/// The text with its middle left out where it is too wide: the cluster and the workload stand at its ends.
fn middle(text: &str, width: usize) -> String {
    let chars: Vec<char> = text.chars().collect();
    if chars.len() <= width {
        return text.to_owned();
    }
    if width < 5 {
        return chars.into_iter().take(width).collect();
    }
    let head = (width - 2) / 3;
    let tail = width - 2 - head;
    chars[..head].iter().chain(&['.', '.']).chain(&chars[chars.len() - tail..]).collect()
}

/// The last lines: a notice or what is being typed, and the keys.
pub(super) fn footer(ctx: Ctx<'_>, width: usize) -> Vec<Line> {
    let (app, pen) = (ctx.app, ctx.pen);
    let mut lines = Vec::new();
    if let Some(prompt) = app.prompt() {
        let what = match &prompt.asks {
            Asking::Find if app.view().filters() => "filter".to_owned(),
            Asking::Find => "find".to_owned(),
            Asking::Reason { edge } => format!("why {edge}"),
            Asking::Name => "type the object's name".to_owned(),
            Asking::Note => "note".to_owned(),
        };
        let line = pen.line(Slot::Key, &format!(" {what}: ")).put(pen, Slot::Text, &prompt.text);
        lines.push(line.put(pen, Slot::Selection, " "));
    } else if let Some(notice) = app.notices().first() {
        let more = app.notices().len() - 1;
        let more = if more > 0 { format!("  (and {more} more)") } else { String::new() };
        lines.push(pen.line(Slot::Notice, &format!(" {notice}{more}")).cut(pen, width));
    } else if let Some(command) = app.echo() {
        let key = ctx.keymap.chords(app.mode(), command).first().map_or(String::new(), ToString::to_string);
        lines.push(pen.line(Slot::TextMuted, &format!(" pressed {key}: {}", command.title())));
    }
    lines.push(keys(ctx, width));
    lines
}

/// What works now, in this order, as far as there is room; help and the way out always.
fn keys(ctx: Ctx<'_>, width: usize) -> Line {
    use Command as C;
    let pen = ctx.pen;
    let wanted: &[C] = match ctx.app.mode() {
        crate::app::Mode::Prompt => &[C::Accept, C::Back, C::EraseAll],
        crate::app::Mode::Main => &[
            C::Open,
            C::Evidence,
            C::Replicas,
            C::Revisions,
            C::Gpus,
            C::Logs,
            C::Timeline,
            C::Sources,
            C::Runbook,
            C::Find,
            C::Hold,
            C::Present,
        ],
        crate::app::Mode::Logs => &[C::Follow, C::Find, C::FindNext, C::FindPrevious, C::Left, C::Right, C::Top],
        crate::app::Mode::Card => &[C::Confirm, C::More, C::Fewer, C::Open, C::Down, C::Up],
        crate::app::Mode::List if ctx.app.view() == View::Help => &[C::Find, C::Down, C::Up],
        crate::app::Mode::List => &[C::Open, C::Find, C::FindNext, C::FindPrevious, C::Logs, C::NextView, C::Hold],
    };
    let last: &[C] = match ctx.app.mode() {
        crate::app::Mode::Prompt => &[],
        crate::app::Mode::Main => &[C::Help, C::Quit],
        _ => &[C::Help, C::Back],
    };
    let one = |command: C| {
        let chord = *ctx.keymap.chords(ctx.app.mode(), command).first()?;
        ctx.app.works(command).ok()?;
        let key = if chord.key == Key::Space { "space".to_owned() } else { chord.to_string() };
        let title = match (command, ctx.app.view()) {
            (C::Open, View::Main) => "runbook",
            (C::Open, _) => "log",
            (C::Find, view) if view.filters() => "filter",
            (C::Find, View::Main) => "find pod",
            (C::Hold, _) if ctx.app.held().is_some() => "go on",
            (C::Follow, _) if ctx.app.logs().is_some_and(|l| l.following) => "stop following",
            (C::Left, _) => "pod before",
            (C::Right, _) => "pod after",
            _ => command.title(),
        };
        Some(pen.line(Slot::Text, " ").put(pen, Slot::Key, &key).put(pen, Slot::TextMuted, &format!(" {title} ")))
    };
    let tail = last.iter().filter_map(|c| one(*c)).fold(Line::default(), Line::then);
    let mut line = Line::default();
    for command in wanted {
        // Enter says the same as its letter.
        if *command == C::Runbook && ctx.app.works(C::Open).is_ok() {
            continue;
        }
        let Some(more) = one(*command) else { continue };
        if line.width() + more.width() + tail.width() <= width {
            line = line.then(more);
        }
    }
    line.then(tail)
}

/// How long nothing has answered.
pub(super) fn waited(ctx: Ctx<'_>) -> Option<String> {
    ctx.app.started().map(|at| length(ctx.app.now().since(at).max(0.0).floor()))
}
