//! vLLM 0.32's page: names, labels, bounds and order of the real one.

use std::fmt::Write as _;

use super::super::engine::{Buckets, Engine, Meters};
use super::super::number::{Us, seconds};
use super::{header, python};

/// How long a request's connection takes a file.
const FILES_AT_REST: f64 = 47.0;

struct Page {
    out: String,
    labels: String,
    /// When the engine's counters were made.
    created: f64,
}

impl Page {
    fn gauge(&mut self, name: &str, help: &str, values: &[(&str, &str, f64)]) {
        header(&mut self.out, name, "gauge", help);
        for (key, value, number) in values {
            self.line(name, key, value, *number);
        }
    }

    /// A line whose own label stands where the alphabet puts it, as vLLM does.
    fn line(&mut self, name: &str, key: &str, value: &str, number: f64) {
        let (out, labels, number) = (&mut self.out, &self.labels, python(number));
        let _ = match key {
            "" => writeln!(out, "{name}{{{labels}}} {number}"),
            "finished_reason" => {
                let (engine, model) = labels.split_once(',').unwrap_or(("", labels));
                writeln!(out, "{name}{{{engine},{key}=\"{value}\",{model}}} {number}")
            }
            _ => writeln!(out, "{name}{{{labels},{key}=\"{value}\"}} {number}"),
        };
    }

    fn counter(&mut self, stem: &str, help: &str, values: &[(&str, &str, u64)]) {
        let name = format!("{stem}_total");
        header(&mut self.out, &name, "counter", help);
        for (key, value, number) in values {
            self.line(&name, key, value, *number as f64);
        }
        let created: Vec<(&str, &str, f64)> = values.iter().map(|(k, v, _)| (*k, *v, self.created)).collect();
        self.gauge(&format!("{stem}_created"), help, &created);
    }

    fn histogram(&mut self, name: &str, help: &str, buckets: &Buckets) {
        header(&mut self.out, name, "histogram", help);
        let (engine, model) = self.labels.split_once(',').unwrap_or(("", &self.labels));
        let mut below = 0;
        for (i, count) in buckets.counts.iter().enumerate() {
            below += count;
            let le = buckets.bounds.get(i).map_or_else(|| "+Inf".to_owned(), |bound| format!("{bound:?}"));
            let _ = writeln!(self.out, "{name}_bucket{{{engine},le=\"{le}\",{model}}} {}", python(below as f64));
        }
        let _ = writeln!(self.out, "{name}_count{{{}}} {}", self.labels, python(below as f64));
        let _ = writeln!(self.out, "{name}_sum{{{}}} {}", self.labels, python(buckets.sum));
        self.gauge(&format!("{name}_created"), help, &[("", "", self.created)]);
    }
}

/// The life of an engine's process.
#[derive(Debug, Clone, Copy)]
pub(in crate::sim::serving) struct Life {
    /// When it started.
    pub(in crate::sim::serving) started: Us,
    /// Since when it serves.
    pub(in crate::sim::serving) serving_since: Us,
    /// Now.
    pub(in crate::sim::serving) now: Us,
}

/// The page of an engine.
pub(in crate::sim::serving) fn write(engine: &Engine, life: Life) -> String {
    let labels = format!("engine=\"0\",model_name=\"{}\"", engine.config().model_name);
    let mut page = Page { out: String::with_capacity(60_000), labels, created: seconds(life.serving_since) };
    process(&mut page, engine, life);
    engine_counters(&mut page, &engine.meters);
    connector(&mut page, engine);
    histograms(&mut page, &engine.meters);
    cache_config(&mut page, engine);
    http(&mut page, &engine.meters, life);
    page.out
}

fn process(page: &mut Page, engine: &Engine, life: Life) {
    let out = &mut page.out;
    header(out, "python_info", "gauge", "Python platform information");
    out.push_str(
        "python_info{implementation=\"CPython\",major=\"3\",minor=\"12\",patchlevel=\"11\",version=\"3.12.11\"} 1.0\n",
    );
    // While it starts a process computes all the time; then it is paid per request and token.
    let start = seconds(life.serving_since - life.started).min(40.0);
    let served_s = seconds((life.now - life.serving_since).max(0));
    let cpu = start + 0.02 * served_s + engine.meters.cpu_s;
    for (name, kind, help, value) in [
        ("process_virtual_memory_bytes", "gauge", "Virtual memory size in bytes.", 2.684_354_56e10),
        ("process_resident_memory_bytes", "gauge", "Resident memory size in bytes.", 1.932_735_283e9),
        (
            "process_start_time_seconds",
            "gauge",
            "Start time of the process since unix epoch in seconds.",
            seconds(life.started),
        ),
        (
            "process_cpu_seconds_total",
            "counter",
            "Total user and system CPU time spent in seconds.",
            (cpu * 100.0).round() / 100.0,
        ),
        // One per held connection beside those of the process itself.
        ("process_open_fds", "gauge", "Number of open file descriptors.", FILES_AT_REST + engine.held() as f64),
        ("process_max_fds", "gauge", "Maximum number of open file descriptors.", 1_048_576.0),
    ] {
        header(out, name, kind, help);
        let _ = writeln!(out, "{name} {}", python(value));
    }
}

