//! The stable codes: JSON, journal, runbooks, tests and screens use these and no others.

/// Declares an enum whose variants have one stable code each.
macro_rules! codes {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $code:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name { $($(#[$vmeta])* #[serde(rename = $code)] $variant),+ }

        impl $name {
            /// Every value, in the order of the vocabulary.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The stable code.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.code())
            }
        }
    };
}

pub(crate) use codes;

codes! {
    /// Where a request spends its time; `Rest` is time that no histogram explains.
    Phase {
        /// Before the engine: gateway, router, mesh.
        Gateway = "gateway",
        /// Waiting for the engine to start on the request.
        Queue = "queue",
        /// Computing the prompt.
        Prefill = "prefill",
        /// Producing tokens.
        Decode = "decode",
        /// The hardware below.
        Gpu = "gpu",
        /// Capacity that is wanted but not there yet.
        Rollout = "rollout",
        /// Front end, or a blocked engine loop.
        Rest = "rest",
    }
}

codes! {
    /// What is the matter, in one word.
    Verdict {
        /// Within the objective.
        Healthy = "healthy",
        /// No traffic in the window: a stall cannot be excluded.
        Idle = "idle",
        /// A lower tier, or a leading signal alone.
        Warning = "warning",
        /// The share of bad events is above the budget.
        Breach = "breach",
        /// Work is there and nothing moves.
        Stalled = "stalled",
        /// Not enough is known.
        CannotTell = "cannot_tell",
    }
}

codes! {
    /// Which way it goes.
    Trend {
        /// Getting worse.
        Rising = "rising",
        /// Neither.
        Steady = "steady",
        /// Getting better.
        Recovering = "recovering",
        /// No longer the case.
        Over = "over",
    }
}

codes! {
    /// The state of a row.
    RowStatus {
        /// Fine.
        Ok = "ok",
        /// Worth a look.
        Warning = "warning",
        /// Broken.
        Breach = "breach",
        /// Not known.
        Unknown = "unknown",
    }
}

codes! {
    /// The state of a source.
    SourceState {
        /// Nothing came yet.
        Connecting = "connecting",
        /// The last reading is fresh.
        Live = "live",
        /// The last reading is old.
        Stale = "stale",
        /// Not allowed.
        Denied = "denied",
        /// Not there.
        Absent = "absent",
        /// It fails.
        Failed = "failed",
    }
}

codes! {
    /// Where the seconds sit.
    Mechanism {
        /// The gateway itself takes time.
        GatewayOverhead = "gateway_overhead",
        /// The gateway answers with errors.
        GatewayErrors = "gateway_errors",
        /// The gateway holds the first byte back.
        GatewayBuffering = "gateway_buffering",
        /// The gateway favours some replicas.
        GatewayImbalance = "gateway_imbalance",
        /// More work arrives than is started.
        QueueSaturation = "queue_saturation",
        /// The KV cache is full and requests wait or are preempted for it.
        KvCachePressure = "kv_cache_pressure",
        /// Requests wait for KV blocks from another worker.
        KvTransferWait = "kv_transfer_wait",
        /// The engine turns requests away.
        AdmissionRejected = "admission_rejected",
        /// Clients give up before they are served.
        RequestsAbandoned = "requests_abandoned",
        /// More prompt tokens per request.
        PrefillWork = "prefill_work",
        /// More seconds per prompt token.
        PrefillSlowdown = "prefill_slowdown",
        /// Long prompts block short ones.
        PrefillHeadOfLine = "prefill_head_of_line",
        /// Slower at the same batch.
        DecodeSlowdown = "decode_slowdown",
        /// Slower because the running batch grew.
        BatchContention = "batch_contention",
        /// Tokeniser, IPC or CPU of the front end.
        FrontendStarved = "frontend_starved",
        /// The engine's loop is inside one long step.
        EngineLoopBlocked = "engine_loop_blocked",
        /// No tokens while work is there, or the probe hangs.
        EngineStalled = "engine_stalled",
        /// The GPU's clock is held down.
        GpuClockReduced = "gpu_clock_reduced",
        /// The GPU's memory is faulty.
        GpuMemoryFault = "gpu_memory_fault",
        /// The GPU fell off the bus.
        GpuLost = "gpu_lost",
        /// Capacity is wanted and still starting.
        ColdStart = "cold_start",
        /// Ready by the probe, not able to answer.
        NotReadyButReady = "not_ready_but_ready",
        /// The process dies again and again.
        CrashLoop = "crash_loop",
        /// No node takes the pod.
        Unschedulable = "unschedulable",
    }
}

impl Mechanism {
    /// The phase in which the seconds of this mechanism sit.
    pub const fn phase(self) -> Phase {
        match self {
            Self::GatewayOverhead | Self::GatewayErrors | Self::GatewayBuffering | Self::GatewayImbalance => {
                Phase::Gateway
            }
            Self::QueueSaturation
            | Self::KvCachePressure
            | Self::KvTransferWait
            | Self::AdmissionRejected
            | Self::RequestsAbandoned => Phase::Queue,
            Self::PrefillWork | Self::PrefillSlowdown | Self::PrefillHeadOfLine => Phase::Prefill,
            Self::DecodeSlowdown | Self::BatchContention => Phase::Decode,
            Self::FrontendStarved | Self::EngineLoopBlocked | Self::EngineStalled => Phase::Rest,
            Self::GpuClockReduced | Self::GpuMemoryFault | Self::GpuLost => Phase::Gpu,
            Self::ColdStart | Self::NotReadyButReady | Self::CrashLoop | Self::Unschedulable => Phase::Rollout,
        }
    }
}

codes! {
    /// Why; each needs evidence of its own, independent of the mechanism's numbers.
    Cause {
        /// A new revision is slower.
        DeployRegression = "deploy_regression",
        /// More requests arrive.
        TrafficSurge = "traffic_surge",
        /// Fewer replicas serve.
        CapacityLoss = "capacity_loss",
        /// Prompts are longer.
        PromptLengthShift = "prompt_length_shift",
        /// Fewer prompt tokens come from the cache.
        PrefixCacheRegression = "prefix_cache_regression",
        /// A flag bounds the running batch while the cache has room.
        MaxNumSeqsBound = "max_num_seqs_bound",
        /// Speculative decoding accepts less.
        SpecDecodeRegression = "spec_decode_regression",
        /// One replica is much worse than its peers.
        ReplicaOutlier = "replica_outlier",
        /// Heat.
        GpuThermal = "gpu_thermal",
        /// The power supply's brake.
        GpuPowerBrake = "gpu_power_brake",
        /// The power cap.
        GpuPowerCap = "gpu_power_cap",
        /// Memory errors.
        GpuEcc = "gpu_ecc",
        /// A driver error.
        GpuXid = "gpu_xid",
        /// The gateway is at fault.
        GatewayFault = "gateway_fault",
        /// Images are pulled.
        ImagePull = "image_pull",
        /// The rollout does not progress.
        RolloutStuck = "rollout_stuck",
        /// Models load slowly.
        ModelLoadSlow = "model_load_slow",
        /// Replicas run on other hardware than before.
        PlacementMismatch = "placement_mismatch",
        /// Replicas run with other settings than declared.
        ConfigDrift = "config_drift",
        /// Two controllers fight over the replicas.
        AutoscalerConflict = "autoscaler_conflict",
        /// The autoscaler looks at a signal that does not move.
        AutoscalerWrongSignal = "autoscaler_wrong_signal",
        /// The change would be reverted.
        GitopsWillRevert = "gitops_will_revert",
        /// Looked, and found none.
        NoneFound = "none_found",
    }
}

codes! {
    /// The complete list of what can be changed.
    Action {
        /// More or fewer replicas.
        Scale = "scale",
        /// Back to an earlier revision.
        RolloutUndo = "rollout_undo",
        /// Stop a rollout where it is.
        RolloutPause = "rollout_pause",
        /// Let it go on.
        RolloutResume = "rollout_resume",
        /// Restart every replica.
        RolloutRestart = "rollout_restart",
        /// Change the engine's arguments.
        SetEngineFlags = "set_engine_flags",
        /// Change the autoscaler's bounds.
        SetAutoscalerBounds = "set_autoscaler_bounds",
        /// Hold the autoscaler.
        PauseAutoscaler = "pause_autoscaler",
        /// Move traffic to another backend.
        ShiftTraffic = "shift_traffic",
        /// Turn some traffic away.
        ShedLoad = "shed_load",
        /// Take a node out of scheduling.
        CordonNode = "cordon_node",
        /// Replace one pod.
        DeletePod = "delete_pod",
    }
}

codes! {
    /// Does a lever help against this mechanism?
    Helps {
        /// It does.
        Yes = "yes",
        /// It does not.
        No = "no",
        /// Not known from what was observed.
        Unknown = "unknown",
    }
}

codes! {
    /// How sure a finding is.
    Confidence {
        /// One witness, or few events.
        Low = "low",
        /// Consistent, with something missing.
        Medium = "medium",
        /// Several independent witnesses.
        High = "high",
    }
}

codes! {
    /// How bad a finding is.
    Severity {
        /// Worth knowing.
        Info = "info",
        /// Worth acting on soon.
        Warning = "warning",
        /// Users feel it.
        Critical = "critical",
    }
}

codes! {
    /// What "before" means in a comparison, best first.
    BaselineKind {
        /// The old revision, running now.
        OldRevision = "old_revision",
        /// Prometheus, before the change.
        Prometheus = "prometheus",
        /// The first healthy stretch of what was recorded.
        History = "history",
        /// The mean over the process's life before the first reading.
        Lifetime = "lifetime",
        /// The configured target, for want of anything measured.
        Target = "target",
    }
}

/// The code of a finding: a mechanism or a cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(untagged)]
pub enum Code {
    /// Where the seconds sit.
    Mechanism(Mechanism),
    /// Why.
    Cause(Cause),
}

impl Code {
    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Mechanism(m) => m.code(),
            Self::Cause(c) => c.code(),
        }
    }
}
