//! Is it over: only the SLI says so, on both windows, with traffic, and never because data stopped.

use crate::diagnosis::{SeriesPoint, SloRow, WindowBurn, number, seconds};
use crate::domain::{At, RowStatus};
use crate::runbook::check::Answer;
use crate::runbook::checks::{engine, span};
use crate::runbook::memory::{LONG_S, SHORT_S, burn_over};
use crate::runbook::sight::{Sight, key};

/// How long the hour's burn must have fallen (s).
const FALLING_S: f64 = 300.0;
/// Of the goodput before, so much is "back".
const BACK: f64 = 0.9;
/// And so much less of a share within the objective still is, where fewer requests come.
const SHARE_BACK: f64 = 0.02;
/// Over this long the last slices are judged (s).
const NOW_S: f64 = 60.0;

/// Events that are needed so that none of them late is 95 % certain to be within the budget: ln 0.05 / ln objective,
/// which is 299 at 99 % (sre-nvml.md B4).
fn floor(objective: f64) -> f64 {
    if objective <= 0.0 || objective >= 1.0 {
        return f64::INFINITY;
    }
    (0.05_f64.ln() / objective.ln()).ceil()
}

/// Objectives that were counted before in this run and are not now.
fn vanished(sight: Sight<'_>) -> Option<String> {
    let counted = |wanted: &str| sight.d.slo.iter().any(|s| key(s) == wanted && s.count.is_some());
    sight.memory.burns.iter().find(|b| !counted(&b.key)).map(|b| b.key.trim().to_owned())
}

fn short(row: &SloRow) -> Option<&WindowBurn> {
    burn_over(&row.windows, SHORT_S)
}

/// What speaks against any judgement: data that stopped, or a part of it.
fn blind(sight: Sight<'_>) -> Option<String> {
    if sight.is_stale() {
        let age = sight.engine_age();
        return Some(age.map_or("no engine was read".to_owned(), |a| format!("the newest page is {} old", span(a))));
    }
    if let Some(pod) = sight.silent().next() {
        return Some(format!("{pod} is Ready and its pages stopped coming: what its users see is not known"));
    }
    vanished(sight).map(|what| format!("{what} was counted before and is not any more"))
}

pub(crate) fn burn_short_under_one(sight: Sight<'_>) -> Answer {
    if let Some(why) = blind(sight) {
        return Answer::unknown(why).aged(sight.engine_age());
    }
    let mut said: Vec<String> = Vec::new();
    let (mut over, mut unsure, mut worst) = (false, false, None::<f64>);
    for row in sight.counted() {
        let title = row.metric.title();
        let Some(window) = short(row) else {
            unsure = true;
            said.push(format!("{title}: five minutes were not observed"));
            continue;
        };
        let burn = window.burn.unwrap_or(0.0);
        worst = Some(worst.map_or(burn, |w| w.max(burn)));
        let needed = floor(row.target.objective);
        let counts = format!("{} of {} late", number(window.bad), number(window.count));
        if window.count < needed {
            // Few events can show a breach, and cannot show that there is none.
            over |= row.status == RowStatus::Breach && burn >= 1.0;
            unsure = true;
            said.push(format!("{title} {}: {counts}, {} are needed", number(burn), number(needed)));
        } else if burn >= 1.0 {
            over = true;
            said.push(format!("{title} {}: {counts}", number(burn)));
        } else {
            let at_most = row.bad_at_most.zip(row.count).map(|(most, all)| most / all / row.target.budget());
            let open = at_most.is_some_and(|most| most >= 1.0) && row.nearest_bound.is_some();
            unsure |= open;
            let hint = match row.nearest_bound.filter(|_| open) {
                Some(bound) => format!(
                    ", up to {} as the target is no bucket bound ({} is)",
                    number(at_most.unwrap_or(0.0)),
                    seconds(bound)
                ),
                None => String::new(),
            };
            said.push(format!("{title} {}: {counts}{hint}", number(burn)));
        }
    }
    let says =
        if said.is_empty() { "no events were counted".to_owned() } else { format!("5m burn {}", said.join("; ")) };
    let answer = if over {
        Answer::fail(says)
    } else if unsure || said.is_empty() {
        Answer::unknown(says)
    } else {
        Answer::pass(says)
    };
    match worst {
        Some(worst) => answer.measured(worst, 1.0, "burn"),
        None => answer,
    }
    .aged(sight.engine_age())
}