/// Without --enable-mfu-metrics these are there, and 0.
fn estimates(page: &mut Page) {
    for (what, of) in [
        ("flops", "number of floating point operations"),
        ("read_bytes", "number of bytes read from memory"),
        ("write_bytes", "number of bytes written to memory"),
    ] {
        let help = format!("Estimated {of} per GPU (for Model Flops Utilization calculations).");
        page.counter(&format!("vllm:estimated_{what}_per_gpu"), &help, &[("", "", 0)]);
    }
}

fn engine_counters(page: &mut Page, it: &Meters) {
    let computed = it.prompt_tokens - it.prompt_cached;
    let own_hits = it.prompt_cached.saturating_sub(it.transferred);
    estimates(page);
    page.gauge(
        "vllm:num_requests_running",
        "Number of requests in model execution batches.",
        &[("", "", f64::from(it.running))],
    );
    page.gauge(
        "vllm:num_requests_waiting",
        "Number of requests waiting to be processed.",
        &[("", "", f64::from(it.waiting))],
    );
    page.gauge(
        "vllm:num_requests_waiting_by_reason",
        "Number of waiting requests by reason. Reason labels: 'capacity' = waiting for scheduling capacity; 'deferred' = \
         deferred by transient constraints (LoRA budget, KV transfer, blocked status). Sum of all reasons equals \
         vllm:num_requests_waiting.",
        &[("reason", "capacity", f64::from(it.waiting - it.deferred)), ("reason", "deferred", f64::from(it.deferred))],
    );
    page.gauge(
        "vllm:engine_sleep_state",
        "Engine sleep state; awake = 0 means engine is sleeping; awake = 1 means engine is awake; weights_offloaded = 1 means \
         sleep level 1; discard_all = 1 means sleep level 2.",
        &[
            ("sleep_state", "awake", 1.0),
            ("sleep_state", "weights_offloaded", 0.0),
            ("sleep_state", "discard_all", 0.0),
        ],
    );
    page.gauge("vllm:kv_cache_usage_perc", "KV-cache usage. 1 means 100 percent usage.", &[("", "", it.kv_usage)]);
    let plain: &[(&str, &str, u64)] = &[
        ("vllm:prefix_cache_queries", "Prefix cache queries, in terms of number of queried tokens.", it.cache_queries),
        ("vllm:prefix_cache_hits", "Prefix cache hits, in terms of number of cached tokens.", it.cache_hits),
        (
            "vllm:external_prefix_cache_queries",
            "External prefix cache queries from KV connector cross-instance cache sharing, in terms of number of queried tokens.",
            0,
        ),
        (
            "vllm:external_prefix_cache_hits",
            "External prefix cache hits from KV connector cross-instance cache sharing, in terms of number of cached tokens.",
            0,
        ),
        ("vllm:mm_cache_queries", "Multi-modal cache queries, in terms of number of queried items.", 0),
        ("vllm:mm_cache_hits", "Multi-modal cache hits, in terms of number of cached items.", 0),
        ("vllm:num_preemptions", "Cumulative number of preemption from the engine.", it.preemptions),
        ("vllm:prompt_tokens", "Number of prefill tokens processed.", it.prompt_tokens),
    ];
    for (stem, help, value) in plain {
        page.counter(stem, help, &[("", "", *value)]);
    }
    page.counter(
        "vllm:prompt_tokens_by_source",
        "Number of prompt tokens by source.",
        &[
            ("source", "local_compute", computed),
            ("source", "local_cache_hit", own_hits),
            ("source", "external_kv_transfer", it.transferred),
        ],
    );
    page.counter(
        "vllm:prompt_tokens_cached",
        "Number of cached prompt tokens (local + external).",
        &[("", "", it.prompt_cached)],
    );
    page.counter(
        "vllm:prompt_tokens_cached_by_source",
        "Prefix-cache hit tokens by the cache tier that supplied them: device (local HBM), host (offloaded to DRAM), disk, p2p \
         (transferred from another vLLM instance) or external_unspecified.",
        &[
            ("source", "device", it.cache_hits),
            ("source", "host", 0),
            ("source", "p2p", 0),
            ("source", "disk", 0),
            ("source", "external_unspecified", 0),
        ],
    );
    page.counter("vllm:generation_tokens", "Number of generation tokens processed.", &[("", "", it.generated)]);
    page.counter(
        "vllm:request_success",
        "Count of successfully processed requests.",
        &[
            ("finished_reason", "stop", it.finished_stop),
            ("finished_reason", "length", it.finished_length),
            ("finished_reason", "abort", 0),
            ("finished_reason", "error", 0),
            ("finished_reason", "repetition", 0),
        ],
    );
    drafts(page, it);
    let help = "Number of admission attempts rejected by a queue limit, by reason.";
    let engine = std::mem::take(&mut page.labels);
    page.labels = engine.split_once(',').map_or("", |(_, model)| model).to_owned();
    page.counter(
        "vllm:admission_rejections",
        help,
        &[("reason", "max_num_queued_reqs", it.rejected), ("reason", "max_num_queued_tokens", 0)],
    );
    page.labels = engine;
}

