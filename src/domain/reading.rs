//! A page as it is kept: thousands of readings of a thousand engines lie in memory, so each is one row of numbers, and
//! what the numbers stand for is said once for all rows that agree.

use std::sync::Arc;

use super::histogram::HistogramRef;
use super::{Dist, Gauge, Total, Values};

/// One reading. Absent is not zero, as in [`Values`].
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    layout: Arc<Layout>,
    numbers: Box<[f64]>,
}

/// Where in a row a quantity stands, if it does.
#[derive(Debug, Clone, PartialEq, Default)]
struct Layout {
    gauges: [Option<u32>; Gauge::COUNT],
    totals: [Option<u32>; Total::COUNT],
    /// The sum; the count follows, and the buckets' counts after it.
    dists: [Option<u32>; Dist::COUNT],
    bounds: [Arc<[f64]>; Dist::COUNT],
}

impl Reading {
    /// What `values` say. `like` is an earlier reading of the same process.
    pub fn of(values: &Values, like: Option<&Self>) -> Self {
        let mut layout = Layout::default();
        let mut numbers = Vec::with_capacity(like.map_or(0, |l| l.numbers.len()));
        let mut place = |number: f64| {
            numbers.push(number);
            u32::try_from(numbers.len() - 1).ok()
        };
        for gauge in Gauge::ALL {
            layout.gauges[*gauge as usize] = values.gauge(*gauge).and_then(&mut place);
        }
        for total in Total::ALL {
            layout.totals[*total as usize] = values.total(*total).and_then(&mut place);
        }
        for dist in Dist::ALL {
            let Some(histogram) = values.dist(*dist) else { continue };
            layout.dists[*dist as usize] = place(histogram.sum);
            layout.bounds[*dist as usize] = Arc::clone(&histogram.bounds);
            for count in std::iter::once(&histogram.count).chain(&histogram.counts) {
                place(*count);
            }
        }
        let layout = match like {
            Some(like) if *like.layout == layout => Arc::clone(&like.layout),
            _ => Arc::new(layout),
        };
        Self { layout, numbers: numbers.into() }
    }

    /// A gauge, as last reported.
    pub fn gauge(&self, gauge: Gauge) -> Option<f64> {
        self.layout.gauges[gauge as usize].map(|at| self.numbers[at as usize])
    }

    /// A running total.
    pub fn total(&self, total: Total) -> Option<f64> {
        self.layout.totals[total as usize].map(|at| self.numbers[at as usize])
    }

    /// A distribution.
    pub fn dist(&self, dist: Dist) -> Option<HistogramRef<'_>> {
        let bounds = &self.layout.bounds[dist as usize];
        let row = &self.numbers[self.layout.dists[dist as usize]? as usize..];
        Some(HistogramRef { bounds, counts: &row[2..2 + bounds.len()], sum: row[0], count: row[1] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Histogram;

    fn values(queue: Option<f64>) -> Values {
        let mut values = Values::default();
        values.set_gauge(Gauge::Waiting, 3.0);
        values.set_gauge(Gauge::KvUsage, f64::NAN);
        values.set_total(Total::Steps, 70.0);
        let (bounds, counts) = (vec![0.5, f64::INFINITY].into(), [8.0, 9.0].into());
        values.set_dist(Dist::Ttft, Some(Histogram { bounds, counts, sum: 4.0, count: 9.0 }));
        values.set_dist(Dist::Queue, queue.map(|sum| Histogram::plain(sum, 9.0)));
        values
    }

    #[test]
    fn a_reading_says_what_the_page_said_and_no_more() {
        let reading = Reading::of(&values(Some(2.0)), None);
        assert_eq!(reading.gauge(Gauge::Waiting), Some(3.0));
        assert_eq!((reading.gauge(Gauge::KvUsage), reading.gauge(Gauge::Running)), (None, None));
        assert_eq!((reading.total(Total::Steps), reading.total(Total::Finished)), (Some(70.0), None));
        for dist in Dist::ALL {
            assert_eq!(reading.dist(*dist).map(Histogram::from).as_ref(), values(Some(2.0)).dist(*dist));
        }
    }

    #[test]
    fn readings_of_one_kind_share_their_layout_and_others_do_not() {
        let first = Reading::of(&values(Some(2.0)), None);
        let second = Reading::of(&values(Some(5.0)), Some(&first));
        assert!(Arc::ptr_eq(&first.layout, &second.layout));
        let third = Reading::of(&values(None), Some(&second));
        assert_eq!((third.dist(Dist::Queue), second.dist(Dist::Queue).map(|h| h.sum)), (None, Some(5.0)));
    }
}
