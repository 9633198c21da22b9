//! Which sequences a step works on: vLLM V1's scheduler.

use super::speed::Work;
use super::{Engine, Seq, Short};
use crate::sim::serving::number::{Us, seconds, us, whole};

/// A step that is being computed.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) began: Us,
    pub(super) ends: Us,
    /// How many tokens each decoding sequence gets; 0: none decodes.
    pub(super) tokens: u32,
    /// Sequences whose prompts are computed, with how many tokens of them.
    pub(super) prefills: Vec<(u64, u32)>,
}

/// What a scheduling round has chosen so far.
#[derive(Debug, Default)]
pub(super) struct Round {
    budget: u32,
    prefills: Vec<(u64, u32)>,
    work: Work,
    preempted: bool,
    /// Tokens that each decoding sequence will get.
    tokens: u32,
    /// Whether decoding sequences have got their blocks for this step.
    placed: bool,
}

impl Round {
    pub(super) fn chunk(&mut self, seq: &Seq, chunk: u32) {
        let middle = f64::from(seq.computed) + f64::from(chunk) / 2.0;
        let (before, all) = (f64::from(self.work.prefill), f64::from(self.work.prefill + chunk));
        self.work.position = (self.work.position * before + middle * f64::from(chunk)) / all;
        self.work.prefill += chunk;
        self.work.sequences += 1;
        self.budget -= chunk;
        self.prefills.push((seq.ask.id, chunk));
    }
}

impl Engine {
    /// Chooses the next step and begins it; with nothing to do the core waits for its inbox.
    pub(super) fn schedule(&mut self, now: Us) {
        self.take_in(now);
        self.drop_gone(now);
        self.take_what_came(now);
        let mut round = Round { budget: self.config.max_num_batched_tokens, ..Round::default() };
        round.tokens = self.tokens_of_step();
        self.decode_all(&mut round);
        self.go_on_with_prompts(&mut round);
        // Who was just pushed out would only be let in again.
        self.short = if round.preempted { Short::Blocks } else { Short::Tokens };
        if !round.preempted {
            self.admit(now, &mut round);
        }
        round.work.decodes = self.decoding;
        round.work.drafts = self.config.drafts;
        round.work.context = self.context;
        round.work.sequences += self.decoding;
        if round.work.sequences == 0 {
            return;
        }
        let (lasts, arithmetic, memory) = self.speed.step(round.work, self.conditions);
        self.busy.kernels += arithmetic.max(memory);
        self.busy.arithmetic += arithmetic;
        self.busy.memory += memory;
        let begins = now.max(self.hung_until);
        let tokens = if self.decoding > 0 { round.tokens } else { 0 };
        self.step = Some(Step { began: now, ends: begins + us(lasts), tokens, prefills: round.prefills });
    }

    /// How many tokens each decoding sequence gets in the next step: one, and as many drafted ones as are accepted before
    /// the first that is not. All get the same number, and on average the right one.
    fn tokens_of_step(&mut self) -> u32 {
        let share = self.conditions.acceptance.clamp(0.0, 1.0);
        self.owed += (1..=self.config.drafts).map(|n| share.powi(n.cast_signed())).sum::<f64>();
        let accepted = self.owed.floor().min(f64::from(self.config.drafts));
        self.owed -= accepted;
        1 + whole(accepted)
    }

    /// Requests that the API server has passed on join the queue: from now on they are waiting.
    fn take_in(&mut self, now: Us) {
        while let Some((ready, mut seq)) = self.inbox.pop_front_if(|(ready, _)| *ready <= now) {
            seq.queued = now;
            self.ledger.front_s += seconds(ready - seq.arrived);
            self.ledger.loop_s += seconds(now - ready);
            self.waiting.push_back(seq);
        }
    }

    fn drop_gone(&mut self, now: Us) {
        for id in std::mem::take(&mut self.gone) {
            let mut dropped = None;
            if let Some(at) = self.waiting.iter().position(|seq| seq.ask.id == id) {
                dropped = self.waiting.remove(at);
                // One whose cache has come holds blocks already.
                if let Some(seq) = &dropped {
                    self.free(seq);
                }
            } else if let Some(at) = self.running.iter().position(|seq| seq.ask.id == id) {
                self.settle(at);
                let seq = self.running.remove(at);
                self.free(&seq);
                dropped = Some(seq);
            } else if let Some(seq) = self.drop_coming(id) {
                dropped = Some(seq);
            } else if let Some(at) = self.inbox.iter().position(|(_, seq)| seq.ask.id == id) {
                dropped = self.inbox.remove(at).map(|(_, seq)| seq);
            }
            // It leaves no trace in the engine's own counts; only the HTTP layer has seen it.
            if let Some(seq) = dropped {
                self.answered(seconds(now - seq.arrived));
            }
        }
    }

    /// Every decoding sequence gets its tokens; blocks for that are taken from the youngest where none are free.
    fn decode_all(&mut self, round: &mut Round) {
        while self.blocks_for_decodes(round.tokens) > self.kv.free() {
            self.preempt_last(round);
        }
        let blocks = self.blocks_for_decodes(round.tokens);
        self.kv.take(blocks);
        round.placed = true;
        round.budget = round.budget.saturating_sub(self.decoding * (1 + self.config.drafts));
    }

