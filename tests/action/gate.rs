//! The gate: each step, each way in which it stays shut, and random sequences of steps.

use proptest::prelude::*;
use serde_json::json;
use warroom::action::guard::{Approved, Confirm, Confirmation, Denial, Guard, Pending, Policy, Proposed};
use warroom::action::{Action, Answer, Outcome, Permission, Plan, Trial};
use warroom::domain::At;

use super::founding::{Founding, NOW};
use super::planned;

fn writing() -> Policy {
    Policy { read_only: false, ..Policy::default() }
}

fn tried(plan: &Plan) -> Trial {
    let permission = Permission::Allowed;
    Trial { at: NOW, sent: plan.request.clone(), permission, result: Ok(Answer::default()) }
}

fn key(after_s: f64) -> Confirmation {
    Confirmation { at: NOW.plus(after_s), typed: None }
}

fn pending(guard: &Guard, plan: Plan) -> Pending {
    let trial = tried(&plan);
    guard.review(plan).and_then(|p| p.tried(trial)).expect("a card")
}

/// What comes of a confirmation two seconds after the dry run.
#[expect(clippy::result_large_err, reason = "a card that was refused comes back as it was")]
fn confirmed(guard: &Guard, pending: Pending, with: &Confirmation) -> Result<Approved, (Denial, Option<Pending>)> {
    let mut snapshot = Founding::default().snapshot();
    snapshot.now = NOW.plus(2.0);
    guard.approve(pending, with, &snapshot).map_err(|e| (e.why, e.card))
}

fn undo() -> Plan {
    planned(&Founding::default(), &Action::undo())
}

#[test]
fn a_plan_that_was_tried_shown_and_confirmed_is_approved_with_its_bytes() {
    let guard = Guard::new(writing());
    let plan = undo();
    let bytes = plan.request.clone();
    let mut pending = pending(&guard, plan);
    pending.painted(NOW.plus(0.5));
    let approved = confirmed(&guard, pending, &key(1.5)).expect("approved");
    assert_eq!(approved.into_request().1, bytes);
}

#[test]
fn read_only_has_no_way_round() {
    assert!(Policy::default().read_only, "it is what nobody decided against");
    let guard = Guard::new(Policy { read_only: true, ..writing() });
    assert_eq!(guard.review(undo()).expect_err("denied"), Denial::ReadOnly);
    // Not even with a card that another guard made.
    let mut pending = pending(&Guard::new(writing()), undo());
    pending.painted(NOW.plus(0.5));
    let (denial, left) = confirmed(&guard, pending, &key(1.5)).expect_err("denied");
    assert!(denial == Denial::ReadOnly && left.is_none());
}

#[test]
fn keys_from_before_the_card_was_painted_do_not_count() {
    let guard = Guard::new(writing());
    let (denial, left) = confirmed(&guard, pending(&guard, undo()), &key(1.0)).expect_err("never painted");
    assert_eq!(denial, Denial::NotSeen);
    let mut card = left.expect("the card stays");
    card.painted(NOW.plus(1.0));
    card.painted(NOW.plus(0.1));
    let (denial, left) = confirmed(&guard, card, &key(1.0)).expect_err("as it was painted");
    assert_eq!(denial, Denial::NotSeen);
    let (denial, left) = confirmed(&guard, left.expect("stays"), &key(9.0)).expect_err("from the future");
    assert_eq!(denial, Denial::NotSeen);
    assert!(confirmed(&guard, left.expect("stays"), &key(1.2)).is_ok());
}

#[test]
fn a_protected_context_and_a_change_that_will_be_taken_back_need_the_name() {
    let protected = Guard::new(Policy { protected: vec!["prod-*".into()], ..writing() });
    let mut card = pending(&protected, undo());
    assert_eq!(card.confirm(), Confirm::Name);
    card.painted(NOW.plus(0.5));
    let (denial, left) = confirmed(&protected, card, &key(1.0)).expect_err("a key is not enough");
    assert_eq!(denial, Denial::NameNeeded { name: "vllm-runtime".into() });
    let typed = |name: &str| Confirmation { typed: Some(name.into()), ..key(1.0) };
    let (_, left) = confirmed(&protected, left.expect("stays"), &typed("vllm-runtim")).expect_err("nearly");
    assert!(confirmed(&protected, left.expect("stays"), &typed("vllm-runtime")).is_ok());

    let mut world = Founding::default();
    world.workload["metadata"]["labels"] = json!({"kustomize.toolkit.fluxcd.io/name": "serving"});
    let guard = Guard::new(writing());
    assert_eq!(pending(&guard, planned(&world, &Action::undo())).confirm(), Confirm::Name);
    assert_eq!(pending(&guard, undo()).confirm(), Confirm::Key);
}

#[test]
fn other_bytes_a_denial_and_a_failed_dry_run_lead_nowhere() {
    let guard = Guard::new(writing());
    let proposed = || guard.review(undo()).expect("may be tried");
    let mut other = tried(&undo());
    other.sent.body.push(' ');
    assert_eq!(proposed().tried(other).expect_err("denied"), Denial::OtherBytes);
    let denied =
        Trial { permission: Permission::Denied("'patch deployments.apps' is missing".into()), ..tried(&undo()) };
    assert!(matches!(proposed().tried(denied), Err(Denial::NotAllowed { .. })));
    let outcome = Outcome::Moved { differs: vec!["replicas".into()], by: None };
    let failed = Trial { result: Err(outcome.clone()), ..tried(&undo()) };
    assert_eq!(proposed().tried(failed).expect_err("denied"), Denial::DryRun { outcome: Box::new(outcome) });
    let unsure = Trial { permission: Permission::Unknown("no reviews here".into()), ..tried(&undo()) };
    assert!(proposed().tried(unsure).is_ok(), "the dry run itself was allowed");
}

