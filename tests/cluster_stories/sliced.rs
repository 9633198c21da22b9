//! Objectives by whose requests they are, where a gateway's labels tell them apart.

use warroom::diagnosis::{Diagnosis, Events, Metric, Policy, SloRow, Target, diagnose};
use warroom::domain::{Dist, RowStatus, Slice, Verdict};
use warroom::report::{self, Look};
use warroom::ui::theme::Theme;

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

/// Two engines that are slow between tokens in the last third, or never.
fn decoding(slow: bool) -> World {
    let mut world = World::new();
    let last = if slow { Tick { gap_s: 0.15, ..CALM } } else { CALM };
    for name in ["a", "b"] {
        world.plays(name, "node-1", 41, 0, &ticks(&[(120, CALM), (60, last)]));
    }
    world
}

/// The same behind a gateway that tells so many requests (or tokens) of each kind apart, of which those are slow between
/// tokens in the last third that are said to be.
fn between_tokens(mut world: World, dist: Dist, kinds: &[(Slice, f64, bool)]) -> World {
    let all = |late: bool| -> Vec<(Slice, f64, f64)> {
        kinds.iter().map(|(slice, n, is)| (slice.clone(), *n, if late && *is { 0.19 } else { 0.02 })).collect()
    };
    world.sliced_tokens(0, 120, dist, &all(false));
    world.sliced_tokens(120, 180, dist, &all(true));
    world.ends(180)
}

/// The diagnosis as a terminal of 120 columns has it, in one line without colours.
fn in_words(d: &Diagnosis) -> String {
    let text = report::text(d, None, Look { theme: &Theme::default(), width: 120, ascii: true });
    let plain = anstream::adapter::strip_str(&text).to_string();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn row<'a>(d: &'a Diagnosis, slice: &Slice) -> &'a SloRow {
    d.sliced.iter().find(|row| row.slice.as_ref() == Some(slice)).expect("a row")
}

#[test]
fn a_route_whose_tokens_are_slow_breaks_its_objective_by_request_where_the_gateway_measures_once_per_request() {
    let kinds = [(route("chat"), 16.0, false), (route("batch"), 4.0, true)];
    let d = judged(&between_tokens(decoding(true), Dist::GatewayTpot, &kinds), &policy(1.0, 0.1));
    let expected =
        [("model m, route batch".to_owned(), RowStatus::Breach), ("model m, route chat".to_owned(), RowStatus::Ok)];
    assert_eq!(statuses(&d), expected);
    let batch = row(&d, &route("batch"));
    assert_eq!((batch.metric, batch.events), (Metric::Tpot, Events::Requests));
    assert_eq!((batch.count, batch.bad), (Some(240.0), Some(240.0)), "four requests a page, and no tokens");
    assert_eq!(batch.series.as_deref(), Some("ai_gateway_tpot"));
    let note = batch.note.as_deref().expect("a note");
    assert!(note.starts_with("judged by request, each with the mean over its tokens (ai_gateway_tpot)"), "{note}");
    let text = in_words(&d);
    assert!(text.contains("late 240 of 240 requests (100.0%), model m, route batch"), "{text}");
    let sentence =
        "100% of the requests late between tokens at the gateway are of model m, route batch, with 20% of the requests";
    assert!(d.sentence.contains(sentence), "{}", d.sentence);
    assert_eq!(d.suspect.as_ref().expect("a suspect").subject.slice, Some(route("batch")));
}

#[test]
fn a_gateway_that_counts_tokens_is_judged_by_token_as_engines_are() {
    let kinds = [(route("chat"), 1600.0, false), (route("batch"), 400.0, true)];
    let d = judged(&between_tokens(decoding(true), Dist::GatewayItl, &kinds), &policy(1.0, 0.1));
    let batch = row(&d, &route("batch"));
    assert_eq!((batch.status, batch.events, batch.count), (RowStatus::Breach, Events::Tokens, Some(24_000.0)));
    assert_eq!(batch.note, None);
    assert!(in_words(&d).contains("late 24000 of 24000 tokens (100.0%), model m, route batch"));
    assert!(
        d.sentence.contains("100% of the late tokens at the gateway are of model m, route batch"),
        "{}",
        d.sentence
    );
}

#[test]
fn routes_whose_tokens_come_in_time_are_rows_that_say_so() {
    let kinds = [(route("chat"), 16.0, false), (route("batch"), 4.0, false)];
    let d = judged(&between_tokens(decoding(false), Dist::GatewayTpot, &kinds), &policy(1.0, 0.1));
    assert_eq!(d.verdict, Verdict::Healthy, "{}", d.sentence);
    assert!(d.sliced.iter().all(|row| row.status == RowStatus::Ok && row.bad == Some(0.0)), "{:?}", d.sliced);
    assert_eq!(d.sliced.len(), 2);
}

#[test]
fn each_route_is_held_to_the_time_per_token_that_is_promised_to_it() {
    let kinds = [(route("chat"), 10.0, true), (route("batch"), 10.0, true)];
    let mut policy = policy(1.0, 0.1);
    let patient = Target { seconds: 1.0, objective: 0.9 };
    policy.by_model.push(("m/batch".to_owned(), warroom::diagnosis::Targets { tpot: patient, ..policy.default }));
    let d = judged(&between_tokens(decoding(true), Dist::GatewayTpot, &kinds), &policy);
    assert_eq!(row(&d, &route("chat")).status, RowStatus::Breach);
    assert_eq!((row(&d, &route("batch")).status, row(&d, &route("batch")).target), (RowStatus::Ok, patient));
    // The only route there is says no more than the whole, but where its own promise is about this latency.
    let alone = |promised: Policy| {
        judged(&between_tokens(decoding(true), Dist::GatewayTpot, &kinds[1..]), &promised).sliced.len()
    };
    assert_eq!(alone(policy.clone()), 1);
    policy.by_model[0].1 = warroom::diagnosis::Targets { ttft: patient, ..policy.default };
    assert_eq!(alone(policy), 0);
}

#[test]
fn what_engines_count_is_not_counted_again_at_the_gateway() {
    let kinds = [(tenant("acme"), 10.0, true), (tenant("umbrella"), 10.0, true)];
    for slow in [false, true] {
        let alone = judged(&decoding(slow).ends(180), &policy(1.0, 0.1));
        for (dist, times) in [(Dist::GatewayTpot, 1.0), (Dist::GatewayItl, 100.0)] {
            let kinds = kinds.clone().map(|(slice, n, late)| (slice, n * times, late));
            let both = judged(&between_tokens(decoding(slow), dist, &kinds), &policy(1.0, 0.1));
            assert_eq!(both.slo, alone.slo);
            assert_eq!((both.verdict, &both.sentence), (alone.verdict, &alone.sentence));
            assert!(row(&both, &Slice { model: None, ..tenant("acme") }).status == RowStatus::Breach);
        }
    }
}
