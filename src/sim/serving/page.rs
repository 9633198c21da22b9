//! Metrics pages in the text format, as each system writes its own.

pub(super) mod dcgm;
pub(super) mod envoy;
pub(super) mod vllm;

use std::fmt::Write as _;

/// A number as Python's client writes it: large ones with an exponent.
pub(super) fn python(value: f64) -> String {
    let plain = format!("{value:?}");
    let Some(dot) = plain.find('.').filter(|dot| value > 0.0 && *dot > 6 && !plain.contains('e')) else { return plain };
    let digits = format!("{}.{}{}", &plain[..1], &plain[1..dot], &plain[dot + 1..]);
    format!("{}e+{:02}", digits.trim_end_matches(['0']).trim_end_matches('.'), dot - 1)
}

/// The two lines before a family.
pub(super) fn header(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}
