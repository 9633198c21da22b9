//! `warroom act`: what it says, in words or as lines of JSON, and how it ends. Does not know how the words were typed,
//! and sends nothing.

use serde::Serialize;
use serde_json::{Value, json};

use crate::action::card::{Part, Tone};
use crate::action::{Action, Outcome, Plan, Progress, Refusal, Stage, place_flags};
use crate::domain::WorkloadRef;

/// The schema of a line of JSON.
pub const SCHEMA: &str = "warroom.act/1";

/// The width of a label and the space behind it.
const LABEL: usize = 9;

/// How it ended. Not known is none of the others: whoever reads it as 'not done' does it twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// It was only planned and tried.
    Printed,
    /// It is stored; and done, where that was waited for.
    Done,
    /// It is not stored.
    NotDone,
    /// It is stored, and not done within the time that was waited for, or stuck.
    Unfinished,
    /// Nobody knows whether it is stored.
    Unknown,
    /// It was called off before anything was sent.
    Interrupted,
    /// What was typed is not enough, or wrong.
    Usage,
}

impl End {
    /// What came of a request.
    pub const fn of(outcome: &Outcome) -> Self {
        match outcome.changed() {
            Some(true) => Self::Done,
            Some(false) => Self::NotDone,
            None => Self::Unknown,
        }
    }

    /// How following it ended.
    pub const fn reached(stage: Stage) -> Self {
        match stage {
            Stage::Done => Self::Done,
            Stage::Waiting | Stage::Underway | Stage::Stuck | Stage::Superseded | Stage::Gone => Self::Unfinished,
        }
    }

    /// Its exit code.
    pub const fn code(self) -> u8 {
        match self {
            Self::Printed | Self::Done => 0,
            Self::NotDone | Self::Unfinished => 1,
            Self::Usage => 2,
            Self::Unknown => 3,
            Self::Interrupted => 130,
        }
    }
}

/// Whether it is worth to go on watching.
pub const fn is_settled(stage: Stage) -> bool {
    !matches!(stage, Stage::Waiting | Stage::Underway)
}

