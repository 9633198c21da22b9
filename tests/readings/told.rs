//! What is observed of an incident: simulated, recorded, and one of everything.

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use warroom::diagnosis::Policy;
use warroom::dialect::Catalogue;
use warroom::domain::{
    At, Autoscaler, Body, ClusterEvent, ClusterFacts, Condition, Dist, EnginePage, Failure, Finish, Gauge, GpuId,
    GpuPage, GpuReading, GpuSample, Histogram, Node, Observation, Page, Placement, Pod, ReplicaPage, Revision, Role,
    Snapshot, SourceState, Strategy, System, Taint, Template, Total, Values, Watch, Workload, Written,
};
use warroom::sim::scenario::Scenario;
use warroom::source::engine::Decoder;
use warroom::source::pages::Recording;

use crate::incident::capture;
use crate::lab::Lab;

pub(crate) const NINE: At = At(1_780_902_000_000);

/// The record's name; the record itself is not there.
pub(crate) fn record(folder: &Path) -> PathBuf {
    folder.join("20260608T070000Z-prod_llm_vllm.jsonl")
}

/// A rollout that went wrong, with what was read of it: three replicas, a gateway and GPUs, every five seconds.
pub(crate) fn incident() -> &'static (Vec<Observation>, Snapshot, Policy) {
    static INCIDENT: LazyLock<(Vec<Observation>, Snapshot, Policy)> = LazyLock::new(|| {
        let scenario = Scenario::named("bad-rollout").expect("it comes with the program");
        Lab::new(&scenario, 7).stream(120.0)
    });
    &INCIDENT
}

/// Recordings as a session delivers a past.
pub(crate) fn recorded(name: &str) -> Vec<Observation> {
    let decoder = Decoder::new(Arc::new(Catalogue::embedded(&[]).expect("the dialects load")));
    let recording = Recording::open(&capture(name)).expect("the capture is there");
    recording.observations(recording.last().expect("it has an end"), &decoder)
}

pub(crate) fn json<T: serde::Serialize>(it: &T) -> String {
    serde_json::to_string(it).expect("it can be written")
}

fn values() -> Values {
    let mut values = Values::default();
    values.set_gauge(Gauge::KvUsage, 0.3);
    values.set_total(Total::Finished, 71.0);
    values.set_total(Total::CpuSeconds, f64::INFINITY);
    let bounds = [0.5, f64::INFINITY][..].into();
    values.set_dist(Dist::Ttft, Some(Histogram { bounds, counts: [3.0, 9.0].into(), sum: f64::NAN, count: 9.0 }));
    values.set_dist(Dist::Queue, Some(Histogram::plain(0.1 + 0.2, 9.0)));
    values
}

fn engine_page() -> EnginePage {
    let system = System {
        engine: "vllm".to_owned(),
        generation: Some("V1".to_owned()),
        phases: Finish::Live,
        probes_count_as_requests: true,
        gauges_lag_s: 30,
        open_files_witness: true,
        lacks: Vec::new(),
    };
    EnginePage {
        system: Arc::new(system),
        replicas: vec![ReplicaPage {
            engine: "0".to_owned(),
            model: Some("m".to_owned()),
            values: values(),
            ..ReplicaPage::default()
        }],
        families: vec![("ttft", "vllm:time_to_first_token_seconds".into()), ("running", "x".into())],
        series: 312,
        skipped: 1,
        first_skipped: Some("line 9: no value".to_owned()),
    }
}

fn gpu_page() -> GpuPage {
    let sample = GpuSample {
        sm_clock_hz: Some(1.98e9),
        temperature_c: Some(61.0),
        event_reasons: Some(0x20),
        row_remap_failed: Some(false),
        xid: Some(79),
        ..GpuSample::default()
    };
    let id = GpuId { node: Some("gpu-node-a".to_owned()), index: Some(3), uuid: Some("GPU-1".to_owned()) };
    let gpu = GpuReading { id, pod: Some("pod-a".to_owned()), product: Some("H100".to_owned()), sample };
    GpuPage { exporter: "dcgm".to_owned(), gpus: vec![gpu], series: 40, skipped: 0, first_skipped: None }
}

