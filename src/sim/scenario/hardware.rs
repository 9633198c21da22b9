//! What happens to a node: its cooling, its power, its GPUs, its neighbours.

use serde::Deserialize;

/// Worse cooling.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Heat {
    /// Where.
    pub node: String,
    /// Which of its GPUs; all, where this is absent.
    pub gpu: Option<u32>,
    /// How much warmer the air at its heat sink is, in kelvins; 0 is as at the beginning.
    pub kelvins: f64,
}

/// A lower power limit.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PowerLimit {
    /// Where.
    pub node: String,
    /// Which of its GPUs; all, where this is absent.
    pub gpu: Option<u32>,
    /// The limit.
    pub watts: f64,
}

/// The power supply asserts the brake: the hardware lowers the clocks at once, whatever the driver wants.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PowerBrake {
    /// Where.
    pub node: String,
    /// Which of its GPUs; all, where this is absent.
    pub gpu: Option<u32>,
    /// The share of its highest clock that is left: a half or less while the brake is on, 1 without it.
    pub clock: f64,
}

/// A GPU falls off the bus: what computes on it dies, and nothing finds it there again.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LostGpu {
    /// Where.
    pub node: String,
    /// Which of its GPUs.
    pub gpu: u32,
}

/// Memory errors.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemoryErrors {
    /// Where.
    pub node: String,
    /// Which of its GPUs.
    pub gpu: u32,
    /// Corrected errors per minute.
    pub corrected_per_min: f64,
    /// Uncorrected errors per minute.
    pub uncorrected_per_min: f64,
    /// The share of the memory's bandwidth that replays cost.
    pub bandwidth_lost: f64,
}

/// A neighbour that takes CPU time.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BusyHost {
    /// Where.
    pub node: String,
    /// The share of CPU time that is left to each thread of an engine: 1 is all.
    pub left: f64,
}
