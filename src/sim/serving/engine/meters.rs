//! What an engine counts, in the shape of its metrics page.

use std::sync::Arc;

use crate::sim::serving::page::Speech;

/// A histogram with its own bounds; `counts` has one more for what lies above.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::sim::serving) struct Buckets {
    pub(in crate::sim::serving) bounds: Arc<[f64]>,
    pub(in crate::sim::serving) counts: Vec<u64>,
    pub(in crate::sim::serving) sum: f64,
}

impl Buckets {
    pub(in crate::sim::serving) fn new(bounds: &[f64]) -> Self {
        Self { bounds: bounds.into(), counts: vec![0; bounds.len() + 1], sum: 0.0 }
    }

    pub(in crate::sim::serving) fn observe(&mut self, value: f64) {
        self.observe_times(value, 1);
    }

    pub(in crate::sim::serving) fn observe_times(&mut self, value: f64, times: u32) {
        let bucket = self.bounds.partition_point(|bound| *bound < value);
        self.counts[bucket] += u64::from(times);
        self.sum += value * f64::from(times);
    }
}

/// Time to first token, in seconds (vLLM since 0.8.4).
const TTFT: &[f64] = &[
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0,
    160.0, 640.0, 2560.0,
];
/// Between tokens.
const GAP: &[f64] =
    &[0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0];
/// Phases and whole requests.
const LONG: &[f64] = &[
    0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 120.0, 240.0, 480.0, 960.0,
    1920.0, 7680.0,
];
/// `SGLang`'s, 0.5.23.
const SGLANG_TTFT: &[f64] =
    &[0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 2.0, 4.0, 6.0, 8.0, 10.0, 20.0, 40.0, 60.0, 80.0, 100.0, 200.0, 400.0];
const SGLANG_GAP: &[f64] = &[
    0.002, 0.004, 0.006, 0.008, 0.01, 0.015, 0.02, 0.025, 0.03, 0.035, 0.04, 0.06, 0.08, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0,
    2.0, 4.0, 6.0, 8.0,
];
const SGLANG_E2E: &[f64] = &[
    0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 2.0, 4.0, 6.0, 8.0, 10.0, 20.0, 40.0, 60.0, 80.0, 100.0, 200.0, 400.0, 600.0, 1200.0,
    1800.0, 2400.0,
];
const SGLANG_QUEUE: &[f64] = &[
    0.0, 0.001, 0.005, 0.01, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0,
    70.0, 80.0, 90.0, 100.0, 200.0, 300.0, 400.0, 500.0, 600.0, 700.0, 800.0, 900.0, 1000.0, 1200.0, 1400.0, 1600.0,
    1800.0, 2000.0, 2500.0, 3000.0,
];
const SGLANG_LENGTHS: &[f64] = &[
    100.0, 300.0, 500.0, 700.0, 1000.0, 1500.0, 2000.0, 3000.0, 4000.0, 5000.0, 6000.0, 7000.0, 8000.0, 9000.0,
    10_000.0, 12_500.0, 15_000.0, 17_500.0, 20_000.0, 22_500.0, 25_000.0, 27_500.0, 30_000.0, 35_000.0, 40_000.0,
    60_000.0, 80_000.0, 100_000.0,
];
/// Of a connector's transfers.
const TRANSFER: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 5.0];
const STEP_TOKENS: &[f64] = &[1.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0, 4096.0, 8192.0, 16384.0];
const HIGH_RESOLUTION: &[f64] = &[
    0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 7.5, 10.0, 30.0, 60.0,
];

