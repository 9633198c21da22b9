//! What a Prometheus knows and was not watched here: events over windows of hours and days, and alerts. Whatever speaks
//! its API is as good: Thanos, Mimir, Victoria Metrics.
//!
//! One aggregating query per window and one for alerts, one after the other, once a minute, and a few for the past every ten
//! minutes; each has a deadline and a limit.
//! Knows neither pods nor how a Prometheus is reached, and judges nothing.

mod answer;
mod asked;
pub mod fleet;
mod past;

use std::future::Future;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep};

use crate::apiserver::deadline;
use crate::clock::Clock;
use crate::domain::{At, Body, Failure, Observation, Told, ToldStretch, Untold};
use answer::Series;
pub use asked::{Asked, Series as AskedSeries};
pub use past::Counted;

/// Between two rounds, by the clock of the readings.
const EVERY: Duration = Duration::from_mins(1);
/// Between two questions about the past, which does not change: only more of it passes.
const PAST_EVERY_S: f64 = 600.0;
/// Between two searches for somebody to ask.
const SEARCH_EVERY: Duration = Duration::from_mins(5);
/// For one answer: a range of days over many series takes its time.
const PATIENCE: Duration = Duration::from_secs(20);
/// Alerts that are kept.
const MOST_ALERTS: usize = 50;

/// A Prometheus HTTP API that can be asked.
pub trait Query: Send + Sync + 'static {
    /// GETs what stands behind the base of the API: the status, and a body of bounded size.
    fn get(&self, what: &str, until: Instant) -> impl Future<Output = Result<(u16, Vec<u8>), Failure>> + Send;

    /// The same, of an answer about a whole fleet.
    fn large(&self, what: &str, until: Instant) -> impl Future<Output = Result<(u16, Vec<u8>), Failure>> + Send {
        self.get(what, until)
    }

    /// How it is called on the screen, without secrets.
    fn shown(&self) -> String;
}

/// Who is to be asked: one who was named, or one who has to be found first.
pub trait Whom: Send + 'static {
    /// The way to ask them.
    type Asks: Query;

    /// Whom to ask, and along what they were found where they were not named. Asked again after every failure.
    fn find(&mut self, asked: &Asked) -> impl Future<Output = Result<(Self::Asks, Option<String>), Untold>> + Send;
}

/// Asks once a minute what `asked` says, for as long as somebody listens.
pub async fn run<W: Whom>(
    mut whom: W,
    mut asked: watch::Receiver<Option<Asked>>,
    clock: Clock,
    sink: mpsc::Sender<Observation>,
) {
    let mut found: Option<(W::Asks, Option<String>)> = None;
    let mut past = Past::default();
    loop {
        let known = tokio::select! {
            () = sink.closed() => return,
            known = asked.wait_for(Option::is_some) => match known {
                Ok(known) => known.clone(),
                Err(_) => return,
            },
        };
        let Some(known) = known else { continue };
        let at = At(clock.unix_ms());
        let work = async {
            if found.is_none() {
                found = Some(whom.find(&known).await?);
            }
            let Some((query, along)) = &found else { return Ok(Err(Failure::Cut)) };
            let mut told = match round(query, &known).await {
                Ok(told) => Box::new(Told { found: along.clone(), ..told }),
                Err(failure) => return Ok(Err(failure)),
            };
            past.follow(query, &known, &mut told, at).await;
            Ok(Ok(told))
        };
        let (body, pause) = tokio::select! {
            () = sink.closed() => return,
            told = work => match told {
                Ok(told) => (Body::Told(told), EVERY),
                Err(untold) => (Body::Untold(untold), SEARCH_EVERY),
            },
        };
        if matches!(body, Body::Told(Err(_))) {
            found = None;
        }
        if sink.send(Observation { at, body }).await.is_err() {
            return;
        }
        tokio::select! {
            () = sink.closed() => return,
            () = sleep(clock.real(pause)) => {}
        }
    }
}

/// What was told of the past: asked for now and then, and told again with every round.
#[derive(Debug, Default)]
struct Past {
    /// About what it was asked, by which labels, and when.
    about: Option<(Vec<Counted>, String, At)>,
    stretches: Vec<ToldStretch>,
}

