//! The verdict: what is the matter, and who is suspected.

use std::collections::HashSet;

use super::episode::QUIET_S;
use super::facts::Facts;
use super::outcome::{Before, Diagnosis, Requests, SourceRow};
use super::pools::pool_of;
use super::rows::{all_levers, complete, replica_rows, scope, series, sources};
use super::rules::{self, Split, stalled_worst};
use super::sentence::cannot_tell;
use super::slo::{Metric, SloRow};
use super::span::Replica;
use super::stall::Witness;
use super::{Finding, PhaseRow, Policy, Subject, Suspect, changes, levers, phases, revisions, sliced, starts};
use crate::domain::{
    At, Cause, Code, Confidence, Dist, Endpoint, Failure, Mechanism, Phase, Role, RowStatus, Severity, Snapshot,
    SourceState, Total, Trend, Verdict,
};

/// Diagnoses a snapshot. Pure: the same snapshot gives the same diagnosis.
pub fn diagnose(snapshot: &Snapshot, policy: &Policy) -> Diagnosis {
    diagnose_without(snapshot, policy, &[])
}

/// The same without the rules that find these codes: it tells how much of a diagnosis rests on one rule.
pub fn diagnose_without(snapshot: &Snapshot, policy: &Policy, off: &[Code]) -> Diagnosis {
    let sources = sources(snapshot);
    let live: HashSet<&str> =
        sources.iter().filter(|s| s.state == SourceState::Live).map(|s| s.name.as_str()).collect();
    let complete = complete(snapshot, &sources);
    let mut judged: Vec<Judged<'_>> = groups(snapshot)
        .into_iter()
        .map(|(replicas, endpoints)| judge(Facts::of(replicas, &endpoints, snapshot, policy), &live, complete, off))
        .collect();
    // The worst model speaks; the objectives of all stand in the table.
    judged.sort_by_key(|j| std::cmp::Reverse(badness(j.verdict)));
    let others: Vec<SloRow> = judged.iter().skip(1).flat_map(|j| j.facts.slo.clone()).collect();
    match judged.into_iter().next() {
        Some(worst) => worst.into_diagnosis(snapshot, policy, sources, others),
        None => nothing_read(snapshot, policy, sources, off),
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
    for endpoint in snapshot.of_role(Role::Engine) {
        for track in &endpoint.tracks {
            // What a process says of itself beside several engines goes with them.
            let model = track.model.as_deref().or_else(|| endpoint.tracks.iter().find_map(|t| t.model.as_deref()));
            let known = groups.iter().position(|(named, ..)| *named == model);
            let index = known.unwrap_or_else(|| {
                groups.push((model, Vec::new(), Vec::new()));
                groups.len() - 1
            });
            let group = &mut groups[index];
            // What a process says of itself beside its engines has their part.
            let own = track.pool.or_else(|| endpoint.tracks.iter().find_map(|t| t.pool));
            let pool = pool_of(endpoint, own, snapshot.cluster.as_ref().map(|(_, facts)| &**facts));
            group.1.push(Replica { endpoint, track, pool });
            if !group.2.last().is_some_and(|e| std::ptr::eq(*e, endpoint)) {
                group.2.push(endpoint);
            }
        }
    }
    // A replica that has not named its model yet serves what the others serve, where they all serve the same.
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
    for endpoint in snapshot.of_role(Role::Engine).filter(|e| e.tracks.is_empty()) {
        for group in &mut groups {
            group.2.push(endpoint);
        }
    }
    groups.into_iter().map(|(_, replicas, endpoints)| (replicas, endpoints)).collect()
}

/// One model's replicas, judged.
pub(super) struct Judged<'a> {
    pub(super) facts: Facts<'a>,
    pub(super) verdict: Verdict,
    pub(super) findings: Vec<Finding>,
    pub(super) suspect: Option<Suspect>,
    /// Whose requests the late ones are.
    pub(super) whose: Option<sliced::Whose>,
    pub(super) split: Split,
    /// Whether nothing was read lately.
    pub(super) stale: bool,
}

