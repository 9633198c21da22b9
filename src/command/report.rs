//! `warroom report FILE`: an incident's record as a post-mortem. Returns what is to be printed.

use std::path::Path;

use crate::journal::{self, JournalError};
use crate::report::incident::{Incident, html, json, markdown};
use crate::text::{MaskRule, clean};

/// How it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// To paste.
    Markdown,
    /// A page that stands for itself.
    Html,
    /// For programs.
    Json,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The record cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The file is something else.
    #[error("'{file}' is no record of an incident: its first entry is missing{more}")]
    NoRecord {
        /// The file.
        file: String,
        /// What is wrong with it.
        more: String,
    },
}

/// The report. `mask`: names of these kinds are replaced.
pub fn report(file: &Path, format: Format, mask: Option<&[MaskRule]>) -> Result<String, ReportError> {
    let contents = journal::read(file)?;
    let Some(incident) = Incident::of(&contents, mask) else {
        let more = contents.problems().first().map_or(String::new(), |p| format!(" ({p})"));
        return Err(ReportError::NoRecord { file: clean(&file.to_string_lossy(), 300), more });
    };
    Ok(match format {
        Format::Markdown => markdown(&incident),
        Format::Html => html(&incident),
        Format::Json => format!("{:#}\n", json(&incident)),
    })
}
