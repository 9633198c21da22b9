//! The exposition reader against every trap that pages have set for readers, real pages, and an independent reader.

#[path = "exposition/collect.rs"]
mod collect;
#[path = "exposition/damage.rs"]
mod damage;
#[path = "exposition/invariants.rs"]
mod invariants;
#[path = "exposition/oracle.rs"]
mod oracle;
#[path = "exposition/pages.rs"]
mod pages;
#[path = "exposition/traps.rs"]
mod traps;
