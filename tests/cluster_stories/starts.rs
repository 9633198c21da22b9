//! How pods started: what was seen of it, how finely, and what nobody saw.

use super::told::{CALM, World, pod, ticks};
use super::{codes, judged};
use warroom::diagnosis::{Diagnosis, StartStep, Step};
use warroom::domain::{Condition, Confidence, HealthProbe, Mechanism, Pull, Severity, Verdict};

use super::told::at;

/// One replica serves all the time; another one is refused from tick 40 on, answers from tick 52 on, and is Ready since
/// `ready`.
fn joined(ready: i64) -> World {
    let mut world = World::new();
    world.plays("old", "node-1", 41, 0, &ticks(&[(80, CALM)]));
    world.facts.pods.push(pod("old", "node-1", 41, -500, Some(-440)));
    world.refuses("new", 38, 52);
    world.plays("new", "node-2", 41, 52, &ticks(&[(28, CALM)]));
    world.facts.pods.push(pod("new", "node-2", 41, 36, Some(ready)));
    world
}

fn steps(d: &Diagnosis, pod: &str) -> Vec<(Step, f64, f64, bool)> {
    let row = d.starts.rows.iter().find(|r| r.pod == pod).expect("a row");
    row.steps.iter().map(|s: &StartStep| (s.step, s.seconds, s.resolution_s, s.running)).collect()
}

#[test]
fn a_load_is_told_as_finely_as_it_was_seen_and_readiness_apart_from_it() {
    let mut world = joined(55);
    world.facts.pods[1].pull =
        Some(Pull { from: Some(at(36)), to: Some(at(37)), took_s: Some(4.321), ..Pull::default() });
    let d = judged(&world.ends(80));
    // It started at tick 38, was refused last at 51 and answered at 52; Ready came three ticks later.
    assert_eq!(
        steps(&d, "new"),
        [
            (Step::Schedule, 0.0, 1.0, false),
            (Step::Pull, 4.321, 0.001, false),
            (Step::Load, 70.0, 6.0, false),
            (Step::Ready, 15.0, 6.0, false)
        ]
    );
    assert_eq!(d.starts.load.map(|t| (t.count, t.median, t.p90)), Some((1, 70.0, None)));
    assert_eq!(d.starts.ready.map(|t| t.median), Some(15.0));
    assert!(!codes(&d).contains(&Mechanism::NotReadyButReady.code()));
}

#[test]
fn what_nobody_saw_is_one_step_and_no_load_time() {
    let d = judged(&joined(55).ends(80));
    assert_eq!(steps(&d, "old"), [(Step::Schedule, 0.0, 1.0, false), (Step::LoadToReady, 290.0, 1.0, false)]);
    assert_eq!(d.starts.whole.map(|t| (t.count, t.min, t.max)), Some((2, 85.0, 290.0)));
    assert_eq!(d.starts.load.map(|t| t.count), Some(1), "of the other one alone");
}

#[test]
fn a_start_that_goes_on_says_how_long_it_lasts_already() {
    let mut world = joined(55);
    world.facts.pods.push(pod("third", "node-3", 41, 70, None));
    let d = judged(&world.ends(80));
    // Its engine started at tick 72; it is judged a second after tick 79.
    assert_eq!(steps(&d, "third").last(), Some(&(Step::Load, 36.0, 1.0, true)));
    assert_eq!(d.starts.rows[0].pod, "third", "the newest stands first");
}

#[test]
fn a_restart_counts_from_the_last_start_and_not_from_the_ready_before_it() {
    let mut world = joined(55);
    let pod = &mut world.facts.pods[1];
    (pod.restarts, pod.started, pod.ready, pod.ready_since) = (1, Some(at(60)), true, Some(at(55)));
    let d = judged(&world.ends(80));
    assert_eq!(steps(&d, "new"), [(Step::Schedule, 0.0, 1.0, false)], "nothing is known of its load");
}

#[test]
fn a_pod_that_was_ready_before_its_model_answered_is_told_with_its_probe() {
    let mut world = joined(41);
    let engine = warroom::domain::Container {
        readiness: Some(HealthProbe {
            asks: "TCP 8000".into(),
            path: None,
            initial_delay_s: 0,
            period_s: 10,
            failures: 3,
        }),
        ..warroom::domain::Container::default()
    };
    world.workload().template.containers = vec![engine];
    let d = judged(&world.ends(80));
    let found = d.findings.iter().find(|f| f.code.code() == "not_ready_but_ready").expect("a finding");
    assert_eq!(
        found.summary,
        "new was Ready at least 50s before its engine answered: its readiness probe asks TCP 8000"
    );
    assert_eq!((found.confidence, found.severity), (Confidence::High, Severity::Warning));
    assert_eq!(d.verdict, Verdict::Warning, "nobody is late: {}", d.sentence);
    assert_eq!(steps(&d, "new").last(), Some(&(Step::Ready, -55.0, 6.0, false)));
}

#[test]
fn a_rollout_on_its_way_counts_down_to_its_deadline() {
    let mut world = joined(55);
    let progress = |reason: &str, updated: i64| Condition {
        kind: "Progressing".into(),
        status: Some(true),
        reason: reason.into(),
        message: String::new(),
        since: Some(at(0)),
        updated: Some(at(updated)),
    };
    world.workload().progress_deadline_s = Some(600);
    world.workload().conditions = vec![progress("ReplicaSetUpdated", 70)];
    let row = |d: &Diagnosis| d.phases.iter().find(|p| p.phase.code() == "rollout").map(|p| p.note.clone());
    let mut done = joined(55);
    done.workload().progress_deadline_s = Some(600);
    done.workload().conditions = vec![progress("NewReplicaSetAvailable", 70)];
    let d = judged(&world.ends(80));
    assert_eq!(d.starts.deadline, Some(at(70).plus(600.0)));
    assert!(row(&d).is_some_and(|note| note.contains("deadline in 9m14s")), "{:?}", row(&d));
    let d = judged(&done.ends(80));
    assert_eq!(d.starts.deadline, None, "nothing is on its way");
}
