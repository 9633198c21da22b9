//! The readings of one engine over time, chained across restarts so that every later difference is a subtraction.

use std::collections::VecDeque;

use super::{At, Dist, Gauge, Histogram, HistogramRef, Pool, Reading, ReplicaPage, Slice, Total, Values, written};

/// One kept reading. Totals and distributions are chained: they go on counting where a restarted process began again.
#[derive(Debug, Clone)]
pub struct Point {
    /// When the page was asked for.
    pub at: At,
    /// What it said.
    pub values: Reading,
    /// How often the process had restarted by then.
    pub epoch: u32,
}

/// What became of a reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    /// Kept.
    Kept,
    /// Kept; the process had restarted since the last one.
    Restarted,
    /// Dropped: it contradicts itself (one bucket fell and the others did not, a family vanished), so it was torn
    /// between two states of the process.
    Torn,
    /// Dropped: not later than the last one.
    OutOfOrder,
}

/// The readings of one engine.
#[derive(Debug, Clone, Default, serde::Serialize, serde::Deserialize)]
#[serde(into = "written::Chain", try_from = "written::Chain")]
pub struct Track {
    /// The engine's label on its page, empty where there is only one.
    pub engine: String,
    /// The model that it serves, where labelled.
    pub model: Option<String>,
    /// The part that it has in a disaggregated deployment, where its page says so.
    pub pool: Option<Pool>,
    /// Of a gateway: whose requests these are, where labels tell them apart.
    pub slice: Option<Slice>,
    points: VecDeque<Point>,
    /// The last page as it was, not chained.
    raw: Option<Reading>,
    restarts: Vec<At>,
    torn: u32,
    capacity: usize,
}

/// Readings kept per engine: an hour at the default interval. Past that the older half is thinned, which loses resolution
/// far back and no counts, because the totals are chained.
pub(super) const CAPACITY: usize = 720;

impl Track {
    /// An empty track.
    pub fn new(engine: String) -> Self {
        Self { engine, capacity: CAPACITY, ..Self::default() }
    }

    /// The kept readings, oldest first.
    pub fn points(&self) -> &VecDeque<Point> {
        &self.points
    }

    /// When restarts were seen: the time of the first page of each new process.
    pub fn restarts(&self) -> &[At] {
        &self.restarts
    }

    /// How many pages were dropped as torn.
    pub fn torn(&self) -> u32 {
        self.torn
    }

    /// The latest reading at or before `at`.
    pub fn at_or_before(&self, at: At) -> Option<&Point> {
        let after = self.points.partition_point(|p| p.at <= at);
        after.checked_sub(1).map(|i| &self.points[i])
    }

    /// Adds a reading.
    pub fn push(&mut self, at: At, page: ReplicaPage) -> Pushed {
        let ReplicaPage { mut values, model, pool, slice, .. } = page;
        let raw = Reading::of(&values, self.raw.as_ref());
        let (Some(last), Some(earlier)) = (self.points.back(), &self.raw) else {
            (self.model, self.pool, self.slice) = (model, pool, slice);
            self.points.push_back(Point { at, values: raw.clone(), epoch: 0 });
            self.raw = Some(raw);
            return Pushed::Kept;
        };
        if at <= last.at {
            return Pushed::OutOfOrder;
        }
        let step = compare(earlier, &values);
        if step == Step::Torn {
            self.torn += 1;
            return Pushed::Torn;
        }
        let restarted = step == Step::Restarted;
        chain(&last.values, if restarted { None } else { Some(earlier) }, &mut values);
        let (values, epoch) = (Reading::of(&values, Some(&last.values)), last.epoch + u32::from(restarted));
        self.points.push_back(Point { at, values, epoch });
        self.raw = Some(raw);
        if restarted {
            self.restarts.push(at);
        }
        if model.is_some() {
            self.model = model;
        }
        self.pool = pool.or(self.pool);
        self.thin();
        if restarted { Pushed::Restarted } else { Pushed::Kept }
    }

    /// The last page as it was, not chained.
    pub(super) const fn raw(&self) -> Option<&Reading> {
        self.raw.as_ref()
    }

    /// What was written down of a track.
    pub(super) fn restored(
        engine: String,
        written: impl Iterator<Item = (At, u32, Values)>,
        raw: Option<&Values>,
        restarts: Vec<At>,
        torn: u32,
    ) -> Self {
        let mut points: VecDeque<Point> = VecDeque::new();
        for (at, epoch, values) in written.take(CAPACITY) {
            let values = Reading::of(&values, points.back().map(|p| &p.values));
            points.push_back(Point { at, values, epoch });
        }
        let raw = raw.map(|values| Reading::of(values, points.back().map(|p| &p.values)));
        Self { points, raw, restarts, torn, ..Self::new(engine) }
    }

