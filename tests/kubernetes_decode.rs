//! Kubernetes' JSON as kubelets and controllers write it, and as nobody should: facts come out, or less, never a panic.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use warroom::decode::kubernetes::{Objects, facts, gpus_of, serves_a_model};
use warroom::domain::{At, ClusterFacts, Pod, StartPhase, Strategy, WorkloadKind};

/// Milliseconds of a time of this day, `HH:MM:SS`.
fn at(time: &str) -> At {
    At(format!("2026-06-08T{time}Z").parse::<jiff::Timestamp>().expect("a time").as_millisecond())
}

fn template(seqs: &str) -> Value {
    json!({
        "metadata": {"labels": {"app": "vllm-runtime", "pod-template-hash": "5d9"}, "annotations": {"team": "inference"}},
        "spec": {
            "nodeSelector": {"gpu": "h100"},
            "containers": [
                {"name": "metrics-agent", "image": "agent:1", "ports": [{"name": "metrics", "containerPort": 9100}]},
                {
                    "name": "engine",
                    "image": "vllm/vllm-openai:v0.32.0",
                    "command": ["vllm", "serve"],
                    "args": ["meta-llama/Llama-3-70B", "--port=8200", "--max-num-seqs", seqs, "--api-key", "s3cret"],
                    "env": [
                        {"name": "VLLM_USE_V1", "value": "1"},
                        {"name": "HF_TOKEN", "value": "hf_s3cret"},
                        {"name": "MAX_TOKENS", "value": "4096"},
                        {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}
                    ],
                    "resources": {"limits": {"nvidia.com/gpu": "4"}, "requests": {"nvidia.com/gpu": 4, "cpu": "8"}},
                    "ports": [{"name": "http", "containerPort": 8000, "protocol": "TCP"}]
                }
            ]
        }
    })
}

fn deployment() -> Value {
    json!({
        "metadata": {
            "name": "vllm-runtime", "namespace": "llm-serving", "uid": "dep-uid", "generation": 7,
            "creationTimestamp": "2026-06-01T00:00:00Z",
            "labels": {"app.kubernetes.io/managed-by": "Helm"},
            "annotations": {
                "deployment.kubernetes.io/revision": "42",
                "meta.helm.sh/release-name": "vllm",
                "argocd.argoproj.io/tracking-id": "serving:apps/Deployment:llm-serving/vllm-runtime"
            }
        },
        "spec": {
            "replicas": 2, "paused": true, "progressDeadlineSeconds": 600,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 0}},
            "template": template("512")
        },
        "status": {
            "observedGeneration": 7, "replicas": 3, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2,
            "conditions": [{
                "type": "Progressing", "status": "True", "reason": "ReplicaSetUpdated",
                "message": "ReplicaSet \"vllm-runtime-5d9\" is progressing.", "lastTransitionTime": "2026-06-08T03:02:11Z"
            }]
        }
    })
}

fn replica_set(hash: &str, number: &str, seqs: &str, replicas: u32) -> Value {
    json!({
        "metadata": {
            "name": format!("vllm-runtime-{hash}"), "uid": format!("rs-{hash}"), "creationTimestamp": "2026-06-08T03:02:11Z",
            "labels": {"pod-template-hash": hash},
            "annotations": {"deployment.kubernetes.io/revision": number, "kubernetes.io/change-cause": "more seqs"},
            "ownerReferences": [{"kind": "Deployment", "name": "vllm-runtime", "uid": "dep-uid", "controller": true}]
        },
        "spec": {"replicas": replicas, "template": template(seqs)},
        "status": {"replicas": replicas, "readyReplicas": replicas}
    })
}

