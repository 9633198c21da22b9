//! A story with room for chance: which causes come in, which decoys beside them, and within which ranges a draw may vary
//! fleet, load, onset and severity. What must be said of it stands nowhere here: that is derived from what was injected.

use std::fs;
use std::path::Path;

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use serde::Deserialize;
use toml::{Table, Value};
use warroom::domain::Role;
use warroom::sim::scenario::{Scenario, Seconds};

/// When the screen would open, and the causes come in (s since the beginning): the engines have served for twenty minutes.
pub(crate) const ONSET_S: f64 = 1500.0;

/// What every story starts from.
const BASE: &str = r#"
name = "drawn"
title = "drawn"
story = "drawn"

[slo]
ttft = "2.5s"
tpot = "100ms"
objective = 0.99

[model]
name = "llama-3-70b"
parameters_b = 70.6
weights_gb = 141.1
kv_kib_per_token = 320

[workload]
namespace = "llm-serving"
name = "vllm-runtime"
revision = 41
cause = "vllm 0.32.0"
image = "vllm/vllm-openai:v0.32.0"
args = [
  "meta-llama/Meta-Llama-3-70B-Instruct",
  "--served-model-name=llama-3-70b",
  "--tensor-parallel-size=4",
  "--max-model-len=16384",
  "--max-num-seqs=256",
  "--max-num-batched-tokens=512",
  "--gpu-memory-utilization=0.90",
  "--enable-prefix-caching",
]
gpus = 4
cpus = 16
pull = "30s"
load_gb_per_s = 2.4
warm_up = "42s"
max_surge = "100%"
max_unavailable = "0"

[[earlier]]
before = "15d"
cause = "vllm 0.30.1"
image = "vllm/vllm-openai:v0.30.1"
"#;

/// How busy a fleet is before anything happens, as a factor on what a replica is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Load {
    /// Now and then a request.
    Idle,
    /// A quarter of what it could do.
    Low,
    /// Half of it.
    Middle,
    /// Three quarters of it.
    High,
}

impl Load {
    const fn factor(self) -> f64 {
        match self {
            Self::Idle => 0.02,
            Self::Low => 0.45,
            Self::Middle => 0.9,
            Self::High => 1.2,
        }
    }
}

/// The engines whose pages a story is told through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Teller {
    /// vLLM as it is.
    Vllm,
    /// vLLM's first engine.
    VllmV0,
    /// `SGLang`.
    Sglang,
}

impl Teller {
    pub(crate) const ALL: [Self; 3] = [Self::Vllm, Self::VllmV0, Self::Sglang];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Vllm => "vLLM",
            Self::VllmV0 => "vLLM V0",
            Self::Sglang => "SGLang",
        }
    }

    /// Lets an engine speak by the image that its pods are of.
    fn tells(self, scenario: &mut Scenario) {
        let (from, to) = match self {
            Self::Vllm => return,
            Self::VllmV0 => ("vllm-openai:v0.", "vllm-openai:v0.8."),
            Self::Sglang => ("vllm/vllm-openai:v0.", "lmsysorg/sglang:v0.5."),
        };
        let workload = std::iter::once(&mut scenario.workload.image);
        let earlier = scenario.earlier.iter_mut().filter_map(|e| e.image.as_mut());
        let later = scenario.changes.iter_mut().filter_map(|c| c.rollout.as_mut()?.image.as_mut());
        workload.chain(earlier).chain(later).for_each(|image| *image = image.replace(from, to));
        if self == Self::Sglang {
            // A promise lies at one of its engine's bounds: here 2 s, where vLLM has 2.5.
            scenario.slo.ttft = Seconds(2.0);
        }
    }
}

/// One incident, or none.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Story {
    /// What happens, in a sentence.
    pub(crate) tells: String,
    /// Replicas.
    pub(crate) fleet: u32,
    /// How busy they are.
    pub(crate) load: Load,
    /// Parts of the scenario that are otherwise.
    #[serde(default)]
    with: Table,
    /// Flags of the engine that are otherwise from the beginning.
    #[serde(default)]
    flags: Vec<String>,
    /// What is injected: changes of a scenario, with `after` in seconds since the onset.
    #[serde(default)]
    cause: Vec<Table>,
    /// What happens beside it. Whether it is harmless is found out and not believed.
    #[serde(default)]
    beside: Vec<Table>,
    /// What cannot be read: `gateway`, `gpus`, `kubernetes`.
    #[serde(default)]
    blind: Vec<Blind>,
    /// Whose pages can tell it; all, where this is absent.
    #[serde(default)]
    told_by: Vec<Teller>,
    /// Whether the fixed subset of each test run tells it.
    #[serde(default)]
    pub(crate) always: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Blind {
    Gateway,
    Gpus,
    Kubernetes,
}

