//! Fields that nobody knows: dropped with a warning, or refused where a client asks for that. Known are those at the top
//! and in `spec`, where typing errors are.

use serde_json::Value;

use super::ask::Ask;
use crate::sim::cluster::Refusal;
use crate::sim::cluster::kinds::{Kind, Names};

const TOP: &[&str] = &["apiVersion", "kind", "metadata", "spec", "status"];

fn known(kind: Kind) -> Option<&'static [&'static str]> {
    match kind {
        Kind::Deployment => Some(&[
            "replicas",
            "selector",
            "template",
            "strategy",
            "minReadySeconds",
            "revisionHistoryLimit",
            "paused",
            "progressDeadlineSeconds",
        ]),
        Kind::Autoscaler => Some(&["scaleTargetRef", "minReplicas", "maxReplicas", "metrics", "behavior"]),
        _ => None,
    }
}

/// Takes what is not known out of an object, and says how each of it is called.
fn taken_out(names: &Names, body: &mut Value) -> Vec<String> {
    let Some(known) = known(names.kind) else { return Vec::new() };
    let mut unknown = Vec::new();
    let mut keep = |map: Option<&mut serde_json::Map<String, Value>>, known: &[&str], place: &str| {
        let Some(map) = map else { return };
        map.retain(|key, _| {
            let kept = known.contains(&key.as_str());
            if !kept {
                unknown.push(crate::text::clean(&format!("unknown field \"{place}{key}\""), 140));
            }
            kept
        });
    };
    keep(body.as_object_mut(), TOP, "");
    keep(body.get_mut("spec").and_then(Value::as_object_mut), known, "spec.");
    unknown
}

/// What is written of an object, and what is to be warned of.
///
/// With `fieldValidation=Strict` it is refused: as a bad request, or, where a patch made it, as an invalid patch.
pub(super) fn known_ones(ask: &Ask, names: &Names, body: &mut Value, patched: bool) -> Result<Vec<String>, Refusal> {
    let whole = (patched && ask.get("fieldValidation") == "Strict").then(|| body.to_string());
    let unknown = taken_out(names, body);
    if unknown.is_empty() {
        return Ok(unknown);
    }
    match ask.get("fieldValidation") {
        "Ignore" => Ok(Vec::new()),
        "Strict" => {
            let why = format!("strict decoding error: {}", unknown.join(", "));
            Err(match whole {
                Some(whole) => {
                    let message = format!(" \"\" is invalid: patch: Invalid value: {whole:?}: {why}");
                    Refusal::new(422, "Invalid", message)
                }
                None => Refusal::bad(why),
            })
        }
        _ => Ok(unknown),
    }
}
