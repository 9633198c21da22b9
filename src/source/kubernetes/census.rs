//! What runs around the workload, counted now and then: which GPUs are taken on the nodes that matter, and where the
//! gateway's and the GPU exporters' pages are. Lists a few nodes' pods and a few labels, never all pods of a cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde_json::Value;

use super::resource::escaped;
use super::siblings::siblings;
use super::trace::trace;
use super::{Pace, maps};
use crate::apiserver::{self, Client, Trouble};
use crate::decode::kubernetes::{Kin, Maps, doors::plain, gpus_of};
use crate::domain::{At, Pool, Role, SourceState, Watch, WorkloadRef};
use crate::text::clean;

/// The most nodes that are counted, gateways and exporters that are taken, and pods on one list.
const MOST_NODES: usize = 32;
const MOST_GATEWAYS: usize = 4;
const MOST_PODS: usize = 500;
const PAGE_BYTES: usize = 32_000_000;

/// Labels that only the pods of a gateway have.
const GATEWAYS: [&str; 4] =
    ["app.kubernetes.io/name=envoy", "gateway.networking.k8s.io/gateway-name", "istio=ingressgateway", "app=envoy"];

/// Values of `app` and `app.kubernetes.io/name` of the DCGM exporter's pods, as its chart and the GPU operator set them.
const EXPORTERS: [&str; 2] = ["nvidia-dcgm-exporter", "dcgm-exporter"];

/// Where exporters are looked for where a node's pods may not be listed.
const EXPORTERS_LIVE_IN: [&str; 3] = ["gpu-operator", "nvidia-gpu-operator", "monitoring"];

/// A page beside the workload's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Neighbour {
    /// What its pages are.
    pub role: Role,
    /// Where it runs.
    pub namespace: String,
    /// Its pod.
    pub pod: String,
    /// Its node.
    pub node: Option<String>,
    /// Its address.
    pub ip: Option<IpAddr>,
    /// The port of its page.
    pub port: u16,
    /// The path of its page, with a leading `/`.
    pub path: String,
    /// Along which objects it was found; `None`: by its labels, or by its node.
    pub found: Option<String>,
    /// Of an engine of the other pool of a disaggregated deployment: which.
    pub pool: Option<Pool>,
    /// The workload that such an engine belongs to.
    pub workload: Option<String>,
}

/// Pods of a gateway that somebody named, and where their page is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// Their namespace; `None`: the workload's.
    pub namespace: Option<String>,
    /// As kubectl's `-l`; `None`: found by the labels that gateways have.
    pub labels: Option<String>,
    /// The port and path of their page; `None`: by annotations and ports.
    pub page: Option<(u16, String)>,
}

/// One count.
#[derive(Debug, Clone, Default)]
pub(super) struct Census {
    /// GPUs that pods of all namespaces have asked for, by node; nothing where that may not be read.
    pub(super) gpus_taken: Option<BTreeMap<String, u32>>,
    /// Gateways and exporters.
    pub(super) neighbours: Vec<Neighbour>,
    /// What the `ConfigMaps` hold that give flags.
    pub(super) maps: Maps,
    /// How it went, as watches of their own; what was told is taken out.
    watches: Vec<Watch>,
}

impl Census {
    /// How it went, where that was not told yet.
    pub(super) fn untold(&mut self) -> Vec<Watch> {
        std::mem::take(&mut self.watches)
    }
}

/// What of the workload is looked around.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Middle {
    /// The nodes that matter, those of its pods first.
    pub(super) nodes: Vec<String>,
    /// What its pods are labelled with; `None` while that is not known.
    pub(super) labels: Option<BTreeMap<String, String>>,
    /// The `ConfigMaps` that give it flags.
    pub(super) maps: BTreeSet<String>,
    /// What it is to the other pool of a disaggregated deployment, where it is one of two.
    pub(super) kin: Option<Kin>,
}

/// Counts once.
pub(super) async fn count(
    client: &Client,
    (target, chosen): (&WorkloadRef, Option<&Chosen>),
    middle: &Middle,
    pace: Pace,
    now: At,
) -> Census {
    let others = async {
        match &middle.kin {
            Some(kin) => siblings(client, target, kin, pace).await,
            None => Vec::new(),
        }
    };
    let ((mut census, counted), (gateways, routes), (maps, given), others) = tokio::join!(
        of_nodes(client, target, &middle.nodes, pace, now),
        in_front(client, (target, chosen), middle, pace, now),
        maps::read(client, target, &middle.maps, pace, now),
        others,
    );
    census.maps = maps;
    census.neighbours.extend(gateways);
    census.neighbours.extend(others);
    census.watches.extend(counted.filter(|_| !middle.nodes.is_empty()));
    census.watches.extend(routes);
    census.watches.extend(given);
    census
}

