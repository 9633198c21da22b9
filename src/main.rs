//! The `warroom` program: what is typed goes in, an exit code comes out.

use std::process::ExitCode;

use clap::Parser;
use color_eyre::config::{HookBuilder, Theme};
use warroom::cli::Cli;

fn main() -> color_eyre::Result<ExitCode> {
    let colours = anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never;
    let theme = if colours { Theme::dark() } else { Theme::new() };
    HookBuilder::default().theme(theme).display_env_section(false).install()?;
    Ok(ExitCode::from(warroom::runtime::run(&Cli::parse())?))
}
