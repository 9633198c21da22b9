//! The Deployment controller: revisions, rolling updates within their fences, scaling, history.
//!
//! Follows `pkg/controller/deployment` of Kubernetes: the oldest ReplicaSet with the wanted template is the new one and
//! gets the next number, however old it is.

mod rolling;
mod scaling;
mod status;

use serde_json::{Value, json};

use super::desk::{Desk, template_hash};
use super::json::{
    alike, annotation, controller_uid, default, flag, int, list, map, name, namespace, owned_by, remove, set, text, uid,
};
use super::kinds::Kind;
use super::store::Object;

pub(super) use scaling::set_replicas;

/// How many pods above the wanted number a rollout may have.
pub(crate) fn surge(deployment: &Value) -> i64 {
    rolling::fences(deployment).0
}

/// Annotation: the revision's number.
pub(crate) const REVISION: &str = "deployment.kubernetes.io/revision";
const HISTORY: &str = "deployment.kubernetes.io/revision-history";
const DESIRED: &str = "deployment.kubernetes.io/desired-replicas";
const MAX: &str = "deployment.kubernetes.io/max-replicas";
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
const HASH: &str = "pod-template-hash";
const COMPONENT: &str = "deployment-controller";

/// Brings every Deployment a step further.
pub(super) fn reconcile(desk: &mut Desk) {
    for deployment in desk.store.snapshot(Kind::Deployment) {
        if text(&deployment, "/metadata/deletionTimestamp").is_empty() {
            one(desk, &deployment);
        }
    }
}

fn one(desk: &mut Desk, deployment: &Object) {
    let sets = sets_of(desk, deployment);
    let paused = flag(deployment, "/spec/paused");
    status::note_pause(desk, deployment, paused);
    if paused || is_scaling(deployment, &sets) {
        let new = sync(desk, deployment, &sets, false);
        scaling::scale(desk, deployment, new.as_ref());
        status::write(desk, deployment, new.as_ref());
        return;
    }
    let new = if text(deployment, "/spec/strategy/type") == "Recreate" {
        rolling::recreate(desk, deployment, &sets)
    } else {
        let new = sync(desk, deployment, &sets, true);
        rolling::roll(desk, deployment, new.as_ref());
        new
    };
    forget_old(desk, deployment, new.as_ref());
    status::write(desk, deployment, new.as_ref());
}

/// The ReplicaSets of a Deployment, oldest first.
fn sets_of(desk: &Desk, deployment: &Value) -> Vec<Object> {
    let mut sets: Vec<Object> =
        desk.store.all(Kind::ReplicaSet).filter(|s| controller_uid(s) == uid(deployment)).cloned().collect();
    sets.sort_by(|a, b| created(a).cmp(&created(b)));
    sets
}

fn created(object: &Value) -> (String, String) {
    (text(object, "/metadata/creationTimestamp").to_owned(), name(object).to_owned())
}

/// A set's number; 0 where it has none.
fn revision_of(object: &Value) -> u64 {
    annotation(object, REVISION).and_then(|r| r.parse().ok()).unwrap_or(0)
}

fn replicas(object: &Value) -> i64 {
    int(object, "/spec/replicas").unwrap_or(0)
}

/// A template without the label that only ReplicaSets have.
fn plain_template(object: &Value) -> Value {
    let mut template = object["spec"]["template"].clone();
    remove(&mut template, &["metadata", "labels", HASH]);
    template
}

/// The oldest set with the wanted template.
fn new_set(deployment: &Value, sets: &[Object]) -> Option<Object> {
    let wanted = plain_template(deployment);
    sets.iter().find(|s| alike(Some(&plain_template(s)), Some(&wanted))).cloned()
}

