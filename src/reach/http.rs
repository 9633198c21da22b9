//! One GET of one metrics page: bounded in time and in size, and every way to go wrong told apart.
//!
//! Owns the HTTP client, its limits and the translation of network errors into [`Failure`]. It does not know what a
//! page says, when to ask next, or how an endpoint was found. Redirects are not followed and cookies not kept: the
//! answer of somebody else would be worse than none. The inflation is done here and not by the client, so that both
//! sides of it have a limit and a broken stream can be told from a cut one.

use std::error::Error;
use std::io;
use std::iter::successors;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION};
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, Response};
use tokio::time::{Instant, timeout_at};

use super::millis;
use super::page::{self, Coding, ERROR_PAGE_MAX};
use crate::clock;
use crate::domain::Failure;
use crate::text::clean;

pub use reqwest::Url;

/// How long a foreign string may be in a message, in characters.
const SHOWN_MAX: usize = 120;

/// How long and how much one attempt may take.
#[derive(Debug, Clone)]
pub struct Settings {
    /// For the whole answer, from the first packet to the last byte of the body.
    pub timeout: Duration,
    /// For name resolution, TCP and TLS together; `timeout` bounds it too.
    pub connect_timeout: Duration,
    /// The largest page, in bytes, counted both as it arrives and after inflation.
    pub max_body: usize,
}

impl Default for Settings {
    /// Four seconds for an answer and two to connect, under the default interval of five; 8 MB, which is twenty
    /// times the page of an engine with eight data-parallel ranks.
    fn default() -> Self {
        Self { timeout: Duration::from_secs(4), connect_timeout: Duration::from_secs(2), max_body: 8_000_000 }
    }
}

