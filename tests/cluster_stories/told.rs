//! A small cluster whose every number is written down: engines tick every five seconds, Kubernetes says its last word at
//! the end, and all of it enters through [`Snapshot::observe`].

use std::sync::Arc;

use warroom::domain::{
    At, Body, ClusterFacts, Container, Dist, EnginePage, Failure, Finish, Gauge, GpuId, GpuPage, GpuReading, GpuSample,
    Histogram, Node, Observation, Page, Placement, Pod, Pool, ReplicaPage, Revision, Role, Slice, Snapshot,
    SourceState, System, Template, Total, Values, Watch, Workload, WorkloadKind, WorkloadRef,
};

/// The first page, and the seconds from one to the next.
const START: At = At(1_780_888_447_000);
const TICK_S: f64 = 5.0;

/// The moment of a tick.
pub(crate) fn at(tick: i64) -> At {
    #[expect(clippy::cast_precision_loss, reason = "a few hundred ticks")]
    let seconds = tick as f64 * TICK_S;
    START.plus(seconds)
}

/// What an engine does between two readings.
#[derive(Clone, Copy)]
pub(crate) struct Tick {
    pub(crate) requests: f64,
    pub(crate) queue_s: f64,
    pub(crate) prefill_s: f64,
    pub(crate) tokens: f64,
    pub(crate) gap_s: f64,
    pub(crate) running: f64,
    pub(crate) waiting: f64,
    pub(crate) kv: f64,
    pub(crate) preempted: f64,
    /// One transfer of KV cache per request; none, where this is 0.
    pub(crate) transfer_s: f64,
}

/// Two requests a second, a batch of four.
pub(crate) const CALM: Tick = Tick {
    requests: 10.0,
    queue_s: 0.0,
    prefill_s: 0.04,
    tokens: 1000.0,
    gap_s: 0.02,
    running: 4.0,
    waiting: 0.0,
    kv: 0.3,
    preempted: 0.0,
    transfer_s: 0.0,
};
/// Twice the requests, and a queue of six seconds before a batch that a flag bounds.
pub(crate) const QUEUE: Tick =
    Tick { requests: 20.0, queue_s: 6.0, tokens: 2000.0, running: 8.0, waiting: 60.0, ..CALM };
/// As many requests as ever, and a cache that is full.
pub(crate) const KV_THRASH: Tick =
    Tick { queue_s: 9.0, gap_s: 0.06, running: 60.0, waiting: 40.0, kv: 0.98, preempted: 3.0, ..CALM };

pub(crate) fn ticks(parts: &[(u32, Tick)]) -> Vec<Tick> {
    parts.iter().flat_map(|(n, tick)| vec![*tick; *n as usize]).collect()
}

fn histogram(bounds: &[f64], events: &[(f64, f64)]) -> Histogram {
    let upto = |bound: f64| events.iter().filter(|(value, _)| *value <= bound).map(|(_, n)| n).sum::<f64>();
    Histogram {
        bounds: bounds.to_vec().into(),
        counts: bounds.iter().map(|b| upto(*b)).collect::<Vec<_>>().into(),
        sum: events.iter().map(|(value, n)| value * n).sum(),
        count: upto(f64::INFINITY),
    }
}

/// A revision that was created at a tick, with these arguments.
pub(crate) fn revision(number: u64, tick: i64, args: &[&str]) -> Revision {
    let engine = Container {
        name: "vllm".into(),
        image: "vllm:0.32".into(),
        args: args.iter().map(|a| (*a).to_owned()).collect(),
        gpus: 1,
        ..Container::default()
    };
    Revision {
        number,
        name: format!("vllm-{number}"),
        created: Some(at(tick)),
        template: Template { containers: vec![engine], ..Template::default() },
        ..Revision::default()
    }
}

/// A pod that was created at a tick and is Ready since another one, if at all; its engine started two ticks after it was
/// created.
pub(crate) fn pod(name: &str, node: &str, revision: u64, created: i64, ready: Option<i64>) -> Pod {
    Pod {
        name: name.to_owned(),
        node: Some(node.to_owned()),
        revision: Some(revision),
        phase: "Running".into(),
        ready: ready.is_some(),
        created: Some(at(created)),
        scheduled: Some(at(created)),
        initialized: Some(at(created)),
        started: Some(at(created + 2)),
        ready_since: ready.map(at),
        gpus: 1,
        ..Pod::default()
    }
}

