//! The closed lists: what can happen, what can be asked for, what can be wished.

use crate::domain::{At, Observation};

/// Everything that can happen.
#[derive(Debug)]
pub enum Event {
    /// Somebody asked for something.
    Command(Command),
    /// A source delivered something.
    Observed(Box<Observation>),
    /// It is this moment now.
    Tick(At),
    /// The terminal has another size.
    Resized,
}

/// Everything that can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Leave.
    Quit,
}

/// What the runtime is to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Effect {
    /// Leave.
    Quit,
}
