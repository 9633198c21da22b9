//! How it treats its terminal while it has it.

use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use crate::program::Seen;
use crate::{engine, on, served, watching};

const BEGIN: &[u8] = b"\x1b[?2026h";
const END: &[u8] = b"\x1b[?2026l";

fn count(bytes: &[u8], sequence: &[u8]) -> usize {
    bytes.windows(sequence.len()).filter(|window| *window == sequence).count()
}

/// Every colour that is set, as the numbers of its escape sequence.
fn colours(seen: &Seen) -> Vec<String> {
    let text = String::from_utf8_lossy(&seen.bytes).into_owned();
    let sequences = text.split("\x1b[").skip(1).filter_map(|rest| rest.split_once('m').map(|(numbers, _)| numbers));
    let is_colour = |n: &str| matches!(n.parse(), Ok(30..=38 | 40..=48 | 90..=97 | 100..=107));
    sequences
        .filter(|numbers| numbers.bytes().all(|b| b.is_ascii_digit() || b == b';'))
        .filter(|numbers| numbers.split(';').next().is_some_and(is_colour))
        .map(str::to_owned)
        .collect()
}

#[test]
fn control_z_gives_the_terminal_to_the_shell_and_fg_brings_the_screen_back() {
    let program = watching();
    program.key("\x1a");
    program.until_stopped(true);
    program.until("the shell's screen", |seen| !seen.parser.screen().alternate_screen());
    assert!(!program.is_raw() && !program.seen().parser.screen().hide_cursor());
    program.signal(Signal::CONT);
    program.until_stopped(false);
    program.until("the screen again", |seen| seen.parser.screen().alternate_screen());
    program.until_text("q quit");
    assert!(program.is_raw() && program.seen().parser.screen().hide_cursor());
    program.key("q");
    program.ended().in_order(0);
}

#[test]
fn a_stop_from_outside_is_obeyed_as_well() {
    let program = watching();
    program.signal(Signal::TSTP);
    program.until_stopped(true);
    program.until("the shell's screen", |seen| !seen.parser.screen().alternate_screen());
    program.signal(Signal::CONT);
    program.until("the screen again", |seen| seen.parser.screen().alternate_screen());
    program.key("\x03");
    program.ended().in_order(130);
}

#[test]
fn what_was_stopped_without_being_asked_paints_the_screen_again() {
    let program = watching();
    program.signal(Signal::STOP);
    program.until_stopped(true);
    program.seen().parser.process(b"\x1b[?1049l\x1b[?25h the shell was here");
    program.signal(Signal::CONT);
    program.until("the screen again", |seen| seen.parser.screen().alternate_screen());
    program.until_text("q quit");
    program.key("q");
    program.ended().in_order(0);
}

#[test]
fn it_fits_itself_into_every_size() {
    let program = watching();
    for (columns, rows) in [(60, 20), (120, 36), (250, 60), (60, 20), (80, 24), (10, 3), (200, 50)] {
        program.resize(columns, rows);
        let before = program.bytes();
        program.until("a frame of that size", |seen| count(&seen.bytes[before..], END) > 0);
        if columns >= 60 {
            program.until("the keys in the last row of that size", |seen| last_row(seen).contains("q quit"));
        }
    }
    program.key("q");
    program.ended().in_order(0);
}

#[test]
fn a_size_that_changes_as_it_starts_is_not_missed() {
    for _ in 0..5 {
        let program = on(&served::nobody()).start();
        program.until("the first frame", |seen| count(&seen.bytes, END) > 0);
        program.resize(120, 36);
        program.until("the keys in the last row of that size", |seen| last_row(seen).contains("q quit"));
        program.key("q");
        program.ended().in_order(0);
    }
}

#[test]
fn a_terminal_that_nobody_reads_costs_no_memory_and_keeps_nobody() {
    let program = watching();
    program.pause(true);
    // Each size is a whole frame: far more than fits between the program and a terminal that takes nothing.
    for round in 0..400 {
        program.resize(120 + round % 2, 50);
        thread::sleep(Duration::from_millis(2));
    }
    let before = program.resident_kib();
    for round in 0..400 {
        program.resize(120 + round % 2, 50);
        thread::sleep(Duration::from_millis(2));
    }
    let grown = program.resident_kib().saturating_sub(before);
    assert!(grown < 4096, "{grown} KiB more");
    program.key("\x03");
    program.ended_unread().in_order(130);
}

#[test]
fn frames_are_whole_and_none_is_sent_where_nothing_changed() {
    let program = on(&served::nobody()).start();
    program.until_text("q quit");
    thread::sleep(Duration::from_millis(2500));
    let seen = program.seen();
    let (begun, ended) = (count(&seen.bytes, BEGIN), count(&seen.bytes, END));
    assert_eq!(begun, ended);
    assert!((1..=8).contains(&begun), "{begun} frames");
}

#[test]
fn no_colour_is_sent_to_whoever_wants_none() {
    for (name, value) in [("NO_COLOR", "1"), ("TERM", "vt220")] {
        let program = on(&engine()).env("COLORTERM", "truecolor").env(name, value).start();
        program.until_text("q quit");
        assert_eq!(colours(&program.seen()), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn no_colour_is_sent_that_the_terminal_does_not_have() {
    let program = on(&engine()).env("TERM", "xterm").start();
    program.until_text("q quit");
    let beyond = |numbers: &String| {
        numbers.contains("8;2;")
            || numbers
                .split("8;5;")
                .nth(1)
                .is_some_and(|n| n.split(';').next().is_some_and(|n| n.len() > 2 || n > "15" && n.len() > 1))
    };
    assert_eq!(colours(&program.seen()).into_iter().filter(beyond).collect::<Vec<_>>(), Vec::<String>::new());
}

#[test]
fn nothing_but_ascii_is_sent_to_a_terminal_that_knows_nothing_else() {
    let plain = on(&engine()).env("LANG", "C").start();
    let asked = crate::Start::warroom(["--ascii", "--engine", &engine()]).start();
    for program in [plain, asked] {
        program.until_text("q quit");
        let strange = program.seen().bytes.iter().find(|byte| !byte.is_ascii()).copied();
        assert_eq!(strange, None);
    }
}

#[test]
fn without_a_terminal_it_says_what_to_do_instead() {
    let run = crate::program::piped(["--engine", "http://127.0.0.1:9/metrics"]);
    assert_eq!(run.0, Some(2));
    assert!(run.1.contains("warroom check"), "{}", run.1);
}

#[test]
fn a_terminal_that_cannot_place_its_cursor_is_told_what_to_do_instead() {
    let program = on(&engine()).env("TERM", "dumb").start();
    let text = program.ended().in_order(2);
    assert!(text.contains("warroom check"), "{text}");
}

fn last_row(seen: &Seen) -> String {
    let screen = seen.parser.screen();
    screen.rows(0, screen.size().1).last().unwrap_or_default()
}
