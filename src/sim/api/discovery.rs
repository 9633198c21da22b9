//! What is served, in both forms in which clients ask: group by group, or all at once.

use serde_json::{Value, json};

use super::ask::Ask;
use super::reply::Reply;
use super::served;
use crate::sim::cluster::Refusal;
use crate::sim::cluster::furniture::VERSION;
use crate::sim::cluster::kinds::Names;

/// The groups with their version, in the order of discovery.
const GROUPS: &[(&str, &str)] = &[
    ("", "v1"),
    ("apps", "v1"),
    ("events.k8s.io", "v1"),
    ("authentication.k8s.io", "v1"),
    ("authorization.k8s.io", "v1"),
    ("autoscaling", "v2"),
    ("discovery.k8s.io", "v1"),
    ("coordination.k8s.io", "v1"),
    ("gateway.networking.k8s.io", "v1"),
];

const ALL_V2: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
const ALL_BETA: &str = "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList";

pub(super) fn version() -> Reply {
    Reply::json(
        200,
        &json!({
            "major": "1", "minor": "34", "gitVersion": VERSION, "gitCommit": "warroom-sim", "gitTreeState": "clean",
            "buildDate": "2025-11-12T00:00:00Z", "goVersion": "none", "compiler": "rustc", "platform": "sim/amd64",
            "emulationMajor": "1", "emulationMinor": "34", "minCompatibilityMajor": "1", "minCompatibilityMinor": "33",
        }),
    )
}

pub(super) fn openapi() -> Reply {
    Reply::json(200, &json!({"paths": {}}))
}

pub(super) fn paths() -> Reply {
    let mut paths = vec!["/api".to_owned(), "/api/v1".to_owned(), "/apis".to_owned()];
    for (group, version) in GROUPS.iter().filter(|(g, _)| !g.is_empty()) {
        paths.push(format!("/apis/{group}"));
        paths.push(format!("/apis/{group}/{version}"));
    }
    paths.extend(["/healthz", "/livez", "/openapi/v3", "/readyz", "/version"].map(str::to_owned));
    Reply::json(200, &json!({"paths": paths}))
}

/// The form in which everything is wanted at once.
fn all_at_once(ask: &Ask) -> Option<&'static str> {
    ask.accepts().find_map(|accepted| {
        let has = |part: &str| accepted.split(';').any(|p| p.trim() == part);
        if !has("as=APIGroupDiscoveryList") {
            None
        } else if has("v=v2") {
            Some(ALL_V2)
        } else if has("v=v2beta1") {
            Some(ALL_BETA)
        } else {
            None
        }
    })
}

pub(super) fn core_versions(ask: &Ask) -> Reply {
    if let Some(form) = all_at_once(ask) {
        return aggregated(form, str::is_empty);
    }
    Reply::json(200, &json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}))
}

pub(super) fn groups(ask: &Ask) -> Reply {
    if let Some(form) = all_at_once(ask) {
        return aggregated(form, |group| !group.is_empty());
    }
    let groups: Vec<Value> = GROUPS.iter().filter(|(g, _)| !g.is_empty()).map(|(g, v)| group_json(g, v)).collect();
    Reply::json(200, &json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}))
}

fn group_json(group: &str, version: &str) -> Value {
    let preferred = json!({"groupVersion": format!("{group}/{version}"), "version": version});
    json!({"name": group, "versions": [preferred], "preferredVersion": preferred})
}

pub(super) fn group(group: &str) -> Result<Reply, Refusal> {
    let (name, version) =
        GROUPS.iter().find(|(g, _)| !g.is_empty() && *g == group).ok_or_else(Refusal::no_such_path)?;
    let mut body = group_json(name, version);
    body["kind"] = json!("APIGroup");
    body["apiVersion"] = json!("v1");
    Ok(Reply::json(200, &body))
}

const VERBS: &[&str] = &["create", "delete", "get", "list", "patch", "update", "watch"];

/// Reviews are made and never kept: name, plural, namespaced.
fn reviews(group: &str) -> &'static [(&'static str, &'static str, bool)] {
    match group {
        "authorization.k8s.io" => &[
            ("SelfSubjectAccessReview", "selfsubjectaccessreviews", false),
            ("SelfSubjectRulesReview", "selfsubjectrulesreviews", false),
        ],
        "authentication.k8s.io" => &[("SelfSubjectReview", "selfsubjectreviews", false)],
        _ => &[],
    }
}

