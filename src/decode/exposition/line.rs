//! The grammar of one sample line.

use std::borrow::Cow;

use super::Reason;
use super::cursor::Cursor;
use super::labels::{self, Labels};
use super::number::number;

/// One sample, borrowed from its line.
pub(super) struct Line<'a> {
    /// As written, with its quotes where it has them: see [`unquoted`].
    pub(super) name: &'a str,
    /// Whether it is the name of the line before.
    pub(super) repeated: bool,
    pub(super) labels: Labels<'a>,
    pub(super) value: f64,
}

/// Reads `name{labels} value timestamp # {exemplar} value timestamp`, of which name and value must be there.
///
/// `previous` is the name of the sample before: a histogram repeats it dozens of times, and comparing is several
/// times cheaper than reading.  It decides nothing else.
pub(super) fn parse<'a>(text: &'a str, previous: &str) -> Result<Line<'a>, Reason> {
    let mut cursor = Cursor::new(text);
    let (name, repeated, braces) = if cursor.eat(b'{') {
        let name = quoted_name(&mut cursor).ok_or(Reason::Name)?;
        (name, name == previous, true)
    } else {
        let (name, repeated) = plain_name(&mut cursor, previous).ok_or(Reason::Name)?;
        let apart = cursor.blanks() || cursor.at_end();
        let braces = cursor.eat(b'{');
        if !apart && !braces {
            return Err(Reason::Name);
        }
        (name, repeated, braces)
    };
    let labels = if braces { labels::closed(&mut cursor).ok_or(Reason::Labels)? } else { Labels::default() };
    cursor.blanks();
    let value = number(&mut cursor).ok_or(Reason::Value)?;
    if !cursor.at_end() {
        rest(&mut cursor).ok_or(Reason::Rest)?;
    }
    Ok(Line { name, repeated, labels, value })
}

/// The name that a line begins with, and whether it is the one before.
fn plain_name<'a>(cursor: &mut Cursor<'a>, previous: &str) -> Option<(&'a str, bool)> {
    if cursor.at_word() && cursor.rest().starts_with(previous.as_bytes()) {
        let mut ahead = *cursor;
        ahead.skip(previous.len());
        if !ahead.within_word() {
            *cursor = ahead;
            return Some((cursor.since(0), true));
        }
    }
    cursor.word()?;
    Some((cursor.since(0), false))
}

/// `"my.name"` with the comma after it, if any: the metric name of a set that has it inside.
fn quoted_name<'a>(cursor: &mut Cursor<'a>) -> Option<&'a str> {
    cursor.blanks();
    let from = cursor.position();
    cursor.quoted()?;
    let name = cursor.since(from);
    let empty = name == "\"\"";
    cursor.blanks();
    (!empty && (cursor.eat(b',') || cursor.peek() == Some(b'}'))).then_some(name)
}

/// What may follow a value: a timestamp, an exemplar, or one after the other.
fn rest(cursor: &mut Cursor<'_>) -> Option<()> {
    cursor.blanks();
    if cursor.peek() != Some(b'#') {
        timestamp(cursor)?;
    }
    if cursor.eat(b'#') {
        cursor.blanks();
        if !cursor.eat(b'{') {
            return None;
        }
        labels::closed(cursor)?;
        cursor.blanks();
        number(cursor)?;
        cursor.blanks();
        if !cursor.at_end() {
            timestamp(cursor)?;
        }
    }
    cursor.at_end().then_some(())
}

fn timestamp(cursor: &mut Cursor<'_>) -> Option<()> {
    let finite = number(cursor)?.is_finite();
    cursor.blanks();
    finite.then_some(())
}

/// A name as it is meant: without quotes and escapes, and copied only where there are escapes.
pub(super) fn unquoted(name: &str) -> Cow<'_, str> {
    let quoted = name.strip_prefix('"').and_then(|name| name.strip_suffix('"'));
    quoted.map_or(Cow::Borrowed(name), labels::unescaped)
}
