//! What people read: a diagnosis as text for a terminal and as Markdown to paste. Knows no terminal and no file; the same
//! numbers, codes and sentences as in the contract.

mod discovery;
mod doctor;
pub mod incident;
mod markdown;
mod text;

pub use discovery::discovery;
pub(crate) use discovery::state;
pub use doctor::checkup;
pub use markdown::markdown;
use markdown::plain;
pub use text::{Look, text};

use std::fmt::Write as _;

use crate::contract::time;
use crate::diagnosis::{
    Before, Diagnosis, GpuRow, PhaseRow, ReplicaRow, RevisionRow, SloRow, StartRow, StartStep, Starts, Step, Times,
    length, number, seconds,
};
use crate::domain::{At, BaselineKind, Quantile, StartPhase, Verdict};

/// `BREACH since 03:05:40Z (8m27s)` and what it is about.
fn headline(d: &Diagnosis) -> String {
    let mut line = d.verdict.code().to_uppercase().replace('_', " ");
    if let Some(since) = d.since {
        let end = d.until.unwrap_or(d.at);
        let was = if d.until.is_some() { "from" } else { "since" };
        let _ = write!(line, " {was} {}", clock(&time(since)));
        if let Some(until) = d.until {
            let _ = write!(line, " to {}", clock(&time(until)));
        }
        let _ = write!(line, " ({})", length(end.since(since)));
    }
    if let Some(trend) = d.trend {
        let _ = write!(line, ", {trend}");
    }
    line
}

/// What was judged: model, engine, window.
fn scope(d: &Diagnosis) -> String {
    let engine = match (&d.engine, &d.generation) {
        (Some(engine), Some(generation)) => format!("{engine} {generation}"),
        (Some(engine), None) => engine.clone(),
        _ => "unknown engine".to_owned(),
    };
    let model = d.model.as_deref().unwrap_or("unknown model");
    let observed = crate::contract::observed_s(d);
    let short = if observed < 0.95 * d.requested_s {
        format!(" of {} asked for", length(d.requested_s))
    } else {
        String::new()
    };
    let running = d.replicas.iter().filter(|r| !r.gone).count();
    let replicas = match (d.scope.ready, d.scope.desired) {
        (Some(ready), Some(desired)) => format!("{ready}/{desired} replicas Ready, {} answering", d.scope.answering),
        _ => format!("{running} replica{}", if running == 1 { "" } else { "s" }),
    };
    format!("{model} on {engine}, {replicas}, {} observed{short}, to {}", length(observed), time(d.at))
}

/// `prod-use1/llm-serving/deploy/vllm-runtime`, where a workload was judged.
fn target(d: &Diagnosis) -> Option<String> {
    d.target.as_ref().map(|t| format!("{}/{}/{}/{}", t.context, t.namespace, t.kind.short(), t.name))
}

/// What a revision changed, in words.
fn template_changes(row: &RevisionRow) -> String {
    const MOST: usize = 4;
    let told: Vec<String> = row.changes.iter().take(MOST).map(ToString::to_string).collect();
    let more = row.changes.len().saturating_sub(MOST);
    if more > 0 { format!("{} and {more} more", told.join(", ")) } else { told.join(", ") }
}

/// What the requests on a revision saw.
fn revision_saw(row: &RevisionRow) -> String {
    let Some(count) = row.count.filter(|c| *c > 0.0) else {
        return if row.desired > 0 { "no requests read".to_owned() } else { "serves nobody".to_owned() };
    };
    let ttft = row.ttft_mean.map_or("?".to_owned(), seconds);
    let late = row.ttft_late.map_or(String::new(), |l| format!(", {:.1}% late", l * 100.0));
    let itl = row.itl_mean.map_or(String::new(), |i| format!(", {} per token", seconds(i)));
    format!("TTFT {ttft}{late}{itl}, n {}", number(count))
}

/// How far a replica's start has come.
fn start(row: &ReplicaRow, now: At) -> Option<String> {
    let (phase, since) = row.start?;
    let stands = since.map_or(String::new(), |s| format!(" for {}", length(now.since(s))));
    let usual = match (phase, row.usual_load) {
        (StartPhase::Load, Some((s, n))) => format!(" of about {} (from {n} starts)", length(s)),
        _ => String::new(),
    };
    Some(format!("{phase}{stands}{usual}"))
}

