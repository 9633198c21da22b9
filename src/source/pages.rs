//! Recorded pages as a source: one directory is one endpoint, its files are `<unix_ms>.prom` or `.prom.gz`.
//!
//! Instead of a file per page, or beside such files, one file may hold many: `pages.jsonl.gz` or `pages.jsonl`, with a
//! line `{"at_ms": …, "page": "…"}` for each page, oldest first. Of two pages of one moment the one with a file of its own
//! is read. A recorder may append, compressed as one gzip member after the other; a last line that was cut is a reading
//! that failed.
//!
//! Beside them may lie `probes.jsonl` (health probes and failed scrapes), `scrapes.jsonl` (every scrape) and
//! `target.json` (which pod the endpoint was, and when). Nothing later than the judged moment is read.

mod bundle;

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::read::MultiGzDecoder;
use serde::Deserialize;
use serde_json::Value;

use self::bundle::Bundle;
use super::engine::Decoder;
use crate::decode::exposition::MAX_PAGE;
use crate::dialect::Memory;
use crate::domain::{At, Body, Endpoint, Failure, GpuPage, Observation, Page, Placement, Pool};
use crate::text::{clean, shell_word};

/// A name below this counts seconds and not milliseconds: as seconds it is the year 5138, as milliseconds March 1973.
const SECONDS_BELOW: i64 = 100_000_000_000;
/// The longest line of a `.jsonl` file, and the most lines of one.
const MAX_LINE: u64 = 64 * 1024;
const MAX_LINES: usize = 1_000_000;
const SHOWN: usize = 120;
/// The most recordings that may lie side by side.
const MAX_RECORDINGS: usize = 1_000;

/// The end of the year 9999, in unix milliseconds: a file named after a later moment is no page.
const LATEST_MS: i64 = 253_402_300_799_999;

/// A directory that cannot be used as a recording.
#[derive(Debug, thiserror::Error)]
pub enum PagesError {
    /// It is not there, or may not be read.
    #[error(
        "'{path}' cannot be read: {source}; --pages takes a directory with files named <unix_ms>.prom or <unix_ms>.prom.gz, or with a pages.jsonl.gz"
    )]
    Unreadable {
        /// Which.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// It is a file.
    #[error("'{path}' is not a directory; --pages takes the directory in which <unix_ms>.prom files lie")]
    NotADirectory {
        /// Which.
        path: String,
    },
    /// There is nothing in it to read.
    #[error("'{path}' holds no pages: expected files named <unix_ms>.prom or <unix_ms>.prom.gz, or a pages.jsonl.gz")]
    Empty {
        /// Which.
        path: String,
    },
    /// A file beside the pages is not what it should be.
    #[error("'{path}': {message}")]
    Beside {
        /// Which.
        path: String,
        /// What is wrong with it.
        message: String,
    },
}

/// A recorded endpoint, listed and not yet read.
#[derive(Debug)]
pub struct Recording {
    directory: PathBuf,
    name: String,
    files: Vec<(At, PathBuf)>,
    bundle: Option<Bundle>,
    /// The moments of all pages, oldest first.
    moments: Vec<At>,
    failures: Vec<(At, Failure, Kind)>,
    placements: Vec<Placement>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Scrape,
    Probe,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TargetFile {
    from_ms: Option<i64>,
    to_ms: Option<i64>,
    pod: Option<String>,
    node: Option<String>,
    revision: Option<u64>,
    ready: Option<bool>,
    pool: Option<Pool>,
}

/// The recordings that lie side by side in a directory, one sub-directory each, under the sub-directories' names.
pub fn side_by_side(directory: &Path) -> Result<Vec<Recording>, PagesError> {
    let path = clean(&directory.display().to_string(), SHOWN);
    let unreadable = |source| PagesError::Unreadable { path: path.clone(), source };
    let mut folders: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(directory).map_err(unreadable)? {
        let folder = entry.map_err(|source| PagesError::Unreadable { path: path.clone(), source })?.path();
        if folder.is_dir() && folders.len() < MAX_RECORDINGS {
            folders.push(folder);
        }
    }
    folders.sort();
    let open = |folder: &PathBuf| {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Recording::open(folder).map(|recording| recording.named(&name))
    };
    folders.iter().map(open).filter(|opened| !matches!(opened, Err(PagesError::Empty { .. }))).collect()
}

impl Recording {
    /// Lists a directory and reads what lies beside the pages.
    pub fn open(directory: &Path) -> Result<Self, PagesError> {
        let path = clean(&directory.display().to_string(), SHOWN);
        if directory.is_file() {
            return Err(PagesError::NotADirectory { path });
        }
        let unreadable = |source| PagesError::Unreadable { path: path.clone(), source };
        let mut files = Vec::new();
        for entry in fs::read_dir(directory).map_err(unreadable)? {
            let entry = entry.map_err(|source| PagesError::Unreadable { path: path.clone(), source })?;
            let file = entry.file_name();
            if let Some(at) = file.to_str().and_then(moment) {
                files.push((at, entry.path()));
            }
        }
        files.sort();
        let bundle = Bundle::find(directory)?;
        let mut moments = bundle.as_ref().map_or(Ok(Vec::new()), Bundle::moments)?;
        moments.extend(files.iter().map(|f| f.0));
        moments.sort_unstable();
        moments.dedup();
        let mut failures = probes(&directory.join("probes.jsonl"))?;
        failures.extend(scrapes(&directory.join("scrapes.jsonl"))?);
        failures.sort_by_key(|f| f.0);
        if moments.is_empty() && failures.is_empty() {
            return Err(PagesError::Empty { path });
        }
        let placements = placements(&directory.join("target.json"))?;
        Ok(Self { directory: directory.to_owned(), name: path, files, bundle, moments, failures, placements })
    }

