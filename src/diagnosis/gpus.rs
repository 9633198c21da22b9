//! What is known of each GPU: confirmed, inferred or unknown, and never "ok" for want of data.
//!
//! Bits, classes and thresholds are NVML's (nvml.h 13) and NVIDIA's XID catalogue: idle, power capping near the limit and
//! a pending row remap are benign; what counts must last, because single bits flash when a clock changes.

use super::cluster::pod_name;
use super::format::{number, percent, seconds};
use super::outcome::{GpuRow, Truth};
use crate::domain::{At, Cause, GpuSample, GpuTrack, Mechanism, Snapshot};

/// Bits of the clock's event reasons that hold a clock down and are never benign when they last.
const HW_SLOWDOWN: u64 = 0x8;
const SW_THERMAL: u64 = 0x20;
const HW_THERMAL: u64 = 0x40;
const POWER_BRAKE: u64 = 0x80;
const POWER_CAP: u64 = 0x4;
const HARMFUL: u64 = HW_SLOWDOWN | SW_THERMAL | HW_THERMAL | POWER_BRAKE;

/// Readings in which a bit must stand, or a clock be low, to count.
const SUSTAINED: usize = 5;
/// A clock that is let go for less than this was held all the same: heat comes and goes with the load, and in a group of
/// GPUs that wait for each other it goes around (s).
const QUIET_S: f64 = 300.0;
/// It is still so if it was so this long ago (s).
const STILL_S: f64 = 90.0;
/// The share of the time by cumulative counters that counts as lasting.
const THROTTLED_SHARE: f64 = 0.05;
/// Under load is more than this much of the time with a kernel.
const LOADED: f64 = 0.5;
/// A clock below this share of its highest is low.
const LOW: f64 = 0.85;
/// Heat at which a GPU or its memory holds its clock down by itself (°C).
const HOT_C: f64 = 84.0;
const HOT_MEMORY_C: f64 = 95.0;
/// Power at the limit, as a share of it.
const AT_LIMIT: f64 = 0.97;
/// An exporter reads every 30 s by default: a reading older than three of them says nothing of now (s).
const OLD_S: f64 = 90.0;
/// An exporter's page has all its GPUs whenever it is read: one that is missing for so long beside the others is gone (s).
const MISSING_S: f64 = 30.0;

/// A GPU that is in trouble.
#[derive(Debug, Clone)]
pub(super) struct Trouble {
    pub(super) mechanism: Mechanism,
    pub(super) cause: Option<Cause>,
    /// Since when, as far as was seen.
    pub(super) since: At,
    /// What proves it, in words, with the number, its threshold and its unit.
    pub(super) claim: String,
    pub(super) value: f64,
    pub(super) threshold: f64,
    pub(super) unit: &'static str,
    pub(super) field: &'static str,
}

/// One GPU, judged.
#[derive(Debug, Clone)]
pub(super) struct Gpu<'a> {
    pub(super) track: &'a GpuTrack,
    pub(super) row: GpuRow,
    pub(super) trouble: Option<Trouble>,
}

impl Gpu<'_> {
    /// How it is called: its node and index.
    pub(super) fn name(&self) -> String {
        let id = &self.track.id;
        let index = id.index.map_or_else(|| id.uuid.clone().unwrap_or_default(), |i| i.to_string());
        match &id.node {
            Some(node) => format!("{node}/gpu {index}"),
            None => format!("gpu {index}"),
        }
    }
}

