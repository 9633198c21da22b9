//! Scaling beside `kubectl scale`, on one real cluster.

use warroom::action::{Action, Refusal};
use warroom::domain::WorkloadKind::{self, Deployment, StatefulSet};

use crate::differing::paths;
use crate::levers::{Did, Workload, kubectl_is_here};
use crate::real::{Real, real};

struct Story {
    name: &'static str,
    kind: WorkloadKind,
    from: u32,
    history: Vec<Did>,
    to: u32,
    /// Whether we refuse what kubectl does.
    refused: Option<fn(&Refusal) -> bool>,
}

fn stories() -> Vec<Story> {
    let alike = |name, kind, from, history, to| Story { name, kind, from, history, to, refused: None };
    vec![
        alike("up", Deployment, 2, Vec::new(), 3),
        alike("down", Deployment, 3, Vec::new(), 1),
        alike("from-nothing", Deployment, 0, Vec::new(), 2),
        alike("paused", Deployment, 2, vec![Did::Kubectl("rollout pause {}")], 3),
        alike("midway", Deployment, 2, vec![Did::Broken("--a=2")], 4),
        alike("second-revision", Deployment, 2, vec![Did::Arg("--a=2")], 3),
        // No metrics come here: its autoscaler says that it scales nothing, and the number by hand stays.
        alike(
            "autoscaler-asleep",
            Deployment,
            2,
            vec![Did::Kubectl("autoscale {} --min=2 --max=5 --cpu-percent=50")],
            4,
        ),
        alike("sts-up", StatefulSet, 2, Vec::new(), 3),
        alike("sts-down", StatefulSet, 3, Vec::new(), 1),
        alike("sts-from-nothing", StatefulSet, 0, Vec::new(), 2),
        Story {
            name: "to-nothing",
            kind: Deployment,
            from: 2,
            history: Vec::new(),
            to: 0,
            refused: Some(|r| matches!(r, Refusal::ToZero)),
        },
        Story {
            name: "same",
            kind: Deployment,
            from: 2,
            history: Vec::new(),
            to: 2,
            refused: Some(|r| matches!(r, Refusal::SameNumber { replicas: 2 })),
        },
    ]
}

async fn tell(real: &Real, story: &Story) -> Vec<String> {
    let (one, other) = (format!("scale-{}-ours", story.name), format!("scale-{}-theirs", story.name));
    let (ours, theirs) = tokio::join!(
        Workload::new(real, &one, story.kind, story.from),
        Workload::new(real, &other, story.kind, story.from)
    );
    tokio::join!(ours.did(&story.history), theirs.did(&story.history));
    if story.name == "autoscaler-asleep" {
        tokio::join!(ours.until_autoscaler_tells(), theirs.until_autoscaler_tells());
    }
    let we = ours.pull(&Action::Scale { to: story.to }).await;
    let they = theirs.kubectl(&format!("scale {{}} --replicas={}", story.to));
    match (&story.refused, we, they) {
        (None, Ok(()), Ok(_)) => {
            if story.history.iter().any(|d| matches!(d, Did::Broken(_))) {
                let wanted = story.to;
                tokio::join!(ours.until_spread(wanted), theirs.until_spread(wanted));
            } else {
                tokio::join!(ours.until_settled(), theirs.until_settled());
            }
            let (one, other) = (ours.left().await, theirs.left().await);
            let differ = paths(&one, &other);
            if differ.is_empty() { Vec::new() } else { vec![format!("{}: {differ:?}: {one}\n{other}", story.name)] }
        }
        (Some(is), Err(refusal), Ok(_)) if is(&refusal) => Vec::new(),
        (_, we, they) => vec![format!("{}: we: {we:?}, kubectl: {they:?}", story.name)],
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scaling_leaves_what_kubectl_leaves() {
    let test = "scaling_leaves_what_kubectl_leaves";
    let Some(real) = real(test).filter(|_| kubectl_is_here(test)) else { return };
    let mut wrong = Vec::new();
    for story in stories() {
        wrong.extend(tell(real, &story).await);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
