//! What a layer says and what it leaves open; drafts are laid over each other and settle into a [`Config`].
//!
//! Every value in a draft is valid already. Knows neither text nor TOML.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::diagnosis::BurnPreset;
use crate::domain::Via;

use super::{Config, Origin, Slo, Target, gateway, limits, probe, prometheus, slo_key};

/// A value, and who said it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Said<T> {
    value: T,
    by: Origin,
}

impl<T> Said<T> {
    pub(super) fn new(value: T, by: &Origin) -> Self {
        Self { value, by: by.clone() }
    }

    pub(super) const fn value(&self) -> &T {
        &self.value
    }

    /// Another value, said by the same.
    pub(super) fn with(self, value: T) -> Self {
        Self { value, by: self.by }
    }

    /// Whether nobody said it.
    pub(super) fn is_default(&self) -> bool {
        self.by == Origin::Default
    }
}

/// One promise, as far as it was said.
#[derive(Debug, Clone, Default)]
pub(super) struct PartTarget {
    pub(super) target: Option<Said<Duration>>,
    pub(super) objective: Option<Said<f64>>,
}

/// What was said about one model, or about all of them.
#[derive(Debug, Clone, Default)]
pub(super) struct Part {
    pub(super) ttft: PartTarget,
    pub(super) tpot: PartTarget,
    pub(super) burn: Option<Said<BurnPreset>>,
}

/// What one layer says, or several laid over each other.
#[derive(Debug, Clone, Default)]
pub(super) struct Draft {
    /// Whether `default` also takes the place of what weaker layers say about single models: it was typed just now.
    pub(super) for_every_model: bool,
    pub(super) default: Part,
    pub(super) models: BTreeMap<String, Part>,
    pub(super) interval: Option<Said<Duration>>,
    pub(super) timeout: Option<Said<Duration>>,
    pub(super) concurrency: Option<Said<u16>>,
    pub(super) via: Option<Said<Option<Via>>>,
    pub(super) aliases: BTreeMap<String, Said<&'static str>>,
    pub(super) policy: limits::Part,
    pub(super) probe: probe::Part,
    pub(super) gateway: gateway::Part,
    pub(super) prometheus: prometheus::Part,
    pub(super) theme: Option<Said<String>>,
}

impl PartTarget {
    fn over(self, weaker: Self) -> Self {
        Self { target: self.target.or(weaker.target), objective: self.objective.or(weaker.objective) }
    }

    /// What is left when `stronger` has said its part.
    fn without(self, stronger: &Self) -> Self {
        Self {
            target: self.target.filter(|_| stronger.target.is_none()),
            objective: self.objective.filter(|_| stronger.objective.is_none()),
        }
    }
}

impl Part {
    fn over(self, weaker: Self) -> Self {
        Self { ttft: self.ttft.over(weaker.ttft), tpot: self.tpot.over(weaker.tpot), burn: self.burn.or(weaker.burn) }
    }

    fn without(self, stronger: &Self) -> Self {
        Self {
            ttft: self.ttft.without(&stronger.ttft),
            tpot: self.tpot.without(&stronger.tpot),
            burn: self.burn.filter(|_| stronger.burn.is_none()),
        }
    }
}

impl Draft {
    /// This draft where it says something, the weaker one everywhere else.
    pub(super) fn over(self, weaker: Self) -> Self {
        let mut models = weaker.models;
        if self.for_every_model {
            models = models.into_iter().map(|(name, part)| (name, part.without(&self.default))).collect();
        }
        for (name, part) in self.models {
            let below = models.remove(&name).unwrap_or_default();
            models.insert(name, part.over(below));
        }
        let mut aliases = weaker.aliases;
        aliases.extend(self.aliases);
        Self {
            for_every_model: false,
            default: self.default.over(weaker.default),
            models,
            interval: self.interval.or(weaker.interval),
            timeout: self.timeout.or(weaker.timeout),
            concurrency: self.concurrency.or(weaker.concurrency),
            via: self.via.or(weaker.via),
            aliases,
            policy: self.policy.over(weaker.policy),
            probe: self.probe.over(weaker.probe),
            gateway: self.gateway.over(weaker.gateway),
            prometheus: self.prometheus.over(weaker.prometheus),
            theme: self.theme.or(weaker.theme),
        }
    }

    /// What it forbids, and nothing else.
    pub(super) fn limits(self) -> Self {
        Self { policy: self.policy, ..Self::default() }
    }

    /// The configuration: the defaults wherever nothing was said, and for a model what is said about all of them.
    pub(super) fn settle(self) -> Config {
        let Config { mut slo, mut scrape, mut aliases, mut ui, mut origins, .. } = Config::default();
        let mut won = Won(&mut origins);
        settle_slo(&mut slo.default, "default", self.default, &mut won);
        for (name, part) in self.models {
            let mut own = slo.default.clone();
            won.inherit(&name);
            settle_slo(&mut own, &name, part, &mut won);
            slo.models.insert(name, own);
        }
        won.take(&mut scrape.interval, self.interval, || "scrape.interval".to_owned());
        won.take(&mut scrape.timeout, self.timeout, || "scrape.timeout".to_owned());
        won.take(&mut scrape.concurrency, self.concurrency, || "scrape.concurrency".to_owned());
        won.take(&mut scrape.via, self.via, || "scrape.via".to_owned());
        for (family, said) in self.aliases {
            let key = super::alias_key(&family);
            won.take(aliases.entry(family).or_default(), Some(said), || key);
        }
        let policy = self.policy.settle(&mut won);
        let probe = self.probe.settle(&mut won);
        let gateway = self.gateway.settle(&mut won);
        let prometheus = self.prometheus.settle(&mut won);
        won.take(&mut ui.theme, self.theme, || "ui.theme".to_owned());
        Config { slo, scrape, aliases, policy, probe, gateway, prometheus, ui, origins }
    }
}

fn settle_slo(slo: &mut Slo, name: &str, part: Part, won: &mut Won<'_>) {
    let mut target = |own: &mut Target, part: PartTarget, promise: &str| {
        won.take(&mut own.limit, part.target, || slo_key(name, &format!("{promise}.target")));
        won.take(&mut own.objective, part.objective, || slo_key(name, &format!("{promise}.objective")));
    };
    target(&mut slo.ttft, part.ttft, "ttft");
    target(&mut slo.tpot, part.tpot, "tpot");
    won.take(&mut slo.burn, part.burn, || slo_key(name, "burn"));
}

/// Who won each key; a key that is not there has its default.
pub(super) struct Won<'a>(&'a mut BTreeMap<String, Origin>);

impl Won<'_> {
    /// Puts what was said into its place, and remembers who said it.
    pub(super) fn take<T>(&mut self, place: &mut T, said: Option<Said<T>>, key: impl FnOnce() -> String) {
        if let Some(Said { value, by }) = said {
            *place = value;
            match by {
                Origin::Default => self.0.remove(&key()),
                by => self.0.insert(key(), by),
            };
        }
    }

    /// A model starts with the values of the default, and so with those who said them.
    fn inherit(&mut self, model: &str) {
        for key in ["ttft.target", "ttft.objective", "tpot.target", "tpot.objective", "burn"] {
            if let Some(origin) = self.0.get(&slo_key("default", key)).cloned() {
                self.0.insert(slo_key(model, key), origin);
            }
        }
    }
}
