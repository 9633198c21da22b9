//! Capacity that is wanted and not there: pods that start, crash, find no node, or are Ready and do not answer. Only
//! Kubernetes tells these apart; an engine's page alone refuses in all of them.

use super::{Split, finding};
use crate::diagnosis::cluster::{Cluster, pod_name};
use crate::diagnosis::facts::Facts;
use crate::diagnosis::format::{clock, length, number, seconds};
use crate::diagnosis::starts::{SECOND, too_early};
use crate::diagnosis::{Evidence, Finding, Metric, Op, Subject};
use crate::domain::{
    Autoscaler, Cause, ClusterEvent, Code, Confidence, Dist, Mechanism, Outcome, Phase, Pod, Severity, StartPhase,
};

/// A start this many times as long as is usual is slow.
const SLOW: f64 = 1.5;
/// A pull that takes this long is what is waited for (s).
const LONG_PULL_S: f64 = 60.0;
/// Where no start was seen to its end: loads of the largest models take minutes (s).
const LONG_LOAD_S: f64 = 600.0;
/// A pod that is Ready for this long should answer (s).
const READY_S: f64 = 20.0;
/// Restarts that are no accident.
const AGAIN: u32 = 3;

pub(super) fn troubled(facts: &Facts<'_>) -> bool {
    facts.late(Metric::Ttft) || facts.late(Metric::Tpot) || facts.leading || facts.down()
}

/// Engines that served before and do not now: how many, and of how many.
pub(super) fn missing(facts: &Facts<'_>) -> Option<(usize, usize)> {
    let (before, during) = facts.serving;
    let (before, during) = (before?, if facts.down() { 0 } else { during });
    (before > during).then(|| (before - during, before))
}

/// The request-seconds that missing capacity explains: what waited, where engines are missing that served before.
fn explains(facts: &Facts<'_>, split: &Split) -> f64 {
    if troubled(facts) && missing(facts).is_some() { split.queue + split.rest } else { 0.0 }
}

pub(super) fn certain(cluster: &Cluster<'_>, confidence: Confidence) -> Confidence {
    // What was so when Kubernetes was last heard may not be so any more.
    if cluster.stale { Confidence::Low } else { confidence }
}

/// Evidence that Kubernetes gives.
pub(super) fn told(facts: &Facts<'_>, cluster: &Cluster<'_>, source: &str, claim: String, value: f64) -> Evidence {
    let mut evidence = facts.evidence("", claim, value, Op::Over, Some(0.0), "pods");
    source.clone_into(&mut evidence.source);
    evidence.at = cluster.at;
    evidence.reproduce = None;
    evidence
}

fn subject(pod: &Pod) -> Subject {
    Subject { replica: Some(pod.name.clone()), node: pod.node.clone(), revision: pod.revision, ..Subject::default() }
}

/// Capacity is wanted and still starting, and what serves is late or fewer than before.
pub(super) fn cold_start(facts: &Facts<'_>, split: &Split) -> Option<Finding> {
    let cluster = facts.cluster.as_ref()?;
    let now = facts.now;
    let mut starting: Vec<_> =
        cluster.starting().filter(|(pod, ..)| pod.unschedulable.is_none() && !crashing(pod)).collect();
    let nobody = cluster.ready() == 0;
    if starting.is_empty() || !(troubled(facts) || nobody) {
        return None;
    }
    starting.sort_by_key(|(_, _, since)| *since);
    let (pod, phase, since) = starting[0];
    let wanted = cluster.facts.workload.as_ref().map_or(0, |w| w.desired);
    let usual = cluster.usual_load();
    let of = usual.map_or(String::new(), |(s, n)| format!(" of about {} (from {n} starts)", length(s)));
    let elapsed = since.map(|s| now.since(s));
    let stands = elapsed.map_or(String::new(), |e| format!(" for {}", length(e)));
    let summary = format!(
        "{} of {wanted} wanted replicas are starting: {} is at {phase}{stands}{}",
        starting.len(),
        pod.name,
        if phase == StartPhase::Load { of } else { String::new() }
    );
    let mut found = finding(facts, Code::Mechanism(Mechanism::ColdStart), Phase::Rollout, summary);
    found.subject = subject(pod);
    found.explains_s = if nobody { split.whole().max(1.0) } else { explains(facts, split) };
    if !troubled(facts) || found.explains_s <= 0.0 {
        found.severity = Severity::Warning;
    }
    found.confidence = certain(cluster, if found.explains_s > 0.0 { Confidence::High } else { Confidence::Low });
    let claim = format!("{} Ready of {wanted} wanted, {} starting", cluster.ready(), starting.len());
    found.evidence.push(told(facts, cluster, "pods", claim, starting.len() as f64));
    let (before, during) = facts.serving;
    if let Some(before) = before {
        let claim = format!("{during} engines answer, {before} before");
        let mut fewer = told(facts, cluster, "pages of engines", claim, during as f64);
        (fewer.op, fewer.threshold, fewer.unit) = (Op::Under, Some(before as f64), "engines");
        // As many as before serve: a further one that starts is an answer to the trouble, not its cause.
        fewer.supports = during < before;
        found.evidence.push(fewer);
    }
    Some(found)
}

