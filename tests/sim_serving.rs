//! The serving model: it behaves as real engines do, and its symptoms follow from causes.

#[path = "sim_serving/captures.rs"]
mod captures;
#[path = "sim_serving/fleet.rs"]
mod fleet;
#[path = "sim_serving/scenarios.rs"]
mod scenarios;
