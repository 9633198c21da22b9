//! Incidents, told as files: each `tests/scenarios/*.toml` names causes and the verdict that must follow from them.
//!
//! A story runs a simulated cluster in virtual time without any network: the model serves, its pages are read as a
//! scraper would read them, Kubernetes' objects as a watch would deliver them, and the diagnosis sees nothing else. To
//! tell another story, write another file; no Rust is needed.
//!
//! What is expected stands beside the causes and not beside the symptoms: a story sets flags, hardware, traffic and
//! moments through its scenario, and the same scenario without its changes must be healthy.

#![cfg(feature = "sim")]

#[path = "support/lab.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod lab;

use std::fs;
use std::path::{Path, PathBuf};

use lab::Lab;
use serde::Deserialize;
use warroom::diagnosis::Diagnosis;
use warroom::sim::scenario::{Scenario, Seconds};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Story {
    /// What must hold, in a sentence.
    tells: String,
    /// The scenario.
    scenario: String,
    /// Leaves out everything that the scenario changes.
    #[serde(default)]
    without_changes: bool,
    /// What decides chance; each is a run of its own.
    seeds: Vec<u64>,
    /// What is judged, in order of time.
    moment: Vec<Moment>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Moment {
    /// So long after the screen opens…
    after: Option<Seconds>,
    /// …or before it.
    before: Option<Seconds>,
    /// Any of these.
    verdict: Vec<String>,
    /// Any of these, as `phase/mechanism/cause`; a cause of `*` may be any.
    #[serde(default)]
    suspect: Vec<String>,
    /// Causes that nobody may be blamed with.
    #[serde(default)]
    innocent: Vec<String>,
    /// Levers that help, and levers that do not.
    #[serde(default)]
    helps: Vec<String>,
    /// See `helps`.
    #[serde(default)]
    does_not_help: Vec<String>,
    /// Kinds of changes that must stand in the list.
    #[serde(default)]
    changes: Vec<String>,
}

fn stories() -> Vec<(PathBuf, Story)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut files: Vec<PathBuf> = fs::read_dir(directory)
        .expect("the stories")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "toml"))
        .collect();
    files.sort();
    files
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).expect("a story");
            let story = toml::from_str(&text).map_err(|error| format!("{}: {error}", path.display())).expect("a story");
            (path, story)
        })
        .collect()
}

/// What is wrong with a diagnosis, by a moment of a story.
fn wrongs(moment: &Moment, d: &Diagnosis) -> Vec<String> {
    let mut wrongs = Vec::new();
    let verdict = d.verdict.code();
    if !moment.verdict.iter().any(|v| v == verdict) {
        wrongs.push(format!("verdict {verdict}, expected {:?}", moment.verdict));
    }
    let cause = d.suspect.as_ref().and_then(|s| s.cause).map_or("-", warroom::domain::Cause::code);
    let suspect = d.suspect.as_ref().map_or("-".to_owned(), |s| format!("{}/{}/{cause}", s.phase, s.mechanism));
    let fits = |wanted: &String| {
        wanted.strip_suffix('*').map_or_else(|| *wanted == suspect, |beginning| suspect.starts_with(beginning))
    };
    if !moment.suspect.is_empty() && !moment.suspect.iter().any(fits) {
        wrongs.push(format!("suspect {suspect}, expected {:?}", moment.suspect));
    }
    if moment.innocent.iter().any(|c| c == cause) {
        wrongs.push(format!("{cause} is blamed and is innocent"));
    }
    for (levers, helps) in [(&moment.helps, "yes"), (&moment.does_not_help, "no")] {
        for lever in levers {
            let said = d.levers.iter().find(|l| l.action.code() == lever).map_or("nothing", |l| l.helps.code());
            if said != helps {
                wrongs.push(format!("{lever} helps: {said}, expected {helps}"));
            }
        }
    }
    for kind in &moment.changes {
        if !d.changes.iter().any(|c| c.kind.code() == kind) {
            wrongs.push(format!("no change of kind {kind} is told"));
        }
    }
    wrongs
}

/// Tells one story with one seed, and answers with what went otherwise.
fn tell(story: &Story, seed: u64) -> Vec<String> {
    let mut scenario = Scenario::named(&story.scenario).expect("a built-in scenario");
    if story.without_changes {
        scenario = scenario.without_changes();
    }
    let mut lab = Lab::new(&scenario, seed);
    let mut wrong = Vec::new();
    for moment in &story.moment {
        let after = moment.after.map_or(0.0, |s| s.0) - moment.before.map_or(0.0, |s| s.0);
        let diagnosis = lab.judge(after);
        for what in wrongs(moment, &diagnosis) {
            wrong.push(format!("seed {seed}, {after} s after opening: {what}\n      {}", diagnosis.sentence));
        }
    }
    wrong
}

#[test]
fn every_story_ends_as_its_causes_say() {
    let only = std::env::var_os("WARROOM_STORY");
    let stories = stories();
    assert!(stories.len() >= 10, "{} stories", stories.len());
    // Stories do not know each other: two at a time, as there are cores.
    let runs: Vec<(String, &Story, u64)> = stories
        .iter()
        .filter(|(path, _)| only.as_deref().is_none_or(|name| path.file_stem() == Some(name)))
        .flat_map(|(path, story)| {
            let name = path.file_stem().map_or(String::new(), |stem| stem.to_string_lossy().into_owned());
            story.seeds.iter().map(move |seed| (name.clone(), story, *seed))
        })
        .collect();
    let next = std::sync::atomic::AtomicUsize::new(0);
    let failures = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|threads| {
        for _ in 0..std::thread::available_parallelism().map_or(2, std::num::NonZero::get) {
            threads.spawn(|| {
                while let Some((name, story, seed)) = runs.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
                {
                    for wrong in tell(story, *seed) {
                        failures.lock().expect("nobody panicked").push(format!("{name}: {}\n  {wrong}", story.tells));
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().expect("nobody panicked");
    assert!(failures.is_empty(), "{} of {} runs:\n{}", failures.len(), runs.len(), failures.join("\n"));
}
