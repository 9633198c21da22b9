//! Tokens that come slowly: at the same batch, or because the batch grew.

use super::{Split, finding};
use crate::diagnosis::facts::Facts;
use crate::diagnosis::format::{number, seconds};
use crate::diagnosis::span::median;
use crate::diagnosis::{Finding, Metric, Op};
use crate::domain::{At, Code, Confidence, Dist, Mechanism, Phase, RowStatus, Total};

/// A batch that grew by this factor is a larger batch, and less is noise.
const GREW: f64 = 1.5;

/// Slower tokens, by the batch.
pub(super) fn slower(facts: &Facts<'_>, _: &Split) -> Option<Finding> {
    let target = facts.targets.tpot.seconds;
    let gap = facts.during.mean(Dist::Itl);
    let counted = facts.during.ratio(Total::DecodeSeconds, Total::GenerationTokens);
    let mean = gap.or(counted)?;
    let broken = matches!(facts.status(Metric::Tpot), RowStatus::Breach | RowStatus::Warning);
    let slow_by_counters = gap.is_none() && mean > target;
    if !broken && !slow_by_counters {
        return None;
    }
    let before = facts.baseline.as_ref();
    let mean_before = before
        .and_then(|b| b.span.mean(Dist::Itl).or_else(|| b.span.ratio(Total::DecodeSeconds, Total::GenerationTokens)));
    let batch = batch_of_tokens(facts, facts.incident).or(facts.running.map(|l| l.mean));
    let batch_before = before
        .and_then(|b| b.stretch.and_then(|s| batch_of_tokens(facts, s)).or(b.running.map(|l| l.mean)))
        .map(|l| l.max(1.0))
        .filter(|_| mean_before.is_some());
    let slices = by_batch(facts);
    let prompts = prompt_load(facts);
    let grew = prompts.is_some_and(|(now, before)| now >= GREW * before)
        || match (batch, batch_before, slices) {
            // A step takes at most as many times longer as its batch is larger. Where the gap grew by more, the engine
            // is slower, and requests that take longer are what made the batch grow (Little).
            (Some(now), Some(before), _) => {
                now >= GREW * before && mean_before.is_none_or(|m| mean / m <= now / before)
            }
            // Nothing to compare with: the incident's own small batches are.
            (_, None, Some((small, large, batch_small, batch_large))) => {
                batch_large >= GREW * batch_small && large >= GREW * small
            }
            (Some(now), None, None) => now >= 8.0,
            _ => false,
        };
    let mechanism = if grew { Mechanism::BatchContention } else { Mechanism::DecodeSlowdown };
    let beside = prompts.filter(|(now, before)| *now >= GREW * before);
    let before_words = mean_before.map_or(String::new(), |b| format!(", {} before", seconds(b)));
    let batch_words = match (batch, batch_before) {
        (Some(now), Some(before)) => {
            format!(" at a batch of {} (before {})", number(now.round()), number(before.round()))
        }
        (Some(now), None) => format!(" at a batch of {}", number(now.round())),
        _ => String::new(),
    };
    let prompt_words = beside.map_or(String::new(), |(now, before)| {
        format!(", beside {} prompt tokens/s ({} before)", number(now.round()), number(before.round()))
    });
    let summary = format!("a token takes {} on average{before_words}{batch_words}{prompt_words}", seconds(mean));
    let mut found = finding(facts, Code::Mechanism(mechanism), Phase::Decode, summary);
    found.confidence = match (mean_before, batch_before) {
        (Some(_), Some(_)) => Confidence::High,
        _ if slices.is_some() && grew => Confidence::Medium,
        _ => Confidence::Low,
    };
    let tokens = facts.during.count(Dist::Itl);
    // Where the middle token is as fast as before, the late ones only shared their step with something long: its seconds
    // are those of the prompts or the preemptions, if first tokens are late as well.
    let interfered = facts.late(Metric::Ttft) && middle_unmoved(facts);
    found.explains_s = if interfered { 0.0 } else { ((mean - mean_before.unwrap_or(0.0)) * tokens).max(0.0) };
    found.evidence.push(facts.evidence(
        "itl",
        format!("mean gap between tokens {}", seconds(mean)),
        mean,
        Op::Over,
        mean_before,
        "s/token",
    ));
    if let Some(batch) = batch {
        let mut evidence = facts.evidence(
            "running",
            format!("mean running batch {}", number(batch)),
            batch,
            Op::Over,
            batch_before.map(|b| GREW * b),
            "requests",
        );
        evidence.supports = beside.is_some() || grew || batch_before.is_none_or(|b| batch < GREW * b);
        found.evidence.push(evidence);
    }
    if mean_before.is_none() {
        found.surer = Some("a stretch with a small batch, or before the change, to compare with".to_owned());
    }
    Some(found)
}

/// Whether the median gap between tokens stayed what it was.
fn middle_unmoved(facts: &Facts<'_>) -> bool {
    let middle = |span: &crate::diagnosis::span::Span| span.dist(Dist::Itl)?.quantile(0.5)?.estimate;
    let before = facts.baseline.as_ref().and_then(|b| middle(&b.span));
    middle(&facts.during).zip(before).is_some_and(|(now, before)| now < GREW * before)
}

/// The running requests that a token shared its step with, on average over the tokens of `stretch`: idle time between
/// bursts is no small batch.
fn batch_of_tokens(facts: &Facts<'_>, (from, to): (At, At)) -> Option<f64> {
    let inside = facts.slices.iter().filter(|s| s.from >= from && s.to <= to && s.itl.count > 0.0);
    let (tokens, held) = inside
        .filter_map(|s| Some((s.itl.count, s.running.filter(|r| *r >= 1.0)?)))
        .fold((0.0, 0.0), |(n, sum), (count, running)| (n + count, sum + count * running));
    (tokens > 0.0).then(|| held / tokens)
}

/// Prompt tokens computed per second, now and before: they share the steps with the tokens that are produced.
pub(super) fn prompt_load(facts: &Facts<'_>) -> Option<(f64, f64)> {
    let per_second = |span: &crate::diagnosis::span::Span| {
        let tokens = Facts::computed_tokens(span)? * span.count(Dist::Ttft);
        (span.seconds > 0.0).then(|| tokens / span.seconds)
    };
    let baseline = facts.baseline.as_ref()?;
    Some((per_second(&facts.during)?, per_second(&baseline.span).filter(|b| *b > 0.0)?))
}

/// The gap between tokens in slices with small and with large batches: (small, large, batch small, batch large).
fn by_batch(facts: &Facts<'_>) -> Option<(f64, f64, f64, f64)> {
    let with: Vec<(f64, f64)> =
        facts.slices.iter().filter_map(|s| Some((s.running.filter(|r| *r >= 1.0)?, s.itl.mean()?))).collect();
    let mut batches: Vec<f64> = with.iter().map(|(r, _)| *r).collect();
    let middle = median(&mut batches)?;
    let split = |large: bool| {
        let of: Vec<&(f64, f64)> =
            with.iter().filter(|(r, _)| if large { *r >= middle } else { *r < 0.75 * middle }).collect();
        let mut gaps: Vec<f64> = of.iter().map(|(_, g)| *g).collect();
        let mut batches: Vec<f64> = of.iter().map(|(r, _)| *r).collect();
        Some((median(&mut gaps)?, median(&mut batches)?))
    };
    let ((small, batch_small), (large, batch_large)) = (split(false)?, split(true)?);
    Some((small, large, batch_small, batch_large))
}
