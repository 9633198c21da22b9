//! Watch: what happens after a version, line by line, for as long as was asked.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::stream;
use serde_json::{Value, json};

use super::Shared;
use super::ask::{Ask, Target};
use super::read::{Form, formed};
use super::reply::{JSON, Reply};
use crate::clock;
use crate::sim::cluster::Refusal;
use crate::sim::cluster::json::{name, namespace};
use crate::sim::cluster::kinds::Names;
use crate::sim::cluster::selector::Wanted;
use crate::sim::cluster::store::{Change, Entry, Object};

/// How long a watch lasts where nothing is said (s): kube-apiserver takes 30 to 60 minutes.
const LASTS_S: u64 = 30 * 60;
/// How often a bookmark says how far the log has come.
const BOOKMARK: Duration = Duration::from_mins(1);

struct Watch {
    shared: Arc<Shared>,
    names: &'static Names,
    namespace: Option<String>,
    called: Option<String>,
    wanted: Wanted,
    form: Form,
    bookmarks: bool,
    version: u64,
    ends: Instant,
    next_bookmark: Instant,
    ready: VecDeque<String>,
    changed: tokio::sync::watch::Receiver<u64>,
    over: bool,
    headings: bool,
}

pub(super) fn answer(shared: &Arc<Shared>, ask: &Ask, target: &Target<'_>) -> Result<Reply, Refusal> {
    let wanted =
        Wanted::read(target.names.kind, ask.get("labelSelector"), ask.get("fieldSelector")).map_err(Refusal::bad)?;
    let from = match ask.get("resourceVersion") {
        "" | "0" => None,
        text => Some(text.parse::<u64>().map_err(|_| {
            Refusal::bad(format!("Invalid value: {text:?}: strconv.ParseUint: parsing {text:?}: invalid syntax"))
        })?),
    };
    let now = clock::monotonic();
    let lasts = Duration::from_secs(ask.number("timeoutSeconds").filter(|s| *s > 0).unwrap_or(LASTS_S).min(86_400));
    let held = shared.world();
    let version = held.world.cluster.version();
    let mut watch = Watch {
        shared: shared.clone(),
        names: target.names,
        namespace: target.namespace.map(str::to_owned),
        called: Some(target.name).filter(|n| !n.is_empty()).map(str::to_owned),
        wanted,
        form: Form::of(ask),
        bookmarks: ask.is("allowWatchBookmarks"),
        version: from.unwrap_or(version),
        ends: now + lasts,
        next_bookmark: now + BOOKMARK,
        ready: VecDeque::new(),
        changed: shared.changed.subscribe(),
        over: false,
        headings: true,
    };
    // Without a version a watch begins with what is there, whether that was asked for or not.
    if from.is_none() || ask.is("sendInitialEvents") {
        watch.version = version;
        let there: Vec<Object> =
            held.world.cluster.store().all(target.names.kind).filter(|o| watch.has(o)).cloned().collect();
        for object in &there {
            let line = watch.line("ADDED", object, held.world.now());
            watch.ready.push_back(line);
        }
        if watch.bookmarks {
            let line = watch.bookmark(true);
            watch.ready.push_back(line);
        }
    }
    drop(held);
    Ok(Reply::stream(JSON, stream::unfold(watch, next)))
}

/// The next line; `None` once the time is over.
async fn next(mut watch: Watch) -> Option<(String, Watch)> {
    loop {
        if let Some(line) = watch.ready.pop_front() {
            return Some((line, watch));
        }
        if watch.over || clock::monotonic() >= watch.ends {
            return None;
        }
        // Everything up to this version is seen by the look that follows.
        watch.changed.borrow_and_update();
        watch.look();
        if !watch.ready.is_empty() {
            continue;
        }
        let now = clock::monotonic();
        if watch.bookmarks && now >= watch.next_bookmark {
            watch.next_bookmark = now + BOOKMARK;
            let line = watch.bookmark(false);
            return Some((line, watch));
        }
        let until = if watch.bookmarks { watch.ends.min(watch.next_bookmark) } else { watch.ends };
        let news = tokio::time::timeout(until.saturating_duration_since(now), watch.changed.changed()).await;
        if matches!(news, Ok(Err(_))) {
            return None;
        }
    }
}

impl Watch {
    fn has(&self, object: &Value) -> bool {
        self.namespace.as_ref().is_none_or(|n| n == namespace(object))
            && self.called.as_ref().is_none_or(|n| n == name(object))
            && self.wanted.has(object)
    }

    fn look(&mut self) {
        let shared = self.shared.clone();
        let held = shared.world();
        let store = held.world.cluster.store();
        let Some(entries) = store.since(self.names.kind, self.version) else {
            let oldest = store.forgotten();
            let refusal = Refusal::expired(format!("too old resource version: {} ({oldest})", self.version));
            self.ready.push_back(format!("{}\n", json!({"type": "ERROR", "object": refusal.status()})));
            self.over = true;
            return;
        };
        self.version = self.version.max(store.version());
        let now = held.world.now();
        for entry in &entries {
            if let Some(kind) = self.seen_as(entry) {
                let line = self.line(kind, &entry.object, now);
                self.ready.push_back(line);
            }
        }
    }

    /// What an entry is to somebody who sees only what a selector selects.
    fn seen_as(&self, entry: &Entry) -> Option<&'static str> {
        let before = entry.before.as_ref().is_some_and(|b| self.has(b));
        let after = entry.change != Change::Deleted && self.has(&entry.object);
        match (before, after) {
            (false, true) => Some("ADDED"),
            (true, true) => Some("MODIFIED"),
            (true, false) => Some("DELETED"),
            (false, false) => None,
        }
    }

    fn line(&mut self, kind: &str, object: &Value, now: crate::domain::At) -> String {
        // The headings of a table come once.
        let headings = std::mem::take(&mut self.headings);
        let object = formed(self.names, self.form, object, now, headings);
        format!("{}\n", json!({"type": kind, "object": object}))
    }

    fn bookmark(&self, initial: bool) -> String {
        let mut metadata = json!({"resourceVersion": self.version.to_string(), "creationTimestamp": null});
        if initial {
            metadata["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        let object = json!({"kind": self.names.name, "apiVersion": self.names.group_version(), "metadata": metadata});
        format!("{}\n", json!({"type": "BOOKMARK", "object": object}))
    }
}
