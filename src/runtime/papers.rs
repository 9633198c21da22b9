//! The commands that read papers and touch no cluster: runbooks, and the report of a record.

use color_eyre::eyre::Result;

use super::{complain, print, usage};
use crate::cli::{ReportArgs, ReportFormat, RunbookCommand};
use crate::command::report::{Format, report};
use crate::command::runbook;
use crate::config::{Surroundings, runbooks};
use crate::runbook::Catalogue;
use crate::text::MaskRule;

/// Every runbook at hand; what is wrong with the user's own is told and leaves the others as they are.
pub(super) fn catalogue() -> (Catalogue, Vec<String>) {
    let (files, unreadable) = runbooks(&Surroundings::of_this_process());
    let catalogue = Catalogue::with(&files);
    let mut told: Vec<String> = unreadable.iter().map(ToString::to_string).collect();
    told.extend(catalogue.refused.iter().map(ToString::to_string));
    (catalogue, told)
}

pub(super) fn run_runbook(command: &RunbookCommand) -> Result<u8> {
    let (catalogue, told) = catalogue();
    let said = match command {
        RunbookCommand::Lint { files } => runbook::lint(&catalogue, files),
        RunbookCommand::List => Ok(runbook::list(&catalogue)),
        RunbookCommand::Show { id, ascii } => runbook::show(&catalogue, id, *ascii || !crate::config::speaks_utf8()),
    };
    match said {
        Ok(text) => {
            print(&text)?;
            // Files named on the command line are linted; those that lie in the user's folder are only told of.
            for told in &told {
                complain(told);
            }
            let own_are_wrong = !told.is_empty() && !matches!(command, RunbookCommand::Lint { .. });
            Ok(if own_are_wrong { super::USAGE } else { 0 })
        }
        Err(error) => Ok(usage(&error.to_string())),
    }
}

pub(super) fn run_report(args: &ReportArgs) -> Result<u8> {
    let format = match args.output {
        ReportFormat::Markdown => Format::Markdown,
        ReportFormat::Html => Format::Html,
        ReportFormat::Json => Format::Json,
    };
    let mask = args.mask.then_some(&MaskRule::ALL[..]);
    match report(&args.file, format, mask) {
        Ok(text) => {
            print(&text)?;
            Ok(0)
        }
        Err(error) => Ok(usage(&error.to_string())),
    }
}
