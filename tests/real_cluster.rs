//! A real kube-apiserver beside the simulated one, and beside kubectl. What the real one does is right.
#![cfg(feature = "sim")]

#[path = "support/differing.rs"]
mod differing;
#[allow(dead_code, reason = "each test file uses a part of it")]
#[path = "support/program.rs"]
mod program;
#[path = "support/pulled.rs"]
mod pulled;
#[path = "support/real.rs"]
mod real;
#[path = "support/sim.rs"]
mod sim;

#[path = "real_cluster/asked.rs"]
mod asked;
#[path = "real_cluster/contract.rs"]
mod contract;
#[path = "real_cluster/cost.rs"]
mod cost;
#[path = "real_cluster/faults.rs"]
mod faults;
#[path = "real_cluster/forward.rs"]
mod forward;
#[path = "real_cluster/levers.rs"]
mod levers;
#[path = "real_cluster/rights.rs"]
mod rights;
#[path = "real_cluster/scale.rs"]
mod scale;
#[path = "real_cluster/undo.rs"]
mod undo;
#[path = "real_cluster/way.rs"]
mod way;
