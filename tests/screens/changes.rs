//! What is changed, as it is seen: cards in every stage, the line of the action until its verdict, what is on record, and
//! the runbook while it is walked.

use std::sync::Arc;

use proptest::prelude::*;
use warroom::action::guard::Policy;
use warroom::action::{Action, Answer, Context, Line, Outcome, Permission, Seen, Sign, Trial};
use warroom::app::{App, Command, Earlier, EarlierChange, Effect, Event, Owed, Recording, Tried, View};
use warroom::domain::{At, Body, ClusterFacts, Observation, Verdict};
use warroom::runbook::{Run, Who};

use crate::screen::{Story, breach, draw, healthy, judged, look, room_of};
use crate::text;

/// Nothing is read-only, and a key confirms.
fn writing() -> Policy {
    Policy { read_only: false, ..Policy::default() }
}

fn press(app: &mut App, commands: &[Command]) -> Vec<Effect> {
    commands.iter().flat_map(|command| app.update(Event::Command(*command))).collect()
}

/// The breach on nodes where there is room for one pod more.
pub(crate) fn roomy() -> Story {
    let mut story = breach();
    with_facts(&mut story, |facts| facts.nodes.iter_mut().flatten().for_each(|n| n.gpus = 2));
    story
}

fn with_facts(story: &mut Story, change: impl FnOnce(&mut ClusterFacts)) {
    let (at, facts) = story.snapshot.cluster.clone().expect("a cluster");
    let mut facts = ClusterFacts::clone(&facts);
    change(&mut facts);
    story.snapshot.cluster = Some((at, Arc::new(facts)));
}

fn later(app: &mut App, seconds: f64) -> At {
    let now = app.now().plus(seconds);
    app.update(Event::Now(now));
    now
}

/// Answers the dry run that was asked for.
pub(crate) fn answered(app: &mut App, effects: Vec<Effect>, permission: Permission, result: Result<Answer, Outcome>) {
    let asked = effects.into_iter().find_map(|e| if let Effect::DryRun(proposed) = e { Some(proposed) } else { None });
    let proposed = asked.expect("a dry run is asked for");
    let at = later(app, 0.4);
    let trial = Trial { at, sent: proposed.plan().request.clone(), permission, result };
    app.update(Event::Tried(Box::new(Tried { proposed: *proposed, trial })));
}

/// An accepted dry run that has been on the screen for some seconds.
pub(crate) fn ready(app: &mut App, command: Command) {
    let effects = press(app, &[command]);
    answered(app, effects, Permission::Allowed, Ok(Answer::default()));
    app.update(Event::Painted(app.now()));
    later(app, 3.0);
}

/// Some of these, for whoever wants to look at them with their colours.
pub(crate) fn pictured() -> Vec<(&'static str, App)> {
    let story = patient(roomy());
    let mut well = room_of(&roomy(), writing(), false);
    ready(&mut well, Command::Undo);
    let mut no_room = room_of(&breach(), writing(), false);
    ready(&mut no_room, Command::Undo);
    let mut refused = room_of(&roomy(), writing(), false);
    press(&mut refused, &[Command::Scale]);
    let mut acting = room_of(&story, writing(), false);
    sent(&mut acting, Some(Outcome::Applied(Answer::default())));
    later(&mut acting, 80.0);
    undone(&mut acting, &story, 1);
    seen(&mut acting, &story, Verdict::Breach);
    let mut levers = room_of(&roomy(), writing(), true);
    let found = earlier(&levers, None);
    levers.update(Event::Earlier(Some(Box::new(found))));
    press(&mut levers, &[Command::Resume, Command::Levers]);
    let mut left = room_of(&roomy(), writing(), true);
    let found = earlier(&left, None);
    left.update(Event::Earlier(Some(Box::new(found))));
    let mut failing = room_of(&roomy(), writing(), false);
    failing.update(Event::Recording(Recording::Failing { why: "no space left on device".to_owned() }));
    let mut runbook = room_of(&roomy(), writing(), false);
    press(&mut runbook, &[Command::Go, Command::Runbook]);
    let mut diverted = room_of(&story, writing(), false);
    walk(&mut diverted, &["hardware", "diverted:RB-8"]);
    vec![
        ("card-ready", well),
        ("card-no-room", no_room),
        ("card-refused", refused),
        ("acting", acting),
        ("levers", levers),
        ("left", left),
        ("failing", failing),
        ("runbook", runbook),
        ("diverted", diverted),
    ]
}

