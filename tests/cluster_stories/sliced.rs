//! Objectives by whose requests they are, where a gateway's labels tell them apart.

use warroom::diagnosis::{Diagnosis, Policy, Target, diagnose};
use warroom::domain::{RowStatus, Slice, Verdict};

use crate::incident::policy;
use crate::told::{CALM, QUEUE, Tick, World, ticks};

fn route(name: &str) -> Slice {
    Slice { model: Some("m".into()), route: Some(name.into()), ..Slice::default() }
}

fn tenant(name: &str) -> Slice {
    Slice { model: Some("m".into()), tenant: Some(name.into()), ..Slice::default() }
}

/// A queue for the last third, and behind a gateway so many requests of each kind, those late that are said to be.
fn told(kinds: &[(Slice, f64, bool)]) -> World {
    let mut world = World::new();
    for name in ["a", "b"] {
        world.plays(name, "node-1", 41, 0, &ticks(&[(120, CALM), (60, Tick { queue_s: 3.0, waiting: 20.0, ..QUEUE })]));
    }
    let all = |late: bool| -> Vec<(Slice, f64, f64)> {
        kinds.iter().map(|(slice, n, is)| (slice.clone(), *n, if late && *is { 3.0 } else { 0.05 })).collect()
    };
    world.sliced_gateway(0, 120, &all(false));
    world.sliced_gateway(120, 180, &all(true));
    world.ends(180)
}

fn judged(world: &World, policy: &Policy) -> Diagnosis {
    diagnose(&world.snapshot, policy)
}

fn statuses(d: &Diagnosis) -> Vec<(String, RowStatus)> {
    d.sliced.iter().map(|row| (row.slice.as_ref().expect("a slice").to_string(), row.status)).collect()
}

#[test]
fn each_route_is_held_to_what_is_promised_to_it() {
    let world = told(&[(route("chat"), 10.0, true), (route("batch"), 10.0, true)]);
    let mut policy = policy(1.0, 0.1);
    let patient = Target { seconds: 10.0, objective: 0.9 };
    let batch = warroom::diagnosis::Targets { ttft: patient, ..policy.default };
    policy.by_model.push(("m/batch".to_owned(), batch));
    let d = judged(&world, &policy);
    let expected =
        [("model m, route chat".to_owned(), RowStatus::Breach), ("model m, route batch".to_owned(), RowStatus::Ok)];
    assert_eq!(statuses(&d), expected);
    assert_eq!(d.sliced[1].target, patient);
    assert!(d.sliced[0].windows.iter().any(|w| w.burn.is_some_and(|b| b > 14.4)), "{:?}", d.sliced[0].windows);
}

#[test]
fn late_requests_that_are_nearly_all_one_tenants_are_said_to_be() {
    let d = judged(&told(&[(tenant("acme"), 4.0, true), (tenant("umbrella"), 16.0, false)]), &policy(1.0, 0.1));
    assert_eq!(d.verdict, Verdict::Breach, "{}", d.sentence);
    let subject = &d.suspect.as_ref().expect("a suspect").subject;
    assert_eq!(subject.slice.as_ref().and_then(|s| s.tenant.as_deref()), Some("acme"));
    assert!(d.sentence.contains("100% of the late first tokens at the gateway are of tenant acme"), "{}", d.sentence);
}

#[test]
fn a_tenant_with_its_share_of_the_late_requests_is_not_singled_out() {
    let d = judged(&told(&[(tenant("acme"), 10.0, true), (tenant("umbrella"), 10.0, true)]), &policy(1.0, 0.1));
    assert_eq!(d.suspect.as_ref().expect("a suspect").subject.slice, None, "{}", d.sentence);
    assert_eq!(d.sliced.len(), 2);
}

#[test]
fn one_kind_of_requests_is_everything_and_no_row_of_its_own() {
    let d = judged(&told(&[(route("chat"), 10.0, true)]), &policy(1.0, 0.1));
    assert_eq!(statuses(&d), []);
}
