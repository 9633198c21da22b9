//! The seconds of the incident, by phase.

use crate::diagnosis::facts::Facts;
use crate::domain::Dist;

/// Request-seconds that the incident added, and where they were spent. Ranks findings; nothing here is shown as a mean.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::diagnosis) struct Split {
    /// First tokens.
    pub(in crate::diagnosis) first_tokens: f64,
    /// Seconds until them, beyond what the baseline would have taken.
    pub(in crate::diagnosis) added: f64,
    /// Of the queue: by its histogram, or by the integral of the waiting gauge, whichever knows more. The integral is
    /// every second that anybody waited, in whatever cohort, so that it leads where the histogram lags.
    pub(in crate::diagnosis) queue: f64,
    /// The integral of the waiting gauge alone.
    pub(in crate::diagnosis) waited: f64,
    /// Of the prompts.
    pub(in crate::diagnosis) prefill: f64,
    /// Of neither; zero where the split is not settled, for then it is another cohort and no time.
    pub(in crate::diagnosis) rest: f64,
    /// Whether first tokens and finished requests are the same requests, and nobody waits.
    pub(in crate::diagnosis) settled: bool,
    /// Of one pool: the seconds of both. Shares are of them.
    pub(in crate::diagnosis) of_both: f64,
}

impl Split {
    pub(in crate::diagnosis) fn of(facts: &Facts<'_>) -> Self {
        let during = &facts.during;
        let before = facts.baseline.as_ref().map(|b| &b.span);
        let first_tokens = during.requests();
        let mean_before = before.and_then(|b| b.mean(Dist::Ttft)).unwrap_or(0.0);
        let added = (during.sum(Dist::Ttft) - during.count(Dist::Ttft) * mean_before).max(0.0);
        let over = |dist| {
            let now = facts.phase_mean(during, dist)?;
            let before = before.and_then(|b| facts.phase_mean(b, dist)).unwrap_or(0.0);
            Some(((now - before) * first_tokens).max(0.0))
        };
        let waited = facts.waiting.map_or(0.0, |w| w.integral);
        let in_queue = over(Dist::Queue).unwrap_or(0.0);
        let prefill = over(Dist::Prefill).unwrap_or(0.0);
        let waiting_now = facts.waiting.map_or(0.0, |w| w.last);
        let settled = facts.lag(during, waiting_now).is_none();
        // What was seen waiting is no riddle, whichever of gauge and histogram knows more of it.
        let rest = if settled { (added - in_queue.max(waited) - prefill).max(0.0) } else { 0.0 };
        Self { first_tokens, added, queue: in_queue.max(waited), waited, prefill, rest, settled, of_both: 0.0 }
    }

    /// The same of one pool, beside the seconds of the whole: users wait for both.
    pub(in crate::diagnosis) fn of_part(part: &Facts<'_>, whole: &Self) -> Self {
        let own = Self::of(part);
        // What a decoder did not queue for may have been spent in the other pool.
        let computes = part.during.dist(Dist::Prefill).is_some();
        Self { rest: if computes { own.rest } else { 0.0 }, of_both: whole.whole(), ..own }
    }

    /// All seconds: those of requests that got a first token, or those that were waited, whichever is more.
    pub(in crate::diagnosis) fn whole(&self) -> f64 {
        self.own().max(self.of_both)
    }

    /// Of one pool, its own seconds.
    pub(in crate::diagnosis) fn own(&self) -> f64 {
        self.added.max(self.queue + self.prefill).max(1e-9)
    }
}
