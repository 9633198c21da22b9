//! Runbooks: what a file may say, what checks say, and how a run walks.

#[path = "support/incident.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod incident;
#[path = "support/screen.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod screen;

#[path = "runbook/commands.rs"]
mod commands;
#[path = "runbook/files.rs"]
mod files;
#[path = "support/program.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod program;
#[path = "runbook/rb_6.rs"]
mod rb_6;
#[path = "runbook/run.rs"]
mod run;
#[path = "runbook/told.rs"]
mod told;
#[path = "runbook/verify.rs"]
mod verify;
