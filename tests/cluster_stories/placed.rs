//! Replicas that are not what their siblings are: on other hardware, with other flags, on a GPU that is gone.

use warroom::diagnosis::{Touches, touches};
use warroom::domain::Mechanism;
use warroom::domain::{Action, Cause, Code, Confidence, GpuSample, Helps, TemplateChange, Verdict};

use super::others::event;
use super::told::{CALM, KV_THRASH, QUEUE, Tick, World, pod, revision, ticks};
use super::{Autoscaler, codes, helps, judged, rolled_out, suspect};

/// Slow, and nothing but slow: as many requests as ever.
const SLOW: Tick = Tick { queue_s: 5.0, prefill_s: 0.4, waiting: 30.0, running: 8.0, ..CALM };

/// What an exporter says of a GPU that is lost.
#[derive(Clone, Copy, PartialEq)]
enum Says {
    /// The driver's error, and nothing else.
    Error,
    /// Nothing: it is on the page no more, and the one beside it is.
    Nothing,
    /// That it is there, idle.
    Idle,
}

/// Three replicas serve; at tick 116 the third one dies, of whose GPU its exporter says this, and the others have its
/// requests.
fn lost(says: Says) -> World {
    let mut world = World::new();
    for (name, node) in [("a", "node-1"), ("b", "node-2"), ("c", "node-3")] {
        let gone = name == "c";
        let told = if gone { ticks(&[(116, CALM)]) } else { ticks(&[(120, CALM), (60, QUEUE)]) };
        world.plays(name, node, 41, 0, &told);
        let mut own = pod(name, node, 41, -500, (!gone).then_some(-400));
        own.restarts = if gone { 4 } else { 0 };
        own.last_exit = gone.then(|| ("Error".into(), 1));
        own.waiting = gone.then(|| "CrashLoopBackOff".into());
        world.facts.pods.push(own);
        for i in 0..180 {
            let off = gone && i >= 116;
            let error = if off && says == Says::Error { 79 } else { 0 };
            world.gpu_of(node, name, 1, i, GpuSample { event_reasons: Some(0), ..GpuSample::default() });
            if off && says == Says::Nothing {
                continue;
            }
            let sample = GpuSample {
                xid: Some(error),
                event_reasons: (!off).then_some(0),
                utilisation: (!off).then_some(0.9),
                ..GpuSample::default()
            };
            world.gpu(node, name, i, sample);
        }
    }
    world.fails("c", 116, 180, &warroom::domain::Failure::Refused);
    (world.workload().desired, world.workload().ready) = (3, 2);
    world.ends(180)
}

#[test]
fn a_gpu_that_fell_off_the_bus_is_what_the_crashes_and_the_queue_before_the_others_come_from() {
    let d = judged(&lost(Says::Error));
    assert_eq!(suspect(&d), "gpu/gpu_lost/gpu_xid", "{}", d.sentence);
    assert!(d.sentence.contains("XID 79 appeared; c ran on it, and answers no more"), "{}", d.sentence);
    assert_eq!(helps(&d, Action::CordonNode), Some(Helps::Yes));
    // Its container has its image: it is started again and again.
    assert!(!codes(&d).contains(&"image_pull"), "{:?}", codes(&d));
}

#[test]
fn a_replica_that_crashes_on_a_gpu_without_errors_is_no_gpus() {
    let d = judged(&lost(Says::Idle));
    assert_eq!(suspect(&d), "rollout/crash_loop/capacity_loss", "{}", d.sentence);
}

#[test]
fn a_gpu_that_is_missing_on_a_page_which_has_the_others_is_lost() {
    let d = judged(&lost(Says::Nothing));
    assert_eq!(suspect(&d), "gpu/gpu_lost/capacity_loss", "{}", d.sentence);
    assert!(d.sentence.contains("missing on its exporter's page for 320 s, which has the others"), "{}", d.sentence);
    let row = d.gpus.iter().find(|g| g.id.node.as_deref() == Some("node-3")).expect("a row");
    assert!(row.troubled && row.note.starts_with("missing"), "{row:?}");
}

/// A rollout of nothing but an image at tick 100, whose replicas come onto nodes with these GPUs and are slow from then on.
fn moved(old: &str, new: &str) -> World {
    let mut world = World::new();
    rolled_out(&mut world, 100, &["serve", "m"], &["serve", "m"]);
    world.facts.revisions[1].template.containers[0].image = "vllm:0.33".into();
    for (node, kind) in world.facts.nodes.iter_mut().flatten().zip([old, old, new]) {
        node.gpu_product = Some(kind.to_owned());
    }
    for (name, node) in [("old-a", "node-1"), ("old-b", "node-2")] {
        world.plays(name, node, 41, 0, &ticks(&[(118, CALM)]));
        world.gone(name, 118);
    }
    for name in ["new-a", "new-b"] {
        world.plays(name, "node-3", 42, 116, &ticks(&[(64, SLOW)]));
        world.facts.pods.push(pod(name, "node-3", 42, 100, Some(115)));
    }
    world.ends(180)
}

