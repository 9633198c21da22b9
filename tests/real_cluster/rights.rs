//! `warroom rbac` on a real server: the printed Roles are applied as they are, the program does everything that it can as
//! somebody who has nothing else, and the server's audit log says what it asked for. Then each rule is left out in turn,
//! and the server's own authorizer says which of those calls fails.

use std::collections::BTreeSet;
use std::io::BufRead as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;
use warroom::apiserver::{Client, connect};
use warroom::clock::{self, Clock};
use warroom::command::check;
use warroom::command::rbac::{Subject, Wish, manifest};
use warroom::config::Config;
use warroom::domain::rights::{Place, RIGHTS, Right};
use warroom::domain::{At, Role, Snapshot, SourceState, WorkloadKind, WorkloadRef};
use warroom::runtime::session::{Session, snapshot};
use warroom::source::logs::{Batch, Whose, follow};

use crate::asked::client_of;
use crate::program;
use crate::real::{Real, real};

const NAMESPACE: &str = "rights";
const GATEWAYS: &str = "rights-gateway";
const GPUS: &str = "rights-gpus";
const NAME: &str = "vllm-runtime";
const SOON: Duration = Duration::from_mins(1);

/// What nothing here leads to: a Prometheus in the cluster (`tests/prometheus.rs` has one), and reading again what was
/// changed where that is not sure (`tests/cluster_calls.rs` loses answers).
const NOT_ASKED: &[(&str, &str, &str)] = &[
    ("get", "", "services/proxy"),
    ("get", "autoscaling", "horizontalpodautoscalers"),
    ("get", "keda.sh", "scaledobjects"),
    ("get", "", "nodes"),
];

/// A call: verb, group, resource with its part, namespace.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Call {
    verb: String,
    group: String,
    resource: String,
    namespace: Option<String>,
}

fn wish(user: &str) -> Wish {
    Wish {
        name: user.to_owned(),
        namespace: NAMESPACE.to_owned(),
        neighbours: vec![GATEWAYS.to_owned(), GPUS.to_owned()],
        subjects: vec![Subject::User(user.to_owned())],
        read_only: false,
        probe: true,
        namespaced: false,
    }
}

fn covers(right: &Right, call: &Call) -> bool {
    let here = match right.place {
        Place::Namespace => call.namespace.as_deref() == Some(NAMESPACE),
        Place::Neighbour => call.namespace.as_deref().is_some_and(|n| n != NAMESPACE),
        Place::Cluster => call.namespace.is_none(),
    };
    here && right.group == call.group && right.resource == call.resource && right.verbs.contains(&call.verb.as_str())
}

/// The cluster, its administrator's kubectl, and the program as somebody else.
struct Lab<'a> {
    real: &'a Real,
    home: tempfile::TempDir,
    /// A kubeconfig of the user `bastion`, who has what is granted and nothing else.
    kubeconfig: PathBuf,
    client: Client,
}

impl<'a> Lab<'a> {
    async fn new(real: &'a Real) -> Self {
        let home = tempfile::tempdir().expect("a directory");
        let kubeconfig = home.path().join("kubeconfig");
        let text = std::fs::read_to_string(&real.kubeconfig).expect("a kubeconfig");
        std::fs::write(&kubeconfig, text.replace("current-context: test", "current-context: bastion")).expect("a file");
        let options = connect::Options { kubeconfig: Some(kubeconfig.clone()), ..connect::Options::default() };
        let client = connect::connect(options).await.expect("a client").client;
        Self { real, home, kubeconfig, client }
    }

    fn kubectl(&self, words: &[&str]) -> String {
        let output = Command::new("kubectl")
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home.path())
            .env("KUBECONFIG", &self.real.kubeconfig)
            .args(words)
            .output()
            .expect("kubectl runs");
        assert!(output.status.success(), "kubectl {words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn apply(&self, text: &str) {
        let file = self.home.path().join("apply");
        std::fs::write(&file, text).expect("a file");
        self.kubectl(&["apply", "-f", &file.display().to_string()]);
    }

    /// The program, as `bastion` types it.
    async fn typed(&self, words: &[&str]) -> program::Run {
        let mut command = program::warroom(words.iter().copied());
        command.env("KUBECONFIG", &self.kubeconfig).env("XDG_STATE_HOME", self.home.path());
        tokio::task::spawn_blocking(move || program::run(&mut command)).await.expect("it ends")
    }

