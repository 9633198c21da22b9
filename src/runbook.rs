//! Runbooks: what to decide next, and why. A runbook is a file of states, checks, levers and guarded edges; this engine
//! knows the vocabulary of checks and guards, and nothing of any runbook in particular.
//!
//! ```text
//!  file text ─ file ─► draft ─ over another ─► Runbook (Catalogue)
//!                                                 │
//!  Diagnosis, Snapshot ─ Sight ─ look ─► Seen ─► Run::on ─► RunEffect::Record (to the journal) │ Refused │ Warned
//!                                   operator ─►
//! ```
//! A [`Run`] changes by [`Record`]s alone, so that folding the records of a journal gives the same run again. Time
//! enters by events. Nothing moves by itself: what is seen is announced, and an operator moves. Knows no key, no screen
//! and no file.

mod catalogue;
mod check;
mod checks;
mod definition;
mod draft;
mod drawing;
mod file;
mod guard;
mod levers;
mod look;
mod memory;
mod problem;
mod questions;
mod record;
mod run;
mod sight;

pub use catalogue::{Catalogue, Loaded};
pub use check::{Check, Checked, Outcome};
pub use definition::{Anywhere, Edge, Kind, Lever, Meaning, Runbook, State};
pub use drawing::draw;
pub use guard::{Guard, Held};
pub use levers::{LeverRow, levers};
pub use look::{Advised, Condition, Seen, Way, look, recommend};
pub use memory::{Burn, Burns, Memory, Pulled};
pub use problem::{Problem, RunbookError};
pub use questions::questions;
pub use record::{Act, Announced, How, Record, Transition, Who};
pub use run::{Refused, Run, RunEffect, RunEvent, Times};
pub use sight::{Alert, Sight};

use crate::diagnosis::Diagnosis;
use crate::domain::Verdict;

/// Where a runbook starts for a diagnosis, and where it would go from there.
#[derive(Debug, Clone, PartialEq)]
pub struct Advice {
    /// The runbook.
    pub id: String,
    /// The state.
    pub state: String,
    /// The state that its first edge with a guard that holds leads to.
    pub recommended: Option<String>,
    /// Why.
    pub because: Vec<String>,
    /// The state's checks, in its order.
    pub checks: Vec<(Check, Outcome)>,
}

/// The embedded RB-6. It is tested to load, so that an error here is a fault of the build.
pub fn rb_6() -> Result<Runbook, RunbookError> {
    Catalogue::default().read("rb-6.toml", include_str!("../runbooks/rb-6.toml"))
}

impl Runbook {
    /// Reads and checks a runbook that stands for itself.
    pub fn parse(file: &str, text: &str) -> Result<Self, RunbookError> {
        Catalogue::default().read(file, text)
    }
}

/// What `runbook` says at its start about this diagnosis; nothing where nothing is the matter.
pub fn advise(runbook: &Runbook, d: &Diagnosis) -> Option<Advice> {
    if !matches!(d.verdict, Verdict::Breach | Verdict::Warning | Verdict::Stalled) {
        return None;
    }
    let state = runbook.state(&runbook.start)?;
    let sight = Sight::new(d);
    let advised = recommend(runbook, &state.name, sight);
    Some(Advice {
        id: runbook.id.clone(),
        state: state.name.clone(),
        recommended: advised.as_ref().map(|a| a.to.clone()),
        because: advised.into_iter().map(|a| a.why).collect(),
        checks: state.checks.iter().map(|c| (*c, c.ask(sight).outcome)).collect(),
    })
}
