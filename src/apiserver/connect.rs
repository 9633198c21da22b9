//! From a kubeconfig, or from inside a cluster, to a client. kubectl's flags keep kubectl's meaning.

use std::path::{Path, PathBuf};
use std::time::Duration;

use http::header::USER_AGENT;
use http::{HeaderValue, Uri};
use kube::Config;
use kube::config::{ExecInteractiveMode, KubeConfigOptions, Kubeconfig, KubeconfigError};

use super::Client;
use crate::text::{clean, nearest};

const SHOWN: usize = 300;

/// Connections that are not made within this are given up; every call has its own deadline besides.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Which cluster, and as whom: what kubectl's flags say.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// `--kubeconfig`; else `$KUBECONFIG`, else `~/.kube/config`, else the service account of the pod that this runs in.
    pub kubeconfig: Option<PathBuf>,
    /// `--context`.
    pub context: Option<String>,
    /// `--cluster`.
    pub cluster: Option<String>,
    /// `--user`.
    pub user: Option<String>,
    /// `--namespace`.
    pub namespace: Option<String>,
    /// `--as`.
    pub impersonate: Option<String>,
}

/// A client, and what it stands for.
#[derive(Clone)]
pub struct Connected {
    /// The client.
    pub client: Client,
    /// The kubeconfig's context, or `in-cluster`.
    pub context: String,
    /// The namespace that was asked for, else the context's.
    pub namespace: String,
}

/// Why there is no client. All of it is about what was typed or configured: nothing was asked yet.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// There is no kubeconfig.
    #[error(
        "there is no kubeconfig{at}: give --kubeconfig FILE or set KUBECONFIG, or give --engine URL or --pages DIR to do without a cluster"
    )]
    NoKubeconfig {
        /// Where it was looked for.
        at: String,
    },
    /// A context that is not in it.
    #[error("the kubeconfig has no context '{name}'{hint}")]
    NoContext {
        /// As typed, cleaned.
        name: String,
        /// What there is.
        hint: String,
    },
    /// It cannot be used.
    #[error("the kubeconfig cannot be used: {0}")]
    Kubeconfig(String),
    /// Credentials cannot be made, or TLS is not possible.
    #[error("no client can be made for the cluster: {0}")]
    Client(String),
}

/// Reads the kubeconfig and makes a client; asks the cluster nothing yet. A login plugin may run: it takes its time, and
/// gets no terminal.
pub async fn connect(options: Options) -> Result<Connected, ConnectError> {
    let kubeconfig = match &options.kubeconfig {
        Some(file) => read(file).map(Some),
        None => Kubeconfig::read().map(Some).or_else(in_a_pod).map_err(unusable),
    }?;
    let (config, context) = if let Some(kubeconfig) = kubeconfig {
        from_kubeconfig(kubeconfig, &options).await?
    } else {
        let config = Config::incluster().map_err(|e| ConnectError::Kubeconfig(clean(&e.to_string(), SHOWN)))?;
        (config, "in-cluster".to_owned())
    };
    let namespace = options.namespace.unwrap_or_else(|| config.default_namespace.clone());
    let mut config = config;
    config.default_namespace.clone_from(&namespace);
    if options.impersonate.is_some() {
        config.auth_info.impersonate = options.impersonate;
    }
    // Plugins run in here, and block.
    let client = tokio::task::spawn_blocking(move || client(config)).await;
    let client = client.map_err(|_| ConnectError::Client("the login plugin failed".to_owned()))??;
    Ok(Connected { client, context, namespace })
}

/// A client as everything here expects it: without retries of its own, without a terminal for its plugins, by name.
pub fn client(mut config: Config) -> Result<Client, ConnectError> {
    // An error says that one is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    config.default_retry = false;
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    if is_loopback(&config.cluster_url) {
        // A proxy that the environment names cannot see this machine's own loopback.
        config.proxy_url = None;
    }
    if let Some(exec) = &mut config.auth_info.exec {
        exec.interactive_mode = Some(ExecInteractiveMode::Never);
    }
    config.headers.push((USER_AGENT, HeaderValue::from_static(concat!("warroom/", env!("CARGO_PKG_VERSION")))));
    let client = kube::Client::try_from(config);
    client.map(Client::from).map_err(|error| ConnectError::Client(clean(&error.to_string(), SHOWN)))
}

async fn from_kubeconfig(kubeconfig: Kubeconfig, options: &Options) -> Result<(Config, String), ConnectError> {
    let context = options.context.clone().or_else(|| kubeconfig.current_context.clone()).unwrap_or_default();
    let known: Vec<String> = kubeconfig.contexts.iter().map(|c| c.name.clone()).collect();
    if !known.contains(&context) {
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        let hint = match nearest(&context, &known) {
            _ if context.is_empty() => format!(" chosen: give --context, one of {}", some_of(&known)),
            Some(near) => format!(": did you mean '{}'?", clean(near, 80)),
            None => format!(": it has {}", some_of(&known)),
        };
        return Err(ConnectError::NoContext { name: clean(&context, 80), hint });
    }
    let choice = KubeConfigOptions {
        context: Some(context.clone()),
        cluster: options.cluster.clone(),
        user: options.user.clone(),
    };
    let config = Config::from_custom_kubeconfig(kubeconfig, &choice).await.map_err(unusable)?;
    Ok((config, clean(&context, 120)))
}

fn read(file: &Path) -> Result<Kubeconfig, ConnectError> {
    Kubeconfig::read_from(file).map_err(|error| match error {
        KubeconfigError::ReadConfig(why, _) if why.kind() == std::io::ErrorKind::NotFound => {
            ConnectError::NoKubeconfig { at: format!(" at '{}'", clean(&file.display().to_string(), SHOWN)) }
        }
        other => unusable(other),
    })
}

/// No kubeconfig is none where a service account is mounted: this runs in a pod.
fn in_a_pod(error: KubeconfigError) -> Result<Option<Kubeconfig>, KubeconfigError> {
    let mounted = Path::new("/var/run/secrets/kubernetes.io/serviceaccount/token").exists();
    if mounted && is_missing(&error) { Ok(None) } else { Err(error) }
}

fn is_missing(error: &KubeconfigError) -> bool {
    match error {
        KubeconfigError::FindPath => true,
        KubeconfigError::ReadConfig(why, _) => why.kind() == std::io::ErrorKind::NotFound,
        _ => false,
    }
}

fn unusable(error: KubeconfigError) -> ConnectError {
    match error {
        KubeconfigError::ReadConfig(why, path) if why.kind() == std::io::ErrorKind::NotFound => {
            ConnectError::NoKubeconfig { at: format!(" at '{}'", clean(&path.display().to_string(), SHOWN)) }
        }
        KubeconfigError::FindPath => ConnectError::NoKubeconfig { at: String::new() },
        // What its parser quotes may hold a token.
        KubeconfigError::Parse(_) => ConnectError::Kubeconfig("it is no YAML of the right shape".to_owned()),
        other => ConnectError::Kubeconfig(clean(&other.to_string(), SHOWN)),
    }
}

fn some_of(names: &[&str]) -> String {
    let shown: Vec<String> = names.iter().take(8).map(|n| format!("'{}'", clean(n, 80))).collect();
    let more = names.len().saturating_sub(shown.len());
    match (shown.is_empty(), more) {
        (true, _) => "none".to_owned(),
        (false, 0) => shown.join(", "),
        (false, more) => format!("{} and {more} more", shown.join(", ")),
    }
}

fn is_loopback(url: &Uri) -> bool {
    let host = url.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}
