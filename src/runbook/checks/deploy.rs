//! The change: is it the cause, and how far has the way back come.

use crate::diagnosis::{RevisionRow, SeriesPoint, Touches, seconds, touches};
use crate::domain::{At, SourceState, Strategy};
use crate::runbook::check::Answer;
use crate::runbook::checks::{recent_rollout, span};
use crate::runbook::sight::Sight;

/// This many times as slow is slower, and less is weather.
const SLOWER: f64 = 1.5;
/// First tokens that each revision needs.
const ENOUGH: f64 = 10.0;
/// A break so soon after a rollout is at the rollout (s): pods come up, caches fill, queues grow.
const AT_ROLLOUT_S: f64 = 600.0;

fn kubernetes(sight: Sight<'_>) -> bool {
    sight.d.sources.iter().any(|s| s.via == Some("watch") && s.state == SourceState::Live)
}

pub(crate) fn no_recent_rollout(sight: Sight<'_>) -> Answer {
    if !kubernetes(sight) {
        return Answer::unknown("Kubernetes is not read, so a rollout would not be seen");
    }
    let Some(change) = recent_rollout(sight.d, sight.memory.onset) else {
        return Answer::pass("no rollout in the hour before the onset, and none since");
    };
    let onset = sight.memory.onset.or(sight.d.since);
    let when = onset.map_or(String::new(), |onset| {
        let before = onset.since(change.at);
        format!(", {} {} the onset", span(before), if before >= 0.0 { "before" } else { "after" })
    });
    Answer::fail(format!("{}{when}", change.summary))
}

/// The two newest revisions that serve, newest first.
fn side_by_side(sight: Sight<'_>) -> Option<(&RevisionRow, &RevisionRow)> {
    let mut serving = sight.d.revisions.iter().filter(|r| r.count.is_some_and(|c| c >= ENOUGH));
    Some((serving.next()?, serving.next()?))
}

pub(crate) fn revisions_alike(sight: Sight<'_>) -> Answer {
    let Some((new, old)) = side_by_side(sight) else {
        return Answer::unknown("no two revisions serve enough requests to be compared");
    };
    let (Some(now), Some(then)) = (new.ttft_mean, old.ttft_mean) else {
        return Answer::unknown("TTFT by revision is not measured");
    };
    Answer::of(
        now < SLOWER * then,
        format!("mean TTFT {} on revision {}, {} on revision {}", seconds(now), new.number, seconds(then), old.number),
    )
    .measured(now, SLOWER * then, "s")
    .while_fresh(sight)
}

pub(crate) fn break_elsewhere(sight: Sight<'_>) -> Answer {
    let Some(change) = recent_rollout(sight.d, sight.memory.onset) else {
        return Answer::unknown("no rollout is known to compare with");
    };
    let Some(onset) = sight.memory.onset.or(sight.d.since) else {
        return Answer::unknown("the moment at which the objective broke is not known");
    };
    let after = onset.since(change.at);
    // The picture is needed to say "before": an onset that was never seen healthy may lie earlier.
    let healthy_before = sight.d.series.iter().any(|p: &SeriesPoint| p.to <= onset && p.ttft_late == Some(0.0));
    let says =
        format!("the objective broke {} {} the rollout", span(after), if after < 0.0 { "before" } else { "after" });
    if after < 0.0 {
        return Answer::pass(says);
    }
    if !healthy_before && !sight.d.series.is_empty() {
        return Answer::unknown(format!("{says}, and nothing healthy was seen before"));
    }
    Answer::of(after > AT_ROLLOUT_S, says).measured(after, AT_ROLLOUT_S, "s")
}

pub(crate) fn diff_elsewhere(sight: Sight<'_>) -> Answer {
    let Some(newest) = sight.d.revisions.first() else {
        return Answer::unknown("revisions are not read");
    };
    let Some(suspect) = &sight.d.suspect else {
        return Answer::unknown("no mechanism is suspected, so none of its knobs is known");
    };
    if sight.d.revisions.len() < 2 {
        return Answer::unknown("there is one revision: nothing to compare its template with");
    }
    let of = |how: Touches| -> Vec<String> {
        let all = newest.changes.iter().filter(|c| touches(c, suspect.mechanism) == how);
        all.take(3).map(ToString::to_string).collect()
    };
    let (number, mechanism) = (newest.number, suspect.mechanism);
    let (knobs, anything, nothing) = (of(Touches::Knob), of(Touches::Anything), of(Touches::Nothing));
    if !knobs.is_empty() {
        return Answer::fail(format!("revision {number} changed {}, a knob of {mechanism}", knobs.join(", ")));
    }
    if !anything.is_empty() {
        return Answer::unknown(format!("revision {number} changed {}: anything may differ", anything.join(", ")));
    }
    let what = if nothing.is_empty() { "nothing of its template".to_owned() } else { nothing.join(", ") };
    Answer::pass(format!("revision {number} changed {what}, no knob of {mechanism}"))
}

