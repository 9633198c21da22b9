//! What one slot gathered of one engine on one page.

use super::catalogue::Target;
use super::memory::Memory;
use crate::domain::{Dist, Histogram, Values};

/// The most bucket bounds of one histogram. Real ones reach 1025; past this, only sum and count are used.
const MAX_BOUNDS: usize = 2048;

/// Scratch that is used again for every page: a reset keeps the room of the buckets.
#[derive(Debug, Clone, Default)]
pub(super) struct Cell {
    pub(super) touched: bool,
    /// Of series that say the same, the one with the lowest number stands here.
    precedence: u64,
    pub(super) value: f64,
    pub(super) sum: Option<f64>,
    pub(super) count: Option<f64>,
    buckets: Buckets,
}

#[derive(Debug, Clone, Default)]
struct Buckets {
    bounds: Vec<f64>,
    counts: Vec<f64>,
    /// How many series have this bound.
    shares: Vec<u32>,
    cursor: usize,
    too_many: bool,
}

impl Cell {
    pub(super) fn reset(&mut self) {
        if self.touched {
            self.touched = false;
            self.sum = None;
            self.count = None;
            self.buckets.reset();
        }
    }

    /// Whether a series of this precedence is wanted; what a series of a lower one left behind goes.
    pub(super) fn admits(&mut self, precedence: u64) -> bool {
        if self.touched && precedence < self.precedence {
            self.reset();
        }
        if !self.touched {
            self.precedence = precedence;
        }
        precedence == self.precedence
    }

    pub(super) fn take_value(&mut self, target: Target, value: f64) {
        self.value = if self.touched { target.combined(self.value, value) } else { value };
        self.touched = true;
    }

    pub(super) fn take_sum(&mut self, sum: f64) {
        *self.sum.get_or_insert(0.0) += sum;
        self.touched = true;
    }

    pub(super) fn take_count(&mut self, count: f64) {
        *self.count.get_or_insert(0.0) += count;
        self.touched = true;
    }

    pub(super) fn take_bucket(&mut self, le: f64, count: f64) {
        self.buckets.add(le, count);
        self.touched = true;
    }

    /// Adds what was gathered to `values`.
    pub(super) fn write(&mut self, target: Target, values: &mut Values, memory: &mut Memory) {
        let with = |known: Option<f64>| known.map_or(self.value, |known| target.combined(known, self.value));
        match target {
            Target::Gauge(gauge) => values.set_gauge(gauge, with(values.gauge(gauge))),
            Target::Total(total) => values.set_total(total, with(values.total(total))),
            Target::Dist(dist) => {
                let Some(mine) = self.histogram(dist, memory) else { return };
                match values.dist_mut(dist) {
                    Some(known) => known.add(mine.view()),
                    none => *none = Some(mine),
                }
            }
        }
    }

    /// The histogram, where it is complete: a sum and a count. Its buckets are there where they can be trusted.
    fn histogram(&mut self, dist: Dist, memory: &mut Memory) -> Option<Histogram> {
        let (sum, count) = (self.sum?, self.count?);
        Some(match self.buckets() {
            Some((bounds, counts)) => memory.histogram(dist, bounds, counts, sum, count),
            None => Histogram::plain(sum, count),
        })
    }

    /// The bounds and cumulative counts; none where there are none to be trusted.
    fn buckets(&mut self) -> Option<(&[f64], &[f64])> {
        self.buckets.agree();
        let Buckets { bounds, counts, too_many, .. } = &self.buckets;
        (!bounds.is_empty() && !too_many).then_some((bounds, counts))
    }
}

impl Buckets {
    fn reset(&mut self) {
        self.bounds.clear();
        self.counts.clear();
        self.shares.clear();
        self.cursor = 0;
        self.too_many = false;
    }

    /// Buckets come in order, series by series, so the next one is usually where the last one ended.
    fn add(&mut self, le: f64, count: f64) {
        if self.bounds.get(self.cursor) != Some(&le) {
            self.cursor = self.bounds.partition_point(|b| *b < le);
            if self.bounds.get(self.cursor) != Some(&le) {
                if self.bounds.len() >= MAX_BOUNDS {
                    self.too_many = true;
                    return;
                }
                self.bounds.insert(self.cursor, le);
                self.counts.insert(self.cursor, 0.0);
                self.shares.insert(self.cursor, 0);
            }
        }
        self.counts[self.cursor] += count;
        self.shares[self.cursor] += 1;
        self.cursor += 1;
    }

    /// Where series with different bounds were added, only the bounds that all of them have: a cumulative count is
    /// exact there, and nowhere else.
    fn agree(&mut self) {
        let Some(most) = self.shares.iter().copied().max() else { return };
        if self.shares.iter().all(|s| *s == most) {
            return;
        }
        let mut kept = 0;
        for i in 0..self.shares.len() {
            if self.shares[i] == most {
                self.bounds[kept] = self.bounds[i];
                self.counts[kept] = self.counts[i];
                kept += 1;
            }
        }
        self.bounds.truncate(kept);
        self.counts.truncate(kept);
        self.shares.clear();
        self.shares.resize(kept, most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INF: f64 = f64::INFINITY;

    fn cell(buckets: &[(f64, f64)]) -> Cell {
        let mut cell = Cell::default();
        for (le, count) in buckets {
            cell.take_bucket(*le, *count);
        }
        cell
    }

    #[test]
    fn series_with_the_same_bounds_are_added_bucket_by_bucket() {
        let mut cell = cell(&[(0.5, 1.0), (1.0, 2.0), (INF, 3.0), (0.5, 10.0), (1.0, 20.0), (INF, 30.0)]);
        assert_eq!(cell.buckets(), Some((&[0.5, 1.0, INF][..], &[11.0, 22.0, 33.0][..])));
    }

    #[test]
    fn series_with_other_bounds_are_added_at_the_common_ones() {
        let mut cell = cell(&[(0.5, 1.0), (1.0, 2.0), (INF, 3.0), (1.0, 20.0), (2.0, 25.0), (INF, 30.0)]);
        assert_eq!(cell.buckets(), Some((&[1.0, INF][..], &[22.0, 33.0][..])));
    }

    #[test]
    fn buckets_that_come_in_any_order_are_sorted() {
        let mut cell = cell(&[(INF, 3.0), (0.5, 1.0), (1.0, 2.0)]);
        assert_eq!(cell.buckets(), Some((&[0.5, 1.0, INF][..], &[1.0, 2.0, 3.0][..])));
    }

    #[test]
    fn a_histogram_with_more_bounds_than_any_real_one_has_no_buckets() {
        let many: Vec<_> = (0..=u32::try_from(MAX_BOUNDS).unwrap()).rev().map(|i| (f64::from(i), 1.0)).collect();
        assert_eq!(cell(&many).buckets(), None);
    }

    #[test]
    fn a_series_of_a_lower_number_takes_the_place_of_the_others() {
        let mut cell = Cell::default();
        for (precedence, value) in [(2, 5.0), (1, 7.0), (2, 5.0), (1, 7.0)] {
            if cell.admits(precedence) {
                cell.take_value(Target::Total(crate::domain::Total::Steps), value);
            }
        }
        assert_eq!(cell.value, 14.0);
    }
}
