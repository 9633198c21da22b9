//! The six phases and the rest: means that add up, now against before.

use super::around;
use super::facts::Facts;
use super::format::{number, seconds};
use super::slo::Metric;
use super::span::{Level, Span};
use crate::domain::{At, BaselineKind, Dist, Gauge, Phase, RowStatus, Total};

/// One phase over the judged window.
#[derive(Debug, Clone, PartialEq)]
pub struct PhaseRow {
    /// Which.
    pub phase: Phase,
    /// Its state.
    pub status: RowStatus,
    /// Mean over the window, in `unit`.
    pub mean: Option<f64>,
    /// Mean before.
    pub baseline: Option<f64>,
    /// `mean - baseline`.
    pub delta: Option<f64>,
    /// `s/request`, `s/token`.
    pub unit: &'static str,
    /// Its share of what was added to the time to first token (0–1).
    pub share_of_added: Option<f64>,
    /// Whether it describes other requests than TTFT does.
    pub lags: bool,
    /// Little's estimate: what a newcomer would wait (s), from waiting requests and finish rate.
    pub estimate: Option<f64>,
    /// What `baseline` is.
    pub baseline_from: Option<BaselineKind>,
    /// Its events.
    pub baseline_count: Option<f64>,
    /// From when to when they were, where that is one stretch.
    pub baseline_between: Option<(At, At)>,
    /// The family.
    pub source: Option<String>,
    /// The moment of the last reading.
    pub at: Option<At>,
    /// Events.
    pub count: Option<f64>,
    /// What else there is to know, in a few words.
    pub note: String,
}

/// Shares of the added seconds from which a phase is worth a look, and from which it is the place.
const NOTICEABLE: f64 = 0.10;
const MAJOR: f64 = 0.25;

pub(super) fn rows(facts: &Facts<'_>) -> Vec<PhaseRow> {
    let last = facts.replicas.iter().filter_map(|r| r.track.at_or_before(facts.now)).map(|p| p.at).max();
    let blank = |phase, unit| PhaseRow {
        phase,
        status: RowStatus::Unknown,
        mean: None,
        baseline: None,
        delta: None,
        unit,
        share_of_added: None,
        lags: false,
        estimate: None,
        baseline_from: None,
        baseline_count: None,
        baseline_between: None,
        source: None,
        at: None,
        count: None,
        note: String::new(),
    };
    let mut queue = PhaseRow { note: queue_note(facts), ..blank(Phase::Queue, "s/request") };
    let mut prefill = PhaseRow { note: prefill_note(facts), ..blank(Phase::Prefill, "s/request") };
    let mut rest = PhaseRow { note: "front end and engine loop".to_owned(), ..blank(Phase::Rest, "s/request") };
    let mut decode = PhaseRow { note: decode_note(facts), ..blank(Phase::Decode, "s/token") };

    for (row, dist) in [(&mut queue, Dist::Queue), (&mut prefill, Dist::Prefill)] {
        fill(facts, row, dist.name(), |span| facts.phase_mean(span, dist), |span| span.count(dist));
    }
    fill(facts, &mut rest, "", |span| facts.rest_mean(span), |span| span.count(Dist::Ttft));
    fill(facts, &mut decode, Dist::Itl.name(), |span| span.mean(Dist::Itl), |span| span.count(Dist::Itl));
    counters_only(facts, &mut prefill, &mut decode);
    if queue.mean.is_none()
        && let Some(level) = Level::of(&facts.replicas, Gauge::QueueMean, facts.from, facts.now, facts.max_gap_s)
    {
        queue.mean = Some(level.mean);
        queue.source = Some(facts.source(Gauge::QueueMean.name()));
    }
    rest.source = rest.mean.map(|_| "TTFT - queue - prefill".to_owned());

    let waiting_now = facts.levels.waiting.map_or(0.0, |l| l.last);
    if let Some(unfinished) = facts.lag(&facts.window, waiting_now) {
        for row in [&mut queue, &mut prefill, &mut rest] {
            row.lags = row.mean.is_some();
        }
        // A difference between two cohorts is no change of anything.
        (rest.baseline, rest.delta) = (None, None);
        rest.note = if rest.mean.is_some_and(|m| m < 0.0) {
            "other requests than TTFT's: not interpreted".to_owned()
        } else {
            format!("lags, {} unfinished: not interpreted", number(unfinished))
        };
    }
    queue.estimate = newcomer_waits(facts, waiting_now);
    let mut gateway = PhaseRow { note: "not read: no gateway given".to_owned(), ..blank(Phase::Gateway, "s/request") };
    around::gateway(facts, &mut gateway);
    shares(facts, &mut [&mut gateway, &mut queue, &mut prefill, &mut rest]);
    statuses(facts, &mut queue, &mut prefill, &mut rest, &mut decode);
    for row in [&mut queue, &mut prefill, &mut rest, &mut decode] {
        row.at = row.mean.and(last);
    }
    let mut gpu = PhaseRow { note: "not read: engine pages say nothing of it".to_owned(), ..blank(Phase::Gpu, "") };
    let mut rollout = PhaseRow { note: "not read: Kubernetes was not asked".to_owned(), ..blank(Phase::Rollout, "") };
    around::gpus(facts, &mut gpu);
    around::rollout(facts, &mut rollout);
    vec![gateway, queue, prefill, rest, decode, gpu, rollout]
}

