//! What a session reads and whom it asks as it goes on: what Kubernetes says of pods and what a Prometheus has of them decide
//! that together.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::beside::Beside;
use super::endpoints::Endpoints;
use super::fleet::{Engined, unread};
use crate::clock::Clock;
use crate::domain::{At, Body, ClusterFacts, Observation, Page, Role, WorkloadRef};
use crate::source::kubernetes::Neighbour;
use crate::source::poll::Attempt;

/// Where it stands. What it returns is to be delivered.
pub(super) struct Course {
    endpoints: Endpoints,
    target: WorkloadRef,
    clock: Clock,
    engined: Option<Engined>,
    beside: Beside,
    /// Where whoever asks a Prometheus puts what it tells.
    assembled: mpsc::Sender<Observation>,
    /// Whether the past was delivered: no page is read before.
    pub(super) loaded: bool,
    cluster: Option<Arc<ClusterFacts>>,
    /// Whether engines' pages are read here.
    read: bool,
}

impl Course {
    pub(super) fn new(
        endpoints: Endpoints,
        (target, clock): (WorkloadRef, Clock),
        (engined, beside): (Option<Engined>, Beside),
        assembled: mpsc::Sender<Observation>,
    ) -> Self {
        Self { endpoints, target, clock, engined, beside, assembled, loaded: false, cluster: None, read: true }
    }

    /// The past was delivered; this is whom it was about.
    pub(super) async fn remember(&mut self, past: Vec<(String, Role)>, tasks: &mut JoinSet<()>) -> Vec<Observation> {
        self.loaded = true;
        self.endpoints.remember(past);
        let mut deliveries = self.pods().await;
        deliveries.extend(self.neighbours(tasks).await);
        deliveries
    }

    /// A Prometheus told something.
    pub(super) fn told(&mut self, observation: Observation) -> Vec<Observation> {
        self.beside.told(&observation);
        vec![observation]
    }

    /// It goes otherwise with what a Prometheus tells of the engines.
    pub(super) async fn goes(&mut self, tasks: &mut JoinSet<()>) -> Vec<Observation> {
        let (Some(facts), Some(engined)) = (&self.cluster, &mut self.engined) else { return Vec::new() };
        self.read = engined.reads((facts, &self.target), tasks, &self.assembled);
        let mut deliveries =
            if self.read { self.pods().await } else { engined.introduced(At(self.clock.unix_ms()), &self.target) };
        deliveries.extend(self.neighbours(tasks).await);
        deliveries
    }

    /// Kubernetes says something.
    pub(super) async fn observed(&mut self, observation: Observation, tasks: &mut JoinSet<()>) -> Vec<Observation> {
        let mut deliveries = Vec::new();
        match &observation.body {
            Body::Watch(watch) if self.beside.hears(watch) => deliveries = self.neighbours(tasks).await,
            Body::Cluster(facts) => {
                self.cluster = Some(Arc::clone(facts));
                let engines = self.engined.as_mut();
                let read = engines.is_none_or(|e| e.reads((facts, &self.target), tasks, &self.assembled));
                let others = self.beside.sees(facts) || read != self.read;
                self.read = read;
                deliveries = self.pods().await;
                if others {
                    deliveries.extend(self.neighbours(tasks).await);
                }
            }
            _ => {}
        }
        deliveries.insert(0, observation);
        deliveries
    }

    /// These are beside the workload.
    pub(super) async fn found(&mut self, found: Vec<Neighbour>, tasks: &mut JoinSet<()>) -> Vec<Observation> {
        self.beside.found(found);
        self.neighbours(tasks).await
    }

    /// An endpoint was asked for its page.
    pub(super) fn page(&mut self, attempt: Attempt<Page>) -> Vec<Observation> {
        self.endpoints.page(attempt)
    }

    /// What is delivered, with how numbers that come from elsewhere can be read by hand.
    pub(super) fn named(&self, observation: Observation) -> Observation {
        let observation = match &self.engined {
            Some(engined) if !self.read => engined.named(observation, &self.target),
            _ => observation,
        };
        self.beside.named(observation)
    }

    /// Follows the workload's pods.
    async fn pods(&mut self) -> Vec<Observation> {
        let at = At(self.clock.unix_ms());
        match &self.cluster {
            Some(facts) if self.loaded && self.read => self.endpoints.pods(at, facts).await,
            Some(facts) if self.loaded => self.endpoints.pods(at, &unread(facts)).await,
            _ => Vec::new(),
        }
    }

    /// Follows those beside it, once they were looked for.
    async fn neighbours(&mut self, tasks: &mut JoinSet<()>) -> Vec<Observation> {
        if !self.loaded || !self.beside.is_counted() {
            return Vec::new();
        }
        let beside = self.beside.follow(self.read, tasks, &self.assembled);
        self.endpoints.neighbours(At(self.clock.unix_ms()), beside).await
    }
}
