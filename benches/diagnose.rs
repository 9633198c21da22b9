//! What a diagnosis of a thousand replicas costs, beside reading their pages, and what their histories hold.
//!
//! `cargo bench --bench diagnose` prints tables of ratios; `benches/README.md` says what they mean. Without `--bench`, as
//! under `cargo test`, a few replicas are diagnosed once and nothing is judged.

#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
#![expect(clippy::print_stdout, reason = "its table is its output")]

#[path = "parse/counting.rs"]
mod counting;

use std::fs::{self, File};
use std::hint::black_box;
use std::io::{self, Read};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flate2::read::GzDecoder;
use warroom::diagnosis::{BurnPreset, Diagnosis, Policy, Target, Targets, diagnose};
use warroom::dialect::{Catalogue, Memory};
use warroom::domain::{At, Body, Endpoint, EnginePage, Failure, Observation, Page, Snapshot};
use warroom::source::engine::Decoder;

type Anything<T> = Result<T, Box<dyn std::error::Error>>;

/// A diagnosis may cost this many times decoding one sweep of the same replicas' pages: then it can follow every sweep.
const MOST_SWEEPS: f64 = 1.0;
/// What the memory may grow by for the histories of all replicas, in MB.
const MOST_GROWTH_MB: f64 = 75.0;

/// An hour's sweeps of all replicas hold no more than this many times what they held once their histories were full.
const MOST_LATER: f64 = 1.05;

/// Seconds between two scrapes.
const INTERVAL_S: f64 = 5.0;
/// The first scrape, later than every recorded process was started.
const START: At = At(1_800_000_000_000);
/// Of so many replicas one has a queue.
const ONE_IN_TROUBLE_OF: usize = 10;

/// How large a benchmark is.
#[derive(Clone, Copy)]
struct Size {
    /// Descending.
    replicas: &'static [usize],
    scrapes: usize,
    /// The fastest of so many rounds is kept, since others share the machine.
    rounds: usize,
    /// Sweeps in a row, each with a diagnosis, and after how many of them what is held is looked at.
    sweeps: usize,
    looked: usize,
}

const FULL: Size = Size { replicas: &[1000, 100, 10, 1], scrapes: 60, rounds: 15, sweeps: 720, looked: 120 };
const SMOKE: Size = Size { replicas: &[10, 1], scrapes: 5, rounds: 1, sweeps: 10, looked: 5 };

