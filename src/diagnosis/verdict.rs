//! The verdict: what is the matter, who is suspected, and the sentence that says so.

use super::facts::Facts;
use super::format::{bound, number, percent, seconds};
use super::rules::{self, Split, stalled_worst};
use super::slo::{Metric, SloRow};
use super::span::{Replica, Span};
use super::stall::Witness;
use super::{Finding, LeverAdvice, PhaseRow, Policy, Suspect, levers, phases};
use crate::domain::{
    Action, At, Cause, Code, Confidence, Dist, Endpoint, Failure, Gauge, Mechanism, Phase, RowStatus, Severity,
    Snapshot, SourceState, Total, Trend, Verdict,
};

/// Everything that a diagnosis says.
#[derive(Debug, Clone)]
pub struct Diagnosis {
    /// The moment that was judged.
    pub at: At,
    /// The judged window.
    pub from: At,
    /// The window that was asked for, in seconds.
    pub requested_s: f64,
    /// What is the matter.
    pub verdict: Verdict,
    /// Which way it goes, where something is the matter.
    pub trend: Option<Trend>,
    /// Since when.
    pub since: Option<At>,
    /// Until when, where it is over.
    pub until: Option<At>,
    /// The verdict in words.
    pub sentence: String,
    /// Who is suspected.
    pub suspect: Option<Suspect>,
    /// The model, the engine and its generation, where they are the same everywhere.
    pub model: Option<String>,
    /// The engine's name.
    pub engine: Option<String>,
    /// The engine's generation.
    pub generation: Option<String>,
    /// The objectives.
    pub slo: Vec<SloRow>,
    /// Six phases and the rest.
    pub phases: Vec<PhaseRow>,
    /// Mean time to first token over the window, and before.
    pub ttft_mean: (Option<f64>, Option<f64>),
    /// What the rules found, most seconds first.
    pub findings: Vec<Finding>,
    /// What changed.
    pub changes: Vec<Change>,
    /// Levers, across all findings.
    pub levers: Vec<LeverAdvice>,
    /// Requests.
    pub requests: Requests,
    /// Replicas.
    pub replicas: Vec<ReplicaRow>,
    /// Sources.
    pub sources: Vec<SourceRow>,
}

/// Something that changed in the window.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// When it was first seen.
    pub at: At,
    /// What kind: `restart`.
    pub kind: &'static str,
    /// In words.
    pub summary: String,
}

/// Requests in the window; `None` where the engine does not count them.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Requests {
    /// Finished by the engine.
    pub finished: Option<f64>,
    /// Ended with a server error.
    pub errors: Option<f64>,
    /// Estimate of those whose clients gave up.
    pub abandoned: Option<f64>,
    /// Turned away by admission.
    pub rejected: Option<f64>,
}

/// One replica in the window.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplicaRow {
    /// The pod where known, else the endpoint, with the engine where a page has several.
    pub name: String,
    /// The node.
    pub node: Option<String>,
    /// The revision.
    pub revision: Option<u64>,
    /// Whether Kubernetes calls it Ready.
    pub ready: Option<bool>,
    /// Mean time to first token (s).
    pub ttft_mean: Option<f64>,
    /// First tokens.
    pub count: Option<f64>,
    /// Last readings.
    pub waiting: Option<f64>,
    /// Running requests.
    pub running: Option<f64>,
    /// KV cache use (0–1).
    pub kv: Option<f64>,
}

/// One source as of the judged moment.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceRow {
    /// Its name.
    pub name: String,
    /// Its state.
    pub state: SourceState,
    /// Seconds since its last page.
    pub age_s: Option<f64>,
    /// What is wrong with it.
    pub error: Option<String>,
    /// Samples on its last page.
    pub series: Option<usize>,
    /// Lines that were skipped on it.
    pub skipped: Option<usize>,
    /// Which families were used: (quantity, family).
    pub families: Vec<(&'static str, String)>,
}

