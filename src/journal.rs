//! The record of an incident on disk: one file of lines per incident, appended and never rewritten, readable by its
//! owner alone. What a line says is `contract::record`'s business; this module owns the file, who may write it, and what
//! is done when it cannot be written.
//!
//! - Each line is written with one call, so that `kill -9` loses at most the line that was being written; what must be on
//!   disk before and after a change of the cluster is synced.
//! - One war room writes. It holds a lock beside the file for as long as it lives, which the system lets go when it dies.
//!   A second one reads along; it takes over by a line of its own, which the first one finds before its next line.
//! - What cannot be written waits in memory, bounded, and the levers are off until it is on disk.
//!
//! Knows no clock (moments are handed in), no screen, and no other edge.

mod file;
mod following;
pub mod readings;
pub mod replay;
mod watching;
mod who;
mod writer;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

pub use following::Following;
pub use watching::Watching;
pub use who::who;

use crate::contract::record::{Contents, Entry, Line, Target, VERSION, parse};
use crate::domain::At;
use crate::runbook::{Run, Who};
use writer::Writer;

/// No record is longer (bytes): a week of incident is a few megabytes.
const MOST_READ: u64 = 64 << 20;

/// Why a record cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The folder or the file cannot be made or opened.
    #[error("the record '{path}' cannot be {what} ({why}): levers stay off until it can")]
    Io {
        /// The path, cleaned.
        path: String,
        /// What was tried.
        what: &'static str,
        /// What the system says.
        why: String,
    },
    /// Another war room took over.
    #[error("{who} took the record over at {at}: this war room looks on")]
    TakenOver {
        /// Who.
        who: Who,
        /// When.
        at: String,
    },
    /// A living war room writes it.
    #[error("{who} has this incident open: look on, or take over")]
    Held {
        /// Who.
        who: Who,
    },
    /// An entry is too long for a line.
    #[error("an entry of {bytes} bytes is too long for the record")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// There is no record to resume: its beginning is missing.
    #[error("'{path}' is no record of an incident: it does not begin like one")]
    NoRecord {
        /// The path, cleaned.
        path: String,
    },
}

/// What a new record begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// The workload.
    pub target: Target,
    /// Whether nothing may be changed.
    pub read_only: bool,
    /// Whether the cluster is a simulation.
    pub simulated: bool,
}

/// A record that was not brought to an end.
#[derive(Debug, Clone)]
pub struct Unfinished {
    /// Its file.
    pub path: PathBuf,
    /// What it holds.
    pub contents: Contents,
    /// The run as it stood.
    pub run: Option<Run>,
    /// When its last line was written.
    pub last: At,
    /// Who has it open now, where somebody has.
    pub held_by: Option<Who>,
}

/// A record that this war room writes.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    who: Who,
    owner: String,
    next: u64,
    /// Bytes of the file that are known: what comes after was written by somebody else.
    known: u64,
    writer: Writer<File>,
    /// Held for as long as this lives. `None`: the file system has no locks.
    alive: Option<File>,
    taken: Option<(Who, At)>,
}

impl Journal {
    /// Begins a record in `folder`.
    pub fn create(folder: &Path, opening: &Opening, at: At, who: &Who) -> Result<Self, JournalError> {
        file::make_folder(folder)?;
        let (path, file) = file::create(folder, &opening.target, at)?;
        let alive = file::hold(&path);
        let owner = owner(who, at);
        let mut journal = Self {
            alive: alive.ok().flatten(),
            who: who.clone(),
            owner: owner.clone(),
            next: 0,
            known: 0,
            writer: Writer::new(file),
            path,
            taken: None,
        };
        journal.append(
            at,
            Entry::Opened {
                target: opening.target.clone(),
                tool: env!("CARGO_PKG_VERSION").to_owned(),
                owner,
                read_only: opening.read_only,
                simulated: opening.simulated,
            },
        )?;
        file::sync_folder(folder);
        Ok(journal)
    }

    /// Goes on with a record. `take_over`: even where a living war room writes it.
    pub fn resume(path: &Path, at: At, who: &Who, take_over: bool) -> Result<(Self, Contents), JournalError> {
        let contents = read(path)?;
        let Some((_, line)) = contents.owner() else {
            return Err(JournalError::NoRecord { path: file::shown(path) });
        };
        let held_by = line.by.clone();
        let held = file::hold(path);
        let over = matches!(held, Ok(None));
        if over && !take_over {
            return Err(JournalError::Held { who: held_by });
        }
        let file = file::open_to_append(path)?;
        let length = file.metadata().map_err(|e| file::io_error(path, "read", &e))?.len();
        let owner = owner(who, at);
        let mut journal = Self {
            path: path.to_path_buf(),
            who: who.clone(),
            owner: owner.clone(),
            next: contents.lines.last().map_or(0, |l| l.n + 1),
            known: length,
            writer: Writer::after(file, mend(path, &contents)),
            alive: held.ok().flatten(),
            taken: None,
        };
        journal.append(at, Entry::Taken { owner, over })?;
        Ok((journal, contents))
    }

