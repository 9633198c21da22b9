//! An API server under a test's control: lists, watches, single objects, pods' pages and logs over real HTTP, and every
//! way to go wrong.

#[path = "forward.rs"]
mod forward;

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, StreamBody, combinators::BoxBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use warroom::apiserver::Client;

/// How a request goes wrong.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// It is not allowed.
    Denied,
    /// Nothing is answered, ever.
    Hang,
    /// The connection breaks off.
    Reset,
    /// This status with this body.
    Answer(u16, String),
}

/// What a pod's port does.
#[derive(Debug, Clone)]
pub(crate) enum Port {
    /// A page.
    Page(String),
    /// Nobody listens.
    Refused,
    /// It accepts and says nothing.
    Hang,
    /// The process itself answers this.
    Answer(u16, String),
}

/// What a port-forward to a pod's port does.
#[derive(Debug, Clone)]
pub(crate) enum Inside {
    /// It leads to this.
    Port(Port),
    /// It leads to a page that breaks off in the middle, and the stream with it.
    Cut(String),
    /// It leads to a page, and the process closes the connection after each, as it does with one that was idle.
    Once(String),
    /// It is opened, and from then on nothing comes through, neither from the pod nor from the kubelet.
    Dead,
    /// The node is not reached.
    Unreached,
}

#[derive(Default)]
struct State {
    /// By the list's path and the object's name.
    objects: BTreeMap<String, BTreeMap<String, Value>>,
    version: u64,
    /// Below this, a watch is told that it comes too late.
    forgotten: u64,
    history: Vec<(String, u64, Value)>,
    watchers: Vec<(String, mpsc::UnboundedSender<Value>)>,
    /// By a part of the path with its query.
    faults: Vec<(String, Fault)>,
    ports: HashMap<String, Port>,
    insides: HashMap<String, Inside>,
    logs: HashMap<String, String>,
    requests: Vec<String>,
}

/// The server; it ends with the runtime that it was started in.
#[derive(Clone)]
pub(crate) struct Cluster {
    pub(crate) url: String,
    state: Arc<Mutex<State>>,
}

type Body = BoxBody<Bytes, Infallible>;

