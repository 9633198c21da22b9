//! The exact calls that reach an API server, and what is made of its answers; each fault once.
#![cfg(feature = "sim")]

#[path = "support/founding.rs"]
mod founding;
#[path = "support/writes.rs"]
mod writes;

use std::time::Duration;

use founding::{Founding, NOW};
use serde_json::{Value, json};
use warroom::action::guard::{Approved, Confirmation, Guard, Pending, Policy};
use warroom::action::{Action, Context, Outcome, Permission, Plan, Seen, plan};
use warroom::apiserver::connect;
use warroom::clock::Clock;
use warroom::cluster::{Patience, Performer};
use writes::{Call, Fault, Server};

const OBJECT: &str = "/apis/apps/v1/namespaces/llm-serving/deployments/vllm-runtime";

fn performer(server: &Server) -> Performer {
    let config = kube::Config::new(server.url().parse().expect("a URL"));
    let client = connect::client(config).expect("a client");
    let patience = Patience {
        write: Duration::from_millis(300),
        settled: Duration::from_millis(600),
        read: Duration::from_millis(300),
        pause: Duration::from_millis(20),
    };
    Performer::with_patience(client, Clock::simulated(NOW.0, 1.0), patience)
}

fn planned(world: &Founding, action: &Action) -> Plan {
    let context = Context { who: "alice".into(), incident: None };
    plan(&world.snapshot(), action, &context).expect("a plan")
}

fn guard() -> Guard {
    Guard::new(Policy { read_only: false, ..Policy::default() })
}

/// The card, after a dry run against this server.
async fn card(performer: &Performer, plan: Plan) -> Pending {
    let proposed = guard().review(plan).expect("may be tried");
    let trial = performer.dry_run(&proposed).await;
    proposed.tried(trial).map_err(|denial| denial.to_string()).expect("a trial that was taken")
}

/// The permission, as if somebody had read the card and pressed the key.
fn approved(world: &Founding, mut card: Pending) -> Approved {
    let mut snapshot = world.snapshot();
    let at = card.tried();
    card.painted(at.plus(0.1));
    snapshot.now = at.plus(1.0);
    guard().approve(card, &Confirmation { at: at.plus(0.5), typed: None }, &snapshot).expect("approved")
}

/// What comes of `action` when the real request meets this fault.
async fn meeting(fault: Fault, action: &Action) -> (Outcome, Vec<Call>) {
    let world = Founding::default();
    let server = Server::start(world.workload.clone());
    let performer = performer(&server);
    let card = card(&performer, planned(&world, action)).await;
    server.clear();
    server.next_write(fault);
    let performed = performer.apply(approved(&world, card)).await;
    (performed.outcome, server.calls())
}

fn patches(calls: &[Call]) -> usize {
    calls.iter().filter(|c| c.method == "PATCH").count()
}

#[tokio::test]
async fn an_undo_is_a_review_a_dry_run_and_the_same_bytes_once() {
    let world = Founding::default();
    let server = Server::start(world.workload.clone());
    let performer = performer(&server);
    let plan = planned(&world, &Action::undo());
    let bytes = plan.request.body.clone();
    let card = card(&performer, plan).await;
    assert_eq!(*card.permission(), Permission::Allowed);
    assert_eq!(card.answer().object["spec"]["template"], founding::template(256, None), "as it would be");
    assert_eq!(server.object()["spec"]["template"], founding::template(512, None), "and nothing is stored");
    let performed = performer.apply(approved(&world, card)).await;
    assert!(matches!(performed.outcome, Outcome::Applied(_)), "{}", performed.outcome);
    assert_eq!(server.object()["spec"]["template"], founding::template(256, None));

    let calls = server.calls();
    let told: Vec<String> = calls.iter().map(|c| format!("{} {}", c.method, c.target)).collect();
    assert_eq!(
        told,
        [
            "POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews".to_owned(),
            format!("PATCH {OBJECT}?fieldManager=warroom&fieldValidation=Strict&dryRun=All"),
            format!("PATCH {OBJECT}?fieldManager=warroom&fieldValidation=Strict"),
        ]
    );
    assert_eq!((&calls[1].body, &calls[2].body), (&bytes, &bytes));
    assert!(calls[1..].iter().all(|c| c.content_type == "application/json-patch+json"));
    assert!(calls.iter().all(|c| c.user_agent.starts_with("warroom/")));
    let asked: Value = serde_json::from_str(&calls[0].body).expect("JSON");
    assert_eq!(
        asked["spec"]["resourceAttributes"],
        json!({"verb": "patch", "group": "apps", "resource": "deployments", "subresource": "",
            "namespace": "llm-serving", "name": "vllm-runtime"})
    );
}

