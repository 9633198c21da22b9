//! A sink that wants everything and owns what it got.

use warroom::decode::exposition::{Labels, PageError, Sink, Stats, read};

/// A sample that outlives its page.  Two are equal where name, labels with their order, and the value's bits are.
#[derive(Debug, Clone)]
pub(crate) struct Owned {
    pub(crate) name: String,
    pub(crate) labels: Vec<(String, String)>,
    pub(crate) value: f64,
}

impl PartialEq for Owned {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.labels == other.labels && self.value.to_bits() == other.value.to_bits()
    }
}

/// Shorthand for an expected sample.
pub(crate) fn sample(name: &str, labels: &[(&str, &str)], value: f64) -> Owned {
    let labels = labels.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect();
    Owned { name: name.to_owned(), labels, value }
}

#[derive(Default)]
struct Everything {
    asked: Vec<String>,
    samples: Vec<Owned>,
}

impl Sink for Everything {
    type Key = usize;

    fn family(&mut self, name: &str) -> Option<usize> {
        self.asked.push(name.to_owned());
        Some(self.asked.len() - 1)
    }

    fn sample(&mut self, key: usize, labels: Labels<'_>, value: f64) {
        let labels = labels.iter().map(|(key, value)| (key.to_owned(), value.into_owned())).collect();
        self.samples.push(Owned { name: self.asked[key].clone(), labels, value });
    }
}

/// Every sample of `page`.
pub(crate) fn collect(page: impl AsRef<[u8]>) -> Result<(Vec<Owned>, Stats), PageError> {
    let mut sink = Everything::default();
    let result = read(page.as_ref(), &mut sink);
    assert!(result.is_ok() || sink.asked.is_empty(), "a refused page tells the sink nothing");
    result.map(|stats| (sink.samples, stats))
}

/// The names that the sink was asked about, in order.
pub(crate) fn asked(page: &str) -> Vec<String> {
    let mut sink = Everything::default();
    read(page.as_bytes(), &mut sink).expect("a page");
    sink.asked
}
