//! The loop around the war room: one ordered stream of events in, frames out.
//!
//! ```text
//!  keys, sizes, signals ─┐
//!  ticks of the clock ───┼─► App::update ─► has it changed? ─► a frame, once the last one is out
//!  what sources deliver ─┘         └─► effects
//! ```
//! Keys come first, so that no flood of readings makes them wait, and are answered at once; everything else is drawn a
//! few times a second at most. Nothing is drawn where nothing changed.

use std::any::Any;
use std::io;
use std::time::Duration;

use crossterm::event::KeyEvent;
use tokio::sync::mpsc::Receiver;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::input::Input;
use super::terminal::Screen;
use crate::app::{App, Command, Effect, Event};
use crate::clock::{self, Clock};
use crate::domain::{At, Observation};

/// Between two frames that no key asked for.
const FRAME: Duration = Duration::from_millis(250);
/// Between two looks at the clock, on this machine's.
const TICK: Duration = Duration::from_secs(1);
/// So many readings are taken in before keys are looked at again.
const BATCH: usize = 64;

/// What there is to watch, once it was found.
pub(super) struct Watched {
    /// The time by which its readings are dated.
    pub(super) clock: Clock,
    /// What its sources deliver.
    pub(super) observations: Receiver<Observation>,
    /// What has to stay for as long as it is watched.
    pub(super) _kept: Box<dyn Any + Send>,
}

/// How it ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// The user had seen enough.
    Quit,
    /// It was interrupted, or nobody looked any more.
    Interrupted,
    /// There is nothing to watch, and why.
    Nothing(String),
}

/// The loop's own state.
pub(super) struct Shell {
    screen: Screen,
    app: App,
    clock: Clock,
    /// Something changed that is not on the screen.
    wanted: bool,
    /// Somebody waits for it.
    urgent: bool,
    /// The shell has the terminal.
    stopped: bool,
    next_frame: Instant,
}

impl Shell {
    /// A war room on this screen.
    pub(super) fn new(screen: Screen, app: App) -> Self {
        let next_frame = Instant::from_std(clock::monotonic());
        Self { screen, app, clock: Clock::Wall, wanted: true, urgent: true, stopped: false, next_frame }
    }

    /// Draws the first frame, before anything is looked for.
    pub(super) fn first_frame(&mut self) -> io::Result<()> {
        self.app.take_changed();
        self.draw()
    }

    /// Runs until it is left. `opening` looks for what there is to watch.
    pub(super) async fn run(
        mut self,
        mut inputs: Receiver<Input>,
        mut opening: JoinHandle<Result<Watched, String>>,
    ) -> io::Result<Ended> {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut watched: Option<Watched> = None;
        let mut opened = false;
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            self.wanted |= self.app.take_changed();
            let due = self.urgent || Instant::from_std(clock::monotonic()) >= self.next_frame;
            let may = self.wanted && !self.stopped;
            if may && due && self.screen.is_ready() {
                self.draw()?;
            }
            let waits = self.wanted && !self.stopped;
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
                    if opened {
                        self.tick();
                    }
                }
                found = &mut opening, if !opened => {
                    opened = true;
                    match found.unwrap_or_else(|error| Err(format!("this should not have happened: {error}"))) {
                        Ok(found) => {
                            self.clock = found.clock;
                            watched = Some(found);
                            self.tick();
                        }
                        Err(why) => return Ok(Ended::Nothing(why)),
                    }
                }
                () = self.screen.ready(), if waits && !self.screen.is_ready() => {}
                () = sleep_until(self.next_frame), if waits && !due && self.screen.is_ready() => {}
                count = receive(&mut watched, &mut batch), if watched.is_some() => {
                    if count == 0 {
                        // Nobody delivers any more: what is known stays, and ages.
                        watched = None;
                    }
                    for observation in batch.drain(..) {
                        self.app.update(Event::Observed(Box::new(observation)));
                    }
                }
            }
        }
    }

    fn tick(&mut self) {
        self.app.update(Event::Tick(At(self.clock.unix_ms())));
    }

    fn take_in(&mut self, input: Input) -> io::Result<Option<Ended>> {
        self.urgent = true;
        match input {
            Input::Key(key) => {
                if let Some(command) = command(key) {
                    return Ok(self.command(command));
                }
            }
            Input::Resized => {
                self.screen.repaint();
                self.app.update(Event::Resized);
            }
            Input::Leave => return Ok(Some(Ended::Interrupted)),
            Input::Stop(by_key) => {
                if !self.stopped {
                    self.stopped = true;
                    self.screen.leave();
                    if !stop(by_key) {
                        self.go_on()?;
                    }
                }
            }
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

    fn command(&mut self, command: Command) -> Option<Ended> {
        for effect in self.app.update(Event::Command(command)) {
            match effect {
                Effect::Quit => return Some(Ended::Quit),
            }
        }
        None
    }

    fn go_on(&mut self) -> io::Result<()> {
        self.stopped = false;
        self.wanted = true;
        self.screen.come_back()
    }

    fn draw(&mut self) -> io::Result<()> {
        let app = &self.app;
        self.screen.draw(|frame| view(app, frame))?;
        (self.wanted, self.urgent) = (false, false);
        self.next_frame = Instant::from_std(clock::monotonic()) + FRAME;
        Ok(())
    }
}

/// Waits for something to be delivered; 0: nobody delivers any more.
async fn receive(watched: &mut Option<Watched>, batch: &mut Vec<Observation>) -> usize {
    match watched {
        Some(watched) => watched.observations.recv_many(batch, BATCH).await,
        None => std::future::pending().await,
    }
}

/// Stops this process; by a key, as the terminal does it: with everyone that was started together with it, so that the
/// shell gets its prompt back whoever started it. False: it was not stopped.
fn stop(by_key: bool) -> bool {
    use rustix::process::{Signal, getpid, kill_current_process_group, kill_process};
    if by_key { kill_current_process_group(Signal::STOP).is_ok() } else { kill_process(getpid(), Signal::STOP).is_ok() }
}

fn command(key: KeyEvent) -> Option<Command> {
    (key.code == crossterm::event::KeyCode::Char('q')).then_some(Command::Quit)
}

fn view(app: &App, frame: &mut ratatui::Frame<'_>) {
    let verdict = app.diagnosis.as_ref().map_or("", |d| d.sentence.as_str());
    let names: Vec<&str> = app.snapshot.endpoints.iter().map(|e| e.name.as_str()).collect();
    let text = format!("warroom {}\n{verdict}\n{}\nq quit", names.join(" "), app.snapshot.now.0 / 1000);
    frame.render_widget(ratatui::widgets::Paragraph::new(text), frame.area());
}
