//! The same objective by whose requests they are: model and route, tenant, class, as far as a gateway's labels tell them
//! apart. Engines' pages tell models and nothing else.

use std::collections::BTreeMap;

use super::facts::Facts;
use super::format::percent;
use super::slo::{self, Metric, SloRow, over_budget};
use super::span::{Replica, Span};
use super::{Policy, Targets};
use crate::domain::{At, Dist, RowStatus, Slice, Snapshot};

/// The most rows of slices: the worst ones.
const MOST: usize = 12;
/// First tokens that a slice needs to be a row of its own.
const ENOUGH: f64 = 10.0;
/// The share of all late first tokens that makes them a slice's own: as for those of one replica.
const OWN: f64 = 0.6;

/// What part of a slice is looked at.
type Part = fn(&Slice) -> Option<Slice>;

/// Model and route together, tenants, classes: each tells requests apart in another way, and they are not added.
const PARTS: [Part; 3] = [
    |s| Some(Slice { model: s.model.clone(), route: s.route.clone(), ..Slice::default() }).filter(|s| !s.is_empty()),
    |s| s.tenant.clone().map(|tenant| Slice { tenant: Some(tenant), ..Slice::default() }),
    |s| s.class.clone().map(|class| Slice { class: Some(class), ..Slice::default() }),
];

/// The tracks of the gateway that tells first tokens apart: of several in a row, the first, for they count the same requests.
fn telling<'a>(facts: &Facts<'a>) -> Vec<Replica<'a>> {
    let Some(gateway) = &facts.gateway else { return Vec::new() };
    let tells = |r: &&Replica<'_>| {
        let last = r.track.points().back();
        r.track.slice.is_some() && last.is_some_and(|p| p.values.dist(Dist::GatewayTtft).is_some())
    };
    let system = |r: &Replica<'_>| r.endpoint.system.as_ref().map(|s| s.engine.clone());
    let first = gateway.tracks.iter().find(tells).and_then(system);
    gateway.tracks.iter().copied().filter(|r| first.is_some() && system(r) == first).collect()
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

/// First tokens of each slice against what is promised to it, the worst first.
pub(super) fn rows(facts: &Facts<'_>, snapshot: &Snapshot, policy: &Policy) -> Vec<SloRow> {
    let tracks = telling(facts);
    let mut rows: Vec<SloRow> = PARTS
        .iter()
        .flat_map(|part| {
            let groups = apart(&tracks, *part);
            let one = groups.len() == 1;
            groups.into_iter().filter_map(move |(slice, tracks)| {
                // The only one there is says no more than the whole, but where something else is promised to it.
                let (model, route) = (slice.model.as_deref(), slice.route.as_deref());
                let targets = policy.targets_of(model, route);
                let own = targets != policy.targets(facts.model.as_deref());
                if one && !own { None } else { row(&slice, &tracks, targets, (facts.from, facts.now), snapshot) }
            })
        })
        .collect();
    let rank = |row: &SloRow| match row.status {
        RowStatus::Breach => 0,
        RowStatus::Warning => 1,
        RowStatus::Ok | RowStatus::Unknown => 2,
    };
    rows.sort_by(|a, b| rank(a).cmp(&rank(b)).then(b.bad.unwrap_or(0.0).total_cmp(&a.bad.unwrap_or(0.0))));
    rows.truncate(MOST);
    rows
}

fn row(
    slice: &Slice,
    tracks: &[Replica<'_>],
    targets: Targets,
    (from, now): (At, At),
    snapshot: &Snapshot,
) -> Option<SloRow> {
    let window = Span::between(tracks, from, now)?;
    if window.count(Dist::GatewayTtft) < ENOUGH {
        return None;
    }
    let by = (Metric::Ttft, Dist::GatewayTtft);
    let row = slo::judge(by, tracks, &window, now, slice.model.as_deref(), targets, snapshot);
    Some(SloRow { slice: Some(slice.clone()), ..row })
}

/// Whose the late first tokens of the incident are, where they are one slice's more than its share of the requests lets
/// expect: the slice, its share of the late ones, and its share of all.
pub(super) fn whose(facts: &Facts<'_>) -> Option<(Slice, f64, f64)> {
    let tracks = telling(facts);
    let (from, to) = facts.incident;
    let late = |tracks: &[Replica<'_>]| {
        let (_, histogram) = Span::of_dist(tracks, Dist::GatewayTtft, from, to)?;
        Some((histogram.above(facts.targets.ttft.seconds)?.at_least, histogram.count))
    };
    let of = |part: &Part| {
        let groups = apart(&tracks, *part);
        let counts: Vec<(Slice, (f64, f64))> =
            groups.into_iter().filter_map(|(slice, tracks)| Some((slice, late(&tracks)?))).collect();
        let (bad, all) = counts.iter().fold((0.0, 0.0), |(bad, all), (_, (b, n))| (bad + b, all + n));
        let (slice, (own, given)) = counts.into_iter().max_by(|a, b| a.1.0.total_cmp(&b.1.0))?;
        let share = given / all;
        (own >= OWN * bad && share < OWN && over_budget(own, bad, share)).then(|| (slice, own / bad, share))
    };
    PARTS.iter().find_map(of)
}

/// The same in words.
pub(super) fn in_words((slice, late, share): &(Slice, f64, f64)) -> String {
    format!(
        "{} of the late first tokens at the gateway are of {slice}, with {} of the requests",
        percent(*late),
        percent(*share)
    )
}
