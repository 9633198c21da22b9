//! How a run walks: by its operator alone, and each step on record.

use proptest::prelude::*;
use warroom::domain::{Action, At};
use warroom::runbook::{
    Advised, Announced, Condition, How, Meaning, Memory, Outcome, Record, Refused, Run, RunEffect, RunEvent, Runbook,
    Seen,
};

use crate::told::{NINE, Walk, ada, made_up, plain, rb_6};

fn announced(effects: &[RunEffect]) -> Vec<Announced> {
    effects
        .iter()
        .filter_map(|e| match e {
            RunEffect::Record(Record::Announced { what, .. }) => Some(*what),
            _ => None,
        })
        .collect()
}

fn see_advised(walk: &mut Walk, edge: &str) {
    let mut seen = plain(&walk.run.state, walk.now, Condition::Breached);
    seen.advised =
        Some(Advised { edge: edge.to_owned(), to: edge.to_owned(), why: "it is so".to_owned(), open: Vec::new() });
    walk.on(RunEvent::Saw { seen: Box::new(seen) });
}

#[test]
fn a_made_up_runbook_is_walked_to_its_end() {
    let mut walk = Walk::of(made_up());
    see_advised(&mut walk, "pull");
    assert_eq!(walk.after(10.0).enter(), Ok("pull".to_owned()));
    walk.after(5.0).pulls(Action::RolloutRestart, Some(true));
    assert_eq!(walk.run.state, "pull", "the state has this lever itself");
    see_advised(&mut walk, "taste");
    assert_eq!(walk.after(60.0).enter(), Ok("taste".to_owned()));
    see_advised(&mut walk, "tea");
    assert_eq!(walk.after(300.0).enter(), Ok("tea".to_owned()));
    assert!(walk.run.ended);
    let after = |then| walk.run.after_onset(then);
    let times = walk.run.times;
    // The objective broke a minute before the run was opened.
    assert_eq!(after(times.acknowledged), Some(70.0));
    assert_eq!(after(times.diagnosed), Some(70.0));
    assert_eq!(after(times.mitigated), Some(75.0));
    assert_eq!(after(times.verified), Some(435.0));
    assert_eq!(walk.take("look", Some("more")), Err(Refused::Over { state: "tea".to_owned() }));
}

#[test]
fn another_way_than_the_recommended_one_needs_a_reason_and_what_was_advised_is_on_record() {
    let mut walk = Walk::of(made_up());
    see_advised(&mut walk, "pull");
    assert_eq!(walk.take("shop", None), Err(Refused::ReasonNeeded { edge: "shop".to_owned() }));
    assert_eq!(walk.take("shop", Some("   ")), Err(Refused::ReasonNeeded { edge: "shop".to_owned() }));
    assert_eq!(walk.run.times.acknowledged, None, "what was refused did not happen");
    assert_eq!(walk.take("shop", Some("it is broken\x1b[2J")), Ok("shop".to_owned()));
    let step = walk.run.moves.last().expect("a move");
    assert_eq!((step.how, step.reason.as_str()), (How::Chosen, "it is broken·[2J"));
    assert_eq!(step.advised, Some(("pull".to_owned(), "it is so".to_owned())));
    assert_eq!(walk.run.open, ["pull"], "it stays open");
    assert!(matches!(walk.take("nowhere", Some("x")), Err(Refused::Over { .. })));
}

#[test]
fn advice_from_before_a_move_recommends_nothing_after_it() {
    let mut walk = Walk::of(made_up());
    see_advised(&mut walk, "pull");
    let old = plain("look", walk.now, Condition::Breached);
    walk.enter().expect("it is recommended");
    let effects = walk.on(RunEvent::Saw { seen: Box::new(old) });
    assert_eq!(effects, [RunEffect::Refused(Refused::OutOfDate)], "it was seen from another state");
    assert_eq!(walk.take("taste", None), Err(Refused::ReasonNeeded { edge: "taste".to_owned() }));
}

