//! Values that are given one by one, as text: `WARROOM_*` variables and flags. Knows no file.

use super::draft::{Draft, Part, Said};
use super::duration::parse_or_seconds;
use super::error::{ConfigError, Place};
use super::{Origin, limits, probe, prometheus, values};

/// A value that can be given without a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    /// The time to first token that is promised, for every model.
    TtftTarget,
    /// The time per output token that is promised, for every model.
    TpotTarget,
    /// The share of requests for which both promises hold.
    Objective,
    /// The time between two fetches of one page.
    Interval,
    /// The time for one fetch.
    Timeout,
    /// How many fetches may be under way at once.
    Concurrency,
    /// On which way pods' pages are read.
    Via,
    /// Whether nothing may be changed.
    ReadOnly,
    /// Whether synthetic requests are sent.
    Probe,
    /// Where users knock.
    ProbeUrl,
    /// Where a Prometheus is.
    Prometheus,
    /// The name of the theme.
    Theme,
}

/// Every variable that is read, with what it sets; other variables that begin with `WARROOM_` are not looked at.
pub const VARIABLES: &[(&str, Setting)] = &[
    ("WARROOM_TTFT_TARGET", Setting::TtftTarget),
    ("WARROOM_TPOT_TARGET", Setting::TpotTarget),
    ("WARROOM_OBJECTIVE", Setting::Objective),
    ("WARROOM_SCRAPE_INTERVAL", Setting::Interval),
    ("WARROOM_SCRAPE_TIMEOUT", Setting::Timeout),
    ("WARROOM_SCRAPE_CONCURRENCY", Setting::Concurrency),
    ("WARROOM_SCRAPE_VIA", Setting::Via),
    ("WARROOM_READ_ONLY", Setting::ReadOnly),
    ("WARROOM_PROBE", Setting::Probe),
    ("WARROOM_PROBE_URL", Setting::ProbeUrl),
    ("WARROOM_PROMETHEUS", Setting::Prometheus),
    ("WARROOM_THEME", Setting::Theme),
];

/// A flag that was typed, with its value as typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flag {
    /// As the user knows it, dashes included: `--ttft`.
    pub name: &'static str,
    /// What it sets.
    pub setting: Setting,
    /// What was typed.
    pub value: String,
}

/// What the environment says; an empty variable says nothing.
pub(super) fn read_variables(variables: &[(String, String)]) -> Result<Draft, ConfigError> {
    let mut draft = Draft { for_every_model: true, ..Draft::default() };
    for (name, setting) in VARIABLES {
        let given = variables.iter().find(|(found, value)| found == name && !value.is_empty());
        if let Some((_, value)) = given {
            let (place, by) = (Place::Variable((*name).to_owned()), Origin::Variable((*name).to_owned()));
            set(&mut draft, *setting, value, &place, &by)?;
        }
    }
    Ok(draft)
}

/// What was typed.
pub(super) fn read_flags(flags: &[Flag]) -> Result<Draft, ConfigError> {
    let mut draft = Draft { for_every_model: true, ..Draft::default() };
    for flag in flags {
        let (place, by) = (Place::Flag(flag.name.to_owned()), Origin::Flag(flag.name.to_owned()));
        set(&mut draft, flag.setting, &flag.value, &place, &by)?;
    }
    Ok(draft)
}

/// Puts one value, given as text, where it belongs.
fn set(draft: &mut Draft, setting: Setting, text: &str, place: &Place, by: &Origin) -> Result<(), ConfigError> {
    let Part { ttft, tpot, .. } = &mut draft.default;
    match setting {
        Setting::TtftTarget => ttft.target = Some(Said::new(values::target(text, place, parse_or_seconds)?, by)),
        Setting::TpotTarget => tpot.target = Some(Said::new(values::target(text, place, parse_or_seconds)?, by)),
        Setting::Objective => {
            let share = values::objective_from(text, place)?;
            (ttft.objective, tpot.objective) = (Some(Said::new(share, by)), Some(Said::new(share, by)));
        }
        Setting::Interval => draft.interval = Some(Said::new(values::interval(text, place)?, by)),
        Setting::Timeout => draft.timeout = Some(Said::new(values::timeout(text, place)?, by)),
        Setting::Concurrency => draft.concurrency = Some(Said::new(values::concurrency(text, place)?, by)),
        Setting::Via => draft.via = Some(Said::new(values::via(text, place)?, by)),
        Setting::ReadOnly => draft.policy.read_only = Some(Said::new(limits::switch(text, place)?, by)),
        Setting::Probe => draft.probe.enabled = Some(Said::new(limits::switch(text, place)?, by)),
        Setting::ProbeUrl => draft.probe.url = Some(Said::new(probe::url(text, place)?, by)),
        Setting::Prometheus => draft.prometheus.url = Some(Said::new(prometheus::url(text, place)?, by)),
        Setting::Theme => draft.theme = Some(Said::new(values::theme(text, place)?, by)),
    }
    Ok(())
}
