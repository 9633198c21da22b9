//! What a run keeps of what it saw: burn rates over time, the onset, the last lever, and which ways were ruled out.
//! Bounded; time enters with what was seen.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::sight::key;
use crate::diagnosis::{Diagnosis, WindowBurn};
use crate::domain::{Action, At};

/// Samples per objective, and how far apart they are (s): a quarter of an hour.
const SAMPLES: usize = 96;
const APART_S: f64 = 10.0;
/// Objectives that are followed.
const MOST_ROWS: usize = 16;
/// The short and the long window of the first paging tier (s).
pub(super) const SHORT_S: f64 = 300.0;
pub(super) const LONG_S: f64 = 3600.0;

/// The burn of one objective at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Burn {
    /// When.
    pub at: At,
    /// Over five minutes; `None`: no events, or not observed.
    pub short: Option<f64>,
    /// Over an hour; `None` unless all of it was observed.
    pub long: Option<f64>,
}

/// The burn of one objective over time.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Burns {
    /// Which: metric and model.
    pub key: String,
    /// Oldest first.
    pub samples: VecDeque<Burn>,
}

/// A lever that was pulled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pulled {
    /// Which.
    pub action: Action,
    /// When its change was accepted.
    pub at: At,
    /// How long it was said to take until it can show (s).
    pub eta_s: Option<f64>,
}

/// What a run remembers.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Memory {
    /// When the objective broke, as first diagnosed.
    pub onset: Option<At>,
    /// The burn of every objective.
    pub burns: Vec<Burns>,
    /// The last lever that was accepted.
    pub lever: Option<Pulled>,
    /// When the state in which the run stands was entered.
    pub entered: Option<At>,
    /// States that turned out not to be it: not recommended again until it breaks anew.
    pub ruled_out: Vec<String>,
}

/// The burn over a window of this length, where enough of it was observed.
pub(super) fn burn_over(windows: &[WindowBurn], seconds: f64) -> Option<&WindowBurn> {
    windows.iter().find(|w| w.window_s == seconds && w.observed_s >= 0.95 * seconds)
}

impl Memory {
    /// Remembers nothing.
    pub const fn new() -> Self {
        Self { onset: None, burns: Vec::new(), lever: None, entered: None, ruled_out: Vec::new() }
    }

    /// What is to be kept of a diagnosis.
    pub fn sample(d: &Diagnosis) -> Vec<(String, Burn)> {
        let burn = |row: &crate::diagnosis::SloRow| Burn {
            at: d.at,
            short: burn_over(&row.windows, SHORT_S).and_then(|w| w.burn),
            long: burn_over(&row.windows, LONG_S).and_then(|w| w.burn),
        };
        d.slo.iter().filter(|row| row.count.is_some()).take(MOST_ROWS).map(|row| (key(row), burn(row))).collect()
    }

    /// Keeps it, unless the last one is too fresh.
    pub(super) fn keep(&mut self, samples: &[(String, Burn)]) {
        for (key, burn) in samples {
            let known = self.burns.iter().position(|b| b.key == *key);
            let Some(index) = known.or_else(|| {
                (self.burns.len() < MOST_ROWS).then(|| {
                    self.burns.push(Burns { key: key.clone(), samples: VecDeque::new() });
                    self.burns.len() - 1
                })
            }) else {
                continue;
            };
            let samples = &mut self.burns[index].samples;
            if samples.back().is_some_and(|last| burn.at.since(last.at) < APART_S) {
                continue;
            }
            if samples.len() >= SAMPLES {
                samples.pop_front();
            }
            samples.push_back(*burn);
        }
    }

    /// The past of one objective.
    pub(super) fn burns(&self, key: &str) -> Option<&VecDeque<Burn>> {
        self.burns.iter().find(|b| b.key == key).map(|b| &b.samples)
    }

    /// When the last lever could have shown its effect: its ETA and one short window past its acceptance.
    pub(super) fn lever_due(&self) -> Option<At> {
        let lever = self.lever.as_ref()?;
        Some(lever.at.plus(lever.eta_s.unwrap_or(0.0) + SHORT_S))
    }
}
