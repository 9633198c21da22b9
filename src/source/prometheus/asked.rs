//! The questions, in PromQL, and how their answers are read. Pure.

use std::fmt::Write as _;

use super::answer::Series as Answered;
use super::past::Counted;
use crate::domain::{ToldAlert, ToldWindow};
use crate::text::clean;

/// Models that are told apart.
const MOST_MODELS: usize = 64;

/// One latency, as its engine exports it.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// The quantity: `ttft` or `itl`.
    pub quantity: &'static str,
    /// The histogram's family.
    pub family: String,
    /// The greatest bound that is not above the target (s); `None`: the target is below all bounds.
    pub within: Option<f64>,
    /// The least bound that is not below the target (s); `None`: the target is above all bounds.
    pub above: Option<f64>,
}

impl Series {
    /// With the bounds beside a target.
    pub fn of(quantity: &'static str, family: &str, bounds: &[f64], target_s: f64) -> Self {
        let same = |bound: f64| (bound - target_s).abs() <= 1e-9 * target_s;
        let finite = || bounds.iter().copied().filter(|b| b.is_finite());
        Self {
            quantity,
            family: family.to_owned(),
            within: finite().filter(|b| *b <= target_s || same(*b)).reduce(f64::max),
            above: finite().filter(|b| *b >= target_s || same(*b)).reduce(f64::min),
        }
    }
}

/// What is to be asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// The namespace of the workload.
    pub namespace: Option<String>,
    /// The beginning of its pods' names.
    pub pods: Option<String>,
    /// The model, where the engine names it.
    pub model: Option<String>,
    /// Names of which every engine of its kind has series, one or a few each.
    pub witness: Vec<String>,
    /// The latencies; none where the engine measures none.
    pub series: Vec<Series>,
    /// The windows, in seconds.
    pub windows: Vec<f64>,
    /// What is asked of the past.
    pub past: Vec<Counted>,
}

impl Asked {
    pub(super) fn windows(&self) -> Vec<f64> {
        if self.series.is_empty() { Vec::new() } else { self.windows.clone() }
    }

    /// The ways to choose the workload's series, the surest first.
    pub(super) fn choices(&self) -> Vec<String> {
        let mut choices = Vec::new();
        if let (Some(namespace), Some(pods)) = (&self.namespace, &self.pods) {
            choices.push(format!(
                "{{namespace={},pod=~{}}}",
                quoted(namespace),
                quoted(&format!("{}-.*", literal(pods)))
            ));
            choices.push(format!(
                "{{exported_namespace={},exported_pod=~{}}}",
                quoted(namespace),
                quoted(&format!("{}-.*", literal(pods)))
            ));
        }
        if let Some(model) = &self.model {
            choices.push(format!("{{model_name={}}}", quoted(model)));
        }
        if choices.is_empty() {
            choices.push("{}".to_owned());
        }
        choices
    }

    /// How many series there are by each way to choose them.
    pub(super) fn trial(&self) -> String {
        let count = |(nth, choice): (usize, &String)| {
            let of = selector(&self.witness, choice.trim_matches(['{', '}']));
            format!("label_replace(count({of}),\"warroom\",\"{nth}\",\"\",\"\")")
        };
        self.choices().iter().enumerate().map(count).collect::<Vec<_>>().join(" or ")
    }

    /// Events over a window: for each latency all of them, those within the target and those within the next bound above.
    pub(super) fn events(&self, choice: &str, window_s: f64) -> String {
        let inner = choice.trim_matches(['{', '}']);
        let mut parts = Vec::new();
        for (nth, one) in self.series.iter().enumerate() {
            let comma = if inner.is_empty() { "" } else { "," };
            let mut part = |what: &str, suffix: &str, more: String| {
                parts.push(format!(
                    "label_replace(sum by (model_name)(increase({}{suffix}{{{inner}{more}}}[{window_s:.0}s])),\"warroom\",\"{nth} {what}\",\"\",\"\")",
                    one.family
                ));
            };
            part("all", "_count", String::new());
            // Prometheus 3 writes `1` as `1.0`, and the engine may have written either.
            for (what, bound) in [("within", one.within), ("above", one.above)] {
                if let Some(bound) = bound {
                    part(what, "_bucket", format!("{comma}le=~{}", quoted(&le(bound))));
                }
            }
        }
        parts.join(" or ")
    }

