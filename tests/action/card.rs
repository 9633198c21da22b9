//! The card: every question has its answer, in words, and what is not known is not called fine.

use serde_json::json;
use warroom::action::card::{Part, Tone, allowed, card, failed, put};
use warroom::action::{Action, Answer, Line, Outcome, Permission, Plan, Sign, plan};
use warroom::domain::SourceState;

use super::founding::{Founding, autoscaler};
use super::{context, planned};

const LABELS: [&str; 11] =
    ["WHERE", "DOES", "DIFF", "DRYRUN", "ALLOWED", "OWNER", "FITS", "TAKES", "MIND", "BACK", "KUBECTL"];

#[track_caller]
fn part(parts: &[Part], label: &str) -> Part {
    parts.iter().find(|p| p.label == label).expect(label).clone()
}

fn tried(plan: &Plan, answer: &Answer) -> Vec<Part> {
    card(plan, Some((answer, &Permission::Allowed)))
}

fn undo() -> Plan {
    planned(&Founding::default(), &Action::undo())
}

#[test]
fn an_undo_answers_every_question_in_order() {
    let mut world = Founding::default();
    world.workload["spec"]["template"]["spec"]["volumes"] = json!([{"configMap": {"name": "flags"}}]);
    for set in &mut world.revisions {
        set["spec"]["template"]["spec"]["volumes"] = json!([{"configMap": {"name": "flags"}}]);
    }
    let parts = tried(&planned(&world, &Action::undo()), &Answer::default());
    let labels: Vec<&str> = parts.iter().map(|p| p.label).collect();
    assert_eq!(labels, LABELS);
    for label in labels {
        assert!(label.len() <= 8 && label.chars().all(|c| c.is_ascii_uppercase()), "{label}");
    }
    let said = |label: &str| part(&parts, label).lines;
    assert_eq!(
        said("WHERE"),
        [
            "Deployment/vllm-runtime in namespace llm-serving of context prod-use1.",
            "Its identity begins with d-1, at revision 42."
        ]
    );
    assert_eq!(said("DIFF"), ["--max-num-seqs 512 -> 256"]);
    assert_eq!(said("DRYRUN"), ["Accepted by the API server and its webhooks; nothing is stored yet."]);
    assert_eq!(said("ALLOWED"), ["You may: the API server grants 'patch deployments.apps'."]);
    assert_eq!(said("OWNER"), ["Nobody else is known to write it."]);
    assert_eq!(
        said("FITS"),
        ["Yes: needs 1 x 1 GPU: free on 1 node.", "gpu-2: 1 GPU free, room for 1", "gpu-1: 0 GPUs free, 1 too few"]
    );
    assert_eq!(said("TAKES")[1], "Done in about 16m30s.");
    assert_eq!(said("MIND"), ["ConfigMap 'flags' is not rolled back: pods get what it holds today."]);
    assert_eq!(said("BACK"), ["Taken back by: undo to revision 42."]);
    assert!(said("KUBECTL")[0].starts_with("kubectl --context prod-use1 -n llm-serving rollout undo"));
    assert!(parts.iter().all(|p| p.tone != Tone::Bad && p.tone != Tone::Unknown), "{parts:?}");
}

#[test]
fn what_was_not_tried_or_asked_is_not_called_fine() {
    let plan = undo();
    let mut parts = card(&plan, None);
    assert_eq!(part(&parts, "DRYRUN").lines, ["Not tried."]);
    for label in ["DRYRUN", "ALLOWED"] {
        assert_eq!(part(&parts, label).tone, Tone::Unknown);
    }
    // What becomes known alone takes its place, and the order stays.
    let denied = Permission::Denied("'patch deployments.apps' is missing".into());
    put(&mut parts, allowed(&denied, &plan.access));
    put(&mut parts, failed(&Outcome::Denied("quota exceeded".into())));
    assert_eq!(part(&parts, "ALLOWED").lines, ["You may not: 'patch deployments.apps' is missing."]);
    assert_eq!(part(&parts, "DRYRUN").lines, ["Not accepted: not allowed: quota exceeded."]);
    assert!(["DRYRUN", "ALLOWED"].iter().all(|label| part(&parts, label).tone == Tone::Bad));
    assert_eq!(parts[3].label, "DRYRUN");
    let unknown = allowed(&Permission::Unknown("no answer".into()), &plan.access);
    assert_eq!(unknown.tone, Tone::Unknown);
}

#[test]
fn a_webhook_that_has_a_hand_in_it_and_a_warning_are_told() {
    let line = Line { sign: Sign::Added, text: "- --sidecar".into() };
    let answer = Answer { unexpected: vec![line], warnings: vec!["deprecated".into()], ..Answer::default() };
    let told = part(&tried(&undo(), &answer), "DRYRUN");
    assert_eq!(
        told.lines,
        ["Accepted, but a webhook changes it on the way:", "+ - --sidecar", "The server warns: deprecated"]
    );
    assert_eq!(told.tone, Tone::Bad);
    let answer = Answer { warnings: vec!["deprecated".into()], ..Answer::default() };
    assert_eq!(part(&tried(&undo(), &answer), "DRYRUN").tone, Tone::Plain);
}

