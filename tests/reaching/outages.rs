//! A line to the API server that goes bad in every way: what was known stays and ages, what is wrong is said, nothing hangs,
//! and everything comes back by itself.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;
use warroom::apiserver::connect;
use warroom::clock::Clock;
use warroom::command::check;
use warroom::config::Config;
use warroom::diagnosis::diagnose;
use warroom::domain::{At, Observation, Role, Snapshot, SourceState, Via, WorkloadKind, WorkloadRef};
use warroom::runtime::session::Session;
use warroom::sim::rules::Rules;
use warroom::sim::serve::{Handle, Options, serve};
use warroom::source::kubernetes::Pace;

use crate::faults::{Fault, Line};
use crate::sim;

const SOON: Duration = Duration::from_secs(30);
const TOO_MANY: &str = r#"{"kind":"Status","code":429,"reason":"TooManyRequests","message":"slow down"}"#;
const TOO_OLD: &str = r#"{"kind":"Status","code":410,"reason":"Expired","message":"too old resource version"}"#;
const OVERLOADED: &str = "upstream connect error";

/// A simulated cluster behind a line, watched.
struct Lab {
    line: Line,
    session: mpsc::Receiver<Observation>,
    snapshot: Snapshot,
    _open: (Handle, Session, tempfile::TempDir),
}

impl Lab {
    async fn open() -> Self {
        Self::with(Rules::default()).await
    }

    async fn with(rules: Rules) -> Self {
        let options = Options { rules, ..Options::default() };
        let handle = serve(sim::setup(), |_| sim::engines(0.0), options).await.expect("it opens");
        let line = Line::to(&handle.url);
        let home = tempfile::tempdir().expect("a directory");
        let kubeconfig = home.path().join("kubeconfig");
        std::fs::write(&kubeconfig, line.kubeconfig(&handle.kubeconfig(), &handle.url)).expect("a kubeconfig");
        let options = connect::Options { kubeconfig: Some(kubeconfig), ..connect::Options::default() };
        let client = connect::connect(options).await.expect("a client").client;
        let mut config = Config::default();
        config.scrape.interval = Duration::from_millis(250);
        config.scrape.timeout = Duration::from_secs(1);
        let pace = Pace {
            deadline: Duration::from_secs(1),
            watch: Duration::from_secs(1),
            grace: Duration::from_millis(500),
            pause: Duration::from_millis(100),
            longest_pause: Duration::from_secs(1),
            ..Pace::default()
        };
        let decoder = Arc::new(check::decoder(&config).expect("dialects"));
        let (kind, name) = (WorkloadKind::Deployment, sim::NAME.to_owned());
        let target = WorkloadRef { context: "sim".into(), namespace: sim::NAMESPACE.into(), kind, name };
        let (open, session) = Session::open_at_pace(pace, client, target.clone(), Clock::Wall, decoder, &config, None);
        let snapshot = Snapshot { target: Some(target), interval_s: 0.25, ..Snapshot::default() };
        Self { line, session, snapshot, _open: (handle, open, home) }
    }

    /// Takes in what comes until this is so.
    async fn until(&mut self, what: &str, is: impl Fn(&Snapshot) -> bool) {
        let waiting = async {
            while !is(&self.snapshot) {
                // Time goes on where nothing comes.
                let observation = timeout(Duration::from_millis(200), self.session.recv()).await;
                if let Ok(observation) = observation {
                    self.snapshot.observe(observation.expect("the session goes on"));
                }
                self.snapshot.now = At(Clock::Wall.unix_ms());
            }
        };
        let came = timeout(SOON, waiting).await;
        assert!(came.is_ok(), "'{what}' did not come: {:#?}", self.snapshot.watches);
    }

    async fn until_live(&mut self, what: &str) {
        let since = At(Clock::Wall.unix_ms());
        self.until(what, |s| vital(s, |w| w.0 == SourceState::Live && w.1 > Some(since)) && read_since(s, since)).await;
    }
}

/// Whether this holds of all that a workload is judged by: the state and the age of each watch.
fn vital(s: &Snapshot, holds: impl Fn((SourceState, Option<At>)) -> bool) -> bool {
    let of = |resource| s.watches.iter().find(|w| w.resource == resource).map(|w| (w.state, w.heard));
    ["deployments", "replicasets", "pods"].into_iter().all(|r| of(r).is_some_and(&holds))
}

fn read_since(s: &Snapshot, since: At) -> bool {
    let engines: Vec<_> = s.of_role(Role::Engine).filter(|e| !e.gone).collect();
    engines.len() == 2 && engines.iter().all(|e| e.last_page() > Some(since))
}

