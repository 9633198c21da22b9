//! Metrics pages in the text format, as each system writes its own.

pub(super) mod ai_gateway;
pub(super) mod dcgm;
pub(super) mod envoy;
mod plain;
pub(super) mod sglang;
pub(super) mod vllm;
pub(super) mod vllm_v0;

use std::fmt::Write as _;

use super::engine::Buckets;

/// How an engine speaks of itself: the same requests, told in other names, bounds and moments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Speech {
    /// vLLM since 0.8.
    #[default]
    Vllm,
    /// vLLM's first engine.
    VllmV0,
    /// `SGLang`.
    Sglang,
}

impl Speech {
    /// What an image speaks: its name says which engine, its tag which version.
    pub(super) fn of_image(image: &str) -> Self {
        let tag = image.rsplit_once(':').map_or("", |(_, tag)| tag.trim_start_matches('v'));
        let mut numbers = tag.split('.').map_while(|n| n.parse::<u32>().ok());
        let version = (numbers.next(), numbers.next());
        match version {
            _ if image.contains("sglang") => Self::Sglang,
            (Some(0), Some(minor)) if minor < 9 => Self::VllmV0,
            _ => Self::Vllm,
        }
    }
}

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

/// The lines of a histogram as the gateways write them: cumulative buckets, the sum, the count.
fn buckets_of(out: &mut String, name: &str, labels: &str, buckets: &Buckets) {
    let mut below = 0;
    for (i, count) in buckets.counts.iter().enumerate() {
        below += count;
        let le = buckets.bounds.get(i).map_or_else(|| "+Inf".to_owned(), ToString::to_string);
        let _ = writeln!(out, "{name}_bucket{{{labels},le=\"{le}\"}} {below}");
    }
    let _ = writeln!(out, "{name}_sum{{{labels}}} {}\n{name}_count{{{labels}}} {below}", buckets.sum);
}
