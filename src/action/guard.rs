//! The one gate. Nothing changes a cluster without an [`Approved`], and only [`Guard::approve`] makes one, from a
//! [`Pending`], which only a dry run of the same bytes makes, from a [`Proposed`], which only [`Guard::review`] makes.
//!
//! Each step takes the one before by value and none of them can be copied or read from a file, so that one confirmation
//! is worth one request. What is wrong at a step is a [`Denial`] and ends there; with read-only on, the first step denies
//! everything, and so does the last.

mod denial;
mod policy;

pub use denial::Denial;
pub use policy::{Confirm, Policy};

use super::{Answer, Permission, Plan, Request, Trial};
use crate::domain::{At, Snapshot};

/// A policy, kept.
#[derive(Debug, Clone)]
pub struct Guard {
    policy: Policy,
}

/// A plan that may be dry-run.
#[derive(Debug, PartialEq)]
pub struct Proposed {
    plan: Plan,
    confirm: Confirm,
}

/// A plan whose bytes were dry-run: its card can be shown.
#[derive(Debug)]
pub struct Pending {
    plan: Plan,
    confirm: Confirm,
    answer: Answer,
    permission: Permission,
    tried: At,
    painted: Option<At>,
}

/// A confirmation: what somebody did, and when they did it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirmation {
    /// When the key was pressed, or the last one of the name.
    pub at: At,
    /// The name that was typed; `None`: the key alone.
    pub typed: Option<String>,
}

/// A confirmation that was not good.
#[derive(Debug)]
pub struct Unapproved {
    /// Why.
    pub why: Denial,
    /// The card, where it can still be confirmed.
    pub card: Option<Pending>,
}

/// The permission to send one request once. It can neither be copied nor be read from anywhere.
#[derive(Debug, PartialEq)]
pub struct Approved {
    plan: Plan,
    at: At,
}

impl Guard {
    /// A guard that keeps to this policy.
    pub const fn new(policy: Policy) -> Self {
        Self { policy }
    }

    /// The policy.
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Whether a plan may go on to a dry run.
    pub fn review(&self, plan: Plan) -> Result<Proposed, Denial> {
        self.policy.allows(&plan)?;
        let confirm = self.policy.confirm(&plan);
        Ok(Proposed { plan, confirm })
    }

    /// The permission, if everything holds: the policy, the card that was painted before the confirmation, the answer's
    /// age, what was typed, and the facts. `snapshot.now` is the present. Where the confirmation alone was not good, the
    /// card stays and is handed back.
    pub fn approve(
        &self,
        pending: Pending,
        confirmation: &Confirmation,
        snapshot: &Snapshot,
    ) -> Result<Approved, Box<Unapproved>> {
        let now = snapshot.now;
        if let Err(denial) = self.policy.allows(&pending.plan) {
            return Err(Unapproved::ended(denial));
        }
        if now.since(pending.tried) > self.policy.expires_s || now < pending.tried {
            return Err(Unapproved::ended(Denial::Expired { after_s: self.policy.expires_s }));
        }
        if !pending.plan.still_holds(snapshot) {
            return Err(Unapproved::ended(Denial::Moved { differs: pending.plan.differs(snapshot) }));
        }
        // A key from the future is a clock that jumped, and says nothing about what was seen.
        if pending.painted.is_none_or(|painted| confirmation.at <= painted) || confirmation.at > now {
            return Err(Unapproved::again(Denial::NotSeen, pending));
        }
        // The stricter of what was asked for then and of what is asked for now.
        let needs_name = pending.confirm == Confirm::Name || self.policy.confirm(&pending.plan) == Confirm::Name;
        if needs_name && confirmation.typed.as_deref() != Some(pending.name()) {
            let name = pending.name().to_owned();
            return Err(Unapproved::again(Denial::NameNeeded { name }, pending));
        }
        Ok(Approved { plan: pending.plan, at: now })
    }
}

impl Unapproved {
    fn ended(why: Denial) -> Box<Self> {
        Box::new(Self { why, card: None })
    }

    fn again(why: Denial, card: Pending) -> Box<Self> {
        Box::new(Self { why, card: Some(card) })
    }
}

impl Proposed {
    /// The plan.
    pub const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What the dry run came to. Only an accepted dry run of these very bytes leads on.
    pub fn tried(self, trial: Trial) -> Result<Pending, Denial> {
        if trial.sent != self.plan.request {
            return Err(Denial::OtherBytes);
        }
        if let Permission::Denied(what) = trial.permission {
            return Err(Denial::NotAllowed { what });
        }
        match trial.result {
            Ok(answer) => Ok(Pending {
                plan: self.plan,
                confirm: self.confirm,
                answer,
                permission: trial.permission,
                tried: trial.at,
                painted: None,
            }),
            Err(outcome) => Err(Denial::DryRun { outcome: Box::new(outcome) }),
        }
    }
}

impl Pending {
    /// The plan, for the card.
    pub const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What the API server answered to the dry run.
    pub const fn answer(&self) -> &Answer {
        &self.answer
    }

    /// Whether it is allowed, as far as the API server said.
    pub const fn permission(&self) -> &Permission {
        &self.permission
    }

    /// When the dry run was answered.
    pub const fn tried(&self) -> At {
        self.tried
    }

    /// How it is confirmed.
    pub const fn confirm(&self) -> Confirm {
        self.confirm
    }

    /// What has to be typed where a name is needed: the name of the object that is written.
    pub fn name(&self) -> &str {
        self.plan.object.rsplit('/').next().unwrap_or_default()
    }

    /// The card is on the screen, whole, since this moment; the first time counts. Whatever was typed before is not for
    /// it: the caller reads and drops what waits in the terminal before it says this.
    pub fn painted(&mut self, at: At) {
        self.painted.get_or_insert(at);
    }

    /// Since when the card is on the screen.
    pub const fn since(&self) -> Option<At> {
        self.painted
    }
}

impl Approved {
    /// The plan.
    pub const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// When it was approved.
    pub const fn at(&self) -> At {
        self.at
    }

    /// The request, for its only sender. Whoever takes it gives the permission away.
    pub fn into_request(self) -> (Plan, Request) {
        let request = self.plan.request.clone();
        (self.plan, request)
    }
}