fn fill(
    facts: &Facts<'_>,
    row: &mut PhaseRow,
    quantity: &str,
    mean: impl Fn(&Span) -> Option<f64>,
    count: impl Fn(&Span) -> f64,
) {
    row.mean = mean(&facts.window);
    if row.mean.is_none() {
        return;
    }
    row.count = Some(count(&facts.window));
    row.source = Some(facts.source(quantity));
    if let Some(before) = facts.shown_baseline() {
        row.baseline = mean(before.span);
        row.baseline_from = row.baseline.map(|_| before.kind);
        row.baseline_count = row.baseline.map(|_| count(before.span));
        row.baseline_between = row.baseline.and(before.between);
        row.delta = row.mean.zip(row.baseline).map(|(m, b)| m - b);
    }
}

/// Engines without histograms count the seconds and the tokens: a mean per token, and nothing more.
fn counters_only(facts: &Facts<'_>, prefill: &mut PhaseRow, decode: &mut PhaseRow) {
    for (row, time, tokens) in
        [(prefill, Total::PrefillSeconds, Total::PromptTokens), (decode, Total::DecodeSeconds, Total::GenerationTokens)]
    {
        if row.mean.is_none() && facts.window.total(time).is_some() {
            row.unit = "s/token";
            fill(facts, row, time.name(), |s| s.ratio(time, tokens), |s| s.total(tokens).unwrap_or(0.0));
        }
    }
}

/// Little's law: waiting requests over the rate at which requests finish.
pub(super) fn newcomer_waits(facts: &Facts<'_>, waiting_now: f64) -> Option<f64> {
    const RECENT_S: f64 = 60.0;
    let from = facts.from.max(facts.now.plus(-RECENT_S));
    let recent = Span::between(&facts.replicas, from, facts.now)?;
    let finished = recent.total(Total::Finished).or_else(|| Some(recent.count(Dist::E2e)).filter(|n| *n > 0.0))?;
    (finished > 0.0).then(|| waiting_now * recent.seconds / finished)
}

fn shares(facts: &Facts<'_>, rows: &mut [&mut PhaseRow]) {
    let Some(before) = facts.shown_baseline().map(|b| b.span) else { return };
    let added = facts.window.mean(Dist::Ttft).zip(before.mean(Dist::Ttft)).map(|(now, before)| now - before);
    // The engines' first token does not know of the gateway's time: what users wait for is the sum.
    let outside = rows.iter().find(|r| r.phase == Phase::Gateway).and_then(|r| r.delta).unwrap_or(0.0).max(0.0);
    let Some(added) = added.map(|a| a.max(0.0) + outside).filter(|a| *a > 0.0) else { return };
    for row in rows {
        if !(row.phase == Phase::Rest && row.lags) {
            row.share_of_added = row.delta.map(|d| (d / added).clamp(0.0, 1.0));
        }
    }
}

