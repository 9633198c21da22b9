//! What happens to the state, one event after the other.

use super::*;
use crate::diagnosis::{BurnPreset, Change, ChangeKind, ReplicaRow, Target, Targets};
use crate::domain::{Body, EnginePage, Role};

const NOW: At = At(1_780_888_447_000);

fn app() -> App {
    let target = |seconds| Target { seconds, objective: 0.99 };
    let targets = Targets { ttft: target(0.5), tpot: target(0.05), burn: BurnPreset::default() };
    let policy = Policy { window_s: 300.0, default: targets, by_model: Vec::new() };
    let workload = WorkloadRef {
        context: "c".to_owned(),
        namespace: "n".to_owned(),
        kind: crate::domain::WorkloadKind::Deployment,
        name: "w".to_owned(),
    };
    let snapshot = Snapshot { now: NOW, interval_s: 5.0, target: Some(workload), ..Snapshot::default() };
    App::new(Settings::new(snapshot, policy))
}

/// Something comes in from a source, `after` seconds later.
fn observed(app: &mut App, after: f64) {
    let body = Body::Page { endpoint: "pod-a".into(), page: Ok(crate::domain::Page::Engine(EnginePage::default())) };
    app.update(Event::Observed(Box::new(Observation { at: NOW.plus(after), body })));
}

fn replica(name: &str, revision: u64) -> ReplicaRow {
    ReplicaRow {
        name: name.to_owned(),
        pool: None,
        node: None,
        revision: Some(revision),
        ready: Some(true),
        start: None,
        usual_load: None,
        restarts: None,
        gone: false,
        age_s: Some(1.0),
        queue_mean: None,
        prefill_mean: None,
        itl_mean: None,
        ttft_mean: None,
        count: None,
        waiting: None,
        running: None,
        kv: None,
    }
}

/// A room that knows these replicas.
fn with_replicas(names: &[(&str, u64)]) -> App {
    let mut app = app();
    observed(&mut app, 0.0);
    app.update(Event::Tick(NOW));
    judge(&mut app, names);
    app
}

fn judge(app: &mut App, names: &[(&str, u64)]) {
    let mut d = app.diagnosis().expect("judged").clone();
    d.replicas = names.iter().map(|(name, revision)| replica(name, *revision)).collect();
    app.judged(d);
}

fn press(app: &mut App, command: Command) -> Vec<Effect> {
    app.update(Event::Command(command))
}

fn judged_at(app: &App) -> Option<f64> {
    app.diagnosis().map(|d| d.at.since(NOW))
}

#[test]
fn nothing_is_judged_before_something_was_observed() {
    let mut app = app();
    app.update(Event::Tick(NOW.plus(60.0)));
    assert!(app.diagnosis().is_none() && app.connecting());
    observed(&mut app, 60.0);
    app.update(Event::Tick(NOW.plus(60.0)));
    assert_eq!(judged_at(&app), Some(60.0));
}

#[test]
fn a_diagnosis_is_made_once_a_sweep_and_never_by_a_key() {
    let mut app = app();
    // It is open for a while.
    app.update(Event::Tick(NOW.plus(-60.0)));
    observed(&mut app, 0.0);
    app.update(Event::Tick(NOW));
    observed(&mut app, 0.3);
    app.update(Event::Tick(NOW.plus(0.5)));
    assert_eq!(judged_at(&app), Some(0.0), "within a second of the last one");
    press(&mut app, Command::Evidence);
    assert_eq!(judged_at(&app), Some(0.0));
    app.update(Event::Tick(NOW.plus(1.0)));
    assert_eq!(judged_at(&app), Some(1.0));
    app.update(Event::Tick(NOW.plus(3.0)));
    assert_eq!(judged_at(&app), Some(1.0), "nothing new was observed");
    app.update(Event::Tick(NOW.plus(6.0)));
    assert_eq!(judged_at(&app), Some(6.0), "silence is news after a while");
}

#[test]
fn in_its_first_seconds_every_answer_is_judged_soon() {
    let mut app = app();
    for (after, judged) in [(0.0, 0.0), (0.1, 0.0), (0.3, 0.3), (4.9, 4.9), (5.1, 4.9), (6.0, 6.0)] {
        observed(&mut app, after);
        app.update(Event::Tick(NOW.plus(after)));
        assert_eq!(judged_at(&app), Some(judged), "after {after} s");
    }
}

#[test]
fn an_observation_alone_changes_no_picture() {
    let mut app = app();
    app.take_changed();
    observed(&mut app, 0.0);
    assert!(!app.take_changed());
    app.update(Event::Tick(NOW));
    assert!(app.take_changed());
    assert!(!app.take_changed(), "it is drawn once");
}

