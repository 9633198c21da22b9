//! One system's series as somebody has them: what is asked for in every refresh, and whose each sample is.

use std::collections::{BTreeMap, BTreeSet};

use super::super::Query;
use super::super::answer::Series;
use super::super::asked::{literal, quoted, selector};
use super::{Member, Names, Sample, instant};
use crate::domain::{At, Failure};

/// The samples of one moment are complete a little later where they are sent on to somebody (s).
const LATER_S: f64 = 2.0;

/// What was found out about one system's series.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Known {
    /// Its matchers, without braces.
    pub(super) inner: String,
    /// The label that has the namespace, where the matchers leave that open.
    pub(super) space: Option<&'static str>,
    /// The label that has the pod's name, or the node's.
    pub(super) of: String,
    /// The pods or nodes whose series these are, with their namespaces; `None`: all that the matchers choose.
    pub(super) members: Option<BTreeSet<(Option<String>, String)>>,
    /// The names by which it was found.
    pub(super) witness: Vec<String>,
    pub(super) names: Names,
    /// The bounds that are asked for, as their labels spell them; empty: all.
    pub(super) bounds: Vec<String>,
    /// Buckets of a member's family at a bound that not all of its series have: whose, name, bound. A sum of them would be none.
    pub(super) uneven: BTreeSet<[String; 4]>,
    /// How often somebody scrapes (s).
    pub(super) every_s: f64,
    /// What is left out of the answers, in words.
    pub(super) limits: Vec<String>,
}

/// One refresh.
#[derive(Debug)]
pub(super) struct Refreshed {
    /// The samples of one moment.
    pub(super) samples: Vec<Series>,
    /// When each was scraped (unix s), by namespace and pod or node.
    pub(super) stamps: BTreeMap<(String, String), f64>,
    /// What was warned of.
    pub(super) warnings: Vec<String>,
}

impl Known {
    /// Whether a member's series are among these.
    pub(super) fn has(&self, member: &Member) -> bool {
        let key = || (member.namespace.clone(), member.of.clone());
        self.members.as_ref().is_none_or(|members| members.contains(&key()))
    }

