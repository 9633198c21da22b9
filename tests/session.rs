//! A session: pods come and go, and their pages with them; and `check` on a cluster, as it is typed.

#[allow(dead_code, reason = "each test file uses a part of it")]
#[path = "support/cluster.rs"]
mod cluster;
#[allow(dead_code, reason = "each test file uses a part of it")]
#[path = "support/program.rs"]
mod program;
#[allow(dead_code, reason = "each test file uses a part of it")]
#[path = "support/recorded.rs"]
mod recorded;

use std::fs;
use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cluster::{Cluster, DEPLOYMENTS, Fault, Inside, PODS, Port, REPLICA_SETS, deployment, pod, serving, stranger};
use program::Run;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use warroom::clock::Clock;
use warroom::command::check;
use warroom::config::Config;
use warroom::diagnosis::diagnose;
use warroom::domain::{Body, Endpoint, Failure, Observation, Outcome, Role, Snapshot, Via, WorkloadKind, WorkloadRef};
use warroom::runtime::session::Session;
use warroom::source::kubernetes::Pace;

const SOON: Duration = Duration::from_secs(10);
const ENGINE: &str = include_str!("fixtures/pages/vllm-0.32.0-healthy.prom");
const METRICS: &str = "8000/metrics";

fn run<T>(story: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("threads");
    runtime.block_on(story)
}

fn target() -> WorkloadRef {
    WorkloadRef { context: "test".into(), namespace: "llm".into(), kind: WorkloadKind::Deployment, name: "vllm".into() }
}

/// What a session has delivered so far.
struct Open {
    session: Option<Session>,
    deliveries: mpsc::Receiver<Observation>,
    snapshot: Snapshot,
    /// The names that were told of, in the order in which each was first.
    order: Vec<String>,
}

impl Open {
    fn on(cluster: &Cluster, history: Option<&Path>) -> Self {
        Self::with(Config::default(), cluster, history)
    }

    fn with(mut config: Config, cluster: &Cluster, history: Option<&Path>) -> Self {
        config.scrape.interval = Duration::from_millis(200);
        let decoder = Arc::new(check::decoder(&config).expect("the dialects load"));
        let pace = Pace {
            watch: Duration::from_secs(1),
            pause: Duration::from_millis(20),
            census: Duration::from_millis(600),
            ..Pace::default()
        };
        let (session, deliveries) =
            Session::open_at_pace(pace, cluster.client(), target(), Clock::Wall, decoder, &config, history);
        Self { session: Some(session), deliveries, snapshot: Snapshot::default(), order: Vec::new() }
    }

    async fn until(&mut self, what: &str, is: impl Fn(&Snapshot) -> bool) {
        let waiting = async {
            while !is(&self.snapshot) {
                let observation = self.deliveries.recv().await.expect("the session goes on");
                self.order.push(match &observation.body {
                    Body::Endpoint { name, .. } => format!("endpoint {name}"),
                    Body::EndpointGone { name } => format!("gone {name}"),
                    Body::Page { endpoint, .. } => format!("page {endpoint}"),
                    Body::Recorded(endpoint) => format!("recorded {}", endpoint.name),
                    Body::Cluster(_) => "cluster".to_owned(),
                    Body::Watch(_) => "watch".to_owned(),
                    Body::Probed(_) => "probed".to_owned(),
                    Body::Told(_) | Body::Untold(_) | Body::Paced { .. } => "told".to_owned(),
                });
                self.snapshot.observe(observation);
            }
        };
        let came = tokio::time::timeout(SOON, waiting).await;
        assert!(came.is_ok(), "'{what}' did not come: {:?}", self.order);
    }

    #[track_caller]
    fn first(&self, what: &str) -> usize {
        let found = self.order.iter().position(|o| o == what);
        assert!(found.is_some(), "no '{what}' in {:?}", self.order);
        found.unwrap_or_default()
    }
}

fn endpoint<'a>(snapshot: &'a Snapshot, name: &str) -> Option<&'a Endpoint> {
    snapshot.endpoints.iter().find(|e| e.name == name)
}

fn pages(snapshot: &Snapshot, name: &str) -> usize {
    endpoint(snapshot, name).map_or(0, |e| e.attempts.iter().filter(|a| a.outcome == Outcome::Page).count())
}

// ---- pods and pages ------------------------------------------------------------------------------------------------

