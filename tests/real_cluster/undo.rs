//! Undo beside `kubectl rollout undo`: two workloads with the same history on one real cluster, and what is left of them.
//! The table in `tests/cluster/README.md` says why each difference is on purpose.

use warroom::action::{Action, Refusal, Target};
use warroom::domain::WorkloadKind::{self, Deployment, StatefulSet};

use crate::differing::paths;
use crate::levers::{Did, Workload, kubectl_is_here};
use crate::real::{Real, real};

const NAMED_CAUSE: &str = "/workload/metadata/annotations/kubernetes.io~1change-cause";

/// What comes of both.
enum Ends {
    /// The same, but for these paths, and for what a Deployment's controller copies from there to its ReplicaSets.
    Alike(&'static [&'static str]),
    /// Both refuse; kubectl says this.
    Refused(&'static str, fn(&Refusal) -> bool),
    /// kubectl does it, and we do not.
    OursRefused(fn(&Refusal) -> bool),
}

struct Story {
    name: &'static str,
    kind: WorkloadKind,
    history: Vec<Did>,
    to: Option<u64>,
    ends: Ends,
}

fn story(name: &'static str, kind: WorkloadKind, history: Vec<Did>, to: Option<u64>, ends: Ends) -> Story {
    Story { name, kind, history, to, ends }
}

/// Of a StatefulSet nothing is written but its template.
const NOTHING: Ends = Ends::Alike(&[]);
const CAUSE_ONLY: Ends = Ends::Alike(&[NAMED_CAUSE]);

fn deployments() -> Vec<Story> {
    use Did::{Annotated, Arg, Broken, Kubectl, Pruned, Unknown};
    let of = |name, history, to, ends| story(name, Deployment, history, to, ends);
    let many = || vec![Arg("--a=2"), Arg("--a=3"), Arg("--a=4")];
    vec![
        of("two", vec![Arg("--a=2")], None, CAUSE_ONLY),
        of("many", many(), None, CAUSE_ONLY),
        of("chosen", many(), Some(1), CAUSE_ONLY),
        of("gaps", vec![Arg("--a=2"), Arg("--a=3"), Pruned(2)], None, CAUSE_ONLY),
        of("midway", vec![Arg("--a=2"), Broken("--a=3")], None, CAUSE_ONLY),
        of("template-annotation", vec![Annotated("note", "a"), Arg("--a=2")], None, CAUSE_ONLY),
        of("restarted", vec![Annotated("kubectl.kubernetes.io/restartedAt", "2026-11-25T03:14:07Z")], None, CAUSE_ONLY),
        of(
            "unknown-field",
            vec![Unknown, Annotated("note", "a")],
            None,
            // The field stays with us, and the ReplicaSet that has it serves again; kubectl makes a third one without.
            Ends::Alike(&[NAMED_CAUSE, "/workload/spec/template/spec/hostnameOverride", "revisions"]),
        ),
        of(
            "argo",
            vec![
                Arg("--a=2"),
                Kubectl("annotate {} argocd.argoproj.io/tracking-id=llm:apps/Deployment:llm/engine"),
                Kubectl("label {} app.kubernetes.io/instance=llm"),
                Kubectl("annotate {} ticket=INC-1"),
            ],
            None,
            Ends::Alike(&[
                "/workload/metadata/annotations/argocd.argoproj.io~1tracking-id",
                NAMED_CAUSE,
                "/workload/metadata/annotations/ticket",
            ]),
        ),
        of(
            "earlier-cause",
            vec![
                Kubectl("annotate {} kubernetes.io/change-cause=first"),
                Arg("--a=2"),
                Kubectl("annotate {} kubernetes.io/change-cause=second --overwrite"),
            ],
            None,
            CAUSE_ONLY,
        ),
        of(
            "pruned",
            vec![Arg("--a=2"), Arg("--a=3"), Pruned(1)],
            Some(1),
            Ends::Refused("unable to find specified revision 1 in history", |r| {
                matches!(r, Refusal::NoSuchRevision { revision: 1, .. })
            }),
        ),
        of(
            "paused",
            vec![Arg("--a=2"), Kubectl("rollout pause {}")],
            None,
            Ends::Refused("you cannot rollback a paused deployment", |r| matches!(r, Refusal::Paused)),
        ),
        of(
            "alone",
            Vec::new(),
            None,
            Ends::Refused("no rollout history found for deployment", |r| matches!(r, Refusal::NoHistory)),
        ),
        of("same", vec![Arg("--a=2")], Some(2), Ends::OursRefused(|r| matches!(r, Refusal::Same { revision: 2 }))),
        of(
            "again",
            vec![Arg("--a=2"), Kubectl("rollout undo {}")],
            None,
            Ends::OursRefused(|r| matches!(r, Refusal::AlreadyUndone { current: 3, replaced: 2, .. })),
        ),
        of("again-chosen", vec![Arg("--a=2"), Kubectl("rollout undo {}")], Some(2), CAUSE_ONLY),
    ]
}

