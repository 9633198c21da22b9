//! The vocabulary of checks and guards: questions to a diagnosis that pass, fail or cannot be told.

use serde::Deserialize;

use crate::diagnosis::{ChangeKind, Diagnosis, Metric, Truth};
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
    /// As many replicas are Ready as are wanted.
    CapacityReady,
    /// Every GPU is known to be well.
    GpusHealthy,
    /// No rollout came shortly before the onset.
    NoRecentRollout,
    /// The newest revision is no slower than the one before it, side by side.
    RevisionsAlike,
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
            Self::CapacityReady => "capacity_ready",
            Self::GpusHealthy => "gpus_healthy",
            Self::NoRecentRollout => "no_recent_rollout",
            Self::RevisionsAlike => "revisions_alike",
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
            Self::CapacityReady => kubernetes(d).and(d.scope.desired.zip(d.scope.ready)).map(|(d, r)| r >= d),
            Self::GpusHealthy if d.gpus.iter().any(|g| g.troubled) => Some(false),
            // What is not proven is not passed.
            Self::GpusHealthy => {
                (!d.gpus.is_empty() && d.gpus.iter().all(|g| g.truth == Truth::Confirmed)).then_some(true)
            }
            Self::NoRecentRollout => kubernetes(d).map(|()| !recent_rollout(d)),
            Self::RevisionsAlike => alike(d),
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
    /// A GPU is to blame.
    GpuNotHealthy,
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
            Self::ChangeInWindow => recent_rollout(d),
            Self::GpuNotHealthy => phase == Some(Phase::Gpu),
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

/// Whether Kubernetes was asked and is believed.
fn kubernetes(d: &Diagnosis) -> Option<()> {
    d.sources.iter().any(|s| s.via == Some("watch") && s.state == SourceState::Live).then_some(())
}

/// Whether a rollout lies in the burn window before the onset, or after it.
fn recent_rollout(d: &Diagnosis) -> bool {
    const BURN_S: f64 = 3600.0;
    let onset = d.since.unwrap_or(d.at);
    d.changes.iter().any(|c| c.kind == ChangeKind::Rollout && onset.since(c.at) <= BURN_S)
}

/// Whether the two newest revisions that serve have about the same time to first token.
fn alike(d: &Diagnosis) -> Option<bool> {
    const SLOWER: f64 = 1.5;
    const ENOUGH: f64 = 10.0;
    let mut serving = d.revisions.iter().filter(|r| r.count.is_some_and(|c| c >= ENOUGH));
    let (new, old) = (serving.next()?, serving.next()?);
    Some(new.ttft_mean? < SLOWER * old.ttft_mean?)
}

/// The fullest KV cache of all replicas, as last read.
fn kv(d: &Diagnosis) -> Option<f64> {
    d.replicas.iter().filter_map(|r| r.kv).reduce(f64::max)
}

fn waiting(d: &Diagnosis) -> Option<f64> {
    d.replicas.iter().filter_map(|r| r.waiting).reduce(|a, b| a + b)
}
