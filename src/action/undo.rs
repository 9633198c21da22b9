//! Back to an earlier revision: the template, whole, exactly as that revision has it, and only onto what was shown.
//!
//! kubectl goes to the second highest number whatever runs, drops fields that it does not know, replaces all
//! annotations and tests nothing. Here the template that was shown and the object's identity are tested by the API
//! server under its lock, nothing but the template and the change-cause is written, and what cannot be told apart
//! safely is refused.

use serde_json::{Value, json};

use super::plan::{Ask, Change, Goal, Plan, Precondition};
use super::request::{kubectl, workload_access, workload_path};
use super::{Action, Fit, Fits, Refusal, Request, Target, cost, diff, fit, owners, template, warnings};
use crate::domain::{Revision, Strategy, WorkloadKind};

const CHANGE_CAUSE: &str = "kubernetes.io/change-cause";

pub(super) fn plan(ask: &Ask<'_>, to: Option<&Target>) -> Result<Plan, Refusal> {
    let current = settled(ask)?;
    let target = target(ask, current, to)?;
    let (w, kind) = (ask.workload, ask.target.kind);
    let wanted = template::restored(&target.raw_template, kind);
    if !template::is_template(&wanted) {
        return Err(Refusal::NoTemplate { revision: target.number });
    }
    if template::same(&wanted, &w.raw_template) {
        return Err(Refusal::Same { revision: target.number });
    }
    let cause = ask.cause(&format!("undo to r{} ({})", target.number, target.name));
    let replacing = cost::replacing(ask, Some(target));
    let room = room(ask, target, &replacing);
    let changes: Vec<Change> = w.template.changes(&target.template).into_iter().map(Change::from).collect();
    let mut warned = warnings::of_template(&target.template, &wanted);
    warned.extend(about_the_target(ask, current, target, &changes));
    Ok(Plan {
        action: Action::RolloutUndo { to: Some(chosen(target)) },
        target: ask.target.clone(),
        object: ask.object(),
        revision: ask.revision(),
        at: ask.now,
        title: format!("Undo revision {} -> {} of {}", current.number, target.number, ask.place()),
        does: does(ask, current, target),
        precondition: Precondition { uid: w.uid.clone(), template: Some(w.raw_template.clone()), replicas: None },
        request: request(ask, &wanted, &cause),
        access: vec![workload_access(ask.target, "")],
        lines: diff::lines(&w.raw_template, &wanted),
        goal: Goal::Template(wanted.into()),
        changes,
        conflicts: owners::of_template(ask),
        cost: replacing.cost(ask, room.surge),
        alternatives: room.first(ask),
        fit: room.fit,
        inverse: Some(Action::RolloutUndo { to: Some(chosen(current)) }),
        kubectl: kubectl(
            ask.target,
            &format!("rollout undo {}/{} --to-revision={}", resource(kind), ask.target.name, target.number),
        ),
        warnings: warned,
        cause: (kind == WorkloadKind::Deployment).then_some(cause),
    })
}

fn resource(kind: WorkloadKind) -> &'static str {
    match kind {
        WorkloadKind::Deployment => "deployment",
        WorkloadKind::StatefulSet => "statefulset",
    }
}

fn chosen(revision: &Revision) -> Target {
    Target { revision: revision.number, uid: Some(revision.uid.clone()) }
}

/// The newest revision, where it is the one that is declared: else nobody can tell what 'before' is.
pub(super) fn settled<'a>(ask: &Ask<'a>) -> Result<&'a Revision, Refusal> {
    let w = ask.workload;
    if w.paused {
        return Err(Refusal::Paused);
    }
    if w.observed_generation < w.generation {
        return Err(Refusal::NotObserved { generation: w.generation, observed: w.observed_generation });
    }
    let newest = ask.facts.revisions.last().ok_or(Refusal::NoHistory)?;
    // A StatefulSet that was undone has its update revision brought to the end as well: its number grows.
    let restored = template::restored(&newest.raw_template, ask.target.kind);
    if !template::same(&restored, &w.raw_template) || w.revision.is_some_and(|r| r != newest.number) {
        return Err(Refusal::NotRolledOut { newest: newest.number });
    }
    Ok(newest)
}

