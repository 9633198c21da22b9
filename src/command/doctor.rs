//! `warroom doctor`: what can be reached, what is allowed, what each source says, and RB-6's nine questions; each with what
//! is missing and the line that mends it. It changes nothing and sends no request of our own to a model.

use std::time::Duration;

use futures::StreamExt as _;
use jiff::fmt::rfc2822;
use serde_json::Value;
use tokio::sync::mpsc::Receiver;
use tokio::time::{Instant, sleep_until};

use crate::action::{Access, Permission};
use crate::apiserver::{self, Client, deadline};
use crate::clock::{self, Clock};
use crate::cluster::Performer;
use crate::config::{Config, Whom};
use crate::diagnosis::{Diagnosis, SourceRow, diagnose};
use crate::domain::rights::{Half, PORT_FORWARD, Place, RIGHTS, Right, reads_pages};
use crate::domain::{
    At, Checkup, Endpoint, Failure, Observation, Part, Reached, Role, Row, Snapshot, SourceState, Standing, Via,
    WorkloadRef,
};
use crate::reach::front::Front;
use crate::reach::http::{Fetcher, Settings, shown};
use crate::runbook::{Sight, questions};
use crate::text::clean;

/// For the answer to one question.
const PATIENCE: Duration = Duration::from_secs(5);
/// Access reviews at one time: they are cheap, and everybody shares the API server.
const AT_ONCE: usize = 8;
/// For all sources together, and how often each must have been read: two pages are the least that says anything of now.
const LISTEN: Duration = Duration::from_secs(12);
const PAGES: usize = 2;
/// An API server's `Date` has whole seconds; more than this is not the way's doing.
const SKEW_S: f64 = 5.0;
const ANSWER_MAX: usize = 64 * 1024;

/// Who is asked, about what.
#[derive(Debug)]
pub struct Patient<'a> {
    /// The way to the cluster.
    pub client: &'a Client,
    /// The workload.
    pub target: WorkloadRef,
    /// What dates the readings.
    pub clock: Clock,
    /// How it is judged.
    pub config: &'a Config,
}

/// Examines everything. `deliveries` are those of an open session on the same workload.
pub async fn examine(patient: &Patient<'_>, deliveries: Receiver<Observation>) -> Checkup {
    let (server, permissions, snapshot, gateway) = tokio::join!(
        server(patient.client),
        permissions(patient),
        listen(patient, deliveries),
        gateway(patient.config),
    );
    let d = diagnose(&snapshot, &super::check::policy(Duration::from_mins(5), patient.config));
    let mut rows = server;
    rows.push(budget(&snapshot, patient.config));
    rows.extend(permissions.into_iter().map(|row| unless_read_otherwise(row, &snapshot)));
    rows.extend(sources(&d, &snapshot, patient.config));
    let sight = Sight::new(&d).with_snapshot(&snapshot);
    rows.extend(questions(sight, gateway));
    let target = &patient.target;
    let name = format!("{}/{}", target.kind.short(), target.name);
    Checkup { target: Some((name, target.namespace.clone(), target.context.clone())), rows }
}

/// What the reading costs the API server.
fn budget(snapshot: &Snapshot, config: &Config) -> Row {
    let used = |via: &Via| snapshot.endpoints.iter().any(|e| e.reached.as_ref().is_some_and(|r| r.via == Some(*via)));
    let ways: Vec<&str> = Via::ALL.iter().filter(|via| used(via)).map(|via| via.name()).collect();
    Row::new(Part::Reach, "requests", Standing::Pass, config.budget().told(snapshot)).via(ways.join(", "))
}

/// The API server's version, and whether its clock and ours agree.
async fn server(client: &Client) -> Vec<Row> {
    let row = |standing, says: String| Row::new(Part::Reach, "API server", standing, says).via("kubectl version");
    let (sent, start) = (clock::unix_ms(), clock::monotonic());
    let answer = match apiserver::send(client, "/version", "application/json", deadline(PATIENCE)).await {
        Ok(answer) => answer,
        Err(trouble) => {
            let says = row(Standing::Fail, trouble.to_string());
            return vec![says.mended_by("kubectl cluster-info; then the VPN, the proxy and the kubeconfig's server")];
        }
    };
    let took_ms = clock::ms_since(start);
    let date = answer.headers().get(http::header::DATE).and_then(|d| d.to_str().ok()).map(str::to_owned);
    let status = answer.status().as_u16();
    let mut body = Vec::new();
    let read = apiserver::read(answer.into_body(), ANSWER_MAX, deadline(PATIENCE), &mut body).await;
    let version: Value = read.ok().and_then(|()| serde_json::from_slice(&body).ok()).unwrap_or_default();
    let mut rows = vec![match version["gitVersion"].as_str() {
        Some(version) => row(Standing::Pass, format!("{}, answers in {took_ms} ms", clean(version, 60))),
        None => row(Standing::CannotTell, format!("answers HTTP {status} and names no version")),
    }];
    rows.extend(date.and_then(|date| skew(&date, sent, took_ms)));
    rows
}

