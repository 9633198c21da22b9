//! Why. Each needs evidence of its own, independent of the mechanism's numbers.

use super::queue::Batch;
use super::{Split, finding};
use crate::diagnosis::facts::Facts;
use crate::diagnosis::format::{number, percent};
use crate::diagnosis::levers::slots_flag;
use crate::diagnosis::slo::rate_rose;
use crate::diagnosis::stall::Witness;
use crate::diagnosis::{Finding, Metric, Op, Subject};
use crate::domain::{Cause, Code, Confidence, Dist, Phase, Total};

/// A change by this factor is a change of traffic.
const CHANGED: f64 = 1.5;
/// Less than this is weather. Between the two it counts where many events tell it, and less surely: near its limit a
/// service breaks under a quarter more, and users who wait for answers send fewer than they would.
const SLIGHT: f64 = 1.25;
const MANY: f64 = 100.0;
/// Requests from which on their mean length says something.
const ENOUGH: f64 = 10.0;

fn troubled(facts: &Facts<'_>) -> bool {
    facts.late(Metric::Ttft)
        || facts.late(Metric::Tpot)
        || facts.leading
        || facts.window.total(Total::Rejected).unwrap_or(0.0) >= 1.0
}

/// More requests arrive than before.
pub(super) fn traffic_surge(facts: &Facts<'_>, _: &Split) -> Option<Finding> {
    let baseline = facts.baseline.as_ref().filter(|_| troubled(facts))?;
    let (now, now_s) = facts.arrivals(facts.incident, baseline.stretch)?;
    let (before, before_s) = match baseline.stretch {
        Some(stretch) => facts.arrivals(stretch, None)?,
        None => (baseline.span.total(Total::Finished)?, baseline.span.seconds),
    };
    if now_s <= 0.0 || before_s <= 0.0 || before <= 0.0 {
        return None;
    }
    let (rate, rate_before) = (now / now_s, before / before_s);
    let least = if now.min(before) >= MANY && baseline.stretch.is_some() { SLIGHT } else { CHANGED };
    if rate < least * rate_before || !rate_rose(now, now_s, before, before_s) {
        return None;
    }
    let summary = format!("{} requests/s arrived, {} before", number(rate), number(rate_before));
    let mut found = finding(facts, Code::Cause(Cause::TrafficSurge), Phase::Queue, summary);
    // A lifetime has nights in it: its mean rate says little about the hour before.
    found.confidence = match baseline.stretch {
        None => Confidence::Low,
        Some(_) if rate < CHANGED * rate_before => Confidence::Low,
        Some(_) if rate >= 2.0 * rate_before && before >= 10.0 => Confidence::High,
        Some(_) => Confidence::Medium,
    };
    found.evidence.push(facts.evidence(
        "finished",
        format!("arrivals {} times those before", number(rate / rate_before)),
        rate,
        Op::Over,
        Some(least * rate_before),
        "requests/s",
    ));
    found.surer = Some("arrivals by tenant and route, from the gateway".to_owned());
    Some(found)
}

