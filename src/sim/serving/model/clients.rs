//! Clients and their requests, from the first byte to the last, or to the moment at which somebody gives up.

use rand::Rng;

use super::super::container::Container;
use super::super::engine::{Ask, Engine, Seen};
use super::super::number::{Us, seconds, us};
use super::{Event, Model, Sight};
use crate::domain::Pool;

/// New users come one after the other, within so many seconds.
const ARRIVE_WITHIN_S: f64 = 60.0;

/// A request on its way.
#[derive(Debug, Clone)]
pub(super) struct Request {
    class: usize,
    /// Whether a user waits for it, who will ask again.
    user: bool,
    ask: Ask,
    asked: Us,
    sent: Us,
    pod: Option<String>,
    /// The engine that computes its prompt, where that is another one.
    prefills: Option<Prefills>,
    tried: Vec<String>,
    /// When its first token left the gateway.
    first: Option<Us>,
    /// Since when the gateway has its first token and does not pass it on.
    held: Option<Us>,
}

/// A prompt that is computed by another engine than the one that produces its answer.
#[derive(Debug, Clone)]
struct Prefills {
    pod: String,
    /// Whether it is computed.
    done: bool,
}

impl Request {
    /// A request that is nobody's of the scenario: who sent it waits as long as the gateway does.
    pub(super) fn of_nobody(ask: Ask, now: Us) -> Self {
        Self {
            class: 0,
            user: false,
            ask,
            asked: now,
            sent: now,
            pod: None,
            prefills: None,
            tried: Vec::new(),
            first: None,
            held: None,
        }
    }

    /// Whether it is lost with this pod.
    fn is_held_by(&self, pod: &str) -> bool {
        let prefills = self.prefills.as_ref().filter(|prefills| !prefills.done);
        self.pod.as_deref() == Some(pod) || prefills.is_some_and(|prefills| prefills.pod == pod)
    }

    /// Whether its first token is not there, and later than `promised`.
    pub(super) const fn is_late(&self, now: Us, promised: Us) -> bool {
        self.first.is_none() && now - self.asked > promised
    }
}

impl Model {
    /// Traffic begins.
    pub(super) fn begin_traffic(&mut self) {
        for class in 0..self.classes.len() {
            self.new_arrivals(class);
            self.more_users(class);
        }
    }

    /// Draws arrivals of a class anew: its rate is another from now on.
    pub(super) fn new_arrivals(&mut self, class: usize) {
        self.draws[class] += 1;
        self.next_arrival(class);
    }

    fn next_arrival(&mut self, class: usize) {
        let Some(began) = self.began else { return };
        let draw = self.draws[class];
        if let Some(when) = self.classes[class].next_arrival(self.now, began) {
            self.at(when, Event::Arrives { class, draw });
        }
    }

    /// Users of a class who were not there before begin to think.
    pub(super) fn more_users(&mut self, class: usize) {
        while self.began.is_some() && self.users[class] < self.classes[class].users() {
            self.users[class] += 1;
            // They do not all come at once.
            let comes = us(self.random.random_range(0.0..ARRIVE_WITHIN_S));
            self.at(self.now + comes, Event::Asks { class });
        }
    }

    pub(super) fn arrives(&mut self, class: usize, draw: u64) {
        if draw == self.draws[class] {
            self.ask(class, false);
            self.next_arrival(class);
        }
    }

    pub(super) fn asks(&mut self, class: usize) {
        if self.users[class] > self.classes[class].users() {
            self.users[class] -= 1;
            return;
        }
        self.ask(class, true);
    }

    fn ask(&mut self, class: usize, user: bool) {
        let wish = self.classes[class].wish();
        let id = self.next_request;
        self.next_request += 1;
        let prefix = (wish.prefix > 0).then_some((class, wish.prefix));
        let ask = Ask { id, prompt: wish.prompt, output: wish.output, prefix };
        let asked = self.now;
        let request = Request {
            class,
            user,
            ask,
            asked,
            sent: asked,
            pod: None,
            prefills: None,
            tried: Vec::new(),
            first: None,
            held: None,
        };
        self.requests.insert(id, request);
        self.ledger.arrived += 1.0;
        self.gateway.downstream_total += 1;
        self.gateway.active += 1;
        let jitter: f64 = self.random.random_range(0.6..1.6);
        self.at(asked + us(self.gateway.settings.overhead.0 * jitter), Event::Forwards(id));
        if let Some(patience) = wish.patience {
            self.at(asked + patience, Event::GivesUp(id));
        }
        self.at(asked + us(self.gateway.settings.timeout.0), Event::TimesOut(id));
    }

