//! A fleet's pages are made of what the real Prometheus scraped of a simulated cluster: the same numbers as those that are
//! read of its pods at the same time, and the same verdict.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::Receiver;
use tokio::time::timeout;
use warroom::apiserver::connect;
use warroom::command::check;
use warroom::config::{Config, Engines, Whom};
use warroom::diagnosis::{Diagnosis, diagnose};
use warroom::domain::{
    At, Dist, Endpoint, Gauge, Observation, Reading, Role, Snapshot, Total, WorkloadKind, WorkloadRef,
};
use warroom::runtime::session::{Session, snapshot};
use warroom::sim::scenario::Scenario;
use warroom::sim::serve::{Forward, Handle, Options, serve};
use warroom::sim::serving::{Model, Serving};
use warroom::sim::world::Setup;

use crate::monitored;
use crate::server::{Server, is_there};

/// How long both are watched.
const WATCHED: Duration = Duration::from_secs(25);

/// A simulated cluster with traffic, in which a Prometheus stands at an address.
async fn cluster(forwards: Vec<Forward>) -> Handle {
    let scenario = Scenario::named("kv-thrash").expect("a scenario");
    let mut setup = Setup::from(&scenario);
    setup.opens_s = 900.0;
    setup.manifests.extend(monitored::monitoring("prometheus", "prometheus"));
    let options = Options { forwards, ..Options::default() };
    let serving = move |begins| Box::new(Model::new(&scenario, 1, begins)) as Box<dyn Serving>;
    serve(setup, serving, options).await.expect("it opens")
}

pub(crate) struct Watch {
    _session: Session,
    deliveries: Receiver<Observation>,
    pub(crate) snapshot: Snapshot,
    config: Config,
    handle_clock: warroom::clock::Clock,
}

impl Watch {
    pub(crate) async fn open(handle: &Handle, config: Config) -> Self {
        let home = tempfile::tempdir().expect("a directory");
        let kubeconfig = home.path().join("kubeconfig");
        handle.write_kubeconfig(&kubeconfig).expect("a kubeconfig");
        let options = connect::Options { kubeconfig: Some(kubeconfig), ..connect::Options::default() };
        let client = connect::connect(options).await.expect("a client").client;
        let target = WorkloadRef {
            context: "sim".into(),
            namespace: handle.namespace.clone(),
            kind: WorkloadKind::Deployment,
            name: handle.workload.clone(),
        };
        let decoder = Arc::new(check::decoder(&config).expect("dialects"));
        let (session, deliveries) = Session::open(client, target.clone(), handle.clock, decoder, &config, None);
        Self { _session: session, deliveries, snapshot: snapshot(target, &config), config, handle_clock: handle.clock }
    }

    pub(crate) async fn listen(&mut self, enough: impl Fn(&Snapshot) -> bool) {
        let listening = async {
            while !enough(&self.snapshot) {
                self.snapshot.observe(self.deliveries.recv().await.expect("the session goes on"));
            }
        };
        let came = timeout(WATCHED + Duration::from_mins(1), listening).await;
        let seen: Vec<_> = self.snapshot.endpoints.iter().map(|e| (&e.name, e.last_page(), e.failing())).collect();
        assert!(came.is_ok(), "it did not come: {seen:?} {:?}", self.snapshot.untold);
        self.snapshot.now = At(self.handle_clock.unix_ms());
    }

    pub(crate) fn judged(&self) -> Diagnosis {
        diagnose(&self.snapshot, &check::policy(Duration::from_mins(5), &self.config))
    }
}

fn engines(snapshot: &Snapshot) -> impl Iterator<Item = &Endpoint> {
    snapshot.of_role(Role::Engine)
}

fn seen_for(snapshot: &Snapshot) -> f64 {
    let span = |e: &Endpoint| {
        let points = e.tracks.first()?.points();
        Some(points.back()?.at.since(points.front()?.at))
    };
    engines(snapshot).map(|e| span(e).unwrap_or(0.0)).reduce(f64::min).unwrap_or(0.0)
}

