//! Pods, and to which revision each belongs.

use serde_json::Value;

use super::json::{NAME, SENTENCE, conditions, controller, count, label, list, name, text, time, word};
use super::pool;
use super::template::{engine_name, metrics_port, template};
use super::workload::controls;
use crate::domain::{At, Pod, Revision, WorkloadKind};

/// One pod. Its revision is looked up by what it belongs to.
pub(super) fn pod(object: &Value, kind: WorkloadKind, revisions: &[Revision]) -> Pod {
    let (spec, status) = (&object["spec"], &object["status"]);
    let template = template(object);
    let engine = engine_name(&template);
    let of =
        |field: &str| list(&status[field]).find(|c| engine.is_some_and(|e| c["name"] == e)).unwrap_or(&Value::Null);
    let container = of("containerStatuses");
    let conditions = conditions(status);
    let since = |kind: &str| conditions.iter().find(|c| c.kind == kind && c.status == Some(true)).and_then(|c| c.since);
    let is = |kind: &str| conditions.iter().any(|c| c.kind == kind && c.status == Some(true));
    let unschedulable = conditions
        .iter()
        .find(|c| c.kind == "PodScheduled" && c.status == Some(false) && c.reason != "SchedulingGated")
        .map(|c| if c.message.is_empty() { c.reason.clone() } else { c.message.clone() });
    Pod {
        name: name(object),
        uid: text(&object["metadata"]["uid"], NAME),
        node: word(&spec["nodeName"], NAME),
        ip: word(&status["podIP"], 64),
        revision: revision(object, kind, revisions),
        phase: text(&status["phase"], NAME),
        ready: is("Ready"),
        created: time(&object["metadata"]["creationTimestamp"]),
        scheduled: since("PodScheduled"),
        initialized: since("Initialized"),
        init_began: init_began(status),
        pull: None,
        started: time(&container["state"]["running"]["startedAt"]),
        ready_since: since("Ready"),
        restarts: count(&container["restartCount"]),
        waiting: waiting(status, container),
        unschedulable,
        last_exit: last_exit(container),
        deleting: deleting(object),
        gpus: template.containers.iter().map(|c| c.gpus).fold(0, u32::saturating_add),
        metrics_port: metrics_port(object, &template),
        pool: pool::of(object, &template).map(|(pool, _)| pool),
    }
}

/// When the first init container began, whether it still runs or has ended.
fn init_began(status: &Value) -> Option<At> {
    let began = |c: &Value| {
        let state = &c["state"];
        time(&state["terminated"]["startedAt"]).or_else(|| time(&state["running"]["startedAt"]))
    };
    list(&status["initContainerStatuses"]).filter_map(began).min()
}

fn revision(object: &Value, kind: WorkloadKind, revisions: &[Revision]) -> Option<u64> {
    let own = match kind {
        WorkloadKind::Deployment => {
            let owner = controller(object)?["uid"].as_str()?;
            revisions.iter().find(|r| r.uid == owner)
        }
        WorkloadKind::StatefulSet => {
            let hash = label(object, "controller-revision-hash")?;
            revisions.iter().find(|r| r.hash.as_deref() == Some(hash))
        }
    };
    own.map(|r| r.number)
}

/// Whether a pod is the workload's: by its owner, and where the ReplicaSets may not be read, by their names.
pub(super) fn belongs(object: &Value, kind: WorkloadKind, workload: Option<&Value>, revisions: &[Revision]) -> bool {
    let Some(workload) = workload else {
        // The workload is gone; what its selector still finds are its pods.
        return true;
    };
    let Some(owner) = controller(object) else { return false };
    match kind {
        WorkloadKind::StatefulSet => controls(workload, object),
        WorkloadKind::Deployment => {
            let named = || {
                let owner = owner["name"].as_str().unwrap_or_default();
                let hash = owner.strip_prefix(&name(workload)).and_then(|rest| rest.strip_prefix('-'));
                owner_is_replica_set(object) && hash.is_some_and(|hash| !hash.is_empty() && !hash.contains('-'))
            };
            revisions.iter().any(|r| owner["uid"] == *r.uid && !r.uid.is_empty()) || named()
        }
    }
}

fn owner_is_replica_set(object: &Value) -> bool {
    controller(object).is_some_and(|o| o["kind"] == "ReplicaSet")
}

/// Why a container waits: the engine's own reason, else that of an init container, else that of any other.
fn waiting(status: &Value, engine: &Value) -> Option<String> {
    let reason = |container: &Value| word(&container["state"]["waiting"]["reason"], NAME);
    let of = |field: &str| list(&status[field]).find_map(reason);
    match reason(engine) {
        // It says only that init containers are not done: what holds those up is said better by themselves.
        Some(init) if init == "PodInitializing" => {
            of("initContainerStatuses").filter(|r| r != "PodInitializing").or(Some(init))
        }
        Some(other) => Some(other),
        None => of("initContainerStatuses").or_else(|| of("containerStatuses")),
    }
}

fn last_exit(engine: &Value) -> Option<(String, i32)> {
    let ended = |state: &Value| {
        let code = i32::try_from(state["terminated"]["exitCode"].as_i64()?).ok()?;
        Some((text(&state["terminated"]["reason"], SENTENCE), code))
    };
    ended(&engine["state"]).or_else(|| ended(&engine["lastState"]))
}

/// Since when it is being deleted. `deletionTimestamp` is when the grace period will be over.
fn deleting(object: &Value) -> Option<At> {
    let over = time(&object["metadata"]["deletionTimestamp"])?;
    let grace = count(&object["metadata"]["deletionGracePeriodSeconds"]);
    Some(over.plus(-f64::from(grace)))
}

/// By age, and among those of one second by name, so that rows do not change places.
pub(super) fn sort(pods: &mut [Pod]) {
    pods.sort_by(|a, b| (a.created, &a.name).cmp(&(b.created, &b.name)));
}
