//! The one ordered stream in which everything enters: what a source delivers, when it was so.

use std::sync::Arc;

use super::{
    At, ClusterFacts, Endpoint, EnginePage, Failure, GpuPage, Placement, Probed, Reached, SourceState, Told, Untold,
    written,
};

/// What one source delivered.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Observation {
    /// When it was so: when a page was asked for, when a watch spoke.
    pub at: At,
    /// What.
    pub body: Body,
}

/// What can be delivered.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// There is an endpoint to read, or more is known of it: it may have no page yet.
    Endpoint {
        /// Its name, which is its identity.
        #[serde(with = "written::shared")]
        name: Arc<str>,
        /// What its pages are expected to be.
        role: Role,
        /// How the same numbers can be read by hand.
        reproduce: String,
        /// On which way it is read; `None` where there is only one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reached: Option<Reached>,
        /// Which pod it is from now on.
        placement: Option<Placement>,
    },
    /// An endpoint will not be read any more: its pod is gone. Its row and its counts stay.
    EndpointGone {
        /// Its name.
        #[serde(with = "written::shared")]
        name: Arc<str>,
    },
    /// An attempt to read an endpoint.
    Page {
        /// Its name.
        #[serde(with = "written::shared")]
        endpoint: Arc<str>,
        /// What came of it.
        page: Result<Page, Failure>,
    },
    /// An endpoint with its past, as a recording has it.
    Recorded(Box<Endpoint>),
    /// What Kubernetes says, whole.
    Cluster(#[serde(with = "written::shared")] Arc<ClusterFacts>),
    /// How a part of Kubernetes is being watched.
    Watch(Watch),
    /// What a Prometheus told, or why it told nothing.
    Told(Result<Box<Told>, Failure>),
    /// Readings come farther apart than was meant: whoever keeps them takes them so often.
    Paced {
        /// Between two of them (s).
        interval_s: f64,
        /// The one endpoint of which that is so; `None`: all engines.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        of: Option<String>,
        /// What is left out of its pages, in words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        left_out: Option<String>,
    },
    /// A Prometheus was looked for in the cluster, and nobody is asked.
    Untold(Untold),
    /// A request of our own was answered, or not. Its moment is the one at which it was sent.
    Probed(Probed),
}

/// What an endpoint's pages are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// An inference engine.
    #[default]
    Engine,
    /// A gateway, a router or a mesh in front of engines.
    Gateway,
    /// An exporter of GPUs.
    Gpus,
}

/// A complete page.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Page {
    /// Of an engine.
    Engine(EnginePage),
    /// Of a gateway: the same shape, with the gateway's quantities.
    Gateway(EnginePage),
    /// Of an exporter of GPUs.
    Gpus(GpuPage),
}

impl Page {
    /// What it is.
    pub const fn role(&self) -> Role {
        match self {
            Self::Engine(_) => Role::Engine,
            Self::Gateway(_) => Role::Gateway,
            Self::Gpus(_) => Role::Gpus,
        }
    }
}

/// A name that the program holds for ever. By another name, because serde would borrow a reference from what it reads.
type Known = &'static str;

/// How one kind of object is being watched.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Watch {
    /// The resource, in the plural: `pods`, `replicasets`, `nodes`.
    #[serde(deserialize_with = "written::resource")]
    pub resource: Known,
    /// How it goes.
    pub state: SourceState,
    /// When it was last known to be up to date.
    pub heard: Option<At>,
    /// What is wrong, and what to do about it.
    pub error: Option<String>,
}

impl Watch {
    /// Everything that is watched, as [`Self::resource`] names it.
    pub const RESOURCES: &'static [&'static str] = &[
        "deployments",
        "statefulsets",
        "replicasets",
        "controllerrevisions",
        "pods",
        "horizontalpodautoscalers",
        "events",
        "nodes",
        "pods of all namespaces",
        "routes to gateways",
        "configmaps",
    ];
}
