//! Names and labels of versions and deployments that were not recorded, one page each.

use warroom::domain::Failure;

use super::told::{assert_told, fixture, lines, read, try_read, whole};

fn generation(page: &warroom::domain::EnginePage) -> Option<&str> {
    page.system.generation.as_deref()
}

#[test]
fn vllm_0_7_v1_has_the_old_kv_name_and_no_engine_label_and_is_v1_all_the_same() {
    let page = read(fixture("dialects/vllm-0.7-v1.prom"));
    assert_eq!((page.system.engine.as_str(), generation(&page)), ("vllm", Some("V1")));
    assert_told(
        &page,
        &[
            "running 3 vllm:num_requests_running",
            "waiting 1 vllm:num_requests_waiting",
            "kv_usage 0.25 vllm:gpu_cache_usage_perc",
            "prompt_tokens 500 vllm:prompt_tokens_total",
            "generation_tokens 600 vllm:generation_tokens_total",
            "finished 8 vllm:request_success_total",
            "cache_queries 400 vllm:gpu_prefix_cache_queries_total",
            "cache_hits 100 vllm:gpu_prefix_cache_hits_total",
            "ttft 8/12.5/4 vllm:time_to_first_token_seconds",
            "itl 50/2.5/4 vllm:time_per_output_token_seconds",
        ],
    );
}

#[test]
fn two_names_for_one_quantity_are_not_added_and_the_newer_one_is_used() {
    let page = read(fixture("dialects/vllm-0.10.prom"));
    assert_eq!(generation(&page), Some("V1"));
    assert_told(
        &page,
        &[
            "running 4 vllm:num_requests_running",
            "waiting 0 vllm:num_requests_waiting",
            "kv_usage 0.5 vllm:kv_cache_usage_perc",
            "generation_tokens 60 vllm:generation_tokens_total",
            "preemptions 7 vllm:num_preemptions_total",
            "cache_queries 900 vllm:prefix_cache_queries_total",
            "cache_hits 300 vllm:prefix_cache_hits_total",
            "ttft 8/12.5/4 vllm:time_to_first_token_seconds",
            "itl 50/2.5/4 vllm:inter_token_latency_seconds",
        ],
    );
}

#[test]
fn the_time_per_token_of_a_request_is_another_quantity_than_the_gap_between_tokens() {
    assert_told(
        &read(fixture("dialects/vllm-0.11.prom")),
        &[
            "running 4 vllm:num_requests_running",
            "kv_usage 0.5 vllm:kv_cache_usage_perc",
            "itl 50/2.5/4 vllm:inter_token_latency_seconds",
            "tpot 5/0.25/4 vllm:request_time_per_output_token_seconds",
        ],
    );
}

#[test]
fn vllm_under_ray_is_vllm_with_the_colon_and_without() {
    let page = read(fixture("dialects/ray-colon.prom"));
    assert_eq!((page.system.engine.as_str(), generation(&page)), ("vllm", Some("V0")));
    assert_told(
        &page,
        &[
            "running 2 ray_vllm:num_requests_running",
            "waiting 1 ray_vllm:num_requests_waiting",
            "kv_usage 0.3 ray_vllm:gpu_cache_usage_perc",
            "generation_tokens 77 ray_vllm:generation_tokens_total",
            "ttft 3/1.5/0 ray_vllm:time_to_first_token_seconds",
        ],
    );
    let page = read(fixture("dialects/ray-underscore.prom"));
    assert_eq!(generation(&page), Some("V1"));
    assert_told(
        &page,
        &[
            "running 2 ray_vllm_num_requests_running",
            "kv_usage 0.3 ray_vllm_kv_cache_usage_perc",
            "prompt_tokens 99 ray_vllm_prompt_tokens",
            "generation_tokens 77 ray_vllm_generation_tokens_total",
            "itl 30/1.5/0 ray_vllm_inter_token_latency_seconds",
        ],
    );
}