/// When a GPU, or another one that the same pod holds, was first held down without a long break until `since`: what holds
/// one of a group back goes around.
pub(super) fn held_since(gpus: &[Gpu<'_>], gpu: &Gpu<'_>, since: At) -> At {
    let group = gpus.iter().filter(|g| g.track.id.node == gpu.track.id.node && g.row.pod == gpu.row.pod);
    let held = |s: &GpuSample| s.event_reasons.is_some_and(|r| r & HARMFUL != 0);
    let mut times: Vec<At> = group
        .flat_map(|g| g.track.points.iter().filter(|(_, s)| held(s)).map(|p| p.0))
        .filter(|at| *at < since)
        .collect();
    times.sort_unstable();
    times.into_iter().rev().fold(since, |since, at| if since.since(at) <= QUIET_S { at } else { since })
}

/// Judges every GPU over `from..=now`.
pub(super) fn judge(snapshot: &Snapshot, from: At) -> Vec<Gpu<'_>> {
    let now = snapshot.now;
    let highest = |track: &GpuTrack| {
        let own = |t: &GpuTrack| t.points.iter().filter_map(|(_, s)| s.sm_clock_hz).fold(0.0, f64::max);
        let stated = track.points.iter().rev().find_map(|(_, s)| s.sm_clock_max_hz);
        // What its like reach, it could reach.
        let like = snapshot.gpus.iter().filter(|t| t.product.is_some() && t.product == track.product).map(own);
        stated.unwrap_or_else(|| like.fold(own(track), f64::max))
    };
    // An exporter that names nobody any more has let the GPU go.
    let gone = |pod: &str| snapshot.endpoints.iter().any(|e| e.gone && pod_name(e) == pod);
    let listed = |track: &GpuTrack| {
        let beside = snapshot.gpus.iter().filter(|t| t.source == track.source && t.id != track.id);
        beside.filter_map(|t| t.at_or_before(now)).map(|p| p.0).max()
    };
    let judged = |track| one(track, (from, now), highest(track), listed(track), gone);
    let mut gpus: Vec<Gpu<'_>> = snapshot.gpus.iter().filter_map(judged).collect();
    gpus.sort_by(|a, b| (&a.track.id.node, a.track.id.index).cmp(&(&b.track.id.node, b.track.id.index)));
    gpus
}

/// `listed` is when the exporter of a GPU last listed another one.
fn one(
    track: &GpuTrack,
    (from, now): (At, At),
    highest: f64,
    listed: Option<At>,
    gone: impl Fn(&str) -> bool,
) -> Option<Gpu<'_>> {
    let (at, last) = track.at_or_before(now)?;
    let points: Vec<&(At, GpuSample)> = track.points.iter().filter(|p| p.0 >= from && p.0 <= now).collect();
    let old = now.since(*at) > OLD_S;
    let missing = listed.and_then(|listed| missing(*at, listed));
    let lost = missing.is_some();
    let trouble = missing.or_else(|| if old { None } else { trouble(track, &points, now, highest) });
    let reads =
        last.event_reasons.is_some() || last.ecc_uncorrected_volatile.is_some() || last.thermal_throttle_s.is_some();
    let told = trouble.as_ref().is_some_and(|t| !matches!(t.field, "sm_clock" | "power"));
    let truth = match (old, &trouble) {
        (_, Some(_)) if lost => Truth::Confirmed,
        (false, Some(_)) if told => Truth::Confirmed,
        (false, None) if reads => Truth::Confirmed,
        (false, Some(t)) if t.cause.is_some() => Truth::Inferred,
        _ => Truth::Unknown,
    };
    let note = if old && !lost {
        format!("last reading {} old", seconds(now.since(*at)))
    } else {
        trouble.as_ref().map_or_else(|| calm(last, highest), |t| t.claim.clone())
    };
    let row = GpuRow {
        id: track.id.clone(),
        pod: track.pod.clone().filter(|pod| !gone(pod)),
        product: track.product.clone(),
        sample: last.clone(),
        at: *at,
        truth,
        note,
        troubled: trouble.is_some(),
    };
    Some(Gpu { track, row, trouble })
}

