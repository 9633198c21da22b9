//! What stands in a view as items that can be selected and looked for: keys and words, not looks.

use super::{App, Command, View};
use crate::diagnosis::{Change, Diagnosis, GpuRow, ReplicaRow, number};
use crate::domain::At;
use crate::runbook::{Act, Transition};

/// One thing in a view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Its place in the whole list.
    pub index: usize,
    /// By what it is found again when the list changes.
    pub key: String,
    /// What is looked through.
    pub words: String,
}

/// Something on the timeline.
#[derive(Debug, Clone, Copy)]
pub enum Happened<'a> {
    /// Something that changed in what is watched.
    Change(&'a Change),
    /// A change that was made from a war room.
    Act(&'a Act),
    /// A step in the runbook.
    Moved(&'a Transition),
}

impl Happened<'_> {
    /// When.
    pub const fn at(&self) -> At {
        match self {
            Self::Change(change) => change.at,
            Self::Act(act) => act.at,
            Self::Moved(step) => step.at,
        }
    }

    /// Its key and what is looked through.
    fn item(&self) -> (String, String) {
        match self {
            Self::Change(c) => (format!("{} {}", c.at.0, c.summary), format!("{} {}", c.kind, c.summary)),
            Self::Act(act) => (format!("act {}", act.at.0), format!("action {} {}", act.what, act.by)),
            Self::Moved(step) => {
                let words = format!("runbook {} {} {} {}", step.from, step.to, step.by, step.reason);
                (format!("step {} {}", step.at.0, step.to), words)
            }
        }
    }
}

/// Replicas in the order of their list: newest revision first, gone ones last, then by name, so that a row stays where
/// it is while its numbers move.
pub fn replicas_in_order(d: &Diagnosis) -> Vec<&ReplicaRow> {
    let mut rows: Vec<&ReplicaRow> = d.replicas.iter().collect();
    rows.sort_by(|a, b| {
        (a.gone, std::cmp::Reverse(a.revision), &a.name).cmp(&(b.gone, std::cmp::Reverse(b.revision), &b.name))
    });
    rows
}

/// GPUs in the order of their list: troubled ones first, then those of this workload's replicas, then by node and index.
pub fn gpus_in_order(d: &Diagnosis) -> Vec<&GpuRow> {
    let ours =
        |g: &GpuRow| g.pod.as_ref().is_some_and(|pod| d.replicas.iter().any(|r| r.name.starts_with(pod.as_str())));
    let mut rows: Vec<&GpuRow> = d.gpus.iter().collect();
    rows.sort_by_cached_key(|g| (!g.troubled, !ours(g), g.id.node.clone(), g.id.index, g.id.uuid.clone()));
    rows
}

impl App {
    /// The items of the open view, those only that the filter leaves.
    pub fn items(&self) -> Vec<Item> {
        let view = self.view();
        let mut items = self.all_items(view);
        if let Some(words) = self.looked_for().filter(|_| view.filters()) {
            items.retain(|item| item.words.to_lowercase().contains(&words));
        }
        items
    }

    /// What changed, what was done about it and how the runbook was walked, newest first.
    pub fn happened(&self) -> Vec<Happened<'_>> {
        let changes = self.diagnosis().into_iter().flat_map(|d| d.changes.iter().map(Happened::Change));
        let run = || self.run().into_iter();
        let acts = run().flat_map(|run| run.acts.iter().map(Happened::Act));
        let steps = run().flat_map(|run| run.moves.iter().map(Happened::Moved));
        let mut all: Vec<Happened<'_>> = acts.chain(steps).chain(changes).collect();
        all.sort_by_key(|h| std::cmp::Reverse(h.at()));
        all
    }

    /// Whether an item is one that was looked for.
    pub fn matches(&self, item: &Item) -> bool {
        self.looks_for(&item.words)
    }

    /// Whether a text holds what is looked for.
    pub fn looks_for(&self, text: &str) -> bool {
        self.looked_for().is_some_and(|words| text.to_lowercase().contains(&words))
    }

    /// What is looked for in the open view, in lower case: what is being typed, or was.
    pub(super) fn looked_for(&self) -> Option<String> {
        let words = self.finding().unwrap_or(&self.cursor().find);
        Some(words.to_lowercase()).filter(|w| !w.is_empty())
    }

    fn all_items(&self, view: View) -> Vec<Item> {
        let pairs: Vec<(String, String)> = match (view, self.diagnosis()) {
            (View::Help, _) => {
                Command::in_groups().map(|c| (c.code().to_owned(), format!("{} {}", c.title(), c.help()))).collect()
            }
            (View::Logs, _) => {
                let Some(logs) = self.logs() else { return Vec::new() };
                let number = |i: usize| (logs.dropped + i).to_string();
                logs.lines.iter().enumerate().map(|(i, line)| (number(i), line.clone())).collect()
            }
            (View::Card, _) => return self.card_rows(),
            (View::Chooser, _) => {
                self.chooser().map_or(&[][..], super::Chooser::all).iter().map(super::chooser::item).collect()
            }
            (View::Main, _) | (_, None) => Vec::new(),
            (View::Levers, Some(_)) => self.lever_items(),
            (View::Evidence, Some(d)) => evidence(d),
            (View::Replicas, Some(d)) => replicas_in_order(d).into_iter().map(replica).collect(),
            (View::Revisions, Some(d)) => d.revisions.iter().map(revision).collect(),
            (View::Gpus, Some(d)) => gpus_in_order(d).into_iter().map(gpu).collect(),
            (View::Timeline, Some(_)) => self.happened().iter().map(Happened::item).collect(),
            (View::Sources, Some(d)) => d
                .sources
                .iter()
                .map(|s| (s.name.clone(), format!("{} {} {}", s.name, s.state, s.error.as_deref().unwrap_or_default())))
                .collect(),
            (View::Runbook, Some(_)) => self.steps(),
        };
        pairs.into_iter().enumerate().map(|(index, (key, words))| Item { index, key, words }).collect()
    }

    /// The checks of the state in which the runbook stands, and the ways out of it.
    fn steps(&self) -> Vec<(String, String)> {
        let (Some(runbook), Some(advice)) = (self.runbook(), self.advice()) else { return Vec::new() };
        let checks = advice
            .checks
            .iter()
            .map(|(check, outcome)| (check.code().to_owned(), format!("{} {}", check.code(), outcome.code())));
        let edges =
            runbook.edges_from(&advice.state).map(|e| (format!("to {}", e.id()), format!("{} {}", e.to, e.when)));
        let returns = runbook.state(&advice.state).map_or(&[][..], |state| &state.returns);
        let returns = returns.iter().map(|to| (format!("to {to}"), format!("{to} return")));
        checks.chain(edges).chain(returns).collect()
    }

    /// Places to which a card can be scrolled, one for each row below the first screen. How wide its text is folded is
    /// the screen's business, so that there may be a few more than are needed, and never fewer.
    fn card_rows(&self) -> Vec<Item> {
        let Some(card) = self.card() else { return Vec::new() };
        let (columns, rows) = (usize::from(self.size.0), usize::from(self.size.1));
        let folded = |text: &str| 1 + text.chars().count() / columns.saturating_sub(16).max(8);
        let words = card.plan().map_or(0, |plan| {
            let parts = crate::action::card::card(plan, card.tried());
            // What is cut short above stands below in full.
            2 * parts.iter().flat_map(|p| &p.lines).map(|l| folded(l)).sum::<usize>()
        });
        // Of the template stand those lines that differ, each with a neighbour on both sides at most.
        let differ =
            |plan: &crate::action::Plan| 4 * plan.lines.iter().filter(|l| l.sign != crate::action::Sign::Same).count();
        let lines = card.plan().map_or(0, |plan| differ(plan).min(plan.lines.len() + 1));
        let all = words + lines + card.alternatives().len();
        let below = all.saturating_sub(rows.saturating_sub(12)) + 1;
        (0..below).map(|index| Item { index, key: index.to_string(), words: String::new() }).collect()
    }

    /// What is to be taken back, then the levers.
    fn lever_items(&self) -> Vec<(String, String)> {
        let owed = self.owed().iter().enumerate();
        let owed = owed.map(|(i, owed)| (format!("owed {i}"), format!("take back {}", owed.what)));
        let levers = self.levers().into_iter().enumerate();
        let levers =
            levers.map(|(i, row)| (format!("{} {i}", row.action.code()), format!("{} {}", row.action, row.why)));
        owed.chain(levers).collect()
    }
}

