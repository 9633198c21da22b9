//! The levers against the simulated cluster, and beside real kubectl: the same undo and the same scale leave the same
//! objects, but for the differences that are on purpose. They stand in [`ON_PURPOSE`], and nowhere else.
#![cfg(feature = "sim")]

#[path = "support/differing.rs"]
mod differing;
#[path = "support/pulled.rs"]
mod pulled;
#[path = "support/sim.rs"]
mod sim;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::Command;
use std::sync::Arc;

use differing::paths;
use pulled::pulled;
use serde_json::{Value, json};
use sim::{NAME, NAMESPACE, OPENS, engines, rolled_out, setup};
use warroom::action::{Action, Context, Outcome, Plan, Progress, Refusal, Stage, plan, progress};
use warroom::apiserver::Client;
use warroom::apiserver::{self, connect, deadline};
use warroom::cluster::{Performed, Performer};
use warroom::decode::kubernetes::{Objects, facts, gpus_of};
use warroom::domain::{At, Snapshot, WorkloadKind, WorkloadRef};
use warroom::sim::serve::{Handle, Options, serve};
use warroom::sim::world::Setup;

/// Where what we leave differs from what kubectl leaves, and why.
const ON_PURPOSE: &[(&str, &str)] = &[
    ("/metadata/annotations/kubernetes.io~1change-cause", "says who undid what; kubectl puts the old one back"),
    ("/metadata/annotations/ticket", "stays; kubectl replaces all annotations by those of the old revision"),
];

/// A simulated cluster and a client for it.
struct Lab {
    handle: Handle,
    client: Client,
    home: tempfile::TempDir,
    skipped_s: f64,
}

impl Lab {
    async fn open(setup: Setup) -> Self {
        let options = Options { opens_ms: Some(OPENS), ..Options::default() };
        let handle = serve(setup, |_| engines(0.0), options).await.expect("it opens");
        let home = tempfile::tempdir().expect("a directory");
        let kubeconfig = home.path().join("kubeconfig");
        handle.write_kubeconfig(&kubeconfig).expect("a kubeconfig");
        let options = connect::Options { kubeconfig: Some(kubeconfig), ..connect::Options::default() };
        let client = connect::connect(options).await.expect("a client").client;
        Self { handle, client, home, skipped_s: 0.0 }
    }

    fn skip(&mut self, seconds: f64) {
        self.skipped_s += seconds;
        self.handle.skip(seconds);
    }

    fn now(&self) -> At {
        At(self.handle.clock.unix_ms())
    }

    async fn get(&self, path: &str) -> Value {
        let until = deadline(std::time::Duration::from_secs(10));
        apiserver::whole(&self.client, path, 8 << 20, until).await.expect("an answer")
    }

    async fn list(&self, path: &str) -> Vec<Value> {
        self.get(path).await["items"].as_array().cloned().unwrap_or_default()
    }

    async fn deployment(&self) -> Value {
        self.get(&format!("/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{NAME}")).await
    }

    async fn sets(&self) -> Vec<Value> {
        self.list(&format!("/apis/apps/v1/namespaces/{NAMESPACE}/replicasets")).await
    }

    /// What is known now.
    async fn snapshot(&self) -> Snapshot {
        let (deployment, sets) = (self.deployment().await, self.sets().await);
        let all = self.list("/api/v1/pods").await;
        let (pods, nodes) =
            (all.iter().filter(|p| p["metadata"]["namespace"] == NAMESPACE), self.list("/api/v1/nodes").await);
        let scalers = self.list(&format!("/apis/autoscaling/v2/namespaces/{NAMESPACE}/horizontalpodautoscalers")).await;
        let mut taken: BTreeMap<String, u32> =
            nodes.iter().filter_map(|n| Some((n["metadata"]["name"].as_str()?.to_owned(), 0))).collect();
        for pod in &all {
            if let Some(node) = pod["spec"]["nodeName"].as_str() {
                *taken.entry(node.to_owned()).or_default() += gpus_of(pod);
            }
        }
        let facts = facts(&Objects {
            kind: Some(WorkloadKind::Deployment),
            workload: Some(&deployment),
            revisions: sets.iter().collect(),
            pods: pods.collect(),
            nodes: Some(nodes.iter().collect()),
            gpus_taken: Some(&taken),
            config_maps: None,
            autoscalers: scalers.iter().collect(),
            events: Vec::new(),
        });
        let target = WorkloadRef {
            context: self.handle.context(),
            namespace: NAMESPACE.into(),
            kind: WorkloadKind::Deployment,
            name: NAME.into(),
        };
        Snapshot {
            now: self.now(),
            target: Some(target),
            cluster: Some((self.now(), Arc::new(facts))),
            ..Snapshot::default()
        }
    }

