//! Incidents of a whole cluster, told in values: what every engine did, what Kubernetes said, what the gateway counted and
//! the GPUs reported. The diagnosis must find what was told, and blame nobody else.

#[path = "support/incident.rs"]
#[expect(dead_code, reason = "stories have no captures")]
mod incident;
#[path = "cluster_stories/others.rs"]
mod others;
#[path = "cluster_stories/placed.rs"]
mod placed;
#[path = "cluster_stories/pools.rs"]
mod pools;
#[path = "cluster_stories/sliced.rs"]
mod sliced;
#[path = "cluster_stories/starts.rs"]
mod starts;
#[path = "cluster_stories/told.rs"]
mod told;

use incident::{codes, policy, suspect};
use told::{CALM, KV_THRASH, QUEUE, Tick, World, pod, revision, ticks};
use warroom::diagnosis::{ChangeKind, Diagnosis, Truth, diagnose};
use warroom::domain::{
    Action, Autoscaler, BaselineKind, Cause, Code, Condition, Confidence, Failure, GpuSample, Helps, Mechanism, Phase,
    RowStatus, SourceState, StartPhase, Verdict,
};

fn judged(world: &World) -> Diagnosis {
    diagnose(&world.snapshot, &policy(1.0, 0.1))
}

fn helps(d: &Diagnosis, action: Action) -> Option<Helps> {
    d.levers.iter().find(|l| l.action == action).map(|l| l.helps)
}

fn note(d: &Diagnosis, phase: Phase) -> (&str, RowStatus) {
    d.phases.iter().find(|p| p.phase == phase).map(|p| (p.note.as_str(), p.status)).expect("always seven rows")
}

/// Two revisions whose only difference are these arguments; the second one came `at` ticks after the first page.
fn rolled_out(world: &mut World, at: u32, old: &[&str], new: &[&str]) {
    world.facts.revisions = vec![revision(41, -100_000, old), revision(42, i64::from(at), new)];
    world.workload().revision = Some(42);
}

/// The old revision serves well until the new one has replaced it; then the cache is full and the queue grows.
fn founding() -> World {
    let mut world = World::new();
    rolled_out(&mut world, 100, &["--max-num-seqs", "256"], &["--max-num-seqs", "512"]);
    for name in ["old-a", "old-b"] {
        world.plays(name, "node-1", 41, 0, &ticks(&[(118, CALM)]));
        world.gone(name, 118);
    }
    for name in ["new-a", "new-b"] {
        world.plays(name, "node-1", 42, 116, &ticks(&[(24, CALM), (40, KV_THRASH)]));
        world.facts.pods.push(pod(name, "node-1", 42, 40, Some(115)));
    }
    // The autoscaler's extra replica is still loading.
    world.facts.pods.push(pod("new-c", "node-2", 42, 150, None));
    (world.workload().desired, world.workload().ready) = (3, 2);
    world.facts.revisions[1].ready = 2;
    world.ends(180)
}

#[test]
fn a_new_revision_whose_flag_fills_the_cache_is_the_founding_incident() {
    let d = judged(&founding());
    assert_eq!(d.verdict, Verdict::Breach, "{}", d.sentence);
    assert_eq!(suspect(&d), "queue/kv_cache_pressure/deploy_regression", "{}", d.sentence);
    assert_eq!(d.suspect.as_ref().and_then(|s| s.subject.revision), Some(42));
    assert!(d.sentence.contains("rev 42 (--max-num-seqs 256 -> 512) started"), "{}", d.sentence);
    assert_eq!((helps(&d, Action::RolloutUndo), helps(&d, Action::Scale)), (Some(Helps::Yes), Some(Helps::No)));
    let rollout = d.changes.iter().find(|c| c.kind == ChangeKind::Rollout).expect("a rollout");
    assert_eq!(rollout.summary, "rev 41 -> 42: --max-num-seqs 256 -> 512");
    assert!(d.since.is_some_and(|onset| onset > rollout.at));
    assert_eq!((d.scope.desired, d.scope.ready, d.scope.answering), (Some(3), Some(2), 2));
}

