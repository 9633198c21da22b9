//! The main screen. What is broken, where, what changed and what is safe, in this order; what is left of the room shows
//! the trend, the evidence and the runbook's map.
//!
//! ```text
//!  narrow                     wide (from 110 columns)
//!  what is on record          what is on record
//!  verdict                    verdict, the next way, the line of the action
//!  objectives                 objectives      │ evidence of the first finding
//!  phases                     phases          │ levers
//!  trend, where there is room trend           │ changes
//!  changes                                    │ the runbook's map
//!  runbook, the next way
//!  the line of the action, or what helps
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::words::source_state;
use super::{Ctx, Slot, acting, changes, chart, evidence, frame, phases, replicas, runbook, slo, verdict};
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
        let line = pen.line(Slot::Text, "   ").cell(pen, Slot::Text, name, width.saturating_sub(24).clamp(8, 60)).put(
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
    let how = if app.guard().read_only {
        "read-only: nothing in the cluster can be changed from here"
    } else {
        "nothing in the cluster is changed before a card is confirmed"
    };
    lines.push(pen.line(Slot::TextMuted, &format!("   {how}")));
    lines.extend(acting::banner(ctx, width));
    lines
}

/// Everything below each other. Where rows are few, changes are named beside the verdict and have no section.
fn narrow(ctx: Ctx<'_>, d: &Diagnosis, width: usize, height: usize) -> Vec<Line> {
    let (slo, phases) = (slo::lines(ctx, d, width), phases::lines(ctx, d, width));
    let mut runbook = runbook::panel(ctx, width);
    // What was done and is not over keeps its lines, whatever else gives way.
    let mut banner = acting::banner(ctx, width);
    let mut done = acting::lines(ctx, width);
    if acting::idle(ctx) {
        done.splice(0..0, acting::helps(ctx, width));
    }
    let mut large = large(ctx, d, width, height);
    let kept = banner.len() + done.len();
    let height = height.saturating_sub(kept);
    let fixed = slo.len() + phases.len() + runbook.len() + large.len();
    let section = height >= fixed + 16;
    if section {
        let wanted = runbook::checked(ctx, width);
        runbook.extend(wanted);
    }
    let fixed = slo.len() + phases.len() + runbook.len() + large.len();
    // Sentences in full, then shorter, then one line each; named changes two, one, none.
    let told = |most, named| verdict::lines(ctx, d, width, (most, if section { 0 } else { named }, false));
    let mut verdict = told(1, 0);
    for (most, named) in [(3, 3), (2, 3), (2, 2), (1, 2), (1, 1)] {
        let longer = told(most, named);
        if longer.len() + fixed <= height {
            verdict = longer;
            break;
        }
    }
    let mut changes = if section { changes::lines(ctx, d, width, 6) } else { Vec::new() };
    let total = |parts: &[&Vec<Line>]| parts.iter().map(|p| p.len()).sum::<usize>();
    let mut rows = [slo, phases];
    // What gives way where even that is too much: the runbook, and titles before rows.
    if total(&[&large, &verdict, &rows[0], &rows[1], &changes, &runbook]) > height {
        large.clear();
        // The way that is recommended says more than the name of its state.
        runbook.drain(..runbook.len().saturating_sub(1));
    }
    for part in [0, 1] {
        if total(&[&verdict, &rows[0], &rows[1], &runbook]) > height {
            rows[part].remove(0);
        }
    }
    if total(&[&verdict, &rows[0], &rows[1], &runbook]) > height {
        runbook.clear();
    }
    let room = height.saturating_sub(total(&[&large, &verdict, &rows[0], &rows[1], &changes, &runbook]));
    let mut charts = charts(ctx, d, width, room);
    let mut rest = evidence::top(ctx, d, width, room - charts.len());
    if rest.len() < 3 {
        rest.clear();
    }
    let [mut slo, mut phases] = rows;
    let mut lines = large;
    for part in [&mut verdict, &mut slo, &mut phases, &mut charts, &mut changes, &mut rest, &mut runbook] {
        lines.append(part);
    }
    lines.truncate(height);
    banner.append(&mut lines);
    banner.append(&mut done);
    banner
}

/// In two columns.
fn wide(ctx: Ctx<'_>, d: &Diagnosis, buffer: &mut Buffer, area: Rect) {
    let pen = ctx.pen;
    let whole = usize::from(area.width);
    let mut top = large(ctx, d, whole, usize::from(area.height));
    top.extend(acting::banner(ctx, whole));
    top.extend(verdict::lines(ctx, d, whole, (2, 0, true)));
    top.extend(runbook::next(ctx, whole));
    top.extend(acting::lines(ctx, whole));
    top.push(Line::default());
    super::paint(pen, buffer, area, &top);
    let used = u16::try_from(top.len()).unwrap_or(u16::MAX).min(area.height);
    let below = Rect { y: area.y + used, height: area.height - used, ..area };
    let left = Rect { width: if area.width >= 150 { area.width / 2 + 6 } else { 74 }, ..below };
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
    let changed = changes::lines(ctx, d, width, if area.width >= 150 { 8 } else { 4 });
    // In a narrow column the line HELPS must do.
    let levers = if area.width >= 150 { evidence::levers(ctx, d, width) } else { Vec::new() };
    // Evidence takes what the others leave, and at least a third.
    let replicas = replicas::section(ctx, d, width, 6);
    let others = map.len() + changed.len() + levers.len() + 3;
    let found = evidence::top(ctx, d, width, height.saturating_sub(others).max(height / 3));
    let room = height.saturating_sub(found.len() + others + 1);
    let replicas = if replicas.len() <= room { replicas } else { Vec::new() };
    let mut lines: Vec<Line> = Vec::new();
    for part in [found, levers, changed, replicas, map] {
        if !part.is_empty() && lines.len() + part.len().min(4) <= height {
            if lines.len() + part.len() > height {
                // Better close to its neighbour than cut.
                lines.pop_if(|last| last.width() == 0);
            }
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
    let wanted: Vec<_> = wanted.into_iter().filter(|(what, _)| chart::draws(d, *what)).collect();
    let count = (room / (CHART + 1)).min(wanted.len()).max(1);
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
