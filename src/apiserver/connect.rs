//! From a kubeconfig, or from inside a cluster, to a client. kubectl's flags keep kubectl's meaning.

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::time::Duration;

use http::header::USER_AGENT;
use http::{HeaderValue, Uri};
use kube::Config;
use kube::config::{ExecConfig, ExecInteractiveMode, KubeConfigOptions, Kubeconfig, KubeconfigError};

use super::{Client, Proxies};
use crate::text::{clean, nearest, without_secrets};

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
/// gets no terminal. It runs again where the server does not know us any more.
pub async fn connect(options: Options) -> Result<Connected, ConnectError> {
    let Made { client, context, namespace } = made(&options).await?;
    let login = Box::new(move || {
        let options = options.clone();
        Box::pin(async move { made(&options).await.ok().map(|made| made.client) }) as Pin<Box<_>>
    });
    Ok(Connected { client: Client::renewable(client, login), context, namespace })
}

/// Runs a login plugin that says that it needs a human, while the terminal is still a human's: before a screen is taken.
/// What it learns it keeps by itself, so that it needs nobody when it is run again. Does nothing where none needs one, and
/// blocks where one does.
///
/// # Errors
///
/// Where the plugin fails. Whatever else may be wrong is [`connect`]'s to say.
pub fn log_in_with_a_human(options: &Options) -> Result<(), ConnectError> {
    // Nothing keeps a first frame waiting: a kubeconfig that cannot be read at once is read later, and without a human.
    let (tell, told) = std::sync::mpsc::channel();
    let asked = options.clone();
    std::thread::spawn(move || drop(tell.send(plugin(&asked))));
    let needs_one = |exec: &ExecConfig| exec.interactive_mode == Some(ExecInteractiveMode::Always);
    let Some(exec) = told.recv_timeout(AT_ONCE).ok().flatten().filter(needs_one) else { return Ok(()) };
    let Some(command) = &exec.command else { return Ok(()) };
    let environment = exec.env.iter().flatten().filter_map(|e| Some((e.get("name")?, e.get("value")?)));
    // Its standard output is the token, which is nobody's to read.
    let status = std::process::Command::new(command)
        .args(exec.args.iter().flatten())
        .envs(environment)
        .env(
            "KUBERNETES_EXEC_INFO",
            EXEC_INFO.replacen("{}", exec.api_version.as_deref().unwrap_or("client.authentication.k8s.io/v1"), 1),
        )
        .stdout(std::process::Stdio::null())
        .status();
    let shown = clean(command, 80);
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(ConnectError::Client(format!("the login plugin '{shown}' failed ({status})"))),
        Err(error) => Err(ConnectError::Client(format!("the login plugin '{shown}' cannot be run: {error}"))),
    }
}

/// As long as nobody notices.
const AT_ONCE: Duration = Duration::from_millis(100);

/// What a plugin is told.
const EXEC_INFO: &str = r#"{"kind":"ExecCredential","apiVersion":"{}","spec":{"interactive":true}}"#;

/// The login plugin that would be used, if one is.
fn plugin(options: &Options) -> Option<ExecConfig> {
    let kubeconfig = match &options.kubeconfig {
        Some(file) => Kubeconfig::read_from(file).ok()?,
        None => Kubeconfig::read().ok()?,
    };
    let name = options.context.clone().or_else(|| kubeconfig.current_context.clone())?;
    let context = kubeconfig.contexts.iter().find(|c| c.name == name)?.context.as_ref()?;
    let user = options.user.clone().or_else(|| context.user.clone())?;
    kubeconfig.auth_infos.into_iter().find(|a| a.name == user)?.auth_info?.exec
}

/// A client, and what it stands for.
struct Made {
    client: kube::Client,
    context: String,
    namespace: String,
}

async fn made(options: &Options) -> Result<Made, ConnectError> {
    let kubeconfig = match &options.kubeconfig {
        Some(file) => read(file).map(Some),
        None => Kubeconfig::read().map(Some).or_else(in_a_pod).map_err(unusable),
    }?;
    let (mut config, context) = if let Some(kubeconfig) = kubeconfig {
        from_kubeconfig(kubeconfig, options).await?
    } else {
        let config = Config::incluster().map_err(|e| ConnectError::Kubeconfig(clean(&e.to_string(), SHOWN)))?;
        (config, "in-cluster".to_owned())
    };
    let namespace = options.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
    config.default_namespace.clone_from(&namespace);
    if options.impersonate.is_some() {
        config.auth_info.impersonate.clone_from(&options.impersonate);
    }
    // Plugins run in here, and block.
    let client = tokio::task::spawn_blocking(move || bare(config)).await;
    let client = client.map_err(|_| ConnectError::Client("the login plugin failed".to_owned()))??;
    Ok(Made { client, context, namespace })
}

/// A client as everything here expects it: without retries of its own, without a terminal for its plugins, by name.
pub fn client(config: Config) -> Result<Client, ConnectError> {
    bare(config).map(Client::from)
}

fn bare(mut config: Config) -> Result<kube::Client, ConnectError> {
    // An error says that one is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    config.default_retry = false;
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    if let Some(exec) = &mut config.auth_info.exec {
        exec.interactive_mode = Some(ExecInteractiveMode::Never);
    }
    config.headers.push((USER_AGENT, HeaderValue::from_static(concat!("warroom/", env!("CARGO_PKG_VERSION")))));
    let client = kube::Client::try_from(config);
    client.map_err(|error| ConnectError::Client(without_secrets(&clean(&error.to_string(), SHOWN))))
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
    let named = named_proxy(&kubeconfig, &context, options);
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &choice).await.map_err(unusable)?;
    // What the client makes of it by itself compares the exceptions with the proxy, and not with the server.
    config.proxy_url = match named {
        Some(named) => {
            let wrong = |_| ConnectError::Kubeconfig("the proxy-url of its cluster is no URL".to_owned());
            Some(named.parse::<Uri>().map_err(wrong)?)
        }
        None => Proxies::of_environment().proxy(&config.cluster_url).map_err(ConnectError::Client)?,
    };
    Ok((config, clean(&context, 120)))
}

/// The proxy that the kubeconfig itself names for its cluster.
fn named_proxy(kubeconfig: &Kubeconfig, context: &str, options: &Options) -> Option<String> {
    let of_context =
        || kubeconfig.contexts.iter().find(|c| c.name == context)?.context.as_ref().map(|c| c.cluster.clone());
    let cluster = options.cluster.clone().or_else(of_context)?;
    let cluster = kubeconfig.clusters.iter().find(|c| c.name == cluster).and_then(|c| c.cluster.as_ref());
    cluster?.proxy_url.clone().filter(|url| !url.is_empty())
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
