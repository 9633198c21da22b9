//! All dialects and aliases, compiled into one table from sample names to slots.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::definition::{Definition, Foreign, Generation, GpuLabels, Mapping, Slices, Where};
use super::gpus::{Field, GpuSlot};
use super::reader::Key;
use crate::domain::{Dist, Finish, Gauge, Role, System, Total};

/// The dialect files that are built in, in the order in which a page is tried.
const EMBEDDED: &[(&str, &str)] = &[
    ("vllm.toml", include_str!("../../assets/dialects/vllm.toml")),
    ("sglang.toml", include_str!("../../assets/dialects/sglang.toml")),
    ("llamacpp.toml", include_str!("../../assets/dialects/llamacpp.toml")),
    ("lmdeploy.toml", include_str!("../../assets/dialects/lmdeploy.toml")),
    ("tgi.toml", include_str!("../../assets/dialects/tgi.toml")),
    ("trtllm.toml", include_str!("../../assets/dialects/trtllm.toml")),
    ("nim.toml", include_str!("../../assets/dialects/nim.toml")),
    ("triton.toml", include_str!("../../assets/dialects/triton.toml")),
    ("kserve.toml", include_str!("../../assets/dialects/kserve.toml")),
    ("litellm.toml", include_str!("../../assets/dialects/litellm.toml")),
    ("agentgateway.toml", include_str!("../../assets/dialects/agentgateway.toml")),
    ("epp.toml", include_str!("../../assets/dialects/epp.toml")),
    ("dynamo.toml", include_str!("../../assets/dialects/dynamo.toml")),
    ("sglang-router.toml", include_str!("../../assets/dialects/sglang-router.toml")),
    ("aibrix.toml", include_str!("../../assets/dialects/aibrix.toml")),
    ("ai-gateway.toml", include_str!("../../assets/dialects/ai-gateway.toml")),
    ("ingress-nginx.toml", include_str!("../../assets/dialects/ingress-nginx.toml")),
    ("traefik.toml", include_str!("../../assets/dialects/traefik.toml")),
    ("kong.toml", include_str!("../../assets/dialects/kong.toml")),
    ("haproxy.toml", include_str!("../../assets/dialects/haproxy.toml")),
    ("envoy.toml", include_str!("../../assets/dialects/envoy.toml")),
    ("dcgm.toml", include_str!("../../assets/dialects/dcgm.toml")),
    ("nvidia-gpu-exporter.toml", include_str!("../../assets/dialects/nvidia-gpu-exporter.toml")),
];

/// The name of the dialect that the alias table makes up.
const ADAPTER: &str = "adapter";

/// Labels by which home-made adapters tell replicas apart; the first two are those of the engines' own pages, so that
/// an alias of an engine's family stays with its engine.
const ADAPTER_ENGINE_LABELS: &[&str] = &["engine", "dp_rank", "replica", "pod", "instance"];

/// A dialect file or an alias that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DialectError {
    /// The file does not parse.
    #[error("dialect '{file}': {message}")]
    File {
        /// Its name.
        file: String,
        /// What the TOML reader says, with line and column.
        message: String,
    },
    /// A mapping to a quantity that does not exist.
    #[error("'{place}': '{quantity}' is no quantity; the known ones are {known}")]
    Quantity {
        /// The file or the alias.
        place: String,
        /// What was asked for.
        quantity: String,
        /// All names.
        known: String,
    },
}

/// What a slot fills.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    Gauge(Gauge),
    Total(Total),
    Dist(Dist),
}

impl Target {
    pub(super) const COUNT: usize = Gauge::COUNT + Total::COUNT + Dist::COUNT;

    pub(super) const fn index(self) -> usize {
        match self {
            Self::Gauge(g) => g as usize,
            Self::Total(t) => Gauge::COUNT + t as usize,
            Self::Dist(d) => Gauge::COUNT + Total::COUNT + d as usize,
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Gauge(g) => g.name(),
            Self::Total(t) => t.name(),
            Self::Dist(d) => d.name(),
        }
    }

    /// One number of two samples of one engine. What counts something is added; a ratio, a mean or a moment is not,
    /// and of those the largest stands.
    pub(super) const fn combined(self, a: f64, b: f64) -> f64 {
        match self {
            Self::Gauge(
                Gauge::KvUsage | Gauge::QueueMean | Gauge::TtftLast | Gauge::TpotLast | Gauge::ProcessStart,
            ) => a.max(b),
            Self::Gauge(_) | Self::Total(_) | Self::Dist(_) => a + b,
        }
    }
}