/// How far the server's clock is from this machine's, by the `Date` of its answer.
fn skew(date: &str, sent_ms: i64, took_ms: u64) -> Option<Row> {
    let theirs = rfc2822::parse(date).ok()?.timestamp().as_millisecond();
    // It was written between the sending and the answer, and its second had begun.
    let ours = At(sent_ms).plus(took_ms as f64 / 2000.0);
    let apart = At(theirs + 500).since(ours);
    let about = format!("the API server's is {:.0} s {}", apart.abs(), if apart < 0.0 { "behind" } else { "ahead" });
    let row = |standing, says: String| Row::new(Part::Reach, "clocks", standing, says).via("the Date of its answers");
    Some(if apart.abs() <= SKEW_S {
        row(Standing::Pass, "this machine's and the API server's agree within a few seconds".to_owned())
    } else {
        row(Standing::Fail, format!("{about}: ages and onsets are wrong by that"))
            .mended_by("timedatectl; chronyc tracking")
    })
}

/// What this account may do, by access reviews.
async fn permissions(patient: &Patient<'_>) -> Vec<Row> {
    let performer = Performer::new(patient.client.clone(), patient.clock);
    let wanted = |right: &&Right| match right.half {
        Half::Observe if reads_pages(right) && patient.config.scrape.via.is_some_and(|via| via != Via::Proxy) => false,
        Half::Observe => right.place != Place::Neighbour,
        Half::Probe => patient.config.probing().is_some(),
        Half::Act => !patient.config.policy.read_only,
    };
    let forward = (patient.config.scrape.via == Some(Via::PortForward)).then_some(&FORWARD);
    let asked = RIGHTS.iter().filter(wanted).chain(forward).map(|right| {
        let performer = &performer;
        async move { (right, performer.permission(&access(right, &patient.target)).await) }
    });
    let answers: Vec<(&Right, Permission)> = futures::stream::iter(asked).buffered(AT_ONCE).collect().await;
    let mut rows: Vec<Row> = Vec::new();
    let (mut looks, mut acts) = (Vec::new(), Vec::new());
    for (right, answer) in answers {
        let name = format!("{} {}", right.verbs.join(", "), qualified(right));
        let row = |standing, says: String| Row::new(Part::Permission, name.clone(), standing, says);
        match answer {
            Permission::Allowed if right.half == Half::Observe => looks.push(qualified(right)),
            Permission::Allowed => acts.push(qualified(right)),
            Permission::Denied(_) => {
                let remedy = remedy(right, &patient.target.namespace);
                let standing = if right.optional { Standing::CannotTell } else { Standing::Fail };
                rows.push(row(standing, format!("denied: {}", right.lost)).mended_by(remedy));
            }
            Permission::Unknown(why) => rows.push(row(Standing::CannotTell, why)),
        }
    }
    for (name, allowed) in [("allowed to act", acts), ("allowed to look", looks)] {
        if !allowed.is_empty() {
            rows.insert(0, Row::new(Part::Permission, name, Standing::Pass, allowed.join(", ")));
        }
    }
    rows
}

/// Before Kubernetes 1.35 `get` is enough for a port-forward; what a newer one refuses is told beside the page.
const FORWARD: Right = Right { verbs: &["get"], ..PORT_FORWARD };

/// Where every engine's page is read on another way, nothing is lost without `pods/proxy`.
fn unless_read_otherwise(row: Row, snapshot: &Snapshot) -> Row {
    let is_it = row.part == Part::Permission && row.standing == Standing::Fail && row.name == "get pods/proxy";
    let via = |e: &Endpoint| e.reached.as_ref().and_then(|r| r.via).filter(|via| *via != Via::Proxy);
    let mut ways: Vec<Option<Via>> = snapshot.of_role(Role::Engine).filter(|e| !e.gone).map(via).collect();
    ways.sort_unstable();
    ways.dedup();
    let read: Option<Vec<&str>> = ways.into_iter().map(|via| via.map(Via::name)).collect();
    match read {
        Some(ways) if is_it && !ways.is_empty() => {
            let says = format!("denied, and not needed: engines' pages are read via {}", ways.join(" and "));
            Row::new(Part::Permission, row.name, Standing::Off, says)
        }
        _ => row,
    }
}

