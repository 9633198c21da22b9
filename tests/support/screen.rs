//! War rooms to look at: recorded engines on a made-up cluster, judged by the real diagnosis.

use std::sync::Arc;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use warroom::action::guard;
use warroom::app::{App, Event, Settings};
use warroom::diagnosis::{Diagnosis, Policy, WindowBurn, diagnose};
use warroom::dialect::Catalogue;
use warroom::domain::{
    At, Autoscaler, ClusterEvent, ClusterFacts, Container, Endpoint, GpuId, GpuReading, GpuSample, GpuTrack, Node,
    Placement, Pod, RawTemplate, Revision, Snapshot, SourceState, Strategy, Template, Watch, Workload, WorkloadKind,
    WorkloadRef,
};
use warroom::runbook::Who;
use warroom::source::engine::Decoder;
use warroom::source::pages::Recording;
use warroom::ui::theme::Theme;
use warroom::ui::{Colours, Keymap, Look, view};

use crate::incident::{capture, policy};

/// The workload of every story here.
pub(crate) fn target() -> WorkloadRef {
    WorkloadRef {
        context: "prod-use1".to_owned(),
        namespace: "llm-serving".to_owned(),
        kind: WorkloadKind::Deployment,
        name: "vllm-runtime".to_owned(),
    }
}

/// A recording as the page of a pod, as of `seconds` after its first page; also that moment.
fn replica(recorded: &str, pod: &str, node: &str, revision: u64, seconds: f64) -> (Endpoint, At) {
    let decoder = Decoder::new(Arc::new(Catalogue::embedded(&[]).expect("the dialects load")));
    let recording = Recording::open(&capture(recorded)).expect("the capture is there");
    let now = recording.first().expect("there is a page").plus(seconds);
    let mut endpoint = recording.read(now, &decoder);
    pod.clone_into(&mut endpoint.name);
    endpoint.reproduce =
        format!("kubectl --context prod-use1 get --raw /api/v1/namespaces/llm-serving/pods/{pod}:8000/proxy/metrics");
    endpoint.placements = vec![Placement {
        pod: Some(pod.to_owned()),
        node: Some(node.to_owned()),
        revision: Some(revision),
        ready: Some(true),
        ..Placement::default()
    }];
    (endpoint, now)
}

fn template(max_num_seqs: &str, image: &str) -> Template {
    let args = [
        "serve",
        "meta-llama/Llama-3.3-70B-Instruct",
        "--max-num-seqs",
        max_num_seqs,
        "--gpu-memory-utilization",
        "0.92",
    ];
    let engine = Container {
        name: "vllm".to_owned(),
        image: image.to_owned(),
        args: args.iter().map(|a| (*a).to_owned()).collect(),
        gpus: 1,
        ports: vec![("http".to_owned(), 8000)],
        ..Container::default()
    };
    Template { containers: vec![engine], ..Template::default() }
}

/// The same as the API server would send it, with what a client of today does not know.
fn raw(template: &Template) -> RawTemplate {
    let engine = &template.containers[0];
    serde_json::json!({
        "metadata": {"labels": {"app": "vllm"}, "annotations": {"prometheus.io/port": "8000"}},
        "spec": {
            "containers": [{
                "name": engine.name, "image": engine.image, "args": engine.args,
                "env": [{"name": "HF_TOKEN", "value": "hf_s3cret"}],
                "ports": [{"name": "http", "containerPort": 8000}],
                "resources": {"limits": {"nvidia.com/gpu": "1"}, "requests": {"nvidia.com/gpu": "1"}}
            }],
            "nodeSelector": {"pool": "h100"}, "restartPolicy": "Always", "terminationGracePeriodSeconds": 120
        }
    })
    .into()
}

