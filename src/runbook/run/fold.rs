//! How a record changes a run. Total: any record can be folded into any run, as a journal may hold anything.

use super::{MOST_KEPT, Run};
use crate::runbook::look::{Condition, Seen};
use crate::runbook::record::{Act, Announced, How, Record, Transition};
use crate::runbook::{Meaning, Memory, Pulled};

impl Run {
    /// Folds one record.
    pub(super) fn apply(&mut self, record: &Record) {
        match record {
            Record::Started { at, runbook: id, state, onset, .. } => {
                *self = Self {
                    runbook: id.clone(),
                    start: state.clone(),
                    state: state.clone(),
                    opened: *at,
                    ..Self::empty()
                };
                self.memory = Memory { onset: *onset, entered: Some(*at), ..Memory::new() };
            }
            Record::Acknowledged { at, .. } => {
                self.times.acknowledged.get_or_insert(*at);
            }
            Record::Moved(step) => self.moved(step),
            Record::Acted(act) => self.pulled(act),
            Record::Announced { at, what, .. } => match what {
                Announced::Recovered => {
                    self.condition = Condition::Holds;
                    self.times.recovered = Some(*at);
                    self.again_offered = false;
                }
                Announced::BreachedAgain => {
                    self.condition = Condition::Breached;
                    self.again_offered = !self.ended;
                    self.times.recovered = None;
                    // What was innocent of the first breach need not be of the second.
                    self.memory.ruled_out.clear();
                }
                Announced::Stale => self.stale = true,
                Announced::Fresh => self.stale = false,
            },
            Record::Checked { at, changed, .. } => {
                self.answered = Some(*at);
                for answer in changed {
                    self.answers.retain(|(check, _)| *check != answer.check);
                    self.answers.push((answer.check, answer.outcome));
                }
            }
            Record::Onset { onset, .. } => self.memory.onset = Some(*onset),
            Record::Noted { .. } => {}
        }
    }

    fn moved(&mut self, step: &Transition) {
        match step.how {
            How::Back => drop(self.trail.pop()),
            How::Again => {
                self.trail.clear();
                self.open.clear();
            }
            _ => {
                self.trail.push(step.from.clone());
                if self.trail.len() > MOST_KEPT {
                    self.trail.remove(0);
                }
            }
        }
        let forward = matches!(step.how, How::Recommended | How::Chosen);
        if forward && step.rules_out && !self.memory.ruled_out.contains(&step.from) {
            self.memory.ruled_out.push(step.from.clone());
        }
        // Whoever leaves the place where one looks whether a lever helped has looked.
        if forward && step.verified {
            self.memory.lever = None;
        }
        if step.from == self.start && step.how != How::Back && !step.ended {
            self.times.diagnosed.get_or_insert(step.at);
        }
        if step.means == Some(Meaning::Resolved) {
            self.times.verified = Some(step.at);
        }
        for open in &step.open {
            if !self.open.contains(open) {
                self.open.push(open.clone());
            }
        }
        self.open.retain(|open| *open != step.to);
        self.again_offered = false;
        self.ended = step.ended;
        self.state.clone_from(&step.to);
        self.memory.entered = Some(step.at);
        self.answers.clear();
        self.answered = None;
        self.seen = None;
        if self.moves.len() < MOST_KEPT {
            self.moves.push(step.clone());
        }
    }

    fn pulled(&mut self, act: &Act) {
        // A lever whose outcome is not known may have taken effect.
        if act.accepted != Some(false) {
            self.memory.lever = Some(Pulled { action: act.action, at: act.at, eta_s: act.eta_s });
            self.times.mitigated.get_or_insert(act.at);
        }
        if self.acts.len() < MOST_KEPT {
            self.acts.push(act.clone());
        }
    }

    /// What was seen is remembered, and not on record: it is read anew after a restart.
    pub(super) fn saw(&mut self, seen: Seen) {
        self.memory.keep(&seen.burns);
        self.holding_since = match seen.condition {
            Condition::Holds => self.holding_since.or(Some(seen.at)),
            // A stretch without data is neither.
            Condition::Stale | Condition::Open => self.holding_since.filter(|_| seen.condition == Condition::Open),
            Condition::Breached => None,
        };
        self.seen = Some(seen);
    }
}
