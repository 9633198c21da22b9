//! A configuration file: its dumb types, and text in, [`Draft`] out. Every error has its line. Reads no file itself.
//!
//! The text is parsed twice: once into a tree, to find a key that means nothing and a value of the wrong type with a
//! sentence of our own, and once by serde into the types below. To add a key, add it to both.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::draft::{Draft, Part, PartTarget, Said};
use super::duration::parse;
use super::error::{ConfigError, Place};
use super::words::{clean, hint, key, line_of};
use super::{Origin, alias_key, gateway, limits, probe, prometheus, slo_key, values};

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ConfigFile {
    slo: BTreeMap<String, SloFile>,
    scrape: ScrapeFile,
    aliases: BTreeMap<String, Spanned<String>>,
    policy: PolicyFile,
    probe: ProbeFile,
    gateway: GatewayFile,
    prometheus: PrometheusFile,
    ui: UiFile,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct SloFile {
    ttft: TargetFile,
    tpot: TargetFile,
    burn: Option<Spanned<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct TargetFile {
    target: Option<Spanned<String>>,
    objective: Option<Spanned<f64>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ScrapeFile {
    interval: Option<Spanned<String>>,
    timeout: Option<Spanned<String>>,
    concurrency: Option<Spanned<i64>>,
    via: Option<Spanned<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct PolicyFile {
    read_only: Option<Spanned<bool>>,
    confirm: Option<Spanned<String>>,
    protected: Option<Spanned<Vec<String>>>,
    max_scale_step: Option<Spanned<i64>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ProbeFile {
    enabled: Option<Spanned<bool>>,
    every: Option<Spanned<String>>,
    max_tokens: Option<Spanned<i64>>,
    url: Option<Spanned<String>>,
    token_file: Option<Spanned<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct GatewayFile {
    selector: Option<Spanned<String>>,
    metrics: Option<Spanned<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct PrometheusFile {
    url: Option<Spanned<String>>,
    tenant: Option<Spanned<String>>,
    token_file: Option<Spanned<String>>,
    engines: Option<Spanned<String>>,
    gateways: Option<Spanned<String>>,
    gpus: Option<Spanned<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct UiFile {
    theme: Option<Spanned<String>>,
}

/// What may stand at a place in the tree; a leaf carries what is asked for when it is wrong.
enum Shape {
    Text(&'static str),
    Number(&'static str),
    Count(&'static str),
    Switch(&'static str),
    Texts(&'static str),
    /// A table with these keys and no others.
    Table(&'static [(&'static str, Self)]),
    /// A table whose keys are names: models, families.
    Named(&'static Self),
}

const DURATION: Shape = Shape::Text("a duration in quotes, such as \"500ms\"");
const SHARE: Shape = Shape::Number("a share such as 0.99");
const PROMISE: Shape = Shape::Table(&[("target", DURATION), ("objective", SHARE)]);
const SLO: Shape =
    Shape::Table(&[("ttft", PROMISE), ("tpot", PROMISE), ("burn", Shape::Text("a preset such as \"workbook\""))]);
const FILE: Shape = Shape::Table(&[
    ("slo", Shape::Named(&SLO)),
    (
        "scrape",
        Shape::Table(&[
            ("interval", DURATION),
            ("timeout", DURATION),
            ("concurrency", Shape::Count("a whole number such as 32")),
            ("via", Shape::Text("a word such as \"auto\"")),
        ]),
    ),
    ("aliases", Shape::Named(&Shape::Text("a quantity such as \"waiting\""))),
    (
        "policy",
        Shape::Table(&[
            ("read_only", Shape::Switch("true or false, without quotes")),
            ("confirm", Shape::Text("\"type-name\" or \"key\"")),
            ("protected", Shape::Texts("a list of contexts such as [\"prod-*\"]")),
            ("max_scale_step", Shape::Count("a whole number such as 4")),
        ]),
    ),
    (
        "probe",
        Shape::Table(&[
            ("enabled", Shape::Switch("true or false, without quotes")),
            ("every", DURATION),
            ("max_tokens", Shape::Count("a whole number such as 1")),
            ("url", Shape::Text("a URL in quotes, such as \"https://llm.example.org/v1\"")),
            ("token_file", Shape::Text("a path in quotes")),
        ]),
    ),
    (
        "gateway",
        Shape::Table(&[
            ("selector", Shape::Text("labels in quotes, such as \"app.kubernetes.io/name=traefik\"")),
            ("metrics", Shape::Text("a port with a path in quotes, such as \"9100/metrics\"")),
        ]),
    ),
    (
        "prometheus",
        Shape::Table(&[
            ("url", Shape::Text("a URL in quotes, such as \"http://prometheus:9090\"")),
            ("tenant", Shape::Text("a name in quotes")),
            ("token_file", Shape::Text("a path in quotes")),
            ("engines", Shape::Text("\"auto\", \"always\" or \"never\"")),
            ("gateways", Shape::Text("\"always\" or \"never\"")),
            ("gpus", Shape::Text("\"always\" or \"never\"")),
        ]),
    ),
    ("ui", Shape::Table(&[("theme", Shape::Text("a name such as \"default\""))])),
]);

/// A file's text with its name, for everything that needs to say where.
struct Source<'a> {
    name: String,
    text: &'a str,
}

impl Source<'_> {
    /// The place of a byte of the text; `key` may be empty.
    fn place(&self, offset: usize, key: &str) -> Place {
        let line = line_of(self.text.as_bytes(), offset);
        Place::Line { file: self.name.clone(), line, key: key.to_owned() }
    }

    fn not_toml(&self, error: &toml::de::Error) -> ConfigError {
        let offset = error.span().map_or(0, |span| span.start);
        ConfigError::NotToml { place: self.place(offset, ""), why: clean(error.message()) }
    }
}

/// What the file says. `by` also names the file in errors.
pub(super) fn read(text: &str, by: &Origin) -> Result<Draft, ConfigError> {
    let source = Source { name: by.to_string(), text };
    let tree = DeTable::parse(text).map_err(|error| source.not_toml(&error))?;
    let mut wrong = Vec::new();
    look_at_table(&source, tree.get_ref(), &FILE, &[], &mut wrong);
    // The tree is sorted by key; whoever repairs a file begins at its top.
    if let Some((_, first)) = wrong.into_iter().min_by_key(|(offset, _)| *offset) {
        return Err(first);
    }
    let file: ConfigFile = toml::from_str(text).map_err(|error| source.not_toml(&error))?;
    Reader { source, by }.draft(file)
}

/// Compares one table with its shape and notes what is wrong, with the offset at which it stands.
fn look_at_table(
    source: &Source<'_>,
    table: &DeTable<'_>,
    shape: &Shape,
    path: &[String],
    wrong: &mut Vec<(usize, ConfigError)>,
) {
    for (name, value) in table {
        let inner = match shape {
            Shape::Table(keys) => keys.iter().find(|(known, _)| *known == name.get_ref()).map(|(_, inner)| inner),
            Shape::Named(inner) => Some(*inner),
            _ => None,
        };
        let path = [path, &[key(name.get_ref())]].concat();
        match inner {
            Some(inner) => look_at(source, value, inner, &path, wrong),
            None => wrong.push((name.span().start, unknown_key(source, name, shape, &path))),
        }
    }
}

/// As [`look_at_table`], for one value.
fn look_at(
    source: &Source<'_>,
    value: &Spanned<DeValue<'_>>,
    shape: &Shape,
    path: &[String],
    wrong: &mut Vec<(usize, ConfigError)>,
) {
    let wanted = match (shape, value.get_ref()) {
        (Shape::Table(_) | Shape::Named(_), DeValue::Table(table)) => {
            return look_at_table(source, table, shape, path, wrong);
        }
        (Shape::Text(_), DeValue::String(_))
        | (Shape::Number(_), DeValue::Integer(_) | DeValue::Float(_))
        | (Shape::Count(_), DeValue::Integer(_))
        | (Shape::Switch(_), DeValue::Boolean(_)) => return,
        (Shape::Texts(wanted), DeValue::Array(values)) => {
            for value in values {
                look_at(source, value, &Shape::Text(wanted), path, wrong);
            }
            return;
        }
        (
            Shape::Text(wanted)
            | Shape::Number(wanted)
            | Shape::Count(wanted)
            | Shape::Switch(wanted)
            | Shape::Texts(wanted),
            _,
        ) => wanted,
        (Shape::Table(_) | Shape::Named(_), _) => "a table",
    };
    let found = match value.get_ref() {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    };
    let place = source.place(value.span().start, &path.join("."));
    wrong.push((value.span().start, ConfigError::WrongType { place, found, wanted }));
}

fn unknown_key(
    source: &Source<'_>,
    name: &Spanned<std::borrow::Cow<'_, str>>,
    shape: &Shape,
    path: &[String],
) -> ConfigError {
    let known: Vec<&str> = match shape {
        Shape::Table(keys) => keys.iter().map(|(known, _)| *known).collect(),
        _ => Vec::new(),
    };
    let table = match path.split_last() {
        Some((_, outer)) if !outer.is_empty() => format!(" in [{}]", outer.join(".")),
        _ => String::new(),
    };
    ConfigError::UnknownKey {
        place: source.place(name.span().start, ""),
        key: clean(name.get_ref()),
        hint: table + &hint(name.get_ref(), &known),
    }
}

/// Turns the file's types into a draft, value by value.
struct Reader<'a> {
    source: Source<'a>,
    by: &'a Origin,
}

impl Reader<'_> {
    fn draft(&self, file: ConfigFile) -> Result<Draft, ConfigError> {
        let mut draft = Draft::default();
        for (name, slo) in file.slo {
            let part = self.part(&name, &slo)?;
            if name == "default" {
                draft.default = part;
            } else {
                draft.models.insert(name, part);
            }
        }
        draft.interval = self.said(file.scrape.interval.as_ref(), "scrape.interval", |t, p| values::interval(t, p))?;
        draft.timeout = self.said(file.scrape.timeout.as_ref(), "scrape.timeout", |t, p| values::timeout(t, p))?;
        draft.concurrency = self.said(file.scrape.concurrency.as_ref(), "scrape.concurrency", |count, place| {
            values::concurrency(&count.to_string(), place)
        })?;
        draft.via = self.said(file.scrape.via.as_ref(), "scrape.via", |t, p| values::via(t, p))?;
        for (family, quantity) in &file.aliases {
            let said = self.said(Some(quantity), &alias_key(family), |t, p| values::quantity(t, p))?;
            draft.aliases.extend(said.map(|said| (family.clone(), said)));
        }
        draft.policy = self.policy(&file.policy)?;
        draft.probe = self.probe(&file.probe)?;
        draft.gateway = gateway::Part {
            selector: self.said(file.gateway.selector.as_ref(), "gateway.selector", |t, p| gateway::selector(t, p))?,
            metrics: self.said(file.gateway.metrics.as_ref(), "gateway.metrics", |t, p| gateway::metrics(t, p))?,
        };
        let of = &file.prometheus;
        draft.prometheus = prometheus::Part {
            url: self.said(of.url.as_ref(), "prometheus.url", |t, p| prometheus::url(t, p))?,
            tenant: self.said(of.tenant.as_ref(), "prometheus.tenant", |t, p| prometheus::tenant(t, p))?,
            token_file: self.said(of.token_file.as_ref(), "prometheus.token_file", |t, p| probe::token_file(t, p))?,
            engines: self.said(of.engines.as_ref(), "prometheus.engines", |t, p| prometheus::engines(t, p))?,
            gateways: self.said(of.gateways.as_ref(), "prometheus.gateways", |t, p| prometheus::others(t, p))?,
            gpus: self.said(of.gpus.as_ref(), "prometheus.gpus", |t, p| prometheus::others(t, p))?,
        };
        draft.theme = self.said(file.ui.theme.as_ref(), "ui.theme", |t, p| values::theme(t, p))?;
        Ok(draft)
    }

    fn policy(&self, policy: &PolicyFile) -> Result<limits::Part, ConfigError> {
        Ok(limits::Part {
            read_only: self.said(policy.read_only.as_ref(), "policy.read_only", |on, _| Ok(*on))?,
            confirm: self.said(policy.confirm.as_ref(), "policy.confirm", |t, p| limits::confirm(t, p))?,
            protected: self
                .said(policy.protected.as_ref(), "policy.protected", |list, place| limits::protected(list, place))?,
            max_scale_step: self.said(policy.max_scale_step.as_ref(), "policy.max_scale_step", |step, place| {
                limits::step(*step, place)
            })?,
        })
    }

    fn probe(&self, probe: &ProbeFile) -> Result<probe::Part, ConfigError> {
        Ok(probe::Part {
            enabled: self.said(probe.enabled.as_ref(), "probe.enabled", |on, _| Ok(*on))?,
            every: self.said(probe.every.as_ref(), "probe.every", |t, p| probe::every(t, p))?,
            max_tokens: self.said(probe.max_tokens.as_ref(), "probe.max_tokens", |n, p| probe::max_tokens(*n, p))?,
            url: self.said(probe.url.as_ref(), "probe.url", |t, p| probe::url(t, p))?,
            token_file: self.said(probe.token_file.as_ref(), "probe.token_file", |t, p| probe::token_file(t, p))?,
        })
    }

    fn part(&self, name: &str, slo: &SloFile) -> Result<Part, ConfigError> {
        Ok(Part {
            ttft: self.promise(&slo_key(name, "ttft"), &slo.ttft)?,
            tpot: self.promise(&slo_key(name, "tpot"), &slo.tpot)?,
            burn: self.said(slo.burn.as_ref(), &slo_key(name, "burn"), |t, p| values::burn(t, p))?,
        })
    }

    fn promise(&self, key: &str, promise: &TargetFile) -> Result<PartTarget, ConfigError> {
        let target = self.said(promise.target.as_ref(), &format!("{key}.target"), |text, place| {
            values::target(text, place, parse)
        })?;
        let objective = self.said(promise.objective.as_ref(), &format!("{key}.objective"), |share, place| {
            values::objective(*share, place)
        })?;
        Ok(PartTarget { target, objective })
    }

    /// A value that the file gives, valid and with its origin; nothing where it gives none.
    fn said<T, U>(
        &self,
        given: Option<&Spanned<T>>,
        key: &str,
        read: impl FnOnce(&T, &Place) -> Result<U, ConfigError>,
    ) -> Result<Option<Said<U>>, ConfigError> {
        let Some(given) = given else { return Ok(None) };
        let place = self.source.place(given.span().start, key);
        Ok(Some(Said::new(read(given.get_ref(), &place)?, self.by)))
    }
}
