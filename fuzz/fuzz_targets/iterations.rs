//! Whatever arrives as a list of iterations, the reader does not panic, and what it says can be said.
//!
//! ```sh
//! cargo +nightly fuzz run iterations -- -max_len=4096 -max_total_time=300
//! ```
//!
//! The corpus beside this folder is replayed by `cargo test` too.

#![no_main]

#[path = "../../tests/dialects/iterations/invariants.rs"]
mod invariants;

libfuzzer_sys::fuzz_target!(|page: &[u8]| invariants::check(page));
