//! What a check looks at: the diagnosis of this moment, the readings below it, what the run remembers, and what was
//! heard from outside. Knows no runbook.

use super::Memory;
use crate::diagnosis::{Diagnosis, Metric, SloRow};
use crate::domain::{At, ClusterFacts, Endpoint, Probed, Role, Snapshot, SourceState};

/// A page older than this is stale, whatever the interval (s).
const STALE_S: f64 = 15.0;

/// An alert as Prometheus tells it.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    /// Its name.
    pub name: String,
    /// Whether it fires.
    pub firing: bool,
    /// When it was asked.
    pub at: At,
}

/// Everything that checks and guards may look at.
#[derive(Debug, Clone, Copy)]
pub struct Sight<'a> {
    /// What was diagnosed.
    pub d: &'a Diagnosis,
    /// What it was diagnosed from; `None` where only the diagnosis is at hand.
    pub snapshot: Option<&'a Snapshot>,
    /// What the run remembers.
    pub memory: &'a Memory,
}

static NO_MEMORY: Memory = Memory::new();

impl<'a> Sight<'a> {
    /// A look without a past.
    pub fn new(d: &'a Diagnosis) -> Self {
        Self { d, snapshot: None, memory: &NO_MEMORY }
    }

    /// The same with the readings below.
    #[must_use]
    pub fn with_snapshot(self, snapshot: &'a Snapshot) -> Self {
        Self { snapshot: Some(snapshot), ..self }
    }

    /// The same with a run's memory.
    #[must_use]
    pub fn with_memory(self, memory: &'a Memory) -> Self {
        Self { memory, ..self }
    }

    /// What Kubernetes says, where it is believed now.
    pub(super) fn facts(self) -> Option<&'a ClusterFacts> {
        let watched = self.d.sources.iter().any(|s| s.via == Some("watch") && s.state == SourceState::Live);
        self.snapshot.filter(|_| watched)?.cluster.as_ref().map(|(_, facts)| &**facts)
    }

    /// The endpoints of engines that are still read.
    pub(super) fn engines(self) -> impl Iterator<Item = &'a Endpoint> {
        self.snapshot.into_iter().flat_map(|s| s.of_role(Role::Engine)).filter(|e| !e.gone)
    }

    /// Whether a page of this age is too old to be believed.
    pub(super) fn is_old(self, age_s: f64) -> bool {
        age_s > STALE_S.max(3.0 * self.snapshot.map_or(0.0, |s| s.interval_s))
    }

    /// The age of the newest page of any engine (s). Nothing that an engine says is younger.
    pub(super) fn engine_age(self) -> Option<f64> {
        let by_page = self.engines().filter_map(Endpoint::last_page).map(|at| self.d.at.since(at)).reduce(f64::min);
        let rows = || self.d.replicas.iter().filter(|r| !r.gone).filter_map(|r| r.age_s).reduce(f64::min);
        by_page.or_else(rows)
    }

    /// Whether nothing that was read from engines is fresh.
    pub(super) fn is_stale(self) -> bool {
        self.engine_age().is_none_or(|age| self.is_old(age))
    }

    /// Replicas that Kubernetes calls Ready and whose pages stopped coming: what their users see is not known.
    pub(super) fn silent(self) -> impl Iterator<Item = &'a str> {
        let silent = move |age: Option<f64>| age.is_none_or(|a| self.is_old(a));
        self.d
            .replicas
            .iter()
            .filter(move |r| r.ready == Some(true) && !r.gone && silent(r.age_s))
            .map(|r| r.name.as_str())
    }

    /// What Prometheus says of alerts about latency; `None`: it was not asked, or did not answer.
    pub(super) fn alert(self) -> Option<Alert> {
        let (at, told) = self.snapshot?.told.as_ref()?;
        let mut about = told.alerts.iter().filter(|a| a.is_about_latency());
        let firing = about.clone().find(|a| a.firing);
        let name = firing.or_else(|| about.next()).map_or("about latency", |a| a.name.as_str()).to_owned();
        Some(Alert { name, firing: firing.is_some(), at: *at })
    }

    /// The last request of our own, and its age (s).
    pub(super) fn probe(self) -> Option<(&'a Probed, f64)> {
        let (at, probed) = self.snapshot?.last_probe()?;
        Some((probed, self.d.at.since(*at)))
    }

    /// Objectives with counted events.
    pub(super) fn counted(self) -> impl Iterator<Item = &'a SloRow> {
        self.d.slo.iter().filter(|s| s.bad.is_some() && s.count.is_some_and(|n| n > 0.0))
    }

    /// Rows of one latency.
    pub(super) fn rows(self, metric: Metric) -> impl Iterator<Item = &'a SloRow> {
        self.d.slo.iter().filter(move |s| s.metric == metric)
    }
}

/// The objective of a row, by which its past is found again.
pub(super) fn key(row: &SloRow) -> String {
    format!("{} {}", row.metric.name(), row.model.as_deref().unwrap_or(""))
}