fn stateful_sets() -> Vec<Story> {
    use Did::{Annotated, Arg, Broken, Kubectl, Pruned, Unknown};
    let of = |name, history, to, ends| story(name, StatefulSet, history, to, ends);
    let many = || vec![Arg("--a=2"), Arg("--a=3"), Arg("--a=4")];
    vec![
        of("sts-two", vec![Arg("--a=2")], None, NOTHING),
        of("sts-many", many(), None, NOTHING),
        of("sts-chosen", many(), Some(1), NOTHING),
        of("sts-gaps", vec![Arg("--a=2"), Arg("--a=3"), Pruned(2)], None, NOTHING),
        of("sts-template-annotation", vec![Annotated("note", "a"), Arg("--a=2")], None, NOTHING),
        of(
            "sts-restarted",
            vec![Annotated("kubectl.kubernetes.io/restartedAt", "2026-11-25T03:14:07Z")],
            None,
            NOTHING,
        ),
        of("sts-unknown-field", vec![Unknown, Annotated("note", "a")], None, NOTHING),
        of("sts-annotated", vec![Arg("--a=2"), Kubectl("annotate {} ticket=INC-1")], None, NOTHING),
        of("sts-midway", vec![Arg("--a=2"), Broken("--a=3")], None, NOTHING),
        of(
            "sts-pruned",
            vec![Arg("--a=2"), Arg("--a=3"), Pruned(1)],
            Some(1),
            Ends::Refused("unable to find specified revision 1 in history", |r| {
                matches!(r, Refusal::NoSuchRevision { revision: 1, .. })
            }),
        ),
        of(
            "sts-alone",
            Vec::new(),
            None,
            Ends::Refused("no last revision to roll back to", |r| matches!(r, Refusal::NoHistory)),
        ),
        of("sts-same", vec![Arg("--a=2")], Some(2), Ends::OursRefused(|r| matches!(r, Refusal::Same { revision: 2 }))),
        of(
            "sts-again",
            vec![Arg("--a=2"), Kubectl("rollout undo {}")],
            None,
            Ends::OursRefused(|r| matches!(r, Refusal::AlreadyUndone { .. })),
        ),
    ]
}

/// Whether a path is an annotation of a revision, of which the workload's own is among `but`.
fn copied(path: &str, but: &[&str]) -> bool {
    let annotation = path.split_once("/metadata/annotations/").filter(|(at, _)| at.starts_with("/revisions/"));
    annotation.is_some_and(|(_, key)| but.contains(&format!("/workload/metadata/annotations/{key}").as_str()))
}

/// Tells a story, and says what came otherwise.
async fn tell(real: &Real, story: &Story) -> Vec<String> {
    let (one, other) = (format!("undo-{}-ours", story.name), format!("undo-{}-theirs", story.name));
    let (ours, theirs) =
        tokio::join!(Workload::new(real, &one, story.kind, 2), Workload::new(real, &other, story.kind, 2));
    tokio::join!(ours.did(&story.history), theirs.did(&story.history));
    let before = paths(&ours.left().await, &theirs.left().await);
    if !before.is_empty() {
        return vec![format!("{}: they differ before: {before:?}", story.name)];
    }
    let to = story.to.map(|revision| Target { revision, uid: None });
    let we = ours.pull(&Action::RolloutUndo { to }).await;
    let words = story.to.map_or(String::new(), |to| format!(" --to-revision={to}"));
    let they = theirs.kubectl(&format!("rollout undo {{}}{words}"));
    let wrong = |what: String| vec![format!("{}: {what}", story.name)];
    match (&story.ends, we, they) {
        (Ends::Alike(but), Ok(()), Ok(_)) => {
            let stuck = story.kind == StatefulSet && story.history.iter().any(|d| matches!(d, Did::Broken(_)));
            if stuck {
                // A StatefulSet waits for the pod that never becomes Ready, whoever undoes it.
                tokio::join!(ours.until_observed(), theirs.until_observed());
            } else {
                tokio::join!(ours.until_settled(), theirs.until_settled());
            }
            let (one, other) = (ours.left().await, theirs.left().await);
            let differ: Vec<String> = paths(&one, &other)
                .into_iter()
                // A Deployment's controller copies its annotations to the ReplicaSet.
                .filter(|p| !copied(p, but))
                .filter(|p| !(but.contains(&"revisions") && p.starts_with("/revisions")))
                .collect();
            let but: Vec<&str> = but.iter().filter(|p| **p != "revisions").copied().collect();
            if differ == but {
                Vec::new()
            } else {
                wrong(format!("they differ at {differ:?} instead of {but:?}: {one}\n{other}"))
            }
        }
        (Ends::Refused(says, is), Err(refusal), Err(said)) => {
            if said.contains(says) && is(&refusal) {
                Vec::new()
            } else {
                wrong(format!("{refusal:?}, kubectl: {said}"))
            }
        }
        (Ends::OursRefused(is), Err(refusal), Ok(_)) => {
            if is(&refusal) {
                Vec::new()
            } else {
                wrong(format!("{refusal:?}"))
            }
        }
        (_, we, they) => wrong(format!("we: {we:?}, kubectl: {they:?}")),
    }
}

async fn tell_all(real: &Real, stories: &[Story]) {
    let mut wrong = Vec::new();
    for story in stories {
        wrong.extend(tell(real, story).await);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn undoing_a_deployment_leaves_what_kubectl_leaves_but_for_what_is_on_purpose() {
    let test = "undoing_a_deployment_leaves_what_kubectl_leaves_but_for_what_is_on_purpose";
    if let Some(real) = real(test).filter(|_| kubectl_is_here(test)) {
        tell_all(real, &deployments()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn undoing_a_stateful_set_leaves_what_kubectl_leaves_but_for_what_is_on_purpose() {
    let test = "undoing_a_stateful_set_leaves_what_kubectl_leaves_but_for_what_is_on_purpose";
    if let Some(real) = real(test).filter(|_| kubectl_is_here(test)) {
        tell_all(real, &stateful_sets()).await;
    }
}
