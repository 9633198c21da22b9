//! One validated [`Config`] out of flags, environment, files and defaults.
//!
//! ```text
//!  flag > WARROOM_* variable > user's file > system's file > default
//!                            (or the file named by --config)
//!
//!  outside::gather ── text ──► merge ─► file, given ── drafts ──► draft ──► Config
//!  (the only one that reads)            (one value at a time: values, duration, words)
//! ```
//! In `[policy]` alone the stricter layer wins, and not the stronger one: `limits` says why.
//!
//! Nothing later asks whether something was set: a `Config` is complete, and each value remembers who said it, for
//! `warroom config print`. This module does not know what its values are used for: of the diagnosis it knows the names
//! of the burn-rate tables, of the gate the two ways to confirm, of pods the ways to them, and no engine, no screen and no
//! theme's contents. To add a key: the field here and in `describe`, `draft`, `file` (type and shape), and
//! `assets/config.toml`; a test says what was forgotten.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::time::Duration;

mod draft;
mod duration;
mod error;
mod file;
mod folders;
mod gateway;
mod given;
mod limits;
mod outside;
mod probe;
mod prometheus;
mod values;
mod words;

pub use error::{ConfigError, Place};
pub use folders::{runbooks, state_folder};
pub use gateway::{Gateway, Selector};
pub use given::{Flag, Setting, VARIABLES};
pub use limits::Policy;
pub use outside::{Surroundings, TerminalHints, beside, gather, speaks_utf8};
pub use probe::Probe;
pub use prometheus::{Engines, Others, Prometheus, Server, Whom};

use words::{key, quoted};

use crate::diagnosis::BurnPreset;
use crate::domain::{Budget, Via};

/// The default file, with every key at its default and explained.
pub const DEFAULT_FILE: &str = include_str!("../assets/config.toml");

/// The word for whichever way leads there.
const AUTO: &str = "auto";

/// Every quantity that an alias can stand for.
pub const QUANTITIES: &[&str] = &[
    "waiting",
    "running",
    "kv_usage",
    "ttft",
    "tpot",
    "itl",
    "prompt_tokens",
    "generation_tokens",
    "generation_rate",
    "queue",
    "prefill",
    "decode",
    "e2e",
    "preemptions",
    "finished",
];

/// The names under which home-made exporters are known to serve these quantities.
const DEFAULT_ALIASES: &[(&str, &str)] = &[
    ("llm_queue_depth", "waiting"),
    ("queue_depth", "waiting"),
    ("llm_ttft_seconds", "ttft"),
    ("ttft_seconds", "ttft"),
    ("llm_tpot_seconds", "tpot"),
    ("tpot_seconds", "tpot"),
    ("llm_kv_cache_usage_ratio", "kv_usage"),
    ("kv_cache_usage_ratio", "kv_usage"),
    ("llm_tokens_processed_total", "generation_tokens"),
    ("tokens_per_second", "generation_rate"),
];

/// Who said a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nobody.
    Default,
    /// The system's file, as shown.
    SystemFile(String),
    /// The user's file, as shown.
    UserFile(String),
    /// The file named by `--config`, as shown.
    NamedFile(String),
    /// An environment variable, by its name.
    Variable(String),
    /// A flag, by its name.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::SystemFile(name)
            | Self::UserFile(name)
            | Self::NamedFile(name)
            | Self::Variable(name)
            | Self::Flag(name) => f.write_str(name),
        }
    }
}

/// One source of values, not looked into yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Layer {
    /// A file's text; `origin` is one of the files or the default.
    File {
        /// Which file.
        origin: Origin,
        /// What it holds.
        text: String,
    },
    /// The environment: names and values. Names that are not in [`VARIABLES`] are not looked at.
    Variables(Vec<(String, String)>),
    /// What was typed.
    Flags(Vec<Flag>),
    /// A file that another one is read instead of: what it forbids in `[policy]` is forbidden all the same.
    Limits {
        /// Which file.
        origin: Origin,
        /// What it holds.
        text: String,
    },
}

