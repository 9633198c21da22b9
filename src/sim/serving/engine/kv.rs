//! Blocks of KV cache. A freed block keeps its content until it is taken again, oldest first: that is the prefix cache.

use crate::sim::serving::number::pieces;

/// Blocks that were freed and may still be whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Freed {
    blocks: u32,
    /// When `taken` has reached this, the first of them is taken.
    lost_from: u64,
}

/// Blocks of a prefix that many prompts share.
#[derive(Debug, Clone, Copy, Default)]
struct Shared {
    /// Blocks that hold it; 0 where nobody has computed it.
    blocks: u32,
    /// Running sequences that use it.
    users: u32,
    /// Where it lies while nobody uses it.
    freed: Freed,
}

/// The cache of an engine.
#[derive(Debug, Clone)]
pub(super) struct Kv {
    pub(super) block_size: u32,
    total: u32,
    free: u32,
    /// Blocks ever taken: the clock of the queue of free blocks.
    taken: u64,
    shared: Vec<Shared>,
}

impl Kv {
    pub(super) fn new(blocks: u32, block_size: u32) -> Self {
        Self { block_size, total: blocks, free: blocks, taken: 0, shared: Vec::new() }
    }

    /// Blocks that hold so many tokens.
    pub(super) fn blocks_for(&self, tokens: u32) -> u32 {
        pieces(tokens, self.block_size)
    }

    pub(super) fn free(&self) -> u32 {
        self.free
    }

    /// The share that is in use.
    pub(super) fn usage(&self) -> f64 {
        f64::from(self.total - self.free) / f64::from(self.total)
    }

    /// Takes blocks; the caller has asked [`Self::free`].
    pub(super) fn take(&mut self, blocks: u32) {
        self.free -= blocks;
        self.taken += u64::from(blocks);
    }

    /// Gives blocks back; the last of a sequence is taken first, so that its beginning lives longest.
    pub(super) fn give(&mut self, blocks: u32) -> Freed {
        let lost_from = self.taken + u64::from(self.free);
        self.free += blocks;
        Freed { blocks, lost_from }
    }

    /// How many of these are still whole.
    pub(super) fn whole(&self, freed: Freed) -> u32 {
        let lost = self.taken.saturating_sub(freed.lost_from);
        freed.blocks - u32::try_from(lost).unwrap_or(u32::MAX).min(freed.blocks)
    }

    /// Takes back blocks that are still whole.
    pub(super) fn take_back(&mut self, blocks: u32) {
        self.free -= blocks;
    }

    fn shared(&mut self, group: usize) -> &mut Shared {
        if self.shared.len() <= group {
            self.shared.resize(group + 1, Shared::default());
        }
        &mut self.shared[group]
    }

    /// How many blocks of this prefix a new sequence can use, at most `most`, and how many free ones that costs.
    pub(super) fn prefix(&mut self, group: usize, most: u32) -> (u32, u32) {
        let it = *self.shared(group);
        if it.users > 0 {
            return (it.blocks.min(most), 0);
        }
        let whole = self.whole(it.freed).min(it.blocks);
        let hit = whole.min(most);
        // What nobody used is free: to use a part of it takes it all, as far as it is whole.
        (hit, if hit > 0 { whole } else { 0 })
    }

    /// A sequence uses this prefix from now on; the caller has checked that its cost is free.
    pub(super) fn hold(&mut self, group: usize, cost: u32) {
        let it = self.shared(group);
        if it.users == 0 {
            it.blocks = cost;
        }
        it.users += 1;
        self.take_back(cost);
    }

    /// A sequence that uses `held` blocks of a prefix has computed `all` of it itself: what is new in it becomes
    /// everybody's. Answers how many blocks it gave.
    pub(super) fn publish(&mut self, group: usize, held: u32, all: u32) -> u32 {
        let it = *self.shared(group);
        let there = it.users > 0 || self.whole(it.freed).min(it.blocks) > 0;
        if all <= held || (held > 0 && held < it.blocks) || (held == 0 && there) {
            return 0;
        }
        let it = self.shared(group);
        it.users += u32::from(held == 0);
        it.blocks = all;
        all - held
    }

    /// A sequence does not use this prefix any more.
    pub(super) fn release(&mut self, group: usize) {
        let it = self.shared(group);
        it.users -= 1;
        if it.users == 0 {
            let blocks = it.blocks;
            let freed = self.give(blocks);
            self.shared(group).freed = freed;
        }
    }
}
