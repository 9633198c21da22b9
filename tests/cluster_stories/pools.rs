//! Disaggregated deployments: each pool is judged by what it does, and users wait for both.

use warroom::domain::{Action, Helps, Phase, Pool, RowStatus, Verdict};

use crate::told::{CALM, KV_THRASH, QUEUE, Tick, World, pod, ticks};
use crate::{codes, judged, suspect};
use warroom::diagnosis::{Diagnosis, Metric, PhaseRow};

/// What a decoder does with a request that was computed elsewhere: a step, and its cache comes in no time.
const DECODES: Tick = Tick { prefill_s: 0.01, ..CALM };
/// A prefiller: two prompts a second, and none of them waits.
const PREFILLS: Tick = Tick { running: 0.2, kv: 0.1, ..CALM };

/// Two prefillers and two decoders; the judged workload is that of the decoders.
fn disaggregated(prefill: &[(u32, Tick)], decode: &[(u32, Tick)]) -> Diagnosis {
    judged(&told(prefill, decode).ends(180))
}

fn told(prefill: &[(u32, Tick)], decode: &[(u32, Tick)]) -> World {
    let mut world = World::new();
    (world.pool, world.sibling) = (Some(Pool::Prefill), Some("deploy/vllm-prefill"));
    for name in ["p1", "p2"] {
        world.plays(name, "node-1", 7, 0, &ticks(prefill));
    }
    (world.pool, world.sibling) = (Some(Pool::Decode), None);
    for name in ["d1", "d2"] {
        world.plays(name, "node-2", 41, 0, &ticks(decode));
        let pod = pod(name, "node-2", 41, -500, Some(-440));
        world.facts.pods.push(warroom::domain::Pod { pool: Some(Pool::Decode), ..pod });
    }
    world
}

fn row(d: &Diagnosis, phase: Phase) -> &PhaseRow {
    d.phases.iter().find(|p| p.phase == phase).expect("all phases have a row")
}

fn pool(d: &Diagnosis) -> Option<Pool> {
    d.suspect.as_ref().and_then(|s| s.subject.pool)
}

fn scale(d: &Diagnosis) -> (Helps, String) {
    let lever = d.levers.iter().find(|l| l.action == Action::Scale).expect("scale is judged");
    (lever.helps, lever.why.clone())
}

#[test]
fn a_queue_before_the_prefillers_is_theirs_and_scaling_the_decoders_does_not_help() {
    let queue = Tick { queue_s: 6.0, waiting: 60.0, running: 8.0, ..PREFILLS };
    let d = disaggregated(&[(120, PREFILLS), (60, queue)], &[(180, DECODES)]);
    assert_eq!(d.verdict, Verdict::Breach, "{}", d.sentence);
    assert_eq!((suspect(&d).as_str(), pool(&d)), ("queue/queue_saturation/max_num_seqs_bound", Some(Pool::Prefill)));
    assert!(d.sentence.contains("in the prefill pool requests waited 6"), "{}", d.sentence);
    let (helps, why) = scale(&d);
    assert_eq!(helps, Helps::No, "{why}");
    assert!(why.contains("this is the decode pool") && why.contains("deploy/vllm-prefill"), "{why}");
}

#[test]
fn what_users_wait_for_is_the_sum_of_both_pools_and_late_ones_are_an_interval() {
    // A third of a second in each pool: within half a second in each, and none of them is in both.
    let half = Tick { queue_s: 0.3, ..CALM };
    let d = disaggregated(&[(180, half)], &[(180, Tick { prefill_s: 0.0, queue_s: 0.45, ..DECODES })]);
    let ttft = d.slo.iter().find(|s| s.metric == Metric::Ttft).expect("a row");
    assert!((ttft.mean_s.expect("a mean") - 0.79).abs() < 1e-6, "{:?}", ttft.mean_s);
    let p95 = ttft.p95.expect("bounds");
    assert_eq!((p95.lower, p95.estimate), (0.1, None), "over a tenth in each is over a tenth in all, for certain");
    assert_eq!(p95.upper, Some(1.0), "half a second in each is no more than one");
    assert!(ttft.note.as_ref().is_some_and(|n| n.contains("each pool")), "{:?}", ttft.note);
    // Queue and prefill and rest are of the same requests, and add up.
    let sum: f64 = [Phase::Queue, Phase::Prefill, Phase::Rest].iter().filter_map(|p| row(&d, *p).mean).sum();
    assert!((sum - 0.79).abs() < 1e-6, "{sum}");
    assert!((row(&d, Phase::Queue).mean.expect("a mean") - 0.75).abs() < 1e-6);
    assert!(row(&d, Phase::Queue).note.starts_with("prefill 0.30 s + decode 0.45 s"), "{}", row(&d, Phase::Queue).note);
}

