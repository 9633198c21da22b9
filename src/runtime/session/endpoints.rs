//! Which pages a session reads: one per pod of the workload, and those of its neighbours. Pods come and go; each is told
//! of before its first page and after its last.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;

use super::beside::Neighbours;
use crate::dialect::Memory;
use crate::domain::{At, Body, ClusterFacts, Failure, Observation, Page, Placement, Pod, Reached, Role, WorkloadRef};
use crate::reach::{PodPage, Way, Ways, Where};
use crate::source::engine::Decoder;
use crate::source::kubernetes::Neighbour;
use crate::source::poll::{Attempt, Change};

/// Where changes of a polled set are told.
pub(super) type Changes = mpsc::Sender<Change<Way>>;

/// What pages are decoded with, by the numbers of their endpoints. Shared with the pollers.
#[derive(Debug, Clone, Default)]
pub(super) struct Known(Arc<Mutex<HashMap<usize, Arc<Entry>>>>);

/// One endpoint that is polled.
#[derive(Debug)]
struct Entry {
    name: Arc<str>,
    memory: Mutex<Memory>,
}

impl Known {
    /// Reads one page of an endpoint; one that was removed meanwhile has none.
    pub(super) fn decode(&self, number: usize, page: &[u8], decoder: &Decoder) -> Result<Page, Failure> {
        let entry = self.get(number).ok_or_else(|| Failure::Other("it is not read any more".to_owned()))?;
        let mut memory = entry.memory.lock().unwrap_or_else(PoisonError::into_inner);
        decoder.decode(page, &mut memory)
    }

    fn get(&self, number: usize) -> Option<Arc<Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&number).cloned()
    }

    fn insert(&self, number: usize, name: Arc<str>) {
        let entry = Arc::new(Entry { name, memory: Mutex::default() });
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(number, entry);
    }

    fn remove(&self, number: usize) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&number);
    }
}

/// Everything that is known of one endpoint here.
#[derive(Debug)]
struct Endpoint {
    role: Role,
    /// Whether its pod is the workload's own.
    own: bool,
    /// What was last told of it.
    told: Option<Told>,
    /// Under which number it is polled, and how.
    polled: Option<(usize, Arc<PodPage>)>,
}

#[derive(Debug, Clone, PartialEq, Default)]
struct Told {
    reproduce: String,
    reached: Option<Reached>,
    placement: Option<Placement>,
}

impl Told {
    fn observed(&self, at: At, name: Arc<str>, role: Role) -> Observation {
        let Self { reproduce, reached, placement } = self.clone();
        Observation { at, body: Body::Endpoint { name, role, reproduce, reached, placement } }
    }
}

/// How an endpoint should be.
struct Wanted<'a> {
    name: &'a str,
    role: Role,
    /// Whether its pod is the workload's own, and not a neighbour's.
    own: bool,
    namespace: &'a str,
    ip: Option<IpAddr>,
    /// The port and path of its page; nothing while there can be none.
    page: Option<(u16, &'a str)>,
    placement: Option<Placement>,
}

/// The endpoints of a session.
pub(super) struct Endpoints {
    ways: Ways,
    target: WorkloadRef,
    known: Known,
    quick: Changes,
    slow: Changes,
    all: BTreeMap<String, Endpoint>,
    next: usize,
}

impl Endpoints {
    pub(super) fn new(ways: Ways, target: WorkloadRef, known: Known, quick: Changes, slow: Changes) -> Self {
        Self { ways, target, known, quick, slow, all: BTreeMap::new(), next: 0 }
    }

    /// These were told of by a recording: whatever is not there any more will be said to be gone.
    pub(super) fn remember(&mut self, past: Vec<(String, Role)>) {
        for (name, role) in past {
            let own = role == Role::Engine;
            self.all.entry(name).or_insert(Endpoint { role, own, told: None, polled: None });
        }
    }

    /// Follows the workload's pods.
    pub(super) async fn pods(&mut self, at: At, facts: &ClusterFacts) -> Vec<Observation> {
        let namespace = self.target.namespace.clone();
        let alive: Vec<&Pod> =
            facts.pods.iter().filter(|p| !matches!(p.phase.as_str(), "Succeeded" | "Failed")).collect();
        let wanted = alive.iter().map(|pod| Wanted {
            name: &pod.name,
            role: Role::Engine,
            own: true,
            namespace: &namespace,
            ip: pod.ip.as_deref().and_then(|ip| ip.parse().ok()),
            // A container that has not started has no page, and a container that loads refuses: that is worth knowing.
            page: pod.metrics_port.filter(|_| pod.ip.is_some() && pod.started.is_some()).map(|port| (port, "/metrics")),
            placement: Some(Placement {
                pod: Some(pod.name.clone()),
                node: pod.node.clone(),
                revision: pod.revision,
                ready: Some(pod.ready),
                pool: pod.pool,
                ..Placement::default()
            }),
        });
        self.follow(at, true, wanted.collect()).await
    }

