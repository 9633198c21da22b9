//! The labels of one sample: checked when the line is read, decoded only when asked for.

use std::borrow::Cow;
use std::ops::Range;

use super::cursor::Cursor;

/// The labels of one sample, in the order of the page.
///
/// Borrowed from the page and already known to be well formed; nothing here can fail.  Looking a label up scans the
/// set again, which for the handful of labels that a sample has is cheaper than an index.  A name that occurs twice
/// (which Prometheus forbids and nobody checks here) is found at its first place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Labels<'a> {
    /// What stands between the braces, without a quoted metric name.
    raw: &'a str,
}

impl<'a> Labels<'a> {
    /// The value of `name`, unescaped; copied only where it contains an escape.
    pub fn get(&self, name: &str) -> Option<Cow<'a, str>> {
        let pair = self.pairs().find(|pair| &self.raw.as_bytes()[pair.name.clone()] == name.as_bytes())?;
        Some(self.decoded(&pair))
    }

    /// All labels with their values, unescaped.
    ///
    /// A quoted label name (`"my.label"="x"`) comes without its quotes and with its escapes as written.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, Cow<'a, str>)> + use<'a> {
        let labels = *self;
        self.pairs().map(move |pair| (&labels.raw[pair.name.clone()], labels.decoded(&pair)))
    }

    /// Whether the sample has no labels.
    pub fn is_empty(&self) -> bool {
        self.pairs().next().is_none()
    }

    /// The set exactly as written: equal text means equal labels, and the reverse does not hold.
    pub fn raw(&self) -> &'a str {
        self.raw
    }

    fn pairs(&self) -> impl Iterator<Item = Pair> + use<'a> {
        let mut cursor = Cursor::new(self.raw);
        std::iter::from_fn(move || {
            cursor.blanks();
            let pair = pair(&mut cursor)?;
            cursor.blanks();
            cursor.eat(b',');
            Some(pair)
        })
    }

    fn decoded(&self, pair: &Pair) -> Cow<'a, str> {
        let value = &self.raw[pair.value.clone()];
        if pair.escaped { unescaped(value) } else { Cow::Borrowed(value) }
    }
}

/// Where a label stands in its set, without quotes.
struct Pair {
    name: Range<usize>,
    value: Range<usize>,
    /// Whether the value contains a backslash.
    escaped: bool,
}

/// What `name="value", ...}` holds, up to and with the closing brace; `None` where it is not that.
///
/// Blanks may stand between any two tokens and one comma before the brace.
pub(super) fn closed<'a>(cursor: &mut Cursor<'a>) -> Option<Labels<'a>> {
    let from = cursor.position();
    loop {
        cursor.blanks();
        if cursor.peek()? == b'}' {
            break;
        }
        pair(cursor)?;
        if cursor.eat(b',') {
            continue;
        }
        cursor.blanks();
        if !cursor.eat(b',') {
            break;
        }
    }
    let raw = cursor.since(from);
    cursor.eat(b'}').then_some(Labels { raw })
}

#[inline]
fn pair(cursor: &mut Cursor<'_>) -> Option<Pair> {
    let from = cursor.position();
    let name = if cursor.peek()? == b'"' {
        cursor.quoted()?;
        from + 1..cursor.position() - 1
    } else {
        cursor.word()?;
        from..cursor.position()
    };
    if cursor.rest().starts_with(b"=\"") {
        cursor.skip(1);
    } else {
        cursor.blanks();
        if !cursor.eat(b'=') {
            return None;
        }
        cursor.blanks();
    }
    let from = cursor.position();
    let escaped = cursor.quoted()?;
    Some(Pair { name, value: from + 1..cursor.position() - 1, escaped })
}

/// `\\`, `\"` and `\n` decoded; any other backslash stays as it is, as in Prometheus itself.
pub(super) fn unescaped(text: &str) -> Cow<'_, str> {
    let Some((before, mut rest)) = text.split_once('\\') else {
        return Cow::Borrowed(text);
    };
    let mut decoded = String::with_capacity(text.len());
    decoded.push_str(before);
    loop {
        let (meant, length) = match rest.as_bytes().first() {
            Some(b'n') => ('\n', 1),
            Some(b'"') => ('"', 1),
            Some(b'\\') => ('\\', 1),
            _ => ('\\', 0),
        };
        decoded.push(meant);
        rest = &rest[length..];
        let Some((before, after)) = rest.split_once('\\') else {
            decoded.push_str(rest);
            return Cow::Owned(decoded);
        };
        decoded.push_str(before);
        rest = after;
    }
}
