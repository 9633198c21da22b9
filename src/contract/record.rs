//! What stands on a line of an incident's record: one JSON object, versioned, readable by programs and by people with
//! `jq`. Written and locked by `journal`, understood by `report`. Fields may be added; a line that cannot be understood
//! is named and the others stay.
//!
//! Reading is hostile-proof: whatever the bytes are, there is an answer, every string is cleaned, and everything is
//! bounded.

mod parse;

pub use parse::{BadLine, Contents, MOST_LINE, parse};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::action::Plan;
use crate::diagnosis::{Diagnosis, Metric, SeriesPoint};
use crate::domain::{Action, At, WorkloadRef};
use crate::runbook::{Record, Who};

/// The version of the lines.
pub const VERSION: u32 = 1;

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// Its version.
    pub v: u32,
    /// Its number, from 0; it grows by one.
    pub n: u64,
    /// When, in UTC.
    #[serde(with = "utc")]
    pub at: At,
    /// By whom.
    pub by: Who,
    /// What.
    #[serde(flatten)]
    pub entry: Entry,
}

/// What a line says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Entry {
    /// The record begins: which workload, by which program.
    Opened {
        /// The workload.
        target: Target,
        /// The program's version.
        tool: String,
        /// Who writes from now on: a word of its own per war room.
        owner: String,
        /// Whether nothing may be changed.
        read_only: bool,
        /// Whether the cluster is a simulation.
        simulated: bool,
    },
    /// Another war room writes from now on.
    Taken {
        /// Which.
        owner: String,
        /// Whether the one before was still there.
        over: bool,
    },
    /// What the diagnosis says, when it says something else than before.
    Verdict(Verdict),
    /// Something changed in the cluster or its traffic.
    Changed {
        /// When it did.
        #[serde(with = "utc")]
        when: At,
        /// What kind of change.
        change: String,
        /// In words.
        summary: String,
    },
    /// Something happened to the run.
    Run {
        /// What.
        run: Record,
    },
    /// A change is about to be asked for: on disk before the call.
    Planned(Planned),
    /// What came of it: on disk after the answer.
    Answered(Answered),
    /// Readings for the picture.
    Series {
        /// Oldest first.
        points: Vec<Point>,
    },
    /// Lines that could not be written are missing here.
    Lost {
        /// How many.
        lines: u64,
        /// Why.
        why: String,
    },
    /// The war room was left in order.
    Closed {},
}

impl Entry {
    /// A run's record as an entry.
    pub const fn run(run: Record) -> Self {
        Self::Run { run }
    }

    /// Whether it must be on disk before anything goes on.
    pub const fn is_durable(&self) -> bool {
        match self {
            Self::Opened { .. } | Self::Taken { .. } | Self::Planned(_) | Self::Answered(_) | Self::Closed {} => true,
            Self::Run { run } => !matches!(run, Record::Checked { .. }),
            Self::Verdict(_) | Self::Changed { .. } | Self::Series { .. } | Self::Lost { .. } => false,
        }
    }

    /// Whether the levers need it: where it cannot be written, nothing may be changed.
    pub const fn is_of_a_lever(&self) -> bool {
        matches!(self, Self::Planned(_) | Self::Answered(_))
    }
}

/// Which workload. Written out, so that a record can be read without the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Target {
    /// The context; empty where none was used.
    pub context: String,
    /// The namespace.
    pub namespace: String,
    /// The kind, as Kubernetes writes it.
    pub workload: String,
    /// The name.
    pub name: String,
}

impl From<&WorkloadRef> for Target {
    fn from(w: &WorkloadRef) -> Self {
        Self {
            context: w.context.clone(),
            namespace: w.namespace.clone(),
            workload: w.kind.code().to_owned(),
            name: w.name.clone(),
        }
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}/{} {}", self.context, self.namespace, self.workload, self.name)
    }
}

/// What a diagnosis said.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of the contract of `check`")]
pub struct Verdict {
    pub verdict: String,
    pub trend: Option<String>,
    pub since: Option<At>,
    pub until: Option<At>,
    pub sentence: String,
    /// Phase, mechanism, cause, confidence.
    pub suspect: Option<Suspect>,
    pub slo: Vec<Objective>,
    pub model: Option<String>,
    /// The nodes below, for whoever hides names in a report.
    pub nodes: Vec<String>,
    /// Tenants that it names.
    #[serde(default)]
    pub tenants: Vec<String>,
}

/// Who is suspected.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[expect(missing_docs, reason = "codes of the vocabulary")]
pub struct Suspect {
    pub phase: String,
    pub mechanism: String,
    pub cause: Option<String>,
    pub confidence: String,
}

/// One objective at that moment.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of the contract of `check`")]
pub struct Objective {
    pub metric: String,
    pub model: Option<String>,
    pub target_s: f64,
    pub objective: f64,
    pub status: String,
    pub count: Option<f64>,
    pub bad: Option<f64>,
    pub paging: Option<bool>,
}

