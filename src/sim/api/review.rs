//! Reviews: may I do this, and who am I. What is denied in this simulation is denied here too.

use serde_json::{Value, json};

use super::Shared;
use super::ask::Ask;
use super::reply::Reply;
use crate::sim::cluster::Refusal;
use crate::sim::cluster::json::text;
use crate::sim::rules::Call;

pub(super) fn answer(shared: &Shared, ask: &Ask, review: &str) -> Result<Reply, Refusal> {
    let mut body = ask.json()?;
    let status = match review {
        "selfsubjectaccessreviews" => access(shared, &body),
        "selfsubjectrulesreviews" => json!({
            "incomplete": false, "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
            "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
        }),
        "selfsubjectreviews" => {
            json!({"userInfo": {"username": "sim", "groups": ["system:masters", "system:authenticated"]}})
        }
        _ => return Err(Refusal::no_such_path()),
    };
    body["status"] = status;
    if !body["metadata"].is_object() {
        body["metadata"] = json!({"creationTimestamp": null});
    }
    Ok(Reply::json(201, &body))
}

fn access(shared: &Shared, body: &Value) -> Value {
    let attribute = |field: &str| text(body, &format!("/spec/resourceAttributes/{field}")).to_owned();
    let (resource, part) = (attribute("resource"), attribute("subresource"));
    let resource = if part.is_empty() { resource } else { format!("{resource}/{part}") };
    let namespace = Some(attribute("namespace")).filter(|n| !n.is_empty());
    let allowed = shared.rules.allow(&Call { verb: attribute("verb"), group: attribute("group"), resource, namespace });
    if allowed {
        json!({"allowed": true, "reason": "RBAC: allowed by ClusterRoleBinding \"sim\" of ClusterRole \"cluster-admin\" to User \"sim\""})
    } else {
        json!({"allowed": false})
    }
}
