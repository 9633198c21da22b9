//! Everything that the war room knows and shows at one moment, and the one place where it changes.
//!
//! [`App::update`] takes one [`Event`] and answers with [`Effect`]s: wishes that the runtime grants. Readings, ticks of
//! the clock and commands come in one order, so that the same events give the same screen again. It diagnoses once per
//! sweep, on a tick, and never on the way of a key. It knows no key (they end at the keymap), no terminal and no source.

mod acting;
mod card;
mod chooser;
mod command;
mod desk;
mod event;
mod follow;
mod levers;
mod list;
mod logs;
mod names;
mod navigation;
mod prompt;
mod view;
mod walk;

pub use acting::{Acting, Worked, is_verdict};
pub use card::{Card, Stage};
pub use chooser::Chooser;
pub use command::{Command, Group};
pub use desk::{Earlier, EarlierChange, Owed, Recording};
pub use event::{Beginning, Effect, Event, Heard, LogBatch, Sending, Tried};
pub use list::{Happened, Item, gpus_in_order, replicas_in_order};
pub use logs::Logs;
pub use prompt::{Asking, Prompt};
pub use view::{Cursor, Mode, View};

use crate::action::guard::{self, Guard};
use crate::diagnosis::{Diagnosis, Policy, SourceRow, diagnose};
use crate::domain::{At, Budget, SourceState, WorkloadRef};
use crate::domain::{Observation, Snapshot};
use crate::runbook::{Advice, Catalogue, Run, Runbook, Who};
use crate::text::{Mask, MaskRule, clean};
use desk::Desk;

/// After this long without anything new it is judged all the same: what is stale must not go on looking live (s).
const JUDGE_AT_LEAST_EVERY_S: f64 = 5.0;

/// Seconds between two diagnoses, and while it is shown to others.
const SWEEP_S: f64 = 1.0;
const CALM_SWEEP_S: f64 = 5.0;

/// At first sources answer one after the other, and whoever was paged looks at every one of them.
const YOUNG_SWEEP_S: f64 = 0.25;
const YOUNG_S: f64 = 5.0;

/// Notices that wait to be read.
const MOST_NOTICES: usize = 20;

/// What it begins with.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What is known already: the target, the interval, the moment, and history where there is some.
    pub snapshot: Snapshot,
    /// How it is judged.
    pub policy: Policy,
    /// Whether it is shown to others from the start.
    pub presenting: bool,
    /// Which names are hidden while it is.
    pub mask: Vec<MaskRule>,
    /// What is being contacted, in words, for the time before anything has answered.
    pub contacting: Vec<String>,
    /// What whoever sits there is to know: mistakes in a theme or a keymap.
    pub notices: Vec<String>,
    /// Every runbook at hand.
    pub catalogue: Catalogue,
    /// The one that an incident begins with.
    pub runbook: String,
    /// Who sits there.
    pub who: Who,
    /// What may be changed, and how it is confirmed.
    pub guard: guard::Policy,
    /// Whether records are looked through: no run begins before [`Event::Earlier`] says what was found.
    pub awaits_records: bool,
    /// What the reading of pods' pages may cost; `None`: nobody's are read.
    pub budget: Option<Budget>,
    /// What there is to choose from, where nothing was named: it is open at first.
    pub chooser: Option<Chooser>,
}

impl Settings {
    /// Nothing but how to judge, and what is known.
    pub fn new(snapshot: Snapshot, policy: Policy) -> Self {
        Self {
            snapshot,
            policy,
            presenting: false,
            mask: MaskRule::ALL.to_vec(),
            contacting: Vec::new(),
            notices: Vec::new(),
            catalogue: Catalogue::embedded(),
            runbook: "RB-6".to_owned(),
            who: Who::default(),
            guard: guard::Policy::default(),
            awaits_records: false,
            budget: None,
            chooser: None,
        }
    }
}

/// The state.
#[derive(Debug)]
pub struct App {
    snapshot: Snapshot,
    diagnosis: Option<Diagnosis>,
    advice: Option<Advice>,
    desk: Desk,
    policy: Policy,
    started: Option<At>,
    /// Whether something was observed since the last diagnosis.
    fresh: bool,
    presenting: bool,
    mask: Mask,
    held: Option<At>,
    contacting: Vec<String>,
    notices: Vec<String>,
    budget: Option<Budget>,
    /// Open views, the main one first; never empty.
    views: Vec<View>,
    chooser: Option<Chooser>,
    cursors: [Cursor; View::ALL.len()],
    prompt: Option<Prompt>,
    logs: Option<Logs>,
    echo: Option<Command>,
    size: (u16, u16),
    changed: bool,
}

