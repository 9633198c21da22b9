//! A pod's page, whichever way it is reached: one attempt tries the way that led there before, and looks for another one
//! where it was the way that failed. What is learnt is remembered for other pods of the same kind.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;

use super::forward::{self, Forward, Port};
use super::http::{Fetcher, Settings, Url};
use super::search::{Blame, Miss, Search, Then};
use super::{proxy, proxy_path};
use crate::apiserver::Client;
use crate::clock;
use crate::domain::budget::FORWARDS_KEPT;
use crate::domain::{Failure, Reached, Via};
use crate::text::shell_word;

/// The most that is remembered: namespaces with ports.
const REMEMBERED: usize = 1_000;

/// How pods of one cluster are reached. Cloning is cheap and shares what was learnt.
#[derive(Clone)]
pub struct Ways(Arc<Shared>);

struct Shared {
    client: Client,
    /// For the straight way, where an HTTP client can be made.
    fetcher: Result<Fetcher, String>,
    only: Option<Via>,
    settings: Settings,
    /// How this port of some pod of a namespace was last reached. Rights are given by namespace, and what listens on
    /// 127.0.0.1 alone is the same port in each replica.
    remembered: Mutex<HashMap<(String, u16), Reached>>,
    kept: Arc<Semaphore>,
}

/// Which page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Where {
    /// The pod's namespace.
    pub namespace: String,
    /// The pod.
    pub pod: String,
    /// Its address, where it has one that may be asked.
    pub ip: Option<IpAddr>,
    /// The port of the page.
    pub port: u16,
    /// The path of the page, with a leading `/`.
    pub page: String,
}

/// One pod's page.
pub struct PodPage {
    ways: Ways,
    at: Where,
    search: Mutex<Search>,
    /// Whether somebody is expected to listen there already.
    expected: AtomicBool,
    forward: tokio::sync::Mutex<Option<Forward>>,
}

impl Ways {
    /// The way `only`, else whichever leads there; within these limits for one attempt.
    pub fn new(client: &Client, only: Option<Via>, settings: &Settings) -> Self {
        // Shorter than the least time that an attempt has, so that no connection and no answer are told apart. Where pods'
        // addresses lead nowhere from here, that is soon known.
        let connect_timeout = settings.connect_timeout.min(settings.timeout * 2 / 5);
        let fetcher = Fetcher::for_pods(Settings { connect_timeout, ..settings.clone() });
        Self(Arc::new(Shared {
            client: client.clone(),
            fetcher: fetcher.map_err(|error| error.to_string()),
            only,
            settings: settings.clone(),
            remembered: Mutex::default(),
            kept: Arc::new(Semaphore::new(FORWARDS_KEPT)),
        }))
    }

    /// The way to a page; nothing was asked yet.
    pub fn to(&self, at: Where) -> Arc<PodPage> {
        let remembered = self.remembered().get(&(at.namespace.clone(), at.port)).cloned().unwrap_or_default();
        let search = Search::new(self.0.only, at.ip.is_some(), &remembered);
        Arc::new(PodPage {
            ways: self.clone(),
            at,
            search: Mutex::new(search),
            expected: AtomicBool::new(true),
            forward: tokio::sync::Mutex::new(None),
        })
    }

