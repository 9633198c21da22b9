//! How each pod started, step by step, each with how finely it is known, and how long starts of this workload take.
//!
//! Kubernetes dates to the second, and its events may be missing or counted together; the kubelet says how long a pull took
//! to the millisecond. When the engine first answered is known only where we had asked in vain before: between the two
//! lies the answer.

use super::cluster::Cluster;
use super::facts::Facts;
use super::outcome::{StartRow, StartStep, Starts, Step, Times};
use super::span::median;
use crate::domain::{At, Endpoint, Failure, Outcome, Pod};

/// What Kubernetes' moments are exact to (s).
pub(super) const SECOND: f64 = 1.0;

/// From so many starts on a 90th percentile is one; of fewer the longest is told.
const FOR_P90: usize = 10;

/// When an engine first answered: not yet at `silent`, and at `page`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct FirstAnswer {
    pub(super) silent: At,
    pub(super) page: At,
}

/// The first answer of the process that started then; nothing where nobody had asked in vain before.
pub(super) fn first_answer(endpoint: &Endpoint, started: At) -> Option<FirstAnswer> {
    let mut silent = None;
    for attempt in endpoint.attempts.iter().filter(|a| a.at >= started) {
        match &attempt.outcome {
            outcome if is_loading(outcome) => silent = Some(attempt.at),
            Outcome::Page => return silent.map(|silent| FirstAnswer { silent, page: attempt.at }),
            _ => {}
        }
    }
    None
}

/// Whether it says that the engine does not serve yet: nobody listens, or it says so itself.
fn is_loading(outcome: &Outcome) -> bool {
    outcome.is_absence() || matches!(outcome, Outcome::Failed(Failure::Status { loading: true, .. }))
}

/// The clocks of all pods, newest first, and what is usual.
pub(super) fn starts(facts: &Facts<'_>) -> Starts {
    let Some(cluster) = &facts.cluster else { return Starts::default() };
    let mut rows: Vec<StartRow> =
        cluster.facts.pods.iter().filter(|p| p.deleting.is_none()).map(|p| row(facts, p)).collect();
    rows.reverse();
    let lasted = |step: Step| {
        let of = rows.iter().flat_map(|r| &r.steps).filter(|s| s.step == step && !s.running);
        Times::of(of.map(|s| s.seconds).collect())
    };
    let workload = cluster.facts.workload.as_ref();
    Starts {
        load: lasted(Step::Load),
        ready: lasted(Step::Ready),
        whole: Times::of(cluster.facts.pods.iter().filter_map(Pod::load_s).collect()),
        deadline: workload.and_then(crate::domain::Workload::progress_deadline),
        rows,
    }
}

fn row(facts: &Facts<'_>, pod: &Pod) -> StartRow {
    let endpoint = facts.engine_endpoints.iter().find(|e| super::cluster::pod_name(e) == pod.name);
    // Who came when it had long been Ready may see an engine that does not answer any more, and no start.
    let seen = |e: &&&Endpoint| {
        let first = e.attempts.iter().map(|a| a.at).find(|at| pod.started.is_some_and(|started| *at >= started));
        first.is_some_and(|first| pod.ready_since.is_none_or(|ready| !pod.ready || first <= ready))
    };
    let answer = endpoint.filter(seen).and_then(|e| first_answer(e, pod.started?));
    StartRow {
        pod: pod.name.clone(),
        revision: pod.revision,
        restarts: pod.restarts,
        steps: steps(pod, answer, facts.now),
    }
}

