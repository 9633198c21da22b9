//! One workload in a namespace of its own, on which kubectl or warroom pulls a lever; and what is left of it then.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use warroom::action::{Action, Context, Outcome, Refusal, plan};
use warroom::apiserver::{self, Client, Trouble, connect, deadline};
use warroom::clock::{self, Clock};
use warroom::cluster::Performer;
use warroom::decode::kubernetes::{Objects, facts};
use warroom::domain::{At, Snapshot, WorkloadKind, WorkloadRef};

use crate::pulled::pulled;
use crate::real::Real;

pub(crate) const NAME: &str = "engine";

/// What is done to a workload before the lever, always by kubectl.
#[derive(Clone)]
pub(crate) enum Did {
    /// Another template, with this argument.
    Arg(&'static str),
    /// Another template: an annotation of it.
    Annotated(&'static str, &'static str),
    /// The same, but its pods never become Ready.
    Broken(&'static str),
    /// Another template with a field that this kubectl does not know, sent as it is.
    Unknown,
    /// kubectl with these words; `{}` is the workload.
    Kubectl(&'static str),
    /// The revision of this number is not kept any more.
    Pruned(u64),
}

/// A workload.
pub(crate) struct Workload {
    client: Client,
    kubeconfig: std::path::PathBuf,
    home: tempfile::TempDir,
    pub(crate) kind: WorkloadKind,
    namespace: String,
}

/// Whether there is a kubectl; else the test is reported as skipped.
pub(crate) fn kubectl_is_here(test: &str) -> bool {
    let here = Command::new("kubectl").args(["version", "--client"]).output().is_ok();
    if !here {
        let _ = writeln!(std::io::stderr(), "skipped: {test} (there is no kubectl)");
    }
    here
}

impl Workload {
    /// A namespace with a workload of so many replicas, all of them Ready.
    pub(crate) async fn new(real: &Real, namespace: &str, kind: WorkloadKind, replicas: u32) -> Self {
        let options = connect::Options { kubeconfig: Some(real.kubeconfig.clone()), ..connect::Options::default() };
        let client = connect::connect(options).await.expect("a client").client;
        let home = tempfile::tempdir().expect("a directory");
        let kubeconfig = real.kubeconfig.clone();
        let workload = Self { client, kubeconfig, home, kind, namespace: namespace.to_owned() };
        workload.kubectl(&format!("create namespace {namespace}")).expect("a namespace");
        let labels = json!({"app": NAME});
        let mut manifest = json!({
            "apiVersion": "apps/v1", "kind": kind.code(),
            "metadata": {"name": NAME, "namespace": namespace, "labels": labels},
            "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{
                    "name": "vllm", "image": "vllm/vllm-openai:v0.32.0", "args": ["--max-num-seqs=1"],
                    "ports": [{"name": "http", "containerPort": 8000}],
                }]},
            }},
        });
        if kind == WorkloadKind::StatefulSet {
            manifest["spec"]["serviceName"] = json!(NAME);
        }
        let file = workload.home.path().join("manifest.json");
        std::fs::write(&file, manifest.to_string()).expect("a file");
        workload.kubectl(&format!("create -f {}", file.display())).expect("a workload");
        workload.until_settled().await;
        workload
    }

    fn plural(&self) -> &'static str {
        match self.kind {
            WorkloadKind::Deployment => "deployments",
            WorkloadKind::StatefulSet => "statefulsets",
        }
    }

    /// Runs kubectl in the namespace: what it said, or what it said of why not.
    pub(crate) fn kubectl(&self, words: &str) -> Result<String, String> {
        let words = words.replace("{}", &format!("{}/{NAME}", self.plural()));
        self.kubectl_with(&words.split_whitespace().collect::<Vec<_>>())
    }

    fn kubectl_with(&self, words: &[&str]) -> Result<String, String> {
        let output = Command::new("kubectl")
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home.path())
            .env("KUBECONFIG", &self.kubeconfig)
            .args(["-n", &self.namespace])
            .args(words)
            .output()
            .expect("kubectl runs");
        let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        if output.status.success() { Ok(said) } else { Err(said) }
    }

    async fn get(&self, path: &str) -> Result<Value, Trouble> {
        apiserver::whole(&self.client, path, 8 << 20, deadline(Duration::from_secs(20))).await
    }

    async fn list(&self, group: &str, plural: &str) -> Vec<Value> {
        let path = format!("/{group}/namespaces/{}/{plural}", self.namespace);
        self.get(&path).await.expect("a list")["items"].as_array().cloned().unwrap_or_default()
    }

    pub(crate) async fn object(&self) -> Value {
        let path = format!("/apis/apps/v1/namespaces/{}/{}/{NAME}", self.namespace, self.plural());
        self.get(&path).await.expect("the workload")
    }

    async fn revisions(&self) -> Vec<Value> {
        let plural = match self.kind {
            WorkloadKind::Deployment => "replicasets",
            WorkloadKind::StatefulSet => "controllerrevisions",
        };
        self.list("apis/apps/v1", plural).await
    }

    /// Does all of it, one after the other, each when the one before has been taken up.
    pub(crate) async fn did(&self, history: &[Did]) {
        for did in history {
            let template = |body: Value| json!({"spec": {"template": body}});
            let arg = |arg: &str| json!({"spec": {"containers": [{"name": "vllm", "args": [arg]}]}, "metadata": {"annotations": {}}});
            let patch = match did {
                Did::Arg(flag) => template(arg(flag)),
                Did::Annotated(key, value) => template(json!({"metadata": {"annotations": {*key: value}}})),
                Did::Broken(flag) => {
                    let mut body = arg(flag);
                    body["metadata"]["annotations"]["kubelet.test/ready-after"] = json!("never");
                    template(body)
                }
                Did::Unknown => {
                    let mut body = arg("--unknown");
                    body["spec"]["hostnameOverride"] = json!("gpu-host");
                    template(body)
                }
                Did::Kubectl(words) => {
                    self.kubectl(words).expect("kubectl does it");
                    self.until_settled().await;
                    continue;
                }
                Did::Pruned(number) => {
                    let numbered = |r: &&Value| number_of(r) == Some(*number);
                    let gone = self.revisions().await.iter().find(numbered).expect("that revision").clone();
                    let kind = match self.kind {
                        WorkloadKind::Deployment => "replicaset",
                        WorkloadKind::StatefulSet => "controllerrevision",
                    };
                    let name = gone["metadata"]["name"].as_str().expect("a name");
                    self.kubectl(&format!("delete {kind} {name}")).expect("it is deleted");
                    continue;
                }
            };
            // Kubernetes dates revisions by the second, and which of two is older is asked.
            self.until_the_next_second().await;
            let workload = format!("{}/{NAME}", self.plural());
            self.kubectl_with(&["patch", &workload, "--type=strategic", "-p", &patch.to_string()]).expect("patched");
            match did {
                Did::Broken(_) => self.until_observed().await,
                _ => self.until_settled().await,
            }
        }
    }

    async fn until_the_next_second(&self) {
        let newest = self
            .revisions()
            .await
            .iter()
            .filter_map(|r| r["metadata"]["creationTimestamp"].as_str().map(seconds))
            .max();
        while newest.is_some_and(|newest| clock::unix_ms() / 1000 <= newest) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn until(&self, what: &str, holds: impl Fn(&Value, &[Value]) -> bool) {
        for _ in 0..600 {
            let (object, revisions) = (self.object().await, self.revisions().await);
            if holds(&object, &revisions) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        unreachable!("{} is not {what} within a minute: {}", self.namespace, self.object().await);
    }

    /// Its controller has seen what is declared, and has made a revision of it.
    pub(crate) async fn until_observed(&self) {
        let kind = self.kind;
        self.until("observed", move |object, revisions| observed(kind, object, revisions)).await;
    }

    /// And every pod is of that revision, and Ready.
    pub(crate) async fn until_settled(&self) {
        let kind = self.kind;
        self.until("settled", move |object, revisions| {
            let (spec, status) = (&object["spec"], &object["status"]);
            let wanted = spec["replicas"].as_i64().unwrap_or(1);
            let count = |field: &str| status[field].as_i64().unwrap_or(0);
            let held = spec["paused"] == true || status["currentRevision"] == status["updateRevision"];
            observed(kind, object, revisions)
                && held
                && count("replicas") == wanted
                && count("readyReplicas") == wanted
                && (spec["paused"] == true || count("updatedReplicas") == wanted)
        })
        .await;
    }

    /// All replicas of a rollout that does not end are there, spread over its revisions.
    pub(crate) async fn until_spread(&self, wanted: u32) {
        self.until("spread", move |object, revisions| {
            let sum = |at: &str| revisions.iter().filter_map(|r| r.pointer(at)?.as_u64()).sum::<u64>();
            let most = u64::from(wanted) + u64::from(wanted.div_ceil(4));
            object["status"]["observedGeneration"] == object["metadata"]["generation"]
                && sum("/spec/replicas") == most
                && sum("/status/replicas") == most
                && object["status"]["replicas"] == most
        })
        .await;
    }

    /// Its autoscaler has looked, and says whether it scales.
    pub(crate) async fn until_autoscaler_tells(&self) {
        for _ in 0..600 {
            let scalers = self.list("apis/autoscaling/v2", "horizontalpodautoscalers").await;
            let told = |s: &Value| s["status"]["conditions"].to_string().contains("ScalingActive");
            if scalers.iter().any(told) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        unreachable!("the autoscaler in {} says nothing within a minute", self.namespace);
    }

    async fn snapshot(&self) -> Snapshot {
        let (object, revisions) = (self.object().await, self.revisions().await);
        let (pods, events) = (self.list("api/v1", "pods").await, self.list("api/v1", "events").await);
        let nodes = self.get("/api/v1/nodes").await.expect("nodes")["items"].as_array().cloned().unwrap_or_default();
        let scalers = self.list("apis/autoscaling/v2", "horizontalpodautoscalers").await;
        let taken: BTreeMap<String, u32> =
            nodes.iter().filter_map(|n| Some((n["metadata"]["name"].as_str()?.to_owned(), 0))).collect();
        let facts = facts(&Objects {
            kind: Some(self.kind),
            workload: Some(&object),
            revisions: revisions.iter().collect(),
            pods: pods.iter().collect(),
            nodes: Some(nodes.iter().collect()),
            gpus_taken: Some(&taken),
            config_maps: None,
            autoscalers: scalers.iter().collect(),
            events: events.iter().collect(),
        });
        let now = At(clock::unix_ms());
        let target = WorkloadRef {
            context: "test".to_owned(),
            namespace: self.namespace.clone(),
            kind: self.kind,
            name: NAME.to_owned(),
        };
        Snapshot { now, target: Some(target), cluster: Some((now, Arc::new(facts))), ..Snapshot::default() }
    }

    /// Plans, tries, shows, confirms and performs it, as the program does.
    pub(crate) async fn pull(&self, action: &Action) -> Result<(), Refusal> {
        let plan = plan(&self.snapshot().await, action, &Context { who: "alice".into(), incident: None })?;
        let performer = Performer::new(self.client.clone(), Clock::Wall);
        let performed = pulled(plan, &performer, self.snapshot()).await;
        assert!(matches!(performed.outcome, Outcome::Applied(_)), "{}", performed.outcome);
        Ok(())
    }

    /// What the workload and its revisions say, without what two namespaces never share: identities, times, writers.
    pub(crate) async fn left(&self) -> Value {
        let revisions: Map<String, Value> = self
            .revisions()
            .await
            .into_iter()
            .map(|r| (r["metadata"]["name"].as_str().unwrap_or_default().to_owned(), essence(r)))
            .collect();
        json!({"workload": essence(self.object().await), "revisions": revisions})
    }
}

fn seconds(time: &str) -> i64 {
    time.parse::<jiff::Timestamp>().expect("a time").as_second()
}

fn number_of(revision: &Value) -> Option<u64> {
    let annotated = revision["metadata"]["annotations"]["deployment.kubernetes.io/revision"].as_str();
    revision["revision"].as_u64().or_else(|| annotated?.parse().ok())
}

fn observed(kind: WorkloadKind, object: &Value, revisions: &[Value]) -> bool {
    let paused = object["spec"]["paused"] == true;
    let arguments = "/spec/template/spec/containers/0/args";
    let same = |r: &Value| match kind {
        WorkloadKind::Deployment => r.pointer(arguments) == object.pointer(arguments),
        WorkloadKind::StatefulSet => object["status"]["updateRevision"] == r["metadata"]["name"],
    };
    object["status"]["observedGeneration"] == object["metadata"]["generation"] && (paused || revisions.iter().any(same))
}

fn essence(mut object: Value) -> Value {
    if let Some(metadata) = object["metadata"].as_object_mut() {
        for part in ["uid", "resourceVersion", "creationTimestamp", "managedFields", "namespace", "ownerReferences"] {
            metadata.remove(part);
        }
    }
    if let Some(status) = object["status"].as_object_mut() {
        status.remove("conditions");
    }
    object
}
