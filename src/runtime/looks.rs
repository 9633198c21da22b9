//! How keys and cells are understood here: the theme and the keymap, from the user's folder where they are there.

use super::shell::Looks;
use crate::config::{self, Config, Surroundings};
use crate::ui::keymap::Keymap;
use crate::ui::theme::{self, Theme};
use crate::ui::{Colours, Look};

/// The looks, and what is wrong in their files: an engineer who was paged gets a screen all the same.
pub(super) fn read(config: &Config, colours: Colours, ascii: bool) -> (Looks, Vec<String>) {
    let surroundings = Surroundings::of_this_process();
    let mut warnings = Vec::new();
    let mut own = |name: &str| {
        config::beside(&surroundings, name).unwrap_or_else(|why| {
            warnings.push(why.to_string());
            None
        })
    };
    let name = config.ui.theme.as_str();
    let theme = own(&format!("themes/{name}.toml"));
    let keymap = own("keymap.toml");
    let library = |name: &str| {
        let own = config::beside(&surroundings, &format!("themes/{name}.toml")).ok().flatten();
        // A theme of the user's own with the name of one that comes with the program may build on it.
        own.filter(|_| name != config.ui.theme).or_else(|| theme::embedded(name))
    };
    let (theme, about_theme) = match theme {
        Some(text) => Theme::read(name, &text, &library),
        None => Theme::named(name),
    };
    let (keymap, about_keys) = Keymap::patched(keymap.as_deref());
    warnings.extend(about_theme.iter().map(ToString::to_string));
    warnings.extend(about_keys.iter().map(ToString::to_string));
    (Looks { keymap, look: Look::new(&theme, colours, ascii) }, warnings)
}
