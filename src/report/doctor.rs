//! A checkup in a terminal or a log: a line per thing, and under it how it is reached and what mends it.

use std::fmt::Write as _;

use super::text::{Look, ascii};
use crate::domain::{Checkup, Part, Standing};
use crate::ui::theme::Slot;

/// Columns of the mark before each line.
const INDENT: usize = 4;
const LEAST_WIDTH: usize = 60;
const MOST_WIDTH: usize = 120;

/// Renders a checkup. Ends with a line break.
pub fn checkup(all: &Checkup, look: Look<'_>) -> String {
    let mut out = String::new();
    if let Some((name, namespace, context)) = &all.target {
        let _ = writeln!(out, "{name} in {namespace} of {context}");
    }
    for part in Part::ALL {
        let rows = || all.rows.iter().filter(|row| row.part == *part);
        if rows().next().is_none() {
            continue;
        }
        let _ = writeln!(out, "\n{}", title(*part));
        for row in rows() {
            let (mark, slot) = mark(row.standing);
            let style = look.theme.style(slot);
            let _ = write!(out, "{style}{mark}{style:#} ");
            paragraph(&mut out, &format!("{}: {}", row.name, row.says), mark.chars().count() + 1, look);
            for (word, text) in [("via", &row.via), ("do", &row.remedy)] {
                if let Some(text) = text {
                    let _ = write!(out, "{:INDENT$}{word} ", "");
                    paragraph(&mut out, text, INDENT + word.len() + 1, look);
                }
            }
        }
    }
    let count = |standing| all.count(standing);
    let _ = writeln!(
        out,
        "\n{} pass, {} fail, {} cannot be told",
        count(Standing::Pass),
        count(Standing::Fail),
        count(Standing::CannotTell)
    );
    if look.ascii { ascii(&out) } else { out }
}

const fn title(part: Part) -> &'static str {
    match part {
        Part::Reach => "REACH",
        Part::Permission => "PERMISSIONS",
        Part::Source => "SOURCES",
        Part::Machine => "THIS MACHINE",
        Part::Question => "QUESTIONS (RB-6)",
    }
}

const fn mark(standing: Standing) -> (&'static str, Slot) {
    match standing {
        Standing::Pass => ("ok  ", Slot::VerdictHealthy),
        Standing::Fail => ("FAIL", Slot::VerdictBreach),
        Standing::CannotTell => ("?   ", Slot::VerdictUnknown),
        Standing::Off => ("off ", Slot::TextMuted),
    }
}

/// Words of a text, broken where a line is full; what follows the first line stands under it. A line to be typed is never
/// cut inside of a word.
fn paragraph(out: &mut String, text: &str, indent: usize, look: Look<'_>) {
    let width = look.width.clamp(LEAST_WIDTH, MOST_WIDTH);
    let mut at = indent;
    for (nth, word) in text.split_whitespace().enumerate() {
        let length = word.chars().count();
        if nth > 0 && at + 1 + length > width {
            let _ = write!(out, "\n{:1$}", "", INDENT + 1);
            at = INDENT + 1;
        } else if nth > 0 {
            out.push(' ');
            at += 1;
        }
        out.push_str(word);
        at += length;
    }
    out.push('\n');
}
