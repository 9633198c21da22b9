//! The keeper of the record: a thread of its own, so that no disk makes a key wait. What it is told comes in one order,
//! and what must be on disk before a change is sent is on disk when it says so.
//!
//! ```text
//!  App ─ Effect ─► shell ─ Wish ─► keeper (journal, its lock, its file) ─ Report ─► shell ─ Event ─► App
//! ```

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::mpsc;

use super::gate;
use super::remembered::{earlier, heard, workload};
use super::steps::{self, Step};
use crate::app::{Beginning, Earlier, Heard, Recording, Sending};
use crate::contract::record::{Answered, Contents, Entry, Target};
use crate::domain::At;
use crate::journal::{self, Following, Journal, JournalError, Opening, Unfinished, readings};
use crate::runbook::Who;

/// Wishes that wait for the disk: more come only from one that hangs.
const WISHES: usize = 4096;
/// Between two looks at whether somebody else took over, or at what somebody else wrote.
const LOOK: Duration = Duration::from_millis(500);
/// Readings of all incidents together (bytes): those of the oldest make room, and no record does.
const MOST_READINGS: u64 = 512 << 20;
/// How long is waited for the last lines when the program is left.
const GOODBYE: Duration = Duration::from_secs(1);

/// What whoever keeps records has to know.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// Where they lie; `None`: the user has no home.
    pub(super) folder: Option<PathBuf>,
    /// Who sits here.
    pub(super) who: Who,
    /// Whether nothing may be changed.
    pub(super) read_only: bool,
    /// Whether the cluster is a simulation: then nothing is looked for that was left unfinished.
    pub(super) simulated: bool,
}

/// What it is told.
pub(super) enum Wish {
    /// Look for what was left unfinished about this workload.
    Find(Target),
    Begin(Beginning, At),
    Write(At, Box<Entry>),
    /// Put it on record; only then may it be sent.
    Plan(At, Box<Sending>),
    /// Left in order.
    Close(At),
}

/// What it says.
pub(super) enum Report {
    Earlier(Option<Box<Earlier>>),
    Recording(Recording),
    Heard(Box<Heard>),
    /// It is on disk, and may be sent now.
    OnRecord(Box<Sending>),
    /// It is not on disk, and must not be sent.
    NotOnRecord(u64, String),
    /// The record's file, and what is on record already.
    Opened(PathBuf, Box<Contents>),
}

/// The hands of the keeper.
pub(super) struct Keeper {
    wishes: Option<SyncSender<Wish>>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    /// Starts the thread. What it says comes out of the receiver.
    pub(super) fn start(place: Place) -> std::io::Result<(Self, mpsc::UnboundedReceiver<Report>)> {
        let (wishes, told) = sync_channel(WISHES);
        let (say, reports) = mpsc::unbounded_channel();
        let desk = Desk { place, target: None, found: None, open: Open::None, said: Recording::None, say };
        let thread = thread::Builder::new().name("record".to_owned()).spawn(move || desk.run(&told))?;
        Ok((Self { wishes: Some(wishes), thread: Some(thread) }, reports))
    }

    /// Hands a wish over. False: the disk hangs, or the thread is gone, and nothing is written any more.
    #[must_use]
    pub(super) fn wish(&self, wish: Wish) -> bool {
        let Some(wishes) = &self.wishes else { return false };
        !matches!(wishes.try_send(wish), Err(TrySendError::Full(_) | TrySendError::Disconnected(_)))
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.wishes.take());
        let Some(thread) = self.thread.take() else { return };
        // A disk that hangs must not keep anybody from leaving.
        let until = crate::clock::monotonic() + GOODBYE;
        while !thread.is_finished() && crate::clock::monotonic() < until {
            thread::sleep(Duration::from_millis(5));
        }
        if thread.is_finished() {
            let _ = thread.join();
        }
    }
}

/// Which record is open, and how.
enum Open {
    None,
    Mine(Box<Journal>),
    Along { following: Following, by: Who, first: bool },
}

struct Desk {
    place: Place,
    target: Option<Target>,
    found: Option<Unfinished>,
    open: Open,
    said: Recording,
    say: mpsc::UnboundedSender<Report>,
}

