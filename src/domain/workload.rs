//! What Kubernetes says of one workload: its declaration, its revisions, its pods, the nodes below and the autoscaler
//! above. Facts as they were read, cleaned; what they mean is the diagnosis' business.

use std::sync::Arc;

use serde_json::Value;

use super::At;
use super::HealthProbe;
use super::Pool;
use super::codes;
use super::{command_line, written};

codes! {
    /// What is scaled and rolled back, by its kind in Kubernetes.
    WorkloadKind {
        /// `apps/v1` Deployment.
        Deployment = "Deployment",
        /// `apps/v1` StatefulSet.
        StatefulSet = "StatefulSet",
    }
}

impl WorkloadKind {
    /// kubectl's short name, as in `deploy/x`.
    pub const fn short(self) -> &'static str {
        match self {
            Self::Deployment => "deploy",
            Self::StatefulSet => "sts",
        }
    }
}

/// Which workload of which cluster.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WorkloadRef {
    /// The kubeconfig's context.
    pub context: String,
    /// The namespace.
    pub namespace: String,
    /// The kind.
    pub kind: WorkloadKind,
    /// The name.
    pub name: String,
}

/// Everything that Kubernetes says of one workload. A whole replacement: each delivery stands for itself.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct ClusterFacts {
    /// The workload; `None` where it does not exist (any more).
    pub workload: Option<Workload>,
    /// Its revisions, oldest first, as far as the cluster keeps them.
    pub revisions: Vec<Revision>,
    /// Its pods, those being deleted included, oldest first.
    pub pods: Vec<Pod>,
    /// The nodes of its pods, and those with GPUs; `None` where they may not be read.
    pub nodes: Option<Vec<Node>>,
    /// What scales it; `None` where nothing does or that may not be read (then a watch says so).
    pub autoscaler: Option<Autoscaler>,
    /// Events about the workload, its revisions, pods and autoscaler, oldest first.
    pub events: Vec<ClusterEvent>,
    /// Who changed the `ConfigMaps` by which its flags are given, by their names.
    pub written: Vec<Written>,
}

/// The last change of a `ConfigMap`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Written {
    /// Its name.
    pub config_map: String,
    /// Who changed it: a field manager's name.
    pub by: String,
    /// When, to the second.
    pub at: At,
}

/// The declaration and the status of a workload.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Workload {
    /// Its identity: a workload of the same name that was created anew has another one.
    pub uid: String,
    /// When it was created.
    pub created: Option<At>,
    /// The generation that is wanted, and the one that its controller has seen.
    pub generation: i64,
    /// See `generation`.
    pub observed_generation: i64,
    /// Replicas that are wanted.
    pub desired: u32,
    /// Pods that exist, of any revision.
    pub existing: u32,
    /// Of those, of the newest revision.
    pub updated: u32,
    /// Of those, Ready.
    pub ready: u32,
    /// Of those, Ready for `minReadySeconds`.
    pub available: u32,
    /// Whether rollouts are paused.
    pub paused: bool,
    /// The revision that is wanted.
    pub revision: Option<u64>,
    /// What a pod of it is made from.
    pub template: Template,
    /// How pods are replaced.
    pub strategy: Strategy,
    /// How long a rollout may go without progress (s).
    pub progress_deadline_s: Option<u32>,
    /// Its conditions.
    pub conditions: Vec<Condition>,
    /// The object that controls it, as `Kind/name`.
    pub owner: Option<String>,
    /// Who else writes to it, by label and annotation: `Helm`, `Argo CD`, `Flux`.
    #[serde(deserialize_with = "written::managers")]
    pub managers: Vec<&'static str>,
    /// The template as the API server sent it, for what must not lose a field; null where it was not kept. It may hold
    /// secrets: it is sent back, and neither shown as it is nor written down with what was observed.
    #[serde(skip)]
    pub raw_template: RawTemplate,
    /// Whether it has any annotations: without them none can be added by path.
    pub annotated: bool,
    /// `minReadySeconds`: how long a pod must be Ready before it counts as available.
    pub min_ready_s: u32,
    /// Who last wrote how many replicas are wanted, and when, as the API server keeps it.
    pub scaled_by: Option<(String, At)>,
    /// Who last wrote the template, and when.
    pub template_by: Option<(String, At)>,
    /// A StatefulSet's `partition`: pods below this ordinal keep their revision.
    pub partition: u32,
    /// Whether a StatefulSet starts and replaces its pods one after the other (`OrderedReady`).
    pub ordered: bool,
}

