//! The founding incident's objects as an API server would send them: three replicas, revision 42 in place of 41.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use warroom::decode::kubernetes::{Objects, facts};
use warroom::domain::{At, ClusterFacts, Snapshot, SourceState, Watch, WorkloadKind, WorkloadRef};

/// 2026-06-08T03:14:07Z.
pub(crate) const NOW: At = At(1_780_888_447_000);

/// Raw objects that a test may change before they are read.
#[derive(Debug, Clone)]
pub(crate) struct Founding {
    pub(crate) kind: WorkloadKind,
    pub(crate) workload: Value,
    pub(crate) revisions: Vec<Value>,
    pub(crate) pods: Vec<Value>,
    pub(crate) nodes: Vec<Value>,
    pub(crate) taken: BTreeMap<String, u32>,
    pub(crate) autoscalers: Vec<Value>,
}

/// A template as the API server defaults it. `futureField` is none that a client of today knows.
pub(crate) fn template(max_num_seqs: u32, hash: Option<&str>) -> Value {
    let mut template = json!({
        "metadata": {"creationTimestamp": null, "labels": {"app": "vllm"}, "annotations": {"prometheus.io/port": "8000"}},
        "spec": {
            "containers": [{
                "name": "vllm", "image": "vllm/vllm-openai:v0.32.0",
                "args": ["--model", "/models/llama-3-70b", "--max-num-seqs", max_num_seqs.to_string()],
                "env": [{"name": "HF_TOKEN", "value": "hf_s3cret"}],
                "resources": {"limits": {"nvidia.com/gpu": "1"}, "requests": {"nvidia.com/gpu": "1"}},
                "futureField": {"k": max_num_seqs}
            }],
            "nodeSelector": {"pool": "h100"},
            "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
            "restartPolicy": "Always", "terminationGracePeriodSeconds": 120
        }
    });
    if let Some(hash) = hash {
        template["metadata"]["labels"]["pod-template-hash"] = json!(hash);
    }
    template
}

/// A ReplicaSet of the founding Deployment.
pub(crate) fn replica_set(number: u64, max_num_seqs: u32, created: &str, replicas: u32) -> Value {
    let hash = format!("h{number}");
    json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet",
        "metadata": {
            "name": format!("vllm-runtime-{hash}"), "namespace": "llm-serving", "uid": format!("rs-{number}"),
            "creationTimestamp": created, "labels": {"app": "vllm", "pod-template-hash": hash},
            "annotations": {"deployment.kubernetes.io/revision": number.to_string()},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "vllm-runtime", "uid": "d-1",
                "controller": true}]
        },
        "spec": {"replicas": replicas, "template": template(max_num_seqs, Some(&hash))},
        "status": {"replicas": replicas, "readyReplicas": replicas}
    })
}

/// A Ready pod of a revision; its start took 330 s, of which 300 s were the load.
pub(crate) fn pod(name: &str, of: u64, node: &str) -> Value {
    json!({
        "metadata": {
            "name": name, "namespace": "llm-serving", "uid": format!("pod-{name}"), "creationTimestamp": "2026-06-08T03:02:30Z",
            "labels": {"app": "vllm", "pod-template-hash": format!("h{of}")},
            "ownerReferences": [{"kind": "ReplicaSet", "name": format!("vllm-runtime-h{of}"), "uid": format!("rs-{of}"),
                "controller": true}]
        },
        "spec": {"nodeName": node, "containers": template(512, None)["spec"]["containers"]},
        "status": {
            "phase": "Running",
            "conditions": [
                {"type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-06-08T03:02:30Z"},
                {"type": "Initialized", "status": "True", "lastTransitionTime": "2026-06-08T03:02:30Z"},
                {"type": "Ready", "status": "True", "lastTransitionTime": "2026-06-08T03:08:00Z"}
            ],
            "containerStatuses": [{"name": "vllm", "ready": true, "restartCount": 0, "started": true,
                "state": {"running": {"startedAt": "2026-06-08T03:03:00Z"}}}]
        }
    })
}

