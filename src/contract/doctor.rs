//! `doctor -o json`: `warroom.doctor/1`, as `assets/schema/doctor-1.json` has it.

use serde::Serialize;

use crate::domain::{Checkup, Standing};

/// The schema's name.
pub const SCHEMA: &str = "warroom.doctor/1";

/// What was examined.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "the fields are the contract's; its document explains them")]
pub struct Doctor {
    pub schema: &'static str,
    pub tool_version: &'static str,
    pub target: Option<Target>,
    pub whole: bool,
    pub passed: usize,
    pub failed: usize,
    pub cannot_tell: usize,
    pub rows: Vec<Row>,
}

#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "as above")]
pub struct Target {
    pub name: String,
    pub namespace: String,
    pub context: String,
}

#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "as above")]
pub struct Row {
    pub part: &'static str,
    pub name: String,
    pub standing: &'static str,
    pub says: String,
    pub via: Option<String>,
    pub remedy: Option<String>,
}

impl From<&Checkup> for Doctor {
    fn from(checkup: &Checkup) -> Self {
        let row = |row: &crate::domain::Row| Row {
            part: row.part.code(),
            name: row.name.clone(),
            standing: row.standing.code(),
            says: row.says.clone(),
            via: row.via.clone(),
            remedy: row.remedy.clone(),
        };
        Self {
            schema: SCHEMA,
            tool_version: env!("CARGO_PKG_VERSION"),
            target: checkup.target.clone().map(|(name, namespace, context)| Target { name, namespace, context }),
            whole: checkup.is_whole(),
            passed: checkup.count(Standing::Pass),
            failed: checkup.count(Standing::Fail),
            cannot_tell: checkup.count(Standing::CannotTell),
            rows: checkup.rows.iter().map(row).collect(),
        }
    }
}
