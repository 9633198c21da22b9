//! What was done and is not over: the line of the action until its verdict, what is to be taken back, and an incident that is on record. These lines come before the trend and the list of changes.

use super::words::{age, clock};
use super::{Ctx, Slot, frame, levers};
use crate::action::{Outcome, Progress, Stage};
use crate::app::{Acting, Command, Earlier, Mode, Recording, Worked};
use crate::domain::{Helps, RowStatus};
use crate::ui::pen::Line;

/// Columns of the labels, as those of the verdict.
const LABEL: usize = 9;

/// An answer that takes longer is late (s).
const LATE_S: f64 = 10.0;

/// Cells of the bar of progress.
const BAR: usize = 8;

/// An unfinished incident that was found on record, or who has this one.
pub(super) fn banner(ctx: Ctx<'_>, width: usize) -> Vec<Line> {
    let (app, pen) = (ctx.app, ctx.pen);
    let key = |command| frame::key(ctx, Mode::Main, command);
    let text = if let Some(earlier) = app.earlier() {
        let stood = stood(ctx, earlier);
        match &earlier.held_by {
            Some(by) => format!(
                "{by} has this incident open{stood}: {} looks on, {} takes it over, {} begins anew",
                key(Command::Resume),
                key(Command::TakeOver),
                key(Command::BeginAnew)
            ),
            None => format!(
                "An incident of this workload is on record{stood}: {} resumes, {} begins anew",
                key(Command::Resume),
                key(Command::BeginAnew)
            ),
        }
    } else if let Recording::ReadingAlong { by } = app.recording() {
        format!("{by} has this incident, and this war room looks on: {} takes it over", key(Command::TakeOver))
    } else {
        return Vec::new();
    };
    let rows = pen.fold(&text, width.saturating_sub(2), 2);
    let mut lines: Vec<Line> = rows.iter().map(|text| pen.line(Slot::Text, " ").put(pen, Slot::Notice, text)).collect();
    if let Some(change) = app.earlier().and_then(|e| e.change.as_ref()) {
        let ago = age(app.now().since(change.at));
        let known = match &change.outcome {
            Some(_) => "whether it helped is not on record",
            None => "whether it was done is not on record",
        };
        let text = format!("{}, {ago} ago: {known}", change.plan.action);
        lines.extend(labelled(ctx, "ACTION", Slot::VerdictUnknown, &text, width, 1));
    }
    lines
}

/// Where it was left, when and by whom.
fn stood(ctx: Ctx<'_>, earlier: &Earlier) -> String {
    let state = earlier.run.as_ref().map_or(String::new(), |run| format!(" at {}", super::words::code(&run.state)));
    let ago = age(ctx.app.now().since(earlier.last));
    match &earlier.held_by {
        Some(_) => format!("{state}, last written {ago} ago"),
        None => format!(", left{state} {ago} ago by {}", earlier.by),
    }
}

/// The lines of what was done, and why no lever works where that is so.
pub(super) fn lines(ctx: Ctx<'_>, width: usize) -> Vec<Line> {
    let (app, pen) = (ctx.app, ctx.pen);
    let mut lines = Vec::new();
    if let Some(acting) = app.acting() {
        lines.extend(action(ctx, acting, width));
    }
    match app.owed() {
        [] => {}
        [first, rest @ ..] => {
            let more = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
            let ago = age(app.now().since(first.at));
            let key = frame::key(ctx, Mode::Main, Command::Levers);
            let text = format!("{}, {ago} ago{more}: {key} takes it back", first.what);
            lines.extend(labelled(ctx, "STAYS", Slot::Notice, &text, width, 1));
        }
    }
    // An action that waits for its answer says so itself, and so does the banner.
    let told = app.acting().is_some_and(|a| a.outcome.is_none())
        || app.earlier().is_some()
        || matches!(app.recording(), Recording::ReadingAlong { .. });
    if let Some(why) = app.levers_off().filter(|_| !told) {
        let keys = [Command::Undo, Command::Scale].map(|c| frame::key(ctx, Mode::Main, c));
        let text = format!("{} {} off: {why}", keys[0], keys[1]);
        lines.push(pen.line(Slot::TextMuted, &format!(" {text}")).cut(pen, width));
    }
    lines
}

