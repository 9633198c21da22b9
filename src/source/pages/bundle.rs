//! Many pages of one endpoint in one file: a line of JSON each, `{"at_ms": …, "page": "…"}`, oldest first.
//!
//! Read twice, and never whole: once for the moments, once for the pages. What cannot be placed in time is an error that
//! names its line. What can is a failed reading of that moment, as a file of its own would be: a page that is none, one
//! that is too long, and the last line where whoever wrote it was cut off.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::{LATEST_MS, MAX_LINES, PagesError, SHOWN};
use crate::decode::exposition::MAX_PAGE;
use crate::domain::{At, Failure};
use crate::text::clean;

/// Its names, in a directory that holds one of them.
const NAMES: [&str; 2] = ["pages.jsonl.gz", "pages.jsonl"];
/// The longest line (bytes): quotes and line ends of a page take two bytes each as JSON.
const MAX_LINE: u64 = 2 * MAX_PAGE as u64;
/// The most bytes of one file, decompressed: days of one replica. A small file can be made to inflate without end.
const MAX_BYTES: u64 = 1 << 30;

/// Such a file.
#[derive(Debug)]
pub(super) struct Bundle {
    path: PathBuf,
}

#[derive(Deserialize)]
struct Line<T> {
    at_ms: i64,
    page: T,
}

impl Bundle {
    /// The one that lies in a directory.
    pub(super) fn find(directory: &Path) -> Result<Option<Self>, PagesError> {
        let mut found = NAMES.iter().map(|name| directory.join(name)).filter(|path| path.exists());
        let Some(path) = found.next() else { return Ok(None) };
        let bundle = Self { path };
        if found.next().is_some() {
            return Err(bundle.wrong(format!("it lies beside a {}; keep one of them", NAMES[1])));
        }
        // A pipe would keep us waiting for its writer.
        if fs::metadata(&bundle.path).is_ok_and(|m| !m.is_file()) {
            return Err(bundle.wrong("it is no file".to_owned()));
        }
        Ok(Some(bundle))
    }

    /// The moments of its pages, oldest first.
    pub(super) fn moments(&self) -> Result<Vec<At>, PagesError> {
        let mut lines = self.open().map_err(|source| PagesError::Unreadable { path: self.shown(), source })?;
        let mut moments = Vec::new();
        while let Some((at, _)) = lines.step::<IgnoredAny>().map_err(|message| self.wrong(message))? {
            moments.push(at);
        }
        Ok(moments)
    }

    /// Its pages, oldest first. Where it cannot be read on, the last one is the reason.
    pub(super) fn pages(&self) -> impl Iterator<Item = (At, Result<Vec<u8>, Failure>)> {
        let failed = |why: &str| Failure::Other(format!("'{}': {why}", self.shown()));
        let mut lines = self.open().map_err(|e| failed(&e.to_string()));
        let mut last = At(0);
        let mut ended = false;
        std::iter::from_fn(move || {
            if ended {
                return None;
            }
            let step = match &mut lines {
                Ok(lines) => lines.step::<String>().map_err(|why| failed(&why)),
                Err(failure) => Err(failure.clone()),
            };
            match step {
                Ok(Some((at, page))) => {
                    last = at;
                    Some((at, page.map(String::into_bytes)))
                }
                Ok(None) => {
                    ended = true;
                    None
                }
                Err(failure) => {
                    ended = true;
                    Some((last, Err(failure)))
                }
            }
        })
    }

    fn open(&self) -> io::Result<Lines> {
        let file = File::open(&self.path)?;
        let reader: Box<dyn BufRead> = if self.path.extension().is_some_and(|e| e == "gz") {
            Box::new(BufReader::with_capacity(1 << 16, MultiGzDecoder::new(BufReader::new(file))))
        } else {
            Box::new(BufReader::with_capacity(1 << 16, file))
        };
        Ok(Lines { reader, line: Vec::new(), number: 0, bytes: 0, last: None })
    }

    fn shown(&self) -> String {
        clean(&self.path.display().to_string(), SHOWN)
    }

    fn wrong(&self, message: String) -> PagesError {
        PagesError::Beside { path: self.shown(), message }
    }
}

/// An open file, and how far it is read.
struct Lines {
    reader: Box<dyn BufRead>,
    line: Vec<u8>,
    number: usize,
    bytes: u64,
    last: Option<At>,
}

