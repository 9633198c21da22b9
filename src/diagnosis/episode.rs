//! Since when, until when, and which way it goes: read off the slices.

use super::slices::{Events, Slice};
use super::span::median;
use crate::domain::{At, Trend};

/// A stretch of time in which events came late.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Episode {
    /// The start of the first slice with late events.
    pub since: At,
    /// The end of the last one, where the episode is over.
    pub until: Option<At>,
    /// Late events in it.
    pub bad: f64,
    /// Which way it goes.
    pub trend: Trend,
}

/// Two stretches with less quiet between them than this are one episode: a saturated service has good moments.
pub(super) const MERGE_S: f64 = 30.0;
/// Nothing late for this long ends an episode: at least so long, and so many times the mean time between two late
/// events of it, for a quiet that chance brings about (e^-3 = 5 %) is no end.
pub(super) const QUIET_S: f64 = 10.0;
const QUIET_EVENTS: f64 = 3.0;
/// Over how much of the recent past a trend is read.
const TREND_S: f64 = 60.0;
/// A change of the level by this much over the trend's stretch is a trend, and less is noise.
const TREND_CHANGE: f64 = 0.25;

/// The episode that matters to a window: the one that is still on, else the one with the most late events. It may have
/// begun before the window. `late(slice)` is how many
/// events of a slice were late beyond the budget; `waiting_late` how many requests are late already and still wait.
pub(super) fn find(
    slices: &[Slice],
    (from, now): (At, At),
    late: impl Fn(&Slice) -> f64,
    waiting_late: f64,
) -> Option<Episode> {
    let mut episodes = stretches(slices, late);
    if waiting_late > 0.0 {
        // Late already, though no histogram has seen it: the episode reaches to now.
        match episodes.last_mut() {
            Some((_, end, sum)) if now.since(*end) < MERGE_S => {
                *end = now;
                *sum += waiting_late;
            }
            _ => {
                let start = slices.last().map_or(now, |s| s.from);
                episodes.push((start, now, waiting_late));
            }
        }
    }
    episodes.retain(|(_, end, _)| *end > from);
    let on = |(start, end, bad): (At, At, f64)| {
        now.since(end) < QUIET_S.max(QUIET_EVENTS * end.since(start) / bad).min(MERGE_S)
    };
    let chosen = episodes.iter().find(|e| on(**e)).or_else(|| episodes.iter().max_by(|a, b| a.2.total_cmp(&b.2)))?;
    let (since, end, bad) = *chosen;
    let over = !on(*chosen);
    let trend = if over { Trend::Over } else { direction(slices, since, now) };
    Some(Episode { since, until: over.then_some(end), bad, trend })
}

/// The stretches with late events, those with little quiet between them as one: (start, end, late events).
pub(super) fn stretches(slices: &[Slice], late: impl Fn(&Slice) -> f64) -> Vec<(At, At, f64)> {
    let mut episodes: Vec<(At, At, f64)> = Vec::new();
    for slice in slices {
        let bad = late(slice);
        if bad <= 0.0 {
            continue;
        }
        match episodes.last_mut() {
            Some((_, end, sum)) if slice.from.since(*end) < MERGE_S => {
                *end = slice.to;
                *sum += bad;
            }
            _ => episodes.push((slice.from, slice.to, bad)),
        }
    }
    episodes
}

/// When an episode broke the objective for the last time: where a stray late event or two were followed by enough good
/// ones, the break came later. Page's cumulative sum over the slices (E. S. Page, 1954) of how much likelier their events
/// are at three times the budget's share of late ones than at the budget's: it falls with good events, to nothing at
/// least; it rises with late ones, to twice the alarm at most, so that an end can be seen after however long a breach.
/// An onset is where it left nothing before its alarm. What comes later does not move that: only good events for minutes
/// (at 99 %, some 450 in a row) and another alarm make it another onset.
pub(super) fn broke(slices: &[Slice], episode: Episode, budget: f64, events: impl Fn(&Slice) -> Events) -> At {
    /// Likelier by so much that chance brings it about once in a hundred times.
    const ALARM: f64 = 4.605;
    /// The share of a broken objective in budgets: from about twice the budget on it speaks for a break.
    const BEYOND: f64 = 3.0;
    /// A slice counts as no more events than this: those of one moment share its steps and its queue.
    const AT_ONCE: f64 = 20.0;
    let expected = budget.clamp(1e-6, 0.98);
    let broken = (BEYOND * expected).min(f64::midpoint(1.0, expected));
    let (of_late, of_good) = ((broken / expected).ln(), ((1.0 - broken) / (1.0 - expected)).ln());
    let (mut sum, mut left, mut onset) = (0.0_f64, None, None);
    let end = episode.until.unwrap_or(At(i64::MAX));
    for slice in slices.iter().filter(|s| s.from >= episode.since && s.to <= end) {
        let Events { count, bad, .. } = events(slice);
        let weight = (AT_ONCE / count.max(bad)).min(1.0);
        sum = (sum + weight * (bad * of_late + (count - bad).max(0.0) * of_good)).clamp(0.0, 2.0 * ALARM);
        if sum <= 0.0 {
            left = None;
            continue;
        }
        let start = *left.get_or_insert(slice.from);
        if sum >= ALARM {
            onset = Some(start);
        }
    }
    onset.unwrap_or(episode.since)
}

