//! How much is asked of a cluster for pods' pages, and its limits: everybody shares an API server. Knows neither who asks
//! nor what for.

use super::{Role, Snapshot, Via};

/// The most pages of engines and gateways that are read at one time, whatever else is configured.
pub const PAGES_AT_ONCE: usize = 8;
/// The most pages of GPUs likewise: they are slow to make.
pub const GPU_PAGES_AT_ONCE: usize = 2;
/// Pages of GPUs are asked for this many times less often: what they say changes slowly.
pub const GPUS_SLOWER: u32 = 2;
/// The most port-forwards that stay open between two pages. Each holds a connection here, one at the API server and one at
/// a kubelet; of a larger fleet the others are opened for each page.
pub const FORWARDS_KEPT: usize = 64;

/// What the reading of pages is allowed to cost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Budget {
    /// From one page of an engine to its next (s).
    pub interval_s: f64,
    /// After this a page is given up (s).
    pub timeout_s: f64,
    /// Pages that may be read at one time, as configured.
    pub at_once: usize,
}

impl Budget {
    /// What the pages of a snapshot cost, in words; they are those that are read of pods.
    pub fn told(&self, snapshot: &Snapshot) -> String {
        let read = || snapshot.endpoints.iter().filter(|e| !e.gone).filter_map(|e| Some((e, e.reached.as_ref()?)));
        let of_gpus = read().filter(|(e, _)| e.role == Role::Gpus).count();
        let pages = read().count();
        let along = |via| read().filter(|(_, reached)| reached.via == Some(via)).count();
        let some = |count: usize, how: &str| if count == 0 { String::new() } else { format!(", {count} {how}") };
        let ways = some(along(Via::PortForward), "through port-forwards")
            + &some(along(Via::Direct), "straight from their pods and not through the API server");
        let rate =
            (pages - of_gpus) as f64 / self.interval_s + of_gpus as f64 / (self.interval_s * f64::from(GPUS_SLOWER));
        let at_once = self.at_once.min(PAGES_AT_ONCE) + GPU_PAGES_AT_ONCE;
        format!(
            "{pages} pages in {rate:.1} requests a second{ways}, at most {at_once} at once, each given up after {} s; 6 \
             watches",
            self.timeout_s
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Endpoint, Reached};

    #[test]
    fn what_it_costs_is_told_with_its_limits_and_its_ways() {
        let page = |role, via| {
            let reached = Some(Reached { via: Some(via), ..Reached::default() });
            Endpoint { role, reached, ..Endpoint::default() }
        };
        let budget = Budget { interval_s: 5.0, timeout_s: 3.0, at_once: 32 };
        let mut snapshot = Snapshot::default();
        snapshot.endpoints.extend((0..4).map(|_| page(Role::Engine, Via::Proxy)));
        snapshot.endpoints.extend((0..2).map(|_| page(Role::Gpus, Via::Proxy)));
        snapshot.endpoints.push(Endpoint::new("http://10.0.0.1:8000/metrics", "named, and nobody's pod"));
        let told = "6 pages in 1.0 requests a second, at most 10 at once, each given up after 3 s; 6 watches";
        assert_eq!(budget.told(&snapshot), told);
        snapshot.endpoints[0].reached = Some(Reached { via: Some(Via::PortForward), ..Reached::default() });
        let told = budget.told(&snapshot);
        assert!(told.starts_with("6 pages in 1.0 requests a second, 1 through port-forwards, at most 10"), "{told}");
    }
}
