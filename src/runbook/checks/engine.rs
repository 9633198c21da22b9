//! Inside the engine: batch, cache, prompts, tokens.

use crate::diagnosis::{Metric, number, seconds};
use crate::domain::{Cause, Mechanism, Phase, RowStatus, Total, Verdict};
use crate::runbook::check::Answer;
use crate::runbook::checks::{cause, mechanism};
use crate::runbook::sight::Sight;

/// KV cache use from which there is little room: a warning and the threshold for scaling.
const KV_ROOM: f64 = 0.75;
/// Preemptions a minute that are next to none.
const PREEMPTIONS: f64 = 1.0;
/// Over this long they are counted (s).
const PREEMPTIONS_OVER_S: f64 = 60.0;

pub(crate) fn one_cohort(sight: Sight<'_>) -> Answer {
    match sight.d.phases.iter().find(|p| p.phase == Phase::Queue && p.mean.is_some()) {
        None => Answer::unknown("no queue time is measured"),
        Some(row) if row.lags => {
            let note = if row.note.is_empty() { String::new() } else { format!(" ({})", row.note) };
            Answer::fail(format!("queue and prefill lag: they describe requests that finished earlier{note}"))
                .aged(sight.engine_age())
        }
        Some(_) => Answer::pass("the phases describe the same requests as TTFT").aged(sight.engine_age()),
    }
}

pub(crate) fn kv_has_room(sight: Sight<'_>) -> Answer {
    let fullest = sight
        .d
        .replicas
        .iter()
        .filter(|r| !r.gone)
        .filter_map(|r| r.kv.map(|kv| (kv, &r.name)))
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let Some((kv, name)) = fullest else { return Answer::unknown("no engine tells its KV cache use") };
    Answer::of(kv < KV_ROOM, format!("the fullest KV cache is at {:.0}% ({name})", kv * 100.0))
        .measured(kv, KV_ROOM, "ratio")
        .while_fresh(sight)
}

pub(crate) fn nobody_waits(sight: Sight<'_>) -> Answer {
    match waiting(sight) {
        None => Answer::unknown("no engine tells how many wait"),
        Some(waiting) => {
            Answer::of(waiting < 1.0, format!("{} wait", number(waiting))).measured(waiting, 1.0, "requests")
        }
    }
    .while_fresh(sight)
}

/// Requests that wait, over all replicas that are still there.
pub(crate) fn waiting(sight: Sight<'_>) -> Option<f64> {
    sight.d.replicas.iter().filter(|r| !r.gone).filter_map(|r| r.waiting).reduce(|a, b| a + b)
}

pub(crate) fn tokens_flow(sight: Sight<'_>) -> Answer {
    let stalled = sight.d.verdict == Verdict::Stalled && sight.d.until.is_none();
    let says = match mechanism(sight.d, Mechanism::EngineStalled).filter(|_| stalled) {
        Some(finding) => finding.summary.clone(),
        None if stalled => sight.d.sentence.clone(),
        None => "no engine holds work without giving tokens".to_owned(),
    };
    Answer::of(!stalled, says).aged(sight.engine_age())
}

/// Whether something is as it was: a finding says that it is not, and a baseline is needed to say that it is.
fn as_before(sight: Sight<'_>, against: Option<&str>, fine: &str) -> Answer {
    match against {
        Some(summary) => Answer::fail(summary),
        None if sight.d.ttft_mean.1.is_none() => Answer::unknown("there is no before to compare with"),
        None => Answer::pass(fine),
    }
    .while_fresh(sight)
}

pub(crate) fn prompts_as_before(sight: Sight<'_>) -> Answer {
    let found = cause(sight.d, Cause::PromptLengthShift).or_else(|| mechanism(sight.d, Mechanism::PrefillWork));
    let note = sight.d.phases.iter().find(|p| p.phase == Phase::Prefill).map_or("", |p| p.note.as_str());
    let fine = if note.is_empty() { "prompts are no longer than before".to_owned() } else { note.to_owned() };
    as_before(sight, found.map(|f| f.summary.as_str()), &fine)
}

pub(crate) fn prefill_speed_as_before(sight: Sight<'_>) -> Answer {
    let found =
        mechanism(sight.d, Mechanism::PrefillSlowdown).or_else(|| mechanism(sight.d, Mechanism::PrefillHeadOfLine));
    let row = sight.d.phases.iter().find(|p| p.phase == Phase::Prefill);
    let Some(mean) = row.and_then(|r| r.mean) else { return Answer::unknown("no prefill time is measured") };
    let was = row.and_then(|r| r.baseline).map_or(String::new(), |b| format!(", was {}", seconds(b)));
    as_before(sight, found.map(|f| f.summary.as_str()), &format!("prefill takes {} per request{was}", seconds(mean)))
}

