//! A request: its path, query, headers and body, and the object that its path names.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::{HeaderMap, Method, Request, header};
use serde_json::Value;

use crate::sim::cluster::Refusal;
use crate::sim::cluster::kinds::{Names, SERVED};

/// The longest body: kube-apiserver's limit.
const MOST_BYTES: usize = 3 * 1024 * 1024;
/// So much of a body is told.
const MOST_TOLD: usize = 64 * 1024;

/// A request.
#[derive(Debug)]
pub(super) struct Ask {
    pub(super) method: Method,
    pub(super) path: Vec<String>,
    query: BTreeMap<String, String>,
    headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Ask {
    pub(super) async fn read(request: Request<Incoming>) -> Result<Self, Refusal> {
        let (parts, body) = request.into_parts();
        let body = Limited::new(body, MOST_BYTES).collect().await.map_err(|_| {
            Refusal::new(413, "RequestEntityTooLarge", format!("Request entity too large: limit is {MOST_BYTES}"))
        })?;
        let path = parts.uri.path().split('/').filter(|s| !s.is_empty()).map(decoded).collect();
        let query = parts
            .uri
            .query()
            .unwrap_or_default()
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                (decoded(&key.replace('+', " ")), decoded(&value.replace('+', " ")))
            })
            .collect();
        Ok(Self { method: parts.method, path, query, headers: parts.headers, body: body.to_bytes().to_vec() })
    }

    /// The whole request in one line: method, path with query, body.
    pub(super) fn told(&self) -> String {
        let mut line = format!("{} /{}", self.method, self.path.join("/"));
        for (i, (key, value)) in self.query.iter().enumerate() {
            line.extend([if i == 0 { "?" } else { "&" }, key, "=", value]);
        }
        if !self.body.is_empty() {
            line.push(' ');
            line.push_str(&String::from_utf8_lossy(&self.body[..self.body.len().min(MOST_TOLD)]));
        }
        line
    }

    /// A parameter; empty where it is not there.
    pub(super) fn get(&self, key: &str) -> &str {
        self.query.get(key).map_or("", String::as_str)
    }

    /// Whether a parameter is set to yes.
    pub(super) fn is(&self, key: &str) -> bool {
        matches!(self.get(key), "true" | "1")
    }

    /// All parameters as a URL has them, with the `?` before; empty where there are none.
    pub(super) fn query(&self) -> String {
        let escaped = |text: &str| {
            text.bytes().fold(String::new(), |mut all, byte| {
                if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                    all.push(char::from(byte));
                } else {
                    let _ = write!(all, "%{byte:02X}");
                }
                all
            })
        };
        let pairs: Vec<String> =
            self.query.iter().map(|(key, value)| format!("{}={}", escaped(key), escaped(value))).collect();
        if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) }
    }

    /// A header by its name; empty where it is not there.
    pub(super) fn plain_header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default()
    }

    /// A parameter as a number.
    pub(super) fn number(&self, key: &str) -> Option<u64> {
        self.get(key).parse().ok()
    }

    pub(super) fn header(&self, name: header::HeaderName) -> &str {
        self.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default()
    }

    /// Whether it bears the token: in its header, or as the first part of its path, which is then taken away. kubectl
    /// sends no header without TLS, and keeps the path of the server that it is given.
    pub(super) fn bears(&mut self, token: &str) -> bool {
        let given = self.header(header::AUTHORIZATION).strip_prefix("Bearer ").unwrap_or_default();
        if same(given, token) {
            return true;
        }
        let in_path = self.path.first().is_some_and(|first| same(first, token));
        if in_path {
            self.path.remove(0);
        }
        in_path
    }

    /// The name under which a write is signed.
    pub(super) fn manager(&self) -> String {
        let named = self.get("fieldManager");
        let agent = self.header(header::USER_AGENT).split('/').next().unwrap_or_default();
        let name = if named.is_empty() { agent } else { named };
        if name.is_empty() { "unknown".to_owned() } else { crate::text::clean(name, 128) }
    }

    /// Whether nothing is to be kept.
    pub(super) fn dry_run(&self) -> Result<bool, Refusal> {
        match self.get("dryRun") {
            "" => Ok(false),
            "All" => Ok(true),
            other => {
                let of = match self.method {
                    Method::POST => "CreateOptions",
                    Method::PUT => "UpdateOptions",
                    Method::DELETE => "DeleteOptions",
                    _ => "PatchOptions",
                };
                let message = format!(
                    "{of}.meta.k8s.io \"\" is invalid: dryRun: Unsupported value: [{other:?}]: supported values: \"All\""
                );
                Err(Refusal::new(422, "Invalid", message))
            }
        }
    }

    /// The body as JSON.
    pub(super) fn json(&self) -> Result<Value, Refusal> {
        let kind = self.header(header::CONTENT_TYPE);
        if kind.contains("protobuf") || kind.contains("yaml") || kind.contains("cbor") {
            let message = format!(
                "the body of the request was in an unknown format - accepted media types include: application/json, not {kind}"
            );
            return Err(Refusal::new(415, "UnsupportedMediaType", crate::text::clean(&message, 300)));
        }
        serde_json::from_slice(&self.body).map_err(|e| Refusal::bad(format!("the body is no JSON: {e}")))
    }

    /// The parts of `Accept`, in order.
    pub(super) fn accepts(&self) -> impl Iterator<Item = &str> {
        self.header(header::ACCEPT).split(',').map(str::trim)
    }
}

