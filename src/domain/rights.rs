//! What the program asks of a Kubernetes API server, and what is lost where a part of it is not allowed: one table, from
//! which Roles are printed, permissions are looked up and refusals explained. A call that is not in it is a defect, and so
//! is a row that no call needs; `tests/rbac.rs` finds both.
//!
//! Access reviews stand in no Role: every authenticated account may ask what it may do.

/// Where a right is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// In the workload's namespace.
    Namespace,
    /// In the namespace of a gateway or an exporter of GPUs beside it.
    Neighbour,
    /// In the cluster: nodes have no namespace, and what runs on them may be anywhere.
    Cluster,
}

/// What it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Half {
    /// Looking: get, list and watch alone.
    Observe,
    /// Requests of our own to engines.
    Probe,
    /// Levers.
    Act,
}

/// One right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Right {
    /// Where.
    pub place: Place,
    /// What for.
    pub half: Half,
    /// The API group; empty for the core.
    pub group: &'static str,
    /// The resource in the plural, with its subresource behind a slash.
    pub resource: &'static str,
    /// The verbs.
    pub verbs: &'static [&'static str],
    /// What is lost without it, as the end of "without it ...".
    pub lost: &'static str,
    /// Whether what it reads is only one of several ways to the same, or a kind that few clusters have.
    pub optional: bool,
}

impl Right {
    const fn optional(self) -> Self {
        Self { optional: true, ..self }
    }
}

const fn right(
    (place, half): (Place, Half),
    (group, resource): (&'static str, &'static str),
    verbs: &'static [&'static str],
    lost: &'static str,
) -> Right {
    Right { place, half, group, resource, verbs, lost, optional: false }
}

const HERE: (Place, Half) = (Place::Namespace, Half::Observe);
const BESIDE: (Place, Half) = (Place::Neighbour, Half::Observe);
const BELOW: (Place, Half) = (Place::Cluster, Half::Observe);
const ACT: (Place, Half) = (Place::Namespace, Half::Act);

const WATCH: &[&str] = &["list", "watch"];
const FIND: &[&str] = &["get", "list", "watch"];
const GET: &[&str] = &["get"];
const LIST: &[&str] = &["list"];
const PATCH: &[&str] = &["patch"];
/// Where a cluster has no such kind, its rule does nothing.
const OWNER: &str = "engines that only such an owner names are not found";
const POOL: &str = "an InferencePool's gateway and endpoint picker are not found";
const GATEWAY_API: &str = "gateway.networking.k8s.io";
const READ_AND_PATCH: &[&str] = &["get", "patch"];

