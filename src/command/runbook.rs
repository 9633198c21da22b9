//! `warroom runbook lint|list|show`: returns what is to be printed. Does not know how the words were typed, and reads
//! only the files that it is told to lint.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use crate::runbook::{Catalogue, draw};
use crate::text::{clean, nearest};

/// Why a command about runbooks did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum RunbookCommandError {
    /// Files are wrong; every mistake is a line of it.
    #[error("{0}")]
    Wrong(String),
    /// A file cannot be read.
    #[error("'{file}' cannot be read ({why}): name a runbook's file")]
    Unreadable {
        /// The file.
        file: String,
        /// What the system says.
        why: String,
    },
    /// There is no such runbook.
    #[error("there is no runbook '{id}'{hint}")]
    Unknown {
        /// What was asked for.
        id: String,
        /// The nearest, or all.
        hint: String,
    },
}

/// No runbook is larger, in bytes.
const MOST_BYTES: u64 = 1_000_000;

/// Reads files and says of each that it is right, or of all of them what is wrong. `catalogue`: what they may extend.
pub fn lint(catalogue: &Catalogue, files: &[PathBuf]) -> Result<String, RunbookCommandError> {
    let (mut said, mut wrong) = (String::new(), Vec::new());
    let mut catalogue = catalogue.clone();
    for file in files {
        let name = clean(&file.to_string_lossy(), 200);
        let text = read(file)?;
        match catalogue.read(&name, &text) {
            Ok(book) => {
                let _ = writeln!(
                    said,
                    "'{name}' is right: {} with {} states and {} edges",
                    book.id,
                    book.states.len(),
                    book.edges.len()
                );
                // A file after it may extend it.
                catalogue.add(&name, &text, false);
            }
            Err(error) => wrong.push(error.to_string()),
        }
    }
    // Diverts can only be judged once all of them are there.
    for divert in files.iter().filter_map(|f| catalogue.books.iter().find(|b| Path::new(&b.file) == f.as_path())) {
        for to in divert.runbook.edges.iter().filter_map(|e| e.divert.as_deref()) {
            if catalogue.get(to).is_none() {
                wrong.push(format!("'{}': an edge diverts to '{to}', and there is no such runbook", divert.file));
            }
        }
    }
    if wrong.is_empty() { Ok(said) } else { Err(RunbookCommandError::Wrong(wrong.join("\n"))) }
}

fn read(file: &Path) -> Result<String, RunbookCommandError> {
    use std::io::Read as _;
    let refused = |why: String| RunbookCommandError::Unreadable { file: clean(&file.to_string_lossy(), 200), why };
    let mut bytes = Vec::new();
    let opened = fs::File::open(file).map_err(|e| refused(e.kind().to_string()))?;
    opened.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(|e| refused(e.kind().to_string()))?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(refused("it is larger than 1 MB".to_owned()));
    }
    String::from_utf8(bytes).map_err(|_| refused("it is not UTF-8".to_owned()))
}

/// Every runbook at hand, one a line.
pub fn list(catalogue: &Catalogue) -> String {
    let widest = catalogue.books.iter().map(|b| b.runbook.id.chars().count()).max().unwrap_or(0);
    let title = catalogue.books.iter().map(|b| b.runbook.title.chars().count()).max().unwrap_or(0);
    let mut out = String::new();
    for book in &catalogue.books {
        let from = if book.embedded { "comes with warroom" } else { book.file.as_str() };
        let _ = writeln!(
            out,
            "{:<widest$}  {:<title$}  {:>2} states, {:>2} edges  {from}",
            book.runbook.id,
            book.runbook.title,
            book.runbook.states.len(),
            book.runbook.edges.len()
        );
    }
    out
}

/// One runbook, drawn.
pub fn show(catalogue: &Catalogue, id: &str, ascii: bool) -> Result<String, RunbookCommandError> {
    if let Some(book) = catalogue.get(id) {
        return Ok(draw(&book.runbook, ascii));
    }
    let ids: Vec<&str> = catalogue.books.iter().map(|b| b.runbook.id.as_str()).collect();
    let lower: Vec<String> = ids.iter().map(|i| i.to_ascii_lowercase()).collect();
    let words: Vec<&str> = lower.iter().map(String::as_str).collect();
    let near = nearest(id, &words).and_then(|near| ids.iter().find(|i| i.eq_ignore_ascii_case(near)));
    let hint =
        near.map_or_else(|| format!(": there are {}", ids.join(", ")), |near| format!(", did you mean '{near}'?"));
    Err(RunbookCommandError::Unknown { id: clean(id, 80), hint })
}
