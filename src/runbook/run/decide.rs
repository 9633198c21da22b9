//! What comes of an event. Looks at a run and changes nothing.

use super::{Refused, Run, RunEffect, RunEvent};
use crate::domain::{Action, At};
use crate::runbook::look::{Advised, Condition, Seen};
use crate::runbook::record::{Act, Announced, Answered, How, Record, Transition, Who};
use crate::runbook::{Anywhere, Runbook};
use crate::text::clean;

/// It must have held for so long before it is announced (s): one good minute between two bad ones is none.
const HELD_S: f64 = 30.0;
/// Checks go on record so far apart (s): one that wavers is on record as it wavers, not as often as it is looked at.
const CHECKS_APART_S: f64 = 10.0;
/// No reason and no note is longer, in characters.
const MOST_TEXT: usize = 500;

impl Run {
    pub(super) fn decide(&self, runbook: &Runbook, event: &RunEvent) -> Vec<RunEffect> {
        if let RunEvent::Saw { seen } = event {
            return self.saw_effects(seen);
        }
        if let RunEvent::Note { at, by, text } = event {
            return vec![record(Record::Noted { at: *at, by: by.clone(), text: clean(text, MOST_TEXT) })];
        }
        if let RunEvent::Return { at, by, to, reason } = event {
            return self.return_effects(runbook, *at, by, to, reason.as_deref());
        }
        if self.ended {
            return vec![RunEffect::Refused(Refused::Over { state: self.state.clone() })];
        }
        let (at, by, mut effects) = match event {
            RunEvent::Acknowledge { at, by } => (*at, by, Vec::new()),
            RunEvent::Take { at, by, edge, reason } => (*at, by, self.take(runbook, *at, by, edge, reason.as_deref())),
            RunEvent::Back { at, by, reason } => (*at, by, self.back(runbook, *at, by, reason.as_deref())),
            RunEvent::Again { at, by } => (*at, by, self.again(runbook, *at, by)),
            RunEvent::Acted { at, by, action, what, reason, accepted, eta_s } => {
                let act = Act {
                    at: *at,
                    by: by.clone(),
                    action: *action,
                    what: clean(what, MOST_TEXT),
                    reason: said(reason.as_deref()).unwrap_or_default(),
                    accepted: *accepted,
                    eta_s: eta_s.filter(|s| s.is_finite() && *s >= 0.0),
                    state: self.state.clone(),
                    before_verify: self.unverified().is_some(),
                };
                (*at, by, self.acted(runbook, act))
            }
            RunEvent::Saw { .. } | RunEvent::Note { .. } | RunEvent::Return { .. } => return Vec::new(),
        };
        // Whoever does anything has seen it.
        let refused = effects.iter().any(|e| matches!(e, RunEffect::Refused(_)));
        if self.times.acknowledged.is_none() && !refused {
            effects.insert(0, record(Record::Acknowledged { at, by: by.clone() }));
        }
        effects
    }

    fn advised(&self) -> Option<&Advised> {
        self.seen.as_ref().filter(|s| s.state == self.state)?.advised.as_ref()
    }

    fn take(&self, runbook: &Runbook, at: At, by: &Who, edge: &str, reason: Option<&str>) -> Vec<RunEffect> {
        let Some(way) = runbook.edge(&self.state, edge) else {
            let (state, edge) = (self.state.clone(), clean(edge, 80));
            return vec![RunEffect::Refused(Refused::NoSuchWay { state, edge })];
        };
        let advised = self.advised();
        let recommended = advised.filter(|a| a.edge == edge);
        let (how, reason) = match (recommended, said(reason)) {
            (Some(advised), None) => (How::Recommended, advised.why.clone()),
            (Some(advised), Some(own)) => (How::Recommended, format!("{own} ({})", advised.why)),
            (None, Some(own)) => (How::Chosen, own),
            (None, None) => return vec![RunEffect::Refused(Refused::ReasonNeeded { edge: edge.to_owned() })],
        };
        let mut open: Vec<String> =
            recommended.map_or_else(Vec::new, |a| a.open.iter().map(|(edge, _)| edge.clone()).collect());
        // What was recommended and not taken stays open as well.
        open.extend(advised.filter(|a| a.edge != edge).map(|a| a.edge.clone()));
        let mut step = self.plain(runbook, at, by, &way.to, how, reason);
        step.advised = step.advised.filter(|(edge, _)| *edge != way.id());
        step.divert.clone_from(&way.divert);
        step.open = open;
        step.rules_out = way.rules_out;
        step.verified = runbook.state(&self.state).is_some_and(|s| s.verifies);
        vec![record(Record::Moved(step))]
    }

    fn plain(&self, runbook: &Runbook, at: At, by: &Who, to: &str, how: How, reason: String) -> Transition {
        Transition {
            at,
            by: by.clone(),
            from: self.state.clone(),
            to: to.to_owned(),
            how,
            reason,
            advised: self.advised().map(|a| (a.edge.clone(), a.why.clone())),
            divert: None,
            open: Vec::new(),
            ended: runbook.is_end(to),
            means: runbook.state(to).and_then(|s| s.means),
            rules_out: false,
            verified: false,
        }
    }

