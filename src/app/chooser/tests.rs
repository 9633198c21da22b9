//! Offered, filtered, picked, looked for again.

use super::*;
use crate::app::{Command, Event, Settings};
use crate::diagnosis::{BurnPreset, Policy, Target, Targets};
use crate::domain::{Snapshot, Trouble, WorkloadKind, WorkloadRef};

const NOW: At = At(1_780_888_447_000);

fn workload(name: &str) -> WorkloadRef {
    let (context, namespace) = ("c".to_owned(), "llm".to_owned());
    WorkloadRef { context, namespace, kind: WorkloadKind::Deployment, name: name.to_owned() }
}

fn found(name: &str, troubles: &[Trouble]) -> Found {
    Found {
        target: Some(workload(name)),
        namespace: "llm".to_owned(),
        name: format!("deploy/{name}"),
        owner: None,
        managers: Vec::new(),
        evidence: vec!["image vllm".to_owned()],
        model: Some("llama".to_owned()),
        image: None,
        desired: Some(2),
        ready: Some(1),
        troubles: troubles.to_vec(),
    }
}

fn discovery(names: &[&str], everywhere: bool) -> Discovery {
    let found = names.iter().map(|name| found(name, &[])).collect();
    let namespace = (!everywhere).then(|| "llm".to_owned());
    Discovery { context: "c".to_owned(), namespace, found, unseen: Vec::new() }
}

fn room(target: Option<WorkloadRef>) -> App {
    let target_of = |seconds| Target { seconds, objective: 0.99 };
    let targets = Targets { ttft: target_of(0.5), tpot: target_of(0.05), burn: BurnPreset::default() };
    let policy = Policy { window_s: 300.0, default: targets, by_model: Vec::new() };
    let chooser = target.is_none().then(|| Chooser::awaited(false));
    let snapshot = Snapshot { now: NOW, target, ..Snapshot::default() };
    App::new(Settings { chooser, ..Settings::new(snapshot, policy) })
}

fn press(app: &mut App, command: Command) -> Vec<Effect> {
    app.update(Event::Command(command))
}

fn offer(app: &mut App, names: &[&str]) {
    app.update(Event::Offered { at: NOW, found: Ok(Box::new(discovery(names, false))) });
}

#[test]
fn without_a_name_one_chooses_and_whoever_leaves_the_choice_leaves() {
    let mut app = room(None);
    assert_eq!(app.view(), View::Chooser);
    assert!(app.works(Command::Open).is_err() && app.works(Command::AllNamespaces).is_err(), "nothing has answered");
    assert!(press(&mut app, Command::Evidence).is_empty());
    assert_eq!((app.view(), app.notices().len()), (View::Chooser, 1), "there is nothing to see yet, and that is said");
    offer(&mut app, &["bad", "fine"]);
    press(&mut app, Command::Down);
    assert_eq!(press(&mut app, Command::Open), [Effect::Watch(Box::new(workload("fine")))]);
    assert_eq!(press(&mut app, Command::Back), [Effect::Quit]);
}

#[test]
fn typing_filters_and_enter_watches_the_first_that_is_left() {
    let mut app = room(Some(workload("mine")));
    assert!(app.works(Command::Choose).is_err() && press(&mut app, Command::Choose).is_empty(), "no cluster is known");
    app.update(Event::LooksAround);
    assert_eq!(press(&mut app, Command::Choose), [Effect::Discover { everywhere: false }]);
    offer(&mut app, &["mine", "other-a", "other-b"]);
    for c in "ther-b".chars() {
        app.update(Event::Typed(c));
    }
    assert_eq!(app.items().len(), 1);
    assert_eq!(press(&mut app, Command::Accept), [Effect::Watch(Box::new(workload("other-b")))]);
}

#[test]
fn the_one_that_is_watched_already_is_gone_back_to() {
    let mut app = room(Some(workload("mine")));
    app.update(Event::LooksAround);
    press(&mut app, Command::Choose);
    offer(&mut app, &["mine"]);
    assert!(press(&mut app, Command::Accept).is_empty());
    assert_eq!(app.view(), View::Main);
}

#[test]
fn what_only_its_owner_could_show_is_not_watched_and_why_is_said() {
    let mut app = room(None);
    let mut owned = found("x", &[]);
    (owned.target, owned.name) = (None, "lws/x".to_owned());
    let all = Discovery { namespace: Some("llm".into()), found: vec![owned], ..Discovery::default() };
    app.update(Event::Offered { at: NOW, found: Ok(Box::new(all)) });
    assert!(press(&mut app, Command::Open).is_empty());
    assert!(app.notices()[0].starts_with("lws/x has no Deployment"), "{:?}", app.notices());
}

#[test]
fn it_is_looked_for_again_while_it_is_looked_at_and_a_late_answer_of_elsewhere_is_dropped() {
    let mut app = room(None);
    assert!(app.update(Event::Tick(NOW.plus(60.0))).is_empty(), "whoever connects looks");
    app.update(Event::Offered { at: NOW.plus(60.0), found: Ok(Box::new(discovery(&["a"], false))) });
    assert!(app.update(Event::Tick(NOW.plus(70.0))).is_empty());
    assert_eq!(app.update(Event::Tick(NOW.plus(76.0))), [Effect::Discover { everywhere: false }]);
    assert!(app.update(Event::Tick(NOW.plus(99.0))).is_empty(), "one at a time");
    assert_eq!(press(&mut app, Command::AllNamespaces), [Effect::Discover { everywhere: true }]);
    app.update(Event::Offered { at: NOW.plus(76.0), found: Ok(Box::new(discovery(&["a"], false))) });
    assert!(app.chooser().is_some_and(|c| c.all().is_empty()), "that was of the namespace");
    app.update(Event::Offered { at: NOW.plus(100.0), found: Err("it does not answer".to_owned()) });
    assert_eq!(app.chooser().and_then(|c| c.trouble.as_deref()), Some("it does not answer"));
    assert_eq!(app.update(Event::Tick(NOW.plus(120.0))), [Effect::Discover { everywhere: true }], "it goes on");
    app.update(Event::Offered { at: NOW.plus(120.0), found: Ok(Box::new(discovery(&["a", "b"], true))) });
    assert!(app.chooser().is_some_and(|c| c.all().len() == 2 && c.trouble.is_none()));
}

#[test]
fn what_is_found_at_once_is_shown_without_a_choice() {
    let mut app = room(None);
    app.update(Event::Found(Box::new(workload("only"))));
    assert_eq!(app.view(), View::Main);
}
