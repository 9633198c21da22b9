//! Turns the samples of one page into a [`Page`], by the catalogue.

use std::borrow::Cow;
use std::sync::Arc;

use super::catalogue::{Catalogue, Dialect, Part, Slot, Target};
use super::cell::Cell;
use super::definition::{Foreign, Slices, Where};
use super::gpus::Gpus;
use super::memory::Memory;
use super::seen::Seen;
use crate::domain::{EnginePage, Gauge, GpuPage, Page, Pool, ReplicaPage, Role, Slice, Values};
use crate::text::clean;

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

/// The most engines of one page; the samples of further ones are not used. Real pages have one per data-parallel rank.
const MAX_ENGINES: usize = 512;

/// The most slices of a gateway that are told apart; the requests of further ones are counted together.
const MAX_SLICES: usize = 64;
/// And how much of each name is used.
const SLICE_NAME: usize = 64;

/// Reads pages. Holds the scratch space and can be used for any endpoint in turn; what must be remembered of an
/// endpoint is in its [`Memory`].
#[derive(Debug)]
pub struct Reader {
    catalogue: Arc<Catalogue>,
    engines: Engines,
    recognised: Vec<bool>,
    generation: Vec<Option<usize>>,
    seen: Seen,
    /// The family that filled each slot on this page.
    family: Vec<Option<usize>>,
    gpus: Gpus,
}

/// The engines of one page. Those beyond `used` are room for later pages.
#[derive(Debug, Default)]
struct Engines {
    all: Vec<Engine>,
    used: usize,
    last: usize,
}

#[derive(Debug, Default)]
struct Engine {
    /// Whose label it is: two dialects on one page do not share engines.
    dialect: usize,
    label: String,
    /// Which replica its numbers belong to, once the page is complete.
    replica: Option<usize>,
    model: String,
    pool: Option<Pool>,
    slice: Option<Slice>,
    cells: Vec<Cell>,
}

impl Reader {
    /// A reader by this catalogue.
    pub fn new(catalogue: Arc<Catalogue>) -> Self {
        let dialects = catalogue.dialects.len();
        let slots = catalogue.slots.len();
        Self {
            catalogue,
            engines: Engines::default(),
            recognised: vec![false; dialects],
            generation: vec![None; dialects],
            seen: Seen::default(),
            family: vec![None; slots],
            gpus: Gpus::default(),
        }
    }

    /// Starts a page.
    pub fn begin(&mut self) {
        for engine in &mut self.engines.all[..self.engines.used] {
            engine.cells.iter_mut().for_each(Cell::reset);
        }
        self.engines.used = 0;
        self.engines.last = 0;
        self.recognised.fill(false);
        self.generation.fill(None);
        self.seen.clear();
        self.family.fill(None);
        self.gpus.clear();
    }

    /// Whether a sample name is known, and as what.
    pub fn family(&mut self, name: &str) -> Option<Key> {
        self.seen.note(name);
        self.catalogue.names.get(name).copied()
    }

