//! The verdict in words: numbers, counts and scope, and never more certain than the evidence.

use super::format::{bound, number, percent, seconds};
use super::outcome::SourceRow;
use super::slo::{Metric, SloRow};
use super::verdict::Judged;
use crate::domain::{Code, Mechanism, Phase, SourceState, Verdict};

/// Fewer events than this say nothing about a 95th percentile: 0.95^59 < 5 %.
const P95_EVENTS: f64 = 59.0;

impl Judged<'_> {
    /// The verdict in words.
    pub(super) fn sentence(&self, sources: &[SourceRow]) -> String {
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
    let few = if count < P95_EVENTS { ", few for a p95" } else { "" };
    Some(format!("{title} p95 {place} against {target}, {late}{few}"))
}

/// Why nothing can be said.
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
