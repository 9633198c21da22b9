//! Every replica: what it is, how far its start has come, where its requests spend their time, how full it is. One that
//! was lost stays as a row.

use super::verdict::kv;
use super::words::{age, brief, clock, known, length};
use super::{Ctx, Slot, list};
use crate::app::replicas_in_order;
use crate::diagnosis::{Diagnosis, ReplicaRow};
use crate::domain::RowStatus;
use crate::ui::pen::Line;

/// Older than this, a replica's numbers are not of now (s).
const STALE_S: f64 = 15.0;

/// The view.
pub(super) fn view(ctx: Ctx<'_>, width: usize, height: usize) -> Vec<Line> {
    let Some(d) = ctx.d().filter(|d| !d.replicas.is_empty()) else {
        return list::empty(
            ctx,
            "Replicas",
            "No replica is known yet: none has answered, and Kubernetes named none.",
            width,
        );
    };
    let rows = replicas_in_order(d);
    let shown: Vec<&ReplicaRow> = ctx.app.items().iter().filter_map(|item| rows.get(item.index).copied()).collect();
    let columns = Columns::of(ctx, width, &shown);
    let mut head = vec![ctx.rule(&list::title(ctx, "Replicas", rows.len()), width)];
    head.push(columns.head(ctx));
    let items = shown.iter().map(|row| columns.row(ctx, d, row, width)).collect();
    let foot = vec![ctx.rule("of the selected one", width), detail(ctx, &shown)];
    list::page(ctx, head, items, foot, width, height)
}

/// A section of the main screen: the first replicas, nothing where there are none.
pub(super) fn section(ctx: Ctx<'_>, d: &Diagnosis, width: usize, most: usize) -> Vec<Line> {
    let rows = replicas_in_order(d);
    if rows.is_empty() {
        return Vec::new();
    }
    let columns = Columns::of(ctx, width, &rows);
    let title = ctx.rule(&format!("Replicas ({})", rows.len()), width);
    let mut lines = vec![title, columns.head(ctx).cut(ctx.pen, width)];
    for row in rows.iter().take(most) {
        lines.extend(columns.row(ctx, d, row, width));
    }
    if rows.len() > most {
        lines.push(ctx.pen.line(Slot::TextMuted, &format!("   and {} more", rows.len() - most)));
    }
    lines
}

/// How wide the name may be, and which columns there is room for.
struct Columns {
    name: usize,
    node: usize,
    split: bool,
    short: bool,
    /// Beside something else: without revision and running requests.
    tight: bool,
}

impl Columns {
    fn of(ctx: Ctx<'_>, width: usize, rows: &[&ReplicaRow]) -> Self {
        let longest = |f: &dyn Fn(&ReplicaRow) -> usize| rows.iter().map(|r| f(r)).max().unwrap_or(0);
        let short = width < 100;
        let name = longest(&|r| named(ctx, r, short).chars().count()).clamp(8, 50);
        let node = longest(&|r| r.node.as_deref().map_or(0, |n| n.chars().count())).min(28);
        // Shape, revision and TTFT, waiting, running and KV take 38; the state is to have at least 24.
        let split = width >= 120;
        let tight = width < 60;
        let fixed = match (tight, split) {
            (true, _) => 36,
            (_, false) => 62,
            (_, true) => 86,
        };
        let left = width.saturating_sub(fixed);
        let node = if left > name.min(30) + node { node } else { 0 };
        Self {
            name: name.min(left.saturating_sub(if node > 0 { node + 1 } else { 0 })).max(8),
            node,
            split,
            short,
            tight,
        }
    }

    fn head(&self, ctx: Ctx<'_>) -> Line {
        let pen = ctx.pen;
        let m = Slot::TextMuted;
        if self.tight {
            return pen.line(m, "   ").cell(pen, m, "replica", self.name).put(pen, m, "     TTFT  wait    KV  state");
        }
        let mut line = pen.line(m, "   ").cell(pen, m, "replica", self.name).cell(pen, m, " rev", 5);
        if self.node > 0 {
            line = line.cell(pen, m, " node", self.node + 1);
        }
        line = line.put(pen, m, "     TTFT");
        if self.split {
            line = line.put(pen, m, "   queue prefill   /tok");
        }
        line.put(pen, m, "  wait   run    KV  state")
    }

