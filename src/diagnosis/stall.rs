//! Stretches in which work was there and nothing moved, or nobody answered. A stalled engine looks like an idle one:
//! health and metrics answer, all counters are flat. What gives it away is named in each spell.

use super::span::Replica;
use crate::domain::{At, Dist, Failure, Gauge, Outcome, Point, Total, Track};

/// How a stall was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Witness {
    /// Requests were running or held open, and no token came.
    WorkWithoutTokens,
    /// Connections piled up at the front end while the engine said that it was idle.
    ConnectionsWithoutWork,
    /// Afterwards, first tokens came all at once that had been waited for as long as nothing moved.
    BurstAfterSilence,
    /// The process accepted connections and did not answer.
    NoAnswer,
    /// Health probes that run through the scheduler did not answer.
    ProbeHung,
    /// Requests of our own got no token, and no work was done meanwhile.
    OwnRequestHung,
    /// Connections were refused: loading or crashed.
    Refused,
}

/// One stretch of one endpoint.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spell<'a> {
    pub(super) replica: Option<Replica<'a>>,
    pub(super) endpoint: &'a crate::domain::Endpoint,
    pub(super) witness: Witness,
    pub(super) from: At,
    pub(super) to: At,
    /// Whether it reaches to the last thing known.
    pub(super) on: bool,
    /// Requests caught in it, where that can be said.
    pub(super) requests: Option<f64>,
}

/// No token for this long while a request runs is no long step any more: steps take milliseconds, and the longest
/// prompt that fits an engine takes seconds.
pub(super) const SILENCE_S: f64 = 8.0;
/// Connections that were opened since nothing moves. Those that stood before may be a gateway's idle pool.
pub(super) const OPENED: f64 = 4.0;
/// The mean wait of the burst after a silence, as a share of it: requests that arrived evenly waited half of it.
const BURST_SHARE: f64 = 0.25;

pub(super) fn find<'a>(
    replicas: &[Replica<'a>],
    endpoints: &[&'a crate::domain::Endpoint],
    from: At,
    now: At,
) -> Vec<Spell<'a>> {
    let mut spells = Vec::new();
    for endpoint in endpoints {
        unanswered(endpoint, from, now, &mut spells);
        own_requests(endpoint, from, now, &mut spells);
    }
    for replica in replicas {
        silences(*replica, from, now, &mut spells);
    }
    spells.sort_by_key(|s| s.from);
    spells
}

/// Stretches of failed attempts of one kind.
fn unanswered<'a>(endpoint: &'a crate::domain::Endpoint, from: At, now: At, spells: &mut Vec<Spell<'a>>) {
    let kind = |outcome: &Outcome| match outcome {
        Outcome::Failed(Failure::TimedOut { connected: true, .. }) => Some(Witness::NoAnswer),
        Outcome::ProbeFailed(Failure::TimedOut { connected: true, .. }) => Some(Witness::ProbeHung),
        o if o.is_absence() => Some(Witness::Refused),
        _ => None,
    };
    for witness in [Witness::NoAnswer, Witness::ProbeHung, Witness::Refused] {
        let mut run: Option<(At, At, u32)> = None;
        let mut last_end = None;
        let mut answered_before = false;
        let mut close = |run: &mut Option<(At, At, u32)>, end: Option<At>, answered_before: bool| {
            let Some((start, last, count)) = run.take() else { return };
            // What is on lasts until now, whether or not the next attempt has failed already.
            let end_at = end.unwrap_or(now.max(last));
            let enough = count >= 2 && end_at.since(start) >= SILENCE_S;
            // Who never answered is not known to be an engine that stopped.
            if enough && end_at >= from && answered_before {
                spells.push(Spell {
                    replica: None,
                    endpoint,
                    witness,
                    from: start,
                    to: end_at.min(now),
                    on: end.is_none(),
                    requests: None,
                });
            }
        };
        let probes_only = witness == Witness::ProbeHung;
        for attempt in endpoint.attempts.iter().filter(|a| a.at <= now) {
            let timeout = match &attempt.outcome {
                Outcome::Failed(Failure::TimedOut { after_ms, .. })
                | Outcome::ProbeFailed(Failure::TimedOut { after_ms, .. }) => *after_ms as f64 / 1000.0,
                _ => 0.0,
            };
            if kind(&attempt.outcome) == Some(witness) {
                let run = run.get_or_insert((attempt.at, attempt.at, 0));
                run.1 = attempt.at.plus(timeout).min(now);
                run.2 += 1;
            } else if matches!(attempt.outcome, Outcome::Page | Outcome::Torn) {
                // A page ends every silence but that of the probes: metrics are served by a thread of their own.
                if !probes_only || run.is_some_and(|(_, last, _)| attempt.at.since(last) > SILENCE_S) {
                    close(&mut run, Some(attempt.at), answered_before);
                }
                answered_before = true;
            }
            last_end = Some(attempt.at);
        }
        let on = run.is_some_and(|(_, last, _)| last_end.is_some_and(|end| end.since(last) < SILENCE_S));
        let end = if on { None } else { run.map(|(_, last, _)| last) };
        // A pod that is gone was taken away: that it does not answer any more is no stall.
        if !endpoint.gone {
            close(&mut run, end, answered_before);
        }
    }
}

