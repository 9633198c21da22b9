//! What is remembered from page to page, and what must not be.

use warroom::dialect::Memory;
use warroom::domain::{Dist, EnginePage, Gauge};
use warroom::source::engine::Decoder;

use super::told::{decoder, fixture, whole};

fn family<'p>(page: &'p EnginePage, quantity: &str) -> Option<&'p str> {
    page.families.iter().find(|(q, _)| *q == quantity).map(|(_, f)| &**f)
}

/// One endpoint, page by page.
struct Endpoint(Decoder, Memory);

impl Endpoint {
    fn new(aliases: &[(&str, &str)]) -> Self {
        Self(decoder(aliases), Memory::default())
    }

    /// Which family stands for KV use on a page with these lines.
    fn kv(&mut self, lines: &[&str]) -> Option<String> {
        let page = self.0.decode_engine(format!("{}\n", lines.join("\n")).as_bytes(), &mut self.1).expect("a page");
        assert_eq!(page.replicas[0].values.gauge(Gauge::KvUsage).is_some(), family(&page, "kv_usage").is_some());
        family(&page, "kv_usage").map(str::to_owned)
    }
}

const OLD: &str = "vllm:gpu_cache_usage_perc 0.4";
const NEW: &str = "vllm:kv_cache_usage_perc 0.4";
const RUNNING: &str = "vllm:num_requests_running 1";
const START: &str = "process_start_time_seconds 1000";
const SAME_START: &str = "process_start_time_seconds 1000.4";
const RESTART: &str = "process_start_time_seconds 2000";

const OLD_KV: Option<&str> = Some("vllm:gpu_cache_usage_perc");
const NEW_KV: Option<&str> = Some("vllm:kv_cache_usage_perc");

#[test]
fn the_choice_of_a_family_sticks_until_the_process_restarts() {
    let mut endpoint = Endpoint::new(&[]);
    assert_eq!(endpoint.kv(&[START, RUNNING, OLD]).as_deref(), OLD_KV);
    assert_eq!(endpoint.kv(&[START, RUNNING, OLD, NEW]).as_deref(), OLD_KV, "a better one that appears is not taken");
    assert_eq!(
        endpoint.kv(&[SAME_START, RUNNING, OLD, NEW]).as_deref(),
        OLD_KV,
        "the start is computed anew on every page"
    );
    assert_eq!(
        endpoint.kv(&[RUNNING, OLD, NEW]).as_deref(),
        OLD_KV,
        "a page that does not say its start contradicts nothing"
    );
    assert_eq!(endpoint.kv(&[START, RUNNING, OLD, NEW]).as_deref(), OLD_KV);
    assert_eq!(endpoint.kv(&[RESTART, RUNNING, OLD, NEW]).as_deref(), NEW_KV);
}

#[test]
fn a_family_that_is_missing_once_is_not_replaced_and_one_that_is_gone_is() {
    let mut endpoint = Endpoint::new(&[]);
    assert_eq!(endpoint.kv(&[RUNNING, OLD, NEW]).as_deref(), NEW_KV);
    assert_eq!(endpoint.kv(&[RUNNING, OLD]).as_deref(), None, "one line that could not be read");
    assert_eq!(endpoint.kv(&[RUNNING, OLD, NEW]).as_deref(), NEW_KV);
    assert_eq!(endpoint.kv(&[RUNNING, OLD]).as_deref(), None);
    assert_eq!(endpoint.kv(&[RUNNING, OLD]).as_deref(), None);
    assert_eq!(endpoint.kv(&[RUNNING, OLD]).as_deref(), OLD_KV, "another version of the engine at the same place");
    assert_eq!(endpoint.kv(&[RUNNING, OLD, NEW]).as_deref(), OLD_KV);
}

#[test]
fn an_alias_that_stood_in_is_not_spliced_with_the_family_that_appears_later() {
    let mut endpoint = Endpoint::new(&[("my_kv", "kv_usage")]);
    assert_eq!(endpoint.kv(&[START, RUNNING, "my_kv 0.7"]).as_deref(), Some("my_kv"));
    assert_eq!(endpoint.kv(&[START, RUNNING, "my_kv 0.7", NEW]).as_deref(), Some("my_kv"));
    assert_eq!(endpoint.kv(&[RESTART, RUNNING, "my_kv 0.7", NEW]).as_deref(), NEW_KV);
}

