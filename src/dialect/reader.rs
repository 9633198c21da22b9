//! Turns the samples of one page into an [`EnginePage`], by the catalogue.

use std::borrow::Cow;
use std::sync::Arc;

use super::catalogue::{ADAPTER, Catalogue, Part, Slot, Target};
use super::definition::{Combine, Where};
use crate::domain::{Dist, EnginePage, Gauge, Histogram, ReplicaPage, Values};

/// A sample name that some dialect knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key(pub(super) u32);

/// A complete page without any family that is known: a finding, never zero requests.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("engine not recognised: saw {}", .saw.join(", "))]
pub struct Unrecognised {
    /// The first names on the page, bounded.
    pub saw: Vec<String>,
}

/// What an endpoint's earlier pages decided: which family stands for which quantity. The choice sticks until the
/// process restarts, so that a family that comes and goes does not splice two series into one.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    chosen: Option<Box<[u8; Target::COUNT]>>,
    process_start: Option<f64>,
    bounds: Vec<(Dist, Arc<[f64]>)>,
}

const NAMES_KEPT: usize = 5;
const NAME_LENGTH: usize = 60;
const UNDECIDED: u8 = u8::MAX;

/// Reads pages. Holds the scratch space and can be used for any endpoint in turn; what must be remembered of an
/// endpoint is in its [`Memory`].
#[derive(Debug)]
pub struct Reader {
    catalogue: Arc<Catalogue>,
    engines: Vec<Engine>,
    used: usize,
    recognised: Vec<bool>,
    generation: Vec<Option<usize>>,
    seen: Vec<String>,
    family_of_slot: Vec<u32>,
}

#[derive(Debug, Default)]
struct Engine {
    label: String,
    model: Option<String>,
    cells: Vec<Cell>,
}

/// What one slot gathered for one engine.
#[derive(Debug, Clone, Default)]
struct Cell {
    touched: bool,
    value: f64,
    sum: Option<f64>,
    count: Option<f64>,
    bounds: Vec<f64>,
    counts: Vec<f64>,
    cursor: usize,
}

impl Reader {
    /// A reader by this catalogue.
    pub fn new(catalogue: Arc<Catalogue>) -> Self {
        let dialects = catalogue.dialects.len();
        let slots = catalogue.slots.len();
        Self {
            catalogue,
            engines: Vec::new(),
            used: 0,
            recognised: vec![false; dialects],
            generation: vec![None; dialects],
            seen: Vec::new(),
            family_of_slot: vec![0; slots],
        }
    }

    /// Starts a page.
    pub fn begin(&mut self) {
        for engine in &mut self.engines[..self.used] {
            engine.model = None;
            for cell in &mut engine.cells {
                cell.reset();
            }
        }
        self.used = 0;
        self.recognised.fill(false);
        self.generation.fill(None);
        self.seen.clear();
    }

    /// Whether a sample name is known, and as what.
    pub fn family(&mut self, name: &str) -> Option<Key> {
        let key = self.catalogue.names.get(name).copied();
        if key.is_none() && self.seen.len() < NAMES_KEPT {
            let short: String = name.chars().take(NAME_LENGTH).collect();
            if !self.seen.contains(&short) {
                self.seen.push(short);
            }
        }
        key
    }