    /// The gateway sends a request on, or answers it itself.
    pub(super) fn forward(&mut self, id: u64) {
        let refused = self.gateway.refuses > 0.0 && self.random.random_bool(self.gateway.refuses.min(1.0));
        if refused {
            self.end(id, Some(503));
            return;
        }
        loop {
            let Some(request) = self.requests.get(&id) else { return };
            let tried = request.tried.clone();
            let tenant = request.class;
            let Some(pod) = self.gateway.choose(&tried, tenant) else {
                self.gateway.none_healthy += u64::from(self.gateway.pods.is_empty());
                self.end(id, Some(503));
                return;
            };
            if !tried.is_empty() {
                if tried.len() > self.gateway.settings.retries as usize {
                    self.end(id, Some(503));
                    return;
                }
                self.gateway.retries += 1;
            }
            if self.submit(id, &pod) {
                return;
            }
        }
    }

    /// One attempt; false where the connection is refused and another may be tried.
    fn submit(&mut self, id: u64, pod: &str) -> bool {
        let now = self.now;
        let Some(request) = self.requests.get_mut(&id) else { return true };
        request.tried.push(pod.to_owned());
        let Some(engine) = engine_of(&mut self.containers, pod) else {
            self.gateway.connect_fail += 1;
            self.gateway.upstream_total += 1;
            return false;
        };
        // A decoder's proxy asks a prefiller for one token first; where there is none, the decoder does everything.
        let decodes = engine.pool() == Some(Pool::Decode);
        let prefiller = if decodes { self.prefiller() } else { None };
        let Some(request) = self.requests.get_mut(&id) else { return true };
        let answered = match prefiller.and_then(|pod| Some((engine_of(&mut self.containers, &pod)?, pod))) {
            Some((engine, pod)) => {
                request.prefills = Some(Prefills { pod, done: false });
                engine.submit(now, Ask { output: 1, ..request.ask })
            }
            None => match engine_of(&mut self.containers, pod) {
                Some(engine) => engine.submit(now, request.ask),
                None => Ok(()),
            },
        };
        match answered {
            Ok(()) => {
                self.ledger.gateway_s += seconds(now - request.asked);
                (request.sent, request.pod) = (now, Some(pod.to_owned()));
                self.gateway.sent(pod);
            }
            Err(Seen::Refused(status)) => {
                self.gateway.upstream_total += 1;
                self.gateway.upstream_answer(status, 2.0);
                self.ledger.refused += 1.0;
                self.end(id, Some(status));
            }
            Err(_) => {}
        }
        true
    }

    pub(super) fn sees(&mut self, id: u64, sight: Sight) {
        if sight != Sight::Cut && self.prefill_sees(id, sight) {
            return;
        }
        if self.own_sees(id, sight) {
            return;
        }
        let Some(request) = self.requests.get_mut(&id) else { return };
        match sight {
            Sight::Read => {}
            Sight::First if self.gateway.buffers => request.held = Some(self.now),
            Sight::First => self.first_leaves(id),
            Sight::Last => {
                if let Some(since) = request.held.take() {
                    self.ledger.gateway_s += seconds(self.now - since);
                    self.first_leaves(id);
                }
                let Some(request) = self.requests.get(&id) else { return };
                self.gateway.whole_s.observe(seconds(self.now - request.asked));
                // An answer of one token has no time between tokens.
                if let Some(first) = request.first.filter(|_| request.ask.output > 1) {
                    let per_token = seconds(self.now - first) / f64::from(request.ask.output - 1);
                    self.gateway.per_token_s.observe(per_token);
                }
                let ms = seconds(self.now - request.sent) * 1000.0;
                self.gateway.upstream_answer(200, ms);
                self.end(id, Some(200));
            }
            // The replica is gone. What has not begun to answer is an error, what has is a torn stream.
            Sight::Cut => {
                self.gateway.upstream_reset += 1;
                let status = if request.first.is_some() { 200 } else { 503 };
                self.end(id, Some(status));
            }
        }
    }

    /// What the engine that computes a prompt says of it; whether it was that one's to say.
    fn prefill_sees(&mut self, id: u64, sight: Sight) -> bool {
        let now = self.now;
        let Some(request) = self.requests.get_mut(&id) else { return false };
        let Some(prefills) = &mut request.prefills else { return false };
        if sight == Sight::Read {
            if let Some(engine) = engine_of(&mut self.containers, &prefills.pod) {
                engine.release(id);
            }
            return true;
        }
        if prefills.done {
            return false;
        }
        if sight == Sight::First {
            return true;
        }
        // Its prompt is computed: now it is the decoder's.
        prefills.done = true;
        let ask = Ask { prefix: None, ..request.ask };
        let decoder = request.pod.as_ref().and_then(|pod| engine_of(&mut self.containers, pod));
        match decoder.map(|engine| engine.take_over(now, ask)) {
            Some(Ok(())) => {}
            Some(Err(Seen::Refused(status))) => {
                self.gateway.upstream_answer(status, 2.0);
                self.ledger.refused += 1.0;
                self.end(id, Some(status));
            }
            _ => self.end(id, Some(503)),
        }
        true
    }

