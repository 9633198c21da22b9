//! What this terminal can show, by what the environment says of it.
//!
//! The crate that writes escape sequences sends a colour of 24 bits to any terminal, and ssh forwards `TERM` but not
//! `COLORTERM`: on most bastions there are 16 or 256 colours, and the views draw with those alone.

use ratatui::buffer::Buffer;

use crate::config::TerminalHints;
use crate::ui::Colours;

/// Terminals whose name alone says that they have all colours.
const ALL_COLOURS: &[&str] = &["kitty", "alacritty", "foot", "ghostty", "wezterm", "contour", "direct"];
/// Terminals without colours.
const NO_COLOURS: &[&str] = &["mono", "vt100", "vt102", "vt220", "-m"];

/// How many colours there are.
pub(crate) fn colours(hints: &TerminalHints) -> Colours {
    let term = hints.term.to_ascii_lowercase();
    let is_one_of = |names: &[&str]| names.iter().any(|name| term.contains(name));
    if hints.no_color || term.is_empty() || term == "dumb" || is_one_of(NO_COLOURS) {
        Colours::None
    } else if matches!(hints.colour_term.as_str(), "truecolor" | "24bit") || is_one_of(ALL_COLOURS) {
        Colours::True
    } else if term.contains("256color") {
        Colours::Palette256
    } else {
        Colours::Ansi16
    }
}

/// Makes sure of ASCII: the views spell what they show, and what got past them would be a mess of bytes.
pub(super) fn keep_to_ascii(buffer: &mut Buffer) {
    for cell in &mut buffer.content {
        if !cell.symbol().is_ascii() {
            cell.set_symbol("?");
        }
    }
}

#[cfg(test)]
mod tests {
    use ratatui::buffer::Cell;
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    use super::*;

    #[test]
    fn the_environment_decides_how_many_colours_there_are() {
        for (term, colour_term, no_color, expected) in [
            ("xterm-256color", "truecolor", false, Colours::True),
            ("xterm-256color", "24bit", false, Colours::True),
            ("xterm-kitty", "", false, Colours::True),
            ("xterm-256color", "", false, Colours::Palette256),
            ("screen.xterm-256color", "yes", false, Colours::Palette256),
            ("xterm", "", false, Colours::Ansi16),
            ("linux", "", false, Colours::Ansi16),
            ("xterm-256color", "truecolor", true, Colours::None),
            ("vt220", "", false, Colours::None),
            ("xterm-mono", "truecolor", false, Colours::None),
            ("dumb", "truecolor", false, Colours::None),
            ("", "", false, Colours::None),
        ] {
            let hints =
                TerminalHints { term: term.to_owned(), colour_term: colour_term.to_owned(), no_color, utf8: true };
            assert_eq!(colours(&hints), expected, "{term} {colour_term} {no_color}");
        }
    }

    #[test]
    fn nothing_but_ascii_gets_past() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 8, 1));
        buffer.set_string(0, 0, "a→漢é b", Style::new());
        keep_to_ascii(&mut buffer);
        let text: String = buffer.content.iter().map(Cell::symbol).collect();
        assert_eq!(text, "a?? ? b ");
    }
}
