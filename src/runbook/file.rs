//! A runbook's file, read strictly: a mistyped guard must not be ignored, so every word that means nothing is refused,
//! with file, line and the nearest right one. Text in, a draft out; `assemble` makes a runbook of it. Reads no file.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::draft::{Draft, DraftEdge, DraftLever, DraftState, Placed};
use super::problem::Problems;
use super::{Check, Guard, Kind, Meaning};
use crate::domain::Action;
use crate::text::{clean, nearest};

/// No sentence of a runbook is longer, in characters.
const MOST_TEXT: usize = 600;
/// No name is longer.
const MOST_NAME: usize = 60;
/// No list is longer: states, edges, checks, steps.
const MOST_ITEMS: usize = 300;

const BOOK: &[&str] = &["id", "extends", "title", "trigger", "start", "structural", "state", "edge", "anywhere"];
const STATE: &[&str] = &["name", "kind", "decides", "checks", "lever", "steps", "verifies", "means", "returns", "ours"];
const LEVER: &[&str] = &["action", "text", "flags", "ours"];
const EDGE: &[&str] = &["from", "to", "guard", "pass", "unless_fail", "group", "when", "rules_out", "divert", "ours"];
const ANYWHERE: &[&str] = &["action", "to"];

/// Reads a file's text. `file` is its name in messages. Only a draft without problems is to be used.
pub(super) fn read(file: &str, text: &str) -> (Draft, Problems) {
    let mut problems = Problems::new(file, text);
    let tree = match DeTable::parse(text) {
        Ok(tree) => tree,
        Err(error) => {
            let offset = error.span().map_or(0, |s| s.start);
            problems.add(offset, format!("not valid TOML, {}: correct that line", clean(error.message(), 200)));
            return (Draft::default(), problems);
        }
    };
    let mut book = Table::open(tree.get_ref(), 0, "a runbook", BOOK, &mut problems);
    let mut draft = Draft {
        id: book.name("id"),
        extends: book.name("extends"),
        title: book.text("title"),
        trigger: book.text("trigger"),
        start: book.name("start"),
        structural: book.texts("structural"),
        ..Draft::default()
    };
    for (table, at) in book.tables("state") {
        draft.states.push(state(table, at, &mut problems));
    }
    let mut book = Table::open(tree.get_ref(), 0, "", BOOK, &mut problems);
    for (table, at) in book.tables("edge") {
        draft.edges.push(edge(table, at, &mut problems));
    }
    let mut book = Table::open(tree.get_ref(), 0, "", BOOK, &mut problems);
    for (table, at) in book.tables("anywhere") {
        let mut fields = Table::open(table, at, "an [[anywhere]]", ANYWHERE, &mut problems);
        let (action, to) = (fields.code("action", Action::ALL, Action::code, "action"), fields.name("to"));
        if let (Some(action), Some(to)) = (fields.needed("action", action), fields.needed("to", to)) {
            draft.anywhere.push((action.value, to));
        }
    }
    (draft, problems)
}

fn state(table: &DeTable<'_>, at: usize, problems: &mut Problems) -> DraftState {
    let mut fields = Table::open(table, at, "a [[state]]", STATE, problems);
    let name = fields.name("name");
    let mut draft = DraftState {
        name: fields.needed("name", name).unwrap_or(Placed { value: String::new(), at }),
        kind: fields.code("kind", Kind::ALL, Kind::code, "kind").map(|k| k.value),
        decides: fields.text("decides").map(|d| d.value),
        checks: fields.codes("checks", Check::ALL, Check::code, "check"),
        levers: Vec::new(),
        steps: fields.texts("steps"),
        verifies: fields.flag("verifies"),
        means: fields.code("means", Meaning::ALL, Meaning::code, "meaning of an end").map(|m| m.value),
        returns: fields.names("returns"),
        ours: fields.flag("ours"),
    };
    for (table, at) in fields.tables("lever") {
        let mut fields = Table::open(table, at, "a [[state.lever]]", LEVER, problems);
        let (action, text) = (fields.code("action", Action::ALL, Action::code, "action"), fields.text("text"));
        let (action, text) = (fields.needed("action", action), fields.needed("text", text));
        let (flags, ours) = (fields.texts("flags"), fields.flag("ours"));
        if let (Some(action), Some(text)) = (action, text) {
            draft.levers.push(DraftLever {
                action: action.value,
                text: text.value,
                flags,
                ours: ours.unwrap_or(false),
            });
        }
    }
    draft
}

fn edge(table: &DeTable<'_>, at: usize, problems: &mut Problems) -> DraftEdge {
    let mut fields = Table::open(table, at, "an [[edge]]", EDGE, problems);
    let (from, to) = (fields.name("from"), fields.name("to"));
    let when = fields.text("when");
    let when = fields.needed("when", when);
    let nothing = || Placed { value: String::new(), at };
    DraftEdge {
        at,
        from: fields.needed("from", from).unwrap_or_else(nothing),
        to: fields.needed("to", to).unwrap_or_else(nothing),
        guard: fields.code("guard", Guard::ALL, Guard::code, "guard").map(|g| g.value),
        pass: fields.codes("pass", Check::ALL, Check::code, "check"),
        unless_fail: fields.codes("unless_fail", Check::ALL, Check::code, "check"),
        group: fields.name("group").map(|g| g.value),
        when: when.map(|w| w.value),
        rules_out: fields.flag("rules_out"),
        divert: fields.name("divert"),
        ours: fields.flag("ours"),
    }
}

/// One table, and what is wrong in it.
struct Table<'t, 'p> {
    keys: &'t DeTable<'t>,
    at: usize,
    what: &'static str,
    problems: &'p mut Problems,
}

