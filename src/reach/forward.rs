//! Pages through a port-forward: one stream through the API server and the node's kubelet into the pod, kept open, and
//! HTTP/1.1 through it. It does not know when a page is read or what it says.
//!
//! The stream ends inside of the pod's network, at 127.0.0.1: it leads to ports that listen there alone, and through
//! networks in which the API server reaches kubelets and no pods.

mod stream;

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_LENGTH, HOST, LOCATION, USER_AGENT};
use http::{Request, Response};
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use kube::client::Body;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use super::page::{self, ACCEPTED, Coding, ERROR_PAGE_MAX};
use super::search::{Blame, Miss};
use super::{millis, proxy};
use crate::apiserver::{Client, deadline};
use crate::domain::Failure;
use crate::text::clean;
use stream::Stream;

/// How much of what the kubelet says is shown, in characters.
const SHOWN: usize = 200;

/// Whose port, and how much of a page is read.
#[derive(Debug)]
pub(super) struct Port<'a> {
    pub(super) namespace: &'a str,
    pub(super) pod: &'a str,
    pub(super) number: u16,
    pub(super) page: &'a str,
    pub(super) limit: usize,
}

/// An open forward; it closes when it is dropped.
pub(super) struct Forward {
    stream: Stream,
    sender: SendRequest<Body>,
    connection: JoinHandle<()>,
    /// The place of a forward that may be kept; without one it closes after a page.
    place: Option<OwnedSemaphorePermit>,
}

