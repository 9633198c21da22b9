//! What every story about recorded incidents needs: where they lie, how they are judged, and what was said.

use std::path::{Path, PathBuf};

use warroom::diagnosis::{BurnPreset, Diagnosis, Policy, Target, Targets};

/// Where a capture lies.
pub(crate) fn capture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/captures").join(name)
}

/// Objectives of 99 %, over five minutes.
pub(crate) fn policy(ttft_s: f64, tpot_s: f64) -> Policy {
    let target = |seconds| Target { seconds, objective: 0.99 };
    Policy {
        window_s: 300.0,
        default: Targets { ttft: target(ttft_s), tpot: target(tpot_s), burn: BurnPreset::default() },
        by_model: Vec::new(),
    }
}

/// `phase/mechanism/cause` of the suspect, or `-`.
pub(crate) fn suspect(d: &Diagnosis) -> String {
    d.suspect.as_ref().map_or("-".to_owned(), |s| {
        format!("{}/{}/{}", s.phase, s.mechanism, s.cause.map_or("-", warroom::domain::Cause::code))
    })
}

/// The codes of all findings.
pub(crate) fn codes(d: &Diagnosis) -> Vec<&'static str> {
    d.findings.iter().map(|f| f.code.code()).collect()
}
