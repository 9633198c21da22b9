//! Every theme in the folder loads without a word, and can be read by whoever needs it.

use std::fs;
use std::path::{Path, PathBuf};

use anstyle::{Ansi256Color, Color, Effects, RgbColor};
use warroom::ui::theme::{EMBEDDED, Slot, Theme, embedded};

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("themes");
    fs::read_dir(folder).expect("the folder is there").map(|entry| entry.expect("an entry").path()).collect()
}

fn theme(name: &str) -> Theme {
    let (theme, warnings) = Theme::named(name);
    assert_eq!(warnings, [], "{name}");
    theme
}

/// The contrast of two colours as WCAG 2.1 defines it, from 1 to 21; 4.5 is what it asks of text.
fn contrast(a: RgbColor, b: RgbColor) -> f64 {
    let linear = |channel: u8| {
        let share = f64::from(channel) / 255.0;
        if share <= 0.040_45 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
    };
    let luminance = |c: RgbColor| 0.2126 * linear(c.0) + 0.7152 * linear(c.1) + 0.0722 * linear(c.2);
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

/// What xterm shows for a colour; the terminal's own and the 16 that it may redefine are not known.
fn shown(colour: Option<Color>) -> Option<RgbColor> {
    const STEPS: [u8; 6] = [0, 95, 135, 175, 215, 255];
    match colour? {
        Color::Rgb(rgb) => Some(rgb),
        Color::Ansi256(Ansi256Color(index @ 16..=231)) => {
            let step = |divisor: u8| STEPS[usize::from((index - 16) / divisor % 6)];
            Some(RgbColor(step(36), step(6), step(1)))
        }
        Color::Ansi256(Ansi256Color(index @ 232..)) => {
            let grey = 8 + 10 * (index - 232);
            Some(RgbColor(grey, grey, grey))
        }
        Color::Ansi256(_) | Color::Ansi(_) => None,
    }
}

#[test]
fn every_file_in_the_folder_is_embedded_and_loads_without_warnings() {
    let files = files();
    assert_eq!(files.len(), EMBEDDED.len(), "a theme is not embedded, or an embedded one is gone");
    for file in files {
        let name = file.file_stem().expect("a name").to_string_lossy().into_owned();
        let text = fs::read_to_string(&file).expect("a theme is text");
        assert_eq!(embedded(&name).as_deref(), Some(text.as_str()), "{name} is not embedded");
        let (read, warnings) = Theme::read(&name, &text, &embedded);
        assert_eq!(warnings, [], "{name}");
        assert_eq!(read, theme(&name));
    }
}

#[test]
fn every_theme_tells_the_verdicts_apart() {
    for (name, _) in EMBEDDED {
        let theme = theme(name);
        let verdicts = [Slot::VerdictHealthy, Slot::VerdictWarning, Slot::VerdictBreach, Slot::VerdictUnknown];
        let pairs =
            verdicts.iter().enumerate().flat_map(|(at, one)| verdicts[at + 1..].iter().map(move |two| (one, two)));
        for (one, two) in pairs {
            assert_ne!(theme.style(*one), theme.style(*two), "{name}: {one:?} looks like {two:?}");
        }
        assert_ne!(theme.style(Slot::LeverYes), theme.style(Slot::LeverNo), "{name}");
    }
}

#[test]
fn text_can_be_read_on_the_background_that_the_theme_is_for() {
    let (black, white) = (RgbColor(0, 0, 0), RgbColor(255, 255, 255));
    for (name, background, least) in [("default", black, 4.5), ("light", white, 4.5), ("high-contrast", black, 7.0)] {
        let theme = theme(name);
        for slot in Slot::ALL {
            let style = theme.style(slot);
            let Some(ink) = shown(style.get_fg_color()) else { continue };
            let contrast = contrast(ink, shown(style.get_bg_color()).unwrap_or(background));
            assert!(contrast >= least, "{name}: '{}' has a contrast of {contrast:.1}", slot.name());
        }
    }
}

#[test]
fn the_theme_of_sixteen_colours_uses_no_other() {
    let theme = theme("ansi16");
    for slot in Slot::ALL {
        let style = theme.style(slot);
        for colour in [style.get_fg_color(), style.get_bg_color()].into_iter().flatten() {
            assert!(matches!(colour, Color::Ansi(_)), "'{}' is {colour:?}", slot.name());
        }
    }
}

#[test]
fn the_theme_without_colour_has_none() {
    let theme = theme("mono");
    for slot in Slot::ALL {
        let style = theme.style(slot);
        assert_eq!((style.get_fg_color(), style.get_bg_color()), (None, None), "{}", slot.name());
    }
}

#[test]
fn nothing_is_faint_where_contrast_was_asked_for() {
    let theme = theme("high-contrast");
    for slot in Slot::ALL {
        assert!(!theme.style(slot).get_effects().contains(Effects::DIMMED), "{}", slot.name());
        assert!(shown(theme.style(slot).get_bg_color()).is_some(), "'{}' has no background", slot.name());
    }
}
