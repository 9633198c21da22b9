//! Which part an engine has in a disaggregated deployment, as its declaration says, and by what that is known; and which
//! pods are of the other pool of the same deployment.

use std::collections::BTreeMap;

use serde_json::Value;

use super::json::{NAME, controller, label, name, text};
use super::template::{is_engine, metrics_port, template};
use crate::domain::{Container, Pool, Template};

/// Labels that name it, from the charts and controllers that set them: llm-d's model service and `KServe`'s
/// `LLMInferenceService` (the first), Dynamo's operator, SGLang's `RoleBasedGroup` by its older and its newer name, `AIBrix`'
/// `StormService`, the `DisaggregatedSet` of `LeaderWorkerSet`.
const LABELS: [&str; 10] = [
    "llm-d.ai/role",
    "nvidia.com/dynamo-sub-component-type",
    "nvidia.com/dynamo-component-type",
    "nvidia.com/dynamo-component",
    "rolebasedgroup.workloads.x-k8s.io/role",
    "rbg.workloads.x-k8s.io/role-name",
    "role-name",
    "disaggregatedset.x-k8s.io/role",
    "app.kubernetes.io/component",
    "role",
];

/// Flags that name it: SGLang's (and Dynamo's for SGLang and TensorRT-LLM).
const FLAGS: [&str; 1] = ["--disaggregation-mode"];

/// The pool of a pod, or of a template, and by what it is known.
pub(super) fn of(object: &Value, template: &Template) -> Option<(Pool, String)> {
    let labels = &object["metadata"]["labels"];
    let label = |key: &str| {
        let word = labels[key].as_str()?;
        // llm-d's `both`, and Dynamo's `worker`, name neither; what is said there settles it against a name.
        Some((Pool::named_by(word), format!("label {key}")))
    };
    let by_label = LABELS.iter().filter_map(|key| label(key)).find_map(|(pool, by)| Some((pool?, by)));
    if by_label.is_some() || labels["llm-d.ai/role"] == "both" {
        return by_label;
    }
    let engine = template.engine();
    engine.and_then(by_flags).or_else(|| engine.and_then(by_env)).or_else(|| by_name(object))
}

fn by_flags(engine: &Container) -> Option<(Pool, String)> {
    let named = |flag: &&str| Some((Pool::named_by(&engine.flag(flag)?)?, format!("flag {flag}")));
    FLAGS.iter().find_map(named).or_else(|| transfer(engine)).or_else(|| {
        let flag = "--is-prefill-worker";
        engine.flag(flag).filter(|value| value != "false").map(|_| (Pool::Prefill, format!("flag {flag}")))
    })
}

/// vLLM's connector, in JSON or field by field. A producer computes prompts and hands them over. Most connectors are run as
/// `kv_both` on either side, which says nothing.
fn transfer(engine: &Container) -> Option<(Pool, String)> {
    const FLAG: &str = "--kv-transfer-config";
    let role = |value: &str| match value {
        "kv_producer" => Some(Pool::Prefill),
        "kv_consumer" => Some(Pool::Decode),
        _ => None,
    };
    let json = || {
        let config: Value = serde_json::from_str(&engine.flag(FLAG)?).ok()?;
        role(config["kv_role"].as_str()?)
    };
    let field = || role(&engine.flag("--kv-transfer-config.kv_role")?);
    json().or_else(field).map(|pool| (pool, format!("flag {FLAG}")))
}

/// `LMCache` over NIXL: who sends has computed.
fn by_env(engine: &Container) -> Option<(Pool, String)> {
    const NAME: &str = "LMCACHE_NIXL_ROLE";
    let (_, value) = engine.env.iter().find(|(name, _)| name == NAME)?;
    let pool = match value.as_str() {
        "sender" | "producer" => Pool::Prefill,
        "receiver" | "consumer" => Pool::Decode,
        _ => return None,
    };
    Some((pool, format!("variable {NAME}")))
}

/// By a whole word of its name, or of its owner's: `vllm-prefill`, and not a model that is called a decoder.
fn by_name(object: &Value) -> Option<(Pool, String)> {
    let owner = controller(object).and_then(|o| o["name"].as_str()).unwrap_or_default().to_owned();
    let words = [owner, name(object)];
    let named = |text: &String| {
        let mut pools = text.split(['-', '.']).filter_map(|word| match word {
            "prefill" | "prefiller" => Some(Pool::Prefill),
            "decode" | "decoder" => Some(Pool::Decode),
            _ => None,
        });
        let first = pools.next()?;
        pools.all(|p| p == first).then(|| (first, "name".to_owned()))
    };
    words.iter().find_map(named)
}

/// Labels whose value both pools of one deployment have, from those who set them: llm-d, `KServe`, Dynamo's operator,
/// `RoleBasedGroup` by its older and its newer name, `DisaggregatedSet`.
const TIES: [&str; 7] = [
    "llm-d.ai/model",
    "nvidia.com/dynamo-graph-deployment-name",
    "nvidia.com/dynamo-namespace",
    "rolebasedgroup.workloads.x-k8s.io/name",
    "rbg.workloads.x-k8s.io/group-name",
    "disaggregatedset.x-k8s.io/name",
    // KServe's name of an LLMInferenceService, beside `app.kubernetes.io/part-of`.
    "app.kubernetes.io/name",
];

