//! `warroom rbac`: what it prints is enough for all that it does, nothing in it is unneeded, and of each part it is said
//! truly what is lost without it. The simulated cluster allows no more than the manifest grants.
#![cfg(feature = "sim")]

#[path = "support/monitored.rs"]
mod monitored;
#[allow(dead_code, reason = "each test file uses a part of it")]
#[path = "support/program.rs"]
mod program;
#[allow(dead_code, reason = "each test file uses a part of it")]
#[path = "support/served.rs"]
mod served;
#[path = "support/sim.rs"]
mod sim;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;
use warroom::apiserver::{Client, connect};
use warroom::command::check;
use warroom::command::rbac::{Subject, Wish, manifest};
use warroom::config::Config;
use warroom::domain::rights::{Half, PORT_FORWARD, Place, RIGHTS, Right, reads_pages};
use warroom::domain::{At, Endpoint, Role, Snapshot, SourceState, Via, WorkloadKind, WorkloadRef};
use warroom::runtime::session::{Session, snapshot};
use warroom::sim::rules::{Call, Calls, Rules};
use warroom::sim::serve::{Handle, Options, serve};
use warroom::sim::world::Setup;
use warroom::source::logs::{Batch, Whose, follow};

/// What no simulated cluster has: KEDA's kind, those that own engines (`tests/finding.rs` asks for them) and those in front
/// of some (`tests/kubernetes_source.rs` does), and a
/// controller of `StatefulSets`, without whose word none is changed.
const NOT_SIMULATED: &[(&str, &str)] = &[
    ("get", "scaledobjects"),
    ("patch", "scaledobjects"),
    ("patch", "statefulsets"),
    ("list", "leaderworkersets"),
    ("list", "inferenceservices"),
    ("list", "llminferenceservices"),
    ("list", "rollouts"),
    ("list", "rayservices"),
    ("list", "dynamographdeployments"),
    ("list", "inferencepools"),
    ("get", "configmaps"),
    ("list", "ingresses"),
    ("list", "ingressclasses"),
];
const SOON: Duration = Duration::from_secs(30);
const STATEFUL: &str = "web";

fn wish() -> Wish {
    Wish {
        name: "warroom".to_owned(),
        namespace: sim::NAMESPACE.to_owned(),
        neighbours: vec!["gateway-system".to_owned(), "gpu-operator".to_owned(), monitored::MONITORING.to_owned()],
        subjects: Vec::new(),
        read_only: false,
        probe: true,
        namespaced: false,
    }
}

/// The manifest without one right.
fn without(manifest: &str, right: &Right) -> String {
    let comment = format!("# Without it {}.\n", right.lost);
    let mut left = String::new();
    for (nth, part) in manifest.split(&comment).enumerate() {
        // A rule is three lines.
        left.extend(part.lines().skip(if nth == 0 { 0 } else { 3 }).flat_map(|line| [line, "\n"]));
    }
    // A Role may be left without any rule.
    left.replace("rules:\n---", "rules: []\n---")
}

fn setup() -> Setup {
    let mut setup = sim::rolled_out();
    let labels = json!({"app": STATEFUL});
    setup.manifests.push(json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": STATEFUL, "namespace": sim::NAMESPACE},
        "spec": {"replicas": 0, "serviceName": STATEFUL, "selector": {"matchLabels": labels}, "template": {
            "metadata": {"labels": labels}, "spec": {"containers": [{"name": "vllm", "image": "vllm/vllm-openai:v1"}]}}},
    }));
    setup.manifests.extend(monitored::monitoring("prometheus", "prometheus"));
    setup
}

struct Lab {
    handle: Handle,
    client: Client,
    home: tempfile::TempDir,
}