    fn remembered(&self) -> MutexGuard<'_, HashMap<(String, u16), Reached>> {
        self.0.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PodPage {
    /// As [`super::Way::fetch`].
    pub(super) async fn fetch(&self, buffer: &mut Vec<u8>) -> Result<(), Failure> {
        let timeout = self.ways.0.settings.timeout;
        let start = clock::monotonic();
        self.search().begin();
        let mut is_first = true;
        loop {
            let Some(via) = self.search().next() else { break };
            let passed = clock::monotonic().saturating_duration_since(start);
            let left = if is_first { timeout } else { timeout.saturating_sub(passed) };
            // With less time than this a silence would say nothing of the pod.
            if !std::mem::take(&mut is_first) && left < timeout / 2 {
                self.search().postpone(via);
                break;
            }
            match self.along(via, left, buffer).await {
                Ok(()) if self.is_the_pod(via) || is_metrics(buffer) => {
                    self.answered(via);
                    return Ok(());
                }
                Err(Miss::Answer(failure)) if self.is_the_pod(via) => {
                    self.answered(via);
                    return Err(failure);
                }
                Ok(()) => {
                    self.elsewhere(via, Failure::NotMetrics("somebody else may have the pod's address".to_owned()));
                }
                Err(Miss::Answer(failure)) => self.elsewhere(via, failure),
                Err(Miss::Lost(failure, blame)) => {
                    // Whoever loads refuses on every way, and there is nothing to look for.
                    let loads = blame == Blame::Closed && !self.expected.load(Ordering::Relaxed);
                    let blame = if loads { Blame::Neither } else { blame };
                    if let Then::Tell(failure) = self.search().lost(via, failure, blame) {
                        return Err(failure);
                    }
                }
            }
        }
        Err(self.search().ended())
    }

    fn is_the_pod(&self, via: Via) -> bool {
        self.search().is_the_pod(via)
    }

    /// An answer that may be somebody else's is none.
    fn elsewhere(&self, via: Via, failure: Failure) {
        // What is the way's fault leads to the next one.
        let _ = self.search().lost(via, failure, Blame::Way);
    }

    /// Says whether somebody is expected to listen there already: a refusal is then the way's fault, perhaps.
    pub fn expect(&self, listens: bool) {
        self.expected.store(listens, Ordering::Relaxed);
    }

    /// How it is reached, as far as that is known.
    pub fn reached(&self) -> Reached {
        self.search().reached()
    }

    /// Where it is.
    pub fn at(&self) -> &Where {
        &self.at
    }

    /// A line that shows the same page by hand, on the way that is in use, for somebody whose context is `context`.
    pub fn reproduce(&self, context: &str) -> String {
        let Where { namespace, pod, port, page, .. } = &self.at;
        let context = shell_word(context);
        match (self.search().first(), self.url()) {
            (Via::Direct, Some(url)) => format!("curl -s --noproxy '*' '{url}'"),
            (Via::PortForward, _) => {
                let near = near(*port);
                format!(
                    "{{ kubectl --context {context} -n {namespace} port-forward pod/{pod} {near}:{port} >/dev/null & \
                     sleep 2; curl -s 'http://127.0.0.1:{near}{page}'; kill $!; }}"
                )
            }
            _ => format!("kubectl --context {context} get --raw '{}'", proxy_path(namespace, pod, *port, page)),
        }
    }

    async fn along(&self, via: Via, within: Duration, buffer: &mut Vec<u8>) -> Result<(), Miss> {
        let Shared { client, settings, fetcher, kept, .. } = &*self.ways.0;
        let Where { namespace, pod, port, page, .. } = &self.at;
        match via {
            Via::Proxy => {
                let path = proxy_path(namespace, pod, *port, page);
                proxy::get(client, &path, within, settings.max_body, buffer).await
            }
            Via::PortForward => {
                let place = || Arc::clone(kept).try_acquire_owned().ok();
                let port = Port { namespace, pod, number: *port, page, limit: settings.max_body };
                forward::get(client, &port, within, &mut *self.forward.lock().await, place, buffer).await
            }
            Via::Direct => {
                let not = |why: &str| Miss::Lost(Failure::Other(why.to_owned()), Blame::Way);
                let url = self.url().ok_or_else(|| not("the pod has no address"))?;
                let fetcher = fetcher.as_ref().map_err(|why| not(why))?;
                fetcher.get_within(&url, within, buffer).await.map_err(straight)
            }
        }
    }

    /// The page's address; only where the pod has one.
    fn url(&self) -> Option<Url> {
        let host = match self.at.ip? {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        };
        format!("http://{host}:{}{}", self.at.port, self.at.page).parse().ok()
    }

    fn answered(&self, via: Via) {
        let reached = {
            let mut search = self.search();
            search.answered(via);
            search.reached()
        };
        let mut remembered = self.ways.remembered();
        if remembered.len() >= REMEMBERED {
            remembered.clear();
        }
        remembered.insert((self.at.namespace.clone(), self.at.port), reached);
    }

    fn search(&self) -> MutexGuard<'_, Search> {
        self.search.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whose doing a failure on the straight way is.
fn straight(failure: Failure) -> Miss {
    match failure {
        Failure::Refused => Miss::Lost(failure, Blame::Closed),
        Failure::TimedOut { connected: true, .. } => Miss::Lost(failure, Blame::Silent),
        // No connection, no route, or somebody who does not speak HTTP.
        Failure::TimedOut { connected: false, .. } | Failure::Other(_) => Miss::Lost(failure, Blame::Way),
        answer => Miss::Answer(answer),
    }
}

/// Whether this looks like a page of metrics, which other servers do not have at a pod's port by chance.
fn is_metrics(page: &[u8]) -> bool {
    memchr::memmem::find(page, b"# TYPE ").is_some()
}

/// A port of this machine for a pod's port, in a line to be typed: one that is seldom taken, and never a privileged one.
fn near(port: u16) -> u16 {
    port.checked_add(10_000).unwrap_or(port)
}

impl std::fmt::Debug for PodPage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PodPage({}/{}:{}{})", self.at.namespace, self.at.pod, self.at.port, self.at.page)
    }
}
