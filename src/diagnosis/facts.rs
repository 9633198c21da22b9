//! Everything that the rules read, computed once: the judged window, the incident inside it, what to compare it with.

use std::sync::Arc;

use super::before;
use super::cluster::{Cluster, revision_of};
use super::contrast::Contrast;
use super::episode::{self, Episode};
use super::gateway::Gateway;
use super::gpus::{self, Gpu};
use super::pools::{self, Pools};
use super::slices::{self, Slice};
use super::slo::{self, Metric, SloRow};
use super::span::{Level, Levels, Replica, Span};
use super::stall::{self, Spell, Witness};
use super::{Evidence, Op, Policy, Targets};
use crate::domain::{
    At, BaselineKind, Dist, Endpoint, Failure, Finish, Gauge, Pool, Probed, RowStatus, Snapshot, System, Total,
};

/// The facts about one model's replicas.
#[derive(Debug, Clone)]
pub(super) struct Facts<'a> {
    pub(super) now: At,
    pub(super) model: Option<String>,
    pub(super) targets: Targets,
    pub(super) system: Arc<System>,
    pub(super) replicas: Vec<Replica<'a>>,
    /// The endpoints of its engines, those without any page included.
    pub(super) engine_endpoints: Vec<&'a Endpoint>,
    /// The start of the judged window: shorter than asked for where less was observed.
    pub(super) from: At,
    pub(super) window: Span,
    /// The gauges over the window; those below are the incident's.
    pub(super) levels: Levels,
    pub(super) slices: Vec<Slice>,
    pub(super) slo: Vec<SloRow>,
    pub(super) episode: Option<Episode>,
    /// Requests that still wait and are late already.
    pub(super) waiting_late: f64,
    /// Whether only a leading signal speaks: requests wait, and nothing measured is late (yet).
    pub(super) leading: bool,
    /// The stretch that is explained: the episode, or the window where there is none.
    pub(super) incident: (At, At),
    pub(super) during: Span,
    /// What the rules compare with: what was watched here, else what a Prometheus tells, else the process's life.
    pub(super) baseline: Option<Baseline>,
    /// What a Prometheus tells of before, however much was watched here.
    told: Option<Baseline>,
    pub(super) spells: Vec<Spell<'a>>,
    pub(super) running: Option<Level>,
    pub(super) waiting: Option<Level>,
    pub(super) kv: Option<Level>,
    /// How far apart readings are meant to be (s).
    pub(super) interval_s: f64,
    /// Longest silence over which a gauge is integrated.
    pub(super) max_gap_s: f64,
    /// What Kubernetes says, where it was asked.
    pub(super) cluster: Option<Cluster<'a>>,
    pub(super) gateway: Option<Gateway<'a>>,
    pub(super) gpus: Vec<Gpu<'a>>,
    /// The newest revision against the one before it, where both have replicas that serve.
    pub(super) contrast: Option<Contrast>,
    /// Engines that answered: in the calm stretch before, and during the incident.
    pub(super) serving: (Option<usize>, usize),
    /// Requests of our own that were sent in the window, with when.
    pub(super) probes: Vec<&'a (At, Probed)>,
    /// The pools of a disaggregated deployment, each by itself.
    pub(super) pools: Option<Box<Pools<'a>>>,
}

/// What "before" was.
#[derive(Debug, Clone)]
pub(super) struct Baseline {
    pub(super) kind: BaselineKind,
    pub(super) span: Span,
    /// The stretch, where it is one of what was recorded.
    pub(super) stretch: Option<(At, At)>,
    pub(super) running: Option<Level>,
    /// From when to when it was, where that is one stretch.
    pub(super) between: Option<(At, At)>,
}

/// What the window is shown against.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shown<'f> {
    pub(super) kind: BaselineKind,
    pub(super) span: &'f Span,
    pub(super) between: Option<(At, At)>,
}

/// First tokens that a baseline needs: fewer say nothing about a mean.
const BASELINE_EVENTS: f64 = 5.0;