/// A pod of a ReplicaSet as a kubelet reports it while it serves.
fn pod(name: &str, hash: &str) -> Value {
    let mut pod = template("512");
    pod["metadata"] = json!({
        "name": name, "uid": format!("uid-{name}"), "creationTimestamp": "2026-06-08T03:02:12Z",
        "labels": {"app": "vllm-runtime", "pod-template-hash": hash},
        "ownerReferences": [{
            "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": format!("vllm-runtime-{hash}"),
            "uid": format!("rs-{hash}"), "controller": true
        }]
    });
    pod["spec"]["nodeName"] = json!("gpu-7");
    pod["status"] = json!({
        "phase": "Running", "podIP": "10.0.3.7", "startTime": "2026-06-08T03:02:13Z",
        "conditions": [
            {"type": "PodReadyToStartContainers", "status": "True", "lastTransitionTime": "2026-06-08T03:02:20Z"},
            {"type": "Initialized", "status": "True", "lastTransitionTime": "2026-06-08T03:02:14Z"},
            {"type": "Ready", "status": "True", "lastTransitionTime": "2026-06-08T03:08:00Z", "lastProbeTime": null},
            {"type": "ContainersReady", "status": "True", "lastTransitionTime": "2026-06-08T03:08:00Z"},
            {"type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-06-08T03:02:13Z"}
        ],
        "containerStatuses": [
            {"name": "engine", "ready": true, "started": true, "restartCount": 0, "image": "vllm/vllm-openai:v0.32.0",
             "state": {"running": {"startedAt": "2026-06-08T03:02:30Z"}}, "lastState": {}},
            {"name": "metrics-agent", "ready": true, "restartCount": 9, "lastState": {},
             "state": {"running": {"startedAt": "2026-06-08T03:02:25Z"}}}
        ]
    });
    pod
}

fn engine_state(pod: &mut Value) -> &mut Value {
    &mut pod["status"]["containerStatuses"][0]
}

fn read(objects: &Objects<'_>) -> ClusterFacts {
    facts(objects)
}

fn one(pod: &Value) -> Pod {
    let (deployment, set) = (deployment(), replica_set("5d9", "42", "512", 2));
    let objects = Objects { workload: Some(&deployment), revisions: vec![&set], pods: vec![pod], ..Objects::default() };
    let mut pods = read(&objects).pods;
    assert_eq!(pods.len(), 1);
    pods.remove(0)
}

// ---- the workload and its revisions --------------------------------------------------------------------------------

#[test]
fn a_deployment_says_what_is_wanted_what_is_there_and_who_else_writes_to_it() {
    let deployment = deployment();
    let workload = read(&Objects { workload: Some(&deployment), ..Objects::default() }).workload.expect("it is there");
    assert_eq!((workload.generation, workload.observed_generation), (7, 7));
    assert_eq!(
        (workload.desired, workload.existing, workload.updated, workload.ready, workload.available),
        (2, 3, 2, 2, 2)
    );
    assert_eq!((workload.revision, workload.paused, workload.progress_deadline_s), (Some(42), true, Some(600)));
    assert_eq!(workload.managers, ["Helm", "Argo CD"]);
    assert_eq!(workload.strategy, Strategy::Rolling { max_surge: "25%".into(), max_unavailable: "0".into() });
    let condition = &workload.conditions[0];
    assert_eq!(
        (condition.kind.as_str(), condition.status, condition.since),
        ("Progressing", Some(true), Some(at("03:02:11")))
    );
}

#[test]
fn who_scaled_and_who_wrote_the_template_stand_in_the_managed_fields_and_the_last_one_counts() {
    let mut deployment = deployment();
    let entry = |who: &str, at: &str, part: &str, spec: Value| {
        json!({"manager": who, "time": format!("2026-06-08T{at}Z"), "subresource": part, "operation": "Update",
            "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": spec}})
    };
    deployment["metadata"]["managedFields"] = json!([
        entry("helm", "01:00:00", "", json!({"f:replicas": {}, "f:template": {"f:spec": {}}})),
        entry("kubectl-edit", "03:00:00", "", json!({"f:template": {"f:spec": {}}})),
        entry("kube-\u{1b}[31mcontroller", "02:30:00", "scale", json!({"f:replicas": {}})),
        entry("kube-controller-manager", "04:00:00", "status", json!({"f:replicas": {}})),
        entry("no-time", "", "", json!({"f:replicas": {}})),
    ]);
    let workload = read(&Objects { workload: Some(&deployment), ..Objects::default() }).workload.expect("it is there");
    assert_eq!(workload.template_by, Some(("kubectl-edit".to_owned(), at("03:00:00"))));
    let (who, when) = workload.scaled_by.expect("somebody scaled");
    assert_eq!(when, at("02:30:00"));
    assert!(!who.contains('\u{1b}'), "{who}");
}

#[test]
fn flags_in_a_shells_script_are_flags_and_its_secrets_stand_nowhere() {
    let mut deployment = deployment();
    let engine = &mut deployment["spec"]["template"]["spec"]["containers"][1];
    engine["command"] = json!(["/bin/bash", "-c"]);
    engine["args"] = json!(["set -e\nexec vllm serve m --max-num-seqs $MAX_TOKENS \\\n --api-key s3cret --port 8200"]);
    let workload = read(&Objects { workload: Some(&deployment), ..Objects::default() }).workload.expect("it is there");
    let engine = workload.template.engine().expect("an engine");
    let flag = |name: &str| engine.flag(name);
    assert_eq!((flag("max-num-seqs").as_deref(), flag("port").as_deref()), (Some("4096"), Some("8200")));
    assert!(!format!("{:?}", workload.template).contains("s3cret"));
}

