//! `warroom [TARGET]`: the screen, on a cluster or on pages that were named.

use color_eyre::eyre::{Context, Result};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

use super::shell::{Ended, Shell, Watched};
use super::terminal::Screen;
use super::{FAILURE, INTERRUPTED, complain, input, looks, panics, terminal, usage};
use crate::app::{App, Settings};
use crate::cli::{Cli, LookArgs, ScreenArgs};
use crate::clock::Clock;
use crate::command::check;
use crate::config::{Config, TerminalHints};
use crate::domain::{Role, Snapshot};
use crate::reach::http::shown;

/// What cannot be shown anywhere else than on a terminal, asked for without one.
const NO_TERMINAL: &str = "standard output is no terminal, so there is nothing to show the war room on: \
                           'warroom check' diagnoses once and prints";
const DUMB: &str = "this terminal cannot place its cursor (TERM=dumb): 'warroom check' diagnoses once and prints";

/// Why there can be no screen here.
pub(super) fn no_screen(hints: &TerminalHints) -> Option<&'static str> {
    match () {
        () if !terminal::is_there() => Some(NO_TERMINAL),
        () if hints.term == "dumb" => Some(DUMB),
        () => None,
    }
}

/// Opens the war room, and answers with the exit code.
pub(super) fn run(cli: &Cli, args: &ScreenArgs) -> Result<u8> {
    let config = match Config::load(cli.config.as_deref(), args.look.flags()) {
        Ok(config) => config,
        Err(error) => return Ok(usage(&error.to_string())),
    };
    let engines: Result<Vec<_>, _> = args.engine.iter().map(|e| check::url(e).map(|url| (Role::Engine, url))).collect();
    let pages = match engines {
        Ok(pages) if pages.is_empty() => {
            return Ok(usage("there is nothing to watch: give --engine URL (repeatable)"));
        }
        Ok(pages) => pages,
        Err(error) => return Ok(usage(&error.to_string())),
    };
    let hints = TerminalHints::of_this_process();
    if let Some(why) = no_screen(&hints) {
        return Ok(usage(why));
    }
    let snapshot = Snapshot { interval_s: config.scrape.interval.as_secs_f64(), ..Snapshot::default() };
    let contacting = pages.iter().map(|(_, url)| shown(url)).collect();
    let start = Start { snapshot, contacting, clock: Some(Clock::Wall) };
    show(&config, &args.look, start, &hints, |config| {
        tokio::spawn(async move {
            let decoder = check::decoder(&config).map_err(|error| error.to_string())?;
            let (interval, timeout) = (config.scrape.interval, config.scrape.timeout);
            let places = usize::from(config.scrape.concurrency);
            let (polling, observations) =
                check::poll(&pages, interval, timeout, places, decoder).map_err(|error| error.to_string())?;
            tokio::spawn(polling);
            Ok(Watched { clock: Clock::Wall, observations, _kept: Box::new(()) })
        })
    })
}

/// What is known before anything was looked for.
pub(super) struct Start {
    /// The target, and how often it is read.
    pub(super) snapshot: Snapshot,
    /// What is being contacted, in words.
    pub(super) contacting: Vec<String>,
    /// The time, where it is known already.
    pub(super) clock: Option<Clock>,
}

/// Takes the terminal, draws the first frame, has `open` look for what there is to watch, and runs until it is left.
pub(super) fn show(
    config: &Config,
    look: &LookArgs,
    start: Start,
    hints: &TerminalHints,
    open: impl FnOnce(Config) -> JoinHandle<Result<Watched, String>>,
) -> Result<u8> {
    let ascii = look.ascii || !hints.utf8;
    let fail_in = look.fail_in();
    let (looks, warnings) = looks::read(config, terminal::colours(hints), ascii);
    let policy = check::policy(std::time::Duration::from_mins(5), config);
    let settings =
        Settings { contacting: start.contacting, notices: warnings, ..Settings::new(start.snapshot, policy) };
    let app = App::new(settings);
    let runtime = threads()?;
    let ended = runtime.block_on(async {
        let (sender, inputs) = input::stream();
        input::hear_signals(sender.clone())?;
        let mut shell = Shell::new(Screen::take(ascii)?, app, looks, start.clock);
        shell.first_frame()?;
        input::read_keys(sender)?;
        let opening = open(config.clone());
        tokio::select! {
            ended = shell.run(inputs, opening) => ended,
            () = fail_on_purpose(fail_in) => Ok(Ended::Interrupted),
        }
    });
    // What is still in flight is nobody's business any more.
    runtime.shutdown_background();
    let failed = panics::say_kept();
    Ok(match ended.wrap_err("the terminal cannot be used")? {
        Ended::Quit if failed => FAILURE,
        Ended::Quit => 0,
        Ended::Interrupted => INTERRUPTED,
        Ended::Nothing(why) => {
            complain(&why);
            FAILURE
        }
    })
}

/// Threads for everything that waits.
pub(super) fn threads() -> Result<Runtime> {
    let started = Builder::new_multi_thread().worker_threads(2).enable_all().build();
    started.wrap_err("no threads can be started: the limits of this account may be reached")
}

/// Panics shortly after the start where a test asks for it, so that what happens then can be seen from outside.
#[expect(clippy::panic, reason = "that is what it is for")]
async fn fail_on_purpose(place: Option<&str>) {
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    match place {
        Some("loop") => panic!("asked to panic in the loop"),
        Some("source") => drop(tokio::spawn(async { panic!("asked to panic in a source") })),
        _ => {}
    }
    std::future::pending().await
}