/// Whether nothing was done that is told here, so that there is room to say what could be.
pub(super) fn idle(ctx: Ctx<'_>) -> bool {
    ctx.app.acting().is_none()
}

fn labelled(ctx: Ctx<'_>, label: &str, slot: Slot, text: &str, width: usize, most: usize) -> Vec<Line> {
    let pen = ctx.pen;
    let rows = pen.fold(text, width.saturating_sub(LABEL + 1), most);
    rows.iter()
        .enumerate()
        .map(|(i, text)| {
            let line = pen.line(Slot::Text, " ").put(pen, slot, if i == 0 { label } else { "" });
            line.to(pen, LABEL).put(pen, Slot::Text, text)
        })
        .collect()
}

/// What was sent and answered; then how far it is, what it waits for, and what came of it.
fn action(ctx: Ctx<'_>, acting: &Acting, width: usize) -> Vec<Line> {
    let (app, pen) = (ctx.app, ctx.pen);
    let ago = age(app.now().since(acting.sent));
    let what = format!("{}, sent {ago} ago: ", acting.plan.action);
    let Some(outcome) = &acting.outcome else {
        // An answer takes a second or two: what takes longer may be lost.
        let late = app.now().since(acting.sent) >= LATE_S;
        let known = if late { "; whether it was done is not known" } else { "" };
        return labelled(ctx, "ACTION", Slot::Notice, &format!("{what}no answer yet{known}"), width, 2);
    };
    if !acting.is_followed() {
        return labelled(ctx, "ACTION", Slot::VerdictWarning, &format!("{what}{outcome}"), width, 2);
    }
    let mut lines = match outcome {
        // What becomes of it is told below.
        Outcome::Applied(_) => labelled(ctx, "ACTION", Slot::Notice, &format!("{what}accepted"), width, 1),
        _ => labelled(ctx, "ACTION", Slot::VerdictUnknown, &format!("{what}{outcome}"), width, 3),
    };
    let line = Line::default().to(pen, LABEL);
    if let (None, None, Some(progress)) = (acting.worked, acting.done, &acting.progress) {
        lines.extend(under_way(ctx, progress, width));
        return lines;
    }
    let second = match (acting.worked, acting.done) {
        (Some((at, worked)), _) => {
            let (shape, slot) = verdict(ctx, worked);
            let since = format!(" since {}Z ({}): ", clock(at), age(app.now().since(at)));
            let word = format!("{shape} {}", worked.words().to_uppercase());
            line.put(pen, slot, &word).put(pen, Slot::Text, &since).put(pen, Slot::Text, says(worked))
        }
        (None, Some(done)) => {
            let text = format!("done {} ago; ", age(app.now().since(done)));
            let left = acting.told_by().map_or(0.0, |by| by.since(app.now()));
            let text = if left > 0.0 {
                format!("{text}waits for the SLI to say whether it helped: {} left", age(left))
            } else {
                format!("{text}the SLI cannot say yet whether it helped")
            };
            line.put(pen, Slot::Text, &text)
        }
        (None, None) if lines.len() > 1 => return lines,
        (None, None) => line.put(pen, Slot::TextMuted, "what the cluster makes of it was not read yet"),
    };
    lines.push(second.cut(pen, width));
    lines
}