#[test]
fn vllm_under_triton_has_its_model_in_another_label() {
    let page = read(fixture("dialects/triton-vllm.prom"));
    assert_eq!(page.replicas[0].model.as_deref(), Some("m"));
    assert_told(
        &page,
        &[
            "running 2 vllm:num_requests_running",
            "kv_usage 0.2 vllm:gpu_cache_usage_perc",
            "generation_tokens 50 vllm:generation_tokens_total",
            "ttft 8/12.5/4 vllm:time_to_first_token_seconds",
        ],
    );
}

#[test]
fn open_metrics_of_the_rust_front_end_is_read_with_what_it_has_so_far() {
    let page = read(fixture("dialects/vllm-rust.prom"));
    assert_eq!(generation(&page), Some("V1"));
    assert_told(
        &page,
        &[
            "prompt_tokens 640 vllm:prompt_tokens_total",
            "generation_tokens 320 vllm:generation_tokens_total",
            "ttft 8/12.5/4 vllm:time_to_first_token_seconds",
        ],
    );
    let saw_nothing = try_read("# TYPE vllm:prompt_tokens counter\n# EOF\n");
    assert_eq!(saw_nothing, Err(Failure::NotRecognised(Vec::new())), "a page without samples is nobody's");
}

#[test]
fn a_router_that_borrows_the_names_is_no_engine_and_the_finding_says_what_gives_it_away() {
    let Err(Failure::NotRecognised(saw)) = try_read(fixture("dialects/production-stack-router.prom")) else {
        panic!("the router was taken for an engine")
    };
    assert!(saw.iter().any(|name| name == "vllm:num_requests_running{server}"), "{saw:?}");
}

#[test]
fn a_page_of_a_router_and_an_engine_counts_the_engine_alone() {
    let page = read(fixture("dialects/router-beside-engine.prom"));
    assert_eq!(generation(&page), Some("V1"));
    assert_told(
        &page,
        &[
            "running 2 vllm:num_requests_running",
            "waiting 1 vllm:num_requests_waiting",
            "kv_usage 0.25 vllm:kv_cache_usage_perc",
            "ttft 8/12.5/4 vllm:time_to_first_token_seconds",
        ],
    );
}

#[test]
fn an_engine_whose_samples_were_labelled_with_a_server_on_the_way_is_still_an_engine() {
    assert_told(
        &read("vllm:num_requests_running{server=\"gpu-7\",model_name=\"m\"} 2\n"),
        &["running 2 vllm:num_requests_running"],
    );
    assert_told(&read("vllm:num_requests_running{server=\"\"} 2\n"), &["running 2 vllm:num_requests_running"]);
}

#[test]
fn names_without_the_colon_are_read_and_not_added_to_those_with_it() {
    assert_told(
        &read(fixture("dialects/vllm-recorded.prom")),
        &[
            "running 2 vllm:num_requests_running",
            "kv_usage 0.2 vllm_gpu_cache_usage_perc",
            "generation_tokens 40 vllm:generation_tokens_total",
        ],
    );
}

#[test]
fn sglang_0_4_has_a_mean_for_its_queue_and_a_gauge_for_its_retractions() {
    let page = read(fixture("dialects/sglang-0.4.prom"));
    assert_eq!(page.system.engine, "sglang");
    assert_told(
        &page,
        &[
            "running 8 sglang:num_running_reqs",
            "waiting 3 sglang:num_queue_reqs",
            "waiting_deferred 1 sglang:num_grammar_queue_reqs",
            "kv_usage 0.6 sglang:token_usage",
            "queue_mean 0.75 sglang:avg_request_queue_latency",
            "prompt_tokens 1000 sglang:prompt_tokens_total",
            "prompt_tokens_cached 100 sglang:cached_tokens_total",
            "generation_tokens 500 sglang:generation_tokens_total",
            "finished 20 sglang:num_requests_total",
            "aborted 2 sglang:num_aborted_requests_total",
            "preemptions 4 sglang:total_retracted_reqs",
            "ttft 8/12.5/4 sglang:time_to_first_token_seconds",
            "itl 50/2.5/4 sglang:inter_token_latency_seconds",
        ],
    );
}

