//! How fast the error budget burns: windows in pairs, as the SRE workbook has them. A pair fires where both of its windows
//! are known to burn faster than its factor; what was not observed for long enough is unknown, and no traffic is no data.
//!
//! Source: sre.google/workbook/alerting-on-slos, table 5-8 and its example rules; sloth's windows for 28 days; pyrra.

use super::slo::SloRow;
use super::span::{Replica, Span};
use super::{BurnPreset, Targets};
use crate::domain::{At, Dist, Snapshot};

/// A window counts as observed from nine tenths on.
const OBSERVED: f64 = 0.9;

/// A pair of windows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tier {
    /// The short window (s): it ends the alert soon after the trouble.
    pub short_s: f64,
    /// The long one (s): it says that the budget is in danger.
    pub long_s: f64,
    /// The burn rate above which it fires.
    pub factor: f64,
    /// Whether it wakes somebody up; else it opens a ticket.
    pub pages: bool,
}

/// How a pair stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TierState {
    /// Which.
    pub tier: Tier,
    /// Whether it fires; `None`: not observed for long enough.
    pub fires: Option<bool>,
    /// Whether it could ever fire at this objective: a burn rate cannot be above 1 over the budget.
    pub reachable: bool,
}

/// The burn rate over one window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WindowBurn {
    /// The window's nominal length in seconds.
    pub window_s: f64,
    /// How much of it was observed.
    pub observed_s: f64,
    /// Events.
    pub count: f64,
    /// Events that were certainly late.
    pub bad: f64,
    /// Share of late events over the budget; `None` without events.
    pub burn: Option<f64>,
    /// Whether Prometheus told it, and it was not watched here.
    pub told: bool,
}

impl WindowBurn {
    fn new(window_s: f64, observed_s: f64, count: f64, bad: f64, budget: f64, told: bool) -> Self {
        let burn = (count > 0.0 && budget > 0.0).then(|| bad / count / budget);
        Self { window_s, observed_s: observed_s.min(window_s), count, bad, burn, told }
    }

    fn is_whole(&self) -> bool {
        self.observed_s >= OBSERVED * self.window_s
    }
}

impl BurnPreset {
    /// The pairs of windows, those that page first.
    pub const fn tiers(self) -> [Tier; 4] {
        const fn tier(short_s: f64, long_s: f64, factor: f64, pages: bool) -> Tier {
            Tier { short_s, long_s, factor, pages }
        }
        const MINUTE: f64 = 60.0;
        const HOUR: f64 = 3600.0;
        let factors = match self {
            Self::Workbook => [14.4, 6.0, 3.0, 1.0],
            Self::Sloth28d => [13.44, 5.6, 2.8, 0.933],
            Self::Pyrra => [14.0, 7.0, 2.0, 1.0],
        };
        let longest = if matches!(self, Self::Pyrra) { 96.0 * HOUR } else { 72.0 * HOUR };
        [
            tier(5.0 * MINUTE, HOUR, factors[0], true),
            tier(30.0 * MINUTE, 6.0 * HOUR, factors[1], true),
            tier(2.0 * HOUR, 24.0 * HOUR, factors[2], false),
            tier(6.0 * HOUR, longest, factors[3], false),
        ]
    }

    /// The period of the error budget (s).
    pub const fn period_s(self) -> f64 {
        const DAY: f64 = 86_400.0;
        match self {
            Self::Workbook => 30.0 * DAY,
            Self::Sloth28d | Self::Pyrra => 28.0 * DAY,
        }
    }
}

/// Fills in the windows, the pairs, whether somebody is paged, and how long the budget lasts at this rate.
pub(super) fn fill(
    row: &mut SloRow,
    dist: Dist,
    replicas: &[Replica<'_>],
    now: At,
    targets: Targets,
    snapshot: &Snapshot,
) {
    let budget = row.target.budget();
    let tiers = targets.burn.tiers();
    let mut lengths: Vec<f64> = tiers.iter().flat_map(|t| [t.short_s, t.long_s]).collect();
    lengths.sort_by(f64::total_cmp);
    lengths.dedup();
    for window_s in lengths {
        let span = Span::of_dist(replicas, dist, now.plus(-window_s), now);
        let own = span
            .and_then(|(s, h)| Some((s, h.above(row.target.seconds)?)))
            .map(|(seconds, late)| WindowBurn::new(window_s, seconds, late.count, late.at_least, budget, false));
        // What was watched here is surer than what was told; what was seen of it in part is not.
        // It adds first tokens of pools up that are parts of one.
        let one_fleet = replicas.iter().all(|r| r.pool.is_none());
        let told = || told(row, snapshot, window_s, budget).filter(|_| one_fleet && dist == row.metric.dist());
        let pages = tiers.iter().any(|t| t.pages && (t.short_s == window_s || t.long_s == window_s));
        match own.filter(WindowBurn::is_whole).or_else(told) {
            Some(whole) => row.windows.push(whole),
            None => row.windows.extend(own.filter(|_| pages)),
        }
    }
    let state = |window_s: f64, factor: f64| -> Option<bool> {
        let window = row.windows.iter().find(|w| w.window_s == window_s)?;
        window.is_whole().then(|| window.burn.is_some_and(|burn| burn > factor))
    };
    row.tiers = tiers
        .map(|tier| TierState {
            tier,
            // A pair cannot fire where one of its windows is known not to; it fires only where both are known to.
            fires: match (state(tier.short_s, tier.factor), state(tier.long_s, tier.factor)) {
                (Some(true), Some(true)) => Some(true),
                (Some(false), _) | (_, Some(false)) => Some(false),
                _ => None,
            },
            reachable: tier.factor * budget <= 1.0,
        })
        .to_vec();
    let paging: Vec<Option<bool>> = row.tiers.iter().filter(|t| t.tier.pages).map(|t| t.fires).collect();
    row.paging = if paging.contains(&Some(true)) {
        Some(true)
    } else {
        paging.iter().all(|p| *p == Some(false)).then_some(false)
    };
    let hour = row.windows.iter().find(|w| w.window_s == tiers[0].long_s).filter(|w| w.is_whole());
    row.exhausts_in_s = hour.and_then(|w| w.burn).filter(|burn| *burn > 1.0).map(|burn| targets.burn.period_s() / burn);
}

/// What Prometheus told of a window. A series without a model's name is taken where the objective has none either.
fn told(row: &SloRow, snapshot: &Snapshot, window_s: f64, budget: f64) -> Option<WindowBurn> {
    let (_, told) = snapshot.told.as_ref()?;
    let quantity = row.metric.dist().name();
    let fits = |w: &&crate::domain::ToldWindow| {
        w.quantity == quantity && w.window_s == window_s && (w.model == row.model || w.model.is_none())
    };
    let window = told.windows.iter().find(fits)?;
    Some(WindowBurn::new(window_s, window_s, window.count, window.late, budget, true))
}
