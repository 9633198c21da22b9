//! What was typed → which workload is meant, as kubectl understands it.

use serde_json::Value;

use super::resource::plural;
use crate::apiserver::{self, Client, Trouble};
use crate::decode::kubernetes::serves_a_model;
use crate::domain::{WorkloadKind, WorkloadRef};
use crate::text::{clean, nearest};

/// Bytes and objects of a list that is looked through for names.
const LIST_BYTES: usize = 64_000_000;
const LIST_OBJECTS: usize = 500;

/// Names that a message shows.
const SHOWN: usize = 8;

/// Why there is no workload.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// It does not read as a workload.
    #[error("'{typed}' is no workload: give deploy/NAME, sts/NAME or a plain NAME{hint}")]
    Grammar {
        /// As typed, cleaned.
        typed: String,
        /// More about it.
        hint: String,
    },
    /// There is none of this name.
    #[error("there is no {what} '{name}' in namespace '{namespace}' of context '{context}'; {known}")]
    Unknown {
        /// Which kind was looked for.
        what: String,
        /// The name.
        name: String,
        /// The namespace.
        namespace: String,
        /// The context.
        context: String,
        /// What there is instead.
        known: String,
    },
    /// Nothing was typed, and there is not exactly one that could be meant.
    #[error(
        "no TARGET is given, and {found} in namespace '{namespace}' of context '{context}': give one such as deploy/NAME, or another --namespace"
    )]
    NotOne {
        /// What there is.
        found: String,
        /// The namespace.
        namespace: String,
        /// The context.
        context: String,
    },
    /// The API server did not say.
    #[error("{what} in namespace '{namespace}' of context '{context}' cannot be read: {trouble}")]
    Trouble {
        /// What was asked for.
        what: &'static str,
        /// The namespace.
        namespace: String,
        /// The context.
        context: String,
        /// Why not.
        trouble: Trouble,
    },
}

impl ResolveError {
    /// Whether what was typed is at fault, and not what happened.
    pub const fn is_usage(&self) -> bool {
        !matches!(self, Self::Trouble { .. })
    }
}

/// Where names are looked up.
#[derive(Clone)]
pub struct Place<'a> {
    /// Whom to ask.
    pub client: &'a Client,
    /// The kubeconfig's context.
    pub context: &'a str,
    /// The namespace.
    pub namespace: &'a str,
    /// How long one answer may take.
    pub deadline: std::time::Duration,
}

/// The workload that `typed` names, which exists. A plain name is a Deployment's, else a StatefulSet's.
pub async fn resolve(typed: &str, place: Place<'_>) -> Result<WorkloadRef, ResolveError> {
    let (kind, name) = parse(typed)?;
    let kinds: &[WorkloadKind] = match &kind {
        Some(kind) => std::slice::from_ref(kind),
        None => WorkloadKind::ALL,
    };
    let mut denied = None;
    for &kind in kinds {
        let until = apiserver::deadline(place.deadline);
        let path = format!("/apis/apps/v1/namespaces/{}/{}/{name}", place.namespace, plural(kind));
        match apiserver::whole(place.client, &path, LIST_BYTES, until).await {
            Ok(_) => return Ok(place.workload(kind, name)),
            Err(Trouble::NotFound(_)) => {}
            // Of a plain name one kind may be readable and the other not.
            Err(trouble @ Trouble::Denied(_)) => denied = Some((kind, trouble)),
            Err(trouble) => return Err(place.trouble(kind, trouble)),
        }
    }
    if let Some((kind, trouble)) = denied {
        return Err(place.trouble(kind, trouble));
    }
    let mut there = Vec::new();
    for &kind in WorkloadKind::ALL {
        there.extend(
            place.list(kind).await.unwrap_or_default().into_iter().map(|(name, _)| format!("{}/{name}", kind.short())),
        );
    }
    let what: Vec<&str> = kinds.iter().map(|k| k.code()).collect();
    Err(ResolveError::Unknown {
        what: what.join(" or "),
        name: name.to_owned(),
        namespace: clean(place.namespace, 80),
        context: clean(place.context, 80),
        known: known(name, &there),
    })
}

/// The one workload of the namespace that serves a model.
pub async fn only_engine(place: Place<'_>) -> Result<WorkloadRef, ResolveError> {
    let mut engines = Vec::new();
    for &kind in WorkloadKind::ALL {
        let listed = place.list(kind).await.map_err(|trouble| place.trouble(kind, trouble))?;
        engines.extend(listed.into_iter().filter(|(_, serves)| *serves).map(|(name, _)| (kind, name)));
    }
    let mut left = engines.iter();
    if let (Some((kind, name)), None) = (left.next(), left.next()) {
        return Ok(place.workload(*kind, name));
    }
    let names: Vec<String> = engines.iter().map(|(kind, name)| format!("{}/{name}", kind.short())).collect();
    let found = match names.len() {
        0 => "there is no inference engine".to_owned(),
        n => format!("there are {n} inference engines ({})", shown(&names)),
    };
    Err(ResolveError::NotOne { found, namespace: clean(place.namespace, 80), context: clean(place.context, 80) })
}