/// A GPU that its exporter tells nothing of any more, and of the others it does.
fn missing(at: At, listed: At) -> Option<Trouble> {
    let since = listed.since(at);
    (since > MISSING_S).then(|| Trouble {
        mechanism: Mechanism::GpuLost,
        cause: None,
        since: at,
        claim: format!("missing on its exporter's page for {}, which has the others", seconds(since)),
        value: since,
        threshold: MISSING_S,
        unit: "s",
        field: "gpus of the page",
    })
}

/// What is wrong with a GPU, the worst first.
fn trouble(track: &GpuTrack, points: &[&(At, GpuSample)], now: At, highest: f64) -> Option<Trouble> {
    let last = &points.last()?.1;
    xid(track, points)
        .or_else(|| memory(track, points, last))
        .or_else(|| held_down(track, points, now))
        .or_else(|| low_under_load(track, points, now, highest))
}

/// XIDs after which a GPU or its memory is not to be relied on (NVIDIA's catalogue: reset, drain or restart the node).
/// The number is sticky: only one that appeared while we looked is news.
fn xid(track: &GpuTrack, points: &[&(At, GpuSample)]) -> Option<Trouble> {
    let last = points.last()?.1.xid.filter(|x| *x != 0)?;
    let mechanism = match last {
        48 | 64 | 94 | 95 | 140 => Mechanism::GpuMemoryFault,
        62 | 74 | 79 | 109 | 110 | 119 | 120 | 143 | 158 => Mechanism::GpuLost,
        _ => return None,
    };
    let since = track.points.iter().rev().take_while(|(_, s)| s.xid == Some(last)).last()?.0;
    let appeared = track.points.iter().any(|(at, s)| *at < since && s.xid.is_some_and(|x| x != last));
    appeared.then(|| Trouble {
        mechanism,
        cause: Some(Cause::GpuXid),
        since,
        claim: format!("XID {last} appeared"),
        value: f64::from(last),
        threshold: 0.0,
        unit: "code",
        field: "xid",
    })
}

fn memory(track: &GpuTrack, points: &[&(At, GpuSample)], last: &GpuSample) -> Option<Trouble> {
    let errors = |s: &GpuSample| s.ecc_uncorrected_volatile;
    let now = errors(last)?;
    // Counted since the driver was loaded: what stood there before we looked is no news.
    let earliest = track.points.iter().find_map(|(_, s)| errors(s)).unwrap_or(now);
    if now > earliest {
        let since = track.points.iter().find(|(_, s)| errors(s).is_some_and(|e| e > earliest))?.0;
        let mut steps = track.points.iter().zip(track.points.iter().skip(1)).rev();
        let recent = steps.find(|(a, b)| errors(&b.1) > errors(&a.1)).map(|(_, b)| b.0)?;
        if recent >= points.first()?.0 {
            #[expect(clippy::cast_precision_loss, reason = "a count of errors")]
            let grown = (now - earliest) as f64;
            return Some(Trouble {
                mechanism: Mechanism::GpuMemoryFault,
                cause: Some(Cause::GpuEcc),
                since,
                claim: format!("{} uncorrected memory errors since we look", number(grown)),
                value: grown,
                threshold: 0.0,
                unit: "errors",
                field: "ecc_uncorrected_volatile",
            });
        }
    }
    (last.row_remap_failed == Some(true)).then(|| Trouble {
        mechanism: Mechanism::GpuMemoryFault,
        cause: Some(Cause::GpuEcc),
        since: track.points.iter().find(|(_, s)| s.row_remap_failed == Some(true)).map_or(points[0].0, |p| p.0),
        claim: "a faulty memory row could not be remapped".to_owned(),
        value: 1.0,
        threshold: 0.0,
        unit: "flag",
        field: "row_remap_failed",
    })
}