fn qualified(right: &Right) -> String {
    let place = if right.place == Place::Cluster { " in the cluster" } else { "" };
    if right.group.is_empty() {
        format!("{}{place}", right.resource)
    } else {
        format!("{}.{}{place}", right.resource, right.group)
    }
}

fn access(right: &Right, target: &WorkloadRef) -> Vec<Access> {
    let (resource, subresource) = right.resource.split_once('/').unwrap_or((right.resource, ""));
    let namespace = (right.place != Place::Cluster).then(|| target.namespace.clone());
    let access = |verb: &&'static str| Access {
        verb,
        group: right.group,
        resource,
        subresource,
        namespace: namespace.clone(),
        name: String::new(),
    };
    right.verbs.iter().map(access).collect()
}

fn remedy(right: &Right, namespace: &str) -> String {
    let half = match right.half {
        Half::Observe => " --read-only",
        Half::Probe => " --probe",
        Half::Act => "",
    };
    format!("warroom rbac -n {namespace}{half} --user YOU | kubectl apply -f -")
}

/// Takes in what a session delivers, until all of it has come or it is late.
async fn listen(patient: &Patient<'_>, mut deliveries: Receiver<Observation>) -> Snapshot {
    let interval_s = patient.config.scrape.interval.as_secs_f64();
    let mut snapshot = Snapshot { target: Some(patient.target.clone()), interval_s, ..Snapshot::default() };
    let end = Instant::from_std(clock::monotonic()) + LISTEN;
    loop {
        tokio::select! {
            () = sleep_until(end) => break,
            observation = deliveries.recv() => match observation {
                Some(observation) => snapshot.observe(observation),
                None => break,
            }
        }
        if is_settled(&snapshot, patient.config) {
            break;
        }
    }
    snapshot.now = At(patient.clock.unix_ms());
    snapshot
}

fn is_settled(snapshot: &Snapshot, config: &Config) -> bool {
    let answered = !snapshot.watches.is_empty() && snapshot.watches.iter().all(|w| w.state != SourceState::Connecting);
    // After a silence another way is looked for, and that is the next attempt's.
    let silent = |f: &Failure| matches!(f, Failure::TimedOut { .. });
    let read =
        |e: &Endpoint| e.gone || e.attempts.len() >= PAGES || e.failing().is_some_and(|failure| !silent(failure));
    // A count of the nodes' pods tells of gateways and exporters.
    let counted = snapshot.watches.iter().any(|w| w.resource == "pods of all namespaces");
    let engines = snapshot.of_role(Role::Engine).next().is_some();
    let told = snapshot.told.is_some() || snapshot.told_failed.is_some() || snapshot.untold.is_some();
    // Who is asked for what was not watched is known once an engine's page was read.
    let paged = snapshot.of_role(Role::Engine).any(|e| e.last_page().is_some());
    let told = told || !paged || config.prometheus.url == Whom::Nobody;
    answered && counted && engines && told && snapshot.endpoints.iter().all(read)
}

/// What `GET $GATEWAY/v1/models` answers, where its URL is known.
async fn gateway(config: &Config) -> Option<Result<String, String>> {
    let base = config.probe.url.as_ref()?;
    let name = format!("{}/models", shown(base).trim_end_matches('/'));
    let fetcher = match Fetcher::new(Settings { timeout: PATIENCE, ..Settings::default() }) {
        Ok(fetcher) => fetcher,
        Err(error) => return Some(Err(error.to_string())),
    };
    let front =
        Front::Direct { fetcher, base: base.clone(), key: config.probe.token_file.clone(), headers: Vec::new() };
    let start = clock::monotonic();
    Some(match front.ask("models", None, deadline(PATIENCE)).await {
        Ok(_) => Ok(format!("{name} answers in {} ms", clock::ms_since(start))),
        Err(failure) => Err(format!("{name}: {failure}")),
    })
}

