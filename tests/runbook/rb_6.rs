//! RB-6 as it is written down, and walked over a founding incident.

use std::collections::BTreeSet;

use warroom::diagnosis::ChangeKind;
use warroom::domain::{Action, Cause, Code, RowStatus};
use warroom::runbook::{Kind, Meaning, Outcome, RunEffect, Sight, recommend};

use crate::screen::{breach, denied, healthy, judged, stale};
use crate::told::{Walk, rb_6};

/// The table of the design: state, edges drawn in the source, edges that were added.
const TABLE: &[(&str, &[&str], &[&str])] = &[
    ("triage", &["deploy", "prefill", "decode"], &["gateway", "cold_start", "hardware", "not_real"]),
    ("deploy", &["rollback"], &["triage"]),
    ("prefill", &["levers"], &[]),
    ("decode", &["levers"], &[]),
    ("gateway", &[], &["levers", "verify", "triage"]),
    ("cold_start", &[], &["rollback", "levers", "verify", "triage"]),
    ("levers", &["hardware", "verify"], &[]),
    ("hardware", &["verify"], &["diverted:RB-8", "diverted:gpu-fault", "triage"]),
    ("rollback", &["verify"], &["levers", "hardware"]),
    ("verify", &["resolved"], &["triage"]),
    ("resolved", &[], &[]),
    ("not_real", &[], &[]),
    ("diverted", &[], &[]),
];

#[test]
fn it_has_every_state_and_edge_of_the_design_and_no_other() {
    let book = rb_6();
    let states: BTreeSet<&str> = book.states.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(states, TABLE.iter().map(|(state, ..)| *state).collect());
    for (state, drawn, ours) in TABLE {
        let edges = |added: bool| -> BTreeSet<String> {
            book.edges_from(state).filter(|e| e.ours == added).map(warroom::runbook::Edge::id).collect()
        };
        assert_eq!(edges(false), drawn.iter().map(|s| (*s).to_owned()).collect(), "drawn from {state}");
        assert_eq!(edges(true), ours.iter().map(|s| (*s).to_owned()).collect(), "ours from {state}");
    }
    let returns = &book.state("diverted").expect("an end").returns;
    assert_eq!(returns, &["triage", "verify"]);
    for (end, means) in
        [("resolved", Meaning::Resolved), ("not_real", Meaning::NotReal), ("diverted", Meaning::Diverted)]
    {
        let state = book.state(end).expect("an end");
        assert_eq!((state.kind, state.means), (Kind::End, Some(means)));
    }
}

#[test]
fn undo_and_scale_work_from_any_state() {
    let book = rb_6();
    let to = |action| book.anywhere.iter().find(|a| a.action == action).map(|a| a.to.as_str());
    assert_eq!(to(Action::RolloutUndo), Some("rollback"));
    assert_eq!(to(Action::Scale), Some("levers"));
}

#[test]
fn the_founding_incident_is_walked_from_triage_to_resolved() {
    let mut walk = Walk::of(rb_6());
    let story = breach();
    let seen = walk.look(&story);
    assert_eq!(seen.advised.as_ref().map(|a| a.edge.as_str()), Some("deploy"), "{:?}", seen.advised);
    assert!(seen.checks.iter().all(|c| !c.says.is_empty()), "every check says why: {:?}", seen.checks);
    assert_eq!(walk.enter(), Ok("deploy".to_owned()));

    // The old revision is gone, so what speaks is the moment and the diff.
    let seen = walk.look(&story);
    let rollout = seen.checks.iter().find(|c| c.check.code() == "diff_elsewhere").expect("it is asked");
    assert!(rollout.says.contains("--max-num-seqs"), "{}", rollout.says);
    let effects = walk.pulls(Action::RolloutUndo, Some(true));
    assert!(!effects.iter().any(|e| matches!(e, RunEffect::Warned(_))), "the first lever needs no warning");
    assert_eq!(walk.run.state, "rollback", "undo works from here as well");
    assert_eq!(walk.run.moves.last().map(|m| m.from.as_str()), Some("deploy"));

    // The facts are older than the change: nothing is complete yet.
    let seen = walk.look(&story);
    assert_eq!(seen.advised, None, "{:?}", seen.advised);
    let mut later = breach();
    later.snapshot.now = story.snapshot.now.plus(30.0);
    if let Some((at, _)) = &mut later.snapshot.cluster {
        *at = later.snapshot.now;
    }
    let facts = later.snapshot.cluster.as_mut().map(|(_, facts)| facts).expect("facts");
    let workload = std::sync::Arc::make_mut(facts).workload.as_mut().expect("a workload");
    (workload.desired, workload.existing, workload.updated) = (2, 2, 2);
    let seen = walk.look(&later);
    assert_eq!(seen.advised.as_ref().map(|a| a.to.as_str()), Some("verify"), "{:?}", seen.ways);
    assert_eq!(walk.enter(), Ok("verify".to_owned()));
}

#[test]
fn a_diagnosis_alone_gets_the_first_step_and_its_checks() {
    let advice = warroom::runbook::advise(&rb_6(), &judged(&breach())).expect("something is the matter");
    assert_eq!((advice.state.as_str(), advice.recommended.as_deref()), ("triage", Some("deploy")));
    assert_eq!(advice.checks.len(), rb_6().state("triage").map_or(0, |s| s.checks.len()));
    assert!(advice.because[0].contains("a change lies in the burn window"), "{:?}", advice.because);
    assert_eq!(warroom::runbook::advise(&rb_6(), &judged(&healthy())), None);
}