/// Stretches in which requests of our own got no token while no counter of work moved. One that waits in a queue gets none
/// either; but there work is done meanwhile. Where no page says whether it was, nothing is known.
fn own_requests<'a>(endpoint: &'a crate::domain::Endpoint, from: At, now: At, spells: &mut Vec<Spell<'a>>) {
    let worked = |from: At, to: At| endpoint.tracks.iter().any(|t| pages(t, from, to).any(|(a, b)| moved(a, b)));
    let stood =
        |from: At, to: At| !worked(from, to) && endpoint.tracks.iter().any(|t| pages(t, from, to).next().is_some());
    let mut runs: Vec<(At, At, f64)> = Vec::new();
    let mut open = false;
    for attempt in endpoint.attempts.iter().filter(|a| a.at <= now) {
        match &attempt.outcome {
            Outcome::Unanswered(Failure::TimedOut { connected: true, after_ms }) => {
                let end = attempt.at.plus(*after_ms as f64 / 1000.0).min(now);
                if !stood(attempt.at, end) {
                    open = false;
                } else if let Some(run) = runs.last_mut().filter(|run| open && !worked(run.1, attempt.at)) {
                    (run.1, run.2) = (end, run.2 + 1.0);
                } else {
                    runs.push((attempt.at, end, 1.0));
                    open = true;
                }
            }
            Outcome::Answered => open = false,
            // That it was refused or not allowed says nothing of what goes on behind.
            _ => {}
        }
    }
    for (nth, (start, end, count)) in runs.iter().copied().enumerate() {
        let on = open && nth + 1 == runs.len() && !worked(end, now) && !endpoint.gone;
        let to = if on { now } else { end };
        if to.since(start) >= SILENCE_S && to >= from {
            let (witness, requests) = (Witness::OwnRequestHung, Some(count));
            spells.push(Spell { replica: None, endpoint, witness, from: start, to, on, requests });
        }
    }
}

/// The pages of a stretch, each with the one before it.
fn pages(track: &Track, from: At, to: At) -> impl Iterator<Item = (&Point, &Point)> {
    let points = track.points();
    let (first, end) = (points.partition_point(|p| p.at < from), points.partition_point(|p| p.at <= to));
    (first + 1..end).map(|i| (&points[i - 1], &points[i]))
}

