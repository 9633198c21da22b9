//! Pages that real engines wrote: every quantity that can be read off them by eye, and no other one.

use warroom::domain::{Dist, Finish, System};

use super::told::{assert_told, fixture, read};

#[test]
fn vllm_0_32_says_everything() {
    let page = read(fixture("pages/vllm-0.32.0-preemption.prom"));
    assert_eq!(page.replicas[0].model.as_deref(), Some("lab-model"));
    assert_eq!(page.replicas[0].engine, "", "one engine needs no name");
    assert_eq!(
        *page.system,
        System {
            engine: "vllm".into(),
            generation: Some("V1".into()),
            phases: Finish::AtFinish,
            probes_count_as_requests: false,
            gauges_lag_s: 0,
            open_files_witness: true,
            lacks: Vec::new(),
        }
    );
    assert_told(
        &page,
        &[
            "running 7 vllm:num_requests_running",
            "waiting 20 vllm:num_requests_waiting",
            "waiting_deferred 0 vllm:num_requests_waiting_by_reason",
            "kv_usage 0.9565217391304348 vllm:kv_cache_usage_perc",
            "kv_capacity_tokens 3072 vllm:cache_config_info",
            "memory_share 0.92 vllm:cache_config_info",
            "kv_block_tokens 128 vllm:cache_config_info",
            "open_files 59 process_open_fds",
            "process_start 1795341714.86 process_start_time_seconds",
            "prompt_tokens 12709 vllm:prompt_tokens_total",
            "prompt_tokens_cached 0 vllm:prompt_tokens_cached_total",
            "generation_tokens 23652 vllm:generation_tokens_total",
            "finished 57 vllm:request_success_total",
            "preemptions 67 vllm:num_preemptions_total",
            "cache_queries 12709 vllm:prefix_cache_queries_total",
            "cache_hits 0 vllm:prefix_cache_hits_total",
            "rejected 0 vllm:admission_rejections_total",
            "http_finished 57 http_requests_total",
            "steps 5882 vllm:iteration_tokens_total_count",
            "cpu_seconds 16.65 process_cpu_seconds_total",
            "ttft 64/556.9944403171539/23 vllm:time_to_first_token_seconds",
            "itl 23588/299.94008729100005/20 vllm:inter_token_latency_seconds",
            "tpot 57/1.2651110535410286/20 vllm:request_time_per_output_token_seconds",
            "e2e 57/761.0644061565399/0 vllm:e2e_request_latency_seconds",
            "queue 57/475.823414554/0 vllm:request_queue_time_seconds",
            "prefill 57/4.843118152000898/0 vllm:request_prefill_time_seconds",
            "decode 57/277.842243479/0 vllm:request_decode_time_seconds",
            "prompt_length 57/11328/11 vllm:request_prompt_tokens",
            "output_length 57/22665/0 vllm:request_generation_tokens",
        ],
    );
}

#[test]
fn the_queue_of_vllm_0_32_stands_in_the_waiting_gauge() {
    let page = read(fixture("pages/vllm-0.32.0-queue.prom"));
    assert_told(
        &page,
        &[
            "running 2 vllm:num_requests_running",
            "waiting 35 vllm:num_requests_waiting",
            "waiting_deferred 0 vllm:num_requests_waiting_by_reason",
            "kv_usage 0.00073260073260073 vllm:kv_cache_usage_perc",
            "kv_capacity_tokens 524288 vllm:cache_config_info",
            "memory_share 0.92 vllm:cache_config_info",
            "kv_block_tokens 128 vllm:cache_config_info",
            "open_files 70 process_open_fds",
            "process_start 1795341276.6 process_start_time_seconds",
            "prompt_tokens 8822 vllm:prompt_tokens_total",
            "prompt_tokens_cached 0 vllm:prompt_tokens_cached_total",
            "generation_tokens 10065 vllm:generation_tokens_total",
            "finished 80 vllm:request_success_total",
            "preemptions 0 vllm:num_preemptions_total",
            "cache_queries 8822 vllm:prefix_cache_queries_total",
            "cache_hits 0 vllm:prefix_cache_hits_total",
            "rejected 0 vllm:admission_rejections_total",
            "http_finished 80 http_requests_total",
            "steps 5370 vllm:iteration_tokens_total_count",
            "cpu_seconds 19.34 process_cpu_seconds_total",
            "ttft 82/495.0948295593262/23 vllm:time_to_first_token_seconds",
            "itl 9983/68.86252088000037/20 vllm:inter_token_latency_seconds",
            "tpot 80/0.5701514496772814/20 vllm:request_time_per_output_token_seconds",
            "e2e 80/534.255823135376/0 vllm:e2e_request_latency_seconds",
            "queue 80/463.87757597700033/0 vllm:request_queue_time_seconds",
            "prefill 80/1.2801480810007888/0 vllm:request_prefill_time_seconds",
            "decode 80/66.89649564700039/0 vllm:request_decode_time_seconds",
            "prompt_length 80/8623/13 vllm:request_prompt_tokens",
            "output_length 80/9994/0 vllm:request_generation_tokens",
        ],
    );
}

