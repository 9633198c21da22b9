//! The revisions of the workload, newest first, with what the requests on each of them saw.

use super::cluster::revision_of;
use super::facts::Facts;
use super::outcome::RevisionRow;
use super::span::{Replica, Span};
use crate::domain::{Dist, Revision};

/// Revisions that are shown: a cluster keeps ten, and the older ones serve nobody.
const MOST: usize = 10;

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