pub(super) fn crashing(pod: &Pod) -> bool {
    let failed = pod.last_exit.as_ref().is_some_and(|(_, code)| *code != 0);
    // Who never was Ready and died by itself while it started will do so again.
    let at_start = pod.restarts >= 1 && failed && pod.ready_since.is_none() && !pod.ready;
    pod.waiting.as_deref() == Some("CrashLoopBackOff") || at_start || (pod.restarts >= AGAIN && !pod.ready)
}

/// A process dies again and again.
pub(super) fn crash_loop(facts: &Facts<'_>, split: &Split) -> Option<Finding> {
    let cluster = facts.cluster.as_ref()?;
    let pods: Vec<&Pod> = cluster.facts.pods.iter().filter(|p| crashing(p) && p.deleting.is_none()).collect();
    let worst = *pods.iter().max_by_key(|p| p.restarts)?;
    let how = worst
        .last_exit
        .as_ref()
        .map_or(String::new(), |(reason, code)| format!(", last by {reason} (exit code {code})"));
    let others = if pods.len() > 1 { format!(" and {} more", pods.len() - 1) } else { String::new() };
    let summary = format!("{}{others} dies again and again: {} restarts{how}", worst.name, worst.restarts);
    let mut found = finding(facts, Code::Mechanism(Mechanism::CrashLoop), Phase::Rollout, summary);
    found.subject = subject(worst);
    found.severity = if troubled(facts) || cluster.ready() == 0 { Severity::Critical } else { Severity::Warning };
    found.confidence = certain(cluster, Confidence::High);
    found.explains_s = if cluster.ready() == 0 { split.whole().max(1.0) } else { explains(facts, split) };
    let claim = format!("{} restarts of its container{how}", worst.restarts);
    found.evidence.push(told(facts, cluster, "pods", claim, f64::from(worst.restarts)));
    found.surer = Some(format!("the log of the container before this one: kubectl logs {} --previous", worst.name));
    Some(found)
}

/// No node takes a pod.
pub(super) fn unschedulable(facts: &Facts<'_>, split: &Split) -> Option<Finding> {
    let cluster = facts.cluster.as_ref()?;
    let pods: Vec<&Pod> =
        cluster.facts.pods.iter().filter(|p| p.unschedulable.is_some() && p.deleting.is_none()).collect();
    let first = *pods.iter().min_by_key(|p| p.created)?;
    let why = first.unschedulable.as_deref().unwrap_or_default().trim_end_matches('.');
    let since = first.created.map_or(String::new(), |c| format!(" for {}", length(facts.now.since(c))));
    let summary = format!("no node takes {}{since}: {why}", first.name);
    let mut found = finding(facts, Code::Mechanism(Mechanism::Unschedulable), Phase::Rollout, summary);
    found.subject = subject(first);
    if !troubled(facts) {
        found.severity = Severity::Warning;
    }
    found.confidence = certain(cluster, Confidence::High);
    found.explains_s = if cluster.ready() == 0 { split.whole().max(1.0) } else { explains(facts, split) };
    found.evidence.push(told(facts, cluster, "pods", format!("{} pods without a node", pods.len()), pods.len() as f64));
    if let Some(nodes) = &cluster.facts.nodes {
        let room = nodes.iter().filter(|n| !n.cordoned && n.ready != Some(false));
        let free: Option<u32> = room.map(|n| n.gpus_taken.map(|t| n.gpus.saturating_sub(t))).sum();
        if let Some(free) = free {
            let claim = format!("{free} GPUs are free on nodes that take pods, {} wanted", first.gpus);
            let mut room = told(facts, cluster, "nodes", claim, f64::from(free));
            (room.op, room.threshold, room.unit) = (Op::Under, Some(f64::from(first.gpus)), "GPUs");
            room.supports = free < first.gpus;
            found.evidence.push(room);
        }
    }
    Some(found)
}

