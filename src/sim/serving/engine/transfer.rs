//! Disaggregated serving, as vLLM and its connectors do it: a prefiller keeps a prompt's blocks until a decoder has read
//! them; a decoder that has room for them takes blocks and reads, and the request waits meanwhile, outside of its batch.

use super::schedule::Round;
use super::{Ask, Engine, Seen, Seq};
use crate::domain::Pool;
use crate::sim::serving::number::{Us, seconds, us};

/// What an engine has to do with other engines.
#[derive(Debug, Clone, Default)]
pub(super) struct Transfers {
    /// At a decoder: prompts whose cache is on its way, with the moment at which it is there.
    coming: Vec<(Us, Seq)>,
    /// Until when its link is taken: one cache comes after the other.
    link_until: Us,
    /// At a prefiller: prompts that are computed and not read yet.
    kept: Vec<Seq>,
}

impl Transfers {
    /// Requests whose cache is on its way.
    pub(super) fn coming(&self) -> usize {
        self.coming.len()
    }

    /// When the next cache is there.
    pub(super) fn next(&self) -> Option<Us> {
        self.coming.iter().map(|(until, _)| *until).min()
    }
}

impl Engine {
    /// The part that its `--kv-transfer-config` gives it.
    pub fn pool(&self) -> Option<Pool> {
        self.config.pool
    }

    /// A request arrives whose prompt another engine has computed and keeps.
    pub fn take_over(&mut self, now: i64, ask: Ask) -> Result<(), Seen> {
        self.accept(now, ask, true)
    }

    /// A prefiller need not keep a prompt's blocks any more: they were read, or nobody will.
    pub fn release(&mut self, id: u64) {
        if let Some(at) = self.transfers.kept.iter().position(|seq| seq.ask.id == id) {
            let seq = self.transfers.kept.swap_remove(at);
            self.free(&seq);
            self.meters.kv_usage = self.kv.usage();
        }
    }

    /// Blocks of a sequence that has ended: a prefiller's are kept for whoever reads them.
    pub(super) fn part_with(&mut self, seq: Seq) {
        if self.config.pool == Some(Pool::Prefill) {
            self.transfers.kept.push(seq);
        } else {
            self.free(&seq);
        }
    }

    /// Caches that have come: whose they are stands at the head of the queue again.
    pub(super) fn take_what_came(&mut self, now: Us) {
        let (came, coming) =
            std::mem::take(&mut self.transfers.coming).into_iter().partition(|(until, _)| *until <= now);
        self.transfers.coming = coming;
        let came: Vec<(Us, Seq)> = came;
        for (_, mut seq) in came.into_iter().rev() {
            seq.elsewhere = false;
            // The last token is computed here, so that there is something to sample from.
            seq.computed = seq.target() - 1;
            self.waiting.push_front(seq);
        }
    }

    /// Takes blocks for a prompt that was computed elsewhere and begins to read them; gives it back where there are none.
    pub(super) fn read(&mut self, now: Us, mut seq: Seq) -> Option<Seq> {
        let blocks = self.kv.blocks_for(seq.target());
        if blocks > self.kv.free() {
            return Some(seq);
        }
        self.kv.take(blocks);
        seq.blocks = blocks;
        let bytes = f64::from(seq.target()) * self.config.token_bytes;
        let until = self.transfers.link_until.max(now) + us(bytes / (self.conditions.link * 1e9)).max(1);
        self.transfers.link_until = until;
        self.meters.transfer.observe(seconds(until - now));
        self.meters.transferred += u64::from(seq.target());
        self.handed_over.push((until, seq.ask.id));
        self.transfers.coming.push((until, seq));
        None
    }

    /// A sequence whose cache has come joins the batch with its last token to compute.
    pub(super) fn join_with_cache(&mut self, now: Us, mut seq: Seq, round: &mut Round) {
        seq.scheduled = Some(now);
        seq.cached = seq.computed;
        round.chunk(&seq, 1);
        self.running.push(seq);
    }

    /// A request that is on its way is given up: the blocks that it was to fill are free.
    pub(super) fn drop_coming(&mut self, id: u64) -> Option<Seq> {
        let at = self.transfers.coming.iter().position(|(_, seq)| seq.ask.id == id)?;
        let (_, seq) = self.transfers.coming.remove(at);
        self.free(&seq);
        Some(seq)
    }
}
