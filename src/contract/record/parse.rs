//! Bytes of a record's file → its lines, and what could not be understood. Any bytes have an answer.

use serde_json::Value;

use super::{Entry, Line, VERSION};
use crate::text::clean;

/// No line is longer, in bytes; a plan with its whole template is far smaller.
pub const MOST_LINE: usize = 1 << 20;
/// Lines that are kept; a day of incident has a few thousand.
const MOST_LINES: usize = 200_000;
/// Bad lines that are named; the others are counted.
const MOST_BAD: usize = 50;
/// No string is longer, in characters.
const MOST_TEXT: usize = 4_000;

/// A line that could not be understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadLine {
    /// Its number in the file, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub says: String,
}

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Contents {
    /// Its lines, in the order of the file.
    pub lines: Vec<Line>,
    /// Lines that could not be understood, the first of them.
    pub bad: Vec<BadLine>,
    /// How many there are.
    pub bad_count: usize,
    /// Whether the last line was cut off: its writer was interrupted.
    pub torn: bool,
    /// Whether the file is longer than what was read.
    pub cut: bool,
}

impl Contents {
    fn bad(&mut self, line: usize, says: impl Into<String>) {
        self.bad_count += 1;
        if self.bad.len() < MOST_BAD {
            self.bad.push(BadLine { line, says: says.into() });
        }
    }

    /// What is wrong with the file, a sentence each.
    pub fn problems(&self) -> Vec<String> {
        let mut said: Vec<String> = self.bad.iter().map(|b| format!("line {}: {}", b.line, b.says)).collect();
        if self.bad_count > self.bad.len() {
            said.push(format!("{} more lines could not be understood", self.bad_count - self.bad.len()));
        }
        if self.torn {
            said.push("the last line was cut off while it was written; what stands before it is whole".to_owned());
        }
        if self.cut {
            said.push("the file is longer than what was read of it".to_owned());
        }
        let gap = self.lines.windows(2).find(|w| w[1].n > w[0].n + 1);
        if let Some(gap) = gap {
            said.push(format!("entries {} to {} are missing", gap[0].n + 1, gap[1].n - 1));
        }
        said
    }

    /// The target of the record; `None` where its beginning is missing.
    pub fn target(&self) -> Option<&super::Target> {
        self.lines.iter().find_map(|l| if let Entry::Opened { target, .. } = &l.entry { Some(target) } else { None })
    }

    /// Who writes it: the last that said so.
    pub fn owner(&self) -> Option<(&str, &Line)> {
        self.lines.iter().rev().find_map(|l| match &l.entry {
            Entry::Opened { owner, .. } | Entry::Taken { owner, .. } => Some((owner.as_str(), l)),
            _ => None,
        })
    }

    /// What happened to the run.
    pub fn records(&self) -> impl Iterator<Item = &crate::runbook::Record> {
        self.lines.iter().filter_map(|l| if let Entry::Run { run } = &l.entry { Some(run) } else { None })
    }

    /// Plans that were sent and whose answer is not on record: a program that died in between does not know either.
    pub fn unanswered(&self) -> Vec<&super::Planned> {
        let answered = |id: u64| self.lines.iter().any(|l| matches!(&l.entry, Entry::Answered(a) if a.id == id));
        let planned = self.lines.iter().filter_map(|l| if let Entry::Planned(p) = &l.entry { Some(p) } else { None });
        planned.filter(|p| !p.dry_run && !answered(p.id)).collect()
    }
}

/// Reads a file's bytes.
pub fn parse(bytes: &[u8]) -> Contents {
    let mut contents = Contents::default();
    let mut rest = bytes;
    let mut number = 0;
    while !rest.is_empty() {
        number += 1;
        let (line, more, whole) = match memchr::memchr(b'\n', rest) {
            Some(end) => (&rest[..end], &rest[end + 1..], true),
            None => (rest, &rest[rest.len()..], false),
        };
        rest = more;
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        if contents.lines.len() >= MOST_LINES {
            contents.cut = true;
            break;
        }
        match read(line) {
            Ok(line) => contents.lines.push(line),
            // A line without its end was being written when its writer was interrupted.
            Err(_) if !whole => contents.torn = true,
            Err(says) => contents.bad(number, says),
        }
    }
    contents
}

fn read(line: &[u8]) -> Result<Line, String> {
    if line.len() > MOST_LINE {
        return Err(format!("it is longer than {MOST_LINE} bytes"));
    }
    let text = std::str::from_utf8(line).map_err(|_| "it is not UTF-8".to_owned())?;
    let value: Value =
        serde_json::from_str(text).map_err(|e| format!("it is no JSON: {}", clean(&e.to_string(), 120)))?;
    let version = value.get("v").and_then(Value::as_u64);
    if version.is_some_and(|v| v > u64::from(VERSION)) {
        return Err("it was written by a newer warroom: read it with that one".to_owned());
    }
    let line: Line = serde_json::from_value(harmless(value, ""))
        .map_err(|e| format!("it is no entry: {}", clean(&e.to_string(), 160)))?;
    Ok(line)
}

/// The value with every string cleaned but the exact bytes of a request, which are never shown as they are.
fn harmless(value: Value, key: &str) -> Value {
    match value {
        Value::String(text) if key != "bytes" => Value::String(clean(&text, MOST_TEXT)),
        Value::Array(items) => Value::Array(items.into_iter().map(|item| harmless(item, "")).collect()),
        Value::Object(fields) => Value::Object(
            fields
                .into_iter()
                .map(|(key, value)| {
                    let value = harmless(value, &key);
                    (clean(&key, MOST_TEXT), value)
                })
                .collect(),
        ),
        other => other,
    }
}
