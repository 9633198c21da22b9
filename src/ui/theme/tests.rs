//! What a theme's file may say, and that no file can take the screen away.

use super::*;

/// The theme and the texts of its warnings; every name in `others` can be inherited.
fn read(text: &str, others: &[(&str, &str)]) -> (Theme, Vec<String>) {
    let library = |name: &str| others.iter().find(|(known, _)| *known == name).map(|(_, text)| (*text).to_owned());
    let (theme, warnings) = Theme::read("mine", text, &library);
    (theme, warnings.iter().map(ToString::to_string).collect())
}

/// As [`read`], on top of a theme in which every slot is plain: only what `text` itself gets wrong is warned about.
fn on_plain(text: &str) -> (Theme, Vec<String>) {
    let plain = "[slots]\ntext = 'default'\nheading = 'default'\nverdict = 'default'\nbar = 'default'\n\
                 evidence = 'default'\nlever = 'default'";
    read(&format!("inherits = 'plain'\n{text}"), &[("plain", plain)])
}

fn fg(theme: &Theme, slot: Slot) -> Option<Color> {
    theme.style(slot).get_fg_color()
}

#[test]
fn slots_are_listed_in_the_order_in_which_they_are_stored() {
    for (index, slot) in Slot::ALL.into_iter().enumerate() {
        assert_eq!(slot as usize, index, "{slot:?}");
    }
}

#[test]
fn a_colour_is_an_ansi_name_an_index_or_a_hex_number() {
    let (theme, warnings) = on_plain(
        "[slots]\ntext = 'bright-red'\nheading = 208\nbar = '17'\nverdict = '#0a0bff'\nlever = { bg = 'blue', bold = true }",
    );
    assert_eq!(warnings, [""; 0]);
    assert_eq!(fg(&theme, Slot::Text), Some(Color::Ansi(AnsiColor::BrightRed)));
    assert_eq!(fg(&theme, Slot::Heading), Some(Color::Ansi256(Ansi256Color(208))));
    assert_eq!(fg(&theme, Slot::Bar), Some(Color::Ansi256(Ansi256Color(17))));
    assert_eq!(fg(&theme, Slot::VerdictHealthy), Some(Color::Rgb(RgbColor(10, 11, 255))));
    assert_eq!(theme.style(Slot::LeverNo), Style::new().bg_color(Some(AnsiColor::Blue.into())).bold());
}

#[test]
fn an_unknown_colour_is_a_warning_and_the_rest_of_the_style_holds() {
    for bad in ["'crimson'", "'#12345'", "'#12345g'", "'#+12345'", "256", "-1", "''", "'+7'", "'#ééé'"] {
        let (theme, warnings) = on_plain(&format!("[slots]\ntext = {{ fg = {bad}, bold = true }}"));
        assert_eq!(warnings.len(), 1, "{bad}: {warnings:?}");
        assert!(warnings[0].starts_with("theme 'mine' line 3: unknown colour '"), "{warnings:?}");
        assert_eq!(theme.style(Slot::Text), Style::new().bold());
    }
    let (_, warnings) = on_plain("[palette]\nnight = 'blak'\n[slots]\ntext = 'nigth'");
    assert!(warnings[0].contains("line 3: unknown colour 'blak': write a name of [palette]"), "{warnings:?}");
    assert!(warnings[1].contains("line 5: unknown colour 'nigth', did you mean 'night'?"), "{warnings:?}");
}

#[test]
fn a_slot_that_is_not_given_is_styled_as_what_stands_before_its_last_dot() {
    let values = BTreeMap::from([("a", 1), ("a.b.c", 3)]);
    assert_eq!(look_up(&values, "a.b.c"), Some(3));
    assert_eq!(look_up(&values, "a.b"), Some(1));
    assert_eq!(look_up(&values, "a.b.d.e"), Some(1));
    assert_eq!(look_up(&values, "b.c"), None);
    let (theme, warnings) = on_plain("[slots]\nverdict = 'red'\n'verdict.healthy' = 'green'");
    assert_eq!(warnings, [""; 0]);
    assert_eq!(fg(&theme, Slot::VerdictBreach), Some(AnsiColor::Red.into()));
    assert_eq!(fg(&theme, Slot::VerdictHealthy), Some(AnsiColor::Green.into()));
}

#[test]
fn a_slot_may_be_quoted_or_a_table_of_slots() {
    let (quoted, _) = on_plain("[slots]\n'lever.yes' = 'green'\n'lever.no' = { fg = 'red', dim = true }");
    let (tables, warnings) = on_plain("[slots]\nlever.yes = 'green'\nlever.no = { fg = 'red', dim = true }");
    assert_eq!((&quoted, warnings), (&tables, Vec::new()));
}

