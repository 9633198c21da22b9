//! Gateways and GPUs are told by the real Prometheus, which scrapes a simulated cluster: the same numbers as those that are
//! read of their pods at the same time, and the same suspect where no pod is read at all.

use std::time::Duration;

use warroom::config::{Config, Engines, Others};
use warroom::diagnosis::Diagnosis;
use warroom::domain::{At, Dist, Endpoint, Gauge, GpuSample, GpuTrack, Outcome, Role, Snapshot, Total};
use warroom::sim::scenario::Scenario;
use warroom::sim::serve::{Handle, Options, serve};
use warroom::sim::serving::{Model, Serving};
use warroom::sim::world::Setup;

use crate::fleet::{Watch, counts, every, named};
use crate::server::{Job, Server, is_there};

/// A simulated cluster of a scenario whose change comes at another moment, and which opens after a quarter of an hour.
async fn cluster(name: &str, changes: &[(&str, &str)]) -> Handle {
    let file = format!("{}/assets/scenarios/{name}.toml", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&file).expect("a scenario");
    let text = changes.iter().fold(text, |text, (before, after)| {
        assert!(text.contains(before), "{before} in {name}");
        text.replace(before, after)
    });
    let scenario = Scenario::read(&file, &text).expect("a scenario");
    let mut setup = Setup::from(&scenario);
    setup.opens_s = 900.0;
    let serving = move |begins| Box::new(Model::new(&scenario, 1, begins)) as Box<dyn Serving>;
    serve(setup, serving, Options::default()).await.expect("it opens")
}

/// Whether everything that is looked for was read at least once.
fn all_read(s: &Snapshot) -> bool {
    let read = |role| s.of_role(role).count() > 0 && s.of_role(role).all(|e| e.last_page().is_some());
    read(Role::Engine) && read(Role::Gateway) && read(Role::Gpus) && !s.gpus.is_empty()
}

/// A Prometheus that scrapes what a session reads. `honours`: whether the exporter's own labels of pods win.
fn scraping(cluster: &Handle, read: &Snapshot, honours: bool) -> Server {
    let of = |role| -> Vec<(String, &str, String)> {
        let pods = read.of_role(role).map(|e| {
            let path = e.reproduce.split('\'').nth(1).expect("a path");
            let namespace = path.split('/').nth(4).expect("a namespace");
            (format!("/{}{path}", cluster.token), namespace, e.name.clone())
        });
        // Each lives as long as the snapshot does.
        let known = ["llm-serving", "gateway-system", "gpu-operator"];
        pods.map(|(path, namespace, pod)| {
            let namespace = known.iter().find(|k| **k == namespace).expect("a namespace");
            (path, *namespace, pod)
        })
        .collect()
    };
    let jobs = [
        Job { name: "engines", honours: false, pods: of(Role::Engine) },
        Job { name: "gateways", honours: false, pods: of(Role::Gateway) },
        Job { name: "gpus", honours, pods: of(Role::Gpus) },
    ];
    let mut server = Server::scraping_jobs(cluster.url.trim_start_matches("http://"), &jobs);
    server.until("count(count by (job) (up == 1))", 3.0);
    server.until("count(DCGM_FI_DEV_SM_CLOCK)", read.gpus.len() as f64);
    server
}

/// As the scenarios promise.
fn promised() -> Config {
    let mut config = every(1000);
    config.slo.default.ttft.limit = Duration::from_millis(2500);
    config.slo.default.tpot.limit = Duration::from_millis(100);
    config
}

fn told_of_all(url: &str) -> Config {
    let mut config = promised();
    config.prometheus.url = named(url);
    config.prometheus.engines = Engines::Always;
    config.prometheus.gateways = Others::Always;
    config.prometheus.gpus = Others::Always;
    config
}

fn seen_for(snapshot: &Snapshot) -> f64 {
    let of_pages = snapshot.endpoints.iter().filter_map(|e| e.tracks.first()).filter_map(|t| {
        let points = t.points();
        Some(points.back()?.at.since(points.front()?.at))
    });
    let of_gpus = snapshot.gpus.iter().filter_map(|g| Some(g.points.back()?.0.since(g.points.front()?.0)));
    of_pages.chain(of_gpus).reduce(f64::min).unwrap_or(0.0)
}

