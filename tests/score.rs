//! How good the diagnosis is, on incidents that chance draws: the truth is found by running the same world without each
//! injected thing, and what was said is counted against it.
//!
//! `cargo test` tells a fixed subset with few draws. The whole:
//!
//! ```text
//! WARROOM_DRAWS=20 WARROOM_SEED=1 cargo test --release --test score -- --ignored --nocapture
//! ```
//!
//! `WARROOM_STORY=part-of-a-name` tells some stories only (`!-24`: all but those of large fleets), `WARROOM_TOLD_BY=SGLang` through one engine's pages only (`vLLM`,
//! `vLLM V0`, `SGLang`), and `WARROOM_SHOW=1` shows what each draw came to.

#![cfg(feature = "sim")]
#![allow(clippy::print_stderr, reason = "the sheet is what it is for")]

#[path = "support/lab.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod lab;
#[path = "score/named.rs"]
mod named;
#[path = "score/sheet.rs"]
mod sheet;
#[path = "score/story.rs"]
mod story;
#[path = "score/truth.rs"]
mod truth;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use lab::{Lab, SWEEP_S};
use sheet::{Line, Said, Sheet, caused, placed};
use story::{Blind, Story, Teller};

/// So long after the first evidence a diagnosis is taken as settled (s).
pub(crate) const SETTLED_S: f64 = 120.0;
/// Reading begins so long before the screen opens (s): earlier than anything that happens.
const READ_BEFORE_S: f64 = 900.0;
/// The scrapes around the first one with enough evidence at which the verdict is looked at.
const SCRAPES: std::ops::RangeInclusive<i64> = 0..=8;

/// Tells one draw of a story.
fn tell(name: &str, story: &Story, seed: u64, teller: Teller, needs: bool) -> Line {
    let draw = story.draw(seed, teller);
    let truth = truth::of(&draw, seed);
    let mut line = Line {
        story: name.to_owned(),
        teller: teller.name(),
        seed,
        scrapes: None,
        said: None,
        needs: Vec::new(),
        skipped: (!truth.well_before).then_some("they were not well before anything was injected"),
        truth,
    };
    if line.skipped.is_some() {
        return line;
    }
    if line.truth.broken_s.is_some() && line.truth.guilty.is_empty() {
        line.skipped = Some("they broke by chance: no injected thing alone made the difference");
        return line;
    }
    let kubernetes = !draw.blind.contains(&Blind::Kubernetes);
    let mut lab = Lab::new(&draw.scenario, seed).read_before(READ_BEFORE_S).blind(draw.blind_roles(), !kubernetes);
    if let Some(since) = line.truth.broken_s {
        line.scrapes = SCRAPES.into_iter().find(|n| {
            let diagnosis = lab.judge(since + *n as f64 * SWEEP_S);
            if show() {
                eprintln!("  scrape {n}: {}", diagnosis.sentence);
            }
            Said::of(&diagnosis).alarmed()
        });
    }
    let end = line.truth.judged_s;
    let diagnosis = lab.judge(end);
    let said = Said::of(&diagnosis);
    if show() {
        eprintln!("{name} seed {seed}: {:?}\n  {said:?}", line.truth);
        for f in &diagnosis.findings {
            eprintln!("    {:?} {:?} {:.1} s: {}", f.code, f.confidence, f.explains_s, f.summary);
        }
    }
    if needs && line.truth.broken_s.is_some() && placed(&line.truth, &said) && caused(&line.truth, &said) {
        for code in said.codes() {
            let without = Said::of(&lab.judge_without(&[code]));
            if !placed(&line.truth, &without) || !caused(&line.truth, &without) || !without.alarmed() {
                line.needs.push(format!("{code:?}"));
            }
        }
    }
    line.said = Some(said);
    line
}

/// Whether each draw is shown.
fn show() -> bool {
    std::env::var_os("WARROOM_SHOW").is_some()
}

fn number(name: &str, usual: u64) -> u64 {
    std::env::var_os(name).and_then(|v| v.to_str()?.parse().ok()).unwrap_or(usual)
}

/// Tells stories with so many draws each, as many at a time as there are cores.
fn run(stories: &[(String, Story)], tellers: &[Teller], draws: u64, first: u64, needs: bool) -> Sheet {
    let only = std::env::var_os("WARROOM_STORY").map_or(String::new(), |name| name.to_string_lossy().into_owned());
    let runs: Vec<(&String, &Story, u64, Teller)> = stories
        .iter()
        .filter(|(name, _)| only.strip_prefix('!').map_or(name.contains(&only), |not| !name.contains(not)))
        .flat_map(|(name, story)| {
            let of = tellers.iter().filter(|teller| story.can_be_told_by(**teller));
            of.flat_map(move |teller| (first..first + draws).map(move |seed| (name, story, seed, *teller)))
        })
        .collect();
    let next = AtomicUsize::new(0);
    let lines = Mutex::new(Vec::new());
    std::thread::scope(|threads| {
        for _ in 0..std::thread::available_parallelism().map_or(2, std::num::NonZero::get) {
            threads.spawn(|| {
                while let Some((name, story, seed, teller)) = runs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let line = tell(name, story, *seed, *teller, needs);
                    lines.lock().expect("nobody panicked").push(line);
                }
            });
        }
    });
    let mut lines = lines.into_inner().expect("nobody panicked");
    lines.sort_by(|a, b| (&a.story, a.teller, a.seed).cmp(&(&b.story, b.teller, b.seed)));
    Sheet { lines }
}

