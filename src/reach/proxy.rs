//! One GET of one pod's page through the API server. What the server says of itself and what it passes on are told apart.

use std::time::Duration;

use http::Response;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, LOCATION};
use kube::client::Body;
use tokio::time::Instant;

use super::http::Settings;
use super::millis;
use crate::apiserver::{self, Client, Trouble};
use crate::domain::Failure;
use crate::text::clean;

/// How much of an error page is read, in bytes.
const ERROR_PAGE_MAX: usize = 16 * 1024;

/// How long the API server gets to show that it answers at all, once a page has not come.
const SIGN_OF_LIFE: Duration = Duration::from_secs(1);

/// What the API server takes.
const ACCEPT: &str = "text/plain;version=0.0.4, */*;q=0.1";

/// Reads the page at `path` into `buffer`.
pub(super) async fn get(client: &Client, path: &str, settings: &Settings, buffer: &mut Vec<u8>) -> Result<(), Failure> {
    buffer.clear();
    let deadline = apiserver::deadline(settings.timeout);
    match page(client, path, settings.max_body, deadline, buffer).await {
        Ok(()) => Ok(()),
        Err(Wrong::Failure(failure)) => Err(failure),
        Err(Wrong::Late) => Err(late(client, settings.timeout).await),
    }
}

/// What came instead of a page.
enum Wrong {
    Failure(Failure),
    /// Nothing in time, from the pod or from the API server.
    Late,
}

impl From<Failure> for Wrong {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

async fn page(client: &Client, path: &str, limit: usize, until: Instant, buffer: &mut Vec<u8>) -> Result<(), Wrong> {
    let answer = apiserver::send(client, path, ACCEPT, until).await.map_err(|trouble| wrong(trouble, false))?;
    match answer.status().as_u16() {
        200 => {}
        300..=399 if answer.headers().contains_key(LOCATION) => {
            let to = String::from_utf8_lossy(answer.headers()[LOCATION].as_bytes()).into_owned();
            let to = clean(to.split('?').next().unwrap_or_default(), 120);
            return Err(Failure::Redirected { to }.into());
        }
        code => return Err(refusal(code, answer, until).await),
    }
    // The client has unpacked gzip, and says so by taking the header away.
    if let Some(coding) = answer.headers().get(CONTENT_ENCODING).filter(|c| *c != "identity") {
        let coding = clean(&String::from_utf8_lossy(coding.as_bytes()), 40);
        return Err(Failure::NotMetrics(format!("packed as '{coding}', not as asked")).into());
    }
    let announced = answer.headers().get(CONTENT_LENGTH).and_then(|l| l.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|bytes| bytes > limit) {
        return Err(Failure::TooLarge { limit }.into());
    }
    apiserver::read(answer.into_body(), limit, until, buffer).await.map_err(|trouble| wrong(trouble, true))
}

/// What trouble with the API server means for the page that was asked through it.
fn wrong(trouble: Trouble, in_body: bool) -> Wrong {
    match trouble {
        Trouble::Late => Wrong::Late,
        Trouble::TooLarge { limit } => Failure::TooLarge { limit }.into(),
        Trouble::Unreachable(_) if in_body => Failure::Cut.into(),
        other => Failure::Other(other.to_string()).into(),
    }
}

/// What an error status means: the pod's own, or the API server's about the way to it.
async fn refusal(code: u16, answer: Response<Body>, until: Instant) -> Wrong {
    let mut page = Vec::new();
    // What could be read of it is looked at, however it ended.
    let _ = apiserver::read(answer.into_body(), ERROR_PAGE_MAX, until, &mut page).await;
    let lower = String::from_utf8_lossy(&page).to_lowercase();
    let by_the_server = serde_json::from_slice::<serde_json::Value>(&page).is_ok_and(|body| body["kind"] == "Status");
    if !by_the_server && !lower.starts_with("error trying to reach service") {
        return Failure::Status { code, loading: code >= 500 && lower.contains("loading") }.into();
    }
    let trouble = Trouble::said(code, &page);
    match code {
        403 => Failure::Other(format!("{trouble}; allow 'get' on 'pods/proxy'")).into(),
        500.. => unreached(&lower, &trouble),
        _ => Failure::Other(trouble.to_string()).into(),
    }
}

/// What the API server says of its own attempt to reach the pod, as Go words it.
fn unreached(lower: &str, trouble: &Trouble) -> Wrong {
    let says = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    if says(&["connection refused"]) {
        Failure::Refused.into()
    } else if says(&["i/o timeout", "tls handshake timeout"]) {
        // It gives up after 30 s by itself; how long exactly is not said.
        Failure::TimedOut { connected: false, after_ms: 30_000 }.into()
    } else if says(&["context deadline exceeded", "timeout awaiting response"]) {
        Failure::TimedOut { connected: true, after_ms: 30_000 }.into()
    } else {
        Failure::Other(trouble.to_string()).into()
    }
}

/// Nothing came in time. A pod that hangs and an API server that hangs look alike from here, and mean different things:
/// so the server is asked for its version, which costs it nothing.
async fn late(client: &Client, timeout: Duration) -> Failure {
    let sign = apiserver::send(client, "/version", "application/json", apiserver::deadline(SIGN_OF_LIFE)).await;
    match sign {
        Ok(_) => Failure::TimedOut { connected: true, after_ms: millis(timeout) },
        Err(trouble) => Failure::Other(format!("not known: {trouble}")),
    }
}