impl<'a> Facts<'a> {
    pub(super) fn of(
        replicas: Vec<Replica<'a>>,
        endpoints: &[&'a Endpoint],
        snapshot: &'a Snapshot,
        policy: &Policy,
    ) -> Self {
        let (now, interval_s) = (snapshot.now, snapshot.interval_s);
        let model = replicas.iter().find_map(|r| r.track.model.clone());
        let targets = policy.targets(model.as_deref());
        let first = replicas.iter().filter_map(|r| r.track.points().front()).map(|p| p.at).min().unwrap_or(now);
        let from = now.plus(-policy.window_s).max(first);
        let window = Span::between(&replicas, from, now).unwrap_or_default();
        // The whole past, not the window alone: what began before the window began then.
        let slices = slices::cut(&replicas, first, now, interval_s, targets);
        let slo: Vec<SloRow> = [Metric::Ttft, Metric::Tpot]
            .into_iter()
            .map(|m| slo::judge((m, m.dist()), &replicas, &window, now, model.as_deref(), targets, snapshot))
            .collect();
        let waiting_late = waiting_late(&replicas, now, targets.ttft.seconds, interval_s);
        let spells = stall::find(&replicas, endpoints, from, now);
        let late = find_episode(&slices, &slo, (from, now), targets, waiting_late);
        let leading = late.is_none().then(|| queue_alone(&slices, &slo, (from, now), targets)).flatten();
        let (episode, leading) = (late.or(leading), leading.is_some());
        let episode = episode.map(|e| Episode { since: onset(e.since, &slices, &spells), ..e });
        let max_gap_s = 30.0_f64.max(4.0 * interval_s);
        let stalled = spells.iter().find(|s| s.witness != Witness::Refused).map(|s| (s.from, s.to));
        let incident = episode.map(|e| (e.since, e.until.unwrap_or(now))).or(stalled).unwrap_or((from, now));
        let during = Span::between(&replicas, incident.0, incident.1).unwrap_or_default();
        let levels = Levels::of(&replicas, (from, now), max_gap_s);
        let Levels { running, waiting, kv } = match incident {
            whole if whole == (from, now) => levels,
            part => Levels::of(&replicas, part, max_gap_s),
        };
        let onset = episode.map(|e| e.since).or(stalled.map(|s| s.0));
        let calm = calm(&slices, (first, onset.unwrap_or(from)), targets);
        let system = replicas.iter().find_map(|r| r.endpoint.system.clone()).unwrap_or_default();
        let cluster = Cluster::of(snapshot);
        let rollouts = cluster.iter().flat_map(Cluster::rollouts).map(|r| r.at);
        let before = before::until(onset.unwrap_or(from), rollouts);
        // It adds up what pods count, and knows nothing of pools whose counts are parts of one another.
        let one_fleet = replicas.iter().all(|r| r.pool.is_none());
        let told = before::told(snapshot, model.as_deref(), before, targets).filter(|_| one_fleet);
        let baseline = baseline(&replicas, calm, max_gap_s, told.as_ref());
        let gateway = Gateway::of(snapshot, from, targets, onset);
        let gpus = gpus::judge(snapshot, from.min(incident.0));
        let contrast = Contrast::of(&replicas, cluster.as_ref(), incident, targets);
        let serving = (
            baseline.as_ref().and_then(|b| b.stretch).map(|s| serving(&replicas, s)),
            serving(&replicas, recent(incident, now)),
        );
        let facts = Self {
            now,
            model,
            targets,
            system,
            replicas,
            engine_endpoints: endpoints.to_vec(),
            from,
            window,
            levels,
            slices,
            slo,
            episode,
            waiting_late,
            leading,
            incident,
            during,
            baseline,
            told,
            spells,
            running,
            waiting,
            kv,
            interval_s,
            max_gap_s,
            cluster,
            gateway,
            gpus,
            contrast,
            serving,
            probes: snapshot.probes.iter().filter(|(at, _)| *at >= from && *at <= now).collect(),
            pools: None,
        };
        Self { pools: Pools::of(&facts).map(Box::new), ..facts }
    }

    /// The same about the replicas of one pool alone: what is late, since when, and what it is compared with stay those of
    /// the whole, for users wait for both.
    pub(super) fn part(&self, pool: Pool) -> Self {
        let replicas: Vec<Replica<'a>> = self.replicas.iter().copied().filter(|r| pools::belongs(r, pool)).collect();
        let of_it = |e: &Endpoint| replicas.iter().any(|r| std::ptr::eq(r.endpoint, e));
        let span = |(from, to): (At, At)| Span::between(&replicas, from, to);
        let first = replicas.iter().filter_map(|r| r.track.points().front()).map(|p| p.at).min().unwrap_or(self.now);
        let baseline = self.baseline.as_ref().map(|whole| match whole.stretch {
            Some(stretch) => Baseline {
                span: span(stretch).unwrap_or_default(),
                running: Level::of(&replicas, Gauge::Running, stretch.0, stretch.1, self.max_gap_s),
                ..whole.clone()
            },
            None => Baseline { span: Span::lifetime(&replicas), ..whole.clone() },
        });
        let levels = Levels::of(&replicas, (self.from, self.now), self.max_gap_s);
        let Levels { running, waiting, kv } = Levels::of(&replicas, self.incident, self.max_gap_s);
        let stretch = baseline.as_ref().and_then(|b| b.stretch);
        Self {
            system: replicas.iter().find_map(|r| r.endpoint.system.clone()).unwrap_or_default(),
            engine_endpoints: self.engine_endpoints.iter().copied().filter(|e| of_it(e)).collect(),
            window: span((self.from, self.now)).unwrap_or_default(),
            during: span(self.incident).unwrap_or_default(),
            slices: slices::cut(&replicas, first, self.now, self.interval_s, self.targets),
            spells: self.spells.iter().copied().filter(|s| of_it(s.endpoint)).collect(),
            serving: (stretch.map(|s| serving(&replicas, s)), serving(&replicas, recent(self.incident, self.now))),
            levels,
            running,
            waiting,
            kv,
            baseline,
            pools: None,
            replicas,
            ..self.clone()
        }
    }

    /// What the window is shown against: the old revision that runs now and is well, else an hour before that a Prometheus
    /// tells of, else what was watched.
    pub(super) fn shown_baseline(&self) -> Option<Shown<'_>> {
        match &self.contrast {
            Some(contrast) if contrast.worse => {
                Some(Shown { kind: BaselineKind::OldRevision, span: &contrast.old.span, between: Some(self.incident) })
            }
            _ => {
                let before = self.told.as_ref().or(self.baseline.as_ref())?;
                Some(Shown { kind: before.kind, span: &before.span, between: before.between })
            }
        }
    }

