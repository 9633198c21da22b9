//! However it ends, the terminal is left as it was found.

use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use crate::{engine, on, served, watching};

#[test]
fn the_first_frame_names_what_is_watched() {
    let engine = engine();
    let program = on(&engine).start();
    program.until_text("127.0.0.1");
    assert!(program.seen().parser.screen().alternate_screen() && program.seen().parser.screen().hide_cursor());
    assert!(program.is_raw());
}

#[test]
fn q_quits() {
    let program = watching();
    program.key("q");
    program.ended().in_order(0);
}

#[test]
fn control_c_quits() {
    let program = watching();
    program.key("\x03");
    program.ended().in_order(130);
}

#[test]
fn signals_quit() {
    for signal in [Signal::TERM, Signal::HUP, Signal::INT, Signal::QUIT] {
        let program = watching();
        program.signal(signal);
        program.ended().in_order(130);
    }
}

#[test]
fn a_panic_gives_the_terminal_back_and_then_says_what_happened() {
    let engine = engine();
    let program = on(&engine).env("NO_COLOR", "1").panicking("loop").start();
    program.until_text("asked to panic");
    let text = program.ended().in_order(101);
    assert!(text.contains("asked to panic in the loop"), "{text}");
}

#[test]
fn a_panic_of_a_source_does_not_tear_the_screen_and_is_told_at_the_end() {
    let engine = engine();
    let program = on(&engine).panicking("source").start();
    program.until_text("q quit");
    thread::sleep(Duration::from_millis(600));
    assert!(!program.text().contains("asked to panic") && program.seen().parser.screen().alternate_screen());
    program.key("q");
    let text = program.ended().in_order(1);
    assert!(text.contains("asked to panic in a source"), "{text}");
}

#[test]
fn a_source_that_hangs_does_not_keep_anybody() {
    let silent = served::silent();
    for keys in ["\x03", "q"] {
        let program = on(&silent).start();
        program.until_text("q quit");
        program.key(keys);
        program.ended().in_order(if keys == "q" { 0 } else { 130 });
    }
}

#[test]
fn the_terminal_that_goes_away_takes_the_program_with_it() {
    let program = watching();
    assert_eq!(program.hang_up().code(), Some(130));
}
