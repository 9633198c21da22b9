//! Since when it is broken: told the same at every sweep, and close to what the scenario did.

#![cfg(feature = "sim")]

#[path = "support/lab.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod lab;

use lab::{Lab, OPENS};
use warroom::diagnosis::{ChangeKind, Diagnosis};
use warroom::sim::scenario::Scenario;

/// How far the told onset may move between sweeps: two slices.
const STEADY_S: f64 = 10.0;
/// How far it may lie from the moment at which the first replica of the new revision serves: three slices.
const ERROR_S: f64 = 15.0;

/// Seconds after the screen opens at which it broke.
fn since(d: &Diagnosis) -> f64 {
    d.since.expect("it is broken since some moment").since(OPENS)
}

/// When the first replica that was started after the rollout became Ready: from then on its flags matter.
fn first_served(d: &Diagnosis) -> f64 {
    let rollout = d.changes.iter().find(|c| c.kind == ChangeKind::Rollout && c.summary.starts_with("rev 41 -> 42"));
    let rollout = rollout.expect("the rollout").at;
    let ready =
        d.changes.iter().filter(|c| c.kind == ChangeKind::Pod && c.at > rollout && c.summary.contains(" Ready"));
    ready.map(|c| c.at.since(OPENS)).min_by(f64::total_cmp).expect("one is Ready")
}

#[test]
fn the_founding_incident_begins_when_its_replicas_serve_and_no_sweep_moves_that() {
    let scenario = Scenario::named("bad-rollout").expect("a scenario");
    for seed in [1, 2, 3] {
        let mut lab = Lab::new(&scenario, seed);
        let first = lab.judge(0.0);
        let truth = first_served(&first);
        let mut told = vec![since(&first)];
        for sweep in 1..=60 {
            told.push(since(&lab.judge(f64::from(sweep) * 5.0)));
        }
        let (least, most) = told.iter().fold((f64::MAX, f64::MIN), |(a, b), s| (a.min(*s), b.max(*s)));
        assert!(most - least <= STEADY_S, "seed {seed}: it wanders from {least} to {most}");
        assert!((least - truth).abs() <= ERROR_S && (most - truth).abs() <= ERROR_S, "seed {seed}: {told:?}, {truth}");
    }
}

#[test]
fn the_onset_stays_where_it_was_when_the_history_has_grown_long() {
    let scenario = Scenario::named("bad-rollout").expect("a scenario");
    let mut lab = Lab::new(&scenario, 1);
    let truth = first_served(&lab.judge(0.0));
    // Readings are thinned by then, and slices are twice as long.
    for minutes in [20.0, 45.0, 70.0] {
        let d = lab.judge(minutes * 60.0);
        assert!((since(&d) - truth).abs() <= 2.0 * ERROR_S, "after {minutes} min: {} against {truth}", since(&d));
    }
}
