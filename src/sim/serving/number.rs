//! Numbers of the model: time in whole microseconds, so that a run does not depend on how it is cut into pieces.

use crate::domain::At;

/// Microseconds since the Unix epoch, or a span of them.
pub(super) type Us = i64;

/// Microseconds of a span in seconds.
#[expect(clippy::cast_possible_truncation, reason = "spans of a simulation are far below 2^63 µs")]
pub(super) fn us(seconds: f64) -> Us {
    (seconds * 1e6).round() as Us
}

/// Seconds of a span.
#[expect(clippy::cast_precision_loss, reason = "spans of a simulation are far below 2^52 µs")]
pub(super) fn seconds(span: Us) -> f64 {
    span as f64 / 1e6
}

/// A moment of the cluster's clock.
pub(super) const fn from_at(at: At) -> Us {
    at.0 * 1000
}

/// The first moment of the cluster's clock that is not earlier.
pub(super) const fn to_at(at: Us) -> At {
    At((at + 999).div_euclid(1000))
}

/// The whole number next to a size or a count; 0 for what is negative or no number.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a float's cast saturates")]
pub(super) fn whole(value: f64) -> u32 {
    value.round() as u32
}

/// How many pieces of `size` hold `amount`.
pub(super) const fn pieces(amount: u32, size: u32) -> u32 {
    amount.div_ceil(size)
}
