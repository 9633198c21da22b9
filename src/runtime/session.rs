//! Everything that is read about one workload of one cluster, put together: Kubernetes' watches say which pods there are,
//! their pages are polled on the way that leads to them, and so are the gateway's and the GPU exporters'. All of it comes
//! out as one ordered stream.
//!
//! ```text
//!  source::kubernetes ──facts, neighbours──► endpoints ──► source::poll (engines, gateways; GPUs, slower)
//!          │                                     │               │ pages, through reach
//!          └──────────────► one ordered stream of observations ◄─┘
//! ```
//! Where a Prometheus is asked instead, it makes the same pages of its samples, and those pods are not polled: `course`
//! decides which.

mod beside;
mod course;
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
use beside::Beside;
use course::Course;
use endpoints::{Endpoints, Known};
use fleet::Engined;

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
        let beside = Beside::of(config, (&client, &target, pace.deadline), &decoder, clock);
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
            beside,
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
    beside: Beside,
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
        let endpoints = Endpoints::new(self.ways.clone(), self.target.clone(), known, quick, slow);

        let (answering, probed) = watch::channel(Vec::new());
        if let Some(prober) = self.prober.take() {
            tasks.spawn(prober.run(probed, self.deliver.clone()));
        }

        let (ask, asked) = watch::channel(None);
        if let Some(whoever) = self.prometheus.take() {
            tasks.spawn(prometheus::run(whoever, asked, self.clock, self.deliver.clone()));
        }

        let (assembled, mut pages) = mpsc::channel(DELIVERIES);
        let (engined, beside) = (self.engined.take(), std::mem::take(&mut self.beside));
        let mut going = engined.as_ref().map(Engined::going);
        let mut course = Course::new(endpoints, (self.target.clone(), self.clock), (engined, beside), assembled);

        let mut loading = self.load(history);
        loop {
            let deliveries: Vec<Observation> = tokio::select! {
                () = self.deliver.closed() => return,
                past = &mut loading, if !course.loaded => course.remember(past.unwrap_or_default(), &mut tasks).await,
                // What a Prometheus tells instead of pages.
                Some(observation) = pages.recv() => course.told(observation),
                () = changed(&mut going) => course.goes(&mut tasks).await,
                Some(observation) = observed.recv() => {
                    if let Body::Cluster(facts) = &observation.body {
                        answering.send_replace(self.answering(facts));
                    }
                    course.observed(observation, &mut tasks).await
                }
                Ok(()) = neighbours.changed(), if course.loaded => {
                    let found: Vec<Neighbour> = neighbours.borrow_and_update().clone();
                    course.found(found, &mut tasks).await
                }
                Some(attempt) = attempts.recv() => course.page(attempt),
            };
            for observation in deliveries {
                let observation = course.named(observation);
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
