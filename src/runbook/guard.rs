//! The vocabulary of guards: what must be known to hold before an edge is recommended, and in which words.

use super::checks::{cause, deploy, found, mechanism, recent_rollout, span};
use super::sight::Sight;
use super::{Check, Outcome};
use crate::diagnosis::{Diagnosis, Metric, SloRow, number};
use crate::domain::{Cause, Code, Mechanism, Phase, RowStatus, SourceState, Trend, Verdict, codes};

codes! {
    /// What must hold for an edge to be recommended.
    Guard {
        /// The engine does not move.
        EngineStalled = "engine_stalled",
        /// The engine does not move, or a GPU is to blame.
        HardwareSuspect = "hardware_suspect",
        /// Capacity is wanted and not ready.
        CapacityNotReady = "capacity_not_ready",
        /// A rollout lies in the window, and is not known to be innocent.
        ChangeInWindow = "change_in_window",
        /// The change is the cause.
        ChangeIsCause = "change_is_cause",
        /// The change is not the cause.
        ChangeIsInnocent = "change_is_innocent",
        /// The time is spent before the engine.
        TimeOutsideEngine = "time_outside_engine",
        /// The time is not spent before the engine.
        TimeInsideEngine = "time_inside_engine",
        /// TTFT is over its objective.
        TtftOver = "ttft_over",
        /// TPOT is over its objective, or the suspect sits in decode.
        TpotOver = "tpot_over",
        /// Nothing is late.
        NothingLate = "nothing_late",
        /// A GPU is to blame.
        GpuNotHealthy = "gpu_not_healthy",
        /// Heat or power holds a GPU down.
        GpuHot = "gpu_hot",
        /// A GPU is faulty: ECC, XID, lost.
        GpuFaulty = "gpu_faulty",
        /// Every GPU is known to be well, or none is suspected.
        GpuHealthy = "gpu_healthy",
        /// What was wanted is ready, and it was not that.
        CapacityReady = "capacity_ready",
        /// The objective holds again, or a lever's change is complete, so that what remains is to judge.
        Done = "done",
        /// A lever was pulled, had its time, and the objective is still broken.
        StillBreached = "still_breached",
        /// It is being verified, had its time, and is not over.
        NotOver = "not_over",
        /// Always: the way that goes on.
        Always = "always",
    }
}

/// A guard that holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Held {
    /// Its evidence in words; empty where the edge's own words say all.
    pub says: String,
    /// How much of the trouble it stands for, where guards of one group compete (0–1).
    pub share: f64,
}

impl Held {
    fn because(says: impl Into<String>) -> Self {
        Self { says: says.into(), share: 0.0 }
    }
}

/// Whether an objective is broken now.
fn breached(d: &Diagnosis) -> bool {
    matches!(d.verdict, Verdict::Breach | Verdict::Stalled) && d.until.is_none()
}

impl Guard {
    /// Whether it is known to hold, by a diagnosis alone.
    pub fn holds(self, d: &Diagnosis) -> bool {
        self.held(Sight::new(d)).is_some()
    }

    /// Whether it is known to hold, and by what.
    pub fn held(self, sight: Sight<'_>) -> Option<Held> {
        let d = sight.d;
        let phase = d.suspect.as_ref().map(|s| s.phase);
        let suspect = |m: Mechanism| d.suspect.as_ref().is_some_and(|s| s.mechanism == m);
        match self {
            Self::EngineStalled => suspect(Mechanism::EngineStalled)
                .then(|| Held::because(mechanism(d, Mechanism::EngineStalled).map_or("", |f| f.summary.as_str()))),
            Self::HardwareSuspect => Self::EngineStalled.held(sight).or_else(|| Self::GpuNotHealthy.held(sight)),
            Self::CapacityNotReady => capacity_not_ready(d, phase),
            Self::ChangeInWindow => recent_rollout(d, sight.memory.onset)
                .filter(|_| !deploy::innocent(sight))
                .map(|c| Held::because(rollout_words(sight, &c.summary))),
            Self::ChangeIsCause => deploy::guilty(sight).map(Held::because),
            Self::ChangeIsInnocent => (deploy::innocent(sight) || recent_rollout(d, sight.memory.onset).is_none())
                .then(|| Held::because(Check::RevisionsAlike.ask(sight).says)),
            Self::GpuNotHealthy => (phase == Some(Phase::Gpu)).then(|| Held::because(gpu_words(d))),
            Self::GpuHot => [Cause::GpuThermal, Cause::GpuPowerBrake, Cause::GpuPowerCap]
                .into_iter()
                .find_map(|c| cause(d, c))
                .map(|f| Held::because(f.summary.clone())),
            Self::GpuFaulty => gpu_faulty(d),
            Self::GpuHealthy => (phase != Some(Phase::Gpu)
                && !suspect(Mechanism::EngineStalled)
                && Check::GpusHealthy.ask(sight).outcome != Outcome::Fail)
                .then(|| Held::because(Check::GpusHealthy.ask(sight).says)),
            Self::TimeOutsideEngine => (phase == Some(Phase::Gateway)).then(|| Held::because("")),
            Self::TimeInsideEngine => {
                phase.is_some_and(|p| p != Phase::Gateway).then(|| Held::because("the suspect sits behind the gateway"))
            }
            Self::TpotOver => over(sight, Metric::Tpot, phase == Some(Phase::Decode)),
            Self::TtftOver => {
                over(sight, Metric::Ttft, matches!(phase, Some(Phase::Queue | Phase::Prefill | Phase::Rest)))
            }
            Self::NothingLate => {
                let late = |s: &SloRow| matches!(s.status, RowStatus::Breach | RowStatus::Warning);
                let nothing = d.suspect.is_none()
                    && !d.slo.iter().any(late)
                    && d.sources.iter().all(|s| s.beside || s.state == SourceState::Live);
                nothing.then(|| Held::because(""))
            }
            Self::CapacityReady => (phase != Some(Phase::Rollout)
                && Check::CapacityReady.ask(sight).outcome == Outcome::Pass)
                .then(|| Held::because(Check::CapacityReady.ask(sight).says)),
            Self::Done => done(sight),
            Self::StillBreached => still_breached(sight),
            Self::NotOver => not_over(sight),
            Self::Always => Some(Held::because("")),
        }
    }
}

