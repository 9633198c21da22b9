//! What changes in a scenario: what a person with kubectl does, and what happens to hardware, gateway and traffic.

use serde::Deserialize;

use super::{Scenario, Seconds, with_flags};

/// One change. Exactly one of its parts is there.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// When, since the beginning.
    pub at: Seconds,
    /// A new revision of the workload.
    pub rollout: Option<Rollout>,
    /// The workload is scaled to so many replicas.
    pub scale: Option<u32>,
    /// So many pods are deleted, the oldest first.
    pub delete_pods: Option<u32>,
    /// A node is cordoned.
    pub cordon: Option<String>,
    /// From now on an image takes so long to be pulled onto a node that does not have it.
    pub pull: Option<Seconds>,
    /// Traffic changes.
    pub traffic: Option<TrafficChange>,
    /// A node's GPUs are cooled worse.
    pub heat: Option<Heat>,
    /// A node's GPUs get a lower power limit.
    pub power_limit: Option<PowerLimit>,
    /// A node's GPUs report memory errors.
    pub memory_errors: Option<MemoryErrors>,
    /// Something else uses a node's CPU.
    pub busy_host: Option<BusyHost>,
    /// The gateway changes.
    pub gateway: Option<GatewayChange>,
    /// An engine hangs.
    pub stall: Option<Stall>,
    /// The store of the weights is slower or faster from now on, in GB/s.
    pub load_gb_per_s: Option<f64>,
}

/// A new revision.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rollout {
    /// Its change-cause.
    pub cause: String,
    /// Its image, where it is another.
    pub image: Option<String>,
    /// Flags that are set: `--name=value`, or `--name` alone.
    #[serde(default)]
    pub set: Vec<String>,
    /// Flags that are taken away.
    #[serde(default)]
    pub unset: Vec<String>,
}

/// How traffic changes; a tenant or a class that is not named means all.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrafficChange {
    /// Whose.
    pub tenant: Option<String>,
    /// Of which class.
    pub class: Option<String>,
    /// The rate (or the number of users) is this many times that of the beginning.
    pub rate_factor: Option<f64>,
    /// Prompts are this many times as long as at the beginning.
    pub prompt_factor: Option<f64>,
    /// Answers are this many times as long as at the beginning.
    pub output_factor: Option<f64>,
    /// The share of a prompt that is the same in all of its class.
    pub shared_prefix: Option<f64>,
}

/// Worse cooling.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Heat {
    /// Where.
    pub node: String,
    /// Which of its GPUs; all, where this is absent.
    pub gpu: Option<u32>,
    /// How much warmer the air at its heat sink is, in kelvins; 0 is as at the beginning.
    pub kelvins: f64,
}

/// A lower power limit.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PowerLimit {
    /// Where.
    pub node: String,
    /// Which of its GPUs; all, where this is absent.
    pub gpu: Option<u32>,
    /// The limit.
    pub watts: f64,
}

/// Memory errors.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemoryErrors {
    /// Where.
    pub node: String,
    /// Which of its GPUs.
    pub gpu: u32,
    /// Corrected errors per minute.
    pub corrected_per_min: f64,
    /// Uncorrected errors per minute.
    pub uncorrected_per_min: f64,
    /// The share of the memory's bandwidth that replays cost.
    pub bandwidth_lost: f64,
}

/// A neighbour that takes CPU time.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BusyHost {
    /// Where.
    pub node: String,
    /// The share of CPU time that is left to each thread of an engine: 1 is all.
    pub left: f64,
}

/// A change of the gateway.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewayChange {
    /// Its own time per request, from now on.
    pub overhead: Option<Seconds>,
    /// The share of requests that it answers with 503 itself, from now on.
    pub refuses: Option<f64>,
    /// How it routes from now on.
    pub routing: Option<super::Routing>,
}

/// An engine that hangs: its core computes nothing, its API server answers.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stall {
    /// Which of the serving replicas, in the order of their starts.
    pub replica: usize,
    /// For how long.
    #[serde(rename = "for")]
    pub lasts: Seconds,
}

