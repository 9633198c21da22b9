//! What was really the matter: found by running the same world again without each injected thing, and by the model's own
//! ledger, which no page carries.
//!
//! A thing is a cause if without it a good part of the harm would not have been. Where the seconds sat is where more were
//! spent than without anything injected.

use statrs::distribution::{Binomial, DiscreteCDF};
use warroom::domain::{Cause, Mechanism};
use warroom::sim::scenario::{Change, GatewayPage, Scenario};
use warroom::sim::serving::{Ledger, Model};
use warroom::sim::world::{Setup, World};

use super::lab::{OPENS, SWEEP_S};
use super::named::of_change;
use super::story::{Blind, Draw, ONSET_S};

/// So long after the onset nothing is looked at any more (s).
pub(crate) const HORIZON_S: f64 = 900.0;
/// An engine without a token for so long is not only slow (s).
const HANGS_S: f64 = 30.0;
/// Fewer requests than these that wait for an idle-looking engine may be a gateway's spare connections.
const CAUGHT: f64 = 4.0;
/// Fewer requests per second are a trickle.
const TRICKLE: f64 = 0.2;
/// The judged window (s).
const WINDOW_S: f64 = 300.0;
/// A change of traffic by this factor is one that can be told from chance.
pub(super) const NOTICED: f64 = 1.25;
/// A thing without which at least this share of the harm would not be is a cause; a place that holds this share of the added
/// seconds is one of those where they sit.
pub(super) const PART: f64 = 0.25;

/// The ledger at each sweep from a window before the onset on.
struct Course {
    at: Vec<(f64, Ledger)>,
}

impl Course {
    fn of(scenario: &Scenario, seed: u64, until_s: f64) -> Self {
        let begins = OPENS.plus(-ONSET_S);
        let model = Model::new(scenario, seed, begins);
        let mut world = World::new(&Setup::from(scenario), Box::new(model), begins, seed);
        world.advance(OPENS.plus(-WINDOW_S));
        let mut at = vec![(-WINDOW_S, world.ledger())];
        let mut s = -WINDOW_S;
        while s < until_s {
            s += SWEEP_S;
            world.advance(OPENS.plus(s));
            at.push((s, world.ledger()));
        }
        Self { at }
    }

    fn when(&self, s: f64) -> Ledger {
        let next = self.at.partition_point(|(at, _)| *at <= s + 0.001);
        self.at[next.saturating_sub(1)].1
    }

    fn between(&self, from: f64, to: f64) -> Ledger {
        self.when(to) - self.when(from)
    }

    /// How many times the budget was spent: by requests, and by tokens.
    fn spent(&self, from: f64, to: f64, budget: f64) -> (f64, f64) {
        let part = self.between(from, to);
        let (bad, all) = requests(&part);
        let share = |bad: f64, all: f64| if all > 0.0 { bad / all / budget } else { 0.0 };
        (share(bad, all), share(part.slow_gaps, part.gaps))
    }
}

/// Requests that were badly served, and all.
pub(super) fn requests(part: &Ledger) -> (f64, f64) {
    let bad = part.late + part.late_now + part.failed + part.given_up;
    (bad, part.first_tokens + part.late_now + part.failed + part.given_up)
}

