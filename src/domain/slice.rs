//! Whose requests some numbers are about: what a gateway tells apart by labels.

use serde::{Deserialize, Serialize};

/// Requests of one model, route, tenant and class, as far as labels say; what is not told is `None`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Slice {
    /// The model that was asked for: an alias or an adapter has its own name.
    pub model: Option<String>,
    /// The route, or the API.
    pub route: Option<String>,
    /// The team, the consumer or the key.
    pub tenant: Option<String>,
    /// The class or the priority.
    pub class: Option<String>,
}

impl Slice {
    /// Whether nothing is told.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl std::fmt::Display for Slice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts = [("model", &self.model), ("route", &self.route), ("tenant", &self.tenant), ("class", &self.class)];
        let told = parts.into_iter().filter_map(|(what, name)| Some(format!("{what} {}", name.as_ref()?)));
        f.write_str(&told.collect::<Vec<_>>().join(", "))
    }
}
