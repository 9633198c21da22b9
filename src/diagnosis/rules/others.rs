//! Who else writes to the workload: what an autoscaler and a person set against each other, and what a `GitOps` tool puts back.

use super::rollout::troubled;
use super::{Split, finding};
use crate::diagnosis::cluster::{Cluster, in_words};
use crate::diagnosis::facts::Facts;
use crate::diagnosis::format::{clock, length};
use crate::diagnosis::{Evidence, Finding, Op};
use crate::domain::{At, Cause, Code, Confidence, Phase, Severity};

/// Up so soon after down is a fight, and no new decision (s).
const WITHIN_S: f64 = 900.0;
/// A controller acts this soon after it was told (s); its events have whole seconds.
const AT_ONCE_S: f64 = 10.0;

/// One scaling of a set of pods by its controller.
#[derive(Debug, Clone, Copy)]
struct Scaling<'a> {
    at: At,
    set: &'a str,
    up: bool,
    /// The size after it.
    to: &'a str,
    message: &'a str,
}

/// "Scaled up replica set vllm-7c9f to 3 from 2".
fn scaling(at: At, message: &str) -> Option<Scaling<'_>> {
    let rest = message.strip_prefix("Scaled ")?;
    let (direction, rest) = rest.split_once(" replica set ")?;
    let up = match direction {
        "up" => true,
        "down" => false,
        _ => return None,
    };
    let mut words = rest.split_whitespace();
    let (set, to) = (words.next()?, words.skip_while(|w| *w != "to").nth(1)?);
    Some(Scaling { at, set, up, to, message })
}

/// Pods were taken away and wanted again minutes later, one of it by the autoscaler and the other not: each of them starts
/// for minutes.
pub(super) fn autoscaler_conflict(facts: &Facts<'_>, _: &Split) -> Option<Finding> {
    let cluster = facts.cluster.as_ref().filter(|_| troubled(facts))?;
    let scaler = cluster.facts.autoscaler.as_ref()?;
    let events = || cluster.facts.events.iter();
    let mut scalings: Vec<Scaling<'_>> =
        events().filter(|e| e.reason == "ScalingReplicaSet").filter_map(|e| scaling(e.at, &e.message)).collect();
    scalings.sort_by_key(|s| s.at);
    // "New size: 3; reason: ...", and the same size a moment later.
    let by_scaler = |s: &Scaling<'_>| {
        let mut rescaled = events().filter(|e| e.reason == "SuccessfulRescale");
        rescaled.any(|e| {
            let size = e.message.strip_prefix("New size: ").and_then(|rest| rest.split(';').next());
            size == Some(s.to) && s.at.since(e.at).abs() <= AT_ONCE_S
        })
    };
    let (down, up) = scalings.windows(2).rev().find_map(|pair| {
        let [down, up] = pair else { return None };
        // Of the same revision: what a rollout moves from one to the other is no fight.
        let fight = !down.up && up.up && down.set == up.set && up.at.since(down.at) <= WITHIN_S;
        (fight && by_scaler(down) != by_scaler(up)).then_some((*down, *up))
    })?;
    // What was settled before the incident is not why.
    if facts.incident.0.since(up.at) > WITHIN_S {
        return None;
    }
    let (first, second) =
        if by_scaler(&up) { ("somebody", scaler.name.as_str()) } else { (scaler.name.as_str(), "somebody") };
    let summary = format!(
        "{first} took replicas away at {}, and {second} brought them back {} later: they start anew",
        clock(down.at),
        length(up.at.since(down.at))
    );
    let mut found = finding(facts, Code::Cause(Cause::AutoscalerConflict), Phase::Rollout, summary);
    found.confidence = if cluster.stale { Confidence::Low } else { Confidence::High };
    for scaling in [down, up] {
        found.evidence.push(told(facts, scaling.message.to_owned(), scaling.at));
    }
    found.surer = Some("who set the number of replicas: the audit log, or managedFields of the workload".to_owned());
    Some(found)
}

/// Names under which `GitOps` tools write, as the API server keeps them.
const GITOPS: [&str; 5] = ["argocd", "argo-cd", "kustomize-controller", "helm-controller", "flux"];

/// The revision that runs was there before, and a `GitOps` tool brought it back: whatever else is rolled out is put back again.
pub(super) fn gitops_will_revert(facts: &Facts<'_>, _: &Split) -> Option<Finding> {
    let cluster = facts.cluster.as_ref().filter(|_| troubled(facts))?;
    let (who, at) = cluster.facts.workload.as_ref()?.template_by.as_ref()?;
    let name = who.to_ascii_lowercase();
    let rollout = cluster.rollouts().into_iter().next_back().filter(|r| r.came_back)?;
    if !GITOPS.iter().any(|tool| name.contains(tool)) || rollout.at.since(*at).abs() > AT_ONCE_S {
        return None;
    }
    let number = rollout.revision.number;
    let summary = format!(
        "'{who}' put rev {number} back at {} ({}): it will do so again",
        clock(*at),
        in_words(&rollout.changes)
    );
    let mut found = finding(facts, Code::Cause(Cause::GitopsWillRevert), Phase::Rollout, summary);
    found.severity = Severity::Warning;
    found.confidence = if cluster.stale { Confidence::Low } else { Confidence::High };
    found.evidence.push(told(facts, format!("the template was last written by '{who}'"), *at));
    found.surer = Some(surer(cluster));
    Some(found)
}

fn surer(cluster: &Cluster<'_>) -> String {
    let named = cluster.facts.workload.as_ref().and_then(|w| w.managers.first());
    format!("whether {} syncs by itself: change what it reads, or pause it", named.unwrap_or(&"the tool"))
}

fn told(facts: &Facts<'_>, claim: String, at: At) -> Evidence {
    let mut evidence = facts.evidence("", claim, 1.0, Op::Is, Some(1.0), "events");
    "events".clone_into(&mut evidence.source);
    (evidence.at, evidence.reproduce) = (at, None);
    evidence
}