/// Kubernetes calls a pod Ready, and its engine does not answer: readiness is not the model's.
pub(super) fn not_ready_but_ready(facts: &Facts<'_>, split: &Split) -> Option<Finding> {
    const FAILED: usize = 3;
    let cluster = facts.cluster.as_ref().filter(|c| !c.stale)?;
    let silent: Vec<(&Pod, usize)> = facts
        .engine_endpoints
        .iter()
        .filter(|e| !e.gone)
        .filter_map(|e| Some((*e, cluster.pod(e)?)))
        .filter(|(_, pod)| pod.ready && pod.ready_since.is_some_and(|s| facts.now.since(s) > READY_S))
        .filter_map(|(e, pod)| {
            let refused = |o: &Outcome| {
                o.is_absence() || matches!(o, Outcome::Failed(crate::domain::Failure::Status { code: 500.., .. }))
            };
            let tries = e.attempts.iter().rev().take_while(|a| refused(&a.outcome)).count();
            // What failed while it was still loading says nothing of readiness.
            let since = pod.ready_since?;
            let after = e.attempts.iter().rev().take(tries).filter(|a| a.at > since).count();
            (after >= FAILED).then_some((pod, after))
        })
        .collect();
    let Some((pod, tries)) = silent.first().copied() else { return ready_too_early(facts, cluster) };
    let summary = format!("{} is Ready, and its engine refused {tries} times since: requests are sent to it", pod.name);
    let mut found = finding(facts, Code::Mechanism(Mechanism::NotReadyButReady), Phase::Rollout, summary);
    found.subject = subject(pod);
    found.severity = Severity::Critical;
    found.confidence = Confidence::High;
    let of = cluster.ready().max(1) as f64;
    found.explains_s = split.whole().max(1.0) * silent.len() as f64 / of;
    let claim = format!("{} of {} Ready pods refuse", silent.len(), number(of));
    found.evidence.push(told(facts, cluster, "pods and pages", claim, silent.len() as f64));
    found.surer = Some("what the readiness probe of the container really asks".to_owned());
    Some(found)
}

/// A pod was Ready before its engine answered: whatever was sent to it then failed, and the next rollout does it again.
fn ready_too_early(facts: &Facts<'_>, cluster: &Cluster<'_>) -> Option<Finding> {
    let early = too_early(facts, cluster);
    let (pod, by) = *early.first()?;
    let more = if early.len() > 1 { format!(" (and {} more pods)", early.len() - 1) } else { String::new() };
    let workload = cluster.facts.workload.as_ref();
    let asks = match workload.and_then(|w| w.template.engine()).map(|c| c.readiness.as_ref()) {
        Some(Some(probe)) => format!("its readiness probe asks {}", probe.asks),
        Some(None) => "it has no readiness probe".to_owned(),
        None => "what its readiness probe asks is not known".to_owned(),
    };
    let summary = format!("{} was Ready at least {} before its engine answered{more}: {asks}", pod.name, length(by));
    let mut found = finding(facts, Code::Mechanism(Mechanism::NotReadyButReady), Phase::Rollout, summary);
    found.subject = subject(pod);
    // It answers now: what it cost is over, and the next rollout will cost it again. Who got nothing meanwhile weighs as
    // much as who waited longest.
    let failed = facts.gateway.as_ref().map_or(0.0, |gateway| super::gateway::unanswered(facts, gateway));
    found.explains_s = failed * 2.0 * facts.targets.ttft.seconds.max(facts.during.mean(Dist::Ttft).unwrap_or(0.0));
    found.severity = if failed > 0.0 { Severity::Critical } else { Severity::Warning };
    found.confidence = Confidence::High;
    let claim = format!("its page was still refused {} after it became Ready", length(by));
    let mut evidence = told(facts, cluster, "pods and pages", claim, by);
    (evidence.threshold, evidence.unit) = (Some(SECOND), "s");
    found.evidence.push(evidence);
    Some(found)
}

