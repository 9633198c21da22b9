//! The main screen. What is broken, where, what changed and what is safe, in this order; what is left of the room shows
//! the trend, the evidence and the runbook's map.
//!
//! ```text
//!  narrow                     wide (from 110 columns)
//!  verdict                    verdict
//!  objectives                 objectives      │ evidence of the first finding
//!  phases                     phases          │ levers
//!  trend, where there is room trend           │ changes
//!  changes                                    │ the runbook's map
//!  runbook
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::words::source_state;
use super::{Ctx, Slot, changes, chart, evidence, frame, phases, runbook, slo, verdict};
use crate::diagnosis::{Diagnosis, Metric};
use crate::ui::pen::Line;

/// From so many columns and rows on there are two columns.
const WIDE: u16 = 110;
const TALL: u16 = 26;

/// The fewest lines of a chart, and the most.
const CHART: usize = 5;
const HIGH_CHART: usize = 10;

/// Paints the main screen.
pub(super) fn paint(ctx: Ctx<'_>, buffer: &mut Buffer, area: Rect) {
    let (width, height) = (usize::from(area.width), usize::from(area.height));
    match ctx.d().filter(|_| !ctx.app.connecting()) {
        None => super::paint(ctx.pen, buffer, area, &connecting(ctx, width)),
        Some(d) if area.width >= WIDE && area.height >= TALL => wide(ctx, d, buffer, area),
        Some(d) => super::paint(ctx.pen, buffer, area, &narrow(ctx, d, width, height)),
    }
}

/// Before any source has answered: what is being asked, and since when.
fn connecting(ctx: Ctx<'_>, width: usize) -> Vec<Line> {
    let (app, pen) = (ctx.app, ctx.pen);
    let waited = frame::waited(ctx).map_or(String::new(), |w| format!(", {w} so far"));
    let mut lines =
        vec![
            Line::default(),
            pen.line(Slot::Text, " ")
                .put(pen, Slot::VerdictUnknown, &format!("connecting{}", pen.either("…", "...")))
                .put(pen, Slot::TextMuted, &format!("{waited}: nothing has answered yet, and nothing is known")),
            Line::default(),
        ];
    let mut row = |name: &str, state: &str, more: &str| {
        let line = pen.line(Slot::Text, "   ").cell(pen, Slot::Text, name, 44.min(width / 2)).put(
            pen,
            Slot::TextMuted,
            &format!(" {state}"),
        );
        lines.push(if more.is_empty() { line } else { line.put(pen, Slot::Notice, &format!(": {more}")) });
    };
    for what in app.contacting() {
        row(what, "asked", "");
    }
    for watch in &app.snapshot().watches {
        row(
            &format!("kubernetes {}", watch.resource),
            source_state(watch.state),
            watch.error.as_deref().unwrap_or_default(),
        );
    }
    for endpoint in &app.snapshot().endpoints {
        let failing = endpoint.failing().map(ToString::to_string).unwrap_or_default();
        row(&endpoint.name, "asked", &failing);
    }
    let policy = app.policy().default;
    let to = |t: crate::diagnosis::Target| {
        format!("{}% within {}", crate::diagnosis::number(t.objective * 100.0), super::words::bound(t.seconds))
    };
    lines.push(Line::default());
    lines.push(
        pen.line(Slot::TextMuted, &format!("   will be judged by: TTFT {}, TPOT {}", to(policy.ttft), to(policy.tpot))),
    );
    lines.push(pen.line(Slot::TextMuted, "   it only reads: nothing in the cluster is changed"));
    lines
}

/// Everything below each other. What does not fit gives way in the order of [`GIVE_WAY`].
fn narrow(ctx: Ctx<'_>, d: &Diagnosis, width: usize, height: usize) -> Vec<Line> {
    let large = large(ctx, d, width, height);
    let mut parts = [
        large,
        verdict::lines(ctx, d, width, 1),
        slo::lines(ctx, d, width),
        phases::lines(ctx, d, width),
        changes::lines(ctx, d, width, 6),
        runbook::panel(ctx, width),
    ];
    let total = |parts: &[Vec<Line>]| parts.iter().map(Vec::len).sum::<usize>();
    // Words before rows: sentences are folded where that leaves everything else its least.
    for most in [3, 2] {
        let folded = verdict::lines(ctx, d, width, most);
        let least = total(&parts) - parts[VERDICT].len() - parts[CHANGES].len().saturating_sub(2);
        if least + folded.len() <= height {
            parts[VERDICT] = folded;
            break;
        }
    }
    for (part, keep) in GIVE_WAY {
        while total(&parts) > height && parts[*part].len() > *keep {
            parts[*part].pop();
        }
    }
    // Last of all the rules: titles are worth less than rows.
    for part in [CHANGES, RUNBOOK, SLO, PHASES] {
        if total(&parts) > height && parts[part].len() > 1 {
            parts[part].remove(0);
        }
    }
    for part in [RUNBOOK, CHANGES, LARGE, PHASES] {
        while total(&parts) > height && parts[part].len() > usize::from(part == PHASES) {
            parts[part].pop();
        }
    }
    let room = height.saturating_sub(total(&parts));
    let mut charts = charts(ctx, d, width, room);
    let left = room - charts.len();
    let mut rest = evidence::top(ctx, d, width, left);
    if rest.len() < 3 {
        rest.clear();
    }
    let [large, verdict, slo, phases, changes, runbook] = parts;
    let mut lines = large;
    for part in [verdict, slo, phases] {
        lines.extend(part);
    }
    lines.append(&mut charts);
    for part in [changes, rest, runbook] {
        lines.extend(part);
    }
    lines
}