/// What was the matter.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Debug)]
pub(crate) struct Truth {
    /// From when on there was enough to see that a promise is broken (s since the screen opened); never, where none was.
    pub(crate) broken_s: Option<f64>,
    /// When it is judged (s).
    pub(crate) judged_s: f64,
    /// Whether it was well before.
    pub(crate) well_before: bool,
    /// Whether any page that can be read tells of it.
    pub(crate) seen: bool,
    /// Whether requests were late, and tokens.
    pub(crate) requests: bool,
    /// See `requests`.
    pub(crate) tokens: bool,
    /// Which injected things were causes.
    pub(crate) guilty: Vec<usize>,
    /// What may be said of the mechanism, the place with most seconds first.
    pub(crate) mechanisms: Vec<Mechanism>,
    /// What may be said of the cause.
    pub(crate) causes: Vec<Cause>,
    /// What must be among the findings beside it.
    pub(crate) also: Vec<Cause>,
    /// Where the added seconds sat, for whoever reads the table.
    pub(crate) places: Vec<(&'static str, f64)>,
}

/// The truth of a draw.
pub(crate) fn of(draw: &Draw, seed: u64) -> Truth {
    let budget = 1.0 - draw.scenario.slo.objective;
    let full = Course::of(&draw.scenario, seed, HORIZON_S);
    let everything: Vec<usize> = (0..draw.injected.len()).collect();
    let none = Course::of(&draw.without(&everything), seed, HORIZON_S);
    let (before_requests, before_tokens) = none.spent(-WINDOW_S, 0.0, budget);
    let well_before = before_requests < 0.7 && before_tokens < 0.7;
    let broken = |s: f64| {
        let part = full.between(s - WINDOW_S, s);
        let (bad, all) = requests(&part);
        (over(bad, all, budget), over(part.slow_gaps, part.gaps, budget))
    };
    let sweeps = || full.at.iter().map(|(s, _)| *s).filter(|s| *s >= 0.0);
    let broken_s = sweeps().find(|s| {
        let (requests, tokens) = broken(*s);
        requests || tokens
    });
    // An engine that hangs is the matter by itself, whatever share of the requests it holds.
    let hangs = draw.scenario.changes.iter().filter(|c| c.stall.is_some()).map(|c| c.at.0 - ONSET_S + HANGS_S);
    let hangs = hangs.min_by(f64::total_cmp);
    let hangs = hangs.and_then(|from| sweeps().find(|s| *s >= from && full.when(*s).late_now >= CAUGHT));
    let broken_s = broken_s.into_iter().chain(hangs).min_by(f64::total_cmp);
    let mut truth = Truth {
        broken_s,
        judged_s: HORIZON_S / 2.0,
        well_before,
        seen: true,
        requests: false,
        tokens: false,
        guilty: Vec::new(),
        mechanisms: Vec::new(),
        causes: Vec::new(),
        also: Vec::new(),
        places: Vec::new(),
    };
    let Some(since) = broken_s else { return truth };
    // Near its budget a service comes and goes: it is judged while it is broken.
    let inside = |s: &f64| *s >= since && *s <= since + super::SETTLED_S;
    let end = sweeps().rfind(|s| inside(s) && broken(*s) != (false, false)).unwrap_or(since);
    (truth.requests, truth.tokens) = broken(end);
    truth.judged_s = end;
    let from = end - WINDOW_S;
    // Of what is broken: how far over, with and without.
    let harm = |course: &Course| {
        let (requests, tokens) = course.spent(from, end, budget);
        (if truth.requests { requests } else { 0.0 }) + (if truth.tokens { tokens } else { 0.0 })
    };
    let (with, without) = (harm(&full), harm(&none));
    let added = (with - without).max(f64::EPSILON);
    let single = everything.len() == 1;
    for one in everything {
        if draw.injected[one].iter().any(|i| draw.scenario.changes[*i].stall.is_some()) {
            truth.guilty.push(one);
            continue;
        }
        let left = if single { without } else { harm(&Course::of(&draw.without(&[one]), seed, end)) };
        if (with - left) / added >= PART {
            truth.guilty.push(one);
        }
    }
    truth.places = places(&full.between(from, end), &none.between(from, end), truth.requests, truth.tokens);
    let (during, before) = (full.between(from, end), none.between(from, end));
    // What the gateway added is on its page when a request has ended.
    let by_gateway = truth.places.first().is_some_and(|(place, _)| *place == "gateway");
    if by_gateway {
        truth.broken_s = Some(since + during.decode_s / during.first_tokens.max(1.0));
    }
    // In a trickle of requests nobody misses one: only a request of one's own tells a stall from a pause.
    let trickle = hangs.is_some() && requests(&none.between(-WINDOW_S, 0.0)).1 < TRICKLE * WINDOW_S;
    // Nor does any page tell of a first token that is held back, where the gateway's knows none.
    let buffers = draw.scenario.changes.iter().any(|c| c.gateway.as_ref().is_some_and(|g| g.buffers == Some(true)));
    let unmeasured = buffers && draw.scenario.gateway.page == GatewayPage::Envoy;
    let hidden = by_gateway && (unmeasured || draw.blind.contains(&Blind::Gateway));
    truth.seen = !(trickle || hidden);
    truth.mechanisms = mechanisms(&truth.places, &during, &before);
    // Where nodes differ: what would be if all were as the first one.
    let misplaced = unlike(&draw.scenario).is_some_and(|alike| {
        let left = harm(&Course::of(&alike, seed, end));
        (with - left) / added >= PART
    });
    let alone = truth.guilty.len() == 1;
    for one in &truth.guilty {
        let changes: Vec<&Change> = draw.injected[*one].iter().map(|i| &draw.scenario.changes[*i]).collect();
        truth.also.extend(shipped_again(&changes).then_some(Cause::GitopsWillRevert));
        for change in changes {
            let (mechanisms, causes) = if misplaced && change.moves_pods() {
                (vec![], vec![Cause::PlacementMismatch])
            } else {
                of_change(change, draw, &during, &before)
            };
            // What lies below a queue is named, and not the queue.
            if alone && !mechanisms.is_empty() {
                truth.mechanisms.clear();
            }
            truth.mechanisms.extend(mechanisms);
            truth.causes.extend(causes);
        }
    }
    truth.causes.extend(&truth.also);
    truth.mechanisms.dedup();
    truth.causes.dedup();
    truth
}

/// Whether somebody's tool ships what was taken back.
fn shipped_again(changes: &[&Change]) -> bool {
    let of_tool = changes.iter().filter_map(|c| c.rollout.as_ref()).filter(|r| r.by != "kubectl");
    of_tool.count() > 1
}

/// The same with all nodes like the first one; nothing where they are.
fn unlike(scenario: &Scenario) -> Option<Scenario> {
    let first = scenario.nodes[0].product.clone();
    let mut alike = scenario.clone();
    alike.nodes.iter_mut().for_each(|node| node.product.clone_from(&first));
    (alike != *scenario).then_some(alike)
}

/// Whether more was bad than the budget allows, by more than chance: one in a hundred.
fn over(bad: f64, all: f64, budget: f64) -> bool {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts")]
    let (bad, all) = (bad.round() as u64, all.round() as u64);
    bad >= 1 && Binomial::new(budget, all).is_ok_and(|chance| chance.sf(bad - 1) < 0.01)
}

/// The added seconds by place, as shares.
fn places(with: &Ledger, without: &Ledger, requests: bool, tokens: bool) -> Vec<(&'static str, f64)> {
    // Per request that came, so that more requests alone add nothing.
    let per = |part: &Ledger, seconds: f64| {
        let (_, all) = self::requests(part);
        if all > 0.0 { seconds / all } else { 0.0 }
    };
    let added = |of: fn(&Ledger) -> f64| (per(with, of(with)) - per(without, of(without))).max(0.0);
    let mut places = Vec::new();
    if requests {
        places.push(("gateway", added(|l| l.gateway_s)));
        places.push(("front", added(|l| l.front_s)));
        places.push(("loop", added(|l| l.loop_s)));
        places.push(("slots", added(|l| l.slots_s)));
        places.push(("tokens", added(|l| l.tokens_s)));
        places.push(("blocks", added(|l| l.blocks_s)));
        places.push(("transfer", added(|l| l.transfer_s)));
        places.push(("prefill", added(|l| l.prefill_s)));
    }
    if tokens {
        places.push(("decode", added(|l| l.decode_s)));
    }
    // Each promise has its seconds: tokens are many, and would outweigh every first one.
    let all: f64 = places.iter().filter(|(place, _)| *place != "decode").map(|(_, s)| s).sum();
    for (place, seconds) in &mut places {
        *seconds = if *place == "decode" { 1.0 } else { *seconds / all.max(f64::EPSILON) };
    }
    places.sort_by(|a, b| b.1.total_cmp(&a.1));
    places
}

fn mechanisms(places: &[(&'static str, f64)], with: &Ledger, without: &Ledger) -> Vec<Mechanism> {
    let per_request = |l: &Ledger| l.computed / l.first_tokens.max(1.0);
    let longer = per_request(with) > 1.25 * per_request(without);
    let per_token = |l: &Ledger| l.prefill_s / l.computed.max(1.0);
    let slower = per_token(with) > 1.25 * per_token(without);
    let mut all = Vec::new();
    // Whoever is pushed out for want of blocks is computed again, and others wait for that too.
    let pushed_out = with.preempted > 0.01 * with.first_tokens;
    let bad = requests(with).0;
    all.extend((bad >= 1.0 && with.refused >= PART * bad).then_some(Mechanism::AdmissionRejected));
    all.extend((bad >= 1.0 && with.given_up >= PART * bad).then_some(Mechanism::RequestsAbandoned));
    let share = |name| places.iter().find(|(place, _)| *place == name).map_or(0.0, |(_, share)| *share);
    let (slots, blocks) = (share("slots") + share("tokens"), share("blocks"));
    // A step that is full of somebody's long prompt is what the others wait for.
    if longer && share("tokens") >= PART {
        all.extend([Mechanism::PrefillWork, Mechanism::PrefillHeadOfLine]);
    }
    if slots + blocks >= PART {
        all.extend((pushed_out || blocks >= PART).then_some(Mechanism::KvCachePressure));
        all.extend((slots >= PART && slots >= blocks && !pushed_out).then_some(Mechanism::QueueSaturation));
    }
    for (place, _) in places.iter().filter(|(_, share)| *share >= PART) {
        match *place {
            "gateway" => all.push(Mechanism::GatewayOverhead),
            "front" => all.push(Mechanism::FrontendStarved),
            "loop" => all.push(Mechanism::EngineLoopBlocked),
            "transfer" => all.push(Mechanism::KvTransferWait),
            "slots" | "tokens" | "blocks" => {}
            "prefill" => {
                // Long prompts are the work of those who have them, and the wait of those beside them.
                all.extend(
                    longer.then_some([Mechanism::PrefillWork, Mechanism::PrefillHeadOfLine]).into_iter().flatten(),
                );
                all.extend((slower || !longer).then_some(Mechanism::PrefillSlowdown));
            }
            _ => all.extend([Mechanism::DecodeSlowdown, Mechanism::BatchContention]),
        }
    }
    all
}
