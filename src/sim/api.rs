//! The cluster's API over HTTP, as kubectl, the `kube` client and curl know it.
//!
//! It answers from a [`World`] that stands behind a lock and moves with a clock; it changes nothing that Kubernetes'
//! API could not change. Every request needs the token.

mod ask;
mod clock;
mod complete;
mod discovery;
mod fields;
mod forward;
mod logs;
mod patch;
mod portforward;
mod proxy;
mod read;
mod reply;
mod review;
mod scale;
mod table;
mod watch;
mod write;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};

use ask::{Ask, Target};
pub use forward::Forward;
use reply::{Body, Reply};

use super::cluster::Refusal;
use super::cluster::kinds::SERVED;
use super::rules::{Call, Calls, Rules};
use super::world::World;
use crate::clock::Clock;
use crate::domain::At;

/// How often time passes by itself (on this machine's clock).
const TICK: Duration = Duration::from_millis(100);
/// Connections at one time: a bug in a client is not to take this machine down.
const MOST_CONNECTIONS: usize = 512;
/// Requests that would change something, and are remembered.
const MOST_WRITES: usize = 500;

/// What is answered from.
pub(crate) struct Shared {
    world: Mutex<World>,
    /// The version of the latest change: watchers wait for it.
    changed: tokio::sync::watch::Sender<u64>,
    clock: Clock,
    /// What was asked to be changed, oldest first.
    writes: Mutex<VecDeque<String>>,
    /// Milliseconds that were let pass beside the clock.
    skipped_ms: AtomicI64,
    pub(crate) token: String,
    pub(crate) scenario: String,
    pub(crate) seed: u64,
    pub(crate) speed: f64,
    rules: Rules,
    /// What stands behind Services and is not simulated.
    forwards: Vec<Forward>,
    /// What was asked for and allowed, each once.
    calls: Mutex<Calls>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("scenario", &self.scenario).field("seed", &self.seed).finish_non_exhaustive()
    }
}

impl Shared {
    pub(crate) fn new(
        world: World,
        clock: Clock,
        token: String,
        (scenario, seed, factor): (String, u64, f64),
        (rules, forwards): (Rules, Vec<Forward>),
    ) -> Self {
        let changed = tokio::sync::watch::Sender::new(world.cluster.version());
        Self {
            world: Mutex::new(world),
            changed,
            writes: Mutex::default(),
            clock,
            skipped_ms: AtomicI64::new(0),
            token,
            scenario,
            seed,
            speed: factor,
            rules,
            forwards,
            calls: Mutex::default(),
        }
    }

    /// The world as it is now.
    pub(crate) fn world(&self) -> Moving<'_> {
        // A panic elsewhere leaves a world that can still be looked at.
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        world.advance(self.now());
        Moving { world, changed: &self.changed }
    }

    /// What time it is here.
    pub(crate) fn now(&self) -> At {
        At(self.clock.unix_ms().saturating_add(self.skipped_ms.load(Ordering::Relaxed)))
    }

    /// Lets seconds pass at once.
    pub(crate) fn skip(&self, seconds: f64) {
        self.skipped_ms.fetch_add(At(0).plus(seconds.max(0.0)).0, Ordering::Relaxed);
        drop(self.world());
    }

    /// What was asked to be changed, oldest first.
    pub(crate) fn writes(&self) -> Vec<String> {
        self.writes.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    fn remember(&self, ask: &Ask) {
        let mut writes = self.writes.lock().unwrap_or_else(PoisonError::into_inner);
        if writes.len() >= MOST_WRITES {
            writes.pop_front();
        }
        writes.push_back(ask.told());
    }

    /// The calls that were allowed, each once.
    pub(crate) fn calls(&self) -> Calls {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The world while somebody holds it; what was changed meanwhile is told when it is put back.
pub(crate) struct Moving<'a> {
    pub(crate) world: MutexGuard<'a, World>,
    changed: &'a tokio::sync::watch::Sender<u64>,
}

impl Drop for Moving<'_> {
    fn drop(&mut self) {
        let version = self.world.cluster.version();
        self.changed.send_if_modified(|known| std::mem::replace(known, version) != version);
    }
}