    /// Takes one sample; `label` answers a label's value.
    pub fn sample<'a>(&mut self, key: Key, label: impl Fn(&str) -> Option<Cow<'a, str>>, value: f64) {
        let catalogue = &*self.catalogue;
        let route = &catalogue.routes[key.0 as usize];
        // Prometheus takes an empty label for an absent one, and so does everything here.
        let label = |name: &str| label(name).filter(|value| !value.is_empty());
        let foreign = route.foreign.as_ref().filter(|(_, f)| f.wrote(&label)).map(|(dialect, f)| {
            self.seen.note_foreign(route.to.first().map(|to| &*catalogue.families[to.family]), &f.with);
            *dialect
        });
        let ours = |dialect: usize| foreign != Some(dialect);
        for dialect in route.recognises.iter().filter(|d| ours(**d)) {
            self.recognised[*dialect] = true;
        }
        for (dialect, index) in route.generations.iter().filter(|(d, _)| ours(*d)) {
            let known = &mut self.generation[*dialect];
            *known = Some(known.map_or(*index, |k| k.min(*index)));
        }
        for to in &route.to {
            let slot = &catalogue.slots[to.slot];
            if !ours(slot.dialect) || !matches(&slot.only, &label) {
                continue;
            }
            if excepted(&catalogue.dialects[slot.dialect].except, &label) {
                continue;
            }
            let Some(taken) = Taken::from(slot, to.part, &label, value) else { continue };
            let dialect = &catalogue.dialects[slot.dialect];
            let slice = slice_of(&dialect.slices, &label);
            let name = match &slice {
                Some(slice) => Cow::Owned(self.engines.room_for(slot.dialect, slice.to_string())),
                None => dialect.engine_labels.iter().find_map(|l| label(l)).unwrap_or_default(),
            };
            let Some(engine) = self.engines.of(slot.dialect, &name, catalogue.slots.len()) else { continue };
            if engine.slice.is_none() && !name.is_empty() {
                engine.slice = slice;
            }
            if engine.model.is_empty()
                && to.part != Part::Bucket
                && let Some(model) = dialect.model_labels.iter().find_map(|l| label(l))
            {
                engine.model.push_str(&model);
                engine.pool = dialect.pool_labels.iter().find_map(|l| Pool::named_by(&label(l)?));
            }
            let cell = &mut engine.cells[to.slot];
            if !cell.admits(precedence(dialect, to.prefix, &label)) {
                continue;
            }
            match taken {
                Taken::Value(value) => cell.take_value(slot.target, value),
                Taken::Sum(sum) => cell.take_sum(sum),
                Taken::Count(count) => cell.take_count(count),
                Taken::Bucket(le, count) => cell.take_bucket(le, count),
            }
            self.family[to.slot] = Some(to.family);
        }
        for slot in &route.gpus {
            let of = &catalogue.gpu_slots[*slot];
            if matches(&of.only, &label) {
                self.gpus.take(*slot, of, &catalogue.dialects[of.dialect], &label, value);
            }
        }
    }

    /// Ends a page.
    pub fn finish(&mut self, memory: &mut Memory) -> Result<Page, Unrecognised> {
        let Some(dialect) = self.recognised.iter().position(|r| *r) else {
            return Err(Unrecognised { saw: self.seen.names() });
        };
        let known = &self.catalogue.dialects[dialect];
        Ok(match known.role {
            Role::Engine => Page::Engine(self.engines(dialect, memory)),
            Role::Gateway => Page::Gateway(self.engines(dialect, memory)),
            Role::Gpus => Page::Gpus(GpuPage {
                exporter: known.system.engine.clone(),
                gpus: self.gpus.readings(dialect, &self.catalogue),
                ..GpuPage::default()
            }),
        })
    }

    fn engines(&mut self, dialect: usize, memory: &mut Memory) -> EnginePage {
        let start = self.process_start(dialect);
        memory.turn_to(dialect, start);
        self.choose(memory, dialect);

        let labelled = self.engines.labels(dialect).count();
        memory.several |= labelled > 1;
        let mut replicas = self.replicas(dialect, memory.several);
        for (index, replica) in replicas.iter_mut().enumerate() {
            self.fill(index, &mut replica.values, dialect, memory);
            if let Some(start) = start {
                replica.values.set_gauge(Gauge::ProcessStart, start);
            }
        }

        let generations = &self.catalogue.dialects[dialect].generations;
        let by_label = generations.iter().position(|g| {
            labelled > 0 && g.label.as_ref().is_some_and(|l| self.catalogue.dialects[dialect].engine_labels.contains(l))
        });
        let generation = by_label.into_iter().chain(self.generation[dialect]).min();
        let system = memory.system(&self.catalogue, generation);
        let families = (0..Target::COUNT).filter_map(|target| {
            let slot = memory.chosen(target)?;
            let family = Arc::clone(&self.catalogue.families[self.family[slot]?]);
            Some((self.catalogue.slots[slot].target.name(), family))
        });
        EnginePage { system, replicas, families: families.collect(), series: 0, skipped: 0, first_skipped: None }
    }

    /// When the process started, where the page says so.
    fn process_start(&self, dialect: usize) -> Option<f64> {
        let slots = [dialect, self.catalogue.adapter()].map(|d| &self.catalogue.dialects[d].slots);
        let mut start = slots
            .into_iter()
            .flatten()
            .filter(|s| self.catalogue.slots[**s].target == Target::Gauge(Gauge::ProcessStart))
            .filter(|s| self.family[**s].is_some());
        let slot = *start.next()?;
        self.engines.in_use().iter().find_map(|e| e.cells[slot].touched.then_some(e.cells[slot].value))
    }

    /// Decides which slot stands for each quantity: of this dialect's the best one, and of the aliases', whatever the
    /// dialect has no family for.
    fn choose(&self, memory: &mut Memory, dialect: usize) {
        let mut best = [None; Target::COUNT];
        let adapter = Some(self.catalogue.adapter()).filter(|a| *a != dialect);
        for owner in [Some(dialect), adapter].into_iter().flatten() {
            for slot in &self.catalogue.dialects[owner].slots {
                if self.family[*slot].is_some() {
                    best[self.catalogue.slots[*slot].target.index()].get_or_insert(*slot);
                }
            }
        }
        for (target, best) in best.into_iter().enumerate() {
            memory.choose(target, best, |slot| self.family[slot].is_some());
        }
    }

    /// Says which engine's numbers belong to which replica, and makes the replicas, still empty.
    ///
    /// What the process says of itself, without an engine's label, belongs to its one engine; where a page has or had
    /// several, to a replica without a name. An alias that tells engines apart as its page does belongs to them, and any
    /// other one to the process.
    fn replicas(&mut self, dialect: usize, several: bool) -> Vec<ReplicaPage> {
        let mut replicas: Vec<ReplicaPage> = Vec::with_capacity(if several { self.engines.used } else { 1 });
        for index in 0..self.engines.used {
            let engine = &self.engines.all[index];
            let ours = engine.dialect == dialect;
            if !ours && engine.dialect != self.catalogue.adapter() {
                self.engines.all[index].replica = None;
                continue;
            }
            let sliced = ours && engine.slice.is_some();
            let its_own = sliced || several && (ours || self.engines.labels(dialect).any(|l| l == engine.label));
            let name = if its_own { engine.label.as_str() } else { "" };
            let replica = replicas.iter().position(|r| r.engine == name).unwrap_or_else(|| {
                replicas.push(ReplicaPage { engine: name.to_owned(), ..ReplicaPage::default() });
                replicas.len() - 1
            });
            let ReplicaPage { model, pool, slice, .. } = &mut replicas[replica];
            if ours && model.is_none() && !engine.model.is_empty() {
                *model = Some(engine.model.clone());
            }
            *pool = pool.or(engine.pool.filter(|_| ours));
            if sliced && slice.is_none() {
                slice.clone_from(&engine.slice);
            }
            self.engines.all[index].replica = Some(replica);
        }
        if replicas.is_empty() {
            replicas.push(ReplicaPage::default());
        }
        replicas
    }

    /// Fills in what the engines of one replica have of the chosen slots.
    fn fill(&mut self, index: usize, values: &mut Values, dialect: usize, memory: &mut Memory) {
        for target in 0..Target::COUNT {
            let Some(slot) = memory.chosen(target) else { continue };
            let Slot { target, dialect: owner, .. } = self.catalogue.slots[slot];
            let engines = &mut self.engines.all[..self.engines.used];
            let has = |e: &Engine| e.replica == Some(index) && e.dialect == owner && e.cells[slot].touched;
            if owner == dialect {
                // Where both the engine and its process say something, the engine is believed.
                let all = engines.iter_mut().filter(|e| has(e));
                if let Some(engine) = all.max_by_key(|e| !e.label.is_empty()) {
                    engine.cells[slot].write(target, values, memory);
                }
            } else {
                for engine in engines.iter_mut().filter(|e| has(e)) {
                    engine.cells[slot].write(target, values, memory);
                }
            }
        }
    }
}