    /// Watches a workload until it is as wanted.
    async fn until(&self, kind: WorkloadKind, name: &str, wanted: impl Fn(&Snapshot) -> bool) -> Snapshot {
        let mut config = Config::default();
        config.probe.enabled = true;
        let target = WorkloadRef { context: "test".into(), namespace: NAMESPACE.into(), kind, name: name.to_owned() };
        let decoder = Arc::new(check::decoder(&config).expect("dialects"));
        let (_session, mut deliveries) =
            Session::open(self.client.clone(), target.clone(), Clock::Wall, decoder, &config, None);
        let mut seen = snapshot(target, &config);
        let watching = async {
            while !wanted(&seen) {
                seen.observe(deliveries.recv().await.expect("the session goes on"));
                seen.now = At(clock::unix_ms());
            }
        };
        if timeout(SOON, watching).await.is_err() {
            let states: Vec<_> = seen.watches.iter().map(|w| (w.resource, w.state, w.error.clone())).collect();
            let pages: Vec<_> = seen.endpoints.iter().map(|e| (&e.name, e.failing(), e.last_page())).collect();
            unreachable!("it is not as wanted in time: {states:?} {pages:?} {:?}", seen.probes);
        }
        seen
    }

    /// What `bastion` asked for, and what of it was refused.
    fn audited(&self) -> (BTreeSet<Call>, Vec<String>) {
        let path = self.real.kubeconfig.with_file_name("audit.log");
        let (mut calls, mut refused) = (BTreeSet::new(), Vec::new());
        for line in std::io::BufReader::new(std::fs::File::open(path).expect("an audit log")).lines() {
            let event: Value = serde_json::from_str(&line.expect("a line")).expect("JSON");
            let text = |at: &str| event.pointer(at).and_then(Value::as_str).unwrap_or_default().to_owned();
            let resource = text("/objectRef/resource");
            if text("/user/username") != "bastion"
                || resource.is_empty()
                || text("/objectRef/apiGroup") == "authorization.k8s.io"
                // The other way to a page, tried where pods/proxy leads nowhere, is in no Role by default.
                || text("/objectRef/subresource") == "portforward"
            {
                continue;
            }
            if event["responseStatus"]["code"] == 403 {
                refused.push(text("/requestURI"));
            }
            let part = text("/objectRef/subresource");
            calls.insert(Call {
                verb: text("/verb"),
                group: text("/objectRef/apiGroup"),
                resource: if part.is_empty() { resource } else { format!("{resource}/{part}") },
                namespace: Some(text("/objectRef/namespace")).filter(|n| !n.is_empty()),
            });
        }
        (calls, refused)
    }
}

/// An engine with two revisions, one under an autoscaler and one under KEDA's, a StatefulSet, a gateway and exporters.
fn furnish(lab: &Lab<'_>) {
    for namespace in [NAMESPACE, GATEWAYS, GPUS] {
        lab.kubectl(&["create", "namespace", namespace]);
    }
    let setup = crate::sim::setup();
    let of = |kind: &str, name: &str| {
        let mut found = setup.manifests.iter().find(|m| m["kind"] == kind).expect("a manifest").clone();
        found["metadata"]["namespace"] = json!(NAMESPACE);
        found["metadata"]["name"] = json!(name);
        found
    };
    let mut engine = of("Deployment", NAME);
    engine["spec"]["template"]["spec"]["containers"][0]["env"] = json!([
        {"name": "VLLM_LOGGING_LEVEL", "valueFrom": {"configMapKeyRef": {"name": "flags", "key": "level"}}}]);
    let flags = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "flags", "namespace": NAMESPACE},
        "data": {"level": "INFO"}});
    let mut all = vec![flags, engine, of("Service", NAME)];
    for name in ["scaled", "kedas"] {
        let mut deployment = of("Deployment", name);
        let labels = json!({"app": name});
        deployment["spec"]["selector"]["matchLabels"] = labels.clone();
        deployment["spec"]["template"]["metadata"]["labels"] = labels;
        all.push(deployment);
    }
    let mut scaler = of("HorizontalPodAutoscaler", "scaled");
    scaler["spec"]["scaleTargetRef"]["name"] = json!("scaled");
    all.push(scaler);
    let labels = json!({"app": "web"});
    all.push(json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "web", "namespace": NAMESPACE},
        "spec": {"replicas": 1, "serviceName": "web", "selector": {"matchLabels": labels}, "template": {
            "metadata": {"labels": labels}, "spec": {"containers": [{"name": "vllm", "image": "vllm/vllm-openai:v1"}]}}},
    }));
    // Nothing in this namespace leads to it: routes of others are looked for.
    all.push(json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": NAMESPACE},
        "spec": {"selector": labels, "ports": [{"port": 80}]}}));
    let page = |text: &str| json!({"kubelet.test/page": text, "prometheus.io/scrape": "true"});
    let labels = json!({"app.kubernetes.io/name": "envoy"});
    all.push(json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "envoy", "namespace": GATEWAYS},
        "spec": {"selector": {"matchLabels": labels}, "template": {
            "metadata": {"labels": labels, "annotations": page(
                "# TYPE envoy_cluster_membership_healthy gauge\nenvoy_cluster_membership_healthy{envoy_cluster_name=\"a\"} 2\n")},
            "spec": {"containers": [{"name": "envoy", "image": "envoyproxy/envoy:v1.36.2",
                "ports": [{"name": "metrics", "containerPort": 19001}]}]}}},
    }));
    let labels = json!({"app": "nvidia-dcgm-exporter"});
    all.push(json!({
        "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "dcgm-exporter", "namespace": GPUS},
        "spec": {"selector": {"matchLabels": labels}, "template": {
            "metadata": {"labels": labels, "annotations": page(
                "# TYPE DCGM_FI_DEV_SM_CLOCK gauge\nDCGM_FI_DEV_SM_CLOCK{gpu=\"0\",UUID=\"GPU-1\"} 1980\n")},
            "spec": {"containers": [{"name": "exporter", "image": "nvcr.io/nvidia/k8s/dcgm-exporter:4.4.2",
                "ports": [{"name": "metrics", "containerPort": 9400}]}]}}},
    }));
    all.push(json!({
        "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": {"name": "kedas", "namespace": NAMESPACE},
        "spec": {"scaleTargetRef": {"name": "kedas"}, "minReplicaCount": 2, "maxReplicaCount": 5, "triggers": []},
    }));
    all.push(json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": NAME, "namespace": NAMESPACE},
        "spec": {"ingressClassName": "nginx", "defaultBackend": {"service": {"name": NAME, "port": {"number": 80}}}},
    }));
    lab.apply(&json!({"apiVersion": "v1", "kind": "List", "items": all}).to_string());
    let uid = lab.kubectl(&["-n", NAMESPACE, "get", "scaledobject", "kedas", "-o", "jsonpath={.metadata.uid}"]);
    let mut scaler = of("HorizontalPodAutoscaler", "keda-hpa-kedas");
    scaler["spec"]["scaleTargetRef"]["name"] = json!("kedas");
    scaler["metadata"]["ownerReferences"] = json!([{"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject",
        "name": "kedas", "uid": uid, "controller": true}]);
    lab.apply(&scaler.to_string());
    let deployment = format!("deployment/{NAME}");
    lab.kubectl(&["-n", NAMESPACE, "rollout", "status", &deployment, "--timeout=60s"]);
    lab.kubectl(&["-n", NAMESPACE, "set", "env", &deployment, "A=b"]);
    lab.kubectl(&["-n", NAMESPACE, "rollout", "status", &deployment, "--timeout=60s"]);
}

