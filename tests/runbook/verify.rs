//! Is it over: what passes, what fails, and what nobody can tell.

use warroom::diagnosis::{Diagnosis, Metric, SeriesPoint, WindowBurn};
use warroom::domain::{
    Answered, Body, Door, Observation, Probed, RowStatus, Snapshot, SourceState, Told, ToldAlert, Verdict,
};
use warroom::runbook::{Check, Checked, Memory, Outcome, Run, RunEvent, Sight, recommend};

use crate::screen::{healthy, judged};
use crate::told::{NINE, ada, rb_6};

/// A service whose objective holds again: an hour was watched, and enough was asked of it.
fn over() -> Diagnosis {
    let mut d = judged(&healthy());
    for row in &mut d.slo {
        let count = if row.metric == Metric::Ttft { 900.0 } else { 90_000.0 };
        (row.count, row.bad, row.bad_at_most) = (Some(count), Some(0.0), Some(0.0));
        (row.status, row.nearest_bound) = (RowStatus::Ok, None);
        row.windows = vec![window(300.0, count, 0.0), window(3600.0, 9.0 * count, 0.2 * 9.0 * count)];
    }
    d.verdict = Verdict::Healthy;
    d
}

fn window(window_s: f64, count: f64, bad: f64) -> WindowBurn {
    WindowBurn {
        window_s,
        observed_s: window_s,
        count,
        bad,
        burn: (count > 0.0).then(|| bad / count / 0.01),
        told: false,
    }
}

fn ttft(d: &mut Diagnosis, count: f64, bad: f64) {
    let row = d.slo.iter_mut().find(|s| s.metric == Metric::Ttft).expect("a row");
    (row.count, row.bad, row.bad_at_most) = (Some(count), Some(bad), Some(bad));
    row.windows[0] = window(300.0, count, bad);
}

fn says(check: Check, d: &Diagnosis) -> Checked {
    check.ask(Sight::new(d))
}

#[test]
fn under_one_over_five_minutes_passes_with_enough_events() {
    let passes = says(Check::BurnShortUnderOne, &over());
    assert_eq!(passes.outcome, Outcome::Pass, "{}", passes.says);
    let mut d = over();
    ttft(&mut d, 900.0, 9.0);
    assert_eq!(says(Check::BurnShortUnderOne, &d).outcome, Outcome::Fail, "exactly one is not under one");
    ttft(&mut d, 900.0, 8.0);
    assert_eq!(says(Check::BurnShortUnderOne, &d).outcome, Outcome::Pass);
}

#[test]
fn few_events_cannot_tell_that_it_is_over_and_can_tell_that_it_is_not() {
    let mut d = over();
    ttft(&mut d, 298.0, 0.0);
    let few = says(Check::BurnShortUnderOne, &d);
    assert_eq!(few.outcome, Outcome::CannotTell);
    assert!(few.says.contains("299 are needed"), "{}", few.says);
    assert_eq!(says(Check::EnoughTraffic, &d).outcome, Outcome::Fail);
    ttft(&mut d, 299.0, 0.0);
    assert_eq!(says(Check::BurnShortUnderOne, &d).outcome, Outcome::Pass);
    assert_eq!(says(Check::EnoughTraffic, &d).outcome, Outcome::Pass);
    ttft(&mut d, 40.0, 30.0);
    for row in &mut d.slo {
        row.status = RowStatus::Breach;
    }
    assert_eq!(says(Check::BurnShortUnderOne, &d).outcome, Outcome::Fail, "thirty of forty are enough to see that");
}

#[test]
fn a_target_between_two_bounds_leaves_it_open() {
    let mut d = over();
    ttft(&mut d, 900.0, 1.0);
    let row = d.slo.iter_mut().find(|s| s.metric == Metric::Ttft).expect("a row");
    (row.bad_at_most, row.nearest_bound) = (Some(100.0), Some(2.5));
    let open = says(Check::BurnShortUnderOne, &d);
    assert_eq!(open.outcome, Outcome::CannotTell, "{}", open.says);
    assert!(open.says.contains("no bucket bound (2.50 s is)"), "{}", open.says);
}

