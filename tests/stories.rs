//! Told incidents: what an engine did every five seconds is written down, and the diagnosis must not say more than that.

#[path = "support/incident.rs"]
#[expect(dead_code, reason = "stories have no captures")]
mod incident;

use incident::{codes, policy, suspect};
use warroom::diagnosis::{Diagnosis, diagnose};
use warroom::domain::{
    At, Dist, Endpoint, EnginePage, Finish, Gauge, Histogram, Phase, ReplicaPage, Snapshot, System, Total, Trend,
    Values, Verdict,
};

/// Seconds between two readings.
const TICK_S: i64 = 5;

/// What an engine does between two readings.
#[derive(Clone, Copy)]
struct Tick {
    /// Requests that got a first token, and how long they waited for it in the queue (s).
    requests: f64,
    queue_s: f64,
    /// Output tokens, and the gap between them (s).
    tokens: f64,
    gap_s: f64,
    running: f64,
    waiting: f64,
    files: f64,
}

/// Two requests a second, a batch of four.
const CALM: Tick =
    Tick { requests: 10.0, queue_s: 0.0, tokens: 1000.0, gap_s: 0.02, running: 4.0, waiting: 0.0, files: 40.0 };
const QUIET: Tick = Tick { requests: 0.0, tokens: 0.0, running: 0.0, ..CALM };
const QUEUE: Tick = Tick { requests: 20.0, queue_s: 6.0, tokens: 2000.0, running: 8.0, waiting: 60.0, ..CALM };

fn histogram(bounds: &[f64], events: &[(f64, f64)]) -> Histogram {
    let upto = |bound: f64| events.iter().filter(|(value, _)| *value <= bound).map(|(_, n)| n).sum::<f64>();
    Histogram {
        bounds: bounds.to_vec().into(),
        counts: bounds.iter().map(|b| upto(*b)).collect::<Vec<_>>().into(),
        sum: events.iter().map(|(value, n)| value * n).sum(),
        count: upto(f64::INFINITY),
    }
}

/// Plays `ticks` to an endpoint whose first reading stands `phase_ms` after the start.
fn engine(name: &str, phase_ms: i64, ticks: &[Tick]) -> Endpoint {
    const PREFILL_S: f64 = 0.04;
    let mut endpoint = Endpoint::new(name, "");
    let (mut first, mut gaps) = (Vec::new(), Vec::new());
    let (mut requests, mut tokens, mut queue_s) = (0.0, 0.0, 0.0);
    for (i, tick) in (0_i64..).zip(ticks) {
        requests += tick.requests;
        tokens += tick.tokens;
        queue_s += tick.requests * tick.queue_s;
        first.push((tick.queue_s + PREFILL_S, tick.requests));
        gaps.push((tick.gap_s, tick.tokens));
        let mut values = Values::default();
        values.set_gauge(Gauge::ProcessStart, 1_000.0);
        values.set_gauge(Gauge::Running, tick.running);
        values.set_gauge(Gauge::Waiting, tick.waiting);
        values.set_gauge(Gauge::KvUsage, 0.3);
        values.set_gauge(Gauge::OpenFiles, tick.files);
        values.set_total(Total::Finished, requests);
        values.set_total(Total::GenerationTokens, tokens);
        values.set_dist(Dist::Ttft, Some(histogram(&[0.1, 0.5, 1.0, 2.5, 10.0, f64::INFINITY], &first)));
        values.set_dist(Dist::Itl, Some(histogram(&[0.025, 0.05, 0.1, 0.2, 1.0, f64::INFINITY], &gaps)));
        values.set_dist(Dist::Queue, Some(Histogram::plain(queue_s, requests)));
        values.set_dist(Dist::Prefill, Some(Histogram::plain(requests * PREFILL_S, requests)));
        values.set_dist(Dist::E2e, Some(Histogram::plain(requests * 2.0 + queue_s, requests)));
        let system = System {
            engine: "vllm".to_owned(),
            phases: Finish::AtFinish,
            open_files_witness: true,
            ..System::default()
        };
        let replica = ReplicaPage { values, ..ReplicaPage::default() };
        let page = EnginePage { system: system.into(), replicas: vec![replica], ..EnginePage::default() };
        endpoint.page(At(10_000_000 + phase_ms + i * TICK_S * 1000), page);
    }
    endpoint
}

/// The diagnosis as of the last reading, by a TTFT of 1 s and a TPOT of 100 ms.
fn judged(endpoints: Vec<Endpoint>) -> Diagnosis {
    let now = endpoints.iter().filter_map(Endpoint::last_page).max().expect("a page");
    diagnose(&Snapshot { now, interval_s: 5.0, endpoints, ..Snapshot::default() }, &policy(1.0, 0.1))
}

fn told(parts: &[(usize, Tick)]) -> Vec<Tick> {
    parts.iter().flat_map(|(n, tick)| vec![*tick; *n]).collect()
}

#[test]
fn a_pool_of_connections_that_grows_in_the_quiet_is_no_stall() {
    let mut ticks = told(&[(12, CALM), (48, QUIET)]);
    for (i, tick) in (0_i32..).zip(&mut ticks[12..]) {
        tick.files += f64::from(i / 4);
    }
    let d = judged(vec![engine("pod", 0, &ticks)]);
    assert_eq!(d.verdict, Verdict::Healthy, "{}", d.sentence);
}

#[test]
fn connections_that_pile_up_as_fast_as_requests_came_are_a_stall() {
    let mut ticks = told(&[(12, CALM), (12, QUIET)]);
    for (i, tick) in (0_i32..).zip(&mut ticks[12..]) {
        tick.files += f64::from(i.min(3) * 10);
    }
    let d = judged(vec![engine("pod", 0, &ticks)]);
    assert_eq!(d.verdict, Verdict::Stalled, "{}", d.sentence);
}