/// How far the cluster is, in a picture and a sentence of at most two rows, the second one below the picture.
fn under_way(ctx: Ctx<'_>, progress: &Progress, width: usize) -> Vec<Line> {
    let pen = ctx.pen;
    let first = Line::default().to(pen, LABEL).then(bar(ctx, progress));
    let folded = pen.fold(&progress.sentence, width.saturating_sub(first.width() + 1), usize::MAX);
    let Some((begins, rest)) = folded.split_first() else { return vec![first] };
    let mut lines = vec![first.put(pen, Slot::Text, begins)];
    if !rest.is_empty() {
        let rest = pen.fit(&rest.join(" "), width.saturating_sub(LABEL + 1));
        lines.push(Line::default().to(pen, LABEL).put(pen, Slot::Text, &rest));
    }
    lines
}

/// The share of replicas that are as they should be.
fn bar(ctx: Ctx<'_>, progress: &Progress) -> Line {
    let pen = ctx.pen;
    let slot = match progress.stage {
        Stage::Stuck | Stage::Superseded | Stage::Gone => Slot::VerdictWarning,
        Stage::Waiting | Stage::Underway | Stage::Done => Slot::Bar,
    };
    if progress.of == 0 {
        let stuck = slot == Slot::VerdictWarning;
        let mark = if stuck { format!("{} ", pen.shape(RowStatus::Warning)) } else { String::new() };
        return pen.line(slot, &mark);
    }
    let full = (BAR * progress.ready as usize / progress.of.max(1) as usize).min(BAR);
    let line = pen.line(slot, &pen.either("█", "#").repeat(full));
    let line = line.put(pen, Slot::BarBaseline, &pen.either("░", ".").repeat(BAR - full));
    line.put(pen, Slot::TextStrong, &format!(" {}/{} ", progress.ready, progress.of))
}

fn verdict(ctx: Ctx<'_>, worked: Worked) -> (&'static str, Slot) {
    match worked {
        Worked::Fixed => (ctx.pen.shape(RowStatus::Ok), Slot::VerdictHealthy),
        Worked::NotFixed => (ctx.pen.shape(RowStatus::Breach), Slot::VerdictBreach),
        Worked::NotEnoughTraffic => (ctx.pen.shape(RowStatus::Unknown), Slot::VerdictUnknown),
    }
}

const fn says(worked: Worked) -> &'static str {
    match worked {
        Worked::Fixed => "the objective holds again",
        Worked::NotFixed => "the objective is still broken",
        Worked::NotEnoughTraffic => "too few requests came to tell",
    }
}

/// What helps, with the keys of the levers that have one, and what does not; nothing where the diagnosis knows no lever.
pub(super) fn helps(ctx: Ctx<'_>, width: usize) -> Option<Line> {
    let d = ctx.d().filter(|d| !d.levers.is_empty())?;
    let pen = ctx.pen;
    let off = ctx.app.levers_off().is_some();
    let mut line = pen.line(Slot::Text, " ").put(pen, Slot::Heading, "HELPS").to(pen, LABEL);
    let mut any = false;
    for (wanted, label, slot) in [
        (Helps::Yes, "", Slot::LeverYes),
        (Helps::No, "not: ", Slot::LeverNo),
        (Helps::Unknown, "unsure: ", Slot::TextMuted),
    ] {
        let mut first = true;
        let mut levers_so: Vec<_> = d.levers.iter().filter(|l| l.helps == wanted).collect();
        // Those that are one key away stand first.
        levers_so.sort_by_key(|l| levers::key(ctx, l.action).is_none());
        for lever in levers_so {
            let between = match (first, any) {
                (true, false) => String::new(),
                (true, true) => format!("; {label}"),
                (false, _) => ", ".to_owned(),
            };
            line = line.put(pen, Slot::TextMuted, &between);
            if let Some(key) = levers::key(ctx, lever.action).filter(|_| !off) {
                line = line.put(pen, Slot::Key, &format!("{key} "));
            }
            line = line.put(pen, slot, &super::words::code(lever.action.code()));
            (first, any) = (false, true);
        }
        if wanted == Helps::Yes && first {
            line = line.put(pen, Slot::TextMuted, "nothing that is known");
            any = true;
        }
    }
    Some(line.cut(pen, width))
}
