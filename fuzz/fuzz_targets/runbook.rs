//! Whatever a runbook's file says, it makes a runbook that can be drawn, or is refused with a line.
//!
//! ```sh
//! cargo +nightly fuzz run runbook -- -max_len=4096 -max_total_time=300
//! ```

#![no_main]

use warroom::runbook::{Catalogue, draw};

libfuzzer_sys::fuzz_target!(|text: &str| {
    match Catalogue::default().read("fuzzed.toml", text) {
        Ok(runbook) => assert!(!draw(&runbook, true).is_empty()),
        Err(error) => assert!(!error.problems.is_empty()),
    }
});
