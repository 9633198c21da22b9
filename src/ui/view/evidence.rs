//! Every finding with what speaks for it and against it: value, threshold, unit, source, age, and the line that shows
//! the same by hand.

use super::words::{age, code, finding as name};
use super::{Ctx, Slot, list};
use crate::diagnosis::{Diagnosis, Evidence, Finding, number, seconds};
use crate::domain::{Helps, Severity};
use crate::ui::pen::{Line, Pen};

/// The style of a severity.
const fn slot(severity: Severity) -> Slot {
    match severity {
        Severity::Critical => Slot::VerdictBreach,
        Severity::Warning => Slot::VerdictWarning,
        Severity::Info => Slot::TextStrong,
    }
}

fn shape(pen: Pen<'_>, severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => pen.either("●", "*"),
        Severity::Warning => pen.either("▲", "!"),
        Severity::Info => pen.either("○", "o"),
    }
}

/// Its name, how bad, how sure, and whom it is about.
fn head(ctx: Ctx<'_>, f: &Finding) -> Line {
    let pen = ctx.pen;
    let mut about = Vec::new();
    about.extend(f.subject.replica.clone());
    about.extend(f.subject.node.clone());
    about.extend(f.subject.revision.map(|r| format!("rev {r}")));
    let about = if about.is_empty() { String::new() } else { format!(", about {}", about.join(", ")) };
    pen.line(Slot::Text, " ").put(pen, slot(f.severity), &format!("{} {}", shape(pen, f.severity), name(f.code))).put(
        pen,
        Slot::TextMuted,
        &format!("  {}, {} confidence{about}", f.severity, f.confidence),
    )
}

/// One fact: its claim; then the number against its threshold, from where, how old.
fn fact(ctx: Ctx<'_>, e: &Evidence, width: usize, with_line: bool) -> Vec<Line> {
    let pen = ctx.pen;
    let (sign, slot) = if e.supports { ("   + ", Slot::EvidenceFor) } else { ("   - ", Slot::EvidenceAgainst) };
    let mut lines: Vec<Line> = pen
        .fold(&e.claim, width.saturating_sub(7), 2)
        .iter()
        .enumerate()
        .map(|(i, text)| pen.line(slot, if i == 0 { sign } else { "     " }).put(pen, slot, text))
        .collect();
    let value = match (e.threshold, e.unit) {
        (Some(t), "s" | "ratio") => format!("{} {} {}", amount(e.value, e.unit), e.op.sign(), amount(t, e.unit)),
        (Some(t), unit) => format!("{} {} {}", number(e.value), e.op.sign(), amount(t, unit)),
        (None, unit) => amount(e.value, unit),
    };
    let old = age(ctx.app.now().since(e.at));
    let text = format!("{value}, {old} old  [{}]", e.source);
    lines.push(pen.line(Slot::TextMuted, "       ").put(pen, Slot::TextMuted, &text).cut(pen, width));
    if let Some(line) = e.reproduce.as_ref().filter(|_| with_line) {
        for text in pen.fold(line, width.saturating_sub(9), 3) {
            lines.push(pen.line(Slot::Key, "       $ ").put(pen, Slot::Text, &text));
        }
    }
    lines
}

fn amount(value: f64, unit: &str) -> String {
    match unit {
        "s" => seconds(value),
        "ratio" => super::words::percent(value),
        "" | "count" => number(value),
        unit => format!("{} {unit}", number(value)),
    }
}

/// The first findings in at most `room` lines, for the main screen.
pub(super) fn top(ctx: Ctx<'_>, d: &Diagnosis, width: usize, room: usize) -> Vec<Line> {
    let pen = ctx.pen;
    let mut lines = Vec::new();
    if d.findings.is_empty() || room < 3 {
        return lines;
    }
    let stale = if ctx.app.stale() { ", STALE" } else { "" };
    lines.push(ctx.rule(&format!("Evidence ({} findings){stale}", d.findings.len()), width));
    for f in &d.findings {
        if lines.len() + 2 > room {
            break;
        }
        lines.push(head(ctx, f).cut(pen, width));
        for text in pen.fold(&f.summary, width.saturating_sub(4), 2) {
            lines.push(pen.line(Slot::Text, "   ").put(pen, Slot::Text, &text));
        }
        for e in &f.evidence {
            let fact = fact(ctx, e, width, false);
            if lines.len() + fact.len() <= room {
                lines.extend(fact);
            }
        }
    }
    lines.truncate(room);
    lines
}

/// The levers with what speaks for and against each.
pub(super) fn levers(ctx: Ctx<'_>, d: &Diagnosis, width: usize) -> Vec<Line> {
    let pen = ctx.pen;
    if d.levers.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![ctx.rule("What helps, what does not", width)];
    for lever in &d.levers {
        let (sign, slot) = match lever.helps {
            Helps::Yes => (pen.either("✓ yes", "+ yes"), Slot::LeverYes),
            Helps::No => (pen.either("✗ no", "X no"), Slot::LeverNo),
            Helps::Unknown => ("? open", Slot::VerdictUnknown),
        };
        let at = 8;
        let name = code(lever.action.code());
        let text = format!("{name}: {}", lever.why);
        for (i, part) in pen.fold(&text, width.saturating_sub(at + 1), 2).iter().enumerate() {
            let line = if i == 0 { pen.line(Slot::Text, " ").cell(pen, slot, sign, 7) } else { Line::default() };
            lines.push(line.to(pen, at).put(pen, Slot::Text, part));
        }
    }
    lines
}

/// The whole view. The line to type stands below the selected fact.
pub(super) fn view(ctx: Ctx<'_>, width: usize, height: usize) -> Vec<Line> {
    let pen = ctx.pen;
    let Some(d) = ctx.d().filter(|d| !d.findings.is_empty()) else {
        let why =
            ctx.d().map_or("Nothing was judged yet.".to_owned(), |d| format!("No rule found anything. {}", d.sentence));
        return list::empty(ctx, "Evidence", &why, width);
    };
    let selected = ctx.app.cursor().index;
    let mut items: Vec<Vec<Line>> = Vec::new();
    for f in &d.findings {
        let mut lines = vec![head(ctx, f)];
        lines.extend(
            pen.fold(&f.summary, width.saturating_sub(4), 4)
                .iter()
                .map(|t| pen.line(Slot::TextStrong, &format!("   {t}"))),
        );
        if let Some(surer) = &f.surer {
            let more = format!("surer with: {surer}");
            let folded = pen.fold(&more, width.saturating_sub(6), 2);
            lines.extend(folded.iter().enumerate().map(|(i, text)| {
                pen.line(Slot::TextMuted, if i == 0 { "   ? " } else { "     " }).put(pen, Slot::TextMuted, text)
            }));
        }
        items.push(lines);
        for e in &f.evidence {
            let here = items.len() == selected;
            items.push(fact(ctx, e, width, here || height > 40));
        }
    }
    let head = vec![ctx.rule(&format!("Evidence: {} findings, what explains most first", d.findings.len()), width)];
    list::page(ctx, head, items, Vec::new(), width, height)
}
