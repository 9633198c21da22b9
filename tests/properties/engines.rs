//! Engines that do something at random: what they count, and when they are read, fail or begin anew.
//!
//! Every number is a multiple of a power of two, so that sums are exact in whatever order they are made.

use proptest::prelude::*;
use warroom::domain::{
    At, Dist, Endpoint, EnginePage, Failure, Finish, Gauge, Histogram, ReplicaPage, System, Total, Values,
};

/// What one engine did between two readings.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) gap_ms: i64,
    pub(crate) first_tokens: [u16; 3],
    pub(crate) queue_s: f64,
    pub(crate) finished: u16,
    pub(crate) tokens: u16,
    pub(crate) running: f64,
    pub(crate) waiting: f64,
    pub(crate) kv: f64,
    pub(crate) preempted: u8,
    pub(crate) fate: u8,
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    let counts = (prop::array::uniform3(0_u16..40), 0_u16..60, 0_u16..3000, 0_u8..4);
    let levels = (0.0..20.0_f64, 0.0..50.0_f64, 0.0..1.0_f64, 0.0..9.0_f64);
    (1_500_i64..20_000, counts, levels, 0_u8..40).prop_map(|(gap_ms, counts, levels, fate)| {
        let (first_tokens, finished, tokens, preempted) = counts;
        let (running, waiting, kv, queue_s) = levels;
        let (running, waiting) = (running.round(), if waiting < 25.0 { 0.0 } else { waiting.round() });
        let (queue_s, kv) = ((queue_s * 64.0).round() / 64.0, (kv * 64.0).round() / 64.0);
        Step { gap_ms, first_tokens, queue_s, finished, tokens, running, waiting, kv, preempted, fate }
    })
}

/// Running totals of one process.
#[derive(Debug, Clone, Default)]
pub(crate) struct Process {
    start: f64,
    late: [f64; 3],
    ttft_s: f64,
    finished: f64,
    queue_s: f64,
    tokens: f64,
    preempted: f64,
}

impl Process {
    /// What this and another process did, as one would have done it that began when they did.
    pub(crate) fn with(&self, other: &Self) -> Self {
        let late = [0, 1, 2].map(|i| self.late[i] + other.late[i]);
        Self {
            start: self.start,
            late,
            ttft_s: self.ttft_s + other.ttft_s,
            finished: self.finished + other.finished,
            queue_s: self.queue_s + other.queue_s,
            tokens: self.tokens + other.tokens,
            preempted: self.preempted + other.preempted,
        }
    }

    pub(crate) fn does(&mut self, step: &Step) {
        for (bucket, n) in step.first_tokens.iter().enumerate() {
            self.late[bucket] += f64::from(*n);
            self.ttft_s += f64::from(*n) * [0.25, 0.75, 7.0][bucket];
        }
        self.finished += f64::from(step.finished);
        self.queue_s += f64::from(step.finished) * step.queue_s;
        self.tokens += f64::from(step.tokens);
        self.preempted += f64::from(step.preempted);
    }

    pub(crate) fn page(&self, step: &Step) -> EnginePage {
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
        values.set_dist(Dist::Itl, histogram([self.tokens, 0.0, 0.0], self.tokens / 128.0));
        values.set_dist(Dist::Queue, Some(Histogram::plain(self.queue_s, self.finished)));
        values.set_dist(Dist::Prefill, Some(Histogram::plain(self.finished * 0.125, self.finished)));
        values.set_dist(Dist::E2e, Some(Histogram::plain(self.finished * 2.0, self.finished)));
        let system = System { engine: "vllm".to_owned(), phases: Finish::AtFinish, ..System::default() };
        let replica = ReplicaPage { values, ..ReplicaPage::default() };
        EnginePage { system: system.into(), replicas: vec![replica], ..EnginePage::default() }
    }
}

/// Plays the steps to one endpoint: most are pages, some are failures, some are restarts.
pub(crate) fn endpoint(name: &str, steps: &[Step]) -> (Endpoint, At, [f64; 3]) {
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

/// When all engines of a fleet began, and when they were read first.
pub(crate) const BEGAN: f64 = 1_000.0;
pub(crate) const FIRST: At = At(10_000_000);

/// What several engines did, read together after each step, none of them ever failing: the moments with a page of each.
/// `steps` are those of each engine; the gaps are the first one's.
pub(crate) fn together(steps: &[Vec<Step>]) -> Vec<(At, Vec<(Process, Step)>)> {
    let mut processes = vec![Process { start: BEGAN, ..Process::default() }; steps.len()];
    let mut now = FIRST;
    let moments = steps.iter().map(Vec::len).min().unwrap_or_default();
    let mut read = Vec::new();
    for moment in 0..moments {
        now = At(now.0 + steps[0][moment].gap_ms);
        let each = processes.iter_mut().zip(steps).map(|(process, steps)| {
            process.does(&steps[moment]);
            (process.clone(), steps[moment].clone())
        });
        read.push((now, each.collect()));
    }
    read
}

/// An endpoint whose pages were these.
pub(crate) fn of_pages(name: &str, pages: impl IntoIterator<Item = (At, EnginePage)>) -> Endpoint {
    let mut endpoint = Endpoint::new(name, "");
    for (at, page) in pages {
        endpoint.page(at, page);
    }
    endpoint
}