/// Everything that an engine's page says beside its configuration.
#[derive(Debug, Clone)]
pub(in crate::sim::serving) struct Meters {
    // As the last step left them: a hanging engine's gauges stand still.
    pub(in crate::sim::serving) running: u32,
    pub(in crate::sim::serving) waiting: u32,
    /// Of those that wait, how many wait for a cache from another engine.
    pub(in crate::sim::serving) deferred: u32,
    pub(in crate::sim::serving) kv_usage: f64,
    pub(in crate::sim::serving) cache_queries: u64,
    pub(in crate::sim::serving) cache_hits: u64,
    pub(in crate::sim::serving) preemptions: u64,
    pub(in crate::sim::serving) prompt_tokens: u64,
    pub(in crate::sim::serving) prompt_cached: u64,
    pub(in crate::sim::serving) generated: u64,
    /// Drafts, the tokens in them, and by their position how many of these were accepted.
    pub(in crate::sim::serving) drafts: u64,
    pub(in crate::sim::serving) draft_tokens: u64,
    pub(in crate::sim::serving) accepted: Vec<u64>,
    pub(in crate::sim::serving) finished_stop: u64,
    pub(in crate::sim::serving) finished_length: u64,
    pub(in crate::sim::serving) rejected: u64,
    pub(in crate::sim::serving) http_2xx: u64,
    pub(in crate::sim::serving) http_4xx: u64,
    pub(in crate::sim::serving) http_5xx: u64,
    pub(in crate::sim::serving) prompt_length: Buckets,
    pub(in crate::sim::serving) output_length: Buckets,
    pub(in crate::sim::serving) output_most: Buckets,
    pub(in crate::sim::serving) computed: Buckets,
    pub(in crate::sim::serving) parallel: Buckets,
    pub(in crate::sim::serving) step_tokens: Buckets,
    pub(in crate::sim::serving) ttft: Buckets,
    pub(in crate::sim::serving) gap: Buckets,
    pub(in crate::sim::serving) per_token: Buckets,
    pub(in crate::sim::serving) e2e: Buckets,
    pub(in crate::sim::serving) queue: Buckets,
    pub(in crate::sim::serving) inference: Buckets,
    pub(in crate::sim::serving) prefill: Buckets,
    pub(in crate::sim::serving) decode: Buckets,
    pub(in crate::sim::serving) preempted: Buckets,
    pub(in crate::sim::serving) http_fine: Buckets,
    pub(in crate::sim::serving) http: Buckets,
    /// Seconds of CPU time of the API server.
    pub(in crate::sim::serving) cpu_s: f64,
    /// Whether a wait is written when it is over, and not when its request is.
    pub(super) live: bool,
    /// Steps that computed the last part of a prompt, and steps that computed another one: once for each prompt in them.
    pub(in crate::sim::serving) last_chunk: Buckets,
    pub(in crate::sim::serving) chunks: Buckets,
    /// How long caches took to come from other engines, and prompt tokens in them.
    pub(in crate::sim::serving) transfer: Buckets,
    pub(in crate::sim::serving) transferred: u64,
}

impl Meters {
    pub(super) fn new(max_model_len: u32, speech: Speech) -> Self {
        let sglang = speech == Speech::Sglang;
        let lengths = if sglang { SGLANG_LENGTHS.to_vec() } else { lengths(max_model_len) };
        let (ttft, gap) = if sglang { (SGLANG_TTFT, SGLANG_GAP) } else { (TTFT, GAP) };
        let (e2e, queue) = if sglang { (SGLANG_E2E, SGLANG_QUEUE) } else { (LONG, LONG) };
        let (length, long, gap) = (Buckets::new(&lengths), Buckets::new(LONG), Buckets::new(gap));
        // Powers of 1.62, from a millisecond on.
        let stages: Vec<f64> = (0..31).map(|power| 0.001 * 1.62_f64.powi(power)).collect();
        Self {
            running: 0,
            waiting: 0,
            deferred: 0,
            kv_usage: 0.0,
            cache_queries: 0,
            cache_hits: 0,
            preemptions: 0,
            prompt_tokens: 0,
            prompt_cached: 0,
            generated: 0,
            drafts: 0,
            draft_tokens: 0,
            accepted: Vec::new(),
            finished_stop: 0,
            finished_length: 0,
            rejected: 0,
            http_2xx: 0,
            http_4xx: 0,
            http_5xx: 0,
            prompt_length: length.clone(),
            output_length: length.clone(),
            output_most: length.clone(),
            computed: length,
            parallel: Buckets::new(&[1.0, 2.0, 5.0, 10.0, 20.0]),
            step_tokens: Buckets::new(STEP_TOKENS),
            ttft: Buckets::new(ttft),
            gap: gap.clone(),
            per_token: gap,
            e2e: Buckets::new(e2e),
            queue: Buckets::new(queue),
            inference: long.clone(),
            prefill: long.clone(),
            decode: long,
            preempted: Buckets::new(&[1.0, 2.0, 3.0, 4.0, 5.0, 10.0, 20.0]),
            http_fine: Buckets::new(HIGH_RESOLUTION),
            http: Buckets::new(&[0.1, 0.5, 1.0]),
            cpu_s: 0.0,
            live: sglang,
            last_chunk: Buckets::new(&stages),
            chunks: Buckets::new(&stages),
            transfer: Buckets::new(TRANSFER),
            transferred: 0,
        }
    }
}

impl Meters {
    /// So many sequences had so many tokens drafted each, of which some were accepted.
    pub(super) fn drafted(&mut self, sequences: u32, length: u32, accepted: u32) {
        if length == 0 {
            return;
        }
        self.drafts += u64::from(sequences);
        self.draft_tokens += u64::from(sequences * length);
        self.accepted.resize(length as usize, 0);
        self.accepted.iter_mut().take(accepted as usize).for_each(|count| *count += u64::from(sequences));
    }
}

/// 1, 2, 5, 10, … up to the longest sequence: `--max-model-len` decides how many.
fn lengths(max_model_len: u32) -> Vec<f64> {
    let mut bounds = Vec::new();
    let mut ten = 1_u32;
    while ten <= max_model_len {
        bounds.extend([1, 2, 5].into_iter().map(|m| m * ten).filter(|b| *b <= max_model_len).map(f64::from));
        ten = ten.saturating_mul(10);
    }
    bounds
}
