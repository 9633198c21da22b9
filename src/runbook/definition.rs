//! What a runbook is, once its file was read: states, edges, levers, and what must be true of them all. Knows no file
//! format; `file` reads one.

use serde::{Deserialize, Serialize};

use super::{Check, Guard};
use crate::domain::{Action, codes};

/// A runbook.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Runbook {
    /// Its short name.
    pub id: String,
    /// Its title.
    pub title: String,
    /// What it is for.
    pub trigger: String,
    /// The state in which it begins.
    pub start: String,
    /// Its states.
    pub states: Vec<State>,
    /// Its edges, in the order in which they are tried.
    pub edges: Vec<Edge>,
    /// Levers that can be pulled in any state, and the state in which they leave the run.
    pub anywhere: Vec<Anywhere>,
    /// Remedies that are no lever in an incident, named so that nobody looks for them.
    pub structural: Vec<String>,
}

/// A state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Its name.
    pub name: String,
    /// Whether it is an end.
    pub kind: Kind,
    /// What is decided in it.
    pub decides: String,
    /// What is looked at in it.
    pub checks: Vec<Check>,
    /// What can be done in it.
    pub levers: Vec<Lever>,
    /// What is done by hand in it, in order.
    pub steps: Vec<String>,
    /// Whether it is where one looks whether a lever helped.
    pub verifies: bool,
    /// What an end means.
    pub means: Option<Meaning>,
    /// The states to which one comes back from an end: after another runbook was walked. Empty: it is final.
    pub returns: Vec<String>,
    /// Whether it is an addition to the runbook as drawn.
    pub ours: bool,
    /// The file that added or changed it, where that is not the runbook's own.
    pub from_file: Option<String>,
}

codes! {
    /// Whether a state has a way out.
    Kind {
        /// It has.
        Step = "step",
        /// It has not.
        End = "end",
    }
}

codes! {
    /// What an end means.
    Meaning {
        /// The incident is over.
        Resolved = "resolved",
        /// There was none.
        NotReal = "not_real",
        /// Another runbook goes on.
        Diverted = "diverted",
    }
}

/// Something that can be changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lever {
    /// Which.
    pub action: Action,
    /// What to do with it here.
    pub text: String,
    /// Engine flags that it is about.
    pub flags: Vec<String>,
    /// Whether it is an addition to the runbook as drawn.
    pub ours: bool,
}

/// A lever that works in any state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anywhere {
    /// Which.
    pub action: Action,
    /// Where the run stands once it was pulled.
    pub to: String,
}

/// A way from a state to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edge {
    /// From here.
    pub from: String,
    /// To there.
    pub to: String,
    /// What must hold for it to be recommended; without any condition it is for the operator to take.
    pub guard: Option<Guard>,
    /// Checks that must pass for it to be recommended.
    pub pass: Vec<Check>,
    /// Checks that must not fail; what cannot be told does not block.
    pub unless_fail: Vec<Check>,
    /// Edges of one group that hold together compete by their share of the trouble, and the others stay open.
    pub group: Option<String>,
    /// When it is taken, in words.
    pub when: String,
    /// Whether taking it means that the state it leaves was not it.
    pub rules_out: bool,
    /// The runbook that goes on there.
    pub divert: Option<String>,
    /// Whether it is an addition to the runbook as drawn.
    pub ours: bool,
    /// The file that added or changed it, where that is not the runbook's own.
    pub from_file: Option<String>,
}

impl Edge {
    /// What tells it from the other ways out of its state: where it leads, and into which runbook.
    pub fn id(&self) -> String {
        match &self.divert {
            Some(runbook) => format!("{}:{runbook}", self.to),
            None => self.to.clone(),
        }
    }

    /// Whether it can ever be recommended.
    pub fn is_guarded(&self) -> bool {
        self.guard.is_some() || !self.pass.is_empty()
    }
}

impl Runbook {
    /// The state with this name.
    pub fn state(&self, name: &str) -> Option<&State> {
        self.states.iter().find(|s| s.name == name)
    }

    /// The ways out of a state, in order.
    pub fn edges_from<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Edge> {
        self.edges.iter().filter(move |e| e.from == name)
    }

    /// The way out of `from` with this identity.
    pub fn edge(&self, from: &str, id: &str) -> Option<&Edge> {
        self.edges.iter().find(|e| e.from == from && e.id() == id)
    }

    /// Whether a run is over in this state.
    pub fn is_end(&self, name: &str) -> bool {
        self.state(name).is_some_and(|s| s.kind == Kind::End)
    }

    /// The states that can be reached from its start, levers that work anywhere included.
    pub fn reachable(&self) -> Vec<&str> {
        let mut reached = vec![self.start.as_str()];
        reached.extend(self.anywhere.iter().map(|a| a.to.as_str()));
        let mut next = 0;
        while let Some(from) = reached.get(next).copied() {
            next += 1;
            let returns = self.state(from).into_iter().flat_map(|s| s.returns.iter().map(String::as_str));
            for to in self.edges_from(from).map(|e| e.to.as_str()).chain(returns).collect::<Vec<_>>() {
                if !reached.contains(&to) {
                    reached.push(to);
                }
            }
        }
        reached
    }
}
