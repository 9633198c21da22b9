//! What a Prometheus is asked beside what is watched: where it is by the configuration, and what by an engine's own page.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::apiserver::Client;
use crate::config::{self, Config, Prometheus};
use crate::diagnosis::Policy;
use crate::domain::{Dist, EnginePage, Failure, WorkloadRef};
use crate::reach::front::Front;
use crate::reach::http::{Fetcher, Settings};
use crate::source::prometheus::{Asked, AskedSeries, Query};

/// For one answer.
const WITHIN: Duration = Duration::from_secs(20);

/// Where the Prometheus is that is to be asked; `None`: nobody is. Without a cluster none of its services is reached.
pub fn prometheus(config: &Config, client: Option<&Client>) -> Option<Front> {
    let Prometheus { url, tenant, token_file } = &config.prometheus;
    Some(match (url.as_ref()?, client) {
        (config::Server::Url(url), _) => match Fetcher::new(Settings { timeout: WITHIN, ..Settings::default() }) {
            Ok(fetcher) => Front::Direct {
                fetcher,
                base: url.clone(),
                key: token_file.clone(),
                headers: tenant.iter().map(|tenant| ("x-scope-orgid", tenant.clone())).collect(),
            },
            Err(error) => Front::Closed(error.to_string()),
        },
        (config::Server::Service { namespace, name, port }, Some(client)) => {
            Front::service(client, namespace, name, *port)
        }
        (config::Server::Service { .. }, None) => {
            Front::Closed("a service is reached through a cluster: give a URL where only pages are named".to_owned())
        }
    })
}

/// A Prometheus behind a front.
#[derive(Debug)]
pub struct Server(pub Front);

impl Query for Server {
    async fn get(&self, what: &str, until: Instant) -> Result<(u16, Vec<u8>), Failure> {
        /// Of an answer, in bytes.
        const LIMIT: usize = 4 * 1024 * 1024;
        self.0.whole(what, LIMIT, until).await
    }

    fn shown(&self) -> String {
        self.0.shown()
    }
}

/// What a Prometheus is to be asked about an engine, by what its page has: its own families, and the bounds beside the
/// targets. Nothing where the page has neither latency.
pub fn to_be_asked(page: &EnginePage, target: Option<&WorkloadRef>, policy: &Policy) -> Option<Asked> {
    let replica = page.replicas.iter().find(|r| r.model.is_some()).or_else(|| page.replicas.first())?;
    let targets = policy.targets(replica.model.as_deref());
    let series = [(Dist::Ttft, targets.ttft), (Dist::Itl, targets.tpot)];
    let series = series.into_iter().filter_map(|(dist, target)| {
        let (_, family) = page.families.iter().find(|(quantity, _)| *quantity == dist.name())?;
        let bounds = &page.replicas.iter().find_map(|r| r.values.dist(dist))?.bounds;
        Some(AskedSeries::of(dist.name(), family, bounds, target.seconds))
    });
    let series: Vec<AskedSeries> = series.collect();
    let mut windows: Vec<f64> = targets.burn.tiers().iter().flat_map(|t| [t.short_s, t.long_s]).collect();
    windows.sort_by(f64::total_cmp);
    windows.dedup();
    (!series.is_empty()).then(|| Asked {
        namespace: target.map(|t| t.namespace.clone()),
        pods: target.map(|t| t.name.clone()),
        model: replica.model.clone(),
        series,
        windows,
    })
}

/// Tells whoever asks that there is something else to be asked, where there is.
pub fn news(ask: &watch::Sender<Option<Asked>>, asked: Option<Asked>) {
    ask.send_if_modified(|known| {
        let changed = asked.is_some() && *known != asked;
        if changed {
            *known = asked;
        }
        changed
    });
}
