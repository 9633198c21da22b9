//! The contract: what is asked of Kubernetes' API, and what it answers. The table below holds for a kube-apiserver, and
//! for the simulator as well.

use serde_json::{Value, json};
use warroom::sim::rules::Rules;
use warroom::sim::serve::{Options, serve};

use crate::asked::{Server, Step, ask};
use crate::real::real;
use crate::sim::{NAME, engines, setup};

const DEPLOYMENT: &str = "/apis/apps/v1/namespaces/{ns}/deployments/vllm-runtime";
const PODS: &str = "/api/v1/namespaces/{ns}/pods";
const EVENTS: &str = "/api/v1/namespaces/{ns}/events";
const SETS: &str = "/apis/apps/v1/namespaces/{ns}/replicasets";
const UNFIT: &str = "the server rejected our request due to an error in our request";
const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";

#[expect(clippy::too_many_lines, reason = "a table")]
fn reading() -> Vec<Step> {
    vec![
        ask("the server says its version", "GET", "/version").code(200).says("/gitVersion", "v1."),
        ask("the server is ready", "GET", "/readyz").code(200).says("", "ok"),
        ask("the rollout is over", "GET", DEPLOYMENT)
            .in_time()
            .code(200)
            .is("/status/readyReplicas", 2)
            .is("/status/updatedReplicas", 2)
            .is("/status/availableReplicas", 2)
            .any("/status/conditions", vec![("/type", json!("Available")), ("/status", json!("True"))])
            .any(
                "/status/conditions",
                vec![("/type", json!("Progressing")), ("/reason", json!("NewReplicaSetAvailable"))],
            ),
        ask("a GET has kind, version and metadata", "GET", DEPLOYMENT)
            .code(200)
            .is("/kind", "Deployment")
            .is("/apiVersion", "apps/v1")
            .is("/metadata/namespace", "{ns}")
            .has("/metadata/creationTimestamp")
            .is("/spec/progressDeadlineSeconds", 600)
            .is("/spec/revisionHistoryLimit", 10)
            .is("/spec/template/spec/restartPolicy", "Always")
            .is("/spec/template/spec/terminationGracePeriodSeconds", 30)
            .is("/spec/template/spec/containers/0/terminationMessagePath", "/dev/termination-log")
            .is("/spec/template/spec/containers/0/imagePullPolicy", "IfNotPresent")
            .is("/spec/template/spec/containers/0/readinessProbe/timeoutSeconds", 1)
            .is("/spec/template/spec/containers/0/readinessProbe/httpGet/scheme", "HTTP")
            .keep("uid", "/metadata/uid")
            .keep("rv", "/metadata/resourceVersion")
            .keep("generation", "/metadata/generation"),
        ask("who is not there is not found", "GET", "/apis/apps/v1/namespaces/{ns}/deployments/nobody")
            .refused(404, "NotFound", "deployments.apps \"nobody\" not found")
            .is("/metadata", json!({}))
            .is("/details", json!({"name": "nobody", "group": "apps", "kind": "deployments"})),
        ask("details of the core have no group", "GET", "/api/v1/namespaces/{ns}/pods/nobody")
            .refused(404, "NotFound", "pods \"nobody\" not found")
            .is("/details", json!({"name": "nobody", "kind": "pods"})),
        ask("a kind that is not served", "GET", "/apis/apps/v1/namespaces/{ns}/nothings")
            .refused(404, "NotFound", "the server could not find the requested resource")
            .is("/details", json!({})),
        ask("a namespace that is not there has an empty list", "GET", "/api/v1/namespaces/nowhere/pods")
            .code(200)
            .is("/kind", "PodList")
            .count("/items", 0)
            .has("/metadata/resourceVersion"),
        ask(
            "a list by label and field",
            "GET",
            format!("{PODS}?labelSelector=app%3Dvllm-runtime&fieldSelector=status.phase%3DRunning"),
        )
        .code(200)
        .is("/kind", "PodList")
        .is("/apiVersion", "v1")
        .count("/items", 2)
        .lacks("/items/0/kind")
        .lacks("/items/0/apiVersion")
        .lacks("/metadata/continue")
        .has("/items/0/metadata/labels/pod-template-hash")
        .is("/items/0/metadata/ownerReferences/0/kind", "ReplicaSet")
        .is("/items/0/metadata/ownerReferences/0/controller", true)
        .has("/items/0/status/podIP")
        .has("/items/0/status/startTime")
        .is("/items/0/status/containerStatuses/0/ready", true)
        .keep("pod", "/items/0/metadata/name")
        .keep("pod_uid", "/items/0/metadata/uid"),
        ask("labels are chosen in sets", "GET", format!("{PODS}?labelSelector=app%20in%20(a,vllm-runtime),!b"))
            .code(200)
            .count("/items", 2),
        ask("and by what they are not", "GET", format!("{PODS}?labelSelector=app!%3Dvllm-runtime"))
            .code(200)
            .count("/items", 0),
        ask("a name is a field", "GET", format!("{PODS}?fieldSelector=metadata.name%3D{{pod}}"))
            .code(200)
            .count("/items", 1),
        ask("a node is a field of a pod", "GET", format!("{PODS}?fieldSelector=spec.nodeName%3Dnowhere"))
            .code(200)
            .count("/items", 0),
        ask("a field that is no selector's", "GET", format!("{PODS}?fieldSelector=spec.colour%3Dred")).refused(
            400,
            "BadRequest",
            "field label not supported: spec.colour",
        ),
        ask("a list in pieces tells how many are left", "GET", format!("{PODS}?limit=1"))
            .code(200)
            .count("/items", 1)
            .is("/metadata/remainingItemCount", 1)
            .keep("more", "/metadata/continue"),
        ask("and goes on", "GET", format!("{PODS}?limit=1&continue={{more}}"))
            .code(200)
            .count("/items", 1)
            .lacks("/metadata/continue")
            .lacks("/metadata/remainingItemCount"),
        ask("a made-up piece is refused", "GET", format!("{PODS}?limit=1&continue=abc"))
            .code(400)
            .is("/reason", "BadRequest"),
        ask("a list from the cache", "GET", format!("{PODS}?resourceVersion=0")).code(200).count("/items", 2),
        ask("a version that is to come", "GET", format!("{PODS}?resourceVersion=999999999&timeoutSeconds=5"))
            .code(504)
            .is("/reason", "Timeout")
            .says("/message", "Too large resource version: 999999999")
            .is("/details/causes/0/reason", "ResourceVersionTooLarge"),
        ask("a list as a table", "GET", PODS)
            .header("accept", TABLE)
            .code(200)
            .is("/kind", "Table")
            .is("/apiVersion", "meta.k8s.io/v1")
            .count("/rows", 2)
            .is("/columnDefinitions/1/name", "Ready")
            .is("/columnDefinitions/2/name", "Status")
            .is("/columnDefinitions/3/name", "Restarts")
            .is("/columnDefinitions/6/name", "Node")
            .is("/columnDefinitions/6/priority", 1)
            .is("/rows/0/cells/1", "1/1")
            .is("/rows/0/cells/2", "Running")
            .is("/rows/0/object/kind", "PartialObjectMetadata"),
        ask("a table of Deployments", "GET", "/apis/apps/v1/namespaces/{ns}/deployments")
            .header("accept", TABLE)
            .code(200)
            .is("/columnDefinitions/1/name", "Ready")
            .is("/columnDefinitions/2/name", "Up-to-date")
            .is("/columnDefinitions/3/name", "Available")
            .is("/rows/0/cells/1", "2/2")
            .is("/rows/0/cells/2", 2),
        ask("metadata alone", "GET", PODS)
            .header("accept", "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io")
            .code(200)
            .is("/kind", "PartialObjectMetadataList")
            .is("/apiVersion", "meta.k8s.io/v1")
            .lacks("/items/0/spec")
            .has("/items/0/metadata/uid"),
    ]
}

