//! Everything that can be changed, and the one gate before it.
//!
//! ```text
//!  Snapshot + Action ─ plan ─► Plan ─ Guard::review ─► Proposed ─ dry run ─► Pending ─ painted, confirmed ─► Approved
//!                       │                │                │                     │                              │
//!                    Refusal           Denial           Denial                Denial              cluster performs it, once
//!                                                                                   Progress ◄─ progress(facts, plan)
//! ```
//!
//! [`plan`] is pure: it makes the exact request, with what it would hit and cost. [`guard`] is the only maker of
//! [`guard::Approved`], and only from a plan whose very bytes were dry-run and whose card was on the screen; [`card`] is
//! what stands on it. Knows no client, no diagnosis (whether a lever helps against a mechanism is said there) and no clock.

mod autoscaler;
pub mod card;
mod cost;
mod diff;
mod fit;
pub mod guard;
mod node;
mod outcome;
mod owners;
mod plan;
mod progress;
mod recall;
mod refusal;
mod request;
mod rollout;
mod scale;
mod template;
mod undo;
mod warnings;

pub use cost::{Cost, Starts, starts};
pub use diff::{Line, Sign, lines};
pub use fit::{Fit, Fits, NodeFit};
pub use outcome::{Answer, Outcome, Permission, Seen, Trial, differences, last_writer, seen, unexpected};
pub use owners::Conflict;
pub use plan::{Change, Context, Goal, Plan, Precondition, plan};
pub use progress::{Progress, Stage, progress};
pub use refusal::Refusal;
pub use request::{Access, Method, Request, place_flags};

use serde::{Deserialize, Serialize};

use crate::domain;

/// What somebody wants to change. The list is complete: nothing else can be asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Action {
    /// Back to an earlier revision's template.
    RolloutUndo {
        /// Which; `None`: the one before the newest.
        to: Option<Target>,
    },
    /// Another number of replicas.
    Scale {
        /// How many.
        to: u32,
    },
    /// Stop a rollout where it is.
    RolloutPause,
    /// Let it go on.
    RolloutResume,
    /// Replace every pod by one with the same template.
    RolloutRestart,
    /// Other bounds for the autoscaler that owns the replicas.
    SetAutoscalerBounds {
        /// The fewest.
        min: u32,
        /// The most.
        max: u32,
    },
    /// Keep KEDA from taking replicas away, or let it again.
    PauseAutoscaler {
        /// Whether it is kept from it.
        paused: bool,
    },
    /// Take a node out of scheduling, or back in.
    CordonNode {
        /// The node.
        node: String,
        /// Whether it is cordoned.
        cordoned: bool,
    },
}

/// The revision that an undo goes back to. Numbers change when a revision is rolled out again; identities do not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Its number, as it was shown.
    pub revision: u64,
    /// The identity of its ReplicaSet or ControllerRevision, where it was chosen from a screen.
    pub uid: Option<String>,
}

impl Action {
    /// Undo to this revision, by number alone: as somebody types it.
    pub const fn undo_to(revision: u64) -> Self {
        Self::RolloutUndo { to: Some(Target { revision, uid: None }) }
    }

    /// Undo to the revision before the newest.
    pub const fn undo() -> Self {
        Self::RolloutUndo { to: None }
    }

    /// Its code in the vocabulary.
    pub const fn kind(&self) -> domain::Action {
        match self {
            Self::RolloutUndo { .. } => domain::Action::RolloutUndo,
            Self::Scale { .. } => domain::Action::Scale,
            Self::RolloutPause => domain::Action::RolloutPause,
            Self::RolloutResume => domain::Action::RolloutResume,
            Self::RolloutRestart => domain::Action::RolloutRestart,
            Self::SetAutoscalerBounds { .. } => domain::Action::SetAutoscalerBounds,
            Self::PauseAutoscaler { .. } => domain::Action::PauseAutoscaler,
            Self::CordonNode { .. } => domain::Action::CordonNode,
        }
    }
}

impl std::fmt::Display for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::RolloutUndo { to: Some(to) } => write!(f, "undo to revision {}", to.revision),
            Self::RolloutUndo { to: None } => f.write_str("undo"),
            Self::Scale { to } => write!(f, "scale to {to}"),
            Self::RolloutPause => f.write_str("pause the rollout"),
            Self::RolloutResume => f.write_str("resume the rollout"),
            Self::RolloutRestart => f.write_str("restart"),
            Self::SetAutoscalerBounds { min, max } => write!(f, "set the autoscaler's bounds to {min}-{max}"),
            Self::PauseAutoscaler { paused: true } => f.write_str("pause KEDA's scale-in"),
            Self::PauseAutoscaler { paused: false } => f.write_str("let KEDA scale in again"),
            Self::CordonNode { node, cordoned: true } => write!(f, "cordon {node}"),
            Self::CordonNode { node, cordoned: false } => write!(f, "uncordon {node}"),
        }
    }
}
