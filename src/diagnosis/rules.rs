//! One small rule per mechanism and per cause.
//!
//! A rule reads the [`Facts`] and answers with a [`Finding`] or nothing. To add one: write `fn(&Facts, &Split) ->
//! Option<Finding>` in the file of its phase, name it in [`MECHANISMS`] or [`CAUSES`], say in `levers` what helps, and
//! tell a story of it in `tests`. A mechanism says where the seconds sit and is read off the quantities; a cause says why
//! and needs evidence of its own.

mod admission;
mod buffering;
mod causes;
mod decode;
mod deploy;
mod gateway;
mod gpu;
mod kv;
mod others;
mod outlier;
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
use super::{Finding, Metric, Subject};
use crate::domain::{Code, Confidence, Phase, RowStatus, Severity};

/// A rule.
pub(super) type Rule = fn(&Facts<'_>, &Split) -> Option<Finding>;

/// Where the seconds sit.
pub(super) const MECHANISMS: &[Rule] = &[
    stalled::engine_stalled,
    kv::kv_cache_pressure,
    queue::queue_saturation,
    transfer::kv_transfer_wait,
    admission::rejected,
    admission::abandoned,
    prefill::head_of_line,
    prefill::work_or_slowdown,
    decode::slower,
    rest::front_end_or_loop,
    gpu::mechanism,
    gateway::slow,
    gateway::failing,
    gateway::imbalance,
    buffering::gateway_buffering,
    rollout::crash_loop,
    rollout::cold_start,
    rollout::unschedulable,
    rollout::not_ready_but_ready,
];

/// Why, in the order of precedence.
pub(super) const CAUSES: &[Rule] = &[
    gpu::cause,
    deploy::regression,
    gateway::fault,
    rollout::image_pull,
    rollout::rollout_stuck,
    rollout::model_load_slow,
    rollout::placement_mismatch,
    outlier::replica_outlier,
    others::autoscaler_conflict,
    causes::traffic_surge,
    causes::prompt_length_shift,
    causes::capacity_loss,
    causes::prefix_cache_regression,
    causes::spec_decode_regression,
    causes::max_num_seqs_bound,
    rollout::autoscaler_wrong_signal,
    others::gitops_will_revert,
];

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
