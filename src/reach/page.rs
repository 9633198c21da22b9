//! What is asked for where a page is read, and how an answer is unpacked, whatever the way.

use std::io::{self, Read};

use flate2::bufread::MultiGzDecoder;
use http::HeaderMap;
use http::header::CONTENT_ENCODING;

use crate::domain::Failure;
use crate::text::clean;

/// What is taken: the text format of Prometheus before anything else.
pub(super) const ACCEPTED: &str = "text/plain;version=0.0.4, */*;q=0.1";

/// How much of an error page is read to see whether it says that a model is being loaded, in bytes.
pub(super) const ERROR_PAGE_MAX: usize = 2_048;

/// How the body is packed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Coding {
    Plain,
    Gzip,
}

impl Coding {
    /// What the server says about it; anything but what was asked for cannot be read.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Failure> {
        let Some(coding) = headers.get(CONTENT_ENCODING) else { return Ok(Self::Plain) };
        let coding = String::from_utf8_lossy(coding.as_bytes()).trim().to_ascii_lowercase();
        match coding.as_str() {
            "" | "identity" => Ok(Self::Plain),
            "gzip" | "x-gzip" => Ok(Self::Gzip),
            other => Err(Failure::NotMetrics(format!("packed as '{}', not as asked", clean(other, 40)))),
        }
    }
}

/// Whether an error page says that a model is being loaded, as llama.cpp's does.
pub(super) fn says_loading(mut page: Vec<u8>, coding: Option<Coding>) -> bool {
    if matches!(coding, Some(Coding::Gzip)) {
        let mut inflated = Vec::new();
        // What could be inflated is looked at, even where the rest is broken or too much.
        let _ = inflate(&page, ERROR_PAGE_MAX, &mut inflated);
        page = inflated;
    }
    page.make_ascii_lowercase();
    memchr::memmem::find(&page, b"loading").is_some()
}

/// Inflates a whole gzip body, and stops at `limit` bytes of output.
pub(super) fn inflate(packed: &[u8], limit: usize, into: &mut Vec<u8>) -> Result<(), Failure> {
    let bound = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    match MultiGzDecoder::new(packed).take(bound).read_to_end(into) {
        Ok(_) if into.len() > limit => Err(Failure::TooLarge { limit }),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(Failure::Cut),
        Err(error) => Err(Failure::NotMetrics(format!("broken gzip ({})", clean(&error.to_string(), 120)))),
    }
}