pub(crate) fn burn_long_falling(sight: Sight<'_>) -> Answer {
    if let Some(why) = blind(sight) {
        return Answer::unknown(why).aged(sight.engine_age());
    }
    let mut said = Vec::new();
    let (mut rising, mut unsure) = (false, false);
    for row in sight.counted() {
        let title = row.metric.title();
        let Some(now) = burn_over(&row.windows, LONG_S).and_then(|w| w.burn) else {
            unsure = true;
            said.push(format!("{title}: an hour was not observed"));
            continue;
        };
        if now < 1.0 {
            said.push(format!("{title} {}, under 1", number(now)));
            continue;
        }
        let past = sight.memory.burns(&key(row)).and_then(|samples| {
            let then = samples.iter().rev().find(|s| sight.d.at.since(s.at) >= FALLING_S && s.long.is_some())?;
            let since: Vec<f64> = samples.iter().filter(|s| s.at >= then.at).filter_map(|s| s.long).collect();
            Some((then.long?, since))
        });
        let Some((then, since)) = past else {
            unsure = true;
            said.push(format!("{title} {}: not watched for {} yet", number(now), span(FALLING_S)));
            continue;
        };
        // It may stand still between two samples; it may not rise.
        let steady = since.windows(2).all(|w| w[1] <= w[0] * 1.005 + 0.01);
        if now < then && steady {
            said.push(format!("{title} {}, was {} {} ago", number(now), number(then), span(FALLING_S)));
        } else {
            rising = true;
            said.push(format!("{title} {}, was {} {} ago: not falling", number(now), number(then), span(FALLING_S)));
        }
    }
    let says =
        if said.is_empty() { "no events were counted".to_owned() } else { format!("1h burn {}", said.join("; ")) };
    if rising {
        Answer::fail(says)
    } else if unsure || said.is_empty() {
        Answer::unknown(says)
    } else {
        Answer::pass(says)
    }
    .aged(sight.engine_age())
}

/// First tokens per second that came in time, over these slices: at least and at most. TTFT is counted by request and
/// TPOT by token, so how many requests met both is only bounded.
fn goodput(points: &[&SeriesPoint]) -> Option<(f64, f64, f64)> {
    let (mut seconds, mut all, mut least, mut most) = (0.0, 0.0, 0.0, 0.0);
    for p in points {
        let late = p.ttft_late.unwrap_or(0.0);
        seconds += p.to.since(p.from);
        all += p.ttft_count;
        most += p.ttft_count * (1.0 - late);
        least += p.ttft_count * (1.0 - late - p.itl_late.unwrap_or(0.0)).max(0.0);
    }
    (seconds > 0.0 && all > 0.0).then(|| (least / seconds, most / seconds, least / all))
}

/// Slices that end before the onset, and those of the last minute.
fn before_and_now(sight: Sight<'_>, onset: At) -> (Vec<&SeriesPoint>, Vec<&SeriesPoint>) {
    let last = sight.d.series.last().map_or(sight.d.at, |p| p.to);
    let now = sight.d.series.iter().filter(|p| last.since(p.to) < NOW_S).collect();
    (sight.d.series.iter().filter(|p| p.to <= onset).collect(), now)
}

