//! What a Prometheus tells beyond what was watched here: events over long windows, and alerts.

use super::{At, SourceState};

/// Events of one latency over one window.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct ToldWindow {
    /// The quantity: `ttft` or `itl`, as a dialect names it.
    pub quantity: String,
    /// The model, as its label names it.
    pub model: Option<String>,
    /// The window (s); it ends at the moment of the question.
    pub window_s: f64,
    /// Events, extrapolated to the window's edges as Prometheus does.
    pub count: f64,
    /// Of those, certainly late: over the next bound above the target.
    pub late: f64,
    /// Of those, possibly late: over the next bound below it.
    pub late_at_most: f64,
}

/// What the engines of one model counted in a stretch of the past, summed over them.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct ToldStretch {
    /// The model, as its label names it.
    pub model: Option<String>,
    /// When it begins.
    pub from: At,
    /// When it ends.
    pub to: At,
    /// By the names of quantities: how much was counted. Of a distribution that is its events.
    pub counts: Vec<(String, f64)>,
    /// By the names of distributions: the sum of their events' values (s).
    pub sums: Vec<(String, f64)>,
    /// By the names of latencies: events that came certainly later than the target.
    pub late: Vec<(String, f64)>,
}

/// An alert.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ToldAlert {
    /// Its name, cleaned.
    pub name: String,
    /// Whether it fires; else it is pending.
    pub firing: bool,
    /// Its severity, where it is labelled.
    pub severity: Option<String>,
}

impl ToldAlert {
    /// Whether it is about latency or an objective, by its name: others may fire beside an incident and say nothing of it.
    pub fn is_about_latency(&self) -> bool {
        let name = self.name.to_ascii_lowercase();
        ["ttft", "tpot", "itl", "latency", "slo", "burn", "firsttoken"].iter().any(|word| name.contains(word))
    }
}

/// One round of answers.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Told {
    /// Who was asked, as shown.
    pub by: String,
    /// Along what it was found in the cluster, and what it has of this engine; `None` where it was named.
    pub found: Option<String>,
    /// By which labels its series were chosen, as PromQL has them.
    pub chosen: String,
    /// The windows.
    pub windows: Vec<ToldWindow>,
    /// The alerts, those that fire first.
    pub alerts: Vec<ToldAlert>,
    /// The past, in stretches: some hours until now, and the same hour of the day before.
    pub past: Vec<ToldStretch>,
    /// What it warned of, and what it did not answer.
    pub warnings: Vec<String>,
}

/// Why nobody is asked: a Prometheus was looked for, and there is none that answers.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Untold {
    /// Absent or denied.
    pub state: SourceState,
    /// What was looked at, and what to do.
    pub why: String,
}
