//! Which workload is watched, where none was named: what serves models is looked for, and offered where there is more than
//! one. Also opens a session on whichever was picked.

use std::sync::Arc;

use tokio::sync::mpsc::Sender;

use super::connect::Asked;
use super::session::Session;
use super::shell::{Looked, Nothing, Offer, Watched};
use super::warroom::{Patience, WITHOUT_CLUSTER};
use crate::apiserver::connect::{ConnectError, Connected};
use crate::clock::Clock;
use crate::command::check;
use crate::config::Config;
use crate::domain::{At, Discovery, WorkloadRef};
use crate::source::kubernetes::{Pace, Place, Where, discover};

/// Looks around in one cluster, and opens sessions there.
#[derive(Clone)]
pub(super) struct Finder {
    connected: Connected,
    pace: Pace,
    clock: Clock,
    config: Arc<Config>,
}

impl Finder {
    /// One that asks at this pace, by this clock.
    pub(super) const fn new(connected: Connected, pace: Pace, clock: Clock, config: Arc<Config>) -> Self {
        Self { connected, pace, clock, config }
    }

    /// What serves models, worst first.
    pub(super) async fn look(&self, everywhere: bool) -> Result<Discovery, String> {
        let place = Place {
            client: &self.connected.client,
            context: &self.connected.context,
            namespace: &self.connected.namespace,
            deadline: self.pace.deadline,
        };
        discover(&place, Where { everywhere, labels: None }).await.map_err(|trouble| trouble.to_string())
    }

    /// A session on this one.
    pub(super) fn watch(self, target: WorkloadRef) -> Result<Watched, Nothing> {
        let decoder = Arc::new(check::decoder(&self.config).map_err(|error| Nothing::failed(error.to_string()))?);
        let client = self.connected.client.clone();
        let (session, observations) =
            Session::open_at_pace(self.pace, client.clone(), target.clone(), self.clock, decoder, &self.config, None);
        Ok(Watched {
            clock: self.clock,
            target: Some(target),
            observations,
            client: Some(client),
            kept: Box::new(session),
            again: None,
            notice: None,
            finder: Some(self),
        })
    }
}

/// Looks for what serves models; the only one there is is watched at once. A network that is bad is told and tried again.
pub(super) async fn choose(
    asked: Asked,
    everywhere: bool,
    config: Config,
    notices: Sender<String>,
) -> Result<Looked, Nothing> {
    let connected = match asked.connected().await {
        Ok(connected) => connected,
        Err(error) => {
            let more = if matches!(error, ConnectError::NoKubeconfig { .. }) { WITHOUT_CLUSTER } else { "" };
            return Err(Nothing { why: format!("{error}{more}"), usage: true });
        }
    };
    let finder = Finder::new(connected, asked.pace(Clock::Wall), Clock::Wall, Arc::new(config));
    let mut patience = Patience::new(notices);
    let (at, found) = loop {
        let at = At(Clock::Wall.unix_ms());
        match finder.look(everywhere).await {
            Ok(found) => break (at, found),
            Err(why) => patience.after(why).await,
        }
    };
    match only(&found).filter(|_| !everywhere) {
        Some(target) => finder.watch(target).map(|watched| Looked::Watched(Box::new(watched))),
        None => Ok(Looked::Offer(Box::new(Offer { at, found, finder }))),
    }
}

/// The one that could be meant, where everything was looked at.
fn only(found: &Discovery) -> Option<WorkloadRef> {
    match found.found.as_slice() {
        [one] if found.unseen.is_empty() => one.target.clone(),
        _ => None,
    }
}
