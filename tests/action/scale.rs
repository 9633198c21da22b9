//! Scale, and the autoscalers that own the number.

use serde_json::{Value, json};
use warroom::action::{Action, Fits, Refusal};

use super::founding::{Founding, autoscaler};
use super::{planned, refused};

fn body(plan: &warroom::action::Plan) -> Value {
    serde_json::from_str(&plan.request.body).expect("a JSON body")
}

#[test]
fn a_scale_patches_the_scale_and_tests_identity_and_number() {
    let plan = planned(&Founding::default(), &Action::Scale { to: 4 });
    assert_eq!(plan.request.path, "/apis/apps/v1/namespaces/llm-serving/deployments/vllm-runtime/scale");
    assert_eq!(plan.request.object_path(), "/apis/apps/v1/namespaces/llm-serving/deployments/vllm-runtime");
    assert_eq!(
        body(&plan),
        json!([
            {"op": "test", "path": "/metadata/uid", "value": "d-1"},
            {"op": "test", "path": "/spec/replicas", "value": 3},
            {"op": "replace", "path": "/spec/replicas", "value": 4},
        ])
    );
    assert_eq!(plan.access[0].to_string(), "patch deployments/scale.apps");
    assert_eq!((plan.cost.loads, plan.cost.eta_s, plan.fit.fits), (1, Some(330.0), Fits::Yes));
    assert_eq!(plan.inverse, Some(Action::Scale { to: 3 }));
    assert!(plan.kubectl.ends_with("scale deployments vllm-runtime --current-replicas=3 --replicas=4"));
}

#[test]
fn more_than_there_is_room_for_does_not_fit() {
    let plan = planned(&Founding::default(), &Action::Scale { to: 5 });
    assert_eq!(plan.fit.fits, Fits::No);
    assert_eq!(plan.fit.why, "needs 2 x 1 GPU, and nodes that may take it have 1 free");
}

#[test]
fn nothing_is_scaled_to_zero_or_to_what_it_is() {
    let world = Founding::default();
    assert_eq!(refused(&world, &Action::Scale { to: 0 }), Refusal::ToZero);
    assert_eq!(refused(&world, &Action::Scale { to: 3 }), Refusal::SameNumber { replicas: 3 });
}

#[test]
fn from_zero_the_field_that_is_left_out_is_tested_as_left_out() {
    let mut world = Founding::default();
    world.workload["spec"]["replicas"] = json!(0);
    let operations = body(&planned(&world, &Action::Scale { to: 1 }));
    assert_eq!(operations[1], json!({"op": "test", "path": "/spec", "value": {}}));
    assert_eq!(operations[2]["op"], "add");
}

#[test]
fn an_autoscaler_that_owns_the_number_is_the_lever_instead() {
    let world = Founding { autoscalers: vec![autoscaler(2, 3)], ..Founding::default() };
    let refusal = refused(&world, &Action::Scale { to: 4 });
    assert!(matches!(refusal, Refusal::AutoscalerOwns { .. }), "{refusal}");
    assert_eq!(refusal.instead(), [Action::SetAutoscalerBounds { min: 4, max: 4 }]);
    let plan = planned(&world, &refusal.instead()[0]);
    assert_eq!(plan.request.path, "/apis/autoscaling/v2/namespaces/llm-serving/horizontalpodautoscalers/vllm");
    assert_eq!(
        body(&plan),
        json!([
            {"op": "test", "path": "/metadata/uid", "value": "hpa-1"},
            {"op": "test", "path": "/spec/minReplicas", "value": 2},
            {"op": "replace", "path": "/spec/minReplicas", "value": 4},
            {"op": "test", "path": "/spec/maxReplicas", "value": 3},
            {"op": "replace", "path": "/spec/maxReplicas", "value": 4},
        ])
    );
    assert_eq!(plan.inverse, Some(Action::SetAutoscalerBounds { min: 2, max: 3 }));
    // Fewer than it wants is a lower ceiling.
    let fewer = refused(&world, &Action::Scale { to: 1 });
    assert_eq!(fewer.instead(), [Action::SetAutoscalerBounds { min: 1, max: 1 }]);
}

#[test]
fn beside_an_autoscaler_that_cannot_see_its_metrics_the_number_stays() {
    let mut world = Founding { autoscalers: vec![autoscaler(2, 6)], ..Founding::default() };
    world.autoscalers[0]["status"]["conditions"] =
        json!([{"type": "ScalingActive", "status": "False", "reason": "FailedGetPodsMetric"}]);
    let plan = planned(&world, &Action::Scale { to: 4 });
    assert!(plan.warnings[0].contains("FailedGetPodsMetric"), "{:?}", plan.warnings);
}

#[test]
fn kedas_autoscaler_is_not_edited_and_its_scale_in_is_paused_instead() {
    let mut world = Founding { autoscalers: vec![autoscaler(2, 6)], ..Founding::default() };
    world.autoscalers[0]["metadata"]["ownerReferences"] =
        json!([{"kind": "ScaledObject", "name": "vllm-so", "uid": "so-1", "controller": true}]);
    let refusal = refused(&world, &Action::Scale { to: 4 });
    assert_eq!(refusal.instead(), [Action::PauseAutoscaler { paused: true }]);
    let bounds = refused(&world, &Action::SetAutoscalerBounds { min: 4, max: 6 });
    assert_eq!(bounds.instead(), [Action::PauseAutoscaler { paused: true }]);
    let plan = planned(&world, &Action::PauseAutoscaler { paused: true });
    assert_eq!(plan.request.path, "/apis/keda.sh/v1alpha1/namespaces/llm-serving/scaledobjects/vllm-so");
    assert_eq!(plan.request.content_type, "application/merge-patch+json");
    assert_eq!(
        body(&plan),
        json!({"metadata": {"uid": "so-1", "annotations": {"autoscaling.keda.sh/paused-scale-in": "true"}}})
    );
    // Once KEDA may not take replicas away, a number set by hand stays.
    world.autoscalers[0]["spec"]["behavior"] = json!({"scaleDown": {"selectPolicy": "Disabled"}});
    assert!(planned(&world, &Action::Scale { to: 4 }).warnings[0].contains("the number stays"));
}