/// One family of one dialect, as one candidate for one quantity.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) target: Target,
    pub(super) dialect: usize,
    pub(super) only: Where,
    pub(super) count_where: Where,
    pub(super) from_labels: Vec<String>,
    pub(super) scale: f64,
}

/// Which part of a family a sample is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Value,
    Bucket,
    Sum,
    Count,
}

/// A slot that a sample goes to.
#[derive(Debug, Clone, Copy)]
pub(super) struct To {
    pub(super) slot: usize,
    pub(super) part: Part,
    /// Which of the dialect's prefixes the name has; under several of them the page says the same several times.
    pub(super) prefix: u16,
    /// The family's name under this prefix, without `_bucket`, `_sum`, `_count`: an index.
    pub(super) family: usize,
}

/// What a sample name leads to.
#[derive(Debug, Default)]
pub(super) struct Route {
    pub(super) to: Vec<To>,
    /// Slots of GPUs.
    pub(super) gpus: Vec<usize>,
    /// The dialects that this name is proof of.
    pub(super) recognises: Vec<usize>,
    /// Generations that this name is proof of: (dialect, index).
    pub(super) generations: Vec<(usize, usize)>,
    /// The dialect under whose names somebody else writes too, and how to tell.
    pub(super) foreign: Option<(usize, Foreign)>,
}

/// A dialect in its compiled form.
#[derive(Debug)]
pub(super) struct Dialect {
    pub(super) system: System,
    pub(super) role: Role,
    pub(super) except: Where,
    pub(super) gpu_labels: GpuLabels,
    pub(super) blanks: Vec<[f64; 2]>,
    pub(super) engine_labels: Vec<String>,
    pub(super) rank_labels: Vec<String>,
    pub(super) model_labels: Vec<String>,
    pub(super) pool_labels: Vec<String>,
    pub(super) slices: Slices,
    pub(super) generations: Vec<Generation>,
    /// Its slots; of one quantity, the best comes first.
    pub(super) slots: Vec<usize>,
}

/// All dialects and aliases. Shared between the readers of all endpoints.
#[derive(Debug)]
pub struct Catalogue {
    pub(super) dialects: Vec<Dialect>,
    pub(super) slots: Vec<Slot>,
    pub(super) gpu_slots: Vec<GpuSlot>,
    pub(super) routes: Vec<Route>,
    pub(super) names: FxHashMap<String, Key>,
    pub(super) families: Vec<Arc<str>>,
}

impl Catalogue {
    /// The built-in dialects and the operator's `aliases`: (family, canonical quantity).
    pub fn embedded(aliases: &[(String, String)]) -> Result<Self, DialectError> {
        let mut catalogue = Self {
            dialects: Vec::new(),
            slots: Vec::new(),
            gpu_slots: Vec::new(),
            routes: Vec::new(),
            names: FxHashMap::default(),
            families: Vec::new(),
        };
        for (file, text) in EMBEDDED {
            let definition: Definition = toml::from_str(text)
                .map_err(|e| DialectError::File { file: (*file).to_owned(), message: e.to_string() })?;
            catalogue.add(file, definition)?;
        }
        catalogue.add_aliases(aliases)?;
        Ok(catalogue)
    }

    /// The dialect of the aliases.
    pub(super) fn adapter(&self) -> usize {
        self.dialects.len() - 1
    }