/// A workload of one pool, and by what the other pool's pods are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kin {
    /// Its own pool.
    pub pool: Pool,
    /// The label that both pools have, and its value.
    pub tie: Option<(&'static str, String)>,
    /// Its name with a gap where the pool's word stands: `vllm-*`.
    pattern: Option<String>,
    labels: BTreeMap<String, String>,
}

/// An engine of the other pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sibling {
    /// Its pool.
    pub pool: Pool,
    /// The workload that it belongs to, as `deploy/x`.
    pub workload: Option<String>,
    /// The port of its page.
    pub port: Option<u16>,
}

impl Kin {
    /// Of a Deployment or StatefulSet; nothing where it has no part that is known.
    pub fn of(workload: &Value) -> Option<Self> {
        let raw = &workload["spec"]["template"];
        let (pool, _) = of(raw, &template(raw)).or_else(|| by_name(workload))?;
        let labels = &raw["metadata"]["labels"];
        let tie = TIES.iter().find_map(|key| {
            let known =
                *key != "app.kubernetes.io/name" || labels["app.kubernetes.io/part-of"] == "llminferenceservice";
            labels[*key].as_str().filter(|_| known).map(|value| (*key, value.to_owned()))
        });
        let labels = labels.as_object().into_iter().flatten();
        let labels = labels.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect();
        Some(Self { pool, tie, pattern: pattern(&name(workload)), labels })
    }

    /// What this pod is of the other pool, where it is an engine of it at all.
    pub fn other(&self, pod: &Value) -> Option<Sibling> {
        let made = template(pod);
        let (pool, _) = of(pod, &made).filter(|(pool, _)| *pool != self.pool && is_engine(&made))?;
        // Of the pods of a group that serves one model, the first has the page.
        let alone = label(pod, "leaderworkerset.sigs.k8s.io/worker-index").is_none_or(|index| index == "0");
        alone.then(|| Sibling { pool, workload: workload_of(pod), port: metrics_port(pod, &made) })
    }

    /// By what this pod belongs to the same deployment: a label that both have, or names that differ in the pool's word.
    pub fn tied(&self, pod: &Value) -> Option<String> {
        if let Some((key, value)) = &self.tie {
            return (label(pod, key) == Some(value)).then(|| format!("label {key}"));
        }
        let workload = workload_of(pod)?;
        let bare = workload.split_once('/').map_or(workload.as_str(), |(_, bare)| bare);
        (self.pattern.is_some() && pattern(bare) == self.pattern).then(|| "name".to_owned())
    }

    /// The labels of its own pods.
    pub fn labels(&self) -> &BTreeMap<String, String> {
        &self.labels
    }
}

/// A name with a gap where the pool's word stands; nothing where it has none.
fn pattern(name: &str) -> Option<String> {
    let is_word = |word: &str| matches!(word, "prefill" | "prefiller" | "decode" | "decoder");
    let words: Vec<&str> = name.split('-').map(|word| if is_word(word) { "*" } else { word }).collect();
    words.contains(&"*").then(|| words.join("-"))
}