/// `live` are the endpoints that were read lately; `complete`: they are all that were named.
fn judge<'a>(facts: Facts<'a>, live: &HashSet<&str>, complete: bool, off: &[Code]) -> Judged<'a> {
    let split = Split::of(&facts);
    let mut findings = found(&facts, &split, off);
    levers::overrule(&mut findings, &facts);
    levers::in_its_pool(&mut findings, &facts);
    let live = facts.replicas.iter().any(|r| live.contains(r.endpoint.name.as_str()));
    let verdict = verdict(&facts, &findings, live, complete);
    let troubled = matches!(verdict, Verdict::Breach | Verdict::Warning | Verdict::Stalled);
    let mut suspect = if troubled { suspect(&findings) } else { None };
    let whose = suspect.as_ref().and_then(|s| sliced::whose(&facts, s.phase));
    if let (Some(suspect), Some(whose)) = (&mut suspect, &whose) {
        suspect.subject.slice = Some(whose.slice.clone());
    }
    findings.sort_by(|a, b| rank(b, suspect.as_ref()).total_cmp(&rank(a, suspect.as_ref())));
    Judged { facts, verdict, findings, suspect, whose, split, stale: !live }
}

/// What the rules find, but for those of the codes that are `off`, each with what may be done.
fn found(facts: &Facts<'_>, split: &Split, off: &[Code]) -> Vec<Finding> {
    let mut findings: Vec<Finding> = rules::findings(facts, split);
    findings.retain(|finding| !off.contains(&finding.code));
    for finding in &mut findings {
        finding.levers = levers::advise(finding.code, finding.confidence, facts);
    }
    findings
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

fn verdict(facts: &Facts<'_>, findings: &[Finding], live: bool, complete: bool) -> Verdict {
    let stall = stalled_worst(facts);
    if stall.is_some_and(|s| s.on) {
        return Verdict::Stalled;
    }
    let turned_away = findings.iter().any(|f| {
        use Mechanism::{AdmissionRejected, GatewayBuffering, GatewayErrors, GatewayOverhead, RequestsAbandoned};
        let by_gateway = matches!(f.code, Code::Mechanism(GatewayErrors | GatewayOverhead | GatewayBuffering));
        (by_gateway || matches!(f.code, Code::Mechanism(AdmissionRejected | RequestsAbandoned)))
            && f.severity == Severity::Critical
    });
    // Who asked and got nothing needs no page of an engine to be seen; nor does a workload without any engine.
    if (turned_away || has(findings, Mechanism::ColdStart)) && facts.down() {
        return Verdict::Breach;
    }
    if !live || !facts.compared() {
        return Verdict::CannotTell;
    }
    let broken = [Metric::Ttft, Metric::Tpot].into_iter().any(|m| facts.status(m) == RowStatus::Breach);
    if broken || turned_away || waiting_breaks(facts) {
        return Verdict::Breach;
    }
    if stall.is_some() {
        return Verdict::Stalled;
    }
    let warned = [Metric::Ttft, Metric::Tpot].into_iter().any(|m| facts.status(m) == RowStatus::Warning);
    let lost = findings.iter().any(|f| f.code == Code::Cause(Cause::CapacityLoss));
    let outage = lost && (nobody_served(facts) || facts.spells.iter().any(|s| s.witness == Witness::Refused && s.on));
    let mechanism = findings.iter().any(|f| matches!(f.code, Code::Mechanism(_)));
    // What was named and not read may be where the trouble is: part of a whole is not passed off as the whole.
    if warned || outage || mechanism || facts.leading || !complete {
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

/// From when until when requests were turned away.
fn rejecting(facts: &Facts<'_>) -> Option<(At, Option<At>)> {
    let mut stretch: Option<(At, At)> = None;
    for replica in &facts.replicas {
        let mut before: Option<(At, f64)> = None;
        for point in replica.points(facts.from, facts.now) {
            let Some(rejected) = point.values.total(Total::Rejected) else { continue };
            if let Some((at, _)) = before.filter(|(_, earlier)| rejected > *earlier) {
                let (from, to) = stretch.unwrap_or((at, point.at));
                stretch = Some((from.min(at), to.max(point.at)));
            }
            before = Some((point.at, rejected));
        }
    }
    stretch.map(|(from, to)| (from, (facts.now.since(to) >= QUIET_S).then_some(to)))
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
        let seconds = |m| findings.iter().find(|f| f.code == Code::Mechanism(m)).map_or(0.0, |f| f.explains_s);
        if most == Mechanism::QueueSaturation
            && seconds(Mechanism::KvCachePressure) >= 0.5 * seconds(Mechanism::QueueSaturation)
        {
            Mechanism::KvCachePressure
        } else if let (Mechanism::BatchContention | Mechanism::DecodeSlowdown, true, Some(prefill)) =
            (most, grew, prompts)
        {
            prefill
        } else {
            most
        }
    };
    let mechanism = underneath(findings, mechanism);
    let found = findings.iter().find(|f| f.code == Code::Mechanism(mechanism))?;
    let causes = || {
        findings.iter().filter_map(|f| match f.code {
            Code::Cause(c) if explains(c, mechanism) && same_pool(f, c, found) => Some((c, f)),
            _ => None,
        })
    };
    // In the order of precedence; evidence that is weak gives way to evidence that is not.
    let sure = causes().find(|(_, f)| f.confidence > Confidence::Low);
    // Causes of one rank: the surest of them, for each of several may have changed a little by chance.
    let of_what_is_asked = |c: Cause| {
        matches!(c, Cause::TrafficSurge | Cause::PromptLengthShift | Cause::CapacityLoss | Cause::PrefixCacheRegression)
    };
    let sure = sure.map(|first| {
        let rank = causes().filter(|(c, _)| of_what_is_asked(*c) && of_what_is_asked(first.0));
        rank.fold(first, |best, next| if next.1.confidence > best.1.confidence { next } else { best })
    });
    // Whose pods came onto other hardware is weakly suspect for that alone, and not for its image as well.
    let moved = || causes().find(|(c, _)| *c == Cause::PlacementMismatch);
    let weak = causes().next();
    let cause = sure.or_else(|| weak.filter(|(c, _)| *c != Cause::DeployRegression).or_else(moved).or(weak));
    // Whom the mechanism is about; where that is everybody, whom the cause names.
    let whole = Subject { pool: None, ..found.subject.clone() } == Subject::default();
    let subject = cause
        .filter(|(c, _)| *c == Cause::ReplicaOutlier || (whole && *c == Cause::DeployRegression))
        .map_or(&found.subject, |(_, f)| &f.subject)
        .clone();
    Some(Suspect {
        phase: found.phase,
        mechanism,
        cause: Some(cause.map_or(Cause::NoneFound, |(c, _)| c)),
        confidence: found.confidence,
        subject,
    })
}

/// Whether a cause is about the pool in which a mechanism was found, where both are about one.
fn same_pool(cause: &Finding, code: Cause, mechanism: &Finding) -> bool {
    // Longer prompts are seen where they are computed, and fill the cache where they are kept.
    let apart = code != Cause::PromptLengthShift;
    cause.subject.pool.zip(mechanism.subject.pool).is_none_or(|(a, b)| a == b || !apart)
}

/// What lies below a mechanism and explains its seconds: a GPU on whose replicas they sit, capacity that is not there, or
/// a gateway that spreads requests badly.
fn underneath(findings: &[Finding], mechanism: Mechanism) -> Mechanism {
    let explains =
        |f: &&Finding| matches!(f.code, Code::Mechanism(_)) && f.explains_s > 0.0 && f.confidence > Confidence::Low;
    let of = |phase: Phase| {
        findings
            .iter()
            .filter(explains)
            .filter(|f| f.phase == phase)
            .max_by(|a, b| a.explains_s.total_cmp(&b.explains_s))
    };
    if mechanism == Mechanism::EngineStalled {
        return mechanism;
    }
    let seconds = findings.iter().find(|f| f.code == Code::Mechanism(mechanism)).map_or(0.0, |f| f.explains_s);
    // An engine's queue holds those that wait for a transfer, and says no word of it.
    let transfer = findings.iter().find(|f| f.code == Code::Mechanism(Mechanism::KvTransferWait));
    let queued = matches!(mechanism, Mechanism::QueueSaturation | Mechanism::RequestsAbandoned);
    if queued && transfer.is_some_and(|f| f.explains_s >= 0.5 * seconds) {
        return Mechanism::KvTransferWait;
    }
    // A queue before the few replicas that get all the requests is the gateway's.
    let favoured = findings.iter().find(|f| f.code == Code::Mechanism(Mechanism::GatewayImbalance));
    if favoured.is_some_and(|f| f.explains_s >= 0.5 * seconds) {
        return Mechanism::GatewayImbalance;
    }
    let own = match (of(Phase::Gpu), of(Phase::Rollout)) {
        (Some(gpu), _) => Some(gpu),
        // A queue before too few engines is the missing engines'.
        (None, Some(rollout)) if mechanism.phase() != Phase::Gateway && rollout.explains_s >= 0.5 * seconds => {
            Some(rollout)
        }
        _ => None,
    };
    match own.map(|f| f.code) {
        Some(Code::Mechanism(below)) => below,
        _ => mechanism,
    }
}

/// Whether a cause can bring about a mechanism at all.
pub(super) fn explains(cause: Cause, mechanism: Mechanism) -> bool {
    use Mechanism::{
        AdmissionRejected, BatchContention, DecodeSlowdown, EngineStalled, KvCachePressure, PrefillHeadOfLine,
        PrefillSlowdown, PrefillWork, QueueSaturation, RequestsAbandoned,
    };
    match cause {
        Cause::ReplicaOutlier => !matches!(mechanism.phase(), Phase::Gpu | Phase::Rollout),
        Cause::TrafficSurge | Cause::CapacityLoss => !matches!(
            mechanism,
            EngineStalled | DecodeSlowdown | PrefillWork | PrefillHeadOfLine | Mechanism::EngineLoopBlocked
        ),
        Cause::PromptLengthShift => {
            matches!(
                mechanism,
                PrefillWork
                    | PrefillHeadOfLine
                    | PrefillSlowdown
                    | QueueSaturation
                    | KvCachePressure
                    | BatchContention
                    | Mechanism::EngineLoopBlocked
            )
        }
        Cause::PrefixCacheRegression => {
            matches!(mechanism, PrefillWork | PrefillSlowdown | QueueSaturation | KvCachePressure | PrefillHeadOfLine)
        }
        Cause::SpecDecodeRegression => matches!(
            mechanism,
            DecodeSlowdown | BatchContention | QueueSaturation | KvCachePressure | RequestsAbandoned
        ),
        Cause::MaxNumSeqsBound => matches!(mechanism, QueueSaturation | AdmissionRejected | RequestsAbandoned),
        Cause::DeployRegression | Cause::ConfigDrift => {
            !matches!(mechanism.phase(), Phase::Gateway | Phase::Gpu)
                && !matches!(mechanism, Mechanism::ColdStart | Mechanism::Unschedulable)
        }
        Cause::GpuThermal | Cause::GpuPowerBrake | Cause::GpuPowerCap => mechanism == Mechanism::GpuClockReduced,
        Cause::GpuEcc => mechanism == Mechanism::GpuMemoryFault,
        Cause::GpuXid => matches!(mechanism, Mechanism::GpuMemoryFault | Mechanism::GpuLost),
        Cause::GatewayFault => mechanism.phase() == Phase::Gateway,
        Cause::ImagePull | Cause::ModelLoadSlow => mechanism == Mechanism::ColdStart,
        Cause::RolloutStuck => mechanism.phase() == Phase::Rollout,
        Cause::PlacementMismatch => {
            matches!(mechanism, DecodeSlowdown | PrefillSlowdown | QueueSaturation | KvCachePressure | BatchContention)
        }
        Cause::AutoscalerWrongSignal => matches!(
            mechanism,
            QueueSaturation
                | KvCachePressure
                | RequestsAbandoned
                | AdmissionRejected
                | BatchContention
                | PrefillSlowdown
        ),
        Cause::AutoscalerConflict => {
            matches!(mechanism, Mechanism::ColdStart | QueueSaturation | KvCachePressure | RequestsAbandoned)
        }
        _ => false,
    }
}

impl Judged<'_> {
    fn phases(&self) -> Vec<PhaseRow> {
        let mut rows = phases::rows(&self.facts);
        super::around::blamed(&mut rows, &self.findings);
        rows
    }

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
            (None, None) => {
                let refused = facts.spells.first().map(|s| (s.from, (!s.on).then_some(s.to)));
                let gateway =
                    facts.gateway.as_ref().and_then(|g| g.trouble).map(|(from, to, on)| (from, (!on).then_some(to)));
                let gateway = gateway.filter(|_| self.findings.iter().any(|f| f.phase == Phase::Gateway));
                let gpu = facts.gpus.iter().filter_map(|g| g.trouble.as_ref()).map(|t| (t.since, None)).next();
                let others = || rejecting(facts).or(gateway).or(gpu);
                refused.or_else(others).map_or((None, None, None), |(from, until)| {
                    (Some(from), until, Some(if until.is_some() { Trend::Over } else { Trend::Steady }))
                })
            }
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
            target: snapshot.target.clone(),
            scope: scope(snapshot),
            model: facts.model.clone(),
            engine: Some(facts.system.engine.clone()).filter(|e| !e.is_empty()),
            generation: facts.system.generation.clone(),
            slo,
            sliced: sliced::rows(facts, snapshot, policy),
            phases: self.phases(),
            ttft_mean: (window.mean(Dist::Ttft), facts.shown_baseline().and_then(|b| b.span.mean(Dist::Ttft))),
            before: facts.shown_baseline().map(|b| Before {
                kind: b.kind,
                between: b.between,
                count: b.span.dist(Dist::Ttft).map(|h| h.count),
            }),
            changes: changes::changes(facts, self.verdict, since, until),
            levers: all_levers(&self.findings, self.suspect.as_ref()),
            gateway_first_byte: self.facts.gateway.as_ref().and_then(|g| g.window.mean(Dist::GatewayTtft)),
            requests: Requests {
                finished: window.total(Total::Finished),
                errors: window.total(Total::HttpFailed),
                abandoned: Facts::abandoned(window),
                rejected: window.total(Total::Rejected),
            },
            replicas: replica_rows(facts),
            revisions: revisions::rows(facts),
            starts: starts::starts(facts),
            gpus: facts.gpus.iter().map(|g| g.row.clone()).collect(),
            series: series(facts),
            sources,
            alerts: snapshot.told.as_ref().map(|(_, told)| told.alerts.clone()).unwrap_or_default(),
            findings: self.findings,
        }
    }
}

