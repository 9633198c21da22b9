//! The levers and the gate before them, told on the founding incident's objects.

#[path = "support/founding.rs"]
mod founding;

#[path = "action/card.rs"]
mod card;
#[path = "action/gate.rs"]
mod gate;
#[path = "action/others.rs"]
mod others;
#[path = "action/progress.rs"]
mod progress;
#[path = "action/scale.rs"]
mod scale;
#[path = "action/undo.rs"]
mod undo;

use founding::Founding;
use warroom::action::{Action, Context, Plan, Refusal, plan};

fn context() -> Context {
    Context { who: "alice".into(), incident: Some("INC-1".into()) }
}

/// The plan on these objects.
fn planned(world: &Founding, action: &Action) -> Plan {
    plan(&world.snapshot(), action, &context()).map_err(|refusal| refusal.to_string()).expect("a plan")
}

/// Why there is no plan.
fn refused(world: &Founding, action: &Action) -> Refusal {
    match plan(&world.snapshot(), action, &context()) {
        Err(refusal) => refusal,
        Ok(plan) => unreachable!("planned: {}", plan.title),
    }
}
