//! How it looks on this terminal: the theme in the colours that the terminal has, and the characters that it can show.

use ratatui::style::{Color, Modifier, Style};

use super::theme::{Slot, Theme};

/// How many colours the terminal shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Colours {
    /// None, or none are wanted (`NO_COLOR`): bold, dim, underline and reverse remain.
    None,
    /// The 16 that every terminal has.
    Ansi16,
    /// The 256 of xterm.
    #[default]
    Palette256,
    /// All.
    True,
}

/// How it looks.
#[derive(Debug, Clone)]
pub struct Look {
    styles: [Style; Slot::ALL.len()],
    colours: Colours,
    ascii: bool,
}

impl Look {
    /// A theme on a terminal with these colours, in ASCII alone where it must be.
    pub fn new(theme: &Theme, colours: Colours, ascii: bool) -> Self {
        let plain = (colours == Colours::None).then(|| Theme::named("mono").0);
        let theme = plain.as_ref().unwrap_or(theme);
        Self { styles: Slot::ALL.map(|slot| style(theme.style(slot), colours)), colours, ascii }
    }

    /// The style of a slot.
    pub fn style(&self, slot: Slot) -> Style {
        self.styles[slot as usize]
    }

    /// How many colours there are.
    pub fn colours(&self) -> Colours {
        self.colours
    }

    /// Whether only ASCII is shown.
    pub fn ascii(&self) -> bool {
        self.ascii
    }
}

fn style(from: anstyle::Style, colours: Colours) -> Style {
    let mut style = Style::new();
    if colours != Colours::None {
        style.fg = from.get_fg_color().map(|c| colour(c, colours));
        style.bg = from.get_bg_color().map(|c| colour(c, colours));
    }
    let effects = from.get_effects();
    for (effect, modifier) in [
        (anstyle::Effects::BOLD, Modifier::BOLD),
        (anstyle::Effects::DIMMED, Modifier::DIM),
        (anstyle::Effects::ITALIC, Modifier::ITALIC),
        (anstyle::Effects::UNDERLINE, Modifier::UNDERLINED),
        (anstyle::Effects::INVERT, Modifier::REVERSED),
    ] {
        if effects.contains(effect) {
            style = style.add_modifier(modifier);
        }
    }
    style
}

/// The nearest colour that the terminal has.
fn colour(from: anstyle::Color, colours: Colours) -> Color {
    match (from, colours) {
        (anstyle::Color::Ansi(named), _) => ansi(named),
        (anstyle::Color::Ansi256(index), _) if index.0 < 16 => NAMED[usize::from(index.0)],
        (anstyle::Color::Ansi256(index), Colours::Ansi16 | Colours::None) => nearest_named(of_palette(index.0)),
        (anstyle::Color::Ansi256(index), _) => Color::Indexed(index.0),
        (anstyle::Color::Rgb(rgb), Colours::True) => Color::Rgb(rgb.0, rgb.1, rgb.2),
        (anstyle::Color::Rgb(rgb), Colours::Palette256) => Color::Indexed(nearest_indexed([rgb.0, rgb.1, rgb.2])),
        (anstyle::Color::Rgb(rgb), _) => nearest_named([rgb.0, rgb.1, rgb.2]),
    }
}

const NAMED: [Color; 16] = [
    Color::Black,
    Color::Red,
    Color::Green,
    Color::Yellow,
    Color::Blue,
    Color::Magenta,
    Color::Cyan,
    Color::Gray,
    Color::DarkGray,
    Color::LightRed,
    Color::LightGreen,
    Color::LightYellow,
    Color::LightBlue,
    Color::LightMagenta,
    Color::LightCyan,
    Color::White,
];

fn ansi(named: anstyle::AnsiColor) -> Color {
    use anstyle::AnsiColor as A;
    let index = match named {
        A::Black => 0,
        A::Red => 1,
        A::Green => 2,
        A::Yellow => 3,
        A::Blue => 4,
        A::Magenta => 5,
        A::Cyan => 6,
        A::White => 7,
        A::BrightBlack => 8,
        A::BrightRed => 9,
        A::BrightGreen => 10,
        A::BrightYellow => 11,
        A::BrightBlue => 12,
        A::BrightMagenta => 13,
        A::BrightCyan => 14,
        A::BrightWhite => 15,
    };
    NAMED[index]
}

/// The steps of the 256-colour cube.
const STEPS: [u8; 6] = [0, 95, 135, 175, 215, 255];

/// What xterm shows for an index from 16 on.
pub(super) fn of_palette(index: u8) -> [u8; 3] {
    if index >= 232 {
        return [8 + 10 * (index - 232); 3];
    }
    let cube = index.saturating_sub(16);
    [36, 6, 1].map(|divisor| STEPS[usize::from(cube / divisor % 6)])
}

/// The index of the 256-colour palette that is nearest: in the cube, or on the grey ramp.
fn nearest_indexed(rgb: [u8; 3]) -> u8 {
    (16..=255).min_by_key(|index| distance(of_palette(*index), rgb)).unwrap_or(15)
}

/// The nearest of the 16: by hue where there is one, for a pale red is red and not grey.
fn nearest_named(rgb: [u8; 3]) -> Color {
    let (most, least) = (rgb.iter().max().copied().unwrap_or(0), rgb.iter().min().copied().unwrap_or(0));
    if most - least < 30 {
        return match most {
            0..=63 => Color::Black,
            64..=160 => Color::DarkGray,
            161..=220 => Color::Gray,
            _ => Color::White,
        };
    }
    let middle = u8::midpoint(most, least);
    let bits = rgb.map(|c| c > middle);
    let bright = most > 215;
    let index = usize::from(bits[0]) | usize::from(bits[1]) << 1 | usize::from(bits[2]) << 2;
    NAMED[index + if bright { 8 } else { 0 }]
}

fn distance(a: [u8; 3], b: [u8; 3]) -> u32 {
    a.iter().zip(b).map(|(a, b)| u32::from(a.abs_diff(b)).pow(2)).sum()
}

/// What xterm shows for the 16 names, unless its owner has chosen others.
pub(super) const NAMED_RGB: [[u8; 3]; 16] = [
    [0, 0, 0],
    [205, 0, 0],
    [0, 205, 0],
    [205, 205, 0],
    [0, 0, 238],
    [205, 0, 205],
    [0, 205, 205],
    [229, 229, 229],
    [127, 127, 127],
    [255, 0, 0],
    [0, 255, 0],
    [255, 255, 0],
    [92, 92, 255],
    [255, 0, 255],
    [0, 255, 255],
    [255, 255, 255],
];