    fn row(&self, ctx: Ctx<'_>, d: &Diagnosis, row: &ReplicaRow, width: usize) -> Vec<Line> {
        let pen = ctx.pen;
        let old = row.age_s.map(|s| ctx.app.age(s)).is_some_and(|s| s > STALE_S);
        let lost = row.gone || (old && row.start.is_none());
        let suspect = d.suspect.as_ref().and_then(|s| s.subject.replica.as_ref()).is_some_and(|s| *s == row.name);
        let status = match (lost, suspect, row.ready, row.start.is_some()) {
            (true, ..) => RowStatus::Unknown,
            (_, true, ..) => RowStatus::Breach,
            (_, _, Some(false), _) | (.., true) => RowStatus::Warning,
            _ => RowStatus::Ok,
        };
        let s = crate::ui::pen::status_slot(status);
        let mut line = pen.line(Slot::Text, " ").put(pen, s, pen.shape(status)).put(pen, Slot::Text, " ");
        line = line.cell(
            pen,
            Slot::Text,
            &end_of(&named(ctx, row, self.short), self.name, pen.either('…', '.')),
            self.name,
        );
        if !self.tight {
            line = line.cell(pen, Slot::Text, &row.revision.map_or(" ?".to_owned(), |r| format!(" {r}")), 5);
        }
        if self.node > 0 {
            line = line.cell(pen, Slot::TextMuted, &format!(" {}", row.node.as_deref().unwrap_or("?")), self.node + 1);
        }
        let at = line.width();
        let seconds = |v: Option<f64>| v.map_or_else(|| "?".to_owned(), brief);
        line = line.right(pen, Slot::TextStrong, &seconds(row.ttft_mean), at + 9);
        let mut at = at + 9;
        if self.split {
            for v in [row.queue_mean, row.prefill_mean, row.itl_mean] {
                at += 8;
                line = line.right(pen, Slot::Text, &seconds(v), at);
            }
        }
        line = line.right(pen, Slot::Text, &known(row.waiting), at + 6);
        if !self.tight {
            at += 6;
            line = line.right(pen, Slot::Text, &known(row.running), at + 6);
        }
        line = line.right(pen, Slot::Text, &kv(row.kv), at + 12).put(pen, Slot::Text, "  ");
        line = line.dimmed(pen, lost).put(pen, if lost { Slot::Notice } else { s }, &state(ctx, row));
        vec![line.cut(pen, width)]
    }
}

/// The text's end where it is too wide: what tells pods apart stands there.
fn end_of(text: &str, width: usize, mark: char) -> String {
    let count = text.chars().count();
    if count <= width || width < 2 {
        return text.to_owned();
    }
    std::iter::once(mark).chain(text.chars().skip(count + 1 - width)).collect()
}

/// Its name; where room is short without the workload's, which all of them share.
fn named(ctx: Ctx<'_>, row: &ReplicaRow, short: bool) -> String {
    let rest = ctx.app.target().and_then(|t| row.name.strip_prefix(t.name.as_str())).and_then(|r| r.strip_prefix('-'));
    match rest {
        Some(rest) if short && !rest.is_empty() => format!("{}{rest}", ctx.pen.either("…", "..")),
        _ => row.name.clone(),
    }
}

/// What it does, in words: its part where it has one, serving, starting since when and how long that usually takes, lost.
fn state(ctx: Ctx<'_>, row: &ReplicaRow) -> String {
    let doing = doing(ctx, row);
    row.pool.map_or_else(|| doing.clone(), |pool| format!("{pool}, {doing}"))
}

fn doing(ctx: Ctx<'_>, row: &ReplicaRow) -> String {
    let old = row.age_s.map(|s| ctx.app.age(s));
    if row.gone {
        return old.map_or("gone".to_owned(), |s| format!("gone, last read {} ago", age(s)));
    }
    if let Some((phase, since)) = row.start {
        let running = since.map(|at| format!(" {}", age(ctx.app.now().since(at)))).unwrap_or_default();
        let usual = row.usual_load.map_or(String::new(), |(s, n)| format!(" of ~{} ({n} starts)", length(s)));
        return format!("{phase}{running}{usual}");
    }
    if let Some(s) = old.filter(|s| *s > STALE_S) {
        return format!("stale {}", age(s));
    }
    match (row.ready, old) {
        (Some(false), _) => "not Ready".to_owned(),
        (_, None) => "not read".to_owned(),
        (Some(true), _) => "Ready".to_owned(),
        (None, _) => "answers".to_owned(),
    }
}

/// More of the selected one.
fn detail(ctx: Ctx<'_>, shown: &[&ReplicaRow]) -> Line {
    let pen = ctx.pen;
    let Some(row) = shown.get(ctx.app.cursor().index) else { return Line::default() };
    let mut parts = vec![row.name.clone()];
    parts.extend(row.pool.map(|p| format!("{p} pool")));
    parts.extend(row.node.as_ref().map(|n| format!("on {n}")));
    parts.extend(row.start.and_then(|(_, at)| at).map(|at| format!("since {}Z", clock(at))));
    for (what, v) in [("queue", row.queue_mean), ("prefill", row.prefill_mean), ("gap", row.itl_mean)] {
        parts.extend(v.map(|v| format!("{what} {}", brief(v))));
    }
    parts.push(format!("n {}", known(row.count)));
    parts.extend(row.restarts.map(|n| format!("restarts {n}")));
    parts.extend(row.age_s.map(|s| format!("read {} ago", age(ctx.app.age(s)))));
    pen.line(Slot::Text, "   ").put(pen, Slot::TextMuted, &parts.join(", "))
}