    /// The time of the first page, or of the first failure where there is no page.
    pub fn first(&self) -> Option<At> {
        self.moments.first().copied().or_else(|| self.failures.first().map(|f| f.0))
    }

    /// The earliest thing that is known: a page or a failure.
    pub fn earliest(&self) -> Option<At> {
        [self.moments.first().copied(), self.failures.first().map(|f| f.0)].into_iter().flatten().min()
    }

    /// The time of the last page or failure.
    pub fn last(&self) -> Option<At> {
        self.moments.last().copied().max(self.failures.last().map(|f| f.0))
    }

    /// The time of the last page.
    pub fn last_page(&self) -> Option<At> {
        self.moments.last().copied()
    }

    /// The middle gap between pages up to `until`, in seconds.
    pub fn interval_s(&self, until: At) -> Option<f64> {
        let known = self.moments.partition_point(|at| *at <= until);
        let mut gaps: Vec<f64> = self.moments[..known].windows(2).map(|w| w[1].since(w[0])).collect();
        gaps.sort_by(f64::total_cmp);
        gaps.get(gaps.len() / 2).copied()
    }

    /// Its name as an endpoint: the directory, unless it was [renamed](Self::named).
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The same recording under another name, such as that of the pod which goes on being read.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.name = clean(name, SHOWN);
        self
    }

    /// Reads all pages and failures up to `until`, as what they say about one endpoint. Pages of GPUs are left out: their
    /// readings belong to the GPUs, see [`Self::observations`].
    pub fn read(&self, until: At, decoder: &Decoder) -> Endpoint {
        self.load(until, decoder).0
    }

    /// Everything that is recorded up to `until`, in the order in which a snapshot takes it in: the endpoint with its
    /// past, then the readings of GPUs, oldest first.
    pub fn observations(&self, until: At, decoder: &Decoder) -> Vec<Observation> {
        let (endpoint, gpus) = self.load(until, decoder);
        let at = self.earliest().unwrap_or(until);
        let mut all = vec![Observation { at, body: Body::Recorded(Box::new(endpoint)) }];
        let endpoint: Arc<str> = self.name.as_str().into();
        all.extend(gpus.into_iter().map(|(at, page)| {
            let body = Body::Page { endpoint: Arc::clone(&endpoint), page: Ok(Page::Gpus(page)) };
            Observation { at, body }
        }));
        all
    }