/// Prompts are longer than before.
pub(super) fn prompt_length_shift(facts: &Facts<'_>, _: &Split) -> Option<Finding> {
    let baseline = facts.baseline.as_ref().filter(|_| troubled(facts))?;
    let per_request = |s: &crate::diagnosis::span::Span| {
        let requests = s.count(Dist::Ttft);
        match s.total(Total::PromptTokens) {
            Some(tokens) if requests > 0.0 => Some((tokens / requests, "tokens per prompt")),
            // Without requests counted, prompt tokens per output token move with the length of prompts.
            Some(tokens) if s.dist(Dist::Ttft).is_none() => s
                .total(Total::GenerationTokens)
                .filter(|g| *g > 0.0)
                .map(|g| (tokens / g, "prompt tokens per output token")),
            _ => None,
        }
    };
    let ((now, what), (before, _)) = (per_request(&facts.during)?, per_request(&baseline.span)?);
    let many = facts.during.count(Dist::Ttft).min(baseline.span.count(Dist::Ttft)) >= MANY;
    let least = if many && baseline.stretch.is_some() { SLIGHT } else { CHANGED };
    if before <= 0.0 || now < least * before {
        return None;
    }
    // Longer prompts are to blame only where prompts are most of the tokens that the engine works on.
    let (prompt, output) =
        (facts.during.total(Total::PromptTokens)?, facts.during.total(Total::GenerationTokens).unwrap_or(0.0));
    if prompt < output {
        return None;
    }
    let summary = format!("{} {what}, {} before", number(now.round()), number(before.round()));
    let mut found = finding(facts, Code::Cause(Cause::PromptLengthShift), Phase::Prefill, summary);
    // A few prompts are no shift of their length.
    let few = facts.during.dist(Dist::Ttft).is_some() && facts.during.count(Dist::Ttft) < ENOUGH;
    found.confidence = match now >= 2.0 * before {
        _ if few || now < CHANGED * before => Confidence::Low,
        true => Confidence::High,
        false => Confidence::Medium,
    };
    found.evidence.push(facts.evidence(
        "prompt_tokens",
        format!("{what}: {} times those before", number(now / before)),
        now,
        Op::Over,
        Some(least * before),
        "tokens",
    ));
    Some(found)
}

/// A replica that answered went away.
pub(super) fn capacity_loss(facts: &Facts<'_>, _: &Split) -> Option<Finding> {
    /// A backlog of a loss shows within this many seconds after it.
    const AFTER_S: f64 = 30.0;
    let (since, end) = facts.incident;
    let of_it = |s: &&crate::diagnosis::stall::Spell<'_>| s.from <= end && since.since(s.to) <= AFTER_S;
    let lost: Vec<_> = facts.spells.iter().filter(|s| s.witness == Witness::Refused).filter(of_it).collect();
    let Some(first) = lost.iter().max_by(|a, b| a.to.since(a.from).total_cmp(&b.to.since(b.from))) else {
        return super::rollout::fewer_serve(facts);
    };
    let still = lost.iter().filter(|s| s.on).count();
    let length = first.to.since(first.from);
    let summary = format!(
        "{} refused connections for {}{}: it restarted or crashed",
        first.endpoint.name,
        crate::diagnosis::seconds(length),
        if still > 0 { " and still does" } else { "" }
    );
    let mut found = finding(facts, Code::Cause(Cause::CapacityLoss), Phase::Rollout, summary);
    found.subject = Subject { replica: Some(first.endpoint.name.clone()), ..Subject::default() };
    found.confidence = Confidence::High;
    let mut evidence = facts.evidence(
        "",
        format!("refused for {}", crate::diagnosis::seconds(length)),
        length,
        Op::Over,
        Some(8.0),
        "s",
    );
    "refused connections".clone_into(&mut evidence.source);
    evidence.reproduce = None;
    found.evidence.push(evidence);
    found.surer = Some(
        "the pod's restarts and last termination reason: only Kubernetes can tell loading from crashed".to_owned(),
    );
    Some(found)
}

/// Fewer prompt tokens come from the prefix cache.
pub(super) fn prefix_cache_regression(facts: &Facts<'_>, _: &Split) -> Option<Finding> {
    const LOST: f64 = 0.2;
    let baseline = facts.baseline.as_ref().filter(|_| facts.late(Metric::Ttft))?;
    let rate = |s: &crate::diagnosis::span::Span| {
        s.ratio(Total::CacheHits, Total::CacheQueries)
            .or_else(|| s.ratio(Total::PromptTokensCached, Total::PromptTokens))
    };
    let (now, before) = (rate(&facts.during)?, rate(&baseline.span)?);
    let (tokens, tokens_before) = (Facts::computed_tokens(&facts.during)?, Facts::computed_tokens(&baseline.span)?);
    if before - now < LOST || tokens < CHANGED * tokens_before {
        return None;
    }
    let summary = format!("{} of prompt tokens come from the prefix cache, {} before", percent(now), percent(before));
    let mut found = finding(facts, Code::Cause(Cause::PrefixCacheRegression), Phase::Prefill, summary);
    found.confidence = Confidence::High;
    found.evidence.push(facts.evidence(
        "cache_hits",
        format!("hit ratio {} (tokens)", percent(now)),
        now,
        Op::Under,
        Some(before - LOST),
        "ratio",
    ));
    Some(found)
}

