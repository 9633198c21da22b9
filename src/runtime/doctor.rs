//! `warroom doctor`: connects, examines, prints.

use std::io::{self, IsTerminal as _};
use std::sync::Arc;

use color_eyre::eyre::{Context, Result};

use super::connect::{Asked, ClusterError};
use super::session::Session;
use super::{FAILURE, INTERRUPTED, PIPE_WIDTH, complain, given, print, switched_on, usage};
use crate::cli::{Cli, DoctorArgs, Summary};
use crate::clock::Clock;
use crate::command::check;
use crate::command::doctor::{Patient, examine};
use crate::config::{Config, Setting, TerminalHints, speaks_utf8, state_folder};
use crate::contract;
use crate::domain::{Checkup, Part, Row, Standing};
use crate::report::{self, Look};
use crate::ui::theme::Theme;

/// The exit code where something that is used is missing.
const MISSING: u8 = 3;

/// Examines, and answers with the exit code.
pub(super) fn run(cli: &Cli, args: &DoctorArgs) -> Result<u8> {
    let flags = given([
        ("--read-only", Setting::ReadOnly, &switched_on(args.read_only)),
        ("--probe", Setting::Probe, &switched_on(args.probe.probe)),
        ("--probe-url", Setting::ProbeUrl, &args.probe.probe_url),
    ]);
    let config = match Config::load(cli.config.as_deref(), flags) {
        Ok(config) => config,
        Err(error) => return Ok(usage(&error.to_string())),
    };
    let asked = match Asked::of(args.target.as_deref(), &args.cluster) {
        Ok(asked) => asked,
        Err(message) => return Ok(usage(&message)),
    };
    let runtime = super::warroom::threads()?;
    let examined = runtime.block_on(async {
        tokio::select! {
            examined = examined(&asked, &config) => Some(examined),
            _ = tokio::signal::ctrl_c() => None,
        }
    });
    runtime.shutdown_background();
    let Some(examined) = examined else { return Ok(INTERRUPTED) };
    let (mut checkup, code) = match examined {
        Ok(checkup) => {
            let code = if checkup.is_whole() { 0 } else { MISSING };
            (checkup, code)
        }
        Err(error) if error.is_usage() => return Ok(usage(&error.to_string())),
        Err(error) => (lost(&error), FAILURE),
    };
    checkup.rows.extend(machine());
    print(&rendered(&checkup, args, &config)?)?;
    Ok(code)
}

async fn examined(asked: &Asked, config: &Config) -> Result<Checkup, ClusterError> {
    let (connected, target) = asked.workload().await?;
    let (clock, decoder) = (Clock::Wall, Arc::new(check::decoder(config)?));
    let mut reading = config.clone();
    // An examination asks no model for anything.
    reading.probe.enabled = false;
    reading.scrape.interval = reading.scrape.interval.min(std::time::Duration::from_secs(2));
    let client = connected.client.clone();
    let (session, deliveries) =
        Session::open_at_pace(asked.pace(clock), connected.client, target.clone(), clock, decoder, &reading, None);
    let checkup = examine(&Patient { client: &client, target, clock, config }, deliveries).await;
    drop(session);
    Ok(checkup)
}

/// What is left to say where the cluster does not answer.
fn lost(error: &ClusterError) -> Checkup {
    let row = Row::new(Part::Reach, "cluster", Standing::Fail, error.to_string());
    let remedy = "kubectl cluster-info with the same flags; then the VPN, the proxy and the login";
    Checkup { target: None, rows: vec![row.mended_by(remedy)] }
}

/// Where this runs: a terminal that can show the screen, and a disk that keeps the record.
fn machine() -> Vec<Row> {
    let hints = TerminalHints::of_this_process();
    let row = |name: &str, standing, says: String| Row::new(Part::Machine, name, standing, says);
    let letters = if hints.utf8 { "UTF-8" } else { "ASCII alone, for the locale says no UTF-8" };
    let size = terminal_size::terminal_size().map_or(String::new(), |(w, h)| format!("{}x{}, ", w.0, h.0));
    let terminal = super::warroom::no_screen(&hints).map_or_else(
        || row("terminal", Standing::Pass, format!("{size}{letters}")),
        |why| row("terminal", Standing::Off, why.to_owned()),
    );
    let record = match state_folder() {
        None => row(
            "record",
            Standing::Fail,
            "there is no folder for records: neither HOME nor XDG_STATE_HOME is set".to_owned(),
        )
        .mended_by("export XDG_STATE_HOME=$HOME/.local/state; without a record every lever is off"),
        Some(folder) => {
            let shown = crate::text::clean(&folder.display().to_string(), 200);
            match writable(&folder) {
                Ok(()) => row("record", Standing::Pass, format!("'{shown}' can be written")),
                Err(error) => {
                    row("record", Standing::Fail, format!("'{shown}' cannot be written: {error}; every lever is off"))
                        .mended_by(format!("mkdir -p '{shown}', or set XDG_STATE_HOME to a disk with room"))
                }
            }
        }
    };
    vec![terminal, record]
}

/// Whether a record could be begun there; nothing is left behind but the folder.
fn writable(folder: &std::path::Path) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let trial = folder.join(format!(".doctor-{}", std::process::id()));
    std::fs::write(&trial, b"")?;
    std::fs::remove_file(trial)
}

fn rendered(checkup: &Checkup, args: &DoctorArgs, config: &Config) -> Result<String> {
    if args.output == Summary::Json {
        let json = contract::doctor::Doctor::from(checkup);
        return Ok(serde_json::to_string_pretty(&json).wrap_err("the examination is no JSON")? + "\n");
    }
    let (theme, warnings) = Theme::named(&config.ui.theme);
    for warning in warnings {
        complain(&warning.to_string());
    }
    let width = terminal_size::terminal_size().filter(|_| io::stdout().is_terminal()).map(|(w, _)| usize::from(w.0));
    let look = Look { theme: &theme, width: width.unwrap_or(PIPE_WIDTH), ascii: args.ascii || !speaks_utf8() };
    Ok(report::checkup(checkup, look))
}
