//! Which levers help against which mechanism, which will not, and why (runbook RB-6, "Levers by state").

use super::LeverAdvice;
use super::facts::Facts;
use crate::domain::{Action, Cause, Code, Confidence, Helps, Mechanism, Total};

use Action::{
    CordonNode, DeletePod, RolloutRestart, RolloutUndo, Scale, SetAutoscalerBounds, SetEngineFlags, ShedLoad,
    ShiftTraffic,
};
use Helps::{No, Unknown, Yes};

type Row = (Action, Helps, &'static str);

/// Undo helps where a change is the cause, and engine pages alone do not show changes.
const UNDO_UNKNOWN: Row = (RolloutUndo, Unknown, "helps if a rollout came before this: engine pages do not tell");

fn mechanism(mechanism: Mechanism) -> Vec<Row> {
    match mechanism {
        Mechanism::QueueSaturation => vec![
            (ShedLoad, Yes, "fewer arrivals drain the queue at once"),
            (Scale, Yes, "another replica takes its share of the queue, once its model is loaded"),
            UNDO_UNKNOWN,
        ],
        Mechanism::KvCachePressure => vec![
            (ShedLoad, Yes, "fewer and shorter requests leave room in the cache"),
            (
                SetEngineFlags,
                Yes,
                "more room per request: raise --gpu-memory-utilization, lower --max-num-seqs or --max-model-len",
            ),
            (Scale, Yes, "another replica brings its own KV cache, once its model is loaded"),
            UNDO_UNKNOWN,
        ],
        Mechanism::AdmissionRejected => vec![
            (Scale, Yes, "more replicas admit more, once their models are loaded"),
            (SetEngineFlags, Unknown, "a longer admission queue trades errors for waiting"),
            (ShedLoad, No, "load is being shed already: these are the requests"),
            UNDO_UNKNOWN,
        ],
        Mechanism::RequestsAbandoned => vec![
            (Scale, Yes, "clients give up because they wait, and a replica more shortens the wait once it is loaded"),
            (ShedLoad, Yes, "an early refusal is better than a late silence"),
        ],
        Mechanism::PrefillWork => vec![
            (ShedLoad, Yes, "turn away or route apart the longest prompts"),
            (SetEngineFlags, Unknown, "prefix caching helps where prompts share a beginning"),
            (Scale, Unknown, "more replicas shorten queues, not the prefill of a long prompt"),
            UNDO_UNKNOWN,
        ],
        Mechanism::PrefillSlowdown => vec![
            (
                SetEngineFlags,
                Unknown,
                "lower --max-num-batched-tokens or --max-num-seqs if prompts contend with each other",
            ),
            (Scale, Unknown, "helps if replicas are overloaded, not if each token became slower"),
            UNDO_UNKNOWN,
        ],
        Mechanism::PrefillHeadOfLine => vec![
            (
                SetEngineFlags,
                Yes,
                "chunked prefill with a lower --max-num-batched-tokens lets short prompts in between",
            ),
            (ShiftTraffic, Yes, "a pool of its own for long prompts"),
            (Scale, No, "every replica still puts short prompts behind long ones; it only gets rarer"),
            UNDO_UNKNOWN,
        ],
        Mechanism::DecodeSlowdown => {
            vec![(Scale, No, "the batch is not larger than before: another replica would be as slow"), UNDO_UNKNOWN]
        }
        Mechanism::BatchContention => vec![
            (Scale, Yes, "a smaller batch per replica makes tokens come faster, once the model is loaded"),
            (SetEngineFlags, Yes, "a lower --max-num-seqs bounds the batch, and makes a queue instead"),
            (ShedLoad, Yes, "fewer running requests, faster tokens"),
            UNDO_UNKNOWN,
        ],
        Mechanism::FrontendStarved => vec![
            (SetEngineFlags, Yes, "more API servers (--api-server-count) or more CPU for the container"),
            (Scale, Yes, "another replica brings another front end, once its model is loaded"),
            UNDO_UNKNOWN,
        ],
        Mechanism::EngineLoopBlocked => vec![
            (SetEngineFlags, Yes, "shorter steps: chunked prefill, a lower --max-num-batched-tokens"),
            (Scale, Unknown, "fewer long steps per replica, but each as long"),
            UNDO_UNKNOWN,
        ],
        Mechanism::EngineStalled => vec![
            (DeletePod, Yes, "a process that does not move must be replaced; save its log and stacks first"),
            (ShiftTraffic, Yes, "away from the replica that hangs"),
            (RolloutRestart, Unknown, "replaces healthy replicas as well"),
            (Scale, No, "a new replica does not free the requests that hang"),
        ],
        Mechanism::ColdStart => vec![
            (Scale, No, "a further replica would load for as long"),
            (SetAutoscalerBounds, Unknown, "a higher minimum keeps replicas warm for the next time"),
        ],
        _ => Vec::new(),
    }
}

fn cause(cause: Cause) -> Vec<Row> {
    match cause {
        Cause::TrafficSurge => vec![
            (ShedLoad, Yes, "the surge is what overloads it"),
            (Scale, Yes, "capacity for the new rate, once the model is loaded"),
        ],
        Cause::MaxNumSeqsBound => vec![
            (SetEngineFlags, Yes, "raise the number of slots"),
            (Scale, Yes, "another replica brings as many slots again, once its model is loaded"),
        ],
        Cause::ReplicaOutlier => vec![
            (DeletePod, Yes, "replaces the one that is slow"),
            (CordonNode, Unknown, "if its node is at fault"),
            (Scale, No, "the slow replica keeps its share of the traffic"),
            (RolloutRestart, No, "the others are fine"),
        ],
        Cause::PromptLengthShift => vec![(ShedLoad, Yes, "turn away or route apart the longest prompts")],
        Cause::PrefixCacheRegression => {
            vec![(SetEngineFlags, Yes, "prefix caching on, and routing that keeps sessions together"), UNDO_UNKNOWN]
        }
        Cause::SpecDecodeRegression => vec![(SetEngineFlags, Unknown, "draft model and method, or none"), UNDO_UNKNOWN],
        Cause::CapacityLoss => vec![(Scale, Unknown, "if the replica does not come back by itself")],
        _ => Vec::new(),
    }
}

/// The flag that bounds the running batch.
pub(super) fn slots_flag(engine: &str) -> &'static str {
    match engine {
        "sglang" => "--max-running-requests",
        "llamacpp" => "-np (slots)",
        _ => "--max-num-seqs",
    }
}

