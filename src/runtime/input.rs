//! What comes from outside while the screen is up: keys, sizes and signals, in one stream.
//!
//! Keys are read by a thread of their own, because reading them may block in the middle of an escape sequence. Whoever
//! asks to leave is let go even where the program hangs: from the moment of asking it has [`LONGEST_GOODBYE`] left.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;
use std::{io, process};

use crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::{Receiver, Sender, channel, error::TrySendError};

use super::{INTERRUPTED, panics, terminal};

/// How long leaving may take before the program is ended from aside.
const LONGEST_GOODBYE: Duration = Duration::from_secs(2);
/// Keys that wait; more were typed at a screen that did not answer, and meant something else.
const KEYS: usize = 128;

/// What came.
#[derive(Debug)]
pub(super) enum Input {
    /// A key.
    Key(KeyEvent),
    /// Text that was pasted: in one piece, so that it is not taken for keys.
    Pasted(String),
    /// The terminal has another size.
    Resized,
    /// The user, the system or a supervisor wants the program to end.
    Leave,
    /// The system wants the program to stop for a while.
    Stop,
    /// The program was stopped and goes on.
    Continue,
}

/// The way in for everything.
pub(super) fn stream() -> (Sender<Input>, Receiver<Input>) {
    channel(KEYS)
}

/// Registers the signals: from here on none of them ends the program without the terminal being given back.
///
/// Has to be called inside of a runtime, and before the terminal is taken.
pub(super) fn hear_signals(sender: Sender<Input>) -> io::Result<()> {
    let signals = Signals {
        interrupt: signal(SignalKind::interrupt())?,
        terminate: signal(SignalKind::terminate())?,
        hangup: signal(SignalKind::hangup())?,
        quit: signal(SignalKind::quit())?,
        stop: signal(SignalKind::from_raw(rustix::process::Signal::TSTP.as_raw()))?,
        go_on: signal(SignalKind::from_raw(rustix::process::Signal::CONT.as_raw()))?,
        resized: signal(SignalKind::window_change())?,
    };
    tokio::spawn(signals.forward(sender));
    Ok(())
}

/// Reads keys from here on; the terminal has to be taken.
pub(super) fn read_keys(sender: Sender<Input>) -> io::Result<()> {
    thread::Builder::new().name(panics::KEYS.to_owned()).spawn(move || forward_keys(&sender)).map(drop)
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
    quit: Signal,
    stop: Signal,
    go_on: Signal,
    resized: Signal,
}

impl Signals {
    async fn forward(mut self, sender: Sender<Input>) {
        loop {
            let input = tokio::select! {
                Some(()) = self.interrupt.recv() => Input::Leave,
                Some(()) = self.terminate.recv() => Input::Leave,
                Some(()) = self.hangup.recv() => Input::Leave,
                Some(()) = self.quit.recv() => Input::Leave,
                Some(()) = self.stop.recv() => Input::Stop,
                Some(()) = self.go_on.recv() => Input::Continue,
                Some(()) = self.resized.recv() => Input::Resized,
                else => return,
            };
            if matches!(input, Input::Leave) {
                end_soon();
            }
            if sender.send(input).await.is_err() {
                return;
            }
        }
    }
}

fn forward_keys(sender: &Sender<Input>) {
    // An error here means that there is no terminal any more, which the loop sees for itself.
    while let Ok(event) = event::read() {
        let input = match event {
            Event::Key(key) if key.kind == KeyEventKind::Release => continue,
            Event::Key(key) if is_control(key, 'c') => {
                end_soon();
                Input::Leave
            }
            Event::Key(key) => Input::Key(key),
            Event::Paste(text) => Input::Pasted(text),
            // Sizes are heard of as a signal: whoever reads keys begins to hear them after the first size was taken, and
            // one in between would leave every frame in the wrong size.
            Event::Resize(..) | Event::FocusGained | Event::FocusLost | Event::Mouse(_) => continue,
        };
        let refused = match input {
            Input::Key(_) | Input::Pasted(_) => sender.try_send(input),
            _ => sender.blocking_send(input).map_err(|gone| TrySendError::Closed(gone.0)),
        };
        if matches!(refused, Err(TrySendError::Closed(_))) {
            return;
        }
    }
}

fn is_control(key: KeyEvent, letter: char) -> bool {
    key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char(letter)
}

/// Ends the program from aside, unless it has ended by then.
#[expect(clippy::exit, reason = "it hangs, and its user wants to leave")]
fn end_soon() {
    static ENDING: AtomicBool = AtomicBool::new(false);
    if !ENDING.swap(true, Ordering::SeqCst) {
        thread::spawn(|| {
            thread::sleep(LONGEST_GOODBYE);
            terminal::give_back();
            process::exit(i32::from(INTERRUPTED));
        });
    }
}
