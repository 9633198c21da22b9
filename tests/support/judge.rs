//! Judges recorded incidents through the library, as `warroom check --pages` does.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use warroom::diagnosis::{BurnPreset, Diagnosis, Policy, Target, Targets, diagnose};
use warroom::dialect::Catalogue;
use warroom::domain::{At, Snapshot};
use warroom::source::engine::Decoder;
use warroom::source::pages::Recording;

/// A recorded incident, and how it is to be judged.
pub(crate) struct Judge {
    recording: Recording,
    decoder: Decoder,
    policy: Policy,
}

/// Where a capture lies.
pub(crate) fn capture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/captures").join(name)
}

/// Objectives of 99 %.
pub(crate) fn policy(ttft_s: f64, tpot_s: f64) -> Policy {
    let target = |seconds| Target { seconds, objective: 0.99 };
    Policy {
        window_s: 300.0,
        default: Targets { ttft: target(ttft_s), tpot: target(tpot_s), burn: BurnPreset::default() },
        by_model: Vec::new(),
    }
}

impl Judge {
    /// By a TTFT of 1 s and a TPOT of 100 ms.
    pub(crate) fn of(name: &str) -> Self {
        Self::with(name, 1.0, 0.1)
    }

    /// By other targets.
    pub(crate) fn with(name: &str, ttft_s: f64, tpot_s: f64) -> Self {
        let decoder = Decoder::new(Arc::new(Catalogue::embedded(&[]).expect("the dialects load")));
        let recording = Recording::open(&capture(name)).expect("the capture is there");
        Self { recording, decoder, policy: policy(ttft_s, tpot_s) }
    }

    /// The length of the recording in seconds.
    pub(crate) fn length(&self) -> f64 {
        let (first, last) = (self.recording.first(), self.recording.last_page());
        last.zip(first).map_or(0.0, |(last, first)| last.since(first))
    }

    /// The diagnosis `seconds` after the first page.
    pub(crate) fn at(&self, seconds: f64) -> Diagnosis {
        self.on(self.recording.first().expect("there is a page").plus(seconds))
    }

    /// The diagnosis as of the last page.
    pub(crate) fn end(&self) -> Diagnosis {
        self.on(self.recording.last_page().expect("there is a page"))
    }

    /// The diagnosis as of `now`; nothing later is read.
    pub(crate) fn on(&self, now: At) -> Diagnosis {
        let interval_s = self.recording.interval_s().unwrap_or(5.0);
        let endpoints = vec![self.recording.read(now, &self.decoder)];
        diagnose(&Snapshot { now, interval_s, endpoints }, &self.policy)
    }
}

/// `phase/mechanism/cause` of the suspect, or `-`.
pub(crate) fn suspect(d: &Diagnosis) -> String {
    d.suspect.as_ref().map_or("-".to_owned(), |s| {
        format!("{}/{}/{}", s.phase, s.mechanism, s.cause.map_or("-", warroom::domain::Cause::code))
    })
}

/// The codes of all findings.
pub(crate) fn codes(d: &Diagnosis) -> Vec<&'static str> {
    d.findings.iter().map(|f| f.code.code()).collect()
}
