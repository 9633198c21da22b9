//! A container's life, second by second: pulled, started, probed, ended, started again.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::Value;

use super::Sandbox;
use super::container::{Container, State};
use super::probe::Use;
use crate::domain::At;
use crate::sim::cluster::desk::Desk;
use crate::sim::cluster::json::{list, text};
use crate::sim::cluster::kinds::Kind;
use crate::sim::cluster::store::Object;
use crate::sim::serving::{Launch, Serving};

/// A small image's time (s), where it is no engine's.
const SMALL_PULL_S: f64 = 3.0;

/// Lets a second pass in a pod.
pub(super) fn step(
    desk: &mut Desk,
    serving: &mut dyn Serving,
    sandbox: &mut Sandbox,
    images: &mut BTreeSet<(String, String)>,
    pull_s: f64,
) {
    if desk.now < sandbox.network_at {
        return;
    }
    if !sandbox.facts.network {
        sandbox.facts.network(desk.now);
        sandbox.news = true;
    }
    let mut containers = std::mem::take(&mut sandbox.containers);
    for container in &mut containers {
        match container.state.clone() {
            State::Creating => begin(desk, sandbox, container, images, pull_s, serving),
            State::Pulling { since, until } if desk.now >= until => {
                images.insert((sandbox.node.clone(), container.image.clone()));
                let took = go_duration(desk.now.since(since));
                let size = image_size(&container.image);
                let message = format!(
                    "Successfully pulled image \"{}\" in {took} ({took} including waiting). Image size: {size} bytes.",
                    container.image
                );
                tell(desk, sandbox, container, ("Normal", "Pulled", &message));
                start(desk, sandbox, container, serving);
            }
            State::Ended { again, .. } if desk.now >= again => {
                container.restarts += 1;
                let message = format!("Container image \"{}\" already present on machine", container.image);
                tell(desk, sandbox, container, ("Normal", "Pulled", &message));
                start(desk, sandbox, container, serving);
            }
            State::Ended { .. } => back_off(desk, sandbox, container),
            State::Running { since } => probes(desk, sandbox, container, since, serving),
            State::Pulling { .. } => {}
        }
    }
    sandbox.containers = containers;
}

fn pod_of(desk: &Desk, sandbox: &Sandbox) -> Option<Object> {
    desk.store.get(Kind::Pod, &sandbox.namespace, &sandbox.name).cloned()
}

fn tell(desk: &mut Desk, sandbox: &Sandbox, container: &Container, news: (&str, &str, &str)) {
    if let Some(pod) = pod_of(desk, sandbox) {
        let field = format!("spec.containers{{{}}}", container.name);
        desk.event_at(&pod, &field, "kubelet", &sandbox.node, news);
    }
}

fn begin(
    desk: &mut Desk,
    sandbox: &mut Sandbox,
    container: &mut Container,
    images: &mut BTreeSet<(String, String)>,
    pull_s: f64,
    serving: &mut dyn Serving,
) {
    let here = (sandbox.node.clone(), container.image.clone());
    if (images.contains(&here) && !container.pull_always) || pull_s <= 0.0 {
        images.insert(here);
        let message = format!("Container image \"{}\" already present on machine", container.image);
        tell(desk, sandbox, container, ("Normal", "Pulled", &message));
        start(desk, sandbox, container, serving);
        return;
    }
    tell(desk, sandbox, container, ("Normal", "Pulling", &format!("Pulling image \"{}\"", container.image)));
    let takes = match (images.contains(&here), container.gpus > 0) {
        (true, _) => 0.4,
        (false, true) => pull_s,
        (false, false) => SMALL_PULL_S,
    };
    // A pull never takes a whole number of seconds.
    let until = desk.now.plus(takes + f64::from(desk.between(11, 987)) / 1000.0);
    container.state = State::Pulling { since: desk.now, until };
}

fn start(desk: &mut Desk, sandbox: &mut Sandbox, container: &mut Container, serving: &mut dyn Serving) {
    tell(desk, sandbox, container, ("Normal", "Created", &format!("Created container: {}", container.name)));
    tell(desk, sandbox, container, ("Normal", "Started", &format!("Started container {}", container.name)));
    let jitter_s = f64::from(desk.between(0, 10));
    container.run(desk.now, jitter_s);
    if container.gpus > 0 {
        serving.launch(
            desk.now,
            Launch {
                pod: sandbox.name.clone(),
                ip: sandbox.ip.clone(),
                node: sandbox.node.clone(),
                gpus: sandbox.gpus.clone(),
                args: with_config(desk, sandbox, &container.args),
                image: container.image.clone(),
            },
        );
    }
    sandbox.news = true;
}

/// The arguments, with the flags before them that the file of `--config` holds now: what stands on the command line comes
/// later, and wins.
fn with_config(desk: &Desk, sandbox: &Sandbox, args: &[String]) -> Vec<String> {
    let file = args.iter().find_map(|arg| arg.strip_prefix("--config=")?.rsplit_once('/').map(|(_, file)| file));
    let held = file.and_then(|file| {
        let pod = desk.store.get(Kind::Pod, &sandbox.namespace, &sandbox.name)?;
        let volumes = list(pod, "/spec/volumes");
        let map = volumes.iter().map(|v| text(v, "/configMap/name")).find(|name| !name.is_empty())?;
        let map = desk.store.get(Kind::ConfigMap, &sandbox.namespace, map)?;
        map["data"].get(file)?.as_str().map(str::to_owned)
    });
    let line = |line: &str| line.split_once(':').map(|(name, value)| format!("--{}={}", name.trim(), value.trim()));
    let flags = held.iter().flat_map(|held| held.lines()).filter_map(line);
    flags.chain(args.iter().cloned()).collect()
}

