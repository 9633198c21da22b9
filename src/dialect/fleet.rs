//! What of many pages of one system is worth asking a Prometheus for, in one selection: names and labels. Everything that
//! the reader would use, but of engines' buckets only those of the latencies that objectives are about.

use std::collections::BTreeSet;

use super::catalogue::{Catalogue, Part, Route, Target, To};
use crate::domain::{Dist, Gauge, Role};

/// The series of one system's engines, gateways or GPUs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wanted {
    /// The system's name.
    pub system: String,
    /// Names of gauges and counters, and of the sums and counts of histograms.
    pub scalars: Vec<String>,
    /// Names of buckets.
    pub buckets: Vec<String>,
    /// Labels by which samples are told apart or chosen, beside `le`.
    pub labels: Vec<String>,
    /// Labels that tell whose requests they are: without them all are counted together.
    pub slices: Vec<String>,
    /// Samples with one of these values of a label are nobody's work.
    pub except: Vec<(String, Vec<String>)>,
    /// Of GPUs: the labels that name the node, the surest first.
    pub nodes: Vec<String>,
}

/// Distributions whose buckets are needed by page: those that objectives are judged by.
const JUDGED: [Dist; 2] = [Dist::Ttft, Dist::Itl];

impl Catalogue {
    /// Names of which every engine that is known has one: how many requests it runs.
    pub fn witnesses(&self) -> Vec<String> {
        let mut names: Vec<String> = self
            .names
            .iter()
            .filter(|(_, key)| {
                let to = &self.routes[key.0 as usize].to;
                to.iter().any(|to| self.is_witness(to))
            })
            .map(|(name, _)| name.clone())
            .collect();
        names.sort_unstable();
        names
    }

    /// Names by which the systems of a role are known: of engines one each, of the others whatever is proof of them.
    pub fn witnesses_of(&self, role: Role) -> Vec<String> {
        if role == Role::Engine {
            return self.witnesses();
        }
        let mut names: Vec<String> = self
            .names
            .iter()
            .filter(|(name, key)| {
                let route = &self.routes[key.0 as usize];
                let mut systems = route.recognises.iter().filter(|d| self.dialects[**d].role == role);
                systems.any(|d| self.is_proof(name, route, *d))
            })
            .map(|(name, _)| name.clone())
            .collect();
        names.sort_unstable();
        names
    }

    /// The labels by which exporters of GPUs name a node, the surest first.
    pub fn node_labels(&self) -> Vec<String> {
        let mut labels: Vec<String> = Vec::new();
        let of_gpus = self.dialects.iter().filter(|d| d.role == Role::Gpus);
        for label in of_gpus.flat_map(|d| &d.gpu_labels.node) {
            if !labels.contains(label) {
                labels.push(label.clone());
            }
        }
        labels
    }

    /// What is wanted of the engines, gateways or GPUs that a witness is of.
    pub fn wanted(&self, witness: &str) -> Option<Wanted> {
        let route = &self.routes[self.names.get(witness)?.0 as usize];
        match route.to.iter().find(|to| self.is_witness(to)) {
            Some(proof) => Some(self.of_engines(route, proof)),
            None => Some(self.of_others(*route.recognises.iter().find(|d| self.dialects[**d].role != Role::Engine)?)),
        }
    }

    fn of_engines(&self, route: &Route, proof: &To) -> Wanted {
        let (dialect, prefix) = (self.slots[proof.slot].dialect, proof.prefix);
        // A family without the dialect's prefixes stands under the first of them, and under no other.
        let varied: BTreeSet<usize> =
            self.routes.iter().flat_map(|r| &r.to).filter(|to| to.prefix > 0).map(|to| to.slot).collect();
        let ours =
            |to: &&To| self.slots[to.slot].dialect == dialect && (to.prefix == prefix || !varied.contains(&to.slot));
        let mut wanted = Wanted::default();
        let mut labels: BTreeSet<&String> = BTreeSet::new();
        for (name, key) in &self.names {
            for to in self.routes[key.0 as usize].to.iter().filter(ours) {
                let slot = &self.slots[to.slot];
                match (to.part, slot.target) {
                    (Part::Bucket, Target::Dist(dist)) if JUDGED.contains(&dist) => wanted.buckets.push(name.clone()),
                    (Part::Bucket, _) => continue,
                    _ => wanted.scalars.push(name.clone()),
                }
                labels.extend(slot.only.keys().chain(slot.count_where.keys()).chain(&slot.from_labels));
            }
        }
        let known = &self.dialects[dialect];
        labels.extend(known.engine_labels.iter().chain(&known.rank_labels).chain(&known.model_labels));
        labels.extend(known.except.keys());
        let foreign = route.foreign.iter().flat_map(|(_, f)| [&f.with, &f.without]);
        labels.extend(foreign);
        wanted.system.clone_from(&known.system.engine);
        wanted.labels = labels.into_iter().filter(|l| *l != "le").cloned().collect();
        wanted.sorted()
    }