#[test]
fn a_replica_that_is_loading_is_a_row_with_its_clock_and_no_missing_source() {
    let d = judged(&founding());
    let row = d.replicas.iter().find(|r| r.name == "new-c").expect("a row");
    assert_eq!((row.start.map(|s| s.0), row.ready), (Some(StartPhase::Load), Some(false)));
    assert_eq!(row.usual_load.map(|(_, n)| n), Some(2), "from the loads of its siblings");
    assert!(note(&d, Phase::Rollout).0.contains("rev 42 2/3 ready, c load"), "{:?}", note(&d, Phase::Rollout));
    assert!(!d.sentence.contains("not read"), "{}", d.sentence);
    assert!(d.replicas.iter().all(|r| !r.gone), "the old pods were gone before the window");
}

#[test]
fn a_deploy_that_came_after_the_onset_is_innocent() {
    let mut world = World::new();
    rolled_out(&mut world, 130, &["--max-num-seqs", "256"], &["--max-num-seqs", "512"]);
    for name in ["a", "b"] {
        world.plays(name, "node-1", 41, 0, &ticks(&[(100, CALM), (40, QUEUE)]));
        world.gone(name, 140);
        world.plays(&format!("{name}2"), "node-1", 42, 138, &ticks(&[(42, QUEUE)]));
        world.facts.pods.push(pod(&format!("{name}2"), "node-1", 42, 100, Some(138)));
    }
    let d = judged(&world.ends(180));
    assert_eq!(d.verdict, Verdict::Breach, "{}", d.sentence);
    assert!(!codes(&d).contains(&"deploy_regression"), "{:?}: {}", codes(&d), d.sentence);
    assert_ne!(helps(&d, Action::RolloutUndo), Some(Helps::Yes));
}

#[test]
fn a_deploy_whose_old_replicas_are_as_slow_is_innocent() {
    let mut world = World::new();
    rolled_out(&mut world, 100, &["--max-num-seqs", "256"], &["--max-num-seqs", "512"]);
    for (name, number) in [("old-a", 41), ("new-a", 42)] {
        let from = if number == 42 { 104 } else { 0 };
        world.plays(name, "node-1", number, from, &ticks(&[(140 - from, CALM), (40, QUEUE)]));
        world.facts.pods.push(pod(name, "node-1", number, -50, Some(i64::from(from) - 1)));
    }
    let d = judged(&world.ends(180));
    assert_eq!(d.verdict, Verdict::Breach, "{}", d.sentence);
    assert!(!codes(&d).contains(&"deploy_regression"), "{:?}: {}", codes(&d), d.sentence);
    assert!(note(&d, Phase::Rollout).0.contains("rev 42 is not why"), "{:?}", note(&d, Phase::Rollout));
    assert_eq!(helps(&d, Action::RolloutUndo), Some(Helps::No));
}

#[test]
fn a_deploy_that_changes_nothing_of_the_engine_before_a_surge_is_innocent() {
    let mut world = World::new();
    rolled_out(&mut world, 100, &["--max-num-seqs", "256"], &["--max-num-seqs", "256", "--uvicorn-log-level", "info"]);
    for name in ["a", "b"] {
        world.plays(name, "node-1", 41, 0, &ticks(&[(110, CALM)]));
        world.gone(name, 110);
        world.plays(&format!("{name}2"), "node-1", 42, 108, &ticks(&[(22, CALM), (50, QUEUE)]));
        world.facts.pods.push(pod(&format!("{name}2"), "node-1", 42, 50, Some(107)));
    }
    let d = judged(&world.ends(180));
    assert_eq!(suspect(&d), "queue/queue_saturation/traffic_surge", "{}", d.sentence);
    assert!(!codes(&d).contains(&"deploy_regression"), "{:?}", codes(&d));
}

