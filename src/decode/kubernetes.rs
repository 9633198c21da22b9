//! Kubernetes' JSON → what is known of one workload. Pure: it borrows raw objects and knows neither how they came nor
//! when. JSON that is odd or hostile gives less, and never a panic: whatever is not as expected is absent.
//!
//! Pods belong to a revision by the identity of their ReplicaSet, or by `controller-revision-hash`; a ReplicaSet or a
//! ControllerRevision belongs to the workload by its controller's identity. Labels alone prove nothing: two workloads may
//! share them.

mod around;
pub mod doors;
mod found;
mod given;
mod json;
pub mod monitors;
mod pod;
mod pool;
mod pull;
mod template;
mod workload;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::domain::{ClusterFacts, Node, Pod, Revision, WorkloadKind};
pub use found::{found, found_owner};
pub use given::{Map, Maps, config_maps};
pub use pool::{Kin, Sibling};

/// Raw objects, as the API server sent them.
#[derive(Debug, Clone, Default)]
pub struct Objects<'a> {
    /// What the workload is; `None` reads as a Deployment.
    pub kind: Option<WorkloadKind>,
    /// The workload; `None` where it does not exist.
    pub workload: Option<&'a Value>,
    /// ReplicaSets of a Deployment or `ControllerRevision`s of a StatefulSet; others among them are left out.
    pub revisions: Vec<&'a Value>,
    /// Pods that its selector finds.
    pub pods: Vec<&'a Value>,
    /// Nodes; `None` where they may not be read.
    pub nodes: Option<Vec<&'a Value>>,
    /// GPUs that pods of all namespaces have asked for, by node; `None` where that may not be read.
    pub gpus_taken: Option<&'a BTreeMap<String, u32>>,
    /// What the `ConfigMaps` hold that templates refer to; `None` where none was asked for.
    pub config_maps: Option<&'a Maps>,
    /// Autoscalers of the namespace.
    pub autoscalers: Vec<&'a Value>,
    /// Events of the namespace.
    pub events: Vec<&'a Value>,
}

/// The `ConfigMaps` that are known.
fn maps<'a>(objects: &Objects<'a>) -> &'a Maps {
    static NONE: Maps = Maps::new();
    objects.config_maps.unwrap_or(&NONE)
}

/// What these objects say.
pub fn facts(objects: &Objects<'_>) -> ClusterFacts {
    let kind = objects.kind.unwrap_or(WorkloadKind::Deployment);
    let mut revisions = revisions(kind, objects);
    let pods = pods(kind, objects, &revisions);
    if kind == WorkloadKind::StatefulSet {
        workload::count_pods(&mut revisions, &pods);
    }
    let workload = objects.workload.map(|w| workload::workload(kind, w, &revisions, maps(objects)));
    let name = objects.workload.map(json::name).unwrap_or_default();
    let autoscaler = objects.autoscalers.iter().find_map(|a| around::autoscaler(a, kind, &name));
    let mut about = vec![(kind.code(), name)];
    about.extend(revisions.iter().filter(|_| kind == WorkloadKind::Deployment).map(|r| ("ReplicaSet", r.name.clone())));
    about.extend(pods.iter().map(|p| ("Pod", p.name.clone())));
    let scalers = objects.autoscalers.iter().filter(|a| around::autoscaler(a, kind, &about[0].1).is_some());
    let scalers: Vec<_> = scalers.map(|a| ("HorizontalPodAutoscaler", json::name(a))).collect();
    about.extend(scalers);
    // A pod that was evicted may be gone, and its event is not: it is called after its ReplicaSet.
    let gone: Vec<String> = match kind {
        WorkloadKind::Deployment => revisions.iter().map(|r| format!("{}-", r.name)).collect(),
        WorkloadKind::StatefulSet => Vec::new(),
    };
    ClusterFacts {
        nodes: objects.nodes.as_ref().map(|nodes| self::nodes(nodes, objects.gpus_taken, &pods)),
        events: around::events(&objects.events, &about, &gone),
        written: given::written(maps(objects)),
        workload,
        revisions,
        pods,
        autoscaler,
    }
}

/// The GPUs that a pod of whatever kind holds on its node.
pub fn gpus_of(pod: &Value) -> u32 {
    around::taken_by(pod)
}

/// Whether a Deployment or StatefulSet runs an inference engine, by image, arguments or GPUs.
pub fn serves_a_model(workload: &Value) -> bool {
    let template = template::template(&workload["spec"]["template"]);
    template::is_engine(&template)
}

fn revisions(kind: WorkloadKind, objects: &Objects<'_>) -> Vec<Revision> {
    let own = |r: &&&Value| objects.workload.is_some_and(|w| workload::controls(w, r));
    let read = match kind {
        WorkloadKind::Deployment => workload::replica_set,
        WorkloadKind::StatefulSet => workload::controller_revision,
    };
    let mut revisions: Vec<Revision> = objects.revisions.iter().filter(own).map(|r| read(r, maps(objects))).collect();
    revisions.sort_by(|a, b| (a.number, a.created, &a.name).cmp(&(b.number, b.created, &b.name)));
    revisions
}

fn pods(kind: WorkloadKind, objects: &Objects<'_>, revisions: &[Revision]) -> Vec<Pod> {
    let own = |p: &&&Value| pod::belongs(p, kind, objects.workload, revisions);
    let read = |p: &&Value| Pod { pull: pull::pull(p, &objects.events), ..pod::pod(p, kind, revisions) };
    let mut pods: Vec<Pod> = objects.pods.iter().filter(own).map(read).collect();
    pod::sort(&mut pods);
    pods
}

/// The nodes of the workload's pods, and those with GPUs, by name.
fn nodes(objects: &[&Value], taken: Option<&BTreeMap<String, u32>>, pods: &[Pod]) -> Vec<Node> {
    let used = |node: &Node| pods.iter().any(|p| p.node.as_deref() == Some(node.name.as_str()));
    let mut nodes: Vec<Node> =
        objects.iter().map(|n| around::node(n, taken)).filter(|n| n.gpus > 0 || used(n)).collect();
    nodes.sort_by(|a, b| a.name.cmp(&b.name));
    nodes
}
