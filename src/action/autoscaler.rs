//! The levers on what owns the replicas: its bounds, and KEDA's scale-in.

use serde_json::json;

use super::plan::{Ask, Change, Goal, Plan, Precondition};
use super::request::{is_name, kubectl};
use super::{Access, Action, Cost, Fit, Refusal, Request, cost, fit};
use crate::domain::Autoscaler;

/// KEDA's annotation that keeps it from taking replicas away (2.18 and later).
const PAUSED_SCALE_IN: &str = "autoscaling.keda.sh/paused-scale-in";

fn owner<'a>(ask: &Ask<'a>) -> Result<&'a Autoscaler, Refusal> {
    let scaler = ask.facts.autoscaler.as_ref().filter(|s| !s.uid.is_empty()).ok_or(Refusal::NoAutoscaler)?;
    if is_name(&scaler.name) { Ok(scaler) } else { Err(Refusal::OddName { name: scaler.name.clone() }) }
}

fn access(ask: &Ask<'_>, group: &'static str, resource: &'static str, name: &str) -> Access {
    let namespace = Some(ask.target.namespace.clone());
    Access { verb: "patch", group, resource, subresource: "", namespace, name: name.to_owned() }
}

pub(super) fn bounds(ask: &Ask<'_>, min: u32, max: u32) -> Result<Plan, Refusal> {
    let scaler = owner(ask)?;
    if scaler.kind != "HorizontalPodAutoscaler" {
        return Err(Refusal::NotKedas { instead: vec![Action::PauseAutoscaler { paused: true }] });
    }
    if min == 0 || max < min {
        return Err(Refusal::BadBounds { min, max });
    }
    if (min, max) == (scaler.min, scaler.max) {
        return Err(Refusal::AlreadySo { action: ask.action.clone() });
    }
    let mut operations = vec![json!({"op": "test", "path": "/metadata/uid", "value": scaler.uid})];
    let mut set = |path: &str, from: Option<u32>, to: u32| match from {
        Some(from) => {
            operations.push(json!({"op": "test", "path": path, "value": from}));
            if from != to {
                operations.push(json!({"op": "replace", "path": path, "value": to}));
            }
        }
        None => operations.push(json!({"op": "add", "path": path, "value": to})),
    };
    set("/spec/minReplicas", scaler.declared_min, min);
    set("/spec/maxReplicas", Some(scaler.max), max);
    let operations = serde_json::Value::Array(operations);
    let (w, name) = (ask.workload, &scaler.name);
    // It goes up at once; down to a lower ceiling too.
    let loads = min.saturating_sub(w.desired);
    let starts = cost::starts(ask.facts);
    let number = |what: &str, from: u32, to: u32| Change {
        what: what.to_owned(),
        from: Some(from.to_string()),
        to: Some(to.to_string()),
    };
    let mut changes = vec![number("fewest replicas", scaler.min, min), number("most replicas", scaler.max, max)];
    changes.retain(|c| c.from != c.to);
    let mut does = vec![format!(
        "Sets the bounds of {} '{name}' from {}-{} to {min}-{max}; it acts on them at its next look, about every 15 s.",
        scaler.kind, scaler.min, scaler.max
    )];
    if max < w.desired {
        does.push(format!("It takes replicas away at once: from {} to {max}.", w.desired));
    }
    Ok(Plan {
        action: ask.action.clone(),
        target: ask.target.clone(),
        object: format!("{}/{name}", scaler.kind),
        revision: None,
        at: ask.now,
        title: format!("Bounds {}-{} -> {min}-{max} of hpa/{name} for {}", scaler.min, scaler.max, ask.place()),
        does,
        precondition: Precondition { uid: scaler.uid.clone(), template: None, replicas: None },
        goal: Goal::Bounds { min, max },
        request: Request::json_patch(
            format!("/apis/autoscaling/v2/namespaces/{}/horizontalpodautoscalers/{name}", ask.target.namespace),
            &operations,
        ),
        access: vec![access(ask, "autoscaling", "horizontalpodautoscalers", name)],
        changes,
        lines: Vec::new(),
        conflicts: Vec::new(),
        fit: match loads {
            0 => Fit::needless("nothing new has to start for it"),
            pods => fit::fit(ask.facts, &w.template, &w.raw_template, pods),
        },
        cost: Cost {
            loads,
            at_once: loads,
            starts,
            eta_s: if loads == 0 { Some(0.0) } else { starts.map(|s| s.median_s + 15.0) },
            fewest: Some(w.available.min(max)),
            of: w.desired.clamp(min, max),
        },
        inverse: Some(Action::SetAutoscalerBounds { min: scaler.min, max: scaler.max }),
        alternatives: Vec::new(),
        kubectl: kubectl(
            ask.target,
            &format!("patch hpa {name} --type merge -p '{{\"spec\":{{\"minReplicas\":{min},\"maxReplicas\":{max}}}}}'"),
        ),
        warnings: vec!["It stays until somebody takes it back: the bounds are part of the declaration.".to_owned()],
        cause: None,
    })
}

pub(super) fn pause(ask: &Ask<'_>, paused: bool) -> Result<Plan, Refusal> {
    let scaler = owner(ask)?;
    if scaler.kind != "ScaledObject" {
        return Err(Refusal::NotPausable);
    }
    if scaler.keeps_replicas == paused {
        return Err(Refusal::AlreadySo { action: ask.action.clone() });
    }
    let (w, name) = (ask.workload, &scaler.name);
    let value = paused.then_some("true");
    // Null takes a key away. Another object's identity is refused by the API server.
    let body = json!({"metadata": {"uid": scaler.uid, "annotations": {PAUSED_SCALE_IN: value}}});
    Ok(Plan {
        action: ask.action.clone(),
        target: ask.target.clone(),
        object: format!("ScaledObject/{name}"),
        revision: None,
        at: ask.now,
        title: format!(
            "{} scale-in of scaledobject/{name} for {}",
            if paused { "Pause" } else { "Resume" },
            ask.place()
        ),
        does: vec![if paused {
            "KEDA keeps adding replicas and takes none away, so that a number set by hand stays.".to_owned()
        } else {
            "KEDA may take replicas away again, down to what its metrics ask for.".to_owned()
        }],
        precondition: Precondition { uid: scaler.uid.clone(), template: None, replicas: None },
        goal: Goal::ScaleInPaused(paused),
        request: Request::merge_patch(
            format!("/apis/keda.sh/v1alpha1/namespaces/{}/scaledobjects/{name}", ask.target.namespace),
            &body,
        ),
        access: vec![access(ask, "keda.sh", "scaledobjects", name)],
        changes: vec![Change {
            what: format!("annotation {PAUSED_SCALE_IN}"),
            from: (!paused).then(|| "true".to_owned()),
            to: value.map(str::to_owned),
        }],
        lines: Vec::new(),
        conflicts: Vec::new(),
        fit: Fit::needless("nothing new has to start for it"),
        cost: Cost { of: w.desired, eta_s: Some(0.0), ..Cost::default() },
        inverse: Some(Action::PauseAutoscaler { paused: !paused }),
        alternatives: Vec::new(),
        kubectl: kubectl(
            ask.target,
            &format!("annotate scaledobject {name} {PAUSED_SCALE_IN}{}", if paused { "=true" } else { "-" }),
        ),
        warnings: if paused {
            vec!["It needs KEDA 2.18 or later, and stays until somebody takes it back.".to_owned()]
        } else {
            Vec::new()
        },
        cause: None,
    })
}
