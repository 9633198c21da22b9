//! What a change costs until it is done: loads, time and capacity, from this workload's own starts.

use serde::Serialize;

use super::plan::Ask;
use crate::domain::{ClusterFacts, Revision, Strategy, WorkloadKind};

/// How long starts of this workload take, from those that are known.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Starts {
    /// How many are known.
    pub n: u32,
    /// From a pod's creation to Ready (s): the middle one.
    pub median_s: f64,
    /// The slowest.
    pub longest_s: f64,
}

/// What it costs.
#[derive(Debug, Clone, PartialEq, Serialize, Default)]
pub struct Cost {
    /// Pods that have to start and load a model.
    pub loads: u32,
    /// How many of them at once.
    pub at_once: u32,
    /// How long starts take; `None`: no start is known.
    pub starts: Option<Starts>,
    /// How long it takes until the last one serves (s); `None`: not known.
    pub eta_s: Option<f64>,
    /// The fewest replicas that serve meanwhile; `None`: not known.
    pub fewest: Option<u32>,
    /// Of so many.
    pub of: u32,
}

/// How long starts of this workload took. A pod that was restarted, or that lost and regained readiness, says nothing.
pub fn starts(facts: &ClusterFacts) -> Option<Starts> {
    let whole = |p: &crate::domain::Pod| {
        p.load_s()?;
        Some(p.ready_since?.since(p.created?)).filter(|s| *s >= 0.0)
    };
    let mut known: Vec<f64> = facts.pods.iter().filter_map(whole).collect();
    known.sort_by(f64::total_cmp);
    let middle = known.len() / 2;
    let median_s = match known.len() {
        0 => return None,
        n if n % 2 == 1 => known[middle],
        _ => f64::midpoint(known[middle - 1], known[middle]),
    };
    Some(Starts { n: u32::try_from(known.len()).unwrap_or(u32::MAX), median_s, longest_s: *known.last()? })
}

/// How many pods a rollout may have beyond and below what is wanted, as the deployment controller resolves it: surge
/// rounds up, unavailable rounds down, and both cannot be 0.
pub(super) fn fenceposts(max_surge: &str, max_unavailable: &str, desired: u32) -> (u32, u32) {
    let surge = resolve(max_surge, desired, true);
    let unavailable = resolve(max_unavailable, desired, false);
    if surge == 0 && unavailable == 0 { (0, 1) } else { (surge, unavailable) }
}

/// A count or a percentage of `desired`; what is neither is 0.
fn resolve(declared: &str, desired: u32, up: bool) -> u32 {
    let Some(percent) = declared.strip_suffix('%') else { return declared.parse().unwrap_or(0) };
    let percent: u64 = percent.parse::<u32>().unwrap_or(0).into();
    let hundredths = percent * u64::from(desired);
    u32::try_from(if up { hundredths.div_ceil(100) } else { hundredths / 100 }).unwrap_or(u32::MAX)
}

/// How a new template reaches the pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Replacing {
    /// Pods that have to start.
    pub(super) loads: u32,
    /// How many more than wanted there may be.
    pub(super) surge: u32,
    /// How many fewer may be available.
    pub(super) unavailable: u32,
    /// Whether all old ones go first.
    pub(super) recreate: bool,
}

/// How the pods are replaced when the template becomes that of `target`, or one that no pod has.
pub(super) fn replacing(ask: &Ask<'_>, target: Option<&Revision>) -> Replacing {
    let desired = ask.workload.desired;
    let warm = target.map_or(0, |t| t.ready.min(desired));
    let (surge, unavailable) = match &ask.workload.strategy {
        Strategy::Rolling { max_unavailable, .. } if ask.target.kind == WorkloadKind::StatefulSet => {
            (0, resolve(max_unavailable, desired, false).max(1))
        }
        Strategy::Rolling { max_surge, max_unavailable } => fenceposts(max_surge, max_unavailable, desired),
        Strategy::Recreate => (0, desired),
        // A StatefulSet goes one by one where nothing is said, and on delete when somebody deletes.
        Strategy::OnDelete => (0, 1),
        Strategy::Unknown => fenceposts("25%", "25%", desired),
    };
    let loads = desired.saturating_sub(warm).min(desired.saturating_sub(ask.workload.partition));
    Replacing { loads, surge, unavailable, recreate: ask.workload.strategy == Strategy::Recreate }
}

