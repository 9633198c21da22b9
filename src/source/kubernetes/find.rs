//! What serves models: Kubernetes' own workloads by what they declare, and the kinds that own engines where the cluster
//! has them. Lists are read page by page; what may not be read is said, and everything else goes on.

use serde_json::Value;

use super::resolve::Place;
use super::resource::{escaped, plural};
use crate::apiserver::{self, Trouble};
use crate::decode::kubernetes::{found, found_owner};
use crate::domain::kinds::{OWNERS, OwnerKind};
use crate::domain::{Discovery, WorkloadKind};
use crate::text::clean;

/// Objects of one page, and pages of one list: a cluster with more is asked for a namespace or by labels.
const PAGE: usize = 500;
const MOST_PAGES: usize = 20;
const PAGE_BYTES: usize = 64_000_000;
const GROUPS_BYTES: usize = 4_000_000;

/// Where it is looked, and by which labels.
#[derive(Debug, Clone, Copy)]
pub struct Where<'a> {
    /// In all namespaces, and not only in the place's.
    pub everywhere: bool,
    /// As kubectl's `-l`.
    pub labels: Option<&'a str>,
}

/// Looks everywhere that is asked for. Fails only where nothing at all could be looked at.
pub async fn discover(place: &Place<'_>, at: Where<'_>) -> Result<Discovery, Trouble> {
    let mut all = Discovery {
        context: clean(place.context, 260),
        namespace: (!at.everywhere).then(|| clean(place.namespace, 260)),
        ..Discovery::default()
    };
    let mut first = None;
    let mut looked = 0;
    let mut owners: Vec<&OwnerKind> = Vec::new();
    for &kind in WorkloadKind::ALL {
        match list(place, at, ("apps", "v1", plural(kind))).await {
            Ok((objects, more)) => {
                looked += 1;
                all.found.extend(objects.iter().filter_map(|object| found(kind, object, place.context)));
                all.unseen.extend(more.then(|| too_many(plural(kind))));
            }
            Err(trouble) => {
                all.unseen.push(unseen(plural(kind), &trouble));
                first.get_or_insert(trouble);
            }
        }
    }
    match groups(place).await {
        Ok(groups) => owners.extend(OWNERS.iter().filter(|o| groups.iter().any(|g| g == o.group))),
        Err(trouble) => all.unseen.push(unseen("API groups", &trouble)),
    }
    for owner in owners {
        match list(place, at, (owner.group, owner.version, owner.plural)).await {
            Ok((objects, more)) => {
                looked += 1;
                let own = objects.iter().filter_map(|object| found_owner(owner, object));
                // Who has a workload in the list already is shown there as its owner.
                let listed = all.found.clone();
                let is_listed = |name: &str| listed.iter().any(|f| f.owner.as_deref() == Some(&name_of(owner, name)));
                all.found.extend(own.filter(|f| !is_listed(&f.name)));
                all.unseen.extend(more.then(|| too_many(owner.plural)));
            }
            // The group may have other kinds, and not this one.
            Err(Trouble::NotFound(_)) => {}
            Err(trouble) => all.unseen.push(unseen(owner.plural, &trouble)),
        }
    }
    if let (0, Some(trouble)) = (looked, first) {
        return Err(trouble);
    }
    all.found.sort_by_key(crate::domain::Found::rank);
    Ok(all)
}

/// `lws/x` as its children name it: `LeaderWorkerSet/x`.
fn name_of(owner: &OwnerKind, shown: &str) -> String {
    format!("{}/{}", owner.kind, shown.split_once('/').map_or(shown, |(_, name)| name))
}

fn unseen(what: &str, trouble: &Trouble) -> String {
    let remedy =
        if matches!(trouble, Trouble::Denied(_)) { format!("; allow 'list' on '{what}'") } else { String::new() };
    format!("{what}: {trouble}{remedy}")
}

fn too_many(what: &str) -> String {
    format!("more than {} {what}: name a namespace with -n, or labels with -l", PAGE * MOST_PAGES)
}

/// All objects of one kind, and whether there are more than are read.
pub(super) async fn list(
    place: &Place<'_>,
    at: Where<'_>,
    (group, version, plural): (&str, &str, &str),
) -> Result<(Vec<Value>, bool), Trouble> {
    let namespace = if at.everywhere { String::new() } else { format!("/namespaces/{}", place.namespace) };
    let labels = at.labels.map(|labels| format!("labelSelector={}&", escaped(labels))).unwrap_or_default();
    let (mut objects, mut token) = (Vec::new(), String::new());
    for _ in 0..MOST_PAGES {
        let go_on = if token.is_empty() { String::new() } else { format!("&continue={}", escaped(&token)) };
        let root = if group.is_empty() { "/api".to_owned() } else { format!("/apis/{group}") };
        let path = format!("{root}/{version}{namespace}/{plural}?{labels}limit={PAGE}{go_on}");
        let until = apiserver::deadline(place.deadline);
        let mut page = match apiserver::whole(place.client, &path, PAGE_BYTES, until).await {
            // What was read so far is that of a moment that is over: it stands, and the rest is said to be missing.
            Err(Trouble::Gone) if !objects.is_empty() => return Ok((objects, true)),
            page => page?,
        };
        if let Value::Array(items) = page["items"].take() {
            objects.extend(items);
        }
        page["metadata"]["continue"].as_str().unwrap_or_default().clone_into(&mut token);
        if token.is_empty() {
            return Ok((objects, false));
        }
    }
    Ok((objects, true))
}

/// The API groups that the cluster has.
async fn groups(place: &Place<'_>) -> Result<Vec<String>, Trouble> {
    let listed = apiserver::whole(place.client, "/apis", GROUPS_BYTES, apiserver::deadline(place.deadline)).await?;
    let groups = listed["groups"].as_array().into_iter().flatten();
    Ok(groups.filter_map(|g| g["name"].as_str().map(str::to_owned)).collect())
}
