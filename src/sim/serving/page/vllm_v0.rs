//! The page of vLLM's first engine (V0, here 0.8.5): no engine label, other names for the cache and for gaps between tokens,
//! and nothing of prefix caches, queues by reason or rejections.

use std::fmt::Write as _;

use super::super::engine::{Buckets, Engine};
use super::super::number::seconds;
use super::plain::Plain;
use super::vllm::Life;
use super::{header, python};

/// The page of an engine.
pub(in crate::sim::serving) fn write(engine: &Engine, life: Life) -> String {
    let (it, config) = (&engine.meters, engine.config());
    let mut page = Plain::new(format!("model_name=\"{}\"", config.model_name));
    header(
        &mut page.out,
        "process_start_time_seconds",
        "gauge",
        "Start time of the process since unix epoch in seconds.",
    );
    let _ = writeln!(page.out, "process_start_time_seconds {}", python(seconds(life.started)));
    header(&mut page.out, "vllm:cache_config_info", "gauge", "Information of the LLMEngine CacheConfig");
    let _ = writeln!(
        page.out,
        "vllm:cache_config_info{{block_size=\"{}\",cache_dtype=\"auto\",gpu_memory_utilization=\"{}\",num_cpu_blocks=\"2048\",\
         num_gpu_blocks=\"{}\",num_gpu_blocks_override=\"None\",sliding_window=\"None\",swap_space_bytes=\"4294967296\"}} 1.0",
        config.block_size, config.memory_utilisation, config.blocks,
    );
    for (name, help, value) in [
        ("vllm:num_requests_running", "Number of requests currently running on GPU.", f64::from(it.running)),
        ("vllm:num_requests_waiting", "Number of requests waiting to be processed.", f64::from(it.waiting)),
        ("vllm:gpu_cache_usage_perc", "GPU KV-cache usage. 1 means 100 percent usage.", it.kv_usage),
    ] {
        page.gauge(name, help, value);
    }
    for (name, help, value) in [
        ("vllm:num_preemptions_total", "Cumulative number of preemption from the engine.", it.preemptions),
        ("vllm:prompt_tokens_total", "Number of prefill tokens processed.", it.prompt_tokens),
        ("vllm:generation_tokens_total", "Number of generation tokens processed.", it.generated),
    ] {
        page.counter(name, help, &[("", value)]);
    }
    page.counter(
        "vllm:request_success_total",
        "Count of successfully processed requests.",
        &[("finished_reason=\"stop\"", it.finished_stop), ("finished_reason=\"length\"", it.finished_length)],
    );
    let all: [(&str, &str, &Buckets); 10] = [
        ("vllm:iteration_tokens_total", "Histogram of number of tokens per engine_step.", &it.step_tokens),
        ("vllm:time_to_first_token_seconds", "Histogram of time to first token in seconds.", &it.ttft),
        ("vllm:time_per_output_token_seconds", "Histogram of time per output token in seconds.", &it.gap),
        ("vllm:e2e_request_latency_seconds", "Histogram of end to end request latency in seconds.", &it.e2e),
        ("vllm:request_queue_time_seconds", "Histogram of time spent in WAITING phase for request.", &it.queue),
        ("vllm:request_inference_time_seconds", "Histogram of time spent in RUNNING phase for request.", &it.inference),
        ("vllm:request_prefill_time_seconds", "Histogram of time spent in PREFILL phase for request.", &it.prefill),
        ("vllm:request_decode_time_seconds", "Histogram of time spent in DECODE phase for request.", &it.decode),
        ("vllm:request_prompt_tokens", "Number of prefill tokens processed.", &it.prompt_length),
        ("vllm:request_generation_tokens", "Number of generation tokens processed.", &it.output_length),
    ];
    for (name, help, buckets) in all {
        page.histogram(name, help, &[("", buckets)]);
    }
    page.out
}
