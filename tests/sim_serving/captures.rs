//! Real engines' captures, replayed: what clients asked, when they asked it, and the engine's arguments go in; what the
//! engine's page says must come out. The three share one set of speeds: a tiny model on two busy CPU cores.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::read::GzDecoder;
use warroom::dialect::{Catalogue, Memory};
use warroom::domain::{Dist, Gauge, Page, Values};
use warroom::sim::scenario::Weights;
use warroom::sim::serving::{Ask, Config, Engine, FrontSpeed, Product, Seen, Speed};
use warroom::source::engine::Decoder;

/// How far the model may be from the real thing.
const WITHIN: f64 = 0.25;

/// The tiny model's speeds, from `b_light` (one sequence) and the steps of all three.
const SPEED: Speed = Speed {
    host: 0.003_45,
    per_sequence: 0.001_165,
    per_token: 0.000_07,
    weights: 0.0,
    per_context: 0.0,
    front: FrontSpeed { request: 0.003, prompt_token: 2e-6, out: 0.003, token: 0.000_1 },
};

#[derive(Debug)]
struct Told {
    ttft: f64,
    queue: f64,
    itl: f64,
    most_waiting: f64,
}

fn directory(capture: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/captures").join(capture)
}

fn values(decoder: &Decoder, memory: &mut Memory, page: &[u8]) -> Values {
    let Page::Engine(page) = decoder.decode(page, memory).expect("a page") else { panic!("no engine's page") };

    page.replicas.into_iter().next().expect("an engine").values
}

fn told(last: &Values, waiting: impl Iterator<Item = f64>) -> Told {
    let mean = |dist| last.dist(dist).and_then(warroom::domain::Histogram::mean).expect("observations");
    Told {
        ttft: mean(Dist::Ttft),
        queue: mean(Dist::Queue),
        itl: mean(Dist::Itl),
        most_waiting: waiting.fold(0.0, f64::max),
    }
}

/// What the real engine's pages say, and when the first and the last of them were read.
fn real(capture: &str) -> (Told, i64, i64) {
    let decoder = Decoder::new(Arc::new(Catalogue::embedded(&[]).expect("dialects")));
    let mut memory = Memory::default();
    let mut files: Vec<(i64, PathBuf)> = fs::read_dir(directory(capture))
        .expect("a capture")
        .filter_map(|entry| {
            let path = entry.expect("an entry").path();
            let ms = path.file_name()?.to_str()?.strip_suffix(".prom.gz")?.parse().ok()?;
            Some((ms, path))
        })
        .collect();
    files.sort();
    let pages: Vec<Values> = files
        .iter()
        .map(|(_, path)| {
            let mut page = Vec::new();
            GzDecoder::new(fs::File::open(path).expect("a page")).read_to_end(&mut page).expect("a gzip file");
            values(&decoder, &mut memory, &page)
        })
        .collect();
    let waiting = pages.iter().filter_map(|page| page.gauge(Gauge::Waiting));
    (told(pages.last().expect("pages"), waiting), files[0].0, files[files.len() - 1].0)
}

/// What the model's pages say of the same requests, read once a second.
fn modelled(capture: &str, args: &[&str], from_ms: i64, to_ms: i64) -> Told {
    let model = Weights { name: "lab-model".into(), parameters_b: 0.01, weights_gb: 0.02, kv_kib_per_token: 2.0 };
    let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
    let config = Config::new(&args, &model, &[Product::named("NVIDIA H100 80GB HBM3")]).expect("a configuration");
    let requests = fs::read_to_string(directory(capture).join("requests.jsonl")).expect("requests");
    let mut asks: Vec<(i64, Ask)> = (0..)
        .zip(requests.lines())
        .map(|(id, line)| {
            let request: serde_json::Value = serde_json::from_str(line).expect("a line of JSON");
            let number = |key: &str| u32::try_from(request[key].as_u64().expect("a number")).expect("a small one");
            let (prompt, output) = (number("prompt_tokens"), number("completion_tokens"));
            (request["t_ms"].as_i64().expect("a time") * 1000, Ask { id, prompt, output, prefix: None })
        })
        .collect();
    asks.sort_by_key(|(at, _)| *at);
    let mut asks = asks.into_iter().peekable();

    let decoder = Decoder::new(Arc::new(Catalogue::embedded(&[]).expect("dialects")));
    let (mut memory, mut pages, mut seen) = (Memory::default(), Vec::new(), Vec::new());
    let mut engine = Engine::new(config, SPEED, from_ms * 1000);
    let mut finished = 0;
    // Longer than the real one, so that nothing is left undone.
    for second in 1..(to_ms - from_ms) / 1000 + 60 {
        let until = from_ms * 1000 + second * 1_000_000;
        loop {
            let step = engine.next().filter(|at| *at <= until);
            let arrival = asks.peek().map(|(at, _)| *at).filter(|at| *at <= until);
            match (step, arrival) {
                (Some(step), arrival) if arrival.is_none_or(|arrival| step <= arrival) => engine.run(step, &mut seen),
                (_, Some(at)) => {
                    let (_, ask) = asks.next().expect("it was there");
                    engine.submit(at, ask).expect("a request that fits");
                }
                _ => break,
            }
        }
        finished += seen.drain(..).filter(|(.., what)| *what == Seen::Finished).count();
        let page = engine.page(from_ms * 1000, until);
        pages.push(values(&decoder, &mut memory, page.as_bytes()));
    }
    assert_eq!(finished, requests.lines().count(), "all are answered in the end");
    told(pages.last().expect("pages"), pages.iter().filter_map(|page| page.gauge(Gauge::Waiting)))
}

