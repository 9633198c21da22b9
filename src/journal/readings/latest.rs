//! What holds now of what was observed: said again where a segment begins.

use std::sync::Arc;

use super::line::Entry;
use crate::domain::{At, Body, ClusterFacts, Observation, Watch};

/// The newest facts of each kind. Pages are none: the next one comes soon.
#[derive(Debug, Default)]
pub(super) struct Latest {
    /// In the order in which they were first named.
    endpoints: Vec<Observation>,
    watches: Vec<(At, Watch)>,
    cluster: Option<(At, u64, Arc<ClusterFacts>)>,
}

impl Latest {
    /// Takes a fact in. `number` is that of the facts of Kubernetes, where they are what was observed.
    pub(super) fn note(&mut self, observation: Observation, number: u64) {
        let Observation { at, body } = observation;
        match body {
            Body::Endpoint { .. } => self.endpoint(Observation { at, body }),
            Body::EndpointGone { name } => self.endpoints.retain(|e| name_of(e) != Some(&*name)),
            // A past may be that of a pod that is gone already: to say it again would bring it back.
            Body::Recorded(endpoint) if endpoint.gone => {
                self.endpoints.retain(|e| name_of(e) != Some(endpoint.name.as_str()));
            }
            Body::Recorded(endpoint) => {
                let placement = endpoint.placements.last().cloned();
                let at = placement.as_ref().and_then(|p| p.from).unwrap_or(at);
                let body = Body::Endpoint {
                    name: endpoint.name.as_str().into(),
                    role: endpoint.role,
                    reproduce: endpoint.reproduce,
                    reached: endpoint.reached,
                    placement,
                };
                self.endpoint(Observation { at, body });
            }
            Body::Page { .. } | Body::Probed(_) | Body::Told(_) | Body::Untold(_) | Body::Paced { .. } => {}
            Body::Cluster(facts) => self.cluster = Some((at, number, facts)),
            Body::Watch(watch) => match self.watches.iter_mut().find(|w| w.1.resource == watch.resource) {
                Some(known) => *known = (at, watch),
                None => self.watches.push((at, watch)),
            },
        }
    }

    fn endpoint(&mut self, mut new: Observation) {
        let Some(known) = self.endpoints.iter_mut().find(|e| name_of(e) == name_of(&new)) else {
            self.endpoints.push(new);
            return;
        };
        if let (Body::Endpoint { placement: before, .. }, Body::Endpoint { placement, .. }) =
            (&known.body, &mut new.body)
        {
            // An endpoint is where it was last placed, since then, however often that is said.
            if placement.is_none() || placement == before {
                placement.clone_from(before);
                new.at = known.at;
            }
        }
        *known = new;
    }

    /// What holds, as lines, oldest first.
    pub(super) fn entries(&self) -> Vec<Entry> {
        let again = |at: At, body: Body| (at, Entry::Again(Observation { at, body }));
        let endpoints = self.endpoints.iter().map(|e| again(e.at, e.body.clone()));
        let watches = self.watches.iter().map(|(at, watch)| again(*at, Body::Watch(watch.clone())));
        let cluster = self.cluster.iter().map(|(at, number, facts)| {
            (*at, Entry::Facts { at: *at, number: *number, again: true, facts: Arc::clone(facts) })
        });
        let mut all: Vec<(At, Entry)> = endpoints.chain(watches).chain(cluster).collect();
        all.sort_by_key(|(at, _)| *at);
        all.into_iter().map(|(_, entry)| entry).collect()
    }
}

fn name_of(observation: &Observation) -> Option<&str> {
    if let Body::Endpoint { name, .. } = &observation.body { Some(name) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Endpoint;

    #[test]
    fn the_past_of_a_pod_that_is_gone_is_not_said_again() {
        let mut latest = Latest::default();
        for (name, gone) in [("a", false), ("b", true)] {
            let endpoint = Endpoint { gone, ..Endpoint::new(name, "") };
            latest.note(Observation { at: At(5), body: Body::Recorded(Box::new(endpoint)) }, 0);
        }
        let names: Vec<_> = latest.endpoints.iter().filter_map(name_of).collect();
        assert_eq!((names, latest.entries().len()), (vec!["a"], 1));
    }
}
