//! Writes as the API server takes them: checked against what is there, filled in, and kept unless it is a dry run.

use serde_json::{Value, json};

use super::json::{int, list, map, name, set, text, time, uid};
use super::kinds::{Kind, Names};
use super::refusal::Refusal;
use super::replicas::{MOST_REPLICAS, delete_pod_within};
use super::store::Object;
use super::{Cluster, defaults, selector};
use crate::domain::At;

/// How a write is meant.
#[derive(Debug, Clone, Default)]
pub(crate) struct How {
    /// Nothing is kept.
    pub(crate) dry_run: bool,
    /// Who writes: the name that stands in `managedFields`.
    pub(crate) manager: String,
    /// `scale` or `status`, where a part is written.
    pub(crate) part: &'static str,
}

impl How {
    /// A write by a person with this program.
    pub(crate) fn by(manager: &str) -> Self {
        Self { manager: manager.to_owned(), ..Self::default() }
    }
}

/// The most annotations and labels of an object, in bytes: `TotalAnnotationSizeLimitB`.
const MOST_NOTES: usize = 256 * 1024;

impl Cluster {
    /// Creates an object.
    pub(crate) fn create(
        &mut self,
        names: &Names,
        namespace: &str,
        mut body: Value,
        how: &How,
    ) -> Result<Value, Refusal> {
        body = checked_form(names, body)?;
        if name(&body).is_empty() {
            let prefix = text(&body, "/metadata/generateName").to_owned();
            if prefix.is_empty() {
                let why = "Required value: name or generateName is required";
                return Err(Refusal::invalid(names, "", "metadata.name", why));
            }
            let called = format!("{prefix}{}", self.desk.suffix());
            set(&mut body, &["metadata", "name"], json!(called));
        }
        if names.namespaced {
            set(&mut body, &["metadata", "namespace"], json!(namespace));
            if self.desk.store.get(Kind::Namespace, "", namespace).is_none() {
                return Err(Refusal::not_found(Kind::Namespace.names(), namespace));
            }
        }
        let called = name(&body).to_owned();
        if self.desk.store.get(names.kind, namespace, &called).is_some() {
            return Err(Refusal::exists(names, &called));
        }
        defaults::fill(names.kind, &mut body);
        check(names, &body)?;
        sign(&mut body, &Value::Null, names, how, self.desk.now);
        if how.dry_run {
            let mut preview = self.desk.store.preview(names.kind, body);
            set(&mut preview, &["metadata", "uid"], self.desk.uuid().into());
            set(&mut preview, &["metadata", "creationTimestamp"], time(self.desk.now).into());
            return Ok(preview);
        }
        Ok(Value::clone(&self.desk.create(names.kind, body)))
    }