/// The workload that a pod belongs to, as it would be typed.
fn workload_of(pod: &Value) -> Option<String> {
    if let Some(set) = label(pod, "leaderworkerset.sigs.k8s.io/name") {
        return Some(format!("lws/{}", crate::text::clean(set, NAME)));
    }
    let owner = controller(pod)?;
    let (kind, called) = (text(&owner["kind"], NAME), text(&owner["name"], NAME));
    Some(match kind.as_str() {
        "ReplicaSet" => {
            let hash = label(pod, "pod-template-hash").unwrap_or_default();
            let bare = called.strip_suffix(hash).and_then(|bare| bare.strip_suffix('-')).filter(|_| !hash.is_empty());
            format!("deploy/{}", bare.unwrap_or(&called))
        }
        "StatefulSet" => format!("sts/{called}"),
        _ => format!("{kind}/{called}"),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::template::template;
    use super::*;

    fn of(labels: &Value, args: &[&str]) -> Option<(Pool, String)> {
        named("vllm-0", labels, args)
    }

    fn named(name: &str, labels: &Value, args: &[&str]) -> Option<(Pool, String)> {
        let pod = json!({"metadata": {"name": name, "labels": labels},
                         "spec": {"containers": [{"name": "e", "image": "vllm/vllm-openai", "args": args}]}});
        super::of(&pod, &template(&pod))
    }

    fn by(pool: Pool, by: &str) -> (Pool, String) {
        (pool, by.to_owned())
    }

    #[test]
    fn labels_of_those_who_run_pools_name_the_part() {
        for (key, word, pool) in [
            ("llm-d.ai/role", "prefill", Pool::Prefill),
            ("llm-d.ai/role", "decode", Pool::Decode),
            ("nvidia.com/dynamo-sub-component-type", "prefill", Pool::Prefill),
            ("nvidia.com/dynamo-component", "VllmDecodeWorker", Pool::Decode),
            ("rolebasedgroup.workloads.x-k8s.io/role", "decode", Pool::Decode),
            ("app.kubernetes.io/component", "llminferenceservice-workload-prefill", Pool::Prefill),
        ] {
            assert_eq!(of(&json!({key: word}), &[]), Some(by(pool, &format!("label {key}"))), "{key}={word}");
        }
        assert_eq!(of(&json!({"nvidia.com/dynamo-component-type": "worker"}), &[]), None);
    }

    #[test]
    fn engines_that_do_both_are_of_neither_whatever_they_are_called() {
        assert_eq!(named("prefill-0", &json!({"llm-d.ai/role": "both"}), &[]), None);
        assert_eq!(named("prefill-decode-0", &json!({}), &[]), None);
    }

    #[test]
    fn flags_name_the_part_where_no_label_does() {
        let sglang = ["--disaggregation-mode", "decode"];
        assert_eq!(of(&json!({}), &sglang), Some(by(Pool::Decode, "flag --disaggregation-mode")));
        let config = r#"{"kv_connector":"P2pNcclConnector","kv_role":"kv_producer"}"#;
        let vllm = ["--kv-transfer-config", config];
        assert_eq!(of(&json!({}), &vllm), Some(by(Pool::Prefill, "flag --kv-transfer-config")));
        let fields = ["--kv-transfer-config.kv_role=kv_consumer"];
        assert_eq!(of(&json!({}), &fields), Some(by(Pool::Decode, "flag --kv-transfer-config")));
        assert_eq!(of(&json!({}), &["--kv-transfer-config", r#"{"kv_role":"kv_both"}"#]), None, "on either side");
        assert_eq!(of(&json!({}), &["--kv-transfer-config", "{"]), None);
        assert_eq!(of(&json!({}), &["--is-prefill-worker"]), Some(by(Pool::Prefill, "flag --is-prefill-worker")));
    }

    fn pod_of(deployment: &str, labels: &Value, image: &str) -> Value {
        let mut pod = json!({"metadata": {"name": format!("{deployment}-7f9c-abcde"), "labels": labels,
            "ownerReferences": [{"controller": true, "kind": "ReplicaSet", "name": format!("{deployment}-7f9c")}]},
            "spec": {"containers": [{"name": "e", "image": image, "ports": [{"name": "http", "containerPort": 8200}]}]}});
        pod["metadata"]["labels"]["pod-template-hash"] = "7f9c".into();
        pod
    }

    #[test]
    fn the_other_pool_is_known_by_a_label_that_both_have_or_by_its_name() {
        let workload = |labels: Value| {
            json!({"metadata": {"name": "ms-decode"}, "spec": {"template":
            {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "e", "image": "vllm"}]}}}})
        };
        let by_label =
            Kin::of(&workload(json!({"llm-d.ai/role": "decode", "llm-d.ai/model": "llama"}))).expect("a part");
        let prefill =
            |model: &str| pod_of("other", &json!({"llm-d.ai/role": "prefill", "llm-d.ai/model": model}), "vllm");
        assert_eq!(by_label.tied(&prefill("llama")).as_deref(), Some("label llm-d.ai/model"));
        assert_eq!(by_label.tied(&prefill("qwen")), None, "another deployment's");
        let sibling = Sibling { pool: Pool::Prefill, workload: Some("deploy/other".into()), port: Some(8200) };
        assert_eq!(by_label.other(&prefill("llama")), Some(sibling));
        assert_eq!(by_label.other(&pod_of("x", &json!({"llm-d.ai/role": "decode"}), "vllm")), None, "its own pool's");
        assert_eq!(by_label.other(&pod_of("x", &json!({"llm-d.ai/role": "prefill"}), "nginx")), None, "no engine");
        let by_name = Kin::of(&workload(json!({"app": "x"}))).expect("a part by its name");
        assert_eq!(by_name.tied(&pod_of("ms-prefill", &json!({}), "vllm")).as_deref(), Some("name"));
        assert_eq!(by_name.tied(&pod_of("qwen-prefill", &json!({}), "vllm")), None);
        assert_eq!(Kin::of(&json!({"metadata": {"name": "vllm"}})), None);
    }

    #[test]
    fn a_name_counts_by_whole_words_and_last() {
        assert_eq!(named("vllm-prefill-7f9c-abcde", &json!({}), &[]), Some(by(Pool::Prefill, "name")));
        assert_eq!(named("encoder-decoders-0", &json!({}), &[]), None);
        let sglang = ["--disaggregation-mode", "decode"];
        assert_eq!(named("prefill-0", &json!({}), &sglang), Some(by(Pool::Decode, "flag --disaggregation-mode")));
    }
}
