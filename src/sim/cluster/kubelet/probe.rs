//! Probes: when they are due, what they found, and what counts.

use serde_json::Value;

use crate::domain::At;
use crate::sim::cluster::json::{int, list, text};

/// What a probe decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    Startup,
    Ready,
    Live,
}

impl Use {
    /// As events name it.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Startup => "Startup",
            Self::Ready => "Readiness",
            Self::Live => "Liveness",
        }
    }
}

/// A probe of a container.
#[derive(Debug)]
pub(super) struct Probe {
    pub(super) purpose: Use,
    pub(super) path: String,
    pub(super) port: u64,
    /// Whether a command is run in the container: then it is enough that it runs.
    pub(super) exec: bool,
    delay_s: f64,
    period_s: f64,
    good_needed: u32,
    bad_needed: u32,
    good: u32,
    bad: u32,
    pub(super) due: At,
}

impl Probe {
    pub(super) fn new(spec: &Value, purpose: Use, container: &Value) -> Self {
        let number = |field: &str, otherwise: i64| int(spec, field).unwrap_or(otherwise);
        let port = spec.pointer("/httpGet/port").or_else(|| spec.pointer("/tcpSocket/port"));
        let port = match port {
            Some(Value::String(named)) => list(container, "/ports")
                .iter()
                .find(|p| text(p, "/name") == named)
                .and_then(|p| p["containerPort"].as_u64()),
            Some(number) => number.as_u64(),
            None => None,
        };
        let count = |n: i64| u32::try_from(n.max(1)).unwrap_or(1);
        Self {
            purpose,
            path: text(spec, "/httpGet/path").to_owned(),
            port: port.unwrap_or(0),
            exec: spec["exec"].is_object(),
            delay_s: number("/initialDelaySeconds", 0) as f64,
            period_s: number("/periodSeconds", 10).max(1) as f64,
            good_needed: count(number("/successThreshold", 1)),
            bad_needed: count(number("/failureThreshold", 3)),
            good: 0,
            bad: 0,
            due: At(0),
        }
    }

    /// The container begins; a kubelet's first probe comes somewhere within the period.
    pub(super) fn begin(&mut self, now: At, jitter_s: f64) {
        (self.good, self.bad) = (0, 0);
        self.due = now.plus(self.delay_s + jitter_s % self.period_s);
    }

    /// It was asked: `Some(true)` once it counts as good, `Some(false)` once it counts as bad.
    pub(super) fn found(&mut self, now: At, good: bool) -> Option<bool> {
        self.due = now.plus(self.period_s);
        if good {
            (self.good, self.bad) = (self.good + 1, 0);
            (self.good >= self.good_needed).then_some(true)
        } else {
            (self.good, self.bad) = (0, self.bad + 1);
            (self.bad >= self.bad_needed).then_some(false)
        }
    }
}
