//! Get and list: as the objects are, as tables, or their metadata alone.

use serde_json::{Value, json};

use super::Shared;
use super::ask::{Ask, Target};
use super::reply::{JSON, Reply};
use super::table;
use crate::domain::At;
use crate::sim::cluster::Refusal;
use crate::sim::cluster::events::modern;
use crate::sim::cluster::json::{name, namespace};
use crate::sim::cluster::kinds::Names;
use crate::sim::cluster::selector::Wanted;
use crate::sim::cluster::store::{Key, Object};

/// The form in which objects are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Whole,
    Metadata,
    Table {
        /// What each row carries along.
        object: Carried,
        /// v1 or v1beta1.
        beta: bool,
    },
}

/// What a row of a table carries along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Carried {
    Nothing,
    Metadata,
    Whole,
}

impl Form {
    /// The first form in `Accept` that can be served.
    pub(super) fn of(ask: &Ask) -> Self {
        for accepted in ask.accepts() {
            let parts: Vec<&str> = accepted.split(';').map(str::trim).collect();
            if parts[0] != JSON && parts[0] != "*/*" {
                continue;
            }
            let named = parts.iter().find_map(|p| p.strip_prefix("as="));
            match named {
                Some("Table") => {
                    let object = match ask.get("includeObject") {
                        "None" => Carried::Nothing,
                        "Object" => Carried::Whole,
                        _ => Carried::Metadata,
                    };
                    return Self::Table { object, beta: parts.contains(&"v=v1beta1") };
                }
                Some("PartialObjectMetadata" | "PartialObjectMetadataList") => return Self::Metadata,
                None => return Self::Whole,
                Some(_) => {}
            }
        }
        Self::Whole
    }
}

/// An object in the version that was asked for.
pub(super) fn shown(names: &Names, object: &Value) -> Value {
    if names.new_events() { modern(object) } else { object.clone() }
}

/// An object in a form.
pub(super) fn formed(names: &Names, form: Form, object: &Value, now: At, headings: bool) -> Value {
    match form {
        Form::Whole => shown(names, object),
        Form::Metadata => metadata(object),
        Form::Table { object: carried, beta } => {
            let mut table = table::table(names, std::slice::from_ref(object), now, carried, beta, headings);
            table["metadata"] = json!({"resourceVersion": object["metadata"]["resourceVersion"]});
            table
        }
    }
}

fn metadata(object: &Value) -> Value {
    json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"]})
}

/// Finds the object that a target names.
pub(super) fn find(shared: &super::Moving<'_>, target: &Target<'_>) -> Result<Object, Refusal> {
    let found = shared.world.cluster.store().get(target.names.kind, target.space(), target.name);
    found.cloned().ok_or_else(|| Refusal::not_found(target.names, target.name))
}

pub(super) fn answer(shared: &Shared, ask: &Ask, target: &Target<'_>) -> Result<Reply, Refusal> {
    let held = shared.world();
    let form = Form::of(ask);
    if !target.name.is_empty() {
        let object = find(&held, target)?;
        return Ok(Reply::json(200, &formed(target.names, form, &object, held.world.now(), true)));
    }
    let wanted =
        Wanted::read(target.names.kind, ask.get("labelSelector"), ask.get("fieldSelector")).map_err(Refusal::bad)?;
    let page = page(&held, ask, target)?;
    let mut objects: Vec<Object> = page.objects;
    objects.retain(|o| wanted.has(o));
    let rest = ask.number("limit").filter(|l| *l > 0).and_then(|l| usize::try_from(l).ok()).map_or(0, |limit| {
        let rest = objects.len().saturating_sub(limit);
        objects.truncate(limit);
        rest
    });
    let mut meta = json!({"resourceVersion": page.version.to_string()});
    if rest > 0
        && let Some(last) = objects.last()
    {
        meta["continue"] = json!(format!("{}:{}/{}", page.version, namespace(last), name(last)));
        meta["remainingItemCount"] = json!(rest);
    }
    let body = match form {
        Form::Table { object: carried, beta } => {
            let values: Vec<Value> = objects.iter().map(|o| Value::clone(o)).collect();
            let mut table = table::table(target.names, &values, held.world.now(), carried, beta, true);
            table["metadata"] = meta;
            table
        }
        Form::Metadata => {
            let items: Vec<Value> = objects.iter().map(|o| metadata(o)).collect();
            json!({"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": meta, "items": items})
        }
        Form::Whole => {
            let items: Vec<Value> = objects.iter().map(|o| item(shown(target.names, o))).collect();
            json!({"kind": format!("{}List", target.names.name), "apiVersion": target.names.group_version(),
                   "metadata": meta, "items": items})
        }
    };
    Ok(Reply::json(200, &body))
}

/// Items of a list do not say what they are: the list does.
fn item(mut object: Value) -> Value {
    if let Some(object) = object.as_object_mut() {
        object.remove("kind");
        object.remove("apiVersion");
    }
    object
}

struct Page {
    version: u64,
    objects: Vec<Object>,
}

/// The objects of a list, before selectors: as of now, or as of the version at which a list began.
fn page(held: &super::Moving<'_>, ask: &Ask, target: &Target<'_>) -> Result<Page, Refusal> {
    let store = held.world.cluster.store();
    let expired = || {
        Refusal::expired(
            "The provided continue parameter is too old to display a consistent list result. You can start a new list \
             without the continue parameter.",
        )
    };
    let within = |key: &Key| target.namespace.is_none_or(|space| key.0 == space);
    let token = ask.get("continue");
    let exact = (ask.get("resourceVersionMatch") == "Exact").then(|| ask.number("resourceVersion")).flatten();
    if token.is_empty() && exact.is_none() {
        let kind = target.names.kind;
        // The newest state is never older than what a client has seen.
        if ask.number("resourceVersion").is_some_and(|v| v > store.version()) {
            let message =
                format!("Too large resource version: {}, current: {}", ask.get("resourceVersion"), store.version());
            let mut refusal = Refusal::new(504, "Timeout", message);
            let cause = json!({"reason": "ResourceVersionTooLarge", "message": "Too large resource version"});
            refusal.details = json!({"causes": [cause], "retryAfterSeconds": 1});
            return Err(refusal);
        }
        let objects =
            store.all(kind).filter(|o| target.namespace.is_none_or(|space| namespace(o) == space)).cloned().collect();
        return Ok(Page { version: store.version(), objects });
    }
    let (version, after) = match exact {
        Some(version) if token.is_empty() => (version, None),
        _ => {
            let (version, key) = token.split_once(':').ok_or_else(|| Refusal::bad("continue key is not valid"))?;
            let (space, called) = key.split_once('/').ok_or_else(|| Refusal::bad("continue key is not valid"))?;
            let version = version.parse().map_err(|_| Refusal::bad("continue key is not valid"))?;
            (version, Some((space.to_owned(), called.to_owned())))
        }
    };
    let objects = store.as_of(target.names.kind, version).ok_or_else(expired)?;
    let objects = objects
        .into_iter()
        .filter(|(key, _)| within(key) && after.as_ref().is_none_or(|after| key > after))
        .map(|(_, object)| object)
        .collect();
    Ok(Page { version, objects })
}