/// Event reasons that last, or the counters of throttled time.
fn held_down(track: &GpuTrack, points: &[&(At, GpuSample)], now: At) -> Option<Trouble> {
    let with = |mask: u64| {
        let set = |s: &GpuSample| s.event_reasons.is_some_and(|r| r & mask != 0);
        let count = points.iter().filter(|(_, s)| set(s)).count();
        // It must have lasted, and still be so, or have been so a moment ago.
        let last = points.iter().rev().find(|(_, s)| set(s)).map(|p| p.0);
        let still = last.is_some_and(|at| now.since(at) <= STILL_S);
        (count >= SUSTAINED && still).then(|| {
            let mut since = now;
            for (at, sample) in track.points.iter().rev() {
                if set(sample) {
                    since = *at;
                } else if since.since(*at) > QUIET_S {
                    break;
                }
            }
            (since, count)
        })
    };
    let last = &points.last()?.1;
    let hot =
        last.temperature_c.is_some_and(|c| c >= HOT_C) || last.memory_temperature_c.is_some_and(|c| c >= HOT_MEMORY_C);
    let heat = last.temperature_c.map_or(String::new(), |c| format!(" at {} °C", number(c)));
    let found = with(SW_THERMAL | HW_THERMAL)
        .map(|w| (w, Cause::GpuThermal, "heat"))
        .or_else(|| with(POWER_BRAKE).map(|w| (w, Cause::GpuPowerBrake, "the power brake")))
        .or_else(|| {
            let cause = if hot { (Cause::GpuThermal, "heat") } else { (Cause::GpuPowerBrake, "a hardware slowdown") };
            with(HW_SLOWDOWN).map(|w| (w, cause.0, cause.1))
        });
    if let Some(((since, count), cause, by)) = found {
        let heat = if cause == Cause::GpuThermal { heat } else { String::new() };
        return Some(Trouble {
            mechanism: Mechanism::GpuClockReduced,
            cause: Some(cause),
            since,
            claim: format!("{} by {by}{heat} (in {count} of {} readings)", held_at(last), points.len()),
            value: count as f64,
            threshold: SUSTAINED as f64 - 1.0,
            unit: "readings",
            field: "event_reasons",
        });
    }
    // Reasons that were read and are not there overrule a counter that may count what is benign.
    let read = points.iter().filter(|(_, s)| s.event_reasons.is_some()).count() >= SUSTAINED;
    let first = points.first()?;
    let length = points.last()?.0.since(first.0);
    let counted = [(true, Cause::GpuThermal, "heat"), (false, Cause::GpuPowerCap, "its power limit")];
    counted.into_iter().filter(|(thermal, ..)| *thermal || !read).find_map(|(thermal, cause, by)| {
        let time = |s: &GpuSample| if thermal { s.thermal_throttle_s } else { s.power_throttle_s };
        let share = (time(last)? - time(&first.1)?) / length;
        let low = thermal || last.sm_clock_hz.zip(last.sm_clock_max_hz).is_some_and(|(c, m)| c < LOW * m);
        (points.len() >= 2 && share >= THROTTLED_SHARE && low).then(|| Trouble {
            mechanism: Mechanism::GpuClockReduced,
            cause: Some(cause),
            since: rise(track, time).unwrap_or(first.0),
            claim: format!("{} by {by} for {} of the time", held_at(last), percent(share.min(1.0))),
            value: share,
            threshold: THROTTLED_SHARE,
            unit: "ratio",
            field: if thermal { "thermal_throttle_s" } else { "power_throttle_s" },
        })
    })
}

/// When a counter of throttled time began to rise for the last time.
fn rise(track: &GpuTrack, time: impl Fn(&GpuSample) -> Option<f64>) -> Option<At> {
    let mut since = None;
    let points: Vec<_> = track.points.iter().collect();
    for pair in points.windows(2).rev() {
        if time(&pair[1].1) > time(&pair[0].1) {
            since = Some(pair[0].0);
        } else if since.is_some_and(|s| s.since(pair[0].0) > QUIET_S) {
            break;
        }
    }
    since
}