/// Images are still being pulled.
pub(super) fn image_pull(facts: &Facts<'_>, _: &Split) -> Option<Finding> {
    let cluster = facts.cluster.as_ref()?;
    let (pod, since, failing) = cluster.starting().find_map(|(pod, phase, since)| {
        let failing = pod
            .waiting
            .as_deref()
            .is_some_and(|w| matches!(w, "ImagePullBackOff" | "ErrImagePull" | "InvalidImageName"));
        // One that crashed has its image.
        let long =
            phase == StartPhase::Pull && !crashing(pod) && since.is_some_and(|s| facts.now.since(s) > LONG_PULL_S);
        (failing || long).then_some((pod, since, failing))
    })?;
    let took = since.map_or(0.0, |s| facts.now.since(s));
    let words = if failing {
        format!("{} cannot pull its image: {}", pod.name, pod.waiting.clone().unwrap_or_default())
    } else {
        format!("{} has been pulling its image for {}", pod.name, length(took))
    };
    let mut found = finding(facts, Code::Cause(Cause::ImagePull), Phase::Rollout, words.clone());
    found.subject = subject(pod);
    found.confidence = certain(cluster, if failing { Confidence::High } else { Confidence::Medium });
    let mut evidence = told(facts, cluster, "pods", words, took);
    (evidence.threshold, evidence.unit) = (Some(LONG_PULL_S), "s");
    found.evidence.push(evidence);
    Some(found)
}

/// A model loads for longer than is usual here.
pub(super) fn model_load_slow(facts: &Facts<'_>, _: &Split) -> Option<Finding> {
    let cluster = facts.cluster.as_ref()?;
    let usual = cluster.usual_load();
    let limit = usual.map_or(LONG_LOAD_S, |(s, _)| SLOW * s);
    let (pod, took) = cluster.starting().find_map(|(pod, phase, since)| {
        let took = facts.now.since(since?);
        (phase == StartPhase::Load && took > limit && !crashing(pod)).then_some((pod, took))
    })?;
    let than = usual.map_or(String::new(), |(s, n)| format!(", {} is usual (from {n} starts)", length(s)));
    let summary = format!("{} has been loading its model for {}{than}", pod.name, length(took));
    let mut found = finding(facts, Code::Cause(Cause::ModelLoadSlow), Phase::Rollout, summary);
    found.subject = subject(pod);
    found.confidence = certain(cluster, if usual.is_some() { Confidence::High } else { Confidence::Low });
    let mut evidence = told(facts, cluster, "pods", format!("loading for {}", seconds(took)), took);
    (evidence.threshold, evidence.unit) = (Some(limit), "s");
    found.evidence.push(evidence);
    Some(found)
}

/// The controller says that a rollout does not progress.
pub(super) fn rollout_stuck(facts: &Facts<'_>, _: &Split) -> Option<Finding> {
    let cluster = facts.cluster.as_ref()?;
    let workload = cluster.facts.workload.as_ref()?;
    let stuck = workload
        .conditions
        .iter()
        .find(|c| c.kind == "Progressing" && (c.status == Some(false) || c.reason == "ProgressDeadlineExceeded"))?;
    let revision = workload.revision.map_or("the rollout".to_owned(), |r| format!("rev {r}"));
    let summary = format!(
        "{revision} does not progress: {} of {} pods are of it and Ready",
        workload.updated.min(workload.ready),
        workload.desired
    );
    let mut found = finding(facts, Code::Cause(Cause::RolloutStuck), Phase::Rollout, summary);
    found.subject = Subject { revision: workload.revision, ..Subject::default() };
    found.confidence = certain(cluster, Confidence::High);
    found.evidence.push(told(facts, cluster, "Deployment condition Progressing", stuck.reason.clone(), 1.0));
    Some(found)
}

/// Fewer engines serve than before, as their pages and Kubernetes show.
pub(super) fn fewer_serve(facts: &Facts<'_>) -> Option<Finding> {
    let cluster = facts.cluster.as_ref()?;
    let (missing, before) = missing(facts).filter(|_| troubled(facts))?;
    let lost: Vec<&str> = facts
        .engines()
        .filter(|r| r.endpoint.gone || r.endpoint.failing().is_some())
        .map(|r| pod_name(r.endpoint))
        .take(3)
        .collect();
    let who = if lost.is_empty() { String::new() } else { format!(" ({} does not any more)", lost.join(", ")) };
    let summary = format!("{} of {before} engines serve{who}", before - missing);
    let mut found = finding(facts, Code::Cause(Cause::CapacityLoss), Phase::Rollout, summary);
    found.confidence = certain(cluster, if 4 * missing >= before { Confidence::High } else { Confidence::Medium });
    let claim = format!("{} engines answer, {before} before", before - missing);
    let mut evidence = told(facts, cluster, "pages of engines", claim, (before - missing) as f64);
    (evidence.op, evidence.threshold, evidence.unit) = (Op::Under, Some(before as f64), "engines");
    found.evidence.push(evidence);
    Some(found)
}

