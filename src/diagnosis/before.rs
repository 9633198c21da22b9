//! What was before, as a Prometheus tells it: the last healthy hour before the change or the onset, else the same hour of
//! the day before. It was not watched here, so it has no gauges and no replicas: counts and sums alone.

use super::Targets;
use super::facts::Baseline;
use super::slo::over_budget;
use super::span::Span;
use crate::domain::{At, BaselineKind, Dist, Histogram, Snapshot, ToldStretch, Total};

/// A baseline is made of this much time (s) where there is so much: enough for a service with a request a minute.
const WHOLE_S: f64 = 3600.0;
/// What is older than this is another day's (s).
const TODAY_S: f64 = 12.0 * 3600.0;
/// A rollout up to so long before the onset (s) may have led to it: what came after it is no before.
const LED_S: f64 = 3600.0;
/// First tokens that a baseline needs, as of what was watched here.
const LEAST: f64 = 5.0;

/// The last moment that is certainly before: the onset, or the rollout that may have led to it.
pub(super) fn until(onset: At, rollouts: impl Iterator<Item = At>) -> At {
    rollouts.filter(|at| *at <= onset && onset.since(*at) <= LED_S).max().unwrap_or(onset)
}

/// The best of the told stretches that ended by `until`.
pub(super) fn told(snapshot: &Snapshot, model: Option<&str>, until: At, targets: Targets) -> Option<Baseline> {
    let past = &snapshot.told.as_ref()?.1.past;
    let mut usable: Vec<&ToldStretch> =
        past.iter().filter(|s| s.to <= until && (s.model.as_deref() == model || s.model.is_none())).collect();
    usable.sort_by_key(|s| s.to);
    let split = usable.partition_point(|s| until.since(s.to) > TODAY_S);
    let (yesterday, today) = usable.split_at(split);
    last_healthy(today, targets).or_else(|| last_healthy(yesterday, targets))
}

/// The last run of healthy stretches, up to an hour; none where too little happened in it.
fn last_healthy(stretches: &[&ToldStretch], targets: Targets) -> Option<Baseline> {
    let mut taken: Vec<&ToldStretch> = Vec::new();
    for stretch in stretches.iter().rev() {
        let (healthy, full) = (is_healthy(stretch, targets), taken.last().zip(taken.first()));
        match full {
            Some((first, last)) if !healthy || last.to.since(first.from) >= WHOLE_S => {
                if enough(&taken) {
                    break;
                }
                // Too little happened in it to go by; what is older may do.
                taken.clear();
            }
            _ => {}
        }
        if healthy {
            taken.push(stretch);
        }
    }
    if !enough(&taken) {
        return None;
    }
    let (from, to) = (taken.last()?.from, taken.first()?.to);
    let sum = |of: &dyn Fn(&ToldStretch) -> Option<f64>| taken.iter().filter_map(|s| of(s)).reduce(|a, b| a + b);
    let span = Span::counted(
        taken.iter().map(|s| s.to.since(s.from)).sum(),
        |total: Total| sum(&|s| value(&s.counts, total.name())),
        |dist: Dist| {
            // Only what has both is a mean: a sum from one stretch and a count from another are none.
            let both = |s: &ToldStretch| Some((value(&s.sums, dist.name())?, value(&s.counts, dist.name())?));
            let (sum, count) = taken.iter().filter_map(|s| both(s)).reduce(|a, b| (a.0 + b.0, a.1 + b.1))?;
            Some(Histogram::plain(sum, count))
        },
    );
    Some(Baseline { kind: BaselineKind::Prometheus, span, stretch: None, running: None, between: Some((from, to)) })
}

fn enough(taken: &[&ToldStretch]) -> bool {
    let count = |name| taken.iter().filter_map(|s| value(&s.counts, name)).sum::<f64>();
    count(Dist::Ttft.name()) >= LEAST
}

