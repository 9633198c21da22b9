//! What every controller works with: the store, the time, chance that a seed decides, and the pen for events.

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg32;
use serde_json::{Value, json};

use super::events::Events;
use super::json::{set, time};
use super::kinds::Kind;
use super::store::{Object, Store};
use crate::domain::At;

/// The letters of generated names: no vowels, so that no words come out.
const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// The controllers' desk.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) store: Store,
    pub(crate) events: Events,
    /// Simulated time.
    pub(crate) now: At,
    /// When a controller wants to look again although nothing changed.
    pub(crate) wake: Option<At>,
    dice: Pcg32,
}

impl Desk {
    pub(crate) fn new(now: At, seed: u64) -> Self {
        let dice = Pcg32::seed_from_u64(seed ^ 0x5eed_c105_7e12);
        Self { store: Store::new(), events: Events::default(), now, wake: None, dice }
    }

    /// A controller wants to look again at `at`.
    pub(crate) fn wake_at(&mut self, at: At) {
        self.wake = Some(self.wake.map_or(at, |wake| wake.min(at)));
    }

    /// The end of a generated name.
    pub(crate) fn suffix(&mut self) -> String {
        (0..5).map(|_| char::from(LETTERS[self.dice.random_range(0..LETTERS.len())])).collect()
    }

    /// A random identity in the form of a UUID.
    pub(crate) fn uuid(&mut self) -> String {
        let (a, b): (u64, u64) = (self.dice.random(), self.dice.random());
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            a >> 32,
            (a >> 16) & 0xffff,
            a & 0xfff,
            0x8000 | ((b >> 48) & 0x3fff),
            b & 0xffff_ffff_ffff
        )
    }

    /// A number from `low` to `high`, both included.
    pub(crate) fn between(&mut self, low: u32, high: u32) -> u32 {
        self.dice.random_range(low..=high.max(low))
    }

    /// Keeps a new object: identity, time of creation.
    pub(crate) fn create(&mut self, kind: Kind, mut object: Value) -> Object {
        let names = kind.names();
        set(&mut object, &["apiVersion"], names.group_version().into());
        set(&mut object, &["kind"], names.name.into());
        set(&mut object, &["metadata", "uid"], self.uuid().into());
        set(&mut object, &["metadata", "creationTimestamp"], time(self.now).into());
        self.store.put(kind, object)
    }

    /// An event about an object, by a component that counts.
    pub(crate) fn event(&mut self, about: &Value, by: &str, kind: &str, reason: &str, message: &str) {
        self.event_at(about, "", by, "", (kind, reason, message));
    }

    /// An event of a node's kubelet about a part of a pod.
    pub(crate) fn event_at(
        &mut self,
        about: &Value,
        field: &str,
        by: &str,
        host: &str,
        (kind, reason, message): (&str, &str, &str),
    ) {
        let source = if host.is_empty() { json!({"component": by}) } else { json!({"component": by, "host": host}) };
        let uid = self.uuid();
        let now = self.now;
        Events::record(self, now, uid, about, field, &source, (kind, reason, message));
    }
}

/// The hash of a template, as it stands in names and labels: FNV over the template, in the letters of names.
pub(crate) fn template_hash(template: &Value) -> String {
    let text = template.to_string();
    let hash = text.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    hash.to_string().bytes().map(|digit| char::from(LETTERS[usize::from(digit) % LETTERS.len()])).collect()
}
