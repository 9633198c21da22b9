//! From what was typed about a cluster to an open session, or to a sentence that says why there is none.

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::time::Duration;

use crate::apiserver::connect::{ConnectError, Connected, Options, connect, log_in_with_a_human};
use crate::cli::ClusterArgs;
use crate::clock::Clock;
use crate::command::check::{self, CheckError, Sources};
use crate::config::Config;
use crate::diagnosis::Diagnosis;
use crate::domain::WorkloadRef;
use crate::source::kubernetes::{Pace, Place, ResolveError, only_engine, resolve};

use super::session::Session;

/// Why a cluster could not be checked.
#[derive(Debug, thiserror::Error)]
pub(super) enum ClusterError {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    #[error(transparent)]
    Check(#[from] CheckError),
}

impl ClusterError {
    /// Whether what was typed or configured is at fault, and not what happened.
    pub(super) const fn is_usage(&self) -> bool {
        match self {
            Self::Connect(_) => true,
            Self::Resolve(error) => error.is_usage(),
            Self::Check(error) => error.is_usage(),
        }
    }
}

/// What was typed about a cluster, understood.
pub(super) struct Asked {
    /// `deploy/x` and the like; nothing: the only engine there is.
    pub(super) target: Option<String>,
    /// Which cluster.
    pub(super) options: Options,
    /// How long one answer of the API server may take.
    pub(super) request_timeout: Option<Duration>,
}

impl Asked {
    pub(super) fn of(target: Option<&str>, args: &ClusterArgs) -> Result<Self, String> {
        let options = Options {
            kubeconfig: args.kubeconfig.clone(),
            context: args.context.clone(),
            cluster: args.cluster.clone(),
            user: args.user.clone(),
            namespace: args.namespace.as_deref().map(namespace).transpose()?,
            impersonate: args.impersonate.clone(),
        };
        // As in kubectl, 0 is no limit of one's own.
        let given = args.request_timeout.as_deref().filter(|t| *t != "0");
        let request_timeout = given.map(|t| super::duration("--request-timeout", t)).transpose()?;
        // A login that needs a human has one now, and not once the screen is taken.
        if std::io::stdin().is_terminal() {
            log_in_with_a_human(&options).map_err(|error| error.to_string())?;
        }
        Ok(Self { target: target.map(str::to_owned), options, request_timeout })
    }

    pub(super) fn pace(&self, clock: Clock) -> Pace {
        let pace = Pace::by(clock);
        Pace { deadline: self.request_timeout.unwrap_or(pace.deadline), ..pace }
    }

    /// A client for the cluster.
    pub(super) async fn connected(&self) -> Result<Connected, ConnectError> {
        connect(self.options.clone()).await
    }

    /// Finds the workload.
    pub(super) async fn workload(&self) -> Result<(Connected, WorkloadRef), ClusterError> {
        let connected = match self.connected().await {
            // Nobody spoke of a cluster, and there is none.
            Err(ConnectError::NoKubeconfig { .. }) if self.target.is_none() && self.options.kubeconfig.is_none() => {
                return Err(CheckError::NothingToRead.into());
            }
            connected => connected?,
        };
        let place = Place {
            client: &connected.client,
            context: &connected.context,
            namespace: &connected.namespace,
            deadline: self.pace(Clock::Wall).deadline,
        };
        let target = match &self.target {
            Some(typed) => resolve(typed, place).await?,
            None => only_engine(place).await?,
        };
        Ok((connected, target))
    }
}

/// Checks a workload of a cluster for a while.
pub(super) async fn check_cluster(
    asked: Asked,
    watch: Duration,
    window: Duration,
    config: &Config,
) -> Result<Diagnosis, ClusterError> {
    let (connected, target) = asked.workload().await?;
    let mut config = config.clone();
    config.scrape.interval = check::interval(&config, watch);
    config.probe.every = config.probe.every.min(watch);
    let (clock, decoder) = (Clock::Wall, Arc::new(check::decoder(&config)?));
    let (session, deliveries) =
        Session::open_at_pace(asked.pace(clock), connected.client, target.clone(), clock, decoder, &config, None);
    let sources = Sources::Session { target, deliveries, clock, interval: config.scrape.interval, watch };
    let diagnosis = check::check(sources, window, &config).await?;
    drop(session);
    Ok(diagnosis)
}

/// A namespace's name, which stands in every path.
pub(super) fn namespace(typed: &str) -> Result<String, String> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !typed.is_empty() && typed.len() <= 63 && typed.chars().all(allowed) {
        return Ok(typed.to_owned());
    }
    let typed = crate::text::clean(typed, 80);
    Err(format!("--namespace is '{typed}', which is no namespace: names are lower-case letters, digits and '-'"))
}
