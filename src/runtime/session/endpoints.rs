//! Which pages a session reads: one per pod of the workload, and those of its neighbours. Pods come and go; each is told
//! of before its first page and after its last.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;

use crate::apiserver::Client;
use crate::dialect::Memory;
use crate::domain::{At, Body, ClusterFacts, Failure, Observation, Page, Placement, Pod, Role, WorkloadRef};
use crate::reach::http::Settings;
use crate::reach::{Way, proxy_path};
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
    /// Under which number it is polled, and where.
    polled: Option<(usize, String)>,
}

#[derive(Debug, Clone, PartialEq)]
struct Told {
    reproduce: String,
    placement: Option<Placement>,
}

/// How an endpoint should be.
struct Wanted<'a> {
    name: &'a str,
    role: Role,
    /// Whether its pod is the workload's own, and not a neighbour's.
    own: bool,
    namespace: &'a str,
    /// The port and path of its page; nothing while there can be none.
    page: Option<(u16, &'a str)>,
    placement: Option<Placement>,
}

/// The endpoints of a session.
pub(super) struct Endpoints {
    client: Client,
    target: WorkloadRef,
    settings: Settings,
    known: Known,
    quick: Changes,
    slow: Changes,
    all: BTreeMap<String, Endpoint>,
    next: usize,
}

impl Endpoints {
    pub(super) fn new(
        client: Client,
        target: WorkloadRef,
        settings: Settings,
        known: Known,
        quick: Changes,
        slow: Changes,
    ) -> Self {
        Self { client, target, settings, known, quick, slow, all: BTreeMap::new(), next: 0 }
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

    /// Follows the gateway's and the exporters' pods, and the engines of the other pool.
    pub(super) async fn neighbours(&mut self, at: At, found: &[Neighbour]) -> Vec<Observation> {
        let wanted = found.iter().map(|n| Wanted {
            name: &n.pod,
            role: n.role,
            own: false,
            namespace: &n.namespace,
            page: Some((n.port, &n.path)),
            placement: Some(Placement {
                pod: Some(n.pod.clone()),
                node: n.node.clone(),
                found: n.found.clone(),
                pool: n.pool,
                workload: n.workload.clone(),
                ..Placement::default()
            }),
        });
        self.follow(at, false, wanted.collect()).await
    }

    /// An attempt, as what it says about its endpoint; nothing where that is not read any more.
    pub(super) fn page(&self, attempt: Attempt<Page>) -> Option<Observation> {
        let endpoint = Arc::clone(&self.known.get(attempt.endpoint)?.name);
        Some(Observation { at: At(attempt.sent_ms), body: Body::Page { endpoint, page: attempt.body } })
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
        let Wanted { name, role, own, namespace, page, placement } = wanted;
        let path = page.map(|(port, page)| (proxy_path(namespace, name, port, page), port, page));
        let mut endpoint = self.all.remove(name).unwrap_or(Endpoint { role, own, told: None, polled: None });
        endpoint.own = own;
        // Where there is no page yet, what is known of how it was read stays.
        let reproduce = match (&path, &endpoint.told) {
            (Some((path, ..)), _) => {
                format!("kubectl --context {} get --raw '{path}'", quoted(&self.target.context))
            }
            (None, Some(told)) => told.reproduce.clone(),
            (None, None) => String::new(),
        };
        let told = Told { reproduce, placement };
        let news = (endpoint.told.as_ref() != Some(&told)).then(|| {
            let (reproduce, placement) = (told.reproduce.clone(), told.placement.clone());
            Observation { at, body: Body::Endpoint { name: name.into(), role, reproduce, placement } }
        });
        endpoint.told = Some(told);
        let where_now = path.as_ref().map(|(path, ..)| path.as_str());
        if endpoint.polled.as_ref().map(|(_, path)| path.as_str()) != where_now {
            self.stop(&endpoint).await;
            endpoint.polled = None;
            if let Some((path, port, page)) = path {
                let number = self.next;
                self.next += 1;
                self.known.insert(number, name.into());
                let way = Way::proxy(&self.client, namespace, name, port, page, &self.settings);
                // A poller that is gone takes the whole session with it.
                let _ = self.changes(role).send(Change::Add(number, way)).await;
                endpoint.polled = Some((number, path));
            }
        }
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

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    if !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "-_./:@".contains(c)) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}
