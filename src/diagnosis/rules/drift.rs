//! Replicas of one revision that run with different flags: a `ConfigMap` that changed after some of them had started, or a
//! template that is not what runs. The revision's number says that they are alike, and their own pages say otherwise.

use super::gpu::{OWN, WORSE, compared};
use super::rollout::troubled;
use super::{Split, finding};
use crate::diagnosis::facts::Facts;
use crate::diagnosis::format::{number, percent};
use crate::diagnosis::revisions::TOLD;
use crate::diagnosis::rows::replica_name;
use crate::diagnosis::span::Replica;
use crate::diagnosis::{Finding, Metric, Op, Subject};
use crate::domain::{Cause, Code, Confidence, Gauge, Phase, Severity};

/// Flags are told exactly: what differs by more than rounding is another value.
const ROUNDING: f64 = 1e-6;
/// A cache's size is what was left when it was measured: activations and graphs move it by some percent, and less than this
/// share of another's is of other flags, on the same kind of GPU.
const SMALLER: f64 = 0.8;

/// What the replicas of a revision are told otherwise than the first of them.
struct Drift<'a> {
    revision: Option<u64>,
    flag: &'static str,
    family: &'static str,
    /// What the one says that started first, and what those say that differ from it.
    first: f64,
    other: f64,
    others: Vec<Replica<'a>>,
}

/// The flag in which most replicas of one revision differ from the one that started first.
fn drift<'a>(facts: &Facts<'a>) -> Option<Drift<'a>> {
    let mut engines: Vec<Replica<'a>> = facts.engines().filter(|r| r.track.points().front().is_some()).collect();
    let start = |r: &Replica<'_>| {
        let first = r.track.points().front();
        first.and_then(|p| p.values.gauge(Gauge::ProcessStart).or(Some(p.at.since(crate::domain::At(0)))))
    };
    engines.sort_by(|a, b| start(a).partial_cmp(&start(b)).unwrap_or(std::cmp::Ordering::Equal));
    let mut revisions: Vec<Option<u64>> = engines.iter().map(|r| facts.revision(r)).collect();
    revisions.sort_unstable();
    revisions.dedup();
    // Of replicas whose revision is not known, nobody says that they are alike.
    let all = revisions.into_iter().flatten().flat_map(|number| {
        let of: Vec<Replica<'a>> = engines.iter().copied().filter(|r| facts.revision(r) == Some(number)).collect();
        let capacity = ("a KV cache of (tokens)", Gauge::KvCapacity, "kv_capacity_tokens");
        TOLD.into_iter().chain([capacity]).filter_map(move |(flag, gauge, family)| {
            let told = |r: &Replica<'a>| r.track.points().back()?.values.gauge(gauge);
            let (one, first) = of.iter().find_map(|r| Some((*r, told(r)?)))?;
            let differs = |r: &Replica<'a>| {
                told(r).is_some_and(|value| match gauge {
                    Gauge::KvCapacity => value.min(first) < SMALLER * value.max(first) && alike(facts, &one, r),
                    _ => (value - first).abs() > ROUNDING,
                })
            };
            let others: Vec<Replica<'a>> = of.iter().copied().filter(differs).collect();
            let other = others.last().and_then(told)?;
            Some(Drift { revision: Some(number), flag, family, first, other, others })
        })
    });
    // Of flags that differ on as many the first one: a cache is as large as its flags let it.
    all.min_by_key(|d| std::cmp::Reverse(d.others.len()))
}

/// Whether two replicas are known to be on the same kind of GPU.
fn alike(facts: &Facts<'_>, one: &Replica<'_>, other: &Replica<'_>) -> bool {
    let kind =
        |r: &Replica<'_>| facts.cluster.as_ref().and_then(|c| super::placement::product(r, c).map(str::to_owned));
    kind(one).is_some_and(|one| kind(other) == Some(one))
}

/// Replicas of one revision run with different flags, and those that differ are the late ones.
pub(super) fn config_drift(facts: &Facts<'_>, _: &Split) -> Option<Finding> {
    let drift = drift(facts).filter(|_| troubled(facts))?;
    let metric = if facts.late(Metric::Tpot) && !facts.late(Metric::Ttft) { Metric::Tpot } else { Metric::Ttft };
    let is_other = |r: &Replica<'_>| drift.others.iter().any(|o| std::ptr::eq(o.track, r.track));
    let (from, to) = facts.incident;
    let serving = facts.engines().filter(|r| r.points(from, to).nth(1).is_some());
    let (own, rest): (Vec<Replica<'_>>, Vec<Replica<'_>>) = serving.partition(is_other);
    let (share, ratio, concentrated) = compared(facts, metric, &own, &rest);
    let theirs = share.is_some_and(|s| s >= OWN) && (concentrated || ratio.is_none_or(|r| r >= WORSE));
    let names: Vec<String> = drift.others.iter().map(replica_name).collect();
    let more = if names.len() > 1 { format!(" and {} more", names.len() - 1) } else { String::new() };
    let revision = drift.revision.map_or("one revision".to_owned(), |n| format!("rev {n}"));
    let summary = format!(
        "{}{more} of {revision} run with {} {}, the one that started first with {}",
        names[0],
        drift.flag,
        number(drift.other),
        number(drift.first)
    );
    let mut found = finding(facts, Code::Cause(Cause::ConfigDrift), Phase::Rollout, summary);
    found.subject = Subject {
        replica: (names.len() == 1).then(|| names[0].clone()),
        revision: drift.revision,
        ..Subject::default()
    };
    found.confidence = if theirs { Confidence::High } else { Confidence::Low };
    if !theirs {
        found.severity = Severity::Warning;
    }
    let claim = format!("{} of the replicas of {revision} tell {} otherwise", names.len(), drift.flag);
    let mut told = facts.evidence("", claim, drift.other, Op::Is, Some(drift.first), "value");
    drift.family.clone_into(&mut told.source);
    found.evidence.push(told);
    if let Some(share) = share {
        let times = ratio.map_or(String::new(), |r| format!(", with a mean {} times that of the others", number(r)));
        let claim = format!("{} of the late events are theirs{times}", percent(share));
        let mut late = facts.evidence(metric.dist().name(), claim, share, Op::Over, Some(OWN), "ratio");
        late.supports = theirs;
        found.evidence.push(late);
    }
    found.surer = Some("what changed the ConfigMap that gives them flags, and when: its managedFields".to_owned());
    Some(found)
}
