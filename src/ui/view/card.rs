//! The card of a change: whether it helps, what is changed where, what the dry run said, what it costs and how it is
//! taken back. All that has to be known before confirming stands above the fold; what was cut short for it stands below
//! in full, and then the template, line by line.

use super::words::age;
use super::{Ctx, Slot, frame, list};
use crate::action::card::{self as words, Part, Tone};
use crate::action::guard::Denial;
use crate::action::{Line as DiffLine, Permission, Plan, Sign};
use crate::app::{Card, Command, Mode, Stage};
use crate::domain::{Helps, RowStatus};
use crate::ui::pen::{Line, Pen};

/// Columns of the labels, and where the text begins.
const LABEL: usize = 9;
const TEXT: usize = 11;

/// What stands below what decides: it can wait.
const LATER: [&str; 1] = ["KUBECTL"];

/// The whole view.
pub(super) fn view(ctx: Ctx<'_>, width: usize, height: usize) -> Vec<Line> {
    let Some(card) = ctx.app.card() else {
        return list::empty(ctx, "Change", "No change is planned: every lever has a card of its own.", width);
    };
    let foot = foot(ctx, card, width);
    let mut lines = head(ctx, card, width);
    lines.truncate(height.saturating_sub(foot.len()));
    let room = height.saturating_sub(lines.len() + foot.len());
    let body = body(ctx, card, width, room);
    let start = ctx.app.cursor().index.min(body.len().saturating_sub(room));
    let below = body.len().saturating_sub(start + room);
    lines.extend(body.into_iter().skip(start).take(room));
    if below > 0 && room > 2 {
        // The last line says how much is below.
        lines.pop();
        let key = frame::key(ctx, Mode::Card, Command::PageDown);
        let arrow = ctx.pen.either("↓", "v");
        lines.push(ctx.pen.line(Slot::TextMuted, &format!("   {arrow} {} more lines: {key}", below + 1)));
    }
    // The confirming line keeps its place at the bottom.
    lines.resize(height.saturating_sub(foot.len()), Line::default());
    lines.extend(foot);
    lines.truncate(height);
    lines
}

/// One answer under its question, in at most so many rows.
fn paragraph(pen: Pen<'_>, part: &Part, width: usize, most: usize) -> Vec<Line> {
    let (shape, slot) = tone(pen, part.tone);
    let text = slot_of_text(part.tone);
    let rows = pen.fold(&joined(&part.lines), width.saturating_sub(TEXT + 1), most);
    let row = |(i, said): (usize, &String)| {
        let line = pen.line(Slot::Text, " ").put(pen, Slot::Heading, if i == 0 { part.label } else { "" });
        let line = line.to(pen, LABEL).put(pen, slot, if i == 0 { shape } else { "" });
        line.to(pen, TEXT).put(pen, text, said)
    };
    rows.iter().enumerate().map(row).collect()
}

/// Sentences after each other; what is no sentence is set off.
fn joined(lines: &[String]) -> String {
    let mut text = String::new();
    for line in lines {
        if !text.is_empty() {
            text.push_str(if text.ends_with(['.', ':']) { " " } else { "; " });
        }
        text.push_str(line);
    }
    text
}

fn tone(pen: Pen<'_>, tone: Tone) -> (&'static str, Slot) {
    match tone {
        Tone::Plain => ("", Slot::Text),
        Tone::Good => (pen.shape(RowStatus::Ok), Slot::VerdictHealthy),
        Tone::Bad => (pen.shape(RowStatus::Breach), Slot::VerdictBreach),
        Tone::Unknown => (pen.shape(RowStatus::Unknown), Slot::VerdictUnknown),
    }
}

const fn slot_of_text(tone: Tone) -> Slot {
    match tone {
        Tone::Bad => Slot::VerdictWarning,
        _ => Slot::Text,
    }
}

