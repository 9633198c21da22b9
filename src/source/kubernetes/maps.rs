//! What the `ConfigMaps` hold by which the workload's flags are given: each is read by its name, and no other.

use std::collections::BTreeSet;

use super::Pace;
use crate::apiserver::{self, Client, Trouble};
use crate::decode::kubernetes::{Map, Maps};
use crate::domain::{At, SourceState, Watch, WorkloadRef};

/// The most that are read: a template refers to a few, and its revisions to some more.
const MOST: usize = 16;
/// A `ConfigMap` is at most 1 MiB, as JSON a little more.
const BYTES: usize = 4_000_000;

/// Reads them, and says how that went; nothing where none is referred to.
pub(super) async fn read(
    client: &Client,
    target: &WorkloadRef,
    names: &BTreeSet<String>,
    pace: Pace,
    now: At,
) -> (Maps, Option<Watch>) {
    let (mut maps, mut troubles, mut denied) = (Maps::new(), Vec::new(), false);
    for name in names.iter().take(MOST) {
        let path = format!("/api/v1/namespaces/{}/configmaps/{name}", target.namespace);
        let map = match apiserver::whole(client, &path, BYTES, apiserver::deadline(pace.deadline)).await {
            Ok(object) => Some(Map::of(&object)),
            Err(trouble) => {
                denied |= matches!(trouble, Trouble::Denied(_));
                let remedy = if matches!(trouble, Trouble::Denied(_)) { "; allow 'get' on 'configmaps'" } else { "" };
                troubles.push(format!("{name}: {trouble}{remedy}"));
                None
            }
        };
        maps.insert(name.clone(), map);
    }
    let state = match () {
        () if troubles.is_empty() => SourceState::Live,
        () if denied => SourceState::Denied,
        () => SourceState::Failed,
    };
    let (error, heard) = (Some(troubles.join("; ")).filter(|e| !e.is_empty()), troubles.is_empty().then_some(now));
    let watch = (!names.is_empty()).then_some(Watch { resource: "configmaps", state, heard, error });
    (maps, watch)
}
