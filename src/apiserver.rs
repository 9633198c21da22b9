//! One conversation with a Kubernetes API server: the client, one bounded GET, a stream of lines, and what went wrong in
//! words. Knows no resource and no schedule: `source` asks through it for objects, `reach` for the pages of pods.
//!
//! The client itself has no read timeout, and it would retry what is overloaded for minutes: every call here has a
//! deadline, and [`connect::client`] turns the retries off.

mod client;
pub mod connect;
mod proxies;
mod trouble;

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::BoxStream;
use http::header::ACCEPT;
use http::{Request, Response};
use hyper::body::{Body as _, Bytes};
use kube::client::Body;
use tokio::time::{Instant, timeout_at};

use crate::clock;

pub use client::Client;
pub use proxies::Proxies;
pub use trouble::Trouble;
pub(crate) use trouble::status_message;

/// How much of an answer that is an error is read, in bytes.
const ERROR_MAX: usize = 16 * 1024;

/// The moment `within` from now, for [`whole`] and [`open`].
pub fn deadline(within: Duration) -> Instant {
    Instant::from_std(clock::monotonic()) + within
}

/// Sends a GET; any status is an answer.
pub async fn send(client: &Client, path: &str, accept: &str, until: Instant) -> Result<Response<Body>, Trouble> {
    let request = Request::get(path)
        .header(ACCEPT, accept)
        .body(Body::empty())
        .map_err(|_| Trouble::Malformed("its address holds characters that no URL may hold".to_owned()))?;
    timeout_at(until, client.send(request)).await.map_err(|_| Trouble::Late)?
}

/// Sends a GET; only a success is an answer, and everything else what the server says about it.
pub async fn open(client: &Client, path: &str, until: Instant) -> Result<Response<Body>, Trouble> {
    let answer = send(client, path, "application/json", until).await?;
    if answer.status().is_success() {
        return Ok(answer);
    }
    let code = answer.status().as_u16();
    let mut said = Vec::new();
    // What could be read of it says more than nothing.
    let _ = read(answer.into_body(), ERROR_MAX, until, &mut said).await;
    Err(Trouble::said(code, &said))
}

/// GETs one JSON document of at most `limit` bytes.
pub async fn whole(client: &Client, path: &str, limit: usize, until: Instant) -> Result<serde_json::Value, Trouble> {
    let answer = open(client, path, until).await?;
    let mut bytes = Vec::new();
    read(answer.into_body(), limit, until, &mut bytes).await?;
    serde_json::from_slice(&bytes).map_err(|error| Trouble::Malformed(error.to_string()))
}

/// Reads a body to its end, into what `into` holds already.
pub async fn read(body: Body, limit: usize, until: Instant, into: &mut Vec<u8>) -> Result<(), Trouble> {
    let mut chunks = Chunks::Body(body);
    while let Some(chunk) = timeout_at(until, chunks.next()).await.map_err(|_| Trouble::Late)?? {
        if chunk.len() > limit.saturating_sub(into.len()) {
            return Err(Trouble::TooLarge { limit });
        }
        into.extend_from_slice(&chunk);
    }
    Ok(())
}

/// A body, piece by piece.
enum Chunks {
    /// Of an answer of the API server.
    Body(Body),
    /// Of somebody else's.
    Stream(BoxStream<'static, Result<Bytes, Trouble>>),
}

impl Chunks {
    async fn next(&mut self) -> Result<Option<Bytes>, Trouble> {
        loop {
            let body = match self {
                Self::Body(body) => body,
                Self::Stream(stream) => return stream.next().await.transpose(),
            };
            let frame = poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await;
            match frame {
                None => return Ok(None),
                Some(Err(error)) => return Err(Trouble::of(&error)),
                // Trailers say nothing that is of interest here.
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
            }
        }
    }
}

/// The lines of a body that does not end: a watch, a log.
pub struct Lines {
    chunks: Chunks,
    held: Vec<u8>,
    /// Where the next line begins in `held`.
    from: usize,
    longest: usize,
    /// Whether the rest of an overlong line is being skipped.
    skipping: bool,
    ended: bool,
}

impl Lines {
    /// The lines of this answer; what is longer than `longest` bytes is cut there.
    pub fn of(answer: Response<Body>, longest: usize) -> Self {
        Self::cut(Chunks::Body(answer.into_body()), longest)
    }

    /// The same of bytes that come from somebody else than the API server.
    pub fn of_bytes(bytes: BoxStream<'static, Result<Bytes, Trouble>>, longest: usize) -> Self {
        Self::cut(Chunks::Stream(bytes), longest)
    }

    fn cut(chunks: Chunks, longest: usize) -> Self {
        Self { chunks, held: Vec::new(), from: 0, longest, skipping: false, ended: false }
    }

    /// The next line without its end, and whether it is whole; nothing at the end of the body.
    ///
    /// Nothing is lost where the future is dropped before it is ready.
    pub async fn next(&mut self) -> Result<Option<(Vec<u8>, bool)>, Trouble> {
        loop {
            if let Some(end) = memchr::memchr(b'\n', &self.held[self.from..]) {
                let line = self.held[self.from..self.from + end].to_vec();
                self.from += end + 1;
                if !std::mem::take(&mut self.skipping) {
                    return Ok(Some((line, true)));
                }
                continue;
            }
            self.held.drain(..self.from);
            self.from = 0;
            if self.skipping {
                self.held.clear();
            } else if self.held.len() > self.longest {
                self.skipping = true;
                self.held.truncate(self.longest);
                return Ok(Some((std::mem::take(&mut self.held), false)));
            }
            if self.ended {
                let rest = std::mem::take(&mut self.held);
                return Ok((!rest.is_empty()).then_some((rest, true)));
            }
            match self.chunks.next().await? {
                Some(chunk) => self.held.extend_from_slice(&chunk),
                None => self.ended = true,
            }
        }
    }

    /// Whether a whole line is here already, so that asking for it will not wait.
    pub fn has_more(&self) -> bool {
        memchr::memchr(b'\n', &self.held[self.from..]).is_some()
    }
}
