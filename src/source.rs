//! One task per source: fetches, and turns what came back into domain values. Sources do not know each other.

pub mod engine;
pub mod kubernetes;
pub mod logs;
pub mod pages;
pub mod poll;
pub mod probe;
pub mod prometheus;
