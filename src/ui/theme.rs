//! Themes: from the text of a TOML file to one style per [`Slot`].
//!
//! A file has a `[palette]` of named colours and `[slots]` with styles; `inherits` names another theme that is laid
//! beneath it, palette and slots alike, before any colour is looked up. A slot that is given nowhere is styled as the
//! one before its last dot: `verdict.breach` as `verdict`. Everything that is wrong is a [`Warning`] and leaves the
//! rest in force. Reads no file: whoever calls hands in the texts. To add a slot, add it to [`Slot`] and to every file
//! in `themes` that inherits nothing; a test says which.

use std::collections::BTreeMap;
use std::fmt;

use crate::text::nearest;
use anstyle::{Ansi256Color, AnsiColor, Color, Effects, RgbColor, Style};

mod file;

use file::{Paint, ThemeFile};

/// The themes that come with the program, by name.
pub const EMBEDDED: &[(&str, &str)] = &[
    ("default", include_str!("../../themes/default.toml")),
    ("light", include_str!("../../themes/light.toml")),
    ("high-contrast", include_str!("../../themes/high-contrast.toml")),
    ("ansi16", include_str!("../../themes/ansi16.toml")),
    ("mono", include_str!("../../themes/mono.toml")),
];

/// More warnings than this help nobody; the rest is counted.
const MOST_WARNINGS: usize = 20;

/// The text of a theme that comes with the program.
pub fn embedded(name: &str) -> Option<String> {
    EMBEDDED.iter().find(|(known, _)| *known == name).map(|(_, text)| (*text).to_owned())
}

/// What a piece of text means, as far as its looks go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each slot is its name in the files, which is documented by where it is used")]
pub enum Slot {
    Text,
    TextMuted,
    Heading,
    VerdictHealthy,
    VerdictWarning,
    VerdictBreach,
    VerdictUnknown,
    Bar,
    BarBaseline,
    EvidenceFor,
    EvidenceAgainst,
    LeverYes,
    LeverNo,
    TextStrong,
    Rule,
    Header,
    HeaderBadge,
    Selection,
    Key,
    Stale,
    Notice,
    Match,
    Mark,
    MarkOnset,
    Target,
}

impl Slot {
    /// Every slot, in the order of its discriminant.
    pub const ALL: [Self; 25] = [
        Self::Text,
        Self::TextMuted,
        Self::Heading,
        Self::VerdictHealthy,
        Self::VerdictWarning,
        Self::VerdictBreach,
        Self::VerdictUnknown,
        Self::Bar,
        Self::BarBaseline,
        Self::EvidenceFor,
        Self::EvidenceAgainst,
        Self::LeverYes,
        Self::LeverNo,
        Self::TextStrong,
        Self::Rule,
        Self::Header,
        Self::HeaderBadge,
        Self::Selection,
        Self::Key,
        Self::Stale,
        Self::Notice,
        Self::Match,
        Self::Mark,
        Self::MarkOnset,
        Self::Target,
    ];

    /// The name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::TextMuted => "text.muted",
            Self::Heading => "heading",
            Self::VerdictHealthy => "verdict.healthy",
            Self::VerdictWarning => "verdict.warning",
            Self::VerdictBreach => "verdict.breach",
            Self::VerdictUnknown => "verdict.unknown",
            Self::Bar => "bar",
            Self::BarBaseline => "bar.baseline",
            Self::EvidenceFor => "evidence.for",
            Self::EvidenceAgainst => "evidence.against",
            Self::LeverYes => "lever.yes",
            Self::LeverNo => "lever.no",
            Self::TextStrong => "text.strong",
            Self::Rule => "text.rule",
            Self::Header => "heading.bar",
            Self::HeaderBadge => "heading.badge",
            Self::Selection => "text.selection",
            Self::Key => "heading.key",
            Self::Stale => "text.stale",
            Self::Notice => "text.notice",
            Self::Match => "text.match",
            Self::Mark => "bar.mark",
            Self::MarkOnset => "bar.onset",
            Self::Target => "text.target",
        }
    }
}

/// Something in a theme that means nothing; the rest of the theme holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The theme that it stands in.
    theme: String,
    /// Its line from 1, where it has one.
    line: Option<usize>,
    /// What is wrong and what to do, clean and bounded.
    what: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "theme '{}' line {line}: {}", self.theme, self.what),
            None => write!(f, "theme '{}': {}", self.theme, self.what),
        }
    }
}