#[test]
fn another_engine_at_the_same_place_is_read_as_what_it_is() {
    let mut endpoint = Endpoint::new(&[]);
    assert_eq!(endpoint.kv(&[START, RUNNING, NEW]).as_deref(), NEW_KV);
    let sglang = ["sglang:num_running_reqs 1", "sglang:token_usage 0.5"];
    assert_eq!(endpoint.kv(&sglang).as_deref(), Some("sglang:token_usage"));
    assert_eq!(endpoint.kv(&[START, RUNNING, NEW]).as_deref(), NEW_KV);
}

#[test]
fn a_start_that_is_not_on_the_page_is_not_repeated_from_the_last_one() {
    let (decoder, mut memory) = (decoder(&[]), Memory::default());
    let two = "vllm:num_requests_running{engine=\"0\"} 1\nvllm:num_requests_running{engine=\"1\"} 1\n";
    let mut start = |page: String| {
        let page = decoder.decode_engine(page.as_bytes(), &mut memory).expect("a page");
        page.replicas[0].values.gauge(Gauge::ProcessStart)
    };
    assert_eq!(start(format!("{START}\n{two}")), Some(1000.0));
    assert_eq!(start(two.to_owned()), None);
}

#[test]
fn the_same_page_says_the_same_twice() {
    for name in ["pages/vllm-0.32.0-queue.prom", "dialects/vllm-four-engines.prom", "dialects/sglang-four-ranks.prom"] {
        let (decoder, mut memory) = (decoder(&[]), Memory::default());
        let first = decoder.decode_engine(&fixture(name), &mut memory).expect("a page");
        let second = decoder.decode_engine(&fixture(name), &mut memory).expect("a page");
        assert_eq!(whole(&first), whole(&second), "{name}");
        let fresh = decoder.decode_engine(&fixture(name), &mut Memory::default()).expect("a page");
        assert_eq!(whole(&second), whole(&fresh), "{name}");
    }
}

#[test]
fn the_bounds_of_histograms_are_shared_from_page_to_page() {
    let (decoder, mut memory) = (decoder(&[]), Memory::default());
    let mut bounds = || {
        let page = decoder.decode_engine(&fixture("pages/vllm-0.32.0-queue.prom"), &mut memory).expect("a page");
        page.replicas[0].values.dist(Dist::Ttft).expect("a histogram").bounds.clone()
    };
    assert!(std::sync::Arc::ptr_eq(&bounds(), &bounds()));
}

/// The scratch space is lent from endpoint to endpoint: every ordered pair of pages, against a decoder of its own.
#[test]
fn nothing_of_one_page_shows_up_on_the_next() {
    let names = [
        "pages/vllm-0.32.0-queue.prom",
        "pages/vllm-0.32.0-preemption.prom",
        "pages/vllm-0.8.5-v0.prom",
        "pages/sglang-0.5.23-queue.prom",
        "pages/llama.cpp-b11434.prom",
        "dialects/vllm-four-engines.prom",
        "dialects/vllm-0.8.5-first.prom",
        "dialects/sglang-four-ranks.prom",
        "dialects/sglang-loads.prom",
        "dialects/triton-vllm.prom",
        "dialects/adapter.prom",
        "dialects/production-stack-router.prom",
    ];
    let aliases = &[("llm_queue_depth", "waiting"), ("llm_first_token_latency", "ttft")];
    let alone = |name: &str| whole(&decoder(aliases).decode_engine(&fixture(name), &mut Memory::default()));
    for before in names {
        for name in names {
            let decoder = decoder(aliases);
            let _ = decoder.decode_engine(&fixture(before), &mut Memory::default());
            let after = decoder.decode_engine(&fixture(name), &mut Memory::default());
            assert_eq!(whole(&after), alone(name), "{name} after {before}");
        }
    }
}
