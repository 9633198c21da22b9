//! Replicas that are wanted and those that answer, and what lies below them.

use crate::diagnosis::{ReplicaRow, Truth};
use crate::domain::{Mechanism, StartPhase};
use crate::runbook::check::Answer;
use crate::runbook::checks::{mechanism, span};
use crate::runbook::sight::Sight;

const NOT_ASKED: &str = "Kubernetes is not read";

pub(crate) fn capacity_ready(sight: Sight<'_>) -> Answer {
    let watched = sight.d.sources.iter().any(|s| s.via == Some("watch") && s.state == crate::domain::SourceState::Live);
    match (sight.d.scope.desired, sight.d.scope.ready) {
        (Some(desired), Some(ready)) if watched => Answer::of(
            ready >= desired,
            format!("{ready} of {desired} replicas are Ready"),
        )
        .measured(f64::from(ready), f64::from(desired), "replicas"),
        _ => Answer::unknown(NOT_ASKED),
    }
}

/// Replicas whose start stands at one of these phases, in words.
fn starting(sight: Sight<'_>, at: &[StartPhase]) -> Vec<String> {
    let clock = |r: &ReplicaRow| {
        let (phase, since) = r.start?;
        let verb = match phase {
            StartPhase::Schedule => "waits for a node",
            StartPhase::Pull => "pulls its image",
            StartPhase::Init => "runs its init containers",
            StartPhase::Load => "loads its model",
        };
        let so_far = since.map_or(String::new(), |s| format!(" for {}", span(sight.d.at.since(s))));
        let usual = r.usual_load.filter(|_| phase == StartPhase::Load).map_or(String::new(), |(s, n)| {
            let left = since.map(|since| s - sight.d.at.since(since));
            let eta = match left {
                Some(left) if left > 0.0 => format!(", about {} left", span(left)),
                Some(_) => ", overdue".to_owned(),
                None => String::new(),
            };
            format!(" of about {} (from {n} starts){eta}", span(s))
        });
        at.contains(&phase).then(|| format!("{} {verb}{so_far}{usual}", r.name))
    };
    sight.d.replicas.iter().filter(|r| !r.gone).filter_map(clock).collect()
}

fn none_at(sight: Sight<'_>, phases: &[StartPhase], fine: &str) -> Answer {
    if sight.facts().is_none() && sight.d.replicas.iter().all(|r| r.ready.is_none()) {
        return Answer::unknown(NOT_ASKED);
    }
    match starting(sight, phases).as_slice() {
        [] => Answer::pass(fine),
        some => Answer::fail(some.join("; ")),
    }
}

pub(crate) fn pods_scheduled(sight: Sight<'_>) -> Answer {
    let unschedulable = sight.facts().and_then(|f| {
        f.pods.iter().filter(|p| p.deleting.is_none()).find_map(|p| Some((p.name.as_str(), p.unschedulable.as_ref()?)))
    });
    match unschedulable {
        Some((pod, why)) => Answer::fail(format!("no node takes {pod}: {why}")),
        None => none_at(sight, &[StartPhase::Schedule], "every pod has a node"),
    }
}

pub(crate) fn images_pulled(sight: Sight<'_>) -> Answer {
    none_at(sight, &[StartPhase::Pull, StartPhase::Init], "no pod waits for an image or an init container")
}

pub(crate) fn models_loaded(sight: Sight<'_>) -> Answer {
    none_at(sight, &[StartPhase::Load], "no pod is loading its model")
}

pub(crate) fn readiness_is_the_models(sight: Sight<'_>) -> Answer {
    match mechanism(sight.d, Mechanism::NotReadyButReady) {
        Some(finding) => Answer::fail(finding.summary.clone()),
        None => match sight.silent().next() {
            Some(pod) => Answer::fail(format!("{pod} is Ready and its metrics page does not answer")),
            None if sight.d.replicas.iter().any(|r| r.ready == Some(true) && r.count.is_some_and(|n| n > 0.0)) => {
                Answer::unknown("every Ready replica answers now; whether the probe asks the model is not read")
            }
            None => Answer::unknown("what the readiness probe asks is not read"),
        },
    }
}

pub(crate) fn gpus_healthy(sight: Sight<'_>) -> Answer {
    let gpus = &sight.d.gpus;
    let name = |g: &crate::diagnosis::GpuRow| {
        let node = g.id.node.as_deref().unwrap_or("a node");
        let index = g.id.index.map_or(String::new(), |i| format!(" GPU {i}"));
        let pod = g.pod.as_ref().map_or(String::new(), |p| format!(" of {p}"));
        format!("{node}{index}{pod}")
    };
    let oldest = gpus.iter().map(|g| sight.d.at.since(g.at)).reduce(f64::max);
    let troubled: Vec<String> =
        gpus.iter().filter(|g| g.troubled).map(|g| format!("{}: {} ({})", name(g), g.note, g.truth)).collect();
    if !troubled.is_empty() {
        return Answer::fail(troubled.join("; ")).aged(oldest);
    }
    // What is not proven is not passed.
    let confirmed = gpus.iter().filter(|g| g.truth == Truth::Confirmed).count();
    if gpus.is_empty() {
        return Answer::unknown("no GPU is read");
    }
    let says = format!("{confirmed} of {} GPUs are proven well", gpus.len());
    let all = confirmed == gpus.len() && oldest.is_some_and(|age| !sight.is_old(age));
    if all { Answer::pass(says) } else { Answer::unknown(says) }.aged(oldest)
}

pub(crate) fn node_ruled_out(sight: Sight<'_>) -> Answer {
    let own: Vec<&str> = sight.d.replicas.iter().filter_map(|r| r.node.as_deref()).collect();
    let troubled = sight.facts().and_then(|f| {
        f.nodes.iter().flatten().filter(|n| own.contains(&n.name.as_str())).find_map(|n| {
            let trouble = n.troubles.first().map(|c| format!("{} {}", c.kind, c.reason));
            let not_ready = (n.ready == Some(false)).then(|| "not Ready".to_owned());
            not_ready.or(trouble).map(|why| format!("node {}: {why}", n.name))
        })
    });
    match troubled {
        Some(why) => Answer::fail(why),
        None => gpus_healthy(sight),
    }
}