    /// Puts `body` in the place of an object. What a client may not change stays as it is.
    pub(crate) fn replace(&mut self, names: &Names, old: &Object, body: Value, how: &How) -> Result<Value, Refusal> {
        let mut body = checked_form(names, body)?;
        let called = name(old).to_owned();
        if name(&body) != called {
            let why = format!("the name of the object ({}) does not match the name on the URL ({called})", name(&body));
            return Err(Refusal::bad(why));
        }
        let version = text(&body, "/metadata/resourceVersion");
        if !version.is_empty() && version != text(old, "/metadata/resourceVersion") {
            return Err(Refusal::stale(names, &called));
        }
        if !uid(&body).is_empty() && uid(&body) != uid(old) {
            let why =
                format!("Precondition failed: UID in precondition: {}, UID in object meta: {}", uid(&body), uid(old));
            return Err(Refusal::conflict(names, &called, &why));
        }
        for field in [
            "uid",
            "namespace",
            "creationTimestamp",
            "generation",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
            "managedFields",
        ] {
            match old["metadata"].get(field) {
                Some(value) => body["metadata"][field] = value.clone(),
                None => drop(body["metadata"].as_object_mut().and_then(|m| m.remove(field))),
            }
        }
        if how.part == "status" {
            let status = body["status"].clone();
            body = Value::clone(old);
            body["status"] = status;
        } else {
            match old.get("status") {
                Some(status) => body["status"] = status.clone(),
                None => drop(body.as_object_mut().and_then(|b| b.remove("status"))),
            }
        }
        defaults::fill(names.kind, &mut body);
        check(names, &body)?;
        if names.kind.has_generation() && body["spec"]["selector"] != old["spec"]["selector"] {
            let why = format!("Invalid value: {}: field is immutable", body["spec"]["selector"]);
            return Err(Refusal::invalid(names, &called, "spec.selector", &why));
        }
        sign(&mut body, old, names, how, self.desk.now);
        if how.dry_run {
            return Ok(self.desk.store.preview(names.kind, body));
        }
        let (space, kind) = (text(old, "/metadata/namespace"), names.kind);
        if how.part == "status" {
            let status = body["status"].clone();
            let kept = self.desk.store.tell(kind, space, &called, |o| o["status"] = status);
            return kept.map(|k| Value::clone(&k)).ok_or_else(|| Refusal::not_found(names, &called));
        }
        Ok(Value::clone(&self.desk.store.put(kind, body)))
    }

    /// Deletes an object; a pod gets its grace.
    pub(crate) fn delete(&mut self, names: &Names, old: &Object, grace: Option<i64>, dry_run: bool) -> Value {
        let (space, called) = (text(old, "/metadata/namespace"), name(old));
        if dry_run {
            return Value::clone(old);
        }
        if names.kind == Kind::Pod && grace != Some(0) {
            let usual = int(old, "/spec/terminationGracePeriodSeconds").unwrap_or(30);
            delete_pod_within(&mut self.desk, old, grace.unwrap_or(usual));
            return self
                .desk
                .store
                .get(names.kind, space, called)
                .map_or_else(|| Value::clone(old), |o| Value::clone(o));
        }
        self.desk.store.remove(names.kind, space, called).map_or(Value::Null, |o| Value::clone(&o))
    }
}

/// An object of the kind that the path names.
fn checked_form(names: &Names, mut body: Value) -> Result<Value, Refusal> {
    if !body.is_object() {
        return Err(Refusal::bad("the body is no object"));
    }
    let (version, kind) = (names.group_version(), names.name);
    let (said_version, said_kind) = (text(&body, "/apiVersion"), text(&body, "/kind"));
    if !said_kind.is_empty() && said_kind != kind {
        return Err(Refusal::bad(format!("{said_kind} in version \"{version}\" cannot be handled as a {kind}")));
    }
    if !said_version.is_empty() && said_version != version {
        return Err(Refusal::bad(format!(
            "the API version in the data ({said_version}) does not match the expected API version ({version})"
        )));
    }
    set(&mut body, &["apiVersion"], json!(version));
    set(&mut body, &["kind"], json!(kind));
    if !body["metadata"].is_object() {
        set(&mut body, &["metadata"], json!({}));
    }
    Ok(body)
}

