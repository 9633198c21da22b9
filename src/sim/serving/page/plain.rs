//! Families of a page whose labels stand in a fixed order, as Python's client writes them.

use std::fmt::Write as _;

use super::super::engine::Buckets;
use super::{header, python};

/// A page that is being written; `labels` stand on every line, without braces.
pub(super) struct Plain {
    pub(super) out: String,
    pub(super) labels: String,
}

impl Plain {
    pub(super) fn new(labels: String) -> Self {
        Self { out: String::with_capacity(20_000), labels }
    }

    fn line(&mut self, name: &str, own: &str, value: f64) {
        let comma = if own.is_empty() || self.labels.is_empty() { "" } else { "," };
        let _ = writeln!(self.out, "{name}{{{own}{comma}{}}} {}", self.labels, python(value));
    }

    pub(super) fn gauge(&mut self, name: &str, help: &str, value: f64) {
        header(&mut self.out, name, "gauge", help);
        self.line(name, "", value);
    }

    /// A counter with a value for each of its own labels, which are written as they are.
    pub(super) fn counter(&mut self, name: &str, help: &str, values: &[(&str, u64)]) {
        header(&mut self.out, name, "counter", help);
        for (own, value) in values {
            self.line(name, own, *value as f64);
        }
    }

    /// Histograms of one family, by their own labels.
    pub(super) fn histogram(&mut self, name: &str, help: &str, all: &[(&str, &Buckets)]) {
        header(&mut self.out, name, "histogram", help);
        for (own, buckets) in all {
            let mut below = 0;
            let comma = if own.is_empty() { "" } else { "," };
            for (i, count) in buckets.counts.iter().enumerate() {
                below += count;
                let le = buckets.bounds.get(i).map_or_else(|| "+Inf".to_owned(), |bound| python(*bound));
                self.line(&format!("{name}_bucket"), &format!("{own}{comma}le=\"{le}\""), below as f64);
            }
            self.line(&format!("{name}_count"), own, below as f64);
            self.line(&format!("{name}_sum"), own, buckets.sum);
        }
    }
}
