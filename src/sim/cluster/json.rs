//! Looking into and writing to objects that are plain JSON. What is not there reads as empty, as Go's zero values do.

use serde_json::{Map, Value, json};

use crate::domain::At;

/// The text at a pointer; empty where there is none.
pub(crate) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The whole number at a pointer.
pub(crate) fn int(value: &Value, pointer: &str) -> Option<i64> {
    value.pointer(pointer).and_then(Value::as_i64)
}

/// Whether the value at a pointer is `true`.
pub(crate) fn flag(value: &Value, pointer: &str) -> bool {
    value.pointer(pointer).and_then(Value::as_bool).unwrap_or(false)
}

/// The list at a pointer; empty where there is none.
pub(crate) fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The map at a pointer.
pub(crate) fn map<'a>(value: &'a Value, pointer: &str) -> Option<&'a Map<String, Value>> {
    value.pointer(pointer).and_then(Value::as_object)
}

/// `metadata.name`.
pub(crate) fn name(value: &Value) -> &str {
    text(value, "/metadata/name")
}

/// `metadata.namespace`; empty for what has none.
pub(crate) fn namespace(value: &Value) -> &str {
    text(value, "/metadata/namespace")
}

/// `metadata.uid`.
pub(crate) fn uid(value: &Value) -> &str {
    text(value, "/metadata/uid")
}

/// An annotation.
pub(crate) fn annotation<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    map(value, "/metadata/annotations").and_then(|a| a.get(key)).and_then(Value::as_str)
}

/// A label.
pub(crate) fn label<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    map(value, "/metadata/labels").and_then(|a| a.get(key)).and_then(Value::as_str)
}

/// The uid of the controlling owner; empty where there is none.
pub(crate) fn controller_uid(value: &Value) -> &str {
    controller(value).map_or("", |owner| text(owner, "/uid"))
}

/// The reference to the controlling owner.
pub(crate) fn controller(value: &Value) -> Option<&Value> {
    list(value, "/metadata/ownerReferences").iter().find(|owner| flag(owner, "/controller"))
}

/// Sets `path` (names separated by dots are no option here: keys hold dots), making maps on the way.
pub(crate) fn set(value: &mut Value, path: &[&str], new: Value) {
    let mut here = value;
    for step in path {
        if !here.is_object() {
            *here = Value::Object(Map::new());
        }
        let Value::Object(map) = here else { return };
        here = map.entry((*step).to_owned()).or_insert(Value::Null);
    }
    *here = new;
}

/// Sets `path` where nothing stands there.
pub(crate) fn default(value: &mut Value, path: &[&str], new: Value) {
    let mut pointer = String::new();
    for step in path {
        pointer.push('/');
        pointer.push_str(step);
    }
    if value.pointer(&pointer).is_none_or(Value::is_null) {
        set(value, path, new);
    }
}

/// Removes the entry of a map at `path`.
pub(crate) fn remove(value: &mut Value, path: &[&str]) -> Option<Value> {
    let (last, way) = path.split_last()?;
    let mut here = value;
    for step in way {
        here = here.get_mut(*step)?;
    }
    here.as_object_mut()?.remove(*last)
}

/// The reference by which `owner` controls what it makes.
pub(crate) fn owned_by(owner: &Value) -> Value {
    json!([{
        "apiVersion": text(owner, "/apiVersion"), "kind": text(owner, "/kind"), "name": name(owner), "uid": uid(owner),
        "controller": true, "blockOwnerDeletion": true,
    }])
}

/// Whole seconds, as `metav1.Time` writes them.
pub(crate) fn time(at: At) -> String {
    moment(at, false)
}

/// Microseconds, as `metav1.MicroTime` writes them.
pub(crate) fn micro(at: At) -> String {
    moment(at, true)
}

fn moment(at: At, micro: bool) -> String {
    let Ok(stamp) = jiff::Timestamp::from_millisecond(at.0) else { return "1970-01-01T00:00:00Z".to_owned() };
    let format = if micro { "%Y-%m-%dT%H:%M:%S.%6fZ" } else { "%Y-%m-%dT%H:%M:%SZ" };
    stamp.strftime(format).to_string()
}

/// A moment that was written by [`time`] or [`micro`], or by a client.
pub(crate) fn parse_time(text: &str) -> Option<At> {
    text.parse::<jiff::Timestamp>().ok().map(|t| At(t.as_millisecond()))
}

/// The moment at a pointer.
pub(crate) fn time_at(value: &Value, pointer: &str) -> Option<At> {
    parse_time(text(value, pointer))
}

/// Whether two values are equal where absent, null and empty are the same, as `semantic.DeepEqual` has it.
pub(crate) fn alike(a: Option<&Value>, b: Option<&Value>) -> bool {
    let empty = |v: Option<&Value>| match v {
        None | Some(Value::Null) => true,
        Some(Value::Object(map)) => map.values().all(|v| alike(Some(v), None)) && map.is_empty(),
        Some(Value::Array(list)) => list.is_empty(),
        Some(_) => false,
    };
    match (a, b) {
        (Some(Value::Object(a)), Some(Value::Object(b))) => {
            a.iter().all(|(k, v)| alike(Some(v), b.get(k)))
                && b.iter().all(|(k, v)| a.contains_key(k) || alike(None, Some(v)))
        }
        (Some(Value::Array(a)), Some(Value::Array(b))) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| alike(Some(a), Some(b)))
        }
        (a, b) => a == b || (empty(a) && empty(b)),
    }
}

/// A quantity of Kubernetes in base units: `500m`, `64Gi`, `2`.
pub(crate) fn quantity(value: &Value) -> f64 {
    let Some(text) = value.as_str() else { return value.as_f64().unwrap_or(0.0) };
    let digits = text.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '-' | '+'))).unwrap_or(text.len());
    let number: f64 = text[..digits].parse().unwrap_or(0.0);
    let unit = match &text[digits..] {
        "m" => 1e-3,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "Ki" => 1024.0,
        "Mi" => 1024.0_f64.powi(2),
        "Gi" => 1024.0_f64.powi(3),
        "Ti" => 1024.0_f64.powi(4),
        _ => 1.0,
    };
    number * unit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_and_empty_are_alike_and_nothing_else_is() {
        assert!(alike(Some(&json!({"a": 1, "b": {}})), Some(&json!({"a": 1, "c": null}))));
        assert!(!alike(Some(&json!({"a": 1})), Some(&json!({"a": 1, "c": 0}))));
        assert!(!alike(Some(&json!([1])), Some(&json!([1, 2]))));
    }

    #[test]
    fn moments_are_written_as_kubernetes_does() {
        assert_eq!(time(At(1_764_015_472_345)), "2025-11-24T20:17:52Z");
        assert_eq!(micro(At(1_764_015_472_345)), "2025-11-24T20:17:52.345000Z");
        assert_eq!(parse_time("2025-11-24T20:17:52Z"), Some(At(1_764_015_472_000)));
    }

    #[test]
    fn quantities_have_units() {
        let read = |t: &str| quantity(&json!(t));
        assert_eq!((read("500m"), read("1Ki"), read("8")), (0.5, 1024.0, 8.0));
    }
}
