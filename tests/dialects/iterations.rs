//! The JSON page of trtllm-serve, written from the names that TensorRT-LLM's serializer gives its fields: what is so at the
//! last iteration is read, and what a list that every reader empties cannot tell is said.

#[path = "iterations/invariants.rs"]
mod invariants;

use std::path::Path;

use serde_json::{Value, json};
use warroom::domain::{EnginePage, Failure};

use super::told::{assert_told, read, try_read};

fn iteration(iter: u32, active: u32, queued: u32) -> Value {
    json!({
        "timestamp": "06-08-2026 03:14:07.000000", "iter": iter, "iterLatencyMS": 15.5,
        "newActiveRequestsQueueLatencyMS": 3000.0, "numNewActiveRequests": 2, "numActiveRequests": active,
        "numQueuedRequests": queued, "numCompletedRequests": 2, "maxNumActiveRequests": 2048,
        "gpuMemUsage": 4_000_000_000_u64, "staticBatchingStats": null,
        "kvCacheStats": {"maxNumBlocks": 1000, "freeNumBlocks": 400, "usedNumBlocks": 600, "tokensPerBlock": 64,
                         "cacheHitRate": 0.85},
        "inflightBatchingStats": {"numScheduledRequests": 5, "numContextRequests": 2, "numGenRequests": 3,
                                  "numPausedRequests": 1, "numCtxTokens": 256, "microBatchId": 0},
    })
}

fn page(entries: &[Value]) -> EnginePage {
    read(Value::from(entries).to_string())
}

#[test]
fn the_last_iteration_is_what_is_so_now() {
    let page = page(&[iteration(16, 9, 0), iteration(17, 5, 3)]);
    assert_eq!((page.system.engine.as_str(), page.series, page.skipped), ("trtllm", 2, 0));
    assert_told(
        &page,
        &[
            "running 5 numActiveRequests",
            "waiting 3 numQueuedRequests",
            "kv_usage 0.6 kvCacheStats.usedNumBlocks",
            "kv_capacity_tokens 64000 kvCacheStats.maxNumBlocks",
            "kv_block_tokens 64 kvCacheStats.tokensPerBlock",
            // Six seconds that four requests waited.
            "queue_mean 1.5 newActiveRequestsQueueLatencyMS",
            "steps 17 iter",
        ],
    );
    for word in ["first token", "emptied"] {
        assert!(page.system.lacks.iter().any(|l| l.contains(word)), "no '{word}' in {:?}", page.system.lacks);
    }
}

#[test]
fn an_empty_list_is_no_idle_engine_but_one_of_which_nothing_is_known() {
    for empty in ["[]", " [ ]\n", "\u{feff}[]"] {
        let Err(Failure::Other(why)) = try_read(empty) else { panic!("'{empty}' says nothing") };
        assert!(why.contains("enable_iter_perf_stats") && why.contains("/prometheus/metrics"), "{why}");
    }
}

#[test]
fn ranks_that_attend_each_to_their_own_requests_are_engines_of_one_page() {
    let of = |rank: u32, queued: u32| {
        let mut one = iteration(17, 4, queued);
        one["attentionDpRank"] = rank.into();
        one
    };
    let page = page(&[of(0, 1), of(1, 60), of(0, 0), of(1, 61)]);
    let waiting: Vec<_> =
        page.replicas.iter().map(|r| (r.engine.as_str(), r.values.gauge(warroom::domain::Gauge::Waiting))).collect();
    assert_eq!(waiting, [("0", Some(0.0)), ("1", Some(61.0))]);
}

#[test]
fn what_is_no_iteration_is_counted_and_left_out() {
    let mut odd = iteration(18, 1, 1);
    odd["numActiveRequests"] = "5".into();
    let page = page(&[json!({"a": 1}), iteration(17, 5, 3), odd, json!(5), Value::Null]);
    assert_eq!((page.series, page.skipped), (5, 4));
    assert_eq!(page.first_skipped.as_deref(), Some("entry 1: no iteration"));
    assert!(matches!(try_read("[{\"a\": 1}]"), Err(Failure::NotMetrics(_))));
    assert!(matches!(try_read("[1, 2"), Err(Failure::NotMetrics(_))));
}

#[test]
fn a_number_that_cannot_be_one_is_absent_and_not_zero() {
    let page =
        read(r#"[{"iter": 3, "numActiveRequests": -4, "numQueuedRequests": 2, "kvCacheStats": {"maxNumBlocks": 0}}]"#);
    assert_told(&page, &["waiting 2 numQueuedRequests", "steps 3 iter"]);
}

#[test]
fn the_corpus_of_the_fuzzer_breaks_nothing() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/iterations");
    let files: Vec<_> = std::fs::read_dir(corpus).expect("a corpus").map(|f| f.expect("a file").path()).collect();
    assert!(files.len() >= 9, "one file per trap");
    for file in files {
        invariants::check(&std::fs::read(&file).expect("a file"));
    }
}

#[test]
fn a_list_longer_than_a_page_may_be_is_refused_whole() {
    let long = format!("[{}]", vec!["0"; 4_500_000].join(","));
    assert!(matches!(try_read(long), Err(Failure::TooLarge { .. })));
}
