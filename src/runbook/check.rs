//! The vocabulary of checks: questions that pass, fail or cannot be told, each with its evidence. What each looks at
//! stands in `checks`; what makes an edge recommended stands in `guard`.

use serde::{Deserialize, Serialize};

use super::checks::{capacity, deploy, engine, gateway, triage, verify};
use super::sight::Sight;
use crate::diagnosis::Diagnosis;
use crate::domain::codes;

codes! {
    /// What a check says.
    Outcome {
        /// It holds.
        Pass = "pass",
        /// It does not.
        Fail = "fail",
        /// Not known from what was observed.
        CannotTell = "cannot_tell",
    }
}

codes! {
    /// A question that a state asks. The codes are those of runbook files, contract and journal.
    Check {
        /// The objective was judged on counted events and not on an average.
        CountedNotAveraged = "counted_not_averaged",
        /// An objective is broken.
        ObjectiveBroken = "objective_broken",
        /// Both windows of a paging tier burn.
        BothWindows = "both_windows",
        /// Every source was read.
        AllSourcesRead = "all_sources_read",
        /// Traffic is as before.
        TrafficSteady = "traffic_steady",
        /// The phase split describes the requests that TTFT does.
        OneCohort = "one_cohort",
        /// The KV cache has room.
        KvHasRoom = "kv_has_room",
        /// Nobody waits.
        NobodyWaits = "nobody_waits",
        /// Tokens flow where work is held.
        TokensFlow = "tokens_flow",
        /// As many replicas are Ready as are wanted.
        CapacityReady = "capacity_ready",
        /// Every GPU is known to be well.
        GpusHealthy = "gpus_healthy",
        /// No rollout came shortly before the onset.
        NoRecentRollout = "no_recent_rollout",
        /// The newest revision is no slower than the one before it, side by side.
        RevisionsAlike = "revisions_alike",
        /// The firing alert agrees.
        AlertAgrees = "alert_agrees",
        /// The synthetic probe sees the same.
        ProbeAgrees = "probe_agrees",
        /// All replicas are equally slow: no single one stands out.
        ScopeWhole = "scope_whole",
        /// Few requests end with an error.
        ErrorsLow = "errors_low",
        /// The nodes below are ruled out.
        NodeRuledOut = "node_ruled_out",
        /// The break in the series does not stand at the rollout.
        BreakElsewhere = "break_elsewhere",
        /// The template's diff leaves the mechanism's knobs alone.
        DiffElsewhere = "diff_elsewhere",
        /// Prompts are as long as before.
        PromptsAsBefore = "prompts_as_before",
        /// A prompt token takes as long as before.
        PrefillSpeedAsBefore = "prefill_speed_as_before",
        /// As many prompt tokens come from the prefix cache as before.
        PrefixHitsAsBefore = "prefix_hits_as_before",
        /// Long prompts are cut into chunks between which others are served.
        ChunkedPrefillOn = "chunked_prefill_on",
        /// The running batch is as large as before.
        BatchAsBefore = "batch_as_before",
        /// Tokens come within their target.
        TokensInTime = "tokens_in_time",
        /// Next to nothing is preempted.
        NoPreemptions = "no_preemptions",
        /// The gateway adds next to nothing.
        GatewayAddsLittle = "gateway_adds_little",
        /// Few requests fail at the gateway.
        GatewayErrorsLow = "gateway_errors_low",
        /// The gateway passes tokens on as they come.
        GatewayStreams = "gateway_streams",
        /// Replicas get about the same traffic.
        TrafficEven = "traffic_even",
        /// Every pod has a node.
        PodsScheduled = "pods_scheduled",
        /// No pod waits for an image.
        ImagesPulled = "images_pulled",
        /// No pod is still loading its model.
        ModelsLoaded = "models_loaded",
        /// Ready means that the model answers.
        ReadinessIsTheModels = "readiness_is_the_models",
        /// The rollout is complete.
        RolloutComplete = "rollout_complete",
        /// The revision to go back to still runs.
        OldRevisionWarm = "old_revision_warm",
        /// The revisions that are not wanted serve no more.
        OthersDrained = "others_drained",
        /// Over five minutes less is burnt than the budget gives, and enough events say so.
        BurnShortUnderOne = "burn_short_under_one",
        /// The burn over an hour falls, and has for five minutes.
        BurnLongFalling = "burn_long_falling",
        /// Requests served within the objective are back to what they were.
        GoodputBack = "goodput_back",
        /// The queue has drained to what it was.
        WaitingDrained = "waiting_drained",
        /// There is enough traffic to judge by.
        EnoughTraffic = "enough_traffic",
        /// The alert is clear.
        AlertClear = "alert_clear",
        /// The synthetic probe is served in time.
        ProbeInTime = "probe_in_time",
    }
}

/// A check with what it says and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Checked {
    /// Which.
    pub check: Check,
    /// What it says.
    pub outcome: Outcome,
    /// The evidence in words.
    pub says: String,
    /// The number that decided, where one did.
    pub value: Option<f64>,
    /// With what it was compared.
    pub threshold: Option<f64>,
    /// The unit of both; empty without one.
    pub unit: String,
    /// How old the newest reading in it is (s).
    pub age_s: Option<f64>,
}

/// What a check found, before it is known which check it was.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Answer {
    outcome: Outcome,
    says: String,
    value: Option<f64>,
    threshold: Option<f64>,
    unit: &'static str,
    age_s: Option<f64>,
}

impl Answer {
    fn new(outcome: Outcome, says: impl Into<String>) -> Self {
        Self { outcome, says: says.into(), value: None, threshold: None, unit: "", age_s: None }
    }