#[test]
fn a_pods_page_is_read_under_its_name_with_its_revision_and_a_line_that_shows_the_same() {
    run(async {
        let cluster = serving().await;
        cluster.port(&format!("vllm-1-a:{METRICS}"), Port::Page(ENGINE.to_owned()));
        let mut open = Open::on(&cluster, None);
        open.until("two pages", |s| pages(s, "vllm-1-a") >= 2).await;
        let endpoint = endpoint(&open.snapshot, "vllm-1-a").expect("the endpoint");
        let place = endpoint.placements.last().expect("a placement");
        assert_eq!((place.pod.as_deref(), place.node.as_deref()), (Some("vllm-1-a"), Some("gpu-1")));
        assert_eq!((place.revision, place.ready, endpoint.role), (Some(1), Some(true), Role::Engine));
        let line = "kubectl --context test get --raw '/api/v1/namespaces/llm/pods/vllm-1-a:8000/proxy/metrics'";
        assert_eq!(endpoint.reproduce, line);
        assert!(open.first("cluster") < open.first("endpoint vllm-1-a"));
        assert!(open.first("endpoint vllm-1-a") < open.first("page vllm-1-a"));
    });
}

#[test]
fn a_pod_that_loads_refuses_and_serves_once_it_has_loaded_and_one_without_an_address_is_not_asked() {
    run(async {
        let cluster = serving().await;
        cluster.port(&format!("vllm-1-a:{METRICS}"), Port::Refused);
        let mut pending = pod("vllm", "vllm-1-p", "gpu-1");
        pending["status"] = json!({"phase": "Pending"});
        cluster.put(PODS, pending);
        let mut open = Open::on(&cluster, None);
        let refused = |s: &Snapshot| endpoint(s, "vllm-1-a").and_then(Endpoint::failing) == Some(&Failure::Refused);
        open.until("a refusal", refused).await;
        cluster.port(&format!("vllm-1-a:{METRICS}"), Port::Page(ENGINE.to_owned()));
        open.until("a page", |s| pages(s, "vllm-1-a") > 0).await;
        assert!(
            endpoint(&open.snapshot, "vllm-1-p").is_some_and(|e| e.attempts.is_empty()),
            "it is known, and not asked"
        );
        assert_eq!(cluster.count("vllm-1-p:"), 0);
        cluster.port(&format!("vllm-1-p:{METRICS}"), Port::Page(ENGINE.to_owned()));
        cluster.put(PODS, pod("vllm", "vllm-1-p", "gpu-1"));
        open.until("its first page", |s| pages(s, "vllm-1-p") > 0).await;
    });
}

#[test]
fn the_way_that_leads_to_a_page_is_told_with_the_reason_before_the_page_is() {
    run(async {
        let cluster = serving().await;
        cluster.fault("/proxy/", Fault::Denied);
        cluster.inside("vllm-1-a:8000", Inside::Port(Port::Page(ENGINE.to_owned())));
        let mut open = Open::on(&cluster, None);
        open.until("two pages", |s| pages(s, "vllm-1-a") >= 2).await;
        let seen = endpoint(&open.snapshot, "vllm-1-a").expect("the endpoint");
        assert!(seen.attempts.iter().all(|a| a.outcome == Outcome::Page), "the first attempt finds it");
        let reached = seen.reached.clone().expect("a way");
        assert_eq!(reached.via, Some(Via::PortForward));
        assert!(seen.reproduce.contains("port-forward pod/vllm-1-a 18000:8000"), "{}", seen.reproduce);
        let d = diagnose(&open.snapshot, &check::policy(Duration::from_mins(5), &Config::default()));
        let row = d.sources.iter().find(|s| s.name == "vllm-1-a").expect("a source");
        assert_eq!(row.via, Some("port-forward"));
        assert!(row.instead_of.as_ref().is_some_and(|why| why.contains("allow 'get' on 'pods/proxy'")), "{row:?}");
        let cost = Config::default().budget().told(&open.snapshot);
        assert!(cost.starts_with("1 pages in 0.2 requests a second, 1 through port-forwards"), "{cost}");
        // Its pod comes back under its name and with another address: what is known is tried first.
        let asked = cluster.count("/proxy/");
        let mut again = pod("vllm", "vllm-1-a", "gpu-1");
        again["status"]["podIP"] = json!("10.0.0.2");
        cluster.put(PODS, again);
        let before = pages(&open.snapshot, "vllm-1-a");
        open.until("more pages", |s| pages(s, "vllm-1-a") >= before + 4).await;
        assert_eq!(cluster.count("/proxy/"), asked);
    });
}

