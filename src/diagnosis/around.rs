//! The rows of what lies around the engines: the gateway before them, the GPUs below, the rollout behind.

use super::cluster::pod_name;
use super::facts::Facts;
use super::format::{length, number, percent};
use super::gateway::{errors, overhead};
use super::gpus::Gpu;
use super::outcome::Truth;
use super::phases::PhaseRow;
use super::rules;
use crate::domain::{BaselineKind, Code, Confidence, Dist, Phase, RowStatus, Severity, StartPhase, Total};

/// Fills in the gateway's row: its own time per request, now and before.
pub(super) fn gateway(facts: &Facts<'_>, row: &mut PhaseRow) {
    let Some(gateway) = &facts.gateway else { return };
    let window = &gateway.window;
    row.mean = overhead(window);
    if row.mean.is_some() {
        row.count = Some(window.count(Dist::GatewayTotal));
        row.source = Some(format!("{} - {}", gateway.source("gateway_total"), gateway.source("gateway_upstream")));
        row.baseline = gateway.before.as_ref().and_then(overhead);
        row.baseline_from = row.baseline.map(|_| BaselineKind::History);
        row.delta = row.mean.zip(row.baseline).map(|(m, b)| m - b);
    } else if row.mean.is_none()
        && let (Some(total), Some(e2e)) = (window.mean(Dist::GatewayTotal), facts.window.mean(Dist::E2e))
    {
        // Without its view of the engines, the engines' own: other requests, but for the most part the same.
        row.mean = Some((total - e2e).max(0.0));
        row.count = Some(window.count(Dist::GatewayTotal));
        row.source = Some(format!("{} - e2e", gateway.source("gateway_total")));
    }
    row.at = row.mean.and(gateway.last);
    let mut parts = Vec::new();
    if let Some((all, bad)) = errors(window).filter(|(all, _)| *all > 0.0) {
        parts.push(format!("err {}", percent(bad / all)));
        if let Some(cancelled) = window.total(Total::GatewayCancelled) {
            parts.push(format!("cancelled {}", percent((cancelled / all).min(1.0))));
        }
    }
    if let Some(pending) = gateway.pending.filter(|p| p.last >= 1.0) {
        parts.push(format!("{} pending", number(pending.last)));
    }
    if let Some(timeouts) = window.total(Total::GatewayTimeouts).filter(|t| *t >= 1.0) {
        parts.push(format!("{} timeouts", number(timeouts)));
    }
    if let Some(healthy) = gateway.healthy {
        parts.push(format!("{} engines healthy", number(healthy.last)));
    }
    row.note = if parts.is_empty() { "read, and nothing happened on it".to_owned() } else { parts.join(", ") };
    row.status = if window.count(Dist::GatewayTotal) > 0.0 || errors(window).is_some() {
        RowStatus::Ok
    } else {
        RowStatus::Unknown
    };
}

/// Fills in the GPUs' row: the worst of them, and how much is known.
pub(super) fn gpus(facts: &Facts<'_>, row: &mut PhaseRow) {
    // Where it is known which GPUs the engines hold, those speak; of the others a node may have many.
    let held = |g: &&Gpu<'_>| g.row.pod.as_ref().is_some_and(|p| facts.engines().any(|r| pod_name(r.endpoint) == p));
    let mut gpus: Vec<&Gpu<'_>> = facts.gpus.iter().filter(held).collect();
    if gpus.is_empty() {
        gpus = facts.gpus.iter().collect();
    }
    let Some(first) = gpus.first() else { return };
    let confirmed = gpus.iter().filter(|g| g.row.truth == Truth::Confirmed).count();
    let all = gpus.len();
    row.at = gpus.iter().map(|g| g.row.at).max();
    row.count = Some(all as f64);
    let troubled = gpus.iter().find(|g| g.row.troubled);
    (row.status, row.note) = match troubled {
        Some(gpu) => (RowStatus::Warning, format!("{} ({}): {}", gpu.name(), gpu.row.truth, gpu.row.note)),
        None if confirmed == all => (RowStatus::Ok, format!("{all} GPUs: {}", first.row.note)),
        // What does not show what it would show is not fine.
        None => (RowStatus::Unknown, format!("not proven: {}", unproven(&gpus))),
    };
}

