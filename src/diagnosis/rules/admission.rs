//! Requests that were turned away, and requests whose clients gave up. No latency histogram ever sees either.

use super::{Split, finding};
use crate::diagnosis::facts::Facts;
use crate::diagnosis::format::{number, percent};
use crate::diagnosis::slo::over_budget;
use crate::diagnosis::{Finding, Op};
use crate::domain::{Code, Confidence, Mechanism, Phase, Severity, Total};

/// Requests that end between the updates of the two counters make the estimate wander by a few.
const NOISE: f64 = 3.0;

/// The engine turned requests away: each of them missed its first token, whatever the histograms of the others say.
pub(super) fn rejected(facts: &Facts<'_>, _: &Split) -> Option<Finding> {
    let rejected = facts.window.total(Total::Rejected).filter(|n| *n >= 1.0)?;
    let finished = facts.window.total(Total::Finished).unwrap_or(0.0);
    let all = rejected + finished;
    let share = rejected / all;
    let summary =
        format!("{} of {} requests ({}) were turned away by admission", number(rejected), number(all), percent(share));
    let mut found = finding(facts, Code::Mechanism(Mechanism::AdmissionRejected), Phase::Queue, summary);
    let over = over_budget(rejected, all, facts.targets.ttft.budget());
    found.severity = if over { Severity::Critical } else { Severity::Warning };
    found.confidence = Confidence::High;
    found.evidence.push(facts.evidence(
        "rejected",
        format!("{} rejections", number(rejected)),
        rejected,
        Op::Over,
        Some(0.0),
        "requests",
    ));
    if let Some(failed) = facts.window.total(Total::HttpFailed) {
        let streamed = (rejected - failed).max(0.0);
        found.evidence.push(facts.evidence(
            "http_failed",
            format!("{} answered with 5xx, {} inside a 200 stream", number(failed), number(streamed)),
            failed,
            Op::Over,
            Some(0.0),
            "requests",
        ));
    }
    // Users who got nothing weigh as much as those who waited longest: the target and as long again.
    found.explains_s =
        rejected * facts.during.mean(crate::domain::Dist::Ttft).unwrap_or(0.0).max(2.0 * facts.targets.ttft.seconds);
    Some(found)
}

/// Clients gave up before they were served.
pub(super) fn abandoned(facts: &Facts<'_>, _: &Split) -> Option<Finding> {
    let abandoned = Facts::abandoned(&facts.window)?;
    let answered = facts.window.total(Total::HttpFinished)?;
    if abandoned < NOISE || abandoned < 0.05 * answered {
        return None;
    }
    let share = abandoned / answered;
    let summary = format!(
        "about {} of {} requests ({}) ended without being finished: clients gave up",
        number(abandoned),
        number(answered),
        percent(share)
    );
    let mut found = finding(facts, Code::Mechanism(Mechanism::RequestsAbandoned), Phase::Queue, summary);
    found.severity = if over_budget(abandoned, answered, facts.targets.ttft.budget()) {
        Severity::Critical
    } else {
        Severity::Warning
    };
    found.confidence = Confidence::Medium;
    found.evidence.push(facts.evidence(
        "http_finished",
        format!(
            "{} completions ended at the HTTP layer, the engine finished {}",
            number(answered),
            number(facts.window.total(Total::Finished).unwrap_or(0.0))
        ),
        answered,
        Op::Over,
        facts.window.total(Total::Finished),
        "requests",
    ));
    found.surer = Some("the gateway's own count of cancelled requests".to_owned());
    Some(found)
}
