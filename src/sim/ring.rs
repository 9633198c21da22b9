//! The history before the screen opens, as the recordings that a running war room would have left: one directory per
//! endpoint, named after its pod, with its pages in one file, its failed scrapes, and what it was when.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;
use serde_json::{Value, json};

use super::world::{Endpoint, World};
use crate::domain::At;

/// The last so many seconds are recorded more closely.
const CLOSE_S: f64 = 20.0 * 60.0;
/// Seconds between two pages there, and before.
const CLOSE_EVERY_S: i64 = 5;
const FAR_EVERY_S: i64 = 30;
/// Pod names are names in Kubernetes: a directory cannot be named otherwise.
const LONGEST_NAME: usize = 253;

/// A line of the file of pages.
#[derive(Serialize)]
struct Line<'a> {
    at_ms: i64,
    page: &'a str,
}

/// Records what a world's endpoints say while it advances.
#[derive(Debug)]
pub(crate) struct Ring {
    directory: PathBuf,
    known: BTreeMap<String, Known>,
}

/// An endpoint's placements, pages and failures.
#[derive(Debug)]
struct Known {
    placements: Vec<Placement>,
    pages: Option<GzEncoder<BufWriter<File>>>,
    failures: Option<BufWriter<File>>,
    seen: bool,
}

#[derive(Debug, Clone, PartialEq)]
struct Placement {
    from: At,
    to: Option<At>,
    endpoint: Endpoint,
}

impl Ring {
    /// A ring in a directory, which is made.
    pub(crate) fn new(directory: &Path) -> io::Result<Self> {
        fs::create_dir_all(directory)?;
        Ok(Self { directory: directory.to_owned(), known: BTreeMap::new() })
    }

    /// Advances a world to `until` and records what would have been scraped on the way.
    pub(crate) fn record(mut self, world: &mut World, until: At) -> io::Result<()> {
        loop {
            let now = world.now();
            let every = if until.since(now) <= CLOSE_S { CLOSE_EVERY_S } else { FAR_EVERY_S };
            let step = every * 1000;
            let next = At((now.0.div_euclid(step) + 1) * step);
            if next > until {
                break;
            }
            world.advance(next);
            self.scrape(world)?;
        }
        world.advance(until);
        self.close()
    }

    fn scrape(&mut self, world: &World) -> io::Result<()> {
        let now = world.now();
        let mut there = BTreeSet::new();
        for mut endpoint in world.endpoints() {
            if endpoint.pod.len() > LONGEST_NAME || endpoint.pod.contains(['/', '\\']) || endpoint.pod.starts_with('.')
            {
                continue;
            }
            there.insert(endpoint.pod.clone());
            let page = endpoint.page.take();
            let directory = self.directory.join(&endpoint.pod);
            let known = match self.known.entry(endpoint.pod.clone()) {
                std::collections::btree_map::Entry::Occupied(known) => known.into_mut(),
                std::collections::btree_map::Entry::Vacant(new) => {
                    fs::create_dir_all(&directory)?;
                    new.insert(Known { placements: Vec::new(), pages: None, failures: None, seen: true })
                }
            };
            known.seen = true;
            known.place(now, endpoint);
            if let Some(page) = page {
                let pages = match &mut known.pages {
                    Some(pages) => pages,
                    none => {
                        let file = BufWriter::new(File::create(directory.join("pages.jsonl.gz"))?);
                        none.insert(GzEncoder::new(file, Compression::fast()))
                    }
                };
                // As one piece: the encoder works on what each call gives it.
                let mut line = serde_json::to_vec(&Line { at_ms: now.0, page: &page })?;
                line.push(b'\n');
                pages.write_all(&line)?;
                continue;
            }
            let failures = match &mut known.failures {
                Some(failures) => failures,
                none => none.insert(BufWriter::new(File::create(directory.join("scrapes.jsonl"))?)),
            };
            writeln!(failures, "{}", json!({"t_ms": now.0, "dur_ms": 1, "error": "connection refused"}))?;
        }
        for (pod, known) in &mut self.known {
            if !there.contains(pod) && known.seen {
                known.seen = false;
                if let Some(last) = known.placements.last_mut() {
                    last.to = Some(now);
                }
            }
        }
        Ok(())
    }

    fn close(&mut self) -> io::Result<()> {
        for (pod, known) in &mut self.known {
            if let Some(pages) = known.pages.take() {
                pages.finish()?.flush()?;
            }
            if let Some(failures) = &mut known.failures {
                failures.flush()?;
            }
            let entries: Vec<Value> = known.placements.iter().map(Placement::json).collect();
            fs::write(self.directory.join(pod).join("target.json"), Value::Array(entries).to_string())?;
        }
        Ok(())
    }
}

impl Known {
    fn place(&mut self, now: At, endpoint: Endpoint) {
        match self.placements.last_mut() {
            Some(last) if last.to.is_none() && last.endpoint == endpoint => return,
            Some(last) => last.to = Some(last.to.unwrap_or(now)),
            None => {}
        }
        self.placements.push(Placement { from: now, to: None, endpoint });
    }
}

impl Placement {
    fn json(&self) -> Value {
        let mut entry = json!({"from_ms": self.from.0, "pod": self.endpoint.pod, "node": self.endpoint.node,
                               "ready": self.endpoint.ready});
        if let Some(to) = self.to {
            entry["to_ms"] = json!(to.0);
        }
        if let Some(revision) = self.endpoint.revision {
            entry["revision"] = json!(revision);
        }
        entry
    }
}
