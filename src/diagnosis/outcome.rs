//! What a diagnosis says: the values that contract and reports are made from.

use std::sync::Arc;

use super::{Finding, LeverAdvice, PhaseRow, SloRow, Suspect};
use crate::domain::{At, SourceState, Trend, Verdict};

/// Everything that a diagnosis says.
#[derive(Debug, Clone)]
pub struct Diagnosis {
    /// The moment that was judged.
    pub at: At,
    /// The judged window.
    pub from: At,
    /// The window that was asked for, in seconds.
    pub requested_s: f64,
    /// What is the matter.
    pub verdict: Verdict,
    /// Which way it goes, where something is the matter.
    pub trend: Option<Trend>,
    /// Since when.
    pub since: Option<At>,
    /// Until when, where it is over.
    pub until: Option<At>,
    /// The verdict in words.
    pub sentence: String,
    /// Who is suspected.
    pub suspect: Option<Suspect>,
    /// The model, the engine and its generation, where they are the same everywhere.
    pub model: Option<String>,
    /// The engine's name.
    pub engine: Option<String>,
    /// The engine's generation.
    pub generation: Option<String>,
    /// The objectives.
    pub slo: Vec<SloRow>,
    /// Six phases and the rest.
    pub phases: Vec<PhaseRow>,
    /// Mean time to first token over the window, and before.
    pub ttft_mean: (Option<f64>, Option<f64>),
    /// What the rules found, most seconds first.
    pub findings: Vec<Finding>,
    /// What changed.
    pub changes: Vec<Change>,
    /// Levers, across all findings.
    pub levers: Vec<LeverAdvice>,
    /// Requests.
    pub requests: Requests,
    /// Replicas.
    pub replicas: Vec<ReplicaRow>,
    /// Sources.
    pub sources: Vec<SourceRow>,
}

/// Something that changed in the window.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// When it was first seen.
    pub at: At,
    /// What kind: `restart`.
    pub kind: &'static str,
    /// In words.
    pub summary: String,
}

/// Requests in the window; `None` where the engine does not count them.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Requests {
    /// Finished by the engine.
    pub finished: Option<f64>,
    /// Ended with a server error.
    pub errors: Option<f64>,
    /// Estimate of those whose clients gave up.
    pub abandoned: Option<f64>,
    /// Turned away by admission.
    pub rejected: Option<f64>,
}

/// One replica in the window.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplicaRow {
    /// The pod where known, else the endpoint, with the engine where a page has several.
    pub name: String,
    /// The node.
    pub node: Option<String>,
    /// The revision.
    pub revision: Option<u64>,
    /// Whether Kubernetes calls it Ready.
    pub ready: Option<bool>,
    /// Mean time to first token (s).
    pub ttft_mean: Option<f64>,
    /// First tokens.
    pub count: Option<f64>,
    /// Last readings.
    pub waiting: Option<f64>,
    /// Running requests.
    pub running: Option<f64>,
    /// KV cache use (0–1).
    pub kv: Option<f64>,
}

/// One source as of the judged moment.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceRow {
    /// Its name.
    pub name: String,
    /// Its state.
    pub state: SourceState,
    /// Seconds since its last page.
    pub age_s: Option<f64>,
    /// What is wrong with it.
    pub error: Option<String>,
    /// Samples on its last page.
    pub series: Option<usize>,
    /// Lines that were skipped on it.
    pub skipped: Option<usize>,
    /// Which families were used: (quantity, family).
    pub families: Vec<(&'static str, Arc<str>)>,
}
