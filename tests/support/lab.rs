//! A simulated cluster in virtual time without any network, read and judged.

#[path = "reader.rs"]
mod reader;

pub(crate) use reader::{OPENS, SWEEP_S};
use reader::{Reader, policy, target};
use warroom::diagnosis::{Diagnosis, Policy, diagnose, diagnose_without};
use warroom::domain::{Body, Code, Observation, Role, Snapshot};
use warroom::sim::scenario::Scenario;
use warroom::sim::serving::Model;
use warroom::sim::world::{Setup, World};

/// How long before the screen opens reading begins (s).
const READ_BEFORE_S: f64 = 2400.0;

pub(crate) struct Lab {
    world: World,
    snapshot: Snapshot,
    policy: Policy,
    reader: Reader,
    scenario: Scenario,
    /// What was observed, for whoever asked for it.
    stream: Option<Vec<Observation>>,
    read_before_s: f64,
    /// Roles whose pages cannot be read, and whether Kubernetes cannot.
    blind: (Vec<Role>, bool),
}

impl Lab {
    pub(crate) fn new(scenario: &Scenario, seed: u64) -> Self {
        let begins = OPENS.plus(-scenario.opens_s());
        let model = Model::new(scenario, seed, begins);
        let world = World::new(&Setup::from(scenario), Box::new(model), begins, seed);
        Self {
            world,
            snapshot: Snapshot { interval_s: SWEEP_S, target: Some(target(scenario, "lab")), ..Snapshot::default() },
            policy: policy(scenario),
            reader: Reader::new(&scenario.workload.name),
            scenario: scenario.clone(),
            stream: None,
            read_before_s: READ_BEFORE_S,
            blind: (Vec::new(), false),
        }
    }

    /// Reading begins so long before the screen opens.
    pub(crate) fn read_before(mut self, seconds: f64) -> Self {
        self.read_before_s = seconds;
        self
    }

    /// Pages of these roles are not read, nor are Kubernetes' objects where `kubernetes` says so.
    pub(crate) fn blind(mut self, roles: Vec<Role>, kubernetes: bool) -> Self {
        self.blind = (roles, kubernetes);
        self
    }

    fn sees(&self, body: &Body) -> bool {
        match body {
            Body::Endpoint { role, .. } => !self.blind.0.contains(role),
            Body::Page { page: Ok(page), .. } => !self.blind.0.contains(&page.role()),
            Body::Cluster(_) | Body::Watch(_) => !self.blind.1,
            _ => true,
        }
    }

    /// What it would say at the last judged moment without the rules of these codes.
    pub(crate) fn judge_without(&self, codes: &[Code]) -> Diagnosis {
        diagnose_without(&self.snapshot, &self.policy, codes)
    }

    /// Everything that is observed until so many seconds after the screen opens, and what it comes to.
    #[allow(dead_code, reason = "not every suite asks for it")]
    pub(crate) fn stream(mut self, after_s: f64) -> (Vec<Observation>, Snapshot, Policy) {
        self.stream = Some(Vec::new());
        self.judge(after_s);
        (self.stream.unwrap_or_default(), self.snapshot, self.policy)
    }

    /// Reads on until so many seconds after the screen opens, and diagnoses.
    pub(crate) fn judge(&mut self, after_s: f64) -> Diagnosis {
        let until = OPENS.plus(after_s);
        let first = OPENS.plus(-self.read_before_s.min(self.scenario.opens_s()));
        if self.world.now() < first {
            self.world.advance(first);
        }
        while self.world.now() < until {
            self.world.advance(self.world.now().plus(SWEEP_S).min(until));
            for observation in self.reader.read(&self.world) {
                if !self.sees(&observation.body) {
                    continue;
                }
                self.stream.iter_mut().for_each(|stream| stream.push(observation.clone()));
                self.snapshot.observe(observation);
            }
        }
        self.snapshot.now = self.world.now();
        diagnose(&self.snapshot, &self.policy)
    }
}