/// Only an engine with a connector to others has these.
fn connector(page: &mut Page, engine: &Engine) {
    if engine.pool().is_none() {
        return;
    }
    page.histogram(
        "vllm:nixl_xfer_time_seconds",
        "Histogram of transfer duration for NIXL KV Cache transfers.",
        &engine.meters.transfer,
    );
    for (what, help) in [
        ("transfers", "Number of failed NIXL KV Cache transfers."),
        ("notifications", "Number of failed NIXL KV Cache notifications."),
    ] {
        page.counter(&format!("vllm:nixl_num_failed_{what}"), help, &[("", "", 0)]);
    }
}

/// Only an engine that drafts has these.
fn drafts(page: &mut Page, it: &Meters) {
    if it.drafts == 0 {
        return;
    }
    let accepted: u64 = it.accepted.iter().sum();
    for (what, help, value) in [
        ("drafts", "Number of spec decoding drafts.", it.drafts),
        ("draft_tokens", "Number of draft tokens.", it.draft_tokens),
        ("accepted_tokens", "Number of accepted tokens.", accepted),
    ] {
        page.counter(&format!("vllm:spec_decode_num_{what}"), help, &[("", "", value)]);
    }
    let positions: Vec<String> = (0..it.accepted.len()).map(|i| i.to_string()).collect();
    let of_each: Vec<(&str, &str, u64)> =
        positions.iter().zip(&it.accepted).map(|(i, n)| ("position", i.as_str(), *n)).collect();
    page.counter("vllm:spec_decode_num_accepted_tokens_per_pos", "Accepted tokens per draft position.", &of_each);
}

fn histograms(page: &mut Page, it: &Meters) {
    let all: &[(&str, &str, &Buckets)] = &[
        ("vllm:request_prompt_tokens", "Number of prefill tokens processed.", &it.prompt_length),
        ("vllm:request_generation_tokens", "Number of generation tokens processed.", &it.output_length),
        ("vllm:iteration_tokens_total", "Histogram of number of tokens per engine_step.", &it.step_tokens),
        (
            "vllm:request_max_num_generation_tokens",
            "Histogram of maximum number of requested generation tokens.",
            &it.output_most,
        ),
        ("vllm:request_params_n", "Histogram of the n request parameter.", &it.parallel),
        ("vllm:request_params_max_tokens", "Histogram of the max_tokens request parameter.", &it.output_most),
        ("vllm:time_to_first_token_seconds", "Histogram of time to first token in seconds.", &it.ttft),
        ("vllm:inter_token_latency_seconds", "Histogram of inter-token latency in seconds.", &it.gap),
        (
            "vllm:request_time_per_output_token_seconds",
            "Histogram of time_per_output_token_seconds per request.",
            &it.per_token,
        ),
        ("vllm:e2e_request_latency_seconds", "Histogram of e2e request latency in seconds.", &it.e2e),
        ("vllm:request_queue_time_seconds", "Histogram of time spent in WAITING phase for request.", &it.queue),
        ("vllm:request_inference_time_seconds", "Histogram of time spent in RUNNING phase for request.", &it.inference),
        ("vllm:request_prefill_time_seconds", "Histogram of time spent in PREFILL phase for request.", &it.prefill),
        ("vllm:request_decode_time_seconds", "Histogram of time spent in DECODE phase for request.", &it.decode),
        ("vllm:request_num_preemptions", "Histogram of the number of times a request was preempted.", &it.preempted),
        (
            "vllm:request_prefill_kv_computed_tokens",
            "Histogram of new KV tokens computed during prefill (excluding cached tokens).",
            &it.computed,
        ),
    ];
    for (name, help, buckets) in all {
        page.histogram(name, help, buckets);
    }
}