/// A page older than this is stale, whatever the interval: three missed scrapes, and at least this much.
const STALE_S: f64 = 15.0;

/// The name by which a replica is called.
pub(super) fn replica_name(replica: &Replica<'_>) -> String {
    let endpoint = replica.endpoint;
    let base = endpoint.placements.iter().find_map(|p| p.pod.clone()).unwrap_or_else(|| endpoint.name.clone());
    if replica.track.engine.is_empty() { base } else { format!("{base} engine {}", replica.track.engine) }
}

/// Diagnoses a snapshot. Pure: the same snapshot gives the same diagnosis.
pub fn diagnose(snapshot: &Snapshot, policy: &Policy) -> Diagnosis {
    let sources: Vec<SourceRow> = snapshot.endpoints.iter().map(|e| source(e, snapshot)).collect();
    let mut judged: Vec<Judged<'_>> = groups(snapshot)
        .into_iter()
        .map(|(replicas, endpoints)| {
            judge(Facts::of(replicas, &endpoints, snapshot.now, snapshot.interval_s, policy), &sources)
        })
        .collect();
    // The worst model speaks; the objectives of all stand in the table.
    judged.sort_by(|a, b| badness(b.verdict).cmp(&badness(a.verdict)));
    let others: Vec<SloRow> = judged.iter().skip(1).flat_map(|j| j.facts.slo.clone()).collect();
    match judged.into_iter().next() {
        Some(worst) => worst.into_diagnosis(snapshot, policy, sources, others),
        None => nothing_read(snapshot, policy, sources),
    }
}

const fn badness(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Stalled => 5,
        Verdict::Breach => 4,
        Verdict::CannotTell => 3,
        Verdict::Warning => 2,
        Verdict::Healthy => 1,
        Verdict::Idle => 0,
    }
}

/// Replicas by the model that they serve: an objective belongs to a model, and histograms of two models are never added.
fn groups(snapshot: &Snapshot) -> Vec<(Vec<Replica<'_>>, Vec<&Endpoint>)> {
    let mut groups: Vec<(Option<&str>, Vec<Replica<'_>>, Vec<&Endpoint>)> = Vec::new();
    for endpoint in &snapshot.endpoints {
        for track in &endpoint.tracks {
            let group = match groups.iter().position(|(model, ..)| *model == track.model.as_deref()) {
                Some(i) => &mut groups[i],
                None => {
                    groups.push((track.model.as_deref(), Vec::new(), Vec::new()));
                    let last = groups.len() - 1;
                    &mut groups[last]
                }
            };
            group.1.push(Replica { endpoint, track });
            if !group.2.iter().any(|e| std::ptr::eq(*e, endpoint)) {
                group.2.push(endpoint);
            }
        }
    }
    // What belongs to a process of several engines as a whole has no model; it goes with its own page's engines.
    if groups.len() == 2
        && let Some(i) = groups.iter().position(|(model, ..)| model.is_none())
    {
        let (_, replicas, endpoints) = groups.remove(i);
        for replica in replicas {
            groups[0].1.push(replica);
        }
        for endpoint in endpoints {
            if !groups[0].2.iter().any(|e| std::ptr::eq(*e, endpoint)) {
                groups[0].2.push(endpoint);
            }
        }
    }
    // An endpoint without any page has no model either; it is part of what every group may be missing.
    for endpoint in snapshot.endpoints.iter().filter(|e| e.tracks.is_empty()) {
        for group in &mut groups {
            group.2.push(endpoint);
        }
    }
    groups.into_iter().map(|(_, replicas, endpoints)| (replicas, endpoints)).collect()
}

struct Judged<'a> {
    facts: Facts<'a>,
    verdict: Verdict,
    findings: Vec<Finding>,
    suspect: Option<Suspect>,
    split: Split,
    stale: bool,
}