#[test]
fn a_new_image_that_served_well_for_minutes_is_innocent_of_the_surge_after_it() {
    let mut world = World::new();
    rolled_out(&mut world, 60, &["serve", "m"], &["serve", "m"]);
    world.facts.revisions[1].template.containers[0].image = "vllm:0.33".into();
    for name in ["a", "b"] {
        world.plays(name, "node-1", 41, 0, &ticks(&[(70, CALM)]));
        world.gone(name, 70);
        world.plays(&format!("{name}2"), "node-1", 42, 68, &ticks(&[(72, CALM), (40, QUEUE)]));
        world.facts.pods.push(pod(&format!("{name}2"), "node-1", 42, 40, Some(67)));
    }
    let d = judged(&world.ends(180));
    assert_eq!(d.suspect.as_ref().and_then(|s| s.cause), Some(Cause::TrafficSurge), "{}", d.sentence);
    assert!(!codes(&d).contains(&"deploy_regression"), "{:?}", codes(&d));
    assert!(note(&d, Phase::Rollout).0.contains("it served well for"), "{:?}", note(&d, Phase::Rollout));
}

#[test]
fn two_revisions_side_by_side_convict_the_one_that_is_slower() {
    let slow = Tick { tokens: 250.0, gap_s: 0.25, queue_s: 4.0, running: 10.0, waiting: 20.0, ..CALM };
    let mut world = World::new();
    // The image's tag alone says nothing: the comparison does.
    rolled_out(&mut world, 100, &["serve", "m"], &["serve", "m"]);
    world.facts.revisions[1].template.containers[0].image = "vllm:0.33".into();
    for name in ["old-a", "old-b"] {
        world.plays(name, "node-1", 41, 0, &ticks(&[(180, CALM)]));
        world.facts.pods.push(pod(name, "node-1", 41, -500, Some(-400)));
    }
    world.plays("new-a", "node-1", 42, 110, &ticks(&[(70, slow)]));
    world.facts.pods.push(pod("new-a", "node-1", 42, 101, Some(110)));
    let d = judged(&world.ends(180));
    assert_eq!(d.suspect.as_ref().and_then(|s| s.cause), Some(Cause::DeployRegression), "{}", d.sentence);
    let queue = d.phases.iter().find(|p| p.phase == Phase::Queue).expect("a row");
    assert_eq!(queue.baseline_from, Some(BaselineKind::OldRevision), "the old revision runs, and is well");
    let means: Vec<_> = d.revisions.iter().map(|r| (r.number, r.ttft_mean.map(f64::round))).collect();
    assert_eq!(means, [(42, Some(4.0)), (41, Some(0.0))], "newest first, each with its own requests");
}

#[test]
fn a_flag_that_an_engines_own_page_tells_otherwise_stands_beside_its_revision() {
    let mut world = World::new();
    rolled_out(&mut world, 100, &["--gpu-memory-utilization=0.9"], &["--gpu-memory-utilization=0.95"]);
    for (name, revision, from) in [("old-a", 41, 0), ("new-a", 42, 110)] {
        world.plays(name, "node-1", revision, from, &ticks(&[(180 - from, CALM)]));
        world.facts.pods.push(pod(name, "node-1", revision, i64::from(from) - 9, Some(i64::from(from))));
    }
    let d = judged(&world.ends(180));
    let otherwise: Vec<_> = d.revisions.iter().map(|r| (r.number, r.otherwise.join(";"))).collect();
    let told = "--gpu-memory-utilization 0.95 is declared, 0.9 stands on 1 engine's own page (cache_config_info)";
    assert_eq!(otherwise, [(42, told.to_owned()), (41, String::new())]);
}

/// A pod whose clock is held by heat while its siblings on other nodes are well.
fn hot(reasons: Option<u64>) -> World {
    let slow = Tick { prefill_s: 0.3, queue_s: 5.0, waiting: 30.0, running: 8.0, ..CALM };
    let mut world = World::new();
    world.facts.revisions = vec![revision(41, -100_000, &["serve", "m"])];
    for (name, node) in [("a", "node-1"), ("b", "node-2"), ("c", "node-3")] {
        let then = if name == "c" { slow } else { CALM };
        world.plays(name, node, 41, 0, &ticks(&[(120, CALM), (60, then)]));
        world.facts.pods.push(pod(name, node, 41, -500, Some(-400)));
        for i in 0..180 {
            let held = name == "c" && i >= 116;
            let sample = GpuSample {
                sm_clock_hz: Some(if held { 1.2e9 } else { 1.98e9 }),
                temperature_c: Some(if held { 90.0 } else { 62.0 }),
                utilisation: Some(0.95),
                event_reasons: reasons.map(|r| if held { r } else { 0 }),
                ..GpuSample::default()
            };
            world.gpu(node, name, i, sample);
        }
    }
    (world.workload().desired, world.workload().ready) = (3, 3);
    world.ends(180)
}

