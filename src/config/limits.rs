//! `[policy]`: what may be changed from here, and how it is confirmed. The one table in which the strongest layer does not
//! simply win: of two that say something the stricter one holds, so that what the system's file forbids stays forbidden,
//! whatever a user's file, a variable or a flag says. The defaults are nobody's word, and give way to anybody's.
//!
//! It keeps honest hands from slipping. Who must not change a cluster must not be allowed to by the cluster.

use super::draft::{Said, Won};
use super::error::{ConfigError, Place};
use super::words::{clean, hint, quoted};
use crate::action::guard::Confirm;

/// The largest step that can be allowed.
pub(super) const MOST_STEP: u32 = 1_000;
/// Patterns, and characters of each.
const MOST_PATTERNS: usize = 64;
const LONGEST_PATTERN: usize = 253;

/// What may be changed, and how it is confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Nothing is changed, and nothing is dry-run.
    pub read_only: bool,
    /// How a change is confirmed in a protected context; elsewhere the key is enough, unless somebody will take it back.
    pub confirm: Confirm,
    /// The contexts that are protected; `*` stands for anything.
    pub protected: Vec<String>,
    /// By how many replicas one scale may differ from what there is; 1 to 1000.
    pub max_scale_step: u32,
}

impl Default for Policy {
    fn default() -> Self {
        Self { read_only: false, confirm: Confirm::Name, protected: vec!["prod-*".to_owned()], max_scale_step: 4 }
    }
}

impl Policy {
    /// Every key with its value, both as TOML writes them.
    pub(super) fn entries(&self) -> [(String, String); 4] {
        let protected: Vec<String> = self.protected.iter().map(|pattern| quoted(pattern)).collect();
        [
            ("policy.read_only", self.read_only.to_string()),
            ("policy.confirm", quoted(word(self.confirm))),
            ("policy.protected", format!("[{}]", protected.join(", "))),
            ("policy.max_scale_step", self.max_scale_step.to_string()),
        ]
        .map(|(key, value)| (key.to_owned(), value))
    }
}

/// What was said about it.
#[derive(Debug, Clone, Default)]
pub(super) struct Part {
    pub(super) read_only: Option<Said<bool>>,
    pub(super) confirm: Option<Said<Confirm>>,
    pub(super) protected: Option<Said<Vec<String>>>,
    pub(super) max_scale_step: Option<Said<u32>>,
}

impl Part {
    /// Both, the stricter one where both say something.
    pub(super) fn over(self, weaker: Self) -> Self {
        Self {
            read_only: stricter(self.read_only, weaker.read_only, |own, other| *own || !*other),
            confirm: stricter(self.confirm, weaker.confirm, |own, other| *own == Confirm::Name || own == other),
            max_scale_step: stricter(self.max_scale_step, weaker.max_scale_step, |own, other| own <= other),
            protected: match (self.protected, weaker.protected) {
                (Some(own), Some(other)) if !other.is_default() => Some(both(own, other)),
                (own, other) => own.or(other),
            },
        }
    }

    pub(super) fn settle(self, won: &mut Won<'_>) -> Policy {
        let mut policy = Policy::default();
        won.take(&mut policy.read_only, self.read_only, || "policy.read_only".to_owned());
        won.take(&mut policy.confirm, self.confirm, || "policy.confirm".to_owned());
        won.take(&mut policy.protected, self.protected, || "policy.protected".to_owned());
        won.take(&mut policy.max_scale_step, self.max_scale_step, || "policy.max_scale_step".to_owned());
        policy
    }
}

fn stricter<T>(own: Option<Said<T>>, weaker: Option<Said<T>>, holds: fn(&T, &T) -> bool) -> Option<Said<T>> {
    match (own, weaker) {
        (Some(own), Some(weaker)) if !weaker.is_default() && !holds(own.value(), weaker.value()) => Some(weaker),
        (own, weaker) => own.or(weaker),
    }
}

/// What either of them protects. It is said by the weaker layer where the stronger one adds nothing.
fn both(own: Said<Vec<String>>, weaker: Said<Vec<String>>) -> Said<Vec<String>> {
    let added: Vec<String> = own.value().iter().filter(|p| !weaker.value().contains(p)).cloned().collect();
    if added.is_empty() {
        return weaker;
    }
    let all = weaker.value().iter().cloned().chain(added).collect();
    own.with(all)
}

const fn word(confirm: Confirm) -> &'static str {
    match confirm {
        Confirm::Name => "type-name",
        Confirm::Key => "key",
    }
}

/// Whether something is on, from text.
pub(super) fn switch(text: &str, place: &Place) -> Result<bool, ConfigError> {
    match text.trim() {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        other => Err(ConfigError::BadSwitch { place: place.clone(), value: clean(other) }),
    }
}

/// A way to confirm, by its name.
pub(super) fn confirm(text: &str, place: &Place) -> Result<Confirm, ConfigError> {
    let known = [Confirm::Name, Confirm::Key];
    known.into_iter().find(|confirm| word(*confirm) == text).ok_or_else(|| ConfigError::UnknownConfirm {
        place: place.clone(),
        value: clean(text),
        hint: hint(text, &known.map(word)),
    })
}

/// Patterns of contexts. One that can match nothing would protect nothing, without a word.
pub(super) fn protected(patterns: &[String], place: &Place) -> Result<Vec<String>, ConfigError> {
    let wrong = |value: &str, why| ConfigError::BadPattern { place: place.clone(), value: clean(value), why };
    if patterns.len() > MOST_PATTERNS {
        return Err(wrong(&patterns.len().to_string(), "are more patterns than the 64 that are kept"));
    }
    for pattern in patterns {
        if pattern.trim().is_empty() {
            return Err(wrong(pattern, "names no context"));
        }
        if pattern.chars().count() > LONGEST_PATTERN || pattern.chars().any(char::is_control) {
            return Err(wrong(pattern, "can be no context's name"));
        }
    }
    Ok(patterns.to_vec())
}

/// The largest step of a scale.
pub(super) fn step(step: i64, place: &Place) -> Result<u32, ConfigError> {
    let found = u32::try_from(step).ok().filter(|step| (1..=MOST_STEP).contains(step));
    found.ok_or_else(|| ConfigError::BadStep { place: place.clone(), value: step.to_string(), most: MOST_STEP })
}
