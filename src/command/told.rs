//! What a Prometheus is asked beside what is watched: where it is by the configuration, and what by an engine's own page.

mod search;

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::apiserver::{Client, Trouble, status_message};
use crate::config::{self, Config, Prometheus};
use crate::diagnosis::Policy;
use crate::domain::{Dist, EnginePage, Failure, Gauge, Total, Untold, WorkloadRef};
use crate::reach::front::Front;
use crate::reach::http::{Fetcher, Settings};
use crate::source::engine::Decoder;
use crate::source::prometheus::{Asked, AskedSeries, Counted, Query, Whom};
pub use search::Search;

/// For one answer.
const WITHIN: Duration = Duration::from_secs(20);

/// Who is to be asked.
#[derive(Debug)]
pub enum Whoever {
    /// Somebody who was named.
    Named(Front),
    /// Whoever is found in the cluster.
    Found(Search),
}

impl Whom for Whoever {
    type Asks = Server;

    async fn find(&mut self, asked: &Asked) -> Result<(Server, Option<String>), Untold> {
        match self {
            Self::Named(front) => Ok((Server(front.clone()), None)),
            Self::Found(search) => search.find(asked).await,
        }
    }
}

/// A cluster in which one may be looked for: the way to it, the workload, and how long an answer of its API server may take.
pub type Around<'a> = (&'a Client, &'a WorkloadRef, Duration);

/// Who is to be asked by the configuration; `None`: nobody is. Without a cluster none of its services is found or reached.
pub fn prometheus(config: &Config, around: Option<Around<'_>>) -> Option<Whoever> {
    let Prometheus { url, tenant, token_file, .. } = &config.prometheus;
    let tenant = || tenant.iter().map(|tenant| ("x-scope-orgid", tenant.clone()));
    Some(match (url, around) {
        (config::Whom::Nobody, _) | (config::Whom::Found, None) => return None,
        (config::Whom::Found, Some((client, target, deadline))) => Whoever::Found(Search {
            client: client.clone(),
            target: target.clone(),
            deadline,
            headers: tenant().collect(),
        }),
        (config::Whom::Server(config::Server::Url(url)), _) => {
            Whoever::Named(match Fetcher::new(Settings { timeout: WITHIN, ..Settings::default() }) {
                Ok(fetcher) => {
                    Front::Direct { fetcher, base: url.clone(), key: token_file.clone(), headers: tenant().collect() }
                }
                Err(error) => Front::Closed(error.to_string()),
            })
        }
        (config::Whom::Server(config::Server::Service { namespace, name, port, path }), Some((client, ..))) => {
            Whoever::Named(Front::service(client, (namespace, name, *port, path)).with(tenant()))
        }
        (config::Whom::Server(config::Server::Service { .. }), None) => Whoever::Named(Front::Closed(
            "a service is reached through a cluster: give a URL where only pages are named".to_owned(),
        )),
    })
}

/// A Prometheus behind a front.
#[derive(Debug, Clone)]
pub struct Server(pub Front);

impl Server {
    async fn within(&self, what: &str, limit: usize, until: Instant) -> Result<(u16, Vec<u8>), Failure> {
        let (code, body) = self.0.whole(what, limit, until).await?;
        // What the API server says of the way is not said by a Prometheus.
        match &self.0 {
            Front::Proxy { .. } if code >= 400 && status_message(&body).is_some() => {
                Err(Failure::Other(Trouble::said(code, &body).to_string()))
            }
            _ => Ok((code, body)),
        }
    }
}

impl Query for Server {
    async fn get(&self, what: &str, until: Instant) -> Result<(u16, Vec<u8>), Failure> {
        /// Of an answer, in bytes.
        const LIMIT: usize = 4 * 1024 * 1024;
        self.within(what, LIMIT, until).await
    }

    async fn large(&self, what: &str, until: Instant) -> Result<(u16, Vec<u8>), Failure> {
        /// Of an answer about a fleet, in bytes: some 100,000 samples.
        const LARGE: usize = 24 * 1024 * 1024;
        self.within(what, LARGE, until).await
    }

    fn shown(&self) -> String {
        self.0.shown()
    }
}

/// What a Prometheus is to be asked about an engine, by what its page has: its own families, and the bounds beside the
/// targets. Nothing where the page has neither latency nor anything else by which its series are known.
pub fn to_be_asked(
    page: &EnginePage,
    target: Option<&WorkloadRef>,
    policy: &Policy,
    decoder: &Decoder,
) -> Option<Asked> {
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
    let family =
        |quantity: &str| page.families.iter().find(|(known, _)| *known == quantity).map(|(_, f)| f.to_string());
    let witness = family(Gauge::Running.name()).or_else(|| Some(format!("{}_count", series.first()?.family)))?;
    Some(Asked {
        namespace: target.map(|t| t.namespace.clone()),
        pods: target.map(|t| t.name.clone()),
        model: replica.model.clone(),
        witness: vec![witness],
        series,
        windows,
        past: PAST.iter().filter_map(|quantity| counted(page, quantity, decoder)).collect(),
    })
}

/// What is asked of the past: what phases and causes are compared by.
const PAST: &[&str] = &[
    Dist::Ttft.name(),
    Dist::Itl.name(),
    Dist::Queue.name(),
    Dist::Prefill.name(),
    Dist::Decode.name(),
    Dist::E2e.name(),
    Dist::KvTransfer.name(),
    Total::PromptTokens.name(),
    Total::PromptTokensCached.name(),
    Total::GenerationTokens.name(),
    Total::LiveTokens.name(),
    Total::Finished.name(),
    Total::Preemptions.name(),
    Total::CacheQueries.name(),
    Total::CacheHits.name(),
    Total::Rejected.name(),
    Total::PrefillSeconds.name(),
    Total::DecodeSeconds.name(),
];

fn counted(page: &EnginePage, quantity: &str, decoder: &Decoder) -> Option<Counted> {
    let (quantity, family) = page.families.iter().find(|(known, _)| *known == quantity)?;
    let stored = decoder.stored(&page.system.engine, quantity, family)?;
    Some(Counted {
        quantity,
        family: family.to_string(),
        only: stored.only,
        scale: stored.scale,
        distribution: stored.distribution,
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
