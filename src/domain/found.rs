//! What serves models in a cluster, as it was found: what gave it away, how it stands, and who must be asked to change it.

use super::WorkloadRef;

/// An engine that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The workload that can be watched; `None` where only its owner was found.
    pub target: Option<WorkloadRef>,
    /// Its namespace.
    pub namespace: String,
    /// As `deploy/x`, or as `lws/x` where only the owner was found.
    pub name: String,
    /// Who controls it, as `Kind/name`; `None`: nobody.
    pub owner: Option<String>,
    /// Who else writes to it: `Helm`, `Argo CD`, `Flux`.
    pub managers: Vec<&'static str>,
    /// What gave it away: `image vllm/vllm-openai`, `args`, `label llm-d.ai/model`.
    pub evidence: Vec<String>,
    /// The model that it serves, by its flags.
    pub model: Option<String>,
    /// The engine's image.
    pub image: Option<String>,
    /// Replicas that are wanted; `None`: not said.
    pub desired: Option<u32>,
    /// Of those, Ready; `None`: not said.
    pub ready: Option<u32>,
    /// What is wrong with it, the worst first.
    pub troubles: Vec<Trouble>,
}

super::vocabulary::codes! {
    /// What Kubernetes says is wrong, the worst first.
    Trouble {
        /// Nothing of it is Ready.
        NothingReady = "nothing_ready",
        /// Its rollout makes no progress any more.
        RolloutStuck = "rollout_stuck",
        /// Fewer are Ready than are wanted.
        NotAllReady = "not_all_ready",
        /// A rollout is on its way.
        RollingOut = "rolling_out",
        /// Its rollouts are paused.
        Paused = "paused",
    }
}

impl Found {
    /// Its place in a list that begins with what is in most trouble.
    pub fn rank(&self) -> (usize, String, String) {
        let worst = self.troubles.first().and_then(|t| Trouble::ALL.iter().position(|known| known == t));
        (worst.unwrap_or(Trouble::ALL.len()), self.namespace.clone(), self.name.clone())
    }
}

/// Everything that was found, worst first, and what could not be looked at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Discovery {
    /// The context that was asked.
    pub context: String,
    /// The namespace; `None`: all of them.
    pub namespace: Option<String>,
    /// What was found.
    pub found: Vec<Found>,
    /// What could not be looked at, and why, in sentences.
    pub unseen: Vec<String>,
}
