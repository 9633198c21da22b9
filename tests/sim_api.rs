//! The simulated cluster's API, asked by the ordinary `kube` client and by plain HTTP.

#[path = "support/sim.rs"]
mod sim;

use std::path::PathBuf;
use std::time::Duration;

use futures::{SinkExt as _, StreamExt, TryStreamExt};
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::authorization::v1::SelfSubjectAccessReview;
use k8s_openapi::api::core::v1::{Event, Node, Pod};
use kube::api::{Api, DeleteParams, ListParams, LogParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use kube::discovery::Discovery;
use kube::{Client, Config};
use serde_json::{Value, json};
use sim::{NAME, NAMESPACE, OPENS, engines, setup};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};
use warroom::domain::At;
use warroom::sim::rules::Rules;
use warroom::sim::serve::{Handle, Options, serve};
use warroom::sim::world::{Act, Setup};
use warroom::source::pages::Recording;

async fn open(setup: Setup, denied: &[(&str, &str)]) -> (Handle, Client) {
    let denied = denied.iter().map(|(v, r)| ((*v).to_owned(), (*r).to_owned())).collect();
    let options = Options { opens_ms: Some(OPENS), rules: Rules::but(denied), ..Options::default() };
    let handle = serve(setup, |_| engines(0.0), options).await.expect("it opens");
    let client = client(&handle);
    (handle, client)
}

/// The ordinary client. Its token is in the path, as in the kubeconfig.
fn client(handle: &Handle) -> Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut config = Config::new(format!("{}/{}", handle.url, handle.token).parse().expect("a URL"));
    NAMESPACE.clone_into(&mut config.default_namespace);
    config.default_retry = false;
    Client::try_from(config).expect("a client")
}

fn namespaced<K>(client: &Client) -> Api<K>
where
    K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope>,
    K::DynamicType: Default,
{
    Api::namespaced(client.clone(), NAMESPACE)
}

fn refused<T: std::fmt::Debug>(outcome: Result<T, kube::Error>) -> (u16, String, String) {
    let error = outcome.expect_err("a refusal");
    let kube::Error::Api(status) = error else { unreachable!("no refusal of the API: {error}") };
    (status.code, status.reason.clone(), status.message.clone())
}

/// GET by plain HTTP with a header: status and body.
async fn get(handle: &Handle, path: &str, accept: &str, token: &str) -> (u16, String) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let answer = reqwest::Client::new()
        .get(format!("{}{path}", handle.url))
        .header("Accept", accept)
        .header("Authorization", format!("Bearer {token}"))
        .send()
        .await
        .expect("an answer");
    (answer.status().as_u16(), answer.text().await.expect("a body"))
}

