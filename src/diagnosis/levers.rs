//! Which levers help against which mechanism, which will not, and why (runbook RB-6, "Levers by state").

use super::facts::{Facts, recent};
use super::format::length;
use super::rules::acquitted;
use super::span::Level;
use super::{Finding, LeverAdvice};
use crate::domain::{Action, Cause, Code, Confidence, Gauge, Helps, Mechanism, Total};

use Action::{
    CordonNode, DeletePod, PauseAutoscaler, RolloutPause, RolloutRestart, RolloutUndo, Scale, SetAutoscalerBounds,
    SetEngineFlags, ShedLoad, ShiftTraffic,
};
use Helps::{No, Unknown, Yes};

/// A rollout longer ago than this is not what an undo would undo (s).
const RECENT_S: f64 = 7200.0;

type Row = (Action, Helps, &'static str);

/// Why an undo is of no use under a `GitOps` tool that undoes it.
const PUT_BACK: &str = "it was put back once and will be again: change what the tool reads, or pause its sync";
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
        Mechanism::KvTransferWait => vec![
            (Scale, No, "more decoders share the same link"),
            (ShedLoad, Unknown, "fewer transfers at once, where the link is full"),
            (DeletePod, Unknown, "if one engine's link is at fault: the next pod may get another node"),
            UNDO_UNKNOWN,
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
        other => below_and_around(other),
    }
}

