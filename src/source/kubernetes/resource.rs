//! What is watched of a cluster: which paths, by which selectors, and what of an object is not worth keeping.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::domain::{WorkloadKind, WorkloadRef};

/// One kind of object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Resource {
    Workload,
    Revisions,
    Pods,
    Autoscalers,
    Events,
    Nodes,
}

impl Resource {
    pub(super) const ALL: [Self; 6] =
        [Self::Workload, Self::Revisions, Self::Pods, Self::Autoscalers, Self::Events, Self::Nodes];

    /// Its name in the plural, as RBAC and kubectl know it.
    pub(super) const fn plural(self, kind: WorkloadKind) -> &'static str {
        match (self, kind) {
            (Self::Workload, kind) => plural(kind),
            (Self::Revisions, WorkloadKind::Deployment) => "replicasets",
            (Self::Revisions, WorkloadKind::StatefulSet) => "controllerrevisions",
            (Self::Pods, _) => "pods",
            (Self::Autoscalers, _) => "horizontalpodautoscalers",
            (Self::Events, _) => "events",
            (Self::Nodes, _) => "nodes",
        }
    }

    /// Where its list is, without a query.
    pub(super) fn path(self, target: &WorkloadRef) -> String {
        let (namespace, plural) = (&target.namespace, self.plural(target.kind));
        match self {
            Self::Workload | Self::Revisions => format!("/apis/apps/v1/namespaces/{namespace}/{plural}"),
            Self::Autoscalers => format!("/apis/autoscaling/v2/namespaces/{namespace}/{plural}"),
            Self::Pods | Self::Events => format!("/api/v1/namespaces/{namespace}/{plural}"),
            Self::Nodes => "/api/v1/nodes".to_owned(),
        }
    }

    /// Whether it is found by the workload's selector.
    pub(super) const fn is_selected(self) -> bool {
        matches!(self, Self::Revisions | Self::Pods)
    }

    /// The most objects that are kept.
    pub(super) const fn most(self) -> usize {
        match self {
            Self::Workload => 1,
            Self::Revisions | Self::Autoscalers => 500,
            Self::Pods | Self::Events => 1_000,
            Self::Nodes => 5_000,
        }
    }

    /// Whether an object of it can be about this workload at all; the others are dropped where they come in.
    pub(super) fn concerns(self, object: &Value, target: &WorkloadRef) -> bool {
        if self != Self::Events {
            return true;
        }
        let about = &object["involvedObject"];
        let name = about["name"].as_str().unwrap_or_default();
        let of_a_scaler = matches!(about["kind"].as_str(), Some("HorizontalPodAutoscaler" | "ScaledObject"));
        of_a_scaler || name.strip_prefix(&target.name).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    }
}

/// A workload's kind in the plural.
pub(super) const fn plural(kind: WorkloadKind) -> &'static str {
    match kind {
        WorkloadKind::Deployment => "deployments",
        WorkloadKind::StatefulSet => "statefulsets",
    }
}

/// Takes away what is large and never looked at.
pub(super) fn trim(object: &mut Value) {
    let drop = |value: &mut Value, path: &str, key: &str| {
        if let Some(map) = value.pointer_mut(path).and_then(Value::as_object_mut) {
            map.remove(key);
        }
    };
    writers(object);
    // An object that changed in nothing else has not changed.
    drop(object, "/metadata", "resourceVersion");
    for condition in object.pointer_mut("/status/conditions").and_then(Value::as_array_mut).into_iter().flatten() {
        drop(condition, "", "lastHeartbeatTime");
    }
    drop(object, "/metadata/annotations", "kubectl.kubernetes.io/last-applied-configuration");
    drop(object, "/status", "images");
    drop(object, "/spec", "volumes");
    drop(object, "/spec", "tolerations");
}

