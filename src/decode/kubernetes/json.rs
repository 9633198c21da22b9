//! Small readers of JSON that may be anything: what is not as expected is absent, and every string is cleaned and bounded.

use serde_json::{Map, Value};

use crate::domain::{At, Condition};
use crate::text::clean;

/// A name, as Kubernetes bounds them, with some room.
pub(super) const NAME: usize = 260;
/// A message, an argument, an annotation's value.
pub(super) const SENTENCE: usize = 1_000;
/// Entries of any list inside an object.
pub(super) const ENTRIES: usize = 512;

/// A string, empty where there is none.
pub(super) fn text(value: &Value, max: usize) -> String {
    word(value, max).unwrap_or_default()
}

/// A string that says something.
pub(super) fn word(value: &Value, max: usize) -> Option<String> {
    value.as_str().filter(|s| !s.is_empty()).map(|s| clean(s, max))
}

/// A string or a number, as it was written.
pub(super) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(clean(text, NAME)),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A count; what cannot be one is absent.
pub(super) fn number(value: &Value) -> Option<u32> {
    value.as_u64().and_then(|n| u32::try_from(n).ok())
}

/// A count, 0 where Kubernetes leaves it out because it is 0.
pub(super) fn count(value: &Value) -> u32 {
    number(value).unwrap_or(0)
}

/// A moment, as `metav1.Time` and `metav1.MicroTime` write it.
pub(super) fn time(value: &Value) -> Option<At> {
    // Longer than any of them, and shorter than what would cost time.
    let text = value.as_str().filter(|s| s.len() < 64)?;
    text.parse::<jiff::Timestamp>().ok().map(|t| At(t.as_millisecond()))
}

/// The entries of a list, none where there is no list.
pub(super) fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().map(Vec::as_slice).unwrap_or_default().iter().take(ENTRIES)
}

/// The entries of a map, sorted by their keys, none where there is no map.
pub(super) fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter).take(ENTRIES)
}

/// The strings of a map, cleaned and sorted.
pub(super) fn strings(value: &Value) -> Vec<(String, String)> {
    let mut strings: Vec<_> =
        entries(value).filter_map(|(k, v)| Some((clean(k, NAME), clean(v.as_str()?, SENTENCE)))).collect();
    strings.sort();
    strings
}

/// The object's name.
pub(super) fn name(object: &Value) -> String {
    text(&object["metadata"]["name"], NAME)
}

/// The object's identity.
pub(super) fn uid(object: &Value) -> &str {
    object["metadata"]["uid"].as_str().unwrap_or_default()
}

/// An annotation.
pub(super) fn annotation<'v>(object: &'v Value, key: &str) -> Option<&'v str> {
    object["metadata"]["annotations"][key].as_str()
}

/// A label.
pub(super) fn label<'v>(object: &'v Value, key: &str) -> Option<&'v str> {
    object["metadata"]["labels"][key].as_str()
}

/// The reference to the object that controls this one.
pub(super) fn controller(object: &Value) -> Option<&Value> {
    list(&object["metadata"]["ownerReferences"]).find(|o| o["controller"] == true)
}

/// The conditions of an object's status.
pub(super) fn conditions(status: &Value) -> Vec<Condition> {
    list(&status["conditions"]).map(condition).collect()
}

/// One condition.
fn condition(value: &Value) -> Condition {
    let status = match value["status"].as_str() {
        Some("True") => Some(true),
        Some("False") => Some(false),
        _ => None,
    };
    Condition {
        kind: text(&value["type"], NAME),
        status,
        reason: text(&value["reason"], NAME),
        message: text(&value["message"], SENTENCE),
        since: time(&value["lastTransitionTime"]),
        updated: time(&value["lastUpdateTime"]),
    }
}

/// A quantity of whole devices: `1` or `"1"`; what is no whole number asks for none.
pub(super) fn devices(resources: &Value) -> u32 {
    let is_gpu = |key: &str| key.ends_with("/gpu") || key.starts_with("nvidia.com/mig-") || key.starts_with("gpu.");
    entries(resources)
        .filter(|(key, _)| is_gpu(key))
        .filter_map(|(_, value)| number(value).or_else(|| value.as_str()?.parse().ok()))
        .fold(0, u32::saturating_add)
}
