//! A runbook's file: strict, because a mistyped guard must not be ignored.

use serde::Deserialize;

use super::{Check, Guard};

/// A runbook.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Runbook {
    /// Its short name.
    pub id: String,
    /// Its title.
    pub title: String,
    /// What it is for.
    pub trigger: String,
    /// The state in which it begins.
    pub start: String,
    /// Its states.
    #[serde(rename = "state")]
    pub states: Vec<State>,
    /// Its edges, in the order in which they are tried.
    #[serde(rename = "edge")]
    pub edges: Vec<Edge>,
}

/// A state.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Its name.
    pub name: String,
    /// Whether it is an end.
    #[serde(default)]
    pub kind: Kind,
    /// What is decided in it.
    pub decides: String,
    /// What is looked at in it.
    #[serde(default)]
    pub checks: Vec<Check>,
}

/// Whether a state has a way out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// It has.
    #[default]
    Step,
    /// It has not.
    End,
}

/// A way from a state to another.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edge {
    /// From here.
    pub from: String,
    /// To there.
    pub to: String,
    /// What must hold for it to be recommended; without one it is for the operator to take.
    pub guard: Option<Guard>,
    /// When it is taken, in words.
    pub when: String,
    /// Whether it is an addition to the runbook as drawn.
    #[serde(default)]
    pub ours: bool,
}

/// A runbook that cannot be walked.
#[derive(Debug, thiserror::Error)]
pub enum RunbookError {
    /// It does not parse: an unknown key, check or guard.
    #[error("runbook '{file}': {message}")]
    File {
        /// The file.
        file: String,
        /// What the reader says, with line and column.
        message: String,
    },
    /// An edge or the start names a state that is not there.
    #[error("runbook '{file}': '{name}' is no state of it; correct the edge, or add the state")]
    Nowhere {
        /// The file.
        file: String,
        /// The name.
        name: String,
    },
    /// A state is a trap, or an end is none.
    #[error("runbook '{file}': state '{state}' {problem}")]
    Trap {
        /// The file.
        file: String,
        /// The state.
        state: String,
        /// What is wrong.
        problem: &'static str,
    },
}

impl Runbook {
    /// Reads and checks a runbook: every edge leads somewhere, every state but an end has a way out, no state is named
    /// twice.
    pub fn parse(file: &str, text: &str) -> Result<Self, RunbookError> {
        let runbook: Self =
            toml::from_str(text).map_err(|e| RunbookError::File { file: file.to_owned(), message: e.to_string() })?;
        let named = runbook.edges.iter().flat_map(|e| [&e.from, &e.to]).chain([&runbook.start]);
        if let Some(name) = named.into_iter().find(|name| runbook.state(name).is_none()) {
            return Err(RunbookError::Nowhere { file: file.to_owned(), name: name.clone() });
        }
        for (i, state) in runbook.states.iter().enumerate() {
            let ways_out = runbook.edges_from(&state.name).count();
            let problem = match state.kind {
                _ if runbook.states[..i].iter().any(|other| other.name == state.name) => "is there twice",
                Kind::Step if ways_out == 0 => "has no way out; give it an edge, or kind = \"end\"",
                Kind::End if ways_out > 0 => "is an end and has a way out",
                _ => continue,
            };
            return Err(RunbookError::Trap { file: file.to_owned(), state: state.name.clone(), problem });
        }
        Ok(runbook)
    }

    /// The state with this name.
    pub fn state(&self, name: &str) -> Option<&State> {
        self.states.iter().find(|s| s.name == name)
    }

    /// The ways out of a state, in order.
    pub fn edges_from<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Edge> {
        self.edges.iter().filter(move |e| e.from == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = r#"
        id = "RB-0"
        title = "A made-up one"
        trigger = "none"
        start = "a"
        [[state]]
        name = "a"
        decides = "this or that"
        [[state]]
        name = "b"
        kind = "end"
        decides = "done"
        [[edge]]
        from = "a"
        to = "b"
        guard = "ttft_over"
        when = "always"
    "#;

    #[test]
    fn a_made_up_runbook_loads() {
        let runbook = Runbook::parse("small.toml", SMALL).unwrap();
        assert_eq!(runbook.edges_from("a").count(), 1);
    }

    #[test]
    fn a_runbook_that_cannot_be_walked_is_refused_by_name() {
        for (from, to, expected) in [
            ("to = \"b\"", "to = \"c\"", "'c' is no state"),
            ("start = \"a\"", "start = \"z\"", "'z' is no state"),
            ("kind = \"end\"", "", "'b' has no way out"),
            ("guard = \"ttft_over\"", "gaurd = \"ttft_over\"", "gaurd"),
            ("guard = \"ttft_over\"", "guard = \"ttft_oven\"", "ttft_oven"),
            ("name = \"b\"", "name = \"a\"", "no state"),
        ] {
            let error = Runbook::parse("small.toml", &SMALL.replace(from, to)).unwrap_err().to_string();
            assert!(error.contains("small.toml") && error.contains(expected), "{error}");
        }
    }
}
