//! The exact request of a plan: what is dry-run is what is sent, to the byte.

use serde::Serialize;
use serde_json::Value;

use crate::domain::{WorkloadKind, WorkloadRef};

/// The field manager under which everything here is written.
pub(super) const MANAGER: &str = "warroom";

/// How it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Method {
    /// Changes a part of an object.
    #[serde(rename = "PATCH")]
    Patch,
}

impl Method {
    /// As HTTP spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Patch => "PATCH",
        }
    }
}

/// One request that changes something. Its body may hold secrets that stood in the object before: it is sent and
/// recorded, and never shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The path, without a query.
    pub path: String,
    /// The query, without `dryRun`.
    pub query: String,
    /// The type of patch.
    pub content_type: &'static str,
    /// The body.
    pub body: String,
}

impl Request {
    /// A JSON patch.
    pub(super) fn json_patch(path: String, operations: &Value) -> Self {
        Self::patch(path, "application/json-patch+json", operations)
    }

    /// A merge patch.
    pub(super) fn merge_patch(path: String, body: &Value) -> Self {
        Self::patch(path, "application/merge-patch+json", body)
    }

    fn patch(path: String, content_type: &'static str, body: &Value) -> Self {
        let query = format!("fieldManager={MANAGER}&fieldValidation=Strict");
        Self { method: Method::Patch, path, query, content_type, body: body.to_string() }
    }

    /// Path and query as they are sent; with `dry`, nothing is stored.
    pub fn target(&self, dry: bool) -> String {
        let dry = if dry { "&dryRun=All" } else { "" };
        format!("{}?{}{dry}", self.path, self.query)
    }

    /// Where the object itself is read: the path without a subresource is `object`'s.
    pub fn object_path(&self) -> &str {
        self.path.strip_suffix("/scale").unwrap_or(&self.path)
    }
}

/// One permission that a plan needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Access {
    /// The verb.
    pub verb: &'static str,
    /// The API group, empty for the core.
    pub group: &'static str,
    /// The resource in the plural.
    pub resource: &'static str,
    /// The subresource, or nothing.
    pub subresource: &'static str,
    /// The namespace; nothing for what has none.
    pub namespace: Option<String>,
    /// The object's name.
    pub name: String,
}

impl std::fmt::Display for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let slash = if self.subresource.is_empty() { "" } else { "/" };
        write!(f, "{} {}{slash}{}", self.verb, self.resource, self.subresource)?;
        if !self.group.is_empty() {
            write!(f, ".{}", self.group)?;
        }
        Ok(())
    }
}

/// A workload's resource in the plural.
pub(super) const fn plural(kind: WorkloadKind) -> &'static str {
    match kind {
        WorkloadKind::Deployment => "deployments",
        WorkloadKind::StatefulSet => "statefulsets",
    }
}

/// Where the workload is.
pub(super) fn workload_path(of: &WorkloadRef) -> String {
    format!("/apis/apps/v1/namespaces/{}/{}/{}", of.namespace, plural(of.kind), of.name)
}

/// What patching the workload, or a part of it, needs.
pub(super) fn workload_access(of: &WorkloadRef, subresource: &'static str) -> Access {
    Access {
        verb: "patch",
        group: "apps",
        resource: plural(of.kind),
        subresource,
        namespace: Some(of.namespace.clone()),
        name: of.name.clone(),
    }
}

/// Whether Kubernetes can have given this name: then it can stand in a path and in a shell as it is.
pub(super) fn is_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
    !name.is_empty() && name.len() <= 253 && name.chars().all(allowed) && name != "." && name != ".."
}

/// The kubectl line that does nearly the same, to be read and copied.
pub(super) fn kubectl(of: &WorkloadRef, words: &str) -> String {
    format!("kubectl {} {words}", place_flags(of))
}

/// Where a workload is, in kubectl's flags as a shell takes them: a context may need quotes.
pub fn place_flags(of: &WorkloadRef) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.:/@".contains(c);
    let context = if of.context.chars().all(plain) && !of.context.is_empty() {
        of.context.clone()
    } else {
        format!("'{}'", of.context.replace('\'', r"'\''"))
    };
    format!("--context {context} -n {}", of.namespace)
}
