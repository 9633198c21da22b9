//! The gateway in front is found by the objects that lead to the workload, and each step that is not allowed or not there
//! is told with what mends it.

use serde_json::{Value, json};
use warroom::domain::{Role, SourceState, Watch};
use warroom::source::kubernetes::Neighbour;

use crate::cluster::{Cluster, DEPLOYMENTS, Fault, deployment, serving, stranger};
use crate::{Told, run, state};

const ROUTES: &str = "routes to gateways";
const SERVICES: &str = "/api/v1/namespaces/llm/services";
const HTTP_ROUTES: &str = "/apis/gateway.networking.k8s.io/v1/namespaces/llm/httproutes";
const ALL_ROUTES: &str = "/apis/gateway.networking.k8s.io/v1/httproutes";
const POOLS: &str = "/apis/inference.networking.x-k8s.io/v1alpha2/namespaces/llm/inferencepools";
const INGRESSES: &str = "/apis/networking.k8s.io/v1/namespaces/llm/ingresses";
const CLASSES: &str = "/apis/networking.k8s.io/v1/ingressclasses";

/// A cluster that serves, whose pods a Service selects, and with an Envoy elsewhere that is somebody else's.
async fn served() -> Cluster {
    let cluster = serving().await;
    let mut labelled = deployment("vllm", "vllm:0.32");
    labelled["spec"]["template"]["metadata"] = json!({"labels": {"app": "vllm"}});
    cluster.put(DEPLOYMENTS, labelled);
    let service = |name: &str, app: &str| json!({"metadata": {"name": name}, "spec": {"selector": {"app": app}}});
    cluster.put(SERVICES, service("front", "vllm"));
    cluster.put(SERVICES, service("picker", "epp"));
    beside(&cluster, "elsewhere", "foreign", &json!({"app.kubernetes.io/name": "envoy"}), 19_001);
    cluster
}

fn beside(cluster: &Cluster, namespace: &str, name: &str, labels: &Value, port: u16) {
    cluster.put(&format!("/api/v1/namespaces/{namespace}/pods"), stranger(namespace, name, "cpu-1", labels, port));
}

fn route(to: &Value) -> Value {
    json!({"metadata": {"name": "chat"}, "spec": {"parentRefs": [{"name": "edge", "namespace": "infra"}],
           "rules": [{"backendRefs": [to]}]}})
}

fn ingress(class: &str) -> Value {
    json!({"metadata": {"name": "web"}, "spec": {"ingressClassName": class,
           "rules": [{"http": {"paths": [{"backend": {"service": {"name": "front"}}}]}}]}})
}

fn class(name: &str, controller: &str) -> Value {
    json!({"metadata": {"name": name}, "spec": {"controller": controller}})
}

/// What is found, once the routes were looked at: the pods of gateways, and how the looking went.
async fn found(cluster: &Cluster) -> (Vec<Neighbour>, Watch) {
    let mut told = Told::by(cluster);
    told.until("the routes", |s| state(s, ROUTES).is_some()).await;
    let all = told.neighbours.borrow().clone();
    (all.into_iter().filter(|n| n.role == Role::Gateway).collect(), told.watch(ROUTES))
}

fn pages(found: &[Neighbour]) -> Vec<(&str, u16, &str, &str)> {
    let by = |n: &'_ Neighbour| n.found.as_deref().map_or("", |_| "traced");
    found.iter().map(|n| (n.pod.as_str(), n.port, n.path.as_str(), by(n))).collect()
}

#[test]
fn a_route_to_a_service_leads_to_its_gateways_own_pods_and_not_to_another_envoy() {
    run(async {
        let cluster = served().await;
        cluster.put(HTTP_ROUTES, route(&json!({"name": "front"})));
        beside(&cluster, "infra", "edge-1", &json!({"gateway.networking.k8s.io/gateway-name": "edge"}), 15_020);
        beside(&cluster, "infra", "other-1", &json!({"gateway.networking.k8s.io/gateway-name": "other"}), 15_020);
        let (gateways, watch) = found(&cluster).await;
        assert_eq!(pages(&gateways), [("edge-1", 15_020, "/stats/prometheus", "traced")]);
        assert_eq!(gateways[0].found.as_deref(), Some("HTTPRoute chat of Gateway edge"));
        assert_eq!((watch.state, watch.error), (SourceState::Live, None));
        assert_eq!(cluster.count("ingresses"), 0, "what led nowhere further is not asked for");
    });
}

#[test]
fn a_route_that_stands_beside_its_gateway_in_another_namespace_leads_there_too() {
    run(async {
        let cluster = served().await;
        let mut elsewhere = route(&json!({"name": "front", "namespace": "llm"}));
        elsewhere["metadata"]["namespace"] = json!("infra");
        cluster.put(ALL_ROUTES, elsewhere);
        beside(&cluster, "infra", "edge-1", &json!({"gateway.networking.k8s.io/gateway-name": "edge"}), 15_020);
        let (gateways, _) = found(&cluster).await;
        assert_eq!(pages(&gateways), [("edge-1", 15_020, "/stats/prometheus", "traced")]);
        assert_eq!(gateways[0].found.as_deref(), Some("HTTPRoute infra/chat of Gateway edge"));
    });
    run(async {
        let cluster = served().await;
        cluster.fault(ALL_ROUTES, Fault::Denied);
        let (_, watch) = found(&cluster).await;
        let error = watch.error.unwrap_or_default();
        assert_eq!(watch.state, SourceState::Denied, "{error}");
        assert!(error.contains("allow 'list' on 'httproutes' in all namespaces"), "{error}");
    });
}