    /// Of a gateway or of GPUs, under all prefixes: which of them counts where there are several, the reader decides.
    fn of_others(&self, dialect: usize) -> Wanted {
        let known = &self.dialects[dialect];
        let mut wanted = Wanted { system: known.system.engine.clone(), ..Wanted::default() };
        let mut labels: BTreeSet<&String> = BTreeSet::new();
        for (name, key) in &self.names {
            let route = &self.routes[key.0 as usize];
            for to in route.to.iter().filter(|to| self.slots[to.slot].dialect == dialect) {
                let slot = &self.slots[to.slot];
                if to.part == Part::Bucket { &mut wanted.buckets } else { &mut wanted.scalars }.push(name.clone());
                labels.extend(slot.only.keys().chain(slot.count_where.keys()).chain(&slot.from_labels));
            }
            for slot in route.gpus.iter().map(|slot| &self.gpu_slots[*slot]).filter(|s| s.dialect == dialect) {
                wanted.scalars.push(name.clone());
                labels.extend(slot.only.keys());
            }
            let told = route.generations.iter().any(|(d, _)| *d == dialect);
            if told || self.is_proof(name, route, dialect) {
                wanted.scalars.push(name.clone());
            }
            labels.extend(route.foreign.iter().filter(|(d, _)| *d == dialect).flat_map(|(_, f)| [&f.with, &f.without]));
        }
        let gpus = &known.gpu_labels;
        labels.extend([&gpus.node, &gpus.index, &gpus.uuid, &gpus.pod, &gpus.product].into_iter().flatten());
        labels.extend(known.rank_labels.iter().chain(&known.engine_labels));
        let slices = &known.slices;
        let of_requests = [&slices.model, &slices.route, &slices.tenant, &slices.class, &known.model_labels];
        let of_requests: BTreeSet<&String> = of_requests.into_iter().chain([&known.pool_labels]).flatten().collect();
        wanted.slices = of_requests.into_iter().filter(|l| !labels.contains(l)).cloned().collect();
        wanted.except = known.except.iter().map(|(label, values)| (label.clone(), values.clone())).collect();
        wanted.nodes.clone_from(&gpus.node);
        wanted.labels = labels.into_iter().filter(|l| *l != "le").cloned().collect();
        wanted.sorted()
    }

    /// Whether a name that a dialect is recognised by can stand in a Prometheus: of a histogram that is read its count.
    fn is_proof(&self, name: &str, route: &Route, dialect: usize) -> bool {
        if !route.recognises.contains(&dialect) {
            return false;
        }
        let ours = |to: &&To| self.slots[to.slot].dialect == dialect;
        let read = |route: &Route, part: Part| route.to.iter().filter(ours).any(|to| to.part == part);
        let of_gpus = route.gpus.iter().any(|slot| self.gpu_slots[*slot].dialect == dialect);
        if of_gpus || read(route, Part::Value) || read(route, Part::Count) {
            return true;
        }
        let named = |name: &str| Some(&self.routes[self.names.get(name)?.0 as usize]);
        let part = |suffix: &&str| {
            let family = name.strip_suffix(*suffix).and_then(named);
            family.is_some_and(|r| r.recognises.contains(&dialect))
        };
        let histogram = named(&format!("{name}_count")).is_some_and(|r| read(r, Part::Count));
        !histogram && !["_bucket", "_sum", "_count"].iter().any(part)
    }

    fn is_witness(&self, to: &To) -> bool {
        let slot = &self.slots[to.slot];
        let engine = self.dialects[slot.dialect].role == Role::Engine && slot.dialect != self.adapter();
        engine && slot.target == Target::Gauge(Gauge::Running) && to.part == Part::Value
    }
}