    /// Takes one sample; `label` answers a label's value.
    pub fn sample<'a>(&mut self, key: Key, label: impl Fn(&str) -> Option<Cow<'a, str>>, value: f64) {
        let catalogue = Arc::clone(&self.catalogue);
        let route = &catalogue.routes[key.0 as usize];
        for dialect in &route.recognises {
            let foreign = catalogue.dialects[*dialect].foreign_label.as_deref();
            if foreign.is_none_or(|f| label(f).is_none()) {
                self.recognised[*dialect] = true;
            }
        }
        for (dialect, index) in &route.generations {
            self.generation[*dialect].get_or_insert(*index);
        }
        for (slot_index, part) in &route.to {
            let slot = &catalogue.slots[*slot_index as usize];
            let dialect = &catalogue.dialects[slot.dialect];
            if *part == Part::Value && dialect.foreign_label.as_deref().is_some_and(|f| label(f).is_some()) {
                continue;
            }
            if !matches(&slot.only, &label) {
                continue;
            }
            let name = dialect.engine_label.as_deref().and_then(&label).unwrap_or_default();
            let engine = self.engine(&name, catalogue.slots.len());
            if engine.model.is_none() && *part != Part::Bucket {
                engine.model = dialect.model_labels.iter().find_map(|l| label(l)).map(Cow::into_owned);
            }
            if engine.cells[*slot_index as usize].take(slot, *part, &label, value) {
                self.family_of_slot[*slot_index as usize] = key.0;
            }
        }
    }

    fn engine(&mut self, label: &str, slots: usize) -> &mut Engine {
        let found = self.engines[..self.used].iter().position(|e| e.label == label);
        let index = found.unwrap_or_else(|| {
            if self.used == self.engines.len() {
                self.engines.push(Engine { cells: vec![Cell::default(); slots], ..Engine::default() });
            }
            self.engines[self.used].label.clear();
            self.engines[self.used].label.push_str(label);
            self.used += 1;
            self.used - 1
        });
        &mut self.engines[index]
    }

    /// Ends a page.
    pub fn finish(&mut self, memory: &mut Memory) -> Result<EnginePage, Unrecognised> {
        let Some(dialect) = self.recognised.iter().position(|r| *r) else {
            return Err(Unrecognised { saw: std::mem::take(&mut self.seen) });
        };
        let adapter = self.catalogue.dialects.iter().position(|d| d.system.engine == ADAPTER);
        self.forget_after_restart(memory, dialect);
        let chosen = self.choose(memory, dialect, adapter);

        let mut system = self.catalogue.dialects[dialect].system.clone();
        let generations = &self.catalogue.dialects[dialect].generations;
        let by_label = generations.iter().position(|g| {
            g.label.is_some()
                && g.label == self.catalogue.dialects[dialect].engine_label
                && self.engines[..self.used].iter().any(|e| !e.label.is_empty())
        });
        system.generation = by_label.or(self.generation[dialect]).map(|i| generations[i].name.clone());

        let engines = &self.engines[..self.used];
        let labelled = engines.iter().filter(|e| !e.label.is_empty()).count();
        let mut replicas = Vec::with_capacity(self.used.max(1));
        if labelled <= 1 {
            // One engine: what the process says of itself and what the engine says belong together.
            let mut values = Values::default();
            let mut ordered: Vec<&Engine> = engines.iter().collect();
            ordered.sort_by(|a, b| b.label.cmp(&a.label));
            for engine in &ordered {
                self.fill(&mut values, engine, &chosen, memory);
            }
            let model = ordered.iter().find_map(|e| e.model.clone());
            replicas.push(ReplicaPage { engine: String::new(), model, values });
        } else {
            for engine in engines {
                let mut values = Values::default();
                self.fill(&mut values, engine, &chosen, memory);
                replicas.push(ReplicaPage { engine: engine.label.clone(), model: engine.model.clone(), values });
            }
            if let Some(start) = memory.process_start {
                for replica in &mut replicas {
                    replica.values.set_gauge(Gauge::ProcessStart, start);
                }
            }
        }
        let families = chosen
            .iter()
            .flatten()
            .map(|slot| {
                let route = &self.catalogue.routes[self.family_of_slot[*slot] as usize];
                (self.catalogue.slots[*slot].target.name(), route.family.clone())
            })
            .collect();
        Ok(EnginePage { system, replicas, families, series: 0, skipped: 0, first_skipped: None })
    }

    fn forget_after_restart(&self, memory: &mut Memory, dialect: usize) {
        let start = self.catalogue.slots.iter().enumerate().find_map(|(i, slot)| {
            let is_start = slot.dialect == dialect && slot.target == Target::Gauge(Gauge::ProcessStart);
            let cell = |e: &Engine| e.cells[i].touched.then_some(e.cells[i].value);
            if is_start { self.engines[..self.used].iter().find_map(cell) } else { None }
        });
        if start != memory.process_start {
            memory.chosen = None;
            memory.process_start = start;
        }
    }

    /// The slot that stands for each quantity: of this dialect's, the one chosen before, else the best one present; of
    /// the aliases', whatever the dialect has no family for.
    fn choose(&self, memory: &mut Memory, dialect: usize, adapter: Option<usize>) -> Vec<Option<usize>> {
        let decided = memory.chosen.get_or_insert_with(|| Box::new([UNDECIDED; Target::COUNT]));
        let mut chosen: Vec<Option<usize>> = vec![None; Target::COUNT];
        for owner in [Some(dialect), adapter].into_iter().flatten() {
            for (index, slot) in self.catalogue.slots.iter().enumerate() {
                let touched = self.engines[..self.used].iter().any(|e| e.cells[index].touched);
                if slot.dialect != owner || !touched {
                    continue;
                }
                let at = slot.target.index();
                match chosen[at] {
                    None => chosen[at] = Some(index),
                    Some(other) => {
                        let other = &self.catalogue.slots[other];
                        if other.dialect == owner
                            && (slot.rank == decided[at] || (other.rank != decided[at] && slot.rank < other.rank))
                        {
                            chosen[at] = Some(index);
                        }
                    }
                }
            }
        }
        for (at, slot) in chosen.iter().enumerate() {
            if let Some(slot) = slot {
                decided[at] = self.catalogue.slots[*slot].rank;
            }
        }
        chosen
    }

    /// Adds what `engine` has of the chosen slots to `values`, where they are not known already.
    fn fill(&self, values: &mut Values, engine: &Engine, chosen: &[Option<usize>], memory: &mut Memory) {
        for slot_index in chosen.iter().flatten() {
            let cell = &engine.cells[*slot_index];
            if !cell.touched {
                continue;
            }
            match self.catalogue.slots[*slot_index].target {
                Target::Gauge(gauge) if values.gauge(gauge).is_none() => values.set_gauge(gauge, cell.value),
                Target::Total(total) if values.total(total).is_none() => values.set_total(total, cell.value),
                Target::Dist(dist) if values.dist(dist).is_none() => {
                    values.set_dist(dist, cell.histogram(dist, memory));
                }
                Target::Gauge(_) | Target::Total(_) | Target::Dist(_) => {}
            }
        }
    }
}

