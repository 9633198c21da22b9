//! The segments of a ring on disk: where they begin and end, and which one goes. Knows no thread and no clock: what was
//! gathered is written by the moments of the observations.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::{Compression, GzBuilder};

use super::latest::Latest;
use super::line::{self, Entry, VERSION};
use crate::domain::{At, Body, ClusterFacts, Observation};
use crate::journal::file::{make, private, why};

/// What every member's header says, so that the next one is found where one is damaged.
pub(super) const MARK: &[u8] = b"warroom readings";

/// A ring has so many segments: so much of it is gone at once when it turns.
const SEGMENTS: u64 = 8;
/// Bytes of lines that are written at once.
const MOST_GATHERED: usize = 256 << 10;
/// Observations that are farther apart than this (s) are not written at once.
const GATHERED_S: f64 = 10.0;
/// What Kubernetes says is written whole at least so often (s), and by its number in between.
const FACTS_WHOLE_EVERY_S: f64 = 300.0;

/// The segments, and what was gathered for the next member.
#[derive(Debug)]
pub(super) struct Ring {
    folder: PathBuf,
    most: u64,
    segment: Option<Segment>,
    gathered: Gathered,
    /// What holds as of what is on disk.
    settled: Latest,
    facts: Option<(At, u64, Arc<ClusterFacts>)>,
    numbers: u64,
    /// Observations that are missing and were not told yet, and how many of them never came here.
    missing: u64,
    missing_why: &'static str,
    dropped: u64,
    trouble: Option<String>,
}

/// A segment that is being written.
#[derive(Debug)]
struct Segment {
    file: File,
    number: u64,
    length: u64,
}

#[derive(Debug, Default)]
struct Gathered {
    lines: Vec<u8>,
    observations: u64,
    facts: Vec<(Observation, u64)>,
    since: Option<At>,
}

impl Ring {
    pub(super) fn new(folder: &Path, most: u64) -> Self {
        Self {
            folder: folder.to_path_buf(),
            most,
            segment: None,
            gathered: Gathered::default(),
            settled: Latest::default(),
            facts: None,
            numbers: 0,
            missing: 0,
            missing_why: "",
            dropped: 0,
            trouble: None,
        }
    }

    /// So many observations never came here since the beginning.
    pub(super) fn dropped(&mut self, all: u64) {
        if all > self.dropped {
            self.missing += all - self.dropped;
            self.missing_why = "they came faster than they could be written";
            self.dropped = all;
        }
    }

    /// Takes an observation, and writes what was gathered when it is time.
    pub(super) fn take(&mut self, observation: Observation) {
        let at = observation.at;
        self.tell_missing(at);
        self.gathered.since.get_or_insert(at);
        let mut number = 0;
        let is_fact = !matches!(observation.body, Body::Page { .. });
        let fact = is_fact.then(|| observation.clone());
        let mut whole = true;
        if let Body::Cluster(facts) = &observation.body {
            let entry = self.facts(at, facts);
            number = self.numbers;
            whole = line::write(&entry, &mut self.gathered.lines);
        } else {
            for entry in line::entries(observation) {
                whole &= line::write(&entry, &mut self.gathered.lines);
            }
        }
        if whole {
            self.gathered.observations += 1;
            self.gathered.facts.extend(fact.map(|fact| (fact, number)));
        } else {
            self.missing += 1;
            self.missing_why = "they are too long for a line";
        }
        let apart = self.gathered.since.is_some_and(|since| at.since(since).abs() >= GATHERED_S);
        if apart || self.gathered.lines.len() >= MOST_GATHERED {
            self.flush();
        }
    }

    /// What Kubernetes says, whole where that is new or was not said for long.
    fn facts(&mut self, at: At, facts: &Arc<ClusterFacts>) -> Entry {
        if let Some((written, number, known)) = &self.facts
            && (Arc::ptr_eq(known, facts) || known == facts)
            && (0.0..FACTS_WHOLE_EVERY_S).contains(&at.since(*written))
        {
            return Entry::Held { at, number: *number };
        }
        self.numbers += 1;
        self.facts = Some((at, self.numbers, Arc::clone(facts)));
        Entry::Facts { at, number: self.numbers, again: false, facts: Arc::clone(facts) }
    }

    fn tell_missing(&mut self, at: At) {
        if self.missing > 0 {
            let why = self.missing_why.to_owned();
            line::write(&Entry::Lost { at, observations: self.missing, why }, &mut self.gathered.lines);
            self.gathered.observations += std::mem::take(&mut self.missing);
        }
    }

