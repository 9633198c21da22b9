//! One complete page of bytes → what an engine said: the exposition reader and the dialects, put together.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};

use crate::decode::exposition::{self, Labels, PageError, Sink};
use crate::dialect::{Catalogue, Key, Memory, Reader};
use crate::domain::{EnginePage, Failure, Page};
use crate::text::clean;

/// Names on an unrecognised page are shown this long.
const SHOWN_NAME: usize = 60;
/// And a model's name this long.
const SHOWN_LABEL: usize = 120;

/// Decodes pages of any number of endpoints. Shared: scratch space is lent to whoever decodes, and kept.
#[derive(Debug)]
pub struct Decoder {
    catalogue: Arc<Catalogue>,
    readers: Mutex<Vec<Reader>>,
}

impl Decoder {
    /// A decoder by this catalogue.
    pub fn new(catalogue: Arc<Catalogue>) -> Self {
        Self { catalogue, readers: Mutex::default() }
    }

    /// Reads one page. `memory` is the endpoint's own and remembers which families stand for which quantity.
    pub fn decode(&self, page: &[u8], memory: &mut Memory) -> Result<EnginePage, Failure> {
        let lent = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut reader = lent.unwrap_or_else(|| Reader::new(Arc::clone(&self.catalogue)));
        let page = decode(page, &mut reader, memory);
        self.readers.lock().unwrap_or_else(PoisonError::into_inner).push(reader);
        page
    }

    /// Reads one page of whatever kind.
    pub fn page(&self, page: &[u8], memory: &mut Memory) -> Result<Page, Failure> {
        self.decode(page, memory).map(Page::Engine)
    }
}

fn decode(page: &[u8], reader: &mut Reader, memory: &mut Memory) -> Result<EnginePage, Failure> {
    reader.begin();
    let stats = exposition::read(page, &mut Mapped(reader)).map_err(|error| match error {
        PageError::Cut => Failure::Cut,
        PageError::TooLarge { .. } => Failure::TooLarge { limit: exposition::MAX_PAGE },
        other => Failure::NotMetrics(other.to_string()),
    })?;
    let mut read = reader.finish(memory).map_err(|unrecognised| {
        Failure::NotRecognised(unrecognised.saw.iter().map(|name| clean(name, SHOWN_NAME)).collect())
    })?;
    // Names from a page reach screens, logs and reports: they are cleaned where they come in.
    for replica in &mut read.replicas {
        replica.engine = clean(&replica.engine, SHOWN_NAME);
        replica.model = replica.model.take().map(|model| clean(&model, SHOWN_LABEL));
    }
    read.series = stats.samples;
    read.skipped = stats.skipped;
    read.first_skipped = stats.first_skipped.map(|s| s.to_string());
    Ok(read)
}

/// The exposition reader's view of the dialects.
struct Mapped<'r>(&'r mut Reader);

impl Sink for Mapped<'_> {
    type Key = Key;

    fn family(&mut self, name: &str) -> Option<Key> {
        self.0.family(name)
    }

    fn sample(&mut self, key: Key, labels: Labels<'_>, value: f64) {
        self.0.sample(key, |name| -> Option<Cow<'_, str>> { labels.get(name) }, value);
    }
}
