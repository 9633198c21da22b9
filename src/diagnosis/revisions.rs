//! The revisions of the workload, newest first, with what the requests on each of them saw.

use super::cluster::revision_of;
use super::facts::Facts;
use super::outcome::RevisionRow;
use super::span::{Replica, Span};
use crate::domain::{Dist, Gauge, Revision};

/// Revisions that are shown: a cluster keeps ten, and the older ones serve nobody.
const MOST: usize = 10;

/// Flags that an engine's own page tells as well, and the family that does. Source: `CacheConfig` of vLLM.
pub(super) const TOLD: [(&str, Gauge, &str); 2] = [
    ("--gpu-memory-utilization", Gauge::MemoryShare, "cache_config_info"),
    ("--block-size", Gauge::KvBlock, "cache_config_info"),
];

pub(super) fn rows(facts: &Facts<'_>) -> Vec<RevisionRow> {
    let Some(cluster) = &facts.cluster else { return Vec::new() };
    let mut revisions: Vec<&Revision> = cluster.facts.revisions.iter().collect();
    revisions.sort_by_key(|r| r.number);
    let mut rows: Vec<RevisionRow> = revisions
        .iter()
        .enumerate()
        .map(|(i, revision)| {
            let before = i.checked_sub(1).map(|b| revisions[b]);
            let of: Vec<Replica<'_>> = facts
                .replicas
                .iter()
                .copied()
                .filter(|r| revision_of(r.endpoint, Some(cluster)) == Some(revision.number))
                .collect();
            let span = Span::between(&of, facts.from, facts.now);
            let ttft = span.as_ref().and_then(|s| s.dist(Dist::Ttft));
            let late = ttft.filter(|h| h.count > 0.0).and_then(|h| h.above(facts.targets.ttft.seconds));
            RevisionRow {
                number: revision.number,
                name: revision.name.clone(),
                created: revision.created,
                desired: revision.desired,
                ready: revision.ready,
                image: revision.template.engine().map_or(String::new(), |c| c.image.clone()),
                change_cause: revision.change_cause.clone(),
                changes: before.map_or(Vec::new(), |b| b.template.changes(&revision.template)),
                unknown: revision.template.unknown.clone(),
                otherwise: otherwise(revision, &of),
                count: ttft.map(|h| h.count),
                ttft_mean: ttft.and_then(crate::domain::Histogram::mean),
                ttft_late: late.map(|f| f.at_least / f.count),
                itl_mean: span.as_ref().and_then(|s| s.mean(Dist::Itl)),
            }
        })
        .collect();
    rows.reverse();
    rows.truncate(MOST);
    rows
}

/// What the last pages of a revision's engines tell otherwise than it declares.
fn otherwise(revision: &Revision, of: &[Replica<'_>]) -> Vec<String> {
    let Some(engine) = revision.template.engine() else { return Vec::new() };
    let told = TOLD.iter().filter_map(|(flag, gauge, family)| {
        let declared: f64 = engine.flag(flag)?.parse().ok()?;
        let values = of.iter().filter_map(|r| r.track.points().back()?.values.gauge(*gauge));
        let other: Vec<f64> = values.filter(|value| (value - declared).abs() > 1e-6).collect();
        let value = *other.first()?;
        let replicas = match other.len() {
            1 => "1 engine's own page".to_owned(),
            n => format!("{n} engines' own pages"),
        };
        Some(format!("{flag} {declared} is declared, {value} stands on {replicas} ({family})"))
    });
    told.collect()
}