    /// So many readings from the one with this number on. What is said of all of them is said with the last.
    pub(super) fn piece(&self, first: usize, most: usize, last: bool) -> Self {
        let points: VecDeque<Point> = self.points.iter().skip(first).take(most).cloned().collect();
        let mut piece = Self { points, ..Self::new(self.engine.clone()) };
        piece.raw = piece.points.back().map(|p| p.values.clone());
        if last {
            let (model, raw, restarts) = (self.model.clone(), self.raw.clone(), self.restarts.clone());
            piece = Self { model, pool: self.pool, slice: self.slice.clone(), raw, restarts, torn: self.torn, ..piece };
        }
        piece
    }

    /// Takes in the piece that follows.
    pub(super) fn join(&mut self, next: Self) {
        let room = CAPACITY.saturating_sub(self.points.len());
        let last = self.points.back().map(|p| (p.at, p.epoch));
        let follows = |p: &Point| last.is_none_or(|(at, epoch)| p.at > at && p.epoch >= epoch);
        self.points.extend(next.points.into_iter().filter(follows).take(room));
        self.raw = next.raw.or_else(|| self.raw.take());
        (self.model, self.pool, self.slice) = (next.model, next.pool, next.slice);
        (self.restarts, self.torn) = (next.restarts, next.torn);
    }

    /// Keeps at most so many readings from now on.
    pub(super) fn keep(&mut self, readings: usize) {
        self.capacity = readings;
    }

