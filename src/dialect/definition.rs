//! The dialect file as it is written. Strict: an unknown key is an error, because a mistyped family is a number that
//! silently goes missing.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::domain::{Finish, Role};

/// Label values that select samples: all the labels named must have one of their values.
pub(super) type Where = BTreeMap<String, Vec<String>>;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Definition {
    pub(super) engine: String,
    #[serde(default)]
    pub(super) role: Kind,
    #[serde(default)]
    pub(super) prefixes: Vec<String>,
    pub(super) recognised_by: Vec<String>,
    pub(super) foreign: Option<Foreign>,
    /// Samples with one of these label values are nobody's work: an administrator's port, a control plane.
    #[serde(default)]
    pub(super) except: Where,
    #[serde(default)]
    pub(super) engine_labels: Vec<String>,
    #[serde(default)]
    pub(super) rank_labels: Vec<String>,
    #[serde(default)]
    pub(super) model_labels: Vec<String>,
    /// Where the part of a disaggregated engine stands, in a word that names it.
    #[serde(default)]
    pub(super) pool_labels: Vec<String>,
    /// Of a gateway: what tells the requests of one from those of another.
    #[serde(default)]
    pub(super) slices: Slices,
    /// Engines say it; whoever computes no prompts has no phases.
    pub(super) phases: Option<Phases>,
    #[serde(default)]
    pub(super) probes_count_as_requests: bool,
    #[serde(default)]
    pub(super) gauges_lag_s: u32,
    #[serde(default)]
    pub(super) open_files_witness: bool,
    /// What its pages cannot say, each as a sentence for people: a quantity, and what follows.
    #[serde(default)]
    pub(super) lacks: Vec<String>,
    #[serde(default)]
    pub(super) generation: Vec<Generation>,
    #[serde(default)]
    pub(super) gauge: Vec<Mapping>,
    #[serde(default)]
    pub(super) total: Vec<Mapping>,
    #[serde(default)]
    pub(super) dist: Vec<Mapping>,
    /// Where the identity of a GPU stands.
    #[serde(default)]
    pub(super) gpu_labels: GpuLabels,
    /// Ranges of numbers that mean "not known".
    #[serde(default)]
    pub(super) blanks: Vec<[f64; 2]>,
    #[serde(default)]
    pub(super) gpu: Vec<Mapping>,
}

/// What the pages of a system are.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    #[default]
    Engine,
    Gateway,
    Gpus,
}

impl From<Kind> for Role {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Engine => Self::Engine,
            Kind::Gateway => Self::Gateway,
            Kind::Gpus => Self::Gpus,
        }
    }
}

/// By which labels a gateway tells requests apart; of each list the first one that a sample has counts.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Slices {
    pub(super) model: Vec<String>,
    pub(super) route: Vec<String>,
    pub(super) tenant: Vec<String>,
    pub(super) class: Vec<String>,
}

impl Slices {
    pub(super) fn is_empty(&self) -> bool {
        [&self.model, &self.route, &self.tenant, &self.class].iter().all(|labels| labels.is_empty())
    }
}

/// The labels of an exporter of GPUs; of each list the first one that a sample has counts.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GpuLabels {
    pub(super) node: Vec<String>,
    pub(super) index: Vec<String>,
    pub(super) uuid: Vec<String>,
    pub(super) pod: Vec<String>,
    pub(super) product: Vec<String>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Phases {
    AtFinish,
    Live,
}

impl From<Phases> for Finish {
    fn from(phases: Phases) -> Self {
        match phases {
            Phases::AtFinish => Self::AtFinish,
            Phases::Live => Self::Live,
        }
    }
}

/// How to tell the samples of somebody else who writes under the same names: they carry one label and lack another.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Foreign {
    pub(super) with: String,
    pub(super) without: String,
}

/// How a page tells its generation: by a label on its samples, or by a family. The first one listed that fits is it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Generation {
    pub(super) name: String,
    pub(super) label: Option<String>,
    pub(super) family: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Mapping {
    /// The canonical quantity.
    pub(super) is: String,
    /// Families, best first.
    pub(super) families: Vec<String>,
    /// Families that hold another part of the same quantity and are added to it.
    #[serde(default)]
    pub(super) plus: Vec<String>,
    #[serde(default, rename = "where")]
    pub(super) only: Where,
    /// Of a histogram: which samples count (buckets and count); the sums of all that `where` selects are added.
    #[serde(default)]
    pub(super) count_where: Where,
    /// The number stands in a label and not in the value, or is the product of several.
    #[serde(default)]
    pub(super) from_labels: Vec<String>,
    /// Factor to the canonical unit.
    #[serde(default = "one")]
    pub(super) scale: f64,
}

fn one() -> f64 {
    1.0
}
