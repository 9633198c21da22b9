//! `[probe]`: synthetic requests. They cost somebody's GPUs a few tokens each, so they are off until they are asked for,
//! and have a least interval and a most of tokens. Of `url` no part may be a secret: the key stands in a file.

use std::path::PathBuf;
use std::time::Duration;

use super::draft::{Said, Won};
use super::duration::{parse, show};
use super::error::{ConfigError, Place};
use super::words::{clean, quoted};
use crate::reach::http::Url;

/// Requests of our own are not to become the load that they measure.
const SHORTEST: Duration = Duration::from_secs(10);
/// Enough for a mean time between tokens; more would be a benchmark.
pub(super) const MOST_TOKENS: u32 = 64;
/// The longest path of a file, in characters.
const LONGEST_PATH: usize = 4096;

/// Synthetic requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// Whether they are sent at all.
    pub enabled: bool,
    /// Between two rounds of them; at least 10 s.
    pub every: Duration,
    /// Tokens that each asks for; 1 to 64.
    pub max_tokens: u16,
    /// Where users knock, as clients have it: it ends in `/v1`. `None`: replicas alone are asked.
    pub url: Option<Url>,
    /// The file that holds the key for it.
    pub token_file: Option<PathBuf>,
}

impl Default for Probe {
    fn default() -> Self {
        Self { enabled: false, every: Duration::from_secs(30), max_tokens: 1, url: None, token_file: None }
    }
}

impl Probe {
    /// Every key with its value, both as TOML writes them.
    pub(super) fn entries(&self) -> [(String, String); 5] {
        let path = self.token_file.as_ref().map(|p| p.display().to_string()).unwrap_or_default();
        [
            ("probe.enabled", self.enabled.to_string()),
            ("probe.every", quoted(&show(self.every))),
            ("probe.max_tokens", self.max_tokens.to_string()),
            ("probe.url", quoted(self.url.as_ref().map_or("", Url::as_str))),
            ("probe.token_file", quoted(&path)),
        ]
        .map(|(key, value)| (key.to_owned(), value))
    }
}

/// What was said about it.
#[derive(Debug, Clone, Default)]
pub(super) struct Part {
    pub(super) enabled: Option<Said<bool>>,
    pub(super) every: Option<Said<Duration>>,
    pub(super) max_tokens: Option<Said<u16>>,
    pub(super) url: Option<Said<Option<Url>>>,
    pub(super) token_file: Option<Said<Option<PathBuf>>>,
}

impl Part {
    pub(super) fn over(self, weaker: Self) -> Self {
        Self {
            enabled: self.enabled.or(weaker.enabled),
            every: self.every.or(weaker.every),
            max_tokens: self.max_tokens.or(weaker.max_tokens),
            url: self.url.or(weaker.url),
            token_file: self.token_file.or(weaker.token_file),
        }
    }

    pub(super) fn settle(self, won: &mut Won<'_>) -> Probe {
        let mut probe = Probe::default();
        won.take(&mut probe.enabled, self.enabled, || "probe.enabled".to_owned());
        won.take(&mut probe.every, self.every, || "probe.every".to_owned());
        won.take(&mut probe.max_tokens, self.max_tokens, || "probe.max_tokens".to_owned());
        won.take(&mut probe.url, self.url, || "probe.url".to_owned());
        won.take(&mut probe.token_file, self.token_file, || "probe.token_file".to_owned());
        probe
    }
}

/// The time between two rounds.
pub(super) fn every(text: &str, place: &Place) -> Result<Duration, ConfigError> {
    let wrong = |why| ConfigError::BadDuration {
        place: place.clone(),
        value: clean(text),
        why,
        wanted: "a duration of 10s or more, such as \"30s\"",
    };
    let every = parse(text).map_err(wrong)?;
    if every < SHORTEST { Err(wrong("is too often for requests that cost tokens")) } else { Ok(every) }
}

/// How many tokens each asks for.
pub(super) fn max_tokens(count: i64, place: &Place) -> Result<u16, ConfigError> {
    let fits = u16::try_from(count).ok().filter(|n| (1..=MOST_TOKENS).contains(&u32::from(*n)));
    fits.ok_or_else(|| ConfigError::BadStep { place: place.clone(), value: count.to_string(), most: MOST_TOKENS })
}

/// Where users knock; nothing where it is empty.
pub(super) fn url(text: &str, place: &Place) -> Result<Option<Url>, ConfigError> {
    // What is wrong is never shown: it may hold a password all the same.
    let wrong = |why: &str| ConfigError::BadUrl { place: place.clone(), why: why.to_owned() };
    if text.trim().is_empty() {
        return Ok(None);
    }
    let url = Url::parse(text.trim()).map_err(|error| wrong(&format!("is no URL ({error})")))?;
    match () {
        () if !matches!(url.scheme(), "http" | "https") || !url.has_host() => {
            Err(wrong("is no http:// or https:// URL"))
        }
        () if !url.username().is_empty() || url.password().is_some() => {
            Err(wrong("holds a user or a password: put a key into the file of probe.token_file"))
        }
        () if url.query().is_some() || url.fragment().is_some() => Err(wrong("holds a query or a fragment")),
        () => Ok(Some(url)),
    }
}

/// The file with the key; nothing where it is empty.
pub(super) fn token_file(text: &str, place: &Place) -> Result<Option<PathBuf>, ConfigError> {
    if text.chars().count() > LONGEST_PATH || text.chars().any(char::is_control) {
        return Err(ConfigError::BadUrl { place: place.clone(), why: "can be no file's path".to_owned() });
    }
    Ok((!text.trim().is_empty()).then(|| PathBuf::from(text)))
}
