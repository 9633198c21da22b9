//! What the API server keeps: objects under one growing resource version, and a bounded log of what happened to them.
//!
//! Objects are shared and never changed in place, so that a list, a watch and the log can hold them without copying.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde_json::Value;

use super::json::{int, set, text};
use super::kinds::Kind;

/// An object as it was at one moment.
pub(crate) type Object = Arc<Value>;

/// The log's length: some minutes of a busy incident, as a kube-apiserver's watch cache.
const LOG: usize = 4096;

/// What happened to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Added,
    Modified,
    Deleted,
}

/// One line of the log.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) version: u64,
    pub(crate) kind: Kind,
    pub(crate) change: Change,
    /// As it is now; for a deletion, as it last was, with the version of the deletion.
    pub(crate) object: Object,
    pub(crate) before: Option<Object>,
}

/// A name within its kind: namespace and name.
pub(crate) type Key = (String, String);

/// The objects and the log.
#[derive(Debug)]
pub(crate) struct Store {
    objects: BTreeMap<Kind, BTreeMap<Key, Object>>,
    version: u64,
    log: VecDeque<Entry>,
    /// The version up to which the log has been forgotten.
    forgotten: u64,
}

impl Store {
    pub(crate) fn new() -> Self {
        Self { objects: BTreeMap::new(), version: 1, log: VecDeque::new(), forgotten: 0 }
    }

    /// The version of the latest change.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// Changes after this version can still be told.
    pub(crate) fn forgotten(&self) -> u64 {
        self.forgotten
    }

    pub(crate) fn get(&self, kind: Kind, namespace: &str, name: &str) -> Option<&Object> {
        // A borrowed pair cannot be looked up in a map of owned pairs.
        self.objects.get(&kind)?.get(&(namespace.to_owned(), name.to_owned()))
    }

    /// All objects of a kind, by namespace and name.
    pub(crate) fn all(&self, kind: Kind) -> impl Iterator<Item = &Object> {
        self.objects.get(&kind).into_iter().flat_map(BTreeMap::values)
    }

    /// A copy of [`Store::all`], for those who change objects while they go through them.
    pub(crate) fn snapshot(&self, kind: Kind) -> Vec<Object> {
        self.all(kind).cloned().collect()
    }

    /// All objects of a kind as they were at `version`; `None` where that is forgotten.
    pub(crate) fn as_of(&self, kind: Kind, version: u64) -> Option<BTreeMap<Key, Object>> {
        if version < self.forgotten {
            return None;
        }
        let mut objects = self.objects.get(&kind).cloned().unwrap_or_default();
        for entry in self.log.iter().rev().take_while(|e| e.version > version).filter(|e| e.kind == kind) {
            match &entry.before {
                Some(before) => objects.insert(key(&entry.object), before.clone()),
                None => objects.remove(&key(&entry.object)),
            };
        }
        Some(objects)
    }

    /// What happened to objects of a kind after `version`; `None` where that is forgotten.
    pub(crate) fn since(&self, kind: Kind, version: u64) -> Option<Vec<Entry>> {
        (version >= self.forgotten).then(|| {
            let start = self.log.partition_point(|e| e.version <= version);
            self.log.range(start..).filter(|e| e.kind == kind).cloned().collect()
        })
    }

    /// Keeps an object, new or instead of the one of its name, under a new version; what did not change stays.
    ///
    /// A changed `spec` (and, for a Deployment, a changed annotation) is a new generation, as the real strategies have it.
    pub(crate) fn put(&mut self, kind: Kind, object: Value) -> Object {
        self.keep(kind, object, true)
    }

    fn keep(&mut self, kind: Kind, object: Value, counts: bool) -> Object {
        let key = key(&object);
        let before = self.objects.get(&kind).and_then(|objects| objects.get(&key)).cloned();
        let mut object = Self::prepared(kind, object, before.as_deref(), counts);
        if let Some(before) = before.as_ref().filter(|before| ***before == object) {
            return before.clone();
        }
        let change = if before.is_some() { Change::Modified } else { Change::Added };
        self.version += 1;
        set(&mut object, &["metadata", "resourceVersion"], self.version.to_string().into());
        let object = Arc::new(object);
        self.objects.entry(kind).or_default().insert(key, object.clone());
        self.write(kind, change, object.clone(), before);
        object
    }

    /// An object as it would be kept, but for its new version.
    pub(crate) fn preview(&self, kind: Kind, object: Value) -> Value {
        let before = self.objects.get(&kind).and_then(|objects| objects.get(&key(&object)));
        Self::prepared(kind, object, before.map(AsRef::as_ref), true)
    }