    pub(super) fn pass(says: impl Into<String>) -> Self {
        Self::new(Outcome::Pass, says)
    }

    pub(super) fn fail(says: impl Into<String>) -> Self {
        Self::new(Outcome::Fail, says)
    }

    pub(super) fn unknown(says: impl Into<String>) -> Self {
        Self::new(Outcome::CannotTell, says)
    }

    pub(super) fn of(holds: bool, says: impl Into<String>) -> Self {
        Self::new(if holds { Outcome::Pass } else { Outcome::Fail }, says)
    }

    /// The number that decided.
    #[must_use]
    pub(super) fn measured(self, value: f64, threshold: f64, unit: &'static str) -> Self {
        let finite = |n: f64| n.is_finite().then_some(n);
        Self { value: finite(value), threshold: finite(threshold), unit, ..self }
    }

    /// How old what it rests on is (s).
    #[must_use]
    pub(super) fn aged(self, age_s: Option<f64>) -> Self {
        Self { age_s: age_s.filter(|a| a.is_finite()), ..self }
    }

    /// What rests on pages that stopped coming is not known: nothing passes because data stopped.
    #[must_use]
    pub(super) fn while_fresh(self, sight: Sight<'_>) -> Self {
        let age = sight.engine_age();
        let answer = self.aged(age);
        if !sight.is_stale() || answer.outcome == Outcome::CannotTell {
            return answer;
        }
        let since = age.map_or("no engine was read".to_owned(), |a| format!("the newest page is {a:.0} s old"));
        Self { outcome: Outcome::CannotTell, says: format!("{since}; then: {}", answer.says), ..answer }
    }

    pub(super) const fn outcome(&self) -> Outcome {
        self.outcome
    }

    pub(super) fn words(&self) -> &str {
        &self.says
    }
}

impl Check {
    /// Asks it of a diagnosis alone.
    pub fn of(self, d: &Diagnosis) -> Outcome {
        self.ask(Sight::new(d)).outcome
    }

    /// Asks it, with everything that is at hand.
    pub fn ask(self, sight: Sight<'_>) -> Checked {
        let Answer { outcome, says, value, threshold, unit, age_s } = self.answer(sight);
        Checked { check: self, outcome, says, value, threshold, unit: unit.to_owned(), age_s }
    }

    pub(super) fn answer(self, sight: Sight<'_>) -> Answer {
        match self {
            Self::CountedNotAveraged => triage::counted_not_averaged(sight),
            Self::ObjectiveBroken => triage::objective_broken(sight),
            Self::BothWindows => triage::both_windows(sight),
            Self::AllSourcesRead => triage::all_sources_read(sight),
            Self::TrafficSteady => triage::traffic_steady(sight),
            Self::AlertAgrees => triage::alert_agrees(sight),
            Self::ProbeAgrees => triage::probe_agrees(sight),
            Self::ScopeWhole => triage::scope_whole(sight),
            Self::ErrorsLow => triage::errors_low(sight),
            Self::NodeRuledOut => capacity::node_ruled_out(sight),
            Self::GpusHealthy => capacity::gpus_healthy(sight),
            Self::NoRecentRollout => deploy::no_recent_rollout(sight),
            Self::RevisionsAlike => deploy::revisions_alike(sight),
            Self::BreakElsewhere => deploy::break_elsewhere(sight),
            Self::DiffElsewhere => deploy::diff_elsewhere(sight),
            Self::RolloutComplete => deploy::rollout_complete(sight),
            Self::OldRevisionWarm => deploy::old_revision_warm(sight),
            Self::OthersDrained => deploy::others_drained(sight),
            Self::OneCohort => engine::one_cohort(sight),
            Self::KvHasRoom => engine::kv_has_room(sight),
            Self::NobodyWaits => engine::nobody_waits(sight),
            Self::TokensFlow => engine::tokens_flow(sight),
            Self::PromptsAsBefore => engine::prompts_as_before(sight),
            Self::PrefillSpeedAsBefore => engine::prefill_speed_as_before(sight),
            Self::PrefixHitsAsBefore => engine::prefix_hits_as_before(sight),
            Self::ChunkedPrefillOn => engine::chunked_prefill_on(sight),
            Self::BatchAsBefore => engine::batch_as_before(sight),
            Self::TokensInTime => engine::tokens_in_time(sight),
            Self::NoPreemptions => engine::no_preemptions(sight),
            Self::GatewayAddsLittle => gateway::adds_little(sight),
            Self::GatewayErrorsLow => gateway::errors_low(sight),
            Self::GatewayStreams => gateway::streams(sight),
            Self::TrafficEven => gateway::traffic_even(sight),
            Self::CapacityReady => capacity::capacity_ready(sight),
            Self::PodsScheduled => capacity::pods_scheduled(sight),
            Self::ImagesPulled => capacity::images_pulled(sight),
            Self::ModelsLoaded => capacity::models_loaded(sight),
            Self::ReadinessIsTheModels => capacity::readiness_is_the_models(sight),
            Self::BurnShortUnderOne => verify::burn_short_under_one(sight),
            Self::BurnLongFalling => verify::burn_long_falling(sight),
            Self::GoodputBack => verify::goodput_back(sight),
            Self::WaitingDrained => verify::waiting_drained(sight),
            Self::EnoughTraffic => verify::enough_traffic(sight),
            Self::AlertClear => verify::alert_clear(sight),
            Self::ProbeInTime => verify::probe_in_time(sight),
        }
    }
}