    /// Writes what was gathered.
    pub(super) fn flush(&mut self) {
        if let (true, Some(since)) = (self.gathered.lines.is_empty(), self.gathered.since) {
            self.tell_missing(since);
        }
        let gathered = std::mem::take(&mut self.gathered);
        if gathered.lines.is_empty() {
            return;
        }
        match member(&gathered.lines).and_then(|member| self.store(&member)) {
            Ok(()) => self.trouble = None,
            Err(error) => {
                self.trouble = Some(format!("readings cannot be written ({})", why(&error)));
                self.missing += gathered.observations;
                self.missing_why = "they could not be written";
                self.segment = None;
            }
        }
        // What could not be written is known all the same, and said where the next segment begins.
        for (fact, number) in gathered.facts {
            self.settled.note(fact, number);
        }
    }

    /// Why what was gathered last was not written.
    pub(super) fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// Writes a member behind the others, or into a new segment where this one is full.
    fn store(&mut self, member: &[u8]) -> io::Result<()> {
        let fits = |s: &&mut Segment| s.length + member.len() as u64 <= self.most / SEGMENTS;
        if let Some(segment) = self.segment.as_mut().filter(fits) {
            return segment.append(member);
        }
        let before = self.segment.take().map(|s| s.number);
        make(&self.folder)?;
        let others = segments(&self.folder)?;
        let next = others.keys().next_back().map_or(1, |last| last.saturating_add(1));
        // Another war room may be taking this number at this moment.
        let file = private().append(true).create_new(true).open(path(&self.folder, next))?;
        let mut segment = Segment { file, number: next, length: 0 };
        let follows = before.is_some_and(|before| before + 1 == next);
        let written = self.head(next, follows).and_then(|mut bytes| {
            bytes.extend_from_slice(member);
            self.make_room(&others, (bytes.len() as u64).max(self.most / SEGMENTS))?;
            segment.append(&bytes)
        });
        match written {
            Ok(()) => self.segment = Some(segment),
            Err(_) => drop(fs::remove_file(path(&self.folder, next))),
        }
        written
    }

    /// What a segment begins with.
    fn head(&self, segment: u64, follows: bool) -> io::Result<Vec<u8>> {
        let (mut bytes, mut lines) = (Vec::new(), Vec::new());
        line::write(&Entry::Begins { v: VERSION, segment, follows }, &mut lines);
        for entry in self.settled.entries() {
            line::write(&entry, &mut lines);
            if lines.len() >= MOST_GATHERED {
                bytes.extend(member(&lines)?);
                lines.clear();
            }
        }
        bytes.extend(member(&lines)?);
        Ok(bytes)
    }

    /// Takes the oldest segments away until there is room for so many bytes.
    fn make_room(&self, others: &BTreeMap<u64, u64>, bytes: u64) -> io::Result<()> {
        if bytes > self.most {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let mut total: u64 = others.values().sum();
        for (number, length) in others {
            if total + bytes <= self.most {
                break;
            }
            fs::remove_file(path(&self.folder, *number))?;
            total -= length;
        }
        Ok(())
    }
}

impl Segment {
    /// One call; what of it went out although it failed is taken back.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self.file.write_all(bytes) {
            Ok(()) => {
                self.length += bytes.len() as u64;
                Ok(())
            }
            Err(error) => {
                let _ = self.file.set_len(self.length);
                Err(error)
            }
        }
    }
}

/// Lines as one gzip member.
fn member(lines: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzBuilder::new().comment(MARK).write(Vec::new(), Compression::default());
    encoder.write_all(lines)?;
    encoder.finish()
}

/// The file of a segment.
pub(super) fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:08}.jsonl.gz"))
}

/// The segments of a folder by their numbers, with their lengths. Links and whatever else may lie there are none.
pub(super) fn segments(folder: &Path) -> io::Result<BTreeMap<u64, u64>> {
    /// No folder has more files that matter.
    const MOST_FILES: usize = 10_000;
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder)?.take(MOST_FILES) {
        let entry = entry?;
        let name = entry.file_name();
        let number = name.to_str().and_then(|n| n.strip_suffix(".jsonl.gz")).and_then(|n| n.parse::<u64>().ok());
        let length = entry.metadata().ok().filter(fs::Metadata::is_file).map(|m| m.len());
        if let (Some(number), Some(length)) = (number, length)
            && path(folder, number) == entry.path()
        {
            found.insert(number, length);
        }
    }
    Ok(found)
}

/// The bytes of a segment, so many of them at most.
pub(super) fn bytes(folder: &Path, number: u64, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path(folder, number))?.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}
