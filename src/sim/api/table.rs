//! Tables: what `kubectl get` prints, column by column, as a kube-apiserver makes it.

mod age;
mod columns;
mod pods;
mod scalers;
mod workloads;

use serde_json::{Value, json};

use super::read::{Carried, shown};
use crate::domain::At;
use crate::sim::cluster::json::{list, map, text, time_at};
use crate::sim::cluster::kinds::{Kind, Names};

/// A table of objects. `headings`: with its columns.
pub(super) fn table(names: &Names, objects: &[Value], now: At, carried: Carried, beta: bool, headings: bool) -> Value {
    let columns = columns::of(names.kind);
    let rows: Vec<Value> = objects
        .iter()
        .map(|object| {
            let mut row = json!({"cells": cells(names, object, now)});
            match carried {
                Carried::Nothing => {}
                Carried::Metadata => {
                    row["object"] = json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
                                           "metadata": object["metadata"]});
                }
                Carried::Whole => row["object"] = shown(names, object),
            }
            row
        })
        .collect();
    let definitions: Vec<Value> = columns
        .iter()
        .map(|(name, kind, priority)| {
            json!({"name": name, "type": kind, "format": if *name == "Name" { "name" } else { "" }, "description": "",
                   "priority": priority})
        })
        .collect();
    json!({
        "kind": "Table", "apiVersion": if beta { "meta.k8s.io/v1beta1" } else { "meta.k8s.io/v1" },
        "metadata": {}, "columnDefinitions": if headings { definitions } else { Vec::new() }, "rows": rows,
    })
}

fn cells(names: &Names, object: &Value, now: At) -> Vec<Value> {
    match names.kind {
        Kind::Pod => pods::cells(object, now),
        Kind::Node => workloads::node(object, now),
        Kind::Deployment => workloads::deployment(object, now),
        Kind::ReplicaSet => workloads::replica_set(object, now),
        Kind::StatefulSet => workloads::stateful_set(object, now),
        Kind::DaemonSet => workloads::daemon_set(object, now),
        Kind::Service => workloads::service(object, now),
        Kind::Autoscaler => scalers::autoscaler(object, now),
        Kind::Event => scalers::event(object, now),
        Kind::Namespace => vec![name(object), json!(text(object, "/status/phase")), age(object, now)],
        Kind::ConfigMap => {
            vec![name(object), json!(map(object, "/data").map_or(0, serde_json::Map::len)), age(object, now)]
        }
        Kind::Endpoints => vec![name(object), json!(addresses(object)), age(object, now)],
        Kind::EndpointSlice => workloads::slice(object, now),
        Kind::Lease => vec![name(object), json!(text(object, "/spec/holderIdentity")), age(object, now)],
        Kind::HttpRoute => {
            let hosts = list(object, "/spec/hostnames");
            let hosts = if hosts.is_empty() { String::new() } else { json!(hosts).to_string() };
            vec![name(object), json!(hosts), age(object, now)]
        }
        Kind::ControllerRevision => {
            let owner = list(object, "/metadata/ownerReferences").first();
            let owner =
                owner.map_or_else(|| "<none>".to_owned(), |o| format!("{}/{}", text(o, "/kind"), text(o, "/name")));
            vec![name(object), json!(owner), object["revision"].clone(), age(object, now)]
        }
    }
}

fn name(object: &Value) -> Value {
    object["metadata"]["name"].clone()
}

fn age(object: &Value, now: At) -> Value {
    json!(since(time_at(object, "/metadata/creationTimestamp"), now))
}

/// The time since a moment, as kubectl writes it.
fn since(then: Option<At>, now: At) -> String {
    then.map_or_else(|| "<unknown>".to_owned(), |then| age::human(now.since(then)))
}

/// What stands in a column that has nothing to say.
fn or_none(text: &str) -> String {
    if text.is_empty() { "<none>".to_owned() } else { text.to_owned() }
}

fn addresses(object: &Value) -> String {
    let mut all = Vec::new();
    for subset in list(object, "/subsets") {
        for address in list(subset, "/addresses") {
            for port in list(subset, "/ports") {
                all.push(format!("{}:{}", text(address, "/ip"), port["port"]));
            }
        }
    }
    let more = all.len().saturating_sub(3);
    all.truncate(3);
    let shown = all.join(",");
    if more > 0 { format!("{shown} + {more} more...") } else { or_none(&shown) }
}

/// Names and images of the containers of a pod's specification.
fn containers(object: &Value, spec: &str) -> (Value, Value) {
    let all = |field: &str| {
        let parts: Vec<&str> = list(object, &format!("{spec}/containers")).iter().map(|c| text(c, field)).collect();
        json!(parts.join(","))
    };
    (all("/name"), all("/image"))
}
