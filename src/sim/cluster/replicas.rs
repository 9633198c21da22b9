//! The ReplicaSet and DaemonSet controllers: as many pods as are wanted, and which of too many go first.

use serde_json::{Value, json};

use super::desk::Desk;
use super::json::{annotation, controller_uid, int, list, name, namespace, owned_by, set, text, time, time_at, uid};
use super::kinds::Kind;
use super::store::Object;

/// Most pods of one set: a simulation is no place for a typing error of a thousand replicas.
pub(crate) const MOST_REPLICAS: i64 = 200;

/// Brings every set a step further.
pub(super) fn reconcile(desk: &mut Desk) {
    for set in desk.store.snapshot(Kind::ReplicaSet) {
        one(desk, &set);
    }
    for set in desk.store.snapshot(Kind::DaemonSet) {
        daemons(desk, &set);
    }
}

/// Whether a pod counts as one of its set: it neither ended nor is being deleted.
fn active(pod: &Value) -> bool {
    text(pod, "/metadata/deletionTimestamp").is_empty() && !matches!(text(pod, "/status/phase"), "Succeeded" | "Failed")
}

/// Since when a pod is Ready.
pub(crate) fn ready_since(pod: &Value) -> Option<crate::domain::At> {
    let ready = list(pod, "/status/conditions").iter().find(|c| text(c, "/type") == "Ready")?;
    if text(ready, "/status") == "True" { time_at(ready, "/lastTransitionTime") } else { None }
}

fn one(desk: &mut Desk, replica_set: &Object) {
    let pods: Vec<Object> =
        desk.store.all(Kind::Pod).filter(|p| controller_uid(p) == uid(replica_set)).cloned().collect();
    let mut alive: Vec<Object> = pods.iter().filter(|p| active(p)).cloned().collect();
    let wanted = int(replica_set, "/spec/replicas").unwrap_or(0).clamp(0, MOST_REPLICAS);
    let missing = wanted - i64::try_from(alive.len()).unwrap_or(0);
    for _ in 0..missing.max(0) {
        let made = create_pod(desk, replica_set, "replicaset-controller", None);
        alive.push(made);
    }
    if missing < 0 {
        let busy = crowded(desk, replica_set);
        alive.sort_by_cached_key(|p| order(p, &busy));
        let count = usize::try_from(-missing).unwrap_or(0);
        for pod in alive.drain(..count.min(alive.len())) {
            delete_pod(desk, &pod);
            let message = format!("Deleted pod: {}", name(&pod));
            desk.event(replica_set, "replicaset-controller", "Normal", "SuccessfulDelete", &message);
        }
    }
    tell(desk, replica_set, &alive);
}

fn tell(desk: &mut Desk, replica_set: &Object, alive: &[Object]) {
    let patience = int(replica_set, "/spec/minReadySeconds").unwrap_or(0) as f64;
    let (mut ready, mut available) = (0, 0);
    for since in alive.iter().filter_map(|p| ready_since(p)) {
        ready += 1;
        let due = since.plus(patience);
        if desk.now >= due {
            available += 1;
        } else {
            desk.wake_at(due);
        }
    }
    let mut status = json!({
        "replicas": alive.len(), "observedGeneration": int(replica_set, "/metadata/generation").unwrap_or(0),
    });
    for (field, count) in
        [("fullyLabeledReplicas", alive.len()), ("readyReplicas", ready), ("availableReplicas", available)]
    {
        if count > 0 {
            status[field] = json!(count);
        }
    }
    desk.store.tell(Kind::ReplicaSet, namespace(replica_set), name(replica_set), |s| s["status"] = status);
}

/// Makes a pod from the template of `owner`.
pub(crate) fn create_pod(desk: &mut Desk, owner: &Object, by: &str, node: Option<&str>) -> Object {
    let called = format!("{}-{}", name(owner), desk.suffix());
    let mut pod = json!({
        "metadata": {
            "name": called, "generateName": format!("{}-", name(owner)), "namespace": namespace(owner),
            "labels": owner["spec"]["template"]["metadata"]["labels"], "ownerReferences": owned_by(owner),
        },
        "spec": owner["spec"]["template"]["spec"],
        "status": {"phase": "Pending", "qosClass": "Burstable"},
    });
    if let Some(annotations) = owner.pointer("/spec/template/metadata/annotations").filter(|a| !a.is_null()) {
        pod["metadata"]["annotations"] = annotations.clone();
    }
    if let Some(node) = node {
        pod["spec"]["nodeName"] = json!(node);
    }
    set(&mut pod, &["spec", "enableServiceLinks"], json!(true));
    set(&mut pod, &["spec", "serviceAccountName"], json!("default"));
    let pod = desk.create(Kind::Pod, pod);
    desk.event(owner, by, "Normal", "SuccessfulCreate", &format!("Created pod: {called}"));
    pod
}

/// Asks for a pod's end: its kubelet has until the end of its grace. One without a node is gone at once.
pub(crate) fn delete_pod(desk: &mut Desk, pod: &Value) {
    let grace = int(pod, "/spec/terminationGracePeriodSeconds").unwrap_or(30);
    delete_pod_within(desk, pod, grace);
}

