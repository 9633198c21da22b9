//! What holds for any bytes at all. Shared with the fuzz target.

use warroom::decode::iterations::read;
use warroom::domain::{Gauge, Total};

/// Nothing panics, and no number is said that cannot be one.
pub(crate) fn check(page: &[u8]) {
    let Ok(page) = read(page) else { return };
    assert!(!page.replicas.is_empty() && page.replicas.len() <= 512);
    assert!(page.skipped < page.series && page.first_skipped.is_some() == (page.skipped > 0));
    for replica in &page.replicas {
        for gauge in Gauge::ALL {
            assert!(replica.values.gauge(*gauge).is_none_or(|v| v >= 0.0 && v.is_finite()), "{gauge:?}");
        }
        assert!(replica.values.total(Total::Steps).is_none_or(|v| v >= 0.0 && v.is_finite()));
    }
}