impl Cluster {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let cluster = Self { url, state: Arc::default() };
        let serving = cluster.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let serving = serving.clone();
                tokio::spawn(async move {
                    let answer = service_fn(move |request| {
                        let serving = serving.clone();
                        async move { serving.answer(request).await }
                    });
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), answer)
                        .with_upgrades()
                        .await;
                });
            }
        });
        cluster
    }

    pub(crate) fn client(&self) -> Client {
        let config = kube::Config::new(self.url.parse().expect("a URL"));
        warroom::apiserver::connect::client(config).expect("a client")
    }

    /// A kubeconfig that leads here, in which `namespace` is the default.
    pub(crate) fn kubeconfig(&self, namespace: &str) -> String {
        json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster": {"server": self.url}}],
            "users": [{"name": "test", "user": {"token": "s3cret"}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test", "namespace": namespace}}]
        })
        .to_string()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic")
    }

    /// Creates or replaces an object of a list, and tells whoever watches.
    pub(crate) fn put(&self, list: &str, object: Value) {
        self.tell(list, object, false);
    }

    pub(crate) fn delete(&self, list: &str, name: &str) {
        let object = self.state().objects.get_mut(list).and_then(|l| l.remove(name)).expect("it was there");
        self.tell(list, object, true);
    }

    fn tell(&self, list: &str, mut object: Value, deleted: bool) {
        let mut state = self.state();
        state.version += 1;
        object["metadata"]["resourceVersion"] = json!(state.version.to_string());
        let name = object["metadata"]["name"].as_str().expect("a name").to_owned();
        let kind = if deleted {
            "DELETED"
        } else {
            state.objects.entry(list.to_owned()).or_default().insert(name, object.clone());
            "MODIFIED"
        };
        let event = json!({"type": kind, "object": object});
        let version = state.version;
        state.history.push((list.to_owned(), version, event.clone()));
        state.watchers.retain(|(l, watcher)| l != list || watcher.send(event.clone()).is_ok());
    }

    /// From now on, requests whose path and query contain `part` go wrong; the first that fits counts.
    pub(crate) fn fault(&self, part: &str, fault: Fault) {
        self.state().faults.push((part.to_owned(), fault));
    }

    pub(crate) fn heal(&self) {
        self.state().faults.clear();
    }

    /// Ends every watch and forgets what happened so far: whoever comes back has to list anew.
    pub(crate) fn forget(&self) {
        let mut state = self.state();
        state.forgotten = state.version + 1;
        state.version += 1;
        state.watchers.clear();
    }

    /// Ends every watch as a server does whose time is over.
    pub(crate) fn end_watches(&self) {
        self.state().watchers.clear();
    }

    pub(crate) fn port(&self, pod_and_port: &str, port: Port) {
        self.state().ports.insert(pod_and_port.to_owned(), port);
    }

    /// What a port-forward to `POD:PORT` does; without this it is not allowed.
    pub(crate) fn inside(&self, pod_and_port: &str, inside: Inside) {
        self.state().insides.insert(pod_and_port.to_owned(), inside);
    }

    pub(crate) fn log(&self, pod: &str, text: &str) {
        self.state().logs.insert(pod.to_owned(), text.to_owned());
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.state().requests.clone()
    }

    pub(crate) fn count(&self, part: &str) -> usize {
        self.state().requests.iter().filter(|r| r.contains(part)).count()
    }

    async fn answer(&self, mut request: Request<Incoming>) -> Result<Response<Body>, std::io::Error> {
        let whole = request.uri().to_string();
        let fault = {
            let mut state = self.state();
            state.requests.push(whole.clone());
            state.faults.iter().find(|(part, _)| whole.contains(part.as_str())).map(|(_, fault)| fault.clone())
        };
        match fault {
            None => {}
            Some(Fault::Hang) => std::future::pending().await,
            Some(Fault::Reset) => return Err(std::io::Error::other("reset")),
            Some(Fault::Answer(code, body)) => return Ok(text(code, body)),
            Some(Fault::Denied) => {
                return Ok(status(403, "Forbidden", "it is forbidden: User \"test\" cannot do that"));
            }
        }
        let path = request.uri().path();
        let query = request.uri().query().unwrap_or_default();
        if path == "/version" {
            return Ok(text(200, json!({"major": "1"}).to_string()));
        }
        if let Some(pod) = path.strip_suffix("/portforward") {
            let pod = pod.rsplit('/').next().unwrap_or_default();
            let port = query.split('&').find_map(|p| p.strip_prefix("ports=")).unwrap_or_default();
            let inside = self.state().insides.get(&format!("{pod}:{port}")).cloned();
            return Ok(match inside {
                None => status(403, "Forbidden", "pods \"x\" is forbidden: User \"test\" cannot do that"),
                Some(Inside::Unreached) => {
                    status(500, "InternalError", "error dialing backend: dial tcp 10.1.0.1:10250: i/o timeout")
                }
                Some(inside) => forward::open(&mut request, inside),
            });
        }
        if let Some((pod, page)) = path.split_once("/proxy") {
            let pod = pod.rsplit('/').next().unwrap_or_default();
            return Ok(self.page(pod, page).await);
        }
        if let Some(pod) = path.strip_suffix("/log") {
            let pod = pod.rsplit('/').next().unwrap_or_default();
            let log = self.state().logs.get(pod).cloned();
            return Ok(log.map_or_else(|| status(404, "NotFound", "no such pod"), |log| text(200, log)));
        }
        Ok(if query.contains("watch=true") { self.watch(path, query) } else { self.read(path, query) })
    }

    async fn page(&self, pod: &str, page: &str) -> Response<Body> {
        let port = self.state().ports.get(&format!("{pod}{page}")).cloned();
        let port = port.or_else(|| self.state().ports.get(pod).cloned());
        let unreached = |why: &str| {
            let message = format!("error trying to reach service: dial tcp 10.0.0.1:8000: {why}");
            status(503, "ServiceUnavailable", &message)
        };
        match port {
            Some(Port::Page(page)) => text(200, page),
            Some(Port::Answer(code, body)) => text(code, body),
            Some(Port::Hang) => std::future::pending().await,
            Some(Port::Refused) => unreached("connect: connection refused"),
            None => unreached("i/o timeout"),
        }
    }

    fn read(&self, path: &str, query: &str) -> Response<Body> {
        let state = self.state();
        if let Some(list) = state.list(path, query) {
            let items: Vec<&Value> = list.iter().collect();
            let version = state.version.to_string();
            return text(
                200,
                json!({"kind": "List", "metadata": {"resourceVersion": version}, "items": items}).to_string(),
            );
        }
        let (list, name) = path.rsplit_once('/').unwrap_or_default();
        match state.objects.get(list).and_then(|l| l.get(name)) {
            Some(object) => text(200, object.to_string()),
            None => status(404, "NotFound", &format!("{name} not found")),
        }
    }

    fn watch(&self, path: &str, query: &str) -> Response<Body> {
        let parameter = |key: &str| {
            query.split('&').find_map(|p| p.strip_prefix(key)).and_then(|v| v.parse::<u64>().ok()).unwrap_or(0)
        };
        let (from, seconds) = (parameter("resourceVersion="), parameter("timeoutSeconds="));
        let (sender, mut receiver) = mpsc::unbounded_channel();
        let mut state = self.state();
        if from < state.forgotten {
            let gone =
                json!({"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"});
            let _ = sender.send(json!({"type": "ERROR", "object": gone}));
        } else {
            for (list, version, event) in &state.history {
                if list == path && *version > from {
                    let _ = sender.send(event.clone());
                }
            }
            state.watchers.push((path.to_owned(), sender));
        }
        drop(state);
        let (lines, stream) = mpsc::channel(64);
        tokio::spawn(async move {
            let end = tokio::time::sleep(Duration::from_secs(seconds));
            tokio::pin!(end);
            loop {
                tokio::select! {
                    () = &mut end => return,
                    event = receiver.recv() => match event {
                        None => return,
                        Some(event) => {
                            let line = Frame::data(Bytes::from(format!("{event}\n")));
                            if lines.send(Ok::<_, Infallible>(line)).await.is_err() { return }
                        }
                    }
                }
            }
        });
        let stream = futures::stream::unfold(stream, |mut s| async move { s.recv().await.map(|frame| (frame, s)) });
        let body = StreamBody::new(SyncStream(Box::pin(stream)));
        Response::new(body.boxed())
    }
}

