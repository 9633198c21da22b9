//! Which part an engine has in a disaggregated deployment, as its declaration says, and by what that is known.

use serde_json::Value;

use super::json::{controller, name};
use crate::domain::{Container, Pool, Template};

/// Labels that name it, from the charts and controllers that set them: llm-d's model service and KServe's
/// `LLMInferenceService` (the first), Dynamo's operator, SGLang's `RoleBasedGroup`, AIBrix' `StormService`, the
/// `DisaggregatedSet` of `LeaderWorkerSet`.
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
    FLAGS.iter().find_map(|flag| named(&flag)).or_else(|| transfer(engine)).or_else(|| {
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::template::template;
    use super::*;

    fn of(labels: Value, args: &[&str]) -> Option<(Pool, String)> {
        named("vllm-0", labels, args)
    }

    fn named(name: &str, labels: Value, args: &[&str]) -> Option<(Pool, String)> {
        let pod = json!({"metadata": {"name": name, "labels": labels},
                         "spec": {"containers": [{"name": "e", "image": "vllm/vllm-openai", "args": args}]}});
        super::of(&pod, &template(&pod))
    }

    fn by(pool: Pool, by: &str) -> Option<(Pool, String)> {
        Some((pool, by.to_owned()))
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
            assert_eq!(of(json!({key: word}), &[]), by(pool, &format!("label {key}")), "{key}={word}");
        }
        assert_eq!(of(json!({"nvidia.com/dynamo-component-type": "worker"}), &[]), None);
    }

    #[test]
    fn engines_that_do_both_are_of_neither_whatever_they_are_called() {
        assert_eq!(named("prefill-0", json!({"llm-d.ai/role": "both"}), &[]), None);
        assert_eq!(named("prefill-decode-0", json!({}), &[]), None);
    }

    #[test]
    fn flags_name_the_part_where_no_label_does() {
        let sglang = ["--disaggregation-mode", "decode"];
        assert_eq!(of(json!({}), &sglang), by(Pool::Decode, "flag --disaggregation-mode"));
        let config = r#"{"kv_connector":"P2pNcclConnector","kv_role":"kv_producer"}"#;
        let vllm = ["--kv-transfer-config", config];
        assert_eq!(of(json!({}), &vllm), by(Pool::Prefill, "flag --kv-transfer-config"));
        let fields = ["--kv-transfer-config.kv_role=kv_consumer"];
        assert_eq!(of(json!({}), &fields), by(Pool::Decode, "flag --kv-transfer-config"));
        assert_eq!(of(json!({}), &["--kv-transfer-config", r#"{"kv_role":"kv_both"}"#]), None, "on either side");
        assert_eq!(of(json!({}), &["--kv-transfer-config", "{"]), None);
        assert_eq!(of(json!({}), &["--is-prefill-worker"]), by(Pool::Prefill, "flag --is-prefill-worker"));
    }

    #[test]
    fn a_name_counts_by_whole_words_and_last() {
        assert_eq!(named("vllm-prefill-7f9c-abcde", json!({}), &[]), by(Pool::Prefill, "name"));
        assert_eq!(named("encoder-decoders-0", json!({}), &[]), None);
        let sglang = ["--disaggregation-mode", "decode"];
        assert_eq!(named("prefill-0", json!({}), &sglang), by(Pool::Decode, "flag --disaggregation-mode"));
    }
}