/// The rollout, and how it lies to the onset.
fn rollout_words(sight: Sight<'_>, summary: &str) -> String {
    let onset = sight.memory.onset.or(sight.d.since);
    match (onset, deploy::last_rollout(sight)) {
        (Some(onset), Some((at, _))) => {
            let before = onset.since(at);
            format!("{summary}, {} {} the onset", span(before), if before >= 0.0 { "before" } else { "after" })
        }
        _ => summary.to_owned(),
    }
}

fn gpu_words(d: &Diagnosis) -> String {
    let finding = d.suspect.as_ref().and_then(|s| found(d, Code::Mechanism(s.mechanism)));
    finding.map_or(String::new(), |f| f.summary.clone())
}

fn gpu_faulty(d: &Diagnosis) -> Option<Held> {
    let by_cause = [Cause::GpuEcc, Cause::GpuXid].into_iter().find_map(|c| cause(d, c));
    let by_mechanism = || [Mechanism::GpuMemoryFault, Mechanism::GpuLost].into_iter().find_map(|m| mechanism(d, m));
    by_cause.or_else(by_mechanism).map(|f| Held::because(f.summary.clone()))
}

fn capacity_not_ready(d: &Diagnosis, phase: Option<Phase>) -> Option<Held> {
    let lost = cause(d, Cause::CapacityLoss);
    (phase == Some(Phase::Rollout) || lost.is_some()).then(|| match lost {
        Some(finding) => Held::because(finding.summary.clone()),
        None => Held::because(""),
    })
}

/// An objective that is broken stands for its share of late events; where none is, the suspect's place speaks alone.
fn over(sight: Sight<'_>, metric: Metric, suspected: bool) -> Option<Held> {
    let broken = sight
        .rows(metric)
        .filter(|s| s.status == RowStatus::Breach)
        .max_by(|a, b| a.bad_share().unwrap_or(0.0).total_cmp(&b.bad_share().unwrap_or(0.0)));
    match broken {
        Some(row) => {
            let share = row.bad_share().unwrap_or(0.0);
            let count = number(row.count.unwrap_or(0.0));
            Some(Held { says: format!("{}: {:.0}% of {count} are late", metric.title(), share * 100.0), share })
        }
        // Whatever else is broken is surer than a place.
        None => suspected.then(|| Held::because("")),
    }
}

fn done(sight: Sight<'_>) -> Option<Held> {
    if !sight.is_stale() && (sight.d.verdict == Verdict::Healthy || sight.d.until.is_some()) {
        return Some(Held::because("the objective holds again"));
    }
    let lever = sight.memory.lever.as_ref()?;
    // A scaling, a rollout or a cordon that is complete leaves nothing to do but to look.
    let rollout = Check::RolloutComplete.ask(sight);
    // What was observed must be later than the change, or it is the old state that is complete.
    let later = sight.snapshot.and_then(|s| s.cluster.as_ref()).is_some_and(|(at, _)| at.since(lever.at) >= 2.0);
    (later && rollout.outcome == Outcome::Pass)
        .then(|| Held::because(format!("{} is complete: {}", lever.action, rollout.says)))
}

fn still_breached(sight: Sight<'_>) -> Option<Held> {
    let due = sight.memory.lever_due()?;
    let better = matches!(sight.d.trend, Some(Trend::Recovering | Trend::Over));
    (breached(sight.d) && !better && sight.d.at >= due && !sight.is_stale()).then(|| {
        let ago = sight.memory.lever.as_ref().map_or(String::new(), |l| {
            format!("{} was {} ago, and the objective is still broken", l.action, span(sight.d.at.since(l.at)))
        });
        Held::because(ago)
    })
}

fn not_over(sight: Sight<'_>) -> Option<Held> {
    let burn = Check::BurnShortUnderOne.ask(sight);
    let entered = sight.memory.entered?;
    let waited = sight.memory.lever_due().unwrap_or(entered).max(entered.plus(super::memory::SHORT_S));
    let better = matches!(sight.d.trend, Some(Trend::Recovering | Trend::Over));
    (burn.outcome == Outcome::Fail && sight.d.at >= waited && !better).then(|| Held::because(burn.says))
}
