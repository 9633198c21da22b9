//! What each dialect reads off real pages, and off pages that were written to show one trap each.

#[path = "dialects/adapter.rs"]
mod adapter;
#[path = "dialects/dcgm.rs"]
mod dcgm;
#[path = "dialects/engines.rs"]
mod engines;
#[path = "dialects/envoy.rs"]
mod envoy;
#[path = "dialects/field.rs"]
mod field;
#[path = "dialects/hostile.rs"]
mod hostile;
#[path = "dialects/iterations.rs"]
mod iterations;
#[path = "dialects/memory.rs"]
mod memory;
#[path = "dialects/pools.rs"]
mod pools;
#[path = "dialects/public.rs"]
mod public;
#[path = "dialects/recorded.rs"]
mod recorded;
#[path = "dialects/told.rs"]
mod told;
#[path = "dialects/versions.rs"]
mod versions;
