//! From a key to what is asked for. The keymap is a file; help and key line are made from it, so that they cannot say
//! anything else than what the keys do.
//!
//! A chord is a type of its own: whoever reads the terminal turns its key events into chords. A file of the user's own
//! is laid over the default one; what is wrong in it is a [`Warning`] and leaves the rest in force. Ctrl-C quits,
//! whatever a file says. Reads no file.

mod chord;

use std::fmt;

pub use chord::{Chord, Key};

use crate::app::{Command, Event, Mode};
use crate::text::{clean, nearest};
use toml::de::{DeTable, DeValue};

/// The default, as it comes with the program.
pub const EMBEDDED: &str = include_str!("../../assets/keymap.toml");

/// The section that holds in every mode.
const ANY: &str = "any";

/// More warnings than this help nobody.
const MOST_WARNINGS: usize = 20;

/// Something in a keymap that means nothing; the rest of it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    line: usize,
    what: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "keymap line {}: {}", self.line, self.what)
    }
}

/// Where a binding holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Section {
    Any,
    In(Mode),
}

/// What each key means in each mode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keymap {
    /// In the order of the file; a later binding of the same key takes the place of an earlier one.
    bindings: Vec<(Section, Chord, Command)>,
}

impl Default for Keymap {
    fn default() -> Self {
        Self::patched(None).0
    }
}

impl Keymap {
    /// The default keymap, with a file of the user's own laid over it.
    pub fn patched(own: Option<&str>) -> (Self, Vec<Warning>) {
        let mut map = Self { bindings: Vec::new() };
        let mut warnings = Vec::new();
        map.lay(EMBEDDED, &mut warnings);
        if let Some(own) = own {
            map.lay(own, &mut warnings);
        }
        warnings.truncate(MOST_WARNINGS);
        (map, warnings)
    }

    /// What a chord asks for.
    pub fn command(&self, mode: Mode, chord: Chord) -> Option<Command> {
        if chord == Chord::CTRL_C {
            return Some(Command::Quit);
        }
        sections(mode).find_map(|section| {
            // Plain characters are what is typed.
            if mode == Mode::Prompt && section == Section::Any && !chord.ctrl {
                return None;
            }
            self.bindings.iter().find(|(s, c, _)| *s == section && *c == chord).map(|(.., command)| *command)
        })
    }

    /// What a chord means as an event: a command, or a character that is typed; nothing where it means nothing.
    pub fn event(&self, mode: Mode, chord: Chord) -> Option<Event> {
        if let Some(command) = self.command(mode, chord) {
            return Some(Event::Command(command));
        }
        match chord.key {
            Key::Char(c) if mode == Mode::Prompt && !chord.ctrl && !chord.alt => Some(Event::Typed(c)),
            Key::Space if mode == Mode::Prompt && !chord.ctrl && !chord.alt => Some(Event::Typed(' ')),
            _ => None,
        }
    }

    /// The chords that ask for a command in a mode, as they stand in the file.
    pub fn chords(&self, mode: Mode, command: Command) -> Vec<Chord> {
        let mut chords: Vec<Chord> = Vec::new();
        for section in sections(mode) {
            for (_, chord, _) in self.bindings.iter().filter(|(s, _, c)| *s == section && *c == command) {
                // A key may mean something else in the mode itself.
                if self.command(mode, *chord) == Some(command) && !chords.contains(chord) {
                    chords.push(*chord);
                }
            }
        }
        chords
    }

    /// Lays a file over what is there.
    fn lay(&mut self, text: &str, warnings: &mut Vec<Warning>) {
        let line = |offset: usize| 1 + memchr::memchr_iter(b'\n', &text.as_bytes()[..offset.min(text.len())]).count();
        let tree = match DeTable::parse(text) {
            Ok(tree) => tree,
            Err(error) => {
                let at = line(error.span().map_or(0, |span| span.start));
                let what = format!("not valid TOML, {}: correct that line", clean(error.message(), 120));
                warnings.push(Warning { line: at, what });
                return;
            }
        };
        for (name, section) in tree.get_ref() {
            let at = line(name.span().start);
            let mut warn = |at, what| warnings.push(Warning { line: at, what });
            let Some(section_of) = section_named(name.get_ref()) else {
                let names: Vec<&str> = Mode::ALL.iter().map(|m| m.code()).chain([ANY]).collect();
                warn(at, format!("unknown section '{}'{}", clean(name.get_ref(), 60), hint(name.get_ref(), &names)));
                continue;
            };
            let DeValue::Table(keys) = section.get_ref() else {
                warn(at, format!("'{}' is no section", clean(name.get_ref(), 60)));
                continue;
            };
            for (key, value) in keys {
                let at = line(key.span().start);
                let Some(chord) = Chord::named(key.get_ref()) else {
                    warn(
                        at,
                        format!(
                            "unknown key '{}': write a character, enter, pgdn, f5, ctrl-x",
                            clean(key.get_ref(), 60)
                        ),
                    );
                    continue;
                };
                let DeValue::String(word) = value.get_ref() else {
                    warn(at, format!("what '{chord}' does is no text: write a command in quotes"));
                    continue;
                };
                let known = Command::ALL.iter().find(|c| c.code() == &**word).copied();
                if known.is_none() && &**word != "none" {
                    let codes: Vec<&str> = Command::ALL.iter().map(|c| c.code()).chain(["none"]).collect();
                    warn(at, format!("unknown command '{}'{}", clean(word, 60), hint(word, &codes)));
                    continue;
                }
                self.bindings.retain(|(s, c, _)| !(*s == section_of && *c == chord));
                self.bindings.extend(known.map(|command| (section_of, chord, command)));
            }
        }
    }
}

/// The sections that count in a mode, the nearest first.
fn sections(mode: Mode) -> impl Iterator<Item = Section> {
    let below = (mode == Mode::Logs).then_some(Section::In(Mode::List));
    std::iter::once(Section::In(mode)).chain(below).chain([Section::Any])
}

fn section_named(name: &str) -> Option<Section> {
    if name == ANY {
        return Some(Section::Any);
    }
    Mode::ALL.iter().find(|m| m.code() == name).map(|m| Section::In(*m))
}

fn hint(word: &str, known: &[&str]) -> String {
    nearest(word, known).map_or(String::new(), |near| format!(", did you mean '{near}'?"))
}