impl Verdict {
    /// What is kept of a diagnosis.
    pub fn of(d: &Diagnosis) -> Self {
        let mut nodes: Vec<String> = d
            .replicas
            .iter()
            .filter_map(|r| r.node.clone())
            .chain(d.gpus.iter().filter_map(|g| g.id.node.clone()))
            .collect();
        nodes.sort();
        nodes.dedup();
        nodes.truncate(200);
        let told = d.suspect.iter().filter_map(|s| s.subject.slice.as_ref()?.tenant.clone());
        Self {
            verdict: d.verdict.code().to_owned(),
            trend: d.trend.map(|t| t.code().to_owned()),
            since: d.since,
            until: d.until,
            sentence: d.sentence.clone(),
            suspect: d.suspect.as_ref().map(|s| Suspect {
                phase: s.phase.code().to_owned(),
                mechanism: s.mechanism.code().to_owned(),
                cause: s.cause.map(|c| c.code().to_owned()),
                confidence: s.confidence.code().to_owned(),
            }),
            slo: d
                .slo
                .iter()
                .map(|row| Objective {
                    metric: row.metric.name().to_owned(),
                    model: row.model.clone(),
                    target_s: row.target.seconds,
                    objective: row.target.objective,
                    status: row.status.code().to_owned(),
                    count: row.count,
                    bad: row.bad,
                    paging: row.paging,
                })
                .collect(),
            model: d.model.clone(),
            nodes,
            tenants: d.sliced.iter().filter_map(|r| r.slice.as_ref()?.tenant.clone()).chain(told).collect(),
        }
    }

    /// Whether it says the same: not in its numbers, which move with every reading, but in what is the matter.
    pub fn says_the_same(&self, other: &Self) -> bool {
        let paging = |v: &Self| v.slo.iter().map(|s| (s.status.clone(), s.paging)).collect::<Vec<_>>();
        self.verdict == other.verdict
            && self.since == other.since
            && self.until == other.until
            && self.suspect == other.suspect
            && paging(self) == paging(other)
    }

    /// The target of one latency (s).
    pub fn target_s(&self, metric: Metric) -> Option<f64> {
        self.slo.iter().find(|s| s.metric == metric.name()).map(|s| s.target_s)
    }
}

/// A change that is about to be asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Planned {
    /// By this its answer is found.
    pub id: u64,
    /// Which lever.
    pub action: Action,
    /// In one line.
    pub title: String,
    /// The object that is written.
    pub object: String,
    /// What kubectl would do, nearly.
    pub kubectl: String,
    /// The exact bytes of the request's body: as they are, never cleaned, never shown as they are.
    pub bytes: String,
    /// Whether it is the dry run.
    pub dry_run: bool,
    /// What it was expected to help, and what takes it back, in words.
    pub notes: Vec<String>,
    /// The whole plan, for programs.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub plan: Value,
}

/// A plan as it is kept on record: without its request's body, which stands beside it, and without the template's
/// lines, which the body holds.
pub fn kept_plan(plan: &Plan) -> Value {
    let mut kept = serde_json::to_value(plan).unwrap_or(Value::Null);
    if let Some(kept) = kept.as_object_mut() {
        kept.remove("lines");
    }
    if let Some(request) = kept["request"].as_object_mut() {
        request.remove("body");
    }
    kept
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answered {
    /// The plan.
    pub id: u64,
    /// Whether it was accepted; `None`: not known, and it is to be read again before anything else is done.
    pub accepted: Option<bool>,
    /// The answer's code, where there was one.
    pub status: Option<u16>,
    /// In words.
    pub says: String,
}

/// One point of the picture.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Point {
    /// The end of its slice.
    pub at: At,
    /// Mean time to first token (s).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttft_s: Option<f64>,
    /// The share of first tokens that were certainly late (0–1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late: Option<f64>,
    /// Mean gap between tokens (s).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub itl_s: Option<f64>,
    /// Requests that waited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<f64>,
    /// The fullest KV cache (0–1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kv: Option<f64>,
}

impl From<&SeriesPoint> for Point {
    fn from(p: &SeriesPoint) -> Self {
        // Four digits are more than a picture shows.
        let short = |n: Option<f64>| n.filter(|n| n.is_finite()).map(|n| (n * 1e4).round() / 1e4);
        Self {
            at: p.to,
            ttft_s: short(p.ttft_mean),
            late: short(p.ttft_late),
            itl_s: short(p.itl_mean),
            waiting: short(p.waiting),
            kv: short(p.kv),
        }
    }
}

/// A moment in UTC, with its milliseconds.
pub fn utc_time(at: At) -> String {
    Timestamp::from_millisecond(at.0).unwrap_or(Timestamp::UNIX_EPOCH).to_string()
}

mod utc {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use super::{At, Timestamp, utc_time};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
    pub(super) fn serialize<S: Serializer>(at: &At, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&utc_time(*at))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<At, D::Error> {
        let text = String::deserialize(deserializer)?;
        let moment: Timestamp = text.parse().map_err(|_| D::Error::custom("it is no RFC 3339 time"))?;
        Ok(At(moment.as_millisecond()))
    }
}
