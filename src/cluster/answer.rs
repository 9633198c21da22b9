//! What the answers of an API server mean for a request that changes something.

use http::HeaderMap;
use http::header::WARNING;

use crate::action::Outcome;
use crate::apiserver::status_message;
use crate::text::clean;

const SENTENCE: usize = 300;
/// Warnings that are kept.
const MOST_WARNINGS: usize = 8;

/// A refusal: nothing is stored.
pub(super) enum Refused {
    /// The answer says all.
    Plainly(Outcome),
    /// Somebody else wrote at the same time.
    Conflict(String),
    /// A test of the patch failed, or the result would not be valid.
    Invalid {
        /// What the server says.
        message: String,
        /// Whether it says that a test failed.
        tested: bool,
    },
}

/// What a status other than success means; `None`: whether it is stored is not known. Nothing is ever stored by a dry
/// run.
pub(super) fn refused(code: u16, body: &[u8], dry: bool) -> Option<Refused> {
    let message = status_message(body).unwrap_or_else(|| clean(&String::from_utf8_lossy(body), SENTENCE));
    // A webhook chooses its own status; its message does not change.
    if (400..500).contains(&code) && message.contains("admission webhook") {
        return Some(Refused::Plainly(Outcome::Denied(message)));
    }
    Some(match code {
        401 => Refused::Plainly(Outcome::Unauthenticated(message)),
        403 => Refused::Plainly(Outcome::Denied(message)),
        404 | 410 => Refused::Plainly(Outcome::Gone(message)),
        409 => Refused::Conflict(message),
        422 => Refused::Invalid { tested: is_failed_test(&message), message },
        429 => Refused::Plainly(Outcome::Busy(message)),
        400..=499 => Refused::Plainly(Outcome::Rejected { code, message }),
        _ if dry => Refused::Plainly(Outcome::Rejected { code, message }),
        _ => return None,
    })
}

/// As the library says it by which API servers apply JSON patches.
fn is_failed_test(message: &str) -> bool {
    message.contains("testing value") || message.contains("test failed") || message.contains("testing path")
}

/// What the server warns of, without the code and the agent before it: `299 - "text"`.
pub(super) fn warnings(headers: &HeaderMap) -> Vec<String> {
    let text = |value: &str| {
        clean(&value.split_once('"').map_or_else(|| value.to_owned(), |(_, rest)| unquoted(rest)), SENTENCE)
    };
    headers.get_all(WARNING).iter().take(MOST_WARNINGS).filter_map(|v| v.to_str().ok()).map(text).collect()
}

/// A quoted string without its quotes, from behind the first one.
fn unquoted(quoted: &str) -> String {
    let mut text = String::new();
    let mut chars = quoted.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => break,
            '\\' => text.extend(chars.next()),
            c => text.push(c),
        }
    }
    text
}