fn judge<'a>(facts: Facts<'a>, sources: &[SourceRow]) -> Judged<'a> {
    let split = Split::of(&facts);
    let mut findings: Vec<Finding> =
        rules::MECHANISMS.iter().chain(rules::CAUSES).filter_map(|rule| rule(&facts, &split)).collect();
    for finding in &mut findings {
        finding.levers = levers::advise(finding.code, &facts);
    }
    let live = facts
        .replicas
        .iter()
        .any(|r| sources.iter().any(|s| s.name == r.endpoint.name && s.state == SourceState::Live));
    let verdict = verdict(&facts, &findings, live);
    let troubled = matches!(verdict, Verdict::Breach | Verdict::Warning | Verdict::Stalled);
    let suspect = if troubled { suspect(&findings) } else { None };
    findings.sort_by(|a, b| rank(b, suspect.as_ref()).total_cmp(&rank(a, suspect.as_ref())));
    Judged { facts, verdict, findings, suspect, split, stale: !live }
}

/// The suspect's mechanism first, its cause next, then by the seconds that are explained.
fn rank(finding: &Finding, suspect: Option<&Suspect>) -> f64 {
    match (finding.code, suspect) {
        (Code::Mechanism(m), Some(s)) if m == s.mechanism => f64::MAX,
        (Code::Cause(c), Some(s)) if Some(c) == s.cause => f64::MAX / 2.0,
        _ => finding.explains_s,
    }
}

fn has(findings: &[Finding], mechanism: Mechanism) -> bool {
    findings.iter().any(|f| f.code == Code::Mechanism(mechanism))
}

fn verdict(facts: &Facts<'_>, findings: &[Finding], live: bool) -> Verdict {
    let stall = stalled_worst(facts);
    if stall.is_some_and(|s| s.on) {
        return Verdict::Stalled;
    }
    if !live || !facts.compared() {
        return Verdict::CannotTell;
    }
    let turned_away = findings.iter().any(|f| {
        matches!(f.code, Code::Mechanism(Mechanism::AdmissionRejected | Mechanism::RequestsAbandoned))
            && f.severity == Severity::Critical
    });
    let broken = [Metric::Ttft, Metric::Tpot].into_iter().any(|m| facts.status(m) == RowStatus::Breach);
    if broken || turned_away || waiting_breaks(facts) {
        return Verdict::Breach;
    }
    if stall.is_some() {
        return Verdict::Stalled;
    }
    let warned = [Metric::Ttft, Metric::Tpot].into_iter().any(|m| facts.status(m) == RowStatus::Warning);
    let outage = findings.iter().any(|f| f.code == Code::Cause(Cause::CapacityLoss)) && nobody_served(facts);
    let mechanism = findings.iter().any(|f| matches!(f.code, Code::Mechanism(_)));
    if warned || outage || mechanism || facts.leading {
        return Verdict::Warning;
    }
    if facts.traffic() { Verdict::Healthy } else { Verdict::Idle }
}

/// Whether the requests that are late already and still wait break the objective by themselves.
fn waiting_breaks(facts: &Facts<'_>) -> bool {
    let row = facts.slo.iter().find(|s| s.metric == Metric::Ttft);
    let (bad, count) = row.map_or((0.0, 0.0), |r| (r.bad.unwrap_or(0.0), r.count.unwrap_or(0.0)));
    let late = facts.waiting_late;
    row.is_some_and(|r| r.count.is_some())
        && late >= 1.0
        && super::slo::over_budget(bad + late, count + late, facts.targets.ttft.budget())
}

/// Whether, while one endpoint refused, no other one answered.
fn nobody_served(facts: &Facts<'_>) -> bool {
    facts.spells.iter().filter(|s| s.witness == Witness::Refused).any(|spell| {
        !facts.replicas.iter().any(|r| r.points(spell.from, spell.to).any(|p| p.at > spell.from && p.at < spell.to))
    })
}

