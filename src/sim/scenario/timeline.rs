//! What changes in a scenario: what a person with kubectl does, and what happens to hardware, gateway and traffic.

use serde::Deserialize;
use serde_json::Value;

use super::hardware::{BusyHost, Heat, LostGpu, MemoryErrors, PowerBrake, PowerLimit};
use super::manifests::data;
use super::{Readiness, Scenario, Seconds, Signal, with_flags};

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
    /// The autoscaler is told something else.
    pub autoscaler: Option<AutoscalerChange>,
    /// Flags that are set in the `ConfigMap` of the workload: pods that start from now on have them.
    pub config: Option<Vec<String>>,
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
    /// The brake of a node's power supply.
    pub power_brake: Option<PowerBrake>,
    /// A GPU falls off the bus.
    pub lost_gpu: Option<LostGpu>,
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
    /// From now on a drafted token is accepted so often, where those before it were: what is asked has changed, or the model
    /// without its draft.
    pub draft_acceptance: Option<f64>,
    /// From now on KV caches come to each decoder at so many GB/s: cards are shared, or RDMA has fallen back to TCP.
    pub link_gb_per_s: Option<f64>,
}

/// A new revision.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rollout {
    /// Its change-cause.
    pub cause: String,
    /// Who writes it: the name that stands in `managedFields`.
    #[serde(default = "kubectl")]
    pub by: String,
    /// Its image, where it is another.
    pub image: Option<String>,
    /// Flags that are set: `--name=value`, or `--name` alone.
    #[serde(default)]
    pub set: Vec<String>,
    /// Flags that are taken away.
    #[serde(default)]
    pub unset: Vec<String>,
    /// What its pods are asked before they count as Ready, where that is something else.
    pub readiness: Option<Readiness>,
}

fn kubectl() -> String {
    "kubectl".to_owned()
}

/// What an autoscaler is told from now on; the rest stays.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AutoscalerChange {
    /// The fewest replicas.
    pub min: Option<u32>,
    /// The most replicas.
    pub max: Option<u32>,
    /// What it looks at.
    pub metric: Option<Signal>,
    /// The average per pod that it keeps.
    pub target: Option<u32>,
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
    /// Whether it holds answers back until they are complete.
    pub buffers: Option<bool>,
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
        /// Who writes it.
        by: String,
        /// The probes that it has from now on, by the names of their fields, where they are others.
        probes: Option<Vec<(&'static str, Value)>>,
    },
    /// `kubectl scale`.
    Scale(u32),
    /// `kubectl delete pod`, so many of the workload's, the oldest first.
    DeletePods(u32),
    /// The autoscaler's `spec` is this from now on.
    Autoscaler(Value),
    /// The workload's `ConfigMap` has this `data` from now on.
    Config(Value),
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
    PowerBrake(PowerBrake),
    LostGpu(LostGpu),
    MemoryErrors(MemoryErrors),
    BusyHost(BusyHost),
    Gateway(GatewayChange),
    Stall(Stall),
    LoadSpeed(f64),
    Acceptance(f64),
    Link(f64),
}

impl Change {
    /// How many of its parts are there.
    pub(super) fn parts(&self) -> usize {
        [
            self.rollout.is_some(),
            self.scale.is_some(),
            self.delete_pods.is_some(),
            self.autoscaler.is_some(),
            self.config.is_some(),
            self.cordon.is_some(),
            self.pull.is_some(),
            self.traffic.is_some(),
            self.heat.is_some(),
            self.power_limit.is_some(),
            self.power_brake.is_some(),
            self.lost_gpu.is_some(),
            self.memory_errors.is_some(),
            self.busy_host.is_some(),
            self.gateway.is_some(),
            self.stall.is_some(),
            self.load_gb_per_s.is_some(),
            self.draft_acceptance.is_some(),
            self.link_gb_per_s.is_some(),
        ]
        .into_iter()
        .filter(|there| *there)
        .count()
    }

    /// Whether pods come onto other nodes by it.
    pub fn moves_pods(&self) -> bool {
        self.rollout.is_some() || self.scale.is_some() || self.delete_pods.is_some()
    }

    fn fault(&self) -> Option<Fault> {
        None.or_else(|| self.traffic.clone().map(Fault::Traffic))
            .or_else(|| self.heat.clone().map(Fault::Heat))
            .or_else(|| self.power_limit.clone().map(Fault::PowerLimit))
            .or_else(|| self.power_brake.clone().map(Fault::PowerBrake))
            .or_else(|| self.lost_gpu.clone().map(Fault::LostGpu))
            .or_else(|| self.memory_errors.clone().map(Fault::MemoryErrors))
            .or_else(|| self.busy_host.clone().map(Fault::BusyHost))
            .or_else(|| self.gateway.clone().map(Fault::Gateway))
            .or_else(|| self.stall.clone().map(Fault::Stall))
            .or_else(|| self.load_gb_per_s.map(Fault::LoadSpeed))
            .or_else(|| self.draft_acceptance.map(Fault::Acceptance))
            .or_else(|| self.link_gb_per_s.map(Fault::Link))
    }
}

impl Scenario {
    /// What is done to the cluster, with the seconds since the beginning, in order.
    pub fn changes(&self) -> Vec<(f64, ClusterChange)> {
        let (mut args, mut image) = (self.workload.args.clone(), self.workload.image.clone());
        let (mut scaler, mut config, mut done) = (self.autoscaler.clone(), self.workload.config.clone(), Vec::new());
        for change in self.in_order() {
            let at = change.at.0;
            if let Some(rollout) = &change.rollout {
                args = with_flags(&args, &rollout.set, &rollout.unset);
                image = rollout.image.clone().unwrap_or(image);
                let (args, image) = (args.clone(), image.clone());
                let (cause, by) = (rollout.cause.clone(), rollout.by.clone());
                let probes = rollout.readiness.map(|readiness| self.probes(readiness));
                done.push((at, ClusterChange::Template { args, image, cause, by, probes }));
            }
            done.extend(change.scale.map(|replicas| (at, ClusterChange::Scale(replicas))));
            done.extend(change.delete_pods.map(|pods| (at, ClusterChange::DeletePods(pods))));
            if let (Some(told), Some(scaler)) = (change.autoscaler, &mut scaler) {
                scaler.min = told.min.unwrap_or(scaler.min);
                scaler.max = told.max.unwrap_or(scaler.max);
                scaler.metric = told.metric.unwrap_or(scaler.metric);
                scaler.target = told.target.unwrap_or(scaler.target);
                done.push((at, ClusterChange::Autoscaler(self.scaler(scaler)["spec"].clone())));
            }
            if let Some(set) = &change.config {
                config = with_flags(&config, set, &[]);
                done.push((at, ClusterChange::Config(data(&config))));
            }
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
