//! Everything that is known at one instant, with its past: what a diagnosis is made from.

use std::collections::VecDeque;
use std::sync::Arc;

use super::{
    At, Body, ClusterFacts, Door, EnginePage, Failure, GpuPage, GpuTrack, Observation, Page, Pool, Probed, Pushed,
    Reached, Role, System, Told, Track, Untold, Watch, WorkloadRef, track, written,
};

/// Attempts kept per endpoint: as many as readings, and the failed ones between them.
pub(super) const ATTEMPTS: usize = 2048;

/// What is kept of pods that come and go and of exporters that name ever other GPUs: a war room may stay open for days, and
/// a page may lie.
const PLACEMENTS: usize = 64;
const GONE: usize = 64;
const GPUS: usize = 4096;

/// Readings kept of all engines together, and of each at the least. One holds about 1,080 bytes (`benches/README.md`), so
/// that a thousand engines take 260 MB and not three times as much. The least is ten minutes in full, which are two judged
/// windows, and fifty before that with no gap that is longer than a silence may be.
const READINGS: usize = 240_000;
const READINGS_EACH: usize = 240;

/// Synthetic requests kept: at one in 30 s, two hours of them.
const PROBES: usize = 256;

/// One attempt to read an endpoint.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Attempt {
    /// When it was sent.
    pub at: At,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A complete page was read.
    Page,
    /// A page was read and dropped as torn.
    Torn,
    /// There was no page.
    Failed(Failure),
    /// Not a page but a health probe, which failed.
    ProbeFailed(Failure),
    /// A request of our own got a token.
    Answered,
    /// A request of our own got none.
    Unanswered(Failure),
}

impl Outcome {
    /// Whether this says that there was no process to answer, and not merely that it did not.
    pub const fn is_absence(&self) -> bool {
        matches!(self, Self::Failed(Failure::Refused) | Self::ProbeFailed(Failure::Refused))
    }
}

/// Which pod an endpoint was, and when: from `target.json` beside a recording, or from Kubernetes.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Placement {
    /// From this moment.
    pub from: Option<At>,
    /// Until this moment.
    pub to: Option<At>,
    /// The pod's name.
    pub pod: Option<String>,
    /// The node's name.
    pub node: Option<String>,
    /// The revision of its workload.
    pub revision: Option<u64>,
    /// Whether Kubernetes called it Ready.
    pub ready: Option<bool>,
    /// Along which objects it was found, where not by the workload's own.
    pub found: Option<String>,
    /// The part that it has in a disaggregated deployment, as its declaration says.
    pub pool: Option<Pool>,
    /// The workload that it belongs to, as `deploy/x`, where that is not the judged one.
    pub workload: Option<String>,
}

/// One `/metrics` page of one process, over time.
#[derive(Debug, Clone, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Endpoint {
    /// What the operator called it: a URL or a directory; or the pod.
    pub name: String,
    /// What its pages are.
    pub role: Role,
    /// Whether it is not read any more, because its pod is gone.
    pub gone: bool,
    /// How the same numbers can be read by hand.
    pub reproduce: String,
    /// On which way it is read; `None` where there is only one.
    pub reached: Option<Reached>,
    /// How far apart whoever keeps its samples takes them (s); `None`: it is read here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paced_s: Option<f64>,
    /// What is left out of pages that are made of such samples, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_out: Option<String>,
    /// Who wrote its pages, once one was read.
    #[serde(with = "written::maybe_shared")]
    pub system: Option<Arc<System>>,
    /// Which family was used for which quantity on the last page.
    #[serde(with = "written::families")]
    pub families: Vec<(&'static str, Arc<str>)>,
    /// Its engines.
    pub tracks: Vec<Track>,
    /// Attempts, oldest first: of many, pages between two others were left out.
    pub attempts: VecDeque<Attempt>,
    /// How many of them are kept, where that is fewer than the most.
    #[serde(skip)]
    pub(crate) room: Option<usize>,
    /// Which pod it was.
    pub placements: Vec<Placement>,
    /// Samples on the last page.
    pub series: usize,
    /// Lines skipped on the last page.
    pub skipped: usize,
    /// The first of them: its number and what was wrong.
    pub first_skipped: Option<String>,
}

