//! Durations as people write them: `500ms`, `2.5s`, `1m30s`. Exact to the nanosecond, and knows no key.

use std::time::Duration;

/// Every unit with its length in nanoseconds, in the order in which units follow each other.
const UNITS: &[(&str, u128)] =
    &[("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000)];

/// Nothing here lasts longer; the bound also keeps later arithmetic on points in time from overflowing.
const LONGEST: Duration = Duration::from_hours(24);

/// Reads numbers with units, largest unit first; the error completes the sentence "it is '...', which ...".
pub(super) fn parse(text: &str) -> Result<Duration, &'static str> {
    let mut rest = text.trim();
    if rest.starts_with('-') {
        return Err("is negative");
    }
    if rest.is_empty() {
        return Err("is empty");
    }
    let (mut total, mut smaller_units) = (0_u128, UNITS);
    while !rest.is_empty() {
        let after_number = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        let number = &rest[..rest.len() - after_number.len()];
        rest = after_number.trim_start_matches(|c: char| c.is_ascii_alphabetic());
        let unit = &after_number[..after_number.len() - rest.len()];
        if number.is_empty() {
            return Err("is no duration");
        }
        if unit.is_empty() {
            return Err(if rest.is_empty() { "has no unit" } else { "is no duration" });
        }
        let Some(at) = smaller_units.iter().position(|(name, _)| *name == unit) else {
            let known = UNITS.iter().any(|(name, _)| *name == unit);
            return Err(if known { "does not name its units once each, largest first" } else { "has an unknown unit" });
        };
        total = total.saturating_add(times(number, smaller_units[at].1)?);
        smaller_units = &smaller_units[at + 1..];
        rest = rest.trim_start();
    }
    bounded(total)
}

/// As [`parse`], and a number alone is seconds: what is typed into a flag or a variable.
pub(super) fn parse_or_seconds(text: &str) -> Result<Duration, &'static str> {
    let text = text.trim();
    if text.starts_with(|c: char| c.is_ascii_digit() || c == '.') && !text.contains(|c: char| c.is_ascii_alphabetic()) {
        return bounded(times(text, 1_000_000_000)?);
    }
    parse(text)
}

fn bounded(nanoseconds: u128) -> Result<Duration, &'static str> {
    if nanoseconds == 0 {
        return Err("is no time at all");
    }
    match u64::try_from(nanoseconds) {
        Ok(nanoseconds) if Duration::from_nanos(nanoseconds) <= LONGEST => Ok(Duration::from_nanos(nanoseconds)),
        _ => Err("is longer than a day"),
    }
}

/// A decimal number of `unit`s, in nanoseconds; what is finer than a nanosecond is cut off.
fn times(number: &str, unit: u128) -> Result<u128, &'static str> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| text.bytes().all(|digit| digit.is_ascii_digit());
    if number == "." || !digits(whole) || !digits(fraction) {
        return Err("is no duration");
    }
    // More digits than a nanosecond can hold say nothing, and too many before the point are too long anyway.
    let fraction = &fraction[..fraction.len().min(13)];
    let value =
        |text: &str| if text.is_empty() { Ok(0_u128) } else { text.parse().map_err(|_| "is longer than a day") };
    let scale = 10_u128.pow(u32::try_from(fraction.len()).unwrap_or(0));
    Ok(value(whole)?.saturating_mul(unit).saturating_add(value(fraction)? * unit / scale))
}

/// The shortest spelling without a fraction that [`parse`] reads back; below a microsecond nothing is shown.
pub(super) fn show(duration: Duration) -> String {
    let mut rest = duration.as_nanos();
    let mut shown = String::new();
    for (name, length) in UNITS {
        if rest >= *length {
            shown += &(rest / length).to_string();
            shown += name;
            rest %= length;
        }
    }
    if shown.is_empty() { "0s".to_owned() } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        let ms = Duration::from_millis;
        for (text, expected) in [
            ("500ms", ms(500)),
            ("5s", ms(5_000)),
            ("2.5s", ms(2_500)),
            (".5s", ms(500)),
            ("1m30s", ms(90_000)),
            (" 1h 2m ", ms(3_720_000)),
            ("24h", ms(86_400_000)),
            ("1s500ms", ms(1_500)),
            ("250us", Duration::from_micros(250)),
            ("0.05s", ms(50)),
        ] {
            assert_eq!(parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_says_why() {
        for (text, why) in [
            ("500", "has no unit"),
            ("1m30", "has no unit"),
            ("abc", "is no duration"),
            ("", "is empty"),
            ("  ", "is empty"),
            ("-5s", "is negative"),
            ("0s", "is no time at all"),
            ("0.0000000001s", "is no time at all"),
            ("5 parsecs", "is no duration"),
            ("5parsecs", "has an unknown unit"),
            ("1d", "has an unknown unit"),
            ("1s1m", "does not name its units once each, largest first"),
            ("1s1s", "does not name its units once each, largest first"),
            ("1.2.3s", "is no duration"),
            (".s", "is no duration"),
            ("25h", "is longer than a day"),
            ("99999999999999999999999999999999999999999999s", "is longer than a day"),
            ("340282366920938463463374607431768211455h", "is longer than a day"),
            ("５s", "is no duration"),
            ("inf", "is no duration"),
        ] {
            assert_eq!(parse(text), Err(why), "{text}");
        }
    }

    #[test]
    fn a_number_alone_is_seconds_only_where_it_was_typed() {
        assert_eq!(parse_or_seconds("2.5"), Ok(Duration::from_millis(2_500)));
        assert_eq!(parse_or_seconds("3"), Ok(Duration::from_secs(3)));
        assert_eq!(parse_or_seconds("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_or_seconds("-1"), Err("is negative"));
        assert_eq!(parse_or_seconds("0"), Err("is no time at all"));
        assert_eq!(parse_or_seconds("nan"), Err("is no duration"));
        assert_eq!(parse_or_seconds("1e3"), Err("has an unknown unit"));
    }

    #[test]
    fn what_is_shown_is_read_back() {
        for text in ["500ms", "5s", "1m30s", "2s500ms", "1h", "24h", "50ms", "250us"] {
            let duration = parse(text).unwrap();
            assert_eq!(show(duration), text);
        }
        assert_eq!(show(Duration::ZERO), "0s");
    }
}
