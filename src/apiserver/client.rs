//! The one thing that everybody who speaks with the API server holds. Behind it the client may change: whoever holds this
//! does not notice. It changes where the server does not know us any more: then the kubeconfig is read and the login run
//! again, once for all who wait.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use http::{Method, Request, Response, StatusCode};
use kube::client::Body;
use tokio::sync::Mutex;

use super::Trouble;
use crate::clock;

/// Between two logins: a login that does not help is not tried for every request.
const PAUSE: Duration = Duration::from_secs(20);

/// Makes a new client, from the same options as the first one.
pub(super) type Login = Box<dyn Fn() -> Pin<Box<dyn Future<Output = Option<kube::Client>> + Send>> + Send + Sync>;

/// A connection with an API server. Cloning is cheap and shares everything.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    /// The client, and how often it was made.
    current: RwLock<(kube::Client, u64)>,
    login: Option<Login>,
    /// When the last login was tried; who holds it logs in for everybody.
    tried: Mutex<Option<Instant>>,
}

impl From<kube::Client> for Client {
    fn from(client: kube::Client) -> Self {
        Self(Arc::new(Inner { current: RwLock::new((client, 0)), login: None, tried: Mutex::new(None) }))
    }
}

impl Client {
    /// A connection that logs in anew where the server does not know us any more.
    pub(super) fn renewable(client: kube::Client, login: Login) -> Self {
        Self(Arc::new(Inner { current: RwLock::new((client, 0)), login: Some(login), tried: Mutex::new(None) }))
    }

    /// The client of the moment, for what speaks another protocol than one request and one answer.
    pub fn current(&self) -> kube::Client {
        self.now().0
    }

    fn now(&self) -> (kube::Client, u64) {
        self.0.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sends a request; any status is an answer. It has no deadline of its own.
    ///
    /// Where the server answers 401, there is a new login, and a GET is sent a second time. Nothing else is: who writes
    /// sends once, and is told.
    pub async fn send(&self, request: Request<Body>) -> Result<Response<Body>, Trouble> {
        let (parts, body) = request.into_parts();
        let again = (parts.method == Method::GET).then(|| parts.clone());
        let (client, made) = self.now();
        let send = |client: kube::Client, request| async move {
            client.send(request).await.map_err(|error| Trouble::of(&error))
        };
        let answer = send(client, Request::from_parts(parts, body)).await;
        let unknown = match &answer {
            Ok(answer) => answer.status() == StatusCode::UNAUTHORIZED,
            Err(trouble) => matches!(trouble, Trouble::Credentials(_)),
        };
        if !unknown || !self.log_in(made).await {
            return answer;
        }
        match again {
            Some(parts) => send(self.current(), Request::from_parts(parts, Body::empty())).await,
            None => answer,
        }
    }

    /// Logs in anew unless somebody has since the client was made for the `made`th time; whether there is a new client.
    async fn log_in(&self, made: u64) -> bool {
        let Some(login) = &self.0.login else { return false };
        let mut tried = self.0.tried.lock().await;
        if self.now().1 != made {
            return true;
        }
        let now = clock::monotonic();
        if tried.is_some_and(|last| now.saturating_duration_since(last) < PAUSE) {
            return false;
        }
        *tried = Some(now);
        let Some(client) = login().await else { return false };
        *self.0.current.write().unwrap_or_else(PoisonError::into_inner) = (client, made + 1);
        true
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Client")
    }
}
