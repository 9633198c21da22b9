//! What this terminal can show, and every cell of a frame brought down to it.
//!
//! Themes and views say what they mean; this is the last word before the bytes. The crate that writes them sends a
//! colour of 24 bits to any terminal, and ssh forwards `TERM` but not `COLORTERM`.

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::Color;

use crate::config::TerminalHints;

/// How many colours there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Depth {
    /// None: bold and reverse remain.
    Mono,
    /// The 16 that the terminal's own theme defines.
    Sixteen,
    /// 256, of which 240 are defined.
    Indexed,
    /// 24 bits.
    True,
}

/// What a terminal can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Face {
    /// Its colours.
    pub(crate) depth: Depth,
    /// Whether it shows nothing but ASCII.
    pub(crate) ascii: bool,
}

/// Terminals whose name alone says that they have 24 bits.
const TRUE_COLOUR: &[&str] = &["kitty", "alacritty", "foot", "ghostty", "wezterm", "contour", "direct"];
/// Terminals without colours.
const MONO: &[&str] = &["mono", "vt100", "vt102", "vt220", "-m"];

impl Face {
    /// What the environment says.
    pub(crate) fn of(hints: &TerminalHints) -> Self {
        Self { depth: depth(hints), ascii: !hints.utf8 }
    }

    /// Brings every cell down to what can be shown.
    pub(super) fn apply(self, buffer: &mut Buffer) {
        if self.depth == Depth::True && !self.ascii {
            return;
        }
        for cell in &mut buffer.content {
            cell.fg = shown(cell.fg, self.depth);
            cell.bg = shown(cell.bg, self.depth);
            if self.ascii && !cell.symbol().is_ascii() {
                to_ascii(cell);
            }
        }
    }
}

fn depth(hints: &TerminalHints) -> Depth {
    let term = hints.term.to_ascii_lowercase();
    let is_one_of = |names: &[&str]| names.iter().any(|name| term.contains(name));
    if hints.no_color || term.is_empty() || term == "dumb" || is_one_of(MONO) {
        Depth::Mono
    } else if matches!(hints.colour_term.as_str(), "truecolor" | "24bit") || is_one_of(TRUE_COLOUR) {
        Depth::True
    } else if term.contains("256color") {
        Depth::Indexed
    } else {
        Depth::Sixteen
    }
}

fn shown(colour: Color, depth: Depth) -> Color {
    match (depth, colour) {
        (Depth::True, colour) => colour,
        (Depth::Mono, _) => Color::Reset,
        (Depth::Indexed, Color::Rgb(r, g, b)) => Color::Indexed(indexed(r, g, b)),
        (Depth::Sixteen, Color::Rgb(r, g, b)) => Color::Indexed(nearest(&ANSI, (r, g, b))),
        (Depth::Sixteen, Color::Indexed(index @ 16..)) => Color::Indexed(nearest(&ANSI, rgb(index))),
        (_, colour) => colour,
    }
}

/// The 16 colours as most terminals show them: xterm's.
const ANSI: [(u8, u8, u8); 16] = [
    (0, 0, 0),
    (205, 0, 0),
    (0, 205, 0),
    (205, 205, 0),
    (0, 0, 238),
    (205, 0, 205),
    (0, 205, 205),
    (229, 229, 229),
    (127, 127, 127),
    (255, 0, 0),
    (0, 255, 0),
    (255, 255, 0),
    (92, 92, 255),
    (255, 0, 255),
    (0, 255, 255),
    (255, 255, 255),
];
/// The steps of the cube of 6 by 6 by 6 that colours 16 to 231 are.
const STEPS: [u8; 6] = [0, 95, 135, 175, 215, 255];

/// One of the colours 16 to 255.
fn rgb(index: u8) -> (u8, u8, u8) {
    if index >= 232 {
        let grey = 8 + 10 * (index - 232);
        return (grey, grey, grey);
    }
    let place = index.saturating_sub(16);
    let step = |n: u8| STEPS[usize::from(n % 6)];
    (step(place / 36), step(place / 6), step(place))
}

/// The nearest of the colours 16 to 255, which no terminal's theme moves.
fn indexed(r: u8, g: u8, b: u8) -> u8 {
    let all: Vec<(u8, u8, u8)> = (16..=255).map(rgb).collect();
    nearest(&all, (r, g, b)) + 16
}