    fn add(&mut self, file: &str, definition: Definition) -> Result<(), DialectError> {
        let dialect = self.dialects.len();
        let role = Role::from(definition.role);
        if definition.phases.is_none() && role == Role::Engine {
            let message = "an engine must say when its phases are written: phases".to_owned();
            return Err(DialectError::File { file: file.to_owned(), message });
        }
        self.dialects.push(Dialect {
            role,
            except: definition.except,
            gpu_labels: definition.gpu_labels,
            blanks: definition.blanks,
            system: System {
                engine: definition.engine,
                generation: None,
                phases: definition.phases.map_or(Finish::Live, Into::into),
                probes_count_as_requests: definition.probes_count_as_requests,
                gauges_lag_s: definition.gauges_lag_s,
                open_files_witness: definition.open_files_witness,
                lacks: definition.lacks,
            },
            engine_labels: definition.engine_labels,
            rank_labels: definition.rank_labels,
            model_labels: definition.model_labels,
            pool_labels: definition.pool_labels,
            slices: definition.slices,
            generations: definition.generation,
            slots: Vec::new(),
        });
        let prefixes = definition.prefixes;
        let kinds = [("gauge", &definition.gauge), ("total", &definition.total), ("dist", &definition.dist)];
        for (kind, mappings) in kinds {
            for mapping in mappings {
                let target = match kind {
                    "gauge" => Gauge::named(&mapping.is).map(Target::Gauge),
                    "total" => Total::named(&mapping.is).map(Target::Total),
                    _ => Dist::named(&mapping.is).map(Target::Dist),
                }
                .ok_or_else(|| unknown(file, &mapping.is))?;
                for family in &mapping.families {
                    let slot = self.slot(dialect, target, mapping);
                    let names = full(&prefixes, family);
                    self.names_of(slot, &names, &names);
                    for more in &mapping.plus {
                        self.names_of(slot, &full(&prefixes, more), &names);
                    }
                }
            }
        }
        for mapping in &definition.gpu {
            let field = Field::named(&mapping.is).ok_or_else(|| DialectError::Quantity {
                place: file.to_owned(),
                quantity: mapping.is.clone(),
                known: Field::ALL.iter().map(|f| f.name()).collect::<Vec<_>>().join(", "),
            })?;
            self.gpu_field(dialect, field, mapping, &prefixes);
        }
        for family in &definition.recognised_by {
            for name in full(&prefixes, family) {
                self.proves(&name, dialect);
            }
        }
        for index in 0..self.dialects[dialect].generations.len() {
            if let Some(family) = self.dialects[dialect].generations[index].family.clone() {
                for name in full(&prefixes, &family) {
                    self.route(&name).generations.push((dialect, index));
                }
            }
        }
        if let Some(foreign) = definition.foreign {
            let slots = &self.slots;
            for route in &mut self.routes {
                let ours = route.to.iter().any(|to| slots[to.slot].dialect == dialect)
                    || route.recognises.contains(&dialect)
                    || route.generations.iter().any(|(d, _)| *d == dialect);
                if ours {
                    route.foreign = Some((dialect, foreign.clone()));
                }
            }
        }
        Ok(())
    }

    /// The home-made adapters' names: whatever they are called, what they mean is said by the operator.
    fn add_aliases(&mut self, aliases: &[(String, String)]) -> Result<(), DialectError> {
        let dialect = self.dialects.len();
        let owned = |labels: &[&str]| labels.iter().map(|l| (*l).to_owned()).collect();
        self.dialects.push(Dialect {
            role: Role::Engine,
            except: Where::default(),
            gpu_labels: GpuLabels::default(),
            blanks: Vec::new(),
            system: System { engine: ADAPTER.to_owned(), phases: Finish::Live, ..System::default() },
            engine_labels: owned(ADAPTER_ENGINE_LABELS),
            rank_labels: Vec::new(),
            model_labels: owned(&["model_name", "model"]),
            pool_labels: Vec::new(),
            slices: Slices::default(),
            generations: Vec::new(),
            slots: Vec::new(),
        });
        for (family, quantity) in aliases {
            let targets: Vec<Target> = [
                Gauge::named(quantity).map(Target::Gauge),
                Total::named(quantity).map(Target::Total),
                Dist::named(quantity).map(Target::Dist),
                // An adapter's gauge of the last request supports no quantile; it is kept apart from the histogram.
                (quantity == "ttft").then_some(Target::Gauge(Gauge::TtftLast)),
                (quantity == "tpot" || quantity == "itl").then_some(Target::Gauge(Gauge::TpotLast)),
            ]
            .into_iter()
            .flatten()
            .collect();
            if targets.is_empty() {
                return Err(unknown(family, quantity));
            }
            let mapping = Mapping { is: quantity.clone(), scale: 1.0, ..Mapping::default() };
            // Whoever names the buckets means the histogram.
            let buckets =
                family.strip_suffix("_bucket").filter(|_| targets.iter().any(|t| matches!(t, Target::Dist(_))));
            for target in targets {
                if buckets.is_some() && !matches!(target, Target::Dist(_)) {
                    continue;
                }
                let slot = self.slot(dialect, target, &mapping);
                let mut names = vec![buckets.unwrap_or(family).to_owned()];
                if matches!(target, Target::Total(_)) && !family.ends_with("_total") {
                    // OpenMetrics names the family without the suffix that its samples have.
                    names.push(format!("{family}_total"));
                }
                for name in &names {
                    self.proves(name, dialect);
                }
                self.names_of(slot, &names, &names);
            }
        }
        Ok(())
    }

    /// The candidates for a field of a GPU, best first; each later mapping of the same field is worse.
    fn gpu_field(&mut self, dialect: usize, field: Field, mapping: &Mapping, prefixes: &[String]) {
        for family in &mapping.families {
            self.gpu_slots.push(GpuSlot { dialect, field, scale: mapping.scale, only: mapping.only.clone() });
            let slot = self.gpu_slots.len() - 1;
            for family in std::iter::once(family).chain(&mapping.plus) {
                for name in full(prefixes, family) {
                    self.route(&name).gpus.push(slot);
                }
            }
        }
    }

