//! The rows beside the verdict: replicas, sources, the series, and one line per lever.

use super::cluster::{Cluster, is_vital, node_of, pod_name};
use super::facts::Facts;
use super::outcome::{ReplicaRow, Scope, SeriesPoint, SourceRow};
use super::span::{Replica, Span};
use super::verdict::explains;
use super::{Finding, LeverAdvice, Suspect};
use crate::domain::{
    Action, Code, Dist, Endpoint, Failure, Gauge, Helps, Pod, Reached, Role, Snapshot, SourceState, Track, Via,
};

/// A page older than this is stale, whatever the interval: three missed scrapes, and at least this much.
const STALE_S: f64 = 15.0;

/// The name by which a replica is called.
pub(super) fn replica_name(replica: &Replica<'_>) -> String {
    let endpoint = replica.endpoint;
    let base = endpoint.placements.iter().find_map(|p| p.pod.clone()).unwrap_or_else(|| endpoint.name.clone());
    if replica.track.engine.is_empty() { base } else { format!("{base} engine {}", replica.track.engine) }
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

/// The replicas: engines that are read, and pods that are not (yet).
pub(super) fn replica_rows(facts: &Facts<'_>) -> Vec<ReplicaRow> {
    let mut rows: Vec<ReplicaRow> = facts.replicas.iter().filter_map(|r| replica_row(facts, r)).collect();
    if let Some(cluster) = &facts.cluster {
        let read: Vec<&str> = facts.replicas.iter().filter(|r| r.is_engine()).map(|r| pod_name(r.endpoint)).collect();
        rows.extend(cluster.facts.pods.iter().filter(|p| !read.contains(&p.name.as_str())).map(|p| unread(cluster, p)));
    }
    rows
}

/// A pod without a page.
fn unread(cluster: &Cluster<'_>, pod: &Pod) -> ReplicaRow {
    ReplicaRow {
        name: pod.name.clone(),
        pool: pod.pool,
        node: pod.node.clone(),
        revision: pod.revision,
        ready: Some(pod.ready),
        start: pod.start(),
        usual_load: cluster.usual_load(),
        restarts: Some(pod.restarts),
        gone: false,
        age_s: None,
        queue_mean: None,
        prefill_mean: None,
        itl_mean: None,
        ttft_mean: None,
        count: None,
        waiting: None,
        running: None,
        kv: None,
    }
}

fn replica_row(facts: &Facts<'_>, replica: &Replica<'_>) -> Option<ReplicaRow> {
    let last = replica.track.at_or_before(facts.now)?;
    let endpoint = replica.endpoint;
    // Who was gone before the window began has nothing to say of it.
    if !replica.is_engine() || (endpoint.gone && last.at < facts.from) {
        return None;
    }
    let gauge = |g: Gauge| last.values.gauge(g).filter(|_| !endpoint.gone);
    let span = Span::between(std::slice::from_ref(replica), facts.from, facts.now);
    let mean = |d: Dist| span.as_ref().and_then(|s| facts.phase_mean(s, d));
    let cluster = facts.cluster.as_ref();
    let pod = cluster.and_then(|c| c.pod(endpoint));
    // Kubernetes' own word, where it was asked, is newer than the placement that came with the endpoint.
    let placement = endpoint.placement(facts.now).or_else(|| endpoint.placements.last());
    let start = pod.and_then(Pod::start);
    Some(ReplicaRow {
        name: replica_name(replica),
        pool: replica.pool,
        node: node_of(endpoint, cluster).map(str::to_owned),
        revision: facts.revision(replica),
        ready: pod.map(|p| p.ready).or(placement.and_then(|p| p.ready)).filter(|_| !endpoint.gone),
        start,
        usual_load: start.and(cluster).and_then(Cluster::usual_load),
        restarts: pod.map(|p| p.restarts),
        gone: endpoint.gone,
        age_s: Some(facts.now.since(last.at)),
        queue_mean: mean(Dist::Queue),
        prefill_mean: mean(Dist::Prefill),
        itl_mean: mean(Dist::Itl),
        ttft_mean: mean(Dist::Ttft),
        count: span.as_ref().and_then(|s| s.dist(Dist::Ttft)).map(|h| h.count),
        waiting: gauge(Gauge::Waiting),
        running: gauge(Gauge::Running),
        kv: gauge(Gauge::KvUsage),
    })
}

/// Replicas that are wanted, Ready and answering.
pub(super) fn scope(snapshot: &Snapshot) -> Scope {
    let workload = snapshot.cluster.as_ref().and_then(|(_, facts)| facts.workload.as_ref());
    // Engines of another pool are none of the replicas that are wanted here.
    let engines =
        || snapshot.of_role(Role::Engine).filter(|e| !e.gone && e.placements.iter().all(|p| p.workload.is_none()));
    let answering =
        engines().filter(|e| source(e, snapshot).state == SourceState::Live && e.failing().is_none()).count();
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Scope {
        desired: workload.map(|w| w.desired),
        ready: workload.map(|w| w.ready),
        answering: count(answering),
        endpoints: count(engines().count()),
    }
}

/// What was observed, slice by slice.
pub(super) fn series(facts: &Facts<'_>) -> Vec<SeriesPoint> {
    let share = |e: super::slices::Events| (e.count > 0.0).then(|| (e.bad / e.count).clamp(0.0, 1.0));
    let point = |s: &super::slices::Slice| {
        let length = s.to.since(s.from);
        SeriesPoint {
            from: s.from,
            to: s.to,
            ttft_count: s.ttft.count,
            ttft_mean: s.ttft.mean(),
            ttft_late: share(s.ttft),
            itl_mean: s.itl.mean(),
            itl_late: share(s.itl),
            // Where nobody was read nothing is known, and that is not nought.
            tokens_per_s: (length > 0.0 && (s.running.is_some() || s.tokens > 0.0)).then(|| s.tokens / length),
            waiting: s.waiting,
            running: s.running,
            kv: s.kv,
        }
    };
    facts.slices.iter().map(point).collect()
}

/// The sources: endpoints that are still read, and Kubernetes' watches as one.
pub(super) fn sources(snapshot: &Snapshot) -> Vec<SourceRow> {
    let endpoints = snapshot.endpoints.iter().filter(|e| !e.gone).map(|e| source(e, snapshot));
    kubernetes(snapshot).into_iter().chain(endpoints).chain(probe(snapshot)).chain(prometheus(snapshot)).collect()
}

/// The name of Prometheus among the sources.
const PROMETHEUS: &str = "prometheus";

/// Prometheus as a source, where it was asked or looked for. What it does not tell leaves long windows unknown, and nothing
/// else.
fn prometheus(snapshot: &Snapshot) -> Option<SourceRow> {
    let (state, at, error) = match (&snapshot.told, &snapshot.told_failed, &snapshot.untold) {
        (.., Some((at, untold))) => (untold.state, at, Some(untold.why.clone())),
        (_, Some((at, failure)), _) => (SourceState::Failed, at, Some(failure.to_string())),
        (Some((at, told)), None, None) => {
            let warnings = (!told.warnings.is_empty()).then(|| told.warnings.join("; "));
            (SourceState::Live, at, warnings)
        }
        (None, None, None) => return None,
    };
    Some(SourceRow {
        name: PROMETHEUS.to_owned(),
        state,
        age_s: Some(snapshot.now.since(*at).max(0.0)),
        error,
        via: Some("GET /api/v1/query"),
        instead_of: None,
        found: snapshot.told.as_ref().filter(|_| snapshot.untold.is_none()).and_then(|(_, told)| told.found.clone()),
        series: None,
        skipped: None,
        families: Vec::new(),
        lacks: Vec::new(),
        beside: true,
    })
}

/// The name of our own requests among the sources.
pub(super) const PROBE: &str = "probe";

/// Our own requests as a source, where there are any: as well as the last one went.
fn probe(snapshot: &Snapshot) -> Option<SourceRow> {
    let (at, probed) = snapshot.last_probe()?;
    Some(SourceRow {
        name: PROBE.to_owned(),
        state: if probed.answer.is_ok() { SourceState::Live } else { SourceState::Failed },
        age_s: Some(snapshot.now.since(*at).max(0.0)),
        error: probed.answer.as_ref().err().map(|failure| format!("through {}: {failure}", probed.door.name())),
        via: Some("POST /v1/completions"),
        instead_of: None,
        found: None,
        series: None,
        skipped: None,
        families: Vec::new(),
        lacks: Vec::new(),
        beside: false,
    })
}

/// The name of Kubernetes among the sources.
pub(super) const KUBERNETES: &str = "kubernetes";

/// Kubernetes as a source: as well as the watches without which the workload cannot be judged; what else may not be read
/// is told.
fn kubernetes(snapshot: &Snapshot) -> Option<SourceRow> {
    if snapshot.watches.is_empty() && snapshot.cluster.is_none() {
        return None;
    }
    let rank = |s: SourceState| match s {
        SourceState::Live => 0,
        SourceState::Connecting => 1,
        SourceState::Stale => 2,
        SourceState::Absent => 3,
        SourceState::Failed => 4,
        SourceState::Denied => 5,
    };
    let vital = || snapshot.watches.iter().filter(|w| is_vital(w));
    let old = Cluster::of(snapshot).is_some_and(|c| c.stale);
    let state = vital().map(|w| w.state).max_by_key(|s| rank(*s));
    let state = match state {
        Some(state) => state,
        None if old => SourceState::Stale,
        None if snapshot.cluster.is_some() => SourceState::Live,
        None => SourceState::Connecting,
    };
    let heard = vital().filter_map(|w| w.heard).min().or_else(|| snapshot.cluster.as_ref().map(|(at, _)| *at));
    let mut troubles: Vec<String> = snapshot
        .watches
        .iter()
        .filter(|w| !matches!(w.state, SourceState::Live | SourceState::Connecting))
        .map(|w| {
            let why = w.error.as_ref().map_or(String::new(), |e| format!(": {e}"));
            format!("{} {}{why}", w.resource, w.state)
        })
        .collect();
    let gone = snapshot.cluster.as_ref().is_some_and(|(_, f)| f.workload.is_none());
    if gone && let Some(target) = &snapshot.target {
        troubles.insert(0, format!("there is no {}/{} in {}", target.kind.short(), target.name, target.namespace));
    }
    Some(SourceRow {
        name: KUBERNETES.to_owned(),
        state,
        age_s: heard.map(|at| snapshot.now.since(at).max(0.0)),
        error: (!troubles.is_empty()).then(|| troubles.join("; ")),
        via: Some("watch"),
        instead_of: None,
        found: None,
        series: None,
        skipped: None,
        families: Vec::new(),
        lacks: Vec::new(),
        beside: false,
    })
}

/// Whether everything that users depend on was read: engines that are meant to answer, the gateway, and Kubernetes where
/// it was asked. An exporter of GPUs that is lost leaves GPUs unknown, and what the engines measured stands.
pub(super) fn complete(snapshot: &Snapshot, sources: &[SourceRow]) -> bool {
    let cluster = Cluster::of(snapshot).filter(|c| !c.stale);
    let live = |name: &str| sources.iter().any(|s| s.name == name && s.state == SourceState::Live);
    let read = |e: &Endpoint| match e.role {
        Role::Gpus => true,
        Role::Gateway => live(&e.name),
        // A pod that is still starting is not expected to answer.
        Role::Engine => live(&e.name) || cluster.is_some_and(|c| c.pod(e).is_some_and(|p| p.start().is_some())),
    };
    let ours = |s: &&SourceRow| s.name == KUBERNETES || s.name == PROBE;
    let ours = sources.iter().filter(ours).all(|s| s.state == SourceState::Live);
    ours && snapshot.endpoints.iter().filter(|e| !e.gone).all(read)
}

fn source(endpoint: &Endpoint, snapshot: &Snapshot) -> SourceRow {
    let age_s = endpoint.last_page().map(|at| snapshot.now.since(at));
    let failing = endpoint.failing();
    let interval_s = snapshot.interval_s.max(endpoint.paced_s.unwrap_or(0.0));
    let old = age_s.is_some_and(|a| a > STALE_S.max(3.0 * interval_s));
    let state = match (age_s, failing) {
        (None, None) => SourceState::Connecting,
        (None, Some(_)) => SourceState::Failed,
        (Some(_), Some(failure)) if old || *failure == Failure::Refused => SourceState::Failed,
        (Some(_), _) if old => SourceState::Stale,
        (Some(_), _) => SourceState::Live,
    };
    let reached = endpoint.reached.as_ref();
    let torn: u32 = endpoint.tracks.iter().map(Track::torn).sum();
    let error = match (failing, &endpoint.first_skipped) {
        (Some(failure), _) => Some(failure.to_string()),
        (None, Some(skipped)) if endpoint.skipped > 0 => {
            Some(format!("{} lines skipped, the first: {skipped}", endpoint.skipped))
        }
        (None, _) if torn > 0 => Some(format!("{torn} pages dropped that contradict themselves")),
        _ => endpoint.left_out.clone(),
    };
    SourceRow {
        name: endpoint.name.clone(),
        state,
        age_s,
        error,
        via: if endpoint.reproduce.contains("/api/v1/query") {
            Some("GET /api/v1/query")
        } else {
            reached.and_then(|r| r.via).map(Via::code)
        },
        instead_of: reached.and_then(Reached::instead_of),
        found: endpoint.placements.last().and_then(|p| p.found.clone()),
        series: age_s.map(|_| endpoint.series),
        skipped: age_s.map(|_| endpoint.skipped),
        families: endpoint.families.clone(),
        lacks: endpoint.system.as_ref().map(|s| s.lacks.clone()).unwrap_or_default(),
        beside: false,
    }
}