#[test]
fn a_card_that_is_old_or_not_true_any_more_is_worth_nothing() {
    let guard = Guard::new(writing());
    let card = || {
        let mut card = pending(&guard, undo());
        card.painted(NOW.plus(0.5));
        card
    };
    let mut late = Founding::default().snapshot();
    late.now = NOW.plus(121.0);
    let refused = guard.approve(card(), &key(120.5), &late).expect_err("too late");
    assert!(matches!(refused.why, Denial::Expired { .. }) && refused.card.is_none());
    let mut world = Founding::default();
    world.workload["spec"]["template"] = super::founding::template(256, None);
    let mut moved = world.snapshot();
    moved.now = NOW.plus(2.0);
    let refused = guard.approve(card(), &key(1.0), &moved).expect_err("moved");
    assert!(matches!(&refused.why, Denial::Moved { .. }) && refused.card.is_none());
}

#[test]
fn a_step_in_scale_that_is_too_far_is_denied() {
    let guard = Guard::new(Policy { max_scale_step: Some(2), ..writing() });
    let far = guard.review(planned(&Founding::default(), &Action::Scale { to: 6 }));
    assert_eq!(far.expect_err("denied"), Denial::TooFar { step: 3, most: 2 });
    assert!(guard.review(planned(&Founding::default(), &Action::Scale { to: 5 })).is_ok());
}

/// What somebody, or chance, does next.
#[derive(Debug, Clone)]
enum Step {
    Review,
    Try { same_bytes: bool, allowed: bool, accepted: bool },
    Paint,
    Confirm { after_ms: i64, typed: Option<bool> },
    Wait(i64),
    Move(bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => Just(Step::Review),
        4 => (prop::bool::weighted(0.9), prop::bool::weighted(0.9), prop::bool::weighted(0.9))
            .prop_map(|(same_bytes, allowed, accepted)| Step::Try { same_bytes, allowed, accepted }),
        3 => Just(Step::Paint),
        4 => (-5_000_i64..1, prop::option::of(any::<bool>()))
            .prop_map(|(after_ms, typed)| Step::Confirm { after_ms, typed }),
        2 => (0_i64..60_000).prop_map(Step::Wait),
        1 => prop::bool::weighted(0.3).prop_map(Step::Move),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// A small model beside the gate: it is open exactly where every step was taken, in order, and in time.
    #[test]
    fn nothing_is_approved_unless_every_step_was_taken(
        read_only in prop::bool::weighted(0.2),
        protected in any::<bool>(),
        steps in prop::collection::vec(step(), 1..40),
    ) {
        let protected_contexts = if protected { vec!["prod-use1".to_owned()] } else { Vec::new() };
        let guard = Guard::new(Policy { read_only, protected: protected_contexts, ..writing() });
        let plan = undo();
        let still = Founding::default().snapshot();
        let mut other = Founding::default();
        other.workload["spec"]["template"] = super::founding::template(64, None);
        let other = other.snapshot();
        let (mut now, mut moved) = (NOW, false);
        let (mut proposed, mut card): (Option<Proposed>, Option<Pending>) = (None, None);
        let (mut model_tried, mut model_painted): (Option<At>, Option<At>) = (None, None);
        for step in steps {
            match step {
                Step::Review => match guard.review(plan.clone()) {
                    Ok(p) => { prop_assert!(!read_only); proposed = Some(p); }
                    Err(denial) => prop_assert!(read_only && denial == Denial::ReadOnly),
                },
                Step::Try { same_bytes, allowed, accepted } => if let Some(p) = proposed.take() {
                    let mut trial = Trial { at: now, ..tried(&plan) };
                    if !same_bytes { trial.sent.body.push(' '); }
                    if !allowed { trial.permission = Permission::Denied("no".into()); }
                    if !accepted { trial.result = Err(Outcome::Denied("no".into())); }
                    let result = p.tried(trial);
                    prop_assert_eq!(result.is_ok(), same_bytes && allowed && accepted);
                    if let Ok(pending) = result {
                        (card, model_tried, model_painted) = (Some(pending), Some(now), None);
                    }
                },
                Step::Paint => if let Some(pending) = &mut card {
                    pending.painted(now);
                    model_painted = model_painted.or(Some(now));
                },
                Step::Confirm { after_ms, typed } => if let Some(pending) = card.take() {
                    let name = typed.map(|right| if right { "vllm-runtime" } else { "vllm" }.to_owned());
                    let confirmation = Confirmation { at: At(now.0 + after_ms), typed: name };
                    let mut snapshot = if moved { other.clone() } else { still.clone() };
                    snapshot.now = now;
                    let fresh = model_tried.is_some_and(|t| now.since(t) <= guard.policy().expires_s);
                    let seen = model_painted.is_some_and(|p| confirmation.at > p);
                    let named = !protected || typed == Some(true);
                    match guard.approve(pending, &confirmation, &snapshot) {
                        Ok(approved) => {
                            prop_assert!(!read_only && fresh && seen && named && !moved);
                            prop_assert_eq!(approved.into_request().1, plan.request.clone());
                        }
                        Err(refused) => {
                            prop_assert!(!(!read_only && fresh && seen && named && !moved));
                            card = refused.card;
                        }
                    }
                },
                Step::Wait(ms) => now = At(now.0 + ms),
                Step::Move(to) => moved = to,
            }
        }
    }
}
