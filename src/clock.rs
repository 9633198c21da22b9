//! The one place that reads a clock. Everything else is told what time it is, so that a replay is exact.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Milliseconds since the start of 1970 by this machine's wall clock; it may jump when the clock is set.
///
/// A clock before 1970 gives a negative number, and one beyond what an `i64` holds gives the largest.
#[expect(clippy::disallowed_methods, reason = "this is the place that reads the wall clock")]
pub fn unix_ms() -> i64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |ms| -ms),
    }
}

/// A point on a clock that never jumps: for schedules and durations, meaningless outside this process.
#[expect(clippy::disallowed_methods, reason = "this is the place that reads the monotonic clock")]
pub fn monotonic() -> Instant {
    Instant::now()
}

/// Whole milliseconds since `start`, at least 0.
pub fn ms_since(start: Instant) -> u64 {
    u64::try_from(monotonic().saturating_duration_since(start).as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{monotonic, ms_since, unix_ms};

    #[test]
    fn the_wall_clock_stands_after_this_was_written() {
        assert!(unix_ms() > 1_760_000_000_000);
    }

    #[test]
    fn time_passed_is_counted_in_milliseconds() {
        let start = monotonic();
        std::thread::sleep(Duration::from_millis(20));
        assert!((20..5_000).contains(&ms_since(start)));
    }

    #[test]
    fn a_start_in_the_future_has_not_passed() {
        assert_eq!(ms_since(monotonic() + Duration::from_mins(1)), 0);
    }
}
