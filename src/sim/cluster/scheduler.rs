//! The scheduler: a node for every pod that has room for it, or a sentence on why there is none.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::desk::Desk;
use super::json::{flag, list, map, name, namespace, quantity, text, time};
use super::kinds::Kind;
use super::store::Object;

/// The resource that GPUs are.
pub(crate) const GPU: &str = "nvidia.com/gpu";

/// Sends pods to nodes.
pub(super) fn reconcile(desk: &mut Desk) {
    let waiting: Vec<Object> = desk
        .store
        .all(Kind::Pod)
        .filter(|p| text(p, "/spec/nodeName").is_empty() && text(p, "/metadata/deletionTimestamp").is_empty())
        .cloned()
        .collect();
    for pod in waiting {
        place(desk, &pod);
    }
}

/// What the containers of a pod ask for, summed.
pub(crate) fn requests(pod: &Value) -> BTreeMap<String, f64> {
    let mut sum = BTreeMap::new();
    for container in list(pod, "/spec/containers") {
        for (resource, amount) in map(container, "/resources/requests").into_iter().flatten() {
            *sum.entry(resource.clone()).or_insert(0.0) += quantity(amount);
        }
    }
    sum.insert("pods".to_owned(), 1.0);
    sum
}

/// What pods on a node have been promised: those being deleted still have it.
pub(crate) fn taken(desk: &Desk, node: &str) -> BTreeMap<String, f64> {
    let mut sum = BTreeMap::new();
    for pod in desk.store.all(Kind::Pod).filter(|p| text(p, "/spec/nodeName") == node) {
        if matches!(text(pod, "/status/phase"), "Succeeded" | "Failed") {
            continue;
        }
        for (resource, amount) in requests(pod) {
            *sum.entry(resource).or_insert(0.0) += amount;
        }
    }
    sum
}

fn place(desk: &mut Desk, pod: &Object) {
    let nodes = desk.store.snapshot(Kind::Node);
    let wanted = requests(pod);
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    let mut victims_help = 0;
    let mut fitting: Vec<(f64, String)> = Vec::new();
    for node in &nodes {
        let taken = taken(desk, name(node));
        match refusal(pod, node, &wanted, &taken) {
            Ok(()) => {
                let room = |resource: &str| {
                    node.pointer("/status/allocatable").and_then(|a| a.get(resource)).map_or(0.0, quantity)
                        - taken.get(resource).copied().unwrap_or(0.0)
                };
                let resource = if wanted.contains_key(GPU) { GPU } else { "cpu" };
                fitting.push((room(resource), name(node).to_owned()));
            }
            Err((why, room)) => {
                victims_help += usize::from(room);
                for reason in why {
                    *reasons.entry(reason).or_insert(0) += 1;
                }
            }
        }
    }
    // The emptiest node; of equals the first by name.
    fitting.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    match fitting.into_iter().next() {
        Some((_, node)) => bind(desk, pod, &node),
        None => refuse(desk, pod, nodes.len(), &reasons, victims_help),
    }
}

type Why = (Vec<String>, bool);

/// Why a node cannot take a pod, and whether it is for want of room.
fn refusal(
    pod: &Value,
    node: &Value,
    wanted: &BTreeMap<String, f64>,
    taken: &BTreeMap<String, f64>,
) -> Result<(), Why> {
    let alone = |why: String| Err((vec![why], false));
    if flag(node, "/spec/unschedulable") {
        return alone("node(s) were unschedulable".to_owned());
    }
    for taint in list(node, "/spec/taints") {
        if text(taint, "/effect") != "PreferNoSchedule" && !tolerated(pod, taint) {
            return alone(format!(
                "node(s) had untolerated taint {{{}: {}}}",
                text(taint, "/key"),
                text(taint, "/value")
            ));
        }
    }
    let selector = pod.pointer("/spec/nodeSelector").filter(|s| s.as_object().is_some_and(|s| !s.is_empty()));
    if selector.is_some() && !super::selector::has_labels(selector, node) {
        return alone("node(s) didn't match Pod's node affinity/selector".to_owned());
    }
    let lacking: Vec<String> = wanted
        .iter()
        .filter(|(resource, amount)| {
            let has = node.pointer("/status/allocatable").and_then(|a| a.get(*resource)).map_or(0.0, quantity);
            taken.get(*resource).copied().unwrap_or(0.0) + **amount > has
        })
        .map(
            |(resource, _)| {
                if resource == "pods" { "Too many pods".to_owned() } else { format!("Insufficient {resource}") }
            },
        )
        .collect();
    if lacking.is_empty() { Ok(()) } else { Err((lacking, true)) }
}

fn tolerated(pod: &Value, taint: &Value) -> bool {
    list(pod, "/spec/tolerations").iter().any(|t| {
        let key = text(t, "/key");
        let effect = text(t, "/effect");
        (effect.is_empty() || effect == text(taint, "/effect"))
            && match text(t, "/operator") {
                "Exists" => key.is_empty() || key == text(taint, "/key"),
                _ => key == text(taint, "/key") && text(t, "/value") == text(taint, "/value"),
            }
    })
}

fn bind(desk: &mut Desk, pod: &Object, node: &str) {
    let now = time(desk.now);
    let bound = desk.store.tell(Kind::Pod, namespace(pod), name(pod), |pod| {
        pod["spec"]["nodeName"] = json!(node);
        pod["status"]["conditions"] = json!([
            {"type": "PodScheduled", "status": "True", "lastProbeTime": null, "lastTransitionTime": now},
        ]);
    });
    if let Some(bound) = bound {
        let message = format!("Successfully assigned {}/{} to {node}", namespace(&bound), name(&bound));
        desk.event(&bound, "default-scheduler", "Normal", "Scheduled", &message);
    }
}

fn refuse(desk: &mut Desk, pod: &Object, nodes: usize, reasons: &BTreeMap<String, usize>, room: usize) {
    let mut listed: Vec<String> = reasons.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    listed.sort();
    let mut message = format!("0/{nodes} nodes are available: {}.", listed.join(", "));
    let mut preemption = Vec::new();
    if room > 0 {
        preemption.push(format!("{room} No preemption victims found for incoming pod"));
    }
    if nodes > room {
        preemption.push(format!("{} Preemption is not helpful for scheduling", nodes - room));
    }
    preemption.sort();
    message.push_str(&format!(" preemption: 0/{nodes} nodes are available: {}.", preemption.join(", ")));
    let known = list(pod, "/status/conditions").iter().find(|c| text(c, "/type") == "PodScheduled");
    let same = known.is_some_and(|c| text(c, "/message") == message);
    // The real scheduler tries again when something changed, and every five minutes.
    let news = !same || (desk.now.0 / 1000) % 300 == 0;
    if news {
        desk.event(pod, "default-scheduler", "Warning", "FailedScheduling", &message);
    }
    if !same {
        let since = known.map_or_else(|| time(desk.now), |c| text(c, "/lastTransitionTime").to_owned());
        desk.store.tell(Kind::Pod, namespace(pod), name(pod), |pod| {
            pod["status"]["conditions"] = json!([{
                "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message,
                "lastProbeTime": null, "lastTransitionTime": since,
            }]);
        });
    }
}