/// The rules that a typing error breaks most easily.
fn check(names: &Names, body: &Value) -> Result<(), Refusal> {
    let invalid = |field: &str, why: &str| Err(Refusal::invalid(names, name(body), field, why));
    let notes: usize = map(body, "/metadata/annotations")
        .into_iter()
        .flatten()
        .map(|(key, value)| key.len() + value.as_str().map_or(0, str::len))
        .sum();
    if notes > MOST_NOTES {
        return invalid("metadata.annotations", "Too long: may not be more than 262144 bytes");
    }
    for part in ["annotations", "labels"] {
        let all_text = map(body, &format!("/metadata/{part}")).into_iter().flatten().all(|(_, v)| v.is_string());
        if !all_text {
            return Err(Refusal::bad(format!(
                "{} in version \"{}\" cannot be handled as a {}: json: cannot unmarshal into Go struct field ObjectMeta.metadata.{part} of type string",
                names.name,
                names.group_version(),
                names.name
            )));
        }
    }
    if names.scale {
        match body.pointer("/spec/replicas").map(Value::as_i64) {
            Some(Some(n)) if n < 0 => {
                return invalid("spec.replicas", &format!("Invalid value: {n}: must be greater than or equal to 0"));
            }
            Some(Some(n)) if n > MOST_REPLICAS => {
                return invalid(
                    "spec.replicas",
                    &format!("Invalid value: {n}: this simulation has at most {MOST_REPLICAS} replicas"),
                );
            }
            Some(None) => {
                return Err(Refusal::bad("json: cannot unmarshal into Go struct field .spec.replicas of type int32"));
            }
            _ => {}
        }
        let template = &body["spec"]["template"];
        let containers = list(template, "/spec/containers");
        if containers.is_empty() {
            return invalid("spec.template.spec.containers", "Required value");
        }
        for (at, container) in containers.iter().enumerate() {
            for field in ["name", "image"] {
                if text(container, &format!("/{field}")).is_empty() {
                    return invalid(&format!("spec.template.spec.containers[{at}].{field}"), "Required value");
                }
            }
        }
        if !selector::matches(&body["spec"]["selector"], template) || body["spec"]["selector"].is_null() {
            let labels = template.pointer("/metadata/labels").cloned().unwrap_or(Value::Null);
            let why = format!("Invalid value: {labels}: `selector` does not match template `labels`");
            return invalid("spec.template.metadata.labels", &why);
        }
    }
    if names.kind == Kind::Autoscaler {
        let (least, most) = (int(body, "/spec/minReplicas").unwrap_or(1), int(body, "/spec/maxReplicas").unwrap_or(0));
        if most < 1 {
            return invalid("spec.maxReplicas", &format!("Invalid value: {most}: must be greater than 0"));
        }
        if most < least {
            let why = format!("Invalid value: {most}: must be greater than or equal to `minReplicas`");
            return invalid("spec.maxReplicas", &why);
        }
    }
    Ok(())
}

/// The members of a map that are others than before, as `managedFields` names them.
fn written(now: &Value, before: Option<&Value>) -> Value {
    let members = now.as_object().into_iter().flatten();
    let new = members.filter(|(key, value)| before.and_then(|b| b.get(key.as_str())) != Some(*value));
    Value::Object(new.map(|(key, _)| (format!("f:{key}"), json!({}))).collect())
}

/// Notes who wrote, which top-level fields, and when.
fn sign(body: &mut Value, old: &Value, names: &Names, how: &How, now: At) {
    let mut fields = serde_json::Map::new();
    for part in ["metadata", "spec", "status", "data"] {
        let mut changed = serde_json::Map::new();
        for (key, value) in map(body, &format!("/{part}")).into_iter().flatten() {
            let user_part = part != "metadata" || matches!(key.as_str(), "labels" | "annotations");
            let before = old[part].get(key);
            if user_part && before != Some(value) {
                // Of labels and annotations each belongs to whoever wrote it.
                let each = if part == "metadata" { written(value, before) } else { json!({}) };
                changed.insert(format!("f:{key}"), each);
            }
        }
        if !changed.is_empty() {
            fields.insert(format!("f:{part}"), Value::Object(changed));
        }
    }
    if fields.is_empty() {
        return;
    }
    let mut entry = json!({
        "manager": how.manager, "operation": "Update", "apiVersion": names.group_version(), "time": time(now),
        "fieldsType": "FieldsV1", "fieldsV1": fields,
    });
    if !how.part.is_empty() {
        entry["subresource"] = json!(how.part);
    }
    let mut entries = list(body, "/metadata/managedFields").to_vec();
    entries.retain(|e| text(e, "/manager") != how.manager || text(e, "/subresource") != how.part);
    entries.push(entry);
    set(body, &["metadata", "managedFields"], Value::Array(entries));
}
