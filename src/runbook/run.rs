//! A walk through a runbook: where it stands, how it came there, what is remembered. It moves when an operator says so,
//! and by nothing else. `on` decides and answers with records; `apply` is the only place where a run changes.

mod decide;
mod fold;

use serde::{Deserialize, Serialize};

use super::look::{Condition, Seen, look};
use super::record::{Act, Record, Transition, Who};
use super::sight::Sight;
use super::{Check, Memory, Outcome, Runbook};
use crate::domain::{Action, At};

/// Moves and levers that a run keeps; more than anybody makes by hand in an incident.
const MOST_KEPT: usize = 500;

/// What can happen to a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum RunEvent {
    /// Something new was diagnosed, and looked at from the state in which the run stands.
    Saw {
        /// What was seen.
        seen: Box<Seen>,
    },
    /// Somebody has seen it.
    Acknowledge {
        /// When.
        at: At,
        /// Who.
        by: Who,
    },
    /// Take this way out.
    Take {
        /// When.
        at: At,
        /// Who.
        by: Who,
        /// The edge's identity in its state.
        edge: String,
        /// Why; needed where it is not the recommended one.
        reason: Option<String>,
    },
    /// Go back to where it came from.
    Back {
        /// When.
        at: At,
        /// Who.
        by: Who,
        /// Why.
        reason: Option<String>,
    },
    /// Go back to the start: offered once it broke again.
    Again {
        /// When.
        at: At,
        /// Who.
        by: Who,
    },
    /// Come back from another runbook.
    Return {
        /// When.
        at: At,
        /// Who.
        by: Who,
        /// To this state.
        to: String,
        /// What came of it.
        reason: Option<String>,
    },
    /// A lever was pulled and the cluster answered.
    Acted {
        /// When.
        at: At,
        /// Who.
        by: Who,
        /// Which.
        action: Action,
        /// What exactly.
        what: String,
        /// Why.
        reason: Option<String>,
        /// Whether it was accepted; `None`: not known.
        accepted: Option<bool>,
        /// How long it was said to take (s).
        eta_s: Option<f64>,
    },
    /// Somebody writes something down.
    Note {
        /// When.
        at: At,
        /// Who.
        by: Who,
        /// What.
        text: String,
    },
}

/// What comes of an event.
#[derive(Debug, Clone, PartialEq)]
pub enum RunEffect {
    /// The run changed: this is for the journal.
    Record(Record),
    /// Nothing changed, because.
    Refused(Refused),
    /// It was done, and this is to be minded.
    Warned(String),
}

/// Why a run did not move.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is over.
    #[error("this run is over ({state}): a new one begins at the start")]
    Over {
        /// The end.
        state: String,
    },
    /// There is no such way.
    #[error("'{edge}' is no way out of {state}")]
    NoSuchWay {
        /// The state.
        state: String,
        /// The edge.
        edge: String,
    },
    /// Another way than the recommended one needs a reason.
    #[error("{edge} is not what is recommended: say why")]
    ReasonNeeded {
        /// The edge.
        edge: String,
    },
    /// It stands where it began.
    #[error("there is nothing before {state}")]
    NothingBefore {
        /// The state.
        state: String,
    },
    /// It did not break again.
    #[error("it did not break again: take a way out, or go back")]
    NotOffered,
    /// What was seen was seen from another state, or is older than what is known.
    #[error("what was seen belongs to another state or moment")]
    OutOfDate,
}

/// When the steps of an incident were reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Times {
    /// Somebody did anything at all.
    pub acknowledged: Option<At>,
    /// The start was left for a state that is no end.
    pub diagnosed: Option<At>,
    /// The first lever was accepted.
    pub mitigated: Option<At>,
    /// The objective held again, as announced; the last time that it did.
    pub recovered: Option<At>,
    /// An end was reached that says it is resolved.
    pub verified: Option<At>,
}

