//! On disk: modes, bounds, turns, cuts and kills.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use warroom::domain::{Body, Observation, Snapshot};
use warroom::journal::readings::{MOST_BYTES, Readings, folder, interval_s, keep, read, tidy};

use crate::told::{everything, incident, json, record};

/// The segments, oldest first.
fn segments(record: &Path) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> =
        fs::read_dir(folder(record)).expect("a ring").map(|e| e.expect("a file").path()).collect();
    all.sort();
    all
}

fn size(record: &Path) -> u64 {
    segments(record).iter().map(|s| fs::metadata(s).expect("it is there").len()).sum()
}

fn note(readings: &mut Readings, observations: &[Observation]) {
    for observation in observations {
        readings.note(observation);
    }
}

#[cfg(unix)]
#[test]
fn a_ring_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = tempfile::tempdir().expect("a folder");
    let record = record(&home.path().join("state/warroom"));
    keep(&record, MOST_BYTES, everything()).expect("it is written");
    let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode(&folder(&record)), 0o700);
    assert_eq!(segments(&record).iter().map(|s| mode(s)).collect::<Vec<_>>(), [0o600]);
    assert!(folder(&record).ends_with("20260608T070000Z-prod_llm_vllm.readings"));
}

#[test]
fn a_ring_stays_below_its_bound_and_still_makes_sense_when_its_beginning_is_gone() {
    let (observations, live, _) = incident();
    let home = tempfile::tempdir().expect("a folder");
    for most in [200_000, 400_000] {
        let record = record(&home.path().join(most.to_string()));
        let whole = keep(&record, u64::MAX, observations.iter().cloned());
        assert!(whole.is_ok() && size(&record) > 2 * most, "there is more than fits: {}", size(&record));
        fs::remove_dir_all(folder(&record)).expect("it goes");
        let mut largest = 0;
        let looked_at = observations.iter().enumerate().map(|(number, observation)| {
            if number % 100 == 99 {
                largest = largest.max(size(&record));
            }
            observation.clone()
        });
        keep(&record, most, looked_at).expect("it is written");
        assert!(largest <= most && largest > most / 2, "{largest} of {most}");

        let mut past = read(&record);
        assert!(past.is_there() && past.beginning_is_gone());
        let mut snapshot = Snapshot::default();
        let kept: Vec<Observation> = past.by_ref().collect();
        assert_eq!(past.problems().len(), 1, "{:?}", past.problems());
        for observation in kept {
            snapshot.observe(observation);
        }
        assert_eq!(snapshot.cluster.as_ref().map(json_of), live.cluster.as_ref().map(json_of));
        assert_eq!(snapshot.watches, live.watches);
        let places = |s: &Snapshot| -> BTreeMap<String, String> {
            s.endpoints.iter().filter(|e| !e.gone).map(|e| (e.name.clone(), json(&e.placements.last()))).collect()
        };
        let (mut kept, live) = (places(&snapshot), places(live));
        kept.retain(|name, _| live.contains_key(name));
        assert_eq!(kept, live, "each endpoint is where it was, since it was there");
    }
}

fn json_of(cluster: &(warroom::domain::At, std::sync::Arc<warroom::domain::ClusterFacts>)) -> String {
    json(&(cluster.0, &*cluster.1))
}

#[test]
fn facts_that_are_said_again_are_delivered_only_where_they_are_missing() {
    let (observations, ..) = incident();
    let home = tempfile::tempdir().expect("a folder");
    let record = record(home.path());
    keep(&record, 2_000_000, observations.iter().cloned()).expect("it is written");
    let files = segments(&record);
    assert!(files.len() >= 3, "{} segments", files.len());
    assert_eq!(read(&record).count(), observations.len(), "each once");
    let without_the_second = |record: &Path| {
        fs::remove_file(&segments(record)[1]).expect("it goes");
        read(record).map(|o| json(&o)).collect::<Vec<_>>()
    };
    let kept = without_the_second(&record);
    let all: Vec<String> = observations.iter().map(json).collect();
    let again = kept.windows(2).filter(|w| w[0].len() > 30 && w[1] == w[0]).count();
    assert_eq!(again, 0);
    let old = kept.iter().filter(|o| all.contains(o)).count();
    assert!(kept.len() > all.len() / 2 && old > 0);
    assert!(kept.iter().any(|o| o.contains("\"cluster\"")));
}

