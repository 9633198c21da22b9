//! Kubernetes as a source: what is so arrives soon and whole, and what goes wrong is a state with a reason and an age,
//! never a hang and never another watch's trouble.

#[allow(dead_code, reason = "each test file uses a part of it")]
#[path = "support/cluster.rs"]
mod cluster;
#[path = "kubernetes_source/flags.rs"]
mod flags;
#[path = "kubernetes_source/gateways.rs"]
mod gateways;
#[path = "kubernetes_source/pools.rs"]
mod pools;

use std::future::Future;
use std::time::Duration;

use cluster::{
    Cluster, DEPLOYMENTS, EVENTS, Fault, NODES, PODS, Port, STATEFUL_SETS, deployment, node, pod, replica_set, serving,
    stranger,
};
use serde_json::json;
use tokio::sync::{mpsc, watch};
use warroom::apiserver::Client;
use warroom::clock::{self, Clock};
use warroom::domain::{Failure, Observation, Role, Snapshot, SourceState, Via, Watch, WorkloadKind, WorkloadRef};
use warroom::reach::http::Settings;
use warroom::reach::{Way, Ways, Where};
use warroom::source::kubernetes::{Kubernetes, Neighbour, Pace, Place, ResolveError, only_engine, resolve};
use warroom::source::logs::{Batch, Whose, follow};

/// Patience for what should come at once, on a machine that does other things too.
const SOON: Duration = Duration::from_secs(10);

fn run<T>(story: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("threads");
    runtime.block_on(story)
}

fn target() -> WorkloadRef {
    WorkloadRef { context: "test".into(), namespace: "llm".into(), kind: WorkloadKind::Deployment, name: "vllm".into() }
}

/// A pace at which a test is not long.
fn pace() -> Pace {
    Pace {
        deadline: Duration::from_millis(400),
        watch: Duration::from_secs(1),
        grace: Duration::from_millis(500),
        pause: Duration::from_millis(20),
        longest_pause: Duration::from_millis(100),
        census: Duration::from_millis(500),
    }
}

/// What a source has told so far.
struct Told {
    snapshot: Snapshot,
    deliveries: mpsc::Receiver<Observation>,
    neighbours: watch::Receiver<Vec<Neighbour>>,
    clusters: usize,
}

impl Told {
    fn by(cluster: &Cluster) -> Self {
        let (sink, deliveries) = mpsc::channel(512);
        let (found, neighbours) = watch::channel(Vec::new());
        let source =
            Kubernetes { client: cluster.client(), target: target(), clock: Clock::Wall, pace: pace(), gateway: None };
        tokio::spawn(source.run(sink, found));
        Self { snapshot: Snapshot::default(), deliveries, neighbours, clusters: 0 }
    }

    /// Waits until this is so.
    #[track_caller]
    fn until(&mut self, what: &'static str, is: impl Fn(&Snapshot) -> bool) -> impl Future<Output = ()> {
        let place = std::panic::Location::caller();
        async move {
            let waiting = async {
                while !is(&self.snapshot) {
                    let observation = self.deliveries.recv().await.expect("the source goes on");
                    self.clusters += usize::from(matches!(observation.body, warroom::domain::Body::Cluster(_)));
                    self.snapshot.observe(observation);
                }
            };
            let came = tokio::time::timeout(SOON, waiting).await;
            assert!(came.is_ok(), "{place}: '{what}' did not come; {:#?}", self.snapshot.watches);
        }
    }

    fn watch(&self, resource: &str) -> Watch {
        self.snapshot.watches.iter().find(|w| w.resource == resource).expect("a watch").clone()
    }
}

fn state(snapshot: &Snapshot, resource: &str) -> Option<SourceState> {
    snapshot.watches.iter().find(|w| w.resource == resource).map(|w| w.state)
}

fn pods(snapshot: &Snapshot) -> Vec<&str> {
    snapshot.cluster.iter().flat_map(|(_, f)| f.pods.iter().map(|p| p.name.as_str())).collect()
}

// ---- what is so ----------------------------------------------------------------------------------------------------

