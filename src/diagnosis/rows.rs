//! The rows beside the verdict: replicas, sources, changes, and one line per lever.

use super::facts::Facts;
use super::outcome::{Change, ChangeKind, ReplicaRow, SourceRow};
use super::span::{Replica, Span};
use super::verdict::explains;
use super::{Finding, LeverAdvice, Suspect};
use crate::domain::{Action, Code, Dist, Endpoint, Failure, Gauge, Helps, Histogram, Snapshot, SourceState, Track};

/// A page older than this is stale, whatever the interval: three missed scrapes, and at least this much.
const STALE_S: f64 = 15.0;

/// The name by which a replica is called.
pub(super) fn replica_name(replica: &Replica<'_>) -> String {
    let endpoint = replica.endpoint;
    let base = endpoint.placements.iter().find_map(|p| p.pod.clone()).unwrap_or_else(|| endpoint.name.clone());
    if replica.track.engine.is_empty() { base } else { format!("{base} engine {}", replica.track.engine) }
}

pub(super) fn changes(facts: &Facts<'_>) -> Vec<Change> {
    let mut changes: Vec<Change> = facts
        .replicas
        .iter()
        .flat_map(|r| r.track.restarts().iter().map(move |at| (r, *at)))
        .filter(|(_, at)| *at >= facts.from && *at <= facts.now)
        .map(|(r, at)| Change {
            at,
            kind: ChangeKind::Restart,
            summary: format!("{} restarted: its counters began again", replica_name(r)),
        })
        .collect();
    changes.sort_by_key(|c| std::cmp::Reverse(c.at));
    changes
}

/// One line per lever: what the suspect's mechanism says of it, and every cause that has evidence.
pub(super) fn all_levers(findings: &[Finding], suspect: Option<&Suspect>) -> Vec<LeverAdvice> {
    let mut all: Vec<LeverAdvice> = Vec::new();
    let concerns = |f: &&Finding| match (f.code, suspect) {
        (Code::Mechanism(m), Some(s)) => m == s.mechanism,
        (Code::Cause(c), Some(s)) => explains(c, s.mechanism),
        _ => false,
    };
    for finding in findings.iter().filter(concerns) {
        for lever in &finding.levers {
            match all.iter_mut().find(|l| l.action == lever.action) {
                Some(known) if known.helps == Helps::Unknown => *known = lever.clone(),
                Some(_) => {}
                None => all.push(lever.clone()),
            }
        }
    }
    all.sort_by_key(|l| (l.helps, l.action != Action::ShedLoad));
    all
}

pub(super) fn replica_row(facts: &Facts<'_>, replica: &Replica<'_>) -> Option<ReplicaRow> {
    let last = replica.track.at_or_before(facts.now)?;
    let gauge = |g: Gauge| last.values.gauge(g);
    let ttft = Span::of_dist(std::slice::from_ref(replica), Dist::Ttft, facts.from, facts.now).map(|(_, h)| h);
    let placement = replica.endpoint.placement(facts.now);
    replica.is_engine().then(|| ReplicaRow {
        name: replica_name(replica),
        node: placement.and_then(|p| p.node.clone()),
        revision: placement.and_then(|p| p.revision),
        ready: placement.and_then(|p| p.ready),
        start: None,
        usual_load: None,
        restarts: None,
        gone: replica.endpoint.gone,
        age_s: Some(facts.now.since(last.at)),
        queue_mean: None,
        prefill_mean: None,
        itl_mean: None,
        ttft_mean: ttft.as_ref().and_then(Histogram::mean),
        count: ttft.as_ref().map(|h| h.count),
        waiting: gauge(Gauge::Waiting),
        running: gauge(Gauge::Running),
        kv: gauge(Gauge::KvUsage),
    })
}

pub(super) fn source(endpoint: &Endpoint, snapshot: &Snapshot) -> SourceRow {
    let age_s = endpoint.last_page().map(|at| snapshot.now.since(at));
    let failing = endpoint.failing();
    let old = age_s.is_some_and(|a| a > STALE_S.max(3.0 * snapshot.interval_s));
    let state = match (age_s, failing) {
        (None, None) => SourceState::Connecting,
        (None, Some(_)) => SourceState::Failed,
        (Some(_), Some(failure)) if old || *failure == Failure::Refused => SourceState::Failed,
        (Some(_), _) if old => SourceState::Stale,
        (Some(_), _) => SourceState::Live,
    };
    let torn: u32 = endpoint.tracks.iter().map(Track::torn).sum();
    let error = match (failing, &endpoint.first_skipped) {
        (Some(failure), _) => Some(failure.to_string()),
        (None, Some(skipped)) if endpoint.skipped > 0 => {
            Some(format!("{} lines skipped, the first: {skipped}", endpoint.skipped))
        }
        (None, _) if torn > 0 => Some(format!("{torn} pages dropped that contradict themselves")),
        _ => None,
    };
    SourceRow {
        name: endpoint.name.clone(),
        state,
        age_s,
        error,
        via: None,
        series: endpoint.system.as_ref().map(|_| endpoint.series),
        skipped: endpoint.system.as_ref().map(|_| endpoint.skipped),
        families: endpoint.families.clone(),
    }
}
