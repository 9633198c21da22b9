//! Which families of which system mean which canonical quantity, as data: one file per system in `assets/dialects`.
//!
//! A dialect file lists names (best first: presence decides, and the choice sticks until the process restarts), labels
//! and a closed list of transforms (`combine`, `where`, `count_where`, `from_label`, `scale`). What does not fit is a
//! named quirk of [`System`](crate::domain::System), acted upon in the diagnosis, not a bigger language.
//!
//! To add a system: write its file, name it in `catalogue::EMBEDDED`, and add a recorded page of it to
//! `tests/fixtures` with a test of what is read. Knows no HTTP, no file and no exposition format.

mod catalogue;
mod definition;
mod reader;

pub use catalogue::{Catalogue, DialectError};
pub use reader::{Key, Memory, Reader, Unrecognised};