#[test]
fn five_minutes_that_were_not_observed_are_not_judged() {
    let mut d = over();
    for row in &mut d.slo {
        row.windows[0].observed_s = 200.0;
    }
    assert_eq!(says(Check::BurnShortUnderOne, &d).outcome, Outcome::CannotTell);
    assert_eq!(says(Check::EnoughTraffic, &d).outcome, Outcome::CannotTell);
}

#[test]
fn a_ready_replica_that_fell_silent_leaves_it_open() {
    let mut d = over();
    d.replicas[0].age_s = Some(120.0);
    for check in [Check::BurnShortUnderOne, Check::BurnLongFalling, Check::GoodputBack] {
        let blind = says(check, &d);
        assert_eq!(blind.outcome, Outcome::CannotTell, "{}", blind.says);
        assert!(blind.says.contains("its pages stopped coming"), "{}", blind.says);
    }
    d.replicas[1].age_s = Some(120.0);
    assert!(says(Check::BurnShortUnderOne, &d).says.contains("the newest page is"), "all of them: it is stale");
    assert_eq!(says(Check::WaitingDrained, &d).outcome, Outcome::CannotTell);
}

/// A run that watched for `seconds` while the hour's burn went from the one to the other.
fn watched(from: f64, to: f64, seconds: f64) -> Memory {
    let book = rb_6();
    let (mut run, _) = Run::start(&book, NINE, &ada(), None);
    let mut d = over();
    let steps = 40;
    for i in 0..=steps {
        let part = f64::from(i) / f64::from(steps);
        d.at = over().at.plus(-seconds * (1.0 - part));
        for row in &mut d.slo {
            row.windows[1].burn = Some(from + (to - from) * part);
        }
        let seen = run.look(&book, Sight::new(&d));
        run.on(&book, RunEvent::Saw { seen: Box::new(seen) });
    }
    run.memory
}

fn falling(memory: &Memory, now: f64) -> Outcome {
    let mut d = over();
    for row in &mut d.slo {
        row.windows[1].burn = Some(now);
    }
    Check::BurnLongFalling.ask(Sight::new(&d).with_memory(memory)).outcome
}

#[test]
fn the_hours_burn_must_have_fallen_for_five_minutes_and_what_was_not_watched_is_not_known() {
    assert_eq!(falling(&watched(20.0, 14.0, 400.0), 13.9), Outcome::Pass);
    assert_eq!(falling(&watched(20.0, 17.0, 200.0), 16.9), Outcome::CannotTell, "three minutes are not five");
    assert_eq!(falling(&watched(14.0, 20.0, 400.0), 20.1), Outcome::Fail);
    assert_eq!(falling(&watched(14.0, 14.0, 400.0), 14.0), Outcome::Fail, "standing still is not falling");
    assert_eq!(falling(&Memory::new(), 0.4), Outcome::Pass, "under one there is nothing that must fall");
    let mut d = over();
    for row in &mut d.slo {
        row.windows.truncate(1);
    }
    assert_eq!(says(Check::BurnLongFalling, &d).outcome, Outcome::CannotTell, "an hour was not observed");
}