impl Past {
    async fn follow<Q: Query>(&mut self, query: &Q, known: &Asked, told: &mut Told, at: At) {
        let same = |(counted, chosen, when): &(Vec<Counted>, String, At)| {
            *counted == known.past && *chosen == told.chosen && at.since(*when) < PAST_EVERY_S
        };
        if !known.past.is_empty() && !self.about.as_ref().is_some_and(same) {
            match asked_past(query, known, &told.chosen, at).await {
                Ok((stretches, warnings)) => {
                    self.stretches = stretches;
                    self.about = Some((known.past.clone(), told.chosen.clone(), at));
                    told.warnings.extend(warnings);
                }
                // Older ones are as true as they were.
                Err(failure) => told.warnings.push(format!("the past: {failure}")),
            }
            told.warnings.truncate(8);
        }
        told.past.clone_from(&self.stretches);
    }
}

/// The past as it is now.
async fn asked_past<Q: Query>(
    query: &Q,
    asked: &Asked,
    choice: &str,
    now: At,
) -> Result<(Vec<ToldStretch>, Vec<String>), Failure> {
    let (mut answers, mut warned) = (Vec::new(), Vec::new());
    for (from, to) in past::ranges(now) {
        for question in asked.past(choice) {
            let what = format!(
                "api/v1/query_range?query={}&start={from:.0}&end={to:.0}&step={:.0}&timeout={}s",
                asked::escaped(&question),
                past::STRETCH_S,
                PATIENCE.as_secs()
            );
            let (status, body) = query.get(&what, deadline(PATIENCE)).await?;
            let (series, warnings) = answer::ranged(status, &body)?;
            answers.extend(series);
            warned.extend(warnings);
        }
    }
    Ok((asked.read_past(&answers), warned))
}

/// How much one who might be asked has of an engine: of the ways to choose its series the surest that finds any, and how
/// many; nothing where none does. One cheap query.
pub async fn trial<Q: Query>(query: &Q, asked: &Asked, within: Duration) -> Result<Option<(usize, f64)>, Failure> {
    let (series, _) = instant(query, &asked.trial(), within).await?;
    let counts = series.iter().filter_map(|s| Some((s.label("warroom")?.parse().ok()?, s.value)));
    Ok(counts.filter(|(_, count): &(usize, f64)| *count > 0.0).min_by_key(|(choice, _)| *choice))
}

/// One round of questions. A window that is not answered is left out and said; only where none is answered it fails.
pub async fn round<Q: Query>(query: &Q, asked: &Asked) -> Result<Told, Failure> {
    let mut told = Told { by: query.shown(), ..Told::default() };
    let (mut failed, mut answered) = (None, false);
    // By the workload's own labels where its series have them, else by the model's name alone.
    let mut chosen = asked.choices().into_iter();
    let Some(mut choice) = chosen.next() else { return Ok(told) };
    for window_s in asked.windows() {
        loop {
            match instant(query, &asked.events(&choice, window_s), PATIENCE).await {
                Ok((series, warnings)) => {
                    answered = true;
                    told.warnings.extend(warnings);
                    let windows = asked.read(&series, window_s);
                    // Nothing at all under these labels: others may be used here.
                    if windows.is_empty()
                        && told.windows.is_empty()
                        && let Some(next) = chosen.next()
                    {
                        choice = next;
                        continue;
                    }
                    told.windows.extend(windows);
                }
                Err(failure) => {
                    told.warnings.push(format!("the last {:.0} min: {failure}", window_s / 60.0));
                    failed.get_or_insert(failure);
                }
            }
            break;
        }
    }
    match instant(query, &asked.alerts(), PATIENCE).await {
        Ok((series, warnings)) => {
            answered |= asked.series.is_empty();
            told.warnings.extend(warnings);
            told.alerts = asked::alerts(&series, MOST_ALERTS);
        }
        Err(failure) => {
            told.warnings.push(format!("alerts: {failure}"));
            failed.get_or_insert(failure);
        }
    }
    told.chosen = choice;
    told.warnings.truncate(8);
    match failed {
        Some(failure) if !answered => Err(failure),
        _ => {
            if told.windows.is_empty() && !asked.series.is_empty() {
                told.warnings.push(format!("no series of this engine under {}", told.chosen));
            }
            Ok(told)
        }
    }
}

/// One instant query: its series, and what was warned of.
async fn instant<Q: Query>(query: &Q, promql: &str, within: Duration) -> Result<(Vec<Series>, Vec<String>), Failure> {
    let what = format!("api/v1/query?query={}&timeout={}s", asked::escaped(promql), within.as_secs().max(1));
    let (status, body) = query.get(&what, deadline(within)).await?;
    answer::read(status, &body)
}
