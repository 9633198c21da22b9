//! What leads to a workload from outside: Services and `InferencePools` that select its pods, and the routes in front that
//! name those. Pure: one object in, what it says out; nothing here knows which objects there are.
//!
//! Sources: the types of Gateway API v1, of its inference extension (v1 and v1alpha2), and of `networking.k8s.io/v1`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::json::name;

/// A pool whose endpoint picker chooses replicas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// Its name.
    pub name: String,
    /// The Service of its endpoint picker.
    pub picker: Option<String>,
}

/// What in the workload's namespace selects its pods.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Backends {
    /// Services, by name.
    pub services: Vec<String>,
    /// `InferencePools`.
    pub pools: Vec<Pool>,
}

/// A Service's name where it selects pods with these labels.
pub fn service(object: &Value, labels: &BTreeMap<String, String>) -> Option<String> {
    selects(&object["spec"]["selector"], labels).then(|| plain(&object["metadata"]["name"])).flatten()
}

/// An `InferencePool` where it selects pods with these labels.
pub fn pool(object: &Value, labels: &BTreeMap<String, String>) -> Option<Pool> {
    let spec = &object["spec"];
    // v1 has `matchLabels` below the selector, v1alpha2 the labels themselves.
    let selector =
        if spec["selector"]["matchLabels"].is_object() { &spec["selector"]["matchLabels"] } else { &spec["selector"] };
    if !selects(selector, labels) {
        return None;
    }
    let picker = if spec["endpointPickerRef"].is_object() { &spec["endpointPickerRef"] } else { &spec["extensionRef"] };
    let is_service = picker["kind"].as_str().is_none_or(|kind| kind == "Service");
    let picker = plain(&picker["name"]).filter(|_| is_service);
    Some(Pool { name: plain(&object["metadata"]["name"])?, picker })
}

/// The Gateways, by namespace and name, to which an `HTTPRoute` is attached; none where it leads elsewhere than to what
/// stands in `namespace`. A route of another namespace needs a grant: where its own status says that it has none, it leads
/// nowhere.
pub fn gateways(route: &Value, namespace: &str, backends: &Backends) -> Vec<(String, String)> {
    let home = plain(&route["metadata"]["namespace"]).unwrap_or_else(|| namespace.to_owned());
    let leads_here = |to: &Value| {
        let named = to["name"].as_str().unwrap_or_default();
        let there = to["namespace"].as_str().unwrap_or(&home);
        there == namespace
            && match to["kind"].as_str().unwrap_or("Service") {
                "Service" => backends.services.iter().any(|s| s == named),
                "InferencePool" => backends.pools.iter().any(|p| p.name == named),
                _ => false,
            }
    };
    let rules = items(&route["spec"]["rules"]);
    if !rules.flat_map(|rule| items(&rule["backendRefs"])).any(leads_here) {
        return Vec::new();
    }
    let refused = |condition: &Value| condition["type"] == "ResolvedRefs" && condition["reason"] == "RefNotPermitted";
    if items(&route["status"]["parents"]).any(|parent| items(&parent["conditions"]).any(refused)) {
        return Vec::new();
    }
    items(&route["spec"]["parentRefs"])
        .filter(|parent| parent["kind"].as_str().is_none_or(|kind| kind == "Gateway"))
        .filter_map(|parent| {
            let space = parent.get("namespace").map_or_else(|| Some(home.clone()), plain)?;
            Some((space, plain(&parent["name"])?))
        })
        .collect()
}

/// The class of an Ingress that leads to one of these Services: its name, or `None` where it leaves it to the cluster's
/// default. Nothing where it leads elsewhere.
pub fn ingress_class(ingress: &Value, backends: &Backends) -> Option<Option<String>> {
    let spec = &ingress["spec"];
    let leads_here = |backend: &Value| {
        backend["service"]["name"].as_str().is_some_and(|named| backends.services.iter().any(|s| s == named))
    };
    let paths = items(&spec["rules"]).flat_map(|rule| items(&rule["http"]["paths"]));
    let mut targets = paths.map(|path| &path["backend"]).chain(std::iter::once(&spec["defaultBackend"]));
    targets.any(leads_here).then(|| {
        let old = &ingress["metadata"]["annotations"]["kubernetes.io/ingress.class"];
        plain(&spec["ingressClassName"]).or_else(|| plain(old))
    })
}

/// The controller of an `IngressClass` by its name, or of the default one.
pub fn controller<'a>(classes: &'a [Value], wanted: Option<&str>) -> Option<&'a str> {
    let is_default = |class: &&Value| {
        class["metadata"]["annotations"]["ingressclass.kubernetes.io/is-default-class"].as_str() == Some("true")
    };
    let class = match wanted {
        Some(wanted) => classes.iter().find(|class| name(class) == wanted),
        None => classes.iter().find(is_default),
    };
    class?["spec"]["controller"].as_str()
}