impl Endpoint {
    /// An endpoint that was not read yet.
    pub fn new(name: impl Into<String>, reproduce: impl Into<String>) -> Self {
        Self { name: name.into(), reproduce: reproduce.into(), ..Self::default() }
    }

    /// Adds a page.
    pub fn page(&mut self, at: At, page: EnginePage) {
        let mut torn = false;
        for replica in page.replicas {
            let known = self.tracks.iter().position(|t| t.engine == replica.engine);
            let index = known.unwrap_or_else(|| {
                self.tracks.push(Track::new(replica.engine.clone()));
                self.tracks.len() - 1
            });
            torn |= self.tracks[index].push(at, replica) == Pushed::Torn;
        }
        self.system = Some(page.system);
        self.families = page.families;
        self.series = page.series;
        self.skipped = page.skipped;
        self.first_skipped = page.first_skipped;
        self.attempted(at, if torn { Outcome::Torn } else { Outcome::Page });
    }

    /// Adds an attempt that brought no page.
    pub fn failed(&mut self, at: At, failure: Failure) {
        self.attempted(at, Outcome::Failed(failure));
    }

    /// Adds a health probe that failed.
    pub fn probe_failed(&mut self, at: At, failure: Failure) {
        self.attempted(at, Outcome::ProbeFailed(failure));
    }

    fn attempted(&mut self, at: At, outcome: Outcome) {
        while self.attempts.len() >= self.room.unwrap_or(ATTEMPTS) {
            self.forget_one();
        }
        // A request that waited for long is told of after pages that were asked for later.
        let after = self.attempts.iter().rposition(|a| a.at <= at).map_or(0, |i| i + 1);
        self.attempts.insert(after, Attempt { at, outcome });
    }

    /// Forgets an attempt: of the older half the page between two pages that stand closest, for that it was read says
    /// nothing that they do not say; where there is none, the oldest.
    fn forget_one(&mut self) {
        let half = self.attempts.len() / 2;
        let is_page = |i: usize| self.attempts.get(i).is_some_and(|a| a.outcome == Outcome::Page);
        let between = |i: &usize| (i - 1..=i + 1).all(is_page);
        let gap = |i: &usize| self.attempts[i + 1].at.0 - self.attempts[i - 1].at.0;
        match (1..half).filter(between).min_by_key(gap) {
            Some(closest) => drop(self.attempts.remove(closest)),
            None => drop(self.attempts.pop_front()),
        }
    }

    /// Keeps so many readings of each engine, and as many attempts, from now on.
    fn keep(&mut self, readings: usize) {
        self.room = Some(readings);
        self.tracks.iter_mut().for_each(|t| t.keep(readings));
    }

    /// From `at` on it is this pod; what it was before ends there.
    fn place(&mut self, at: At, placement: Placement) {
        if let Some(last) = self.placements.last_mut() {
            let same = Placement { from: last.from, to: last.to, ..placement.clone() };
            if *last == same {
                return;
            }
            last.to = last.to.or(Some(at));
        }
        if self.placements.len() >= PLACEMENTS {
            self.placements.remove(0);
        }
        self.placements.push(Placement { from: placement.from.or(Some(at)), ..placement });
    }

    /// The pod that this endpoint was at `at`.
    pub fn placement(&self, at: At) -> Option<&Placement> {
        self.placements.iter().find(|p| p.from.is_none_or(|f| f <= at) && p.to.is_none_or(|t| at < t))
    }

    /// The last page that was read.
    pub fn last_page(&self) -> Option<At> {
        self.attempts.iter().rev().find(|a| a.outcome == Outcome::Page).map(|a| a.at)
    }

    /// What the last attempt to read a page failed with, if it did.
    pub fn failing(&self) -> Option<&Failure> {
        // A probe that is refused says as much as a scrape: there is no process to answer either.
        let probe = |o: &Outcome| matches!(o, Outcome::ProbeFailed(_) | Outcome::Answered | Outcome::Unanswered(_));
        let says = |a: &&Attempt| a.outcome.is_absence() || !probe(&a.outcome);
        match &self.attempts.iter().rev().find(says)?.outcome {
            Outcome::Failed(failure) | Outcome::ProbeFailed(failure) => Some(failure),
            Outcome::Page | Outcome::Torn | Outcome::Answered | Outcome::Unanswered(_) => None,
        }
    }
}

