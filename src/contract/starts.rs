//! The starts of a workload's pods, as `check -o json` tells them.

use serde::Serialize;

use super::{finite, time};
use crate::diagnosis;

/// All of them, and how long they take.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "the fields are the contract's; its schema explains them")]
pub struct Starts {
    pub load: Option<Times>,
    pub ready: Option<Times>,
    pub load_to_ready: Option<Times>,
    pub progress_deadline: Option<String>,
    pub pods: Vec<Pod>,
}

#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "as above")]
pub struct Times {
    pub count: usize,
    pub median_s: Option<f64>,
    pub p90_s: Option<f64>,
    pub min_s: Option<f64>,
    pub max_s: Option<f64>,
}

#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "as above")]
pub struct Pod {
    pub pod: String,
    pub revision: Option<u64>,
    pub restarts: u32,
    pub steps: Vec<Step>,
}

#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "as above")]
pub struct Step {
    pub step: &'static str,
    pub seconds: Option<f64>,
    pub resolution_s: f64,
    pub running: bool,
    pub source: &'static str,
}

impl From<&diagnosis::Times> for Times {
    fn from(times: &diagnosis::Times) -> Self {
        Self {
            count: times.count,
            median_s: finite(times.median),
            p90_s: times.p90.and_then(finite),
            min_s: finite(times.min),
            max_s: finite(times.max),
        }
    }
}

impl From<&diagnosis::Starts> for Starts {
    fn from(starts: &diagnosis::Starts) -> Self {
        let step = |s: &diagnosis::StartStep| Step {
            step: s.step.code(),
            seconds: finite(s.seconds),
            resolution_s: s.resolution_s,
            running: s.running,
            source: s.source,
        };
        let pod = |r: &diagnosis::StartRow| Pod {
            pod: r.pod.clone(),
            revision: r.revision,
            restarts: r.restarts,
            steps: r.steps.iter().map(step).collect(),
        };
        Self {
            load: starts.load.as_ref().map(Times::from),
            ready: starts.ready.as_ref().map(Times::from),
            load_to_ready: starts.whole.as_ref().map(Times::from),
            progress_deadline: starts.deadline.map(time),
            pods: starts.rows.iter().map(pod).collect(),
        }
    }
}
