//! Pause, resume, restart, cordon.

use serde_json::{Value, json};
use warroom::action::{Action, Refusal};

use super::founding::Founding;
use super::{planned, refused};

fn body(plan: &warroom::action::Plan) -> Value {
    serde_json::from_str(&plan.request.body).expect("a JSON body")
}

#[test]
fn a_rollout_is_paused_and_resumed_on_the_object_that_was_shown() {
    let mut world = Founding::default();
    assert_eq!(refused(&world, &Action::RolloutResume), Refusal::AlreadySo { action: Action::RolloutResume });
    let pause = planned(&world, &Action::RolloutPause);
    assert_eq!(body(&pause)[1], json!({"op": "add", "path": "/spec/paused", "value": true}));
    world.workload["spec"]["paused"] = json!(true);
    let resume = planned(&world, &Action::RolloutResume);
    assert_eq!(body(&resume)[1], json!({"op": "test", "path": "/spec/paused", "value": true}));
    assert_eq!(resume.inverse, Some(Action::RolloutPause));
    let refusal = refused(&Founding::stateful(), &Action::RolloutPause);
    assert!(matches!(refusal, Refusal::WrongKind { kind: "StatefulSet", .. }), "{refusal}");
}

#[test]
fn a_restart_writes_kubectls_annotation_and_keeps_the_template() {
    let plan = planned(&Founding::default(), &Action::RolloutRestart);
    assert_eq!(
        body(&plan)[2],
        json!({"op": "add", "path": "/spec/template/metadata/annotations/kubectl.kubernetes.io~1restartedAt",
            "value": "2026-06-08T03:14:07Z"})
    );
    assert_eq!((plan.cost.loads, plan.inverse), (3, None));
    let mut paused = Founding::default();
    paused.workload["spec"]["paused"] = json!(true);
    assert_eq!(refused(&paused, &Action::RolloutRestart), Refusal::Paused);
}

#[test]
fn a_node_is_cordoned_by_identity_and_its_free_gpus_are_counted_out() {
    let cordon = Action::CordonNode { node: "gpu-2".into(), cordoned: true };
    let plan = planned(&Founding::default(), &cordon);
    assert_eq!(plan.request.path, "/api/v1/nodes/gpu-2");
    assert_eq!(
        body(&plan),
        json!([
            {"op": "test", "path": "/metadata/uid", "value": "node-gpu-2"},
            {"op": "add", "path": "/spec/unschedulable", "value": true},
        ])
    );
    assert_eq!(plan.inverse, Some(Action::CordonNode { node: "gpu-2".into(), cordoned: false }));
    assert!(plan.warnings[0].contains("1 free GPUs"), "{:?}", plan.warnings);
    let stranger = Action::CordonNode { node: "../x".into(), cordoned: true };
    assert!(matches!(refused(&Founding::default(), &stranger), Refusal::NoSuchNode { .. }));
}
