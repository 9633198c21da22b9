//! What really became of requests and where their time went: kept by the model for whoever scores a diagnosis against the
//! truth. No page carries any of it, so that no rule can read it.

use std::ops::{Add, AddAssign, Sub};

/// Counts and request-seconds since the beginning. A request's second is booked when it passes, and not when the request
/// ends, so that a backlog shows in it at once.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Ledger {
    /// Requests that clients sent.
    pub arrived: f64,
    /// First tokens that clients saw, and how many of them came later than was promised.
    pub first_tokens: f64,
    /// See `first_tokens`.
    pub late: f64,
    /// Requests without a first token that wait for longer than was promised: a level, and no count.
    pub late_now: f64,
    /// Gaps between tokens, and how many of them were longer than was promised.
    pub gaps: f64,
    /// See `gaps`.
    pub slow_gaps: f64,
    /// Requests that ended in an error, and requests whose clients gave up.
    pub failed: f64,
    /// See `failed`.
    pub given_up: f64,
    /// Of those that failed, how many an engine turned away.
    pub refused: f64,
    /// Seconds in the gateway, before a replica had the request.
    pub gateway_s: f64,
    /// Seconds in an engine's API server, before its core could take the request in.
    pub front_s: f64,
    /// Seconds until its core did: it was inside a step.
    pub loop_s: f64,
    /// Seconds in the queue while slots were short.
    pub slots_s: f64,
    /// Seconds in the queue while a step had no room for more tokens.
    pub tokens_s: f64,
    /// Seconds in the queue while blocks of the KV cache were short.
    pub blocks_s: f64,
    /// Seconds until the KV cache of a prompt had come from the engine that computed it.
    pub transfer_s: f64,
    /// Seconds from the first step to the first token.
    pub prefill_s: f64,
    /// Seconds from the first token to the last.
    pub decode_s: f64,
    /// Prompt tokens that were computed.
    pub computed: f64,
    /// Sequences that were pushed out of the batch for want of blocks.
    pub preempted: f64,
}

impl Ledger {
    fn with(self, other: Self, f: impl Fn(f64, f64) -> f64) -> Self {
        Self {
            arrived: f(self.arrived, other.arrived),
            first_tokens: f(self.first_tokens, other.first_tokens),
            late: f(self.late, other.late),
            late_now: f(self.late_now, other.late_now),
            gaps: f(self.gaps, other.gaps),
            slow_gaps: f(self.slow_gaps, other.slow_gaps),
            failed: f(self.failed, other.failed),
            given_up: f(self.given_up, other.given_up),
            refused: f(self.refused, other.refused),
            gateway_s: f(self.gateway_s, other.gateway_s),
            front_s: f(self.front_s, other.front_s),
            loop_s: f(self.loop_s, other.loop_s),
            tokens_s: f(self.tokens_s, other.tokens_s),
            slots_s: f(self.slots_s, other.slots_s),
            blocks_s: f(self.blocks_s, other.blocks_s),
            transfer_s: f(self.transfer_s, other.transfer_s),
            prefill_s: f(self.prefill_s, other.prefill_s),
            decode_s: f(self.decode_s, other.decode_s),
            computed: f(self.computed, other.computed),
            preempted: f(self.preempted, other.preempted),
        }
    }
}

impl Add for Ledger {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        self.with(other, |a, b| a + b)
    }
}

impl AddAssign for Ledger {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

/// What came between two moments; the level is that of the later one.
impl Sub for Ledger {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self { late_now: self.late_now, ..self.with(earlier, |a, b| a - b) }
    }
}
