//! How much is asked of an API server for pods' pages: everybody shares it. Knows neither who asks nor what for.

use std::time::Duration;

/// The most pages of engines and gateways that are read at one time, whatever else is configured.
pub const PAGES_AT_ONCE: usize = 8;
/// The most pages of GPUs likewise: they are slow to make.
pub const GPU_PAGES_AT_ONCE: usize = 2;
/// Pages of GPUs are asked for this many times less often: what they say changes slowly.
pub const GPUS_SLOWER: u32 = 2;

/// What reading so many pages costs, in words: of engines and gateways, and of GPUs; each engine's every `interval`, and
/// each given up after `timeout`. `configured` are the pages that may be read at one time.
pub fn told((pages, of_gpus): (usize, usize), configured: usize, interval: Duration, timeout: Duration) -> String {
    let seconds = interval.as_secs_f64();
    let rate = pages as f64 / seconds + of_gpus as f64 / (seconds * f64::from(GPUS_SLOWER));
    let at_once = configured.min(PAGES_AT_ONCE) + GPU_PAGES_AT_ONCE;
    format!(
        "{} pages in {rate:.1} requests a second, at most {at_once} at once, each given up after {} s; 6 watches",
        pages + of_gpus,
        timeout.as_secs_f64()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_costs_is_told_with_its_limits() {
        let told = told((4, 2), 32, Duration::from_secs(5), Duration::from_secs(3));
        assert_eq!(told, "6 pages in 1.0 requests a second, at most 10 at once, each given up after 3 s; 6 watches");
    }
}