/// The HTTP client could not be made, for example because the environment names a proxy that is no URL.
#[derive(Debug, thiserror::Error)]
#[error("no HTTP client can be made: {0}; check the proxy settings in the environment")]
pub struct Unusable(#[from] reqwest::Error);

/// Fetches metrics pages over kept connections. Cloning is cheap and shares the connections.
#[derive(Debug, Clone)]
pub struct Fetcher {
    /// For this machine itself, where a port-forward or a local engine listens: never through a proxy.
    near: Client,
    /// For everything else: through the proxy that the environment names, if it names one.
    far: Client,
    settings: Settings,
}

impl Fetcher {
    /// Makes the client; the process's TLS provider is installed if nobody has done it yet.
    pub fn new(settings: Settings) -> Result<Self, Unusable> {
        // An error says that one is installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = |proxied: bool, trusting: bool| {
            let builder = client(&settings);
            let builder = if proxied { builder } else { builder.no_proxy() };
            if trusting { builder.build() } else { builder.tls_certs_only([]).build() }
        };
        // A bare container may have no certificates at all: then https:// is not trusted, and http:// still works.
        let near = client(false, true).or_else(|_| client(false, false))?;
        let far = client(true, true).or_else(|_| client(true, false))?;
        Ok(Self { near, far, settings })
    }

    /// One for pods' addresses, which are never asked for through a proxy: it would answer in the pod's place.
    pub(super) fn for_pods(settings: Settings) -> Result<Self, Unusable> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        // There is no TLS on this way, and so nobody to trust.
        let plain = client(&settings).no_proxy().tls_certs_only([]).build()?;
        Ok(Self { near: plain.clone(), far: plain, settings })
    }

    /// Reads the page at `url` into `buffer`, whose old contents are dropped and whose room is used again.
    ///
    /// On success the buffer holds one complete page, inflated, and not yet known to be metrics. On failure its
    /// contents mean nothing. Dropping the future gives the attempt up and closes its connection.
    pub async fn get(&self, url: &Url, buffer: &mut Vec<u8>) -> Result<(), Failure> {
        self.get_within(url, self.settings.timeout, buffer).await
    }

    /// The same in less time than is usual.
    pub(super) async fn get_within(&self, url: &Url, within: Duration, buffer: &mut Vec<u8>) -> Result<(), Failure> {
        buffer.clear();
        let deadline = Instant::from_std(clock::monotonic()) + within;
        let response = timeout_at(deadline, self.send(url)).await.map_err(|_| late(within))?;
        let response = response.map_err(|error| self.failure(url, &error, Phase::Head))?;
        match response.status().as_u16() {
            200 => {}
            300..=399 if response.headers().contains_key(LOCATION) => return Err(redirected(url, &response)),
            code => {
                let loading = code >= 500 && says_loading(response, deadline).await;
                return Err(Failure::Status { code, loading });
            }
        }
        match Coding::of(response.headers())? {
            Coding::Plain => self.read(response, url, (deadline, within), buffer).await,
            Coding::Gzip => {
                let mut packed = Vec::new();
                self.read(response, url, (deadline, within), &mut packed).await?;
                page::inflate(&packed, self.settings.max_body, buffer)
            }
        }
    }

    /// Sends one request, once: a POST of JSON where there is a body, else a GET. Any status is an answer; the caller has
    /// the deadline.
    pub(super) async fn ask(
        &self,
        url: &Url,
        body: Option<String>,
        key: Option<&str>,
        headers: &[(&'static str, String)],
    ) -> Result<Response, Failure> {
        let client = if is_loopback(url) { &self.near } else { &self.far };
        let request = match body {
            Some(json) => client.post(url.clone()).header(CONTENT_TYPE, "application/json").body(json),
            None => client.get(url.clone()),
        };
        // What is read as it comes is not to be packed.
        let request = request.header(ACCEPT_ENCODING, "identity").header(ACCEPT, "text/event-stream, application/json");
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, value));
        let request = if let Some(key) = key { request.bearer_auth(key) } else { request };
        let answer = request.send().await.map_err(|error| self.failure(url, &error, Phase::Head))?;
        if answer.status().is_redirection() {
            return Err(redirected(url, &answer));
        }
        Ok(answer)
    }

    /// Asks once, and a second time where the server closed the connection without a word: it may have been a kept
    /// one that was just being closed (uvicorn does after 5 s, which is also our interval), and a GET does no harm.
    async fn send(&self, url: &Url) -> reqwest::Result<Response> {
        let client = if is_loopback(url) { &self.near } else { &self.far };
        match client.get(url.clone()).send().await {
            Err(error) if !error.is_connect() && broke_off(&error) => client.get(url.clone()).send().await,
            answer => answer,
        }
    }

    /// Reads the body as it comes over the wire, and stops as soon as it is too large.
    async fn read(
        &self,
        mut response: Response,
        url: &Url,
        (deadline, within): (Instant, Duration),
        into: &mut Vec<u8>,
    ) -> Result<(), Failure> {
        let limit = self.settings.max_body;
        let announced = response.content_length().map_or(0, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        if announced > limit {
            return Err(Failure::TooLarge { limit });
        }
        into.reserve(announced);
        loop {
            match timeout_at(deadline, response.chunk()).await {
                Err(_) => return Err(late(within)),
                Ok(Err(error)) => return Err(self.failure(url, &error, Phase::Body)),
                Ok(Ok(None)) => return Ok(()),
                Ok(Ok(Some(chunk))) if chunk.len() > limit - into.len() => return Err(Failure::TooLarge { limit }),
                Ok(Ok(Some(chunk))) => into.extend_from_slice(&chunk),
            }
        }
    }

    /// What a network error means. The most telling cause wins, however deep the client has wrapped it.
    fn failure(&self, url: &Url, error: &reqwest::Error, phase: Phase) -> Failure {
        let host = host(url);
        if let Some(tls) = cause::<rustls::Error>(error) {
            return Failure::Other(tls_sentence(&host, tls));
        }
        if cause::<Unresolved>(error).is_some() {
            return Failure::Other(format!("'{host}' has no address here: check the name, or where it is asked from"));
        }
        if io_causes(error).any(|io| io.kind() == io::ErrorKind::ConnectionRefused) {
            return Failure::Refused;
        }
        if error.is_timeout() {
            let Settings { timeout, connect_timeout, .. } = self.settings;
            let connected = !error.is_connect();
            let after = if connected { timeout } else { connect_timeout.min(timeout) };
            return Failure::TimedOut { connected, after_ms: millis(after) };
        }
        if phase == Phase::Body && broke_off(error) {
            return Failure::Cut;
        }
        Failure::Other(sentence(&host, error))
    }
}