#[test]
fn whoever_takes_it_back_stands_first_and_whoever_was_not_looked_for_is_not_nobody() {
    let mut world = Founding { autoscalers: vec![autoscaler(2, 6)], ..Founding::default() };
    let beside = part(&card(&planned(&world, &Action::undo()), None), "OWNER");
    assert_eq!(beside.tone, Tone::Plain);
    assert!(beside.lines[0].starts_with("HorizontalPodAutoscaler 'vllm': may change"), "{beside:?}");
    world.workload["metadata"]["annotations"]["argocd.argoproj.io/tracking-id"] =
        json!("serving:apps/Deployment:llm-serving/vllm-runtime");
    let reverted = part(&card(&planned(&world, &Action::undo()), None), "OWNER");
    assert_eq!((reverted.tone, reverted.lines[0].as_str()), (Tone::Bad, "Argo CD is likely to take it back."));
    assert!(reverted.lines[1].contains("after about 5 s"), "{reverted:?}");
    let bounds = planned(&world, &Action::SetAutoscalerBounds { min: 3, max: 6 });
    let parts = card(&bounds, None);
    assert_eq!(part(&parts, "OWNER").lines, ["Who else writes it is not looked at."]);
    assert_eq!(part(&parts, "OWNER").tone, Tone::Unknown);
    assert_eq!(
        part(&parts, "WHERE").lines[1],
        "Its identity begins with hpa-1.",
        "that is not the workload's revision"
    );
}

#[test]
fn an_autoscaler_that_may_not_be_looked_for_is_not_nobody() {
    let mut snapshot = Founding::default().snapshot();
    snapshot.watches[3].state = SourceState::Denied;
    let plan = plan(&snapshot, &Action::undo(), &context()).map_err(|r| r.to_string()).expect("it is planned");
    let owner = part(&card(&plan, None), "OWNER");
    assert!(owner.lines[0].starts_with("an autoscaler, if there is one: could not be looked for"), "{owner:?}");
    assert_eq!(owner.tone, Tone::Unknown);
}

#[test]
fn room_that_is_missing_and_room_that_is_not_known_are_different() {
    let mut world = Founding::default();
    world.taken.insert("gpu-2".into(), 4);
    let parts = card(&planned(&world, &Action::undo()), None);
    let fits = part(&parts, "FITS");
    assert_eq!(fits.tone, Tone::Bad);
    assert!(fits.lines[0].starts_with("No: needs 1 x 1 GPU, and nodes that may take it have 0 free"), "{fits:?}");
    assert_eq!(part(&parts, "MIND").lines, ["What can be done first: scale to 2."]);
    world.taken.clear();
    let parts = card(&planned(&world, &Action::undo()), None);
    let fits = part(&parts, "FITS");
    assert_eq!((fits.tone, fits.lines[1].as_str()), (Tone::Unknown, "gpu-1: free GPUs not known"));
    assert!(fits.lines[0].starts_with("Not known: "), "{fits:?}");
}

#[test]
fn an_outage_is_bad_and_an_unknown_time_is_unknown() {
    let mut world = Founding::default();
    world.workload["spec"]["strategy"] = json!({"type": "Recreate"});
    let takes = part(&card(&planned(&world, &Action::undo()), None), "TAKES");
    assert_eq!((takes.tone, takes.lines[2].as_str()), (Tone::Bad, "Meanwhile nothing serves: 0 of 3."));
    let mut world = Founding::default();
    for pod in &mut world.pods {
        pod["status"]["containerStatuses"][0]["restartCount"] = json!(1);
    }
    assert_eq!(part(&card(&planned(&world, &Action::undo()), None), "TAKES").tone, Tone::Unknown);
}

#[test]
fn a_node_is_in_no_namespace_and_a_restart_has_no_way_back() {
    let cordon = Action::CordonNode { node: "gpu-2".into(), cordoned: true };
    let parts = card(&planned(&Founding::default(), &cordon), None);
    assert_eq!(part(&parts, "WHERE").lines[0], "Node/gpu-2 of context prod-use1.");
    assert_eq!(part(&parts, "FITS").lines, ["Nothing new has to start."]);
    assert_eq!(part(&parts, "TAKES").lines, ["No model has to be loaded for it."]);
    let parts = card(&planned(&Founding::default(), &Action::RolloutRestart), None);
    assert_eq!(part(&parts, "BACK").lines, ["Nothing here takes it back."]);
}

#[test]
fn a_long_difference_and_many_nodes_stay_short() {
    let mut world = Founding::default();
    let many: Vec<String> = (0..30).map(|n| format!("--flag-{n}={n}")).collect();
    world.revisions[1]["spec"]["template"]["spec"]["containers"][0]["args"] = json!(many);
    world.nodes = (0..40).map(|n| super::founding::node(&format!("gpu-{n}"))).collect();
    let parts = card(&planned(&world, &Action::undo()), None);
    let diff = part(&parts, "DIFF").lines;
    assert!(diff.len() == 13 && diff[12].starts_with("and ") && diff[12].ends_with(" more"), "{diff:?}");
    assert_eq!(part(&parts, "FITS").lines.last().map(String::as_str), Some("and 34 more nodes"));
}
