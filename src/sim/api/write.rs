//! Create, replace, patch, delete, evict.

use hyper::{Method, header};
use serde_json::{Value, json};

use super::Shared;
use super::ask::{Ask, Target};
use super::fields::known_ones;
use super::patch::{self, Patch};
use super::read::{Form, find, formed};
use super::reply::Reply;
use crate::sim::cluster::Refusal;
use crate::sim::cluster::json::{int, name, namespace, text, uid};
use crate::sim::cluster::kinds::{Kind, Names};
use crate::sim::cluster::selector::Wanted;
use crate::sim::cluster::store::Object;
use crate::sim::cluster::write::How;

pub(super) fn how(ask: &Ask, target: &Target<'_>) -> Result<How, Refusal> {
    let part = match target.part.first() {
        Some(&"scale") => "scale",
        Some(&"status") => "status",
        _ => "",
    };
    Ok(How { dry_run: ask.dry_run()?, manager: ask.manager(), part })
}

pub(super) fn answer(shared: &Shared, ask: &Ask, target: &Target<'_>) -> Result<Reply, Refusal> {
    let how = how(ask, target)?;
    let names = target.names;
    if names.new_events() {
        return Err(Refusal::new(405, "MethodNotAllowed", "events are written through the core API here"));
    }
    let mut held = shared.world();
    let now = held.world.now();
    match (&ask.method, target.name) {
        (&Method::POST, "") => {
            let mut body = ask.json()?;
            let warnings = known_ones(ask, names, &mut body, false)?;
            let made = held.world.cluster.create(names, target.space(), body, &how)?;
            Ok(Reply::json(201, &formed(names, Form::of(ask), &made, now, true)).warning(&warnings))
        }
        (&Method::DELETE, "") => delete_many(&mut held, ask, target, how.dry_run),
        (_, "") | (&Method::POST, _) => Err(Refusal::new(
            405,
            "MethodNotAllowed",
            "the server does not allow this method on the requested resource",
        )),
        (&Method::PUT, _) => {
            let mut body = ask.json()?;
            let warnings = known_ones(ask, names, &mut body, false)?;
            let old = find(&held, target)?;
            let new = held.world.cluster.replace(names, &old, body, &how)?;
            Ok(Reply::json(200, &formed(names, Form::of(ask), &new, now, true)).warning(&warnings))
        }
        (&Method::PATCH, _) => {
            let patch = Patch::read(ask.header(header::CONTENT_TYPE), &ask.body)?;
            let old = find(&held, target)?;
            let mut new = patched(&patch, &old)?;
            let warnings = known_ones(ask, names, &mut new, true)?;
            let new = held.world.cluster.replace(names, &old, new, &how)?;
            Ok(Reply::json(200, &formed(names, Form::of(ask), &new, now, true)).warning(&warnings))
        }
        (&Method::DELETE, _) => {
            let old = find(&held, target)?;
            let options = if ask.body.is_empty() { Value::Null } else { ask.json()? };
            preconditions(names, &old, &options)?;
            let grace = int(&options, "/gracePeriodSeconds")
                .or_else(|| ask.number("gracePeriodSeconds").and_then(|g| i64::try_from(g).ok()));
            let dry_run = how.dry_run || !crate::sim::cluster::json::list(&options, "/dryRun").is_empty();
            let gone = held.world.cluster.delete(names, &old, grace, dry_run);
            if names.kind == Kind::Pod {
                return Ok(Reply::json(200, &gone));
            }
            let details = json!({"name": target.name, "group": names.group, "kind": names.plural, "uid": uid(&old)});
            Ok(Reply::json(
                200,
                &json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}),
            ))
        }
        _ => Err(Refusal::new(
            405,
            "MethodNotAllowed",
            "the server does not allow this method on the requested resource",
        )),
    }
}

/// The object with a patch applied. What a patch says of the version is a precondition.
fn patched(patch: &Patch, old: &Object) -> Result<Value, Refusal> {
    let mut new = Value::clone(old);
    patch.apply(&mut new)?;
    if !new.is_object() {
        return Err(Refusal::unprocessable());
    }
    Ok(new)
}

fn preconditions(names: &Names, old: &Object, options: &Value) -> Result<(), Refusal> {
    let (wanted, version) = (text(options, "/preconditions/uid"), text(options, "/preconditions/resourceVersion"));
    if !wanted.is_empty() && wanted != uid(old) {
        let why = format!(
            "the UID in the precondition ({wanted}) does not match the UID in record ({}). The object might have been \
             deleted and then recreated",
            uid(old)
        );
        return Err(Refusal::precondition(names, name(old), &why));
    }
    let own = text(old, "/metadata/resourceVersion");
    if !version.is_empty() && version != own {
        let why = format!(
            "the ResourceVersion in the precondition ({version}) does not match the ResourceVersion in record ({own}). \
             The object might have been modified"
        );
        return Err(Refusal::precondition(names, name(old), &why));
    }
    Ok(())
}

fn delete_many(held: &mut super::Moving<'_>, ask: &Ask, target: &Target<'_>, dry_run: bool) -> Result<Reply, Refusal> {
    let wanted =
        Wanted::read(target.names.kind, ask.get("labelSelector"), ask.get("fieldSelector")).map_err(Refusal::bad)?;
    let found: Vec<Object> = held
        .world
        .cluster
        .store()
        .all(target.names.kind)
        .filter(|o| namespace(o) == target.space() && wanted.has(o))
        .cloned()
        .collect();
    let gone: Vec<Value> =
        found.iter().map(|object| held.world.cluster.delete(target.names, object, None, dry_run)).collect();
    Ok(Reply::json(
        200,
        &json!({"kind": format!("{}List", target.names.name), "apiVersion": target.names.group_version(),
                "metadata": {"resourceVersion": held.world.cluster.version().to_string()}, "items": gone}),
    ))
}

/// `pods/eviction`: no budget stands in the way here.
pub(super) fn evict(shared: &Shared, ask: &Ask, target: &Target<'_>) -> Result<Reply, Refusal> {
    let body = if ask.body.is_empty() { Value::Null } else { ask.json()? };
    let dry_run = ask.dry_run()? || !crate::sim::cluster::json::list(&body, "/deleteOptions/dryRun").is_empty();
    let mut held = shared.world();
    let pod = find(&held, target)?;
    let grace = int(&body, "/deleteOptions/gracePeriodSeconds");
    held.world.cluster.delete(target.names, &pod, grace, dry_run);
    Ok(Reply::json(
        201,
        &json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}),
    ))
}

/// Applies a patch to something that is no stored object.
pub(super) fn apply(kind: &str, bytes: &[u8], to: &mut Value) -> Result<(), Refusal> {
    patch::Patch::read(kind, bytes)?.apply(to)
}
