//! Whether a rollout did it. A deploy that merely came before is innocent until one of two things holds: its replicas are
//! worse than those of the revision before, side by side; or the break lies at the rollout, and what was changed is a
//! knob of what is broken. A rollout after the onset, or an old revision that is as bad, acquits it.

use super::prefill::long_prompts;
use super::{Split, finding};
use crate::diagnosis::cluster::{Rollout, in_words};
use crate::diagnosis::contrast::Contrast;
use crate::diagnosis::facts::Facts;
use crate::diagnosis::format::{length, number, percent, seconds};
use crate::diagnosis::slo::over_budget;
use crate::diagnosis::span::{Replica, Span};
use crate::diagnosis::{Evidence, Finding, Metric, Op, Subject};
use crate::domain::{At, Cause, Code, Confidence, Dist, Gauge, Mechanism, Phase, TemplateChange, Total};

/// How long after the last replica of a rollout serves a break still lies at it (s): a cache fills, a queue builds up.
/// Unless the new revision served as well as the old one for a while: then something else came.
const FOLLOWS_S: f64 = 600.0;
/// Serving well for this long, and so many first tokens, acquits (s): shorter where what is slow is measured for each
/// request by itself and does not build up.
const WELL_S: f64 = 120.0;
const WELL_EVENTS: f64 = 30.0;
/// How exactly an onset is known (s): a slice, and a scrape.
const SLACK_S: f64 = 30.0;

/// How far a change can touch what is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Touches {
    /// Nothing that an engine computes.
    Nothing,
    /// Another image, another model, other hardware: anything may have changed.
    Anything,
    /// A setting of this very mechanism.
    Knob,
}

/// Flags that decide how much a batch, a cache or a step holds, by what they are of. Both engines' names.
const OF_CACHE: &[&str] = &[
    "max-num-seqs",
    "gpu-memory-utilization",
    "max-model-len",
    "kv-cache-dtype",
    "kv-cache-memory-bytes",
    "block-size",
    "swap-space",
    "cpu-offload-gb",
    "num-gpu-blocks-override",
    "enable-prefix-caching",
    "no-enable-prefix-caching",
    "max-num-batched-tokens",
    "mem-fraction-static",
    "max-running-requests",
    "max-total-tokens",
    "context-length",
    "schedule-conservativeness",
    "disable-radix-cache",
];
const OF_QUEUE: &[&str] = &[
    "scheduling-policy",
    "schedule-policy",
    "enable-chunked-prefill",
    "no-enable-chunked-prefill",
    "chunked-prefill-size",
];
const OF_PREFILL: &[&str] = &[
    "max-num-batched-tokens",
    "enable-chunked-prefill",
    "no-enable-chunked-prefill",
    "long-prefill-token-threshold",
    "max-num-partial-prefills",
    "max-long-partial-prefills",
    "enable-prefix-caching",
    "no-enable-prefix-caching",
    "chunked-prefill-size",
    "disable-radix-cache",
    "max-num-seqs",
    "scheduling-policy",
    "schedule-policy",
];
const OF_DECODE: &[&str] = &[
    "max-num-seqs",
    "speculative-config",
    "speculative-model",
    "num-speculative-tokens",
    "speculative-algorithm",
    "cuda-graph-max-bs",
    "disable-cuda-graph",
    "kv-cache-dtype",
    "max-running-requests",
    "max-num-batched-tokens",
    "enable-chunked-prefill",
    "no-enable-chunked-prefill",
];
const OF_FRONT: &[&str] = &["api-server-count", "tokenizer-mode", "tokenizer-pool-size", "tokenizer-worker-num"];
/// What makes every step slower or faster.
const OF_COMPUTE: &[&str] = &[
    "enforce-eager",
    "quantization",
    "dtype",
    "tensor-parallel-size",
    "tp-size",
    "pipeline-parallel-size",
    "data-parallel-size",
    "attention-backend",
    "model",
    "model-path",
    "compilation-config",
    "load-format",
];

