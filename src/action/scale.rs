//! Another number of replicas, through `/scale`, and only onto the number that was shown.

use serde_json::json;

use super::plan::{Ask, Change, Goal, Plan, Precondition};
use super::request::{kubectl, plural, workload_access, workload_path};
use super::{Action, Cost, Fit, Refusal, Request, cost, fit, owners};
use crate::domain::{Autoscaler, Strategy};

pub(super) fn plan(ask: &Ask<'_>, to: u32) -> Result<Plan, Refusal> {
    let (w, from) = (ask.workload, ask.workload.desired);
    if to == 0 {
        return Err(Refusal::ToZero);
    }
    if to == from {
        return Err(Refusal::SameNumber { replicas: from });
    }
    let mut warnings = Vec::new();
    if let Some(scaler) = &ask.facts.autoscaler {
        warnings.push(beside(scaler, from, to)?);
    }
    let loads = to.saturating_sub(from);
    let starts = cost::starts(ask.facts);
    let cost = Cost {
        loads,
        at_once: loads,
        starts,
        eta_s: if loads == 0 { Some(0.0) } else { starts.map(|s| s.median_s + f64::from(w.min_ready_s)) },
        fewest: Some(w.available.min(to)),
        of: to.max(from),
    };
    let mut does = vec![format!("Sets the number of replicas from {from} to {to}, and nothing else.")];
    if to < from {
        does.push("Which pods end is the controller's choice: those that are not Ready, then the newest.".to_owned());
    }
    if w.updated < w.existing && matches!(w.strategy, Strategy::Rolling { .. }) {
        warnings
            .push("A rollout is under way: added replicas are spread over the old and the new revision.".to_owned());
    }
    if w.paused {
        warnings.push("Rollouts are paused; replicas are added and taken away all the same.".to_owned());
    }
    // Where there are none, the field is left out.
    let operations = if from == 0 {
        json!([
            {"op": "test", "path": "/metadata/uid", "value": w.uid},
            {"op": "test", "path": "/spec", "value": {}},
            {"op": "add", "path": "/spec/replicas", "value": to},
        ])
    } else {
        json!([
            {"op": "test", "path": "/metadata/uid", "value": w.uid},
            {"op": "test", "path": "/spec/replicas", "value": from},
            {"op": "replace", "path": "/spec/replicas", "value": to},
        ])
    };
    let fit = match loads {
        0 => Fit::needless("nothing new has to start"),
        pods => fit::fit(ask.facts, &w.template, &w.raw_template, pods),
    };
    Ok(Plan {
        action: Action::Scale { to },
        target: ask.target.clone(),
        object: ask.object(),
        revision: ask.revision(),
        at: ask.now,
        title: format!("Scale {from} -> {to} of {}", ask.place()),
        does,
        precondition: Precondition { uid: w.uid.clone(), template: None, replicas: Some(from) },
        goal: Goal::Replicas(to),
        request: Request::json_patch(format!("{}/scale", workload_path(ask.target)), &operations),
        access: vec![workload_access(ask.target, "scale")],
        changes: vec![Change { what: "replicas".into(), from: Some(from.to_string()), to: Some(to.to_string()) }],
        lines: Vec::new(),
        conflicts: owners::of_object(ask, "the number of replicas"),
        fit,
        cost,
        inverse: (from > 0).then_some(Action::Scale { to: from }),
        alternatives: Vec::new(),
        kubectl: kubectl(
            ask.target,
            &format!("scale {} {} --current-replicas={from} --replicas={to}", plural(ask.target.kind), ask.target.name),
        ),
        warnings,
        cause: None,
    })
}

/// Whether a number by hand stays beside an autoscaler, and why; else what works instead.
fn beside(scaler: &Autoscaler, from: u32, to: u32) -> Result<String, Refusal> {
    let name = format!("{} '{}'", scaler.kind, scaler.name);
    let inactive = scaler.conditions.iter().find(|c| c.kind == "ScalingActive" && c.status == Some(false));
    if let Some(condition) = inactive {
        let mut word =
            format!("{name} does not scale at the moment ({}): the number stays until it does", condition.reason);
        if to > scaler.max || to < scaler.min {
            word.push_str(", and is then cut to its bounds");
        }
        return Ok(format!("{word}."));
    }
    if scaler.keeps_replicas && to > from && to <= scaler.max {
        return Ok(format!("{name} may not take replicas away: the number stays, and it may still add to it."));
    }
    let bounds = Action::SetAutoscalerBounds { min: to, max: scaler.max.max(to) };
    let instead = if scaler.kind == "ScaledObject" {
        // Adding stays once scale-in is off; removing is KEDA's own.
        if to > from && !scaler.keeps_replicas { vec![Action::PauseAutoscaler { paused: true }] } else { Vec::new() }
    } else if to > from {
        vec![bounds]
    } else {
        // Fewer than it wants is reached by a lower ceiling.
        vec![Action::SetAutoscalerBounds { min: scaler.min.min(to), max: to }]
    };
    Err(Refusal::AutoscalerOwns { kind: scaler.kind.clone(), name: scaler.name.clone(), instead })
}
