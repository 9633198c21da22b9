//! A node out of scheduling, or back in.

use serde_json::json;

use super::plan::{Ask, Change, Goal, Plan, Precondition};
use super::request::{is_name, kubectl};
use super::{Access, Cost, Fit, Refusal, Request};
use crate::action::Action;

pub(super) fn cordon(ask: &Ask<'_>, name: &str, cordoned: bool) -> Result<Plan, Refusal> {
    let known = ask.facts.nodes.iter().flatten().find(|n| n.name == name && is_name(name) && !n.uid.is_empty());
    let node = known.ok_or_else(|| Refusal::NoSuchNode { node: name.to_owned() })?;
    if node.cordoned == cordoned {
        return Err(Refusal::AlreadySo { action: ask.action.clone() });
    }
    let operations = if cordoned {
        json!([
            {"op": "test", "path": "/metadata/uid", "value": node.uid},
            {"op": "add", "path": "/spec/unschedulable", "value": true},
        ])
    } else {
        json!([
            {"op": "test", "path": "/metadata/uid", "value": node.uid},
            {"op": "test", "path": "/spec/unschedulable", "value": true},
            {"op": "remove", "path": "/spec/unschedulable"},
        ])
    };
    let own = ask.facts.pods.iter().filter(|p| p.node.as_deref() == Some(name)).count();
    let free = node.gpus_taken.map(|taken| node.gpus.saturating_sub(taken));
    let mut warnings = Vec::new();
    if cordoned {
        warnings.push(match free {
            Some(0) => "No GPU is free there now; none that becomes free will be used either.".to_owned(),
            Some(free) => format!("Its {free} free GPUs are then missing to an undo or a scale that needs room."),
            None => "Its free GPUs, however many, are then missing to an undo or a scale that needs room.".to_owned(),
        });
    }
    Ok(Plan {
        action: Action::CordonNode { node: name.to_owned(), cordoned },
        target: ask.target.clone(),
        object: format!("Node/{name}"),
        revision: None,
        at: ask.now,
        title: format!("{} node {name} on {}", if cordoned { "Cordon" } else { "Uncordon" }, ask.target.context),
        does: vec![if cordoned {
            format!("No new pod is put there; the {own} pods of this workload on it go on as they are.")
        } else {
            "New pods may be put there again.".to_owned()
        }],
        precondition: Precondition { uid: node.uid.clone(), template: None, replicas: None },
        goal: Goal::Cordoned(cordoned),
        request: Request::json_patch(format!("/api/v1/nodes/{name}"), &operations),
        access: vec![Access {
            verb: "patch",
            group: "",
            resource: "nodes",
            subresource: "",
            namespace: None,
            name: name.to_owned(),
        }],
        changes: vec![Change {
            what: "cordoned".into(),
            from: Some((!cordoned).to_string()),
            to: Some(cordoned.to_string()),
        }],
        lines: Vec::new(),
        conflicts: Vec::new(),
        fit: Fit::needless("nothing new has to start"),
        cost: Cost { of: ask.workload.desired, eta_s: Some(0.0), ..Cost::default() },
        inverse: Some(Action::CordonNode { node: name.to_owned(), cordoned: !cordoned }),
        alternatives: Vec::new(),
        kubectl: kubectl(ask.target, &format!("{} {name}", if cordoned { "cordon" } else { "uncordon" })),
        warnings,
        cause: None,
    })
}