#[test]
fn an_unknown_slot_is_a_warning_that_names_the_nearest() {
    let (_, warnings) =
        on_plain("[slots]\n'verdict.braech' = 'red'\n'lever.no' = { fg = 'red', blod = true }\nzzzzzz = 1");
    assert_eq!(
        warnings,
        [
            "theme 'mine' line 4: unknown key 'blod' in 'lever.no', did you mean 'bold'?",
            "theme 'mine' line 3: unknown slot 'verdict.braech', did you mean 'verdict.breach'?",
            "theme 'mine' line 5: unknown slot 'zzzzzz'",
        ]
    );
}

#[test]
fn a_child_overrides_its_parents_palette_and_slots() {
    let parent = "[palette]\nink = 'red'\nsky = 'blue'\n[slots]\ntext = 'ink'\nheading = 'sky'\nbar = 'sky'\n\
                  verdict = 'ink'\nevidence = 'ink'\nlever = 'ink'";
    let (theme, warnings) = read("inherits = 'p'\n[palette]\nink = 'green'\n[slots]\nbar = 'ink'", &[("p", parent)]);
    assert_eq!(warnings, [""; 0]);
    assert_eq!(fg(&theme, Slot::Text), Some(AnsiColor::Green.into()));
    assert_eq!(fg(&theme, Slot::Heading), Some(AnsiColor::Blue.into()));
    assert_eq!(fg(&theme, Slot::Bar), Some(AnsiColor::Green.into()));
}

#[test]
fn a_circle_of_themes_is_a_warning() {
    let (_, warnings) = read("inherits = 'a'", &[("a", "inherits = 'b'"), ("b", "\ninherits = 'a'")]);
    assert!(warnings[0].contains("theme 'b' line 2: themes inherit in a circle (mine -> a -> b -> a)"), "{warnings:?}");
    let (_, warnings) = read("inherits = 'mine'", &[("mine", "")]);
    assert!(warnings[0].contains("circle (mine -> mine)"), "{warnings:?}");
}

#[test]
fn a_missing_parent_is_a_warning_and_no_path_is_ever_asked_for() {
    let library = |name: &str| -> Option<String> { panic!("asked for {name}") };
    let (_, warnings) = Theme::read("mine", "inherits = '../../etc/passwd'", &library);
    assert!(warnings[0].to_string().contains("inherits '../../etc/passwd', but there is no such theme"));
    let (_, warnings) = read("inherits = 'none'", &[]);
    assert!(warnings[0].contains("line 1: inherits 'none', but there is no such theme"), "{warnings:?}");
    assert!(warnings[1].contains("no style for text, text.muted, heading"), "{warnings:?}");
}

#[test]
fn a_file_that_is_no_toml_is_a_warning_and_the_default_theme() {
    let (theme, warnings) = read("[slots]\ntext = = 'red'", &[]);
    assert!(warnings[0].starts_with("theme 'mine' line 2: not valid TOML, "), "{warnings:?}");
    assert_eq!(theme, Theme::default());
    let (theme, warnings) = Theme::read("default", "=", &|_| None);
    assert_eq!((theme, warnings.len()), (Theme::default(), 1));
}

#[test]
fn wrong_types_and_unknown_keys_are_warnings() {
    for (text, expected) in [
        ("pallete = {}", "line 2: unknown key 'pallete', did you mean 'palette'?"),
        ("palette = 1", "line 2: 'palette' is no table"),
        ("[palette]\na = true", "line 3: no colour: write a name"),
        ("[slots]\ntext = { bold = 1 }", "line 3: 'bold' is neither true nor false"),
        ("[slots]\ntext = [1]", "line 3: no colour: write a name"),
    ] {
        let (_, warnings) = on_plain(text);
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].contains(expected), "{warnings:?}");
    }
    let (_, warnings) = read("inherits = 1", &[]);
    assert!(warnings[0].contains("line 1: 'inherits' is no text"), "{warnings:?}");
}

#[test]
fn an_unknown_theme_is_a_warning_and_the_default_theme() {
    let (theme, warnings) = Theme::named("ligth");
    assert_eq!(theme, Theme::default());
    assert_eq!(warnings[0].to_string(), "theme 'ligth': there is no such theme, did you mean 'light'?");
}

#[test]
fn warnings_are_few_and_cannot_redraw_the_terminal() {
    let many: Vec<String> = (0..1_000).map(|n| format!("\"{n}\\u001b[2J{}\" = 'red'", "x".repeat(500))).collect();
    let (_, warnings) = on_plain(&format!("[slots]\n{}", many.join("\n")));
    assert_eq!(warnings.len(), MOST_WARNINGS);
    assert_eq!(warnings[MOST_WARNINGS - 1], "theme 'mine': 981 more mistakes like these");
    assert!(warnings.iter().all(|warning| warning.len() < 300 && !warning.contains(char::is_control)));
}