/// What helps against a finding, best first. What was measured overrules the table, and no lever is surer than its finding.
pub(super) fn advise(code: Code, confidence: Confidence, facts: &Facts<'_>) -> Vec<LeverAdvice> {
    let rows = match code {
        Code::Mechanism(m) => mechanism(m),
        Code::Cause(c) => cause(c),
    };
    let mut advice: Vec<LeverAdvice> =
        rows.into_iter().map(|(action, helps, why)| LeverAdvice { action, helps, why: why.to_owned() }).collect();
    let preempting = facts.during.total(Total::Preemptions).unwrap_or(0.0) >= 1.0;
    if code == Code::Mechanism(Mechanism::KvCachePressure) && !preempting {
        for row in advice.iter_mut().filter(|a| a.action == SetEngineFlags) {
            "more room: raise --gpu-memory-utilization or --mem-fraction-static, lower --max-model-len"
                .clone_into(&mut row.why);
        }
    }
    if code == Code::Cause(Cause::MaxNumSeqsBound) {
        let room = if facts.kv.is_some() { "the KV cache has room for more" } else { "if memory has room for more" };
        for row in advice.iter_mut().filter(|a| a.action == SetEngineFlags) {
            row.why = format!("raise {}: {room}", slots_flag(&facts.system.engine));
        }
    }
    for row in advice.iter_mut().filter(|a| confidence == Confidence::Low && a.helps == Yes) {
        row.helps = Unknown;
    }
    advice.sort_by_key(|a| a.helps);
    advice
}
