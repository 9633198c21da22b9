//! Where the news of all watches come together: the objects as they are now, how each watch goes, and the deliveries,
//! of which there are at most four a second however much happens.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::census::{Census, Middle};
use super::resource::{Resource, selector};
use super::watching::{News, What};
use crate::apiserver::Trouble;
use crate::clock::Clock;
use crate::decode::kubernetes::{Kin, Maps, Objects, config_maps, facts};
use crate::domain::{At, Body, ClusterFacts, Observation, SourceState, Watch, WorkloadRef};

/// What is told about a watch again although nothing but its age has changed, at most so often, in milliseconds.
const AGE_TOLD_EVERY_MS: i64 = 1_000;

/// What the delivery is made from.
pub(super) struct Hub {
    target: WorkloadRef,
    clock: Clock,
    objects: BTreeMap<Resource, BTreeMap<String, Value>>,
    watches: BTreeMap<Resource, Known>,
    census: Census,
    /// What the `ConfigMaps` hold that templates refer to.
    maps: Maps,
    facts: Option<Arc<ClusterFacts>>,
    /// Whether the objects have changed since `facts` were made.
    changed: bool,
    /// As of when the facts were last delivered.
    delivered: Option<At>,
}

/// How one watch goes.
struct Known {
    watch: Watch,
    told: Option<Watch>,
}

impl Hub {
    pub(super) fn new(target: WorkloadRef, clock: Clock) -> Self {
        let connecting = |resource: Resource| {
            let resource = resource.plural(target.kind);
            let watch = Watch { resource, state: SourceState::Connecting, heard: None, error: None };
            Known { watch, told: None }
        };
        let watches = Resource::ALL.into_iter().map(|r| (r, connecting(r))).collect();
        Self {
            watches,
            target,
            clock,
            objects: BTreeMap::new(),
            census: Census::default(),
            maps: Maps::new(),
            facts: None,
            changed: false,
            delivered: None,
        }
    }

    /// Takes in what a watch tells.
    pub(super) fn take(&mut self, News { resource, what }: News) {
        let now = At(self.clock.unix_ms());
        let target = &self.target;
        let Some(known) = self.watches.get_mut(&resource) else { return };
        let objects = self.objects.entry(resource).or_default();
        if let What::Troubled(trouble) = what {
            known.watch.state = state_in(&trouble, known.watch.heard.is_some());
            known.watch.error = Some(sentence(&trouble, known.watch.resource));
            return;
        }
        known.watch.heard = Some(now);
        known.watch.state = SourceState::Live;
        match what {
            What::Listed { objects: listed, more } => {
                // The server forgets events after an hour; a timeline does not.
                if resource != Resource::Events {
                    objects.clear();
                }
                objects.extend(listed);
                known.watch.error =
                    more.then(|| format!("there are more than {}: only so many are read", resource.most()));
                self.changed = true;
            }
            What::Applied(key, object) => {
                if objects.get(&key) != Some(&object) {
                    objects.insert(key, object);
                    self.changed = true;
                }
                known.watch.error = None;
            }
            What::Deleted(key) => {
                if resource != Resource::Events {
                    self.changed |= objects.remove(&key).is_some();
                }
                known.watch.error = None;
            }
            What::Heard | What::Troubled(_) => known.watch.error = None,
        }
        bound(resource, objects);
        if resource == Resource::Workload && objects.is_empty() {
            known.watch.state = SourceState::Absent;
            let (kind, name, namespace) = (target.kind.code(), &target.name, &target.namespace);
            known.watch.error = Some(format!("there is no {kind} '{name}' in namespace '{namespace}' now"));
        }
    }

    /// Takes in what was found around the workload.
    pub(super) fn count(&mut self, census: Census) {
        self.changed |= self.census.gpus_taken != census.gpus_taken;
        for (name, map) in &census.maps {
            // One that could not be read this time is as it was.
            if map.is_some() || !self.maps.contains_key(name) {
                self.changed |= self.maps.insert(name.clone(), map.clone()).as_ref() != Some(map);
            }
        }
        self.census = census;
    }

    /// The workload's selector, once it is known.
    pub(super) fn selector(&self) -> Option<String> {
        self.objects.get(&Resource::Workload)?.values().find_map(selector)
    }

    /// What is looked around: the nodes, what the pods are labelled with, and what gives them flags.
    pub(super) fn middle(&self) -> Middle {
        let workload = self.objects.get(&Resource::Workload).and_then(|o| o.values().next());
        let labels = workload.map(|w| {
            let labels = w["spec"]["template"]["metadata"]["labels"].as_object().into_iter().flatten();
            labels.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
        });
        let revisions = self.objects.get(&Resource::Revisions).into_iter().flat_map(BTreeMap::values);
        // A ControllerRevision has its template below `data`.
        let templates = revisions.flat_map(|r| [&r["spec"]["template"], &r["data"]["spec"]["template"]]);
        let templates = templates.chain(workload.map(|w| &w["spec"]["template"]));
        let maps = templates.flat_map(config_maps).collect();
        Middle { nodes: self.nodes(), labels, maps, kin: workload.and_then(Kin::of) }
    }