fn target<'a>(ask: &Ask<'a>, current: &Revision, to: Option<&Target>) -> Result<&'a Revision, Refusal> {
    let revisions = &ask.facts.revisions;
    let earlier = || revisions.iter().rev().filter(|r| r.uid != current.uid);
    let Some(to) = to else {
        let before = earlier().next().ok_or(Refusal::NoHistory)?;
        // Whoever was created earlier and has the higher number was brought back.
        if current.created.zip(before.created).is_some_and(|(now, before)| now < before) {
            let choices = earlier().filter(|r| r.uid != before.uid).chain([before]);
            return Err(Refusal::AlreadyUndone {
                current: current.number,
                replaced: before.number,
                first: current.created,
                choices: choices.map(|r| Action::RolloutUndo { to: Some(chosen(r)) }).collect(),
            });
        }
        return Ok(before);
    };
    let kept = || revisions.iter().map(|r| r.number).collect();
    let found = revisions.iter().rfind(|r| r.number == to.revision);
    match (found, &to.uid) {
        (Some(found), Some(uid)) if found.uid != *uid => Err(Refusal::NotTheOneShown { revision: to.revision }),
        (Some(found), _) if found.uid == current.uid => Err(Refusal::Same { revision: to.revision }),
        (Some(found), _) => Ok(found),
        // Renumbered: it is there, and it is not what was chosen by this number.
        (None, Some(uid)) if revisions.iter().any(|r| r.uid == *uid) => {
            Err(Refusal::NotTheOneShown { revision: to.revision })
        }
        (None, _) => Err(Refusal::NoSuchRevision { revision: to.revision, kept: kept() }),
    }
}

/// The template replaced, on the tested object only.
fn request(ask: &Ask<'_>, wanted: &Value, cause: &str) -> Request {
    let w = ask.workload;
    let mut operations = vec![
        json!({"op": "test", "path": "/metadata/uid", "value": w.uid}),
        json!({"op": "test", "path": "/spec/template", "value": *w.raw_template}),
        json!({"op": "replace", "path": "/spec/template", "value": wanted}),
    ];
    if ask.target.kind == WorkloadKind::Deployment {
        // A key cannot be added to a map that is not there.
        if w.annotated {
            operations.push(json!({
                "op": "add", "path": "/metadata/annotations/kubernetes.io~1change-cause", "value": cause
            }));
        } else {
            operations.push(json!({"op": "add", "path": "/metadata/annotations", "value": {CHANGE_CAUSE: cause}}));
        }
    }
    Request::json_patch(workload_path(ask.target), &Value::Array(operations))
}

fn does(ask: &Ask<'_>, current: &Revision, target: &Revision) -> Vec<String> {
    let mut does = vec![format!(
        "Puts the template of revision {} ({}) in place of revision {}'s ({}), whole, and nothing else{}.",
        target.number,
        target.name,
        current.number,
        current.name,
        if ask.target.kind == WorkloadKind::Deployment { " but the change-cause" } else { "" }
    )];
    let number = current.number + 1;
    does.push(match &ask.workload.strategy {
        Strategy::Recreate => {
            format!("It becomes revision {number}. All old pods end before a new one starts (Recreate).")
        }
        Strategy::OnDelete => {
            format!("It becomes revision {number}. Pods change only when somebody deletes them (OnDelete).")
        }
        Strategy::Rolling { .. } | Strategy::Unknown => {
            format!("It becomes revision {number}, and pods are replaced as in every rollout.")
        }
    });
    if target.ready > 0 {
        does.push(format!("{} pods of revision {} still serve, warm: they stay.", target.ready, target.number));
    }
    does
}

/// The room that a replacement of pods finds.
pub(super) struct Room {
    /// Whether what has to start fits.
    pub(super) fit: Fit,
    /// How many of the surge find room; `None`: all, or it is not known.
    pub(super) surge: Option<u32>,
    /// Whether nothing would ever move.
    pub(super) deadlock: bool,
}

