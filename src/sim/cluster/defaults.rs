//! What the API server fills in where a manifest says nothing.

use serde_json::{Value, json};

use super::json::{default, list, map, text};
use super::kinds::Kind;

/// Fills in an object's defaults.
pub(crate) fn fill(kind: Kind, object: &mut Value) {
    match kind {
        Kind::Deployment => deployment(object),
        Kind::ReplicaSet => {
            default(object, &["spec", "replicas"], 1.into());
            template(&mut object["spec"]["template"]);
        }
        Kind::StatefulSet => {
            default(object, &["spec", "replicas"], 1.into());
            default(object, &["spec", "podManagementPolicy"], "OrderedReady".into());
            default(object, &["spec", "revisionHistoryLimit"], 10.into());
            default(
                object,
                &["spec", "updateStrategy"],
                json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}),
            );
            template(&mut object["spec"]["template"]);
        }
        Kind::DaemonSet => {
            default(object, &["spec", "revisionHistoryLimit"], 10.into());
            default(
                object,
                &["spec", "updateStrategy"],
                json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}),
            );
            template(&mut object["spec"]["template"]);
        }
        Kind::Pod => pod_spec(&mut object["spec"]),
        Kind::Service => service(object),
        Kind::Autoscaler => default(object, &["spec", "minReplicas"], 1.into()),
        Kind::Namespace => {
            default(object, &["spec", "finalizers"], json!(["kubernetes"]));
            default(object, &["status", "phase"], "Active".into());
            let name = text(object, "/metadata/name").to_owned();
            default(object, &["metadata", "labels"], json!({}));
            object["metadata"]["labels"]["kubernetes.io/metadata.name"] = json!(name);
        }
        _ => {}
    }
}

fn deployment(object: &mut Value) {
    default(object, &["spec", "replicas"], 1.into());
    default(object, &["spec", "revisionHistoryLimit"], 10.into());
    default(object, &["spec", "progressDeadlineSeconds"], 600.into());
    default(object, &["spec", "strategy", "type"], "RollingUpdate".into());
    if text(object, "/spec/strategy/type") == "RollingUpdate" {
        default(object, &["spec", "strategy", "rollingUpdate", "maxSurge"], "25%".into());
        default(object, &["spec", "strategy", "rollingUpdate", "maxUnavailable"], "25%".into());
    }
    template(&mut object["spec"]["template"]);
}

fn template(template: &mut Value) {
    if map(template, "/metadata").is_none_or(|m| !m.contains_key("creationTimestamp")) {
        super::json::set(template, &["metadata", "creationTimestamp"], Value::Null);
    }
    pod_spec(&mut template["spec"]);
}

fn pod_spec(spec: &mut Value) {
    default(spec, &["restartPolicy"], "Always".into());
    default(spec, &["terminationGracePeriodSeconds"], 30.into());
    default(spec, &["dnsPolicy"], "ClusterFirst".into());
    default(spec, &["securityContext"], json!({}));
    default(spec, &["schedulerName"], "default-scheduler".into());
    for group in ["initContainers", "containers"] {
        for container in spec.get_mut(group).and_then(Value::as_array_mut).into_iter().flatten() {
            one_container(container);
        }
    }
}

fn one_container(container: &mut Value) {
    default(container, &["resources"], json!({}));
    default(container, &["terminationMessagePath"], "/dev/termination-log".into());
    default(container, &["terminationMessagePolicy"], "File".into());
    let image = text(container, "/image");
    let latest = image.ends_with(":latest") || !image.rsplit('/').next().unwrap_or_default().contains(':');
    default(container, &["imagePullPolicy"], if latest { "Always" } else { "IfNotPresent" }.into());
    for port in container.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
        default(port, &["protocol"], "TCP".into());
    }
    for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
        if let Some(probe) = container.get_mut(probe) {
            for (field, value) in
                [("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1), ("failureThreshold", 3)]
            {
                default(probe, &[field], value.into());
            }
            if probe.get("httpGet").is_some() {
                default(probe, &["httpGet", "scheme"], "HTTP".into());
            }
        }
    }
    // A limit without a request is the request.
    if let Some(limits) = map(container, "/resources/limits").cloned() {
        for (resource, limit) in limits {
            default(container, &["resources", "requests"], json!({}));
            if container["resources"]["requests"].get(&resource).is_none() {
                container["resources"]["requests"][&resource] = limit;
            }
        }
    }
}

fn service(object: &mut Value) {
    default(object, &["spec", "type"], "ClusterIP".into());
    default(object, &["spec", "sessionAffinity"], "None".into());
    default(object, &["spec", "internalTrafficPolicy"], "Cluster".into());
    default(object, &["spec", "ipFamilies"], json!(["IPv4"]));
    default(object, &["spec", "ipFamilyPolicy"], "SingleStack".into());
    default(object, &["status"], json!({"loadBalancer": {}}));
    let ports = list(object, "/spec/ports").len();
    for at in 0..ports {
        let port = &mut object["spec"]["ports"][at];
        default(port, &["protocol"], "TCP".into());
        let number = port["port"].clone();
        default(port, &["targetPort"], number);
    }
}
