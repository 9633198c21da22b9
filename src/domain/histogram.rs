//! Cumulative histograms and what can honestly be said from them.

use std::sync::Arc;

use super::written;

/// Observations of one quantity: sum, count and cumulative buckets.
///
/// `bounds` are ascending upper bounds in the quantity's unit, the last one `+Inf` where buckets are known at all;
/// `counts[i]` is the number of observations `<= bounds[i]`. Both are empty where only sum and count are known.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "written::Buckets")]
pub struct Histogram {
    /// Upper bounds, shared between the points of one process.
    #[serde(serialize_with = "written::numbers", skip_serializing_if = "<[f64]>::is_empty")]
    pub bounds: Arc<[f64]>,
    /// Cumulative counts, one per bound.
    #[serde(serialize_with = "written::numbers", skip_serializing_if = "<[f64]>::is_empty")]
    pub counts: Box<[f64]>,
    /// Sum of all observations.
    #[serde(serialize_with = "written::number")]
    pub sum: f64,
    /// Number of all observations.
    #[serde(serialize_with = "written::number")]
    pub count: f64,
}

/// A histogram that lies somewhere else, in one piece with other numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HistogramRef<'a> {
    /// As in [`Histogram`].
    pub bounds: &'a Arc<[f64]>,
    /// As in [`Histogram`].
    pub counts: &'a [f64],
    /// As in [`Histogram`].
    pub sum: f64,
    /// As in [`Histogram`].
    pub count: f64,
}

/// A quantile with the bucket into which it fell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quantile {
    /// Prometheus' linear interpolation; `None` where the quantile lies above the highest bound.
    pub estimate: Option<f64>,
    /// The bucket's lower bound.
    pub lower: f64,
    /// The bucket's upper bound; `None`: above the highest bound.
    pub upper: Option<f64>,
}

/// How many observations lie above a threshold. The two edges differ where the threshold is no bound.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fraction {
    /// All observations.
    pub count: f64,
    /// Certainly above: those above the next bound upwards (the optimistic edge).
    pub at_least: f64,
    /// Possibly above: those above the next bound downwards (the pessimistic edge).
    pub at_most: f64,
    /// The bound nearest to the threshold, where the threshold itself is none.
    pub nearest_bound: Option<f64>,
}

impl From<HistogramRef<'_>> for Histogram {
    fn from(it: HistogramRef<'_>) -> Self {
        Self { bounds: Arc::clone(it.bounds), counts: it.counts.into(), sum: it.sum, count: it.count }
    }
}

impl HistogramRef<'_> {
    /// What was observed since `earlier`, another reading of the same process. Bounds change with a new process: then
    /// sum and count are chained, and the buckets are not.
    pub fn since(self, earlier: HistogramRef<'_>) -> Histogram {
        let mut between = Histogram::from(self);
        if !between.take_away(earlier) {
            between = Histogram::plain(self.sum - earlier.sum, self.count - earlier.count);
        }
        between
    }

    /// Of the observations since `earlier` (or since the start): how many, their sum, and how many lie certainly above
    /// `threshold`. Allocates nothing, for it runs once per reading.
    pub fn late_since(self, earlier: Option<HistogramRef<'_>>, threshold: f64) -> (f64, f64, f64) {
        let (count0, sum0) = earlier.map_or((0.0, 0.0), |e| (e.count, e.sum));
        let next = self.bounds.iter().position(|b| *b >= threshold * (1.0 - 1e-9));
        // Readings of one process share their bounds: to compare them one by one is rarely needed.
        let comparable = |e: HistogramRef<'_>| Arc::ptr_eq(e.bounds, self.bounds) || e.bounds == self.bounds;
        let within = |h: HistogramRef<'_>| match next {
            Some(i) if comparable(h) => h.counts[i],
            _ => h.count,
        };
        let late = (self.count - within(self)) - earlier.map_or(0.0, |e| e.count - within(e));
        (self.count - count0, self.sum - sum0, late.max(0.0))
    }
}

impl Histogram {
    /// A histogram of which only sum and count are known.
    pub fn plain(sum: f64, count: f64) -> Self {
        Self { bounds: Arc::default(), counts: Box::default(), sum, count }
    }

    /// A histogram with these bounds and nothing in it.
    pub fn empty(bounds: &Arc<[f64]>) -> Self {
        Self { bounds: Arc::clone(bounds), counts: vec![0.0; bounds.len()].into(), sum: 0.0, count: 0.0 }
    }

