//! One replica much worse than its peers.

use super::{Split, finding};
use crate::diagnosis::facts::Facts;
use crate::diagnosis::format::{percent, seconds};
use crate::diagnosis::rows::replica_name;
use crate::diagnosis::span::{Span, median};
use crate::diagnosis::{Finding, Metric, Op, Subject};
use crate::domain::{Cause, Code, Confidence, Phase};

/// Times the median of the others: what a replica must be beyond to be one.
const WORSE: f64 = 3.0;
/// The share of all late events that must be its own.
const OWN: f64 = 0.6;

/// The late events sit on one replica, and the others are fine.
pub(super) fn replica_outlier(facts: &Facts<'_>, _: &Split) -> Option<Finding> {
    let engines: Vec<_> = facts.engines().collect();
    if engines.len() < 2 {
        return None;
    }
    let metric = [Metric::Ttft, Metric::Tpot].into_iter().find(|m| facts.late(*m))?;
    let target = metric.target(facts.targets).seconds;
    let of_each: Vec<(usize, f64, f64)> = engines
        .iter()
        .enumerate()
        .filter_map(|(i, r)| {
            let (from, to) = facts.incident;
            let (_, histogram) = Span::of_dist(std::slice::from_ref(r), metric.dist(), from, to)?;
            Some((i, histogram.mean()?, histogram.above(target)?.at_least))
        })
        .collect();
    if of_each.len() < 2 {
        return None;
    }
    let (worst, mean, bad) = *of_each.iter().max_by(|a, b| a.2.total_cmp(&b.2))?;
    let mut others: Vec<f64> = of_each.iter().filter(|(i, ..)| *i != worst).map(|(_, m, _)| *m).collect();
    let middle = median(&mut others)?;
    let all: f64 = of_each.iter().map(|(.., b)| *b).sum();
    // One of many must stand out; of two, the other one must be well within the target.
    if mean < WORSE * middle || bad < OWN * all || middle > target {
        return None;
    }
    let name = replica_name(&engines[worst]);
    let summary = format!(
        "{name} has {} of the late events, at a mean {} of {} against {} for the others",
        percent(bad / all),
        metric.title(),
        seconds(mean),
        seconds(middle)
    );
    let mut found = finding(facts, Code::Cause(Cause::ReplicaOutlier), Phase::Rollout, summary);
    let placement = engines[worst].endpoint.placement(facts.now);
    found.subject = Subject {
        replica: Some(name),
        node: placement.and_then(|p| p.node.clone()),
        revision: placement.and_then(|p| p.revision),
    };
    found.confidence = if engines.len() >= 3 { Confidence::High } else { Confidence::Medium };
    found.evidence.push(facts.evidence(
        metric.dist().name(),
        format!(
            "its mean {} is {} times the median of the others",
            metric.title(),
            crate::diagnosis::number(mean / middle)
        ),
        mean,
        Op::Over,
        Some(WORSE * middle),
        "s",
    ));
    found.surer = Some("the node and the GPUs of that replica".to_owned());
    Some(found)
}
