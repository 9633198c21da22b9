//! Keys: every command has one and says what it does, a file of one's own changes what it names, and Ctrl-C quits.

use proptest::prelude::*;
use warroom::app::{Command, Event, Mode};
use warroom::ui::keymap::EMBEDDED;
use warroom::ui::{Chord, Key, Keymap};

fn key(name: &str) -> Chord {
    Chord::named(name).expect("a key")
}

fn warnings(own: &str) -> Vec<String> {
    Keymap::patched(Some(own)).1.iter().map(ToString::to_string).collect()
}

#[test]
fn every_command_has_a_key_and_a_line_of_help() {
    let map = Keymap::default();
    for command in Command::ALL {
        assert!(Mode::ALL.iter().any(|mode| !map.chords(*mode, *command).is_empty()), "no key for '{command}'");
        assert!(!command.help().is_empty() && !command.title().is_empty(), "{command}");
    }
}

#[test]
fn the_default_keymap_has_no_mistakes() {
    assert_eq!(Keymap::patched(None).1, []);
    assert_eq!(Keymap::patched(Some(EMBEDDED)), (Keymap::default(), Vec::new()), "laid over itself it is the same");
}

#[test]
fn a_chord_that_is_shown_does_what_it_is_shown_for() {
    let map = Keymap::default();
    for mode in Mode::ALL {
        for command in Command::ALL {
            for chord in map.chords(*mode, *command) {
                assert_eq!(map.command(*mode, chord), Some(*command), "{chord} in {mode}");
                assert_eq!(Chord::named(&chord.to_string()), Some(chord), "a key's name is the key");
            }
        }
    }
}

#[test]
fn the_same_letter_means_another_thing_elsewhere() {
    let map = Keymap::default();
    assert_eq!(map.command(Mode::Main, key("g")), Some(Command::Gpus));
    assert_eq!(map.command(Mode::List, key("g")), Some(Command::Top));
    assert_eq!(map.command(Mode::Main, key("q")), Some(Command::Quit));
    assert_eq!(map.command(Mode::List, key("q")), Some(Command::Back));
    assert_eq!(map.command(Mode::Logs, key("f")), Some(Command::Follow));
    assert_eq!(map.command(Mode::Logs, key("j")), Some(Command::Down), "a log is a list too");
}

#[test]
fn what_is_typed_is_no_command() {
    let map = Keymap::default();
    for c in ['q', 'e', '?', '/', 'P', ' ', 'é'] {
        let event = map.event(Mode::Prompt, Chord::plain(Key::Char(c)));
        assert!(matches!(event, Some(Event::Typed(typed)) if typed == c), "{c}: {event:?}");
    }
    assert!(matches!(map.event(Mode::Prompt, key("enter")), Some(Event::Command(Command::Accept))));
    assert!(matches!(map.event(Mode::Prompt, key("ctrl-l")), Some(Event::Command(Command::Redraw))));
    assert!(map.event(Mode::Prompt, key("alt-x")).is_none());
    assert!(map.event(Mode::Main, key("f9")).is_none());
}

#[test]
fn a_file_of_ones_own_changes_what_it_names_and_nothing_else() {
    let (map, warnings) = Keymap::patched(Some("[main]\ne = 'timeline'\nf5 = 'evidence'\n[any]\nt = 'none'"));
    assert_eq!(warnings, []);
    assert_eq!(map.command(Mode::Main, key("e")), Some(Command::Timeline));
    assert_eq!(map.command(Mode::Main, key("f5")), Some(Command::Evidence));
    assert_eq!(map.command(Mode::List, key("e")), Some(Command::Evidence));
    assert_eq!(map.command(Mode::List, key("t")), None);
    assert_eq!(map.command(Mode::Main, key("p")), Some(Command::Replicas));
}

#[test]
fn ctrl_c_quits_whatever_a_file_says() {
    let (map, _) = Keymap::patched(Some("[any]\n'ctrl-c' = 'help'\n[prompt]\n'ctrl-c' = 'none'"));
    for mode in Mode::ALL {
        assert_eq!(map.command(*mode, Chord::CTRL_C), Some(Command::Quit));
    }
}

#[test]
fn a_mistake_is_named_with_its_line_and_the_nearest_right_word() {
    assert_eq!(
        warnings("[main]\ne = 'evidense'"),
        ["keymap line 2: unknown command 'evidense', did you mean 'evidence'?"]
    );
    assert_eq!(warnings("[mian]\n"), ["keymap line 1: unknown section 'mian', did you mean 'main'?"]);
    assert!(warnings("[main]\n'hyper-x' = 'help'")[0].starts_with("keymap line 2: unknown key 'hyper-x'"));
    assert!(warnings("[main]\n'shift-g' = 'help'")[0].contains("unknown key 'shift-g'"), "that is G");
    assert!(warnings("[main]\ne = 1")[0].contains("no text"));
    assert!(warnings("main = 1")[0].contains("'main' is no section"));
    assert!(warnings("[main")[0].contains("not valid TOML"));
    let (map, _) = Keymap::patched(Some("[main]\ne = 'evidense'\nx = 'help'"));
    assert_eq!(map.command(Mode::Main, key("x")), Some(Command::Help), "the rest holds");
}

proptest! {
    #[test]
    fn no_file_takes_the_keys_away(own in "\\PC{0,200}|(\\[(main|any|list|x)\\]\n([a-z-]{1,8} = '[a-z_]{0,9}'\n){0,5}){0,4}") {
        let (map, warnings) = Keymap::patched(Some(&own));
        prop_assert_eq!(map.command(Mode::Main, Chord::CTRL_C), Some(Command::Quit));
        prop_assert!(warnings.len() <= 20);
        for warning in warnings {
            prop_assert!(!warning.to_string().contains(char::is_control));
        }
    }
}