impl<'t, 'p> Table<'t, 'p> {
    /// Opens a table; a key that means nothing in it is a problem. An empty `what`: that was looked at before.
    fn open(
        table: &'t DeTable<'t>,
        at: usize,
        what: &'static str,
        known: &[&'static str],
        problems: &'p mut Problems,
    ) -> Self {
        if !what.is_empty() {
            for key in table.keys().filter(|key| !known.contains(&&**key.get_ref())) {
                let hint = hint(key.get_ref(), known);
                problems.add(key.span().start, format!("unknown key '{}' in {what}{hint}", clean(key.get_ref(), 80)));
            }
        }
        Self { keys: table, at, what, problems }
    }

    fn get(&self, key: &str) -> Option<&'t Spanned<DeValue<'t>>> {
        self.keys.get(key)
    }

    fn wrong(&mut self, at: usize, key: &str, wanted: &str) {
        self.problems.add(at, format!("'{key}' must be {wanted}"));
    }

    /// What has to be there.
    fn needed<T>(&mut self, key: &str, value: Option<Placed<T>>) -> Option<Placed<T>> {
        if value.is_none() && self.get(key).is_none() {
            self.problems.add(self.at, format!("{} has no '{key}': give it one", self.what));
        }
        value
    }

    fn string(&mut self, key: &str, value: &'t Spanned<DeValue<'t>>, most: usize) -> Option<Placed<String>> {
        let at = value.span().start;
        let DeValue::String(text) = value.get_ref() else {
            self.wrong(at, key, "text in quotes");
            return None;
        };
        if text.is_empty() || text.chars().count() > most {
            self.wrong(at, key, &format!("1 to {most} characters long"));
            return None;
        }
        Some(Placed { value: clean(&text.replace('\n', " "), most), at })
    }

    fn text(&mut self, key: &str) -> Option<Placed<String>> {
        let value = self.get(key)?;
        self.string(key, value, MOST_TEXT)
    }

    fn name(&mut self, key: &str) -> Option<Placed<String>> {
        let value = self.get(key)?;
        self.string(key, value, MOST_NAME)
    }

    fn list(&mut self, key: &str) -> Vec<&'t Spanned<DeValue<'t>>> {
        let Some(value) = self.get(key) else { return Vec::new() };
        let DeValue::Array(items) = value.get_ref() else {
            self.wrong(value.span().start, key, "a list in brackets");
            return Vec::new();
        };
        if items.len() > MOST_ITEMS {
            self.wrong(value.span().start, key, &format!("a list of at most {MOST_ITEMS}"));
            return Vec::new();
        }
        items.iter().collect()
    }

    fn texts(&mut self, key: &str) -> Vec<String> {
        let items = self.list(key);
        items.into_iter().filter_map(|item| self.string(key, item, MOST_TEXT)).map(|t| t.value).collect()
    }

    fn names(&mut self, key: &str) -> Vec<Placed<String>> {
        let items = self.list(key);
        items.into_iter().filter_map(|item| self.string(key, item, MOST_NAME)).collect()
    }

    fn flag(&mut self, key: &str) -> Option<bool> {
        let value = self.get(key)?;
        if let DeValue::Boolean(flag) = value.get_ref() {
            return Some(*flag);
        }
        self.wrong(value.span().start, key, "true or false");
        None
    }

    /// A word of a vocabulary.
    fn word<T: Copy>(
        &mut self,
        key: &str,
        value: &'t Spanned<DeValue<'t>>,
        all: &[T],
        code: fn(T) -> &'static str,
        what: &str,
    ) -> Option<Placed<T>> {
        let said = self.string(key, value, MOST_TEXT)?;
        let known = all.iter().copied().find(|one| code(*one) == said.value);
        if known.is_none() {
            let words: Vec<&str> = all.iter().map(|one| code(*one)).collect();
            let (said_word, hint) = (clean(&said.value, 80), hint(&said.value, &words));
            self.problems.add(said.at, format!("'{said_word}' is no {what}{hint}"));
        }
        known.map(|value| Placed { value, at: said.at })
    }

    fn code<T: Copy>(&mut self, key: &str, all: &[T], code: fn(T) -> &'static str, what: &str) -> Option<Placed<T>> {
        let value = self.get(key)?;
        self.word(key, value, all, code, what)
    }

    fn codes<T: Copy>(&mut self, key: &str, all: &[T], code: fn(T) -> &'static str, what: &str) -> Vec<T> {
        let items = self.list(key);
        items.into_iter().filter_map(|item| self.word(key, item, all, code, what)).map(|w| w.value).collect()
    }

    /// The tables of a list of tables, with where each begins.
    fn tables(&mut self, key: &str) -> Vec<(&'t DeTable<'t>, usize)> {
        let mut tables = Vec::new();
        for item in self.list(key) {
            match item.get_ref() {
                DeValue::Table(table) => tables.push((table, item.span().start)),
                _ => self.wrong(item.span().start, key, &format!("tables: write [[{key}]]")),
            }
        }
        tables
    }
}

/// The end of a sentence about an unknown word: the nearest of `known`, or all of them where none is near.
fn hint(word: &str, known: &[&str]) -> String {
    match nearest(word, known) {
        Some(near) => format!(", did you mean '{near}'?"),
        None => format!(": known here are {}", known.join(", ")),
    }
}

/// A problem with a whole draft, for whoever assembles it.
pub(super) fn unknown_state(name: &str, known: &[&str]) -> String {
    format!("'{}' is no state of it{}", clean(name, 80), hint(name, known))
}