#[test]
fn a_queue_on_a_hot_gpu_is_the_gpus() {
    let d = judged(&hot(Some(0x40)));
    assert_eq!(suspect(&d), "gpu/gpu_clock_reduced/gpu_thermal", "{}", d.sentence);
    let s = d.suspect.as_ref().expect("a suspect");
    assert_eq!((s.subject.replica.as_deref(), s.subject.node.as_deref()), (Some("c"), Some("node-3")));
    assert_eq!((s.subject.gpu, s.confidence), (Some(0), Confidence::High));
    let row = d.gpus.iter().find(|g| g.id.node.as_deref() == Some("node-3")).expect("a row");
    assert_eq!((row.truth, row.troubled), (Truth::Confirmed, true));
    assert_eq!(helps(&d, Action::CordonNode), Some(Helps::Yes));
    assert_eq!(helps(&d, Action::RolloutUndo), Some(Helps::No));
}

#[test]
fn heat_without_event_reasons_is_inferred_and_said_less_surely() {
    let d = judged(&hot(None));
    assert_eq!(suspect(&d), "gpu/gpu_clock_reduced/gpu_thermal", "{}", d.sentence);
    assert_eq!(d.suspect.as_ref().map(|s| s.confidence), Some(Confidence::Medium));
    let truths: Vec<_> = d.gpus.iter().map(|g| g.truth).collect();
    assert_eq!(truths, [Truth::Unknown, Truth::Unknown, Truth::Inferred], "what is not exported is never ok");
}

#[test]
fn heat_that_goes_around_the_gpus_of_one_pod_began_with_the_first_of_them() {
    let slow = Tick { prefill_s: 0.3, queue_s: 5.0, waiting: 30.0, running: 8.0, ..CALM };
    let mut world = World::new();
    for (name, node, then) in [("a", "node-1", CALM), ("b", "node-2", slow)] {
        world.plays(name, node, 41, 0, &ticks(&[(120, CALM), (60, then)]));
        world.facts.pods.push(pod(name, node, 41, -500, Some(-400)));
    }
    for i in 0..180 {
        // The first one is held back for two minutes, and then the other one is.
        for (index, held) in [(0, (118..142).contains(&i)), (1, i >= 140)] {
            let sample = GpuSample { event_reasons: Some(if held { 0x40 } else { 0 }), ..GpuSample::default() };
            world.gpu_of("node-2", "b", index, i, sample);
        }
    }
    let d = judged(&world.ends(180));
    assert_eq!(suspect(&d), "gpu/gpu_clock_reduced/gpu_thermal", "{}", d.sentence);
}

#[test]
fn tokens_that_are_late_on_one_replica_alone_are_its_own() {
    let mut world = World::new();
    let slow = Tick { gap_s: 0.15, tokens: 800.0, ..CALM };
    let steady = Tick { gap_s: 0.09, ..CALM };
    for (name, then) in [("a", steady), ("b", steady), ("c", slow)] {
        world.plays(name, "node-1", 41, 0, &ticks(&[(100, steady), (60, then)]));
        world.facts.pods.push(pod(name, "node-1", 41, -500, Some(-400)));
    }
    let d = judged(&world.ends(160));
    assert_eq!(suspect(&d), "decode/decode_slowdown/replica_outlier", "{}", d.sentence);
    assert_eq!(d.suspect.and_then(|s| s.subject.replica).as_deref(), Some("c"));
}

