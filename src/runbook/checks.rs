//! What each check looks at, by the place where it is asked first. Every answer says its numbers; none is surer than
//! they are.

pub(super) mod capacity;
pub(super) mod deploy;
pub(super) mod engine;
pub(super) mod gateway;
pub(super) mod triage;
pub(super) mod verify;

use crate::diagnosis::{ChangeKind, Diagnosis, Finding, seconds};
use crate::domain::{At, Cause, Code, Mechanism};

/// The finding with this code.
pub(super) fn found(d: &Diagnosis, code: Code) -> Option<&Finding> {
    d.findings.iter().find(|f| f.code == code)
}

pub(super) fn cause(d: &Diagnosis, cause: Cause) -> Option<&Finding> {
    found(d, Code::Cause(cause))
}

pub(super) fn mechanism(d: &Diagnosis, mechanism: Mechanism) -> Option<&Finding> {
    found(d, Code::Mechanism(mechanism))
}

/// The last rollout that lies in the hour before the onset, or after it.
pub(super) fn recent_rollout(d: &Diagnosis, onset: Option<At>) -> Option<&crate::diagnosis::Change> {
    const BURN_S: f64 = 3600.0;
    let onset = onset.or(d.since).unwrap_or(d.at);
    d.changes.iter().find(|c| c.kind == ChangeKind::Rollout && onset.since(c.at) <= BURN_S)
}

/// A span of time in words, without a sign.
pub(super) fn span(s: f64) -> String {
    let s = s.abs();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole seconds of a span")]
    let whole = s.round() as u64;
    match (whole / 60, whole % 60) {
        (0, _) => seconds(s.round()),
        (m, 0) => format!("{m} min"),
        (m, s) if m < 60 => format!("{m} min {s} s"),
        (m, _) => format!("{} h {} min", m / 60, m % 60),
    }
}
