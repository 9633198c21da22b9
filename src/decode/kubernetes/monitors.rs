//! Which Services are those of a Prometheus, or of what speaks its API. Pure: one object in, what it says out.
//!
//! Sources of names, labels and ports: the charts kube-prometheus-stack, prometheus, mimir-distributed,
//! victoria-metrics-single and -cluster, bitnami's thanos and kube-prometheus; the manifests kube-prometheus and
//! kube-thanos; prometheus-operator's governing Service; the Services of the Victoria Metrics operator.

use serde_json::Value;

use super::doors::plain;

/// A Service whose pods answer queries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Monitor {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The port of its API.
    pub port: u16,
    /// What stands before `/api/v1` in its paths; empty or with a leading `/`.
    pub path: &'static str,
    /// By what it was told: a label, or its name.
    pub by: String,
    /// How much it may see, the most first: what asks many servers stands before one of them.
    pub rank: usize,
}

/// How such Services are labelled.
struct Known {
    label: (&'static str, &'static str),
    /// The components of `app.kubernetes.io/component` that answer queries; empty: whichever.
    components: &'static [&'static str],
    path: &'static str,
    rank: usize,
}

const NAME: &str = "app.kubernetes.io/name";
const COMPONENT: &str = "app.kubernetes.io/component";
const MIMIR: &str = "/prometheus";
const VMSELECT: &str = "/select/0/prometheus";

const fn known(
    rank: usize,
    label: (&'static str, &'static str),
    components: &'static [&'static str],
    path: &'static str,
) -> Known {
    Known { label, components, path, rank }
}

const KNOWN: &[Known] = &[
    known(0, (NAME, "thanos-query-frontend"), &[], ""),
    known(0, (NAME, "thanos"), &["query-frontend"], ""),
    known(1, (NAME, "thanos-query"), &[], ""),
    known(1, (NAME, "thanos"), &["query"], ""),
    known(2, (NAME, "mimir"), &["gateway", "nginx"], MIMIR),
    known(3, (NAME, "mimir"), &["query-frontend"], MIMIR),
    known(4, (NAME, "vmselect"), &[], VMSELECT),
    known(4, ("app", "vmselect"), &[], VMSELECT),
    known(5, (NAME, "vmsingle"), &[], ""),
    known(5, (NAME, "victoria-metrics-single"), &[], ""),
    known(6, ("app", "kube-prometheus-stack-prometheus"), &[], ""),
    known(6, (NAME, "prometheus"), &["server", "prometheus", ""], ""),
    known(6, (NAME, "kube-prometheus"), &["prometheus"], ""),
    known(6, ("app", "prometheus"), &[], ""),
    known(7, ("operated-prometheus", "true"), &[], ""),
];

/// What Services are called that somebody made by hand, or labelled otherwise: the ends of their names.
const CALLED: &[(&str, &str, usize)] = &[
    ("thanos-query-frontend", "", 0),
    ("thanos-query", "", 1),
    ("thanos-querier", "", 1),
    ("mimir-gateway", MIMIR, 2),
    ("mimir-nginx", MIMIR, 2),
    ("mimir-query-frontend", MIMIR, 3),
    ("vmselect", VMSELECT, 4),
    ("vmsingle", "", 5),
    ("prometheus", "", 6),
    ("prometheus-server", "", 6),
    ("prometheus-k8s", "", 6),
    ("prometheus-operated", "", 7),
];

/// What the port of the API is called, and which it is where it has no such name.
const PORT_NAMES: &[&str] = &["web", "http-web", "http", "http-metrics", "http-query"];
const PORTS: &[u64] = &[9090, 80, 8080, 8428, 8429, 8481, 10_902];

/// As kubectl's `-l`: the labels of such Services, of which one fits all that [`monitor`] knows by a label.
pub fn selectors() -> Vec<String> {
    let mut keys: Vec<&str> = KNOWN.iter().map(|k| k.label.0).collect();
    keys.sort_unstable();
    keys.dedup();
    let of = |key: &str| {
        let mut values: Vec<&str> = KNOWN.iter().filter(|k| k.label.0 == key).map(|k| k.label.1).collect();
        values.dedup();
        format!("{key} in ({})", values.join(","))
    };
    keys.into_iter().map(of).collect()
}

/// A Service as a Prometheus, by its labels, else by its name.
pub fn monitor(service: &Value) -> Option<Monitor> {
    let (meta, spec) = (&service["metadata"], &service["spec"]);
    // It stands for a name elsewhere, which the API server does not ask.
    if spec["type"] == "ExternalName" {
        return None;
    }
    let label = |key: &str| meta["labels"][key].as_str().unwrap_or_default();
    let name = plain(&meta["name"])?;
    let fits = |k: &&Known| {
        label(k.label.0) == k.label.1 && (k.components.is_empty() || k.components.contains(&label(COMPONENT)))
    };
    let by_label = KNOWN.iter().find(fits).map(|k| (format!("label {}={}", k.label.0, k.label.1), k.path, k.rank));
    // A label that says that it is another part of the same is believed more than a name.
    let other_part = || KNOWN.iter().any(|k| label(k.label.0) == k.label.1);
    let called = |(end, ..): &&(&str, &str, usize)| {
        name.strip_suffix(end).is_some_and(|before| before.is_empty() || before.ends_with('-'))
    };
    let by_name = || CALLED.iter().find(called).map(|(_, path, rank)| ("name".to_owned(), *path, *rank));
    let (by, path, rank) = by_label.or_else(|| by_name().filter(|_| !other_part()))?;
    Some(Monitor { namespace: plain(&meta["namespace"])?, name, port: port(&spec["ports"])?, path, by, rank })
}

