//! A Deployment's or StatefulSet's declaration and status, and its revisions.

use serde_json::Value;

use super::given::{Maps, filled};
use super::json::{
    NAME, annotation, conditions, controller, count, label, list, name, number, scalar, text, time, uid, word,
};
use super::template::template;
use crate::domain::{At, Pod, Revision, Strategy, Template, Workload, WorkloadKind};

/// Where a Deployment and its ReplicaSets carry their number.
const REVISION: &str = "deployment.kubernetes.io/revision";
const WAS: &str = "deployment.kubernetes.io/revision-history";
/// Numbers that one revision had: nobody goes back and forth more often.
const MOST_NUMBERS: usize = 32;
const CHANGE_CAUSE: &str = "kubernetes.io/change-cause";

/// A workload as its controller sees it. `revisions` are its `ControllerRevision`s where it is a StatefulSet.
pub(super) fn workload(kind: WorkloadKind, object: &Value, revisions: &[Revision], maps: &Maps) -> Workload {
    let (spec, status) = (&object["spec"], &object["status"]);
    let revision = match kind {
        WorkloadKind::Deployment => annotation(object, REVISION).and_then(|n| n.parse().ok()),
        WorkloadKind::StatefulSet => {
            let wanted = text(&status["updateRevision"], NAME);
            revisions.iter().find(|r| r.name == wanted).map(|r| r.number)
        }
    };
    let owner = controller(object).map(|o| format!("{}/{}", text(&o["kind"], NAME), text(&o["name"], NAME)));
    Workload {
        uid: text(&object["metadata"]["uid"], NAME),
        created: time(&object["metadata"]["creationTimestamp"]),
        generation: object["metadata"]["generation"].as_i64().unwrap_or(0),
        observed_generation: status["observedGeneration"].as_i64().unwrap_or(0),
        // Kubernetes' own default.
        desired: number(&spec["replicas"]).unwrap_or(1),
        existing: count(&status["replicas"]),
        updated: count(&status["updatedReplicas"]),
        ready: count(&status["readyReplicas"]),
        available: count(&status["availableReplicas"]),
        paused: spec["paused"] == true,
        revision,
        template: given(&spec["template"], maps),
        strategy: strategy(kind, spec),
        progress_deadline_s: number(&spec["progressDeadlineSeconds"]),
        conditions: conditions(status),
        owner,
        managers: managers(object),
        raw_template: spec["template"].clone().into(),
        annotated: object["metadata"]["annotations"].is_object(),
        min_ready_s: count(&spec["minReadySeconds"]),
        scaled_by: writer(object, "f:replicas"),
        template_by: writer(object, "f:template"),
        partition: count(&spec["updateStrategy"]["rollingUpdate"]["partition"]),
        ordered: kind == WorkloadKind::StatefulSet && spec["podManagementPolicy"] != "Parallel",
    }
}

/// A template with what `ConfigMaps` give it.
fn given(object: &Value, maps: &Maps) -> Template {
    let (filled, unknown) = filled(object, maps);
    Template { unknown, ..template(&filled) }
}

/// Who wrote a field of the declaration last, and when. A manager that wrote it once stands there for as long as nobody
/// else does.
fn writer(object: &Value, field: &str) -> Option<(String, At)> {
    last_writer(object, |fields| !fields["f:spec"][field].is_null())
}

/// Who wrote the fields that are asked for last, and when, by `managedFields`.
pub(super) fn last_writer(object: &Value, asked: impl Fn(&Value) -> bool) -> Option<(String, At)> {
    let wrote = |entry: &&Value| entry["subresource"] != "status" && asked(&entry["fieldsV1"]);
    let entries = list(&object["metadata"]["managedFields"]).filter(wrote);
    let dated = entries.filter_map(|entry| Some((text(&entry["manager"], NAME), time(&entry["time"])?)));
    dated.filter(|(who, _)| !who.is_empty()).max_by_key(|(_, at)| *at)
}

fn strategy(kind: WorkloadKind, spec: &Value) -> Strategy {
    let (field, surge, unavailable) = match kind {
        WorkloadKind::Deployment => (&spec["strategy"], "25%", "25%"),
        // It replaces one pod after the other, in place.
        WorkloadKind::StatefulSet => (&spec["updateStrategy"], "0", "1"),
    };
    let or = |value: &Value, default: &str| scalar(value).unwrap_or_else(|| default.to_owned());
    match field["type"].as_str() {
        Some("Recreate") => Strategy::Recreate,
        Some("OnDelete") => Strategy::OnDelete,
        Some("RollingUpdate") => Strategy::Rolling {
            max_surge: or(&field["rollingUpdate"]["maxSurge"], surge),
            max_unavailable: or(&field["rollingUpdate"]["maxUnavailable"], unavailable),
        },
        _ => Strategy::Unknown,
    }
}

