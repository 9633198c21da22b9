//! One resource, listed and then watched, for ever: what is read becomes [`News`], and so does what goes wrong.
//!
//! A list comes page by page and replaces everything at its end. A watch goes on from where the list ended, is renewed
//! before the server would end it, and begins anew with a list where the server has forgotten that place (410). A call
//! that brings nothing in time is given up; the next one comes after a pause that doubles up to a cap, with some chance
//! in it, so that a hundred war rooms do not come back in one moment. A list and a watch that end at once count as
//! failures too: whatever a server does, it is not asked again without a pause.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc::Sender;
use tokio::sync::watch;
use tokio::time::{sleep, timeout_at};

use super::Pace;
use super::resource::{Resource, escaped, key, trim};
use crate::apiserver::{self, Client, Lines, Trouble};
use crate::domain::WorkloadRef;

/// One page of a list, in objects and in bytes, and one object of a watch in bytes: etcd takes none over 1.5 MB.
const PAGE_OBJECTS: usize = 500;
const PAGE_BYTES: usize = 64_000_000;
const OBJECT_BYTES: usize = 4_000_000;

/// Failures in a row after which a watch is not trusted to go on from where it was.
const RELIST_AFTER: u32 = 5;

/// What a watch tells.
#[derive(Debug)]
pub(super) struct News {
    pub(super) resource: Resource,
    pub(super) what: What,
}

#[derive(Debug)]
pub(super) enum What {
    /// Everything there is, instead of what was known.
    Listed { objects: Vec<(String, Value)>, more: bool },
    /// One object is so now.
    Applied(String, Value),
    /// One object is gone.
    Deleted(String),
    /// Nothing has changed up to now.
    Heard,
    /// It does not go on, for this reason.
    Troubled(Trouble),
}

/// What one watch needs.
pub(super) struct Watching {
    pub(super) client: Client,
    pub(super) target: WorkloadRef,
    pub(super) resource: Resource,
    pub(super) pace: Pace,
    /// The workload's selector, once it is known.
    pub(super) selector: watch::Receiver<Option<String>>,
    pub(super) news: Sender<News>,
}

impl Watching {
    /// Goes on until nobody listens any more.
    pub(super) async fn run(mut self) {
        let mut pauses = Pauses::new(self.pace);
        // The version that a watch goes on from; none: list first.
        let mut version: Option<String> = None;
        while let Some(selector) = self.selector().await {
            let begun = apiserver::deadline(Duration::ZERO);
            let outcome = match &version {
                None => self.list(&selector).await.map(|listed| {
                    version = Some(listed);
                    false
                }),
                Some(from) => {
                    let mut at = from.clone();
                    let outcome = self.watch(&selector, &mut at).await;
                    let stood = at != *from || begun.elapsed() >= self.pace.pause;
                    version = Some(at);
                    if stood && !matches!(outcome, Err(Trouble::Gone)) {
                        pauses.reset();
                    }
                    outcome.map(|()| !stood)
                }
            };
            if self.news.is_closed() {
                return;
            }
            if self.resource.is_selected() && self.selector.has_changed().unwrap_or(false) {
                version = None;
            }
            match outcome {
                // A list is followed by a watch at once; a watch that brought nothing and ended at once was none.
                Ok(ended_at_once) => {
                    if ended_at_once {
                        sleep(pauses.next(&Trouble::Late)).await;
                    }
                }
                // A list that is gone already is no reason to list again.
                Err(Trouble::Gone) if version.is_some() => {
                    version = None;
                    sleep(pauses.next(&Trouble::Late)).await;
                }
                Err(trouble) => {
                    let pause = pauses.next(&trouble);
                    if pauses.failures >= RELIST_AFTER {
                        version = None;
                    }
                    self.tell(What::Troubled(trouble)).await;
                    sleep(pause).await;
                }
            }
        }
    }

    /// What selects its objects, as a query; waits until that is known, and is nothing once it never will be.
    async fn selector(&mut self) -> Option<String> {
        match self.resource {
            Resource::Workload => {
                Some(format!("fieldSelector={}&", escaped(&format!("metadata.name={}", self.target.name))))
            }
            resource if resource.is_selected() => {
                let known = self.selector.wait_for(Option::is_some).await.ok()?;
                let query = known.as_ref().map(|labels| format!("labelSelector={}&", escaped(labels)));
                drop(known);
                self.selector.mark_unchanged();
                query
            }
            _ => Some(String::new()),
        }
    }

