//! The levers: first what is to be taken back, then each lever with whether it helps against what was found, and why.

use super::words::{age, code};
use super::{Ctx, Slot, frame, list};
use crate::app::{Command, Mode, Owed};
use crate::domain::{Action, Helps, RowStatus};
use crate::runbook::LeverRow;
use crate::ui::pen::{Line, Pen};

/// Where the text begins.
const TEXT: usize = 14;

/// The shape, word and style of whether it helps.
pub(super) fn helps(pen: Pen<'_>, helps: Helps) -> (&'static str, &'static str, Slot) {
    match helps {
        Helps::Yes => (pen.shape(RowStatus::Ok), "helps", Slot::LeverYes),
        Helps::No => (pen.shape(RowStatus::Breach), "does not", Slot::VerdictBreach),
        Helps::Unknown => (pen.shape(RowStatus::Unknown), "not known", Slot::VerdictUnknown),
    }
}

/// The key of a lever that has one of its own.
pub(super) fn key(ctx: Ctx<'_>, action: Action) -> Option<String> {
    let command = match action {
        Action::RolloutUndo => Command::Undo,
        Action::Scale => Command::Scale,
        _ => return None,
    };
    ctx.keymap.chords(Mode::Main, command).first().map(ToString::to_string)
}

/// The whole view.
pub(super) fn view(ctx: Ctx<'_>, width: usize, height: usize) -> Vec<Line> {
    let (app, pen) = (ctx.app, ctx.pen);
    if ctx.d().is_none() {
        return list::empty(ctx, "Levers", "Nothing was judged yet.", width);
    }
    let rows = app.levers();
    let state = app.runbook().map_or_else(String::new, |book| {
        let state = app.run().map_or(book.start.as_str(), |run| run.state.as_str());
        format!(" in {} {}", book.id, code(state))
    });
    let mut head = vec![ctx.rule(&format!("Levers{state}: those that help first"), width)];
    if let Some(why) = app.levers_off() {
        for (i, text) in pen.fold(&why, width.saturating_sub(TEXT + 1), 2).iter().enumerate() {
            let line = pen.line(Slot::Text, " ").put(pen, Slot::Notice, if i == 0 { "ALL OFF" } else { "" });
            head.push(line.to(pen, TEXT).put(pen, Slot::Notice, text));
        }
    }
    let selected = app.cursor().index;
    let owed = app.owed();
    let items = |all: bool| -> Vec<Vec<Line>> {
        let reminders = owed.iter().map(|owed| reminder(ctx, owed, width));
        let whole = |i: usize| all || owed.len() + i == selected;
        reminders.chain(rows.iter().enumerate().map(|(i, row)| lever(ctx, row, width, whole(i)))).collect()
    };
    // In full where there is room for all of it, else the selected one alone.
    let mut shown = items(true);
    if head.len() + shown.iter().map(Vec::len).sum::<usize>() + 1 > height {
        shown = items(false);
    }
    let items = shown;
    if items.is_empty() {
        head.push(pen.line(Slot::TextMuted, "   The runbook names no lever here."));
    }
    let foot = vec![pen.line(
        Slot::TextMuted,
        &format!(
            "   {} opens a card; nothing is done before it is confirmed there.",
            frame::key(ctx, Mode::List, Command::Open)
        ),
    )];
    list::page(ctx, head, items, foot, width, height)
}

/// What stays until it is taken back.
fn reminder(ctx: Ctx<'_>, owed: &Owed, width: usize) -> Vec<Line> {
    let pen = ctx.pen;
    let ago = age(ctx.app.now().since(owed.at));
    let line =
        pen.line(Slot::Text, " ").put(pen, Slot::Notice, &format!("{} take back", pen.shape(RowStatus::Warning)));
    let line = line.to(pen, TEXT).put(pen, Slot::TextStrong, &owed.what).put(pen, Slot::Text, &format!(", {ago} ago"));
    let key = frame::key(ctx, Mode::List, Command::Open);
    let how = format!("stays until somebody takes it back; {key}: {}", owed.inverse);
    let how = pen.fold(&how, width.saturating_sub(TEXT + 1), 2);
    let how = how.iter().map(|text| Line::default().to(pen, TEXT).put(pen, Slot::TextMuted, text));
    [line.cut(pen, width)].into_iter().chain(how).collect()
}

/// One lever: whether it helps, and why; in full or a line each.
fn lever(ctx: Ctx<'_>, row: &LeverRow, width: usize, whole: bool) -> Vec<Line> {
    let pen = ctx.pen;
    let (shape, word, slot) = helps(pen, row.helps);
    let key = key(ctx, row.action).map_or(String::new(), |key| format!("  {key}"));
    let mut first = pen.line(Slot::Text, " ").put(pen, slot, &format!("{shape} {word}")).to(pen, TEXT);
    first = first.put(pen, Slot::TextStrong, &code(row.action.code())).put(pen, Slot::Key, &key);
    if row.lever.as_ref().is_some_and(|l| l.ours) {
        first = first.put(pen, Slot::TextMuted, "  (our addition)");
    }
    let mut lines = vec![first];
    let mut say = |text: &str, slot: Slot, most: usize| {
        let folded = pen.fold(text, width.saturating_sub(TEXT + 1), most);
        lines.extend(folded.iter().map(|text| Line::default().to(pen, TEXT).put(pen, slot, text)));
    };
    let most = if whole { 4 } else { 1 };
    say(&row.why, Slot::Text, most);
    if let Some(lever) = &row.lever {
        let flags = if lever.flags.is_empty() { String::new() } else { format!(" ({})", lever.flags.join(", ")) };
        let text = format!("{}{flags}", lever.text);
        if !text.is_empty() {
            say(&text, Slot::TextMuted, most);
        }
    }
    if let Err(why) = ctx.app.meant(row.action) {
        say(&why, Slot::TextMuted, most);
    }
    lines
}