/// The place of the nearest colour, by distance that counts green most, as eyes do.
fn nearest(among: &[(u8, u8, u8)], (r, g, b): (u8, u8, u8)) -> u8 {
    let apart = |a: u8, b: u8, weight: u32| weight * u32::from(a.abs_diff(b)).pow(2);
    let distance = |c: &(u8, u8, u8)| apart(c.0, r, 3) + apart(c.1, g, 4) + apart(c.2, b, 2);
    let found = among.iter().enumerate().min_by_key(|(_, colour)| distance(colour));
    found.and_then(|(index, _)| u8::try_from(index).ok()).unwrap_or(0)
}

/// Signs that have something like them in ASCII.
const LIKE: &[(&str, &str)] = &[
    ("─━╌╍═┄┈", "-"),
    ("│┃╎╏║┆▏▎▍▌┊", "|"),
    ("┌┐└┘├┤┬┴┼╭╮╰╯┏┓┗┛┣┫┳┻╋", "+"),
    ("█▓▒▇▆▉▊▋▐", "#"),
    ("▅▄▀", "="),
    ("▃▂▁", "_"),
    ("░·•∙", "."),
    ("●■◆★", "*"),
    ("○□◇", "o"),
    ("→▶›▸►", ">"),
    ("←◀‹◂", "<"),
    ("↑▲△", "^"),
    ("↓▼▽", "v"),
    ("≤", "<"),
    ("≥", ">"),
    ("×✗✕", "x"),
    ("✓✔", "v"),
    ("µμ", "u"),
    ("–—−", "-"),
    ("…", "~"),
    ("’‘", "'"),
    ("“”", "\""),
    ("\u{a0}", " "),
];

fn to_ascii(cell: &mut Cell) {
    let symbol = cell.symbol();
    let like = symbol.chars().next().and_then(|first| LIKE.iter().find(|(signs, _)| signs.contains(first)));
    cell.set_symbol(like.map_or("?", |(_, ascii)| ascii));
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    use super::*;

    fn hints(term: &str, colour_term: &str, no_color: bool) -> TerminalHints {
        TerminalHints { term: term.to_owned(), colour_term: colour_term.to_owned(), no_color, utf8: true }
    }

    #[test]
    fn the_environment_decides_how_many_colours_there_are() {
        for (term, colour_term, no_color, expected) in [
            ("xterm-256color", "truecolor", false, Depth::True),
            ("xterm-256color", "24bit", false, Depth::True),
            ("xterm-kitty", "", false, Depth::True),
            ("xterm-256color", "", false, Depth::Indexed),
            ("screen.xterm-256color", "yes", false, Depth::Indexed),
            ("xterm", "", false, Depth::Sixteen),
            ("linux", "", false, Depth::Sixteen),
            ("xterm-256color", "truecolor", true, Depth::Mono),
            ("vt220", "", false, Depth::Mono),
            ("xterm-mono", "truecolor", false, Depth::Mono),
            ("dumb", "truecolor", false, Depth::Mono),
            ("", "", false, Depth::Mono),
        ] {
            assert_eq!(depth(&hints(term, colour_term, no_color)), expected, "{term} {colour_term} {no_color}");
        }
    }

    #[test]
    fn a_colour_becomes_the_nearest_one_that_there_is() {
        assert_eq!(shown(Color::Rgb(250, 5, 5), Depth::True), Color::Rgb(250, 5, 5));
        assert_eq!(shown(Color::Rgb(250, 5, 5), Depth::Indexed), Color::Indexed(196));
        assert_eq!(shown(Color::Rgb(250, 5, 5), Depth::Sixteen), Color::Indexed(9));
        assert_eq!(shown(Color::Indexed(196), Depth::Sixteen), Color::Indexed(9));
        assert_eq!(shown(Color::Indexed(244), Depth::Sixteen), Color::Indexed(8));
        assert_eq!(shown(Color::Indexed(244), Depth::Indexed), Color::Indexed(244));
        assert_eq!(shown(Color::Red, Depth::Sixteen), Color::Red);
        assert_eq!(shown(Color::Red, Depth::Mono), Color::Reset);
    }

    #[test]
    fn the_cube_and_the_greys_are_where_terminals_have_them() {
        assert_eq!([rgb(16), rgb(21), rgb(196), rgb(231)], [(0, 0, 0), (0, 0, 255), (255, 0, 0), (255, 255, 255)]);
        assert_eq!([rgb(232), rgb(255)], [(8, 8, 8), (238, 238, 238)]);
    }

    #[test]
    fn only_ascii_is_left_where_the_locale_has_nothing_else() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 12, 1));
        buffer.set_string(0, 0, "█─→µ漢…é ok", Style::new());
        Face { depth: Depth::True, ascii: true }.apply(&mut buffer);
        let text: String = buffer.content.iter().map(Cell::symbol).collect();
        assert_eq!(text, "#->u? ~? ok ");
    }
}
