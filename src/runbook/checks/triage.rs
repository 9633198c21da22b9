//! Is it real, how far does it go, what changed.

use crate::diagnosis::{Metric, number, seconds};
use crate::domain::{Cause, RowStatus, SourceState};
use crate::runbook::check::Answer;
use crate::runbook::checks::cause;
use crate::runbook::memory::{LONG_S, SHORT_S, burn_over};
use crate::runbook::sight::Sight;

/// The share of requests that may end with an error without being a matter of its own.
const ERRORS: f64 = 0.01;

pub(crate) fn counted_not_averaged(sight: Sight<'_>) -> Answer {
    match sight.counted().next() {
        Some(row) => Answer::pass(format!(
            "{} {} were counted in {}",
            number(row.count.unwrap_or(0.0)),
            if row.metric == Metric::Ttft { "first tokens" } else { "tokens" },
            row.series.as_deref().unwrap_or("buckets")
        ))
        .aged(sight.engine_age()),
        None => Answer::fail("no objective was judged on counted events"),
    }
}

pub(crate) fn objective_broken(sight: Sight<'_>) -> Answer {
    let Some(worst) = sight.counted().max_by(|a, b| share(a).total_cmp(&share(b))) else {
        return Answer::unknown("no events were counted");
    };
    let broken: Vec<&str> =
        sight.counted().filter(|s| s.status == RowStatus::Breach).map(|s| s.metric.title()).collect();
    let late = format!(
        "{} of {} are over {}",
        number(worst.bad.unwrap_or(0.0)),
        number(worst.count.unwrap_or(0.0)),
        seconds(worst.target.seconds)
    );
    let says = match broken.as_slice() {
        [] => format!("{}: {late}, within the budget", worst.metric.title()),
        names => format!("{} broken; {}: {late}", names.join(" and "), worst.metric.title()),
    };
    Answer::of(!broken.is_empty(), says).measured(share(worst), worst.target.budget(), "ratio").aged(sight.engine_age())
}

fn share(row: &crate::diagnosis::SloRow) -> f64 {
    row.bad_share().unwrap_or(0.0)
}

pub(crate) fn both_windows(sight: Sight<'_>) -> Answer {
    let mut said = Vec::new();
    for row in sight.counted() {
        let burn = |seconds| burn_over(&row.windows, seconds).and_then(|w| w.burn).map_or("?".to_owned(), number);
        said.push(format!("{} 5m {} 1h {}", row.metric.title(), burn(SHORT_S), burn(LONG_S)));
    }
    let burns = said.join(", ");
    if sight.counted().any(|s| s.paging == Some(true)) {
        return Answer::pass(format!("both windows of a paging tier burn: {burns}")).aged(sight.engine_age());
    }
    if said.is_empty() {
        return Answer::unknown("no burn rate: no events were counted");
    }
    if sight.counted().all(|s| s.paging == Some(false)) {
        return Answer::fail(format!("not both windows burn: {burns}")).aged(sight.engine_age());
    }
    Answer::unknown(format!("not observed for long enough: {burns}")).aged(sight.engine_age())
}

pub(crate) fn all_sources_read(sight: Sight<'_>) -> Answer {
    let read = || sight.d.sources.iter().filter(|s| !s.beside);
    let out: Vec<String> =
        read().filter(|s| s.state != SourceState::Live).map(|s| format!("{} {}", s.name, s.state)).collect();
    let oldest = read().filter_map(|s| s.age_s).reduce(f64::max);
    match out.as_slice() {
        [] => Answer::pass(format!("{} sources are live", read().count())),
        [first] => Answer::fail(first.clone()),
        [first, more @ ..] => Answer::fail(format!("{first}, and {} more are not live", more.len())),
    }
    .aged(oldest)
}

pub(crate) fn traffic_steady(sight: Sight<'_>) -> Answer {
    // Without a baseline there is no "as before".
    if sight.d.ttft_mean.1.is_none() {
        return Answer::unknown("there is no before to compare with");
    }
    for code in [Cause::TrafficSurge, Cause::PromptLengthShift] {
        if let Some(finding) = cause(sight.d, code) {
            return Answer::fail(finding.summary.clone()).aged(sight.engine_age());
        }
    }
    Answer::pass("arrivals and prompts are about as before").aged(sight.engine_age())
}

pub(crate) fn alert_agrees(sight: Sight<'_>) -> Answer {
    match sight.alert() {
        None => Answer::unknown("no Prometheus was asked"),
        Some(alert) => {
            let word = if alert.firing { "fires" } else { "does not fire" };
            Answer::of(alert.firing, format!("alert {} {word}", alert.name)).aged(Some(sight.d.at.since(alert.at)))
        }
    }
}

pub(crate) fn probe_agrees(sight: Sight<'_>) -> Answer {
    let Some((probe, age)) = sight.probe() else { return Answer::unknown("the probe is off") };
    let age = Some(age);
    let Some(target) = sight.rows(Metric::Ttft).map(|r| r.target.seconds).next() else {
        return Answer::unknown("there is no target to compare with").aged(age);
    };
    match &probe.answer {
        Err(failure) => Answer::pass(format!("the probe got no answer: {failure}")).aged(age),
        Ok(answer) => {
            Answer::of(answer.ttft_s > target, format!("the probe's first token took {}", seconds(answer.ttft_s)))
                .measured(answer.ttft_s, target, "s")
                .aged(age)
        }
    }
}

pub(crate) fn scope_whole(sight: Sight<'_>) -> Answer {
    if let Some(outlier) = cause(sight.d, Cause::ReplicaOutlier) {
        return Answer::fail(outlier.summary.clone()).aged(sight.engine_age());
    }
    let means = || sight.d.replicas.iter().filter(|r| !r.gone).filter_map(|r| r.ttft_mean.map(|m| (m, &r.name)));
    let (Some(worst), Some(best)) =
        (means().max_by(|a, b| a.0.total_cmp(&b.0)), means().min_by(|a, b| a.0.total_cmp(&b.0)))
    else {
        return Answer::unknown("no replica gave first tokens");
    };
    let models = sight.d.slo.iter().filter_map(|s| s.model.as_deref()).collect::<std::collections::BTreeSet<_>>().len();
    let of = format!("{} of {} replicas answer", sight.d.scope.answering, sight.d.scope.endpoints);
    let model = if models > 1 { format!(", {models} models") } else { String::new() };
    if means().count() < 2 {
        return Answer::unknown(format!("{of}{model}: one replica has no peer to be compared with"))
            .aged(sight.engine_age());
    }
    Answer::pass(format!("{of}{model}; mean TTFT from {} to {} ({})", seconds(best.0), seconds(worst.0), worst.1))
        .aged(sight.engine_age())
}

pub(crate) fn errors_low(sight: Sight<'_>) -> Answer {
    let requests = sight.d.requests;
    let Some(errors) = requests.errors else { return Answer::unknown("no source counts errors") };
    let all = requests.finished.unwrap_or(0.0) + errors;
    if all <= 0.0 {
        return Answer::unknown("nothing finished in the window");
    }
    Answer::of(errors / all < ERRORS, format!("{} of {} requests ended with an error", number(errors), number(all)))
        .measured(errors / all, ERRORS, "ratio")
        .while_fresh(sight)
}