fn shown(name: &str, app: &mut App) {
    insta::assert_snapshot!(format!("{name}-80x24"), text(app, &look(), &[], 80, 24));
}

fn shown_wide(name: &str, app: &mut App) {
    shown(name, app);
    insta::assert_snapshot!(format!("{name}-120x36"), text(app, &look(), &[], 120, 36));
}

#[test]
fn a_card_says_how_far_it_is_until_it_can_be_confirmed() {
    let mut app = room_of(&roomy(), writing(), false);
    let effects = press(&mut app, &[Command::Undo]);
    later(&mut app, 2.0);
    shown("card-trying", &mut app);
    answered(&mut app, effects, Permission::Allowed, Ok(Answer::default()));
    assert!(text(&mut app, &look(), &[], 80, 24).contains("Y not yet"), "it was not painted");
    app.update(Event::Painted(app.now()));
    later(&mut app, 3.0);
    shown_wide("card-ready", &mut app);
    later(&mut app, 200.0);
    let old = text(&mut app, &look(), &[], 80, 24);
    assert!(old.contains("Y off: tried 3m23s ago, and that holds 2m"), "{old}");
}

#[test]
fn what_has_to_be_known_before_confirming_is_seen_without_scrolling() {
    for story in [breach(), roomy()] {
        let mut app = room_of(&story, writing(), false);
        ready(&mut app, Command::Undo);
        for (columns, rows) in [(80, 24), (120, 36)] {
            let card = text(&mut app, &look(), &[], columns, rows);
            for must in [
                "HELPS",
                "WHERE",
                "DOES",
                "DIFF",
                "DRYRUN",
                "ALLOWED",
                "OWNER",
                "FITS",
                "TAKES",
                "BACK",
                "--max-num-seqs 512",
                "Y: do it, on record first",
            ] {
                assert!(card.contains(must), "{columns}x{rows} has no '{must}':\n{card}");
            }
        }
    }
}

#[test]
fn a_card_without_room_says_what_to_do_first_and_scrolls_to_the_template() {
    let mut app = room_of(&breach(), writing(), false);
    ready(&mut app, Command::Undo);
    shown("card-no-room", &mut app);
    let card = text(&mut app, &look(), &[], 80, 24);
    assert!(card.contains("Y: do it, on record first, though it does not fit"), "{card}");
    let end = text(&mut app, &look(), &[Command::Bottom], 80, 24);
    insta::assert_snapshot!("card-no-room-end-80x24", end);
    assert!(end.contains("Template:") && !end.contains("hf_s3cret"), "{end}");
}

#[test]
fn a_card_that_is_denied_or_refused_says_why_in_full() {
    let mut app = room_of(&roomy(), writing(), false);
    let effects = press(&mut app, &[Command::Undo]);
    let why = "admission webhook \"policy.example.com\" denied the request: change freeze until Monday 08:00 UTC, ask release-engineering for an exemption";
    answered(&mut app, effects, Permission::Allowed, Err(Outcome::Denied(why.to_owned())));
    shown("card-denied", &mut app);
    let mut app = room_of(&roomy(), writing(), false);
    let effects = press(&mut app, &[Command::Undo]);
    let missing = "no rule grants 'patch deployments.apps' in llm-serving to alice".to_owned();
    answered(&mut app, effects, Permission::Denied(missing), Ok(Answer::default()));
    assert!(text(&mut app, &look(), &[], 80, 24).contains("You may not"), "the part says it too");
    let mut app = room_of(&roomy(), writing(), false);
    press(&mut app, &[Command::Scale]);
    shown_wide("card-refused", &mut app);
}

