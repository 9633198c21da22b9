//! How far a change has come, in the order of tests that `kubectl rollout status` has; and why it does not get on.
//!
//! Done means that Kubernetes is done. Whether latency is over is said elsewhere.

use serde::Serialize;

use super::cost::span;
use super::plan::{Goal, Plan};
use super::template;
use crate::domain::{At, ClusterFacts, Pod, Workload, WorkloadKind};

/// How far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// It is stored, or not even that is seen yet; no controller has acted on it.
    Waiting,
    /// Pods are being replaced, started or ended.
    Underway,
    /// It does not get on.
    Stuck,
    /// It is as was asked for.
    Done,
    /// Somebody changed it again.
    Superseded,
    /// The object does not exist any more.
    Gone,
}

/// How far a change has come.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Progress {
    /// How far.
    pub stage: Stage,
    /// It in one sentence.
    pub sentence: String,
    /// Replicas that are as they should be.
    pub ready: u32,
    /// Of so many.
    pub of: u32,
}

/// How far `plan` has come, by what is known at `now`.
pub fn progress(facts: &ClusterFacts, plan: &Plan, now: At) -> Progress {
    let said = |stage, sentence: String| Progress { stage, sentence, ready: 0, of: 0 };
    let whether = |is: bool, what: String| {
        if is { said(Stage::Done, what) } else { said(Stage::Waiting, format!("not yet so: {what}")) }
    };
    let uid = &plan.precondition.uid;
    match &plan.goal {
        Goal::Bounds { min, max } => match facts.autoscaler.as_ref().filter(|a| a.uid == *uid) {
            Some(a) if (a.min, a.max) == (*min, *max) => within(facts, *min, *max)
                .unwrap_or_else(|| whether(true, format!("bounds {min}-{max}; it wants {}", a.desired))),
            Some(a) => whether(false, format!("bounds {min}-{max}; it wants {}", a.desired)),
            None => said(Stage::Gone, "the autoscaler does not exist any more".to_owned()),
        },
        Goal::ScaleInPaused(paused) => match facts.autoscaler.as_ref().filter(|a| a.uid == *uid) {
            Some(a) => whether(a.keeps_replicas == *paused, plan.action.to_string()),
            None => said(Stage::Gone, "the autoscaler does not exist any more".to_owned()),
        },
        Goal::Cordoned(cordoned) => match facts.nodes.iter().flatten().find(|n| n.uid == *uid) {
            Some(n) => whether(n.cordoned == *cordoned, plan.action.to_string()),
            None => said(Stage::Gone, "the node is not known any more".to_owned()),
        },
        Goal::Template(_) | Goal::Replicas(_) | Goal::Paused(_) => match &facts.workload {
            Some(w) if w.uid == *uid => of_workload(facts, w, plan, now),
            _ => said(Stage::Gone, format!("{} does not exist any more", plan.object)),
        },
    }
}

/// What bounds that are stored wait for still: for the autoscaler to act on them, and for what it starts to serve.
fn within(facts: &ClusterFacts, min: u32, max: u32) -> Option<Progress> {
    let w = facts.workload.as_ref()?;
    let said = |stage, sentence: String| Progress { stage, sentence, ready: w.available.min(min), of: min };
    if w.desired < min || w.desired > max {
        return Some(said(Stage::Underway, format!("bounds {min}-{max} are stored; {} are wanted still", w.desired)));
    }
    if w.available >= min {
        return None;
    }
    let starting: Vec<&Pod> = facts.pods.iter().filter(|p| p.deleting.is_none() && p.start().is_some()).collect();
    Some(match trouble(w, &starting) {
        Some(why) => said(Stage::Stuck, why),
        None => said(Stage::Underway, format!("{} of at least {min} replicas serve", w.available)),
    })
}