/// What is seen before anything else: what it is, whether it helps, whether it cannot be done, and what to mind.
fn head(ctx: Ctx<'_>, card: &Card, width: usize) -> Vec<Line> {
    let pen = ctx.pen;
    let title = card.plan().map_or_else(|| capital(&card.action.to_string()), |plan| plan.title.clone());
    let mut lines = vec![ctx.rule(&title, width)];
    let mut say = |label: &str, shape: &str, slot: Slot, text: &str, most: usize| {
        let rows = pen.fold(text, width.saturating_sub(TEXT + 1), most);
        for (i, said) in rows.iter().enumerate() {
            let line = pen.line(Slot::Text, " ").put(pen, Slot::Heading, if i == 0 { label } else { "" });
            let line = line.to(pen, LABEL).put(pen, slot, if i == 0 { shape } else { "" });
            lines.push(line.to(pen, TEXT).put(pen, slot, said));
        }
    };
    let stopped = match &card.stage {
        Stage::Refused(refusal) => Some(("REFUSED", refusal.to_string())),
        Stage::Denied(_, denial) => Some(("DENIED", denial.to_string())),
        Stage::Trying(_) | Stage::Ready(_) => None,
    };
    if let Some((label, why)) = stopped {
        say(label, pen.shape(RowStatus::Breach), Slot::VerdictBreach, &capital(&why), 6);
    }
    match &card.helps {
        Some((Helps::Yes, why)) => {
            say("HELPS", pen.shape(RowStatus::Ok), Slot::LeverYes, &format!("yes: {why}"), 2);
        }
        Some((Helps::No, why)) => {
            say("HELPS", pen.shape(RowStatus::Breach), Slot::VerdictBreach, &format!("NO: {why}"), 3);
        }
        Some((Helps::Unknown, why)) => say("HELPS", "?", Slot::VerdictUnknown, &format!("not known: {why}"), 2),
        None => say("HELPS", "?", Slot::VerdictUnknown, "not known: the diagnosis says nothing of it", 1),
    }
    if let Some(caution) = &card.caution {
        let text = format!("one variable at a time: {caution}");
        say("CAUTION", pen.shape(RowStatus::Warning), Slot::VerdictWarning, &text, 2);
    }
    lines
}

/// The answers, as the stage has them.
fn parts(ctx: Ctx<'_>, card: &Card, plan: &Plan) -> Vec<Part> {
    let mut parts = words::card(plan, card.tried());
    let unknown = |label: &'static str, text: String| Part { label, lines: vec![text], tone: Tone::Unknown };
    match &card.stage {
        Stage::Trying(_) => {
            let ago = age(ctx.app.now().since(card.opened));
            words::put(&mut parts, unknown("DRYRUN", format!("Asked for {ago} ago, not answered yet.")));
            let needed: Vec<String> = plan.access.iter().map(|a| format!("'{a}'")).collect();
            let asked = format!("It needs {}; whether you have it is being asked.", needed.join(" and "));
            words::put(&mut parts, unknown("ALLOWED", asked));
        }
        Stage::Denied(_, Denial::DryRun { outcome }) => words::put(&mut parts, words::failed(outcome)),
        Stage::Denied(_, Denial::NotAllowed { what }) => {
            words::put(&mut parts, words::allowed(&Permission::Denied(what.clone()), &plan.access));
        }
        Stage::Denied(_, Denial::Expired { .. } | Denial::Moved { .. } | Denial::OtherBytes) => {
            words::put(
                &mut parts,
                unknown("DRYRUN", "It was tried, and that answer does not hold any more.".to_owned()),
            );
        }
        Stage::Refused(_) | Stage::Denied(..) | Stage::Ready(_) => {}
    }
    // What can be done first is listed by itself.
    parts.retain(|p| p.label != "MIND");
    parts.extend(Part::new("MIND", Tone::Plain, plan.warnings.clone()));
    parts.sort_by_key(|p| LATER.iter().position(|l| *l == p.label).map_or(0, |i| i + 1));
    parts
}

