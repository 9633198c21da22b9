//! The canonical quantities that dialects map their families to. The names are those of the dialect files, of
//! `[aliases]` and of the catalogue; each has one unit.

/// Declares an enum of quantities with their names, usable as an array index.
macro_rules! quantities {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $code:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name { $($(#[$vmeta])* #[serde(rename = $code)] $variant),+ }

        impl $name {
            /// Every quantity of this kind.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
            /// How many there are.
            pub const COUNT: usize = Self::ALL.len();

            /// The name in dialect files and in `[aliases]`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $code),+ }
            }

            /// The quantity with this name.
            pub fn named(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|q| q.name() == name)
            }
        }
    };
}

quantities! {
    /// What a process reports as of now.
    Gauge {
        /// Requests in the running batch (n).
        Running = "running",
        /// Requests waiting to be started (n).
        Waiting = "waiting",
        /// Of the waiting, those held back for another reason than capacity: `LoRA` budget, KV transfer (n).
        WaitingDeferred = "waiting_deferred",
        /// Requests whose prompt was computed and whose KV cache is being handed over to a decoder (n).
        WaitingTransfer = "waiting_transfer",
        /// KV cache in use (0–1); of several engines the fullest.
        KvUsage = "kv_usage",
        /// KV cache size (tokens).
        KvCapacity = "kv_capacity_tokens",
        /// The share of a GPU's memory that the engine was told to take (0–1), as it says itself.
        MemoryShare = "memory_share",
        /// The size of a KV block (tokens), as it says itself.
        KvBlock = "kv_block_tokens",
        /// Completion requests that the HTTP layer holds open (n).
        InFlight = "in_flight",
        /// Open file descriptors of the front end (n): every held connection is one.
        OpenFiles = "open_files",
        /// Mean queue time as the engine itself averages it (s), where there is no histogram.
        QueueMean = "queue_mean",
        /// TTFT of the last request (s): an adapter's gauge, good for no quantile and no burn.
        TtftLast = "ttft_last",
        /// Time per output token of the last request (s), likewise.
        TpotLast = "tpot_last",
        /// Tokens per second as the engine itself averages them.
        GenerationRate = "generation_rate",
        /// Replica start (unix s).
        ProcessStart = "process_start",
        /// Requests that a gateway holds open (n).
        GatewayActive = "gateway_active",
        /// Requests that a gateway holds back for want of a connection to an engine (n).
        GatewayPending = "gateway_pending",
        /// Engines that a gateway considers fit to serve (n).
        GatewayHealthy = "gateway_healthy",
    }
}

quantities! {
    /// What a process counts since its start.
    Total {
        /// Prompt tokens of accepted requests, cached ones included (tokens).
        PromptTokens = "prompt_tokens",
        /// Of those, tokens that came from a cache (tokens).
        PromptTokensCached = "prompt_tokens_cached",
        /// Output tokens (tokens).
        GenerationTokens = "generation_tokens",
        /// Output tokens counted step by step, where `generation_tokens` is written only at the end (tokens).
        LiveTokens = "live_tokens",
        /// Requests that the engine finished, for whatever reason (n).
        Finished = "finished",
        /// Requests that the engine aborted (n).
        Aborted = "aborted",
        /// Preemptions or retractions (n).
        Preemptions = "preemptions",
        /// Prompt tokens looked up in the prefix cache (tokens).
        CacheQueries = "cache_queries",
        /// Prompt tokens found in the prefix cache (tokens).
        CacheHits = "cache_hits",
        /// Requests that admission turned away (n).
        Rejected = "rejected",
        /// Completion requests that ended with a 2xx status (n); a stream counts when it ends.
        HttpFinished = "http_finished",
        /// Completion requests that ended with a 5xx status (n).
        HttpFailed = "http_failed",
        /// Engine steps (n).
        Steps = "steps",
        /// Seconds of computing prompts (s), where there is no histogram.
        PrefillSeconds = "prefill_seconds",
        /// Seconds of producing tokens (s), where there is no histogram.
        DecodeSeconds = "decode_seconds",
        /// CPU seconds of the front-end process (s).
        CpuSeconds = "cpu_seconds",
        /// Draft tokens of speculative decoding (tokens).
        DraftTokens = "draft_tokens",
        /// Accepted draft tokens (tokens).
        AcceptedTokens = "accepted_tokens",
        /// Requests that a gateway finished (n).
        GatewayRequests = "gateway_requests",
        /// Of those, answered with a 5xx status (n).
        GatewayErrors = "gateway_errors",
        /// Requests whose client went away before the end (n).
        GatewayCancelled = "gateway_cancelled",
        /// Attempts on engines that timed out (n).
        GatewayTimeouts = "gateway_timeouts",
        /// Attempts on engines that were repeated (n).
        GatewayRetries = "gateway_retries",
        /// Transfers of KV cache that failed.
        TransfersFailed = "transfers_failed",
    }
}

quantities! {
    /// What a process counts as a distribution since its start.
    Dist {
        /// Time to first token (s), seen by the front end, written at the first token.
        Ttft = "ttft",
        /// Gap between output tokens (s), written live, one per token.
        Itl = "itl",
        /// Mean time per output token of a finished request (s).
        Tpot = "tpot",
        /// Arrival to last token (s).
        E2e = "e2e",
        /// Waiting to be started (s).
        Queue = "queue",
        /// Start to first token (s).
        Prefill = "prefill",
        /// First to last token (s).
        Decode = "decode",
        /// One transfer of KV cache from the engine that computed the prompt (s).
        KvTransfer = "kv_transfer",
        /// Prompt length of a request (tokens).
        PromptLength = "prompt_length",
        /// Output length of a request (tokens).
        OutputLength = "output_length",
        /// A request from a gateway's view, until the last byte went to the client (s).
        GatewayTotal = "gateway_total",
        /// The part of it in which the gateway waited for an engine, until the engine's last byte (s).
        GatewayUpstream = "gateway_upstream",
        /// A request from a gateway's view, until the first token or byte (s).
        GatewayTtft = "gateway_ttft",
        /// Gap between output tokens as a gateway passes them on (s), written live, one per token.
        GatewayItl = "gateway_itl",
        /// Time from the first token to the last over the tokens after the first, of a streamed request from a gateway's
        /// view (s): one per request, and not per token.
        GatewayTpot = "gateway_tpot",
    }
}

impl Dist {
    /// Whether the buckets are worth keeping. The others are read as means only: vLLM's queue, prefill and decode
    /// histograms start at 0.3 s, so that their quantiles are interpolation and nothing else.
    pub const fn keeps_buckets(self) -> bool {
        matches!(
            self,
            Self::Ttft
                | Self::Itl
                | Self::Tpot
                | Self::PromptLength
                | Self::GatewayTtft
                | Self::GatewayItl
                | Self::GatewayTpot
        )
    }
}
