//! What happens before the engine: the gateway's own time, its errors, and how it spreads requests.

use super::buffering::gateway_buffering;
use super::{Split, finding, stalled_worst};
use crate::diagnosis::facts::Facts;
use crate::diagnosis::format::{number, percent, seconds};
use crate::diagnosis::gateway::{Gateway, errors, overhead};
use crate::diagnosis::slo::over_budget;
use crate::diagnosis::span::{Level, Replica, Span};
use crate::diagnosis::{Evidence, Finding, Metric, Op, Subject};
use crate::domain::{Cause, Code, Confidence, Dist, Gauge, Mechanism, Phase, Severity, Total};

/// The gateway's own time, as a share of the target, from which it matters.
const NOTICEABLE: f64 = 0.25;
/// How many times what it was before it must be.
const MORE: f64 = 1.5;
/// Requests that a mean needs.
const ENOUGH: f64 = 10.0;

/// Evidence of a gateway's page.
pub(super) fn from_gateway(
    facts: &Facts<'_>,
    gateway: &Gateway<'_>,
    quantity: &str,
    mut evidence: Evidence,
) -> Evidence {
    evidence.source = gateway.source(quantity);
    evidence.at = gateway.last.unwrap_or(facts.now);
    evidence.reproduce = gateway
        .tracks
        .first()
        .filter(|r| !r.endpoint.reproduce.is_empty())
        .map(|r| format!("{} | grep -F '{}'", r.endpoint.reproduce, evidence.source));
    evidence
}

/// The gateway itself takes time. Behind an engine that hangs nothing is known of the gateway: it waits, gives up and
/// tries another one.
pub(super) fn slow(facts: &Facts<'_>, _: &Split) -> Option<Finding> {
    let gateway = facts.gateway.as_ref()?;
    gateway.trouble.filter(|_| stalled_worst(facts).is_none())?;
    let own = overhead(&gateway.during)?;
    let count = gateway.during.count(Dist::GatewayTotal);
    let before = gateway.before.as_ref().and_then(overhead);
    let target = facts.targets.ttft.seconds;
    if count < ENOUGH || own < NOTICEABLE * target || before.is_some_and(|b| own < MORE * b) {
        return None;
    }
    let was = before.map_or(String::new(), |b| format!(", {} before", seconds(b)));
    let engine = facts
        .during
        .mean(Dist::Ttft)
        .map_or(String::new(), |t| format!("; the engines' first token takes {}", seconds(t)));
    let summary = format!("the gateway itself adds {} to a request{was}{engine}", seconds(own));
    let mut found = finding(facts, Code::Mechanism(Mechanism::GatewayOverhead), Phase::Gateway, summary);
    // Its mean alone is over the target: more than one in a hundred is late whatever the engines do.
    let lately = overhead(&gateway.lately).filter(|_| gateway.lately.count(Dist::GatewayTotal) >= ENOUGH);
    let broken = own >= target || lately.is_some_and(|l| l >= target);
    found.severity = if broken { Severity::Critical } else { Severity::Warning };
    found.confidence = if before.is_some() { Confidence::High } else { Confidence::Medium };
    found.explains_s = (own - before.unwrap_or(0.0)) * count;
    let claim = format!("downstream less upstream time: {} per request", seconds(own));
    found.evidence.push(from_gateway(
        facts,
        gateway,
        "gateway_total",
        facts.evidence(
            "",
            claim,
            own,
            Op::Over,
            Some((NOTICEABLE * target).max(before.unwrap_or(0.0) * MORE)),
            "s/request",
        ),
    ));
    found.evidence.push(engines_well(facts));
    if let Some(retries) = gateway.during.total(Total::GatewayRetries).filter(|r| *r > 0.1 * count) {
        let claim = format!("{} attempts were repeated: time of earlier attempts is in it", number(retries));
        found.evidence.push(from_gateway(
            facts,
            gateway,
            "gateway_retries",
            facts.evidence("", claim, retries, Op::Over, Some(0.1 * count), "attempts"),
        ));
    }
    found.surer = Some("the gateway's CPU and its connections, and the same request past it".to_owned());
    Some(found)
}

