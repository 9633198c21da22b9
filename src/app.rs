//! Everything that the war room knows and shows at one moment, and the one place where it changes.
//!
//! [`App::update`] takes one [`Event`] and answers with [`Effect`]s: wishes that the runtime grants. Readings, ticks of
//! the clock and commands come in one order, so that the same events give the same screen again. It knows no key (they
//! end at the keymap), no terminal and no source.

mod event;

pub use event::{Command, Effect, Event};

use crate::diagnosis::{Diagnosis, Policy, diagnose};
use crate::domain::Snapshot;

/// The state.
#[derive(Debug)]
pub struct App {
    /// What is known.
    pub snapshot: Snapshot,
    /// What it means, as of the last sweep; `None` until something was read.
    pub diagnosis: Option<Diagnosis>,
    policy: Policy,
    changed: bool,
}

impl App {
    /// A war room that has seen nothing yet.
    pub fn new(snapshot: Snapshot, policy: Policy) -> Self {
        Self { snapshot, diagnosis: None, policy, changed: true }
    }

    /// Takes in one event.
    pub fn update(&mut self, event: Event) -> Vec<Effect> {
        match event {
            Event::Observed(observation) => self.snapshot.observe(*observation),
            Event::Tick(now) => {
                self.snapshot.now = now;
                self.diagnosis = Some(diagnose(&self.snapshot, &self.policy));
            }
            Event::Resized => {}
            Event::Command(Command::Quit) => return vec![Effect::Quit],
        }
        self.changed = true;
        Vec::new()
    }

    /// Whether the screen would look different from what was last drawn; asking marks it as drawn.
    pub fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }
}
