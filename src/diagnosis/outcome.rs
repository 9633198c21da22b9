//! What a diagnosis says: the values that contract and reports are made from.

use std::sync::Arc;

use super::{Finding, LeverAdvice, PhaseRow, SloRow, Suspect};
use crate::domain::{
    At, BaselineKind, GpuId, GpuSample, Pool, SourceState, StartPhase, TemplateChange, ToldAlert, Trend, Verdict,
    WorkloadRef, codes,
};

/// Everything that a diagnosis says.
#[derive(Debug, Clone)]
pub struct Diagnosis {
    /// The moment that was judged.
    pub at: At,
    /// The judged window.
    pub from: At,
    /// The window that was asked for, in seconds.
    pub requested_s: f64,
    /// What is the matter.
    pub verdict: Verdict,
    /// Which way it goes, where something is the matter.
    pub trend: Option<Trend>,
    /// Since when.
    pub since: Option<At>,
    /// Until when, where it is over.
    pub until: Option<At>,
    /// The verdict in words.
    pub sentence: String,
    /// Who is suspected.
    pub suspect: Option<Suspect>,
    /// The workload that was judged; `None` where only endpoints were named.
    pub target: Option<WorkloadRef>,
    /// Replicas that are wanted, Ready by Kubernetes, and answering; `None` where it is not known.
    pub scope: Scope,
    /// The model, the engine and its generation, where they are the same everywhere.
    pub model: Option<String>,
    /// The engine's name.
    pub engine: Option<String>,
    /// The engine's generation.
    pub generation: Option<String>,
    /// The objectives.
    pub slo: Vec<SloRow>,
    /// First tokens and times per output token as a gateway counts them, by whose requests they are, the worst first; they do
    /// not make the verdict.
    pub sliced: Vec<SloRow>,
    /// Six phases and the rest.
    pub phases: Vec<PhaseRow>,
    /// Mean time to first token over the window, and before.
    pub ttft_mean: (Option<f64>, Option<f64>),
    /// What it is compared with; `None`: with nothing.
    pub before: Option<Before>,
    /// What the rules found, most seconds first.
    pub findings: Vec<Finding>,
    /// What changed.
    pub changes: Vec<Change>,
    /// Levers, across all findings.
    pub levers: Vec<LeverAdvice>,
    /// The gateways' mean time to the first byte (s); `None`: none of them measures it.
    pub gateway_first_byte: Option<f64>,
    /// Requests.
    pub requests: Requests,
    /// Replicas.
    pub replicas: Vec<ReplicaRow>,
    /// Revisions, newest first, with what the requests on each of them saw.
    pub revisions: Vec<RevisionRow>,
    /// How each pod started, and how long starts of this workload take.
    pub starts: Starts,
    /// GPUs.
    pub gpus: Vec<GpuRow>,
    /// What was observed, slice by slice, oldest first: for pictures, and longer than the judged window.
    pub series: Vec<SeriesPoint>,
    /// Sources.
    pub sources: Vec<SourceRow>,
    /// Alerts that Prometheus told of; empty where it was not asked.
    pub alerts: Vec<ToldAlert>,
}

/// How many replicas there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scope {
    /// Wanted.
    pub desired: Option<u32>,
    /// Ready, as Kubernetes says.
    pub ready: Option<u32>,
    /// Whose pages are read and which moved lately or could.
    pub answering: u32,
    /// Endpoints that are meant to answer.
    pub endpoints: u32,
}

/// One slice of what was observed, summed over engines. A mean or a share without events is `None`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SeriesPoint {
    /// From this moment.
    pub from: At,
    /// To this moment.
    pub to: At,
    /// First tokens.
    pub ttft_count: f64,
    /// Mean time to first token (s).
    pub ttft_mean: Option<f64>,
    /// The share of first tokens that were certainly late (0–1).
    pub ttft_late: Option<f64>,
    /// Mean gap between tokens (s).
    pub itl_mean: Option<f64>,
    /// The share of tokens that were certainly late (0–1).
    pub itl_late: Option<f64>,
    /// Output tokens per second.
    pub tokens_per_s: Option<f64>,
    /// Requests that waited at the end.
    pub waiting: Option<f64>,
    /// Requests that ran at the end.
    pub running: Option<f64>,
    /// The fullest KV cache at the end (0–1).
    pub kv: Option<f64>,
}