/// Everything that looking and acting can do, done once.
async fn do_everything(lab: &Lab<'_>) {
    let live =
        |s: &Snapshot, resource: &str| s.watches.iter().any(|w| w.resource == resource && w.state == SourceState::Live);
    let seen = lab
        .until(WorkloadKind::Deployment, NAME, |s| {
            let read = |role| s.of_role(role).any(|e| e.last_page().is_some());
            [
                "deployments",
                "replicasets",
                "pods",
                "horizontalpodautoscalers",
                "events",
                "nodes",
                "pods of all namespaces",
            ]
            .into_iter()
            .all(|resource| live(s, resource))
                && [Role::Engine, Role::Gateway, Role::Gpus].into_iter().all(read)
                && s.probes.iter().any(|(_, p)| p.answer.is_ok())
        })
        .await;
    let pod = seen.of_role(Role::Engine).next().expect("an engine").name.clone();
    let whose = Whose { namespace: NAMESPACE.into(), pod, container: None, previous: false };
    let mut lines = follow(lab.client.clone(), whose);
    let said = timeout(SOON, lines.recv()).await.expect("an answer in time").expect("a batch");
    assert!(matches!(said, Batch::Lines(_)), "{said:?}");
    lab.until(WorkloadKind::StatefulSet, "web", |s| live(s, "statefulsets") && live(s, "controllerrevisions")).await;
    for target in [NAME, "sts/web", "nothing-of-this-name"] {
        lab.typed(&["check", "-n", NAMESPACE, target, "--for", "1s"]).await;
    }
    lab.typed(&["check", "-n", NAMESPACE, "--for", "1s"]).await;
    lab.typed(&["discover", "-n", NAMESPACE]).await;
    for words in [
        &["pause", NAME][..],
        &["resume", NAME],
        &["scale", NAME, "--replicas", "3"],
        &["undo", NAME],
        &["restart", "sts/web"],
        &["scale", "sts/web", "--replicas", "2"],
        &["cordon", "gpu-1", "--workload", NAME],
        &["uncordon", "gpu-1", "--workload", NAME],
        &["bounds", "--min", "2", "--max", "4", "scaled"],
        &["pause-scale-in", "kedas"],
    ] {
        let run = lab.typed(&[&["act"][..], words, &["-n", NAMESPACE, "--yes"]].concat()).await;
        assert_eq!(run.code, Some(0), "{words:?}: {run:?}");
    }
}

