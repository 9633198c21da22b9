//! Scaling: in a rollout the sets share what is added or taken, in proportion to their sizes.

use serde_json::Value;

use super::rolling::fences;
use super::{
    COMPONENT, DESIRED, Desk, Kind, MAX, Object, annotation, int, name, namespace, replicas, revision_of,
    set_annotation, sets_of, text, uid,
};

/// Notes on a set for how many replicas it was sized.
pub(super) fn note_size(set: &mut Value, deployment: &Value) {
    let wanted = replicas(deployment);
    set_annotation(set, DESIRED, &wanted.to_string());
    set_annotation(set, MAX, &(wanted + fences(deployment).0).to_string());
}

/// Gives a set another size, and tells it.
pub(super) fn resize(desk: &mut Desk, deployment: &Object, set: &Object, size: i64) {
    let before = replicas(set);
    let changed = desk.store.modify(Kind::ReplicaSet, namespace(set), name(set), |set| {
        set["spec"]["replicas"] = size.into();
        note_size(set, deployment);
    });
    if let Some(changed) = changed.filter(|_| before != size) {
        tell(desk, deployment, &changed, before, size);
    }
}

pub(super) fn tell(desk: &mut Desk, deployment: &Object, set: &Object, before: i64, size: i64) {
    let direction = if size > before { "up" } else { "down" };
    let message = format!("Scaled {direction} replica set {} from {before} to {size}", name(set));
    desk.event(deployment, COMPONENT, "Normal", "ScalingReplicaSet", &message);
}

/// After a change of the number of replicas, or while paused: the sizes follow.
pub(super) fn scale(desk: &mut Desk, deployment: &Object, new: Option<&Object>) {
    let sets = sets_of(desk, deployment);
    let wanted = replicas(deployment);
    let active: Vec<&Object> = sets.iter().filter(|s| replicas(s) > 0).collect();
    let only = match active.as_slice() {
        [] => new.or_else(|| sets.iter().max_by_key(|s| revision_of(s))),
        [one] => Some(*one),
        _ => None,
    };
    if let Some(only) = only {
        resize(desk, deployment, only, wanted);
        return;
    }
    let saturated = new.is_some_and(|n| {
        replicas(n) == wanted
            && annotation(n, DESIRED).and_then(|d| d.parse().ok()) == Some(wanted)
            && int(n, "/status/availableReplicas").unwrap_or(0) == wanted
    });
    if saturated {
        for set in active.iter().filter(|s| new.is_none_or(|n| uid(n) != uid(s))) {
            resize(desk, deployment, set, 0);
        }
    } else if text(deployment, "/spec/strategy/type") != "Recreate" {
        share(desk, deployment, &active);
    }
}

fn share(desk: &mut Desk, deployment: &Object, active: &[&Object]) {
    let wanted = replicas(deployment);
    let total: i64 = active.iter().map(|s| replicas(s)).sum();
    let allowed = if wanted > 0 { wanted + fences(deployment).0 } else { 0 };
    let to_add = allowed - total;
    // The largest first; of equals the newer when growing, the older when shrinking.
    let mut order: Vec<&Object> = active.to_vec();
    order.sort_by(|a, b| {
        let age = text(a, "/metadata/creationTimestamp").cmp(text(b, "/metadata/creationTimestamp"));
        replicas(b).cmp(&replicas(a)).then(if to_add > 0 { age.reverse() } else { age })
    });
    let mut added = 0;
    let mut sizes: Vec<i64> = Vec::new();
    for set in &order {
        let part = proportion(set, deployment, to_add, added);
        sizes.push(replicas(set) + part);
        added += part;
    }
    if let Some(first) = sizes.first_mut() {
        *first = (*first + to_add - added).max(0);
    }
    for (set, size) in order.into_iter().zip(sizes) {
        resize(desk, deployment, set, size);
    }
}

fn proportion(set: &Value, deployment: &Value, to_add: i64, added: i64) -> i64 {
    let size = replicas(set);
    if size == 0 || to_add == 0 || to_add == added {
        return 0;
    }
    let wanted = replicas(deployment);
    let fraction = if wanted == 0 {
        -size
    } else {
        let sized_for = annotation(set, MAX)
            .and_then(|m| m.parse::<i64>().ok())
            .or_else(|| int(deployment, "/status/replicas"))
            .filter(|m| *m > 0)
            .unwrap_or(1);
        let new = (size * (wanted + fences(deployment).0)) as f64 / sized_for as f64;
        #[expect(clippy::cast_possible_truncation, reason = "a number of pods")]
        let new = new.round() as i64;
        new - size
    };
    let left = to_add - added;
    if to_add > 0 { fraction.min(left) } else { fraction.max(left) }
}

/// Sets `spec.replicas` of what `/scale` belongs to.
pub(crate) fn set_replicas(object: &mut Value, size: i64) {
    object["spec"]["replicas"] = size.into();
}
