//! A lever pulled as the program pulls it: tried, shown, confirmed, approved, performed.

use warroom::action::Plan;
use warroom::action::guard::{Confirmation, Guard, Policy};
use warroom::cluster::{Performed, Performer};
use warroom::domain::Snapshot;

/// Performs a plan. `then` is what is known once its card was looked at, at whatever moment: it is judged a second after
/// the confirmation.
pub(crate) async fn pulled(plan: Plan, performer: &Performer, then: impl Future<Output = Snapshot>) -> Performed {
    let guard = Guard::new(Policy { read_only: false, ..Policy::default() });
    let proposed = guard.review(plan).expect("may be tried");
    let trial = performer.dry_run(&proposed).await;
    let mut card = proposed.tried(trial).map_err(|denial| denial.to_string()).expect("a card");
    assert!(card.answer().unexpected.is_empty(), "{:?}", card.answer().unexpected);
    let at = card.tried();
    card.painted(at);
    let mut snapshot = then.await;
    snapshot.now = at.plus(2.0);
    let confirmation = Confirmation { at: at.plus(1.0), typed: None };
    let approved = guard.approve(card, &confirmation, &snapshot).expect("approved");
    performer.apply(approved).await
}