impl State {
    /// The objects of a list, or of all namespaces together, by the label and the node that are asked for.
    fn list(&self, path: &str, query: &str) -> Option<Vec<Value>> {
        let of_all = path.strip_prefix("/api/v1/").filter(|p| !p.contains('/'));
        let fits = |key: &str| match of_all {
            Some(plural) => {
                key == path || (key.starts_with("/api/v1/namespaces/") && key.ends_with(&format!("/{plural}")))
            }
            None => key == path,
        };
        // What holds no object yet is a list all the same, as long as it is named like one.
        if !path.ends_with('s') {
            return None;
        }
        let query = query.replace("%3D", "=").replace("%2F", "/").replace("%2C", ",");
        let label = query.split('&').find_map(|p| p.strip_prefix("labelSelector="));
        let node = query.split('&').find_map(|p| p.strip_prefix("fieldSelector=spec.nodeName="));
        let named = query.split('&').find_map(|p| p.strip_prefix("fieldSelector=metadata.name="));
        let wanted = |object: &&Value| {
            let labels = &object["metadata"]["labels"];
            label.is_none_or(|l| {
                l.split(',').all(|l| match l.split_once('=') {
                    Some((key, value)) => labels[key] == value,
                    None => !labels[l].is_null(),
                })
            }) && node.is_none_or(|n| object["spec"]["nodeName"] == n)
                && named.is_none_or(|n| object["metadata"]["name"] == n)
        };
        Some(
            self.objects
                .iter()
                .filter(|(k, _)| fits(k))
                .flat_map(|(_, l)| l.values())
                .filter(wanted)
                .cloned()
                .collect(),
        )
    }
}

/// A boxed stream that may be named from two threads, which nobody does.
struct SyncStream(std::pin::Pin<Box<dyn futures::Stream<Item = Result<Frame<Bytes>, Infallible>> + Send + Sync>>);

impl futures::Stream for SyncStream {
    type Item = Result<Frame<Bytes>, Infallible>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(cx)
    }
}

fn text(code: u16, body: String) -> Response<Body> {
    let mut response = Response::new(Full::new(Bytes::from(body)).boxed());
    *response.status_mut() = hyper::StatusCode::from_u16(code).expect("a status");
    response
}

