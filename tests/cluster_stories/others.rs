//! Others who write to the workload.

use warroom::diagnosis::ChangeKind;
use warroom::domain::{Action, Cause, ClusterEvent, Code, Helps, Written};

use super::told::{CALM, KV_THRASH, QUEUE, World, at, pod, revision, ticks};
use super::{Autoscaler, codes, helps, judged, rolled_out, suspect};

pub(super) fn event(tick: i64, about: &str, reason: &str, message: &str) -> ClusterEvent {
    ClusterEvent {
        at: at(tick),
        first: at(tick),
        about: (about.into(), "vllm".into()),
        reason: reason.into(),
        message: message.into(),
        count: 1,
        warning: false,
    }
}

/// Three replicas serve; two are taken away at tick 100 and wanted again at tick 103, and start for minutes.
fn taken_back(rescaled: i64) -> World {
    let mut world = World::new();
    world.plays("a", "node-1", 41, 0, &ticks(&[(104, CALM), (56, QUEUE)]));
    world.facts.pods.push(pod("a", "node-1", 41, -500, Some(-440)));
    for name in ["b", "c"] {
        world.plays(name, "node-1", 41, 0, &ticks(&[(100, CALM)]));
        world.gone(name, 100);
        world.facts.pods.push(pod(&format!("{name}2"), "node-1", 41, 103, None));
    }
    (world.workload().desired, world.workload().ready) = (3, 1);
    world.facts.autoscaler = Some(Autoscaler { name: "vllm".into(), min: 3, max: 6, ..Autoscaler::default() });
    let name = world.facts.revisions[0].name.clone();
    world.facts.events = vec![
        event(100, "Deployment", "ScalingReplicaSet", &format!("Scaled down replica set {name} to 1 from 3")),
        event(rescaled, "HorizontalPodAutoscaler", "SuccessfulRescale", "New size: 3; reason: below Spec.MinReplicas"),
        event(103, "Deployment", "ScalingReplicaSet", &format!("Scaled up replica set {name} to 3 from 1")),
    ];
    world
}

#[test]
fn what_somebody_took_away_and_the_autoscaler_brought_back_is_their_conflict() {
    let d = judged(&taken_back(103).ends(160));
    assert_eq!(suspect(&d), "rollout/cold_start/autoscaler_conflict", "{}", d.sentence);
    let found = d.findings.iter().find(|f| f.code == Code::Cause(Cause::AutoscalerConflict)).expect("a finding");
    assert!(found.summary.starts_with("somebody took replicas away at"), "{}", found.summary);
    assert!(found.summary.contains("vllm brought them back 15s later"), "{}", found.summary);
    assert_eq!(helps(&d, Action::PauseAutoscaler), Some(Helps::Unknown));
}

#[test]
fn one_who_scales_down_and_up_again_fights_with_nobody() {
    // The autoscaler did something once, long before.
    let d = judged(&taken_back(20).ends(160));
    assert!(!codes(&d).contains(&"autoscaler_conflict"), "{:?}: {}", codes(&d), d.sentence);
}

/// The bad revision came, was undone, and came again at tick 100, written by `who`.
fn came_again(who: &str) -> World {
    let mut world = World::new();
    rolled_out(&mut world, 100, &["--max-num-seqs", "256"], &["--max-num-seqs", "512"]);
    world.facts.revisions =
        vec![revision(43, -2000, &["--max-num-seqs", "256"]), revision(44, -3000, &["--max-num-seqs", "512"])];
    (world.facts.revisions[0].was, world.facts.revisions[1].was) = (vec![41], vec![42]);
    world.workload().revision = Some(44);
    world.workload().template_by = Some((who.into(), at(100)));
    for name in ["old-a", "old-b"] {
        world.plays(name, "node-1", 43, 0, &ticks(&[(118, CALM)]));
        world.gone(name, 118);
    }
    for name in ["new-a", "new-b"] {
        world.plays(name, "node-1", 44, 116, &ticks(&[(24, CALM), (40, KV_THRASH)]));
        world.facts.pods.push(pod(name, "node-1", 44, 100, Some(115)));
    }
    world
}

#[test]
fn a_revision_that_a_gitops_tool_put_back_will_be_put_back_again() {
    let d = judged(&came_again("argocd-controller").ends(180));
    let found = d.findings.iter().find(|f| f.code == Code::Cause(Cause::GitopsWillRevert)).expect("a finding");
    assert!(found.summary.starts_with("'argocd-controller' put rev 44 back at"), "{}", found.summary);
    assert_eq!(d.suspect.as_ref().and_then(|s| s.cause), Some(Cause::DeployRegression), "{}", d.sentence);
    assert_eq!(helps(&d, Action::RolloutUndo), Some(Helps::No));
}

#[test]
fn a_revision_that_a_person_brought_back_is_nobodys_promise() {
    let d = judged(&came_again("kubectl-edit").ends(180));
    assert!(!codes(&d).contains(&"gitops_will_revert"), "{:?}", codes(&d));
}

#[test]
fn a_revision_that_was_scaled_up_twice_came_back_the_second_time() {
    let mut world = came_again("argocd-controller");
    // Nobody saw when the old one was brought back in between, and its event keeps the first time of the bad one.
    world.facts.revisions[1].created = Some(at(60));
    let mut again = event(100, "Deployment", "ScalingReplicaSet", "Scaled up replica set vllm-44 to 2 from 0");
    (again.first, again.count) = (at(60), 2);
    world.facts.events.push(again);
    let d = judged(&world.ends(180));
    let found = d.findings.iter().find(|f| f.code == Code::Cause(Cause::GitopsWillRevert)).expect("a finding");
    assert!(found.summary.starts_with("'argocd-controller' put rev 44 back at"), "{}", found.summary);
}

#[test]
fn a_config_map_that_was_changed_and_pods_that_were_evicted_stand_among_the_changes() {
    let mut world = World::new();
    for name in ["a", "b"] {
        world.plays(name, "node-1", 41, 0, &ticks(&[(160, CALM)]));
        world.facts.pods.push(pod(name, "node-1", 41, -500, Some(-440)));
    }
    world.facts.pods[1].started = Some(at(120));
    world.facts.written = vec![Written { config_map: "tuning".into(), by: "kubectl-edit".into(), at: at(100) }];
    let gone = ("Pod".to_owned(), "vllm-7c9f-x7k".to_owned());
    let message = "The node was low on resource: ephemeral-storage.";
    world.facts.events = vec![ClusterEvent { about: gone, ..event(110, "Pod", "Evicted", message) }];
    let d = judged(&world.ends(160));
    let told: Vec<_> = d.changes.iter().filter(|c| c.at == at(100) || c.at == at(110)).collect();
    let told: Vec<_> = told.iter().map(|c| (c.kind, c.summary.as_str())).collect();
    assert_eq!(
        told,
        [
            (ChangeKind::Pod, "vllm-7c9f-x7k: Evicted: The node was low on resource: ephemeral-storage."),
            (ChangeKind::Config, "ConfigMap tuning changed by 'kubectl-edit'; 1 pod started before"),
        ]
    );
}
