//! What must hold of any history, however it came about.

#[path = "properties/engines.rs"]
mod engines;

use engines::{FIRST, Process, Step, endpoint, of_pages, step, together};
use proptest::prelude::*;
use warroom::diagnosis::{BurnPreset, Diagnosis, PhaseRow, Policy, Target, Targets, diagnose};
use warroom::domain::{At, Dist, Endpoint, Histogram, Phase, Point, Severity, Snapshot, Verdict};

fn judged(endpoints: Vec<Endpoint>, now: At) -> Diagnosis {
    let target = |seconds| Target { seconds, objective: 0.99 };
    let default = Targets { ttft: target(1.0), tpot: target(0.1), burn: BurnPreset::default() };
    let policy = Policy { window_s: 1e9, default, by_model: Vec::new() };
    diagnose(&Snapshot { now, interval_s: 5.0, endpoints, ..Snapshot::default() }, &policy)
}

/// The longest that lies between two readings (s).
const MOST_GAP_S: f64 = 20.0;

/// Judges engines that were read together.
fn fleet(read: &[(At, Vec<(Process, Step)>)]) -> Diagnosis {
    let of = |i: usize| read.iter().map(move |(at, each)| (*at, each[i].0.page(&each[i].1)));
    let engines = read.first().map_or(0, |(_, each)| each.len());
    let endpoints = (0..engines).map(|i| of_pages(&format!("e{i}"), of(i))).collect();
    judged(endpoints, read.last().map_or(At(0), |r| r.0))
}

/// A text whose fractions have ten digits: a sum ends in another one where it was made in another order.
fn blurred(text: &str) -> String {
    let digits = |c: char| c.is_ascii_digit() || c == '.';
    let pieces = text.split_inclusive(|c: char| !digits(c)).map(|piece| {
        let number = piece.trim_end_matches(|c: char| !digits(c));
        match number.parse::<f64>() {
            Ok(n) if number.contains('.') => format!("{n:.10e}{}", &piece[number.len()..]),
            _ => piece.to_owned(),
        }
    });
    pieces.collect()
}