/// The pages of gateways, and how the routes to them were read where they were asked for.
async fn in_front(
    client: &Client,
    (target, chosen): (&WorkloadRef, Option<&Chosen>),
    middle: &Middle,
    pace: Pace,
    now: At,
) -> (Vec<Neighbour>, Option<Watch>) {
    let (mut found, watch) = match (chosen.and_then(|c| Some((c, c.labels.as_ref()?))), &middle.labels) {
        (Some((chosen, labels)), _) => (named(client, target, chosen, labels, pace).await, None),
        // Whose they are is not known yet.
        (None, None) => (Vec::new(), None),
        (None, Some(labels)) => {
            let mut traced = trace(client, target, labels, pace).await;
            let guessed = if traced.neighbours.is_empty() { gateways(client, target, pace).await } else { Vec::new() };
            let watch = traced.watch(now, !guessed.is_empty());
            traced.neighbours.extend(guessed);
            traced.neighbours.truncate(MOST_GATEWAYS);
            (traced.neighbours, Some(watch))
        }
    };
    if let Some((port, path)) = chosen.and_then(|c| c.page.as_ref()) {
        for gateway in &mut found {
            (gateway.port, gateway.path) = (*port, path.clone());
        }
    }
    (found, watch)
}

/// What runs on the nodes, and how that was read.
async fn of_nodes(
    client: &Client,
    target: &WorkloadRef,
    nodes: &[String],
    pace: Pace,
    now: At,
) -> (Census, Option<Watch>) {
    let mut census = Census { gpus_taken: Some(BTreeMap::new()), ..Census::default() };
    let mut watch =
        Watch { resource: "pods of all namespaces", state: SourceState::Live, heard: Some(now), error: None };
    for node in nodes.iter().take(MOST_NODES) {
        let query = format!("/api/v1/pods?fieldSelector={}&", escaped(&format!("spec.nodeName={node}")));
        match pods(client, &query, pace).await {
            Ok(pods) => {
                let taken = pods.iter().map(gpus_of).fold(0, u32::saturating_add);
                census.gpus_taken.get_or_insert_default().insert(clean(node, 260), taken);
                census
                    .neighbours
                    .extend(pods.iter().filter(|p| is_exporter(p)).filter_map(|p| neighbour(p, Role::Gpus, None)));
            }
            Err(trouble) => {
                let denied = matches!(trouble, Trouble::Denied(_));
                watch.state = if denied { SourceState::Denied } else { SourceState::Failed };
                watch.heard = None;
                let remedy =
                    if denied { "; allow 'list' on 'pods' in all namespaces to see which GPUs are free" } else { "" };
                watch.error = Some(format!("{trouble}{remedy}"));
                census.gpus_taken = None;
                break;
            }
        }
    }
    if census.gpus_taken.is_none() {
        census.neighbours = exporters_by_label(client, target, nodes, pace).await;
    }
    (census, Some(watch))
}

/// Exporters by their label in the namespaces where they usually live. What may not be read holds none.
async fn exporters_by_label(client: &Client, target: &WorkloadRef, nodes: &[String], pace: Pace) -> Vec<Neighbour> {
    let mut found = Vec::new();
    for namespace in EXPORTERS_LIVE_IN.into_iter().chain([target.namespace.as_str()]) {
        let labels = escaped(&format!("app in ({})", EXPORTERS.join(",")));
        let query = format!("/api/v1/namespaces/{namespace}/pods?labelSelector={labels}&");
        let pods = pods(client, &query, pace).await.unwrap_or_default();
        let near = |n: &Neighbour| n.node.as_ref().is_some_and(|node| nodes.contains(node));
        found.extend(pods.iter().filter_map(|p| neighbour(p, Role::Gpus, None)).filter(near));
    }
    found.truncate(MOST_NODES);
    found
}

/// The pods that were named.
async fn named(client: &Client, target: &WorkloadRef, chosen: &Chosen, labels: &str, pace: Pace) -> Vec<Neighbour> {
    let namespace = chosen.namespace.as_ref().unwrap_or(&target.namespace);
    let pods = pods_of(client, Some(namespace), labels, pace).await.unwrap_or_default();
    pods.iter().filter_map(|p| neighbour(p, Role::Gateway, None)).take(MOST_GATEWAYS).collect()
}