#[test]
fn a_workload_arrives_whole_and_every_change_of_it_soon() {
    run(async {
        let cluster = serving().await;
        let mut told = Told::by(&cluster);
        told.until("the workload with its pod", |s| pods(s) == ["vllm-1-a"]).await;
        let (_, facts) = told.snapshot.cluster.clone().expect("facts");
        assert_eq!(facts.revisions.iter().map(|r| r.number).collect::<Vec<_>>(), [1]);
        assert_eq!(facts.pods[0].revision, Some(1));
        assert_eq!(facts.workload.as_ref().map(|w| w.desired), Some(1));
        told.until("its node", |s| s.cluster.iter().any(|(_, f)| f.nodes.iter().flatten().any(|n| n.gpus == 8))).await;

        cluster.put(PODS, pod("vllm", "vllm-1-b", "gpu-1"));
        told.until("a second pod", |s| pods(s) == ["vllm-1-a", "vllm-1-b"]).await;
        let mut unready = pod("vllm", "vllm-1-a", "gpu-1");
        unready["status"]["conditions"][0]["status"] = json!("False");
        cluster.put(PODS, unready);
        told.until("that is not Ready", |s| s.cluster.iter().any(|(_, f)| !f.pods[0].ready)).await;
        cluster.delete(PODS, "vllm-1-b");
        told.until("and goes", |s| pods(s) == ["vllm-1-a"]).await;
        for resource in ["deployments", "replicasets", "pods", "nodes", "events", "horizontalpodautoscalers"] {
            assert_eq!(told.watch(resource).state, SourceState::Live, "{resource}");
        }
    });
}

#[test]
fn what_is_quiet_is_listed_once_and_then_only_watched() {
    run(async {
        let cluster = serving().await;
        let mut told = Told::by(&cluster);
        told.until("the workload", |s| !pods(s).is_empty()).await;
        tokio::time::sleep(Duration::from_millis(1500)).await;
        for resource in ["/deployments?", "/replicasets?", "/nodes?", "/events?", "/horizontalpodautoscalers?"] {
            let asked: Vec<String> = cluster.requests().into_iter().filter(|r| r.contains(resource)).collect();
            let lists = asked.iter().filter(|r| !r.contains("watch=true")).count();
            assert_eq!(lists, 1, "{resource} {asked:#?}");
            // A watch of a second each.
            assert!((1..=3).contains(&(asked.len() - lists)), "{resource} {asked:#?}");
        }
    });
}