    /// Prompts that are half computed go on, oldest first.
    fn go_on_with_prompts(&mut self, round: &mut Round) {
        let mut at = 0;
        while at < self.running.len() && round.budget > 0 {
            if self.running[at].decodes.is_some() {
                at += 1;
                continue;
            }
            let seq = &self.running[at];
            let chunk = (seq.target() - seq.computed).min(round.budget);
            let needed = self.kv.blocks_for(seq.computed + chunk).saturating_sub(seq.blocks + seq.shared);
            while needed > self.kv.free() && self.running.len() > at {
                self.preempt_last(round);
            }
            if at >= self.running.len() {
                return;
            }
            self.kv.take(needed);
            self.running[at].blocks += needed;
            round.chunk(&self.running[at], chunk);
            at += 1;
        }
    }

    /// Waiting sequences are let in, first come first served: where the first does not fit, nobody behind it is asked.
    fn admit(&mut self, now: Us, round: &mut Round) {
        while round.budget > 0 && self.running.len() < self.config.max_num_seqs as usize {
            let Some(mut seq) = self.waiting.pop_front() else { return };
            if seq.elsewhere {
                if let Some(seq) = self.read(now, seq) {
                    self.waiting.push_front(seq);
                    self.short = Short::Blocks;
                    return;
                }
                continue;
            }
            if seq.blocks > 0 {
                self.join_with_cache(now, seq, round);
                continue;
            }
            // What lies in the cache may leave too little room to use it: alone, a sequence can always begin afresh.
            let alone = self.running.is_empty();
            let placed = self.place(now, &mut seq, round, true) || (alone && self.place(now, &mut seq, round, false));
            if !placed {
                self.waiting.push_front(seq);
                self.short = Short::Blocks;
                return;
            }
            self.running.push(seq);
        }
        if self.running.len() >= self.config.max_num_seqs as usize {
            self.short = Short::Slots;
        }
    }

    /// Finds room for a waiting sequence and chooses its first chunk.
    fn place(&mut self, now: Us, seq: &mut Seq, round: &mut Round, reuse: bool) -> bool {
        let size = self.config.block_size;
        let group = seq.ask.prefix.map(|(group, _)| group);
        let (mut shared, mut cost, mut own) = (0, 0, 0);
        if reuse && self.config.prefix_caching {
            // The last token is always computed, so that there is something to sample from.
            let most = (seq.target() - 1) / size;
            if let Some((group, tokens)) = seq.ask.prefix {
                (shared, cost) = self.kv.prefix(group, most.min(tokens / size));
            }
            own = self.kv.whole(seq.left).min(most - shared);
        }
        let found = (shared + own) * size;
        let missing = seq.target() - found;
        if !self.config.chunked_prefill && missing > round.budget {
            return false;
        }
        let chunk = missing.min(round.budget);
        let fresh = self.kv.blocks_for(found + chunk) - shared - own;
        if fresh + own + cost > self.kv.free() {
            return false;
        }
        if let (Some(group), true) = (group, shared > 0) {
            self.kv.hold(group, cost);
        }
        self.kv.take_back(own);
        self.kv.take(fresh);
        (seq.shared, seq.blocks, seq.computed) = (shared, own + fresh, found);
        if seq.scheduled.is_none() {
            seq.scheduled = Some(now);
            if self.meters.live {
                self.meters.queue.observe(seconds(now - seq.queued));
            }
            seq.cached = found;
            self.meters.cache_queries += u64::from(seq.target());
            self.meters.cache_hits += u64::from(found);
        }
        round.chunk(seq, chunk);
        true
    }

    /// The youngest running sequence loses its blocks, and begins anew at the head of the queue.
    fn preempt_last(&mut self, round: &mut Round) {
        let Some(last) = self.running.len().checked_sub(1) else { return };
        let decoding = self.running[last].decodes.is_some();
        self.settle(last);
        let Some(mut seq) = self.running.pop() else { return };
        // It may have got a block for the step that it will not take part in.
        if decoding && round.placed {
            seq.blocks += self.kv.blocks_for(seq.computed + round.tokens) - self.kv.blocks_for(seq.computed);
        }
        if let Some(at) = round.prefills.iter().position(|(id, _)| *id == seq.ask.id) {
            let (_, chunk) = round.prefills.remove(at);
            round.work.prefill -= chunk;
            round.work.sequences -= 1;
            round.budget += chunk;
        }
        seq.left = self.free(&seq);
        (seq.blocks, seq.shared, seq.computed) = (0, 0, 0);
        seq.preemptions += 1;
        self.meters.preemptions += 1;
        self.ledger.preempted += 1.0;
        round.preempted = true;
        self.waiting.push_front(seq);
    }

    /// Gives a sequence's blocks back.
    pub(super) fn free(&mut self, seq: &Seq) -> super::Freed {
        if let (Some((group, _)), true) = (seq.ask.prefix, seq.shared > 0) {
            self.kv.release(group);
        }
        self.kv.give(seq.blocks)
    }

    /// A prefix that was computed here is there for all who share it.
    pub(super) fn publish_prefix(&mut self, at: usize) {
        let seq = &mut self.running[at];
        let Some((group, tokens)) = seq.ask.prefix.filter(|_| self.config.prefix_caching) else { return };
        let all = (tokens / self.config.block_size).min(seq.shared + seq.blocks);
        let given = self.kv.publish(group, seq.shared, all);
        seq.shared += given;
        seq.blocks -= given;
    }
}
