//! What a gateway saw of the same requests: its own time, its errors, and since when they are too many.

use super::Targets;
use super::episode::{self, MERGE_S};
use super::slo::over_budget;
use super::span::{Level, Replica, Span};
use crate::domain::{At, Dist, Gauge, Role, Snapshot, Total};

/// The gateway's own time, as a share of the target, from which it is worth a look.
const NOTICEABLE: f64 = 0.25;
/// The share of an answer's time that has passed when its first byte comes: of one that streams it is what the first token
/// took, of one that is held back nearly all.
pub(super) const HELD: f64 = 0.8;
/// Steps of time in which it is judged: a single page may hold a single request (s).
const STEP_S: f64 = 15.0;
/// Steps that a history is looked at in, at most.
const MOST_STEPS: f64 = 720.0;
/// A trouble that ended longer ago is over (s).
const OVER_S: f64 = 60.0;
/// What counts as the end of a trouble (s).
const LATELY_S: f64 = 15.0;
/// Requests that a comparison needs: of five that stream none has waited for most of its answer.
pub(super) const ENOUGH: f64 = 5.0;

/// The gateways in front of the engines, over the judged window.
#[derive(Debug, Clone)]
pub(super) struct Gateway<'a> {
    pub(super) tracks: Vec<Replica<'a>>,
    pub(super) window: Span,
    /// The stretch in which it was in trouble, and whether that is on.
    pub(super) trouble: Option<(At, At, bool)>,
    pub(super) during: Span,
    /// The end of that stretch: who ended at its beginning had come before it.
    pub(super) lately: Span,
    pub(super) before: Option<Span>,
    pub(super) pending: Option<Level>,
    pub(super) healthy: Option<Level>,
    pub(super) last: Option<At>,
}

impl<'a> Gateway<'a> {
    pub(super) fn of(snapshot: &'a Snapshot, from: At, targets: Targets, incident: Option<At>) -> Option<Self> {
        let now = snapshot.now;
        let tracks: Vec<Replica<'a>> = snapshot
            .of_role(Role::Gateway)
            .flat_map(|endpoint| endpoint.tracks.iter().map(move |track| Replica { endpoint, track, pool: None }))
            .collect();
        let first = tracks.iter().filter_map(|r| r.track.points().front()).map(|p| p.at).min()?;
        let window = Span::between(&tracks, from, now).unwrap_or_default();
        // Where somebody else takes its samples, nothing is known of shorter stretches.
        let paced_s = tracks.iter().filter_map(|r| r.endpoint.paced_s).fold(0.0, f64::max);
        let trouble = trouble(&tracks, (first, now), paced_s, targets).filter(|t| t.1 > from);
        let (since, until) = trouble.map_or((incident.unwrap_or(from), now), |(s, e, _)| (s, e));
        let during = Span::between(&tracks, since, until).unwrap_or_default();
        let lately = Span::between(&tracks, until.plus(-LATELY_S.max(paced_s)).max(since), until).unwrap_or_default();
        let before = (since > first).then(|| Span::between(&tracks, first, since)).flatten();
        let before = before
            .filter(|s| s.count(Dist::GatewayTotal).max(s.total(Total::GatewayRequests).unwrap_or(0.0)) >= ENOUGH);
        let gap = 4.0 * snapshot.interval_s.max(paced_s).max(10.0);
        let level = |gauge| Level::of(&tracks, gauge, from, now, gap);
        let (pending, healthy) = (level(Gauge::GatewayPending), level(Gauge::GatewayHealthy));
        let last = tracks.iter().filter_map(|r| r.track.at_or_before(now)).map(|p| p.at).max();
        Some(Self { tracks, window, trouble, during, lately, before, pending, healthy, last })
    }

    /// The family that stands for a quantity.
    pub(super) fn source(&self, quantity: &str) -> String {
        super::slo::series(&self.tracks, quantity).unwrap_or_else(|| quantity.to_owned())
    }
}

/// The gateway's own time per request: what it took less what it waited for engines. Both reach to the last byte, so that
/// decode cancels out. `None` where one of them is not measured.
pub(super) fn overhead(span: &Span) -> Option<f64> {
    let own = span.mean(Dist::GatewayTotal)? - span.mean(Dist::GatewayUpstream)?;
    Some(own.max(0.0))
}

/// Requests, and those that the gateway answered with a server's error.
pub(super) fn errors(span: &Span) -> Option<(f64, f64)> {
    let requests = span.total(Total::GatewayRequests)?;
    Some((requests, span.total(Total::GatewayErrors).unwrap_or(0.0)))
}

/// The stretch in which it took long or answered with errors: the one that is on, else the last.
fn trouble(tracks: &[Replica<'_>], (first, now): (At, At), paced_s: f64, targets: Targets) -> Option<(At, At, bool)> {
    let mut stretches: Vec<(At, At)> = Vec::new();
    // A war room that is open for days looks less closely, and not longer and longer.
    let step = STEP_S.max(paced_s).max(now.since(first) / MOST_STEPS);
    let mut start = first;
    while start < now {
        let end = start.plus(step).min(now);
        let span = Span::between(tracks, start, end);
        let slow = |s: &Span| overhead(s).is_some_and(|o| o > NOTICEABLE * targets.ttft.seconds);
        let failing = |s: &Span| errors(s).is_some_and(|(all, bad)| over_budget(bad, all, targets.ttft.budget()));
        // Behind engines that are slow it looks the same: who looks closer knows what they took.
        let held = |s: &Span| {
            let enough = s.count(Dist::GatewayTtft) >= ENOUGH;
            let means = s.mean(Dist::GatewayTtft).zip(s.mean(Dist::GatewayTotal));
            enough
                && means
                    .is_some_and(|(first, whole)| first >= HELD * whole && first > NOTICEABLE * targets.ttft.seconds)
        };
        if span.is_some_and(|s| slow(&s) || failing(&s) || held(&s)) {
            match stretches.last_mut() {
                Some((_, last)) if start.since(*last) < MERGE_S.max(2.0 * step) => *last = end,
                _ => stretches.push((start, end)),
            }
        }
        start = end;
    }
    let (from, to) = stretches.pop()?;
    let on = now.since(to) < OVER_S.min(episode::MERGE_S).max(2.0 * paced_s);
    Some((from, to, on))
}