#[test]
fn back_goes_to_where_one_came_from_until_the_start() {
    let mut walk = Walk::of(made_up());
    walk.take("pull", Some("a")).expect("a way");
    walk.take("taste", Some("b")).expect("a way");
    assert_eq!(walk.back(), Ok("pull".to_owned()));
    assert_eq!(walk.back(), Ok("look".to_owned()));
    assert_eq!(walk.back(), Err(Refused::NothingBefore { state: "look".to_owned() }));
    let ways: Vec<How> = walk.run.moves.iter().map(|m| m.how).collect();
    assert_eq!(ways, [How::Chosen, How::Chosen, How::Back, How::Back], "going back is on record too");
}

#[test]
fn a_lever_from_anywhere_is_an_edge_with_its_reason() {
    let mut walk = Walk::of(rb_6());
    walk.pulls(Action::RolloutUndo, Some(true));
    assert_eq!(walk.run.state, "rollback");
    let step = walk.run.moves.last().expect("a move");
    assert_eq!((step.from.as_str(), step.how), ("triage", How::Lever));
    assert!(step.reason.contains("users wait"), "{}", step.reason);
    walk.pulls(Action::Scale, Some(true));
    assert_eq!(walk.run.state, "levers");
}

#[test]
fn a_lever_that_the_cluster_refused_moves_nothing() {
    let mut walk = Walk::of(rb_6());
    walk.pulls(Action::RolloutUndo, Some(false));
    assert_eq!((walk.run.state.as_str(), walk.run.times.mitigated), ("triage", None));
    assert_eq!(walk.run.acts.len(), 1, "it is on record all the same");
    assert_eq!(walk.run.unverified(), None);
    walk.pulls(Action::RolloutUndo, None);
    assert_eq!(walk.run.state, "rollback", "an unknown outcome may have taken effect");
    assert!(walk.run.unverified().is_some());
}

#[test]
fn a_second_lever_before_the_first_is_verified_gets_a_warning() {
    let mut walk = Walk::of(rb_6());
    assert_eq!(walk.run.caution(Action::Scale), None);
    walk.pulls(Action::RolloutUndo, Some(true));
    let caution = walk.run.caution(Action::Scale).expect("one variable at a time");
    assert!(caution.contains("rollout_undo") && caution.contains("not verified"), "{caution}");
    let effects = walk.pulls(Action::Scale, Some(true));
    assert!(effects.contains(&RunEffect::Warned(caution)));
    assert!(walk.run.acts[1].before_verify);
    walk.take("verify", Some("both are through")).expect("a way");
    assert!(walk.run.unverified().is_some(), "verify has begun and not ended");
    walk.take("triage", Some("not over")).expect("a way");
    assert_eq!(walk.run.caution(Action::Scale), None, "it was looked at");
}

#[test]
fn recovered_is_announced_once_it_held_and_breached_again_offers_the_start() {
    let mut walk = Walk::of(rb_6());
    walk.take("deploy", Some("a rollout")).expect("a way");
    assert_eq!(announced(&walk.after(5.0).sees(Condition::Breached)), []);
    assert_eq!(announced(&walk.after(5.0).sees(Condition::Holds)), [], "one good look is no recovery");
    assert_eq!(announced(&walk.after(40.0).sees(Condition::Holds)), [Announced::Recovered]);
    assert_eq!(announced(&walk.after(5.0).sees(Condition::Holds)), [], "once");
    assert_eq!(walk.run.state, "deploy", "nothing moves by itself");
    assert_eq!(walk.moved(RunEvent::Again { at: walk.now, by: ada() }), Err(Refused::NotOffered));
    assert_eq!(announced(&walk.after(5.0).sees(Condition::Breached)), [Announced::BreachedAgain]);
    assert!(walk.run.again_offered);
    assert_eq!(walk.run.state, "deploy");
    assert_eq!(walk.moved(RunEvent::Again { at: walk.now, by: ada() }), Ok("triage".to_owned()));
    assert_eq!(walk.run.moves.last().map(|m| m.how), Some(How::Again), "the same run");
}