/// Answers until it is dropped.
pub(crate) async fn listen(listener: TcpListener, shared: Arc<Shared>) {
    let seats = Arc::new(tokio::sync::Semaphore::new(MOST_CONNECTIONS));
    let ticking = shared.clone();
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let time_passes = async move {
        loop {
            tick.tick().await;
            drop(ticking.world());
        }
    };
    let connections = async move {
        // Connections end with the listener.
        let mut open = tokio::task::JoinSet::new();
        loop {
            while open.try_join_next().is_some() {}
            let Ok(seat) = seats.clone().acquire_owned().await else { break };
            match listener.accept().await {
                Ok((stream, _)) => {
                    let shared = shared.clone();
                    open.spawn(async move {
                        serve_one(stream, shared).await;
                        drop(seat);
                    });
                }
                // Out of descriptors, most likely: the next attempt may find one.
                Err(_) => tokio::time::sleep(TICK).await,
            }
        }
    };
    tokio::join!(time_passes, connections);
}

async fn serve_one(stream: TcpStream, shared: Arc<Shared>) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let shared = shared.clone();
        async move { Ok::<_, Infallible>(answer(&shared, request).await) }
    });
    // A client that goes away is no error.
    let _ = hyper::server::conn::http1::Builder::new()
        .timer(hyper_util::rt::TokioTimer::new())
        .header_read_timeout(Duration::from_secs(30))
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await;
}

async fn answer(shared: &Arc<Shared>, mut request: Request<Incoming>) -> Response<Body> {
    let upgrade = hyper::upgrade::on(&mut request);
    let reply = Ask::read(request).await.and_then(|mut ask| {
        ask.bears(&shared.token).then_some(ask).ok_or_else(|| Refusal::new(401, "Unauthorized", "Unauthorized"))
    });
    let reply = match reply {
        Ok(ask) => match completion(shared, &ask) {
            Some(Ok(pod)) => complete::answer(shared, pod.as_deref(), &ask.body).await,
            Some(Err(refusal)) => Err(refusal),
            None => match (service(&ask), portforward::answer(shared, &ask, upgrade)) {
                (Some(target), _) => match allowed(shared, &ask, &target) {
                    Ok(()) => forward::answer(shared, &ask, &target).await,
                    Err(refusal) => Err(refusal),
                },
                (None, Some(Ok(response))) => return response,
                (None, Some(Err(refusal))) => Err(refusal),
                (None, None) => route(shared, &ask),
            },
        },
        Err(refusal) => Err(refusal),
    };
    reply.unwrap_or_else(|refusal| Reply::refusal(&refusal)).into_response()
}

/// The Service through which a request asks for something, if it does.
fn service(ask: &Ask) -> Option<Target<'_>> {
    let path: Vec<&str> = ask.path.iter().map(String::as_str).collect();
    let target = Target::of(&path).filter(|t| t.names.plural == "services" && ask.method == Method::GET)?;
    (target.part.first() == Some(&"proxy")).then_some(target)
}

/// Whether a request asks for tokens, and of which pod; no pod: through the gateway.
fn completion(shared: &Arc<Shared>, ask: &Ask) -> Option<Result<Option<String>, Refusal>> {
    let path: Vec<&str> = ask.path.iter().map(String::as_str).collect();
    let target = Target::of(&path).filter(|t| t.names.plural == "pods" && ask.method == Method::POST)?;
    if target.part.as_slice() != ["proxy", "v1", "completions"] {
        return None;
    }
    shared.remember(ask);
    Some(allowed(shared, ask, &target).and_then(|()| proxy::asked(shared, &target)))
}

