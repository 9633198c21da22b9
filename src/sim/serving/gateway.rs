//! The gateway: an Envoy that chooses a replica, tries another where a connection is refused, and counts.

use super::engine::Buckets;
use crate::sim::scenario::{Gateway as Settings, Routing};

/// Envoy's bounds in milliseconds.
const BOUNDS: &[f64] = &[
    0.5,
    1.0,
    5.0,
    10.0,
    25.0,
    50.0,
    100.0,
    250.0,
    500.0,
    1000.0,
    2500.0,
    5000.0,
    10_000.0,
    30_000.0,
    60_000.0,
    300_000.0,
    600_000.0,
    1_800_000.0,
    3_600_000.0,
];

/// Bounds of Envoy AI Gateway in seconds: until the first token, per token after it, and of a whole request.
const FIRST_S: &[f64] = &[
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 30.0, 45.0, 60.0,
];
const PER_TOKEN_S: &[f64] = &[0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5];
const WHOLE_S: &[f64] = &[0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];

/// The gateway's state and counts.
#[derive(Debug, Clone)]
pub(super) struct Gateway {
    pub(super) settings: Settings,
    /// The share of requests that it refuses itself.
    pub(super) refuses: f64,
    /// Whether it holds answers back until they are complete.
    pub(super) buffers: bool,
    /// Pods that it may send to, with what each has in flight.
    pub(super) pods: Vec<(String, u32)>,
    turn: usize,
    pub(super) downstream_ms: Buckets,
    pub(super) upstream_ms: Buckets,
    /// Until the first token left it, and until the last one did.
    pub(super) first_s: Buckets,
    pub(super) whole_s: Buckets,
    /// Between both, over the tokens after the first: one per answer.
    pub(super) per_token_s: Buckets,
    /// Responses by the first digit of their status, downstream and upstream.
    pub(super) downstream_xx: [u64; 5],
    pub(super) upstream_xx: [u64; 5],
    pub(super) downstream_total: u64,
    pub(super) upstream_total: u64,
    pub(super) active: u64,
    pub(super) upstream_active: u64,
    /// Clients that closed their connection before the answer was complete.
    pub(super) client_reset: u64,
    pub(super) upstream_cancelled: u64,
    pub(super) upstream_reset: u64,
    pub(super) connect_fail: u64,
    pub(super) retries: u64,
    pub(super) timeouts: u64,
    pub(super) none_healthy: u64,
}

impl Gateway {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            settings,
            refuses: 0.0,
            buffers: false,
            first_s: Buckets::new(FIRST_S),
            whole_s: Buckets::new(WHOLE_S),
            per_token_s: Buckets::new(PER_TOKEN_S),
            pods: Vec::new(),
            turn: 0,
            downstream_ms: Buckets::new(BOUNDS),
            upstream_ms: Buckets::new(BOUNDS),
            downstream_xx: [0; 5],
            upstream_xx: [0; 5],
            downstream_total: 0,
            upstream_total: 0,
            active: 0,
            upstream_active: 0,
            client_reset: 0,
            upstream_cancelled: 0,
            upstream_reset: 0,
            connect_fail: 0,
            retries: 0,
            timeouts: 0,
            none_healthy: 0,
        }
    }

    /// From now on it sends to these pods; what the others have in flight stays with them.
    pub(super) fn route(&mut self, pods: &[String]) {
        let before = std::mem::take(&mut self.pods);
        let flight = |pod: &String| before.iter().find(|(name, _)| name == pod).map_or(0, |(_, n)| *n);
        self.pods = pods.iter().map(|pod| (pod.clone(), flight(pod))).collect();
    }

    /// The pod for the next attempt, never one of `tried`.
    pub(super) fn choose(&mut self, tried: &[String], tenant: usize) -> Option<String> {
        let candidates: Vec<usize> = (0..self.pods.len()).filter(|i| !tried.contains(&self.pods[*i].0)).collect();
        let count = candidates.len();
        if count == 0 {
            return None;
        }
        self.turn = self.turn.wrapping_add(1);
        let start = self.turn % count;
        let chosen = match self.settings.routing {
            Routing::RoundRobin => candidates[start],
            Routing::Tenant => candidates[tenant % count],
            // Of several with as few, each has its turn.
            Routing::LeastRequest => {
                (0..count).map(|i| candidates[(start + i) % count]).min_by_key(|i| self.pods[*i].1)?
            }
        };
        Some(self.pods[chosen].0.clone())
    }

    /// An attempt was sent to a pod.
    pub(super) fn sent(&mut self, pod: &str) {
        self.upstream_total += 1;
        self.upstream_active += 1;
        if let Some((_, flight)) = self.pods.iter_mut().find(|(name, _)| name == pod) {
            *flight += 1;
        }
    }

    /// An attempt is over.
    pub(super) fn returned(&mut self, pod: &str) {
        self.upstream_active = self.upstream_active.saturating_sub(1);
        if let Some((_, flight)) = self.pods.iter_mut().find(|(name, _)| name == pod) {
            *flight = flight.saturating_sub(1);
        }
    }

    /// A replica has answered.
    pub(super) fn upstream_answer(&mut self, status: u16, ms: f64) {
        count(&mut self.upstream_xx, status);
        self.upstream_ms.observe(ms);
    }

    /// A client has its answer.
    pub(super) fn answer(&mut self, status: u16, ms: f64) {
        count(&mut self.downstream_xx, status);
        self.downstream_ms.observe(ms);
        self.active = self.active.saturating_sub(1);
    }
}

fn count(classes: &mut [u64; 5], status: u16) {
    if let Some(class) = classes.get_mut(usize::from(status / 100).saturating_sub(1)) {
        *class += 1;
    }
}