pub(crate) fn prefix_hits_as_before(sight: Sight<'_>) -> Answer {
    let found = cause(sight.d, Cause::PrefixCacheRegression);
    as_before(sight, found.map(|f| f.summary.as_str()), "the prefix cache is not seen to give less than before")
}

pub(crate) fn chunked_prefill_on(sight: Sight<'_>) -> Answer {
    let Some(engine) = sight.facts().and_then(|f| f.workload.as_ref()).and_then(|w| w.template.engine()) else {
        return Answer::unknown("the engine's flags are not known: Kubernetes was not read");
    };
    let batch = |name: &str| engine.flag(name).map_or(String::new(), |v| format!(", {name} {v}"));
    let bounds = format!("{}{}", batch("--max-num-batched-tokens"), batch("--max-num-seqs"));
    let off = engine.flag("--no-enable-chunked-prefill").is_some()
        || engine.flag("--enable-chunked-prefill").is_some_and(|v| v.eq_ignore_ascii_case("false"));
    if off {
        return Answer::fail(format!("chunked prefill is switched off by a flag{bounds}"));
    }
    if engine.flag("--enable-chunked-prefill").is_some() {
        return Answer::pass(format!("--enable-chunked-prefill is given{bounds}"));
    }
    // vLLM V1 chunks prompts unless it is told not to; what others do by default differs by version.
    match (sight.d.engine.as_deref(), sight.d.generation.as_deref()) {
        (Some("vllm"), Some(generation)) if !generation.eq_ignore_ascii_case("v0") => {
            Answer::pass(format!("no flag switches it off, and this vLLM has it on by default{bounds}"))
        }
        _ => Answer::unknown(format!("no flag says so, and the default differs by engine and version{bounds}")),
    }
}

pub(crate) fn batch_as_before(sight: Sight<'_>) -> Answer {
    let running = sight.d.replicas.iter().filter(|r| !r.gone).filter_map(|r| r.running).reduce(|a, b| a + b);
    let Some(running) = running else { return Answer::unknown("no engine tells how many run") };
    let found = mechanism(sight.d, Mechanism::BatchContention);
    as_before(sight, found.map(|f| f.summary.as_str()), &format!("{} run", number(running)))
}

pub(crate) fn tokens_in_time(sight: Sight<'_>) -> Answer {
    let rows = || sight.rows(Metric::Tpot).filter(|r| r.bad.is_some() && r.count.is_some_and(|n| n > 0.0));
    let worst = rows().max_by(|a, b| a.bad_share().unwrap_or(0.0).total_cmp(&b.bad_share().unwrap_or(0.0)));
    let Some(row) = worst else { return Answer::unknown("no gaps between tokens were counted") };
    let says = format!(
        "{} of {} tokens took longer than {}",
        number(row.bad.unwrap_or(0.0)),
        number(row.count.unwrap_or(0.0)),
        seconds(row.target.seconds)
    );
    let share = row.bad_share().unwrap_or(0.0);
    match row.status {
        RowStatus::Breach => Answer::fail(says),
        RowStatus::Unknown => Answer::unknown(says),
        RowStatus::Ok | RowStatus::Warning => Answer::of(share < row.target.budget(), says),
    }
    .measured(share, row.target.budget(), "ratio")
    .while_fresh(sight)
}

pub(crate) fn no_preemptions(sight: Sight<'_>) -> Answer {
    let from = sight.d.at.plus(-PREEMPTIONS_OVER_S);
    let mut counted: Option<(f64, f64)> = None;
    for track in sight.engines().flat_map(|e| &e.tracks) {
        let Some(last) = track.at_or_before(sight.d.at) else { continue };
        let Some(first) = track.at_or_before(from).or_else(|| track.points().front()) else { continue };
        let seconds = last.at.since(first.at);
        let (Some(b), Some(a)) = (last.values.total(Total::Preemptions), first.values.total(Total::Preemptions)) else {
            continue;
        };
        if seconds >= PREEMPTIONS_OVER_S / 4.0 {
            let so_far = counted.unwrap_or((0.0, 0.0));
            counted = Some((so_far.0 + b - a, so_far.1.max(seconds)));
        }
    }
    let Some((preempted, seconds)) = counted else {
        return Answer::unknown("preemptions are not counted here, or not for long enough");
    };
    let rate = 60.0 * preempted / seconds;
    Answer::of(rate < PREEMPTIONS, format!("{} preemptions in {seconds:.0} s", number(preempted)))
        .measured(rate, PREEMPTIONS, "1/min")
        .while_fresh(sight)
}