/// Whether the engines themselves are within their objective.
fn engines_well(facts: &Facts<'_>) -> Evidence {
    let mean = facts.during.mean(Dist::Ttft).unwrap_or(0.0);
    let claim = format!("the engines' own first token takes {}", seconds(mean));
    let mut evidence = facts.evidence("ttft", claim, mean, Op::Under, Some(facts.targets.ttft.seconds), "s/request");
    evidence.supports = !facts.late(Metric::Ttft);
    evidence
}

/// Errors of the gateway's own: what timed out at an engine and what an engine answered is not among them.
fn own_errors(facts: &Facts<'_>, gateway: &Gateway<'_>) -> Option<(f64, f64, f64)> {
    let (requests, bad) = errors(&gateway.during)?;
    let from_engines = facts.during.total(Total::HttpFailed).unwrap_or(0.0);
    let timeouts = gateway.during.total(Total::GatewayTimeouts).unwrap_or(0.0);
    // Where nobody serves, an error is what any gateway would answer.
    if facts.down() {
        return Some((requests, bad, 0.0));
    }
    let nobody = unanswered(facts, gateway);
    let explained =
        nobody + from_engines + if facts.late(Metric::Ttft) || facts.late(Metric::Tpot) { timeouts } else { 0.0 };
    Some((requests, bad, (bad - explained).max(0.0)))
}

/// Errors that fell into times in which no engine answered: any gateway would have given them.
pub(super) fn unanswered(facts: &Facts<'_>, gateway: &Gateway<'_>) -> f64 {
    let Some((from, to, _)) = gateway.trouble else { return 0.0 };
    let step = facts.max_gap_s / 2.0;
    let (mut start, mut sum) = (from, 0.0);
    while start < to {
        let end = start.plus(step).min(to);
        let answered = facts.engines().any(|r| r.points(start, end).any(|p| p.at > start));
        if !answered {
            let bad = Span::between(&gateway.tracks, start, end).as_ref().and_then(errors);
            sum += bad.map_or(0.0, |(_, bad)| bad);
        }
        start = end;
    }
    sum
}

/// The gateway answers with errors.
pub(super) fn failing(facts: &Facts<'_>, _: &Split) -> Option<Finding> {
    let gateway = facts.gateway.as_ref()?;
    gateway.trouble.filter(|_| stalled_worst(facts).is_none())?;
    let (requests, bad, own) = own_errors(facts, gateway)?;
    let budget = facts.targets.ttft.budget();
    if !over_budget(bad, requests, budget) || bad / requests < 2.0 * budget {
        return None;
    }
    let summary = format!(
        "{} of {} requests ({}) got an error at the gateway",
        number(bad),
        number(requests),
        percent(bad / requests)
    );
    let mut found = finding(facts, Code::Mechanism(Mechanism::GatewayErrors), Phase::Gateway, summary);
    found.severity = Severity::Critical;
    found.confidence = if own >= 0.5 * bad { Confidence::High } else { Confidence::Low };
    // Who got nothing weighs as much as who waited longest, as with requests that an engine turns away.
    found.explains_s = own * 2.0 * facts.targets.ttft.seconds.max(facts.during.mean(Dist::Ttft).unwrap_or(0.0));
    found.evidence.push(from_gateway(
        facts,
        gateway,
        "gateway_errors",
        facts.evidence(
            "",
            format!("{} answered with 5xx", number(bad)),
            bad / requests,
            Op::Over,
            Some(budget),
            "ratio",
        ),
    ));
    if let Some(failed) = facts.during.total(Total::HttpFailed) {
        let claim = format!("{} of them came from the engines", number(failed.min(bad)));
        let mut theirs = facts.evidence("http_failed", claim, failed, Op::Under, Some(0.5 * bad), "requests");
        theirs.supports = failed < 0.5 * bad;
        found.evidence.push(theirs);
    }
    if let Some(timeouts) = gateway.during.total(Total::GatewayTimeouts).filter(|t| *t >= 1.0) {
        let claim = format!("{} attempts on engines timed out", number(timeouts));
        let mut slow = from_gateway(
            facts,
            gateway,
            "gateway_timeouts",
            facts.evidence("", claim, timeouts, Op::Under, Some(0.5 * bad), "requests"),
        );
        slow.supports = timeouts < 0.5 * bad;
        found.evidence.push(slow);
    }
    Some(found)
}

