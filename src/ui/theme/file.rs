//! A theme's file, before any colour is looked up: what stands where. Lenient: what cannot be read is a warning.

use std::collections::BTreeMap;

use anstyle::Effects;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{EFFECTS, Slot, Warning, clean, hint, is_slot};

/// Where something stands.
#[derive(Debug, Clone)]
pub(super) struct At {
    theme: String,
    line: usize,
}

impl At {
    pub(super) fn warn(&self, what: String) -> Warning {
        Warning { theme: self.theme.clone(), line: Some(self.line), what }
    }
}

/// A colour as written.
#[derive(Debug, Clone)]
pub(super) struct Colour {
    pub(super) text: String,
    at: At,
}

impl Colour {
    pub(super) fn unknown(&self, palette: &[&str]) -> Warning {
        let ways = "a name of [palette], an ANSI name, 0 to 255, \"#rrggbb\" or \"default\"";
        let near = match hint(&self.text, palette) {
            near if near.is_empty() => format!(": write {ways}"),
            near => near,
        };
        self.at.warn(format!("unknown colour '{}'{near}", clean(&self.text)))
    }
}

/// A style as written.
#[derive(Debug, Clone, Default)]
pub(super) struct Paint {
    pub(super) fg: Option<Colour>,
    pub(super) bg: Option<Colour>,
    pub(super) effects: Effects,
}

/// A theme's file as written, or several laid over each other.
#[derive(Debug, Clone, Default)]
pub(super) struct ThemeFile {
    pub(super) inherits: Option<(String, At)>,
    pub(super) palette: BTreeMap<String, Colour>,
    pub(super) slots: BTreeMap<String, (Paint, At)>,
}

impl ThemeFile {
    /// What the text says; nothing, and a warning, where it is no TOML.
    pub(super) fn parse(theme: &str, text: &str, warnings: &mut Vec<Warning>) -> Option<Self> {
        let mut reader = Reader { theme: clean(theme), text, warnings };
        match DeTable::parse(text) {
            Ok(tree) => Some(reader.file(tree.get_ref())),
            Err(error) => {
                let offset = error.span().map_or(0, |span| span.start);
                let what = format!("not valid TOML, {}: correct that line", clean(error.message()));
                let warning = reader.at(offset).warn(what);
                reader.warnings.push(warning);
                None
            }
        }
    }

    /// This file where it says something, `below` and its ancestors everywhere else.
    pub(super) fn over(self, below: Self) -> Self {
        let Self { inherits, mut palette, mut slots } = below;
        palette.extend(self.palette);
        slots.extend(self.slots);
        Self { inherits, palette, slots }
    }
}

/// What may stand in the table of a slot: the parts of a style, and the slots below it.
fn parts_of(slot: &str) -> Vec<&'static str> {
    let below = Slot::ALL.into_iter().filter_map(|known| known.name().strip_prefix(slot)?.strip_prefix('.'));
    EFFECTS.iter().map(|(effect, _)| *effect).chain(["fg", "bg"]).chain(below).collect()
}

struct Reader<'a> {
    theme: String,
    text: &'a str,
    warnings: &'a mut Vec<Warning>,
}

impl Reader<'_> {
    fn at(&self, offset: usize) -> At {
        let before = &self.text.as_bytes()[..offset.min(self.text.len())];
        At { theme: self.theme.clone(), line: 1 + memchr::memchr_iter(b'\n', before).count() }
    }

    fn warn(&mut self, offset: usize, what: String) {
        let warning = self.at(offset).warn(what);
        self.warnings.push(warning);
    }

    fn file(&mut self, tree: &DeTable<'_>) -> ThemeFile {
        let mut file = ThemeFile::default();
        for (key, value) in tree {
            let offset = key.span().start;
            match (&**key.get_ref(), value.get_ref()) {
                ("inherits", DeValue::String(name)) => file.inherits = Some((name.to_string(), self.at(offset))),
                ("palette", DeValue::Table(entries)) => {
                    for (entry, value) in entries {
                        let colour = self.colour(value);
                        file.palette.extend(colour.map(|colour| (entry.get_ref().to_string(), colour)));
                    }
                }
                ("slots", DeValue::Table(slots)) => {
                    for (slot, value) in slots {
                        self.slot(slot.get_ref(), slot.span().start, value, &mut file.slots);
                    }
                }
                ("inherits", _) => {
                    self.warn(offset, "'inherits' is no text: write a theme's name in quotes".to_owned());
                }
                ("palette" | "slots", _) => self.warn(offset, format!("'{}' is no table", key.get_ref())),
                (other, _) => {
                    let near = hint(other, &["inherits", "palette", "slots"]);
                    self.warn(offset, format!("unknown key '{}'{near}", clean(other)));
                }
            }
        }
        file
    }

    /// A slot is a colour or a table; in a table, what is no part of a style is a slot below this one.
    fn slot(
        &mut self,
        name: &str,
        offset: usize,
        value: &Spanned<DeValue<'_>>,
        slots: &mut BTreeMap<String, (Paint, At)>,
    ) {
        let mut paint = Paint::default();
        let mut says_something = true;
        if let DeValue::Table(parts) = value.get_ref() {
            says_something = parts.is_empty();
            for (part, value) in parts {
                let effect = EFFECTS.iter().find(|(name, _)| *name == part.get_ref()).map(|(_, effect)| *effect);
                says_something |= effect.is_some() || matches!(&**part.get_ref(), "fg" | "bg");
                match (&**part.get_ref(), effect, value.get_ref()) {
                    ("fg", ..) => paint.fg = self.colour(value),
                    ("bg", ..) => paint.bg = self.colour(value),
                    (_, Some(effect), DeValue::Boolean(on)) => paint.effects = paint.effects.set(effect, *on),
                    (effect, Some(_), _) => {
                        self.warn(value.span().start, format!("'{effect}' is neither true nor false"));
                    }
                    (below, None, _) if is_slot(&format!("{name}.{below}")) => {
                        self.slot(&format!("{name}.{below}"), part.span().start, value, slots);
                    }
                    (other, None, _) => {
                        let (name, near) = (clean(name), hint(other, &parts_of(name)));
                        self.warn(part.span().start, format!("unknown key '{}' in '{name}'{near}", clean(other)));
                    }
                }
            }
        } else {
            paint.fg = self.colour(value);
        }
        if says_something {
            slots.insert(name.to_owned(), (paint, self.at(offset)));
        }
    }

    /// A colour as written, or a warning.
    fn colour(&mut self, value: &Spanned<DeValue<'_>>) -> Option<Colour> {
        let offset = value.span().start;
        let text = match value.get_ref() {
            DeValue::String(text) => text.to_string(),
            DeValue::Integer(index) => index.to_string(),
            _ => {
                self.warn(
                    offset,
                    "no colour: write a name or \"#rrggbb\" in quotes, or an index from 0 to 255".to_owned(),
                );
                return None;
            }
        };
        Some(Colour { text, at: self.at(offset) })
    }
}
