//! Whatever lies in an incident's file, it is read, restored and reported without a panic.
//!
//! ```sh
//! cargo +nightly fuzz run record -- -max_len=8192 -max_total_time=300
//! ```

#![no_main]

use warroom::contract::record::parse;
use warroom::report::incident::{Incident, html, json, markdown};
use warroom::runbook::Run;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let contents = parse(bytes);
    let _ = Run::restore(contents.records());
    if let Some(incident) = Incident::of(&contents, None) {
        let _ = (markdown(&incident), html(&incident), json(&incident));
    }
});