#[test]
fn the_engine_stands_first_and_secrets_stand_nowhere() {
    let deployment = deployment();
    let workload = read(&Objects { workload: Some(&deployment), ..Objects::default() }).workload.expect("it is there");
    let engine = workload.template.engine().expect("an engine");
    assert_eq!((engine.name.as_str(), engine.gpus), ("engine", 4));
    assert_eq!(engine.flag("max-num-seqs").as_deref(), Some("512"));
    let env: Vec<_> = engine.env.iter().map(|(n, v)| format!("{n}={v}")).collect();
    assert_eq!(env, ["HF_TOKEN=(hidden)", "MAX_TOKENS=4096", "VLLM_USE_V1=1"]);
    assert!(!format!("{workload:?}").contains("s3cret"));
}

#[test]
fn revisions_come_in_the_order_of_their_numbers_and_those_of_others_not_at_all() {
    let deployment = deployment();
    let (new, old) = (replica_set("5d9", "42", "512", 2), replica_set("abc", "9", "256", 1));
    let mut foreign = replica_set("fff", "99", "1", 1);
    foreign["metadata"]["ownerReferences"][0]["uid"] = json!("somebody-else");
    let objects = Objects { workload: Some(&deployment), revisions: vec![&new, &foreign, &old], ..Objects::default() };
    let revisions = read(&objects).revisions;
    assert_eq!(revisions.iter().map(|r| r.number).collect::<Vec<_>>(), [9, 42]);
    let changes: Vec<_> =
        revisions[0].template.changes(&revisions[1].template).iter().map(ToString::to_string).collect();
    assert_eq!(changes, ["--max-num-seqs 256 -> 512"]);
    assert_eq!(revisions[1].change_cause.as_deref(), Some("more seqs"));
    assert_eq!((revisions[0].desired, revisions[0].ready), (1, 1));
}

#[test]
fn a_tracking_id_of_another_object_means_nothing() {
    let mut other = deployment();
    other["metadata"]["labels"] = json!({"helm.toolkit.fluxcd.io/name": "vllm"});
    other["metadata"]["annotations"] =
        json!({"argocd.argoproj.io/tracking-id": "serving:apps/Deployment:llm-serving/other"});
    other["metadata"]["ownerReferences"] = json!([{"kind": "InferenceService", "name": "llama", "controller": true}]);
    let workload = read(&Objects { workload: Some(&other), ..Objects::default() }).workload.expect("it is there");
    assert_eq!(workload.managers, ["Flux"]);
    assert_eq!(workload.owner.as_deref(), Some("InferenceService/llama"));
}

