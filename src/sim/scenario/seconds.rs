//! Durations as people write them.

use serde::de::{Deserialize, Deserializer, Error};

/// Seconds, written as a duration with its unit: `"90s"`, `"1h30m"`, `"250ms"`.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default)]
pub struct Seconds(pub f64);

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let wrong = || D::Error::custom(format!("'{text}' is no duration such as \"90s\", \"1h30m\" or \"3d\""));
        // A day has no fixed length for a calendar; here it has.
        if let Some(days) = text.strip_suffix('d') {
            return days.parse::<u32>().map(|days| Self(f64::from(days) * 86_400.0)).map_err(|_| wrong());
        }
        let duration: jiff::SignedDuration = text.parse().map_err(|_| wrong())?;
        if duration.is_negative() {
            return Err(D::Error::custom(format!("'{text}' is negative, and time does not go back")));
        }
        Ok(Self(duration.as_secs_f64()))
    }
}