#[tokio::test]
async fn a_scale_goes_to_the_scale() {
    let world = Founding::default();
    let server = Server::start(world.workload.clone());
    let performer = performer(&server);
    let card = card(&performer, planned(&world, &Action::Scale { to: 4 })).await;
    let performed = performer.apply(approved(&world, card)).await;
    assert!(matches!(performed.outcome, Outcome::Applied(_)), "{}", performed.outcome);
    assert_eq!(server.object()["spec"]["replicas"], 4);
    let last = server.calls().pop().expect("a call");
    assert_eq!(last.target, format!("{OBJECT}/scale?fieldManager=warroom&fieldValidation=Strict"));
}

#[tokio::test]
async fn where_it_is_not_allowed_nothing_is_even_tried() {
    let world = Founding::default();
    let server = Server::start(world.workload.clone());
    server.deny();
    let proposed = guard().review(planned(&world, &Action::undo())).expect("may be tried");
    let trial = performer(&server).dry_run(&proposed).await;
    let denial = proposed.tried(trial).expect_err("denied").to_string();
    assert_eq!(denial, "not allowed: 'patch deployments.apps' is missing (RBAC says no)");
    assert_eq!(patches(&server.calls()), 0);
}

#[tokio::test]
async fn of_two_operators_one_wins_and_the_other_is_told_who() {
    let world = Founding::default();
    let server = Server::start(world.workload.clone());
    let performer = performer(&server);
    let card = card(&performer, planned(&world, &Action::undo())).await;
    server.change(|object| {
        object["spec"]["template"] = founding::template(128, None);
        object["metadata"]["annotations"]["kubernetes.io/change-cause"] = json!("warroom undo to r40 by bob");
        object["metadata"]["managedFields"] =
            json!([{"manager": "warroom", "operation": "Update", "time": "2026-06-08T03:14:06Z"}]);
    });
    let performed = performer.apply(approved(&world, card)).await;
    let Outcome::Moved { differs, by } = &performed.outcome else { panic!("{}", performed.outcome) };
    assert!(differs.iter().any(|d| d.contains("\"128\"")), "{differs:?}");
    assert_eq!(by.as_deref(), Some("'warroom' at 2026-06-08T03:14:06Z: warroom undo to r40 by bob"));
    assert_eq!(server.object()["spec"]["template"], founding::template(128, None));
    assert_eq!(performed.outcome.changed(), Some(false));
}

#[tokio::test]
async fn an_object_that_was_made_anew_is_not_touched() {
    let world = Founding::default();
    let server = Server::start(world.workload.clone());
    let performer = performer(&server);
    let card = card(&performer, planned(&world, &Action::Scale { to: 4 })).await;
    server.change(|object| object["metadata"]["uid"] = json!("d-2"));
    let performed = performer.apply(approved(&world, card)).await;
    assert_eq!(
        performed.outcome.to_string(),
        "not done: it is not what was shown any more: it is another object of the same name"
    );
}

#[tokio::test]
async fn each_refusal_is_told_as_what_it_is_and_nothing_is_sent_twice() {
    let undo = Action::undo();
    let cases = [
        (
            Fault::status(409, "the object has been modified"),
            "somebody else writes to it (the object has been modified)",
        ),
        (Fault::status(403, "deployments.apps is forbidden"), "not allowed: deployments.apps is forbidden"),
        (
            Fault::status(400, "admission webhook \"v.k\" denied the request: no"),
            "not allowed: admission webhook \"v.k\" denied",
        ),
        (Fault::status(422, "spec.selector: Invalid value"), "it would not be valid: spec.selector: Invalid value"),
        (Fault::status(404, "deployments.apps not found"), "it does not exist any more"),
        (Fault::status(401, "Unauthorized"), "log in again: Unauthorized"),
        (Fault::status(429, "too many requests"), "too busy: too many requests"),
        (Fault::status(415, "unsupported"), "answers HTTP 415: unsupported"),
    ];
    for (fault, phrase) in cases {
        let (outcome, calls) = meeting(fault, &undo).await;
        let told = outcome.to_string();
        assert!(told.contains("not done") && told.contains(phrase), "'{told}' does not say '{phrase}'");
        assert_eq!((patches(&calls), outcome.changed()), (1, Some(false)), "{told}");
    }
}

