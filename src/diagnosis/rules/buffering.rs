//! A gateway that holds an answer back until it is complete: streaming is broken, and the first byte comes with the last.

use super::gateway::from_gateway;
use super::{Split, finding};
use crate::diagnosis::facts::Facts;
use crate::diagnosis::format::{percent, seconds};
use crate::diagnosis::gateway::{ENOUGH, HELD};
use crate::diagnosis::span::Span;
use crate::diagnosis::{Finding, Op};
use crate::domain::{Code, Confidence, Dist, Mechanism, Phase, Severity};

/// What is added must be this share of the target, and this many times what the engine took.
const NOTICEABLE: f64 = 0.25;
const MORE: f64 = 1.5;

/// The first byte is held back. Only a gateway that measures its own time to the first one can show it.
pub(super) fn gateway_buffering(facts: &Facts<'_>, _: &Split) -> Option<Finding> {
    let gateway = facts.gateway.as_ref()?;
    let (from, to) = gateway.trouble.map_or((facts.from, facts.now), |(from, to, _)| (from, to));
    let span = Span::between(&gateway.tracks, from, to)?;
    let (first, whole, count) =
        (span.mean(Dist::GatewayTtft)?, span.mean(Dist::GatewayTotal)?, span.count(Dist::GatewayTtft));
    let engine = Span::between(&facts.replicas, from, to)?.mean(Dist::Ttft)?;
    let target = facts.targets.ttft.seconds;
    let added = first - engine;
    if count < ENOUGH || first < HELD * whole || added < NOTICEABLE * target || first < MORE * engine {
        return None;
    }
    let summary = format!(
        "the first byte leaves the gateway after {}, {} of the whole answer's time; the engines had it after {}",
        seconds(first),
        percent((first / whole).min(1.0)),
        seconds(engine)
    );
    let mut found = finding(facts, Code::Mechanism(Mechanism::GatewayBuffering), Phase::Gateway, summary);
    found.severity = if first >= target { Severity::Critical } else { Severity::Warning };
    found.confidence = if first >= 2.0 * engine { Confidence::High } else { Confidence::Medium };
    found.explains_s = added * count;
    let claim = format!("first byte after {} of {} in all", seconds(first), seconds(whole));
    let evidence = facts.evidence("", claim, first, Op::Over, Some(HELD * whole), "s/request");
    found.evidence.push(from_gateway(facts, gateway, "gateway_ttft", evidence));
    let claim = format!("the engines' own first token takes {}", seconds(engine));
    found.evidence.push(facts.evidence("ttft", claim, engine, Op::Under, Some(first / MORE), "s/request"));
    found.surer =
        Some("the gateway's buffering of responses, and the same request past it with streaming on".to_owned());
    Some(found)
}