fn cache_config(page: &mut Page, engine: &Engine) {
    let it = engine.config();
    let tokens = it.blocks * it.block_size;
    let flag = |on: bool| if on { "True" } else { "False" };
    header(&mut page.out, "vllm:cache_config_info", "gauge", "Information of the LLMEngine CacheConfig");
    let _ = writeln!(
        page.out,
        "vllm:cache_config_info{{block_size=\"{}\",cache_dtype=\"auto\",enable_prefix_caching=\"{}\",engine=\"0\",\
         gpu_memory_utilization=\"{}\",kv_cache_max_concurrency=\"{:.4}\",kv_cache_size_tokens=\"{tokens}\",\
         num_cpu_blocks=\"None\",num_gpu_blocks=\"{}\",num_gpu_blocks_override=\"{}\",prefix_caching_hash_algo=\"sha256\",\
         sliding_window=\"None\"}} 1.0",
        it.block_size,
        flag(it.prefix_caching),
        it.memory_utilisation,
        f64::from(tokens) / f64::from(it.max_model_len),
        it.blocks,
        it.blocks_override.map_or("None".to_owned(), |n| n.to_string()),
    );
}

/// The route of requests.
const CHAT: &str = "handler=\"/v1/chat/completions\"";

fn http(page: &mut Page, it: &Meters, life: Life) {
    let served_s = seconds((life.now - life.serving_since).max(0));
    // The readiness probe asks /health, which is not counted; somebody lists the models once a minute.
    let listed = (served_s / 60.0).floor();
    let statuses = [("2xx", it.http_2xx), ("4xx", it.http_4xx), ("5xx", it.http_5xx)];
    let out = &mut page.out;
    header(out, "http_requests_total", "counter", "Total number of requests by method, status and handler.");
    let _ =
        writeln!(out, "http_requests_total{{handler=\"/v1/models\",method=\"GET\",status=\"2xx\"}} {}", python(listed));
    for (status, count) in statuses.into_iter().filter(|(_, count)| *count > 0) {
        let _ =
            writeln!(out, "http_requests_total{{{CHAT},method=\"POST\",status=\"{status}\"}} {}", python(count as f64));
    }
    header(out, "http_requests_created", "gauge", "Total number of requests by method, status and handler.");
    for (status, _) in statuses.into_iter().filter(|(_, count)| *count > 0) {
        let _ = writeln!(
            out,
            "http_requests_created{{{CHAT},method=\"POST\",status=\"{status}\"}} {}",
            python(page.created)
        );
    }
    for (name, labels, help, buckets) in [
        (
            "http_request_duration_highr_seconds",
            "",
            "Latency with many buckets but no API specific labels. Made for more accurate percentile calculations. ",
            &it.http_fine,
        ),
        (
            "http_request_duration_seconds",
            CHAT,
            "Latency with only few buckets by handler. Made to be only used if aggregation by handler is important. ",
            &it.http,
        ),
    ] {
        header(out, name, "histogram", help);
        let (before, after, all) = if labels.is_empty() {
            (String::new(), String::new(), String::new())
        } else {
            (format!("{labels},"), ",method=\"POST\"".to_owned(), format!("{{{labels},method=\"POST\"}}"))
        };
        let mut below = 0;
        for (i, count) in buckets.counts.iter().enumerate() {
            below += count;
            let le = buckets.bounds.get(i).map_or_else(|| "+Inf".to_owned(), |bound| format!("{bound:?}"));
            let _ = writeln!(out, "{name}_bucket{{{before}le=\"{le}\"{after}}} {}", python(below as f64));
        }
        let _ = writeln!(out, "{name}_count{all} {}\n{name}_sum{all} {}", python(below as f64), python(buckets.sum));
    }
}
