//! `warroom check`: reads the sources that were named, diagnoses once, and says how the process is to end.

use std::panic::resume_unwind;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc::Receiver;

use super::told::{news, prometheus, to_be_asked};
use crate::clock::{self, Clock};
use crate::config::Config;
use crate::diagnosis::{Diagnosis, Policy, Target, Targets, diagnose};
use crate::dialect::{Catalogue, DialectError, Memory};
use crate::domain::{At, Body, Observation, Page, Role, Snapshot, Verdict, WorkloadRef};
use crate::reach::Way;
use crate::reach::front::Front;
use crate::reach::http::{Fetcher, Settings, Unusable, Url, shown};
use crate::source::engine::Decoder;
use crate::source::pages::{PagesError, Recording};
use crate::source::poll::{Attempt, Poller};
use crate::source::probe::{Knock, Prober};
use crate::text::clean;

/// What decides objectives is not how long they are watched.
const WINDOW: Duration = Duration::from_mins(5);

/// What `check` was asked to read.
#[derive(Debug)]
pub enum Sources {
    /// Pages to poll, and for how long.
    Live {
        /// Where they are.
        engines: Vec<String>,
        /// How long.
        watch: Duration,
    },
    /// Recorded pages, and the moment to judge.
    Recorded {
        /// One directory per endpoint.
        directories: Vec<PathBuf>,
        /// `+40s`, a time, or the end.
        at: Option<String>,
    },
    /// What an open session delivers, and for how long it is listened to.
    Session {
        /// What is judged.
        target: WorkloadRef,
        /// What is delivered, in order.
        deliveries: Receiver<Observation>,
        /// What dates it.
        clock: Clock,
        /// How far apart the readings are meant to be, by that clock.
        interval: Duration,
        /// How long, by that clock.
        watch: Duration,
    },
}