/// Whether a selector, which holds anything at all, finds pods with these labels.
fn selects(selector: &Value, labels: &BTreeMap<String, String>) -> bool {
    let selector = selector.as_object().filter(|s| !s.is_empty());
    selector.is_some_and(|s| s.iter().all(|(key, value)| labels.get(key).is_some_and(|l| value.as_str() == Some(l))))
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

/// A name that can stand in a URL's path as it is.
pub fn plain(name: &Value) -> Option<String> {
    let name = name.as_str()?;
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
    (!name.is_empty() && name.len() <= 253 && name.chars().all(plain)).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn labels() -> BTreeMap<String, String> {
        [("app", "vllm"), ("model", "llama")].map(|(k, v)| (k.to_owned(), v.to_owned())).into()
    }

    #[test]
    fn what_selects_the_pods_and_nothing_else_leads_to_them() {
        let of = |selector: Value| json!({"metadata": {"name": "front"}, "spec": {"selector": selector}});
        assert_eq!(service(&of(json!({"app": "vllm"})), &labels()), Some("front".to_owned()));
        assert_eq!(service(&of(json!({"app": "vllm", "model": "qwen"})), &labels()), None);
        assert_eq!(service(&of(json!({})), &labels()), None, "an empty one selects nothing of a Service");
        assert_eq!(service(&json!({"metadata": {"name": "x"}, "spec": {"externalName": "y"}}), &labels()), None);
        let mut v1 = of(json!({"matchLabels": {"model": "llama"}}));
        v1["spec"]["endpointPickerRef"] = json!({"name": "picker", "port": {"number": 9002}});
        assert_eq!(pool(&v1, &labels()), Some(Pool { name: "front".into(), picker: Some("picker".into()) }));
        let mut alpha = of(json!({"app": "vllm"}));
        alpha["spec"]["extensionRef"] = json!({"name": "../x"});
        assert_eq!(pool(&alpha, &labels()), Some(Pool { name: "front".into(), picker: None }), "that is no name");
    }

    #[test]
    fn a_route_names_its_gateways_by_every_default_of_its_kind() {
        let pool = Pool { name: "pool".into(), picker: None };
        let backends = Backends { services: vec!["vllm".into()], pools: vec![pool] };
        let route = |to: Value| {
            json!({"spec": {"parentRefs": [{"name": "edge", "namespace": "infra"}, {"name": "own"},
                                           {"kind": "Service", "name": "mesh"}],
                            "rules": [{"backendRefs": [{"name": "other"}]}, {"backendRefs": [to]}]}})
        };
        let both = vec![("infra".to_owned(), "edge".to_owned()), ("llm".to_owned(), "own".to_owned())];
        assert_eq!(gateways(&route(json!({"name": "vllm", "port": 80})), "llm", &backends), both);
        assert_eq!(gateways(&route(json!({"kind": "InferencePool", "name": "pool"})), "llm", &backends), both);
        assert!(gateways(&route(json!({"name": "vllm", "namespace": "elsewhere"})), "llm", &backends).is_empty());
        assert!(gateways(&route(json!({"kind": "InferencePool", "name": "vllm"})), "llm", &backends).is_empty());
        assert!(gateways(&json!({"spec": "odd"}), "llm", &backends).is_empty());
    }

    #[test]
    fn a_route_of_another_namespace_leads_here_where_it_says_so_and_is_let() {
        let backends = Backends { services: vec!["vllm".into()], ..Backends::default() };
        let route = |to: Value, reason: &str| {
            json!({"metadata": {"namespace": "infra"},
                   "spec": {"parentRefs": [{"name": "edge"}], "rules": [{"backendRefs": [to]}]},
                   "status": {"parents": [{"conditions": [{"type": "ResolvedRefs", "reason": reason}]}]}})
        };
        let here = json!({"name": "vllm", "namespace": "llm"});
        let edge = [("infra".to_owned(), "edge".to_owned())];
        assert_eq!(gateways(&route(here.clone(), "ResolvedRefs"), "llm", &backends), edge);
        assert!(gateways(&route(here, "RefNotPermitted"), "llm", &backends).is_empty());
        let namesake = json!({"name": "vllm"});
        assert!(gateways(&route(namesake, "ResolvedRefs"), "llm", &backends).is_empty(), "that is infra's own");
    }

    #[test]
    fn an_ingress_is_of_the_class_that_it_names_in_either_way_or_of_the_default() {
        let backends = Backends { services: vec!["vllm".into()], ..Backends::default() };
        let path = json!([{"http": {"paths": [{"backend": {"service": {"name": "vllm"}}}]}}]);
        let named = json!({"spec": {"ingressClassName": "nginx", "rules": path}});
        assert_eq!(ingress_class(&named, &backends), Some(Some("nginx".to_owned())));
        let old = json!({"metadata": {"annotations": {"kubernetes.io/ingress.class": "traefik"}},
                         "spec": {"defaultBackend": {"service": {"name": "vllm"}}}});
        assert_eq!(ingress_class(&old, &backends), Some(Some("traefik".to_owned())));
        assert_eq!(ingress_class(&json!({"spec": {"rules": path}}), &backends), Some(None));
        assert_eq!(ingress_class(&json!({"spec": {"defaultBackend": {"service": {"name": "x"}}}}), &backends), None);
        let class = |name: &str, default: &str| {
            json!({"metadata": {"name": name, "annotations": {"ingressclass.kubernetes.io/is-default-class": default}},
                   "spec": {"controller": format!("of/{name}")}})
        };
        let classes = [class("a", "false"), class("b", "true")];
        assert_eq!(controller(&classes, Some("a")), Some("of/a"));
        assert_eq!(controller(&classes, None), Some("of/b"));
        assert_eq!(controller(&classes, Some("c")), None);
    }
}