#[test]
fn a_new_image_that_came_onto_slower_gpus_is_not_blamed_for_them() {
    let d = judged(&moved("H100", "A100"));
    assert_eq!(suspect(&d), "queue/queue_saturation/placement_mismatch", "{}", d.sentence);
    let deploy = d.findings.iter().find(|f| f.code == Code::Cause(Cause::DeployRegression)).expect("told all the same");
    assert_eq!(deploy.confidence, Confidence::Low);
    assert!(deploy.evidence.iter().any(|e| !e.supports && e.claim.contains("came onto A100")), "{:?}", deploy.evidence);
}

#[test]
fn a_new_image_that_is_slow_on_the_same_gpus_is() {
    let d = judged(&moved("H100", "H100"));
    assert_eq!(suspect(&d), "queue/queue_saturation/deploy_regression", "{}", d.sentence);
    assert!(!codes(&d).contains(&"placement_mismatch"), "{:?}", codes(&d));
}

/// Three replicas of one revision; two of them were replaced at tick 100 and may use this share of their GPUs' memory.
fn drifted(share: f64, then: Tick) -> World {
    let mut world = World::new();
    world.plays("a", "node-1", 41, 0, &ticks(&[(180, CALM)]));
    world.facts.pods.push(pod("a", "node-1", 41, -500, Some(-400)));
    for name in ["b", "c"] {
        world.plays(name, "node-2", 41, 0, &ticks(&[(100, CALM)]));
        world.gone(name, 100);
    }
    world.memory_share = share;
    for name in ["b2", "c2"] {
        world.plays(name, "node-2", 41, 108, &ticks(&[(12, CALM), (60, then)]));
        world.facts.pods.push(pod(name, "node-2", 41, 100, Some(107)));
    }
    (world.workload().desired, world.workload().ready) = (3, 3);
    world.ends(180)
}

#[test]
fn replicas_of_one_revision_whose_pages_tell_other_flags_are_a_drift() {
    let d = judged(&drifted(0.47, KV_THRASH));
    assert_eq!(suspect(&d), "queue/kv_cache_pressure/config_drift", "{}", d.sentence);
    let found = d.findings.iter().find(|f| f.code == Code::Cause(Cause::ConfigDrift)).expect("a finding");
    let told = "b2 and 1 more of rev 41 run with --gpu-memory-utilization 0.47, the one that started first with 0.90";
    assert_eq!(found.summary, told);
    assert_eq!((helps(&d, Action::RolloutUndo), helps(&d, Action::RolloutRestart)), (Some(Helps::No), Some(Helps::No)));
}

#[test]
fn replicas_that_are_late_with_the_same_flags_are_none() {
    let d = judged(&drifted(0.9, KV_THRASH));
    assert!(!codes(&d).contains(&"config_drift"), "{:?}", codes(&d));
}

#[test]
fn other_flags_that_do_no_harm_are_no_alarm() {
    let d = judged(&drifted(0.85, CALM));
    assert_eq!(d.verdict, Verdict::Healthy, "{}: {:?}", d.sentence, codes(&d));
}

/// Three replicas; the autoscaler, which looks at this, takes two of them away at tick 100.
fn taken_away(metric: &str) -> World {
    let mut world = World::new();
    world.plays("a", "node-1", 41, 0, &ticks(&[(104, CALM), (56, Tick { requests: 10.0, ..QUEUE })]));
    world.facts.pods.push(pod("a", "node-1", 41, -500, Some(-440)));
    for name in ["b", "c"] {
        world.plays(name, "node-1", 41, 0, &ticks(&[(100, CALM)]));
        world.gone(name, 100);
    }
    (world.workload().desired, world.workload().ready) = (1, 1);
    world.facts.autoscaler = Some(Autoscaler {
        name: "vllm".into(),
        min: 1,
        max: 6,
        current: 1,
        desired: 1,
        metrics: vec![metric.to_owned()],
        ..Autoscaler::default()
    });
    let message = "New size: 1; reason: All metrics below target";
    world.facts.events = vec![event(100, "HorizontalPodAutoscaler", "SuccessfulRescale", message)];
    world.ends(160)
}

#[test]
fn replicas_that_an_autoscaler_on_cpu_took_away_are_its_doing() {
    let d = judged(&taken_away("cpu 80%"));
    assert_eq!(suspect(&d), "queue/queue_saturation/autoscaler_wrong_signal", "{}", d.sentence);
    assert_eq!(helps(&d, Action::SetAutoscalerBounds), Some(Helps::Yes));
}

#[test]
fn replicas_that_an_autoscaler_on_the_queue_took_away_are_missing_capacity() {
    let d = judged(&taken_away("vllm:num_requests_waiting 10"));
    assert_eq!(suspect(&d), "queue/queue_saturation/capacity_loss", "{}", d.sentence);
}