/// Stretches between pages in which no counter of work moved.
fn silences<'a>(replica: Replica<'a>, from: At, now: At, spells: &mut Vec<Spell<'a>>) {
    let system = replica.endpoint.system.as_ref();
    let lag = f64::from(system.map_or(0, |s| s.gauges_lag_s));
    let files = |p: &Point| p.values.gauge(Gauge::OpenFiles).filter(|_| system.is_some_and(|s| s.open_files_witness));
    let points = replica.track.points();
    let known = points.partition_point(|p| p.at <= now);
    let mut start = 0;
    for i in 1..=known {
        if i < known && !moved(&points[i - 1], &points[i]) && points[i].epoch == points[start].epoch {
            continue;
        }
        // points[start..i] are flat; points[i], if it is known, is where work moved again.
        let (first, last, flat) = (&points[start], &points[i - 1], start..i);
        start = i;
        let (on, length) = (i == known, last.at.since(first.at));
        if length < SILENCE_S || flat.len() < 3 || last.at < from || (on && replica.endpoint.gone) {
            continue;
        }
        // The first reading may still show a request whose last token had just been counted.
        let mut later = points.range(flat.start + 1..flat.end);
        let gauge = |p: &Point, g| p.values.gauge(g).unwrap_or(0.0);
        let held = |p: &Point| gauge(p, Gauge::Running) + gauge(p, Gauge::Waiting);
        let in_flight = last.values.gauge(Gauge::InFlight);
        let busy = later.clone().all(|p| held(p) >= 1.0);
        let in_http = later.all(|p| p.values.gauge(Gauge::InFlight).is_none_or(|n| n >= 1.0));
        let patience = SILENCE_S + if in_flight.is_none() { lag } else { 0.0 };
        // What the front end opened since nothing moves: each connection is a request that nobody works on.
        let opened = files(last).zip(files(first)).map_or(0.0, |(now, then)| now - then);
        let found = if busy && in_http && length >= patience {
            Some((Witness::WorkWithoutTokens, held(last).max(opened)))
        } else if opened >= OPENED + held(last) && as_requests(points.range(..known), flat.clone(), files) {
            Some((Witness::ConnectionsWithoutWork, opened))
        } else if on {
            None
        } else {
            burst(last, &points[i], length).map(|n| (Witness::BurstAfterSilence, n))
        };
        if let Some((witness, requests)) = found {
            let to = if on { now } else { points[i].at };
            let (replica, endpoint) = (Some(replica), replica.endpoint);
            spells.push(Spell { replica, endpoint, witness, from: first.at, to, on, requests: Some(requests) });
        }
    }
}

/// Whether connections were opened as fast as requests came before the silence. A pool that grows by one every minute,
/// or a prober that opens a few at midnight, is no pile of requests. What was opened by then counts: clients that all
/// hang open no more.
fn as_requests<'p>(
    points: impl Iterator<Item = &'p Point> + Clone,
    flat: std::ops::Range<usize>,
    files: impl Fn(&Point) -> Option<f64>,
) -> bool {
    /// Requests may share a connection, one after the other.
    const SHARE: f64 = 0.25;
    /// The rate to expect where none was seen before, and the least one (1/s): in a trickle a silence means nothing.
    const UNKNOWN_RATE: f64 = 1.0;
    const LEAST_RATE: f64 = 0.2;
    /// How far back the rate before is read (s): the judged window's usual length.
    const BACK_S: f64 = 300.0;
    let silent: Vec<&Point> = points.clone().skip(flat.start).take(flat.len()).collect();
    let (Some(first), Some(last)) = (silent.first(), silent.last()) else { return false };
    let requests = |p: &Point| p.values.dist(Dist::Ttft).map_or(0.0, |h| h.count);
    let earlier = points.take(flat.start).find(|p| first.at.since(p.at) <= BACK_S && p.epoch == first.epoch);
    let rate = earlier.map_or(UNKNOWN_RATE, |e| (requests(first) - requests(e)) / first.at.since(e.at)).max(LEAST_RATE);
    let (Some(base), Some(end)) = (files(first), files(last)) else { return false };
    silent.iter().any(|p| {
        let opened = files(p).map_or(0.0, |f| f.min(end) - base);
        opened >= OPENED.max(SHARE * rate * p.at.since(first.at))
    })
}

/// Whether any counter of work moved between two readings.
fn moved(a: &Point, b: &Point) -> bool {
    let total = |t| a.values.total(t) != b.values.total(t);
    let dist = |d: Dist| a.values.dist(d).map(|h| h.count) != b.values.dist(d).map(|h| h.count);
    total(Total::GenerationTokens)
        || total(Total::LiveTokens)
        || total(Total::Steps)
        || dist(Dist::Ttft)
        || dist(Dist::Itl)
}

/// How many first tokens came right after a silence of `length` seconds that had been waited for as long as nothing
/// moved, and not in the queue.
fn burst(before: &Point, after: &Point, length: f64) -> Option<f64> {
    let (a, b) = (before.values.dist(Dist::Ttft), after.values.dist(Dist::Ttft)?);
    let count = b.count - a.map_or(0.0, |h| h.count);
    let sum = b.sum - a.map_or(0.0, |h| h.sum);
    // Who came after the last flat reading waited no longer than since then, and was not there in the silence.
    let least = (BURST_SHARE * length).max(after.at.since(before.at));
    (count >= 2.0 && sum / count >= least).then_some(count)
}
