//! What goes on record: everything that changes a run. A run is the fold of its records and of what it saw.

use serde::{Deserialize, Serialize};

use super::{Check, Meaning, Outcome};
use crate::domain::{Action, At};

/// Who did something.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Who {
    /// The effective user.
    pub user: String,
    /// The host on which the war room runs.
    pub host: String,
}

impl std::fmt::Display for Who {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}", self.user, self.host)
    }
}

/// Something that happened to a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
pub enum Record {
    /// A run began.
    Started {
        /// When.
        at: At,
        /// By whom.
        by: Who,
        /// The runbook.
        runbook: String,
        /// The state in which it begins.
        state: String,
        /// When the objective broke, where that is known.
        onset: Option<At>,
    },
    /// Somebody has seen it and takes care.
    Acknowledged {
        /// When.
        at: At,
        /// By whom.
        by: Who,
    },
    /// The run stands in another state.
    Moved(Transition),
    /// A lever was pulled.
    Acted(Act),
    /// Something was announced; nothing moved.
    Announced {
        /// When.
        at: At,
        /// What.
        what: Announced,
        /// The verdict at that time.
        sentence: String,
    },
    /// Checks of the state say something else than before.
    Checked {
        /// When.
        at: At,
        /// In which state.
        state: String,
        /// Which, with evidence.
        changed: Vec<Answered>,
    },
    /// Another onset than was known: earlier, or for the first time.
    Onset {
        /// When it was learned.
        at: At,
        /// When it was.
        onset: At,
    },
    /// Somebody wrote something down.
    Noted {
        /// When.
        at: At,
        /// By whom.
        by: Who,
        /// What.
        text: String,
    },
}

/// A check, as it is recorded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answered {
    /// Which.
    pub check: Check,
    /// What it says.
    pub outcome: Outcome,
    /// Its evidence.
    pub says: String,
}

/// A move.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transition {
    /// When.
    pub at: At,
    /// By whom.
    pub by: Who,
    /// From here.
    pub from: String,
    /// To there.
    pub to: String,
    /// On which way.
    pub how: How,
    /// Why: the program's words where its advice was taken, else the operator's.
    pub reason: String,
    /// What the program recommended at that time, and why; where something else was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advised: Option<(String, String)>,
    /// The runbook that goes on, where it leads to another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub divert: Option<String>,
    /// Ways that held as well and were left open.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub open: Vec<String>,
    /// Whether it came to an end there.
    #[serde(default, skip_serializing_if = "is_false")]
    pub ended: bool,
    /// What that end means, where the runbook says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub means: Option<Meaning>,
    /// Whether the state that was left turned out not to be it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub rules_out: bool,
    /// Whether the state that was left is where one looks whether a lever helped.
    #[serde(default, skip_serializing_if = "is_false")]
    pub verified: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// On which way a run moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// On the recommended edge.
    Recommended,
    /// On another edge.
    Chosen,
    /// Back to where it came from.
    Back,
    /// By pulling a lever that works anywhere.
    Lever,
    /// Back to the start, because it broke again.
    Again,
    /// Back from another runbook.
    Returned,
}

/// A lever that was pulled, and what the cluster answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Act {
    /// When it was answered.
    pub at: At,
    /// By whom.
    pub by: Who,
    /// Which.
    pub action: Action,
    /// What exactly, in words: `undo to revision 41`.
    pub what: String,
    /// Why, in the operator's words or the runbook's.
    pub reason: String,
    /// Whether the change was accepted; `None`: the outcome is not known.
    pub accepted: Option<bool>,
    /// How long it was said to take (s).
    pub eta_s: Option<f64>,
    /// In which state.
    pub state: String,
    /// Whether it was pulled before an earlier one was verified.
    pub before_verify: bool,
}

/// What is announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Announced {
    /// The objective holds again.
    Recovered,
    /// It broke again; going back to the start is offered.
    BreachedAgain,
    /// Nothing fresh is read any more: what is shown is old.
    Stale,
    /// Fresh data came back.
    Fresh,
}

impl Announced {
    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Recovered => "recovered",
            Self::BreachedAgain => "breached again",
            Self::Stale => "stale: nothing fresh is read",
            Self::Fresh => "fresh data again",
        }
    }
}