/// No page of an engine was read anywhere: what Kubernetes and the gateway say is all there is.
fn nothing_read(snapshot: &Snapshot, policy: &Policy, sources: Vec<SourceRow>, off: &[Code]) -> Diagnosis {
    let endpoints: Vec<&Endpoint> = snapshot.of_role(Role::Engine).collect();
    let loading =
        endpoints.iter().filter(|e| matches!(e.failing(), Some(Failure::Status { loading: true, .. }))).count();
    let facts = Facts::of(Vec::new(), &endpoints, snapshot, policy);
    let split = Split::of(&facts);
    let mut findings = found(&facts, &split, off);
    if loading > 0 && !has(&findings, Mechanism::ColdStart) {
        findings.push(Finding {
            code: Code::Mechanism(Mechanism::ColdStart),
            phase: Phase::Rollout,
            subject: Subject::default(),
            severity: Severity::Warning,
            confidence: Confidence::High,
            summary: format!("{loading} of {} endpoints say that they are loading their model", endpoints.len()),
            evidence: Vec::new(),
            surer: None,
            levers: Vec::new(),
            explains_s: 0.0,
        });
    }
    // Kubernetes says that nobody can answer, and why: that is no riddle any more.
    let nobody = facts.cluster.as_ref().filter(|c| !c.stale && c.ready() == 0);
    let wanted = nobody.and_then(|c| c.facts.workload.as_ref()).map_or(0, |w| w.desired);
    let known = wanted > 0 && findings.iter().any(|f| matches!(f.code, Code::Mechanism(_)));
    let failing = findings.iter().any(|f| f.code == Code::Mechanism(Mechanism::GatewayErrors));
    let verdict = match (known, failing) {
        (true, true) => Verdict::Breach,
        (true, false) => Verdict::Warning,
        _ => Verdict::CannotTell,
    };
    let suspect = if known { suspect(&findings) } else { None };
    findings.sort_by(|a, b| rank(b, suspect.as_ref()).total_cmp(&rank(a, suspect.as_ref())));
    let sentence = match findings.first().filter(|_| known) {
        Some(found) => format!("None of {wanted} wanted replicas is Ready: {}.", found.summary),
        None => cannot_tell(&sources),
    };
    let mut phases = phases::rows(&facts);
    super::around::blamed(&mut phases, &findings);
    Diagnosis {
        at: snapshot.now,
        from: snapshot.now,
        requested_s: policy.window_s,
        verdict,
        trend: None,
        since: None,
        until: None,
        sentence,
        target: snapshot.target.clone(),
        scope: scope(snapshot),
        model: None,
        engine: None,
        generation: None,
        slo: facts.slo.clone(),
        sliced: Vec::new(),
        phases,
        ttft_mean: (None, None),
        before: None,
        changes: changes::changes(&facts, verdict, None, None),
        levers: all_levers(&findings, suspect.as_ref()),
        gateway_first_byte: facts.gateway.as_ref().and_then(|g| g.window.mean(Dist::GatewayTtft)),
        requests: Requests::default(),
        replicas: replica_rows(&facts),
        revisions: revisions::rows(&facts),
        starts: starts::starts(&facts),
        gpus: facts.gpus.iter().map(|g| g.row.clone()).collect(),
        series: series(&facts),
        sources,
        alerts: snapshot.told.as_ref().map(|(_, told)| told.alerts.clone()).unwrap_or_default(),
        suspect,
        findings,
    }
}
