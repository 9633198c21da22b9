//! The machine contract of `check -o json`: what scripts, chat bots and tests may rely on.
//!
//! Fields may be added, never renamed or removed without a new `schema`. Times are RFC 3339 UTC, durations seconds as
//! numbers, ratios 0–1; unknown is `null`, never 0. All codes are those of the vocabulary. The schema that a test holds
//! these types to is `assets/schema/check-1.json`.

pub mod discover;
pub mod doctor;
pub mod record;
pub mod starts;

use jiff::Timestamp;
use serde::Serialize;

use crate::diagnosis::{self, Diagnosis};
use crate::domain::{At, Code, Pool, Quantile, WorkloadRef};
use crate::runbook::Advice;

/// The schema's name.
pub const SCHEMA: &str = "warroom.check/1";

/// One diagnosis.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "the fields are the contract's; its document explains them")]
pub struct Check {
    pub schema: &'static str,
    pub tool_version: &'static str,
    pub at: String,
    pub window: Window,
    pub target: Target,
    pub verdict: &'static str,
    pub trend: Option<&'static str>,
    pub since: Option<String>,
    pub until: Option<String>,
    pub sentence: String,
    pub suspect: Option<Suspect>,
    pub slo: Vec<Slo>,
    pub phases: Vec<Phase>,
    pub findings: Vec<Finding>,
    pub changes: Vec<Change>,
    pub levers: Vec<Lever>,
    pub requests: Requests,
    pub scope: Scope,
    pub replicas: Vec<Replica>,
    pub revisions: Vec<Revision>,
    pub starts: starts::Starts,
    pub gpus: Vec<Gpu>,
    pub runbook: Option<RunbookStep>,
    pub sources: Vec<Source>,
    pub alerts: Vec<Alert>,
}

#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "as above")]
pub struct Window {
    pub requested_s: f64,
    pub observed_s: f64,
    pub from: String,
    pub to: String,
}

#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "as above")]
pub struct Target {
    pub context: Option<String>,
    pub namespace: Option<String>,
    pub kind: Option<String>,
    pub name: Option<String>,
    pub model: Option<String>,
    pub engine: Option<String>,
    pub engine_version: Option<String>,
    pub engine_generation: Option<String>,
}

#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "as above")]
pub struct Subject {
    pub kind: Option<&'static str>,
    pub name: Option<String>,
    pub revision: Option<u64>,
    pub replica: Option<String>,
    pub node: Option<String>,
    pub gpu: Option<u32>,
    pub pool: Option<&'static str>,
    pub model: Option<String>,
    pub route: Option<String>,
    pub tenant: Option<String>,
    pub class: Option<String>,
}

#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "as above")]
pub struct Suspect {
    pub phase: &'static str,
    pub mechanism: &'static str,
    pub cause: Option<&'static str>,
    pub confidence: &'static str,
    pub subject: Subject,
}

#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "as above")]
pub struct Bucketed {
    pub estimate: Option<f64>,
    pub lower: Option<f64>,
    pub upper: Option<f64>,
}

#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "as above")]
pub struct Slo {
    pub metric: &'static str,
    pub series: Option<String>,
    pub model: Option<String>,
    pub route: Option<String>,
    pub tenant: Option<String>,
    pub class: Option<String>,
    pub target_s: f64,
    pub objective: f64,
    pub p50_s: Option<Bucketed>,
    pub p95_s: Option<Bucketed>,
    pub p99_s: Option<Bucketed>,
    pub mean_s: Option<f64>,
    pub events: &'static str,
    pub count: Option<u64>,
    pub bad: Option<u64>,
    pub bad_at_most: Option<u64>,
    pub nearest_bound_s: Option<f64>,
    pub per_request: Option<PerRequest>,
    pub status: &'static str,
    pub paging: Option<bool>,
    pub budget_left: Option<f64>,
    pub windows: Vec<BurnWindow>,
    pub tiers: Vec<BurnTier>,
    pub exhausts_in_s: Option<f64>,
    pub note: Option<String>,
}

#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "as above")]
pub struct PerRequest {
    pub series: Option<String>,
    pub count: u64,
    pub bad: u64,
}

#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "as above")]
pub struct BurnWindow {
    pub window: String,
    pub observed_s: f64,
    pub count: u64,
    pub bad: u64,
    pub burn: Option<f64>,
    pub told: bool,
}

#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "as above")]
pub struct BurnTier {
    pub short: String,
    pub long: String,
    pub factor: f64,
    pub pages: bool,
    pub fires: Option<bool>,
    pub reachable: bool,
}

#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "as above")]
pub struct Alert {
    pub name: String,
    pub firing: bool,
    pub severity: Option<String>,
}

