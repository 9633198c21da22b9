//! Who asks, when, and what: each class draws from a stream of its own, so that one does not disturb another.

use rand::SeedableRng;
use rand_distr::{Distribution, Exp1, StandardNormal};
use rand_pcg::Pcg64Mcg;

use super::number::{Us, us, whole};
use crate::sim::scenario::{Lengths, Traffic, TrafficChange};

/// A request before it has an identity.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wish {
    pub(super) prompt: u32,
    pub(super) output: u32,
    pub(super) prefix: u32,
    pub(super) patience: Option<Us>,
}

/// One class of one tenant.
#[derive(Debug, Clone)]
pub(super) struct Class {
    pub(super) is: Traffic,
    random: Pcg64Mcg,
    rate_factor: f64,
    prompt_factor: f64,
    output_factor: f64,
    shared_prefix: f64,
}

impl Class {
    pub(super) fn new(is: &Traffic, seed: u64, number: u64) -> Self {
        let random = Pcg64Mcg::seed_from_u64(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(number));
        let shared_prefix = is.shared_prefix;
        Self { is: is.clone(), random, rate_factor: 1.0, prompt_factor: 1.0, output_factor: 1.0, shared_prefix }
    }

    /// Applies a change that is about this class; answers whether its rate changed.
    pub(super) fn change(&mut self, to: &TrafficChange) -> bool {
        let meant = |name: &Option<String>, own: &str| name.as_deref().is_none_or(|name| name == own);
        if !meant(&to.tenant, &self.is.tenant) || !meant(&to.class, &self.is.class) {
            return false;
        }
        self.rate_factor = to.rate_factor.unwrap_or(self.rate_factor);
        self.prompt_factor = to.prompt_factor.unwrap_or(self.prompt_factor);
        self.output_factor = to.output_factor.unwrap_or(self.output_factor);
        self.shared_prefix = to.shared_prefix.unwrap_or(self.shared_prefix);
        to.rate_factor.is_some()
    }

    /// Users that ask in turns; 0 for a class whose requests arrive by themselves.
    pub(super) fn users(&self) -> u32 {
        whole(f64::from(self.is.users) * self.rate_factor)
    }

    /// The next arrival after `now`; `begin` is when traffic began. `None`: nobody asks at this rate.
    ///
    /// A Poisson process whose rate changes in steps is drawn piece by piece: no arrival crosses a step.
    pub(super) fn next_arrival(&mut self, now: Us, begin: Us) -> Option<Us> {
        let base = self.is.rate * self.rate_factor;
        if base <= 0.0 {
            return None;
        }
        let mut at = now;
        loop {
            let (factor, until) = self.burst(at - begin);
            let wait: f64 = Exp1.sample(&mut self.random);
            let candidate = at + us(wait / (base * factor).max(1e-9)).max(1);
            match until.map(|until| begin + until) {
                Some(until) if candidate > until => at = until,
                _ => return Some(candidate),
            }
        }
    }

    /// The factor at a time since the beginning, and until when it holds.
    fn burst(&self, since: Us) -> (f64, Option<Us>) {
        let Some(bursts) = self.is.bursts else { return (1.0, None) };
        let (every, lasts) = (us(bursts.every.0).max(1), us(bursts.lasts.0));
        let within = since.rem_euclid(every);
        let start = since - within;
        if within < lasts { (bursts.factor, Some(start + lasts)) } else { (1.0, Some(start + every)) }
    }

    /// How long a user thinks.
    pub(super) fn think(&mut self) -> Us {
        let draw: f64 = Exp1.sample(&mut self.random);
        us(draw * self.is.think.0).max(1000)
    }

    /// What is asked next.
    pub(super) fn wish(&mut self) -> Wish {
        let prompt = self.length(self.is.prompt, self.prompt_factor);
        let output = self.length(self.is.output, self.output_factor);
        // A prefix is as long for all of its class: a share of the usual prompt.
        let usual = self.is.prompt.median * self.prompt_factor;
        let prefix = whole(usual * self.shared_prefix).min(prompt.saturating_sub(1));
        let patience = self.is.patience.map(|mean| {
            // Few give up at once: patience is spread around its mean.
            let normal: f64 = StandardNormal.sample(&mut self.random);
            us(mean.0 * (0.35 * normal).exp())
        });
        Wish { prompt, output, prefix, patience }
    }

    fn length(&mut self, of: Lengths, factor: f64) -> u32 {
        let normal: f64 = StandardNormal.sample(&mut self.random);
        let length = of.median * (of.spread * normal).exp() * factor;
        whole(length).clamp(1, whole(f64::from(of.most) * factor.max(1.0)))
    }
}
