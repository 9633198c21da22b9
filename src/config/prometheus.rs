//! `[prometheus]`: whom to ask for what was not watched here. Nobody where `url` is empty.

use std::fmt;
use std::path::PathBuf;

use super::draft::{Said, Won};
use super::error::{ConfigError, Place};
use super::words::quoted;
use super::{probe, values};
use crate::reach::http::Url;

/// Where a Prometheus is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Server {
    /// Its API's base, such as `http://prometheus:9090`; Mimir's ends in `/prometheus`.
    Url(Url),
    /// A service of the cluster, reached through the API server.
    Service {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// Its port.
        port: u16,
    },
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(url) => write!(f, "{url}"),
            Self::Service { namespace, name, port } => write!(f, "{namespace}/{name}:{port}"),
        }
    }
}

/// Whom to ask, and how.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Prometheus {
    /// Where it is; `None`: nobody is asked.
    pub url: Option<Server>,
    /// Whose series, where one server has those of many: the header `X-Scope-OrgID`.
    pub tenant: Option<String>,
    /// The file that holds the token for it.
    pub token_file: Option<PathBuf>,
}

impl Prometheus {
    /// Every key with its value, both as TOML writes them.
    pub(super) fn entries(&self) -> [(String, String); 3] {
        let path = self.token_file.as_ref().map(|p| p.display().to_string()).unwrap_or_default();
        [
            ("prometheus.url", quoted(&self.url.as_ref().map(ToString::to_string).unwrap_or_default())),
            ("prometheus.tenant", quoted(self.tenant.as_deref().unwrap_or_default())),
            ("prometheus.token_file", quoted(&path)),
        ]
        .map(|(key, value)| (key.to_owned(), value))
    }
}

/// What was said about it.
#[derive(Debug, Clone, Default)]
pub(super) struct Part {
    pub(super) url: Option<Said<Option<Server>>>,
    pub(super) tenant: Option<Said<Option<String>>>,
    pub(super) token_file: Option<Said<Option<PathBuf>>>,
}

impl Part {
    pub(super) fn over(self, weaker: Self) -> Self {
        Self {
            url: self.url.or(weaker.url),
            tenant: self.tenant.or(weaker.tenant),
            token_file: self.token_file.or(weaker.token_file),
        }
    }

    pub(super) fn settle(self, won: &mut Won<'_>) -> Prometheus {
        let mut prometheus = Prometheus::default();
        won.take(&mut prometheus.url, self.url, || "prometheus.url".to_owned());
        won.take(&mut prometheus.tenant, self.tenant, || "prometheus.tenant".to_owned());
        won.take(&mut prometheus.token_file, self.token_file, || "prometheus.token_file".to_owned());
        prometheus
    }
}

/// A URL, or `NAMESPACE/SERVICE:PORT`; nothing where it is empty.
pub(super) fn url(text: &str, place: &Place) -> Result<Option<Server>, ConfigError> {
    let text = text.trim();
    if text.contains("://") || text.is_empty() {
        return Ok(probe::url(text, place)?.map(Server::Url));
    }
    let name = |text: &str| {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        (!text.is_empty() && text.len() <= 63 && text.chars().all(fits)).then(|| text.to_owned())
    };
    let service = text.split_once('/').and_then(|(namespace, rest)| {
        let (service, port) = rest.split_once(':')?;
        Some(Server::Service { namespace: name(namespace)?, name: name(service)?, port: port.parse().ok()? })
    });
    service.map(Some).ok_or_else(|| ConfigError::BadUrl {
        place: place.clone(),
        why: "is neither an http:// or https:// URL nor NAMESPACE/SERVICE:PORT".to_owned(),
    })
}

/// A tenant's name, which becomes a header; nothing where it is empty.
pub(super) fn tenant(text: &str, place: &Place) -> Result<Option<String>, ConfigError> {
    values::header(text, place)
}
