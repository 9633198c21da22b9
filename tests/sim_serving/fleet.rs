//! A cluster of the simplest kind around a model: it starts containers, replaces them all at once, and adds one where too
//! many wait. What Kubernetes really does is tested where it is imitated.

use std::collections::BTreeMap;
use std::sync::Arc;

use warroom::dialect::{Catalogue, Memory};
use warroom::domain::{At, Dist, EnginePage, Gauge, Histogram, Page, Total};
use warroom::sim::scenario::{ClusterChange, Scenario};
use warroom::sim::serving::{Happened, Launch, Model, Serving};
use warroom::source::engine::Decoder;

/// 2026-06-08T01:14:07Z.
pub(crate) const START: At = At(1_780_881_247_000);

#[derive(Debug)]
struct Pod {
    name: String,
    node: String,
    gpus: Vec<u32>,
    serving: bool,
    /// The generation of the template that it was made from.
    made: usize,
    dies: Option<At>,
    /// Whether it computes prompts for the others, who alone are routed to.
    prefills: bool,
}

pub(crate) struct Fleet {
    pub(crate) scenario: Scenario,
    pub(crate) model: Model,
    pub(crate) now: At,
    step_s: f64,
    pods: Vec<Pod>,
    made: usize,
    count: usize,
    wanted: usize,
    args: Vec<String>,
    image: String,
    pulled: Vec<String>,
    /// Containers that are being pulled: when they start.
    pulling: Vec<(At, String, Vec<u32>)>,
    /// Those that compute prompts for the others are on their way.
    prefillers: usize,
    changes: Vec<(At, ClusterChange)>,
    autoscale: bool,
    pub(crate) log: Vec<(f64, String)>,
    decoder: Decoder,
    memories: BTreeMap<String, Memory>,
}

impl Fleet {
    pub(crate) fn new(scenario: &Scenario, seed: u64) -> Self {
        let changes = scenario.changes().into_iter().map(|(s, change)| (START.plus(s), change)).collect();
        let mut fleet = Self {
            model: Model::new(scenario, seed, START),
            now: START,
            step_s: 1.0,
            pods: Vec::new(),
            made: 0,
            count: 0,
            wanted: scenario.workload.replicas as usize,
            args: scenario.workload.args.clone(),
            image: scenario.workload.image.clone(),
            pulled: scenario.nodes.iter().map(|node| node.name.clone()).collect(),
            pulling: Vec::new(),
            prefillers: 0,
            changes,
            autoscale: true,
            log: Vec::new(),
            scenario: scenario.clone(),
            decoder: Decoder::new(Arc::new(Catalogue::embedded(&[]).expect("dialects"))),
            memories: BTreeMap::new(),
        };
        for _ in 0..fleet.wanted {
            fleet.start();
        }
        let prefillers = scenario.prefill.as_ref().map_or(0, |prefill| prefill.replicas as usize);
        for _ in 0..prefillers {
            fleet.start();
        }
        fleet.prefillers = prefillers;
        // Only nodes that ran it have the image.
        fleet.pulled = fleet.pulling.iter().map(|(_, node, _)| node.clone()).collect();
        fleet
    }

    pub(crate) fn stepping(mut self, step_s: f64) -> Self {
        self.step_s = step_s;
        self
    }

    fn note(&mut self, what: String) {
        self.log.push((self.now.since(START), what));
    }

    /// A pod on the first node with room for it.
    fn start(&mut self) {
        let need = self.scenario.workload.gpus as usize;
        let nodes = self.scenario.nodes.clone();
        // The emptiest node first, as a scheduler spreads pods.
        let mut order: Vec<_> = nodes.iter().collect();
        order.sort_by_key(|node| {
            let held = self.pods.iter().filter(|pod| pod.node == node.name).count();
            held + self.pulling.iter().filter(|(_, name, _)| *name == node.name).count()
        });
        for node in order {
            let taken: Vec<u32> = self
                .pods
                .iter()
                .filter(|pod| pod.node == node.name)
                .flat_map(|pod| pod.gpus.clone())
                .chain(self.pulling.iter().filter(|(_, n, _)| *n == node.name).flat_map(|(.., gpus)| gpus.clone()))
                .collect();
            let free: Vec<u32> = (0..node.gpus).filter(|gpu| !taken.contains(gpu)).take(need).collect();
            if free.len() == need {
                let pull = if self.pulled.contains(&node.name) { 1.0 } else { self.scenario.workload.pull.0 };
                self.pulled.push(node.name.clone());
                self.pulling.push((self.now.plus(pull), node.name.clone(), free));
                return;
            }
        }
        self.note("no room".to_owned());
    }