/// The mechanism that explains the most seconds, and of the causes the first with evidence.
fn suspect(findings: &[Finding]) -> Option<Suspect> {
    let mechanism = if has(findings, Mechanism::EngineStalled) {
        Mechanism::EngineStalled
    } else {
        let most = findings
            .iter()
            .filter_map(|f| match f.code {
                Code::Mechanism(m) => Some((m, f.explains_s)),
                Code::Cause(_) => None,
            })
            .max_by(|a, b| a.1.total_cmp(&b.1))?
            .0;
        // Tokens that are slow beside prompts which grew are slow because of them.
        let grew = findings.iter().any(|f| f.code == Code::Cause(Cause::PromptLengthShift));
        let prompts = [Mechanism::PrefillHeadOfLine, Mechanism::PrefillWork].into_iter().find(|m| has(findings, *m));
        // A full cache makes a queue: the queue's seconds are the cache's.
        if most == Mechanism::QueueSaturation && has(findings, Mechanism::KvCachePressure) {
            Mechanism::KvCachePressure
        } else if let (Mechanism::BatchContention | Mechanism::DecodeSlowdown, true, Some(prefill)) =
            (most, grew, prompts)
        {
            prefill
        } else {
            most
        }
    };
    let found = findings.iter().find(|f| f.code == Code::Mechanism(mechanism))?;
    let causes = || {
        findings.iter().filter_map(|f| match f.code {
            Code::Cause(c) if explains(c, mechanism) => Some((c, f)),
            _ => None,
        })
    };
    // In the order of precedence; evidence that is weak gives way to evidence that is not.
    let cause = causes().find(|(_, f)| f.confidence > Confidence::Low).or_else(|| causes().next());
    let subject =
        cause.filter(|(c, _)| *c == Cause::ReplicaOutlier).map_or(&found.subject, |(_, f)| &f.subject).clone();
    Some(Suspect {
        phase: found.phase,
        mechanism,
        cause: Some(cause.map_or(Cause::NoneFound, |(c, _)| c)),
        confidence: found.confidence,
        subject,
    })
}

/// Whether a cause can bring about a mechanism at all.
fn explains(cause: Cause, mechanism: Mechanism) -> bool {
    use Mechanism::{
        AdmissionRejected, BatchContention, DecodeSlowdown, EngineStalled, KvCachePressure, PrefillHeadOfLine,
        PrefillSlowdown, PrefillWork, QueueSaturation, RequestsAbandoned,
    };
    match cause {
        Cause::ReplicaOutlier => true,
        Cause::TrafficSurge | Cause::CapacityLoss => !matches!(
            mechanism,
            EngineStalled
                | DecodeSlowdown
                | PrefillWork
                | PrefillHeadOfLine
                | Mechanism::FrontendStarved
                | Mechanism::EngineLoopBlocked
        ),
        Cause::PromptLengthShift => {
            matches!(
                mechanism,
                PrefillWork
                    | PrefillHeadOfLine
                    | PrefillSlowdown
                    | QueueSaturation
                    | KvCachePressure
                    | Mechanism::EngineLoopBlocked
            )
        }
        Cause::PrefixCacheRegression => matches!(mechanism, PrefillWork | QueueSaturation | PrefillHeadOfLine),
        Cause::SpecDecodeRegression => matches!(mechanism, DecodeSlowdown | BatchContention),
        Cause::MaxNumSeqsBound => matches!(mechanism, QueueSaturation | AdmissionRejected | RequestsAbandoned),
        _ => false,
    }
}