fn finding() -> Vec<Step> {
    vec![
        ask("resources of a group", "GET", "/apis/apps/v1")
            .code(200)
            .is("/kind", "APIResourceList")
            .is("/groupVersion", "apps/v1")
            .any(
                "/resources",
                vec![
                    ("/name", json!("deployments/scale")),
                    ("/kind", json!("Scale")),
                    ("/group", json!("autoscaling")),
                ],
            )
            .any(
                "/resources",
                vec![
                    ("/name", json!("deployments")),
                    ("/shortNames", json!(["deploy"])),
                    ("/singularName", json!("deployment")),
                    ("/namespaced", json!(true)),
                ],
            ),
        ask("groups", "GET", "/apis")
            .code(200)
            .is("/kind", "APIGroupList")
            .any("/groups", vec![("/name", json!("apps")), ("/preferredVersion/groupVersion", json!("apps/v1"))]),
        ask("a group that is not there", "GET", "/apis/nothing.example/v1").code(404),
        ask("what I may do", "POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews")
            .sends(
                "",
                &json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
                "spec": {"resourceAttributes": {"namespace": "{ns}", "verb": "patch", "group": "apps",
                    "resource": "deployments", "subresource": "scale"}}}),
            )
            .code(201)
            .is("/kind", "SelfSubjectAccessReview")
            .is("/status/allowed", true)
            .is("/spec/resourceAttributes/subresource", "scale"),
    ]
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn patching() -> Vec<Step> {
    let json_patch = |says, body: Value| ask(says, "PATCH", DEPLOYMENT).sends("json-patch", &body);
    let merge = |says, body: Value| ask(says, "PATCH", DEPLOYMENT).sends("merge-patch", &body);
    let dry = |says, body: Value| ask(says, "PATCH", format!("{DEPLOYMENT}?dryRun=All")).sends("json-patch", &body);
    let three = json!([{"op": "test", "path": "/metadata/uid", "value": "{uid}"},
                       {"op": "replace", "path": "/spec/minReadySeconds", "value": 1}]);
    let three_added = json!([{"op": "test", "path": "/metadata/uid", "value": "{uid}"},
                             {"op": "add", "path": "/spec/minReadySeconds", "value": 1}]);
    vec![
        json_patch(
            "a test that fails",
            json!([{"op": "test", "path": "/metadata/uid", "value": "another"},
                   {"op": "replace", "path": "/spec/replicas", "value": 5}]),
        )
        .refused(422, "Invalid", UNFIT)
        .is("/details", json!({})),
        dry("replacing a member that is not there", three).code(200).is("/spec/minReadySeconds", 1),
        json_patch("replacing in what is not there", json!([{"op": "replace", "path": "/spec/nothing/new", "value": 1}]))
            .refused(422, "Invalid", UNFIT),
        json_patch("removing what is not there", json!([{"op": "remove", "path": "/spec/nothing"}]))
            .refused(422, "Invalid", UNFIT),
        json_patch("a test of a template that is another",
            json!([{"op": "test", "path": "/spec/template", "value": {"spec": {}}}])).refused(422, "Invalid", UNFIT),
        ask("a patch that is no patch", "PATCH", DEPLOYMENT).raw("application/json-patch+json", "{").code(400).is("/reason", "BadRequest"),
        ask("a kind of patch that nobody knows", "PATCH", DEPLOYMENT).raw("application/toml", "").code(415).is("/reason", "UnsupportedMediaType"),
        ask("a patch of nobody", "PATCH", "/apis/apps/v1/namespaces/{ns}/deployments/nobody")
            .sends("merge-patch", &json!({"spec": {}}))
            .refused(404, "NotFound", "deployments.apps \"nobody\" not found"),
        dry("a dry run shows what would be", three_added.clone()).code(200).is("/spec/minReadySeconds", 1).is("/spec/replicas", 2),
        ask("and keeps nothing", "GET", DEPLOYMENT)
            .code(200)
            .lacks("/spec/minReadySeconds")
            .is("/metadata/resourceVersion", "{rv}")
            .says("/metadata/generation", "{generation}"),
        ask("a dry run of another kind", "PATCH", format!("{DEPLOYMENT}?dryRun=Some"))
            .sends("merge-patch", &json!({}))
            .code(422)
            .is("/reason", "Invalid")
            .is("/message", "PatchOptions.meta.k8s.io \"\" is invalid: dryRun: Unsupported value: [\"Some\"]: supported values: \"All\""),
        merge("a patch that changes nothing makes no version", json!({"spec": {"replicas": 2}}))
            .code(200)
            .is("/metadata/resourceVersion", "{rv}"),
        merge("labels alone are no new generation", json!({"metadata": {"labels": {"team": "us"}}}))
            .code(200)
            .is("/metadata/labels/team", "us")
            .says("/metadata/generation", "{generation}"),
        merge("annotations of a Deployment are", json!({"metadata": {"annotations": {"ticket": "INC-1"}}}))
            .code(200)
            .is("/metadata/annotations/ticket", "INC-1")
            .is("/metadata/generation", 2)
            .keep("rv", "/metadata/resourceVersion"),
        ask("a merge takes away what is null, signed", "PATCH", format!("{DEPLOYMENT}?fieldManager=contract"))
            .sends("merge-patch", &json!({"metadata": {"annotations": {"ticket": null, "owner": "us"}}}))
            .code(200)
            .lacks("/metadata/annotations/ticket")
            .any("/metadata/managedFields", vec![
                ("/manager", json!("contract")),
                ("/operation", json!("Update")),
                ("/apiVersion", json!("apps/v1")),
                ("/fieldsType", json!("FieldsV1")),
                ("/fieldsV1/f:metadata/f:annotations/f:owner", json!({})),
            ]),
        merge("a version that was", json!({"metadata": {"resourceVersion": "{rv}"}, "spec": {"replicas": 3}}))
            .refused(
                409,
                "Conflict",
                "Operation cannot be fulfilled on deployments.apps \"vllm-runtime\": the object has been modified; \
                 please apply your changes to the latest version and try again",
            )
            .is("/details", json!({"name": "vllm-runtime", "group": "apps", "kind": "deployments"})),
        ask("an unknown field, strictly", "PATCH", format!("{DEPLOYMENT}?fieldValidation=Strict"))
            .sends("merge-patch", &json!({"spec": {"replica": 3}}))
            .code(422)
            .is("/reason", "Invalid")
            .says("/message", " \"\" is invalid: patch: Invalid value: ")
            .says("/message", "strict decoding error: unknown field \"spec.replica\""),
        ask("an unknown field of what is put, strictly", "PUT", format!("{DEPLOYMENT}?fieldValidation=Strict"))
            .sends("", &json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"replica": 3}}))
            .code(400)
            .is("/reason", "BadRequest")
            .says("/message", "strict decoding error: unknown field \"spec.replica\""),
        ask("an unknown field, as it comes", "PATCH", DEPLOYMENT)
            .sends("merge-patch", &json!({"spec": {"replica": 3}}))
            .code(200)
            .warns("unknown field \\\"spec.replica\\\"")
            .lacks("/spec/replica")
            .is("/spec/replicas", 2),
        merge("less than nothing", json!({"spec": {"replicas": -1}}))
            .code(422)
            .is("/reason", "Invalid")
            .is("/details/kind", "Deployment")
            .is("/details/causes/0/field", "spec.replicas")
            .is("/details/causes/0/reason", "FieldValueInvalid")
            .says("/message", "Deployment.apps \"vllm-runtime\" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0"),
        merge("another selector", json!({"spec": {"selector": {"matchLabels": {"other": "x"}}}}))
            .code(422)
            .is("/reason", "Invalid"),
        ask("containers are known by name", "PATCH", format!("{DEPLOYMENT}?dryRun=All"))
            .sends(
                "strategic-merge-patch",
                &json!({"spec": {"template": {"spec": {"containers": [
                    {"name": "vllm", "env": [{"name": "A", "value": "b"}]}]}}}}),
            )
            .code(200)
            .is("/spec/template/spec/containers/0/image", "vllm/vllm-openai:v0.32.0")
            .is("/spec/template/spec/containers/0/env/0/value", "b")
            .lacks("/spec/template/spec/containers/1"),
        merge("a list is replaced whole", json!({"spec": {"template": {"spec": {"containers": []}}}})).code(422).is("/reason", "Invalid"),
        ask("somebody else's version, put", "GET", DEPLOYMENT).code(200).keep("rv", "/metadata/resourceVersion"),
    ]
}