#[test]
fn benign_bits_and_old_errors_are_no_trouble() {
    let mut world = World::new();
    world.plays("a", "node-1", 41, 0, &ticks(&[(120, CALM)]));
    for i in 0..120 {
        // Idle, capped near its limit, one flash of a slowdown; an error from before we looked, and an old XID.
        let reasons = [0x1, 0x4, 0x0][i as usize % 3] | if i == 60 { 0x8 } else { 0 };
        world.gpu(
            "node-1",
            "a",
            i,
            GpuSample {
                sm_clock_hz: Some(1.9e9),
                sm_clock_max_hz: Some(1.98e9),
                utilisation: Some(0.9),
                event_reasons: Some(reasons),
                ecc_uncorrected_volatile: Some(2),
                xid: Some(79),
                ..GpuSample::default()
            },
        );
    }
    let d = judged(&world.ends(120));
    assert_eq!(d.verdict, Verdict::Healthy, "{}: {:?}", d.sentence, codes(&d));
    assert!(d.gpus.iter().all(|g| !g.troubled), "{:?}", d.gpus);
}

#[test]
fn uncorrected_errors_that_grow_are_a_memory_fault() {
    let mut world = World::new();
    let slow = Tick { gap_s: 0.3, tokens: 300.0, queue_s: 2.0, waiting: 9.0, ..CALM };
    for (name, node, then) in [("a", "node-1", CALM), ("b", "node-2", slow)] {
        world.plays(name, node, 41, 0, &ticks(&[(120, CALM), (40, then)]));
        world.facts.pods.push(pod(name, node, 41, -500, Some(-400)));
        for i in 0..160 {
            let errors = if name == "b" && i > 118 { u64::from(i - 118) } else { 0 };
            let sample = GpuSample { ecc_uncorrected_volatile: Some(errors), ..GpuSample::default() };
            world.gpu(node, name, i, sample);
        }
    }
    let d = judged(&world.ends(160));
    assert_eq!(suspect(&d), "gpu/gpu_memory_fault/gpu_ecc", "{}", d.sentence);
}

#[test]
fn replicas_that_load_while_the_rest_is_overrun_are_a_cold_start() {
    let mut world = World::new();
    for name in ["a", "b", "c"] {
        let there = if name == "a" { ticks(&[(120, CALM), (40, QUEUE)]) } else { ticks(&[(118, CALM)]) };
        world.plays(name, "node-1", 41, 0, &there);
        if name == "a" {
            world.facts.pods.push(pod(name, "node-1", 41, -500, Some(-440)));
        } else {
            world.gone(name, 118);
            world.facts.pods.push(pod(&format!("{name}2"), "node-1", 41, 119, None));
        }
    }
    (world.workload().desired, world.workload().ready) = (3, 1);
    let d = judged(&world.ends(160));
    let s = d.suspect.as_ref().expect("a suspect");
    assert_eq!((s.phase, s.mechanism), (Phase::Rollout, Mechanism::ColdStart), "{}", d.sentence);
    assert_eq!(helps(&d, Action::Scale), Some(Helps::No), "a further one would load as long");
    assert!(!codes(&d).contains(&"replica_outlier"), "the others are gone, and no peers: {:?}", codes(&d));
}

#[test]
fn a_pod_that_no_node_takes_is_told_with_the_schedulers_words() {
    let mut world = World::new();
    world.plays("a", "node-1", 41, 0, &ticks(&[(60, CALM)]));
    world.facts.pods.push(pod("a", "node-1", 41, -500, Some(-440)));
    let mut waits = pod("b", "node-1", 41, 20, None);
    (waits.node, waits.scheduled, waits.started) = (None, None, None);
    waits.unschedulable = Some("0/3 nodes are available: 3 Insufficient nvidia.com/gpu.".into());
    world.facts.pods.push(waits);
    (world.workload().desired, world.workload().ready) = (2, 1);
    let d = judged(&world.ends(60));
    assert_eq!(d.verdict, Verdict::Warning, "{}", d.sentence);
    assert_eq!(d.suspect.as_ref().map(|s| s.mechanism), Some(Mechanism::Unschedulable), "{}", d.sentence);
    assert!(d.sentence.contains("Insufficient nvidia.com/gpu"), "{}", d.sentence);
    assert_eq!(d.levers.iter().find(|l| l.action == Action::Scale).map(|l| l.helps), Some(Helps::No));
}

