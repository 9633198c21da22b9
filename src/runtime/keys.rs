//! From what the terminal sends for a key to a chord of the keymap.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::ui::keymap::{Chord, Key};

/// The chord, where the key has a name in keymaps.
pub(super) fn chord(event: KeyEvent) -> Option<Chord> {
    let held = |modifier| event.modifiers.contains(modifier);
    let key = match event.code {
        // Terminals send 0 for Ctrl and space.
        KeyCode::Char(' ') | KeyCode::Null => Key::Space,
        // With Ctrl a terminal cannot tell capital letters from small ones; where it can, both mean the same.
        KeyCode::Char(c) if held(KeyModifiers::CONTROL) => Key::Char(c.to_ascii_lowercase()),
        KeyCode::Char(c) => Key::Char(c),
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Esc,
        KeyCode::Tab | KeyCode::BackTab => Key::Tab,
        KeyCode::Backspace => Key::Backspace,
        KeyCode::Delete => Key::Delete,
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::Left => Key::Left,
        KeyCode::Right => Key::Right,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::Home => Key::Home,
        KeyCode::End => Key::End,
        KeyCode::F(number) => Key::F(number),
        _ => return None,
    };
    let shift = match key {
        // With shift it is another character.
        Key::Char(_) => false,
        Key::Tab => event.code == KeyCode::BackTab || held(KeyModifiers::SHIFT),
        _ => held(KeyModifiers::SHIFT),
    };
    let ctrl = held(KeyModifiers::CONTROL) || event.code == KeyCode::Null;
    Some(Chord { key, ctrl, alt: held(KeyModifiers::ALT), shift })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_chord_that_a_keymap_calls_it() {
        use KeyModifiers as M;
        for (code, modifiers, name) in [
            (KeyCode::Char('q'), M::NONE, "q"),
            (KeyCode::Char('G'), M::SHIFT, "G"),
            (KeyCode::Char('?'), M::SHIFT, "?"),
            (KeyCode::Char(' '), M::NONE, "space"),
            (KeyCode::Char('l'), M::CONTROL, "ctrl-l"),
            (KeyCode::Char('C'), M::CONTROL | M::SHIFT, "ctrl-c"),
            (KeyCode::BackTab, M::SHIFT, "shift-tab"),
            (KeyCode::BackTab, M::NONE, "shift-tab"),
            (KeyCode::PageDown, M::NONE, "pgdn"),
            (KeyCode::Char('x'), M::ALT, "alt-x"),
            (KeyCode::F(5), M::NONE, "f5"),
        ] {
            assert_eq!(chord(KeyEvent::new(code, modifiers)), Chord::named(name), "{name}");
        }
        assert_eq!(chord(KeyEvent::new(KeyCode::CapsLock, M::NONE)), None);
    }
}