    /// A member's namespace, where it is told apart by that, and its pod or node.
    pub(super) fn key<'m>(&self, member: &'m Member) -> (&'m str, &'m str) {
        let space = self.space.and(member.namespace.as_deref()).unwrap_or_default();
        (space, &member.of)
    }

    pub(super) fn key_owned(&self, member: &Member) -> (String, String) {
        let (space, of) = self.key(member);
        (space.to_owned(), of.to_owned())
    }

    /// The same of a sample.
    pub(super) fn key_of<'s>(&self, one: &'s Series) -> (&'s str, &'s str) {
        let space = self.space.and_then(|label| one.label(label)).unwrap_or_default();
        (space, one.label(&self.of).unwrap_or_default())
    }

    /// The matchers of a member's series.
    pub(super) fn chosen(&self, member: &Member) -> String {
        let of = format!("{}={}", self.of, quoted(&member.of));
        match (self.space, &member.namespace) {
            (Some(label), Some(namespace)) => format!("{label}={},{of}", quoted(namespace)),
            _ => of,
        }
    }

    /// Whether the holders of GPUs stand in a label of their own, because `pod` is who tells of them.
    pub(super) fn exports_holders(&self, samples: &[Series]) -> bool {
        !self.names.nodes.is_empty() && samples.iter().any(|s| s.label("exported_pod").is_some())
    }

    /// A sample as it stands on a page. Of GPUs, the node is the one by whose name they were chosen, and who tells of a GPU does
    /// not hold it: where labels of the exporter were kept, a GPU that nobody holds has the exporter's own pod.
    pub(super) fn sample(&self, one: Series, exported: bool, member: &Member) -> Sample {
        let value = one.value;
        let mut labels = one.into_labels();
        if !self.names.nodes.is_empty() {
            labels.retain(|label, _| *label == self.of || !self.names.nodes.contains(label));
            let teller = labels.get("pod").is_some_and(|pod| exported || Some(pod) == member.teller.as_ref());
            if teller {
                labels.remove("pod");
            }
        }
        Sample { labels, value }
    }

    /// What is left out of the answers: by the limits, and by those that warned of it.
    pub(super) fn left_out(&self, warnings: &[String]) -> Option<String> {
        let warned = warnings.iter().map(|w| format!("Prometheus warns: {w}"));
        let all: Vec<String> = self.limits.iter().cloned().chain(warned).collect();
        (!all.is_empty()).then(|| all.join("; "))
    }

    /// Its samples as they are now.
    pub(super) async fn refresh<Q: Query>(&self, query: &Q, now: At) -> Result<Refreshed, Failure> {
        let at = now.plus(-LATER_S);
        let (mut samples, mut warnings) = (Vec::new(), Vec::new());
        for promql in self.questions() {
            let (series, warned) = instant(query, &promql, at).await?;
            samples.extend(series);
            warnings.extend(warned);
        }
        samples.retain(|one| !self.is_uneven(one));
        let (stamps, _) = instant(query, &self.stamps(), at).await?;
        let stamps = stamps.iter().filter(|s| s.value.is_finite()).map(|s| {
            let (space, of) = self.key_of(s);
            ((space.to_owned(), of.to_owned()), s.value)
        });
        warnings.sort_unstable();
        warnings.dedup();
        Ok(Refreshed { samples, stamps: stamps.collect(), warnings })
    }

    fn is_uneven(&self, one: &Series) -> bool {
        !self.uneven.is_empty() && self.bound_of(one).is_some_and(|bound| self.uneven.contains(&bound))
    }

    /// Whose bucket it is, of which name and at which bound.
    pub(super) fn bound_of(&self, one: &Series) -> Option<[String; 4]> {
        let ((space, of), name, le) = (self.key_of(one), one.label("__name__")?, one.label("le")?);
        Some([space, of, name, le].map(str::to_owned))
    }

    /// The labels by which members are told apart.
    pub(super) fn keys(&self) -> String {
        self.space.map_or_else(|| self.of.clone(), |space| format!("{space},{}", self.of))
    }

    /// For the values, and for the buckets.
    pub(super) fn questions(&self) -> Vec<String> {
        let mut questions = vec![self.values()];
        if !self.names.buckets.is_empty() {
            let kept: Vec<String> = self.bounds.iter().map(|b| literal(b)).collect();
            let le = if kept.is_empty() { String::new() } else { format!(",le=~{}", quoted(&kept.join("|"))) };
            questions.push(self.added(&self.names.buckets, &le, ",le"));
        }
        questions
    }

    /// For the values alone.
    pub(super) fn values(&self) -> String {
        self.added(&self.names.scalars, "", "")
    }

    /// What several series say of one thing, added: of a GPU they say the same, as the instances of one that is partitioned do,
    /// and the highest stands.
    fn added(&self, names: &[String], more: &str, le: &str) -> String {
        let how = if self.names.nodes.is_empty() { "sum" } else { "max" };
        let keys = self.keys();
        let labels = self.names.labels.iter().chain(&self.names.slices).filter(|l| **l != self.of);
        let labels: String = labels.flat_map(|l| [",", l]).collect();
        format!("{how} by (__name__,{keys}{le}{labels})({})", selector(names, &format!("{}{more}", self.inner)))
    }

    /// When samples were taken. A moment has no name: those of several names stand beside each other only by `or`.
    pub(super) fn stamps(&self) -> String {
        let taken = |name| format!("timestamp({})", selector(std::slice::from_ref(name), &self.inner));
        let taken: Vec<String> = self.witness.iter().map(taken).collect();
        format!("max by ({})({})", self.keys(), taken.join(" or "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_choose_by_name_and_keep_the_labels_that_pages_are_read_by() {
        let known = Known {
            inner: "namespace=\"llm\",pod=~\"v-.*\",job=\"a\"".to_owned(),
            of: "pod".to_owned(),
            witness: vec!["vllm:num_requests_running".to_owned()],
            names: Names {
                scalars: vec!["vllm:a".to_owned(), "b".to_owned()],
                buckets: vec!["vllm:c_bucket".to_owned()],
                labels: vec!["engine".to_owned()],
                ..Names::default()
            },
            bounds: vec!["0.5".to_owned()],
            every_s: 15.0,
            ..Known::default()
        };
        assert_eq!(
            known.questions(),
            [
                r#"sum by (__name__,pod,engine)({__name__=~"vllm:a|b",namespace="llm",pod=~"v-.*",job="a"})"#,
                r#"sum by (__name__,pod,le,engine)({__name__=~"vllm:c_bucket",namespace="llm",pod=~"v-.*",job="a",le=~"0\\.5"})"#,
            ]
        );
        assert!(known.stamps().starts_with("max by (pod)(timestamp({__name__=~"));
    }

    fn gpu(labels: &[(&str, &str)], exported: bool) -> BTreeMap<String, String> {
        let nodes = ["hostname", "Hostname", "node"].map(str::to_owned).to_vec();
        let known = Known { of: "node".to_owned(), names: Names { nodes, ..Names::default() }, ..Known::default() };
        let labels: Vec<String> = labels.iter().map(|(k, v)| format!("\"{k}\":\"{v}\"")).collect();
        let body = format!(
            r#"{{"status":"success","data":{{"resultType":"vector","result":[{{"metric":{{{}}},"value":[1,"1"]}}]}}}}"#,
            labels.join(",")
        );
        let (mut series, _) = super::super::super::answer::read(200, body.as_bytes()).expect("series");
        let member = Member {
            name: "GPUs of n".into(),
            role: crate::domain::Role::Gpus,
            namespace: None,
            of: "n".to_owned(),
            teller: Some("dcgm-x".to_owned()),
        };
        known.sample(series.remove(0), exported, &member).labels
    }

    #[test]
    fn who_tells_of_a_gpu_does_not_hold_it_and_its_node_is_the_one_that_was_asked_for() {
        let pod = |labels: &[(&str, &str)], exported| gpu(labels, exported).get("pod").cloned();
        assert_eq!(pod(&[("pod", "vllm-0")], false).as_deref(), Some("vllm-0"), "its own labels win");
        assert_eq!(pod(&[("pod", "dcgm-x")], false), None, "and nobody holds it");
        assert_eq!(pod(&[("pod", "dcgm-y"), ("exported_pod", "vllm-0")], true), None);
        let labels = gpu(&[("node", "n"), ("Hostname", "dcgm-x"), ("gpu", "0")], false);
        assert_eq!(labels.keys().map(String::as_str).collect::<Vec<_>>(), ["gpu", "node"]);
    }

    #[test]
    fn of_gpus_the_highest_stands_and_moments_of_several_names_stand_beside_each_other() {
        let known = Known {
            inner: "Hostname=~\"n\"".to_owned(),
            of: "Hostname".to_owned(),
            witness: vec!["a".to_owned(), "b".to_owned()],
            names: Names {
                scalars: vec!["a".to_owned()],
                labels: vec!["Hostname".to_owned(), "gpu".to_owned()],
                nodes: vec!["Hostname".to_owned()],
                ..Names::default()
            },
            ..Known::default()
        };
        assert_eq!(known.questions(), [r#"max by (__name__,Hostname,gpu)({__name__=~"a",Hostname=~"n"})"#]);
        let stamps = r#"max by (Hostname)(timestamp({__name__=~"a",Hostname=~"n"}) or timestamp({__name__=~"b",Hostname=~"n"}))"#;
        assert_eq!(known.stamps(), stamps);
    }
}
