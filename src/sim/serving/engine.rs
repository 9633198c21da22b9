//! One engine: an API server in front of a core that runs continuous batching, as vLLM V1 does it.
//!
//! The core works in steps. Before each it takes in what has arrived and what was given up, then chooses ([`schedule`]):
//! first every running sequence, in the order of admission, then waiting ones as far as tokens, sequences and blocks allow.
//! Who needs a block where none is free pushes out the youngest running sequence, which begins anew at the head of the
//! queue ("preemption by recompute"). A step lasts as [`speed`] says, and tokens exist when it ends. Between two ends
//! nothing is seen of it: that is why a request that arrives during a long step is not yet "waiting".

mod config;
mod kv;
mod meters;
mod schedule;
mod speed;
mod transfer;

use std::collections::VecDeque;

pub use config::{Config, StartError};
pub(super) use meters::{Buckets, Meters};
use schedule::Step;
pub(super) use speed::Conditions;
use speed::SLOW_TOKENIZER;
pub use speed::{FrontSpeed, Speed};
use transfer::Transfers;

use super::ledger::Ledger;
use super::number::{Us, seconds, us};
use super::page::Speech;
use super::page::vllm::{self, Life};
use crate::domain::Pool;
use kv::{Freed, Kv};

/// A request, as a client makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask {
    /// Its identity, given by who asks.
    pub id: u64,
    /// Tokens of its prompt.
    pub prompt: u32,
    /// Tokens that its answer will have.
    pub output: u32,
    /// A prefix that it shares with others: which, and how many tokens.
    pub prefix: Option<(usize, u32)>,
}

/// What a client sees of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// The first token.
    FirstToken,
    /// The last one.
    Finished,
    /// Its prompt's cache has come from the engine that computed it, which need not keep it any more.
    TakenOver,
    /// Turned away: the status.
    Refused(u16),
}

/// A sequence in the core.
#[derive(Debug, Clone)]
struct Seq {
    ask: Ask,
    /// When the API server read it.
    arrived: Us,
    /// When the core took it in.
    queued: Us,
    scheduled: Option<Us>,
    first_token: Option<Us>,
    last_token: Us,
    /// Tokens generated, and tokens whose KV is computed; while it decodes, as of step `since`.
    generated: u32,
    computed: u32,
    /// While it decodes: the step count at which it began, and at which its last token comes.
    decodes: Option<(u64, u64)>,
    /// Blocks of its own, and blocks of a shared prefix before them.
    blocks: u32,
    shared: u32,
    preemptions: u32,
    /// Prompt tokens that it found in the cache when it was first scheduled.
    cached: u32,
    /// Its own blocks when it was pushed out.
    left: Freed,
    /// Whether its prompt's cache lies in another engine.
    elsewhere: bool,
}

impl Seq {
    fn new(ask: Ask, arrived: Us) -> Self {
        Self {
            ask,
            arrived,
            queued: arrived,
            scheduled: None,
            first_token: None,
            last_token: arrived,
            generated: 0,
            computed: 0,
            decodes: None,
            blocks: 0,
            shared: 0,
            preemptions: 0,
            cached: 0,
            left: Freed::default(),
            elsewhere: false,
        }
    }

    /// Tokens whose KV must be there before the next token can be sampled.
    const fn target(&self) -> u32 {
        self.ask.prompt + self.generated
    }
}

/// An engine that has been started and has loaded its model.
#[derive(Debug, Clone)]
pub struct Engine {
    config: Config,
    speed: Speed,
    conditions: Conditions,
    kv: Kv,
    /// What the API server has passed on, with the moment from which the core can see it.
    inbox: VecDeque<(Us, Seq)>,
    front_free: Us,
    gone: Vec<u64>,
    waiting: VecDeque<Seq>,
    running: Vec<Seq>,
    /// Sequences that decode, the tokens that they look back on, and by the phase of their last block how many there are.
    decoding: u32,
    context: u64,
    phases: Vec<u32>,
    /// Tokens that a sequence would have got which decoded all the time.
    clock: u64,
    /// The part of a drafted token that was accepted on average and not given yet.
    owed: f64,
    next_finish: u64,
    step: Option<Step>,
    /// When the last step ended.
    ended: Us,
    hung_until: Us,
    busy: Busy,
    pub(super) meters: Meters,
    /// What really happened, booked until `booked`; a gap between tokens is slow from `slow_gap` seconds on.
    ledger: Ledger,
    booked: Us,
    slow_gap: f64,
    short: Short,
    transfers: Transfers,
    /// Caches that were read, with the moment, which nobody was told yet.
    handed_over: Vec<(Us, u64)>,
}

/// What the queue waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Short {
    Blocks,
    Slots,
    Tokens,
}

