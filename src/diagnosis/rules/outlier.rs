//! One replica much worse than its peers.

use super::{Split, finding};
use crate::diagnosis::facts::Facts;
use crate::diagnosis::format::{percent, seconds};
use crate::diagnosis::rows::replica_name;
use crate::diagnosis::slo::over_budget;
use crate::diagnosis::span::{Level, Replica, Span, median};
use crate::diagnosis::{Finding, Metric, Op, Subject};
use crate::domain::{Cause, Code, Confidence, Dist, Gauge, Phase};

/// Times the median of the others: what a replica must be beyond to be one.
const WORSE: f64 = 3.0;
/// The share of all late events that must be its own.
const OWN: f64 = 0.6;
/// Where nearly all of many late events are its own, less will do: a token of a slow replica takes longer, and its mean
/// is that of many.
const NEARLY_ALL: f64 = 0.9;
const MANY: f64 = 100.0;
const SLOWER: f64 = 1.5;

/// In so many half minutes it must be the worst where it may be chance.
const AGAIN: u32 = 3;

/// This many times the requests of before are more to do, and fewer the weather of half a minute.
const MORE_TO_DO: f64 = 1.5;

/// A replica that is given this many times the requests of the others is not slow by itself.
const MORE_TRAFFIC: f64 = 3.0;

/// The late events sit on one replica, and the others are fine.
pub(super) fn replica_outlier(facts: &Facts<'_>, _: &Split) -> Option<Finding> {
    // Who does not serve any more is no peer: the last one of several is late because the others are gone.
    let present = |r: &Replica<'_>| {
        let end = facts.incident.1;
        !r.endpoint.gone && r.track.at_or_before(end).is_some_and(|p| end.since(p.at) <= facts.max_gap_s)
    };
    let engines: Vec<_> = facts.engines().filter(present).collect();
    if engines.len() < 2 {
        return None;
    }
    [Metric::Ttft, Metric::Tpot].into_iter().filter(|m| facts.late(*m)).find_map(|m| by(facts, &engines, m))
}

/// The one whose late events of one kind stand out.
fn by(facts: &Facts<'_>, engines: &[Replica<'_>], metric: Metric) -> Option<Finding> {
    let target = metric.target(facts.targets).seconds;
    let of_each: Vec<(usize, f64, f64, f64)> = engines
        .iter()
        .enumerate()
        .filter_map(|(i, r)| {
            let (from, to) = facts.incident;
            let (_, histogram) = Span::of_dist(std::slice::from_ref(r), metric.dist(), from, to)?;
            Some((i, histogram.mean()?, histogram.above(target)?.at_least, histogram.count))
        })
        .collect();
    if of_each.len() < 2 {
        return None;
    }
    let (worst, mean, bad, served) = *of_each.iter().max_by(|a, b| a.2.total_cmp(&b.2))?;
    let mut others: Vec<f64> = of_each.iter().filter(|(i, ..)| *i != worst).map(|(_, m, ..)| *m).collect();
    let middle = median(&mut others)?;
    let all: f64 = of_each.iter().map(|(_, _, b, _)| *b).sum();
    let share = served / of_each.iter().map(|(.., n)| *n).sum::<f64>().max(1.0);
    // One of many must stand out; of two, the other one must be well within the target. Of a few late events more than
    // one on the same replica may be chance: as often as it has a share of the traffic.
    let needed = if bad >= NEARLY_ALL * all && all >= MANY { SLOWER } else { WORSE };
    if mean < needed * middle || bad < OWN * all || middle > target || !over_budget(bad, all, share) {
        return None;
    }
    let times = times_the_worst(facts, engines, worst, metric)?;
    // Where all have as little room, one tips first by chance, and is the worst of all until it has caught up.
    if times < AGAIN && waits_alone(facts, engines, worst) {
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
        ..Subject::default()
    };
    found.confidence = if engines.len() >= 3 { Confidence::High } else { Confidence::Medium };
    if let Some(times) = more_for_the_others(facts, engines, worst).filter(|_| times < AGAIN) {
        found.confidence = Confidence::Low;
        let claim = format!("the others serve {} times as many requests as before", crate::diagnosis::number(times));
        let mut more = facts.evidence("ttft", claim, times, Op::Under, Some(MORE_TO_DO), "ratio");
        more.supports = false;
        found.evidence.push(more);
    }
    let given = times_the_traffic(facts, engines, worst);
    let favoured = super::gateway::favours(facts, &replica_name(&engines[worst]));
    if favoured || given.is_some_and(|times| times >= MORE_TRAFFIC) {
        // It is slow because of what it is given: another one in its place would be as slow.
        found.confidence = Confidence::Low;
    }
    found.evidence.push(facts.evidence(
        metric.dist().name(),
        format!(
            "its mean {} is {} times the median of the others",
            metric.title(),
            crate::diagnosis::number(mean / middle)
        ),
        mean,
        Op::Over,
        Some(needed * middle),
        "s",
    ));
    if let Some(times) = given.filter(|times| favoured || *times >= MORE_TRAFFIC) {
        let claim = format!("it was given {} times the requests of the others", crate::diagnosis::number(times));
        let mut more = facts.evidence("finished", claim, times, Op::Under, Some(MORE_TRAFFIC), "ratio");
        more.supports = false;
        found.evidence.push(more);
        found.surer = Some("how the gateway spreads requests and sessions over the replicas".to_owned());
        return Some(found);
    }
    found.surer = Some("the node and the GPUs of that replica".to_owned());
    Some(found)
}

