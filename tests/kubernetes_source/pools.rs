//! The other pool of a disaggregated deployment is found where the workload itself has one of the two parts, and is not
//! looked for where it has none.

use serde_json::{Value, json};
use warroom::domain::{Pool, Role};
use warroom::source::kubernetes::Neighbour;

use crate::cluster::{Cluster, DEPLOYMENTS, PODS, deployment, pod, serving, stranger};
use crate::{Told, run, state};

/// The judged Deployment, which decodes, with these labels on its pods.
async fn decoding(labels: &Value) -> Cluster {
    let cluster = serving().await;
    let mut decode = deployment("vllm", "vllm:0.32");
    decode["spec"]["template"]["metadata"] = json!({"labels": labels});
    cluster.put(DEPLOYMENTS, decode);
    cluster
}

/// A running pod of another Deployment.
fn other(deployment: &str, labels: &Value, image: &str) -> Value {
    let mut pod = stranger("llm", &format!("{deployment}-5d4f-x"), "gpu-2", labels, 8200);
    pod["metadata"]["labels"]["pod-template-hash"] = "5d4f".into();
    pod["metadata"]["ownerReferences"] =
        json!([{"kind": "ReplicaSet", "name": format!("{deployment}-5d4f"), "uid": deployment, "controller": true}]);
    pod["spec"]["containers"][0]["image"] = image.into();
    pod
}

async fn engines(cluster: &Cluster) -> Vec<Neighbour> {
    let mut told = Told::by(cluster);
    told.until("what is around", |s| state(s, "routes to gateways").is_some()).await;
    let all = told.neighbours.borrow().clone();
    all.into_iter().filter(|n| n.role == Role::Engine).collect()
}

#[test]
fn prefillers_of_the_same_model_are_read_beside_the_decoders_and_nobody_elses_are() {
    run(async {
        let own = json!({"llm-d.ai/role": "decode", "llm-d.ai/model": "llama"});
        let cluster = decoding(&own).await;
        let labels = |role: &str, model: &str| json!({"llm-d.ai/role": role, "llm-d.ai/model": model});
        cluster.put(PODS, other("ms-prefill", &labels("prefill", "llama"), "vllm:0.32"));
        cluster.put(PODS, other("qwen-prefill", &labels("prefill", "qwen"), "vllm:0.32"));
        cluster.put(PODS, other("ms-decode", &labels("decode", "llama"), "vllm:0.32"));
        let found = engines(&cluster).await;
        let [one] = &found[..] else { panic!("one prefiller: {found:?}") };
        assert_eq!((one.pod.as_str(), one.port, one.path.as_str()), ("ms-prefill-5d4f-x", 8200, "/metrics"));
        assert_eq!((one.pool, one.workload.as_deref()), (Some(Pool::Prefill), Some("deploy/ms-prefill")));
        assert_eq!(one.found.as_deref(), Some("prefill pool deploy/ms-prefill, by label llm-d.ai/model"));
    });
}

#[test]
fn pools_that_only_a_service_ties_are_found_by_it() {
    run(async {
        let cluster = decoding(&json!({"app": "chat", "role": "decode"})).await;
        cluster.put(PODS, other("a", &json!({"app": "chat", "role": "prefill"}), "vllm:0.32"));
        cluster.put(PODS, other("b", &json!({"app": "code", "role": "prefill"}), "vllm:0.32"));
        let front = json!({"metadata": {"name": "front"}, "spec": {"selector": {"app": "chat"}}});
        cluster.put("/api/v1/namespaces/llm/services", front);
        let found = engines(&cluster).await;
        let names: Vec<_> = found.iter().map(|n| (n.pod.as_str(), n.found.as_deref())).collect();
        assert_eq!(names, [("a-5d4f-x", Some("prefill pool deploy/a, by Service front"))]);
    });
}

#[test]
fn a_workload_that_does_everything_has_no_other_pool_and_nobody_is_asked_for_one() {
    run(async {
        let cluster = serving().await;
        cluster.put(PODS, pod("vllm", "vllm-1-b", "gpu-1"));
        cluster.put(PODS, other("vllm-prefill", &json!({"llm-d.ai/role": "prefill"}), "vllm:0.32"));
        assert_eq!(engines(&cluster).await, []);
    });
}
