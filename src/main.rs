//! The `warroom` program: what is typed goes in, an exit code comes out.

use std::process::ExitCode;

use clap::Parser;
use warroom::cli::Cli;

fn main() -> color_eyre::Result<ExitCode> {
    color_eyre::config::HookBuilder::default().display_env_section(false).install()?;
    Ok(ExitCode::from(warroom::runtime::run(&Cli::parse())?))
}
