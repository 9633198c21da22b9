//! A plan as the card that is read before it is confirmed: the same words on the screen and on a pipe.
//!
//! Each part answers one question, in the order in which somebody woken at night asks them. Whether the lever helps is
//! said by the diagnosis, and put beside these parts by whoever shows them; names are hidden there too.

use serde::Serialize;

use super::fit::{Fit, Fits, NodeFit};
use super::plan::{Goal, Plan};
use super::{Access, Answer, Outcome, Permission, Sign};

/// Changes that are listed; a template's whole difference is shown elsewhere.
const MOST_CHANGES: usize = 12;
/// Nodes that are listed.
const MOST_NODES: usize = 6;
/// Characters of an identity that are shown: enough to tell two objects of a name apart.
const UID_SHOWN: usize = 8;

/// How a part is meant. It stands in the words as well: no part is told by its colour alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Tone {
    /// It is so.
    Plain,
    /// Nothing is in the way here.
    Good,
    /// Something is in the way, or will take it back.
    Bad,
    /// Nobody knows.
    Unknown,
}

/// One question, answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Part {
    /// The question: one word in capitals, of at most 8 characters.
    pub label: &'static str,
    /// The answer, a sentence per line.
    pub lines: Vec<String>,
    /// How it is meant.
    pub tone: Tone,
}

impl Part {
    /// A part; nothing where there is nothing to say.
    pub fn new(label: &'static str, tone: Tone, lines: Vec<String>) -> Option<Self> {
        (!lines.is_empty()).then_some(Self { label, lines, tone })
    }

    fn of(label: &'static str, tone: Tone, line: impl Into<String>) -> Self {
        Self { label, lines: vec![line.into()], tone }
    }
}

/// The card of a plan. `tried`: what the dry run was answered, and whether it is allowed; `None` before it.
pub fn card(plan: &Plan, tried: Option<(&Answer, &Permission)>) -> Vec<Part> {
    let parts = [
        Some(place(plan)),
        Part::new("DOES", Tone::Plain, plan.does.clone()),
        Part::new("DIFF", Tone::Plain, changes(plan)),
        Some(tried.map_or_else(untried, |(answer, _)| accepted(answer))),
        Some(tried.map_or_else(|| unasked(&plan.access), |(_, permission)| allowed(permission, &plan.access))),
        Some(owners(plan)),
        Some(fits(&plan.fit)),
        Some(takes(plan)),
        Part::new("MIND", Tone::Plain, mind(plan)),
        Some(back(plan)),
        Part::new("KUBECTL", Tone::Plain, vec![plan.kubectl.clone()]),
    ];
    parts.into_iter().flatten().collect()
}

/// Whether it is allowed, where there was no dry run to ask it before: with read-only on, this alone may be asked.
pub fn allowed(permission: &Permission, access: &[Access]) -> Part {
    let needed = needed(access);
    match permission {
        Permission::Allowed => Part::of("ALLOWED", Tone::Good, format!("You may: the API server grants {needed}.")),
        Permission::Denied(what) => Part::of("ALLOWED", Tone::Bad, format!("You may not: {what}.")),
        Permission::Unknown(why) => {
            Part::of("ALLOWED", Tone::Unknown, format!("Whether you have {needed} is not known: {why}."))
        }
    }
}

/// What a dry run came to that was not accepted.
pub fn failed(outcome: &Outcome) -> Part {
    let said = outcome.to_string();
    // Nothing is ever done by a dry run.
    Part::of("DRYRUN", Tone::Bad, format!("Not accepted: {}.", said.strip_prefix("not done: ").unwrap_or(&said)))
}

/// Puts `part` in the place of the one with its label; at the end where there is none.
pub fn put(parts: &mut Vec<Part>, part: Part) {
    match parts.iter_mut().find(|p| p.label == part.label) {
        Some(old) => *old = part,
        None => parts.push(part),
    }
}

fn place(plan: &Plan) -> Part {
    let target = &plan.target;
    let namespace = match plan.goal {
        // A node is in no namespace.
        Goal::Cordoned(_) => String::new(),
        _ => format!(" in namespace {}", target.namespace),
    };
    let uid: String = plan.precondition.uid.chars().take(UID_SHOWN).collect();
    let revision = plan.revision.map(|r| format!(", at revision {r}")).unwrap_or_default();
    let lines = vec![
        format!("{}{namespace} of context {}.", plan.object, target.context),
        format!("Its identity begins with {uid}{revision}."),
    ];
    Part { label: "WHERE", lines, tone: Tone::Plain }
}

fn changes(plan: &Plan) -> Vec<String> {
    let mut lines: Vec<String> = plan.changes.iter().take(MOST_CHANGES).map(ToString::to_string).collect();
    let more = plan.changes.len().saturating_sub(MOST_CHANGES);
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    let differ = plan.lines.iter().filter(|l| l.sign != Sign::Same).count();
    if differ > 0 && lines.is_empty() {
        lines.push(format!("{differ} lines of the template differ, and none that an engine would notice."));
    }
    lines
}