#[test]
fn a_new_revision_that_alone_crashes_is_at_fault_though_nothing_is_late_yet() {
    let mut world = World::new();
    rolled_out(&mut world, 40, &["--max-num-seqs", "256"], &["--max-num-seqs", "256", "--max-model-len", "999999"]);
    world.plays("old", "node-1", 41, 0, &ticks(&[(90, CALM)]));
    world.facts.pods.push(pod("old", "node-1", 41, -500, Some(-440)));
    let mut dies = pod("new", "node-1", 42, 41, None);
    (dies.restarts, dies.waiting, dies.last_exit) = (4, Some("CrashLoopBackOff".into()), Some(("Error".into(), 1)));
    world.facts.pods.push(dies);
    let stuck = Condition {
        kind: "Progressing".into(),
        status: Some(false),
        reason: "ProgressDeadlineExceeded".into(),
        message: String::new(),
        since: None,
        updated: None,
    };
    world.workload().conditions.push(stuck);
    (world.workload().desired, world.workload().ready) = (1, 1);
    let d = judged(&world.ends(90));
    assert_eq!(d.verdict, Verdict::Warning, "{}", d.sentence);
    assert_eq!(suspect(&d), "rollout/crash_loop/deploy_regression", "{}", d.sentence);
    assert!(codes(&d).contains(&"rollout_stuck"));
    assert_eq!(helps(&d, Action::RolloutUndo), Some(Helps::Yes));
}

#[test]
fn nobody_ready_is_no_riddle_where_kubernetes_says_why() {
    let mut world = World::new();
    world.facts.pods.push(pod("a", "node-1", 41, 0, None));
    world.refuses("a", 0, 30);
    (world.workload().desired, world.workload().ready) = (1, 0);
    let d = judged(&world.ends(30));
    assert_eq!(d.verdict, Verdict::Warning, "{}", d.sentence);
    assert_eq!(d.suspect.as_ref().map(|s| s.mechanism), Some(Mechanism::ColdStart));
    assert_eq!(d.replicas.len(), 1);
}

#[test]
fn time_that_the_gateway_adds_is_the_gateways() {
    let mut world = World::new();
    world.plays("a", "node-1", 41, 0, &ticks(&[(180, CALM)]));
    world.gateway(0, 120, 10.0, 0.02, 0.0);
    world.gateway(120, 180, 10.0, 2.4, 0.0);
    let d = judged(&world.ends(180));
    assert_eq!(d.verdict, Verdict::Breach, "{}", d.sentence);
    assert_eq!(suspect(&d), "gateway/gateway_overhead/gateway_fault", "{}", d.sentence);
    let row = d.phases.iter().find(|p| p.phase == Phase::Gateway).expect("a row");
    assert!(row.mean.is_some_and(|m| m > 2.0) && row.baseline.is_some_and(|b| b < 0.1), "{row:?}");
    assert_eq!(row.status, RowStatus::Breach);
    assert!(d.since.is_some());
}

#[test]
fn errors_that_no_engine_gave_are_the_gateways() {
    let mut world = World::new();
    world.plays("a", "node-1", 41, 0, &ticks(&[(180, CALM)]));
    world.gateway(0, 130, 10.0, 0.02, 0.0);
    world.gateway(130, 180, 10.0, 0.02, 3.0);
    let d = judged(&world.ends(180));
    assert_eq!(d.verdict, Verdict::Breach, "{}", d.sentence);
    assert_eq!(suspect(&d), "gateway/gateway_errors/gateway_fault", "{}", d.sentence);
}

