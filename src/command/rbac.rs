//! `warroom rbac`: the least Roles that it needs, as a manifest for `kubectl apply`. Pure: the same wish, the same text.

use std::fmt::Write as _;

use crate::domain::rights::{Half, PORT_FORWARD, Place, RIGHTS, Right, reads_pages};

/// For whom, where, and how much.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// The names of all that is printed.
    pub name: String,
    /// The workload's namespace.
    pub namespace: String,
    /// Namespaces of gateways and exporters of GPUs beside it.
    pub neighbours: Vec<String>,
    /// To whom it is given; empty: the Roles alone.
    pub subjects: Vec<Subject>,
    /// Without levers and requests of our own.
    pub read_only: bool,
    /// With requests of our own.
    pub probe: bool,
    /// Without anything outside of namespaces.
    pub namespaced: bool,
}

/// Whoever gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A user, as the API server calls them.
    User(String),
    /// A group.
    Group(String),
    /// A service account: its namespace and name.
    ServiceAccount(String, String),
}

/// The manifest.
pub fn manifest(wish: &Wish) -> String {
    let mut all = String::new();
    let _ = writeln!(all, "# What warroom needs {}.", if wish.read_only { "to look" } else { "to look and to act" });
    if !wish.namespaced {
        let _ = writeln!(
            all,
            "# The ClusterRole is for nodes: without it everything else works, and what depends on nodes is unknown."
        );
    }
    let mut one = |kind: &str, namespace: Option<&str>, place: Place| {
        // What the whole cluster's grants is not granted a second time.
        let granted = |r: &&Right| {
            let wider = |w: &Right| {
                w.place == Place::Cluster && (w.group, w.resource, w.verbs) == (r.group, r.resource, r.verbs)
            };
            place != Place::Cluster && !wish.namespaced && RIGHTS.iter().any(wider)
        };
        let here = RIGHTS.iter().filter(|r| r.place == place && wanted(wish, r.half));
        let rights: Vec<&Right> = here.filter(|r| !granted(r)).collect();
        if !rights.is_empty() {
            role(&mut all, wish, kind, namespace, &rights);
            binding(&mut all, wish, kind, namespace);
        }
    };
    one("Role", Some(&wish.namespace), Place::Namespace);
    let mut beside: Vec<&String> = wish.neighbours.iter().filter(|n| **n != wish.namespace).collect();
    beside.sort();
    beside.dedup();
    for namespace in beside {
        one("Role", Some(namespace), Place::Neighbour);
    }
    if !wish.namespaced {
        one("ClusterRole", None, Place::Cluster);
    }
    all
}

fn wanted(wish: &Wish, half: Half) -> bool {
    match half {
        Half::Observe => true,
        Half::Probe => wish.probe && !wish.read_only,
        Half::Act => !wish.read_only,
    }
}

fn head(all: &mut String, wish: &Wish, kind: &str, namespace: Option<&str>) {
    let _ = write!(
        all,
        "---\napiVersion: rbac.authorization.k8s.io/v1\nkind: {kind}\nmetadata:\n  name: {}\n",
        quoted(&wish.name)
    );
    if let Some(namespace) = namespace {
        let _ = writeln!(all, "  namespace: {}", quoted(namespace));
    }
}

fn role(all: &mut String, wish: &Wish, kind: &str, namespace: Option<&str>, rights: &[&Right]) {
    head(all, wish, kind, namespace);
    all.push_str("rules:\n");
    for right in rights {
        let verbs: Vec<String> = right.verbs.iter().map(|verb| quoted(verb)).collect();
        let _ = write!(
            all,
            "# Without it {}.\n- apiGroups: [{}]\n  resources: [{}]\n  verbs: [{}]\n",
            right.lost,
            quoted(right.group),
            quoted(right.resource),
            verbs.join(", ")
        );
        if reads_pages(right) {
            let verbs: Vec<String> = PORT_FORWARD.verbs.iter().map(|verb| quoted(verb)).collect();
            let _ = write!(
                all,
                "# Instead of it, where it is forbidden or the API server does not reach pods; it allows any request to any port:\n\
                 # - apiGroups: [{}]\n#   resources: [{}]\n#   verbs: [{}]\n",
                quoted(PORT_FORWARD.group),
                quoted(PORT_FORWARD.resource),
                verbs.join(", ")
            );
        }
    }
}

fn binding(all: &mut String, wish: &Wish, kind: &str, namespace: Option<&str>) {
    if wish.subjects.is_empty() {
        return;
    }
    head(all, wish, &format!("{kind}Binding"), namespace);
    let name = quoted(&wish.name);
    let _ = write!(all, "roleRef:\n  apiGroup: rbac.authorization.k8s.io\n  kind: {kind}\n  name: {name}\nsubjects:\n");
    for subject in &wish.subjects {
        let _ = match subject {
            Subject::User(name) | Subject::Group(name) => {
                let kind = if matches!(subject, Subject::User(_)) { "User" } else { "Group" };
                write!(all, "- apiGroup: rbac.authorization.k8s.io\n  kind: {kind}\n  name: {}\n", quoted(name))
            }
            Subject::ServiceAccount(namespace, name) => {
                write!(all, "- kind: ServiceAccount\n  name: {}\n  namespace: {}\n", quoted(name), quoted(namespace))
            }
        };
    }
}

/// A string as YAML takes it whatever it holds: JSON's strings are YAML's.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