impl Workload {
    /// When the rollout that is on its way counts as stuck unless it moves before: `progressDeadlineSeconds` after it last
    /// moved. `None` where none is on its way, it has no deadline, or already missed it.
    pub fn progress_deadline(&self) -> Option<At> {
        // Kubernetes' way to say that there is none.
        const NONE: u32 = i32::MAX as u32;
        let seconds = self.progress_deadline_s.filter(|s| *s != NONE && !self.paused)?;
        let progress = self.conditions.iter().find(|c| c.kind == "Progressing")?;
        let on_its_way = progress.status != Some(false) && progress.reason != "NewReplicaSetAvailable";
        progress.updated.filter(|_| on_its_way).map(|at| at.plus(f64::from(seconds)))
    }
}

/// A template as the API server sent it. It may hold secrets, so that it is compared and sent back, and never shown as it
/// is: not even to a developer.
#[derive(Clone, PartialEq, Default)]
pub struct RawTemplate(Arc<Value>);

impl From<Value> for RawTemplate {
    fn from(raw: Value) -> Self {
        Self(Arc::new(raw))
    }
}

impl std::ops::Deref for RawTemplate {
    type Target = Value;

    fn deref(&self) -> &Value {
        &self.0
    }
}

impl std::fmt::Debug for RawTemplate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_null() { "RawTemplate(none)" } else { "RawTemplate(kept)" })
    }
}

/// How pods are replaced. Numbers are as declared: `25%` or `1`.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// New ones come up while old ones serve.
    Rolling {
        /// How many more than wanted there may be.
        max_surge: String,
        /// How many fewer than wanted may be available.
        max_unavailable: String,
    },
    /// All old ones go before a new one comes: a full outage while models load.
    Recreate,
    /// Pods change only when somebody deletes them.
    OnDelete,
    /// Not said.
    #[default]
    Unknown,
}

/// A condition of an object.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Condition {
    /// Its type, such as `Progressing`.
    pub kind: String,
    /// True, false, or unknown.
    pub status: Option<bool>,
    /// The reason, a word.
    pub reason: String,
    /// The message, a sentence.
    pub message: String,
    /// Since when.
    pub since: Option<At>,
    /// When it was last written, the same status or not: what a rollout's deadline counts from.
    #[serde(default)]
    pub updated: Option<At>,
}

/// One revision: a ReplicaSet of a Deployment, or a ControllerRevision of a StatefulSet.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Revision {
    /// Its number, which grows: an old revision that is rolled out again gets a new one.
    pub number: u64,
    /// The numbers that it had before, oldest first, where its controller remembers them.
    pub was: Vec<u64>,
    /// The object's name.
    pub name: String,
    /// Its identity.
    pub uid: String,
    /// `pod-template-hash` or `controller-revision-hash`: by it pods belong to revisions.
    pub hash: Option<String>,
    /// When it was first created. An undo brings an old one back under a new number: see `rolled_out`.
    pub created: Option<At>,
    /// Pods that are wanted of it.
    pub desired: u32,
    /// Ready pods of it.
    pub ready: u32,
    /// What its pods are made from.
    pub template: Template,
    /// `kubernetes.io/change-cause`.
    pub change_cause: Option<String>,
    /// The template as the API server sent it; see [`Workload::raw_template`].
    #[serde(skip)]
    pub raw_template: RawTemplate,
}

/// What a pod is made from, as far as it matters to latency.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Template {
    /// Containers, the engine's first where it is known by its image, its GPUs or its arguments.
    pub containers: Vec<Container>,
    /// `nodeSelector`, sorted.
    pub node_selector: Vec<(String, String)>,
    /// Annotations of the template, sorted.
    pub annotations: Vec<(String, String)>,
    /// What gives it flags and could not be read, in words; what was read stands among the arguments and variables.
    pub unknown: Vec<String>,
}

/// A container of a template.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// Its image.
    pub image: String,
    /// `command` and `args`, in this order.
    pub args: Vec<String>,
    /// Environment variables with literal values, sorted; secrets are references and never stand here.
    pub env: Vec<(String, String)>,
    /// GPUs that it asks for.
    pub gpus: u32,
    /// Its ports: name and number.
    pub ports: Vec<(String, u16)>,
    /// By what Kubernetes calls it Ready.
    #[serde(default)]
    pub readiness: Option<HealthProbe>,
    /// What it must pass first while it starts.
    #[serde(default)]
    pub startup: Option<HealthProbe>,
    /// By what Kubernetes restarts it.
    #[serde(default)]
    pub liveness: Option<HealthProbe>,
}

