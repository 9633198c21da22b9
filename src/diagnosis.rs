//! Says what is broken, since when, in which phase the time goes, by which mechanism, why, and how sure that is.
//!
//! Deterministic rules over measured quantities, each with its evidence for and against; once per sweep, never on the
//! key path. The order is: spans and slices of time (`span`, `slices`) → is the objective broken (`slo`) → since
//! when and which way it goes (`episode`) → what to compare with (`facts`) → where the seconds sit (`phases`) →
//! one small rule per mechanism and cause (`rules`) → the suspect and the sentence (`verdict`).
//!
//! Knows no screen, no runbook and no `action`.

mod around;
mod before;
mod burn;
mod changes;
mod cluster;
mod contrast;
mod episode;
mod facts;
mod finding;
mod format;
mod gateway;
mod gpus;
mod joint;
mod levers;
mod outcome;
mod phases;
mod pools;
mod revisions;
mod rows;
mod rules;
mod sentence;
mod sliced;
mod slices;
mod slo;
mod span;
mod stall;
mod starts;
mod verdict;

pub use burn::{Tier, TierState, WindowBurn};
pub use episode::Episode;
pub use finding::{Evidence, Finding, LeverAdvice, Op, Subject, Suspect};
pub use format::{length, number, seconds};
pub use outcome::{
    Before, Change, ChangeKind, Diagnosis, GpuRow, ReplicaRow, Requests, RevisionRow, Scope, SeriesPoint, SourceRow,
    StartRow, StartStep, Starts, Step, Times, Truth,
};
pub use phases::PhaseRow;
pub use rules::{Touches, touches};
pub use slo::{Events, Metric, PerRequest, SloRow};
pub use verdict::{diagnose, diagnose_without};

/// A latency objective: `objective` of all events within `seconds`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Target {
    /// The threshold in seconds.
    pub seconds: f64,
    /// The share that must be within it (0–1).
    pub objective: f64,
}

impl Target {
    /// The share that may be above it.
    pub fn budget(self) -> f64 {
        1.0 - self.objective
    }
}

/// The objectives of one model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Targets {
    /// Time to first token, per request.
    pub ttft: Target,
    /// Time per output token, judged on the live inter-token latency, per token.
    pub tpot: Target,
    /// Which burn-rate table.
    pub burn: BurnPreset,
}

/// The burn-rate tables that people use (sre.google/workbook/alerting-on-slos; sloth for 28 days; pyrra).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BurnPreset {
    /// 14.4, 6, 3, 1.
    #[default]
    Workbook,
    /// 13.44, 5.6, 2.8, 0.933.
    Sloth28d,
    /// 14, 7, 2, 1.
    Pyrra,
}

impl BurnPreset {
    /// Every preset.
    pub const ALL: [Self; 3] = [Self::Workbook, Self::Sloth28d, Self::Pyrra];

    /// The name in configuration files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Workbook => "workbook",
            Self::Sloth28d => "sloth-28d",
            Self::Pyrra => "pyrra",
        }
    }
}

/// What is asked of a diagnosis.
#[derive(Debug, Clone)]
pub struct Policy {
    /// The judged window in seconds; shorter where less was observed.
    pub window_s: f64,
    /// Objectives of models that are not named.
    pub default: Targets,
    /// Objectives by model, or by `model/route`.
    pub by_model: Vec<(String, Targets)>,
}

impl Policy {
    /// The objectives of `model`.
    pub fn targets(&self, model: Option<&str>) -> Targets {
        let named = model.and_then(|m| self.by_model.iter().find(|(name, _)| name == m));
        named.map_or(self.default, |(_, t)| *t)
    }

    /// The objectives of a model's route: its own, else the model's.
    pub fn targets_of(&self, model: Option<&str>, route: Option<&str>) -> Targets {
        let both = model.zip(route).map(|(model, route)| format!("{model}/{route}"));
        let own = both.and_then(|both| self.by_model.iter().find(|(name, _)| *name == both));
        own.map_or_else(|| self.targets(model), |(_, t)| *t)
    }
}
