//! The same objective by whose requests they are: model and route, tenant, class, as far as a gateway's labels tell them
//! apart. Engines' pages tell models and nothing else.

use std::collections::BTreeMap;

use super::facts::Facts;
use super::format::percent;
use super::slo::{self, Events, Metric, SloRow, over_budget};
use super::span::{Replica, Span};
use super::{Policy, Targets};
use crate::domain::{Dist, Phase, RowStatus, Slice, Snapshot};

/// The most rows of slices by one latency: the worst ones.
const MOST: usize = 12;
/// First tokens, requests or tokens that a slice needs to be a row of its own.
const ENOUGH: f64 = 10.0;
/// The share of all late ones that makes them a slice's own: as for those of one replica.
const OWN: f64 = 0.6;

/// What part of a slice is looked at.
type Part = fn(&Slice) -> Option<Slice>;

/// Model and route together, tenants, classes: each tells requests apart in another way, and they are not added.
const PARTS: [Part; 3] = [
    |s| Some(Slice { model: s.model.clone(), route: s.route.clone(), ..Slice::default() }).filter(|s| !s.is_empty()),
    |s| s.tenant.clone().map(|tenant| Slice { tenant: Some(tenant), ..Slice::default() }),
    |s| s.class.clone().map(|class| Slice { class: Some(class), ..Slice::default() }),
];

/// The distributions in which a gateway may tell a latency, the better one first: engines are judged by token, and so is a
/// gateway that counts tokens.
const fn told_in(metric: Metric) -> &'static [Dist] {
    match metric {
        Metric::Ttft => &[Dist::GatewayTtft],
        Metric::Tpot => &[Dist::GatewayItl, Dist::GatewayTpot],
    }
}

/// The tracks of the gateway that tells a latency apart, and in which distribution: of several in a row, the first, for they
/// count the same requests.
fn telling<'a>(facts: &Facts<'a>, metric: Metric) -> Option<(Dist, Vec<Replica<'a>>)> {
    let gateway = facts.gateway.as_ref()?;
    let tells = |r: &Replica<'_>, dist: Dist| {
        let last = r.track.points().back();
        r.track.slice.is_some() && last.is_some_and(|p| p.values.dist(dist).is_some())
    };
    let system = |r: &Replica<'_>| r.endpoint.system.as_ref().map(|s| s.engine.clone());
    let told = told_in(metric);
    let first = system(gateway.tracks.iter().find(|r| told.iter().any(|dist| tells(r, *dist)))?)?;
    let of = |dist: Dist| {
        // A kind that is only counted otherwise (requests of an endpoint, say) is none of this latency.
        let ours = |r: &&Replica<'_>| tells(r, dist) && system(r).as_ref() == Some(&first);
        let tracks: Vec<Replica<'a>> = gateway.tracks.iter().filter(ours).copied().collect();
        (!tracks.is_empty()).then_some((dist, tracks))
    };
    told.iter().find_map(|dist| of(*dist))
}

/// The gateway's tracks by one part of what tells them apart; nothing where there is but one kind, which is everything.
fn apart<'a>(tracks: &[Replica<'a>], part: Part) -> BTreeMap<Slice, Vec<Replica<'a>>> {
    let mut groups: BTreeMap<Slice, Vec<Replica<'a>>> = BTreeMap::new();
    for track in tracks {
        if let Some(slice) = track.track.slice.as_ref().and_then(part) {
            groups.entry(slice).or_default().push(*track);
        }
    }
    groups
}

/// What each slice waited against what is promised to it, the worst first.
pub(super) fn rows(facts: &Facts<'_>, snapshot: &Snapshot, policy: &Policy) -> Vec<SloRow> {
    let rank = |row: &SloRow| match row.status {
        RowStatus::Breach => 0,
        RowStatus::Warning => 1,
        RowStatus::Ok | RowStatus::Unknown => 2,
    };
    let of = |metric: Metric| {
        let mut rows = rows_of(metric, facts, snapshot, policy);
        // Counts are compared within one latency alone: late requests and late tokens are no more or less than each other.
        rows.sort_by(|a, b| rank(a).cmp(&rank(b)).then(b.bad.unwrap_or(0.0).total_cmp(&a.bad.unwrap_or(0.0))));
        rows.truncate(MOST);
        rows
    };
    let mut rows = of(Metric::Ttft);
    rows.extend(of(Metric::Tpot));
    rows.sort_by_key(rank);
    rows
}

