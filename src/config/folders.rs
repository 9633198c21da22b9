//! Folders of the user: their own runbooks, and where records of incidents lie. Understands nothing that it reads.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::ConfigError;
use super::outside::{Surroundings, read, shown};

/// Files that are read from one folder.
const MOST_FILES: usize = 100;

/// The text of every `*.toml` in the folder `runbooks` beside the user's configuration, with its path as it is shown, in
/// the order of names; and what could not be read.
pub fn runbooks(surroundings: &Surroundings) -> (Vec<(String, String)>, Vec<ConfigError>) {
    let (mut files, mut refused) = (Vec::new(), Vec::new());
    let Some(folder) = surroundings.user_file.as_deref().and_then(Path::parent).map(|f| f.join("runbooks")) else {
        return (files, refused);
    };
    let Ok(entries) = std::fs::read_dir(&folder) else { return (files, refused) };
    let mut paths: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "toml"))
        .collect();
    paths.sort();
    for path in paths.into_iter().take(MOST_FILES) {
        match read(&path) {
            Ok(Some(text)) => files.push((shown(&path), text)),
            Ok(None) => {}
            Err(error) => refused.push(error),
        }
    }
    (files, refused)
}

/// Where records of incidents lie, by the XDG specification; nothing where the user has no home.
pub fn state_folder() -> Option<PathBuf> {
    state_of(std::env::var_os("XDG_STATE_HOME"), std::env::var_os("HOME"))
}

fn state_of(state_home: Option<OsString>, home: Option<OsString>) -> Option<PathBuf> {
    let absolute = |folder: Option<OsString>| folder.map(PathBuf::from).filter(|folder| folder.is_absolute());
    let folder = absolute(state_home).or_else(|| absolute(home).map(|home| home.join(".local").join("state")))?;
    Some(folder.join("warroom"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_lie_where_the_xdg_specification_wants_state() {
        let folder = |state: &str, home: &str| {
            let set = |value: &str| (!value.is_empty()).then(|| OsString::from(value));
            state_of(set(state), set(home)).map(|f| f.to_string_lossy().into_owned())
        };
        assert_eq!(folder("/s", "/home/a").as_deref(), Some("/s/warroom"));
        assert_eq!(folder("relative", "/home/a").as_deref(), Some("/home/a/.local/state/warroom"));
        assert_eq!(folder("", ""), None);
    }
}
