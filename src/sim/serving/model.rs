//! The model: traffic, gateway, containers and GPUs, moved from event to event.

mod clients;
mod faults;
mod own;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use rand::SeedableRng;
use rand_pcg::Pcg64Mcg;
use rustc_hash::FxHashMap;

use super::container::{Container, Stage};
use super::engine::{Busy, Conditions, Seen};
use super::gateway::Gateway;
use super::gpu::{Gpu, TICK_S};
use super::hardware::Product;
use super::number::{Us, from_at, seconds, to_at, us};
use super::traffic::Class;
use super::{Happened, Launch, Ledger, Load, Serving, Sight as Told, page};
use crate::domain::At;
use crate::sim::scenario::{Fault, GatewayPage, Scenario};
use clients::Request;

/// What happens at a moment by itself. The order of the list is that of things that happen at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// The scenario's so-many-th fault.
    Fault(usize),
    /// A replica hangs no more, a GPU is looked at.
    Sensors,
    /// A request of a class arrives by itself; the number says of which draw it comes.
    Arrives { class: usize, draw: u64 },
    /// A user asks.
    Asks { class: usize },
    /// The gateway has worked on a request.
    Forwards(u64),
    /// A client sees something of its request.
    Sees(u64, Sight),
    /// A client loses its patience.
    GivesUp(u64),
    /// The gateway cuts a request off.
    TimesOut(u64),
}

/// What can be seen, in an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Sight {
    First,
    Read,
    Last,
    Cut,
}

/// Traffic, gateway, engines and GPUs of a scenario.
#[derive(Debug, Clone)]
pub struct Model {
    scenario: Scenario,
    faults: Vec<Fault>,
    now: Us,
    events: BinaryHeap<Reverse<(Us, u64, Event)>>,
    order: u64,
    /// When traffic began: once as many replicas are routed to as the scenario begins with.
    began: Option<Us>,
    classes: Vec<Class>,
    /// Which draw of arrivals of a class counts; earlier ones were drawn for another rate.
    draws: Vec<u64>,
    users: Vec<u32>,
    requests: FxHashMap<u64, Request>,
    /// Requests of somebody outside, and which of them were sent straight to a pod.
    own: own::Own,
    own_pods: FxHashMap<u64, String>,
    next_request: u64,
    random: Pcg64Mcg,
    gateway: Gateway,
    /// By pod, in the order of their starts.
    containers: Vec<Container>,
    gpus: BTreeMap<String, Vec<Gpu>>,
    busy: BTreeMap<String, Busy>,
    host: BTreeMap<String, f64>,
    load_gb_per_s: f64,
    acceptance: f64,
    link_gb_per_s: f64,
    happened: Vec<Happened>,
    seen: Vec<(Us, u64, Seen)>,
    /// What happened at clients and in the gateway, and in engines that are gone.
    ledger: Ledger,
}

impl Model {
    /// The serving side of a scenario that begins at `start`. The same seed gives the same run.
    pub fn new(scenario: &Scenario, seed: u64, start: At) -> Self {
        let (faults, now) = (scenario.faults(), from_at(start));
        let gpus = scenario.nodes.iter().map(|node| {
            let product = Product::named(&node.product);
            (node.name.clone(), (0..node.gpus).map(|index| Gpu::new(&node.name, index, product)).collect())
        });
        let classes: Vec<Class> =
            (0..).zip(&scenario.traffic).map(|(number, traffic)| Class::new(traffic, seed, number)).collect();
        let mut model = Self {
            now,
            events: BinaryHeap::new(),
            order: 0,
            began: None,
            draws: vec![0; classes.len()],
            users: vec![0; classes.len()],
            classes,
            requests: FxHashMap::default(),
            own: own::Own::default(),
            own_pods: FxHashMap::default(),
            next_request: 0,
            random: Pcg64Mcg::seed_from_u64(seed ^ 0x5eed),
            gateway: Gateway::new(scenario.gateway.clone()),
            containers: Vec::new(),
            gpus: gpus.collect(),
            busy: BTreeMap::new(),
            host: BTreeMap::new(),
            load_gb_per_s: scenario.workload.load_gb_per_s,
            acceptance: scenario.workload.draft_acceptance,
            link_gb_per_s: scenario.prefill.as_ref().map_or(f64::INFINITY, |prefill| prefill.link_gb_per_s),
            happened: Vec::new(),
            seen: Vec::new(),
            ledger: Ledger::default(),
            faults: Vec::new(),
            scenario: scenario.clone(),
        };
        for (number, (at, fault)) in faults.into_iter().enumerate() {
            model.faults.push(fault);
            model.at(now + us(at), Event::Fault(number));
        }
        model.at(now + us(TICK_S), Event::Sensors);
        model
    }

    fn at(&mut self, when: Us, event: Event) {
        self.order += 1;
        self.events.push(Reverse((when.max(self.now), self.order, event)));
    }