impl App {
    /// A war room that has read nothing yet.
    pub fn new(settings: Settings) -> Self {
        let Settings { snapshot, policy, presenting, mask, contacting, mut notices, .. } = settings;
        notices.truncate(MOST_NOTICES);
        let fresh = !snapshot.endpoints.is_empty() || snapshot.cluster.is_some();
        let mut app = Self {
            snapshot,
            diagnosis: None,
            advice: None,
            desk: Desk {
                catalogue: settings.catalogue,
                runbook: settings.runbook,
                who: settings.who,
                guard: Guard::new(settings.guard),
                run: None,
                recording: Recording::None,
                looking: settings.awaits_records,
                earlier: None,
                card: None,
                acting: None,
                owed: Vec::new(),
                last_id: 0,
            },
            policy,
            started: None,
            fresh,
            presenting,
            mask: Mask::new(&mask),
            held: None,
            contacting,
            notices: notices.iter().map(|n| clean(n, 300)).collect(),
            views: if settings.chooser.is_some() { vec![View::Chooser] } else { vec![View::Main] },
            budget: settings.budget,
            chooser: settings.chooser,
            cursors: Default::default(),
            prompt: None,
            logs: None,
            echo: None,
            size: (80, 24),
            changed: true,
        };
        app.learn_names();
        app
    }

    /// Takes in one event.
    pub fn update(&mut self, event: Event) -> Vec<Effect> {
        match event {
            Event::Found(target) => {
                self.snapshot.target = Some(*target);
                if self.views.first() == Some(&View::Chooser) {
                    self.views = vec![View::Main];
                }
                self.changed = true;
            }
            Event::LooksAround => self.looks_around(),
            Event::Offered { at, found } => self.offered(at, found.map(|found| *found)),
            Event::Observed(observation) => self.observe(*observation),
            Event::Tick(now) => return self.tick(now),
            Event::Now(now) => self.snapshot.now = now,
            Event::Painted(at) => self.painted(at),
            Event::Tried(tried) => self.tried(*tried),
            Event::Performed { id, outcome } => return self.performed(id, *outcome),
            Event::Runbooks(catalogue) => self.desk.catalogue = *catalogue,
            Event::Earlier(earlier) => return self.found_earlier(earlier),
            Event::Recording(recording) => self.take_recording(recording),
            Event::Heard(heard) => self.heard(*heard),
            Event::Logs(batch) => {
                let taken = self.logs.as_mut().is_some_and(|logs| logs.take(batch));
                self.changed |= taken && self.view() == View::Logs;
                self.settle_cursor();
            }
            Event::Resized { columns, rows } => {
                self.size = (columns, rows);
                self.changed = true;
            }
            Event::Notice(notice) => self.notice(&notice),
            Event::Typed(c) => self.typed(c),
            Event::Command(command) => return self.command(command),
        }
        Vec::new()
    }

    /// Whether the screen would look different from what was last drawn; asking marks it as drawn.
    pub fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    fn observe(&mut self, observation: Observation) {
        self.snapshot.observe(observation);
        self.fresh = true;
    }

    /// Time went on: the ages on the screen with it, and at most once a sweep there is a new diagnosis.
    fn tick(&mut self, now: At) -> Vec<Effect> {
        self.started.get_or_insert(now);
        let step = if self.presenting { 5_000 } else { 1_000 };
        self.changed |= self.snapshot.now.0.div_euclid(step) != now.0.div_euclid(step);
        self.snapshot.now = now;
        if self.held.is_some() {
            return Vec::new();
        }
        if self.diagnosis.is_none() {
            self.learn_names();
        }
        let since = self.diagnosis.as_ref().map(|d| now.since(d.at).abs());
        let sweep = match () {
            () if self.presenting => CALM_SWEEP_S,
            () if self.is_young() => YOUNG_SWEEP_S,
            () => SWEEP_S,
        };
        let due = match since {
            None => self.fresh,
            Some(s) => (self.fresh && s >= sweep) || s >= JUDGE_AT_LEAST_EVERY_S,
        };
        let mut effects = self.look_again();
        if due {
            let judged = diagnose(&self.snapshot, &self.policy);
            effects.extend(self.judged(judged));
        }
        effects
    }

    /// Takes over a diagnosis as if it had been made on a tick: of a replay, or of a test.
    pub fn judged(&mut self, diagnosis: Diagnosis) -> Vec<Effect> {
        self.fresh = false;
        self.diagnosis = Some(diagnosis);
        self.learn_names();
        let effects = self.follow();
        self.settle_cursor();
        self.changed = true;
        effects
    }

    /// Tells whoever sits there something, until the next key.
    pub(super) fn notice(&mut self, notice: &str) {
        if self.notices.len() < MOST_NOTICES {
            self.notices.push(clean(notice, 300));
        }
        self.changed = true;
    }
}

/// What a view reads.
impl App {
    /// What is known.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// What it means, as of the last sweep; `None` until something was observed.
    pub fn diagnosis(&self) -> Option<&Diagnosis> {
        self.diagnosis.as_ref()
    }

    /// What the runbook says to it.
    pub fn advice(&self) -> Option<&Advice> {
        self.advice.as_ref()
    }

    /// The runbook that is walked, or that would be.
    pub fn runbook(&self) -> Option<&Runbook> {
        self.desk.book()
    }

    /// Every runbook at hand.
    pub fn catalogue(&self) -> &Catalogue {
        &self.desk.catalogue
    }