#[test]
fn a_pod_that_kubernetes_does_not_call_ready_yet_may_refuse_without_another_way_being_looked_for() {
    run(async {
        let cluster = serving().await;
        cluster.port(&format!("vllm-1-a:{METRICS}"), Port::Refused);
        let mut loading = pod("vllm", "vllm-1-a", "gpu-1");
        loading["status"]["conditions"][0]["status"] = json!("False");
        cluster.put(PODS, loading);
        let mut open = Open::on(&cluster, None);
        let attempts = |s: &Snapshot| endpoint(s, "vllm-1-a").map_or(0, |e| e.attempts.len());
        open.until("refusals", |s| attempts(s) >= 4).await;
        assert_eq!(endpoint(&open.snapshot, "vllm-1-a").and_then(Endpoint::failing), Some(&Failure::Refused));
        assert_eq!(cluster.count("/portforward"), 0);
        cluster.put(PODS, pod("vllm", "vllm-1-a", "gpu-1"));
        open.until("more refusals", |s| attempts(s) >= 12).await;
        assert!(cluster.count("/portforward") > 0, "Ready, and it refuses: it may listen inside alone");
    });
}

#[test]
fn a_pod_that_goes_is_said_to_be_gone_and_not_asked_any_more_and_its_counts_stay() {
    run(async {
        let cluster = serving().await;
        for name in ["vllm-1-a", "vllm-1-b"] {
            cluster.port(&format!("{name}:{METRICS}"), Port::Page(ENGINE.to_owned()));
            cluster.put(PODS, pod("vllm", name, "gpu-1"));
        }
        let mut open = Open::on(&cluster, None);
        open.until("pages of both", |s| pages(s, "vllm-1-a") > 0 && pages(s, "vllm-1-b") > 0).await;
        cluster.delete(PODS, "vllm-1-b");
        open.until("that it is gone", |s| endpoint(s, "vllm-1-b").is_some_and(|e| e.gone)).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        let (asked, others) = (cluster.count("vllm-1-b:"), cluster.count("vllm-1-a:"));
        open.until("more of the other", |s| pages(s, "vllm-1-a") > 4).await;
        tokio::time::sleep(Duration::from_millis(600)).await;
        assert_eq!(cluster.count("vllm-1-b:"), asked);
        assert!(cluster.count("vllm-1-a:") > others);
        assert!(pages(&open.snapshot, "vllm-1-b") > 0, "what it did is still known");
    });
}

#[test]
fn the_gateways_and_the_gpus_pages_are_read_too() {
    run(async {
        let cluster = serving().await;
        let envoy = json!({"app.kubernetes.io/name": "envoy"});
        cluster.put("/api/v1/namespaces/envoy-system/pods", stranger("envoy-system", "gw", "cpu-1", &envoy, 19_001));
        let dcgm = json!({"app": "nvidia-dcgm-exporter"});
        cluster.put("/api/v1/namespaces/gpu-operator/pods", stranger("gpu-operator", "dcgm", "gpu-1", &dcgm, 9400));
        cluster.port("dcgm:9400/metrics", Port::Page(DCGM.to_owned()));
        cluster.port("gw:19001/stats/prometheus", Port::Refused);
        let mut open = Open::on(&cluster, None);
        open.until("a GPU", |s| !s.gpus.is_empty()).await;
        open.until("the gateway's refusal", |s| endpoint(s, "gw").is_some_and(|e| e.failing().is_some())).await;
        assert_eq!(open.snapshot.gpus[0].points.back().and_then(|(_, s)| s.temperature_c), Some(61.0));
        assert_eq!(endpoint(&open.snapshot, "dcgm").map(|e| e.role), Some(Role::Gpus));
        assert_eq!(endpoint(&open.snapshot, "gw").map(|e| e.role), Some(Role::Gateway));
    });
}

#[test]
fn a_gateway_that_is_none_of_the_usual_ones_is_read_where_it_is_named() {
    run(async {
        let cluster = serving().await;
        let labels = json!({"app.kubernetes.io/name": "traefik"});
        cluster.put("/api/v1/namespaces/ingress/pods", stranger("ingress", "front", "cpu-1", &labels, 8080));
        let page = "# TYPE traefik_entrypoint_requests_total counter\n\
                    traefik_entrypoint_requests_total{entrypoint=\"web\",code=\"200\"} 7\n";
        cluster.port("front:9100/own", Port::Page(page.to_owned()));
        let mut config = Config::default();
        config.gateway.selector = Some(warroom::config::Selector {
            namespace: Some("ingress".to_owned()),
            labels: "app.kubernetes.io/name=traefik".to_owned(),
        });
        config.gateway.metrics = Some((9100, "/own".to_owned()));
        let mut open = Open::with(config, &cluster, None);
        open.until("its page", |s| pages(s, "front") > 0).await;
        let front = endpoint(&open.snapshot, "front").expect("the endpoint");
        assert_eq!((front.role, front.system.as_ref().map(|s| s.engine.as_str())), (Role::Gateway, Some("traefik")));
        assert_eq!(cluster.count("name%3Denvoy"), 0, "nobody else is looked for");
    });
}