#[test]
fn a_lever_that_does_not_help_says_so_before_anything_else() {
    let mut story = roomy();
    with_facts(&mut story, |facts| facts.autoscaler = None);
    let mut app = room_of(&story, writing(), false);
    ready(&mut app, Command::Scale);
    shown("card-does-not-help", &mut app);
}

#[test]
fn a_protected_context_asks_for_the_name() {
    let policy = Policy { protected: vec!["prod-*".to_owned()], ..writing() };
    let mut app = room_of(&roomy(), policy, false);
    ready(&mut app, Command::Undo);
    let card = text(&mut app, &look(), &[], 80, 24);
    assert!(card.contains("Y, then type 'vllm-runtime', Enter: done, on record first"), "{card}");
    press(&mut app, &[Command::Confirm]);
    "vllm-run".chars().for_each(|c| drop(app.update(Event::Typed(c))));
    shown("card-name", &mut app);
    let masked = text(&mut app, &look(), &[Command::Back, Command::Present], 80, 24);
    assert!(!masked.contains("llm-serving"), "{masked}");
}

#[test]
fn a_webhook_that_changes_it_is_told_on_the_card() {
    let mut app = room_of(&roomy(), writing(), false);
    let effects = press(&mut app, &[Command::Undo]);
    let answer = Answer {
        warnings: vec!["spec.template.spec.containers[0].env: duplicate name HF_TOKEN".to_owned()],
        unexpected: vec![Line {
            sign: Sign::Added,
            text: "spec.template.spec.containers[1].name: istio-proxy".to_owned(),
        }],
        ..Answer::default()
    };
    answered(&mut app, effects, Permission::Unknown("self review is not allowed".to_owned()), Ok(answer));
    app.update(Event::Painted(app.now()));
    later(&mut app, 1.0);
    shown("card-webhook", &mut app);
}

/// Nothing grows old: what is told over minutes is told by one recording of a minute.
fn patient(mut story: Story) -> Story {
    story.snapshot.interval_s = 200.0;
    story
}

/// The undo is confirmed and answered.
fn sent(app: &mut App, outcome: Option<Outcome>) {
    ready(app, Command::Undo);
    let effects = press(app, &[Command::Confirm]);
    let id = effects.iter().find_map(|e| if let Effect::Send(sending) = e { Some(sending.id) } else { None });
    assert!(id.is_some(), "it was not sent: {:?}", app.notices());
    let id = id.expect("sent");
    app.update(Event::Recording(Recording::Writing { path: "incident.jsonl".to_owned() }));
    later(app, 1.0);
    if let Some(outcome) = outcome {
        app.update(Event::Performed { id, outcome: Box::new(outcome) });
    }
    // Notices last until the next key.
    press(app, &[Command::Redraw]);
}

/// The cluster of `story` has undone it as far as `ready` replicas.
fn undone(app: &mut App, story: &Story, ready: u32) {
    let (_, facts) = story.snapshot.cluster.clone().expect("a cluster");
    let mut facts = ClusterFacts::clone(&facts);
    let old = facts.revisions[0].clone();
    let w = facts.workload.as_mut().expect("a workload");
    (w.generation, w.observed_generation, w.revision) = (43, 43, Some(43));
    w.template = old.template.clone();
    w.raw_template = old.raw_template.clone();
    (w.existing, w.updated, w.ready, w.available) = (3, ready, 3, 3);
    facts.revisions[0].number = 43;
    (facts.revisions[0].desired, facts.revisions[0].ready) = (3, ready);
    facts.revisions.rotate_left(1);
    for (i, pod) in facts.pods.iter_mut().enumerate() {
        pod.ready = true;
        pod.ready_since = pod.ready_since.or(pod.started);
        pod.revision = Some(if i < ready as usize { 43 } else { 42 });
    }
    let at = app.now();
    app.update(Event::Observed(Box::new(Observation { at, body: Body::Cluster(Arc::new(facts)) })));
}

