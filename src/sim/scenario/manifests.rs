//! The objects that a scenario begins with, as somebody would have applied them: no status, nothing that a server fills in.

use serde_json::{Value, json};

use super::{Autoscaler, NodeSpec, Prefill, Readiness, Scenario, Signal, Workload};

/// The port of an engine.
const PORT: u16 = 8000;

/// Where flags of a `ConfigMap` are mounted, and the file in it.
const CONFIG_AT: &str = "/etc/vllm";
const CONFIG_FILE: &str = "serve.yaml";

/// llm-d's labels: an engine's part, and the model that both pools serve.
const ROLE: &str = "llm-d.ai/role";
const SERVES: &str = "llm-d.ai/model";

/// The `data` of a `ConfigMap` that holds flags.
pub(super) fn data(flags: &[String]) -> Value {
    let line = |flag: &String| {
        let (name, value) = flag.split_once('=').unwrap_or((flag, "true"));
        format!("{}: {value}\n", name.trim_start_matches('-'))
    };
    json!({CONFIG_FILE: flags.iter().map(line).collect::<String>()})
}

impl Scenario {
    /// Nodes, Deployment, Service and autoscaler.
    pub fn manifests(&self) -> Vec<Value> {
        let mut objects: Vec<Value> = self.nodes.iter().map(node).collect();
        objects.extend(self.config_map());
        objects.push(self.deployment());
        objects.extend(self.prefill.as_ref().map(|prefill| self.prefillers(prefill)));
        objects.push(self.service());
        objects.extend(self.autoscaler.as_ref().map(|autoscaler| self.scaler(autoscaler)));
        objects
    }

    fn labels(&self) -> Value {
        json!({"app.kubernetes.io/name": self.workload.name, "app.kubernetes.io/part-of": "llm-serving"})
    }

