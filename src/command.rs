//! One file per command, each thin: takes what was meant, asks those who know, and returns what is to be printed.

pub mod act;
pub mod check;
pub mod config;
pub mod doctor;
pub mod rbac;
pub mod report;
pub mod runbook;
#[cfg(feature = "sim")]
pub mod sim;
pub mod told;