fn statuses(
    facts: &Facts<'_>,
    queue: &mut PhaseRow,
    prefill: &mut PhaseRow,
    rest: &mut PhaseRow,
    decode: &mut PhaseRow,
) {
    let broken = |metric| facts.status(metric);
    let ttft = facts.window.mean(Dist::Ttft);
    for row in [&mut *queue, &mut *prefill, &mut *rest] {
        let Some(mean) = row.mean else { continue };
        let share = row.share_of_added.or_else(|| ttft.filter(|t| *t > 0.0).map(|t| mean / t)).unwrap_or(0.0);
        row.status = match broken(Metric::Ttft) {
            _ if row.lags && row.phase == Phase::Rest => RowStatus::Unknown,
            status @ (RowStatus::Breach | RowStatus::Warning) if share >= MAJOR => status,
            RowStatus::Breach | RowStatus::Warning if share >= NOTICEABLE => RowStatus::Warning,
            _ => RowStatus::Ok,
        };
    }
    if queue.status != RowStatus::Breach && facts.waiting_late >= 1.0 {
        queue.status = RowStatus::Breach;
    }
    if decode.mean.is_some() {
        decode.status = match broken(Metric::Tpot) {
            RowStatus::Unknown if decode.unit == "s/token" => RowStatus::Ok,
            status => status,
        };
    }
}

fn queue_note(facts: &Facts<'_>) -> String {
    let mut parts = Vec::new();
    parts.extend(in_pools(facts));
    if let Some(waiting) = facts.levels.waiting {
        let peak =
            if waiting.peak > waiting.last { format!(" (peak {})", number(waiting.peak)) } else { String::new() };
        parts.push(format!("{} waiting{peak}", number(waiting.last)));
    }
    if let Some(running) = facts.levels.running {
        parts.push(format!("{} running", number(running.last)));
    }
    if let Some(kv) = facts.levels.kv {
        parts.push(format!("KV peak {}", super::format::percent(kv.peak)));
    }
    parts.join(", ")
}

/// The queue's mean, by pool, over the same requests; of a deployment whose pools are not known, that they are not.
fn in_pools(facts: &Facts<'_>) -> Option<String> {
    let Some(pools) = &facts.pools else {
        let unknown = facts.window.count(Dist::KvTransfer) > 0.0;
        return unknown.then(|| "which engines prefill and which decode is not known".to_owned());
    };
    let requests = Some(facts.window.count(Dist::Ttft)).filter(|n| *n > 0.0)?;
    let of_each = pools.iter().filter_map(|(pool, part)| {
        let queue = part.window.dist(Dist::Queue)?;
        Some(format!("{pool} {}", seconds(queue.sum / requests)))
    });
    let of_each: Vec<String> = of_each.collect();
    (!of_each.is_empty()).then(|| of_each.join(" + "))
}

fn prefill_note(facts: &Facts<'_>) -> String {
    let tokens = Facts::computed_tokens(&facts.window);
    let mean = facts.phase_mean(&facts.window, Dist::Prefill);
    match (tokens, mean) {
        (Some(tokens), Some(mean)) if tokens > 0.0 => {
            format!("{} tokens x {}", number(tokens.round()), seconds(mean / tokens))
        }
        (Some(tokens), _) => format!("{} tokens per prompt", number(tokens.round())),
        _ => String::new(),
    }
}

fn decode_note(facts: &Facts<'_>) -> String {
    match facts.window.tokens() {
        Some(tokens) if facts.window.seconds > 0.0 => format!("{} tokens/s", number(tokens / facts.window.seconds)),
        _ => String::new(),
    }
}
