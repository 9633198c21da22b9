//! The vocabulary of checks and guards: questions to a diagnosis that pass, fail or cannot be told.

use serde::Deserialize;

use crate::diagnosis::{ChangeKind, Diagnosis, Metric};
use crate::domain::{Cause, Code, Mechanism, Phase, RowStatus, SourceState, Verdict};

/// What a check says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It holds.
    Pass,
    /// It does not.
    Fail,
    /// Not known from what was observed.
    CannotTell,
}

impl Outcome {
    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::CannotTell => "cannot_tell",
        }
    }

    fn of(known: Option<bool>) -> Self {
        known.map_or(Self::CannotTell, |holds| if holds { Self::Pass } else { Self::Fail })
    }
}

/// A question that a state asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// The objective was judged on counted events and not on an average.
    CountedNotAveraged,
    /// An objective is broken.
    ObjectiveBroken,
    /// Both windows of a paging tier burn.
    BothWindows,
    /// Every source was read.
    AllSourcesRead,
    /// Traffic is as before.
    TrafficSteady,
    /// The phase split describes the requests that TTFT does.
    OneCohort,
    /// The KV cache has room.
    KvHasRoom,
    /// Nobody waits.
    NobodyWaits,
    /// Tokens flow where work is held.
    TokensFlow,
}

impl Check {
    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::CountedNotAveraged => "counted_not_averaged",
            Self::ObjectiveBroken => "objective_broken",
            Self::BothWindows => "both_windows",
            Self::AllSourcesRead => "all_sources_read",
            Self::TrafficSteady => "traffic_steady",
            Self::OneCohort => "one_cohort",
            Self::KvHasRoom => "kv_has_room",
            Self::NobodyWaits => "nobody_waits",
            Self::TokensFlow => "tokens_flow",
        }
    }

    /// Asks it.
    pub fn of(self, d: &Diagnosis) -> Outcome {
        let rows = || d.slo.iter().filter(|s| s.bad.is_some() && s.count.is_some_and(|n| n > 0.0));
        let measured = rows().next().is_some();
        Outcome::of(match self {
            Self::CountedNotAveraged => Some(measured),
            Self::ObjectiveBroken => measured.then(|| rows().any(|s| s.status == RowStatus::Breach)),
            Self::BothWindows if rows().any(|s| s.paging == Some(true)) => Some(true),
            Self::BothWindows if measured && rows().all(|s| s.paging == Some(false)) => Some(false),
            Self::BothWindows => None,
            Self::AllSourcesRead => Some(d.sources.iter().all(|s| s.state == SourceState::Live)),
            // Without a baseline there is no "as before".
            Self::TrafficSteady => d.ttft_mean.1.map(|_| !found(d, Code::Cause(Cause::TrafficSurge))),
            Self::OneCohort => {
                let queue = d.phases.iter().find(|p| p.phase == Phase::Queue && p.mean.is_some());
                queue.map(|p| !p.lags)
            }
            Self::KvHasRoom => kv(d).map(|k| k < 0.75),
            Self::NobodyWaits => waiting(d).map(|w| w < 1.0),
            Self::TokensFlow => Some(d.verdict != Verdict::Stalled || d.until.is_some()),
        })
    }
}

/// What must hold for an edge to be recommended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Guard {
    /// The engine does not move.
    EngineStalled,
    /// Capacity is wanted and not ready.
    CapacityNotReady,
    /// A rollout lies in the window.
    ChangeInWindow,
    /// The time is spent before the engine.
    TimeOutsideEngine,
    /// TTFT is over its objective.
    TtftOver,
    /// TPOT is over its objective, and the suspect sits in decode.
    TpotOver,
    /// Nothing is late.
    NothingLate,
}

impl Guard {
    /// Whether it is known to hold.
    pub fn holds(self, d: &Diagnosis) -> bool {
        let suspect = d.suspect.as_ref();
        let phase = suspect.map(|s| s.phase);
        let broken = |metric| d.slo.iter().any(|s| s.metric == metric && s.status == RowStatus::Breach);
        match self {
            Self::EngineStalled => suspect.is_some_and(|s| s.mechanism == Mechanism::EngineStalled),
            Self::CapacityNotReady => phase == Some(Phase::Rollout) || found(d, Code::Cause(Cause::CapacityLoss)),
            Self::ChangeInWindow => d.changes.iter().any(|c| c.kind == ChangeKind::Rollout),
            Self::TimeOutsideEngine => phase == Some(Phase::Gateway),
            Self::TpotOver => phase == Some(Phase::Decode) || (broken(Metric::Tpot) && !broken(Metric::Ttft)),
            Self::TtftOver => {
                broken(Metric::Ttft) || matches!(phase, Some(Phase::Queue | Phase::Prefill | Phase::Rest))
            }
            Self::NothingLate => {
                let late = |s: &crate::diagnosis::SloRow| matches!(s.status, RowStatus::Breach | RowStatus::Warning);
                suspect.is_none() && !d.slo.iter().any(late) && d.sources.iter().all(|s| s.state == SourceState::Live)
            }
        }
    }
}

fn found(d: &Diagnosis, code: Code) -> bool {
    d.findings.iter().any(|f| f.code == code)
}

/// The fullest KV cache of all replicas, as last read.
fn kv(d: &Diagnosis) -> Option<f64> {
    d.replicas.iter().filter_map(|r| r.kv).reduce(f64::max)
}

fn waiting(d: &Diagnosis) -> Option<f64> {
    d.replicas.iter().filter_map(|r| r.waiting).reduce(|a, b| a + b)
}