/// Speculative decoding accepts fewer of its drafts: each answer takes more steps, and its place in the batch for longer.
pub(super) fn spec_decode_regression(facts: &Facts<'_>, _: &Split) -> Option<Finding> {
    const LOST: f64 = 0.2;
    /// Drafted tokens from which on their share says something.
    const DRAFTED: f64 = 1000.0;
    let baseline = facts.baseline.as_ref().filter(|_| facts.late(Metric::Tpot) || facts.late(Metric::Ttft))?;
    let rate = |s: &crate::diagnosis::span::Span| s.ratio(Total::AcceptedTokens, Total::DraftTokens);
    let (now, before) = (rate(&facts.during)?, rate(&baseline.span)?);
    if before - now < LOST {
        return None;
    }
    let summary = format!("{} of drafted tokens are accepted, {} before", percent(now), percent(before));
    let mut found = finding(facts, Code::Cause(Cause::SpecDecodeRegression), Phase::Decode, summary);
    let drafted = facts.during.total(Total::DraftTokens).unwrap_or(0.0);
    let sure = baseline.stretch.is_some() && drafted >= DRAFTED;
    found.confidence = if sure { Confidence::High } else { Confidence::Medium };
    found.evidence.push(facts.evidence(
        "accepted_tokens",
        format!("acceptance {}", percent(now)),
        now,
        Op::Under,
        Some(before - LOST),
        "ratio",
    ));
    let length = |s: &crate::diagnosis::span::Span| s.ratio(Total::GenerationTokens, Total::Finished);
    if let Some((longer, usual)) = length(&facts.during).zip(length(&baseline.span)) {
        // Longer answers alone take more steps as well.
        let claim = format!("an answer has {} tokens, {} before", number(longer.round()), number(usual.round()));
        let mut answers =
            facts.evidence("generation_tokens", claim, longer, Op::Under, Some(CHANGED * usual), "tokens");
        answers.supports = longer < CHANGED * usual;
        found.evidence.push(answers);
    }
    found.surer = Some("what changed for the draft model: the model itself, how it samples, what is asked".to_owned());
    Some(found)
}

/// A flag bounds the running batch while the cache has room.
pub(super) fn max_num_seqs_bound(facts: &Facts<'_>, split: &Split) -> Option<Finding> {
    /// Of the readings with waiting requests, how many show the batch at its highest; gauges that lag show less.
    const PINNED: f64 = 0.5;
    /// Above this, the cache and not a flag may be what bounds the batch.
    const ROOM: f64 = 0.75;
    const READINGS: usize = 3;
    if !troubled(facts) || split.queue / split.whole() < 0.25 {
        return None;
    }
    let batch = Batch::while_waiting(facts)?;
    let kv = facts.kv.map(|k| k.peak);
    if batch.readings < READINGS || batch.pinned < PINNED || kv.is_some_and(|k| k >= ROOM) {
        return None;
    }
    let room =
        kv.map_or("its KV use is not exported".to_owned(), |k| format!("the KV cache is at most {} full", percent(k)));
    let summary =
        format!("the batch never passes {} while others wait, and {room}: a flag bounds it", number(batch.highest));
    let mut found = finding(facts, Code::Cause(Cause::MaxNumSeqsBound), Phase::Queue, summary);
    found.confidence =
        if kv.is_some_and(|k| k < 0.5) && batch.pinned >= 0.8 { Confidence::High } else { Confidence::Medium };
    found.evidence.push(batch.evidence(facts, Op::Over, PINNED));
    if let Some(kv) = kv {
        found.evidence.push(facts.evidence(
            "kv_usage",
            format!("KV cache use peaked at {}", percent(kv)),
            kv,
            Op::Under,
            Some(ROOM),
            "ratio",
        ));
    }
    found.surer = Some(format!("the value of {} that it runs with", slots_flag(&facts.system.engine)));
    Some(found)
}
