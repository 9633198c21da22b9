//! Whoever has the series of a fleet, and how they are labelled and how many they are.

use std::collections::{BTreeMap, BTreeSet};

use super::super::asked::{literal, quoted, selector};
use super::super::{Query, Whom};
use super::known::Known;
use super::{Fleet, Member, Names, Reads, Whose, instant};
use crate::domain::{At, Failure, Untold};

/// Samples of latencies' buckets in one answer: with 184 bytes each some 9 MB, which is all buckets of 1,000 replicas.
const MOST_BUCKETS: f64 = 48_000.0;
/// Samples of values in one answer, beyond which a gateway's requests are not told apart any more.
const MOST_VALUES: f64 = 48_000.0;
/// Bounds of one latency that are kept at the least.
const LEAST_BOUNDS: usize = 5;
/// Over so long it is counted how often somebody scrapes (s).
const COUNTED_S: f64 = 300.0;
/// Pods or nodes in one question: some 5 kB of its line.
const EACH: usize = 128;
/// Questions that a fleet is spread over at the most: the GPUs of 1,024 nodes.
const MOST_QUESTIONS: usize = 8;
/// The most members that are asked for.
pub(super) const MOST: usize = EACH * MOST_QUESTIONS;
/// Where the names of a pod stand: where series are scraped of it, and where its own labels had to make room.
const PODS: [(&str, &str); 2] = [("namespace", "pod"), ("exported_namespace", "exported_pod")];

/// A system, and the job that scrapes it.
type Job = (String, String);
/// How many series there are, and under which names.
type Vote = (f64, BTreeSet<String>);

/// The series of one system in one job, and whose they are.
#[derive(Debug, Default)]
struct Group {
    members: BTreeSet<(Option<String>, String)>,
    witness: BTreeSet<String>,
}

impl<W: Whom, R: Reads> Fleet<W, R> {
    /// Finds whoever has the fleet's series, and how they are labelled.
    pub(super) async fn look(&mut self, wanted: &[Member], now: At) -> Result<(W::Asks, Vec<Known>), String> {
        let (query, _) = self.whom.find(&self.asked).await.map_err(|Untold { why, .. }| why)?;
        let groups = match &self.whose {
            Whose::Workload => vec![self.workload(&query, now).await?],
            Whose::Pods { witness } => {
                let ways = PODS.map(|(space, of)| (Some(space), of.to_owned()));
                self.members(&query, &ways, witness, wanted, now).await?
            }
            Whose::Nodes { witness, labels } => {
                let ways: Vec<_> = labels.iter().map(|label| (None, label.clone())).collect();
                self.members(&query, &ways, witness, wanted, now).await?
            }
        };
        Ok((query, groups))
    }

    /// The workload's engines.
    async fn workload(&self, query: &W::Asks, now: At) -> Result<Known, String> {
        let of_pods = self.asked.choices().into_iter().filter(|choice| choice.contains("pod=~"));
        for choice in of_pods {
            let inner = choice.trim_matches(['{', '}']).to_owned();
            let promql = format!("count by (__name__,job)({})", selector(&self.asked.witness, &inner));
            let series = instant(query, &promql, now).await.map_err(|f| f.to_string())?.0;
            let Some(best) = series.iter().max_by(|a, b| a.value.total_cmp(&b.value)) else { continue };
            let witness = best.label("__name__").unwrap_or_default().to_owned();
            let Some(names) = self.reads.names(&witness) else { continue };
            // Pods that two jobs scrape would count twice.
            let job = best.label("job").map_or(String::new(), |job| format!(",job={}", quoted(job)));
            let inner = format!("{inner}{job}");
            let pod = if choice.contains("exported_pod") { "exported_pod" } else { "pod" };
            let known = Known { inner, of: pod.to_owned(), witness: vec![witness], names, ..Known::default() };
            return self.sized(query, known, now).await.map_err(|f| f.to_string());
        }
        Err(format!("no series of an engine's pods under {}", self.asked.choices().join(" or ")))
    }

