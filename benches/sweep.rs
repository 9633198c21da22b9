//! What a warm sweep over a thousand engines costs this program: its own CPU time and memory, and no server's.
//!
//! `cargo bench --bench sweep` starts itself three times: as the servers, which print their ports, and as the client
//! that is measured, once with gzip and once without. `benches/README.md` says what the numbers mean. Without
//! `--bench`, as under `cargo test`, a few endpoints are swept once and nothing is judged.

#![expect(clippy::print_stdout, reason = "the table is what a benchmark is for")]

use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use warroom::clock::{self, Clock};
use warroom::dialect::{Catalogue, Memory};
use warroom::domain::{At, Endpoint, Failure};
use warroom::reach::Way;
use warroom::reach::http::{Fetcher, Settings, Url};
use warroom::source::engine::Decoder;
use warroom::source::poll::Poller;

type Anything<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// What every server answers: a page as vLLM wrote it.
const PAGE: &[u8] = include_bytes!("../tests/fixtures/pages/vllm-0.32.0-queue.prom");

/// A history begins anew after so many readings: what long ones hold is measured by `diagnose`.
const KEPT: usize = 5;

/// What is done with a page besides fetching it: gets the endpoint's place and the page, says how much it saw.
type Work = Arc<dyn Fn(usize, &[u8]) -> Result<usize, Failure> + Send + Sync>;

/// Work for so many endpoints.
type Begin = fn(usize) -> Anything<Work>;

/// What is done with the pages, by name.
const WORKS: [(&str, Begin); 3] = [
    ("fetching alone", |_| Ok(Arc::new(|_, page| Ok(page.len())))),
    ("fetching and finding the lines", |_| Ok(Arc::new(|_, page| Ok(memchr::memchr_iter(b'\n', page).count())))),
    ("fetching, decoding and keeping", keeping),
];

/// What a live check does with its pages: decodes them and adds them to the histories that a diagnosis reads.
fn keeping(endpoints: usize) -> Anything<Work> {
    let decoder = Decoder::new(Arc::new(Catalogue::embedded(&[])?));
    let new = || Endpoint::new("an engine", "its page");
    let histories: Vec<_> = std::iter::repeat_with(|| Mutex::new((Memory::default(), new()))).take(endpoints).collect();
    Ok(Arc::new(move |endpoint, page| {
        let (memory, history) = &mut *histories[endpoint].lock().unwrap_or_else(PoisonError::into_inner);
        let read = decoder.decode_engine(page, memory)?;
        let series = read.series;
        if history.attempts.len() == KEPT {
            *history = new();
        }
        history.page(At(clock::unix_ms()), read);
        Ok(series)
    }))
}

/// A sweep may cost this many times the CPU time of fetching the pages alone, over the same wire.
const MOST_TIMES_BARE: f64 = 2.5;

/// What the memory may grow by for all endpoints, with gzip, in MB.
const MOST_GROWTH_MB: f64 = 60.0;

/// How many requests are in flight at once.
const CONCURRENCY: usize = 64;

/// How large a benchmark is.
#[derive(Clone, Copy)]
struct Size {
    endpoints: usize,
    rounds: usize,
    sweeps: u32,
}

const FULL: Size = Size { endpoints: 1000, rounds: 7, sweeps: 10 };
const SMOKE: Size = Size { endpoints: 10, rounds: 1, sweeps: 1 };

fn main() -> Anything<ExitCode> {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let args: Vec<_> = args.iter().map(String::as_str).collect();
    let size = if args.contains(&"--bench") { FULL } else { SMOKE };
    match args.as_slice() {
        ["serve", coding, endpoints] => serve(coding, endpoints.parse()?),
        ["measure", coding, size] => measure(coding, if *size == "full" { FULL } else { SMOKE }),
        _ => orchestrate(size),
    }
}

// ---- the parent ----------------------------------------------------------------------------------------------------

