//! Everything that is read about one workload of one cluster, put together: Kubernetes' watches say which pods there are,
//! their pages are polled on the way that leads to them, and so are the gateway's and the GPU exporters'. All of it comes
//! out as one ordered stream.
//!
//! ```text
//!  source::kubernetes ──facts, neighbours──► endpoints ──► source::poll (engines, gateways; GPUs, slower)
//!          │                                     │               │ pages, through reach
//!          └──────────────► one ordered stream of observations ◄─┘
//! ```

mod endpoints;
mod fleet;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet, spawn_blocking};
use tokio::time::Instant;

use crate::apiserver::{Client, Lines};
use crate::clock::Clock;
use crate::command::check;
use crate::command::told::{self, Whoever, to_be_asked};
use crate::config::{self, Config};
use crate::diagnosis::Policy;
use crate::domain::budget::{GPU_PAGES_AT_ONCE, GPUS_SLOWER, PAGES_AT_ONCE};
use crate::domain::{At, Body, ClusterFacts, Failure, Observation, Page, Pod, Role, Snapshot, WorkloadRef};
use crate::reach::front::Front;
use crate::reach::http::Settings;
use crate::reach::{Way, Ways};
use crate::source::engine::Decoder;
use crate::source::kubernetes::{Chosen, Kubernetes, Neighbour, Pace};
use crate::source::pages::side_by_side;
use crate::source::poll::{Attempt, Fetch, Poller};
use crate::source::probe::{Ask, Knock, Prober};
use crate::source::prometheus;
use crate::source::prometheus::fleet::Going;
use endpoints::{Endpoints, Known};
use fleet::{Engined, unread};

/// Observations that wait for whoever takes them in: beyond them the sources wait.
const DELIVERIES: usize = 512;

impl Fetch for Way {
    async fn fetch(&self, buffer: &mut Vec<u8>) -> Result<(), Failure> {
        Self::fetch(self, buffer).await
    }
}

impl Ask for Front {
    async fn ask(&self, what: &str, body: Option<String>, until: Instant) -> Result<Lines, Failure> {
        Self::ask(self, what, body, until).await
    }
}

