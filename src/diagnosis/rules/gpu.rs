//! The hardware below: a clock that is held down, a memory that is faulty, a GPU that is lost. A GPU in trouble is to
//! blame only where the late events sit on the replicas that it serves, and where it was in trouble first.

use super::{Split, finding};
use crate::diagnosis::cluster::{node_of, pod_name};
use crate::diagnosis::facts::Facts;
use crate::diagnosis::format::{number, percent};
use crate::diagnosis::gpus::{Gpu, Trouble, held_since};
use crate::diagnosis::slo::over_budget;
use crate::diagnosis::span::{Replica, Span};
use crate::diagnosis::{Evidence, Finding, Metric, Op, Subject, Truth};
use crate::domain::{At, Cause, Code, Confidence, Mechanism, Phase, Severity};

/// The share of the late events that must sit on the replicas of the GPU.
pub(super) const OWN: f64 = 0.5;
/// Times the mean of the others: what its replicas must be at least.
pub(super) const WORSE: f64 = 1.5;
/// The share of them at which it need not show in a mean.
const NEARLY_ALL: f64 = 0.8;
/// Trouble that begins later than this after the onset is none of its cause (s): an exporter reads every 30 s.
const AFTER_S: f64 = 60.0;

/// A GPU in trouble, and what the requests on it saw.
struct Blame<'f, 'a> {
    gpu: &'f Gpu<'a>,
    trouble: &'f Trouble,
    replica: Option<Replica<'a>>,
    /// How many of the replicas have GPUs in the same trouble, where they are judged together.
    together: Option<(usize, usize)>,
    /// Of which events the following is said.
    metric: Metric,
    /// The share of the late events on its replicas; `None` where it is not known which those are, or nothing is late.
    share: Option<f64>,
    /// Their mean against that of the others.
    ratio: Option<f64>,
    /// Whether nearly all that is late is on its replicas, by more than chance: late tokens are few, and move no mean.
    concentrated: bool,
    /// Whether it came with the trouble: not after it, and not in the calm before.
    came_with_it: bool,
    /// Whether it is lost, and what ran on it does not answer since.
    silent: bool,
}

impl Blame<'_, '_> {
    /// Whether what is late is late because of it.
    fn explains(&self) -> bool {
        if self.silent {
            return self.came_with_it;
        }
        let slower = self.ratio.is_none_or(|r| r >= WORSE) || self.concentrated;
        self.came_with_it && self.share.is_some_and(|s| s >= OWN) && slower
    }
}

/// The GPU that explains most.
fn blamed<'f, 'a>(facts: &'f Facts<'a>) -> Option<Blame<'f, 'a>> {
    let late: Vec<Metric> = [Metric::Ttft, Metric::Tpot].into_iter().filter(|m| facts.late(*m)).collect();
    let engines: Vec<Replica<'a>> = facts.engines().collect();
    let placed = engines.iter().any(|r| node_of(r.endpoint, facts.cluster.as_ref()).is_some());
    let mut all: Vec<Blame<'f, 'a>> = Vec::new();
    for gpu in &facts.gpus {
        let Some(trouble) = &gpu.trouble else { continue };
        let serves = |r: &Replica<'_>| match &gpu.row.pod {
            Some(pod) if engines.iter().any(|e| pod_name(e.endpoint) == pod) => pod_name(r.endpoint) == pod,
            _ => {
                gpu.track.id.node.is_some()
                    && node_of(r.endpoint, facts.cluster.as_ref()) == gpu.track.id.node.as_deref()
            }
        };
        let (own, others): (Vec<Replica<'a>>, Vec<Replica<'a>>) = engines.iter().copied().partition(serves);
        // A GPU of somebody else is none of this workload's business, nor is one of nobody where holders are named.
        let same_node = |g: &&Gpu<'_>| g.track.id.node == gpu.track.id.node && g.row.pod.is_some();
        let nobodys = gpu.row.pod.is_none() && facts.gpus.iter().any(|g| same_node(&g));
        if nobodys || own.is_empty() && (placed || gpu.row.pod.is_some()) {
            continue;
        }
        let Sides { metric, share, ratio, concentrated } = sides(facts, &late, &own, &others);
        let since = held_since(&facts.gpus, gpu, trouble.since);
        let came_with_it = since <= facts.broke().plus(AFTER_S) && !was_so(facts, since);
        let (replica, together) = (own.first().copied(), None);
        let silent = lost_with_it(facts, trouble, &own, since);
        // Who serves no more breaks no objective of its own: its last answer is the moment to compare with.
        let came_with_it = came_with_it || silent;
        all.push(Blame { gpu, trouble, replica, together, metric, share, ratio, concentrated, came_with_it, silent });
    }
    all.extend(together(facts, &late, &engines, &all));
    all.into_iter().max_by(|a, b| {
        let order = |x: &Blame<'_, '_>| (x.explains(), if x.silent { 1.0 } else { x.share.unwrap_or(0.0) });
        let (a, b) = (order(a), order(b));
        a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
    })
}

