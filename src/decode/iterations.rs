//! The JSON page of TensorRT-LLM's server: a list of what its iterations were like, one object each, oldest first.
//!
//! Sources: `IterationStats` of TensorRT-LLM's `cpp/include/tensorrt_llm/executor/types.h`, and how its own collector
//! (`tensorrt_llm/metrics/collector.py`) names the same on its other page.
//!
//! Whoever reads the list empties it, so that two readers see a part each. What an object says of its moment is true all
//! the same, and so is the number of the iteration, which goes on counting; sums over the list are not, and none is kept.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};

use crate::domain::{EnginePage, Finish, Gauge, ReplicaPage, System, Total, Values};

/// The most engines of one page: ranks of one server. Real ones have up to 72.
const MOST_RANKS: usize = 512;

/// Why there is no page in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// A list without anything in it.
    #[error(
        "an empty list: where this is trtllm-serve, no iteration ran since somebody last read it, or enable_iter_perf_stats \
         is off; its other page is /prometheus/metrics, with return_perf_metrics"
    )]
    Empty,
    /// JSON of something else, or none.
    #[error("the page is JSON, and no list of iterations: {0}")]
    NotIterations(String),
}

/// Whether a page can be such a list at all: it begins like a list.
pub fn is_list(page: &[u8]) -> bool {
    page.strip_prefix(b"\xef\xbb\xbf").unwrap_or(page).trim_ascii_start().first() == Some(&b'[')
}

/// Reads a page. What is no iteration in it is left out and counted.
pub fn read(page: &[u8]) -> Result<EnginePage, ListError> {
    let page = page.strip_prefix(b"\xef\xbb\xbf").unwrap_or(page);
    let list: List = serde_json::from_slice(page).map_err(|e| ListError::NotIterations(e.to_string()))?;
    if list.ranks.is_empty() {
        let other = || ListError::NotIterations("nothing in it looks like one".to_owned());
        return Err(if list.skipped == 0 { ListError::Empty } else { other() });
    }
    let several = list.ranks.len() > 1;
    let mut families: Vec<(&'static str, &'static str)> = Vec::new();
    let replicas = list
        .ranks
        .iter()
        .map(|(rank, lately)| ReplicaPage {
            engine: rank.filter(|_| several).map_or(String::new(), |rank| rank.to_string()),
            values: lately.values(&mut families),
            ..ReplicaPage::default()
        })
        .collect();
    families.sort_unstable();
    families.dedup();
    Ok(EnginePage {
        system: system().into(),
        replicas,
        families: families.into_iter().map(|(quantity, family)| (quantity, family.into())).collect(),
        series: list.read,
        skipped: list.skipped,
        first_skipped: list.first_skipped.map(|n| format!("entry {n}: no iteration")),
    })
}

fn system() -> System {
    let lacks = [
        "first token, gap between tokens and phases: they are on its other page, /prometheus/metrics",
        "requests and tokens: the list is emptied by whoever reads it, and sums over a part of it are none",
    ];
    System {
        engine: "trtllm".to_owned(),
        phases: Finish::AtFinish,
        lacks: lacks.map(str::to_owned).to_vec(),
        ..System::default()
    }
}

/// One iteration, as far as anything is used of it. Where one of these is no number it is none.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Iteration {
    iter: Option<f64>,
    num_active_requests: Option<f64>,
    num_queued_requests: Option<f64>,
    num_new_active_requests: Option<f64>,
    #[serde(rename = "newActiveRequestsQueueLatencyMS")]
    queued_ms: Option<f64>,
    kv_cache_stats: Option<Cache>,
    /// Of several ranks that attend each to its own requests.
    attention_dp_rank: Option<u32>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cache {
    max_num_blocks: Option<f64>,
    used_num_blocks: Option<f64>,
    free_num_blocks: Option<f64>,
    tokens_per_block: Option<f64>,
}

impl Iteration {
    /// Whether anything tells it from another object.
    fn is_one(&self) -> bool {
        self.iter.is_some() && (self.num_active_requests.is_some() || self.num_queued_requests.is_some())
    }
}

/// The last iteration of one rank, and what those on the page waited that became active in them.
#[derive(Debug, Default)]
struct Lately {
    last: Iteration,
    started: f64,
    waited_ms: f64,
}

impl Lately {
    fn take(&mut self, iteration: Iteration) {
        let known = |n: Option<f64>| n.filter(|n| n.is_finite() && *n >= 0.0);
        if let (Some(started), Some(waited)) = (known(iteration.num_new_active_requests), known(iteration.queued_ms)) {
            self.started += started;
            self.waited_ms += waited;
        }
        self.last = iteration;
    }

    fn values(&self, families: &mut Vec<(&'static str, &'static str)>) -> Values {
        let mut values = Values::default();
        let mut gauge = |gauge: Gauge, value: Option<f64>, family: &'static str| {
            if let Some(value) = value {
                values.set_gauge(gauge, value);
                if values.gauge(gauge).is_some() {
                    families.push((gauge.name(), family));
                }
            }
        };
        let last = &self.last;
        gauge(Gauge::Running, last.num_active_requests, "numActiveRequests");
        gauge(Gauge::Waiting, last.num_queued_requests, "numQueuedRequests");
        if let Some(cache) = &last.kv_cache_stats {
            let all = cache.max_num_blocks.filter(|all| *all > 0.0);
            let used = cache.used_num_blocks.or_else(|| Some(all? - cache.free_num_blocks?));
            gauge(Gauge::KvUsage, used.zip(all).map(|(used, all)| used / all), "kvCacheStats.usedNumBlocks");
            gauge(Gauge::KvBlock, cache.tokens_per_block, "kvCacheStats.tokensPerBlock");
            let capacity = all.zip(cache.tokens_per_block).map(|(blocks, tokens)| blocks * tokens);
            gauge(Gauge::KvCapacity, capacity, "kvCacheStats.maxNumBlocks");
        }
        let mean = (self.started > 0.0).then(|| self.waited_ms / self.started / 1000.0);
        gauge(Gauge::QueueMean, mean, "newActiveRequestsQueueLatencyMS");
        if let Some(steps) = last.iter.filter(|n| n.is_finite() && *n >= 0.0) {
            values.set_total(Total::Steps, steps);
            families.push((Total::Steps.name(), "iter"));
        }
        values
    }
}

/// The list, of which only the last of each rank is kept however long it is.
#[derive(Debug, Default)]
struct List {
    ranks: BTreeMap<Option<u32>, Lately>,
    read: usize,
    skipped: usize,
    first_skipped: Option<usize>,
}

/// An entry of the list: an iteration, or anything else.
#[derive(Deserialize)]
#[serde(untagged)]
enum Entry {
    Iteration(Iteration),
    Other(IgnoredAny),
}

impl<'de> Deserialize<'de> for List {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Entries)
    }
}

struct Entries;

impl<'de> Visitor<'de> for Entries {
    type Value = List;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of iterations")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<List, A::Error> {
        let mut list = List::default();
        while let Some(entry) = entries.next_element::<Entry>()? {
            list.read += 1;
            match entry {
                Entry::Iteration(one)
                    if one.is_one()
                        && (list.ranks.len() < MOST_RANKS || list.ranks.contains_key(&one.attention_dp_rank)) =>
                {
                    list.ranks.entry(one.attention_dp_rank).or_default().take(one);
                }
                Entry::Iteration(_) | Entry::Other(_) => {
                    list.skipped += 1;
                    list.first_skipped.get_or_insert(list.read);
                }
            }
        }
        Ok(list)
    }
}
