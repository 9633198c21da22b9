//! Before the engine: gateway, router, mesh.

use crate::diagnosis::{PhaseRow, number, seconds};
use crate::domain::{Mechanism, Phase};
use crate::runbook::check::Answer;
use crate::runbook::checks::mechanism;
use crate::runbook::sight::Sight;

/// What the gateway may add without being worth a look (s).
const LITTLE_S: f64 = 0.1;

/// The gateway's row, where something was measured there.
fn row(sight: Sight<'_>) -> Option<&PhaseRow> {
    sight.d.phases.iter().find(|p| p.phase == Phase::Gateway).filter(|p| p.mean.is_some())
}

const UNREAD: &str = "no gateway is read";

pub(crate) fn adds_little(sight: Sight<'_>) -> Answer {
    if let Some(finding) = mechanism(sight.d, Mechanism::GatewayOverhead) {
        return Answer::fail(finding.summary.clone());
    }
    let Some((row, mean)) = row(sight).and_then(|r| Some((r, r.mean?))) else { return Answer::unknown(UNREAD) };
    let little = LITTLE_S.max(2.0 * row.baseline.unwrap_or(0.0));
    Answer::of(mean <= little, format!("the gateway adds {}", seconds(mean)))
        .measured(mean, little, "s")
        .aged(row.at.map(|at| sight.d.at.since(at)))
}

/// What a finding speaks against, where a gateway is read at all.
fn unless_found(sight: Sight<'_>, against: Mechanism, fine: &str) -> Answer {
    match (mechanism(sight.d, against), row(sight)) {
        (Some(finding), _) => Answer::fail(finding.summary.clone()),
        (None, None) => Answer::unknown(UNREAD),
        (None, Some(row)) => Answer::pass(fine).aged(row.at.map(|at| sight.d.at.since(at))),
    }
}

pub(crate) fn errors_low(sight: Sight<'_>) -> Answer {
    unless_found(sight, Mechanism::GatewayErrors, "no more requests fail or time out at the gateway than before")
}

pub(crate) fn streams(sight: Sight<'_>) -> Answer {
    // Most gateways count whole answers only: what they do not measure they cannot show.
    if sight.d.gateway_first_byte.is_none() {
        return Answer::unknown("no gateway measures its first byte");
    }
    unless_found(sight, Mechanism::GatewayBuffering, "the gateway is not seen to hold the first byte back")
}

pub(crate) fn traffic_even(sight: Sight<'_>) -> Answer {
    if let Some(finding) = mechanism(sight.d, Mechanism::GatewayImbalance) {
        return Answer::fail(finding.summary.clone());
    }
    let counts = || sight.d.replicas.iter().filter(|r| !r.gone && r.ready != Some(false)).filter_map(|r| r.count);
    let (Some(most), Some(fewest)) = (counts().reduce(f64::max), counts().reduce(f64::min)) else {
        return Answer::unknown("no replica gave first tokens");
    };
    if counts().count() < 2 {
        return Answer::unknown("one replica has no peer to be compared with");
    }
    Answer::pass(format!("first tokens per replica: {} to {}", number(fewest), number(most))).while_fresh(sight)
}
