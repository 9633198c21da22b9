//! What stands around a workload: nodes, autoscalers, events.

use std::collections::BTreeMap;

use serde_json::Value;

use super::json::{
    NAME, SENTENCE, conditions, count, devices, label, list, name, number, scalar, strings, text, time, word,
};
use super::workload::{is_target, scaled_object};
use crate::domain::{Autoscaler, ClusterEvent, Condition, Node, Taint, WorkloadKind};
use crate::text::clean;

/// Events that are kept: the newest.
const MOST_EVENTS: usize = 200;

/// A node; `taken` are the GPUs that its pods have asked for, where they may be read.
pub(super) fn node(object: &Value, taken: Option<&BTreeMap<String, u32>>) -> Node {
    let name = name(object);
    let conditions = conditions(&object["status"]);
    let ready = conditions.iter().find(|c| c.kind == "Ready").and_then(|c| c.status);
    let product = ["nvidia.com/gpu.product", "amd.com/gpu.product-name", "cloud.google.com/gke-accelerator"];
    Node {
        ready,
        cordoned: object["spec"]["unschedulable"] == true,
        gpus: devices(&object["status"]["allocatable"]),
        gpus_taken: taken.and_then(|t| t.get(&name).copied()),
        gpu_product: product.iter().find_map(|key| label(object, key)).map(|p| clean(p, NAME)),
        troubles: conditions.into_iter().filter(is_trouble).collect(),
        uid: text(&object["metadata"]["uid"], NAME),
        labels: strings(&object["metadata"]["labels"]),
        taints: list(&object["spec"]["taints"]).map(taint).collect(),
        name,
    }
}

fn taint(value: &Value) -> Taint {
    let word = |field: &str| text(&value[field], NAME);
    Taint { key: word("key"), value: word("value"), effect: word("effect") }
}

/// `Ready` should be true; of every other condition of a node, the kubelet's and the problem detector's, False is good.
fn is_trouble(condition: &Condition) -> bool {
    if condition.kind == "Ready" { condition.status != Some(true) } else { condition.status == Some(true) }
}

/// The GPUs that a pod holds on its node; nothing once it has ended.
pub(super) fn taken_by(pod: &Value) -> u32 {
    if matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed")) {
        return 0;
    }
    let ask = |containers: &Value| -> Vec<u32> {
        list(containers).map(|c| devices(&c["resources"]["limits"]).max(devices(&c["resources"]["requests"]))).collect()
    };
    // Init containers run one after the other, before the others.
    let (init, all) = (ask(&pod["spec"]["initContainers"]), ask(&pod["spec"]["containers"]));
    all.into_iter().fold(0, u32::saturating_add).max(init.into_iter().max().unwrap_or(0))
}

/// The autoscaler of a workload, if this is it.
pub(super) fn autoscaler(object: &Value, kind: WorkloadKind, workload: &str) -> Option<Autoscaler> {
    let (spec, status) = (&object["spec"], &object["status"]);
    if !is_target(&spec["scaleTargetRef"], kind, workload) {
        return None;
    }
    let (kind, name, uid) = match scaled_object(object) {
        Some(owner) => ("ScaledObject", text(&owner["name"], NAME), &owner["uid"]),
        None => ("HorizontalPodAutoscaler", name(object), &object["metadata"]["uid"]),
    };
    Some(Autoscaler {
        kind: kind.to_owned(),
        name,
        // Kubernetes' own default.
        min: number(&spec["minReplicas"]).unwrap_or(1),
        max: count(&spec["maxReplicas"]),
        current: count(&status["currentReplicas"]),
        desired: count(&status["desiredReplicas"]),
        metrics: list(&spec["metrics"]).filter_map(metric).collect(),
        last_scaled: time(&status["lastScaleTime"]),
        conditions: conditions(status),
        uid: text(uid, NAME),
        declared_min: number(&spec["minReplicas"]),
        keeps_replicas: spec["behavior"]["scaleDown"]["selectPolicy"] == "Disabled",
    })
}

/// What an autoscaler looks at, in words.
fn metric(value: &Value) -> Option<String> {
    let target = |target: &Value| {
        let percent = number(&target["averageUtilization"]).map(|p| format!("{p}%"));
        percent.or_else(|| scalar(&target["averageValue"])).or_else(|| scalar(&target["value"])).unwrap_or_default()
    };
    let words = |source: &Value, of: String| {
        let name = word(&source["name"], NAME).or_else(|| word(&source["metric"]["name"], NAME))?;
        Some(format!("{name} {}{of}", target(&source["target"])).trim_end().to_owned())
    };
    match value["type"].as_str()? {
        "Resource" => words(&value["resource"], String::new()),
        "ContainerResource" => {
            let source = &value["containerResource"];
            words(source, format!(" of container {}", text(&source["container"], NAME)))
        }
        "Pods" => words(&value["pods"], String::new()),
        "Object" => {
            let about = &value["object"]["describedObject"];
            words(&value["object"], format!(" of {}/{}", text(&about["kind"], NAME), text(&about["name"], NAME)))
        }
        "External" => words(&value["external"], String::new()),
        _ => None,
    }
}

/// The events that are about one of these objects, oldest first, in either API's spelling.
pub(super) fn events(objects: &[&Value], about: &[(&str, String)], gone: &[String]) -> Vec<ClusterEvent> {
    let is_about = |event: &&&Value| {
        let object = reference(event);
        let evicted = || {
            let pod = object["name"].as_str().filter(|_| object["kind"] == "Pod").unwrap_or_default();
            ClusterEvent::EVICTIONS.iter().any(|reason| event["reason"] == **reason)
                && gone.iter().any(|g| pod.starts_with(g))
        };
        about.iter().any(|(kind, name)| object["kind"] == **kind && object["name"] == **name) || evicted()
    };
    let mut events: Vec<ClusterEvent> = objects.iter().filter(is_about).filter_map(|event| read(event)).collect();
    events.sort_by(|a, b| (a.at, a.first, &a.about, &a.reason).cmp(&(b.at, b.first, &b.about, &b.reason)));
    events.drain(..events.len().saturating_sub(MOST_EVENTS));
    events
}

/// What an event is about: `involvedObject` in `v1`, `regarding` in `events.k8s.io/v1`.
fn reference(event: &Value) -> &Value {
    if event["involvedObject"].is_object() { &event["involvedObject"] } else { &event["regarding"] }
}

fn read(event: &Value) -> Option<ClusterEvent> {
    let moments = |fields: &[&str]| fields.iter().filter_map(|f| event.pointer(f).and_then(time)).collect::<Vec<_>>();
    let last = ["/series/lastObservedTime", "/lastTimestamp", "/deprecatedLastTimestamp", "/eventTime"];
    let first = ["/firstTimestamp", "/deprecatedFirstTimestamp", "/eventTime"];
    let at = moments(&last).into_iter().max().or_else(|| time(&event["metadata"]["creationTimestamp"]))?;
    let object = reference(event);
    let message = word(&event["message"], SENTENCE).unwrap_or_else(|| text(&event["note"], SENTENCE));
    let counts = [&event["series"]["count"], &event["count"], &event["deprecatedCount"]];
    Some(ClusterEvent {
        at,
        first: moments(&first).into_iter().min().unwrap_or(at),
        about: (text(&object["kind"], NAME), text(&object["name"], NAME)),
        reason: text(&event["reason"], NAME),
        message,
        count: counts.into_iter().filter_map(number).max().unwrap_or(1).max(1),
        warning: event["type"] == "Warning",
    })
}