/// Everything known as of `now`.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// The moment that is judged.
    pub now: At,
    /// How far apart readings of one endpoint are meant to be, in seconds.
    pub interval_s: f64,
    /// The workload that is judged; `None` where only endpoints were named.
    pub target: Option<WorkloadRef>,
    /// The endpoints of engines, gateways and exporters of GPUs.
    pub endpoints: Vec<Endpoint>,
    /// The GPUs.
    pub gpus: Vec<GpuTrack>,
    /// What Kubernetes last said, and when that was last known to hold; `None` where it was not asked or did not answer.
    pub cluster: Option<(At, Arc<ClusterFacts>)>,
    /// How each part of Kubernetes is being watched; empty where it is not asked.
    pub watches: Vec<Watch>,
    /// What Prometheus last told, and when it was asked.
    pub told: Option<(At, Told)>,
    /// Why it told nothing when it was last asked, if so.
    pub told_failed: Option<(At, Failure)>,
    /// Why nobody is asked, where one was looked for in the cluster and is not there or not allowed.
    pub untold: Option<(At, Untold)>,
    /// Requests of our own with the moments at which they were sent, in the order in which they ended.
    pub probes: VecDeque<(At, Probed)>,
}

impl Snapshot {
    /// Takes in what a source delivered. Does not move `now`: time enters by its own events.
    pub fn observe(&mut self, observation: Observation) {
        let Observation { at, body } = observation;
        match body {
            Body::Endpoint { name, role, reproduce, reached, placement } => {
                let endpoint = self.endpoint(&name, role);
                endpoint.gone = false;
                // What is read here again has a pace of its own.
                if reached.is_some() {
                    (endpoint.paced_s, endpoint.left_out) = (None, None);
                }
                (endpoint.reproduce, endpoint.reached) = (reproduce, reached);
                if let Some(placement) = placement {
                    endpoint.place(at, placement);
                }
            }
            Body::EndpointGone { name } => {
                if let Some(endpoint) = self.endpoints.iter_mut().find(|e| *e.name == *name) {
                    endpoint.gone = true;
                    self.forget();
                }
            }
            Body::Page { endpoint, page } => self.page(at, &endpoint, page),
            Body::Recorded(endpoint) => match self.endpoints.iter_mut().find(|e| e.name == endpoint.name) {
                Some(known) => *known = *endpoint,
                None => self.endpoints.push(*endpoint),
            },
            Body::Cluster(facts) => self.cluster = Some((at, facts)),
            Body::Watch(watch) => match self.watches.iter_mut().find(|w| w.resource == watch.resource) {
                Some(known) => *known = watch,
                None => self.watches.push(watch),
            },
            Body::Probed(probed) => self.probed(at, probed),
            Body::Told(Ok(told)) => {
                (self.told, self.told_failed, self.untold) = (Some((at, *told)), None, None);
            }
            Body::Told(Err(failure)) => (self.told_failed, self.untold) = (Some((at, failure)), None),
            // A longer silence than the meant one is no loss then.
            Body::Paced { interval_s, of, left_out } if interval_s.is_finite() => match of {
                None => self.interval_s = self.interval_s.max(interval_s),
                Some(name) => {
                    if let Some(endpoint) = self.endpoints.iter_mut().find(|e| e.name == name) {
                        (endpoint.paced_s, endpoint.left_out) = (Some(interval_s), left_out);
                    }
                }
            },
            Body::Paced { .. } => {}
            Body::Untold(untold) => (self.told_failed, self.untold) = (None, Some((at, untold))),
        }
    }

    /// The last request of our own: through the gateway where there is a door there, else to a replica.
    pub fn last_probe(&self) -> Option<&(At, Probed)> {
        let gateway = |p: &&(At, Probed)| matches!(p.1.door, Door::Gateway(_));
        self.probes.iter().rev().find(gateway).or_else(|| self.probes.back())
    }

    fn probed(&mut self, at: At, probed: Probed) {
        if let Door::Replica(name) = &probed.door
            && let Some(endpoint) = self.endpoints.iter_mut().find(|e| *e.name == **name)
        {
            let outcome = probed.answer.as_ref().map_or_else(|f| Outcome::Unanswered(f.clone()), |_| Outcome::Answered);
            endpoint.attempted(at, outcome);
        }
        if self.probes.len() >= PROBES {
            self.probes.pop_front();
        }
        self.probes.push_back((at, probed));
    }