#[test]
fn sglang_0_5_2_has_its_queue_time_under_a_name_of_its_own() {
    assert_told(
        &read(fixture("dialects/sglang-0.5.2.prom")),
        &[
            "running 8 sglang:num_running_reqs",
            "queue_mean 0.75 sglang:avg_request_queue_latency",
            "queue 6/3/0 sglang:queue_time_s",
        ],
    );
}

/// 6 prompts took 6 last passes of 1.5 s and 9 earlier chunks of 4.5 s: 6 s in all, 1 s each. What is NaN is not there.
#[test]
fn sglang_0_5_5_sums_the_chunks_of_a_prompt_and_counts_prompts() {
    assert_told(
        &read(fixture("dialects/sglang-0.5.5.prom")),
        &[
            "running 8 sglang:num_running_reqs",
            "preemptions 3 sglang:num_retractions_sum",
            "queue 6/3/0 sglang:queue_time_seconds",
            "prefill 6/6/0 sglang:per_stage_req_latency_seconds",
        ],
    );
}

#[test]
fn workers_that_only_prefill_or_only_decode_say_what_they_have() {
    assert_told(
        &read(fixture("dialects/sglang-prefill.prom")),
        &[
            "running 2 sglang:num_running_reqs",
            "waiting 11 sglang:num_queue_reqs",
            "kv_usage 0.5 sglang:token_usage",
            "queue 6/3/0 sglang:queue_time_seconds",
        ],
    );
    assert_told(
        &read(fixture("dialects/sglang-decode.prom")),
        &[
            "running 6 sglang:num_running_reqs",
            // For four of them it has no room yet.
            "waiting 4 sglang:num_queue_reqs",
            "kv_usage 0.5 sglang:token_usage",
            "itl 50/2.5/4 sglang:inter_token_latency_seconds",
            "queue 6/3/0 sglang:queue_time_seconds",
        ],
    );
}

#[test]
fn an_older_llama_cpp_has_kv_use_and_its_gauges_of_tokens_per_second_are_left_alone() {
    assert_told(
        &read(fixture("dialects/llama.cpp-old.prom")),
        &[
            "running 1 llamacpp:requests_processing",
            "waiting 0 llamacpp:requests_deferred",
            "kv_usage 0.125 llamacpp:kv_cache_usage_ratio",
            "prompt_tokens 100 llamacpp:prompt_tokens_total",
            "generation_tokens 50 llamacpp:tokens_predicted_total",
            "steps 50 llamacpp:n_decode_total",
            "prefill_seconds 2.5 llamacpp:prompt_seconds_total",
            "decode_seconds 5.5 llamacpp:tokens_predicted_seconds_total",
        ],
    );
}

#[test]
fn comments_change_nothing() {
    for name in ["pages/vllm-0.32.0-queue.prom", "pages/sglang-0.5.23-queue.prom", "dialects/vllm-rust.prom"] {
        let page = String::from_utf8(fixture(name)).expect("text");
        let bare = lines(page.lines().filter(|l| !l.starts_with('#')).map(str::to_owned));
        assert_eq!(whole(&read(&page)), whole(&read(bare)), "{name}");
    }
}

#[test]
fn bucket_bounds_that_an_operator_chose_are_read_off_the_page() {
    let page = "vllm:time_to_first_token_seconds_bucket{le=\"00000.25\"} 1\n\
                vllm:time_to_first_token_seconds_bucket{le=\"3\"} 4\n\
                vllm:time_to_first_token_seconds_bucket{le=\"+Inf\"} 5\n\
                vllm:time_to_first_token_seconds_sum 9\nvllm:time_to_first_token_seconds_count 5\n";
    let page = read(page);
    let ttft = page.replicas[0].values.dist(warroom::domain::Dist::Ttft).expect("a histogram");
    assert_eq!((&*ttft.bounds, &*ttft.counts), (&[0.25, 3.0, f64::INFINITY][..], &[1.0, 4.0, 5.0][..]));
}
