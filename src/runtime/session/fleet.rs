//! Whether a session reads engines' pages or has a Prometheus tell them all, and who makes pages of what it tells.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::clock::Clock;
use crate::command::check;
use crate::command::told::{self, Around, Whoever};
use crate::config::{Config, Engines};
use crate::dialect::Memory;
use crate::domain::budget::GPUS_SLOWER;
use crate::domain::{At, Body, ClusterFacts, Failure, Observation, Page, Pod, Role, WorkloadRef};
use crate::source::engine::Decoder;
use crate::source::prometheus::Asked;
use crate::source::prometheus::fleet::{self, Fleet, Going, Member, Names, Reads, Sample, Whose};

/// So many requests a second are not asked of an API server for pages: as many as Kubernetes' own controller manager allows
/// itself by default (kube-controller-manager, `--kube-api-qps`).
const MOST_REQUESTS: f64 = 20.0;

/// Makes pages of samples by the dialects, each pod with its own memory.
struct Reader {
    decoder: Arc<Decoder>,
    memories: HashMap<String, Memory>,
}

impl Reads for Reader {
    fn names(&self, witness: &str) -> Option<Names> {
        let wanted = self.decoder.wanted(witness)?;
        Some(Names {
            system: wanted.system,
            scalars: wanted.scalars,
            buckets: wanted.buckets,
            labels: wanted.labels,
            slices: wanted.slices,
            except: wanted.except,
            nodes: wanted.nodes,
        })
    }

    fn page(&mut self, pod: &str, samples: &[Sample]) -> Result<Page, Failure> {
        /// Pods that are remembered: those that are gone are forgotten all at once, and read anew.
        const MOST: usize = 20_000;
        if self.memories.len() > MOST {
            self.memories.clear();
        }
        let memory = self.memories.entry(pod.to_owned()).or_default();
        self.decoder.assemble(samples.iter().map(|s| (s.name(), |label: &str| s.label(label), s.value)), memory)
    }
}

/// A fleet as it is asked for, by the configuration.
pub(super) fn asking(
    config: &Config,
    around: Around<'_>,
    decoder: &Arc<Decoder>,
    whose: Whose,
    clock: Clock,
) -> Option<Asking> {
    let policy = check::policy(Duration::from_mins(5), config);
    let targets = std::iter::once(&policy.default).chain(policy.by_model.iter().map(|(_, t)| t));
    let (_, target, _) = around;
    let engines = whose == Whose::Workload;
    // Exporters read their GPUs every so often, and no more often are they read.
    let slower = if matches!(whose, Whose::Nodes { .. }) { GPUS_SLOWER } else { 1 };
    let fleet = Fleet {
        whom: told::prometheus(config, Some(around))?,
        asked: Asked {
            namespace: Some(target.namespace.clone()),
            pods: Some(target.name.clone()),
            model: None,
            witness: decoder.witnesses(),
            series: Vec::new(),
            windows: Vec::new(),
            past: Vec::new(),
        },
        whose,
        reads: Reader { decoder: Arc::clone(decoder), memories: HashMap::new() },
        targets: targets.flat_map(|t| [t.ttft.seconds, t.tpot.seconds]).collect(),
        interval: config.scrape.interval * slower,
        alone: !engines || config.prometheus.engines == Engines::Always,
        context: target.context.clone(),
        clock,
    };
    Some(Asking { waiting: Some(fleet), members: watch::Sender::default(), going: watch::Sender::new(Going::Starts) })
}

/// A fleet, and what it is told.
pub(super) struct Asking {
    /// What has not begun yet.
    waiting: Option<Fleet<Whoever, Reader>>,
    members: watch::Sender<Vec<Member>>,
    going: watch::Sender<Going>,
}

impl Asking {
    pub(super) fn follow(&self, members: Vec<Member>) {
        self.members.send_if_modified(|known| {
            let changed = *known != members;
            *known = members;
            changed
        });
    }

    pub(super) fn begin(&mut self, tasks: &mut JoinSet<()>, sink: &mpsc::Sender<Observation>) {
        if let Some(fleet) = self.waiting.take() {
            tasks.spawn(fleet.run(self.members.subscribe(), self.going.clone(), sink.clone()));
        }
    }
}

/// How engines are read in a session.
pub(super) struct Engined {
    engines: Engines,
    interval: Duration,
    asking: Asking,
}

impl Engined {
    /// As configured; `None`: engines are read here, whatever comes.
    pub(super) fn of(config: &Config, around: Around<'_>, decoder: &Arc<Decoder>, clock: Clock) -> Option<Self> {
        let engines = config.prometheus.engines;
        let asking = (engines != Engines::Never).then(|| asking(config, around, decoder, Whose::Workload, clock))??;
        Some(Self { engines, interval: config.scrape.interval, asking })
    }

    /// Follows the workload's pods, begins where there are too many of them, and says whether their pages are read here.
    pub(super) fn reads(
        &mut self,
        (facts, target): (&ClusterFacts, &WorkloadRef),
        tasks: &mut JoinSet<()>,
        sink: &mpsc::Sender<Observation>,
    ) -> bool {
        let running = facts.pods.iter().filter(|p| p.phase == "Running" && p.started.is_some());
        let member = |pod: &Pod| Member {
            name: pod.name.as_str().into(),
            role: Role::Engine,
            namespace: Some(target.namespace.clone()),
            of: pod.name.clone(),
            teller: None,
        };
        let pods: Vec<Member> = running.map(member).collect();
        let many = pods.len() as f64 / self.interval.as_secs_f64() > MOST_REQUESTS;
        self.asking.follow(pods);
        if many || self.engines == Engines::Always {
            self.asking.begin(tasks, sink);
        }
        let nobody = matches!(*self.asking.going.borrow(), Going::Nobody(_));
        self.asking.waiting.is_some() || (nobody && self.engines == Engines::Auto)
    }

    /// Of every pod, that its numbers come from elsewhere now.
    pub(super) fn introduced(&self, at: At, target: &WorkloadRef) -> Vec<Observation> {
        let pods = self.asking.members.borrow().clone();
        let told = |Member { name, .. }: Member| {
            let (reproduce, reached) = (String::new(), None);
            let body = Body::Endpoint { name, role: Role::Engine, reproduce, reached, placement: None };
            self.named(Observation { at, body }, target)
        };
        pods.into_iter().map(told).collect()
    }

    /// What is told of an engine, with how its numbers can be read by hand where they come from elsewhere.
    pub(super) fn named(&self, mut observation: Observation, target: &WorkloadRef) -> Observation {
        if let Body::Endpoint { name, role: Role::Engine, reproduce, reached, .. } = &mut observation.body
            && self.asking.members.borrow().iter().any(|m| m.name == *name)
            && let Going::Pages(shown) = &*self.asking.going.borrow()
        {
            *reached = None;
            *reproduce = fleet::reproduce(shown, &target.context, &target.namespace, name);
        }
        observation
    }

    /// How it goes, for whoever waits for a change of that.
    pub(super) fn going(&self) -> watch::Receiver<Going> {
        self.asking.going.subscribe()
    }
}

/// The same facts about pods without pages.
pub(super) fn unread(facts: &ClusterFacts) -> ClusterFacts {
    let mut facts = facts.clone();
    for pod in &mut facts.pods {
        pod.metrics_port = None;
    }
    facts
}
