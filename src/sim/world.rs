//! The cluster and what runs in it, advanced together: the same seed gives the same run, in whatever steps time passes.

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::cluster::furniture::{self, Role};
use super::cluster::json::{controller_uid, list, name, namespace, set, text, time_at, uid};
use super::cluster::store::Object;
use super::cluster::write::How;
use super::cluster::{Cluster, Kind, defaults, deployments, replicas};
use super::serving::{Happened, Ledger, Serving};
use crate::domain::At;

/// How long images count as present after the beginning (s): what runs then was pulled long ago.
const OLD_IMAGES_S: f64 = 120.0;

/// What a world begins with, and what is done to it.
#[derive(Debug, Clone, Default)]
pub struct Setup {
    /// The scenario's name.
    pub name: String,
    /// Namespace and name of the Deployment that changes are about.
    pub workload: (String, String),
    /// Nodes, Deployment, Service and autoscaler, as somebody would have applied them.
    pub manifests: Vec<Value>,
    /// Revisions that came and went before.
    pub earlier: Vec<Past>,
    /// What is done to the cluster, with the seconds since the beginning, in order.
    pub acts: Vec<(f64, Act)>,
    /// How long the workload's image takes to be pulled (s).
    pub pull_s: f64,
    /// When the screen opens (s since the beginning).
    pub opens_s: f64,
}

/// A revision that came and went.
#[derive(Debug, Clone)]
pub struct Past {
    /// Its number.
    pub revision: u64,
    /// How long before the beginning it was rolled out (s).
    pub before_s: f64,
    /// Its change-cause.
    pub cause: String,
    /// Its image.
    pub image: String,
    /// Its arguments.
    pub args: Vec<String>,
}

/// What a person with kubectl, or the platform below, does.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    /// The workload's template gets these arguments and this image.
    Template {
        /// All arguments of its first container.
        args: Vec<String>,
        /// Its image.
        image: String,
        /// The change-cause.
        cause: String,
        /// Who writes it: a person's tool, or a controller of somebody's own.
        by: String,
        /// The probes that its first container has from now on, by the names of their fields, where they are others.
        probes: Option<Vec<(&'static str, Value)>>,
    },
    /// The workload is scaled.
    Scale(u32),
    /// So many of the workload's pods are deleted, the oldest first.
    DeletePods(u32),
    /// The workload's autoscaler has this `spec` from now on.
    Autoscaler(Value),
    /// The `ConfigMap` that the workload's pods mount has this `data` from now on.
    Config(Value),
    /// A node is cordoned.
    Cordon(String),
    /// From now on the image takes so long to be pulled (s).
    Pull(f64),
}

/// The cluster, what runs in it, and what will be done to it.
pub struct World {
    pub(crate) cluster: Cluster,
    serving: Box<dyn Serving>,
    workload: (String, String),
    begins: At,
    now: At,
    ticked: At,
    heard: Vec<Happened>,
    acts: VecDeque<(At, Act)>,
    pull_s: f64,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World")
            .field("now", &self.now)
            .field("version", &self.cluster.version())
            .finish_non_exhaustive()
    }
}

/// A page that can be scraped, and whose it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Endpoint {
    /// The pod's name.
    pub pod: String,
    /// Its namespace.
    pub namespace: String,
    /// Its node.
    pub node: String,
    /// The revision that it belongs to, for an engine.
    pub revision: Option<u64>,
    /// Whether Kubernetes calls it Ready.
    pub ready: bool,
    /// The page; `None`: the connection is refused.
    pub page: Option<String>,
}

impl World {
    /// A world that begins at a moment (a whole second).
    pub fn new(setup: &Setup, serving: Box<dyn Serving>, begins: At, seed: u64) -> Self {
        let begins = At(begins.0 - begins.0.rem_euclid(1000));
        let mut world = Self {
            cluster: Cluster::new(begins, seed),
            serving,
            workload: setup.workload.clone(),
            begins,
            now: begins,
            ticked: begins,
            heard: Vec::new(),
            acts: setup.acts.iter().map(|(s, act)| (begins.plus(*s), act.clone())).collect(),
            pull_s: if setup.pull_s > 0.0 { setup.pull_s } else { 45.0 },
        };
        world.install(setup);
        world.cluster.kubelet.pull_s = 0.0;
        world.cluster.tick(begins, world.serving.as_mut(), &[]);
        world
    }

    /// Simulated time.
    pub fn now(&self) -> At {
        self.now
    }

    /// When it began.
    pub fn begins(&self) -> At {
        self.begins
    }

