//! The loop around the war room: one ordered stream of events in, frames out.
//!
//! ```text
//!  keys, sizes, signals ─┐
//!  ticks of the clock ───┼─► App::update ─► has it changed? ─► a frame, once the last one is out
//!  what sources deliver ─┤         └─► effects
//!  what the incident did ─┘
//! ```
//! Keys come first, so that no flood of readings makes them wait, and are answered at once; everything else is drawn a
//! few times a second at most. Nothing is drawn where nothing changed.

use std::any::Any;
use std::io;
use std::time::Duration;

use tokio::sync::mpsc::Receiver;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::choosing::Finder;
use super::incident::Incident;
use super::input::Input;
use super::logs::{self, Log};
use super::replay::Again;
use super::terminal::Screen;
use super::{keys, saved};
use crate::apiserver::Client;
use crate::app::{App, Card, Effect, Event, LogBatch, Mode, Recording, View};
use crate::clock::{self, Clock};
use crate::cluster::Performer;
use crate::domain::{At, Discovery, Observation, WorkloadRef};
use crate::runbook::Catalogue;
use crate::source::logs::Whose;
use crate::ui::Look;
use crate::ui::keymap::Keymap;
use crate::ui::view;

/// Between two frames that no key asked for.
const FRAME: Duration = Duration::from_millis(250);
/// How long a card must have been on the screen before a key is for it: nobody reads faster.
const READ: Duration = Duration::from_millis(200);
/// Between two looks at the clock, on this machine's.
const TICK: Duration = Duration::from_secs(1);
/// So many readings are taken in before keys are looked at again.
const BATCH: usize = 64;
/// The most characters of a text that was pasted into the prompt.
const MOST_PASTED: usize = 200;

/// What there is to watch, once it was found.
pub(super) struct Watched {
    /// The time by which its readings are dated.
    pub(super) clock: Clock,
    /// The workload, where it is one.
    pub(super) target: Option<WorkloadRef>,
    /// What its sources deliver.
    pub(super) observations: Receiver<Observation>,
    /// Whom to ask for logs, and through whom levers act.
    pub(super) client: Option<Client>,
    /// What has to stay for as long as it is watched.
    pub(super) kept: Box<dyn Any + Send>,
    /// The record that is played again, where it is one.
    pub(super) again: Option<Again>,
    /// What is to be known about it.
    pub(super) notice: Option<String>,
    /// Who looks for what else there is, where anybody can.
    pub(super) finder: Option<Finder>,
}

/// What came of looking for what there is to watch.
pub(super) enum Looked {
    /// This.
    Watched(Box<Watched>),
    /// One of these.
    Offer(Box<Offer>),
}

/// What there is to choose from.
pub(super) struct Offer {
    /// When it was asked for.
    pub(super) at: At,
    /// What was found.
    pub(super) found: Discovery,
    /// Who looks again, and opens what is picked.
    pub(super) finder: Finder,
}

/// Why there is nothing to watch.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Nothing {
    /// In words, with what to do.
    pub(super) why: String,
    /// Whether what was typed or configured is at fault.
    pub(super) usage: bool,
}

impl Nothing {
    /// Something happened that nobody who typed could help.
    pub(super) fn failed(why: impl Into<String>) -> Self {
        Self { why: why.into(), usage: false }
    }
}

/// How it ended.
pub(super) enum Ended {
    /// The user had seen enough.
    Quit,
    /// It was interrupted, or nobody looked any more.
    Interrupted,
    /// There is nothing to watch.
    Nothing(Nothing),
    /// Something else is watched from now on.
    Picked(Box<WorkloadRef>, Box<Finder>),
}

/// How keys and cells are understood.
pub(super) struct Looks {
    /// The keys.
    pub(super) keymap: Keymap,
    /// The styles.
    pub(super) look: Look,
}

/// The loop's own state.
pub(super) struct Shell {
    screen: Screen,
    app: App,
    looks: Looks,
    clock: Clock,
    /// Something changed that is not on the screen.
    wanted: bool,
    /// Somebody waits for it.
    urgent: bool,
    /// The shell has the terminal.
    stopped: bool,
    next_frame: Instant,
    /// Where logs come from, once it is known.
    client: Option<Client>,
    /// The log that is followed.
    log: Option<Log>,
    /// The record, and what is sent.
    incident: Incident,
    card: CardShown,
    /// The record that is played again.
    again: Option<Again>,
    /// What has to stay for as long as it is watched.
    kept: Option<Box<dyn Any + Send>>,
    /// Who looks for what there is.
    finder: Option<Finder>,
    /// What is being looked for, and since when.
    looking: Option<(At, JoinHandle<Result<Discovery, String>>)>,
}

