//! How a pod's port is reached from here: straight, or through the API server. Knows neither what is read nor when.
//!
//! Whatever the way, one fetch is the same thing: one complete page in a buffer, or a [`Failure`] that says what the
//! *process* did. What the API server says about itself is never taken for the engine's answer: a refusal by the API
//! server is no sign that an engine loads its model.

pub mod budget;
pub mod front;
pub mod http;
mod proxy;

use std::time::Duration;

use crate::apiserver::Client;
use crate::domain::Failure;
use http::{Fetcher, Settings, Url};

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
    /// Through the API server, which forwards a GET to the pod.
    Proxy {
        /// Makes the requests; without retries of its own, as [`crate::apiserver::connect::client`] makes it.
        client: Client,
        /// The path at the API server.
        path: String,
        /// How long and how much one attempt may take.
        settings: Settings,
    },
}

impl Way {
    /// A page at a URL.
    pub fn direct(fetcher: &Fetcher, url: Url) -> Self {
        Self::Direct { fetcher: fetcher.clone(), url }
    }

    /// A page of a pod, through the API server.
    pub fn proxy(client: &Client, namespace: &str, pod: &str, port: u16, page: &str, settings: &Settings) -> Self {
        Self::Proxy { client: client.clone(), path: proxy_path(namespace, pod, port, page), settings: settings.clone() }
    }

    /// Reads the page into `buffer`, whose old contents are dropped and whose room is used again.
    ///
    /// On success the buffer holds one complete page, inflated, and not yet known to be metrics. On failure its
    /// contents mean nothing. Dropping the future gives the attempt up.
    pub async fn fetch(&self, buffer: &mut Vec<u8>) -> Result<(), Failure> {
        match self {
            Self::Direct { fetcher, url } => fetcher.get(url, buffer).await,
            Self::Proxy { client, path, settings } => proxy::get(client, path, settings, buffer).await,
        }
    }
}

impl std::fmt::Debug for Way {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Direct { url, .. } => write!(f, "Direct({})", http::shown(url)),
            Self::Proxy { path, .. } => write!(f, "Proxy({path})"),
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