/// A node with four GPUs.
pub(crate) fn node(name: &str) -> Value {
    json!({
        "metadata": {"name": name, "uid": format!("node-{name}"), "labels": {"pool": "h100"}},
        "spec": {"taints": [{"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}]},
        "status": {
            "allocatable": {"nvidia.com/gpu": "4"},
            "conditions": [{"type": "Ready", "status": "True"}]
        }
    })
}

/// An autoscaler of the workload.
#[allow(dead_code, reason = "not every test that has this file needs one")]
pub(crate) fn autoscaler(min: u32, max: u32) -> Value {
    json!({
        "metadata": {"name": "vllm", "namespace": "llm-serving", "uid": "hpa-1"},
        "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "vllm-runtime"},
            "minReplicas": min, "maxReplicas": max},
        "status": {"currentReplicas": 3, "desiredReplicas": 3,
            "conditions": [{"type": "ScalingActive", "status": "True", "reason": "ValidMetricFound"}]}
    })
}

impl Default for Founding {
    fn default() -> Self {
        let workload = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {
                "name": "vllm-runtime", "namespace": "llm-serving", "uid": "d-1", "generation": 7,
                "creationTimestamp": "2026-05-01T00:00:00Z", "annotations": {"deployment.kubernetes.io/revision": "42"}
            },
            "spec": {
                "replicas": 3, "template": template(512, None), "selector": {"matchLabels": {"app": "vllm"}},
                "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}}
            },
            "status": {"observedGeneration": 7, "replicas": 3, "updatedReplicas": 3, "readyReplicas": 3, "availableReplicas": 3}
        });
        Self {
            kind: WorkloadKind::Deployment,
            workload,
            revisions: vec![
                replica_set(40, 128, "2026-06-01T09:00:00Z", 0),
                replica_set(41, 256, "2026-06-05T09:00:00Z", 0),
                replica_set(42, 512, "2026-06-08T03:02:11Z", 3),
            ],
            pods: vec![pod("a", 42, "gpu-1"), pod("b", 42, "gpu-1"), pod("c", 42, "gpu-2")],
            nodes: vec![node("gpu-1"), node("gpu-2")],
            taken: BTreeMap::from([("gpu-1".to_owned(), 4), ("gpu-2".to_owned(), 3)]),
            autoscalers: Vec::new(),
        }
    }
}

impl Founding {
    /// The same as a StatefulSet, in its own words.
    #[allow(dead_code, reason = "not every test that has this file needs one")]
    pub(crate) fn stateful() -> Self {
        let mut all = Self { kind: WorkloadKind::StatefulSet, ..Self::default() };
        all.workload["kind"] = json!("StatefulSet");
        all.workload["spec"]["updateStrategy"] = json!({"type": "RollingUpdate"});
        all.workload["status"]["updateRevision"] = json!("vllm-runtime-42");
        all.revisions = [(41_u64, 256, "2026-06-05T09:00:00Z"), (42, 512, "2026-06-08T03:02:11Z")]
            .map(|(number, seqs, created)| {
                let mut template = template(seqs, None);
                template["$patch"] = json!("replace");
                json!({
                    "metadata": {"name": format!("vllm-runtime-{number}"), "uid": format!("cr-{number}"),
                        "creationTimestamp": created,
                        "ownerReferences": [{"kind": "StatefulSet", "name": "vllm-runtime", "uid": "d-1", "controller": true}]},
                    "revision": number, "data": {"spec": {"template": template}}
                })
            })
            .to_vec();
        all.pods.clear();
        all
    }

    /// What is read from it.
    pub(crate) fn facts(&self) -> ClusterFacts {
        facts(&Objects {
            kind: Some(self.kind),
            workload: Some(&self.workload),
            revisions: self.revisions.iter().collect(),
            pods: self.pods.iter().collect(),
            nodes: Some(self.nodes.iter().collect()),
            gpus_taken: Some(&self.taken),
            config_maps: None,
            autoscalers: self.autoscalers.iter().collect(),
            events: Vec::new(),
        })
    }

    /// What is known, all watches alive.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let live = |resource| Watch { resource, state: SourceState::Live, heard: Some(NOW), error: None };
        let target = WorkloadRef {
            context: "prod-use1".into(),
            namespace: "llm-serving".into(),
            kind: self.kind,
            name: "vllm-runtime".into(),
        };
        Snapshot {
            now: NOW,
            target: Some(target),
            cluster: Some((NOW, Arc::new(self.facts()))),
            watches: ["deployments", "replicasets", "pods", "horizontalpodautoscalers"].map(live).to_vec(),
            ..Snapshot::default()
        }
    }
}