/// One style per slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Theme {
    styles: [Style; Slot::ALL.len()],
}

impl Default for Theme {
    fn default() -> Self {
        Self::named("default").0
    }
}

impl Theme {
    /// A theme that comes with the program; another name is a warning and the default theme.
    pub fn named(name: &str) -> (Self, Vec<Warning>) {
        if let Some(text) = embedded(name) {
            return Self::read(name, &text, &embedded);
        }
        let names: Vec<&str> = EMBEDDED.iter().map(|(name, _)| *name).collect();
        let what = format!("there is no such theme{}", hint(name, &names));
        (Self::default(), vec![Warning { theme: clean(name), line: None, what }])
    }

    /// The theme `name` with this text. `library` gives the text of a theme that is inherited; names that it is asked
    /// for are letters, digits, `-` and `_`.
    pub fn read(name: &str, text: &str, library: &dyn Fn(&str) -> Option<String>) -> (Self, Vec<Warning>) {
        let mut warnings = Vec::new();
        let (file, not_toml) = with_ancestors(name, text, library, &mut warnings);
        // A file that cannot be read at all leaves the default theme, even if it is called so itself.
        let fall_back = not_toml && embedded("default").as_deref() != Some(text);
        let theme = if fall_back { Self::default() } else { Self::settle(name, &file, &mut warnings) };
        (theme, bounded(warnings))
    }

    /// The style of a slot.
    pub fn style(&self, slot: Slot) -> Style {
        self.styles[slot as usize]
    }

    /// Looks up every colour, and every slot.
    fn settle(name: &str, file: &ThemeFile, warnings: &mut Vec<Warning>) -> Self {
        let mut palette: BTreeMap<&str, Option<Color>> = BTreeMap::new();
        for (entry, colour) in &file.palette {
            let read = colour_from(&colour.text).unwrap_or_else(|| {
                warnings.push(colour.unknown(&[]));
                None
            });
            palette.insert(entry, read);
        }
        let mut styles: BTreeMap<&str, Style> = BTreeMap::new();
        for (slot, (paint, _)) in &file.slots {
            styles.insert(slot, style_from(paint, &palette, warnings));
        }
        for (slot, (_, at)) in &file.slots {
            if !is_slot(slot) {
                let known = Slot::ALL.map(Slot::name);
                warnings.push(at.warn(format!("unknown slot '{}'{}", clean(slot), hint(slot, &known))));
            }
        }
        let missing: Vec<&str> =
            Slot::ALL.into_iter().map(Slot::name).filter(|slot| look_up(&styles, slot).is_none()).collect();
        if !missing.is_empty() {
            let what = format!("no style for {}: add one, or inherits = \"default\"", missing.join(", "));
            warnings.push(Warning { theme: clean(name), line: None, what });
        }
        Self { styles: Slot::ALL.map(|slot| look_up(&styles, slot.name()).unwrap_or_default()) }
    }
}

/// The file laid over everything that it inherits; also whether it is no TOML itself.
fn with_ancestors(
    name: &str,
    text: &str,
    library: &dyn Fn(&str) -> Option<String>,
    warnings: &mut Vec<Warning>,
) -> (ThemeFile, bool) {
    let Some(mut merged) = ThemeFile::parse(name, text, warnings) else { return (ThemeFile::default(), true) };
    let mut line_of_descent = vec![name.to_owned()];
    while let Some((parent, at)) = merged.inherits.take() {
        if line_of_descent.contains(&parent) {
            line_of_descent.push(parent);
            let circle = line_of_descent.iter().map(|name| clean(name)).collect::<Vec<_>>().join(" -> ");
            warnings.push(at.warn(format!("themes inherit in a circle ({circle}): remove one 'inherits'")));
            break;
        }
        let text = if names_a_file(&parent) { library(&parent) } else { None };
        let Some(text) = text else {
            warnings.push(at.warn(format!("inherits '{}', but there is no such theme", clean(&parent))));
            break;
        };
        let Some(below) = ThemeFile::parse(&parent, &text, warnings) else { break };
        merged = merged.over(below);
        line_of_descent.push(parent);
    }
    (merged, false)
}

