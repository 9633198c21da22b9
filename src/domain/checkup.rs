//! What was examined before an incident, or at its beginning: one row per thing, with what is missing and what mends it.

use super::vocabulary::codes;

codes! {
    /// How something stands.
    Standing {
        /// As it should be.
        Pass = "pass",
        /// Not as it should be.
        Fail = "fail",
        /// It cannot be told.
        CannotTell = "cannot_tell",
        /// It is not used.
        Off = "off",
    }
}

codes! {
    /// What a row is about.
    Part {
        /// The way to the cluster.
        Reach = "reach",
        /// What this account may do.
        Permission = "permission",
        /// What is read.
        Source = "source",
        /// Where this runs.
        Machine = "machine",
        /// One of the runbook's questions about how the service is built.
        Question = "question",
    }
}

/// One thing that was examined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// What it is about.
    pub part: Part,
    /// What it is called, in a word or a question.
    pub name: String,
    /// How it stands.
    pub standing: Standing,
    /// What was seen.
    pub says: String,
    /// How it is reached, as a line that does the same by hand where there is one.
    pub via: Option<String>,
    /// What mends it: a line to type where there is one. `None` where nothing is to be mended.
    pub remedy: Option<String>,
}

impl Row {
    /// A row without a way and a remedy.
    pub fn new(part: Part, name: impl Into<String>, standing: Standing, says: impl Into<String>) -> Self {
        Self { part, name: name.into(), standing, says: says.into(), via: None, remedy: None }
    }

    /// How it is reached.
    #[must_use]
    pub fn via(self, via: impl Into<String>) -> Self {
        Self { via: Some(via.into()).filter(|via| !via.is_empty()), ..self }
    }

    /// What mends it, where it is not as it should be.
    #[must_use]
    pub fn mended_by(self, remedy: impl Into<String>) -> Self {
        let remedy = matches!(self.standing, Standing::Fail | Standing::CannotTell).then(|| remedy.into());
        Self { remedy: remedy.filter(|r| !r.is_empty()), ..self }
    }
}

/// Everything that was examined, in the order in which it is read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Checkup {
    /// The workload, as `kind/name`, its namespace and its context, where there is one.
    pub target: Option<(String, String, String)>,
    /// The rows.
    pub rows: Vec<Row>,
}

impl Checkup {
    /// How many rows stand so.
    pub fn count(&self, standing: Standing) -> usize {
        self.rows.iter().filter(|row| row.standing == standing).count()
    }

    /// Whether nothing of what is used is missing. A question about the service's design is no part of that.
    pub fn is_whole(&self) -> bool {
        !self.rows.iter().any(|row| row.standing == Standing::Fail && row.part != Part::Question)
    }
}
