//! What changed, on one clock: rollouts, scalings, the autoscaler's mind, `ConfigMaps`, pods, GPUs, and the moment the
//! objective broke.

use super::cluster::{Cluster, in_words};
use super::facts::Facts;
use super::format::length;
use super::gpus::{Gpu, Trouble};
use super::outcome::{Change, ChangeKind};
use super::rows::replica_name;
use super::slo::Metric;
use crate::domain::{At, ClusterEvent, Pod, Verdict};

/// How far back changes are told (s), and how many at most.
const BACK_S: f64 = 7200.0;
const MOST: usize = 60;
/// Times of Kubernetes are whole seconds, and controllers take one or two (s).
const AT_ONCE_S: f64 = 5.0;

/// The changes, newest first.
pub(super) fn changes(facts: &Facts<'_>, verdict: Verdict, since: Option<At>, until: Option<At>) -> Vec<Change> {
    let mut all: Vec<Change> = facts
        .replicas
        .iter()
        .flat_map(|r| r.track.restarts().iter().map(move |at| (r, *at)))
        .filter(|(_, at)| *at >= facts.from)
        .map(|(r, at)| Change {
            at,
            kind: ChangeKind::Restart,
            summary: format!("{} restarted: its counters began again", replica_name(r)),
        })
        .collect();
    if let Some(cluster) = &facts.cluster {
        rollouts(cluster, &mut all);
        scaled(cluster, &mut all);
        events(cluster, &mut all);
        config_maps(cluster, &mut all);
        cluster.facts.pods.iter().for_each(|pod| pod_changes(pod, &mut all));
    }
    gpus(facts, &mut all);
    // Where Kubernetes or a GPU tells of changes, the onset stands between them; alone it would only repeat the headline.
    if facts.cluster.is_some() || !facts.gpus.is_empty() {
        onset(facts, verdict, since, until, &mut all);
    }
    let oldest = facts.now.plus(-BACK_S);
    all.retain(|c| c.at >= oldest && c.at <= facts.now);
    all.sort_by(|a, b| (b.at, a.kind).cmp(&(a.at, b.kind)));
    all.dedup();
    all.truncate(MOST);
    all
}

fn onset(facts: &Facts<'_>, verdict: Verdict, since: Option<At>, until: Option<At>, all: &mut Vec<Change>) {
    let broken: Vec<&str> =
        [Metric::Ttft, Metric::Tpot].into_iter().filter(|m| facts.late(*m)).map(Metric::title).collect();
    let what = match (verdict, broken.is_empty()) {
        (Verdict::Stalled, _) => "nothing moves".to_owned(),
        (_, false) => format!("{} late", broken.join(" and ")),
        (_, true) => "trouble begins".to_owned(),
    };
    if let Some(at) = since {
        all.push(Change { at, kind: ChangeKind::Onset, summary: what });
    }
    if let Some(at) = until {
        all.push(Change { at, kind: ChangeKind::Onset, summary: "over".to_owned() });
    }
}

/// GPUs in trouble; those of one pod with one cause are one change.
fn gpus(facts: &Facts<'_>, all: &mut Vec<Change>) {
    let mut troubled: Vec<_> = facts.gpus.iter().filter_map(|g| Some((g, g.trouble.as_ref()?))).collect();
    troubled.sort_by_key(|(_, t)| t.since);
    while let Some((first, trouble)) = troubled.first().copied() {
        let like = |g: &Gpu<'_>, t: &Trouble| {
            (&g.track.id.node, &g.row.pod, t.cause) == (&first.track.id.node, &first.row.pod, trouble.cause)
        };
        let before = troubled.len();
        troubled.retain(|(g, t)| !like(g, t));
        let more = before - troubled.len() - 1;
        let others = if more > 0 { format!(" (and {more} more of its pod)") } else { String::new() };
        let summary = format!("{}: {}{others}", first.name(), trouble.claim);
        all.push(Change { at: trouble.since, kind: ChangeKind::Gpu, summary });
    }
}