impl Layer {
    /// A layer with a higher strength wins.
    fn strength(&self) -> u8 {
        match self {
            Self::File { origin: Origin::Default, .. } => 0,
            Self::File { origin: Origin::SystemFile(_), .. } | Self::Limits { .. } => 1,
            Self::File { origin: Origin::UserFile(_), .. } => 2,
            Self::File { .. } => 3,
            Self::Variables(_) => 4,
            Self::Flags(_) => 5,
        }
    }
}

/// The configuration: complete and valid.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// What is promised to users.
    pub slo: Slos,
    /// How metrics pages are fetched.
    pub scrape: Scrape,
    /// Family name to canonical quantity (one of [`QUANTITIES`]), for home-made exporters.
    pub aliases: BTreeMap<String, &'static str>,
    /// What may be changed, and how it is confirmed.
    pub policy: Policy,
    /// Synthetic requests, as they were asked for; [`Self::probing`] says whether they are sent.
    pub probe: Probe,
    /// Which pods are the gateway in front.
    pub gateway: Gateway,
    /// Whom to ask for what was not watched here.
    pub prometheus: Prometheus,
    /// The screen.
    pub ui: Ui,
    /// Who said the value of a key, for the keys that are not at their default.
    origins: BTreeMap<String, Origin>,
}

/// The promises, for all models and for single ones.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Slos {
    /// For every model without promises of its own.
    pub default: Slo,
    /// For these models, by served name; complete, inherited values included.
    pub models: BTreeMap<String, Slo>,
}

impl Slos {
    /// The promises that hold for a model.
    pub fn of(&self, model: &str) -> &Slo {
        self.models.get(model).unwrap_or(&self.default)
    }
}

/// The promises to the users of one model.
#[derive(Debug, Clone, PartialEq)]
pub struct Slo {
    /// Time to first token.
    pub ttft: Target,
    /// Time per output token after the first.
    pub tpot: Target,
    /// When the burning of the budget pages.
    pub burn: BurnPreset,
}

impl Default for Slo {
    fn default() -> Self {
        let target = |milliseconds| Target { limit: Duration::from_millis(milliseconds), objective: 0.99 };
        Self { ttft: target(500), tpot: target(50), burn: BurnPreset::Workbook }
    }
}

/// A promise: the share `objective` of requests takes no longer than `limit`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Target {
    /// More than zero.
    pub limit: Duration,
    /// Between 0 and 1, both excluded.
    pub objective: f64,
}

/// How metrics pages are fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scrape {
    /// Between two fetches of one page; at least 100 ms.
    pub interval: Duration,
    /// For one whole fetch; more than zero, and free to be longer than `interval`.
    pub timeout: Duration,
    /// Fetches under way at once; 1 to 256.
    pub concurrency: u16,
    /// The one way on which pods' pages are read; `None`: whichever leads there.
    pub via: Option<Via>,
}

/// The screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ui {
    /// A theme's name: letters, digits, `-` and `_`, so no path. Whether there is such a theme is not known here.
    pub theme: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            slo: Slos::default(),
            scrape: Scrape {
                interval: Duration::from_secs(5),
                timeout: Duration::from_secs(3),
                concurrency: 32,
                via: None,
            },
            aliases: DEFAULT_ALIASES.iter().map(|(family, quantity)| ((*family).to_owned(), *quantity)).collect(),
            policy: Policy::default(),
            probe: Probe::default(),
            gateway: Gateway::default(),
            prometheus: Prometheus::default(),
            ui: Ui { theme: "default".to_owned() },
            origins: BTreeMap::new(),
        }
    }
}

/// Reads a duration as people write it: `500ms`, `2.5s`, `1m30s`. The error completes "it is '...', which ...".
pub fn duration(text: &str) -> Result<Duration, &'static str> {
    duration::parse(text)
}