    fn back(&self, runbook: &Runbook, at: At, by: &Who, reason: Option<&str>) -> Vec<RunEffect> {
        let Some(before) = self.trail.last() else {
            return vec![RunEffect::Refused(Refused::NothingBefore { state: self.state.clone() })];
        };
        let reason = said(reason).unwrap_or_else(|| "went back".to_owned());
        vec![record(Record::Moved(self.plain(runbook, at, by, before, How::Back, reason)))]
    }

    fn again(&self, runbook: &Runbook, at: At, by: &Who) -> Vec<RunEffect> {
        if !self.again_offered {
            return vec![RunEffect::Refused(Refused::NotOffered)];
        }
        let again = self.plain(runbook, at, by, &runbook.start, How::Again, "it broke again".to_owned());
        vec![record(Record::Moved(again))]
    }

    fn return_effects(&self, runbook: &Runbook, at: At, by: &Who, to: &str, reason: Option<&str>) -> Vec<RunEffect> {
        let possible = runbook.state(&self.state).is_some_and(|s| s.returns.iter().any(|r| r == to));
        if !possible {
            let (state, edge) = (self.state.clone(), clean(to, 80));
            return vec![RunEffect::Refused(Refused::NoSuchWay { state, edge })];
        }
        let reason = said(reason).unwrap_or_else(|| "the other runbook came to its end".to_owned());
        vec![record(Record::Moved(self.plain(runbook, at, by, to, How::Returned, reason)))]
    }

    /// A lever works from any state; where it leads elsewhere, that is an edge with its reason.
    fn acted(&self, runbook: &Runbook, act: Act) -> Vec<RunEffect> {
        let mut effects = Vec::new();
        if let Some(caution) = self.caution(act.action).filter(|_| act.accepted != Some(false)) {
            effects.push(RunEffect::Warned(caution));
        }
        let stands_for = |a: &&Anywhere| a.action == act.action || a.action == scale_of_an_owner(act.action);
        let to = runbook.anywhere.iter().find(stands_for).map(|a| a.to.clone());
        let moves =
            to.filter(|to| *to != self.state && act.accepted != Some(false) && !self.is_due(runbook, act.action));
        let step = moves.map(|to| {
            let why = if act.reason.is_empty() { act.what.clone() } else { format!("{}: {}", act.what, act.reason) };
            Record::Moved(self.plain(runbook, act.at, &act.by, &to, How::Lever, why))
        });
        effects.push(record(Record::Acted(act)));
        effects.extend(step.map(record));
        effects
    }

    /// Whether the state itself has this lever: then pulling it moves nothing.
    fn is_due(&self, runbook: &Runbook, action: Action) -> bool {
        runbook.state(&self.state).is_some_and(|s| s.levers.iter().any(|l| l.action == action))
    }

    fn saw_effects(&self, seen: &Seen) -> Vec<RunEffect> {
        if seen.state != self.state || self.seen.as_ref().is_some_and(|last| seen.at < last.at) {
            return vec![RunEffect::Refused(Refused::OutOfDate)];
        }
        let mut effects = Vec::new();
        let at = seen.at;
        if let Some(onset) =
            seen.onset.filter(|o| seen.condition == Condition::Breached && self.memory.onset.is_none_or(|k| *o < k))
        {
            effects.push(record(Record::Onset { at, onset }));
        }
        if let Some(what) = self.announces(seen) {
            effects.push(record(Record::Announced { at, what, sentence: seen.sentence.clone() }));
        }
        // A run that is over has no checks to follow.
        if !self.ended && self.answered.is_none_or(|last| at.since(last) >= CHECKS_APART_S) {
            let known = |a: &Answered| self.answers.iter().any(|(c, o)| *c == a.check && *o == a.outcome);
            let changed: Vec<Answered> = seen
                .checks
                .iter()
                .map(|c| Answered { check: c.check, outcome: c.outcome, says: c.says.clone() })
                .filter(|a| !known(a))
                .collect();
            if !changed.is_empty() {
                effects.push(record(Record::Checked { at, state: seen.state.clone(), changed }));
            }
        }
        effects
    }

    /// What is to be announced, once.
    fn announces(&self, seen: &Seen) -> Option<Announced> {
        match (seen.condition, self.stale) {
            (Condition::Stale, false) => return Some(Announced::Stale),
            (Condition::Stale, true) => return None,
            (_, true) => return Some(Announced::Fresh),
            (_, false) => {}
        }
        match (self.condition, seen.condition) {
            (Condition::Breached, Condition::Holds) => {
                let held = self.holding_since.is_some_and(|since| seen.at.since(since) >= HELD_S);
                held.then_some(Announced::Recovered)
            }
            (Condition::Holds, Condition::Breached) => Some(Announced::BreachedAgain),
            _ => None,
        }
    }
}

/// Where an autoscaler owns the replicas, its bounds and its pause are what scaling is.
const fn scale_of_an_owner(action: Action) -> Action {
    match action {
        Action::SetAutoscalerBounds | Action::PauseAutoscaler => Action::Scale,
        other => other,
    }
}

fn record(record: Record) -> RunEffect {
    RunEffect::Record(record)
}

/// Words that say something.
fn said(text: Option<&str>) -> Option<String> {
    text.map(|t| clean(t.trim(), MOST_TEXT)).filter(|t| !t.is_empty())
}