/// Of mechanisms that are not the engine's own: capacity, GPUs, the gateway.
fn below_and_around(mechanism: Mechanism) -> Vec<Row> {
    match mechanism {
        Mechanism::ColdStart => vec![
            (Scale, No, "a further replica would load for as long"),
            (SetAutoscalerBounds, Unknown, "a higher minimum keeps replicas warm for the next time"),
            (ShedLoad, Yes, "what serves can keep its objective for fewer requests until the others are loaded"),
        ],
        Mechanism::CrashLoop => vec![
            (RolloutUndo, Unknown, "helps if only the new revision crashes"),
            (DeletePod, No, "the same container starts again and dies again"),
            (Scale, No, "a further replica would start from the same template"),
        ],
        Mechanism::Unschedulable => vec![
            (Scale, No, "one more pod would wait for a node as well"),
            (SetAutoscalerBounds, Unknown, "fewer wanted replicas stop the waiting, not the load"),
        ],
        Mechanism::NotReadyButReady => vec![
            (DeletePod, Yes, "takes the pod that does not answer out of the way, and starts another one"),
            (ShiftTraffic, Yes, "away from the replica that refuses"),
            (Scale, No, "requests still go to the one that refuses"),
        ],
        Mechanism::GpuClockReduced => vec![
            (CordonNode, Yes, "no new pod lands on the hot node, and its replica can be moved"),
            (DeletePod, Yes, "with the node cordoned, a new pod starts on another one"),
            (ShiftTraffic, Yes, "away from the replica that is slow"),
            (Scale, Unknown, "another replica takes load off, and the slow one stays slow"),
            (RolloutUndo, No, "another revision runs on the same GPU"),
            (RolloutRestart, No, "the pods may come back onto the same GPU"),
        ],
        Mechanism::GpuMemoryFault | Mechanism::GpuLost => vec![
            (CordonNode, Yes, "no new pod lands on the faulty GPU; capture evidence before any reset"),
            (DeletePod, Yes, "with the node cordoned, a new pod starts on another one"),
            (Scale, Unknown, "replaces the capacity, not the fault"),
            (RolloutUndo, No, "another revision runs on the same GPU"),
        ],
        Mechanism::GatewayOverhead | Mechanism::GatewayErrors | Mechanism::GatewayBuffering => vec![
            (ShiftTraffic, Yes, "past the gateway that is slow or fails, where there is another way"),
            (Scale, No, "the engines are not what requests wait for"),
            (RolloutUndo, No, "the engines' revision is not the gateway's"),
        ],
        Mechanism::GatewayImbalance => vec![
            (ShiftTraffic, Yes, "spreads the requests evenly again"),
            (Scale, No, "the gateway would favour the same replica"),
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
        Cause::DeployRegression => vec![
            (RolloutUndo, Yes, "back to the revision before"),
            (RolloutPause, Unknown, "keeps replicas of the old revision that still run"),
            (RolloutRestart, No, "the same template starts again"),
        ],
        Cause::ConfigDrift => vec![
            (SetEngineFlags, Yes, "what stands on the command line wins over a ConfigMap, for all of them alike"),
            (RolloutUndo, No, "they are of one revision: an undo brings no ConfigMap back"),
            (RolloutRestart, No, "every pod would start with what the ConfigMap holds now"),
            (DeletePod, No, "its successor starts with what the ConfigMap holds now"),
        ],
        Cause::RolloutStuck => vec![(RolloutUndo, Unknown, "back to the revision that came up")],
        Cause::ImagePull => vec![(DeletePod, No, "the next pod pulls the same image")],
        Cause::AutoscalerWrongSignal => vec![
            (SetAutoscalerBounds, Yes, "a higher minimum adds replicas that the autoscaler would not"),
            (PauseAutoscaler, Unknown, "lets replicas be set by hand"),
        ],
        Cause::AutoscalerConflict => vec![
            (SetAutoscalerBounds, Yes, "bounds that both agree with: what is set by hand is taken back"),
            (PauseAutoscaler, Unknown, "lets replicas be set by hand"),
            (Scale, No, "the autoscaler takes it back"),
        ],
        Cause::GitopsWillRevert => vec![(RolloutUndo, No, PUT_BACK)],
        Cause::PlacementMismatch => vec![(CordonNode, Unknown, "keeps further replicas off the slower hardware")],
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

/// What Kubernetes shows of a rollout overrules what the tables say of scale and undo: whether there is anything to go
/// back to, whether a new replica would be as bad, and how long one loads.
pub(super) fn overrule(findings: &mut [Finding], facts: &Facts<'_>) {
    let Some(cluster) = &facts.cluster else { return };
    let deploy = findings
        .iter()
        .find(|f| f.code == Code::Cause(Cause::DeployRegression) && f.confidence > Confidence::Low)
        .map(|f| (f.subject.revision, f.confidence));
    let load = cluster.usual_load().map(|(s, _)| length(s));
    let loads = load.as_ref().map_or(String::new(), |l| format!("; a replica loads for about {l}"));
    let rollouts = cluster.rollouts();
    let recent = rollouts.iter().rev().find(|r| r.before.is_some() && facts.now.since(r.at) <= RECENT_S);
    let back = |number: Option<u64>| {
        let rollout = rollouts.iter().find(|r| Some(r.revision.number) == number)?;
        rollout.before.map(|(b, _)| cluster.called(b.number))
    };
    // What a tool put back against somebody's undo it puts back again.
    let put_back = findings.iter().any(|f| f.code == Code::Cause(Cause::GitopsWillRevert));
    // Somebody brought an old revision back after it broke: what an undo would do is being done.
    let undone = rollouts.last().filter(|r| r.came_back && r.at > facts.broke());
    for finding in findings {
        let mechanism = match finding.code {
            Code::Mechanism(m) => Some(m),
            Code::Cause(_) => None,
        };
        let own = finding.code == Code::Cause(Cause::DeployRegression);
        for row in &mut finding.levers {
            match (row.action, deploy) {
                (RolloutUndo, _) if put_back => {
                    row.helps = No;
                    PUT_BACK.clone_into(&mut row.why);
                }
                (RolloutUndo, Some((number, _))) if undone.is_some_and(|r| Some(r.revision.number) != number) => {
                    let undone = undone.map_or(String::new(), |r| cluster.called(r.revision.number));
                    row.helps = No;
                    row.why = format!("{undone} was brought back already: wait until it serves{loads}");
                }
                (RolloutUndo, Some((number, confidence))) if own || (row.helps == Unknown && mechanism.is_some()) => {
                    let to = back(number).unwrap_or_else(|| "the revision before".to_owned());
                    row.helps = if confidence >= Confidence::Medium { Yes } else { Unknown };
                    row.why = format!("back to {to}, under which this was not so{loads}");
                }
                (RolloutUndo, None) if row.helps == Unknown && recent.is_none() && !cluster.stale => {
                    row.helps = No;
                    "no rollout came before this: another revision is no remedy".clone_into(&mut row.why);
                }
                (RolloutUndo, None) if row.helps == Unknown => {
                    if let Some(why) = acquitted(facts) {
                        row.helps = No;
                        row.why = why;
                    } else if let Some(r) = recent {
                        row.why =
                            format!("rev {} came before this, and nothing ties it to the trouble", r.revision.number);
                    }
                }
                (Scale, Some((number, _))) if mechanism == Some(Mechanism::KvCachePressure) => {
                    (row.helps, row.why) = one_more(number, facts, &loads);
                }
                (Scale, _) if row.helps == Yes => {
                    if let Some(load) = &load {
                        row.why = format!("{}; Ready after about {load}", row.why);
                    }
                }
                _ => {}
            }
        }
        finding.levers.sort_by_key(|a| a.helps);
    }
}

/// A cache that is full four fifths of the time still preempts: arrivals come in bursts, and requests grow while they run.
const TO_SPARE: f64 = 1.25;

/// Whether a further replica of a revision whose cache is too small would do: it brings as little cache as the others have,
/// and takes its share. By what they hold lately: with a full cache as many requests run as fit, and the others wait.
fn one_more(number: Option<u64>, facts: &Facts<'_>, loads: &str) -> (Helps, String) {
    let revision = number.map_or("this revision".to_owned(), |r| format!("rev {r}"));
    let of: Vec<_> = facts.engines().filter(|r| !r.endpoint.gone && facts.revision(r) == number).collect();
    let serving = of.len() as f64;
    let (from, to) = recent(facts.incident, facts.now);
    let mean = |gauge| Level::of(&of, gauge, from, to, facts.max_gap_s).map(|level| level.mean);
    let held = mean(Gauge::Running).zip(mean(Gauge::Waiting)).map(|(running, waiting)| (running, running + waiting));
    let Some((fit, asked)) = held.filter(|(fit, _)| *fit >= 1.0) else {
        return (No, format!("not enough by itself: a further replica runs {revision} with the same flags{loads}"));
    };
    // Those that are wanted and still load come all the same: one more is one more than they.
    let wanted = facts.cluster.as_ref().and_then(|c| c.facts.workload.as_ref()).map_or(0.0, |w| f64::from(w.desired));
    let more = serving.max(wanted) + 1.0;
    let would = fit / serving * more;
    let words = format!("{more} of {revision} would hold about {would:.0}, and {asked:.0} requests are there{loads}");
    if would < TO_SPARE * asked {
        (No, format!("not enough: {words}"))
    } else {
        (Unknown, format!("perhaps enough: {words}"))
    }
}

/// Where a finding is about one pool: its levers are those of that pool's workload, and pulling them at the other one does
/// not help. Who sheds load or cordons a node does so for both.
pub(super) fn in_its_pool(findings: &mut [Finding], facts: &Facts<'_>) {
    let own = facts.own_pool();
    for finding in findings {
        let Some(pool) = finding.subject.pool.filter(|_| facts.pools.is_some()) else { continue };
        let elsewhere = own.is_some_and(|own| own != pool);
        for row in finding.levers.iter_mut().filter(|row| row.helps != No) {
            match row.action {
                Action::ShedLoad | CordonNode | ShiftTraffic => {}
                _ if elsewhere => {
                    row.helps = No;
                    row.why = format!(
                        "not here: this is the {} pool, and {} is what it is about: do it there",
                        pool.other(),
                        facts.pool_called(pool)
                    );
                }
                Scale => row.why = format!("more {pool} engines: {}", row.why),
                _ => {}
            }
        }
        finding.levers.sort_by_key(|a| a.helps);
    }
}