fn suspect(d: &Diagnosis) -> String {
    let Some(s) = &d.suspect else { return format!("nobody: {}", d.sentence) };
    let names = (s.phase, s.mechanism, s.cause, &s.subject.node, s.subject.gpu);
    format!("{names:?}")
}

/// The last reading before a moment and the first after it, where they are not too far apart (s).
fn around<T>(points: &[(At, T)], at: At, apart_s: f64) -> Option<(&T, &T)> {
    let before = points.iter().rev().find(|p| p.0 <= at.plus(-1.0))?;
    let after = points.iter().find(|p| p.0 > at.plus(1.0))?;
    (after.0.since(before.0) < apart_s).then_some((&before.1, &after.1))
}

/// Compares what is told of a gateway with its pages: what only grows lies between the page before and the one after.
fn same_gateway(told: &Endpoint, read: &Endpoint) -> usize {
    let mut compared = 0;
    assert_eq!(told.system, read.system);
    for track in &told.tracks {
        let pages = read.tracks.iter().find(|t| t.engine == track.engine).expect("the same requests");
        assert_eq!((&pages.model, &pages.slice), (&track.model, &track.slice));
        let pages: Vec<(At, _)> = pages.points().iter().map(|p| (p.at, &p.values)).collect();
        for point in track.points() {
            let Some((before, after)) = around(&pages, point.at, f64::MAX) else { continue };
            let (low, high) = (counts(before), counts(after));
            let mine = counts(&point.values);
            assert_eq!(mine.len(), low.len(), "everything is told");
            for (name, value) in mine {
                let of = |all: &[(String, f64)]| all.iter().find(|(n, _)| *n == name).map(|(_, v)| *v);
                let (low, high) = (of(&low).expect(&name), of(&high).expect(&name));
                assert!(low <= value + 1e-6 && value <= high + 1e-6, "{name}: {value} is not in {low} to {high}");
                compared += 1;
            }
            let known = |r: &warroom::domain::Reading| Gauge::ALL.iter().filter(|g| r.gauge(**g).is_some()).count();
            assert_eq!(known(&point.values), known(before), "all gauges are told");
        }
    }
    compared
}

/// Compares what is told of a GPU with what its exporter's page says: what it says before and after alike is told too.
fn same_gpu(told: &GpuTrack, read: &GpuTrack) -> usize {
    assert_eq!((&told.pod, &told.product), (&read.pod, &read.product), "{:?}", told.id);
    let fields = |s: &GpuSample| {
        let whole = |v: Option<u64>| v.map(|v| v as f64);
        [
            s.sm_clock_hz,
            s.sm_clock_max_hz,
            s.temperature_c,
            s.power_w,
            s.utilisation,
            s.memory_used_bytes,
            s.memory_total_bytes,
            whole(s.event_reasons),
            s.thermal_throttle_s,
            s.power_throttle_s,
            whole(s.ecc_uncorrected_volatile),
            s.xid.map(f64::from),
        ]
    };
    let pages: Vec<(At, [Option<f64>; 12])> = read.points.iter().map(|(at, s)| (*at, fields(s))).collect();
    let mut compared = 0;
    for (at, sample) in &told.points {
        // The sensors are looked at every 5 s: in between is one look at the most.
        let Some((before, after)) = around(&pages, *at, 5.0) else { continue };
        for (i, value) in fields(sample).into_iter().enumerate() {
            assert_eq!(value.is_some(), before[i].is_some(), "field {i} of {:?}", told.id);
            if before[i] == after[i] {
                assert_eq!(value, before[i], "field {i} of {:?}", told.id);
                compared += 1;
            }
        }
    }
    compared
}

