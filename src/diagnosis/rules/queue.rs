//! Requests that wait for the engine to start on them.

use super::{Split, confidence, finding};
use crate::diagnosis::facts::Facts;
use crate::diagnosis::format::{number, percent, seconds};
use crate::diagnosis::rows::replica_name;
use crate::diagnosis::span::{Level, Replica};
use crate::diagnosis::{Evidence, Finding, Metric, Op};
use crate::domain::{Code, Dist, Gauge, Mechanism, Phase, Point};

/// The share of the seconds from which the queue is the place.
pub(super) const SHARE: f64 = 0.25;
/// KV use that leaves no room for another request's blocks.
pub(super) const KV_FULL: f64 = 0.9;
/// Whether anything must be explained by waiting.
pub(super) fn troubled(facts: &Facts<'_>) -> bool {
    facts.late(Metric::Ttft) || facts.leading
}

/// How the running batch behaves while requests wait. One that stands at its limit is bounded by slots; one that moves
/// below it is bounded by something else.
#[derive(Debug, Clone, Copy)]
pub(super) struct Batch {
    /// Readings with waiting requests.
    pub(super) readings: usize,
    /// The share of them with the replica's batch at its highest (0–1).
    pub(super) pinned: f64,
    /// The highest batch of any replica.
    pub(super) highest: f64,
}

impl Batch {
    /// The batch of the incident; `None` where nobody waited.
    pub(super) fn while_waiting(facts: &Facts<'_>) -> Option<Self> {
        let (mut readings, mut at_most, mut highest) = (0, 0, 0.0_f64);
        for replica in &facts.replicas {
            let waited = |p: &Point| p.values.gauge(Gauge::Waiting).is_some_and(|w| w >= 1.0);
            let points = replica.points(facts.incident.0, facts.incident.1).filter(|p| waited(p));
            let batches: Vec<f64> = points.filter_map(|p| p.values.gauge(Gauge::Running)).collect();
            let peak = batches.iter().copied().fold(0.0, f64::max);
            highest = highest.max(peak);
            readings += batches.len();
            at_most += batches.iter().filter(|r| **r >= 0.95 * peak && peak >= 1.0).count();
        }
        (readings > 0).then(|| Self { readings, pinned: at_most as f64 / readings as f64, highest })
    }

    /// How pinned it was, as evidence for a limit (`Op::Over`) or against one (`Op::Under`).
    pub(super) fn evidence(self, facts: &Facts<'_>, op: Op, threshold: f64) -> Evidence {
        let claim = format!(
            "the batch stood at its highest ({}) in {} of {} readings with waiting requests",
            number(self.highest),
            percent(self.pinned),
            number(self.readings as f64)
        );
        let mut evidence = facts.evidence("running", claim, self.pinned, op, Some(threshold), "ratio");
        evidence.supports = (self.pinned >= threshold) == (op == Op::Over);
        evidence
    }
}

/// The median KV use over readings with waiting requests.
pub(super) fn kv_while_waiting(facts: &Facts<'_>) -> Option<f64> {
    let mut use_: Vec<f64> = facts
        .replicas
        .iter()
        .flat_map(|r| r.points(facts.incident.0, facts.incident.1))
        .filter(|p| p.values.gauge(Gauge::Waiting).is_some_and(|w| w >= 1.0))
        .filter_map(|p| p.values.gauge(Gauge::KvUsage))
        .collect();
    crate::diagnosis::span::median(&mut use_)
}

pub(super) fn waiting_evidence(facts: &Facts<'_>, split: &Split) -> Evidence {
    let waiting = facts.waiting.unwrap_or_default();
    facts.evidence(
        "waiting",
        format!(
            "up to {} waiting, {} request-seconds waited in all",
            number(waiting.peak),
            number(split.waited.round())
        ),
        waiting.peak,
        Op::Over,
        Some(0.0),
        "requests",
    )
}