    /// The endpoints with this role.
    pub fn of_role(&self, role: Role) -> impl Iterator<Item = &Endpoint> {
        self.endpoints.iter().filter(move |e| e.role == role)
    }

    fn page(&mut self, at: At, name: &Arc<str>, page: Result<Page, Failure>) {
        match page {
            Ok(Page::Engine(page)) => {
                let endpoints = self.endpoints.len();
                let endpoint = self.endpoint(name, Role::Engine);
                endpoint.page(at, page);
                // Engines behind one page are taken to be as many behind the others.
                let engines = endpoints * endpoint.tracks.len();
                endpoint.keep((READINGS / engines.max(1)).clamp(READINGS_EACH, track::CAPACITY));
            }
            Ok(Page::Gateway(page)) => self.endpoint(name, Role::Gateway).page(at, page),
            Ok(Page::Gpus(page)) => self.gpus(at, name, page),
            // What it would have been is known from the pages before it, or from whoever named it.
            Err(failure) => {
                let role = self.endpoints.iter().find(|e| *e.name == **name).map_or(Role::Engine, |e| e.role);
                let endpoints = self.endpoints.len();
                let endpoint = self.endpoint(name, role);
                // One that never answers may not hold more than one that does.
                if role == Role::Engine && endpoint.tracks.is_empty() {
                    endpoint.keep((READINGS / endpoints.max(1)).clamp(READINGS_EACH, track::CAPACITY));
                }
                endpoint.failed(at, failure);
            }
        }
    }

    /// Of the endpoints that are gone, those whose last page is the oldest are forgotten where there are too many.
    fn forget(&mut self) {
        while self.endpoints.iter().filter(|e| e.gone).count() > GONE {
            let gone = self.endpoints.iter().enumerate().filter(|(_, e)| e.gone);
            let Some((oldest, _)) = gone.min_by_key(|(_, e)| e.last_page()) else { return };
            self.endpoints.remove(oldest);
        }
    }

    fn endpoint(&mut self, name: &str, role: Role) -> &mut Endpoint {
        let known = self.endpoints.iter().position(|e| e.name == name);
        let index = known.unwrap_or_else(|| {
            self.endpoints.push(Endpoint::new(name, ""));
            self.endpoints.len() - 1
        });
        self.endpoints[index].role = role;
        &mut self.endpoints[index]
    }