    /// Writes an entry, after those that could not be written before it. What must be on disk is on disk when this is
    /// `Ok`. On an error of the disk the entry waits and is written later, unless a lever needs it: then it is forgotten,
    /// for what it is about must not be done.
    pub fn append(&mut self, at: At, entry: Entry) -> Result<(), JournalError> {
        if let Some(error) = self.taken_over() {
            return Err(error);
        }
        let durable = entry.is_durable();
        let of_a_lever = entry.is_of_a_lever();
        let line = Line { v: VERSION, n: self.next, at, by: self.who.clone(), entry };
        let mut bytes = serde_json::to_vec(&line).map_err(|e| JournalError::Io {
            path: file::shown(&self.path),
            what: "written",
            why: e.to_string(),
        })?;
        bytes.push(b'\n');
        if bytes.len() > crate::contract::record::MOST_LINE {
            return Err(JournalError::TooLong { bytes: bytes.len() });
        }
        let written = {
            let _turn = file::turn(&self.path);
            if let Some(error) = self.look_for_others() {
                return Err(error);
            }
            self.next += 1;
            let written = self.writer.write(bytes, durable, of_a_lever);
            self.known = file::length(&self.path).unwrap_or(self.known);
            written
        };
        written.map_err(|e| file::io_error(&self.path, "written", &e))
    }

    /// Why nothing may be changed, where that is so: what is done could not be recorded.
    pub fn levers_off(&self) -> Option<String> {
        if let Some((who, at)) = &self.taken {
            let at = crate::contract::time(*at);
            return Some(format!("{who} took the incident over at {at}"));
        }
        self.writer.trouble().map(|why| format!("the record cannot be written ({why})"))
    }

    /// Who took the record over, where somebody did.
    pub fn taken_by(&self) -> Option<Who> {
        self.taken.as_ref().map(|(who, _)| who.clone())
    }

    /// Looks whether another war room took over, and lets go of the record where one did.
    pub fn is_mine(&mut self) -> bool {
        if self.taken.is_none() {
            let _turn = file::turn(&self.path);
            let _ = self.look_for_others();
        }
        self.taken.is_none()
    }

    /// Tries again to write what waits.
    pub fn retry(&mut self) {
        if self.writer.trouble().is_some() && self.is_mine() {
            let _turn = file::turn(&self.path);
            let _ = self.writer.flush();
            self.known = file::length(&self.path).unwrap_or(self.known);
        }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn taken_over(&self) -> Option<JournalError> {
        let (who, at) = self.taken.as_ref()?;
        Some(JournalError::TakenOver { who: who.clone(), at: crate::contract::time(*at) })
    }

    /// Reads what somebody else wrote since the last line, if anything.
    fn look_for_others(&mut self) -> Option<JournalError> {
        let length = file::length(&self.path)?;
        if length <= self.known {
            return None;
        }
        let mut tail = Vec::new();
        let mut file = File::open(&self.path).ok()?;
        file.seek(SeekFrom::Start(self.known)).ok()?;
        file.take(MOST_READ).read_to_end(&mut tail).ok()?;
        self.known = length;
        let tail = parse(&tail);
        if let Some(last) = tail.lines.last() {
            self.next = self.next.max(last.n + 1);
        }
        let (owner, line) = tail.owner()?;
        if owner != self.owner {
            self.taken = Some((line.by.clone(), line.at));
            self.alive = None;
        }
        self.taken_over()
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        if self.alive.take().is_some() {
            file::let_go(&self.path);
        }
    }
}

/// A word that no other war room has.
fn owner(who: &Who, at: At) -> String {
    format!("{}-{}-{}", who.host, std::process::id(), at.0)
}

/// What ends the last line of a file: one whose end alone is missing was read, and stays.
fn mend(path: &Path, contents: &Contents) -> &'static [u8] {
    match (contents.torn, ends_with_a_line(path)) {
        (true, _) => writer::SPOILED,
        (false, true) => b"",
        (false, false) => b"\n",
    }
}

fn ends_with_a_line(path: &Path) -> bool {
    let last = || -> io::Result<u8> {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::End(-1))?;
        let mut byte = [0];
        file.read_exact(&mut byte)?;
        Ok(byte[0])
    };
    last().is_ok_and(|byte| byte == b'\n')
}

/// Reads a record, whoever writes it.
pub fn read(path: &Path) -> Result<Contents, JournalError> {
    let mut bytes = Vec::new();
    let mut file = OpenOptions::new().read(true).open(path).map_err(|e| file::io_error(path, "read", &e))?;
    (&mut file).take(MOST_READ + 1).read_to_end(&mut bytes).map_err(|e| file::io_error(path, "read", &e))?;
    let too_long = bytes.len() as u64 > MOST_READ;
    bytes.truncate(usize::try_from(MOST_READ).unwrap_or(usize::MAX));
    let mut contents = parse(&bytes);
    contents.cut |= too_long;
    Ok(contents)
}

/// The newest record of this workload that was not brought to an end, if there is one.
pub fn latest(folder: &Path, target: &Target) -> Option<Unfinished> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "jsonl"))
        .collect();
    // Names begin with the moment of opening.
    files.sort();
    files.into_iter().rev().take(200).find_map(|path| {
        if !file::could_be_of(&path, target) {
            return None;
        }
        let contents = read(&path).ok().filter(|c| c.target() == Some(target))?;
        let run = Run::restore(contents.records());
        // A run that is over leaves nothing to resume; a divert is not over for the one who comes back.
        let over = run.as_ref().is_some_and(|r| {
            r.ended && r.moves.last().is_none_or(|m| m.means != Some(crate::runbook::Meaning::Diverted))
        });
        // A change that was made outside of a war room, and answered for, leaves nothing to resume either.
        let in_order = contents.lines.last().is_some_and(|line| matches!(line.entry, Entry::Closed {}));
        if over || (run.is_none() && in_order) {
            return None;
        }
        let last = contents.lines.last()?.at;
        let held_by = matches!(file::is_held(&path), Ok(true)).then(|| contents.owner().map(|(_, l)| l.by.clone()));
        Some(Unfinished { path, run, last, held_by: held_by.flatten(), contents })
    })
}
