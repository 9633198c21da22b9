//! Other choices in the founding incident, and incidents in which an undo is no remedy.

use warroom::action::card::card;
use warroom::action::{Action, Refusal};
use warroom::app::{App, Card, Stage, View};
use warroom::domain::{Helps, Verdict};
use warroom::runbook::{Check, How, Meaning, Outcome, Record};
use warroom::sim::cluster::Kind;

use crate::room::{Line, Opening, Room, scenario};

fn advised(app: &App) -> Option<&str> {
    Some(app.run()?.seen.as_ref()?.advised.as_ref()?.to.as_str())
}

fn part(card_: &Card, label: &str) -> String {
    let parts = card(card_.plan().expect("a plan"), card_.tried());
    parts.iter().find(|p| p.label == label).map(|p| p.lines.join(" ")).expect("a part of the card")
}

fn helps(room: &Room) -> Option<(Helps, &str)> {
    room.app.card()?.helps.as_ref().map(|(helps, why)| (*helps, why.as_str()))
}

fn burn(room: &Room) -> Option<Outcome> {
    let seen = room.app.run()?.seen.as_ref()?;
    seen.checks.iter().find(|c| c.check == Check::BurnShortUnderOne).map(|c| c.outcome)
}

/// The moves so far, as `from -> to`.
fn moves(room: &Room) -> Vec<(String, How)> {
    room.run().moves.iter().map(|m| (format!("{} -> {}", m.from, m.to), m.how)).collect()
}

