//! The kubelets: pods that were sent to a node are pulled, started, probed, restarted and ended.
//!
//! What runs in an engine's container is [`Serving`]'s; here is only what a kubelet sees of it: a process, and its answer
//! to probes.

mod container;
mod life;
mod probe;
mod status;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::desk::Desk;
use super::json::{int, list, name, namespace, quantity, text, uid};
use super::kinds::Kind;
use super::scheduler::GPU;
use super::store::Object;
use crate::domain::At;
use crate::sim::serving::{Happened, Serving};

use container::Container;

/// How long an image takes where nothing else is said (s).
const PULL_S: f64 = 45.0;

/// All kubelets.
#[derive(Debug)]
pub(crate) struct Kubelet {
    pods: BTreeMap<String, Sandbox>,
    /// Images that nodes have: node and image.
    images: BTreeSet<(String, String)>,
    addresses: BTreeMap<String, u32>,
    /// How long the engine's image takes to be pulled (s).
    pub(crate) pull_s: f64,
}

/// A pod on its node.
#[derive(Debug)]
struct Sandbox {
    namespace: String,
    name: String,
    uid: String,
    node: String,
    ip: String,
    host_ip: String,
    gpus: Vec<u32>,
    grace_s: f64,
    start: At,
    /// Network and volumes are there from then on.
    network_at: At,
    containers: Vec<Container>,
    /// When its last process will be gone, once it is being deleted.
    ends: Option<At>,
    facts: status::Since,
    /// The status is to be written again.
    news: bool,
}

/// What a pod's container wrote, or why there is nothing to read.
#[derive(Debug)]
pub(crate) enum Logs {
    Lines(Vec<(At, String)>),
    /// The container waits: for what.
    Waiting(String),
    /// There was no container before this one.
    NoPrevious,
    NoContainer,
}

impl Kubelet {
    pub(crate) fn new() -> Self {
        Self { pods: BTreeMap::new(), images: BTreeSet::new(), addresses: BTreeMap::new(), pull_s: PULL_S }
    }

    /// Looks at what the API says: new pods, and pods that are to end.
    pub(crate) fn observe(&mut self, desk: &mut Desk, serving: &mut dyn Serving) {
        let pods: Vec<Object> =
            desk.store.all(Kind::Pod).filter(|p| !text(p, "/spec/nodeName").is_empty()).cloned().collect();
        let there: BTreeSet<&str> = pods.iter().map(|p| uid(p)).collect();
        let gone: Vec<String> = self.pods.keys().filter(|k| !there.contains(k.as_str())).cloned().collect();
        for uid in gone {
            if let Some(sandbox) = self.pods.remove(&uid) {
                stop_all(&sandbox, desk.now, serving);
            }
        }
        for pod in &pods {
            if !self.pods.contains_key(uid(pod)) {
                let sandbox = self.admit(desk, pod, serving);
                self.pods.insert(uid(pod).to_owned(), sandbox);
            }
            let deleting = !text(pod, "/metadata/deletionTimestamp").is_empty();
            if let Some(sandbox) = self.pods.get_mut(uid(pod)).filter(|s| deleting && s.ends.is_none()) {
                begin_end(desk, sandbox, pod);
            }
        }
    }

    fn admit(&mut self, desk: &mut Desk, pod: &Value, serving: &dyn Serving) -> Sandbox {
        let node = text(pod, "/spec/nodeName").to_owned();
        let index = desk.store.all(Kind::Node).position(|n| name(n) == node).unwrap_or(0);
        let address = self.addresses.entry(node.clone()).or_insert(1);
        *address += 1;
        let ip = format!("10.244.{}.{}", index + *address as usize / 250, *address % 250 + 2);
        let containers: Vec<Container> = list(pod, "/spec/containers").iter().map(Container::new).collect();
        let wanted: u32 = containers.iter().map(|c| c.gpus).sum();
        let network_s = f64::from(desk.between(1, 3));
        Sandbox {
            namespace: namespace(pod).to_owned(),
            name: name(pod).to_owned(),
            uid: uid(pod).to_owned(),
            gpus: self.free_gpus(desk, &node, wanted, &serving.lost_gpus(&node)),
            node,
            ip,
            host_ip: format!("10.0.0.{}", 11 + index),
            grace_s: int(pod, "/spec/terminationGracePeriodSeconds").unwrap_or(30) as f64,
            start: desk.now,
            network_at: desk.now.plus(network_s),
            containers,
            ends: None,
            facts: status::Since::new(desk.now),
            news: true,
        }
    }