fn rows_of(metric: Metric, facts: &Facts<'_>, snapshot: &Snapshot, policy: &Policy) -> Vec<SloRow> {
    let Some((dist, tracks)) = telling(facts, metric) else { return Vec::new() };
    let whole = policy.targets(facts.model.as_deref());
    let promise = |targets: Targets| (metric.target(targets), targets.burn);
    PARTS
        .iter()
        .flat_map(|part| {
            let groups = apart(&tracks, *part);
            let one = groups.len() == 1;
            groups.into_iter().filter_map(move |(slice, tracks)| {
                // The only one there is says no more than the whole, but where something else is promised to it.
                let targets = policy.targets_of(slice.model.as_deref(), slice.route.as_deref());
                let own = promise(targets) != promise(whole);
                if one && !own { None } else { row((metric, dist), &slice, &tracks, targets, facts, snapshot) }
            })
        })
        .collect()
}

fn row(
    (metric, dist): (Metric, Dist),
    slice: &Slice,
    tracks: &[Replica<'_>],
    targets: Targets,
    facts: &Facts<'_>,
    snapshot: &Snapshot,
) -> Option<SloRow> {
    let window = Span::between(tracks, facts.from, facts.now)?;
    if window.count(dist) < ENOUGH {
        return None;
    }
    let model = slice.model.as_deref();
    let mut row = slo::judge((metric, dist), tracks, &window, facts.now, model, targets, snapshot);
    if dist == Dist::GatewayTpot {
        let series = row.series.as_ref().map_or_else(String::new, |series| format!(" ({series})"));
        let by = format!("judged by request, each with the mean over its tokens{series}: one slow token does not show");
        row.note = Some(row.note.map_or_else(|| by.clone(), |note| format!("{by}; {note}")));
    }
    Some(SloRow { slice: Some(slice.clone()), ..row })
}

/// Whose the late ones of an incident are.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Whose {
    metric: Metric,
    events: Events,
    pub(super) slice: Slice,
    /// Its share of the late ones.
    late: f64,
    /// Its share of all.
    share: f64,
}

/// Whose the late ones of the incident are, where they are one slice's more than its share of all lets expect. Where the time
/// sits between tokens, those are asked about first.
pub(super) fn whose(facts: &Facts<'_>, phase: Phase) -> Option<Whose> {
    let of = |metric| whose_of(facts, metric);
    let tokens = if phase == Phase::Decode { of(Metric::Tpot) } else { None };
    tokens.or_else(|| of(Metric::Ttft))
}

fn whose_of(facts: &Facts<'_>, metric: Metric) -> Option<Whose> {
    let (dist, tracks) = telling(facts, metric)?;
    let (from, to) = facts.incident;
    let late = |tracks: &[Replica<'_>]| {
        let (_, histogram) = Span::of_dist(tracks, dist, from, to)?;
        Some((histogram.above(metric.target(facts.targets).seconds)?.at_least, histogram.count))
    };
    let of = |part: &Part| {
        let groups = apart(&tracks, *part);
        let counts: Vec<(Slice, (f64, f64))> =
            groups.into_iter().filter_map(|(slice, tracks)| Some((slice, late(&tracks)?))).collect();
        let (bad, all) = counts.iter().fold((0.0, 0.0), |(bad, all), (_, (b, n))| (bad + b, all + n));
        let (slice, (own, given)) = counts.into_iter().max_by(|a, b| a.1.0.total_cmp(&b.1.0))?;
        let share = given / all;
        let its_own = own >= OWN * bad && share < OWN && over_budget(own, bad, share);
        its_own.then(|| Whose { metric, events: Events::of(dist), slice, late: own / bad, share })
    };
    PARTS.iter().find_map(of)
}

/// The same in words.
pub(super) fn in_words(it: &Whose) -> String {
    let what = match (it.metric, it.events) {
        (Metric::Ttft, _) => "late first tokens",
        (Metric::Tpot, Events::Tokens) => "late tokens",
        (Metric::Tpot, Events::Requests) => "requests late between tokens",
    };
    let (late, share) = (percent(it.late), percent(it.share));
    format!("{late} of the {what} at the gateway are of {}, with {share} of the {}", it.slice, it.events.name())
}
