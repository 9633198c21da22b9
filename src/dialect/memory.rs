//! What is remembered of an endpoint from page to page.

use std::sync::Arc;

use super::catalogue::{Catalogue, Target};
use crate::domain::{Dist, Histogram, System};

/// Two starts of a process closer than this, in seconds, are one: the number is computed anew on each page.
const SAME_START_S: f64 = 1.0;

/// A family that stood for a quantity may be missing from so many pages in a row, although another one is there, before
/// the other one takes its place: a line that cannot be read must not, a new version of the engine must.
const PATIENCE: u8 = 3;

/// What an endpoint's earlier pages decided: which family stands for which quantity, and whether the page has several
/// engines. Both stick until the process restarts, so that a family that comes and goes does not splice two series into
/// one, and the last engine left of two is still the same engine.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    dialect: Option<usize>,
    choices: Vec<Choice>,
    process_start: Option<f64>,
    pub(super) several: bool,
    bounds: Vec<(Dist, Arc<[f64]>)>,
    system: Option<(Option<usize>, Arc<System>)>,
}

/// What stands for one quantity.
#[derive(Debug, Clone, Copy, Default)]
struct Choice {
    slot: Option<usize>,
    missed: u8,
}

impl Memory {
    /// Begins a page of this dialect whose process started at `start`: what was decided about another process is
    /// forgotten. A page that does not say when it started contradicts nothing.
    pub(super) fn turn_to(&mut self, dialect: usize, start: Option<f64>) {
        let restarted = match (self.process_start, start) {
            (Some(before), Some(now)) => (before - now).abs() > SAME_START_S,
            (None, Some(_)) => true,
            (_, None) => false,
        };
        if self.dialect != Some(dialect) || restarted {
            *self = Self { dialect: Some(dialect), process_start: start, ..Self::default() };
        }
    }

    /// Decides what stands for a quantity on this page, where `best` is the best slot that it has: the one that stood
    /// for it before, if it is there or was there lately.
    pub(super) fn choose(&mut self, target: usize, best: Option<usize>, present: impl Fn(usize) -> bool) {
        self.choices.resize(Target::COUNT, Choice::default());
        let choice = &mut self.choices[target];
        match choice.slot {
            Some(slot) if present(slot) => choice.missed = 0,
            Some(_) if best.is_some() && choice.missed + 1 < PATIENCE => choice.missed += 1,
            Some(_) if best.is_none() => {}
            _ => *choice = Choice { slot: best, missed: 0 },
        }
    }

    /// The slot that was chosen for a quantity, whether this page has it or not.
    pub(super) fn chosen(&self, target: usize) -> Option<usize> {
        self.choices.get(target).and_then(|c| c.slot)
    }

    /// The system that wrote the page, with its generation.
    pub(super) fn system(&mut self, catalogue: &Catalogue, generation: Option<usize>) -> Arc<System> {
        let dialect = &catalogue.dialects[self.dialect.unwrap_or(catalogue.adapter())];
        match &self.system {
            Some((known, system)) if *known == generation => Arc::clone(system),
            _ => {
                let generation_name = generation.map(|g| dialect.generations[g].name.clone());
                let system = Arc::new(System { generation: generation_name, ..dialect.system.clone() });
                self.system = Some((generation, Arc::clone(&system)));
                system
            }
        }
    }

    /// A histogram whose bounds are shared with those of earlier pages.
    pub(super) fn histogram(&mut self, dist: Dist, bounds: &[f64], counts: &[f64], sum: f64, count: f64) -> Histogram {
        let known = self.bounds.iter().find(|(d, b)| *d == dist && **b == *bounds);
        let bounds = if let Some((_, known)) = known {
            Arc::clone(known)
        } else {
            let bounds: Arc<[f64]> = bounds.into();
            self.bounds.retain(|(d, _)| *d != dist);
            self.bounds.push((dist, Arc::clone(&bounds)));
            bounds
        };
        Histogram { bounds, counts: counts.into(), sum, count }
    }
}
