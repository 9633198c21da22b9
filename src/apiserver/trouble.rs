//! What can go wrong between here and the API server, each with what to do about it.

use std::error::Error;
use std::fmt;
use std::io;

use serde_json::Value;

use crate::text::clean;

/// How long a foreign sentence may be, in characters.
const SHOWN: usize = 300;

/// Why the API server gave no answer that can be used. Its sentence never names a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// No answer came in time.
    Late,
    /// Nobody listens where the API server should be.
    Refused,
    /// It could not be reached, or broke off, in one sentence.
    Unreachable(String),
    /// It does not accept who is asking, or the credentials cannot be made.
    Credentials(String),
    /// It does not allow this.
    Denied(String),
    /// There is no such thing.
    NotFound(String),
    /// What was asked for begins too long ago: a list must be made anew.
    Gone,
    /// It answers with another status.
    Status {
        /// The HTTP status.
        code: u16,
        /// What it says.
        message: String,
    },
    /// Its answer cannot be read.
    Malformed(String),
    /// Its answer is larger than `limit` bytes.
    TooLarge {
        /// The limit.
        limit: usize,
    },
}

impl Trouble {
    /// What a client's error means. The most telling cause wins, however deep it is wrapped.
    pub fn of(error: &kube::Error) -> Self {
        if let kube::Error::Auth(auth) = error {
            return Self::Credentials(clean(&auth.to_string(), SHOWN));
        }
        let causes = || std::iter::successors(Some(error as &(dyn Error + 'static)), |e| deeper(*e));
        if let Some(tls) = causes().find_map(|e| e.downcast_ref::<rustls::Error>()) {
            return Self::Unreachable(format!("no TLS with it: {}", clean(&tls.to_string(), SHOWN)));
        }
        let io = || causes().filter_map(|e| e.downcast_ref::<io::Error>()).map(io::Error::kind);
        if io().any(|kind| kind == io::ErrorKind::ConnectionRefused) {
            return Self::Refused;
        }
        if io().any(|kind| kind == io::ErrorKind::TimedOut) {
            return Self::Late;
        }
        let innermost = causes().last().map(ToString::to_string).unwrap_or_default();
        Self::Unreachable(clean(&innermost, SHOWN))
    }

    /// What a status other than success means, with the body that came with it.
    pub fn said(code: u16, body: &[u8]) -> Self {
        let message = status_message(body).unwrap_or_else(|| clean(&String::from_utf8_lossy(body), SHOWN));
        match code {
            401 => Self::Credentials(message),
            403 => Self::Denied(message),
            404 => Self::NotFound(message),
            410 => Self::Gone,
            _ => Self::Status { code, message },
        }
    }
}

/// The message of a body that is a Kubernetes `Status`; nothing where somebody else wrote it.
pub(crate) fn status_message(body: &[u8]) -> Option<String> {
    let status: Value = serde_json::from_slice(body).ok()?;
    (status["kind"] == "Status").then(|| clean(status["message"].as_str().unwrap_or_default(), SHOWN))
}

/// What an error was caused by, or what it carries inside.
fn deeper<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(inner) => Some(inner),
        None => error.source(),
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Late => f.write_str("the API server does not answer in time"),
            Self::Refused => f.write_str("the API server refuses connections: is it up, and is its address right?"),
            Self::Unreachable(why) => write!(f, "the API server cannot be reached: {why}"),
            Self::Credentials(why) if why.is_empty() => f.write_str("the API server does not know us: log in again"),
            Self::Credentials(why) => write!(f, "the API server does not know us: {why}; log in again"),
            Self::Denied(why) => write!(f, "not allowed: {why}"),
            Self::NotFound(why) => write!(f, "not found: {why}"),
            Self::Gone => f.write_str("the API server has forgotten what was last read"),
            Self::Status { code, message } if message.is_empty() => write!(f, "the API server answers HTTP {code}"),
            Self::Status { code, message } => write!(f, "the API server answers HTTP {code}: {message}"),
            Self::Malformed(why) => write!(f, "the API server's answer cannot be read: {}", clean(why, SHOWN)),
            Self::TooLarge { limit } => write!(f, "the API server's answer is larger than {} MB", limit / 1_000_000),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_told_by_what_it_says_and_anything_else_by_its_code() {
        let status = br#"{"kind":"Status","code":403,"message":"pods is forbidden: User \"x\" cannot list\u001b[2J"}"#;
        let denied = Trouble::said(403, status).to_string();
        assert!(denied.starts_with("not allowed: pods is forbidden") && !denied.contains('\u{1b}'), "{denied}");
        assert_eq!(Trouble::said(410, b""), Trouble::Gone);
        assert_eq!(Trouble::said(502, b"<html>").to_string(), "the API server answers HTTP 502: <html>");
        assert_eq!(status_message(b"{\"kind\":\"List\"}"), None);
    }
}
