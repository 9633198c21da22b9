//! `GET /sim/clock`: what time it is in the simulation. The one thing here that no Kubernetes has.

use serde_json::json;

use super::Shared;
use super::reply::Reply;

pub(super) fn answer(shared: &Shared) -> Reply {
    Reply::json(
        200,
        &json!({
            "now_ms": shared.now().0, "speed": shared.speed, "seed": shared.seed, "scenario": shared.scenario,
        }),
    )
}