    /// Engines that compute prompts for others.
    pub(super) fn prefillers(&self) -> impl Iterator<Item = &Container> {
        self.containers.iter().filter(|c| c.engine().is_some_and(|engine| engine.pool() == Some(Pool::Prefill)))
    }

    /// The one of them that holds the fewest requests.
    fn prefiller(&self) -> Option<String> {
        let held = |c: &&Container| c.engine().map_or(usize::MAX, Engine::held);
        Some(self.prefillers().min_by_key(held)?.launch.pod.clone())
    }

    /// The first token leaves the gateway.
    fn first_leaves(&mut self, id: u64) {
        let Some(request) = self.requests.get_mut(&id) else { return };
        request.first = Some(self.now);
        let waited = seconds(self.now - request.asked);
        self.ledger.first_tokens += 1.0;
        self.ledger.late += f64::from(u8::from(waited > self.scenario.slo.ttft.0));
        self.gateway.first_s.observe(waited);
    }

    pub(super) fn gives_up(&mut self, id: u64) {
        if self.requests.get(&id).is_some_and(|request| request.first.is_none()) {
            self.leaves(id);
        }
    }

    /// A client closes its connection.
    pub(super) fn leaves(&mut self, id: u64) {
        if self.requests.contains_key(&id) {
            self.abort(id);
            self.gateway.client_reset += 1;
            self.end(id, None);
        }
    }

    pub(super) fn times_out(&mut self, id: u64) {
        if self.requests.contains_key(&id) {
            self.abort(id);
            self.gateway.timeouts += 1;
            self.end(id, Some(504));
        }
    }

    fn abort(&mut self, id: u64) {
        let Some(request) = self.requests.get(&id) else { return };
        let Some(pod) = &request.pod else { return };
        self.gateway.upstream_cancelled += 1;
        let both = [Some(pod), request.prefills.as_ref().filter(|p| !p.done).map(|p| &p.pod)];
        for pod in both.into_iter().flatten() {
            if let Some(engine) = engine_of(&mut self.containers, pod) {
                engine.abort(id);
            }
        }
    }

    /// A request is over, with a status, or because its client has gone.
    fn end(&mut self, id: u64, status: Option<u16>) {
        let Some(request) = self.requests.remove(&id) else { return };
        self.own_ended(id, status);
        if let Some(pod) = &request.pod {
            self.gateway.returned(pod);
        }
        if let Some(engine) = request.prefills.and_then(|p| engine_of(&mut self.containers, &p.pod)) {
            engine.release(id);
        }
        let ms = seconds(self.now - request.asked) * 1000.0;
        if let Some(status) = status {
            self.gateway.answer(status, ms);
            self.ledger.failed += f64::from(u8::from(status >= 500));
        } else {
            self.gateway.active = self.gateway.active.saturating_sub(1);
            self.ledger.given_up += 1.0;
        }
        if request.user {
            let think = self.classes[request.class].think();
            self.at(self.now + think, Event::Asks { class: request.class });
        }
    }

    /// A container is gone with all that it held.
    pub(super) fn remove(&mut self, pod: &str) {
        let before = self.containers.len();
        self.cut(pod);
        self.containers.retain(|container| container.launch.pod != pod);
        if self.containers.len() == before {
            return;
        }
        for gpu in self.gpus.values_mut().flatten().filter(|gpu| gpu.pod.as_deref() == Some(pod)) {
            (gpu.pod, gpu.memory) = (None, 0.0);
        }
    }

    /// All that a container held is lost to its clients.
    pub(super) fn cut(&mut self, pod: &str) {
        let engine = self.containers.iter().find(|c| c.launch.pod == pod).and_then(|container| container.engine());
        let Some(engine) = engine else { return };
        self.ledger += engine.ledger();
        let mut cut: Vec<u64> = self.requests.iter().filter(|(_, r)| r.is_held_by(pod)).map(|(id, _)| *id).collect();
        cut.sort_unstable();
        for id in cut {
            self.at(self.now, Event::Sees(id, Sight::Cut));
        }
        self.own_cut(pod, self.now);
    }
}

/// The engine of a pod, where it serves.
fn engine_of<'a>(containers: &'a mut [Container], pod: &str) -> Option<&'a mut Engine> {
    containers.iter_mut().find(|container| container.launch.pod == pod)?.engine_mut()
}
