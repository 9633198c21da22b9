//! Prompts that take long: more tokens, slower tokens, or long prompts in front of short ones.

use super::queue::Batch;
use super::{Split, confidence, finding};
use crate::diagnosis::facts::Facts;
use crate::diagnosis::format::{number, percent, seconds};
use crate::diagnosis::span::Span;
use crate::diagnosis::{Finding, Metric, Op};
use crate::domain::{Code, Confidence, Dist, Gauge, Mechanism, Phase};

const SHARE: f64 = 0.25;
/// This many times as much is more, and less is noise.
const MORE: f64 = 1.5;
/// Long prompts are those this many times longer than the middle one.
const MUCH_LONGER: f64 = 5.0;

/// The mix of prompt lengths: (upper bound of the median, lower bound of the long ones, share of requests that are
/// long, share of prompt tokens that are theirs at least).
pub(super) fn long_prompts(facts: &Facts<'_>) -> Option<(f64, f64, f64, f64)> {
    mix(&facts.during)
}

fn mix(span: &Span) -> Option<(f64, f64, f64, f64)> {
    let lengths = span.dist(Dist::PromptLength)?;
    let median = lengths.quantile(0.5)?.upper?;
    let from = lengths.bounds.iter().position(|b| *b >= MUCH_LONGER * median)?;
    let lower = lengths.bounds[from];
    let long = lengths.count - lengths.counts[from];
    if long < 1.0 || lengths.sum <= 0.0 {
        return None;
    }
    // Two lower bounds of their tokens: each has at least `lower`, and the others have no more than their buckets allow.
    let mut below = 0.0;
    let mut others = 0.0;
    for (bound, count) in lengths.bounds[..=from].iter().zip(&lengths.counts) {
        others += (count - below) * bound;
        below = *count;
    }
    let tokens = (long * lower).max(lengths.sum - others);
    Some((median, lower, long / lengths.count, (tokens / lengths.sum).clamp(0.0, 1.0)))
}

/// Long prompts block short ones: the short ones wait in the queue or outside of the engine while a step is full of
/// somebody else's prompt.
pub(super) fn head_of_line(facts: &Facts<'_>, split: &Split) -> Option<Finding> {
    if !facts.late(Metric::Ttft) {
        return None;
    }
    let (median, long_from, share_of_requests, share_of_tokens) = long_prompts(facts)?;
    if share_of_requests > 0.5 || share_of_tokens < 0.5 || same_prompts(facts, share_of_requests) {
        return None;
    }
    // Slots that are all taken make a queue whatever the prompts are.
    let slots = Batch::while_waiting(facts);
    let waited = facts.waiting.map_or(0.0, |w| w.mean);
    let kv_room = facts.kv.is_none_or(|kv| kv.peak < 0.9)
        || facts.during.total(crate::domain::Total::Preemptions).unwrap_or(0.0) < 1.0;
    let slot_bound = slots.is_some_and(|b| b.readings >= 5 && b.pinned >= 0.6 && waited > 2.0 * b.highest);
    let prefill = split.prefill / split.whole();
    let others = (split.queue + split.rest) / split.whole();
    if slot_bound || !kv_room || prefill < 0.1 || prefill + others < 0.5 {
        return None;
    }
    let summary = format!(
        "{} of the prompts are longer than {} tokens and hold {} of the prompt tokens; the others (median up to {}) wait behind them",
        percent(share_of_requests),
        number(long_from),
        percent(share_of_tokens),
        number(median)
    );
    let mut found = finding(facts, Code::Mechanism(Mechanism::PrefillHeadOfLine), Phase::Prefill, summary);
    found.explains_s = split.own();
    found.confidence = if others >= 0.15 { confidence(prefill + others, 2) } else { Confidence::Medium };
    found.evidence.push(facts.evidence(
        "prompt_length",
        format!("prompts over {} tokens hold {} of all prompt tokens", number(long_from), percent(share_of_tokens)),
        share_of_tokens,
        Op::Over,
        Some(0.5),
        "ratio",
    ));
    found.evidence.push(facts.evidence(
        "prefill",
        format!("{} of the added seconds are prefill, {} waiting for the engine", percent(prefill), percent(others)),
        prefill + others,
        Op::Over,
        Some(0.5),
        "ratio",
    ));
    if let Some(running) = facts.running {
        let mut evidence = facts.evidence(
            "running",
            format!(
                "at most {} running and {} waiting",
                number(running.peak),
                number(facts.waiting.map_or(0.0, |w| w.peak))
            ),
            running.peak,
            Op::Over,
            None,
            "requests",
        );
        evidence.supports = facts.waiting.is_none_or(|w| w.peak <= running.peak);
        found.evidence.push(evidence);
    }
    found.surer = Some("TTFT by prompt length, from the gateway".to_owned());
    Some(found)
}

