//! Disaggregated serving: requests whose prompt was computed elsewhere wait until their KV cache has come.

use super::{Split, confidence, finding};
use crate::diagnosis::facts::Facts;
use crate::diagnosis::format::{percent, seconds};
use crate::diagnosis::{Finding, Metric, Op};
use crate::domain::{Code, Dist, Mechanism, Phase, Total};

/// The share of the added seconds that makes it a place where they sit.
const SHARE: f64 = 0.25;
/// This many times what a transfer took before is more, and less is weather.
const MORE: f64 = 1.5;
/// Transfers that a mean needs.
const ENOUGH: f64 = 10.0;

/// Transfers take longer than before, and first tokens wait for them. An engine counts these waits as its queue.
pub(super) fn kv_transfer_wait(facts: &Facts<'_>, split: &Split) -> Option<Finding> {
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
    found.surer = Some(
        "the link between the pools: NCCL's and the connector's lines in the log (NET/IB, GDRDMA or not)".to_owned(),
    );
    Some(found)
}
