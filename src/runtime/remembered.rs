//! What a record on disk means for the state: an unfinished incident, and lines that somebody else writes.

use crate::action::{Answer, Outcome, Plan, Seen};
use crate::app::{Earlier, EarlierChange, Heard, Owed};
use crate::contract::record::{Answered, Contents, Entry, Line, Planned, Target};
use crate::domain::{At, WorkloadKind, WorkloadRef};
use crate::journal::Unfinished;
use crate::runbook::Record;

/// An unfinished record, as the state takes it over.
pub(super) fn earlier(found: &Unfinished) -> Earlier {
    let contents = &found.contents;
    let by = contents.owner().map(|(_, line)| line.by.clone()).unwrap_or_default();
    Earlier {
        run: found.run.clone(),
        last: found.last,
        by,
        held_by: found.held_by.clone(),
        change: change(contents),
        owed: owed(contents),
    }
}

/// A line that somebody else wrote about this workload, where it is news for the state.
pub(super) fn heard(line: Line, target: Option<&WorkloadRef>) -> Option<Heard> {
    match line.entry {
        Entry::Run { run } => Some(Heard::Run(run)),
        Entry::Planned(planned) if !planned.dry_run => {
            let plan = target.and_then(|target| Plan::recalled(&planned.plan, &planned.bytes, target.clone()));
            let (id, title) = (planned.id, planned.title);
            Some(Heard::Sent { id, by: line.by, at: line.at, title, plan: plan.map(Box::new) })
        }
        Entry::Answered(answered) => {
            let outcome = Box::new(outcome(&answered));
            Some(Heard::Answered { id: answered.id, outcome })
        }
        _ => None,
    }
}

/// An answer as far as a record remembers it.
fn outcome(answered: &Answered) -> Outcome {
    let says = answered.says.strip_prefix("not done: ").unwrap_or(&answered.says).to_owned();
    match answered.accepted {
        Some(true) => Outcome::Applied(Answer::default()),
        Some(false) => Outcome::NotSent(says),
        None => Outcome::Unknown { why: says, seen: Seen::NotRead("it was not read again".to_owned()) },
    }
}

/// Every change with its answer, oldest first.
fn changes(contents: &Contents) -> impl Iterator<Item = (At, &Planned, Option<&Answered>)> {
    contents.lines.iter().filter_map(|line| match &line.entry {
        Entry::Planned(planned) if !planned.dry_run => {
            let answer = contents.lines.iter().rev().find_map(|l| match &l.entry {
                Entry::Answered(answered) if answered.id == planned.id => Some(answered),
                _ => None,
            });
            Some((line.at, planned, answer))
        }
        _ => None,
    })
}

/// The last change, where it was not refused and nobody has verified it yet.
fn change(contents: &Contents) -> Option<EarlierChange> {
    let (at, planned, answer) = changes(contents).last()?;
    let target = target(contents)?;
    let outcome = match answer {
        None => None,
        Some(answer) => match answer.accepted {
            Some(true) => Some(Outcome::Applied(Answer::default())),
            Some(false) => return None,
            // It was read again once, and could not be told: it is read again now.
            None => None,
        },
    };
    // The service's verdict on it is a note; after one there is nothing to follow.
    let judged = contents.lines.iter().any(|l| {
        l.at >= at && matches!(&l.entry, Entry::Run { run: Record::Noted { text, .. } } if crate::app::is_verdict(text))
    });
    let plan = Plan::recalled(&planned.plan, &planned.bytes, target)?;
    (!judged).then_some(EarlierChange { id: planned.id, plan, at, outcome })
}

/// What was done, stays, and was not taken back.
fn owed(contents: &Contents) -> Vec<Owed> {
    let Some(target) = target(contents) else { return Vec::new() };
    let mut owed: Vec<Owed> = Vec::new();
    for (at, planned, answer) in changes(contents) {
        if answer.is_some_and(|a| a.accepted == Some(false)) {
            continue;
        }
        if let Some(plan) = Plan::recalled(&planned.plan, &planned.bytes, target.clone()) {
            Owed::after(&mut owed, &plan.action, plan.inverse.as_ref(), at);
        }
    }
    owed
}

fn target(contents: &Contents) -> Option<WorkloadRef> {
    workload(contents.target()?)
}

/// The workload that a record is about.
pub(super) fn workload(target: &Target) -> Option<WorkloadRef> {
    let kind = *WorkloadKind::ALL.iter().find(|kind| kind.code() == target.workload)?;
    let (context, namespace, name) = (target.context.clone(), target.namespace.clone(), target.name.clone());
    Some(WorkloadRef { context, namespace, kind, name })
}

/// What became of a change whose answer was never seen.
pub(super) fn fate(seen: Seen) -> Outcome {
    Outcome::Unknown { why: "the war room ended before the answer was on record".to_owned(), seen }
}