/// What is told, in the order in which it is told.
pub(crate) struct World {
    pub(crate) snapshot: Snapshot,
    pub(crate) facts: ClusterFacts,
    /// The share of a GPU's memory that engines from now on say they may use.
    pub(crate) memory_share: f64,
    /// Drafted and accepted tokens per produced one, of engines from a tick on: none drafts, where there is none.
    pub(crate) drafts: Option<(u32, f64, f64)>,
    watches: Vec<Watch>,
    gateway: (f64, f64, f64, f64),
    /// The part of the engines that play next, and the workload that they belong to where it is another one.
    pub(crate) pool: Option<Pool>,
    pub(crate) sibling: Option<&'static str>,
    /// First tokens that a gateway has counted, by whose requests they are.
    told: std::collections::BTreeMap<String, Vec<(f64, f64)>>,
    /// Whether prefillers count first tokens: vLLM's do, SGLang's do not.
    pub(crate) prefill_counts: bool,
}

impl World {
    pub(crate) fn new() -> Self {
        let snapshot = Snapshot {
            interval_s: TICK_S,
            target: Some(WorkloadRef {
                context: "prod".into(),
                namespace: "llm".into(),
                kind: WorkloadKind::Deployment,
                name: "vllm".into(),
            }),
            ..Snapshot::default()
        };
        let nodes = ["node-1", "node-2", "node-3"].map(|name| Node {
            name: name.to_owned(),
            ready: Some(true),
            gpus: 8,
            gpus_taken: Some(8),
            ..Node::default()
        });
        let facts = ClusterFacts {
            workload: Some(Workload { desired: 2, ready: 2, revision: Some(41), ..Workload::default() }),
            revisions: vec![revision(41, -100_000, &["--max-num-seqs", "256"])],
            nodes: Some(nodes.to_vec()),
            ..ClusterFacts::default()
        };
        Self {
            snapshot,
            facts,
            memory_share: 0.9,
            drafts: None,
            watches: Vec::new(),
            gateway: (0.0, 0.0, 0.0, 0.0),
            pool: None,
            sibling: None,
            prefill_counts: true,
            told: std::collections::BTreeMap::new(),
        }
    }

    pub(crate) fn workload(&mut self) -> &mut Workload {
        self.facts.workload.as_mut().expect("a workload")
    }

    fn observe(&mut self, at: At, body: Body) {
        self.snapshot.observe(Observation { at, body });
    }

    fn endpoint(&mut self, name: &str, role: Role, tick: u32, placement: Option<Placement>) {
        let body = Body::Endpoint { name: name.into(), role, reproduce: String::new(), reached: None, placement };
        self.observe(at(i64::from(tick)), body);
    }