    fn load(&self, until: At, decoder: &Decoder) -> (Endpoint, Vec<(At, GpuPage)>) {
        let reproduce = match (&self.bundle, self.files.is_empty()) {
            (Some(_), true) => format!("zcat -f {}/pages.jsonl* | jq -r .page", quoted(&self.directory)),
            _ => format!("zcat -f {}/*.prom*", quoted(&self.directory)),
        };
        let mut endpoint = Endpoint::new(self.name.clone(), reproduce);
        endpoint.placements = self.placements.iter().filter(|p| p.from.is_none_or(|f| f <= until)).cloned().collect();
        let (mut memory, mut gpus) = (Memory::default(), Vec::new());
        let mut failures = self.failures.iter().filter(|f| f.0 <= until).peekable();
        for (at, bytes) in self.pages().take_while(|p| p.0 <= until) {
            while let Some((when, failure, kind)) = failures.next_if(|f| f.0 < at) {
                note(&mut endpoint, *when, failure, *kind);
            }
            let page = bytes.and_then(|page| decoder.decode(&page, &mut memory));
            if let Ok(page) = &page {
                endpoint.role = page.role();
            }
            match page {
                Ok(Page::Engine(page) | Page::Gateway(page)) => endpoint.page(at, page),
                Ok(Page::Gpus(page)) => gpus.push((at, page)),
                Err(failure) => endpoint.failed(at, failure),
            }
        }
        for (when, failure, kind) in failures {
            note(&mut endpoint, *when, failure, *kind);
        }
        (endpoint, gpus)
    }

    /// The pages of both forms, oldest first, one at a time.
    fn pages(&self) -> impl Iterator<Item = (At, Result<Vec<u8>, Failure>)> {
        let mut files = self.files.iter().peekable();
        let mut bundled = self.bundle.iter().flat_map(Bundle::pages).peekable();
        std::iter::from_fn(move || {
            let file = files.peek().map(|f| f.0);
            if let Some(page) = bundled.next_if(|b| file.is_none_or(|at| b.0 < at)) {
                return Some(page);
            }
            let (at, path) = files.next()?;
            let _same = bundled.next_if(|b| b.0 == *at);
            Some((*at, body(path)))
        })
    }
}

fn note(endpoint: &mut Endpoint, at: At, failure: &Failure, kind: Kind) {
    match kind {
        Kind::Scrape => endpoint.failed(at, failure.clone()),
        Kind::Probe => endpoint.probe_failed(at, failure.clone()),
    }
}

/// The moment that a file's name says, where it is a page's name at all.
fn moment(file: &str) -> Option<At> {
    let stem = file.strip_suffix(".prom.gz").or_else(|| file.strip_suffix(".prom"))?;
    let number: i64 = stem.parse().ok()?;
    // `date +%s` is written more easily than `date +%s%3N`: no recording is from the first months of 1970.
    let ms = if number < SECONDS_BELOW { number.checked_mul(1000)? } else { number };
    Some(ms).filter(|ms| (0..=LATEST_MS).contains(ms)).map(At)
}

/// A page's bytes, decompressed where need be, never more than the limit.
fn body(path: &Path) -> Result<Vec<u8>, Failure> {
    let failed = |what: &str, e: io::Error| {
        Failure::Other(format!("'{}' {what}: {e}", clean(&path.display().to_string(), SHOWN)))
    };
    // A pipe would keep us waiting for its writer.
    if fs::metadata(path).is_ok_and(|m| !m.is_file()) {
        return Err(Failure::Other(format!("'{}' is no file", clean(&path.display().to_string(), SHOWN))));
    }
    let file = File::open(path).map_err(|e| failed("cannot be read", e))?;
    let mut bytes = Vec::new();
    let limit = MAX_PAGE as u64 + 1;
    if path.extension().is_some_and(|e| e == "gz") {
        MultiGzDecoder::new(BufReader::new(file)).take(limit).read_to_end(&mut bytes).map_err(|e| match e.kind() {
            io::ErrorKind::UnexpectedEof => Failure::Cut,
            _ => failed("is no gzip", e),
        })?;
    } else {
        file.take(limit).read_to_end(&mut bytes).map_err(|e| failed("cannot be read", e))?;
    }
    if bytes.len() > MAX_PAGE { Err(Failure::TooLarge { limit: MAX_PAGE }) } else { Ok(bytes) }
}