pub(crate) fn goodput_back(sight: Sight<'_>) -> Answer {
    if let Some(why) = blind(sight) {
        return Answer::unknown(why).aged(sight.engine_age());
    }
    let Some(onset) = sight.memory.onset.or(sight.d.since) else {
        return Answer::unknown("no onset is known, so there is no before");
    };
    let (before, now) = before_and_now(sight, onset);
    let (Some((was, _, was_share)), Some((least, most, share))) = (goodput(&before), goodput(&now)) else {
        return Answer::unknown("nothing was counted before the onset, or nothing is now");
    };
    let says = format!("{}-{} requests/s in time, was {}", number(least), number(most), number(was));
    if least >= BACK * was {
        return Answer::pass(says).measured(least, BACK * was, "1/s").aged(sight.engine_age());
    }
    if share >= was_share - SHARE_BACK {
        return Answer::pass(format!("{says}; fewer come than before, and as large a share is in time"))
            .measured(share, was_share - SHARE_BACK, "ratio")
            .aged(sight.engine_age());
    }
    // The bounds leave it open where the upper one would do.
    if most >= BACK * was { Answer::unknown(says) } else { Answer::fail(says) }
        .measured(least, BACK * was, "1/s")
        .aged(sight.engine_age())
}

pub(crate) fn waiting_drained(sight: Sight<'_>) -> Answer {
    let Some(read) = engine::waiting(sight) else { return Answer::unknown("no engine tells how many wait") };
    // One reading is a moment: a request or two that wait for the next step are no queue. So a minute stands against what
    // was usual before, both by their middle.
    let middle = |points: &[&SeriesPoint]| {
        let mut waiting: Vec<f64> = points.iter().filter_map(|p| p.waiting).collect();
        waiting.sort_by(f64::total_cmp);
        waiting.get(waiting.len() / 2).copied()
    };
    let onset = sight.memory.onset.or(sight.d.since);
    let usual = onset.and_then(|onset| middle(&before_and_now(sight, onset).0));
    let waiting = onset.and_then(|onset| middle(&before_and_now(sight, onset).1)).unwrap_or(read);
    let most = (1.5 * usual.unwrap_or(0.0)).max(1.0);
    let was = usual.map_or(String::new(), |u| format!(", usually {}", number(u)));
    Answer::of(waiting <= most, format!("{} wait{was}", number(waiting)))
        .measured(waiting, most, "requests")
        .while_fresh(sight)
}

pub(crate) fn enough_traffic(sight: Sight<'_>) -> Answer {
    let rows = || sight.d.slo.iter().filter_map(|r| Some((r, short(r)?)));
    let least = rows()
        .min_by(|a, b| (a.1.count / floor(a.0.target.objective)).total_cmp(&(b.1.count / floor(b.0.target.objective))));
    let Some((row, window)) = least else {
        return Answer::unknown("five minutes were not observed yet").aged(sight.engine_age());
    };
    let needed = floor(row.target.objective);
    Answer::of(
        window.count >= needed,
        format!("{}: {} events in 5 min, {} are needed", row.metric.title(), number(window.count), number(needed)),
    )
    .measured(window.count, needed, "events")
    .while_fresh(sight)
}

pub(crate) fn alert_clear(sight: Sight<'_>) -> Answer {
    let Some(alert) = sight.alert() else { return Answer::unknown("no Prometheus was asked") };
    let age = Some(sight.d.at.since(alert.at));
    if !alert.firing {
        return Answer::pass(format!("alert {} is clear", alert.name)).aged(age);
    }
    // An alert looks back over its windows: that it still fires says nothing against a recovery.
    Answer::unknown(format!("alert {} still fires: it looks back over its windows", alert.name)).aged(age)
}

pub(crate) fn probe_in_time(sight: Sight<'_>) -> Answer {
    use crate::diagnosis::Metric;
    let Some((probe, age)) = sight.probe() else { return Answer::unknown("the probe is off") };
    let target = sight.rows(Metric::Ttft).map(|r| r.target.seconds).next();
    match (&probe.answer, target) {
        (Ok(answer), Some(target)) => {
            let s = answer.ttft_s;
            Answer::of(s <= target, format!("the probe's first token took {}", seconds(s))).measured(s, target, "s")
        }
        (Err(failure), _) => Answer::fail(format!("the probe got no answer: {failure}")),
        (_, None) => Answer::unknown("there is no target to compare with"),
    }
    .aged(Some(age))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_floor_of_events_is_that_of_the_rule_of_three() {
        assert_eq!(floor(0.99), 299.0);
        assert_eq!(floor(0.95), 59.0);
        assert_eq!(floor(0.90), 29.0);
    }
}