impl Replacing {
    /// What it costs when so many may start at once beside what runs.
    pub(super) fn cost(&self, ask: &Ask<'_>, room: Option<u32>) -> Cost {
        let surge = room.map_or(self.surge, |room| room.min(self.surge));
        let at_once = if self.recreate { self.loads } else { surge.saturating_add(self.unavailable).min(self.loads) };
        let starts = starts(ask.facts);
        let w = ask.workload;
        let fewest = match (self.loads, self.recreate) {
            (0, _) => w.desired,
            (_, true) => 0,
            (_, false) => w.desired.saturating_sub(self.unavailable).min(w.available.max(w.ready)),
        };
        let waves = if at_once == 0 { None } else { Some(self.loads.div_ceil(at_once)) };
        let eta_s = match (self.loads, waves, starts) {
            (0, ..) => Some(0.0),
            (_, Some(waves), Some(starts)) => Some(f64::from(waves) * (starts.median_s + f64::from(w.min_ready_s))),
            _ => None,
        };
        Cost { loads: self.loads, at_once, starts, eta_s, fewest: Some(fewest), of: w.desired }
    }
}

impl Cost {
    /// It in sentences.
    pub fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        if self.loads == 0 {
            words.push("No model has to be loaded for it.".to_owned());
        } else {
            let each = match self.starts {
                Some(s) => format!("; a start takes {} here (middle of {})", span(s.median_s), s.n),
                None => "; how long a start takes here is not known".to_owned(),
            };
            let s = if self.loads == 1 { "" } else { "s" };
            words.push(format!("{} model load{s}, {} at once{each}.", self.loads, self.at_once));
            words.push(match self.eta_s {
                Some(eta) => format!("Done in about {}.", span(eta)),
                None => "When it is done is not known.".to_owned(),
            });
        }
        if let Some(fewest) = self.fewest.filter(|_| self.loads > 0) {
            words.push(match fewest {
                0 => format!("Meanwhile nothing serves: 0 of {}.", self.of),
                n => format!("Meanwhile at least {n} of {} serve.", self.of),
            });
        }
        words
    }
}

/// A span of time, as a person says it.
pub(super) fn span(seconds: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "spans are small and not negative")]
    let s = seconds.max(0.0).round() as u64;
    match (s / 3600, s / 60 % 60, s % 60) {
        (0, 0, s) => format!("{s}s"),
        (0, m, 0) => format!("{m}m"),
        (0, m, s) => format!("{m}m{s:02}s"),
        (h, m, _) => format!("{h}h{m:02}m"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fenceposts_are_those_of_the_deployment_controller() {
        // By default up to three replicas surge by one and may not lose one.
        for desired in 1..=3 {
            assert_eq!(fenceposts("25%", "25%", desired), (1, 0), "{desired}");
        }
        assert_eq!(fenceposts("25%", "25%", 4), (1, 1));
        assert_eq!(fenceposts("25%", "25%", 10), (3, 2));
        assert_eq!(fenceposts("0", "0", 5), (0, 1), "both cannot be 0");
        assert_eq!(fenceposts("0%", "10%", 5), (0, 1));
        assert_eq!(fenceposts("2", "0", 5), (2, 0));
        assert_eq!(fenceposts("nonsense", "4294967295%", u32::MAX).1, u32::MAX);
    }

    #[test]
    fn a_span_reads_as_a_person_says_it() {
        let told: Vec<String> = [0.4, 59.6, 90.0, 990.0, 7260.0, -3.0].iter().map(|s| span(*s)).collect();
        assert_eq!(told, ["0s", "1m", "1m30s", "16m30s", "2h01m", "0s"]);
    }
}
