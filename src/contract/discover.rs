//! `discover -o json`: `warroom.discover/1`, as `assets/schema/discover-1.json` has it.

use serde::Serialize;

use crate::domain::Discovery;

/// The schema's name.
pub const SCHEMA: &str = "warroom.discover/1";

/// What was found.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "the fields are the contract's; its document explains them")]
pub struct Discover {
    pub schema: &'static str,
    pub tool_version: &'static str,
    pub context: String,
    pub namespace: Option<String>,
    pub found: Vec<Found>,
    pub unseen: Vec<String>,
}

#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "as above")]
pub struct Found {
    pub name: String,
    pub namespace: String,
    pub openable: bool,
    pub model: Option<String>,
    pub image: Option<String>,
    pub desired: Option<u32>,
    pub ready: Option<u32>,
    pub troubles: Vec<&'static str>,
    pub owner: Option<String>,
    pub managers: Vec<&'static str>,
    pub evidence: Vec<String>,
}

impl From<&Discovery> for Discover {
    fn from(all: &Discovery) -> Self {
        let found = |f: &crate::domain::Found| Found {
            name: f.name.clone(),
            namespace: f.namespace.clone(),
            openable: f.target.is_some(),
            model: f.model.clone(),
            image: f.image.clone(),
            desired: f.desired,
            ready: f.ready,
            troubles: f.troubles.iter().map(|t| t.code()).collect(),
            owner: f.owner.clone(),
            managers: f.managers.clone(),
            evidence: f.evidence.clone(),
        };
        Self {
            schema: SCHEMA,
            tool_version: env!("CARGO_PKG_VERSION"),
            context: all.context.clone(),
            namespace: all.namespace.clone(),
            found: all.found.iter().map(found).collect(),
            unseen: all.unseen.clone(),
        }
    }
}
