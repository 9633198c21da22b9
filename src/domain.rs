//! What the program talks about: identities, quantities with units, histograms, the history of every process, and the
//! codes that the whole program speaks. Knows nothing about where anything came from, and no clock.

mod at;
pub mod budget;
mod checkup;
mod command_line;
mod failure;
mod found;
mod gpu;
mod health;
mod histogram;
pub mod kinds;
mod observation;
mod page;
mod pool;
mod probe;
mod quantity;
mod reading;
pub mod rights;
mod slice;
mod snapshot;
mod told;
mod track;
mod vocabulary;
mod way;
mod workload;
mod written;

pub use at::At;
pub use budget::Budget;
pub use checkup::{Checkup, Part, Row, Standing};
pub use failure::Failure;
pub use found::{Discovery, Found, Trouble};
pub use gpu::{GpuId, GpuPage, GpuReading, GpuSample, GpuTrack};
pub use health::HealthProbe;
pub use histogram::{Fraction, Histogram, HistogramRef, Quantile};
pub use observation::{Body, Observation, Page, Role, Watch};
pub use page::{EnginePage, Finish, ReplicaPage, System, Values};
pub use pool::Pool;
pub use probe::{Answered, Door, Probed};
pub use quantity::{Dist, Gauge, Total};
pub use reading::Reading;
pub use slice::Slice;
pub use snapshot::{Attempt, Endpoint, Outcome, Placement, Snapshot};
pub use told::{Told, ToldAlert, ToldStretch, ToldWindow, Untold};
pub use track::{Point, Pushed, Track};
pub(crate) use vocabulary::codes;
pub use vocabulary::{
    Action, BaselineKind, Cause, Code, Confidence, Helps, Mechanism, Phase, RowStatus, Severity, SourceState, Trend,
    Verdict,
};
pub use way::{Reached, Via};
pub use workload::{
    Autoscaler, ClusterEvent, ClusterFacts, Condition, Container, Node, Pod, Pull, RawTemplate, Revision, StartPhase,
    Strategy, Taint, Template, TemplateChange, Workload, WorkloadKind, WorkloadRef, Written,
};
