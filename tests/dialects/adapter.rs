//! Families of home-made adapters, named by the operator.

use warroom::dialect::{Catalogue, Memory};
use warroom::domain::{Dist, EnginePage, Finish, Gauge};

use super::told::{assert_told, decoder, fixture};

const ALIASES: &[(&str, &str)] = &[
    ("llm_ttft_seconds", "ttft"),
    ("llm_queue_depth", "waiting"),
    ("llm_kv_cache_usage_ratio", "kv_usage"),
    ("llm_tokens_processed_total", "generation_tokens"),
];

fn read(aliases: &[(&str, &str)], page: impl AsRef<[u8]>) -> EnginePage {
    decoder(aliases).decode_engine(page.as_ref(), &mut Memory::default()).expect("a page")
}

#[test]
fn a_gauge_of_the_last_request_is_no_histogram_and_replicas_are_kept_apart() {
    let page = read(ALIASES, fixture("dialects/adapter.prom"));
    assert_eq!((page.system.engine.as_str(), page.system.phases), ("adapter", Finish::Live));
    assert_told(
        &page,
        &[
            "[a]",
            "waiting 1 llm_queue_depth",
            "kv_usage 0.25 llm_kv_cache_usage_ratio",
            "ttft_last 0.4 llm_ttft_seconds",
            "generation_tokens 100 llm_tokens_processed_total",
            "[b]",
            "waiting 6 llm_queue_depth",
            "kv_usage 0.75 llm_kv_cache_usage_ratio",
            "ttft_last 3.5 llm_ttft_seconds",
            "generation_tokens 200 llm_tokens_processed_total",
        ],
    );
    assert!(page.replicas.iter().all(|r| r.values.dist(Dist::Ttft).is_none()));
}

#[test]
fn a_histogram_by_alias_is_a_histogram_however_its_family_was_given() {
    for family in ["llm_first_token_latency", "llm_first_token_latency_bucket"] {
        let page = read(&[(family, "ttft")], fixture("dialects/adapter.prom"));
        assert_told(
            &page,
            &["[a]", "ttft 2/1/3 llm_first_token_latency", "[b]", "ttft 4/14/3 llm_first_token_latency"],
        );
    }
}

#[test]
fn without_a_label_that_tells_replicas_apart_counts_are_added_and_times_are_not() {
    let page = "llm_queue_depth{shard=\"x\"} 2\nllm_queue_depth{shard=\"y\"} 3\n\
                llm_ttft_seconds{shard=\"x\"} 0.5\nllm_ttft_seconds{shard=\"y\"} 0.2\n";
    assert_told(&read(ALIASES, page), &["waiting 5 llm_queue_depth", "ttft_last 0.5 llm_ttft_seconds"]);
}

#[test]
fn a_counter_is_found_with_and_without_its_suffix() {
    let aliases = &[("llm_tokens", "generation_tokens")];
    for page in ["llm_tokens 7\n", "llm_tokens_total 7\n", "llm_tokens 7\nllm_tokens_total 7\n"] {
        let page = read(aliases, page);
        assert_eq!(page.replicas[0].values.total(warroom::domain::Total::GenerationTokens), Some(7.0));
    }
}

#[test]
fn an_alias_to_an_unknown_quantity_is_an_error_that_names_the_known_ones() {
    let error = Catalogue::embedded(&[("my_queue".into(), "wating".into())]).expect_err("no such quantity").to_string();
    assert!(error.contains("'my_queue'") && error.contains("'wating' is no quantity"), "{error}");
    for known in ["waiting", "generation_tokens", "ttft"] {
        assert!(error.contains(known), "{error}");
    }
}

#[test]
fn beside_a_known_engine_an_alias_fills_only_what_the_engine_lacks() {
    let aliases = &[("my_running", "running"), ("my_retries", "preemptions"), ("my_ttft", "ttft")];
    let page = "my_running{pod=\"p\"} 99\nmy_retries{pod=\"p\"} 5\nmy_retries{pod=\"q\"} 6\nmy_ttft 0.5\n\
                vllm:num_requests_running{engine=\"0\"} 2\n";
    let page = read(aliases, page);
    assert_eq!(page.system.engine, "vllm");
    assert_told(&page, &["running 2 vllm:num_requests_running", "ttft_last 0.5 my_ttft", "preemptions 11 my_retries"]);
}

#[test]
fn an_alias_of_an_engines_own_family_stays_with_its_engine() {
    let aliases = &[("vllm:kv_cache_fill", "kv_usage"), ("gateway_in_flight", "in_flight")];
    let page = "vllm:num_requests_running{engine=\"0\"} 1\nvllm:num_requests_running{engine=\"1\"} 2\n\
                vllm:kv_cache_fill{engine=\"0\"} 0.3\nvllm:kv_cache_fill{engine=\"1\"} 0.6\n\
                gateway_in_flight{pod=\"x\"} 4\ngateway_in_flight{pod=\"y\"} 5\n";
    assert_told(
        &read(aliases, page),
        &[
            "[0]",
            "running 1 vllm:num_requests_running",
            "kv_usage 0.3 vllm:kv_cache_fill",
            "[1]",
            "running 2 vllm:num_requests_running",
            "kv_usage 0.6 vllm:kv_cache_fill",
            "[]",
            "in_flight 9 gateway_in_flight",
        ],
    );
}

#[test]
fn unprefixed_names_are_nobodys_until_an_operator_says_whose() {
    let page = "num_requests_running{model_name=\"m\"} 1\ngpu_cache_usage_perc{model_name=\"m\"} 0.5\n";
    assert!(decoder(&[]).decode_engine(page.as_bytes(), &mut Memory::default()).is_err());
    let page = read(&[("num_requests_running", "running")], page);
    assert_eq!((page.system.engine.as_str(), page.replicas[0].model.as_deref()), ("adapter", Some("m")));
    assert_eq!(page.replicas[0].values.gauge(Gauge::Running), Some(1.0));
}