    fn free_gpus(&self, desk: &Desk, node: &str, wanted: u32, lost: &[u32]) -> Vec<u32> {
        let all = desk
            .store
            .get(Kind::Node, "", node)
            .and_then(|n| n.pointer("/status/capacity").and_then(|a| a.get(GPU)).map(quantity))
            .unwrap_or(0.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small count")]
        let all = all as u32;
        let used: BTreeSet<u32> =
            self.pods.values().filter(|p| p.node == node).flat_map(|p| p.gpus.iter().copied()).collect();
        (0..all).filter(|g| !used.contains(g) && !lost.contains(g)).take(wanted as usize).collect()
    }

    /// Takes note of what engines did by themselves.
    pub(crate) fn heard(&mut self, serving: &dyn Serving, happened: &[Happened]) {
        for news in happened {
            if let Happened::Died { pod, at, code, reason } = news
                && let Some(sandbox) = self.pods.values_mut().find(|s| s.name == *pod)
            {
                let lines = serving.logs(pod);
                for container in sandbox.containers.iter_mut().filter(|c| c.gpus > 0) {
                    container.died(*at, *code, reason, lines.clone());
                }
                sandbox.news = true;
            }
        }
    }

    /// A device plugin calls a GPU that is lost unhealthy: pods can have one fewer.
    fn count_gpus(desk: &mut Desk, serving: &dyn Serving) {
        let nodes: Vec<String> = desk.store.all(Kind::Node).map(|n| name(n).to_owned()).collect();
        for node in nodes {
            let lost = serving.lost_gpus(&node).len() as f64;
            if lost > 0.0 {
                desk.store.tell(Kind::Node, "", &node, |n| {
                    let all = n.pointer("/status/capacity").and_then(|a| a.get(GPU)).map_or(0.0, quantity);
                    n["status"]["allocatable"][GPU] = json!(format!("{}", (all - lost).max(0.0)));
                });
            }
        }
    }

    /// Lets a second pass on every node.
    pub(crate) fn step(&mut self, desk: &mut Desk, serving: &mut dyn Serving) {
        Self::count_gpus(desk, serving);
        let mut ended = Vec::new();
        for (uid, sandbox) in &mut self.pods {
            if sandbox.ends.is_some_and(|ends| desk.now >= ends) {
                ended.push(uid.clone());
                continue;
            }
            if sandbox.ends.is_none() {
                life::step(desk, serving, sandbox, &mut self.images, self.pull_s);
            }
            if std::mem::take(&mut sandbox.news) {
                status::write(desk, sandbox);
            }
        }
        for uid in ended {
            if let Some(sandbox) = self.pods.remove(&uid) {
                stop_all(&sandbox, desk.now, serving);
                desk.store.remove(Kind::Pod, &sandbox.namespace, &sandbox.name);
            }
        }
    }

    /// What a container wrote since its start, or before its last restart.
    pub(crate) fn logs(&self, serving: &dyn Serving, pod: &Value, container: &str, previous: bool) -> Logs {
        let Some(sandbox) = self.pods.get(uid(pod)) else { return Logs::Waiting("ContainerCreating".to_owned()) };
        let found = sandbox.containers.iter().find(|c| container.is_empty() || c.name == container);
        let Some(found) = found else { return Logs::NoContainer };
        if previous {
            return found.previous.clone().map_or(Logs::NoPrevious, Logs::Lines);
        }
        match found.waiting() {
            Some(_) if found.previous.is_some() => Logs::Lines(found.previous.clone().unwrap_or_default()),
            Some(reason) => Logs::Waiting(reason.to_owned()),
            None if found.gpus > 0 => Logs::Lines(serving.logs(&sandbox.name)),
            None => Logs::Lines(vec![(found.since().unwrap_or(sandbox.start), "started".to_owned())]),
        }
    }

    /// Whether the first container of a pod runs.
    pub(crate) fn runs(&self, pod: &Value) -> bool {
        self.pods.get(uid(pod)).is_some_and(|s| s.containers.iter().any(|c| c.since().is_some()))
    }
}

fn stop_all(sandbox: &Sandbox, now: At, serving: &mut dyn Serving) {
    if sandbox.containers.iter().any(|c| c.gpus > 0 && c.since().is_some()) {
        serving.kill(now, &sandbox.name);
    }
}

/// A pod is to end: its processes are asked to, and get as long as they need, at most the grace.
fn begin_end(desk: &mut Desk, sandbox: &mut Sandbox, pod: &Value) {
    let grace_s = int(pod, "/metadata/deletionGracePeriodSeconds").map_or(sandbox.grace_s, |g| g as f64);
    let mut needed_s: f64 = 1.0;
    for container in &sandbox.containers {
        if container.since().is_some() {
            let own = f64::from(desk.between(2, 4)) + container.pre_stop_s;
            needed_s = needed_s.max(own);
            let message = format!("Stopping container {}", container.name);
            let field = format!("spec.containers{{{}}}", container.name);
            desk.event_at(pod, &field, "kubelet", &sandbox.node, ("Normal", "Killing", &message));
        }
    }
    sandbox.ends = Some(desk.now.plus(needed_s.min(grace_s.max(1.0))));
}