fn main() -> Anything<ExitCode> {
    let full = std::env::args().any(|argument| argument == "--bench");
    let size = if full { FULL } else { SMOKE };
    let pages = Pages::read()?;
    let decoder = Decoder::new(Arc::new(Catalogue::embedded(&[])?));
    // The code and the decoder's scratch space are there before anything is counted.
    black_box(Fleet::watched(2, 2, &pages, &decoder)?.diagnosis());

    // The largest fleet comes first, into memory that nobody has used before.
    let (before, live) = (rss_mb(), counting::live());
    let mut fleet = Fleet::watched(size.replicas[0], size.scrapes, &pages, &decoder)?;
    let held = counting::live() - live;
    let grown = rss_mb().zip(before).map(|(after, before)| after - before);
    println!("{}\n", fleet.diagnosis().sentence);

    println!("| replicas | diagnosis | keeping a sweep | diagnosis, per replica | allocations | bytes allocated |");
    println!("|---|---|---|---|---|---|");
    let mut times = None;
    let mut each_of_all = None;
    for replicas in size.replicas {
        fleet.keep_only(*replicas);
        let cost = fleet.cost(&pages, &decoder, size)?;
        let (sweep, diagnosis) = (cost.decoding.as_secs_f64(), cost.diagnosis.as_secs_f64());
        let each = diagnosis / *replicas as f64;
        println!(
            "| {replicas} | {:.3} | {:.3} | {:.2} | {} | {} |",
            diagnosis / sweep,
            cost.keeping.as_secs_f64() / sweep,
            each / *each_of_all.get_or_insert(each),
            cost.allocated.times,
            cost.allocated.bytes,
        );
        times.get_or_insert(diagnosis / sweep);
    }
    println!("\nDecoding one sweep = 1; per replica, that of {} = 1.\n", size.replicas[0]);
    let readings = size.replicas[0] * size.scrapes;
    println!("{} histories of {} readings hold {:.1} MB,", size.replicas[0], size.scrapes, held as f64 / 1e6);
    println!("which is {} bytes per reading;", held / readings);
    match grown {
        Some(mb) => println!("the process grew by {mb:.1} MB."),
        None => println!("by how much the process grew is not known: there is no /proc here."),
    }
    drop(fleet);
    let later = stand(size, &pages, &decoder)?;
    if !full {
        return Ok(ExitCode::SUCCESS);
    }
    let met = times.is_some_and(|times| times < MOST_SWEEPS)
        && grown.is_none_or(|mb| mb <= MOST_GROWTH_MB)
        && later <= MOST_LATER;
    let word = if met { "met" } else { "MISSED" };
    println!(
        "\nThe goals, less than {MOST_SWEEPS} sweep's decoding, at most {MOST_GROWTH_MB} MB for five minutes, and at most \
         {MOST_LATER} times as much after an hour as with full histories, are {word}."
    );
    Ok(if met { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A war room that stands: sweep after sweep at full speed, taken in as the program does it and diagnosed each time. What
/// the last sweeps held, as a multiple of what was held at the second look, when every history was as long as it gets.
fn stand(size: Size, pages: &Pages, decoder: &Decoder) -> Anything<f64> {
    let before = counting::live();
    let mut fleet = Fleet::watched(size.replicas[0], 1, pages, decoder)?;
    println!("\n| sweeps | held MB | resident MB | a sweep taken in and diagnosed, first = 1 |\n|---|---|---|---|");
    let (mut held, mut first, mut start) = (Vec::new(), None, Instant::now());
    for sweep in 1..=size.sweeps {
        let at = START.plus(sweep as f64 * INTERVAL_S);
        for replica in 0..size.replicas[0] {
            let page = decoder.decode_engine(pages.of(replica, sweep), &mut fleet.memories[replica]);
            let endpoint = fleet.snapshot.endpoints[replica].name.as_str().into();
            fleet.snapshot.observe(Observation { at, body: Body::Page { endpoint, page: page.map(Page::Engine) } });
        }
        fleet.snapshot.now = at;
        black_box(fleet.diagnosis());
        if sweep % size.looked == 0 {
            let each = start.elapsed().as_secs_f64() / size.looked as f64;
            held.push((counting::live() - before) as f64 / 1e6);
            let of_first = each / *first.get_or_insert(each);
            let resident = rss_mb().map_or("?".to_owned(), |mb| format!("{mb:.0}"));
            println!("| {sweep} | {:.1} | {resident} | {of_first:.2} |", held[held.len() - 1]);
            start = Instant::now();
        }
    }
    Ok(held[held.len() - 1] / held[1])
}

// ---- the replicas --------------------------------------------------------------------------------------------------

/// Replicas with what was read of them.
struct Fleet {
    snapshot: Snapshot,
    memories: Vec<Memory>,
    scrapes: usize,
}

/// What one diagnosis costs, and the sweep before it.
struct Cost {
    decoding: Duration,
    keeping: Duration,
    diagnosis: Duration,
    allocated: counting::Allocated,
}

impl Fleet {
    /// Replicas that were scraped so many times, sweep by sweep, as a live check does it.
    fn watched(replicas: usize, scrapes: usize, pages: &Pages, decoder: &Decoder) -> Anything<Self> {
        let names = (0..replicas).map(|i| format!("http://10.0.{}.{}:8000/metrics", i / 250, i % 250 + 1));
        let endpoints = names.map(|name| Endpoint::new(name.clone(), format!("curl -s {name}"))).collect();
        let mut fleet = Self {
            snapshot: Snapshot { now: START, interval_s: INTERVAL_S, endpoints, ..Snapshot::default() },
            memories: vec![Memory::default(); replicas],
            scrapes,
        };
        for scrape in 0..scrapes {
            let at = START.plus(scrape as f64 * INTERVAL_S);
            for (replica, endpoint) in fleet.snapshot.endpoints.iter_mut().enumerate() {
                let page = decoder.decode_engine(pages.of(replica, scrape), &mut fleet.memories[replica]);
                endpoint.page(at, page.map_err(|failure| failure.to_string())?);
            }
            fleet.snapshot.now = at;
        }
        Ok(fleet)
    }

    fn keep_only(&mut self, replicas: usize) {
        self.memories.truncate(replicas);
        self.snapshot.endpoints.truncate(replicas);
    }

    fn diagnosis(&self) -> Diagnosis {
        let target = |seconds| Target { seconds, objective: 0.99 };
        let default = Targets { ttft: target(1.0), tpot: target(0.1), burn: BurnPreset::default() };
        diagnose(&self.snapshot, &Policy { window_s: 300.0, default, by_model: Vec::new() })
    }

    /// The least that decoding the last sweep, adding it to histories and diagnosing took, in interleaved rounds.
    fn cost(&mut self, pages: &Pages, decoder: &Decoder, size: Size) -> Anything<Cost> {
        let mut cost = Cost {
            decoding: Duration::MAX,
            keeping: Duration::MAX,
            diagnosis: Duration::MAX,
            allocated: counting::during(|| drop(self.diagnosis())).1,
        };
        // Few replicas are done sooner than a clock can tell: they have their turn more often.
        let turns = (100 / self.memories.len()).max(1);
        for _ in 0..size.rounds * turns {
            let start = Instant::now();
            let read: Result<Vec<EnginePage>, Failure> = self
                .memories
                .iter_mut()
                .enumerate()
                .map(|(replica, memory)| decoder.decode_engine(pages.of(replica, self.scrapes - 1), memory))
                .collect();
            cost.decoding = cost.decoding.min(start.elapsed());
            let read = read.map_err(|failure| failure.to_string())?;

            // On a copy that is one scrape behind: what is diagnosed stays what it is.
            let mut behind = self.snapshot.endpoints.clone();
            let start = Instant::now();
            for (endpoint, page) in behind.iter_mut().zip(read) {
                endpoint.page(self.snapshot.now.plus(INTERVAL_S), page);
            }
            cost.keeping = cost.keeping.min(start.elapsed());
            drop(behind);

            let start = Instant::now();
            black_box(self.diagnosis());
            cost.diagnosis = cost.diagnosis.min(start.elapsed());
        }
        Ok(cost)
    }
}

// ---- the pages -----------------------------------------------------------------------------------------------------

/// Recorded pages of one engine that is well and of one that has a queue, each in order.
struct Pages {
    well: Vec<Vec<u8>>,
    queued: Vec<Vec<u8>>,
}

impl Pages {
    fn read() -> io::Result<Self> {
        Ok(Self { well: recorded("b_light")?, queued: recorded("c_queue_saturation")? })
    }

    /// What a replica answers to a scrape: the recording from a place of its own on, spread over all the scrapes. Where
    /// there are fewer pages than scrapes, some come twice: nothing happened in between.
    fn of(&self, replica: usize, scrape: usize) -> &[u8] {
        let pages = if replica.is_multiple_of(ONE_IN_TROUBLE_OF) { &self.queued } else { &self.well };
        let used = pages.len() * 4 / 5;
        &pages[replica % (pages.len() - used) + scrape % FULL.scrapes * used / FULL.scrapes]
    }
}

fn recorded(capture: &str) -> io::Result<Vec<Vec<u8>>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/captures").join(capture);
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.to_string_lossy().ends_with(".prom.gz") {
            paths.push(path);
        }
    }
    // Their names are moments of one length.
    paths.sort();
    let read = |path| {
        let mut page = Vec::new();
        GzDecoder::new(File::open(path)?).read_to_end(&mut page)?;
        Ok(page)
    };
    paths.iter().map(read).collect()
}

/// What this process has in memory, in MB.
fn rss_mb() -> Option<f64> {
    /// What every Linux has that a benchmark meets.
    const PAGE: f64 = 4096.0;
    let statm = fs::read_to_string("/proc/self/statm").ok()?;
    Some(statm.split(' ').nth(1)?.parse::<f64>().ok()? * PAGE / 1e6)
}