#[test]
fn a_picture_that_is_held_stays_and_its_ages_grow() {
    let mut app = app();
    observed(&mut app, 0.0);
    app.update(Event::Tick(NOW));
    press(&mut app, Command::Hold);
    observed(&mut app, 10.0);
    app.update(Event::Tick(NOW.plus(10.0)));
    assert_eq!((judged_at(&app), app.age(1.0)), (Some(0.0), 11.0));
    press(&mut app, Command::Hold);
    app.update(Event::Tick(NOW.plus(10.0)));
    assert_eq!(judged_at(&app), Some(10.0));
}

#[test]
fn the_selection_stays_on_its_replica_when_the_list_changes() {
    let mut app = with_replicas(&[("w-a", 1), ("w-b", 1), ("w-c", 1)]);
    press(&mut app, Command::Replicas);
    press(&mut app, Command::Down);
    assert_eq!(app.items()[app.cursor().index].key, "w-b");
    judge(&mut app, &[("w-new", 2), ("w-a", 1), ("w-b", 1)]);
    assert_eq!(app.items()[app.cursor().index].key, "w-b");
    judge(&mut app, &[("w-a", 1)]);
    assert_eq!(app.cursor().index, 0, "inside the list, whatever became of it");
}

#[test]
fn a_filter_leaves_what_matches_and_is_taken_away_first() {
    let mut app = with_replicas(&[("w-a", 1), ("w-b", 2)]);
    press(&mut app, Command::Find);
    assert_eq!(
        (app.view(), app.mode()),
        (View::Replicas, Mode::Prompt),
        "from the main screen a replica is looked for"
    );
    for c in "REV 2".chars() {
        app.update(Event::Typed(c));
    }
    assert_eq!(app.items().len(), 1);
    press(&mut app, Command::Accept);
    assert_eq!((app.mode(), app.items().len()), (Mode::List, 1));
    press(&mut app, Command::Back);
    assert_eq!((app.view(), app.items().len()), (View::Replicas, 2));
    press(&mut app, Command::Back);
    assert_eq!(app.view(), View::Main);
}

#[test]
fn what_does_not_work_now_says_why_and_does_nothing() {
    let mut app = app();
    assert_eq!(press(&mut app, Command::Logs), []);
    assert_eq!(app.notices(), ["no pod is known: logs come from Kubernetes"]);
    press(&mut app, Command::Help);
    assert!(app.notices().is_empty(), "a notice lasts until the next key");
}

#[test]
fn one_log_is_followed_and_leaving_ends_it() {
    let mut app = with_replicas(&[("w-a engine 0", 1), ("w-a engine 1", 1), ("w-b", 1)]);
    let follow = |pod: &str| vec![Effect::FollowLogs { pod: pod.to_owned(), container: None, previous: false }];
    press(&mut app, Command::Replicas);
    assert_eq!(press(&mut app, Command::Open), follow("w-a"), "two engines are one pod");
    assert_eq!(press(&mut app, Command::Right), follow("w-b"));
    assert_eq!(press(&mut app, Command::Right), follow("w-a"), "after the last comes the first");
    let late = LogBatch { pod: "w-b".to_owned(), lines: vec!["late".to_owned()], ended: None };
    app.update(Event::Logs(late));
    assert!(app.logs().is_some_and(|l| l.lines.is_empty()), "another pod's lines come too late");
    assert_eq!(press(&mut app, Command::Timeline), [Effect::StopLogs]);
    assert_eq!((app.view(), app.logs()), (View::Timeline, None));
}

#[test]
fn in_a_log_one_goes_to_what_matters_to_the_next_container_and_to_the_run_before() {
    let mut app = with_replicas(&[("w-a", 1)]);
    press(&mut app, Command::Logs);
    let lines =
        ["INFO ok", "CUDA error: device-side assert", "INFO ok", "WARNING hm", "Traceback (most recent call last)"];
    let lines = lines.map(str::to_owned).to_vec();
    app.update(Event::Logs(LogBatch { pod: "w-a".to_owned(), lines, ended: None }));
    press(&mut app, Command::Top);
    let mut at = || {
        press(&mut app, Command::NextMark);
        app.cursor().index
    };
    assert_eq!([at(), at(), at()], [1, 4, 1], "a warning is no trouble, and after the last comes the first");
    let before = press(&mut app, Command::RunBefore);
    assert_eq!(before, [Effect::FollowLogs { pod: "w-a".to_owned(), container: None, previous: true }]);
    assert!(app.logs().is_some_and(|l| l.previous && l.lines.is_empty()));
    press(&mut app, Command::NextMark);
    assert_eq!(app.notices(), ["nothing that matters in the lines that are here"]);
    assert_eq!(press(&mut app, Command::NextContainer), [], "it has only one");
}