/// Engines whose drafts are accepted this often from tick 100 on.
fn drafting(after: f64) -> World {
    let mut world = World::new();
    world.drafts = Some((100, 0.7, after));
    for name in ["a", "b"] {
        world.plays(
            name,
            "node-1",
            41,
            0,
            &ticks(&[(104, CALM), (56, Tick { requests: 10.0, tokens: 1000.0, ..QUEUE })]),
        );
        world.facts.pods.push(pod(name, "node-1", 41, -500, Some(-440)));
    }
    world.ends(160)
}

#[test]
fn drafts_that_are_accepted_less_hold_the_slots_for_which_others_wait() {
    let d = judged(&drafting(0.1));
    assert_eq!(suspect(&d), "queue/queue_saturation/spec_decode_regression", "{}", d.sentence);
    assert!(!codes(&judged(&drafting(0.65))).contains(&"spec_decode_regression"));
}

#[test]
fn a_readiness_probe_is_a_knob_of_readiness_and_of_nothing_else() {
    let old = &revision(41, 0, &[]).template;
    let mut new = old.clone();
    let probe =
        warroom::domain::HealthProbe { asks: "GET /health".into(), period_s: 10, failures: 3, ..Default::default() };
    new.containers[0].readiness = Some(probe);
    let changes: Vec<TemplateChange> = new.changes(old);
    let told: Vec<String> = changes.iter().map(ToString::to_string).collect();
    assert_eq!(told, ["readiness probe GET /health within 30 s removed"]);
    assert_eq!(touches(&changes[0], Mechanism::NotReadyButReady), Touches::Knob);
    assert_eq!(touches(&changes[0], Mechanism::QueueSaturation), Touches::Nothing);
}

#[test]
fn a_hot_gpu_is_blamed_for_its_own_tokens_though_a_surge_makes_everybodys_first_ones_late() {
    let mut world = World::new();
    for (name, node) in [("a", "node-1"), ("b", "node-2"), ("c", "node-3")] {
        let hot = name == "c";
        let then = Tick { gap_s: if hot { 0.3 } else { 0.03 }, ..QUEUE };
        world.plays(name, node, 41, 0, &ticks(&[(120, CALM), (60, then)]));
        world.facts.pods.push(pod(name, node, 41, -500, Some(-400)));
        for i in 0..180 {
            let reasons = if hot && i >= 116 { 0x40 } else { 0 };
            world.gpu(node, name, i, GpuSample { event_reasons: Some(reasons), ..GpuSample::default() });
        }
    }
    let d = judged(&world.ends(180));
    assert_eq!(suspect(&d), "gpu/gpu_clock_reduced/gpu_thermal", "{}", d.sentence);
    assert!(d.sentence.contains("c on it has 100% of the late events"), "{}", d.sentence);
}

/// The first of three replicas is given this many times the requests of the others from tick 100 on, and before.
fn favoured(before: f64, then: f64) -> World {
    let mut world = World::new();
    for name in ["a", "b", "c"] {
        let times = |factor: f64, tick: Tick| Tick { requests: if name == "a" { 10.0 * factor } else { 10.0 }, ..tick };
        let late = if name == "a" { times(then, QUEUE) } else { CALM };
        world.plays(name, "node-1", 41, 0, &ticks(&[(100, times(before, CALM)), (60, late)]));
        world.facts.pods.push(pod(name, "node-1", 41, -500, Some(-400)));
    }
    world.gateway(0, 160, 30.0, 0.004, 0.0);
    world.ends(160)
}

#[test]
fn a_replica_that_is_given_twice_as_much_as_the_others_and_was_not_before_is_favoured() {
    let d = judged(&favoured(1.0, 2.5));
    assert_eq!(suspect(&d), "gateway/gateway_imbalance/gateway_fault", "{}", d.sentence);
    // Where it always was given twice as much, that is not what changed.
    assert!(!codes(&judged(&favoured(2.0, 2.5))).contains(&"gateway_imbalance"));
}

#[test]
fn errors_of_a_time_in_which_nobody_served_are_not_the_gateways() {
    let mut world = World::new();
    world.plays("a", "node-1", 41, 0, &ticks(&[(100, CALM)]));
    world.gone("a", 100);
    world.refuses("a2", 101, 124);
    world.plays("a2", "node-1", 41, 124, &ticks(&[(12, CALM)]));
    world.facts.pods.push(pod("a2", "node-1", 41, 100, Some(124)));
    for (from, to, errors) in [(0, 100, 0.0), (100, 124, 10.0), (124, 136, 0.0)] {
        world.gateway(from, to, 10.0, 0.004, errors);
    }
    (world.workload().desired, world.workload().ready) = (1, 1);
    let d = judged(&world.ends(136));
    assert!(!codes(&d).contains(&"gateway_fault"), "{:?}: {}", codes(&d), d.sentence);
}