fn unproven(gpus: &[&Gpu<'_>]) -> String {
    gpus.iter().find(|g| g.row.truth != Truth::Confirmed).map_or(String::new(), |g| g.row.note.clone())
}

/// Fills in the rollout's row: the revision, how many are Ready, and how far the others have come.
pub(super) fn rollout(facts: &Facts<'_>, row: &mut PhaseRow) {
    let Some(cluster) = &facts.cluster else { return };
    let Some(workload) = &cluster.facts.workload else {
        "there is no such workload (any more)".clone_into(&mut row.note);
        return;
    };
    row.at = Some(cluster.at);
    let mut parts = Vec::new();
    // Kubernetes counts every revision's pods: old ones that still serve are no progress of a rollout.
    let newest = workload.revision.and_then(|n| cluster.facts.revisions.iter().find(|r| r.number == n));
    let ready = newest.map_or(workload.ready, |r| r.ready.min(workload.ready));
    let revision = workload.revision.map_or(String::new(), |r| format!("{} ", cluster.called(r)));
    parts.push(format!("{revision}{ready}/{} ready", workload.desired));
    if ready < workload.ready {
        parts.push(format!("{} older still serve", workload.ready - ready));
    }
    let usual = cluster.usual_load();
    for (pod, phase, since) in cluster.starting().take(2) {
        let stands = since.map_or(String::new(), |s| format!(" {}", length(facts.now.since(s))));
        let of = match (phase, usual) {
            (StartPhase::Load, Some((s, n))) => format!(" of ~{} (from {n} starts)", length(s)),
            _ => String::new(),
        };
        let word = pod.waiting.clone().filter(|w| w != "ContainerCreating" && w != "PodInitializing");
        let word = pod.unschedulable.as_ref().map(|_| "unschedulable".to_owned()).or(word);
        parts.push(format!("{} {}{stands}{of}", tail(&pod.name), word.unwrap_or_else(|| phase.code().to_owned())));
    }
    if let Some(deadline) = workload.progress_deadline() {
        let left = deadline.since(facts.now);
        parts.push(if left > 0.0 { format!("deadline in {}", length(left)) } else { "past its deadline".to_owned() });
    }
    let crashing = cluster.facts.pods.iter().filter(|p| p.waiting.as_deref() == Some("CrashLoopBackOff")).count();
    if crashing > 0 {
        parts.push(format!("{crashing} crash"));
    }
    if workload.paused {
        parts.push("paused".to_owned());
    }
    if let Some(why_not) = rules::acquitted(facts) {
        parts.push(why_not);
    }
    if cluster.stale {
        parts.insert(0, format!("as of {} ago", length(facts.now.since(cluster.at))));
    }
    row.note = parts.join(", ");
    row.status = match (cluster.stale, workload.ready) {
        (true, _) => RowStatus::Unknown,
        (_, 0) if workload.desired > 0 => RowStatus::Breach,
        _ if ready < workload.desired => RowStatus::Warning,
        _ => RowStatus::Ok,
    };
}

/// The part of a pod's name by which people tell it from its siblings.
fn tail(name: &str) -> &str {
    name.rsplit('-').next().filter(|t| !t.is_empty()).unwrap_or(name)
}

/// The rows' states follow the findings: what a rule blames is not shown as fine.
pub(super) fn blamed(rows: &mut [PhaseRow], findings: &[super::Finding]) {
    for row in rows.iter_mut().filter(|r| matches!(r.phase, Phase::Gateway | Phase::Gpu | Phase::Rollout)) {
        let worst = findings
            .iter()
            .filter(|f| f.phase == row.phase && matches!(f.code, Code::Mechanism(_)) && f.confidence > Confidence::Low)
            .map(|f| f.severity)
            .max();
        row.status = match worst {
            Some(Severity::Critical) => RowStatus::Breach,
            Some(_) if row.status != RowStatus::Breach => RowStatus::Warning,
            _ => row.status,
        };
    }
}
