//! Which families of which system mean which canonical quantity, as data: one file per system in `assets/dialects`.
//!
//! Owns the names, the labels and the traps of each system's page, and the choice between families that say the same.
//! Knows no HTTP, no file and no exposition format: names, labels and numbers come in, a
//! [`Page`](crate::domain::Page) goes out.
//!
//! # A dialect file
//!
//! ```toml
//! engine = "lmdeploy"                # the name in reports
//! prefixes = ["lmdeploy:"]           # of all its families, best first; under two of them the page says it twice
//! recognised_by = ["num_requests_running", "num_requests_waiting"]  # any one of them on a page is proof
//! engine_labels = ["engine"]         # tells the engines of one page apart; the first that a sample has counts
//! rank_labels = ["tp_rank"]          # processes of one engine that all say the same: the lowest rank counts
//! model_labels = ["model_name"]      # where the model's name stands
//! slices = { route = ["route"] }        # of a gateway: labels that tell model, route, tenant and class of requests apart
//! pool_labels = ["engine_type"]      # where a disaggregated engine says its part: a word with "prefill" or "decode"
//! phases = "at_finish"               # or "live": when queue, prefill and decode time are written
//!
//! [[gauge]]                          # or [[total]], or [[dist]] for a histogram
//! is = "kv_usage"                    # a canonical quantity of `domain::quantity`, with its unit
//! families = ["kv_cache_usage_perc", "gpu_cache_usage_perc"]        # best first, and no two are added
//! ```
//!
//! A family is written without its prefix, a `=` in front of it says "as written"; a counter with its `_total`, a
//! histogram without `_bucket`, `_sum` and `_count`. Of one quantity the first family present on a page is used, and the
//! choice sticks until the process restarts ([`Memory`]): presence decides, and versions are comments. All samples of a
//! family that are left after `where` and the ranks become one number per engine: counts are added, of ratios, means
//! and moments the largest stands.
//!
//! What a mapping can say besides is a closed list:
//!
//! | key | meaning |
//! |---|---|
//! | `where = { label = ["a", "b"] }` | only samples with one of these values |
//! | `count_where = { .. }` | of a histogram: the sums of all that `where` leaves are added, and these are counted |
//! | `plus = ["family"]` | another family with another part of the same quantity, which is added |
//! | `from_labels = ["a", "b"]` | the number stands in a label and not in the value; of several it is the product |
//! | `scale = 0.001` | factor to the canonical unit |
//!
//! And a file as a whole: `foreign = { with = "a", without = "b" }` for samples that somebody else writes under the same
//! names; `[[generation]]` for what a generation is known by; `gauges_lag_s`, `probes_count_as_requests` and
//! `open_files_witness` as explained at [`System`](crate::domain::System). What does not fit is a named quirk of `System`,
//! acted upon in the diagnosis, not a bigger language.
//!
//! A system is an engine unless `role` says that its pages are those of a `gateway` (the same sections, with the
//! gateway's quantities) or of an exporter of GPUs:
//!
//! ```toml
//! role = "gpus"
//! gpu_labels = { node = ["Hostname"], index = ["gpu"], uuid = ["UUID"], pod = ["pod"], product = ["modelName"] }
//! blanks = [[2147483632, 2147483635]]           # numbers that mean "not known"
//! [[gpu]]
//! is = "sm_clock_hz"                            # a field of `domain::GpuSample`; mappings of one field: best first
//! families = ["SM_CLOCK"]
//! scale = 1e6
//! ```
//! `except = { label = ["a"] }` leaves samples out that are nobody's work, such as those of an administrator's port.
//!
//! # To add a system
//!
//! 1. Write its file, from its source code or from a page of it; say in comments since when a family is there.
//! 2. Name it in `EMBEDDED` of `catalogue.rs`. The order is the order in which a page is tried.
//! 3. Put a recorded page into `tests/fixtures` and a test into `tests/dialects.rs` that says what you read off it by
//!    eye: every quantity, its family and its number, and which quantities are *not* there.
//!
//! A number that an engine writes and that has no canonical quantity is left alone: a quantity is added to `domain` when
//! a finding needs it. Until a system has its file, an operator can name its families in `[aliases]`: they are the
//! dialect `adapter`, and beside a known engine they fill what it lacks.

mod catalogue;
mod cell;
mod definition;
mod fleet;
mod gpus;
mod memory;
mod reader;
mod seen;
mod stored;

pub use catalogue::{Catalogue, DialectError};
pub use fleet::Wanted;
pub use memory::Memory;
pub use reader::{Key, Reader, Unrecognised};
pub use stored::Stored;
