//! What is wrong with a runbook: each mistake with its file and line, all of them at once.

use std::fmt;

/// Mistakes that are told at once; whoever repairs a file runs it again.
const MOST: usize = 20;

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file, as it was named.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong, and what to do.
    pub says: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}' line {}: {}", self.file, self.line, self.says)
    }
}

/// A runbook that cannot be walked: why, in the order of its lines; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunbookError {
    /// What is wrong.
    pub problems: Vec<Problem>,
}

impl fmt::Display for RunbookError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.problems.iter().map(ToString::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for RunbookError {}

/// Collects mistakes of one file.
#[derive(Debug, Clone)]
pub(super) struct Problems {
    file: String,
    /// Where each line of the text begins.
    lines: Vec<usize>,
    list: Vec<Problem>,
}

impl Problems {
    pub(super) fn new(file: &str, text: &str) -> Self {
        let file = crate::text::clean(file, 200);
        let starts = text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(i, _)| i + 1);
        Self { file, lines: std::iter::once(0).chain(starts).collect(), list: Vec::new() }
    }

    /// Notes one at a byte of the text.
    pub(super) fn add(&mut self, offset: usize, says: impl Into<String>) {
        let line = self.lines.partition_point(|start| *start <= offset).max(1);
        self.list.push(Problem { file: self.file.clone(), line, says: says.into() });
    }

    pub(super) fn file_name(&self) -> &str {
        &self.file
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// All of them as one error.
    pub(super) fn into_error(self) -> RunbookError {
        let mut problems = self.list;
        problems.sort_by_key(|p| p.line);
        problems.dedup();
        problems.truncate(MOST);
        RunbookError { problems }
    }
}