/// The connection stood, or was a kept one that nothing spoke against, and the time is over.
fn late(within: Duration) -> Failure {
    Failure::TimedOut { connected: true, after_ms: millis(within) }
}

/// Which part of an answer was awaited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The connection, the request and the status line with its headers.
    Head,
    /// The page itself.
    Body,
}

/// A name that could not be turned into an address.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Unresolved(io::Error);

/// The system's resolver, with an error type that can be recognised again.
#[derive(Debug)]
struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found: Vec<SocketAddr> =
                tokio::net::lookup_host((name.as_str(), 0)).await.map_err(Unresolved)?.collect();
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// The client's settings that do not depend on where it asks.
fn client(settings: &Settings) -> ClientBuilder {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static(page::ACCEPTED));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    Client::builder()
        .user_agent(concat!("warroom/", env!("CARGO_PKG_VERSION")))
        .default_headers(headers)
        .redirect(Policy::none())
        .referer(false)
        .connect_timeout(settings.connect_timeout.min(settings.timeout))
        .pool_max_idle_per_host(1)
        .dns_resolver(SystemResolver)
}

/// The URL as it may be shown and written down: without user, password and the values of its query.
pub fn shown(url: &Url) -> String {
    let mut shown = format!("{}://{}{}", url.scheme(), host(url), url.path());
    for (nth, (key, value)) in url.query_pairs().enumerate() {
        shown.push(if nth == 0 { '?' } else { '&' });
        // A key without a value may be the secret itself.
        shown.push_str(if value.is_empty() { "…" } else { &key });
        shown.push_str(if value.is_empty() { "" } else { "=…" });
    }
    clean(&shown, SHOWN_MAX)
}

/// Where a redirect leads, without the secrets that its address may carry.
fn redirected(url: &Url, response: &Response) -> Failure {
    let location = response.headers().get(LOCATION).map(HeaderValue::as_bytes).unwrap_or_default();
    let location = String::from_utf8_lossy(location);
    let to = url.join(&location).map_or_else(|_| clean(&location, SHOWN_MAX), |to| shown(&to));
    Failure::Redirected { to }
}

/// Whether an error page says that a model is being loaded. A page that does not come says no.
async fn says_loading(mut response: Response, deadline: Instant) -> bool {
    let coding = Coding::of(response.headers());
    let mut page = Vec::new();
    while let Ok(Ok(Some(chunk))) = timeout_at(deadline, response.chunk()).await {
        page.extend_from_slice(&chunk[..chunk.len().min(ERROR_PAGE_MAX - page.len())]);
        if page.len() == ERROR_PAGE_MAX {
            break;
        }
    }
    page::says_loading(page, coding.ok())
}

/// Whether the URL names this machine itself.
fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    match bare.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

/// Host and port of a URL as a message names them.
fn host(url: &Url) -> String {
    let host = clean(url.host_str().unwrap_or("no host"), SHOWN_MAX);
    url.port().map_or(host.clone(), |port| format!("{host}:{port}"))
}

/// The error and what it was caused by, outermost first, including what an `io::Error` carries inside.
fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    successors(Some(error as &(dyn Error + 'static)), |error| deeper(*error))
}

/// What an error was caused by, or what it carries inside.
fn deeper<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(inner) => Some(inner),
        None => error.source(),
    }
}