#[test]
fn a_decoders_first_step_is_no_prefill_however_long_it_takes() {
    let slow = Tick { prefill_s: 3.0, ..DECODES };
    let d = disaggregated(&[(180, PREFILLS)], &[(120, DECODES), (60, slow)]);
    assert_eq!(d.verdict, Verdict::Breach, "{}", d.sentence);
    assert!(!codes(&d).iter().any(|c| c.starts_with("prefill")), "{:?}: {}", codes(&d), d.sentence);
    assert_eq!(row(&d, Phase::Prefill).status, RowStatus::Ok);
    assert!((row(&d, Phase::Prefill).mean.expect("the prefillers'") - 0.04).abs() < 1e-6);
    assert!(d.replicas.iter().filter(|r| r.pool == Some(Pool::Decode)).all(|r| r.prefill_mean.is_none()));
}

#[test]
fn prompts_that_take_longer_are_the_prefillers_slowdown() {
    let d =
        disaggregated(&[(120, PREFILLS), (60, Tick { prefill_s: 1.6, running: 4.0, ..PREFILLS })], &[(180, DECODES)]);
    assert_eq!((suspect(&d).as_str(), pool(&d)), ("prefill/prefill_slowdown/none_found", Some(Pool::Prefill)));
}

#[test]
fn a_full_cache_of_the_decoders_is_theirs() {
    let d = disaggregated(&[(180, PREFILLS)], &[(120, DECODES), (60, Tick { prefill_s: 0.01, ..KV_THRASH })]);
    assert_eq!((suspect(&d).as_str(), pool(&d)), ("queue/kv_cache_pressure/none_found", Some(Pool::Decode)));
    assert_eq!(scale(&d).0, Helps::Yes, "{}", scale(&d).1);
    assert!(scale(&d).1.contains("decode"), "{}", scale(&d).1);
}

#[test]
fn decoders_that_have_room_and_wait_all_the_same_wait_for_the_cache() {
    // Nobody measures a transfer. The batch moves, and stands at its highest only now and then.
    let at = |running| Tick { queue_s: 4.0, waiting: 8.0, running, ..DECODES };
    let slow: Vec<(u32, Tick)> = (0..20).flat_map(|_| [(1, at(9.0)), (1, at(4.0)), (1, at(5.0))]).collect();
    let d = disaggregated(&[(180, PREFILLS)], &[vec![(120, DECODES)], slow].concat());
    assert_eq!(suspect(&d), "queue/kv_transfer_wait/none_found", "{}", d.sentence);
    let found = d.findings.first().expect("a finding");
    assert_eq!(found.confidence.code(), "low", "it is what is left, and nobody measured it");
    // A batch that stands at its limit all along is a limit.
    let full = Tick { queue_s: 4.0, waiting: 8.0, running: 9.0, ..DECODES };
    let d = disaggregated(&[(180, PREFILLS)], &[(120, DECODES), (60, full)]);
    assert_eq!((suspect(&d).as_str(), pool(&d)), ("queue/queue_saturation/max_num_seqs_bound", Some(Pool::Decode)));
}

#[test]
fn transfers_that_take_longer_are_the_links_and_of_neither_pool() {
    let calm = Tick { transfer_s: 0.02, queue_s: 0.03, ..DECODES };
    let slow = Tick { transfer_s: 4.0, queue_s: 4.2, waiting: 8.0, ..DECODES };
    let d = disaggregated(&[(180, PREFILLS)], &[(120, calm), (60, slow)]);
    assert_eq!((suspect(&d).as_str(), pool(&d)), ("queue/kv_transfer_wait/none_found", None), "{}", d.sentence);
}