impl Lab {
    async fn of(setup: Setup, rules: Rules, speed: f64) -> Self {
        let told = monitored::prometheus(24);
        let forwards = vec![monitored::forward("prometheus", &told)];
        let options = Options { speed, rules, forwards, ..Options::default() };
        let handle = serve(setup, |_| sim::engines(0.0), options).await.expect("it opens");
        let home = tempfile::tempdir().expect("a directory");
        let kubeconfig = home.path().join("kubeconfig");
        handle.write_kubeconfig(&kubeconfig).expect("a kubeconfig");
        let options = connect::Options { kubeconfig: Some(kubeconfig), ..connect::Options::default() };
        let client = connect::connect(options).await.expect("a client").client;
        Self { handle, client, home }
    }

    /// One that allows what a manifest grants.
    async fn granting(manifest: &str) -> Self {
        Self::of(setup(), Rules::default().granting("rbac.yaml", manifest).expect("Roles"), 30.0).await
    }

    /// Watches a workload until it is as wanted.
    async fn until(&self, kind: WorkloadKind, name: &str, probe: bool, wanted: impl Fn(&Snapshot) -> bool) -> Snapshot {
        let mut config = Config::default();
        config.probe.enabled = probe;
        let target =
            WorkloadRef { context: "sim".into(), namespace: sim::NAMESPACE.into(), kind, name: name.to_owned() };
        let decoder = Arc::new(check::decoder(&config).expect("dialects"));
        let (_session, mut deliveries) =
            Session::open(self.client.clone(), target.clone(), self.handle.clock, decoder, &config, None);
        let mut seen = snapshot(target, &config);
        let watching = async {
            while !wanted(&seen) {
                seen.observe(deliveries.recv().await.expect("the session goes on"));
                seen.now = At(self.handle.clock.unix_ms());
            }
        };
        if timeout(SOON, watching).await.is_err() {
            let states: Vec<_> = seen.watches.iter().map(|w| (w.resource, w.state, w.error.clone())).collect();
            let pages: Vec<_> = seen.endpoints.iter().map(|e| (&e.name, e.failing(), e.last_page())).collect();
            unreachable!("it is not as wanted in time: {states:?} {pages:?}");
        }
        seen
    }

    async fn log(&self, pod: &str) -> Batch {
        let whose = Whose { namespace: sim::NAMESPACE.into(), pod: pod.into(), container: None, previous: false };
        let mut lines = follow(self.client.clone(), whose);
        timeout(SOON, lines.recv()).await.expect("an answer in time").expect("a batch")
    }

    /// The program, as somebody types it.
    async fn typed(&self, words: &[&str]) -> program::Run {
        let mut command = program::warroom(words.iter().copied());
        command.env("KUBECONFIG", self.home.path().join("kubeconfig")).env("XDG_STATE_HOME", self.home.path());
        tokio::task::spawn_blocking(move || program::run(&mut command)).await.expect("it ends")
    }
}

/// All that there is to see is seen.
fn all_seen(s: &Snapshot) -> bool {
    let live = |resource: &str| s.watches.iter().any(|w| w.resource == resource && w.state == SourceState::Live);
    let read = |role| s.of_role(role).any(|e| e.last_page().is_some());
    let watched = ["deployments", "replicasets", "pods", "horizontalpodautoscalers", "events", "nodes"];
    watched.into_iter().all(live)
        && live("pods of all namespaces")
        && [Role::Engine, Role::Gateway, Role::Gpus].into_iter().all(read)
        && s.told.is_some()
        && s.probes.iter().any(|(_, p)| !p.answer.as_ref().is_err_and(|f| f.to_string().contains("not allowed")))
}

/// Everything that looking can do, done once.
async fn look(lab: &Lab) {
    let seen = lab.until(WorkloadKind::Deployment, sim::NAME, true, all_seen).await;
    let pod = seen.of_role(Role::Engine).next().expect("an engine").name.clone();
    assert!(matches!(lab.log(&pod).await, Batch::Lines(_)), "the log is read");
    let watched = |s: &Snapshot| {
        let live = |resource| s.watches.iter().any(|w| w.resource == resource && w.state == SourceState::Live);
        live("statefulsets") && live("controllerrevisions")
    };
    lab.until(WorkloadKind::StatefulSet, STATEFUL, false, watched).await;
    for target in [sim::NAME, "sts/web", "nothing-of-this-name"] {
        lab.typed(&["check", target, "--for", "1s"]).await;
    }
    lab.typed(&["check", "--for", "1s"]).await;
    lab.typed(&["discover"]).await;
}