/// The outermost cause of one type.
fn cause<E: Error + 'static>(error: &reqwest::Error) -> Option<&E> {
    causes(error).find_map(|cause| cause.downcast_ref())
}

/// The operating system's errors among the causes.
fn io_causes(error: &reqwest::Error) -> impl Iterator<Item = &io::Error> {
    causes(error).filter_map(|cause| cause.downcast_ref())
}

/// Whether the connection ended where an answer, or the rest of one, should have come.
fn broke_off(error: &reqwest::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    cause::<hyper::Error>(error).is_some_and(|hyper| hyper.is_incomplete_message() || hyper.is_closed())
        || io_causes(error)
            .any(|io| matches!(io.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof))
}

/// What is wrong with TLS, and what to do.
fn tls_sentence(host: &str, error: &rustls::Error) -> String {
    let what = clean(&error.to_string(), SHOWN_MAX);
    match error {
        rustls::Error::InvalidCertificate(_) => {
            format!("the certificate of '{host}' is not trusted here: {what}; add its authority to this machine's")
        }
        rustls::Error::InvalidMessage(_) => format!("'{host}' does not speak TLS: try http:// instead of https://"),
        _ => format!("no TLS with '{host}': {what}"),
    }
}

/// What went wrong in one sentence, with the host and what to do, for all that has no kind of its own.
fn sentence(host: &str, error: &reqwest::Error) -> String {
    use io::ErrorKind::{HostUnreachable, NetworkUnreachable};
    /// Linux and macOS number them alike: this process, or the whole machine, has no file descriptor left.
    const OUT_OF_FILES: [i32; 2] = [24, 23];
    if io_causes(error).any(|io| io.raw_os_error().is_some_and(|code| OUT_OF_FILES.contains(&code))) {
        return format!("too many open files to reach '{host}': raise `ulimit -n`");
    }
    if io_causes(error).any(|io| matches!(io.kind(), HostUnreachable | NetworkUnreachable)) {
        return format!("there is no route to '{host}' from here: ask from inside its network or forward its port");
    }
    if !error.is_connect() && broke_off(error) {
        return format!("'{host}' closed the connection without an answer: see its log, or whether the port is right");
    }
    if cause::<hyper::Error>(error).is_some_and(hyper::Error::is_parse) {
        return format!("'{host}' does not answer in HTTP: check the port, or try https://");
    }
    let innermost = causes(error).last().map(ToString::to_string).unwrap_or_default();
    format!("'{host}' could not be read: {}", clean(&innermost, SHOWN_MAX))
}

#[cfg(test)]
mod tests {
    use super::{Url, host, is_loopback, shown};

    fn url(text: &str) -> Url {
        text.parse().expect("a URL")
    }

    #[test]
    fn a_shown_url_has_no_user_no_password_and_no_values() {
        assert_eq!(shown(&url("http://me:s3cret@gpu-1:8000/metrics")), "http://gpu-1:8000/metrics");
        assert_eq!(shown(&url("https://x/m?token=s3cret&name[]=a#s3cret")), "https://x/m?token=…&name[]=…");
        assert_eq!(shown(&url("http://[::1]:9/")), "http://[::1]:9/");
        assert_eq!(shown(&url("http://x/?s3cret&%1b[2J=1")), "http://x/?…&·[2J=…");
    }

    #[test]
    fn this_machine_is_recognised_by_name_and_by_number() {
        for near in ["http://localhost/", "http://a.localhost:1/", "http://127.9.9.9/", "http://[::1]:8000/"] {
            assert!(is_loopback(&url(near)), "{near}");
        }
        for far in ["http://10.0.0.1/", "http://localhost.example.org/", "http://[fd00::1]/"] {
            assert!(!is_loopback(&url(far)), "{far}");
        }
    }

    #[test]
    fn a_message_names_host_and_port_and_never_the_user() {
        assert_eq!(host(&url("http://me:s3cret@gpu-1:8000/metrics")), "gpu-1:8000");
    }
}
