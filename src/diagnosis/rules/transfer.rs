//! Disaggregated serving: requests whose prompt was computed elsewhere wait until their KV cache has come.

use super::queue::{Batch, KV_FULL, kv_while_waiting};
use super::{Split, confidence, finding};
use crate::diagnosis::facts::Facts;
use crate::diagnosis::format::{number, percent, seconds};
use crate::diagnosis::span::{Level, Span};
use crate::diagnosis::{Evidence, Finding, Metric, Op};
use crate::domain::{Code, Confidence, Dist, Gauge, Mechanism, Phase, Total};

/// The share of the added seconds that makes it a place where they sit.
const SHARE: f64 = 0.25;
/// This many times what a transfer took before is more, and less is weather.
const MORE: f64 = 1.5;
/// Transfers that a mean needs.
const ENOUGH: f64 = 10.0;

/// First tokens wait for transfers: those are seen to take longer, or decoders wait with room for more. An engine counts
/// these waits as its queue.
pub(super) fn kv_transfer_wait(facts: &Facts<'_>, split: &Split) -> Option<Finding> {
    if facts.during.count(Dist::KvTransfer) < ENOUGH { with_room(facts, split) } else { measured(facts, split) }
}

fn measured(facts: &Facts<'_>, split: &Split) -> Option<Finding> {
    let (mean, count) = (facts.during.mean(Dist::KvTransfer)?, facts.during.count(Dist::KvTransfer));
    let before = facts.baseline.as_ref().and_then(|b| b.span.mean(Dist::KvTransfer));
    if !facts.late(Metric::Ttft) || count < ENOUGH || before.is_some_and(|b| mean < MORE * b) {
        return None;
    }
    let added = (mean - before.unwrap_or(0.0)) * count;
    let share = added / split.whole();
    if share < SHARE {
        return None;
    }
    let was = before.map_or(String::new(), |b| format!(", {} before", seconds(b)));
    let failed = facts.during.total(Total::TransfersFailed).unwrap_or(0.0);
    let broken =
        if failed >= 1.0 { format!(", and {} failed", crate::diagnosis::number(failed)) } else { String::new() };
    let summary = format!(
        "the KV cache of a request takes {} to come from where its prompt was computed{was}{broken}",
        seconds(mean)
    );
    let mut found = finding(facts, Code::Mechanism(Mechanism::KvTransferWait), Phase::Queue, summary);
    found.explains_s = added;
    found.confidence = confidence(share.min(1.0), 1 + u32::from(before.is_some()));
    let claim = format!("mean transfer {}: {} of the added seconds", seconds(mean), percent(share.min(1.0)));
    let threshold = before.map(|b| MORE * b);
    found.evidence.push(facts.evidence(Dist::KvTransfer.name(), claim, mean, Op::Over, threshold, "s"));
    if failed >= 1.0 {
        let claim = format!("{} transfers failed", crate::diagnosis::number(failed));
        found.evidence.push(facts.evidence("transfers_failed", claim, failed, Op::Over, Some(0.0), "transfers"));
    }
    if let Some(on_the_way) = on_the_way(facts) {
        found.evidence.push(on_the_way);
    }
    found.surer = Some(LINK.to_owned());
    Some(found)
}

/// Where first tokens wait for transfers: whether those of a span took no longer than before.
pub(super) fn came_as_before(facts: &Facts<'_>, span: &Span) -> bool {
    let before = facts.baseline.as_ref().and_then(|b| b.span.mean(Dist::KvTransfer));
    let mean = span.mean(Dist::KvTransfer).filter(|_| span.count(Dist::KvTransfer) >= ENOUGH);
    let as_before = mean.zip(before).is_some_and(|(mean, before)| mean < MORE * before);
    as_before && measured(facts, &Split::of(facts)).is_some()
}

const LINK: &str = "the link between the pools: NCCL's and the connector's lines in the log (NET/IB, GDRDMA or not)";

/// Requests whose prompt was computed and whose cache has not come, where engines count them.
fn on_the_way(facts: &Facts<'_>) -> Option<Evidence> {
    let (from, to) = facts.incident;
    let level = Level::of(&facts.replicas, Gauge::WaitingTransfer, from, to, facts.max_gap_s)?;
    let claim = format!(
        "up to {} requests at once were computed and waited for their cache to be handed over",
        number(level.peak)
    );
    let mut evidence = facts.evidence("waiting_transfer", claim, level.peak, Op::Over, Some(0.0), "requests");
    evidence.supports = level.peak >= 1.0;
    Some(evidence)
}

/// No transfer is measured, and requests wait at decoders that have room in their batch and in their cache: what they wait
/// for comes from elsewhere. Engines that hold such requests back say so, which makes it surer.
fn with_room(facts: &Facts<'_>, split: &Split) -> Option<Finding> {
    /// Of the readings with waiting requests, the share with the batch at its highest: more of them is a limit.
    const PINNED: f64 = 0.5;
    let decode = facts.pools.as_ref()?.decode.as_ref().filter(|_| facts.late(Metric::Ttft))?;
    let own = Split::of_part(decode, split);
    let share = own.queue / own.whole();
    let batch = Batch::while_waiting(decode)?;
    let kv = kv_while_waiting(decode);
    if share < SHARE || batch.pinned >= PINNED || kv.is_some_and(|kv| kv >= KV_FULL) {
        return None;
    }
    let (from, to) = facts.incident;
    let held_back = Level::of(&decode.replicas, Gauge::WaitingDeferred, from, to, facts.max_gap_s);
    let deferred = held_back.zip(decode.waiting).map(|(held, all)| held.integral / all.integral.max(1e-9));
    let waiting = decode.waiting.unwrap_or_default();
    let summary = format!(
        "up to {} requests wait in the decode pool, which has room for them: what is missing is their KV cache",
        number(waiting.peak)
    );
    let mut found = finding(facts, Code::Mechanism(Mechanism::KvTransferWait), Phase::Queue, summary);
    found.explains_s = own.queue;
    // Nobody has measured it: it is what is left.
    found.confidence = match deferred {
        Some(share) if share >= PINNED => Confidence::Medium,
        _ => Confidence::Low,
    };
    found.evidence.push(batch.evidence(decode, Op::Under, PINNED));
    if let Some(kv) = kv {
        let claim = format!("KV cache use at decoders with waiting requests: {} in the middle", percent(kv));
        found.evidence.push(decode.evidence("kv_usage", claim, kv, Op::Under, Some(KV_FULL), "ratio"));
    }
    if let Some(share) = deferred {
        let claim =
            format!("{} of the waiting are held back for another reason than capacity", percent(share.min(1.0)));
        let mut evidence = decode.evidence("waiting_deferred", claim, share.min(1.0), Op::Over, Some(PINNED), "ratio");
        evidence.supports = share >= PINNED;
        found.evidence.push(evidence);
    }
    found.evidence.extend(on_the_way(facts));
    found.surer = Some(format!("how long transfers take, which no page here says; {LINK}"));
    Some(found)
}
