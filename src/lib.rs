//! `warroom` finds out where the time of a slow LLM endpoint goes.

pub mod cli;
pub mod clock;
pub mod command;
pub mod config;
pub mod contract;
pub mod decode;
pub mod diagnosis;
pub mod dialect;
pub mod domain;
pub mod report;
pub mod runtime;
pub mod source;
pub mod text;
pub mod ui;
