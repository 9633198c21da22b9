//! How a pod's port is reached from here: through the API server, through a port-forward, or straight. Knows neither what
//! is read nor when.
//!
//! Whatever the way, one fetch is the same thing: one complete page in a buffer, or a [`Failure`] that says what the
//! *process* did. What the API server says about itself is never taken for the engine's answer: a refusal by the API
//! server is no sign that an engine loads its model.

mod forward;
pub mod front;
pub mod http;
mod page;
mod pod;
mod proxy;
mod search;

use std::sync::Arc;
use std::time::Duration;

use crate::domain::Failure;
use http::{Fetcher, Url};

pub use pod::{PodPage, Ways, Where};

/// How one page is reached.
#[derive(Clone)]
pub enum Way {
    /// Over plain HTTP from here.
    Direct {
        /// Makes the requests.
        fetcher: Fetcher,
        /// Where the page is.
        url: Url,
    },
    /// A pod's page, on the way that leads there.
    Pod(Arc<PodPage>),
}

impl Way {
    /// A page at a URL.
    pub fn direct(fetcher: &Fetcher, url: Url) -> Self {
        Self::Direct { fetcher: fetcher.clone(), url }
    }

    /// A pod's page.
    pub fn pod(page: &Arc<PodPage>) -> Self {
        Self::Pod(Arc::clone(page))
    }

    /// Reads the page into `buffer`, whose old contents are dropped and whose room is used again.
    ///
    /// On success the buffer holds one complete page, inflated, and not yet known to be metrics. On failure its
    /// contents mean nothing. Dropping the future gives the attempt up.
    pub async fn fetch(&self, buffer: &mut Vec<u8>) -> Result<(), Failure> {
        match self {
            Self::Direct { fetcher, url } => fetcher.get(url, buffer).await,
            Self::Pod(page) => page.fetch(buffer).await,
        }
    }
}

impl std::fmt::Debug for Way {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Direct { url, .. } => write!(f, "Direct({})", http::shown(url)),
            Self::Pod(page) => page.fmt(f),
        }
    }
}

/// The path at the API server of a pod's page; `page` begins with `/`.
pub fn proxy_path(namespace: &str, pod: &str, port: u16, page: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/pods/{pod}:{port}/proxy{page}")
}

/// Whole milliseconds of a duration.
fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
