//! Pages in, and what was read off them as lines that can be compared at a glance.

use std::path::Path;
use std::sync::Arc;

use warroom::dialect::{Catalogue, Memory};
use warroom::domain::{Dist, EnginePage, Failure, Gauge, Page, Total, Values};
use warroom::source::engine::Decoder;

/// A file of `tests/fixtures`.
pub(crate) fn fixture(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    std::fs::read(&path).expect("a fixture of this repository")
}

/// A decoder with these aliases.
pub(crate) fn decoder(aliases: &[(&str, &str)]) -> Decoder {
    let aliases: Vec<_> = aliases.iter().map(|(f, q)| ((*f).to_owned(), (*q).to_owned())).collect();
    Decoder::new(Arc::new(Catalogue::embedded(&aliases).expect("aliases of known quantities")))
}

/// Reads a page of an endpoint that was never read before.
pub(crate) fn read(page: impl AsRef<[u8]>) -> EnginePage {
    try_read(page).expect("a page of a known engine")
}

/// Reads a page of an endpoint that was never read before, or says why it cannot be.
pub(crate) fn try_read(page: impl AsRef<[u8]>) -> Result<EnginePage, Failure> {
    decoder(&[]).decode_engine(page.as_ref(), &mut Memory::default())
}

/// Reads a page of whatever it is.
pub(crate) fn read_page(page: impl AsRef<[u8]>) -> Page {
    decoder(&[]).decode(page.as_ref(), &mut Memory::default()).expect("a page of a known system")
}

/// Everything that a page says: `quantity value family` for gauges and totals, `quantity n/sum/bounds family` for
/// distributions; before them `[engine]` where the page has several.
pub(crate) fn told(page: &EnginePage) -> Vec<String> {
    let mut lines = Vec::new();
    for replica in &page.replicas {
        if page.replicas.len() > 1 {
            lines.push(format!("[{}]", replica.engine));
        }
        let family = |quantity: &str| {
            let family = page.families.iter().find(|(q, _)| *q == quantity).map(|(_, f)| &**f);
            family.expect("a family for each quantity").to_owned()
        };
        lines.extend(quantities(&replica.values).into_iter().map(|(q, value)| format!("{q} {value} {}", family(q))));
    }
    lines
}

/// The quantities that are there, with their values.
pub(crate) fn quantities(values: &Values) -> Vec<(&'static str, String)> {
    let gauges = Gauge::ALL.iter().filter_map(|g| Some((g.name(), values.gauge(*g)?.to_string())));
    let totals = Total::ALL.iter().filter_map(|t| Some((t.name(), values.total(*t)?.to_string())));
    let dists = Dist::ALL.iter().filter_map(|d| {
        let h = values.dist(*d)?;
        Some((d.name(), format!("{}/{}/{}", h.count, h.sum, h.bounds.len())))
    });
    gauges.chain(totals).chain(dists).collect()
}

/// Asserts what a page says, line by line.
#[track_caller]
pub(crate) fn assert_told(page: &EnginePage, expected: &[&str]) {
    assert_eq!(told(page), expected, "{:#?}", told(page));
}

/// A page of these lines.
pub(crate) fn lines(lines: impl Iterator<Item = String>) -> String {
    lines.flat_map(|line| [line, "\n".to_owned()]).collect()
}

/// Everything about a page, comparable: an absent number is NaN inside, which equals nothing.
pub(crate) fn whole(page: &impl std::fmt::Debug) -> String {
    format!("{page:#?}")
}
