//! One look from a state: what its checks say, which ways hold, which one is recommended and why. Evaluates and moves
//! nothing.

use serde::{Deserialize, Serialize};

use super::checks::span;
use super::definition::{Edge, Runbook};
use super::memory::{Burn, Memory};
use super::sight::Sight;
use super::{Checked, Outcome};
use crate::diagnosis::Diagnosis;
use crate::domain::{At, Verdict};

/// The way that is recommended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advised {
    /// The edge's identity in its state.
    pub edge: String,
    /// Where it leads.
    pub to: String,
    /// Why, with the evidence.
    pub why: String,
    /// Ways that hold as well, each with its reason: what stays open.
    pub open: Vec<(String, String)>,
}

/// One way out, and whether it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Way {
    /// The edge's identity in its state.
    pub edge: String,
    /// When it is taken.
    pub when: String,
    /// Whether its conditions are known to hold; `None`: it has none, and is for the operator to take.
    pub holds: Option<bool>,
    /// Why it is not recommended, or does not hold, where that can be said.
    pub why: String,
    /// Whether it is an addition to the runbook as drawn.
    pub ours: bool,
}

/// How the patient is, as far as announcements go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// The objective is broken, or nothing moves.
    Breached,
    /// The objective holds, by fresh data with traffic.
    Holds,
    /// Neither is known: warning, idle, too little data.
    Open,
    /// Nothing fresh is read.
    Stale,
}

/// What was seen in one look; small, and complete for a run: a run needs no diagnosis beside it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    /// When.
    pub at: At,
    /// From which state one looked.
    pub state: String,
    /// How it is.
    pub condition: Condition,
    /// Since when the objective is broken, where it is.
    pub onset: Option<At>,
    /// The verdict in a sentence.
    pub sentence: String,
    /// The state's checks, in its order.
    pub checks: Vec<Checked>,
    /// Its ways out, in order.
    pub ways: Vec<Way>,
    /// What is recommended.
    pub advised: Option<Advised>,
    /// Burn rates to be remembered.
    pub burns: Vec<(String, Burn)>,
}

/// Looks from `state`.
pub fn look(runbook: &Runbook, state: &str, sight: Sight<'_>) -> Seen {
    let d = sight.d;
    let checks = runbook.state(state).map_or_else(Vec::new, |s| s.checks.iter().map(|c| c.ask(sight)).collect());
    Seen {
        at: d.at,
        state: state.to_owned(),
        condition: condition(sight),
        onset: d.since,
        sentence: sentence(d),
        checks,
        ways: runbook.edges_from(state).map(|edge| way(edge, sight)).collect(),
        advised: recommend(runbook, state, sight),
        burns: Memory::sample(d),
    }
}

/// The verdict in a sentence. Its window still holds what is over: then it says so first.
fn sentence(d: &Diagnosis) -> String {
    match d.until {
        Some(until) => {
            format!("nothing was late for {}; the window with what was before: {}", span(d.at.since(until)), d.sentence)
        }
        None => d.sentence.clone(),
    }
}

fn condition(sight: Sight<'_>) -> Condition {
    let d = sight.d;
    match d.verdict {
        Verdict::Stalled if d.until.is_none() => Condition::Breached,
        _ if sight.is_stale() => Condition::Stale,
        Verdict::Breach if d.until.is_none() => Condition::Breached,
        Verdict::Healthy => Condition::Holds,
        Verdict::Breach if d.until.is_some() => Condition::Holds,
        _ => Condition::Open,
    }
}

/// Why an edge's conditions do not hold; `Ok` with the evidence where they do.
fn holds(edge: &Edge, sight: Sight<'_>) -> Result<(String, f64), String> {
    let mut says = Vec::new();
    let mut share = 0.0;
    if let Some(guard) = edge.guard {
        match guard.held(sight) {
            Some(held) => {
                share = held.share;
                says.push(held.says);
            }
            None => return Err(format!("{} is not seen", guard.code().replace('_', " "))),
        }
    }
    for check in &edge.pass {
        let checked = check.ask(sight);
        if checked.outcome != Outcome::Pass {
            return Err(format!("{} {}: {}", check.code().replace('_', " "), words(checked.outcome), checked.says));
        }
        says.push(checked.says);
    }
    for check in &edge.unless_fail {
        let checked = check.ask(sight);
        if checked.outcome == Outcome::Fail {
            return Err(format!("{} fails: {}", check.code().replace('_', " "), checked.says));
        }
    }
    says.retain(|s| !s.is_empty());
    Ok((says.join("; "), share))
}

const fn words(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pass => "passes",
        Outcome::Fail => "fails",
        Outcome::CannotTell => "cannot be told",
    }
}

fn way(edge: &Edge, sight: Sight<'_>) -> Way {
    let (held, why) = if edge.is_guarded() {
        match holds(edge, sight) {
            Ok((why, _)) => (Some(true), why),
            Err(why) => (Some(false), why),
        }
    } else {
        (None, String::new())
    };
    let ruled_out = sight.memory.ruled_out.contains(&edge.to);
    let why = if ruled_out { "it was ruled out in this run".to_owned() } else { why };
    Way { edge: edge.id(), when: edge.when.clone(), holds: held, why, ours: edge.ours }
}

/// The first way whose conditions hold, in the file's order; of a group, the one with the largest share.
pub fn recommend(runbook: &Runbook, state: &str, sight: Sight<'_>) -> Option<Advised> {
    let holding: Vec<(&Edge, String, f64)> = runbook
        .edges_from(state)
        .filter(|e| e.is_guarded() && !sight.memory.ruled_out.contains(&e.to))
        .filter_map(|e| holds(e, sight).ok().map(|(why, share)| (e, why, share)))
        .collect();
    let (first, ..) = holding.first()?;
    let best = match &first.group {
        None => holding.first()?,
        Some(group) => holding
            .iter()
            .filter(|(e, ..)| e.group.as_ref() == Some(group))
            // Of equals the first: max_by would take the last.
            .rev()
            .max_by(|a, b| a.2.total_cmp(&b.2))?,
    };
    let reason = |edge: &Edge, evidence: &str| match (edge.when.as_str(), evidence) {
        (when, "") => when.to_owned(),
        ("", evidence) => evidence.to_owned(),
        (when, evidence) => format!("{when}: {evidence}"),
    };
    let open = holding
        .iter()
        .filter(|(e, ..)| e.id() != best.0.id() && !runbook.is_end(&e.to))
        .map(|(e, why, _)| (e.id(), reason(e, why)))
        .collect();
    Some(Advised { edge: best.0.id(), to: best.0.to.clone(), why: reason(best.0, &best.1), open })
}
