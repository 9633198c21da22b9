//! The kinds of objects that the cluster stores, and how the API names them.

/// A kind of object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is its name")]
pub enum Kind {
    Namespace,
    Node,
    Pod,
    Service,
    ConfigMap,
    Endpoints,
    Event,
    Deployment,
    ReplicaSet,
    StatefulSet,
    DaemonSet,
    ControllerRevision,
    Autoscaler,
    EndpointSlice,
    Lease,
    HttpRoute,
}

/// How the API names a kind.
#[derive(Debug)]
pub(crate) struct Names {
    pub(crate) kind: Kind,
    /// Empty for the core.
    pub(crate) group: &'static str,
    pub(crate) version: &'static str,
    pub(crate) name: &'static str,
    pub(crate) plural: &'static str,
    pub(crate) singular: &'static str,
    pub(crate) short: &'static [&'static str],
    pub(crate) categories: &'static [&'static str],
    pub(crate) namespaced: bool,
    pub(crate) scale: bool,
    pub(crate) status: bool,
}

impl Names {
    /// `apps/v1`, or `v1` in the core.
    pub(crate) fn group_version(&self) -> String {
        if self.group.is_empty() { self.version.to_owned() } else { format!("{}/{}", self.group, self.version) }
    }

    /// `deployments.apps`, as messages have it.
    pub(crate) fn qualified(&self) -> String {
        if self.group.is_empty() { self.plural.to_owned() } else { format!("{}.{}", self.plural, self.group) }
    }

    /// Whether this is `events.k8s.io`, in which stored events are shown in another form.
    pub(crate) fn new_events(&self) -> bool {
        self.group == "events.k8s.io"
    }
}

const fn names(
    kind: Kind,
    (group, version): (&'static str, &'static str),
    (name, plural, singular): (&'static str, &'static str, &'static str),
    short: &'static [&'static str],
    categories: &'static [&'static str],
) -> Names {
    let scale = matches!(kind, Kind::Deployment | Kind::ReplicaSet | Kind::StatefulSet);
    let namespaced = !matches!(kind, Kind::Namespace | Kind::Node);
    let status = scale || matches!(kind, Kind::DaemonSet | Kind::Autoscaler | Kind::Node | Kind::Pod | Kind::Service);
    Names { kind, group, version, name, plural, singular, short, categories, namespaced, scale, status }
}

const ALL: &[&str] = &["all"];
const CORE: (&str, &str) = ("", "v1");
const APPS: (&str, &str) = ("apps", "v1");

/// Everything that is served, in the order in which discovery lists it.
pub(crate) const SERVED: &[Names] = &[
    names(Kind::ConfigMap, CORE, ("ConfigMap", "configmaps", "configmap"), &["cm"], &[]),
    names(Kind::Endpoints, CORE, ("Endpoints", "endpoints", "endpoints"), &["ep"], &[]),
    names(Kind::Event, CORE, ("Event", "events", "event"), &["ev"], &[]),
    names(Kind::Namespace, CORE, ("Namespace", "namespaces", "namespace"), &["ns"], &[]),
    names(Kind::Node, CORE, ("Node", "nodes", "node"), &["no"], &[]),
    names(Kind::Pod, CORE, ("Pod", "pods", "pod"), &["po"], ALL),
    names(Kind::Service, CORE, ("Service", "services", "service"), &["svc"], ALL),
    names(
        Kind::ControllerRevision,
        APPS,
        ("ControllerRevision", "controllerrevisions", "controllerrevision"),
        &[],
        &[],
    ),
    names(Kind::DaemonSet, APPS, ("DaemonSet", "daemonsets", "daemonset"), &["ds"], ALL),
    names(Kind::Deployment, APPS, ("Deployment", "deployments", "deployment"), &["deploy"], ALL),
    names(Kind::ReplicaSet, APPS, ("ReplicaSet", "replicasets", "replicaset"), &["rs"], ALL),
    names(Kind::StatefulSet, APPS, ("StatefulSet", "statefulsets", "statefulset"), &["sts"], ALL),
    names(
        Kind::Autoscaler,
        ("autoscaling", "v2"),
        ("HorizontalPodAutoscaler", "horizontalpodautoscalers", "horizontalpodautoscaler"),
        &["hpa"],
        ALL,
    ),
    names(Kind::Event, ("events.k8s.io", "v1"), ("Event", "events", "event"), &["ev"], &[]),
    names(Kind::Lease, ("coordination.k8s.io", "v1"), ("Lease", "leases", "lease"), &[], &[]),
    names(
        Kind::EndpointSlice,
        ("discovery.k8s.io", "v1"),
        ("EndpointSlice", "endpointslices", "endpointslice"),
        &[],
        &[],
    ),
    names(
        Kind::HttpRoute,
        ("gateway.networking.k8s.io", "v1"),
        ("HTTPRoute", "httproutes", "httproute"),
        &[],
        &["gateway-api"],
    ),
];

impl Kind {
    /// How this kind is stored and named.
    pub(crate) fn names(self) -> &'static Names {
        // Every kind stands in the table: a test says so.
        SERVED.iter().find(|n| n.kind == self).unwrap_or(&SERVED[0])
    }

    /// The kind that an object says it is.
    pub fn of(api_version: &str, kind: &str) -> Option<Self> {
        SERVED.iter().find(|n| n.name == kind && n.group_version() == api_version).map(|n| n.kind)
    }

    /// Whether a change of `spec` counts as a new generation.
    pub(crate) const fn has_generation(self) -> bool {
        matches!(self, Self::Deployment | Self::ReplicaSet | Self::StatefulSet | Self::DaemonSet | Self::HttpRoute)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_served_under_its_own_name() {
        for names in SERVED {
            assert_eq!(Kind::of(&names.group_version(), names.name), Some(names.kind));
            assert_eq!(names.kind.names().name, names.name);
        }
    }
}