#[test]
fn slow_tokens_that_are_on_speak_before_a_queue_that_is_over() {
    let slow = Tick { tokens: 100.0, gap_s: 0.18, requests: 1.0, ..CALM };
    let d = judged(vec![engine("pod", 0, &told(&[(8, CALM), (6, QUEUE), (24, CALM), (12, slow)]))]);
    assert_eq!(d.verdict, Verdict::Breach, "{}", d.sentence);
    assert_eq!((d.until, d.trend == Some(Trend::Over)), (None, false), "{}", d.sentence);
    assert_eq!(suspect(&d), "decode/decode_slowdown/none_found");
}

#[test]
fn a_batch_that_grew_because_each_token_takes_longer_is_a_slowdown() {
    // A quarter of the requests, each ten times as slow: the batch is larger, and the engine does less.
    let slow = Tick { tokens: 250.0, gap_s: 0.2, requests: 2.5, running: 10.0, ..CALM };
    let d = judged(vec![engine("pod", 0, &told(&[(24, CALM), (24, slow)]))]);
    assert_eq!(suspect(&d), "decode/decode_slowdown/none_found", "{}", d.sentence);
    // The same gap beside a batch that grew by as much is the batch.
    let many = Tick { tokens: 1000.0, gap_s: 0.2, requests: 10.0, running: 40.0, ..CALM };
    let d = judged(vec![engine("pod", 0, &told(&[(24, CALM), (24, many)]))]);
    assert_eq!(suspect(&d), "decode/batch_contention/none_found", "{}", d.sentence);
}

#[test]
fn an_earlier_incident_is_no_baseline() {
    let d = judged(vec![engine("pod", 0, &told(&[(8, CALM), (8, QUEUE), (24, CALM), (8, QUEUE)]))]);
    let queue = d.phases.iter().find(|p| p.phase == Phase::Queue).expect("a row");
    assert_eq!(queue.baseline, Some(0.0), "{}", d.sentence);
    assert_eq!(suspect(&d), "queue/queue_saturation/traffic_surge");
}

#[test]
fn replicas_that_were_not_read_before_are_no_surge() {
    let late = Tick { queue_s: 3.0, waiting: 12.0, ..CALM };
    let mut ticks = told(&[(24, CALM), (24, late)]);
    // The second engine's recording begins with the trouble.
    let second = ticks.split_off(24);
    let both = [&ticks[..], &second[..]].concat();
    let d = judged(vec![engine("a", 0, &both), engine("b", 24 * TICK_S * 1000 + 700, &second)]);
    assert_eq!(d.verdict, Verdict::Breach, "{}", d.sentence);
    assert!(!codes(&d).contains(&"traffic_surge"), "{:?}: {}", codes(&d), d.sentence);
}

/// One engine of several ranks, as SGLang's page tells it: what users wait for is counted by the front end, and each rank
/// has its own queue.
fn data_parallel(ranks: [&[Tick]; 2]) -> Endpoint {
    let mut endpoint = Endpoint::new("pod", "");
    let (mut first, mut requests, mut tokens) = (Vec::new(), 0.0, 0.0);
    let mut queued = [0.0; 2];
    for i in 0..ranks[0].len() {
        let mut replicas = Vec::new();
        for (rank, ticks) in ranks.iter().enumerate() {
            let tick = ticks[i];
            requests += tick.requests;
            tokens += tick.tokens;
            first.push((tick.queue_s + 0.04, tick.requests));
            queued[rank] += tick.requests * tick.queue_s;
            let mut values = Values::default();
            values.set_gauge(Gauge::Running, tick.running);
            values.set_gauge(Gauge::Waiting, tick.waiting);
            values.set_gauge(Gauge::KvUsage, 0.3);
            values.set_dist(Dist::Queue, Some(Histogram::plain(queued[rank], requests / 2.0)));
            replicas.push(ReplicaPage { engine: rank.to_string(), values, ..ReplicaPage::default() });
        }
        let mut values = Values::default();
        values.set_total(Total::Finished, requests);
        values.set_total(Total::GenerationTokens, tokens);
        values.set_dist(Dist::Ttft, Some(histogram(&[0.1, 0.5, 1.0, 2.5, 10.0, f64::INFINITY], &first)));
        replicas.push(ReplicaPage { values, ..ReplicaPage::default() });
        let system = System { engine: "sglang".to_owned(), phases: Finish::Live, ..System::default() };
        let page = EnginePage { system: system.into(), replicas, ..EnginePage::default() };
        let at = 10_000_000 + i64::try_from(i).expect("few ticks") * TICK_S * 1000;
        endpoint.page(At(at), page);
    }
    endpoint
}

#[test]
fn a_queue_that_stands_at_one_rank_of_an_engine_while_the_other_is_idle_is_named() {
    let (calm, full) = (told(&[(48, CALM)]), told(&[(24, CALM), (24, QUEUE)]));
    let d = judged(vec![data_parallel([&calm, &full])]);
    let found = d.findings.iter().find(|f| f.code.code() == "queue_saturation").expect("a queue");
    assert_eq!(found.subject.replica.as_deref(), Some("pod engine 1"), "{}", found.summary);
    assert!(
        found.summary.contains("100% of the waiting is at pod engine 1, and 1 of the other 1"),
        "{}",
        found.summary
    );
    // Both full is an engine that is full.
    let d = judged(vec![data_parallel([&full, &full])]);
    let found = d.findings.iter().find(|f| f.code.code() == "queue_saturation").expect("a queue");
    assert_eq!(found.subject.replica, None, "{}", found.summary);
}