/// Whether a trouble was there for most of the calm stretch already: then it is not what changed.
fn was_so(facts: &Facts<'_>, since: At) -> bool {
    let calm = facts.baseline.as_ref().and_then(|b| b.stretch);
    calm.is_some_and(|(from, to)| to.since(since) > 0.5 * to.since(from))
}

/// Whether a GPU is lost and what ran on it has not answered since: then the seconds are those of the others, who have its
/// work to do, or of nobody.
fn lost_with_it(facts: &Facts<'_>, trouble: &Trouble, own: &[Replica<'_>], since: At) -> bool {
    let last = own.iter().filter_map(|r| r.track.points().back()).map(|p| p.at).max();
    let fell_silent = last.is_some_and(|at| at.since(since).abs() <= AFTER_S.max(facts.max_gap_s));
    let fewer = super::rollout::missing(facts).is_some() || facts.down();
    trouble.mechanism == Mechanism::GpuLost && fewer && fell_silent
}

/// All replicas on GPUs with the same trouble as one: a hot room heats more than one node.
fn together<'f, 'a>(
    facts: &'f Facts<'a>,
    late: &[Metric],
    engines: &[Replica<'a>],
    each: &[Blame<'f, 'a>],
) -> Option<Blame<'f, 'a>> {
    let worst = each.iter().filter(|b| b.came_with_it).max_by(|a, b| {
        let share = |x: &Blame<'_, '_>| x.share.unwrap_or(0.0);
        share(a).total_cmp(&share(b))
    })?;
    let same = |b: &&Blame<'_, '_>| b.came_with_it && b.trouble.mechanism == worst.trouble.mechanism;
    let pods: Vec<&str> =
        each.iter().filter(same).filter_map(|b| b.replica.as_ref()).map(|r| pod_name(r.endpoint)).collect();
    let (own, others): (Vec<Replica<'a>>, Vec<Replica<'a>>) =
        engines.iter().copied().partition(|r| pods.contains(&pod_name(r.endpoint)));
    if own.len() < 2 {
        return None;
    }
    let Sides { metric, share, ratio, concentrated } = sides(facts, late, &own, &others);
    let together = Some((own.len(), engines.len()));
    Some(Blame {
        gpu: worst.gpu,
        trouble: worst.trouble,
        replica: worst.replica,
        together,
        metric,
        share,
        ratio,
        concentrated,
        came_with_it: true,
        silent: false,
    })
}

/// How the late events of one kind are spread.
struct Sides {
    metric: Metric,
    share: Option<f64>,
    ratio: Option<f64>,
    concentrated: bool,
}

/// How those late events are spread over `own` and `others` that sit on `own`, where some of several kinds do: more traffic
/// makes everybody's first token late, and a slow GPU its own tokens.
fn sides(facts: &Facts<'_>, late: &[Metric], own: &[Replica<'_>], others: &[Replica<'_>]) -> Sides {
    let of = |metric: &Metric| {
        let (share, ratio, concentrated) = compared(facts, *metric, own, others);
        Sides { metric: *metric, share, ratio, concentrated }
    };
    let theirs =
        |s: &Sides| s.share.is_some_and(|s| s >= OWN) && (s.concentrated || s.ratio.is_none_or(|r| r >= WORSE));
    let mut all: Vec<Sides> = late.iter().map(of).collect();
    let best = all.iter().position(theirs).unwrap_or(0);
    if all.is_empty() {
        return Sides { metric: Metric::Ttft, share: None, ratio: None, concentrated: false };
    }
    all.swap_remove(best)
}

/// The share of the late events on `own`, and their mean against that of `others`.
pub(super) fn compared(
    facts: &Facts<'_>,
    metric: Metric,
    own: &[Replica<'_>],
    others: &[Replica<'_>],
) -> (Option<f64>, Option<f64>, bool) {
    let target = metric.target(facts.targets).seconds;
    let (from, to) = facts.incident;
    let of = |replicas: &[Replica<'_>]| {
        let (_, histogram) = Span::of_dist(replicas, metric.dist(), from, to)?;
        Some((histogram.above(target)?.at_least, histogram.mean()?, histogram.count))
    };
    match (of(own), of(others)) {
        (Some((bad, mean, count)), Some((other_bad, other_mean, other_count))) => {
            let share = (bad + other_bad > 0.0).then(|| bad / (bad + other_bad));
            let by_chance = count / (count + other_count).max(1.0);
            let all = share.is_some_and(|s| s >= NEARLY_ALL) && over_budget(bad, bad + other_bad, by_chance);
            (share, (other_mean > 0.0).then(|| mean / other_mean), all)
        }
        // Those who went before it broke have nothing to be compared with; of one that is there and says nothing who knows.
        (Some((bad, ..)), None) if bad > 0.0 && others.iter().all(|r| r.endpoint.gone) => (Some(1.0), None, false),
        _ => (None, None, false),
    }
}

fn subject(blame: &Blame<'_, '_>, facts: &Facts<'_>) -> Subject {
    Subject {
        replica: blame.replica.map(|r| pod_name(r.endpoint).to_owned()).or_else(|| blame.gpu.row.pod.clone()),
        node: blame.gpu.track.id.node.clone(),
        revision: blame.replica.and_then(|r| facts.revision(&r)),
        gpu: blame.gpu.track.id.index,
        ..Subject::default()
    }
}

fn confidence(blame: &Blame<'_, '_>) -> Confidence {
    match blame.gpu.row.truth {
        Truth::Confirmed if blame.explains() => Confidence::High,
        Truth::Confirmed | Truth::Inferred => Confidence::Medium,
        Truth::Unknown => Confidence::Low,
    }
}

/// A GPU that does not do what it could.
pub(super) fn mechanism(facts: &Facts<'_>, split: &Split) -> Option<Finding> {
    let blame = blamed(facts)?;
    let late = facts.late(Metric::Ttft) || facts.late(Metric::Tpot) || facts.down();
    // What is only inferred is worth saying only where something is late.
    if !late && blame.gpu.row.truth != Truth::Confirmed {
        return None;
    }
    let on_it = match (&blame.replica, blame.share) {
        (Some(replica), _) if blame.silent => {
            format!("; {} ran on it, and answers no more", pod_name(replica.endpoint))
        }
        (Some(_), Some(share)) if blame.together.is_some() => {
            let (own, of) = blame.together.unwrap_or_default();
            format!("; {own} of {of} replicas have such GPUs, and {} of the late events", percent(share))
        }
        (Some(replica), Some(share)) => {
            format!("; {} on it has {} of the late events", pod_name(replica.endpoint), percent(share))
        }
        (Some(replica), None) => format!("; {} runs on it", pod_name(replica.endpoint)),
        (None, _) => String::new(),
    };
    let summary = format!("{}: {}{on_it}", blame.gpu.name(), blame.trouble.claim);
    let mut found = finding(facts, Code::Mechanism(blame.trouble.mechanism), Phase::Gpu, summary);
    if !late {
        found.severity = Severity::Warning;
    }
    found.subject = subject(&blame, facts);
    found.confidence = confidence(&blame);
    let share = if blame.silent { 1.0 } else { blame.share.unwrap_or(0.0) };
    found.explains_s = if blame.explains() { share * split.own() } else { 0.0 };
    found.evidence = evidence(facts, &blame);
    if blame.gpu.row.truth != Truth::Confirmed {
        found.surer =
            Some("the clock's event reasons (DCGM_FI_DEV_CLOCKS_EVENT_REASONS), which are not exported".to_owned());
    }
    Some(found)
}

/// Why it does not.
pub(super) fn cause(facts: &Facts<'_>, _: &Split) -> Option<Finding> {
    let blame = blamed(facts)?;
    let cause = blame.trouble.cause?;
    if blame.gpu.row.truth != Truth::Confirmed && !(facts.late(Metric::Ttft) || facts.late(Metric::Tpot)) {
        return None;
    }
    let why = match cause {
        Cause::GpuThermal => "heat holds its clock down",
        Cause::GpuPowerBrake => "the power supply's brake holds its clock down",
        Cause::GpuPowerCap => "its power limit holds its clock down",
        Cause::GpuEcc => "its memory has uncorrected errors",
        _ => "its driver reports a fatal error",
    };
    let mut found = finding(facts, Code::Cause(cause), Phase::Gpu, format!("{}: {why}", blame.gpu.name()));
    found.subject = subject(&blame, facts);
    found.confidence = confidence(&blame);
    found.evidence = evidence(facts, &blame);
    found.evidence.truncate(1);
    Some(found)
}

fn evidence(facts: &Facts<'_>, blame: &Blame<'_, '_>) -> Vec<Evidence> {
    let mut all = Vec::new();
    let claim = format!(
        "{}: {} since {}",
        blame.gpu.name(),
        blame.trouble.claim,
        crate::diagnosis::format::clock(blame.trouble.since)
    );
    let (value, threshold) = (blame.trouble.value, Some(blame.trouble.threshold));
    let op = if blame.trouble.unit == "Hz" { Op::Under } else { Op::Over };
    let mut own = facts.evidence("", claim, value, op, threshold, blame.trouble.unit);
    blame.trouble.field.clone_into(&mut own.source);
    own.at = blame.gpu.row.at;
    own.reproduce = None;
    all.push(own);
    if blame.silent {
        let claim = "what ran on it has not answered since".to_owned();
        let mut gone = facts.evidence("", claim, 1.0, Op::Is, Some(1.0), "engines");
        "pages of engines".clone_into(&mut gone.source);
        gone.reproduce = None;
        all.push(gone);
    } else if let Some(share) = blame.share {
        let whose = blame.together.map_or("its replica".to_owned(), |(own, of)| format!("{own} of {of} replicas"));
        let claim = match blame.ratio {
            Some(ratio) => format!(
                "{} of the late events are on {whose}, with a mean {} times that of the others",
                percent(share),
                number(ratio)
            ),
            None => format!("{} of the late events are on {whose}", percent(share)),
        };
        let mut on_it = facts.evidence(blame.metric.dist().name(), claim, share, Op::Over, Some(OWN), "ratio");
        on_it.supports = share >= OWN && (blame.concentrated || blame.ratio.is_none_or(|r| r >= WORSE));
        all.push(on_it);
    }
    if !blame.came_with_it {
        let after = blame.trouble.since.since(facts.broke());
        let claim = if after > 0.0 {
            format!("it began {} after the break", crate::diagnosis::seconds(after))
        } else {
            "it was so while all was well, too".to_owned()
        };
        let mut late = facts.evidence("", claim, after, Op::Under, Some(AFTER_S), "s");
        "time".clone_into(&mut late.source);
        late.reproduce = None;
        late.supports = false;
        all.push(late);
    }
    all
}