    /// The names of the nodes whose GPUs are of interest: those of the pods first, then others with GPUs.
    fn nodes(&self) -> Vec<String> {
        let Some(facts) = &self.facts else { return Vec::new() };
        let of_pods = facts.pods.iter().filter_map(|p| p.node.clone());
        let with_gpus = facts.nodes.iter().flatten().filter(|n| n.gpus > 0).map(|n| n.name.clone());
        let mut names: Vec<String> = Vec::new();
        for name in of_pods.chain(with_gpus) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// What is new since the last time, watches first.
    pub(super) fn deliveries(&mut self) -> Vec<Observation> {
        let now = At(self.clock.unix_ms());
        let mut deliveries = Vec::new();
        for known in self.watches.values_mut() {
            let Known { watch, told } = known;
            let same = |told: &Watch| told.state == watch.state && told.error == watch.error;
            let age_moved = |told: &Watch| moved(told.heard, watch.heard);
            if !told.as_ref().is_some_and(|t| same(t) && !age_moved(t)) {
                *told = Some(watch.clone());
                deliveries.push(Observation { at: now, body: Body::Watch(watch.clone()) });
            }
        }
        for watch in self.census.untold() {
            deliveries.push(Observation { at: now, body: Body::Watch(watch) });
        }
        let Some(as_of) = self.as_of() else { return deliveries };
        if self.changed || self.facts.is_none() {
            self.facts = Some(Arc::new(self.read()));
        } else if !moved(self.delivered, Some(as_of)) {
            return deliveries;
        }
        self.changed = false;
        self.delivered = Some(as_of);
        let facts = self.facts.clone().unwrap_or_default();
        deliveries.push(Observation { at: as_of, body: Body::Cluster(facts) });
        deliveries
    }

    /// As of when everything that matters most is known to hold; nothing until each of it has been answered for.
    fn as_of(&self) -> Option<At> {
        let of = |resource| self.watches.get(&resource).map(|k| &k.watch);
        let workload = of(Resource::Workload)?;
        let heard = workload.heard?;
        if workload.state == SourceState::Absent && self.selector().is_none() && self.facts.is_none() {
            return Some(heard);
        }
        let others = [of(Resource::Revisions)?, of(Resource::Pods)?];
        if others.iter().any(|w| w.state == SourceState::Connecting) {
            return None;
        }
        Some(others.iter().filter_map(|w| w.heard).fold(heard, At::min))
    }

    fn read(&self) -> ClusterFacts {
        let of = |resource| self.objects.get(&resource).into_iter().flat_map(BTreeMap::values).collect::<Vec<_>>();
        let nodes_read = self.watches.get(&Resource::Nodes).is_some_and(|k| k.watch.heard.is_some());
        facts(&Objects {
            kind: Some(self.target.kind),
            workload: of(Resource::Workload).first().copied(),
            revisions: of(Resource::Revisions),
            pods: of(Resource::Pods),
            nodes: nodes_read.then(|| of(Resource::Nodes)),
            gpus_taken: self.census.gpus_taken.as_ref(),
            config_maps: Some(&self.maps),
            autoscalers: of(Resource::Autoscalers),
            events: of(Resource::Events),
        })
    }
}

/// Whether a moment has gone on far enough to be told again.
fn moved(before: Option<At>, now: Option<At>) -> bool {
    match (before, now) {
        (Some(before), Some(now)) => now.0 - before.0 >= AGE_TOLD_EVERY_MS,
        (before, now) => before != now,
    }
}

/// What trouble makes of a watch. What was read before is old now, and not gone.
fn state_in(trouble: &Trouble, was_read: bool) -> SourceState {
    match trouble {
        Trouble::Denied(_) => SourceState::Denied,
        Trouble::NotFound(_) if !was_read => SourceState::Absent,
        _ if was_read => SourceState::Stale,
        _ => SourceState::Failed,
    }
}

fn sentence(trouble: &Trouble, resource: &str) -> String {
    match trouble {
        Trouble::Denied(_) => format!("{trouble}; allow 'list' and 'watch' on '{resource}'"),
        other => other.to_string(),
    }
}

/// Keeps what came to grow without an end within its bounds. Events go by age, everything else by name.
fn bound(resource: Resource, objects: &mut BTreeMap<String, Value>) {
    let age = |object: &Value| {
        let of = |field: &str| object[field].as_str().unwrap_or_default().to_owned();
        of("lastTimestamp").max(of("eventTime"))
    };
    while objects.len() > resource.most() {
        let first_to_go = match resource {
            Resource::Events => objects.iter().min_by_key(|(_, o)| age(o)).map(|(k, _)| k.clone()),
            _ => objects.keys().next_back().cloned(),
        };
        let Some(key) = first_to_go else { return };
        objects.remove(&key);
    }
}