/// One thing in which two templates differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateChange {
    /// What: `--max-num-seqs`, `image`, `env X`, `gpus`, `annotation x`.
    pub what: String,
    /// Before; `None`: it was not there.
    pub from: Option<String>,
    /// After; `None`: it is gone.
    pub to: Option<String>,
}

codes! {
    /// How far a pod's start has come.
    StartPhase {
        /// No node was chosen yet.
        Schedule = "schedule",
        /// Its images are pulled, its sandbox and volumes made.
        Pull = "pull",
        /// Init containers run, which may download the model.
        Init = "init",
        /// The engine's process runs and is not Ready: it loads its model and warms up.
        Load = "load",
    }
}

/// One pod.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Pod {
    /// Its name.
    pub name: String,
    /// Its identity.
    pub uid: String,
    /// Its node, once chosen.
    pub node: Option<String>,
    /// Its address.
    pub ip: Option<String>,
    /// The revision it belongs to.
    pub revision: Option<u64>,
    /// `status.phase`: `Pending`, `Running`, `Succeeded`, `Failed`, `Unknown`.
    pub phase: String,
    /// Whether Kubernetes calls it Ready.
    pub ready: bool,
    /// When it was created.
    pub created: Option<At>,
    /// When a node was chosen.
    pub scheduled: Option<At>,
    /// When its init containers were done.
    pub initialized: Option<At>,
    /// When the first of its init containers began; `None` where it has none, or that is not known.
    pub init_began: Option<At>,
    /// How the engine's image came onto the node, where events still tell.
    pub pull: Option<Pull>,
    /// Since when the engine's container runs: its last start.
    pub started: Option<At>,
    /// Since when it is Ready: the latest transition.
    pub ready_since: Option<At>,
    /// How often the engine's container was restarted.
    pub restarts: u32,
    /// Why a container waits: `ImagePullBackOff`, `CrashLoopBackOff`, `ContainerCreating`.
    pub waiting: Option<String>,
    /// Why no node takes it, as the scheduler says.
    pub unschedulable: Option<String>,
    /// How the engine's container last ended: reason and exit code.
    pub last_exit: Option<(String, i32)>,
    /// Since when it is being deleted.
    pub deleting: Option<At>,
    /// GPUs that it asks for.
    pub gpus: u32,
    /// The port of its metrics page, where it is known.
    pub metrics_port: Option<u16>,
    /// The part that it has in a disaggregated deployment, as its labels, flags or name say.
    pub pool: Option<Pool>,
}

impl Pod {
    /// How far its start has come, and since when it stands there; `None` once it is Ready, or ended.
    pub fn start(&self) -> Option<(StartPhase, Option<At>)> {
        if self.ready || self.deleting.is_some() || matches!(self.phase.as_str(), "Succeeded" | "Failed") {
            return None;
        }
        Some(match (self.scheduled, self.started) {
            (_, Some(started)) => (StartPhase::Load, Some(started)),
            (None, None) => (StartPhase::Schedule, self.created),
            (Some(_), None) if self.initialized.is_some() => (StartPhase::Pull, self.initialized),
            (Some(scheduled), None) if self.waiting.as_deref() == Some("PodInitializing") => {
                (StartPhase::Init, Some(scheduled))
            }
            (Some(scheduled), None) => (StartPhase::Pull, Some(scheduled)),
        })
    }

    /// Seconds from the engine's start to Ready: the model's load time. `None` where it is not Ready, or where it was
    /// restarted or flapped so that the two do not belong together.
    pub fn load_s(&self) -> Option<f64> {
        let (started, ready) = (self.started?, self.ready_since?);
        (self.ready && self.restarts == 0).then(|| ready.since(started)).filter(|s| *s >= 0.0)
    }
}

/// How an image came onto a node, as the kubelet's events tell it. They are kept for an hour, and may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Pull {
    /// When it was first pulled for this pod.
    pub from: Option<At>,
    /// When it was there.
    pub to: Option<At>,
    /// How long that took (s), waiting for other pulls included: the kubelet's own word, to the millisecond.
    pub took_s: Option<f64>,
    /// Whether it was on the node already.
    pub cached: bool,
    /// Attempts to pull it.
    pub tries: u32,
}