/// What scales the workload, where it looks at nothing but what does not move with the queue: an engine keeps as many cores
/// busy whether requests wait or not.
fn blind_scaler<'a>(cluster: &Cluster<'a>) -> Option<&'a Autoscaler> {
    let scaler = cluster.facts.autoscaler.as_ref()?;
    let about_cpu = |m: &String| m.contains("cpu") || m.contains("memory");
    (!scaler.metrics.is_empty() && scaler.metrics.iter().all(about_cpu)).then_some(scaler)
}

/// The autoscaler took replicas away by such a signal, and those that are left are late.
pub(super) fn autoscaler_took_away(facts: &Facts<'_>, _: &Split) -> Option<Finding> {
    /// A queue that began longer after it has another reason (s).
    const FOLLOWS_S: f64 = 900.0;
    let cluster = facts.cluster.as_ref().filter(|_| troubled(facts))?;
    let scaler = blind_scaler(cluster)?;
    let (fewer, before) = missing(facts)?;
    let down = |e: &&ClusterEvent| e.reason == "SuccessfulRescale" && e.message.contains("below target");
    let took = cluster.facts.events.iter().filter(down).max_by_key(|e| e.at)?;
    let follows = facts.broke().since(took.first);
    if !(0.0..=FOLLOWS_S).contains(&follows) {
        return None;
    }
    let left = before - fewer;
    let summary = format!(
        "{} looks at {} and took replicas away at {}: {left} of {before} engines serve",
        scaler.name,
        scaler.metrics.join(", "),
        clock(took.first)
    );
    let mut found = finding(facts, Code::Cause(Cause::AutoscalerWrongSignal), Phase::Rollout, summary);
    found.confidence = certain(cluster, Confidence::High);
    let mut event = told(facts, cluster, "events", format!("{}: {}", took.reason, took.message), 1.0);
    (event.at, event.unit) = (took.at, "events");
    found.evidence.push(event);
    let mut engines =
        told(facts, cluster, "pages of engines", format!("{left} engines answer, {before} before"), left as f64);
    (engines.op, engines.threshold, engines.unit) = (Op::Under, Some(before as f64), "engines");
    found.evidence.push(engines);
    found.surer = Some("a signal that moves with the queue, such as waiting requests per pod".to_owned());
    Some(found)
}

/// What scales the workload looks at something that does not move with the queue.
pub(super) fn autoscaler_wrong_signal(facts: &Facts<'_>, split: &Split) -> Option<Finding> {
    let cluster = facts.cluster.as_ref()?;
    let scaler = blind_scaler(cluster).filter(|_| autoscaler_took_away(facts, split).is_none())?;
    let queued = facts.waiting.is_some_and(|w| w.mean >= 1.0) && split.queue / split.whole() >= 0.25;
    if !facts.late(Metric::Ttft) || !queued || scaler.desired > scaler.current || scaler.current >= scaler.max {
        return None;
    }
    let waiting = facts.waiting.map_or(0.0, |w| w.last);
    let summary = format!(
        "{} looks at {} and wants {} replicas, while {} requests wait",
        scaler.name,
        scaler.metrics.join(", "),
        scaler.desired,
        number(waiting)
    );
    let mut found = finding(facts, Code::Cause(Cause::AutoscalerWrongSignal), Phase::Rollout, summary);
    // It let the queue grow; that is not why the queue grows.
    found.confidence = Confidence::Low;
    found.severity = Severity::Warning;
    let claim = format!("it wants {} replicas of at most {}", scaler.desired, scaler.max);
    let mut evidence = told(facts, cluster, "autoscaler", claim, f64::from(scaler.desired));
    (evidence.op, evidence.threshold) = (Op::Under, Some(f64::from(scaler.max)));
    found.evidence.push(evidence);
    Some(found)
}