#[test]
fn a_member_that_was_cut_is_read_up_to_there() {
    let home = tempfile::tempdir().expect("a folder");
    let record = record(home.path());
    let all = everything();
    keep(&record, MOST_BYTES, all.iter().cloned()).expect("it is written");
    let file = segments(&record).remove(0);
    let bytes = fs::read(&file).expect("bytes");
    let mut most = 0;
    for length in (0..bytes.len()).rev().step_by(37) {
        fs::write(&file, &bytes[..length]).expect("a file");
        let mut past = read(&record);
        let kept: Vec<String> = past.by_ref().map(|o| json(&o)).collect();
        let recorded = usize::from(past.problems().iter().any(|p| p.contains("the rest of an endpoint's past")));
        for (a, b) in kept.iter().zip(&all).skip(recorded) {
            assert_eq!(*a, json(b), "in order, and as they were");
        }
        most = most.max(kept.len());
        assert!(kept.len() <= all.len());
    }
    assert!(most + 3 >= all.len(), "only the end is missing: {most} of {}", all.len());
}

#[test]
fn a_flipped_bit_costs_a_member_and_what_stands_behind_it_is_read_on() {
    let (observations, ..) = incident();
    let few = &observations[..600];
    let home = tempfile::tempdir().expect("a folder");
    let record = record(home.path());
    keep(&record, MOST_BYTES, few.iter().cloned()).expect("it is written");
    let all: Vec<String> = few.iter().map(json).collect();
    let file = segments(&record).remove(0);
    let bytes = fs::read(&file).expect("bytes");
    for at in (0..bytes.len()).step_by(bytes.len() / 60) {
        let mut bytes = bytes.clone();
        bytes[at] ^= 0x10;
        fs::write(&file, &bytes).expect("a file");
        let mut past = read(&record);
        let kept: Vec<String> = past.by_ref().map(|o| json(&o)).collect();
        let known = kept.iter().filter(|o| all.contains(o)).count();
        assert_eq!(known, kept.len(), "nothing is made up: byte {at}");
        assert!(kept.len() > all.len() / 2, "the others stay: byte {at}, {} of {}", kept.len(), all.len());
    }
}

#[test]
fn a_ring_that_is_gone_on_with_keeps_what_was_there() {
    let home = tempfile::tempdir().expect("a folder");
    let record = record(home.path());
    let all = everything();
    for _ in 0..3 {
        let mut readings = Readings::open(&record, MOST_BYTES);
        note(&mut readings, &all);
        assert_eq!((readings.dropped(), readings.trouble()), (0, None));
    }
    assert_eq!(segments(&record).len(), 3);
    let back: Vec<String> = read(&record).map(|o| json(&o)).collect();
    let once: Vec<String> = all.iter().map(json).collect();
    assert_eq!(back, [once.clone(), once.clone(), once].concat());
}

#[test]
fn what_is_gathered_is_on_disk_before_the_war_room_ends() {
    let (observations, ..) = incident();
    let home = tempfile::tempdir().expect("a folder");
    let record = record(home.path());
    let mut readings = Readings::open(&record, MOST_BYTES);
    let few = &observations[..400];
    note(&mut readings, few);
    // Nobody closes it, as after a kill: at most the last ten seconds of it are missing.
    let due = few.iter().filter(|o| few[few.len() - 1].at.since(o.at) > 10.0).count();
    assert!(due > 100);
    while read(&record).count() < due {
        std::thread::yield_now();
    }
    drop(readings);
    assert_eq!(read(&record).count(), few.len());
}