    /// The members' series by the first of the ways to choose them that finds any: the labels of the namespace and of the pod,
    /// or of the node.
    async fn members(
        &self,
        query: &W::Asks,
        ways: &[(Option<&'static str>, String)],
        witness: &[String],
        wanted: &[Member],
        now: At,
    ) -> Result<Vec<Known>, String> {
        let said = |failure: Failure| failure.to_string();
        for (space, of) in ways {
            let mut all = Vec::new();
            for some in wanted.chunks(EACH).take(MOST_QUESTIONS) {
                let inner = chosen(*space, of, some.iter());
                let keys = space.map_or_else(|| of.clone(), |space| format!("{space},{of}"));
                let promql = format!("count by (__name__,{keys},job)({})", selector(witness, &inner));
                let (series, _) = instant(query, &promql, now).await.map_err(said)?;
                let mut names: BTreeMap<String, Names> = BTreeMap::new();
                // Of each member: how many series it has of each system in each job, and under which names.
                let mut votes: BTreeMap<(&str, &str), BTreeMap<Job, Vote>> = BTreeMap::new();
                for one in &series {
                    let name = one.label("__name__").unwrap_or_default();
                    let Some(read) = self.reads.names(name) else { continue };
                    let key = (space.and_then(|s| one.label(s)).unwrap_or_default(), one.label(of).unwrap_or_default());
                    let job = one.label("job").unwrap_or_default().to_owned();
                    let vote = votes.entry(key).or_default().entry((read.system.clone(), job)).or_default();
                    vote.0 += one.value;
                    vote.1.insert(name.to_owned());
                    names.entry(read.system.clone()).or_insert(read);
                }
                let mut groups: BTreeMap<Job, Group> = BTreeMap::new();
                for member in some {
                    let key = (space.and(member.namespace.as_deref()).unwrap_or_default(), member.of.as_str());
                    // A pod whose containers speak several systems, or that two jobs scrape, is one page: the one that says most.
                    let best = votes.get(&key).and_then(|v| v.iter().max_by(|a, b| a.1.0.total_cmp(&b.1.0)));
                    let Some((system, (_, witness))) = best else { continue };
                    let group = groups.entry(system.clone()).or_default();
                    group.members.insert((member.namespace.clone(), member.of.clone()));
                    group.witness.extend(witness.iter().cloned());
                }
                for ((system, job), Group { members, witness }) in groups {
                    let Some(names) = names.get(&system) else { continue };
                    let theirs = some.iter().filter(|m| members.contains(&(m.namespace.clone(), m.of.clone())));
                    let except = names.except.iter().map(|(label, values)| {
                        let values: Vec<String> = values.iter().map(|v| literal(v)).collect();
                        format!(",{label}!~{}", quoted(&values.join("|")))
                    });
                    let inner =
                        format!("{},job={}{}", chosen(*space, of, theirs), quoted(&job), except.collect::<String>());
                    let (witness, names) = (witness.into_iter().collect(), names.clone());
                    let (space, of, members) = (*space, of.clone(), Some(members));
                    let known = Known { inner, space, of, members, witness, names, ..Known::default() };
                    all.push(self.sized(query, known, now).await.map_err(said)?);
                }
            }
            if !all.is_empty() {
                return Ok(all);
            }
        }
        let labels: Vec<&str> = ways.iter().map(|(_, of)| of.as_str()).collect();
        let what = if matches!(self.whose, Whose::Nodes { .. }) { "GPUs whose node is" } else { "pods whose name is" };
        Err(format!("no series of {what} the label {}", labels.join(" or ")))
    }

    /// With how often it is scraped, and no more of it than fits into answers.
    async fn sized(&self, query: &W::Asks, mut known: Known, now: At) -> Result<Known, Failure> {
        if !known.names.slices.is_empty() {
            let (series, _) = instant(query, &format!("count({})", known.values()), now).await?;
            let count = series.first().map_or(0.0, |s| s.value);
            if count > MOST_VALUES {
                known.names.slices.clear();
                known.limits.push(format!("whose requests they are is left out: that were {count:.0} series"));
            }
        }
        self.bounded(query, &mut known, now).await?;
        known.every_s = every_s(query, &known, now).await?;
        Ok(known)
    }

    /// The bounds of the latencies' buckets, fewer of them where there are too many series: those beside the targets, and of
    /// the others every so many. One that not all series of a family have cannot be added.
    async fn bounded(&self, query: &W::Asks, known: &mut Known, now: At) -> Result<(), Failure> {
        if known.names.buckets.is_empty() {
            return Ok(());
        }
        // The workload's engines are told apart by their labels, and each has bounds of its own.
        let each = if self.whose == Whose::Workload { String::new() } else { format!("__name__,{},", known.keys()) };
        let promql = format!("count by ({each}le)({})", selector(&known.names.buckets, &known.inner));
        let (series, _) = instant(query, &promql, now).await?;
        let mut spelled: BTreeMap<&str, f64> = BTreeMap::new();
        let mut most: BTreeMap<[String; 3], f64> = BTreeMap::new();
        for one in &series {
            if let Some(le) = one.label("le") {
                *spelled.entry(le).or_default() += one.value;
            }
            if let Some([space, of, name, _]) = known.bound_of(one) {
                let most = most.entry([space, of, name]).or_default();
                *most = most.max(one.value);
            }
        }
        known.bounds = kept(spelled.iter().map(|(le, count)| (*le, *count)), &self.targets);
        if !known.bounds.is_empty() {
            let (kept, all) = (known.bounds.len(), spelled.len());
            known.limits.push(format!(
                "of {all} bounds of its latencies {kept} are asked for, those beside the targets among them"
            ));
        }
        let uneven = series.iter().filter_map(|one| {
            let [space, of, name, le] = known.bound_of(one)?;
            let fewer = one.value < *most.get(&[space.clone(), of.clone(), name.clone()])?;
            fewer.then_some([space, of, name, le])
        });
        let uneven = uneven.collect();
        known.uneven = uneven;
        Ok(())
    }
}

/// The matchers of these members.
fn chosen<'m>(space: Option<&str>, of: &str, members: impl Iterator<Item = &'m Member>) -> String {
    let (mut spaces, mut all) = (BTreeSet::new(), BTreeSet::new());
    for member in members {
        spaces.extend(member.namespace.as_deref().map(literal));
        all.insert(literal(&member.of));
    }
    let any = |names: BTreeSet<String>| quoted(&names.into_iter().collect::<Vec<_>>().join("|"));
    let namespaces = space.map_or(String::new(), |label| format!("{label}=~{},", any(spaces)));
    format!("{namespaces}{of}=~{}", any(all))
}

/// How often the fleet is scraped (s): by how many samples its series have.
async fn every_s<Q: Query>(query: &Q, known: &Known, now: At) -> Result<f64, Failure> {
    let counted =
        |name| format!("count_over_time({}[{COUNTED_S:.0}s])", selector(std::slice::from_ref(name), &known.inner));
    let counted: Vec<String> = known.witness.iter().take(1).map(counted).collect();
    let (series, _) = instant(query, &format!("max({})", counted.concat()), now).await?;
    let count = series.first().map_or(0.0, |s| s.value);
    Ok(if count >= 1.0 { (COUNTED_S / count).max(1.0) } else { COUNTED_S })
}

/// Of bounds, as their labels spell them and with how many series each has, those that are asked for: nothing where all are.
fn kept<'a>(spelled: impl Iterator<Item = (&'a str, f64)>, targets: &[f64]) -> Vec<String> {
    let mut samples = 0.0;
    let mut all: Vec<(f64, &str)> = Vec::new();
    for (le, series) in spelled {
        samples += series.max(0.0);
        all.extend(le.parse().ok().map(|bound: f64| (bound, le)));
    }
    if samples <= MOST_BUCKETS {
        return Vec::new();
    }
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part of the bounds")]
    let room = ((all.len() as f64 * MOST_BUCKETS / samples) as usize).max(LEAST_BOUNDS);
    let beside = |target: &f64| {
        let above = all.partition_point(|(bound, _)| *bound < target * (1.0 - 1e-9));
        let exact = all.get(above).is_some_and(|(bound, _)| (bound - target).abs() <= 1e-9 * target);
        [Some(above), above.checked_sub(1).filter(|_| !exact)]
    };
    let mut chosen: BTreeSet<usize> = targets.iter().flat_map(beside).flatten().filter(|i| *i < all.len()).collect();
    chosen.insert(all.len() - 1);
    let step = all.len().div_ceil(room.saturating_sub(chosen.len()).max(1));
    chosen.extend((0..all.len()).step_by(step));
    chosen.into_iter().map(|i| all[i].1.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_fleet_keeps_all_bounds_and_a_large_one_those_beside_the_targets() {
        let spelled: Vec<String> = (1..=40).map(|i| format!("{i}.0")).chain(["+Inf".to_owned()]).collect();
        let of = |series: f64| kept(spelled.iter().map(|le| (le.as_str(), series)), &[7.5, 20.0]);
        assert_eq!(of(1000.0), Vec::<String>::new(), "all");
        let few = of(8000.0);
        for bound in ["7.0", "8.0", "20.0", "+Inf", "1.0"] {
            assert!(few.iter().any(|b| b == bound), "{bound} in {few:?}");
        }
        assert!(few.len() < 12, "{few:?}");
    }
}
