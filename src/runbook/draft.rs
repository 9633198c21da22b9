//! What a file says before it is known whether it makes a runbook, and how it becomes one: by itself, or over another
//! one that it extends.

use super::definition::{Anywhere, Edge, Lever, Runbook, State};
use super::file::unknown_state;
use super::problem::{Problems, RunbookError};
use super::{Check, Guard, Kind, Meaning};
use crate::domain::Action;

/// A value and the byte at which it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Placed<T> {
    pub(super) value: T,
    pub(super) at: usize,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Draft {
    pub(super) id: Option<Placed<String>>,
    pub(super) extends: Option<Placed<String>>,
    pub(super) title: Option<Placed<String>>,
    pub(super) trigger: Option<Placed<String>>,
    pub(super) start: Option<Placed<String>>,
    pub(super) structural: Vec<String>,
    pub(super) states: Vec<DraftState>,
    pub(super) edges: Vec<DraftEdge>,
    pub(super) anywhere: Vec<(Action, Placed<String>)>,
}

#[derive(Debug, Clone)]
pub(super) struct DraftState {
    pub(super) name: Placed<String>,
    pub(super) kind: Option<Kind>,
    pub(super) decides: Option<String>,
    pub(super) checks: Vec<Check>,
    pub(super) levers: Vec<DraftLever>,
    pub(super) steps: Vec<String>,
    pub(super) verifies: Option<bool>,
    pub(super) means: Option<Meaning>,
    pub(super) returns: Vec<Placed<String>>,
    pub(super) ours: Option<bool>,
}

#[derive(Debug, Clone)]
pub(super) struct DraftLever {
    pub(super) action: Action,
    pub(super) text: String,
    pub(super) flags: Vec<String>,
    pub(super) ours: bool,
}

#[derive(Debug, Clone)]
pub(super) struct DraftEdge {
    pub(super) at: usize,
    pub(super) from: Placed<String>,
    pub(super) to: Placed<String>,
    pub(super) guard: Option<Guard>,
    pub(super) pass: Vec<Check>,
    pub(super) unless_fail: Vec<Check>,
    pub(super) group: Option<String>,
    pub(super) when: Option<String>,
    pub(super) rules_out: Option<bool>,
    pub(super) divert: Option<Placed<String>>,
    pub(super) ours: Option<bool>,
}

impl Draft {
    /// Makes a runbook of it: every edge leads somewhere, every state but an end has a way out and can be reached, no
    /// state is named twice. `base` is the runbook that it extends.
    pub(super) fn assemble(self, mut problems: Problems, base: Option<Runbook>) -> Result<Runbook, RunbookError> {
        let added_by = base.is_some().then(|| problems.file_name().to_owned());
        self.look_for_doubles(&mut problems);
        let own = base.is_none();
        let mut book = base.unwrap_or_else(|| Runbook {
            id: String::new(),
            title: String::new(),
            trigger: String::new(),
            start: String::new(),
            states: Vec::new(),
            edges: Vec::new(),
            anywhere: Vec::new(),
            structural: Vec::new(),
        });
        for (key, given, into) in [
            ("id", &self.id, &mut book.id),
            ("title", &self.title, &mut book.title),
            ("trigger", &self.trigger, &mut book.trigger),
            ("start", &self.start, &mut book.start),
        ] {
            match given {
                Some(given) => into.clone_from(&given.value),
                None if own => problems.add(0, format!("a runbook has no '{key}': give it one")),
                None => {}
            }
        }
        book.structural.extend(self.structural.iter().cloned());
        for state in &self.states {
            state.put(&mut book, added_by.as_deref(), &mut problems);
        }
        self.put_edges(&mut book, added_by.as_deref());
        for (action, to) in &self.anywhere {
            book.anywhere.retain(|a| a.action != *action);
            book.anywhere.push(Anywhere { action: *action, to: to.value.clone() });
        }
        self.look_for_nowhere(&book, &mut problems);
        if problems.is_empty() {
            self.look_for_traps(&book, &mut problems);
        }
        if problems.is_empty() { Ok(book) } else { Err(problems.into_error()) }
    }

    fn put_edges(&self, book: &mut Runbook, added_by: Option<&str>) {
        let mut added = Vec::new();
        for edge in &self.edges {
            let edge = edge.finished(added_by);
            match book.edges.iter_mut().find(|e| e.from == edge.from && e.id() == edge.id()) {
                Some(known) => *known = edge,
                None => added.push(edge),
            }
        }
        // Whoever adds an edge to a runbook means it to be tried before what was there.
        book.edges.splice(0..0, added);
    }