/// How far a change of a template can touch a mechanism.
pub fn touches(change: &TemplateChange, mechanism: Mechanism) -> Touches {
    let what = change.what.as_str();
    if matches!(what, "image" | "gpus" | "argument") || what.starts_with("node selector ") {
        return Touches::Anything;
    }
    if let Some(name) = what.strip_prefix("env ") {
        let logs = name.contains("LOG") || name.contains("TRACE");
        let engine =
            ["VLLM_", "SGLANG_", "SGL_", "CUDA_", "NCCL_", "OMP_", "TORCH"].iter().any(|p| name.starts_with(p));
        return if engine && !logs { Touches::Anything } else { Touches::Nothing };
    }
    if matches!(what, "readiness probe" | "startup probe") {
        let own = mechanism == Mechanism::NotReadyButReady;
        return if own { Touches::Knob } else { Touches::Nothing };
    }
    let Some(flag) = what.strip_prefix("--") else { return Touches::Nothing };
    let flag = flag.replace('_', "-");
    let has = |list: &[&str]| list.contains(&flag.as_str());
    let own = match mechanism {
        Mechanism::KvCachePressure | Mechanism::CrashLoop => has(OF_CACHE),
        Mechanism::QueueSaturation | Mechanism::AdmissionRejected | Mechanism::RequestsAbandoned => {
            has(OF_CACHE) || has(OF_QUEUE)
        }
        Mechanism::PrefillWork | Mechanism::PrefillSlowdown | Mechanism::PrefillHeadOfLine => has(OF_PREFILL),
        Mechanism::DecodeSlowdown | Mechanism::BatchContention => has(OF_DECODE),
        Mechanism::FrontendStarved => has(OF_FRONT),
        Mechanism::EngineLoopBlocked => has(OF_PREFILL) || has(OF_DECODE),
        _ => false,
    };
    if own || has(OF_COMPUTE) { Touches::Knob } else { Touches::Nothing }
}

/// The most that any of the changes touches one of the mechanisms, and the change that does.
fn most_touching(changes: &[TemplateChange], mechanisms: &[Mechanism]) -> (Touches, Option<String>) {
    let all = changes.iter().flat_map(|c| mechanisms.iter().map(move |m| (touches(c, *m), c)));
    all.max_by_key(|(t, _)| *t).map_or((Touches::Nothing, None), |(t, c)| (t, Some(c.to_string())))
}

/// So long after one wave of a rollout serves, the next one is made (s), or there is none.
const NEXT_WAVE_S: f64 = 60.0;

/// The rollout that is to be judged, with when its first and its last replica began to serve: the last one before the end
/// of the incident. An old revision that was brought back after the break is somebody's remedy, and no suspect.
fn last_rollout<'a>(facts: &Facts<'a>) -> Option<(Rollout<'a>, At, At)> {
    let cluster = facts.cluster.as_ref()?;
    let remedy = |r: &Rollout<'_>| r.came_back && r.at > facts.broke();
    let suspect = |r: &Rollout<'_>| r.at <= facts.incident.1 && r.before.is_some() && !remedy(r);
    let rollout = cluster.rollouts().into_iter().rev().find(suspect)?;
    let number = rollout.revision.number;
    let firsts = facts.engines().filter(|r| facts.revision(r) == Some(number)).filter_map(|r| {
        let pod = cluster.pod(r.endpoint);
        let page = r.track.points().front().map(|p| p.at);
        Some((pod.and_then(|p| p.created), pod.and_then(|p| p.ready_since).into_iter().chain(page).max()?))
    });
    let mut firsts: Vec<(Option<At>, At)> = firsts.collect();
    firsts.sort_unstable();
    let others = facts.engines().filter(|r| facts.revision(r).is_some_and(|r| r != number));
    let old_until = others.filter_map(|r| r.track.points().back().map(|p| p.at)).max();
    // Where pods of it served and are gone, the first of those that are left is not its first.
    let earliest = firsts.iter().map(|(_, at)| *at).min();
    let mut serving: Vec<At> = rollout.serving.filter(|s| earliest.is_none_or(|e| *s <= e)).into_iter().collect();
    for (created, at) in firsts {
        // One that was made long after all before it served, when nothing old was left, is not the rollout's: somebody
        // scaled, or a pod was lost.
        let complete = serving.iter().copied().chain(old_until).max();
        if !created.zip(complete).is_some_and(|(created, complete)| created.since(complete) > NEXT_WAVE_S) {
            serving.push(at);
        }
    }
    let first = serving.iter().copied().min().unwrap_or(rollout.at).max(rollout.at);
    let last = serving.iter().copied().max().unwrap_or(first).max(first);
    Some((rollout, first, last))
}

