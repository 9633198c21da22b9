//! `/scale`: the number of replicas alone, under the identity and version of what is scaled.

use hyper::{Method, header};
use serde_json::{Value, json};

use super::Shared;
use super::ask::{Ask, Target};
use super::read::find;
use super::reply::Reply;
use super::write::{apply, how};
use crate::sim::cluster::Refusal;
use crate::sim::cluster::json::{int, name, namespace, text, uid};
use crate::sim::cluster::selector;

fn scale_of(object: &Value) -> Value {
    json!({
        "kind": "Scale", "apiVersion": "autoscaling/v1",
        "metadata": {
            "name": name(object), "namespace": namespace(object), "uid": uid(object),
            "resourceVersion": object["metadata"]["resourceVersion"],
            "creationTimestamp": object["metadata"]["creationTimestamp"],
        },
        "spec": {"replicas": int(object, "/spec/replicas").unwrap_or(0)},
        "status": {"replicas": int(object, "/status/replicas").unwrap_or(0),
                   "selector": selector::written(&object["spec"]["selector"])},
    })
}

pub(super) fn answer(shared: &Shared, ask: &Ask, target: &Target<'_>) -> Result<Reply, Refusal> {
    let how = how(ask, target)?;
    let mut held = shared.world();
    let old = find(&held, target)?;
    let mut scale = scale_of(&old);
    match ask.method {
        Method::GET => return Ok(Reply::json(200, &scale)),
        Method::PUT => scale = ask.json()?,
        Method::PATCH => apply(ask.header(header::CONTENT_TYPE), &ask.body, &mut scale)?,
        _ => {
            return Err(Refusal::new(
                405,
                "MethodNotAllowed",
                "the server does not allow this method on the requested resource",
            ));
        }
    }
    let Some(wanted) = scale.pointer("/spec/replicas").map_or(Some(0), Value::as_i64) else {
        return Err(Refusal::bad("json: cannot unmarshal into Go struct field ScaleSpec.spec.replicas of type int32"));
    };
    if wanted < 0 {
        let message = format!(
            "Scale.autoscaling \"{}\" is invalid: spec.replicas: Invalid value: {wanted}: must be greater than or equal to 0",
            target.name
        );
        return Err(Refusal::new(422, "Invalid", message));
    }
    let (given_uid, version) = (text(&scale, "/metadata/uid"), text(&scale, "/metadata/resourceVersion"));
    if !given_uid.is_empty() && given_uid != uid(&old) {
        let why = format!("Precondition failed: UID in precondition: {given_uid}, UID in object meta: {}", uid(&old));
        return Err(Refusal::conflict(target.names, target.name, &why));
    }
    if !version.is_empty() && version != text(&old, "/metadata/resourceVersion") {
        return Err(Refusal::stale(target.names, target.name));
    }
    let mut new = Value::clone(&old);
    new["spec"]["replicas"] = json!(wanted);
    let new = held.world.cluster.replace(target.names, &old, new, &how)?;
    Ok(Reply::json(200, &scale_of(&new)))
}
