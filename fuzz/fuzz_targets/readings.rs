//! Whatever lies in a ring of readings, it is read and taken in without a panic.
//!
//! ```sh
//! cargo +nightly fuzz run readings -- -max_len=65536 -max_total_time=300
//! ```

#![no_main]

use warroom::domain::Snapshot;
use warroom::journal::readings::lines;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut snapshot = Snapshot::default();
    for observation in lines(bytes) {
        snapshot.now = snapshot.now.max(observation.at);
        snapshot.observe(observation);
    }
});