codes! {
    /// A step of a pod's start.
    Step {
        /// From its creation until a node was chosen.
        Schedule = "schedule",
        /// Its init containers, which may download the model.
        Init = "init",
        /// The engine's image comes onto the node.
        Pull = "pull",
        /// From the engine's start to its first answer: it loads its model and warms up.
        Load = "load",
        /// From its first answer to Ready; below zero where it was Ready before.
        Ready = "ready",
        /// From the engine's start to Ready, where nobody saw when it first answered.
        LoadToReady = "load_to_ready",
    }
}

/// One step of a start.
#[derive(Debug, Clone, PartialEq)]
pub struct StartStep {
    /// Which.
    pub step: Step,
    /// How long it took, or lasts already (s).
    pub seconds: f64,
    /// How finely that is known (s): it may be off by this much.
    pub resolution_s: f64,
    /// Whether it still lasts.
    pub running: bool,
    /// Who says so.
    pub source: &'static str,
}

/// How one pod started. What nothing tells is not among its steps.
#[derive(Debug, Clone, PartialEq)]
pub struct StartRow {
    /// The pod.
    pub pod: String,
    /// Its revision.
    pub revision: Option<u64>,
    /// How often its engine was restarted: load and readiness are those of the last start.
    pub restarts: u32,
    /// Its steps, in their order.
    pub steps: Vec<StartStep>,
}

/// How long something took, over several starts (s).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Times {
    /// Of how many.
    pub count: usize,
    /// The median.
    pub median: f64,
    /// The 90th percentile; `None` where there are too few.
    pub p90: Option<f64>,
    /// The shortest.
    pub min: f64,
    /// The longest.
    pub max: f64,
}

/// The starts of a workload's pods.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Starts {
    /// Pod by pod, newest first.
    pub rows: Vec<StartRow>,
    /// From the engine's start to its first answer, where that was seen.
    pub load: Option<Times>,
    /// From its first answer to Ready, where that was seen.
    pub ready: Option<Times>,
    /// From the engine's start to Ready, of pods that were never restarted.
    pub whole: Option<Times>,
    /// When the rollout that is on its way counts as stuck, unless it moves before.
    pub deadline: Option<At>,
}

/// One revision of the workload.
#[derive(Debug, Clone, PartialEq)]
pub struct RevisionRow {
    /// Its number.
    pub number: u64,
    /// The object's name.
    pub name: String,
    /// When it was created.
    pub created: Option<At>,
    /// Pods that are wanted of it, and Ready ones.
    pub desired: u32,
    /// See `desired`.
    pub ready: u32,
    /// The image of its engine.
    pub image: String,
    /// `kubernetes.io/change-cause`.
    pub change_cause: Option<String>,
    /// In what its template differs from the revision before it.
    pub changes: Vec<TemplateChange>,
    /// What gives it flags and could not be read, in words.
    pub unknown: Vec<String>,
    /// Flags that its engines' own pages tell otherwise than it declares them, in words.
    pub otherwise: Vec<String>,
    /// First tokens that its replicas gave in the window; `None`: none of them was read.
    pub count: Option<f64>,
    /// Their mean time to first token (s).
    pub ttft_mean: Option<f64>,
    /// The share of them that was certainly late (0–1).
    pub ttft_late: Option<f64>,
    /// Mean gap between tokens (s).
    pub itl_mean: Option<f64>,
}

codes! {
    /// How much is known of a GPU's clocks and memory.
    Truth {
        /// Event reasons or ECC were really read.
        Confirmed = "confirmed",
        /// Clocks low under load, with heat or power at the limit.
        Inferred = "inferred",
        /// Neither: never "ok".
        Unknown = "unknown",
    }
}

/// One GPU as of the judged moment.
#[derive(Debug, Clone, PartialEq)]
pub struct GpuRow {
    /// Which.
    pub id: GpuId,
    /// The pod that holds it.
    pub pod: Option<String>,
    /// The product.
    pub product: Option<String>,
    /// Its last reading.
    pub sample: GpuSample,
    /// The moment of that reading.
    pub at: At,
    /// How much it proves.
    pub truth: Truth,
    /// What it says, in a few words: `clocks at max`, `clock held at 1.2 GHz by heat`.
    pub note: String,
    /// Whether that is a trouble.
    pub troubled: bool,
}