#[test]
fn vllm_0_8_5_says_it_under_the_old_names() {
    let page = read(fixture("pages/vllm-0.8.5-v0.prom"));
    assert_eq!(page.system.generation.as_deref(), Some("V0"));
    assert_eq!(page.replicas[0].model.as_deref(), Some("lab-model"));
    assert_told(
        &page,
        &[
            "running 2 vllm:num_requests_running",
            "waiting 0 vllm:num_requests_waiting",
            "kv_usage 0.00048828125 vllm:gpu_cache_usage_perc",
            "kv_capacity_tokens 524288 vllm:cache_config_info",
            "memory_share 0.9 vllm:cache_config_info",
            "kv_block_tokens 16 vllm:cache_config_info",
            "prompt_tokens 3144 vllm:prompt_tokens_total",
            "generation_tokens 1052 vllm:generation_tokens_total",
            "finished 26 vllm:request_success_total",
            "preemptions 0 vllm:num_preemptions_total",
            "steps 916 vllm:iteration_tokens_total_count",
            "ttft 28/0.9553089141845703/23 vllm:time_to_first_token_seconds",
            "itl 1024/7.263729810714722/20 vllm:time_per_output_token_seconds",
            "e2e 26/7.919436454772949/0 vllm:e2e_request_latency_seconds",
            "queue 26/0.015390157699584961/0 vllm:request_queue_time_seconds",
            "prefill 26/0.9038331508636475/0 vllm:request_prefill_time_seconds",
            "decode 26/7.000213146209717/0 vllm:request_decode_time_seconds",
            "prompt_length 26/2924/13 vllm:request_prompt_tokens",
            "output_length 26/1029/0 vllm:request_generation_tokens",
        ],
    );
}

#[test]
fn the_nearly_empty_first_page_of_vllm_0_8_5_is_recognised() {
    let page = read(fixture("dialects/vllm-0.8.5-first.prom"));
    assert_eq!((page.system.engine.as_str(), page.system.generation.as_deref(), page.series), ("vllm", None, 1));
    assert_eq!(page.replicas.len(), 1);
    // 32768 blocks of 16 tokens; nothing measured is not zero, and how it was told to run stands there from the beginning.
    assert_told(
        &page,
        &[
            "kv_capacity_tokens 524288 vllm:cache_config_info",
            "memory_share 0.9 vllm:cache_config_info",
            "kv_block_tokens 16 vllm:cache_config_info",
        ],
    );
}

#[test]
fn sglang_says_everything() {
    let page = read(fixture("pages/sglang-0.5.23-queue.prom"));
    assert_eq!(page.replicas[0].model.as_deref(), Some("lab-model"));
    assert_eq!(
        *page.system,
        System {
            engine: "sglang".into(),
            generation: None,
            phases: Finish::Live,
            probes_count_as_requests: true,
            gauges_lag_s: 30,
            open_files_witness: false,
            lacks: Vec::new(),
        }
    );
    assert_told(
        &page,
        &[
            "running 2 sglang:num_running_reqs",
            "waiting 27 sglang:num_queue_reqs",
            "waiting_deferred 0 sglang:num_grammar_queue_reqs",
            "waiting_transfer 0 sglang:num_prefill_inflight_queue_reqs",
            "kv_usage 0 sglang:token_usage",
            "kv_capacity_tokens 65536 sglang:max_total_num_tokens",
            "in_flight 34 sglang:http_requests_active",
            "generation_rate 229.5947296575111 sglang:gen_throughput",
            "prompt_tokens 4198 sglang:prompt_tokens_total",
            "prompt_tokens_cached 162 sglang:cached_tokens_total",
            "generation_tokens 5295 sglang:generation_tokens_total",
            "live_tokens 5380 sglang:realtime_tokens_total",
            "finished 39 sglang:num_requests_total",
            "http_finished 34 sglang:http_responses_total",
            "steps 2920 sglang:cuda_graph_passes_total",
            "ttft 41/263.3069177969992/19 sglang:time_to_first_token_seconds",
            "itl 5380/40.27475427997797/24 sglang:inter_token_latency_seconds",
            "tpot 39/0.29209570872038937/24 sglang:request_time_per_output_token_seconds",
            "e2e 39/281.2951196850008/0 sglang:e2e_request_latency_seconds",
            "queue 70/262.29054555400216/0 sglang:queue_time_seconds",
            "prefill 70/0.9268948790004288/0 sglang:per_stage_req_latency_seconds",
            "prompt_length 39/4198/36 sglang:prompt_tokens_histogram",
            "output_length 39/5295/0 sglang:generation_tokens_histogram",
        ],
    );
}

#[test]
fn llama_cpp_says_it_in_counters() {
    let page = read(fixture("pages/llama.cpp-b11434.prom"));
    assert_eq!(page.replicas[0].model, None);
    assert_told(
        &page,
        &[
            "running 1 llamacpp:requests_processing",
            "waiting 0 llamacpp:requests_deferred",
            "prompt_tokens 6711 llamacpp:prompt_tokens_total",
            "prompt_tokens_cached 230 llamacpp:prompt_tokens_cached_total",
            "generation_tokens 2568 llamacpp:tokens_predicted_total",
            "steps 2440 llamacpp:n_decode_total",
            "prefill_seconds 1.38947 llamacpp:prompt_seconds_total",
            "decode_seconds 1.98279 llamacpp:tokens_predicted_seconds_total",
            "draft_tokens 0 llamacpp:spec_decode_num_draft_tokens_total",
            "accepted_tokens 0 llamacpp:spec_decode_num_accepted_tokens_total",
        ],
    );
}

#[test]
fn bucket_bounds_are_those_of_the_page() {
    let page = read(fixture("pages/vllm-0.32.0-queue.prom"));
    let ttft = page.replicas[0].values.dist(Dist::Ttft).expect("a histogram");
    assert_eq!(
        *ttft.bounds,
        [
            0.001,
            0.005,
            0.01,
            0.02,
            0.04,
            0.06,
            0.08,
            0.1,
            0.25,
            0.5,
            0.75,
            1.0,
            2.5,
            5.0,
            7.5,
            10.0,
            20.0,
            40.0,
            80.0,
            160.0,
            640.0,
            2560.0,
            f64::INFINITY
        ]
    );
    assert!(ttft.is_whole());
}