fn untried() -> Part {
    Part::of("DRYRUN", Tone::Unknown, "Not tried.")
}

fn unasked(access: &[Access]) -> Part {
    Part::of("ALLOWED", Tone::Unknown, format!("It needs {}; whether you have it was not asked.", needed(access)))
}

fn needed(access: &[Access]) -> String {
    let all: Vec<String> = access.iter().map(|a| format!("'{a}'")).collect();
    all.join(" and ")
}

fn accepted(answer: &Answer) -> Part {
    let mut lines = Vec::new();
    if answer.unexpected.is_empty() {
        lines.push("Accepted by the API server and its webhooks; nothing is stored yet.".to_owned());
    } else {
        lines.push("Accepted, but a webhook changes it on the way:".to_owned());
        lines.extend(answer.unexpected.iter().map(ToString::to_string));
    }
    lines.extend(answer.warnings.iter().map(|w| format!("The server warns: {w}")));
    let tone = match (answer.unexpected.is_empty(), answer.warnings.is_empty()) {
        (true, true) => Tone::Good,
        (true, false) => Tone::Plain,
        (false, _) => Tone::Bad,
    };
    Part { label: "DRYRUN", lines, tone }
}

fn owners(plan: &Plan) -> Part {
    if plan.conflicts.is_empty() {
        return match plan.goal {
            Goal::Template(_) | Goal::Replicas(_) | Goal::Paused(_) => {
                Part::of("OWNER", Tone::Good, "Nobody else is known to write it.")
            }
            // Of these only the numbers are read, and not who declares them.
            Goal::Bounds { .. } | Goal::ScaleInPaused(_) | Goal::Cordoned(_) => {
                Part::of("OWNER", Tone::Unknown, "Who else writes it is not looked at.")
            }
        };
    }
    let tone = match plan.reverted_by() {
        Some(_) => Tone::Bad,
        None if plan.conflicts.iter().any(super::Conflict::is_unseen) => Tone::Unknown,
        None => Tone::Plain,
    };
    let mut lines: Vec<String> = plan.conflicts.iter().map(|c| format!("{}: {}.", c.who, c.does)).collect();
    if let Some(who) = plan.reverted_by() {
        lines.insert(0, format!("{who} is likely to take it back."));
    }
    Part { label: "OWNER", lines, tone }
}

fn fits(fit: &Fit) -> Part {
    let tone = match fit.fits {
        Fits::Yes if fit.pods == 0 => Tone::Plain,
        Fits::Yes => Tone::Good,
        Fits::No => Tone::Bad,
        Fits::Unknown => Tone::Unknown,
    };
    let word = match fit.fits {
        Fits::Yes if fit.pods == 0 => "",
        Fits::Yes => "Yes: ",
        Fits::No => "No: ",
        Fits::Unknown => "Not known: ",
    };
    let mut lines = vec![capital(&format!("{word}{}.", fit.why))];
    // Where there is room comes first, then where there would be.
    let mut nodes: Vec<&NodeFit> = fit.nodes.iter().collect();
    nodes.sort_by_key(|n| (n.takes == Some(0), n.why_not.is_some()));
    lines.extend(nodes.iter().take(MOST_NODES).map(|n| node(n, fit.gpus_each)));
    let more = nodes.len().saturating_sub(MOST_NODES);
    if more > 0 {
        lines.push(format!("and {more} more nodes"));
    }
    Part { label: "FITS", lines, tone }
}

fn node(node: &NodeFit, each: u32) -> String {
    let free = match node.free {
        Some(free) => format!("{free} GPU{} free", if free == 1 { "" } else { "s" }),
        None => "free GPUs not known".to_owned(),
    };
    let missing = node.free.filter(|free| *free < each).map(|free| each - free);
    let rest = match (&node.why_not, node.takes, missing) {
        (Some(why), ..) => format!(", and takes none: {why}"),
        (None, Some(takes), None) => format!(", room for {takes}"),
        (None, _, Some(missing)) => format!(", {missing} too few"),
        (None, None, None) => String::new(),
    };
    format!("{}: {free}{rest}", node.node)
}

fn takes(plan: &Plan) -> Part {
    let cost = &plan.cost;
    let tone = match (cost.loads, cost.eta_s, cost.fewest) {
        (1.., _, Some(0)) => Tone::Bad,
        (1.., None, _) => Tone::Unknown,
        _ => Tone::Plain,
    };
    Part { label: "TAKES", lines: cost.words(), tone }
}

fn mind(plan: &Plan) -> Vec<String> {
    let mut lines = plan.warnings.clone();
    lines.extend(plan.alternatives.iter().map(|a| format!("What can be done first: {a}.")));
    lines
}

fn back(plan: &Plan) -> Part {
    match &plan.inverse {
        Some(inverse) => Part::of("BACK", Tone::Plain, format!("Taken back by: {inverse}.")),
        None => Part::of("BACK", Tone::Unknown, "Nothing here takes it back."),
    }
}

/// With a capital at the beginning.
fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
