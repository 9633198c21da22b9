//! The report for programs: `warroom.report/1`.

use serde_json::{Value, json};

use super::Incident;
use crate::contract::time;
use crate::domain::At;

/// The object.
pub fn json(incident: &Incident) -> Value {
    let verdict = |v: &Option<(At, crate::contract::record::Verdict)>| {
        v.as_ref().map(|(at, v)| {
            json!({"at": time(*at), "verdict": v.verdict, "trend": v.trend, "since": v.since.map(time),
                "until": v.until.map(time), "sentence": v.sentence, "suspect": v.suspect})
        })
    };
    json!({
        "schema": "warroom.report/1",
        "tool_version": env!("CARGO_PKG_VERSION"),
        "target": {"context": incident.target.context, "namespace": incident.target.namespace,
            "kind": incident.target.workload, "name": incident.target.name},
        "simulated": incident.simulated,
        "from": time(incident.opened),
        "to": time(incident.last),
        "onset": incident.onset.map(time),
        "runbook": incident.runbook.as_ref().map(|(id, state)| json!({"id": id, "state": state, "ended": incident.ended})),
        "worst": verdict(&incident.worst),
        "latest": verdict(&incident.latest),
        "times": incident.steps.iter().map(|s| (s.name.to_owned(), json!({"at": s.at.map(time), "after_s": s.after_s})))
            .collect::<serde_json::Map<String, Value>>(),
        "people": incident.people.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "timeline": incident.events.iter().map(|e| json!({"at": time(e.at), "kind": e.kind,
            "by": e.by.as_ref().map(ToString::to_string), "text": e.text, "details": e.details})).collect::<Vec<_>>(),
        "series": incident.points.iter().map(|p| json!({"at": time(p.at), "ttft_mean_s": p.ttft_s, "ttft_late": p.late,
            "itl_mean_s": p.itl_s, "waiting": p.waiting, "kv_usage": p.kv})).collect::<Vec<_>>(),
        "marks": incident.marks.iter().map(|(at, what)| json!({"at": time(*at), "what": what})).collect::<Vec<_>>(),
        "left_open": incident.open,
        "unanswered": incident.unanswered,
        "problems": incident.problems,
    })
}
