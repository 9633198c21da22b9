//! The choice of what is watched: found, filtered, empty, in trouble.

use warroom::app::{App, Chooser, Command, Event, Settings};
use warroom::domain::{At, Discovery, Found, Snapshot, Trouble, WorkloadRef};

use crate::incident::policy;
use crate::screen::{look, target};
use crate::text;

const NOW: At = At(1_780_888_447_000);

fn room() -> App {
    let snapshot = Snapshot { now: NOW, ..Snapshot::default() };
    let chooser = Some(Chooser::awaited(false));
    let contacting = vec!["the namespace llm-serving".to_owned()];
    let mut app = App::new(Settings { chooser, contacting, ..Settings::new(snapshot, policy(2.5, 0.05)) });
    app.update(Event::Tick(NOW));
    app.update(Event::Tick(NOW.plus(3.0)));
    app
}

fn found(
    namespace: &str,
    name: &str,
    (ready, desired): (u32, u32),
    troubles: &[Trouble],
    owner: Option<&str>,
) -> Found {
    let workload = name.split_once('/').map_or(name, |(_, n)| n).to_owned();
    Found {
        target: Some(WorkloadRef { namespace: namespace.to_owned(), name: workload, ..target() }),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        owner: owner.map(str::to_owned),
        managers: Vec::new(),
        evidence: vec!["image vllm/vllm-openai".to_owned()],
        model: Some("meta-llama/Llama-3.3-70B-Instruct".to_owned()),
        image: None,
        desired: Some(desired),
        ready: Some(ready),
        troubles: troubles.to_vec(),
    }
}

fn offer(app: &mut App, everywhere: bool) {
    let all = vec![
        found("llm-serving", "deploy/vllm-runtime", (0, 3), &[Trouble::NothingReady, Trouble::RolloutStuck], None),
        found("llm-batch", "sts/sglang-long-context-decode", (3, 4), &[Trouble::NotAllReady], None),
        found("kserve", "deploy/llama-predictor-00002", (2, 2), &[], Some("InferenceService/llama")),
    ];
    let namespace = (!everywhere).then(|| "llm-serving".to_owned());
    let unseen = vec!["leaderworkersets: not allowed; allow 'list' on 'leaderworkersets'".to_owned()];
    let found = Discovery { context: "prod-use1".to_owned(), namespace, found: all, unseen };
    app.update(Event::Offered { at: app.now(), found: Ok(Box::new(found)) });
    app.update(Event::Tick(app.now().plus(4.0)));
}

#[test]
fn the_choice_in_every_state() {
    let mut app = room();
    insta::assert_snapshot!("chooser-looking-80x24", text(&mut app, &look(), &[], 80, 24));
    offer(&mut app, false);
    insta::assert_snapshot!("chooser-80x24", text(&mut app, &look(), &[Command::Down], 80, 24));
    app.update(Event::Command(Command::AllNamespaces));
    offer(&mut app, true);
    insta::assert_snapshot!("chooser-everywhere-120x36", text(&mut app, &look(), &[], 120, 36));
    app.update(Event::Command(Command::Find));
    "sglang".chars().for_each(|c| drop(app.update(Event::Typed(c))));
    insta::assert_snapshot!("chooser-filtered-80x24", text(&mut app, &look(), &[], 80, 24));
}

#[test]
fn nothing_that_serves_models_says_where_it_was_looked_and_how_to_look_elsewhere() {
    let mut app = room();
    let nothing =
        Discovery { context: "prod-use1".to_owned(), namespace: Some("default".to_owned()), ..Discovery::default() };
    app.update(Event::Offered { at: NOW, found: Ok(Box::new(nothing)) });
    let shown = text(&mut app, &look(), &[], 80, 24);
    assert!(shown.contains("Nothing was found") && shown.contains("0 looks through all"), "{shown}");
    app.update(Event::Command(Command::AllNamespaces));
    app.update(Event::Offered { at: NOW, found: Err("deployments: not allowed".to_owned()) });
    let shown = text(&mut app, &look(), &[], 80, 24);
    assert!(shown.contains("cannot be looked through: deployments: not allowed"), "{shown}");
}
