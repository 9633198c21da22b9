//! `warroom [TARGET]`: the screen, on a workload of a cluster or on pages that were named.

use std::sync::Arc;
use std::time::Duration;

use color_eyre::eyre::{Context, Result};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::Sender;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::choosing::{Finder, choose};
use super::connect::{Asked, ClusterError};
use super::incident::Incident;
use super::keeper::Place;
use super::shell::{Ended, Looked, Nothing, Shell, Watched};
use super::terminal::Screen;
use super::{FAILURE, INTERRUPTED, USAGE, complain, gate, input, looks, panics, papers, steps, terminal, usage};
use crate::app::{App, Chooser, Settings};
use crate::cli::{Cli, LookArgs, ScreenArgs};
use crate::clock::Clock;
use crate::command::check;
use crate::config::{self, Config, TerminalHints};
use crate::domain::{Role, Snapshot};
use crate::journal;
use crate::reach::http::shown;
use crate::runbook::{Catalogue, Who};

/// What cannot be shown anywhere else than on a terminal, asked for without one.
const NO_TERMINAL: &str = "standard output is no terminal, so there is nothing to show the war room on: \
                           'warroom check' diagnoses once and prints";
const DUMB: &str = "this terminal cannot place its cursor (TERM=dumb): 'warroom check' diagnoses once and prints";
pub(super) const WITHOUT_CLUSTER: &str = "; 'warroom demo' needs no cluster";

/// What was asked for and is not done.
const PROBE_IS_OFF: &str = "the probe is off: nothing is sent in read-only";

/// What is judged (s): as `check` does where nothing else is said.
pub(super) const WINDOW: Duration = Duration::from_mins(5);

/// Between two attempts to find what there is to watch, at first and at last.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Opens the war room, and answers with the exit code.
pub(super) fn run(cli: &Cli, args: &ScreenArgs) -> Result<u8> {
    let config = match Config::load(cli.config.as_deref(), args.look.flags()) {
        Ok(config) => config,
        Err(error) => return Ok(usage(&error.to_string())),
    };
    let hints = TerminalHints::of_this_process();
    if let Some(why) = no_screen(&hints) {
        let unnamed = args.target.is_none() && urls(args).is_empty();
        return Ok(usage(&if unnamed {
            format!("{why}, 'warroom discover' lists what serves models")
        } else {
            why.to_owned()
        }));
    }
    let snapshot = Snapshot { interval_s: config.scrape.interval.as_secs_f64(), ..Snapshot::default() };
    let urls = urls(args);
    if urls.is_empty() {
        let asked = match Asked::of(args.target.as_deref(), &args.cluster) {
            Ok(asked) => asked,
            Err(message) => return Ok(usage(&message)),
        };
        let everywhere = args.all_namespaces;
        let choosing = asked.target.is_none().then_some(everywhere);
        let start = Start {
            snapshot,
            contacting: vec![asked_for(args)],
            clock: Clock::Wall,
            records: Records::Incidents,
            choosing,
        };
        if choosing.is_some() {
            return show(&config, &args.look, start, &hints, |config, notices| {
                tokio::spawn(choose(asked, everywhere, config, notices))
            });
        }
        return show(&config, &args.look, start, &hints, |config, notices| {
            tokio::spawn(cluster(asked, config, notices))
        });
    }
    let pages = match urls.iter().map(|(role, text)| check::url(text).map(|url| (*role, url))).collect() {
        Ok(pages) => pages,
        Err::<Vec<_>, _>(error) => return Ok(usage(&error.to_string())),
    };
    let contacting = pages.iter().map(|(_, url)| shown(url)).collect();
    let start = Start { snapshot, contacting, clock: Clock::Wall, records: Records::Incidents, choosing: None };
    show(&config, &args.look, start, &hints, |config, _| {
        tokio::spawn(async move {
            let failed = |error: check::CheckError| Nothing::failed(error.to_string());
            let decoder = check::decoder(&config).map_err(failed)?;
            let (interval, timeout) = (config.scrape.interval, config.scrape.timeout);
            let places = usize::from(config.scrape.concurrency);
            let (polling, observations) =
                check::poll(&pages, interval, timeout, places, decoder, &config).map_err(failed)?;
            tokio::spawn(polling);
            Ok(Looked::Watched(Box::new(Watched {
                clock: Clock::Wall,
                target: None,
                observations,
                client: None,
                kept: Box::new(()),
                again: None,
                notice: None,
                finder: None,
            })))
        })
    })
}