/// Judged anew, as this story is.
fn seen(app: &mut App, story: &Story, verdict: Verdict) {
    let mut d = judged(story);
    d.at = app.now();
    d.verdict = verdict;
    app.judged(d);
}

#[test]
fn the_line_of_the_action_stays_until_the_service_gives_its_verdict() {
    let story = patient(roomy());
    let mut app = room_of(&story, writing(), false);
    sent(&mut app, None);
    shown("action-unanswered", &mut app);
    let mut app = room_of(&story, writing(), false);
    sent(&mut app, Some(Outcome::Applied(Answer::default())));
    later(&mut app, 80.0);
    undone(&mut app, &story, 1);
    seen(&mut app, &story, Verdict::Breach);
    shown_wide("action-underway", &mut app);
    later(&mut app, 200.0);
    undone(&mut app, &story, 3);
    seen(&mut app, &story, Verdict::Breach);
    later(&mut app, 30.0);
    seen(&mut app, &story, Verdict::Breach);
    press(&mut app, &[Command::Redraw]);
    shown("action-done", &mut app);
    let waits = text(&mut app, &look(), &[], 80, 24);
    assert!(waits.contains("done 30s ago; waits for the SLI") && waits.contains("4m30s left"), "{waits}");
    later(&mut app, 280.0);
    seen(&mut app, &story, Verdict::Breach);
    press(&mut app, &[Command::Redraw]);
    shown("action-not-fixed", &mut app);
    assert!(text(&mut app, &look(), &[], 80, 24).contains("✗ NOT FIXED"));
    let timeline = text(&mut app, &look(), &[Command::Timeline], 80, 24);
    insta::assert_snapshot!("action-timeline-80x24", timeline);
    assert!(timeline.contains("undo to revision 41 by alice@bastion: accepted"), "{timeline}");
}

#[test]
fn fixed_and_not_enough_traffic_are_told_apart() {
    let (story, well) = (patient(roomy()), patient(healthy()));
    for (verdict, word) in [(Verdict::Healthy, "FIXED"), (Verdict::Idle, "NOT ENOUGH TRAFFIC")] {
        let mut app = room_of(&story, writing(), false);
        sent(&mut app, Some(Outcome::Applied(Answer::default())));
        undone(&mut app, &story, 3);
        seen(&mut app, &well, verdict);
        later(&mut app, 310.0);
        seen(&mut app, &well, verdict);
        press(&mut app, &[Command::Redraw]);
        let screen = text(&mut app, &look(), &[], 80, 24);
        assert!(screen.contains(word) && (word == "FIXED" || !screen.contains("✓ FIXED")), "{screen}");
        if verdict == Verdict::Healthy {
            shown("action-fixed", &mut app);
        }
    }
}

#[test]
fn what_was_not_done_and_what_nobody_knows_are_told_apart() {
    let mut app = room_of(&patient(roomy()), writing(), false);
    let by = Some("helm, 12 s ago".to_owned());
    sent(&mut app, Some(Outcome::Moved { differs: vec!["replicas are 5, shown were 3".to_owned()], by }));
    shown("action-moved", &mut app);
    let mut app = room_of(&patient(roomy()), writing(), false);
    let why = "the connection was closed".to_owned();
    sent(&mut app, Some(Outcome::Unknown { why, seen: Seen::NotRead("no route to host".to_owned()) }));
    shown("action-unknown", &mut app);
}

fn bob() -> Who {
    Who { user: "bob".to_owned(), host: "bastion-2".to_owned() }
}