/// Whether a name can be that of a file in a themes folder, and nothing else.
fn names_a_file(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// Whether this is a slot, or what stands before a dot of one.
fn is_slot(name: &str) -> bool {
    let begins = |slot: &str| slot.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    Slot::ALL.into_iter().any(|slot| begins(slot.name()))
}

/// The value of `a.b.c`, else of `a.b`, else of `a`.
fn look_up<T: Copy>(values: &BTreeMap<&str, T>, name: &str) -> Option<T> {
    let mut name = name;
    loop {
        if let Some(value) = values.get(name) {
            return Some(*value);
        }
        (name, _) = name.rsplit_once('.')?;
    }
}

fn style_from(paint: &Paint, palette: &BTreeMap<&str, Option<Color>>, warnings: &mut Vec<Warning>) -> Style {
    let mut colour = |named: &Option<file::Colour>| {
        let named = named.as_ref()?;
        let found = palette.get(named.text.as_str()).copied().or_else(|| colour_from(&named.text));
        found.unwrap_or_else(|| {
            warnings.push(named.unknown(&palette.keys().copied().collect::<Vec<_>>()));
            None
        })
    };
    let (fg, bg) = (colour(&paint.fg), colour(&paint.bg));
    Style::new().fg_color(fg).bg_color(bg).effects(paint.effects)
}

/// The names of the 16 ANSI colours.
const ANSI: [(&str, AnsiColor); 16] = [
    ("black", AnsiColor::Black),
    ("red", AnsiColor::Red),
    ("green", AnsiColor::Green),
    ("yellow", AnsiColor::Yellow),
    ("blue", AnsiColor::Blue),
    ("magenta", AnsiColor::Magenta),
    ("cyan", AnsiColor::Cyan),
    ("white", AnsiColor::White),
    ("bright-black", AnsiColor::BrightBlack),
    ("bright-red", AnsiColor::BrightRed),
    ("bright-green", AnsiColor::BrightGreen),
    ("bright-yellow", AnsiColor::BrightYellow),
    ("bright-blue", AnsiColor::BrightBlue),
    ("bright-magenta", AnsiColor::BrightMagenta),
    ("bright-cyan", AnsiColor::BrightCyan),
    ("bright-white", AnsiColor::BrightWhite),
];

/// The names of the effects.
const EFFECTS: [(&str, Effects); 5] = [
    ("bold", Effects::BOLD),
    ("dim", Effects::DIMMED),
    ("italic", Effects::ITALIC),
    ("underline", Effects::UNDERLINE),
    ("reverse", Effects::INVERT),
];

/// A colour by ANSI name, index or `#rrggbb`; `Some(None)` is the terminal's own, `None` is no colour at all.
#[expect(clippy::option_option, reason = "'default' is a colour that is known and has no code")]
fn colour_from(text: &str) -> Option<Option<Color>> {
    if text == "default" {
        return Some(None);
    }
    if let Some((_, ansi)) = ANSI.iter().find(|(name, _)| *name == text) {
        return Some(Some(Color::Ansi(*ansi)));
    }
    let digits = |text: &str, radix| text.bytes().all(|digit| char::from(digit).is_digit(radix));
    if let Some(hex) = text.strip_prefix('#') {
        let parsed = (hex.len() == 6 && digits(hex, 16)).then(|| u32::from_str_radix(hex, 16).ok())??;
        let [_, r, g, b] = parsed.to_be_bytes();
        return Some(Some(Color::Rgb(RgbColor(r, g, b))));
    }
    let index = digits(text, 10).then(|| text.parse().ok())??;
    Some(Some(Color::Ansi256(Ansi256Color(index))))
}

/// At most [`MOST_WARNINGS`], the last of which counts the others.
fn bounded(mut warnings: Vec<Warning>) -> Vec<Warning> {
    if warnings.len() > MOST_WARNINGS {
        let more = warnings.len() + 1 - MOST_WARNINGS;
        warnings.truncate(MOST_WARNINGS);
        if let Some(last) = warnings.last_mut() {
            *last = Warning { theme: last.theme.clone(), line: None, what: format!("{more} more mistakes like these") };
        }
    }
    warnings
}

/// `text` without anything that could move the cursor or flood the screen.
fn clean(text: &str) -> String {
    crate::text::clean(text, 60)
}

/// The end of a sentence about an unknown word: the nearest known one, or nothing where none is near.
fn hint(word: &str, known: &[&str]) -> String {
    nearest(word, known).map_or(String::new(), |near| format!(", did you mean '{near}'?"))
}

#[cfg(test)]
mod tests;