/// In how many parts of the incident it is the worst, where it is the same replica all along. Where all are near their
/// limit one tips first, and the next one a little later: what is wrong then is not the replica.
fn times_the_worst(facts: &Facts<'_>, engines: &[Replica<'_>], worst: usize, metric: Metric) -> Option<u32> {
    /// Long enough for some late events, short enough for several parts (s).
    const PART_S: f64 = 30.0;
    /// Late events that make a part count.
    const FEW: f64 = 3.0;
    /// The share of the parts in which it must be the worst.
    const MOST: f64 = 0.75;
    let target = metric.target(facts.targets).seconds;
    let (from, to) = facts.incident;
    let (mut parts, mut its) = (0_u32, 0_u32);
    let mut start = from;
    while start < to {
        let end = start.plus(PART_S).min(to);
        let late = |r: &Replica<'_>| {
            let histogram = Span::of_dist(std::slice::from_ref(r), metric.dist(), start, end)?.1;
            Some(histogram.above(target)?.at_least)
        };
        let of_each: Vec<f64> = engines.iter().map(|r| late(r).unwrap_or(0.0)).collect();
        let most = of_each.iter().copied().fold(0.0, f64::max);
        if most >= FEW {
            parts += 1;
            its += u32::from(of_each[worst] >= most);
        }
        start = end;
    }
    // Too few late events for parts say nothing against it.
    (f64::from(its) >= MOST * f64::from(parts)).then_some(its)
}

/// All but one.
fn others<'e, 'a>(engines: &'e [Replica<'a>], replica: usize) -> impl Iterator<Item = &'e Replica<'a>> {
    engines.iter().enumerate().filter(move |(i, _)| *i != replica).map(|(_, r)| r)
}

/// Whether its requests wait longer than those of the others, and are computed as fast once they are let in.
fn waits_alone(facts: &Facts<'_>, engines: &[Replica<'_>], replica: usize) -> bool {
    /// So many times as long is slower: a batch that is fuller makes steps that much longer.
    const SLOWER: f64 = 1.25;
    /// The share of a first token that is spent in the queue.
    const WAITS: f64 = 0.25;
    let (from, to) = facts.incident;
    let mean = |r: &Replica<'_>, dist| Span::of_dist(std::slice::from_ref(r), dist, from, to)?.1.mean();
    let as_fast = |dist| {
        let own = mean(&engines[replica], dist)?;
        let mut others: Vec<f64> = others(engines, replica).filter_map(|r| mean(r, dist)).collect();
        median(&mut others).map(|others| own < SLOWER * others)
    };
    let queued = mean(&engines[replica], Dist::Queue).zip(mean(&engines[replica], Dist::Ttft));
    let waits = queued.is_some_and(|(queue, ttft)| queue >= WAITS * ttft);
    waits && as_fast(Dist::Itl) == Some(true) && as_fast(Dist::Prefill) == Some(true)
}

/// How many times as many requests as before the other replicas serve, where they are more: then all have more to do, and
/// one of them is full first.
fn more_for_the_others(facts: &Facts<'_>, engines: &[Replica<'_>], replica: usize) -> Option<f64> {
    let others: Vec<Replica<'_>> = others(engines, replica).copied().collect();
    let rate = |(from, to)| {
        let (seconds, served) = Span::of_dist(&others, Dist::Ttft, from, to)?;
        (seconds > 0.0 && served.count > 0.0).then(|| served.count / seconds)
    };
    let times = rate(facts.incident)? / rate(facts.baseline.as_ref()?.stretch?)?;
    (times >= MORE_TO_DO).then_some(times)
}

/// How many times the requests of the median of the others a replica was given during the incident.
fn times_the_traffic(facts: &Facts<'_>, engines: &[Replica<'_>], replica: usize) -> Option<f64> {
    let (from, to) = facts.incident;
    let given = |r: &Replica<'_>| {
        let one = std::slice::from_ref(r);
        let waiting = Level::of(one, Gauge::Waiting, from, to, facts.max_gap_s).map_or(0.0, |l| l.last);
        let (seconds, served) = Span::of_dist(one, Dist::Ttft, from, to)?;
        (seconds > 0.0).then(|| (served.count + waiting) / seconds)
    };
    let own = given(&engines[replica])?;
    let mut others: Vec<f64> = others(engines, replica).filter_map(given).collect();
    median(&mut others).filter(|m| *m > 0.0).map(|m| own / m)
}
