//! `warroom demo`: a simulated cluster in this process, and the war room on it, connected as to any other cluster.
//!
//! All that the war room is told of it is an address, a token and the time: it reads the same pages and objects over
//! HTTP as everywhere. No kubeconfig is read. Two hours have passed when the screen opens, and their recordings are
//! handed over as a running war room would have left them.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use color_eyre::eyre::Result;
use tokio::sync::mpsc::Receiver;

use super::choosing::Finder;
use super::session::Session;
use super::shell::{Looked, Nothing, Watched};
use super::warroom::{Records, Start, WINDOW, no_screen, show, threads};
use super::{FAILURE, INTERRUPTED, complain, print, rendered, usage};
use crate::apiserver::connect::Connected;
use crate::apiserver::{Client, connect};
use crate::cli::{Cli, DemoArgs, FailOn};
use crate::clock::{self, Clock};
use crate::command::{check, sim};
use crate::config::{Config, Flag, Setting, TerminalHints};
use crate::diagnosis::{Diagnosis, diagnose};
use crate::domain::{At, Body, Observation, Snapshot, WorkloadKind, WorkloadRef};
use crate::sim::scenario::Scenario;
use crate::sim::serve::{Handle, Options};
use crate::source::kubernetes::Pace;

/// What stands for a scenario's name and names them all.
const LIST: &str = "list";
/// Simulated seconds per second for who wants a verdict and no screen.
const CHECK_SPEED: f64 = 20.0;
/// How long a verdict watches after the history, by the simulation's clock.
const CHECK_WATCH: Duration = Duration::from_secs(30);
/// How long it waits for the history, and for the first page after it.
const CHECK_PATIENCE: Duration = Duration::from_mins(2);

/// Opens the war room on a simulated incident, or diagnoses it once; answers with the exit code.
pub(super) fn run(cli: &Cli, args: &DemoArgs) -> Result<u8> {
    if args.scenario == LIST {
        return list();
    }
    let scenario = match sim::scenario(&args.scenario) {
        Ok(scenario) => scenario,
        Err(error) => return Ok(usage(&format!("{error}; 'warroom demo --scenario list' says what each is"))),
    };
    let config = match Config::load(cli.config.as_deref(), promised(&scenario, args)) {
        Ok(config) => config,
        Err(error) => return Ok(usage(&error.to_string())),
    };
    if args.check {
        return check_once(&scenario, args, &config);
    }
    let hints = TerminalHints::of_this_process();
    if let Some(why) = no_screen(&hints) {
        return Ok(usage(&why.replace("warroom check", "warroom demo --check")));
    }
    let interval_s = config.scrape.interval.as_secs_f64();
    let hours = scenario.opens_s() / 3600.0;
    let start = Start {
        snapshot: Snapshot { interval_s, target: Some(target(&scenario)), ..Snapshot::default() },
        contacting: vec![format!("simulated cluster: its first {hours:.1} h pass now")],
        // The simulation opens at this machine's time.
        clock: Clock::Wall,
        records: Records::Simulations,
        choosing: None,
    };
    let (seed, speed) = (args.seed, args.speed.unwrap_or(1.0));
    show(&config, &args.look, start, &hints, |config, _| {
        tokio::spawn(async move {
            let (opened, observations) = open(&scenario, seed, speed, &config).await.map_err(Nothing::failed)?;
            let (clock, client) = (opened.handle.clock, opened.client.clone());
            let WorkloadRef { context, namespace, .. } = target(&scenario);
            let connected = Connected { client: client.clone(), context, namespace };
            let finder = Some(Finder::new(connected, Pace::by(clock), clock, Arc::new(config)));
            let (client, kept) = (Some(client), Box::new(opened));
            let watched =
                Watched { clock, target: None, observations, client, kept, again: None, notice: None, finder };
            Ok(Looked::Watched(Box::new(watched)))
        })
    })
}

/// What is simulated and watched. The order of the fields is that in which it ends.
struct Opened {
    _session: Session,
    client: Client,
    handle: Handle,
    _recordings: Scratch,
}

/// Lets the past pass, and opens a session on what came of it.
async fn open(
    scenario: &Scenario,
    seed: u64,
    speed: f64,
    config: &Config,
) -> Result<(Opened, Receiver<Observation>), String> {
    let recordings = Scratch::make()?;
    let options = Options { seed, speed, recordings: Some(recordings.path.clone()), ..Options::default() };
    let handle = sim::start(scenario, options).await.map_err(|error| error.to_string())?;
    let client = client(&handle)?;
    let decoder = Arc::new(check::decoder(config).map_err(|error| error.to_string())?);
    let (session, observations) =
        Session::open(client.clone(), target(scenario), handle.clock, decoder, config, Some(&recordings.path));
    Ok((Opened { _session: session, client, handle, _recordings: recordings }, observations))
}

