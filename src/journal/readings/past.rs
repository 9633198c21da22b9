//! A ring read back: one segment's bytes in memory at a time, one member's lines, one observation. Whatever the bytes
//! are, there is an answer; what is damaged is counted and named, and what stands behind it is read on.

use std::collections::{BTreeSet, VecDeque};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::read::GzDecoder;
use memchr::memmem;

use super::folder;
use super::line::{self, Entry, VERSION};
use super::ring::{MARK, bytes, segments};
use crate::domain::{At, Body, ClusterFacts, Endpoint, Observation};
use crate::journal::file::why;
use crate::text::clean;

/// No segment is longer (bytes), and no member's lines are.
const MOST_SEGMENT: u64 = 32 << 20;
const MOST_MEMBER: u64 = 4 << 20;
/// Damages that are named; the others are counted.
const MOST_NAMED: usize = 50;
/// Endpoints that are there at once.
const MOST_ENDPOINTS: usize = 4_096;
/// A member's header before the comment that marks it: ID, method, flags, time, level, system.
const HEADER: usize = 10;

/// The observations of a ring, in the order in which they were made.
#[derive(Debug, Default)]
pub struct Past {
    folder: PathBuf,
    segments: VecDeque<u64>,
    first: Option<u64>,
    /// The segment that is read, and where its members that were not read yet begin.
    segment: u64,
    bytes: Vec<u8>,
    members: VecDeque<usize>,
    /// The lines of the member that is read.
    lines: Vec<u8>,
    at: usize,
    number: usize,
    /// Whether nothing is missing between what was read so far and the next line of facts that are said again.
    unbroken: bool,
    /// The segment that was read to its end without damage.
    whole: Option<u64>,
    damaged: bool,
    facts: Option<(u64, Arc<ClusterFacts>)>,
    joined: Option<(At, Box<Endpoint>)>,
    ready: VecDeque<Observation>,
    endpoints: BTreeSet<Arc<str>>,
    bad: u64,
    lost: u64,
    named: Vec<String>,
}

/// The readings beside a record. A record without any has an empty past.
pub fn read(record: &Path) -> Past {
    Past::of(&folder(record))
}

/// The lines of a member, wherever they come from.
pub fn lines(lines: &[u8]) -> Past {
    Past { lines: lines.to_vec(), ..Past::default() }
}

impl Past {
    fn of(folder: &Path) -> Self {
        let mut past = Self { folder: folder.to_path_buf(), ..Self::default() };
        match segments(folder) {
            Ok(found) => past.segments = found.into_keys().collect(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => past.name(&format!("the readings cannot be read ({})", why(&error))),
        }
        past.first = past.segments.front().copied();
        past
    }

    /// Whether there are any segments: what is in them shows when they are read.
    pub const fn is_there(&self) -> bool {
        self.first.is_some()
    }

    /// Whether the ring has turned, so that it does not reach back to the record's beginning.
    pub fn beginning_is_gone(&self) -> bool {
        self.first.is_some_and(|first| first > 1)
    }

    /// Lines and members that could not be understood, of what was read so far.
    pub const fn bad(&self) -> u64 {
        self.bad
    }

    /// Observations that were not written, of what was read so far.
    pub const fn lost(&self) -> u64 {
        self.lost
    }

    /// What is wrong with what was read so far, a sentence each.
    pub fn problems(&self) -> Vec<String> {
        let mut said = self.named.clone();
        let named = self.named.len() as u64;
        if self.bad > named {
            said.push(format!("{} more damages in the readings", self.bad - named));
        }
        if self.lost > 0 {
            said.push(format!("{} observations were not written", self.lost));
        }
        if self.beginning_is_gone() {
            said.push("the readings do not reach back to the beginning: the oldest had to make room".to_owned());
        }
        said
    }

    fn bad_at(&mut self, says: &str) {
        self.damaged = true;
        self.unbroken = false;
        let place = if self.number == 0 { String::new() } else { format!(", line {} of a member", self.number) };
        self.name(&format!("readings, segment {}{place}: {says}", self.segment));
    }

    fn name(&mut self, says: &str) {
        self.bad += 1;
        if self.named.len() < MOST_NAMED {
            self.named.push(clean(says, 300));
        }
    }

    /// The next line that is not empty.
    fn line(&mut self) -> Option<Vec<u8>> {
        loop {
            while self.at < self.lines.len() {
                let rest = &self.lines[self.at..];
                let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
                let line = rest[..end].to_vec();
                self.at += end + 1;
                self.number += 1;
                if !line.iter().all(u8::is_ascii_whitespace) {
                    return Some(line);
                }
            }
            self.member()?;
        }
    }

    /// Takes the next member's lines in; nothing where there are no more.
    fn member(&mut self) -> Option<()> {
        self.number = 0;
        while self.members.is_empty() {
            self.next_segment()?;
        }
        let from = self.members.pop_front()?;
        let to = self.members.front().copied().unwrap_or(self.bytes.len());
        (self.lines, self.at) = (Vec::new(), 0);
        let mut lines = Vec::new();
        let unpacked = GzDecoder::new(&self.bytes[from..to]).take(MOST_MEMBER + 1).read_to_end(&mut lines);
        match unpacked {
            Ok(_) if lines.len() as u64 > MOST_MEMBER => self.bad_at("a member is too long"),
            Ok(_) => self.lines = lines,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                // Whoever wrote it was interrupted: what stands before the cut is as it was written.
                lines.truncate(memchr::memrchr(b'\n', &lines).map_or(0, |end| end + 1));
                self.bad_at("a member was cut off while it was written; its whole lines are read");
                self.lines = lines;
            }
            Err(_) => self.bad_at("a member is damaged, so that none of it is believed"),
        }
        Some(())
    }

