//! The newest revision against the one before it, side by side at the same time: the one comparison that an innocent
//! deploy survives.

use super::Targets;
use super::cluster::{Cluster, revision_of};
use super::slo::over_budget;
use super::span::{Replica, Span};
use crate::domain::{At, Dist};

/// First tokens that each side needs.
const ENOUGH: f64 = 10.0;
/// This many times as slow is slower, and less is weather.
const SLOWER: f64 = 1.5;

/// This many times as many late tokens are more than the weather's.
const SEVERAL: f64 = 3.0;

/// One revision's replicas during the incident.
#[derive(Debug, Clone)]
pub(super) struct Side {
    pub(super) revision: u64,
    pub(super) span: Span,
    pub(super) replicas: usize,
    pub(super) ttft: f64,
    /// The share of its first tokens that was certainly late.
    pub(super) late: f64,
    pub(super) itl: Option<f64>,
}

/// Two revisions that serve at the same time.
#[derive(Debug, Clone)]
pub(super) struct Contrast {
    pub(super) old: Side,
    pub(super) new: Side,
    /// Whether the new one is worse, and the old one well.
    pub(super) worse: bool,
    /// Whether the old one is as bad: then the new one is not to blame.
    pub(super) alike: bool,
}

impl Contrast {
    pub(super) fn of(
        replicas: &[Replica<'_>],
        cluster: Option<&Cluster<'_>>,
        incident: (At, At),
        targets: Targets,
    ) -> Option<Self> {
        let mut numbers: Vec<u64> = replicas.iter().filter_map(|r| revision_of(r.endpoint, cluster)).collect();
        // An old revision that was brought back has the highest number and is the older one all the same.
        numbers.sort_by_key(|n| (cluster.and_then(|c| c.created(*n)), *n));
        numbers.dedup();
        let newest = *numbers.last()?;
        // Engines of two pools of a disaggregated deployment do not do the same.
        let its = |r: &&Replica<'_>| revision_of(r.endpoint, cluster) == Some(newest);
        let pool = replicas.iter().find(its).and_then(|r| r.pool);
        let side = |revision: u64| -> Option<Side> {
            let of: Vec<Replica<'_>> = replicas
                .iter()
                .copied()
                .filter(|r| revision_of(r.endpoint, cluster) == Some(revision) && r.pool == pool)
                .collect();
            let span = Span::between(&of, incident.0, incident.1)?;
            let ttft = span.dist(Dist::Ttft).filter(|h| h.count >= ENOUGH)?;
            let late = ttft.above(targets.ttft.seconds)?.at_least / ttft.count;
            let serving = |r: &&Replica<'_>| {
                Span::of_dist(std::slice::from_ref(*r), Dist::Ttft, incident.0, incident.1)
                    .is_some_and(|(_, h)| h.count > 0.0)
            };
            let (mean, itl) = (ttft.mean()?, span.mean(Dist::Itl));
            Some(Side { revision, replicas: of.iter().filter(serving).count(), ttft: mean, late, itl, span })
        };
        let new = side(newest)?;
        let old = numbers.iter().rev().skip(1).find_map(|n| side(*n))?;
        let more_late = |metric: Dist, target: f64| {
            let count = |s: &Side| Some((s.span.dist(metric)?.above(target)?.at_least, s.span.count(metric)));
            let ((bad, all), (old_bad, old_all)) = (count(&new)?, count(&old)?);
            // More than the other side's share, which is itself not known to the last event.
            Some(over_budget(bad, all, ((old_bad + 1.0) / (old_all + 1.0)).min(0.99)))
        };
        // Late tokens are few among many: where a step with a long prompt holds them up, their mean hardly moves.
        let late_share = |s: &Side| {
            let gaps = s.span.dist(Dist::Itl).filter(|h| h.count >= ENOUGH)?;
            Some(gaps.above(targets.tpot.seconds)?.at_least / gaps.count)
        };
        let held_up = late_share(&new)
            .zip(late_share(&old))
            .is_some_and(|(n, o)| n >= targets.tpot.budget() && n >= SEVERAL * o.max(1e-6));
        let slower_tokens = held_up || new.itl.zip(old.itl).is_some_and(|(n, o)| n >= SLOWER * o);
        let slower_first = new.ttft >= SLOWER * old.ttft;
        let worse = (slower_first && more_late(Dist::Ttft, targets.ttft.seconds) == Some(true))
            || (slower_tokens && more_late(Dist::Itl, targets.tpot.seconds) == Some(true));
        let alike = !worse && new.ttft < SLOWER * old.ttft && !slower_tokens;
        Some(Self { old, new, worse, alike })
    }
}