const LARGE: usize = 0;
const VERDICT: usize = 1;
const SLO: usize = 2;
const PHASES: usize = 3;
const CHANGES: usize = 4;
const RUNBOOK: usize = 5;

/// Which part gives lines up first, and how many it keeps.
const GIVE_WAY: &[(usize, usize)] = &[(CHANGES, 3), (RUNBOOK, 3), (CHANGES, 2), (RUNBOOK, 2)];

/// In two columns.
fn wide(ctx: Ctx<'_>, d: &Diagnosis, buffer: &mut Buffer, area: Rect) {
    let pen = ctx.pen;
    let whole = usize::from(area.width);
    let mut top = large(ctx, d, whole, usize::from(area.height));
    top.extend(verdict::lines(ctx, d, whole, 2));
    top.push(Line::default());
    super::paint(pen, buffer, area, &top);
    let used = u16::try_from(top.len()).unwrap_or(u16::MAX).min(area.height);
    let below = Rect { y: area.y + used, height: area.height - used, ..area };
    let left = Rect { width: if area.width >= 150 { area.width / 2 + 8 } else { 78.max(area.width * 3 / 5) }, ..below };
    let right = Rect { x: left.x + left.width + 2, width: below.width.saturating_sub(left.width + 2), ..below };
    let (width, height) = (usize::from(left.width), usize::from(left.height));
    let mut lines = slo::lines(ctx, d, width);
    lines.push(Line::default());
    lines.extend(phases::lines(ctx, d, width));
    lines.push(Line::default());
    let room = height.saturating_sub(lines.len());
    lines.extend(charts(ctx, d, width, room));
    super::paint(pen, buffer, left, &lines);

    let (width, height) = (usize::from(right.width), usize::from(right.height));
    let map = runbook::map(ctx, width);
    let changed = changes::lines(ctx, d, width, 8);
    let levers = evidence::levers(ctx, d, width);
    // Evidence takes what the others leave, and at least a third.
    let others = map.len() + changed.len() + levers.len() + 3;
    let found = evidence::top(ctx, d, width, height.saturating_sub(others).max(height / 3));
    let mut lines: Vec<Line> = Vec::new();
    for part in [found, levers, changed, map] {
        if !part.is_empty() && lines.len() + part.len().min(4) <= height {
            lines.extend(part);
            lines.push(Line::default());
        }
    }
    super::paint(pen, buffer, right, &lines);
}

/// Charts in so many lines: the one that is judged first.
fn charts(ctx: Ctx<'_>, d: &Diagnosis, width: usize, room: usize) -> Vec<Line> {
    let target = |metric| d.slo.iter().find(|s| s.metric == metric).map(|s| s.target.seconds);
    let wanted = [
        (chart::What::TtftMean, target(Metric::Ttft)),
        (chart::What::Waiting, None),
        (chart::What::Kv, None),
        (chart::What::ItlMean, target(Metric::Tpot)),
        (chart::What::Tokens, None),
    ];
    let count = (room / (CHART + 1)).clamp(1, wanted.len());
    let height = (room / count).min(HIGH_CHART);
    if height < CHART {
        return Vec::new();
    }
    let mut lines = Vec::new();
    for (what, target) in wanted {
        let one = chart::chart(ctx, d, what, target, width, height);
        if lines.len() + one.len() <= room {
            lines.extend(one);
        }
    }
    lines
}

/// For others to read from their chairs: the verdict's word in large letters, where there is room.
fn large(ctx: Ctx<'_>, d: &Diagnosis, width: usize, height: usize) -> Vec<Line> {
    if !ctx.app.presenting() || height < 28 {
        return Vec::new();
    }
    super::large::word(ctx, &verdict::word(d.verdict), verdict::slot(d.verdict), width)
}
