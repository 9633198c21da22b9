//! Rolling update and recreate: how many pods of which revision there are to be.

use serde_json::Value;

use super::scaling::resize;
use super::{Desk, Kind, Object, replicas, sets_of, sync, uid};
use crate::sim::cluster::json::{controller_uid, int, text};

/// `maxSurge` and `maxUnavailable` in pods: surge is rounded up, unavailable down, and both are never 0.
pub(super) fn fences(deployment: &Value) -> (i64, i64) {
    if text(deployment, "/spec/strategy/type") == "Recreate" {
        return (0, 0);
    }
    let wanted = replicas(deployment);
    let resolve = |field: &str, up: bool| {
        let value = deployment.pointer(&format!("/spec/strategy/rollingUpdate/{field}"));
        match value {
            Some(Value::String(text)) => {
                let percent: i64 = text.trim_end_matches('%').parse().unwrap_or(0);
                let product = percent * wanted;
                if up { (product + 99) / 100 } else { product / 100 }
            }
            Some(number) => number.as_i64().unwrap_or(0),
            None => 0,
        }
    };
    let (surge, unavailable) = (resolve("maxSurge", true), resolve("maxUnavailable", false));
    (surge, if surge == 0 && unavailable == 0 { 1 } else { unavailable.min(wanted) })
}

/// The size of the new set beside `others`, where it has `size` now.
pub(super) fn new_size(deployment: &Value, others: &[Object], size: i64) -> i64 {
    let wanted = replicas(deployment);
    if text(deployment, "/spec/strategy/type") == "Recreate" {
        return wanted;
    }
    let total: i64 = others.iter().map(|s| replicas(s)).sum::<i64>() + size;
    let most = wanted + fences(deployment).0;
    if total >= most { size } else { size + (most - total).min(wanted - size).max(0) }
}

/// One step of a rolling update.
pub(super) fn roll(desk: &mut Desk, deployment: &Object, new: Option<&Object>) {
    let Some(new) = new else { return };
    let others: Vec<Object> = sets_of(desk, deployment).into_iter().filter(|s| uid(s) != uid(new)).collect();
    let wanted = replicas(deployment);
    let size = replicas(new);
    let grown = if size > wanted { wanted } else { new_size(deployment, &others, size) };
    if grown != size {
        resize(desk, deployment, new, grown);
        return;
    }
    shrink_old(desk, deployment, new, &others);
}

fn available(set: &Value) -> i64 {
    int(set, "/status/availableReplicas").unwrap_or(0)
}

fn shrink_old(desk: &mut Desk, deployment: &Object, new: &Object, old: &[Object]) {
    if old.iter().all(|s| replicas(s) == 0) {
        return;
    }
    let all: i64 = old.iter().map(|s| replicas(s)).sum::<i64>() + replicas(new);
    let least = replicas(deployment) - fences(deployment).1;
    let most_down = all - least - (replicas(new) - available(new));
    if most_down <= 0 {
        return;
    }
    // Pods that serve nobody go first.
    let mut down = 0;
    let mut sizes: Vec<i64> = old.iter().map(|s| replicas(s)).collect();
    for (set, size) in old.iter().zip(&mut sizes) {
        let useless = (*size - available(set)).min(most_down - down);
        if useless > 0 {
            *size -= useless;
            down += useless;
        }
    }
    let serving: i64 = old.iter().map(|s| available(s)).sum::<i64>() + available(new);
    let mut spare = serving - least;
    for size in &mut sizes {
        let less = (*size).min(spare.max(0));
        *size -= less;
        spare -= less;
    }
    for (set, size) in old.iter().zip(sizes) {
        if size != replicas(set) {
            resize(desk, deployment, set, size);
        }
    }
}

/// All old pods go before a new one comes.
pub(super) fn recreate(desk: &mut Desk, deployment: &Object, sets: &[Object]) -> Option<Object> {
    let new = sync(desk, deployment, sets, false);
    let old: Vec<Object> = sets.iter().filter(|s| new.as_ref().is_none_or(|n| uid(n) != uid(s))).cloned().collect();
    let mut waits = false;
    for set in &old {
        if replicas(set) > 0 {
            resize(desk, deployment, set, 0);
            waits = true;
        }
        waits |= desk.store.all(Kind::Pod).any(|p| controller_uid(p) == uid(set));
    }
    if waits {
        return new;
    }
    let new = sync(desk, deployment, sets, true)?;
    if replicas(&new) != replicas(deployment) {
        resize(desk, deployment, &new, replicas(deployment));
    }
    Some(new)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn surge_is_rounded_up_and_unavailable_down() {
        let fences_of = |replicas: i64, surge: Value, unavailable: Value| {
            fences(&json!({"spec": {"replicas": replicas, "strategy": {"type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}}}))
        };
        assert_eq!(fences_of(3, json!("25%"), json!("25%")), (1, 0));
        assert_eq!(fences_of(10, json!("25%"), json!("25%")), (3, 2));
        assert_eq!(fences_of(3, json!(0), json!("25%")), (0, 1));
        assert_eq!(fences_of(2, json!(0), json!(5)), (0, 2));
    }
}
