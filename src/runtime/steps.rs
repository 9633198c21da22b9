//! The steps of an action at which a test wants the program to die, as by `kill -9`. In what is shipped there are none.

use std::sync::OnceLock;

/// A step of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// It is approved, and nothing of it is on disk.
    Approved,
    /// It is on disk that it will be sent, and nothing was sent.
    Planned,
    /// It was sent and answered, and the answer is not on disk.
    Sent,
    /// The answer is on disk, and nothing else of it.
    Answered,
}

static DIE_AT: OnceLock<Step> = OnceLock::new();

/// Names the step. True: there is such a step.
pub(super) fn die_at(name: &str) -> bool {
    let step = match name {
        "approved" => Step::Approved,
        "planned" => Step::Planned,
        "sent" => Step::Sent,
        "answered" => Step::Answered,
        _ => return false,
    };
    DIE_AT.set(step).is_ok()
}

/// This step is reached.
pub(super) fn reached(step: Step) {
    if DIE_AT.get() == Some(&step) {
        use rustix::process::{Signal, getpid, kill_process};
        let _ = kill_process(getpid(), Signal::KILL);
        // Whoever comes here must not get any further.
        loop {
            std::thread::park();
        }
    }
}
