//! SGLang's page (0.5.23): gauges of the scheduler, phases as they happen, its own bounds; nothing of decode by request.

use std::fmt::Write as _;

use super::super::engine::{Engine, Meters};
use super::plain::Plain;
use super::{header, python};

/// What is counted at the HTTP server bears no model.
fn http(page: &mut Plain, it: &Meters, held: f64) {
    let route = "endpoint=\"/v1/chat/completions\",method=\"POST\"";
    let out = &mut page.out;
    header(out, "sglang:http_requests_active", "gauge", "Number of currently active HTTP requests");
    let _ = writeln!(out, "sglang:http_requests_active{{{route}}} {}", python(held));
    header(out, "sglang:http_responses_total", "counter", "Total number of HTTP responses by endpoint and status code");
    for (status, count) in [(200, it.http_2xx), (400, it.http_4xx), (503, it.http_5xx)] {
        if count > 0 {
            let count = python(count as f64);
            let _ = writeln!(out, "sglang:http_responses_total{{{route},status_code=\"{status}\"}} {count}");
        }
    }
}

/// The page of an engine.
pub(in crate::sim::serving) fn write(engine: &Engine) -> String {
    let (it, config) = (&engine.meters, engine.config());
    let model = format!("engine_type=\"unified\",model_name=\"{}\"", config.model_name);
    let mut page = Plain::new(format!("{model},moe_ep_rank=\"0\",pp_rank=\"0\",tp_rank=\"0\""));
    let tokens = f64::from(config.blocks * config.block_size);
    for (name, help, value) in [
        ("sglang:max_total_num_tokens", "Maximum total number of tokens in the KV cache pool.", tokens),
        ("sglang:num_running_reqs", "The number of running requests.", f64::from(it.running)),
        ("sglang:num_queue_reqs", "The number of requests in the waiting queue.", f64::from(it.waiting)),
        ("sglang:num_grammar_queue_reqs", "The number of requests in the grammar waiting queue.", 0.0),
        ("sglang:token_usage", "The token usage.", it.kv_usage),
    ] {
        page.gauge(name, help, value);
    }
    page.counter(
        "sglang:realtime_tokens_total",
        "Total number of tokens processed in real time.",
        &[("mode=\"prefill_cache\"", it.prompt_cached), ("mode=\"decode\"", it.generated)],
    );
    page.counter("sglang:num_retracted_requests_total", "Total number of retracted requests.", &[("", it.preemptions)]);
    page.labels = model;
    for (name, help, own, value) in [
        ("sglang:prompt_tokens_total", "Number of prefill tokens processed.", STREAM, it.prompt_tokens),
        ("sglang:generation_tokens_total", "Number of generation tokens processed.", STREAM, it.generated),
        ("sglang:cached_tokens_total", "Number of cached prompt tokens.", "cache_source=\"device\"", it.prompt_cached),
        ("sglang:num_requests_total", "Number of requests processed.", STREAM, it.finished_stop + it.finished_length),
    ] {
        page.counter(name, help, &[(own, value)]);
    }
    for (name, help, own, buckets) in [
        ("sglang:time_to_first_token_seconds", "Histogram of time to first token in seconds.", STREAM, &it.ttft),
        ("sglang:inter_token_latency_seconds", "Histogram of inter-token latency in seconds.", "", &it.gap),
        ("sglang:e2e_request_latency_seconds", "Histogram of End-to-end request latency in seconds", STREAM, &it.e2e),
        ("sglang:queue_time_seconds", "Histogram of queueing time in seconds.", "", &it.queue),
        ("sglang:prompt_tokens_histogram", "Histogram of prompt token length.", "", &it.prompt_length),
        ("sglang:generation_tokens_histogram", "Histogram of generation token length.", "", &it.output_length),
    ] {
        page.histogram(name, help, &[(own, buckets)]);
    }
    page.histogram(
        "sglang:per_stage_req_latency_seconds",
        "The latency of each stage of requests.",
        &[("stage=\"prefill_forward\"", &it.last_chunk), ("stage=\"chunked_prefill\"", &it.chunks)],
    );
    http(&mut page, it, engine.held() as f64);
    page.out
}

/// Whose answers are streamed.
const STREAM: &str = "is_streaming=\"true\"";