/// A clock that is low while kernels run, where nobody says why: heat or power at the limit is the likely reason.
fn low_under_load(track: &GpuTrack, points: &[&(At, GpuSample)], now: At, highest: f64) -> Option<Trouble> {
    // Where reasons are read, they say it, and a capped clock near the power limit is normal.
    let capped = |s: &GpuSample| s.event_reasons.is_some_and(|r| r & POWER_CAP != 0);
    let known_fine = |s: &GpuSample| s.event_reasons.is_some_and(|r| r & (HARMFUL | POWER_CAP) == 0);
    let low = |s: &GpuSample| {
        s.utilisation.is_some_and(|u| u > LOADED)
            && s.sm_clock_hz.is_some_and(|c| highest > 0.0 && c < LOW * highest)
            && !known_fine(s)
    };
    let still = points.iter().rev().find(|(_, s)| low(s)).is_some_and(|p| now.since(p.0) <= STILL_S);
    let count = points.iter().filter(|(_, s)| low(s)).count();
    if count < SUSTAINED || !still {
        return None;
    }
    let last = &points.last()?.1;
    let hot =
        last.temperature_c.is_some_and(|c| c >= HOT_C) || last.memory_temperature_c.is_some_and(|c| c >= HOT_MEMORY_C);
    let at_limit = last.power_w.zip(last.power_limit_w).is_some_and(|(w, limit)| w >= AT_LIMIT * limit);
    let (cause, why) = match (hot, at_limit || capped(last)) {
        (true, _) => {
            let heat = last.temperature_c.map_or(String::new(), number);
            (Some(Cause::GpuThermal), format!(", by heat as it seems ({heat} °C)"))
        }
        (false, true) => (Some(Cause::GpuPowerCap), ", at its power limit".to_owned()),
        (false, false) => (None, ", and nothing says why".to_owned()),
    };
    let mut since = now;
    for (at, sample) in track.points.iter().rev() {
        if low(sample) {
            since = *at;
        } else if since.since(*at) > QUIET_S {
            break;
        }
    }
    let clock = last.sm_clock_hz.unwrap_or(0.0);
    let field = if capped(last) && !hot { "power" } else { "sm_clock" };
    Some(Trouble {
        mechanism: Mechanism::GpuClockReduced,
        cause,
        since,
        claim: format!("{} under load, {} is its highest{why}", held_at(last), hertz(highest)),
        value: clock,
        threshold: LOW * highest,
        unit: "Hz",
        field,
    })
}

/// What a GPU without trouble says.
fn calm(last: &GpuSample, highest: f64) -> String {
    let idle = last.utilisation.is_some_and(|u| u < 0.05);
    let clock = match last.sm_clock_hz {
        _ if idle => "idle".to_owned(),
        Some(c) if highest > 0.0 && c >= LOW * highest => "clocks at max".to_owned(),
        Some(c) => format!("clock at {}", hertz(c)),
        None => "clocks not exported".to_owned(),
    };
    let proof = match (last.event_reasons.or(last.thermal_throttle_s.map(|_| 0)), last.ecc_uncorrected_volatile) {
        (Some(_), Some(0)) => "no throttle, no ECC errors".to_owned(),
        (Some(_), Some(n)) => format!("no throttle, {n} old ECC errors"),
        (Some(_), None) => "no throttle, ECC not exported".to_owned(),
        (None, Some(0)) => "no ECC errors, throttle not exported".to_owned(),
        (None, Some(n)) => format!("{n} old ECC errors, throttle not exported"),
        (None, None) => "throttle and ECC not exported".to_owned(),
    };
    format!("{clock}; {proof}")
}

fn held_at(sample: &GpuSample) -> String {
    sample.sm_clock_hz.map_or("clock held down".to_owned(), |c| format!("clock held at {}", hertz(c)))
}

/// A clock as people say it.
fn hertz(hz: f64) -> String {
    format!("{:.2} GHz", hz / 1e9)
}
