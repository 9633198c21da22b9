//! Which objects serve models, and by what that is known. Looks at declarations and their status alone.

use serde_json::Value;

use super::json::{NAME, controller, count, list, name, number, text};
use super::template::{engine_word, template};
use super::workload::managers;
use crate::domain::kinds::OwnerKind;
use crate::domain::{Found, Template, Trouble, WorkloadKind, WorkloadRef};
use crate::text::clean;

/// Labels that only what serves models carries.
const LABELS: &[&str] = &[
    "serving.kserve.io/inferenceservice",
    "llm-d.ai/inference-serving",
    "llm-d.ai/inferenceServing",
    "llm-d.ai/model",
    "llm-d.ai/role",
    "nvidia.com/dynamo-component",
    "inference.networking.k8s.io/engine-type",
    "leaderworkerset.sigs.k8s.io/name",
];

/// A Deployment or StatefulSet, where it serves a model.
pub fn found(kind: WorkloadKind, object: &Value, context: &str) -> Option<Found> {
    let spec = &object["spec"];
    let template = template(&spec["template"]);
    let evidence = evidence(&template, &spec["template"]);
    if evidence.is_empty() {
        return None;
    }
    let namespace = text(&object["metadata"]["namespace"], NAME);
    let called = name(object);
    let owner = controller(object).map(|o| format!("{}/{}", text(&o["kind"], NAME), text(&o["name"], NAME)));
    let (desired, status) = (number(&spec["replicas"]).unwrap_or(1), &object["status"]);
    let ready = count(&status["readyReplicas"]);
    Some(Found {
        target: Some(WorkloadRef {
            context: clean(context, NAME),
            namespace: namespace.clone(),
            kind,
            name: called.clone(),
        }),
        namespace,
        name: format!("{}/{called}", kind.short()),
        owner,
        managers: managers(object),
        evidence,
        model: model(&template),
        image: template.engine().map(|c| c.image.clone()),
        desired: Some(desired),
        ready: Some(ready),
        troubles: troubles(object, desired, ready),
    })
}

/// An owner of a kind that is known. Its children are found by themselves where Kubernetes' own kinds are below it.
pub fn found_owner(kind: &OwnerKind, object: &Value) -> Option<Found> {
    let called = name(object);
    let at = |path: Option<&str>| object.pointer(path?);
    // An Argo Rollout may serve anything; the other kinds serve nothing but models, or say what they run.
    let template = at(kind.template).map(template);
    let mut evidence = match (&template, at(kind.template)) {
        (Some(template), Some(raw)) => evidence(template, raw),
        _ => Vec::new(),
    };
    let only_models = matches!(kind.group, "serving.kserve.io" | "nvidia.com");
    if evidence.is_empty() && !only_models {
        return None;
    }
    evidence.insert(0, format!("kind {}", kind.kind));
    let desired = at(kind.replicas).and_then(number);
    let status = &object["status"];
    let ready = number(&status["readyReplicas"]);
    let is_ready = list(&status["conditions"]).find(|c| matches!(c["type"].as_str(), Some("Ready" | "Available")));
    let mut troubles = match (desired, ready) {
        (Some(desired), Some(ready)) => troubles(object, desired, ready),
        _ => Vec::new(),
    };
    if troubles.is_empty() && is_ready.is_some_and(|c| c["status"] == "False") {
        troubles.push(Trouble::NotAllReady);
    }
    Some(Found {
        target: None,
        namespace: text(&object["metadata"]["namespace"], NAME),
        name: format!("{}/{called}", kind.short),
        owner: None,
        managers: managers(object),
        evidence,
        model: template.as_ref().and_then(model),
        image: template.as_ref().and_then(|t| t.engine().map(|c| c.image.clone())).filter(|i| !i.is_empty()),
        desired,
        ready,
        troubles,
    })
}

/// What gives a template away; nothing where it serves no model.
fn evidence(template: &Template, raw: &Value) -> Vec<String> {
    let mut evidence = Vec::new();
    if let Some(engine) = template.engine() {
        if let Some(word) = engine_word(&engine.image) {
            evidence.push(format!("image {word}"));
        }
        if let Some(word) = engine.args.iter().find_map(|arg| engine_word(arg)) {
            evidence.push(format!("args {word}"));
        }
    }
    let labels = &raw["metadata"]["labels"];
    evidence.extend(LABELS.iter().filter(|l| labels[**l].is_string()).map(|label| format!("label {label}")));
    evidence
}

/// The model by its flags, as clients name it where that is said.
fn model(template: &Template) -> Option<String> {
    let engine = template.engine()?;
    let flags = ["--served-model-name", "--model", "--model-path", "--model-id", "-m"];
    let by_flag = flags.iter().find_map(|flag| engine.flag(flag)).filter(|m| !m.is_empty());
    // `vllm serve NAME`.
    let served = || engine.args.iter().skip_while(|a| *a != "serve").nth(1).filter(|a| !a.starts_with('-')).cloned();
    by_flag.or_else(served)
}

fn troubles(object: &Value, desired: u32, ready: u32) -> Vec<Trouble> {
    let (spec, status) = (&object["spec"], &object["status"]);
    let condition = |kind: &str| list(&status["conditions"]).find(|c| c["type"] == kind);
    let stuck = condition("Progressing").is_some_and(|c| c["status"] == "False");
    // Where it is not said nothing of it is known.
    let updated = number(&status["updatedReplicas"]);
    [
        (desired > 0 && ready == 0, Trouble::NothingReady),
        (stuck, Trouble::RolloutStuck),
        (ready > 0 && ready < desired, Trouble::NotAllReady),
        (!stuck && updated.is_some_and(|updated| updated < desired), Trouble::RollingOut),
        (spec["paused"] == true, Trouble::Paused),
    ]
    .into_iter()
    .filter_map(|(is, trouble)| is.then_some(trouble))
    .collect()
}
