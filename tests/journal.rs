//! The record of an incident: what is on disk whatever happens, who may write it, and what a report makes of it.

#[path = "support/incident.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod incident;
#[path = "support/program.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod program;
#[path = "support/screen.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod screen;

#[path = "journal/disk.rs"]
mod disk;
#[path = "journal/hostile.rs"]
mod hostile;
#[path = "journal/report.rs"]
mod report;
#[path = "journal/told.rs"]
mod told;
