//! Disaggregated serving: prompts are computed on some engines, tokens are produced on others, and a request's KV cache goes
//! from the one to the other. Each pool is judged by what it does; what users wait for is the sum of both.
//!
//! vLLM's decoders count a request from the moment at which its prefill was done, SGLang's from the moment at which it came,
//! and its prefillers count no first token at all: whichever it is, the sums of both pools over the first tokens of the
//! decoders are what a request waited.

use super::facts::Facts;
use super::span::Replica;
use crate::domain::{ClusterFacts, Dist, Endpoint, Pool, Total};

/// Which pools are among some replicas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mix {
    /// Whether any of them is known to have a part.
    split: bool,
    /// Whether any of them produces tokens for users: decoders, and those that do everything.
    tokens: bool,
}

/// Whose word counts for a quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// This engine tells of it.
    Whole,
    /// This engine tells the first part of it, and others the second.
    First,
    /// It is not this engine's.
    Not,
}

/// Which engines do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    /// Those that compute prompts.
    Prompts,
    /// Those that produce tokens.
    Tokens,
    /// Each for itself.
    All,
}

impl Mix {
    pub(super) fn of(replicas: &[Replica<'_>]) -> Self {
        let split = replicas.iter().any(|r| r.pool.is_some());
        Self { split, tokens: replicas.iter().any(|r| r.pool != Some(Pool::Prefill)) }
    }

    /// Whether an engine of this pool tells of a total.
    pub(super) fn of_total(self, total: Total, pool: Option<Pool>) -> bool {
        let side = match total {
            Total::PromptTokens
            | Total::PromptTokensCached
            | Total::CacheQueries
            | Total::CacheHits
            | Total::PrefillSeconds => Side::Prompts,
            Total::GenerationTokens
            | Total::LiveTokens
            | Total::Finished
            | Total::HttpFinished
            | Total::DecodeSeconds
            | Total::DraftTokens
            | Total::AcceptedTokens => Side::Tokens,
            _ => Side::All,
        };
        self.counts(side, pool)
    }

    /// What an engine of this pool tells of a distribution.
    pub(super) fn of_dist(self, dist: Dist, pool: Option<Pool>) -> Told {
        let side = match dist {
            Dist::Ttft | Dist::Queue if self.split && self.tokens && pool == Some(Pool::Prefill) => return Told::First,
            // What a decoder calls prefill is one step, in which it takes a prompt over that others have computed.
            Dist::Prefill | Dist::PromptLength => Side::Prompts,
            // A prefiller makes one token, so that there is no gap between two of them, and its requests end with it.
            Dist::Itl | Dist::Tpot | Dist::E2e | Dist::Decode | Dist::OutputLength => Side::Tokens,
            _ => Side::All,
        };
        if self.counts(side, pool) { Told::Whole } else { Told::Not }
    }

    /// Whether all of them compute prompts for others.
    pub(super) fn prompts_only(self) -> bool {
        self.split && !self.tokens
    }

    /// Whether first tokens are told in two parts.
    pub(super) fn is_joint(self) -> bool {
        self.split && self.tokens
    }

    /// Whether the tokens of an engine of this pool are users'.
    pub(super) fn tells_tokens(self, pool: Option<Pool>) -> bool {
        self.counts(Side::Tokens, pool)
    }

    fn counts(self, side: Side, pool: Option<Pool>) -> bool {
        match (side, pool) {
            (Side::Prompts, Some(Pool::Decode)) => false,
            // Where nobody else was read, the prefillers' own requests are all there are.
            (Side::Tokens, Some(Pool::Prefill)) => !self.tokens,
            _ => true,
        }
    }
}

/// The part that a replica has: by its own page, else by its declaration.
pub(super) fn pool_of(endpoint: &Endpoint, own: Option<Pool>, facts: Option<&ClusterFacts>) -> Option<Pool> {
    let placed = || endpoint.placements.iter().rev().find_map(|p| p.pool);
    let declared = || {
        let name = super::cluster::pod_name(endpoint);
        facts?.pods.iter().find(|p| p.name == name)?.pool
    };
    own.or_else(placed).or_else(declared)
}

/// The two pools of a deployment that has them, each with the facts about it alone.
#[derive(Debug, Clone)]
pub(super) struct Pools<'a> {
    /// Those that compute prompts; none where none of them is read.
    pub(super) prefill: Option<Facts<'a>>,
    /// Those that produce tokens; none where none of them is read.
    pub(super) decode: Option<Facts<'a>>,
}

impl<'a> Pools<'a> {
    /// The pools of a fleet; nothing where no engine is known to have a part.
    pub(super) fn of(facts: &Facts<'a>) -> Option<Self> {
        let any = |pool| facts.engines().any(|r| r.pool == Some(pool));
        let (prefill, decode) = (any(Pool::Prefill), any(Pool::Decode));
        // Where one pool is known, whoever is not of it does the other part or everything: either way it is judged apart.
        let of = |pool: Pool, there: bool| there.then(|| facts.part(pool));
        let pools = Self {
            prefill: of(Pool::Prefill, prefill),
            decode: of(Pool::Decode, decode || (prefill && facts.engines().any(|r| r.pool.is_none()))),
        };
        (prefill || decode).then_some(pools)
    }

    /// One of them.
    pub(super) fn get(&self, pool: Pool) -> Option<&Facts<'a>> {
        match pool {
            Pool::Prefill => self.prefill.as_ref(),
            Pool::Decode => self.decode.as_ref(),
        }
    }

    /// Those that are read.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Pool, &Facts<'a>)> {
        Pool::ALL.iter().filter_map(|pool| Some((*pool, self.get(*pool)?)))
    }
}

impl Facts<'_> {
    /// The part of the judged workload itself, where all of its pods have the same one.
    pub(super) fn own_pool(&self) -> Option<Pool> {
        let pods = &self.cluster.as_ref()?.facts.pods;
        let first = pods.first()?.pool?;
        pods.iter().all(|p| p.pool == Some(first)).then_some(first)
    }

    /// How a pool is called: by its workload, where that is another one than the judged one.
    pub(super) fn pool_called(&self, pool: Pool) -> String {
        let own = || self.engines().filter(|r| belongs(r, pool));
        let workload = own().find_map(|r| r.endpoint.placements.iter().rev().find_map(|p| p.workload.clone()));
        workload.map_or_else(|| format!("the {pool} pool"), |workload| format!("the {pool} pool ({workload})"))
    }
}

/// Whether a replica belongs to a pool's part: of the decoders' are those too of which nothing is known.
pub(super) fn belongs(replica: &Replica<'_>, pool: Pool) -> bool {
    (replica.pool == Some(Pool::Prefill)) == (pool == Pool::Prefill)
}
