//! What came of a request: the answers that an API server gives, and what an object says about it when it is read again.

use serde::Serialize;
use serde_json::Value;

use super::plan::{Goal, Plan};
use super::request::MANAGER;
use super::{Line, Request, Sign, diff, template};
use crate::domain::At;
use crate::text::clean;

/// Lines of a difference that are told.
const MOST_TOLD: usize = 12;
const SENTENCE: usize = 300;

/// Whether it is allowed, as the API server says before it is asked to do it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// It is.
    Allowed,
    /// It is not; what is missing.
    Denied(String),
    /// The API server does not say; why.
    Unknown(String),
}

/// A request that was accepted.
#[derive(Debug, Clone, PartialEq, Serialize, Default)]
pub struct Answer {
    /// The object as it is then, or would be.
    #[serde(skip)]
    pub object: Value,
    /// What the server warns of.
    pub warnings: Vec<String>,
    /// In what the object differs from what was asked for: somebody's webhook had a hand in it.
    pub unexpected: Vec<Line>,
}

/// A dry run: what was sent, and what came of it. It may be anything; [`super::guard`] looks at it closely.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trial {
    /// When it was answered (ms since 1970).
    #[serde(serialize_with = "super::plan::ms")]
    pub at: At,
    /// What was sent, with `dryRun=All` beside it.
    pub sent: Request,
    /// Whether it is allowed.
    pub permission: Permission,
    /// What came of it.
    pub result: Result<Answer, Outcome>,
}

/// What came of a request that is meant.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is stored. Whether it helps, only the service says.
    Applied(Answer),
    /// It is not done: the object is not what was shown any more.
    Moved {
        /// In what it differs now.
        differs: Vec<String>,
        /// Who wrote it last, and when.
        by: Option<String>,
    },
    /// It is not done: somebody else wrote at the same time.
    Conflict {
        /// What the server says.
        message: String,
        /// In what the object differs now.
        differs: Vec<String>,
        /// Who wrote it last, and when.
        by: Option<String>,
    },
    /// It is not done: it is not allowed, or an admission webhook or a quota says no.
    Denied(String),
    /// It is not done: the server does not know who asks.
    Unauthenticated(String),
    /// It is not done: it cannot be valid.
    Invalid(String),
    /// It is not done: the object does not exist any more.
    Gone(String),
    /// It is not done: the server is too busy to look at it.
    Busy(String),
    /// It is not done: the server answers with another refusal.
    Rejected {
        /// The HTTP status.
        code: u16,
        /// What it says.
        message: String,
    },
    /// It is not done: nobody was reached.
    NotSent(String),
    /// Nobody knows: the answer got lost. What the object says since.
    Unknown {
        /// What happened instead of an answer.
        why: String,
        /// What was seen when it was read again.
        seen: Seen,
    },
}

/// What an object says about a request whose answer was lost.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Seen {
    /// It is as was asked for.
    Done {
        /// Whether it was this program that wrote it last; `None`: that cannot be told.
        ours: Option<bool>,
    },
    /// It is as it was before.
    NotDone,
    /// It is neither.
    Changed {
        /// In what it differs from what was shown.
        differs: Vec<String>,
        /// Who wrote it last, and when.
        by: Option<String>,
    },
    /// It does not exist any more.
    Gone,
    /// It could not be read.
    NotRead(String),
}

impl Outcome {
    /// Whether the cluster is changed by it; `None`: not known.
    pub const fn changed(&self) -> Option<bool> {
        match self {
            Self::Applied(_) | Self::Unknown { seen: Seen::Done { .. }, .. } => Some(true),
            Self::Unknown { seen: Seen::NotDone, .. } => Some(false),
            Self::Unknown { .. } => None,
            _ => Some(false),
        }
    }
}

/// What `object`, read just now, says about a plan.
pub fn seen(plan: &Plan, object: &Value) -> Seen {
    if object["metadata"]["uid"] != plan.precondition.uid.as_str() {
        return Seen::Gone;
    }
    if reached(&plan.goal, object) {
        return Seen::Done { ours: ours(plan, object) };
    }
    let differs = differences(plan, object);
    if differs.is_empty() { Seen::NotDone } else { Seen::Changed { differs, by: last_writer(object) } }
}

/// Whether the goal is the case.
fn reached(goal: &Goal, object: &Value) -> bool {
    let spec = &object["spec"];
    match goal {
        Goal::Template(wanted) => template::same(wanted, &spec["template"]),
        Goal::Replicas(to) => spec["replicas"] == *to,
        Goal::Paused(paused) => (spec["paused"] == true) == *paused,
        Goal::Bounds { min, max } => spec["minReplicas"] == *min && spec["maxReplicas"] == *max,
        Goal::ScaleInPaused(paused) => {
            object["metadata"]["annotations"]["autoscaling.keda.sh/paused-scale-in"].is_string() == *paused
        }
        Goal::Cordoned(cordoned) => (spec["unschedulable"] == true) == *cordoned,
    }
}

