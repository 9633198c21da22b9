//! The verdict in words: numbers, counts and scope, and never more certain than the evidence.

use super::facts::Facts;
use super::format::{bound, length, number, percent, seconds};
use super::outcome::SourceRow;
use super::rows::KUBERNETES;
use super::sliced;
use super::slo::SloRow;
use super::verdict::Judged;
use crate::domain::{Cause, Code, Confidence, Mechanism, Phase, SourceState, Verdict};

/// Fewer events than this say nothing about a 95th percentile: 0.95^59 < 5 %.
const P95_EVENTS: f64 = 59.0;

impl Judged<'_> {
    /// The verdict in words.
    pub(super) fn sentence(&self, sources: &[SourceRow]) -> String {
        let facts = &self.facts;
        let mut parts = Vec::new();
        match self.verdict {
            Verdict::CannotTell => return cannot_tell(sources),
            Verdict::Idle => return idle(facts),
            Verdict::Stalled => {
                if let Some(found) = self.findings.iter().find(|f| f.code == Code::Mechanism(Mechanism::EngineStalled))
                {
                    parts.push(capitalised(&found.summary));
                }
            }
            _ => {
                parts.extend(facts.slo.iter().filter_map(slo_sentence));
                if facts.waiting_late >= 1.0 {
                    let late = number(facts.waiting_late);
                    parts.push(if late == "1" {
                        "1 waiting request is late already and has no first token".to_owned()
                    } else {
                        format!("{late} waiting requests are late already and have no first token")
                    });
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
        parts.extend(self.whose.as_ref().map(sliced::in_words));
        parts.extend(self.why());
        parts.extend(self.capacity());
        // What is not there and need not be is no part of the whole.
        let meant = |s: &&SourceRow| s.name != KUBERNETES && (s.is_missing() || s.state == SourceState::Live);
        let endpoints: Vec<&SourceRow> = sources.iter().filter(meant).collect();
        let down: Vec<&&SourceRow> = endpoints.iter().filter(|s| s.is_missing() && !self.starts(&s.name)).collect();
        // Of several reasons one that was given.
        let told = down.iter().min_by_key(|s| (s.error.is_none() || s.state == SourceState::Stale, &s.name));
        if let Some(told) = told.filter(|_| !self.stale) {
            parts.push(format!("{} of {} endpoints not read ({})", down.len(), endpoints.len(), why_not_read(told)));
        }
        let mut sentence = parts.join("; ");
        sentence.push('.');
        sentence
    }

    /// The rollout that is suspected, with its revision and its timing.
    fn why(&self) -> Option<String> {
        let suspect = self.suspect.as_ref().filter(|s| s.cause == Some(Cause::DeployRegression))?;
        let found = self.findings.iter().find(|f| Some(f.code) == suspect.cause.map(Code::Cause))?;
        let sure = match found.confidence {
            Confidence::High => "probable: ",
            Confidence::Medium => "likely: ",
            Confidence::Low => "possible: ",
        };
        Some(format!("{sure}{}", found.summary))
    }

    /// How many replicas are Ready where they are fewer than wanted, and how old that word is.
    fn capacity(&self) -> Option<String> {
        let cluster = self.facts.cluster.as_ref()?;
        let workload = cluster.facts.workload.as_ref()?;
        let ago = format!(" (Kubernetes was last heard {} ago)", length(self.facts.now.since(cluster.at)));
        let ago = if cluster.stale { ago } else { String::new() };
        // A finding about the rollout says it already.
        let said = self.suspect.as_ref().is_some_and(|s| s.phase == Phase::Rollout);
        (cluster.stale || (workload.ready < workload.desired && !said))
            .then(|| format!("{} of {} replicas Ready{ago}", workload.ready, workload.desired))
    }

    /// Whether an endpoint's pod is known to be starting still.
    fn starts(&self, name: &str) -> bool {
        let endpoint = self.facts.engine_endpoints.iter().find(|e| e.name == name);
        let cluster = self.facts.cluster.as_ref().filter(|c| !c.stale);
        endpoint.zip(cluster).and_then(|(e, c)| c.pod(e)).is_some_and(|p| p.start().is_some())
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
    let unit = row.events.name();
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
    let few = if count < P95_EVENTS { ", few for a p95" } else { "" };
    Some(format!("{title} p95 {place} against {target}, {late}{few}"))
}

/// Why nothing can be said.
/// No traffic, and what a request of our own says of that.
fn idle(facts: &Facts<'_>) -> String {
    let answered = facts.probes.iter().rev().find_map(|(at, p)| Some((at, p, p.answer.as_ref().ok()?)));
    let Some((at, probed, answer)) = answered else {
        return "No traffic in the window: nothing was late, and a stall that looks idle cannot be excluded without a request."
            .to_owned();
    };
    format!(
        "No traffic in the window but our own: a request through {} got its first token in {}, {} ago.",
        probed.door.name(),
        seconds(answer.ttft_s),
        length(facts.now.since(*at))
    )
}

pub(super) fn cannot_tell(sources: &[SourceRow]) -> String {
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
        let words = if read {
            "Cannot tell from one page of each endpoint: what happened is the difference of two; watch longer, or record more."
        } else {
            "Cannot tell: nothing was read yet; watch longer."
        };
        return words.to_owned();
    }
    format!("Cannot tell, because {}.", why.join("; "))
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |c| c.to_uppercase().chain(chars).collect())
}

/// Why a source is not read, where its row says it; what was skipped on an old page is no reason.
fn why_not_read(row: &SourceRow) -> String {
    match (row.state, &row.error, row.age_s) {
        (SourceState::Stale, _, Some(age)) | (_, None, Some(age)) => format!("no page for {}", length(age)),
        (_, Some(error), _) => error.clone(),
        (_, None, None) => "no answer yet".to_owned(),
    }
}
