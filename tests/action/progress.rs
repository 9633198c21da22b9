//! How far a change has come, seen after it.

use serde_json::json;
use warroom::action::{Action, Plan, Seen, Stage, progress, seen};
use warroom::domain::At;

use super::founding::{Founding, NOW, pod, template};
use super::planned;

fn stage(world: &Founding, plan: &Plan, at: At) -> (Stage, String) {
    let progress = progress(&world.facts(), plan, at);
    (progress.stage, progress.sentence)
}

/// The founding world after the undo was stored: revision 41 is 43 now.
fn undone() -> Founding {
    let mut world = Founding::default();
    world.workload["spec"]["template"] = template(256, None);
    world.workload["metadata"]["generation"] = json!(8);
    world.workload["metadata"]["annotations"] = json!({"deployment.kubernetes.io/revision": "43",
        "kubernetes.io/change-cause": "warroom undo to r41 (vllm-runtime-h41) by alice INC-1"});
    world.revisions[1]["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = json!("43");
    world
}

#[test]
fn an_undo_is_followed_from_the_patch_to_the_last_replica() {
    let plan = planned(&Founding::default(), &Action::undo());
    assert_eq!(stage(&Founding::default(), &plan, NOW).0, Stage::Waiting, "the watch has not shown it");
    let mut world = undone();
    assert_eq!(stage(&world, &plan, NOW).0, Stage::Waiting, "a status from before says nothing");

    world.workload["status"] = json!({"observedGeneration": 8, "replicas": 4, "updatedReplicas": 1, "readyReplicas": 3,
        "availableReplicas": 3});
    let mut loading = pod("n", 41, "gpu-2");
    loading["metadata"]["creationTimestamp"] = json!("2026-06-08T03:14:07Z");
    loading["status"]["conditions"][2]["status"] = json!("False");
    loading["status"]["containerStatuses"][0]["ready"] = json!(false);
    world.pods.push(loading.clone());
    let (under, sentence) = stage(&world, &plan, NOW.plus(90.0));
    assert_eq!(under, Stage::Underway);
    assert_eq!(
        sentence,
        "1 of 3 replicas are new, 0 of them serve; n is at 'load' for 1m30s of about 5m30s; 3 old pods are still there"
    );

    // A load longer than the deadline is late, and not stuck.
    world.workload["status"]["conditions"] =
        json!([{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]);
    let (under, sentence) = stage(&world, &plan, NOW.plus(700.0));
    assert!(under == Stage::Underway && sentence.contains("deadline is over"), "{sentence}");
    loading["status"]["containerStatuses"][0]["state"] = json!({"waiting": {"reason": "CrashLoopBackOff"}});
    world.pods[3] = loading;
    assert_eq!(stage(&world, &plan, NOW), (Stage::Stuck, "n is in CrashLoopBackOff".to_owned()));

    world.revisions[1]["status"]["readyReplicas"] = json!(3);
    world.pods = vec![pod("n", 41, "gpu-1"), pod("o", 41, "gpu-1"), pod("p", 41, "gpu-2")];
    world.workload["status"] = json!({"observedGeneration": 8, "replicas": 3, "updatedReplicas": 3, "readyReplicas": 3,
        "availableReplicas": 3});
    let done = progress(&world.facts(), &plan, NOW);
    assert_eq!((done.stage, done.ready, done.of), (Stage::Done, 3, 3));

    world.workload["spec"]["template"] = template(999, None);
    assert_eq!(stage(&world, &plan, NOW).0, Stage::Superseded);
    world.workload["metadata"]["uid"] = json!("d-2");
    assert_eq!(stage(&world, &plan, NOW).0, Stage::Gone);
}

#[test]
fn a_scale_is_done_when_its_replicas_serve_and_superseded_when_somebody_sets_another_number() {
    let plan = planned(&Founding::default(), &Action::Scale { to: 4 });
    let mut world = Founding::default();
    assert_eq!(stage(&world, &plan, NOW).0, Stage::Waiting);
    world.workload["spec"]["replicas"] = json!(4);
    world.workload["status"]["replicas"] = json!(4);
    assert_eq!(stage(&world, &plan, NOW), (Stage::Underway, "3 of 4 replicas serve".to_owned()));
    world.workload["status"]["availableReplicas"] = json!(4);
    assert_eq!(stage(&world, &plan, NOW).0, Stage::Done);
    world.workload["spec"]["replicas"] = json!(2);
    assert_eq!(stage(&world, &plan, NOW), (Stage::Superseded, "somebody set 2 replicas since".to_owned()));
}

#[test]
fn a_pod_that_no_node_takes_is_told() {
    let plan = planned(&Founding::default(), &Action::Scale { to: 4 });
    let mut world = Founding::default();
    world.workload["spec"]["replicas"] = json!(4);
    let mut pending = pod("d", 42, "gpu-1");
    pending["spec"]["nodeName"] = json!(null);
    pending["status"] = json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False",
        "reason": "Unschedulable", "message": "0/2 nodes are available: 2 Insufficient nvidia.com/gpu."}]});
    world.pods.push(pending);
    let (stuck, sentence) = stage(&world, &plan, NOW);
    assert!(stuck == Stage::Stuck && sentence.contains("Insufficient nvidia.com/gpu"), "{sentence}");
}

#[test]
fn an_object_that_is_read_again_says_what_happened() {
    let plan = planned(&Founding::default(), &Action::undo());
    assert_eq!(seen(&plan, &Founding::default().workload), Seen::NotDone);
    let mut after = undone().workload;
    assert_eq!(seen(&plan, &after), Seen::Done { ours: Some(true) });
    after["metadata"]["annotations"]["kubernetes.io/change-cause"] = json!("kubectl by bob");
    assert_eq!(seen(&plan, &after), Seen::Done { ours: Some(false) });
    after["spec"]["template"] = template(64, None);
    after["metadata"]["managedFields"] = json!([
        {"manager": "kubectl-edit", "operation": "Update", "time": "2026-06-08T03:14:01Z"},
        {"manager": "kube-controller-manager", "operation": "Update", "time": "2026-06-08T03:14:05Z", "subresource": "status"}
    ]);
    let Seen::Changed { differs, by } = seen(&plan, &after) else { panic!("it was changed") };
    assert!(differs.iter().any(|d| d.contains("\"64\"")), "{differs:?}");
    assert_eq!(by.as_deref(), Some("'kubectl-edit' at 2026-06-08T03:14:01Z: kubectl by bob"));
    after["metadata"]["uid"] = json!("d-2");
    assert_eq!(seen(&plan, &after), Seen::Gone);
}
