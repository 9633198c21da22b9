//! Events as components write them: the same news again only counts, and an hour after the last time it is forgotten.
//!
//! The scheduler writes the new form (`eventTime`, `series`), everyone else the old one (`count`, two timestamps), as in
//! a real cluster.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::desk::Desk;
use super::json::{micro, name, namespace, text, time, uid};
use super::kinds::Kind;
use super::store::Key;
use crate::domain::At;

/// How long an event is kept after it last happened (s): kube-apiserver's `--event-ttl`.
const KEPT_S: f64 = 3600.0;
/// A source may write so many events about one object at once, and one more every five minutes.
const BURST: u32 = 25;
const REFILL_S: f64 = 300.0;

/// What was written before.
#[derive(Debug, Default)]
pub(crate) struct Events {
    known: BTreeMap<(String, String, String), Known>,
    spent: BTreeMap<(String, String), (u32, At)>,
}

#[derive(Debug)]
struct Known {
    key: Key,
    count: u32,
    last: At,
}

impl Events {
    /// Writes one, or counts it.
    pub(super) fn record(
        desk: &mut Desk,
        at: At,
        id: String,
        about: &Value,
        field: &str,
        source: &Value,
        (kind, reason, message): (&str, &str, &str),
    ) {
        let component = text(source, "/component");
        if !desk.events.may_write(component, uid(about), at) {
            return;
        }
        let modern = component == "default-scheduler";
        let same = (uid(about).to_owned(), reason.to_owned(), message.to_owned());
        if let Some(known) = desk.events.known.get_mut(&same) {
            known.count += 1;
            known.last = at;
            let (key, count) = (known.key.clone(), known.count);
            let counted = desk.store.modify(Kind::Event, &key.0, &key.1, |event| {
                if modern {
                    event["series"] = json!({"count": count, "lastObservedTime": micro(at)});
                } else {
                    event["count"] = json!(count);
                    event["lastTimestamp"] = json!(time(at));
                }
            });
            if counted.is_some() {
                return;
            }
        }
        let home = if namespace(about).is_empty() { "default" } else { namespace(about) };
        let digits = id.replace('-', "");
        let event_name = format!("{}.{}", name(about), &digits[..16.min(digits.len())]);
        let mut involved = json!({
            "kind": text(about, "/kind"), "namespace": home, "name": name(about), "uid": uid(about),
            "apiVersion": text(about, "/apiVersion"), "resourceVersion": text(about, "/metadata/resourceVersion"),
        });
        if !field.is_empty() {
            involved["fieldPath"] = json!(field);
        }
        if namespace(about).is_empty()
            && let Some(involved) = involved.as_object_mut()
        {
            involved.remove("namespace");
        }
        let (first, eventtime, count) = if modern {
            (Value::Null, json!(micro(at)), Value::Null)
        } else {
            (json!(time(at)), Value::Null, json!(1))
        };
        let mut event = json!({
            "metadata": {"name": event_name, "namespace": home}, "involvedObject": involved, "reason": reason,
            "message": message, "type": kind, "source": if modern { json!({}) } else { source.clone() },
            "firstTimestamp": first, "lastTimestamp": first, "count": count, "eventTime": eventtime,
            "reportingComponent": component, "reportingInstance": text(source, "/host"),
        });
        if modern {
            event["action"] = json!(if reason == "Scheduled" { "Binding" } else { "Scheduling" });
            event["reportingInstance"] = json!("default-scheduler-control-plane-1");
        }
        if count_is_absent(&event)
            && let Some(event) = event.as_object_mut()
        {
            event.remove("count");
        }
        let event = desk.create(Kind::Event, event);
        let key = (home.to_owned(), name(&event).to_owned());
        desk.events.known.insert(same, Known { key, count: 1, last: at });
    }

    /// Forgets what is too old.
    pub(super) fn expire(desk: &mut Desk, at: At) {
        let old = |known: &Known| at.since(known.last) > KEPT_S;
        for known in desk.events.known.values().filter(|k| old(k)) {
            desk.store.remove(Kind::Event, &known.key.0, &known.key.1);
        }
        desk.events.known.retain(|_, known| !old(known));
        desk.events.spent.retain(|_, (_, last)| at.since(*last) <= KEPT_S);
    }

    fn may_write(&mut self, component: &str, about: &str, at: At) -> bool {
        let spent = self.spent.entry((component.to_owned(), about.to_owned())).or_insert((0, at));
        let refilled = at.since(spent.1) / REFILL_S;
        if refilled >= 1.0 {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small count above 0")]
            let tokens = refilled.min(f64::from(BURST)) as u32;
            *spent = (spent.0.saturating_sub(tokens), at);
        }
        let may = spent.0 < BURST;
        if may {
            spent.0 += 1;
        }
        may
    }
}

fn count_is_absent(event: &Value) -> bool {
    event["count"].is_null()
}

/// A stored event in the form of `events.k8s.io/v1`.
pub(crate) fn modern(event: &Value) -> Value {
    let mut new = json!({
        "apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": event["metadata"], "reason": event["reason"],
        "note": event["message"], "type": event["type"], "regarding": event["involvedObject"],
        "reportingController": event["reportingComponent"], "reportingInstance": event["reportingInstance"],
        "eventTime": event["eventTime"],
    });
    for (from, to) in [
        ("action", "action"),
        ("series", "series"),
        ("count", "deprecatedCount"),
        ("firstTimestamp", "deprecatedFirstTimestamp"),
        ("lastTimestamp", "deprecatedLastTimestamp"),
        ("source", "deprecatedSource"),
    ] {
        if !event[from].is_null() {
            new[to] = event[from].clone();
        }
    }
    new
}
