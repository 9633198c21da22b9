//! A key with what is held beside it. Knows no terminal.

use std::fmt;

/// A key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is its name in the keymap's file")]
pub enum Key {
    /// A character as it arrives: with shift it is another one.
    Char(char),
    Space,
    Enter,
    Esc,
    Tab,
    Backspace,
    Delete,
    Up,
    Down,
    Left,
    Right,
    PageUp,
    PageDown,
    Home,
    End,
    /// A function key, from 1.
    F(u8),
}

/// The names of keys that are no characters.
const NAMES: [(&str, Key); 15] = [
    ("space", Key::Space),
    ("enter", Key::Enter),
    ("esc", Key::Esc),
    ("tab", Key::Tab),
    ("backspace", Key::Backspace),
    ("delete", Key::Delete),
    ("up", Key::Up),
    ("down", Key::Down),
    ("left", Key::Left),
    ("right", Key::Right),
    ("pgup", Key::PageUp),
    ("pgdn", Key::PageDown),
    ("home", Key::Home),
    ("end", Key::End),
    ("return", Key::Enter),
];

/// A key, and what is held down with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Chord {
    /// The key.
    pub key: Key,
    /// Whether Ctrl is held.
    pub ctrl: bool,
    /// Whether Alt is held.
    pub alt: bool,
    /// Whether Shift is held; never with a character, which is another one then.
    pub shift: bool,
}

impl Chord {
    /// It always quits.
    pub const CTRL_C: Self = Self { key: Key::Char('c'), ctrl: true, alt: false, shift: false };

    /// A key alone. A blank is the space bar.
    pub const fn plain(key: Key) -> Self {
        let key = if matches!(key, Key::Char(' ')) { Key::Space } else { key };
        Self { key, ctrl: false, alt: false, shift: false }
    }

    /// The chord with this name, as it stands in a file.
    pub fn named(name: &str) -> Option<Self> {
        let mut chord = Self::plain(Key::Esc);
        let mut rest = name;
        loop {
            let (held, after) = match rest.split_once('-') {
                Some((held, after)) if !held.is_empty() && !after.is_empty() => (held, after),
                _ => break,
            };
            match held {
                "ctrl" => chord.ctrl = true,
                "alt" => chord.alt = true,
                "shift" => chord.shift = true,
                _ => return None,
            }
            rest = after;
        }
        let mut chars = rest.chars();
        chord.key = match (chars.next(), chars.next()) {
            (Some(' '), None) => Key::Space,
            (Some(c), None) if !c.is_control() => Key::Char(if chord.ctrl { c.to_ascii_lowercase() } else { c }),
            _ => match rest.strip_prefix('f').and_then(|n| n.parse().ok()) {
                Some(n @ 1..=12) => Key::F(n),
                _ => NAMES.iter().find(|(known, _)| *known == rest)?.1,
            },
        };
        // Shift and a character is another character.
        (!(chord.shift && matches!(chord.key, Key::Char(_)))).then_some(chord)
    }
}

impl fmt::Display for Chord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let held = [(self.ctrl, "ctrl-"), (self.alt, "alt-"), (self.shift, "shift-")];
        let mut name: String = held.iter().filter(|(on, _)| *on).map(|(_, name)| *name).collect();
        match self.key {
            Key::Char(c) => name.push(c),
            Key::F(n) => name.extend(['f'.to_string(), n.to_string()]),
            key => name.push_str(NAMES.iter().find(|(_, known)| *known == key).map_or("?", |(name, _)| name)),
        }
        f.pad(&name)
    }
}
