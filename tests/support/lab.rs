//! A simulated cluster read without any network: pages as a scraper reads them, objects as a watch delivers them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use warroom::decode::kubernetes::{Objects, facts, gpus_of};
use warroom::diagnosis::{BurnPreset, Diagnosis, Policy, Target, Targets, diagnose};
use warroom::dialect::{Catalogue, Memory};
use warroom::domain::{
    At, Body, Failure, Observation, Page, Placement, Role, Snapshot, SourceState, Watch, WorkloadKind, WorkloadRef,
};
use warroom::sim::cluster::Kind;
use warroom::sim::scenario::Scenario;
use warroom::sim::serving::Model;
use warroom::sim::world::{Setup, World};
use warroom::source::engine::Decoder;

/// 2026-11-24T03:00:00Z, when the screen opens.
pub(crate) const OPENS: At = At(1_795_489_200_000);
/// Seconds between two sweeps, and how long before the first judged moment reading begins.
const SWEEP_S: f64 = 5.0;
const READ_BEFORE_S: f64 = 2400.0;

pub(crate) struct Lab {
    world: World,
    snapshot: Snapshot,
    policy: Policy,
    decoder: Decoder,
    memories: BTreeMap<String, Memory>,
    scenario: Scenario,
    /// What was observed, for whoever asked for it.
    stream: Option<Vec<Observation>>,
}

impl Lab {
    pub(crate) fn new(scenario: &Scenario, seed: u64) -> Self {
        let begins = OPENS.plus(-scenario.opens_s());
        let model = Model::new(scenario, seed, begins);
        let world = World::new(&Setup::from(scenario), Box::new(model), begins, seed);
        let target = WorkloadRef {
            context: "lab".to_owned(),
            namespace: scenario.workload.namespace.clone(),
            kind: WorkloadKind::Deployment,
            name: scenario.workload.name.clone(),
        };
        let objective = |seconds| Target { seconds, objective: scenario.slo.objective };
        let targets = Targets {
            ttft: objective(scenario.slo.ttft.0),
            tpot: objective(scenario.slo.tpot.0),
            burn: BurnPreset::default(),
        };
        Self {
            world,
            snapshot: Snapshot { interval_s: SWEEP_S, target: Some(target), ..Snapshot::default() },
            policy: Policy { window_s: 300.0, default: targets, by_model: Vec::new() },
            decoder: Decoder::new(Arc::new(Catalogue::embedded(&[]).expect("the embedded dialects"))),
            memories: BTreeMap::new(),
            scenario: scenario.clone(),
            stream: None,
        }
    }

    /// Everything that is observed until so many seconds after the screen opens, and what it is judged by.
    pub(crate) fn stream(mut self, after_s: f64) -> (Vec<Observation>, Snapshot, Policy) {
        self.stream = Some(Vec::new());
        self.judge(after_s);
        (self.stream.unwrap_or_default(), self.snapshot, self.policy)
    }

    fn observe(&mut self, at: At, body: Body) {
        let observation = Observation { at, body };
        self.stream.iter_mut().for_each(|stream| stream.push(observation.clone()));
        self.snapshot.observe(observation);
    }

    /// Reads on until so many seconds after the screen opens, and diagnoses.
    pub(crate) fn judge(&mut self, after_s: f64) -> Diagnosis {
        let until = OPENS.plus(after_s);
        let first = OPENS.plus(-READ_BEFORE_S.min(self.scenario.opens_s()));
        if self.world.now() < first {
            self.world.advance(first);
        }
        while self.world.now() < until {
            self.world.advance(self.world.now().plus(SWEEP_S).min(until));
            self.sweep();
        }
        self.snapshot.now = self.world.now();
        diagnose(&self.snapshot, &self.policy)
    }

    fn sweep(&mut self) {
        let at = self.world.now();
        let mut there = Vec::new();
        for endpoint in self.world.endpoints() {
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
                ..Placement::default()
            };
            let body =
                Body::Endpoint { name: Arc::clone(&name), role, reproduce: String::new(), placement: Some(placement) };
            self.observe(at, body);
            self.observe(at, Body::Page { endpoint: name, page });
        }
        let gone = self.snapshot.endpoints.iter().filter(|e| !e.gone && !there.contains(&e.name));
        let gone: Vec<Arc<str>> = gone.map(|e| e.name.as_str().into()).collect();
        for name in gone {
            self.observe(at, Body::EndpointGone { name });
        }
        self.watch(at);
    }

    fn watch(&mut self, at: At) {
        let of = |kind| self.world.objects(kind);
        let named = |o: &Value| o["metadata"]["name"] == self.scenario.workload.name.as_str();
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
            autoscalers: scalers.iter().collect(),
            events: events.iter().collect(),
        });
        self.observe(at, Body::Cluster(Arc::new(facts)));
        for resource in ["pods", "nodes"] {
            let watch = Watch { resource, state: SourceState::Live, heard: Some(at), error: None };
            self.observe(at, Body::Watch(watch));
        }
    }
}
