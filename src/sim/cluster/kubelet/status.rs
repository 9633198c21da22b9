//! A pod's status as a kubelet writes it.

use serde_json::{Value, json};

use super::Sandbox;
use super::container::{Container, State};
use super::life::{container_id, state_json};
use crate::domain::At;
use crate::sim::cluster::desk::Desk;
use crate::sim::cluster::json::{list, set, text, time};
use crate::sim::cluster::kinds::Kind;

/// Since when a pod's conditions are as they are.
#[derive(Debug)]
pub(super) struct Since {
    pub(super) network: bool,
    network_since: At,
    admitted: At,
    ready: bool,
    ready_since: At,
}

impl Since {
    pub(super) fn new(now: At) -> Self {
        Self { network: false, network_since: now, admitted: now, ready: false, ready_since: now }
    }

    pub(super) fn network(&mut self, now: At) {
        (self.network, self.network_since) = (true, now);
    }
}

/// Writes the status.
pub(super) fn write(desk: &mut Desk, sandbox: &mut Sandbox) {
    let ready = sandbox.containers.iter().all(|c| c.ready);
    if ready != sandbox.facts.ready {
        (sandbox.facts.ready, sandbox.facts.ready_since) = (ready, desk.now);
    }
    let Some(pod) = desk.store.get(Kind::Pod, &sandbox.namespace, &sandbox.name) else { return };
    let scheduled =
        list(pod, "/status/conditions").iter().find(|c| text(c, "/type") == "PodScheduled").cloned().unwrap_or_else(|| {
            json!({"type": "PodScheduled", "status": "True", "lastProbeTime": null, "lastTransitionTime": time(sandbox.start)})
        });
    let facts = &sandbox.facts;
    let condition = |kind: &str, is: bool, since: At| json!({"type": kind, "status": if is { "True" } else { "False" }, "lastProbeTime": null, "lastTransitionTime": time(since)});
    let mut unready: Vec<Value> =
        ["Ready", "ContainersReady"].map(|kind| condition(kind, ready, facts.ready_since)).to_vec();
    if !ready {
        let names: Vec<&str> = sandbox.containers.iter().filter(|c| !c.ready).map(|c| c.name.as_str()).collect();
        for condition in &mut unready {
            condition["reason"] = json!("ContainersNotReady");
            condition["message"] = json!(format!("containers with unready status: [{}]", names.join(" ")));
        }
    }
    let mut conditions = vec![
        condition("PodReadyToStartContainers", facts.network, facts.network_since),
        condition("Initialized", true, facts.admitted),
    ];
    conditions.append(&mut unready);
    conditions.push(scheduled);
    let running = sandbox.containers.iter().any(|c| matches!(c.state, State::Running { .. } | State::Ended { .. }));
    let mut status = json!({
        "phase": if running { "Running" } else { "Pending" }, "conditions": conditions,
        "hostIP": sandbox.host_ip, "hostIPs": [{"ip": sandbox.host_ip}], "startTime": time(sandbox.start),
        "qosClass": "Burstable",
        "containerStatuses": sandbox.containers.iter().map(|c| container(c, sandbox)).collect::<Vec<_>>(),
    });
    if facts.network {
        status["podIP"] = json!(sandbox.ip);
        status["podIPs"] = json!([{"ip": sandbox.ip}]);
    }
    desk.store.tell(Kind::Pod, &sandbox.namespace, &sandbox.name, |pod| set(pod, &["status"], status));
}

fn container(container: &Container, sandbox: &Sandbox) -> Value {
    let began = container.since().is_some() || container.restarts > 0 || container.last.is_some();
    let mut status = json!({
        "name": container.name, "image": container.image, "ready": container.ready, "started": container.started,
        "restartCount": container.restarts, "imageID": "", "lastState": {},
        "state": state_json(container, &sandbox.uid, &sandbox.name, &sandbox.namespace),
    });
    if began {
        status["containerID"] = json!(container_id(container, &sandbox.uid, container.restarts));
        let digest = container_id(container, &container.image, 0).replace("containerd://", "sha256:");
        let repository = container.image.rsplit_once(':').map_or(container.image.as_str(), |(name, _)| name);
        status["imageID"] = json!(format!("{repository}@{digest}"));
    }
    if let Some(last) = &container.last
        && !matches!(&container.state, State::Ended { .. } if container.waiting().is_none())
    {
        status["lastState"] = last.json(&container_id(container, &sandbox.uid, container.restarts.saturating_sub(1)));
    }
    status
}