/// Whether the card that waits to be confirmed is on the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CardShown {
    /// There is none, or it is not drawn yet.
    No,
    /// It was drawn, and may not be out yet.
    Drawn,
    /// It is out, and counts as read from then on.
    Out(Instant),
    /// It counts.
    Counts,
}

impl Shell {
    /// A war room on this screen.
    pub(super) fn new(screen: Screen, app: App, looks: Looks, clock: Clock, incident: Incident) -> Self {
        let next_frame = Instant::from_std(clock::monotonic());
        Self {
            screen,
            app,
            looks,
            clock,
            wanted: true,
            urgent: true,
            stopped: false,
            next_frame,
            client: None,
            log: None,
            incident,
            card: CardShown::No,
            again: None,
            kept: None,
            finder: None,
            looking: None,
        }
    }

    /// The terminal, how it looks and whether others look too, for whoever comes next.
    pub(super) fn into_parts(self) -> (Screen, Looks, bool) {
        (self.screen, self.looks, self.app.presenting())
    }

    /// Draws the first frame, before anything is looked for.
    pub(super) fn first_frame(&mut self) -> io::Result<()> {
        let (columns, rows) = self.screen.size();
        self.perform(Event::Resized { columns, rows })?;
        self.tick()?;
        self.app.take_changed();
        self.draw()
    }

    /// Takes in every runbook at hand, and what is wrong with the user's own.
    pub(super) fn take_runbooks(&mut self, (catalogue, refused): (Catalogue, Vec<String>)) -> io::Result<()> {
        self.perform(Event::Runbooks(Box::new(catalogue)))?;
        for why in refused {
            self.perform(Event::Notice(why))?;
        }
        Ok(())
    }

    /// From now on there is somebody who looks for what else there is.
    pub(super) fn look_through(&mut self, finder: Finder) -> io::Result<()> {
        self.finder = Some(finder);
        self.perform(Event::LooksAround).map(drop)
    }