#[test]
fn where_both_latencies_are_over_the_larger_share_is_recommended_and_the_other_stays_open() {
    let mut d = judged(&breach());
    d.changes.retain(|c| c.kind != ChangeKind::Rollout);
    d.findings.retain(|f| f.code != Code::Cause(Cause::CapacityLoss));
    for (ttft, tpot, first, other) in [(0.9, 0.2, "prefill", "decode"), (0.2, 0.9, "decode", "prefill")] {
        for row in &mut d.slo {
            let share = if row.metric == warroom::diagnosis::Metric::Ttft { ttft } else { tpot };
            (row.status, row.count, row.bad) = (RowStatus::Breach, Some(1000.0), Some(1000.0 * share));
        }
        let advised = recommend(&rb_6(), "triage", Sight::new(&d)).expect("a way");
        assert_eq!(advised.to, first);
        assert!(advised.open.iter().any(|(edge, _)| edge == other), "{:?}", advised.open);
    }
}

#[test]
fn an_innocent_deploy_leads_away_from_rollback_and_is_not_recommended_again() {
    let mut story = judged(&breach());
    let serving = |d: &mut warroom::diagnosis::Diagnosis, new: f64, old: f64| {
        for (row, mean) in d.revisions.iter_mut().zip([new, old]) {
            (row.count, row.ttft_mean) = (Some(500.0), Some(mean));
        }
        d.findings.retain(|f| f.code != Code::Cause(Cause::DeployRegression));
    };
    serving(&mut story, 9.0, 8.8);
    let sight = Sight::new(&story);
    assert_eq!(recommend(&rb_6(), "deploy", sight).map(|a| a.to), Some("triage".to_owned()));
    let from_triage = recommend(&rb_6(), "triage", sight).map(|a| a.to);
    assert!(from_triage.is_some() && from_triage.as_deref() != Some("deploy"), "{from_triage:?}");
    serving(&mut story, 9.0, 0.8);
    assert_eq!(recommend(&rb_6(), "deploy", Sight::new(&story)).map(|a| a.to), Some("rollback".to_owned()));
}

#[test]
fn what_was_ruled_out_is_not_recommended_again() {
    let mut walk = Walk::of(rb_6());
    walk.look(&breach());
    walk.take("deploy", None).expect("it is recommended");
    walk.take("triage", Some("the other cluster has the same revision and is well")).expect("a way");
    let seen = walk.look(&breach());
    assert!(seen.advised.as_ref().is_some_and(|a| a.to != "deploy"), "{:?}", seen.advised);
    let deploy = seen.ways.iter().find(|w| w.edge == "deploy").expect("the way is still there");
    assert!(deploy.why.contains("ruled out"), "{deploy:?}");
}

#[test]
fn nothing_passes_because_data_stopped() {
    let d = judged(&stale());
    let story = stale();
    for state in rb_6().states {
        for check in state.checks {
            use warroom::runbook::Check as C;
            // What was known before and is a fact of the past, or says itself that a source is silent.
            if matches!(
                check,
                C::CountedNotAveraged
                    | C::ObjectiveBroken
                    | C::BothWindows
                    | C::TokensFlow
                    | C::OneCohort
                    | C::TrafficSteady
                    | C::ScopeWhole
                    | C::PodsScheduled
                    | C::ImagesPulled
                    | C::ModelsLoaded
                    | C::DiffElsewhere
                    | C::BreakElsewhere
                    | C::OldRevisionWarm
            ) {
                continue;
            }
            let checked = check.ask(Sight::new(&d).with_snapshot(&story.snapshot));
            assert_ne!(checked.outcome, Outcome::Pass, "{} passes: {}", check, checked.says);
        }
    }
}

#[test]
fn what_kubernetes_may_not_tell_is_not_known() {
    let story = denied();
    let d = judged(&story);
    for check in ["capacity_ready", "no_recent_rollout", "rollout_complete", "others_drained", "chunked_prefill_on"] {
        let check = warroom::runbook::Check::ALL.iter().find(|c| c.code() == check).expect("a check");
        let checked = check.ask(Sight::new(&d).with_snapshot(&story.snapshot));
        assert_eq!(checked.outcome, Outcome::CannotTell, "{check}: {}", checked.says);
    }
}

#[test]
fn a_states_levers_say_which_helps_which_will_not_and_why() {
    use warroom::domain::Helps;
    use warroom::runbook::levers;
    let d = judged(&breach());
    let rows = levers(&rb_6(), "levers", &d);
    assert!(rows.is_sorted_by_key(|r| match r.helps {
        Helps::Yes => 0,
        Helps::Unknown => 1,
        Helps::No => 2,
    }));
    assert!(rows.iter().all(|r| !r.why.is_empty()));
    let undo = rows.iter().find(|r| r.action == Action::RolloutUndo).expect("it can be pulled from anywhere");
    assert!(undo.anywhere && undo.lever.is_none(), "{undo:?}");
    for said in &d.levers {
        let row = rows.iter().find(|r| r.action == said.action);
        assert!(said.helps != Helps::No || row.is_some_and(|r| r.helps == Helps::No && r.why == said.why), "{said:?}");
    }
}

#[test]
fn a_loading_replica_shows_its_clock_and_what_is_left() {
    let (story, d) = (breach(), judged(&breach()));
    let loading = warroom::runbook::Check::ModelsLoaded.ask(Sight::new(&d).with_snapshot(&story.snapshot));
    assert_eq!(loading.outcome, Outcome::Fail);
    assert!(loading.says.contains("x7k2w loads its model for") && loading.says.contains("from"), "{}", loading.says);
}