/// All of them.
pub const RIGHTS: &[Right] = &[
    right(HERE, ("apps", "deployments"), FIND, "no Deployment is found or watched"),
    right(HERE, ("apps", "statefulsets"), FIND, "no StatefulSet is found or watched"),
    right(HERE, ("apps", "replicasets"), WATCH, "revisions and what changed between them are unknown"),
    right(HERE, ("apps", "controllerrevisions"), WATCH, "a StatefulSet's revisions are unknown"),
    right(HERE, ("", "pods"), WATCH, "replicas, their starts and restarts are unknown"),
    right(HERE, ("", "pods/proxy"), GET, "engines' pages are not read through the API server"),
    right(HERE, ("", "pods/log"), GET, "logs are not shown"),
    right(HERE, ("", "events"), WATCH, "why a pod does not start, and who scaled, is unknown"),
    right(
        HERE,
        ("autoscaling", "horizontalpodautoscalers"),
        WATCH,
        "whether an autoscaler owns the replicas is unknown",
    ),
    right(HERE, ("leaderworkerset.x-k8s.io", "leaderworkersets"), LIST, OWNER).optional(),
    right(HERE, ("serving.kserve.io", "inferenceservices"), LIST, OWNER).optional(),
    right(HERE, ("serving.kserve.io", "llminferenceservices"), LIST, OWNER).optional(),
    right(HERE, ("argoproj.io", "rollouts"), LIST, OWNER).optional(),
    right(HERE, ("ray.io", "rayservices"), LIST, OWNER).optional(),
    right(HERE, ("nvidia.com", "dynamographdeployments"), LIST, OWNER).optional(),
    right(HERE, ("", "configmaps"), GET, "flags and variables that ConfigMaps give, and who changed them, are unknown")
        .optional(),
    right(HERE, ("", "services"), LIST, "which gateway leads here is told by its labels alone").optional(),
    right(HERE, (GATEWAY_API, "httproutes"), LIST, "a gateway is not found by its HTTPRoutes").optional(),
    right(HERE, ("networking.k8s.io", "ingresses"), LIST, "an Ingress in front is not found").optional(),
    right(HERE, ("inference.networking.k8s.io", "inferencepools"), LIST, POOL).optional(),
    right(HERE, ("inference.networking.x-k8s.io", "inferencepools"), LIST, POOL).optional(),
    right(BESIDE, ("", "pods"), LIST, "gateways and exporters of GPUs are not found there"),
    right(BESIDE, ("", "pods/proxy"), GET, "pages of gateways and exporters of GPUs are not read there"),
    right(BESIDE, ("", "services"), LIST, "a Prometheus is not found there").optional(),
    right(BESIDE, ("", "services/proxy"), GET, "a Prometheus is not asked through the API server").optional(),
    right(BELOW, ("", "nodes"), WATCH, "nodes' health, GPUs and cordons are unknown"),
    right(BELOW, ("", "pods"), LIST, "whether one more replica fits is unknown, for who holds the GPUs is not seen"),
    right(BELOW, ("", "services"), LIST, "a Prometheus is looked for alone where one usually lives").optional(),
    right(BELOW, (GATEWAY_API, "httproutes"), LIST, "a gateway is not found by HTTPRoutes of other namespaces")
        .optional(),
    right(
        BELOW,
        ("networking.k8s.io", "ingressclasses"),
        LIST,
        "an Ingress' controller is told by its class' name alone",
    )
    .optional(),
    right(
        (Place::Namespace, Half::Probe),
        ("", "pods/proxy"),
        &["create"],
        "no request of our own is sent to a replica",
    ),
    right(ACT, ("apps", "deployments"), PATCH, "no undo, pause, resume and restart of a Deployment"),
    right(ACT, ("apps", "statefulsets"), PATCH, "no undo and restart of a StatefulSet"),
    right(ACT, ("apps", "deployments/scale"), PATCH, "no scaling of a Deployment"),
    right(ACT, ("apps", "statefulsets/scale"), PATCH, "no scaling of a StatefulSet"),
    right(ACT, ("autoscaling", "horizontalpodautoscalers"), READ_AND_PATCH, "no other bounds for an autoscaler"),
    right(ACT, ("keda.sh", "scaledobjects"), READ_AND_PATCH, "no pausing of KEDA"),
    right((Place::Cluster, Half::Act), ("", "nodes"), READ_AND_PATCH, "no cordon"),
];

/// What stands in for `get` on `pods/proxy`, where that is not allowed or the API server reaches kubelets and no pods. It is
/// in no Role by itself, because it allows more: any request to any port. `create` is asked for from Kubernetes 1.35 on.
pub const PORT_FORWARD: Right =
    right(HERE, ("", "pods/portforward"), &["get", "create"], "engines' pages are not read through a port-forward");

/// Whether a right is the one that [`PORT_FORWARD`] stands in for.
pub fn reads_pages(right: &Right) -> bool {
    right.half == Half::Observe && right.resource == "pods/proxy"
}

/// What is lost where this call is not allowed; `None` for a call that is not known here.
pub fn lost(verb: &str, group: &str, resource: &str) -> Option<&'static str> {
    let same = |r: &&Right| r.group == group && r.resource == resource && r.verbs.contains(&verb);
    RIGHTS.iter().find(same).map(|r| r.lost)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_only_looks_changes_nothing_and_touches_no_kubelet() {
        for right in RIGHTS {
            let looks = right.verbs.iter().all(|v| matches!(*v, "get" | "list" | "watch"));
            assert!(looks || right.half != Half::Observe, "{right:?}");
            assert!(!right.resource.starts_with("nodes/"), "a kubelet's API is more than anybody needs: {right:?}");
            assert!(!right.verbs.contains(&"*") && right.resource != "*" && right.group != "*", "{right:?}");
        }
    }

    #[test]
    fn what_is_lost_is_known_by_the_call_and_not_for_others() {
        assert_eq!(lost("get", "", "pods/log"), Some("logs are not shown"));
        assert_eq!(lost("delete", "", "pods"), None);
    }
}
