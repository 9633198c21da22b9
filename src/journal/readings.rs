//! The ring of readings beside a record: what was observed, for whoever wants to see the incident again. Bounded, lossy,
//! and never in the way: nothing is synced, nothing waits for the disk, and what could not be written is counted and
//! told. What of it was decided and done stands in the record.
//!
//! ```text
//! 20260608T070000Z-prod_ns_name.jsonl             the record
//! 20260608T070000Z-prod_ns_name.readings/         0700
//!     00000007.jsonl.gz                           0600; a segment: gzip members of JSON lines, one per flush
//!     00000008.jsonl.gz                           it begins with what holds: endpoints, watches, what Kubernetes says
//! ```
//!
//! - A member is written with one call about every ten seconds of observations, so that `kill -9` loses at most those.
//! - The oldest segment goes before the whole gets larger than its bound. Each segment begins with the newest facts, so
//!   that a ring whose beginning is gone still makes sense.
//! - Secrets are not in it: literal values of variables that are named like secrets were hidden where they came in, and
//!   raw templates are left out, since only a lever needs them. A replay has no levers.
//!
//! Measured on a simulated rollout of 42 minutes (in a debug build on
//! a shared core): three vLLM replicas at an interval of 5 s come to 12 KB a minute, 390 bytes a page; with a gateway, three
//! exporters of GPUs, and Kubernetes told every 5 s, to 29 KB, 250 bytes an observation, so that the default bound holds a
//! day and a half. An observation costs 60 to 90 us on the thread that writes, and 85 to 155 us to read back. A hundred
//! replicas would come to 0.4 MB a minute, which is two and a half hours; that was not measured.

mod latest;
mod line;
mod past;
mod ring;
mod tidy;

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender, TrySendError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

pub use past::{Past, lines, read};
use ring::Ring;
pub use tidy::tidy;

use crate::domain::{At, Body, Observation, Page};

/// Bytes that all segments of a ring may have together, where nothing else is said.
pub const MOST_BYTES: u64 = 64 << 20;

/// Observations that wait for the thread that writes.
const MOST_WAITING: usize = 2_048;
/// Facts that wait until there is room for them: a page that is missed is followed by the next one, a fact is not.
const MOST_FACTS_WAITING: usize = 1_024;
/// After so long without an observation, what was gathered is written.
const SILENCE: Duration = Duration::from_secs(10);
/// How long leaving the war room may take because of the ring.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the thread that writes and its owner both know.
#[derive(Debug, Default)]
struct Shared {
    /// Observations that did not reach the thread.
    dropped: AtomicU64,
    trouble: Mutex<Option<String>>,
}

/// The ring of a war room that writes its record. Dropped, it writes what was gathered.
#[derive(Debug)]
pub struct Readings {
    folder: PathBuf,
    sender: Option<SyncSender<Observation>>,
    waiting: VecDeque<Observation>,
    shared: Arc<Shared>,
    /// Nothing is ever sent here: it closes when the thread has ended.
    ended: Receiver<()>,
}

/// Where the readings of a record lie.
pub fn folder(record: &Path) -> PathBuf {
    record.with_extension("readings")
}

impl Readings {
    /// A ring beside `record`, with at most `most_bytes` on disk. Goes on with one that is there. Touches no disk itself,
    /// so that nothing can fail here: what fails later is [`Self::trouble`].
    pub fn open(record: &Path, most_bytes: u64) -> Self {
        let folder = folder(record);
        let ring = Ring::new(&folder, most_bytes);
        Self::start(folder, MOST_WAITING, |observations, shared| write(ring, &observations, &shared))
    }

    fn start(
        folder: PathBuf,
        most: usize,
        work: impl FnOnce(Receiver<Observation>, Arc<Shared>) + Send + 'static,
    ) -> Self {
        let (sender, observations) = mpsc::sync_channel(most);
        let (end, ended) = mpsc::channel::<()>();
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let thread = thread::Builder::new().name("readings".to_owned()).spawn(move || {
            let _end = end;
            work(observations, theirs);
        });
        if let Err(error) = thread {
            shared.tell(Some(format!("no thread can be started ({})", error.kind())));
        }
        Self { folder, sender: Some(sender), waiting: VecDeque::new(), shared, ended }
    }

