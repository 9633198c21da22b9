//! The labels of one sample: checked when the line is read, decoded only when asked for.

use std::borrow::Cow;

use super::cursor::{Cursor, Quoted};

/// The labels of one sample, in the order of the page.
///
/// Borrowed from the page and already known to be well formed; nothing here can fail.  Looking a label up scans the
/// set again, which for the handful of labels that a sample has is cheaper than an index.  A name that occurs twice
/// (which Prometheus forbids and nobody checks here) is found at its first place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Labels<'a> {
    /// What stands between the braces, without a quoted metric name.
    raw: &'a str,
    escaped: bool,
}

impl<'a> Labels<'a> {
    /// The value of `name`, unescaped; copied only where it contains an escape.
    pub fn get(&self, name: &str) -> Option<Cow<'a, str>> {
        self.pairs().find(|(key, _)| *key == name).map(|(_, value)| unescaped(value))
    }

    /// All labels with their values, unescaped.
    ///
    /// A quoted label name (`"my.label"="x"`) comes without its quotes and with its escapes as written.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, Cow<'a, str>)> + use<'a> {
        self.pairs().map(|(key, value)| (key, unescaped(value)))
    }

    /// Whether the sample has no labels.
    pub fn is_empty(&self) -> bool {
        self.pairs().next().is_none()
    }

    /// The set exactly as written: equal text means equal labels, and the reverse does not hold.
    pub fn raw(&self) -> &'a str {
        self.raw
    }

    fn pairs(&self) -> impl Iterator<Item = (&'a str, Quoted<'a>)> + use<'a> {
        let mut cursor = Cursor::new(self.raw);
        std::iter::from_fn(move || {
            cursor.blanks();
            let pair = pair(&mut cursor)?;
            cursor.blanks();
            cursor.eat(b',');
            Some(pair)
        })
    }
}

/// What `name="value", ...}` holds, up to and with the closing brace; `None` where it is not that.
///
/// Blanks may stand between any two tokens and one comma before the brace.
pub(super) fn closed<'a>(cursor: &mut Cursor<'a>) -> Option<Labels<'a>> {
    let from = cursor.position();
    let mut escaped = false;
    loop {
        cursor.blanks();
        if cursor.peek()? == b'}' {
            break;
        }
        escaped |= pair(cursor)?.1.escaped;
        cursor.blanks();
        if !cursor.eat(b',') {
            break;
        }
    }
    let raw = cursor.since(from);
    cursor.eat(b'}').then_some(Labels { raw, escaped })
}

fn pair<'a>(cursor: &mut Cursor<'a>) -> Option<(&'a str, Quoted<'a>)> {
    let name = match cursor.peek()? {
        b'"' => cursor.quoted()?.raw,
        _ => cursor.word()?,
    };
    cursor.blanks();
    if !cursor.eat(b'=') {
        return None;
    }
    cursor.blanks();
    Some((name, cursor.quoted()?))
}

/// `\\`, `\"` and `\n` decoded; any other backslash stays as it is, as in Prometheus itself.
pub(super) fn unescaped(text: Quoted<'_>) -> Cow<'_, str> {
    if !text.escaped {
        return Cow::Borrowed(text.raw);
    }
    let mut decoded = String::with_capacity(text.raw.len());
    let mut rest = text.raw;
    while let Some((before, after)) = rest.split_once('\\') {
        decoded.push_str(before);
        let (meant, length) = match after.as_bytes().first() {
            Some(b'n') => ('\n', 1),
            Some(b'"') => ('"', 1),
            Some(b'\\') => ('\\', 1),
            _ => ('\\', 0),
        };
        decoded.push(meant);
        rest = &after[length..];
    }
    decoded.push_str(rest);
    Cow::Owned(decoded)
}