    /// Follows the gateway's and the exporters' pods, and the engines of the other pool. Of those that are not read here, an
    /// exporter is none: its node's GPUs are.
    pub(super) async fn neighbours(&mut self, at: At, neighbours: Neighbours<'_>) -> Vec<Observation> {
        let Neighbours { found, told, nodes } = neighbours;
        let told = |n: &Neighbour| told.contains(&n.role);
        let pods = found.iter().filter(|n| n.role != Role::Gpus || !told(n)).map(|n| Wanted {
            name: &n.pod,
            role: n.role,
            own: false,
            namespace: &n.namespace,
            ip: n.ip,
            page: (!told(n)).then_some((n.port, n.path.as_str())),
            placement: Some(Placement {
                pod: Some(n.pod.clone()),
                node: n.node.clone(),
                found: n.found.clone(),
                pool: n.pool,
                workload: n.workload.clone(),
                ..Placement::default()
            }),
        });
        let gpus = nodes.iter().map(|(name, node)| Wanted {
            name,
            role: Role::Gpus,
            own: false,
            namespace: "",
            ip: None,
            page: None,
            placement: Some(Placement { node: Some(node.clone()), ..Placement::default() }),
        });
        let wanted = pods.chain(gpus).collect();
        self.follow(at, false, wanted).await
    }

    /// An attempt, as what it says about its endpoint, after what it has shown of the way; nothing where that endpoint is
    /// not read any more.
    pub(super) fn page(&mut self, attempt: Attempt<Page>) -> Vec<Observation> {
        let Some(endpoint) = self.known.get(attempt.endpoint).map(|entry| Arc::clone(&entry.name)) else {
            return Vec::new();
        };
        let at = At(attempt.sent_ms);
        let mut said: Vec<Observation> = self.way(at, &endpoint).into_iter().collect();
        said.push(Observation { at, body: Body::Page { endpoint, page: attempt.body } });
        said
    }

    /// What is new of how an endpoint is reached.
    fn way(&mut self, at: At, name: &Arc<str>) -> Option<Observation> {
        let endpoint = self.all.get_mut(&**name)?;
        let (_, page) = endpoint.polled.as_ref()?;
        let told = endpoint.told.as_mut()?;
        let reached = Some(page.reached());
        if told.reached == reached {
            return None;
        }
        told.reached = reached;
        told.reproduce = page.reproduce(&self.target.context);
        Some(told.observed(at, Arc::clone(name), endpoint.role))
    }

    /// Makes the endpoints what they should be: the workload's own, or those of its neighbours.
    async fn follow(&mut self, at: At, own: bool, wanted: Vec<Wanted<'_>>) -> Vec<Observation> {
        let mut said = Vec::new();
        let gone: Vec<String> = self
            .all
            .iter()
            .filter(|(name, e)| e.own == own && !wanted.iter().any(|w| w.name == name.as_str()))
            .map(|(name, _)| name.clone())
            .collect();
        for name in gone {
            if let Some(endpoint) = self.all.remove(&name) {
                self.stop(&endpoint).await;
                said.push(Observation { at, body: Body::EndpointGone { name: name.into() } });
            }
        }
        for one in wanted {
            // The name is the identity: what is one endpoint already is not made another one.
            if self.all.get(one.name).is_some_and(|e| e.role != one.role) {
                continue;
            }
            said.extend(self.one(at, one).await);
        }
        said
    }

    async fn one(&mut self, at: At, wanted: Wanted<'_>) -> Option<Observation> {
        let Wanted { name, role, own, namespace, ip, page, placement } = wanted;
        let mut endpoint = self.all.remove(name).unwrap_or(Endpoint { role, own, told: None, polled: None });
        endpoint.own = own;
        let place = page.map(|(port, page)| Where {
            namespace: namespace.to_owned(),
            pod: name.to_owned(),
            ip,
            port,
            page: page.to_owned(),
        });
        if endpoint.polled.as_ref().map(|(_, page)| page.at()) != place.as_ref() {
            self.stop(&endpoint).await;
            endpoint.polled = None;
            if let Some(place) = place {
                let number = self.next;
                self.next += 1;
                self.known.insert(number, name.into());
                let page = self.ways.to(place);
                // A poller that is gone takes the whole session with it.
                let _ = self.changes(role).send(Change::Add(number, Way::pod(&page))).await;
                endpoint.polled = Some((number, page));
            }
        }
        if let Some((_, page)) = &endpoint.polled {
            page.expect(placement.as_ref().is_none_or(|p| p.ready != Some(false)));
        }
        let told = match (&endpoint.polled, &endpoint.told) {
            (Some((_, page)), _) => {
                let reproduce = page.reproduce(&self.target.context);
                Told { reproduce, reached: Some(page.reached()), placement }
            }
            // Where there is no page yet, what is known of how it was read stays.
            (None, Some(told)) => Told { placement, ..told.clone() },
            (None, None) => Told { placement, ..Told::default() },
        };
        let news = (endpoint.told.as_ref() != Some(&told)).then(|| told.observed(at, name.into(), role));
        endpoint.told = Some(told);
        self.all.insert(name.to_owned(), endpoint);
        news
    }

    async fn stop(&self, endpoint: &Endpoint) {
        if let Some((number, _)) = endpoint.polled {
            self.known.remove(number);
            let _ = self.changes(endpoint.role).send(Change::Remove(number)).await;
        }
    }

    fn changes(&self, role: Role) -> &Changes {
        if role == Role::Gpus { &self.slow } else { &self.quick }
    }
}