#[test]
fn a_stateful_set_has_its_revisions_from_controller_revisions() {
    let set = json!({
        "metadata": {"name": "llm", "uid": "sts", "generation": 2},
        "spec": {"replicas": 2, "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}, "template": template("512")},
        "status": {"observedGeneration": 2, "replicas": 2, "readyReplicas": 1, "updatedReplicas": 1, "availableReplicas": 1,
                   "currentRevision": "llm-aaa", "updateRevision": "llm-bbb"}
    });
    let revision = |hash: &str, number: u64, seqs: &str| {
        json!({
            "metadata": {"name": format!("llm-{hash}"), "uid": hash, "labels": {"controller.kubernetes.io/hash": hash},
                         "ownerReferences": [{"kind": "StatefulSet", "name": "llm", "uid": "sts", "controller": true}]},
            "revision": number, "data": {"spec": {"template": template(seqs)}}
        })
    };
    let (old, new) = (revision("aaa", 1, "256"), revision("bbb", 2, "512"));
    let member = |name: &str, hash: &str| {
        let mut pod = pod(name, "x");
        pod["metadata"]["labels"] = json!({"controller-revision-hash": format!("llm-{hash}")});
        pod["metadata"]["ownerReferences"] =
            json!([{"kind": "StatefulSet", "name": "llm", "uid": "sts", "controller": true}]);
        pod
    };
    let (zero, one) = (member("llm-0", "aaa"), member("llm-1", "bbb"));
    let facts = read(&Objects {
        kind: Some(WorkloadKind::StatefulSet),
        workload: Some(&set),
        revisions: vec![&new, &old],
        pods: vec![&one, &zero],
        ..Objects::default()
    });
    assert_eq!(facts.workload.and_then(|w| w.revision), Some(2));
    assert_eq!(facts.pods.iter().map(|p| p.revision).collect::<Vec<_>>(), [Some(1), Some(2)]);
    assert_eq!(
        facts.revisions.iter().map(|r| (r.number, r.desired, r.ready)).collect::<Vec<_>>(),
        [(1, 1, 1), (2, 1, 1)]
    );
}

// ---- pods ----------------------------------------------------------------------------------------------------------

#[test]
fn a_serving_pod_has_all_its_start_clocks() {
    let pod = one(&pod("vllm-runtime-5d9-abcde", "5d9"));
    assert_eq!((pod.node.as_deref(), pod.ip.as_deref(), pod.revision), (Some("gpu-7"), Some("10.0.3.7"), Some(42)));
    assert_eq!(
        (pod.created, pod.scheduled, pod.initialized),
        (Some(at("03:02:12")), Some(at("03:02:13")), Some(at("03:02:14")))
    );
    assert_eq!((pod.started, pod.ready_since), (Some(at("03:02:30")), Some(at("03:08:00"))));
    assert_eq!((pod.ready, pod.start(), pod.load_s()), (true, None, Some(330.0)));
    assert_eq!((pod.restarts, pod.gpus, pod.metrics_port), (0, 4, Some(8200)), "the engine's, not its neighbour's");
}

#[test]
fn the_kubelets_events_tell_of_the_engines_pull_and_of_no_other() {
    let mut raw = pod("vllm-runtime-5d9-abcde", "5d9");
    raw["status"]["initContainerStatuses"] = json!([
        {"name": "fetch", "state": {"terminated": {"startedAt": "2026-06-08T03:02:15Z"}}},
        {"name": "tune", "state": {"terminated": {"startedAt": "2026-06-08T03:02:19Z"}}}
    ]);
    let event = |uid: &str, container: &str, reason: &str, first: &str, message: &str, count: u32| {
        json!({
            "involvedObject": {"kind": "Pod", "name": "vllm-runtime-5d9-abcde", "uid": uid,
                               "fieldPath": format!("spec.containers{{{container}}}")},
            "reason": reason, "message": message, "count": count,
            "firstTimestamp": format!("2026-06-08T{first}Z"), "lastTimestamp": "2026-06-08T03:30:00Z"
        })
    };
    let own = "uid-vllm-runtime-5d9-abcde";
    let took = "Successfully pulled image \"vllm\" in 9.5s (11.25s including waiting). Image size: 9700000000 bytes.";
    let here = "Container image \"vllm\" already present on machine";
    let all = [
        event(own, "metrics-agent", "Pulled", "03:02:21", "Successfully pulled image \"a\" in 1s", 1),
        event("the-pod-before", "engine", "Pulling", "02:00:00", "Pulling image \"vllm\"", 1),
        event(own, "engine", "Pulling", "03:02:20", "Pulling image \"vllm\"", 3),
        event(own, "engine", "Pulled", "03:02:29", took, 1),
        event(own, "engine", "Pulled", "03:20:00", here, 4),
    ];
    let (deployment, set) = (deployment(), replica_set("5d9", "42", "512", 2));
    let read_with = |events: &[Value]| {
        let objects = Objects {
            workload: Some(&deployment),
            revisions: vec![&set],
            pods: vec![&raw],
            events: events.iter().collect(),
            ..Objects::default()
        };
        read(&objects).pods.remove(0)
    };
    let told = read_with(&all);
    assert_eq!(told.init_began, Some(at("03:02:15")));
    let pull = told.pull.expect("events tell of it");
    assert_eq!((pull.from, pull.to), (Some(at("03:02:20")), Some(at("03:02:29"))));
    assert_eq!((pull.took_s, pull.cached, pull.tries), (Some(11.25), false, 3));
    let cached = read_with(&all[4..]).pull.expect("an event tells of it");
    assert_eq!((cached.cached, cached.took_s), (true, None));
    assert_eq!(read_with(&all[..2]).pull, None, "what is forgotten is not known");
}

#[test]
fn a_rollouts_deadline_counts_from_its_last_move_and_a_finished_one_has_none() {
    let deadline = |reason: &str, status: &str, paused: bool, seconds: u64| {
        let mut raw = deployment();
        (raw["spec"]["paused"], raw["spec"]["progressDeadlineSeconds"]) = (json!(paused), json!(seconds));
        let condition = &mut raw["status"]["conditions"][0];
        (condition["reason"], condition["status"]) = (json!(reason), json!(status));
        condition["lastUpdateTime"] = json!("2026-06-08T03:05:00Z");
        let workload = read(&Objects { workload: Some(&raw), ..Objects::default() }).workload.expect("it is there");
        workload.progress_deadline()
    };
    assert_eq!(deadline("ReplicaSetUpdated", "True", false, 600), Some(at("03:15:00")));
    assert_eq!(deadline("NewReplicaSetAvailable", "True", false, 600), None);
    assert_eq!(deadline("ProgressDeadlineExceeded", "False", false, 600), None);
    assert_eq!(deadline("ReplicaSetUpdated", "True", true, 600), None, "paused");
    assert_eq!(deadline("ReplicaSetUpdated", "True", false, 2_147_483_647), None, "Kubernetes' way to say none");
}

#[test]
fn every_way_in_which_a_pod_is_not_ready_is_told_apart() {
    let not_ready = |change: fn(&mut Value)| {
        let mut raw = pod("vllm-runtime-5d9-abcde", "5d9");
        raw["status"]["conditions"][2]["status"] = json!("False");
        change(&mut raw);
        one(&raw)
    };
    let loading = not_ready(|_| {});
    assert_eq!(loading.start(), Some((StartPhase::Load, Some(at("03:02:30")))));
    assert_eq!((loading.ready_since, loading.load_s()), (None, None));

    let unschedulable = not_ready(|pod| {
        pod["spec"]["nodeName"] = Value::Null;
        pod["status"] = json!({"phase": "Pending", "conditions": [{
            "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "lastTransitionTime": "2026-06-08T03:02:12Z",
            "message": "0/4 nodes are available: 4 Insufficient nvidia.com/gpu."
        }]});
    });
    assert_eq!(unschedulable.start(), Some((StartPhase::Schedule, Some(at("03:02:12")))));
    assert_eq!(unschedulable.unschedulable.as_deref(), Some("0/4 nodes are available: 4 Insufficient nvidia.com/gpu."));

    let pulling = not_ready(|pod| {
        *engine_state(pod) =
            json!({"name": "engine", "restartCount": 0, "state": {"waiting": {"reason": "ImagePullBackOff"}}});
    });
    assert_eq!(
        (pulling.waiting.as_deref(), pulling.start().map(|s| s.0)),
        (Some("ImagePullBackOff"), Some(StartPhase::Pull))
    );

    let crashing = not_ready(|pod| {
        *engine_state(pod) = json!({
            "name": "engine", "restartCount": 5, "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled", "finishedAt": "2026-06-08T03:05:00Z"}}
        });
    });
    assert_eq!((crashing.restarts, crashing.waiting.as_deref()), (5, Some("CrashLoopBackOff")));
    assert_eq!(crashing.last_exit, Some(("OOMKilled".to_owned(), 137)));

    let downloading = not_ready(|pod| {
        pod["status"]["conditions"][1]["status"] = json!("False");
        pod["status"]["initContainerStatuses"] = json!([{"name": "storage-initializer", "state": {"running": {}}}]);
        *engine_state(pod) =
            json!({"name": "engine", "restartCount": 0, "state": {"waiting": {"reason": "PodInitializing"}}});
    });
    assert_eq!(downloading.start(), Some((StartPhase::Init, Some(at("03:02:13")))));
}

