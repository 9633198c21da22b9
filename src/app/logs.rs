//! The log that is being followed: its last lines, bounded.

use std::collections::VecDeque;

use super::LogBatch;
use crate::text::clean;

/// Lines kept.
const MOST_LINES: usize = 2_000;

/// The most characters of a line.
const MOST_CHARS: usize = 1_000;

/// One pod's log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Logs {
    /// Whose.
    pub pod: String,
    /// The last lines, oldest first; clean.
    pub lines: VecDeque<String>,
    /// Lines that came before them and were let go.
    pub dropped: usize,
    /// Why no more comes.
    pub ended: Option<String>,
    /// Whether its end is kept in view.
    pub following: bool,
    /// Whether anything came at all.
    pub answered: bool,
}

impl Logs {
    /// Nothing of this pod's log yet.
    pub(super) fn of(pod: String) -> Self {
        Self { pod, following: true, ..Self::default() }
    }

    /// Takes in more of it; what belongs to another pod comes too late and is dropped.
    pub(super) fn take(&mut self, batch: LogBatch) -> bool {
        if batch.pod != self.pod {
            return false;
        }
        self.answered = true;
        for line in batch.lines {
            if self.lines.len() >= MOST_LINES {
                self.lines.pop_front();
                self.dropped += 1;
            }
            // A tab is the one control character that logs are full of and that means no harm.
            self.lines.push_back(clean(&line.replace('\t', "    "), MOST_CHARS));
        }
        if batch.ended.is_some() {
            self.ended = batch.ended.map(|why| clean(&why, MOST_CHARS));
        }
        true
    }
}
