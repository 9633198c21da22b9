//! The first names of a page: what can be said of it where no dialect knows it.

/// So many names are kept, and so much of each.
const NAMES: usize = 5;
const LENGTH: usize = 60;

/// Families that every process writes about its runtime and its HTTP layer: they tell nothing about who it is.
const COMMON: &[&str] = &["python_", "process_", "go_", "promhttp_", "http_", "scrape_"];

/// Kept from page to page, so that names are noted without allocating.
#[derive(Debug, Default)]
pub(super) struct Seen {
    telling: Names,
    common: Names,
    /// Families that a dialect knows, written by somebody else.
    foreign: Names,
}

#[derive(Debug, Default)]
struct Names {
    names: [String; NAMES],
    used: usize,
}

impl Seen {
    pub(super) fn clear(&mut self) {
        for names in [&mut self.telling, &mut self.common, &mut self.foreign] {
            names.used = 0;
        }
    }

    /// Notes a sample's name.
    pub(super) fn note(&mut self, sample: &str) {
        if self.telling.used == NAMES {
            return;
        }
        let family = ["_bucket", "_sum", "_count", "_created"].iter().find_map(|s| sample.strip_suffix(s));
        let family = family.unwrap_or(sample);
        let common = COMMON.iter().any(|prefix| family.starts_with(prefix));
        (if common { &mut self.common } else { &mut self.telling }).note(family, "");
    }

    /// Notes that a known family carries a label that its engine does not write.
    pub(super) fn note_foreign(&mut self, family: Option<&str>, label: &str) {
        if let Some(family) = family {
            self.foreign.note(family, label);
        }
    }

    /// The names that tell most, bounded.
    pub(super) fn names(&self) -> Vec<String> {
        let foreign = self.foreign.all();
        let rest = if self.telling.used > 0 { &self.telling } else { &self.common };
        let rest = rest.all().iter().filter(|n| !foreign.iter().any(|f| f.split('{').next() == Some(n.as_str())));
        foreign.iter().chain(rest).take(NAMES).cloned().collect()
    }
}

impl Names {
    fn all(&self) -> &[String] {
        &self.names[..self.used]
    }

    /// Notes a family, with a label where that is what is special about it.
    fn note(&mut self, family: &str, label: &str) {
        if self.used == NAMES {
            return;
        }
        let name = &mut self.names[self.used];
        name.clear();
        name.extend(family.chars().take(LENGTH));
        if !label.is_empty() {
            name.extend(["{", label, "}"]);
        }
        if !self.names[..self.used].contains(&self.names[self.used]) {
            self.used += 1;
        }
    }
}