    /// Takes an observation to be written, in the order of the stream. Never waits: what there is no room for is dropped
    /// and counted.
    pub fn note(&mut self, observation: &Observation) {
        while let Some(first) = self.waiting.pop_front() {
            if let Some(first) = self.offer(first) {
                self.waiting.push_front(first);
                break;
            }
        }
        let left = if self.waiting.is_empty() { self.offer(observation.clone()) } else { Some(observation.clone()) };
        match left {
            None => {}
            Some(fact) if !matches!(fact.body, Body::Page { .. }) && self.waiting.len() < MOST_FACTS_WAITING => {
                self.waiting.push_back(fact);
            }
            Some(_) => {
                self.shared.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Hands one over, or gives it back.
    fn offer(&self, observation: Observation) -> Option<Observation> {
        match self.sender.as_ref()?.try_send(observation) {
            Ok(()) => None,
            Err(TrySendError::Full(it) | TrySendError::Disconnected(it)) => Some(it),
        }
    }

    /// Why readings are not written, where that is so. Nothing else stops because of it.
    pub fn trouble(&self) -> Option<String> {
        self.shared.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Observations that were dropped because the disk could not keep up.
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }

    /// Where they lie.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Shared {
    fn tell(&self, trouble: Option<String>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }
}

impl Drop for Readings {
    fn drop(&mut self) {
        for observation in std::mem::take(&mut self.waiting) {
            if self.offer(observation).is_some() {
                self.shared.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
        self.sender = None;
        // A disk that hangs must not keep anybody in a war room that is over.
        let _ = self.ended.recv_timeout(PATIENCE);
    }
}

/// How far apart the readings of one engine were meant to be (s): the middle gap between the first pages. Nothing where
/// there are too few to tell.
pub fn interval_s(record: &Path) -> Option<f64> {
    /// Pages that are looked at.
    const ENOUGH: usize = 500;
    let mut last: BTreeMap<Arc<str>, At> = BTreeMap::new();
    let mut gaps = Vec::new();
    for observation in read(record).take(ENOUGH) {
        let Body::Page { endpoint, page: Ok(Page::Engine(_)) } = observation.body else { continue };
        gaps.extend(last.insert(endpoint, observation.at).map(|before| observation.at.since(before)));
    }
    gaps.retain(|gap| *gap > 0.0);
    gaps.sort_by(f64::total_cmp);
    gaps.get(gaps.len() / 2).copied()
}

/// Writes a past that is known already as the ring of `record`, at once. An error says why some of it is missing.
pub fn keep(record: &Path, most_bytes: u64, past: impl IntoIterator<Item = Observation>) -> Result<(), String> {
    let mut ring = Ring::new(&folder(record), most_bytes);
    let mut trouble = None;
    for observation in past {
        ring.take(observation);
        trouble = trouble.or_else(|| ring.trouble().map(str::to_owned));
    }
    ring.flush();
    trouble.or_else(|| ring.trouble().map(str::to_owned)).map_or(Ok(()), Err)
}

/// The thread that writes.
fn write(mut ring: Ring, observations: &Receiver<Observation>, shared: &Shared) {
    loop {
        let next = observations.recv_timeout(SILENCE);
        ring.dropped(shared.dropped.load(Ordering::Relaxed));
        match next {
            Ok(observation) => ring.take(observation),
            Err(RecvTimeoutError::Timeout) => ring.flush(),
            Err(RecvTimeoutError::Disconnected) => {
                ring.flush();
                return;
            }
        }
        shared.tell(ring.trouble().map(str::to_owned));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{EnginePage, SourceState, Watch};

    fn page(at: i64) -> Observation {
        let page = Ok(Page::Engine(EnginePage::default()));
        Observation { at: At(at), body: Body::Page { endpoint: "a".into(), page } }
    }

    fn watch(at: i64) -> Observation {
        let watch = Watch { resource: "pods", state: SourceState::Live, heard: Some(At(at)), error: None };
        Observation { at: At(at), body: Body::Watch(watch) }
    }

    #[test]
    fn a_thread_that_cannot_keep_up_costs_pages_and_no_facts_and_never_time() {
        let (go, gone) = mpsc::channel::<()>();
        let (tell, told) = mpsc::channel();
        let mut readings = Readings::start(PathBuf::new(), 3, move |observations, shared| {
            let _ = gone.recv();
            let all: Vec<i64> = observations.iter().map(|o| o.at.0).collect();
            let _ = tell.send((all, shared.dropped.load(Ordering::Relaxed)));
        });
        (0..5).for_each(|at| readings.note(&page(at)));
        assert_eq!(readings.dropped(), 2);
        readings.note(&watch(5));
        readings.note(&page(6));
        assert_eq!((readings.dropped(), readings.waiting.len()), (3, 1), "a page behind a fact that waits is dropped");
        drop(go);
        while readings.waiting.len() == 1 {
            readings.note(&page(7));
            thread::yield_now();
        }
        let dropped = readings.dropped();
        drop(readings);
        let (written, known) = told.recv().expect("it ended");
        assert_eq!(written[..4], [0, 1, 2, 5], "in order");
        assert_eq!(known, dropped);
    }

    #[test]
    fn a_thread_that_hangs_keeps_nobody() {
        let (go, gone) = mpsc::channel::<()>();
        drop(Readings::start(PathBuf::new(), 1, move |_, _| {
            let _ = gone.recv();
        }));
        drop(go);
    }
}