fn compare(capture: &str, args: &[&str]) {
    let (real, from, to) = real(capture);
    let model = modelled(capture, args, from, to);
    let close = |what: &str, real: f64, model: f64, floor: f64| {
        let allowed = (real * WITHIN).max(floor);
        assert!((real - model).abs() <= allowed, "{capture}: {what} is {model:.4} in the model and was {real:.4}");
    };
    close("mean TTFT", real.ttft, model.ttft, 0.0);
    // A queue of some tens of microseconds is none.
    close("mean queue time", real.queue, model.queue, 0.005);
    close("mean gap between tokens", real.itl, model.itl, 0.0);
    close("peak of waiting requests", real.most_waiting, model.most_waiting, 0.0);
}

const COMMON: &[&str] = &["--served-model-name=lab-model", "--block-size=128"];

#[test]
fn a_light_load_is_as_in_the_capture() {
    compare("b_light", &[COMMON, &["--num-gpu-blocks-override=4096"]].concat());
}

#[test]
fn a_queue_before_two_sequences_is_as_in_the_capture() {
    compare("c_queue_saturation", &[COMMON, &["--num-gpu-blocks-override=4096", "--max-num-seqs=2"]].concat());
}

#[test]
fn a_full_kv_cache_preempts_as_in_the_capture() {
    compare("f_kv_preempt", &[COMMON, &["--num-gpu-blocks-override=24", "--max-model-len=1536"]].concat());
}

#[test]
fn a_crowd_that_shares_prefixes_gives_every_block_back() {
    let model = Weights { name: "lab-model".into(), parameters_b: 0.01, weights_gb: 0.02, kv_kib_per_token: 2.0 };
    let args: Vec<String> =
        ["--num-gpu-blocks-override=160", "--max-model-len=2048"].iter().map(|arg| (*arg).to_owned()).collect();
    let config = Config::new(&args, &model, &[Product::named("NVIDIA H100 80GB HBM3")]).expect("a configuration");
    let mut engine = Engine::new(config, SPEED, 0);
    let (mut seen, mut gone) = (Vec::new(), 0);
    for id in 0..600_u32 {
        let now = i64::from(id) * 20_000;
        while let Some(step) = engine.next().filter(|at| *at <= now) {
            engine.run(step, &mut seen);
        }
        let prefix = (id % 3 > 0).then_some((id as usize % 3, 200 + id % 3 * 100));
        let ask = Ask { id: u64::from(id), prompt: 420 + id * 37 % 700, output: 1 + id * 53 % 300, prefix };
        engine.submit(now, ask).expect("a request that fits");
        if id % 7 == 6 {
            engine.abort(u64::from(id - 3));
            gone += 1;
        }
    }
    let mut last = 0;
    while let Some(step) = engine.next() {
        engine.run(step, &mut seen);
        last = step;
    }
    let finished = seen.iter().filter(|(.., what)| *what == Seen::Finished).count();
    assert!(finished >= 600 - gone && finished < 600, "{finished} finished, {gone} gave up");
    let decoder = Decoder::new(Arc::new(Catalogue::embedded(&[]).expect("dialects")));
    let page = values(&decoder, &mut Memory::default(), engine.page(0, last).as_bytes());
    assert!(page.total(warroom::domain::Total::Preemptions).expect("a count") > 50.0);
    assert!(page.total(warroom::domain::Total::CacheHits).expect("a count") > 1000.0);
    assert_eq!(page.gauge(Gauge::KvUsage), Some(0.0), "nothing is kept");
    assert_eq!(page.gauge(Gauge::Running), Some(0.0));
}

#[test]
fn the_page_has_the_families_the_types_and_the_bounds_of_the_real_one() {
    let model = Weights { name: "lab-model".into(), parameters_b: 0.01, weights_gb: 0.02, kv_kib_per_token: 2.0 };
    let args = ["--num-gpu-blocks-override=4096".to_owned(), "--max-model-len=8192".to_owned()];
    let config = Config::new(&args, &model, &[Product::named("NVIDIA H100 80GB HBM3")]).expect("a configuration");
    let ours = Engine::new(config, SPEED, 0).page(0, 1_000_000);
    let real = include_str!("../fixtures/pages/vllm-0.32.0-queue.prom");
    // The lines that do not depend on traffic: types, and every series of the engine without its value.
    let fixed = |page: &str| -> std::collections::BTreeSet<String> {
        let kept = |line: &&str| !line.contains("cache_config_info{") && line.contains("vllm:");
        let bare = |line: &str| {
            let series = line.rsplit_once(' ').map_or(line, |(series, _)| series);
            if line.starts_with('#') { line.to_owned() } else { series.to_owned() }
        };
        page.lines().filter(kept).filter(|line| !line.starts_with("# HELP")).map(bare).collect()
    };
    let (ours, real) = (fixed(&ours), fixed(real));
    let missing: Vec<&String> = real.difference(&ours).collect();
    let surplus: Vec<&String> = ours.difference(&real).collect();
    assert!(missing.is_empty() && surplus.is_empty(), "missing {missing:#?}, surplus {surplus:#?}");
}