    fn deployment(&self) -> Value {
        let it = &self.workload;
        let selector = json!({"app.kubernetes.io/name": it.name});
        let mut deployment = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {
                "name": it.name, "namespace": it.namespace, "labels": self.labels(),
                "annotations": {
                    "kubernetes.io/change-cause": it.cause,
                    "deployment.kubernetes.io/revision": it.revision.to_string(),
                },
            },
            "spec": {
                "replicas": it.replicas,
                "revisionHistoryLimit": 10,
                "progressDeadlineSeconds": whole(it.progress_deadline.0),
                "selector": {"matchLabels": selector},
                "strategy": {"type": "RollingUpdate", "rollingUpdate": {
                    "maxSurge": int_or_percent(&it.max_surge), "maxUnavailable": int_or_percent(&it.max_unavailable)}},
                "template": {
                    "metadata": {
                        "labels": {"app.kubernetes.io/name": it.name, "app.kubernetes.io/part-of": "llm-serving",
                                   "model": self.model.name},
                        "annotations": {"prometheus.io/scrape": "true", "prometheus.io/port": PORT.to_string(),
                                        "prometheus.io/path": "/metrics"},
                    },
                    "spec": {
                        "terminationGracePeriodSeconds": 30,
                        "containers": [{
                            "name": "vllm",
                            "image": it.image,
                            "imagePullPolicy": "IfNotPresent",
                            "command": ["vllm", "serve"],
                            "args": it.args,
                            "ports": [{"name": "http", "containerPort": PORT, "protocol": "TCP"}],
                            "resources": {
                                "requests": {"cpu": it.cpus.to_string(), "memory": "256Gi",
                                             "nvidia.com/gpu": it.gpus.to_string()},
                                "limits": {"memory": "256Gi", "nvidia.com/gpu": it.gpus.to_string()},
                            },
                            "volumeMounts": [{"name": "weights", "mountPath": "/models", "readOnly": true},
                                             {"name": "shm", "mountPath": "/dev/shm"}],
                        }],
                        "volumes": [
                            {"name": "weights", "persistentVolumeClaim": {"claimName": format!("{}-weights", self.model.name)}},
                            {"name": "shm", "emptyDir": {"medium": "Memory"}},
                        ],
                        "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
                    },
                },
            },
        });
        let pod = &mut deployment["spec"]["template"]["spec"];
        if let (false, Some(volumes)) = (it.config.is_empty(), pod["volumes"].as_array_mut()) {
            volumes.push(json!({"name": "flags", "configMap": {"name": self.config_name()}}));
            let mount = json!({"name": "flags", "mountPath": CONFIG_AT, "readOnly": true});
            pod["containers"][0]["volumeMounts"]
                .as_array_mut()
                .into_iter()
                .for_each(|mounts| mounts.push(mount.clone()));
        }
        let container = &mut pod["containers"][0];
        for (name, probe) in self.probes(it.readiness) {
            container[name] = probe;
        }
        if self.prefill.is_some() {
            let labels = &mut deployment["spec"]["template"]["metadata"]["labels"];
            (labels[ROLE], labels[SERVES]) = (json!("decode"), json!(self.model.name));
        }
        deployment
    }

    /// The Deployment of those that compute prompts, like the workload's but for its part; neither its Service nor its
    /// autoscaler is about them.
    fn prefillers(&self, prefill: &Prefill) -> Value {
        let own = Workload {
            name: prefill.name.clone(),
            replicas: prefill.replicas,
            revision: 1,
            cause: "prefill pool".to_owned(),
            args: prefill.args(&self.workload.args),
            ..self.workload.clone()
        };
        let mut deployment = Self { workload: own, ..self.clone() }.deployment();
        deployment["spec"]["template"]["metadata"]["labels"][ROLE] = json!("prefill");
        deployment
    }

    /// The probes of the engine's container, by the names of their fields; none where nothing is asked.
    pub fn probes(&self, readiness: Readiness) -> Vec<(&'static str, Value)> {
        let it = &self.workload;
        // A start takes minutes: the startup probe allows four times what loading should take.
        let start_s = self.model.weights_gb / it.load_gb_per_s + it.warm_up.0;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of probes")]
        let starts = ((4.0 * start_s / it.probe_every.0).ceil() as u64).max(30);
        let asks = match readiness {
            Readiness::None => return Vec::new(),
            Readiness::Health => json!({"httpGet": {"path": "/health", "port": "http", "scheme": "HTTP"}}),
            Readiness::Process => json!({"exec": {"command": ["pgrep", "-f", "vllm"]}}),
        };
        [("startupProbe", starts), ("readinessProbe", 3), ("livenessProbe", 6)]
            .into_iter()
            .map(|(name, failures)| {
                let mut probe = asks.clone();
                probe["periodSeconds"] = json!(whole(it.probe_every.0));
                probe["timeoutSeconds"] = json!(1);
                probe["successThreshold"] = json!(1);
                probe["failureThreshold"] = json!(failures);
                (name, probe)
            })
            .collect()
    }

    /// The `ConfigMap` with flags, where there are some.
    fn config_map(&self) -> Option<Value> {
        (!self.workload.config.is_empty()).then(|| {
            json!({
                "apiVersion": "v1", "kind": "ConfigMap",
                "metadata": {"name": self.config_name(), "namespace": self.workload.namespace, "labels": self.labels()},
                "data": data(&self.workload.config),
            })
        })
    }

    fn config_name(&self) -> String {
        format!("{}-flags", self.workload.name)
    }

    fn service(&self) -> Value {
        json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": self.workload.name, "namespace": self.workload.namespace, "labels": self.labels()},
            "spec": {"type": "ClusterIP", "selector": {"app.kubernetes.io/name": self.workload.name},
                     "ports": [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": "http"}]},
        })
    }

    pub(super) fn scaler(&self, autoscaler: &Autoscaler) -> Value {
        let target = autoscaler.target;
        let metric = match autoscaler.metric {
            Signal::Waiting => json!({"type": "Pods", "pods": {
                "metric": {"name": "vllm:num_requests_waiting"},
                "target": {"type": "AverageValue", "averageValue": target.to_string()}}}),
            Signal::Cpu => json!({"type": "Resource", "resource": {
                "name": "cpu", "target": {"type": "Utilization", "averageUtilization": target}}}),
        };
        json!({
            "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": self.workload.name, "namespace": self.workload.namespace, "labels": self.labels()},
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": self.workload.name},
                "minReplicas": autoscaler.min, "maxReplicas": autoscaler.max, "metrics": [metric],
                "behavior": {"scaleDown": {"stabilizationWindowSeconds": whole(autoscaler.down_after.0)}},
            },
        })
    }
}

fn node(node: &NodeSpec) -> Value {
    let product = node.product.replace(' ', "-");
    let resources = json!({"cpu": node.cpus.to_string(), "memory": "2113Gi", "pods": "110",
                           "ephemeral-storage": "3600Gi", "nvidia.com/gpu": node.gpus.to_string()});
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": node.name, "labels": {
            "kubernetes.io/hostname": node.name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
            "node-role.kubernetes.io/worker": "",
            "nvidia.com/gpu.present": "true", "nvidia.com/gpu.product": product,
            "nvidia.com/gpu.count": node.gpus.to_string()}},
        "spec": {"taints": [{"key": "nvidia.com/gpu", "effect": "NoSchedule"}]},
        "status": {"capacity": resources, "allocatable": resources},
    })
}

fn int_or_percent(text: &str) -> Value {
    text.parse::<u32>().map_or_else(|_| json!(text), |number| json!(number))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few seconds")]
fn whole(seconds: f64) -> u64 {
    (seconds.round() as u64).max(1)
}