/// Every byte is compared, so that the time says nothing.
fn same(given: &str, wanted: &str) -> bool {
    let (given, wanted) = (given.as_bytes(), wanted.as_bytes());
    given.len() == wanted.len() && given.iter().zip(wanted).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0
}

/// `%41` → `A`; what is no UTF-8 is replaced.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = (bytes[at] == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        if let Some(byte) = hex.and_then(|h| u8::from_str_radix(h, 16).ok()) {
            out.push(byte);
            at += 3;
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// What a path names.
#[derive(Debug)]
pub(super) struct Target<'a> {
    pub(super) names: &'static Names,
    /// `None`: all namespaces, or a kind that has none.
    pub(super) namespace: Option<&'a str>,
    /// Empty: all of them.
    pub(super) name: &'a str,
    /// What follows the name: `scale`, `log`, `proxy/metrics`.
    pub(super) part: Vec<&'a str>,
}

impl<'a> Target<'a> {
    pub(super) fn of(path: &[&'a str]) -> Option<Self> {
        let (group, version, rest) = match path {
            ["api", version, rest @ ..] => ("", *version, rest),
            ["apis", group, version, rest @ ..] => (*group, *version, rest),
            _ => return None,
        };
        let find =
            |plural: &str| SERVED.iter().find(|n| n.group == group && n.version == version && n.plural == plural);
        let (namespace, rest) = match rest {
            // `namespaces/x` itself and its parts are no resource in a namespace.
            ["namespaces", namespace, plural, rest @ ..] if find(plural).is_some_and(|n| n.namespaced) => {
                return Some(Self::with(find(plural)?, Some(namespace), rest));
            }
            rest => (None, rest),
        };
        let (plural, rest) = rest.split_first()?;
        let names = find(plural)?;
        // A thing in a namespace cannot be named without it.
        (!names.namespaced || rest.is_empty()).then(|| Self::with(names, namespace, rest))
    }

    fn with(names: &'static Names, namespace: Option<&'a str>, rest: &[&'a str]) -> Self {
        let (name, part) = rest.split_first().map_or(("", &[][..]), |(name, part)| (*name, part));
        Self { names, namespace, name, part: part.to_vec() }
    }

    /// The namespace under which the object is kept.
    pub(super) fn space(&self) -> &'a str {
        self.namespace.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_what_kubernetes_paths_name() {
        let of = |path: &'static str| {
            let parts: Vec<&'static str> = path.split('/').collect();
            Target::of(&parts).map(|t| (t.names.name, t.namespace, t.name, t.part.join("/")))
        };
        assert_eq!(
            of("api/v1/namespaces/n/pods/p:8000/proxy/metrics"),
            Some(("Pod", Some("n"), "p:8000", "proxy/metrics".into()))
        );
        assert_eq!(of("apis/apps/v1/deployments"), Some(("Deployment", None, "", String::new())));
        assert_eq!(of("api/v1/namespaces/n"), Some(("Namespace", None, "n", String::new())));
        assert_eq!(of("apis/apps/v1/deployments/x"), None);
        assert_eq!(of("apis/batch/v1/namespaces/n/jobs"), None);
    }

    #[test]
    fn escapes_are_read() {
        assert_eq!(decoded("a%3Db%2c%zz%"), "a=b,%zz%");
    }
}
