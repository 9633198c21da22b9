//! What the program talks about, and nothing about where it came from.

mod failure;

pub use failure::Failure;