/// Who else writes to the object. The tracking id of Argo CD counts only where it names this very object: it is copied
/// to whatever is made from it.
pub(super) fn managers(object: &Value) -> Vec<&'static str> {
    let itself = format!(":{}/{}", object["metadata"]["namespace"].as_str().unwrap_or_default(), name(object));
    let tracked = annotation(object, "argocd.argoproj.io/tracking-id").is_some_and(|id| id.ends_with(&itself));
    let helm = label(object, "app.kubernetes.io/managed-by") == Some("Helm")
        || annotation(object, "meta.helm.sh/release-name").is_some();
    let flux = ["kustomize.toolkit.fluxcd.io/name", "helm.toolkit.fluxcd.io/name"];
    [
        (helm, "Helm"),
        (tracked || label(object, "argocd.argoproj.io/instance").is_some(), "Argo CD"),
        (flux.iter().any(|key| label(object, key).is_some()), "Flux"),
    ]
    .into_iter()
    .filter_map(|(is, who)| is.then_some(who))
    .collect()
}

/// Whether `object` controls `other`.
pub(super) fn controls(object: &Value, other: &Value) -> bool {
    let owner = uid(object);
    !owner.is_empty() && controller(other).is_some_and(|o| o["uid"] == owner)
}

/// Numbers as the deployment controller lists them: "41,43".
fn numbers(list: &str) -> Vec<u64> {
    let mut numbers: Vec<u64> =
        list.split(',').rev().take(MOST_NUMBERS).filter_map(|n| n.trim().parse().ok()).collect();
    numbers.sort_unstable();
    numbers
}

/// A ReplicaSet as a revision of its Deployment.
pub(super) fn replica_set(object: &Value, maps: &Maps) -> Revision {
    Revision {
        number: annotation(object, REVISION).and_then(|n| n.parse().ok()).unwrap_or(0),
        was: annotation(object, WAS).map_or(Vec::new(), numbers),
        name: name(object),
        uid: text(&object["metadata"]["uid"], NAME),
        hash: label(object, "pod-template-hash").map(|h| crate::text::clean(h, NAME)),
        created: time(&object["metadata"]["creationTimestamp"]),
        desired: number(&object["spec"]["replicas"]).unwrap_or(1),
        ready: count(&object["status"]["readyReplicas"]),
        template: given(&object["spec"]["template"], maps),
        change_cause: word(&object["metadata"]["annotations"][CHANGE_CAUSE], NAME),
        raw_template: object["spec"]["template"].clone().into(),
    }
}

/// A ControllerRevision as a revision of its StatefulSet. How many pods it has is counted from them: see [`count_pods`].
pub(super) fn controller_revision(object: &Value, maps: &Maps) -> Revision {
    Revision {
        number: object["revision"].as_u64().unwrap_or(0),
        was: Vec::new(),
        name: name(object),
        uid: text(&object["metadata"]["uid"], NAME),
        // Pods carry its whole name under `controller-revision-hash`.
        hash: Some(name(object)),
        created: time(&object["metadata"]["creationTimestamp"]),
        desired: 0,
        ready: 0,
        template: given(&object["data"]["spec"]["template"], maps),
        change_cause: word(&object["metadata"]["annotations"][CHANGE_CAUSE], NAME),
        raw_template: object["data"]["spec"]["template"].clone().into(),
    }
}

/// Counts a StatefulSet's pods by revision: nothing else says how many there are of each.
pub(super) fn count_pods(revisions: &mut [Revision], pods: &[Pod]) {
    for revision in revisions {
        let own = || pods.iter().filter(|p| p.revision == Some(revision.number) && p.deleting.is_none());
        let ready = own().filter(|p| p.ready).count();
        (revision.desired, revision.ready) =
            (u32::try_from(own().count()).unwrap_or(0), u32::try_from(ready).unwrap_or(0));
    }
}

/// Whether what scales is aimed at this workload.
pub(super) fn is_target(reference: &Value, kind: WorkloadKind, named: &str) -> bool {
    reference["kind"] == kind.code() && reference["name"] == named
}

/// The autoscalers' own owner, such as KEDA's `ScaledObject`.
pub(super) fn scaled_object(object: &Value) -> Option<&Value> {
    list(&object["metadata"]["ownerReferences"]).find(|o| o["kind"] == "ScaledObject")
}
