//! What a frame costs: processor time, and bytes over the line.
//!
//! A real frame of the war room's main screen in an incident is drawn again and again; between two frames so many of its
//! cells change as numbers do, to other digits in the same places. What is counted is all of it: the view, the
//! difference to the last frame, and the bytes.

#![allow(clippy::print_stdout, reason = "a bench prints its figures")]

use std::path::Path;
use std::time::{Duration, Instant};

use ratatui::Frame;
use warroom::app::{App, Event, Settings};
use warroom::command::check;
use warroom::config::Config;
use warroom::domain::{At, Snapshot};
use warroom::runtime::Painter;
use warroom::source::pages::Recording;
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
        for percent in [0_u16, 5, 25, 100] {
            let (cells, times, bytes) = frames(size, percent);
            let changed = format!("{percent} %");
            let size = format!("{}x{}", size.0, size.1);
            let us = |time: Duration| time.as_secs_f64() * 1e6;
            let middle = times[times.len() / 2];
            println!("{size:<8} {changed:>8} {cells:>10} {:>10.0} {:>10.0} {bytes:>12.0}", us(times[0]), us(middle));
        }
    }
}

/// The cells that change, the times of many frames in order, and the middle of their bytes.
fn frames(size: (u16, u16), percent: u16) -> (usize, Vec<Duration>, f64) {
    let app = incident(size);
    let keymap = Keymap::default();
    let look = Look::new(&Theme::default(), Colours::Palette256, false);
    let mut painter = Painter::new(size, false).expect("a painter");
    let cells = usize::from(size.0) * usize::from(size.1) * usize::from(percent) / 100;
    let (mut times, mut bytes) = (Vec::new(), Vec::new());
    for round in 0..600_u32 {
        if percent >= 100 {
            painter.repaint(size).expect("a repaint");
        }
        let start = now();
        let paint = |frame: &mut Frame<'_>| {
            view(&app, &keymap, &look, frame);
            if percent < 100 {
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
    let policy = check::policy(Duration::from_mins(5), &config);
    let snapshot = recorded(&config);
    let now = snapshot.now;
    let mut app = App::new(Settings::new(snapshot, policy));
    app.update(Event::Resized { columns, rows });
    app.update(Event::Tick(now));
    assert!(app.diagnosis().is_some(), "there is an incident to show");
    app
}

/// A queue at its highest, a minute into its recording.
fn recorded(config: &Config) -> Snapshot {
    let recording =
        Recording::open(Path::new("tests/fixtures/captures/c_queue_saturation")).expect("the recorded incident");
    let decoder = check::decoder(config).expect("the embedded dialects");
    let now = recording.first().map_or(At(0), |first| first.plus(60.0));
    let mut snapshot = Snapshot { now, interval_s: 1.0, ..Snapshot::default() };
    recording.observations(now, &decoder).into_iter().for_each(|o| snapshot.observe(o));
    snapshot
}
