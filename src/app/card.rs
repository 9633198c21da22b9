//! The card of one change, from its plan to the moment of confirming. What it says in words is
//! [`action`](crate::action)'s business; here is how far it is.

use crate::action::guard::{Confirm, Denial, Pending};
use crate::action::{Action, Answer, Permission, Plan, Refusal};
use crate::domain::{At, Helps};

/// A card.
#[derive(Debug)]
pub struct Card {
    /// What was asked for.
    pub action: Action,
    /// When it was asked for.
    pub opened: At,
    /// How far it is.
    pub stage: Stage,
    /// Whether it helps against what was found, and why; `None`: the diagnosis says nothing of it.
    pub helps: Option<(Helps, String)>,
    /// What to mind before a second lever.
    pub caution: Option<String>,
    /// The alternative that is selected.
    pub chosen: usize,
}

/// How far a card is.
#[derive(Debug)]
pub enum Stage {
    /// It cannot even be planned.
    Refused(Refusal),
    /// It is being tried without being stored.
    Trying(Box<Plan>),
    /// It was tried, and waits for being confirmed.
    Ready(Box<Pending>),
    /// It may not be done.
    Denied(Box<Plan>, Denial),
}

impl Card {
    /// The plan, where there is one.
    pub fn plan(&self) -> Option<&Plan> {
        match &self.stage {
            Stage::Refused(_) => None,
            Stage::Trying(plan) | Stage::Denied(plan, _) => Some(plan),
            Stage::Ready(pending) => Some(pending.plan()),
        }
    }

    /// What the API server said to the dry run.
    pub fn tried(&self) -> Option<(&Answer, &Permission)> {
        match &self.stage {
            Stage::Ready(pending) => Some((pending.answer(), pending.permission())),
            _ => None,
        }
    }

    /// What can be done instead, or first.
    pub fn alternatives(&self) -> Vec<Action> {
        match &self.stage {
            Stage::Refused(refusal) => refusal.instead(),
            _ => self.plan().map(|plan| plan.alternatives.clone()).unwrap_or_default(),
        }
    }

    /// Whether the object's name has to be typed.
    pub fn needs_name(&self) -> bool {
        matches!(&self.stage, Stage::Ready(pending) if pending.confirm() == Confirm::Name)
    }

    /// The name that has to be typed where one is needed.
    pub fn name(&self) -> Option<&str> {
        match &self.stage {
            Stage::Ready(pending) => Some(pending.name()),
            _ => None,
        }
    }

    /// Whether it waits to be confirmed.
    pub const fn is_ready(&self) -> bool {
        matches!(self.stage, Stage::Ready(_))
    }
}