/// A new revision is worse than the one before.
pub(super) fn regression(facts: &Facts<'_>, split: &Split) -> Option<Finding> {
    let early = super::rollout::not_ready_but_ready(facts, split).is_some_and(|f| f.explains_s > 0.0);
    if !early && !super::rollout::troubled(facts) && facts.window.total(Total::Rejected).unwrap_or(0.0) < 1.0 {
        return crashes(facts);
    }
    let contrast = facts.contrast.as_ref();
    // Who serves as well as ever once it serves is no less Ready too early.
    if !early && contrast.is_some_and(|c| c.alike) {
        return None;
    }
    let rollout = last_rollout(facts);
    let mechanisms = broken(facts, split);
    let (touched, by) =
        rollout.as_ref().map_or((Touches::Nothing, None), |(r, ..)| most_touching(&r.changes, &mechanisms));
    // What nobody served breaks no engine's objective: the gateway's errors began then.
    let failing = facts.gateway.as_ref().and_then(|g| g.trouble).map(|(from, ..)| from);
    let onset = failing.filter(|_| early).unwrap_or_else(|| facts.broke());
    let well = rollout.as_ref().and_then(|(r, _, last)| served_well(facts, r, *last));
    let at_rollout = rollout.as_ref().is_some_and(|(r, first, last)| {
        let follows = onset >= first.plus(-SLACK_S) && onset <= last.plus(FOLLOWS_S);
        follows && well.is_none() && !some_move(facts, r.revision.number)
    });
    // Of a revision that serves nobody yet nothing is known but what it took away.
    let serves = |number| facts.engines().any(|r| facts.revision(&r) == Some(number));
    let at_rollout =
        at_rollout && rollout.as_ref().is_some_and(|(r, ..)| r.serving.is_some() || serves(r.revision.number));
    let worse = contrast.is_some_and(|c| c.worse);
    let other = other_change(facts);
    let shrunk = rollout.as_ref().and_then(|(r, first, _)| {
        (mechanisms.contains(&Mechanism::KvCachePressure) && onset >= first.plus(-SLACK_S)).then(|| shrunk(facts, r))?
    });
    let confidence = match (worse, at_rollout, touched) {
        // A cache that the rollout made smaller fills later, and is no less its doing.
        (false, false, Touches::Knob | Touches::Anything) if shrunk.is_some() && other.is_none() => Confidence::High,
        (false, false, Touches::Knob | Touches::Anything) if shrunk.is_some() => Confidence::Medium,
        (true, _, Touches::Knob) => Confidence::High,
        (false, true, Touches::Knob) if other.is_none() => Confidence::High,
        (true, ..) | (false, true, Touches::Knob) => Confidence::Medium,
        (false, true, Touches::Anything) if other.is_none() => Confidence::Medium,
        // Something else changed at the same time, and the diff names nothing: coincidence is no evidence.
        _ => return crashes(facts),
    };
    let number = rollout.as_ref().map_or_else(|| contrast.map_or(0, |c| c.new.revision), |(r, ..)| r.revision.number);
    // On other hardware the same template is another service: only a knob of the mechanism is suspect beside that.
    let moved = super::placement::moved(facts, number);
    let confidence = if moved.is_some() && touched < Touches::Knob { Confidence::Low } else { confidence };
    let what = rollout.as_ref().map_or(String::new(), |(r, ..)| format!(" ({})", in_words(&r.changes)));
    let when = rollout.as_ref().map_or(String::new(), |(r, ..)| {
        let lead = facts.incident.0.since(r.at);
        if lead >= 0.0 { format!(" started {} before", length(lead)) } else { String::new() }
    });
    let side = contrast.filter(|c| c.worse).map_or(String::new(), |c| {
        format!(
            "; its first token takes {} on average, under {} {}",
            seconds(c.new.ttft),
            facts.cluster.as_ref().map_or_else(|| format!("rev {}", c.old.revision), |k| k.called(c.old.revision)),
            seconds(c.old.ttft)
        )
    });
    let summary = format!("rev {number}{what}{when}{side}");
    let mut found = finding(facts, Code::Cause(Cause::DeployRegression), Phase::Rollout, summary);
    found.subject = Subject { revision: Some(number), ..Subject::default() };
    let stale = facts.cluster.as_ref().is_some_and(|c| c.stale);
    found.confidence = if stale && !worse { confidence.min(Confidence::Medium) } else { confidence };
    if let Some(contrast) = contrast {
        found.evidence.push(side_by_side(facts, contrast));
    }
    if let Some((rollout, first, last)) = &rollout {
        found.evidence.push(timing(facts, rollout, *first, *last, at_rollout));
        let claim = by.filter(|_| touched > Touches::Nothing).map_or_else(
            || format!("nothing in its diff touches the mechanism: {}", in_words(&rollout.changes)),
            |by| match touched {
                Touches::Knob => format!("its diff touches a knob of the mechanism: {by}"),
                _ => format!("its diff may touch anything: {by}"),
            },
        );
        let mut knob = kubernetes(facts, claim, rollout.changes.len() as f64, Op::Over, Some(0.0), "changes");
        knob.supports = touched > Touches::Nothing;
        found.evidence.push(knob);
    }
    found.evidence.extend(shrunk);
    if let Some((old, new)) = moved {
        let claim = format!("its replicas came onto {new}, those before them are on {old}");
        let mut hardware = kubernetes(facts, claim, 1.0, Op::Is, Some(0.0), "kinds of GPU");
        "nodes".clone_into(&mut hardware.source);
        hardware.supports = false;
        found.evidence.push(hardware);
    }
    if let Some(mut other) = other {
        other.supports = false;
        found.evidence.push(other);
    }
    if !worse {
        found.surer = Some("a replica of the old revision beside it, under the same traffic".to_owned());
    }
    Some(found)
}