fn scaling() -> Vec<Step> {
    let scale = || format!("{DEPLOYMENT}/scale");
    vec![
        ask("a scale is a part of the whole", "GET", scale())
            .code(200)
            .is("/kind", "Scale")
            .is("/apiVersion", "autoscaling/v1")
            .is("/metadata/uid", "{uid}")
            .is("/metadata/resourceVersion", "{rv}")
            .is("/spec/replicas", 2)
            .is("/status/replicas", 2)
            .is("/status/selector", "app=vllm-runtime"),
        ask("a scale that was tested", "PATCH", format!("{}?fieldManager=contract", scale()))
            .sends(
                "json-patch",
                &json!([{"op": "test", "path": "/spec/replicas", "value": 2},
                        {"op": "replace", "path": "/spec/replicas", "value": 3}]),
            )
            .code(200)
            .is("/kind", "Scale")
            .is("/spec/replicas", 3),
        ask("a test of a scale that fails", "PATCH", scale())
            .sends("json-patch", &json!([{"op": "test", "path": "/spec/replicas", "value": 2}]))
            .refused(422, "Invalid", UNFIT),
        ask("less than nothing", "PATCH", scale())
            .sends("merge-patch", &json!({"spec": {"replicas": -1}}))
            .code(422)
            .is("/reason", "Invalid"),
        ask("the whole follows, signed as a scale", "GET", DEPLOYMENT)
            .in_time()
            .code(200)
            .is("/spec/replicas", 3)
            .is("/status/readyReplicas", 3)
            .any(
                "/metadata/managedFields",
                vec![
                    ("/manager", json!("contract")),
                    ("/subresource", json!("scale")),
                    ("/fieldsV1/f:spec/f:replicas", json!({})),
                ],
            ),
        ask(
            "an event tells of it",
            "GET",
            format!("{EVENTS}?fieldSelector=involvedObject.kind%3DDeployment,reason%3DScalingReplicaSet"),
        )
        .in_time()
        .code(200)
        .is("/kind", "EventList")
        .is("/items/0/involvedObject/uid", "{uid}")
        .is("/items/0/involvedObject/apiVersion", "apps/v1")
        .is("/items/0/type", "Normal")
        .is("/items/0/source/component", "deployment-controller")
        .has("/items/0/firstTimestamp")
        .says("/items", " from 2 to 3"),
        ask(
            "the same in its newer form",
            "GET",
            "/apis/events.k8s.io/v1/namespaces/{ns}/events?fieldSelector=reason%3DScalingReplicaSet",
        )
        .code(200)
        .is("/kind", "EventList")
        .is("/apiVersion", "events.k8s.io/v1")
        .is("/items/0/regarding/name", "vllm-runtime")
        .has("/items/0/note")
        .has("/items/0/deprecatedSource/component"),
        ask("and back", "PATCH", scale())
            .sends("merge-patch", &json!({"spec": {"replicas": 2}}))
            .code(200)
            .is("/spec/replicas", 2),
        ask("the third is gone", "GET", PODS)
            .in_time()
            .code(200)
            .count("/items", 2)
            .keep("pod", "/items/0/metadata/name")
            .keep("pod_uid", "/items/0/metadata/uid"),
        ask("and the rest is ready", "GET", DEPLOYMENT)
            .in_time()
            .code(200)
            .is("/status/readyReplicas", 2)
            .is("/status/replicas", 2)
            .keep("rv", "/metadata/resourceVersion")
            .keep("generation", "/metadata/generation"),
    ]
}

