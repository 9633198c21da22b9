//! What the program talks about: identities, quantities with units, histograms, the history of every process, and the
//! codes that the whole program speaks. Knows nothing about where anything came from, and no clock.

mod at;
mod failure;
mod histogram;
mod page;
mod quantity;
mod reading;
mod snapshot;
mod track;
mod vocabulary;

pub use at::At;
pub use failure::Failure;
pub use histogram::{Fraction, Histogram, HistogramRef, Quantile};
pub use page::{EnginePage, Finish, ReplicaPage, System, Values};
pub use quantity::{Dist, Gauge, Total};
pub use reading::Reading;
pub use snapshot::{Attempt, Endpoint, Outcome, Placement, Snapshot};
pub use track::{Point, Pushed, Track};
pub use vocabulary::{
    Action, BaselineKind, Cause, Code, Confidence, Helps, Mechanism, Phase, RowStatus, Severity, SourceState, Trend,
    Verdict,
};