#[tokio::test]
async fn a_lost_answer_is_read_again_and_told_as_it_is() {
    // The write was lost, or it was stored and its answer was lost: only reading tells.
    let lost =
        [Fault::status(503, "no"), Fault::status(504, "late"), Fault::status(500, "etcd"), Fault::Hang, Fault::Reset];
    for fault in lost {
        for stored in [false, true] {
            for action in [Action::undo(), Action::Scale { to: 4 }] {
                let fault = if stored { fault.clone().after_storing() } else { fault.clone() };
                let name = format!("{fault:?} {action}");
                let (outcome, calls) = meeting(fault, &action).await;
                let Outcome::Unknown { seen, .. } = &outcome else { panic!("{name}: {outcome}") };
                assert_eq!(patches(&calls), 1, "{name}");
                match seen {
                    Seen::Done { ours } => assert!(stored && *ours != Some(false), "{name}"),
                    Seen::NotDone => assert!(!stored, "{name}"),
                    other => panic!("{name}: {other}"),
                }
                assert_eq!(outcome.changed(), Some(stored), "{name}");
            }
        }
    }
}

#[tokio::test]
async fn what_is_stored_late_is_waited_for() {
    let world = Founding::default();
    let server = Server::start(world.workload.clone());
    let performer = performer(&server);
    let card = card(&performer, planned(&world, &Action::undo())).await;
    // The client gives up after 300 ms, and the server stores it after 450.
    server.next_write(Fault::StoreLate(Duration::from_millis(450)));
    let performed = performer.apply(approved(&world, card)).await;
    assert!(
        matches!(performed.outcome, Outcome::Unknown { seen: Seen::Done { ours: Some(true) }, .. }),
        "{}",
        performed.outcome
    );
}

#[tokio::test]
async fn a_server_that_is_gone_altogether_leaves_it_unknown_or_unsent() {
    let world = Founding::default();
    let server = Server::start(world.workload.clone());
    let performer = performer(&server);
    let card = card(&performer, planned(&world, &Action::undo())).await;
    server.next_write(Fault::Die);
    let performed = performer.apply(approved(&world, card)).await;
    let told = performed.outcome.to_string();
    assert!(matches!(performed.outcome, Outcome::Unknown { seen: Seen::NotRead(_), .. }), "{told}");
    assert!(told.contains("look before anything else is done"), "{told}");
    assert_eq!(performed.outcome.changed(), None);
}

#[tokio::test]
async fn a_dry_run_that_fails_stores_nothing_and_says_why() {
    let world = Founding::default();
    let cases = [
        (Fault::status(400, "admission webhook \"m.k\" does not support dry run"), "does not support dry run"),
        (Fault::status(503, "overloaded"), "HTTP 503: overloaded"),
        (Fault::Hang, "does not answer in time"),
        (Fault::Reset, "not done"),
        (Fault::status(422, "testing value /spec/template failed: test failed"), "not what was shown any more"),
    ];
    for (fault, phrase) in cases {
        let server = Server::start(world.workload.clone());
        let performer = performer(&server);
        server.next_write(fault);
        let proposed = guard().review(planned(&world, &Action::undo())).expect("may be tried");
        let trial = performer.dry_run(&proposed).await;
        let denial = proposed.tried(trial).expect_err("denied").to_string();
        assert!(
            denial.starts_with("the dry run failed") && denial.contains(phrase),
            "'{denial}' does not say '{phrase}'"
        );
        assert_eq!((patches(&server.calls()), server.object()), (1, world.workload.clone()));
    }
}

#[tokio::test]
async fn what_a_webhook_changes_and_what_the_server_warns_of_is_on_the_card() {
    let world = Founding::default();
    let server = Server::start(world.workload.clone());
    server.mutate(|object| object["spec"]["template"]["spec"]["priorityClassName"] = json!("injected"));
    server.warn("299 - \"unknown field \\\"x\\\"\"");
    let card = card(&performer(&server), planned(&world, &Action::undo())).await;
    let unexpected: Vec<String> = card.answer().unexpected.iter().map(ToString::to_string).collect();
    assert!(unexpected.iter().any(|l| l.contains("priorityClassName: injected")), "{unexpected:?}");
    assert_eq!(card.answer().warnings, ["unknown field \"x\""]);
}

#[tokio::test]
async fn after_a_crash_the_object_says_whether_it_was_done() {
    let world = Founding::default();
    let server = Server::start(world.workload.clone());
    let performer = performer(&server);
    let plan = planned(&world, &Action::undo());
    assert_eq!(performer.reread(&plan).await, Seen::NotDone);
    let card = card(&performer, plan.clone()).await;
    performer.apply(approved(&world, card)).await;
    assert_eq!(performer.reread(&plan).await, Seen::Done { ours: Some(true) });
}