fn facts() -> ClusterFacts {
    let condition = Condition {
        kind: "Progressing".to_owned(),
        status: Some(true),
        reason: "ReplicaSetUpdated".to_owned(),
        message: "it goes on".to_owned(),
        since: Some(NINE),
        updated: Some(NINE),
    };
    let strategy = Strategy::Rolling { max_surge: "25%".to_owned(), max_unavailable: "0".to_owned() };
    let workload = Workload {
        uid: "u".to_owned(),
        desired: 3,
        strategy,
        conditions: vec![condition.clone()],
        managers: vec!["Helm", "Flux"],
        ..Workload::default()
    };
    let event = ClusterEvent {
        at: NINE,
        first: NINE.plus(-60.0),
        about: ("Pod".to_owned(), "pod-a".to_owned()),
        reason: "Unhealthy".to_owned(),
        message: "probe failed".to_owned(),
        count: 7,
        warning: true,
    };
    ClusterFacts {
        workload: Some(workload),
        revisions: vec![Revision { number: 42, template: Template::default(), ..Revision::default() }],
        pods: vec![Pod { last_exit: Some(("OOMKilled".to_owned(), 137)), restarts: 2, ..Pod::default() }],
        nodes: Some(vec![Node { taints: vec![Taint::default()], troubles: vec![condition], ..Node::default() }]),
        autoscaler: Some(Autoscaler { min: 1, max: 9, ..Autoscaler::default() }),
        events: vec![event],
        written: vec![Written { config_map: "tuning".to_owned(), by: "kubectl-edit".to_owned(), at: At(7) }],
    }
}

/// One of everything that can be observed, a second apart.
pub(crate) fn everything() -> Vec<Observation> {
    let placement = Placement {
        pod: Some("pod-a".to_owned()),
        node: Some("gpu-node-a".to_owned()),
        revision: Some(42),
        ready: Some(true),
        ..Placement::default()
    };
    let endpoint = |role, placement| Body::Endpoint {
        name: "pod-a".into(),
        role,
        reproduce: "curl x".to_owned(),
        reached: None,
        placement,
    };
    let page = |page| Body::Page { endpoint: "pod-a".into(), page };
    let failures = [
        Failure::Refused,
        Failure::TimedOut { connected: true, after_ms: 3_000 },
        Failure::Status { code: 503, loading: true },
        Failure::Redirected { to: "https://elsewhere".to_owned() },
        Failure::Cut,
        Failure::TooLarge { limit: 16_000_000 },
        Failure::NotMetrics("HTML".to_owned()),
        Failure::NotRecognised(vec!["node_load1".to_owned()]),
        Failure::Other("no such name".to_owned()),
    ];
    let watch = Watch { resource: "pods", state: SourceState::Denied, heard: None, error: Some("no".to_owned()) };
    let recorded = recorded("g_restart").remove(0).body;
    let facts = Arc::new(facts());
    let mut bodies = vec![
        recorded,
        endpoint(Role::Engine, Some(placement)),
        endpoint(Role::Gateway, None),
        page(Ok(Page::Engine(engine_page()))),
        page(Ok(Page::Gateway(engine_page()))),
        page(Ok(Page::Gpus(gpu_page()))),
        Body::Cluster(Arc::clone(&facts)),
        Body::Cluster(facts),
        Body::Cluster(Arc::default()),
        Body::Watch(watch),
    ];
    bodies.extend(failures.map(|failure| page(Err(failure))));
    bodies.push(Body::EndpointGone { name: "pod-a".into() });
    bodies.into_iter().zip(0_u32..).map(|(body, s)| Observation { at: NINE.plus(f64::from(s)), body }).collect()
}
