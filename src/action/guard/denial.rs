//! Why the gate stays shut.

use crate::action::Outcome;

/// Why.
#[derive(Debug, Clone, PartialEq)]
pub enum Denial {
    /// It was started so that it changes nothing.
    ReadOnly,
    /// The step is larger than is allowed at once.
    TooFar {
        /// The step.
        step: u32,
        /// The largest.
        most: u32,
    },
    /// What was dry-run are not the bytes of the plan.
    OtherBytes,
    /// The API server does not allow it.
    NotAllowed {
        /// What is missing.
        what: String,
    },
    /// The dry run was not accepted.
    DryRun {
        /// What came of it.
        outcome: Box<Outcome>,
    },
    /// The card was not on the screen when it was confirmed.
    NotSeen,
    /// The dry run is too old.
    Expired {
        /// How long it holds (s).
        after_s: f64,
    },
    /// What the card shows is not so any more.
    Moved {
        /// In what it differs, and who said so where that is known.
        differs: Vec<String>,
    },
    /// The name must be typed.
    NameNeeded {
        /// The name.
        name: String,
    },
}

impl std::fmt::Display for Denial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::ReadOnly => f.write_str(
                "read-only: nothing is changed from here ('warroom config print' says who wants that, if no flag does)",
            ),
            Self::TooFar { step, most } => {
                write!(f, "a step of {step} replicas is more than {most}, the most at once here: go in smaller steps")
            }
            Self::OtherBytes => f.write_str("what was tried is not what was planned: plan it again"),
            Self::NotAllowed { what } => write!(f, "not allowed: {what}"),
            Self::DryRun { outcome } => write!(f, "the dry run failed: {outcome}"),
            Self::NotSeen => f.write_str("that was typed before the card was on the screen: read it, then confirm"),
            Self::Expired { after_s } => write!(f, "the card is older than {after_s:.0} s: plan it again"),
            Self::Moved { differs } if differs.is_empty() => {
                f.write_str("it is not what the card shows any more: plan it again")
            }
            Self::Moved { differs } => {
                write!(f, "it is not what the card shows any more ({}): plan it again", differs.join("; "))
            }
            Self::NameNeeded { name } => write!(f, "type '{name}' to confirm"),
        }
    }
}
