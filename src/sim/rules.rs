//! What the simulated API server allows: everything, less what was forbidden, or no more than Roles in a file grant.

use std::collections::BTreeSet;

use serde::Deserialize;

/// A call, as permissions see it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Call {
    /// The verb.
    pub verb: String,
    /// The API group; empty for the core.
    pub group: String,
    /// The resource in the plural, with its subresource behind a slash.
    pub resource: String,
    /// The namespace; `None`: all of them, or what has none.
    pub namespace: Option<String>,
}

/// Why Roles cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// The file is no YAML of Roles.
    #[error("'{file}' cannot be read as Roles and ClusterRoles: {why}; 'warroom rbac' writes such a file")]
    NoRoles {
        /// Which.
        file: String,
        /// What is wrong.
        why: String,
    },
}

/// What is allowed.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// A verb and a resource each, `*` for all.
    denied: Vec<(String, String)>,
    /// Nothing but what these grant; `None`: everything.
    granted: Option<Vec<Grant>>,
}

#[derive(Debug, Clone)]
struct Grant {
    /// `None`: the whole cluster.
    namespace: Option<String>,
    rule: Rule,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    #[serde(default)]
    api_groups: Vec<String>,
    #[serde(default)]
    resources: Vec<String>,
    verbs: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Role {
    kind: String,
    metadata: Metadata,
    #[serde(default)]
    rules: Vec<Rule>,
}

#[derive(Debug, Deserialize)]
struct Metadata {
    #[serde(default)]
    namespace: Option<String>,
}

impl Rules {
    /// Everything but these: a verb and a resource each, `*` for all, as in `("get", "pods/proxy")`.
    pub fn but(denied: Vec<(String, String)>) -> Self {
        Self { denied, granted: None }
    }

    /// The same, and nothing but what the Roles and `ClusterRoles` of a manifest grant, whoever they are bound to. `file`
    /// names it in errors.
    pub fn granting(self, file: &str, manifest: &str) -> Result<Self, RulesError> {
        let wrong = |why: String| RulesError::NoRoles { file: file.to_owned(), why: crate::text::clean(&why, 300) };
        let roles: Vec<Role> = serde_saphyr::from_multiple(manifest).map_err(|e| wrong(e.to_string()))?;
        let mut granted = Vec::new();
        for role in roles {
            let namespace = match role.kind.as_str() {
                "ClusterRole" => None,
                "Role" => Some(role.metadata.namespace.ok_or_else(|| wrong("a Role without a namespace".to_owned()))?),
                _ => continue,
            };
            granted.extend(role.rules.into_iter().map(|rule| Grant { namespace: namespace.clone(), rule }));
        }
        if granted.is_empty() {
            return Err(wrong("it holds no Role".to_owned()));
        }
        Ok(Self { granted: Some(granted), ..self })
    }

    /// Whether a call is allowed.
    pub fn allow(&self, call: &Call) -> bool {
        let denied = |(v, r): &(String, String)| (v == "*" || *v == call.verb) && (r == "*" || *r == call.resource);
        let has = |list: &[String], one: &str| list.iter().any(|known| known == "*" || known == one);
        let grants = |grant: &Grant| {
            let here = grant.namespace.is_none() || grant.namespace == call.namespace;
            here && has(&grant.rule.verbs, &call.verb)
                && has(&grant.rule.api_groups, &call.group)
                && has(&grant.rule.resources, &call.resource)
        };
        !self.denied.iter().any(denied) && self.granted.as_ref().is_none_or(|all| all.iter().any(grants))
    }
}

/// The calls that were made, each once.
pub type Calls = BTreeSet<Call>;