impl Engines {
    fn in_use(&self) -> &[Engine] {
        &self.all[..self.used]
    }

    /// The engines of a dialect that have a label.
    fn labels(&self, dialect: usize) -> impl Iterator<Item = &str> {
        self.in_use().iter().filter(move |e| e.dialect == dialect && !e.label.is_empty()).map(|e| e.label.as_str())
    }

    /// The engine that a sample speaks of; `None` where the page has more engines than any real one.
    fn of(&mut self, dialect: usize, label: &str, slots: usize) -> Option<&mut Engine> {
        let is_it = |e: &Engine| e.dialect == dialect && e.label == label;
        if !self.all[..self.used].get(self.last).is_some_and(is_it) {
            self.last = match self.in_use().iter().position(is_it) {
                Some(index) => index,
                None if self.used < MAX_ENGINES => self.add(dialect, label, slots),
                None => return None,
            };
        }
        self.all.get_mut(self.last)
    }

    /// The name under which a slice is told apart; none where there are too many already.
    fn room_for(&self, dialect: usize, name: String) -> String {
        let known = self.labels(dialect).any(|label| label == name);
        if known || self.labels(dialect).count() < MAX_SLICES { name } else { String::new() }
    }

    fn add(&mut self, dialect: usize, label: &str, slots: usize) -> usize {
        if self.used == self.all.len() {
            self.all.push(Engine { cells: vec![Cell::default(); slots], ..Engine::default() });
        }
        let engine = &mut self.all[self.used];
        engine.dialect = dialect;
        engine.replica = None;
        engine.label.clear();
        engine.label.push_str(label);
        engine.model.clear();
        engine.pool = None;
        engine.slice = None;
        self.used += 1;
        self.used - 1
    }
}

