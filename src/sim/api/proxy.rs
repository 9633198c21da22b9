//! `pods/proxy`: what a pod's port answers, or how the connection to it fails.

use serde_json::{Value, json};

use super::Shared;
use super::ask::Target;
use super::reply::Reply;
use crate::sim::cluster::furniture::{self, GATEWAY_FRONT, GATEWAY_PORT, GPU_EXPORTER_PORT, Role};
use crate::sim::cluster::json::{list, name, text};
use crate::sim::cluster::kinds::Names;
use crate::sim::cluster::{Kind, Refusal};
use crate::sim::world::World;

/// The type of a metrics page.
const PAGE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What listens behind a pod's port.
struct Behind<'a> {
    pod: &'a Value,
    ip: String,
    number: u64,
    role: Option<Role>,
}

impl Behind<'_> {
    fn refused(&self) -> Refusal {
        refused(&self.ip, self.number)
    }

    /// Whether this is where a gateway's users knock.
    fn is_front(&self) -> bool {
        self.role == Some(Role::Gateway) && self.number == u64::from(GATEWAY_FRONT)
    }
}

fn refused(ip: &str, number: u64) -> Refusal {
    let message = format!("error trying to reach service: dial tcp {ip}:{number}: connect: connection refused");
    Refusal::new(503, "ServiceUnavailable", message)
}

/// From where somebody connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    /// Another machine, to the pod's address.
    Outside,
    /// The pod itself, to 127.0.0.1.
    Inside,
}

fn behind<'a>(world: &'a World, target: &Target<'_>, from: Side) -> Result<Behind<'a>, Refusal> {
    // `[scheme:]name[:port]`
    let parts: Vec<&str> = target.name.split(':').collect();
    let (scheme, called, port) = match parts.as_slice() {
        [called] => ("", *called, ""),
        [called, port] => ("", *called, *port),
        [scheme, called, port] => (*scheme, *called, *port),
        _ => return Err(Refusal::bad(format!("invalid pod request \"{}\"", crate::text::clean(target.name, 120)))),
    };
    let store = world.cluster.store();
    let Some(pod) = store.get(target.names.kind, target.space(), called) else {
        return Err(Refusal::not_found(target.names, called));
    };
    let ip = text(pod, "/status/podIP");
    if ip.is_empty() {
        return Err(Refusal::bad("address not allowed"));
    }
    let open: Vec<(&str, u64)> = list(pod, "/spec/containers")
        .iter()
        .flat_map(|c| list(c, "/ports"))
        .map(|p| (text(p, "/name"), p["containerPort"].as_u64().unwrap_or(0)))
        .collect();
    let number = match port {
        "" => open.first().map_or(80, |(_, number)| *number),
        named => named
            .parse()
            .ok()
            .or_else(|| open.iter().find(|(n, _)| *n == named).map(|(_, number)| *number))
            .ok_or_else(|| Refusal::bad(format!("unknown port \"{}\"", crate::text::clean(named, 40))))?,
    };
    if !matches!(scheme, "" | "http") {
        let message = "error trying to reach service: http: server gave HTTP response to HTTPS client";
        return Err(Refusal::new(503, "ServiceUnavailable", message));
    }
    let role = furniture::role(pod);
    let own_port = match role {
        Some(Role::Engine) => open.first().map_or(8000, |(_, number)| *number),
        Some(Role::Gateway) if number == u64::from(GATEWAY_FRONT) => number,
        Some(Role::Gateway) => GATEWAY_PORT.into(),
        Some(Role::Gpus) => GPU_EXPORTER_PORT.into(),
        None => 0,
    };
    let unheard = from == Side::Outside && role == Some(Role::Engine) && listens_inside_alone(pod);
    if number != own_port || unheard || !world.cluster.kubelet.runs(pod) {
        return Err(refused(ip, number));
    }
    Ok(Behind { pod, ip: ip.to_owned(), number, role })
}

