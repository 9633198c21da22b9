//! What a plan is, and how one is made from what is known. Pure: the same facts give the same bytes.

use serde::Serialize;

use super::request::{is_name, kubectl};
use super::{
    Access, Action, Conflict, Cost, Fit, Line, Refusal, Request, autoscaler, node, owners, rollout, scale, template,
    undo,
};
use crate::domain::{
    At, ClusterFacts, RawTemplate, Snapshot, SourceState, TemplateChange, Workload, WorkloadKind, WorkloadRef,
};

/// Who asks, and what for: it stands in the change-cause that the next person reads.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Context {
    /// The operator's name.
    pub who: String,
    /// The incident, where it has a name.
    pub incident: Option<String>,
}

/// One value that becomes another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What: `--max-num-seqs`, `image`, `replicas`.
    pub what: String,
    /// Now; `None`: it is not there.
    pub from: Option<String>,
    /// Afterwards; `None`: it is gone.
    pub to: Option<String>,
}

impl From<TemplateChange> for Change {
    fn from(change: TemplateChange) -> Self {
        Self { what: change.what, from: change.from, to: change.to }
    }
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        TemplateChange { what: self.what.clone(), from: self.from.clone(), to: self.to.clone() }.fmt(f)
    }
}

/// What must still be so when the request arrives; the request itself tests it too.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Precondition {
    /// The object's identity.
    pub uid: String,
    /// Its template, as it was shown; not recorded twice, because the request's body has it.
    #[serde(skip)]
    pub template: Option<RawTemplate>,
    /// Its replicas, as they were shown.
    pub replicas: Option<u32>,
}

/// What is the case once it is done.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// The workload has this template.
    Template(#[serde(skip)] RawTemplate),
    /// The workload wants so many replicas.
    Replicas(u32),
    /// Rollouts are paused, or not.
    Paused(bool),
    /// The autoscaler has these bounds.
    Bounds {
        /// The fewest.
        min: u32,
        /// The most.
        max: u32,
    },
    /// KEDA's scale-in is paused, or not.
    ScaleInPaused(bool),
    /// The node is cordoned, or not.
    Cordoned(bool),
}

/// Everything that is to be known before something is changed: what the card shows, and the bytes that would be sent.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// What was asked for, with the revision that it came to.
    pub action: Action,
    /// The workload that it is about.
    #[serde(skip)]
    pub target: WorkloadRef,
    /// The object that is written, as `Kind/name`.
    pub object: String,
    /// The revision that the workload was at; nothing where another object is written, or none is known.
    pub revision: Option<u64>,
    /// When it was planned (ms since 1970).
    #[serde(serialize_with = "ms")]
    pub at: At,
    /// In one line.
    pub title: String,
    /// What it does, in sentences.
    pub does: Vec<String>,
    /// What must still be so.
    pub precondition: Precondition,
    /// What will be so.
    pub goal: Goal,
    /// The request.
    pub request: Request,
    /// What it needs to be allowed.
    pub access: Vec<Access>,
    /// What changes that matters to latency, engine flags first.
    pub changes: Vec<Change>,
    /// The whole template, before and after; empty where no template changes.
    pub lines: Vec<Line>,
    /// Who else writes there, and what they will do about it.
    pub conflicts: Vec<Conflict>,
    /// Whether what has to start finds room.
    pub fit: Fit,
    /// What it costs until it is done.
    pub cost: Cost,
    /// What takes it back.
    pub inverse: Option<Action>,
    /// What can be done instead, or first.
    pub alternatives: Vec<Action>,
    /// What kubectl would do, nearly.
    pub kubectl: String,
    /// What to mind.
    pub warnings: Vec<String>,
    /// The change-cause that is written; by it an own change is recognised.
    pub cause: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
pub(super) fn ms<S: serde::Serializer>(at: &At, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_i64(at.0)
}

impl Plan {
    /// Who will take it back, if anybody is likely to.
    pub fn reverted_by(&self) -> Option<&str> {
        self.conflicts.iter().find(|c| c.reverts).map(|c| c.who.as_str())
    }

    /// The kubectl line that shows the object as it is.
    pub fn look(&self) -> String {
        kubectl(&self.target, &format!("get {} -o yaml", self.object.to_lowercase()))
    }

    /// Whether its precondition holds in what is known now.
    pub fn still_holds(&self, snapshot: &Snapshot) -> bool {
        let Some((_, facts)) = &snapshot.cluster else { return false };
        let uid = &self.precondition.uid;
        match &self.goal {
            Goal::Bounds { .. } | Goal::ScaleInPaused(_) => facts.autoscaler.as_ref().is_some_and(|a| a.uid == *uid),
            Goal::Cordoned(_) => facts.nodes.iter().flatten().any(|n| n.uid == *uid),
            Goal::Template(_) | Goal::Replicas(_) | Goal::Paused(_) => facts.workload.as_ref().is_some_and(|w| {
                w.uid == *uid
                    && self.precondition.replicas.is_none_or(|r| r == w.desired)
                    && self.precondition.template.as_ref().is_none_or(|t| *t == w.raw_template)
            }),
        }
    }

