//! The gate: two operators, answers that get lost, keys that do not count, and records that cannot be written. On a small
//! cluster that serves nobody: what is told here is about requests, and not about latency.

use serde_json::json;
use warroom::action::guard::{Denial, Policy};
use warroom::action::{Action, Refusal, Seen};
use warroom::app::{Recording, Stage};
use warroom::runbook::Record;
use warroom::sim::cluster::Kind;

use crate::room::{Cut, Opening, Room, scenario, seen};
use crate::sim::{engines, rolled_out};

fn open(opening: Opening) -> Room {
    let opening = Opening { read_before_s: 60.0, ..opening };
    Room::on(rolled_out(), &scenario("bad-rollout"), |_| engines(0.0), opening)
}

fn deployment(room: &Room) -> serde_json::Value {
    let all = room.look(|world| world.objects(Kind::Deployment));
    all.into_iter().find(|o| o["metadata"]["name"] == "vllm-runtime").expect("the deployment")
}

fn sequences(room: &Room) -> String {
    let object = deployment(room);
    let args = &object["spec"]["template"]["spec"]["containers"][0]["args"];
    args.as_array().and_then(|a| a.last()).and_then(|a| a.as_str()).unwrap_or_default().to_owned()
}

/// Requests that were meant.
fn meant(room: &Room) -> Vec<String> {
    room.calls().0
}

fn old_template(room: &Room) -> serde_json::Value {
    let mut containers = deployment(room)["spec"]["template"]["spec"]["containers"].take();
    containers[0]["args"] = json!(crate::sim::ARGS);
    json!({"metadata": {"annotations": {"kubernetes.io/change-cause": "bob puts it back"}},
           "spec": {"template": {"spec": {"containers": containers}}}})
}

#[test]
fn keys_that_were_typed_before_the_card_was_on_the_screen_do_not_count() {
    let mut room = open(Opening::default());
    room.paints = false;
    room.keys("U Y Y");
    assert_eq!(meant(&room), Vec::<String>::new());
    assert!(room.was_told("typed before the card was on the screen"), "{}", room.story());
    room.paints = true;
    room.paint();
    room.keys("Y");
    assert_eq!(meant(&room).len(), 1, "{}", room.story());
}

#[test]
fn one_confirmation_is_worth_one_request() {
    let mut room = open(Opening::default());
    room.keys("U Y Y Y Y");
    assert_eq!(meant(&room).len(), 1, "{}", room.story());
    assert_eq!(sequences(&room), "--max-num-seqs=256");
}

#[test]
fn a_card_that_was_left_is_not_confirmed() {
    let mut room = open(Opening::default());
    room.keys("U esc Y U q Y U p Y");
    assert_eq!(meant(&room), Vec::<String>::new());
    assert_eq!(room.calls().1.len(), 3, "each card was tried");
}

#[test]
fn an_old_card_is_planned_anew_before_it_is_done() {
    let mut room = open(Opening::default());
    room.keys("U");
    room.pass(125.0);
    room.keys("Y");
    assert!(room.was_told("the card is older than 120 s"), "{}", room.story());
    assert_eq!(meant(&room), Vec::<String>::new());
    room.keys("U Y");
    assert_eq!(meant(&room).len(), 1);
}

#[test]
fn in_a_protected_context_the_name_is_typed() {
    let guard = Policy { read_only: false, protected: vec!["sim-*".to_owned()], ..Policy::default() };
    let mut room = open(Opening { guard, ..Opening::default() });
    room.keys("U Y");
    room.types("vllm");
    room.keys("enter");
    assert!(room.was_told("type 'vllm-runtime' to confirm"), "{}", room.story());
    assert_eq!(meant(&room), Vec::<String>::new());
    room.keys("Y esc Y");
    room.types("vllm-runtime");
    assert_eq!(meant(&room), Vec::<String>::new());
    room.keys("enter");
    assert_eq!(meant(&room).len(), 1, "{}", room.story());
}

#[test]
fn without_a_record_nothing_is_done() {
    let why = "no space left on the device: levers are off until the record can be written".to_owned();
    let mut room = open(Opening { recording: Recording::Failing { why: why.clone() }, ..Opening::default() });
    room.keys("U Y");
    assert_eq!(meant(&room), Vec::<String>::new());
    assert!(room.was_told(&why) && room.was_told("not done: no record is open"), "{}", room.story());
    // From now on it is known before, and not even a dry run is asked for.
    let tried = room.calls().1.len();
    room.keys("U S");
    assert_eq!((room.calls().1.len(), room.app.levers_off()), (tried, Some(why)));
    room.recording = Recording::Writing { path: "incident.jsonl".to_owned() };
    room.happen(warroom::app::Event::Recording(room.recording.clone()));
    room.keys("U Y");
    assert_eq!(meant(&room).len(), 1, "{}", room.story());
}