/// What two engines hold at one moment; caches of the same size are as full as both together.
fn both(a: &Step, b: &Step) -> Step {
    Step { running: a.running + b.running, waiting: a.waiting + b.waiting, kv: a.kv.max(b.kv), ..a.clone() }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever restarts and failures lie between, what is counted is what was done since the first page.
    #[test]
    fn counts_survive_restarts_and_failures(steps in prop::collection::vec(step(), 3..60)) {
        // A silence loses nothing, because the next page of the same process has it; only a process that dies takes with
        // it what it did since its last page, and here it dies right after one.
        let (endpoint, _, done) = endpoint("a", &steps);
        let track = endpoint.tracks.first();
        prop_assume!(track.is_some_and(|t| t.points().len() >= 2));
        let points = track.unwrap().points();
        let at = |p: &warroom::domain::Point| p.values.dist(Dist::Ttft).map(|h| h.count).unwrap_or_default();
        let counted = at(points.back().unwrap()) - at(points.front().unwrap());
        prop_assert_eq!(counted, done.iter().sum::<f64>());
    }

    #[test]
    fn a_diagnosis_contradicts_neither_itself_nor_its_repetition(
        a in prop::collection::vec(step(), 1..40),
        b in prop::collection::vec(step(), 1..40),
    ) {
        let (first, now, _) = endpoint("a", &a);
        let (second, later, _) = endpoint("b", &b);
        let now = now.max(later);
        let d = judged(vec![first.clone(), second.clone()], now);
        prop_assert_eq!(format!("{d:?}"), format!("{:?}", judged(vec![first, second], now)), "not the same twice");
        let troubled = matches!(d.verdict, Verdict::Breach | Verdict::Warning | Verdict::Stalled);
        prop_assert!(troubled || (d.suspect.is_none() && d.since.is_none() && d.trend.is_none() && d.levers.is_empty()));
        if matches!(d.verdict, Verdict::Healthy | Verdict::Idle) {
            prop_assert!(d.findings.iter().all(|f| f.severity != Severity::Critical), "{:?}", d.findings);
        }
        for row in &d.slo {
            if let (Some(bad), Some(most), Some(count)) = (row.bad, row.bad_at_most, row.count) {
                prop_assert!((0.0..=most).contains(&bad) && most <= count, "{row:?}");
            }
        }
        prop_assert_eq!(d.phases.len(), 7);
        for row in &d.phases {
            prop_assert!(row.share_of_added.is_none_or(|s| (0.0..=1.0).contains(&s)), "{row:?}");
        }
        if let (Some(since), Some(until)) = (d.since, d.until) {
            prop_assert!(since <= until && until <= now, "{since:?} to {until:?} at {now:?}");
        }
        prop_assert!(d.since.is_none_or(|s| s <= now));
        prop_assert!(!d.sentence.is_empty());
    }

    /// The bucket of a merged quantile lies within those of its parts; an average of quantiles would not care.
    #[test]
    fn a_merged_quantile_lies_between_its_parts(a in prop::array::uniform3(0_u16..500), b in prop::array::uniform3(0_u16..500), q in 0.01..0.99_f64) {
        let of = |counts: [u16; 3]| {
            let (x, y, z) = (f64::from(counts[0]), f64::from(counts[1]), f64::from(counts[2]));
            Histogram { bounds: vec![0.5, 1.0, f64::INFINITY].into(), counts: [x, x + y, x + y + z].into(), sum: 0.0, count: x + y + z }
        };
        let (left, right) = (of(a), of(b));
        let mut both = left.clone();
        both.add(right.view());
        if let (Some(l), Some(r), Some(m)) = (left.quantile(q), right.quantile(q), both.quantile(q)) {
            prop_assert!(m.lower >= l.lower.min(r.lower) && m.lower <= l.lower.max(r.lower), "{l:?} {r:?} {m:?}");
        }
    }

    /// Queue, prefill and what no histogram explains are the time to the first token, now and in what was added to it.
    #[test]
    fn what_the_phases_have_adds_up_to_the_time_to_the_first_token(
        steps in prop::collection::vec(prop::collection::vec(step(), 20..40), 1..4),
    ) {
        let d = fleet(&together(&steps));
        let row = |phase| d.phases.iter().find(|p| p.phase == phase).unwrap();
        let rows = [Phase::Queue, Phase::Prefill, Phase::Rest].map(row);
        let sum = |of: fn(&PhaseRow) -> Option<f64>| rows.iter().map(|r| of(r)).sum::<Option<f64>>();
        let near = |a: f64, b: f64| (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1.0);
        let (now, before) = d.ttft_mean;
        prop_assert!(sum(|r| r.mean).zip(now).is_none_or(|(s, t)| near(s, t)), "{:?} {:?}", sum(|r| r.mean), now);
        prop_assert!(sum(|r| r.baseline).zip(before).is_none_or(|(s, t)| near(s, t)), "{:?} {before:?}", sum(|r| r.baseline));
        let added = now.zip(before).map(|(n, b)| n - b);
        prop_assert!(sum(|r| r.delta).zip(added).is_none_or(|(s, t)| near(s, t)), "{:?} {added:?}", sum(|r| r.delta));
    }

    /// The same requests, so many times over on every replica: nobody's part of the time is another for it.
    #[test]
    fn so_many_times_the_traffic_on_all_replicas_changes_no_share(
        steps in prop::collection::vec(prop::collection::vec(step(), 20..40), 1..4),
        doublings in 1..4,
    ) {
        let once = together(&steps);
        let mut often = once.clone();
        for (process, _) in often.iter_mut().flat_map(|(_, each)| each) {
            for _ in 0..doublings {
                *process = process.with(&process.clone());
            }
        }
        let (a, b) = (fleet(&once), fleet(&often));
        // More events are surer, so that what was healthy before may be told from what was not at another moment.
        prop_assume!(a.since == b.since);
        let shares = |d: &Diagnosis| d.phases.iter().map(|r| (r.phase, r.mean, r.baseline, r.share_of_added)).collect::<Vec<_>>();
        prop_assert_eq!(shares(&a), shares(&b));
        prop_assert_eq!(a.ttft_mean, b.ttft_mean);
    }

    /// Two engines behind two ports, and one that did what both did.
    #[test]
    fn two_replicas_are_one_that_did_the_work_of_both(
        a in prop::collection::vec(step(), 20..40),
        b in prop::collection::vec(step(), 20..40),
    ) {
        let two = together(&[a, b]);
        let merged = two.iter().map(|(at, each)| (*at, vec![(each[0].0.with(&each[1].0), both(&each[0].1, &each[1].1))]));
        let (two, one) = (fleet(&two), fleet(&merged.collect::<Vec<_>>()));
        let objectives = |d: &Diagnosis| d.slo.iter().map(|r| (r.metric, r.bad, r.bad_at_most, r.count, r.p95, r.status)).collect::<Vec<_>>();
        let phases = |d: &Diagnosis| d.phases.iter().map(|r| (r.phase, r.mean, r.baseline, r.count, r.share_of_added)).collect::<Vec<_>>();
        prop_assert_eq!((two.verdict, two.since, two.until, two.ttft_mean), (one.verdict, one.since, one.until, one.ttft_mean));
        prop_assert_eq!(objectives(&two), objectives(&one));
        prop_assert_eq!(phases(&two), phases(&one));
    }

    /// Between two readings nothing is counted that was not done, whatever began anew there.
    #[test]
    fn a_restart_is_neither_less_than_nothing_nor_a_spike(steps in prop::collection::vec(step(), 2..60)) {
        let (endpoint, now, _) = endpoint("a", &steps);
        let done: Vec<(At, f64)> = steps.iter().scan(FIRST, |at, step| {
            *at = At(at.0 + step.gap_ms);
            Some((*at, step.first_tokens.iter().map(|n| f64::from(*n)).sum()))
        }).collect();
        let within = |from: At, to: At| done.iter().filter(|(at, _)| from < *at && *at <= to).map(|d| d.1).sum::<f64>();
        for track in &endpoint.tracks {
            let counted = |p: &Point| p.values.dist(Dist::Ttft).map_or(0.0, |h| h.count);
            for (one, next) in track.points().iter().zip(track.points().iter().skip(1)) {
                let more = counted(next) - counted(one);
                prop_assert!((0.0..=within(one.at, next.at)).contains(&more), "{more} from {:?} to {:?}", one.at, next.at);
            }
        }
        for slice in judged(vec![endpoint], now).series {
            // A slice may begin between two readings, and then has what was counted since the one before.
            let most = within(slice.from.plus(-MOST_GAP_S), slice.to);
            prop_assert!((0.0..=most).contains(&slice.ttft_count), "{slice:?}, {most} were given");
        }
    }

    #[test]
    fn the_order_in_which_sources_are_told_of_changes_nothing(
        steps in prop::collection::vec(prop::collection::vec(step(), 3..30), 2..5),
        turn in 0..5_usize,
    ) {
        let read: Vec<(Endpoint, At, [f64; 3])> = steps.iter().enumerate().map(|(i, s)| endpoint(&format!("e{i}"), s)).collect();
        let now = read.iter().map(|r| r.1).max().unwrap();
        let endpoints: Vec<Endpoint> = read.into_iter().map(|r| r.0).collect();
        let mut turned = endpoints.clone();
        let by = turn % turned.len();
        turned.rotate_left(by);
        if turn.is_multiple_of(2) {
            turned.reverse();
        }
        let told = |endpoints: Vec<Endpoint>| {
            let mut d = judged(endpoints, now);
            d.replicas.sort_by(|a, b| a.name.cmp(&b.name));
            d.sources.sort_by(|a, b| a.name.cmp(&b.name));
            // Of many reasons why nothing can be told the first few are told, in the order of the sources.
            if d.verdict == Verdict::CannotTell {
                d.sentence.clear();
            }
            blurred(&format!("{d:#?}"))
        };
        prop_assert_eq!(told(endpoints), told(turned));
    }
}