const DCGM: &str = "# TYPE DCGM_FI_DEV_SM_CLOCK gauge\n\
DCGM_FI_DEV_SM_CLOCK{gpu=\"0\",UUID=\"GPU-1\",device=\"nvidia0\",modelName=\"NVIDIA H100 80GB HBM3\",Hostname=\"gpu-1\"} 1980\n\
# TYPE DCGM_FI_DEV_GPU_TEMP gauge\n\
DCGM_FI_DEV_GPU_TEMP{gpu=\"0\",UUID=\"GPU-1\",device=\"nvidia0\",modelName=\"NVIDIA H100 80GB HBM3\",Hostname=\"gpu-1\"} 61\n";

#[test]
fn the_past_comes_before_the_present_under_the_same_names_and_what_is_not_there_any_more_is_gone() {
    run(async {
        let cluster = serving().await;
        cluster.port(&format!("vllm-1-a:{METRICS}"), Port::Page(ENGINE.to_owned()));
        let history = tempfile::tempdir().expect("a directory");
        for name in ["vllm-1-a", "vllm-0-old"] {
            recorded::healthy(&history.path().join(name), "lab-model");
        }
        fs::create_dir(history.path().join("empty")).expect("a directory");
        recorded::record(&history.path().join("dcgm"), [DCGM, DCGM, DCGM].map(str::to_owned));
        let mut open = Open::on(&cluster, Some(history.path()));
        let past =
            |s: &Snapshot| endpoint(s, "vllm-1-a").map_or(0, |e| e.tracks.iter().map(|t| t.points().len()).sum());
        open.until("the past", move |s| past(s) > 1).await;
        let recorded = past(&open.snapshot);
        open.until("a live page", |s| {
            endpoint(s, "vllm-1-a").is_some_and(|e| e.last_page() > Some(warroom::domain::At(1_790_000_000_000)))
        })
        .await;
        assert!(past(&open.snapshot) > recorded, "the present goes on from it");
        assert!(open.first("recorded vllm-1-a") < open.first("page vllm-1-a"));
        assert_eq!(open.snapshot.gpus.iter().map(|g| g.points.len()).collect::<Vec<_>>(), [3], "GPUs have a past too");
        assert_eq!(endpoint(&open.snapshot, "dcgm").map(|e| e.role), Some(Role::Gpus));
        open.until("that the old one is gone", |s| endpoint(s, "vllm-0-old").is_some_and(|e| e.gone)).await;
        assert!(pages(&open.snapshot, "vllm-0-old") > 0);
    });
}

#[test]
fn a_session_that_is_dropped_asks_nobody_any_more() {
    run(async {
        let cluster = serving().await;
        cluster.port(&format!("vllm-1-a:{METRICS}"), Port::Page(ENGINE.to_owned()));
        let mut open = Open::on(&cluster, None);
        open.until("a page", |s| pages(s, "vllm-1-a") > 0).await;
        drop(open.session.take());
        tokio::time::sleep(Duration::from_millis(300)).await;
        let asked = cluster.requests().len();
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        assert_eq!(cluster.requests().len(), asked);
    });
}

#[test]
fn an_api_server_that_hangs_in_the_middle_stops_no_clock_and_is_told_apart_from_engines_that_hang() {
    run(async {
        let cluster = serving().await;
        cluster.port(&format!("vllm-1-a:{METRICS}"), Port::Page(ENGINE.to_owned()));
        let mut open = Open::on(&cluster, None);
        open.until("a page", |s| pages(s, "vllm-1-a") > 0).await;
        cluster.fault("/", Fault::Hang);
        let says = |s: &Snapshot| match endpoint(s, "vllm-1-a").and_then(Endpoint::failing) {
            Some(Failure::Other(why)) => why.contains("the API server does not answer"),
            _ => false,
        };
        open.until("that it is the server", says).await;
        cluster.heal();
        open.until("a page again", |s| endpoint(s, "vllm-1-a").is_some_and(|e| e.failing().is_none())).await;
    });
}

