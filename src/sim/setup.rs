//! A scenario as a world takes it.

use super::scenario::{ClusterChange, Scenario};
use super::world::{Act, Past, Setup};

impl From<&Scenario> for Setup {
    fn from(scenario: &Scenario) -> Self {
        let earlier = scenario
            .earlier_revisions()
            .into_iter()
            .map(|past| Past {
                revision: past.revision,
                before_s: past.before_s,
                cause: past.cause,
                image: past.image,
                args: past.args,
            })
            .collect();
        let acts = scenario
            .changes()
            .into_iter()
            .map(|(at, change)| {
                let act = match change {
                    ClusterChange::Template { args, image, cause, by, probes } => {
                        Act::Template { args, image, cause, by, probes }
                    }
                    ClusterChange::Config(data) => Act::Config(data),
                    ClusterChange::Autoscaler(spec) => Act::Autoscaler(spec),
                    ClusterChange::Scale(replicas) => Act::Scale(replicas),
                    ClusterChange::DeletePods(count) => Act::DeletePods(count),
                    ClusterChange::Cordon(node) => Act::Cordon(node),
                    ClusterChange::PullSeconds(seconds) => Act::Pull(seconds),
                };
                (at, act)
            })
            .collect();
        Self {
            name: scenario.name.clone(),
            workload: (scenario.workload.namespace.clone(), scenario.workload.name.clone()),
            manifests: scenario.manifests(),
            earlier,
            acts,
            pull_s: scenario.workload.pull.0,
            opens_s: scenario.opens_s(),
        }
    }
}
