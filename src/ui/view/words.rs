//! Moments, spans and numbers as the screen says them.

use crate::diagnosis::{PhaseRow, SloRow, number, seconds};
use crate::domain::{At, Cause, Code, Mechanism, Phase, Quantile, SourceState};
use crate::report;

pub(super) use crate::diagnosis::length;
pub(super) use crate::report::before_words;

/// `03:14:07`, in UTC.
pub(super) fn clock(at: At) -> String {
    let s = at.0.div_euclid(1000).rem_euclid(86_400);
    format!("{:02}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
}

/// `03:14`, in UTC.
pub(super) fn minute(at: At) -> String {
    clock(at)[..5].to_owned()
}

/// An age: `8s`, `4m10s`.
pub(super) fn age(s: f64) -> String {
    length(s.max(0.0).floor())
}

/// Seconds without needless digits: `13.8 s`, `41 ms`.
pub(super) fn brief(s: f64) -> String {
    let shown = seconds(s);
    let Some((digits, unit)) = shown.rsplit_once(' ') else { return shown };
    let digits = if unit == "ms" && s.abs() >= 0.01 { digits.split('.').next().unwrap_or(digits) } else { digits };
    format!("{digits} {unit}")
}

/// A bound or a target: `2.5 s`.
pub(super) fn bound(s: f64) -> String {
    report::trim_bound(s)
}

/// A share: `94%`, `0.4%`.
pub(super) fn percent(share: f64) -> String {
    let p = share * 100.0;
    if p > 0.0 && p < 0.05 {
        "<0.1%".to_owned()
    } else if p > 0.0 && p < 0.95 {
        format!("{p:.1}%")
    } else {
        format!("{p:.0}%")
    }
}

/// A known number, or `?`.
pub(super) fn known(n: Option<f64>) -> String {
    n.map_or_else(|| "?".to_owned(), number)
}

/// A quantile as its bucket.
pub(super) fn bucket(q: Option<Quantile>) -> String {
    report::bucket(q).replace("<= ", "≤")
}

/// The share of late events as a range where the target is no bucket bound.
pub(super) fn late(row: &SloRow) -> String {
    match (row.bad, row.bad_at_most, row.count) {
        (Some(bad), Some(most), Some(n)) if n > 0.0 && most > bad => {
            format!("{}-{}", percent(bad / n), percent(most / n))
        }
        (Some(bad), _, Some(n)) if n > 0.0 => percent(bad / n),
        _ => "?".to_owned(),
    }
}

/// The name of a phase in its row.
pub(super) const fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Gateway => "Gateway",
        Phase::Queue => "Queue",
        Phase::Prefill => "Prefill",
        Phase::Rest => "(rest)",
        Phase::Decode => "Decode",
        Phase::Gpu => "GPU",
        Phase::Rollout => "Rollout",
    }
}

/// A mean with its unit.
pub(super) fn mean(row: &PhaseRow) -> String {
    match row.mean {
        Some(v) if row.unit == "s/token" => format!("{}/tok", brief(v)),
        Some(v) => brief(v),
        None => String::new(),
    }
}

/// A difference with its sign.
pub(super) fn signed(s: f64) -> String {
    format!("{}{}", if s < 0.0 { "-" } else { "+" }, brief(s.abs()))
}

/// A code in words: `deploy regression`.
pub(super) fn code(code: &str) -> String {
    code.replace('_', " ")
}

/// A mechanism in words.
pub(super) fn mechanism(m: Mechanism) -> String {
    code(m.code())
}

/// A cause in words.
pub(super) fn cause(c: Cause) -> String {
    code(c.code())
}

/// A finding's code in words.
pub(super) fn finding(c: Code) -> String {
    code(c.code())
}

/// The state of a source, as its word.
pub(super) fn source_state(state: SourceState) -> &'static str {
    match state {
        SourceState::Connecting => "connecting…",
        other => other.code(),
    }
}