// ---- check, as it is typed -----------------------------------------------------------------------------------------

/// Runs `warroom check` against the cluster, whose server goes on meanwhile.
fn checked(cluster: &Cluster, args: &[&str]) -> Run {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("config");
    fs::write(&file, cluster.kubeconfig("llm")).expect("a file");
    let mut all = vec!["--kubeconfig", file.to_str().expect("UTF-8")];
    all.extend(args);
    program::check(all)
}

#[track_caller]
fn refused(run: &Run, code: i32, words: &[&str]) {
    assert_eq!((run.code, run.stdout.as_str()), (Some(code), ""), "{}", run.stderr);
    for word in words {
        assert!(run.stderr.contains(word), "no '{word}' in: {}", run.stderr);
    }
    assert!(!run.stderr.contains("s3cret"));
}

#[test]
fn check_judges_a_workload_of_a_cluster_and_prints_the_contract() {
    run(async {
        let cluster = serving().await;
        cluster.port(&format!("vllm-1-a:{METRICS}"), Port::Page(ENGINE.to_owned()));
        let run = checked(&cluster, &["deploy/vllm", "--for", "3s", "-o", "json"]);
        let json: Value =
            serde_json::from_str(&run.stdout).unwrap_or_else(|e| panic!("{e}: {} {}", run.stdout, run.stderr));
        assert_eq!(run.code, Some(0), "{json:#}");
        assert_eq!(json["verdict"], "idle", "the same page again and again: nothing is asked of it");
        assert_eq!(json["target"]["namespace"], "llm");
        assert_eq!((&json["target"]["kind"], &json["target"]["name"]), (&json!("Deployment"), &json!("vllm")));
        assert_eq!((&json["replicas"][0]["pod"], &json["replicas"][0]["revision"]), (&json!("vllm-1-a"), &json!(1)));
        assert!(run.took < Duration::from_secs(20));
        assert!(cluster.count("/proxy/metrics") >= 3);
    });
}

#[test]
fn without_a_target_check_takes_the_only_engine_of_the_namespace() {
    run(async {
        let cluster = serving().await;
        let run = checked(&cluster, &["--for", "1s", "-o", "json"]);
        let json: Value =
            serde_json::from_str(&run.stdout).unwrap_or_else(|e| panic!("{e}: {} {}", run.stdout, run.stderr));
        assert_eq!(json["target"]["name"], "vllm");
        cluster.put(DEPLOYMENTS, deployment("canary", "vllm:0.33"));
        cluster.put(REPLICA_SETS, cluster::replica_set("canary"));
        refused(&checked(&cluster, &[]), 2, &["no TARGET", "deploy/canary, deploy/vllm"]);
    });
}

#[test]
fn what_is_typed_wrongly_about_a_cluster_is_named_with_a_remedy() {
    run(async {
        let cluster = serving().await;
        refused(
            &checked(&cluster, &["deploy/vlm"]),
            2,
            &["'vlm'", "namespace 'llm'", "context 'test'", "did you mean deploy/vllm?"],
        );
        refused(&checked(&cluster, &["pod/x"]), 2, &["'pod/x' is no workload", "deploy/NAME"]);
        refused(
            &checked(&cluster, &["deploy/vllm", "--context", "tset"]),
            2,
            &["no context 'tset'", "did you mean 'test'?"],
        );
        refused(&checked(&cluster, &["deploy/vllm", "-n", "../x"]), 2, &["--namespace", "'../x'"]);
        refused(&checked(&cluster, &["deploy/vllm", "--request-timeout", "soon"]), 2, &["--request-timeout", "30s"]);
        refused(&checked(&cluster, &["deploy/vllm", "--engine", "http://x/"]), 2, &["--engine"]);
        let nowhere = program::check(["deploy/vllm", "--kubeconfig", "/nonexistent/config"]);
        refused(&nowhere, 2, &["there is no kubeconfig at '/nonexistent/config'", "--kubeconfig FILE"]);
        refused(&program::check(["deploy/vllm"]), 2, &["there is no kubeconfig", "KUBECONFIG"]);
    });
}