fn status(code: u16, reason: &str, message: &str) -> Response<Body> {
    let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                        "message": message, "reason": reason, "code": code});
    text(code, status.to_string())
}

// ---- objects -------------------------------------------------------------------------------------------------------

pub(crate) const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/llm/deployments";
pub(crate) const STATEFUL_SETS: &str = "/apis/apps/v1/namespaces/llm/statefulsets";
pub(crate) const REPLICA_SETS: &str = "/apis/apps/v1/namespaces/llm/replicasets";
pub(crate) const PODS: &str = "/api/v1/namespaces/llm/pods";
pub(crate) const EVENTS: &str = "/api/v1/namespaces/llm/events";
pub(crate) const NODES: &str = "/api/v1/nodes";

fn spec(image: &str) -> Value {
    json!({"containers": [{"name": "engine", "image": image, "args": ["--port", "8000"],
                           "resources": {"limits": {"nvidia.com/gpu": "1"}}}]})
}

pub(crate) fn deployment(name: &str, image: &str) -> Value {
    json!({
        "metadata": {"name": name, "namespace": "llm", "uid": format!("uid-{name}"), "generation": 1,
                     "managedFields": [{"manager": "kubectl"}],
                     "annotations": {"deployment.kubernetes.io/revision": "1"}},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": name}}, "template": {"spec": spec(image)}},
        "status": {"observedGeneration": 1, "replicas": 1, "readyReplicas": 1, "updatedReplicas": 1, "availableReplicas": 1}
    })
}

pub(crate) fn replica_set(name: &str) -> Value {
    json!({
        "metadata": {"name": format!("{name}-1"), "uid": format!("rs-{name}"), "labels": {"app": name, "pod-template-hash": "1"},
                     "annotations": {"deployment.kubernetes.io/revision": "1"},
                     "ownerReferences": [{"kind": "Deployment", "name": name, "uid": format!("uid-{name}"), "controller": true}]},
        "spec": {"replicas": 1, "template": {"spec": spec("vllm:0.32")}}, "status": {"readyReplicas": 1}
    })
}

/// A pod of a Deployment `owner` on `node`, which runs and is Ready.
pub(crate) fn pod(owner: &str, name: &str, node: &str) -> Value {
    let mut spec = spec("vllm:0.32");
    spec["nodeName"] = json!(node);
    json!({
        "metadata": {"name": name, "namespace": "llm", "uid": format!("uid-{name}"), "labels": {"app": owner},
                     "creationTimestamp": "2026-06-08T03:00:00Z",
                     "ownerReferences": [{"kind": "ReplicaSet", "name": format!("{owner}-1"), "uid": format!("rs-{owner}"), "controller": true}]},
        "spec": spec,
        "status": {"phase": "Running", "podIP": "10.0.0.1",
                   "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-06-08T03:01:00Z"}],
                   "containerStatuses": [{"name": "engine", "restartCount": 0, "state": {"running": {"startedAt": "2026-06-08T03:00:10Z"}}}]}
    })
}

/// A running pod of somebody else, with these labels.
pub(crate) fn stranger(namespace: &str, name: &str, node: &str, labels: &Value, port: u16) -> Value {
    json!({
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {"nodeName": node, "containers": [{"name": "main", "image": "some:1", "ports": [{"name": "metrics", "containerPort": port}]}]},
        "status": {"phase": "Running", "podIP": "10.0.9.9"}
    })
}

pub(crate) fn node(name: &str) -> Value {
    json!({"metadata": {"name": name}, "spec": {}, "status": {"allocatable": {"nvidia.com/gpu": "8"},
           "conditions": [{"type": "Ready", "status": "True", "lastHeartbeatTime": "2026-06-08T03:00:00Z"}]}})
}

/// A cluster with one Deployment `vllm` of one pod on one node.
pub(crate) async fn serving() -> Cluster {
    let cluster = Cluster::start().await;
    cluster.put(DEPLOYMENTS, deployment("vllm", "vllm:0.32"));
    cluster.put(REPLICA_SETS, replica_set("vllm"));
    cluster.put(PODS, pod("vllm", "vllm-1-a", "gpu-1"));
    cluster.put(NODES, node("gpu-1"));
    cluster
}
