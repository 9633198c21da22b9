//! A sink like the real one: 25 families of one engine, found by hash, kept in dense slots that are used again.

use rustc_hash::FxHashMap;
use warroom::decode::exposition::{Labels, Sink};

const SCALARS: [&str; 14] = [
    "vllm:num_requests_running",
    "vllm:num_requests_waiting",
    "vllm:kv_cache_usage_perc",
    "vllm:num_preemptions_total",
    "vllm:prefix_cache_queries_total",
    "vllm:prefix_cache_hits_total",
    "vllm:external_prefix_cache_queries_total",
    "vllm:external_prefix_cache_hits_total",
    "vllm:prompt_tokens_total",
    "vllm:prompt_tokens_cached_total",
    "vllm:generation_tokens_total",
    "vllm:request_success_total",
    "vllm:engine_sleep_state",
    "process_start_time_seconds",
];

const HISTOGRAMS: [&str; 11] = [
    "vllm:time_to_first_token_seconds",
    "vllm:inter_token_latency_seconds",
    "vllm:request_time_per_output_token_seconds",
    "vllm:e2e_request_latency_seconds",
    "vllm:request_queue_time_seconds",
    "vllm:request_inference_time_seconds",
    "vllm:request_prefill_time_seconds",
    "vllm:request_decode_time_seconds",
    "vllm:request_prompt_tokens",
    "vllm:request_generation_tokens",
    "vllm:iteration_tokens_total",
];

/// As many engines as the largest page has.
const ENGINES: usize = 8;

/// What a sample is of its family.
#[derive(Clone, Copy)]
pub(crate) enum Part {
    Scalar(usize),
    Bucket(usize),
    Sum(usize),
    Count(usize),
}

/// One histogram of one engine: upper bounds with cumulative counts, and the totals.
#[derive(Default)]
struct Histogram {
    buckets: Vec<(f64, f64)>,
    sum: f64,
    count: f64,
}

/// The numbers of one page, by family and engine.
pub(crate) struct Wanted {
    parts: FxHashMap<String, Part>,
    scalars: Vec<[f64; ENGINES]>,
    histograms: Vec<[Histogram; ENGINES]>,
}

impl Default for Wanted {
    fn default() -> Self {
        let mut parts = FxHashMap::default();
        parts.extend(SCALARS.iter().enumerate().map(|(index, name)| ((*name).to_owned(), Part::Scalar(index))));
        for (index, name) in HISTOGRAMS.iter().enumerate() {
            parts.insert(format!("{name}_bucket"), Part::Bucket(index));
            parts.insert(format!("{name}_sum"), Part::Sum(index));
            parts.insert(format!("{name}_count"), Part::Count(index));
        }
        let scalars = vec![[0.0; ENGINES]; SCALARS.len()];
        let histograms = HISTOGRAMS.iter().map(|_| std::array::from_fn(|_| Histogram::default())).collect();
        Self { parts, scalars, histograms }
    }
}

impl Wanted {
    /// Makes room for the next page without giving back what this one needed.
    pub(crate) fn clear(&mut self) {
        self.scalars.iter_mut().for_each(|engines| engines.fill(0.0));
        self.histograms.iter_mut().flatten().for_each(|histogram| histogram.buckets.clear());
    }
}

impl Sink for Wanted {
    type Key = Part;

    fn family(&mut self, name: &str) -> Option<Part> {
        self.parts.get(name).copied()
    }

    fn sample(&mut self, key: Part, labels: Labels<'_>, value: f64) {
        let engine = labels.get("engine").and_then(|engine| engine.parse::<usize>().ok()).unwrap_or(0) % ENGINES;
        match key {
            Part::Scalar(index) => self.scalars[index][engine] += value,
            Part::Sum(index) => self.histograms[index][engine].sum = value,
            Part::Count(index) => self.histograms[index][engine].count = value,
            Part::Bucket(index) => {
                let bound = labels.get("le").and_then(|bound| bound.parse().ok()).unwrap_or(f64::NAN);
                self.histograms[index][engine].buckets.push((bound, value));
            }
        }
    }
}
