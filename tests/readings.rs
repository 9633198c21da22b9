//! The ring of readings beside a record: what was observed is what is seen again, whatever became of the disk.

#![cfg(feature = "sim")]

#[path = "support/incident.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod incident;
#[path = "support/lab.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod lab;

#[path = "readings/fold.rs"]
mod fold;
#[path = "readings/hostile.rs"]
mod hostile;
#[path = "readings/ring.rs"]
mod ring;
#[path = "readings/told.rs"]
mod told;
