//! Every source: its state, its age, what is wrong with it and what to do.

use super::words::{age, source_state};
use super::{Ctx, Slot, list};
use crate::diagnosis::SourceRow;
use crate::domain::{RowStatus, SourceState};
use crate::ui::pen::{Line, status_slot};

/// How a state looks in its row.
pub(super) const fn status(state: SourceState) -> RowStatus {
    match state {
        SourceState::Live => RowStatus::Ok,
        SourceState::Stale | SourceState::Denied => RowStatus::Warning,
        SourceState::Failed => RowStatus::Breach,
        SourceState::Connecting | SourceState::Absent => RowStatus::Unknown,
    }
}

/// What to do where the source itself does not say.
const fn remedy(state: SourceState) -> Option<&'static str> {
    match state {
        SourceState::Denied => Some("this account may not read it: ask for get, list and watch on it"),
        SourceState::Absent => Some("it is not there: what it would say stays unknown"),
        SourceState::Stale => Some("its numbers are old and are not of now; it is asked again"),
        SourceState::Failed => Some("it is asked again, ever less often"),
        SourceState::Connecting | SourceState::Live => None,
    }
}

/// The view.
pub(super) fn view(ctx: Ctx<'_>, width: usize, height: usize) -> Vec<Line> {
    let Some(d) = ctx.d().filter(|d| !d.sources.is_empty()) else {
        return list::empty(ctx, "Sources", "No source has been asked yet.", width);
    };
    let live = d.sources.iter().filter(|s| s.state == SourceState::Live).count();
    let head = vec![ctx.rule(&list::title(ctx, &format!("Sources, {live} live"), d.sources.len()), width)];
    let selected = ctx.app.cursor().index;
    let items = ctx
        .app
        .items()
        .iter()
        .enumerate()
        .filter_map(|(i, item)| Some(row(ctx, d.sources.get(item.index)?, i == selected, width)))
        .collect();
    let cost = ctx.app.cost().map(|cost| format!("costs the cluster {cost}"));
    let foot = cost.map(|cost| ctx.pen.fold(&cost, width.saturating_sub(2), 3)).unwrap_or_default();
    let foot = foot.iter().map(|line| ctx.pen.line(Slot::TextMuted, &format!(" {line}"))).collect();
    list::page(ctx, head, items, foot, width, height)
}

fn row(ctx: Ctx<'_>, s: &SourceRow, selected: bool, width: usize) -> Vec<Line> {
    let pen = ctx.pen;
    let status = status(s.state);
    let old = s.age_s.map_or("never read".to_owned(), |a| format!("{} old", age(ctx.app.age(a))));
    let mut more = vec![old];
    more.extend(s.via.filter(|_| s.instead_of.is_none()).map(|via| format!("via {via}")));
    more.extend(s.series.map(|n| format!("{n} series")));
    more.extend(s.skipped.filter(|n| *n > 0).map(|n| format!("{n} lines skipped")));
    let right = pen.line(Slot::TextMuted, &format!("{} ", more.join(", ")));
    let word = source_state(s.state).trim_end_matches('…');
    let line = pen
        .line(Slot::Text, " ")
        .cell(pen, status_slot(status), &format!("{} {word}", pen.shape(status)), 13)
        .put(pen, Slot::Text, &s.name);
    let mut lines = vec![line.beside(pen, right, width)];
    let mut say = |slot: Slot, text: &str| {
        lines.extend(
            pen.fold(text, width.saturating_sub(16), 3)
                .iter()
                .map(|t| pen.line(Slot::Text, "              ").put(pen, slot, t)),
        );
    };
    if let Some(error) = &s.error {
        say(status_slot(status), error);
    }
    if let Some(remedy) = remedy(s.state) {
        say(Slot::TextMuted, remedy);
    }
    if let (Some(via), Some(why)) = (s.via, &s.instead_of) {
        say(Slot::TextMuted, &format!("via {via}, for {why}"));
    }
    if let Some(found) = &s.found {
        say(Slot::TextMuted, &format!("found by {found}"));
    }
    for lacks in &s.lacks {
        say(Slot::TextMuted, &format!("it cannot tell {lacks}"));
    }
    if selected && !s.families.is_empty() {
        let used: Vec<String> = s.families.iter().map(|(quantity, family)| format!("{quantity} = {family}")).collect();
        say(Slot::TextMuted, &format!("read from {}", used.join(", ")));
    }
    lines
}