#[test]
fn a_pod_that_is_deleted_says_since_when_and_not_until_when() {
    let mut raw = pod("vllm-runtime-5d9-abcde", "5d9");
    raw["metadata"]["deletionTimestamp"] = json!("2026-06-08T03:10:30Z");
    raw["metadata"]["deletionGracePeriodSeconds"] = json!(30);
    assert_eq!(one(&raw).deleting, Some(at("03:10:00")));
}

#[test]
fn the_metrics_port_is_the_flags_then_a_named_one_then_the_annotations_then_the_engines_own() {
    let port = |args: Value, ports: Value, annotation: Value, image: &str| {
        let mut raw = pod("vllm-runtime-5d9-abcde", "5d9");
        let engine = &mut raw["spec"]["containers"][1];
        (engine["args"], engine["ports"], engine["command"]) = (args, ports, json!([]));
        engine["image"] = json!(image);
        raw["metadata"]["annotations"] = json!({"prometheus.io/port": annotation});
        one(&raw).metrics_port
    };
    let named = json!([{"name": "grpc", "containerPort": 1}, {"name": "http", "containerPort": 8001}]);
    assert_eq!(port(json!(["--port", "8200"]), named.clone(), json!("9000"), "vllm"), Some(8200));
    assert_eq!(port(json!([]), named, json!("9000"), "vllm"), Some(8001));
    assert_eq!(port(json!([]), json!([]), json!("9000"), "vllm"), Some(9000));
    assert_eq!(port(json!([]), json!([]), json!("no port"), "lmsysorg/sglang:v0.5"), Some(30_000));
    assert_eq!(port(json!(["--port", "99999"]), json!([]), Value::Null, "adapter"), Some(8000));
}

