//! Points in time.

/// A moment: milliseconds since the Unix epoch, UTC. It enters by readings; the core never asks a clock.
///
/// Written as that number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct At(#[serde(deserialize_with = "within_reason")] pub i64);

/// No moment is farther from the epoch (ms): the end of the year 9999. Differences of what is read stay far from overflow.
const FARTHEST_MS: u64 = 253_402_300_799_999;

fn within_reason<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let ms = <i64 as serde::Deserialize>::deserialize(deserializer)?;
    if ms.unsigned_abs() > FARTHEST_MS {
        return Err(serde::de::Error::custom("it is no moment of the first ten thousand years"));
    }
    Ok(ms)
}

impl At {
    /// Seconds from `earlier` to this moment; negative where `earlier` is later.
    pub fn since(self, earlier: Self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "spans of time are far below 2^52 ms")]
        let ms = (self.0 - earlier.0) as f64;
        ms / 1000.0
    }

    /// This moment moved by `seconds`.
    #[must_use]
    pub fn plus(self, seconds: f64) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "spans of time are far below 2^63 ms")]
        let ms = (seconds * 1000.0).round() as i64;
        Self(self.0.saturating_add(ms))
    }
}