fn pod(name: &str, node: &str, revision: u64, created: At, load_s: f64) -> Pod {
    Pod {
        name: name.to_owned(),
        uid: format!("uid-{name}"),
        node: Some(node.to_owned()),
        ip: Some("10.42.7.19".to_owned()),
        revision: Some(revision),
        phase: "Running".to_owned(),
        ready: true,
        created: Some(created),
        scheduled: Some(created.plus(1.0)),
        initialized: Some(created.plus(2.0)),
        started: Some(created.plus(20.0)),
        ready_since: Some(created.plus(20.0 + load_s)),
        gpus: 1,
        metrics_port: Some(8000),
        ..Pod::default()
    }
}

/// The cluster of the incident: a rollout, an autoscaler that answered it, and a third replica that still loads.
fn cluster(now: At, loading: bool) -> ClusterFacts {
    let revision = |number, hash: &str, created, desired, ready, template| Revision {
        number,
        name: format!("vllm-runtime-{hash}"),
        uid: format!("uid-{hash}"),
        hash: Some(hash.to_owned()),
        created: Some(created),
        desired,
        ready,
        raw_template: raw(&template),
        template,
        change_cause: (number == 42).then(|| "raise batch for throughput (#1182)".to_owned()),
        ..Revision::default()
    };
    let (old, new) = (template("256", "vllm/vllm-openai:v0.32.0"), template("512", "vllm/vllm-openai:v0.32.0"));
    let mut pods = vec![
        pod("vllm-runtime-7c9d4f6b5-2xkqp", "gpu-node-a", 42, now.plus(-900.0), 270.0),
        pod("vllm-runtime-7c9d4f6b5-m8zrt", "gpu-node-b", 42, now.plus(-880.0), 265.0),
    ];
    if loading {
        let mut third = pod("vllm-runtime-7c9d4f6b5-x7k2w", "gpu-node-c", 42, now.plus(-275.0), 0.0);
        (third.ready, third.ready_since) = (false, None);
        pods.push(third);
    }
    let wanted = if loading { 3 } else { 2 };
    ClusterFacts {
        workload: Some(Workload {
            uid: "uid-w".to_owned(),
            created: Some(now.plus(-9e5)),
            generation: 42,
            observed_generation: 42,
            desired: wanted,
            existing: wanted,
            updated: wanted,
            ready: 2,
            available: 2,
            revision: Some(42),
            raw_template: raw(&new),
            template: new.clone(),
            strategy: Strategy::Rolling { max_surge: "1".to_owned(), max_unavailable: "0".to_owned() },
            progress_deadline_s: Some(600),
            managers: vec!["Helm"],
            ..Workload::default()
        }),
        revisions: vec![
            revision(41, "5f7b8c9d4", now.plus(-8.6e5), 0, 0, old),
            revision(42, "7c9d4f6b5", now.plus(-910.0), wanted, 2, new),
        ],
        pods,
        nodes: Some(
            ["gpu-node-a", "gpu-node-b", "gpu-node-c"]
                .iter()
                .map(|name| Node {
                    name: (*name).to_owned(),
                    ready: Some(true),
                    gpus: 1,
                    gpus_taken: Some(1),
                    gpu_product: Some("NVIDIA-H100-80GB-HBM3".to_owned()),
                    ..Node::default()
                })
                .collect(),
        ),
        autoscaler: Some(Autoscaler {
            kind: "HorizontalPodAutoscaler".to_owned(),
            name: "vllm-runtime".to_owned(),
            min: 2,
            max: 6,
            current: 2,
            desired: wanted,
            uid: "uid-hpa".to_owned(),
            declared_min: Some(2),
            metrics: vec!["cpu 80%".to_owned()],
            last_scaled: loading.then(|| now.plus(-280.0)),
            ..Autoscaler::default()
        }),
        written: Vec::new(),
        events: if loading {
            vec![ClusterEvent {
                at: now.plus(-280.0),
                first: now.plus(-280.0),
                about: ("HorizontalPodAutoscaler".to_owned(), "vllm-runtime".to_owned()),
                reason: "SuccessfulRescale".to_owned(),
                message: "New size: 3; reason: cpu resource utilization (percentage of request) above target"
                    .to_owned(),
                count: 1,
                warning: false,
            }]
        } else {
            Vec::new()
        },
    }
}