#[test]
fn decoders_that_wait_for_the_cache_of_their_requests_wait_for_the_link() {
    let mut world = World::new();
    let calm = Tick { transfer_s: 0.02, queue_s: 0.03, ..CALM };
    let slow = Tick { transfer_s: 4.0, queue_s: 4.2, waiting: 8.0, ..CALM };
    for name in ["a", "b"] {
        world.plays(name, "node-1", 41, 0, &ticks(&[(120, calm), (60, slow)]));
        world.facts.pods.push(pod(name, "node-1", 41, -500, Some(-440)));
    }
    let d = judged(&world.ends(180));
    assert_eq!(d.verdict, Verdict::Breach, "{}", d.sentence);
    assert_eq!(suspect(&d), "queue/kv_transfer_wait/none_found", "{}", d.sentence);
    assert_eq!(helps(&d, Action::Scale), Some(Helps::No));
}

#[test]
fn a_queue_beside_transfers_as_fast_as_ever_is_no_links() {
    let mut world = World::new();
    let calm = Tick { transfer_s: 0.02, queue_s: 0.03, ..CALM };
    for name in ["a", "b"] {
        world.plays(name, "node-1", 41, 0, &ticks(&[(120, calm), (60, Tick { transfer_s: 0.02, ..QUEUE })]));
        world.facts.pods.push(pod(name, "node-1", 41, -500, Some(-440)));
    }
    let d = judged(&world.ends(180));
    assert!(!codes(&d).contains(&"kv_transfer_wait"), "{:?}: {}", codes(&d), d.sentence);
}

#[test]
fn a_gateway_that_holds_answers_back_until_they_are_complete_breaks_streaming() {
    let mut world = World::new();
    world.plays("a", "node-1", 41, 0, &ticks(&[(180, CALM)]));
    world.streaming_gateway(0, 120, 10.0, 0.06);
    world.streaming_gateway(120, 180, 10.0, 1.95);
    let d = judged(&world.ends(180));
    assert_eq!(d.verdict, Verdict::Breach, "{}", d.sentence);
    assert_eq!(suspect(&d), "gateway/gateway_buffering/gateway_fault", "{}", d.sentence);
    assert_eq!(helps(&d, Action::Scale), Some(Helps::No));
}

#[test]
fn a_gateway_that_streams_holds_nothing_back() {
    let mut world = World::new();
    world.plays("a", "node-1", 41, 0, &ticks(&[(180, CALM)]));
    world.streaming_gateway(0, 180, 10.0, 0.06);
    let d = judged(&world.ends(180));
    assert_eq!(d.verdict, Verdict::Healthy, "{}", d.sentence);
    assert!(!codes(&d).contains(&"gateway_buffering"), "{:?}", codes(&d));
}

#[test]
fn a_slow_engine_behind_a_gateway_is_not_the_gateways() {
    let mut world = World::new();
    world.plays("a", "node-1", 41, 0, &ticks(&[(120, CALM), (60, QUEUE)]));
    world.gateway(0, 180, 10.0, 0.02, 0.0);
    let d = judged(&world.ends(180));
    assert_eq!(d.suspect.as_ref().map(|s| s.phase), Some(Phase::Queue), "{}", d.sentence);
    assert!(!codes(&d).iter().any(|c| c.starts_with("gateway")), "{:?}", codes(&d));
}

#[test]
fn nodes_that_may_not_be_read_are_told_and_cost_no_verdict() {
    let mut world = World::new();
    world.plays("a", "node-1", 41, 0, &ticks(&[(60, CALM)]));
    world.facts.pods.push(pod("a", "node-1", 41, -500, Some(-440)));
    world.facts.nodes = None;
    world.watch("pods", SourceState::Live, 59, None);
    world.watch("nodes", SourceState::Denied, 0, Some("nodes is forbidden"));
    let d = judged(&world.ends(60));
    assert_eq!(d.verdict, Verdict::Healthy, "{}", d.sentence);
    let source = d.sources.iter().find(|s| s.name == "kubernetes").expect("a source");
    assert_eq!((source.state, source.via), (SourceState::Live, Some("watch")));
    assert!(source.error.as_deref().is_some_and(|e| e.contains("nodes denied: nodes is forbidden")), "{source:?}");
}

