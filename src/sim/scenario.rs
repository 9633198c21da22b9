//! Scenarios: what is true in a simulated cluster, as files. They set causes only (flags, hardware, traffic, and when each
//! of them changes); latencies, queues, pod states and GPU readings follow from these, and none can be written here.
//!
//! The format is strict: an unknown key, a wrong unit or a flag that is none is an error with file, line and remedy.

mod check;
mod error;
mod flags;
mod hardware;
mod manifests;
mod seconds;
mod timeline;

use std::collections::BTreeMap;

use serde::Deserialize;

pub use error::ScenarioError;
pub use flags::{flag, with_flags};
pub use hardware::{BusyHost, Heat, LostGpu, MemoryErrors, PowerBrake, PowerLimit};
pub use seconds::Seconds;
pub use timeline::{AutoscalerChange, Change, ClusterChange, Fault, GatewayChange, Rollout, Stall, TrafficChange};

/// The scenarios that are built in, in the order in which they are offered.
const EMBEDDED: &[(&str, &str)] = &[
    ("bad-rollout.toml", include_str!("../../assets/scenarios/bad-rollout.toml")),
    ("kv-thrash.toml", include_str!("../../assets/scenarios/kv-thrash.toml")),
    ("long-prompts.toml", include_str!("../../assets/scenarios/long-prompts.toml")),
    ("traffic-surge.toml", include_str!("../../assets/scenarios/traffic-surge.toml")),
    ("thermal.toml", include_str!("../../assets/scenarios/thermal.toml")),
    ("power-limit.toml", include_str!("../../assets/scenarios/power-limit.toml")),
    ("memory-errors.toml", include_str!("../../assets/scenarios/memory-errors.toml")),
    ("gateway.toml", include_str!("../../assets/scenarios/gateway.toml")),
    ("cold-start.toml", include_str!("../../assets/scenarios/cold-start.toml")),
    ("stalled.toml", include_str!("../../assets/scenarios/stalled.toml")),
    ("innocent-deploy.toml", include_str!("../../assets/scenarios/innocent-deploy.toml")),
    ("one-slow-replica.toml", include_str!("../../assets/scenarios/one-slow-replica.toml")),
    ("slow-link.toml", include_str!("../../assets/scenarios/slow-link.toml")),
    ("healthy.toml", include_str!("../../assets/scenarios/healthy.toml")),
];

/// A scenario: causes, and when they come.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Its name: the file's, without `.toml`.
    pub name: String,
    /// One line for a list.
    pub title: String,
    /// What was done to the system, in sentences.
    pub story: String,
    /// How much of it has passed when the screen opens.
    pub opens: Seconds,
    /// What the team has promised.
    pub slo: Slo,
    /// The model that is served.
    pub model: Weights,
    /// The workload.
    pub workload: Workload,
    /// Those that compute its prompts, where others do; the workload produces tokens then.
    pub prefill: Option<Prefill>,
    /// What scales it, if anything does.
    pub autoscaler: Option<Autoscaler>,
    /// What stands in front of it.
    #[serde(default)]
    pub gateway: Gateway,
    /// The nodes.
    #[serde(rename = "node")]
    pub nodes: Vec<NodeSpec>,
    /// Who asks, and what.
    #[serde(rename = "traffic")]
    pub traffic: Vec<Traffic>,
    /// Earlier revisions of the workload, oldest first: they had come and gone before the scenario begins.
    #[serde(default, rename = "earlier")]
    pub earlier: Vec<Earlier>,
    /// What changes, and when.
    #[serde(default, rename = "change")]
    pub changes: Vec<Change>,
}

/// What was promised. A promise is no symptom.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slo {
    /// Time to first token, at most.
    pub ttft: Seconds,
    /// Between two tokens, at most.
    pub tpot: Seconds,
    /// The share of requests, and of tokens, for which that holds.
    pub objective: f64,
}

/// The model: what must be loaded, computed and remembered.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Weights {
    /// The name that it is served under.
    pub name: String,
    /// Parameters, in thousand millions: the work per token.
    pub parameters_b: f64,
    /// Size of the weights in GB (10⁹ bytes).
    pub weights_gb: f64,
    /// KV cache per token, in KiB.
    pub kv_kib_per_token: f64,
}

