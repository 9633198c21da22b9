//! The log that is being followed: its last lines, bounded.

use std::collections::VecDeque;

use super::LogBatch;
use crate::decode::log::mark;
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
    /// Which container, where it is known.
    pub container: Option<String>,
    /// Whether it is that of the run before the last restart.
    pub previous: bool,
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
    pub(super) fn of(pod: String, container: Option<String>, previous: bool) -> Self {
        Self { pod, container, previous, following: true, ..Self::default() }
    }

    /// The next line after `index` that matters, or the first one that does.
    pub(super) fn next_mark(&self, index: usize) -> Option<usize> {
        let troubled = |i: &usize| self.lines.get(*i).and_then(|l| mark(l)).is_some_and(|(mark, _)| mark.is_trouble());
        (index + 1..self.lines.len()).chain(0..self.lines.len().min(index + 1)).find(troubled)
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