/// The same with another grace (s).
pub(crate) fn delete_pod_within(desk: &mut Desk, pod: &Value, grace: i64) {
    if text(pod, "/spec/nodeName").is_empty() {
        desk.store.remove(Kind::Pod, namespace(pod), name(pod));
        return;
    }
    let until = time(desk.now.plus(grace as f64));
    desk.store.modify(Kind::Pod, namespace(pod), name(pod), |pod| {
        if text(pod, "/metadata/deletionTimestamp").is_empty() {
            set(pod, &["metadata", "deletionTimestamp"], json!(until));
            set(pod, &["metadata", "deletionGracePeriodSeconds"], json!(grace));
        }
    });
}

/// How many pods of related sets stand on each node.
fn crowded(desk: &Desk, replica_set: &Value) -> std::collections::BTreeMap<String, i64> {
    let owner = controller_uid(replica_set);
    let related: Vec<&str> = desk
        .store
        .all(Kind::ReplicaSet)
        .filter(|s| uid(s) == uid(replica_set) || (!owner.is_empty() && controller_uid(s) == owner))
        .map(|s| uid(s))
        .collect();
    let mut count = std::collections::BTreeMap::new();
    for pod in desk.store.all(Kind::Pod).filter(|p| related.contains(&controller_uid(p)) && active(p)) {
        *count.entry(text(pod, "/spec/nodeName").to_owned()).or_insert(0) += 1;
    }
    count
}

type Order = (bool, u8, bool, i64, i64, i64, i64, i64, String);

/// Which of too many pods goes first: the smallest. Follows `ActivePodsWithRanks`.
fn order(pod: &Value, crowd: &std::collections::BTreeMap<String, i64>) -> Order {
    let node = text(pod, "/spec/nodeName");
    let phase = match text(pod, "/status/phase") {
        "Pending" => 0,
        "Unknown" => 1,
        _ => 2,
    };
    let ready = ready_since(pod);
    let cost = annotation(pod, "controller.kubernetes.io/pod-deletion-cost").and_then(|c| c.parse().ok()).unwrap_or(0);
    let restarts: i64 =
        list(pod, "/status/containerStatuses").iter().filter_map(|c| int(c, "/restartCount")).max().unwrap_or(0);
    let created = time_at(pod, "/metadata/creationTimestamp").map_or(0, |t| t.0);
    (
        !node.is_empty(),
        phase,
        ready.is_some(),
        cost,
        -crowd.get(node).copied().unwrap_or(0),
        -ready.map_or(0, |r| r.0),
        -restarts,
        -created,
        uid(pod).to_owned(),
    )
}

/// A pod of every node, whatever its taints: that is what such sets are for.
fn daemons(desk: &mut Desk, daemon_set: &Object) {
    let pods: Vec<Object> =
        desk.store.all(Kind::Pod).filter(|p| controller_uid(p) == uid(daemon_set) && active(p)).cloned().collect();
    let selector = daemon_set.pointer("/spec/template/spec/nodeSelector");
    let nodes: Vec<String> = desk
        .store
        .all(Kind::Node)
        .filter(|n| selector.is_none_or(|s| super::selector::has_labels(Some(s), n)))
        .map(|n| name(n).to_owned())
        .collect();
    for node in &nodes {
        if !pods.iter().any(|p| text(p, "/spec/nodeName") == node) {
            create_pod(desk, daemon_set, "daemonset-controller", Some(node));
        }
    }
    let ready = pods.iter().filter(|p| ready_since(p).is_some()).count();
    let mut status = json!({
        "currentNumberScheduled": nodes.len(), "desiredNumberScheduled": nodes.len(), "numberMisscheduled": 0,
        "numberReady": ready, "numberAvailable": ready, "updatedNumberScheduled": nodes.len(),
        "observedGeneration": int(daemon_set, "/metadata/generation").unwrap_or(0),
    });
    if ready < nodes.len() {
        status["numberUnavailable"] = json!(nodes.len() - ready);
    }
    desk.store.tell(Kind::DaemonSet, namespace(daemon_set), name(daemon_set), |s| s["status"] = status);
}

/// Removes what an owner that is gone has left: Deployment → ReplicaSet → pod.
pub(super) fn collect_garbage(desk: &mut Desk) {
    let owners: Vec<String> = [Kind::Deployment, Kind::ReplicaSet, Kind::StatefulSet, Kind::DaemonSet, Kind::Service]
        .into_iter()
        .flat_map(|kind| desk.store.all(kind).map(|o| uid(o).to_owned()).collect::<Vec<_>>())
        .collect();
    for kind in [Kind::ReplicaSet, Kind::Pod, Kind::EndpointSlice, Kind::ControllerRevision] {
        for object in desk.store.snapshot(kind) {
            let owner = controller_uid(&object);
            if owner.is_empty() || owners.iter().any(|o| o == owner) {
                continue;
            }
            if kind == Kind::Pod {
                delete_pod(desk, &object);
            } else {
                desk.store.remove(kind, namespace(&object), name(&object));
            }
        }
    }
}