/// A story with all its chances taken.
pub(crate) struct Draw {
    /// The whole scenario.
    pub(crate) scenario: Scenario,
    /// Which of its changes belong together: those of each injected thing.
    pub(crate) injected: Vec<Vec<usize>>,
    /// Whose pages tell it.
    pub(crate) teller: Teller,
    /// What cannot be read.
    pub(crate) blind: Vec<Blind>,
}

impl Draw {
    /// The scenario without the changes that these injected things are made of.
    pub(crate) fn without(&self, gone: &[usize]) -> Scenario {
        let gone: Vec<usize> = gone.iter().flat_map(|i| self.injected[*i].iter().copied()).collect();
        let mut scenario = self.scenario.clone();
        let mut at = 0;
        scenario.changes.retain(|_| {
            at += 1;
            !gone.contains(&(at - 1))
        });
        scenario
    }

    /// The roles whose pages cannot be read.
    pub(crate) fn blind_roles(&self) -> Vec<Role> {
        let role = |blind: &Blind| match blind {
            Blind::Gateway => Some(Role::Gateway),
            Blind::Gpus => Some(Role::Gpus),
            Blind::Kubernetes => None,
        };
        self.blind.iter().filter_map(role).collect()
    }
}

/// All stories, by the names of their files.
pub(crate) fn all() -> Vec<(String, Story)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios/drawn");
    let mut stories: Vec<(String, Story)> = fs::read_dir(directory)
        .expect("the stories")
        .map(|entry| entry.expect("a file").path())
        .filter(|path| path.extension().is_some_and(|e| e == "toml"))
        .flat_map(|path| {
            let text = fs::read_to_string(&path).expect("a file of stories");
            let stories: std::collections::BTreeMap<String, Story> =
                toml::from_str(&text).map_err(|error| format!("{}: {error}", path.display())).expect("stories");
            stories
        })
        .collect();
    stories.sort_by(|a, b| a.0.cmp(&b.0));
    stories
}

impl Story {
    /// Whether an engine's pages can tell it at all.
    pub(crate) fn can_be_told_by(&self, teller: Teller) -> bool {
        self.told_by.is_empty() || self.told_by.contains(&teller)
    }

    /// The same where hardly anybody asks.
    pub(crate) fn where_nobody_asks(&self) -> Self {
        Self { load: Load::Idle, ..self.clone() }
    }

    /// Takes the story's chances.
    pub(crate) fn draw(&self, seed: u64, teller: Teller) -> Draw {
        let mut chance = Pcg64Mcg::seed_from_u64(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0xd1ce);
        let mut scenario: Table = toml::from_str(BASE).expect("the base");
        scenario.insert("opens".into(), Value::from(format!("{ONSET_S}s")));
        self.fleet(&mut scenario, &mut chance);
        let mut with = Value::Table(self.with.clone());
        settle(&mut with, &mut chance);
        if let Value::Table(with) = with {
            merge(&mut scenario, with);
        }
        self.set_flags(&mut scenario, &mut chance);
        // The same for all of a story, so that what comes together stays together.
        let onset = ONSET_S + chance.random_range(0.0..60.0);
        let (mut changes, mut injected) = (Vec::new(), Vec::<Vec<usize>>::new());
        let mut groups: Vec<Option<String>> = Vec::new();
        for table in self.cause.iter().chain(&self.beside) {
            let mut change = Value::Table(table.clone());
            settle(&mut change, &mut chance);
            let Value::Table(mut change) = change else { continue };
            let after = change
                .remove("after")
                .map_or(0.0, |v| v.as_float().or(v.as_integer().map(|i| i as f64)).expect("seconds"));
            let group = change.remove("of").and_then(|v| v.as_str().map(str::to_owned));
            change.insert("at".into(), Value::from(format!("{:.1}s", onset + after)));
            if let Some(known) = groups.iter().position(|g| g.is_some() && *g == group) {
                injected[known].push(changes.len());
            } else {
                injected.push(vec![changes.len()]);
                groups.push(group);
            }
            changes.push(Value::Table(change));
        }
        scenario.insert("change".into(), Value::Array(changes));
        let text = toml::to_string(&scenario).expect("a scenario's text");
        let mut scenario =
            Scenario::read("drawn", &text).map_err(|e| format!("{}: {e}", self.tells)).expect("a scenario");
        teller.tells(&mut scenario);
        Draw { scenario, teller, injected, blind: self.blind.clone() }
    }