#[test]
fn a_cluster_that_cannot_be_asked_is_a_failure_and_no_usage_error() {
    run(async {
        let cluster = serving().await;
        cluster.fault("/", Fault::Hang);
        let run = checked(&cluster, &["deploy/vllm", "--request-timeout", "1s"]);
        refused(&run, 1, &["deployments in namespace 'llm'", "does not answer in time"]);
        assert!(run.took < Duration::from_secs(15));
        cluster.heal();
        cluster.fault("/", Fault::Denied);
        refused(&checked(&cluster, &["deploy/vllm"]), 1, &["not allowed"]);
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
        let mut gone = cluster.clone();
        gone.url = format!("http://{free}");
        refused(&checked(&gone, &["deploy/vllm"]), 1, &["refuses connections"]);
    });
}

// ---- against the simulated cluster ---------------------------------------------------------------------------------

#[cfg(feature = "sim")]
#[allow(dead_code, reason = "each test file uses a part of it")]
#[path = "support/sim.rs"]
mod sim;

#[cfg(feature = "sim")]
#[test]
fn a_session_on_the_simulated_cluster_is_dated_by_its_clock_at_any_speed() {
    use warroom::sim::serve::{Options, serve};
    run(async {
        let options = Options { opens_ms: Some(sim::OPENS), speed: 60.0, ..Options::default() };
        let handle = serve(sim::setup(), |_| sim::engines(0.0), options).await.expect("it opens");
        let config = Config::default();
        let client = kube::Config::new(format!("{}/{}", handle.url, handle.token).parse().expect("a URL"));
        let client = warroom::apiserver::connect::client(client).expect("a client");
        let target = WorkloadRef { namespace: sim::NAMESPACE.into(), name: sim::NAME.into(), ..target() };
        let decoder = Arc::new(check::decoder(&config).expect("the dialects load"));
        let (session, deliveries) = Session::open(client, target, handle.clock, decoder, &config, None);
        let mut open = Open { session: Some(session), deliveries, snapshot: Snapshot::default(), order: Vec::new() };
        let ready = |s: &Snapshot| s.cluster.as_ref().map_or(0, |(_, f)| f.pods.iter().filter(|p| p.ready).count());
        open.until("two Ready pods", move |s| ready(s) == 2).await;
        let (first, facts) = open.snapshot.cluster.clone().expect("facts");
        assert_eq!(facts.workload.as_ref().and_then(|w| w.revision), Some(41));
        assert!(facts.pods.iter().all(|p| p.revision == Some(41) && p.metrics_port == Some(8000)));
        assert_eq!(facts.autoscaler.as_ref().map(|a| (a.min, a.max)), Some((2, 6)));
        open.until("both nodes", |s| {
            s.cluster.iter().any(|(_, f)| f.nodes.iter().flatten().filter(|n| n.gpus == 8).count() == 2)
        })
        .await;
        // Two of its minutes are two seconds here, and nothing is older than its watch may be silent.
        open.until("two minutes", |s| s.cluster.iter().any(|(at, _)| *at > first.plus(120.0))).await;
        let now = warroom::domain::At(handle.clock.unix_ms());
        for watch in &open.snapshot.watches {
            let age = watch.heard.map(|heard| now.since(heard));
            assert!(age.is_some_and(|age| (-1.0..300.0).contains(&age)), "{watch:?} is {age:?} s old");
        }
    });
}

#[cfg(feature = "sim")]
#[test]
fn check_on_the_simulated_cluster_names_what_it_may_not_read() {
    use warroom::sim::rules::Rules;
    use warroom::sim::serve::{Options, serve};
    run(async {
        let denied = [("list", "nodes"), ("get", "pods/proxy"), ("get", "pods/portforward")];
        let denied = denied.map(|(verb, resource)| (verb.to_owned(), resource.to_owned())).to_vec();
        let options = Options { opens_ms: Some(sim::OPENS), rules: Rules::but(denied), ..Options::default() };
        let handle = serve(sim::setup(), |_| sim::engines(0.0), options).await.expect("it opens");
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("config");
        handle.write_kubeconfig(&file).expect("a file");
        let file = file.to_str().expect("UTF-8");
        let run = program::check(["--kubeconfig", file, "--for", "3s", "-o", "json", sim::NAME]);
        let json: Value =
            serde_json::from_str(&run.stdout).unwrap_or_else(|e| panic!("{e}: {} {}", run.stdout, run.stderr));
        assert_eq!(run.code, Some(5), "nothing can be told without pages: {}", json["sentence"]);
        assert_eq!(json["target"]["name"], sim::NAME);
        let sources = json["sources"].to_string();
        for words in ["allow 'get' on 'pods/proxy'", "allow 'list' and 'watch' on 'nodes'"] {
            assert!(sources.contains(words), "no '{words}' in {sources}");
        }
    });
}
