//! Agreement with `prometheus-parse` on what it can read: no `:` in names, no `,` `=` `}` or escapes in label values,
//! no blanks between labels, no empty braces.

use std::collections::BTreeMap;

use prometheus_parse::{Scrape, Value};
use proptest::prelude::*;

use super::collect::{Owned, collect};
use super::pages;

/// Its samples, with labels in the order of their names because it keeps none.
fn oracle(page: &str) -> Vec<Owned> {
    let scrape = Scrape::parse(page.lines().map(|line| Ok(line.to_owned()))).expect("no input errors");
    scrape
        .samples
        .into_iter()
        .map(|sample| {
            let value = match sample.value {
                Value::Counter(value) | Value::Gauge(value) | Value::Untyped(value) => value,
                Value::Histogram(_) | Value::Summary(_) => unreachable!("grouped in spite of having no TYPE"),
            };
            let labels: BTreeMap<_, _> =
                sample.labels.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
            Owned { name: sample.metric, labels: labels.into_iter().collect(), value }
        })
        .collect()
}

fn ours(page: &str) -> Vec<Owned> {
    let (mut samples, stats) = collect(page).expect("a page");
    assert_eq!(stats.first_skipped, None, "{page}");
    for sample in &mut samples {
        sample.labels.sort();
    }
    samples
}

/// What the oracle needs to see a page at all: names without colons, and no types, because it groups by them.
fn within_its_abilities(page: &str) -> String {
    let lines = page.lines().filter(|line| !line.starts_with('#'));
    let rewritten = lines.map(|line| {
        let name = line.find(['{', ' ']).expect("a sample");
        line[..name].replace(':', "_") + &line[name..] + "\n"
    });
    rewritten.collect()
}

#[test]
fn both_readers_agree_on_real_pages() {
    for (name, page) in pages::all() {
        let page = within_its_abilities(&String::from_utf8(page).expect("text"));
        let (ours, oracle) = (ours(&page), oracle(&page));
        assert_eq!(ours.len(), page.lines().count(), "{name}");
        assert_eq!(ours, oracle, "{name}");
    }
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<f64>().prop_map(|value| value.to_string()),
        any::<f64>().prop_map(|value| format!("{value:e}")),
        any::<i64>().prop_map(|value| value.to_string()),
        (0_u32..10_000, 0_u32..1000).prop_map(|(whole, part)| format!("{whole}.{part}")),
        "[0-9]{1,25}\\.[0-9]{1,25}([eE][+-]?[0-9]{1,3})?",
        prop::sample::select(vec!["+Inf", "-Inf", "NaN", "1e+06", "1e+010", "0.0", "-1"]).prop_map(str::to_owned),
    ]
}

fn line() -> impl Strategy<Value = String> {
    let name = "[a-zA-Z_][a-zA-Z0-9_]{0,20}";
    let labels = prop::collection::btree_map("[a-z_][a-z0-9_]{0,8}", "[a-zA-Z0-9 ./:+é#-]{0,12}", 0..5);
    let timestamp = prop::option::of(0_i64..2_000_000_000_000);
    (name, labels, value(), timestamp).prop_map(|(name, labels, value, timestamp)| {
        let labels: Vec<_> = labels.iter().map(|(key, value)| format!("{key}=\"{value}\"")).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let timestamp = timestamp.map_or_else(String::new, |timestamp| format!(" {timestamp}"));
        format!("{name}{labels} {value}{timestamp}\n")
    })
}

proptest! {
    #[test]
    fn both_readers_agree_on_generated_pages(
        lines in prop::collection::vec(prop_oneof![8 => line(), 1 => Just("# HELP a b c\n\n".to_owned())], 1..30)
    ) {
        let page = lines.concat();
        prop_assert_eq!(ours(&page), oracle(&page));
    }
}