/// An open session. It ends when it is dropped, and with it everything that it had in flight.
#[derive(Debug)]
pub struct Session {
    task: JoinHandle<()>,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Session {
    /// Opens a session on a workload, inside of a runtime, and returns at once: nothing was asked yet.
    ///
    /// `client` comes from [`crate::apiserver::connect`]. `clock` dates everything and measures the intervals. `history`
    /// is a directory with one recording per pod, under the pods' names; it is delivered before any live page.
    pub fn open(
        client: Client,
        target: WorkloadRef,
        clock: Clock,
        decoder: Arc<Decoder>,
        config: &Config,
        history: Option<&Path>,
    ) -> (Self, mpsc::Receiver<Observation>) {
        Self::open_at_pace(Pace::by(clock), client, target, clock, decoder, config, history)
    }

    /// The same, asking the API server at another pace than is usual by this clock.
    pub fn open_at_pace(
        pace: Pace,
        client: Client,
        target: WorkloadRef,
        clock: Clock,
        decoder: Arc<Decoder>,
        config: &Config,
        history: Option<&Path>,
    ) -> (Self, mpsc::Receiver<Observation>) {
        let (deliver, deliveries) = mpsc::channel(DELIVERIES);
        let timeout = config.scrape.timeout;
        let prometheus = told::prometheus(config, Some((&client, &target, pace.deadline)));
        let engined = Engined::of(config, (&client, &target, pace.deadline), &decoder, clock);
        let settings =
            Settings { timeout, connect_timeout: timeout.min(Duration::from_secs(2)), ..Settings::default() };
        let open = Open {
            pace,
            ways: Ways::new(&client, config.scrape.via, &settings),
            client,
            target,
            clock,
            decoder,
            interval: config.scrape.interval,
            concurrency: usize::from(config.scrape.concurrency).min(PAGES_AT_ONCE),
            prober: check::prober(config, clock),
            prometheus,
            engined,
            gateway: chosen(&config.gateway),
            targets: check::policy(Duration::from_mins(5), config),
            deliver,
        };
        let history = history.map(Path::to_path_buf);
        (Self { task: tokio::spawn(open.run(history)) }, deliveries)
    }
}

/// What a session is made from.
struct Open {
    pace: Pace,
    ways: Ways,
    client: Client,
    target: WorkloadRef,
    clock: Clock,
    decoder: Arc<Decoder>,
    interval: Duration,
    concurrency: usize,
    prober: Option<Prober<Front>>,
    prometheus: Option<Whoever>,
    engined: Option<Engined>,
    gateway: Option<Chosen>,
    targets: Policy,
    deliver: mpsc::Sender<Observation>,
}

impl Open {
    async fn run(mut self, history: Option<PathBuf>) {
        let mut tasks = JoinSet::new();
        let (facts, mut observed) = mpsc::channel(64);
        let (found, mut neighbours) = watch::channel(Vec::new());
        let kubernetes = Kubernetes {
            client: self.client.clone(),
            target: self.target.clone(),
            clock: self.clock,
            pace: self.pace,
            gateway: self.gateway.clone(),
        };
        tasks.spawn(kubernetes.run(facts, found));

        let known = Known::default();
        let (landed, mut attempts) = mpsc::channel(64);
        let quick = self.poll(&mut tasks, &known, self.interval, self.concurrency, landed.clone());
        let slow = self.poll(&mut tasks, &known, self.interval * GPUS_SLOWER, GPU_PAGES_AT_ONCE, landed);
        let mut endpoints = Endpoints::new(self.ways.clone(), self.target.clone(), known, quick, slow);

        let (answering, probed) = watch::channel(Vec::new());
        if let Some(prober) = self.prober.take() {
            tasks.spawn(prober.run(probed, self.deliver.clone()));
        }

        let (ask, asked) = watch::channel(None);
        if let Some(whoever) = self.prometheus.take() {
            tasks.spawn(prometheus::run(whoever, asked, self.clock, self.deliver.clone()));
        }

        let (assembled, mut pages) = mpsc::channel(DELIVERIES);
        let mut engined = self.engined.take();
        let mut going = engined.as_ref().map(Engined::going);

        let mut loading = self.load(history);
        let (mut loaded, mut cluster): (bool, Option<Arc<ClusterFacts>>) = (false, None);
        // Whether engines' pages are read here.
        let mut read = true;
        loop {
            let now = || At(self.clock.unix_ms());
            let deliveries: Vec<Observation> = tokio::select! {
                () = self.deliver.closed() => return,
                past = &mut loading, if !loaded => {
                    loaded = true;
                    endpoints.remember(past.unwrap_or_default());
                    match &cluster {
                        Some(facts) if read => endpoints.pods(now(), facts).await,
                        Some(facts) => endpoints.pods(now(), &unread(facts)).await,
                        None => Vec::new(),
                    }
                }
                // What a Prometheus tells instead of pages.
                Some(observation) = pages.recv() => vec![observation],
                () = changed(&mut going) => match (&cluster, &mut engined) {
                    (Some(facts), Some(engined)) => {
                        read = engined.reads(facts, &mut tasks, &assembled);
                        match read {
                            true if loaded => endpoints.pods(now(), facts).await,
                            true => Vec::new(),
                            false => engined.introduced(now(), &self.target),
                        }
                    }
                    _ => Vec::new(),
                },
                Some(observation) = observed.recv() => {
                    let mut deliveries = Vec::new();
                    if let Body::Cluster(facts) = &observation.body {
                        cluster = Some(Arc::clone(facts));
                        answering.send_replace(self.answering(facts));
                        read = engined.as_mut().is_none_or(|e| e.reads(facts, &mut tasks, &assembled));
                        if loaded {
                            deliveries = if read {
                                endpoints.pods(now(), facts).await
                            } else {
                                endpoints.pods(now(), &unread(facts)).await
                            };
                        }
                    }
                    deliveries.insert(0, observation);
                    deliveries
                }
                Ok(()) = neighbours.changed(), if loaded => {
                    let found: Vec<Neighbour> = neighbours.borrow_and_update().clone();
                    endpoints.neighbours(now(), &found).await
                }
                Some(attempt) = attempts.recv() => endpoints.page(attempt),
            };
            for observation in deliveries {
                let observation = match &engined {
                    Some(engined) if !read => engined.named(observation, &self.target),
                    _ => observation,
                };
                if let Observation { body: Body::Page { page: Ok(Page::Engine(page)), .. }, .. } = &observation {
                    told::news(&ask, to_be_asked(page, Some(&self.target), &self.targets, &self.decoder));
                }
                if self.deliver.send(observation).await.is_err() {
                    return;
                }
            }
        }
    }

