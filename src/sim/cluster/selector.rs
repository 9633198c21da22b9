//! Selectors: by labels as objects and URLs write them, and by the fields that the API server can select by.

use serde_json::Value;

use super::json::{list, map, text};
use super::kinds::Kind;

/// Whether `labels` are all on an object (an equality-based selector, as Services have).
pub(crate) fn has_labels(selector: Option<&Value>, object: &Value) -> bool {
    let Some(wanted) = selector.and_then(Value::as_object).filter(|w| !w.is_empty()) else { return false };
    let labels = map(object, "/metadata/labels");
    wanted.iter().all(|(key, value)| labels.and_then(|l| l.get(key)) == Some(value))
}

/// Whether a `LabelSelector` matches an object.
pub(crate) fn matches(selector: &Value, object: &Value) -> bool {
    let labels = map(object, "/metadata/labels");
    let value = |key: &str| labels.and_then(|l| l.get(key)).and_then(Value::as_str);
    let equal = map(selector, "/matchLabels")
        .is_none_or(|wanted| wanted.iter().all(|(key, wanted)| value(key) == wanted.as_str()));
    equal
        && list(selector, "/matchExpressions").iter().all(|e| {
            let values: Vec<&str> = list(e, "/values").iter().filter_map(Value::as_str).collect();
            let found = value(text(e, "/key"));
            match text(e, "/operator") {
                "In" => found.is_some_and(|f| values.contains(&f)),
                "NotIn" => found.is_none_or(|f| !values.contains(&f)),
                "Exists" => found.is_some(),
                "DoesNotExist" => found.is_none(),
                _ => false,
            }
        })
}

/// A `LabelSelector` as text, as `/scale` and tables show it.
pub(crate) fn written(selector: &Value) -> String {
    let mut parts: Vec<String> = map(selector, "/matchLabels")
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    for e in list(selector, "/matchExpressions") {
        let values: Vec<&str> = list(e, "/values").iter().filter_map(Value::as_str).collect();
        let key = text(e, "/key");
        parts.push(match text(e, "/operator") {
            "In" => format!("{key} in ({})", values.join(",")),
            "NotIn" => format!("{key} notin ({})", values.join(",")),
            "DoesNotExist" => format!("!{key}"),
            _ => key.to_owned(),
        });
    }
    parts.join(",")
}

/// One requirement on a label or a field.
#[derive(Debug, Clone, PartialEq)]
enum Need {
    Is(String, String),
    IsNot(String, String),
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    There(String),
    NotThere(String),
}

/// A selector as it stands in a URL.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Wanted {
    labels: Vec<Need>,
    fields: Vec<Need>,
}

impl Wanted {
    /// Reads `labelSelector` and `fieldSelector`; what is wrong with them is a sentence.
    pub(crate) fn read(kind: Kind, labels: &str, fields: &str) -> Result<Self, String> {
        let labels = parts(labels).into_iter().map(need).collect::<Result<_, _>>()?;
        let fields: Vec<Need> = parts(fields).into_iter().map(need).collect::<Result<_, _>>()?;
        for field in &fields {
            let (Need::Is(name, _) | Need::IsNot(name, _)) = field else {
                return Err("invalid field selector: only = and != can be used".to_owned());
            };
            if !selectable(kind, name) {
                return Err(format!("field label not supported: {name}"));
            }
        }
        Ok(Self { labels, fields })
    }

    /// Whether an object is wanted.
    pub(crate) fn has(&self, object: &Value) -> bool {
        let labels = map(object, "/metadata/labels");
        let label = |key: &str| labels.and_then(|l| l.get(key)).and_then(Value::as_str).map(str::to_owned);
        // A field that is not there is the empty text.
        let field = |path: &str| Some(field(object, path));
        self.labels.iter().all(|n| n.met(label)) && self.fields.iter().all(|n| n.met(field))
    }
}