    fn next_segment(&mut self) -> Option<()> {
        if self.segment > 0 && !self.damaged {
            self.whole = Some(self.segment);
        }
        (self.segment, self.damaged, self.unbroken) = (self.segments.pop_front()?, false, false);
        self.bytes = match bytes(&self.folder, self.segment, MOST_SEGMENT) {
            Ok(bytes) => bytes,
            Err(error) => {
                self.bad_at(&format!("it cannot be read ({})", why(&error)));
                Vec::new()
            }
        };
        let marks = memmem::find_iter(&self.bytes, MARK);
        let starts =
            marks.filter_map(|at| at.checked_sub(HEADER)).filter(|at| self.bytes[*at..].starts_with(&[0x1f, 0x8b]));
        self.members = starts.collect();
        if self.members.front() != Some(&0) {
            self.bad_at("it does not begin like one");
        }
        Some(())
    }

    /// What a line is worth, put into `ready`.
    fn take(&mut self, entry: Entry) {
        if let Some(joined) = self.joined.take() {
            self.past(joined, entry);
            return;
        }
        match entry {
            Entry::Begins { v, .. } if v > VERSION => {
                self.members.clear();
                self.lines.clear();
                self.bad_at("it was written by a newer warroom: read it with that one");
            }
            Entry::Begins { segment, follows, .. } => {
                self.unbroken =
                    follows && self.whole.is_some_and(|whole| whole + 1 == segment) && segment == self.segment;
                if !self.unbroken {
                    self.facts = None;
                }
            }
            Entry::Lost { observations, .. } => self.lost = self.lost.saturating_add(observations),
            Entry::Piece(Observation { at, body: Body::Recorded(piece) }) => self.joined = Some((at, piece)),
            Entry::Piece(_) => self.bad_at("a part of something that has none"),
            Entry::Again(_) | Entry::Facts { again: true, .. } if self.unbroken => {}
            Entry::Observed(observation) | Entry::Again(observation) => self.deliver(observation),
            Entry::Facts { at, number, facts, .. } => {
                self.facts = Some((number, Arc::clone(&facts)));
                self.ready.push_back(Observation { at, body: Body::Cluster(facts) });
            }
            Entry::Held { at, number } => match &self.facts {
                Some((known, facts)) if *known == number => {
                    self.ready.push_back(Observation { at, body: Body::Cluster(Arc::clone(facts)) });
                }
                _ => self.bad_at("what Kubernetes said before this line is not there"),
            },
        }
    }

    /// A line behind the first part of an endpoint's past.
    fn past(&mut self, (at, mut endpoint): (At, Box<Endpoint>), entry: Entry) {
        match entry {
            Entry::Piece(Observation { body: Body::Recorded(piece), .. }) if piece.name == endpoint.name => {
                endpoint.join(*piece);
                self.joined = Some((at, endpoint));
            }
            Entry::Observed(Observation { body: Body::Recorded(piece), .. }) if piece.name == endpoint.name => {
                endpoint.join(*piece);
                self.deliver(Observation { at, body: Body::Recorded(endpoint) });
            }
            other => {
                self.bad_at("the rest of an endpoint's past is not there");
                self.deliver(Observation { at, body: Body::Recorded(endpoint) });
                self.take(other);
            }
        }
    }

    fn deliver(&mut self, observation: Observation) {
        let name: Option<Arc<str>> = match &observation.body {
            Body::Endpoint { name, .. } | Body::Page { endpoint: name, .. } => Some(Arc::clone(name)),
            Body::Recorded(endpoint) => Some(endpoint.name.as_str().into()),
            Body::EndpointGone { name } => {
                self.endpoints.remove(name);
                None
            }
            Body::Cluster(_)
            | Body::Watch(_)
            | Body::Probed(_)
            | Body::Told(_)
            | Body::Untold(_)
            | Body::Paced { .. } => None,
        };
        if let Some(name) = name.filter(|name| !self.endpoints.contains(name)) {
            if self.endpoints.len() >= MOST_ENDPOINTS {
                self.bad_at("more endpoints than a war room has");
                return;
            }
            self.endpoints.insert(name);
        }
        self.ready.push_back(observation);
    }
}

impl Iterator for Past {
    type Item = Observation;

    fn next(&mut self) -> Option<Observation> {
        loop {
            if let Some(observation) = self.ready.pop_front() {
                return Some(observation);
            }
            let Some(line) = self.line() else {
                let (at, endpoint) = self.joined.take()?;
                self.bad_at("the rest of an endpoint's past is not there");
                self.deliver(Observation { at, body: Body::Recorded(endpoint) });
                continue;
            };
            match line::read(&line) {
                Ok(entry) => self.take(entry),
                Err(says) => self.bad_at(&says),
            }
        }
    }
}