#[test]
fn engines_of_two_pools_are_no_peers_of_each_other() {
    let mut world = World::new();
    world.pool = Some(Pool::Prefill);
    let late = Tick { queue_s: 6.0, waiting: 60.0, running: 8.0, ..PREFILLS };
    world.plays("p1", "node-1", 7, 0, &ticks(&[(120, PREFILLS), (60, late)]));
    world.pool = Some(Pool::Decode);
    for name in ["d1", "d2", "d3"] {
        world.plays(name, "node-2", 41, 0, &ticks(&[(180, DECODES)]));
    }
    let d = judged(&world.ends(180));
    assert!(!codes(&d).contains(&"replica_outlier"), "{:?}: {}", codes(&d), d.sentence);
    assert!(!codes(&d).contains(&"gateway_imbalance"), "{:?}", codes(&d));
}

#[test]
fn a_request_is_counted_once_however_many_pools_it_passes() {
    let surge = Tick { queue_s: 6.0, waiting: 60.0, requests: 30.0, running: 8.0, ..PREFILLS };
    let d = disaggregated(&[(120, PREFILLS), (60, surge)], &[(180, DECODES)]);
    let found = d.findings.iter().find(|f| f.code.code() == "traffic_surge").expect("three times the requests");
    assert!(found.summary.contains(", 3.98 before"), "two prefillers are given two a second each: {}", found.summary);
    let ttft = d.slo.iter().find(|s| s.metric == Metric::Ttft).expect("a row");
    assert_eq!(ttft.count, Some(d.requests.finished.expect("finished")), "first tokens are those of the decoders");
}

#[test]
fn prefillers_that_count_no_first_tokens_are_judged_by_their_queue() {
    let mut world = World::new();
    world.prefill_counts = false;
    let queue = Tick { queue_s: 6.0, waiting: 60.0, running: 8.0, ..PREFILLS };
    world.pool = Some(Pool::Prefill);
    world.plays("p1", "node-1", 7, 0, &ticks(&[(120, PREFILLS), (60, queue)]));
    // A decoder of SGLang has a request from the beginning, and its first token tells of all that was before.
    world.pool = Some(Pool::Decode);
    world.plays("d1", "node-2", 41, 0, &ticks(&[(120, DECODES), (60, Tick { prefill_s: 6.05, ..DECODES })]));
    let d = judged(&world.ends(180));
    assert_eq!((suspect(&d).as_str(), pool(&d)), ("queue/queue_saturation/max_num_seqs_bound", Some(Pool::Prefill)));
    let ttft = d.slo.iter().find(|s| s.metric == Metric::Ttft).expect("a row");
    assert_eq!((ttft.bad, ttft.note.as_deref()), (ttft.bad_at_most, None), "one histogram tells all of it");
}

#[test]
fn a_rollout_of_the_one_pool_is_not_blamed_for_a_queue_before_the_other() {
    let queue = Tick { queue_s: 6.0, waiting: 60.0, running: 8.0, ..PREFILLS };
    let mut world = told(&[(120, PREFILLS), (60, queue)], &[(180, DECODES)]);
    world.facts.revisions.push(crate::told::revision(42, 118, &["--max-num-seqs", "64"]));
    world.workload().revision = Some(42);
    for pod in &mut world.facts.pods {
        (pod.revision, pod.created, pod.ready_since) =
            (Some(42), Some(crate::told::at(118)), Some(crate::told::at(119)));
    }
    let d = judged(&world.ends(180));
    assert_eq!(pool(&d), Some(Pool::Prefill), "{}", d.sentence);
    assert_ne!(
        d.suspect.as_ref().and_then(|s| s.cause).map(warroom::domain::Cause::code),
        Some("deploy_regression"),
        "{}",
        d.sentence
    );
}

#[test]
fn engines_of_which_nobody_knows_the_part_are_judged_as_one_fleet_and_it_is_said() {
    let mut world = World::new();
    let calm = Tick { transfer_s: 0.02, ..CALM };
    for name in ["a", "b"] {
        world.plays(name, "node-1", 41, 0, &ticks(&[(120, calm), (60, Tick { transfer_s: 0.02, ..QUEUE })]));
    }
    let d = judged(&world.ends(180));
    assert_eq!((suspect(&d).as_str(), pool(&d)), ("queue/queue_saturation/traffic_surge", None), "{}", d.sentence);
    assert!(row(&d, Phase::Queue).note.contains("is not known"), "{}", row(&d, Phase::Queue).note);
}