    /// An engine whose first page comes at a tick.
    pub(crate) fn plays(&mut self, name: &str, node: &str, revision: u64, from: u32, ticks: &[Tick]) {
        let placement = Placement {
            pod: Some(name.to_owned()),
            node: Some(node.to_owned()),
            revision: Some(revision),
            ready: Some(true),
            pool: self.pool,
            workload: self.sibling.map(str::to_owned),
            ..Placement::default()
        };
        let prefills = self.pool == Some(Pool::Prefill);
        self.endpoint(name, Role::Engine, from, Some(placement));
        let (mut first, mut gaps) = (Vec::new(), Vec::new());
        let (mut requests, mut tokens, mut queue_s, mut prefill_s, mut preempted) = (0.0, 0.0, 0.0, 0.0, 0.0);
        let (mut transfer_s, mut drafted, mut accepted) = (0.0, 0.0, 0.0);
        for (i, tick) in (from..).zip(ticks) {
            requests += tick.requests;
            tokens += if prefills { tick.requests } else { tick.tokens };
            queue_s += tick.requests * tick.queue_s;
            prefill_s += tick.requests * tick.prefill_s;
            preempted += tick.preempted;
            transfer_s += tick.requests * tick.transfer_s;
            first.push((tick.queue_s + tick.prefill_s, tick.requests));
            gaps.push((tick.gap_s, tick.tokens));
            let mut values = Values::default();
            values.set_gauge(Gauge::ProcessStart, at(i64::from(from)).since(At(0)) - 300.0);
            values.set_gauge(Gauge::Running, tick.running);
            values.set_gauge(Gauge::Waiting, tick.waiting);
            values.set_gauge(Gauge::KvUsage, tick.kv);
            values.set_gauge(Gauge::MemoryShare, self.memory_share);
            values.set_total(Total::Finished, requests);
            values.set_total(Total::GenerationTokens, tokens);
            values.set_total(Total::PromptTokens, requests * 500.0);
            values.set_total(Total::Preemptions, preempted);
            if let Some((fall, before, after)) = self.drafts {
                drafted += 3.0 * tick.tokens;
                accepted += 3.0 * tick.tokens * if i < fall { before } else { after };
                values.set_total(Total::DraftTokens, drafted);
                values.set_total(Total::AcceptedTokens, accepted);
            }
            if !prefills || self.prefill_counts {
                values.set_dist(Dist::Ttft, Some(histogram(&[0.1, 0.5, 1.0, 2.5, 10.0, f64::INFINITY], &first)));
            }
            // A prefiller makes one token, and there is no gap before it.
            let gaps: &[(f64, f64)] = if prefills { &[] } else { &gaps };
            values.set_dist(Dist::Itl, Some(histogram(&[0.025, 0.05, 0.1, 0.2, 1.0, f64::INFINITY], gaps)));
            if transfer_s > 0.0 {
                values.set_dist(Dist::KvTransfer, Some(Histogram::plain(transfer_s, requests)));
            }
            values.set_dist(Dist::Queue, Some(Histogram::plain(queue_s, requests)));
            values.set_dist(Dist::Prefill, Some(Histogram::plain(prefill_s, requests)));
            values.set_dist(Dist::E2e, Some(Histogram::plain(requests * 2.0 + queue_s, requests)));
            let system = System { engine: "vllm".to_owned(), phases: Finish::AtFinish, ..System::default() };
            let replica = ReplicaPage { model: Some("m".into()), values, ..ReplicaPage::default() };
            let page = EnginePage { system: system.into(), replicas: vec![replica], ..EnginePage::default() };
            self.observe(at(i64::from(i)), Body::Page { endpoint: name.into(), page: Ok(Page::Engine(page)) });
        }
    }

    /// An engine that answers nobody.
    pub(crate) fn refuses(&mut self, name: &str, from: u32, to: u32) {
        let placement = Placement { pod: Some(name.to_owned()), ..Placement::default() };
        self.endpoint(name, Role::Engine, from, Some(placement));
        self.fails(name, from, to, &Failure::Refused);
    }

    pub(crate) fn fails(&mut self, name: &str, from: u32, to: u32, failure: &Failure) {
        for i in from..to {
            let body = Body::Page { endpoint: name.into(), page: Err(failure.clone()) };
            self.observe(at(i64::from(i)), body);
        }
    }

    pub(crate) fn gone(&mut self, name: &str, tick: u32) {
        self.observe(at(i64::from(tick)), Body::EndpointGone { name: name.into() });
    }

    /// The gateway between two ticks: requests a tick, its own seconds on each, and how many of them get an error.
    pub(crate) fn gateway(&mut self, from: u32, to: u32, requests: f64, own_s: f64, errors: f64) {
        self.endpoint("gateway", Role::Gateway, from, None);
        for i in from..to {
            let (all, total, upstream, bad) = &mut self.gateway;
            *all += requests;
            *upstream += 2.0 * requests;
            *total += (2.0 + own_s) * requests;
            *bad += errors;
            let mut values = Values::default();
            values.set_total(Total::GatewayRequests, *all);
            values.set_total(Total::GatewayErrors, *bad);
            values.set_dist(Dist::GatewayTotal, Some(Histogram::plain(*total, *all)));
            values.set_dist(Dist::GatewayUpstream, Some(Histogram::plain(*upstream, *all)));
            let system = System { engine: "envoy".to_owned(), ..System::default() };
            let replica = ReplicaPage { values, ..ReplicaPage::default() };
            let page = EnginePage { system: system.into(), replicas: vec![replica], ..EnginePage::default() };
            self.observe(at(i64::from(i)), Body::Page { endpoint: "gateway".into(), page: Ok(Page::Gateway(page)) });
        }
    }

