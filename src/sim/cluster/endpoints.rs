//! Endpoints: which pods a Service sends to, in both forms, old and new.

use serde_json::{Value, json};

use super::desk::Desk;
use super::json::{list, map, name, namespace, owned_by, set, text, time, uid};
use super::kinds::Kind;
use super::replicas::ready_since;
use super::selector::has_labels;
use super::store::Object;

/// Brings every Service's endpoints up to date.
pub(super) fn reconcile(desk: &mut Desk) {
    for service in desk.store.snapshot(Kind::Service) {
        if map(&service, "/spec/selector").is_some_and(|s| !s.is_empty()) {
            one(desk, &service);
        }
    }
}

/// The pods that Services send to: Ready, and not about to end.
pub(super) fn routed(desk: &Desk) -> Vec<String> {
    let mut pods: Vec<String> = Vec::new();
    for service in desk.store.all(Kind::Service) {
        for pod in members(desk, service) {
            if ready(&pod) && !pods.iter().any(|p| p == name(&pod)) {
                pods.push(name(&pod).to_owned());
            }
        }
    }
    pods
}

fn members(desk: &Desk, service: &Value) -> Vec<Object> {
    desk.store
        .all(Kind::Pod)
        .filter(|p| namespace(p) == namespace(service) && has_labels(service.pointer("/spec/selector"), p))
        .filter(|p| !text(p, "/status/podIP").is_empty())
        .filter(|p| !matches!(text(p, "/status/phase"), "Succeeded" | "Failed"))
        .cloned()
        .collect()
}

fn terminating(pod: &Value) -> bool {
    !text(pod, "/metadata/deletionTimestamp").is_empty()
}

fn ready(pod: &Value) -> bool {
    ready_since(pod).is_some() && !terminating(pod)
}

/// The number of a Service's target port on a pod.
fn target_port(port: &Value, pod: Option<&Object>) -> Value {
    let target = &port["targetPort"];
    let Some(wanted) = target.as_str() else { return target.clone() };
    pod.into_iter()
        .flat_map(|p| list(p, "/spec/containers"))
        .flat_map(|c| list(c, "/ports"))
        .find(|p| text(p, "/name") == wanted)
        .map_or(Value::Null, |p| p["containerPort"].clone())
}

fn one(desk: &mut Desk, service: &Object) {
    let pods = members(desk, service);
    let ports: Vec<Value> = list(service, "/spec/ports")
        .iter()
        .map(|p| json!({"name": text(p, "/name"), "port": target_port(p, pods.first()), "protocol": text(p, "/protocol")}))
        .filter(|p| !p["port"].is_null())
        .collect();
    let reference = |p: &Object| json!({"kind": "Pod", "namespace": namespace(p), "name": name(p), "uid": uid(p)});
    let endpoints: Vec<Value> = pods
        .iter()
        .map(|p| {
            json!({
                "addresses": [text(p, "/status/podIP")], "nodeName": text(p, "/spec/nodeName"), "targetRef": reference(p),
                "conditions": {"ready": ready(p), "serving": ready_since(p).is_some(), "terminating": terminating(p)},
            })
        })
        .collect();
    slice(desk, service, &endpoints, &ports);
    let address = |p: &Object| json!({"ip": text(p, "/status/podIP"), "nodeName": text(p, "/spec/nodeName"), "targetRef": reference(p)});
    let mut subset = json!({"ports": ports});
    let (up, down): (Vec<&Object>, Vec<&Object>) = pods.iter().filter(|p| !terminating(p)).partition(|p| ready(p));
    for (field, pods) in [("addresses", up), ("notReadyAddresses", down)] {
        if !pods.is_empty() {
            subset[field] = pods.into_iter().map(address).collect();
        }
    }
    let subsets = if subset.as_object().is_some_and(|s| s.len() > 1) { json!([subset]) } else { json!([]) };
    let now = time(desk.now);
    let change = |object: &mut Value| {
        if object["subsets"] != subsets {
            set(object, &["metadata", "annotations", "endpoints.kubernetes.io/last-change-trigger-time"], json!(now));
            object["subsets"] = subsets.clone();
        }
    };
    if desk.store.modify(Kind::Endpoints, namespace(service), name(service), change).is_none() {
        let labels = service["metadata"]["labels"].clone();
        desk.create(
            Kind::Endpoints,
            json!({"metadata": {"name": name(service), "namespace": namespace(service), "labels": labels}, "subsets": subsets}),
        );
    }
}

fn slice(desk: &mut Desk, service: &Object, endpoints: &[Value], ports: &[Value]) {
    let known = desk
        .store
        .all(Kind::EndpointSlice)
        .find(|s| super::json::controller_uid(s) == uid(service))
        .map(|s| name(s).to_owned());
    if let Some(known) = known {
        desk.store.modify(Kind::EndpointSlice, namespace(service), &known, |slice| {
            slice["endpoints"] = json!(endpoints);
            slice["ports"] = json!(ports);
        });
        return;
    }
    let called = format!("{}-{}", name(service), desk.suffix());
    let mut labels = service["metadata"]["labels"].as_object().cloned().unwrap_or_default();
    labels.insert("kubernetes.io/service-name".to_owned(), json!(name(service)));
    labels.insert("endpointslice.kubernetes.io/managed-by".to_owned(), json!("endpointslice-controller.k8s.io"));
    desk.create(
        Kind::EndpointSlice,
        json!({
            "metadata": {"name": called, "generateName": format!("{}-", name(service)), "namespace": namespace(service),
                         "labels": labels, "ownerReferences": owned_by(service)},
            "addressType": "IPv4", "endpoints": endpoints, "ports": ports,
        }),
    );
}
