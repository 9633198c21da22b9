//! The `warroom` program: what is typed goes in, an exit code comes out.

use std::process::ExitCode;

use clap::Parser;
use color_eyre::config::{HookBuilder, Theme};
use warroom::cli::Cli;
use warroom::runtime;

fn main() -> color_eyre::Result<ExitCode> {
    let colours = anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never;
    let theme = if colours { Theme::dark() } else { Theme::new() };
    let (panics, errors) = HookBuilder::default().theme(theme).display_env_section(false).into_hooks();
    errors.install()?;
    // A report that is written over a screen is lost with it.
    std::panic::set_hook(Box::new(move |info| runtime::panicked(panics.panic_report(info).to_string())));
    Ok(ExitCode::from(runtime::run(&Cli::parse())?))
}