    fn launch_due(&mut self) {
        let (due, later) = std::mem::take(&mut self.pulling).into_iter().partition(|(at, ..)| *at <= self.now);
        self.pulling = later;
        let due: Vec<(At, String, Vec<u32>)> = due;
        for (_, node, gpus) in due {
            self.count += 1;
            let prefills = self.count <= self.prefillers;
            let part = if prefills { "prefill" } else { "runtime" };
            let name = format!("vllm-{part}-{}-{}", self.made, self.count);
            let prefill = self.scenario.prefill.as_ref().filter(|_| prefills);
            let args = prefill.map_or_else(|| self.args.clone(), |prefill| prefill.args(&self.args));
            self.note(format!("launch {name} on {node}"));
            let launch = Launch {
                pod: name.clone(),
                ip: format!("10.0.0.{}", self.count),
                node: node.clone(),
                gpus: gpus.clone(),
                args,
                image: self.image.clone(),
            };
            self.model.launch(self.now, launch);
            self.pods.push(Pod { name, node, gpus, serving: false, made: self.made, dies: None, prefills });
        }
    }

    fn change(&mut self, change: ClusterChange) {
        self.note(format!("{change:?}").chars().take(60).collect());
        match change {
            ClusterChange::Template { args, image, .. } => {
                (self.args, self.image) = (args, image);
                self.made += 1;
                for _ in 0..self.wanted {
                    self.start();
                }
            }
            ClusterChange::Scale(replicas) => {
                let have = self.pods.iter().filter(|pod| pod.dies.is_none()).count();
                self.wanted = replicas as usize;
                for _ in have..self.wanted {
                    self.start();
                }
            }
            ClusterChange::DeletePods(pods) => {
                let now = self.now;
                for pod in self.pods.iter_mut().filter(|pod| pod.dies.is_none()).take(pods as usize) {
                    pod.dies = Some(now.plus(30.0));
                }
                self.route();
                for _ in 0..pods {
                    self.start();
                }
            }
            // Of the whole cluster alone.
            ClusterChange::Cordon(_) | ClusterChange::Autoscaler(_) | ClusterChange::Config(_) => {}
            ClusterChange::PullSeconds(seconds) => self.scenario.workload.pull.0 = seconds,
        }
    }

    fn route(&mut self) {
        let pods = self.serving();
        self.model.route(self.now, &pods);
    }

    fn tick(&mut self) {
        self.now = self.now.plus(1.0);
        let mut at = At(self.now.0 - 1000);
        let mut happened = Vec::new();
        while at < self.now {
            at = at.plus(self.step_s).min(self.now);
            happened.extend(self.model.advance(at));
        }
        for event in happened {
            self.note(format!("{event:?}"));
            if let Happened::Serving { pod, .. } = event {
                self.pods.iter_mut().filter(|p| p.name == pod).for_each(|p| p.serving = true);
                // For each new one that serves an old one goes.
                let (now, made) = (self.now, self.made);
                let old = self.pods.iter_mut().find(|p| p.made < made && p.dies.is_none());
                if let Some(old) = old {
                    old.dies = Some(now.plus(30.0));
                }
                self.route();
            }
        }
        while self.changes.first().is_some_and(|(at, _)| *at <= self.now) {
            let (_, change) = self.changes.remove(0);
            self.change(change);
        }
        self.launch_due();
        let dying: Vec<String> =
            self.pods.iter().filter(|p| p.dies.is_some_and(|at| at <= self.now)).map(|p| p.name.clone()).collect();
        for pod in dying {
            self.model.kill(self.now, &pod);
            self.pods.retain(|p| p.name != pod);
        }
        self.autoscale();
    }

    fn autoscale(&mut self) {
        let Some(scaler) = self.scenario.autoscaler.clone().filter(|_| self.autoscale) else { return };
        if self.now.0 / 1000 % 15 != 0 || self.wanted >= scaler.max as usize {
            return;
        }
        let loads: Vec<f64> = self.serving().iter().filter_map(|pod| self.model.load(pod)).map(|l| l.waiting).collect();
        if !loads.is_empty() && loads.iter().sum::<f64>() / loads.len() as f64 > f64::from(scaler.target) * 1.1 {
            self.wanted += 1;
            self.note("scaled up".to_owned());
            self.start();
        }
    }

    pub(crate) fn serving(&self) -> Vec<String> {
        self.pods.iter().filter(|p| p.serving && p.dies.is_none() && !p.prefills).map(|p| p.name.clone()).collect()
    }

    /// Those that compute prompts for the others.
    pub(crate) fn prefillers(&self) -> Vec<String> {
        self.pods.iter().filter(|p| p.prefills).map(|p| p.name.clone()).collect()
    }

    /// Lets time pass until so many seconds after the beginning.
    pub(crate) fn until(&mut self, seconds: f64) -> &mut Self {
        while self.now.since(START) < seconds {
            self.tick();
        }
        self
    }

    /// Containers that are there and do not serve, or are on their way.
    pub(crate) fn starting(&self) -> usize {
        self.pulling.len() + self.pods.iter().filter(|p| !p.serving && p.dies.is_none()).count()
    }

    /// A page, read as the product reads it.
    pub(crate) fn read(&self, page: &str) -> Page {
        self.decoder.decode(page.as_bytes(), &mut Memory::default()).expect("a page")
    }

    /// Each serving engine's mean over the next seconds.
    pub(crate) fn recent(&mut self, dist: Dist, seconds: f64) -> Vec<f64> {
        let now = self.now.since(START);
        let window = self.between(now, now + seconds);
        window.dists[dist.name()].iter().map(|h| h.mean().expect("observations")).collect()
    }

