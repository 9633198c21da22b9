//! A plan as a record remembers it: enough of it to find out what became of it, and to follow it. Any record has an
//! answer, and nothing that is recalled can be sent: what may be sent is planned anew.

use serde::Deserialize;
use serde_json::{Value, json};

use super::plan::{Goal, Plan, Precondition};
use super::request::Method;
use super::{Action, Cost, Fit, Request};
use crate::domain::{At, RawTemplate, WorkloadRef};

/// What is read of a plan; the rest of it was for its card.
#[derive(Deserialize)]
struct Kept {
    action: Action,
    object: String,
    at: At,
    title: String,
    precondition: KeptPrecondition,
    request: KeptRequest,
    #[serde(default)]
    cost: KeptCost,
    inverse: Option<Action>,
    cause: Option<String>,
}

#[derive(Deserialize)]
struct KeptPrecondition {
    uid: String,
    replicas: Option<u32>,
}

#[derive(Deserialize)]
struct KeptRequest {
    path: String,
}

#[derive(Deserialize, Default)]
struct KeptCost {
    #[serde(default)]
    loads: u32,
    #[serde(default)]
    of: u32,
    eta_s: Option<f64>,
}

impl Plan {
    /// The plan of a record: `plan` as it was serialised, `bytes` of its request. `None`: it is none.
    pub fn recalled(plan: &Value, bytes: &str, target: WorkloadRef) -> Option<Self> {
        let kept = Kept::deserialize(plan).ok()?;
        let body: Value = serde_json::from_str(bytes).ok()?;
        let shown = |op: &str| Some(operation(&body, op, "/spec/template")?["value"].clone());
        let template = shown("test");
        let goal = match &kept.action {
            Action::RolloutUndo { .. } => Goal::Template(shown("replace")?.into()),
            Action::RolloutRestart => Goal::Template(restarted(template.clone()?, &body)?),
            Action::Scale { to } => Goal::Replicas(*to),
            Action::RolloutPause => Goal::Paused(true),
            Action::RolloutResume => Goal::Paused(false),
            Action::SetAutoscalerBounds { min, max } => Goal::Bounds { min: *min, max: *max },
            Action::PauseAutoscaler { paused } => Goal::ScaleInPaused(*paused),
            Action::CordonNode { cordoned, .. } => Goal::Cordoned(*cordoned),
        };
        let eta_s = kept.cost.eta_s.filter(|s| s.is_finite() && *s >= 0.0);
        Some(Self {
            action: kept.action,
            target,
            revision: None,
            object: kept.object,
            at: kept.at,
            title: kept.title,
            does: Vec::new(),
            precondition: Precondition {
                uid: kept.precondition.uid,
                template: template.map(RawTemplate::from),
                replicas: kept.precondition.replicas,
            },
            goal,
            request: Request {
                method: Method::Patch,
                path: kept.request.path,
                query: String::new(),
                content_type: "application/json-patch+json",
                body: String::new(),
            },
            access: Vec::new(),
            changes: Vec::new(),
            lines: Vec::new(),
            conflicts: Vec::new(),
            fit: Fit::needless("it is on record"),
            cost: Cost { loads: kept.cost.loads, of: kept.cost.of, eta_s, ..Cost::default() },
            inverse: kept.inverse,
            alternatives: Vec::new(),
            kubectl: String::new(),
            warnings: Vec::new(),
            cause: kept.cause,
        })
    }
}

/// The first operation of this kind on this path.
fn operation<'a>(body: &'a Value, op: &str, path: &str) -> Option<&'a Value> {
    body.as_array()?.iter().find(|o| o["op"] == op && o["path"] == path)
}

/// The template that a restart leaves.
fn restarted(mut template: Value, body: &Value) -> Option<RawTemplate> {
    let added = body.as_array()?.iter().find(|o| o["op"] == "add")?;
    let annotations = &mut template.as_object_mut()?.entry("metadata").or_insert_with(|| json!({}))["annotations"];
    match added["path"].as_str()?.strip_prefix("/spec/template/metadata/annotations")? {
        "" => *annotations = added["value"].clone(),
        key => {
            let key = key.strip_prefix('/')?.replace("~1", "/").replace("~0", "~");
            annotations.as_object_mut()?.insert(key, added["value"].clone());
        }
    }
    Some(template.into())
}