impl Desk {
    fn run(mut self, told: &Receiver<Wish>) {
        let mut due = crate::clock::monotonic() + LOOK;
        loop {
            let now = crate::clock::monotonic();
            if now >= due {
                self.look();
                due = now + LOOK;
            }
            match told.recv_timeout(due.saturating_duration_since(now)) {
                Ok(wish) => self.take(wish),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn say(&self, report: Report) {
        // Without a listener the wishes end too.
        let _ = self.say.send(report);
    }

    fn take(&mut self, wish: Wish) {
        match wish {
            Wish::Find(target) => {
                let folder = self.place.folder.as_ref().filter(|_| !self.place.simulated);
                self.found = folder.and_then(|folder| journal::latest(folder, &target));
                self.target = Some(target);
                self.say(Report::Earlier(self.found.as_ref().map(|found| Box::new(earlier(found)))));
            }
            Wish::Begin(beginning, at) => self.begin(beginning, at),
            Wish::Write(at, entry) => {
                if let Open::Mine(journal) = &mut self.open {
                    let answer = matches!(*entry, Entry::Answered(_));
                    // What cannot be written waits, and the levers are off meanwhile.
                    let _ = journal.append(at, *entry);
                    if answer {
                        steps::reached(Step::Answered);
                    }
                    self.tell();
                }
            }
            Wish::Plan(at, sending) => self.plan(at, sending),
            Wish::Close(at) => {
                if let Open::Mine(journal) = &mut self.open {
                    let _ = journal.append(at, Entry::Closed {});
                }
            }
        }
    }

    fn begin(&mut self, beginning: Beginning, at: At) {
        // Whoever begins a record lets go of the one before.
        let before = std::mem::replace(&mut self.open, Open::None);
        let opened = match (beginning, before) {
            (Beginning::New, Open::Mine(mut journal)) => {
                let _ = journal.append(at, Entry::Closed {});
                self.create(at)
            }
            (Beginning::New, _) => self.create(at),
            (Beginning::Resume { .. }, Open::Along { following, .. }) => self.resume(following.path(), at, true),
            (Beginning::Resume { take_over }, _) => match self.found.as_ref().map(|found| found.path.clone()) {
                Some(path) => self.resume(&path, at, take_over),
                None => self.create(at),
            },
            (Beginning::ReadAlong, _) => match &self.found {
                Some(found) => {
                    let by = found.held_by.clone().unwrap_or_default();
                    Ok((Open::Along { following: Following::new(&found.path), by, first: true }, Contents::default()))
                }
                None => self.create(at),
            },
        };
        match opened {
            Ok((open, contents)) => {
                if let Open::Mine(journal) = &open {
                    self.say(Report::Opened(journal.path().to_owned(), Box::new(contents)));
                    if let Some(folder) = journal.path().parent() {
                        readings::tidy(folder, MOST_READINGS, journal.path());
                    }
                }
                self.open = open;
                self.tell();
            }
            Err(JournalError::Held { who }) => {
                if let Some(found) = &self.found {
                    let following = Following::new(&found.path);
                    self.open = Open::Along { following, by: who, first: true };
                    self.tell();
                }
            }
            Err(error) => self.failing(&error.to_string()),
        }
    }

    fn create(&self, at: At) -> Result<(Open, Contents), JournalError> {
        let Some(folder) = &self.place.folder else {
            return Err(JournalError::Io {
                path: "$XDG_STATE_HOME".to_owned(),
                what: "found",
                why: "neither it nor HOME is set".to_owned(),
            });
        };
        let opening = Opening {
            target: self.target.clone().unwrap_or_default(),
            read_only: self.place.read_only,
            simulated: self.place.simulated,
        };
        let journal = Journal::create(folder, &opening, at, &self.place.who)?;
        Ok((Open::Mine(Box::new(journal)), Contents::default()))
    }

    fn resume(&self, path: &Path, at: At, take_over: bool) -> Result<(Open, Contents), JournalError> {
        let (journal, contents) = Journal::resume(path, at, &self.place.who, take_over)?;
        Ok((Open::Mine(Box::new(journal)), contents))
    }

    fn plan(&mut self, at: At, sending: Box<Sending>) {
        let id = sending.id;
        let Open::Mine(journal) = &mut self.open else {
            self.say(Report::NotOnRecord(id, "no record is open, and nothing is done without one".to_owned()));
            return;
        };
        let mut planned = gate::planned(sending.approved.plan(), id);
        planned.notes.splice(..0, sending.notes.iter().cloned());
        let entry = Entry::Planned(planned);
        steps::reached(Step::Approved);
        match journal.append(at, entry) {
            Ok(()) => self.say(Report::OnRecord(sending)),
            Err(error) => self.say(Report::NotOnRecord(id, error.to_string())),
        }
        self.tell();
    }

    /// Between two wishes: whether the record is still this war room's, or what somebody else wrote.
    fn look(&mut self) {
        match &mut self.open {
            Open::None => {}
            Open::Mine(journal) => {
                journal.retry();
                let _ = journal.is_mine();
                self.tell();
            }
            Open::Along { following, by, first } => {
                let more = following.more();
                let (begins, target) = (std::mem::take(first), self.target.as_ref().and_then(workload));
                let last = more.owner().map(|(_, line)| line.by.clone());
                if let Some(last) = last {
                    *by = last;
                }
                for line in more.lines {
                    // What was sent before one looked on is history, and not news.
                    if let Some(heard) = heard(line, target.as_ref()).filter(|h| !begins || matches!(h, Heard::Run(_)))
                    {
                        let _ = self.say.send(Report::Heard(Box::new(heard)));
                    }
                }
                self.tell();
            }
        }
    }

    /// Says how it stands with the record, where that has changed.
    fn tell(&mut self) {
        let recording = match &self.open {
            Open::None => return,
            Open::Mine(journal) => match (journal.taken_by(), journal.levers_off()) {
                (Some(by), _) => {
                    let following = Following::new(journal.path());
                    self.open = Open::Along { following, by: by.clone(), first: true };
                    Recording::ReadingAlong { by }
                }
                (None, Some(why)) => Recording::Failing { why },
                (None, None) => {
                    let path = crate::text::clean(&journal.path().to_string_lossy(), 300);
                    Recording::Writing { path }
                }
            },
            Open::Along { by, .. } => Recording::ReadingAlong { by: by.clone() },
        };
        self.said_now(recording);
    }

    fn failing(&mut self, why: &str) {
        self.said_now(Recording::Failing { why: why.to_owned() });
    }

    fn said_now(&mut self, recording: Recording) {
        if self.said != recording {
            self.said = recording.clone();
            self.say(Report::Recording(recording));
        }
    }
}

/// The entry that says what came of a change.
pub(super) fn answered(id: u64, outcome: &crate::action::Outcome) -> Entry {
    let status = match outcome {
        crate::action::Outcome::Applied(_) => Some(200),
        crate::action::Outcome::Rejected { code, .. } => Some(*code),
        _ => None,
    };
    Entry::Answered(Answered { id, accepted: outcome.changed(), status, says: outcome.to_string() })
}