fn route(shared: &Arc<Shared>, ask: &Ask) -> Result<Reply, Refusal> {
    let path: Vec<&str> = ask.path.iter().map(String::as_str).collect();
    match path.as_slice() {
        ["sim", "clock"] => return Ok(clock::answer(shared)),
        ["healthz" | "livez" | "readyz", ..] => return Ok(Reply::text(200, "ok")),
        ["version"] => return Ok(discovery::version()),
        ["openapi", "v3", ..] => return Ok(discovery::openapi()),
        [] => return Ok(discovery::paths()),
        ["api"] => return Ok(discovery::core_versions(ask)),
        ["apis"] => return Ok(discovery::groups(ask)),
        ["apis", group] => return discovery::group(group),
        ["api", version] => return discovery::resources("", version),
        ["apis", group, version] => return discovery::resources(group, version),
        ["apis", "authorization.k8s.io" | "authentication.k8s.io", _, review] if ask.method == Method::POST => {
            return review::answer(shared, ask, review);
        }
        _ => {}
    }
    let target = Target::of(&path).ok_or_else(Refusal::no_such_path)?;
    if ask.method != Method::GET {
        shared.remember(ask);
    }
    allowed(shared, ask, &target)?;
    match (target.part.as_slice(), &ask.method) {
        (["proxy", ..], &Method::GET) if target.names.plural == "pods" => proxy::answer(shared, &target),
        (["log"], &Method::GET) if target.names.plural == "pods" => logs::answer(shared, ask, &target),
        (["eviction"], &Method::POST) if target.names.plural == "pods" => write::evict(shared, ask, &target),
        (["scale"], _) if target.names.scale => scale::answer(shared, ask, &target),
        ([] | ["status"], &Method::GET) if ask.is("watch") => watch::answer(shared, ask, &target),
        ([] | ["status"], &Method::GET) => read::answer(shared, ask, &target),
        ([] | ["status"], _) => write::answer(shared, ask, &target),
        _ => Err(Refusal::no_such_path()),
    }
}

fn allowed(shared: &Shared, ask: &Ask, target: &Target<'_>) -> Result<(), Refusal> {
    let verb = verb(ask, target);
    let resource = match target.part.first() {
        Some(part) => format!("{}/{part}", target.names.plural),
        None => target.names.plural.to_owned(),
    };
    let call = Call {
        verb: verb.to_owned(),
        group: target.names.group.to_owned(),
        resource: resource.clone(),
        namespace: target.namespace.filter(|_| target.names.namespaced).map(str::to_owned),
    };
    if shared.rules.allow(&call) {
        shared.calls.lock().unwrap_or_else(PoisonError::into_inner).insert(call);
        return Ok(());
    }
    let place = match (target.names.namespaced, target.namespace) {
        (true, Some(namespace)) => format!("in the namespace \"{namespace}\""),
        _ => "at the cluster scope".to_owned(),
    };
    let qualified = if target.name.is_empty() {
        target.names.qualified()
    } else {
        format!("{} \"{}\"", target.names.qualified(), target.name)
    };
    let message = format!(
        "{qualified} is forbidden: User \"sim\" cannot {verb} resource \"{resource}\" in API group \"{}\" {place}",
        target.names.group
    );
    let mut refusal = Refusal::new(403, "Forbidden", message);
    // Go leaves out what is empty.
    let details = [("name", target.name), ("group", target.names.group), ("kind", target.names.plural)];
    refusal.details = details.into_iter().filter(|(_, v)| !v.is_empty()).map(|(k, v)| (k, json!(v))).collect();
    Err(refusal)
}

fn verb(ask: &Ask, target: &Target<'_>) -> &'static str {
    match ask.method {
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH => "patch",
        Method::DELETE => "delete",
        _ if ask.is("watch") => "watch",
        _ if target.name.is_empty() => "list",
        _ => "get",
    }
}

/// The served resources, for those who list them.
fn served() -> &'static [super::cluster::kinds::Names] {
    SERVED
}