    /// Replicas, their nodes and what they are asked.
    fn fleet(&self, scenario: &mut Table, chance: &mut Pcg64Mcg) {
        let replicas = self.fleet;
        let workload = scenario["workload"].as_table_mut().expect("a workload");
        workload.insert("replicas".into(), Value::from(i64::from(replicas)));
        if replicas > 8 {
            workload.insert("max_surge".into(), Value::from("50%"));
        }
        // As many again have room, so that a rollout is not a question of room.
        let nodes = (1..=replicas.max(2)).map(|n| {
            let mut node = Table::new();
            node.insert("name".into(), Value::from(format!("gpu-{n}")));
            node.insert("gpus".into(), Value::from(8));
            node.insert("product".into(), Value::from("NVIDIA H100 80GB HBM3"));
            Value::Table(node)
        });
        scenario.insert("node".into(), Value::Array(nodes.collect()));
        let load = self.load.factor() * f64::from(replicas) * chance.random_range(0.9..1.1);
        let mix = chance.random_range(0.85..1.15);
        let traffic = format!(
            r#"
            [[traffic]]
            tenant = "acme"
            class = "assistant"
            rate = {assistant:.3}
            prompt = {{ median = {long:.0}, spread = 0.45, most = 9000 }}
            output = {{ median = 150, spread = 0.5, most = 500 }}
            shared_prefix = 0.3

            [[traffic]]
            tenant = "globex"
            class = "chat"
            rate = {chat:.3}
            prompt = {{ median = {short:.0}, spread = 0.6, most = 5000 }}
            output = {{ median = 220, spread = 0.5, most = 800 }}
            shared_prefix = 0.3
            patience = "75s"
            "#,
            assistant = load * 1.0,
            chat = load * 0.5,
            long = 3600.0 * mix,
            short = 1400.0 * mix,
        );
        let traffic: Table = toml::from_str(&traffic).expect("traffic");
        scenario.extend(traffic);
    }

    fn set_flags(&self, scenario: &mut Table, chance: &mut Pcg64Mcg) {
        let args = scenario["workload"]["args"].as_array_mut().expect("arguments");
        for flag in &self.flags {
            let mut flag = Value::from(flag.as_str());
            settle(&mut flag, chance);
            let name = flag.as_str().map(|f| f.split('=').next().unwrap_or(f).to_owned()).unwrap_or_default();
            args.retain(|known| known.as_str().is_none_or(|k| k.split('=').next() != Some(&name)));
            args.push(flag);
        }
    }
}

/// Puts the parts of one table over those of another.
fn merge(into: &mut Table, from: Table) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(Value::Table(known)), Value::Table(new)) => merge(known, new),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}

/// Takes the chances in a value: `{ from = 1, to = 2 }` is a number between, `"{1..2}s"` a text with one.
fn settle(value: &mut Value, chance: &mut Pcg64Mcg) {
    match value {
        Value::Table(table) => {
            let number = |key: &str| table.get(key).and_then(|v| v.as_float().or(v.as_integer().map(|i| i as f64)));
            if let (2, Some(from), Some(to)) = (table.len(), number("from"), number("to")) {
                let whole = table.values().all(Value::is_integer);
                *value = between(from, to, whole, chance);
                return;
            }
            table.iter_mut().for_each(|(_, value)| settle(value, chance));
        }
        Value::Array(array) => array.iter_mut().for_each(|value| settle(value, chance)),
        Value::String(text) => {
            while let Some((before, from, to, after)) = range(text) {
                let whole = !text.contains('.') || !from.contains('.') && !to.contains('.');
                let (from, to) = (from.parse().expect("a number"), to.parse().expect("a number"));
                let drawn = match between(from, to, whole, chance) {
                    Value::Integer(i) => i.to_string(),
                    other => format!("{:.3}", other.as_float().unwrap_or_default()),
                };
                *text = format!("{before}{drawn}{after}");
            }
        }
        _ => {}
    }
}

/// The first `{from..to}` in a text, and what stands around it.
fn range(text: &str) -> Option<(String, String, String, String)> {
    let (before, rest) = text.split_once('{')?;
    let (inner, after) = rest.split_once('}')?;
    let (from, to) = inner.split_once("..")?;
    Some((before.into(), from.into(), to.into(), after.into()))
}

fn between(from: f64, to: f64, whole: bool, chance: &mut Pcg64Mcg) -> Value {
    if whole {
        #[expect(clippy::cast_possible_truncation, reason = "small numbers of a story")]
        let (from, to) = (from as i64, to as i64);
        return Value::from(chance.random_range(from..=to));
    }
    Value::from(chance.random_range(from..to))
}
