//! Prometheus text and `OpenMetrics` as engines really write them.
//!
//! Owns which bytes are a sample and what its name, labels and value are.  Deliberately does not know which families
//! matter, what they mean, or their types: the caller names what it wants through a [`Sink`], and `# HELP`, `# TYPE`,
//! `# UNIT` lines are comments here, because engines repeat them, omit them and get them wrong.
//!
//! Three habits follow from pages seen in the field:
//!
//! - A page is refused whole only where none of its numbers can be trusted ([`PageError`]): an HTML error page with
//!   status 200, a body cut in the middle of a number.
//! - One bad line loses that line only, and it is counted: [`Stats::skipped`] and [`Stats::first_skipped`] are there
//!   to be shown.
//! - Nothing is copied.  Labels are checked once and decoded when asked for; a page is read without allocating unless
//!   a quoted metric name contains an escape.

mod cursor;
mod labels;
mod line;
mod number;
mod refusal;

use std::fmt;
use std::ops::Range;

pub use labels::Labels;
pub use refusal::PageError;

/// The longest line that is read, in bytes without its newline; a longer one is skipped and counted.
///
/// The longest line of a real page seen so far is an engine's configuration of about 1.5 KB.
pub const MAX_LINE: usize = 64 * 1024;

/// The largest page that is read, in bytes after decompression; a larger one is [`PageError::TooLarge`].
pub const MAX_PAGE: usize = 8 * 1024 * 1024;

/// What a caller wants out of a page.
pub trait Sink {
    /// How the caller refers to one of its families, for instance an index into its own table.
    type Key: Copy;

    /// Which of the caller's families a sample name is; `None`: not wanted, the line is only counted.
    ///
    /// The name is the sample's own, with `_bucket`, `_sum`, `_count` or `_total` as written.  Called again only when
    /// the name is spelled differently from that of the sample before, so a lookup costs once per run of equal names.
    fn family(&mut self, name: &str) -> Option<Self::Key>;

    /// One sample of a wanted family, in the order of the page.
    ///
    /// `value` is the correctly rounded number as written, in the family's own unit; it may be infinite or NaN.
    /// Timestamps and exemplars are checked and dropped.
    fn sample(&mut self, key: Self::Key, labels: Labels<'_>, value: f64);
}

/// What was on a page besides the samples handed to the [`Sink`]; the same whichever families were wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Lines that are samples, wanted or not.
    pub samples: usize,
    /// Samples that were handed to the [`Sink`].
    pub wanted: usize,
    /// Lines that are neither a sample nor blank nor a comment.
    pub skipped: usize,
    /// The first of the skipped lines.
    pub first_skipped: Option<Skipped>,
    /// Whether `# EOF` was seen: an `OpenMetrics` page without it was cut between two lines.
    pub ended: bool,
}

impl Stats {
    fn skip(&mut self, line: usize, reason: Reason) {
        self.skipped += 1;
        self.first_skipped.get_or_insert(Skipped { line, reason });
    }
}

/// A line that could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Skipped {
    /// Its number on the page, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: Reason,
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.reason)
    }
}

/// Why a line is no sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Longer than [`MAX_LINE`].
    TooLong,
    /// Not UTF-8.
    NotUtf8,
    /// Neither a metric name nor `{"a quoted one"` stands at its beginning.
    Name,
    /// What follows `{` is not a list of `name="value"` up to a `}`.
    Labels,
    /// What stands where the value belongs is not a decimal number, an infinity or NaN.
    Value,
    /// What follows the value is neither a timestamp nor an exemplar.
    Rest,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "longer than 64 KiB",
            Self::NotUtf8 => "not UTF-8",
            Self::Name => "does not begin with a metric name",
            Self::Labels => "its labels are not a list of name=\"value\"",
            Self::Value => "its value is not a number",
            Self::Rest => "neither a timestamp nor an exemplar follows its value",
        })
    }
}

/// Reads one complete page and hands the samples of wanted families to `sink`, in the order of the page.
///
/// An error means that `sink` was told nothing.  `Ok` with no samples is possible (a page of comments, or of rubbish
/// that [`Stats::skipped`] counts) and is for the caller to judge: it is never "zero requests".
pub fn read<S: Sink>(page: &[u8], sink: &mut S) -> Result<Stats, PageError> {
    let page = refusal::check(page)?;
    // Nearly always valid, and then one pass over all of it is several times cheaper than one per line.
    let text = std::str::from_utf8(page).ok();

    let mut stats = Stats::default();
    let mut name = "";
    let mut key = None;
    let mut next = 0;
    let ends = memchr::memchr_iter(b'\n', page).chain(std::iter::once(page.len()));
    for (index, end) in ends.enumerate() {
        let here = trimmed(page, next..end);
        next = end + 1;
        let bytes = &page[here.clone()];
        match bytes.first() {
            None => continue,
            Some(b'#') => {
                stats.ended |= bytes == b"# EOF";
                continue;
            }
            Some(_) => {}
        }
        let sample = match text {
            _ if bytes.len() > MAX_LINE => Err(Reason::TooLong),
            Some(text) => line::parse(&text[here], name),
            None => std::str::from_utf8(bytes).map_err(|_| Reason::NotUtf8).and_then(|text| line::parse(text, name)),
        };
        match sample {
            Ok(sample) => {
                stats.samples += 1;
                if !sample.repeated {
                    name = sample.name;
                    key = sink.family(&line::unquoted(name));
                }
                if let Some(key) = key {
                    stats.wanted += 1;
                    sink.sample(key, sample.labels, sample.value);
                }
            }
            Err(reason) => stats.skip(index + 1, reason),
        }
    }
    Ok(stats)
}

/// `line` without the blanks around it and the `\r` of a CRLF.
fn trimmed(page: &[u8], mut line: Range<usize>) -> Range<usize> {
    while page[line.clone()].last().is_some_and(|&byte| cursor::is_blank(byte) || byte == b'\r') {
        line.end -= 1;
    }
    while page[line.clone()].first().is_some_and(|&byte| cursor::is_blank(byte)) {
        line.start += 1;
    }
    line
}