#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "as above")]
pub struct Phase {
    pub phase: &'static str,
    pub status: &'static str,
    pub mean: Option<f64>,
    pub baseline: Option<f64>,
    pub delta: Option<f64>,
    pub unit: Option<&'static str>,
    pub share_of_added: Option<f64>,
    pub lags: bool,
    pub estimate: Option<f64>,
    pub baseline_from: Option<&'static str>,
    pub baseline_count: Option<u64>,
    pub baseline_between: Option<[String; 2]>,
    pub source: Option<String>,
    pub age_s: Option<f64>,
    pub count: Option<u64>,
    pub note: Option<String>,
}

#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "as above")]
pub struct Finding {
    pub code: &'static str,
    pub kind: &'static str,
    pub phase: &'static str,
    pub severity: &'static str,
    pub confidence: &'static str,
    pub subject: Subject,
    pub summary: String,
    pub evidence: Vec<Evidence>,
    pub surer: Option<String>,
    pub levers: Vec<LeverAdvice>,
    pub explains_s: Option<f64>,
}

#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "as above")]
pub struct Evidence {
    pub claim: String,
    pub value: Option<f64>,
    pub op: &'static str,
    pub threshold: Option<f64>,
    pub unit: &'static str,
    pub source: String,
    pub at: String,
    pub supports: bool,
    pub reproduce: Option<String>,
}

#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "as above")]
pub struct LeverAdvice {
    pub action: &'static str,
    pub helps: &'static str,
    pub why: String,
}

#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "as above")]
pub struct Lever {
    pub action: &'static str,
    pub allowed: Option<bool>,
    pub fits: Option<&'static str>,
    pub eta_s: Option<f64>,
    pub reverted_by: Option<String>,
    pub helps: &'static str,
    pub why: String,
}

#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "as above")]
pub struct Change {
    pub at: String,
    pub kind: &'static str,
    pub summary: String,
    pub before_onset_s: Option<f64>,
}

#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "as above")]
pub struct Requests {
    pub finished: Option<u64>,
    pub errors: Option<u64>,
    pub abandoned_estimate: Option<u64>,
    pub rejected: Option<u64>,
}

#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "as above")]
pub struct Replica {
    pub pod: String,
    pub pool: Option<&'static str>,
    pub node: Option<String>,
    pub revision: Option<u64>,
    pub ready: Option<bool>,
    pub start_phase: Option<&'static str>,
    pub start_s: Option<f64>,
    pub usual_load_s: Option<f64>,
    pub restarts: Option<u32>,
    pub gone: bool,
    pub ttft_mean_s: Option<f64>,
    pub itl_mean_s: Option<f64>,
    pub count: Option<u64>,
    pub waiting: Option<f64>,
    pub running: Option<f64>,
    pub kv_usage: Option<f64>,
}

#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "as above")]
pub struct Scope {
    pub desired: Option<u32>,
    pub ready: Option<u32>,
    pub answering: u32,
    pub endpoints: u32,
}

#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "as above")]
pub struct Revision {
    pub number: u64,
    pub name: String,
    pub created: Option<String>,
    pub desired: u32,
    pub ready: u32,
    pub image: Option<String>,
    pub change_cause: Option<String>,
    pub changes: Vec<TemplateChange>,
    pub unknown: Vec<String>,
    pub otherwise: Vec<String>,
    pub count: Option<u64>,
    pub ttft_mean_s: Option<f64>,
    pub ttft_late: Option<f64>,
    pub itl_mean_s: Option<f64>,
}

#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "as above")]
pub struct TemplateChange {
    pub what: String,
    pub from: Option<String>,
    pub to: Option<String>,
}

#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "as above")]
pub struct Gpu {
    pub node: Option<String>,
    pub index: Option<u32>,
    pub uuid: Option<String>,
    pub pod: Option<String>,
    pub product: Option<String>,
    pub truth: &'static str,
    pub troubled: bool,
    pub note: Option<String>,
    pub age_s: f64,
    pub sm_clock_hz: Option<u64>,
    pub sm_clock_max_hz: Option<u64>,
    pub temperature_c: Option<f64>,
    pub power_w: Option<f64>,
    pub utilisation: Option<f64>,
    pub event_reasons: Option<String>,
    pub ecc_uncorrected_volatile: Option<u64>,
    pub xid: Option<u32>,
}

#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "as above")]
pub struct Source {
    pub name: String,
    pub state: &'static str,
    pub age_s: Option<f64>,
    pub via: Option<&'static str>,
    pub instead_of: Option<String>,
    pub found_by: Option<String>,
    pub error: Option<String>,
    pub series_seen: Option<usize>,
    pub lines_skipped: Option<usize>,
    pub families: std::collections::BTreeMap<&'static str, String>,
    pub lacks: Vec<String>,
}

