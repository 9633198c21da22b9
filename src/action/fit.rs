//! Whether pods that have to start find free GPUs. An estimate: only the scheduler knows, and a dry run does not ask it.

use serde::Serialize;
use serde_json::Value;

use crate::domain::{ClusterFacts, Node, Taint, Template};

/// How sure it is that they fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fits {
    /// They do, now.
    Yes,
    /// They do not.
    No,
    /// Not known.
    Unknown,
}

/// Whether they fit, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fit {
    /// How sure.
    pub fits: Fits,
    /// Why, in a sentence.
    pub why: String,
    /// Pods that need room beside what runs.
    pub pods: u32,
    /// GPUs that each of them asks for.
    pub gpus_each: u32,
    /// What each node could take.
    pub nodes: Vec<NodeFit>,
}

/// What one node could take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NodeFit {
    /// Its name.
    pub node: String,
    /// GPUs that nobody has asked for; `None`: not known.
    pub free: Option<u32>,
    /// Pods that would find room; `None`: not known.
    pub takes: Option<u32>,
    /// Why it takes none whatever is free.
    pub why_not: Option<String>,
}

impl Fit {
    /// Nothing has to find room, because of `why`.
    pub(super) fn needless(why: impl Into<String>) -> Self {
        Self { fits: Fits::Yes, why: why.into(), pods: 0, gpus_each: 0, nodes: Vec::new() }
    }
}

/// Whether `pods` more pods of this template find room. `raw` is the template with its tolerations.
pub(super) fn fit(facts: &ClusterFacts, template: &Template, raw: &Value, pods: u32) -> Fit {
    let gpus_each = template.containers.iter().map(|c| c.gpus).fold(0, u32::saturating_add);
    let answer = |fits, why: String, nodes| Fit { fits, why, pods, gpus_each, nodes };
    if pods == 0 {
        return Fit::needless("nothing new has to start");
    }
    if gpus_each == 0 {
        return answer(
            Fits::Unknown,
            "it asks for no GPU by name; CPU and memory are not looked at".into(),
            Vec::new(),
        );
    }
    let Some(known) = &facts.nodes else {
        return answer(Fits::Unknown, "nodes may not be read, so that free GPUs are not known".into(), Vec::new());
    };
    let nodes: Vec<NodeFit> =
        known.iter().filter(|n| n.gpus > 0).map(|n| of_node(n, facts, template, raw, gpus_each)).collect();
    let room = nodes.iter().filter_map(|n| n.takes).fold(0, u32::saturating_add);
    let unknown = nodes.iter().any(|n| n.takes.is_none());
    let need = format!("{pods} x {gpus_each} GPU");
    let affine = raw["spec"]["affinity"].is_object() || raw["spec"]["topologySpreadConstraints"].is_array();
    if room < pods && !unknown {
        let free = nodes.iter().filter(|n| n.why_not.is_none()).filter_map(|n| n.free).fold(0, u32::saturating_add);
        return answer(Fits::No, format!("needs {need}, and nodes that may take it have {free} free"), nodes);
    }
    if room < pods {
        return answer(Fits::Unknown, format!("needs {need}; not every node's free GPUs are known"), nodes);
    }
    if affine {
        return answer(
            Fits::Unknown,
            format!("needs {need}, which are free, but its affinity or spread rules were not checked"),
            nodes,
        );
    }
    let on = nodes.iter().filter(|n| n.takes.is_some_and(|t| t > 0)).count();
    answer(Fits::Yes, format!("needs {need}: free on {on} node{}", if on == 1 { "" } else { "s" }), nodes)
}

fn of_node(node: &Node, facts: &ClusterFacts, template: &Template, raw: &Value, each: u32) -> NodeFit {
    let free = node.gpus_taken.map(|taken| node.gpus.saturating_sub(taken));
    // Its pods run there already: then whatever keeps others away does not keep them.
    let runs_there = facts.pods.iter().any(|p| p.node.as_deref() == Some(node.name.as_str()) && p.ready);
    let unmatched = template.node_selector.iter().find(|wanted| !node.labels.contains(wanted));
    let repelled = node.taints.iter().find(|t| keeps_away(t) && !tolerated(t, raw) && !runs_there);
    let why_not = if node.cordoned {
        Some("cordoned".to_owned())
    } else if node.ready == Some(false) {
        Some("not Ready".to_owned())
    } else if let Some((key, value)) = unmatched {
        Some(format!("not {key}={value}"))
    } else {
        repelled.map(|t| format!("taint {}", t.key))
    };
    let takes = if why_not.is_some() { Some(0) } else { free.map(|free| free / each.max(1)) };
    NodeFit { node: node.name.clone(), free, takes, why_not }
}

fn keeps_away(taint: &Taint) -> bool {
    matches!(taint.effect.as_str(), "NoSchedule" | "NoExecute")
}

/// Whether one of the template's tolerations answers a taint.
fn tolerated(taint: &Taint, raw: &Value) -> bool {
    let tolerations = raw["spec"]["tolerations"].as_array().map(Vec::as_slice).unwrap_or_default();
    tolerations.iter().any(|t| {
        let field = |name: &str| t[name].as_str().unwrap_or_default();
        let effect = field("effect").is_empty() || field("effect") == taint.effect;
        let key = field("key") == taint.key || (field("key").is_empty() && field("operator") == "Exists");
        effect && key && (field("operator") == "Exists" || field("value") == taint.value)
    })
}