fn body(ctx: Ctx<'_>, card: &Card, width: usize, room: usize) -> Vec<Line> {
    let Some(plan) = card.plan() else { return instead(ctx, card, width) };
    let parts = parts(ctx, card, plan);
    let (first, later): (Vec<&Part>, Vec<&Part>) = parts.iter().partition(|p| !LATER.contains(&p.label));
    let instead = instead(ctx, card, width);
    let whole: Vec<Vec<Line>> = first.iter().map(|part| paragraph(ctx.pen, part, width, usize::MAX)).collect();
    // One row goes to saying that there is more.
    let limits = share(&whole, &first, room.saturating_sub(instead.len() + 1));
    let rows: Vec<Vec<Line>> =
        first.iter().zip(&limits).map(|(part, most)| paragraph(ctx.pen, part, width, *most)).collect();
    let cut = whole.iter().zip(&rows).filter(|(whole, shown)| whole.len() > shown.len());
    let cut: Vec<Line> = cut.flat_map(|(whole, _)| whole.clone()).collect();
    let mut lines: Vec<Line> = rows.into_iter().flatten().collect();
    lines.extend(instead);
    lines.extend(later.iter().flat_map(|part| paragraph(ctx.pen, part, width, usize::MAX)));
    if !cut.is_empty() {
        lines.push(ctx.rule("In full", width));
        lines.extend(cut);
    }
    lines.extend(template(ctx, plan, width));
    lines
}

/// How many rows each answer gets: one at least, and more in turn as far as there is room, what is bad first.
fn share(whole: &[Vec<Line>], parts: &[&Part], room: usize) -> Vec<usize> {
    let mut limits = vec![1; whole.len()];
    let mut order: Vec<usize> = (0..whole.len()).collect();
    order.sort_by_key(|i| parts[*i].tone != Tone::Bad);
    let mut used = whole.len();
    loop {
        let before = used;
        for i in &order {
            if used < room && limits[*i] < whole[*i].len() {
                limits[*i] += 1;
                used += 1;
            }
        }
        if used == before {
            return limits;
        }
    }
}

/// What can be done instead, or first; the selected one is marked.
fn instead(ctx: Ctx<'_>, card: &Card, width: usize) -> Vec<Line> {
    let pen = ctx.pen;
    let label = if card.plan().is_some() { "FIRST" } else { "INSTEAD" };
    let row = |(i, action): (usize, &crate::action::Action)| {
        let chosen = i == card.chosen;
        let line = pen.line(Slot::Text, " ").put(pen, Slot::Heading, if i == 0 { label } else { "" }).to(pen, LABEL);
        let mark = if chosen { pen.either("▶", ">") } else { "" };
        let line = line.put(pen, Slot::Key, mark).to(pen, TEXT);
        if !chosen {
            return line.put(pen, Slot::Text, &action.to_string()).cut(pen, width);
        }
        let key = frame::key(ctx, Mode::Card, Command::Open);
        let line = line.put(pen, Slot::TextStrong, &action.to_string());
        line.put(pen, Slot::TextMuted, &format!("  {key} opens its card")).cut(pen, width)
    };
    card.alternatives().iter().enumerate().map(row).collect()
}

/// The template's lines that differ, each stretch with a line around it.
fn template(ctx: Ctx<'_>, plan: &Plan, width: usize) -> Vec<Line> {
    let pen = ctx.pen;
    let differs = |line: Option<&DiffLine>| line.is_some_and(|l| l.sign != Sign::Same);
    let count = plan.lines.iter().filter(|l| l.sign != Sign::Same).count();
    if count == 0 {
        return Vec::new();
    }
    let mut lines = vec![ctx.rule(&format!("Template: {count} lines differ, - now, + then"), width)];
    let mut skipped = false;
    for (i, line) in plan.lines.iter().enumerate() {
        let near = differs(plan.lines.get(i + 1)) || i.checked_sub(1).is_some_and(|i| differs(plan.lines.get(i)));
        if line.sign == Sign::Same && !near {
            skipped = true;
            continue;
        }
        if std::mem::take(&mut skipped) {
            lines.push(pen.line(Slot::TextMuted, &format!("   {}", pen.either("⋮", ":"))));
        }
        let slot = match line.sign {
            Sign::Same => Slot::TextMuted,
            Sign::Removed => Slot::VerdictBreach,
            Sign::Added => Slot::VerdictHealthy,
        };
        lines.push(pen.line(slot, &format!("   {line}")).cut(pen, width));
    }
    lines
}