/// The steps of a pod's start: `schedule 1s, pull 18s, load 4m27s (+-6s), Ready 8s later`.
pub(crate) fn start_steps(row: &StartRow) -> String {
    // Every moment of Kubernetes is exact to the second: only what is coarser is said.
    let coarse =
        |s: &StartStep| if s.resolution_s > 1.5 { format!(" (+-{})", length(s.resolution_s)) } else { String::new() };
    let word = |s: &StartStep| match (s.step, s.running) {
        // Which of the two came first is not known.
        (Step::Ready, false) if s.seconds.abs() <= s.resolution_s && s.resolution_s > 1.5 => {
            format!("Ready about when it answered{}", coarse(s))
        }
        (Step::Ready, false) if s.seconds < 0.0 => {
            format!("Ready {} before it answered{}", length(-s.seconds), coarse(s))
        }
        (Step::Ready, false) => format!("Ready {} later{}", length(s.seconds), coarse(s)),
        (Step::Ready, true) => format!("answers for {} and is not Ready{}", length(s.seconds), coarse(s)),
        (Step::LoadToReady, _) => format!("load to Ready {}", length(s.seconds)),
        (step, true) => format!("{step} {} so far", length(s.seconds)),
        (step, false) => format!("{step} {}{}", length(s.seconds), coarse(s)),
    };
    let restarted =
        if row.restarts > 0 { format!(" ({} restarts: of the last start)", row.restarts) } else { String::new() };
    format!("{}{restarted}", row.steps.iter().map(word).collect::<Vec<_>>().join(", "))
}

/// How long starts take, in sentences without an end; empty where none was seen.
pub(crate) fn start_times(starts: &Starts) -> Vec<String> {
    let spread = |t: &Times| match (t.p90, t.count) {
        (Some(p90), n) => format!("median {}, p90 {} (n {n})", length(t.median), length(p90)),
        (None, 1) => format!("{} (1 start)", length(t.median)),
        (None, n) => format!("median {}, {} to {} (n {n})", length(t.median), length(t.min), length(t.max)),
    };
    let named = [("model load", &starts.load), ("then Ready after", &starts.ready), ("start to Ready", &starts.whole)];
    named.iter().filter_map(|(name, times)| Some(format!("{name} {}", spread(times.as_ref()?)))).collect()
}

/// Which GPU.
fn gpu_name(row: &GpuRow) -> String {
    let index = row.id.index.map_or_else(|| row.id.uuid.clone().unwrap_or_default(), |i| i.to_string());
    row.id.node.as_ref().map_or(format!("gpu {index}"), |node| format!("{node}/gpu {index}"))
}

/// `03:05:40Z` of an RFC 3339 time.
fn clock(rfc3339: &str) -> &str {
    rfc3339.split_once('T').map_or(rfc3339, |(_, clock)| clock)
}

/// A quantile as the bucket into which it fell.
pub(crate) fn bucket(q: Option<Quantile>) -> String {
    match q {
        None => "-".to_owned(),
        Some(Quantile { lower, upper: None, .. }) => format!("> {}", seconds(lower)),
        Some(Quantile { lower, upper: Some(upper), .. }) if lower <= 0.0 => format!("<= {}", seconds(upper)),
        Some(Quantile { lower, upper: Some(upper), .. }) => {
            let (low, high) = (seconds(lower), seconds(upper));
            match (low.rsplit_once(' '), high.rsplit_once(' ')) {
                (Some((n, unit)), Some((m, same))) if unit == same => format!("{}-{} {unit}", trim(n), trim(m)),
                _ => format!("{low}-{high}"),
            }
        }
    }
}

/// `10.0` → `10`, `2.50` → `2.5`.
fn trim(n: &str) -> &str {
    if n.contains('.') { n.trim_end_matches('0').trim_end_matches('.') } else { n }
}

/// A target without needless digits.
pub(crate) fn trim_bound(s: f64) -> String {
    let shown = seconds(s);
    match shown.rsplit_once(' ') {
        Some((n, unit)) => format!("{} {unit}", trim(n)),
        None => shown,
    }
}

/// Late events of an objective.
fn late(row: &SloRow) -> String {
    let unit = row.events.name();
    match (row.bad, row.bad_at_most, row.count) {
        (Some(bad), Some(most), Some(count)) if most > bad => {
            format!("{}-{} of {} {unit}", number(bad), number(most), number(count))
        }
        (Some(bad), _, Some(count)) if count > 0.0 => {
            let percent = 100.0 * bad / count;
            let share = if percent > 0.0 && percent < 0.1 { "<0.1".to_owned() } else { format!("{percent:.1}") };
            format!("{} of {} {unit} ({share}%)", number(bad), number(count))
        }
        _ => "not known".to_owned(),
    }
}