/// Why the last rollout is not to blame, in a few words; `None` where it is not known, or where it may be.
pub(in crate::diagnosis) fn acquitted(facts: &Facts<'_>) -> Option<String> {
    let (rollout, first, last) = last_rollout(facts)?;
    let number = rollout.revision.number;
    if let Some(contrast) = facts.contrast.as_ref().filter(|c| c.alike && c.new.revision == number) {
        return Some(format!("rev {number} is not why: rev {}'s replicas are as slow", contrast.old.revision));
    }
    facts.episode?;
    let onset = facts.broke();
    if let Some(well) = served_well(facts, &rollout, last) {
        return Some(format!("rev {number} is not why: it served well for {} before the onset", length(well)));
    }
    if first.since(onset) > SLACK_S {
        return Some(format!("rev {number} is not why: it served {} after the break", length(first.since(onset))));
    }
    None
}

/// That the replicas of a rollout have a smaller KV cache than those before, as their own pages say.
fn shrunk(facts: &Facts<'_>, rollout: &Rollout<'_>) -> Option<Evidence> {
    /// Activations and graphs move it by some percent between versions.
    const SMALLER: f64 = 0.8;
    let number = rollout.revision.number;
    let capacity = |new: bool| {
        let of = facts.engines().filter(|r| facts.revision(r).is_some_and(|n| (n == number) == new));
        let mut sizes: Vec<f64> = of.filter_map(|r| r.track.points().back()?.values.gauge(Gauge::KvCapacity)).collect();
        crate::diagnosis::span::median(&mut sizes)
    };
    let (now, before) = (capacity(true)?, capacity(false)?);
    let tokens = |n: f64| crate::diagnosis::number(n.round());
    (now < SMALLER * before).then(|| {
        let claim = format!("its KV cache holds {} tokens, that of the old one {}", tokens(now), tokens(before));
        facts.evidence("kv_capacity_tokens", claim, now, Op::Under, Some(SMALLER * before), "tokens")
    })
}