fn rollouts(cluster: &Cluster<'_>, all: &mut Vec<Change>) {
    for rollout in cluster.rollouts() {
        let (number, was) = (rollout.number, rollout.revision.was.last().filter(|_| rollout.came_back));
        let back = was.map_or(String::new(), |was| format!(" (rev {was} again)"));
        let by = cluster.facts.workload.as_ref().and_then(|w| w.template_by.as_ref());
        // A revision is made as soon as its template is written.
        let by = by.filter(|(_, at)| rollout.at.since(*at).abs() <= AT_ONCE_S);
        let by = by.map_or(String::new(), |(who, _)| format!(", by '{who}'"));
        let summary = match rollout.before {
            Some((_, before)) => format!("rev {before} -> {number}{back}: {}{by}", in_words(&rollout.changes)),
            None => format!("rev {number} created"),
        };
        all.push(Change { at: rollout.at, kind: ChangeKind::Rollout, summary });
    }
}

/// Who set the number of replicas last: the events say that it changed, and not by whom. A manager's time is that of
/// whatever it wrote last, so one that owns the template as well may have written no more than that.
fn scaled(cluster: &Cluster<'_>, all: &mut Vec<Change>) {
    let Some(workload) = &cluster.facts.workload else { return };
    let Some((who, at)) = &workload.scaled_by else { return };
    // What was written when it was created is no scaling.
    let later = workload.created.is_none_or(|created| at.since(created) > 1.0);
    if later && workload.template_by != workload.scaled_by {
        let summary = format!("{} replicas wanted, set by '{who}'", workload.desired);
        all.push(Change { at: *at, kind: ChangeKind::Scale, summary });
    }
}

fn events(cluster: &Cluster<'_>, all: &mut Vec<Change>) {
    for event in &cluster.facts.events {
        match event.reason.as_str() {
            // "Scaled up replica set vllm-7c9f to 3 from 2": a revision says more than its hash.
            "ScalingReplicaSet" => {
                let mut words = event.message.clone();
                for revision in &cluster.facts.revisions {
                    let name = &revision.name;
                    let number = cluster.number_at(revision, event.at);
                    words = words.replace(&format!("replica set {name}"), &format!("rev {number}"));
                }
                all.push(Change { at: event.at, kind: ChangeKind::Scale, summary: words });
            }
            "SuccessfulRescale" => {
                let summary = format!("{}: {}", event.about.1, event.message);
                all.push(Change { at: event.at, kind: ChangeKind::Autoscaler, summary });
            }
            reason if ClusterEvent::EVICTIONS.contains(&reason) => {
                let summary = format!("{}: {reason}: {}", event.about.1, event.message);
                all.push(Change { at: event.at, kind: ChangeKind::Pod, summary });
            }
            "NodeNotReady" | "NodeReady" | "NodeNotSchedulable" | "NodeSchedulable" => {
                let summary = format!("{}: {}", event.about.1, event.reason);
                all.push(Change { at: event.at, kind: ChangeKind::Node, summary });
            }
            _ => {}
        }
    }
}

/// `ConfigMaps` that give flags: an engine reads them when it starts, and never again.
fn config_maps(cluster: &Cluster<'_>, all: &mut Vec<Change>) {
    for written in &cluster.facts.written {
        let older = |pod: &&Pod| pod.deleting.is_none() && pod.started.is_some_and(|started| started < written.at);
        let pods = match cluster.facts.pods.iter().filter(older).count() {
            0 => String::new(),
            1 => "; 1 pod started before".to_owned(),
            n => format!("; {n} pods started before"),
        };
        let summary = format!("ConfigMap {} changed by '{}'{pods}", written.config_map, written.by);
        all.push(Change { at: written.at, kind: ChangeKind::Config, summary });
    }
}

fn pod_changes(pod: &Pod, all: &mut Vec<Change>) {
    let mut push = |at: Option<At>, summary: String| {
        if let Some(at) = at {
            all.push(Change { at, kind: ChangeKind::Pod, summary });
        }
    };
    if pod.ready {
        let load = pod.load_s().map_or(String::new(), |s| format!(", {} after its engine started", length(s)));
        push(pod.ready_since, format!("{} Ready{load}", pod.name));
    }
    if pod.restarts > 0 {
        let how = pod
            .last_exit
            .as_ref()
            .map_or(String::new(), |(reason, code)| format!(" after {reason} (exit code {code})"));
        push(pod.started, format!("{} started again{how}", pod.name));
    }
    push(pod.deleting, format!("{} is being deleted", pod.name));
    if pod.unschedulable.is_some() {
        push(pod.created, format!("{} created, and no node takes it", pod.name));
    }
}