/// The gateway's pods: in the workload's namespace, else anywhere, by label; else by image in the namespace.
async fn gateways(client: &Client, target: &WorkloadRef, pace: Pace) -> Vec<Neighbour> {
    let mut found: Vec<Neighbour> = Vec::new();
    let here = format!("/api/v1/namespaces/{}/pods", target.namespace);
    let mut everywhere = true;
    for label in GATEWAYS {
        let label = escaped(label);
        let wide = if everywhere {
            pods(client, &format!("/api/v1/pods?labelSelector={label}&"), pace).await
        } else {
            Ok(Vec::new())
        };
        let pods = match wide {
            Ok(pods) if everywhere => pods,
            _ => {
                everywhere = false;
                pods(client, &format!("{here}?labelSelector={label}&"), pace).await.unwrap_or_default()
            }
        };
        for one in pods.iter().filter_map(|p| neighbour(p, Role::Gateway, None)) {
            if !found.contains(&one) {
                found.push(one);
            }
        }
    }
    if found.is_empty() {
        let pods = pods(client, &format!("{here}?"), pace).await.unwrap_or_default();
        found.extend(pods.iter().filter(|p| is_envoy(p)).filter_map(|p| neighbour(p, Role::Gateway, None)));
    }
    // A cluster may have many gateways; whichever is nearest is most likely the workload's own.
    found.sort_by_key(|n| (n.namespace != target.namespace, n.namespace.clone(), n.pod.clone()));
    if found.iter().any(|n| n.namespace == target.namespace) {
        found.retain(|n| n.namespace == target.namespace);
    }
    found.truncate(MOST_GATEWAYS);
    found
}

/// The pods with these labels, of one namespace or of all.
pub(super) async fn pods_of(
    client: &Client,
    namespace: Option<&str>,
    labels: &str,
    pace: Pace,
) -> Result<Vec<Value>, Trouble> {
    let place = namespace.map_or(String::new(), |namespace| format!("/namespaces/{namespace}"));
    pods(client, &format!("/api/v1{place}/pods?labelSelector={}&", escaped(labels)), pace).await
}

/// The pods that a query finds, which ends with `?` or `&`.
pub(super) async fn pods(client: &Client, query: &str, pace: Pace) -> Result<Vec<Value>, Trouble> {
    let until = apiserver::deadline(pace.deadline);
    let mut list = apiserver::whole(client, &format!("{query}limit={MOST_PODS}"), PAGE_BYTES, until).await?;
    match list["items"].take() {
        Value::Array(pods) => Ok(pods),
        _ => Err(Trouble::Malformed("a list without items".to_owned())),
    }
}

fn is_exporter(pod: &Value) -> bool {
    ["app", "app.kubernetes.io/name"]
        .iter()
        .any(|key| pod["metadata"]["labels"][*key].as_str().is_some_and(|value| EXPORTERS.contains(&value)))
}

/// Whether a pod is an Envoy by itself, and not a service that has one beside it.
fn is_envoy(pod: &Value) -> bool {
    let containers = pod["spec"]["containers"].as_array().map(Vec::as_slice).unwrap_or_default();
    matches!(containers, [only] if only["image"].as_str().is_some_and(|image| image.contains("envoy")))
}

/// A running pod as a page beside the workload's, by its annotations, its ports' names, or where `page` says that such pods
/// have it.
pub(super) fn neighbour(pod: &Value, role: Role, page: Option<(u16, &str)>) -> Option<Neighbour> {
    if pod["status"]["phase"] != "Running" || !pod["metadata"]["deletionTimestamp"].is_null() {
        return None;
    }
    let annotation = |key: &str| pod["metadata"]["annotations"][key].as_str();
    let ports = || {
        pod["spec"]["containers"]
            .as_array()
            .into_iter()
            .flatten()
            .flat_map(|c| c["ports"].as_array().into_iter().flatten())
    };
    let named = |names: &[&str]| {
        let port = names.iter().find_map(|name| ports().find(|p| p["name"] == **name))?;
        u16::try_from(port["containerPort"].as_u64()?).ok()
    };
    let (called, usual, path): (&[&str], u16, &str) = match (role, page) {
        (_, Some((port, path))) => (&["metrics", "prometheus", "stat"], port, path),
        (Role::Gpus, _) => (&["metrics"], 9400, "/metrics"),
        _ => (&["http-envoy-prom", "metrics", "admin"], 19_001, "/stats/prometheus"),
    };
    let annotated = annotation("prometheus.io/port").and_then(|p| p.parse().ok());
    let path = annotation("prometheus.io/path").filter(|p| is_plain_path(p)).unwrap_or(path);
    Some(Neighbour {
        role,
        namespace: plain(&pod["metadata"]["namespace"])?,
        pod: plain(&pod["metadata"]["name"])?,
        node: pod["spec"]["nodeName"].as_str().map(|n| clean(n, 260)),
        ip: pod["status"]["podIP"].as_str().and_then(|ip| ip.parse().ok()),
        port: annotated.or_else(|| named(called)).unwrap_or(usual),
        path: path.to_owned(),
        found: None,
        pool: None,
        workload: None,
    })
}

fn is_plain_path(path: &str) -> bool {
    path.starts_with('/')
        && path.len() <= 200
        && !path.contains("..")
        && path.chars().all(|c| c.is_ascii_alphanumeric() || "/-_.".contains(c))
}
