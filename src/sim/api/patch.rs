//! The three ways to patch: operations in order (JSON patch), a sparse object (merge), and a sparse object that knows
//! which lists are sets (strategic merge).

use json_patch::{AddOperation, PatchOperation};
use serde_json::{Map, Value};

use crate::sim::cluster::Refusal;

/// The most operations of a JSON patch, as in a kube-apiserver; and of those, copies, which can double an object.
const MOST_OPERATIONS: usize = 10_000;
const MOST_COPIES: usize = 8;

/// A patch.
#[derive(Debug)]
pub(super) enum Patch {
    Json(json_patch::Patch),
    Merge(Value),
    Strategic(Value),
}

impl Patch {
    /// Reads a patch by its media type.
    pub(super) fn read(kind: &str, bytes: &[u8]) -> Result<Self, Refusal> {
        let value =
            || serde_json::from_slice::<Value>(bytes).map_err(|e| Refusal::bad(format!("error decoding patch: {e}")));
        match kind.split(';').next().unwrap_or_default().trim() {
            "application/json-patch+json" => serde_json::from_slice(bytes)
                .map_err(|e| Refusal::bad(format!("error decoding patch: {e}")))
                .and_then(bounded)
                .map(Self::Json),
            "application/merge-patch+json" => value().map(Self::Merge),
            "application/strategic-merge-patch+json" => value().map(Self::Strategic),
            other => {
                let message = format!(
                    "the body of the request was in an unknown format - accepted media types include: \
                     application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json, \
                     not {}",
                    crate::text::clean(other, 80)
                );
                Err(Refusal::new(415, "UnsupportedMediaType", message))
            }
        }
    }

    /// Applies it whole, or not at all.
    pub(super) fn apply(&self, to: &mut Value) -> Result<(), Refusal> {
        match self {
            // A `test` that fails and a path that leads nowhere are the same to a kube-apiserver.
            Self::Json(patch) => {
                let mut new = to.clone();
                for operation in &patch.0 {
                    let one = [lenient(operation, &new)];
                    json_patch::patch(&mut new, &one).map_err(|_| Refusal::unprocessable())?;
                }
                *to = new;
                Ok(())
            }
            Self::Merge(patch) => {
                json_patch::merge(to, patch);
                Ok(())
            }
            Self::Strategic(patch) => {
                let merged = merge(to.take(), patch, "");
                *to = merged;
                Ok(())
            }
        }
    }
}

/// A kube-apiserver replaces a member of a map that is not there as well, where RFC 6902 would have it fail.
fn lenient(operation: &PatchOperation, to: &Value) -> PatchOperation {
    match operation {
        PatchOperation::Replace(replace) => {
            let parent = replace.path.parent().and_then(|parent| parent.resolve(to).ok());
            if parent.is_some_and(Value::is_object) {
                return PatchOperation::Add(AddOperation { path: replace.path.clone(), value: replace.value.clone() });
            }
            operation.clone()
        }
        other => other.clone(),
    }
}

fn bounded(patch: json_patch::Patch) -> Result<json_patch::Patch, Refusal> {
    let copies = patch.0.iter().filter(|o| matches!(o, PatchOperation::Copy(_))).count();
    if patch.0.len() > MOST_OPERATIONS || copies > MOST_COPIES {
        let message = format!(
            "The allowed maximum operations in a JSON patch is {MOST_OPERATIONS}, of which {MOST_COPIES} copies; got {} \
             with {copies} copies",
            patch.0.len()
        );
        return Err(Refusal::new(413, "RequestEntityTooLarge", message));
    }
    Ok(patch)
}

/// The field by which the elements of a list are known, for lists that are sets.
fn key_of(field: &str, elements: &[Value]) -> Option<&'static str> {
    let has = |key: &str| elements.iter().all(|e| e.get(key).is_some() || e.get("$patch").is_some());
    match field {
        "containers" | "initContainers" | "ephemeralContainers" | "env" | "volumes" | "imagePullSecrets" => {
            Some("name")
        }
        "volumeMounts" => Some("mountPath"),
        "conditions" | "addresses" => Some("type"),
        "ownerReferences" => Some("uid"),
        "hostAliases" | "podIPs" => Some("ip"),
        "taints" => Some("key"),
        "ports" if has("containerPort") => Some("containerPort"),
        "ports" if has("port") => Some("port"),
        "topologySpreadConstraints" => Some("topologyKey"),
        _ => None,
    }
}

/// Lists of plain values that are merged.
fn is_plain_set(field: &str) -> bool {
    matches!(field, "finalizers")
}

fn merge(old: Value, patch: &Value, field: &str) -> Value {
    match (old, patch) {
        (old, Value::Object(patch)) => merge_maps(old, patch),
        (Value::Array(old), Value::Array(patch)) => merge_lists(old, patch, field),
        (_, Value::Array(patch)) => merge_lists(Vec::new(), patch, field),
        (_, patch) => patch.clone(),
    }
}