#[test]
fn what_was_innocent_of_the_first_breach_need_not_be_of_the_second() {
    let mut walk = Walk::of(rb_6());
    walk.take("deploy", Some("a rollout")).expect("a way");
    walk.take("triage", Some("innocent")).expect("a way");
    assert_eq!(walk.run.memory.ruled_out, ["deploy"]);
    walk.after(5.0).sees(Condition::Holds);
    walk.after(40.0).sees(Condition::Holds);
    assert_eq!(walk.run.memory.ruled_out, ["deploy"], "recovered is no reason to forget");
    walk.after(5.0).sees(Condition::Breached);
    assert_eq!(walk.run.memory.ruled_out, [""; 0]);
}

#[test]
fn a_good_minute_without_data_around_it_is_no_recovery() {
    let mut walk = Walk::of(rb_6());
    walk.after(5.0).sees(Condition::Holds);
    assert_eq!(announced(&walk.after(20.0).sees(Condition::Stale)), [Announced::Stale]);
    assert_eq!(announced(&walk.after(20.0).sees(Condition::Stale)), []);
    assert_eq!(announced(&walk.after(20.0).sees(Condition::Holds)), [Announced::Fresh]);
    assert_eq!(announced(&walk.after(5.0).sees(Condition::Holds)), [], "it holds since then, and not since before");
    assert_eq!(announced(&walk.after(30.0).sees(Condition::Holds)), [Announced::Recovered]);
}

#[test]
fn one_comes_back_from_a_divert_to_the_states_it_names() {
    let mut walk = Walk::of(rb_6());
    walk.take("hardware", Some("a GPU")).expect("a way");
    walk.take("diverted:RB-8", Some("it is hot")).expect("a way");
    assert_eq!(walk.run.moves.last().and_then(|m| m.divert.as_deref()), Some("RB-8"));
    let back = |to: &str, at: At| RunEvent::Return { at, by: ada(), to: to.to_owned(), reason: None };
    assert!(matches!(walk.moved(back("rollback", walk.now)), Err(Refused::NoSuchWay { .. })));
    assert_eq!(walk.moved(back("verify", walk.now)), Ok("verify".to_owned()));
    assert_eq!(walk.run.moves.last().map(|m| m.how), Some(How::Returned));
}

#[test]
fn checks_go_on_record_when_they_say_something_else() {
    let mut walk = Walk::of(rb_6());
    let story = crate::screen::breach();
    walk.look(&story);
    let recorded = |walk: &Walk| walk.records.iter().filter(|r| matches!(r, Record::Checked { .. })).count();
    assert_eq!(recorded(&walk), 1);
    walk.look(&story);
    assert_eq!(recorded(&walk), 1, "nothing new, nothing recorded");
    // One that wavers is written as it wavers, not as often as it is looked at.
    let mut seen = walk.run.seen.clone().expect("it looked");
    for second in 1..=30 {
        seen.at = walk.now.plus(f64::from(second));
        seen.checks[0].outcome = if second % 2 == 0 { Outcome::Fail } else { Outcome::Pass };
        walk.on(RunEvent::Saw { seen: Box::new(seen.clone()) });
    }
    assert!((2..=4).contains(&recorded(&walk)), "{}", recorded(&walk));
}

/// An event that may fit the run or not.
fn event() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0_usize..8, any::<bool>()).prop_map(|(edge, reason)| Step::Take(edge, reason)),
        2 => Just(Step::Back),
        1 => Just(Step::Again),
        1 => prop_oneof!["triage", "verify", "nowhere"].prop_map(Step::Return),
        2 => (0_usize..12, proptest::option::of(any::<bool>())).prop_map(|(action, ok)| Step::Pull(action, ok)),
        4 => (0_usize..4, proptest::option::of(0_usize..8), 0.0..900.0_f64).prop_map(|(c, a, onset)| Step::See(c, a, onset)),
        1 => "\\PC{0,20}".prop_map(Step::Note),
        1 => Just(Step::Acknowledge),
    ]
}

#[derive(Debug, Clone)]
enum Step {
    Take(usize, bool),
    Back,
    Again,
    Return(String),
    Pull(usize, Option<bool>),
    See(usize, Option<usize>, f64),
    Note(String),
    Acknowledge,
}

