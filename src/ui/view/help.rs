//! The keys, made from the keymap: it cannot say anything else than what they do.

use super::{Ctx, Slot, list};
use crate::app::{Command, Mode};
use crate::ui::pen::Line;

/// The view.
pub(super) fn view(ctx: Ctx<'_>, width: usize, height: usize) -> Vec<Line> {
    let pen = ctx.pen;
    let all: Vec<Command> = Command::in_groups().collect();
    let shown: Vec<Command> = ctx.app.items().iter().filter_map(|i| all.get(i.index).copied()).collect();
    let mut items: Vec<Vec<Line>> = Vec::new();
    let mut group = None;
    for command in shown {
        let lines = rows(ctx, command, width);
        if group != Some(command.group()) {
            group = Some(command.group());
            // The title stands above the first of its section and does not take the selection.
            if let Some(before) = items.last_mut() {
                before.push(ctx.rule(command.group().title(), width));
            }
        }
        items.push(lines);
    }
    let first = ctx.app.items().first().and_then(|i| all.get(i.index)).map_or("", |c| c.group().title());
    let own = super::chart::own(ctx);
    let head = vec![
        pen.line(Slot::TextMuted, " What changes the cluster opens a card first; only the card's own key does it."),
        pen.line(Slot::TextMuted, " Marks: ! onset R rollout S scale A autoscaler g GPU n node t traffic x restart"),
        pen.line(
            Slot::TextMuted,
            &format!("  p pod {own} done from here > runbook; ? not known, ~ part of the window seen"),
        ),
        ctx.rule(first, width),
    ];
    list::page(ctx, head, items, Vec::new(), width, height)
}

fn rows(ctx: Ctx<'_>, command: Command, width: usize) -> Vec<Line> {
    let pen = ctx.pen;
    // Where a key means it: on the main screen, in lists, in a log, while typing.
    let mut keys: Vec<String> = Vec::new();
    for mode in Mode::ALL {
        for chord in ctx.keymap.chords(*mode, command) {
            let name = chord.to_string();
            if !keys.contains(&name) {
                keys.push(name);
            }
        }
    }
    let keys = if keys.is_empty() { "no key".to_owned() } else { keys.join(" ") };
    let said = pen.fold(command.help(), width.saturating_sub(20), 2);
    said.iter()
        .enumerate()
        .map(|(i, text)| {
            let line = pen.line(Slot::Text, "  ").cell(pen, Slot::Key, if i == 0 { &keys } else { "" }, 16);
            line.put(pen, Slot::Text, " ").put(pen, Slot::Text, text)
        })
        .collect()
}