/// The port of the API.
fn port(ports: &Value) -> Option<u16> {
    let all: Vec<&Value> =
        ports.as_array()?.iter().filter(|p| p["protocol"].as_str().unwrap_or("TCP") == "TCP").collect();
    let named = PORT_NAMES.iter().find_map(|name| all.iter().find(|p| p["name"] == **name));
    let numbered = || PORTS.iter().find_map(|number| all.iter().find(|p| p["port"].as_u64() == Some(*number)));
    let only = || all.first().filter(|_| all.len() == 1);
    let port = named.or_else(numbered).or_else(only)?;
    u16::try_from(port["port"].as_u64()?).ok().filter(|port| *port > 0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn service(name: &str, labels: &Value, ports: &Value) -> Value {
        json!({"metadata": {"name": name, "namespace": "monitoring", "labels": labels}, "spec": {"ports": ports}})
    }

    #[test]
    fn services_of_the_well_known_charts_are_told_by_their_labels_with_port_and_path() {
        let stack = json!([{"name": "http-web", "port": 9090}, {"name": "reloader-web", "port": 8080}]);
        for (name, labels, ports, wanted) in [
            (
                "kps-kube-prometheus-prometheus",
                json!({"app": "kube-prometheus-stack-prometheus"}),
                stack,
                (9090, "", 6),
            ),
            (
                "prometheus-operated",
                json!({"operated-prometheus": "true"}),
                json!([{"name": "web", "port": 9090}]),
                (9090, "", 7),
            ),
            (
                "x-server",
                json!({"app.kubernetes.io/name": "prometheus", "app.kubernetes.io/component": "server"}),
                json!([{"name": "http", "port": 80}]),
                (80, "", 6),
            ),
            (
                "m-mimir-nginx",
                json!({"app.kubernetes.io/name": "mimir", "app.kubernetes.io/component": "nginx"}),
                json!([{"name": "http-metric", "port": 80}]),
                (80, "/prometheus", 2),
            ),
            (
                "thanos-query",
                json!({"app.kubernetes.io/name": "thanos-query"}),
                json!([{"name": "grpc", "port": 10901}, {"name": "http", "port": 9090}]),
                (9090, "", 1),
            ),
            (
                "vmselect-a",
                json!({"app.kubernetes.io/name": "vmselect"}),
                json!([{"name": "http", "port": 8481}]),
                (8481, "/select/0/prometheus", 4),
            ),
            ("prometheus", json!({}), json!([{"port": 9091}]), (9091, "", 6)),
            ("my-prometheus-server", json!(null), json!([{"port": 80}]), (80, "", 6)),
        ] {
            let found = monitor(&service(name, &labels, &ports)).expect(name);
            assert_eq!((found.port, found.path, found.rank), wanted, "{name}: {found:?}");
        }
    }

    #[test]
    fn what_stands_beside_a_prometheus_is_none() {
        let web = || json!([{"name": "web", "port": 9093}]);
        for (name, labels) in [
            ("alertmanager-main", json!({"app.kubernetes.io/name": "alertmanager"})),
            ("prometheus-node-exporter", json!({"app.kubernetes.io/name": "prometheus-node-exporter"})),
            ("prometheus-operator", json!({"app.kubernetes.io/name": "prometheus-operator"})),
            (
                "mimir-query-frontend",
                json!({"app.kubernetes.io/name": "mimir", "app.kubernetes.io/component": "ingester"}),
            ),
            ("Prometheus\u{1b}", json!({})),
        ] {
            assert_eq!(monitor(&service(name, &labels, &web())), None, "{name}");
        }
        let mut elsewhere = service("prometheus", &json!({}), &web());
        elsewhere["spec"]["type"] = json!("ExternalName");
        assert_eq!(monitor(&elsewhere), None);
        assert_eq!(
            monitor(&service("prometheus", &json!({}), &json!([{"port": 1}, {"port": 2}]))),
            None,
            "which port?"
        );
    }

    #[test]
    fn one_selector_for_each_label_finds_them_all() {
        let selectors = selectors();
        assert_eq!(selectors.len(), 3, "{selectors:?}");
        for known in KNOWN {
            assert!(selectors.iter().any(|s| s.starts_with(known.label.0) && s.contains(known.label.1)));
        }
    }
}
