//! What happens when a part of the program fails in a way that it should not.
//!
//! The screen's own threads cannot be done without: the terminal is given back and the report stands where its user
//! looks. A source that fails takes only itself away; its report would tear the screen, and waits until the terminal is
//! given back.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};
use std::{process, thread};

use super::terminal;

/// The name of the thread that sends frames.
pub(super) const WRITER: &str = "terminal";
/// The name of the thread that reads keys.
pub(super) const KEYS: &str = "keys";

/// More reports than this say nothing new.
const MOST_KEPT: usize = 5;
/// What the process ends with, as it does where nothing catches a panic.
const PANICKED: i32 = 101;

static KEPT: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Takes the report of a panic on the thread that it happened on.
#[expect(clippy::exit, reason = "without keys or frames there is nothing left that could be ended in order")]
pub fn report(text: String) {
    let name = thread::current().name().unwrap_or_default().to_owned();
    let aside = name == WRITER || name == KEYS;
    if terminal::is_taken() && name != "main" && !aside {
        let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < MOST_KEPT {
            kept.push(text);
        }
        return;
    }
    terminal::give_back();
    let _ = writeln!(io::stderr(), "{text}");
    if aside {
        process::exit(PANICKED);
    }
}

/// Says what was kept; true where something was. The terminal has to be given back.
pub(super) fn say_kept() -> bool {
    let kept = std::mem::take(&mut *KEPT.lock().unwrap_or_else(PoisonError::into_inner));
    for text in &kept {
        let _ = writeln!(io::stderr(), "{text}");
    }
    !kept.is_empty()
}
