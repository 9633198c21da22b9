//! The incident's dealings with the world: its record is kept, what is proposed is tried, what was approved is sent once,
//! and everything comes back as events. Decides nothing.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::keeper::{Keeper, Place, Report, Wish, answered};
use super::remembered::fate;
use super::steps::{self, Step};
use crate::action::{Outcome, Plan};
use crate::app::{Beginning, Effect, Event, Recording, Sending, Tried};
use crate::cluster::Performer;
use crate::contract::record::{Entry, Target};
use crate::diagnosis::Diagnosis;
use crate::domain::{At, Body, Observation, Snapshot, WorkloadRef};
use crate::journal::Watching;
use crate::journal::readings::{MOST_BYTES, Readings};

/// The disk hangs, or the thread that writes is gone.
const STUCK: &str = "the record cannot be written (the disk does not answer): levers stay off until it can";

/// What a task in the background came to.
enum Done {
    Tried(Box<Tried>),
    Performed { id: u64, outcome: Box<Outcome> },
}

/// The dealings.
pub(super) struct Incident {
    keeper: Option<Keeper>,
    reports: UnboundedReceiver<Report>,
    done: UnboundedReceiver<Done>,
    tell: UnboundedSender<Done>,
    /// Who sends; `None`: there is no cluster.
    performer: Option<Performer>,
    watching: Watching,
    /// Whether this war room writes the record.
    writes: bool,
    judged: Option<At>,
    /// The record's file.
    path: Option<PathBuf>,
    /// What was observed, beside the record.
    readings: Option<Readings>,
    /// What was wrong with them when it was last told.
    trouble: Option<String>,
}

impl Incident {
    /// Nothing is on record yet. What cannot be kept is told by the event.
    pub(super) fn new(place: Place) -> (Self, Option<Event>) {
        let (tell, done) = unbounded_channel();
        let (keeper, reports, trouble) = match Keeper::start(place) {
            Ok((keeper, reports)) => (Some(keeper), reports, None),
            Err(error) => (None, unbounded_channel().1, Some(failing(&error.to_string()))),
        };
        let incident = Self {
            keeper,
            reports,
            done,
            tell,
            performer: None,
            watching: Watching::new(),
            writes: false,
            judged: None,
            path: None,
            readings: None,
            trouble: None,
        };
        (incident, trouble)
    }

    /// What is watched is known now: what was left unfinished about it is looked for.
    pub(super) fn found(&mut self, target: Option<&WorkloadRef>, performer: Option<Performer>) -> Option<Event> {
        self.performer = performer;
        match target {
            Some(target) => self.wish(Wish::Find(Target::from(target))),
            None => Some(Event::Earlier(None)),
        }
    }

    /// Waits for something to come back.
    pub(super) async fn next(&mut self) -> Happened {
        tokio::select! {
            Some(report) = self.reports.recv() => Happened(Came::Report(report)),
            Some(done) = self.done.recv() => Happened(Came::Done(done)),
            else => std::future::pending().await,
        }
    }

    /// What came back, as events.
    pub(super) fn take(&mut self, happened: Happened, now: At, snapshot: &Snapshot) -> Vec<Event> {
        match happened.0 {
            Came::Done(Done::Tried(tried)) => vec![Event::Tried(tried)],
            Came::Done(Done::Performed { id, outcome }) => {
                steps::reached(Step::Sent);
                // On disk before anybody is told.
                let trouble = self.wish(Wish::Write(now, answered(id, &outcome).into()));
                trouble.into_iter().chain([Event::Performed { id, outcome }]).collect()
            }
            Came::Report(Report::Earlier(earlier)) => vec![Event::Earlier(earlier)],
            Came::Report(Report::Recording(recording)) => {
                self.writes = matches!(recording, Recording::Writing { .. } | Recording::Failing { .. });
                if !self.writes {
                    // Whoever writes the record now reads along beside it.
                    self.readings = None;
                }
                vec![Event::Recording(recording)]
            }
            Came::Report(Report::Heard(heard)) => vec![Event::Heard(heard)],
            Came::Report(Report::Opened(path, contents)) => {
                // A new record was written to since it was begun; one that is gone on with says what it has.
                if !contents.lines.is_empty() {
                    (self.watching, self.judged, self.writes) = (Watching::after(&contents), None, true);
                }
                self.read_along(&path, snapshot);
                self.path = Some(path);
                Vec::new()
            }
            Came::Report(Report::OnRecord(sending)) => {
                steps::reached(Step::Planned);
                self.send(*sending).into_iter().collect()
            }
            Came::Report(Report::NotOnRecord(id, why)) => {
                vec![Event::Performed { id, outcome: Box::new(Outcome::NotSent(why)) }]
            }
        }
    }