/// Why there can be no screen here.
pub(super) fn no_screen(hints: &TerminalHints) -> Option<&'static str> {
    match () {
        () if !terminal::is_there() => Some(NO_TERMINAL),
        () if hints.term == "dumb" => Some(DUMB),
        () => None,
    }
}

fn urls(args: &ScreenArgs) -> Vec<(Role, String)> {
    let of = |role, urls: &[String]| urls.iter().map(move |url| (role, url.clone())).collect::<Vec<_>>();
    [of(Role::Engine, &args.engine), of(Role::Gateway, &args.gateway), of(Role::Gpus, &args.gpu)].concat()
}

/// What was asked for, in the words that it was asked for in.
fn asked_for(args: &ScreenArgs) -> String {
    let target = args.target.as_deref().unwrap_or(if args.all_namespaces { "all namespaces" } else { "the namespace" });
    let place = |name: &str, value: &Option<String>| value.as_ref().map(|v| format!(" {name} {v}")).unwrap_or_default();
    let cluster = &args.cluster;
    format!("{target}{}{}", place("in namespace", &cluster.namespace), place("of context", &cluster.context))
}

/// Finds the workload and opens a session on it. A network that is bad is told and tried again: nobody who was paged
/// wants to start a program again and again.
async fn cluster(asked: Asked, config: Config, notices: Sender<String>) -> Result<Looked, Nothing> {
    let mut patience = Patience::new(notices);
    let (connected, target) = loop {
        match asked.workload().await {
            Ok(found) => break found,
            Err(error) if error.is_usage() => {
                let more = if needs_no_cluster(&error) { WITHOUT_CLUSTER } else { "" };
                return Err(Nothing { why: format!("{error}{more}"), usage: true });
            }
            Err(error) => patience.after(error.to_string()).await,
        }
    };
    let finder = Finder::new(connected, asked.pace(Clock::Wall), Clock::Wall, Arc::new(config));
    finder.watch(target).map(|watched| Looked::Watched(Box::new(watched)))
}

/// Waits ever longer between attempts, and tells once why each kind of them failed.
pub(super) struct Patience {
    pause: Duration,
    told: String,
    notices: Sender<String>,
}

impl Patience {
    pub(super) const fn new(notices: Sender<String>) -> Self {
        Self { pause: FIRST_PAUSE, told: String::new(), notices }
    }

    /// After a failure, for this reason.
    pub(super) async fn after(&mut self, why: String) {
        if why != self.told {
            let _ = self.notices.send(format!("{why}; it is tried again")).await;
            self.told = why;
        }
        sleep(self.pause).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }
}

/// Whether what is missing is a cluster.
const fn needs_no_cluster(error: &ClusterError) -> bool {
    use crate::apiserver::connect::ConnectError;
    matches!(
        error,
        ClusterError::Connect(ConnectError::NoKubeconfig { .. })
            | ClusterError::Check(check::CheckError::NothingToRead)
    )
}

/// What is known before anything was looked for.
pub(super) struct Start {
    /// The target, and how often it is read.
    pub(super) snapshot: Snapshot,
    /// What is being contacted, in words.
    pub(super) contacting: Vec<String>,
    /// The time, until there is something to watch.
    pub(super) clock: Clock,
    /// Where its record lies, whoever looks for it.
    pub(super) records: Records,
    /// What is watched is chosen first: whether from all namespaces.
    pub(super) choosing: Option<bool>,
}

/// Which records there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Records {
    /// Of incidents.
    Incidents,
    /// Of simulations: in a folder of their own, and none is gone on with, for its cluster is gone.
    Simulations,
    /// None: a record is played again, and nothing of that is an incident.
    None,
}

impl Records {
    fn place(self, read_only: bool) -> Place {
        let state = config::state_folder();
        let (folder, simulated) = match self {
            Self::Incidents => (state.map(|folder| folder.join("incidents")), false),
            Self::Simulations => (state.map(|folder| folder.join("simulations")), true),
            Self::None => (None, true),
        };
        Place { folder, who: journal::who(), read_only, simulated }
    }
}