/// Whether the surge finds room, and what happens where it does not.
pub(super) fn room(ask: &Ask<'_>, target: &Revision, replacing: &cost::Replacing) -> Room {
    let w = ask.workload;
    let needless = |why: &str| Room { fit: Fit::needless(why), surge: None, deadlock: false };
    if replacing.loads == 0 {
        return needless("nothing new has to start");
    }
    if replacing.recreate || replacing.surge == 0 {
        return needless("each old pod frees its GPUs before its successor starts");
    }
    // Pods beyond what is wanted, such as those of a rollout that is under way, use the surge already.
    let beyond = w.existing.saturating_sub(w.desired).min(replacing.surge);
    let pods = (replacing.surge - beyond).min(replacing.loads);
    if pods == 0 {
        return needless("the surge of the rollout under way makes the room");
    }
    let mut fit = fit::fit(ask.facts, &target.template, &target.raw_template, pods);
    let draining = ask.facts.pods.iter().filter(|p| p.deleting.is_some()).count();
    if draining > 0 {
        let note = format!("; {draining} ending pods hold theirs until they are gone");
        fit.why.push_str(&note);
    }
    if fit.fits != Fits::No {
        return Room { fit, surge: None, deadlock: false };
    }
    let surge = fit.nodes.iter().filter_map(|n| n.takes).fold(beyond, u32::saturating_add);
    // Old pods that do not serve are taken away first, whatever the bounds say, and make room.
    let deadlock = surge == 0 && replacing.unavailable == 0 && w.available >= w.desired;
    if replacing.unavailable > 0 {
        let note = format!("; it goes in place, {} at a time", replacing.unavailable);
        fit.why.push_str(&note);
        fit.fits = Fits::Yes;
    } else if surge > 0 {
        let note = format!("; it goes {surge} at a time");
        fit.why.push_str(&note);
        fit.fits = Fits::Yes;
    } else if deadlock {
        let first = if w.desired > 1 { format!("scale to {} first, or ", w.desired - 1) } else { String::new() };
        let note = format!(
            "; nothing may end before another serves (surge {}, unavailable 0), so that it would wait for ever: \
             {first}set maxSurge 0 and maxUnavailable 1",
            replacing.surge
        );
        fit.why.push_str(&note);
    }
    Room { fit, surge: Some(surge), deadlock }
}

impl Room {
    /// What makes room where nothing would move.
    pub(super) fn first(&self, ask: &Ask<'_>) -> Vec<Action> {
        let to = ask.workload.desired.saturating_sub(1);
        if self.deadlock && to > 0 { vec![Action::Scale { to }] } else { Vec::new() }
    }
}

fn about_the_target(ask: &Ask<'_>, current: &Revision, target: &Revision, changes: &[Change]) -> Vec<String> {
    let mut warned = Vec::new();
    if changes.iter().all(|c| c.what.starts_with("annotation ")) {
        warned.push("No difference that an engine would notice: this is a restart with the same flags.".to_owned());
    }
    if target.created.zip(current.created).is_some_and(|(target, current)| target > current) {
        warned.push(format!(
            "Revision {} was rolled back before: this brings it back, and what was wrong with it.",
            target.number
        ));
    }
    if ask.target.kind == WorkloadKind::StatefulSet {
        if ask.workload.ordered {
            warned.push(
                "Pods go one after the other: one that never becomes Ready stops it until somebody deletes that pod."
                    .to_owned(),
            );
        }
        if ask.workload.partition > 0 {
            warned.push(format!("Pods below ordinal {} keep what they have (partition).", ask.workload.partition));
        }
        if ask.workload.strategy == Strategy::OnDelete {
            warned.push("Nothing changes until pods are deleted by hand (OnDelete).".to_owned());
        }
    }
    if ask.workload.strategy == Strategy::Recreate {
        warned.push("A full outage while the models load (Recreate).".to_owned());
    }
    warned
}