/// A walk through a runbook.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// The runbook's short name.
    pub runbook: String,
    /// The state in which it began.
    pub start: String,
    /// Where it stands.
    pub state: String,
    /// Whether it is over.
    pub ended: bool,
    /// When it was opened.
    pub opened: At,
    /// The states on the way here, for going back; the last is the one before this.
    pub trail: Vec<String>,
    /// Every move.
    pub moves: Vec<Transition>,
    /// Every lever.
    pub acts: Vec<Act>,
    /// When the steps of the incident were reached.
    pub times: Times,
    /// What it remembers.
    pub memory: Memory,
    /// The last condition that was sure, and what was announced last.
    pub condition: Condition,
    /// Whether nothing fresh was read when it last looked.
    pub stale: bool,
    /// Since when the objective has been seen to hold, where it was broken before.
    pub holding_since: Option<At>,
    /// Whether going back to the start is offered, because it broke again.
    pub again_offered: bool,
    /// Ways that held and were not taken, from all moves since the start: what stays open.
    pub open: Vec<String>,
    /// What its checks said when they were last recorded.
    pub answers: Vec<(Check, Outcome)>,
    /// When they were last recorded in this state.
    pub answered: Option<At>,
    /// What it saw last, from the state in which it stands.
    pub seen: Option<Seen>,
}

impl Run {
    /// A run that begins now.
    pub fn start(runbook: &Runbook, at: At, by: &Who, onset: Option<At>) -> (Self, Record) {
        let record =
            Record::Started { at, by: by.clone(), runbook: runbook.id.clone(), state: runbook.start.clone(), onset };
        let mut run = Self::empty();
        run.apply(&record);
        (run, record)
    }

    /// The run that these records describe, and nothing where they begin no run. What it saw is not on record: it looks
    /// anew. Needs no runbook: a record says what followed from it, whatever the runbook's file says today.
    pub fn restore<'r>(records: impl IntoIterator<Item = &'r Record>) -> Option<Self> {
        let mut run: Option<Self> = None;
        for record in records {
            if matches!(record, Record::Started { .. }) {
                run = Some(Self::empty());
            }
            if let Some(run) = &mut run {
                run.apply(record);
            }
        }
        run
    }

    fn empty() -> Self {
        Self {
            runbook: String::new(),
            start: String::new(),
            ended: false,
            state: String::new(),
            opened: At(0),
            trail: Vec::new(),
            moves: Vec::new(),
            acts: Vec::new(),
            times: Times::default(),
            memory: Memory::new(),
            condition: Condition::Breached,
            stale: false,
            holding_since: None,
            again_offered: false,
            open: Vec::new(),
            answers: Vec::new(),
            answered: None,
            seen: None,
        }
    }

    /// Looks from where it stands: what to hand back to it as [`RunEvent::Saw`].
    pub fn look(&self, runbook: &Runbook, sight: Sight<'_>) -> Seen {
        look(runbook, &self.state, sight.with_memory(&self.memory))
    }

    /// Takes in one event. Pure: the same run, runbook and event give the same effects.
    pub fn on(&mut self, runbook: &Runbook, event: RunEvent) -> Vec<RunEffect> {
        let effects = self.decide(runbook, &event);
        for effect in &effects {
            if let RunEffect::Record(record) = effect {
                self.apply(record);
            }
        }
        if let RunEvent::Saw { seen } = event
            && !effects.iter().any(|e| matches!(e, RunEffect::Refused(_)))
        {
            self.saw(*seen);
        }
        effects
    }

    /// Takes over what another war room put on record, or what a record that is played again says.
    pub fn heard(&mut self, record: &Record) {
        self.apply(record);
    }

    /// Takes in a look without deciding anything: for one who looks on, where somebody else keeps the record.
    pub fn glanced(&mut self, seen: Seen) {
        if seen.state == self.state && self.seen.as_ref().is_none_or(|last| seen.at >= last.at) {
            self.saw(seen);
        }
    }

    /// A lever that was accepted and whose effect nobody has looked at yet.
    pub fn unverified(&self) -> Option<&Act> {
        let verified = self.memory.lever.is_none();
        self.acts.iter().rev().find(|a| a.accepted != Some(false)).filter(|_| !verified)
    }

    /// What to mind before pulling `action` now: one variable at a time.
    pub fn caution(&self, action: Action) -> Option<String> {
        let earlier = self.unverified()?;
        Some(format!(
            "{} ({}) is not verified yet: after {action} nobody can tell which of the two helped",
            earlier.what, earlier.action
        ))
    }

    /// The time from the onset, or from the opening where that is not known, to `then` (s).
    pub fn after_onset(&self, then: Option<At>) -> Option<f64> {
        Some(then?.since(self.memory.onset.unwrap_or(self.opened)))
    }
}