/// One node.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Whether it is Ready; `None`: not known.
    pub ready: Option<bool>,
    /// Whether it is cordoned.
    pub cordoned: bool,
    /// GPUs that pods may have there.
    pub gpus: u32,
    /// GPUs that its pods have asked for; `None` where the pods of other namespaces may not be read.
    pub gpus_taken: Option<u32>,
    /// What kind of GPU, from the node's labels.
    pub gpu_product: Option<String>,
    /// Conditions that are not as they should be.
    pub troubles: Vec<Condition>,
    /// Its identity.
    pub uid: String,
    /// Its labels, sorted: by them a template's selector chooses.
    pub labels: Vec<(String, String)>,
    /// Its taints.
    pub taints: Vec<Taint>,
}

/// What keeps pods away that do not tolerate it.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Taint {
    /// The key.
    pub key: String,
    /// The value, often empty.
    pub value: String,
    /// `NoSchedule`, `PreferNoSchedule`, `NoExecute`.
    pub effect: String,
}

/// What scales a workload.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Autoscaler {
    /// Its kind: `HorizontalPodAutoscaler`, `ScaledObject`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// The fewest replicas it goes down to.
    pub min: u32,
    /// The most replicas it goes up to.
    pub max: u32,
    /// Replicas as it last saw them.
    pub current: u32,
    /// Replicas that it wants.
    pub desired: u32,
    /// What it looks at, in words: `cpu 80%`, `vllm:num_requests_waiting 10`.
    pub metrics: Vec<String>,
    /// When it last changed anything.
    pub last_scaled: Option<At>,
    /// Its conditions.
    pub conditions: Vec<Condition>,
    /// The identity of the object named here.
    pub uid: String,
    /// `minReplicas` as declared; `None`: it is left to its default of 1.
    pub declared_min: Option<u32>,
    /// Whether its policy forbids it to take replicas away.
    pub keeps_replicas: bool,
}

/// An event, as Kubernetes tells it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ClusterEvent {
    /// When it last happened.
    pub at: At,
    /// When it first happened.
    pub first: At,
    /// What it is about: kind and name.
    pub about: (String, String),
    /// The reason, a word.
    pub reason: String,
    /// The message.
    pub message: String,
    /// How often.
    pub count: u32,
    /// Whether it is a warning.
    pub warning: bool,
}

impl ClusterEvent {
    /// The reasons of a pod that somebody took away: the kubelet of a full node, the scheduler for a pod that comes first,
    /// and a node's taint. A drain leaves no event of its own.
    pub const EVICTIONS: [&'static str; 3] = ["Evicted", "Preempted", "TaintManagerEviction"];
}

impl Template {
    /// The engine's container.
    pub fn engine(&self) -> Option<&Container> {
        self.containers.first()
    }

    /// What is different in `later`, engine flags first; annotations last.
    pub fn changes(&self, later: &Self) -> Vec<TemplateChange> {
        let (none, mut changes) = (Container::default(), Vec::new());
        let (old, new) = (self.engine().unwrap_or(&none), later.engine().unwrap_or(&none));
        differences(&mut changes, "", &old.flags(), &new.flags());
        let gpus = |c: &Container| vec![("gpus".to_owned(), c.gpus.to_string())];
        let image = |c: &Container| vec![("image".to_owned(), c.image.clone())];
        differences(&mut changes, "", &image(old), &image(new));
        differences(&mut changes, "env ", &old.env, &new.env);
        differences(&mut changes, "", &gpus(old), &gpus(new));
        differences(&mut changes, "", &old.probes(), &new.probes());
        differences(&mut changes, "node selector ", &self.node_selector, &later.node_selector);
        let images = |t: &Self| -> Vec<(String, String)> {
            t.containers.iter().skip(1).map(|c| (format!("image of {}", c.name), c.image.clone())).collect()
        };
        differences(&mut changes, "", &images(self), &images(later));
        differences(&mut changes, "annotation ", &self.annotations, &later.annotations);
        changes
    }
}

impl Container {
    /// How it is asked, by what for.
    fn probes(&self) -> Vec<(String, String)> {
        let all = [("startup probe", &self.startup), ("readiness probe", &self.readiness)];
        let all = all.into_iter().chain([("liveness probe", &self.liveness)]);
        all.filter_map(|(name, probe)| Some((name.to_owned(), probe.as_ref()?.to_string()))).collect()
    }

