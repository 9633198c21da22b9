//! One small rule per mechanism and per cause.
//!
//! A rule reads the [`Facts`] and answers with a [`Finding`] or nothing. To add one: write `fn(&Facts, &Split) ->
//! Option<Finding>` in the file of its phase, name it in [`MECHANISMS`] or [`CAUSES`], say in `levers` what helps, and
//! tell a story of it in `tests`. Beside it stands whom it is asked about where prompts and tokens are made by two pools. A
//! mechanism says where the seconds sit and is read off the quantities; a cause says why and needs evidence of its own.

mod admission;
mod buffering;
mod causes;
mod decode;
mod deploy;
mod drift;
mod gateway;
mod gpu;
mod kv;
mod others;
mod outlier;
mod placement;
mod prefill;
mod queue;
mod rest;
mod rollout;
mod split;
mod stalled;
mod transfer;

pub(super) use deploy::acquitted;
pub use deploy::{Touches, touches};
pub(super) use split::Split;
pub(super) use stalled::worst as stalled_worst;

use super::facts::Facts;
use super::pools::Pools;
use super::{Finding, Metric, Subject};
use crate::domain::{Cause, Code, Confidence, Phase, Pool, RowStatus, Severity};

/// A rule.
pub(super) type Rule = fn(&Facts<'_>, &Split) -> Option<Finding>;

/// Of a disaggregated deployment: whom a rule is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum About {
    /// Everybody at once.
    All,
    /// Each pool by itself: engines of two pools are no peers, and what one of them is full of the other may have room for.
    Each,
    /// Those that compute prompts.
    Prompts,
    /// Those that produce tokens.
    Tokens,
}
use About::{All, Each, Prompts, Tokens};

/// Where the seconds sit.
const MECHANISMS: &[(About, Rule)] = &[
    (All, stalled::engine_stalled),
    (Each, kv::kv_cache_pressure),
    (Each, queue::queue_saturation),
    (All, transfer::kv_transfer_wait),
    (All, admission::rejected),
    (All, admission::abandoned),
    (Prompts, prefill::head_of_line),
    (Prompts, prefill::work_or_slowdown),
    (Tokens, decode::slower),
    (Prompts, rest::front_end_or_loop),
    (Each, gpu::mechanism),
    (All, gateway::slow),
    (All, gateway::failing),
    (Each, gateway::imbalance),
    (All, buffering::gateway_buffering),
    (All, rollout::crash_loop),
    (All, rollout::cold_start),
    (All, rollout::unschedulable),
    (All, rollout::not_ready_but_ready),
];

/// Why, in the order of precedence.
const CAUSES: &[(About, Rule)] = &[
    (Each, gpu::cause),
    (All, deploy::regression),
    (All, gateway::fault),
    (All, rollout::image_pull),
    (All, rollout::rollout_stuck),
    (All, rollout::model_load_slow),
    (Each, placement::placement_mismatch),
    (Each, drift::config_drift),
    (Each, outlier::replica_outlier),
    (All, others::autoscaler_conflict),
    (All, rollout::autoscaler_took_away),
    (All, causes::traffic_surge),
    (Prompts, causes::prompt_length_shift),
    (Each, causes::capacity_loss),
    (Prompts, causes::prefix_cache_regression),
    (Tokens, causes::spec_decode_regression),
    (Each, causes::max_num_seqs_bound),
    (All, rollout::autoscaler_wrong_signal),
    (All, others::gitops_will_revert),
];

/// What all rules find. Of one code that is found in both pools, the one with more seconds comes first.
pub(super) fn findings(facts: &Facts<'_>, split: &Split) -> Vec<Finding> {
    let mut all = Vec::new();
    for (about, rule) in MECHANISMS.iter().chain(CAUSES) {
        match &facts.pools {
            Some(pools) if *about != All => all.extend(of_pools(pools, *about, *rule, split)),
            _ => all.extend(rule(facts, split)),
        }
    }
    // A rollout is that of the judged workload, and what it can have made slower is its own pool.
    let rollout = |f: &&mut Finding| f.code == Code::Cause(Cause::DeployRegression);
    if let (Some(pool), Some(found)) = (facts.own_pool(), all.iter_mut().find(rollout)) {
        found.subject.pool = Some(pool);
    }
    all
}

/// What a rule finds in the pools that it is about, each named.
fn of_pools(pools: &Pools<'_>, about: About, rule: Rule, whole: &Split) -> Vec<Finding> {
    let asked = |pool| match about {
        All => false,
        Each => true,
        Prompts => pool == Pool::Prefill,
        Tokens => pool == Pool::Decode,
    };
    let mut found: Vec<Finding> = pools
        .iter()
        .filter(|(pool, _)| asked(*pool))
        .filter_map(|(pool, facts)| {
            let mut found = rule(facts, &Split::of_part(facts, whole))?;
            found.subject.pool = Some(pool);
            found.summary = format!("in the {pool} pool {}", found.summary);
            Some(found)
        })
        .collect();
    found.sort_by(|a, b| b.explains_s.total_cmp(&a.explains_s));
    found
}

/// A finding with the severity that the objective's state gives it, and nothing in it yet.
fn finding(facts: &Facts<'_>, code: Code, phase: Phase, summary: String) -> Finding {
    let broken = |m| facts.status(m) == RowStatus::Breach;
    let metric_broken = if phase == Phase::Decode { broken(Metric::Tpot) } else { broken(Metric::Ttft) };
    Finding {
        code,
        phase,
        subject: Subject::default(),
        severity: if metric_broken || facts.waiting_late >= 1.0 { Severity::Critical } else { Severity::Warning },
        confidence: Confidence::Medium,
        summary,
        evidence: Vec::new(),
        surer: None,
        levers: Vec::new(),
        explains_s: 0.0,
    }
}

/// How sure a share of the seconds makes: all witnesses at hand and most of the seconds is high.
fn confidence(share: f64, witnesses: u32) -> Confidence {
    match (share, witnesses) {
        (s, w) if s >= 0.6 && w >= 2 => Confidence::High,
        (s, w) if s >= 0.25 && w >= 1 => Confidence::Medium,
        _ => Confidence::Low,
    }
}