impl Cell {
    fn reset(&mut self) {
        self.touched = false;
        self.value = 0.0;
        self.sum = None;
        self.count = None;
        self.bounds.clear();
        self.counts.clear();
        self.cursor = 0;
    }

    /// Takes a sample; whether it was of use.
    fn take<'a>(&mut self, slot: &Slot, part: Part, label: &impl Fn(&str) -> Option<Cow<'a, str>>, value: f64) -> bool {
        let scaled = value * slot.scale;
        match part {
            Part::Value => {
                let value = match &slot.from_label {
                    Some(name) => label(name).and_then(|v| v.parse().ok()).unwrap_or(f64::NAN),
                    None => scaled,
                };
                if value.is_nan() {
                    return false;
                }
                self.value = match slot.combine {
                    Combine::Sum => self.value + value,
                    Combine::Max if self.touched => self.value.max(value),
                    Combine::Max => value,
                };
            }
            Part::Sum => *self.sum.get_or_insert(0.0) += scaled,
            Part::Count => {
                if !matches(&slot.count_where, label) {
                    return false;
                }
                *self.count.get_or_insert(0.0) += value;
            }
            Part::Bucket => {
                let Some(le) = label("le").and_then(|le| le.parse::<f64>().ok()) else { return false };
                self.bucket(le * slot.scale, value);
            }
        }
        self.touched = true;
        true
    }

    /// Adds a bucket. Buckets come in order, series by series, so the next one is usually where the last one ended.
    fn bucket(&mut self, le: f64, value: f64) {
        if self.cursor >= self.bounds.len() || self.bounds[self.cursor] != le {
            self.cursor = self.bounds.partition_point(|b| *b < le);
            if self.bounds.get(self.cursor) != Some(&le) {
                self.bounds.insert(self.cursor, le);
                self.counts.insert(self.cursor, 0.0);
            }
        }
        self.counts[self.cursor] += value;
        self.cursor += 1;
    }

    /// The histogram, if it is complete: a sum and a count, and buckets that end at the count.
    fn histogram(&self, dist: Dist, memory: &mut Memory) -> Option<Histogram> {
        let (sum, count) = (self.sum?, self.count?);
        if self.bounds.is_empty() || !dist.keeps_buckets() {
            return Some(Histogram::plain(sum, count));
        }
        let known = memory.bounds.iter().find(|(d, b)| *d == dist && **b == *self.bounds).map(|(_, b)| Arc::clone(b));
        let bounds = known.unwrap_or_else(|| {
            let bounds: Arc<[f64]> = self.bounds.as_slice().into();
            memory.bounds.retain(|(d, _)| *d != dist);
            memory.bounds.push((dist, Arc::clone(&bounds)));
            bounds
        });
        Some(Histogram { bounds, counts: self.counts.as_slice().into(), sum, count })
    }
}

fn matches<'a>(only: &Where, label: &impl Fn(&str) -> Option<Cow<'a, str>>) -> bool {
    only.iter().all(|(name, values)| {
        let value = label(name).unwrap_or_default();
        values.iter().any(|v| *v == *value)
    })
}