#[test]
fn pods_of_others_are_left_out_even_where_labels_are_shared() {
    let (deployment, set) = (deployment(), replica_set("5d9", "42", "512", 1));
    let mine = pod("vllm-runtime-5d9-abcde", "5d9");
    let (mut foreign, mut bare) = (pod("other-1", "5d9"), pod("by-hand", "5d9"));
    foreign["metadata"]["ownerReferences"][0] =
        json!({"kind": "ReplicaSet", "name": "vllm-runtime-canary-777", "uid": "x", "controller": true});
    bare["metadata"]["ownerReferences"] = json!([]);
    let pods = vec![&mine, &foreign, &bare];
    let names = |revisions| {
        let objects = Objects { workload: Some(&deployment), revisions, pods: pods.clone(), ..Objects::default() };
        read(&objects).pods.into_iter().map(|p| p.name).collect::<Vec<_>>()
    };
    assert_eq!(names(vec![&set]), ["vllm-runtime-5d9-abcde"]);
    assert_eq!(names(vec![]), ["vllm-runtime-5d9-abcde"], "by the ReplicaSet's name where it may not be read");
}

// ---- around it -----------------------------------------------------------------------------------------------------

#[test]
fn nodes_tell_their_gpus_their_troubles_and_what_is_taken() {
    let node = |name: &str, gpus: &str| {
        json!({
            "metadata": {"name": name, "labels": {"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3"}},
            "spec": {"unschedulable": name == "gpu-9"},
            "status": {"allocatable": {"nvidia.com/gpu": gpus, "cpu": "96"}, "conditions": [
                {"type": "MemoryPressure", "status": "False"}, {"type": "XidError", "status": "True", "reason": "Xid79"},
                {"type": "Ready", "status": if name == "gpu-9" { "Unknown" } else { "True" }}
            ]}
        })
    };
    let (seven, nine, plain) = (node("gpu-7", "8"), node("gpu-9", "8"), node("cpu-1", "0"));
    let taken = BTreeMap::from([("gpu-7".to_owned(), 6)]);
    let objects = Objects { nodes: Some(vec![&nine, &plain, &seven]), gpus_taken: Some(&taken), ..Objects::default() };
    let nodes = read(&objects).nodes.expect("they may be read");
    assert_eq!(nodes.iter().map(|n| n.name.as_str()).collect::<Vec<_>>(), ["gpu-7", "gpu-9"]);
    assert_eq!(
        (nodes[0].gpus, nodes[0].gpus_taken, nodes[0].ready, nodes[0].cordoned),
        (8, Some(6), Some(true), false)
    );
    assert_eq!((nodes[1].gpus_taken, nodes[1].ready, nodes[1].cordoned), (None, None, true));
    let troubles: Vec<_> = nodes[1].troubles.iter().map(|t| t.kind.as_str()).collect();
    assert_eq!(troubles, ["XidError", "Ready"], "and pressure that is not there is none");
    assert_eq!(read(&Objects::default()).nodes, None, "not read is not none");
}

#[test]
fn gpus_are_held_by_running_containers_or_by_the_greediest_init_container_and_by_no_pod_that_ended() {
    let mut raw = json!({"spec": {
        "containers": [{"resources": {"limits": {"nvidia.com/gpu": "1"}}}, {"resources": {"limits": {"nvidia.com/mig-1g.10gb": 1}}}],
        "initContainers": [{"resources": {"limits": {"nvidia.com/gpu": "4"}}}]
    }, "status": {"phase": "Running"}});
    assert_eq!(gpus_of(&raw), 4);
    raw["spec"]["initContainers"] = json!([]);
    assert_eq!(gpus_of(&raw), 2);
    raw["status"]["phase"] = json!("Succeeded");
    assert_eq!(gpus_of(&raw), 0);
}

