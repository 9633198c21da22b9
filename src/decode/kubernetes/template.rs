//! What pods are made from, the engine's container first.

use std::cmp::Reverse;

use serde_json::Value;

use super::json::{ENTRIES, NAME, SENTENCE, annotation, devices, list, scalar, strings, text};
use crate::domain::{Container, HealthProbe, Template};
use crate::text::{clean, names_a_secret, without_secrets};

/// Words in an image or an argument that only an inference engine has, and the port that this engine takes unasked.
const ENGINES: &[(&str, u16)] = &[
    ("vllm", 8000),
    ("sglang", 30_000),
    ("text-generation-inference", 80),
    ("tritonserver", 8002),
    ("trtllm", 8000),
    ("tensorrt", 8000),
    ("lmdeploy", 23_333),
    ("llama-server", 8080),
    ("llama.cpp", 8080),
    ("aphrodite", 2242),
];

/// Where an engine's page is where nothing says otherwise.
const DEFAULT_PORT: u16 = 8000;

/// What stands where a value may be a secret.
const HIDDEN: &str = "(hidden)";

/// A pod template, or a pod: both have `metadata` and `spec`.
pub(super) fn template(of: &Value) -> Template {
    let mut containers: Vec<Container> = list(&of["spec"]["containers"]).map(container).collect();
    // A stable sort: what is equally unlike an engine keeps its place.
    containers.sort_by_key(|c| (Reverse(c.gpus), Reverse(engine(c).is_some())));
    Template {
        containers,
        node_selector: strings(&of["spec"]["nodeSelector"]),
        annotations: strings(&of["metadata"]["annotations"]),
        unknown: Vec::new(),
    }
}

/// Whether the template is of an inference engine at all.
pub(super) fn is_engine(template: &Template) -> bool {
    template.engine().is_some_and(|c| engine(c).is_some())
}

/// The port of a pod's metrics page.
pub(super) fn metrics_port(pod: &Value, template: &Template) -> Option<u16> {
    let container = template.engine()?;
    let flag = || container.flag("--port")?.parse().ok();
    let named =
        || container.ports.iter().find(|p| p.0 == "metrics").or_else(|| container.ports.iter().find(|p| p.0 == "http"));
    let annotated = || annotation(pod, "prometheus.io/port")?.parse().ok();
    let usual = || engine(container).unwrap_or(DEFAULT_PORT);
    flag().or_else(|| named().map(|p| p.1)).or_else(annotated).or_else(|| Some(usual()))
}

/// The usual port of the engine that this container is, where it is one.
fn engine(container: &Container) -> Option<u16> {
    let word = engine_word(&container.image).or_else(|| container.args.iter().find_map(|arg| engine_word(arg)))?;
    ENGINES.iter().find(|(known, _)| *known == word).map(|(_, port)| *port)
}

/// The word by which a text names an engine.
pub(super) fn engine_word(text: &str) -> Option<&'static str> {
    let text = text.to_ascii_lowercase();
    ENGINES.iter().find(|(word, _)| text.contains(word)).map(|(word, _)| *word)
}

fn container(value: &Value) -> Container {
    let words = |field: &str| list(&value[field]).filter_map(scalar_sentence).collect::<Vec<_>>();
    let mut args = words("command");
    args.extend(words("args"));
    args.truncate(ENTRIES);
    // A shell's script is one argument, and holds what others have as several.
    for arg in &mut args {
        *arg = without_secrets(arg);
    }
    hide_secrets(&mut args);
    let mut env: Vec<(String, String)> = list(&value["env"])
        .filter_map(|e| Some((text(&e["name"], NAME), clean(e["value"].as_str()?, SENTENCE))))
        .map(|(name, value)| if names_a_secret(&name) { (name, HIDDEN.to_owned()) } else { (name, value) })
        .collect();
    env.sort();
    let resources = &value["resources"];
    Container {
        name: text(&value["name"], NAME),
        image: text(&value["image"], SENTENCE),
        args,
        env,
        gpus: devices(&resources["limits"]).max(devices(&resources["requests"])),
        ports: list(&value["ports"])
            .filter_map(|p| Some((text(&p["name"], NAME), u16::try_from(p["containerPort"].as_u64()?).ok()?)))
            .collect(),
        readiness: probe(&value["readinessProbe"]),
        startup: probe(&value["startupProbe"]),
        liveness: probe(&value["livenessProbe"]),
    }
}

/// A probe with Kubernetes' defaults; nothing where none is declared.
fn probe(value: &Value) -> Option<HealthProbe> {
    value.as_object()?;
    let number = |field: &str, usual: u32| value[field].as_u64().and_then(|n| u32::try_from(n).ok()).unwrap_or(usual);
    let path = value["httpGet"].as_object().map(|get| {
        let path = get.get("path").and_then(Value::as_str).unwrap_or("/");
        clean(if path.is_empty() { "/" } else { path }, NAME)
    });
    let words = || list(&value["exec"]["command"]).filter_map(scalar_sentence).collect::<Vec<_>>().join(" ");
    let asks = match &path {
        Some(path) => format!("GET {path}"),
        None if value["tcpSocket"].is_object() => {
            format!("TCP {}", scalar(&value["tcpSocket"]["port"]).unwrap_or_default())
        }
        None if value["grpc"].is_object() => "gRPC".to_owned(),
        None => clean(&format!("exec {}", words()), SENTENCE),
    };
    Some(HealthProbe {
        asks,
        path,
        initial_delay_s: number("initialDelaySeconds", 0),
        period_s: number("periodSeconds", 10).max(1),
        failures: number("failureThreshold", 3).max(1),
    })
}

fn scalar_sentence(value: &Value) -> Option<String> {
    value.as_str().map_or_else(|| scalar(value), |s| Some(clean(s, SENTENCE)))
}

/// Takes the values of flags such as `--api-key` away, in both spellings.
fn hide_secrets(args: &mut [String]) {
    let mut hide = false;
    for arg in args {
        match arg.split_once('=') {
            _ if hide && !arg.starts_with("--") => HIDDEN.clone_into(arg),
            Some((flag, _)) if flag.starts_with('-') && names_a_secret(flag) => *arg = format!("{flag}={HIDDEN}"),
            _ => {}
        }
        hide = arg.starts_with('-') && !arg.contains('=') && names_a_secret(arg);
    }
}

/// The name of the engine's container in a pod or template.
pub(super) fn engine_name(template: &Template) -> Option<&str> {
    template.engine().map(|c| c.name.as_str())
}