/// Why nothing could be diagnosed.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// Nothing was named.
    #[error(
        "there is nothing to read: give a TARGET such as deploy/x, --engine URL (repeatable) or --pages DIR (repeatable)"
    )]
    NothingToRead,
    /// A URL is none.
    #[error("'{url}' is no URL of a metrics page ({why}); give one like http://10.0.0.7:8000/metrics")]
    Url {
        /// As typed, cleaned.
        url: String,
        /// What is wrong.
        why: String,
    },
    /// A moment cannot be understood.
    #[error(
        "--at '{at}' is no moment: give +40s (from the first page), a time like 2026-06-08T03:14:07Z, or unix milliseconds"
    )]
    At {
        /// As typed, cleaned.
        at: String,
    },
    /// A moment of which nothing is recorded yet.
    #[error(
        "--at '{at}' is before anything that was recorded: the earliest is at {first}, give that moment or a later one"
    )]
    TooEarly {
        /// As typed, cleaned.
        at: String,
        /// The earliest page or failure.
        first: String,
    },
    /// A recording cannot be used.
    #[error(transparent)]
    Pages(#[from] PagesError),
    /// A dialect or an alias is wrong.
    #[error(transparent)]
    Dialect(#[from] DialectError),
    /// There is no HTTP client.
    #[error(transparent)]
    Client(#[from] Unusable),
}

impl CheckError {
    /// Whether what was typed or configured is at fault, and not what happened.
    pub const fn is_usage(&self) -> bool {
        !matches!(self, Self::Client(_))
    }
}

/// Reads the sources and diagnoses.
pub async fn check(sources: Sources, window: Duration, config: &Config) -> Result<Diagnosis, CheckError> {
    let decoder = decoder(config)?;
    let snapshot = match sources {
        Sources::Live { engines, .. } if engines.is_empty() => return Err(CheckError::NothingToRead),
        Sources::Live { engines, watch } => live(&engines, watch, decoder, config).await?,
        Sources::Session { target, deliveries, clock, interval, watch } => {
            let snapshot = Snapshot { target: Some(target), interval_s: interval.as_secs_f64(), ..Snapshot::default() };
            listen(snapshot, deliveries, clock, watch).await
        }
        // Hours of pages take seconds to read, and whoever waits may want to interrupt.
        Sources::Recorded { directories, at } => {
            match tokio::task::spawn_blocking(move || recorded(&directories, at.as_deref(), &decoder)).await {
                Ok(snapshot) => snapshot?,
                Err(died) => resume_unwind(died.into_panic()),
            }
        }
    };
    Ok(diagnose(&snapshot, &policy(window, config)))
}

/// Synthetic requests as they are configured; `None` where there are none.
pub fn prober(config: &Config, clock: Clock) -> Option<Prober<Front>> {
    let probe = config.probing()?;
    let gateway = probe.url.as_ref().map(|url| Knock {
        name: shown(url).into(),
        front: match Fetcher::new(Settings { timeout: probe.every, ..Settings::default() }) {
            Ok(fetcher) => {
                Front::Direct { fetcher, base: url.clone(), key: probe.token_file.clone(), headers: Vec::new() }
            }
            Err(error) => Front::Closed(error.to_string()),
        },
    });
    Some(Prober { gateway, every: probe.every, max_tokens: probe.max_tokens, clock })
}

/// The API beside a metrics page that was named by its URL.
fn beside(name: &Arc<str>, fetcher: &Fetcher, page: &Url) -> Knock<Front> {
    let mut base = page.clone();
    base.set_path("/v1");
    base.set_query(None);
    Knock { name: Arc::clone(name), front: Front::open(fetcher, base) }
}

/// A decoder that knows the configured aliases.
pub fn decoder(config: &Config) -> Result<Decoder, CheckError> {
    let aliases: Vec<(String, String)> = config.aliases.iter().map(|(f, q)| (f.clone(), (*q).to_owned())).collect();
    Ok(Decoder::new(Arc::new(Catalogue::embedded(&aliases)?)))
}

/// How far apart the pages of a watch of this length are read. Three pages make two differences; a short watch is read
/// more often, a long one as configured.
pub fn interval(config: &Config, watch: Duration) -> Duration {
    config.scrape.interval.min((watch / 3).max(Duration::from_secs(1)))
}

/// What is judged and by what, as configured.
pub fn policy(window: Duration, config: &Config) -> Policy {
    let targets = |slo: &crate::config::Slo| Targets {
        ttft: Target { seconds: slo.ttft.limit.as_secs_f64(), objective: slo.ttft.objective },
        tpot: Target { seconds: slo.tpot.limit.as_secs_f64(), objective: slo.tpot.objective },
        burn: slo.burn,
    };
    Policy {
        window_s: window.as_secs_f64(),
        default: targets(&config.slo.default),
        by_model: config.slo.models.iter().map(|(model, slo)| (model.clone(), targets(slo))).collect(),
    }
}

fn recorded(directories: &[PathBuf], at: Option<&str>, decoder: &Decoder) -> Result<Snapshot, CheckError> {
    let recordings = directories.iter().map(|d| Recording::open(d)).collect::<Result<Vec<_>, _>>()?;
    let first = recordings.iter().filter_map(Recording::first).min();
    let last = recordings
        .iter()
        .filter_map(Recording::last_page)
        .max()
        .or_else(|| recordings.iter().filter_map(Recording::last).max());
    let (Some(first), Some(last)) = (first, last) else { return Err(CheckError::NothingToRead) };
    let now = match at {
        Some(at) => moment(at, first)?,
        None => last,
    };
    if let (Some(at), Some(earliest)) = (at, recordings.iter().filter_map(Recording::earliest).min())
        && now < earliest
    {
        return Err(CheckError::TooEarly { at: clean(at, 60), first: crate::contract::time(earliest) });
    }
    let interval_s = recordings.iter().filter_map(|r| r.interval_s(now)).fold(1.0, f64::max);
    let mut snapshot = Snapshot { now, interval_s, ..Snapshot::default() };
    for recording in &recordings {
        recording.observations(now, decoder).into_iter().for_each(|o| snapshot.observe(o));
    }
    Ok(snapshot)
}

/// `+40s` and `-40s` from the first page, RFC 3339, unix seconds or milliseconds.
fn moment(text: &str, first: At) -> Result<At, CheckError> {
    let wrong = || CheckError::At { at: clean(text, 60) };
    let offset = |rest: &str| crate::config::duration(rest).map(|d| d.as_secs_f64()).map_err(|_| wrong());
    if let Some(rest) = text.strip_prefix('+') {
        return Ok(first.plus(offset(rest)?));
    }
    if let Some(rest) = text.strip_prefix('-') {
        return Ok(first.plus(-offset(rest)?));
    }
    if let Ok(number) = text.parse::<i64>() {
        // Seconds until the year 5138, milliseconds from 1973 on.
        return Ok(At(if number.abs() < 100_000_000_000 { number.saturating_mul(1000) } else { number }));
    }
    Timestamp::from_str(text).map(|t| At(t.as_millisecond())).map_err(|_| wrong())
}

async fn live(engines: &[String], watch: Duration, decoder: Decoder, config: &Config) -> Result<Snapshot, CheckError> {
    let pages = engines.iter().map(|e| url(e).map(|url| (Role::Engine, url))).collect::<Result<Vec<_>, _>>()?;
    // An answer that would come after the end of the watch is not waited for, so that its absence is seen before.
    let timeout = config.scrape.timeout.min(watch);
    let interval = interval(config, watch);
    let places = usize::from(config.scrape.concurrency);
    // The same holds for a request of our own.
    let mut config = config.clone();
    config.probe.every = config.probe.every.min(watch);
    let (polling, deliveries) = poll(&pages, interval, timeout, places, decoder, &config)?;
    let snapshot = Snapshot { interval_s: interval.as_secs_f64(), ..Snapshot::default() };
    let listening = listen(snapshot, deliveries, Clock::Wall, watch);
    tokio::pin!(listening);
    Ok(tokio::select! { snapshot = &mut listening => snapshot, () = Box::pin(polling) => listening.await })
}

/// Polls pages that were named one by one, for as long as the future is run and somebody listens.
pub fn poll(
    pages: &[(Role, Url)],
    interval: Duration,
    timeout: Duration,
    places: usize,
    decoder: Decoder,
    config: &Config,
) -> Result<(impl Future<Output = ()> + Send + use<>, Receiver<Observation>), CheckError> {
    let settings = Settings { timeout, connect_timeout: timeout.min(Duration::from_secs(2)), ..Settings::default() };
    let fetcher = Fetcher::new(settings)?;
    let poller = Poller {
        endpoints: pages.iter().map(|(_, url)| Way::direct(&fetcher, url.clone())).collect(),
        interval,
        concurrency: places,
        clock: Clock::Wall,
    };
    let names: Vec<(Role, Arc<str>)> = pages.iter().map(|(role, url)| (*role, shown(url).into())).collect();
    let memories: Vec<Mutex<Memory>> = pages.iter().map(|_| Mutex::default()).collect();
    let engines = pages.iter().zip(&names).filter(|((role, _), _)| *role == Role::Engine);
    let replicas: Vec<Knock<Front>> = engines.map(|((_, url), (_, name))| beside(name, &fetcher, url)).collect();
    let decoder = Arc::new(decoder);
    let told_by = Arc::clone(&decoder);
    let decode = move |endpoint: usize, page: &[u8]| {
        let mut memory = memories[endpoint].lock().unwrap_or_else(PoisonError::into_inner);
        decoder.decode(page, &mut memory)
    };
    let (attempted, mut attempts) = tokio::sync::mpsc::channel(names.len().clamp(16, 256));
    let (deliver, deliveries) = tokio::sync::mpsc::channel(256);
    let (prober, whoever, policy) = (prober(config, Clock::Wall), prometheus(config, None), policy(WINDOW, config));
    let (ask, asked) = tokio::sync::watch::channel(None);
    let answered = deliver.clone();
    let asking = async move {
        if let Some(whoever) = whoever {
            crate::source::prometheus::run(whoever, asked, Clock::Wall, answered).await;
        }
    };
    let probed = deliver.clone();
    let probing = async move {
        if let Some(prober) = prober {
            let (_, replicas) = tokio::sync::watch::channel(replicas);
            prober.run(replicas, probed).await;
        }
    };
    let told = async move {
        for (role, name) in &names {
            let reproduce = format!("curl -s '{}'", name.replace('\'', "%27"));
            let body =
                Body::Endpoint { name: Arc::clone(name), role: *role, reproduce, reached: None, placement: None };
            let _ = deliver.send(Observation { at: At(clock::unix_ms()), body }).await;
        }
        while let Some(Attempt { endpoint, sent_ms, body, .. }) = attempts.recv().await {
            if let Ok(Page::Engine(page)) = &body {
                news(&ask, to_be_asked(page, None, &policy, &told_by));
            }
            let body = Body::Page { endpoint: Arc::clone(&names[endpoint].1), page: body };
            if deliver.send(Observation { at: At(sent_ms), body }).await.is_err() {
                return;
            }
        }
    };
    let polling = async move {
        tokio::join!(poller.run(decode, attempted), told, probing, asking);
    };
    Ok((polling, deliveries))
}

/// Takes in what is delivered until `watch` is over, and what was on its way then.
async fn listen(
    mut snapshot: Snapshot,
    mut deliveries: Receiver<Observation>,
    clock: Clock,
    watch: Duration,
) -> Snapshot {
    let end = tokio::time::sleep(clock.real(watch) + Duration::from_millis(200));
    tokio::pin!(end);
    loop {
        tokio::select! {
            biased;
            () = &mut end => break,
            Some(observation) = deliveries.recv() => snapshot.observe(observation),
        }
    }
    while let Ok(observation) = deliveries.try_recv() {
        snapshot.observe(observation);
    }
    snapshot.now = At(clock.unix_ms());
    snapshot
}

/// A URL of a metrics page.
pub fn url(text: &str) -> Result<Url, CheckError> {
    let wrong = |why: String| CheckError::Url { url: clean(&without_secrets(text), 120), why };
    let url = Url::parse(text).map_err(|e| wrong(e.to_string()))?;
    match url.scheme() {
        "http" | "https" if url.has_host() => Ok(url),
        scheme => Err(wrong(format!("its scheme is '{}'", clean(scheme, 20)))),
    }
}

/// What is typed wrongly may hold a password or a token all the same: neither what stands before the last `@` nor a query
/// is shown.
pub fn without_secrets(text: &str) -> String {
    let (before, host) = match text.rsplit_once('@') {
        Some((before, host)) => (Some(before), host),
        None => (None, text),
    };
    let (host, query) = host.split_once('?').map_or((host, ""), |(host, _)| (host, "?…"));
    let Some(before) = before else { return format!("{host}{query}") };
    let scheme = before.split_once("://").map_or(String::new(), |(scheme, _)| format!("{scheme}://"));
    // That `@` may stand inside of a query, and then what follows it is no host.
    if before.contains('?') { format!("{scheme}…") } else { format!("{scheme}…@{host}{query}") }
}

/// The exit code of a verdict, with the bar that was asked for.
pub const fn exit_code(verdict: Verdict, fail_on_warning: bool) -> u8 {
    match verdict {
        Verdict::Warning if fail_on_warning => 3,
        Verdict::Healthy | Verdict::Idle | Verdict::Warning => 0,
        Verdict::Breach | Verdict::Stalled => 4,
        Verdict::CannotTell => 5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_an_offset_a_time_or_a_number() {
        let first = At(1_000_000_000_000);
        for (text, expected) in [
            ("+40s", 1_000_000_040_000),
            ("+1m30s", 1_000_000_090_000),
            ("-10s", 999_999_990_000),
            ("2001-09-09T01:46:41Z", 1_000_000_001_000),
            ("1000000002000", 1_000_000_002_000),
            ("1000000003", 1_000_000_003_000),
        ] {
            assert_eq!(moment(text, first).unwrap(), At(expected), "{text}");
        }
        for text in ["+", "tomorrow", "+40", "\u{1b}[31m"] {
            let error = moment(text, first).unwrap_err().to_string();
            assert!(error.contains("is no moment") && !error.contains('\u{1b}'), "{error}");
        }
    }

    #[test]
    fn a_url_that_is_none_is_named_without_its_password() {
        for text in [
            "ftp://u:secret@host/metrics",
            "localhost:8000/metrics",
            "http://",
            "u:secret@host",
            "u:p?secret@host",
            "host/?token=secret",
            "host/?token=a@secret",
        ] {
            let error = url(text).unwrap_err().to_string();
            assert!(error.contains("metrics page") && !error.contains("secret"), "{error}");
        }
    }
}