/// Seconds for which parts of the GPUs were busy, since the engine started.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Busy {
    pub(super) kernels: f64,
    pub(super) arithmetic: f64,
    pub(super) memory: f64,
}

impl Engine {
    /// An engine that begins to serve at `now` (microseconds), and speaks as vLLM does.
    pub fn new(config: Config, speed: Speed, now: i64) -> Self {
        Self::speaking(config, speed, now, Speech::Vllm)
    }

    pub(super) fn speaking(config: Config, speed: Speed, now: i64, speech: Speech) -> Self {
        Self {
            kv: Kv::new(config.blocks, config.block_size),
            phases: vec![0; config.block_size as usize],
            meters: Meters::new(config.max_model_len, speech),
            config,
            speed,
            conditions: Conditions { clock: 1.0, bandwidth: 1.0, host: 1.0, acceptance: 1.0, link: f64::INFINITY },
            inbox: VecDeque::new(),
            front_free: now,
            gone: Vec::new(),
            waiting: VecDeque::new(),
            running: Vec::new(),
            decoding: 0,
            context: 0,
            clock: 0,
            owed: 0.0,
            next_finish: u64::MAX,
            step: None,
            ended: now,
            hung_until: now,
            busy: Busy::default(),
            ledger: Ledger::default(),
            booked: now,
            slow_gap: f64::INFINITY,
            short: Short::Tokens,
            transfers: Transfers::default(),
            handed_over: Vec::new(),
        }
    }

    /// Gaps between tokens that are longer than this many seconds are counted as slow.
    pub(super) fn promise(&mut self, gap: f64) {
        self.slow_gap = gap;
    }

    /// What really happened here.
    pub(super) const fn ledger(&self) -> Ledger {
        self.ledger
    }

    /// Books the seconds that have passed to where its requests were.
    fn book(&mut self, now: Us) {
        let passed = seconds(now - self.booked);
        self.booked = now;
        let times = |requests: usize| passed * requests as f64;
        let queued = times(self.waiting.len());
        match self.short {
            Short::Blocks => self.ledger.blocks_s += queued,
            Short::Slots => self.ledger.slots_s += queued,
            Short::Tokens => self.ledger.tokens_s += queued,
        }
        self.ledger.transfer_s += times(self.transfers.coming());
        let decoding = self.decoding as usize;
        self.ledger.decode_s += times(decoding);
        self.ledger.prefill_s += times(self.running.len().saturating_sub(decoding));
    }

    /// Its configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// A request arrives at the API server, which reads and tokenises one after the other.
    pub fn submit(&mut self, now: i64, ask: Ask) -> Result<(), Seen> {
        self.accept(now, ask, false)
    }

    fn accept(&mut self, now: Us, ask: Ask, elsewhere: bool) -> Result<(), Seen> {
        let front = self.speed.front;
        let times = if self.config.slow_tokenizer { SLOW_TOKENIZER } else { 1.0 };
        let work = (front.request + times * front.prompt_token * f64::from(ask.prompt)) / self.conditions.host;
        self.meters.cpu_s += work * self.conditions.host;
        if ask.prompt + ask.output > self.config.max_model_len || ask.prompt == 0 {
            self.meters.http_4xx += 1;
            return Err(Seen::Refused(400));
        }
        let queued = self.inbox.len() + self.waiting.len() + self.transfers.coming();
        if self.config.max_queued.is_some_and(|most| queued >= most as usize) {
            (self.meters.rejected, self.meters.http_5xx) = (self.meters.rejected + 1, self.meters.http_5xx + 1);
            return Err(Seen::Refused(503));
        }
        self.front_free = self.front_free.max(now) + us(work);
        self.inbox.push_back((self.front_free, Seq { elsewhere, ..Seq::new(ask, now) }));
        Ok(())
    }

    /// A client has gone: the core drops its request before the next step.
    pub fn abort(&mut self, id: u64) {
        self.gone.push(id);
    }

    /// The core computes nothing until `until`; the API server goes on.
    pub fn hang(&mut self, now: i64, until: i64) {
        self.hung_until = self.hung_until.max(until);
        if let Some(step) = &mut self.step {
            step.ends += until.max(now) - now;
        }
    }

    pub(super) fn set_conditions(&mut self, conditions: Conditions) {
        self.conditions = conditions;
    }

    pub(super) const fn busy(&self) -> Busy {
        self.busy
    }

    /// Its metrics page, of a process that began to serve as soon as it was started.
    pub fn page(&self, started: i64, now: i64) -> String {
        vllm::write(self, Life { started, serving_since: started, now })
    }

