//! One container of a pod: its state, its last end, its probes.

use serde_json::{Value, json};

use super::probe::{Probe, Use};
use crate::domain::At;
use crate::sim::cluster::json::{int, list, quantity, text, time};
use crate::sim::cluster::scheduler::GPU;

/// The first pause before a restart, and the longest (s).
const PAUSE_S: f64 = 10.0;
const LONGEST_PAUSE_S: f64 = 300.0;
/// After so long without an end, pauses begin anew (s).
const GOOD_S: f64 = 600.0;

/// Where a container stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum State {
    /// Its image is awaited: until then, and since when.
    Pulling { since: At, until: At },
    /// It waits for the rest of the pod.
    Creating,
    /// It runs.
    Running { since: At },
    /// It ended, and will be started again.
    Ended { end: End, again: At },
}

/// How a container ended.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct End {
    pub(super) started: At,
    pub(super) finished: At,
    pub(super) code: i32,
    pub(super) reason: String,
}

impl End {
    pub(super) fn json(&self, id: &str) -> Value {
        json!({"terminated": {
            "exitCode": self.code, "reason": self.reason, "startedAt": time(self.started),
            "finishedAt": time(self.finished), "containerID": id,
        }})
    }
}

/// A container.
#[derive(Debug)]
pub(super) struct Container {
    pub(super) name: String,
    pub(super) image: String,
    pub(super) args: Vec<String>,
    pub(super) gpus: u32,
    pub(super) pull_always: bool,
    pub(super) pre_stop_s: f64,
    pub(super) state: State,
    pub(super) last: Option<End>,
    pub(super) previous: Option<Vec<(At, String)>>,
    pub(super) restarts: u32,
    pause_s: f64,
    pub(super) started: bool,
    pub(super) ready: bool,
    pub(super) probes: Vec<Probe>,
}

impl Container {
    pub(super) fn new(spec: &Value) -> Self {
        let words =
            |field: &str| list(spec, field).iter().filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>();
        let mut args = words("/command");
        args.extend(words("/args"));
        let gpus = spec.pointer("/resources/requests").and_then(|r| r.get(GPU)).map_or(0.0, quantity);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small count")]
        let gpus = gpus as u32;
        let probes = [("startupProbe", Use::Startup), ("readinessProbe", Use::Ready), ("livenessProbe", Use::Live)]
            .into_iter()
            .filter_map(|(field, purpose)| Some(Probe::new(spec.get(field)?, purpose, spec)))
            .collect();
        let sleep = int(spec, "/lifecycle/preStop/sleep/seconds").unwrap_or(0) as f64;
        let shell: f64 = list(spec, "/lifecycle/preStop/exec/command")
            .iter()
            .filter_map(Value::as_str)
            .flat_map(str::split_whitespace)
            .filter_map(|word| word.parse::<f64>().ok())
            .fold(0.0, f64::max);
        Self {
            name: text(spec, "/name").to_owned(),
            image: text(spec, "/image").to_owned(),
            args,
            gpus,
            pull_always: text(spec, "/imagePullPolicy") == "Always",
            pre_stop_s: sleep.max(shell),
            state: State::Creating,
            last: None,
            previous: None,
            restarts: 0,
            pause_s: 0.0,
            started: false,
            ready: false,
            probes,
        }
    }

    /// Since when it runs.
    pub(super) fn since(&self) -> Option<At> {
        if let State::Running { since } = self.state { Some(since) } else { None }
    }

    /// Why it waits.
    pub(super) fn waiting(&self) -> Option<&'static str> {
        match &self.state {
            State::Pulling { .. } | State::Creating => Some("ContainerCreating"),
            State::Ended { .. } if self.pause_s > 0.0 && self.restarts > 0 => Some("CrashLoopBackOff"),
            State::Ended { .. } | State::Running { .. } => None,
        }
    }

    /// How long it is kept from starting again, as messages write it.
    pub(super) fn pause(&self) -> String {
        let s = self.pause_s;
        if s >= 60.0 { format!("{}m{}s", (s / 60.0).floor(), s % 60.0) } else { format!("{s}s") }
    }

    /// Its process ended.
    pub(super) fn died(&mut self, at: At, code: i32, reason: &str, lines: Vec<(At, String)>) {
        let Some(started) = self.since() else { return };
        self.previous = Some(lines);
        // Kubernetes counts whole seconds.
        let end = End { started, finished: at, code, reason: reason.to_owned() };
        let calm = at.since(started) > GOOD_S;
        self.pause_s = match self.restarts {
            0 => 0.0,
            _ if calm || self.pause_s == 0.0 => PAUSE_S,
            _ => (self.pause_s * 2.0).min(LONGEST_PAUSE_S),
        };
        self.last = Some(end.clone());
        self.state = State::Ended { end, again: at.plus(self.pause_s.max(1.0)) };
        (self.started, self.ready) = (false, false);
    }

    /// Its process begins.
    pub(super) fn run(&mut self, now: At, jitter_s: f64) {
        self.state = State::Running { since: now };
        self.started = !self.probes.iter().any(|p| p.purpose == Use::Startup);
        self.ready = self.started && !self.probes.iter().any(|p| p.purpose == Use::Ready);
        for probe in &mut self.probes {
            probe.begin(now, jitter_s);
        }
    }
}