codes! {
    /// What kind of thing changed.
    ChangeKind {
        /// A process began again.
        Restart = "restart",
        /// A new revision, or an old one again.
        Rollout = "rollout",
        /// Replicas were added or taken away.
        Scale = "scale",
        /// The autoscaler changed its mind.
        Autoscaler = "autoscaler",
        /// A `ConfigMap` that gives flags was changed.
        Config = "config",
        /// A pod came, became Ready, failed or went.
        Pod = "pod",
        /// A node came, went or was cordoned.
        Node = "node",
        /// A GPU's clock, heat or memory.
        Gpu = "gpu",
        /// The objective broke, or the end of that.
        Onset = "onset",
        /// Requests, prompts or the cache changed by much.
        Traffic = "traffic",
    }
}

/// Something that changed in the time that was observed.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// When it happened, or was first seen.
    pub at: At,
    /// What kind.
    pub kind: ChangeKind,
    /// In words.
    pub summary: String,
}

/// Requests in the window; `None` where the engine does not count them.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Requests {
    /// Finished by the engine.
    pub finished: Option<f64>,
    /// Ended with a server error.
    pub errors: Option<f64>,
    /// Estimate of those whose clients gave up.
    pub abandoned: Option<f64>,
    /// Turned away by admission.
    pub rejected: Option<f64>,
}

/// One replica in the window.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplicaRow {
    /// The pod where known, else the endpoint, with the engine where a page has several.
    pub name: String,
    /// The part that it has in a disaggregated deployment.
    pub pool: Option<Pool>,
    /// The node.
    pub node: Option<String>,
    /// The revision.
    pub revision: Option<u64>,
    /// Whether Kubernetes calls it Ready.
    pub ready: Option<bool>,
    /// How far its start has come and since when, where it is starting.
    pub start: Option<(StartPhase, Option<At>)>,
    /// How long a start of this workload takes from the engine's start to Ready (s): median, and of how many.
    pub usual_load: Option<(f64, usize)>,
    /// Restarts of the engine's container.
    pub restarts: Option<u32>,
    /// Whether its pod is gone.
    pub gone: bool,
    /// Seconds since its last page.
    pub age_s: Option<f64>,
    /// Means in the window: queue, prefill, and gap between tokens (s).
    pub queue_mean: Option<f64>,
    /// See `queue_mean`.
    pub prefill_mean: Option<f64>,
    /// See `queue_mean`.
    pub itl_mean: Option<f64>,
    /// Mean time to first token (s).
    pub ttft_mean: Option<f64>,
    /// First tokens.
    pub count: Option<f64>,
    /// Last readings.
    pub waiting: Option<f64>,
    /// Running requests.
    pub running: Option<f64>,
    /// KV cache use (0–1).
    pub kv: Option<f64>,
}

/// One source as of the judged moment.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceRow {
    /// Its name.
    pub name: String,
    /// Its state.
    pub state: SourceState,
    /// Seconds since its last page.
    pub age_s: Option<f64>,
    /// What is wrong with it.
    pub error: Option<String>,
    /// How it is reached: `watch`, or the way to a pod's page; `None` where there is only one, or it is not known yet.
    pub via: Option<&'static str>,
    /// Why the ways that are tried before it are not used.
    pub instead_of: Option<String>,
    /// Along which objects it was found; `None`: it belongs to the workload, was named, or has the labels of a gateway.
    pub found: Option<String>,
    /// Samples on its last page.
    pub series: Option<usize>,
    /// Lines that were skipped on it.
    pub skipped: Option<usize>,
    /// Which families were used: (quantity, family).
    pub families: Vec<(&'static str, Arc<str>)>,
    /// What its pages cannot say, whatever is read of them.
    pub lacks: Vec<String>,
    /// Whether it is asked beside what is read: it has no pages whose age counts, and without it everything else stands.
    pub beside: bool,
}

/// What the window is compared with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Before {
    /// What it is.
    pub kind: BaselineKind,
    /// From when to when it was, where that is one stretch.
    pub between: Option<(At, At)>,
    /// First tokens in it, where those are measured.
    pub count: Option<f64>,
}

impl SourceRow {
    /// Whether it should be read and is not.
    pub fn is_missing(&self) -> bool {
        match self.state {
            SourceState::Live | SourceState::Absent => false,
            SourceState::Denied => !self.beside,
            SourceState::Connecting | SourceState::Stale | SourceState::Failed => true,
        }
    }
}