fn watching() -> Vec<Step> {
    let list = "/apis/apps/v1/namespaces/{ns}/deployments";
    vec![
        ask("something happens", "PATCH", DEPLOYMENT)
            .sends("merge-patch", &json!({"metadata": {"annotations": {"seen": "1"}}}))
            .code(200)
            .keep("after", "/metadata/resourceVersion")
            .keep("generation", "/metadata/generation"),
        ask("a watch tells what was after a version", "GET", format!("{list}?watch=1&resourceVersion={{rv}}&timeoutSeconds=1"))
            .code(200)
            .is("/0/type", "MODIFIED")
            .is("/0/object/kind", "Deployment")
            .is("/0/object/apiVersion", "apps/v1")
            .is("/0/object/metadata/resourceVersion", "{after}")
            .is("/0/object/metadata/annotations/seen", "1"),
        ask("the controller has seen it", "GET", DEPLOYMENT)
            .in_time()
            .code(200)
            .says("/status/observedGeneration", "{generation}")
            .keep("after", "/metadata/resourceVersion"),
        ask("a watch of a name that is another's tells nothing", "GET",
            format!("{list}?watch=1&resourceVersion={{rv}}&timeoutSeconds=1&fieldSelector=metadata.name%3Dnobody"))
            .code(200)
            .count("", 0),
        ask("a watch without a version begins with what is there", "GET", format!("{list}?watch=1&timeoutSeconds=1"))
            .code(200)
            .count("", 1)
            .is("/0/type", "ADDED"),
        ask(
            "and marks where that ends",
            "GET",
            format!("{list}?watch=1&resourceVersion=0&timeoutSeconds=1&allowWatchBookmarks=true"),
        )
        .code(200)
        .is("/0/type", "ADDED")
        .is("/1/type", "BOOKMARK")
        .is("/1/object/kind", "Deployment")
        .lacks("/1/object/metadata/name")
        .has("/1/object/metadata/resourceVersion"),
        ask("a watch as a table", "GET", format!("{list}?watch=1&timeoutSeconds=1"))
            .header("accept", TABLE)
            .code(200)
            .is("/0/object/kind", "Table")
            .has("/0/object/columnDefinitions/0")
            .is("/0/object/rows/0/object/metadata/name", "vllm-runtime"),
        ask("a list as a watch ends with a bookmark", "GET", format!(
            "{list}?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&timeoutSeconds=2"))
            .code(200)
            .is("/0/type", "ADDED")
            .is("/1/type", "BOOKMARK")
            .is("/1/object/metadata/annotations", json!({"k8s.io/initial-events-end": "true"})),
        ask("a version that is forgotten", "GET", "{forgotten}")
            .code(200)
            .count("", 1)
            .is("/0/type", "ERROR")
            .is("/0/object/kind", "Status")
            .is("/0/object/code", 410)
            .is("/0/object/reason", "Expired")
            .says("/0/object/message", "too old resource version: "),
    ]
}