    fn look_for_doubles(&self, problems: &mut Problems) {
        for (i, state) in self.states.iter().enumerate() {
            if self.states[..i].iter().any(|other| other.name.value == state.name.value) {
                problems.add(state.name.at, format!("state '{}' is there twice", state.name.value));
            }
        }
        let id = |e: &DraftEdge| (e.from.value.clone(), e.to.value.clone(), e.divert.as_ref().map(|d| d.value.clone()));
        for (i, edge) in self.edges.iter().enumerate() {
            if self.edges[..i].iter().any(|other| id(other) == id(edge)) {
                problems
                    .add(edge.at, format!("the edge from '{}' to '{}' is there twice", edge.from.value, edge.to.value));
            }
        }
    }

    fn look_for_nowhere(&self, book: &Runbook, problems: &mut Problems) {
        let known: Vec<&str> = book.states.iter().map(|s| s.name.as_str()).collect();
        let named = self.edges.iter().flat_map(|e| [&e.from, &e.to]);
        let named = named.chain(self.anywhere.iter().map(|(_, to)| to)).chain(&self.start);
        for name in named.chain(self.states.iter().flat_map(|s| &s.returns)) {
            if !name.value.is_empty() && !known.contains(&name.value.as_str()) {
                problems.add(name.at, unknown_state(&name.value, &known));
            }
        }
    }

    fn look_for_traps(&self, book: &Runbook, problems: &mut Problems) {
        let reached = book.reachable();
        for state in &book.states {
            let at = self.states.iter().find(|s| s.name.value == state.name).map_or(0, |s| s.name.at);
            let ways_out = book.edges_from(&state.name).count();
            let problem = match state.kind {
                Kind::Step if ways_out == 0 => "has no way out; give it an edge, or kind = \"end\"",
                Kind::End if ways_out > 0 => "is an end and has a way out",
                Kind::End if state.verifies => "is an end and verifies: look before the end",
                Kind::Step if state.means.is_some() => "is no end and has a 'means'",
                Kind::Step if !state.returns.is_empty() => "is no end and has 'returns'; give it edges",
                _ if !reached.contains(&state.name.as_str()) => "cannot be reached from the start",
                _ => continue,
            };
            problems.add(at, format!("state '{}' {problem}", state.name));
        }
        for edge in &self.edges {
            let end = book.is_end(&edge.to.value);
            if edge.divert.is_some() && !end {
                problems.add(edge.at, format!("a divert leads to an end, and '{}' is none", edge.to.value));
            }
        }
    }
}

impl DraftState {
    /// Puts it into the runbook: a known state gains what is given, a new one is added.
    fn put(&self, book: &mut Runbook, added_by: Option<&str>, problems: &mut Problems) {
        let levers = self.levers.iter().map(|l| Lever {
            action: l.action,
            text: l.text.clone(),
            flags: l.flags.clone(),
            ours: l.ours,
        });
        let returns: Vec<String> = self.returns.iter().map(|r| r.value.clone()).collect();
        let Some(known) = book.states.iter_mut().find(|s| s.name == self.name.value) else {
            if self.decides.is_none() {
                problems.add(
                    self.name.at,
                    format!("state '{}' has no 'decides': say what is decided in it", self.name.value),
                );
            }
            book.states.push(State {
                name: self.name.value.clone(),
                kind: self.kind.unwrap_or(Kind::Step),
                decides: self.decides.clone().unwrap_or_default(),
                checks: self.checks.clone(),
                levers: levers.collect(),
                steps: self.steps.clone(),
                verifies: self.verifies.unwrap_or(false),
                means: self.means,
                returns,
                ours: self.ours.unwrap_or(false),
                from_file: added_by.map(str::to_owned),
            });
            return;
        };
        known.kind = self.kind.unwrap_or(known.kind);
        known.decides = self.decides.clone().unwrap_or_else(|| known.decides.clone());
        known.checks.extend(self.checks.iter().filter(|c| !known.checks.contains(c)).copied().collect::<Vec<_>>());
        for lever in levers {
            known.levers.retain(|l| l.action != lever.action || l.flags != lever.flags);
            known.levers.insert(0, lever);
        }
        known.steps.extend(self.steps.iter().cloned());
        known.verifies = self.verifies.unwrap_or(known.verifies);
        known.means = self.means.or(known.means);
        known.returns.extend(returns);
        known.from_file = added_by.map(str::to_owned);
    }
}

impl DraftEdge {
    fn finished(&self, added_by: Option<&str>) -> Edge {
        Edge {
            from: self.from.value.clone(),
            to: self.to.value.clone(),
            guard: self.guard,
            pass: self.pass.clone(),
            unless_fail: self.unless_fail.clone(),
            group: self.group.clone(),
            when: self.when.clone().unwrap_or_default(),
            rules_out: self.rules_out.unwrap_or(false),
            divert: self.divert.as_ref().map(|d| d.value.clone()),
            ours: self.ours.unwrap_or(false),
            from_file: added_by.map(str::to_owned),
        }
    }
}