/// The gateway is at fault: its engines are well, and it is not.
pub(super) fn fault(facts: &Facts<'_>, split: &Split) -> Option<Finding> {
    let gateway = facts.gateway.as_ref()?;
    if let Some(uneven) = imbalance(facts, split) {
        let summary = format!("{}: it does not spread them", uneven.summary);
        let mut cause = finding(facts, Code::Cause(Cause::GatewayFault), Phase::Gateway, summary);
        (cause.subject, cause.evidence) = (uneven.subject, uneven.evidence);
        cause.surer = Some("how the gateway spreads requests, sessions and tenants over the replicas".to_owned());
        return Some(cause);
    }
    if let Some(held) = gateway_buffering(facts, split) {
        let summary = "the engines stream, and the gateway in front of them does not".to_owned();
        let mut cause = finding(facts, Code::Cause(Cause::GatewayFault), Phase::Gateway, summary);
        (cause.severity, cause.confidence, cause.evidence) = (held.severity, held.confidence, held.evidence);
        cause.surer = held.surer;
        return Some(cause);
    }
    let overhead = slow(facts, split);
    let errors = failing(facts, split);
    let found = overhead.as_ref().or(errors.as_ref())?;
    let own = own_errors(facts, gateway).is_some_and(|(_, bad, own)| bad > 0.0 && own >= 0.5 * bad);
    if overhead.is_none() && !own {
        return None;
    }
    let mut cause = finding(
        facts,
        Code::Cause(Cause::GatewayFault),
        Phase::Gateway,
        "the engines answer, and the gateway in front of them is late or fails".to_owned(),
    );
    let well = !facts.late(Metric::Ttft) && !facts.late(Metric::Tpot);
    cause.confidence = if well { Confidence::High } else { Confidence::Medium };
    cause.severity = found.severity;
    cause.evidence.push(engines_well(facts));
    let answering = facts.serving.1;
    if let Some(healthy) = gateway.healthy {
        let answering_n = answering as f64;
        let claim = format!("the gateway has {} engines to send to, and {answering} answer", number(healthy.last));
        let fewer = facts.evidence("", claim, healthy.last, Op::Under, Some(answering_n), "engines");
        let mut fewer = from_gateway(facts, gateway, "gateway_healthy", fewer);
        fewer.supports = healthy.last < answering_n;
        cause.evidence.push(fewer);
    }
    cause.surer = Some("the gateway's log, and what was changed on it".to_owned());
    Some(cause)
}

/// The gateway favours some replicas: few are given many times what the others are, and they are the late ones.
pub(super) fn imbalance(facts: &Facts<'_>, split: &Split) -> Option<Finding> {
    let favoured = favoured(facts)?;
    let others =
        if favoured.names.len() > 1 { format!(" and {} more", favoured.names.len() - 1) } else { String::new() };
    let summary = format!(
        "{}{others} of {} replicas got {} times the requests of the others, and {} of the late ones",
        favoured.names[0],
        favoured.of,
        number(favoured.times),
        percent(favoured.share)
    );
    let mut found = finding(facts, Code::Mechanism(Mechanism::GatewayImbalance), Phase::Gateway, summary);
    found.subject = Subject { replica: favoured.names.first().cloned(), ..Subject::default() };
    found.explains_s = favoured.share * split.own();
    let claim = format!("requests given: {} times the median of the others", number(favoured.times));
    found.evidence.push(facts.evidence("ttft", claim, favoured.times, Op::Over, Some(favoured.needed), "ratio"));
    Some(found)
}