    async fn plan(&self, action: &Action) -> Result<Plan, Refusal> {
        plan(&self.snapshot().await, action, &Context { who: "alice".into(), incident: None })
    }

    /// Plans, tries, shows, confirms and performs it.
    async fn perform(&self, action: &Action) -> Performed {
        let plan = self.plan(action).await.map_err(|refusal| refusal.to_string()).expect("a plan");
        let performer = Performer::new(self.client.clone(), self.handle.clock);
        pulled(plan, &performer, self.snapshot()).await
    }

    async fn progress(&self, plan: &Plan) -> Progress {
        let snapshot = self.snapshot().await;
        let (_, facts) = snapshot.cluster.as_ref().expect("facts");
        progress(facts, plan, self.now().plus(self.skipped_s))
    }

    /// Runs kubectl, which has to succeed.
    fn kubectl(&self, arguments: &str) {
        let output = Command::new("kubectl")
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home.path())
            .env("KUBECONFIG", self.home.path().join("kubeconfig"))
            .args(arguments.split_whitespace())
            .output()
            .expect("kubectl runs");
        assert!(output.status.success(), "kubectl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// Whether there is a kubectl; else the test is reported as skipped.
fn kubectl_is_here(test: &str) -> bool {
    let here = Command::new("kubectl").args(["version", "--client"]).output().is_ok();
    if !here {
        let _ = writeln!(std::io::stderr(), "skipped: {test} (there is no kubectl)");
    }
    here
}

/// What an object says, without what depends on the second of the request or on who wrote it.
fn essence(mut object: Value) -> Value {
    let metadata = object["metadata"].as_object_mut().expect("metadata");
    for part in ["resourceVersion", "managedFields", "creationTimestamp"] {
        metadata.remove(part);
    }
    if let Some(map) = object.as_object_mut() {
        map.remove("status");
    }
    object
}

/// Every ReplicaSet by name, with its number and its replicas.
fn told(sets: &[Value]) -> Vec<(String, String, u64)> {
    let mut told: Vec<_> = sets
        .iter()
        .map(|s| {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let number = text(&s["metadata"]["annotations"]["deployment.kubernetes.io/revision"]);
            (text(&s["metadata"]["name"]), number, s["spec"]["replicas"].as_u64().unwrap_or(99))
        })
        .collect();
    told.sort();
    told
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_undo_reaches_the_pods_and_is_followed_to_its_end() {
    let mut lab = Lab::open(rolled_out()).await;
    let performed = lab.perform(&Action::undo()).await;
    assert!(matches!(performed.outcome, Outcome::Applied(_)), "{}", performed.outcome);
    let plan = performed.plan;
    let changes: Vec<String> = plan.changes.iter().map(ToString::to_string).collect();
    assert_eq!(changes, ["--max-num-seqs 512 -> 256"]);
    lab.skip(10.0);
    let under = lab.progress(&plan).await;
    assert_eq!(under.stage, Stage::Underway, "{}", under.sentence);
    lab.skip(600.0);
    let done = lab.progress(&plan).await;
    assert_eq!((done.stage, done.ready, done.of), (Stage::Done, 2, 2), "{}", done.sentence);
    // Pressed again, it does not bring back what was undone.
    let refusal = lab.plan(&Action::undo()).await.expect_err("refused");
    assert!(matches!(refusal, Refusal::AlreadyUndone { current: 43, replaced: 42, .. }), "{refusal}");
    // Its inverse does, because somebody chose it.
    let back = plan.inverse.expect("an inverse");
    assert!(matches!(lab.perform(&back).await.outcome, Outcome::Applied(_)));
    assert!(lab.deployment().await.to_string().contains("--max-num-seqs=512"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_autoscaler_owns_is_moved_by_its_bounds_and_taken_back() {
    let mut lab = Lab::open(setup()).await;
    let refusal = lab.plan(&Action::Scale { to: 3 }).await.expect_err("refused");
    let instead = refusal.instead();
    assert_eq!(instead, [Action::SetAutoscalerBounds { min: 3, max: 6 }], "{refusal}");
    let performed = lab.perform(&instead[0]).await;
    assert!(matches!(performed.outcome, Outcome::Applied(_)), "{}", performed.outcome);
    lab.skip(60.0);
    assert_eq!(lab.deployment().await["spec"]["replicas"], 3);
    let inverse = performed.plan.inverse.expect("an inverse");
    assert!(matches!(lab.perform(&inverse).await.outcome, Outcome::Applied(_)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_other_levers_reach_the_cluster_too() {
    let lab = Lab::open(rolled_out()).await;
    for action in [
        Action::RolloutPause,
        Action::RolloutResume,
        Action::CordonNode { node: "gpu-2".into(), cordoned: true },
        Action::CordonNode { node: "gpu-2".into(), cordoned: false },
        Action::RolloutRestart,
    ] {
        // The controller sees a pause and the like within a second.
        lab.handle.skip(2.0);
        let performed = lab.perform(&action).await;
        assert!(matches!(performed.outcome, Outcome::Applied(_)), "{action}: {}", performed.outcome);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_undo_leaves_what_kubectl_leaves_but_for_what_is_on_purpose() {
    if !kubectl_is_here("an_undo_leaves_what_kubectl_leaves_but_for_what_is_on_purpose") {
        return;
    }
    let (mut ours, mut theirs) = (Lab::open(rolled_out()).await, Lab::open(rolled_out()).await);
    for lab in [&mut ours, &mut theirs] {
        assert!(paths(&lab.deployment().await["metadata"]["annotations"]["ticket"], &Value::Null).is_empty());
        lab.kubectl(&format!("annotate deploy/{NAME} ticket=INC-1"));
        lab.skip(3.0);
    }
    assert_eq!(paths(&essence(ours.deployment().await), &essence(theirs.deployment().await)), Vec::<String>::new());
    assert!(matches!(ours.perform(&Action::undo()).await.outcome, Outcome::Applied(_)));
    theirs.kubectl(&format!("rollout undo deploy/{NAME}"));
    for lab in [&mut ours, &mut theirs] {
        lab.skip(600.0);
    }
    let (one, other) = (essence(ours.deployment().await), essence(theirs.deployment().await));
    let on_purpose: Vec<&str> = ON_PURPOSE.iter().map(|(path, _)| *path).collect();
    assert_eq!(paths(&one, &other), on_purpose, "{one}\n{other}");
    assert_eq!(one["metadata"]["annotations"]["ticket"], "INC-1");
    assert_eq!(told(&ours.sets().await), told(&theirs.sets().await));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scale_leaves_what_kubectl_leaves() {
    if !kubectl_is_here("a_scale_leaves_what_kubectl_leaves") {
        return;
    }
    let (mut ours, mut theirs) = (Lab::open(rolled_out()).await, Lab::open(rolled_out()).await);
    assert!(matches!(ours.perform(&Action::Scale { to: 3 }).await.outcome, Outcome::Applied(_)));
    theirs.kubectl(&format!("scale deploy/{NAME} --replicas=3"));
    for lab in [&mut ours, &mut theirs] {
        lab.skip(300.0);
    }
    let (one, other) = (essence(ours.deployment().await), essence(theirs.deployment().await));
    assert_eq!((paths(&one, &other), &one["spec"]["replicas"]), (Vec::new(), &json!(3)));
    assert_eq!(told(&ours.sets().await), told(&theirs.sets().await));
}