    /// In what the workload that is known now differs from the one that was shown, in words.
    pub fn differs(&self, snapshot: &Snapshot) -> Vec<String> {
        let facts = snapshot.cluster.as_ref().map(|(_, facts)| facts);
        let Some((facts, w)) = facts.and_then(|f| Some((f, f.workload.as_ref()?))) else { return Vec::new() };
        let mut differs = Vec::new();
        if let Some(shown) = self.precondition.replicas.filter(|shown| *shown != w.desired) {
            differs.push(format!("{} replicas are wanted, shown were {shown}", w.desired));
        }
        if self.precondition.template.as_ref().is_some_and(|shown| *shown != w.raw_template) {
            // What is known of who did it is what they wrote beside it.
            let newest = facts
                .revisions
                .last()
                .filter(|r| template::same(&template::restored(&r.raw_template, self.target.kind), &w.raw_template));
            let cause =
                newest.and_then(|r| r.change_cause.as_ref()).map(|c| format!(", '{}'", crate::text::clean(c, 120)));
            let number = newest.map(|r| format!(" of revision {}", r.number)).unwrap_or_default();
            differs.push(format!("another template is there now{number}{}", cause.unwrap_or_default()));
        }
        differs
    }
}

/// The resource by which it is known who owns the replicas.
const AUTOSCALERS: &str = "horizontalpodautoscalers";

/// What a plan is made from.
pub(super) struct Ask<'a> {
    pub(super) facts: &'a ClusterFacts,
    pub(super) workload: &'a Workload,
    pub(super) target: &'a WorkloadRef,
    pub(super) context: &'a Context,
    pub(super) now: At,
    pub(super) action: &'a Action,
}

/// Plans `action` on the workload that `snapshot` is about.
pub fn plan(snapshot: &Snapshot, action: &Action, context: &Context) -> Result<Plan, Refusal> {
    let (target, (_, facts)) = snapshot.target.as_ref().zip(snapshot.cluster.as_ref()).ok_or(Refusal::NoFacts)?;
    // The loads, the nodes and the autoscaler may be unknown, and the plan says so; these may not.
    let needed = match target.kind {
        WorkloadKind::Deployment => ["deployments", "replicasets"],
        WorkloadKind::StatefulSet => ["statefulsets", "controllerrevisions"],
    };
    // Whether an autoscaler owns the replicas must be known before they are set, and a node before it is cordoned.
    let other = match action {
        Action::Scale { .. } | Action::SetAutoscalerBounds { .. } | Action::PauseAutoscaler { .. } => Some(AUTOSCALERS),
        Action::CordonNode { .. } => Some("nodes"),
        _ => None,
    };
    let blind = snapshot
        .watches
        .iter()
        .find(|w| (needed.contains(&w.resource) || Some(w.resource) == other) && w.state != SourceState::Live);
    if let Some(watch) = blind {
        let error = watch.error.clone().unwrap_or_else(|| format!("its state is '{}'", watch.state));
        return Err(Refusal::Blind { resource: watch.resource, error });
    }
    for name in [&target.namespace, &target.name] {
        if !is_name(name) {
            return Err(Refusal::OddName { name: name.clone() });
        }
    }
    let workload = facts.workload.as_ref().filter(|w| !w.uid.is_empty()).ok_or(Refusal::Gone)?;
    let ask = Ask { facts, workload, target, context, now: snapshot.now, action };
    // An autoscaler and a node belong to themselves.
    if !matches!(
        action,
        Action::SetAutoscalerBounds { .. } | Action::PauseAutoscaler { .. } | Action::CordonNode { .. }
    ) {
        owners::elsewhere(&ask)?;
    }
    let mut plan = match action {
        Action::RolloutUndo { to } => undo::plan(&ask, to.as_ref()),
        Action::Scale { to } => scale::plan(&ask, *to),
        Action::RolloutPause => rollout::pause(&ask, true),
        Action::RolloutResume => rollout::pause(&ask, false),
        Action::RolloutRestart => rollout::restart(&ask),
        Action::SetAutoscalerBounds { min, max } => autoscaler::bounds(&ask, *min, *max),
        Action::PauseAutoscaler { paused } => autoscaler::pause(&ask, *paused),
        Action::CordonNode { node, cordoned } => node::cordon(&ask, node, *cordoned),
    }?;
    // Whoever replaces pods has to know who changes their number; that it could not be looked for is not nobody.
    let unseen = snapshot.watches.iter().any(|w| w.resource == AUTOSCALERS && w.state != SourceState::Live);
    if unseen && facts.autoscaler.is_none() && matches!(plan.goal, Goal::Template(_)) {
        plan.conflicts.push(Conflict::unseen());
    }
    Ok(plan)
}

impl Ask<'_> {
    /// `deploy/x in llm on prod`.
    pub(super) fn place(&self) -> String {
        let t = self.target;
        format!("{}/{} in {} on {}", t.kind.short(), t.name, t.namespace, t.context)
    }

    /// `Deployment/x`.
    pub(super) fn object(&self) -> String {
        format!("{}/{}", self.target.kind.code(), self.target.name)
    }

    /// The revision that is declared, or the newest one where the object does not say.
    pub(super) fn revision(&self) -> Option<u64> {
        self.workload.revision.or_else(|| self.facts.revisions.last().map(|r| r.number))
    }

    /// The change-cause: who did what, for which incident.
    pub(super) fn cause(&self, what: &str) -> String {
        let who = if self.context.who.is_empty() { "somebody" } else { &self.context.who };
        let incident = self.context.incident.as_ref().map(|i| format!(" {i}")).unwrap_or_default();
        crate::text::clean(&format!("warroom {what} by {who}{incident}"), 200)
    }
}