#[test]
fn goodput_is_compared_with_the_time_before_the_onset() {
    let mut d = over();
    let point = |i: u32, count: f64, late: f64| SeriesPoint {
        from: d.at.plus(-600.0 + 10.0 * f64::from(i)),
        to: d.at.plus(-590.0 + 10.0 * f64::from(i)),
        ttft_count: count,
        ttft_mean: Some(0.2),
        ttft_late: Some(late),
        itl_mean: Some(0.02),
        itl_late: Some(0.0),
        tokens_per_s: None,
        waiting: Some(0.0),
        running: Some(4.0),
        kv: Some(0.4),
    };
    let mut memory = Memory::new();
    memory.onset = Some(d.at.plus(-400.0));
    let tell = |series: Vec<SeriesPoint>, d: &mut Diagnosis| {
        d.series = series;
        let checked = Check::GoodputBack.ask(Sight::new(d).with_memory(&memory));
        (checked.outcome, checked.says)
    };
    let told = |last: (f64, f64)| -> Vec<SeriesPoint> {
        (0..60)
            .map(|i| {
                if i < 20 {
                    point(i, 50.0, 0.0)
                } else if i < 50 {
                    point(i, 50.0, 0.9)
                } else {
                    point(i, last.0, last.1)
                }
            })
            .collect()
    };
    let (back, bad, less) = (told((50.0, 0.0)), told((50.0, 0.8)), told((20.0, 0.0)));
    let unseen: Vec<SeriesPoint> = told((50.0, 0.0)).split_off(30);
    assert_eq!(tell(back, &mut d).0, Outcome::Pass);
    assert_eq!(tell(bad, &mut d).0, Outcome::Fail);
    let (outcome, words) = tell(less, &mut d);
    assert_eq!(outcome, Outcome::Pass, "{words}");
    assert!(words.contains("fewer come than before"), "{words}");
    assert_eq!(tell(unseen, &mut d).0, Outcome::CannotTell, "no before, no comparison");
}

#[test]
fn alert_and_probe_are_not_known_where_nobody_asked() {
    let d = over();
    for check in [Check::AlertClear, Check::AlertAgrees, Check::ProbeInTime, Check::ProbeAgrees] {
        assert_eq!(says(check, &d).outcome, Outcome::CannotTell);
    }
    let answer = Ok(Answered { ttft_s: 0.2, itl_s: None, tokens: 1 });
    let mut snapshot = Snapshot::default();
    let probed = Probed { door: Door::Replica("vllm-1".into()), answer };
    snapshot.observe(Observation { at: d.at, body: Body::Probed(probed) });
    let alert = |name: &str| ToldAlert { name: name.to_owned(), firing: true, severity: None };
    let told = Told { alerts: vec![alert("DiskFull"), alert("TTFTBurn")], ..Told::default() };
    snapshot.observe(Observation { at: d.at, body: Body::Told(Ok(Box::new(told))) });
    let ask = |check: Check| check.ask(Sight::new(&d).with_snapshot(&snapshot));
    assert_eq!(ask(Check::AlertClear).outcome, Outcome::CannotTell, "an alert looks back over its windows");
    assert!(ask(Check::AlertClear).says.contains("TTFTBurn still fires"), "a full disk is another matter");
    assert_eq!(ask(Check::AlertAgrees).outcome, Outcome::Pass);
    assert_eq!(ask(Check::ProbeInTime).outcome, Outcome::Pass);
    assert_eq!(ask(Check::ProbeAgrees).outcome, Outcome::Fail, "the probe is served in time");
}

#[test]
fn resolved_is_recommended_on_the_sli_with_traffic_and_what_cannot_be_told_does_not_block() {
    let book = rb_6();
    let to = |d: &Diagnosis| recommend(&book, "verify", Sight::new(d)).map(|a| a.to);
    let d = over();
    assert_eq!(to(&d).as_deref(), Some("resolved"), "no hour watched, no alert, no probe: none of them blocks");
    let mut few = over();
    ttft(&mut few, 100.0, 0.0);
    assert_eq!(to(&few), None, "not enough traffic is no success");
    let mut waiting = over();
    waiting.replicas[0].waiting = Some(40.0);
    assert_eq!(to(&waiting), None, "the queue has not drained");
    let mut dead = over();
    for source in &mut dead.sources {
        source.state = SourceState::Stale;
    }
    for replica in &mut dead.replicas {
        replica.age_s = Some(300.0);
    }
    assert_eq!(to(&dead), None, "nothing turns green because data stopped");
}
