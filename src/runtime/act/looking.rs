//! What a lever is planned on: Kubernetes' own word on one workload, and no engine's page. And the signals that call it
//! off.

use std::io;
use std::time::Duration;

use futures::FutureExt as _;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use crate::apiserver::Client;
use crate::clock::{self, Clock};
use crate::domain::{Observation, Snapshot, SourceState, WorkloadRef};
use crate::source::kubernetes::{Kubernetes, Pace};

/// How much longer than one answer may take it is waited for all of them.
const GRACE: Duration = Duration::from_secs(2);
/// How long it is waited for which GPUs are free, once everything else is known.
const FOR_GPUS: Duration = Duration::from_secs(4);
/// Quiet for so long: what belongs together has come.
const QUIET: Duration = Duration::from_millis(300);
/// What is told of the nodes' pods; by it free GPUs are counted.
const CENSUS: &str = "pods of all namespaces";

/// A workload that is looked at until this is dropped.
pub(super) struct Looking {
    /// What is known.
    pub(super) snapshot: Snapshot,
    observations: mpsc::Receiver<Observation>,
    patience: Duration,
    _task: JoinSet<()>,
}

impl Looking {
    /// Begins to look, inside of a runtime.
    pub(super) fn at(client: Client, target: WorkloadRef, clock: Clock, pace: Pace) -> Self {
        let (sink, observations) = mpsc::channel(64);
        let (neighbours, _) = watch::channel(Vec::new());
        let snapshot = Snapshot { target: Some(target.clone()), ..Snapshot::default() };
        let mut task = JoinSet::new();
        task.spawn(Kubernetes { client, target, clock, pace, gateway: None }.run(sink, neighbours));
        Self { snapshot, observations, patience: pace.deadline + GRACE, _task: task }
    }

    /// Waits until Kubernetes has answered for everything that a plan rests on, or is not going to. What is missing then
    /// is said by the plan.
    pub(super) async fn until_known(&mut self) -> Result<(), String> {
        let begun = Instant::from_std(clock::monotonic());
        let mut until = begun + self.patience;
        let mut knew = false;
        while !self.knows_all() {
            if !knew && self.knows_most() {
                knew = true;
                until = Instant::from_std(clock::monotonic()) + FOR_GPUS;
            }
            tokio::select! {
                () = self.next() => {}
                () = sleep_until(until) => break,
            }
        }
        // What is told of a count comes before the count.
        while timeout(QUIET, self.next()).await.is_ok() && clock::monotonic() < until.into_std() {}
        self.snapshot.now = crate::domain::At(Clock::Wall.unix_ms());
        if self.snapshot.cluster.is_some() {
            return Ok(());
        }
        let wrong = self.blind().unwrap_or_else(|| "no answer".to_owned());
        Err(format!("Kubernetes said nothing of it within {} s, {wrong}", self.patience.as_secs()))
    }

    /// What is wrong with the first watch that does not live.
    pub(super) fn blind(&self) -> Option<String> {
        let blind = self.snapshot.watches.iter().filter(|w| w.state != SourceState::Live);
        blind.into_iter().find_map(|w| Some(format!("'{}': {}", w.resource, w.error.as_ref()?)))
    }

    /// Whether all is known but which GPUs are free.
    fn knows_most(&self) -> bool {
        let watches = &self.snapshot.watches;
        let pending = |w: &crate::domain::Watch| w.state == SourceState::Connecting && w.resource != "events";
        self.snapshot.cluster.is_some() && !watches.is_empty() && !watches.iter().any(pending)
    }

    fn knows_all(&self) -> bool {
        self.knows_most() && self.snapshot.watches.iter().any(|w| w.resource == CENSUS)
    }

    /// Waits for the next word, and takes it in.
    pub(super) async fn next(&mut self) {
        match self.observations.recv().await {
            Some(observation) => self.snapshot.observe(observation),
            // Nobody tells anything any more: whoever waits has a time until which it waits.
            None => std::future::pending().await,
        }
    }

    /// Does something, and listens meanwhile.
    pub(super) async fn during<T>(&mut self, work: impl Future<Output = T>) -> T {
        tokio::pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                () = self.next() => {}
            }
        }
    }

    /// Takes in what has come.
    pub(super) fn catch_up(&mut self) {
        while let Ok(observation) = self.observations.try_recv() {
            self.snapshot.observe(observation);
        }
    }
}

/// The signals that ask a program to leave.
pub(super) struct Interrupts([Signal; 3]);

impl Interrupts {
    /// From here on none of them ends the program by itself.
    pub(super) fn hear() -> io::Result<Self> {
        let hear = |kind| signal(kind);
        Ok(Self([hear(SignalKind::interrupt())?, hear(SignalKind::terminate())?, hear(SignalKind::hangup())?]))
    }

    /// Whether one of them came since the last time.
    pub(super) fn came(&mut self) -> bool {
        self.next().now_or_never().is_some()
    }

    /// The next of them.
    pub(super) async fn next(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}
