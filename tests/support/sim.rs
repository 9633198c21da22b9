//! A small simulated cluster whose engines load for a minute and serve nobody.

use serde_json::{Value, json};
use warroom::sim::idle::Idle;
use warroom::sim::serving::{Load, Serving};
use warroom::sim::world::{Act, Past, Setup};

/// 2026-11-24T03:00:00Z
#[allow(dead_code, reason = "not every suite has a moment of its own")]
pub(crate) const OPENS: i64 = 1_795_489_200_000;
pub(crate) const NAMESPACE: &str = "llm-serving";
pub(crate) const NAME: &str = "vllm-runtime";
pub(crate) const LOAD_S: f64 = 60.0;

fn node(name: &str, gpus: u32) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, "node-role.kubernetes.io/worker": "",
                                              "nvidia.com/gpu.present": "true"}},
        "spec": {"taints": [{"key": "nvidia.com/gpu", "effect": "NoSchedule"}]},
        "status": {"capacity": {"cpu": "96", "memory": "1024Gi", "pods": "110", "nvidia.com/gpu": gpus.to_string()}},
    })
}

fn deployment(args: &[&str]) -> Value {
    let labels = json!({"app": NAME});
    let probe = json!({"httpGet": {"path": "/health", "port": "http"}, "periodSeconds": 5, "failureThreshold": 3});
    let mut startup = probe.clone();
    startup["failureThreshold"] = json!(60);
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": NAME, "namespace": NAMESPACE, "labels": labels, "annotations": {
            "deployment.kubernetes.io/revision": "41", "kubernetes.io/change-cause": "vllm 0.32.0"}},
        "spec": {
            "replicas": 2, "selector": {"matchLabels": labels},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "template": {"metadata": {"labels": labels}, "spec": {
                "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}],
                "containers": [{
                    "name": "vllm", "image": "vllm/vllm-openai:v0.32.0", "command": ["vllm", "serve"], "args": args,
                    "ports": [{"name": "http", "containerPort": 8000}],
                    "resources": {"requests": {"cpu": "8"}, "limits": {"nvidia.com/gpu": "4"}},
                    "startupProbe": startup, "readinessProbe": probe,
                }],
            }},
        },
    })
}

pub(crate) const ARGS: &[&str] = &["llama", "--served-model-name=llama-3-70b", "--max-num-seqs=256"];

/// Two nodes with eight GPUs, two replicas of four; open for half an hour.
pub(crate) fn setup() -> Setup {
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": NAME, "namespace": NAMESPACE},
        "spec": {"selector": {"app": NAME}, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]},
    });
    let scaler = json!({
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": NAME, "namespace": NAMESPACE},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": NAME},
            "minReplicas": 2, "maxReplicas": 6,
            "metrics": [{"type": "Pods", "pods": {"metric": {"name": "vllm:num_requests_waiting"},
                         "target": {"type": "AverageValue", "averageValue": "10"}}}],
        },
    });
    Setup {
        name: "trial".to_owned(),
        workload: (NAMESPACE.to_owned(), NAME.to_owned()),
        manifests: vec![node("gpu-1", 8), node("gpu-2", 8), deployment(ARGS), service, scaler],
        earlier: vec![Past {
            revision: 40,
            before_s: 86_400.0,
            cause: "vllm 0.31.0".to_owned(),
            image: "vllm/vllm-openai:v0.31.0".to_owned(),
            args: ARGS.iter().map(|a| (*a).to_owned()).collect(),
        }],
        acts: Vec::new(),
        pull_s: 30.0,
        opens_s: 1800.0,
    }
}

/// Engines that an autoscaler sees waiting requests at.
pub(crate) fn engines(waiting: f64) -> Box<dyn Serving> {
    Box::new(Idle::new(LOAD_S, Load { waiting, ..Load::default() }))
}

/// A rollout of 512 sequences twenty minutes ago, and nothing that scales.
#[allow(dead_code, reason = "not every suite has a rollout")]
pub(crate) fn rolled_out() -> Setup {
    let mut setup = setup();
    setup.manifests.pop();
    let args = ["llama", "--served-model-name=llama-3-70b", "--max-num-seqs=512"].map(str::to_owned).to_vec();
    let act = Act::Template {
        args,
        image: "vllm/vllm-openai:v0.32.0".into(),
        cause: "more sequences".into(),
        by: "kubectl".into(),
        probes: None,
    };
    setup.acts = vec![(600.0, act)];
    setup
}