impl Need {
    fn met(&self, value: impl Fn(&str) -> Option<String>) -> bool {
        match self {
            Self::Is(key, wanted) => value(key).as_ref() == Some(wanted),
            Self::IsNot(key, wanted) => value(key).as_ref() != Some(wanted),
            Self::In(key, wanted) => value(key).is_some_and(|v| wanted.contains(&v)),
            Self::NotIn(key, wanted) => value(key).is_none_or(|v| !wanted.contains(&v)),
            Self::There(key) => value(key).is_some(),
            Self::NotThere(key) => value(key).is_none(),
        }
    }
}

fn field(object: &Value, path: &str) -> String {
    // `source` is the old name of the reporting component.
    let path = if path == "source" { "source.component" } else { path };
    match object.pointer(&format!("/{}", path.replace('.', "/"))) {
        Some(Value::String(text)) => text.clone(),
        None | Some(Value::Null) => String::new(),
        Some(other) => other.to_string(),
    }
}

fn selectable(kind: Kind, field: &str) -> bool {
    const POD: &[&str] = &[
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "status.phase",
        "status.podIP",
    ];
    const EVENT: &[&str] = &[
        "involvedObject.kind",
        "involvedObject.namespace",
        "involvedObject.name",
        "involvedObject.uid",
        "involvedObject.apiVersion",
        "involvedObject.resourceVersion",
        "involvedObject.fieldPath",
        "reason",
        "reportingComponent",
        "source",
        "type",
    ];
    let own: &[&str] = match kind {
        Kind::Pod => POD,
        Kind::Event => EVENT,
        Kind::Node => &["spec.unschedulable"],
        Kind::ReplicaSet => &["status.replicas"],
        Kind::Namespace => &["status.phase"],
        _ => &[],
    };
    matches!(field, "metadata.name" | "metadata.namespace") || own.contains(&field)
}

/// The requirements of a selector: commas inside parentheses do not part them.
fn parts(selector: &str) -> Vec<&str> {
    let (mut found, mut depth, mut start) = (Vec::new(), 0_i32, 0);
    for (at, c) in selector.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                found.push(selector[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    found.push(selector[start..].trim());
    found.retain(|part| !part.is_empty());
    found
}

fn need(part: &str) -> Result<Need, String> {
    let own = |text: &str| text.trim().to_owned();
    if let Some((head, rest)) = part.split_once('(') {
        let values = rest.trim_end_matches(')').split(',').map(own).collect();
        return match head.trim().rsplit_once(' ') {
            Some((key, "in")) => Ok(Need::In(own(key), values)),
            Some((key, "notin")) => Ok(Need::NotIn(own(key), values)),
            _ => Err(format!("unable to parse requirement: found '{part}', expected: in, notin, =, ==, !=")),
        };
    }
    if let Some((key, value)) = part.split_once("!=") {
        return Ok(Need::IsNot(own(key), own(value)));
    }
    if let Some((key, value)) = part.split_once('=') {
        return Ok(Need::Is(own(key), own(value.trim_start_matches('='))));
    }
    if part.contains(char::is_whitespace) {
        return Err(format!("unable to parse requirement: found '{part}', expected: in, notin, =, ==, !="));
    }
    Ok(part.strip_prefix('!').map_or_else(|| Need::There(own(part)), |key| Need::NotThere(own(key))))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn selectors_of_urls_are_read_in_all_their_spellings() {
        let pod =
            json!({"metadata": {"name": "p", "labels": {"app": "x", "tier": "a"}}, "status": {"phase": "Running"}});
        let has = |labels: &str, fields: &str| Wanted::read(Kind::Pod, labels, fields).expect("a selector").has(&pod);
        assert!(has("app=x,tier in (a, b),!gone,app", "status.phase=Running"));
        assert!(has("app==x,other!=y", "metadata.name!=q,spec.nodeName="));
        assert!(!has("tier notin (a)", "") && !has("gone", "") && !has("", "spec.nodeName=n"));
        assert!(Wanted::read(Kind::Pod, "", "spec.colour=red").is_err());
        assert!(Wanted::read(Kind::Pod, "app like x", "").is_err());
    }
}