/// Which pod is asked for tokens; no pod: the gateway is.
pub(super) fn asked(shared: &Shared, target: &Target<'_>) -> Result<Option<String>, Refusal> {
    let held = shared.world();
    let behind = behind(&held.world, target, Side::Outside)?;
    match behind.role {
        Some(Role::Engine) => Ok(Some(name(behind.pod).to_owned())),
        Some(Role::Gateway) if behind.is_front() => Ok(None),
        _ => Err(Refusal::no_such_path()),
    }
}

pub(super) fn answer(shared: &Shared, target: &Target<'_>) -> Result<Reply, Refusal> {
    reply(shared, target, Side::Outside)
}

/// Whether somebody listens on a port inside of a pod.
pub(super) fn listens(shared: &Shared, namespace: &str, pod: &str, port: u16) -> bool {
    let held = shared.world();
    let name = format!("{pod}:{port}");
    let target = Target { names: pods(), namespace: Some(namespace), name: &name, part: vec!["proxy"] };
    let loads =
        |b: &Behind<'_>| b.role == Some(Role::Engine) && held.world.serving().health(self::name(b.pod)).is_none();
    behind(&held.world, &target, Side::Inside).is_ok_and(|behind| !loads(&behind))
}

/// What is answered on a port inside of a pod.
pub(super) fn inside(shared: &Shared, namespace: &str, pod: &str, port: u16, path: &str) -> Result<Reply, Refusal> {
    let name = format!("{pod}:{port}");
    let part = std::iter::once("proxy").chain(path.split('/').filter(|p| !p.is_empty())).collect();
    reply(shared, &Target { names: pods(), namespace: Some(namespace), name: &name, part }, Side::Inside)
}

fn pods() -> &'static Names {
    Kind::Pod.names()
}

fn reply(shared: &Shared, target: &Target<'_>, from: Side) -> Result<Reply, Refusal> {
    let held = shared.world();
    let behind = behind(&held.world, target, from)?;
    let (pod, role, refused) = (behind.pod, behind.role, || behind.refused());
    let not_found = || Ok(Reply::json(404, &json!({"detail": "Not Found"})));
    let path = target.part.get(1..).unwrap_or_default().join("/");
    let page = || held.world.page(pod).map(|page| Reply::text(200, page).typed(PAGE)).ok_or_else(refused);
    match (role, path.as_str()) {
        (Some(Role::Gateway), path) if behind.is_front() => front(&held.world, path).map_or_else(not_found, Ok),
        (Some(Role::Gateway), "stats/prometheus") | (Some(Role::Gpus | Role::Engine), "metrics") => page(),
        (Some(Role::Gateway), "ready") => Ok(Reply::text(200, "LIVE\n")),
        (Some(Role::Gpus), "health") => Ok(Reply::text(200, "OK")),
        (Some(Role::Engine), path) => {
            let health = held.world.serving().health(name(pod)).ok_or_else(refused)?;
            match path {
                "v1/models" if health == 200 => Ok(Reply::json(200, &models(pod))),
                "version" if health == 200 => Ok(Reply::json(200, &json!({"version": version(pod)}))),
                "health" | "v1/models" | "version" => Ok(Reply::text(health, "")),
                _ => not_found(),
            }
        }
        _ => not_found(),
    }
}

/// What a gateway passes on: the models of any engine behind it.
fn front(world: &World, path: &str) -> Option<Reply> {
    let engine = world.cluster.store().all(Kind::Pod).find(|pod| furniture::role(pod) == Some(Role::Engine))?;
    (path == "v1/models").then(|| Reply::json(200, &models(engine)))
}

/// The engine's version is its image's tag.
fn version(pod: &serde_json::Value) -> String {
    let image = list(pod, "/spec/containers").first().map_or("", |c| text(c, "/image"));
    image.rsplit_once(':').map_or("", |(_, tag)| tag).trim_start_matches('v').to_owned()
}

/// Whether an engine listens on 127.0.0.1 alone, by its flags.
fn listens_inside_alone(pod: &Value) -> bool {
    let args = list(pod, "/spec/containers").first().into_iter().flat_map(|c| list(c, "/args"));
    args.filter_map(Value::as_str).any(|arg| arg == "--host=127.0.0.1")
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
