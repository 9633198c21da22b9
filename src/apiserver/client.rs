//! The one thing that everybody who speaks with the API server holds. Behind it the client may change: whoever holds this
//! does not notice.

use std::sync::{Arc, PoisonError, RwLock};

use http::{Request, Response};
use kube::client::Body;

use super::Trouble;

/// A connection with an API server. Cloning is cheap and shares everything.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    current: RwLock<kube::Client>,
}

impl From<kube::Client> for Client {
    fn from(client: kube::Client) -> Self {
        Self(Arc::new(Inner { current: RwLock::new(client) }))
    }
}

impl Client {
    /// The client of the moment, for what speaks another protocol than one request and one answer.
    pub fn current(&self) -> kube::Client {
        self.0.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sends a request, once; any status is an answer. It has no deadline of its own.
    pub async fn send(&self, request: Request<Body>) -> Result<Response<Body>, Trouble> {
        self.current().send(request).await.map_err(|error| Trouble::of(&error))
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Client")
    }
}
