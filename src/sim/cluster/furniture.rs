//! What stands in a cluster before anybody serves a model there: namespaces, nodes as they report themselves, a gateway
//! and an exporter of GPU metrics.

use serde_json::{Value, json};

use super::desk::Desk;
use super::json::{default, list, name, set, text, time};
use super::kinds::Kind;
use super::{Cluster, defaults};

/// The Kubernetes version that this cluster says it is.
pub(crate) const VERSION: &str = "v1.34.2";
/// Where the gateway's pods are.
pub(crate) const GATEWAY_NAMESPACE: &str = "gateway-system";
/// The gateway's Deployment.
pub(crate) const GATEWAY: &str = "envoy-llm-gateway";
/// The Gateway that it is of.
const GATEWAY_OBJECT: &str = "llm-gateway";
/// The port of its metrics.
pub(crate) const GATEWAY_PORT: u16 = 19001;
/// Where the gateway's users knock.
pub(crate) const GATEWAY_FRONT: u16 = 10080;
/// Where the GPU exporter's pods are.
pub(crate) const GPU_NAMESPACE: &str = "gpu-operator";
/// The GPU exporter's DaemonSet.
pub(crate) const GPU_EXPORTER: &str = "dcgm-exporter";
/// The port of its metrics.
pub(crate) const GPU_EXPORTER_PORT: u16 = 9400;

/// Furnishes an empty cluster.
pub(crate) fn install(cluster: &mut Cluster, (workload_namespace, workload): (&str, &str)) {
    let desk = &mut cluster.desk;
    for namespace in ["default", "kube-system", GATEWAY_NAMESPACE, GPU_NAMESPACE, workload_namespace] {
        if desk.store.get(Kind::Namespace, "", namespace).is_none() {
            put(desk, Kind::Namespace, json!({"metadata": {"name": namespace}}));
        }
    }
    put_node(
        desk,
        &json!({
            "metadata": {"name": "cpu-node-1", "labels": {"kubernetes.io/hostname": "cpu-node-1",
                "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}},
            "status": {"capacity": {"cpu": "64", "memory": "512Gi", "pods": "110", "ephemeral-storage": "400Gi"}},
        }),
    );
    put(
        desk,
        Kind::Service,
        json!({
            "metadata": {"name": "kubernetes", "namespace": "default", "labels": {"component": "apiserver", "provider": "kubernetes"}},
            "spec": {"clusterIP": "10.96.0.1", "ports": [{"name": "https", "port": 443, "targetPort": 6443}]},
        }),
    );
    put(desk, Kind::Deployment, gateway());
    put(
        desk,
        Kind::Service,
        json!({
            "metadata": {"name": GATEWAY, "namespace": GATEWAY_NAMESPACE, "labels": {"app.kubernetes.io/name": "envoy"}},
            "spec": {"clusterIP": "10.96.12.80", "selector": {"app.kubernetes.io/name": "envoy"},
                     "ports": [{"name": "http", "port": 80, "targetPort": 10080}]},
        }),
    );
    put(desk, Kind::DaemonSet, exporter());
    put(desk, Kind::HttpRoute, route(workload_namespace, workload));
}

fn put(desk: &mut Desk, kind: Kind, mut object: Value) {
    defaults::fill(kind, &mut object);
    desk.create(kind, object);
}

fn gateway() -> Value {
    let labels = json!({"app.kubernetes.io/name": "envoy", "app.kubernetes.io/component": "proxy",
                        "gateway.envoyproxy.io/owning-gateway-name": GATEWAY_OBJECT,
                        "gateway.envoyproxy.io/owning-gateway-namespace": GATEWAY_NAMESPACE});
    json!({
        "metadata": {"name": GATEWAY, "namespace": GATEWAY_NAMESPACE, "labels": labels},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app.kubernetes.io/name": "envoy"}},
            "template": {
                "metadata": {"labels": labels, "annotations": {"prometheus.io/scrape": "true",
                    "prometheus.io/port": GATEWAY_PORT.to_string(), "prometheus.io/path": "/stats/prometheus"}},
                "spec": {"containers": [{
                    "name": "envoy", "image": "docker.io/envoyproxy/envoy:distroless-v1.36.2",
                    "ports": [{"name": "http", "containerPort": GATEWAY_FRONT}, {"name": "metrics", "containerPort": GATEWAY_PORT}],
                    "resources": {"requests": {"cpu": "2", "memory": "1Gi"}},
                    "readinessProbe": {"httpGet": {"path": "/ready", "port": 19003}, "periodSeconds": 5},
                }]},
            },
        },
    })
}

/// What sends a gateway's users to the workload's Service, which has its name.
fn route(namespace: &str, workload: &str) -> Value {
    json!({
        "metadata": {"name": workload, "namespace": namespace},
        "spec": {
            "parentRefs": [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": GATEWAY_OBJECT,
                            "namespace": GATEWAY_NAMESPACE}],
            "rules": [{"matches": [{"path": {"type": "PathPrefix", "value": "/v1"}}],
                       "backendRefs": [{"group": "", "kind": "Service", "name": workload, "port": 80, "weight": 1}]}],
        },
    })
}