impl Judged<'_> {
    fn into_diagnosis(
        self,
        snapshot: &Snapshot,
        policy: &Policy,
        sources: Vec<SourceRow>,
        others: Vec<SloRow>,
    ) -> Diagnosis {
        let sentence = self.sentence(&sources);
        let facts = &self.facts;
        let window = &facts.window;
        let stall = stalled_worst(facts);
        let troubled = matches!(self.verdict, Verdict::Breach | Verdict::Warning | Verdict::Stalled);
        let (since, until, trend) = match (facts.episode, stall) {
            _ if !troubled => (None, None, None),
            (None, Some(spell)) => {
                let trend = if spell.on { Trend::Steady } else { Trend::Over };
                (Some(spell.from), (!spell.on).then_some(spell.to), Some(trend))
            }
            (Some(episode), Some(spell)) if spell.on => {
                (Some(episode.since.min(spell.from)), None, Some(Trend::Steady))
            }
            (Some(episode), _) => (Some(episode.since), episode.until, Some(episode.trend)),
            (None, None) => facts.spells.first().map_or((None, None, None), |s| {
                (Some(s.from), (!s.on).then_some(s.to), (!s.on).then_some(Trend::Over))
            }),
        };
        let mut slo = facts.slo.clone();
        slo.extend(others);
        Diagnosis {
            at: snapshot.now,
            from: facts.from,
            requested_s: policy.window_s,
            verdict: self.verdict,
            trend,
            since,
            until,
            sentence,
            suspect: self.suspect.clone(),
            model: facts.model.clone(),
            engine: Some(facts.system.engine.clone()).filter(|e| !e.is_empty()),
            generation: facts.system.generation.clone(),
            slo,
            phases: phases::rows(facts),
            ttft_mean: (window.mean(Dist::Ttft), facts.baseline.as_ref().and_then(|b| b.span.mean(Dist::Ttft))),
            changes: changes(facts),
            levers: all_levers(&self.findings, self.suspect.as_ref()),
            requests: Requests {
                finished: window.total(Total::Finished),
                errors: window.total(Total::HttpFailed),
                abandoned: facts.abandoned(window),
                rejected: window.total(Total::Rejected),
            },
            replicas: facts.replicas.iter().filter_map(|r| replica_row(facts, r)).collect(),
            sources,
            findings: self.findings,
        }
    }

    fn sentence(&self, sources: &[SourceRow]) -> String {
        let facts = &self.facts;
        let mut parts = Vec::new();
        match self.verdict {
            Verdict::CannotTell => return cannot_tell(sources),
            Verdict::Idle => {
                return "No traffic in the window: nothing was late, and a stall that looks idle cannot be excluded without a request."
                    .to_owned();
            }
            Verdict::Stalled => {
                if let Some(found) = self.findings.iter().find(|f| f.code == Code::Mechanism(Mechanism::EngineStalled))
                {
                    parts.push(capitalised(&found.summary));
                }
            }
            _ => {
                parts.extend(facts.slo.iter().filter_map(slo_sentence));
                if facts.waiting_late >= 1.0 {
                    parts.push(format!(
                        "{} waiting requests are late already and have no first token",
                        number(facts.waiting_late)
                    ));
                }
            }
        }
        if let Some(where_) = self.place() {
            parts.push(where_);
        } else if self.verdict == Verdict::Warning
            && let Some(found) = self.findings.first()
        {
            parts.push(found.summary.clone());
        }
        let down: Vec<&SourceRow> = sources.iter().filter(|s| s.state != SourceState::Live).collect();
        if !down.is_empty() && !self.stale {
            parts.push(format!(
                "{} of {} endpoints not read ({})",
                down.len(),
                sources.len(),
                down[0].error.clone().unwrap_or_default()
            ));
        }
        let mut sentence = parts.join("; ");
        sentence.push('.');
        sentence
    }

    fn place(&self) -> Option<String> {
        let suspect = self.suspect.as_ref()?;
        let found = self.findings.iter().find(|f| f.code == Code::Mechanism(suspect.mechanism))?;
        if suspect.mechanism == Mechanism::EngineStalled {
            return (self.verdict != Verdict::Stalled).then(|| found.summary.clone());
        }
        let whole = self.split.whole();
        let share = match suspect.mechanism {
            Mechanism::AdmissionRejected | Mechanism::RequestsAbandoned => 0.0,
            _ if suspect.phase == Phase::Decode => 0.0,
            _ => found.explains_s / whole,
        };
        let of_added = if self.facts.baseline.is_some() { "of the added time" } else { "of the time" };
        if share >= 0.01
            && matches!(suspect.phase, Phase::Queue | Phase::Prefill | Phase::Rest)
            && self.split.added > 0.0
        {
            Some(format!("{} {of_added} is {}: {}", percent(share.min(1.0)), suspect.phase, found.summary))
        } else {
            Some(format!("{}: {}", suspect.phase, found.summary))
        }
    }
}