/// Everything that only grows, by name; of a histogram its buckets at the bounds that `like` has.
pub(crate) fn counts(reading: &Reading) -> Vec<(String, f64)> {
    let totals = Total::ALL.iter().filter_map(|t| Some((t.name().to_owned(), reading.total(*t)?)));
    let dists = Dist::ALL.iter().filter_map(|d| Some((d, reading.dist(*d)?)));
    let of_dist = |(dist, h): (&Dist, warroom::domain::HistogramRef<'_>)| {
        let mut all = vec![(format!("{} count", dist.name()), h.count), (format!("{} sum", dist.name()), h.sum)];
        if [Dist::Ttft, Dist::Itl].contains(dist) {
            all.extend(h.bounds.iter().zip(h.counts).map(|(b, n)| (format!("{} le {b}", dist.name()), *n)));
        }
        all
    };
    totals.chain(dists.flat_map(of_dist)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_prometheus_tells_of_a_fleet_is_what_its_pages_say_at_the_same_time() {
    if !is_there("what_prometheus_tells_of_a_fleet_is_what_its_pages_say_at_the_same_time") {
        return;
    }
    let first = cluster(Vec::new()).await;
    let mut read = Watch::open(&first, every(1000)).await;
    read.listen(|s| engines(s).count() > 0 && engines(s).all(|e| e.last_page().is_some())).await;
    let pods: Vec<(String, &str, String)> = engines(&read.snapshot)
        .map(|e| {
            let path = e.reproduce.split('\'').nth(1).expect("a path");
            (format!("/{}{path}", first.token), first.namespace.as_str(), e.name.clone())
        })
        .collect();
    let count = pods.len();
    let mut server = Server::scraping(first.url.trim_start_matches("http://"), &pods);
    server.until("count(vllm:num_requests_running)", count as f64);
    let mut told_config = every(1000);
    told_config.prometheus.engines = Engines::Always;
    told_config.prometheus.url = named(&server.url);
    let mut told = Watch::open(&first, told_config).await;
    let long = |s: &Snapshot| engines(s).count() == count && seen_for(s) >= WATCHED.as_secs_f64();
    told.listen(long).await;
    let last = engines(&told.snapshot).filter_map(Endpoint::last_page).max().expect("pages").plus(3.0);
    read.listen(|s| engines(s).all(|e| e.last_page().is_some_and(|at| at > last))).await;

    let mut compared = 0;
    for engine in engines(&told.snapshot) {
        assert!(engine.reproduce.contains("/api/v1/query?"), "no pod is read: {}", engine.reproduce);
        let pages = engines(&read.snapshot).find(|e| e.name == engine.name).expect("the same pods");
        let (told, read) = (&engine.tracks[0], &pages.tracks[0]);
        assert_eq!((&told.engine, &told.model), (&read.engine, &read.model));
        for point in told.points() {
            // What only grows lies between a page from shortly before and one from shortly after.
            let before = read.at_or_before(point.at.plus(-1.5));
            let after = read.points().iter().find(|p| p.at > point.at.plus(1.5));
            let (Some(before), Some(after)) = (before, after) else { continue };
            let (low, high) = (counts(&before.values), counts(&after.values));
            for (name, value) in counts(&point.values) {
                let of = |all: &[(String, f64)]| all.iter().find(|(n, _)| *n == name).map(|(_, v)| *v);
                let (low, high) = (of(&low).expect(&name), of(&high).expect(&name));
                assert!(low <= value + 1e-6 && value <= high + 1e-6, "{name}: {value} is not in {low} to {high}");
                compared += 1;
            }
            for gauge in [Gauge::ProcessStart, Gauge::KvCapacity] {
                assert_eq!(point.values.gauge(gauge), before.values.gauge(gauge), "{gauge:?}");
            }
            let known = |r: &Reading| Gauge::ALL.iter().filter(|g| r.gauge(**g).is_some()).count();
            assert_eq!(known(&point.values), known(&before.values), "all gauges are told");
        }
    }
    assert!(compared > 1000, "{compared}");
    let (by_pages, by_told) = (read.judged(), told.judged());
    assert_eq!(by_told.verdict, by_pages.verdict, "{} / {}", by_told.sentence, by_pages.sentence);
    for (a, b) in by_told.slo.iter().zip(&by_pages.slo) {
        let share = |s: &warroom::diagnosis::SloRow| s.bad_share().unwrap_or(0.0);
        assert!((share(a) - share(b)).abs() <= 0.1, "{a:?} / {b:?}");
    }
    let row = by_told.sources.iter().find(|s| engines(&told.snapshot).any(|e| e.name == s.name)).expect("a row");
    assert!(row.age_s.is_some_and(|age| age < 15.0), "as old as its sample: {:?}", row.age_s);

    // A Prometheus that is gone leaves pages that grow old and say why.
    drop(server);
    let failing = |s: &Snapshot| engines(s).all(|e| e.failing().is_some());
    told.listen(failing).await;
}

pub(crate) fn every(interval_ms: u64) -> Config {
    let mut config = Config::default();
    config.scrape.interval = Duration::from_millis(interval_ms);
    config
}

pub(crate) fn named(url: &str) -> Whom {
    Whom::Server(warroom::config::Server::Url(url.parse().expect("a URL")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fleet_that_is_too_large_to_read_is_asked_of_prometheus_and_read_where_nobody_knows_it() {
    // So often that a few replicas are too many.
    let nobody = cluster(Vec::new()).await;
    let mut read = Watch::open(&nobody, every(50)).await;
    let paged = |s: &Snapshot| engines(s).count() > 0 && engines(s).all(|e| e.last_page().is_some());
    read.listen(paged).await;
    assert!(engines(&read.snapshot).all(|e| e.reproduce.contains("/metrics")), "their pages are read");
    let test = "a_fleet_that_is_too_large_to_read_is_asked_of_prometheus_and_read_where_nobody_knows_it";
    if !is_there(test) {
        return;
    }
    let pods: Vec<(String, &str, String)> = engines(&read.snapshot)
        .map(|e| {
            let path = e.reproduce.split('\'').nth(1).expect("a path");
            (format!("/{}{path}", nobody.token), nobody.namespace.as_str(), e.name.clone())
        })
        .collect();
    let mut server = Server::scraping(nobody.url.trim_start_matches("http://"), &pods);
    server.until("count(vllm:num_requests_running)", pods.len() as f64);
    let mut config = every(50);
    config.prometheus.url = named(&server.url);
    let mut told = Watch::open(&nobody, config).await;
    told.listen(|s| paged(s) && engines(s).count() == pods.len()).await;
    assert!(engines(&told.snapshot).all(|e| e.reproduce.contains("/api/v1/query?")), "no pod is read");
}
