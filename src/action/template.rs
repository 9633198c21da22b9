//! Pod templates as the API server sent them: compared without what only Kubernetes adds, and put back whole.

use serde_json::{Map, Value};

use crate::domain::WorkloadKind;

const HASH: &str = "pod-template-hash";

/// A revision's template as it is to stand in the workload again: without what its controller put into it.
pub(super) fn restored(raw: &Value, kind: WorkloadKind) -> Value {
    let mut template = raw.clone();
    match kind {
        WorkloadKind::Deployment => {
            if let Some(labels) = template.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
                labels.remove(HASH);
            }
        }
        WorkloadKind::StatefulSet => {
            if let Some(template) = template.as_object_mut() {
                template.remove("$patch");
            }
        }
    }
    template
}

/// Whether two templates mean the same: null and absent are the same to Kubernetes, and so are empty and absent
/// metadata.
pub(super) fn same(one: &Value, other: &Value) -> bool {
    without_nulls(one) == without_nulls(other)
}

/// Whether there is a template at all.
pub(super) fn is_template(raw: &Value) -> bool {
    raw["spec"]["containers"].as_array().is_some_and(|c| !c.is_empty())
}

fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let kept = map.iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k.clone(), without_nulls(v)));
            let mut kept: Map<String, Value> = kept.collect();
            for part in ["labels", "annotations"] {
                if kept.get(part).is_some_and(|v| v.as_object().is_some_and(Map::is_empty)) {
                    kept.remove(part);
                }
            }
            Value::Object(kept)
        }
        Value::Array(items) => Value::Array(items.iter().map(without_nulls).collect()),
        other => other.clone(),
    }
}
