//! Is the objective broken? An exact test on counts of events, with the interval that a bucket leaves open.

use statrs::distribution::{Binomial, DiscreteCDF};

use super::burn::{self, TierState, WindowBurn};
use super::span::{Replica, Span, median};
use super::{Target, Targets};
use crate::domain::{At, Dist, Fraction, Gauge, Histogram, Quantile, RowStatus, Slice, Snapshot, Total};

/// How sure a breach must be: the chance that a service exactly at its budget shows as many bad events.
pub(super) const ALPHA: f64 = 0.01;

/// Which latency an objective is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// Time to first token; its events are requests.
    Ttft,
    /// Time per output token, judged on inter-token latency; its events are tokens, but for a gateway that measures once
    /// per request.
    Tpot,
}

impl Metric {
    /// The name in the contract.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ttft => "ttft",
            Self::Tpot => "tpot",
        }
    }

    /// The name in sentences.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Ttft => "TTFT",
            Self::Tpot => "TPOT",
        }
    }

    pub(super) const fn dist(self) -> Dist {
        match self {
            Self::Ttft => Dist::Ttft,
            Self::Tpot => Dist::Itl,
        }
    }

    pub(super) const fn target(self, targets: Targets) -> Target {
        match self {
            Self::Ttft => targets.ttft,
            Self::Tpot => targets.tpot,
        }
    }
}

/// What is counted: late ones of these, of so many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Events {
    /// Requests; of a time per output token, each with the mean over its tokens.
    Requests,
    /// Output tokens.
    Tokens,
}

impl Events {
    /// The name in the contract and in sentences.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Tokens => "tokens",
        }
    }

    /// What a distribution has one observation of.
    pub(super) const fn of(dist: Dist) -> Self {
        match dist {
            Dist::Itl | Dist::GatewayItl => Self::Tokens,
            _ => Self::Requests,
        }
    }
}

/// One objective over the judged window.
#[derive(Debug, Clone, PartialEq)]
pub struct SloRow {
    /// Which latency.
    pub metric: Metric,
    /// The family that was judged, where there is one.
    pub series: Option<String>,
    /// The model.
    pub model: Option<String>,
    /// Whose requests a gateway tells them to be, where it is not all of a model's: `model` is among it.
    pub slice: Option<Slice>,
    /// Threshold and objective.
    pub target: Target,
    /// Median with its bucket.
    pub p50: Option<Quantile>,
    /// 95th percentile with its bucket.
    pub p95: Option<Quantile>,
    /// 99th percentile with its bucket.
    pub p99: Option<Quantile>,
    /// Mean, where only counters exist.
    pub mean_s: Option<f64>,
    /// What its events are.
    pub events: Events,
    /// Events; `None`: not measured.
    pub count: Option<f64>,
    /// Events that were certainly late.
    pub bad: Option<f64>,
    /// Events that were possibly late: more than `bad` where the target is no bucket bound.
    pub bad_at_most: Option<f64>,
    /// The bound nearest to the target, where the target is none.
    pub nearest_bound: Option<f64>,
    /// The same target by request: not judged, for it is another question, and shown beside it.
    pub per_request: Option<PerRequest>,
    /// The state.
    pub status: RowStatus,
    /// Whether both windows of a paging tier burn; `None`: not observed for long enough.
    pub paging: Option<bool>,
    /// Burn rates over the windows that were observed, or that Prometheus told.
    pub windows: Vec<WindowBurn>,
    /// How each pair of windows stands.
    pub tiers: Vec<TierState>,
    /// When the budget of a whole period would be gone at the rate of the last hour (s); `None`: not at this rate, or not
    /// known.
    pub exhausts_in_s: Option<f64>,
    /// Why nothing can be said, where nothing can.
    pub note: Option<String>,
}

/// How many finished requests were over the target on average over their tokens.
#[derive(Debug, Clone, PartialEq)]
pub struct PerRequest {
    /// The family.
    pub series: Option<String>,
    /// Finished requests.
    pub count: f64,
    /// Of them, certainly over the target.
    pub bad: f64,
}

impl SloRow {
    /// The share of events that were certainly late.
    pub fn bad_share(&self) -> Option<f64> {
        match (self.bad, self.count) {
            (Some(bad), Some(count)) if count > 0.0 => Some(bad / count),
            _ => None,
        }
    }
}

