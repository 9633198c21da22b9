//! How much work reading a page is, beside the least it could be and beside another reader.
//!
//! `cargo bench --bench parse` prints a table of ratios from interleaved rounds.  `-- PARSER PAGE TIMES` runs one
//! parser on one page and prints nothing, for counting instructions: see `benches/README.md`.

#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
#![expect(clippy::print_stdout, reason = "its table is its output")]

#[path = "parse/counting.rs"]
mod counting;
#[path = "parse/pages.rs"]
mod pages;
#[path = "parse/wanted.rs"]
mod wanted;

use std::hint::black_box;
use std::time::{Duration, Instant};

use warroom::decode::exposition::{Labels, Sink, read};

use wanted::Wanted;

/// Rounds in which every parser has its turn; the minimum is kept, since others share the machine.
const ROUNDS: usize = 60;

/// Asks for every family and walks over every label.
#[derive(Default)]
struct Everything {
    bytes: usize,
}

impl Sink for Everything {
    type Key = ();

    fn family(&mut self, _: &str) -> Option<()> {
        Some(())
    }

    fn sample(&mut self, (): (), labels: Labels<'_>, value: f64) {
        self.bytes += labels.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
        black_box(value);
    }
}

/// What is measured: a name and one reading of a page; what it returns only keeps the work from being optimised away.
type Parser = (&'static str, fn(&mut Wanted, &str) -> usize);

const PARSERS: [Parser; 5] = [
    ("lines", |_, page| memchr::memchr_iter(b'\n', page.as_bytes()).count()),
    ("ours", |wanted, page| {
        wanted.clear();
        read(page.as_bytes(), wanted).map_or(0, |stats| stats.wanted)
    }),
    ("ours-everything", |_, page| {
        let mut sink = Everything::default();
        read(page.as_bytes(), &mut sink).map_or(0, |_| sink.bytes)
    }),
    ("prometheus-parse", |_, page| scraped(page)),
    ("prometheus-parse-rewritten", |_, page| scraped(&page.replace("vllm:", "vllm_"))),
];

fn scraped(page: &str) -> usize {
    let lines = page.lines().map(|line| Ok(line.to_owned()));
    prometheus_parse::Scrape::parse(lines).map_or(0, |scrape| scrape.samples.len())
}

fn main() {
    // cargo passes `--bench` before what was typed after `--`.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.as_slice() {
        [] => pages::all().iter().for_each(|(name, page)| table(name, page)),
        [parser, page, times] => only(parser, page, times.parse().expect("how many times")),
        _ => println!("usage: parse [PARSER PAGE TIMES]"),
    }
}

fn only(parser: &str, page: &str, times: usize) {
    let (_, parse) = PARSERS.iter().find(|(name, _)| *name == parser).expect("the name of a parser");
    let (_, page) = pages::all().into_iter().find(|(name, _)| *name == page).expect("the name of a page");
    let mut wanted = Wanted::default();
    for _ in 0..times {
        black_box(parse(&mut wanted, black_box(&page)));
    }
}

fn table(name: &str, page: &str) {
    let mut wanted = Wanted::default();
    let mut fastest = [Duration::MAX; PARSERS.len()];
    for _ in 0..ROUNDS {
        for ((_, parse), fastest) in PARSERS.iter().zip(&mut fastest) {
            let start = Instant::now();
            black_box(parse(&mut wanted, black_box(page)));
            *fastest = start.elapsed().min(*fastest);
        }
    }
    let ours = PARSERS.iter().zip(fastest).find(|((name, _), _)| *name == "ours").expect("it is in the list").1;
    println!("\n| {name}: {} bytes | time, ours = 1 | result | allocations | bytes allocated |", page.len());
    println!("|---|---|---|---|---|");
    for ((name, parse), fastest) in PARSERS.iter().zip(fastest) {
        let ratio = fastest.as_secs_f64() / ours.as_secs_f64();
        let (result, allocated) = counting::during(|| parse(&mut wanted, page));
        println!("| {name} | {ratio:.2} | {result} | {} | {} |", allocated.times, allocated.bytes);
    }
}