#[test]
fn read_only_asks_the_api_for_nothing_at_all() {
    let mut room = open(Opening { guard: Policy::default(), ..Opening::default() });
    room.keys("U Y S Y a enter Y esc U + Y");
    assert_eq!(room.writes(), Vec::<String>::new());
    assert!(room.was_told("read-only"), "{}", room.story());
}

#[test]
fn somebody_else_scales_before_the_key_and_the_one_who_comes_second_is_told_who_and_what() {
    // It was not seen yet: the request itself tests what was shown.
    let mut room = open(Opening::default());
    room.keys("S");
    room.other("bob", &room.deployment(), &json!({"spec": {"replicas": 4}}));
    room.keys("Y");
    assert_eq!(deployment(&room)["spec"]["replicas"], 4, "the first one wins");
    assert!(room.was_told("replicas are 4, shown were 2"), "{}", room.story());
    assert!(room.was_told("'bob'") && !room.was_told("more sequences"), "{}", room.story());
    // It was seen already: the gate itself says no, and nothing is sent.
    room.pass(5.0);
    let before = room.writes().len();
    room.keys("S");
    room.other("bob", &room.deployment(), &json!({"spec": {"replicas": 5}}));
    room.pass(5.0);
    room.keys("Y");
    let ours = room.writes().iter().skip(before).filter(|w| w.contains("fieldManager=warroom")).count();
    assert_eq!(ours, 1, "its dry run alone");
    assert!(room.was_told("5 replicas are wanted, shown were 4"), "{}", room.story());
    let Some(Stage::Denied(_, Denial::Moved { .. })) = room.app.card().map(|card| &card.stage) else {
        panic!("{}", room.story())
    };
}

#[test]
fn somebody_else_undoes_it_between_the_dry_run_and_the_request() {
    let mut room = open(Opening::default());
    room.between = Some(Box::new(|room| room.other("bob", &room.deployment(), &old_template(room))));
    room.keys("U Y");
    let ours: Vec<String> = meant(&room).into_iter().filter(|w| w.contains("fieldManager=warroom")).collect();
    assert_eq!(ours.len(), 1, "it is not tried again");
    assert!(room.was_told("not done: it is not what was shown any more"), "{}", room.story());
    assert!(room.was_told("'bob'") && room.was_told("bob puts it back"), "{}", room.story());
    assert!(room.was_told("--max-num-seqs=256"), "what differs is told: {}", room.story());
    assert_eq!(sequences(&room), "--max-num-seqs=256");
    // What was not done is on record as such, and is no lever that would have to be verified.
    let accepted: Vec<_> = room.run().acts.iter().map(|act| act.accepted).collect();
    assert_eq!((accepted, room.run().unverified()), (vec![Some(false)], None));
}

#[test]
fn somebody_else_rolls_out_between_the_card_and_the_key() {
    let mut room = open(Opening::default());
    room.keys("U");
    room.other("bob", &room.deployment(), &old_template(&room));
    room.pass(5.0);
    room.keys("Y");
    assert_eq!(meant(&room).iter().filter(|w| w.contains("fieldManager=warroom")).count(), 0);
    assert!(room.was_told("'bob puts it back'"), "{}", room.story());
}

#[test]
fn an_answer_that_got_lost_is_looked_for_and_nothing_is_sent_twice() {
    let mut room = open(Opening::default());
    room.cut(Cut::After);
    room.keys("U Y");
    assert_eq!(meant(&room).len(), 1, "{}", room.story());
    let outcome = room.app.acting().and_then(|a| a.outcome.clone());
    assert_eq!(seen(outcome.as_ref()), Some(&Seen::Done { ours: Some(true) }), "{}", room.story());
    assert!(room.was_told("read again: it is done, and it was this that did it"));
    // It is followed like any other.
    room.until(300.0, "it is done", |app| app.acting().is_some_and(|a| a.done.is_some()));
    let words: Vec<&str> = room.action.iter().map(|(_, w)| w.as_str()).collect();
    assert_eq!(words, ["sent", "stored", "underway", "done"]);
}