    /// A new candidate for a quantity, worse than those that the dialect has for it already.
    fn slot(&mut self, dialect: usize, target: Target, mapping: &Mapping) -> usize {
        self.slots.push(Slot {
            target,
            dialect,
            only: mapping.only.clone(),
            count_where: mapping.count_where.clone(),
            from_labels: mapping.from_labels.clone(),
            scale: mapping.scale,
        });
        let slot = self.slots.len() - 1;
        self.dialects[dialect].slots.push(slot);
        slot
    }

    /// Sends the samples of a family to a slot; `names` are the family under each prefix, `shown` what is said of it.
    fn names_of(&mut self, slot: usize, names: &[String], shown: &[String]) {
        for ((prefix, name), shown) in (0..).zip(names).zip(shown) {
            self.families.push(shown.as_str().into());
            let family = self.families.len() - 1;
            let parts: &[(&str, Part)] = match self.slots[slot].target {
                // Buckets that nobody keeps are not even looked at.
                Target::Dist(dist) if !dist.keeps_buckets() => &[("_sum", Part::Sum), ("_count", Part::Count)],
                Target::Dist(_) => &[("_bucket", Part::Bucket), ("_sum", Part::Sum), ("_count", Part::Count)],
                Target::Gauge(_) | Target::Total(_) => &[("", Part::Value)],
            };
            for (suffix, part) in parts {
                self.route(&format!("{name}{suffix}")).to.push(To { slot, part: *part, prefix, family });
            }
        }
    }

    /// Takes a family, whether its samples are plain or a histogram's, for proof of a dialect.
    fn proves(&mut self, family: &str, dialect: usize) {
        for suffix in ["", "_bucket", "_sum", "_count"] {
            let recognises = &mut self.route(&format!("{family}{suffix}")).recognises;
            if !recognises.contains(&dialect) {
                recognises.push(dialect);
            }
        }
    }

    fn route(&mut self, name: &str) -> &mut Route {
        let key = *self.names.entry(name.to_owned()).or_insert_with(|| {
            self.routes.push(Route::default());
            Key(u32::try_from(self.routes.len() - 1).unwrap_or(u32::MAX))
        });
        &mut self.routes[key.0 as usize]
    }
}

/// A family of a dialect file as it stands on pages: under each prefix, or as written after a `=`.
fn full(prefixes: &[String], family: &str) -> Vec<String> {
    match family.strip_prefix('=') {
        Some(as_written) => vec![as_written.to_owned()],
        None if prefixes.is_empty() => vec![family.to_owned()],
        None => prefixes.iter().map(|p| format!("{p}{family}")).collect(),
    }
}

fn unknown(place: &str, quantity: &str) -> DialectError {
    let names = Gauge::ALL
        .iter()
        .map(|g| g.name())
        .chain(Total::ALL.iter().map(|t| t.name()))
        .chain(Dist::ALL.iter().map(|d| d.name()));
    DialectError::Quantity {
        place: place.to_owned(),
        quantity: quantity.to_owned(),
        known: names.collect::<Vec<_>>().join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_embedded_dialect_loads() {
        let catalogue = Catalogue::embedded(&[]).unwrap();
        let engines: Vec<_> = catalogue.dialects.iter().map(|d| d.system.engine.as_str()).collect();
        assert_eq!(engines.len(), EMBEDDED.len() + 1, "and that of the aliases");
        let names: std::collections::BTreeSet<_> = engines.iter().collect();
        assert_eq!(names.len(), engines.len(), "each system has one file: {engines:?}");
        for known in ["vllm", "sglang", "llamacpp", "envoy", "dcgm", "adapter"] {
            assert!(names.contains(&known), "{known}");
        }
    }

    /// Two dialects that share a prefixed name would both fill themselves from it.
    #[test]
    fn no_two_dialects_claim_a_name_as_proof() {
        let catalogue = Catalogue::embedded(&[]).unwrap();
        for (name, key) in &catalogue.names {
            assert!(catalogue.routes[key.0 as usize].recognises.len() <= 1, "{name}");
        }
    }

    /// A sample that went into one slot twice would be counted twice.
    #[test]
    fn no_name_leads_to_one_slot_twice() {
        let catalogue = Catalogue::embedded(&[]).unwrap();
        for (name, key) in &catalogue.names {
            let mut slots: Vec<_> = catalogue.routes[key.0 as usize].to.iter().map(|to| to.slot).collect();
            slots.sort_unstable();
            slots.dedup();
            assert_eq!(slots.len(), catalogue.routes[key.0 as usize].to.len(), "{name}");
        }
    }
}