#[test]
fn scaling_is_said_to_be_no_remedy_goes_through_what_owns_the_replicas_and_is_not_one() {
    let mut room = Room::open(&scenario("bad-rollout"), Opening::default());
    room.keys("S");
    let no_remedy = |room: &Room| helps(room).is_some_and(|(helps, why)| helps == Helps::No && why.contains("rev 42"));
    let shown = room.app.card().expect("a card");
    let Stage::Refused(Refusal::AutoscalerOwns { name, .. }) = &shown.stage else { panic!("{}", room.story()) };
    assert_eq!(name, "vllm-runtime");
    assert_eq!(shown.alternatives(), [Action::SetAutoscalerBounds { min: 4, max: 4 }]);
    assert!(no_remedy(&room), "{:?}", helps(&room));
    assert_eq!(room.writes(), Vec::<String>::new(), "what cannot be planned is not tried");
    // Its alternative is a card of its own, and it is no better for that.
    room.keys("enter");
    assert!(no_remedy(&room), "{:?}", helps(&room));
    let shown = room.app.card().expect("a card");
    assert_eq!(part(shown, "BACK"), "Taken back by: set the autoscaler's bounds to 2-3.");
    room.keys("Y");
    let hpa = "PATCH /apis/autoscaling/v2/namespaces/llm-serving/horizontalpodautoscalers/vllm-runtime";
    assert_eq!(room.calls().0, [format!("{hpa}?fieldManager=warroom&fieldValidation=Strict")]);
    assert_eq!(moves(&room), [("triage -> levers".to_owned(), How::Lever)], "stabilising works from any state");
    // It is done once the replica serves, and not when the bounds are stored.
    room.until(900.0, "the replica serves", |app| app.acting().is_some_and(|a| a.done.is_some()));
    let ready = room.look(|world| world.endpoints().iter().filter(|e| e.revision == Some(42) && e.ready).count());
    assert_eq!(ready, 4);
    room.until(60.0, "verify is recommended", |app| advised(app) == Some("verify"));
    room.keys("enter");
    assert_eq!(room.state(), "verify");
    room.until(900.0, "it is known not to be over", |app| {
        assert_ne!(advised(app), Some("resolved"));
        advised(app) == Some("triage")
    });
    assert_eq!((burn(&room), room.d().verdict), (Some(Outcome::Fail), Verdict::Breach));
    let words: Vec<&str> = room.action.iter().map(|(_, w)| w.as_str()).collect();
    assert_eq!(words, ["sent", "stored", "underway", "done", "not fixed"], "{}", room.story());
    room.keys("enter");
    assert_eq!(room.state(), "triage");
    // What stays is owed until it is taken back, which is no lever and moves nothing.
    assert_eq!(room.app.owed().len(), 1);
    room.keys("a");
    assert_eq!(room.app.items()[0].words, "take back set the autoscaler's bounds to 4-4");
    room.keys("enter");
    let shown = room.app.card().expect("a card");
    assert_eq!(
        (&shown.action, &shown.helps, &shown.caution),
        (&Action::SetAutoscalerBounds { min: 2, max: 3 }, &None, &None)
    );
    let acts = room.run().acts.len();
    room.keys("Y");
    assert_eq!((room.app.owed().len(), room.run().acts.len(), room.state()), (0, acts, "triage"));
    assert!(room.writes().last().is_some_and(|w| w.starts_with(hpa) && w.contains(r#""value":2"#)));
    let noted = room.records().iter().any(|r| matches!(r, Record::Noted { text, .. } if text.contains("take it back")));
    assert!(noted, "{}", room.story());
}

#[test]
fn waiting_ends_in_a_verify_that_fails_and_leads_back() {
    let mut room = Room::open(&scenario("bad-rollout"), Opening::default());
    room.keys("enter enter enter");
    assert_eq!(room.state(), "rollback", "it is not left by itself");
    assert!(room.was_told("a lever comes first: back to the last good revision"), "{}", room.story());
    // A way that is not recommended asks for a reason.
    room.keys("> enter enter");
    assert!(room.was_told("a reason is needed"), "{}", room.story());
    room.types("it looks better already");
    room.keys("enter");
    assert_eq!(room.state(), "verify");
    assert_eq!(moves(&room).last(), Some(&("rollback -> verify".to_owned(), How::Chosen)));
    assert_eq!(room.run().moves.last().map(|m| m.reason.as_str()), Some("it looks better already"));
    room.keys("esc enter enter");
    assert_eq!(room.state(), "verify", "nothing but the objective opens the way out");
    let entered = room.now();
    room.until(900.0, "it is known not to be over", |app| {
        assert_ne!(advised(app), Some("resolved"));
        advised(app) == Some("triage")
    });
    assert!(room.now().since(entered) >= 300.0, "the short window is given its time");
    room.keys("enter");
    assert_eq!((room.state(), room.run().ended), ("triage", false));
    assert_eq!(room.writes(), Vec::<String>::new());
    assert_eq!(room.run().times.verified, None);
}

#[test]
fn a_harmless_deploy_leads_away_from_the_rollback() {
    let mut room = Room::open(&scenario("innocent-deploy"), Opening::default());
    room.keys("U");
    let (helps, why) = helps(&room).expect("it says whether it helps");
    assert!(helps == Helps::No && why.contains("rev 42 is not why"), "{why}");
    room.keys("esc");
    for _ in 0..10 {
        room.keys("enter");
        assert_ne!(room.state(), "rollback");
        assert_ne!(advised(&room.app), Some("rollback"));
        room.pass(30.0);
    }
    let went: Vec<String> = moves(&room).into_iter().map(|(m, _)| m).collect();
    assert_eq!(went, ["triage -> prefill", "prefill -> levers"], "{}", room.story());
    // A replica that was added since is no part of that rollout.
    let ready = room.look(|world| world.endpoints().iter().filter(|e| e.revision == Some(42) && e.ready).count());
    assert_eq!(ready, 3, "the autoscaler has added one");
    room.keys("U");
    assert!(self::helps(&room).is_some_and(|(_, why)| why.contains("rev 42 is not why")), "{:?}", self::helps(&room));
    assert_eq!(room.calls().0, Vec::<String>::new());
}

#[test]
fn a_hot_gpu_leads_to_the_hardware_and_its_node_is_cordoned_through_the_gate() {
    let mut room = Room::open(&scenario("thermal"), Opening::default());
    assert_eq!(advised(&room.app), Some("hardware"));
    room.keys("enter");
    assert_eq!((room.state(), advised(&room.app)), ("hardware", Some("diverted")));
    room.keys("a enter");
    let shown = room.app.card().expect("a card");
    assert_eq!(shown.action, Action::CordonNode { node: "gpu-a-1".to_owned(), cordoned: true });
    assert_eq!(helps(&room).map(|(helps, _)| helps), Some(Helps::Yes));
    assert_eq!(part(shown, "WHERE").split(" of ").next(), Some("Node/gpu-a-1"));
    room.keys("Y");
    let node = "PATCH /api/v1/nodes/gpu-a-1";
    assert_eq!(room.calls().0, [format!("{node}?fieldManager=warroom&fieldValidation=Strict")]);
    let cordoned = |room: &Room| {
        let nodes = room.look(|world| world.objects(Kind::Node));
        let on: Vec<String> = nodes
            .iter()
            .filter(|n| n["spec"]["unschedulable"] == true)
            .filter_map(|n| Some(n["metadata"]["name"].as_str()?.to_owned()))
            .collect();
        on.join(" ")
    };
    assert_eq!(cordoned(&room), "gpu-a-1");
    room.pass(10.0);
    assert_eq!(room.state(), "hardware", "the state's own lever moves nothing");
    while room.app.view() != View::Main {
        room.keys("esc");
    }
    room.keys("enter");
    let last = room.run().moves.last().expect("a move");
    assert_eq!(
        (last.to.as_str(), last.divert.as_deref(), last.means),
        ("diverted", Some("RB-8"), Some(Meaning::Diverted))
    );
    assert!(room.run().ended);
    // What was done stays owed beyond the end, and taking it back begins no new incident.
    let begun = |room: &Room| room.lines.iter().filter(|l| matches!(l, Line::Begun(_))).count();
    room.keys("c");
    room.types("the fan tray is replaced");
    room.keys("enter a");
    assert_eq!(begun(&room), 1, "what is noted after the end belongs to what is over");
    assert_eq!(room.app.items()[0].words, "take back cordon gpu-a-1");
    room.keys("enter Y");
    assert_eq!((cordoned(&room).as_str(), room.app.owed().len(), begun(&room)), ("", 0, 1), "{}", room.story());
    assert_eq!(room.state(), "diverted");
    room.pass(10.0);
    // The node's own runbook came to its end: on from where one came from.
    while room.app.view() != View::Main {
        room.keys("esc");
    }
    room.keys("b");
    let back = room.app.items().iter().position(|item| item.key == "to verify").expect("a way back");
    for _ in 0..back {
        room.keys("down");
    }
    room.keys("enter");
    assert_eq!((room.state(), room.run().ended), ("verify", false), "{}", room.story());
}