/// Whose requests a sample is about, where its gateway tells.
fn slice_of<'a>(slices: &Slices, label: &impl Fn(&str) -> Option<Cow<'a, str>>) -> Option<Slice> {
    if slices.is_empty() {
        return None;
    }
    // What a system writes for "none" tells nothing.
    let said = |value: &Cow<'_, str>| !matches!(&**value, "None" | "none" | "unknown" | "<none>" | "-");
    let first = |labels: &[String]| {
        let value = labels.iter().find_map(|name| label(name).filter(said))?;
        Some(clean(&value, SLICE_NAME))
    };
    let slice = Slice {
        model: first(&slices.model),
        route: first(&slices.route),
        tenant: first(&slices.tenant),
        class: first(&slices.class),
    };
    Some(slice).filter(|slice| !slice.is_empty())
}

/// What a sample adds to its cell.
enum Taken {
    Value(f64),
    Sum(f64),
    Count(f64),
    Bucket(f64, f64),
}

impl Taken {
    /// What this sample says, if anything. None of the quantities can be negative or without an end: engines write such
    /// numbers, and NaN, for what they do not know.
    fn from<'a>(slot: &Slot, part: Part, label: &impl Fn(&str) -> Option<Cow<'a, str>>, value: f64) -> Option<Self> {
        let known = |value: f64| Some(value).filter(|v| (0.0..f64::INFINITY).contains(v));
        let counts = || matches(&slot.count_where, label);
        match part {
            Part::Value => {
                let of = |name: &String| label(name)?.parse::<f64>().ok();
                let value = if slot.from_labels.is_empty() {
                    value
                } else {
                    slot.from_labels.iter().try_fold(1.0, |product, name| Some(product * of(name)?))?
                };
                known(value * slot.scale).map(Self::Value)
            }
            // A sum may be a rounding error below zero.
            Part::Sum => Some(value * slot.scale).filter(|v| v.is_finite()).map(Self::Sum),
            Part::Count => known(value).filter(|_| counts()).map(Self::Count),
            Part::Bucket => {
                let le = label("le")?.parse::<f64>().ok().filter(|le| !le.is_nan())?;
                known(value).filter(|_| counts()).map(|count| Self::Bucket(le * slot.scale, count))
            }
        }
    }
}

impl Foreign {
    fn wrote<'a>(&self, label: &impl Fn(&str) -> Option<Cow<'a, str>>) -> bool {
        label(&self.with).is_some() && label(&self.without).is_none()
    }
}

/// Which of the series that say the same this one is: by the name's prefix, then by the ranks of the process that
/// wrote it. The lowest is the one that counts.
fn precedence<'a>(dialect: &Dialect, prefix: u16, label: &impl Fn(&str) -> Option<Cow<'a, str>>) -> u64 {
    dialect.rank_labels.iter().fold(u64::from(prefix), |so_far, name| {
        let rank = label(name).and_then(|rank| rank.parse::<u16>().ok()).unwrap_or(0);
        (so_far << 16) | u64::from(rank)
    })
}

/// Whether a sample has one of the label values that are left out.
fn excepted<'a>(except: &Where, label: &impl Fn(&str) -> Option<Cow<'a, str>>) -> bool {
    except.iter().any(|(name, values)| label(name).is_some_and(|value| values.iter().any(|v| *v == *value)))
}

fn matches<'a>(only: &Where, label: &impl Fn(&str) -> Option<Cow<'a, str>>) -> bool {
    only.iter().all(|(name, values)| {
        let value = label(name).unwrap_or_default();
        values.iter().any(|v| *v == *value)
    })
}