#[test]
fn a_request_that_got_lost_is_told_as_not_done() {
    let mut room = open(Opening::default());
    room.cut(Cut::Before);
    room.keys("U Y");
    assert_eq!(meant(&room), Vec::<String>::new());
    let outcome = room.app.acting().and_then(|a| a.outcome.clone());
    assert_eq!(seen(outcome.as_ref()), Some(&Seen::NotDone), "{}", room.story());
    assert!(room.was_told("read again: it was not done"));
    assert_eq!(sequences(&room), "--max-num-seqs=512");
    // Nothing stands in the way of trying it again, by a card of its own.
    room.keys("U Y");
    assert_eq!(meant(&room).len(), 1);
}

#[test]
fn an_answer_that_got_lost_behind_somebody_else_is_told_as_it_is() {
    let mut room = open(Opening::default());
    room.cut(Cut::Before);
    room.between = Some(Box::new(|room| room.other("bob", &room.deployment(), &old_template(room))));
    room.keys("U Y");
    let outcome = room.app.acting().and_then(|a| a.outcome.clone());
    assert_eq!(seen(outcome.as_ref()), Some(&Seen::Done { ours: Some(false) }), "{}", room.story());
    assert!(room.was_told("it is done, but somebody else wrote it last"), "{}", room.story());
}

#[test]
fn pressed_again_it_does_not_bring_back_what_was_undone_unless_by_number() {
    let mut room = open(Opening::default());
    room.keys("U Y");
    room.pass(10.0);
    room.keys("U");
    let card = room.app.card().expect("a card");
    let Stage::Refused(refusal) = &card.stage else { panic!("{}", room.story()) };
    assert!(matches!(refusal, Refusal::AlreadyUndone { current: 43, replaced: 42, .. }), "{refusal}");
    let choices = card.alternatives();
    assert!(choices.iter().all(|c| matches!(c, Action::RolloutUndo { to: Some(_) })), "{choices:?}");
    room.keys("Y Y");
    room.pass(120.0);
    room.keys("esc U Y");
    assert_eq!((meant(&room).len(), sequences(&room)), (1, "--max-num-seqs=256".to_owned()));
    // By number it is somebody's choice, and its card says what it brings back.
    let bad = choices.iter().position(|c| matches!(c, Action::RolloutUndo { to: Some(to) } if to.revision == 42));
    for _ in 0..bad.expect("it can be chosen") {
        room.keys("down");
    }
    room.keys("enter");
    assert!(room.app.card().is_some_and(|c| c.caution.is_some()), "the first is not verified: {}", room.story());
    room.keys("Y");
    assert_eq!((meant(&room).len(), sequences(&room)), (2, "--max-num-seqs=512".to_owned()));
    let acts: Vec<(String, bool)> = room.run().acts.iter().map(|a| (a.what.clone(), a.before_verify)).collect();
    assert_eq!(acts, [("undo to revision 41".to_owned(), false), ("undo to revision 42".to_owned(), true)]);
}

#[test]
fn the_number_of_replicas_is_chosen_on_the_card_and_bounded() {
    let mut room = open(Opening::default());
    room.keys("S + + +");
    assert!(room.app.card().is_some_and(|c| c.action == Action::Scale { to: 6 }), "{}", room.story());
    room.keys("+");
    let denied =
        room.app.card().is_some_and(|c| matches!(c.stage, Stage::Denied(_, Denial::TooFar { step: 5, most: 4 })));
    assert!(denied, "{}", room.story());
    room.keys("Y - - - - - - - Y");
    // Never to nothing; and what it has already is no change.
    assert_eq!(room.calls().0.len(), 1, "{}", room.story());
    assert_eq!(deployment(&room)["spec"]["replicas"], 1);
    let told = room.writes();
    assert!(
        told.last().is_some_and(|w| w.contains("/deployments/vllm-runtime/scale?fieldManager=warroom")),
        "{told:?}"
    );
}

#[test]
fn a_lever_without_an_incident_begins_its_record_first() {
    let mut room = open(Opening::default());
    assert!(room.lines.is_empty());
    room.keys("U Y");
    let kinds: Vec<&str> = room
        .lines
        .iter()
        .map(|line| match line {
            crate::room::Line::Begun(_) => "begun",
            crate::room::Line::Run(Record::Started { .. }) => "started",
            crate::room::Line::Run(Record::Acted(_)) => "acted",
            crate::room::Line::Run(Record::Moved(_)) => "moved",
            crate::room::Line::Run(_) => "run",
            crate::room::Line::Planned { .. } => "planned",
            crate::room::Line::Answered { .. } => "answered",
        })
        .filter(|kind| *kind != "run")
        .collect();
    assert_eq!(kinds, ["begun", "started", "planned", "answered", "acted", "moved"], "{}", room.story());
    assert_eq!(room.state(), "rollback");
}
