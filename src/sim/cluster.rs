//! The cluster: objects as Kubernetes keeps them, and the controllers that change them. It knows no clock and no socket:
//! a second passes when it is told so.
//!
//! What runs inside containers is [`Serving`]'s; the cluster starts and ends them, probes them and routes to them.

pub(crate) mod autoscaler;
pub(crate) mod defaults;
pub(crate) mod deployments;
pub(crate) mod desk;
pub(crate) mod endpoints;
pub(crate) mod events;
pub(crate) mod furniture;
pub(crate) mod json;
pub(crate) mod kinds;
pub(crate) mod kubelet;
pub(crate) mod refusal;
pub(crate) mod replicas;
pub(crate) mod scheduler;
pub(crate) mod selector;
pub(crate) mod store;
pub(crate) mod write;

use desk::Desk;
use events::Events;
use kubelet::Kubelet;
use store::Store;

pub use kinds::Kind;
pub use refusal::Refusal;

use super::serving::{Happened, Serving};
use crate::domain::At;

/// Rounds of controllers in one second: more would mean that two of them disagree.
const ROUNDS: usize = 24;

/// The cluster.
#[derive(Debug)]
pub struct Cluster {
    pub(crate) desk: Desk,
    pub(crate) kubelet: Kubelet,
    autoscalers: autoscaler::Autoscalers,
    /// The version up to which controllers have seen everything.
    settled: u64,
    routed: Vec<String>,
}

impl Cluster {
    /// An empty cluster at a moment.
    pub fn new(now: At, seed: u64) -> Self {
        Self {
            desk: Desk::new(now, seed),
            kubelet: Kubelet::new(),
            autoscalers: autoscaler::Autoscalers::default(),
            settled: 0,
            routed: Vec::new(),
        }
    }

    /// The objects.
    pub(crate) fn store(&self) -> &Store {
        &self.desk.store
    }

    /// The version of the latest change.
    pub fn version(&self) -> u64 {
        self.desk.store.version()
    }

    /// One second passes: `now` is a whole second, and engines have come as far.
    pub(crate) fn tick(&mut self, now: At, serving: &mut dyn Serving, happened: &[Happened]) {
        self.desk.now = now;
        self.kubelet.heard(serving, happened);
        self.kubelet.step(&mut self.desk, serving);
        let second = now.0 / 1000;
        if second % 60 == 0 {
            Events::expire(&mut self.desk, now);
        }
        if second % 300 == 0 {
            furniture::heartbeat(&mut self.desk);
        }
        if second % autoscaler::EVERY_S == 0 {
            self.autoscalers.look(&mut self.desk, serving);
        }
        let due = self.desk.wake.is_some_and(|wake| now >= wake);
        if due {
            self.desk.wake = None;
        }
        if due || self.desk.store.version() != self.settled {
            self.settle(serving);
        }
    }

    /// Controllers work until nothing changes any more.
    fn settle(&mut self, serving: &mut dyn Serving) {
        let desk = &mut self.desk;
        for _ in 0..ROUNDS {
            let before = desk.store.version();
            deployments::reconcile(desk);
            replicas::reconcile(desk);
            replicas::collect_garbage(desk);
            scheduler::reconcile(desk);
            self.kubelet.observe(desk, serving);
            endpoints::reconcile(desk);
            if desk.store.version() == before {
                break;
            }
        }
        // What the kubelets say now is seen by the others in the next second.
        self.settled = desk.store.version();
        self.kubelet.step(desk, serving);
        let routed = endpoints::routed(desk);
        if routed != self.routed {
            serving.route(desk.now, &routed);
            self.routed = routed;
        }
    }
}
