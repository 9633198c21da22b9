//! What a synthetic request saw: one prompt of our own, a token or a few, through a door that users take too.

use std::sync::Arc;

use super::{Failure, written};

/// Where a synthetic request was sent.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Door {
    /// Where users knock: the URL, without its secrets.
    Gateway(#[serde(with = "written::shared")] Arc<str>),
    /// One replica, by the name of its endpoint.
    Replica(#[serde(with = "written::shared")] Arc<str>),
}

impl Door {
    /// Its name.
    pub fn name(&self) -> &str {
        let (Self::Gateway(name) | Self::Replica(name)) = self;
        name
    }
}

/// How an answer came, by the clock of this machine: the way there and back is in it.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Answered {
    /// Seconds from the request to its first token.
    pub ttft_s: f64,
    /// Mean seconds between tokens; `None` where there was one.
    pub itl_s: Option<f64>,
    /// Tokens that came, as far as an engine sends each in an event of its own.
    pub tokens: u32,
}

/// One synthetic request.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Probed {
    /// Where it was sent.
    pub door: Door,
    /// What came of it.
    pub answer: Result<Answered, Failure>,
}
