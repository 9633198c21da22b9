//! `warroom sim`: a simulated cluster for other programs, until it is told to end.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::sim::rules::{Rules, RulesError};
use crate::sim::scenario::{Scenario, ScenarioError};
use crate::sim::serve::{Forward, Handle, Options, SimError, serve};
use crate::sim::serving::{Model, Serving};
use crate::sim::world::Setup;

/// What was asked for.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// A built-in scenario's name, or a file that holds one.
    pub scenario: String,
    /// What decides chance.
    pub seed: u64,
    /// Simulated seconds per second.
    pub speed: f64,
    /// The port; 0 is any that is free.
    pub port: u16,
    /// Where the kubeconfig is written.
    pub kubeconfig_out: Option<PathBuf>,
    /// What the API forbids: `VERB RESOURCE` each.
    pub denied: Vec<String>,
    /// The Roles beyond which it allows nothing.
    pub allow_only: Option<PathBuf>,
    /// Where a Prometheus is that stands in the cluster, as its operator would put it there.
    pub prometheus: Option<SocketAddr>,
}

/// Why there is no simulated cluster.
#[derive(Debug, thiserror::Error)]
pub enum Unopened {
    /// The scenario is unknown or wrong.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// Its file cannot be read.
    #[error("'{path}' cannot be read: {source}; --scenario takes a built-in scenario's name or a file")]
    File {
        /// Which.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// Something to forbid is no verb and resource.
    #[error("--deny is '{0}': give a verb and a resource, as in 'list nodes' or 'get pods/proxy'; * stands for all")]
    Denied(String),
    /// The Roles cannot be read.
    #[error("'{path}' cannot be read: {source}; --allow-only takes a file of Roles, as 'warroom rbac' writes it")]
    NoFile {
        /// Which.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// They are none.
    #[error(transparent)]
    Rules(#[from] RulesError),
    /// It does not open.
    #[error(transparent)]
    Sim(#[from] SimError),
}

impl Unopened {
    /// Whether what was typed is at fault.
    pub const fn is_usage(&self) -> bool {
        !matches!(self, Self::Sim(_))
    }
}

/// Opens it and says how to reach it.
pub async fn open(wanted: &Wanted) -> Result<(Handle, String), Unopened> {
    let scenario = scenario(&wanted.scenario)?;
    let denied = wanted.denied.iter().map(|rule| denied(rule)).collect::<Result<_, _>>()?;
    let mut rules = Rules::but(denied);
    if let Some(file) = &wanted.allow_only {
        let path = crate::text::clean(&file.display().to_string(), 200);
        let text = std::fs::read_to_string(file).map_err(|source| Unopened::NoFile { path: path.clone(), source })?;
        rules = rules.granting(&path, &text)?;
    }
    let forwards =
        wanted.prometheus.map(|to| Forward { namespace: MONITORING.to_owned(), service: OPERATED.to_owned(), to });
    let options = Options {
        seed: wanted.seed,
        speed: wanted.speed,
        port: wanted.port,
        rules,
        forwards: forwards.into_iter().collect(),
        ..Options::default()
    };
    let handle = start(&scenario, options).await?;
    if let Some(path) = &wanted.kubeconfig_out {
        handle.write_kubeconfig(path)?;
    }
    let said = said(&handle, &scenario, wanted);
    Ok((handle, said))
}

/// Opens a scenario's cluster.
pub async fn start(scenario: &Scenario, options: Options) -> Result<Handle, SimError> {
    let (mut setup, model, seed) = (Setup::from(scenario), scenario.clone(), options.seed);
    if !options.forwards.is_empty() {
        setup.manifests.extend(operated());
    }
    serve(setup, move |begins| Box::new(Model::new(&model, seed, begins)) as Box<dyn Serving>, options).await
}

/// Where a Prometheus is as its operator puts it there, and what its Service is called.
const MONITORING: &str = "monitoring";
const OPERATED: &str = "prometheus-operated";

/// The Service of a Prometheus.
fn operated() -> [Value; 2] {
    [
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": MONITORING}}),
        json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": OPERATED, "namespace": MONITORING, "labels": {"operated-prometheus": "true"}},
            "spec": {"clusterIP": "None", "selector": {"app.kubernetes.io/name": "prometheus"},
                     "ports": [{"name": "web", "port": 9090, "targetPort": "web"}]},
        }),
    ]
}

/// A built-in scenario, or a file where the name looks like one.
pub fn scenario(named: &str) -> Result<Scenario, Unopened> {
    let is_file = named.contains(['/', '\\']) || named.to_ascii_lowercase().ends_with(".toml");
    if !is_file {
        return Ok(Scenario::named(named)?);
    }
    let path = crate::text::clean(named, 200);
    let text = std::fs::read_to_string(named).map_err(|source| Unopened::File { path: path.clone(), source })?;
    Ok(Scenario::read(&path, &text)?)
}

fn denied(rule: &str) -> Result<(String, String), Unopened> {
    let words: Vec<&str> = rule.split_whitespace().collect();
    match words.as_slice() {
        [verb, resource] => Ok(((*verb).to_owned(), (*resource).to_owned())),
        _ => Err(Unopened::Denied(crate::text::clean(rule, 80))),
    }
}

fn said(handle: &Handle, scenario: &Scenario, wanted: &Wanted) -> String {
    let mut said = format!(
        "{}: {}\n{}  seed {}  {} simulated seconds per second\n",
        scenario.name, scenario.title, handle.url, wanted.seed, wanted.speed
    );
    if let Some(path) = &wanted.kubeconfig_out {
        let path = crate::text::clean(&path.display().to_string(), 400);
        let _ = write!(
            said,
            "\n  kubectl --kubeconfig {path} get pods,deploy,rs,hpa,events -o wide\n  \
             kubectl --kubeconfig {path} rollout history deploy/{name}\n  \
             warroom check --kubeconfig {path} deploy/{name}\n",
            name = handle.workload
        );
    } else {
        let _ = write!(
            said,
            "\n  curl {}/{}/apis/apps/v1/namespaces/{}/deployments/{}\n\n\
             --kubeconfig-out FILE writes a kubeconfig for kubectl.\n",
            handle.url, handle.token, handle.namespace, handle.workload
        );
    }
    said.push_str("\nCtrl-C ends it.\n");
    said
}
