//! Small engines that exist only as their metrics pages: enough of a page for every phase, and no more.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// The first page of every recording, in unix milliseconds: 2026-06-08T03:14:07Z.
pub(crate) const FIRST_MS: i64 = 1_780_888_447_000;

/// From one page to the next.
pub(crate) const EVERY_S: u32 = 5;

const TTFT: &[f64] = &[0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0];
const WAIT: &[f64] = &[0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 60.0];
const GAP: &[f64] = &[0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0];

/// Tokens per request.
const PROMPT: u32 = 100;
const OUTPUT: u32 = 20;

/// A cumulative histogram as a page writes it.
#[derive(Debug, Clone)]
struct Buckets {
    bounds: &'static [f64],
    counts: Vec<u32>,
    sum: f64,
}

impl Buckets {
    fn new(bounds: &'static [f64]) -> Self {
        Self { bounds, counts: vec![0; bounds.len() + 1], sum: 0.0 }
    }

    fn observe(&mut self, value: f64, times: u32) {
        let from = self.bounds.iter().position(|b| value <= *b).unwrap_or(self.bounds.len());
        for count in &mut self.counts[from..] {
            *count += times;
        }
        self.sum += value * f64::from(times);
    }

    fn write(&self, out: &mut String, name: &str, labels: &str) {
        for (i, count) in self.counts.iter().enumerate() {
            let le = self.bounds.get(i).map_or("+Inf".to_owned(), |b| format!("{b:?}"));
            let _ = writeln!(out, "vllm:{name}_bucket{{{labels},le=\"{le}\"}} {count}.0");
        }
        let count = self.counts.last().copied().unwrap_or(0);
        let _ = writeln!(out, "vllm:{name}_count{{{labels}}} {count}.0\nvllm:{name}_sum{{{labels}}} {}", self.sum);
    }
}

/// A vLLM V1 process.
#[derive(Debug, Clone)]
pub(crate) struct Vllm {
    /// The label as it stands on the page, quoted and escaped there.
    pub(crate) model: String,
    pub(crate) waiting: u32,
    pub(crate) running: u32,
    pub(crate) kv_usage: f64,
    ttft: Buckets,
    queue: Buckets,
    prefill: Buckets,
    decode: Buckets,
    e2e: Buckets,
    gap: Buckets,
    finished: u32,
}

impl Vllm {
    pub(crate) fn new(model: &str) -> Self {
        Self {
            model: model.to_owned(),
            waiting: 0,
            running: 1,
            kv_usage: 0.12,
            ttft: Buckets::new(TTFT),
            queue: Buckets::new(WAIT),
            prefill: Buckets::new(WAIT),
            decode: Buckets::new(WAIT),
            e2e: Buckets::new(WAIT),
            gap: Buckets::new(GAP),
            finished: 0,
        }
    }

    /// Serves so many requests, each from its arrival to its last token.
    pub(crate) fn serve(&mut self, requests: u32, queue_s: f64, prefill_s: f64, gap_s: f64) -> &mut Self {
        let (ttft, decode) = (queue_s + prefill_s + 0.002, gap_s * f64::from(OUTPUT - 1));
        self.ttft.observe(ttft, requests);
        self.queue.observe(queue_s, requests);
        self.prefill.observe(prefill_s, requests);
        self.decode.observe(decode, requests);
        self.e2e.observe(ttft + decode, requests);
        self.gap.observe(gap_s, requests * (OUTPUT - 1));
        self.finished += requests;
        self
    }

    /// Its page.
    pub(crate) fn page(&self) -> String {
        let labels = format!("engine=\"0\",model_name=\"{}\"", self.model);
        let mut out = String::from("# HELP vllm:num_requests_running Requests in model execution batches.\n");
        for (name, value) in [
            ("num_requests_running", f64::from(self.running)),
            ("num_requests_waiting", f64::from(self.waiting)),
            ("kv_cache_usage_perc", self.kv_usage),
            ("num_preemptions_total", 0.0),
            ("prompt_tokens_total", f64::from(self.finished * PROMPT)),
            ("generation_tokens_total", f64::from(self.finished * OUTPUT)),
        ] {
            let _ = writeln!(out, "vllm:{name}{{{labels}}} {value:?}");
        }
        let _ = writeln!(out, "vllm:request_success_total{{{labels},finished_reason=\"stop\"}} {}.0", self.finished);
        for (name, buckets) in [
            ("time_to_first_token_seconds", &self.ttft),
            ("inter_token_latency_seconds", &self.gap),
            ("e2e_request_latency_seconds", &self.e2e),
            ("request_queue_time_seconds", &self.queue),
            ("request_prefill_time_seconds", &self.prefill),
            ("request_decode_time_seconds", &self.decode),
        ] {
            buckets.write(&mut out, name, &labels);
        }
        out
    }
}