/// Everything that acting can do, done once.
async fn act(lab: &Lab) {
    let on = format!("deploy/{}", sim::NAME);
    for words in [
        vec!["act", "pause", &on],
        vec!["act", "resume", &on],
        vec!["act", "scale", &on, "--replicas", "3"],
        vec!["act", "restart", &on],
        vec!["act", "undo", &on],
        vec!["act", "cordon", "gpu-1", "--workload", &on],
        vec!["act", "uncordon", "gpu-1", "--workload", &on],
        vec!["act", "restart", "sts/web"],
        vec!["act", "scale", "sts/web", "--replicas", "1"],
    ] {
        let run = lab.typed(&[&words[..], &["--yes"]].concat()).await;
        assert!(!run.stdout.contains("not allowed") && !run.stderr.contains("not allowed"), "{words:?}: {run:?}");
    }
}

/// Whether a call is covered by a right.
fn covers(right: &Right, call: &Call) -> bool {
    let here = match right.place {
        Place::Namespace => call.namespace.as_deref() == Some(sim::NAMESPACE),
        Place::Neighbour => call.namespace.as_deref().is_some_and(|n| n != sim::NAMESPACE),
        Place::Cluster => call.namespace.is_none(),
    };
    here && right.group == call.group && right.resource == call.resource && right.verbs.contains(&call.verb.as_str())
}