    /// Requests that it holds, from the API server's point of view.
    pub fn held(&self) -> usize {
        self.inbox.len() + self.waiting.len() + self.transfers.coming() + self.running.len()
    }

    /// When it will do something next by itself.
    pub fn next(&self) -> Option<i64> {
        if let Some(step) = &self.step {
            return Some(step.ends);
        }
        let arrives = self.inbox.front().map(|(ready, _)| *ready);
        let next = arrives.into_iter().chain(self.transfers.next()).min();
        next.map(|next| next.max(self.hung_until))
    }

    /// Does what is due at `now`, which is [`Self::next`]; tells what clients see, and when.
    pub fn run(&mut self, now: i64, seen: &mut Vec<(i64, u64, Seen)>) {
        self.book(now);
        if let Some(step) = self.step.take() {
            self.finish_step(now, step, seen);
        } else {
            self.ended = now;
        }
        self.schedule(now);
        seen.extend(self.handed_over.drain(..).map(|(when, id)| (when, id, Seen::TakenOver)));
        self.meters.running = u32::try_from(self.running.len()).unwrap_or(u32::MAX);
        self.meters.deferred = u32::try_from(self.transfers.coming()).unwrap_or(u32::MAX);
        self.meters.waiting = u32::try_from(self.waiting.len()).unwrap_or(u32::MAX) + self.meters.deferred;
        self.meters.kv_usage = self.kv.usage();
    }

    /// The tokens of a step exist.
    fn finish_step(&mut self, now: Us, step: Step, seen: &mut Vec<(Us, u64, Seen)>) {
        let gap = seconds(now - self.ended);
        self.ended = now;
        let (mut sampled, mut prompts) = (0, 0);
        if step.tokens > 0 {
            self.clock += u64::from(step.tokens);
            self.context += u64::from(self.decoding * step.tokens);
            self.meters.gap.observe_times(gap, self.decoding);
            self.meters.drafted(self.decoding, self.config.drafts, step.tokens - 1);
            self.gaps(gap, f64::from(self.decoding));
            sampled += self.decoding * step.tokens;
            if self.clock >= self.next_finish {
                // What was accepted beyond the end of an answer is nobody's.
                sampled -= self.finish_due(now, seen);
            }
        }
        let lasted = seconds(now - step.began);
        for (id, chunk) in step.prefills {
            let Some(at) = self.running.iter().position(|seq| seq.ask.id == id) else { continue };
            self.running[at].computed += chunk;
            if self.running[at].computed < self.running[at].target() {
                self.meters.chunks.observe(lasted);
                continue;
            }
            self.meters.last_chunk.observe(lasted);
            sampled += 1;
            prompts += self.sample_after_prefill(at, now, seen);
        }
        if sampled > 0 {
            self.meters.generated += u64::from(sampled);
            self.meters.step_tokens.observe(f64::from(sampled + prompts));
            self.meters.cpu_s += self.speed.front.token * f64::from(sampled);
        }
    }

    fn gaps(&mut self, gap: f64, count: f64) {
        self.ledger.gaps += count;
        if gap > self.slow_gap {
            self.ledger.slow_gaps += count;
        }
    }

    /// A sequence whose prompt is computed gets a token; answers its prompt's tokens where it is the first one.
    fn sample_after_prefill(&mut self, at: usize, now: Us, seen: &mut Vec<(Us, u64, Seen)>) -> u32 {
        self.publish_prefix(at);
        let out = now + us(self.speed.front.out / self.conditions.host);
        let seq = &mut self.running[at];
        let mut prompts = 0;
        if seq.first_token.is_none() {
            seq.first_token = Some(now);
            prompts = seq.ask.prompt;
            self.meters.prompt_tokens += u64::from(prompts);
            self.ledger.computed += f64::from(prompts - seq.cached);
            self.meters.prompt_cached += u64::from(seq.cached);
            self.meters.ttft.observe(seconds(out - seq.arrived));
            seen.push((out, seq.ask.id, Seen::FirstToken));
        } else {
            let gap = seconds(now - seq.last_token);
            self.meters.gap.observe(gap);
            self.ledger.gaps += 1.0;
            self.ledger.slow_gaps += f64::from(u8::from(gap > self.slow_gap));
        }
        seq.generated += 1;
        seq.last_token = now;
        if seq.generated >= seq.ask.output {
            let seq = self.running.remove(at);
            self.finished(now, &seq, seen);
            self.part_with(seq);
        } else {
            self.join(at);
        }
        prompts
    }

    /// From the next step on this sequence gets a token in each.
    fn join(&mut self, at: usize) {
        let seq = &mut self.running[at];
        let last = self.clock + u64::from(seq.ask.output - seq.generated);
        seq.decodes = Some((self.clock, last));
        self.decoding += 1;
        self.context += u64::from(seq.computed);
        self.next_finish = self.next_finish.min(last);
        let phase = self.phase(at);
        self.phases[phase] += 1;
    }