    /// Runs until it is left. `opening` looks for what there is to watch.
    pub(super) async fn run(
        &mut self,
        inputs: &mut Receiver<Input>,
        mut notices: Receiver<String>,
        mut opening: JoinHandle<Result<Looked, Nothing>>,
    ) -> io::Result<Ended> {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut observations: Option<Receiver<Observation>> = None;
        let mut asked = true;
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            self.wanted |= self.app.take_changed();
            let due = self.urgent || Instant::from_std(clock::monotonic()) >= self.next_frame;
            let may = self.wanted && !self.stopped;
            if may && due && self.screen.is_ready() {
                self.draw()?;
            }
            let waits = self.wanted && !self.stopped;
            self.look_at_the_card();
            let card = self.card;
            tokio::select! {
                biased;
                Some(input) = inputs.recv() => {
                    if let Some(ended) = self.take_in(input)? {
                        return Ok(ended);
                    }
                }
                _ = ticks.tick() => {
                    if self.screen.is_gone() {
                        return Ok(Ended::Interrupted);
                    }
                    if let Some(ended) = self.tick()? {
                        return Ok(ended);
                    }
                }
                found = &mut opening, if asked => {
                    asked = false;
                    match found.unwrap_or_else(|error| Err(Nothing::failed(error.to_string()))) {
                        Ok(found) => observations = self.opened(found)?,
                        Err(nothing) => return Ok(Ended::Nothing(nothing)),
                    }
                    if self.again.is_some() {
                        ticks = interval(FRAME);
                    }
                }
                Some(notice) = notices.recv() => {
                    self.perform(Event::Notice(notice))?;
                }
                () = self.screen.ready(), if (waits || card == CardShown::Drawn) && !self.screen.is_ready() => {}
                () = read_by(card) => {
                    self.card = CardShown::Counts;
                    let now = At(self.clock.unix_ms());
                    self.perform(Event::Painted(now))?;
                }
                happened = self.incident.next() => {
                    let now = At(self.clock.unix_ms());
                    for event in self.incident.take(happened, now, self.app.snapshot()) {
                        self.urgent = true;
                        if let Some(ended) = self.perform(event)? {
                            return Ok(ended);
                        }
                    }
                }
                () = sleep_until(self.next_frame), if waits && !due && self.screen.is_ready() => {}
                (at, found) = looked(&mut self.looking) => {
                    self.perform(Event::Offered { at, found: found.map(Box::new) })?;
                }
                batch = logs::next(&mut self.log) => {
                    self.perform(Event::Logs(batch))?;
                }
                count = receive(&mut observations, &mut batch) => {
                    if count == 0 {
                        // Nobody delivers any more: what is known stays, and ages.
                        observations = None;
                    }
                    for observation in batch.drain(..) {
                        self.incident.observed(&observation);
                        if let Some(ended) = self.perform(Event::Observed(Box::new(observation)))? {
                            return Ok(ended);
                        }
                    }
                    if self.app.is_young() {
                        // Nobody who waits for the first verdict waits for the next tick as well.
                        self.tick()?;
                    }
                }
            }
        }
    }

    /// What there is to watch was found, or what there is to choose from: what its sources deliver.
    fn opened(&mut self, found: Looked) -> io::Result<Option<Receiver<Observation>>> {
        let found = match found {
            Looked::Offer(offer) => {
                let Offer { at, found, finder } = *offer;
                self.finder = Some(finder);
                self.perform(Event::Offered { at, found: Ok(Box::new(found)) })?;
                return Ok(None);
            }
            Looked::Watched(found) => *found,
        };
        (self.clock, self.client, self.again) = (found.clock, found.client, found.again);
        self.kept = Some(found.kept);
        if let Some(finder) = found.finder {
            self.look_through(finder)?;
        }
        if self.again.is_some() {
            self.perform(Event::Recording(Recording::Replay))?;
            self.perform(Event::Earlier(None))?;
        }
        if let Some(notice) = found.notice {
            self.perform(Event::Notice(notice))?;
        }
        if let Some(target) = found.target {
            self.perform(Event::Found(Box::new(target)))?;
        }
        let performer = self.client.clone().map(|client| Performer::new(client, self.clock));
        if self.again.is_none()
            && let Some(event) = self.incident.found(self.app.target(), performer)
        {
            self.perform(event)?;
        }
        self.tick()?;
        Ok(Some(found.observations))
    }

    /// The record's file as it is shown, where one was opened.
    pub(super) fn record(&self) -> Option<String> {
        self.incident.path().map(|path| crate::text::clean(&path.to_string_lossy(), 300))
    }

    fn tick(&mut self) -> io::Result<Option<Ended>> {
        if let Some(again) = &mut self.again {
            for event in again.step(&mut self.clock, self.app.held().is_some()) {
                self.perform(event)?;
            }
        }
        let ended = self.perform(Event::Tick(At(self.clock.unix_ms())))?;
        let trouble = self.app.diagnosis().and_then(|d| self.incident.judged(d));
        match trouble {
            Some(event) => self.perform(event),
            None => Ok(ended),
        }
    }

    /// Whether the card that waits to be confirmed has reached the screen.
    fn look_at_the_card(&mut self) {
        if !self.app.card().is_some_and(Card::is_ready) {
            self.card = CardShown::No;
        } else if self.card == CardShown::Drawn && self.screen.is_ready() {
            self.card = CardShown::Out(Instant::from_std(clock::monotonic()));
        }
    }

    fn take_in(&mut self, input: Input) -> io::Result<Option<Ended>> {
        self.urgent = true;
        match input {
            Input::Key(key) => {
                let meant = keys::chord(key).and_then(|chord| self.looks.keymap.event(self.app.mode(), chord));
                let Some(event) = meant else { return Ok(None) };
                // Whatever it does, it does it now.
                self.app.update(Event::Now(At(self.clock.unix_ms())));
                return self.perform(event);
            }
            Input::Pasted(text) => {
                // Anywhere else it would be a row of commands that nobody meant.
                let typed = text.chars().filter(|c| !c.is_control()).take(MOST_PASTED);
                for c in typed.take_while(|_| self.app.mode() == Mode::Prompt).collect::<Vec<_>>() {
                    self.perform(Event::Typed(c))?;
                }
            }
            Input::Resized => {
                let (columns, rows) = self.screen.size();
                self.screen.repaint();
                return self.perform(Event::Resized { columns, rows });
            }
            Input::Leave => return Ok(Some(Ended::Interrupted)),
            Input::Stop => self.stop(false)?,
            Input::Continue => {
                if !self.stopped {
                    // Somebody else stopped it, and the shell has changed the terminal's modes since.
                    self.screen.leave();
                }
                self.go_on()?;
            }
        }
        Ok(None)
    }

    /// Has the state take in an event, and grants what it wishes.
    fn perform(&mut self, event: Event) -> io::Result<Option<Ended>> {
        for effect in self.app.update(event) {
            match effect {
                Effect::Quit => {
                    self.incident.close(At(self.clock.unix_ms()));
                    return Ok(Some(Ended::Quit));
                }
                Effect::Discover { everywhere } => self.look_around(everywhere),
                Effect::Watch(target) => {
                    if let Some(finder) = self.finder.take() {
                        self.incident.close(At(self.clock.unix_ms()));
                        return Ok(Some(Ended::Picked(target, Box::new(finder))));
                    }
                }
                Effect::Suspend => self.stop(true)?,
                Effect::Redraw => {
                    self.screen.repaint();
                    (self.wanted, self.urgent) = (true, true);
                }
                Effect::FollowLogs { pod, container, previous } => {
                    let namespace = self.app.target().map(|target| target.namespace.clone());
                    if let (Some(client), Some(namespace)) = (self.client.clone(), namespace) {
                        self.log = Some(Log::follow(client, Whose { namespace, pod, container, previous }));
                    } else {
                        let ended = Some("logs come from Kubernetes, which is not asked here".to_owned());
                        self.app.update(Event::Logs(LogBatch { pod, lines: Vec::new(), ended }));
                    }
                }
                Effect::StopLogs => self.log = None,
                Effect::Begin(_) | Effect::Record(_) | Effect::DryRun(_) | Effect::Reread { .. } | Effect::Send(_) => {
                    let now = At(self.clock.unix_ms());
                    if let Some(event) = self.incident.grant(effect, now) {
                        self.perform(event)?;
                    }
                }
                Effect::SaveFrame => {
                    let Self { app, looks, screen, .. } = self;
                    let picture = screen.picture(|frame| view(app, &looks.keymap, &looks.look, frame))?;
                    let said = saved::save(&picture, app.now());
                    self.app.update(Event::Notice(said));
                }
            }
        }
        Ok(None)
    }

    /// Looks for what serves models, beside everything else.
    fn look_around(&mut self, everywhere: bool) {
        let at = At(self.clock.unix_ms());
        let finder = self.finder.clone();
        let looking = tokio::spawn(async move {
            match finder {
                Some(finder) => finder.look(everywhere).await,
                None => Err("no cluster was named here that could be looked through".to_owned()),
            }
        });
        self.looking = Some((at, looking));
    }

    /// Gives the terminal to the shell and stops.
    fn stop(&mut self, by_key: bool) -> io::Result<()> {
        if !self.stopped {
            self.stopped = true;
            self.screen.leave();
            if !stop(by_key) {
                self.go_on()?;
            }
        }
        Ok(())
    }

    fn go_on(&mut self) -> io::Result<()> {
        self.stopped = false;
        self.wanted = true;
        self.screen.come_back()
    }

    fn draw(&mut self) -> io::Result<()> {
        let Self { app, looks, screen, .. } = self;
        screen.draw(|frame| view(app, &looks.keymap, &looks.look, frame))?;
        (self.wanted, self.urgent) = (false, false);
        if self.card == CardShown::No && app.view() == View::Card && app.card().is_some_and(Card::is_ready) {
            self.card = CardShown::Drawn;
        }
        self.next_frame = Instant::from_std(clock::monotonic()) + FRAME;
        Ok(())
    }
}

