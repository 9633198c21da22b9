//! The serving model: it behaves as real engines do, and its symptoms follow from causes.

#![cfg(feature = "sim")]
#![expect(clippy::panic, reason = "a helper of a test fails the test")]

#[path = "sim_serving/captures.rs"]
mod captures;
#[path = "sim_serving/fleet.rs"]
mod fleet;
#[path = "sim_serving/scenarios.rs"]
mod scenarios;