fn of_workload(facts: &ClusterFacts, w: &Workload, plan: &Plan, now: At) -> Progress {
    // Kubernetes counts what is available over all revisions: old pods that still serve are no progress.
    let new_ready = facts.revisions.last().map_or(0, |r| r.ready).min(w.updated);
    let ready = if matches!(plan.goal, Goal::Replicas(_)) { w.available.min(w.desired) } else { new_ready };
    let said = |stage, sentence: String| Progress { stage, sentence, ready, of: w.desired };
    let precondition = &plan.precondition;
    match &plan.goal {
        Goal::Paused(paused) if w.paused == *paused => return said(Stage::Done, plan.action.to_string()),
        Goal::Paused(_) => return said(Stage::Waiting, "not seen yet".to_owned()),
        // A recording keeps no raw templates: there only the pods tell.
        Goal::Template(wanted) if !w.raw_template.is_null() && !template::same(wanted, &w.raw_template) => {
            let before = precondition.template.as_ref().is_some_and(|t| *t == w.raw_template);
            return if before {
                said(Stage::Waiting, "the new template is not seen yet".to_owned())
            } else {
                said(Stage::Superseded, "somebody changed the template again".to_owned())
            };
        }
        Goal::Replicas(to) if w.desired != *to => {
            return if precondition.replicas == Some(w.desired) {
                said(Stage::Waiting, format!("{to} replicas are not seen yet"))
            } else {
                said(Stage::Superseded, format!("somebody set {} replicas since", w.desired))
            };
        }
        _ => {}
    }
    if w.observed_generation < w.generation {
        return said(Stage::Waiting, "the controller has not seen it yet".to_owned());
    }
    let scales = matches!(plan.goal, Goal::Replicas(_));
    let wanted = if scales { w.desired } else { w.desired.saturating_sub(w.partition) };
    // The pods that matter: of the newest revision, or any where only their number changes.
    let newest = facts.revisions.last().map(|r| r.number);
    let ours = |p: &&Pod| p.deleting.is_none() && (scales || p.revision == newest);
    let starting: Vec<&Pod> = facts.pods.iter().filter(ours).filter(|p| p.start().is_some()).collect();
    let sets_done = match plan.target.kind {
        WorkloadKind::StatefulSet => w.ready >= w.desired && (scales || w.updated >= wanted),
        WorkloadKind::Deployment if scales => w.available >= w.desired,
        WorkloadKind::Deployment => w.updated >= w.desired && w.available >= w.updated,
    };
    let old = if scales { w.existing.saturating_sub(w.desired) } else { w.existing.saturating_sub(w.updated) };
    let old = if plan.target.kind == WorkloadKind::StatefulSet && !scales { 0 } else { old };
    if sets_done && old == 0 {
        return said(Stage::Done, format!("all {} replicas are as asked for and serve", w.desired));
    }
    if let Some(why) = trouble(w, &starting) {
        return said(Stage::Stuck, why);
    }
    let mut parts = vec![if scales {
        format!("{ready} of {} replicas serve", w.desired)
    } else {
        format!("{} of {} replicas are new, {ready} of them serve", w.updated, w.desired)
    }];
    if let Some(pod) = starting.first()
        && let Some((phase, since)) = pod.start()
    {
        let expected = plan.cost.starts.map(|s| format!(" of about {}", span(s.median_s))).unwrap_or_default();
        let took = pod.created.or(since).map(|t| format!(" for {}{expected}", span(now.since(t)))).unwrap_or_default();
        parts.push(format!("{} is at '{phase}'{took}", pod.name));
    }
    if old > 0 {
        parts.push(format!("{old} old pod{} still there", if old == 1 { " is" } else { "s are" }));
    }
    if overdue(w) {
        // A model that loads longer than the deadline is late, and not stuck.
        parts.push("the progress deadline is over, but nothing looks broken".to_owned());
    }
    said(Stage::Underway, parts.join("; "))
}

fn overdue(w: &Workload) -> bool {
    w.conditions.iter().any(|c| c.kind == "Progressing" && c.reason == "ProgressDeadlineExceeded")
}

/// Why it does not get on, if it does not.
fn trouble(w: &Workload, starting: &[&Pod]) -> Option<String> {
    let failure = w.conditions.iter().find(|c| c.kind == "ReplicaFailure" && c.status == Some(true));
    if let Some(failure) = failure {
        return Some(format!("no pod can be created: {}", failure.message));
    }
    if let Some((pod, why)) = starting.iter().find_map(|p| Some((p, p.unschedulable.as_ref()?))) {
        return Some(format!("no node takes {}: {why}", pod.name));
    }
    let waits = |p: &Pod| {
        let word = p.waiting.as_deref()?;
        matches!(
            word,
            "CrashLoopBackOff"
                | "ImagePullBackOff"
                | "ErrImagePull"
                | "CreateContainerConfigError"
                | "CreateContainerError"
                | "InvalidImageName"
                | "RunContainerError"
        )
        .then(|| word.to_owned())
    };
    if let Some((pod, word)) = starting.iter().find_map(|p| Some((p, waits(p)?))) {
        return Some(format!("{} is in {word}", pod.name));
    }
    (overdue(w) && starting.is_empty()).then(|| "no progress within the deadline, and nothing starts".to_owned())
}