impl Place<'_> {
    fn workload(&self, kind: WorkloadKind, name: &str) -> WorkloadRef {
        WorkloadRef {
            context: clean(self.context, 260),
            namespace: clean(self.namespace, 260),
            kind,
            name: clean(name, 260),
        }
    }

    fn trouble(&self, kind: WorkloadKind, trouble: Trouble) -> ResolveError {
        let (namespace, context) = (clean(self.namespace, 80), clean(self.context, 80));
        ResolveError::Trouble { what: plural(kind), namespace, context, trouble }
    }

    /// The names of one kind, and whether each serves a model.
    async fn list(&self, kind: WorkloadKind) -> Result<Vec<(String, bool)>, Trouble> {
        let path = format!("/apis/apps/v1/namespaces/{}/{}?limit={LIST_OBJECTS}", self.namespace, plural(kind));
        let list = apiserver::whole(self.client, &path, LIST_BYTES, apiserver::deadline(self.deadline)).await?;
        let items = list["items"].as_array().map(Vec::as_slice).unwrap_or_default();
        let named = |o: &Value| Some((clean(o["metadata"]["name"].as_str()?, 260), serves_a_model(o)));
        Ok(items.iter().filter_map(named).collect())
    }
}

/// kubectl's spellings: `deploy/x`, `deployment/x`, `deployments.apps/x`, `sts/x`, `x`.
fn parse(typed: &str) -> Result<(Option<WorkloadKind>, &str), ResolveError> {
    let wrong = |hint: String| ResolveError::Grammar { typed: clean(typed, 80), hint };
    let (kind, name) = match typed.split_once('/') {
        None => (None, typed),
        Some((kind, name)) => {
            let resource = kind.split('.').next().unwrap_or_default().to_ascii_lowercase();
            let kind = match resource.as_str() {
                "deploy" | "deployment" | "deployments" => WorkloadKind::Deployment,
                "sts" | "statefulset" | "statefulsets" => WorkloadKind::StatefulSet,
                // The name is not checked yet, and is not repeated.
                "ds" | "daemonset" | "daemonsets" => {
                    return Err(wrong(
                        "; a DaemonSet has a pod per node and no replicas to scale, and it is undone by \
                         'kubectl rollout undo daemonset/NAME'"
                            .to_owned(),
                    ));
                }
                other => {
                    return Err(wrong(format!(
                        "; '{}' is not a kind that is scaled and rolled back here",
                        clean(other, 40)
                    )));
                }
            };
            (Some(kind), name)
        }
    };
    // What Kubernetes allows in a name, so that nothing else can come into a path.
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
    if name.is_empty() || name.len() > 253 || !name.chars().all(allowed) {
        return Err(wrong("; names are lower-case letters, digits and '-'".to_owned()));
    }
    Ok((kind, name))
}

/// What there is: the nearest name first.
fn known(name: &str, there: &[String]) -> String {
    if there.is_empty() {
        return "there are no Deployments and StatefulSets at all: is it another --namespace?".to_owned();
    }
    let bare: Vec<&str> = there.iter().filter_map(|t| t.split_once('/').map(|t| t.1)).collect();
    match nearest(name, &bare).and_then(|near| there.iter().find(|t| t.ends_with(&format!("/{near}")))) {
        Some(near) => format!("did you mean {near}? there are {}", shown(there)),
        None => format!("there are {}", shown(there)),
    }
}

fn shown(names: &[String]) -> String {
    let more = names.len().saturating_sub(SHOWN);
    let shown = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_read_as_kubectl_reads_them() {
        for typed in
            ["deploy/x", "deployment/x", "deployments/x", "deployments.apps/x", "Deployment/x", "deployments.v1.apps/x"]
        {
            assert_eq!(parse(typed).unwrap(), (Some(WorkloadKind::Deployment), "x"), "{typed}");
        }
        assert_eq!(parse("sts/web-0").unwrap(), (Some(WorkloadKind::StatefulSet), "web-0"));
        assert_eq!(parse("vllm").unwrap(), (None, "vllm"));
        for typed in ["pod/x", "deploy/", "", "deploy/x/y", "deploy/../secrets", "X", "a b", "\u{1b}[31m", "x?watch=1"]
        {
            let error = parse(typed).unwrap_err().to_string();
            assert!(error.contains("is no workload") && !error.contains('\u{1b}'), "{error}");
        }
        let error = parse("ds/dcgm-exporter").unwrap_err().to_string();
        assert!(error.contains("kubectl rollout undo daemonset/"), "{error}");
    }

    #[test]
    fn the_nearest_name_is_offered_and_a_long_list_is_cut() {
        let there: Vec<String> = (0..20).map(|n| format!("deploy/vllm-{n}")).chain(["sts/redis".into()]).collect();
        let said = known("rediss", &there);
        assert!(said.starts_with("did you mean sts/redis?") && said.ends_with("and 13 more"), "{said}");
    }
}
