//! Pausing, resuming and restarting: what kubectl does, with a test of what was shown.

use serde_json::{Value, json};

use super::plan::{Ask, Change, Goal, Plan, Precondition};
use super::request::{kubectl, plural, workload_access, workload_path};
use super::{Action, Cost, Fit, Refusal, Request, cost, diff, owners, undo};
use crate::domain::WorkloadKind;

const RESTARTED: &str = "kubectl.kubernetes.io/restartedAt";

pub(super) fn pause(ask: &Ask<'_>, paused: bool) -> Result<Plan, Refusal> {
    let w = ask.workload;
    if ask.target.kind != WorkloadKind::Deployment {
        return Err(Refusal::WrongKind { action: ask.action.clone(), kind: ask.target.kind.code() });
    }
    if w.paused == paused {
        return Err(Refusal::AlreadySo { action: ask.action.clone() });
    }
    let operations = if paused {
        json!([
            {"op": "test", "path": "/metadata/uid", "value": w.uid},
            {"op": "add", "path": "/spec/paused", "value": true},
        ])
    } else {
        json!([
            {"op": "test", "path": "/metadata/uid", "value": w.uid},
            {"op": "test", "path": "/spec/paused", "value": true},
            {"op": "replace", "path": "/spec/paused", "value": false},
        ])
    };
    let does = if paused {
        "Stops the rollout where it is: pods of both revisions go on serving. Replicas can still be scaled."
    } else {
        "Lets the rollout go on: the newest template is rolled out to all pods, whatever it is by now."
    };
    let verb = if paused { "pause" } else { "resume" };
    let replacing = cost::replacing(ask, ask.facts.revisions.last());
    let (cost, fit) = match (paused, ask.facts.revisions.last()) {
        (false, Some(newest)) => {
            let room = undo::room(ask, newest, &replacing);
            (replacing.cost(ask, room.surge), room.fit)
        }
        _ => (Cost { of: w.desired, eta_s: Some(0.0), ..Cost::default() }, Fit::needless("nothing new has to start")),
    };
    Ok(Plan {
        action: ask.action.clone(),
        target: ask.target.clone(),
        object: ask.object(),
        revision: ask.revision(),
        at: ask.now,
        title: format!("{} rollouts of {}", if paused { "Pause" } else { "Resume" }, ask.place()),
        does: vec![does.to_owned()],
        precondition: Precondition { uid: w.uid.clone(), template: None, replicas: None },
        goal: Goal::Paused(paused),
        request: Request::json_patch(workload_path(ask.target), &operations),
        access: vec![workload_access(ask.target, "")],
        changes: vec![Change {
            what: "paused".into(),
            from: Some((!paused).to_string()),
            to: Some(paused.to_string()),
        }],
        lines: Vec::new(),
        conflicts: owners::of_object(ask, "this"),
        fit,
        cost,
        inverse: Some(if paused { Action::RolloutResume } else { Action::RolloutPause }),
        alternatives: Vec::new(),
        kubectl: kubectl(ask.target, &format!("rollout {verb} deployment/{}", ask.target.name)),
        warnings: Vec::new(),
        cause: None,
    })
}

pub(super) fn restart(ask: &Ask<'_>) -> Result<Plan, Refusal> {
    let current = undo::settled(ask)?;
    let w = ask.workload;
    let at = jiff::Timestamp::from_millisecond(ask.now.0).map(|t| t.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
    let at = at.unwrap_or_default();
    let mut wanted = Value::clone(&w.raw_template);
    let annotations = &mut wanted["metadata"]["annotations"];
    let operation = if annotations.is_object() {
        json!({"op": "add", "path": "/spec/template/metadata/annotations/kubectl.kubernetes.io~1restartedAt", "value": at})
    } else {
        json!({"op": "add", "path": "/spec/template/metadata/annotations", "value": {RESTARTED: at}})
    };
    annotations[RESTARTED] = Value::String(at.clone());
    let operations = json!([
        {"op": "test", "path": "/metadata/uid", "value": w.uid},
        {"op": "test", "path": "/spec/template", "value": *w.raw_template},
        operation,
    ]);
    let replacing = cost::replacing(ask, None);
    let room = undo::room(ask, current, &replacing);
    Ok(Plan {
        action: Action::RolloutRestart,
        target: ask.target.clone(),
        object: ask.object(),
        revision: ask.revision(),
        at: ask.now,
        title: format!("Restart every pod of {}", ask.place()),
        does: vec!["Replaces every pod by one with the same template: flags and image stay.".to_owned()],
        precondition: Precondition { uid: w.uid.clone(), template: Some(w.raw_template.clone()), replicas: None },
        request: Request::json_patch(workload_path(ask.target), &operations),
        access: vec![workload_access(ask.target, "")],
        changes: vec![Change { what: format!("annotation {RESTARTED}"), from: None, to: Some(at) }],
        lines: diff::lines(&w.raw_template, &wanted),
        goal: Goal::Template(wanted.into()),
        conflicts: owners::of_template(ask),
        cost: replacing.cost(ask, room.surge),
        alternatives: room.first(ask),
        fit: room.fit,
        inverse: None,
        kubectl: kubectl(ask.target, &format!("rollout restart {}/{}", plural(ask.target.kind), ask.target.name)),
        warnings: vec!["A restart cannot be taken back: what was in the caches is gone.".to_owned()],
        cause: None,
    })
}
