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
    /// Its number then: it has another one now if it was brought back since.
    pub(super) number: u64,
    /// The revision before it, with its number then.
    pub(super) before: Option<(&'a Revision, u64)>,
    /// Whether an earlier revision was brought back: a remedy that somebody tried, where it came after the break.
    pub(super) came_back: bool,
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

    /// The rollouts by number, each with when it was asked for and in what it differs; oldest first. A revision that was
    /// brought back is there twice: when it was made, and when it came back.
    pub(super) fn rollouts(&self) -> Vec<Rollout<'a>> {
        let steps = self.steps();
        let mut rollouts = Vec::new();
        for (i, (number, revision)) in steps.iter().copied().enumerate() {
            let before = i.checked_sub(1).map(|b| (steps[b].1, steps[b].0));
            let came_back = number == revision.number && came_back(revision, before.map(|(b, _)| b));
            let Some(at) = self.at_step(&steps, i) else { continue };
            // Pods of its other time are not of this one.
            let until = if came_back { None } else { self.came_back_since(revision) };
            let own = |p: &&Pod| p.created.is_none_or(|c| c >= at.plus(-1.0) && until.is_none_or(|u| c < u));
            let serving = self.pods_of(revision).filter(own).filter_map(|p| p.ready_since).min();
            let changes = before.map_or(Vec::new(), |(b, _)| b.template.changes(&revision.template));
            rollouts.push(Rollout { revision, number, before, came_back, at, serving, changes });
        }
        rollouts
    }

    /// The revisions by every number that they ever had, oldest first.
    fn steps(&self) -> Vec<(u64, &'a Revision)> {
        let numbered = |r: &'a Revision| r.was.iter().copied().chain([r.number]).map(move |n| (n, r));
        let mut steps: Vec<(u64, &Revision)> = self.facts.revisions.iter().flat_map(numbered).collect();
        steps.sort_by_key(|(number, _)| *number);
        steps
    }

    /// When a step was made, or an old revision brought back in it: after the step before it.
    fn at_step(&self, steps: &[(u64, &'a Revision)], i: usize) -> Option<At> {
        let (number, revision) = steps[i];
        let before = i.checked_sub(1).map(|b| steps[b].1);
        match (number == revision.number && came_back(revision, before), revision.was.first()) {
            (true, _) => {
                let earlier = self.at_step(steps, i.checked_sub(1)?);
                // Where nothing tells when the step before it was made, who wrote the template last knows when that was.
                let written = self.facts.workload.as_ref().and_then(|w| w.template_by.as_ref()).map(|(_, at)| *at);
                let written = written.filter(|_| earlier.is_none() && i + 1 == steps.len());
                written.or_else(|| self.came_back_after(revision, earlier.or(before?.created)?))
            }
            (false, Some(first)) if *first != number => None,
            _ => revision.created,
        }
    }

    /// A revision's name in a sentence, by the number that it has now.
    pub(super) fn called(&self, number: u64) -> String {
        let was = self.facts.revisions.iter().find(|r| r.number == number).and_then(|r| r.was.last());
        was.map_or_else(|| format!("rev {number}"), |was| format!("rev {number} (was {was})"))
    }

    /// The number that a revision had at a moment.
    pub(super) fn number_at(&self, revision: &Revision, at: At) -> u64 {
        let since = self.came_back_since(revision);
        let before = since.is_some_and(|since| at < since);
        revision.was.last().copied().filter(|_| before).unwrap_or(revision.number)
    }

    /// The number that a revision has now which had this one.
    pub(super) fn now_called(&self, number: u64) -> u64 {
        let known = |r: &&Revision| r.number == number || r.was.contains(&number);
        self.facts.revisions.iter().find(known).map_or(number, |r| r.number)
    }

    /// When a revision was made, by the number that it has now.
    pub(super) fn created(&self, number: u64) -> Option<At> {
        self.facts.revisions.iter().find(|r| r.number == number)?.created
    }

    fn came_back_since(&self, revision: &Revision) -> Option<At> {
        let steps = self.steps();
        let i = steps.iter().position(|(number, r)| *number == revision.number && r.number == *number)?;
        let before = i.checked_sub(1).map(|b| steps[b].1);
        if came_back(revision, before) { self.at_step(&steps, i) } else { None }
    }

    fn pods_of(&self, revision: &Revision) -> impl Iterator<Item = &'a Pod> {
        let number = revision.number;
        self.facts.pods.iter().filter(move |p| p.revision == Some(number))
    }

    /// When an old revision was brought back: when its pods came, after what it replaced had come. An event that is told
    /// again keeps its first time.
    fn came_back_after(&self, revision: &Revision, after: At) -> Option<At> {
        let scaled = self.facts.events.iter().filter(|e| e.reason == "ScalingReplicaSet");
        let scaled = scaled.filter(|e| e.message.contains(&revision.name) && e.message.contains("up"));
        let scaled = scaled.flat_map(|e| [e.first, e.at]);
        scaled.chain(self.pods_of(revision).filter_map(|p| p.created)).filter(|at| *at > after).min()
    }
}

/// Whether a revision is an old one that was brought back: its controller remembers other numbers of it, or it is older
/// than the one that it replaced.
fn came_back(revision: &Revision, before: Option<&Revision>) -> bool {
    let older = before.and_then(|b| b.created).zip(revision.created);
    !revision.was.is_empty() || older.is_some_and(|(before, own)| before.since(own) > CAME_BACK_S)
}

/// The name of the pod that an endpoint is or was.
pub(super) fn pod_name(endpoint: &Endpoint) -> &str {
    endpoint.placements.iter().rev().find_map(|p| p.pod.as_deref()).unwrap_or(&endpoint.name)
}

/// The revision that an endpoint serves or served, by the number that it has now; none of another workload's, whose numbers
/// mean others.
pub(super) fn revision_of(endpoint: &Endpoint, cluster: Option<&Cluster<'_>>) -> Option<u64> {
    if endpoint.placements.iter().any(|p| p.workload.is_some()) {
        return None;
    }
    let placed = endpoint.placements.iter().rev().find_map(|p| p.revision);
    let number = placed.or_else(|| cluster.and_then(|c| c.pod(endpoint)).and_then(|p| p.revision))?;
    Some(cluster.map_or(number, |c| c.now_called(number)))
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