    /// Lists everything, and says from which version on to watch.
    async fn list(&self, selector: &str) -> Result<String, Trouble> {
        let (mut objects, mut token, mut seen) = (Vec::new(), String::new(), 0);
        loop {
            let path = format!(
                "{}?{selector}limit={PAGE_OBJECTS}{}",
                self.resource.path(&self.target),
                if token.is_empty() { String::new() } else { format!("&continue={}", escaped(&token)) }
            );
            let until = apiserver::deadline(self.pace.deadline);
            let mut page = apiserver::whole(&self.client, &path, PAGE_BYTES, until).await?;
            let Value::Array(items) = page["items"].take() else {
                return Err(Trouble::Malformed("a list without items".to_owned()));
            };
            seen += items.len();
            objects.extend(items.into_iter().filter_map(|object| self.kept(object)));
            token = page["metadata"]["continue"].as_str().unwrap_or_default().to_owned();
            let more = objects.len() > self.resource.most() || seen > 20 * self.resource.most();
            if token.is_empty() || more {
                objects.truncate(self.resource.most());
                let version = page["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned();
                self.tell(What::Listed { objects, more }).await;
                return Ok(version);
            }
        }
    }

    /// Watches from `version` on, which goes on with what is told, until the server ends it as agreed.
    async fn watch(&self, selector: &str, version: &mut String) -> Result<(), Trouble> {
        let seconds = self.pace.watch.as_secs().max(1);
        let path = format!(
            "{}?{selector}watch=true&allowWatchBookmarks=true&timeoutSeconds={seconds}&resourceVersion={}",
            self.resource.path(&self.target),
            escaped(version)
        );
        let answer = apiserver::open(&self.client, &path, apiserver::deadline(self.pace.deadline)).await?;
        // The connection stands, and what it was asked to go on from is known.
        self.tell(What::Heard).await;
        let mut lines = Lines::of(answer, OBJECT_BYTES);
        // Whoever says nothing any more is not waited for longer than it was asked to speak.
        let until = apiserver::deadline(Duration::from_secs(seconds) + self.pace.grace);
        while let Some((line, whole)) = timeout_at(until, lines.next()).await.map_err(|_| Trouble::Late)?? {
            if !whole {
                return Err(Trouble::TooLarge { limit: OBJECT_BYTES });
            }
            self.event(&line, version).await?;
        }
        self.tell(What::Heard).await;
        Ok(())
    }

    async fn event(&self, line: &[u8], version: &mut String) -> Result<(), Trouble> {
        let mut event: Value = serde_json::from_slice(line).map_err(|e| Trouble::Malformed(e.to_string()))?;
        let object = event["object"].take();
        let kind = event["type"].as_str().unwrap_or_default();
        if kind == "ERROR" {
            let code = object["code"].as_u64().and_then(|c| u16::try_from(c).ok()).unwrap_or(500);
            return Err(Trouble::said(code, object.to_string().as_bytes()));
        }
        if let Some(now) = object["metadata"]["resourceVersion"].as_str() {
            now.clone_into(version);
        }
        let what = match kind {
            "ADDED" | "MODIFIED" => self.kept(object).map_or(What::Heard, |(key, object)| What::Applied(key, object)),
            "DELETED" => key(&object).map_or(What::Heard, |key| What::Deleted(key.to_owned())),
            "BOOKMARK" => What::Heard,
            other => return Err(Trouble::Malformed(format!("a watch event '{}'", crate::text::clean(other, 40)))),
        };
        self.tell(what).await;
        Ok(())
    }

    /// The object as it is kept, if it is.
    fn kept(&self, mut object: Value) -> Option<(String, Value)> {
        if !self.resource.concerns(&object, &self.target) {
            return None;
        }
        trim(&mut object);
        Some((key(&object)?.to_owned(), object))
    }

    async fn tell(&self, what: What) {
        // Without a listener `run` ends by itself.
        let _ = self.news.send(News { resource: self.resource, what }).await;
    }
}

/// How long to wait after each failure.
struct Pauses {
    pace: Pace,
    failures: u32,
    chance: RandomState,
}

impl Pauses {
    fn new(pace: Pace) -> Self {
        Self { pace, failures: 0, chance: RandomState::new() }
    }

    fn reset(&mut self) {
        self.failures = 0;
    }

    /// Half of the pause is certain and half is chance. What is not allowed is asked for at the slowest pace at once.
    fn next(&mut self, trouble: &Trouble) -> Duration {
        let doubled = self.pace.pause.saturating_mul(1 << self.failures.min(16));
        self.failures = self.failures.saturating_add(1);
        let hopeless = matches!(trouble, Trouble::Denied(_) | Trouble::NotFound(_));
        let pause = if hopeless { self.pace.longest_pause } else { doubled.min(self.pace.longest_pause) };
        let share = u32::try_from(self.chance.hash_one(self.failures) % 1000).unwrap_or(0);
        pause / 2 + pause / 2 * share / 1000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_begin_anew_after_a_success() {
        let pace = Pace { pause: Duration::from_secs(1), longest_pause: Duration::from_secs(8), ..Pace::default() };
        let mut pauses = Pauses::new(pace);
        for most in [1, 2, 4, 8, 8, 8] {
            let pause = pauses.next(&Trouble::Late);
            let most = Duration::from_secs(most);
            assert!(pause >= most / 2 && pause <= most, "{pause:?} of {most:?}");
        }
        pauses.reset();
        assert!(pauses.next(&Trouble::Late) <= Duration::from_secs(1));
        assert!(pauses.next(&Trouble::Denied(String::new())) >= Duration::from_secs(4));
    }
}