#[test]
fn the_autoscaler_of_this_workload_says_what_it_looks_at() {
    let deployment = deployment();
    let scaler = |name: &str, target: &str| {
        json!({
            "metadata": {"name": name, "ownerReferences": [{"kind": "ScaledObject", "name": "vllm-so", "controller": true}]},
            "spec": {"minReplicas": 2, "maxReplicas": 5, "scaleTargetRef": {"kind": "Deployment", "name": target}, "metrics": [
                {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}},
                {"type": "External", "external": {"metric": {"name": "s0-prometheus"}, "target": {"type": "AverageValue", "averageValue": "10"}}},
                {"type": "Object", "object": {"describedObject": {"kind": "Service", "name": "vllm"}, "metric": {"name": "rps"}, "target": {"value": "100"}}},
                {"type": "Mystery"}
            ]},
            "status": {"currentReplicas": 2, "desiredReplicas": 3, "lastScaleTime": "2026-06-08T03:09:02Z",
                       "conditions": [{"type": "ScalingLimited", "status": "False", "reason": "DesiredWithinRange"}]}
        })
    };
    let (other, own) = (scaler("keda-hpa-other", "other"), scaler("keda-hpa-vllm-so", "vllm-runtime"));
    let objects = Objects { workload: Some(&deployment), autoscalers: vec![&other, &own], ..Objects::default() };
    let scaler = read(&objects).autoscaler.expect("there is one");
    assert_eq!((scaler.kind.as_str(), scaler.name.as_str()), ("ScaledObject", "vllm-so"));
    assert_eq!((scaler.min, scaler.max, scaler.current, scaler.desired), (2, 5, 2, 3));
    assert_eq!(scaler.metrics, ["cpu 80%", "s0-prometheus 10", "rps 100 of Service/vllm"]);
    assert_eq!((scaler.last_scaled, scaler.conditions[0].status), (Some(at("03:09:02")), Some(false)));
}

#[test]
fn events_of_both_apis_are_read_oldest_first_and_those_of_others_left_out() {
    let (deployment, set) = (deployment(), replica_set("5d9", "42", "512", 1));
    let pod = pod("vllm-runtime-5d9-abcde", "5d9");
    let old = json!({
        "involvedObject": {"kind": "Pod", "name": "vllm-runtime-5d9-abcde"}, "type": "Warning", "reason": "BackOff", "count": 7,
        "message": "Back-off restarting failed container", "firstTimestamp": "2026-06-08T03:03:00Z", "lastTimestamp": "2026-06-08T03:07:00Z"
    });
    let series = json!({
        "regarding": {"kind": "ReplicaSet", "name": "vllm-runtime-5d9"}, "type": "Normal", "reason": "SuccessfulCreate", "note": "Created pod",
        "eventTime": "2026-06-08T03:02:12.345678Z", "series": {"count": 3, "lastObservedTime": "2026-06-08T03:04:00.000001Z"},
        "firstTimestamp": null, "lastTimestamp": null
    });
    let foreign =
        json!({"involvedObject": {"kind": "Pod", "name": "vllm-runtime-5d9"}, "lastTimestamp": "2026-06-08T03:00:00Z"});
    let undated = json!({"involvedObject": {"kind": "Deployment", "name": "vllm-runtime"}});
    let facts = read(&Objects {
        workload: Some(&deployment),
        revisions: vec![&set],
        pods: vec![&pod],
        events: vec![&old, &series, &foreign, &undated],
        ..Objects::default()
    });
    let told: Vec<_> = facts.events.iter().map(|e| (e.reason.as_str(), e.at, e.count, e.warning)).collect();
    assert_eq!(told, [("SuccessfulCreate", at("03:04:00"), 3, false), ("BackOff", at("03:07:00"), 7, true)]);
    assert_eq!((facts.events[0].first.0, facts.events[1].first), (at("03:02:12").0 + 345, at("03:03:00")));
}