fn back_off(desk: &mut Desk, sandbox: &mut Sandbox, container: &Container) {
    if container.waiting().is_some() && desk.now.0 / 1000 % 10 == 0 {
        let message = format!(
            "Back-off restarting failed container {} in pod {}_{}({})",
            container.name, sandbox.name, sandbox.namespace, sandbox.uid
        );
        tell(desk, sandbox, container, ("Warning", "BackOff", &message));
    }
}

fn probes(desk: &mut Desk, sandbox: &mut Sandbox, container: &mut Container, since: At, serving: &mut dyn Serving) {
    let mut doomed = None;
    for at in 0..container.probes.len() {
        let probe = &container.probes[at];
        // Until it has started, nothing else is asked.
        let asked = container.started != (probe.purpose == Use::Startup);
        if !asked || desk.now < probe.due || desk.now <= since {
            continue;
        }
        let answer = if container.gpus > 0 && !probe.exec { serving.health(&sandbox.name) } else { Some(200) };
        let good = answer.is_some_and(|code| (200..400).contains(&code));
        if !good {
            let why = match answer {
                Some(code) => format!("HTTP probe failed with statuscode: {code}"),
                None => format!(
                    "Get \"http://{ip}:{port}{path}\": dial tcp {ip}:{port}: connect: connection refused",
                    ip = sandbox.ip,
                    port = probe.port,
                    path = probe.path
                ),
            };
            let message = format!("{} probe failed: {why}", probe.purpose.word());
            tell(desk, sandbox, container, ("Warning", "Unhealthy", &message));
        }
        let (purpose, verdict) = (container.probes[at].purpose, container.probes[at].found(desk.now, good));
        match (purpose, verdict) {
            (Use::Startup, Some(true)) => {
                container.started = true;
                container.ready = !container.probes.iter().any(|p| p.purpose == Use::Ready);
                for other in &mut container.probes {
                    other.due = desk.now.plus(0.0);
                }
                sandbox.news = true;
            }
            (Use::Ready, Some(ready)) if container.ready != ready => {
                container.ready = ready;
                sandbox.news = true;
            }
            (Use::Startup | Use::Live, Some(false)) => doomed = Some(purpose),
            _ => {}
        }
    }
    if let Some(purpose) = doomed {
        let message =
            format!("Container {} failed {} probe, will be restarted", container.name, purpose.word().to_lowercase());
        tell(desk, sandbox, container, ("Normal", "Killing", &message));
        let lines = serving.logs(&sandbox.name);
        if container.gpus > 0 {
            serving.kill(desk.now, &sandbox.name);
        }
        container.died(desk.now, 137, "Error", lines);
        sandbox.news = true;
    }
}

/// A duration as Go writes it: `1m2.345s`.
pub(super) fn go_duration(seconds: f64) -> String {
    let whole = seconds.max(0.0);
    let (minutes, rest) = ((whole / 60.0).floor(), whole % 60.0);
    let rest = format!("{rest:.3}");
    let rest = rest.trim_end_matches('0').trim_end_matches('.');
    if minutes > 0.0 { format!("{minutes}m{rest}s") } else { format!("{rest}s") }
}

/// Bytes of an image: an engine's has its CUDA libraries in it.
fn image_size(image: &str) -> u64 {
    let spread = image.bytes().fold(7_u64, |hash, byte| hash.wrapping_mul(31).wrapping_add(u64::from(byte)));
    let base = if image.contains("vllm") || image.contains("sglang") { 9_700_000_000 } else { 61_000_000 };
    base + spread % 20_000_000
}

/// The status that containers have: see `status`.
pub(super) fn state_json(container: &Container, sandbox_uid: &str, sandbox_name: &str, namespace: &str) -> Value {
    use crate::sim::cluster::json::time;
    use serde_json::json;
    match &container.state {
        State::Running { since } => json!({"running": {"startedAt": time(*since)}}),
        State::Pulling { .. } | State::Creating => json!({"waiting": {"reason": "ContainerCreating"}}),
        State::Ended { end, .. } => match container.waiting() {
            Some(reason) => json!({"waiting": {
                "reason": reason,
                "message": format!("back-off {} restarting failed container={} pod={sandbox_name}_{namespace}({sandbox_uid})",
                                   container.pause(), container.name),
            }}),
            None => end.json(&container_id(container, sandbox_uid, container.restarts)),
        },
    }
}

/// An identity for a container, made from its pod's and the number of its starts.
pub(super) fn container_id(container: &Container, uid: &str, starts: u32) -> String {
    let seed = format!("{uid}{}{starts}", container.name);
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut id = String::from("containerd://");
    for round in 0..4_u8 {
        for byte in seed.bytes().chain([round]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        let _ = write!(id, "{hash:016x}");
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_go_does() {
        assert_eq!(go_duration(62.345), "1m2.345s");
        assert_eq!(go_duration(0.4), "0.4s");
    }
}
