//! The walk through the runbook: the run begins, moves where the operator says so, and is taken over from a record.

use super::acting::Acting;
use super::desk::{Earlier, Owed, Recording};
use super::event::{Beginning, Heard};
use super::{App, Asking, Effect, View};
use crate::runbook::{Condition, Record, Run, RunEffect, RunEvent, Sight};

impl App {
    /// Begins a run, and its record with it, where none is under way.
    pub(super) fn ensure_run(&mut self) -> Vec<Effect> {
        if self.desk.run.as_ref().is_some_and(|run| !run.ended) || !self.desk.decides() {
            return Vec::new();
        }
        let onset = self.diagnosis.as_ref().and_then(|d| d.since);
        let (now, who) = (self.now(), self.desk.who.clone());
        // What comes next is about a new incident, and not about the one that is over.
        let first = self.desk.run.take().is_none();
        let Some(book) = self.desk.book() else { return Vec::new() };
        let (run, record) = Run::start(book, now, &who, onset);
        self.desk.run = Some(run);
        let mut effects = Vec::new();
        if !first || self.desk.recording == Recording::None {
            effects.push(Effect::Begin(Beginning::New));
        }
        effects.push(Effect::Record(Box::new(record)));
        effects.extend(self.look());
        effects
    }

    /// Looks from where the run stands, and takes in what is seen.
    pub(super) fn look(&mut self) -> Vec<Effect> {
        let decides = self.desk.decides();
        let (desk, Some(d)) = (&mut self.desk, &self.diagnosis) else { return Vec::new() };
        let Some(id) = desk.run.as_ref().map(|run| run.runbook.clone()) else { return Vec::new() };
        let (Some(run), Some(loaded)) = (&mut desk.run, desk.catalogue.get(&id)) else { return Vec::new() };
        let sight = Sight::new(d).with_snapshot(&self.snapshot);
        let seen = run.look(&loaded.runbook, sight);
        if !decides {
            run.glanced(seen);
            return Vec::new();
        }
        let effects = run.on(&loaded.runbook, RunEvent::Saw { seen: Box::new(seen) });
        self.granted(effects, false)
    }

    /// Has the run take in something that the operator does.
    pub(super) fn run_event(&mut self, event: RunEvent) -> Vec<Effect> {
        let desk = &mut self.desk;
        let Some(id) = desk.run.as_ref().map(|run| run.runbook.clone()) else { return Vec::new() };
        let (Some(run), Some(loaded)) = (&mut desk.run, desk.catalogue.get(&id)) else { return Vec::new() };
        let stood = run.state.clone();
        let effects = run.on(&loaded.runbook, event);
        let moved = run.state != stood;
        let mut effects = self.granted(effects, true);
        effects.extend(self.look());
        self.advise();
        if moved {
            // What was selected belongs to the state that was left.
            self.cursors[View::Runbook as usize] = super::Cursor::default();
        }
        self.settle_cursor();
        effects
    }

    /// What a run wishes: records go to disk, words to whoever sits there.
    fn granted(&mut self, effects: Vec<RunEffect>, asked: bool) -> Vec<Effect> {
        let mut wishes = Vec::new();
        for effect in effects {
            match effect {
                RunEffect::Record(record) => {
                    if let Record::Announced { what, sentence, .. } = &record {
                        self.notice(&format!("{}: {sentence}", what.words()));
                    }
                    wishes.push(Effect::Record(Box::new(record)));
                }
                RunEffect::Refused(refused) if asked => self.notice(&refused.to_string()),
                RunEffect::Refused(_) => {}
                RunEffect::Warned(warning) => self.notice(&warning),
            }
        }
        wishes
    }

    /// The recommended way.
    pub(super) fn go(&mut self) -> Vec<Effect> {
        let mut effects = self.ensure_run();
        let advised = self.desk.run.as_ref().and_then(|run| run.seen.as_ref()?.advised.as_ref());
        if let Some(edge) = advised.map(|a| a.edge.clone()) {
            effects.extend(self.take_way(&edge, None));
        } else {
            let why = self.no_way();
            self.notice(&why);
        }
        effects
    }

    /// Why no way is recommended. Where a state is left by its lever, that lever comes first.
    pub fn no_way(&self) -> String {
        let run = self.desk.run.as_ref();
        let unpulled = run.is_some_and(|run| run.unverified().is_none());
        let state = run.zip(self.desk.book()).and_then(|(run, book)| book.state(&run.state));
        match state.filter(|state| unpulled && !state.verifies).and_then(|state| state.levers.first()) {
            Some(lever) => format!("a lever comes first: {}", lever.text),
            None => "no way is recommended: no condition is known to hold".to_owned(),
        }
    }

    /// A way out: the recommended one at once, another one once its reason was typed.
    pub(super) fn take_way(&mut self, edge: &str, reason: Option<String>) -> Vec<Effect> {
        let (at, by) = (self.now(), self.desk.who.clone());
        // From an end one comes back into the same run: looked at before a new one would begin.
        if self.desk.run.as_ref().is_some_and(|run| run.ended) {
            return self.run_event(RunEvent::Return { at, by, to: edge.to_owned(), reason });
        }
        let mut effects = self.ensure_run();
        let Some(run) = &self.desk.run else { return effects };
        let advised = run.seen.as_ref().and_then(|s| s.advised.as_ref()).is_some_and(|a| a.edge == edge);
        if !advised && reason.is_none() {
            self.ask(Asking::Reason { edge: edge.to_owned() });
            return effects;
        }
        let edge = edge.to_owned();
        effects.extend(self.run_event(RunEvent::Take { at, by, edge, reason }));
        effects
    }

