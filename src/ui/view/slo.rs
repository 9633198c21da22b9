//! The objectives: late share, bucket of the 95th percentile, count, and burn over both windows of the paging tier.

use super::chart::{self, What};
use super::words::{bound, bucket, known, late};
use super::{Ctx, Slot};
use crate::contract::window_name;
use crate::diagnosis::{Diagnosis, Events, Metric, SloRow, number};
use crate::domain::RowStatus;
use crate::ui::pen::{Line, status_slot};

/// Last columns of the table; the trend's is its first.
#[derive(Debug, Clone, Copy)]
struct Columns {
    late: usize,
    p95: usize,
    n: Option<usize>,
    short: usize,
    long: Option<usize>,
    trend: Option<usize>,
}

impl Columns {
    /// Where room is short, the count and the long window are left out.
    fn of(width: usize) -> Self {
        if width < 74 {
            return Self { late: 29, p95: 40, n: None, short: 51, long: None, trend: None };
        }
        let trend = (width >= 83).then_some(75);
        Self { late: 29, p95: 40, n: Some(47), short: 58, long: Some(68), trend }
    }
}

/// Rows before the rest is only counted.
const MOST: usize = 4;

/// The table with its rule.
pub(super) fn lines(ctx: Ctx<'_>, d: &Diagnosis, width: usize) -> Vec<Line> {
    let [paging, ..] = ctx.app.policy().default.burn.tiers();
    let (short, long, factor) = (paging.short_s, paging.long_s, paging.factor);
    let (short_name, long_name) = (format!("burn {}", window_name(short)), format!("burn {}", window_name(long)));
    let columns = Columns::of(width);
    let mut words = vec![(columns.late, "late"), (columns.p95, "p95")];
    words.extend(columns.n.map(|end| (end, "n")));
    words.push((columns.short, short_name.as_str()));
    words.extend(columns.long.map(|end| (end, long_name.as_str())));
    words.extend(columns.trend.map(|at| (at + 5, "trend")));
    let stale = ctx.app.stale();
    let mut lines = vec![ctx.rule_with(if stale { "SLO, STALE" } else { "SLO" }, &words, width)];
    let rows = || d.slo.iter().chain(&d.sliced);
    for row in rows().take(MOST) {
        lines.push(line(ctx, d, row, width, (short, long, factor)).dimmed(ctx.pen, stale));
    }
    let more = rows().count().saturating_sub(MOST);
    if more > 0 {
        lines.push(ctx.pen.line(Slot::TextMuted, &format!("   and {more} more objectives")));
    }
    lines
}

fn line(ctx: Ctx<'_>, d: &Diagnosis, row: &SloRow, width: usize, (short, long, factor): (f64, f64, f64)) -> Line {
    let pen = ctx.pen;
    let columns = Columns::of(width);
    let slot = status_slot(row.status);
    let several = d.slo.iter().any(|other| other.model != row.model);
    let target = format!("≤{} {}%", bound(row.target.seconds), number(row.target.objective * 100.0));
    let target = match (&row.slice, &row.model) {
        // There is room for one name; the report has them all.
        (Some(s), _) => {
            let name = [&s.route, &s.tenant, &s.class, &s.model].into_iter().flatten().next();
            format!("≤{} {}", bound(row.target.seconds), name.map_or("", String::as_str))
        }
        (None, Some(model)) if several => format!("{target} {model}"),
        _ => target,
    };
    let name = pen.line(Slot::Text, " ").put(pen, slot, &format!("{} {}", pen.shape(row.status), row.metric.title()));
    let mut line = name.to(pen, 8).cell(pen, Slot::TextMuted, &target, columns.late - 15).to(pen, columns.late - 7);
    if row.count.is_none_or(|n| n <= 0.0) || row.bad.is_none() {
        let why = row.note.clone().unwrap_or_else(|| match row.mean_s {
            Some(mean) => format!("mean {}; late ones are not counted", super::words::brief(mean)),
            None => "no events in the window".to_owned(),
        });
        return line.put(pen, Slot::VerdictUnknown, &pen.fit(&why, width.saturating_sub(columns.late - 7)));
    }
    // Beside late tokens, late requests are something else.
    let by_request = row.metric == Metric::Tpot && row.events == Events::Requests;
    let share = if by_request { format!("{} req", late(row)) } else { late(row) };
    line = line.right(pen, slot, &share, columns.late).right(pen, Slot::Text, &bucket(row.p95), columns.p95);
    if let Some(end) = columns.n {
        line = line.right(pen, Slot::Text, &known(row.count), end);
    }
    for (window, end) in [(short, Some(columns.short)), (long, columns.long)] {
        let Some(end) = end else { continue };
        let (text, slot) = burn(row, window, factor);
        let shape = match slot {
            Slot::VerdictBreach => pen.shape(RowStatus::Breach),
            Slot::VerdictHealthy => pen.shape(RowStatus::Ok),
            _ => "",
        };
        line = line.right(pen, slot, &format!("{text} {shape}"), end);
    }
    line = match row.paging {
        Some(true) => line.put(pen, Slot::Text, " ").styled(
            pen,
            super::verdict::badge(pen, crate::domain::Verdict::Breach),
            "PAGE",
        ),
        None if row.status == RowStatus::Breach => line.put(pen, Slot::TextMuted, " page?"),
        Some(false) | None => line,
    };
    // The trend is everybody's, and no slice's.
    if let Some(at) = columns.trend.filter(|_| row.slice.is_none()) {
        let what = if row.metric == Metric::Ttft { What::TtftMean } else { What::ItlMean };
        line = line.to(pen, at).then(chart::spark(ctx, d, what, (width - at).min(60), row.target.seconds));
    }
    line
}

/// The burn of one window and how it looks; `?` where the window was not observed.
fn burn(row: &SloRow, window: f64, factor: f64) -> (String, Slot) {
    let Some(w) = row.windows.iter().find(|w| w.window_s == window) else { return ("?".to_owned(), Slot::TextMuted) };
    // A short window that was seen in part says something; a long one does not.
    let whole = w.observed_s >= 0.9 * w.window_s;
    match w.burn {
        Some(burn) if whole || w.window_s <= 300.0 => {
            let slot = if burn > factor { Slot::VerdictBreach } else { Slot::VerdictHealthy };
            (format!("{}{}", if whole { "" } else { "~" }, number(burn)), slot)
        }
        _ => ("?".to_owned(), Slot::TextMuted),
    }
}