/// How long the new revision had all the traffic and served it as well as it was served before, until the onset (s).
fn served_well(facts: &Facts<'_>, rollout: &Rollout<'_>, complete: At) -> Option<f64> {
    const AS_WELL: f64 = 1.5;
    /// The share of the budget for late tokens from which they count.
    const NOTICED: f64 = 0.25;
    let broke = facts.broke();
    let brief = broke.since(complete) < WELL_S;
    // What is late by now was slow before: only until the onset has it served as before.
    let onset = if brief { facts.incident.0.min(broke) } else { broke };
    let length = onset.since(complete);
    let number = rollout.revision.number;
    let of: Vec<_> = facts.engines().filter(|r| facts.revision(r) == Some(number)).collect();
    let span = Span::between(&of, complete, onset)?;
    if brief && !super::transfer::came_as_before(facts, &span) {
        return None;
    }
    let ttft = span.dist(Dist::Ttft).filter(|h| h.count >= WELL_EVENTS)?;
    let target = facts.targets.ttft;
    let late = over_budget(ttft.above(target.seconds)?.at_least, ttft.count, target.budget());
    let before = facts
        .slices
        .iter()
        .filter(|s| s.to <= rollout.at)
        .fold((0.0, 0.0), |(sum, count), s| (sum + s.ttft.sum, count + s.ttft.count));
    // Tokens are so many that few of them late are no chance: worse than before is not well.
    let late_tokens = |from: At, to: At| {
        let inside = facts.slices.iter().filter(|s| s.from >= from && s.to <= to);
        inside.fold((0.0, 0.0), |(bad, all), s| (bad + s.itl.bad, all + s.itl.count))
    };
    let (bad, all) = late_tokens(complete, onset);
    let (bad_before, all_before) = late_tokens(At(i64::MIN), rollout.at);
    let share_before = (bad_before + 1.0) / (all_before + 1.0);
    let budget = facts.targets.tpot.budget();
    if facts.late(Metric::Tpot) && bad >= NOTICED * budget * all && over_budget(bad, all, share_before) {
        return None;
    }
    let as_before = before.1 < WELL_EVENTS || ttft.mean()? < AS_WELL * before.0 / before.1;
    (!late && as_before).then_some(length)
}

/// Whether an engine hangs while another one of the same revision does not: then it is not what they share.
fn some_move(facts: &Facts<'_>, revision: u64) -> bool {
    let hangs = |r: &Replica<'_>| facts.spells.iter().any(|s| s.on && std::ptr::eq(s.endpoint, r.endpoint));
    let mut its = facts.engines().filter(|r| facts.revision(r) == Some(revision));
    facts.engines().any(|r| hangs(&r)) && its.any(|r| !hangs(&r))
}

/// The mechanisms that the numbers show, as far as a knob's list needs to know.
fn broken(facts: &Facts<'_>, split: &Split) -> Vec<Mechanism> {
    let mut all = Vec::new();
    let whole = split.whole();
    if split.queue / whole >= 0.25 {
        all.push(Mechanism::QueueSaturation);
    }
    if facts.kv.is_some_and(|k| k.peak >= 0.9) || facts.during.total(Total::Preemptions).unwrap_or(0.0) >= 1.0 {
        all.push(Mechanism::KvCachePressure);
    }
    if split.prefill / whole >= 0.25 {
        all.push(Mechanism::PrefillSlowdown);
    }
    if facts.late(Metric::Tpot) {
        all.push(Mechanism::DecodeSlowdown);
    }
    if split.rest / whole >= 0.25 {
        all.push(Mechanism::FrontendStarved);
        if long_prompts(facts).is_some() {
            all.push(Mechanism::EngineLoopBlocked);
        }
    }
    if facts.window.total(Total::Rejected).unwrap_or(0.0) >= 1.0 {
        all.push(Mechanism::AdmissionRejected);
    }
    if super::rollout::not_ready_but_ready(facts, split).is_some() {
        all.push(Mechanism::NotReadyButReady);
    }
    all
}