/// Waits until a card that is out counts as read.
async fn read_by(card: CardShown) {
    match card {
        CardShown::Out(since) => sleep_until(since + READ).await,
        _ => std::future::pending().await,
    }
}

/// Waits for what is being looked for.
async fn looked(looking: &mut Option<(At, JoinHandle<Result<Discovery, String>>)>) -> (At, Result<Discovery, String>) {
    let Some((at, task)) = looking else { return std::future::pending().await };
    let (at, found) = (*at, task.await);
    *looking = None;
    (at, found.unwrap_or_else(|error| Err(error.to_string())))
}

/// Waits for something to be delivered; 0: nobody delivers any more.
async fn receive(observations: &mut Option<Receiver<Observation>>, batch: &mut Vec<Observation>) -> usize {
    match observations {
        Some(observations) => observations.recv_many(batch, BATCH).await,
        None => std::future::pending().await,
    }
}

/// Stops this process; by a key, as the terminal does it: with everyone that was started together with it, so that the
/// shell gets its prompt back whoever started it. False: it was not stopped.
fn stop(by_key: bool) -> bool {
    use rustix::process::{Signal, getpid, kill_current_process_group, kill_process};
    if by_key { kill_current_process_group(Signal::STOP).is_ok() } else { kill_process(getpid(), Signal::STOP).is_ok() }
}
