//! `POST /v1/completions` of an engine or a gateway, streamed as server-sent events: a request among the simulated ones.

use std::sync::Arc;
use std::time::Duration;

use futures::stream;
use serde_json::{Value, json};

use super::Shared;
use super::reply::Reply;
use crate::sim::cluster::Refusal;
use crate::sim::serving::Sight;

/// How often it is looked for news, on this machine's clock.
const LOOK: Duration = Duration::from_millis(5);
const EVENTS: &str = "text/event-stream; charset=utf-8";
/// As many tokens as an answer has where nothing is said, and at most.
const TOKENS: u64 = 16;
const MOST_TOKENS: u64 = 4096;

/// A request that somebody waits for.
struct Waiting {
    shared: Arc<Shared>,
    request: u64,
    tokens: u64,
    model: String,
    told_first: bool,
    over: bool,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.shared.world().world.forget(self.request);
    }
}

/// Sends it to a pod, or through the gateway, and answers once the first token is there or nobody will give one.
pub(super) async fn answer(shared: &Arc<Shared>, pod: Option<&str>, body: &[u8]) -> Result<Reply, Refusal> {
    let wish: Value = serde_json::from_slice(body).map_err(|_| Refusal::bad("the body is no JSON"))?;
    let tokens = wish["max_tokens"].as_u64().unwrap_or(TOKENS).clamp(1, MOST_TOKENS);
    let model = crate::text::clean(wish["model"].as_str().unwrap_or_default(), 120);
    let refused = || Refusal::new(503, "ServiceUnavailable", "error trying to reach service: connection refused");
    let request = shared.world().world.ask(pod, u32::try_from(tokens).unwrap_or(u32::MAX)).ok_or_else(refused)?;
    let mut waiting = Waiting { shared: shared.clone(), request, tokens, model, told_first: false, over: false };
    match waiting.change().await {
        Sight::Ended(status) if status != 200 => Ok(Reply::json(status, &json!({"error": {"code": status}}))),
        sight => {
            let first = waiting.events(sight);
            let rest = stream::unfold(waiting, |mut waiting| async move {
                if waiting.over {
                    return None;
                }
                let sight = waiting.change().await;
                Some((waiting.events(sight), waiting))
            });
            Ok(Reply::stream(EVENTS, futures::StreamExt::chain(stream::iter([first]), rest)))
        }
    }
}

impl Waiting {
    /// Waits until there is something that was not told yet.
    async fn change(&self) -> Sight {
        loop {
            let sight = self.shared.world().world.serving().seen(self.request);
            match sight {
                Some(Sight::First) if !self.told_first => return Sight::First,
                Some(Sight::Ended(status)) => return Sight::Ended(status),
                None => return Sight::Ended(503),
                Some(_) => tokio::time::sleep(LOOK).await,
            }
        }
    }

    /// What a client is sent for it: the tokens of a step each in an event of its own.
    fn events(&mut self, sight: Sight) -> String {
        let token = |finish: Option<&str>| {
            let choice = json!({"index": 0, "text": " a", "finish_reason": finish});
            format!("data: {}\n\n", json!({"object": "text_completion", "model": self.model, "choices": [choice]}))
        };
        match sight {
            Sight::Ended(200) => {
                let left = self.tokens - u64::from(self.told_first);
                let events: String = (1..=left).map(|i| token((i == left).then_some("length"))).collect();
                self.over = true;
                events + "data: [DONE]\n\n"
            }
            Sight::Ended(status) => {
                self.over = true;
                format!("data: {}\n\n", json!({"error": {"code": status, "message": "the stream was cut"}}))
            }
            Sight::First | Sight::Nothing => {
                self.told_first = true;
                token((self.tokens == 1).then_some("length"))
            }
        }
    }
}
