//! `warroom` finds out where the time of a slow LLM endpoint goes, and says how sure it is.
//!
//! # The map
//!
//! A functional core that knows no clock, socket, file or screen, and an imperative shell around it:
//!
//! ```text
//!  sources (edge)                           core (pure)                                          shell
//! ┌────────────────────┐ Observation                                    ┌─► contract, report   text, Markdown, JSON
//! │ source::kubernetes ├──────────────► Snapshot ─► diagnose ─► Diagnosis
//! │ source::poll       │ (one ordered    Track, GpuTrack,         │      └─► App ─► ui::view ─► a frame
//! │ source::pages      │  stream)        ClusterFacts             └─► runbook::Run     ▲
//! └─────────▲──────────┘                                                               │
//!    reach, apiserver          key ─► ui::keymap ─► Command ─► App::update ────────────┘─► Effect ─► runtime
//! ```
//!
//! A page is read by [`decode`] and [`dialect`], which `source::engine` puts together; Kubernetes' JSON by
//! [`decode::kubernetes`]. [`runtime`] opens a session on a target (named, or chosen
//! from what serves models), folds what comes into one [`app::App`], and draws.
//!
//! A change goes one way: a key opens a card, [`action::plan`] makes its bytes, [`cluster`] tries them, the card is painted
//! and confirmed, [`action::guard`] approves, [`journal`] has it on disk, [`cluster`] sends it once, and its answer comes
//! back as an event like everything else.
//!
//! | rank | room | owns | does not know |
//! |---|---|---|---|
//! | 0 | [`domain`] | quantities, histograms, chained histories, workloads, GPUs, the vocabulary's codes, the one stream | where anything came from |
//! | 0 | [`text`] | strings from outside: cleaned, bounded, masked | |
//! | 1 | [`decode`] | bytes → samples, Kubernetes' JSON → facts | names of systems, sockets |
//! | 1 | [`dialect`] | samples → canonical quantities, as data in `assets/dialects` | formats, HTTP |
//! | 1 | [`diagnosis`] | objectives, phases, findings, the verdict | screens, runbooks, actions |
//! | 1 | [`action`] | what can be changed: the plan with its exact bytes, its card, and the one gate | kube, diagnosis |
//! | 2 | [`runbook`] | states, checks and guarded edges from `runbooks/`; what to decide next | keys, screens |
//! | 3 | [`app`] | all state, and the one reducer | keys, terminal, sources |
//! | 4 | [`ui`] | the view, themes, the keymap, a frame as a file | sources |
//! | 4 | [`report`], [`contract`] | a diagnosis for people, and for programs | the terminal |
//! | edge | [`apiserver`] | one connection with a Kubernetes API server: login, proxies, limits, what went wrong | resources, schedules |
//! | edge | [`reach`] | how a page is reached: through the API server, a port-forward, or directly; what stands in front | what is read |
//! | edge | [`cluster`] | sends what the gate has approved, once | why |
//! | edge | [`journal`] | an incident's record on disk, the ring of readings beside it, and both again in order | what it means |
//! | edge | [`source`] | watches, scrapes, Prometheus, our own requests, recordings, logs; one never blocks another | each other |
//! | edge | [`clock`] | the only clock, which may be a simulation's | |
//! | edge | `sim` (a feature, on by default) | a simulated cluster: serving model, controllers, Kubernetes' API | the rest: it is reached over HTTP |
//! | edge | [`command`] | one thin file per command | |
//! | top | [`cli`], [`config`], [`runtime`] | what was typed; one valid `Config`; terminal, session, performing effects | |
//!
//! # What holds everywhere
//!
//! - A lower rank never names a higher one, siblings of rank 1 do not name each other, and ranks 0 to 3 name no runtime,
//!   client, file or clock. `tests/layering.rs` reads the sources and keeps it so.
//! - A failed source is data ([`domain::Failure`]) and not an error. Errors are typed at the edge and sentences at the top;
//!   each names the thing, what happened and what to do.
//! - Absent is not zero. A quantity that no page has is `None` all the way to `null` and `?`.
//! - Counters are chained across restarts where they come in ([`domain::Track`]), so that every later difference is a
//!   subtraction. A page that contradicts itself is dropped whole.
//! - Percentiles are never averaged: buckets are summed first. Means add up, and only within one cohort.
//! - What comes from outside is cleaned where it comes in, and bounded.

pub mod action;
pub mod apiserver;
pub mod app;
pub mod cli;
pub mod clock;
pub mod cluster;
pub mod command;
pub mod config;
pub mod contract;
pub mod decode;
pub mod diagnosis;
pub mod dialect;
pub mod domain;
pub mod journal;
pub mod reach;
pub mod report;
pub mod runbook;
pub mod runtime;
#[cfg(feature = "sim")]
pub mod sim;
pub mod source;
pub mod text;
pub mod ui;