#[test]
fn a_server_that_ends_every_watch_at_once_or_has_forgotten_everything_is_not_hammered() {
    for (answer, status) in [("", 200), (r#"{"kind":"Status","code":410,"message":"too old"}"#, 410)] {
        run(async move {
            let cluster = serving().await;
            let mut told = Told::by(&cluster);
            told.until("the workload", |s| !pods(s).is_empty()).await;
            cluster.fault("watch=true", Fault::Answer(status, answer.to_owned()));
            tokio::time::sleep(Duration::from_millis(1500)).await;
            let before = cluster.requests().iter().filter(|r| r.contains("/nodes?")).count();
            tokio::time::sleep(Duration::from_secs(1)).await;
            let asked = cluster.requests().iter().filter(|r| r.contains("/nodes?")).count() - before;
            // Pauses of 50 to 100 ms, and two requests after each at most.
            assert!((1..=50).contains(&asked), "HTTP {status}: asked {asked} times in a second");
        });
    }
}

#[test]
fn a_storm_of_changes_is_told_in_few_deliveries_and_its_end_is_told() {
    run(async {
        let cluster = serving().await;
        let mut told = Told::by(&cluster);
        told.until("the workload", |s| !pods(s).is_empty()).await;
        let (before, start) = (told.clusters, clock::monotonic());
        for n in 0..1000 {
            let mut busy = pod("vllm", "vllm-1-a", "gpu-1");
            busy["status"]["containerStatuses"][0]["restartCount"] = json!(n);
            cluster.put(PODS, busy);
            tokio::time::sleep(Duration::from_micros(500)).await;
        }
        told.until("the last of them", |s| s.cluster.iter().any(|(_, f)| f.pods[0].restarts == 999)).await;
        let most = 5 * clock::monotonic().duration_since(start).as_secs() + 6;
        let deliveries = u64::try_from(told.clusters - before).expect("few");
        assert!(deliveries <= most, "{deliveries} deliveries, at most {most}");
    });
}

#[test]
fn what_is_known_stays_known_to_hold_while_nothing_changes() {
    run(async {
        let cluster = serving().await;
        let mut told = Told::by(&cluster);
        told.until("the workload", |s| s.cluster.is_some()).await;
        let first = told.snapshot.cluster.as_ref().map(|(at, _)| *at).expect("facts");
        told.until("a later moment", |s| s.cluster.iter().any(|(at, _)| *at > first.plus(1.5))).await;
        assert!(told.watch("pods").heard > Some(first));
        assert!(cluster.count("pods?labelSelector=app%3Dvllm&limit") <= 1, "without a new list");
    });
}

#[test]
fn a_heartbeat_of_a_node_is_no_change() {
    run(async {
        let cluster = serving().await;
        let mut told = Told::by(&cluster);
        told.until("the nodes", |s| s.cluster.iter().any(|(_, f)| f.nodes.iter().flatten().count() == 1)).await;
        told.until("the count", |s| {
            s.cluster.iter().any(|(_, f)| f.nodes.iter().flatten().any(|n| n.gpus_taken == Some(1)))
        })
        .await;
        let known = told.snapshot.cluster.as_ref().map(|(_, f)| std::sync::Arc::clone(f)).expect("facts");
        let mut beat = node("gpu-1");
        beat["status"]["conditions"][0]["lastHeartbeatTime"] = json!("2026-06-08T03:00:10Z");
        cluster.put(NODES, beat);
        let now = told.watch("nodes").heard;
        told.until("the heartbeat", |s| s.watches.iter().any(|w| w.resource == "nodes" && w.heard > now)).await;
        let after = told.snapshot.cluster.as_ref().map(|(_, f)| std::sync::Arc::clone(f)).expect("facts");
        assert!(std::sync::Arc::ptr_eq(&known, &after), "the facts were not even read anew");
    });
}

#[test]
fn an_event_is_remembered_longer_than_the_server_remembers_it() {
    run(async {
        let cluster = serving().await;
        let event = |name: &str, about: &str| {
            json!({"metadata": {"name": name}, "involvedObject": {"kind": "Pod", "name": about}, "reason": "BackOff",
                   "lastTimestamp": "2026-06-08T03:05:00Z", "type": "Warning"})
        };
        cluster.put(EVENTS, event("one", "vllm-1-a"));
        cluster.put(EVENTS, event("foreign", "redis-0"));
        let mut told = Told::by(&cluster);
        let events = |s: &Snapshot| s.cluster.as_ref().map_or(0, |(_, f)| f.events.len());
        told.until("the event", move |s| events(s) == 1).await;
        cluster.delete(EVENTS, "one");
        cluster.put(EVENTS, event("two", "vllm-1-a"));
        told.until("the second", move |s| events(s) == 2).await;
    });
}

#[test]
fn gateways_exporters_and_taken_gpus_are_found_around_it() {
    run(async {
        let cluster = serving().await;
        let gateways = "/api/v1/namespaces/envoy-system/pods";
        let envoy = json!({"app.kubernetes.io/name": "envoy"});
        cluster.put(gateways, stranger("envoy-system", "gw", "cpu-1", &envoy, 19_001));
        let exporters = "/api/v1/namespaces/gpu-operator/pods";
        let dcgm = json!({"app": "nvidia-dcgm-exporter"});
        cluster.put(exporters, stranger("gpu-operator", "dcgm-1", "gpu-1", &dcgm, 9400));
        cluster.put(exporters, stranger("gpu-operator", "dcgm-2", "gpu-2", &dcgm, 9400));
        let mut told = Told::by(&cluster);
        told.until("the count", |s| {
            s.cluster.iter().any(|(_, f)| f.nodes.iter().flatten().any(|n| n.gpus_taken == Some(1)))
        })
        .await;
        let found = told.neighbours.borrow().clone();
        let found: Vec<_> = found.iter().map(|n| (n.role, n.pod.as_str(), n.port, n.path.as_str())).collect();
        assert_eq!(
            found,
            [(Role::Gpus, "dcgm-1", 9400, "/metrics"), (Role::Gateway, "gw", 19_001, "/stats/prometheus")]
        );
    });
}

// ---- what goes wrong -----------------------------------------------------------------------------------------------

#[test]
fn nodes_that_may_not_be_read_are_said_with_a_remedy_and_everything_else_goes_on() {
    run(async {
        let cluster = serving().await;
        cluster.fault("/api/v1/nodes", Fault::Denied);
        cluster.fault("/api/v1/pods?", Fault::Denied);
        let mut told = Told::by(&cluster);
        told.until("the denial", |s| state(s, "nodes") == Some(SourceState::Denied)).await;
        let error = told.watch("nodes").error.expect("a reason");
        assert!(error.contains("not allowed") && error.contains("allow 'list' and 'watch' on 'nodes'"), "{error}");
        told.until("the workload", |s| pods(s) == ["vllm-1-a"]).await;
        told.until("that GPUs are not counted", |s| state(s, "pods of all namespaces") == Some(SourceState::Denied))
            .await;
        let (_, facts) = told.snapshot.cluster.clone().expect("facts");
        assert_eq!(facts.nodes, None);
        cluster.heal();
        told.until("they may be read now", |s| s.cluster.iter().any(|(_, f)| f.nodes.is_some())).await;
    });
}

#[test]
fn pods_that_may_not_be_read_do_not_hold_the_workload_back() {
    run(async {
        let cluster = serving().await;
        cluster.fault("namespaces/llm/pods", Fault::Denied);
        let mut told = Told::by(&cluster);
        told.until("the workload alone", |s| s.cluster.iter().any(|(_, f)| f.workload.is_some() && f.pods.is_empty()))
            .await;
        assert_eq!(told.watch("pods").state, SourceState::Denied);
        assert_eq!(told.watch("pods").heard, None, "so that nobody takes it for none");
    });
}

#[test]
fn a_server_that_has_forgotten_is_asked_for_everything_again() {
    run(async {
        let cluster = serving().await;
        let mut told = Told::by(&cluster);
        told.until("the workload", |s| pods(s) == ["vllm-1-a"]).await;
        let lists = cluster.count("pods?labelSelector=app%3Dvllm&limit");
        cluster.forget();
        cluster.put(PODS, pod("vllm", "vllm-1-b", "gpu-1"));
        told.until("what came meanwhile", |s| pods(s).len() == 2).await;
        assert!(cluster.count("pods?labelSelector=app%3Dvllm&limit") > lists);
        assert_eq!(told.watch("pods").state, SourceState::Live);
    });
}

#[test]
fn a_server_that_hangs_is_failed_with_a_reason_and_live_again_once_it_answers() {
    run(async {
        let cluster = serving().await;
        cluster.fault("/", Fault::Hang);
        let mut told = Told::by(&cluster);
        told.until("that it does not answer", |s| state(s, "deployments") == Some(SourceState::Failed)).await;
        let watch = told.watch("deployments");
        assert!(watch.error.as_deref().is_some_and(|e| e.contains("does not answer in time")) && watch.heard.is_none());
        assert!(told.snapshot.cluster.is_none(), "nothing is known, and nothing is said");
        cluster.heal();
        told.until("the workload", |s| pods(s) == ["vllm-1-a"]).await;
        assert_eq!(told.watch("deployments").error, None);
    });
}

#[test]
fn what_was_read_before_the_server_broke_is_old_and_not_gone() {
    run(async {
        let cluster = serving().await;
        let mut told = Told::by(&cluster);
        told.until("the workload", |s| pods(s) == ["vllm-1-a"]).await;
        for (fault, reason) in [
            (Fault::Reset, "API server"),
            (Fault::Hang, "in time"),
            (Fault::Answer(200, "<html>".into()), "cannot be read"),
            (Fault::Answer(500, "etcd".into()), "HTTP 500: etcd"),
        ] {
            cluster.fault("/", fault);
            cluster.end_watches();
            told.until("that it is stale", |s| state(s, "pods") == Some(SourceState::Stale)).await;
            let watch = told.watch("pods");
            assert!(watch.error.as_deref().is_some_and(|e| e.contains(reason)), "{reason}: {watch:?}");
            let as_of = watch.heard.expect("an age");
            assert_eq!(pods(&told.snapshot), ["vllm-1-a"], "{reason}");
            assert!(told.snapshot.cluster.iter().all(|(at, _)| *at <= as_of), "{reason}: not known to hold later");
            cluster.heal();
            told.until("that it is live", |s| state(s, "pods") == Some(SourceState::Live)).await;
        }
    });
}

#[test]
fn a_watch_that_hangs_is_no_trouble_to_the_others() {
    run(async {
        let cluster = serving().await;
        cluster.fault("/events", Fault::Hang);
        cluster.fault("/horizontalpodautoscalers", Fault::Answer(404, "404 page not found".into()));
        let mut told = Told::by(&cluster);
        told.until("the workload", |s| pods(s) == ["vllm-1-a"]).await;
        cluster.put(PODS, pod("vllm", "vllm-1-b", "gpu-1"));
        told.until("a second pod", |s| pods(s).len() == 2).await;
        told.until("the failure", |s| state(s, "events") == Some(SourceState::Failed)).await;
        told.until("the absence", |s| state(s, "horizontalpodautoscalers") == Some(SourceState::Absent)).await;
    });
}

#[test]
fn a_server_that_is_down_is_not_asked_in_a_hot_loop() {
    run(async {
        let cluster = serving().await;
        cluster.fault("/", Fault::Answer(503, "busy".into()));
        let mut told = Told::by(&cluster);
        told.until("the failure", |s| state(s, "deployments") == Some(SourceState::Failed)).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        // Pauses of 50 to 100 ms after the first few: at most 25 in a second.
        let asked = cluster.count("/deployments");
        assert!((5..=30).contains(&asked), "{asked} requests");
    });
}

#[test]
fn a_workload_that_is_not_there_is_absent_and_followed_once_it_comes() {
    run(async {
        let cluster = Cluster::start().await;
        let mut told = Told::by(&cluster);
        told.until("that there is none", |s| state(s, "deployments") == Some(SourceState::Absent)).await;
        told.until("no facts of it", |s| s.cluster.iter().any(|(_, f)| f.workload.is_none())).await;
        let error = told.watch("deployments").error.expect("a reason");
        assert!(error.contains("no Deployment 'vllm' in namespace 'llm'"), "{error}");
        cluster.put(cluster::REPLICA_SETS, replica_set("vllm"));
        cluster.put(PODS, pod("vllm", "vllm-1-a", "gpu-1"));
        cluster.put(DEPLOYMENTS, deployment("vllm", "vllm:0.32"));
        told.until("it with its pod", |s| pods(s) == ["vllm-1-a"]).await;
        cluster.delete(DEPLOYMENTS, "vllm");
        told.until("that it is gone and its pod not", |s| {
            s.cluster.iter().any(|(_, f)| f.workload.is_none() && f.pods.len() == 1)
        })
        .await;
    });
}

#[test]
fn a_source_that_nobody_listens_to_asks_for_nothing_any_more() {
    run(async {
        let cluster = serving().await;
        let mut told = Told::by(&cluster);
        told.until("the workload", |s| s.cluster.is_some()).await;
        drop(told);
        tokio::time::sleep(Duration::from_millis(300)).await;
        let asked = cluster.requests().len();
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        assert_eq!(cluster.requests().len(), asked);
    });
}

// ---- what was typed ------------------------------------------------------------------------------------------------

fn place<'a>(client: &'a warroom::apiserver::Client, namespace: &'a str) -> Place<'a> {
    Place { client, context: "test", namespace, deadline: Duration::from_millis(500) }
}

#[test]
fn a_target_is_found_by_every_name_that_kubectl_takes() {
    run(async {
        let cluster = serving().await;
        let mut set = deployment("chat", "sglang:1");
        set["metadata"]["uid"] = json!("sts");
        cluster.put(STATEFUL_SETS, set);
        let client = cluster.client();
        for typed in ["deploy/vllm", "deployments.apps/vllm", "vllm"] {
            assert_eq!(resolve(typed, place(&client, "llm")).await.expect("found"), target(), "{typed}");
        }
        for typed in ["sts/chat", "chat"] {
            let found = resolve(typed, place(&client, "llm")).await.expect("found");
            assert_eq!((found.kind, found.name.as_str()), (WorkloadKind::StatefulSet, "chat"));
        }
        let said = resolve("deploy/vlm", place(&client, "llm")).await.unwrap_err();
        assert!(said.is_usage());
        let said = said.to_string();
        for words in
            ["no Deployment 'vlm' in namespace 'llm' of context 'test'", "did you mean deploy/vllm?", "sts/chat"]
        {
            assert!(said.contains(words), "{said}");
        }
        let said = resolve("vllm", place(&client, "other")).await.unwrap_err().to_string();
        assert!(said.contains("no Deployment or StatefulSet 'vllm'") && said.contains("another --namespace"), "{said}");
    });
}

#[test]
fn without_a_target_the_only_engine_is_taken_and_two_are_named() {
    run(async {
        let cluster = serving().await;
        cluster.put(DEPLOYMENTS, deployment("web", "nginx:1"));
        let mut web = deployment("web", "nginx:1");
        web["spec"]["template"]["spec"]["containers"][0]["resources"] = json!({});
        cluster.put(DEPLOYMENTS, web);
        let client = cluster.client();
        assert_eq!(only_engine(place(&client, "llm")).await.expect("the only one"), target());
        cluster.put(DEPLOYMENTS, deployment("canary", "vllm:0.33"));
        let said = only_engine(place(&client, "llm")).await.unwrap_err();
        assert!(
            said.is_usage() && said.to_string().contains("2 inference engines (deploy/canary, deploy/vllm)"),
            "{said}"
        );
        let said = only_engine(place(&client, "empty")).await.unwrap_err().to_string();
        assert!(said.contains("no inference engine in namespace 'empty'") && said.contains("deploy/NAME"), "{said}");
    });
}

#[test]
fn a_server_that_does_not_say_is_no_fault_of_what_was_typed() {
    run(async {
        let cluster = serving().await;
        let client = cluster.client();
        for (fault, reason) in
            [(Fault::Hang, "in time"), (Fault::Denied, "not allowed"), (Fault::Answer(401, String::new()), "log in")]
        {
            cluster.fault("/", fault);
            let said = resolve("deploy/vllm", place(&client, "llm")).await.unwrap_err();
            assert!(matches!(said, ResolveError::Trouble { .. }) && !said.is_usage(), "{said}");
            assert!(said.to_string().contains(reason), "{said}");
            cluster.heal();
        }
    });
}

// ---- pages through the API server ----------------------------------------------------------------------------------

fn proxied(client: &Client, pod: &str, settings: &Settings) -> Way {
    let (namespace, pod, page) = ("llm".to_owned(), pod.to_owned(), "/metrics".to_owned());
    Way::pod(&Ways::new(client, Some(Via::Proxy), settings).to(Where { namespace, pod, ip: None, port: 8000, page }))
}

fn fetch(cluster: &Cluster, pod: &str) -> impl Future<Output = Result<String, Failure>> {
    let settings = Settings { timeout: Duration::from_millis(400), max_body: 10_000, ..Settings::default() };
    let way = proxied(&cluster.client(), pod, &settings);
    async move {
        let mut buffer = b"what was here before".to_vec();
        way.fetch(&mut buffer).await.map(|()| String::from_utf8(buffer).expect("UTF-8"))
    }
}

#[test]
fn a_page_comes_through_and_a_process_that_is_not_there_refuses() {
    run(async {
        let cluster = serving().await;
        cluster.port("a:8000", Port::Page("up 1\n".into()));
        assert_eq!(fetch(&cluster, "a").await.as_deref(), Ok("up 1\n"));
        assert_eq!(cluster.requests(), ["/api/v1/namespaces/llm/pods/a:8000/proxy/metrics"]);
        cluster.port("b:8000", Port::Refused);
        assert_eq!(fetch(&cluster, "b").await, Err(Failure::Refused));
        assert_eq!(fetch(&cluster, "unknown").await, Err(Failure::TimedOut { connected: false, after_ms: 30_000 }));
        cluster.port("c:8000", Port::Page("x".repeat(20_000)));
        assert_eq!(fetch(&cluster, "c").await, Err(Failure::TooLarge { limit: 10_000 }));
    });
}

#[test]
fn what_the_process_says_and_what_the_api_server_says_are_told_apart() {
    run(async {
        let cluster = serving().await;
        cluster.port("a:8000", Port::Answer(503, "{\"error\": {\"message\": \"Loading model\"}}".into()));
        assert_eq!(fetch(&cluster, "a").await, Err(Failure::Status { code: 503, loading: true }));
        cluster.port("a:8000", Port::Answer(403, "an api key is needed".into()));
        assert_eq!(fetch(&cluster, "a").await, Err(Failure::Status { code: 403, loading: false }));
        cluster.fault("/proxy/", Fault::Denied);
        let denied = fetch(&cluster, "a").await.unwrap_err().to_string();
        assert!(denied.contains("not allowed") && denied.contains("allow 'get' on 'pods/proxy'"), "{denied}");
    });
}

#[test]
fn a_pod_that_hangs_is_told_from_an_api_server_that_hangs() {
    run(async {
        let cluster = serving().await;
        cluster.port("a:8000", Port::Hang);
        assert_eq!(fetch(&cluster, "a").await, Err(Failure::TimedOut { connected: true, after_ms: 400 }));
        cluster.fault("/", Fault::Hang);
        let other = fetch(&cluster, "a").await.unwrap_err();
        assert!(matches!(&other, Failure::Other(why) if why.contains("the API server does not answer")), "{other:?}");
    });
}

#[test]
fn an_api_server_that_refuses_is_no_engine_that_loads() {
    run(async {
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
        let config = kube::Config::new(format!("http://{free}").parse().expect("a URL"));
        let client = warroom::apiserver::connect::client(config).expect("a client");
        let way = proxied(&client, "a", &Settings::default());
        let failure = way.fetch(&mut Vec::new()).await.unwrap_err();
        assert!(matches!(&failure, Failure::Other(why) if why.contains("refuses connections")), "{failure:?}");
    });
}

// ---- logs ----------------------------------------------------------------------------------------------------------

#[test]
fn a_log_comes_in_batches_of_clean_lines_and_says_why_it_ends() {
    run(async {
        let cluster = serving().await;
        cluster.log("a", "INFO loaded\n\u{1b}[31mERROR\u{1b}[0m KV cache\n\u{1b}]0;owned\u{7}\n");
        let whose =
            Whose { namespace: "llm".into(), pod: "a".into(), container: Some("engine".into()), previous: false };
        let mut batches = follow(cluster.client(), whose.clone());
        let lines = ["INFO loaded", "ERROR KV cache", "·]0;owned·"].map(str::to_owned).to_vec();
        assert_eq!(batches.recv().await, Some(Batch::Lines(lines)));
        assert_eq!(batches.recv().await, Some(Batch::Ended));
        assert!(cluster.requests()[0].contains("tailLines=100&container=engine"), "{:?}", cluster.requests());
        assert_eq!(whose.reproduce("prod"), "kubectl --context prod -n llm logs a -c engine --tail 100 -f");

        let before = Whose { previous: true, ..whose.clone() };
        assert!(before.reproduce("prod").ends_with("--tail 100 --previous"));
        cluster.log("a", "starting with HF_TOKEN=hf_abcdefghijklmnopqrst\n");
        let mut batches = follow(cluster.client(), before);
        let Some(Batch::Lines(lines)) = batches.recv().await else { panic!("lines") };
        assert_eq!(lines, ["starting with HF_TOKEN=(hidden)"]);
        assert!(cluster.requests().last().is_some_and(|r| r.contains("previous=true") && !r.contains("follow")));
        assert_eq!((batches.recv().await, batches.recv().await), (Some(Batch::Ended), None), "it is asked for once");

        cluster.fault("/log", Fault::Denied);
        let mut batches = follow(cluster.client(), whose);
        let Some(Batch::Failed(why)) = batches.recv().await else { panic!("a reason") };
        assert!(why.contains("allow 'get' on 'pods/log'"), "{why}");
    });
}
