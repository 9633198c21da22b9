//! One reading of one engine process, in canonical quantities.

use std::sync::Arc;

use super::{Dist, Gauge, Histogram, Pool, Slice, Total, written};

/// Values of the canonical quantities. Absent is not zero: an absent gauge or total is `None`.
#[derive(Debug, Clone, PartialEq)]
pub struct Values {
    gauges: [f64; Gauge::COUNT],
    totals: [f64; Total::COUNT],
    dists: [Option<Histogram>; Dist::COUNT],
}

impl Default for Values {
    fn default() -> Self {
        Self {
            gauges: [f64::NAN; Gauge::COUNT],
            totals: [f64::NAN; Total::COUNT],
            dists: [const { None }; Dist::COUNT],
        }
    }
}

impl Values {
    /// A gauge, as last reported.
    pub fn gauge(&self, gauge: Gauge) -> Option<f64> {
        Some(self.gauges[gauge as usize]).filter(|v| !v.is_nan())
    }

    /// A running total since the process started (or since the first reading, where readings were chained).
    pub fn total(&self, total: Total) -> Option<f64> {
        Some(self.totals[total as usize]).filter(|v| !v.is_nan())
    }

    /// A distribution since the process started (or since the first reading, where readings were chained).
    pub fn dist(&self, dist: Dist) -> Option<&Histogram> {
        self.dists[dist as usize].as_ref()
    }

    /// Sets a gauge. What cannot be one leaves it absent: a NaN, as SGLang writes for what it cannot measure, an infinity,
    /// anything below zero, and a share of the cache that is more than all of it (by more than rounding).
    pub fn set_gauge(&mut self, gauge: Gauge, value: f64) {
        const ROUNDING: f64 = 0.01;
        let most = if gauge == Gauge::KvUsage { 1.0 } else { f64::MAX };
        let possible = (0.0..=most + ROUNDING).contains(&value);
        self.gauges[gauge as usize] = if possible { value.min(most) } else { f64::NAN };
    }

    /// Sets a total.
    pub fn set_total(&mut self, total: Total, value: f64) {
        self.totals[total as usize] = value;
    }

    /// Sets a distribution.
    pub fn set_dist(&mut self, dist: Dist, value: Option<Histogram>) {
        self.dists[dist as usize] = value;
    }

    /// Changes a distribution in place.
    pub fn dist_mut(&mut self, dist: Dist) -> &mut Option<Histogram> {
        &mut self.dists[dist as usize]
    }

    /// Whether anything at all is known.
    pub fn is_empty(&self) -> bool {
        self.gauges.iter().all(|v| v.is_nan())
            && self.totals.iter().all(|v| v.is_nan())
            && self.dists.iter().all(Option::is_none)
    }
}

/// When an engine writes its phase histograms; decides whether they and TTFT can describe different requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    /// Queue, prefill and decode are written when the request finishes, TTFT at the first token (vLLM).
    #[default]
    AtFinish,
    /// They are written as they happen (SGLang).
    Live,
}

/// What is known of the system that wrote a page, from its dialect.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct System {
    /// The dialect's name: `vllm`, `sglang`, `llamacpp`, `adapter`.
    pub engine: String,
    /// The generation that the page's families show, such as `V0` or `V1`.
    pub generation: Option<String>,
    /// When phase histograms are written.
    pub phases: Finish,
    /// Whether health probes run through the scheduler and are counted in the queue time.
    pub probes_count_as_requests: bool,
    /// How long the gauges may lag behind the counters, in seconds.
    pub gauges_lag_s: u32,
    /// Whether the front end keeps one open file per held request, so that open files witness work.
    pub open_files_witness: bool,
    /// What its pages cannot say, in sentences.
    pub lacks: Vec<String>,
}

/// One engine of a page: most pages have one, a data-parallel page has several.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct ReplicaPage {
    /// The engine's label on the page, empty where there is one engine or none is named.
    pub engine: String,
    /// The model that it serves, where labelled.
    pub model: Option<String>,
    /// The part that it has in a disaggregated deployment, where its page says so.
    pub pool: Option<Pool>,
    /// Of a gateway's page: whose requests these are, where labels tell them apart.
    pub slice: Option<Slice>,
    /// What it says.
    pub values: Values,
}

/// One complete page.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct EnginePage {
    /// Who wrote it.
    #[serde(with = "written::shared")]
    pub system: Arc<System>,
    /// Its engines. Values that belong to the process as a whole stand with the engine without a name.
    pub replicas: Vec<ReplicaPage>,
    /// Which family was used for which quantity: (quantity, family).
    #[serde(with = "written::families")]
    pub families: Vec<(&'static str, Arc<str>)>,
    /// Samples on the page.
    pub series: usize,
    /// Lines that were no sample and no comment.
    pub skipped: usize,
    /// The first of them: its number and what was wrong.
    pub first_skipped: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gauge_that_cannot_be_one_is_absent() {
        let mut values = Values::default();
        let mut set = |gauge, value| {
            values.set_gauge(gauge, value);
            values.gauge(gauge)
        };
        for impossible in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0] {
            assert_eq!(set(Gauge::Running, impossible), None, "{impossible}");
        }
        assert_eq!(set(Gauge::Running, 97.0), Some(97.0));
        assert_eq!(set(Gauge::KvUsage, 97.0), None, "a percentage is no share");
        assert_eq!(set(Gauge::KvUsage, 1.000_001), Some(1.0));
    }
}