    /// Drops readings where there are too many: of the older half the ones that stand closest to their neighbours, never
    /// the first. So the past keeps an even resolution, however long it gets.
    fn thin(&mut self) {
        while self.points.len() > self.capacity.max(4) {
            let half = self.points.len() / 2;
            let gap = |i: &usize| self.points[i + 1].at.0 - self.points[i - 1].at.0;
            let Some(closest) = (1..half).min_by_key(gap) else { return };
            self.points.remove(closest);
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Step {
    On,
    Restarted,
    Torn,
}

/// Whether `now` can follow `before` in one process. A restart resets everything at once; where only a part went back,
/// the page was torn.
fn compare(before: &Reading, now: &Values) -> Step {
    if let (Some(a), Some(b)) = (before.gauge(Gauge::ProcessStart), now.gauge(Gauge::ProcessStart))
        && (a - b).abs() > 1.0
    {
        return Step::Restarted;
    }
    let (mut back, mut on) = (0, 0);
    let mut count = |before: Option<f64>, now: Option<f64>| match (before, now) {
        (Some(a), Some(b)) if b < a => back += 1,
        (Some(a), None) if a > 0.0 => back += 1,
        (Some(a), Some(_)) if a > 0.0 => on += 1,
        _ => {}
    };
    for total in Total::ALL {
        count(before.total(*total), now.total(*total));
    }
    let mut broken = false;
    for dist in Dist::ALL {
        let (a, b) = (before.dist(*dist), now.dist(*dist));
        count(a.map(|h| h.count), b.map(|h| h.count));
        broken |= b.is_some_and(|h| !h.is_whole());
        if let (Some(a), Some(b)) = (a, b)
            && *a.bounds == b.bounds
            && b.count >= a.count
        {
            broken |= a.counts.iter().zip(&b.counts).any(|(a, b)| b < a);
        }
    }
    if back > on {
        Step::Restarted
    } else if back > 0 || broken {
        Step::Torn
    } else {
        Step::On
    }
}

/// Chains `now` to the values so far, given the same process's previous page (`None` after a restart: the new process
/// counts from zero).
fn chain(so_far: &Reading, previous: Option<&Reading>, now: &mut Values) {
    for total in Total::ALL {
        let before = previous.and_then(|p| p.total(*total)).unwrap_or(0.0);
        match (so_far.total(*total), now.total(*total)) {
            (Some(sum), Some(value)) => now.set_total(*total, sum + value - before),
            (Some(sum), None) => now.set_total(*total, sum),
            (None, _) => {}
        }
    }
    for dist in Dist::ALL {
        let Some(sum) = so_far.dist(*dist) else { continue };
        match now.dist_mut(*dist) {
            Some(value) => chain_histogram(sum, previous.and_then(|p| p.dist(*dist)), value),
            none => *none = Some(sum.into()),
        }
    }
}

fn chain_histogram(so_far: HistogramRef<'_>, previous: Option<HistogramRef<'_>>, now: &mut Histogram) {
    if !previous.is_none_or(|p| now.take_away(p)) {
        return;
    }
    // Another process may have other bounds (token histograms follow --max-model-len): the chain keeps sum and count,
    // and its buckets end here.
    if now.bounds == *so_far.bounds {
        now.add(so_far);
    } else {
        *now = Histogram::plain(so_far.sum + now.sum, so_far.count + now.count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(finished: f64, tokens: f64, ttft: &[f64], start: Option<f64>) -> ReplicaPage {
        let mut values = Values::default();
        values.set_total(Total::Finished, finished);
        values.set_total(Total::GenerationTokens, tokens);
        values.set_dist(
            Dist::Ttft,
            Some(Histogram {
                bounds: vec![0.5, 1.0, f64::INFINITY].into(),
                counts: ttft.into(),
                sum: ttft[2] * 0.7,
                count: ttft[2],
            }),
        );
        if let Some(start) = start {
            values.set_gauge(Gauge::ProcessStart, start);
        }
        ReplicaPage { values, ..ReplicaPage::default() }
    }

    fn finished(track: &Track) -> Option<f64> {
        track.points().back().and_then(|p| p.values.total(Total::Finished))
    }

    #[test]
    fn a_restart_seen_by_its_start_time_counts_from_zero_even_when_the_new_counts_are_higher() {
        let mut track = Track::new(String::new());
        track.push(At(0), page(100.0, 1000.0, &[90.0, 95.0, 100.0], Some(10.0)));
        let pushed = track.push(At(60_000), page(120.0, 1300.0, &[100.0, 110.0, 120.0], Some(50.0)));
        assert_eq!(pushed, Pushed::Restarted);
        assert_eq!(finished(&track), Some(220.0));
        assert_eq!(track.restarts(), &[At(60_000)]);
    }

    #[test]
    fn a_restart_without_a_start_time_is_seen_because_everything_fell_at_once() {
        let mut track = Track::new(String::new());
        track.push(At(0), page(100.0, 1000.0, &[90.0, 95.0, 100.0], None));
        assert_eq!(track.push(At(5_000), page(3.0, 20.0, &[3.0, 3.0, 3.0], None)), Pushed::Restarted);
        assert_eq!(finished(&track), Some(103.0));
    }

    #[test]
    fn a_page_on_which_one_bucket_fell_is_torn_and_dropped() {
        let mut track = Track::new(String::new());
        track.push(At(0), page(100.0, 1000.0, &[90.0, 95.0, 100.0], None));
        assert_eq!(track.push(At(5_000), page(101.0, 1010.0, &[89.0, 96.0, 101.0], None)), Pushed::Torn);
        assert_eq!(track.push(At(10_000), page(102.0, 1020.0, &[91.0, 96.0, 102.0], None)), Pushed::Kept);
        assert_eq!((track.points().len(), track.torn()), (2, 1));
    }

    #[test]
    fn a_page_from_which_a_family_vanished_is_torn_and_not_zero() {
        let mut track = Track::new(String::new());
        track.push(At(0), page(100.0, 1000.0, &[90.0, 95.0, 100.0], None));
        let mut cut = page(101.0, 1010.0, &[91.0, 96.0, 101.0], None);
        cut.values.set_dist(Dist::Ttft, None);
        assert_eq!(track.push(At(5_000), cut), Pushed::Torn);
    }

    #[test]
    fn a_family_that_appears_with_its_first_observation_counts_from_zero() {
        let mut track = Track::new(String::new());
        let mut first = page(0.0, 0.0, &[0.0, 0.0, 0.0], None);
        first.values.set_dist(Dist::Ttft, None);
        track.push(At(0), first);
        track.push(At(5_000), page(2.0, 20.0, &[1.0, 2.0, 2.0], None));
        let ttft = track.points().back().and_then(|p| p.values.dist(Dist::Ttft)).map(|h| h.count);
        assert_eq!(ttft, Some(2.0));
    }

    #[test]
    fn a_long_history_is_thinned_in_its_older_half_and_loses_no_counts() {
        let mut track = Track::new(String::new());
        for i in 0..5_000_u32 {
            let n = f64::from(i);
            track.push(At(i64::from(i) * 1000), page(n, n, &[n, n, n], None));
        }
        let at: Vec<i64> = track.points().iter().map(|p| p.at.0 / 1000).collect();
        assert_eq!((at.len(), at[0], finished(&track)), (CAPACITY, 0, Some(4_999.0)));
        let (old, new) = at.split_at(CAPACITY / 2);
        assert!(new.windows(2).all(|two| two[1] - two[0] == 1), "{new:?}");
        // 4,640 seconds in 360 readings are 13 s apart.
        assert!(old.windows(2).all(|two| two[1] - two[0] <= 26), "{old:?}");
    }

    #[test]
    fn a_history_with_less_room_is_thinned_to_it_with_its_next_reading() {
        let mut track = Track::new(String::new());
        for i in 0..600_u32 {
            track.keep(if i == 599 { 240 } else { CAPACITY });
            track.push(At(i64::from(i) * 5000), page(f64::from(i), 1.0, &[1.0, 1.0, 1.0], None));
        }
        let gaps = || track.points().iter().zip(track.points().iter().skip(1)).map(|(a, b)| b.at.since(a.at));
        assert_eq!((track.points().len(), finished(&track)), (240, Some(599.0)));
        assert!(gaps().all(|gap| gap <= 30.0), "{:?}", gaps().collect::<Vec<_>>());
    }
}