    /// Grants what the state wishes, where it is about the incident.
    pub(super) fn grant(&mut self, effect: Effect, now: At) -> Option<Event> {
        match effect {
            Effect::Begin(beginning) => {
                if beginning == Beginning::New {
                    // What comes next is on record once it is open: the thread keeps the order.
                    (self.watching, self.judged, self.writes) = (Watching::new(), None, true);
                }
                self.wish(Wish::Begin(beginning, now))
            }
            Effect::Record(record) => self.wish(Wish::Write(now, Entry::run(*record).into())),
            Effect::DryRun(proposed) => {
                let (performer, tell) = (self.performer.clone()?, self.tell.clone());
                tokio::spawn(async move {
                    let trial = performer.dry_run(&proposed).await;
                    let _ = tell.send(Done::Tried(Box::new(Tried { proposed: *proposed, trial })));
                });
                None
            }
            Effect::Send(sending) => {
                let id = sending.id;
                self.wish(Wish::Plan(now, sending)).map(|_| not_sent(id, STUCK))
            }
            Effect::Reread { id, plan, sent } => {
                self.reread(id, *plan, sent);
                None
            }
            _ => None,
        }
    }

    /// It is on disk: now it is sent, once.
    fn send(&self, sending: Sending) -> Option<Event> {
        let Sending { id, approved, .. } = sending;
        let Some(performer) = self.performer.clone() else {
            return Some(not_sent(id, "no cluster is connected"));
        };
        let tell = self.tell.clone();
        tokio::spawn(async move {
            let outcome = Box::new(performer.apply(approved).await.outcome);
            let _ = tell.send(Done::Performed { id, outcome });
        });
        None
    }

    /// Finds out what became of a change whose answer is not on record.
    fn reread(&self, id: u64, plan: Plan, sent: At) {
        let Some(performer) = self.performer.clone() else { return };
        let tell = self.tell.clone();
        tokio::spawn(async move {
            let outcome = Box::new(fate(performer.settled(&plan, sent).await));
            let _ = tell.send(Done::Performed { id, outcome });
        });
    }

    /// Begins to write what is observed beside the record, with what is known already.
    fn read_along(&mut self, record: &Path, snapshot: &Snapshot) {
        let mut readings = Readings::open(record, MOST_BYTES);
        let at = snapshot.now;
        for endpoint in &snapshot.endpoints {
            readings.note(&Observation { at, body: Body::Recorded(Box::new(endpoint.clone())) });
        }
        for watch in &snapshot.watches {
            readings.note(&Observation { at, body: Body::Watch(watch.clone()) });
        }
        if let Some((_, facts)) = &snapshot.cluster {
            readings.note(&Observation { at, body: Body::Cluster(Arc::clone(facts)) });
        }
        self.readings = Some(readings);
    }

    /// Something was observed.
    pub(super) fn observed(&mut self, observation: &Observation) {
        if let Some(readings) = &mut self.readings {
            readings.note(observation);
        }
    }

    /// What of a new diagnosis is worth a line; and what is wrong with the readings, once.
    pub(super) fn judged(&mut self, d: &Diagnosis) -> Option<Event> {
        let trouble = self.readings.as_ref().and_then(Readings::trouble);
        if trouble != self.trouble {
            self.trouble.clone_from(&trouble);
            if let Some(why) = trouble {
                return Some(Event::Notice(format!("a replay of this will have gaps: {why}")));
            }
        }
        if !self.writes || self.judged == Some(d.at) {
            return None;
        }
        self.judged = Some(d.at);
        let entries = self.watching.entries(d);
        // Each is tried, whatever became of the one before.
        entries.into_iter().fold(None, |trouble, entry| self.wish(Wish::Write(d.at, entry.into())).or(trouble))
    }

    /// It was left in order.
    pub(super) fn close(&mut self, now: At) {
        let _ = self.wish(Wish::Close(now));
    }

    /// The record's file, where one was opened.
    pub(super) fn path(&self) -> Option<&PathBuf> {
        self.path.as_ref()
    }

    fn wish(&self, wish: Wish) -> Option<Event> {
        let taken = self.keeper.as_ref().is_some_and(|keeper| keeper.wish(wish));
        (!taken).then(|| failing(STUCK))
    }
}

/// Something came back.
pub(super) struct Happened(Came);

enum Came {
    Report(Report),
    Done(Done),
}

fn failing(why: &str) -> Event {
    Event::Recording(Recording::Failing { why: why.to_owned() })
}

fn not_sent(id: u64, why: &str) -> Event {
    Event::Performed { id, outcome: Box::new(Outcome::NotSent(why.to_owned())) }
}
