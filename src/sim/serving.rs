//! Engines, gateway and GPUs: what a pod's container computes once it runs. Knows nothing of Kubernetes: it is told which
//! containers run where and which of them are routed to.

mod container;
mod engine;
mod gateway;
mod gpu;
mod hardware;
mod ledger;
mod model;
mod number;
mod page;
mod traffic;

pub use engine::{Ask, Config, Engine, FrontSpeed, Seen, Speed, StartError};
pub use hardware::Product;
pub use ledger::Ledger;
pub use model::Model;

use crate::domain::At;

/// A container of an engine, as it is started.
#[derive(Debug, Clone, PartialEq)]
pub struct Launch {
    /// The pod's name.
    pub pod: String,
    /// The pod's address.
    pub ip: String,
    /// The node's name.
    pub node: String,
    /// The indices of the node's GPUs that it got.
    pub gpus: Vec<u32>,
    /// `command` and `args`: the flags decide how it behaves.
    pub args: Vec<String>,
    /// The image: its tag is the engine's version.
    pub image: String,
}

/// Something that an engine does by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happened {
    /// Its model is loaded and it answers: from now on /health is 200.
    Serving {
        /// The pod.
        pod: String,
        /// When.
        at: At,
    },
    /// Its process died.
    Died {
        /// The pod.
        pod: String,
        /// When.
        at: At,
        /// The exit code.
        code: i32,
        /// Kubernetes' reason: `Error`, `OOMKilled`.
        reason: &'static str,
    },
}

/// What an autoscaler sees of one pod.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Load {
    /// CPU use as a share of the pod's request.
    pub cpu: f64,
    /// Waiting requests.
    pub waiting: f64,
    /// Running requests.
    pub running: f64,
}

/// What somebody outside sees of a request of theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    /// Nothing yet.
    Nothing,
    /// Its first token.
    First,
    /// It is over, with this status.
    Ended(u16),
}

/// The seam between the cluster and what runs in its containers. All times are simulated, and never go back.
pub trait Serving: Send {
    /// A container starts: its process exists, loads its model, and refuses connections until it serves.
    fn launch(&mut self, at: At, launch: Launch);
    /// A container ends, and everything that it held is lost to its clients.
    fn kill(&mut self, at: At, pod: &str);
    /// From now on the gateway may send to these pods and no others; one that is left out goes on with what it has.
    fn route(&mut self, at: At, pods: &[String]);
    /// When an engine will next begin to serve, or die, by itself; `None`: nothing of that kind is on its way.
    fn next(&self) -> Option<At>;
    /// Lets time pass until `to`, and tells what happened, in order.
    fn advance(&mut self, to: At) -> Vec<Happened>;
    /// The status that /health and /v1/models answer with; `None`: the connection is refused.
    fn health(&self, pod: &str) -> Option<u16>;
    /// An engine's metrics page; `None`: the connection is refused.
    fn page(&self, pod: &str) -> Option<String>;
    /// The gateway's metrics page.
    fn gateway_page(&self) -> String;
    /// The GPU exporter's page of a node; `None`: it has no GPUs.
    fn gpu_page(&self, node: &str) -> Option<String>;
    /// The GPUs of a node that are there no more.
    fn lost_gpus(&self, _node: &str) -> Vec<u32> {
        Vec::new()
    }
    /// What a container wrote since its start.
    fn logs(&self, pod: &str) -> Vec<(At, String)>;
    /// Somebody outside asks for so many tokens, of a pod or through the gateway; `None`: the connection is refused.
    fn ask(&mut self, at: At, pod: Option<&str>, output: u32) -> Option<u64>;
    /// What was seen of such a request by now; `None`: it is not known.
    fn seen(&self, request: u64) -> Option<Sight>;
    /// Whoever sent such a request is gone, or has seen its end.
    fn forget(&mut self, at: At, request: u64);
    /// What an autoscaler sees.
    fn load(&self, pod: &str) -> Option<Load>;
    /// What really became of requests: nothing where there are none.
    fn ledger(&self) -> Ledger {
        Ledger::default()
    }
}
