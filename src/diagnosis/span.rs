//! What happened between two moments: differences per engine, summed over engines.

use super::joint::Joint;
use super::pools::{Mix, Told};
use crate::domain::{At, Attempt, Dist, Endpoint, Gauge, Histogram, Outcome, Point, Pool, Reading, Total, Track};

/// One engine of one endpoint.
#[derive(Debug, Clone, Copy)]
pub(super) struct Replica<'a> {
    pub(super) endpoint: &'a Endpoint,
    pub(super) track: &'a Track,
    /// The part that it has in a disaggregated deployment; none where it does everything, or that is not known.
    pub(super) pool: Option<Pool>,
}

impl<'a> Replica<'a> {
    /// Whether this is an engine, and not what a process says of itself beside the several engines of its page.
    pub(super) fn is_engine(self) -> bool {
        self.endpoint.tracks.len() == 1 || !self.track.engine.is_empty()
    }

    /// The earliest moment from which this replica's counts are known, and the values at that moment. A process that
    /// started under our eyes counts from zero: nothing of it happened before.
    fn base(self, from: At) -> Option<(At, Option<&'a Reading>)> {
        if let Some(point) = self.track.at_or_before(from) {
            return Some((point.at, Some(&point.values)));
        }
        let first = self.track.points().front()?;
        let started = first.values.gauge(Gauge::ProcessStart).map(|s| At::plus(At(0), s));
        let watched_since = self.endpoint.attempts.front().map(|a| a.at);
        let born = match (started, watched_since) {
            (Some(started), Some(watched)) => started > watched || self.refused_first(first.at),
            (None, Some(_)) => self.refused_first(first.at),
            _ => false,
        } || self.new_slice(first.at);
        Some((if born { from } else { first.at }, (!born).then_some(&first.values)))
    }

    /// Whether these are requests of a kind that a gateway's page did not know when it was first read: there were none.
    fn new_slice(self, first_page: At) -> bool {
        let earlier = |a: &Attempt| a.at < first_page && a.outcome == Outcome::Page;
        self.track.slice.is_some() && self.endpoint.attempts.iter().any(earlier)
    }

    /// Whether nobody listened when it was first asked, and its first page came later.
    fn refused_first(self, first_page: At) -> bool {
        self.endpoint.attempts.front().is_some_and(|a| a.at < first_page && a.outcome.is_absence())
    }

    /// Whether its process is known to have started at `at` or later: it did nothing before.
    pub(super) fn started_after(self, at: At) -> bool {
        let start = self.track.points().front().and_then(|p| p.values.gauge(Gauge::ProcessStart));
        start.is_some_and(|s| At::plus(At(0), s) >= at)
    }

    /// Whether its process started under our eyes, after `from`: all that it counts happened since.
    pub(super) fn born_after(self, from: At) -> bool {
        matches!(self.base(from), Some((_, None)))
    }

    /// The first reading of a gauge, where its counts are known from it on; nothing was held when a process was born.
    pub(super) fn first(self, gauge: Gauge) -> Option<f64> {
        let first = self.track.points().front()?;
        if self.born_after(At(i64::MIN / 2)) { None } else { first.values.gauge(gauge) }
    }

    /// The points within `(from, to]`, with the one that stands at `from`.
    pub(super) fn points(self, from: At, to: At) -> impl Iterator<Item = &'a Point> {
        let start = self.track.at_or_before(from).map_or(from, |p| p.at);
        let points = self.track.points();
        let lo = points.partition_point(|p| p.at < start);
        let hi = points.partition_point(|p| p.at <= to).max(lo);
        points.range(lo..hi)
    }
}

/// What was counted between two moments.
#[derive(Debug, Clone, Default)]
pub(super) struct Span {
    /// Seconds between the readings that were differenced: of several replicas, the longest.
    pub(super) seconds: f64,
    totals: [Option<f64>; Total::COUNT],
    dists: [Option<Histogram>; Dist::COUNT],
    /// What the engines that compute prompts counted of waits that go on elsewhere: see [`Span::joined`].
    first: [Option<Histogram>; FIRST.len()],
    /// First tokens as late as they can have been, where two pools tell of them.
    latest: Option<Histogram>,
    /// Whether only engines that compute prompts for others were counted.
    prompts_only: bool,
}

/// What is waited for in both pools, one after the other.
const FIRST: [Dist; 2] = [Dist::Ttft, Dist::Queue];

impl Span {
    /// What somebody else counted in so many seconds.
    pub(super) fn counted(
        seconds: f64,
        total: impl Fn(Total) -> Option<f64>,
        dist: impl Fn(Dist) -> Option<Histogram>,
    ) -> Self {
        let mut span = Self { seconds, ..Self::default() };
        for one in Total::ALL {
            span.totals[*one as usize] = total(*one);
        }
        for one in Dist::ALL {
            span.dists[*one as usize] = dist(*one);
        }
        span
    }

