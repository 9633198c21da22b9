//! Rows of workloads, nodes and Services.

use serde_json::{Value, json};

use super::{age, containers, name, or_none};
use crate::domain::At;
use crate::sim::cluster::json::{flag, int, list, map, text};
use crate::sim::cluster::selector::written;

fn count(object: &Value, pointer: &str) -> Value {
    json!(int(object, pointer).unwrap_or(0))
}

pub(super) fn deployment(object: &Value, now: At) -> Vec<Value> {
    let (names, images) = containers(object, "/spec/template/spec");
    vec![
        name(object),
        json!(format!("{}/{}", count(object, "/status/readyReplicas"), count(object, "/spec/replicas"))),
        count(object, "/status/updatedReplicas"),
        count(object, "/status/availableReplicas"),
        age(object, now),
        names,
        images,
        json!(written(&object["spec"]["selector"])),
    ]
}

pub(super) fn replica_set(object: &Value, now: At) -> Vec<Value> {
    let (names, images) = containers(object, "/spec/template/spec");
    vec![
        name(object),
        count(object, "/spec/replicas"),
        count(object, "/status/replicas"),
        count(object, "/status/readyReplicas"),
        age(object, now),
        names,
        images,
        json!(written(&object["spec"]["selector"])),
    ]
}

pub(super) fn stateful_set(object: &Value, now: At) -> Vec<Value> {
    let (names, images) = containers(object, "/spec/template/spec");
    let ready = format!("{}/{}", count(object, "/status/readyReplicas"), count(object, "/spec/replicas"));
    vec![name(object), json!(ready), age(object, now), names, images]
}

pub(super) fn daemon_set(object: &Value, now: At) -> Vec<Value> {
    let (names, images) = containers(object, "/spec/template/spec");
    let selector = map(object, "/spec/template/spec/nodeSelector").map_or_else(String::new, |s| {
        s.iter().map(|(k, v)| format!("{k}={}", v.as_str().unwrap_or_default())).collect::<Vec<_>>().join(",")
    });
    vec![
        name(object),
        count(object, "/status/desiredNumberScheduled"),
        count(object, "/status/currentNumberScheduled"),
        count(object, "/status/numberReady"),
        count(object, "/status/updatedNumberScheduled"),
        count(object, "/status/numberAvailable"),
        json!(or_none(&selector)),
        age(object, now),
        names,
        images,
        json!(written(&object["spec"]["selector"])),
    ]
}

pub(super) fn service(object: &Value, now: At) -> Vec<Value> {
    let ports: Vec<String> = list(object, "/spec/ports")
        .iter()
        .map(|p| match int(p, "/nodePort") {
            Some(node) => format!("{}:{node}/{}", p["port"], text(p, "/protocol")),
            None => format!("{}/{}", p["port"], text(p, "/protocol")),
        })
        .collect();
    let selector = map(object, "/spec/selector").map_or_else(String::new, |s| {
        s.iter().map(|(k, v)| format!("{k}={}", v.as_str().unwrap_or_default())).collect::<Vec<_>>().join(",")
    });
    vec![
        name(object),
        json!(text(object, "/spec/type")),
        json!(or_none(text(object, "/spec/clusterIP"))),
        json!("<none>"),
        json!(or_none(&ports.join(","))),
        age(object, now),
        json!(or_none(&selector)),
    ]
}

pub(super) fn slice(object: &Value, now: At) -> Vec<Value> {
    let join = |parts: Vec<String>| if parts.is_empty() { "<unset>".to_owned() } else { parts.join(",") };
    let ports = list(object, "/ports").iter().map(|p| p["port"].to_string()).collect();
    let addresses = list(object, "/endpoints")
        .iter()
        .flat_map(|e| list(e, "/addresses"))
        .filter_map(|a| a.as_str().map(str::to_owned))
        .collect();
    vec![
        name(object),
        json!(text(object, "/addressType")),
        json!(join(ports)),
        json!(join(addresses)),
        age(object, now),
    ]
}

pub(super) fn node(object: &Value, now: At) -> Vec<Value> {
    let ready = list(object, "/status/conditions").iter().find(|c| text(c, "/type") == "Ready");
    let mut status = match ready.map(|c| text(c, "/status")) {
        Some("True") => "Ready",
        Some("False") => "NotReady",
        _ => "Unknown",
    }
    .to_owned();
    if flag(object, "/spec/unschedulable") {
        status.push_str(",SchedulingDisabled");
    }
    let roles: Vec<&str> = map(object, "/metadata/labels")
        .into_iter()
        .flatten()
        .filter_map(|(key, _)| key.strip_prefix("node-role.kubernetes.io/"))
        .collect();
    let address = |kind: &str| {
        list(object, "/status/addresses").iter().find(|a| text(a, "/type") == kind).map_or("", |a| text(a, "/address"))
    };
    vec![
        name(object),
        json!(status),
        json!(or_none(&roles.join(","))),
        age(object, now),
        json!(text(object, "/status/nodeInfo/kubeletVersion")),
        json!(or_none(address("InternalIP"))),
        json!(or_none(address("ExternalIP"))),
        json!(text(object, "/status/nodeInfo/osImage")),
        json!(text(object, "/status/nodeInfo/kernelVersion")),
        json!(text(object, "/status/nodeInfo/containerRuntimeVersion")),
    ]
}