/// The Deployment.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Workload {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Replicas at the beginning.
    pub replicas: u32,
    /// The revision at the beginning, as `kubectl rollout history` counts.
    pub revision: u64,
    /// The change-cause of that revision.
    pub cause: String,
    /// The image.
    pub image: String,
    /// The engine's arguments.
    pub args: Vec<String>,
    /// Flags that stand in a `ConfigMap`, which `--config` among the arguments names: a pod takes what it holds when it starts.
    #[serde(default)]
    pub config: Vec<String>,
    /// GPUs per pod.
    pub gpus: u32,
    /// CPU cores that a pod asks for.
    pub cpus: u32,
    /// How long the image takes to be pulled onto a node that does not have it.
    pub pull: Seconds,
    /// How fast the weights are read, in GB/s.
    pub load_gb_per_s: f64,
    /// From weights loaded to serving: memory profiling, compilation, CUDA graphs.
    pub warm_up: Seconds,
    /// `maxSurge` of its rolling update: a number or a percentage.
    #[serde(default = "quarter")]
    pub max_surge: String,
    /// `maxUnavailable` of its rolling update.
    #[serde(default = "quarter")]
    pub max_unavailable: String,
    /// How often a drafted token is what the model would have said, where those before it were; counts only with a
    /// `--speculative-config`.
    #[serde(default = "usual_acceptance")]
    pub draft_acceptance: f64,
    /// What it is asked before it counts as Ready.
    #[serde(default)]
    pub readiness: Readiness,
    /// How long a rollout may go without progress.
    #[serde(default = "half_an_hour")]
    pub progress_deadline: Seconds,
    /// How often it is asked whether it is ready.
    #[serde(default = "ten_seconds")]
    pub probe_every: Seconds,
}

/// The Deployment that computes prompts for the workload, whose pods it is otherwise like.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prefill {
    /// Its name.
    pub name: String,
    /// Replicas.
    pub replicas: u32,
    /// Flags in which its engines differ from the workload's.
    #[serde(default)]
    pub set: Vec<String>,
    /// How fast the KV cache of a prompt comes to one decoder, in GB/s: what a network card does, or what is left of it.
    pub link_gb_per_s: f64,
}

impl Prefill {
    /// The arguments of its engines, for a workload with these ones.
    pub fn args(&self, workload: &[String]) -> Vec<String> {
        let part = workload.iter().map(|arg| arg.replace("kv_consumer", "kv_producer")).collect::<Vec<_>>();
        with_flags(&part, &self.set, &[])
    }
}

fn quarter() -> String {
    "25%".to_owned()
}

/// What EAGLE's authors measured, about.
const fn usual_acceptance() -> f64 {
    0.8
}

const fn ten_seconds() -> Seconds {
    Seconds(10.0)
}

/// What Kubernetes asks a pod before it calls it Ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Readiness {
    /// `GET /health` of the engine, which answers once the model is loaded.
    #[default]
    Health,
    /// Whether the process is there: it is from its first moment on.
    Process,
    /// Nothing.
    None,
}

/// The signal that an autoscaler looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// Waiting requests per pod.
    Waiting,
    /// CPU use in percent of the request.
    Cpu,
}

/// The horizontal autoscaler of pods.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Autoscaler {
    /// The fewest replicas.
    pub min: u32,
    /// The most replicas.
    pub max: u32,
    /// What it looks at.
    pub metric: Signal,
    /// The average per pod that it keeps.
    pub target: u32,
    /// So long nothing must have asked for more before it takes replicas away: what takes minutes to start is not given away
    /// for a quiet minute.
    #[serde(default = "half_an_hour")]
    pub down_after: Seconds,
}

const fn half_an_hour() -> Seconds {
    Seconds(1800.0)
}

/// How a gateway chooses a replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Routing {
    /// The one with the fewest requests in flight.
    #[default]
    LeastRequest,
    /// One after the other.
    RoundRobin,
    /// All of a tenant to the same one.
    Tenant,
}

/// How a gateway speaks of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GatewayPage {
    /// As an Envoy does, which knows no first token.
    #[default]
    Envoy,
    /// As Envoy AI Gateway's processor does, which measures it.
    Ai,
}

/// The gateway: an Envoy.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Gateway {
    /// Its own time per request.
    pub overhead: Seconds,
    /// How it routes.
    pub routing: Routing,
    /// Attempts after a refused connection.
    pub retries: u32,
    /// Requests that take longer are cut off with 504.
    pub timeout: Seconds,
    /// Whose page it has.
    pub page: GatewayPage,
}

impl Default for Gateway {
    fn default() -> Self {
        Self {
            overhead: Seconds(0.004),
            routing: Routing::LeastRequest,
            retries: 2,
            timeout: Seconds(300.0),
            page: GatewayPage::Envoy,
        }
    }
}

/// A node.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeSpec {
    /// Its name.
    pub name: String,
    /// Its GPUs.
    pub gpus: u32,
    /// Their kind, as the driver names it: `NVIDIA H100 80GB HBM3`.
    pub product: String,
    /// Its CPU cores.
    #[serde(default = "cores")]
    pub cpus: u32,
}

const fn cores() -> u32 {
    192
}

