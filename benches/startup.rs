//! From the start of a program to its first frame, and what it costs to leave it standing: ours beside its peers.
//!
//! Each program runs in a pseudo-terminal of 200 by 50 cells whose end is read as fast as it comes, interleaved round by
//! round. The peers are named by environment variables, `KDASH` and `BOTTOM`, as paths; who is not named is left out.
//! `WARROOM` names another build of ours, as one of the profile `dist`. `KUBECONFIG` is handed on: kdash shows nothing
//! without a cluster, and a simulated one will do; with it, ours is watched on that cluster as well.
//!
//! - first frame: until there is something to read, twenty cells that are not blank.
//! - settled: until half of the cells that are not blank two seconds later stand as they will then: whatever has to be
//!   asked for has come. Both are reported as the least and the middle of all rounds, because what disturbs a start only
//!   makes it longer.
//! - memory: resident, and the share of it that is not file pages, at the end of the watch.
//! - idle: processor time, bytes and reads in the watch after that, in which nobody touches a key. Time is that of the
//!   process's threads as the scheduler counts it, in nanoseconds.

#![allow(clippy::print_stdout, reason = "a bench prints its figures")]

use std::env::var_os;
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use pty_process::Size;
use pty_process::blocking::{Command, Pty, open};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

const COLUMNS: u16 = 200;
const ROWS: u16 = 50;
/// So many cells are something to read.
const SOMETHING: usize = 20;
/// How long a start is watched.
const START: Duration = Duration::from_secs(2);

struct Program {
    name: &'static str,
    path: PathBuf,
    args: Vec<&'static str>,
}

/// A start, as it was seen.
#[derive(Default)]
struct Started {
    first_byte: Duration,
    first_frame: Duration,
    settled: Duration,
}

/// A watch, as it was seen.
struct Stood {
    resident_kib: u64,
    anonymous_kib: u64,
    cpu: Duration,
    bytes: usize,
    reads: usize,
}

fn main() {
    let rounds = var_os("ROUNDS").and_then(|n| n.to_str()?.parse().ok()).unwrap_or(7);
    let watch = Duration::from_secs(var_os("WATCH_S").and_then(|n| n.to_str()?.parse().ok()).unwrap_or(30));
    let programs = programs();
    let mut starts: Vec<Vec<Started>> = programs.iter().map(|_| Vec::new()).collect();
    for _ in 0..rounds {
        for (program, starts) in programs.iter().zip(&mut starts) {
            starts.push(started(program));
        }
    }
    println!(
        "{:<24} {:>10} {:>10} {:>10} {:>10} {:>12} {:>12}",
        "start, ms", "byte min", "byte mid", "frame min", "frame mid", "settled min", "settled mid"
    );
    for (program, starts) in programs.iter().zip(&starts) {
        let of = [spread(starts, |s| s.first_byte), spread(starts, |s| s.first_frame), spread(starts, |s| s.settled)];
        let [byte, frame, settled] = of;
        println!(
            "{:<24} {:>10.1} {:>10.1} {:>10.1} {:>10.1} {:>12.1} {:>12.1}",
            program.name, byte.0, byte.1, frame.0, frame.1, settled.0, settled.1
        );
    }
    println!(
        "\n{:<24} {:>10} {:>10} {:>10} {:>10} {:>10}",
        format!("left alone for {} s", watch.as_secs()),
        "RSS MiB",
        "anon MiB",
        "CPU %",
        "bytes/s",
        "reads/s"
    );
    for program in &programs {
        let stood = stood(program, watch);
        let mib = |kib: u64| kib as f64 / 1024.0;
        println!(
            "{:<24} {:>10.1} {:>10.1} {:>10.2} {:>10.0} {:>10.1}",
            program.name,
            mib(stood.resident_kib),
            mib(stood.anonymous_kib),
            100.0 * stood.cpu.as_secs_f64() / watch.as_secs_f64(),
            stood.bytes as f64 / watch.as_secs_f64(),
            stood.reads as f64 / watch.as_secs_f64(),
        );
    }
}

