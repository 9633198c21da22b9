//! What is seen: only reads, and decides nothing.
//!
//! ```text
//!  themes/*.toml ── text ──► theme ── one style per slot ──► whoever writes a line of the screen or of a page of text
//!                            │
//!                            └─ warnings, shown and never fatal: an engineer who was paged gets a screen
//! ```
//! A style is asked for by what a word means (`verdict.breach`), never by what it looks like, so that no line of code
//! knows a colour. Colour is never the only signal: the word says the same, and `mono` has none. Knows no source, no
//! cluster, no file and no environment: whether colours are wanted at all is decided where the terminal is known.

mod look;
mod pen;
mod view;

pub mod export;
pub mod keymap;
pub mod theme;

pub use keymap::{Chord, Key, Keymap};
pub use look::{Colours, Look};
pub use view::view;
