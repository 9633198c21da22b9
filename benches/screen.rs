//! What a frame costs: processor time, and bytes over the line.
//!
//! A real frame of the war room's main screen in an incident is drawn again and again; between two frames so many of its
//! cells change as numbers do, to other digits in the same places. What is counted is all of it: the view, the
//! difference to the last frame, and the bytes.

#![allow(clippy::print_stdout, reason = "a bench prints its figures")]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ratatui::Frame;
use warroom::app::{App, Event, Settings};
use warroom::command::check;
use warroom::config::Config;
use warroom::domain::Snapshot;
use warroom::runtime::Painter;
use warroom::ui::keymap::Keymap;
use warroom::ui::theme::Theme;
use warroom::ui::{Colours, Look, view};

#[expect(clippy::disallowed_methods, reason = "a stopwatch is what this is")]
fn now() -> Instant {
    Instant::now()
}

fn main() {
    println!("{:<8} {:>8} {:>10} {:>10} {:>10} {:>12}", "size", "changed", "cells", "µs min", "µs mid", "bytes/frame");
    for size in [(80, 24), (200, 50)] {
        for share in [0.0, 0.05, 0.25, 1.0] {
            let (cells, times, bytes) = frames(size, share);
            let changed = format!("{:.0} %", share * 100.0);
            let size = format!("{}x{}", size.0, size.1);
            let us = |time: Duration| time.as_secs_f64() * 1e6;
            let middle = times[times.len() / 2];
            println!("{size:<8} {changed:>8} {cells:>10} {:>10.0} {:>10.0} {bytes:>12.0}", us(times[0]), us(middle));
        }
    }
}

/// The cells that change, the times of many frames in order, and the middle of their bytes.
fn frames(size: (u16, u16), share: f64) -> (usize, Vec<Duration>, f64) {
    let app = incident(size);
    let keymap = Keymap::default();
    let look = Look::new(&Theme::default(), Colours::Palette256, false);
    let mut painter = Painter::new(size, false).expect("a painter");
    let cells = (f64::from(size.0) * f64::from(size.1) * share) as usize;
    let (mut times, mut bytes) = (Vec::new(), Vec::new());
    for round in 0..600_u32 {
        if share >= 1.0 {
            painter.repaint(size).expect("a repaint");
        }
        let start = now();
        let paint = |frame: &mut Frame<'_>| {
            view(&app, &keymap, &look, frame);
            if share < 1.0 {
                numbers(frame, cells, round);
            }
        };
        let sent = painter.paint(b"", Vec::new(), paint).expect("a frame");
        let took = now() - start;
        // The first frames are whole.
        if round >= 50 {
            times.push(took);
            bytes.push(sent.map_or(0, |bytes| bytes.len()));
        }
    }
    times.sort();
    bytes.sort_unstable();
    (cells, times, bytes[bytes.len() / 2] as f64)
}

/// Changes so many cells, in runs of five as numbers are, spread over the screen.
fn numbers(frame: &mut Frame<'_>, cells: usize, round: u32) {
    let buffer = frame.buffer_mut();
    let runs = cells / 5;
    let all = buffer.content.len();
    for run in 0..runs {
        let start = run * all / runs.max(1);
        for place in start..(start + 5).min(all) {
            let digit = char::from(b'0' + (round % 10) as u8);
            buffer.content[place].set_char(digit);
        }
    }
}

/// The recorded incident, at its worst.
fn incident((columns, rows): (u16, u16)) -> App {
    let config = Config::load(Some(Path::new("assets/config.toml")), Vec::new()).expect("the default configuration");
    let policy = check::policy(Duration::from_secs(300), &config);
    let snapshot = recorded(&config);
    let now = snapshot.now;
    let mut app = App::new(Settings::new(snapshot, policy));
    app.update(Event::Resized { columns, rows });
    app.update(Event::Tick(now));
    assert!(app.diagnosis().is_some(), "there is an incident to show");
    app
}