fn programs() -> Vec<Program> {
    let ours = var_os("WARROOM").map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_warroom")), PathBuf::from);
    let refused = vec!["--engine", "http://127.0.0.1:9/metrics"];
    let mut programs = vec![Program { name: "warroom, engine refuses", path: ours.clone(), args: refused }];
    if var_os("KUBECONFIG").is_some() {
        programs.push(Program { name: "warroom, a cluster", path: ours.clone(), args: vec!["deploy/vllm-runtime"] });
    }
    if cfg!(feature = "sim") && var_os("NO_DEMO").is_none() {
        programs.push(Program { name: "warroom demo", path: ours, args: vec!["demo"] });
    }
    for (name, variable) in [("kdash", "KDASH"), ("bottom", "BOTTOM")] {
        match var_os(variable).map(PathBuf::from) {
            Some(path) if path.is_file() => programs.push(Program { name, path, args: Vec::new() }),
            Some(path) => println!("{variable}={} is no file: {name} is left out", path.display()),
            None => println!("{variable} is not set: {name} is left out"),
        }
    }
    programs
}

/// The least and the middle, in milliseconds.
fn spread(starts: &[Started], of: impl Fn(&Started) -> Duration) -> (f64, f64) {
    let mut times: Vec<f64> = starts.iter().map(|s| of(s).as_secs_f64() * 1000.0).collect();
    times.sort_by(f64::total_cmp);
    (times.first().copied().unwrap_or(f64::NAN), times.get(times.len() / 2).copied().unwrap_or(f64::NAN))
}

/// A program in a terminal; it is killed when this is dropped.
struct Running {
    child: Child,
    pty: Pty,
    since: Instant,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[expect(clippy::disallowed_methods, reason = "a stopwatch is what this is")]
fn now() -> Instant {
    Instant::now()
}

fn run(program: &Program, home: &Path) -> Running {
    let (pty, pts) = open().expect("a pseudo-terminal");
    pty.resize(Size::new(ROWS, COLUMNS)).expect("a size");
    let command = Command::new(&program.path)
        .args(&program.args)
        .env_clear()
        .env("HOME", home)
        .env("PATH", "/usr/bin:/bin")
        .env("LANG", "C.UTF-8")
        .env("TERM", "xterm-256color")
        .current_dir(home);
    let command = match var_os("KUBECONFIG") {
        Some(kubeconfig) => command.env("KUBECONFIG", kubeconfig),
        None => command,
    };
    let since = now();
    let child =
        command.spawn(pts).map_err(|error| format!("'{}' does not start: {error}", program.name)).expect("a program");
    Running { child, pty, since }
}

/// Reads until `end`; what came, with the time since the start.
fn read_until(running: &mut Running, end: Instant) -> Vec<(Duration, Vec<u8>)> {
    let mut chunks = Vec::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let left = end.saturating_duration_since(now());
        if left.is_zero() {
            return chunks;
        }
        let timeout = Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(left.subsec_nanos()),
        };
        let mut polled = [PollFd::new(&running.pty, PollFlags::IN)];
        if poll(&mut polled, Some(&timeout)).unwrap_or(0) == 0 {
            continue;
        }
        match running.pty.read(&mut buffer) {
            Ok(count @ 1..) => {
                chunks.push((running.since.elapsed(), buffer[..count].to_vec()));
                answer(&mut running.pty, &buffer[..count]);
            }
            _ => return chunks,
        }
    }
}