    /// This, wherever it lies.
    pub fn view(&self) -> HistogramRef<'_> {
        HistogramRef { bounds: &self.bounds, counts: &self.counts, sum: self.sum, count: self.count }
    }

    /// Mean of the observations; `None` where there are none, or where their sum is no number.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0.0).then(|| self.sum / self.count).filter(|mean| mean.is_finite())
    }

    /// Whether this can be a complete, untorn histogram: buckets do not fall and end at the count.
    pub fn is_whole(&self) -> bool {
        self.counts.windows(2).all(|w| w[0] <= w[1]) && self.counts.last().is_none_or(|last| *last == self.count)
    }

    /// Leaves what was observed since `earlier`, a reading of the same process; without buckets, where one of the two has
    /// none. Where the bounds differ nothing can be said of them: this stays as it is, and the answer is false.
    #[must_use]
    pub fn take_away(&mut self, earlier: HistogramRef<'_>) -> bool {
        if self.counts.is_empty() || earlier.counts.is_empty() {
            *self = Self::plain(self.sum - earlier.sum, self.count - earlier.count);
            return true;
        }
        if self.bounds != *earlier.bounds {
            return false;
        }
        for (a, b) in self.counts.iter_mut().zip(earlier.counts) {
            *a -= b;
        }
        self.sum -= earlier.sum;
        self.count -= earlier.count;
        true
    }

    /// Adds what another process observed between two readings, or since its start. Allocates nothing where all bounds
    /// are the same, for it runs once per process and span.
    pub fn add_between(&mut self, earlier: Option<HistogramRef<'_>>, later: HistogramRef<'_>) {
        let Some(earlier) = earlier else { return self.add(later) };
        if self.bounds != *later.bounds || later.bounds != earlier.bounds {
            return self.add(later.since(earlier).view());
        }
        self.sum += later.sum - earlier.sum;
        self.count += later.count - earlier.count;
        for (sum, (b, a)) in self.counts.iter_mut().zip(later.counts.iter().zip(earlier.counts)) {
            *sum += b - a;
        }
    }

    /// Adds another process's observations. Where the bounds differ, the common ones are kept: a cumulative count at a
    /// common bound is exact on both sides. A side without buckets takes the buckets away.
    pub fn add(&mut self, other: HistogramRef<'_>) {
        self.sum += other.sum;
        self.count += other.count;
        if self.bounds == *other.bounds {
            for (a, b) in self.counts.iter_mut().zip(other.counts) {
                *a += b;
            }
            return;
        }
        let mut bounds = Vec::new();
        let mut counts = Vec::new();
        for (bound, count) in self.bounds.iter().zip(&self.counts) {
            if let Some(i) = other.bounds.iter().position(|b| b == bound) {
                bounds.push(*bound);
                counts.push(count + other.counts[i]);
            }
        }
        self.bounds = bounds.into();
        self.counts = counts.into();
    }

    /// The cumulative counts as Prometheus repairs them before a quantile: never falling from left to right.
    fn monotonic(&self) -> Vec<f64> {
        let mut highest = f64::NEG_INFINITY;
        self.counts
            .iter()
            .map(|c| {
                highest = highest.max(*c);
                highest
            })
            .collect()
    }

    /// The `q`-quantile by Prometheus' `histogram_quantile` on classic buckets (promql/quantile.go, `BucketQuantile`),
    /// with the bucket into which it fell. `None` without observations, without buckets or without a `+Inf` bucket.
    ///
    /// Prometheus answers with the highest finite bound where the quantile lies above it; here that is `estimate: None`
    /// with that bound as `lower`, because "10 s" and "more than 10 s" are different news.
    pub fn quantile(&self, q: f64) -> Option<Quantile> {
        let last = self.bounds.len().checked_sub(1)?;
        if last == 0 || self.bounds[last] != f64::INFINITY || !(0.0..=1.0).contains(&q) {
            return None;
        }
        let counts = self.monotonic();
        let total = counts[last];
        if total <= 0.0 {
            return None;
        }
        let rank = q * total;
        let bucket = counts[..last].iter().position(|c| *c >= rank).unwrap_or(last);
        if bucket == last {
            return Some(Quantile { estimate: None, lower: self.bounds[last - 1], upper: None });
        }
        let upper = self.bounds[bucket];
        if bucket == 0 && upper <= 0.0 {
            return Some(Quantile { estimate: Some(upper), lower: f64::NEG_INFINITY, upper: Some(upper) });
        }
        let (lower, below) = if bucket == 0 { (0.0, 0.0) } else { (self.bounds[bucket - 1], counts[bucket - 1]) };
        let inside = counts[bucket] - below;
        let estimate = (inside > 0.0).then(|| lower + (upper - lower) * (rank - below) / inside);
        Some(Quantile { estimate, lower, upper: Some(upper) })
    }

    /// How many observations lie above `threshold`; exact where it is a bound, because `le` is inclusive. `None` without
    /// buckets.
    pub fn above(&self, threshold: f64) -> Option<Fraction> {
        let total = *self.counts.last()?;
        if let Some(i) = self.bounds.iter().position(|b| (b - threshold).abs() <= threshold.abs() * 1e-9) {
            let bad = total - self.counts[i];
            return Some(Fraction { count: total, at_least: bad, at_most: bad, nearest_bound: None });
        }
        let next = self.bounds.iter().position(|b| *b > threshold)?;
        let at_least = total - self.counts[next];
        let at_most = if next == 0 { total } else { total - self.counts[next - 1] };
        let upper = self.bounds[next];
        let nearest = match next.checked_sub(1).map(|i| self.bounds[i]) {
            Some(lower) if upper.is_infinite() || threshold - lower <= upper - threshold => lower,
            _ => upper,
        };
        Some(Fraction { count: total, at_least, at_most, nearest_bound: Some(nearest) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(buckets: &[(f64, f64)]) -> Histogram {
        let count = buckets.last().map_or(0.0, |b| b.1);
        Histogram {
            bounds: buckets.iter().map(|b| b.0).collect::<Vec<_>>().into(),
            counts: buckets.iter().map(|b| b.1).collect(),
            sum: 0.0,
            count,
        }
    }

    const INF: f64 = f64::INFINITY;

    /// Prometheus' own vectors (promql/promqltest/testdata/histograms.test).
    #[test]
    fn quantiles_are_those_of_prometheus() {
        let positive = of(&[(0.1, 50.0), (0.2, 70.0), (1.0, 110.0), (INF, 120.0)]);
        let negative = of(&[(-0.2, 10.0), (-0.1, 20.0), (0.3, 20.0), (INF, 30.0)]);
        let from_zero = of(&[(0.0, 0.0), (2.0, 10.0), (4.0, 20.0), (6.0, 30.0), (INF, 30.0)]);
        let falling = of(&[(0.1, 0.0), (0.2, 10.0), (0.3, 9.0), (1.0, 20.0), (INF, 20.0)]);
        let table: &[(&Histogram, f64, f64)] = &[
            (&positive, 0.01, 0.0024),
            (&positive, 0.2, 0.048),
            (&positive, 0.5, 0.15),
            (&positive, 0.8, 0.72),
            (&positive, 0.9, 0.96),
            (&negative, 0.0, -0.2),
            (&negative, 0.2, -0.2),
            (&negative, 0.5, -0.15),
            (&from_zero, 0.01, 0.06),
            (&from_zero, 0.2, 1.2),
            (&from_zero, 0.5, 3.0),
            (&from_zero, 0.9, 5.4),
            (&from_zero, 1.0, 6.0),
            (&falling, 0.5, 0.2),
        ];
        for (histogram, q, expected) in table {
            let got = histogram.quantile(*q).and_then(|q| q.estimate);
            assert!(got.is_some_and(|g| (g - expected).abs() < 1e-9), "q {q}: {got:?}, expected {expected}");
        }
    }

    /// Where Prometheus answers with the highest finite bound (the same vectors).
    #[test]
    fn a_quantile_above_the_highest_bound_is_over_it_and_not_at_it() {
        let positive = of(&[(0.1, 50.0), (0.2, 70.0), (1.0, 110.0), (INF, 120.0)]);
        let negative = of(&[(-0.2, 10.0), (-0.1, 20.0), (0.3, 20.0), (INF, 30.0)]);
        let above = of(&[(0.1, 0.0), (1.0, 0.0), (INF, 5.0)]);
        let table = [
            (&positive, 0.99, 1.0),
            (&positive, 1.0, 1.0),
            (&negative, 0.8, 0.3),
            (&negative, 1.0, 0.3),
            (&above, 0.99, 1.0),
        ];
        for (histogram, q, lower) in table {
            assert_eq!(histogram.quantile(q), Some(Quantile { estimate: None, lower, upper: None }), "q {q}");
        }
    }

    #[test]
    fn there_is_no_quantile_without_an_infinite_bucket_or_observations() {
        assert_eq!(of(&[(0.1, 1.0), (1.0, 2.0)]).quantile(0.5), None);
        assert_eq!(of(&[(INF, 5.0)]).quantile(0.5), None);
        assert_eq!(of(&[(0.1, 0.0), (INF, 0.0)]).quantile(0.5), None);
        assert_eq!(Histogram::plain(3.0, 2.0).quantile(0.5), None);
    }

    #[test]
    fn a_threshold_that_is_a_bound_is_counted_exactly() {
        let h = of(&[(0.5, 90.0), (1.0, 95.0), (INF, 100.0)]);
        let f = h.above(0.5).unwrap();
        assert_eq!((f.at_least, f.at_most, f.nearest_bound), (10.0, 10.0, None));
    }

    #[test]
    fn a_threshold_between_bounds_gives_an_interval_and_names_the_nearest_bound() {
        let h = of(&[(0.5, 90.0), (1.0, 95.0), (INF, 100.0)]);
        let f = h.above(0.9).unwrap();
        assert_eq!((f.at_least, f.at_most, f.nearest_bound), (5.0, 10.0, Some(1.0)));
        let beyond = h.above(2.0).unwrap();
        assert_eq!((beyond.at_least, beyond.at_most, beyond.nearest_bound), (0.0, 5.0, Some(1.0)));
    }

    #[test]
    fn histograms_with_other_bounds_are_summed_at_the_common_ones() {
        let mut a = of(&[(0.5, 1.0), (1.0, 2.0), (INF, 4.0)]);
        a.add(of(&[(1.0, 10.0), (2.0, 11.0), (INF, 12.0)]).view());
        assert_eq!(&*a.bounds, &[1.0, INF]);
        assert_eq!(&*a.counts, &[12.0, 16.0]);
        assert_eq!(a.count, 16.0);
    }
}
