//! Replicas that came onto other hardware than those before them: the same pod is another service there.

use std::collections::{BTreeMap, BTreeSet};

use super::deploy::other_change;
use super::rollout::{certain, told};
use super::{Split, finding};
use crate::diagnosis::cluster::{Cluster, node_of, pod_name};
use crate::diagnosis::facts::Facts;
use crate::diagnosis::format::{clock, seconds};
use crate::diagnosis::span::{Replica, Span};
use crate::diagnosis::{Finding, Metric, Op, Subject};
use crate::domain::{At, Cause, Code, Confidence, Dist, Phase};

/// This many times the mean of the others is slower, and less is weather.
const SLOWER: f64 = 1.5;
/// The share of what is late that must be theirs.
const OWN: f64 = 0.5;
/// Events that a mean needs.
const ENOUGH: f64 = 10.0;
/// Who comes later than this after the break did not bring it about (s): a scrape, and a slice.
const SLACK_S: f64 = 30.0;

/// The kind of GPU under a replica, by the label of its node.
pub(super) fn product<'a>(replica: &Replica<'a>, cluster: &Cluster<'a>) -> Option<&'a str> {
    let node = node_of(replica.endpoint, Some(cluster))?;
    cluster.facts.nodes.as_ref()?.iter().find(|n| n.name == node)?.gpu_product.as_deref()
}

/// The kind of GPU under the replicas of the other revisions, and one that only this revision's replicas are on, where
/// those have most of what is late of it.
pub(super) fn moved<'a>(facts: &Facts<'a>, revision: u64) -> Option<(&'a str, &'a str)> {
    let cluster = facts.cluster.as_ref()?;
    let of = |new: bool| facts.engines().filter(move |r| facts.revision(r).is_some_and(|n| (n == revision) == new));
    let old: BTreeSet<&'a str> = of(false).filter_map(|r| product(&r, cluster)).collect();
    let foreign = |r: &Replica<'a>| product(r, cluster).is_some_and(|kind| !old.contains(kind));
    let kind = of(true).find(foreign).and_then(|r| product(&r, cluster))?;
    let target = facts.targets.ttft.seconds;
    let late = |replicas: Vec<Replica<'_>>| {
        let (_, histogram) = Span::of_dist(&replicas, Dist::Ttft, facts.incident.0, facts.incident.1)?;
        Some(histogram.above(target)?.at_least)
    };
    let (there, here): (Vec<Replica<'_>>, Vec<Replica<'_>>) = of(true).partition(foreign);
    let (there, here) = (late(there).unwrap_or(0.0), late(here).unwrap_or(0.0));
    (there >= OWN * (there + here)).then_some((old.first().copied()?, kind))
}

/// The replicas on one kind of GPU, and how long their requests took.
struct Kind<'a> {
    name: &'a str,
    replicas: Vec<Replica<'a>>,
    mean: f64,
    /// Whether they serve in the incident: of those that are gone, it is how long it took before.
    serves: bool,
}

/// Replicas that came onto one kind of GPU are slower than those on another, beside them or before them.
pub(super) fn placement_mismatch(facts: &Facts<'_>, _: &Split) -> Option<Finding> {
    let cluster = facts.cluster.as_ref()?;
    let metric = [Metric::Ttft, Metric::Tpot].into_iter().find(|m| facts.late(*m))?;
    let calm = facts.baseline.as_ref().and_then(|b| b.stretch);
    let mut by_name: BTreeMap<&str, Vec<Replica<'_>>> = BTreeMap::new();
    for replica in facts.engines() {
        if let Some(name) = product(&replica, cluster) {
            by_name.entry(name).or_default().push(replica);
        }
    }
    let mean = |of: &[Replica<'_>], (from, to): (At, At)| {
        let (_, histogram) = Span::of_dist(of, metric.dist(), from, to)?;
        histogram.mean().filter(|_| histogram.count >= ENOUGH)
    };
    let kinds = by_name.into_iter().filter_map(|(name, replicas)| {
        let now = mean(&replicas, facts.incident);
        let mean = now.or_else(|| mean(&replicas, calm?))?;
        Some(Kind { name, replicas, mean, serves: now.is_some() })
    });
    let mut kinds: Vec<Kind<'_>> = kinds.collect();
    kinds.sort_by(|a, b| a.mean.total_cmp(&b.mean));
    let slow = kinds.iter().rev().find(|k| k.serves)?;
    let fast = kinds.iter().find(|k| k.name != slow.name)?;
    if slow.mean < SLOWER * fast.mean {
        return None;
    }
    // What was so while all was well is not what changed, and who came after the break did not bring it about.
    let first = slow.replicas.iter().filter_map(|r| Some((r.track.points().front()?.at, *r)));
    let came: Vec<(At, Replica<'_>)> = first.filter(|(at, _)| calm.is_none_or(|(from, _)| *at > from)).collect();
    let (since, newcomer) = *came.iter().min_by_key(|(at, _)| *at)?;
    if since > facts.broke().plus(SLACK_S) {
        return None;
    }
    let (title, when) = (metric.title(), if fast.serves { "" } else { " before" });
    let summary = format!(
        "{} of {} replicas came onto {}: their mean {title} is {}, on {} it is {}{when}",
        came.len(),
        slow.replicas.len(),
        slow.name,
        seconds(slow.mean),
        fast.name,
        seconds(fast.mean)
    );
    let mut found = finding(facts, Code::Cause(Cause::PlacementMismatch), Phase::Rollout, summary);
    let revision = facts.revision(&newcomer).filter(|n| came.iter().all(|(_, r)| facts.revision(r) == Some(*n)));
    found.subject = Subject {
        replica: (came.len() == 1).then(|| pod_name(newcomer.endpoint).to_owned()),
        node: (came.len() == 1).then(|| node_of(newcomer.endpoint, Some(cluster)).map(str::to_owned)).flatten(),
        revision,
        ..Subject::default()
    };
    let other = other_change(facts);
    found.confidence = certain(cluster, if other.is_some() { Confidence::Low } else { Confidence::Medium });
    let claim = format!("mean {title} on {} against {} on {}{when}", slow.name, seconds(fast.mean), fast.name);
    found.evidence.push(facts.evidence(
        metric.dist().name(),
        claim,
        slow.mean,
        Op::Over,
        Some(SLOWER * fast.mean),
        "s",
    ));
    let claim = format!("{} replicas serve from {} since {}", came.len(), slow.name, clock(since));
    found.evidence.push(told(facts, cluster, "nodes' label nvidia.com/gpu.product", claim, came.len() as f64));
    if let Some(mut other) = other {
        other.supports = false;
        found.evidence.push(other);
    }
    found.surer = Some("the same requests on both kinds of GPU".to_owned());
    Some(found)
}