fn rolling() -> Vec<Step> {
    vec![
        ask("the old revision", "GET", SETS)
            .code(200)
            .keep("sets", "/items/0/metadata/annotations/deployment.kubernetes.io~1revision"),
        ask("another template is another generation", "PATCH", DEPLOYMENT)
            .sends(
                "json-patch",
                &json!([{"op": "replace", "path": "/spec/template/spec/containers/0/args",
                                          "value": ["llama", "--max-num-seqs=512"]}]),
            )
            .code(200)
            .keep("generation", "/metadata/generation"),
        ask("the controller sees it", "GET", DEPLOYMENT)
            .in_time()
            .code(200)
            .says("/status/observedGeneration", "{generation}")
            .keep("revision", "/metadata/annotations/deployment.kubernetes.io~1revision"),
        ask("it becomes a ReplicaSet with the next number", "GET", SETS).in_time().code(200).any(
            "/items",
            vec![
                ("/metadata/annotations/deployment.kubernetes.io~1revision", json!("{revision}")),
                ("/metadata/ownerReferences/0/uid", json!("{uid}")),
                ("/spec/template/spec/containers/0/args", json!(["llama", "--max-num-seqs=512"])),
            ],
        ),
        ask("and is rolled out", "GET", DEPLOYMENT)
            .in_time()
            .code(200)
            .is("/status/updatedReplicas", 2)
            .is("/status/replicas", 2)
            .is("/status/availableReplicas", 2)
            .any(
                "/status/conditions",
                vec![("/type", json!("Progressing")), ("/reason", json!("NewReplicaSetAvailable"))],
            ),
        ask("its pods", "GET", format!("{PODS}?labelSelector=app%3Dvllm-runtime"))
            .in_time()
            .code(200)
            .count("/items", 2)
            .keep("pod", "/items/0/metadata/name")
            .keep("pod_uid", "/items/0/metadata/uid"),
    ]
}