    fn gpus(&mut self, at: At, name: &Arc<str>, page: GpuPage) {
        let endpoint = self.endpoint(name, Role::Gpus);
        (endpoint.series, endpoint.skipped) = (page.series, page.skipped);
        endpoint.first_skipped = page.first_skipped;
        endpoint.attempted(at, Outcome::Page);
        for reading in page.gpus {
            let known = self.gpus.iter().position(|g| g.id == reading.id);
            if known.is_none() && self.gpus.len() >= GPUS {
                continue;
            }
            let index = known.unwrap_or_else(|| {
                self.gpus.push(GpuTrack { id: reading.id.clone(), source: Arc::clone(name), ..GpuTrack::default() });
                self.gpus.len() - 1
            });
            self.gpus[index].push(at, reading);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{GpuId, GpuReading};

    fn observe(snapshot: &mut Snapshot, at: i64, body: Body) {
        snapshot.observe(Observation { at: At(at), body });
    }

    #[test]
    fn of_many_attempts_pages_between_pages_are_forgotten_and_never_a_failure_nor_the_first() {
        let mut endpoint = Endpoint::new("a", "");
        endpoint.failed(At(0), Failure::Refused);
        for n in 1..5000 {
            let outcome = if n == 700 { Outcome::Failed(Failure::Refused) } else { Outcome::Page };
            if n == 300 {
                endpoint.keep(READINGS_EACH);
            }
            endpoint.attempted(At(n * 5000), outcome);
        }
        let kept: Vec<&Attempt> = endpoint.attempts.iter().collect();
        assert!(kept.len() <= READINGS_EACH, "{}", kept.len());
        assert_eq!(kept[0].at, At(0), "nobody listened when it was first asked");
        let refused: Vec<At> = kept.iter().filter(|a| a.outcome.is_absence()).map(|a| a.at).collect();
        assert_eq!(refused, [At(0), At(700 * 5000)]);
        // Between two that stand side by side the time grows evenly, and the newest are all there.
        let gaps: Vec<i64> = kept.windows(2).map(|pair| pair[1].at.0 - pair[0].at.0).collect();
        assert!(gaps.iter().rev().take(100).all(|gap| *gap == 5000), "{gaps:?}");
        assert!(gaps.iter().all(|gap| *gap <= 1_000_000), "{gaps:?}");
        for _ in 0..5000 {
            endpoint.failed(At(30_000_000), Failure::Refused);
        }
        assert!(endpoint.attempts.len() <= READINGS_EACH, "failures alone are bounded too");
    }

    fn named(name: &str, ready: bool) -> Body {
        let placement = Placement { pod: Some(name.to_owned()), ready: Some(ready), ..Placement::default() };
        Body::Endpoint {
            name: name.into(),
            role: Role::Engine,
            reproduce: String::new(),
            reached: None,
            placement: Some(placement),
        }
    }

    #[test]
    fn one_endpoint_that_somebody_else_samples_seldom_makes_no_other_one_look_fresh() {
        let mut snapshot = Snapshot { interval_s: 5.0, ..Snapshot::default() };
        observe(&mut snapshot, 0, named("gateway", true));
        let paced = |of| Body::Paced { interval_s: 60.0, of, left_out: Some("a part".to_owned()) };
        observe(&mut snapshot, 0, paced(Some("gateway".to_owned())));
        assert_eq!((snapshot.interval_s, snapshot.endpoints[0].paced_s), (5.0, Some(60.0)));
        assert_eq!(snapshot.endpoints[0].left_out.as_deref(), Some("a part"));
        let reached = Some(Reached::default());
        let (name, role, reproduce) = ("gateway".into(), Role::Gateway, String::new());
        observe(&mut snapshot, 1, Body::Endpoint { name, role, reproduce, reached, placement: None });
        assert_eq!((snapshot.endpoints[0].paced_s, &snapshot.endpoints[0].left_out), (None, &None), "it is read again");
        observe(&mut snapshot, 2, paced(None));
        assert_eq!(snapshot.interval_s, 60.0);
    }

    #[test]
    fn pods_that_come_and_go_for_days_are_forgotten_oldest_first() {
        let mut snapshot = Snapshot::default();
        observe(&mut snapshot, 0, named("stays", true));
        for i in 0..200 {
            let name = format!("pod-{i}");
            observe(&mut snapshot, i, named(&name, true));
            let page = Ok(Page::Engine(EnginePage::default()));
            observe(&mut snapshot, i, Body::Page { endpoint: name.as_str().into(), page });
            observe(&mut snapshot, i, Body::EndpointGone { name: name.as_str().into() });
        }
        let names: Vec<&str> = snapshot.endpoints.iter().map(|e| e.name.as_str()).collect();
        assert_eq!(names.len(), 1 + GONE);
        assert!(names.contains(&"stays") && names.contains(&"pod-199") && !names.contains(&"pod-0"));
    }

    #[test]
    fn a_pod_that_flaps_keeps_its_latest_placements() {
        let mut snapshot = Snapshot::default();
        for i in 0..1000 {
            observe(&mut snapshot, i, named("flaps", i % 2 == 0));
        }
        let endpoint = &snapshot.endpoints[0];
        assert_eq!(endpoint.placements.len(), PLACEMENTS);
        assert_eq!(endpoint.placement(At(999)).and_then(|p| p.ready), Some(false));
    }

    #[test]
    fn an_exporter_that_names_ever_other_gpus_fills_no_memory() {
        let mut snapshot = Snapshot::default();
        for round in 0..10 {
            let gpu = |i: i64| GpuReading {
                id: GpuId { uuid: Some(format!("GPU-{}", round * 1000 + i)), ..GpuId::default() },
                ..GpuReading::default()
            };
            let page = GpuPage { gpus: (0..1000).map(gpu).collect(), ..GpuPage::default() };
            observe(&mut snapshot, round, Body::Page { endpoint: "dcgm".into(), page: Ok(Page::Gpus(page)) });
        }
        assert_eq!(snapshot.gpus.len(), GPUS);
    }
}
