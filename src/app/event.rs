//! The closed lists: what can happen, and what can be wished.

use super::command::Command;
use super::desk::{Earlier, Recording};
use crate::action::guard::{Approved, Proposed};
use crate::action::{Outcome, Plan, Trial};
use crate::domain::{At, Discovery, Observation, WorkloadRef};
use crate::runbook::{Catalogue, Record, Who};

/// Everything that can happen.
#[derive(Debug)]
pub enum Event {
    /// Somebody asked for something.
    Command(Command),
    /// Somebody typed a character into the prompt.
    Typed(char),
    /// What is watched was found: it was not named, or not in full.
    Found(Box<WorkloadRef>),
    /// A cluster is connected that can be looked through.
    LooksAround,
    /// What serves models was looked for.
    Offered {
        /// When it was asked for.
        at: At,
        /// What was found, or why nothing could be looked at.
        found: Result<Box<Discovery>, String>,
    },
    /// A source delivered something.
    Observed(Box<Observation>),
    /// A log that is followed went on.
    Logs(LogBatch),
    /// It is this moment now.
    Tick(At),
    /// It is this moment, and a key is about to be taken in: nothing is judged on its way.
    Now(At),
    /// The card that is open has been on the screen since this moment, and what was typed before is not for it.
    Painted(At),
    /// A dry run was answered.
    Tried(Box<Tried>),
    /// What was sent came to this, and it is on record.
    Performed {
        /// By this it was sent.
        id: u64,
        /// What came of it.
        outcome: Box<Outcome>,
    },
    /// Every runbook at hand: they are read after the first frame.
    Runbooks(Box<Catalogue>),
    /// The records of this workload were looked through: what was left unfinished, if anything.
    Earlier(Option<Box<Earlier>>),
    /// How it stands with the record.
    Recording(Recording),
    /// A record that somebody else writes, or that is played again, went on.
    Heard(Box<Heard>),
    /// The terminal has this size now, in cells.
    Resized {
        /// Columns.
        columns: u16,
        /// Rows.
        rows: u16,
    },
    /// Something to tell whoever sits there: a file that was written, a wish that could not be granted.
    Notice(String),
}

/// A dry run and its answer.
#[derive(Debug)]
pub struct Tried {
    /// What was tried.
    pub proposed: Proposed,
    /// What came of it.
    pub trial: Trial,
}

/// Something that a record says.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    /// Something happened to the run.
    Run(Record),
    /// A change was about to be asked for.
    Sent {
        /// By this its answer is found.
        id: u64,
        /// By whom.
        by: Who,
        /// When.
        at: At,
        /// In one line.
        title: String,
        /// What was planned, as far as the record remembers it.
        plan: Option<Box<Plan>>,
    },
    /// What came of it.
    Answered {
        /// Of which.
        id: u64,
        /// The answer, as far as the record remembers it.
        outcome: Box<Outcome>,
    },
}

/// More of a log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogBatch {
    /// Whose.
    pub pod: String,
    /// Its lines, oldest first.
    pub lines: Vec<String>,
    /// Why no more will come, where that is so.
    pub ended: Option<String>,
}

/// A change that may be sent, once.
#[derive(Debug, PartialEq)]
pub struct Sending {
    /// By this its answer is found.
    pub id: u64,
    /// The permission.
    pub approved: Approved,
    /// For the record: what it was expected to help.
    pub notes: Vec<String>,
}

/// Which record is to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beginning {
    /// A new one.
    New,
    /// The unfinished one is gone on with.
    Resume {
        /// Even where a living war room writes it.
        take_over: bool,
    },
    /// The one that a living war room writes is read along.
    ReadAlong,
}

/// What the runtime is to do.
#[derive(Debug, PartialEq)]
pub enum Effect {
    /// Leave.
    Quit,
    /// Put the program to sleep until the shell wakes it.
    Suspend,
    /// Paint everything anew, whatever was painted before.
    Redraw,
    /// Look for what serves models, and tell it.
    Discover {
        /// In all namespaces.
        everywhere: bool,
    },
    /// Watch this one from now on, and what was watched no more.
    Watch(Box<WorkloadRef>),
    /// Follow a pod's log from its last lines on, and no other log any more.
    FollowLogs {
        /// The pod.
        pod: String,
        /// The container, where it is known.
        container: Option<String>,
        /// Of its run before the last restart.
        previous: bool,
    },
    /// Follow no log any more.
    StopLogs,
    /// Write what is on the screen to a file.
    SaveFrame,
    /// Begin a record, or go on with one. What is to be recorded comes after it.
    Begin(Beginning),
    /// Put this on record.
    Record(Box<Record>),
    /// Try this without storing anything.
    DryRun(Box<Proposed>),
    /// Find out what became of a change whose answer is not on record, and tell it like an answer.
    Reread {
        /// By this it was sent.
        id: u64,
        /// What was planned.
        plan: Box<Plan>,
        /// When it was put on record: it was sent then, or never.
        sent: At,
    },
    /// Put this on record, and only where it is on disk send it; then put its answer on record.
    Send(Box<Sending>),
}
