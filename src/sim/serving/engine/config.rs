//! What an engine makes of its arguments and its GPUs: limits of the scheduler, and how much KV cache is left.

use crate::domain::Pool;
use crate::sim::scenario::{Weights, flag};
use crate::sim::serving::hardware::Product;
use crate::sim::serving::number::whole;

/// Memory of a GPU that is neither weights, activations nor KV cache: CUDA context, NCCL, CUDA graphs. In bytes.
const OUTSIDE: f64 = 2.0e9;
/// Activations per batched token and GPU at the profiled peak, in bytes.
const PER_BATCHED_TOKEN: f64 = 0.25e6;
/// Logits and sampling per sequence and GPU, in bytes.
const PER_SEQUENCE: f64 = 0.5e6;

/// Longer drafts than a block of the cache are not written here.
const MOST_DRAFTS: u32 = 8;

/// An engine's configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// `--max-num-seqs`: sequences in a batch.
    pub max_num_seqs: u32,
    /// `--max-num-batched-tokens`: tokens of a step.
    pub max_num_batched_tokens: u32,
    /// `--max-model-len`: prompt and answer together.
    pub max_model_len: u32,
    /// `--enable-chunked-prefill`: a prompt may be computed in several steps.
    pub chunked_prefill: bool,
    /// `--enable-prefix-caching`: blocks of equal prefixes are used again.
    pub prefix_caching: bool,
    /// `--tensor-parallel-size`: GPUs that hold a part of the weights each.
    pub tensor_parallel: u32,
    /// `--gpu-memory-utilization`: the share of a GPU's memory that it may use.
    pub memory_utilisation: f64,
    /// `--block-size`: tokens per block of KV cache.
    pub block_size: u32,
    /// Blocks of KV cache.
    pub blocks: u32,
    /// Bytes of KV cache per token, on all GPUs together.
    pub token_bytes: f64,
    /// `--num-gpu-blocks-override`: so many, whatever memory has room for.
    pub blocks_override: Option<u32>,
    /// `--served-model-name`, or the model's path.
    pub model_name: String,
    /// `--max-num-queued-reqs`: more are turned away with 503.
    pub max_queued: Option<u32>,
    /// `num_speculative_tokens` of `--speculative-config`: tokens that are drafted for each sequence and step.
    pub drafts: u32,
    /// `kv_role` of `--kv-transfer-config`: the part that it has where prompts are computed on other engines than tokens.
    pub pool: Option<Pool>,
    /// `--tokenizer-mode=slow`: Python's own tokenizer instead of the compiled one.
    pub slow_tokenizer: bool,
}

/// Why an engine does not start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// Nothing is left for the cache.
    #[error(
        "No available memory for the cache blocks. Try increasing `gpu_memory_utilization` when initializing the engine."
    )]
    NoCache,
    /// The cache is smaller than one request may become.
    #[error(
        "To serve at least one request with the models's max seq len ({max_model_len}), more KV cache is needed than is \
         available ({available} tokens). Try increasing `gpu_memory_utilization` or decreasing `max_model_len` when \
         initializing the engine."
    )]
    CacheTooSmall {
        /// `--max-model-len`.
        max_model_len: u32,
        /// Tokens that fit.
        available: u32,
    },
    /// Fewer GPUs than the weights are split over.
    #[error("World size ({wanted}) is larger than the number of available GPUs ({given}) in this node.")]
    GpusMissing {
        /// `--tensor-parallel-size`.
        wanted: u32,
        /// GPUs of the container.
        given: u32,
    },
}

/// How many tokens are drafted by a `--speculative-config`.
fn drafts(json: &str) -> u32 {
    let config: serde_json::Value = serde_json::from_str(json).unwrap_or_default();
    config["num_speculative_tokens"].as_u64().and_then(|n| u32::try_from(n).ok()).unwrap_or(0).min(MOST_DRAFTS)
}

/// The part that a `--kv-transfer-config` gives an engine.
fn pool(json: &str) -> Option<Pool> {
    let config: serde_json::Value = serde_json::from_str(json).unwrap_or_default();
    match config["kv_role"].as_str()? {
        "kv_producer" => Some(Pool::Prefill),
        "kv_consumer" => Some(Pool::Decode),
        _ => None,
    }
}

impl Config {
    /// The configuration that these arguments give on these GPUs; vLLM's defaults where they say nothing.
    pub fn new(args: &[String], model: &Weights, gpus: &[Product]) -> Result<Self, StartError> {
        let number = |name: &str| flag(args, name).and_then(|value| value.parse::<u32>().ok());
        let given = u32::try_from(gpus.len()).unwrap_or(u32::MAX);
        let tensor_parallel = number("--tensor-parallel-size").or_else(|| number("--tp")).unwrap_or(1);
        let max_model_len = number("--max-model-len").unwrap_or(8192);
        let chunked = flag(args, "--no-enable-chunked-prefill").is_none();
        let batched = number("--max-num-batched-tokens").unwrap_or(2048);
        let mut config = Self {
            max_num_seqs: number("--max-num-seqs").unwrap_or(256).max(1),
            // Without chunks the longest prompt must fit into one step.
            max_num_batched_tokens: if chunked { batched } else { batched.max(max_model_len) },
            max_model_len,
            chunked_prefill: chunked,
            prefix_caching: flag(args, "--no-enable-prefix-caching").is_none(),
            tensor_parallel,
            memory_utilisation: flag(args, "--gpu-memory-utilization").and_then(|v| v.parse().ok()).unwrap_or(0.9),
            block_size: number("--block-size").unwrap_or(16).max(1),
            blocks: 0,
            token_bytes: model.kv_kib_per_token * 1024.0,
            blocks_override: number("--num-gpu-blocks-override"),
            model_name: flag(args, "--served-model-name").filter(|n| !n.is_empty()).unwrap_or(&model.name).to_owned(),
            max_queued: number("--max-num-queued-reqs"),
            drafts: flag(args, "--speculative-config").map_or(0, drafts),
            pool: flag(args, "--kv-transfer-config").and_then(pool),
            slow_tokenizer: flag(args, "--tokenizer-mode") == Some("slow"),
        };
        if tensor_parallel > given {
            return Err(StartError::GpusMissing { wanted: tensor_parallel, given });
        }
        let tokens = config
            .blocks_override
            .map_or_else(|| config.kv_tokens(model, gpus), |blocks| f64::from(blocks * config.block_size));
        if tokens < f64::from(config.block_size) {
            return Err(StartError::NoCache);
        }
        config.blocks = whole((tokens / f64::from(config.block_size)).floor());
        let available = config.blocks * config.block_size;
        if available < max_model_len {
            return Err(StartError::CacheTooSmall { max_model_len, available });
        }
        Ok(config)
    }

    /// Tokens of KV cache: what the smallest of its GPUs has left, on all of them together.
    fn kv_tokens(&self, model: &Weights, gpus: &[Product]) -> f64 {
        let share = f64::from(self.tensor_parallel);
        let activations = PER_BATCHED_TOKEN * f64::from(self.max_num_batched_tokens);
        let sampling = PER_SEQUENCE * f64::from(self.max_num_seqs);
        let used = model.weights_gb * 1e9 / share + activations + sampling + OUTSIDE;
        let smallest = gpus.iter().map(Product::memory_bytes).fold(f64::INFINITY, f64::min);
        (smallest * self.memory_utilisation - used) * share / self.token_bytes
    }
}