/// Which way the level goes over the last [`TREND_S`] of the episode: the waiting requests where they are known and there
/// are any, else the mean time to first token.
fn direction(slices: &[Slice], since: At, now: At) -> Trend {
    let from = if now.since(since) > TREND_S { now.plus(-TREND_S) } else { since };
    let recent: Vec<&Slice> = slices.iter().filter(|s| s.to > from).collect();
    let points = |f: &dyn Fn(&Slice) -> Option<f64>| -> Vec<(f64, f64)> {
        recent.iter().filter_map(|s| f(s).map(|v| (s.to.since(from), v))).collect()
    };
    let waiting = points(&|s| s.waiting);
    let series = if waiting.iter().any(|(_, w)| *w >= 1.0) { waiting } else { points(&|s| s.ttft.mean()) };
    let Some(slope) = theil_sen(&series) else { return Trend::Steady };
    let mut levels: Vec<f64> = series.iter().map(|(_, v)| *v).collect();
    let level = median(&mut levels).unwrap_or(0.0).max(1e-9);
    let change = slope * now.since(from) / level;
    if change > TREND_CHANGE {
        Trend::Rising
    } else if change < -TREND_CHANGE {
        Trend::Recovering
    } else {
        Trend::Steady
    }
}

/// The median of the slopes between all pairs of points (Theil–Sen): one outlier does not turn it.
fn theil_sen(points: &[(f64, f64)]) -> Option<f64> {
    let mut slopes = Vec::new();
    for (i, (x0, y0)) in points.iter().enumerate() {
        for (x1, y1) in &points[i + 1..] {
            if x1 > x0 {
                slopes.push((y1 - y0) / (x1 - x0));
            }
        }
    }
    median(&mut slopes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slice(i: i64, bad: f64, count: f64, waiting: f64) -> Slice {
        Slice {
            from: At(i * 5000),
            to: At((i + 1) * 5000),
            ttft: Events { count, sum: count * (0.1 + bad), bad },
            itl: Events::default(),
            tokens: 0.0,
            running: Some(2.0),
            waiting: Some(waiting),
            kv: None,
        }
    }

    #[test]
    fn a_good_moment_does_not_end_an_episode_and_quiet_does() {
        let mut slices: Vec<Slice> = (0..5).map(|i| slice(i, 0.0, 5.0, 0.0)).collect();
        slices.push(slice(5, 4.0, 5.0, 9.0));
        slices.push(slice(6, 0.0, 0.0, 9.0));
        slices.push(slice(7, 5.0, 5.0, 9.0));
        slices.extend((8..12).map(|i| slice(i, 0.0, 5.0, 0.0)));
        let episode = find(&slices, (At(0), At(60_000)), |s| s.ttft.bad, 0.0).unwrap();
        assert_eq!((episode.since, episode.until, episode.trend), (At(25_000), Some(At(40_000)), Trend::Over));
    }

    #[test]
    fn more_and_more_waiting_is_rising_and_fewer_is_recovering() {
        let grow: Vec<Slice> = (0..6).map(|i| slice(i, 3.0, 5.0, f64::from(i32::try_from(i).unwrap()) * 5.0)).collect();
        assert_eq!(find(&grow, (At(0), At(30_000)), |s| s.ttft.bad, 0.0).unwrap().trend, Trend::Rising);
        let shrink: Vec<Slice> =
            (0..6).map(|i| slice(i, 3.0, 5.0, 30.0 - f64::from(i32::try_from(i).unwrap()) * 5.0)).collect();
        assert_eq!(find(&shrink, (At(0), At(30_000)), |s| s.ttft.bad, 0.0).unwrap().trend, Trend::Recovering);
    }

    #[test]
    fn stray_late_events_before_a_breach_are_no_part_of_it_and_later_evidence_does_not_move_its_onset() {
        let mut slices: Vec<Slice> = Vec::new();
        // One late request in a while, each within the merging distance of the next, then the break.
        for i in 0..20 {
            slices.push(slice(i, if i % 5 == 0 { 1.0 } else { 0.0 }, 20.0, 0.0));
        }
        slices.extend((20..100).map(|i| slice(i, if i % 3 == 0 { 0.0 } else { 4.0 }, 10.0, 0.0)));
        for known in 23..=100 {
            let known = &slices[..known];
            let now = known.last().unwrap().to;
            let episode = find(known, (At(0), now), |s| s.ttft.bad, 0.0).unwrap();
            assert_eq!(episode.since, At(0), "the stretch begins with the first of them");
            assert_eq!(broke(known, episode, 0.01, |s| s.ttft), At(100_000), "as of {now:?}");
        }
    }

    #[test]
    fn a_breach_that_heals_and_breaks_again_begins_anew_and_single_late_events_prove_none() {
        let bad = |i: i64| if (2..6).contains(&i) || (30..40).contains(&i) { 5.0 } else { 0.0 };
        // Good moments long enough in events, and too short in time to be an end by themselves.
        let slices: Vec<Slice> =
            (0..40).map(|i| slice(i, bad(i), if (6..30).contains(&i) { 50.0 } else { 10.0 }, 0.0)).collect();
        let whole = Episode { since: At(10_000), until: None, bad: 70.0, trend: Trend::Steady };
        assert_eq!(broke(&slices, whole, 0.01, |s| s.ttft), At(150_000));
        assert_eq!(broke(&slices[..20], whole, 0.01, |s| s.ttft), At(10_000), "a good moment is no new onset");
        let strays: Vec<Slice> = (0..20).map(|i| slice(i, if i % 4 == 0 { 1.0 } else { 0.0 }, 20.0, 0.0)).collect();
        let episode = Episode { since: At(0), ..whole };
        assert_eq!(broke(&strays, episode, 0.01, |s| s.ttft), At(0), "without an alarm it is the first of them");
    }
}
