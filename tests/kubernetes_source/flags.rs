//! Flags that `ConfigMaps` give are read where that is allowed, and named as unknown where it is not.

use serde_json::{Value, json};
use warroom::domain::{Snapshot, SourceState, Template};

use crate::cluster::{DEPLOYMENTS, Fault, REPLICA_SETS, deployment, replica_set, serving};
use crate::{Told, run};

const CONFIG_MAPS: &str = "/api/v1/namespaces/llm/configmaps";

/// An object whose template takes a flag from a `ConfigMap`.
fn referring(mut object: Value, map: &str) -> Value {
    let container = &mut object["spec"]["template"]["spec"]["containers"][0];
    container["args"] = json!(["serve", "--max-num-seqs=$(SEQS)"]);
    container["env"] = json!([{"name": "SEQS", "valueFrom": {"configMapKeyRef": {"name": map, "key": "seqs"}}}]);
    object
}

fn map(name: &str, seqs: &str) -> Value {
    json!({"metadata": {"name": name}, "data": {"seqs": seqs}})
}

fn seqs(template: &Template) -> Option<String> {
    template.engine()?.flag("--max-num-seqs")
}

/// What the workload and its revision are made from.
fn templates(s: &Snapshot) -> Vec<Template> {
    let facts = s.cluster.iter().map(|(_, facts)| facts);
    let all = facts.flat_map(|f| f.workload.iter().map(|w| &w.template).chain(f.revisions.iter().map(|r| &r.template)));
    all.cloned().collect()
}

#[test]
fn a_flag_that_a_config_map_gives_is_read_for_each_revision_and_only_that_map_is_asked_for() {
    run(async {
        let cluster = serving().await;
        cluster.put(CONFIG_MAPS, map("tuning-a", "256"));
        cluster.put(CONFIG_MAPS, map("tuning-b", "512"));
        cluster.put(CONFIG_MAPS, map("foreign", "1"));
        cluster.put(DEPLOYMENTS, referring(deployment("vllm", "vllm:0.32"), "tuning-b"));
        cluster.put(REPLICA_SETS, referring(replica_set("vllm"), "tuning-a"));
        let mut told = Told::by(&cluster);
        told.until("both values", |s| {
            templates(s).iter().map(seqs).collect::<Vec<_>>() == [Some("512".to_owned()), Some("256".to_owned())]
        })
        .await;
        assert_eq!(told.watch("configmaps").state, SourceState::Live);
        assert!(templates(&told.snapshot).iter().all(|t| t.unknown.is_empty()));
        assert_eq!((cluster.count("configmaps/foreign"), cluster.count("configmaps?")), (0, 0));
        cluster.fault("configmaps", Fault::Denied);
        told.until("that it may not be read any more", |s| {
            s.watches.iter().any(|w| w.resource == "configmaps" && w.state == SourceState::Denied)
        })
        .await;
        assert_eq!(templates(&told.snapshot).iter().filter_map(seqs).count(), 2, "what was read stays");
    });
}

#[test]
fn what_may_not_be_read_is_named_where_the_flag_would_stand() {
    run(async {
        let cluster = serving().await;
        cluster.fault("configmaps", Fault::Denied);
        cluster.put(DEPLOYMENTS, referring(deployment("vllm", "vllm:0.32"), "tuning"));
        let mut told = Told::by(&cluster);
        told.until("the denial", |s| s.watches.iter().any(|w| w.resource == "configmaps") && !templates(s).is_empty())
            .await;
        let watch = told.watch("configmaps");
        let error = watch.error.expect("a reason");
        assert!(error.contains("tuning: not allowed") && error.contains("allow 'get' on 'configmaps'"), "{error}");
        assert_eq!((watch.state, watch.heard), (SourceState::Denied, None));
        let own = templates(&told.snapshot).into_iter().next().expect("a template");
        assert_eq!(own.unknown, ["SEQS of ConfigMap tuning"]);
        assert_eq!(seqs(&own).as_deref(), Some("$(SEQS)"), "and nothing is made up");
    });
}