    /// The next thing that a container does by itself, and which one.
    fn next_container(&self) -> Option<(Us, usize)> {
        let when = |container: &Container| match &container.stage {
            Stage::Loading(until) => Some(*until),
            Stage::Serving(engine) => engine.next(),
            Stage::Dead => None,
        };
        self.containers.iter().enumerate().filter_map(|(i, c)| Some((when(c)?, i))).min()
    }

    fn run(&mut self, to: Us) {
        loop {
            let container = self.next_container().filter(|(when, _)| *when <= to);
            let event = self.events.peek().map(|Reverse((when, ..))| *when).filter(|when| *when <= to);
            match (container, event) {
                (Some((when, which)), event) if event.is_none_or(|event| when < event) => {
                    self.now = self.now.max(when);
                    self.run_container(which);
                }
                (_, Some(when)) => {
                    self.now = self.now.max(when);
                    if let Some(Reverse((_, _, event))) = self.events.pop() {
                        self.handle(event);
                    }
                }
                _ => break,
            }
        }
        self.now = self.now.max(to);
    }

    fn run_container(&mut self, which: usize) {
        let now = self.now;
        let container = &mut self.containers[which];
        if let Stage::Serving(engine) = &mut container.stage {
            let mut seen = std::mem::take(&mut self.seen);
            engine.run(now, &mut seen);
            for (when, request, sight) in seen.drain(..) {
                let sight = match sight {
                    Seen::FirstToken => Sight::First,
                    Seen::TakenOver => Sight::Read,
                    Seen::Finished | Seen::Refused(_) => Sight::Last,
                };
                self.at(when, Event::Sees(request, sight));
            }
            self.seen = seen;
            return;
        }
        let (pod, at) = (container.launch.pod.clone(), to_at(now));
        match container.loaded(now) {
            Ok(()) => {
                if let Some(engine) = container.engine_mut() {
                    engine.promise(self.scenario.slo.tpot.0);
                }
                self.happened.push(Happened::Serving { pod, at });
                self.set_conditions();
            }
            Err(code) => self.happened.push(Happened::Died { pod, at, code, reason: "Error" }),
        }
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Fault(number) => self.fault(number),
            Event::Sensors => {
                self.sensors();
                self.at(self.now + us(TICK_S), Event::Sensors);
            }
            Event::Arrives { class, draw } => self.arrives(class, draw),
            Event::Asks { class } => self.asks(class),
            Event::Forwards(id) => self.forward(id),
            Event::Sees(id, sight) => self.sees(id, sight),
            Event::GivesUp(id) => self.gives_up(id),
            Event::TimesOut(id) => self.times_out(id),
        }
    }

    /// Looks at all GPUs, as often as a driver averages.
    fn sensors(&mut self) {
        let mut by_pod: BTreeMap<&str, (f64, f64, f64)> = BTreeMap::new();
        for container in &self.containers {
            let Some(engine) = container.engine() else { continue };
            let (now, before) = (engine.busy(), self.busy.get(&container.launch.pod).copied().unwrap_or_default());
            let share = |now: f64, before: f64| ((now - before) / TICK_S).clamp(0.0, 1.0);
            let shares = (
                share(now.kernels, before.kernels),
                share(now.arithmetic, before.arithmetic),
                share(now.memory, before.memory),
            );
            by_pod.insert(&container.launch.pod, shares);
        }
        for gpu in self.gpus.values_mut().flatten() {
            let busy = gpu.pod.as_deref().and_then(|pod| by_pod.get(pod)).copied().unwrap_or_default();
            gpu.tick(busy);
        }
        self.busy = self
            .containers
            .iter()
            .filter_map(|container| Some((container.launch.pod.clone(), container.engine()?.busy())))
            .collect();
        let now = self.now;
        if (now / us(TICK_S)) % 2 == 0 {
            for container in &mut self.containers {
                container.log_throughput(now, 2.0 * TICK_S);
            }
        }
        self.set_conditions();
    }

    /// Tells engines how fast their GPUs and hosts are now: the slowest GPU of several decides.
    fn set_conditions(&mut self) {
        for container in &mut self.containers {
            let (node, own) = (&container.launch.node, &container.launch.gpus);
            let gpus = self.gpus.get(node).map_or(&[][..], Vec::as_slice);
            let slowest = |of: fn(&Gpu) -> f64| {
                gpus.iter().filter(|gpu| own.contains(&gpu.index)).map(of).fold(1.0_f64, f64::min)
            };
            let conditions = Conditions {
                clock: slowest(|gpu| gpu.clock),
                bandwidth: slowest(|gpu| gpu.bandwidth),
                host: self.host.get(node).copied().unwrap_or(1.0),
                acceptance: self.acceptance,
                link: self.link_gb_per_s,
            };
            if let Some(engine) = container.engine_mut() {
                engine.set_conditions(conditions);
            }
        }
    }

    fn container(&self, pod: &str) -> Option<&Container> {
        self.containers.iter().find(|container| container.launch.pod == pod)
    }
}

