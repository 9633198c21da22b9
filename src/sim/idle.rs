//! Engines that load and then serve nobody: what the cluster alone can be tried with, without a model of serving.

use std::collections::BTreeMap;

use super::serving::{Happened, Launch, Load, Serving, Sight};
use crate::domain::At;

/// A flag in an engine's arguments with which it dies so many seconds after its start.
const DIES: &str = "--die-after=";

/// Engines without traffic.
#[derive(Debug)]
pub struct Idle {
    load_s: f64,
    load: Load,
    engines: BTreeMap<String, Engine>,
    /// The pods that the gateway may send to.
    routed: Vec<String>,
}

#[derive(Debug)]
struct Engine {
    launch: Launch,
    started: At,
    serves: At,
    told: bool,
    dies: Option<At>,
    /// Its process is gone; what it wrote is still there.
    dead: bool,
}

impl Idle {
    /// Engines that load for so many seconds and then show this load to an autoscaler.
    pub fn new(load_s: f64, load: Load) -> Self {
        Self { load_s, load, engines: BTreeMap::new(), routed: Vec::new() }
    }

    fn serves(&self, pod: &str) -> bool {
        self.engines.get(pod).is_some_and(|e| e.told && !e.dead)
    }
}

impl Serving for Idle {
    fn launch(&mut self, at: At, launch: Launch) {
        let dies = launch.args.iter().find_map(|a| a.strip_prefix(DIES)).and_then(|s| s.parse::<f64>().ok());
        let engine = Engine {
            started: at,
            serves: at.plus(self.load_s),
            told: false,
            dies: dies.map(|s| at.plus(s)),
            dead: false,
            launch,
        };
        self.engines.insert(engine.launch.pod.clone(), engine);
    }

    fn kill(&mut self, _: At, pod: &str) {
        self.engines.remove(pod);
    }

    fn route(&mut self, _: At, pods: &[String]) {
        self.routed = pods.to_vec();
    }

    fn next(&self) -> Option<At> {
        self.engines
            .values()
            .filter(|e| !e.dead)
            .flat_map(|e| [Some(e.serves).filter(|_| !e.told), e.dies])
            .flatten()
            .min()
    }

    fn advance(&mut self, to: At) -> Vec<Happened> {
        let mut happened = Vec::new();
        for (pod, engine) in self.engines.iter_mut().filter(|(_, e)| !e.dead) {
            if let Some(at) = engine.dies.filter(|at| *at <= to) {
                engine.dead = true;
                happened.push(Happened::Died { pod: pod.clone(), at, code: 1, reason: "Error" });
            } else if !engine.told && engine.serves <= to {
                engine.told = true;
                happened.push(Happened::Serving { pod: pod.clone(), at: engine.serves });
            }
        }
        happened
    }

    fn health(&self, pod: &str) -> Option<u16> {
        self.serves(pod).then_some(200)
    }

    fn page(&self, pod: &str) -> Option<String> {
        self.serves(pod).then(|| {
            format!(
                "# TYPE vllm:num_requests_running gauge\nvllm:num_requests_running{{engine=\"0\",model_name=\"m\"}} {}\n\
                 # TYPE vllm:num_requests_waiting gauge\nvllm:num_requests_waiting{{engine=\"0\",model_name=\"m\"}} {}\n",
                self.load.running, self.load.waiting
            )
        })
    }

    fn gateway_page(&self) -> String {
        format!(
            "# TYPE envoy_cluster_membership_healthy gauge\nenvoy_cluster_membership_healthy{{envoy_cluster_name=\"llm\"}} {}\n",
            self.routed.len()
        )
    }

    fn gpu_page(&self, node: &str) -> Option<String> {
        let gpus = self.engines.values().filter(|e| e.launch.node == node).flat_map(|e| {
            e.launch.gpus.iter().map(|gpu| {
                format!("DCGM_FI_DEV_SM_CLOCK{{gpu=\"{gpu}\",Hostname=\"{node}\",pod=\"{}\"}} 1980\n", e.launch.pod)
            })
        });
        Some(std::iter::once("# TYPE DCGM_FI_DEV_SM_CLOCK gauge\n".to_owned()).chain(gpus).collect())
    }

    fn logs(&self, pod: &str) -> Vec<(At, String)> {
        let Some(engine) = self.engines.get(pod) else { return Vec::new() };
        let mut lines = vec![
            (engine.started, "INFO non-default args:".to_owned()),
            (engine.started, format!("INFO {}", engine.launch.args.join(" "))),
        ];
        if engine.told {
            lines.push((engine.serves, "INFO Application startup complete.".to_owned()));
        }
        lines
    }

    fn ask(&mut self, _: At, _: Option<&str>, _: u32) -> Option<u64> {
        None
    }

    fn seen(&self, _: u64) -> Option<Sight> {
        None
    }

    fn forget(&mut self, _: At, _: u64) {}

    fn load(&self, pod: &str) -> Option<Load> {
        self.engines.get(pod).filter(|e| !e.dead).map(|_| self.load)
    }
}
