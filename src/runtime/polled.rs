//! Endpoints that were named one by one, polled without asking Kubernetes anything.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::{Receiver, channel};

use crate::clock::Clock;
use crate::command::check::without_secrets;
use crate::config::Config;
use crate::dialect::Memory;
use crate::domain::{At, Body, Observation, Role};
use crate::reach::Way;
use crate::reach::http::{Fetcher, Settings, Url, shown};
use crate::source::engine::Decoder;
use crate::source::poll::Poller;
use crate::text::clean;

/// Readings that wait to be taken in; more make the poller wait.
const WAITING: usize = 256;

/// Polls these pages for as long as somebody listens.
pub(super) fn poll(
    urls: &[(Role, String)],
    config: &Config,
    decoder: Decoder,
) -> Result<Receiver<Observation>, String> {
    let endpoints = urls.iter().map(|(_, text)| url(text)).collect::<Result<Vec<_>, _>>()?;
    let names: Vec<Arc<str>> = endpoints.iter().map(|url| shown(url).into()).collect();
    let timeout = config.scrape.timeout;
    let settings = Settings { timeout, connect_timeout: timeout.min(Duration::from_secs(2)), ..Settings::default() };
    let fetcher = Fetcher::new(settings).map_err(|error| error.to_string())?;
    let poller = Poller {
        endpoints: endpoints.into_iter().map(|url| Way::direct(&fetcher, url)).collect(),
        interval: config.scrape.interval,
        concurrency: usize::from(config.scrape.concurrency),
        clock: Clock::Wall,
    };
    let memories: Vec<Mutex<Memory>> = urls.iter().map(|_| Mutex::default()).collect();
    let decode = move |endpoint: usize, page: &[u8]| {
        let mut memory = memories[endpoint].lock().unwrap_or_else(PoisonError::into_inner);
        decoder.decode(page, &mut memory)
    };
    let (sender, receiver) = channel(WAITING);
    let (attempted, mut attempts) = channel(WAITING);
    tokio::spawn(poller.run(decode, attempted));
    let known: Vec<(Arc<str>, Role)> = names.iter().cloned().zip(urls.iter().map(|(role, _)| *role)).collect();
    tokio::spawn(async move {
        let now = At(crate::clock::unix_ms());
        for (name, role) in known {
            let reproduce = format!("curl -s '{}'", name.replace('\'', "%27"));
            let body = Body::Endpoint { name, role, reproduce, placement: None };
            if sender.send(Observation { at: now, body }).await.is_err() {
                return;
            }
        }
        while let Some(attempt) = attempts.recv().await {
            let body = Body::Page { endpoint: Arc::clone(&names[attempt.endpoint]), page: attempt.body };
            if sender.send(Observation { at: At(attempt.sent_ms), body }).await.is_err() {
                return;
            }
        }
    });
    Ok(receiver)
}

/// A URL of a metrics page, or why it is none.
pub(super) fn url(text: &str) -> Result<Url, String> {
    let wrong = |why: &str| {
        let shown = clean(&without_secrets(text), 120);
        format!("'{shown}' is no URL of a metrics page ({why}); give one like http://10.0.0.7:8000/metrics")
    };
    let url = Url::parse(text).map_err(|error| wrong(&error.to_string()))?;
    match url.scheme() {
        "http" | "https" if url.has_host() => Ok(url),
        scheme => Err(wrong(&format!("its scheme is '{}'", clean(scheme, 20)))),
    }
}
