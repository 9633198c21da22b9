//! All dialects and aliases, compiled into one table from sample names to slots.

use rustc_hash::FxHashMap;

use super::definition::{Combine, Definition, Generation, Mapping, Where};
use super::reader::Key;
use crate::domain::{Dist, Gauge, System, Total};

/// The dialect files that are built in, in the order in which a page is tried.
const EMBEDDED: &[(&str, &str)] = &[
    ("vllm.toml", include_str!("../../assets/dialects/vllm.toml")),
    ("sglang.toml", include_str!("../../assets/dialects/sglang.toml")),
    ("llamacpp.toml", include_str!("../../assets/dialects/llamacpp.toml")),
];

/// The name of the dialect that the alias table makes up.
pub(super) const ADAPTER: &str = "adapter";

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
}

/// One family of one dialect, as one candidate for one quantity.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) target: Target,
    pub(super) dialect: usize,
    pub(super) rank: u8,
    pub(super) combine: Combine,
    pub(super) only: Where,
    pub(super) count_where: Where,
    pub(super) from_label: Option<String>,
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

/// What a sample name leads to.
#[derive(Debug, Default)]
pub(super) struct Route {
    pub(super) to: Vec<(u16, Part)>,
    /// The dialects that this name is proof of.
    pub(super) recognises: Vec<usize>,
    /// Generations that this name is proof of: (dialect, index).
    pub(super) generations: Vec<(usize, usize)>,
    /// The family's name as written on the page, without `_bucket`, `_sum`, `_count`.
    pub(super) family: String,
}

/// A dialect in its compiled form.
#[derive(Debug)]
pub(super) struct Dialect {
    pub(super) system: System,
    pub(super) foreign_label: Option<String>,
    pub(super) engine_label: Option<String>,
    pub(super) model_labels: Vec<String>,
    pub(super) generations: Vec<Generation>,
}

/// All dialects and aliases. Shared between the readers of all endpoints.
#[derive(Debug)]
pub struct Catalogue {
    pub(super) dialects: Vec<Dialect>,
    pub(super) slots: Vec<Slot>,
    pub(super) routes: Vec<Route>,
    pub(super) names: FxHashMap<String, Key>,
}

impl Catalogue {
    /// The built-in dialects and the operator's `aliases`: (family, canonical quantity).
    pub fn embedded(aliases: &[(String, String)]) -> Result<Self, DialectError> {
        let mut catalogue =
            Self { dialects: Vec::new(), slots: Vec::new(), routes: Vec::new(), names: FxHashMap::default() };
        for (file, text) in EMBEDDED {
            let definition: Definition = toml::from_str(text)
                .map_err(|e| DialectError::File { file: (*file).to_owned(), message: e.to_string() })?;
            catalogue.add(file, definition)?;
        }
        catalogue.add_aliases(aliases)?;
        Ok(catalogue)
    }

    fn add(&mut self, file: &str, definition: Definition) -> Result<(), DialectError> {
        let dialect = self.dialects.len();
        let full = |family: &str| -> Vec<String> {
            match family.strip_prefix('=') {
                Some(as_written) => vec![as_written.to_owned()],
                None if definition.prefixes.is_empty() => vec![family.to_owned()],
                None => definition.prefixes.iter().map(|p| format!("{p}{family}")).collect(),
            }
        };
        for family in &definition.recognised_by {
            for name in full(family) {
                // A histogram is recognised by its count, so that one name stands for it once.
                for name in [name.clone(), format!("{name}_count")] {
                    self.route(&name).recognises.push(dialect);
                }
            }
        }
        for (index, generation) in definition.generation.iter().enumerate() {
            for name in generation.family.iter().flat_map(|f| full(f)) {
                self.route(&name).generations.push((dialect, index));
            }
        }
        let kinds = [("gauge", &definition.gauge), ("total", &definition.total), ("dist", &definition.dist)];
        for (kind, mappings) in kinds {
            for mapping in mappings {
                let target = match kind {
                    "gauge" => Gauge::named(&mapping.is).map(Target::Gauge),
                    "total" => Total::named(&mapping.is).map(Target::Total),
                    _ => Dist::named(&mapping.is).map(Target::Dist),
                }
                .ok_or_else(|| unknown(file, &mapping.is))?;
                for (rank, family) in mapping.families.iter().enumerate() {
                    let names = full(family);
                    self.slot(dialect, target, rank, mapping, &names);
                }
            }
        }
        self.dialects.push(Dialect {
            system: System {
                engine: definition.engine,
                generation: None,
                phases: definition.phases.into(),
                probes_count_as_requests: definition.probes_count_as_requests,
                gauges_lag_s: definition.gauges_lag_s,
                open_files_witness: definition.open_files_witness,
            },
            foreign_label: definition.foreign_label,
            engine_label: definition.engine_label,
            model_labels: definition.model_labels,
            generations: definition.generation,
        });
        Ok(())
    }