/// An incident that was left at Verify twelve minutes ago.
pub(crate) fn earlier(app: &App, held_by: Option<Who>) -> Earlier {
    let alice = Who { user: "alice".to_owned(), host: "bastion".to_owned() };
    let book = app.runbook().expect("a runbook");
    let opened = app.now().plus(-1800.0);
    let (mut run, _) = Run::start(book, opened, &alice, Some(opened));
    run.trail = vec!["triage".to_owned(), "deploy".to_owned(), "rollback".to_owned()];
    "verify".clone_into(&mut run.state);
    let plan = warroom::action::plan(app.snapshot(), &Action::undo(), &Context::default()).expect("a plan");
    let inverse = Action::SetAutoscalerBounds { min: 2, max: 6 };
    let at = app.now().plus(-900.0);
    Earlier {
        run: Some(run),
        last: app.now().plus(-720.0),
        by: alice,
        held_by,
        change: Some(EarlierChange { id: 7, plan, at, outcome: None }),
        owed: vec![Owed { what: "set the autoscaler's bounds to 4-6".to_owned(), at, inverse }],
    }
}

#[test]
fn an_incident_on_record_is_offered_before_anything_is_done() {
    let mut app = room_of(&roomy(), writing(), true);
    let found = earlier(&app, None);
    app.update(Event::Earlier(Some(Box::new(found))));
    shown_wide("earlier-left", &mut app);
    press(&mut app, &[Command::Resume]);
    app.update(Event::Recording(Recording::Writing { path: "incident.jsonl".to_owned() }));
    press(&mut app, &[Command::Redraw]);
    shown_wide("earlier-resumed", &mut app);
    insta::assert_snapshot!("levers-owed-80x24", text(&mut app, &look(), &[Command::Levers], 80, 24));
    insta::assert_snapshot!("levers-owed-end-80x24", text(&mut app, &look(), &[Command::Bottom], 80, 24));
}

#[test]
fn whoever_looks_on_is_told_who_has_it() {
    let mut app = room_of(&roomy(), writing(), true);
    let found = earlier(&app, Some(bob()));
    app.update(Event::Earlier(Some(Box::new(found))));
    shown("earlier-held", &mut app);
    press(&mut app, &[Command::Resume]);
    press(&mut app, &[Command::Redraw]);
    shown_wide("observer", &mut app);
}

#[test]
fn a_record_that_cannot_be_written_and_a_replay_are_seen_at_once() {
    let mut app = room_of(&roomy(), writing(), false);
    let why = "the record cannot be written: no space left on device; free some, it is tried again".to_owned();
    app.update(Event::Recording(Recording::Failing { why }));
    press(&mut app, &[Command::Redraw]);
    shown_wide("record-failing", &mut app);
    let levers = text(&mut app, &look(), &[Command::Levers], 80, 24);
    insta::assert_snapshot!("levers-off-80x24", levers);
    app.update(Event::Recording(Recording::Replay));
    let replay = text(&mut app, &look(), &[Command::Back], 80, 24);
    assert!(replay.contains("REPLAY") && !replay.contains("READ-ONLY"), "{replay}");
}

#[test]
fn the_runbook_is_walked_and_says_how_it_came_where_it_is() {
    let mut app = room_of(&roomy(), writing(), false);
    shown_wide("main-writing", &mut app);
    press(&mut app, &[Command::Runbook]);
    shown_wide("runbook-triage", &mut app);
    press(&mut app, &[Command::Back, Command::Ways]);
    shown("runbook-ways", &mut app);
    press(&mut app, &[Command::Open]);
    "gateway looks slow".chars().for_each(|c| drop(app.update(Event::Typed(c))));
    shown("runbook-reason", &mut app);
    press(&mut app, &[Command::Back, Command::Back, Command::Go]);
    later(&mut app, 42.0);
    press(&mut app, &[Command::Runbook]);
    shown_wide("runbook-deploy", &mut app);
}

