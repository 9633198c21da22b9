//! Requests that wait: for a slot, or for room in the KV cache.

use super::{Split, confidence, finding};
use crate::diagnosis::facts::Facts;
use crate::diagnosis::format::{number, percent, seconds};
use crate::diagnosis::{Finding, Metric, Op};
use crate::domain::{Code, Confidence, Dist, Gauge, Mechanism, Phase, Severity, Total};

/// The share of the seconds from which the queue is the place.
const SHARE: f64 = 0.25;
/// KV use that leaves no room for another request's blocks.
const KV_FULL: f64 = 0.9;
/// SGLang keeps room for the tokens still to come (`new_token_ratio`) and holds admission back long before its cache is
/// full: on a measured retract load 29 requests waited at 0.83.
const KV_HELD_BACK: f64 = 0.4;
/// The threshold at which capacity should have been added (RB-6).
const KV_WARNING: f64 = 0.75;

/// Whether anything must be explained by waiting.
fn troubled(facts: &Facts<'_>) -> bool {
    facts.late(Metric::Ttft) || facts.leading
}

/// How the running batch behaves while requests wait: (readings with waiting requests, share of them with the batch at
/// its highest). A batch that stands at its limit is bounded by slots; one that moves below it is bounded by something
/// else.
pub(super) fn batch_while_waiting(facts: &Facts<'_>) -> Option<(usize, f64, f64)> {
    let (mut readings, mut at_most, mut highest) = (0, 0, 0.0_f64);
    let mut batches = Vec::new();
    for replica in &facts.replicas {
        let mut of_replica = Vec::new();
        for point in replica.points(facts.incident.0, facts.incident.1) {
            if let (Some(running), Some(waiting)) =
                (point.values.gauge(Gauge::Running), point.values.gauge(Gauge::Waiting))
                && waiting >= 1.0
            {
                of_replica.push(running);
            }
        }
        let peak = of_replica.iter().copied().fold(0.0, f64::max);
        highest = highest.max(peak);
        readings += of_replica.len();
        at_most += of_replica.iter().filter(|r| **r >= 0.95 * peak && peak >= 1.0).count();
        batches.extend(of_replica);
    }
    (readings > 0).then(|| (readings, at_most as f64 / readings as f64, highest))
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

/// The cache is full and requests wait or are preempted for it.
pub(super) fn kv_cache_pressure(facts: &Facts<'_>, split: &Split) -> Option<Finding> {
    let kv = facts.kv?;
    let preempted = facts.during.total(Total::Preemptions).unwrap_or(0.0);
    let waiting = facts.waiting.map_or(0.0, |w| w.peak);
    let share = split.queue / split.whole();
    let batch = batch_while_waiting(facts);
    let median = kv_while_waiting(facts).unwrap_or(0.0);
    let broken = troubled(facts) || facts.late(Metric::Tpot);
    let thrash = preempted >= 1.0 && kv.peak >= KV_FULL;
    let full = waiting >= 1.0 && median >= KV_FULL;
    let held_back = waiting >= 1.0
        && facts.system.phases == crate::domain::Finish::Live
        && median >= KV_HELD_BACK
        && batch.is_some_and(|(_, pinned, _)| pinned < 0.5);
    if broken && (thrash || full || held_back) && (share >= SHARE || thrash) {
        let summary = if preempted >= 1.0 {
            format!(
                "the KV cache is full (peak {}): {} preemptions, {} requests waiting",
                percent(kv.peak),
                number(preempted),
                number(waiting)
            )
        } else {
            format!(
                "the KV cache holds admission back (peak {}) while up to {} requests wait",
                percent(kv.peak),
                number(waiting)
            )
        };
        let mut found = finding(facts, Code::Mechanism(Mechanism::KvCachePressure), Phase::Queue, summary);
        found.explains_s = split.queue + split.rest;
        found.confidence =
            confidence(share, u32::from(thrash) + u32::from(median >= KV_HELD_BACK) + u32::from(waiting >= 1.0));
        if held_back && !thrash && !full {
            found.confidence = Confidence::Medium;
        }
        found.evidence.push(facts.evidence(
            "kv_usage",
            format!("KV cache use peaked at {}", percent(kv.peak)),
            kv.peak,
            Op::Over,
            Some(KV_FULL),
            "ratio",
        ));
        if preempted >= 1.0 {
            found.evidence.push(facts.evidence(
                "preemptions",
                format!("{} preemptions", number(preempted)),
                preempted,
                Op::Over,
                Some(0.0),
                "count",
            ));
        } else {
            let mut none =
                facts.evidence("preemptions", "no request was preempted".to_owned(), 0.0, Op::Is, Some(0.0), "count");
            none.supports = false;
            found.evidence.push(none);
        }
        found.evidence.push(waiting_evidence(facts, split));
        if let Some((readings, pinned, highest)) = batch {
            let mut evidence = facts.evidence(
                "running",
                format!(
                    "the batch stood at its highest ({}) in {} of {} readings with waiting requests",
                    number(highest),
                    percent(pinned),
                    number(readings as f64)
                ),
                pinned,
                Op::Under,
                Some(0.5),
                "ratio",
            );
            evidence.supports = pinned < 0.5;
            found.evidence.push(evidence);
        }
        found.surer = Some(
            "the pod's --gpu-memory-utilization, --max-model-len and --max-num-seqs, and the lengths of outputs"
                .to_owned(),
        );
        return Some(found);
    }
    // Alone it is a warning: nothing is late yet, and there is little room left.
    let recent = crate::diagnosis::span::Level::of(
        &facts.replicas,
        Gauge::KvUsage,
        facts.now.plus(-60.0).max(facts.from),
        facts.now,
        facts.max_gap_s,
    )?;
    let mean_of_each = recent.mean / facts.replicas.len().max(1) as f64;
    if !broken && mean_of_each > KV_WARNING && facts.held() >= 1.0 {
        let summary = format!("the KV cache is {} full, and nothing is late yet", percent(mean_of_each));
        let mut found = finding(facts, Code::Mechanism(Mechanism::KvCachePressure), Phase::Queue, summary);
        found.severity = Severity::Warning;
        found.evidence.push(facts.evidence(
            "kv_usage",
            format!("mean KV cache use over the last minute {}", percent(mean_of_each)),
            mean_of_each,
            Op::Over,
            Some(KV_WARNING),
            "ratio",
        ));
        return Some(found);
    }
    None
}

fn waiting_evidence(facts: &Facts<'_>, split: &Split) -> crate::diagnosis::Evidence {
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
    if !split.settled {
        found.surer = Some("requests still wait or run: the queue histogram is written when they finish".to_owned());
    }
    Some(found)
}