/// Something that is said while it goes on.
#[derive(Debug)]
pub enum Step<'a> {
    /// The plan, with everything that is to be known before it is done.
    Card(&'a Plan, &'a [Part]),
    /// It is on record here, and is sent now.
    Recorded(&'a str),
    /// What came of the request.
    Answered(&'a Outcome),
    /// How far it is.
    Progress(&'a Progress),
    /// The end, in a sentence.
    Ended(End, &'a str),
}

impl Step<'_> {
    /// For a terminal or a log, `width` columns wide; ends with a line break.
    pub fn text(&self, width: usize) -> String {
        match self {
            Self::Card(plan, parts) => card(plan, parts, width),
            Self::Recorded(path) => format!("on record in {path}; sent now\n"),
            Self::Answered(outcome) => format!("{outcome}\n"),
            Self::Progress(progress) => format!("{}: {}\n", word(progress.stage), progress.sentence),
            Self::Ended(_, why) => format!("{why}\n"),
        }
    }

    /// A line of JSON; ends with a line break.
    pub fn json(&self) -> String {
        let mut line = match self {
            Self::Card(plan, parts) => json!({
                "step": "card", "action": plan.action, "title": plan.title, "object": plan.object,
                "context": plan.target.context, "namespace": plan.target.namespace, "workload": plan.target.name,
                "card": parts, "inverse": plan.inverse, "kubectl": plan.kubectl,
            }),
            Self::Recorded(path) => json!({"step": "recorded", "path": path}),
            Self::Answered(outcome) => {
                json!({"step": "answered", "changed": outcome.changed(), "says": outcome.to_string()})
            }
            Self::Progress(progress) => json!({"step": "progress", "progress": progress}),
            Self::Ended(end, why) => json!({"step": "ended", "end": end, "code": end.code(), "says": why}),
        };
        line["schema"] = Value::from(SCHEMA);
        format!("{line}\n")
    }
}

/// Whether it helps, which nobody has looked at here.
pub fn unjudged() -> Part {
    let line = "Not known: nothing was diagnosed here; 'warroom check' says which levers help.".to_owned();
    Part { label: "HELPS", lines: vec![line], tone: Tone::Unknown }
}

fn card(plan: &Plan, parts: &[Part], width: usize) -> String {
    let mut text = format!("{}\n\n", plan.title);
    let room = width.saturating_sub(LABEL).max(20);
    for part in parts {
        // A tone is a word here, where no colour says it.
        let mark = match part.tone {
            Tone::Bad => "! ",
            Tone::Unknown => "? ",
            Tone::Plain | Tone::Good => "",
        };
        let marked =
            part.lines.iter().enumerate().map(|(n, line)| if n == 0 { format!("{mark}{line}") } else { line.clone() });
        let mut label = part.label;
        // A command is copied: it stays on one line.
        let whole = part.label == "KUBECTL";
        for line in marked.flat_map(|line| if whole { vec![line] } else { wrapped(&line, room) }) {
            text.push_str(format!("{label:<LABEL$}{line}").trim_end());
            text.push('\n');
            label = "";
        }
    }
    text.push('\n');
    text
}

/// A line in pieces of at most `width` characters; what follows is set in.
fn wrapped(line: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in line.split(' ') {
        let first = lines.len() == 1;
        let Some(last) = lines.last_mut() else { break };
        let is_empty = last.trim().is_empty();
        if !is_empty && last.chars().count() + 1 + word.chars().count() > width {
            lines.push(format!("  {word}"));
        } else {
            if !(is_empty && (first || last.is_empty())) {
                last.push(' ');
            }
            last.push_str(word);
        }
    }
    lines
}

const fn word(stage: Stage) -> &'static str {
    match stage {
        Stage::Waiting => "waiting",
        Stage::Underway => "under way",
        Stage::Stuck => "stuck",
        Stage::Done => "done",
        Stage::Superseded => "superseded",
        Stage::Gone => "gone",
    }
}

/// Why there is no plan, and what can be typed instead.
pub fn refused(refusal: &Refusal, target: &WorkloadRef) -> String {
    let instead: Vec<String> = refusal.instead().iter().map(|action| format!("'{}'", typed(action, target))).collect();
    if instead.is_empty() { format!("{refusal}") } else { format!("{refusal}; instead: {}", instead.join(", or ")) }
}

/// What takes it back, as it is typed.
pub fn taken_back_by(plan: &Plan) -> String {
    match &plan.inverse {
        Some(inverse) => format!("taken back by '{}'", typed(inverse, &plan.target)),
        None => "nothing here takes it back".to_owned(),
    }
}

/// An action as it is typed here; with the context, so that it hits no other cluster.
fn typed(action: &Action, target: &WorkloadRef) -> String {
    let workload = format!("{}/{}", target.kind.short(), target.name);
    let of = format!("{workload} {}", place_flags(target));
    match action {
        Action::RolloutUndo { to: Some(to) } => format!("warroom act undo {of} --to-revision {}", to.revision),
        Action::RolloutUndo { to: None } => format!("warroom act undo {of}"),
        Action::Scale { to } => format!("warroom act scale {of} --replicas {to}"),
        Action::RolloutPause => format!("warroom act pause {of}"),
        Action::RolloutResume => format!("warroom act resume {of}"),
        Action::RolloutRestart => format!("warroom act restart {of}"),
        Action::SetAutoscalerBounds { min, max } => format!("warroom act bounds {of} --min {min} --max {max}"),
        Action::PauseAutoscaler { paused: true } => format!("warroom act pause-scale-in {of}"),
        Action::PauseAutoscaler { paused: false } => format!("warroom act resume-scale-in {of}"),
        Action::CordonNode { node, cordoned: true } => format!("warroom act cordon {node} --workload {of}"),
        Action::CordonNode { node, cordoned: false } => format!("warroom act uncordon {node} --workload {of}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::Seen;

    #[test]
    fn what_is_not_known_ends_otherwise_than_what_was_not_done() {
        let lost = |seen| Outcome::Unknown { why: "no answer".into(), seen };
        for (outcome, code) in [
            (lost(Seen::NotRead("no answer".into())), 3),
            (lost(Seen::Gone), 3),
            (lost(Seen::Done { ours: None }), 0),
            (lost(Seen::NotDone), 1),
            (Outcome::Busy(String::new()), 1),
            (Outcome::Applied(crate::action::Answer::default()), 0),
        ] {
            assert_eq!(End::of(&outcome).code(), code, "{outcome}");
        }
    }

    #[test]
    fn a_line_breaks_between_words_and_a_word_never() {
        assert_eq!(wrapped("one two three", 8), ["one two", "  three"]);
        assert_eq!(wrapped("one", 1), ["one"]);
        assert_eq!(wrapped("", 8), [""]);
        assert_eq!(wrapped("a-very-long-word b", 4), ["a-very-long-word", "  b"]);
        for width in 1..40 {
            let line = "The quick brown fox jumps over the lazy dog.";
            assert_eq!(wrapped(line, width).join(" ").split_whitespace().collect::<Vec<_>>().join(" "), line);
        }
    }
}
