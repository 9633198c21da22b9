//! How long a step takes: a roofline. A batch must read the weights once and compute its tokens, whichever takes longer, and
//! read the KV cache of all its sequences; the host prepares and samples around that.

use crate::sim::scenario::Weights;
use crate::sim::serving::hardware::Product;

/// The share of a GPU's peak arithmetic that large matrix products reach here.
const ARITHMETIC: f64 = 0.42;
/// The share of its memory bandwidth that a step reaches.
const BANDWIDTH: f64 = 0.70;
/// Attention grows with the position: a token at this position costs twice one at the beginning.
const DOUBLE_AT: f64 = 60_000.0;

/// The weights of a draft model as a share of the model's: EAGLE's is one layer of its 80, and its head.
const DRAFT: f64 = 0.03;
/// Host work per drafted position (s): each is a pass of its own.
const PER_DRAFT: f64 = 0.000_4;

/// What a step works on.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Work {
    /// Prompt tokens, and the mean position of them.
    pub(super) prefill: u32,
    pub(super) position: f64,
    /// Sequences that get tokens, how many are drafted for each of them, and the tokens that they look back on.
    pub(super) decodes: u32,
    pub(super) drafts: u32,
    pub(super) context: u64,
    /// Sequences in the batch.
    pub(super) sequences: u32,
}

/// Seconds of a step's parts, at the highest clock and an idle host.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Speed {
    /// Host work per step: scheduling, launching, sampling, all-reduces.
    pub host: f64,
    /// And per sequence.
    pub per_sequence: f64,
    /// To compute one token.
    pub per_token: f64,
    /// To read the weights.
    pub weights: f64,
    /// To read the KV cache of one token.
    pub per_context: f64,
    /// The API server's work per request, per prompt token, and per token written.
    pub front: FrontSpeed,
}

/// Seconds of the API server's work.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FrontSpeed {
    /// Per request.
    pub request: f64,
    /// Per token of its prompt.
    pub prompt_token: f64,
    /// From a step's end to the first token's event.
    pub out: f64,
    /// CPU time per generated token.
    pub token: f64,
}

/// How many times as long Python's tokenizer takes for a token as the compiled one, about.
pub(super) const SLOW_TOKENIZER: f64 = 20.0;

/// What slows a step down: 1 is nothing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::sim::serving) struct Conditions {
    /// Clock of the slowest GPU as a share of its highest.
    pub(in crate::sim::serving) clock: f64,
    /// Memory bandwidth of the slowest GPU as a share.
    pub(in crate::sim::serving) bandwidth: f64,
    /// CPU time that is left to it.
    pub(in crate::sim::serving) host: f64,
    /// How often a drafted token is what the model would have said, where those before it were.
    pub(in crate::sim::serving) acceptance: f64,
    /// How fast KV caches come from other engines (GB/s).
    pub(in crate::sim::serving) link: f64,
}

impl Speed {
    /// The speed of a model on these GPUs, which share its weights.
    pub fn of(model: &Weights, gpus: &[Product]) -> Self {
        let slowest = |of: fn(&Product) -> f64| gpus.iter().map(of).fold(f64::INFINITY, f64::min);
        let count = f64::from(u32::try_from(gpus.len()).unwrap_or(1).max(1));
        let (flops, bandwidth) = (slowest(|g| g.flops) * count, slowest(|g| g.bandwidth) * count * BANDWIDTH);
        Self {
            // An all-reduce of each layer costs some microseconds, whatever the batch.
            host: 0.004 + 0.0012 * count,
            per_sequence: 0.000_025,
            per_token: 2.0 * model.parameters_b * 1e9 / (flops * ARITHMETIC),
            weights: model.weights_gb * 1e9 / bandwidth,
            per_context: model.kv_kib_per_token * 1024.0 / bandwidth,
            front: FrontSpeed { request: 0.0025, prompt_token: 1.5e-6, out: 0.002, token: 0.000_12 },
        }
    }

    /// Seconds of a step, and of these the seconds that arithmetic and memory were busy.
    pub(super) fn step(&self, work: Work, now: Conditions) -> (f64, f64, f64) {
        let prefill = f64::from(work.prefill) * (1.0 + work.position / DOUBLE_AT);
        // What was drafted is verified in one pass, as if it were a piece of a prompt.
        let verified = f64::from(work.decodes * (1 + work.drafts));
        let arithmetic = (prefill + verified) * self.per_token / now.clock;
        // Caches run at the SMs' clock: reading suffers a little from a low one.
        let reading = now.bandwidth * (0.85 + 0.15 * now.clock);
        let weights = self.weights / reading;
        let cache = work.context as f64 * self.per_context / reading;
        let passes = if work.decodes > 0 { f64::from(work.drafts) } else { 0.0 };
        let drafting = passes * DRAFT * weights;
        let host = (self.host + self.per_sequence * f64::from(work.sequences) + passes * PER_DRAFT) / now.host;
        (host + arithmetic.max(weights) + cache + drafting, arithmetic, weights + cache + drafting)
    }
}