/// Writes pages into `directory`, [`EVERY_S`] apart from [`FIRST_MS`] on.
pub(crate) fn record(directory: &Path, pages: impl IntoIterator<Item = String>) {
    fs::create_dir_all(directory).expect("a directory");
    for (at, page) in (FIRST_MS..).step_by(EVERY_S as usize * 1000).zip(pages) {
        fs::write(directory.join(format!("{at}.prom")), page).expect("a page");
    }
}

/// Two minutes of an engine whose users have nothing to complain of.
pub(crate) fn healthy(directory: &Path, model: &str) {
    let mut engine = Vllm::new(model);
    record(directory, (0..25).map(|_| engine.serve(10, 0.01, 0.08, 0.02).page()));
}

/// A healthy minute, and then one in which more arrives than the batch of eight takes.
pub(crate) fn saturated(directory: &Path, model: &str) {
    let mut engine = Vllm::new(model);
    let pages = (0..25_u32).map(|i| {
        if i < 13 {
            engine.serve(10, 0.01, 0.08, 0.02);
        } else {
            engine.running = 8;
            engine.waiting = 3 * (i - 12);
            engine.serve(10, f64::from(i - 12) * 0.8, 0.08, 0.02);
        }
        engine.page()
    });
    record(directory, pages);
}

/// Two minutes of an agentgateway: each page four more requests of one route, whose tokens take their time, and sixteen of
/// another.
pub(crate) fn routes(directory: &Path, model: &str, (slow, slow_s): (&str, f64), (fast, fast_s): (&str, f64)) {
    let family = "agentgateway_gen_ai_server_time_per_output_token";
    record(
        directory,
        (1..=25_u32).map(|i| {
            let mut out = format!("agentgateway_requests_total{{status=\"200\"}} {}\n", 20 * i);
            for (route, seconds, count) in [(slow, slow_s, 4 * i), (fast, fast_s, 16 * i)] {
                let labels = format!("gen_ai_request_model=\"{model}\",route=\"{route}\"");
                for bound in GAP {
                    let upto = if seconds <= *bound { count } else { 0 };
                    let _ = writeln!(out, "{family}_bucket{{{labels},le=\"{bound:?}\"}} {upto}");
                }
                let sum = seconds * f64::from(count);
                let _ = writeln!(out, "{family}_bucket{{{labels},le=\"+Inf\"}} {count}");
                let _ = writeln!(out, "{family}_sum{{{labels}}} {sum}\n{family}_count{{{labels}}} {count}");
            }
            out
        }),
    );
}

/// An engine whose first tokens fall into the bucket in which a target of 0.6 s lies: late or not, nobody can say.
pub(crate) fn borderline(directory: &Path) {
    let mut engine = Vllm::new("lab-model");
    record(directory, (0..25).map(|_| engine.serve(10, 0.46, 0.08, 0.02).page()));
}

/// An engine that nobody asks anything.
pub(crate) fn idle(directory: &Path) {
    let mut engine = Vllm::new("lab-model");
    engine.serve(50, 0.01, 0.08, 0.02);
    (engine.running, engine.kv_usage) = (0, 0.0);
    record(directory, (0..25).map(|_| engine.page()));
}

/// llama.cpp: counters and nothing else, so there is no time to first token.
pub(crate) fn llama_cpp(directory: &Path) {
    let page = |i: u32| {
        format!(
            "# TYPE llamacpp:prompt_tokens_total counter\nllamacpp:prompt_tokens_total {}\n\
             llamacpp:prompt_seconds_total {}\nllamacpp:tokens_predicted_total {}\n\
             llamacpp:tokens_predicted_seconds_total {}\nllamacpp:n_decode_total {}\n\
             llamacpp:requests_processing 1\nllamacpp:requests_deferred 0\n",
            500 * i,
            f64::from(i) * 0.2,
            100 * i,
            f64::from(i) * 0.8,
            100 * i
        )
    };
    record(directory, (1..=25).map(page));
}

/// Pages of something that is no engine.
pub(crate) fn unrecognised(directory: &Path) {
    record(directory, (0..25).map(|i| format!("node_load1 {i}\nnode_memory_free_bytes 1e9\n")));
}

/// Two healthy minutes, and then a port on which nobody listens any more.
pub(crate) fn refused(directory: &Path, model: &str) {
    healthy(directory, model);
    let last = FIRST_MS + 24 * i64::from(EVERY_S) * 1000;
    let probes: String = (1..=10).fold(String::new(), |mut lines, i| {
        let at = last + i * 1000 * i64::from(EVERY_S);
        let _ = writeln!(
            lines,
            "{{\"t_ms\": {at}, \"/metrics\": \"connection refused\", \"/health\": \"connection refused\"}}"
        );
        lines
    });
    fs::write(directory.join("probes.jsonl"), probes).expect("a file");
}