    /// What the engines' pages say now, by pod.
    pub(crate) fn pages(&mut self) -> Vec<(String, EnginePage)> {
        let mut pages = Vec::new();
        for pod in self.serving() {
            let Some(page) = self.model.page(&pod) else { continue };
            let memory = self.memories.entry(pod.clone()).or_default();
            let Page::Engine(page) = self.decoder.decode(page.as_bytes(), memory).expect("a page") else {
                panic!("not recognised as an engine's page")
            };
            pages.push((pod, page));
        }
        pages
    }

    /// What was observed between two moments (seconds after the beginning), over all engines that served at the end.
    pub(crate) fn between(&mut self, from: f64, to: f64) -> Window {
        self.until(from);
        let before: BTreeMap<String, EnginePage> = self.pages().into_iter().collect();
        self.until(to);
        let mut window = Window { seconds: to - from, ..Window::default() };
        for (pod, page) in self.pages() {
            let (values, none) = (&page.replicas[0].values, EnginePage::default());
            let old = before.get(&pod).unwrap_or(&none).replicas.first().map(|r| &r.values);
            for dist in Dist::ALL {
                let Some(now) = values.dist(*dist) else { continue };
                let fresh = match old.and_then(|v| v.dist(*dist)) {
                    Some(old) => now.view().since(old.view()),
                    None => now.clone(),
                };
                window.dists.entry(dist.name()).or_default().push(fresh);
            }
            for total in Total::ALL {
                let Some(now) = values.total(*total) else { continue };
                *window.totals.entry(total.name()).or_default() +=
                    now - old.and_then(|v| v.total(*total)).unwrap_or(0.0);
            }
            for gauge in [Gauge::Waiting, Gauge::Running, Gauge::KvUsage] {
                window.gauges.entry(gauge.name()).or_default().push(values.gauge(gauge).expect("a gauge"));
            }
        }
        window
    }
}

#[derive(Debug, Default)]
pub(crate) struct Window {
    pub(crate) seconds: f64,
    pub(crate) dists: BTreeMap<&'static str, Vec<Histogram>>,
    pub(crate) totals: BTreeMap<&'static str, f64>,
    pub(crate) gauges: BTreeMap<&'static str, Vec<f64>>,
}

impl Window {
    /// A quantile over all engines: buckets are summed first.
    pub(crate) fn quantile(&self, dist: Dist, q: f64) -> f64 {
        let all = &self.dists[dist.name()];
        let bounds = &all[0].bounds;
        let counts: Vec<f64> = (0..bounds.len()).map(|i| all.iter().map(|h| h.counts[i]).sum()).collect();
        let rank = q * counts.last().copied().unwrap_or(0.0);
        let i = counts.iter().position(|c| *c >= rank).unwrap_or(0);
        let (lower, below) = if i == 0 { (0.0, 0.0) } else { (bounds[i - 1], counts[i - 1]) };
        lower + (bounds[i] - lower) * (rank - below) / (counts[i] - below).max(1e-9)
    }

    pub(crate) fn mean(&self, dist: Dist) -> f64 {
        let all = &self.dists[dist.name()];
        all.iter().map(|h| h.sum).sum::<f64>() / all.iter().map(|h| h.count).sum::<f64>()
    }

    /// The share of requests whose first token came later than this bound.
    pub(crate) fn late(&self, bound: f64) -> f64 {
        self.dist_share_above(Dist::Ttft, bound)
    }

    /// The share of observations above a bound.
    pub(crate) fn dist_share_above(&self, dist: Dist, bound: f64) -> f64 {
        let all = &self.dists[dist.name()];
        let at = all[0].bounds.iter().position(|b| *b >= bound).expect("a bound");
        1.0 - all.iter().map(|h| h.counts[at]).sum::<f64>() / all.iter().map(|h| h.count).sum::<f64>()
    }

    pub(crate) fn total(&self, total: Total) -> f64 {
        self.totals.get(total.name()).copied().unwrap_or(0.0)
    }

    pub(crate) fn line(&self) -> String {
        format!(
            "ttft mean {:.2} p50 {:.2} p95 {:.2} p99 {:.2} late {:.3} | queue {:.2} prefill {:.2} decode {:.2} itl {:.4} e2e {:.1} | \
             rps {:.2} in {:.0} out {:.0} preempt {:.0} | running {:?} waiting {:?} kv {:.2?}",
            self.mean(Dist::Ttft),
            self.quantile(Dist::Ttft, 0.5),
            self.quantile(Dist::Ttft, 0.95),
            self.quantile(Dist::Ttft, 0.99),
            self.late(2.5),
            self.mean(Dist::Queue),
            self.mean(Dist::Prefill),
            self.mean(Dist::Decode),
            self.mean(Dist::Itl),
            self.mean(Dist::E2e),
            self.total(Total::Finished) / self.seconds,
            self.total(Total::PromptTokens) / self.seconds,
            self.total(Total::GenerationTokens) / self.seconds,
            self.total(Total::Preemptions),
            self.gauges["running"],
            self.gauges["waiting"],
            self.gauges["kv_usage"],
        )
    }
}