/// Answers what a terminal is asked at the start, as xterm does: who waits for an answer is not made to wait in vain.
fn answer(pty: &mut Pty, written: &[u8]) {
    let questions: [(&[u8], &[u8]); 4] = [
        (b"\x1b[c", b"\x1b[?62;22c"),
        (b"\x1b[6n", b"\x1b[1;1R"),
        (b"\x1b]11;?", b"\x1b]11;rgb:0000/0000/0000\x1b\\"),
        (b"\x1b]10;?", b"\x1b]10;rgb:ffff/ffff/ffff\x1b\\"),
    ];
    for (question, answer) in questions {
        if written.windows(question.len()).any(|window| window == question) {
            let _ = pty.write_all(answer);
        }
    }
}

fn started(program: &Program) -> Started {
    let home = tempfile::tempdir().expect("a folder");
    let mut running = run(program, home.path());
    let end = running.since + START;
    let chunks = read_until(&mut running, end);
    let mut last = vt100::Parser::new(ROWS, COLUMNS, 0);
    for (_, bytes) in &chunks {
        last.process(bytes);
    }
    let cells = cells(&last);
    let wanted = cells.iter().filter(|cell| !cell.is_empty()).count();
    assert!(wanted > SOMETHING, "'{}' shows nothing: {}", program.name, last.screen().contents());
    let mut parser = vt100::Parser::new(ROWS, COLUMNS, 0);
    let first_byte = chunks.first().map_or(START, |(at, _)| *at);
    let mut started = Started { first_byte, first_frame: START, settled: START };
    for (at, bytes) in &chunks {
        parser.process(bytes);
        let now = self::cells(&parser);
        if started.first_frame == START && now.iter().filter(|cell| !cell.is_empty()).count() >= SOMETHING {
            started.first_frame = *at;
        }
        let there = now.iter().zip(&cells).filter(|(a, b)| !b.is_empty() && a == b).count();
        if 2 * there >= wanted {
            started.settled = *at;
            break;
        }
    }
    started
}

/// The text of every cell; blank ones are empty.
fn cells(parser: &vt100::Parser) -> Vec<String> {
    let screen = parser.screen();
    let text = |row, column| screen.cell(row, column).map_or(String::new(), |cell| cell.contents().trim().to_owned());
    (0..ROWS).flat_map(|row| (0..COLUMNS).map(move |column| (row, column))).map(|(r, c)| text(r, c)).collect()
}

fn stood(program: &Program, watch: Duration) -> Stood {
    let home = tempfile::tempdir().expect("a folder");
    let mut running = run(program, home.path());
    // Ten seconds to settle down.
    let settled = running.since + Duration::from_secs(10);
    read_until(&mut running, settled);
    let (before, coarse) = (cpu(&running), whole(&running));
    let end = now() + watch;
    let chunks = read_until(&mut running, end);
    // Threads that ended took their account with them; the process's own counts in hundredths of a second.
    let cpu = cpu(&running).saturating_sub(before).max(whole(&running).saturating_sub(coarse));
    let status = fs::read_to_string(format!("/proc/{}/status", running.child.id())).unwrap_or_default();
    let kib = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.trim().trim_end_matches(" kB").parse().unwrap_or(0)
    };
    Stood {
        resident_kib: kib("VmRSS:"),
        anonymous_kib: kib("RssAnon:"),
        cpu,
        bytes: chunks.iter().map(|(_, bytes)| bytes.len()).sum(),
        reads: chunks.len(),
    }
}

/// The processor time of the whole process so far, in hundredths of a second.
fn whole(running: &Running) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{}/stat", running.child.id())).unwrap_or_default();
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: u64 = fields.split_whitespace().skip(11).take(2).filter_map(|n| n.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

/// The processor time of all its threads so far.
fn cpu(running: &Running) -> Duration {
    let tasks = fs::read_dir(format!("/proc/{}/task", running.child.id())).into_iter().flatten().flatten();
    let ns = tasks.filter_map(|task| fs::read_to_string(task.path().join("schedstat")).ok());
    Duration::from_nanos(ns.filter_map(|text| text.split(' ').next()?.parse::<u64>().ok()).sum())
}
