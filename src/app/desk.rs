//! The incident: the walk through the runbook, who keeps its record, and what may be changed. What happens to it stands
//! in `walk`, `levers` and `follow`; here is what it consists of, and why a lever is off.

use crate::action::guard::Guard;
use crate::action::{Action, Outcome, Plan};
use crate::domain::At;
use crate::runbook::{Catalogue, Run, Runbook, Who};

use super::acting::Acting;
use super::card::Card;

/// An unfinished incident of this workload that is on record.
#[derive(Debug, Clone, PartialEq)]
pub struct Earlier {
    /// The run as it stood.
    pub run: Option<Run>,
    /// When its last line was written.
    pub last: At,
    /// By whom.
    pub by: Who,
    /// Who has it open now, where somebody has.
    pub held_by: Option<Who>,
    /// The last change that was sent, where the service did not say yet whether it helped.
    pub change: Option<EarlierChange>,
    /// Changes that were made and are to be taken back.
    pub owed: Vec<Owed>,
}

/// A change that is on record.
#[derive(Debug, Clone, PartialEq)]
pub struct EarlierChange {
    /// By this it was sent.
    pub id: u64,
    /// Its plan, as far as it is remembered.
    pub plan: Plan,
    /// When it was put on record.
    pub at: At,
    /// What came of it; `None`: its answer is not on record, and what became of it is read from the cluster.
    pub outcome: Option<Outcome>,
}

/// A change that stays until somebody takes it back.
#[derive(Debug, Clone, PartialEq)]
pub struct Owed {
    /// What was done.
    pub what: String,
    /// When.
    pub at: At,
    /// What takes it back.
    pub inverse: Action,
}

impl Owed {
    /// What is owed after `action` was done: what it took back goes, and it comes itself where it stays.
    pub fn after(owed: &mut Vec<Self>, action: &Action, inverse: Option<&Action>, at: At) {
        let before = owed.len();
        owed.retain(|o| o.inverse != *action);
        // What takes back is not owed in its turn.
        let Some(inverse) = inverse.filter(|_| owed.len() == before) else { return };
        let stays = match action {
            // The bounds of the beginning are what they go back to, however often they were set since.
            Action::SetAutoscalerBounds { .. } => !owed.iter().any(|o| o.inverse.kind() == action.kind()),
            Action::PauseAutoscaler { paused: holds } | Action::CordonNode { cordoned: holds, .. } => *holds,
            Action::RolloutPause => true,
            _ => false,
        };
        if stays {
            owed.push(Self { what: action.to_string(), at, inverse: inverse.clone() });
        }
    }
}

/// How it stands with the record.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Recording {
    /// None was begun.
    #[default]
    None,
    /// This war room writes it.
    Writing {
        /// Its file, as it is shown.
        path: String,
    },
    /// It cannot be written: what would have to be on record cannot be done.
    Failing {
        /// Why, and what to do.
        why: String,
    },
    /// Another war room writes it, and this one reads along.
    ReadingAlong {
        /// Who.
        by: Who,
    },
    /// A record is played again.
    Replay,
}

/// Everything that belongs to the incident.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) catalogue: Catalogue,
    /// The short name of the runbook that an incident begins with.
    pub(super) runbook: String,
    pub(super) who: Who,
    pub(super) guard: Guard,
    pub(super) run: Option<Run>,
    pub(super) recording: Recording,
    /// Whether the records were not looked through yet: no run begins before that.
    pub(super) looking: bool,
    pub(super) earlier: Option<Box<Earlier>>,
    pub(super) card: Option<Card>,
    pub(super) acting: Option<Acting>,
    pub(super) owed: Vec<Owed>,
    /// The last number that a change was given.
    pub(super) last_id: u64,
}

impl Desk {
    /// The runbook that is walked, or that would be.
    pub(super) fn book(&self) -> Option<&Runbook> {
        let id = self.run.as_ref().map_or(self.runbook.as_str(), |run| run.runbook.as_str());
        self.catalogue.get(id).map(|loaded| &loaded.runbook)
    }

    /// Whether this war room decides, and does not only look on.
    pub(super) const fn decides(&self) -> bool {
        !matches!(self.recording, Recording::ReadingAlong { .. } | Recording::Replay)
    }

    /// Why nothing may be changed, where that is so for every lever.
    pub(super) fn levers_off(&self) -> Option<String> {
        match &self.recording {
            Recording::Replay => return Some("this is a replay: nothing can be changed in the past".to_owned()),
            Recording::ReadingAlong { by } => return Some(format!("{by} has this incident: take it over first")),
            _ => {}
        }
        if self.guard.policy().read_only {
            return Some("read-only: start it without --read-only to change anything".to_owned());
        }
        if self.earlier.is_some() {
            return Some("an incident is on record: resume it or begin anew first".to_owned());
        }
        if let Recording::Failing { why } = &self.recording {
            return Some(why.clone());
        }
        let waits = self.acting.as_ref().filter(|a| a.outcome.is_none())?;
        Some(format!("'{}' is on its way: wait for its answer", waits.plan.action))
    }
}
