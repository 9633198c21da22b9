//! Time that is neither queue nor prefill: the front end, or the engine's loop inside one long step.

use super::{Split, finding};
use crate::diagnosis::facts::Facts;
use crate::diagnosis::format::{number, percent, seconds};
use crate::diagnosis::span::Span;
use crate::diagnosis::{Finding, Metric, Op};
use crate::domain::{Code, Confidence, Dist, Mechanism, Phase, Total};

const SHARE: f64 = 0.5;
/// Of the rest's seconds, as many in the queue are nothing: a page now and then catches one who is about to be taken in.
const HARDLY: f64 = 0.1;
/// The mean rest, as a share of the target, from which on it is slow for many.
const BROAD: f64 = 0.25;
/// For so many late first tokens one gap that is half as long: somebody's tokens stood still with them. An engine that is
/// inside a long step holds up everybody whom it serves, a front end nobody.
const STRETCHED: f64 = 0.25;
/// A front end of Python is one thread: from here on it has no time left.
const ONE_CORE: f64 = 0.85;

/// Large only where first tokens and finished requests are the same requests, nobody waits, and no stall explains it.
pub(super) fn front_end_or_loop(facts: &Facts<'_>, split: &Split) -> Option<Finding> {
    let share = split.rest / split.whole();
    if !facts.late(Metric::Ttft) || share < SHARE || !split.settled {
        return None;
    }
    if !facts.spells.is_empty() || split.waited >= HARDLY * split.rest {
        return None;
    }
    let rest = facts.rest_mean(&facts.during)?;
    // Of the busiest front end: cores of several processes do not add up to one that is full.
    let cores = |r| {
        let span = Span::between(std::slice::from_ref(r), facts.incident.0, facts.incident.1)?;
        span.total(Total::CpuSeconds).filter(|_| span.seconds > 0.0).map(|c| c / span.seconds)
    };
    let cpu = facts.replicas.iter().filter_map(cores).max_by(f64::total_cmp);
    let target = facts.targets.ttft.seconds;
    let gap = facts.during.dist(Dist::Itl).and_then(|h| h.above(target / 2.0));
    // While the loop is inside one long step, every running request sees a gap of its length.
    let long_gaps = gap.map_or(0.0, |f| f.at_least);
    let late = facts.during.dist(Dist::Ttft).and_then(|h| h.above(target)).map_or(0.0, |l| l.at_least);
    let stretched = late >= 1.0 && long_gaps >= STRETCHED * late;
    let long_prompts = super::prefill::long_prompts(facts).is_some_and(|(_, _, _, tokens)| tokens >= 0.5);
    let busy = cpu.is_some_and(|c| c >= ONE_CORE);
    let grew = super::causes::prompt_length_shift(facts, split).is_some();
    let blocked = !busy && (long_prompts || stretched || grew);
    let mechanism = if blocked { Mechanism::EngineLoopBlocked } else { Mechanism::FrontendStarved };
    let summary = format!(
        "{} of TTFT are spent neither in the queue nor in prefill: {}",
        seconds(rest),
        if blocked {
            "the engine's loop was inside long steps"
        } else {
            "before or after the engine, in its front end"
        }
    );
    let mut found = finding(facts, Code::Mechanism(mechanism), Phase::Rest, summary);
    found.explains_s = split.rest;
    // A mean far below the target is a few slow requests among many fast ones, and no front end that is slow for all.
    found.confidence = match rest >= BROAD * facts.targets.ttft.seconds {
        _ if busy => Confidence::High,
        true => Confidence::Medium,
        false => Confidence::Low,
    };
    found.evidence.push(facts.evidence(
        "ttft",
        format!("{} of the added seconds are the rest", percent(share)),
        share,
        Op::Over,
        Some(SHARE),
        "ratio",
    ));
    if let Some(waiting) = facts.waiting {
        found.evidence.push(facts.evidence(
            "waiting",
            format!(
                "{} waiting on average: {} beside the rest",
                number(waiting.mean),
                percent(split.waited / split.rest)
            ),
            split.waited / split.rest,
            Op::Under,
            Some(HARDLY),
            "ratio",
        ));
    }
    if let Some(cpu) = cpu {
        let mut evidence = facts.evidence(
            "cpu_seconds",
            format!("the front-end process used {} cores", number(cpu)),
            cpu,
            Op::Over,
            Some(ONE_CORE),
            "cores",
        );
        evidence.supports = busy != blocked;
        found.evidence.push(evidence);
    }
    if gap.is_some_and(|g| g.count > 0.0) {
        let mut evidence = facts.evidence(
            "itl",
            format!("{} gaps between tokens are longer than {}", number(long_gaps), seconds(target / 2.0)),
            long_gaps,
            Op::Over,
            Some(STRETCHED * late),
            "tokens",
        );
        evidence.supports = stretched == blocked;
        found.evidence.push(evidence);
    }
    found.surer =
        Some("CPU throttling of the front-end container (cpu.stat), and the number of API servers".to_owned());
    Some(found)
}
