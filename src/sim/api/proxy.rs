//! `pods/proxy`: what a pod's port answers, or how the connection to it fails.

use serde_json::json;

use super::Shared;
use super::ask::Target;
use super::reply::Reply;
use crate::sim::cluster::Refusal;
use crate::sim::cluster::furniture::{self, GATEWAY_PORT, GPU_EXPORTER_PORT, Role};
use crate::sim::cluster::json::{list, name, text};

/// The type of a metrics page.
const PAGE: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(super) fn answer(shared: &Shared, target: &Target<'_>) -> Result<Reply, Refusal> {
    // `[scheme:]name[:port]`
    let parts: Vec<&str> = target.name.split(':').collect();
    let (scheme, called, port) = match parts.as_slice() {
        [called] => ("", *called, ""),
        [called, port] => ("", *called, *port),
        [scheme, called, port] => (*scheme, *called, *port),
        _ => return Err(Refusal::bad(format!("invalid pod request \"{}\"", crate::text::clean(target.name, 120)))),
    };
    let held = shared.world();
    let store = held.world.cluster.store();
    let Some(pod) = store.get(target.names.kind, target.space(), called) else {
        return Err(Refusal::not_found(target.names, called));
    };
    let ip = text(pod, "/status/podIP");
    if ip.is_empty() {
        return Err(Refusal::bad("address not allowed"));
    }
    let ports: Vec<(&str, u64)> = list(pod, "/spec/containers")
        .iter()
        .flat_map(|c| list(c, "/ports"))
        .map(|p| (text(p, "/name"), p["containerPort"].as_u64().unwrap_or(0)))
        .collect();
    let number = match port {
        "" => ports.first().map_or(80, |(_, number)| *number),
        named => named
            .parse()
            .ok()
            .or_else(|| ports.iter().find(|(n, _)| *n == named).map(|(_, number)| *number))
            .ok_or_else(|| Refusal::bad(format!("unknown port \"{}\"", crate::text::clean(named, 40))))?,
    };
    let refused = || {
        let message = format!("error trying to reach service: dial tcp {ip}:{number}: connect: connection refused");
        Refusal::new(503, "ServiceUnavailable", message)
    };
    if !matches!(scheme, "" | "http") {
        let message = "error trying to reach service: http: server gave HTTP response to HTTPS client";
        return Err(Refusal::new(503, "ServiceUnavailable", message));
    }
    let role = furniture::role(pod);
    let own_port = match role {
        Some(Role::Engine) => ports.first().map_or(8000, |(_, number)| *number),
        Some(Role::Gateway) => GATEWAY_PORT.into(),
        Some(Role::Gpus) => GPU_EXPORTER_PORT.into(),
        None => 0,
    };
    if number != own_port || !held.world.cluster.kubelet.runs(pod) {
        return Err(refused());
    }
    let path = target.part.get(1..).unwrap_or_default().join("/");
    let page = || held.world.page(pod).map(|page| Reply::text(200, page).typed(PAGE)).ok_or_else(refused);
    let not_found = || Ok(Reply::json(404, &json!({"detail": "Not Found"})));
    match (role, path.as_str()) {
        (Some(Role::Gateway), "stats/prometheus") | (Some(Role::Gpus), "metrics") => page(),
        (Some(Role::Gateway), "ready") => Ok(Reply::text(200, "LIVE\n")),
        (Some(Role::Gpus), "health") => Ok(Reply::text(200, "OK")),
        (Some(Role::Engine), "metrics") => page(),
        (Some(Role::Engine), path) => {
            let health = held.world.serving().health(name(pod)).ok_or_else(refused)?;
            match path {
                "health" => Ok(Reply::text(health, "")),
                "v1/models" if health == 200 => Ok(Reply::json(200, &models(pod))),
                "version" if health == 200 => Ok(Reply::json(200, &json!({"version": version(pod)}))),
                "v1/models" | "version" => Ok(Reply::text(health, "")),
                _ => not_found(),
            }
        }
        _ => not_found(),
    }
}

/// The engine's version is its image's tag.
fn version(pod: &serde_json::Value) -> String {
    let image = list(pod, "/spec/containers").first().map_or("", |c| text(c, "/image"));
    image.rsplit_once(':').map_or("", |(_, tag)| tag).trim_start_matches('v').to_owned()
}

/// The models that an engine serves, by its flags.
fn models(pod: &serde_json::Value) -> serde_json::Value {
    let args: Vec<&str> = list(pod, "/spec/containers")
        .first()
        .into_iter()
        .flat_map(|c| list(c, "/args"))
        .filter_map(serde_json::Value::as_str)
        .collect();
    let value = |flag: &str| {
        let at = args.iter().position(|a| *a == flag || a.starts_with(&format!("{flag}=")))?;
        args[at].split_once('=').map(|(_, v)| v).or_else(|| args.get(at + 1).copied())
    };
    let model = value("--model").or_else(|| args.first().copied().filter(|a| !a.starts_with("--"))).unwrap_or("model");
    let served = value("--served-model-name").unwrap_or(model);
    json!({"object": "list", "data": [{
        "id": served, "object": "model", "owned_by": "vllm", "root": model,
        "max_model_len": value("--max-model-len").and_then(|l| l.parse::<u64>().ok()),
    }]})
}