fn patch(value: Value) -> Patch<Value> {
    Patch::Json(serde_json::from_value(value).expect("a JSON patch"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_token_nothing_is_answered() {
    let (handle, _client) = open(setup(), &[]).await;
    for (path, token) in [("/version", ""), ("/api/v1/nodes", "wrong"), ("/wrong/api/v1/nodes", ""), ("/sim/clock", "")]
    {
        let (code, body) = get(&handle, path, "application/json", token).await;
        assert_eq!(code, 401, "{path}");
        assert!(!body.contains(&handle.token));
    }
    let (code, body) = get(&handle, "/sim/clock", "application/json", &handle.token).await;
    let clock: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!((code, &clock["scenario"], &clock["seed"]), (200, &json!("trial"), &json!(1)));
    assert!((OPENS..OPENS + 60_000).contains(&clock["now_ms"].as_i64().expect("a time")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_found_by_discovery_in_both_its_forms() {
    let (_handle, client) = open(setup(), &[]).await;
    let legacy = Discovery::new(client.clone()).run().await.expect("discovery");
    let aggregated = Discovery::new(client).run_aggregated().await.expect("discovery");
    let found = |discovery: &Discovery| {
        let mut all: Vec<String> = discovery
            .groups()
            .flat_map(kube::discovery::ApiGroup::recommended_resources)
            .map(|(resource, _)| format!("{}/{}/{}", resource.group, resource.version, resource.kind))
            .collect();
        all.sort();
        all
    };
    assert_eq!(found(&legacy), found(&aggregated));
    for wanted in
        ["/v1/Pod", "apps/v1/Deployment", "autoscaling/v2/HorizontalPodAutoscaler", "discovery.k8s.io/v1/EndpointSlice"]
    {
        assert!(found(&legacy).iter().any(|f| f == wanted), "{wanted}");
    }
    let deployments = kube::discovery::ApiResource::erase::<Deployment>(&());
    let (_, has) =
        aggregated.resolve_gvk(&kube::core::GroupVersionKind::gvk("apps", "v1", &deployments.kind)).expect("it");
    assert!(has.subresources.iter().any(|(resource, _)| resource.plural.contains("scale")), "{has:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_in_pieces_is_the_list_as_it_was_at_its_first_piece() {
    let (_handle, client) = open(setup(), &[]).await;
    let pods: Api<Pod> = Api::all(client.clone());
    let names =
        |list: &kube::core::ObjectList<Pod>| list.items.iter().map(kube::ResourceExt::name_any).collect::<Vec<_>>();
    let engines: Api<Pod> = namespaced(&client);
    let ours = engines.list(&ListParams::default().labels("app=vllm-runtime").fields("status.phase=Running")).await;
    assert_eq!(ours.expect("a list").items.len(), 2);
    let (code, reason, message) = refused(engines.list(&ListParams::default().fields("spec.colour=red")).await);
    assert_eq!(
        (code, reason.as_str(), message.as_str()),
        (400, "BadRequest", "field label not supported: spec.colour")
    );
    let whole = pods.list(&ListParams::default()).await.expect("a list");
    let mut parts = ListParams::default().limit(2);
    let mut seen = Vec::new();
    loop {
        let page = pods.list(&parts).await.expect("a page");
        seen.extend(names(&page));
        let Some(token) = page.metadata.continue_.filter(|t| !t.is_empty()) else { break };
        // What happens meanwhile is not in this list.
        let doomed = whole.items.last().expect("pods");
        let space = doomed.metadata.namespace.clone().expect("a namespace");
        let _ = Api::<Pod>::namespaced(client.clone(), &space)
            .delete(&kube::ResourceExt::name_any(doomed), &DeleteParams::default().grace_period(0))
            .await;
        parts = ListParams::default().limit(2).continue_token(&token);
    }
    assert_eq!(seen, names(&whole));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_tells_what_happens_after_a_version_and_says_when_that_is_forgotten() {
    let (handle, client) = open(setup(), &[]).await;
    let pods: Api<Pod> = namespaced(&client);
    let list = pods.list(&ListParams::default()).await.expect("a list");
    let version = list.metadata.resource_version.expect("a version");
    let mut watch = pods.watch(&WatchParams::default().timeout(20), &version).await.expect("a watch").boxed();
    let doomed = kube::ResourceExt::name_any(&list.items[0]);
    pods.delete(&doomed, &DeleteParams::default()).await.expect("deleted");
    handle.skip(10.0);
    let (mut added, mut gone) = (0, false);
    while let Ok(Some(event)) = watch.try_next().await {
        match event {
            WatchEvent::Added(_) => added += 1,
            WatchEvent::Deleted(pod) => gone |= kube::ResourceExt::name_any(&pod) == doomed,
            _ => {}
        }
        if gone && added > 0 {
            break;
        }
    }
    assert!(gone && added == 1, "one goes, and one comes for it");
    handle.skip(1200.0);
    let mut old = pods.watch(&WatchParams::default().timeout(20), "2").await.expect("a watch").boxed();
    match old.try_next().await.expect("an event") {
        Some(WatchEvent::Error(status)) => assert_eq!((status.code, status.reason.as_str()), (410, "Expired")),
        other => unreachable!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_ends_when_it_was_asked_to() {
    let (_handle, client) = open(setup(), &[]).await;
    let nodes: Api<Node> = Api::all(client);
    let list = nodes.list(&ListParams::default()).await.expect("a list");
    let version = list.metadata.resource_version.expect("a version");
    let watch = nodes.watch(&WatchParams::default().timeout(1), &version).await.expect("a watch").boxed();
    let all = tokio::time::timeout(Duration::from_secs(10), watch.count()).await.expect("it ends");
    assert_eq!(all, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_test_is_invalid_and_a_dry_run_keeps_nothing() {
    let (_handle, client) = open(setup(), &[]).await;
    let deployments: Api<Deployment> = namespaced(&client);
    let before = deployments.get(NAME).await.expect("it");
    let generation = before.metadata.generation.expect("a generation");
    let wrong = patch(json!([{"op": "test", "path": "/metadata/uid", "value": "another"},
                             {"op": "replace", "path": "/spec/replicas", "value": 5}]));
    let (code, reason, message) = refused(deployments.patch(NAME, &PatchParams::default(), &wrong).await);
    assert_eq!((code, reason.as_str()), (422, "Invalid"));
    assert_eq!(message, "the server rejected our request due to an error in our request");
    let right = patch(json!([{"op": "test", "path": "/metadata/uid", "value": before.metadata.uid},
                             {"op": "replace", "path": "/spec/replicas", "value": 3}]));
    let dry = PatchParams { dry_run: true, ..PatchParams::default() };
    let preview = deployments.patch(NAME, &dry, &right).await.expect("a preview");
    assert_eq!((preview.spec.replicas, preview.metadata.generation), (Some(3), Some(generation + 1)));
    let still = deployments.get(NAME).await.expect("it");
    assert_eq!((still.metadata.generation, still.spec.replicas), (Some(generation), Some(2)));
    let kept = deployments.patch(NAME, &PatchParams::default(), &right).await.expect("a change");
    assert_eq!(kept.metadata.generation, Some(generation + 1));
    let (code, reason, message) = refused(deployments.replace(NAME, &PostParams::default(), &still).await);
    assert_eq!((code, reason.as_str()), (409, "Conflict"));
    assert!(message.starts_with(
        "Operation cannot be fulfilled on deployments.apps \"vllm-runtime\": the object has been modified"
    ));
    let unknown = Patch::Merge(json!({"spec": {"replica": 3}}));
    let (code, _, message) = refused(
        deployments
            .patch(
                NAME,
                &PatchParams {
                    field_validation: Some(kube::api::ValidationDirective::Strict),
                    ..PatchParams::default()
                },
                &unknown,
            )
            .await,
    );
    assert!(code == 422 && message.ends_with("strict decoding error: unknown field \"spec.replica\""), "{message}");
    let (code, reason, message) = refused(deployments.get("nobody").await);
    assert_eq!((code, reason.as_str(), message.as_str()), (404, "NotFound", "deployments.apps \"nobody\" not found"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scale_is_a_part_with_the_identity_of_the_whole() {
    let (handle, client) = open(setup(), &[]).await;
    let deployments: Api<Deployment> = namespaced(&client);
    let whole = deployments.get(NAME).await.expect("it");
    let scale = deployments.get_scale(NAME).await.expect("its scale");
    assert_eq!(scale.metadata.uid, whole.metadata.uid);
    assert_eq!(scale.status.and_then(|s| s.selector).as_deref(), Some("app=vllm-runtime"));
    let wanted = patch(json!([{"op": "test", "path": "/spec/replicas", "value": 2},
                              {"op": "replace", "path": "/spec/replicas", "value": 3}]));
    let scaled = deployments.patch_scale(NAME, &PatchParams::default(), &wanted).await.expect("scaled");
    assert_eq!(scaled.spec.and_then(|s| s.replicas), Some(3));
    let (code, reason, _) = refused(deployments.patch_scale(NAME, &PatchParams::default(), &wanted).await);
    assert_eq!((code, reason.as_str()), (422, "Invalid"), "it is three by now");
    handle.skip(3.0);
    let events: Api<Event> = namespaced(&client);
    let told =
        events.list(&ListParams::default().fields("involvedObject.kind=Deployment,reason=ScalingReplicaSet")).await;
    let messages: Vec<String> = told.expect("events").items.into_iter().filter_map(|e| e.message).collect();
    assert!(
        messages.iter().any(|m| m.starts_with("Scaled up replica set vllm-runtime-") && m.ends_with(" from 2 to 3")),
        "{messages:?}"
    );
    let pods: Api<Pod> = namespaced(&client);
    assert_eq!(pods.list(&ListParams::default()).await.expect("pods").items.len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_strategic_patch_knows_containers_by_name_and_makes_a_revision() {
    let (handle, client) = open(setup(), &[]).await;
    let deployments: Api<Deployment> = namespaced(&client);
    let env = Patch::Strategic(json!({"spec": {"template": {"spec": {"containers": [
        {"name": "vllm", "env": [{"name": "VLLM_LOGGING_LEVEL", "value": "DEBUG"}]}]}}}}));
    let changed = deployments.patch(NAME, &PatchParams::apply("trial"), &env).await.expect("changed");
    let template = changed.spec.template.spec.expect("a template");
    assert_eq!(template.containers[0].image.as_deref(), Some("vllm/vllm-openai:v0.32.0"), "the rest stays");
    handle.skip(3.0);
    let sets: Api<ReplicaSet> = namespaced(&client);
    let mut revisions: Vec<String> = sets
        .list(&ListParams::default())
        .await
        .expect("sets")
        .items
        .iter()
        .filter_map(|s| s.metadata.annotations.as_ref()?.get("deployment.kubernetes.io/revision").cloned())
        .collect();
    revisions.sort();
    assert_eq!(revisions, ["40", "41", "42"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_come_as_tables_with_the_columns_of_kubectl() {
    let (handle, _client) = open(setup(), &[]).await;
    let accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
    let columns = async |path: &str| {
        let (code, body) = get(&handle, path, accept, &handle.token).await;
        assert_eq!(code, 200, "{body}");
        let table: Value = serde_json::from_str(&body).expect("JSON");
        let names: Vec<String> = table["columnDefinitions"]
            .as_array()
            .expect("columns")
            .iter()
            .filter(|c| c["priority"] == 0)
            .filter_map(|c| c["name"].as_str().map(str::to_owned))
            .collect();
        (names.join(" "), table["rows"][0].clone())
    };
    let (names, row) = columns("/api/v1/namespaces/llm-serving/pods").await;
    assert_eq!(names, "Name Ready Status Restarts Age");
    assert_eq!(
        (&row["cells"][1], &row["cells"][2], &row["cells"][4]),
        (&json!("1/1"), &json!("Running"), &json!("30m"))
    );
    assert_eq!(row["object"]["kind"], "PartialObjectMetadata");
    let (names, row) = columns("/apis/apps/v1/namespaces/llm-serving/deployments").await;
    assert_eq!((names.as_str(), &row["cells"][1]), ("Name Ready Up-to-date Available Age", &json!("2/2")));
    let (names, row) = columns("/apis/autoscaling/v2/namespaces/llm-serving/horizontalpodautoscalers").await;
    assert_eq!(names, "Name Reference Targets MinPods MaxPods Replicas Age");
    assert_eq!((&row["cells"][1], &row["cells"][2]), (&json!("Deployment/vllm-runtime"), &json!("0/10")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_are_behind_the_proxy_and_a_loading_pod_refuses() {
    let (handle, client) = open(setup(), &[]).await;
    let pods: Api<Pod> = Api::all(client.clone());
    let all = pods.list(&ListParams::default()).await.expect("pods").items;
    let proxied = async |pod: &Pod, port: u16, path: &str| {
        let (space, name) =
            (pod.metadata.namespace.as_deref().expect("one"), pod.metadata.name.as_deref().expect("one"));
        get(&handle, &format!("/api/v1/namespaces/{space}/pods/{name}:{port}/proxy/{path}"), "*/*", &handle.token).await
    };
    let named = |start: &str| {
        all.iter().find(|p| p.metadata.name.as_deref().is_some_and(|n| n.starts_with(start))).expect("a pod")
    };
    let (code, page) = proxied(named("vllm-runtime"), 8000, "metrics").await;
    assert!(code == 200 && page.contains("vllm:num_requests_running"), "{page}");
    assert_eq!(proxied(named("vllm-runtime"), 8000, "health").await.0, 200);
    assert!(proxied(named("vllm-runtime"), 8000, "v1/models").await.1.contains("llama-3-70b"));
    assert!(proxied(named("envoy"), 19001, "stats/prometheus").await.1.contains("envoy_cluster_membership_healthy"));
    assert!(proxied(named("dcgm-exporter"), 9400, "metrics").await.1.contains("DCGM_FI_DEV_SM_CLOCK"));
    let refusal = proxied(named("vllm-runtime"), 9999, "metrics").await;
    let status: Value = serde_json::from_str(&refusal.1).expect("a Status");
    let ip = named("vllm-runtime").status.as_ref().and_then(|s| s.pod_ip.clone()).expect("an address");
    assert_eq!((refusal.0, &status["reason"]), (503, &json!("ServiceUnavailable")));
    assert_eq!(
        status["message"],
        format!("error trying to reach service: dial tcp {ip}:9999: connect: connection refused")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logs_have_ends_times_and_a_before() {
    let mut setup = setup();
    let broken = ["llama", "--die-after=5"].map(str::to_owned).to_vec();
    setup.acts = vec![(
        1700.0,
        Act::Template {
            args: broken,
            image: "vllm/vllm-openai:v0.32.0".into(),
            cause: "broken".into(),
            by: "kubectl".into(),
            probes: None,
        },
    )];
    let (_handle, client) = open(setup, &[]).await;
    let pods: Api<Pod> = namespaced(&client);
    let all = pods.list(&ListParams::default()).await.expect("pods").items;
    let name = |ready: bool| {
        let found = all.iter().find(|p| {
            p.status.as_ref().and_then(|s| s.container_statuses.as_ref()).is_some_and(|c| c[0].ready == ready)
        });
        found.and_then(|p| p.metadata.name.clone()).expect("a pod")
    };
    let whole = pods.logs(&name(true), &LogParams::default()).await.expect("logs");
    assert!(whole.lines().count() == 3 && whole.contains("--max-num-seqs=256"), "{whole}");
    let last = LogParams { tail_lines: Some(1), timestamps: true, ..LogParams::default() };
    let last = pods.logs(&name(true), &last).await.expect("logs");
    assert!(last.starts_with("2026-11-24T02:3") && last.ends_with("Application startup complete.\n"), "{last}");
    let before = LogParams { previous: true, ..LogParams::default() };
    assert!(pods.logs(&name(false), &before).await.expect("logs").contains("--die-after=5"));
    let (code, _, message) = refused(pods.logs(&name(true), &before).await);
    assert_eq!(
        (code, message),
        (400, format!("previous terminated container \"vllm\" in pod \"{}\" not found", name(true)))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_denied_is_forbidden_and_a_review_says_so_before() {
    let (_handle, client) = open(setup(), &[("list", "nodes"), ("get", "pods/proxy")]).await;
    let (code, reason, message) = refused(Api::<Node>::all(client.clone()).list(&ListParams::default()).await);
    assert_eq!((code, reason.as_str()), (403, "Forbidden"));
    assert_eq!(
        message,
        "nodes is forbidden: User \"sim\" cannot list resource \"nodes\" in API group \"\" at the cluster scope"
    );
    let reviews: Api<SelfSubjectAccessReview> = Api::all(client);
    let mut answers = Vec::new();
    for (verb, resource, part) in [("list", "nodes", ""), ("get", "pods", "proxy"), ("get", "pods", "")] {
        let review = serde_json::from_value(json!({"spec": {"resourceAttributes":
            {"verb": verb, "resource": resource, "subresource": part}}}));
        let answer = reviews.create(&PostParams::default(), &review.expect("a review")).await.expect("an answer");
        answers.push(answer.status.expect("a status").allowed);
    }
    assert_eq!(answers, [false, false, true]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_past_is_left_as_recordings_that_the_pages_source_reads() {
    let directory = tempfile::tempdir().expect("a directory");
    let options =
        Options { opens_ms: Some(OPENS), recordings: Some(directory.path().to_owned()), ..Options::default() };
    let mut setup = setup();
    let args = ["llama", "--max-num-seqs=512"].map(str::to_owned).to_vec();
    setup.acts = vec![(
        1000.0,
        Act::Template {
            args,
            image: "vllm/vllm-openai:v0.32.0".into(),
            cause: "more".into(),
            by: "kubectl".into(),
            probes: None,
        },
    )];
    let handle = serve(setup, |_| engines(0.0), options).await.expect("it opens");
    let names: Vec<PathBuf> =
        std::fs::read_dir(directory.path()).expect("recordings").map(|e| e.expect("an entry").path()).collect();
    let count = |start: &str| {
        names.iter().filter(|n| n.file_name().is_some_and(|f| f.to_string_lossy().starts_with(start))).count()
    };
    assert_eq!((count("vllm-runtime-"), count("envoy-"), count("dcgm-exporter-")), (4, 1, 2));
    let ends = At(OPENS);
    let mut last_revisions = Vec::new();
    for path in names.iter().filter(|n| n.to_string_lossy().contains("vllm-runtime-")) {
        let recording = Recording::open(path).expect("a recording");
        assert!(recording.last().is_some_and(|last| last <= ends));
        let placement: Value =
            serde_json::from_slice(&std::fs::read(path.join("target.json")).expect("a file")).expect("JSON");
        let last = placement.as_array().and_then(|p| p.last()).expect("a placement").clone();
        last_revisions.push((last["revision"].as_u64(), last.get("to_ms").is_some(), last["ready"].as_bool()));
        assert!(
            std::fs::read_to_string(path.join("scrapes.jsonl"))
                .expect("it refused while it loaded")
                .contains("connection refused")
        );
        if last.get("to_ms").is_none() {
            assert!(recording.interval_s(ends).is_some_and(|s| (5.0..=5.001).contains(&s)));
        }
    }
    last_revisions.sort();
    assert_eq!(
        last_revisions,
        [
            (Some(41), true, Some(true)),
            (Some(41), true, Some(true)),
            (Some(42), false, Some(true)),
            (Some(42), false, Some(true))
        ]
    );
    drop(handle);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_kubeconfig_is_readable_by_its_owner_alone_and_leads_to_the_cluster() {
    use std::os::unix::fs::PermissionsExt as _;
    let (handle, _client) = open(setup(), &[]).await;
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("kubeconfig");
    std::fs::write(&path, "old").expect("a file");
    handle.write_kubeconfig(&path).expect("written");
    assert_eq!(std::fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o600);
    let config = kube::config::Kubeconfig::read_from(&path).expect("a kubeconfig");
    assert_eq!(config.current_context.as_deref(), Some("sim-trial"));
    let config =
        Config::from_custom_kubeconfig(config, &kube::config::KubeConfigOptions::default()).await.expect("a config");
    assert_eq!(config.default_namespace, NAMESPACE);
    let client = Client::try_from(config).expect("a client");
    assert!(client.apiserver_version().await.is_ok_and(|v| v.git_version.starts_with("v1.")));
}

/// Opens a port-forward, as somebody else's client does; or the status of what came instead.
async fn forward(handle: &Handle, pod: &str, port: u16, protocol: &str) -> Result<Forward, u16> {
    let host = handle.url.trim_start_matches("http://").to_owned();
    let url = format!("ws://{host}/{}/api/v1/namespaces/{NAMESPACE}/pods/{pod}/portforward?ports={port}", handle.token);
    let mut request = url.into_client_request().expect("a request");
    request.headers_mut().insert("sec-websocket-protocol", protocol.parse().expect("a header"));
    let stream = TcpStream::connect(&host).await.expect("a connection");
    match client_async(request, stream).await {
        Ok((socket, answer)) => {
            assert_eq!(answer.headers()["sec-websocket-protocol"], protocol);
            Ok(socket)
        }
        Err(Error::Http(answer)) => Err(answer.status().as_u16()),
        Err(error) => unreachable!("no answer: {error}"),
    }
}

type Forward = WebSocketStream<TcpStream>;

async fn message(forward: &mut Forward) -> Option<Vec<u8>> {
    match timeout(Duration::from_secs(10), forward.next()).await.expect("in time")? {
        Ok(Message::Binary(bytes)) => Some(bytes.to_vec()),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_is_forwarded_over_a_websocket_and_says_where_nobody_listens() {
    let (handle, client) = open(setup(), &[]).await;
    let pods = namespaced::<Pod>(&client).list(&ListParams::default()).await.expect("pods");
    let pod = pods.items[0].metadata.name.clone().expect("a name");
    let mut open = forward(&handle, &pod, 8000, "v4.channel.k8s.io").await.expect("a forward");
    assert_eq!(message(&mut open).await, Some(vec![0, 0x40, 0x1f]), "the port, on the channel of bytes");
    assert_eq!(message(&mut open).await, Some(vec![1, 0x40, 0x1f]), "and on that of errors");
    for path in ["/health", "/metrics"] {
        let asked = format!("\0GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
        open.send(Message::Binary(asked.into_bytes().into())).await.expect("it is sent");
        let answer = message(&mut open).await.expect("an answer");
        assert!(answer.starts_with(b"\0HTTP/1.1 200 OK\r\n"), "{}", String::from_utf8_lossy(&answer));
        // What follows of a page is left to the next one.
        while let Ok(Some(_)) = timeout(Duration::from_millis(200), open.next()).await {}
    }
    let mut closed = forward(&handle, &pod, 9, "v4.channel.k8s.io").await.expect("a forward");
    let said = [message(&mut closed).await, message(&mut closed).await, message(&mut closed).await];
    let said = String::from_utf8_lossy(said[2].as_ref().expect("an error")).into_owned();
    assert!(said.starts_with("\u{1}error forwarding port 9 to pod") && said.ends_with("connection refused"), "{said}");
    assert_eq!(message(&mut closed).await, None, "and that was all");
    assert_eq!(forward(&handle, "nobody", 8000, "v4.channel.k8s.io").await.err(), Some(404));
    assert_eq!(forward(&handle, &pod, 8000, "SPDY/3.1+portforward.k8s.io").await.err(), Some(400));
    let (handle, _) = self::open(setup(), &[("get", "pods/portforward")]).await;
    assert_eq!(forward(&handle, &pod, 8000, "v4.channel.k8s.io").await.err(), Some(403));
}