/// A part of a resource: name, kind, its group and version, verbs.
type Part = (&'static str, &'static str, (&'static str, &'static str), &'static [&'static str]);

/// The parts of a resource.
fn parts(names: &Names) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    if names.scale {
        parts.push(("scale", "Scale", ("autoscaling", "v1"), &["get", "patch", "update"]));
    }
    if names.status {
        parts.push(("status", names.name, (names.group, names.version), &["get", "patch", "update"]));
    }
    if names.name == "Pod" {
        parts.push(("eviction", "Eviction", ("policy", "v1"), &["create"]));
        parts.push(("log", "Pod", ("", "v1"), &["get"]));
        parts.push(("proxy", "PodProxyOptions", ("", "v1"), &["get"]));
    }
    parts
}

pub(super) fn resources(group: &str, version: &str) -> Result<Reply, Refusal> {
    if !GROUPS.contains(&(group, version)) {
        return Err(Refusal::no_such_path());
    }
    let mut resources = Vec::new();
    for names in served().iter().filter(|n| n.group == group) {
        let mut resource = json!({
            "name": names.plural, "singularName": names.singular, "namespaced": names.namespaced, "kind": names.name,
            "verbs": VERBS,
        });
        if !names.short.is_empty() {
            resource["shortNames"] = json!(names.short);
        }
        if !names.categories.is_empty() {
            resource["categories"] = json!(names.categories);
        }
        resources.push(resource);
        for (part, kind, (part_group, part_version), verbs) in parts(names) {
            let mut resource = json!({
                "name": format!("{}/{part}", names.plural), "singularName": "", "namespaced": names.namespaced,
                "kind": kind, "verbs": verbs,
            });
            if part_group != group {
                resource["group"] = json!(part_group);
                resource["version"] = json!(part_version);
            }
            resources.push(resource);
        }
    }
    for (kind, plural, namespaced) in reviews(group) {
        resources
            .push(json!({"name": plural, "singularName": kind.to_lowercase(), "namespaced": namespaced, "kind": kind,
                              "verbs": ["create"]}));
    }
    let group_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    Ok(Reply::json(
        200,
        &json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": resources}),
    ))
}

fn aggregated(form: &'static str, wanted: impl Fn(&str) -> bool) -> Reply {
    let groups: Vec<Value> = GROUPS
        .iter()
        .filter(|(group, _)| wanted(group))
        .map(|(group, version)| {
            let mut resources: Vec<Value> = served().iter().filter(|n| n.group == *group).map(whole).collect();
            for (kind, plural, namespaced) in reviews(group) {
                resources.push(json!({
                    "resource": plural, "singularResource": kind.to_lowercase(), "verbs": ["create"],
                    "scope": if *namespaced { "Namespaced" } else { "Cluster" },
                    "responseKind": {"group": group, "version": version, "kind": kind},
                }));
            }
            json!({
                "metadata": if group.is_empty() { json!({"creationTimestamp": null}) } else { json!({"name": group, "creationTimestamp": null}) },
                "versions": [{"version": version, "freshness": "Current", "resources": resources}],
            })
        })
        .collect();
    let version = if form == ALL_V2 { "v2" } else { "v2beta1" };
    Reply::json(
        200,
        &json!({
            "kind": "APIGroupDiscoveryList", "apiVersion": format!("apidiscovery.k8s.io/{version}"), "metadata": {},
            "items": groups,
        }),
    )
    .typed(form)
}

fn whole(names: &Names) -> Value {
    let mut resource = json!({
        "resource": names.plural, "singularResource": names.singular, "verbs": VERBS,
        "scope": if names.namespaced { "Namespaced" } else { "Cluster" },
        "responseKind": {"group": names.group, "version": names.version, "kind": names.name},
    });
    if !names.short.is_empty() {
        resource["shortNames"] = json!(names.short);
    }
    if !names.categories.is_empty() {
        resource["categories"] = json!(names.categories);
    }
    let parts: Vec<Value> = parts(names)
        .into_iter()
        .map(|(part, kind, (group, version), verbs)| {
            json!({"subresource": part, "verbs": verbs,
                   "responseKind": {"group": group, "version": version, "kind": kind}})
        })
        .collect();
    if !parts.is_empty() {
        resource["subresources"] = Value::Array(parts);
    }
    resource
}
