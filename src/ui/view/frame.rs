//! What stands around every view: the header, and the lines for notices and keys.

use super::Ctx;
use ratatui::style::Modifier;

use super::words::{age, clock, code, length, minute};
use crate::app::{Asking, Command, Mode, Prompt, Recording, View};
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
        let down = d.sources.iter().filter(|s| s.is_missing()).count();
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
    let badge = badges(ctx, width);
    let room = width.saturating_sub(right.width() + badge.width() + 3);
    let left = pen.line(Slot::Header, " ").put(pen, Slot::HeaderBadge, &middle(&pen.say(&whereabouts(ctx)), room));
    let line = left.then(badge);
    let blanks = width.saturating_sub(line.width() + right.width());
    vec![line.put(pen, Slot::Header, &" ".repeat(blanks)).then(right)]
}

/// Who decides, and whether it is recorded.
fn badges(ctx: Ctx<'_>, width: usize) -> Line {
    let (app, pen) = (ctx.app, ctx.pen);
    let mut line = Line::default();
    let mut say = |text: &str| line = std::mem::take(&mut line).put(pen, Slot::HeaderBadge, &format!("  {text}"));
    match app.recording() {
        Recording::Replay => say("REPLAY"),
        Recording::ReadingAlong { by } if width >= 100 => say(&format!("OBSERVER, {by} decides")),
        Recording::ReadingAlong { .. } => say(if width >= 74 { "OBSERVER" } else { "OBS" }),
        Recording::Writing { .. } => say("REC"),
        Recording::None | Recording::Failing { .. } => {}
    }
    if app.guard().read_only {
        say(if width >= 74 { "READ-ONLY" } else { "RO" });
    }
    if let Recording::Failing { why } = app.recording() {
        let text = match width {
            100.. => format!(" not recorded: {} ", pen.fit(why, width / 3)),
            _ => " NOT RECORDED ".to_owned(),
        };
        let style = pen.style(Slot::VerdictWarning).add_modifier(Modifier::REVERSED);
        line = line.put(pen, Slot::Header, "  ").styled(pen, style, &text);
    }
    line
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
        lines.push(typing(ctx, prompt, width));
    } else if let Some(notice) = app.notices().last() {
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

/// What is asked for, and what was typed so far: its end, where it is long.
fn typing(ctx: Ctx<'_>, prompt: &Prompt, width: usize) -> Line {
    let (app, pen) = (ctx.app, ctx.pen);
    let what = match &prompt.asks {
        Asking::Find if app.view().filters() => "filter".to_owned(),
        Asking::Find => "find".to_owned(),
        Asking::Reason { edge } => match app.advice().and_then(|a| a.recommended.as_ref()) {
            Some(to) => format!("why {}, and not {}", code(edge), code(to)),
            None => format!("why {}", code(edge)),
        },
        Asking::Name => match app.card().and_then(crate::app::Card::name) {
            Some(name) => format!("type '{name}' to do it"),
            None => "type the object's name to do it".to_owned(),
        },
        Asking::Note => "note, for the record".to_owned(),
    };
    let label = pen.fit(&what, (width * 2 / 3).saturating_sub(4));
    let line = pen.line(Slot::Key, &format!(" {label}: "));
    let mut typed = pen.say(&prompt.text);
    let room = width.saturating_sub(line.width() + 1);
    while unicode_width::UnicodeWidthStr::width(typed.as_str()) > room {
        typed.remove(0);
    }
    line.put(pen, Slot::Text, &typed).put(pen, Slot::Selection, " ")
}

/// The key of a command, as it is written.
pub(super) fn key(ctx: Ctx<'_>, mode: Mode, command: Command) -> String {
    match ctx.keymap.chords(mode, command).first() {
        Some(chord) if chord.key == Key::Space => "space".to_owned(),
        Some(chord) => match chord.to_string().as_str() {
            "enter" => "Enter".to_owned(),
            other => other.to_owned(),
        },
        None => "no key".to_owned(),
    }
}

/// What works now, in this order, as far as there is room; help and the way out always.
fn keys(ctx: Ctx<'_>, width: usize) -> Line {
    use Command as C;
    let pen = ctx.pen;
    let app = ctx.app;
    let wanted: &[C] = match app.mode() {
        Mode::Prompt => &[C::Accept, C::Back, C::EraseAll],
        Mode::Main => &[
            C::Resume,
            C::TakeOver,
            C::BeginAnew,
            C::Go,
            C::Again,
            C::Undo,
            C::Scale,
            C::Levers,
            C::Ways,
            C::Evidence,
            C::Replicas,
            C::Gpus,
            C::Logs,
            C::Timeline,
            C::Runbook,
            C::Revisions,
            C::Sources,
            C::StepBack,
            C::Note,
            C::Find,
            C::Choose,
            C::Hold,
            C::Present,
        ],
        Mode::Logs => &[C::Follow, C::Find, C::FindNext, C::FindPrevious, C::Left, C::Right, C::Top],
        Mode::Card => &[C::Confirm, C::Open, C::Down, C::Up, C::More, C::Fewer, C::PageDown],
        Mode::List if app.view() == View::Chooser => &[C::Open, C::Find, C::AllNamespaces, C::Hold],
        Mode::List if app.view() == View::Help => &[C::Find, C::Down, C::Up],
        Mode::List if app.view() == View::Runbook => {
            &[C::Open, C::StepBack, C::Again, C::Levers, C::Note, C::Find, C::NextView, C::Hold]
        }
        Mode::List if app.view() == View::Revisions => {
            &[C::Open, C::Undo, C::Find, C::FindNext, C::FindPrevious, C::NextView, C::Hold]
        }
        Mode::List => &[C::Open, C::Find, C::FindNext, C::FindPrevious, C::Logs, C::NextView, C::Hold],
    };
    let last: &[C] = match app.mode() {
        Mode::Prompt => &[],
        Mode::Main => &[C::Help, C::Quit],
        _ => &[C::Help, C::Back],
    };
    let one = |command: C| {
        let chord = *ctx.keymap.chords(app.mode(), command).first()?;
        app.works(command).ok()?;
        let key = if chord.key == Key::Space { "space".to_owned() } else { chord.to_string() };
        let title = title(ctx, command)?;
        Some(pen.line(Slot::Text, " ").put(pen, Slot::Key, &key).put(pen, Slot::TextMuted, &format!(" {title} ")))
    };
    let tail = last.iter().filter_map(|c| one(*c)).fold(Line::default(), Line::then);
    let mut line = Line::default();
    for command in wanted {
        let Some(more) = one(*command) else { continue };
        if line.width() + more.width() + tail.width() <= width {
            line = line.then(more);
        }
    }
    line.then(tail)
}

/// What a key is called where it is pressed now; nothing where it would only say why not.
fn title(ctx: Ctx<'_>, command: Command) -> Option<String> {
    use Command as C;
    let app = ctx.app;
    let two = app.card().is_some_and(|card| card.alternatives().len() > 1);
    let typed = app.prompt().map(|p| &p.asks);
    Some(match (command, app.view()) {
        (C::Go, _) => code(app.advice()?.recommended.as_deref()?),
        (C::Accept, _) if typed == Some(&Asking::Name) => "do it".to_owned(),
        (C::Back, _) if typed.is_some() => "leave it".to_owned(),
        (C::Up | C::Down, View::Card) if two => if command == C::Up { "before" } else { "next" }.to_owned(),
        (C::Up | C::Down, View::Card) => return None,
        (C::PageDown, View::Card) if app.items().len() < 2 => return None,
        (C::PageDown, View::Card) => "rest".to_owned(),
        (C::Open, View::Card) => "open".to_owned(),
        (C::More | C::Fewer, View::Card) if matches!(app.card()?.action, crate::action::Action::RolloutUndo { .. }) => {
            if command == C::More { "later" } else { "earlier" }.to_owned()
        }
        (C::Open, View::Runbook) => {
            let items = app.items();
            let selected = items.get(app.cursor().index)?;
            selected.key.strip_prefix("to ").map(|to| format!("take {}", code(to)))?
        }
        (C::Open, View::Levers) => "card".to_owned(),
        (C::Open | C::Accept, View::Chooser) => "watch".to_owned(),
        (C::AllNamespaces, _) if app.chooser().is_some_and(|c| c.everywhere) => "one namespace".to_owned(),
        (C::AllNamespaces, _) => "all namespaces".to_owned(),
        (C::Back, View::Chooser) if app.target().is_none() => "quit".to_owned(),
        (C::Open, _) => "log".to_owned(),
        (C::Find, view) if view.filters() => "filter".to_owned(),
        (C::Find, View::Main) => "find pod".to_owned(),
        (C::Hold, _) if app.held().is_some() => "go on".to_owned(),
        (C::Follow, _) if app.logs().is_some_and(|l| l.following) => "stop following".to_owned(),
        (C::Left, _) => "pod before".to_owned(),
        (C::Right, _) => "pod after".to_owned(),
        _ => command.title().to_owned(),
    })
}

/// How long nothing has answered.
pub(super) fn waited(ctx: Ctx<'_>) -> Option<String> {
    ctx.app.started().map(|at| length(ctx.app.now().since(at).max(0.0).floor()))
}