    pub(super) fn step_back(&mut self) -> Vec<Effect> {
        let (at, by) = (self.now(), self.desk.who.clone());
        self.run_event(RunEvent::Back { at, by, reason: None })
    }

    /// Back to the start of the run, or a new run where the last one is over.
    pub(super) fn again(&mut self) -> Vec<Effect> {
        if self.desk.run.as_ref().is_none_or(|run| run.ended) {
            return self.ensure_run();
        }
        let (at, by) = (self.now(), self.desk.who.clone());
        self.run_event(RunEvent::Again { at, by })
    }

    pub(super) fn note(&mut self, text: String) -> Vec<Effect> {
        if text.trim().is_empty() {
            return Vec::new();
        }
        // What is noted after the end is about what is over.
        let mut effects = if self.desk.run.is_some() { Vec::new() } else { self.ensure_run() };
        let (at, by) = (self.now(), self.desk.who.clone());
        effects.extend(self.run_event(RunEvent::Note { at, by, text }));
        self.notice("noted");
        effects
    }

    /// Opens the runbook on the first way out that is not the recommended one.
    pub(super) fn ways(&mut self) -> Vec<Effect> {
        let effects = self.show(View::Runbook);
        let advised = self.advice.as_ref().and_then(|a| a.recommended.clone());
        let items = self.items();
        let ways = || items.iter().filter(|item| item.key.starts_with("to "));
        let other = ways().find(|item| Some(&item.key["to ".len()..]) != advised.as_deref()).or_else(|| ways().next());
        if let Some((index, key)) = other.map(|item| (item.index, item.key.clone())) {
            let cursor = self.cursor_mut();
            (cursor.index, cursor.key) = (index, Some(key));
        }
        effects
    }

    /// The records were looked through.
    pub(super) fn found_earlier(&mut self, earlier: Option<Box<Earlier>>) -> Vec<Effect> {
        self.changed = true;
        self.desk.looking = false;
        self.desk.earlier = earlier;
        if self.diagnosis.is_some() { self.follow() } else { Vec::new() }
    }

    /// Goes on with what was found on record; where somebody has it open, looks on.
    pub(super) fn resume(&mut self, take_over: bool) -> Vec<Effect> {
        if let Recording::ReadingAlong { .. } = &self.desk.recording {
            // Whoever had it may never have seen an answer.
            let begin = Effect::Begin(Beginning::Resume { take_over: true });
            return std::iter::once(begin).chain(self.reread()).collect();
        }
        let Some(earlier) = self.desk.earlier.take() else { return Vec::new() };
        let Earlier { run, held_by, change, owed, .. } = *earlier;
        self.desk.run = run;
        self.desk.owed = owed;
        self.desk.acting = change.map(|change| {
            let mut acting = Acting::new(change.id, change.plan, change.at);
            acting.outcome = change.outcome;
            acting
        });
        let beginning = match held_by {
            Some(by) if !take_over => {
                self.desk.recording = Recording::ReadingAlong { by };
                Beginning::ReadAlong
            }
            _ => Beginning::Resume { take_over },
        };
        let mut effects = vec![Effect::Begin(beginning)];
        if beginning != Beginning::ReadAlong {
            effects.extend(self.reread());
        }
        effects.extend(self.follow());
        effects
    }

    /// A change without an answer on record is read again.
    fn reread(&self) -> Option<Effect> {
        let unknown = self.desk.acting.as_ref().filter(|a| a.outcome.is_none())?;
        Some(Effect::Reread { id: unknown.id, plan: Box::new(unknown.plan.clone()), sent: unknown.sent })
    }

    pub(super) fn begin_anew(&mut self) -> Vec<Effect> {
        self.desk.earlier = None;
        self.follow()
    }

    /// How it stands with the record now.
    pub(super) fn take_recording(&mut self, recording: Recording) {
        if self.desk.recording == recording {
            return;
        }
        match (&self.desk.recording, &recording) {
            (_, Recording::Failing { why }) => self.notice(why),
            (Recording::Failing { .. }, Recording::Writing { .. }) => self.notice("the record can be written again"),
            (Recording::Writing { .. }, Recording::ReadingAlong { by }) => {
                self.notice(&format!("{by} took the incident over: this war room looks on"));
            }
            (Recording::ReadingAlong { .. }, Recording::Writing { .. }) => self.notice("the incident is yours now"),
            _ => {}
        }
        self.desk.recording = recording;
        self.changed = true;
    }

    /// A record that somebody else writes went on.
    pub(super) fn heard(&mut self, heard: Heard) {
        self.changed = true;
        match heard {
            Heard::Run(record) => {
                if let (Record::Started { .. }, _) | (_, None) = (&record, &self.desk.run) {
                    self.desk.run = Run::restore([&record]);
                } else if let Some(run) = &mut self.desk.run {
                    run.heard(&record);
                }
                self.look();
                self.advise();
            }
            Heard::Sent { id, by, at, title, plan } => {
                self.notice(&format!("{by}: {title}"));
                self.desk.acting = plan.map(|plan| Acting::new(id, *plan, at));
            }
            Heard::Answered { id, outcome } => {
                self.notice(&outcome.to_string());
                if let Some(acting) = self.desk.acting.as_mut().filter(|a| a.id == id) {
                    if outcome.changed() != Some(false) {
                        let plan = &acting.plan;
                        Owed::after(&mut self.desk.owed, &plan.action, plan.inverse.as_ref(), acting.sent);
                    }
                    acting.outcome = Some(*outcome);
                }
            }
        }
    }

    /// How the patient is, as the run saw it last.
    pub(super) fn condition(&self) -> Condition {
        self.desk.run.as_ref().and_then(|run| run.seen.as_ref()).map_or(Condition::Open, |seen| seen.condition)
    }
}