/// One kind of request of one tenant.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Traffic {
    /// Who asks.
    pub tenant: String,
    /// What kind of request: `chat`, `rag`, `batch`.
    pub class: String,
    /// Requests per second, arriving independently of each other; or `users`.
    #[serde(default)]
    pub rate: f64,
    /// So many users ask, read the answer, think and ask again: they slow down with the system.
    #[serde(default)]
    pub users: u32,
    /// How long a user thinks, on average.
    #[serde(default = "half_a_minute")]
    pub think: Seconds,
    /// Tokens of a prompt.
    pub prompt: Lengths,
    /// Tokens of an answer.
    pub output: Lengths,
    /// The share of a prompt that is the same in all of this class: a system prompt, tools, a document.
    #[serde(default)]
    pub shared_prefix: f64,
    /// A client gives up when its first token takes longer, on average; never, where this is absent.
    pub patience: Option<Seconds>,
    /// Times at which more comes than otherwise.
    pub bursts: Option<Bursts>,
}

const fn half_a_minute() -> Seconds {
    Seconds(30.0)
}

/// Lengths in tokens: log-normal around a median, cut off.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lengths {
    /// Half of them are shorter.
    pub median: f64,
    /// The standard deviation of the logarithm: 0 is always the median, 1 is wide.
    pub spread: f64,
    /// None is longer.
    pub most: u32,
}

/// Traffic that comes in bursts.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bursts {
    /// From one beginning to the next.
    pub every: Seconds,
    /// How long one lasts.
    pub lasts: Seconds,
    /// By how much the rate is multiplied meanwhile.
    pub factor: f64,
}

/// A revision that came and went before the scenario begins.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Earlier {
    /// How long before the beginning it was rolled out.
    pub before: Seconds,
    /// Its change-cause.
    pub cause: String,
    /// Its image, where it was another than the workload's.
    pub image: Option<String>,
    /// The flags in which it differed: `--name=value`, or `--name` alone.
    #[serde(default)]
    pub set: Vec<String>,
    /// Flags that it did not have.
    #[serde(default)]
    pub unset: Vec<String>,
}

/// A revision as `kubectl rollout history` would show it, whole.
#[derive(Debug, Clone, PartialEq)]
pub struct EarlierRevision {
    /// Its number.
    pub revision: u64,
    /// Seconds from its rollout to the beginning.
    pub before_s: f64,
    /// Its change-cause.
    pub cause: String,
    /// Its image.
    pub image: String,
    /// Its arguments.
    pub args: Vec<String>,
}

impl Scenario {
    /// A built-in scenario by its name.
    pub fn named(name: &str) -> Result<Self, ScenarioError> {
        let Some((file, text)) = EMBEDDED.iter().find(|(file, _)| file.strip_suffix(".toml") == Some(name)) else {
            return Err(ScenarioError::Unknown { name: name.to_owned(), known: Self::names().join(", ") });
        };
        Self::read(file, text)
    }

    /// The names of the built-in scenarios, the default first.
    pub fn names() -> Vec<&'static str> {
        EMBEDDED.iter().filter_map(|(file, _)| file.strip_suffix(".toml")).collect()
    }

    /// All built-in scenarios, the default first.
    pub fn all() -> Result<Vec<Self>, ScenarioError> {
        EMBEDDED.iter().map(|(file, text)| Self::read(file, text)).collect()
    }

    /// A scenario from a file's text; `file` is its name in errors.
    pub fn read(file: &str, text: &str) -> Result<Self, ScenarioError> {
        let scenario: Self = toml::from_str(text).map_err(|e| ScenarioError::from_toml(file, text, &e))?;
        check::check(&scenario).map_err(|wrong| ScenarioError::at_word(file, text, &wrong))?;
        Ok(scenario)
    }

    /// When the screen opens, in seconds since the beginning.
    pub fn opens_s(&self) -> f64 {
        self.opens.0
    }

    /// The same without anything that changes: what it would have been.
    #[must_use]
    pub fn without_changes(mut self) -> Self {
        self.changes.clear();
        self
    }

    /// The revisions before the one that runs at the beginning, oldest first.
    pub fn earlier_revisions(&self) -> Vec<EarlierRevision> {
        let first = self.workload.revision.saturating_sub(self.earlier.len() as u64);
        (first..)
            .zip(&self.earlier)
            .map(|(revision, earlier)| EarlierRevision {
                revision,
                before_s: earlier.before.0,
                cause: earlier.cause.clone(),
                image: earlier.image.clone().unwrap_or_else(|| self.workload.image.clone()),
                args: with_flags(&self.workload.args, &earlier.set, &earlier.unset),
            })
            .collect()
    }

    /// The nodes by their names.
    pub fn node(&self, name: &str) -> Option<&NodeSpec> {
        self.nodes.iter().find(|node| node.name == name)
    }

    /// The tenants with their classes.
    pub fn tenants(&self) -> BTreeMap<&str, Vec<&str>> {
        let mut tenants: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for traffic in &self.traffic {
            tenants.entry(&traffic.tenant).or_default().push(&traffic.class);
        }
        tenants
    }
}
