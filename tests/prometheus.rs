//! What a Prometheus tells beside what is watched. Against the real server, which holds three days that a test wrote or
//! scrapes a simulated cluster; against servers that lie; and against some that are found in a cluster.

#[cfg(feature = "sim")]
#[path = "support/monitored.rs"]
mod monitored;
#[allow(dead_code, reason = "each test file uses a part of it")]
#[path = "support/program.rs"]
mod program;
#[allow(dead_code, reason = "each test file uses a part of it")]
#[path = "support/served.rs"]
mod served;
#[cfg(feature = "sim")]
#[path = "support/sim.rs"]
mod sim;

#[cfg(feature = "sim")]
#[path = "prometheus/beside.rs"]
mod beside;
#[cfg(feature = "sim")]
#[path = "prometheus/fleet.rs"]
mod fleet;
#[cfg(feature = "sim")]
#[path = "prometheus/found.rs"]
mod found;
#[path = "prometheus/server.rs"]
mod server;
#[path = "prometheus/told.rs"]
mod told;