#[test]
fn a_log_is_bounded_and_says_how_much_was_let_go() {
    let mut app = with_replicas(&[("w-a", 1)]);
    press(&mut app, Command::Logs);
    for _ in 0..3 {
        let lines = vec!["x\u{1b}[2J".repeat(2_000); 1_000];
        app.update(Event::Logs(LogBatch { pod: "w-a".to_owned(), lines, ended: None }));
    }
    let logs = app.logs().expect("followed");
    assert_eq!((logs.lines.len(), logs.dropped), (2_000, 1_000));
    assert!(logs.lines.iter().all(|l| l.chars().count() <= 1_000 && !l.contains('\u{1b}')));
    assert_eq!(app.cursor().index, 1_999, "its end is kept in view");
    press(&mut app, Command::Up);
    assert!(!app.logs().expect("followed").following, "moving away stops that");
    press(&mut app, Command::Bottom);
    assert!(app.logs().expect("followed").following);
}

#[test]
fn views_follow_each_other_and_come_around() {
    let mut app = with_replicas(&[("w-a", 1)]);
    let mut seen = vec![app.view()];
    loop {
        press(&mut app, Command::NextView);
        if app.view() == View::Main {
            break;
        }
        seen.push(app.view());
    }
    assert_eq!(seen.len(), 9);
    press(&mut app, Command::PreviousView);
    assert_eq!(app.view(), *seen.last().expect("a view"));
}

#[test]
fn the_program_is_left_from_anywhere() {
    let mut app = with_replicas(&[("w-a", 1)]);
    for command in [Command::Help, Command::Find] {
        press(&mut app, command);
        assert_eq!(press(&mut app, Command::Quit), [Effect::Quit]);
    }
}

#[test]
fn names_keep_their_numbers_whether_or_not_they_are_hidden() {
    let mut app = with_replicas(&[("w-a", 1)]);
    let mut d = app.diagnosis().expect("judged").clone();
    d.model = Some("secret-model".to_owned());
    d.changes = vec![Change { at: NOW, kind: ChangeKind::Rollout, summary: "secret-model".to_owned() }];
    app.judged(d);
    assert!(app.mask().is_none());
    press(&mut app, Command::Present);
    assert_eq!(app.mask().expect("presenting").apply("of secret-model"), "of model-1");
}

#[test]
fn an_endpoint_is_told_before_it_was_read() {
    let mut app = app();
    let body = Body::Endpoint {
        name: "pod-a".into(),
        role: Role::Engine,
        reproduce: String::new(),
        reached: None,
        placement: None,
    };
    app.update(Event::Observed(Box::new(Observation { at: NOW, body })));
    app.update(Event::Tick(NOW));
    assert!(app.connecting(), "it has not answered");
    assert_eq!(app.diagnosis().expect("judged").sources.len(), 1);
}

#[test]
fn whoever_takes_over_finds_out_what_became_of_a_change_without_an_answer() {
    use crate::action::{Action, Outcome, Plan, Seen};
    use crate::runbook::Who;
    let mut app = app();
    let by = Who { user: "ada".to_owned(), host: "bastion".to_owned() };
    app.update(Event::Recording(Recording::ReadingAlong { by: by.clone() }));
    let action = Action::SetAutoscalerBounds { min: 4, max: 6 };
    let inverse = Action::SetAutoscalerBounds { min: 2, max: 6 };
    let kept = serde_json::json!({
        "action": action, "object": "HorizontalPodAutoscaler/w", "at": NOW.0, "title": "bounds",
        "precondition": {"uid": "u", "replicas": null}, "request": {"path": "/p"}, "inverse": inverse, "cause": null,
    });
    let plan = Plan::recalled(&kept, "[]", app.target().expect("a workload").clone()).expect("a plan");
    let sent = Heard::Sent { id: 7, by, at: NOW, title: "bounds".to_owned(), plan: Some(Box::new(plan)) };
    app.update(Event::Heard(Box::new(sent)));
    assert!(app.owed().is_empty(), "nobody knows yet whether it was done");
    let effects = press(&mut app, Command::TakeOver);
    assert!(
        matches!(
            effects.as_slice(),
            [Effect::Begin(Beginning::Resume { take_over: true }), Effect::Reread { id: 7, .. }]
        ),
        "{effects:?}"
    );
    app.update(Event::Recording(Recording::Writing { path: "record".to_owned() }));
    let seen = Seen::Done { ours: Some(true) };
    app.update(Event::Performed { id: 7, outcome: Box::new(Outcome::Unknown { why: "lost".to_owned(), seen }) });
    assert_eq!(app.owed().iter().map(|owed| owed.inverse.clone()).collect::<Vec<_>>(), [inverse]);
}