fn merge_maps(old: Value, patch: &Map<String, Value>) -> Value {
    let directive = patch.get("$patch").and_then(Value::as_str);
    let mut map = match (old, directive) {
        (_, Some("replace" | "delete")) => Map::new(),
        (Value::Object(map), _) => map,
        _ => Map::new(),
    };
    if directive == Some("delete") {
        return Value::Null;
    }
    if let Some(kept) = patch.get("$retainKeys").and_then(Value::as_array) {
        map.retain(|key, _| kept.iter().any(|k| k == key));
    }
    for (key, value) in patch {
        if let Some(field) = key.strip_prefix("$deleteFromPrimitiveList/") {
            let gone = value.as_array().map_or(&[][..], Vec::as_slice);
            if let Some(list) = map.get_mut(field).and_then(Value::as_array_mut) {
                list.retain(|element| !gone.contains(element));
            }
        } else if key.starts_with('$') {
            // `$setElementOrder` is dealt with below.
        } else if value.is_null() {
            map.remove(key);
        } else {
            let before = map.remove(key).unwrap_or(Value::Null);
            let merged = merge(before, value, key);
            if !merged.is_null() {
                map.insert(key.clone(), merged);
            }
        }
    }
    for (key, order) in patch {
        if let Some(field) = key.strip_prefix("$setElementOrder/")
            && let (Some(list), Some(order)) = (map.get_mut(field).and_then(Value::as_array_mut), order.as_array())
        {
            let by = key_of(field, list);
            let place = |element: &Value| {
                order.iter().position(|o| match by {
                    Some(by) => o.get(by) == element.get(by),
                    None => o == element,
                })
            };
            list.sort_by_key(|element| place(element).unwrap_or(usize::MAX));
        }
    }
    Value::Object(map)
}

fn merge_lists(old: Vec<Value>, patch: &[Value], field: &str) -> Value {
    let replaces = |e: &Value| {
        e.get("$patch").and_then(Value::as_str) == Some("replace") && e.as_object().is_some_and(|o| o.len() == 1)
    };
    if patch.iter().any(replaces) {
        return Value::Array(patch.iter().filter(|e| !replaces(e)).cloned().collect());
    }
    let Some(key) = key_of(field, patch) else {
        if is_plain_set(field) {
            let mut list = old;
            list.extend(patch.iter().filter(|e| !list.contains(e)).cloned().collect::<Vec<_>>());
            return Value::Array(list);
        }
        return Value::Array(patch.to_vec());
    };
    let mut list = old;
    for element in patch {
        let at = list.iter().position(|e| e.get(key).is_some() && e.get(key) == element.get(key));
        match (at, element.get("$patch").and_then(Value::as_str)) {
            (Some(at), Some("delete")) => drop(list.remove(at)),
            (None, Some("delete")) => {}
            (Some(at), _) => list[at] = merge(list[at].take(), element, ""),
            (None, _) => list.push(merge(Value::Null, element, "")),
        }
    }
    Value::Array(list)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn strategic(mut to: Value, patch: Value) -> Value {
        Patch::Strategic(patch).apply(&mut to).expect("a patch");
        to
    }

    #[test]
    fn containers_are_known_by_their_names() {
        let pod = json!({"containers": [{"name": "a", "image": "1", "args": ["x", "y"]}, {"name": "b", "image": "1"}]});
        let merged = strategic(
            pod,
            json!({"$setElementOrder/containers": [{"name": "a"}, {"name": "b"}],
                   "containers": [{"name": "b", "image": "2", "env": [{"name": "E", "value": "1"}]}]}),
        );
        assert_eq!(
            merged,
            json!({"containers": [{"name": "a", "image": "1", "args": ["x", "y"]},
                                  {"name": "b", "image": "2", "env": [{"name": "E", "value": "1"}]}]})
        );
    }

    #[test]
    fn directives_replace_and_delete() {
        let old =
            json!({"spec": {"template": {"a": 1, "b": 2}, "volumes": [{"name": "v"}, {"name": "w"}], "args": ["1"]}});
        let merged = strategic(
            old,
            json!({"spec": {"template": {"$patch": "replace", "b": 3}, "args": ["2"],
                            "volumes": [{"name": "v", "$patch": "delete"}]}}),
        );
        assert_eq!(merged, json!({"spec": {"template": {"b": 3}, "volumes": [{"name": "w"}], "args": ["2"]}}));
    }

    #[test]
    fn null_takes_away() {
        assert_eq!(strategic(json!({"a": {"b": 1, "c": 2}}), json!({"a": {"b": null}})), json!({"a": {"c": 2}}));
    }

    #[test]
    fn a_patch_that_doubles_an_object_again_and_again_is_refused() {
        let copies: Vec<Value> = (0..40).map(|n| json!({"op": "copy", "from": "", "path": format!("/{n}")})).collect();
        let bytes = Value::Array(copies).to_string();
        let refusal = Patch::read("application/json-patch+json", bytes.as_bytes()).expect_err("too many copies");
        assert_eq!(refusal.code, 413);
    }

    #[test]
    fn a_member_that_is_not_there_is_replaced_and_not_missed_but_an_element_is() {
        let patched = |patch: &str| {
            let mut object = json!({"spec": {"list": [1]}});
            Patch::read("application/json-patch+json", patch.as_bytes()).expect("a patch").apply(&mut object)?;
            Ok::<_, Refusal>(object)
        };
        let there = patched(r#"[{"op": "replace", "path": "/spec/new", "value": 1}]"#).expect("as a kube-apiserver");
        assert_eq!(there["spec"]["new"], 1);
        for missing in ["/nowhere/new", "/spec/list/3"] {
            patched(&format!(r#"[{{"op": "replace", "path": "{missing}", "value": 1}}]"#)).expect_err(missing);
        }
    }

    #[test]
    fn a_test_that_fails_changes_nothing() {
        let patch = br#"[{"op": "replace", "path": "/a", "value": 2}, {"op": "test", "path": "/b", "value": 1}]"#;
        let mut object = json!({"a": 1, "b": 2});
        let refusal = Patch::read("application/json-patch+json", patch)
            .expect("a patch")
            .apply(&mut object)
            .expect_err("a test that fails");
        assert_eq!((refusal.code, refusal.reason, &object), (422, "Invalid", &json!({"a": 1, "b": 2})));
    }
}