    /// When the objective broke for certain: the first slice of the episode that is over the budget by more than chance.
    /// A late event here and there before it belongs to the episode, and proves nothing.
    pub(super) fn broke(&self) -> At {
        let (ttft, tpot) = (self.targets.ttft.budget(), self.targets.tpot.budget());
        let broken = |s: &&Slice| {
            slo::over_budget(s.ttft.bad, s.ttft.count, ttft) || slo::over_budget(s.itl.bad, s.itl.count, tpot)
        };
        let mut inside = self.slices.iter().filter(|s| s.from >= self.incident.0);
        inside.find(broken).map_or(self.incident.0, |s| s.from)
    }

    /// Whether nobody serves any more: replicas are wanted, Kubernetes knows of none that is Ready (or all that it calls
    /// so refuse), and no page of an engine was read just now.
    pub(super) fn down(&self) -> bool {
        // Pods that may not be read are none either: the workload itself has to say so too.
        let desired = |c: &Cluster<'_>| c.facts.workload.as_ref().filter(|w| w.desired > 0).map(|w| w.ready);
        let none = |c: &Cluster<'_>| desired(c) == Some(0) && c.ready() == 0;
        let refusing = |c: &Cluster<'_>| {
            let refuses =
                |e: &&&Endpoint| matches!(e.failing(), Some(Failure::Refused)) && c.pod(e).is_some_and(|p| p.ready);
            let silent = self.engine_endpoints.iter().filter(refuses).count();
            desired(c).is_some() && silent > 0 && silent == c.ready()
        };
        let served = self.baseline.as_ref().is_some_and(|b| b.stretch.is_some());
        let answered =
            |r: Replica<'_>| r.track.points().back().is_some_and(|p| self.now.since(p.at) <= self.max_gap_s / 3.0);
        served
            && !self.engines().filter(|r| r.endpoint.placements.iter().all(|p| p.workload.is_none())).any(answered)
            && self.cluster.as_ref().is_some_and(|c| !c.stale && (none(c) || refusing(c)))
    }

    /// The revision that a replica serves.
    pub(super) fn revision(&self, replica: &Replica<'_>) -> Option<u64> {
        revision_of(replica.endpoint, self.cluster.as_ref())
    }

    /// The engines: what a process says of itself beside several of them is no replica.
    pub(super) fn engines(&self) -> impl Iterator<Item = Replica<'a>> {
        self.replicas.iter().copied().filter(|r| r.is_engine())
    }

    /// The state of an objective.
    pub(super) fn status(&self, metric: Metric) -> RowStatus {
        self.slo.iter().find(|s| s.metric == metric).map_or(RowStatus::Unknown, |s| s.status)
    }

    /// Whether an objective is broken, or requests that wait are late already.
    pub(super) fn late(&self, metric: Metric) -> bool {
        matches!(self.status(metric), RowStatus::Breach | RowStatus::Warning)
            || (metric == Metric::Ttft && self.waiting_late >= 1.0)
    }

    /// Whether any engine was read twice: one page tells what happened since its process started, and nothing of when.
    pub(super) fn compared(&self) -> bool {
        self.replicas.iter().any(|r| r.track.points().iter().filter(|p| p.at <= self.now).nth(1).is_some())
    }

    /// Whether anything happened at all: requests, tokens, or work that is held. What we asked ourselves is no traffic.
    pub(super) fn traffic(&self) -> bool {
        let own = self.probes.iter().filter(|(_, p)| p.answer.is_ok()).count();
        if own > 0 && self.window.count(Dist::Ttft) <= own as f64 && self.held() == 0.0 {
            return false;
        }
        let moved = |t| self.window.total(t).unwrap_or(0.0) > 0.0;
        self.window.count(Dist::Ttft) > 0.0
            || self.window.count(Dist::Itl) > 0.0
            || moved(Total::GenerationTokens)
            || moved(Total::PromptTokens)
            || moved(Total::Finished)
            || moved(Total::Steps)
            || moved(Total::Rejected)
            || self.held() > 0.0
    }

    /// Requests that the engines hold now: running and waiting.
    pub(super) fn held(&self) -> f64 {
        let last = |level: Option<Level>| level.map_or(0.0, |l| l.last);
        last(self.levels.running) + last(self.levels.waiting)
    }

    /// The mean of a phase per request during `span`. SGLang's health probes stand in its queue histogram with about
    /// nothing each: its sum is divided by the requests that got a first token instead.
    pub(super) fn phase_mean(&self, span: &Span, dist: Dist) -> Option<f64> {
        let first_tokens = span.count(Dist::Ttft);
        if dist == Dist::Queue
            && self.system.probes_count_as_requests
            && first_tokens > 0.0
            && span.count(Dist::Queue) > first_tokens
        {
            return Some(span.sum(Dist::Queue) / first_tokens);
        }
        span.mean(dist)
    }

    /// TTFT less queue and prefill; `None` where one of them is not measured.
    pub(super) fn rest_mean(&self, span: &Span) -> Option<f64> {
        let queue = self.phase_mean(span, Dist::Queue)?;
        Some(span.mean(Dist::Ttft)? - queue - self.phase_mean(span, Dist::Prefill)?)
    }

    /// Whether the phase split describes other requests than TTFT does: first tokens and finished requests differ by
    /// more than a fifth, or requests wait: more than one in a hundred, for fewer move no mean. With it, how many are
    /// unfinished.
    pub(super) fn lag(&self, span: &Span, waiting_now: f64) -> Option<f64> {
        const TOLERATED: f64 = 0.2;
        const FEW: f64 = 0.01;
        if self.system.phases == Finish::Live {
            return None;
        }
        let (first, finished) = (span.count(Dist::Ttft), span.count(Dist::E2e));
        let apart = first > 0.0 && (first - finished).abs() / first > TOLERATED;
        (apart || waiting_now >= (FEW * first).max(1.0)).then_some((first - finished).max(0.0))
    }

    /// Requests that arrived during `stretch`, and the seconds in which that many come at the rate of that time: those
    /// finished, given up, turned away, and the change of those held. Each endpoint counts over the time between its
    /// own two readings; with `peers`, only endpoints that were read in that other stretch too, or started since: one
    /// that was not looked at before is no new traffic.
    pub(super) fn arrivals(&self, stretch: (At, At), peers: Option<(At, At)>) -> Option<(f64, f64)> {
        // A request comes to both pools, and is one: to the prefillers first, but for those whose prompts are short.
        let Some(pools) = &self.pools else { return self.arrived(stretch, peers) };
        let of_each = pools.iter().filter_map(|(_, part)| part.arrived(stretch, peers));
        of_each.max_by(|a, b| a.0.total_cmp(&b.0))
    }

    fn arrived(&self, (from, to): (At, At), peers: Option<(At, At)>) -> Option<(f64, f64)> {
        let (mut count, mut rate, mut longest) = (0.0, 0.0, None::<f64>);
        for group in self.replicas.chunk_by(|a, b| std::ptr::eq(a.endpoint, b.endpoint)) {
            let known = |other: (At, At)| {
                Span::between(group, other.0, other.1).is_some()
                    || group.iter().all(|r| r.born_after(other.0) || r.started_after(other.1))
            };
            if !peers.is_none_or(known) {
                continue;
            }
            let Some(span) = Span::between(group, from, to).filter(|s| s.seconds > 0.0) else { continue };
            let Some(finished) = span.total(Total::Finished) else { continue };
            let change = |gauge| {
                group.iter().fold(0.0, |sum, r| {
                    let at = |t| r.track.at_or_before(t).and_then(|p| p.values.gauge(gauge));
                    sum + at(to).unwrap_or(0.0) - at(from).or_else(|| r.first(gauge)).unwrap_or(0.0)
                })
            };
            let arrived = finished
                + Self::abandoned(&span).unwrap_or(0.0)
                + span.total(Total::Rejected).unwrap_or(0.0)
                + change(Gauge::Running)
                + change(Gauge::Waiting);
            let seconds = span.seconds.max(watched(group[0].endpoint, group, (from, to)));
            count += arrived.max(0.0);
            rate += arrived.max(0.0) / seconds;
            longest = Some(longest.unwrap_or(0.0).max(seconds));
        }
        longest.map(|longest| (count, if rate > 0.0 { count / rate } else { longest }))
    }

    /// Requests that ended without being finished by the engine: the HTTP layer counts them, the engine does not. A
    /// rejection that was told inside a 200 stream is none of them.
    pub(super) fn abandoned(span: &Span) -> Option<f64> {
        let answered = span.total(Total::HttpFinished)?;
        let finished = span.total(Total::Finished)?;
        let rejected = span.total(Total::Rejected).unwrap_or(0.0);
        let rejected_in_stream = (rejected - span.total(Total::HttpFailed).unwrap_or(0.0)).max(0.0);
        Some((answered - finished - rejected_in_stream).max(0.0))
    }

    /// Prompt tokens per request that were computed and not found in a cache.
    pub(super) fn computed_tokens(span: &Span) -> Option<f64> {
        let requests = Some(span.requests()).filter(|n| *n > 0.0)?;
        let all = span.total(Total::PromptTokens)?;
        let cached = span.total(Total::PromptTokensCached).or_else(|| span.total(Total::CacheHits)).unwrap_or(0.0);
        Some((all - cached).max(0.0) / requests)
    }

    /// The family that stands for a quantity.
    pub(super) fn source(&self, quantity: &str) -> String {
        slo::series(&self.replicas, quantity).unwrap_or_else(|| quantity.to_owned())
    }

    /// Evidence from one quantity.
    pub(super) fn evidence(
        &self,
        quantity: &str,
        claim: String,
        value: f64,
        op: Op,
        threshold: Option<f64>,
        unit: &'static str,
    ) -> Evidence {
        let source = self.source(quantity);
        let reproduce = self
            .replicas
            .first()
            .filter(|r| !r.endpoint.reproduce.is_empty())
            .map(|r| format!("{} | grep -F '{source}'", r.endpoint.reproduce));
        Evidence { claim, value, op, threshold, unit, source, at: self.incident.1, supports: true, reproduce }
    }
}

