//! Several engines on one page, several ranks of one engine, several series of one family.

use warroom::dialect::Memory;
use warroom::domain::{EnginePage, Gauge, Total};

use super::told::{assert_told, decoder, fixture, lines, read, whole};

fn names(page: &EnginePage) -> Vec<&str> {
    page.replicas.iter().map(|r| r.engine.as_str()).collect()
}

/// The page of four engines without what one of them says.
fn without(engine: usize) -> String {
    let page = String::from_utf8(fixture("dialects/vllm-four-engines.prom")).expect("text");
    let label = format!("engine=\"{engine}\"");
    lines(page.lines().filter(|l| !l.contains(&label)).map(str::to_owned))
}

#[test]
fn engines_of_one_page_are_kept_apart_and_the_process_is_counted_once() {
    let page = read(fixture("dialects/vllm-four-engines.prom"));
    assert_told(
        &page,
        &[
            "[]",
            "open_files 80 process_open_fds",
            "process_start 1700000000 process_start_time_seconds",
            "rejected 5 vllm:admission_rejections_total",
            "http_finished 13 http_requests_total",
            "http_failed 3 http_requests_total",
            "cpu_seconds 12.5 process_cpu_seconds_total",
            "[0]",
            "running 1 vllm:num_requests_running",
            "waiting 0 vllm:num_requests_waiting",
            "kv_usage 0.1 vllm:kv_cache_usage_perc",
            "process_start 1700000000 process_start_time_seconds",
            "generation_tokens 10 vllm:generation_tokens_total",
            "ttft 1/0/3 vllm:time_to_first_token_seconds",
            "[1]",
            "running 2 vllm:num_requests_running",
            "waiting 0 vllm:num_requests_waiting",
            "kv_usage 0.2 vllm:kv_cache_usage_perc",
            "process_start 1700000000 process_start_time_seconds",
            "generation_tokens 20 vllm:generation_tokens_total",
            "ttft 4/1/3 vllm:time_to_first_token_seconds",
            "[2]",
            "running 3 vllm:num_requests_running",
            "waiting 9 vllm:num_requests_waiting",
            "kv_usage 0.9 vllm:kv_cache_usage_perc",
            "process_start 1700000000 process_start_time_seconds",
            "generation_tokens 30 vllm:generation_tokens_total",
            "ttft 7/2/3 vllm:time_to_first_token_seconds",
            "[3]",
            "running 4 vllm:num_requests_running",
            "waiting 0 vllm:num_requests_waiting",
            "kv_usage 0.4 vllm:kv_cache_usage_perc",
            "process_start 1700000000 process_start_time_seconds",
            "generation_tokens 40 vllm:generation_tokens_total",
            "ttft 10/3/3 vllm:time_to_first_token_seconds",
        ],
    );
    assert!(page.replicas[1..].iter().all(|r| r.model.as_deref() == Some("m")));
}

#[test]
fn an_engine_that_is_gone_leaves_the_others_what_they_were() {
    let (decoder, mut memory) = (decoder(&[]), Memory::default());
    let all = decoder.decode_engine(&fixture("dialects/vllm-four-engines.prom"), &mut memory).expect("a page");
    let rest = decoder.decode_engine(without(2).as_bytes(), &mut memory).expect("a page");
    assert_eq!(names(&rest), ["", "0", "1", "3"]);
    let still: Vec<_> = all.replicas.into_iter().filter(|r| r.engine != "2").collect();
    assert_eq!(whole(&rest.replicas), whole(&still));
}

#[test]
fn the_last_engine_of_several_keeps_its_name_until_the_process_restarts() {
    let (decoder, mut memory) = (decoder(&[]), Memory::default());
    let page = |start: &str, engines: &[u8]| {
        let engines = engines.iter().map(|e| format!("vllm:num_requests_running{{engine=\"{e}\"}} {e}"));
        lines(std::iter::once(format!("process_start_time_seconds {start}")).chain(engines))
    };
    let mut read = |text: String| decoder.decode_engine(text.as_bytes(), &mut memory).expect("a page");
    assert_eq!(names(&read(page("100", &[1, 2]))), ["", "1", "2"]);
    assert_eq!(names(&read(page("100", &[2]))), ["", "2"]);
    assert_eq!(names(&read(page("500", &[2]))), [""], "a new process with one engine");
}