fn pods() -> Vec<Step> {
    let pod = |part: &str| format!("{PODS}/{{pod}}{part}");
    vec![
        ask("a log", "GET", pod("/log")).code(200).says("", "Application startup complete."),
        ask("its last line", "GET", pod("/log?tailLines=1&container=vllm")).code(200).says("", "INFO Application startup complete.\n"),
        ask("with its time", "GET", pod("/log?tailLines=1&timestamps=true")).code(200).says("", "Z INFO Application startup complete.\n"),
        ask("of a container that is not there", "GET", pod("/log?container=nobody"))
            .refused(400, "BadRequest", "container nobody is not valid for pod {pod}"),
        ask("of a run that was not", "GET", pod("/log?previous=true"))
            .refused(400, "BadRequest", "previous terminated container \"vllm\" in pod \"{pod}\" not found"),
        ask("of a pod that is not there", "GET", format!("{PODS}/nobody/log")).refused(404, "NotFound", "pods \"nobody\" not found"),
        ask("a page through the server", "GET", pod(":8000/proxy/metrics")).code(200).says("", "vllm:num_requests_running"),
        ask("a page that the pod does not have", "GET", pod(":8000/proxy/nothing")).code(404),
        ask("a port that nobody listens at", "GET", pod(":9999/proxy/metrics"))
            .code(503)
            .is("/reason", "ServiceUnavailable")
            .says("/message", "error trying to reach service: dial tcp")
            .says("/message", "connection refused"),
        ask("a page of a pod that is not there", "GET", format!("{PODS}/nobody:8000/proxy/metrics"))
            .refused(404, "NotFound", "pods \"nobody\" not found"),
        ask("a deletion of somebody else", "DELETE", pod(""))
            .sends("", &json!({"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": "another"}}))
            .code(409)
            .is("/reason", "Conflict")
            .is(
                "/message",
                "Operation cannot be fulfilled on Pod \"{pod}\": the UID in the precondition (another) does not match the \
                 UID in record ({pod_uid}). The object might have been deleted and then recreated",
            ),
        ask("a deletion that is tried", "DELETE", pod("?dryRun=All")).code(200),
        ask("it is still there", "GET", pod("")).code(200).lacks("/metadata/deletionTimestamp"),
        ask("an eviction", "POST", pod("/eviction"))
            .sends("", &json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "{pod}", "namespace": "{ns}"}}))
            .code(201)
            .is("/kind", "Status")
            .is("/status", "Success"),
        ask("it is gone", "GET", pod("")).in_time().code(404),
        ask("and another has come", "GET", DEPLOYMENT).in_time().code(200).is("/status/readyReplicas", 2),
        ask("a pod of nobody", "DELETE", format!("{PODS}/nobody")).refused(404, "NotFound", "pods \"nobody\" not found"),
    ]
}

