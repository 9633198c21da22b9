//! The real program in a pseudo-terminal: what it leaves behind however it ends, and how it treats its terminal.
#![cfg(target_os = "linux")]

#[path = "terminal/choosing.rs"]
mod choosing;
#[allow(dead_code, reason = "each test file uses a part of it")]
#[path = "support/cluster.rs"]
mod cluster;
#[cfg(feature = "sim")]
#[path = "terminal/demo.rs"]
mod demo;
#[cfg(feature = "sim")]
#[allow(dead_code, reason = "each test file uses a part of it")]
#[path = "support/faults.rs"]
mod faults;
#[path = "terminal/leaving.rs"]
mod leaving;
#[path = "terminal/manners.rs"]
mod manners;
#[cfg(feature = "sim")]
#[path = "terminal/outages.rs"]
mod outages;
#[path = "terminal/program.rs"]
mod program;
#[allow(dead_code, reason = "each test file uses a part of it")]
#[path = "support/served.rs"]
mod served;

#[cfg(feature = "sim")]
#[allow(dead_code, reason = "each test file uses a part of it")]
#[path = "support/sim.rs"]
mod sim;

use std::io::Read as _;

use program::{Program, Start};

/// A page of a real engine.
fn page() -> String {
    let file = std::fs::File::open("tests/fixtures/captures/b_light/1795340789035.prom.gz").expect("a capture");
    let mut text = String::new();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).expect("a page");
    text
}

/// An engine that always says the same.
fn engine() -> String {
    let page = page();
    served::page(move |_| page.clone())
}

/// The war room on one engine.
fn on(engine: &str) -> Start {
    Start::warroom(["--engine", engine])
}

/// The war room on an engine, after the first page was read.
fn watching() -> Program {
    let engine = engine();
    let program = on(&engine).start();
    program.until_text("q quit");
    program
}