    /// Sums over `replicas` what was counted between `from` and `to`; `None` where no replica has two readings.
    pub(super) fn between(replicas: &[Replica<'_>], from: At, to: At) -> Option<Self> {
        let mut sum: Option<Self> = None;
        let mix = Mix::of(replicas);
        for (replica, seconds, base, end) in ends(replicas, from, to) {
            let sum = sum.get_or_insert_with(|| Self { prompts_only: mix.prompts_only(), ..Self::default() });
            sum.seconds = sum.seconds.max(seconds);
            sum.add(base, end, (replica.pool, mix));
        }
        sum.map(Self::joined)
    }

    /// The same of one distribution alone, with the seconds of the whole span.
    pub(super) fn of_dist(replicas: &[Replica<'_>], dist: Dist, from: At, to: At) -> Option<(f64, Histogram)> {
        let (mut longest, mut sum, mut first) = (0.0_f64, None, None);
        let mix = Mix::of(replicas);
        for (replica, seconds, base, end) in ends(replicas, from, to) {
            longest = longest.max(seconds);
            match mix.of_dist(dist, replica.pool) {
                Told::Whole => add_dist(&mut sum, dist, base, end),
                Told::First => add_dist(&mut first, dist, base, end),
                Told::Not => {}
            }
        }
        let sum = match (sum, first) {
            (Some(second), Some(first)) => Some(Joint::of(&first, &second).earliest),
            (sum, first) => sum.or(first),
        };
        Some((longest, sum?))
    }

    /// What the processes had counted since they started, as of their first reading.
    pub(super) fn lifetime(replicas: &[Replica<'_>]) -> Self {
        let mix = Mix::of(replicas);
        let mut sum = Self { prompts_only: mix.prompts_only(), ..Self::default() };
        for (pool, first) in replicas.iter().filter_map(|r| Some((r.pool, r.track.points().front()?))) {
            if let Some(start) = first.values.gauge(Gauge::ProcessStart) {
                sum.seconds = sum.seconds.max(first.at.since(At(0)) - start);
            }
            sum.add(None, &first.values, (pool, mix));
        }
        sum.joined()
    }

    fn add(&mut self, base: Option<&Reading>, end: &Reading, (pool, mix): (Option<Pool>, Mix)) {
        for total in Total::ALL.iter().filter(|t| mix.of_total(**t, pool)) {
            if let Some(value) = end.total(*total) {
                let before = base.and_then(|b| b.total(*total)).unwrap_or(0.0);
                *self.totals[*total as usize].get_or_insert(0.0) += value - before;
            }
        }
        for dist in Dist::ALL {
            match mix.of_dist(*dist, pool) {
                Told::Whole => add_dist(&mut self.dists[*dist as usize], *dist, base, end),
                Told::First => {
                    if let Some(i) = FIRST.iter().position(|f| f == dist) {
                        add_dist(&mut self.first[i], *dist, base, end);
                    }
                }
                Told::Not => {}
            }
        }
    }

    /// Puts together what two pools tell of one request. Whoever got a first token waited in both, so that the sums of both
    /// over the first tokens of the second are the means of the whole; and what the first pool alone does is shared out
    /// over the same requests, so that means add up.
    fn joined(mut self) -> Self {
        let [ttft, queue] = std::mem::take(&mut self.first);
        if ttft.is_none() && queue.is_none() {
            return self;
        }
        if let Some(first) = ttft {
            let second = &mut self.dists[Dist::Ttft as usize];
            let joint = second.as_ref().map(|second| Joint::of(&first, second));
            match joint {
                Some(Joint { earliest, latest }) => (*second, self.latest) = (Some(earliest), Some(latest)),
                None => *second = Some(first),
            }
        }
        let requests = self.count(Dist::Ttft);
        if let Some(first) = queue {
            let second = self.dists[Dist::Queue as usize].take();
            let count = if requests > 0.0 { requests } else { second.as_ref().map_or(first.count, |s| s.count) };
            let sum = first.sum + second.map_or(0.0, |s| s.sum);
            self.dists[Dist::Queue as usize] = Some(Histogram::plain(sum, count));
        }
        if let Some(prefill) = &mut self.dists[Dist::Prefill as usize]
            && requests > 0.0
        {
            *prefill = Histogram::plain(prefill.sum, requests);
        }
        self
    }

    /// First tokens as late as they can have been, where two pools tell of them and nobody of both.
    pub(super) fn latest(&self) -> Option<&Histogram> {
        self.latest.as_ref()
    }

    pub(super) fn total(&self, total: Total) -> Option<f64> {
        self.totals[total as usize]
    }

    pub(super) fn dist(&self, dist: Dist) -> Option<&Histogram> {
        self.dists[dist as usize].as_ref()
    }

    pub(super) fn count(&self, dist: Dist) -> f64 {
        self.dist(dist).map_or(0.0, |h| h.count)
    }

    /// Requests: those that got a first token. Prefillers of SGLang count none; theirs are those whose prompt was computed.
    pub(super) fn requests(&self) -> f64 {
        let first_tokens = self.count(Dist::Ttft);
        if self.prompts_only && first_tokens <= 0.0 {
            return self.count(Dist::Prefill).max(self.count(Dist::Queue));
        }
        first_tokens
    }

    pub(super) fn sum(&self, dist: Dist) -> f64 {
        self.dist(dist).map_or(0.0, |h| h.sum)
    }

    pub(super) fn mean(&self, dist: Dist) -> Option<f64> {
        self.dist(dist).and_then(Histogram::mean)
    }

    /// Output tokens, by the counter that moves while requests run.
    pub(super) fn tokens(&self) -> Option<f64> {
        self.total(Total::LiveTokens).or_else(|| self.total(Total::GenerationTokens))
    }

    /// The ratio of two totals; `None` where the second did not move.
    pub(super) fn ratio(&self, of: Total, to: Total) -> Option<f64> {
        match (self.total(of), self.total(to)) {
            (Some(a), Some(b)) if b > 0.0 => Some(a / b),
            _ => None,
        }
    }
}

/// Of each replica that has two readings between `from` and `to`: the seconds between them, and what each says.
fn ends<'a>(
    replicas: &[Replica<'a>],
    from: At,
    to: At,
) -> impl Iterator<Item = (Replica<'a>, f64, Option<&'a Reading>, &'a Reading)> {
    replicas.iter().filter_map(move |replica| {
        let ((base_at, base), end) = (replica.base(from)?, replica.track.at_or_before(to)?);
        (end.at > base_at).then(|| (*replica, end.at.since(base_at), base, &end.values))
    })
}

fn add_dist(sum: &mut Option<Histogram>, dist: Dist, base: Option<&Reading>, end: &Reading) {
    let Some(later) = end.dist(dist) else { return };
    let earlier = base.and_then(|b| b.dist(dist));
    match sum {
        Some(sum) => sum.add_between(earlier, later),
        none => *none = Some(earlier.map_or_else(|| later.into(), |earlier| later.since(earlier))),
    }
}

/// A gauge over a span, over all replicas.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Level {
    /// Integral over time (n·s), summed over replicas.
    pub(super) integral: f64,
    /// Time average of the sum over replicas.
    pub(super) mean: f64,
    /// Sum over replicas of the last values.
    pub(super) last: f64,
    /// The highest value of any replica at any reading.
    pub(super) peak: f64,
    /// Readings.
    pub(super) readings: usize,
}

impl Level {
    /// The level of `gauge` between `from` and `to`; `None` where it was never read. `max_gap_s`: a longer silence is
    /// not integrated over, for nothing is known of it.
    pub(super) fn of(replicas: &[Replica<'_>], gauge: Gauge, from: At, to: At, max_gap_s: f64) -> Option<Self> {
        let [level] = Self::of_each(replicas, [gauge], from, to, max_gap_s);
        level
    }

    /// The levels of several gauges, in one walk over the readings: to fetch them from memory is most of the work.
    pub(super) fn of_each<const N: usize>(
        replicas: &[Replica<'_>],
        gauges: [Gauge; N],
        from: At,
        to: At,
        max_gap_s: f64,
    ) -> [Option<Self>; N] {
        let mut levels = [Self::default(); N];
        let mut seconds = [0.0_f64; N];
        for replica in replicas {
            let mut before = [None::<(At, f64)>; N];
            let mut covered = [0.0; N];
            for point in replica.points(from, to) {
                for (i, level) in levels.iter_mut().enumerate() {
                    let Some(value) = point.values.gauge(gauges[i]) else { continue };
                    level.readings += 1;
                    level.peak = level.peak.max(value);
                    if let Some((at, earlier)) = before[i] {
                        let gap = point.at.since(at);
                        if gap <= max_gap_s {
                            level.integral += gap * f64::midpoint(earlier, value);
                            covered[i] += gap;
                        }
                    }
                    before[i] = Some((point.at, value));
                }
            }
            for (i, level) in levels.iter_mut().enumerate() {
                // Whoever is gone holds nothing any more.
                if !replica.endpoint.gone {
                    level.last += before[i].map_or(0.0, |(_, v)| v);
                }
                seconds[i] = seconds[i].max(covered[i]);
            }
        }
        std::array::from_fn(|i| {
            let level = levels[i];
            let mean = if seconds[i] > 0.0 { level.integral / seconds[i] } else { level.last };
            (level.readings > 0).then_some(Self { mean, ..level })
        })
    }
}

/// The gauges by which a scheduler is known, over one stretch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Levels {
    pub(super) running: Option<Level>,
    pub(super) waiting: Option<Level>,
    pub(super) kv: Option<Level>,
}

impl Levels {
    pub(super) fn of(replicas: &[Replica<'_>], (from, to): (At, At), max_gap_s: f64) -> Self {
        let gauges = [Gauge::Running, Gauge::Waiting, Gauge::KvUsage];
        let [running, waiting, kv] = Level::of_each(replicas, gauges, from, to, max_gap_s);
        Self { running, waiting, kv }
    }
}

/// The middle value.
pub(super) fn median(values: &mut [f64]) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    values.sort_by(f64::total_cmp);
    let mid = values.len() / 2;
    Some(if values.len() % 2 == 1 { values[mid] } else { f64::midpoint(values[mid - 1], values[mid]) })
}
