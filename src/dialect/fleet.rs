//! What of many pages of one system is worth asking a Prometheus for, in one selection: names and labels. Everything that
//! the reader would use, but of the buckets only those of the latencies that objectives are about.

use std::collections::BTreeSet;

use super::catalogue::{Catalogue, Part, Target, To};
use crate::domain::{Dist, Gauge, Role};

/// The series of one system's engines.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wanted {
    /// Names of gauges and counters, and of the sums and counts of histograms.
    pub scalars: Vec<String>,
    /// Names of buckets.
    pub buckets: Vec<String>,
    /// Labels by which samples are told apart or chosen, beside `le`.
    pub labels: Vec<String>,
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

    /// What is wanted of the engines that a witness is of.
    pub fn wanted(&self, witness: &str) -> Option<Wanted> {
        let route = &self.routes[self.names.get(witness)?.0 as usize];
        let proof = route.to.iter().find(|to| self.is_witness(to))?;
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
        wanted.labels = labels.into_iter().filter(|l| *l != "le").cloned().collect();
        for names in [&mut wanted.scalars, &mut wanted.buckets] {
            names.sort_unstable();
            names.dedup();
        }
        Some(wanted)
    }

    fn is_witness(&self, to: &To) -> bool {
        let slot = &self.slots[to.slot];
        let engine = self.dialects[slot.dialect].role == Role::Engine && slot.dialect != self.adapter();
        engine && slot.target == Target::Gauge(Gauge::Running) && to.part == Part::Value
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
}
