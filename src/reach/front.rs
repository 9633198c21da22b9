//! Where requests for tokens are sent: a URL as clients have it, or a pod's port through the API server. One request and
//! one streaming answer, or a [`Failure`] that says what to do. It does not know what is asked, or how often.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use futures::TryStreamExt;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{Method, Request};
use kube::client::Body;
use tokio::time::{Instant, timeout_at};

use super::http::{Fetcher, Url, shown};
use super::proxy_path;
use crate::apiserver::{self, Client, Lines, Trouble};
use crate::domain::Failure;
use crate::text::clean;

/// How much of an answer that is an error is read, in bytes.
const ERROR_MAX: usize = 16 * 1024;

/// The longest line of an answer that comes line by line, in bytes: a token is short.
const LINE_MAX: usize = 4 * 1024 * 1024;

/// The longest key, in bytes.
const KEY_MAX: u64 = 16 * 1024;

/// The base of an OpenAI-compatible API, which ends in `/v1`.
#[derive(Clone)]
pub enum Front {
    /// A URL.
    Direct {
        /// Makes the requests.
        fetcher: Fetcher,
        /// The base.
        base: Url,
        /// The file that holds the bearer token, where one is needed. It is read each time: tokens are renewed.
        key: Option<PathBuf>,
        /// Further headers.
        headers: Vec<(&'static str, String)>,
    },
    /// A pod's port, through the API server.
    Proxy {
        /// Makes the requests.
        client: Client,
        /// The path of the base at the API server.
        base: String,
        /// Further headers, which the API server passes on.
        headers: Vec<(&'static str, String)>,
    },
    /// Nowhere, and why.
    Closed(String),
}

impl Front {
    /// A pod's port, through the API server.
    pub fn pod(client: &Client, namespace: &str, pod: &str, port: u16) -> Self {
        Self::Proxy { client: client.clone(), base: proxy_path(namespace, pod, port, "/v1"), headers: Vec::new() }
    }

    /// A service of the cluster, through the API server; `path` is empty or begins with `/`.
    pub fn service(client: &Client, (namespace, name, port, path): (&str, &str, u16, &str)) -> Self {
        Self::Proxy {
            client: client.clone(),
            base: format!("/api/v1/namespaces/{namespace}/services/{name}:{port}/proxy{path}"),
            headers: Vec::new(),
        }
    }

    /// The same with these headers.
    #[must_use]
    pub fn with(mut self, more: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        if let Self::Direct { headers, .. } | Self::Proxy { headers, .. } = &mut self {
            headers.extend(more);
        }
        self
    }

    /// How it is called on the screen, without secrets.
    pub fn shown(&self) -> String {
        match self {
            Self::Direct { base, .. } => shown(base),
            Self::Proxy { base, .. } => base.clone(),
            Self::Closed(_) => "nowhere".to_owned(),
        }
    }

    /// Sends one request, once: a GET without a body, a POST of JSON with one. The answer is a success, line by line.
    pub async fn ask(&self, what: &str, body: Option<String>, until: Instant) -> Result<Lines, Failure> {
        let sent = timeout_at(until, self.send(what, body, LINE_MAX));
        let (code, lines) = sent.await.map_err(|_| Failure::TimedOut { connected: true, after_ms: 0 })??;
        if (200..300).contains(&code) { Ok(lines) } else { Err(self.refused(code, lines, until).await) }
    }

    /// A URL without a lock.
    pub fn open(fetcher: &Fetcher, base: Url) -> Self {
        Self::Direct { fetcher: fetcher.clone(), base, key: None, headers: Vec::new() }
    }

    /// GETs something whole, of at most `limit` bytes: any status is an answer.
    pub async fn whole(&self, what: &str, limit: usize, until: Instant) -> Result<(u16, Vec<u8>), Failure> {
        let late = |_| Failure::TimedOut { connected: true, after_ms: 0 };
        // An answer of a Prometheus stands on one line.
        let (code, mut lines) = timeout_at(until, self.send(what, None, limit)).await.map_err(late)??;
        let mut body = Vec::new();
        while let Some((line, whole)) =
            timeout_at(until, lines.next()).await.map_err(late)?.map_err(|t| Failure::Other(t.to_string()))?
        {
            body.extend_from_slice(&line);
            body.push(b'\n');
            if !whole || body.len() > limit {
                return Err(Failure::TooLarge { limit });
            }
        }
        Ok((code, body))
    }

    /// The status of an answer, and its body.
    async fn send(&self, what: &str, body: Option<String>, longest: usize) -> Result<(u16, Lines), Failure> {
        match self {
            Self::Direct { fetcher, base, key, headers } => {
                let url = format!("{}/{what}", base.as_str().trim_end_matches('/'));
                let url: Url = url.parse().map_err(|e| Failure::Other(format!("'{}' is no URL: {e}", shown(base))))?;
                let key = match key {
                    Some(file) => Some(bearer(file).await?),
                    None => None,
                };
                let answer = fetcher.ask(&url, body, key.as_deref(), headers).await?;
                let code = answer.status().as_u16();
                let broken = |e: reqwest::Error| Trouble::Unreachable(clean(&e.without_url().to_string(), 200));
                let bytes = answer.bytes_stream().map_err(broken);
                Ok((code, Lines::of_bytes(Box::pin(bytes), longest)))
            }
            Self::Proxy { client, base, headers } => {
                let request = request(&format!("{base}/{what}"), body, headers)?;
                let answer = client.send(request).await.map_err(|trouble| Failure::Other(trouble.to_string()))?;
                Ok((answer.status().as_u16(), Lines::of(answer, longest)))
            }
            Self::Closed(why) => Err(Failure::Other(why.clone())),
        }
    }

    /// What an error means, and what to do about it.
    async fn refused(&self, code: u16, mut lines: Lines, until: Instant) -> Failure {
        let mut said = Vec::new();
        // What could be read of it says more than nothing.
        while let Ok(Ok(Some((line, _)))) = timeout_at(until, lines.next()).await {
            said.extend_from_slice(&line);
            if said.len() > ERROR_MAX {
                break;
            }
        }
        if matches!(self, Self::Proxy { .. }) && apiserver::status_message(&said).is_some() {
            let more = if code == 403 { "; allow 'create' on 'pods/proxy', or give [probe] url" } else { "" };
            return Failure::Other(format!("{}{more}", Trouble::said(code, &said)));
        }
        Failure::Other(match code {
            401 | 403 => format!("HTTP {code}: it wants a key, which the file of [probe] token_file holds"),
            404 => {
                "HTTP 404: no such model or no /v1/completions there; give [probe] url as clients have it".to_owned()
            }
            429 | 503 => format!("HTTP {code}: turned away"),
            _ => format!("HTTP {code} instead of tokens"),
        })
    }
}

impl fmt::Debug for Front {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Front({})", self.shown())
    }
}

/// What a file holds that no header may hold is not sent, and nothing of it is shown.
async fn bearer(file: &Path) -> Result<String, Failure> {
    let shown = clean(&file.display().to_string(), 120);
    let path = file.to_path_buf();
    let read = tokio::task::spawn_blocking(move || {
        let mut text = String::new();
        File::open(path)?.take(KEY_MAX).read_to_string(&mut text).map(|_| text)
    });
    let text = read.await.map_err(io::Error::other).flatten();
    let text = text.map_err(|error| Failure::Other(format!("the key in '{shown}' cannot be read: {error}")))?;
    let key = text.trim();
    if key.is_empty() || !key.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(Failure::Other(format!("'{shown}' holds no key: write it on one line, and nothing else")));
    }
    Ok(key.to_owned())
}

fn request(path: &str, body: Option<String>, headers: &[(&'static str, String)]) -> Result<Request<Body>, Failure> {
    let method = if body.is_some() { Method::POST } else { Method::GET };
    headers
        .iter()
        .fold(Request::builder(), |request, (name, value)| request.header(*name, value))
        .method(method)
        .uri(path)
        .header(ACCEPT, "text/event-stream, application/json")
        .header(CONTENT_TYPE, "application/json")
        .body(body.map_or_else(Body::empty, |body| Body::from(body.into_bytes())))
        .map_err(|_| Failure::Other("its address holds characters that no URL may hold".to_owned()))
}
