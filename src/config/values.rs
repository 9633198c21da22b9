//! One value at a time: what may stand in a key, wherever it was given. Knows no file type and no precedence.

use std::time::Duration;

use super::duration::{parse, show};
use super::error::{ConfigError, Place};
use super::words::{clean, hint};
use super::{AUTO, QUANTITIES};
use crate::diagnosis::BurnPreset;
use crate::domain::Via;

/// How many fetches may be under way at once, at most: more than this hurts whoever stands between.
pub(super) const MOST_CONCURRENCY: u16 = 256;

/// Engines are not asked more often than this: fetching must not become the load that it measures.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);

/// The longest name of a theme, in characters.
const LONGEST_THEME: usize = 64;

/// How a duration is read: strictly from files, with bare seconds where it was typed.
pub(super) type ReadDuration = fn(&str) -> Result<Duration, &'static str>;

/// The time that a promise allows.
pub(super) fn target(text: &str, place: &Place, read: ReadDuration) -> Result<Duration, ConfigError> {
    duration(text, place, read, "a duration such as \"500ms\", \"2.5s\" or \"1m30s\"")
}

/// The time between two fetches.
pub(super) fn interval(text: &str, place: &Place) -> Result<Duration, ConfigError> {
    let wanted = "a duration of 100ms or more, such as \"5s\"";
    let interval = duration(text, place, parse, wanted)?;
    if interval < SHORTEST_INTERVAL {
        let (place, value) = (place.clone(), show(interval));
        return Err(ConfigError::BadDuration { place, value, why: "is too often for any engine", wanted });
    }
    Ok(interval)
}

/// The time for one fetch.
pub(super) fn timeout(text: &str, place: &Place) -> Result<Duration, ConfigError> {
    duration(text, place, parse, "a duration such as \"3s\"")
}

fn duration(text: &str, place: &Place, read: ReadDuration, wanted: &'static str) -> Result<Duration, ConfigError> {
    read(text).map_err(|why| ConfigError::BadDuration { place: place.clone(), value: clean(text), why, wanted })
}

/// A share of requests: between 0 and 1, and neither of them, because then there is no budget to burn.
pub(super) fn objective(share: f64, place: &Place) -> Result<f64, ConfigError> {
    let between = share > 0.0 && share < 1.0;
    let wrong = || ConfigError::BadObjective { place: place.clone(), value: format!("{share:?}") };
    between.then_some(share).ok_or_else(wrong)
}

/// As [`objective`], from text.
pub(super) fn objective_from(text: &str, place: &Place) -> Result<f64, ConfigError> {
    match text.trim().parse() {
        Ok(share) => objective(share, place),
        Err(_) => Err(ConfigError::BadObjective { place: place.clone(), value: clean(text) }),
    }
}

/// How many fetches may be under way at once.
pub(super) fn concurrency(text: &str, place: &Place) -> Result<u16, ConfigError> {
    match text.trim().parse() {
        Ok(count @ 1..=MOST_CONCURRENCY) => Ok(count),
        _ => Err(ConfigError::BadConcurrency { place: place.clone(), value: clean(text), most: MOST_CONCURRENCY }),
    }
}

/// A way to pods' pages; nothing: whichever leads there.
pub(super) fn via(text: &str, place: &Place) -> Result<Option<Via>, ConfigError> {
    if text == AUTO {
        return Ok(None);
    }
    Via::ALL.iter().find(|via| via.code() == text).copied().map(Some).ok_or_else(|| {
        let known: Vec<&str> = std::iter::once(AUTO).chain(Via::ALL.iter().map(|via| via.code())).collect();
        ConfigError::UnknownVia { place: place.clone(), value: clean(text), hint: hint(text, &known) }
    })
}

/// A theme's name. It becomes the name of a file, so it can hold no path.
pub(super) fn theme(text: &str, place: &Place) -> Result<String, ConfigError> {
    let fits = (1..=LONGEST_THEME).contains(&text.len());
    if fits && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_') {
        return Ok(text.to_owned());
    }
    Err(ConfigError::BadTheme { place: place.clone(), value: clean(text) })
}

/// What becomes a header of requests; nothing where it is empty.
pub(super) fn header(text: &str, place: &Place) -> Result<Option<String>, ConfigError> {
    if text.len() > 256 || !text.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(ConfigError::BadUrl { place: place.clone(), why: "can be no header".to_owned() });
    }
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

/// A burn preset, by its name.
pub(super) fn burn(text: &str, place: &Place) -> Result<BurnPreset, ConfigError> {
    BurnPreset::ALL.into_iter().find(|burn| burn.name() == text).ok_or_else(|| ConfigError::UnknownBurn {
        place: place.clone(),
        value: clean(text),
        hint: hint(text, &BurnPreset::ALL.map(BurnPreset::name)),
    })
}

/// A canonical quantity, by its name.
pub(super) fn quantity(text: &str, place: &Place) -> Result<&'static str, ConfigError> {
    QUANTITIES.iter().find(|known| **known == text).copied().ok_or_else(|| ConfigError::UnknownQuantity {
        place: place.clone(),
        value: clean(text),
        hint: hint(text, QUANTITIES),
    })
}