    /// The replicas that may be asked for a token: those that Kubernetes would send users to.
    fn answering(&self, facts: &ClusterFacts) -> Vec<Knock<Front>> {
        let ready = facts.pods.iter().filter(|pod| pod.ready);
        let replica = |pod: &Pod| {
            let front = Front::pod(&self.client, &self.target.namespace, &pod.name, pod.metrics_port?);
            Some(Knock { name: pod.name.as_str().into(), front })
        };
        ready.filter_map(replica).collect()
    }

    /// Starts polling a set of endpoints that is empty at first.
    fn poll(
        &self,
        tasks: &mut JoinSet<()>,
        known: &Known,
        interval: Duration,
        concurrency: usize,
        landed: mpsc::Sender<Attempt<Page>>,
    ) -> endpoints::Changes {
        let (change, changes) = mpsc::channel(64);
        let (decoder, known) = (Arc::clone(&self.decoder), known.clone());
        let decode = move |number: usize, page: &[u8]| known.decode(number, page, &decoder);
        let poller = Poller { endpoints: Vec::new(), interval, concurrency, clock: self.clock };
        tasks.spawn(poller.follow(decode, changes, landed));
        change
    }

    /// Reads the past on a thread of its own and delivers it; returns the names and roles of what it was about.
    fn load(&self, history: Option<PathBuf>) -> JoinHandle<Vec<(String, Role)>> {
        let (decoder, deliver, now) = (Arc::clone(&self.decoder), self.deliver.clone(), At(self.clock.unix_ms()));
        spawn_blocking(move || {
            let Some(directory) = history else { return Vec::new() };
            // A past that cannot be read is no past; the present goes on without it.
            let recordings = side_by_side(&directory).unwrap_or_default();
            let mut names = Vec::new();
            for recording in recordings {
                let observations = recording.observations(now, &decoder);
                for observation in observations {
                    if let Body::Recorded(endpoint) = &observation.body {
                        names.push((endpoint.name.clone(), endpoint.role));
                    }
                    if deliver.blocking_send(observation).is_err() {
                        return names;
                    }
                }
            }
            names
        })
    }
}

/// The next change of how it goes with a fleet; where there is none, never.
async fn changed(going: &mut Option<watch::Receiver<Going>>) {
    if let Some(receiver) = going
        && receiver.changed().await.is_ok()
    {
        return;
    }
    std::future::pending::<()>().await;
}

/// The gateway's pods as configured.
fn chosen(gateway: &config::Gateway) -> Option<Chosen> {
    (gateway.selector.is_some() || gateway.metrics.is_some()).then(|| Chosen {
        namespace: gateway.selector.as_ref().and_then(|s| s.namespace.clone()),
        labels: gateway.selector.as_ref().map(|s| s.labels.clone()),
        page: gateway.metrics.clone(),
    })
}

/// What a snapshot of a session begins with.
pub fn snapshot(target: WorkloadRef, config: &Config) -> Snapshot {
    Snapshot { target: Some(target), interval_s: config.scrape.interval.as_secs_f64(), ..Snapshot::default() }
}
