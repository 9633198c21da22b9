//! One complete page of bytes → what an engine, a gateway or an exporter of GPUs said: the exposition reader and the
//! dialects, put together.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};

use crate::decode::exposition::{self, Labels, PageError, Sink};
use crate::decode::iterations::{self, ListError};
use crate::dialect::{Catalogue, Key, Memory, Reader, Stored, Wanted};
use crate::domain::{EnginePage, Failure, Page, Role};
use crate::text::clean;

/// Names on an unrecognised page are shown this long.
const SHOWN_NAME: usize = 60;
/// Those of a gateway's slices, which are several names together, this long.
const SHOWN_SLICE: usize = 300;
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

    /// How the family that stands for a quantity on pages of a system is stored by a Prometheus.
    pub fn stored(&self, system: &str, quantity: &str, family: &str) -> Option<Stored> {
        self.catalogue.stored(system, quantity, family)
    }

    /// Names of which every engine that is known has a series.
    pub fn witnesses(&self) -> Vec<String> {
        self.catalogue.witnesses()
    }

    /// Names by which the systems of a role are known.
    pub fn witnesses_of(&self, role: Role) -> Vec<String> {
        self.catalogue.witnesses_of(role)
    }

    /// The labels by which exporters of GPUs name a node, the surest first.
    pub fn node_labels(&self) -> Vec<String> {
        self.catalogue.node_labels()
    }

    /// What is wanted of the engines, gateways or GPUs that have a series of this name.
    pub fn wanted(&self, witness: &str) -> Option<Wanted> {
        self.catalogue.wanted(witness)
    }

    /// Makes a page of samples that somebody else read: each with its name, what its labels are, and its value.
    pub fn assemble<'s, L>(
        &self,
        samples: impl Iterator<Item = (&'s str, L, f64)>,
        memory: &mut Memory,
    ) -> Result<Page, Failure>
    where
        L: Fn(&str) -> Option<&'s str>,
    {
        let lent = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut reader = lent.unwrap_or_else(|| Reader::new(Arc::clone(&self.catalogue)));
        reader.begin();
        let mut count = 0;
        for (name, label, value) in samples {
            count += 1;
            if let Some(key) = reader.family(name) {
                reader.sample(key, |name| label(name).map(Cow::Borrowed), value);
            }
        }
        let page = finished(&mut reader, memory, (count, 0, None));
        self.readers.lock().unwrap_or_else(PoisonError::into_inner).push(reader);
        page
    }

    /// Reads one page. `memory` is the endpoint's own and remembers which families stand for which quantity.
    pub fn decode(&self, page: &[u8], memory: &mut Memory) -> Result<Page, Failure> {
        let lent = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut reader = lent.unwrap_or_else(|| Reader::new(Arc::clone(&self.catalogue)));
        let page = decode(page, &mut reader, memory);
        self.readers.lock().unwrap_or_else(PoisonError::into_inner).push(reader);
        page
    }

    /// The same where only an engine's page will do: that of a gateway or of GPUs is none.
    pub fn decode_engine(&self, page: &[u8], memory: &mut Memory) -> Result<EnginePage, Failure> {
        match self.decode(page, memory)? {
            Page::Engine(page) => Ok(page),
            Page::Gateway(page) => Err(no_engine(&page.system.engine)),
            Page::Gpus(page) => Err(no_engine(&page.exporter)),
        }
    }
}

fn no_engine(system: &str) -> Failure {
    Failure::Other(format!("a page of {system}, which is no engine"))
}

fn decode(page: &[u8], reader: &mut Reader, memory: &mut Memory) -> Result<Page, Failure> {
    if iterations::is_list(page) {
        return listed(page);
    }
    reader.begin();
    let stats = exposition::read(page, &mut Mapped(reader)).map_err(|error| match error {
        PageError::Cut => Failure::Cut,
        PageError::TooLarge { .. } => Failure::TooLarge { limit: exposition::MAX_PAGE },
        other => Failure::NotMetrics(other.to_string()),
    })?;
    let skipped = stats.first_skipped.map(|s| s.to_string());
    finished(reader, memory, (stats.samples, stats.skipped, skipped))
}

/// A page of what the reader took in: of so many samples, with so many lines skipped and the first of them.
fn finished(
    reader: &mut Reader,
    memory: &mut Memory,
    (samples, skipped, first_skipped): (usize, usize, Option<String>),
) -> Result<Page, Failure> {
    let mut read = reader.finish(memory).map_err(|unrecognised| {
        Failure::NotRecognised(unrecognised.saw.iter().map(|name| clean(name, SHOWN_NAME)).collect())
    })?;
    // Names from a page reach screens, logs and reports: they are cleaned where they come in.
    match &mut read {
        Page::Engine(page) | Page::Gateway(page) => {
            for replica in &mut page.replicas {
                let most = if replica.slice.is_some() { SHOWN_SLICE } else { SHOWN_NAME };
                replica.engine = clean(&replica.engine, most);
                replica.model = replica.model.take().map(|model| clean(&model, SHOWN_LABEL));
            }
            (page.series, page.skipped, page.first_skipped) = (samples, skipped, first_skipped);
        }
        Page::Gpus(page) => {
            for gpu in &mut page.gpus {
                for name in [&mut gpu.id.node, &mut gpu.id.uuid, &mut gpu.pod, &mut gpu.product] {
                    *name = name.take().map(|name| clean(&name, SHOWN_LABEL));
                }
            }
            (page.series, page.skipped, page.first_skipped) = (samples, skipped, first_skipped);
        }
    }
    Ok(read)
}

/// A page that is a list of iterations. The list is bounded as any page is.
fn listed(page: &[u8]) -> Result<Page, Failure> {
    if page.len() > exposition::MAX_PAGE {
        return Err(Failure::TooLarge { limit: exposition::MAX_PAGE });
    }
    match iterations::read(page) {
        Ok(page) => Ok(Page::Engine(page)),
        Err(ListError::Empty) => Err(Failure::Other(ListError::Empty.to_string())),
        Err(other) => Err(Failure::NotMetrics(clean(&other.to_string(), SHOWN_LABEL * 2))),
    }
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
