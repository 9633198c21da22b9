//! Synthetic requests: now and then one of our own, through the gateway and to one replica in turn, which sees what
//! users see: its own time to first token and between tokens. It is the only witness of a stall that looks idle.
//!
//! It costs tokens of somebody's GPUs, so it is off until it is asked for, never runs in read-only, is one request at a
//! time, and asks for as few tokens as configured. Knows neither pods, nor how they are reached, nor configuration files.

mod events;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, timeout_at};

use crate::apiserver::{Lines, deadline};
use crate::clock::{self, Clock};
use crate::domain::{Answered, At, Body, Door, Failure, Observation, Probed};
use crate::text::clean;
use events::Heard;

/// How long an answer is waited for, by the clock of the readings: longer than the founding incident's 14 s, so that a
/// slow answer is measured and not merely missed. The next round ends it in any case.
const PATIENCE: Duration = Duration::from_secs(30);

/// As many lines as an answer of a few tokens can have; a server that goes on is not listened to.
const MOST_LINES: usize = 10_000;

/// What is asked. Short, so that its prefill costs nothing; no client sends the same, so nobody's answer is taken.
const PROMPT: &str = "warroom probe:";

/// The base of an OpenAI-compatible API, which can be asked.
pub trait Ask: Clone + Send + Sync + 'static {
    /// Sends one request, once: a GET without a body, a POST of JSON with one. The answer is a success, line by line.
    fn ask(
        &self,
        what: &str,
        body: Option<String>,
        until: Instant,
    ) -> impl Future<Output = Result<Lines, Failure>> + Send;
}

/// A door that may be knocked at: how it is called, and where it is.
#[derive(Debug, Clone)]
pub struct Knock<F> {
    /// The name of a replica's endpoint, or of the gateway's URL.
    pub name: Arc<str>,
    /// Where it is.
    pub front: F,
}

/// Sends synthetic requests for as long as somebody listens.
#[derive(Debug)]
pub struct Prober<F> {
    /// Where users knock, and how it is called.
    pub gateway: Option<Knock<F>>,
    /// Between two rounds, by `clock`.
    pub every: Duration,
    /// Tokens that each asks for.
    pub max_tokens: u16,
    /// What dates and measures.
    pub clock: Clock,
}

impl<F: Ask> Prober<F> {
    /// Asks the gateway and one of the replicas in every round, each of them in its turn.
    pub async fn run(self, mut replicas: watch::Receiver<Vec<Knock<F>>>, sink: mpsc::Sender<Observation>) {
        let mut turn = 0_usize;
        while self.gateway.is_none() && replicas.borrow().is_empty() {
            tokio::select! {
                () = sink.closed() => return,
                Ok(()) = replicas.changed() => {}
                else => return,
            }
        }
        loop {
            let next = {
                let known = replicas.borrow_and_update();
                (!known.is_empty()).then(|| known[turn % known.len()].clone())
            };
            turn = turn.wrapping_add(1);
            let doors = [
                self.gateway.clone().map(|g| (Door::Gateway(Arc::clone(&g.name)), g.front)),
                next.map(|r| (Door::Replica(Arc::clone(&r.name)), r.front)),
            ];
            for (door, front) in doors.into_iter().flatten() {
                let at = At(self.clock.unix_ms());
                let probed = tokio::select! {
                    () = sink.closed() => return,
                    answer = self.ask(&front) => Probed { door, answer },
                };
                if sink.send(Observation { at, body: Body::Probed(probed) }).await.is_err() {
                    return;
                }
            }
            tokio::select! {
                () = sink.closed() => return,
                () = sleep(self.clock.real(self.every)) => {}
            }
        }
    }

    /// One request.
    async fn ask(&self, front: &F) -> Result<Answered, Failure> {
        let patience = PATIENCE.min(self.every);
        let until = deadline(self.clock.real(patience));
        let late = |failure| match failure {
            Failure::TimedOut { connected, .. } => Failure::TimedOut { connected, after_ms: millis(patience) },
            other => other,
        };
        let model = model(front, until).await.map_err(late)?;
        let wish = json!({
            "model": model, "prompt": PROMPT, "max_tokens": self.max_tokens, "temperature": 0, "stream": true,
        });
        let start = clock::monotonic();
        let since = || self.clock.passed(clock::monotonic().saturating_duration_since(start)).as_secs_f64();
        let mut lines = front.ask("completions", Some(wish.to_string()), until).await.map_err(late)?;
        let (mut first, mut last, mut tokens) = (None, 0.0, 0_u32);
        for _ in 0..MOST_LINES {
            let Some(line) = next(&mut lines, until).await.map_err(late)? else { break };
            match events::heard(&line) {
                Heard::Nothing => {}
                Heard::Token => {
                    last = since();
                    first.get_or_insert(last);
                    tokens += 1;
                }
                Heard::End => break,
                Heard::Error(what) => return Err(Failure::Other(format!("it answers with an error: {what}"))),
            }
        }
        let ttft_s = first.ok_or_else(|| Failure::Other("it answered without any token".to_owned()))?;
        let itl_s = (tokens > 1).then(|| (last - ttft_s) / f64::from(tokens - 1));
        Ok(Answered { ttft_s, itl_s, tokens })
    }
}

/// The model that is served there: the first that is listed.
async fn model(front: &impl Ask, until: Instant) -> Result<String, Failure> {
    let mut lines = front.ask("models", None, until).await?;
    let mut page = Vec::new();
    for _ in 0..MOST_LINES {
        let Some(line) = next(&mut lines, until).await? else { break };
        page.extend_from_slice(&line);
    }
    let listed: Value = serde_json::from_slice(&page).unwrap_or_default();
    let model = listed["data"][0]["id"].as_str().map(|id| clean(id, 256));
    model.ok_or_else(|| Failure::Other("it lists no model at /v1/models".to_owned()))
}

async fn next(lines: &mut Lines, until: Instant) -> Result<Option<Vec<u8>>, Failure> {
    let late = |_| Failure::TimedOut { connected: true, after_ms: 0 };
    let line = timeout_at(until, lines.next()).await.map_err(late)?;
    Ok(line.map_err(|trouble| Failure::Other(trouble.to_string()))?.map(|(line, _)| line))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
