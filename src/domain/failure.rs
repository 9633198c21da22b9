//! Why a source had no answer: data for the diagnosis, not an error to raise.

use std::fmt;

/// Why one attempt to read a source brought nothing that can be used.
///
/// The distinction matters to the verdict: a refusal is a process that loads or has crashed, an answer that never
/// comes after the connection stood is a process that hangs, and everything else says nothing about the engine.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// Nobody listens: the process is starting, loading its model, or gone. HTTP alone cannot tell which.
    Refused,
    /// The connection could not be made in time; `connected` is true where it stood and the answer never came.
    TimedOut {
        /// Whether the peer had accepted the connection (or that is not known to be otherwise).
        connected: bool,
        /// How long was waited, in milliseconds.
        after_ms: u64,
    },
    /// The server answered with this HTTP status and not with a page; `loading` where the body says so (llama.cpp).
    Status {
        /// The HTTP status code.
        code: u16,
        /// Whether the body said that a model is being loaded.
        loading: bool,
    },
    /// The server redirects elsewhere; a scrape does not follow, because the answer would be somebody else's.
    Redirected {
        /// The `Location`, sanitised and bounded.
        to: String,
    },
    /// The body ended before HTTP said that it was complete, or its last line was cut.
    Cut,
    /// The body is larger than `limit` bytes (compressed or not).
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The body is not a metrics page: HTML, JSON, compressed rubbish; what it looked like.
    NotMetrics(String),
    /// A page without any family that is known here; the first names seen, sanitised and bounded.
    NotRecognised(Vec<String>),
    /// Anything else (name resolution, TLS, a reset), in one sentence, sanitised and bounded.
    Other(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused => f.write_str("connection refused: loading or crashed"),
            Self::TimedOut { connected: true, after_ms } => write!(f, "connected, but no answer within {after_ms} ms"),
            Self::TimedOut { connected: false, after_ms } => write!(f, "no connection within {after_ms} ms"),
            Self::Status { code, loading: true } => write!(f, "HTTP {code}: loading its model"),
            Self::Status { code, loading: false } => write!(f, "HTTP {code} instead of a metrics page"),
            Self::Redirected { to } => write!(f, "redirected to '{to}', not followed: give that URL if it is meant"),
            Self::Cut => f.write_str("the page was cut short, so none of it is used"),
            Self::TooLarge { limit } => write!(f, "the page is larger than {} MB", limit / 1_000_000),
            Self::NotMetrics(what) => write!(f, "not a metrics page: {what}"),
            Self::NotRecognised(seen) if seen.is_empty() => {
                f.write_str("engine not recognised: the page has no samples")
            }
            Self::NotRecognised(seen) => write!(f, "engine not recognised: saw {}", seen.join(", ")),
            Self::Other(what) => f.write_str(what),
        }
    }
}