#[test]
fn a_disk_that_cannot_be_written_stops_nothing_and_the_gap_is_told() {
    let home = tempfile::tempdir().expect("a folder");
    let record = record(home.path());
    fs::write(folder(&record), "a file where the folder should be").expect("a file");
    let all = everything();
    let told = keep(&record, MOST_BYTES, all.iter().cloned()).expect_err("it cannot be written");
    assert!(told.starts_with("readings cannot be written ("), "{told}");
    assert!(read(&record).next().is_none());
    let mut readings = Readings::open(&record, MOST_BYTES);
    note(&mut readings, &all);
    while readings.trouble().is_none() {
        std::thread::yield_now();
    }
    fs::remove_file(folder(&record)).expect("it goes");
    let later: Vec<Observation> =
        all.iter().map(|o| Observation { at: o.at.plus(60.0), body: o.body.clone() }).collect();
    note(&mut readings, &later);
    drop(readings);
    let mut past = read(&record);
    let back: Vec<Observation> = past.by_ref().collect();
    assert!(past.lost() > 0, "{:?}", past.problems());
    assert_eq!(past.bad(), 0, "{:?}", past.problems());
    assert_eq!(json(&back[back.len() - 1]), json(&later[later.len() - 1]));
}

#[test]
fn a_ring_that_is_too_small_for_anything_says_so() {
    let home = tempfile::tempdir().expect("a folder");
    let record = record(home.path());
    assert!(keep(&record, 100, everything()).is_err());
    assert_eq!(size(&record), 0);
}

#[test]
fn the_oldest_readings_go_and_no_record_and_nothing_else() {
    let home = tempfile::tempdir().expect("a folder");
    let named = |day: u32| home.path().join(format!("202606{day:02}T070000Z-prod_llm_vllm.jsonl"));
    for day in 1..=4 {
        fs::write(named(day), "a record").expect("a record");
        keep(&named(day), MOST_BYTES, everything()).expect("it is written");
    }
    fs::write(folder(&named(2)).join("notes.txt"), "by hand").expect("a note");
    let each = size(&named(1));
    assert_eq!(tidy(home.path(), 10 * each, &named(4)), 0);
    assert_eq!(tidy(home.path(), 2 * each, &named(1)), 2);
    let there = |day: u32| (named(day).exists(), folder(&named(day)).exists(), read(&named(day)).is_there());
    assert_eq!(
        (there(1), there(4)),
        ((true, true, true), (true, true, true)),
        "the one that is open stays, old as it is"
    );
    assert_eq!(there(2), (true, true, false), "what somebody put there stays");
    assert_eq!(there(3), (true, false, false));
    assert_eq!(tidy(&home.path().join("nowhere"), 0, &named(1)), 0);
}

#[test]
fn how_far_apart_readings_were_is_known_from_them() {
    let (observations, ..) = incident();
    let home = tempfile::tempdir().expect("a folder");
    let record = record(home.path());
    assert_eq!(interval_s(&record), None);
    keep(&record, MOST_BYTES, observations.iter().take(900).cloned()).expect("it is written");
    assert_eq!(interval_s(&record), Some(5.0));
}

#[test]
fn a_record_without_readings_has_an_empty_past() {
    let home = tempfile::tempdir().expect("a folder");
    let mut past = read(&record(home.path()));
    assert!(past.next().is_none() && !past.is_there() && past.problems().is_empty());
}

#[test]
fn an_incident_of_three_replicas_is_kept_for_more_than_a_day() {
    let (observations, ..) = incident();
    let mut placed = BTreeMap::new();
    // A session says where an endpoint is when that changes, and not with every page.
    let news = |o: &&Observation| match &o.body {
        Body::Endpoint { name, placement, .. } => {
            placed.insert(name.clone(), placement.clone()) != Some(placement.clone())
        }
        _ => true,
    };
    let all: Vec<Observation> = observations.iter().filter(news).cloned().collect();
    let home = tempfile::tempdir().expect("a folder");
    let record = record(home.path());
    keep(&record, u64::MAX, all.iter().cloned()).expect("it is written");
    assert_eq!(read(&record).count(), all.len());
    let minutes = all[all.len() - 1].at.since(all[0].at) / 60.0;
    let per_minute = size(&record) as f64 / minutes;
    let days = MOST_BYTES as f64 / per_minute / 1440.0;
    assert!(
        days > 1.0,
        "{:.1} KB per minute, {:.0} bytes each",
        per_minute / 1e3,
        size(&record) as f64 / all.len() as f64
    );
}