    /// What the answer says of one window.
    pub(super) fn read(&self, answer: &[Answered], window_s: f64) -> Vec<ToldWindow> {
        let mut models: Vec<Option<&str>> = answer.iter().map(|s| s.label("model_name")).collect();
        models.sort_unstable();
        models.dedup();
        models.truncate(MOST_MODELS);
        let mut windows = Vec::new();
        for model in models {
            for (nth, one) in self.series.iter().enumerate() {
                let value = |what: &str| {
                    let named = format!("{nth} {what}");
                    let fits = |s: &&Answered| s.label("warroom") == Some(&named) && s.label("model_name") == model;
                    answer.iter().find(fits).map(|s| s.value).filter(|v| v.is_finite())
                };
                let Some(count) = value("all").filter(|n| *n >= 0.0) else { continue };
                // A target above all bounds: nothing is certainly late. One below: everything may be.
                let good = value("within").unwrap_or(0.0).clamp(0.0, count);
                let surely = if one.above.is_some() { value("above").unwrap_or(count) } else { count };
                windows.push(ToldWindow {
                    quantity: one.quantity.to_owned(),
                    model: model.map(|m| clean(m, 260)),
                    window_s,
                    count,
                    late: (count - surely.clamp(0.0, count)).max(0.0),
                    late_at_most: count - good,
                });
            }
        }
        windows
    }

    /// The alerts that are about the workload's namespace or model, or say of neither.
    pub(super) fn alerts(&self) -> String {
        let by = [("namespace", &self.namespace), ("model_name", &self.model)];
        let mut parts: Vec<String> = by
            .iter()
            .filter_map(|(label, value)| Some(format!("ALERTS{{{label}={}}}", quoted(value.as_ref()?))))
            .collect();
        parts.push("ALERTS{namespace=\"\",model_name=\"\"}".to_owned());
        parts.join(" or ")
    }
}

/// The alerts of an answer, those that fire first.
pub(super) fn alerts(answer: &[Answered], most: usize) -> Vec<ToldAlert> {
    let alert = |s: &Answered| {
        Some(ToldAlert {
            name: clean(s.label("alertname")?, 200),
            firing: s.label("alertstate") == Some("firing"),
            severity: s.label("severity").map(|severity| clean(severity, 40)),
        })
    };
    let mut alerts: Vec<ToldAlert> = answer.iter().filter_map(alert).collect();
    alerts.sort_by(|a, b| (!a.firing, &a.name).cmp(&(!b.firing, &b.name)));
    alerts.dedup();
    alerts.truncate(most);
    alerts
}

/// The series with one of these names, which are plain: letters, digits, `_` and `:`.
pub(super) fn selector(names: &[String], inner: &str) -> String {
    let plain = |name: &&String| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':');
    let any: Vec<&str> = names.iter().filter(plain).map(String::as_str).collect();
    let comma = if inner.is_empty() { "" } else { "," };
    format!("{{__name__=~{}{comma}{inner}}}", quoted(&any.join("|")))
}

/// A string of PromQL.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// A text as a regular expression that matches it alone.
pub(super) fn literal(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        if !c.is_ascii_alphanumeric() && c != '-' && c != '_' {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// A bound as its label may spell it.
pub(super) fn le(bound: f64) -> String {
    let text = format!("{bound}");
    let escaped = literal(&text);
    if text.contains('.') { escaped } else { format!("{escaped}(\\.0)?") }
}

/// A text as a query of a URL takes it.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_from_outside_stay_inside_of_their_quotes() {
        assert_eq!(quoted("a\"} or vector(1) #\\"), r#""a\"} or vector(1) #\\""#);
        assert_eq!(literal("a.b-c"), r"a\.b-c");
        assert_eq!(le(1.0), r"1(\.0)?");
        assert_eq!(le(0.5), r"0\.5");
        assert_eq!(escaped("a b&c=d"), "a%20b%26c%3Dd");
    }

    #[test]
    fn a_target_between_two_bounds_has_one_on_either_side() {
        let bounds = [0.25, 0.5, 1.0, f64::INFINITY];
        let beside = |target| {
            let series = Series::of("ttft", "f", &bounds, target);
            (series.within, series.above)
        };
        assert_eq!(beside(0.5), (Some(0.5), Some(0.5)));
        assert_eq!(beside(0.7), (Some(0.5), Some(1.0)));
        assert_eq!(beside(0.1), (None, Some(0.25)));
        assert_eq!(beside(9.0), (Some(1.0), None));
    }
}