/// Something else that changed at the onset and explains as much by itself: more requests, or longer prompts.
pub(super) fn other_change(facts: &Facts<'_>) -> Option<Evidence> {
    const CHANGED: f64 = 1.25;
    let baseline = facts.baseline.as_ref()?;
    let stretch = baseline.stretch?;
    let ((now, now_s), (before, before_s)) =
        (facts.arrivals(facts.incident, Some(stretch))?, facts.arrivals(stretch, None)?);
    if now_s > 0.0 && before_s > 0.0 && before > 0.0 {
        let times = (now / now_s) / (before / before_s);
        if times >= CHANGED {
            let claim = format!("{} times as many requests arrive as before", number(times));
            return Some(facts.evidence("finished", claim, times, Op::Under, Some(CHANGED), "ratio"));
        }
    }
    let per_prompt = |s: &crate::diagnosis::span::Span| {
        Some(s.total(Total::PromptTokens)? / Some(s.count(Dist::Ttft)).filter(|n| *n > 0.0)?)
    };
    let times = per_prompt(&facts.during)? / per_prompt(&baseline.span).filter(|b| *b > 0.0)?;
    (times >= CHANGED).then(|| {
        let claim = format!("prompts are {} times as long as before", number(times));
        facts.evidence("prompt_tokens", claim, times, Op::Under, Some(CHANGED), "ratio")
    })
}

fn kubernetes(
    facts: &Facts<'_>,
    claim: String,
    value: f64,
    op: Op,
    threshold: Option<f64>,
    unit: &'static str,
) -> Evidence {
    let mut evidence = facts.evidence("", claim, value, op, threshold, unit);
    "revisions".clone_into(&mut evidence.source);
    evidence.at = facts.cluster.as_ref().map_or(facts.now, |c| c.at);
    evidence.reproduce = None;
    evidence
}

fn side_by_side(facts: &Facts<'_>, contrast: &Contrast) -> Evidence {
    let side = |s: &crate::diagnosis::contrast::Side| {
        let itl = s.itl.map_or(String::new(), |i| format!(", {} per token", seconds(i)));
        format!(
            "{} to the first token{itl}, {} late (rev {}, {} replicas)",
            seconds(s.ttft),
            percent(s.late),
            s.revision,
            s.replicas
        )
    };
    let claim = format!("side by side: {} against {}", side(&contrast.new), side(&contrast.old));
    let mut evidence =
        facts.evidence("ttft", claim, contrast.new.ttft, Op::Over, Some(1.5 * contrast.old.ttft), "s/request");
    evidence.supports = contrast.worse;
    evidence
}

fn timing(facts: &Facts<'_>, rollout: &Rollout<'_>, first: At, last: At, at_rollout: bool) -> Evidence {
    let onset = facts.broke();
    let since = onset.since(first);
    let claim = if since >= 0.0 {
        format!(
            "the break lies {} after its first replica served, {} after it was rolled out",
            length(since),
            length(onset.since(rollout.at))
        )
    } else {
        format!("its first replica served {} after the break", length(-since))
    };
    let mut evidence = kubernetes(facts, claim, since, Op::Under, Some(last.since(first) + FOLLOWS_S), "s");
    evidence.supports = at_rollout;
    evidence
}

/// A new revision whose pods crash while those of the old one run.
fn crashes(facts: &Facts<'_>) -> Option<Finding> {
    let cluster = facts.cluster.as_ref()?;
    let newest = cluster.facts.revisions.iter().map(|r| r.number).max()?;
    let all: Vec<_> = cluster.facts.pods.iter().filter(|p| super::rollout::crashing(p)).collect();
    let old_runs = cluster.facts.pods.iter().any(|p| p.revision.is_some_and(|r| r < newest) && p.ready);
    // Where the old one was taken away for it, that it served until then is as good.
    let served = facts.down() && last_rollout(facts).is_some_and(|(r, ..)| r.at >= facts.from);
    if all.is_empty() || all.iter().any(|p| p.revision != Some(newest)) || !(old_runs || served) {
        return None;
    }
    let what =
        cluster.rollouts().into_iter().next_back().map_or(String::new(), |r| format!(" ({})", in_words(&r.changes)));
    let old = if old_runs { "the old revision runs" } else { "the old revision served until it came" };
    let summary = format!("only rev {newest}{what} crashes, and {old}");
    let mut found = finding(facts, Code::Cause(Cause::DeployRegression), Phase::Rollout, summary.clone());
    found.subject = Subject { revision: Some(newest), ..Subject::default() };
    found.confidence = if cluster.stale { Confidence::Low } else { Confidence::High };
    found.evidence.push(kubernetes(facts, summary, all.len() as f64, Op::Over, Some(0.0), "pods"));
    Some(found)
}
