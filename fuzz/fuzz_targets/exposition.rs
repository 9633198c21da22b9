//! Whatever arrives as a page, the reader neither panics nor contradicts itself.
//!
//! The corpus beside this folder has one file per known trap and is replayed by `cargo test` too.  To look for more
//! (needs a nightly toolchain and `cargo install cargo-fuzz`):
//!
//! ```sh
//! cargo +nightly fuzz run exposition -- -dict=fuzz/exposition.dict -max_len=4096 -max_total_time=300
//! ```
//!
//! What it finds goes into the corpus, under a name that says what it is.

#![no_main]

#[path = "../../tests/exposition/invariants.rs"]
mod invariants;

libfuzzer_sys::fuzz_target!(|page: &[u8]| invariants::check(page));
