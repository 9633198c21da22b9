//! Every runbook at hand: those that come with the program, and an operator's own, which override or extend them. Text
//! in; whoever reads files hands it over.

use super::definition::Runbook;
use super::problem::RunbookError;
use super::{file, problem::Problems};

/// What comes with the program.
const EMBEDDED: &[(&str, &str)] = &[
    ("rb-6.toml", include_str!("../../runbooks/rb-6.toml")),
    ("rb-8-thermal.toml", include_str!("../../runbooks/rb-8-thermal.toml")),
    ("gpu-fault.toml", include_str!("../../runbooks/gpu-fault.toml")),
];

/// Files that are looked at.
const MOST_FILES: usize = 100;

/// A runbook, and where it comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// It.
    pub runbook: Runbook,
    /// The file that it was read from, or that extends it; as it was named.
    pub file: String,
    /// Whether it is as it comes with the program.
    pub embedded: bool,
}

/// Every runbook at hand.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Catalogue {
    /// They, in the order in which they were loaded.
    pub books: Vec<Loaded>,
    /// Files that were refused; the runbooks stay as they were before them.
    pub refused: Vec<RunbookError>,
}

impl Catalogue {
    /// Those that come with the program.
    pub fn embedded() -> Self {
        let mut catalogue = Self::default();
        for (name, text) in EMBEDDED {
            catalogue.add(name, text, true);
        }
        catalogue.look_for_lost_diverts();
        catalogue
    }

    /// Those, and an operator's files (name and text) in the order of their names.
    pub fn with(files: &[(String, String)]) -> Self {
        let mut catalogue = Self::embedded();
        let mut files: Vec<&(String, String)> = files.iter().take(MOST_FILES).collect();
        // A file that stands for itself comes before those that may extend it.
        files.sort_by_key(|(name, text)| (file::read(name, text).0.extends.is_some(), name.clone()));
        for (name, text) in files {
            catalogue.add(name, text, false);
        }
        catalogue.look_for_lost_diverts();
        catalogue
    }

    /// The runbook with this short name; letters may be of either case.
    pub fn get(&self, id: &str) -> Option<&Loaded> {
        self.books.iter().find(|b| b.runbook.id.eq_ignore_ascii_case(id))
    }

    /// Reads one file over what is there.
    pub fn add(&mut self, name: &str, text: &str, embedded: bool) {
        match self.read(name, text) {
            Ok(runbook) => {
                let loaded = Loaded { runbook, file: crate::text::clean(name, 200), embedded };
                match self.books.iter_mut().find(|b| b.runbook.id.eq_ignore_ascii_case(&loaded.runbook.id)) {
                    Some(known) => *known = loaded,
                    None => self.books.push(loaded),
                }
            }
            Err(error) => self.refused.push(error),
        }
    }

    /// What a file would make, over what is there.
    pub fn read(&self, name: &str, text: &str) -> Result<Runbook, RunbookError> {
        let (draft, mut problems) = file::read(name, text);
        if !problems.is_empty() {
            return Err(problems.into_error());
        }
        let Some(extended) = draft.extends.clone() else { return draft.assemble(problems, None) };
        if let Some(base) = self.get(&extended.value) {
            return draft.assemble(problems, Some(base.runbook.clone()));
        }
        let known: Vec<&str> = self.books.iter().map(|b| b.runbook.id.as_str()).collect();
        problems.add(extended.at, format!("there is no runbook '{}': there are {}", extended.value, known.join(", ")));
        Err(problems.into_error())
    }

    /// A divert into a runbook that is not there leads nowhere: it is told, and stays as a word.
    fn look_for_lost_diverts(&mut self) {
        let mut lost = Vec::new();
        for book in &self.books {
            for divert in book.runbook.edges.iter().filter_map(|e| e.divert.as_deref()) {
                if self.get(divert).is_none() {
                    let mut problems = Problems::new(&book.file, "");
                    problems.add(0, format!("an edge diverts to '{divert}', and there is no such runbook"));
                    lost.push(problems.into_error());
                }
            }
        }
        lost.retain(|error| !self.refused.contains(error));
        self.refused.extend(lost);
    }
}
