//! Engines of a disaggregated deployment, written from the names that SGLang gives its queues by version: which part an
//! engine has, and where its requests wait.

use warroom::domain::{EnginePage, Gauge, Pool, Total};

use super::told::{assert_told, lines, read};

/// Gauges of one scheduler, each `family value`.
fn scheduler(part: &str, rank: &str, gauges: &[(&str, f64)]) -> String {
    let labels = format!("engine_type=\"{part}\",model_name=\"m\",pp_rank=\"0\",tp_rank=\"0\"{rank}");
    lines(gauges.iter().map(|(name, value)| format!("# TYPE sglang:{name} gauge\nsglang:{name}{{{labels}}} {value}")))
}

fn pool(page: &EnginePage) -> Option<Pool> {
    page.replicas[0].pool
}

#[test]
fn sglang_says_its_part_and_a_unified_engine_has_none() {
    let of = |part: &str| pool(&read(scheduler(part, "", &[("num_running_reqs", 3.0)])));
    assert_eq!(of("prefill"), Some(Pool::Prefill));
    assert_eq!(of("decode"), Some(Pool::Decode));
    assert_eq!((of("unified"), of("dynamic")), (None, None));
}

#[test]
fn dynamo_labels_the_pages_of_vllm_that_it_passes_on() {
    let of = |component: &str| {
        let labels = format!("dynamo_component=\"{component}\",dynamo_namespace=\"d\",model_name=\"m\"");
        pool(&read(format!("# TYPE vllm:num_requests_running gauge\nvllm:num_requests_running{{{labels}}} 3\n")))
    };
    assert_eq!((of("prefill"), of("VllmDecodeWorker"), of("backend")), (Some(Pool::Prefill), Some(Pool::Decode), None));
}

#[test]
fn a_prefillers_requests_whose_cache_is_handed_over_wait_for_the_link_and_not_for_it() {
    let queues = [("num_running_reqs", 3.0), ("num_queue_reqs", 5.0), ("num_prefill_bootstrap_queue_reqs", 40.0)];
    let page =
        read(scheduler("prefill", "", &[queues.as_slice(), &[("num_prefill_inflight_queue_reqs", 7.0)]].concat()));
    // Those that are not agreed upon yet wait at a decoder as well, and are counted there.
    assert_told(
        &page,
        &[
            "running 3 sglang:num_running_reqs",
            "waiting 5 sglang:num_queue_reqs",
            "waiting_transfer 7 sglang:num_prefill_inflight_queue_reqs",
        ],
    );
    // Until 0.5.1 a letter was missing.
    let old = read(scheduler("prefill", "", &[("num_running_reqs", 3.0), ("num_prefill_infight_queue_reqs", 7.0)]));
    assert_eq!(old.replicas[0].values.gauge(Gauge::WaitingTransfer), Some(7.0));
}

#[test]
fn a_decoders_requests_without_room_for_their_cache_wait_for_it() {
    let queues = [("num_running_reqs", 30.0), ("num_queue_reqs", 1.0), ("num_decode_prealloc_queue_reqs", 12.0)];
    let page =
        read(scheduler("decode", "", &[queues.as_slice(), &[("num_decode_transfer_queue_reqs", 90.0)]].concat()));
    // Its transfer queue holds requests from the first moment on, whose prompt may not even be computed: that is no wait for
    // a transfer.
    assert_told(&page, &["running 30 sglang:num_running_reqs", "waiting 13 sglang:num_queue_reqs"]);
}

#[test]
fn transfers_that_could_not_be_agreed_upon_have_failed_as_well() {
    let counter = |name: &str, value: u32| {
        format!("# TYPE sglang:{name} counter\nsglang:{name}{{engine_type=\"decode\",model_name=\"m\"}} {value}\n")
    };
    let running = scheduler("decode", "", &[("num_running_reqs", 3.0)]);
    for (transfers, agreements) in [
        ("num_transfer_failed_reqs_total", "num_bootstrap_failed_reqs_total"),
        ("num_transfer_failed_reqs", "num_bootstrap_failed_reqs"),
    ] {
        let page = read(running.clone() + &counter(transfers, 2) + &counter(agreements, 3));
        assert_eq!(page.replicas[0].values.total(Total::TransfersFailed), Some(5.0), "{transfers}");
    }
}

#[test]
fn where_transfers_have_no_histogram_of_their_own_their_stage_tells() {
    let labels = "engine_type=\"prefill\",model_name=\"m\",stage=\"prefill_transfer_kv_cache\"";
    let family = "sglang:per_stage_req_latency_seconds";
    let page = scheduler("prefill", "", &[("num_running_reqs", 3.0)])
        + &format!(
            "# TYPE {family} histogram\n{family}_bucket{{{labels},le=\"+Inf\"}} 40\n{family}_sum{{{labels}}} 3.5\n\
             {family}_count{{{labels}}} 40\n"
        );
    let page = read(page);
    assert_told(
        &page,
        &["running 3 sglang:num_running_reqs", "kv_transfer 40/3.5/0 sglang:per_stage_req_latency_seconds"],
    );
}

#[test]
fn each_rank_of_a_data_parallel_engine_has_its_own_queue() {
    let page = read(
        scheduler("unified", ",dp_rank=\"0\"", &[("num_running_reqs", 3.0), ("num_queue_reqs", 0.0)])
            + &scheduler("unified", ",dp_rank=\"1\"", &[("num_running_reqs", 32.0), ("num_queue_reqs", 70.0)]),
    );
    let waiting: Vec<_> = page.replicas.iter().map(|r| (r.engine.as_str(), r.values.gauge(Gauge::Waiting))).collect();
    assert_eq!(waiting, [("0", Some(0.0)), ("1", Some(70.0))]);
}