    /// Where a decoding sequence stands in its last block, as a number that does not change while it decodes.
    fn phase(&self, at: usize) -> usize {
        let (seq, size) = (&self.running[at], u64::from(self.config.block_size));
        let since = seq.decodes.map_or(self.clock, |(since, _)| since);
        #[expect(clippy::cast_possible_truncation, reason = "smaller than a block")]
        let phase = ((u64::from(seq.computed) + size - since % size) % size) as usize;
        phase
    }

    /// How many new blocks decoding sequences need for the next so many tokens each.
    fn blocks_for_decodes(&self, tokens: u32) -> u32 {
        let size = u64::from(self.config.block_size);
        let needed = |token: u32| {
            #[expect(clippy::cast_possible_truncation, reason = "smaller than a block")]
            let phase = ((size - (self.clock + u64::from(token)) % size) % size) as usize;
            self.phases[phase]
        };
        (0..tokens).map(needed).sum()
    }

    /// A decoding sequence stops to decode: its counts are brought up to date. Answers the tokens that it got beyond its end.
    fn settle(&mut self, at: usize) -> u32 {
        let phase = self.phase(at);
        let (clock, ended) = (self.clock, self.ended);
        let seq = &mut self.running[at];
        let Some((since, last)) = seq.decodes.take() else { return 0 };
        let tokens = u32::try_from(clock - since).unwrap_or(u32::MAX);
        let beyond = u32::try_from(clock.saturating_sub(last)).unwrap_or(0);
        if tokens > 0 {
            seq.last_token = ended;
        }
        seq.generated += tokens - beyond;
        seq.computed += tokens;
        self.phases[phase] -= 1;
        self.decoding -= 1;
        self.context -= u64::from(seq.computed);
        let (computed, shared) = (seq.computed, seq.shared);
        self.running[at].blocks = self.kv.blocks_for(computed) - shared;
        self.next_finish =
            self.running.iter().filter_map(|seq| seq.decodes.map(|(_, last)| last)).min().unwrap_or(u64::MAX);
        beyond
    }

    /// Answers of which the last token exists are ended; answers the tokens beyond their ends.
    fn finish_due(&mut self, now: Us, seen: &mut Vec<(Us, u64, Seen)>) -> u32 {
        let (mut at, mut beyond) = (0, 0);
        while at < self.running.len() {
            if self.running[at].decodes.is_some_and(|(_, last)| last <= self.clock) {
                beyond += self.settle(at);
                let seq = self.running.remove(at);
                self.free(&seq);
                self.finished(now, &seq, seen);
            } else {
                at += 1;
            }
        }
        beyond
    }

    /// The phases of a request are written when it ends, and not before.
    fn finished(&mut self, now: Us, seq: &Seq, seen: &mut Vec<(Us, u64, Seen)>) {
        let out = now + us(self.speed.front.out / self.conditions.host);
        let meters = &mut self.meters;
        let scheduled = seq.scheduled.unwrap_or(seq.queued);
        let first = seq.first_token.unwrap_or(now);
        if !meters.live {
            meters.queue.observe(seconds(scheduled - seq.queued));
        }
        meters.prefill.observe(seconds(first - scheduled));
        meters.decode.observe(seconds(now - first));
        meters.inference.observe(seconds(now - scheduled));
        meters.e2e.observe(seconds(out - seq.arrived));
        let gaps = f64::from(seq.generated.saturating_sub(1));
        meters.per_token.observe(if gaps > 0.0 { seconds(now - first) / gaps } else { 0.0 });
        meters.prompt_length.observe(f64::from(seq.ask.prompt));
        meters.output_length.observe(f64::from(seq.generated));
        meters.output_most.observe(f64::from(seq.ask.output));
        meters.computed.observe(f64::from(seq.ask.prompt - seq.cached));
        meters.parallel.observe(1.0);
        meters.preempted.observe(f64::from(seq.preemptions));
        // A prefiller is asked for one token.
        let cut_short = self.config.pool == Some(Pool::Prefill);
        meters.finished_stop += u64::from(!cut_short);
        meters.finished_length += u64::from(cut_short);
        self.answered(seconds(out - seq.arrived));
        seen.push((out, seq.ask.id, Seen::Finished));
    }

    /// A stream has ended, whoever ended it: the HTTP layer counts it now.
    fn answered(&mut self, lasted: f64) {
        self.meters.http_2xx += 1;
        self.meters.http_fine.observe(lasted);
        self.meters.http.observe(lasted);
    }
}