/// The ordinary client, from an address and a token alone.
fn client(handle: &Handle) -> Result<Client, String> {
    let url = handle.url.parse().map_err(|_| format!("'{}' is no address", handle.url))?;
    let mut config = kube::Config::new(url);
    config.default_namespace.clone_from(&handle.namespace);
    config.auth_info.token = Some(handle.token.clone().into());
    connect::client(config).map_err(|error| error.to_string())
}

fn target(scenario: &Scenario) -> WorkloadRef {
    WorkloadRef {
        context: format!("sim-{}", scenario.name),
        namespace: scenario.workload.namespace.clone(),
        kind: WorkloadKind::Deployment,
        name: scenario.workload.name.clone(),
    }
}

/// What the scenario's team has promised, unless something else is typed: a configuration speaks of other systems.
fn promised(scenario: &Scenario, args: &DemoArgs) -> Vec<Flag> {
    let typed = args.look.flags();
    let slo = &scenario.slo;
    let promises = [
        ("--ttft-target", Setting::TtftTarget, slo.ttft.0),
        ("--tpot-target", Setting::TpotTarget, slo.tpot.0),
        ("--objective", Setting::Objective, slo.objective),
    ];
    let untyped = promises.into_iter().filter(|(name, ..)| !typed.iter().any(|flag| flag.name == *name));
    let mut flags: Vec<Flag> =
        untyped.map(|(name, setting, value)| Flag { name, setting, value: value.to_string() }).collect();
    flags.extend(typed);
    flags
}

fn list() -> Result<u8> {
    let scenarios = match Scenario::all() {
        Ok(scenarios) => scenarios,
        Err(error) => {
            complain(&error.to_string());
            return Ok(FAILURE);
        }
    };
    let widest = scenarios.iter().map(|scenario| scenario.name.len()).max().unwrap_or(0);
    let lines = scenarios.iter().map(|s| format!("{:widest$}  {}\n", s.name, s.title));
    print(&lines.collect::<String>())?;
    Ok(0)
}

/// Simulates, watches for a while, and prints what `check` would.
fn check_once(scenario: &Scenario, args: &DemoArgs, config: &Config) -> Result<u8> {
    let runtime = threads()?;
    let speed = args.speed.unwrap_or(CHECK_SPEED);
    let diagnosed = runtime.block_on(async {
        tokio::select! {
            diagnosis = diagnosed(scenario, args.seed, speed, config) => Some(diagnosis),
            _ = tokio::signal::ctrl_c() => None,
        }
    });
    runtime.shutdown_background();
    match diagnosed {
        None => Ok(INTERRUPTED),
        Some(Err(why)) => {
            complain(&why);
            Ok(FAILURE)
        }
        Some(Ok(diagnosis)) => {
            print(&rendered(&diagnosis, args.output, args.look.ascii, config)?)?;
            Ok(check::exit_code(diagnosis.verdict, args.fail_on == FailOn::Warning))
        }
    }
}

async fn diagnosed(scenario: &Scenario, seed: u64, speed: f64, config: &Config) -> Result<Diagnosis, String> {
    let (opened, mut observations) = open(scenario, seed, speed, config).await?;
    let clock = opened.handle.clock;
    let interval_s = config.scrape.interval.as_secs_f64();
    let mut snapshot = Snapshot { target: Some(target(scenario)), interval_s, ..Snapshot::default() };
    // The history comes first, however long it takes to read; the watch begins with the first page after it.
    let mut end = clock::monotonic() + CHECK_PATIENCE;
    let mut watching = false;
    while let Ok(Some(observation)) = tokio::time::timeout_at(end.into(), observations.recv()).await {
        if !watching && matches!(observation.body, Body::Page { .. }) {
            watching = true;
            end = clock::monotonic() + clock.real(CHECK_WATCH);
        }
        snapshot.observe(observation);
    }
    snapshot.now = At(clock.unix_ms());
    Ok(diagnose(&snapshot, &check::policy(WINDOW, config)))
}

/// A folder of this process that nobody else can read, and that goes with it.
struct Scratch {
    path: PathBuf,
}

impl Scratch {
    fn make() -> Result<Self, String> {
        let name = format!("warroom-demo-{}-{}", std::process::id(), clock::unix_ms());
        let path = std::env::temp_dir().join(name);
        // A folder that is there already is somebody else's.
        match DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => Ok(Self { path }),
            Err(error) => Err(format!(
                "'{}' cannot be made ({}); the simulation's history is kept there, and TMPDIR names another place",
                shown(&path),
                error.kind()
            )),
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

fn shown(path: &Path) -> String {
    crate::text::clean(&path.display().to_string(), 200)
}