/// Whether `bad` of `count` events is more than a service at its budget would show, at [`ALPHA`]: the exact upper tail
/// of the binomial distribution.
pub(super) fn over_budget(bad: f64, count: f64, budget: f64) -> bool {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts of events, rounded")]
    let (bad, count) = (bad.round().max(0.0) as u64, count.round().max(0.0) as u64);
    if bad == 0 || count == 0 || bad > count {
        return false;
    }
    Binomial::new(budget.clamp(0.0, 1.0), count).is_ok_and(|b| b.sf(bad - 1) < ALPHA)
}

/// Whether `now` events in `now_s` seconds are more than `before` in `before_s` would let expect, at [`ALPHA`]: of two
/// Poisson counts, conditioned on their sum, the one is binomial.
pub(super) fn rate_rose(now: f64, now_s: f64, before: f64, before_s: f64) -> bool {
    let expected_share = now_s / (now_s + before_s);
    now_s > 0.0 && before_s > 0.0 && over_budget(now, now + before, expected_share)
}

/// Judges one objective of one model over `window`, by the distribution that tells of it: the engines' own, or a gateway's.
pub(super) fn judge(
    (metric, dist): (Metric, Dist),
    replicas: &[Replica<'_>],
    window: &Span,
    now: At,
    model: Option<&str>,
    targets: Targets,
    snapshot: &Snapshot,
) -> SloRow {
    let target = metric.target(targets);
    let histogram = window.dist(dist);
    let mut row = SloRow {
        metric,
        series: series(replicas, dist.name()),
        model: model.map(str::to_owned),
        slice: None,
        target,
        p50: histogram.and_then(|h| h.quantile(0.5)),
        p95: histogram.and_then(|h| h.quantile(0.95)),
        p99: histogram.and_then(|h| h.quantile(0.99)),
        mean_s: histogram.and_then(Histogram::mean),
        events: Events::of(dist),
        count: histogram.map(|h| h.count),
        bad: None,
        bad_at_most: None,
        nearest_bound: None,
        per_request: (metric == Metric::Tpot).then(|| per_request(replicas, window, target)).flatten(),
        status: RowStatus::Unknown,
        paging: None,
        windows: Vec::new(),
        tiers: Vec::new(),
        exhausts_in_s: None,
        note: None,
    };
    let Some(late) = histogram.and_then(|h| h.above(target.seconds)) else {
        if histogram.is_none() && metric == Metric::Tpot {
            row.mean_s = window.ratio(Total::DecodeSeconds, Total::GenerationTokens);
            row.count = window.total(Total::GenerationTokens).filter(|_| row.mean_s.is_some());
            row.series = row.series.or_else(|| series(replicas, Total::DecodeSeconds.name()));
        }
        let last = last_requests(metric, replicas, window, now).filter(|_| histogram.is_none() && row.mean_s.is_none());
        // No share of late events can be counted, and what is known is over the target all the same: never a green.
        if row.mean_s.or(last.map(|(_, middle)| middle)).is_some_and(|known| known > target.seconds) {
            row.status = RowStatus::Warning;
        }
        row.note = Some(match (metric, histogram) {
            _ if let Some((readings, middle)) = last => format!(
                "of {} only the last request's is exported (middle of {readings} readings {}): no quantile and no burn",
                metric.title(),
                super::format::seconds(middle)
            ),
            _ if row.mean_s.is_some() && histogram.is_none() => {
                "only the mean is measured, from counters: no quantile and no share of late tokens".to_owned()
            }
            (_, Some(_)) => format!("{} has no buckets here: no share of late events can be given", metric.title()),
            (_, None) if replicas.is_empty() => "nothing was read".to_owned(),
            (_, None) if row.series.is_some() && window.seconds > 0.0 => "no events in the window".to_owned(),
            (_, None) if row.series.is_some() => "one page shows no difference: two are needed".to_owned(),
            (Metric::Ttft, None) => "TTFT is not measured by this engine".to_owned(),
            (Metric::Tpot, None) => "the gap between tokens is not measured by this engine".to_owned(),
        });
        return row;
    };
    let late = match window.latest().filter(|_| metric == Metric::Ttft) {
        Some(latest) => in_two_parts(&mut row, latest, late),
        None => late,
    };
    row.bad = Some(late.at_least);
    row.bad_at_most = Some(late.at_most);
    row.nearest_bound = late.nearest_bound;
    row.status = if late.count <= 0.0 {
        RowStatus::Unknown
    } else if over_budget(late.at_least, late.count, target.budget()) {
        RowStatus::Breach
    } else if over_budget(late.at_most, late.count, target.budget()) {
        RowStatus::Warning
    } else {
        RowStatus::Ok
    };
    if let Some(bound) = late.nearest_bound.filter(|_| row.note.is_none()) {
        row.note = Some(format!(
            "{} is no bucket bound: late events are an interval; the nearest bound is {}",
            super::format::bound(target.seconds),
            super::format::bound(bound)
        ));
    }
    if late.count <= 0.0 {
        row.note = Some("no events in the window".to_owned());
    }
    burn::fill(&mut row, dist, replicas, now, targets, snapshot);
    row
}

/// First tokens of which two pools tell a part each: both edges of what the sum can be.
fn in_two_parts(row: &mut SloRow, latest: &Histogram, late: Fraction) -> Fraction {
    let widen = |earliest: &mut Option<Quantile>, q: f64| {
        *earliest = earliest.zip(latest.quantile(q)).map(|(best, worst)| Quantile {
            estimate: None,
            lower: best.lower,
            upper: worst.upper,
        });
    };
    widen(&mut row.p50, 0.5);
    widen(&mut row.p95, 0.95);
    widen(&mut row.p99, 0.99);
    row.note =
        Some("each pool tells its own part of a first token, and none the sum: late ones are an interval".to_owned());
    let at_most = latest.above(row.target.seconds).map_or(late.at_most, |l| l.at_most);
    Fraction { at_most: at_most.max(late.at_least), ..late }
}

/// What an adapter says of the last request: how many readings, and the middle one.
fn last_requests(metric: Metric, replicas: &[Replica<'_>], window: &Span, now: At) -> Option<(usize, f64)> {
    let gauge = match metric {
        Metric::Ttft => Gauge::TtftLast,
        Metric::Tpot => Gauge::TpotLast,
    };
    let from = now.plus(-window.seconds);
    let mut readings: Vec<f64> =
        replicas.iter().flat_map(|r| r.points(from, now)).filter_map(|p| p.values.gauge(gauge)).collect();
    Some((readings.len(), median(&mut readings)?))
}

fn per_request(replicas: &[Replica<'_>], window: &Span, target: Target) -> Option<PerRequest> {
    let late = window.dist(Dist::Tpot)?.above(target.seconds).filter(|late| late.count > 0.0)?;
    Some(PerRequest { series: series(replicas, Dist::Tpot.name()), count: late.count, bad: late.at_least })
}

/// The family used for a quantity, as the first replica that has one names it.
pub(super) fn series(replicas: &[Replica<'_>], quantity: &str) -> Option<String> {
    replicas.iter().find_map(|r| r.endpoint.families.iter().find(|(q, _)| *q == quantity).map(|(_, f)| f.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The least number of bad events that is a breach, from the exact binomial test at 1 %.
    #[test]
    fn the_floor_of_bad_events_is_that_of_the_exact_test() {
        for (count, budget, least) in [
            (5.0, 0.01, 2.0),
            (10.0, 0.01, 2.0),
            (20.0, 0.01, 3.0),
            (30.0, 0.01, 3.0),
            (50.0, 0.01, 4.0),
            (100.0, 0.01, 5.0),
            (200.0, 0.01, 7.0),
            (5.0, 0.05, 3.0),
            (20.0, 0.05, 5.0),
            (100.0, 0.05, 12.0),
            (200.0, 0.05, 19.0),
        ] {
            assert!(over_budget(least, count, budget), "{least} of {count} at {budget}");
            assert!(!over_budget(least - 1.0, count, budget), "{} of {count} at {budget}", least - 1.0);
        }
    }

    #[test]
    fn a_rate_rises_only_when_chance_does_not_explain_it() {
        assert!(rate_rose(60.0, 60.0, 10.0, 60.0));
        assert!(!rate_rose(12.0, 60.0, 10.0, 60.0));
        assert!(!rate_rose(3.0, 10.0, 0.0, 1.0));
    }
}