    /// Lets time pass until `to`; a moment that has passed is no error.
    pub fn advance(&mut self, to: At) {
        loop {
            let second = At(self.ticked.0 + 1000);
            if second > to {
                break;
            }
            self.heard.append(&mut self.serving.advance(second));
            self.ticked = second;
            self.now = second;
            while self.acts.front().is_some_and(|(at, _)| *at <= second) {
                if let Some((_, act)) = self.acts.pop_front() {
                    self.cluster.desk.now = second;
                    self.act(act);
                }
            }
            if second.since(self.begins) >= OLD_IMAGES_S && self.cluster.kubelet.pull_s == 0.0 {
                self.cluster.kubelet.pull_s = self.pull_s;
            }
            let heard = std::mem::take(&mut self.heard);
            self.cluster.tick(second, self.serving.as_mut(), &heard);
        }
        if to > self.now {
            self.heard.append(&mut self.serving.advance(to));
            self.now = to;
        }
        self.cluster.desk.now = self.now;
    }

    /// Somebody outside asks for so many tokens, of a pod or through the gateway.
    pub(crate) fn ask(&mut self, pod: Option<&str>, output: u32) -> Option<u64> {
        self.serving.ask(self.now, pod, output)
    }

    /// Whoever asked is gone, or has seen the end.
    pub(crate) fn forget(&mut self, request: u64) {
        self.serving.forget(self.now, request);
    }

    /// What runs in the containers.
    pub(crate) fn serving(&self) -> &dyn Serving {
        self.serving.as_ref()
    }

    /// All objects of a kind.
    pub fn objects(&self, kind: Kind) -> Vec<Value> {
        self.cluster.store().all(kind).map(|o| Value::clone(o)).collect()
    }

    /// The metrics page behind a pod's port; `None`: the connection is refused.
    pub fn page(&self, pod: &Value) -> Option<String> {
        if !self.cluster.kubelet.runs(pod) {
            return None;
        }
        match furniture::role(pod)? {
            Role::Engine => self.serving.page(name(pod)),
            Role::Gateway => Some(self.serving.gateway_page()),
            Role::Gpus => self.serving.gpu_page(text(pod, "/spec/nodeName")),
        }
    }

    /// What really became of requests, which no page tells.
    pub fn ledger(&self) -> Ledger {
        self.serving.ledger()
    }

    /// Everything that could be scraped now: pods whose containers have been started.
    pub fn endpoints(&self) -> Vec<Endpoint> {
        let store = self.cluster.store();
        let revision = |pod: &Value| {
            let owner = store.all(Kind::ReplicaSet).find(|s| uid(s) == controller_uid(pod))?;
            super::cluster::json::annotation(owner, deployments::REVISION)?.parse().ok()
        };
        store
            .all(Kind::Pod)
            .filter(|p| self.cluster.kubelet.runs(p))
            .filter_map(|pod| {
                let role = furniture::role(pod)?;
                Some(Endpoint {
                    pod: name(pod).to_owned(),
                    namespace: namespace(pod).to_owned(),
                    node: text(pod, "/spec/nodeName").to_owned(),
                    revision: if role == Role::Engine { revision(pod) } else { None },
                    ready: replicas::ready_since(pod).is_some(),
                    page: self.page(pod),
                })
            })
            .collect()
    }

    fn install(&mut self, setup: &Setup) {
        let begins = self.begins;
        let oldest_s = setup.earlier.iter().map(|p| p.before_s).fold(3.0 * 86_400.0, f64::max) + 86_400.0;
        self.cluster.desk.now = begins.plus(-2.0 * oldest_s);
        furniture::install(&mut self.cluster, (&setup.workload.0, &setup.workload.1));
        let newest_s = setup.earlier.iter().map(|p| p.before_s).fold(2.0 * 86_400.0, f64::min);
        for manifest in &setup.manifests {
            let Some(kind) = Kind::of(text(manifest, "/apiVersion"), text(manifest, "/kind")) else { continue };
            self.cluster.desk.now = begins.plus(-oldest_s);
            if kind == Kind::Node {
                furniture::put_node(&mut self.cluster.desk, manifest);
                continue;
            }
            let mut object = manifest.clone();
            defaults::fill(kind, &mut object);
            let cluster_ip = kind == Kind::Service && text(&object, "/spec/clusterIP").is_empty();
            if cluster_ip {
                let (a, b) = (self.cluster.desk.between(64, 111), self.cluster.desk.between(2, 250));
                set(&mut object, &["spec", "clusterIP"], json!(format!("10.{a}.12.{b}")));
            }
            let kept = self.cluster.desk.create(kind, object);
            if kind == Kind::Deployment {
                // Only the workload itself had others.
                let own = (namespace(&kept), name(&kept)) == (&*self.workload.0, &*self.workload.1);
                let earlier = if own { setup.earlier.as_slice() } else { &[] };
                self.revisions(&kept, earlier, newest_s / 2.0);
            }
        }
        self.cluster.desk.now = begins;
    }