impl Wanted {
    fn sorted(mut self) -> Self {
        for names in [&mut self.scalars, &mut self.buckets] {
            names.sort_unstable();
            names.dedup();
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_witness_proves_its_system_so_that_what_is_asked_for_can_be_read() {
        let catalogue = Catalogue::embedded(&[]).expect("dialects");
        let witnesses = catalogue.witnesses();
        for known in ["vllm:num_requests_running", "ray_vllm:num_requests_running", "sglang:num_running_reqs"] {
            assert!(witnesses.iter().any(|w| w == known), "{known} in {witnesses:?}");
        }
    }

    #[test]
    fn of_vllm_everything_is_wanted_under_one_prefix_and_buckets_of_latencies_alone() {
        let catalogue = Catalogue::embedded(&[]).expect("dialects");
        let wanted = catalogue.wanted("vllm:num_requests_running").expect("vLLM");
        assert!(wanted.scalars.iter().any(|n| n == "vllm:request_queue_time_seconds_sum"));
        assert!(wanted.scalars.iter().any(|n| n == "process_start_time_seconds"), "{:?}", wanted.scalars);
        assert!(
            wanted
                .scalars
                .iter()
                .all(|n| n.starts_with("vllm:") || n.starts_with("process_") || n.starts_with("http_"))
        );
        assert!(wanted.buckets.iter().any(|n| n == "vllm:time_to_first_token_seconds_bucket"));
        assert!(!wanted.buckets.iter().any(|n| n.contains("prompt_tokens")), "{:?}", wanted.buckets);
        for label in ["engine", "model_name", "handler", "status", "kv_cache_size_tokens"] {
            assert!(wanted.labels.iter().any(|l| l == label), "{label} in {:?}", wanted.labels);
        }
        assert!(!wanted.labels.iter().any(|l| l == "le"));
        assert_eq!(catalogue.wanted("nobody"), None);
    }

    #[test]
    fn every_gateway_and_every_exporter_has_proofs_by_which_all_that_is_read_of_it_is_found() {
        let catalogue = Catalogue::embedded(&[]).expect("dialects");
        for role in [Role::Gateway, Role::Gpus] {
            let witnesses = catalogue.witnesses_of(role);
            for dialect in catalogue.dialects.iter().filter(|d| d.role == role) {
                let system = &dialect.system.engine;
                let of = |w: &&String| catalogue.wanted(w).is_some_and(|wanted| wanted.system == *system);
                assert!(witnesses.iter().any(|w| of(&w)), "{system} in {witnesses:?}");
            }
            // A question for all of them still fits into a line of a request.
            assert!(witnesses.concat().len() < 5_000, "{}", witnesses.concat().len());
        }
    }

    #[test]
    fn of_envoy_what_is_read_is_wanted_and_the_administrators_ports_are_left_out_where_they_are() {
        let catalogue = Catalogue::embedded(&[]).expect("dialects");
        let wanted = catalogue.wanted("envoy_cluster_membership_healthy").expect("Envoy");
        assert_eq!(catalogue.wanted("istio_requests_total"), Some(wanted.clone()), "one system");
        for name in ["envoy_http_downstream_rq_time_sum", "istio_request_duration_milliseconds_count"] {
            assert!(wanted.scalars.iter().any(|n| n == name), "{name} in {:?}", wanted.scalars);
        }
        assert_eq!(wanted.buckets, Vec::<String>::new(), "nobody is promised what a gateway's whole answers take");
        assert!(wanted.labels.iter().any(|l| l == "reporter"));
        assert!(!wanted.labels.iter().any(|l| l == "envoy_cluster_name"), "clusters are added there: {wanted:?}");
        assert!(
            wanted.except.iter().any(|(l, values)| l == "envoy_cluster_name" && values.iter().any(|v| v == "agent"))
        );
        let first = catalogue.wanted("gen_ai_server_time_to_first_token_seconds_count").expect("AI Gateway");
        let until_first = |n: &String| n == "gen_ai_server_time_to_first_token_seconds_bucket";
        assert!(first.buckets.iter().any(until_first), "{:?}", first.buckets);
        assert!(!first.buckets.iter().any(|n| n.contains("request_duration")), "{:?}", first.buckets);
        assert!(first.slices.iter().any(|l| l == "gen_ai_original_model"), "{:?}", first.slices);
    }

    #[test]
    fn of_gpus_both_generations_of_names_are_wanted_with_who_holds_them() {
        let catalogue = Catalogue::embedded(&[]).expect("dialects");
        let wanted = catalogue.wanted("DCGM_FI_DEV_SM_CLOCK").expect("DCGM");
        assert_eq!(catalogue.wanted("DCGM_FI_DEV_SM_CLOCK_HERTZ"), Some(wanted.clone()));
        for name in ["DCGM_FI_DEV_XID_ERRORS", "DCGM_FI_DEV_CLOCKS_EVENT_REASON_HW_THERM_SLOWDOWN_NS"] {
            assert!(wanted.scalars.iter().any(|n| n == name), "{name} in {:?}", wanted.scalars);
        }
        for label in ["gpu", "UUID", "Hostname", "exported_pod", "pod", "modelName"] {
            assert!(wanted.labels.iter().any(|l| l == label), "{label} in {:?}", wanted.labels);
        }
        assert_eq!(wanted.nodes, ["hostname", "Hostname", "node"]);
        assert!(catalogue.node_labels().starts_with(&wanted.nodes));
    }
}
