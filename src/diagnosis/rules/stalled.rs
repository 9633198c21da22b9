//! Work was there and nothing moved, or nobody answered.

use super::{Split, finding};
use crate::diagnosis::facts::Facts;
use crate::diagnosis::format::{number, seconds};
use crate::diagnosis::stall::{OPENED, SILENCE_S, Spell, Witness};
use crate::diagnosis::{Evidence, Finding, Op, Subject};
use crate::domain::{Code, Confidence, Gauge, Mechanism, Phase, Severity};

/// How much a witness says, the more the later in the list.
const fn weight(witness: Witness) -> u8 {
    match witness {
        Witness::Refused => 0,
        Witness::ProbeHung => 1,
        Witness::ConnectionsWithoutWork => 2,
        Witness::BurstAfterSilence => 3,
        Witness::NoAnswer => 4,
        Witness::OwnRequestHung => 5,
        Witness::WorkWithoutTokens => 6,
    }
}

/// The spell that says most: one that is on, by the best witness, the longest.
pub(in crate::diagnosis) fn worst<'b, 'a>(facts: &'b Facts<'a>) -> Option<&'b Spell<'a>> {
    let stalls = || facts.spells.iter().filter(|s| s.witness != Witness::Refused);
    let order = |s: &&Spell<'_>| (s.on, weight(s.witness), s.to.0 - s.from.0);
    stalls().max_by_key(order)
}

/// No tokens while work is there, or nobody answers.
pub(super) fn engine_stalled(facts: &Facts<'_>, _: &Split) -> Option<Finding> {
    let spell = worst(facts)?;
    let length = spell.to.since(spell.from);
    let verb = if spell.on { "has not moved" } else { "did not move" };
    let requests = spell.requests.unwrap_or(0.0);
    let (summary, confidence) = match spell.witness {
        Witness::WorkWithoutTokens => (
            format!(
                "the engine {verb} for {}: about {} requests held, and no token",
                seconds(length),
                number(requests)
            ),
            Confidence::High,
        ),
        Witness::ConnectionsWithoutWork => (
            format!(
                "the engine {verb} for {} and said that it was idle, while {} connections were opened and held",
                seconds(length),
                number(requests)
            ),
            Confidence::Medium,
        ),
        Witness::BurstAfterSilence => (
            format!(
                "nothing moved for {}, then {} first tokens came at once that had been waited for as long",
                seconds(length),
                number(requests)
            ),
            Confidence::High,
        ),
        Witness::NoAnswer => {
            (format!("the process accepted connections and did not answer for {}", seconds(length)), Confidence::Medium)
        }
        Witness::OwnRequestHung => (
            format!(
                "the engine {verb} for {}: {} of our own requests got no token, and no work was done meanwhile",
                seconds(length),
                number(requests)
            ),
            if requests >= 2.0 { Confidence::High } else { Confidence::Medium },
        ),
        Witness::ProbeHung | Witness::Refused => (
            format!("health probes got no answer for {}", seconds(length)),
            if facts.system.probes_count_as_requests { Confidence::High } else { Confidence::Medium },
        ),
    };
    let mut found = finding(facts, Code::Mechanism(Mechanism::EngineStalled), Phase::Rest, summary);
    let several = facts
        .spells
        .iter()
        .map(|s| s.witness)
        .filter(|w| *w != Witness::Refused)
        .collect::<std::collections::HashSet<_>>();
    found.confidence = if several.len() > 1 { Confidence::High } else { confidence };
    found.severity = Severity::Critical;
    found.explains_s = length * requests.max(1.0) / 2.0 + facts.during.sum(crate::domain::Dist::Ttft);
    let alone = facts.engines().count() == 1;
    if !alone {
        found.subject = Subject { replica: Some(spell.endpoint.name.clone()), ..Subject::default() };
    }
    found.evidence = evidence(facts, spell, length);
    found.surer = Some(if alone {
        "a request of one token through the same door, and the engine's log".to_owned()
    } else {
        "whether the other replicas went on".to_owned()
    });
    Some(found)
}

/// The silence, what witnesses that work was there, and what the engine said itself.
fn evidence(facts: &Facts<'_>, spell: &Spell<'_>, length: f64) -> Vec<Evidence> {
    let at = |mut evidence: Evidence| {
        evidence.at = spell.to;
        evidence
    };
    let Some(replica) = spell.replica else {
        let claim = format!("no answer for {}", seconds(length));
        let mut silence = at(facts.evidence("", claim, length, Op::Over, Some(SILENCE_S), "s"));
        "unanswered requests".clone_into(&mut silence.source);
        silence.reproduce = None;
        return vec![silence];
    };
    let claim = format!("no step and no token for {}", seconds(length));
    let mut all = vec![at(facts.evidence("generation_tokens", claim, length, Op::Over, Some(SILENCE_S), "s"))];
    let requests = spell.requests.unwrap_or(0.0);
    let last = |gauge| replica.track.at_or_before(spell.to).and_then(|p| p.values.gauge(gauge));
    match spell.witness {
        Witness::ConnectionsWithoutWork => {
            let claim = format!("{} files opened by the front end since", number(requests));
            all.push(at(facts.evidence("open_files", claim, requests, Op::Over, Some(OPENED), "files")));
            let held = last(Gauge::Running).unwrap_or(0.0) + last(Gauge::Waiting).unwrap_or(0.0);
            let claim = format!("the engine itself says that it holds {}", number(held));
            let mut idle = at(facts.evidence("running", claim, held, Op::Over, Some(0.0), "requests"));
            idle.supports = held > 0.0;
            all.push(idle);
        }
        Witness::BurstAfterSilence => {
            let claim = format!("{} first tokens at once, waited for as long as nothing moved", number(requests));
            all.push(at(facts.evidence("ttft", claim, requests, Op::Over, Some(1.0), "requests")));
        }
        _ => {
            let claim = format!("about {} requests held meanwhile", number(requests));
            all.push(at(facts.evidence("running", claim, requests, Op::Over, Some(0.0), "requests")));
        }
    }
    all
}
