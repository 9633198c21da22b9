//! How the engine's image came onto the node, from the kubelet's events about its container. An event counts what is
//! repeated and is forgotten after an hour, so that what is not told stays unknown.

use jiff::SignedDuration;
use serde_json::Value;

use super::json::{number, time, uid};
use super::template::{engine_name, template};
use crate::domain::{At, Pull};

/// The pull of a pod's engine image; nothing where no event tells of it (any more).
pub(super) fn pull(pod: &Value, events: &[&Value]) -> Option<Pull> {
    let template = template(pod);
    let field = format!("spec.containers{{{}}}", engine_name(&template)?);
    // A pod of a StatefulSet comes back under its name: only its identity tells the two apart.
    let own = |object: &Value| object["kind"] == "Pod" && object["uid"] == uid(pod) && object["fieldPath"] == *field;
    let mut pull = Pull::default();
    let mut told = false;
    for event in events.iter().filter(|e| own(about(e))) {
        let message = event["message"].as_str().or_else(|| event["note"].as_str()).unwrap_or_default();
        let first = first(event);
        match event["reason"].as_str() {
            Some("Pulling") => {
                pull.from = earlier(pull.from, first);
                pull.tries = pull.tries.max(number(&event["count"]).unwrap_or(1));
            }
            Some("Pulled") if message.starts_with("Successfully pulled") => {
                pull.to = earlier(pull.to, first);
                pull.took_s = pull.took_s.or_else(|| took_s(message));
            }
            // Said again at each restart, when the image lies there from the first start.
            Some("Pulled") => pull.cached = true,
            _ => continue,
        }
        told = true;
    }
    pull.cached &= pull.from.is_none() && pull.to.is_none();
    told.then_some(pull)
}

fn about(event: &Value) -> &Value {
    if event["involvedObject"].is_object() { &event["involvedObject"] } else { &event["regarding"] }
}

fn first(event: &Value) -> Option<At> {
    ["firstTimestamp", "deprecatedFirstTimestamp", "eventTime"].iter().find_map(|field| time(&event[field]))
}

fn earlier(one: Option<At>, other: Option<At>) -> Option<At> {
    one.into_iter().chain(other).min()
}

/// `... in 1m2.345s (1m10.2s including waiting). Image size: ...`: the longer one, where other pulls were waited for.
fn took_s(message: &str) -> Option<f64> {
    let (_, rest) = message.rsplit_once(" in ")?;
    let waiting = rest.split_once('(').and_then(|(_, w)| w.split_once(" including waiting"));
    let word = waiting.map_or_else(|| rest.split([' ', ';']).next().unwrap_or_default(), |(took, _)| took);
    let took: SignedDuration = word.trim_end_matches('.').parse().ok()?;
    Some(took.as_secs_f64()).filter(|s| *s >= 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kubelet_says_to_the_millisecond_how_long_a_pull_took() {
        for (message, expected) in [
            (
                "Successfully pulled image \"a in b\" in 1m2.345s (1m10.2s including waiting). Image size: 7 bytes.",
                70.2,
            ),
            ("Successfully pulled image \"vllm\" in 345.6ms (345.6ms including waiting)", 0.3456),
            ("Successfully pulled image \"vllm\" in 12.5s", 12.5),
        ] {
            let took = took_s(message).expect("a duration");
            assert!((took - expected).abs() < 1e-6, "{message}: {took}");
        }
        assert_eq!(took_s("Successfully pulled image \"vllm\""), None);
    }
}
