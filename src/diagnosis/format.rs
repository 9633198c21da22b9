//! Numbers as sentences show them.

/// Seconds with three significant digits and a unit that suits them.
pub fn seconds(s: f64) -> String {
    let a = s.abs();
    if a == 0.0 {
        "0 s".to_owned()
    } else if a < 1e-3 {
        format!("{:.0} µs", s * 1e6)
    } else if a < 0.0995 {
        format!("{} ms", significant(s * 1e3))
    } else if a < 600.0 {
        format!("{} s", significant(s))
    } else {
        format!("{:.0} min", s / 60.0)
    }
}

/// A number with at most three significant digits, whole from 100 on.
pub fn number(n: f64) -> String {
    if n == n.trunc() && n.abs() < 1e15 {
        return format!("{n:.0}");
    }
    significant(n)
}

/// A span of time as people say it: `3m29s`.
pub fn length(s: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole seconds of a span")]
    let whole = s.round().max(0.0) as u64;
    match (whole / 3600, whole / 60 % 60, whole % 60) {
        (0, 0, s) => format!("{s}s"),
        (0, m, 0) => format!("{m}m"),
        (0, m, s) => format!("{m}m{s:02}s"),
        (h, 0, _) => format!("{h}h"),
        (h, m, _) => format!("{h}h{m:02}m"),
    }
}

/// The time of day of a moment, UTC.
pub(super) fn clock(at: crate::domain::At) -> String {
    let s = at.0.div_euclid(1000).rem_euclid(86_400);
    format!("{:02}:{:02}:{:02}Z", s / 3600, s / 60 % 60, s % 60)
}

/// A share as a percentage.
pub(super) fn percent(ratio: f64) -> String {
    let p = ratio * 100.0;
    if p > 0.0 && p < 0.05 {
        "<0.1%".to_owned()
    } else if p != 0.0 && p.abs() < 0.95 {
        format!("{p:.1}%")
    } else {
        format!("{p:.0}%")
    }
}

/// A latency bound as it stands in a target: no more digits than it has.
pub(super) fn bound(s: f64) -> String {
    if s < 0.1 { format!("{} ms", trim(s * 1e3)) } else { format!("{} s", trim(s)) }
}

fn trim(n: f64) -> String {
    let text = format!("{n:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn significant(n: f64) -> String {
    let a = n.abs();
    if a >= 99.5 {
        format!("{n:.0}")
    } else if a >= 9.95 {
        format!("{n:.1}")
    } else {
        format!("{n:.2}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_carry_their_unit() {
        assert_eq!(seconds(8.766), "8.77 s");
        assert_eq!(seconds(0.0156), "15.6 ms");
        assert_eq!(seconds(0.000_027_6), "28 µs");
        assert_eq!(seconds(0.279), "0.28 s");
        assert_eq!(seconds(1200.0), "20 min");
        assert_eq!(percent(0.004), "0.4%");
        assert_eq!(percent(0.94), "94%");
        assert_eq!(bound(2.5), "2.5 s");
        assert_eq!(bound(0.05), "50 ms");
        assert_eq!(number(172.0), "172");
        assert_eq!(number(1.5), "1.50");
    }
}
