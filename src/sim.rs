//! A simulated cluster: a model of LLM serving behind a real Kubernetes API on loopback.
//!
//! ```text
//!  scenario (flags, hardware, traffic, onset)          causes only: no symptom is set anywhere
//!      │
//!      ▼
//!  serving ── engines, gateway, GPUs ◄── cluster ── Deployments, ReplicaSets, pods, nodes, autoscaler, events
//!      │  pages: vLLM, Envoy, DCGM          │  objects, as Kubernetes writes them
//!      └──────────────┬─────────────────────┘
//!                   api ── one HTTP listener, a random token ── kubectl, kube, curl
//! ```
//! Time is simulated and moves only by `advance`; the same seed gives the same run. The rest of the program reaches all
//! this over HTTP, like any cluster.

pub(crate) mod api;
pub mod cluster;
pub mod idle;
pub(crate) mod ring;
pub mod rules;
pub mod scenario;
pub mod serve;
pub mod serving;
mod setup;
pub mod world;
