//! Undo: what is sent, what is refused, what the card says.

use serde_json::{Value, json};
use warroom::action::{Action, Fits, Refusal, Sign, Target, plan};
use warroom::domain::{SourceState, Watch};

use super::founding::{Founding, pod, replica_set, template};
use super::{context, planned, refused};

fn body(plan: &warroom::action::Plan) -> Value {
    serde_json::from_str(&plan.request.body).expect("a JSON body")
}

#[test]
fn an_undo_sends_the_whole_template_of_the_revision_before_onto_what_was_shown_and_nothing_else() {
    let plan = planned(&Founding::default(), &Action::undo());
    assert_eq!(plan.request.method.as_str(), "PATCH");
    assert_eq!(plan.request.path, "/apis/apps/v1/namespaces/llm-serving/deployments/vllm-runtime");
    assert_eq!(plan.request.content_type, "application/json-patch+json");
    assert!(plan.request.target(false).ends_with("?fieldManager=warroom&fieldValidation=Strict"));
    assert!(plan.request.target(true).ends_with("?fieldManager=warroom&fieldValidation=Strict&dryRun=All"));
    // Nulls stay in what is tested, and no field is lost that no client knows.
    assert_eq!(
        body(&plan),
        json!([
            {"op": "test", "path": "/metadata/uid", "value": "d-1"},
            {"op": "test", "path": "/spec/template", "value": template(512, None)},
            {"op": "replace", "path": "/spec/template", "value": template(256, None)},
            {"op": "add", "path": "/metadata/annotations/kubernetes.io~1change-cause",
                "value": "warroom undo to r41 (vllm-runtime-h41) by alice INC-1"},
        ])
    );
    assert_eq!(plan.title, "Undo revision 42 -> 41 of deploy/vllm-runtime in llm-serving on prod-use1");
    assert_eq!(
        plan.kubectl,
        "kubectl --context prod-use1 -n llm-serving rollout undo deployment/vllm-runtime --to-revision=41"
    );
}

#[test]
fn a_workload_without_annotations_gets_the_map_first() {
    let mut world = Founding::default();
    world.workload["metadata"].as_object_mut().expect("a map").remove("annotations");
    let plan = planned(&world, &Action::undo_to(41));
    let last = body(&plan).as_array().and_then(|o| o.last().cloned()).expect("operations");
    assert_eq!((&last["path"], &last["op"]), (&json!("/metadata/annotations"), &json!("add")));
}

#[test]
fn the_card_names_the_flag_and_shows_the_whole_template_without_secrets() {
    let plan = planned(&Founding::default(), &Action::undo());
    let changes: Vec<String> = plan.changes.iter().map(ToString::to_string).collect();
    assert_eq!(changes, ["--max-num-seqs 512 -> 256"]);
    let lines: Vec<String> = plan.lines.iter().filter(|l| l.sign != Sign::Same).map(ToString::to_string).collect();
    assert!(lines.iter().any(|l| l.contains("\"512\"")) && lines.iter().any(|l| l.contains("\"256\"")), "{lines:?}");
    assert!(plan.lines.iter().any(|l| l.text.contains("terminationGracePeriodSeconds")), "all of it is shown");
    assert!(!format!("{:?}", plan.lines).contains("s3cret"));
}

#[test]
fn it_says_what_it_costs_from_this_workloads_own_starts() {
    let plan = planned(&Founding::default(), &Action::undo());
    // Surge 1, unavailable 0 of 3: one after the other, 330 s each.
    assert_eq!((plan.cost.loads, plan.cost.at_once, plan.cost.fewest), (3, 1, Some(3)));
    assert_eq!(plan.cost.eta_s, Some(990.0));
    assert_eq!(
        plan.cost.words(),
        [
            "3 model loads, 1 at once; a start takes 5m30s here (middle of 3).",
            "Done in about 16m30s.",
            "Meanwhile at least 3 of 3 serve."
        ]
    );
    assert_eq!((plan.fit.fits, plan.fit.pods), (Fits::Yes, 1));
    assert_eq!(plan.fit.why, "needs 1 x 1 GPU: free on 1 node");
}