#[test]
fn kubernetes_that_was_lost_lends_no_green_and_keeps_its_last_word_with_its_age() {
    let mut world = founding();
    world.watch("pods", SourceState::Failed, 120, Some("connection refused"));
    let d = judged(&world);
    assert_eq!(d.verdict, Verdict::Breach, "{}", d.sentence);
    assert!(d.sentence.contains("Kubernetes was last heard"), "{}", d.sentence);
    assert!(!d.replicas.is_empty() && note(&d, Phase::Rollout).1 == RowStatus::Unknown);
    let mut calm = World::new();
    calm.plays("a", "node-1", 41, 0, &ticks(&[(60, CALM)]));
    calm.watch("pods", SourceState::Failed, 10, Some("connection refused"));
    let d = judged(&calm.ends(60));
    assert_eq!(d.verdict, Verdict::Warning, "half of the picture is no green: {}", d.sentence);
}

#[test]
fn a_pod_that_is_ready_and_refuses_is_named() {
    let mut world = World::new();
    world.plays("a", "node-1", 41, 0, &ticks(&[(60, CALM)]));
    for name in ["a", "b"] {
        world.facts.pods.push(pod(name, "node-1", 41, -500, Some(-440)));
    }
    world.refuses("b", 0, 60);
    (world.workload().desired, world.workload().ready) = (2, 2);
    let d = judged(&world.ends(60));
    assert_eq!(d.verdict, Verdict::Warning, "{}", d.sentence);
    let s = d.suspect.as_ref().expect("a suspect");
    assert_eq!((s.mechanism, s.subject.replica.as_deref()), (Mechanism::NotReadyButReady, Some("b")));
}

#[test]
fn a_pod_that_was_taken_away_leaves_its_counts_and_no_complaint() {
    let mut world = World::new();
    world.plays("a", "node-1", 41, 0, &ticks(&[(60, CALM)]));
    world.plays("b", "node-1", 41, 0, &ticks(&[(40, CALM)]));
    world.fails("b", 41, 44, &Failure::Refused);
    world.gone("b", 45);
    world.facts.pods.push(pod("a", "node-1", 41, -500, Some(-440)));
    let d = judged(&world.ends(60));
    assert_eq!(d.verdict, Verdict::Healthy, "{}: {:?}", d.sentence, codes(&d));
    assert_eq!(d.requests.finished, Some(59.0 * 10.0 + 39.0 * 10.0));
    let row = d.replicas.iter().find(|r| r.name == "b").expect("a row");
    assert!(row.gone && row.waiting.is_none(), "{row:?}");
    assert_eq!(d.sources.len(), 2, "kubernetes and a: {:?}", d.sources);
}

#[test]
fn an_autoscaler_on_cpu_is_told_while_the_queue_grows_and_is_not_its_cause() {
    let mut world = World::new();
    world.plays("a", "node-1", 41, 0, &ticks(&[(120, CALM), (40, QUEUE)]));
    world.facts.pods.push(pod("a", "node-1", 41, -500, Some(-440)));
    world.facts.autoscaler = Some(Autoscaler {
        kind: "HorizontalPodAutoscaler".into(),
        name: "vllm".into(),
        min: 1,
        max: 4,
        current: 1,
        desired: 1,
        metrics: vec!["cpu 80%".into()],
        ..Autoscaler::default()
    });
    let d = judged(&world.ends(160));
    assert_eq!(suspect(&d), "queue/queue_saturation/traffic_surge", "{}", d.sentence);
    let found = d.findings.iter().find(|f| f.code == Code::Cause(Cause::AutoscalerWrongSignal)).expect("a finding");
    assert!(found.levers.iter().any(|l| l.action == Action::SetAutoscalerBounds));
}

#[test]
fn the_series_covers_all_that_was_seen_in_few_points() {
    let d = judged(&founding());
    assert!((100..=240).contains(&d.series.len()), "{}", d.series.len());
    assert!(d.series.windows(2).all(|w| w[0].to == w[1].from));
    let waited = d.series.iter().filter_map(|p| p.waiting).fold(0.0, f64::max);
    assert!(waited > 10.0 && d.series.iter().any(|p| p.ttft_late == Some(0.0)));
}
