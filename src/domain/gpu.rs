//! GPUs: what an exporter or a driver says of each, over time. Absent is not zero: by default DCGM exports neither event
//! reasons nor ECC, and then they are `None`, never "fine".

use std::collections::VecDeque;
use std::sync::Arc;

use super::{At, written};

/// Readings kept per GPU: an hour at the default interval.
const CAPACITY: usize = 720;

/// Which GPU.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct GpuId {
    /// The node, where the exporter says it or Kubernetes does.
    pub node: Option<String>,
    /// Its index on the node.
    pub index: Option<u32>,
    /// Its UUID.
    pub uuid: Option<String>,
}

/// One reading of one GPU, in base units.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "each field is its name and its unit")]
pub struct GpuSample {
    #[serde(with = "written::maybe", skip_serializing_if = "Option::is_none")]
    pub sm_clock_hz: Option<f64>,
    #[serde(with = "written::maybe", skip_serializing_if = "Option::is_none")]
    pub sm_clock_max_hz: Option<f64>,
    #[serde(with = "written::maybe", skip_serializing_if = "Option::is_none")]
    pub memory_clock_hz: Option<f64>,
    #[serde(with = "written::maybe", skip_serializing_if = "Option::is_none")]
    pub temperature_c: Option<f64>,
    #[serde(with = "written::maybe", skip_serializing_if = "Option::is_none")]
    pub memory_temperature_c: Option<f64>,
    #[serde(with = "written::maybe", skip_serializing_if = "Option::is_none")]
    pub power_w: Option<f64>,
    #[serde(with = "written::maybe", skip_serializing_if = "Option::is_none")]
    pub power_limit_w: Option<f64>,
    /// The share of time in which any kernel ran (0–1): says little about how busy it was.
    #[serde(with = "written::maybe", skip_serializing_if = "Option::is_none")]
    pub utilisation: Option<f64>,
    #[serde(with = "written::maybe", skip_serializing_if = "Option::is_none")]
    pub memory_used_bytes: Option<f64>,
    #[serde(with = "written::maybe", skip_serializing_if = "Option::is_none")]
    pub memory_total_bytes: Option<f64>,
    /// The clock's event reasons as a bit mask (NVML's bits).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_reasons: Option<u64>,
    /// Seconds of throttling since the driver started, by thermal and by power reasons.
    #[serde(with = "written::maybe", skip_serializing_if = "Option::is_none")]
    pub thermal_throttle_s: Option<f64>,
    #[serde(with = "written::maybe", skip_serializing_if = "Option::is_none")]
    pub power_throttle_s: Option<f64>,
    /// ECC errors since the driver was loaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ecc_uncorrected_volatile: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ecc_corrected_volatile: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row_remap_failed: Option<bool>,
    /// The last XID: sticky, so that only a change of it is news.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub xid: Option<u32>,
}

/// One GPU on a page.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct GpuReading {
    /// Which.
    pub id: GpuId,
    /// The pod that holds it, where the exporter knows.
    pub pod: Option<String>,
    /// The product, such as `NVIDIA H100 80GB HBM3`.
    pub product: Option<String>,
    /// What it says.
    pub sample: GpuSample,
}

/// A complete page of an exporter of GPUs.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct GpuPage {
    /// The exporter's dialect: `dcgm`, `nvidia_gpu_exporter`.
    pub exporter: String,
    /// Its GPUs.
    pub gpus: Vec<GpuReading>,
    /// Samples on the page.
    pub series: usize,
    /// Lines that were no sample and no comment.
    pub skipped: usize,
    /// The first of them.
    pub first_skipped: Option<String>,
}

/// One GPU over time.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct GpuTrack {
    /// Which.
    pub id: GpuId,
    /// The pod that holds it.
    pub pod: Option<String>,
    /// The product.
    pub product: Option<String>,
    /// Who said so: the endpoint's name.
    pub source: Arc<str>,
    /// Its readings, oldest first.
    pub points: VecDeque<(At, GpuSample)>,
}

impl GpuTrack {
    /// Adds a reading; one that is not later than the last is dropped.
    pub fn push(&mut self, at: At, reading: GpuReading) {
        if self.points.back().is_some_and(|(last, _)| at <= *last) {
            return;
        }
        if self.points.len() >= CAPACITY {
            self.points.pop_front();
        }
        self.pod = reading.pod.or_else(|| self.pod.take());
        self.product = reading.product.or_else(|| self.product.take());
        self.points.push_back((at, reading.sample));
    }

    /// The latest reading at or before `at`.
    pub fn at_or_before(&self, at: At) -> Option<&(At, GpuSample)> {
        self.points.partition_point(|p| p.0 <= at).checked_sub(1).map(|i| &self.points[i])
    }
}
