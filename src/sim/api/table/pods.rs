//! A pod's row: one word for how it is, made from its phase, its containers and its end.

use serde_json::{Value, json};

use super::{age, name, or_none, since};
use crate::domain::At;
use crate::sim::cluster::json::{flag, int, list, text, time_at};

pub(super) fn cells(pod: &Value, now: At) -> Vec<Value> {
    let total = list(pod, "/spec/containers").len();
    let statuses = list(pod, "/status/containerStatuses");
    let ready = statuses.iter().filter(|c| flag(c, "/ready") && c.pointer("/state/running").is_some()).count();
    vec![
        name(pod),
        json!(format!("{ready}/{total}")),
        json!(word(pod)),
        json!(restarts(statuses, now)),
        age(pod, now),
        json!(or_none(text(pod, "/status/podIP"))),
        json!(or_none(text(pod, "/spec/nodeName"))),
        json!("<none>"),
        json!("<none>"),
    ]
}

fn word(pod: &Value) -> String {
    let mut word = text(pod, "/status/phase").to_owned();
    for status in list(pod, "/status/containerStatuses").iter().rev() {
        let waiting = text(status, "/state/waiting/reason");
        let ended = text(status, "/state/terminated/reason");
        if !waiting.is_empty() {
            waiting.clone_into(&mut word);
        } else if !ended.is_empty() {
            ended.clone_into(&mut word);
        } else if let Some(code) = int(status, "/state/terminated/exitCode") {
            word = format!("ExitCode:{code}");
        }
    }
    if !text(pod, "/metadata/deletionTimestamp").is_empty() {
        return "Terminating".to_owned();
    }
    word
}

fn restarts(statuses: &[Value], now: At) -> String {
    let count: i64 = statuses.iter().filter_map(|c| int(c, "/restartCount")).sum();
    let last = statuses.iter().filter_map(|c| time_at(c, "/lastState/terminated/finishedAt")).max();
    match last {
        Some(last) if count > 0 => format!("{count} ({} ago)", since(Some(last), now)),
        _ => count.to_string(),
    }
}