/// The seconds of a stretch in which it is known what an endpoint was given: before its pod came and after it was gone that
/// is nothing, so that pods which replace each other are not added up.
fn watched(endpoint: &Endpoint, tracks: &[Replica<'_>], (from, to): (At, At)) -> f64 {
    let points = || tracks.iter().map(|r| r.track.points());
    let (first, last) =
        (points().filter_map(|p| p.front()).map(|p| p.at).min(), points().filter_map(|p| p.back()).map(|p| p.at).max());
    let came = endpoint.placements.first().and_then(|p| p.from).is_some_and(|at| at > from);
    let start = first.filter(|_| !came).map_or(from, |f| f.max(from));
    let end = last.filter(|_| !endpoint.gone).map_or(to, |l| l.min(to));
    end.since(start)
}

/// The part of an incident that tells who serves in it: of one that is on, its last minute. Its onset reaches back to the
/// first that waited, which may be before anybody was lost.
pub(super) fn recent((from, to): (At, At), now: At) -> (At, At) {
    const RECENT_S: f64 = 60.0;
    if to < now { (from, to) } else { (from.max(to.plus(-RECENT_S)), to) }
}

/// Engines that answered in a stretch: at the middle reading of its time, so that who came or went in it counts by how
/// long it was there.
fn serving(replicas: &[Replica<'_>], (from, to): (At, At)) -> usize {
    const PARTS: i64 = 9;
    let step = ((to.0 - from.0) / PARTS).max(1);
    let mut counts: Vec<usize> = (0..PARTS)
        .map(|i| {
            let (start, end) = (At(from.0 + i * step), At(from.0 + (i + 1) * step));
            // A stretch that is shorter than the time between two pages has who answered before it and after it.
            let slack = 15.0;
            let answered = |r: &&Replica<'_>| {
                let any = |from: At, to: At| r.points(from, to).any(|p| p.at >= from && p.at <= to);
                r.is_engine() && (any(start, end) || any(start.plus(-slack), start) && any(end, end.plus(slack)))
            };
            replicas.iter().filter(answered).count()
        })
        .collect();
    counts.sort_unstable();
    counts[counts.len() / 2]
}

/// Requests that have waited longer than `target` and still have no first token: of those that waited then, all but as
/// many as got a first token since. Exact but for clients that gave up, whom the gauge leaves out as well; preempted
/// requests had their first token, so as many as may be among those who wait are taken away.
fn waiting_late(replicas: &[Replica<'_>], now: At, target: f64, interval_s: f64) -> f64 {
    replicas
        .iter()
        .filter_map(|r| {
            let end = r.track.at_or_before(now)?;
            let start = r.track.at_or_before(end.at.plus(-target))?;
            if now.since(end.at) > 3.0 * interval_s.max(5.0)
                || end.at.since(start.at) > target + 3.0 * interval_s.max(5.0)
            {
                return None;
            }
            let still = end.values.gauge(Gauge::Waiting)?;
            let waited = start.values.gauge(Gauge::Waiting)?.min(still);
            let dist = |p: &crate::domain::Point| p.values.dist(Dist::Ttft).map_or(0.0, |h| h.count);
            // A prefiller that counts no first tokens counts those whose wait in its queue was over.
            let queued = |p: &crate::domain::Point| p.values.dist(Dist::Queue).map_or(0.0, |h| h.count);
            let started = match (r.pool, end.values.dist(Dist::Ttft)) {
                (Some(Pool::Prefill), None) => queued(end) - queued(start),
                _ => dist(end) - dist(start),
            };
            // No more than were ever running at once, and none from before a moment at which nobody waited.
            let preemptions = |p: &crate::domain::Point| p.values.total(Total::Preemptions).unwrap_or(0.0);
            let nobody = |p: &&crate::domain::Point| p.values.gauge(Gauge::Waiting).is_some_and(|w| w < 1.0);
            let before = r.track.points().iter().rev().skip_while(|p| p.at > start.at).find(nobody);
            let since = before.map_or(f64::INFINITY, |p| preemptions(end) - preemptions(p));
            let running =
                Level::of(std::slice::from_ref(r), Gauge::Running, start.at, end.at, 30.0).map_or(0.0, |l| l.peak);
            let preempted = if preemptions(end) > 0.0 { running.min(since.max(0.0)) } else { 0.0 };
            Some((waited - started - preempted).max(0.0))
        })
        .sum()
}

fn find_episode(
    slices: &[Slice],
    slo: &[SloRow],
    window: (At, At),
    targets: Targets,
    waiting_late: f64,
) -> Option<Episode> {
    let broken =
        |metric| slo.iter().any(|s| s.metric == metric && matches!(s.status, RowStatus::Breach | RowStatus::Warning));
    let (ttft, tpot) = (broken(Metric::Ttft), broken(Metric::Tpot));
    if !ttft && !tpot && waiting_late < 1.0 {
        return None;
    }
    // Requests and tokens are not added: the requests' episode speaks, unless it is over and the tokens' is not.
    let requests = |s: &Slice| if ttft { beyond(s.ttft, targets.ttft.budget()) } else { 0.0 };
    let of_requests = episode::find(slices, window, requests, waiting_late)
        .map(|e| Episode { since: episode::broke(slices, e, targets.ttft.budget(), |s| s.ttft), ..e });
    let of_tokens =
        tpot.then(|| episode::find(slices, window, |s| beyond(s.itl, targets.tpot.budget()), 0.0)).flatten();
    let of_tokens =
        of_tokens.map(|e| Episode { since: episode::broke(slices, e, targets.tpot.budget(), |s| s.itl), ..e });
    match (of_requests, of_tokens) {
        (Some(Episode { since, until: Some(end), .. }), Some(tokens)) if tokens.until.is_none() => {
            let one = tokens.since.since(end) < episode::MERGE_S;
            Some(Episode { since: if one { since.min(tokens.since) } else { tokens.since }, ..tokens })
        }
        (requests, tokens) => requests.or(tokens),
    }
}

/// What the budget allows is not late: a slice counts from where it spends more than its share.
fn beyond(events: slices::Events, budget: f64) -> f64 {
    (events.bad - events.count * budget).max(0.0)
}

/// When it began. A request that comes late has waited before, and a histogram sees it only then: the queue or the stall
/// that led up to the first late event belongs to the episode. The queue no longer than the first late ones have waited,
/// on average at most: at a high load somebody nearly always waits a little, and that is no beginning.
fn onset(first_late: At, slices: &[Slice], spells: &[Spell<'_>]) -> At {
    const APART_S: f64 = 15.0;
    let mut since = first_late;
    let first = slices.iter().find(|s| s.from >= first_late && s.ttft.bad >= 1.0);
    let waited = first.map_or(f64::INFINITY, |s| s.ttft.sum / s.ttft.bad);
    for slice in slices.iter().rev().skip_while(|s| s.to > first_late) {
        if slice.waiting.is_none_or(|w| w < 1.0) || first_late.since(slice.to) >= waited {
            break;
        }
        since = slice.from;
    }
    spells
        .iter()
        .filter(|s| s.witness != Witness::Refused && s.from < since && since.since(s.to) < APART_S)
        .map(|s| s.from)
        .min()
        .unwrap_or(since)
}

/// Requests that wait, where nothing measured says that anything is late. Where TTFT is measured that is a sign only
/// while it lasts and would make a newcomer late (waiting requests over the rate of first tokens, Little); where it is
/// not, a queue that stood for a while is all there is to go by.
fn queue_alone(slices: &[Slice], slo: &[SloRow], window: (At, At), targets: Targets) -> Option<Episode> {
    const SLICES: usize = 3;
    let measured = slo.iter().any(|s| s.metric == Metric::Ttft && s.count.is_some());
    let queued = |s: &Slice| s.waiting.filter(|w| *w >= 1.0).unwrap_or(0.0);
    if measured {
        let recent = slices.len().checked_sub(SLICES).map(|i| &slices[i..])?;
        let (count, length) =
            recent.iter().fold((0.0, 0.0), |(n, s), slice| (n + slice.ttft.count, s + slice.to.since(slice.from)));
        let waiting = recent.last().map_or(0.0, &queued);
        let newcomer = if count > 0.0 { waiting * length / count } else { f64::INFINITY };
        if recent.iter().any(|s| queued(s) < 1.0) || newcomer <= targets.ttft.seconds {
            return None;
        }
    } else if slices.windows(SLICES).all(|w| w.iter().any(|s| queued(s) < 1.0)) {
        return None;
    }
    episode::find(slices, window, queued, 0.0)
}

/// The longest stretch of `whole` without an earlier incident: what was broken is nothing to compare with. A few late
/// events within the budget are no incident.
fn calm(slices: &[Slice], (first, until): (At, At), targets: Targets) -> (At, At) {
    let mut longest = (first, first);
    let mut start = first;
    let close = |start: At, end: At, longest: &mut (At, At)| {
        if end.since(start) > longest.1.since(longest.0) {
            *longest = (start, end);
        }
    };
    let count = |slices: &[Slice], of: fn(&Slice) -> slices::Events| {
        slices.iter().map(of).fold((0.0, 0.0), |(bad, all), e| (bad + e.bad, all + e.count))
    };
    let before = &slices[..slices.partition_point(|s| s.to <= until)];
    let stretches =
        episode::stretches(before, |s| beyond(s.ttft, targets.ttft.budget()) + beyond(s.itl, targets.tpot.budget()));
    for (from, to, _) in stretches {
        let inside = &before[before.partition_point(|s| s.to <= from)..before.partition_point(|s| s.to <= to)];
        let (requests, tokens) = (count(inside, |s| s.ttft), count(inside, |s| s.itl));
        if slo::over_budget(requests.0, requests.1, targets.ttft.budget())
            || slo::over_budget(tokens.0, tokens.1, targets.tpot.budget())
        {
            close(start, onset(from, before, &[]), &mut longest);
            start = to;
        }
    }
    close(start, until, &mut longest);
    longest
}

/// The best of what there is to compare with: the calm stretch before the episode or before the window, or the
/// process's life before the first reading. What was watched here knows replicas and gauges too, and lies nearest to the
/// onset: the rules take it before what a Prometheus tells, and that before a life that the incident may be a part of.
fn baseline(
    replicas: &[Replica<'_>],
    (first, until): (At, At),
    max_gap_s: f64,
    told: Option<&Baseline>,
) -> Option<Baseline> {
    let enough = |span: &Span| {
        span.count(Dist::Ttft) >= BASELINE_EVENTS
            || (span.dist(Dist::Ttft).is_none() && span.tokens().unwrap_or(0.0) >= 100.0)
    };
    if until > first
        && let Some(span) = Span::between(replicas, first, until)
        && enough(&span)
    {
        let running = Level::of(replicas, Gauge::Running, first, until, max_gap_s);
        let stretch = Some((first, until));
        return Some(Baseline { kind: BaselineKind::History, span, stretch, running, between: stretch });
    }
    if let Some(told) = told {
        return Some(told.clone());
    }
    let span = Span::lifetime(replicas);
    enough(&span).then_some(Baseline {
        kind: BaselineKind::Lifetime,
        span,
        stretch: None,
        running: None,
        between: None,
    })
}