/// In what an object differs from what was shown, in words; nothing where the precondition holds.
pub fn differences(plan: &Plan, object: &Value) -> Vec<String> {
    let expected = &plan.precondition;
    if object["metadata"]["uid"] != expected.uid.as_str() {
        return vec!["it is another object of the same name".to_owned()];
    }
    let mut differs = Vec::new();
    if let Some(shown) = expected.replicas
        && object["spec"]["replicas"] != shown
    {
        let now = &object["spec"]["replicas"];
        differs.push(format!("replicas are {}, shown were {shown}", clean(&now.to_string(), 20)));
    }
    if let Some(shown) = &expected.template
        && **shown != object["spec"]["template"]
    {
        let lines = diff::lines(shown, &object["spec"]["template"]);
        let changed = lines.iter().filter(|l| l.sign != Sign::Same);
        differs.extend(changed.take(MOST_TOLD).map(|l| format!("template: {l}")));
        if differs.is_empty() {
            differs.push("the template is written differently".to_owned());
        }
    }
    differs
}

/// In what the answer's object differs from what was asked for.
pub fn unexpected(plan: &Plan, object: &Value) -> Vec<Line> {
    match &plan.goal {
        Goal::Template(wanted) if !template::same(wanted, &object["spec"]["template"]) => {
            let lines = diff::lines(wanted, &object["spec"]["template"]);
            lines.into_iter().filter(|l| l.sign != Sign::Same).take(MOST_TOLD).collect()
        }
        _ => Vec::new(),
    }
}

fn ours(plan: &Plan, object: &Value) -> Option<bool> {
    if let Some(cause) = &plan.cause {
        return Some(object["metadata"]["annotations"]["kubernetes.io/change-cause"] == cause.as_str());
    }
    newest_writer(object).map(|entry| entry["manager"] == MANAGER)
}

/// Who wrote the object's declaration last, and when, as the API server keeps it; `None` where it does not say.
pub fn last_writer(object: &Value) -> Option<String> {
    let entry = newest_writer(object)?;
    let part = |field: &str| entry[field].as_str().map(|s| clean(s, 100)).unwrap_or_default();
    // Who scaled it has written no cause: the one that is there is another's.
    let fields = &entry["fieldsV1"];
    let annotations = &fields["f:metadata"]["f:annotations"];
    let theirs = fields.is_null()
        || annotations.as_object().is_some_and(|a| a.is_empty() || a.contains_key("f:kubernetes.io/change-cause"));
    let cause = object["metadata"]["annotations"]["kubernetes.io/change-cause"].as_str().filter(|_| theirs);
    let cause = cause.map(|c| format!(": {}", clean(c, SENTENCE))).unwrap_or_default();
    Some(format!("'{}' at {}{cause}", part("manager"), part("time")))
}

/// The newest entry of `managedFields` that is not about the status.
fn newest_writer(object: &Value) -> Option<&Value> {
    let entries = object["metadata"]["managedFields"].as_array()?;
    let declared = entries.iter().filter(|e| e["subresource"] != "status" && e["time"].is_string());
    declared.max_by_key(|e| e["time"].as_str().unwrap_or_default().to_owned())
}

impl std::fmt::Display for Permission {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Allowed => f.write_str("allowed"),
            Self::Denied(what) => write!(f, "not allowed: {what}"),
            Self::Unknown(why) => write!(f, "not known whether it is allowed: {why}"),
        }
    }
}

impl std::fmt::Display for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Done { ours: Some(true) } => f.write_str("read again: it is done, and it was this that did it"),
            Self::Done { ours: Some(false) } => f.write_str("read again: it is done, but somebody else wrote it last"),
            Self::Done { ours: None } => f.write_str("read again: it is done"),
            Self::NotDone => f.write_str("read again: it was not done"),
            Self::Changed { differs, by } => {
                write!(f, "read again: it was changed otherwise, {}", differs.join("; "))?;
                by.iter().try_for_each(|by| write!(f, ", by {by}"))
            }
            Self::Gone => f.write_str("read again: the object does not exist any more"),
            Self::NotRead(why) => write!(f, "and it could not be read again: {why}; look before anything else is done"),
        }
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let told = |f: &mut std::fmt::Formatter<'_>, differs: &[String], by: &Option<String>| {
            if !differs.is_empty() {
                write!(f, ": {}", differs.join("; "))?;
            }
            by.iter().try_for_each(|by| write!(f, "; last written by {by}"))
        };
        match self {
            Self::Applied(answer) if answer.unexpected.is_empty() => {
                f.write_str("stored; whether it helps is not known yet")
            }
            Self::Applied(_) => f.write_str("stored, and changed by a webhook on the way"),
            Self::Moved { differs, by } => {
                f.write_str("not done: it is not what was shown any more")?;
                told(f, differs, by)
            }
            Self::Conflict { message, differs, by } => {
                write!(f, "not done: somebody else writes to it ({message})")?;
                told(f, differs, by)
            }
            Self::Denied(message) => write!(f, "not done: not allowed: {message}"),
            Self::Unauthenticated(message) => write!(f, "not done: log in again: {message}"),
            Self::Invalid(message) => write!(f, "not done: it would not be valid: {message}"),
            Self::Gone(message) => write!(f, "not done: it does not exist any more: {message}"),
            Self::Busy(message) => write!(f, "not done: the API server is too busy: {message}"),
            Self::Rejected { code, message } => write!(f, "not done: the API server answers HTTP {code}: {message}"),
            Self::NotSent(why) => write!(f, "not done: {why}"),
            Self::Unknown { why, seen } => write!(f, "not known whether it was done: {why}; {seen}"),
        }
    }
}