fn gpu(node: &str, index: u32, sample: &GpuSample, at: At) -> GpuTrack {
    let mut track = GpuTrack::default();
    let id = GpuId { node: Some(node.to_owned()), index: Some(index), uuid: Some(format!("GPU-{index}a1b2c3d4")) };
    track.id = id.clone();
    track.source = "dcgm".into();
    for back in (0..12).rev() {
        let reading = GpuReading {
            id: id.clone(),
            pod: Some("vllm-runtime-7c9d4f6b5-2xkqp".to_owned()),
            product: Some("NVIDIA H100 80GB HBM3".to_owned()),
            sample: sample.clone(),
        };
        track.push(at.plus(-5.0 * f64::from(back)), reading);
    }
    track
}

fn gpus(now: At) -> Vec<GpuTrack> {
    let fine = GpuSample {
        sm_clock_hz: Some(1.98e9),
        sm_clock_max_hz: Some(1.98e9),
        temperature_c: Some(61.0),
        power_w: Some(540.0),
        power_limit_w: Some(700.0),
        utilisation: Some(1.0),
        memory_used_bytes: Some(7.7e10),
        memory_total_bytes: Some(8.5e10),
        ..GpuSample::default()
    };
    let hot = GpuSample {
        sm_clock_hz: Some(1.2e9),
        temperature_c: Some(88.0),
        power_w: Some(410.0),
        event_reasons: Some(0x40),
        ecc_uncorrected_volatile: Some(0),
        ..fine.clone()
    };
    vec![gpu("gpu-node-a", 0, &fine, now), gpu("gpu-node-b", 0, &hot, now)]
}

fn watches(now: At, state: SourceState, error: Option<&str>) -> Vec<Watch> {
    ["deployments", "replicasets", "pods", "nodes", "horizontalpodautoscalers", "events"]
        .into_iter()
        .map(|resource| Watch {
            resource,
            state,
            heard: (state == SourceState::Live).then_some(now),
            error: error.map(str::to_owned),
        })
        .collect()
}

/// A snapshot, and how it is judged.
pub(crate) struct Story {
    pub(crate) snapshot: Snapshot,
    pub(crate) policy: Policy,
}

/// Two replicas of a revision that thrashes its cache, a third one loading.
pub(crate) fn breach() -> Story {
    let (a, now) = replica("f_kv_preempt", "vllm-runtime-7c9d4f6b5-2xkqp", "gpu-node-a", 42, 62.0);
    let (b, _) = replica("f_kv_preempt", "vllm-runtime-7c9d4f6b5-m8zrt", "gpu-node-b", 42, 60.0);
    let mut third = Endpoint::new("vllm-runtime-7c9d4f6b5-x7k2w", "");
    third.failed(now, warroom::domain::Failure::Refused);
    let snapshot = Snapshot {
        now,
        interval_s: 5.0,
        target: Some(target()),
        endpoints: vec![a, b, third],
        gpus: gpus(now),
        cluster: Some((now, Arc::new(cluster(now, true)))),
        watches: watches(now, SourceState::Live, None),
        ..Snapshot::default()
    };
    Story { snapshot, policy: policy(1.0, 0.05) }
}