/// What Kubernetes and the engines count as, in a diagnosis of now.
fn states(s: &Snapshot) -> Vec<SourceState> {
    let d = diagnose(s, &check::policy(Duration::from_mins(5), &Config::default()));
    let ours = |name: &str| name == "kubernetes" || name.starts_with(sim::NAME);
    d.sources.iter().filter(|source| ours(&source.name)).map(|source| source.state).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_that_goes_bad_is_told_as_what_it_is_and_everything_comes_back_by_itself() {
    let mut lab = Lab::open().await;
    lab.until_live("the beginning").await;
    for (fault, says) in [
        (Fault::Cut, ""),
        (Fault::Reset, ""),
        (Fault::Silent, "in time"),
        (Fault::Answer("429 Too Many Requests\r\nretry-after: 1", TOO_MANY), "slow down"),
        (Fault::Answer("503 Service Unavailable", OVERLOADED), "503"),
    ] {
        let broke = At(Clock::Wall.unix_ms());
        lab.line.does(fault.clone());
        let what = format!("{fault:?}");
        // Whatever is not read any more is neither live nor gone, and says why.
        lab.until(&what, |s| {
            let told = |w: &warroom::domain::Watch| w.error.as_ref().is_some_and(|e| !e.is_empty() && e.contains(says));
            let pods = s.watches.iter().find(|w| w.resource == "pods");
            vital(s, |(state, heard)| state == SourceState::Stale && heard.is_some()) && pods.is_some_and(told)
        })
        .await;
        let failing = |s: &Snapshot| s.of_role(Role::Engine).all(|e| e.failing().is_some());
        lab.until("engines that are not read", failing).await;
        assert!(!states(&lab.snapshot).is_empty());
        assert_eq!(
            lab.snapshot.cluster.as_ref().map(|(_, facts)| facts.pods.len()),
            Some(2),
            "{what}: what was known stays"
        );
        let before = lab.line.opened();
        let of = |s: &Snapshot| s.cluster.as_ref().map_or(At::default(), |(at, _)| *at);
        lab.until("time", |s| s.now.since(of(s)) > 5.0).await;
        assert!(of(&lab.snapshot) <= broke.plus(1.0), "{what}: nothing of it is made younger");
        // Ten watches and pages at most, with pauses between the attempts of each.
        let tries = lab.line.opened() - before;
        assert!(tries < 200, "{what}: {tries} connections within a few seconds");
        lab.line.does(Fault::None);
        lab.until_live(&format!("an end of {fault:?}")).await;
        lab.until(&format!("everything live after {what}"), |s| states(s) == [SourceState::Live; 3]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_has_forgotten_is_read_anew_and_a_slow_line_is_only_slow() {
    let mut lab = Lab::open().await;
    lab.until_live("the beginning").await;
    lab.line.does(Fault::Answer("410 Gone", TOO_OLD));
    lab.until("that it is told", |s| vital(s, |(state, _)| state != SourceState::Live)).await;
    lab.line.does(Fault::None);
    lab.until_live("everything anew").await;
    lab.line.does(Fault::Delay(Duration::from_millis(150)));
    for _ in 0..3 {
        lab.until_live("a late answer").await;
    }
    lab.until("a slow line that is live all the same", |s| states(s) == [SourceState::Live; 3]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_whose_other_end_is_gone_without_a_word_are_given_up_and_made_anew() {
    let mut lab = Lab::open().await;
    lab.until_live("the beginning").await;
    let before = lab.line.opened();
    lab.line.does(Fault::HalfOpen);
    lab.until_live("new connections, although nothing ended the old ones").await;
    assert!(lab.line.opened() > before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn port_forwards_end_with_the_line_and_are_opened_anew_and_no_other_way_is_taken_meanwhile() {
    let mut lab = Lab::with(Rules::but(vec![("get".to_owned(), "pods/proxy".to_owned())])).await;
    let forwarded = |s: &Snapshot| {
        let via = |e: &warroom::domain::Endpoint| e.reached.as_ref().and_then(|r| r.via);
        s.of_role(Role::Engine).all(|e| via(e) == Some(Via::PortForward))
    };
    lab.until_live("the beginning").await;
    lab.until("forwards", forwarded).await;
    for fault in [Fault::Cut, Fault::Reset, Fault::Silent, Fault::Answer("429 Too Many Requests", TOO_MANY)] {
        lab.line.does(fault.clone());
        let failing = |s: &Snapshot| s.of_role(Role::Engine).all(|e| e.failing().is_some());
        lab.until("engines that are not read", failing).await;
        let before = lab.line.opened();
        let now = At(Clock::Wall.unix_ms());
        lab.until("time", |s| s.now.since(now) > 3.0).await;
        assert!(forwarded(&lab.snapshot), "{fault:?} is no reason for another way");
        assert!(lab.line.opened() - before < 150, "{fault:?}: {} connections", lab.line.opened() - before);
        lab.line.does(Fault::None);
        lab.until_live(&format!("an end of {fault:?}")).await;
        assert!(forwarded(&lab.snapshot));
    }
}