/// What a person with kubectl, or the platform under the cluster, does.
#[derive(Debug, Clone, PartialEq)]
pub enum ClusterChange {
    /// The Deployment's template gets these arguments and this image: a new revision.
    Template {
        /// All arguments of the engine's container.
        args: Vec<String>,
        /// Its image.
        image: String,
        /// `kubernetes.io/change-cause`.
        cause: String,
    },
    /// `kubectl scale`.
    Scale(u32),
    /// `kubectl delete pod`, so many of the workload's, the oldest first.
    DeletePods(u32),
    /// `kubectl cordon`.
    Cordon(String),
    /// An image takes this many seconds to be pulled from now on.
    PullSeconds(f64),
}

/// What happens to what runs in containers, to the gateway or to traffic.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "each is the part of a change that bears its name")]
pub enum Fault {
    Traffic(TrafficChange),
    Heat(Heat),
    PowerLimit(PowerLimit),
    MemoryErrors(MemoryErrors),
    BusyHost(BusyHost),
    Gateway(GatewayChange),
    Stall(Stall),
    LoadSpeed(f64),
}

impl Change {
    /// How many of its parts are there.
    pub(super) fn parts(&self) -> usize {
        [
            self.rollout.is_some(),
            self.scale.is_some(),
            self.delete_pods.is_some(),
            self.cordon.is_some(),
            self.pull.is_some(),
            self.traffic.is_some(),
            self.heat.is_some(),
            self.power_limit.is_some(),
            self.memory_errors.is_some(),
            self.busy_host.is_some(),
            self.gateway.is_some(),
            self.stall.is_some(),
            self.load_gb_per_s.is_some(),
        ]
        .into_iter()
        .filter(|there| *there)
        .count()
    }

    fn fault(&self) -> Option<Fault> {
        None.or_else(|| self.traffic.clone().map(Fault::Traffic))
            .or_else(|| self.heat.clone().map(Fault::Heat))
            .or_else(|| self.power_limit.clone().map(Fault::PowerLimit))
            .or_else(|| self.memory_errors.clone().map(Fault::MemoryErrors))
            .or_else(|| self.busy_host.clone().map(Fault::BusyHost))
            .or_else(|| self.gateway.clone().map(Fault::Gateway))
            .or_else(|| self.stall.clone().map(Fault::Stall))
            .or_else(|| self.load_gb_per_s.map(Fault::LoadSpeed))
    }
}

impl Scenario {
    /// What is done to the cluster, with the seconds since the beginning, in order.
    pub fn changes(&self) -> Vec<(f64, ClusterChange)> {
        let (mut args, mut image) = (self.workload.args.clone(), self.workload.image.clone());
        let mut done = Vec::new();
        for change in self.in_order() {
            let at = change.at.0;
            if let Some(rollout) = &change.rollout {
                args = with_flags(&args, &rollout.set, &rollout.unset);
                image = rollout.image.clone().unwrap_or(image);
                let (args, image, cause) = (args.clone(), image.clone(), rollout.cause.clone());
                done.push((at, ClusterChange::Template { args, image, cause }));
            }
            done.extend(change.scale.map(|replicas| (at, ClusterChange::Scale(replicas))));
            done.extend(change.delete_pods.map(|pods| (at, ClusterChange::DeletePods(pods))));
            done.extend(change.cordon.clone().map(|node| (at, ClusterChange::Cordon(node))));
            done.extend(change.pull.map(|pull| (at, ClusterChange::PullSeconds(pull.0))));
        }
        done
    }

    /// What happens under and in front of the engines, with the seconds since the beginning, in order.
    pub fn faults(&self) -> Vec<(f64, Fault)> {
        self.in_order().into_iter().filter_map(|change| Some((change.at.0, change.fault()?))).collect()
    }

    fn in_order(&self) -> Vec<&Change> {
        let mut changes: Vec<&Change> = self.changes.iter().collect();
        changes.sort_by(|a, b| a.at.0.total_cmp(&b.at.0));
        changes
    }
}