/// What the key does now, exactly, and how far the card is.
fn foot(ctx: Ctx<'_>, card: &Card, width: usize) -> Vec<Line> {
    let (app, pen) = (ctx.app, ctx.pen);
    let key = frame::key(ctx, Mode::Card, Command::Confirm);
    let ago = |at| age(app.now().since(at));
    let off = |text: String| (Slot::TextMuted, text);
    let (slot, text) = match &card.stage {
        Stage::Refused(_) => off(format!("{key} off: there is nothing to confirm")),
        Stage::Denied(..) => off(format!("{key} off: nothing was changed; a fresh card plans it anew")),
        _ if app.levers_off().is_some() => off(format!("{key} off: {}", app.levers_off().unwrap_or_default())),
        Stage::Trying(_) => off(format!("{key} not yet: the dry run was asked for {} ago", ago(card.opened))),
        Stage::Ready(pending) => {
            let left = app.guard().expires_s - app.now().since(pending.tried());
            if left < 0.0 {
                let expires = age(app.guard().expires_s);
                off(format!("{key} off: tried {} ago, and that holds {expires}: plan it again", ago(pending.tried())))
            } else if !pending.plan().still_holds(app.snapshot()) {
                off(format!("{key} off: it is not what the card shows any more: plan it again"))
            } else if pending.since().is_none() {
                off(format!("{key} not yet: the card has only just come up"))
            } else {
                let mind = mind(ctx, card, pending.plan());
                let slot = if mind.is_empty() { Slot::Key } else { Slot::Notice };
                if card.needs_name() {
                    let enter = frame::key(ctx, Mode::Prompt, Command::Accept);
                    (slot, format!("{key}, then type '{}', {enter}: done, on record first{mind}", pending.name()))
                } else {
                    (slot, format!("{key}: do it, on record first{mind}"))
                }
            }
        }
    };
    let state = match &card.stage {
        Stage::Ready(pending) if slot != Slot::TextMuted => {
            let left = app.guard().expires_s - app.now().since(pending.tried());
            format!("tried {} ago, holds {} more ", ago(pending.tried()), age(left))
        }
        _ => String::new(),
    };
    let mut lines: Vec<Line> = pen
        .fold(&text, width.saturating_sub(2), 2)
        .iter()
        .map(|text| pen.line(Slot::Text, " ").put(pen, slot, text))
        .collect();
    let room = lines.len() == 1 && lines[0].width() + state.len() + 2 <= width;
    if let Some(line) = lines.pop_if(|_| room && !state.is_empty()) {
        lines.push(line.beside(pen, pen.line(Slot::TextMuted, &state), width));
    }
    lines.insert(0, ctx.pen.line(Slot::Rule, &pen.either("─", "-").repeat(width)));
    lines
}

/// What speaks against it, once more beside the key: nobody is to confirm it unseen.
fn mind(ctx: Ctx<'_>, card: &Card, plan: &Plan) -> String {
    let mut against = Vec::new();
    if card.helps.as_ref().is_some_and(|(helps, _)| *helps == Helps::No) {
        against.push("it does not help");
    }
    for part in parts(ctx, card, plan).iter().filter(|p| p.tone == Tone::Bad) {
        against.push(match part.label {
            "FITS" => "it does not fit",
            "OWNER" => "it is likely to be taken back",
            "TAKES" => "nothing serves meanwhile",
            "DRYRUN" => "a webhook changes it",
            _ => continue,
        });
    }
    if against.is_empty() { String::new() } else { format!(", though {}", against.join(" and ")) }
}

/// With a capital at the beginning.
fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
