//! Where two JSON documents differ.

use std::collections::BTreeSet;

use serde_json::Value;

/// The JSON pointers at which they do, in order.
pub(crate) fn paths(one: &Value, other: &Value) -> Vec<String> {
    let mut paths = BTreeSet::new();
    differing(one, other, "", &mut paths);
    paths.into_iter().collect()
}

fn differing(one: &Value, other: &Value, at: &str, into: &mut BTreeSet<String>) {
    match (one, other) {
        (Value::Object(a), Value::Object(b)) => {
            for key in a.keys().chain(b.keys()).collect::<BTreeSet<_>>() {
                let path = format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
                let (a, b) = (a.get(key).unwrap_or(&Value::Null), b.get(key).unwrap_or(&Value::Null));
                differing(a, b, &path, into);
            }
        }
        _ if one == other => {}
        _ => drop(into.insert(at.to_owned())),
    }
}
