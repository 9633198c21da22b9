//! The other pool of a disaggregated deployment: engines of another workload that compute the prompts of this one's tokens,
//! or produce the tokens of its prompts. Asked for only where the workload itself has one of the two parts.

use serde_json::Value;

use super::Pace;
use super::census::{Neighbour, pods};
use super::find::{Where, list};
use super::resolve::Place;
use super::resource::escaped;
use super::trace::POOLS;
use crate::apiserver::Client;
use crate::decode::kubernetes::Kin;
use crate::decode::kubernetes::doors::{plain, pool, service};
use crate::domain::{Role, WorkloadRef};
use crate::text::clean;

/// Engines of the other pool that are read: more is a fleet for a Prometheus.
const MOST: usize = 64;

/// Looks for them by a label that both pools have, else among the pods of the namespace by name, else by a Service or an
/// `InferencePool` that selects both. What may not be read holds none.
pub(super) async fn siblings(client: &Client, target: &WorkloadRef, kin: &Kin, pace: Pace) -> Vec<Neighbour> {
    let by_label = kin
        .tie
        .as_ref()
        .map_or(String::new(), |(key, value)| format!("labelSelector={}&", escaped(&format!("{key}={value}"))));
    let query = format!("/api/v1/namespaces/{}/pods?{by_label}", target.namespace);
    let all = pods(client, &query, pace).await.unwrap_or_default();
    let others: Vec<&Value> = all.iter().filter(|pod| kin.other(pod).is_some()).collect();
    let mut found: Vec<Neighbour> =
        others.iter().filter_map(|pod| neighbour(pod, kin, &kin.tied(pod)?)).take(MOST).collect();
    if found.is_empty() && !others.is_empty() {
        let place = Place { client, context: &target.context, namespace: &target.namespace, deadline: pace.deadline };
        let doors = doors(&place, kin).await;
        let by_door = |pod: &&Value| {
            let labels = pod["metadata"]["labels"].as_object()?;
            let labels = labels.iter().filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned()))).collect();
            let front =
                |door: &&(String, Value)| service(&door.1, &labels).is_some() || pool(&door.1, &labels).is_some();
            doors.iter().find(front).map(|(called, _)| called.clone())
        };
        found = others.iter().filter_map(|pod| neighbour(pod, kin, &by_door(pod)?)).take(MOST).collect();
    }
    found
}

/// Services and `InferencePools` that select the workload's own pods, by how they are called.
async fn doors(place: &Place<'_>, kin: &Kin) -> Vec<(String, Value)> {
    let here = Where { everywhere: false, labels: None };
    let mut doors = Vec::new();
    let kinds = POOLS.iter().map(|(group, version)| (*group, *version, "inferencepools"));
    for (group, version, plural) in kinds.chain([("", "v1", "services")]) {
        let (objects, _) = list(place, here, (group, version, plural)).await.unwrap_or_default();
        for object in objects {
            let named = if plural == "services" {
                service(&object, kin.labels()).map(|name| format!("Service {name}"))
            } else {
                pool(&object, kin.labels()).map(|pool| format!("InferencePool {}", pool.name))
            };
            doors.extend(named.map(|named| (named, object)));
        }
    }
    doors
}

fn neighbour(pod: &Value, kin: &Kin, by: &str) -> Option<Neighbour> {
    if pod["status"]["phase"] != "Running" || !pod["metadata"]["deletionTimestamp"].is_null() {
        return None;
    }
    let sibling = kin.other(pod)?;
    let workload = sibling.workload.clone().unwrap_or_else(|| "another workload".to_owned());
    Some(Neighbour {
        role: Role::Engine,
        namespace: plain(&pod["metadata"]["namespace"])?,
        pod: plain(&pod["metadata"]["name"])?,
        node: pod["spec"]["nodeName"].as_str().map(|n| clean(n, 260)),
        ip: pod["status"]["podIP"].as_str().and_then(|ip| ip.parse().ok()),
        port: sibling.port?,
        path: "/metrics".to_owned(),
        found: Some(format!("{} pool {workload}, by {by}", sibling.pool)),
        pool: Some(sibling.pool),
        workload: Some(workload),
    })
}