/// Watches a cluster by its pages and by what a Prometheus tells of them, for so long (s).
async fn both(cluster: &Handle, honours: bool, seconds: f64) -> (Watch, Watch, Server) {
    let mut read = Watch::open(cluster, promised()).await;
    read.listen(all_read).await;
    let server = scraping(cluster, &read.snapshot, honours);
    let mut told = Watch::open(cluster, told_of_all(&server.url)).await;
    told.listen(|s| all_read(s) && seen_for(s) >= seconds).await;
    let last = told.snapshot.endpoints.iter().filter_map(Endpoint::last_page).max().expect("pages").plus(3.0);
    read.listen(|s| s.endpoints.iter().all(|e| e.last_page().is_some_and(|at| at > last))).await;
    for endpoint in &told.snapshot.endpoints {
        assert!(endpoint.reproduce.contains("/api/v1/query?"), "no pod is read: {endpoint:?}");
        assert_eq!(endpoint.reached, None, "no pod is read");
    }
    (read, told, server)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_gateway_is_the_same_suspect_where_no_pod_is_read_and_has_the_same_numbers() {
    if !is_there("a_slow_gateway_is_the_same_suspect_where_no_pod_is_read_and_has_the_same_numbers") {
        return;
    }
    let cluster = cluster("gateway", &[("1h50m", "14m")]).await;
    let (read, mut told, server) = both(&cluster, false, 45.0).await;
    let gateway = |w: &Watch| w.snapshot.of_role(Role::Gateway).next().cloned().expect("a gateway");
    let (by_told, by_read) = (gateway(&told), gateway(&read));
    assert!(same_gateway(&by_told, &by_read) > 100);
    let last = by_told.tracks[0].points().back().expect("a page").values.clone();
    for total in [Total::GatewayRequests, Total::GatewayErrors, Total::GatewayCancelled, Total::GatewayRetries] {
        assert!(last.total(total).is_some(), "{total:?}");
    }
    assert!(last.dist(Dist::GatewayTotal).is_some() && last.dist(Dist::GatewayUpstream).is_some());
    assert!(by_told.paced_s.is_some_and(|s| s <= 3.0), "{:?}", by_told.paced_s);
    assert_eq!(
        by_told.placements.last().and_then(|p| p.found.clone()),
        by_read.placements.last().and_then(|p| p.found.clone())
    );
    let (by_told, by_read) = (told.judged(), read.judged());
    assert!(suspect(&by_read).contains("Gateway"), "{}", by_read.sentence);
    assert_eq!(suspect(&by_told), suspect(&by_read), "{} / {}", by_told.sentence, by_read.sentence);

    // A Prometheus that is gone leaves pages that grow old and say why, and lend no green.
    drop(server);
    told.listen(|s| s.endpoints.iter().all(|e| e.failing().is_some())).await;
    let now = told.snapshot.endpoints.iter().filter_map(Endpoint::last_page).max().expect("pages").plus(60.0);
    told.snapshot.now = now;
    let rows = told.judged().sources;
    let live = |e: &Endpoint| {
        let row = rows.iter().find(|s| s.name == e.name).expect("a row");
        row.state == warroom::domain::SourceState::Live || row.error.is_none()
    };
    assert!(!told.snapshot.endpoints.iter().any(live), "{rows:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hot_gpu_is_the_same_suspect_where_no_pod_is_read_and_has_the_same_numbers() {
    if !is_there("a_hot_gpu_is_the_same_suspect_where_no_pod_is_read_and_has_the_same_numbers") {
        return;
    }
    let cluster = cluster("thermal", &[("1h44m", "4m")]).await;
    for honours in [false, true] {
        let (read, told, _server) = both(&cluster, honours, 30.0).await;
        let mut compared = 0;
        assert_eq!(told.snapshot.gpus.len(), read.snapshot.gpus.len());
        for gpu in &told.snapshot.gpus {
            let page = read.snapshot.gpus.iter().find(|g| g.id == gpu.id).expect("the same GPU");
            compared += same_gpu(gpu, page);
        }
        assert!(compared > 1000, "{compared}");
        let (by_told, by_read) = (told.judged(), read.judged());
        assert!(suspect(&by_read).contains("gpu-a-1"), "{}", by_read.sentence);
        assert_eq!(suspect(&by_told), suspect(&by_read), "{} / {}", by_told.sentence, by_read.sentence);
        let clocks = |d: &Diagnosis| d.gpus.iter().map(|g| (g.id.clone(), g.truth, g.troubled)).collect::<Vec<_>>();
        assert_eq!(clocks(&by_told), clocks(&by_read));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn first_tokens_that_a_gateway_counts_are_told_by_whose_they_are_and_what_is_not_there_is_said() {
    if !is_there("first_tokens_that_a_gateway_counts_are_told_by_whose_they_are_and_what_is_not_there_is_said") {
        return;
    }
    let ai = "[workload]\nnamespace";
    let cluster =
        cluster("gateway", &[("1h50m", "14m"), (ai, "[gateway]\npage = \"ai\"\n\n[workload]\nnamespace")]).await;
    let mut read = Watch::open(&cluster, promised()).await;
    read.listen(all_read).await;
    let mut server = scraping(&cluster, &read.snapshot, false);
    server.until("count(gen_ai_server_time_to_first_token_seconds_count)", 1.0);
    let mut config = told_of_all(&server.url);
    // Its gateways alone: engines and GPUs are read as ever.
    (config.prometheus.engines, config.prometheus.gpus) = (Engines::Never, Others::Never);
    let mut told = Watch::open(&cluster, config).await;
    let long = |s: &Snapshot| {
        let points = |e: &Endpoint| e.tracks.first().map_or(0, |t| t.points().len());
        all_read(s) && s.of_role(Role::Gateway).all(|e| points(e) > 12)
    };
    told.listen(long).await;
    let last = told.snapshot.now.plus(3.0);
    read.listen(|s| s.endpoints.iter().all(|e| e.last_page().is_some_and(|at| at > last))).await;
    let gateway = |w: &Watch| w.snapshot.of_role(Role::Gateway).next().cloned().expect("a gateway");
    let (by_told, by_read) = (gateway(&told), gateway(&read));
    assert!(same_gateway(&by_told, &by_read) > 50);
    let named = |e: &Endpoint| e.tracks.iter().filter_map(|t| t.slice.clone()).collect::<Vec<_>>();
    assert_eq!(named(&by_told), named(&by_read));
    let first = |e: &Endpoint| {
        let point = e.tracks.iter().find_map(|t| t.points().back())?;
        Some(point.values.dist(Dist::GatewayTtft)?.bounds.to_vec())
    };
    assert!(first(&by_told).is_some_and(|bounds| bounds.len() > 10), "{:?}", first(&by_told));
    assert_eq!(first(&by_told), first(&by_read));
    let of_pods = |s: &Snapshot| s.endpoints.iter().filter(|e| e.reached.is_some()).count();
    assert_eq!(of_pods(&told.snapshot), of_pods(&read.snapshot) - 1, "the gateway's alone is not read");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gateways_and_gpus_that_nobody_scrapes_are_said_to_be_missing_and_are_not_read_instead() {
    if !is_there("gateways_and_gpus_that_nobody_scrapes_are_said_to_be_missing_and_are_not_read_instead") {
        return;
    }
    let cluster = cluster("healthy", &[]).await;
    let mut server = Server::scraping_jobs(cluster.url.trim_start_matches("http://"), &[]);
    server.until("vector(1)", 1.0);
    let mut config = told_of_all(&server.url);
    config.prometheus.engines = Engines::Never;
    let mut told = Watch::open(&cluster, config).await;
    let missing = |s: &Snapshot| {
        let failing = |role| s.of_role(role).count() > 0 && s.of_role(role).all(|e| e.failing().is_some());
        failing(Role::Gateway) && failing(Role::Gpus) && s.of_role(Role::Engine).any(|e| e.last_page().is_some())
    };
    told.listen(missing).await;
    for endpoint in told.snapshot.endpoints.iter().filter(|e| e.role != Role::Engine) {
        let why = endpoint.failing().expect("why").to_string();
        assert!(why.contains("asked of Prometheus alone: no series of"), "{why}");
        assert!(endpoint.attempts.iter().all(|a| a.outcome != Outcome::Page), "none is read");
    }
    let why = |role| told.snapshot.of_role(role).next().and_then(Endpoint::failing).expect("why").to_string();
    assert!(why(Role::Gateway).contains("label pod or exported_pod"), "{}", why(Role::Gateway));
    assert!(why(Role::Gpus).contains("Hostname or node"), "{}", why(Role::Gpus));
}