impl Drop for Forward {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

/// How a request went wrong.
enum Wrong {
    Miss(Miss),
    /// The stream ended before an answer began.
    Broken,
    /// Nothing in time.
    Late,
}

impl From<Failure> for Wrong {
    fn from(failure: Failure) -> Self {
        Self::Miss(Miss::Answer(failure))
    }
}

/// Reads the page into `buffer` through the forward that is kept, or through a new one; keeps it where `place` allows.
pub(super) async fn get(
    client: &Client,
    port: &Port<'_>,
    within: Duration,
    kept: &mut Option<Forward>,
    place: impl FnOnce() -> Option<OwnedSemaphorePermit>,
    buffer: &mut Vec<u8>,
) -> Result<(), Miss> {
    let until = deadline(within);
    let mut place = Some(place);
    // What is given up in the middle of an answer is in no state to be used again, and so it is taken out first.
    let mut old = kept.take().filter(|forward| !forward.sender.is_closed());
    loop {
        let is_old = old.is_some();
        let mut forward = if let Some(forward) = old.take() {
            forward
        } else {
            let place = place.take().and_then(|place| place());
            match timeout_at(until, open(client, port, place)).await {
                Ok(opened) => opened?,
                Err(_) => return Err(late_to_open(client, within).await),
            }
        };
        let mark = forward.stream.mark();
        let got = {
            let mut getting = std::pin::pin!(request(&mut forward.sender, port, until, buffer));
            if let Ok(got) = timeout_at(until - within / 2, &mut getting).await {
                got
            } else {
                // Whether it is the stream or the engine that hangs is told by a sign of life of the kubelet.
                forward.stream.asks_for_a_sign();
                getting.await
            }
        };
        match got {
            Ok(()) => {
                *kept = Some(forward).filter(|f| f.place.is_some());
                return Ok(());
            }
            // An engine closes what was idle for some seconds, and a balancer what was for some minutes: that is no
            // trouble, and a GET does no harm.
            Err(Wrong::Broken) if is_old && forward.stream.trouble().is_none() => {}
            Err(Wrong::Broken) => return Err(broken(forward.stream.trouble())),
            Err(Wrong::Late) if forward.stream.has_answered(mark) => {
                let failure = Failure::TimedOut { connected: true, after_ms: millis(within) };
                return Err(Miss::Lost(failure, Blame::Silent));
            }
            Err(Wrong::Late) => {
                let failure = "not known: the port-forward has fallen silent on its way; it is opened anew".to_owned();
                return Err(Miss::Lost(Failure::Other(failure), Blame::Neither));
            }
            Err(Wrong::Miss(miss)) => {
                // Its connection may have been read to the end, and then it is as good as before.
                *kept = Some(forward).filter(|f| f.place.is_some() && f.sender.is_ready());
                return Err(miss);
            }
        }
    }
}

async fn open(client: &Client, port: &Port<'_>, place: Option<OwnedSemaphorePermit>) -> Result<Forward, Miss> {
    let (stream, near) = stream::open(client, port.namespace, port.pod, port.number).await?;
    let (sender, connection) = http1::handshake(TokioIo::new(near))
        .await
        .map_err(|error| Miss::Lost(Failure::Other(clean(&error.to_string(), 120)), Blame::Silent))?;
    let connection = tokio::spawn(async move {
        // Whoever waits for an answer is told of its end.
        let _ = connection.await;
    });
    Ok(Forward { stream, sender, connection, place })
}

/// Nobody opens the stream. It is the kubelet that opens it, whatever the pod does.
async fn late_to_open(client: &Client, within: Duration) -> Miss {
    match proxy::late(client, within).await {
        Miss::Lost(Failure::TimedOut { after_ms, .. }, _) => {
            Miss::Lost(Failure::TimedOut { connected: false, after_ms }, Blame::Way)
        }
        miss => miss,
    }
}

/// The stream ended without an answer: what the kubelet says of it, as Go words it.
fn broken(trouble: Option<String>) -> Miss {
    match trouble {
        Some(said) if said.contains("connection refused") => Miss::Lost(Failure::Refused, Blame::Closed),
        // What is wrong stands at its end.
        Some(said) => {
            let skipped = said.chars().count().saturating_sub(SHOWN);
            let end: String = said.chars().skip(skipped).collect();
            Miss::Lost(Failure::Other(format!("the kubelet says: {end}")), Blame::Silent)
        }
        None => Miss::Lost(
            Failure::Other("the port-forward was closed without an answer: see the engine's log".to_owned()),
            Blame::Silent,
        ),
    }
}

/// Asks for the page, and reads it.
async fn request(
    sender: &mut SendRequest<Body>,
    port: &Port<'_>,
    until: Instant,
    buffer: &mut Vec<u8>,
) -> Result<(), Wrong> {
    buffer.clear();
    let request = Request::get(port.page)
        .header(HOST, format!("localhost:{}", port.number))
        .header(USER_AGENT, concat!("warroom/", env!("CARGO_PKG_VERSION")))
        .header(ACCEPT, ACCEPTED)
        .header(ACCEPT_ENCODING, "gzip")
        .body(Body::empty())
        .map_err(|_| Failure::Other("its address holds characters that no URL may hold".to_owned()))?;
    let asking = async {
        sender.ready().await?;
        sender.send_request(request).await
    };
    let answer = timeout_at(until, asking).await.map_err(|_| Wrong::Late)?.map_err(|e| head_failed(&e))?;
    match answer.status().as_u16() {
        200 => {}
        300..=399 if answer.headers().contains_key(LOCATION) => {
            let to = String::from_utf8_lossy(answer.headers()[LOCATION].as_bytes()).into_owned();
            return Err(Failure::Redirected { to: clean(to.split('?').next().unwrap_or_default(), 120) }.into());
        }
        code => {
            let loading = code >= 500 && says_loading(answer, until).await;
            return Err(Failure::Status { code, loading }.into());
        }
    }
    match Coding::of(answer.headers())? {
        Coding::Plain => read(answer, port.limit, until, buffer).await,
        Coding::Gzip => {
            let mut packed = Vec::new();
            read(answer, port.limit, until, &mut packed).await?;
            Ok(page::inflate(&packed, port.limit, buffer)?)
        }
    }
}

/// What an error before an answer means.
fn head_failed(error: &hyper::Error) -> Wrong {
    if error.is_parse() {
        return Wrong::from(Failure::Other("it does not answer in HTTP: check the port".to_owned()));
    }
    Wrong::Broken
}

/// Reads a body to its end, and stops as soon as it is too large.
async fn read(answer: Response<Incoming>, limit: usize, until: Instant, into: &mut Vec<u8>) -> Result<(), Wrong> {
    let announced = answer.headers().get(CONTENT_LENGTH).and_then(|l| l.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|bytes| bytes > limit) {
        return Err(Failure::TooLarge { limit }.into());
    }
    let mut body = answer.into_body();
    loop {
        let frame = timeout_at(until, poll_fn(|context| Pin::new(&mut body).poll_frame(context))).await;
        match frame.map_err(|_| Wrong::Late)? {
            None => return Ok(()),
            Some(Err(_)) => return Err(Failure::Cut.into()),
            Some(Ok(frame)) => {
                // Trailers say nothing that is of interest here.
                let Ok(data) = frame.into_data() else { continue };
                if data.len() > limit - into.len() {
                    return Err(Failure::TooLarge { limit }.into());
                }
                into.extend_from_slice(&data);
            }
        }
    }
}

/// Whether an error page says that a model is being loaded. A page that does not come says no.
async fn says_loading(answer: Response<Incoming>, until: Instant) -> bool {
    let (coding, mut page) = (Coding::of(answer.headers()), Vec::new());
    // What could be read of it is looked at, however it ended.
    let _ = read(answer, ERROR_PAGE_MAX, until, &mut page).await;
    page::says_loading(page, coding.ok())
}