    /// The home-made adapters' names: whatever they are called, what they mean is said by the operator.
    fn add_aliases(&mut self, aliases: &[(String, String)]) -> Result<(), DialectError> {
        let dialect = self.dialects.len();
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
            let mapping = Mapping {
                is: quantity.clone(),
                families: Vec::new(),
                combine: if quantity == "kv_usage" { Combine::Max } else { Combine::Sum },
                only: Where::new(),
                count_where: Where::new(),
                from_label: None,
                scale: 1.0,
            };
            for target in targets {
                let rank = self.slots.iter().filter(|s| s.dialect == dialect && s.target == target).count();
                self.slot(dialect, target, rank, &mapping, std::slice::from_ref(family));
            }
            for name in [family.clone(), format!("{family}_count")] {
                self.route(&name).recognises.push(dialect);
            }
        }
        self.dialects.push(Dialect {
            system: System { engine: ADAPTER.to_owned(), phases: crate::domain::Finish::Live, ..System::default() },
            foreign_label: None,
            engine_label: None,
            model_labels: vec!["model_name".to_owned(), "model".to_owned()],
            generations: Vec::new(),
        });
        Ok(())
    }

    fn slot(&mut self, dialect: usize, target: Target, rank: usize, mapping: &Mapping, names: &[String]) {
        let index = u16::try_from(self.slots.len()).unwrap_or(u16::MAX);
        self.slots.push(Slot {
            target,
            dialect,
            rank: u8::try_from(rank).unwrap_or(u8::MAX),
            combine: mapping.combine,
            only: mapping.only.clone(),
            count_where: mapping.count_where.clone(),
            from_label: mapping.from_label.clone(),
            scale: mapping.scale,
        });
        for name in names {
            match target {
                Target::Dist(_) => {
                    for (suffix, part) in [("_bucket", Part::Bucket), ("_sum", Part::Sum), ("_count", Part::Count)] {
                        let route = self.route(&format!("{name}{suffix}"));
                        route.to.push((index, part));
                        route.family.clone_from(name);
                    }
                }
                Target::Gauge(_) | Target::Total(_) => {
                    let route = self.route(name);
                    route.to.push((index, Part::Value));
                    route.family.clone_from(name);
                }
            }
        }
    }

    fn route(&mut self, name: &str) -> &mut Route {
        let key = *self.names.entry(name.to_owned()).or_insert_with(|| {
            self.routes.push(Route { family: name.to_owned(), ..Route::default() });
            Key(u32::try_from(self.routes.len() - 1).unwrap_or(u32::MAX))
        });
        &mut self.routes[key.0 as usize]
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
        assert_eq!(engines, ["vllm", "sglang", "llamacpp", "adapter"]);
    }

    #[test]
    fn an_alias_to_an_unknown_quantity_names_the_known_ones() {
        let error = Catalogue::embedded(&[("my_queue".into(), "wating".into())]).unwrap_err().to_string();
        assert!(error.contains("'wating' is no quantity") && error.contains("waiting"), "{error}");
    }
}