fn steps(pod: &Pod, answer: Option<FirstAnswer>, now: At) -> Vec<StartStep> {
    let mut steps = Vec::new();
    let mut push = |step, seconds: f64, resolution_s, running, source| {
        steps.push(StartStep { step, seconds, resolution_s, running, source });
    };
    let between = |from: At, to: At| to.since(from).max(0.0);
    let unfinished = pod.start().is_some();
    if let Some(created) = pod.created {
        match pod.scheduled {
            Some(scheduled) => {
                push(Step::Schedule, between(created, scheduled), SECOND, false, "condition PodScheduled");
            }
            None if unfinished => push(Step::Schedule, between(created, now), SECOND, true, "condition PodScheduled"),
            None => {}
        }
    }
    if let Some(began) = pod.init_began {
        let source = "init containers, condition Initialized";
        match pod.initialized.filter(|done| *done >= began) {
            Some(done) => push(Step::Init, between(began, done), SECOND, false, source),
            None if unfinished => push(Step::Init, between(began, now), SECOND, true, source),
            None => {}
        }
    }
    if let Some(pull) = pod.pull {
        match (pull.took_s, pull.from, pull.to) {
            (Some(took), ..) => push(Step::Pull, took, 0.001, false, "event Pulled"),
            (None, Some(from), Some(to)) => {
                push(Step::Pull, between(from, to), SECOND, false, "events Pulling, Pulled");
            }
            (None, Some(from), None) if unfinished && pod.started.is_none() => {
                push(Step::Pull, between(from, now), SECOND, true, "event Pulling");
            }
            _ if pull.cached => push(Step::Pull, 0.0, SECOND, false, "event Pulled: it was on the node"),
            _ => {}
        }
    }
    let Some(started) = pod.started else { return steps };
    // A restart keeps the pod's Ready from before: only what follows the last start belongs to it.
    let ready = pod.ready_since.filter(|ready| pod.ready && *ready >= started);
    match (answer, ready) {
        (Some(answer), ready) => {
            let resolution = SECOND + answer.page.since(answer.silent);
            push(Step::Load, between(started, answer.page), resolution, false, "container started, first page read");
            match ready {
                Some(ready) => push(Step::Ready, ready.since(answer.page), resolution, false, "condition Ready"),
                None if unfinished => push(Step::Ready, between(answer.page, now), resolution, true, "condition Ready"),
                None => {}
            }
        }
        (None, Some(ready)) => push(Step::LoadToReady, between(started, ready), SECOND, false, "condition Ready"),
        (None, None) if unfinished => push(Step::Load, between(started, now), SECOND, true, "container started"),
        (None, None) => {}
    }
    steps
}

impl Times {
    /// Of how long each of them took (s); nothing of none.
    fn of(mut seconds: Vec<f64>) -> Option<Self> {
        seconds.sort_by(f64::total_cmp);
        let count = seconds.len();
        let (min, max) = (*seconds.first()?, *seconds.last()?);
        // The smallest one that at least nine in ten do not exceed.
        let p90 = (count >= FOR_P90).then(|| seconds[(9 * count).div_ceil(10) - 1]);
        Some(Self { count, median: median(&mut seconds)?, p90, min, max })
    }
}

/// Pods that were Ready before their engine answered, by how long (s) at least, as far as that is proven.
pub(super) fn too_early<'a>(facts: &Facts<'a>, cluster: &Cluster<'a>) -> Vec<(&'a Pod, f64)> {
    let early = |endpoint: &&Endpoint| {
        let pod = cluster.pod(endpoint)?;
        let (started, ready) = (pod.started?, pod.ready_since.filter(|ready| pod.ready && *ready >= facts.from)?);
        let early = first_answer(endpoint, started)?.silent.since(ready);
        (early > SECOND).then_some((pod, early))
    };
    let mut early: Vec<_> = facts.engine_endpoints.iter().filter(|e| !e.gone).filter_map(early).collect();
    early.sort_by(|a, b| b.1.total_cmp(&a.1));
    early
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_needs_starts_and_of_few_the_longest_is_told() {
        let few = Times::of(vec![30.0, 10.0, 20.0]).expect("three");
        assert_eq!((few.count, few.median, few.p90, few.min, few.max), (3, 20.0, None, 10.0, 30.0));
        let many = Times::of((1..=20).map(f64::from).collect()).expect("twenty");
        assert_eq!((many.median, many.p90), (10.5, Some(18.0)));
        assert_eq!(Times::of(Vec::new()), None);
    }
}
