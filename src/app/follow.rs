//! What follows a diagnosis: the run looks, an incident begins where something broke, a change that was sent is followed.

use super::acting::verdict;
use super::{App, Effect};
use crate::domain::Verdict;
use crate::runbook::{Advice, RunEvent, advise};

impl App {
    /// After each diagnosis, and whenever what was waited for is there.
    pub(super) fn follow(&mut self) -> Vec<Effect> {
        let broken = self
            .diagnosis
            .as_ref()
            .is_some_and(|d| d.verdict == Verdict::Stalled || (d.verdict == Verdict::Breach && d.until.is_none()));
        let waits = self.desk.looking || self.desk.earlier.is_some();
        let mut effects = if broken && !waits && self.desk.run.is_none() { self.ensure_run() } else { self.look() };
        effects.extend(self.follow_the_change());
        self.advise();
        effects
    }

    /// The change that was sent: how far it is, and whether it helped.
    fn follow_the_change(&mut self) -> Vec<Effect> {
        let (condition, decides) = (self.condition(), self.desk.decides());
        let Some(acting) = &mut self.desk.acting else { return Vec::new() };
        if !acting.look(&self.snapshot, condition) {
            return Vec::new();
        }
        // Whoever only looks on writes nothing of it.
        let Some((at, worked)) = acting.worked.filter(|_| decides) else { return Vec::new() };
        let seen = self.desk.run.as_ref().and_then(|run| run.seen.as_ref());
        let sentence = seen.map_or("", |seen| seen.sentence.as_str());
        let text = verdict(&acting.plan, worked, sentence);
        self.notice(&text);
        let by = self.desk.who.clone();
        self.run_event(RunEvent::Note { at, by, text })
    }

    /// What the runbook says, from where the run stands; without a run, from its start.
    pub(super) fn advise(&mut self) {
        let desk = &self.desk;
        let (Some(d), Some(book)) = (&self.diagnosis, desk.book()) else {
            self.advice = None;
            return;
        };
        self.advice = match &desk.run {
            None => advise(book, d),
            Some(run) => Some(Advice {
                id: book.id.clone(),
                state: run.state.clone(),
                recommended: run.seen.as_ref().and_then(|s| Some(s.advised.as_ref()?.to.clone())),
                because: run.seen.iter().filter_map(|s| Some(s.advised.as_ref()?.why.clone())).collect(),
                checks: run.seen.iter().flat_map(|s| s.checks.iter().map(|c| (c.check, c.outcome))).collect(),
            }),
        };
    }
}