/// Whether it is by somebody's rules that no way leads to a page.
fn is_not_allowed(endpoint: &Endpoint) -> bool {
    let denied = |reached: &Reached| reached.failed.iter().any(|(_, why)| why.starts_with("not allowed; allow"));
    endpoint.failing().is_some() && endpoint.reached.as_ref().is_some_and(|r| r.via.is_none() && denied(r))
}

/// On which way a page comes that does not come on the first one, and why.
fn way(source: &SourceRow) -> Option<String> {
    let (via, why) = (source.via?, source.instead_of.as_ref()?);
    Some(format!(", via {via}, for {why}"))
}

/// Each source: how it is reached, its version, and what is wrong with it.
fn sources(d: &Diagnosis, snapshot: &Snapshot, config: &Config) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for source in &d.sources {
        let endpoint = snapshot.endpoints.iter().find(|e| e.name == source.name);
        let pod = |e: &Endpoint| snapshot.cluster.as_ref()?.1.pods.iter().find(|p| p.name == e.name)?.start();
        let starts = endpoint.and_then(pod).map(|(phase, _)| format!("its pod is starting: {phase}"));
        let standing = match source.state {
            // What is on its way is not missing.
            _ if starts.is_some() => Standing::CannotTell,
            SourceState::Live => Standing::Pass,
            SourceState::Connecting => Standing::CannotTell,
            // One that nobody named is not missed.
            SourceState::Denied | SourceState::Absent if source.beside => Standing::CannotTell,
            SourceState::Stale | SourceState::Failed | SourceState::Denied | SourceState::Absent => Standing::Fail,
        };
        let system = endpoint.and_then(|e| e.system.as_ref()).map(|s| {
            let generation = s.generation.as_ref().map(|g| format!(" {g}")).unwrap_or_default();
            format!("{}{generation}, ", s.engine)
        });
        let read = source.series.map_or_else(|| source.state.to_string(), |n| format!("{n} series"));
        let says =
            starts.or_else(|| source.error.clone()).unwrap_or_else(|| format!("{}{read}", system.unwrap_or_default()));
        let found = source.found.as_ref().map_or(String::new(), |found| format!(", found by {found}"));
        let way = way(source).unwrap_or_default();
        let row = Row::new(Part::Source, source.name.clone(), standing, says + &way + &found);
        let via = endpoint.map(|e| e.reproduce.clone()).unwrap_or_default();
        rows.push(row.via(via).mended_by(match (source.state, endpoint, &snapshot.target) {
            (SourceState::Connecting, ..) => "it had not answered yet: try again".to_owned(),
            (_, Some(endpoint), Some(target)) if is_not_allowed(endpoint) => {
                format!("warroom rbac -n {} --read-only --user YOU | kubectl apply -f -", target.namespace)
            }
            _ => String::new(),
        }));
    }
    let has = |role| snapshot.of_role(role).any(|e| !e.gone);
    if !has(Role::Gateway) {
        let routes = snapshot.watches.iter().find(|w| w.resource == "routes to gateways");
        let why = routes.and_then(|w| w.error.as_ref()).map_or(String::new(), |why| format!("{why}; "));
        let says = format!("no gateway was found: {why}no pods have the labels of Envoy, Istio or a Gateway");
        let row = Row::new(Part::Source, "gateway", Standing::CannotTell, says);
        rows.push(
            row.mended_by(
                "name it: gateway.selector or --gateway URL; or allow it: warroom rbac --neighbour NAMESPACE",
            ),
        );
    }
    if !has(Role::Gpus) {
        let says = "no exporter of GPUs was found on the replicas' nodes: throttling and memory errors stay unknown";
        let row = Row::new(Part::Source, "GPUs", Standing::CannotTell, says);
        rows.push(row.mended_by("install the DCGM exporter, or allow it: warroom rbac --neighbour gpu-operator"));
    }
    if !d.sources.iter().any(|s| s.beside) {
        let (standing, says) = match config.prometheus.url {
            Whom::Nobody => (Standing::Off, "not asked for: burn rates of hours and days stay unknown"),
            _ => (Standing::CannotTell, "not asked yet: what to ask is told by the first page of an engine"),
        };
        rows.push(Row::new(Part::Source, "prometheus", standing, says).via("--prometheus"));
    }
    if config.probing().is_none() {
        let says = if config.policy.read_only {
            "never in read-only"
        } else {
            "not asked for: a stall that looks idle cannot be excluded"
        };
        rows.push(Row::new(Part::Source, "probe", Standing::Off, says).via("--probe"));
    }
    rows
}
