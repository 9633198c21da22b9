//! A change that was sent, until the service says whether it helped. Kubernetes' 'done' is a step on the way and not the
//! end of it.

use crate::action::{Outcome, Plan, Progress, Stage, progress};
use crate::domain::{At, Snapshot};
use crate::runbook::Condition;

/// It must hold for so long before it counts as fixed (s): one good minute between two bad ones is none.
const HELD_S: f64 = 60.0;
/// So long after it is done the short window holds nothing from before (s), and it can be told that it did not help.
const WINDOW_S: f64 = 300.0;

/// What the service says of a change that is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Worked {
    /// The objective holds.
    Fixed,
    /// It is broken as before.
    NotFixed,
    /// Too few requests came to tell.
    NotEnoughTraffic,
}

impl Worked {
    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Fixed => "fixed",
            Self::NotFixed => "not fixed",
            Self::NotEnoughTraffic => "not enough traffic",
        }
    }
}

/// What stands before the service's verdict in a note on record.
const VERDICT: &str = "verdict: ";

/// The note that puts the service's verdict on record.
pub(super) fn verdict(plan: &Plan, worked: Worked, sentence: &str) -> String {
    format!("{VERDICT}{}: {}. {sentence}", plan.action, worked.words())
}

/// Whether a note on record is the service's verdict on a change.
pub fn is_verdict(note: &str) -> bool {
    note.starts_with(VERDICT)
}

/// A change that was sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Acting {
    /// By this its answer is found.
    pub id: u64,
    /// The plan.
    pub plan: Plan,
    /// Whether it takes back what was done before: then it is no remedy, and has no verdict.
    pub takes_back: bool,
    /// When it was handed over to be sent.
    pub sent: At,
    /// What came of it; `None`: no answer yet.
    pub outcome: Option<Outcome>,
    /// How far the cluster is with it.
    pub progress: Option<Progress>,
    /// Since when the cluster is done with it.
    pub done: Option<At>,
    /// Since when the objective has held without a break, after it was sent.
    holds: Option<At>,
    /// What the service says, since when.
    pub worked: Option<(At, Worked)>,
}

impl Acting {
    pub(super) const fn new(id: u64, plan: Plan, sent: At) -> Self {
        Self { id, plan, takes_back: false, sent, outcome: None, progress: None, done: None, holds: None, worked: None }
    }

    /// Whether it is to be followed: it was accepted, or nobody knows.
    pub fn is_followed(&self) -> bool {
        self.outcome.as_ref().is_some_and(|o| o.changed() != Some(false))
    }

    /// By when the service can have told whether it helped, once the cluster is done with it.
    pub fn told_by(&self) -> Option<At> {
        self.done.map(|done| done.plus(WINDOW_S))
    }

    /// Looks how far it is. True: the service has given its verdict just now.
    pub(super) fn look(&mut self, snapshot: &Snapshot, condition: Condition) -> bool {
        if !self.is_followed() {
            return false;
        }
        let now = snapshot.now;
        if let Some((_, facts)) = &snapshot.cluster {
            let progress = progress(facts, &self.plan, now);
            match progress.stage {
                Stage::Done => drop(self.done.get_or_insert(now)),
                // A pod was lost again: it is not done any more, and the waiting begins anew.
                _ if self.worked.is_none() => self.done = None,
                _ => {}
            }
            self.progress = Some(progress);
        }
        self.holds = match condition {
            Condition::Holds => self.holds.or(Some(now)),
            // A stretch in which nothing can be told is no break.
            Condition::Open | Condition::Stale => self.holds,
            Condition::Breached => None,
        };
        let Some(done) = self.done.filter(|_| self.worked.is_none() && !self.takes_back) else { return false };
        let waited = now.since(done);
        let held = self.holds.map_or(0.0, |since| now.since(since.max(done)));
        let worked = match condition {
            Condition::Holds if held >= HELD_S => Worked::Fixed,
            Condition::Breached if waited >= WINDOW_S => Worked::NotFixed,
            Condition::Open if waited >= WINDOW_S => Worked::NotEnoughTraffic,
            _ => return false,
        };
        self.worked = Some((now, worked));
        true
    }
}