/// Takes the terminal, draws the first frame, has `open` look for what there is to watch, and runs until it is left.
pub(super) fn show(
    config: &Config,
    look: &LookArgs,
    start: Start,
    hints: &TerminalHints,
    open: impl FnOnce(Config, Sender<String>) -> JoinHandle<Result<Looked, Nothing>>,
) -> Result<u8> {
    let ascii = look.ascii || !hints.utf8;
    let fail_in = look.fail_in();
    if let Some(step) = look.die_at().filter(|step| !steps::die_at(step)) {
        return Ok(usage(&format!("there is no step '{}'", crate::text::clean(step, 40))));
    }
    let (looks, mut warnings) = looks::read(config, terminal::colours(hints), ascii);
    if config.probe.enabled && config.probing().is_none() {
        warnings.push(PROBE_IS_OFF.to_owned());
    }
    let records = start.records;
    let guard = gate::guard(config);
    let interval_s = start.snapshot.interval_s;
    let settings = |snapshot: Snapshot, contacting: Vec<String>, who: Who| Settings {
        contacting,
        catalogue: Catalogue::default(),
        who,
        guard: guard.clone(),
        awaits_records: true,
        // A replay asks nobody for anything.
        budget: (records != Records::None).then(|| config.budget()),
        ..Settings::new(snapshot, check::policy(WINDOW, config))
    };
    let opened = |settings: Settings, place: Place| {
        let mut app = App::new(settings);
        let (incident, trouble) = Incident::new(place);
        if let Some(trouble) = trouble {
            app.update(trouble);
        }
        (app, incident)
    };
    let place = records.place(guard.read_only);
    let first = Settings {
        notices: warnings,
        chooser: start.choosing.map(Chooser::awaited),
        ..settings(start.snapshot, start.contacting, place.who.clone())
    };
    let (app, incident) = opened(first, place);
    let runtime = threads()?;
    let mut kept = Vec::new();
    let ended = runtime.block_on(async {
        let (sender, mut inputs) = input::stream();
        input::hear_signals(sender.clone())?;
        let mut shell = Shell::new(Screen::take(ascii)?, app, looks, start.clock, incident);
        shell.first_frame()?;
        shell.take_runbooks(papers::catalogue())?;
        input::read_keys(sender)?;
        let (notify, mut notices) = tokio::sync::mpsc::channel(8);
        let mut opening = open(config.clone(), notify);
        let mut failing = std::pin::pin!(fail_on_purpose(fail_in));
        loop {
            let ended = tokio::select! {
                ended = shell.run(&mut inputs, notices, opening) => ended,
                () = &mut failing => Ok(Ended::Interrupted),
            };
            kept.extend(shell.record());
            let (target, finder) = match ended {
                Ok(Ended::Picked(target, finder)) => (*target, *finder),
                ended => break ended,
            };
            // Everything begins anew but the terminal: another workload is another incident.
            let place = records.place(guard.read_only);
            let contacting = vec![format!("{}/{} in namespace {}", target.kind.short(), target.name, target.namespace)];
            let snapshot = Snapshot { interval_s, target: Some(target.clone()), ..Snapshot::default() };
            let next = settings(snapshot, contacting, place.who.clone());
            let (screen, looks, presenting) = shell.into_parts();
            let (app, incident) = opened(Settings { presenting, ..next }, place);
            shell = Shell::new(screen, app, looks, Clock::Wall, incident);
            shell.first_frame()?;
            shell.take_runbooks(papers::catalogue())?;
            shell.look_through(finder.clone())?;
            notices = tokio::sync::mpsc::channel(1).1;
            opening = tokio::spawn(async move { finder.watch(target).map(|w| Looked::Watched(Box::new(w))) });
        }
    });
    // What is still in flight is nobody's business any more.
    runtime.shutdown_background();
    let failed = panics::say_kept();
    for record in kept {
        complain(&format!("the record of it is '{record}': 'warroom report {record}' writes it up"));
    }
    Ok(match ended.wrap_err("the terminal cannot be used")? {
        Ended::Quit if failed => FAILURE,
        Ended::Quit => 0,
        // What was picked is watched, and nothing ends.
        Ended::Interrupted | Ended::Picked(..) => INTERRUPTED,
        Ended::Nothing(Nothing { why, usage }) => {
            complain(&why);
            if usage { USAGE } else { FAILURE }
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
    sleep(Duration::from_millis(300)).await;
    match place {
        Some("loop") => panic!("asked to panic in the loop"),
        Some("source") => drop(tokio::spawn(async { panic!("asked to panic in a source") })),
        _ => {}
    }
    std::future::pending::<()>().await;
}
