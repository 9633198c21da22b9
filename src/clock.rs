//! The one place that reads a clock. Everything else is told what time it is, so that a replay is exact.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

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

/// The time by which readings are dated and scheduled: this machine's, or that of a simulated cluster.
#[derive(Debug, Clone, Copy)]
pub enum Clock {
    /// This machine's wall clock.
    Wall,
    /// A simulation's: it stood at `epoch_ms` at `start` and runs `speed` times as fast as this machine's.
    Simulated {
        /// Unix milliseconds of simulated time at `start`.
        epoch_ms: i64,
        /// A point on this machine's monotonic clock.
        start: Instant,
        /// Simulated seconds per second; above 0.
        speed: f64,
    },
}

impl Clock {
    /// A simulation's clock that stands at `epoch_ms` now.
    pub fn simulated(epoch_ms: i64, speed: f64) -> Self {
        Self::Simulated { epoch_ms, start: monotonic(), speed: if speed > 0.0 { speed } else { 1.0 } }
    }

    /// Milliseconds since the start of 1970 by this clock.
    pub fn unix_ms(self) -> i64 {
        match self {
            Self::Wall => unix_ms(),
            Self::Simulated { epoch_ms, start, speed } => {
                let passed = monotonic().saturating_duration_since(start).mul_f64(speed);
                epoch_ms.saturating_add(i64::try_from(passed.as_millis()).unwrap_or(i64::MAX))
            }
        }
    }

    /// How much time passes by this clock while `real` passes on this machine.
    pub fn passed(self, real: Duration) -> Duration {
        match self {
            Self::Wall => real,
            Self::Simulated { speed, .. } => real.mul_f64(speed),
        }
    }

    /// How long `by_this_clock` takes on this machine.
    pub fn real(self, by_this_clock: Duration) -> Duration {
        match self {
            Self::Wall => by_this_clock,
            Self::Simulated { speed, .. } => by_this_clock.div_f64(speed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_simulated_clock_runs_at_its_own_speed() {
        let clock = Clock::simulated(1_000_000, 100.0);
        std::thread::sleep(Duration::from_millis(20));
        assert!((1_002_000..1_500_000).contains(&clock.unix_ms()));
        assert_eq!(clock.real(Duration::from_secs(5)), Duration::from_millis(50));
    }

    #[test]
    fn a_start_in_the_future_has_not_passed() {
        assert_eq!(ms_since(monotonic() + Duration::from_mins(1)), 0);
    }
}