#[test]
fn a_fixed_subset_of_drawn_incidents_is_told_rightly_and_nobody_innocent_is_blamed() {
    let stories: Vec<_> = story::all().into_iter().filter(|(_, s)| s.always).collect();
    let sheet = run(&stories, &[Teller::Vllm], 1, number("WARROOM_SEED", 1), true);
    let wrong = sheet.wrong();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), sheet.lines.len(), wrong.join("\n"));
    // No rule is there that could as well be away: without it, something that it was said of is told wrongly.
    let idle: Vec<String> = sheet.said_codes().into_iter().filter(|code| !sheet.needs(code)).collect();
    assert!(idle.is_empty(), "switched off, nothing turns red: {idle:?}");
}

#[test]
fn the_flag_that_breaks_a_service_is_harmless_and_not_blamed_where_hardly_anybody_asks() {
    let flags = ["deploy-too-little-cache-3", "deploy-few-slots-3", "deploy-no-chunks-3"];
    let stories: Vec<_> = story::all()
        .into_iter()
        .filter(|(name, _)| flags.contains(&name.as_str()))
        .map(|(name, story)| (name, story.where_nobody_asks()))
        .collect();
    assert_eq!(stories.len(), flags.len());
    let sheet = run(&stories, &[Teller::Vllm], 1, 1, false);
    assert!(sheet.lines.iter().all(|line| line.truth.broken_s.is_none()), "it breaks all the same: {:?}", sheet.lines);
    let wrong = sheet.wrong();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_was_once_told_wrongly_is_told_rightly() {
    const ONCE_WRONG: &[(&str, u64, Teller)] = &[
        // Replicas of the revision before, which had gone before it broke, were no peers of those on hot GPUs.
        ("deploy-innocent-before-heat-3", 11007, Teller::Vllm),
        // Five answers that are held back are as sure as ten.
        ("gateway-buffers-1", 11001, Teller::Vllm),
        // An engine that fell silent seconds before the incident does not serve in it.
        ("gpu-lost-3", 11019, Teller::Vllm),
        // One of three fills its cache first, by chance, where twice as many ask.
        ("surge-cache-3", 11013, Teller::Vllm),
        // Somebody waits now and then behind a front end that takes seconds.
        ("slow-tokenizer-3", 2, Teller::Vllm),
        // More requests are why a front end has no time left.
        ("tiny-requests-1", 1, Teller::Vllm),
        // Of three engines of one revision one hangs: what they share is not why.
        ("stall-before-deploy-3", 12018, Teller::Vllm),
        // Whose pods came onto slower GPUs, its image is not why as well.
        ("placement-part-3", 12002, Teller::Vllm),
        // Documents stop the loop for seconds, in which nobody else finishes.
        ("documents-without-chunks-3", 12006, Teller::Vllm),
        // Of three small caches one fills first, and nobody can say that it is another revision's.
        ("deploy-bad-without-kubernetes-3", 12002, Teller::Vllm),
        // Prompts are almost three times as long, and by chance a few more of them came.
        ("long-prompts-1", 13004, Teller::Sglang),
        // Transfers took what they had taken before, for less than two minutes since the rollout.
        ("link-slow-after-deploy-3", 3, Teller::Vllm),
    ];
    let all = story::all();
    for (name, seed, teller) in ONCE_WRONG {
        let of = |all: &[(String, Story)]| all.iter().filter(|(n, _)| n == name).cloned().collect::<Vec<_>>();
        let sheet = run(&of(&all), &[*teller], 1, *seed, false);
        assert!(sheet.lines.iter().any(|line| line.truth.broken_s.is_some()), "{name}: nothing breaks in it");
        let wrong = sheet.wrong();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

#[test]
#[ignore = "takes long: see the head of this file"]
fn the_whole_is_right_in_nineteen_of_twenty_and_blames_nobody_innocent() {
    let (draws, seed) = (number("WARROOM_DRAWS", 20), number("WARROOM_SEED", 1));
    let stories = story::all();
    let named = std::env::var_os("WARROOM_TOLD_BY").map(|name| name.to_string_lossy().into_owned());
    let tellers: Vec<Teller> =
        Teller::ALL.into_iter().filter(|t| named.as_deref().is_none_or(|name| name == t.name())).collect();
    let sheet = run(&stories, &tellers, draws, seed, false);
    let heading = format!("{} stories, {draws} draws each from seed {seed}", stories.len());
    eprintln!("{}\n\n{}", sheet.wrong().join("\n"), sheet.markdown(&heading));
    let f = sheet.figures();
    let share = |n: usize, of: usize| n as f64 / of.max(1) as f64;
    assert!(share(f.placed, f.judged) >= 0.95 && share(f.caused, f.judged) >= 0.95, "{f:?}");
    assert!(share(f.in_time.0, f.in_time.1) >= 0.95, "{f:?}");
}