/// Of who wrote what, only who wrote replicas and the template is kept: the rest is most of an object.
fn writers(object: &mut Value) {
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    let Some(Value::Array(entries)) = metadata.remove("managedFields") else { return };
    let kept: Vec<Value> = entries
        .into_iter()
        .filter(|entry| entry["subresource"] != "status")
        .filter_map(|entry| {
            let spec = &entry["fieldsV1"]["f:spec"];
            let mut fields = serde_json::Map::new();
            for field in ["f:replicas", "f:template"] {
                if !spec[field].is_null() {
                    fields.insert(field.to_owned(), json!({}));
                }
            }
            let (manager, time) = (&entry["manager"], &entry["time"]);
            (!fields.is_empty()).then(|| json!({"manager": manager, "time": time, "fieldsV1": {"f:spec": fields}}))
        })
        .collect();
    if !kept.is_empty() {
        metadata.insert("managedFields".to_owned(), Value::Array(kept));
    }
}

/// The name by which an object is kept: unique within what one list holds.
pub(super) fn key(object: &Value) -> Option<&str> {
    object["metadata"]["name"].as_str().filter(|name| !name.is_empty())
}

/// Labels that all must be there, as a query takes them; nothing where there are none.
pub(super) fn terms(labels: &Value) -> Option<String> {
    let terms = labels.as_object()?.iter().map(|(key, value)| Some(format!("{key}={}", value.as_str()?)));
    let terms: Option<Vec<String>> = terms.collect();
    terms.filter(|terms| !terms.is_empty()).map(|terms| terms.join(","))
}

/// A workload's selector as a query takes it; nothing where it has none.
pub(super) fn selector(workload: &Value) -> Option<String> {
    let selector = &workload["spec"]["selector"];
    let mut terms = Vec::new();
    for (key, value) in selector["matchLabels"].as_object().into_iter().flatten() {
        terms.push(format!("{key}={}", value.as_str()?));
    }
    for expression in selector["matchExpressions"].as_array().into_iter().flatten() {
        let key = expression["key"].as_str()?;
        let values: Vec<&str> =
            expression["values"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        terms.push(match expression["operator"].as_str()? {
            "In" => format!("{key} in ({})", values.join(",")),
            "NotIn" => format!("{key} notin ({})", values.join(",")),
            "Exists" => key.to_owned(),
            "DoesNotExist" => format!("!{key}"),
            _ => return None,
        });
    }
    (!terms.is_empty()).then(|| terms.join(","))
}

/// A value as a query takes it.
pub(super) fn escaped(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => escaped.push(char::from(byte)),
            other => {
                // Writing to a string does not fail.
                let _ = write!(escaped, "%{other:02X}");
            }
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selector_becomes_a_query_in_every_form() {
        let workload = json!({"spec": {"selector": {
            "matchLabels": {"app": "vllm", "tier": "gpu"},
            "matchExpressions": [
                {"key": "env", "operator": "In", "values": ["a", "b"]},
                {"key": "old", "operator": "DoesNotExist"},
                {"key": "model", "operator": "Exists"}
            ]
        }}});
        assert_eq!(selector(&workload).as_deref(), Some("app=vllm,tier=gpu,env in (a,b),!old,model"));
        assert_eq!(selector(&json!({"spec": {"selector": {}}})), None, "it would find every pod");
        assert_eq!(escaped("env in (a,b),!old"), "env%20in%20%28a%2Cb%29%2C%21old");
    }

    #[test]
    fn of_who_wrote_what_only_replicas_and_the_template_are_kept() {
        let mut object = json!({"metadata": {"managedFields": [
            {"manager": "hpa", "time": "t", "subresource": "scale", "fieldsV1": {"f:spec": {"f:replicas": {}, "f:x": {}}}},
            {"manager": "helm", "time": "t", "fieldsV1": {"f:spec": {"f:paused": {}}}},
            {"manager": "kubelet", "time": "t", "subresource": "status", "fieldsV1": {"f:spec": {"f:replicas": {}}}},
            "nonsense",
        ]}});
        trim(&mut object);
        let kept = json!([{"manager": "hpa", "time": "t", "fieldsV1": {"f:spec": {"f:replicas": {}}}}]);
        assert_eq!(object["metadata"]["managedFields"], kept);
    }

    #[test]
    fn what_is_watched_can_be_read_back_from_a_ring_of_readings() {
        let known = crate::domain::Watch::RESOURCES;
        for (resource, kind) in Resource::ALL.iter().flat_map(|r| WorkloadKind::ALL.iter().map(move |k| (r, k))) {
            assert!(known.contains(&resource.plural(*kind)), "{resource:?}");
        }
    }
}