    /// A gateway that measures its own first byte: so many requests per tick, two seconds each.
    pub(crate) fn streaming_gateway(&mut self, from: u32, to: u32, requests: f64, first_s: f64) {
        self.endpoint("ai-gateway", Role::Gateway, from, None);
        for i in from..to {
            let (all, total, first, _) = &mut self.gateway;
            *all += requests;
            *total += 2.0 * requests;
            *first += first_s * requests;
            let mut values = Values::default();
            values.set_dist(Dist::GatewayTotal, Some(Histogram::plain(*total, *all)));
            values.set_dist(Dist::GatewayTtft, Some(Histogram::plain(*first, *all)));
            let system = System { engine: "ai-gateway".to_owned(), ..System::default() };
            let replica = ReplicaPage { values, ..ReplicaPage::default() };
            let page = EnginePage { system: system.into(), replicas: vec![replica], ..EnginePage::default() };
            self.observe(at(i64::from(i)), Body::Page { endpoint: "ai-gateway".into(), page: Ok(Page::Gateway(page)) });
        }
    }

    /// A gateway that tells requests apart between two ticks: of each kind so many per tick, and their first token after so
    /// long.
    pub(crate) fn sliced_gateway(&mut self, from: u32, to: u32, kinds: &[(Slice, f64, f64)]) {
        self.sliced(from, to, (Dist::GatewayTtft, &[0.1, 0.5, 1.0, 2.5, 10.0, f64::INFINITY]), kinds);
    }

    /// A gateway that tells times per output token apart: of each kind so many requests or tokens per tick, and how long each
    /// token of theirs took.
    pub(crate) fn sliced_tokens(&mut self, from: u32, to: u32, dist: Dist, kinds: &[(Slice, f64, f64)]) {
        self.sliced(from, to, (dist, &[0.025, 0.05, 0.1, 0.2, 1.0, f64::INFINITY]), kinds);
    }

    fn sliced(&mut self, from: u32, to: u32, (dist, bounds): (Dist, &[f64]), kinds: &[(Slice, f64, f64)]) {
        self.endpoint("ai-gateway", Role::Gateway, from, None);
        for i in from..to {
            let mut replicas = Vec::new();
            for (slice, events, seconds) in kinds {
                let told = self.told.entry(slice.to_string()).or_default();
                told.push((*seconds, *events));
                let mut values = Values::default();
                values.set_dist(dist, Some(histogram(bounds, told)));
                let (engine, slice) = (slice.to_string(), Some(slice.clone()));
                replicas.push(ReplicaPage { engine, slice, values, ..ReplicaPage::default() });
            }
            let system = System { engine: "ai-gateway".to_owned(), ..System::default() };
            let families = vec![(dist.name(), dist.name().replace("gateway", "ai_gateway").into())];
            let page = EnginePage { system: system.into(), replicas, families, ..EnginePage::default() };
            self.observe(at(i64::from(i)), Body::Page { endpoint: "ai-gateway".into(), page: Ok(Page::Gateway(page)) });
        }
    }

    /// One GPU of a node at a tick.
    pub(crate) fn gpu(&mut self, node: &str, pod: &str, tick: u32, sample: GpuSample) {
        self.gpu_of(node, pod, 0, tick, sample);
    }

    /// One of several GPUs of a node at a tick.
    pub(crate) fn gpu_of(&mut self, node: &str, pod: &str, index: u32, tick: u32, sample: GpuSample) {
        let reading = GpuReading {
            id: GpuId { node: Some(node.to_owned()), index: Some(index), uuid: None },
            pod: Some(pod.to_owned()),
            product: Some("H100".into()),
            sample,
        };
        let page = GpuPage { exporter: "dcgm".into(), gpus: vec![reading], ..GpuPage::default() };
        let endpoint: Arc<str> = format!("dcgm-{node}").into();
        self.observe(at(i64::from(tick)), Body::Page { endpoint, page: Ok(Page::Gpus(page)) });
    }

    /// A watch, heard at a tick; the last word on a resource stands.
    pub(crate) fn watch(&mut self, resource: &'static str, state: SourceState, tick: i64, error: Option<&str>) {
        let watch = Watch { resource, state, heard: Some(at(tick)), error: error.map(str::to_owned) };
        self.snapshot.observe(Observation { at: at(tick), body: Body::Watch(watch.clone()) });
        self.watches.push(watch);
    }

    /// Ends the story just after the last page before a tick, with Kubernetes' last word.
    pub(crate) fn ends(mut self, tick: u32) -> Self {
        let now = at(i64::from(tick) - 1).plus(1.0);
        let facts = Arc::new(self.facts.clone());
        self.observe(at(i64::from(tick) - 1), Body::Cluster(facts));
        self.snapshot.now = now;
        self
    }
}