/// A run that took these ways.
fn walk(app: &mut App, ways: &[&str]) {
    press(app, &[Command::Note]);
    "seen".chars().for_each(|c| drop(app.update(Event::Typed(c))));
    press(app, &[Command::Accept]);
    for way in ways {
        press(app, &[Command::Runbook, Command::Top]);
        let items = app.items();
        let at = items.iter().position(|item| item.key == format!("to {way}"));
        assert!(at.is_some(), "{way} is no way: {items:?}");
        let at = at.expect("a way");
        press(app, &vec![Command::Down; at]);
        press(app, &[Command::Open]);
        if app.prompt().is_some() {
            "as agreed in the call".chars().for_each(|c| drop(app.update(Event::Typed(c))));
            press(app, &[Command::Accept]);
        }
        later(app, 20.0);
    }
    press(app, &[Command::Redraw]);
}

#[test]
fn a_run_that_ended_says_how_and_one_that_was_diverted_shows_the_first_steps() {
    let mut app = room_of(&patient(roomy()), writing(), false);
    walk(&mut app, &["hardware", "diverted:RB-8"]);
    assert_eq!(app.view(), View::Runbook);
    shown_wide("runbook-diverted", &mut app);
    insta::assert_snapshot!("diverted-main-80x24", text(&mut app, &look(), &[Command::Back], 80, 24));
    let mut app = room_of(&patient(roomy()), writing(), false);
    walk(&mut app, &["deploy", "rollback", "verify", "resolved"]);
    shown("runbook-resolved", &mut app);
}

#[test]
fn cards_and_the_line_of_the_action_need_neither_colours_nor_more_than_ascii() {
    let plain = warroom::ui::Look::new(&warroom::ui::theme::Theme::default(), warroom::ui::Colours::None, true);
    let mut app = room_of(&patient(breach()), writing(), false);
    ready(&mut app, Command::Undo);
    let card = text(&mut app, &plain, &[], 80, 24);
    insta::assert_snapshot!("card-ascii-80x24", card);
    let story = patient(roomy());
    let mut app = room_of(&story, writing(), false);
    sent(&mut app, Some(Outcome::Applied(Answer::default())));
    later(&mut app, 80.0);
    undone(&mut app, &story, 1);
    seen(&mut app, &story, Verdict::Breach);
    let main = text(&mut app, &plain, &[], 80, 24);
    insta::assert_snapshot!("action-ascii-80x24", main);
    let more = [Command::Runbook, Command::Levers, Command::Timeline, Command::Help];
    for screen in [card, main].into_iter().chain(more.map(|c| text(&mut app, &plain, &[c], 120, 36))) {
        assert!(screen.is_ascii(), "{screen}");
    }
}

#[test]
fn the_line_of_the_action_outlives_everything_else_on_a_small_screen() {
    let story = patient(roomy());
    let mut app = room_of(&story, writing(), false);
    sent(&mut app, Some(Outcome::Applied(Answer::default())));
    later(&mut app, 80.0);
    undone(&mut app, &story, 1);
    seen(&mut app, &story, Verdict::Breach);
    for (columns, rows) in [(60, 14), (60, 20), (80, 20), (80, 24)] {
        let screen = text(&mut app, &look(), &[], columns, rows);
        for must in ["BREACH", "ACTION", "1/3", "q quit"] {
            assert!(screen.contains(must), "{columns}x{rows} has no '{must}':\n{screen}");
        }
    }
}

#[test]
fn a_step_in_the_runbook_selects_nothing_that_the_next_key_would_take() {
    let mut app = room_of(&patient(roomy()), writing(), false);
    walk(&mut app, &["hardware"]);
    press(&mut app, &[Command::Open]);
    assert_eq!(app.run().expect("a run").state, "hardware", "Enter on a check takes no way");
}

/// What must not be seen on a shared screen.
const SECRETS: [&str; 4] = ["llm-serving", "gpu-node-", "lab-model", "10.42.7.19"];

