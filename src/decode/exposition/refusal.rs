//! Bodies of which no number can be trusted, told apart before the first line is read.

use super::MAX_PAGE;

/// Why a page is refused whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    /// Nothing but blanks.
    #[error("the page is empty: whatever answers there has no metrics; check the port, and that metrics are enabled")]
    Empty,
    /// Larger than [`MAX_PAGE`].
    #[error("the page has {bytes} bytes and the limit is {MAX_PAGE}: read one engine, not an aggregate of many")]
    TooLarge {
        /// Its size in bytes.
        bytes: usize,
    },
    /// An HTML or XML document, whatever the status said.
    #[error("the page is HTML, not metrics: a proxy or a login page answers in the engine's place; check URL and path")]
    Html,
    /// A JSON document.
    #[error("the page is JSON, not metrics: check the path, '/metrics' is not everywhere the Prometheus page")]
    Json,
    /// Compressed, protobuf or UTF-16: not a text that can be split into lines.
    #[error("the page is binary, not text: ask for 'text/plain' and undo its Content-Encoding first")]
    Binary,
    /// The last line has no newline, so its number may be half a number.
    #[error("the page is cut within a line, so none of it is used: read it again, or end a saved one with a newline")]
    Cut,
}

/// As much of a page as tells what it is, in bytes.
const OPENING: usize = 1024;

/// Magic numbers of gzip, Zstandard, and UTF-16 in both orders.
const MAGIC: [&[u8]; 4] = [b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\xff\xfe", b"\xfe\xff"];

/// The page without a byte order mark, or why it cannot be one.
pub(super) fn check(page: &[u8]) -> Result<&[u8], PageError> {
    if page.len() > MAX_PAGE {
        return Err(PageError::TooLarge { bytes: page.len() });
    }
    let page = page.strip_prefix(b"\xef\xbb\xbf").unwrap_or(page);
    let text = page.trim_ascii_start();
    if is_binary(page) {
        return Err(PageError::Binary);
    }
    match text.first() {
        None => Err(PageError::Empty),
        Some(b'<') => Err(PageError::Html),
        Some(b'[' | b'"') => Err(PageError::Json),
        Some(b'{') if is_json_object(text) => Err(PageError::Json),
        Some(_) if is_cut(page) => Err(PageError::Cut),
        Some(_) => Ok(page),
    }
}

/// Whether the opening has a NUL, or one byte in four is not text: one bad label value is a bad line, not a bad page.
fn is_binary(page: &[u8]) -> bool {
    let opening = &page[..page.len().min(OPENING)];
    if MAGIC.iter().any(|magic| page.starts_with(magic)) || opening.contains(&0) {
        return true;
    }
    let controls = opening.iter().filter(|byte| byte.is_ascii_control() && !byte.is_ascii_whitespace()).count();
    let invalid: usize = opening.utf8_chunks().map(|chunk| chunk.invalid().len()).sum();
    (controls + invalid) * 4 > opening.len()
}

/// Whether `{` opens an object: `{"error": ...`, `{}`.  A sample may begin with `{"my.name",` or `{"my.name"}`.
fn is_json_object(text: &[u8]) -> bool {
    let inside = text[1..].trim_ascii_start();
    match inside.first() {
        None => true,
        Some(b'}') => inside[1..].trim_ascii().is_empty(),
        Some(b'"') => after_string(&inside[1..]).is_some_and(|after| after.trim_ascii_start().starts_with(b":")),
        Some(_) => false,
    }
}

/// What follows the closing quote.
fn after_string(text: &[u8]) -> Option<&[u8]> {
    let mut from = 0;
    loop {
        let at = from + memchr::memchr2(b'"', b'\\', text.get(from..)?)?;
        if text[at] == b'"' {
            return Some(&text[at + 1..]);
        }
        from = at + 2;
    }
}

/// Whether the last line has no newline.  `OpenMetrics` makes that newline optional after `# EOF`.
fn is_cut(page: &[u8]) -> bool {
    let last = memchr::memrchr(b'\n', page).map_or(page, |newline| &page[newline + 1..]);
    !matches!(last.trim_ascii(), b"" | b"# EOF")
}
