//! Two templates side by side, line by line. What may be a secret is hidden before it becomes a line.

use serde::Serialize;
use serde_json::Value;

use crate::text::{clean, names_a_secret};

/// A line's longest width, in characters.
const WIDTH: usize = 400;
/// Lines of one side that are compared.
const MOST_LINES: usize = 3_000;
/// Lines in the middle that are compared with each other; more of them are shown as replaced.
const MOST_COMPARED: usize = 600;
/// How deep a document is followed.
const DEEPEST: usize = 40;

/// What stands where a value may be a secret.
const HIDDEN: &str = "(hidden)";

/// Which side a line stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Sign {
    /// On both.
    Same,
    /// Only before.
    Removed,
    /// Only after.
    Added,
}

/// A line of the comparison.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Which side it stands on.
    pub sign: Sign,
    /// The line, cleaned.
    pub text: String,
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = match self.sign {
            Sign::Same => ' ',
            Sign::Removed => '-',
            Sign::Added => '+',
        };
        write!(f, "{sign} {}", self.text)
    }
}

/// The whole of both documents as lines, what they share once.
pub fn lines(before: &Value, after: &Value) -> Vec<Line> {
    let (before, after) = (document(before), document(after));
    let head = before.iter().zip(&after).take_while(|(a, b)| a == b).count();
    let (old, new) = (&before[head..], &after[head..]);
    let tail = old.iter().rev().zip(new.iter().rev()).take_while(|(a, b)| a == b).count();
    let (old, new) = (&old[..old.len() - tail], &new[..new.len() - tail]);
    let line = |sign: Sign| move |text: &String| Line { sign, text: text.clone() };
    let mut lines: Vec<Line> = before[..head].iter().map(line(Sign::Same)).collect();
    middle(old, new, &mut lines);
    lines.extend(before[before.len() - tail..].iter().map(line(Sign::Same)));
    lines
}

/// What is different between two stretches: the longest common subsequence stays.
fn middle(old: &[String], new: &[String], into: &mut Vec<Line>) {
    let line = |sign: Sign, text: &String| Line { sign, text: text.clone() };
    if old.len() > MOST_COMPARED || new.len() > MOST_COMPARED {
        into.extend(old.iter().map(|text| line(Sign::Removed, text)));
        into.extend(new.iter().map(|text| line(Sign::Added, text)));
        return;
    }
    let width = new.len() + 1;
    let mut longest = vec![0_u32; (old.len() + 1) * width];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            longest[i * width + j] = if old[i] == new[j] {
                longest[(i + 1) * width + j + 1] + 1
            } else {
                longest[(i + 1) * width + j].max(longest[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            into.push(line(Sign::Same, &old[i]));
            (i, j) = (i + 1, j + 1);
        } else if j >= new.len() || (i < old.len() && longest[(i + 1) * width + j] >= longest[i * width + j + 1]) {
            into.push(line(Sign::Removed, &old[i]));
            i += 1;
        } else {
            into.push(line(Sign::Added, &new[j]));
            j += 1;
        }
    }
}

/// A document as lines, as YAML would have it.
fn document(value: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    write(value, "", 0, &mut lines);
    lines.truncate(MOST_LINES);
    lines
}

/// Writes `value` below `lead`, which begins its first line: `key:` or `-`.
fn write(value: &Value, lead: &str, depth: usize, lines: &mut Vec<String>) {
    if lines.len() > MOST_LINES {
        return;
    }
    let indent = "  ".repeat(depth.saturating_sub(1));
    let mut put = |text: String| lines.push(format!("{indent}{}", clean(&text, WIDTH)));
    match value {
        Value::Object(map) if !map.is_empty() && depth < DEEPEST => {
            if !lead.is_empty() {
                put(lead.to_owned());
            }
            // A variable whose name tells of a secret: its value is a sibling of the name.
            let secret = map.get("name").and_then(Value::as_str).is_some_and(names_a_secret);
            for (key, inner) in map {
                let hide = inner.is_string() && ((secret && key == "value") || names_a_secret(key));
                let hidden = Value::String(HIDDEN.to_owned());
                write(if hide { &hidden } else { inner }, &format!("{key}:"), depth + 1, lines);
            }
        }
        Value::Array(items) if !items.is_empty() && depth < DEEPEST => {
            if !lead.is_empty() {
                put(lead.to_owned());
            }
            let mut hide = false;
            for item in items {
                let shown = item.as_str().map(|word| argument(word, &mut hide));
                write(shown.as_ref().unwrap_or(item), "-", depth + 1, lines);
            }
        }
        scalar => put(format!("{lead} {}", plain(scalar)).trim_start().to_owned()),
    }
}

/// An entry of a list of arguments, without the secret that it may be; `hide` says that the one before announced it.
fn argument(word: &str, hide: &mut bool) -> Value {
    let announced = std::mem::take(hide) && !word.starts_with("--");
    match word.split_once('=') {
        _ if announced => Value::String(HIDDEN.to_owned()),
        Some((flag, _)) if flag.starts_with('-') && names_a_secret(flag) => Value::String(format!("{flag}={HIDDEN}")),
        _ => {
            *hide = word.starts_with('-') && !word.contains('=') && names_a_secret(word);
            Value::String(word.to_owned())
        }
    }
}

/// A value on one line. A string that could be taken for something else is quoted.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) if text.is_empty() || text.parse::<f64>().is_ok() || text == "true" || text == "false" => {
            format!("\"{text}\"")
        }
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(before: &Value, after: &Value) -> Vec<String> {
        lines(before, after).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_both_share_stands_once_and_what_changed_stands_twice() {
        let before = json!({"spec": {"args": ["--max-num-seqs", "512"], "image": "vllm:1"}});
        let after = json!({"spec": {"args": ["--max-num-seqs", "256", "--eager"], "image": "vllm:1"}});
        assert_eq!(
            told(&before, &after),
            [
                "  spec:",
                "    args:",
                "      - --max-num-seqs",
                "-     - \"512\"",
                "+     - \"256\"",
                "+     - --eager",
                "    image: vllm:1"
            ]
        );
        assert!(lines(&before, &before).iter().all(|l| l.sign == Sign::Same));
    }

    #[test]
    fn no_secret_becomes_a_line() {
        let with = |token: &str| {
            json!({"env": [{"name": "HF_TOKEN", "value": token}, {"name": "MAX_TOKENS", "value": "9"}],
                "args": ["--api-key", token, format!("--hf-token={token}"), "--port", "8000"]})
        };
        let told = told(&with("s3cret"), &with("0ther")).join("\n");
        assert!(!told.contains("s3cret") && !told.contains("0ther"), "{told}");
        assert!(told.contains("value: \"9\"") && told.contains("\"8000\""), "{told}");
    }

    #[test]
    fn a_hostile_document_stays_bounded_and_harmless() {
        let mut deep = json!("\x1b[2J");
        for _ in 0..100 {
            deep = json!({ "a": deep });
        }
        assert!(told(&deep, &json!(1)).iter().all(|l| !l.contains('\x1b')));
        let wide: Vec<u32> = (0..20_000).collect();
        assert!(lines(&json!(wide), &json!(["x"])).len() <= 2 * MOST_LINES);
    }
}