fn exporter() -> Value {
    let labels = json!({"app": "nvidia-dcgm-exporter", "app.kubernetes.io/name": GPU_EXPORTER});
    json!({
        "metadata": {"name": GPU_EXPORTER, "namespace": GPU_NAMESPACE, "labels": labels},
        "spec": {
            "selector": {"matchLabels": {"app": "nvidia-dcgm-exporter"}},
            "template": {
                "metadata": {"labels": labels, "annotations": {"prometheus.io/scrape": "true",
                    "prometheus.io/port": GPU_EXPORTER_PORT.to_string()}},
                "spec": {
                    "nodeSelector": {"nvidia.com/gpu.present": "true"},
                    "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
                    "containers": [{
                        "name": "exporter", "image": "nvcr.io/nvidia/k8s/dcgm-exporter:4.4.2-4.7.0-distroless",
                        "ports": [{"name": "metrics", "containerPort": GPU_EXPORTER_PORT}],
                        "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}},
                        "readinessProbe": {"httpGet": {"path": "/health", "port": GPU_EXPORTER_PORT}},
                    }],
                },
            },
        },
    })
}

/// A node as its kubelet reports it.
pub(crate) fn put_node(desk: &mut Desk, manifest: &Value) {
    let mut node = manifest.clone();
    let index = desk.store.all(Kind::Node).count();
    let now = time(desk.now);
    let condition = |kind: &str, is: &str, reason: &str, message: &str| {
        json!({"type": kind, "status": is, "reason": reason, "message": message,
               "lastHeartbeatTime": now, "lastTransitionTime": now})
    };
    let capacity = node["status"]["capacity"].clone();
    default(&mut node, &["status", "allocatable"], capacity);
    set(
        &mut node,
        &["status", "conditions"],
        json!([
            condition(
                "MemoryPressure",
                "False",
                "KubeletHasSufficientMemory",
                "kubelet has sufficient memory available"
            ),
            condition("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
            condition("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
            condition("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
        ]),
    );
    let called = name(&node).to_owned();
    default(
        &mut node,
        &["status", "addresses"],
        json!([{"type": "InternalIP", "address": format!("10.0.0.{}", 11 + index)}, {"type": "Hostname", "address": called}]),
    );
    default(
        &mut node,
        &["status", "nodeInfo"],
        json!({
            "architecture": "amd64", "operatingSystem": "linux", "osImage": "Ubuntu 24.04.3 LTS",
            "kernelVersion": "6.8.0-86-generic", "containerRuntimeVersion": "containerd://2.1.4",
            "kubeletVersion": VERSION, "kubeProxyVersion": "", "machineID": "", "systemUUID": "", "bootID": "",
        }),
    );
    default(&mut node, &["spec"], json!({}));
    set(&mut node, &["spec", "podCIDR"], json!(format!("10.244.{index}.0/24")));
    desk.create(Kind::Node, node);
}

/// Every kubelet says that its node is well.
pub(crate) fn heartbeat(desk: &mut Desk) {
    let now = time(desk.now);
    for node in desk.store.snapshot(Kind::Node) {
        let count = list(&node, "/status/conditions").len();
        desk.store.tell(Kind::Node, "", name(&node), |node| {
            for at in 0..count {
                node["status"]["conditions"][at]["lastHeartbeatTime"] = json!(now);
            }
        });
    }
}

/// What a pod's metrics page is, by its owner's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Engine,
    Gateway,
    Gpus,
}

/// The role of a pod; `None` for one without a page.
pub(crate) fn role(pod: &Value) -> Option<Role> {
    let label = |key: &str| super::json::label(pod, key).unwrap_or_default();
    if label("app.kubernetes.io/name") == "envoy" {
        return Some(Role::Gateway);
    }
    if label("app") == "nvidia-dcgm-exporter" {
        return Some(Role::Gpus);
    }
    let engine = list(pod, "/spec/containers")
        .iter()
        .any(|c| c.pointer("/resources/requests").is_some_and(|r| r.get(super::scheduler::GPU).is_some()));
    (engine && !text(pod, "/metadata/name").is_empty()).then_some(Role::Engine)
}