#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "as above")]
pub struct RunbookStep {
    pub id: String,
    pub state: String,
    pub recommended: Option<String>,
    pub because: Vec<String>,
    pub checks: Vec<RunbookCheck>,
}

#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "as above")]
pub struct RunbookCheck {
    pub id: &'static str,
    pub result: &'static str,
}

/// A moment as RFC 3339 UTC, to the second.
pub fn time(at: At) -> String {
    let rounded = Timestamp::from_second(at.0.div_euclid(1000)).unwrap_or(Timestamp::UNIX_EPOCH);
    rounded.to_string()
}

/// A count of events. Negative and absurd ones cannot come from chained counters; they would read as 0.
fn count(n: f64) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rounded counts of events")]
    let whole = n.round().max(0.0) as u64;
    whole
}

/// JSON has no infinities: a bound that is infinite is no bound, and a number that is none is not known.
fn finite(n: f64) -> Option<f64> {
    n.is_finite().then_some(n)
}

/// A ratio as promised: what a page calls a ratio and lies outside 0–1 is none, and so not known.
fn ratio(n: f64) -> Option<f64> {
    (0.0..=1.0).contains(&n).then_some(n)
}

/// Words where there are any.
fn words(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// How much of the judged window was really seen, in seconds: it ends with the newest page, not with the moment.
pub fn observed_s(d: &Diagnosis) -> f64 {
    // A watch is no page, and what is asked beside pages is none.
    let pages = d.sources.iter().filter(|s| s.via != Some("watch") && !s.beside);
    let unseen = pages.filter_map(|s| s.age_s).fold(f64::INFINITY, f64::min);
    (d.at.since(d.from) - unseen).clamp(0.0, d.requested_s)
}

fn bucketed(q: Quantile) -> Bucketed {
    Bucketed { estimate: q.estimate.and_then(finite), lower: finite(q.lower), upper: q.upper.and_then(finite) }
}

fn subject(s: &diagnosis::Subject, target: Option<&WorkloadRef>) -> Subject {
    Subject {
        kind: target.map(|t| t.kind.code()),
        name: target.map(|t| t.name.clone()),
        revision: s.revision,
        replica: s.replica.clone(),
        node: s.node.clone(),
        gpu: s.gpu,
        pool: s.pool.map(Pool::code),
        model: s.slice.as_ref().and_then(|s| s.model.clone()),
        route: s.slice.as_ref().and_then(|s| s.route.clone()),
        tenant: s.slice.as_ref().and_then(|s| s.tenant.clone()),
        class: s.slice.as_ref().and_then(|s| s.class.clone()),
    }
}

fn runbook_step(advice: &Advice) -> RunbookStep {
    RunbookStep {
        id: advice.id.clone(),
        state: advice.state.clone(),
        recommended: advice.recommended.clone(),
        because: advice.because.clone(),
        checks: advice.checks.iter().map(|(c, o)| RunbookCheck { id: c.code(), result: o.code() }).collect(),
    }
}

impl Check {
    /// The contract's object for a diagnosis and what the runbook says of it.
    pub fn new(d: &Diagnosis, advice: Option<&Advice>) -> Self {
        Self {
            schema: SCHEMA,
            tool_version: env!("CARGO_PKG_VERSION"),
            at: time(d.at),
            window: Window {
                requested_s: d.requested_s,
                observed_s: observed_s(d),
                from: time(d.from),
                to: time(d.at),
            },
            target: Target {
                context: d.target.as_ref().map(|t| t.context.clone()),
                namespace: d.target.as_ref().map(|t| t.namespace.clone()),
                kind: d.target.as_ref().map(|t| t.kind.code().to_owned()),
                name: d.target.as_ref().map(|t| t.name.clone()),
                model: d.model.clone(),
                engine: d.engine.clone(),
                engine_version: None,
                engine_generation: d.generation.clone(),
            },
            verdict: d.verdict.code(),
            trend: d.trend.map(crate::domain::Trend::code),
            since: d.since.map(time),
            until: d.until.map(time),
            sentence: d.sentence.clone(),
            suspect: d.suspect.as_ref().map(|s| Suspect {
                phase: s.phase.code(),
                mechanism: s.mechanism.code(),
                cause: s.cause.map(crate::domain::Cause::code),
                confidence: s.confidence.code(),
                subject: subject(&s.subject, d.target.as_ref()),
            }),
            slo: d.slo.iter().chain(&d.sliced).map(slo).collect(),
            phases: d.phases.iter().map(|p| phase(p, d.at)).collect(),
            findings: d.findings.iter().map(|f| finding(f, d.target.as_ref())).collect(),
            changes: d
                .changes
                .iter()
                .map(|c| Change {
                    at: time(c.at),
                    kind: c.kind.code(),
                    summary: c.summary.clone(),
                    before_onset_s: d.since.map(|s| s.since(c.at)),
                })
                .collect(),
            levers: d
                .levers
                .iter()
                .map(|l| Lever {
                    action: l.action.code(),
                    allowed: None,
                    fits: None,
                    eta_s: None,
                    reverted_by: None,
                    helps: l.helps.code(),
                    why: l.why.clone(),
                })
                .collect(),
            requests: Requests {
                finished: d.requests.finished.map(count),
                errors: d.requests.errors.map(count),
                abandoned_estimate: d.requests.abandoned.map(count),
                rejected: d.requests.rejected.map(count),
            },
            scope: Scope {
                desired: d.scope.desired,
                ready: d.scope.ready,
                answering: d.scope.answering,
                endpoints: d.scope.endpoints,
            },
            replicas: d.replicas.iter().map(|r| replica(r, d.at)).collect(),
            revisions: d.revisions.iter().map(revision).collect(),
            starts: starts::Starts::from(&d.starts),
            gpus: d.gpus.iter().map(|g| gpu(g, d.at)).collect(),
            runbook: advice.map(runbook_step),
            sources: d.sources.iter().map(source).collect(),
            alerts: d
                .alerts
                .iter()
                .map(|a| Alert { name: a.name.clone(), firing: a.firing, severity: a.severity.clone() })
                .collect(),
        }
    }
}

fn slo(row: &diagnosis::SloRow) -> Slo {
    Slo {
        metric: row.metric.name(),
        series: row.series.clone(),
        model: row.model.clone(),
        route: row.slice.as_ref().and_then(|s| s.route.clone()),
        tenant: row.slice.as_ref().and_then(|s| s.tenant.clone()),
        class: row.slice.as_ref().and_then(|s| s.class.clone()),
        target_s: row.target.seconds,
        objective: row.target.objective,
        p50_s: row.p50.map(bucketed),
        p95_s: row.p95.map(bucketed),
        p99_s: row.p99.map(bucketed),
        mean_s: row.mean_s.and_then(finite),
        events: row.events.name(),
        count: row.count.map(count),
        bad: row.bad.map(count),
        bad_at_most: row.bad_at_most.map(count),
        nearest_bound_s: row.nearest_bound.and_then(finite),
        per_request: row.per_request.as_ref().map(|p| PerRequest {
            series: p.series.clone(),
            count: count(p.count),
            bad: count(p.bad),
        }),
        status: row.status.code(),
        paging: row.paging,
        budget_left: None,
        windows: row
            .windows
            .iter()
            .map(|w| BurnWindow {
                window: window_name(w.window_s),
                observed_s: w.observed_s,
                count: count(w.count),
                bad: count(w.bad),
                burn: w.burn.and_then(finite),
                told: w.told,
            })
            .collect(),
        tiers: row
            .tiers
            .iter()
            .map(|t| BurnTier {
                short: window_name(t.tier.short_s),
                long: window_name(t.tier.long_s),
                factor: t.tier.factor,
                pages: t.tier.pages,
                fires: t.fires,
                reachable: t.reachable,
            })
            .collect(),
        exhausts_in_s: row.exhausts_in_s.and_then(finite),
        note: row.note.clone(),
    }
}

/// `5m`, `1h`, as burn windows are called.
pub fn window_name(seconds: f64) -> String {
    if seconds >= 3600.0 { format!("{:.0}h", seconds / 3600.0) } else { format!("{:.0}m", seconds / 60.0) }
}

fn phase(row: &diagnosis::PhaseRow, now: At) -> Phase {
    // Without a mean nothing was measured, whatever was looked at.
    let mean = row.mean.and_then(finite);
    let baseline = mean.and(row.baseline).and_then(finite);
    Phase {
        phase: row.phase.code(),
        status: row.status.code(),
        mean,
        baseline,
        delta: baseline.and(row.delta).and_then(finite),
        unit: Some(row.unit).filter(|u| !u.is_empty()),
        share_of_added: baseline.and(row.share_of_added).and_then(ratio),
        lags: row.lags,
        estimate: row.estimate.and_then(finite),
        baseline_from: baseline.and(row.baseline_from).map(crate::domain::BaselineKind::code),
        baseline_count: baseline.and(row.baseline_count).map(count),
        baseline_between: baseline.and(row.baseline_between).map(|(from, to)| [time(from), time(to)]),
        source: mean.and(row.source.clone()),
        age_s: mean.and(row.at).map(|at| now.since(at)),
        count: mean.and(row.count).map(count),
        note: words(&row.note),
    }
}

fn finding(f: &diagnosis::Finding, target: Option<&WorkloadRef>) -> Finding {
    Finding {
        code: f.code.code(),
        kind: match f.code {
            Code::Mechanism(_) => "mechanism",
            Code::Cause(_) => "cause",
        },
        phase: f.phase.code(),
        severity: f.severity.code(),
        confidence: f.confidence.code(),
        subject: subject(&f.subject, target),
        summary: f.summary.clone(),
        evidence: f
            .evidence
            .iter()
            .map(|e| Evidence {
                claim: e.claim.clone(),
                value: finite(e.value),
                op: e.op.sign(),
                threshold: e.threshold.and_then(finite),
                unit: e.unit,
                source: e.source.clone(),
                at: time(e.at),
                supports: e.supports,
                reproduce: e.reproduce.clone(),
            })
            .collect(),
        surer: f.surer.clone(),
        levers: f
            .levers
            .iter()
            .map(|l| LeverAdvice { action: l.action.code(), helps: l.helps.code(), why: l.why.clone() })
            .collect(),
        explains_s: finite(f.explains_s).filter(|s| *s > 0.0),
    }
}

fn replica(r: &diagnosis::ReplicaRow, now: At) -> Replica {
    Replica {
        pod: r.name.clone(),
        pool: r.pool.map(Pool::code),
        node: r.node.clone(),
        revision: r.revision,
        ready: r.ready,
        start_phase: r.start.map(|(phase, _)| phase.code()),
        start_s: r.start.and_then(|(_, since)| since).map(|since| now.since(since).max(0.0)),
        usual_load_s: r.usual_load.map(|(s, _)| s),
        restarts: r.restarts,
        gone: r.gone,
        ttft_mean_s: r.ttft_mean.and_then(finite),
        itl_mean_s: r.itl_mean.and_then(finite),
        count: r.count.map(count),
        waiting: r.waiting.and_then(finite),
        running: r.running.and_then(finite),
        kv_usage: r.kv.and_then(ratio),
    }
}

fn revision(r: &diagnosis::RevisionRow) -> Revision {
    let change = |c: &crate::domain::TemplateChange| TemplateChange {
        what: c.what.clone(),
        from: c.from.clone(),
        to: c.to.clone(),
    };
    Revision {
        number: r.number,
        name: r.name.clone(),
        created: r.created.map(time),
        desired: r.desired,
        ready: r.ready,
        image: words(&r.image),
        change_cause: r.change_cause.as_deref().and_then(words),
        changes: r.changes.iter().map(change).collect(),
        unknown: r.unknown.clone(),
        otherwise: r.otherwise.clone(),
        count: r.count.map(count),
        ttft_mean_s: r.ttft_mean.and_then(finite),
        ttft_late: r.ttft_late.and_then(ratio),
        itl_mean_s: r.itl_mean.and_then(finite),
    }
}

fn gpu(g: &diagnosis::GpuRow, now: At) -> Gpu {
    let s = &g.sample;
    Gpu {
        node: g.id.node.clone(),
        index: g.id.index,
        uuid: g.id.uuid.clone(),
        pod: g.pod.clone(),
        product: g.product.clone(),
        truth: g.truth.code(),
        troubled: g.troubled,
        note: words(&g.note),
        age_s: now.since(g.at).max(0.0),
        sm_clock_hz: s.sm_clock_hz.and_then(finite).map(count),
        sm_clock_max_hz: s.sm_clock_max_hz.and_then(finite).map(count),
        temperature_c: s.temperature_c.and_then(finite),
        power_w: s.power_w.and_then(finite),
        utilisation: s.utilisation.and_then(ratio),
        event_reasons: s.event_reasons.map(|bits| format!("{bits:#018x}")),
        ecc_uncorrected_volatile: s.ecc_uncorrected_volatile,
        xid: s.xid,
    }
}

fn source(s: &diagnosis::SourceRow) -> Source {
    Source {
        name: s.name.clone(),
        state: s.state.code(),
        age_s: s.age_s,
        via: s.via,
        instead_of: s.instead_of.clone(),
        found_by: s.found.clone(),
        error: s.error.clone(),
        series_seen: s.series,
        lines_skipped: s.skipped,
        families: s.families.iter().map(|(q, f)| (*q, f.to_string())).collect(),
        lacks: s.lacks.clone(),
    }
}
