//! Why something is not even planned, and what can be done instead.

use crate::action::Action;
use crate::domain::At;
use crate::text::clean;

/// Why there is no plan. Each says what is so and what to do; [`Refusal::instead`] has what can be planned instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Kubernetes said nothing yet.
    NoFacts,
    /// A watch that the plan rests on does not live.
    Blind {
        /// What is watched.
        resource: &'static str,
        /// What is wrong with it.
        error: String,
    },
    /// The workload does not exist any more.
    Gone,
    /// A name that Kubernetes cannot have given.
    OddName {
        /// Cleaned.
        name: String,
    },
    /// Its rollouts are paused: an undo would change nothing until somebody resumes them.
    Paused,
    /// Its controller has not seen the newest declaration.
    NotObserved {
        /// The generation that is wanted.
        generation: i64,
        /// The one that its controller has seen.
        observed: i64,
    },
    /// Its template is not that of its newest revision: what runs is older than what is declared.
    NotRolledOut {
        /// The newest revision's number.
        newest: u64,
    },
    /// There is nothing to go back to.
    NoHistory,
    /// No such revision is kept.
    NoSuchRevision {
        /// As asked for.
        revision: u64,
        /// Those that are kept.
        kept: Vec<u64>,
    },
    /// The revision of this number is another one than was on the screen.
    NotTheOneShown {
        /// Its number.
        revision: u64,
    },
    /// The revision's template was not kept whole.
    NoTemplate {
        /// Its number.
        revision: u64,
    },
    /// The workload has this revision's template already.
    Same {
        /// Its number.
        revision: u64,
    },
    /// The newest revision is itself an older one brought back: another undo would bring back what was undone.
    AlreadyUndone {
        /// The newest revision.
        current: u64,
        /// The one that it replaced.
        replaced: u64,
        /// Since when the brought-back revision first existed.
        first: Option<At>,
        /// What can be chosen by number.
        choices: Vec<Action>,
    },
    /// This kind has no such lever.
    WrongKind {
        /// The lever.
        action: Action,
        /// The kind.
        kind: &'static str,
    },
    /// Its owner would put it back: it is changed there.
    Elsewhere {
        /// The owner, as `Kind/name`.
        owner: String,
        /// How it is done there.
        how: String,
    },
    /// The replicas belong to an autoscaler, which would take the number back.
    AutoscalerOwns {
        /// Its kind.
        kind: String,
        /// Its name.
        name: String,
        /// What works instead.
        instead: Vec<Action>,
    },
    /// It has so many replicas already.
    SameNumber {
        /// How many.
        replicas: u32,
    },
    /// Nothing here scales to zero: a model that is not loaded serves nobody for minutes.
    ToZero,
    /// Nothing scales it by itself, so that there are no bounds.
    NoAutoscaler,
    /// KEDA writes its autoscaler anew, and its own object was not read.
    NotKedas {
        /// What works instead.
        instead: Vec<Action>,
    },
    /// Only KEDA can be paused so.
    NotPausable,
    /// Bounds that cannot be.
    BadBounds {
        /// As asked for.
        min: u32,
        /// As asked for.
        max: u32,
    },
    /// It is so already.
    AlreadySo {
        /// What.
        action: Action,
    },
    /// No such node is known.
    NoSuchNode {
        /// Its name, cleaned.
        node: String,
    },
}

impl Refusal {
    /// What can be planned instead.
    pub fn instead(&self) -> Vec<Action> {
        match self {
            Self::Paused => vec![Action::RolloutResume],
            Self::AlreadyUndone { choices, .. } => choices.clone(),
            Self::AutoscalerOwns { instead, .. } | Self::NotKedas { instead } => instead.clone(),
            _ => Vec::new(),
        }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoFacts => f.write_str("Kubernetes has said nothing about it yet: wait for the first answer"),
            Self::Blind { resource, error } => {
                write!(f, "'{resource}' are not being watched, so that a plan would rest on old facts: {error}")
            }
            Self::Gone => f.write_str("it does not exist any more"),
            Self::OddName { name } => write!(f, "'{}' is no name that Kubernetes gives", clean(name, 80)),
            Self::Paused => f.write_str("its rollouts are paused, so that an undo would not reach a pod: resume it first"),
            Self::NotObserved { generation, observed } => write!(
                f,
                "its controller has not seen the newest change yet (generation {generation}, seen {observed}): what is \
                 'before' is not known; wait a moment"
            ),
            Self::NotRolledOut { newest } => write!(
                f,
                "its template is not that of its newest revision {newest}: a change is not rolled out yet, and an undo \
                 would go one too far; wait a moment, or look at who changed it"
            ),
            Self::NoHistory => f.write_str(
                "no earlier revision is kept (see revisionHistoryLimit): put the old values back with a change of its own",
            ),
            Self::NoSuchRevision { revision, kept } => {
                let kept: Vec<String> = kept.iter().map(ToString::to_string).collect();
                write!(f, "revision {revision} is not kept; there are {}", kept.join(", "))
            }
            Self::NotTheOneShown { revision } => write!(
                f,
                "revision {revision} is another one than was on the screen: revisions were renumbered; choose again"
            ),
            Self::NoTemplate { revision } => write!(f, "the template of revision {revision} could not be read"),
            Self::Same { revision } => write!(f, "it has the template of revision {revision} already"),
            Self::AlreadyUndone { current, replaced, .. } => write!(
                f,
                "revision {current} is an older one brought back, in place of {replaced}: an undo without a revision \
                 would bring {replaced} back; choose one by number"
            ),
            Self::WrongKind { action, kind } => write!(f, "a {kind} cannot do this: {action}"),
            Self::Elsewhere { owner, how } => {
                write!(f, "{owner} owns it and would put it back within seconds: change it there: {how}")
            }
            Self::AutoscalerOwns { kind, name, .. } => {
                write!(f, "its replicas belong to {kind} '{name}', which would take another number back within seconds")
            }
            Self::SameNumber { replicas } => write!(f, "it has {replicas} replicas already"),
            Self::ToZero => f.write_str("nothing is scaled to zero here: it would serve nobody until models are loaded again"),
            Self::NoAutoscaler => f.write_str("no autoscaler is known that scales it"),
            Self::NotKedas { .. } => {
                f.write_str("its autoscaler is written by KEDA, which puts its own bounds back: change the ScaledObject")
            }
            Self::NotPausable => f.write_str("only KEDA's scale-in can be paused; a HorizontalPodAutoscaler has bounds"),
            Self::BadBounds { min, max } => {
                write!(f, "bounds {min}-{max} cannot be: at least 1, and the most not below the fewest")
            }
            Self::AlreadySo { action } => write!(f, "nothing to do: '{action}' is the case already"),
            Self::NoSuchNode { node } => write!(f, "no node '{}' is known here", clean(node, 80)),
        }
    }
}