/// Whether both objectives hold in it, as far as they are told; what nobody asked anything of is no example.
fn is_healthy(stretch: &ToldStretch, targets: Targets) -> bool {
    let broken = |dist: Dist, budget: f64| {
        let (late, count) = (value(&stretch.late, dist.name()), value(&stretch.counts, dist.name()));
        late.zip(count).is_some_and(|(late, count)| over_budget(late, count, budget))
    };
    let asked = value(&stretch.counts, Dist::Ttft.name()).is_some_and(|n| n > 0.0);
    asked && !broken(Dist::Ttft, targets.ttft.budget()) && !broken(Dist::Itl, targets.tpot.budget())
}

fn value(all: &[(String, f64)], name: &str) -> Option<f64> {
    all.iter().find(|(known, _)| known == name).map(|(_, value)| *value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::{BurnPreset, Target};
    use crate::domain::Told;

    const STRETCH: i64 = 300_000;
    const DAY: i64 = 86_400_000;

    fn targets() -> Targets {
        let target = Target { seconds: 0.5, objective: 0.99 };
        Targets { ttft: target, tpot: target, burn: BurnPreset::Workbook }
    }

    fn stretch(end: i64, mean: f64, late: f64) -> ToldStretch {
        let named = |value: f64| vec![("ttft".to_owned(), value)];
        ToldStretch {
            model: None,
            from: At(end - STRETCH),
            to: At(end),
            counts: named(100.0),
            sums: named(100.0 * mean),
            late: named(late),
        }
    }

    fn told_of(past: Vec<ToldStretch>, until: i64) -> Option<Baseline> {
        let told = Some((At(10 * DAY), Told { past, ..Told::default() }));
        super::told(&Snapshot { told, ..Snapshot::default() }, Some("m"), At(until), targets())
    }

    #[test]
    fn the_last_healthy_hour_before_is_taken_and_the_incident_is_not() {
        let noon = 10 * DAY;
        let mut past: Vec<ToldStretch> = (-30..0).map(|i| stretch(noon + i * STRETCH, 0.1, 0.0)).collect();
        past.extend((0..6).map(|i| stretch(noon + (i + 1) * STRETCH, 9.0, 50.0)));
        let found = told_of(past.clone(), noon + 7 * STRETCH).expect("a baseline");
        assert_eq!(found.between, Some((At(noon - 13 * STRETCH), At(noon - STRETCH))), "twelve stretches make an hour");
        assert_eq!((found.span.count(Dist::Ttft), found.span.seconds), (1200.0, 3600.0));
        assert!((found.span.mean(Dist::Ttft).expect("a mean") - 0.1).abs() < 1e-9);
        assert_eq!(told_of(past, noon - 40 * STRETCH).map(|b| b.between), None, "nothing is known of earlier");
    }

    #[test]
    fn where_today_was_never_well_the_same_hour_of_yesterday_is_the_before() {
        let noon = 10 * DAY;
        let mut past: Vec<ToldStretch> = (-6..6).map(|i| stretch(noon - DAY + i * STRETCH, 0.2, 0.0)).collect();
        past.extend((-30..0).map(|i| stretch(noon + i * STRETCH, 9.0, 50.0)));
        let found = told_of(past, noon).expect("a baseline");
        assert_eq!(found.between.map(|(_, to)| to), Some(At(noon - DAY + 5 * STRETCH)));
    }

    #[test]
    fn a_few_late_events_are_no_incident_and_an_idle_stretch_is_no_example() {
        let noon = 10 * DAY;
        let mut idle = stretch(noon - STRETCH, 0.0, 0.0);
        idle.counts = vec![("ttft".to_owned(), 0.0)];
        let past = vec![stretch(noon - 2 * STRETCH, 0.3, 1.0), idle];
        let found = told_of(past, noon).expect("a baseline");
        assert_eq!(found.between, Some((At(noon - 3 * STRETCH), At(noon - 2 * STRETCH))));
    }

    #[test]
    fn a_rollout_shortly_before_the_onset_ends_what_was_before() {
        let at = |minutes: i64| At(minutes * 60_000);
        assert_eq!(until(at(100), [at(30), at(95), at(101)].into_iter()), at(95));
        assert_eq!(until(at(100), [at(30)].into_iter()), at(100));
    }
}
