//! Who else writes to the object, and what they will do about a change by hand.

use serde::Serialize;

use super::plan::Ask;
use super::request::{is_name, place_flags};
use super::{Action, Refusal};
use crate::domain::kinds::OwnerKind;

/// An autoscaler that nobody could look for.
const UNSEEN: &str = "an autoscaler, if there is one";

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Conflict {
    /// Who.
    pub who: String,
    /// What it does about the change, when, and what to do about that.
    pub does: String,
    /// Whether it is likely to take the change back while the incident lasts.
    pub reverts: bool,
}

impl Conflict {
    /// An autoscaler that may be there, where nobody could look.
    pub(super) fn unseen() -> Self {
        let does = "could not be looked for; it may change the number of replicas meanwhile";
        Self::new(UNSEEN, false, does)
    }

    /// Whether it is one that nobody could look for.
    pub(super) fn is_unseen(&self) -> bool {
        self.who == UNSEEN
    }

    fn new(who: impl Into<String>, reverts: bool, does: impl Into<String>) -> Self {
        Self { who: who.into(), does: does.into(), reverts }
    }
}

/// Who controls the object would put it back: what is to be done there instead.
pub(super) fn elsewhere(ask: &Ask<'_>) -> Result<(), Refusal> {
    let Some(owner) = &ask.workload.owner else { return Ok(()) };
    let (kind, name) = owner.split_once('/').unwrap_or((owner, ""));
    let place = place_flags(ask.target);
    let named = is_name(name).then(|| OwnerKind::named(kind)).flatten();
    let how = match (named, ask.action) {
        (Some(kind), Action::Scale { to }) => {
            kind.scale_line(name).replacen("=N", &format!("={to}"), 1).replacen(":N}", &format!(":{to}}}"), 1)
        }
        (Some(kind), Action::RolloutUndo { .. }) => kind.undo_line(name),
        (Some(kind), _) => format!("kubectl edit {}/{name}", kind.short),
        (None, _) => format!("kubectl get {} -o yaml", owner.to_lowercase()),
    };
    // Where the line is kubectl's, it says where as well: a plugin's behind its words.
    let how = match how.strip_prefix("kubectl ") {
        Some(words) if words.starts_with("argo ") => format!("{how} {place}"),
        Some(words) => format!("kubectl {place} {words}"),
        None => how,
    };
    Err(Refusal::Elsewhere { owner: owner.clone(), how })
}

/// Those who write the workload's template.
pub(super) fn of_template(ask: &Ask<'_>) -> Vec<Conflict> {
    let mut conflicts = of_object(ask, "the template");
    if let Some(scaler) = &ask.facts.autoscaler {
        let does = format!(
            "may change the number of replicas meanwhile (now {}, bounds {}-{}); that is not in the way",
            ask.workload.desired, scaler.min, scaler.max
        );
        conflicts.push(Conflict::new(format!("{} '{}'", scaler.kind, scaler.name), false, does));
    }
    conflicts
}

/// Those who write what is declared about the workload: `part` is what is changed of it.
pub(super) fn of_object(ask: &Ask<'_>, part: &str) -> Vec<Conflict> {
    let mut conflicts = Vec::new();
    for manager in &ask.workload.managers {
        conflicts.push(match *manager {
            "Argo CD" => Conflict::new(
                *manager,
                true,
                format!(
                    "with self-heal on it puts {part} back from Git after about 5 s, else at its next sync; whether it \
                     is on is not known here: revert in Git, or switch its automated sync off first"
                ),
            ),
            "Flux" => Conflict::new(
                *manager,
                true,
                format!("puts {part} back at its next interval, if not suspended: suspend it first, or revert in Git"),
            ),
            "Helm" => Conflict::new(
                *manager,
                false,
                format!(
                    "does nothing by itself; the next 'helm upgrade' writes {part} anew, and Helm 4 fails on fields \
                     that warroom wrote: 'helm rollback' is its own way"
                ),
            ),
            other => Conflict::new(other, false, format!("may write {part} anew")),
        });
    }
    conflicts
}