/// Starts servers and client as children for each coding, and hands the servers' addresses to the client.
fn orchestrate(size: Size) -> Anything<ExitCode> {
    let full = size.endpoints == FULL.endpoints;
    // The servers hold a listener and a connection for each endpoint.
    let needed = 2 * size.endpoints + 100;
    match open_files_limit() {
        None => {
            println!("sweep: skipped, it reads its own cost from /proc, which is not here");
            return Ok(ExitCode::SUCCESS);
        }
        Some(limit) if limit < needed => {
            println!("sweep: skipped, {} endpoints need {needed} open files: `ulimit -n {needed}`", size.endpoints);
            return Ok(ExitCode::SUCCESS);
        }
        Some(_) => {}
    }
    let samples = keeping(1)?(0, PAGE).map_err(|failure| failure.to_string())?;
    println!("One page: {} bytes, {} gzipped, {samples} samples.", PAGE.len(), gzip(PAGE)?.len());
    println!("{} endpoints, {CONCURRENCY} in flight, kept connections.\n", size.endpoints);
    println!("| wire | a sweep | CPU-s | x fetching alone | wall s |\n|---|---|---|---|---|");
    let mut met = true;
    let mut notes = String::new();
    for coding in ["gzip", "plain"] {
        let myself = std::env::current_exe()?;
        let mut servers = Command::new(&myself)
            .args(["serve", coding, &size.endpoints.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let addresses = servers.stdout.take().ok_or("the servers have no output")?;
        let client = Command::new(&myself)
            .args(["measure", coding, if full { "full" } else { "smoke" }])
            .stdin(addresses)
            .stdout(Stdio::piped())
            .spawn()?
            .wait_with_output()?;
        // The servers end with their input.
        drop(servers.stdin.take());
        servers.wait()?;
        met &= client.status.success();
        for line in String::from_utf8(client.stdout)?.lines() {
            if line.starts_with('|') { println!("{line}") } else { writeln!(notes, "{line}")? }
        }
    }
    println!("\n{notes}");
    Ok(if met || !full { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

// ---- the client ----------------------------------------------------------------------------------------------------

/// Sweeps the endpoints whose addresses come on standard input, and prints what it cost this process.
fn measure(coding: &str, size: Size) -> Anything<ExitCode> {
    let urls: Vec<Url> = io::stdin()
        .lines()
        .map(|line| Ok(format!("http://{}/metrics", line?).parse()?))
        .take(size.endpoints)
        .collect::<Anything<_>>()?;
    let urls: Arc<[Url]> = urls.into();
    let fetcher = Fetcher::new(Settings { timeout: Duration::from_mins(1), ..Settings::default() })?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    // The code and the first buffers are there before anything is counted.
    runtime.block_on(sweep(&fetcher, &urls[..1].into(), &WORKS[2].1(1)?))?;
    let before = rss_mb()?;
    runtime.block_on(sweep(&fetcher, &urls, &WORKS[0].1(size.endpoints)?))?;

    let mut costs = [const { Vec::new() }; 3];
    // Interleaved, so that what else the machine does meets all alike.
    for _ in 0..size.rounds {
        for ((_, work), costs) in WORKS.iter().zip(&mut costs) {
            let work = work(size.endpoints)?;
            let (cpu, start) = (cpu_s()?, clock::monotonic());
            for _ in 0..size.sweeps {
                runtime.block_on(sweep(&fetcher, &urls, &work))?;
            }
            let wall = start.elapsed().as_secs_f64();
            costs.push(((cpu_s()? - cpu) / f64::from(size.sweeps), wall / f64::from(size.sweeps)));
        }
    }
    let bare = median(costs[0].iter().map(|cost| cost.0));
    let mut most_times: f64 = 0.0;
    for ((name, _), costs) in WORKS.iter().zip(&costs) {
        let (cpu, wall) = (median(costs.iter().map(|cost| cost.0)), median(costs.iter().map(|cost| cost.1)));
        row(coding, &format!("at once: {name}"), cpu, bare, wall);
        most_times = most_times.max(cpu / bare);
    }
    let swept = rss_mb()? - before;

    let mut bare = None;
    for (name, work) in [WORKS[0], WORKS[2]] {
        let (cpu, wall) = runtime.block_on(poll(&fetcher, &urls, size, work(size.endpoints)?))?;
        let bare = *bare.get_or_insert(cpu);
        row(coding, &format!("by the poller: {name}"), cpu, bare, wall);
        most_times = most_times.max(cpu / bare);
    }
    let polled = rss_mb()? - before;

    println!("{coding}: memory grew by {swept:.0} MB in the sweeps at once, by {polled:.0} MB in all.");
    if coding != "gzip" || size.endpoints < FULL.endpoints {
        return Ok(ExitCode::SUCCESS);
    }
    let met = most_times <= MOST_TIMES_BARE && swept.max(polled) <= MOST_GROWTH_MB;
    let word = if met { "met" } else { "MISSED" };
    println!("{coding}: the goals, at most {MOST_TIMES_BARE} x bare and {MOST_GROWTH_MB} MB, are {word}.");
    Ok(if met { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Fetches every endpoint once, as fast as it goes.
async fn sweep(fetcher: &Fetcher, urls: &Arc<[Url]>, work: &Work) -> Anything<()> {
    let next = Arc::new(AtomicUsize::new(0));
    let mut workers = JoinSet::new();
    for _ in 0..CONCURRENCY.min(urls.len()) {
        let (fetcher, urls, next, work) = (fetcher.clone(), Arc::clone(urls), Arc::clone(&next), Arc::clone(work));
        workers.spawn(async move {
            let mut page = Vec::new();
            loop {
                let endpoint = next.fetch_add(1, Ordering::Relaxed);
                let Some(url) = urls.get(endpoint) else { break };
                fetcher.get(url, &mut page).await.map_err(|failure| failure.to_string())?;
                if work(endpoint, &page).map_err(|failure| failure.to_string())? == 0 {
                    return Err("an empty page".to_owned());
                }
            }
            Ok(())
        });
    }
    while let Some(worker) = workers.join_next().await {
        worker??;
    }
    Ok(())
}

/// Lets the program's own poller run for some intervals: CPU seconds and seconds for each.
async fn poll(fetcher: &Fetcher, urls: &Arc<[Url]>, size: Size, work: Work) -> Anything<(f64, f64)> {
    let interval = Duration::from_secs(1);
    let (sink, mut attempts) = tokio::sync::mpsc::channel(CONCURRENCY);
    let endpoints = urls.iter().map(|url| Way::direct(fetcher, url.clone())).collect();
    let poller = Poller { endpoints, interval, concurrency: CONCURRENCY, clock: Clock::Wall };
    let polling = tokio::spawn(poller.run(move |endpoint, page| work(endpoint, page), sink));
    // The first sweep comes all at once and the second finds its places: only then is it steady.
    let (unsteady, sweeps) = (2 * size.endpoints, 2 * size.sweeps);
    let (mut cpu, mut start) = (0.0, clock::monotonic());
    for nth in 0..unsteady + size.endpoints * usize::try_from(sweeps)? {
        if nth == unsteady {
            (cpu, start) = (cpu_s()?, clock::monotonic());
        }
        attempts.recv().await.ok_or("the poller has ended")?.body.map_err(|failure| failure.to_string())?;
    }
    let (cpu, wall) = (cpu_s()? - cpu, start.elapsed().as_secs_f64());
    polling.abort();
    Ok((cpu / f64::from(sweeps), wall / f64::from(sweeps)))
}

/// One row of the table. A bare sweep that was too short for the clock has no ratios.
fn row(coding: &str, name: &str, cpu: f64, bare: f64, wall: f64) {
    let times = if bare > 0.0 { format!("{:.2}", cpu / bare) } else { "-".to_owned() };
    println!("| {coding} | {name} | {cpu:.3} | {times} | {wall:.3} |");
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// What this process has cost so far, user and system together, in seconds.
fn cpu_s() -> Anything<f64> {
    /// `USER_HZ`, which is 100 on every Linux that a benchmark meets.
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    // The second field is the program's name, in brackets and with any character in it.
    let (_, fields) = stat.rsplit_once(") ").ok_or("/proc/self/stat has no name")?;
    let ticks = fields.split(' ').skip(11).take(2).map(str::parse::<f64>).sum::<Result<f64, _>>()?;
    Ok(ticks / TICKS_PER_SECOND)
}

/// What this process has in memory, in MB.
fn rss_mb() -> Anything<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS in /proc/self/status")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? * 1024.0 / 1e6)
}

/// How many files this process may open, where /proc says so.
fn open_files_limit() -> Option<usize> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    let soft = line.split_whitespace().next()?;
    if soft == "unlimited" { Some(usize::MAX) } else { soft.parse().ok() }
}

// ---- the servers ---------------------------------------------------------------------------------------------------

/// Serves the page at so many ports until standard input ends.
fn serve(coding: &str, endpoints: usize) -> Anything<ExitCode> {
    let plain = answer("", PAGE);
    let packed = if coding == "gzip" { answer("content-encoding: gzip\r\n", &gzip(PAGE)?) } else { plain.clone() };
    let answers: Arc<[Vec<u8>; 2]> = Arc::new([plain, packed]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut addresses = String::new();
        for _ in 0..endpoints {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            writeln!(addresses, "{}", listener.local_addr()?)?;
            let answers = Arc::clone(&answers);
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(keep_answering(stream, Arc::clone(&answers)));
                }
            });
        }
        io::stdout().write_all(addresses.as_bytes())?;
        io::stdout().flush()?;
        tokio::task::spawn_blocking(|| BufReader::new(io::stdin()).lines().for_each(drop)).await?;
        Ok(ExitCode::SUCCESS)
    })
}

/// Answers every request of one connection, gzipped where the client asks for it.
async fn keep_answering(mut stream: TcpStream, answers: Arc<[Vec<u8>; 2]>) -> io::Result<()> {
    let mut head = Vec::new();
    loop {
        if stream.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
        if head.ends_with(b"\r\n\r\n") {
            let gzip = memchr::memmem::find(&head, b"gzip").is_some();
            stream.write_all(&answers[usize::from(gzip)]).await?;
            head.clear();
        }
    }
}

fn answer(headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain; version=0.0.4\r\n{headers}content-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

fn gzip(body: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(body)?;
    encoder.finish()
}