/// How a line ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// Where a line ends.
    Line,
    /// The file ended, or was cut, before the line did.
    Torn,
    /// It is longer than a line may be; the rest of it is passed over.
    TooLong,
}

/// A page with its moment, or why it was not read.
type Stepped<T> = (At, Result<T, Failure>);

impl Lines {
    /// The next page and its moment; `None` at the end, and after a line that was cut. An error is a sentence that names the line.
    fn step<T: DeserializeOwned>(&mut self) -> Result<Option<Stepped<T>>, String> {
        loop {
            let Some(end) = self.line()? else { return Ok(None) };
            if self.line.trim_ascii().is_empty() {
                // What is cut goes on being cut, however often it is asked.
                if end == End::Torn {
                    return Ok(None);
                }
                continue;
            }
            let number = self.number;
            let (moment, page) = match end {
                End::TooLong => (begins(&self.line), Err(Failure::TooLarge { limit: MAX_PAGE })),
                _ => match parse(&self.line) {
                    Ok(Line { at_ms, page }) => (Some(at_ms), Ok(page)),
                    Err(_) if end == End::Torn => {
                        // Of a line that was cut before its moment nothing is known, so that nothing is lost.
                        let Some(at_ms) = begins(&self.line) else { return Ok(None) };
                        (Some(at_ms), Err(Failure::Cut))
                    }
                    Err(error) => match parse::<IgnoredAny>(&self.line) {
                        Ok(Line { at_ms, .. }) => {
                            (Some(at_ms), Err(Failure::NotMetrics(format!("line {number} is no text"))))
                        }
                        Err(_) => {
                            return Err(format!("line {number} is no {{at_ms, page}} ({error}); remove the line"));
                        }
                    },
                },
            };
            let Some(at) = moment.filter(|ms| (0..=LATEST_MS).contains(ms)).map(At) else {
                return Err(format!("line {number} does not say when it was; remove the line"));
            };
            if self.last.is_some_and(|last| at <= last) {
                return Err(format!("line {number} is not later than the one before it; sort the lines by at_ms"));
            }
            self.last = Some(at);
            return Ok(Some((at, page)));
        }
    }

    /// Reads a line, never more than the limit of it; `None` where there is no more.
    fn line(&mut self) -> Result<Option<End>, String> {
        self.line.clear();
        self.number += 1;
        let number = self.number;
        let read = self.reader.by_ref().take(MAX_LINE).read_until(b'\n', &mut self.line);
        self.bytes += self.line.len() as u64;
        let end = match read {
            // A recording whose writer was stopped has no end; what was read until there is good.
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => End::Torn,
            Err(e) => return Err(format!("line {number} cannot be read: {}", clean(&e.to_string(), SHOWN))),
            Ok(0) => return Ok(None),
            Ok(_) if self.line.last() == Some(&b'\n') => End::Line,
            Ok(_) if (self.line.len() as u64) < MAX_LINE => End::Torn,
            Ok(_) => {
                self.pass_over()?;
                End::TooLong
            }
        };
        if self.bytes > MAX_BYTES || number > MAX_LINES {
            return Err(format!("it holds more than {} MB or {MAX_LINES} lines; cut it into parts", MAX_BYTES >> 20));
        }
        Ok(Some(end))
    }

    /// Reads on to the end of a line without keeping it.
    fn pass_over(&mut self) -> Result<(), String> {
        while self.bytes <= MAX_BYTES {
            let chunk = match self.reader.fill_buf() {
                Ok(chunk) => chunk,
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
                Err(e) => return Err(format!("line {} cannot be read: {}", self.number, clean(&e.to_string(), SHOWN))),
            };
            let found = chunk.iter().position(|b| *b == b'\n');
            let (used, done) = (found.map_or(chunk.len(), |at| at + 1), found.is_some() || chunk.is_empty());
            self.reader.consume(used);
            self.bytes += used as u64;
            if done {
                break;
            }
        }
        Ok(())
    }
}

fn parse<T: DeserializeOwned>(line: &[u8]) -> Result<Line<T>, String> {
    serde_json::from_slice(line).map_err(|e| clean(&e.to_string(), SHOWN))
}

/// The moment of a line that is not whole, where that stands first in it.
fn begins(line: &[u8]) -> Option<i64> {
    let rest = line.trim_ascii_start().strip_prefix(b"{")?.trim_ascii_start().strip_prefix(b"\"at_ms\"")?;
    let rest = rest.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start();
    let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    // A number at which the line was cut may have gone on.
    rest.get(digits)?;
    std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()
}
