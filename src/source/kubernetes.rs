//! Kubernetes as a source: one workload, its revisions, pods, autoscaler and events, and the nodes below, each watched by
//! a task of its own, delivered whole and at most four times a second.
//!
//! ```text
//!  watching (one per resource) ──News──► hub ──Observation──► sink
//!          ▲                              │
//!          └────────── selector ──────────┤
//!  census (pods of the nodes,  ◄── nodes, ┘──► neighbours: gateways, exporters
//!  trace of the routes,            labels,      engines of the other pool
//!  maps that give flags)           names
//! ```
//! Nodes that may not be read are a state of one watch, and everything else goes on. It does not know what the facts
//! mean, and reads no page.

mod census;
mod find;
mod hub;
mod maps;
mod monitors;
mod resolve;
mod resource;
mod siblings;
mod trace;
mod watching;

use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use crate::apiserver::Client;
use crate::clock::{self, Clock};
use crate::domain::{At, Observation, WorkloadRef};
use census::{Census, Middle};
pub use census::{Chosen, Neighbour};
pub use find::{Where, discover};
use hub::Hub;
pub use monitors::{Monitors, monitors};
pub use resolve::{Place, ResolveError, only_engine, resolve};
use resource::Resource;
use watching::Watching;

/// Deliveries are at least so far apart.
const GATHER: Duration = Duration::from_millis(250);

/// News that wait for the hub; beyond them the watches wait.
const NEWS: usize = 256;

/// How often and how patiently the API server is asked. All in this machine's time.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// For one answer: a page of a list, or the beginning of a watch.
    pub deadline: Duration,
    /// How long one watch is asked to last; whole seconds, at least one. A silent connection is noticed after it.
    pub watch: Duration,
    /// How much longer than that a watch may be silent.
    pub grace: Duration,
    /// The first pause after a failure.
    pub pause: Duration,
    /// The longest.
    pub longest_pause: Duration,
    /// From one count of the nodes' pods to the next.
    pub census: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(10),
            watch: Duration::from_secs(10),
            grace: Duration::from_secs(5),
            pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(30),
            census: Duration::from_mins(1),
        }
    }
}

impl Pace {
    /// The pace by a clock that may run fast: what is meant in the cluster's time is shortened, deadlines are not.
    pub fn by(clock: Clock) -> Self {
        let meant = Self::default();
        let shortened = |d: Duration, least: u64| clock.real(d).max(Duration::from_secs(least)).min(d);
        Self { watch: shortened(meant.watch, 1), census: shortened(meant.census, 2), ..meant }
    }
}

/// One workload of one cluster, to be watched.
pub struct Kubernetes {
    /// Whom to ask; without retries of its own.
    pub client: Client,
    /// The workload.
    pub target: WorkloadRef,
    /// What dates the deliveries.
    pub clock: Clock,
    /// How often and how patiently.
    pub pace: Pace,
    /// The gateway's pods, where somebody named them.
    pub gateway: Option<Chosen>,
}

impl Kubernetes {
    /// Watches until the receiver of `sink` is gone; dropping the future stops everything. The pages beside the
    /// workload's own are put into `neighbours` whenever they were looked for.
    pub async fn run(self, sink: mpsc::Sender<Observation>, neighbours: watch::Sender<Vec<Neighbour>>) {
        let Self { client, target, clock, pace, gateway } = self;
        let (news, mut incoming) = mpsc::channel(NEWS);
        let (select, selector) = watch::channel(None);
        let (look_at, middle) = watch::channel(Middle::default());
        let (counted, mut counts) = mpsc::channel(1);
        let mut tasks = JoinSet::new();
        for resource in Resource::ALL {
            let (client, target) = (client.clone(), target.clone());
            let (selector, news) = (selector.clone(), news.clone());
            tasks.spawn(Watching { client, target, resource, pace, selector, news }.run());
        }
        drop((selector, news));
        tasks.spawn(census((client, target.clone(), gateway), clock, pace, middle, counted));

        let mut hub = Hub::new(target, clock);
        let mut due = Instant::from_std(clock::monotonic());
        let mut pending = true;
        loop {
            tokio::select! {
                () = sink.closed() => return,
                Some(news) = incoming.recv() => {
                    hub.take(news);
                    // What has come meanwhile belongs to the same delivery.
                    while let Ok(news) = incoming.try_recv() {
                        hub.take(news);
                    }
                    pending = true;
                }
                Some(census) = counts.recv() => {
                    neighbours.send_if_modified(|known| {
                        let changed = *known != census.neighbours;
                        known.clone_from(&census.neighbours);
                        changed
                    });
                    hub.count(census);
                    pending = true;
                }
                () = sleep_until(due), if pending => {
                    pending = false;
                    due = Instant::from_std(clock::monotonic()) + GATHER;
                    for observation in hub.deliveries() {
                        if sink.send(observation).await.is_err() {
                            return;
                        }
                    }
                    let (found, middle) = (hub.selector(), hub.middle());
                    // A workload that is gone leaves pods, and its selector finds them still.
                    select.send_if_modified(|known| {
                        let changed = found.is_some() && *known != found;
                        if changed { known.clone_from(&found); }
                        changed
                    });
                    look_at.send_if_modified(|known| {
                        let changed = *known != middle;
                        known.clone_from(&middle);
                        changed
                    });
                }
            }
        }
    }
}

/// Counts now and then, and soon after other nodes have become interesting.
async fn census(
    (client, target, gateway): (Client, WorkloadRef, Option<Chosen>),
    clock: Clock,
    pace: Pace,
    mut middle: watch::Receiver<Middle>,
    counted: mpsc::Sender<Census>,
) {
    loop {
        let look_at = middle.borrow_and_update().clone();
        let census = census::count(&client, (&target, gateway.as_ref()), &look_at, pace, At(clock.unix_ms())).await;
        if counted.send(census).await.is_err() {
            return;
        }
        // Not more often than this, however many nodes come and go. The first ones are waited for.
        sleep(pace.census / if look_at.nodes.is_empty() { 60 } else { 10 }).await;
        tokio::select! {
            changed = middle.changed() => if changed.is_err() { return },
            () = sleep(pace.census) => {}
        }
    }
}