#[test]
fn that_a_pod_was_evicted_is_known_when_it_is_gone() {
    let (deployment, set) = (deployment(), replica_set("5d9", "42", "512", 1));
    let event = |pod: &str, reason: &str| json!({"involvedObject": {"kind": "Pod", "name": pod}, "reason": reason, "lastTimestamp": "2026-06-08T03:07:00Z"});
    let evicted = event("vllm-runtime-5d9-fghij", "Evicted");
    let (killed, foreign) = (event("vllm-runtime-5d9-fghij", "Killing"), event("web-1", "Evicted"));
    let facts = read(&Objects {
        workload: Some(&deployment),
        revisions: vec![&set],
        events: vec![&evicted, &killed, &foreign],
        ..Objects::default()
    });
    let told: Vec<_> = facts.events.iter().map(|e| (e.reason.as_str(), e.about.1.as_str())).collect();
    assert_eq!(told, [("Evicted", "vllm-runtime-5d9-fghij")]);
}

#[test]
fn engines_are_recognised_among_other_workloads() {
    assert!(serves_a_model(&deployment()));
    assert!(!serves_a_model(
        &json!({"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "nginx:1"}]}}}})
    ));
}

// ---- hostile -------------------------------------------------------------------------------------------------------

#[test]
fn strings_that_steer_a_terminal_are_harmless_and_endless_ones_bounded() {
    let mut raw = pod("vllm-runtime-5d9-abcde", "5d9");
    raw["spec"]["nodeName"] = json!("gpu\u{1b}[2J\u{202e}");
    engine_state(&mut raw)["state"] = json!({"waiting": {"reason": "x".repeat(1_000_000)}});
    raw["spec"]["containers"][1]["args"] = json!(vec!["--a\u{7}"; 100_000]);
    let pod = one(&raw);
    assert_eq!(pod.node.as_deref(), Some("gpu·[2J·"));
    assert!(pod.waiting.expect("a reason").chars().count() <= 300);
    let (deployment, mut set) = (deployment(), replica_set("5d9", "42", "512", 2));
    set["spec"]["template"]["spec"]["containers"] = raw["spec"]["containers"].clone();
    let facts = read(&Objects { workload: Some(&deployment), revisions: vec![&set], ..Objects::default() });
    let args = &facts.revisions[0].template.containers[0].args;
    assert!(args.len() <= 512 && args.iter().all(|a| !a.contains('\u{7}')));
}

/// Replaces every value below `value` by every odd one, one at a time, and looks whether reading survives.
fn twist(whole: &mut Value, path: &str, look: &dyn Fn(&Value)) {
    let odd = [
        json!(null),
        json!(-1),
        json!(1e300),
        json!("x"),
        json!([]),
        json!({}),
        json!([[{}]]),
        json!(true),
        json!("9999-99-99T99:99:99Z"),
    ];
    let here = whole.pointer(path).cloned().unwrap_or_default();
    for value in odd {
        *whole.pointer_mut(path).expect("it was there") = value;
        look(whole);
    }
    *whole.pointer_mut(path).expect("it was there") = here.clone();
    let escaped = |key: &str| key.replace('~', "~0").replace('/', "~1");
    match here {
        Value::Object(map) => map.keys().for_each(|key| twist(whole, &format!("{path}/{}", escaped(key)), look)),
        Value::Array(list) => (0..list.len()).for_each(|at| twist(whole, &format!("{path}/{at}"), look)),
        _ => {}
    }
}

#[test]
fn whatever_stands_where_something_else_should_gives_less_and_no_panic() {
    let (deployment, set, pod) =
        (deployment(), replica_set("5d9", "42", "512", 2), pod("vllm-runtime-5d9-abcde", "5d9"));
    let event = json!({"involvedObject": {"kind": "Pod", "name": "vllm-runtime-5d9-abcde"}, "series": {"count": 1, "lastObservedTime": "2026-06-08T03:04:00Z"}, "lastTimestamp": "2026-06-08T03:00:00Z"});
    let everything = |workload: &Value, set: &Value, pod: &Value, event: &Value| {
        for kind in [WorkloadKind::Deployment, WorkloadKind::StatefulSet] {
            read(&Objects {
                kind: Some(kind),
                workload: Some(workload),
                revisions: vec![set],
                pods: vec![pod],
                nodes: Some(vec![workload, pod]),
                gpus_taken: None,
                config_maps: None,
                autoscalers: vec![workload, pod, event],
                events: vec![event, pod],
            });
        }
        gpus_of(pod);
    };
    twist(&mut deployment.clone(), "", &|odd| everything(odd, &set, &pod, &event));
    twist(&mut set.clone(), "", &|odd| everything(&deployment, odd, &pod, &event));
    twist(&mut pod.clone(), "", &|odd| everything(&deployment, &set, odd, &event));
    twist(&mut event.clone(), "", &|odd| everything(&deployment, &set, &pod, odd));
}
