//! Whoever reads a simulated cluster without any network: pages as a scraper reads them, objects as watches deliver them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use warroom::decode::kubernetes::{Kin, Objects, Sibling, facts, gpus_of};
use warroom::diagnosis::{BurnPreset, Policy, Target, Targets};
use warroom::dialect::{Catalogue, Memory};
use warroom::domain::{
    At, Body, Failure, Observation, Page, Placement, Role, SourceState, Watch, WorkloadKind, WorkloadRef,
};
use warroom::sim::cluster::Kind;
use warroom::sim::scenario::Scenario;
use warroom::sim::world::World;
use warroom::source::engine::Decoder;

/// 2026-11-24T03:00:00Z, when the screen opens.
pub(crate) const OPENS: At = At(1_795_489_200_000);
/// Seconds between two sweeps.
pub(crate) const SWEEP_S: f64 = 5.0;
/// Whoever reads a world: what its scraper and its watches would deliver now.
pub(crate) struct Reader {
    workload: String,
    decoder: Decoder,
    memories: BTreeMap<String, Memory>,
    /// Endpoints that were there at the last sweep.
    there: Vec<String>,
}

/// The workload that a scenario is about.
pub(crate) fn target(scenario: &Scenario, context: &str) -> WorkloadRef {
    WorkloadRef {
        context: context.to_owned(),
        namespace: scenario.workload.namespace.clone(),
        kind: WorkloadKind::Deployment,
        name: scenario.workload.name.clone(),
    }
}

/// How a scenario is judged: by what its team has promised.
pub(crate) fn policy(scenario: &Scenario) -> Policy {
    let objective = |seconds| Target { seconds, objective: scenario.slo.objective };
    let targets = Targets {
        ttft: objective(scenario.slo.ttft.0),
        tpot: objective(scenario.slo.tpot.0),
        burn: BurnPreset::default(),
    };
    Policy { window_s: 300.0, default: targets, by_model: Vec::new() }
}

impl Reader {
    pub(crate) fn new(workload: &str) -> Self {
        Self {
            workload: workload.to_owned(),
            decoder: Decoder::new(Arc::new(Catalogue::embedded(&[]).expect("the embedded dialects"))),
            memories: BTreeMap::new(),
            there: Vec::new(),
        }
    }

    /// One sweep: every page, who went away, and Kubernetes' objects.
    pub(crate) fn read(&mut self, world: &World) -> Vec<Observation> {
        let at = world.now();
        let mut bodies = Vec::new();
        let mut there = Vec::new();
        let others = self.other_pool(world);
        for endpoint in world.endpoints() {
            let sibling = others.get(&endpoint.pod);
            let name: Arc<str> = endpoint.pod.as_str().into();
            there.push(endpoint.pod.clone());
            let memory = self.memories.entry(endpoint.pod.clone()).or_default();
            let page = match &endpoint.page {
                Some(page) => self.decoder.decode(page.as_bytes(), memory),
                None => Err(Failure::Refused),
            };
            let role = page.as_ref().map_or(Role::Engine, Page::role);
            let placement = Placement {
                pod: Some(endpoint.pod),
                node: Some(endpoint.node),
                revision: endpoint.revision,
                ready: Some(endpoint.ready),
                pool: sibling.map(|s| s.pool),
                workload: sibling.and_then(|s| s.workload.clone()),
                ..Placement::default()
            };
            bodies.push(Body::Endpoint {
                name: Arc::clone(&name),
                role,
                reproduce: String::new(),
                reached: None,
                placement: Some(placement),
            });
            bodies.push(Body::Page { endpoint: name, page });
        }
        let gone = self.there.iter().filter(|name| !there.contains(name));
        bodies.extend(gone.map(|name| Body::EndpointGone { name: name.as_str().into() }));
        self.there = there;
        bodies.extend(self.watched(world));
        bodies.into_iter().map(|body| Observation { at, body }).collect()
    }

    /// Engines of the other pool, where prompts are computed on others than tokens: by pod.
    fn other_pool(&self, world: &World) -> BTreeMap<String, Sibling> {
        let deployments = world.objects(Kind::Deployment);
        let own = deployments.iter().find(|o| o["metadata"]["name"] == self.workload.as_str());
        let Some(kin) = own.and_then(Kin::of) else { return BTreeMap::new() };
        let pods = world.objects(Kind::Pod);
        let of_it = |pod: &Value| kin.tied(pod).and_then(|_| kin.other(pod));
        let named = |pod: &Value| Some((pod["metadata"]["name"].as_str()?.to_owned(), of_it(pod)?));
        pods.iter().filter_map(named).collect()
    }

    /// What watches deliver.
    pub(crate) fn watched(&self, world: &World) -> Vec<Body> {
        let of = |kind| world.objects(kind);
        let named = |o: &Value| o["metadata"]["name"] == self.workload.as_str();
        let (deployments, sets, pods) = (of(Kind::Deployment), of(Kind::ReplicaSet), of(Kind::Pod));
        let (nodes, scalers, events) = (of(Kind::Node), of(Kind::Autoscaler), of(Kind::Event));
        let mut taken = BTreeMap::new();
        for pod in &pods {
            if let Some(node) = pod["spec"]["nodeName"].as_str() {
                *taken.entry(node.to_owned()).or_insert(0) += gpus_of(pod);
            }
        }
        let facts = facts(&Objects {
            kind: Some(WorkloadKind::Deployment),
            workload: deployments.iter().find(|o| named(o)),
            revisions: sets.iter().collect(),
            pods: pods.iter().collect(),
            nodes: Some(nodes.iter().collect()),
            gpus_taken: Some(&taken),
            config_maps: None,
            autoscalers: scalers.iter().collect(),
            events: events.iter().collect(),
        });
        let live =
            |resource| Body::Watch(Watch { resource, state: SourceState::Live, heard: Some(world.now()), error: None });
        [Body::Cluster(Arc::new(facts)), live("pods"), live("nodes")].into()
    }
}
