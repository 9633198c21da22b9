//! The columns of each kind: name, type, and 1 for those that only `-o wide` shows.

use crate::sim::cluster::kinds::Kind;

type Column = (&'static str, &'static str, u8);

const fn s(name: &'static str) -> Column {
    (name, "string", 0)
}

const fn n(name: &'static str) -> Column {
    (name, "integer", 0)
}

const fn wide(name: &'static str) -> Column {
    (name, "string", 1)
}

pub(super) fn of(kind: Kind) -> Vec<Column> {
    match kind {
        Kind::Pod => vec![
            s("Name"),
            s("Ready"),
            s("Status"),
            s("Restarts"),
            s("Age"),
            wide("IP"),
            wide("Node"),
            wide("Nominated Node"),
            wide("Readiness Gates"),
        ],
        Kind::Node => vec![
            s("Name"),
            s("Status"),
            s("Roles"),
            s("Age"),
            s("Version"),
            wide("Internal-IP"),
            wide("External-IP"),
            wide("OS-Image"),
            wide("Kernel-Version"),
            wide("Container-Runtime"),
        ],
        Kind::Deployment => vec![
            s("Name"),
            s("Ready"),
            n("Up-to-date"),
            n("Available"),
            s("Age"),
            wide("Containers"),
            wide("Images"),
            wide("Selector"),
        ],
        Kind::ReplicaSet => vec![
            s("Name"),
            n("Desired"),
            n("Current"),
            n("Ready"),
            s("Age"),
            wide("Containers"),
            wide("Images"),
            wide("Selector"),
        ],
        Kind::StatefulSet => vec![s("Name"), s("Ready"), s("Age"), wide("Containers"), wide("Images")],
        Kind::DaemonSet => vec![
            s("Name"),
            n("Desired"),
            n("Current"),
            n("Ready"),
            n("Up-to-date"),
            n("Available"),
            s("Node Selector"),
            s("Age"),
            wide("Containers"),
            wide("Images"),
            wide("Selector"),
        ],
        Kind::Service => {
            vec![s("Name"), s("Type"), s("Cluster-IP"), s("External-IP"), s("Port(s)"), s("Age"), wide("Selector")]
        }
        Kind::Autoscaler => {
            vec![s("Name"), s("Reference"), s("Targets"), s("MinPods"), s("MaxPods"), n("Replicas"), s("Age")]
        }
        Kind::Event => vec![
            s("Last Seen"),
            s("Type"),
            s("Reason"),
            s("Object"),
            wide("Subobject"),
            wide("Source"),
            s("Message"),
            wide("First Seen"),
            wide("Count"),
            wide("Name"),
        ],
        Kind::Namespace => vec![s("Name"), s("Status"), s("Age")],
        Kind::ConfigMap => vec![s("Name"), s("Data"), s("Age")],
        Kind::Endpoints => vec![s("Name"), s("Endpoints"), s("Age")],
        Kind::EndpointSlice => vec![s("Name"), s("AddressType"), s("Ports"), s("Endpoints"), s("Age")],
        Kind::Lease => vec![s("Name"), s("Holder"), s("Age")],
        Kind::HttpRoute => vec![s("Name"), s("Hostnames"), s("Age")],
        Kind::ControllerRevision => vec![s("Name"), s("Controller"), n("Revision"), s("Age")],
    }
}