fn evidence(d: &Diagnosis) -> Vec<(String, String)> {
    let mut items = Vec::new();
    for finding in &d.findings {
        let code = finding.code.code();
        items.push((code.to_owned(), format!("{code} {}", finding.summary)));
        for e in &finding.evidence {
            let key = format!("{code} {}", e.claim.chars().filter(|c| !c.is_ascii_digit()).collect::<String>());
            items.push((key, format!("{} {} {}", e.claim, e.source, number(e.value))));
        }
    }
    items
}

fn replica(row: &ReplicaRow) -> (String, String) {
    let revision = row.revision.map_or(String::new(), |r| format!("rev {r}"));
    (row.name.clone(), format!("{} {} {revision}", row.name, row.node.as_deref().unwrap_or_default()))
}

fn revision(row: &crate::diagnosis::RevisionRow) -> (String, String) {
    let changes: Vec<String> = row.changes.iter().map(ToString::to_string).collect();
    (row.number.to_string(), format!("rev {} {} {} {}", row.number, row.name, row.image, changes.join(" ")))
}

fn gpu(row: &GpuRow) -> (String, String) {
    let (node, pod) = (row.id.node.as_deref().unwrap_or_default(), row.pod.as_deref().unwrap_or_default());
    let index = row.id.index.map_or(String::new(), |i| i.to_string());
    let uuid = row.id.uuid.as_deref().unwrap_or_default();
    let product = row.product.as_deref().unwrap_or_default();
    (format!("{node} {index} {uuid}"), format!("{node} {index} {uuid} {pod} {product} {} {}", row.truth, row.note))
}