#[test]
fn unknown_starts_are_said_to_be_unknown() {
    let mut world = Founding::default();
    for pod in &mut world.pods {
        pod["status"]["containerStatuses"][0]["restartCount"] = json!(1);
    }
    let plan = planned(&world, &Action::undo());
    assert_eq!((plan.cost.starts, plan.cost.eta_s), (None, None));
    assert!(plan.cost.words().join(" ").contains("not known"));
}

#[test]
fn without_a_free_gpu_the_surge_would_wait_for_ever_and_the_card_says_how_out() {
    let mut world = Founding::default();
    world.taken.insert("gpu-2".into(), 4);
    let plan = planned(&world, &Action::undo());
    assert_eq!(plan.fit.fits, Fits::No);
    assert!(plan.fit.why.contains("wait for ever: scale to 2 first"), "{}", plan.fit.why);
    assert_eq!(plan.alternatives, [Action::Scale { to: 2 }]);
    assert_eq!(plan.cost.eta_s, None, "it would never be done");
    // Where one may be missing, it goes in place.
    world.workload["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] = json!(1);
    let plan = planned(&world, &Action::undo());
    assert_eq!((plan.fit.fits, plan.cost.fewest, plan.cost.eta_s), (Fits::Yes, Some(2), Some(990.0)));
    assert!(plan.alternatives.is_empty());
}

#[test]
fn a_node_that_takes_nothing_is_named_with_its_reason() {
    let mut world = Founding::default();
    world.nodes[1]["spec"]["unschedulable"] = json!(true);
    let plan = planned(&world, &Action::undo());
    assert_eq!(plan.fit.fits, Fits::No);
    assert_eq!(plan.fit.nodes[1].why_not.as_deref(), Some("cordoned"));
    world.nodes[1]["spec"] = json!({"taints": [{"key": "maintenance", "effect": "NoSchedule"}]});
    world.pods.retain(|p| p["spec"]["nodeName"] != "gpu-2");
    let plan = planned(&world, &Action::undo());
    assert_eq!(plan.fit.nodes[1].why_not.as_deref(), Some("taint maintenance"));
    world.nodes[1] = super::founding::node("gpu-2");
    world.nodes[1]["metadata"]["labels"]["pool"] = json!("l40s");
    let plan = planned(&world, &Action::undo());
    assert_eq!(plan.fit.nodes[1].why_not.as_deref(), Some("not pool=h100"));
}

#[test]
fn free_gpus_that_may_not_be_read_are_unknown_and_never_enough() {
    let mut world = Founding::default();
    world.taken.clear();
    let plan = planned(&world, &Action::undo());
    assert_eq!(plan.fit.fits, Fits::Unknown);
}

#[test]
fn in_the_middle_of_a_rollout_the_old_pods_that_still_serve_stay() {
    let mut world = Founding::default();
    world.revisions[1]["spec"]["replicas"] = json!(3);
    world.revisions[1]["status"] = json!({"replicas": 3, "readyReplicas": 3});
    world.workload["status"] = json!({"observedGeneration": 7, "replicas": 4, "updatedReplicas": 1, "readyReplicas": 3,
        "availableReplicas": 3});
    world.pods = vec![pod("a", 41, "gpu-1"), pod("b", 41, "gpu-1"), pod("c", 41, "gpu-2")];
    let plan = planned(&world, &Action::undo());
    assert_eq!((plan.cost.loads, plan.cost.eta_s), (0, Some(0.0)));
    assert!(plan.does.iter().any(|d| d.contains("3 pods of revision 41 still serve, warm")), "{:?}", plan.does);
}

#[test]
fn its_inverse_is_bound_to_the_revision_and_not_to_its_number() {
    let plan = planned(&Founding::default(), &Action::undo());
    let back = Target { revision: 42, uid: Some("rs-42".into()) };
    assert_eq!(plan.inverse, Some(Action::RolloutUndo { to: Some(back) }));
}

#[test]
fn a_second_undo_does_not_bring_back_what_was_undone() {
    let mut world = Founding::default();
    // Revision 41 was brought back as 43.
    world.revisions[1]["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = json!("43");
    world.workload["spec"]["template"] = template(256, None);
    world.workload["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = json!("43");
    let refusal = refused(&world, &Action::undo());
    assert!(matches!(refusal, Refusal::AlreadyUndone { current: 43, replaced: 42, .. }), "{refusal}");
    let choices: Vec<String> = refusal.instead().iter().map(ToString::to_string).collect();
    assert_eq!(choices, ["undo to revision 40", "undo to revision 42"], "what was undone comes last");
    // Chosen by number, with what was on the screen: it is planned, and says what it does.
    let plan = planned(&world, &refusal.instead()[1]);
    assert!(plan.warnings.iter().any(|w| w.contains("was rolled back before")), "{:?}", plan.warnings);
}

#[test]
fn what_cannot_be_told_apart_safely_is_refused() {
    let change = |change: fn(&mut Founding)| {
        let mut world = Founding::default();
        change(&mut world);
        world
    };
    let paused = change(|w| w.workload["spec"]["paused"] = json!(true));
    assert_eq!(refused(&paused, &Action::undo()), Refusal::Paused);
    assert_eq!(Refusal::Paused.instead(), [Action::RolloutResume]);

    let lagging = change(|w| w.workload["metadata"]["generation"] = json!(8));
    assert_eq!(refused(&lagging, &Action::undo()), Refusal::NotObserved { generation: 8, observed: 7 });

    // The template is edited and has no ReplicaSet yet: kubectl would go two back.
    let edited = change(|w| w.workload["spec"]["template"] = template(1024, None));
    assert_eq!(refused(&edited, &Action::undo()), Refusal::NotRolledOut { newest: 42 });

    let pruned = change(|w| w.revisions.truncate(0));
    assert_eq!(refused(&pruned, &Action::undo()), Refusal::NoHistory);
    let alone = change(|w| drop(w.revisions.drain(..2)));
    assert_eq!(refused(&alone, &Action::undo()), Refusal::NoHistory);

    let world = Founding::default();
    let gone = Refusal::NoSuchRevision { revision: 7, kept: vec![40, 41, 42] };
    assert_eq!(refused(&world, &Action::undo_to(7)), gone);
    assert_eq!(refused(&world, &Action::undo_to(42)), Refusal::Same { revision: 42 });
    let equal = change(|w| w.revisions[0] = replica_set(40, 512, "2026-06-01T09:00:00Z", 0));
    assert_eq!(refused(&equal, &Action::undo_to(40)), Refusal::Same { revision: 40 });

    for shown in
        [Target { revision: 41, uid: Some("rs-40".into()) }, Target { revision: 39, uid: Some("rs-40".into()) }]
    {
        let revision = shown.revision;
        let refusal = refused(&world, &Action::RolloutUndo { to: Some(shown) });
        assert_eq!(refusal, Refusal::NotTheOneShown { revision });
    }
    let broken = change(|w| w.revisions[1]["spec"]["template"] = json!("odd"));
    assert_eq!(refused(&broken, &Action::undo()), Refusal::NoTemplate { revision: 41 });
    let nobody = change(|w| w.workload = json!({}));
    assert_eq!(refused(&nobody, &Action::undo()), Refusal::Gone);
}

#[test]
fn nothing_is_planned_from_a_watch_that_does_not_live() {
    let mut snapshot = Founding::default().snapshot();
    let lost = |resource| Watch { resource, state: SourceState::Stale, heard: None, error: Some("no answer".into()) };
    snapshot.watches[2] = lost("pods");
    assert!(plan(&snapshot, &Action::undo(), &context()).is_ok(), "pods are told as they are");
    snapshot.watches[1] = lost("replicasets");
    let refusal = plan(&snapshot, &Action::undo(), &context()).expect_err("no plan");
    assert_eq!(refusal, Refusal::Blind { resource: "replicasets", error: "no answer".into() });
    snapshot.cluster = None;
    assert_eq!(plan(&snapshot, &Action::undo(), &context()).expect_err("no plan"), Refusal::NoFacts);
}

#[test]
fn a_name_that_kubernetes_cannot_have_given_gets_no_path() {
    let mut snapshot = Founding::default().snapshot();
    snapshot.target.as_mut().expect("a target").name = "x/../../secrets?a=".into();
    let refusal = plan(&snapshot, &Action::undo(), &context()).expect_err("no plan");
    assert!(matches!(refusal, Refusal::OddName { .. }), "{refusal}");
}

#[test]
fn a_difference_in_annotations_alone_is_called_a_restart() {
    let mut world = Founding::default();
    let mut same = replica_set(41, 512, "2026-06-05T09:00:00Z", 0);
    same["spec"]["template"]["metadata"]["annotations"]["restartedAt"] = json!("yesterday");
    world.revisions[1] = same;
    let plan = planned(&world, &Action::undo());
    assert!(plan.warnings.iter().any(|w| w.contains("restart with the same flags")), "{:?}", plan.warnings);
}

#[test]
fn whoever_would_take_it_back_is_named_first() {
    let mut world = Founding::default();
    assert_eq!(planned(&world, &Action::undo()).reverted_by(), None);
    world.workload["metadata"]["annotations"]["argocd.argoproj.io/tracking-id"] =
        json!("serving:apps/Deployment:llm-serving/vllm-runtime");
    world.autoscalers = vec![super::founding::autoscaler(2, 6)];
    let plan = planned(&world, &Action::undo());
    assert_eq!(plan.reverted_by(), Some("Argo CD"));
    assert!(plan.conflicts[0].does.contains("after about 5 s"), "{:?}", plan.conflicts);
    assert!(plan.conflicts.iter().any(|c| c.who.contains("HorizontalPodAutoscaler") && !c.reverts));
    // Who owns it takes it back for certain: there it is changed, and not here.
    world.workload["metadata"]["ownerReferences"] =
        json!([{"kind": "LLMInferenceService", "name": "llama", "uid": "i-1", "controller": true}]);
    let refusal = super::refused(&world, &Action::undo());
    assert!(
        matches!(&refusal, warroom::action::Refusal::Elsewhere { owner, .. } if owner == "LLMInferenceService/llama")
    );
}

#[test]
fn a_stateful_set_gets_its_controller_revisions_template_and_no_annotation() {
    let plan = planned(&Founding::stateful(), &Action::undo());
    assert_eq!(plan.request.path, "/apis/apps/v1/namespaces/llm-serving/statefulsets/vllm-runtime");
    assert_eq!(
        body(&plan),
        json!([
            {"op": "test", "path": "/metadata/uid", "value": "d-1"},
            {"op": "test", "path": "/spec/template", "value": template(512, None)},
            {"op": "replace", "path": "/spec/template", "value": template(256, None)},
        ])
    );
    assert_eq!(plan.cause, None);
    assert_eq!((plan.cost.loads, plan.cost.at_once, plan.cost.fewest), (3, 1, Some(2)), "in place, one by one");
    assert!(plan.warnings.iter().any(|w| w.contains("never becomes Ready stops it")), "{:?}", plan.warnings);
}

#[test]
fn a_partition_and_pods_changed_on_delete_are_told() {
    let mut world = Founding::stateful();
    world.workload["spec"]["updateStrategy"] = json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 2}});
    let plan = planned(&world, &Action::undo());
    assert_eq!(plan.cost.loads, 1);
    assert!(plan.warnings.iter().any(|w| w.contains("below ordinal 2")), "{:?}", plan.warnings);
    world.workload["spec"]["updateStrategy"] = json!({"type": "OnDelete"});
    let plan = planned(&world, &Action::undo());
    assert!(plan.warnings.iter().any(|w| w.contains("deleted by hand")), "{:?}", plan.warnings);
}

#[test]
fn recreate_is_an_outage_and_says_so() {
    let mut world = Founding::default();
    world.workload["spec"]["strategy"] = json!({"type": "Recreate"});
    let plan = planned(&world, &Action::undo());
    assert_eq!((plan.cost.at_once, plan.cost.fewest, plan.cost.eta_s), (3, Some(0), Some(330.0)));
    assert!(plan.warnings.iter().any(|w| w.contains("full outage")), "{:?}", plan.warnings);
}

#[test]
fn the_recorded_plan_has_its_bytes() {
    let plan = planned(&Founding::default(), &Action::undo());
    let recorded = serde_json::to_value(&plan).expect("a plan can be written down");
    assert_eq!(recorded["request"]["body"], json!(plan.request.body));
    assert_eq!(recorded["action"]["action"], "rollout_undo");
    assert_eq!(recorded["at"], json!(plan.at.0));
}
