//! What must hold of any history, however it came about.

use proptest::prelude::*;
use warroom::diagnosis::{BurnPreset, Diagnosis, Policy, Target, Targets, diagnose};
use warroom::domain::{
    At, Dist, Endpoint, EnginePage, Failure, Finish, Gauge, Histogram, ReplicaPage, Severity, Snapshot, System, Total,
    Values, Verdict,
};

/// What one engine did between two readings.
#[derive(Debug, Clone)]
struct Step {
    gap_ms: i64,
    first_tokens: [u16; 3],
    queue_s: f64,
    finished: u16,
    tokens: u16,
    running: f64,
    waiting: f64,
    kv: f64,
    preempted: u8,
    fate: u8,
}

fn step() -> impl Strategy<Value = Step> {
    let counts = (prop::array::uniform3(0_u16..40), 0_u16..60, 0_u16..3000, 0_u8..4);
    let levels = (0.0..20.0_f64, 0.0..50.0_f64, 0.0..1.0_f64, 0.0..9.0_f64);
    (1_500_i64..20_000, counts, levels, 0_u8..40).prop_map(|(gap_ms, counts, levels, fate)| {
        let (first_tokens, finished, tokens, preempted) = counts;
        let (running, waiting, kv, queue_s) = levels;
        let (running, waiting) = (running.round(), if waiting < 25.0 { 0.0 } else { waiting.round() });
        Step { gap_ms, first_tokens, queue_s, finished, tokens, running, waiting, kv, preempted, fate }
    })
}

/// Running totals of one process.
#[derive(Debug, Clone, Default)]
struct Process {
    start: f64,
    late: [f64; 3],
    ttft_s: f64,
    finished: f64,
    queue_s: f64,
    tokens: f64,
    preempted: f64,
}

impl Process {
    fn does(&mut self, step: &Step) {
        for (bucket, n) in step.first_tokens.iter().enumerate() {
            self.late[bucket] += f64::from(*n);
            self.ttft_s += f64::from(*n) * [0.2, 0.8, 7.0][bucket];
        }
        self.finished += f64::from(step.finished);
        self.queue_s += f64::from(step.finished) * step.queue_s;
        self.tokens += f64::from(step.tokens);
        self.preempted += f64::from(step.preempted);
    }

    fn page(&self, step: &Step) -> EnginePage {
        let histogram = |counts: [f64; 3], sum: f64| {
            let cumulative = [counts[0], counts[0] + counts[1], counts[0] + counts[1] + counts[2]];
            Some(Histogram {
                bounds: vec![0.5, 1.0, f64::INFINITY].into(),
                counts: cumulative.into(),
                sum,
                count: cumulative[2],
            })
        };
        let mut values = Values::default();
        values.set_gauge(Gauge::ProcessStart, self.start);
        values.set_gauge(Gauge::Running, step.running);
        values.set_gauge(Gauge::Waiting, step.waiting);
        values.set_gauge(Gauge::KvUsage, step.kv);
        values.set_total(Total::Finished, self.finished);
        values.set_total(Total::GenerationTokens, self.tokens);
        values.set_total(Total::Preemptions, self.preempted);
        values.set_dist(Dist::Ttft, histogram(self.late, self.ttft_s));
        values.set_dist(Dist::Itl, histogram([self.tokens, 0.0, 0.0], self.tokens * 0.01));
        values.set_dist(Dist::Queue, Some(Histogram::plain(self.queue_s, self.finished)));
        values.set_dist(Dist::Prefill, Some(Histogram::plain(self.finished * 0.1, self.finished)));
        values.set_dist(Dist::E2e, Some(Histogram::plain(self.finished * 2.0, self.finished)));
        let system = System { engine: "vllm".to_owned(), phases: Finish::AtFinish, ..System::default() };
        let replica = ReplicaPage { values, ..ReplicaPage::default() };
        EnginePage { system: system.into(), replicas: vec![replica], ..EnginePage::default() }
    }
}

/// Plays the steps to one endpoint: most are pages, some are failures, some are restarts.
fn endpoint(name: &str, steps: &[Step]) -> (Endpoint, At, [f64; 3]) {
    let mut endpoint = Endpoint::new(name, "");
    let mut process = Process { start: 1_000.0, ..Process::default() };
    let mut now = At(10_000_000);
    let mut done = [0.0; 3];
    let mut read = false;
    for step in steps {
        now = At(now.0 + step.gap_ms);
        match step.fate {
            0 => endpoint.failed(now, Failure::Refused),
            1 => endpoint.failed(now, Failure::TimedOut { connected: true, after_ms: 3000 }),
            2 => {
                process = Process { start: now.since(At(0)), ..Process::default() };
                process.does(step);
                endpoint.page(now, process.page(step));
                // A first page is what there is to count from; a restart that was seen counts from zero.
                if read {
                    for (sum, n) in done.iter_mut().zip(step.first_tokens) {
                        *sum += f64::from(n);
                    }
                }
                read = true;
            }
            _ => {
                process.does(step);
                endpoint.page(now, process.page(step));
                if read {
                    for (sum, n) in done.iter_mut().zip(step.first_tokens) {
                        *sum += f64::from(n);
                    }
                }
                read = true;
            }
        }
    }
    (endpoint, now, done)
}

fn judged(endpoints: Vec<Endpoint>, now: At) -> Diagnosis {
    let target = |seconds| Target { seconds, objective: 0.99 };
    let default = Targets { ttft: target(1.0), tpot: target(0.1), burn: BurnPreset::default() };
    let policy = Policy { window_s: 1e9, default, by_model: Vec::new() };
    diagnose(&Snapshot { now, interval_s: 5.0, endpoints, ..Snapshot::default() }, &policy)
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
}
