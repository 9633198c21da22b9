//! What Kubernetes says, as the rules read it: how far it can be believed now, which pod an endpoint is, when each
//! revision came, and how long a start usually takes.

use super::span::median;
use crate::domain::{
    At, ClusterFacts, Endpoint, Pod, Revision, Snapshot, SourceState, StartPhase, TemplateChange, Watch,
};

/// Without a word about a watch, facts older than this are not taken for the present (s).
const OLD_S: f64 = 120.0;
/// An undo brings an old revision back under a new number: created this much before its predecessor (s), it is one.
const CAME_BACK_S: f64 = 1.0;

/// Kubernetes' view of the workload.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cluster<'a> {
    pub(super) facts: &'a ClusterFacts,
    /// When it was last known to hold.
    pub(super) at: At,
    /// Whether it may not hold any more.
    pub(super) stale: bool,
}

/// A revision that came while we looked, or shortly before.
#[derive(Debug, Clone)]
pub(super) struct Rollout<'a> {
    pub(super) revision: &'a Revision,
    /// The revision before it.
    pub(super) before: Option<&'a Revision>,
    /// When it was asked for.
    pub(super) at: At,
    /// When its first pod became Ready.
    pub(super) serving: Option<At>,
    pub(super) changes: Vec<TemplateChange>,
}

impl<'a> Cluster<'a> {
    pub(super) fn of(snapshot: &'a Snapshot) -> Option<Self> {
        let (at, facts) = snapshot.cluster.as_ref()?;
        let vital: Vec<&Watch> = snapshot.watches.iter().filter(|w| is_vital(w)).collect();
        // What a watch has heard of since is what still holds.
        let heard = vital.iter().filter_map(|w| w.heard).min();
        let at = heard.map_or(*at, |h| h.max(*at)).min(snapshot.now.max(*at));
        let stale = if vital.is_empty() {
            snapshot.now.since(at) > OLD_S
        } else {
            vital.iter().any(|w| w.state != SourceState::Live)
        };
        Some(Self { facts, at, stale })
    }

    /// The pod of an endpoint, where it still exists.
    pub(super) fn pod(&self, endpoint: &Endpoint) -> Option<&'a Pod> {
        let name = pod_name(endpoint);
        self.facts.pods.iter().find(|p| p.name == name)
    }

    /// How long a start of this workload takes from the engine's start to Ready (s): the median of its own pods', and of
    /// how many.
    pub(super) fn usual_load(&self) -> Option<(f64, usize)> {
        let mut loads: Vec<f64> = self.facts.pods.iter().filter_map(Pod::load_s).collect();
        let count = loads.len();
        Some((median(&mut loads)?, count))
    }

    /// Pods that are starting, with the phase and the moment since when it lasts.
    pub(super) fn starting(&self) -> impl Iterator<Item = (&'a Pod, StartPhase, Option<At>)> {
        self.facts.pods.iter().filter_map(|p| p.start().map(|(phase, since)| (p, phase, since)))
    }

    /// Pods that Kubernetes calls Ready.
    pub(super) fn ready(&self) -> usize {
        self.facts.pods.iter().filter(|p| p.ready && p.deleting.is_none()).count()
    }

    /// The revisions by number, each with when it was rolled out and in what it differs; oldest first.
    pub(super) fn rollouts(&self) -> Vec<Rollout<'a>> {
        let mut revisions: Vec<&Revision> = self.facts.revisions.iter().collect();
        revisions.sort_by_key(|r| r.number);
        let mut rollouts = Vec::new();
        for (i, revision) in revisions.iter().enumerate() {
            let before = i.checked_sub(1).map(|b| revisions[b]);
            let Some(at) = self.rolled_out(revision, before) else { continue };
            let serving = self.pods_of(revision).filter_map(|p| p.ready_since).min();
            let changes = before.map_or(Vec::new(), |b| b.template.changes(&revision.template));
            rollouts.push(Rollout { revision, before, at, serving, changes });
        }
        rollouts
    }

    fn pods_of(&self, revision: &Revision) -> impl Iterator<Item = &'a Pod> {
        let number = revision.number;
        self.facts.pods.iter().filter(move |p| p.revision == Some(number))
    }

    /// When a revision was asked for: when it was made, or, where an old one came back, when its pods did.
    fn rolled_out(&self, revision: &Revision, before: Option<&Revision>) -> Option<At> {
        let came_back = before
            .and_then(|b| b.created)
            .zip(revision.created)
            .is_some_and(|(before, own)| before.since(own) > CAME_BACK_S);
        if !came_back {
            return revision.created;
        }
        let after = before.and_then(|b| b.created)?;
        let scaled = self.facts.events.iter().filter(|e| e.reason == "ScalingReplicaSet");
        let scaled = scaled.filter(|e| e.message.contains(&revision.name) && e.message.contains("up")).map(|e| e.first);
        scaled.chain(self.pods_of(revision).filter_map(|p| p.created)).filter(|at| *at > after).min()
    }
}

/// The name of the pod that an endpoint is or was.
pub(super) fn pod_name(endpoint: &Endpoint) -> &str {
    endpoint.placements.iter().rev().find_map(|p| p.pod.as_deref()).unwrap_or(&endpoint.name)
}

/// The revision that an endpoint serves or served.
pub(super) fn revision_of(endpoint: &Endpoint, cluster: Option<&Cluster<'_>>) -> Option<u64> {
    let placed = endpoint.placements.iter().rev().find_map(|p| p.revision);
    placed.or_else(|| cluster.and_then(|c| c.pod(endpoint)).and_then(|p| p.revision))
}

/// The node on which an endpoint runs or ran.
pub(super) fn node_of<'a>(endpoint: &'a Endpoint, cluster: Option<&Cluster<'a>>) -> Option<&'a str> {
    let placed = endpoint.placements.iter().rev().find_map(|p| p.node.as_deref());
    placed.or_else(|| cluster.and_then(|c| c.pod(endpoint)).and_then(|p| p.node.as_deref()))
}

/// Whether the workload cannot be judged without what this watch tells.
pub(super) fn is_vital(watch: &Watch) -> bool {
    matches!(watch.resource, "deployments" | "statefulsets" | "replicasets" | "controllerrevisions" | "pods")
}

/// What a rollout changed, in words: the first few things, and how many more.
pub(super) fn in_words(changes: &[TemplateChange]) -> String {
    const MOST: usize = 3;
    const RESTARTED: &str = "annotation kubectl.kubernetes.io/restartedAt";
    if changes.is_empty() {
        return "template unchanged".to_owned();
    }
    if changes.iter().all(|c| c.what == RESTARTED) {
        return "every pod restarted, nothing else changed".to_owned();
    }
    let told: Vec<String> = changes.iter().take(MOST).map(ToString::to_string).collect();
    let more = changes.len().saturating_sub(MOST);
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{rest}", told.join(", "))
}