/// The mean of a phase in its unit.
fn mean(row: &PhaseRow, value: Option<f64>) -> String {
    match value {
        None => "?".to_owned(),
        Some(v) if row.unit == "s/token" => format!("{}/tok", seconds(v)),
        Some(v) => seconds(v),
    }
}

/// What the window is compared with, in words: of what somebody else tells also when that was, and how much of it there is.
pub(crate) fn before_words(before: Before, now: At) -> String {
    let what = baseline_words(before.kind);
    let (BaselineKind::Prometheus, Some((from, to))) = (before.kind, before.between) else { return what.to_owned() };
    let part =
        |at: At, part: std::ops::Range<usize>| crate::contract::time(at).get(part).unwrap_or_default().to_owned();
    // A day is named where it is another one.
    let (day, today) = (part(from, 0..10), part(now, 0..10));
    let day = if day == today { String::new() } else { format!("{day} ") };
    let count = before.count.map_or(String::new(), |n| format!(", {n:.0} requests"));
    format!("{what} {day}{}-{}Z{count}", part(from, 11..16), part(to, 11..16))
}

/// What the comparison is with, in words.
pub(crate) fn baseline_words(kind: BaselineKind) -> &'static str {
    match kind {
        BaselineKind::OldRevision => "old revision",
        BaselineKind::Prometheus => "Prometheus",
        BaselineKind::History => "first healthy stretch",
        BaselineKind::Lifetime => "lifetime of the process",
        BaselineKind::Target => "target",
    }
}

/// Whether there is something to find in the findings and levers.
fn troubled(d: &Diagnosis) -> bool {
    matches!(d.verdict, Verdict::Breach | Verdict::Warning | Verdict::Stalled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_else_tells_of_before_is_named_with_its_hour_and_its_day_where_that_is_another() {
        let (from, to) = (At(1_795_489_200_000), At(1_795_492_800_000));
        let before = Before { kind: BaselineKind::Prometheus, between: Some((from, to)), count: Some(7200.4) };
        assert_eq!(before_words(before, to), "Prometheus 03:00-04:00Z, 7200 requests");
        let tomorrow = to.plus(86_400.0);
        assert_eq!(before_words(before, tomorrow), "Prometheus 2026-11-24 03:00-04:00Z, 7200 requests");
        let own = Before { kind: BaselineKind::History, ..before };
        assert_eq!(before_words(own, to), "first healthy stretch");
    }

    #[test]
    fn lengths_and_buckets_read_as_people_say_them() {
        assert_eq!(length(507.0), "8m27s");
        assert_eq!(length(300.0), "5m");
        assert_eq!(length(7200.0), "2h");
        let q = |lower, upper| Some(Quantile { estimate: None, lower, upper });
        assert_eq!(bucket(q(10.0, Some(20.0))), "10-20 s");
        assert_eq!(bucket(q(2.5, Some(5.0))), "2.5-5 s");
        assert_eq!(bucket(q(20.0, None)), "> 20.0 s");
        assert_eq!(bucket(q(0.0, Some(0.1))), "<= 0.10 s");
        assert_eq!(bucket(None), "-");
    }

    #[test]
    fn what_of_a_start_came_first_is_said_only_where_it_is_known() {
        let step = |step, seconds, resolution_s| StartStep { step, seconds, resolution_s, running: false, source: "" };
        let told = |ready: StartStep| {
            let steps = vec![step(Step::Load, 267.0, 6.0), ready];
            start_steps(&StartRow { pod: "a".into(), revision: None, restarts: 0, steps })
        };
        assert_eq!(told(step(Step::Ready, 8.0, 6.0)), "load 4m27s (+-6s), Ready 8s later (+-6s)");
        assert_eq!(told(step(Step::Ready, -190.0, 6.0)), "load 4m27s (+-6s), Ready 3m10s before it answered (+-6s)");
        assert_eq!(told(step(Step::Ready, -3.0, 6.0)), "load 4m27s (+-6s), Ready about when it answered (+-6s)");
        assert_eq!(told(step(Step::Ready, 5.0, 6.0)), "load 4m27s (+-6s), Ready about when it answered (+-6s)");
        assert_eq!(told(step(Step::Ready, 1.0, 1.0)), "load 4m27s (+-6s), Ready 1s later");
    }
}