#[test]
fn while_presenting_no_card_and_no_line_of_an_action_shows_a_masked_name() {
    let story = patient(breach());
    let mut card = room_of(&story, writing(), false);
    press(&mut card, &[Command::Present]);
    ready(&mut card, Command::Undo);
    let mut acting = room_of(&story, writing(), false);
    sent(&mut acting, Some(Outcome::Denied("nodes \"gpu-node-a\" in llm-serving: no".to_owned())));
    press(&mut acting, &[Command::Present]);
    for app in [&mut card, &mut acting] {
        for (columns, rows) in [(80, 24), (200, 50)] {
            for commands in [&[][..], &[Command::Bottom]] {
                let screen = text(app, &look(), commands, columns, rows);
                assert!(SECRETS.iter().all(|secret| !screen.contains(secret)), "{screen}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn no_size_and_no_name_breaks_a_card_or_the_line_of_an_action(
        columns in 1_u16..250,
        rows in 1_u16..80,
        name in "\\PC{0,12}|[\\x00-\\x1f\u{7f}-\u{9f}]{1,9}|(日本|\u{202e}|e\u{301}){1,90}|x{300}",
        what in 0..6_usize,
        ascii: bool,
        presenting: bool,
    ) {
        let mut story = patient(roomy());
        with_facts(&mut story, |facts| {
            facts.nodes.iter_mut().flatten().for_each(|n| n.name.clone_from(&name));
            facts.revisions.iter_mut().for_each(|r| r.name.clone_from(&name));
            facts.revisions[0].template.containers[0].args.push(format!("--x={name}"));
            facts.revisions[0].raw_template = serde_json::json!({"metadata": {}, "spec": {
                "containers": [{"name": name, "image": name, "args": [name]}]}}).into();
            facts.autoscaler.iter_mut().for_each(|a| a.kind.clone_from(&name));
        });
        let mut app = room_of(&story, writing(), what == 4);
        if presenting {
            press(&mut app, &[Command::Present]);
        }
        match what {
            0 => {
                let effects = press(&mut app, &[Command::Undo]);
                let answer = Answer {
                    warnings: vec![name.clone()],
                    unexpected: vec![Line { sign: Sign::Added, text: name.clone() }],
                    ..Answer::default()
                };
                answered(&mut app, effects, Permission::Unknown(name.clone()), Ok(answer));
            }
            1 => {
                let effects = press(&mut app, &[Command::Undo]);
                answered(&mut app, effects, Permission::Denied(name.clone()), Err(Outcome::Denied(name.clone())));
            }
            2 => drop(press(&mut app, &[Command::Scale])),
            3 => {
                let seen = Seen::Changed { differs: vec![name.clone()], by: Some(name.clone()) };
                sent(&mut app, Some(Outcome::Unknown { why: name.clone(), seen }));
            }
            4 => {
                let mut found = earlier(&app, Some(Who { user: name.clone(), host: name.clone() }));
                found.change.iter_mut().for_each(|c| c.plan.title.clone_from(&name));
                found.owed[0].what.clone_from(&name);
                app.update(Event::Earlier(Some(Box::new(found))));
                if columns % 2 == 0 {
                    press(&mut app, &[Command::Resume]);
                }
            }
            _ => {
                app.update(Event::Recording(Recording::Failing { why: name.clone() }));
                press(&mut app, &[Command::Ways, Command::Open]);
                name.chars().for_each(|c| drop(app.update(Event::Typed(c))));
            }
        }
        app.update(Event::Resized { columns, rows });
        let look = warroom::ui::Look::new(&warroom::ui::theme::Theme::default(), warroom::ui::Colours::True, ascii);
        for view in [None, Some(Command::Bottom), Some(Command::Levers), Some(Command::Runbook), Some(Command::Timeline)] {
            view.map(|command| app.update(Event::Command(command)));
            for cell in &draw(&app, &look, columns, rows).content {
                let harm = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
                prop_assert!(!cell.symbol().contains(harm), "{:?}", cell.symbol());
                prop_assert!(!ascii || cell.symbol().is_ascii(), "{:?}", cell.symbol());
            }
        }
    }
}
