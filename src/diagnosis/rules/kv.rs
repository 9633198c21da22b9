//! A KV cache without room: requests wait or are preempted for it.

use super::queue::{Batch, KV_FULL, SHARE, kv_while_waiting, troubled, waiting_evidence};
use super::{Split, confidence, finding};
use crate::diagnosis::facts::Facts;
use crate::diagnosis::format::{number, percent};
use crate::diagnosis::span::Levels;
use crate::diagnosis::{Evidence, Finding, Metric, Op};
use crate::domain::{Code, Confidence, Gauge, Mechanism, Phase, Severity, Total};

/// SGLang keeps room for the tokens still to come (`new_token_ratio`) and holds admission back long before its cache is
/// full: on a measured retract load 29 requests waited at 0.83.
const KV_HELD_BACK: f64 = 0.4;
/// The threshold at which capacity should have been added (RB-6).
const KV_WARNING: f64 = 0.75;

/// The cache is full and requests wait or are preempted for it.
pub(super) fn kv_cache_pressure(facts: &Facts<'_>, split: &Split) -> Option<Finding> {
    let kv = facts.kv?;
    let preempted = facts.during.total(Total::Preemptions).unwrap_or(0.0);
    let waiting = facts.waiting.map_or(0.0, |w| w.peak);
    let share = split.queue / split.whole();
    let batch = Batch::while_waiting(facts);
    let median = kv_while_waiting(facts).unwrap_or(0.0);
    let broken = troubled(facts) || facts.late(Metric::Tpot);
    let thrash = preempted >= 1.0 && kv.peak >= KV_FULL;
    let full = waiting >= 1.0 && median >= KV_FULL;
    let held_back = waiting >= 1.0
        && facts.system.phases == crate::domain::Finish::Live
        && median >= KV_HELD_BACK
        && batch.is_some_and(|b| b.pinned < 0.5);
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
        // One replica with a full cache does not explain the queues of the others.
        let own = full_share(facts).unwrap_or(1.0);
        found.explains_s = own * (split.queue + split.rest);
        found.confidence =
            confidence(share * own, u32::from(thrash) + u32::from(median >= KV_HELD_BACK) + u32::from(waiting >= 1.0));
        if held_back && !thrash && !full {
            found.confidence = Confidence::Medium;
        }
        found.evidence = evidence(facts, split, kv.peak, preempted, batch);
        found.surer = Some(
            "the pod's --gpu-memory-utilization, --max-model-len and --max-num-seqs, and the lengths of outputs"
                .to_owned(),
        );
        return Some(found);
    }
    filling_up(facts, broken)
}

/// The share of the waiting that was done at replicas whose cache was full then or held admission back.
fn full_share(facts: &Facts<'_>) -> Option<f64> {
    let (from, to) = facts.incident;
    let (mut all, mut full) = (0.0, 0.0);
    for replica in &facts.replicas {
        let one = std::slice::from_ref(replica);
        let Levels { waiting: Some(waiting), kv: Some(kv), .. } = Levels::of(one, (from, to), facts.max_gap_s) else {
            continue;
        };
        all += waiting.integral;
        let held_back = facts.system.phases == crate::domain::Finish::Live && kv.peak >= KV_HELD_BACK;
        if kv.peak >= KV_FULL || held_back {
            full += waiting.integral;
        }
    }
    (all > 0.0).then(|| full / all)
}

/// For and against a cache that is too small.
fn evidence(facts: &Facts<'_>, split: &Split, peak: f64, preempted: f64, batch: Option<Batch>) -> Vec<Evidence> {
    let mut all = Vec::new();
    all.push(facts.evidence(
        "kv_usage",
        format!("KV cache use peaked at {}", percent(peak)),
        peak,
        Op::Over,
        Some(KV_FULL),
        "ratio",
    ));
    if preempted >= 1.0 {
        all.push(facts.evidence(
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
        all.push(none);
    }
    all.push(waiting_evidence(facts, split));
    if let Some(batch) = batch {
        all.push(batch.evidence(facts, Op::Under, 0.5));
    }
    all
}

/// Little room left and nothing late yet: a warning by itself.
fn filling_up(facts: &Facts<'_>, broken: bool) -> Option<Finding> {
    let recent = crate::diagnosis::span::Level::of(
        &facts.replicas,
        Gauge::KvUsage,
        facts.now.plus(-60.0).max(facts.from),
        facts.now,
        facts.max_gap_s,
    )?;
    let mean_of_each = recent.mean / facts.engines().count().max(1) as f64;
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
