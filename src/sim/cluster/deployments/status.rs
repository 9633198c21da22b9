//! What a Deployment says of itself: counts, and whether its rollout gets anywhere.

use serde_json::{Value, json};

use super::rolling::fences;
use super::{Desk, Kind, Object, conditions, flag, int, name, namespace, replicas, set, sets_of, text};
use crate::sim::cluster::json::{time, time_at};

/// Writes the status, as far as it changed.
pub(super) fn write(desk: &mut Desk, deployment: &Object, new: Option<&Object>) {
    let (space, called) = (namespace(deployment).to_owned(), name(deployment).to_owned());
    let sets = sets_of(desk, deployment);
    let Some(now) = desk.store.get(Kind::Deployment, &space, &called).cloned() else { return };
    let new = new.and_then(|n| desk.store.get(Kind::ReplicaSet, &space, name(n)).cloned());
    let sum = |field: &str| -> i64 { sets.iter().filter_map(|s| int(s, field)).sum() };
    let available = sum("/status/availableReplicas");
    let mut status = json!({
        "observedGeneration": int(&now, "/metadata/generation").unwrap_or(0),
    });
    let counts = [
        ("replicas", sum("/status/replicas")),
        ("updatedReplicas", new.as_ref().and_then(|n| int(n, "/status/replicas")).unwrap_or(0)),
        ("readyReplicas", sum("/status/readyReplicas")),
        ("availableReplicas", available),
        ("unavailableReplicas", (sets.iter().map(|s| replicas(s)).sum::<i64>() - available).max(0)),
    ];
    for (field, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
        status[field] = json!(count);
    }
    let mut kept: Vec<Value> = conditions(&now).to_vec();
    let enough = available >= replicas(&now) - fences(&now).1;
    let (is, reason, message) = if enough {
        ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    } else {
        ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
    };
    put(desk, &mut kept, "Available", is, reason, message);
    progress(desk, &now, &status, &mut kept, new.as_ref());
    status["conditions"] = Value::Array(kept);
    desk.store.tell(Kind::Deployment, &space, &called, |d| d["status"] = status);
}

/// Whether the rollout is complete by this status.
pub(super) fn complete(deployment: &Value, status: &Value) -> bool {
    let wanted = replicas(deployment);
    let count = |field: &str| status[field].as_i64().unwrap_or(0);
    count("updatedReplicas") == wanted
        && count("replicas") == wanted
        && count("availableReplicas") == wanted
        && count("observedGeneration") >= int(deployment, "/metadata/generation").unwrap_or(0)
}

fn progress(desk: &mut Desk, old: &Value, status: &Value, kept: &mut Vec<Value>, new: Option<&Object>) {
    let Some(deadline_s) = int(old, "/spec/progressDeadlineSeconds") else { return };
    if flag(old, "/spec/paused") {
        return;
    }
    let current = kept.iter().find(|c| text(c, "/type") == "Progressing").cloned();
    let reason = current.as_ref().map_or("", |c| text(c, "/reason")).to_owned();
    let reason = reason.as_str();
    let count = |of: &Value, field: &str| of[field].as_i64().unwrap_or(0);
    if reason == "NewReplicaSetAvailable" && count(status, "replicas") == count(status, "updatedReplicas") {
        return;
    }
    let what = new.map_or_else(|| format!("Deployment \"{}\"", name(old)), |n| format!("ReplicaSet \"{}\"", name(n)));
    let before = &old["status"];
    let moved = count(status, "updatedReplicas") > count(before, "updatedReplicas")
        || count(status, "replicas") - count(status, "updatedReplicas")
            < count(before, "replicas") - count(before, "updatedReplicas")
        || count(status, "readyReplicas") > count(before, "readyReplicas")
        || count(status, "availableReplicas") > count(before, "availableReplicas");
    if complete(old, status) {
        put(
            desk,
            kept,
            "Progressing",
            "True",
            "NewReplicaSetAvailable",
            &format!("{what} has successfully progressed."),
        );
    } else if moved {
        // Progress restarts the deadline: the time of the last update is what counts.
        let since = current.as_ref().filter(|c| text(c, "/status") == "True").map(|c| c["lastTransitionTime"].clone());
        let mut condition =
            condition(desk, "Progressing", "True", "ReplicaSetUpdated", &format!("{what} is progressing."));
        if let Some(since) = since {
            condition["lastTransitionTime"] = since;
        }
        kept.retain(|c| text(c, "/type") != "Progressing");
        kept.push(condition);
    } else if let Some(current) = current
        && !matches!(reason, "NewReplicaSetAvailable" | "ProgressDeadlineExceeded")
        && let Some(last) = time_at(&current, "/lastUpdateTime")
    {
        let due = last.plus(deadline_s as f64);
        if desk.now > due {
            let message = format!("{what} has timed out progressing.");
            put(desk, kept, "Progressing", "False", "ProgressDeadlineExceeded", &message);
        } else {
            desk.wake_at(due.plus(1.0));
        }
    }
}

