//! Rows of autoscalers and events.

use serde_json::{Value, json};

use super::{age, name, or_none, since};
use crate::domain::At;
use crate::sim::cluster::json::{int, list, text, time_at};

pub(super) fn autoscaler(object: &Value, now: At) -> Vec<Value> {
    let reference =
        format!("{}/{}", text(object, "/spec/scaleTargetRef/kind"), text(object, "/spec/scaleTargetRef/name"));
    vec![
        name(object),
        json!(reference),
        json!(targets(object)),
        json!(int(object, "/spec/minReplicas").map_or_else(|| "<unset>".to_owned(), |n| n.to_string())),
        json!(int(object, "/spec/maxReplicas").unwrap_or(0).to_string()),
        json!(int(object, "/status/currentReplicas").unwrap_or(0)),
        age(object, now),
    ]
}

fn targets(object: &Value) -> String {
    let current = list(object, "/status/currentMetrics");
    let parts: Vec<String> = list(object, "/spec/metrics")
        .iter()
        .enumerate()
        .map(|(at, metric)| {
            let now = current.get(at);
            match text(metric, "/type") {
                "Resource" => {
                    let now = now.and_then(|n| int(n, "/resource/current/averageUtilization"));
                    let now = now.map_or_else(|| "<unknown>".to_owned(), |n| format!("{n}%"));
                    let target = int(metric, "/resource/target/averageUtilization").unwrap_or(0);
                    format!("{}: {now}/{target}%", text(metric, "/resource/name"))
                }
                "Pods" => {
                    let now = now.map_or("", |n| text(n, "/pods/current/averageValue"));
                    let now = if now.is_empty() { "<unknown>" } else { now };
                    format!("{now}/{}", text(metric, "/pods/target/averageValue"))
                }
                _ => "<unknown type>".to_owned(),
            }
        })
        .collect();
    or_none(&parts.join(", "))
}

pub(super) fn event(object: &Value, now: At) -> Vec<Value> {
    let series = object.get("series").filter(|s| !s.is_null());
    let first = time_at(object, "/firstTimestamp").or_else(|| time_at(object, "/eventTime"));
    let last =
        series.and_then(|s| time_at(s, "/lastObservedTime")).or_else(|| time_at(object, "/lastTimestamp")).or(first);
    let count = series.and_then(|s| int(s, "/count")).or_else(|| int(object, "/count")).unwrap_or(1);
    let component = match text(object, "/source/component") {
        "" => text(object, "/reportingComponent"),
        component => component,
    };
    let host = text(object, "/source/host");
    let source = if host.is_empty() { component.to_owned() } else { format!("{component}, {host}") };
    vec![
        json!(since(last, now)),
        json!(text(object, "/type")),
        json!(text(object, "/reason")),
        json!(format!(
            "{}/{}",
            text(object, "/involvedObject/kind").to_lowercase(),
            text(object, "/involvedObject/name")
        )),
        json!(text(object, "/involvedObject/fieldPath")),
        json!(source),
        json!(text(object, "/message").trim()),
        json!(since(first, now)),
        json!(count),
        name(object),
    ]
}