/// Two replicas with light traffic.
pub(crate) fn healthy() -> Story {
    let (a, now) = replica("b_light", "vllm-runtime-7c9d4f6b5-2xkqp", "gpu-node-a", 42, 95.0);
    let (b, _) = replica("b_light", "vllm-runtime-7c9d4f6b5-m8zrt", "gpu-node-b", 42, 95.0);
    let mut facts = cluster(now, false);
    for pod in &mut facts.pods {
        *pod = self::pod(&pod.name, pod.node.as_deref().unwrap_or(""), 42, now.plus(-90_000.0), 270.0);
    }
    for revision in &mut facts.revisions {
        revision.created = revision.created.map(|at| at.plus(-90_000.0));
    }
    let snapshot = Snapshot {
        now,
        interval_s: 5.0,
        target: Some(target()),
        endpoints: vec![a, b],
        cluster: Some((now, Arc::new(facts))),
        watches: watches(now, SourceState::Live, None),
        ..Snapshot::default()
    };
    Story { snapshot, policy: policy(1.0, 0.05) }
}

/// The breach, a minute after everything stopped answering.
pub(crate) fn stale() -> Story {
    let mut story = breach();
    story.snapshot.now = story.snapshot.now.plus(75.0);
    let now = story.snapshot.now;
    for endpoint in &mut story.snapshot.endpoints {
        endpoint.failed(now, warroom::domain::Failure::TimedOut { connected: false, after_ms: 3000 });
    }
    for watch in &mut story.snapshot.watches {
        watch.state = SourceState::Stale;
        watch.error = Some("no answer for 75 s: it is tried again".to_owned());
    }
    story
}

/// Engines answer, and Kubernetes allows nothing.
pub(crate) fn denied() -> Story {
    let mut story = healthy();
    story.snapshot.cluster = None;
    let why = "pods is forbidden: User \"oncall\" cannot list resource \"pods\" in API group \"\" in the namespace \"llm-serving\"";
    story.snapshot.watches = watches(story.snapshot.now, SourceState::Denied, Some(why));
    story
}

/// Nothing has answered yet.
pub(crate) fn connecting() -> Story {
    let snapshot =
        Snapshot { now: At(1_780_888_447_000), interval_s: 5.0, target: Some(target()), ..Snapshot::default() };
    Story { snapshot, policy: policy(2.5, 0.05) }
}

/// What the diagnosis says of a story; what a minute of recording cannot hold (an hour's burn) is added.
pub(crate) fn judged(story: &Story) -> Diagnosis {
    let mut d = diagnose(&story.snapshot, &story.policy);
    for row in &mut d.slo {
        if row.status == warroom::domain::RowStatus::Breach {
            row.paging = Some(true);
            row.windows.retain(|w| w.window_s != 3600.0);
            row.windows.push(WindowBurn {
                window_s: 3600.0,
                observed_s: 3600.0,
                count: 21_000.0,
                bad: 3_045.0,
                burn: Some(14.5),
                told: false,
            });
        }
    }
    d
}

/// A war room that has judged a story, a second ago, and only reads.
pub(crate) fn room(story: &Story) -> App {
    room_of(story, guard::Policy::default(), false)
}

/// The same with what may be changed, and whether it looks for earlier records first.
pub(crate) fn room_of(story: &Story, guard: guard::Policy, awaits_records: bool) -> App {
    let mut settings = Settings::new(story.snapshot.clone(), story.policy.clone());
    settings.guard = guard;
    settings.awaits_records = awaits_records;
    settings.who = Who { user: "alice".to_owned(), host: "bastion".to_owned() };
    settings.contacting = vec!["kubernetes prod-use1 (https://10.0.0.1:6443)".to_owned()];
    let mut app = App::new(settings);
    let now = story.snapshot.now;
    if story.snapshot.endpoints.is_empty() {
        app.update(Event::Tick(now));
    } else {
        app.judged(judged(story));
    }
    app.update(Event::Tick(now.plus(1.0)));
    app
}

/// How it looks by default.
pub(crate) fn look() -> Look {
    Look::new(&Theme::default(), Colours::Palette256, false)
}

/// The screen.
pub(crate) fn draw(app: &App, look: &Look, columns: u16, rows: u16) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).expect("a terminal");
    terminal.draw(|frame| view(app, &Keymap::default(), look, frame)).expect("a frame");
    terminal.backend().buffer().clone()
}