fn slo_sentence(row: &SloRow) -> Option<String> {
    let title = row.metric.title();
    let unit = if row.metric == Metric::Ttft { "requests" } else { "tokens" };
    let Some(count) = row.count.filter(|c| *c > 0.0) else {
        return row.note.clone();
    };
    let target = bound(row.target.seconds);
    let Some(p95) = row.p95 else {
        return Some(format!(
            "{title} mean {} against {target} (counters; no quantile), n {}",
            seconds(row.mean_s?),
            number(count)
        ));
    };
    let place = match p95.upper {
        Some(upper) if p95.lower <= 0.0 => format!("up to {}", bound(upper)),
        None => format!("over {}", bound(p95.lower)),
        Some(upper) => format!("in ({}, {}]", bound(p95.lower), bound(upper)),
    };
    let late = match (row.bad, row.bad_at_most) {
        (Some(bad), Some(most)) if most > bad => {
            format!("{} to {} of {} {unit} late", number(bad), number(most), number(count))
        }
        (Some(bad), _) => format!("{} of {} {unit} late ({})", number(bad), number(count), percent(bad / count)),
        _ => format!("n {}", number(count)),
    };
    let few = if count < 59.0 { ", few for a p95" } else { "" };
    Some(format!("{title} p95 {place} against {target}, {late}{few}"))
}

fn cannot_tell(sources: &[SourceRow]) -> String {
    let why = sources
        .iter()
        .filter(|s| s.state != SourceState::Live)
        .filter_map(|s| {
            Some((
                s.name.as_str(),
                s.error.clone().or_else(|| s.age_s.map(|a| format!("its last page is {} old", seconds(a))))?,
            ))
        })
        .map(|(name, error)| format!("{name}: {error}"))
        .take(3)
        .collect::<Vec<_>>();
    if why.is_empty() {
        let read = sources.iter().any(|s| s.state == SourceState::Live);
        return if read {
            "Cannot tell from one page of each endpoint: what happened is the difference of two; watch longer, or record more."
        } else {
            "Cannot tell: nothing was read yet; watch longer."
        }
        .to_owned();
    }
    format!("Cannot tell, because {}.", why.join("; "))
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |c| c.to_uppercase().chain(chars).collect())
}

fn changes(facts: &Facts<'_>) -> Vec<Change> {
    let mut changes: Vec<Change> = facts
        .replicas
        .iter()
        .flat_map(|r| r.track.restarts().iter().map(move |at| (r, *at)))
        .filter(|(_, at)| *at >= facts.from && *at <= facts.now)
        .map(|(r, at)| Change {
            at,
            kind: "restart",
            summary: format!("{} restarted: its counters began again", replica_name(r)),
        })
        .collect();
    changes.sort_by_key(|c| std::cmp::Reverse(c.at));
    changes
}

/// One line per lever: what the suspect's findings say of it, else what any finding says.
fn all_levers(findings: &[Finding], suspect: Option<&Suspect>) -> Vec<LeverAdvice> {
    let mut all: Vec<LeverAdvice> = Vec::new();
    let concerns = |f: &&Finding| match (f.code, suspect) {
        (Code::Mechanism(m), Some(s)) => m == s.mechanism,
        (Code::Cause(c), Some(s)) => Some(c) == s.cause,
        _ => false,
    };
    for finding in findings.iter().filter(concerns) {
        for lever in &finding.levers {
            match all.iter_mut().find(|l| l.action == lever.action) {
                Some(known) if known.helps == crate::domain::Helps::Unknown => *known = lever.clone(),
                Some(_) => {}
                None => all.push(lever.clone()),
            }
        }
    }
    all.sort_by_key(|l| (l.helps, l.action != Action::ShedLoad));
    all
}

