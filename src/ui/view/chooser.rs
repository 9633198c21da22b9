//! What there is to watch: what was found to serve models, worst first.

use super::words::age;
use super::{Ctx, Slot, frame, list};
use crate::app::Chooser;
use crate::domain::{Found, RowStatus, Trouble};
use crate::report;
use crate::ui::pen::{Line, status_slot};

/// Wider than this a name is cut.
const NAME: usize = 44;

/// The view.
pub(super) fn view(ctx: Ctx<'_>, width: usize, height: usize) -> Vec<Line> {
    let pen = ctx.pen;
    let Some(chooser) = ctx.app.chooser() else { return list::empty(ctx, "What serves models", "", width) };
    let whereabouts = whereabouts(ctx, chooser);
    let Some((at, found)) = &chooser.found else {
        let waited = frame::waited(ctx).filter(|_| ctx.app.target().is_none());
        let so_far = waited.map_or(String::new(), |w| format!(", {w} so far"));
        let why = chooser.trouble.as_ref().map_or_else(
            || format!("Looking for what serves models in {whereabouts}{so_far}."),
            |trouble| format!("{whereabouts} cannot be looked through: {trouble}; it is tried again"),
        );
        return list::empty(ctx, "What serves models", &why, width);
    };
    let m = Slot::TextMuted;
    let old = age(ctx.app.now().since(*at).max(0.0));
    let title = list::title(ctx, &format!("Engines in {whereabouts}, worst first"), found.found.len());
    let mut head = vec![ctx.rule(&format!("{title}, {old} old"), width)];
    if found.found.is_empty() {
        let hint = if chooser.everywhere { "" } else { " 0 looks through all namespaces." };
        let why = format!(
            "   Nothing was found: looked at images, arguments and labels of Deployments and StatefulSets, and at the kinds \
             that own engines.{hint}"
        );
        head.extend(
            pen.fold(&why, width.saturating_sub(3), 4).iter().map(|l| pen.line(m, &format!("   {}", l.trim()))),
        );
    }
    let columns = Columns::of(&found.found, chooser.everywhere, width);
    if !found.found.is_empty() {
        head.push(columns.head(ctx));
    }
    let items = ctx
        .app
        .items()
        .iter()
        .filter_map(|item| found.found.get(item.index))
        .map(|found| vec![columns.row(ctx, found, width)])
        .collect();
    let unseen = found.unseen.iter().chain(&chooser.trouble).map(|why| format!("not looked at: {why}"));
    let foot = unseen
        .flat_map(|words| pen.fold(&words, width.saturating_sub(6), 2))
        .map(|part| pen.line(Slot::Notice, &format!("   {part}")))
        .collect();
    list::page(ctx, head, items, foot, width, height)
}

/// Where it is looked.
fn whereabouts(ctx: Ctx<'_>, chooser: &Chooser) -> String {
    let found = chooser.found.as_ref().map(|(_, found)| found);
    match (found.and_then(|f| f.namespace.as_deref()), chooser.everywhere) {
        (_, true) => found.map_or("all namespaces".to_owned(), |f| format!("all namespaces of {}", f.context)),
        (Some(namespace), false) => format!("{namespace} of {}", found.map_or("?", |f| &f.context)),
        (None, false) => match ctx.app.contacting() {
            [place, ..] if ctx.app.target().is_none() => place.clone(),
            _ => "the namespace".to_owned(),
        },
    }
}

/// How wide the columns are, each with a blank at its end.
struct Columns {
    namespace: usize,
    name: usize,
    state: usize,
    /// Where room is short: the worst trouble alone, and models without whose they are.
    short: bool,
}

impl Columns {
    fn of(found: &[Found], everywhere: bool, width: usize) -> Self {
        let short = width < 100;
        let longest = |f: &dyn Fn(&Found) -> usize| found.iter().map(f).max().unwrap_or(0);
        let namespace = if everywhere { longest(&|f| f.namespace.chars().count()).clamp(9, 24) + 1 } else { 0 };
        let state = longest(&|f| state(f, short).chars().count()).clamp(5, 32) + 1;
        let left = width.saturating_sub(namespace + state + if short { 24 } else { 40 });
        let name = longest(&|f| f.name.chars().count()).clamp(4, NAME).min(left).max(8) + 1;
        Self { namespace, name, state, short }
    }

    fn head(&self, ctx: Ctx<'_>) -> Line {
        let (pen, m) = (ctx.pen, Slot::TextMuted);
        let mut line = pen.line(m, "   ");
        if self.namespace > 0 {
            line = line.cell(pen, m, "namespace", self.namespace);
        }
        line.cell(pen, m, "name", self.name)
            .cell(pen, m, "ready", 7)
            .cell(pen, m, "state", self.state)
            .put(pen, m, "model")
    }

    fn row(&self, ctx: Ctx<'_>, found: &Found, width: usize) -> Line {
        let pen = ctx.pen;
        let status = match found.troubles.first() {
            Some(Trouble::NothingReady | Trouble::RolloutStuck) => RowStatus::Breach,
            Some(_) => RowStatus::Warning,
            None => RowStatus::Ok,
        };
        let slot = status_slot(status);
        let count = |n: Option<u32>| n.map_or("?".to_owned(), |n| n.to_string());
        let cell =
            |line: Line, slot: Slot, text: &str, wide: usize| line.cell(pen, slot, &pen.fit(text, wide - 1), wide);
        let mut line = pen.line(Slot::Text, " ").put(pen, slot, pen.shape(status)).put(pen, Slot::Text, " ");
        if self.namespace > 0 {
            line = cell(line, Slot::TextMuted, &found.namespace, self.namespace);
        }
        line = cell(line, Slot::TextStrong, &found.name, self.name);
        line = cell(line, Slot::Text, &format!("{}/{}", count(found.ready), count(found.desired)), 7);
        line = cell(line, slot, &state(found, self.short), self.state);
        let model = found.model.as_deref().unwrap_or("?");
        let model = if self.short { model.rsplit('/').next().unwrap_or(model) } else { model };
        let owner = found.owner.as_ref().map_or(String::new(), |owner| format!("  of {owner}"));
        line.put(pen, Slot::Text, model).put(pen, Slot::TextMuted, &owner).cut(pen, width)
    }
}

/// How it stands; where room is short only what is worst.
fn state(found: &Found, short: bool) -> String {
    let all = report::state(found);
    if short { all.split(", ").next().unwrap_or_default().to_owned() } else { all }
}