    /// The sets of earlier revisions, and that of the one which runs: it was rolled out long ago.
    fn revisions(&mut self, deployment: &Object, earlier: &[Past], current_s: f64) {
        let begins = self.begins;
        for past in earlier {
            self.cluster.desk.now = begins.plus(-past.before_s);
            let mut old = Value::clone(deployment);
            engine(&mut old, &past.args, &past.image);
            let mut set = deployments::set_manifest(&old);
            set["metadata"]["annotations"] = json!({
                deployments::REVISION: past.revision.to_string(), "kubernetes.io/change-cause": past.cause,
            });
            self.cluster.desk.create(Kind::ReplicaSet, set);
        }
        self.cluster.desk.now = begins.plus(-current_s);
        let mut set = deployments::set_manifest(deployment);
        set["spec"]["replicas"] = deployment["spec"]["replicas"].clone();
        let wanted = deployment["spec"]["replicas"].as_i64().unwrap_or(1);
        let mut notes = deployment["metadata"]["annotations"].as_object().cloned().unwrap_or_default();
        notes.insert("deployment.kubernetes.io/desired-replicas".to_owned(), json!(wanted.to_string()));
        let most = wanted + deployments::surge(deployment);
        notes.insert("deployment.kubernetes.io/max-replicas".to_owned(), json!(most.to_string()));
        notes.entry(deployments::REVISION).or_insert_with(|| json!("1"));
        set["metadata"]["annotations"] = Value::Object(notes);
        self.cluster.desk.create(Kind::ReplicaSet, set);
    }

    fn act(&mut self, act: Act) {
        let (space, called) = self.workload.clone();
        let how = How::by("kubectl");
        let deployments = Kind::Deployment.names();
        let found = self.cluster.store().get(Kind::Deployment, &space, &called).cloned();
        // What cannot be done any more because a person was there first is left undone.
        let done = match (act, found) {
            (Act::Template { args, image, cause, by, probes: asked }, Some(old)) => {
                let mut new = Value::clone(&old);
                engine(&mut new, &args, &image);
                if let Some(asked) = asked {
                    probes(&mut new, asked);
                }
                set(&mut new, &["metadata", "annotations", "kubernetes.io/change-cause"], json!(cause));
                self.cluster.replace(deployments, &old, new, &How::by(&by)).map(drop)
            }
            (Act::Scale(replicas), Some(old)) => {
                let mut new = Value::clone(&old);
                new["spec"]["replicas"] = json!(replicas);
                self.cluster.replace(deployments, &old, new, &How { part: "scale", ..how }).map(drop)
            }
            (Act::DeletePods(count), Some(old)) => {
                self.delete_oldest(&old, count);
                Ok(())
            }
            (Act::Autoscaler(spec), _) => {
                self.cluster.desk.store.modify(Kind::Autoscaler, &space, &called, |scaler| scaler["spec"] = spec);
                Ok(())
            }
            (Act::Config(data), Some(deployment)) => {
                let volumes = list(&deployment, "/spec/template/spec/volumes");
                let named = volumes.iter().map(|v| text(v, "/configMap/name")).find(|name| !name.is_empty());
                let found = named.and_then(|name| self.cluster.store().get(Kind::ConfigMap, &space, name).cloned());
                found.map_or(Ok(()), |old| {
                    let mut new = Value::clone(&old);
                    new["data"] = data;
                    self.cluster.replace(Kind::ConfigMap.names(), &old, new, &how).map(drop)
                })
            }
            (Act::Cordon(node), _) => {
                self.cluster
                    .desk
                    .store
                    .modify(Kind::Node, "", &node, |n| set(n, &["spec", "unschedulable"], json!(true)));
                Ok(())
            }
            (Act::Pull(seconds), _) => {
                self.pull_s = seconds;
                self.cluster.kubelet.pull_s = seconds;
                Ok(())
            }
            (_, None) => Ok(()),
        };
        drop(done);
    }

    fn delete_oldest(&mut self, deployment: &Object, count: u32) {
        let selector = &deployment["spec"]["selector"];
        let mut pods: Vec<Object> = self
            .cluster
            .store()
            .all(Kind::Pod)
            .filter(|p| namespace(p) == namespace(deployment) && super::cluster::selector::matches(selector, p))
            .filter(|p| text(p, "/metadata/deletionTimestamp").is_empty())
            .cloned()
            .collect();
        pods.sort_by_key(|p| time_at(p, "/metadata/creationTimestamp"));
        for pod in pods.iter().take(count as usize) {
            replicas::delete_pod(&mut self.cluster.desk, pod);
        }
    }
}

/// Gives the first container of a workload's template these probes and no others.
fn probes(workload: &mut Value, asked: Vec<(&'static str, Value)>) {
    let Some(container) = workload.pointer_mut("/spec/template/spec/containers/0").and_then(Value::as_object_mut)
    else {
        return;
    };
    container.retain(|field, _| !field.ends_with("Probe"));
    container.extend(asked.into_iter().map(|(field, probe)| (field.to_owned(), probe)));
}

/// Gives the first container of a workload's template other arguments and another image.
fn engine(workload: &mut Value, args: &[String], image: &str) {
    if list(workload, "/spec/template/spec/containers").is_empty() {
        return;
    }
    let container = &mut workload["spec"]["template"]["spec"]["containers"][0];
    container["args"] = json!(args);
    container["image"] = json!(image);
}