#[test]
fn envoy_gateways_proxies_run_in_its_own_namespace() {
    run(async {
        let cluster = served().await;
        cluster.put(POOLS, json!({"metadata": {"name": "pool"}, "spec": {"selector": {"app": "vllm"}}}));
        cluster.put(HTTP_ROUTES, route(&json!({"kind": "InferencePool", "name": "pool"})));
        let labels = |of: &str| json!({"gateway.envoyproxy.io/owning-gateway-name": "edge", "gateway.envoyproxy.io/owning-gateway-namespace": of});
        beside(&cluster, "envoy-gateway-system", "proxy", &labels("infra"), 19_001);
        beside(&cluster, "envoy-gateway-system", "namesake", &labels("web"), 19_001);
        let (gateways, _) = found(&cluster).await;
        assert_eq!(pages(&gateways), [("proxy", 19_001, "/stats/prometheus", "traced")]);
    });
}

#[test]
fn an_ingress_leads_to_the_pods_of_its_class_controller_and_their_own_page() {
    run(async {
        let cluster = served().await;
        let labels = json!({"app.kubernetes.io/name": "ingress-nginx", "app.kubernetes.io/component": "controller"});
        let mut pod = stranger("web", "nginx-1", "cpu-1", &labels, 10_254);
        pod["spec"]["containers"][0]["ports"] = json!([{"name": "http", "containerPort": 80}]);
        cluster.put("/api/v1/namespaces/web/pods", pod);
        cluster.put(INGRESSES, ingress("inner"));
        cluster.put(CLASSES, class("inner", "k8s.io/ingress-nginx"));
        let (gateways, _) = found(&cluster).await;
        assert_eq!(pages(&gateways), [("nginx-1", 10_254, "/metrics", "traced")]);
        assert_eq!(gateways[0].found.as_deref(), Some("Ingress web of k8s.io/ingress-nginx"));

        let cluster = served().await;
        cluster.put(INGRESSES, ingress("alb"));
        cluster.put(CLASSES, class("alb", "ingress.k8s.aws/alb"));
        cluster.fault("owning-gateway", Fault::Denied);
        let (gateways, watch) = found(&cluster).await;
        assert_eq!(pages(&gateways), [("foreign", 19_001, "/stats/prometheus", "")], "a guess is better than nothing");
        assert_eq!(watch.state, SourceState::Live);
    });
}

#[test]
fn where_no_proxy_is_found_the_endpoint_picker_tells_of_requests() {
    run(async {
        let cluster = served().await;
        let pool = json!({"metadata": {"name": "pool"},
                          "spec": {"selector": {"app": "vllm"}, "extensionRef": {"name": "picker"}}});
        cluster.put(POOLS, pool);
        beside(&cluster, "llm", "picker-1", &json!({"app": "epp"}), 9090);
        let (gateways, _) = found(&cluster).await;
        assert_eq!(pages(&gateways), [("picker-1", 9090, "/metrics", "traced")]);
    });
}

#[test]
fn what_may_not_be_read_on_the_way_is_named_with_what_allows_it() {
    run(async {
        let cluster = served().await;
        cluster.put(HTTP_ROUTES, route(&json!({"name": "front"})));
        cluster.fault("namespaces/infra/pods", Fault::Denied);
        let (_, watch) = found(&cluster).await;
        let error = watch.error.expect("a reason");
        assert_eq!((watch.state, watch.heard), (SourceState::Denied, None));
        assert!(error.contains("Gateway edge") && error.contains("warroom rbac --neighbour infra"), "{error}");

        cluster.fault("/services?", Fault::Denied);
        let (gateways, watch) = found(&cluster).await;
        let error = watch.error.expect("a reason");
        assert!(error.contains("allow 'list' on 'services'"), "{error}");
        assert_eq!(gateways[0].pod, "foreign", "and what has a gateway's labels is read all the same");
    });
}

#[test]
fn what_is_not_there_is_told_where_nothing_at_all_was_found() {
    run(async {
        let cluster = served().await;
        cluster.delete("/api/v1/namespaces/elsewhere/pods", "foreign");
        for kind in ["httproutes", "inferencepools"] {
            let none = json!({"kind": "Status", "code": 404, "message": "the server could not find it"}).to_string();
            cluster.fault(kind, Fault::Answer(404, none));
        }
        let (gateways, watch) = found(&cluster).await;
        assert!(gateways.is_empty());
        assert_eq!(watch.state, SourceState::Absent);
        let error = watch.error.expect("a reason");
        for told in ["no Ingress leads to front", "no HTTPRoutes", "no InferencePools", "gateway.selector"] {
            assert!(error.contains(told), "no '{told}' in: {error}");
        }
    });
}