/// What is printed for a user, without one rule; `None` where no Role has it.
fn without(user: &str, right: &Right) -> Option<Vec<Value>> {
    let mut objects: Vec<Value> = serde_saphyr::from_multiple(&manifest(&wish(user))).expect("YAML");
    let rule = json!({"apiGroups": [right.group], "resources": [right.resource], "verbs": right.verbs});
    let mut found = false;
    for object in &mut objects {
        let place = match object["metadata"]["namespace"].as_str() {
            None => Place::Cluster,
            Some(NAMESPACE) => Place::Namespace,
            Some(_) => Place::Neighbour,
        };
        if let Some(rules) = object["rules"].as_array_mut().filter(|_| place == right.place) {
            let before = rules.len();
            rules.retain(|r| *r != rule);
            found |= rules.len() < before;
        }
    }
    found.then_some(objects)
}

/// Whether the server's authorizer lets a user do that.
async fn allows(admin: &kube::Client, user: &str, call: &Call) -> bool {
    let (resource, part) = call.resource.split_once('/').unwrap_or((&call.resource, ""));
    let review = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": {
        "user": user, "resourceAttributes": {"verb": call.verb, "group": call.group, "resource": resource,
            "subresource": part, "namespace": call.namespace}}});
    let request = http::Request::post("/apis/authorization.k8s.io/v1/subjectaccessreviews")
        .header("content-type", "application/json")
        .body(review.to_string().into_bytes())
        .expect("a request");
    let answer: Value = admin.request(request).await.expect("a review");
    answer["status"]["allowed"] == true
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_printed_roles_are_enough_and_each_rule_is_needed() {
    let test = "the_printed_roles_are_enough_and_each_rule_is_needed";
    let Some(real) = real(test).filter(|_| crate::levers::kubectl_is_here(test)) else { return };
    let lab = Lab::new(real).await;
    furnish(&lab);
    lab.apply(&manifest(&wish("bastion")));
    do_everything(&lab).await;
    let (calls, refused) = lab.audited();
    assert_eq!(refused, Vec::<String>::new(), "the printed Roles are not enough");
    let beyond: Vec<&Call> = calls.iter().filter(|call| !RIGHTS.iter().any(|r| covers(r, call))).collect();
    assert!(beyond.is_empty(), "asked for, and in no rule: {beyond:?}");
    let mut not_asked = BTreeSet::new();
    for right in RIGHTS {
        for verb in right.verbs {
            let only = Right { verbs: std::slice::from_ref(verb), ..*right };
            if !calls.iter().any(|call| covers(&only, call)) {
                not_asked.insert((*verb, right.group, right.resource));
            }
        }
    }
    assert_eq!(not_asked, NOT_ASKED.iter().copied().collect(), "of {calls:?}");
    each_is_needed(&lab, &client_of(&real.kubeconfig).await, &calls).await;
}

/// A user for each rule who has all the others.
async fn each_is_needed(lab: &Lab<'_>, admin: &kube::Client, calls: &BTreeSet<Call>) {
    let users: Vec<(String, &Right)> =
        RIGHTS.iter().enumerate().map(|(n, right)| (format!("bastion-{n}"), right)).collect();
    let (mut all, mut users_without, mut wider) = (Vec::new(), Vec::new(), Vec::new());
    for (user, right) in &users {
        match without(user, right) {
            Some(objects) => {
                all.extend(objects);
                users_without.push((user, right));
            }
            None => wider.push((right.place, right.resource)),
        }
    }
    let once = [
        (Place::Namespace, "services"),
        (Place::Namespace, "httproutes"),
        (Place::Neighbour, "pods"),
        (Place::Neighbour, "services"),
    ];
    assert_eq!(wider, once, "the whole cluster's are granted once");
    lab.apply(&json!({"apiVersion": "v1", "kind": "List", "items": all}).to_string());
    let mut needless = Vec::new();
    for (user, right) in users_without {
        let of = |call: &&Call| covers(right, call);
        // What the whole cluster's grants is not granted a second time in a namespace.
        let same = |call: &&Call| (right.group, right.resource) == (call.group.as_str(), call.resource.as_str());
        // The authorizer follows what is applied within a moment.
        for call in calls.iter().filter(|call| !same(call)) {
            let mut tries = 0;
            while !allows(admin, user, call).await {
                tries += 1;
                assert!(tries < 100, "without {right:?} this fails as well: {call:?}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
        let mut fails = Vec::new();
        for call in calls.iter().filter(of) {
            fails.push(!allows(admin, user, call).await);
        }
        // A call may be allowed in the whole cluster as well, and its neighbour in the rule not.
        if !fails.is_empty() && !fails.contains(&true) {
            needless.push(right);
        }
    }
    assert!(needless.is_empty(), "without these nothing fails: {needless:?}");
}