fn forbidden() -> Vec<Step> {
    vec![
        ask("what is not allowed in a namespace", "GET", PODS).refused(
            403,
            "Forbidden",
            "pods is forbidden: User \"{user}\" cannot list resource \"pods\" in API group \"\" in the namespace \"{ns}\"",
        )
        .is("/details", json!({"kind": "pods"})),
        ask("in the cluster", "GET", "/api/v1/nodes").refused(
            403,
            "Forbidden",
            "nodes is forbidden: User \"{user}\" cannot list resource \"nodes\" in API group \"\" at the cluster scope",
        ),
        ask("of one", "PATCH", format!("{DEPLOYMENT}/scale")).sends("merge-patch", &json!({})).refused(
            403,
            "Forbidden",
            "deployments.apps \"vllm-runtime\" is forbidden: User \"{user}\" cannot patch resource \"deployments/scale\" \
             in API group \"apps\" in the namespace \"{ns}\"",
        )
        .is("/details", json!({"name": "vllm-runtime", "group": "apps", "kind": "deployments"})),
    ]
}

fn contract() -> Vec<Step> {
    [reading(), finding(), patching(), scaling(), watching(), rolling(), pods()].into_iter().flatten().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_simulator_answers_as_the_contract_says() {
    let mut setup = setup();
    setup.manifests.pop();
    setup.earlier.clear();
    let handle = serve(setup.clone(), |_| engines(0.0), Options::default()).await.expect("it opens");
    // More than it remembers happens first.
    handle.skip(1200.0);
    let mut server = Server::simulated(handle).await;
    server.known.insert("ns", crate::sim::NAMESPACE.to_owned());
    server.known.insert("forgotten", "/api/v1/pods?watch=1&resourceVersion=2&timeoutSeconds=2".to_owned());
    let otherwise = server.take(&contract()).await;
    assert!(otherwise.is_empty(), "{}", otherwise.join("\n"));

    let denied = [("list", "pods"), ("list", "nodes"), ("patch", "deployments/scale")];
    let denied = denied.iter().map(|(v, r)| ((*v).to_owned(), (*r).to_owned())).collect();
    let options = Options { rules: Rules::but(denied), ..Options::default() };
    let mut server = Server::simulated(serve(setup, |_| engines(0.0), options).await.expect("it opens")).await;
    server.known.insert("ns", crate::sim::NAMESPACE.to_owned());
    server.known.insert("user", "sim".to_owned());
    let otherwise = server.take(&forbidden()).await;
    assert!(otherwise.is_empty(), "{}", otherwise.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kube_apiserver_answers_as_the_contract_says() {
    let Some(real) = real("a_kube_apiserver_answers_as_the_contract_says") else { return };
    let mut server = Server::real(real).await;
    server.known.insert("ns", "contract".to_owned());
    server.known.insert("user", "nobody".to_owned());
    // The store of a kind that is asked for the first time remembers nothing of before.
    let forgotten = "/apis/argoproj.io/v1alpha1/applications?watch=1&resourceVersion=1&timeoutSeconds=2";
    server.known.insert("forgotten", forgotten.to_owned());
    let mut before = vec![
        ask("a namespace", "POST", "/api/v1/namespaces")
            .sends("", &json!({"metadata": {"name": "contract"}}))
            .code(201),
    ];
    for mut manifest in setup().manifests.into_iter().filter(|m| m["kind"] == "Deployment") {
        manifest["metadata"]["namespace"] = json!("contract");
        assert_eq!(manifest["metadata"]["name"], NAME);
        before.push(
            ask("a Deployment", "POST", "/apis/apps/v1/namespaces/{ns}/deployments").sends("", &manifest).code(201),
        );
    }
    let otherwise = server.take(&before).await;
    assert!(otherwise.is_empty(), "{}", otherwise.join("\n"));
    let otherwise = server.take(&contract()).await;
    assert!(otherwise.is_empty(), "{}", otherwise.join("\n"));

    let as_nobody = forbidden().into_iter().map(|s| s.header("impersonate-user", "nobody")).collect::<Vec<_>>();
    let otherwise = server.take(&as_nobody).await;
    assert!(otherwise.is_empty(), "{}", otherwise.join("\n"));
}
