//! Runbooks: what to decide next, and why. A runbook is a file of states, checks and guarded edges; this engine knows the
//! vocabulary of checks and guards, and nothing of any runbook in particular.
//!
//! Here it recommends the first step for a diagnosis. Knows no key and no screen.

mod check;
mod definition;

pub use check::{Check, Guard, Outcome};
pub use definition::{Edge, Runbook, RunbookError, State};

use crate::diagnosis::Diagnosis;
use crate::domain::Verdict;

/// The runbook for an inference SLO breach, as it comes with the program.
const RB_6: &str = include_str!("../runbooks/rb-6.toml");

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
    Runbook::parse("rb-6.toml", RB_6)
}

/// What `runbook` says at its start about this diagnosis; nothing where nothing is the matter.
pub fn advise(runbook: &Runbook, d: &Diagnosis) -> Option<Advice> {
    if !matches!(d.verdict, Verdict::Breach | Verdict::Warning | Verdict::Stalled) {
        return None;
    }
    let state = runbook.state(&runbook.start)?;
    let edge = runbook.edges_from(&state.name).find(|e| e.guard.is_some_and(|g| g.holds(d)));
    Some(Advice {
        id: runbook.id.clone(),
        state: state.name.clone(),
        recommended: edge.map(|e| e.to.clone()),
        because: edge.map(|e| e.when.clone()).into_iter().collect(),
        checks: state.checks.iter().map(|c| (*c, c.of(d))).collect(),
    })
}
