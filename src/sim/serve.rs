//! Opens a simulated cluster: lets its past pass, records it, and answers on loopback from then on.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rand::TryRngCore;
use rand::rngs::OsRng;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use super::api::Forward;
use super::api::{self, Shared};
use super::ring::Ring;
use super::rules::{Calls, Rules};
use super::serving::Serving;
use super::world::{Setup, World};
use crate::clock::{self, Clock};
use crate::domain::At;

/// How a simulated cluster is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// What decides chance.
    pub seed: u64,
    /// Simulated seconds per second.
    pub speed: f64,
    /// The moment at which it opens (unix ms); this machine's time, where it is absent. Ages are right for clients that
    /// look at their own clock only if it is absent.
    pub opens_ms: Option<i64>,
    /// Where the past is recorded; nowhere, where it is absent.
    pub recordings: Option<PathBuf>,
    /// What the API allows.
    pub rules: Rules,
    /// The port; a free one, where it is 0.
    pub port: u16,
    /// What stands behind Services and is not simulated.
    pub forwards: Vec<Forward>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: 1,
            speed: 1.0,
            opens_ms: None,
            recordings: None,
            rules: Rules::default(),
            port: 0,
            forwards: Vec::new(),
        }
    }
}

/// Why a simulated cluster does not open.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// No port can be opened.
    #[error("no port can be opened on 127.0.0.1: {0}; give another with --port, or none")]
    Port(io::Error),
    /// The past cannot be recorded.
    #[error("'{path}' cannot be written: {source}; the simulation's history is recorded there")]
    Recordings {
        /// Where.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The kubeconfig cannot be written.
    #[error("'{path}' cannot be written: {source}; --kubeconfig-out takes a file in a directory that exists")]
    Kubeconfig {
        /// Where.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// There is no randomness for a token.
    #[error("this machine gives no random bytes for a token: {0}")]
    Token(String),
    /// The simulation failed before it opened.
    #[error("the simulation ended before it opened: {0}")]
    Ended(String),
}

/// A simulated cluster that answers. It ends when this is dropped.
#[derive(Debug)]
pub struct Handle {
    /// Where: `http://127.0.0.1:…`.
    pub url: String,
    /// The token that every request bears.
    pub token: String,
    /// Its time.
    pub clock: Clock,
    /// Where its past is recorded.
    pub recordings: Option<PathBuf>,
    /// The scenario's name.
    pub scenario: String,
    /// The workload's namespace.
    pub namespace: String,
    /// The workload's name: a Deployment.
    pub workload: String,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Opens a simulated cluster. `serving` makes what runs in containers, for a world that begins at the given moment.
pub async fn serve(
    setup: Setup,
    serving: impl FnOnce(At) -> Box<dyn Serving> + Send + 'static,
    options: Options,
) -> Result<Handle, SimError> {
    let token = token()?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await.map_err(SimError::Port)?;
    let address = listener.local_addr().map_err(SimError::Port)?;
    let opens = options.opens_ms.unwrap_or_else(clock::unix_ms);
    let recordings = options.recordings.clone();
    let (scenario, workload) = (setup.name.clone(), setup.workload.clone());
    let seed = options.seed;
    // The past takes about a second of computing: elsewhere, so that nothing here waits for it.
    let past = tokio::task::spawn_blocking(move || past(&setup, serving, At(opens), seed, recordings.as_deref()));
    let world = past.await.map_err(|e| SimError::Ended(e.to_string()))??;
    let clock = Clock::simulated(opens, options.speed);
    let facts = (scenario.clone(), options.seed, options.speed);
    let shared = Arc::new(Shared::new(world, clock, token.clone(), facts, (options.rules, options.forwards)));
    let server = tokio::spawn(api::listen(listener, shared.clone()));
    Ok(Handle {
        url: format!("http://{address}"),
        token,
        clock,
        recordings: options.recordings,
        scenario,
        namespace: workload.0,
        workload: workload.1,
        shared,
        server,
    })
}

fn past(
    setup: &Setup,
    serving: impl FnOnce(At) -> Box<dyn Serving>,
    opens: At,
    seed: u64,
    recordings: Option<&Path>,
) -> Result<World, SimError> {
    let begins = opens.plus(-setup.opens_s);
    let begins = At(begins.0 - begins.0.rem_euclid(1000));
    let mut world = World::new(setup, serving(begins), begins, seed);
    if let Some(directory) = recordings {
        let failed =
            |source| SimError::Recordings { path: crate::text::clean(&directory.display().to_string(), 200), source };
        Ring::new(directory).and_then(|ring| ring.record(&mut world, opens)).map_err(failed)?;
    } else {
        world.advance(opens);
    }
    Ok(world)
}

fn token() -> Result<String, SimError> {
    let mut bytes = [0_u8; 24];
    OsRng.try_fill_bytes(&mut bytes).map_err(|e| SimError::Token(e.to_string()))?;
    let mut token = String::with_capacity(48);
    for byte in bytes {
        let _ = write!(token, "{byte:02x}");
    }
    Ok(token)
}

impl Handle {
    /// The name of its context in a kubeconfig.
    pub fn context(&self) -> String {
        format!("sim-{}", self.scenario)
    }

    /// A kubeconfig for it. The token is the server's path: without TLS, kubectl sends no token of a user.
    pub fn kubeconfig(&self) -> String {
        let (context, url, token, namespace) = (self.context(), &self.url, &self.token, &self.namespace);
        format!(
            "apiVersion: v1\nkind: Config\nclusters:\n- name: {context}\n  cluster:\n    server: {url}/{token}\nusers:\n\
             - name: {context}\n  user: {{}}\ncontexts:\n- name: {context}\n  context:\n    cluster: {context}\n    \
             user: {context}\n    namespace: {namespace}\ncurrent-context: {context}\n"
        )
    }

    /// Writes the kubeconfig, readable by nobody else.
    pub fn write_kubeconfig(&self, path: &Path) -> Result<(), SimError> {
        let failed =
            |source| SimError::Kubeconfig { path: crate::text::clean(&path.display().to_string(), 200), source };
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).map_err(failed)?;
        // A file that was there before keeps its mode unless it is told.
        #[cfg(unix)]
        file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600)).map_err(failed)?;
        file.write_all(self.kubeconfig().as_bytes()).map_err(failed)
    }

    /// Lets simulated seconds pass at once, beside the clock: for tests, which have no time to wait.
    pub fn skip(&self, seconds: f64) {
        self.shared.skip(seconds);
    }

    /// Looks at the world as it is now, without any request: for tests that read it often.
    pub fn look<T>(&self, look: impl FnOnce(&World) -> T) -> T {
        look(&self.shared.world().world)
    }

    /// The calls that were allowed, as permissions see them, each once.
    pub fn calls(&self) -> Calls {
        self.shared.calls()
    }

    /// The requests that would change something, in the order in which they came: method, path with query, body. Dry runs
    /// are among them, and say so in their query; so are those that were refused. Only the last few hundred are kept.
    pub fn writes(&self) -> Vec<String> {
        self.shared.writes()
    }
}