#[test]
fn an_engine_that_stands_alone_is_one_with_its_process_whatever_its_number() {
    let page = read("process_open_fds 9\nvllm:num_requests_running{engine=\"3\"} 2\n");
    assert_eq!(names(&page), [""]);
    assert_told(&page, &["running 2 vllm:num_requests_running", "open_files 9 process_open_fds"]);
}

#[test]
fn an_empty_label_is_no_label() {
    let page = read(
        "vllm:num_requests_running{engine=\"\",model_name=\"\"} 2\nvllm:num_requests_waiting{engine=\"0\",model_name=\"m\"} 1\n",
    );
    assert_eq!((names(&page), page.replicas[0].model.as_deref()), (vec![""], Some("m")));
    let page = read("vllm:num_requests_running{engine=\"\",model_name=\"\"} 2\n");
    assert_eq!((page.replicas[0].model.as_deref(), page.system.generation.as_deref()), (None, None));
}

#[test]
fn ranks_of_one_engine_say_the_same_and_streaming_or_not_is_added() {
    assert_told(
        &read(fixture("dialects/sglang-four-ranks.prom")),
        &[
            "running 6 sglang:num_running_reqs",
            "waiting 2 sglang:num_queue_reqs",
            "kv_usage 0.4 sglang:token_usage",
            "generation_rate 120 sglang:gen_throughput",
            "generation_tokens 50 sglang:generation_tokens_total",
            "live_tokens 500 sglang:realtime_tokens_total",
            "ttft 5/2.5/3 sglang:time_to_first_token_seconds",
            "queue 6/3/0 sglang:queue_time_seconds",
        ],
    );
}

#[test]
fn ranks_under_data_parallel_attention_are_counted_once_per_engine() {
    let ranks = [(0, 1), (0, 0), (1, 2), (1, 3)];
    let page = lines(
        ranks
            .into_iter()
            .map(|(dp, tp)| format!("sglang:num_running_reqs{{dp_rank=\"{dp}\",tp_rank=\"{tp}\"}} {}", 10 + dp)),
    );
    assert_told(
        &read(page),
        &["[0]", "running 10 sglang:num_running_reqs", "[1]", "running 11 sglang:num_running_reqs"],
    );
}

#[test]
fn loads_of_sglang_are_read_per_rank() {
    let page = read(fixture("dialects/sglang-loads.prom"));
    assert_eq!(page.system.engine, "sglang");
    assert_told(
        &page,
        &[
            "[0]",
            "running 3 sglang_num_running_reqs",
            "waiting 0 sglang_num_waiting_reqs",
            "kv_usage 0.25 sglang_token_usage",
            "kv_capacity_tokens 4096 sglang_max_total_num_tokens",
            "generation_rate 100 sglang_gen_throughput",
            "[1]",
            "running 5 sglang_num_running_reqs",
            "waiting 2 sglang_num_waiting_reqs",
            "kv_usage 0.75 sglang_token_usage",
            "kv_capacity_tokens 4096 sglang_max_total_num_tokens",
            "generation_rate 200 sglang_gen_throughput",
        ],
    );
}

#[test]
fn series_of_one_engine_are_added_but_not_their_kv_use() {
    let page = read(
        "vllm:num_requests_running{model=\"a\"} 2\nvllm:num_requests_running{model=\"b\"} 3\n\
         vllm:gpu_cache_usage_perc{model=\"a\"} 0.4\nvllm:gpu_cache_usage_perc{model=\"b\"} 0.7\n",
    );
    let values = &page.replicas[0].values;
    assert_eq!((values.gauge(Gauge::Running), values.gauge(Gauge::KvUsage)), (Some(5.0), Some(0.7)));
    assert_eq!(values.total(Total::GenerationTokens), None, "absent is not zero");
}

#[test]
fn a_quantity_that_one_engine_lacks_is_absent_there_and_not_another_family_is_taken() {
    let page = read(
        "vllm:kv_cache_usage_perc{engine=\"0\"} 0.1\nvllm:gpu_cache_usage_perc{engine=\"0\"} 0.1\n\
         vllm:gpu_cache_usage_perc{engine=\"1\"} 0.9\nvllm:num_requests_running{engine=\"1\"} 1\n",
    );
    assert_told(&page, &["[0]", "kv_usage 0.1 vllm:kv_cache_usage_perc", "[1]", "running 1 vllm:num_requests_running"]);
}