/// More work arrives than is started.
pub(super) fn queue_saturation(facts: &Facts<'_>, split: &Split) -> Option<Finding> {
    let share = split.queue / split.whole();
    if !troubled(facts) || share < SHARE {
        return None;
    }
    let waiting = facts.waiting.unwrap_or_default();
    let queue_mean = facts.phase_mean(&facts.during, Dist::Queue);
    if waiting.peak < 1.0 && queue_mean.is_none_or(|q| q < 0.1 * facts.targets.ttft.seconds) {
        return None;
    }
    let summary = match queue_mean.filter(|_| split.first_tokens > 0.0) {
        Some(mean) => format!(
            "requests waited {} on average before the engine started on them, up to {} at once",
            seconds(mean),
            number(waiting.peak)
        ),
        None => format!("up to {} requests waited at once, {} on average", number(waiting.peak), number(waiting.mean)),
    };
    let mut found = finding(facts, Code::Mechanism(Mechanism::QueueSaturation), Phase::Queue, summary);
    found.explains_s = split.queue;
    found.confidence = confidence(share, u32::from(waiting.peak >= 1.0) + u32::from(queue_mean.is_some()));
    if let (Some(mean), Some(ttft)) = (queue_mean, facts.during.mean(Dist::Ttft)) {
        found.evidence.push(facts.evidence(
            "queue",
            format!("queue mean {} of a TTFT mean of {}", seconds(mean), seconds(ttft)),
            mean,
            Op::Over,
            Some(SHARE * ttft),
            "s/request",
        ));
    }
    found.evidence.push(waiting_evidence(facts, split));
    if let Some(kv) = facts.kv {
        let mut evidence = facts.evidence(
            "kv_usage",
            format!("KV cache use peaked at {}", percent(kv.peak)),
            kv.peak,
            Op::Under,
            Some(KV_FULL),
            "ratio",
        );
        evidence.supports = kv.peak < KV_FULL;
        found.evidence.push(evidence);
    }
    if let Some(uneven) = Uneven::of(facts) {
        let Uneven { name, share, idle, others } = &uneven;
        let share = percent(*share);
        let words =
            format!("{share} of the waiting is at {name}, and {idle} of the other {others} on its page have nobody");
        found.summary = format!("{}; {words} waiting", found.summary);
        found.subject.replica = Some(uneven.name.clone());
        let claim = format!("{} holds {} of the waiting", uneven.name, percent(uneven.share));
        found.evidence.push(facts.evidence("waiting", claim, uneven.share, Op::Over, Some(OWN), "ratio"));
    }
    if !split.settled {
        found.surer = Some("requests still wait or run: the queue histogram is written when they finish".to_owned());
    }
    Some(found)
}

/// The share of the waiting that makes it one engine's own: as for the late events of one replica.
const OWN: f64 = 0.6;

/// One of several engines behind one front end that holds the queue while others have none: ranks of a data-parallel engine
/// to which requests are dealt out unevenly.
struct Uneven {
    name: String,
    share: f64,
    /// Of the others, those before which hardly anybody waited.
    idle: usize,
    others: usize,
}

impl Uneven {
    fn of(facts: &Facts<'_>) -> Option<Self> {
        let engines: Vec<Replica<'_>> = facts.engines().filter(|r| !r.track.engine.is_empty()).collect();
        let of_one_page = engines.chunk_by(|a, b| std::ptr::eq(a.endpoint, b.endpoint)).filter(|page| page.len() > 1);
        let uneven = |page: &[Replica<'_>]| {
            let waited = |r: &Replica<'_>| {
                let (from, to) = facts.incident;
                Level::of(std::slice::from_ref(r), Gauge::Waiting, from, to, facts.max_gap_s).unwrap_or_default()
            };
            let levels: Vec<Level> = page.iter().map(waited).collect();
            let all: f64 = levels.iter().map(|l| l.integral).sum();
            let (worst, most) = levels.iter().enumerate().max_by(|a, b| a.1.integral.total_cmp(&b.1.integral))?;
            let idle = levels.iter().filter(|l| l.mean < 1.0).count();
            let share = if all > 0.0 { most.integral / all } else { 0.0 };
            (share >= OWN && most.mean >= 1.0 && idle * 2 >= page.len() - 1).then(|| Self {
                name: replica_name(&page[worst]),
                share,
                idle,
                others: page.len() - 1,
            })
        };
        of_one_page.filter_map(uneven).max_by(|a, b| a.share.total_cmp(&b.share))
    }
}
