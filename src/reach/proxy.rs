//! One GET of one pod's page through the API server. What the server says of itself and what it passes on are told apart.

use std::time::Duration;

use http::Response;
use http::header::{CONTENT_LENGTH, LOCATION};
use kube::client::Body;
use tokio::time::Instant;

use super::millis;
use super::page::{ACCEPTED, Coding};
use super::search::{Blame, Miss};
use crate::apiserver::{self, Client, Trouble};
use crate::domain::Failure;
use crate::text::clean;

/// How much of an error page is read, in bytes.
const ERROR_PAGE_MAX: usize = 16 * 1024;

/// How long the API server gets to show that it answers at all, once a page has not come.
const SIGN_OF_LIFE: Duration = Duration::from_secs(1);

/// Reads the page at `path`, of at most `limit` bytes, into `buffer`.
pub(super) async fn get(
    client: &Client,
    path: &str,
    within: Duration,
    limit: usize,
    buffer: &mut Vec<u8>,
) -> Result<(), Miss> {
    buffer.clear();
    match page(client, path, limit, apiserver::deadline(within), buffer).await {
        Ok(()) => Ok(()),
        Err(Wrong::Miss(miss)) => Err(miss),
        Err(Wrong::Late) => Err(late(client, within).await),
    }
}

/// What came instead of a page.
enum Wrong {
    Miss(Miss),
    /// Nothing in time, from the pod or from the API server.
    Late,
}

impl From<Failure> for Wrong {
    fn from(failure: Failure) -> Self {
        Self::Miss(Miss::Answer(failure))
    }
}

impl Wrong {
    fn lost(failure: Failure, blame: Blame) -> Self {
        Self::Miss(Miss::Lost(failure, blame))
    }
}

async fn page(client: &Client, path: &str, limit: usize, until: Instant, buffer: &mut Vec<u8>) -> Result<(), Wrong> {
    let answer = apiserver::send(client, path, ACCEPTED, until).await.map_err(|trouble| wrong(trouble, false))?;
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
    if matches!(Coding::of(answer.headers())?, Coding::Gzip) {
        return Err(Failure::NotMetrics("packed twice, not as asked".to_owned()).into());
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
        other => Wrong::lost(Failure::Other(other.to_string()), Blame::Neither),
    }
}

/// What an error status means: the pod's own, or the API server's about the way to it.
async fn refusal(code: u16, answer: Response<Body>, until: Instant) -> Wrong {
    let mut page = Vec::new();
    // What could be read of it is looked at, however it ended.
    let _ = apiserver::read(answer.into_body(), ERROR_PAGE_MAX, until, &mut page).await;
    let lower = String::from_utf8_lossy(&page).to_lowercase();
    let by_the_server = apiserver::status_message(&page).is_some();
    if !by_the_server && !lower.starts_with(UNREACHED) {
        return Failure::Status { code, loading: code >= 500 && lower.contains("loading") }.into();
    }
    let trouble = Trouble::said(code, &page);
    match code {
        // A webhook refuses with any code, and no rule mends that.
        403 if !lower.contains("admission webhook") => {
            Wrong::lost(Failure::Other(format!("{trouble}; allow 'get' on 'pods/proxy'")), Blame::Way)
        }
        500.. if lower.contains(UNREACHED) => unreached(&lower, &trouble),
        // Nothing of the way: the login, the pod that is gone, too many requests, a server in trouble.
        401 | 404 | 408..=410 | 429 | 500.. => Wrong::lost(Failure::Other(trouble.to_string()), Blame::Neither),
        // Whatever else it refuses it refuses on this way.
        _ => Wrong::lost(Failure::Other(trouble.to_string()), Blame::Way),
    }
}

/// How the API server begins to say that it did not reach the pod (`k8s.io/apimachinery`, `proxy/upgradeaware.go`).
const UNREACHED: &str = "error trying to reach service";

/// What the API server says of its own attempt to reach the pod, as Go words it.
fn unreached(lower: &str, trouble: &Trouble) -> Wrong {
    let says = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    if says(&["connection refused"]) {
        Wrong::lost(Failure::Refused, Blame::Closed)
    } else if says(&["i/o timeout", "tls handshake timeout"]) {
        // It gives up after 30 s by itself; how long exactly is not said.
        Wrong::lost(Failure::TimedOut { connected: false, after_ms: 30_000 }, Blame::Way)
    } else if says(&["context deadline exceeded", "timeout awaiting response"]) {
        Wrong::lost(Failure::TimedOut { connected: true, after_ms: 30_000 }, Blame::Silent)
    } else if says(&["eof", "connection reset"]) {
        // Somebody was there, and broke off.
        Wrong::lost(Failure::Other(trouble.to_string()), Blame::Silent)
    } else {
        // No route, no tunnel to the node, a network that is not reachable.
        Wrong::lost(Failure::Other(trouble.to_string()), Blame::Way)
    }
}

/// Nothing came in time. A pod that hangs and an API server that hangs look alike from here, and mean different things:
/// so the server is asked for its version, which costs it nothing.
pub(super) async fn late(client: &Client, within: Duration) -> Miss {
    let sign = apiserver::send(client, "/version", "application/json", apiserver::deadline(SIGN_OF_LIFE)).await;
    match sign {
        Ok(_) => Miss::Lost(Failure::TimedOut { connected: true, after_ms: millis(within) }, Blame::Silent),
        Err(trouble) => Miss::Lost(Failure::Other(format!("not known: {trouble}")), Blame::Neither),
    }
}
