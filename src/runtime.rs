//! Runs what was asked for: the one place that knows everyone. Builds the configuration, performs a command, writes what
//! it returns, and turns its outcome into an exit code.

mod access;
mod act;
mod choosing;
mod connect;
#[cfg(feature = "sim")]
mod demo;
mod doctor;
mod finding;
mod gate;
mod incident;
mod input;
mod keeper;
mod keys;
mod logs;
mod looks;
mod panics;
mod papers;
mod remembered;
mod replay;
mod saved;
pub mod session;
mod shell;
mod steps;
mod terminal;
mod warroom;

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use color_eyre::eyre::{Context, Result};

use crate::cli::{CheckArgs, Cli, Command, ConfigCommand, FailOn, LookArgs, Output, ScreenArgs};
use crate::command::check::{self, Sources};
use crate::command::config as config_command;
use crate::config::{Config, Flag, Setting, Surroundings};
use crate::contract::Check;
use crate::diagnosis::Diagnosis;
use crate::report::{self, Look};
use crate::runbook;
use crate::ui::theme::Theme;
use connect::{Asked, check_cluster};

pub use panics::report as panicked;
pub use terminal::Painter;

/// Exit codes that are no verdict.
const FAILURE: u8 = 1;
const USAGE: u8 = 2;
const INTERRUPTED: u8 = 130;

/// Text that goes into a file or a pipe is this wide.
const PIPE_WIDTH: usize = 100;

/// Does what was asked for, and answers with the exit code.
pub fn run(cli: &Cli) -> Result<u8> {
    // A namespace that is not looked at would be the wrong cluster, without a word.
    if cli.command.is_some() && cli.screen != ScreenArgs::default() {
        return Ok(usage("flags stand behind the command that they are for, as in 'warroom check -n NAME'"));
    }
    let outcome = match &cli.command {
        None => warroom::run(cli, &cli.screen),
        Some(Command::Check(args)) => run_check(cli, args),
        Some(Command::Act(command)) => act::run(cli, command),
        Some(Command::Config(command)) => run_config(cli, *command),
        Some(Command::Discover(args)) => finding::run(args),
        Some(Command::Doctor(args)) => doctor::run(cli, args),
        Some(Command::Rbac(args)) => access::run(args),
        Some(Command::Runbook(command)) => papers::run_runbook(command),
        Some(Command::Report(args)) => papers::run_report(args),
        Some(Command::Replay(args)) => replay::run(cli, args),
        #[cfg(feature = "sim")]
        Some(Command::Sim(args)) => run_sim(args),
        #[cfg(feature = "sim")]
        Some(Command::Demo(args)) => demo::run(cli, args),
    };
    // What this program cannot help is said like everything else, and not as a report on its insides.
    outcome.or_else(|error| {
        complain(&format!("{error:#}"));
        Ok(FAILURE)
    })
}

