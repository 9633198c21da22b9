//! Finding what serves models, and who must be asked to change it. Over HTTP against an API server under the test's control.

#[allow(dead_code, reason = "each test file uses a part of it")]
#[path = "support/cluster.rs"]
mod cluster;
#[allow(dead_code, reason = "each test file uses a part of it")]
#[path = "support/founding.rs"]
mod founding;
#[allow(dead_code, reason = "each test file uses a part of it")]
#[path = "support/program.rs"]
mod program;

use std::fs;
use std::time::Duration;

use cluster::{Cluster, Fault};
use founding::Founding;
use serde_json::{Value, json};
use warroom::action::{Action, Context, Refusal, plan};
use warroom::domain::kinds::OWNERS;
use warroom::domain::{Discovery, Trouble};
use warroom::source::kubernetes::{Place, Where, discover};

fn workload(name: &str, image: &str, args: &[&str], status: &Value) -> Value {
    json!({
        "metadata": {"name": name, "namespace": "llm"},
        "spec": {"replicas": 2, "template": {"metadata": {}, "spec": {"containers": [{"name": "c", "image": image, "args": args}]}}},
        "status": status,
    })
}

fn whole() -> Value {
    json!({"readyReplicas": 2, "updatedReplicas": 2})
}

fn page(items: &[Value], go_on: &str) -> Fault {
    Fault::Answer(200, json!({"kind": "List", "metadata": {"continue": go_on}, "items": items}).to_string())
}

fn groups(names: &[&str]) -> Fault {
    let groups: Vec<Value> = names.iter().map(|n| json!({"name": n})).collect();
    Fault::Answer(200, json!({"kind": "APIGroupList", "groups": groups}).to_string())
}

async fn look(cluster: &Cluster, at: Where<'_>) -> Discovery {
    let client = cluster.client();
    let place = Place { client: &client, context: "test", namespace: "llm", deadline: Duration::from_secs(5) };
    discover(&place, at).await.expect("something could be looked at")
}

