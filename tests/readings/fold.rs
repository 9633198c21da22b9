//! What is seen again is what was seen.

use proptest::prelude::*;
use warroom::contract::record::{Entry, Target};
use warroom::diagnosis::diagnose;
use warroom::domain::{
    At, Body, Dist, EnginePage, Gauge, Histogram, Observation, Page, ReplicaPage, Snapshot, Total, Values,
};
use warroom::journal::readings::{MOST_BYTES, keep, read};
use warroom::journal::replay::{Item, Replay};
use warroom::journal::{Journal, Opening};
use warroom::runbook::Who;

use crate::incident::{capture, policy};
use crate::told::{everything, incident, json, record, recorded};

#[track_caller]
fn comes_back(observations: &[Observation]) {
    let home = tempfile::tempdir().expect("a folder");
    let record = record(home.path());
    keep(&record, MOST_BYTES, observations.iter().cloned()).expect("it is written");
    let mut past = read(&record);
    let back: Vec<Observation> = past.by_ref().collect();
    assert_eq!(past.problems(), [""; 0]);
    assert_eq!(back.len(), observations.len());
    for (a, b) in observations.iter().zip(&back) {
        assert_eq!(json(a), json(b));
    }
}

#[test]
fn everything_that_can_be_observed_comes_back_as_it_was() {
    comes_back(&everything());
}

#[test]
fn a_recorded_past_comes_back_whole_however_long_it_is() {
    assert!(capture("g_restart").exists());
    for name in ["g_restart", "sgl_c_queue_saturation", "h_stall_all", "llama_b_light"] {
        comes_back(&recorded(name));
    }
}

#[test]
fn an_incident_that_is_seen_again_is_diagnosed_the_same_at_every_moment() {
    let (observations, snapshot, policy) = incident();
    let home = tempfile::tempdir().expect("a folder");
    let record = record(home.path());
    keep(&record, MOST_BYTES, observations.iter().cloned()).expect("it is written");
    let fresh = || Snapshot { interval_s: snapshot.interval_s, target: snapshot.target.clone(), ..Snapshot::default() };
    let (mut live, mut again) = (fresh(), fresh());
    let mut judged = 0;
    let mut past = read(&record);
    for (number, observation) in observations.iter().enumerate() {
        let now = observation.at;
        live.observe(observation.clone());
        again.observe(past.next().expect("as many as were observed"));
        if number % 2_000 == 0 || number + 1 == observations.len() {
            (live.now, again.now) = (now, now);
            let (a, b) = (diagnose(&live, policy), diagnose(&again, policy));
            assert_eq!(format!("{a:?}"), format!("{b:?}"), "at observation {number}");
            judged += 1;
        }
    }
    assert!(judged > 3 && past.next().is_none());
    let said = diagnose(&again, policy);
    assert!(said.suspect.is_some(), "it is an incident: {}", said.sentence);
}

#[test]
fn a_record_and_its_readings_are_replayed_together_to_the_same_end() {
    let (observations, live, policy) = incident();
    let home = tempfile::tempdir().expect("a folder");
    let opens = observations[0].at.plus(60.0);
    let who = Who { user: "ada".to_owned(), host: "bastion".to_owned() };
    let target = Target::from(live.target.as_ref().expect("a target"));
    let opening = Opening { target, read_only: false, simulated: true };
    let mut journal = Journal::create(home.path(), &opening, opens, &who).expect("a record");
    let changed = Entry::Changed { when: opens, change: "pod".to_owned(), summary: "x".to_owned() };
    journal.append(opens.plus(600.0), changed).expect("it is written");
    keep(journal.path(), MOST_BYTES, observations.iter().cloned()).expect("it is written");

    let contents = warroom::journal::read(journal.path()).expect("a record");
    let mut replay = Replay::new(contents, read(journal.path()), None);
    assert_eq!(replay.begins(), opens);
    let mut again = Snapshot { interval_s: live.interval_s, target: live.target.clone(), ..Snapshot::default() };
    let mut lines = Vec::new();
    while !replay.is_over() {
        while let Some((at, item)) = replay.due() {
            match item {
                Item::Observation(observation) => again.observe(*observation),
                Item::Line(_) => lines.push(at),
            }
        }
        assert_eq!(replay.advance(7.0), None, "nobody was silent");
    }
    assert_eq!(lines, [opens, opens.plus(600.0)]);
    again.now = live.now;
    assert_eq!(format!("{:?}", diagnose(&again, policy)), format!("{:?}", diagnose(live, policy)));
}

#[test]
fn a_recording_that_is_seen_again_is_diagnosed_the_same() {
    let observations = recorded("c_queue_saturation");
    let home = tempfile::tempdir().expect("a folder");
    let record = record(home.path());
    keep(&record, MOST_BYTES, observations.iter().cloned()).expect("it is written");
    let judged = |all: Vec<Observation>| {
        let mut snapshot = Snapshot { interval_s: 5.0, ..Snapshot::default() };
        for observation in all {
            snapshot.observe(observation);
        }
        snapshot.now = snapshot.endpoints[0].last_page().expect("a page");
        format!("{:?}", diagnose(&snapshot, &policy(0.5, 0.1)))
    };
    assert_eq!(judged(read(&record).collect()), judged(observations));
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![any::<f64>(), Just(f64::INFINITY), Just(f64::NAN), (0_u32..9_000_000).prop_map(f64::from)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_page_comes_back_as_it_was(
        gauges in proptest::collection::vec(number(), Gauge::COUNT),
        totals in proptest::collection::vec(number(), Total::COUNT),
        counts in proptest::collection::vec(number(), 0..40),
        sums in proptest::array::uniform2(number()),
        at in -1_000_000_i64..4_000_000_000_000,
    ) {
        let mut values = Values::default();
        Gauge::ALL.iter().zip(gauges).for_each(|(q, n)| values.set_gauge(*q, n));
        Total::ALL.iter().zip(totals).for_each(|(q, n)| values.set_total(*q, n));
        let bounds: Vec<f64> = (0_u32..).take(counts.len()).map(|i| f64::from(i) / 7.0).collect();
        let dist = Histogram { bounds: bounds.into(), counts: counts.into(), sum: sums[0], count: sums[1] };
        values.set_dist(Dist::Itl, Some(dist));
        let replica = ReplicaPage { values, ..ReplicaPage::default() };
        let page = Ok(Page::Engine(EnginePage { replicas: vec![replica], ..EnginePage::default() }));
        let observation = Observation { at: At(at), body: Body::Page { endpoint: "a".into(), page } };
        let back: Observation = serde_json::from_str(&json(&observation)).expect("it is read");
        prop_assert_eq!(json(&back), json(&observation));
        let Body::Page { page: Ok(Page::Engine(page)), .. } = &back.body else { panic!("a page") };
        let Body::Page { page: Ok(Page::Engine(before)), .. } = &observation.body else { panic!("a page") };
        for q in Gauge::ALL {
            prop_assert_eq!(page.replicas[0].values.gauge(*q), before.replicas[0].values.gauge(*q));
        }
        for q in Total::ALL {
            prop_assert_eq!(page.replicas[0].values.total(*q), before.replicas[0].values.total(*q));
        }
    }
}