/// Whether just as many of the prompts were as long before, no more prompt tokens came each second, and nobody was
/// late: then the prompts are not what changed.
fn same_prompts(facts: &Facts<'_>, share_of_requests: f64) -> bool {
    let Some(baseline) = facts.baseline.as_ref().filter(|b| b.stretch.is_some()) else { return false };
    mix(&baseline.span).is_some_and(|(_, _, share, tokens)| tokens >= 0.5 && share_of_requests < MORE * share)
        && super::decode::prompt_load(facts).is_some_and(|(now, before)| now < MORE * before)
}

/// More tokens per prompt, or more seconds per token: whichever added more.
pub(super) fn work_or_slowdown(facts: &Facts<'_>, split: &Split) -> Option<Finding> {
    let share = split.prefill / split.whole();
    if !facts.late(Metric::Ttft) || share < SHARE {
        return None;
    }
    let during = facts.phase_mean(&facts.during, Dist::Prefill)?;
    let tokens = Facts::computed_tokens(&facts.during);
    let before = facts.baseline.as_ref().map(|b| &b.span);
    let before_mean = before.and_then(|b| facts.phase_mean(b, Dist::Prefill));
    let before_tokens = before.and_then(Facts::computed_tokens);
    // Kitagawa's split of a change of N·s into work and speed, where speed is what length does not explain.
    let parts = match (tokens, before_mean, before_tokens) {
        (Some(n1), Some(p0), Some(n0)) if n0 > 0.0 && n1 > 0.0 => {
            let (s0, s1) = (p0 / n0, during / n1);
            // Attention grows with the square of the length: a token of a longer prompt may take as many times longer.
            let by_length = s0 * (n1 / n0).max(1.0);
            let (work, speed) = (n1 * s1.min(by_length) - n0 * s0, n1 * (s1 - by_length).max(0.0));
            Some((work, speed, n0, n1, s0, s1))
        }
        _ => None,
    };
    // Among a few long prompts the mean length says little of the work: the long ones cost by their square.
    let mixed = long_prompts(facts).is_some_and(|(.., tokens)| tokens >= 0.5);
    // An engine that computes more prompt tokens per second than before is not slower: where each prompt has more to
    // compute as well, the seconds that a token takes longer are spent behind other prompts.
    let computes_more = super::decode::prompt_load(facts).is_some_and(|(now, before)| now >= MORE * before);
    let work = parts.is_none_or(|(work, speed, n0, n1, ..)| {
        work >= speed || (mixed && n1 >= MORE * n0) || (n1 >= MORE * n0 && computes_more)
    });
    let mechanism = if work { Mechanism::PrefillWork } else { Mechanism::PrefillSlowdown };
    let summary = match parts {
        Some((_, _, n0, n1, ..)) if work => format!(
            "prefill takes {} per request: {} tokens to compute, {} before",
            seconds(during),
            number(n1.round()),
            number(n0.round())
        ),
        Some((.., s0, s1)) => {
            format!("prefill takes {} per request: {} per token, {} before", seconds(during), seconds(s1), seconds(s0))
        }
        None => format!("prefill takes {} of a TTFT of {}", seconds(during), seconds(facts.during.mean(Dist::Ttft)?)),
    };
    let mut found = finding(facts, Code::Mechanism(mechanism), Phase::Prefill, summary);
    found.explains_s = split.prefill;
    found.confidence = confidence(share, 1 + u32::from(parts.is_some()));
    found.evidence.push(facts.evidence(
        "prefill",
        format!("prefill mean {}", seconds(during)),
        during,
        Op::Over,
        before_mean,
        "s/request",
    ));
    if let Some((work_part, speed_part, ..)) = parts {
        found.evidence.push(facts.evidence(
            "prompt_tokens",
            format!("more tokens added {}, slower tokens added {}", seconds(work_part), seconds(speed_part)),
            work_part,
            if work { Op::Over } else { Op::Under },
            Some(speed_part),
            "s/request",
        ));
    } else {
        found.surer = Some("a healthy stretch to compare with".to_owned());
    }
    if let Some(waiting) = facts.waiting {
        let mut evidence = facts.evidence(
            Gauge::Waiting.name(),
            format!("up to {} waiting", number(waiting.peak)),
            waiting.peak,
            Op::Under,
            Some(1.0),
            "requests",
        );
        evidence.supports = waiting.peak < 1.0;
        found.evidence.push(evidence);
    }
    Some(found)
}
