//! Requests that somebody outside of the scenario's traffic sends, and is told of what they see: for those who probe.

use rustc_hash::FxHashMap;

use super::super::engine::Ask;
use super::super::number::{Us, us};
use super::super::{Seen, Sight as Told};
use super::clients::Request;
use super::{Event, Model, Sight};

/// The prompt of such a request, in tokens.
const PROMPT: u32 = 8;

/// At one time: a bug in a client is not to fill this machine.
const MOST: usize = 256;

/// What was seen of each so far.
pub(super) type Own = FxHashMap<u64, Told>;

impl Model {
    /// Sends a request for so many tokens, to a pod or through the gateway; `None` where nobody listens there.
    pub(super) fn send_own(&mut self, pod: Option<&str>, output: u32) -> Option<u64> {
        if self.own.len() >= MOST {
            return None;
        }
        let id = self.next_request;
        self.next_request += 1;
        let ask = Ask { id, prompt: PROMPT, output: output.max(1), prefix: None };
        let now = self.now;
        match pod {
            None => {
                self.requests.insert(id, Request::of_nobody(ask, now));
                self.gateway.downstream_total += 1;
                self.gateway.active += 1;
                self.own.insert(id, Told::Nothing);
                self.at(now + us(self.gateway.settings.overhead.0), Event::Forwards(id));
                self.at(now + us(self.gateway.settings.timeout.0), Event::TimesOut(id));
            }
            Some(pod) => {
                let container = self.containers.iter_mut().find(|c| c.launch.pod == pod);
                let refused = container?.engine_mut()?.submit(now, ask).err();
                let told = match refused {
                    Some(Seen::Refused(status)) => Told::Ended(status),
                    _ => Told::Nothing,
                };
                self.own.insert(id, told);
                self.own_pods.insert(id, pod.to_owned());
            }
        }
        Some(id)
    }

    /// A client sees something of such a request; whether it is one that has no client in the scenario.
    pub(super) fn own_sees(&mut self, id: u64, sight: Sight) -> bool {
        let Some(told) = self.own.get_mut(&id) else { return false };
        *told = match sight {
            Sight::Read => return self.own_pods.contains_key(&id),
            Sight::First => Told::First,
            Sight::Last => Told::Ended(200),
            Sight::Cut => Told::Ended(503),
        };
        self.own_pods.contains_key(&id)
    }

    /// The gateway ended such a request.
    pub(super) fn own_ended(&mut self, id: u64, status: Option<u16>) {
        if let (Some(told), Some(status)) = (self.own.get_mut(&id), status) {
            *told = Told::Ended(status);
        }
    }

    /// The container of such requests is gone.
    pub(super) fn own_cut(&mut self, pod: &str, at: Us) {
        let mut cut: Vec<u64> = self.own_pods.iter().filter(|(_, p)| *p == pod).map(|(id, _)| *id).collect();
        cut.sort_unstable();
        for id in cut {
            self.at(at, Event::Sees(id, Sight::Cut));
        }
    }

    /// Nobody waits for it any more.
    pub(super) fn forget_own(&mut self, id: u64) {
        let over = matches!(self.own.remove(&id), None | Some(Told::Ended(_)));
        let pod = self.own_pods.remove(&id);
        if over {
            return;
        }
        match pod {
            Some(pod) => {
                let container = self.containers.iter_mut().find(|c| c.launch.pod == pod);
                if let Some(engine) = container.and_then(|c| c.engine_mut()) {
                    engine.abort(id);
                }
            }
            None => self.leaves(id),
        }
    }
}
