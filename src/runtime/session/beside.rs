//! Whether a session reads the pods beside the workload's engines, or has a Prometheus tell what they say.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::fleet::{Asking, asking};
use crate::clock::Clock;
use crate::command::told::Around;
use crate::config::{Config, Engines, Others};
use crate::domain::{Body, ClusterFacts, Observation, Role, SourceState, Watch};
use crate::source::engine::Decoder;
use crate::source::kubernetes::Neighbour;
use crate::source::prometheus::fleet::{Member, Whose};

/// How the pods beside the workload's engines are read in a session: gateways, exporters of GPUs, engines of the other pool.
#[derive(Default)]
pub(super) struct Beside {
    /// Whether gateways are asked for.
    gateways: bool,
    /// Who is asked for gateways, and for engines of the other pool where the workload's own are asked for.
    pods: Option<Asking>,
    /// Who is asked for GPUs.
    gpus: Option<Asking>,
    /// What was found beside the workload, and whether it was looked for at all yet: what a recording remembers is not gone
    /// before.
    found: Vec<Neighbour>,
    counted: bool,
    /// The nodes of its pods.
    nodes: BTreeSet<String>,
    /// How those that are not read here can be read by hand.
    by_hand: HashMap<Arc<str>, (Role, String)>,
}

impl Beside {
    /// As configured.
    pub(super) fn of(config: &Config, around: Around<'_>, decoder: &Arc<Decoder>, clock: Clock) -> Self {
        let of = |whose| asking(config, around, decoder, whose, clock);
        let gateways = config.prometheus.gateways == Others::Always;
        let engines = config.prometheus.engines != Engines::Never;
        let roles = [(Role::Gateway, gateways), (Role::Engine, engines)];
        let asked = roles.iter().filter(|(_, asked)| *asked);
        let witness: Vec<String> = asked.flat_map(|(role, _)| decoder.witnesses_of(*role)).collect();
        let pods = if witness.is_empty() { None } else { of(Whose::Pods { witness }) };
        let gpus = (config.prometheus.gpus == Others::Always)
            .then(|| of(Whose::Nodes { witness: decoder.witnesses_of(Role::Gpus), labels: decoder.node_labels() }))
            .flatten();
        let (found, nodes, by_hand) = (Vec::new(), BTreeSet::new(), HashMap::new());
        Self { gateways: gateways && pods.is_some(), pods, gpus, found, counted: false, nodes, by_hand }
    }

    /// Follows what was found beside the workload.
    pub(super) fn found(&mut self, found: Vec<Neighbour>) {
        (self.found, self.counted) = (found, true);
    }

    /// Whether it was looked for what is there.
    pub(super) const fn is_counted(&self) -> bool {
        self.counted
    }

    /// Follows how the pods of the nodes are looked for, and says whether nobody beside the workload is to be waited for any
    /// more: GPUs are asked for all the same.
    pub(super) fn hears(&mut self, watch: &Watch) -> bool {
        let news = self.gpus.is_some() && !self.counted && watch.resource == "pods of all namespaces";
        self.counted |= news && watch.state != SourceState::Connecting;
        news && self.counted
    }

    /// Follows the nodes of the workload's pods, and says whether others are asked for from now on.
    pub(super) fn sees(&mut self, facts: &ClusterFacts) -> bool {
        let running = facts.pods.iter().filter(|p| p.phase == "Running");
        let nodes: BTreeSet<String> = running.filter_map(|p| p.node.clone()).collect();
        let changed = self.gpus.is_some() && nodes != self.nodes;
        self.nodes = nodes;
        changed
    }

    /// Tells whoever is asked whom to ask for, begins where there is somebody, and says what is read here. `read`: whether the
    /// engines' pages are.
    pub(super) fn follow(
        &mut self,
        read: bool,
        tasks: &mut JoinSet<()>,
        sink: &mpsc::Sender<Observation>,
    ) -> Neighbours<'_> {
        let told = |role: Role| match role {
            Role::Engine => !read && self.pods.is_some(),
            Role::Gateway => self.gateways,
            Role::Gpus => self.gpus.is_some(),
        };
        let pod = |n: &Neighbour| Member {
            name: n.pod.as_str().into(),
            role: n.role,
            namespace: Some(n.namespace.clone()),
            of: n.pod.clone(),
            teller: None,
        };
        let node = |node: &String| {
            let tells = |n: &&Neighbour| n.role == Role::Gpus && n.node.as_ref() == Some(node);
            Member {
                name: gpus_of(node).into(),
                role: Role::Gpus,
                namespace: None,
                of: node.clone(),
                teller: self.found.iter().find(tells).map(|n| n.pod.clone()),
            }
        };
        let pods = self.found.iter().filter(|n| n.role != Role::Gpus && told(n.role)).map(pod).collect();
        let exporters = self.found.iter().filter(|n| n.role == Role::Gpus).filter_map(|n| n.node.as_ref());
        let all: BTreeSet<&String> = self.nodes.iter().chain(exporters).filter(|_| self.gpus.is_some()).collect();
        let nodes: Vec<Member> = all.iter().map(|n| node(n)).collect();
        let told = [Role::Engine, Role::Gateway, Role::Gpus].into_iter().filter(|role| told(*role)).collect();
        for (asking, members) in [(&mut self.pods, pods), (&mut self.gpus, nodes)] {
            if let Some(asking) = asking {
                let some = !members.is_empty();
                asking.follow(members);
                if some {
                    asking.begin(tasks, sink);
                }
            }
        }
        self.by_hand.retain(|_, (role, _)| !read || *role != Role::Engine);
        let nodes = all.into_iter().map(|n| (gpus_of(n), n.clone())).collect();
        Neighbours { found: &self.found, told, nodes }
    }

    /// Follows what a Prometheus tells: how its numbers can be read by hand.
    pub(super) fn told(&mut self, observation: &Observation) {
        if let Body::Endpoint { name, role, reproduce, .. } = &observation.body {
            self.by_hand.insert(Arc::clone(name), (*role, reproduce.clone()));
        }
    }

    /// What is told of an endpoint, with how its numbers can be read by hand where they come from elsewhere.
    pub(super) fn named(&self, mut observation: Observation) -> Observation {
        if let Body::Endpoint { name, reproduce, reached, .. } = &mut observation.body
            && let Some((_, by_hand)) = self.by_hand.get(name)
        {
            (*reached, *reproduce) = (None, by_hand.clone());
        }
        observation
    }
}

/// What is beside the workload, and what of it is read here.
pub(super) struct Neighbours<'a> {
    /// Its pods.
    pub(super) found: &'a [Neighbour],
    /// The roles of those that are not read here.
    pub(super) told: Vec<Role>,
    /// Nodes whose GPUs are asked for, each under the name of its endpoint.
    pub(super) nodes: Vec<(String, String)>,
}

/// How the GPUs of a node are called where no exporter's page is read.
fn gpus_of(node: &str) -> String {
    format!("GPUs of {node}")
}