fn condition(desk: &Desk, kind: &str, status: &str, reason: &str, message: &str) -> Value {
    json!({
        "type": kind, "status": status, "reason": reason, "message": message,
        "lastUpdateTime": time(desk.now), "lastTransitionTime": time(desk.now),
    })
}

/// Sets a condition: the same status and reason is no news, the same status keeps its beginning.
fn put(desk: &Desk, kept: &mut Vec<Value>, kind: &str, status: &str, reason: &str, message: &str) {
    let current = kept.iter().find(|c| text(c, "/type") == kind);
    if current.is_some_and(|c| text(c, "/status") == status && text(c, "/reason") == reason) {
        return;
    }
    let mut new = condition(desk, kind, status, reason, message);
    if let Some(current) = current.filter(|c| text(c, "/status") == status) {
        new["lastTransitionTime"] = current["lastTransitionTime"].clone();
    }
    kept.retain(|c| text(c, "/type") != kind);
    kept.push(new);
}

fn tell(desk: &mut Desk, deployment: &Object, status: &str, reason: &str, message: &str) {
    let (space, called) = (namespace(deployment), name(deployment));
    let Some(now) = desk.store.get(Kind::Deployment, space, called) else { return };
    let mut kept = conditions(now).to_vec();
    put(desk, &mut kept, "Progressing", status, reason, message);
    desk.store.tell(Kind::Deployment, space, called, |d| set(d, &["status", "conditions"], Value::Array(kept)));
}

/// A new set was made.
pub(super) fn created(desk: &mut Desk, deployment: &Object, new: &Object) {
    let message = format!("Created new replica set \"{}\"", name(new));
    tell(desk, deployment, "True", "NewReplicaSetCreated", &message);
}

/// A set with the wanted template was there already.
pub(super) fn found(desk: &mut Desk, deployment: &Object, new: &Object) {
    if !conditions(deployment).iter().any(|c| text(c, "/type") == "Progressing") {
        let message = format!("Found new replica set \"{}\"", name(new));
        tell(desk, deployment, "True", "FoundNewReplicaSet", &message);
    }
}

/// Says that the rollout is paused, or goes on.
pub(super) fn note_pause(desk: &mut Desk, deployment: &Object, paused: bool) {
    let said =
        conditions(deployment).iter().find(|c| text(c, "/type") == "Progressing").map_or("", |c| text(c, "/reason"));
    if said == "ProgressDeadlineExceeded" {
        return;
    }
    if paused && said != "DeploymentPaused" {
        tell(desk, deployment, "Unknown", "DeploymentPaused", "Deployment is paused");
    } else if !paused && said == "DeploymentPaused" {
        tell(desk, deployment, "Unknown", "DeploymentResumed", "Deployment is resumed");
    }
}