pub(crate) fn rollout_complete(sight: Sight<'_>) -> Answer {
    let Some(workload) = sight.facts().and_then(|f| f.workload.as_ref()) else {
        return Answer::unknown("Kubernetes is not read");
    };
    if workload.observed_generation < workload.generation {
        return Answer::fail("the controller has not seen the change yet");
    }
    if workload.strategy == Strategy::OnDelete {
        return Answer::unknown("its pods change only when somebody deletes them");
    }
    let paused = if workload.paused { ", paused" } else { "" };
    let (desired, updated) = (workload.desired, workload.updated);
    let of = |n: u32, word: &str| format!("{n} of {desired} {word}{paused}");
    if updated < desired {
        return Answer::fail(of(updated, "replicas are of the wanted revision"));
    }
    if workload.existing > updated {
        return Answer::fail(format!("{} old replicas are still there{paused}", workload.existing - updated));
    }
    Answer::of(workload.available >= desired, of(workload.available, "replicas are available")).measured(
        f64::from(workload.available),
        f64::from(desired),
        "replicas",
    )
}

pub(crate) fn old_revision_warm(sight: Sight<'_>) -> Answer {
    let mut revisions = sight.d.revisions.iter();
    let Some(newest) = revisions.next() else { return Answer::unknown("revisions are not read") };
    match revisions.find(|r| r.ready > 0) {
        Some(warm) => Answer::pass(format!("revision {} has {} Ready replicas", warm.number, warm.ready)),
        None => Answer::fail(format!("only revision {} runs: going back loads models anew", newest.number)),
    }
}

pub(crate) fn others_drained(sight: Sight<'_>) -> Answer {
    let Some(facts) = sight.facts() else { return Answer::unknown("Kubernetes is not read") };
    let Some(wanted) = facts.workload.as_ref().and_then(|w| w.revision) else {
        return Answer::unknown("the wanted revision is not known");
    };
    let others: Vec<&str> = facts
        .pods
        .iter()
        .filter(|p| p.revision.is_some_and(|r| r != wanted) && !matches!(p.phase.as_str(), "Succeeded" | "Failed"))
        .map(|p| p.name.as_str())
        .collect();
    match others.as_slice() {
        [] => Answer::pass(format!("every pod is of revision {wanted}")),
        [first] => Answer::fail(format!("{first} is of another revision than {wanted}")),
        [first, more @ ..] => {
            Answer::fail(format!("{first} and {} more are of other revisions than {wanted}", more.len()))
        }
    }
}

/// Whether the change is known to be innocent: both revisions are as slow; or something else is the cause, and the diff
/// touches none of the mechanism's knobs, or the new revision served well before it.
pub(crate) fn innocent(sight: Sight<'_>) -> bool {
    use crate::domain::{Action, Cause, Helps};
    use crate::runbook::Outcome;
    if side_by_side(sight).is_some() {
        return revisions_alike(sight).outcome() == Outcome::Pass;
    }
    let other = sight.d.suspect.as_ref().and_then(|s| s.cause).is_some_and(|c| {
        !matches!(c, Cause::DeployRegression | Cause::NoneFound | Cause::ConfigDrift | Cause::MaxNumSeqsBound)
    });
    let acquitted = || sight.d.levers.iter().any(|l| l.action == Action::RolloutUndo && l.helps == Helps::No);
    match diff_elsewhere(sight).outcome() {
        Outcome::Pass => other,
        Outcome::CannotTell => other && acquitted(),
        Outcome::Fail => false,
    }
}

/// Whether the change is known to be the cause, and why.
pub(crate) fn guilty(sight: Sight<'_>) -> Option<String> {
    use crate::domain::Cause;
    use crate::runbook::Outcome;
    if innocent(sight) {
        return None;
    }
    if let Some(finding) = super::cause(sight.d, Cause::DeployRegression) {
        return Some(finding.summary.clone());
    }
    let (alike, diff, at) = (revisions_alike(sight), diff_elsewhere(sight), break_elsewhere(sight));
    if alike.outcome() == Outcome::Fail {
        return Some(alike.words().to_owned());
    }
    (diff.outcome() == Outcome::Fail && at.outcome() == Outcome::Fail)
        .then(|| format!("{}; {}", at.words(), diff.words()))
}

/// When the last rollout began, where one lies near.
pub(crate) fn last_rollout(sight: Sight<'_>) -> Option<(At, &str)> {
    recent_rollout(sight.d, sight.memory.onset).map(|c| (c.at, c.summary.as_str()))
}
