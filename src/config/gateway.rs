//! `[gateway]`: which pods are the gateway in front, where they are not found by themselves.

use super::draft::{Said, Won};
use super::error::{ConfigError, Place};
use super::words::quoted;

/// Labels, a namespace and a path are no longer than this, in characters.
const LONGEST: usize = 512;

/// Which pods, and where their page is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Gateway {
    /// Its pods; `None`: found by the labels of Envoy, Istio and Gateways.
    pub selector: Option<Selector>,
    /// The port and path of its page; `None`: by the pod's annotations and ports.
    pub metrics: Option<(u16, String)>,
}

/// Pods by their labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector {
    /// Their namespace; `None`: the workload's.
    pub namespace: Option<String>,
    /// As kubectl's `-l`.
    pub labels: String,
}

impl Gateway {
    /// Every key with its value, both as TOML writes them.
    pub(super) fn entries(&self) -> [(String, String); 2] {
        let selector = self.selector.as_ref().map_or(String::new(), |s| match &s.namespace {
            Some(namespace) => format!("{namespace}:{}", s.labels),
            None => s.labels.clone(),
        });
        let metrics = self.metrics.as_ref().map_or(String::new(), |(port, path)| format!("{port}{path}"));
        [("gateway.selector", quoted(&selector)), ("gateway.metrics", quoted(&metrics))]
            .map(|(key, value)| (key.to_owned(), value))
    }
}

/// What was said about it.
#[derive(Debug, Clone, Default)]
pub(super) struct Part {
    pub(super) selector: Option<Said<Option<Selector>>>,
    pub(super) metrics: Option<Said<Option<(u16, String)>>>,
}

impl Part {
    pub(super) fn over(self, weaker: Self) -> Self {
        Self { selector: self.selector.or(weaker.selector), metrics: self.metrics.or(weaker.metrics) }
    }

    pub(super) fn settle(self, won: &mut Won<'_>) -> Gateway {
        let mut gateway = Gateway::default();
        won.take(&mut gateway.selector, self.selector, || "gateway.selector".to_owned());
        won.take(&mut gateway.metrics, self.metrics, || "gateway.metrics".to_owned());
        gateway
    }
}

/// `LABELS`, or `NAMESPACE:LABELS`; nothing where it is empty.
pub(super) fn selector(text: &str, place: &Place) -> Result<Option<Selector>, ConfigError> {
    let text = text.trim();
    let wrong = |why: &str| ConfigError::BadGateway { place: place.clone(), why: why.to_owned() };
    if text.is_empty() {
        return Ok(None);
    }
    let (namespace, labels) =
        text.split_once(':').map_or((None, text), |(namespace, labels)| (Some(namespace), labels));
    let is_name = |n: &str| {
        !n.is_empty() && n.len() <= 63 && n.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    if namespace.is_some_and(|n| !is_name(n)) {
        return Err(wrong("begins with what is no namespace"));
    }
    if labels.is_empty() || text.len() > LONGEST || !labels.bytes().all(|b| b.is_ascii_graphic() || b == b' ') {
        return Err(wrong("names no labels"));
    }
    Ok(Some(Selector { namespace: namespace.map(str::to_owned), labels: labels.to_owned() }))
}

/// `PORT/PATH`; nothing where it is empty.
pub(super) fn metrics(text: &str, place: &Place) -> Result<Option<(u16, String)>, ConfigError> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let (port, path) = text.find('/').map_or((text, "/metrics"), |at| text.split_at(at));
    let plain = path.len() <= LONGEST
        && !path.contains("..")
        && path.bytes().all(|b| b.is_ascii_alphanumeric() || b"/-_.".contains(&b));
    match port.parse() {
        Ok(port) if plain && port > 0 => Ok(Some((port, path.to_owned()))),
        _ => Err(ConfigError::BadGateway { place: place.clone(), why: "is no port with a path".to_owned() }),
    }
}