/// This many times what the others are given is favoured, and less may be chance or sessions.
const TIMES: f64 = 3.0;
/// It may be less where it was not so before: at twice the requests whoever was half busy has no time left.
const TWICE: f64 = 2.0;
/// Before, the most of them was given less than this many times what the others were.
const EVEN: f64 = 1.5;

/// Whether requests were spread evenly in the calm stretch before, over replicas that were all there.
fn was_even<'a>(facts: &Facts<'a>, replicas: impl Iterator<Item = Replica<'a>>) -> bool {
    let Some((from, to)) = facts.baseline.as_ref().and_then(|b| b.stretch) else { return false };
    let given = |r: Replica<'a>| {
        let there = !r.born_after(from);
        let (_, histogram) = Span::of_dist(&[r], Dist::Ttft, from, to)?;
        there.then_some(histogram.count)
    };
    let counts: Option<Vec<f64>> = replicas.map(given).collect();
    counts.is_some_and(|mut counts| {
        let most = counts.iter().copied().fold(0.0, f64::max);
        crate::diagnosis::span::median(&mut counts).is_some_and(|middle| middle >= MANY && most < EVEN * middle)
    })
}

/// Requests from which on it is no chance that they are spread evenly: one in ten more is two deviations.
const MANY: f64 = 100.0;

/// Whether a replica is among those that the gateway favours.
pub(super) fn favours(facts: &Facts<'_>, name: &str) -> bool {
    favoured(facts).is_some_and(|f| f.names.iter().any(|n| n == name))
}

/// Replicas that are given many times what the others are.
struct Favoured {
    names: Vec<String>,
    of: usize,
    /// Times the median of the others, and what it must be.
    times: f64,
    needed: f64,
    /// Their share of the late events.
    share: f64,
}

fn favoured(facts: &Facts<'_>) -> Option<Favoured> {
    /// They must have this share of what is late.
    const OWN: f64 = 0.6;
    /// More than this share of the replicas is no favour any more.
    const FEW: f64 = 1.0 / 3.0;
    facts.gateway.as_ref()?;
    if !facts.late(Metric::Ttft) {
        return None;
    }
    let (from, to) = facts.incident;
    let there = || facts.engines().filter(|r| !r.endpoint.gone && !r.born_after(from));
    let needed = if was_even(facts, there()) { TWICE } else { TIMES };
    let mut of_each: Vec<_> = there()
        .filter_map(|r| {
            let one = std::slice::from_ref(&r);
            let (_, histogram) = Span::of_dist(one, Dist::Ttft, from, to)?;
            // Who waits was given to it as well.
            let waiting = Level::of(one, Gauge::Waiting, from, to, facts.max_gap_s).map_or(0.0, |l| l.last);
            let late = histogram.above(facts.targets.ttft.seconds)?.at_least + waiting;
            Some((crate::diagnosis::rows::replica_name(&r), histogram.count + waiting, late))
        })
        .collect();
    of_each.sort_by(|a, b| b.1.total_cmp(&a.1));
    let all: f64 = of_each.iter().map(|o| o.2).sum();
    let most = (FEW * of_each.len() as f64).floor().max(0.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of replicas")]
    let few = most as usize;
    (1..=few).find_map(|n| {
        let mut others: Vec<f64> = of_each.iter().skip(n).map(|o| o.1).collect();
        let middle = crate::diagnosis::span::median(&mut others)?.max(1.0);
        let (given, bad) = (of_each[n - 1].1, of_each.iter().take(n).map(|o| o.2).sum::<f64>());
        let favoured = given >= needed * middle && given >= 30.0 && all > 0.0 && bad >= OWN * all;
        favoured.then(|| Favoured {
            names: of_each.iter().take(n).map(|o| o.0.clone()).collect(),
            of: of_each.len(),
            times: given / middle,
            needed,
            share: bad / all,
        })
    })
}
