//! The levers of a state, each with what the diagnosis says of it: those that help first, and those that will not, and
//! why. Says nothing of whether one fits or is allowed: that is its card's business.

use super::definition::{Lever, Runbook};
use crate::diagnosis::Diagnosis;
use crate::domain::{Action, Helps};

/// One lever, from a state's point of view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeverRow {
    /// Which.
    pub action: Action,
    /// What the runbook says of it in this state; `None`: the runbook does not name it here.
    pub lever: Option<Lever>,
    /// Whether it helps against what was found.
    pub helps: Helps,
    /// Why, in the diagnosis' words.
    pub why: String,
    /// Whether it can be pulled from any state.
    pub anywhere: bool,
}

/// The levers of a state over a diagnosis. One that the diagnosis knows and the state does not is there where it can be
/// pulled from anywhere, where it helps, or where it will not: so that nobody reaches for it.
pub fn levers(runbook: &Runbook, state: &str, d: &Diagnosis) -> Vec<LeverRow> {
    let said = |action: Action| d.levers.iter().find(|l| l.action == action);
    let anywhere = |action: Action| runbook.anywhere.iter().any(|a| a.action == action);
    let row = |action: Action, lever: Option<&Lever>| {
        let (helps, why) = said(action).map_or((Helps::Unknown, ""), |l| (l.helps, l.why.as_str()));
        let why = if why.is_empty() { "the diagnosis says nothing of it".to_owned() } else { why.to_owned() };
        LeverRow { action, lever: lever.cloned(), helps, why, anywhere: anywhere(action) }
    };
    let own = runbook.state(state).map_or(&[][..], |s| &s.levers);
    let mut rows: Vec<LeverRow> = own.iter().map(|l| row(l.action, Some(l))).collect();
    let more = runbook.anywhere.iter().map(|a| a.action);
    let sure = d.levers.iter().filter(|l| l.helps != Helps::Unknown).map(|l| l.action);
    for action in more.chain(sure) {
        if !rows.iter().any(|r| r.action == action) {
            rows.push(row(action, None));
        }
    }
    rows.sort_by_key(|r| match r.helps {
        Helps::Yes => 0,
        Helps::Unknown => 1,
        Helps::No => 2,
    });
    rows
}