    fn prepared(kind: Kind, mut object: Value, before: Option<&Value>, counts: bool) -> Value {
        let Some(before) = before else {
            if kind.has_generation() {
                set(&mut object, &["metadata", "generation"], 1.into());
            }
            return object;
        };
        object["metadata"]["resourceVersion"] = before["metadata"]["resourceVersion"].clone();
        if counts && kind.has_generation() {
            let annotated = kind == Kind::Deployment
                && before.pointer("/metadata/annotations") != object.pointer("/metadata/annotations");
            let more = before["spec"] != object["spec"] || annotated;
            let generation = int(before, "/metadata/generation").unwrap_or(0) + i64::from(more);
            set(&mut object, &["metadata", "generation"], generation.into());
        }
        object
    }

    /// Changes an object; a change that changes nothing is none. `None` where there is no such object.
    pub(crate) fn modify(
        &mut self,
        kind: Kind,
        namespace: &str,
        name: &str,
        change: impl FnOnce(&mut Value),
    ) -> Option<Object> {
        let mut object = Value::clone(self.get(kind, namespace, name)?);
        change(&mut object);
        Some(self.put(kind, object))
    }

    /// Changes an object as a controller does through `/status`: annotations may change, and no generation is counted.
    pub(crate) fn tell(
        &mut self,
        kind: Kind,
        namespace: &str,
        name: &str,
        change: impl FnOnce(&mut Value),
    ) -> Option<Object> {
        let mut object = Value::clone(self.get(kind, namespace, name)?);
        change(&mut object);
        Some(self.keep(kind, object, false))
    }

    /// Removes an object.
    pub(crate) fn remove(&mut self, kind: Kind, namespace: &str, name: &str) -> Option<Object> {
        let before = self.objects.get_mut(&kind)?.remove(&(namespace.to_owned(), name.to_owned()))?;
        self.version += 1;
        let mut last = Value::clone(&before);
        set(&mut last, &["metadata", "resourceVersion"], self.version.to_string().into());
        let last = Arc::new(last);
        self.write(kind, Change::Deleted, last.clone(), Some(before));
        Some(last)
    }

    fn write(&mut self, kind: Kind, change: Change, object: Object, before: Option<Object>) {
        self.log.push_back(Entry { version: self.version, kind, change, object, before });
        if self.log.len() > LOG
            && let Some(oldest) = self.log.pop_front()
        {
            self.forgotten = oldest.version;
        }
    }
}

/// Namespace and name of an object.
pub(crate) fn key(object: &Value) -> Key {
    (text(object, "/metadata/namespace").to_owned(), text(object, "/metadata/name").to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn deployment(replicas: u32, note: &str) -> Value {
        json!({"metadata": {"name": "x", "namespace": "n", "annotations": {"note": note}},
               "spec": {"replicas": replicas}, "status": {"replicas": 0}})
    }

    #[test]
    fn a_changed_spec_or_annotation_is_a_new_generation_and_a_changed_status_is_none() {
        let mut store = Store::new();
        let generation = |o: &Object| int(o, "/metadata/generation");
        assert_eq!(generation(&store.put(Kind::Deployment, deployment(1, "a"))), Some(1));
        let scaled = store.modify(Kind::Deployment, "n", "x", |o| o["spec"]["replicas"] = json!(2)).expect("it");
        assert_eq!(generation(&scaled), Some(2));
        let told = store.modify(Kind::Deployment, "n", "x", |o| o["status"]["replicas"] = json!(2)).expect("it");
        assert_eq!(generation(&told), Some(2));
        let noted = store
            .modify(Kind::Deployment, "n", "x", |o| o["metadata"]["annotations"]["note"] = json!("b"))
            .expect("it");
        assert_eq!(generation(&noted), Some(3));
    }

    #[test]
    fn what_does_not_change_gets_no_version() {
        let mut store = Store::new();
        store.put(Kind::Deployment, deployment(1, "a"));
        let version = store.version();
        store.modify(Kind::Deployment, "n", "x", |o| o["spec"]["replicas"] = json!(1));
        assert_eq!(store.version(), version);
    }

    #[test]
    fn the_past_can_be_listed_until_it_is_forgotten() {
        let mut store = Store::new();
        store.put(Kind::Deployment, deployment(1, "a"));
        let then = store.version();
        store.modify(Kind::Deployment, "n", "x", |o| o["spec"]["replicas"] = json!(2));
        store.remove(Kind::Deployment, "n", "x");
        let past = store.as_of(Kind::Deployment, then).expect("not forgotten");
        assert_eq!(past.values().map(|o| int(o, "/spec/replicas")).collect::<Vec<_>>(), [Some(1)]);
        assert_eq!(store.since(Kind::Deployment, then).expect("not forgotten").len(), 2);
        for n in 0..LOG {
            store.put(Kind::Deployment, deployment(u32::try_from(n).expect("small"), "b"));
        }
        assert!(store.as_of(Kind::Deployment, then).is_none() && store.since(Kind::Deployment, then).is_none());
    }
}