fn made(step: Step, book: &Runbook, run: &Run, at: At) -> RunEvent {
    let edge = |n: usize| {
        let all: Vec<String> = book.edges_from(&run.state).map(warroom::runbook::Edge::id).collect();
        all.get(n).cloned().unwrap_or_else(|| "nowhere".to_owned())
    };
    let by = ada();
    match step {
        Step::Take(n, reason) => RunEvent::Take { at, by, edge: edge(n), reason: reason.then(|| "because".to_owned()) },
        Step::Back => RunEvent::Back { at, by, reason: None },
        Step::Again => RunEvent::Again { at, by },
        Step::Return(to) => RunEvent::Return { at, by, to, reason: None },
        Step::Pull(action, accepted) => RunEvent::Acted {
            at,
            by,
            action: Action::ALL[action % Action::ALL.len()],
            what: "pull".to_owned(),
            reason: None,
            accepted,
            eta_s: Some(0.1 + 0.2),
        },
        Step::See(condition, advised, onset) => {
            let condition = [Condition::Breached, Condition::Holds, Condition::Open, Condition::Stale][condition];
            let advised =
                advised.map(|n| Advised { edge: edge(n), to: edge(n), why: "so".to_owned(), open: Vec::new() });
            let seen = Seen { onset: Some(at.plus(-onset)), advised, ..plain(&run.state, at, condition) };
            RunEvent::Saw { seen: Box::new(seen) }
        }
        Step::Note(text) => RunEvent::Note { at, by, text },
        Step::Acknowledge => RunEvent::Acknowledge { at, by },
    }
}

/// What a run is without what it saw, which is read anew.
fn without_sight(mut run: Run) -> Run {
    (run.seen, run.holding_since) = (None, None);
    run.memory = Memory { burns: Vec::new(), ..run.memory };
    run
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn an_end_stays_an_end_a_replay_is_exact_and_every_move_is_on_record(
        steps in proptest::collection::vec((event(), 0.5..90.0_f64), 1..60),
        kettle in any::<bool>(),
    ) {
        let book = if kettle { made_up() } else { rb_6() };
        let (mut run, first) = Run::start(&book, NINE, &ada(), None);
        let mut records = vec![first];
        let mut now = NINE;
        for (step, seconds) in steps {
            now = now.plus(seconds);
            let event = made(step, &book, &run, now);
            let before = run.state.clone();
            let (was_over, returning) = (run.ended, matches!(event, RunEvent::Return { .. }));
            let json = serde_json::to_string(&event).expect("an event is written");
            let read: RunEvent = serde_json::from_str(&json).expect("and read");
            prop_assert_eq!(&read, &event);
            let sees = matches!(event, RunEvent::Saw { .. });
            let effects = run.on(&book, event);
            let moves = effects.iter().filter(|e| matches!(e, RunEffect::Record(Record::Moved(_)))).count();
            prop_assert!(moves <= 1);
            prop_assert!(run.state == before || moves == 1, "it moved without a record");
            prop_assert!(!sees || run.state == before, "what is seen moves nothing");
            if was_over && run.state != before {
                let end = book.state(&before).expect("an end");
                prop_assert!(returning && end.returns.contains(&run.state), "an end was left");
                prop_assert_eq!(end.means, Some(Meaning::Diverted));
            }
            prop_assert!(book.state(&run.state).is_some(), "it stands somewhere");
            records.extend(effects.into_iter().filter_map(|e| match e {
                RunEffect::Record(record) => Some(record),
                _ => None,
            }));
        }
        let json = serde_json::to_string(&records).expect("records are written");
        let read: Vec<Record> = serde_json::from_str(&json).expect("and read");
        let restored = Run::restore(&read).expect("it began");
        prop_assert_eq!(without_sight(restored), without_sight(run.clone()));
        let json = serde_json::to_string(&run).expect("a run is written");
        prop_assert_eq!(serde_json::from_str::<Run>(&json).expect("and read"), run);
    }
}
