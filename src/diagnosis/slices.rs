//! The window cut into slices of time, with what each replica counted in each: the picture from which onset, end and
//! trend are read.

use super::Targets;
use super::joint::Joint;
use super::pools::{Mix, Told};
use super::span::Replica;
use crate::domain::{At, Dist, Gauge, Histogram, Point, Total};

/// One slice of time, summed over replicas. A count that no replica has is zero here and told apart by the spans.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slice {
    pub(super) from: At,
    pub(super) to: At,
    /// First tokens, the seconds until them, and how many came certainly later than the target.
    pub(super) ttft: Events,
    /// Output tokens by their gap, likewise.
    pub(super) itl: Events,
    /// Output tokens.
    pub(super) tokens: f64,
    /// Gauges at the end of the slice; `None` where no replica was read in it.
    pub(super) running: Option<f64>,
    pub(super) waiting: Option<f64>,
    pub(super) kv: Option<f64>,
}

/// Events of a latency in a slice.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Events {
    pub(super) count: f64,
    pub(super) sum: f64,
    pub(super) bad: f64,
}

impl Events {
    pub(super) fn mean(self) -> Option<f64> {
        (self.count > 0.0).then(|| self.sum / self.count)
    }
}

/// The most slices of one history, so that a long one stays cheap: more than it holds readings.
const MOST: f64 = 1000.0;
/// A slice holds at least this much time: at one scrape a second, single requests would make every other slice empty.
const SHORTEST_S: f64 = 5.0;

/// Cuts `from..=to` at round moments, so that an onset does not wander with the moment at which it is judged; the first
/// and the last slice may be shorter. A history that grows too long is cut twice as coarsely, at every second of the same
/// moments: a length that grew with it would move every cut at every sweep.
pub(super) fn cut(replicas: &[Replica<'_>], from: At, to: At, interval_s: f64, targets: Targets) -> Vec<Slice> {
    let whole = to.since(from);
    if whole <= 0.0 {
        return Vec::new();
    }
    let mut length = SHORTEST_S.max(interval_s);
    while whole / length > MOST {
        length *= 2.0;
    }
    #[expect(clippy::cast_possible_truncation, reason = "seconds of a slice, in milliseconds")]
    let step = (length * 1000.0).ceil() as i64;
    let mut slices = Vec::new();
    let mut start = from;
    while start < to {
        let end = At((start.0.div_euclid(step) + 1) * step).min(to);
        slices.push(Slice {
            from: start,
            to: end,
            ttft: Events::default(),
            itl: Events::default(),
            tokens: 0.0,
            running: None,
            waiting: None,
            kv: None,
        });
        start = end;
    }
    let mix = Mix::of(replicas);
    // Where two pools tell of a first token: what each of them counted, by slice.
    let mut parts: Vec<[Option<Histogram>; 2]> =
        if mix.is_joint() { vec![[None, None]; slices.len()] } else { Vec::new() };
    for replica in replicas {
        let mut before: Option<&Point> = None;
        let mut index = 0;
        for point in replica.points(from, to) {
            while index + 1 < slices.len() && point.at > slices[index].to {
                index += 1;
            }
            if let Some(earlier) = before {
                count_into(&mut slices[index], (earlier, point), targets, |dist| {
                    mix.of_dist(dist, replica.pool) == Told::Whole
                });
                if let Some(parts) = parts.get_mut(index)
                    && let Some(later) = point.values.dist(Dist::Ttft)
                {
                    let part = &mut parts[usize::from(mix.of_dist(Dist::Ttft, replica.pool) == Told::Whole)];
                    part.get_or_insert_with(|| Histogram::empty(later.bounds))
                        .add_between(earlier.values.dist(Dist::Ttft), later);
                }
            }
            before = Some(point);
        }
        levels(&mut slices, *replica, interval_s, !mix.tells_tokens(replica.pool));
    }
    for (slice, parts) in slices.iter_mut().zip(&parts) {
        let [Some(first), second] = parts else { continue };
        let whole = second.as_ref().map_or_else(|| first.clone(), |second| Joint::of(first, second).earliest);
        let bad = whole.above(targets.ttft.seconds).map_or(slice.ttft.bad, |late| late.at_least);
        slice.ttft = Events { count: whole.count, sum: whole.sum, bad };
    }
    slices
}

/// Adds what a replica counted between two readings, of what its word counts for.
fn count_into(slice: &mut Slice, (earlier, later): (&Point, &Point), targets: Targets, tells: impl Fn(Dist) -> bool) {
    let events = |dist, target: f64| {
        if !tells(dist) {
            return Events::default();
        }
        let Some(b) = later.values.dist(dist) else { return Events::default() };
        let (count, sum, bad) = b.late_since(earlier.values.dist(dist), target);
        Events { count, sum, bad }
    };
    let total = |total| match (earlier.values.total(total), later.values.total(total)) {
        (a, Some(b)) => Some(b - a.unwrap_or(0.0)),
        _ => None,
    };
    for (into, from) in [
        (&mut slice.ttft, events(Dist::Ttft, targets.ttft.seconds)),
        (&mut slice.itl, events(Dist::Itl, targets.tpot.seconds)),
    ] {
        into.count += from.count;
        into.sum += from.sum;
        into.bad += from.bad;
    }
    if !tells(Dist::Itl) {
        return;
    }
    slice.tokens += total(Total::LiveTokens).or_else(|| total(Total::GenerationTokens)).unwrap_or(0.0);
}

/// Adds a replica's gauges at the end of each slice, where it was read not long before.
fn levels(slices: &mut [Slice], replica: Replica<'_>, interval_s: f64, prompts_only: bool) {
    let points = replica.track.points();
    let mut past = 0;
    for slice in slices {
        past += points.range(past..).take_while(|p| p.at <= slice.to).count();
        let Some(point) = past.checked_sub(1).map(|last| &points[last]) else { continue };
        if slice.to.since(point.at) > 3.0 * interval_s.max(SHORTEST_S) {
            continue;
        }
        let add = |into: &mut Option<f64>, gauge| {
            if let Some(value) = point.values.gauge(gauge) {
                *into = Some(into.unwrap_or(0.0) + value);
            }
        };
        // The batch is that of the tokens: prompts that are computed elsewhere share no step with them.
        if !prompts_only {
            add(&mut slice.running, Gauge::Running);
        }
        add(&mut slice.waiting, Gauge::Waiting);
        if let Some(value) = point.values.gauge(Gauge::KvUsage) {
            slice.kv = Some(slice.kv.unwrap_or(0.0).max(value));
        }
    }
}