const HERE: Where<'_> = Where { everywhere: false, labels: None };

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn engines_are_found_by_what_they_declare_page_by_page_and_the_worst_comes_first() {
    let cluster = Cluster::start().await;
    let mut labelled = workload("predictor", "registry/own:1", &[], &whole());
    labelled["spec"]["template"]["metadata"]["labels"] = json!({"serving.kserve.io/inferenceservice": "llama"});
    labelled["metadata"]["ownerReferences"] =
        json!([{"kind": "InferenceService", "name": "llama", "controller": true}]);
    let stuck =
        json!({"readyReplicas": 2, "updatedReplicas": 1, "conditions": [{"type": "Progressing", "status": "False"}]});
    let served = ["vllm", "serve", "meta/llama", "--served-model-name=llama-3-70b"];
    cluster.fault("deployments?limit=500&continue=two", page(&[workload("down", "x/sglang:1", &[], &json!({}))], ""));
    let first = [
        workload("redis", "redis:7", &[], &whole()),
        workload("fine", "own:1", &served, &whole()),
        labelled,
        workload("stuck", "vllm/vllm-openai:v1", &["--model", "qwen"], &stuck),
    ];
    cluster.fault("deployments?limit=500", page(&first, "two"));
    cluster.fault(
        "statefulsets?limit=500",
        page(&[workload("half", "ghcr.io/lmdeploy:1", &[], &json!({"readyReplicas": 1}))], ""),
    );
    cluster.fault("/apis", groups(&["apps", "batch"]));
    let all = look(&cluster, HERE).await;
    let names: Vec<&str> = all.found.iter().map(|f| f.name.as_str()).collect();
    assert_eq!(names, ["deploy/down", "deploy/stuck", "sts/half", "deploy/fine", "deploy/predictor"]);
    assert_eq!(all.found[0].troubles, [Trouble::NothingReady]);
    assert_eq!(all.found[1].troubles, [Trouble::RolloutStuck]);
    assert_eq!(all.found[3].model.as_deref(), Some("llama-3-70b"), "as clients name it");
    assert_eq!(all.found[3].evidence, ["args vllm"]);
    assert_eq!(all.found[4].owner.as_deref(), Some("InferenceService/llama"));
    assert!(all.unseen.is_empty(), "{:?}", all.unseen);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kinds_that_own_engines_are_asked_for_only_where_the_cluster_has_them() {
    let cluster = Cluster::start().await;
    cluster.fault("/deployments?", page(&[], ""));
    cluster.fault("/statefulsets?", page(&[], ""));
    let container = json!({"containers": [{"name": "c", "image": "vllm/vllm-openai:v1", "args": ["--model", "qwen"]}]});
    let of = |name: &str, image: &str| {
        let mut pod = container.clone();
        pod["containers"][0]["image"] = json!(image);
        pod["containers"][0]["args"] = json!([]);
        json!({"metadata": {"name": name, "namespace": "llm"},
               "spec": {"replicas": 3, "template": {"spec": pod}}, "status": {"readyReplicas": 3, "updatedReplicas": 3}})
    };
    cluster.fault("/rollouts?", page(&[of("web", "nginx:1"), of("canary", "vllm/vllm-openai:v1")], ""));
    let lws = json!({"metadata": {"name": "deepseek", "namespace": "llm"},
        "spec": {"replicas": 1, "leaderWorkerTemplate": {"size": 2, "workerTemplate": {"spec": container}}},
        "status": {"readyReplicas": 0}});
    cluster.fault("/leaderworkersets?", page(&[lws], ""));
    cluster.fault("/llminferenceservices?", Fault::Denied);
    cluster.fault("/inferenceservices?", Fault::Answer(404, json!({"kind": "Status", "message": "no"}).to_string()));
    cluster.fault("/apis", groups(&["argoproj.io", "leaderworkerset.x-k8s.io", "serving.kserve.io"]));
    let all = look(&cluster, HERE).await;
    let names: Vec<&str> = all.found.iter().map(|f| f.name.as_str()).collect();
    assert_eq!(names, ["lws/deepseek", "rollout/canary"], "a web server is no engine");
    assert!(all.found.iter().all(|f| f.target.is_none()));
    assert_eq!(all.found[0].model.as_deref(), Some("qwen"));
    assert_eq!(all.unseen.len(), 1, "{:?}", all.unseen);
    assert!(all.unseen[0].contains("llminferenceservices: not allowed") && all.unseen[0].contains("allow 'list'"));
    assert_eq!(
        cluster.count("rayservices") + cluster.count("dynamographdeployments"),
        0,
        "the cluster has no such group"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_not_be_read_is_said_and_only_nothing_at_all_is_a_failure() {
    let cluster = Cluster::start().await;
    cluster.fault("/deployments?", Fault::Denied);
    cluster.fault("/statefulsets?", page(&[], ""));
    cluster.fault("/apis", Fault::Hang);
    let client = cluster.client();
    let place = Place { client: &client, context: "test", namespace: "llm", deadline: Duration::from_millis(500) };
    let all = discover(&place, HERE).await.expect("one list could be read");
    assert_eq!(all.unseen.len(), 2, "{:?}", all.unseen);
    cluster.heal();
    cluster.fault("/", Fault::Denied);
    let trouble = discover(&place, HERE).await.expect_err("nothing could be read");
    assert!(trouble.to_string().contains("not allowed"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn discover_prints_a_table_and_the_contract_from_all_namespaces_by_labels() {
    let cluster = Cluster::start().await;
    let mut hostile = workload("a\u{1b}[2Jb", "vllm:1", &[], &whole());
    hostile["metadata"]["namespace"] = json!("team-a");
    cluster.fault("/apis/apps/v1/deployments?labelSelector=team%3Da&limit", page(&[hostile], ""));
    cluster.fault("/apis/apps/v1/statefulsets?labelSelector=team%3Da&limit", page(&[], ""));
    cluster.fault("/apis", groups(&[]));
    let home = tempfile::tempdir().expect("a directory");
    let kubeconfig = home.path().join("kubeconfig");
    fs::write(&kubeconfig, cluster.kubeconfig("llm")).expect("a kubeconfig");
    let typed = |more: &[&str]| {
        let mut command = program::warroom(["discover", "-A", "-l", "team=a"].iter().chain(more).copied());
        command.env("KUBECONFIG", &kubeconfig);
        command
    };
    let run = |mut command| tokio::task::spawn_blocking(move || program::run(&mut command));
    let said = run(typed(&["-o", "json"])).await.expect("it ends");
    let json: Value = serde_json::from_str(&said.stdout).expect(&said.stderr);
    let schema: Value = serde_json::from_str(include_str!("../assets/schema/discover-1.json")).expect("JSON");
    let wrong: Vec<String> =
        jsonschema::validator_for(&schema).expect("a schema").iter_errors(&json).map(|e| e.to_string()).collect();
    assert_eq!(wrong, Vec::<String>::new());
    assert_eq!((&json["found"][0]["namespace"], &json["namespace"]), (&json!("team-a"), &Value::Null));
    let said = run(typed(&[])).await.expect("it ends");
    assert!(said.stdout.starts_with("NAMESPACE") && said.stdout.contains("team-a") && said.stdout.contains("2/2"));
    assert!(!said.stdout.contains('\u{1b}'), "{}", said.stdout);
}

fn owned(by: &str, action: &Action) -> Refusal {
    let mut world = Founding::default();
    world.workload["metadata"]["ownerReferences"] = json!([{"kind": by, "name": "llama", "controller": true}]);
    plan(&world.snapshot(), action, &Context::default()).expect_err("its owner would put it back")
}

#[test]
fn what_an_owner_would_put_back_is_refused_with_the_way_that_works() {
    for owner in OWNERS {
        let scale = owned(owner.kind, &Action::Scale { to: 5 }).to_string();
        assert!(scale.contains(&format!("{}/llama owns it", owner.kind)), "{scale}");
        assert!(!scale.contains("{}"), "{scale}");
        let undo = owned(owner.kind, &Action::RolloutUndo { to: None }).to_string();
        assert!(undo.contains("change it there"), "{undo}");
    }
    let scale = owned("Rollout", &Action::Scale { to: 5 }).to_string();
    assert!(scale.contains("scale rollout/llama --replicas=5") && scale.contains("--context"), "{scale}");
    let scale = owned("InferenceService", &Action::Scale { to: 5 }).to_string();
    assert!(scale.contains("\"minReplicas\":5"), "{scale}");
    let undo = owned("Rollout", &Action::RolloutUndo { to: None }).to_string();
    assert!(undo.contains("kubectl argo rollouts undo llama --context"), "a plugin's flags stand behind it: {undo}");
    let unknown = owned("Bespoke", &Action::RolloutRestart).to_string();
    assert!(unknown.contains("Bespoke/llama owns it") && unknown.contains("get bespoke/llama"), "{unknown}");
}