fn replica_row(facts: &Facts<'_>, replica: &Replica<'_>) -> Option<ReplicaRow> {
    let last = replica.track.at_or_before(facts.now)?;
    let gauge = |g: Gauge| last.values.gauge(g);
    let span = Span::between(std::slice::from_ref(replica), facts.from, facts.now);
    let serves =
        gauge(Gauge::Running).is_some() || last.values.dist(Dist::Ttft).is_some() || replica.track.engine.is_empty();
    let placement = replica.endpoint.placement(facts.now);
    serves.then(|| ReplicaRow {
        name: replica_name(replica),
        node: placement.and_then(|p| p.node.clone()),
        revision: placement.and_then(|p| p.revision),
        ready: placement.and_then(|p| p.ready),
        ttft_mean: span.as_ref().and_then(|s| s.mean(Dist::Ttft)),
        count: span.as_ref().and_then(|s| s.dist(Dist::Ttft)).map(|h| h.count),
        waiting: gauge(Gauge::Waiting),
        running: gauge(Gauge::Running),
        kv: gauge(Gauge::KvUsage),
    })
}

fn source(endpoint: &Endpoint, snapshot: &Snapshot) -> SourceRow {
    let age_s = endpoint.last_page().map(|at| snapshot.now.since(at));
    let failing = endpoint.failing();
    let stale = age_s.is_some_and(|a| a > STALE_S.max(3.0 * snapshot.interval_s));
    let state = match (age_s, failing) {
        (None, None) => SourceState::Connecting,
        (None, Some(_)) => SourceState::Failed,
        (Some(_), Some(failure)) if stale || *failure == Failure::Refused => SourceState::Failed,
        (Some(_), _) if stale => SourceState::Stale,
        (Some(_), _) => SourceState::Live,
    };
    let error = match (failing, &endpoint.first_skipped) {
        (Some(failure), _) => Some(failure.to_string()),
        (None, Some(skipped)) if endpoint.skipped > 0 => {
            Some(format!("{} lines skipped, the first: {skipped}", endpoint.skipped))
        }
        _ => None,
    };
    SourceRow {
        name: endpoint.name.clone(),
        state,
        age_s,
        error,
        series: endpoint.system.as_ref().map(|_| endpoint.series),
        skipped: endpoint.system.as_ref().map(|_| endpoint.skipped),
        families: endpoint.families.clone(),
    }
}

/// No page was read anywhere.
fn nothing_read(snapshot: &Snapshot, policy: &Policy, sources: Vec<SourceRow>) -> Diagnosis {
    let loading = snapshot
        .endpoints
        .iter()
        .filter(|e| matches!(e.failing(), Some(Failure::Status { loading: true, .. })))
        .count();
    let mut findings = Vec::new();
    if loading > 0 {
        findings.push(Finding {
            code: Code::Mechanism(Mechanism::ColdStart),
            phase: Phase::Rollout,
            subject: super::Subject::default(),
            severity: Severity::Warning,
            confidence: Confidence::High,
            summary: format!("{loading} of {} endpoints say that they are loading their model", sources.len()),
            evidence: Vec::new(),
            surer: None,
            levers: Vec::new(),
            explains_s: 0.0,
        });
    }
    let facts = Facts::of(Vec::new(), &[], snapshot.now, snapshot.interval_s, policy);
    Diagnosis {
        at: snapshot.now,
        from: snapshot.now,
        requested_s: policy.window_s,
        verdict: Verdict::CannotTell,
        trend: None,
        since: None,
        until: None,
        sentence: cannot_tell(&sources),
        suspect: None,
        model: None,
        engine: None,
        generation: None,
        slo: facts.slo.clone(),
        phases: phases::rows(&facts),
        ttft_mean: (None, None),
        findings,
        changes: Vec::new(),
        levers: Vec::new(),
        requests: Requests::default(),
        replicas: Vec::new(),
        sources,
    }
}