impl Serving for Model {
    fn launch(&mut self, at: At, launch: Launch) {
        self.run(from_at(at));
        self.remove(&launch.pod);
        let gpus = self.gpus.get_mut(&launch.node).map_or(&mut [][..], Vec::as_mut_slice);
        let mut products = Vec::new();
        for gpu in gpus.iter_mut().filter(|gpu| launch.gpus.contains(&gpu.index) && !gpu.lost) {
            gpu.pod = Some(launch.pod.clone());
            products.push(gpu.product);
        }
        let (model, warm_up) = (&self.scenario.model, self.scenario.workload.warm_up.0);
        let container = Container::start(self.now, launch, model, &products, self.load_gb_per_s, warm_up);
        if let Ok(config) = &container.config {
            for gpu in gpus.iter_mut().filter(|gpu| gpu.pod.as_deref() == Some(&container.launch.pod)) {
                gpu.memory = config.memory_utilisation;
            }
        }
        self.containers.push(container);
    }

    fn kill(&mut self, at: At, pod: &str) {
        self.run(from_at(at));
        self.remove(pod);
    }

    fn route(&mut self, at: At, pods: &[String]) {
        self.run(from_at(at));
        // A cluster has endpoints that are no engines: they are not this gateway's.
        let pods: Vec<String> = pods.iter().filter(|pod| self.container(pod).is_some()).cloned().collect();
        self.gateway.route(&pods);
        let prefillers = self.scenario.prefill.as_ref().map_or(0, |prefill| prefill.replicas);
        let whole = self.prefillers().count() >= prefillers as usize;
        if self.began.is_none() && whole && pods.len() >= self.scenario.workload.replicas as usize {
            self.began = Some(self.now);
            self.begin_traffic();
        }
    }

    fn next(&self) -> Option<At> {
        let loading = self.containers.iter().filter_map(|container| match container.stage {
            Stage::Loading(until) => Some(until),
            _ => None,
        });
        loading.min().map(to_at)
    }

    fn advance(&mut self, to: At) -> Vec<Happened> {
        self.run(from_at(to));
        std::mem::take(&mut self.happened)
    }

    fn health(&self, pod: &str) -> Option<u16> {
        self.container(pod)?.engine().map(|_| 200)
    }

    fn page(&self, pod: &str) -> Option<String> {
        self.container(pod)?.page(self.now)
    }

    fn gateway_page(&self) -> String {
        match self.gateway.settings.page {
            GatewayPage::Envoy => page::envoy::write(&self.gateway, &self.scenario),
            GatewayPage::Ai => page::ai_gateway::write(&self.gateway, &self.scenario),
        }
    }

    fn gpu_page(&self, node: &str) -> Option<String> {
        let gpus = self.gpus.get(node).filter(|gpus| !gpus.is_empty())?;
        Some(page::dcgm::write(node, gpus, &self.scenario))
    }

    fn lost_gpus(&self, node: &str) -> Vec<u32> {
        let gpus = self.gpus.get(node).map_or(&[][..], Vec::as_slice);
        gpus.iter().filter(|gpu| gpu.lost).map(|gpu| gpu.index).collect()
    }

    fn logs(&self, pod: &str) -> Vec<(At, String)> {
        let lines = self.container(pod).map_or(&[][..], |container| container.logs.as_slice());
        lines.iter().filter(|(at, _)| *at <= self.now).map(|(at, line)| (to_at(*at), line.clone())).collect()
    }

    fn ask(&mut self, at: At, pod: Option<&str>, output: u32) -> Option<u64> {
        self.run(from_at(at));
        self.send_own(pod, output)
    }

    fn seen(&self, request: u64) -> Option<Told> {
        self.own.get(&request).copied()
    }

    fn forget(&mut self, at: At, request: u64) {
        self.run(from_at(at));
        self.forget_own(request);
    }

    fn ledger(&self) -> Ledger {
        let engines = self.containers.iter().filter_map(|container| Some(container.engine()?.ledger()));
        let mut all = engines.fold(self.ledger, |sum, engine| sum + engine);
        let promised = us(self.scenario.slo.ttft.0);
        all.late_now = self.requests.values().filter(|request| request.is_late(self.now, promised)).count() as f64;
        all
    }

    fn load(&self, pod: &str) -> Option<Load> {
        let container = self.container(pod)?;
        let Some(engine) = container.engine() else { return Some(Load { cpu: 0.9, ..Load::default() }) };
        // The core spins on one core whenever it works, the API server adds its own; of a request of many cores.
        let busy = engine.busy().kernels - self.busy.get(pod).copied().unwrap_or_default().kernels;
        let passed = seconds(self.now.rem_euclid(us(TICK_S))).max(0.5);
        let cores = 1.2 + 2.0 * (busy / passed).clamp(0.0, 1.0);
        Some(Load {
            cpu: cores / f64::from(self.scenario.workload.cpus.max(1)),
            waiting: f64::from(engine.meters.waiting),
            running: f64::from(engine.meters.running),
        })
    }
}