fn run_check(cli: &Cli, args: &CheckArgs) -> Result<u8> {
    let config = match Config::load(cli.config.as_deref(), flags(args)) {
        Ok(config) => config,
        Err(error) => return Ok(usage(&error.to_string())),
    };
    let (window, watch) = match (duration("--window", &args.window), duration("--for", &args.watch)) {
        (Ok(window), Ok(watch)) => (window, watch),
        (Err(message), _) | (_, Err(message)) => return Ok(usage(&message)),
    };
    if let Some(twice) = given_twice(args) {
        return Ok(usage(&format!("'{}' is given twice: name each replica once", crate::text::clean(&twice, 120))));
    }
    let asked = match Asked::of(args.target.as_deref(), &args.cluster) {
        Ok(asked) => asked,
        Err(message) => return Ok(usage(&message)),
    };
    let sources = match (&args.engine, &args.pages) {
        (_, pages) if !pages.is_empty() => Some(Sources::Recorded { directories: pages.clone(), at: args.at.clone() }),
        (engines, _) if !engines.is_empty() => Some(Sources::Live { engines: engines.clone(), watch }),
        _ => None,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .wrap_err("no threads can be started: the limits of this account may be reached")?;
    let outcome = runtime.block_on(async {
        let checked = async {
            match sources {
                Some(sources) => Ok(check::check(sources, window, &config).await?),
                None => check_cluster(asked, watch, window, &config).await,
            }
        };
        tokio::select! {
            outcome = checked => Some(outcome),
            _ = tokio::signal::ctrl_c() => None,
        }
    });
    // What is still in flight is nobody's business any more.
    runtime.shutdown_background();
    match outcome {
        None => Ok(INTERRUPTED),
        Some(Err(error)) if error.is_usage() => Ok(usage(&error.to_string())),
        Some(Err(error)) => {
            complain(&error.to_string());
            Ok(FAILURE)
        }
        Some(Ok(diagnosis)) => {
            print(&rendered(&diagnosis, args.output, args.ascii, &config)?)?;
            Ok(check::exit_code(diagnosis.verdict, args.fail_on == FailOn::Warning))
        }
    }
}

/// A replica that is named twice would count twice.
fn given_twice(args: &CheckArgs) -> Option<String> {
    let engine = args.engine.iter().enumerate().find(|(i, e)| args.engine[..*i].contains(e));
    let pages = args.pages.iter().enumerate().find(|(i, p)| args.pages[..*i].contains(p));
    engine.map(|(_, e)| check::without_secrets(e)).or_else(|| pages.map(|(_, p)| p.display().to_string()))
}

fn rendered(diagnosis: &Diagnosis, output: Output, ascii: bool, config: &Config) -> Result<String> {
    let advice = runbook::advise(&runbook::rb_6()?, diagnosis);
    let advice = advice.as_ref();
    Ok(match output {
        Output::Json => {
            let mut json =
                serde_json::to_string_pretty(&Check::new(diagnosis, advice)).wrap_err("the diagnosis is no JSON")?;
            json.push('\n');
            json
        }
        Output::Markdown => report::markdown(diagnosis, advice),
        Output::Text => {
            let (theme, warnings) = Theme::named(&config.ui.theme);
            for warning in warnings {
                complain(&warning.to_string());
            }
            let width =
                terminal_size::terminal_size().filter(|_| io::stdout().is_terminal()).map(|(w, _)| usize::from(w.0));
            let ascii = ascii || !crate::config::speaks_utf8();
            report::text(diagnosis, advice, Look { theme: &theme, width: width.unwrap_or(PIPE_WIDTH), ascii })
        }
    })
}

fn flags(args: &CheckArgs) -> Vec<Flag> {
    given([
        ("--ttft-target", Setting::TtftTarget, &args.ttft_target),
        ("--tpot-target", Setting::TpotTarget, &args.tpot_target),
        ("--objective", Setting::Objective, &args.objective),
        ("--probe", Setting::Probe, &switched_on(args.probe.probe)),
        ("--probe-url", Setting::ProbeUrl, &args.probe.probe_url),
        ("--prometheus", Setting::Prometheus, &args.prometheus),
        ("--theme", Setting::Theme, &args.theme),
    ])
}

impl LookArgs {
    /// Where a test wants a panic; never in what is shipped.
    fn fail_in(&self) -> Option<&str> {
        #[cfg(debug_assertions)]
        return self.panic_in.as_deref();
        #[cfg(not(debug_assertions))]
        return None;
    }

    /// At which step of an action a test wants the program to die; never in what is shipped.
    fn die_at(&self) -> Option<&str> {
        #[cfg(debug_assertions)]
        return self.die_at.as_deref();
        #[cfg(not(debug_assertions))]
        return None;
    }

    fn flags(&self) -> Vec<Flag> {
        given([
            ("--ttft-target", Setting::TtftTarget, &self.ttft_target),
            ("--tpot-target", Setting::TpotTarget, &self.tpot_target),
            ("--objective", Setting::Objective, &self.objective),
            ("--read-only", Setting::ReadOnly, &switched_on(self.read_only)),
            ("--probe", Setting::Probe, &switched_on(self.probe.probe)),
            ("--probe-url", Setting::ProbeUrl, &self.probe.probe_url),
            ("--prometheus", Setting::Prometheus, &self.prometheus),
            ("--theme", Setting::Theme, &self.theme),
        ])
    }
}

/// The value of a flag that has none.
fn switched_on(on: bool) -> Option<String> {
    on.then(|| true.to_string())
}

fn given<const N: usize>(typed: [(&'static str, Setting, &Option<String>); N]) -> Vec<Flag> {
    typed
        .into_iter()
        .filter_map(|(name, setting, value)| value.clone().map(|value| Flag { name, setting, value }))
        .collect()
}

fn duration(flag: &str, text: &str) -> Result<Duration, String> {
    crate::config::duration(text).map_err(|why| {
        format!("{flag} is '{}', which {why}: give a duration like 30s or 5m", crate::text::clean(text, 60))
    })
}

fn run_config(cli: &Cli, command: ConfigCommand) -> Result<u8> {
    let surroundings = Surroundings::of_this_process();
    let named = cli.config.as_deref();
    let said = match command {
        ConfigCommand::Print => match Config::load(named, Vec::new()) {
            Ok(config) => Ok(config_command::print(&config)),
            Err(error) => return Ok(usage(&error.to_string())),
        },
        ConfigCommand::Path => config_command::path(&surroundings, named).map(|path| format!("{}\n", path.display())),
        ConfigCommand::Validate => config_command::validate(&surroundings, named),
        ConfigCommand::Init => config_command::init(&surroundings, named).and_then(|(path, text)| {
            config_command::write(&path, text)?;
            Ok(format!("wrote '{}'\n", path.display()))
        }),
    };
    match said {
        Ok(text) => {
            print(&text)?;
            Ok(0)
        }
        Err(error) => Ok(usage(&error.to_string())),
    }
}

/// Opens a simulated cluster and keeps it until Ctrl-C.
#[cfg(feature = "sim")]
fn run_sim(args: &crate::cli::SimArgs) -> Result<u8> {
    use crate::command::sim::{self, Wanted};
    let args = args.clone();
    let wanted = Wanted {
        scenario: args.scenario,
        seed: args.seed,
        speed: args.speed,
        port: args.port,
        kubeconfig_out: args.kubeconfig_out,
        denied: args.deny,
        allow_only: args.allow_only,
        prometheus: args.prometheus,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .wrap_err("no threads can be started: the limits of this account may be reached")?;
    let code = runtime.block_on(async {
        let opened = tokio::select! {
            opened = sim::open(&wanted) => opened,
            _ = tokio::signal::ctrl_c() => return Ok(INTERRUPTED),
        };
        match opened {
            Err(error) if error.is_usage() => Ok(usage(&error.to_string())),
            Err(error) => {
                complain(&error.to_string());
                Ok(FAILURE)
            }
            Ok((handle, said)) => {
                print(&said)?;
                let _ = tokio::signal::ctrl_c().await;
                drop(handle);
                Ok(0)
            }
        }
    });
    runtime.shutdown_background();
    code
}

/// Writes to standard output; colours stay only where a terminal wants them. A reader that went away is no error.
fn print(text: &str) -> Result<()> {
    let mut out = anstream::AutoStream::auto(io::stdout().lock());
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.wrap_err("standard output cannot be written"),
    }
}

fn usage(message: &str) -> u8 {
    complain(message);
    USAGE
}

fn complain(message: &str) {
    let _ = writeln!(io::stderr(), "warroom: {message}");
}