    /// The walk through the runbook, once one began.
    pub fn run(&self) -> Option<&Run> {
        self.desk.run.as_ref()
    }

    /// The card that is open.
    pub fn card(&self) -> Option<&Card> {
        self.desk.card.as_ref()
    }

    /// The last change that was sent.
    pub fn acting(&self) -> Option<&Acting> {
        self.desk.acting.as_ref()
    }

    /// Changes that stay until somebody takes them back.
    pub fn owed(&self) -> &[Owed] {
        &self.desk.owed
    }

    /// The unfinished incident that was found on record, until it is decided what becomes of it.
    pub fn earlier(&self) -> Option<&Earlier> {
        self.desk.earlier.as_deref()
    }

    /// How it stands with the record.
    pub fn recording(&self) -> &Recording {
        &self.desk.recording
    }

    /// What may be changed, and how it is confirmed.
    pub fn guard(&self) -> &guard::Policy {
        self.desk.guard.policy()
    }

    /// Whether nothing can be changed from here, whatever happens.
    pub fn read_only(&self) -> bool {
        self.guard().read_only || !self.desk.decides()
    }

    /// How it is judged.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The moment.
    pub fn now(&self) -> At {
        self.snapshot.now
    }

    /// Whether it began just now.
    pub fn is_young(&self) -> bool {
        self.started.is_none_or(|started| self.snapshot.now.since(started) < YOUNG_S)
    }

    /// When it began.
    pub fn started(&self) -> Option<At> {
        self.started
    }

    /// The workload.
    pub fn target(&self) -> Option<&WorkloadRef> {
        self.snapshot.target.as_ref().or_else(|| self.diagnosis.as_ref()?.target.as_ref())
    }

    /// What is being contacted, in words.
    pub fn contacting(&self) -> &[String] {
        &self.contacting
    }

    /// What the reading of pods' pages costs the cluster, in words; nothing where none are read.
    pub fn cost(&self) -> Option<String> {
        let reads = self.snapshot.endpoints.iter().any(|e| !e.gone && e.reached.is_some());
        self.budget.filter(|_| reads).map(|budget| budget.told(&self.snapshot))
    }

    /// How old something is now that was so old when it was judged (s). Nothing grows younger between two sweeps.
    pub fn age(&self, when_judged_s: f64) -> f64 {
        when_judged_s + self.diagnosis.as_ref().map_or(0.0, |d| self.snapshot.now.since(d.at).max(0.0))
    }

    /// The age of the oldest page that still counts (s).
    pub fn oldest_age(&self) -> Option<f64> {
        let counts = |s: &&SourceRow| !s.beside && s.state != SourceState::Absent;
        let sources = &self.diagnosis.as_ref()?.sources;
        sources.iter().filter(counts).filter_map(|s| s.age_s).reduce(f64::max).map(|age| self.age(age))
    }

    /// Whether what is shown is not of now: nothing that counts was read for so long that it is stale.
    pub fn stale(&self) -> bool {
        let Some(d) = self.diagnosis.as_ref() else { return false };
        let newest = d.sources.iter().filter(|s| !s.beside).filter_map(|s| s.age_s).reduce(f64::min);
        newest.is_some_and(|age| self.age(age) > self.stale_after_s())
    }

    /// From this age on a reading is stale (s): three missed scrapes, and at least a quarter of a minute.
    pub fn stale_after_s(&self) -> f64 {
        15.0_f64.max(3.0 * self.snapshot.interval_s)
    }

    /// Whether no source has answered yet.
    pub fn connecting(&self) -> bool {
        self.diagnosis.as_ref().is_none_or(|d| d.sources.iter().all(|s| s.state == SourceState::Connecting))
    }

    /// The view that is open.
    pub fn view(&self) -> View {
        self.views.last().copied().unwrap_or(View::Main)
    }

    /// What the keys mean.
    pub fn mode(&self) -> Mode {
        if self.prompt.is_some() { Mode::Prompt } else { self.view().mode() }
    }

    /// Where one stands in the open view.
    pub fn cursor(&self) -> &Cursor {
        &self.cursors[self.view() as usize]
    }

    /// What is being typed.
    pub fn prompt(&self) -> Option<&Prompt> {
        self.prompt.as_ref()
    }

    /// The log that is followed.
    pub fn logs(&self) -> Option<&Logs> {
        self.logs.as_ref()
    }

    /// Since when the picture is held still.
    pub fn held(&self) -> Option<At> {
        self.held
    }

    /// Whether it is shown to others.
    pub fn presenting(&self) -> bool {
        self.presenting
    }

    /// What hides names, where they are to be hidden.
    pub fn mask(&self) -> Option<&Mask> {
        self.presenting.then_some(&self.mask)
    }

    /// The last command, for others to see what was pressed.
    pub fn echo(&self) -> Option<Command> {
        self.echo.filter(|_| self.presenting)
    }

    /// What whoever sits there is to know, oldest first.
    pub fn notices(&self) -> &[String] {
        &self.notices
    }
}

#[cfg(test)]
mod tests;
