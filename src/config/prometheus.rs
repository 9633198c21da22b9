//! `[prometheus]`: whom to ask for what was not watched here. Where `url` is empty, whoever is found in the cluster.

use std::fmt;
use std::path::PathBuf;

use super::draft::{Said, Won};
use super::error::{ConfigError, Place};
use super::words::{clean, quoted};
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
        /// What stands before `/api/v1` in its paths: empty, or with a leading `/`.
        path: String,
    },
}

/// Whom to ask.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Whom {
    /// Whoever is found in the cluster.
    #[default]
    Found,
    /// Nobody.
    Nobody,
    /// This one.
    Server(Server),
}

impl fmt::Display for Whom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Found => Ok(()),
            Self::Nobody => f.write_str(OFF),
            Self::Server(server) => server.fmt(f),
        }
    }
}

/// Whether it is asked for what engines' pages say, so that no engine is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Engines {
    /// Where there are too many replicas to read.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Engines {
    const ALL: [Self; 3] = [Self::Auto, Self::Always, Self::Never];

    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Always => "always",
            Self::Never => "never",
        }
    }
}

/// Whether it is asked for what pods beside the engines say, so that none of those is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Others {
    /// Always.
    Always,
    /// Never: their pages are few.
    #[default]
    Never,
}

impl Others {
    const ALL: [Self; 2] = [Self::Always, Self::Never];

    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Never => "never",
        }
    }
}

/// How it is written that nobody is asked.
const OFF: &str = "off";

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(url) => write!(f, "{url}"),
            Self::Service { namespace, name, port, path } => write!(f, "{namespace}/{name}:{port}{path}"),
        }
    }
}

/// Whom to ask, and how.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Prometheus {
    /// Who.
    pub url: Whom,
    /// Whose series, where one server has those of many: the header `X-Scope-OrgID`.
    pub tenant: Option<String>,
    /// The file that holds the token for it.
    pub token_file: Option<PathBuf>,
    /// Whether engines are read through it.
    pub engines: Engines,
    /// Whether gateways are.
    pub gateways: Others,
    /// Whether GPUs are.
    pub gpus: Others,
}

impl Prometheus {
    /// Every key with its value, both as TOML writes them.
    pub(super) fn entries(&self) -> [(String, String); 6] {
        let path = self.token_file.as_ref().map(|p| p.display().to_string()).unwrap_or_default();
        [
            ("prometheus.url", quoted(&self.url.to_string())),
            ("prometheus.tenant", quoted(self.tenant.as_deref().unwrap_or_default())),
            ("prometheus.token_file", quoted(&path)),
            ("prometheus.engines", quoted(self.engines.name())),
            ("prometheus.gateways", quoted(self.gateways.name())),
            ("prometheus.gpus", quoted(self.gpus.name())),
        ]
        .map(|(key, value)| (key.to_owned(), value))
    }
}

/// What was said about it.
#[derive(Debug, Clone, Default)]
pub(super) struct Part {
    pub(super) url: Option<Said<Whom>>,
    pub(super) tenant: Option<Said<Option<String>>>,
    pub(super) token_file: Option<Said<Option<PathBuf>>>,
    pub(super) engines: Option<Said<Engines>>,
    pub(super) gateways: Option<Said<Others>>,
    pub(super) gpus: Option<Said<Others>>,
}

impl Part {
    pub(super) fn over(self, weaker: Self) -> Self {
        Self {
            url: self.url.or(weaker.url),
            tenant: self.tenant.or(weaker.tenant),
            token_file: self.token_file.or(weaker.token_file),
            engines: self.engines.or(weaker.engines),
            gateways: self.gateways.or(weaker.gateways),
            gpus: self.gpus.or(weaker.gpus),
        }
    }

    pub(super) fn settle(self, won: &mut Won<'_>) -> Prometheus {
        let mut prometheus = Prometheus::default();
        won.take(&mut prometheus.url, self.url, || "prometheus.url".to_owned());
        won.take(&mut prometheus.tenant, self.tenant, || "prometheus.tenant".to_owned());
        won.take(&mut prometheus.token_file, self.token_file, || "prometheus.token_file".to_owned());
        won.take(&mut prometheus.engines, self.engines, || "prometheus.engines".to_owned());
        won.take(&mut prometheus.gateways, self.gateways, || "prometheus.gateways".to_owned());
        won.take(&mut prometheus.gpus, self.gpus, || "prometheus.gpus".to_owned());
        prometheus
    }
}

/// Whether engines are read through it.
pub(super) fn engines(text: &str, place: &Place) -> Result<Engines, ConfigError> {
    Engines::ALL
        .into_iter()
        .find(|e| e.name() == text.trim())
        .ok_or_else(|| ConfigError::UnknownEngines { place: place.clone(), value: clean(text) })
}

/// Whether gateways or GPUs are.
pub(super) fn others(text: &str, place: &Place) -> Result<Others, ConfigError> {
    Others::ALL
        .into_iter()
        .find(|o| o.name() == text.trim())
        .ok_or_else(|| ConfigError::UnknownOthers { place: place.clone(), value: clean(text) })
}

/// A URL, or `NAMESPACE/SERVICE:PORT` with or without a path behind it; whoever is found where it is empty.
pub(super) fn url(text: &str, place: &Place) -> Result<Whom, ConfigError> {
    let text = text.trim();
    if text == OFF {
        return Ok(Whom::Nobody);
    }
    if text.contains("://") || text.is_empty() {
        return Ok(probe::url(text, place)?.map_or(Whom::Found, |url| Whom::Server(Server::Url(url))));
    }
    service(text).map(Whom::Server).ok_or_else(|| ConfigError::BadUrl {
        place: place.clone(),
        why: "is neither an http:// or https:// URL nor NAMESPACE/SERVICE:PORT nor \"off\"".to_owned(),
    })
}

fn service(text: &str) -> Option<Server> {
    let name = |text: &str| {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        (!text.is_empty() && text.len() <= 63 && text.chars().all(fits)).then(|| text.to_owned())
    };
    let (namespace, rest) = text.split_once('/')?;
    let (service, rest) = rest.split_once(':')?;
    let (port, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let path = path.trim_end_matches('/');
    let plain = |c: char| c.is_ascii_alphanumeric() || "/-_.".contains(c);
    if path.len() > 200 || path.contains("..") || !path.chars().all(plain) {
        return None;
    }
    let port = port.parse().ok().filter(|port| *port > 0)?;
    Some(Server::Service { namespace: name(namespace)?, name: name(service)?, port, path: path.to_owned() })
}

/// A tenant's name, which becomes a header; nothing where it is empty.
pub(super) fn tenant(text: &str, place: &Place) -> Result<Option<String>, ConfigError> {
    values::header(text, place)
}