    /// Its flags: `--name value`, `--name=value` and `--name` alone (then the value is empty), in order of appearance.
    /// What is no flag stands under `argument`, joined. A shell's script is taken apart, and literal variables filled in.
    pub fn flags(&self) -> Vec<(String, String)> {
        let words = command_line::words(&self.args, &self.env);
        let mut flags: Vec<(String, String)> = Vec::new();
        let mut rest: Vec<&str> = Vec::new();
        let mut open = false;
        for arg in &words {
            if let Some((name, value)) = arg.split_once('=').filter(|_| arg.starts_with("--")) {
                flags.push((name.to_owned(), value.to_owned()));
                open = false;
            } else if arg.starts_with("--") {
                flags.push((arg.clone(), String::new()));
                open = true;
            } else if let Some(last) = flags.last_mut().filter(|_| open) {
                last.1.clone_from(arg);
                open = false;
            } else {
                rest.push(arg);
            }
        }
        if !rest.is_empty() {
            flags.push(("argument".to_owned(), rest.join(" ")));
        }
        flags
    }

    /// The value of a flag, `_` and `-` being the same in names (vLLM takes both).
    pub fn flag(&self, name: &str) -> Option<String> {
        let plain = |n: &str| n.trim_start_matches('-').replace('_', "-");
        self.flags().into_iter().rev().find(|(n, _)| plain(n) == plain(name)).map(|(_, value)| value)
    }
}

fn differences(into: &mut Vec<TemplateChange>, prefix: &str, old: &[(String, String)], new: &[(String, String)]) {
    let value = |of: &[(String, String)], name: &str| of.iter().rev().find(|(n, _)| n == name).map(|(_, v)| v.clone());
    let mut names: Vec<&String> = Vec::new();
    for (name, _) in old.iter().chain(new) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    for name in names {
        let (from, to) = (value(old, name), value(new, name));
        if from != to {
            into.push(TemplateChange { what: format!("{prefix}{name}"), from, to });
        }
    }
}

impl std::fmt::Display for TemplateChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.from, &self.to) {
            (Some(from), Some(to)) => write!(f, "{} {from} -> {to}", self.what),
            (None, Some(to)) if to.is_empty() => write!(f, "{} added", self.what),
            (None, Some(to)) => write!(f, "{} {to} added", self.what),
            (Some(from), None) if from.is_empty() => write!(f, "{} removed", self.what),
            (Some(from), None) => write!(f, "{} {from} removed", self.what),
            (None, None) => f.write_str(&self.what),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(args: &[&str]) -> Template {
        let args = args.iter().map(|a| (*a).to_owned()).collect();
        let engine = Container { name: "vllm".into(), image: "vllm:0.32".into(), args, ..Container::default() };
        Template { containers: vec![engine], ..Template::default() }
    }

    #[test]
    fn flags_are_read_in_both_spellings() {
        let engine =
            &template(&["serve", "m", "--max-num-seqs=512", "--port", "8000", "--enforce-eager"]).containers[0];
        assert_eq!(engine.flag("max_num_seqs").as_deref(), Some("512"));
        assert_eq!(engine.flag("--port").as_deref(), Some("8000"));
        assert_eq!(engine.flag("enforce-eager").as_deref(), Some(""));
        assert_eq!(engine.flag("argument").as_deref(), Some("serve m"));
        assert_eq!(engine.flag("tensor-parallel-size"), None);
    }

    #[test]
    fn two_templates_differ_in_what_was_changed_and_in_nothing_else() {
        let (old, new) = (template(&["--max-num-seqs", "256"]), template(&["--max-num-seqs=512", "--enforce-eager"]));
        let changes: Vec<String> = old.changes(&new).iter().map(ToString::to_string).collect();
        assert_eq!(changes, ["--max-num-seqs 256 -> 512", "--enforce-eager added"]);
        assert!(new.changes(&new).is_empty());
    }

    #[test]
    fn a_pod_says_how_far_it_has_come() {
        let mut pod = Pod { created: Some(At(0)), phase: "Pending".into(), ..Pod::default() };
        assert_eq!(pod.start(), Some((StartPhase::Schedule, Some(At(0)))));
        pod.scheduled = Some(At(1_000));
        assert_eq!(pod.start(), Some((StartPhase::Pull, Some(At(1_000)))));
        pod.started = Some(At(30_000));
        assert_eq!((pod.start(), pod.load_s()), (Some((StartPhase::Load, Some(At(30_000)))), None));
        (pod.ready, pod.ready_since) = (true, Some(At(330_000)));
        assert_eq!((pod.start(), pod.load_s()), (None, Some(300.0)));
    }
}