fn nothing_beyond(calls: &Calls, halves: &[Half]) {
    for call in calls {
        let known = RIGHTS.iter().any(|r| halves.contains(&r.half) && covers(r, call));
        assert!(known, "a call that no right covers: {call:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_printed_is_enough_and_nothing_of_it_is_unneeded() {
    let lab = Lab::granting(&manifest(&wish())).await;
    look(&lab).await;
    nothing_beyond(&lab.handle.calls(), &[Half::Observe, Half::Probe]);
    act(&lab).await;
    let mut calls = lab.handle.calls();
    // Whose replicas an autoscaler owns is not scaled underneath it: its bounds are another setup's.
    let scaled = Lab::of(sim::setup(), Rules::default().granting("x", &manifest(&wish())).expect("Roles"), 1.0).await;
    let run =
        scaled.typed(&["act", "bounds", "--min", "2", "--max", "4", &format!("deploy/{}", sim::NAME), "--yes"]).await;
    assert!(!run.stdout.contains("not allowed"), "{run:?}");
    calls.extend(scaled.handle.calls());
    // Without the whole cluster's pods the exporters are looked for where they usually are.
    let narrow = Lab::granting(&manifest(&Wish { namespaced: true, ..wish() })).await;
    let exporter = |s: &Snapshot| s.of_role(Role::Gpus).any(|e| e.last_page().is_some()) && s.told.is_some();
    narrow.until(WorkloadKind::Deployment, sim::NAME, false, exporter).await;
    calls.extend(narrow.handle.calls());
    nothing_beyond(&calls, &[Half::Observe, Half::Probe, Half::Act]);
    let mut unneeded = Vec::new();
    for right in RIGHTS {
        for verb in right.verbs.iter().filter(|v| simulated(right, v)) {
            let only = Right { verbs: std::slice::from_ref(verb), ..*right };
            // Where an answer is lost the object is read again: `tests/cluster_calls.rs` loses some.
            let after_a_loss = right.half == Half::Act && *verb == "get";
            if !after_a_loss && !calls.iter().any(|call| covers(&only, call)) {
                unneeded.push(format!("{verb} {} {:?}", right.resource, right.place));
            }
        }
    }
    assert_eq!(unneeded, Vec::<String>::new(), "of {calls:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_only_looks_needs_only_the_looking_half_and_gets_no_further() {
    let lab = Lab::granting(&manifest(&Wish { read_only: true, ..wish() })).await;
    let unprobed = |s: &Snapshot| {
        s.of_role(Role::Gpus).any(|e| e.last_page().is_some())
            && s.of_role(Role::Gateway).any(|e| e.last_page().is_some())
            && s.of_role(Role::Engine).any(|e| e.last_page().is_some())
    };
    lab.until(WorkloadKind::Deployment, sim::NAME, false, unprobed).await;
    nothing_beyond(&lab.handle.calls(), &[Half::Observe]);
    let run = lab.typed(&["act", "scale", "--replicas", "3", "--yes", &format!("deploy/{}", sim::NAME)]).await;
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stdout.contains("deployments/scale") || run.stderr.contains("deployments/scale"), "{run:?}");
    assert!(!lab.handle.calls().iter().any(|c| c.verb == "patch"), "nothing was changed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_namespaced_role_is_enough_for_all_but_what_nodes_say() {
    let lab = Lab::granting(&manifest(&Wish { namespaced: true, ..wish() })).await;
    let rest = |s: &Snapshot| {
        let state = |resource| s.watches.iter().find(|w| w.resource == resource).map(|w| w.state);
        let live = ["deployments", "replicasets", "pods", "horizontalpodautoscalers", "events"];
        live.into_iter().all(|r| state(r) == Some(SourceState::Live))
            && state("nodes") == Some(SourceState::Denied)
            && s.of_role(Role::Engine).any(|e| e.last_page().is_some())
            && s.cluster.as_ref().is_some_and(|(_, f)| f.pods.iter().any(|p| p.ready))
    };
    lab.until(WorkloadKind::Deployment, sim::NAME, false, rest).await;
}

/// Whether a simulated cluster leads to that call. Its route stands in the engine's namespace, so that those of others are
/// not looked for; `tests/kubernetes_source.rs` does.
fn simulated(right: &Right, verb: &str) -> bool {
    (right.place, right.resource) != (Place::Cluster, "httproutes") && !NOT_SIMULATED.contains(&(verb, right.resource))
}

/// Whether what a right says to be lost is lost.
fn is_lost(right: &Right, s: &Snapshot) -> bool {
    let denied = |resource: &str| s.watches.iter().any(|w| w.resource == resource && w.state == SourceState::Denied);
    let unread = |role: Role| {
        let denied = |e: &Endpoint| e.failing().is_some_and(|f| f.to_string().contains("pods/proxy"));
        s.of_role(role).any(|e| e.last_page().is_none() && denied(e))
    };
    let untold =
        |says: &str| s.untold.as_ref().is_some_and(|(_, u)| u.state == SourceState::Denied && u.why.contains(says));
    match (right.place, right.half, right.resource) {
        (Place::Namespace, Half::Probe, _) => {
            s.probes.iter().any(|(_, p)| p.answer.as_ref().is_err_and(|f| f.to_string().contains("pods/proxy")))
        }
        (Place::Namespace, _, "pods/proxy") => unread(Role::Engine),
        (Place::Neighbour, _, "pods/proxy") => unread(Role::Gateway) || unread(Role::Gpus),
        (Place::Neighbour, _, resource @ "services/proxy") => untold(resource),
        (Place::Neighbour | Place::Cluster, _, "services") => untold("Services may not be listed in all namespaces"),
        // One of several steps of one way.
        (Place::Namespace, _, resource @ ("services" | "httproutes")) => s.watches.iter().any(|w| {
            let named = w.error.as_ref().is_some_and(|e| e.contains(&format!("allow 'list' on '{resource}'")));
            w.resource == "routes to gateways" && w.state == SourceState::Denied && named
        }),
        (Place::Cluster, _, "pods") => denied("pods of all namespaces"),
        (_, _, resource) => denied(resource),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_any_one_of_them_what_it_says_is_lost_is_lost_and_named() {
    let (wide, narrow) = (manifest(&wish()), manifest(&Wish { namespaced: true, ..wish() }));
    let told_elsewhere = |r: &Right| {
        // Logs and levers are not watched, the pods beside are also found through the whole cluster's, and of a
        // StatefulSet the same code is asked.
        r.half == Half::Act
            || r.resource == "pods/log"
            || (r.place, r.resource) == (Place::Neighbour, "pods")
            || matches!(r.resource, "statefulsets" | "controllerrevisions")
            || !["list", "get"].iter().all(|verb| simulated(r, verb))
    };
    for right in RIGHTS.iter().filter(|r| !told_elsewhere(r)) {
        // What the whole cluster's grants is granted in a namespace only where there is no ClusterRole.
        let all = if without(&wide, right) == wide.replace("rules:\n---", "rules: []\n---") { &narrow } else { &wide };
        let lab = Lab::granting(&without(all, right)).await;
        lab.until(WorkloadKind::Deployment, sim::NAME, right.half == Half::Probe, |s| is_lost(right, s)).await;
    }
    let log = RIGHTS.iter().find(|r| r.resource == "pods/log").expect("it is there");
    let lab = Lab::granting(&without(&wide, log)).await;
    let seen =
        lab.until(WorkloadKind::Deployment, sim::NAME, false, |s| s.of_role(Role::Engine).next().is_some()).await;
    let pod = seen.of_role(Role::Engine).next().expect("an engine").name.clone();
    let said = lab.log(&pod).await;
    assert!(matches!(&said, Batch::Failed(why) if why.contains("allow 'get' on 'pods/log'")), "{said:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_forward_stands_in_for_pods_proxy_where_its_rule_is_taken_instead() {
    let all = manifest(&Wish { read_only: true, ..wish() });
    let proxies: Vec<&Right> = RIGHTS.iter().filter(|r| reads_pages(r)).collect();
    let without = proxies.into_iter().fold(all.clone(), |text, right| without(&text, right));
    assert!(!without.contains("\n  resources: [\"pods/proxy\"]"), "{without}");
    // As an operator does: what stands there as a comment.
    let instead = without.replace("# - apiGroups", "- apiGroups").replace("#   ", "  ");
    let roles = instead.matches("kind: Role\n").count();
    assert_eq!(instead.matches("\n  resources: [\"pods/portforward\"]").count(), roles, "{instead}");
    let lab = Lab::granting(&instead).await;
    let read = |s: &Snapshot| {
        [Role::Engine, Role::Gateway, Role::Gpus].into_iter().all(|role| {
            let by_forward = |e: &Endpoint| e.reached.as_ref().is_some_and(|r| r.via == Some(Via::PortForward));
            s.of_role(role).any(|e| e.last_page().is_some() && by_forward(e))
        })
    };
    lab.until(WorkloadKind::Deployment, sim::NAME, false, read).await;
    let unknown = |call: &&Call| {
        !RIGHTS.iter().any(|r| r.half == Half::Observe && covers(r, call)) && call.resource != PORT_FORWARD.resource
    };
    let calls = lab.handle.calls();
    assert_eq!(calls.iter().filter(unknown).collect::<Vec<_>>(), Vec::<&Call>::new());
}

fn rbac(words: &[&str]) -> program::Run {
    program::run(&mut program::warroom(["rbac"].iter().chain(words).copied()))
}

#[test]
fn the_manifest_is_bound_to_whom_it_is_asked_for_and_strange_names_stay_strings() {
    let run =
        rbac(&["-n", "llm", "--group", "y", "--user", "anna: {x}", "--serviceaccount", "ops:bastion", "--namespaced"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let objects: Vec<Value> = serde_saphyr::from_multiple(&run.stdout).expect("YAML");
    let kinds: Vec<&str> = objects.iter().map(|o| o["kind"].as_str().expect("a kind")).collect();
    assert_eq!(kinds, ["Role", "RoleBinding"], "nothing outside of the namespace");
    assert!(objects.iter().all(|o| o["metadata"]["namespace"] == "llm"));
    let subjects = objects[1]["subjects"].as_array().expect("subjects");
    let names: Vec<&str> = subjects.iter().map(|s| s["name"].as_str().expect("a string")).collect();
    assert_eq!(names, ["anna: {x}", "y", "bastion"]);
    assert_eq!(subjects[2]["namespace"], "ops");
    let roles = rbac(&["-n", "llm"]).stdout;
    assert!(roles.contains("kind: \"ClusterRole\"") || roles.contains("kind: ClusterRole"), "{roles}");
    assert!(!roles.contains("Binding"), "nobody is named, and nobody is bound");
    assert!(!roles.contains("nodes/proxy") && !roles.contains('*'), "{roles}");
    for (words, says) in [
        (["-n", "Llm!"], "no namespace"),
        (["--serviceaccount", "bastion"], "NAMESPACE:NAME"),
        (["--group", "a\u{1b}[2J"], "no name"),
    ] {
        let run = rbac(&words);
        assert_eq!(run.code, Some(2));
        assert!(run.stderr.contains(says) && !run.stderr.contains('\u{1b}'), "{}", run.stderr);
    }
}

#[test]
fn the_looking_half_grants_nothing_but_looking() {
    let run = rbac(&["-n", "llm", "--read-only", "--neighbour", "gpu-operator", "--neighbour", "llm"]);
    let objects: Vec<Value> = serde_saphyr::from_multiple(&run.stdout).expect("YAML");
    let verbs: BTreeSet<String> = objects
        .iter()
        .flat_map(|o| o["rules"].as_array().cloned().unwrap_or_default())
        .flat_map(|r| r["verbs"].as_array().cloned().unwrap_or_default())
        .map(|v| v.as_str().expect("a verb").to_owned())
        .collect();
    assert_eq!(verbs, ["get", "list", "watch"].map(str::to_owned).into());
    let places: Vec<&Value> = objects.iter().map(|o| &o["metadata"]["namespace"]).collect();
    assert_eq!(places, [&json!("llm"), &json!("gpu-operator"), &Value::Null]);
}

#[test]
fn a_simulated_cluster_takes_its_rules_from_a_file_and_says_what_is_wrong_with_it() {
    let home = tempfile::tempdir().expect("a directory");
    let file = |name: &str, text: &str| -> PathBuf {
        let path = home.path().join(name);
        fs::write(&path, text).expect("a file");
        path
    };
    let none = home.path().join("none.yaml");
    for (path, says) in [
        (none, "--allow-only takes a file"),
        (file("empty.yaml", ""), "holds no Role"),
        (file("list.yaml", "- a\n- b\n"), "cannot be read as Roles"),
        (file("role.yaml", "kind: Role\nmetadata: {}\nrules: [{verbs: [get]}]\n"), "without a namespace"),
    ] {
        let mut command = program::warroom(["sim", "--allow-only"]);
        let run = program::run(command.arg(&path));
        assert_eq!(run.code, Some(2), "{path:?}: {}", run.stderr);
        assert!(run.stderr.contains(says), "{path:?}: {}", run.stderr);
    }
    let subject = Subject::Group("sre".to_owned());
    let text = manifest(&Wish { subjects: vec![subject], ..wish() });
    let rules = Rules::default().granting("x", &text).expect("what is printed can be read back");
    let call = |verb: &str, namespace: Option<&str>| Call {
        verb: verb.to_owned(),
        group: String::new(),
        resource: "pods/proxy".to_owned(),
        namespace: namespace.map(str::to_owned),
    };
    assert!(rules.allow(&call("get", Some("gpu-operator"))) && rules.allow(&call("create", Some(sim::NAMESPACE))));
    assert!(!rules.allow(&call("get", Some("kube-system"))) && !rules.allow(&call("create", Some("gpu-operator"))));
    assert!(!rules.allow(&call("get", None)));
}
