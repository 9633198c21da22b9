//! `warroom` finds out where the time of a slow LLM endpoint goes.

pub mod command;
pub mod config;
pub mod decode;
pub mod domain;
pub mod source;
pub mod ui;