impl Config {
    /// Reads the environment and the files, and merges them with the flags. `named` is the file of `--config`.
    pub fn load(named: Option<&Path>, flags: Vec<Flag>) -> Result<Self, ConfigError> {
        merge(gather(&Surroundings::of_this_process(), named, flags)?)
    }

    /// How synthetic requests are sent; never in read-only, whoever asked for them.
    pub fn probing(&self) -> Option<&Probe> {
        Some(&self.probe).filter(|probe| probe.enabled && !self.policy.read_only)
    }

    /// What the reading of pods' pages may cost.
    pub fn budget(&self) -> Budget {
        let Scrape { interval, timeout, concurrency, .. } = self.scrape;
        Budget {
            interval_s: interval.as_secs_f64(),
            timeout_s: timeout.as_secs_f64(),
            at_once: usize::from(concurrency),
        }
    }

    /// Every value in effect with who said it, one per line: `key = value   # from layer`. Without the comments this
    /// is a configuration file that gives the same values.
    pub fn describe(&self) -> Vec<String> {
        let entries = self.entries();
        let widest = entries.iter().map(|(key, value)| key.chars().count() + value.chars().count()).max().unwrap_or(0);
        let line = |(key, value): &(String, String)| {
            let origin = self.origins.get(key).unwrap_or(&Origin::Default);
            let pad = widest - key.chars().count() - value.chars().count();
            format!("{key} = {value}{:pad$}   # from {origin}", "")
        };
        entries.iter().map(line).collect()
    }

    /// Every key with its value, both as TOML writes them.
    fn entries(&self) -> Vec<(String, String)> {
        let duration = |duration| quoted(&duration::show(duration));
        let mut entries = Vec::new();
        let all = std::iter::once(("default", &self.slo.default));
        for (name, slo) in all.chain(self.slo.models.iter().map(|(name, slo)| (name.as_str(), slo))) {
            for (promise, target) in [("ttft", slo.ttft), ("tpot", slo.tpot)] {
                entries.push((slo_key(name, &format!("{promise}.target")), duration(target.limit)));
                entries.push((slo_key(name, &format!("{promise}.objective")), format!("{:?}", target.objective)));
            }
            entries.push((slo_key(name, "burn"), quoted(slo.burn.name())));
        }
        entries.push(("scrape.interval".to_owned(), duration(self.scrape.interval)));
        entries.push(("scrape.timeout".to_owned(), duration(self.scrape.timeout)));
        entries.push(("scrape.concurrency".to_owned(), self.scrape.concurrency.to_string()));
        entries.push(("scrape.via".to_owned(), quoted(self.scrape.via.map_or(AUTO, Via::code))));
        entries.extend(self.aliases.iter().map(|(family, quantity)| (alias_key(family), quoted(quantity))));
        entries.extend(self.policy.entries());
        entries.extend(self.probe.entries());
        entries.extend(self.gateway.entries());
        entries.extend(self.prometheus.entries());
        entries.push(("ui.theme".to_owned(), quoted(&self.ui.theme)));
        entries
    }
}

/// The configuration that these layers make, in whatever order they come. Pure: the same layers, the same `Config`.
pub fn merge(mut layers: Vec<Layer>) -> Result<Config, ConfigError> {
    layers.sort_by_key(Layer::strength);
    let mut merged = draft::Draft::default();
    for layer in &layers {
        let stronger = match layer {
            Layer::File { origin, text } => file::read(text, origin)?,
            Layer::Variables(variables) => given::read_variables(variables)?,
            Layer::Flags(flags) => given::read_flags(flags)?,
            Layer::Limits { origin, text } => file::read(text, origin)?.limits(),
        };
        merged = stronger.over(merged);
    }
    Ok(merged.settle())
}

/// The dotted key of a value of a model's promises; `default` is all models.
fn slo_key(model: &str, rest: &str) -> String {
    format!("slo.{}.{rest}", key(model))
}

/// The dotted key of an alias.
fn alias_key(family: &str) -> String {
    format!("aliases.{}", key(family))
}