/// Every line of a `.jsonl` file as JSON; none where the file is not there.
fn lines(path: &Path) -> Result<Vec<Value>, PagesError> {
    let shown = || clean(&path.display().to_string(), SHOWN);
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(PagesError::Unreadable { path: shown(), source }),
    };
    let mut reader = BufReader::new(file);
    let mut values = Vec::new();
    let mut line = Vec::new();
    for number in 1..=MAX_LINES {
        line.clear();
        let read = reader
            .by_ref()
            .take(MAX_LINE)
            .read_until(b'\n', &mut line)
            .map_err(|source| PagesError::Unreadable { path: shown(), source })?;
        if read == 0 {
            break;
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        let value = serde_json::from_slice(&line).map_err(|e| PagesError::Beside {
            path: shown(),
            message: format!(
                "line {number} is no JSON object ({}); remove the line, or the file",
                clean(&e.to_string(), SHOWN)
            ),
        })?;
        values.push(value);
    }
    Ok(values)
}

/// `probes.jsonl`: `{"t_ms": …, "/health": 200 | "error text", "/health_ms": …, "/metrics": …}`, a key per path. Only
/// what went wrong is kept: answers come from the pages themselves.
fn probes(path: &Path) -> Result<Vec<(At, Failure, Kind)>, PagesError> {
    let mut failures = Vec::new();
    for value in lines(path)? {
        let Some(at) = value.get("t_ms").and_then(Value::as_i64).map(At) else { continue };
        for (key, kind) in [("/metrics", Kind::Scrape), ("/health", Kind::Probe)] {
            let took = value.get(format!("{key}_ms")).and_then(Value::as_f64).unwrap_or(0.0);
            if let Some(failure) = value.get(key).and_then(|v| failure(v, took)) {
                failures.push((at, failure, kind));
            }
        }
    }
    Ok(failures)
}

/// `scrapes.jsonl`: `{"t_ms": …, "dur_ms": …, "status": 200}` or with `"error"`.
fn scrapes(path: &Path) -> Result<Vec<(At, Failure, Kind)>, PagesError> {
    let mut failures = Vec::new();
    for value in lines(path)? {
        let Some(at) = value.get("t_ms").and_then(Value::as_i64).map(At) else { continue };
        let took = value.get("dur_ms").and_then(Value::as_f64).unwrap_or(0.0);
        let outcome = value.get("error").or_else(|| value.get("status"));
        if let Some(failure) = outcome.and_then(|v| failure(v, took)) {
            failures.push((at, failure, Kind::Scrape));
        }
    }
    Ok(failures)
}

/// What a recorded outcome was, by its status or by the words that HTTP clients use; `None` for a good one.
fn failure(outcome: &Value, took_ms: f64) -> Option<Failure> {
    if let Some(code) = outcome.as_u64() {
        let code = u16::try_from(code).unwrap_or(0);
        return (!(200..300).contains(&code)).then_some(Failure::Status { code, loading: false });
    }
    let words = outcome.as_str()?;
    let lower = words.to_ascii_lowercase();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "milliseconds of one attempt")]
    let after_ms = took_ms.max(0.0) as u64;
    Some(if lower.contains("timeout") || lower.contains("timed out") {
        Failure::TimedOut { connected: !lower.contains("connect"), after_ms }
    } else if lower.contains("refused") || lower.contains("connect call failed") || lower.contains("cannot connect") {
        Failure::Refused
    } else if lower.contains("disconnected") || lower.contains("reset") {
        Failure::Other("the connection was closed before an answer".to_owned())
    } else {
        Failure::Other(clean(words, SHOWN))
    })
}

fn placements(path: &Path) -> Result<Vec<Placement>, PagesError> {
    let shown = || clean(&path.display().to_string(), SHOWN);
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(PagesError::Unreadable { path: shown(), source }),
    };
    let entries: Vec<TargetFile> =
        serde_json::from_reader(BufReader::new(file.take(MAX_LINE * 16))).map_err(|e| PagesError::Beside {
            path: shown(),
            message: format!(
                "{}; it holds a list of {{from_ms, to_ms, pod, node, revision, ready, pool}}",
                clean(&e.to_string(), 2 * SHOWN)
            ),
        })?;
    Ok(entries
        .into_iter()
        .map(|t| Placement {
            from: t.from_ms.map(At),
            to: t.to_ms.map(At),
            pod: t.pod.map(|p| clean(&p, SHOWN)),
            node: t.node.map(|n| clean(&n, SHOWN)),
            revision: t.revision,
            ready: t.ready,
            found: None,
            pool: t.pool,
            workload: None,
        })
        .collect())
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    shell_word(&clean(&path.display().to_string(), 4096))
}