/// Finds or makes the new set and gives it the next number.
fn sync(desk: &mut Desk, deployment: &Object, sets: &[Object], make: bool) -> Option<Object> {
    let found = new_set(deployment, sets);
    let newest_other = sets
        .iter()
        .filter(|s| found.as_ref().is_none_or(|f| uid(f) != uid(s)))
        .map(|s| revision_of(s))
        .max()
        .unwrap_or(0);
    // The first revision keeps a number that its manifest brings along, as after a restore.
    let wanted = if sets.is_empty() { revision_of(deployment).max(1) } else { newest_other + 1 };
    let set = match found {
        Some(found) => {
            let number = wanted.max(revision_of(&found));
            let changed = desk.store.modify(Kind::ReplicaSet, namespace(&found), name(&found), |set| {
                annotate(set, deployment, number);
            })?;
            status::found(desk, deployment, &changed);
            changed
        }
        None if make => {
            let made = create_set(desk, deployment, sets, wanted);
            status::created(desk, deployment, &made);
            made
        }
        None => return None,
    };
    let number = revision_of(&set).to_string();
    desk.store.tell(Kind::Deployment, namespace(deployment), name(deployment), |d| {
        set_annotation(d, REVISION, &number);
    });
    Some(set)
}

fn set_annotation(object: &mut Value, key: &str, value: &str) {
    default(object, &["metadata", "annotations"], json!({}));
    object["metadata"]["annotations"][key] = json!(value);
}

/// What the Deployment's annotations say, and the number with its history.
fn annotate(set: &mut Value, deployment: &Value, number: u64) {
    for (key, value) in map(deployment, "/metadata/annotations").into_iter().flatten() {
        if ![LAST_APPLIED, REVISION, HISTORY, DESIRED, MAX].contains(&key.as_str()) {
            set_annotation(set, key, value.as_str().unwrap_or_default());
        }
    }
    let old = revision_of(set);
    if old < number {
        if old > 0 {
            let history = annotation(set, HISTORY).map_or_else(|| old.to_string(), |h| format!("{h},{old}"));
            set_annotation(set, HISTORY, &history);
        }
        set_annotation(set, REVISION, &number.to_string());
    }
}

fn create_set(desk: &mut Desk, deployment: &Object, others: &[Object], number: u64) -> Object {
    let mut set = set_manifest(deployment);
    annotate(&mut set, deployment, number);
    let size = rolling::new_size(deployment, others, 0);
    set["spec"]["replicas"] = json!(size);
    scaling::note_size(&mut set, deployment);
    let set = desk.create(Kind::ReplicaSet, set);
    if size > 0 {
        scaling::tell(desk, deployment, &set, 0, size);
    }
    set
}

/// A ReplicaSet for the template that the Deployment has now.
pub(crate) fn set_manifest(deployment: &Value) -> Value {
    let mut template = plain_template(deployment);
    let hash = template_hash(&template);
    set(&mut template, &["metadata", "labels", HASH], json!(hash));
    let mut selector = deployment["spec"]["selector"].clone();
    set(&mut selector, &["matchLabels", HASH], json!(hash));
    json!({
        "metadata": {
            "name": format!("{}-{hash}", name(deployment)), "namespace": namespace(deployment),
            "labels": template["metadata"]["labels"], "annotations": {}, "ownerReferences": owned_by(deployment),
        },
        "spec": {"replicas": 0, "selector": selector, "template": template},
        "status": {"replicas": 0},
    })
}

/// Whether the number of replicas changed since the sets were last sized.
fn is_scaling(deployment: &Value, sets: &[Object]) -> bool {
    sets.iter()
        .filter(|s| replicas(s) > 0)
        .filter_map(|s| annotation(s, DESIRED).and_then(|d| d.parse::<i64>().ok()))
        .any(|desired| desired != replicas(deployment))
}

/// Removes empty sets beyond the history limit, once the rollout is complete.
fn forget_old(desk: &mut Desk, deployment: &Object, new: Option<&Object>) {
    let Some(limit) = int(deployment, "/spec/revisionHistoryLimit").and_then(|l| usize::try_from(l).ok()) else {
        return;
    };
    let Some(now) = desk.store.get(Kind::Deployment, namespace(deployment), name(deployment)).cloned() else { return };
    if !status::complete(&now, &now["status"]) {
        return;
    }
    let mut old: Vec<Object> = sets_of(desk, deployment);
    old.retain(|s| {
        new.is_none_or(|n| uid(n) != uid(s)) && replicas(s) == 0 && int(s, "/status/replicas").unwrap_or(0) == 0
    });
    old.sort_by_key(|s| revision_of(s));
    for set in old.iter().take(old.len().saturating_sub(limit)) {
        desk.store.remove(Kind::ReplicaSet, namespace(set), name(set));
    }
}

/// The conditions of an object's status.
fn conditions(object: &Value) -> &[Value] {
    list(object, "/status/conditions")
}
