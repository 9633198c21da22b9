//! The one place that reads the environment and configuration files. Understands neither: it hands on text.

use std::ffi::OsString;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::error::{ConfigError, Place};
use super::words::{clean, line_of};
use super::{Flag, Layer, Origin};

/// No configuration is larger than this, in bytes.
const MOST_BYTES: u64 = 1_000_000;

/// The system's file.
const SYSTEM_FILE: &str = "/etc/warroom/config.toml";

/// What the process was started in, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Surroundings {
    /// The system's file, whether it exists or not.
    pub system_file: PathBuf,
    /// The user's file, whether it exists or not; nothing where the user has no home.
    pub user_file: Option<PathBuf>,
    /// The variables whose names begin with `WARROOM_`.
    pub variables: Vec<(String, String)>,
}

impl Surroundings {
    /// Reads the environment of this process.
    pub fn of_this_process() -> Self {
        let variables = std::env::vars_os()
            .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
            .filter(|(name, _)| name.starts_with("WARROOM_"))
            .collect();
        let user_file = user_file(std::env::var_os("XDG_CONFIG_HOME"), std::env::var_os("HOME"));
        Self { system_file: PathBuf::from(SYSTEM_FILE), user_file, variables }
    }
}

/// Whether the locale says that the terminal takes UTF-8: the first of the variables that is set decides, as in POSIX.
pub fn speaks_utf8() -> bool {
    let locale =
        ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(std::env::var_os).find(|value| !value.is_empty());
    locale.is_some_and(|value| {
        let value = value.to_string_lossy().to_ascii_lowercase();
        value.contains("utf-8") || value.contains("utf8")
    })
}

/// What the environment says of the terminal: words, which somebody else understands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TerminalHints {
    /// `TERM`.
    pub term: String,
    /// `COLORTERM`.
    pub colour_term: String,
    /// Whether `NO_COLOR` is set and not empty.
    pub no_color: bool,
    /// Whether it takes UTF-8.
    pub utf8: bool,
}

impl TerminalHints {
    /// Reads the environment of this process.
    pub fn of_this_process() -> Self {
        let said = |name| std::env::var_os(name).unwrap_or_default().to_string_lossy().into_owned();
        Self {
            term: said("TERM"),
            colour_term: said("COLORTERM"),
            no_color: !said("NO_COLOR").is_empty(),
            utf8: speaks_utf8(),
        }
    }
}

/// The user's file. The XDG specification wants a relative folder to be ignored.
fn user_file(config_home: Option<OsString>, home: Option<OsString>) -> Option<PathBuf> {
    let absolute = |folder: Option<OsString>| folder.map(PathBuf::from).filter(|folder| folder.is_absolute());
    let folder = absolute(config_home).or_else(|| absolute(home).map(|home| home.join(".config")))?;
    Some(folder.join("warroom").join("config.toml"))
}

/// Every layer that is there, as text. `named` (`--config`) is read instead of the system's and the user's file, and
/// it has to exist. Of the system's file its limits stay: naming another file is no way round them.
pub fn gather(surroundings: &Surroundings, named: Option<&Path>, flags: Vec<Flag>) -> Result<Vec<Layer>, ConfigError> {
    let mut layers = Vec::new();
    if let Some(named) = named {
        let shown = shown(named);
        let text = read(named)?.ok_or_else(|| ConfigError::Missing { file: shown.clone() })?;
        layers.push(Layer::File { origin: Origin::NamedFile(shown), text });
        let system = &surroundings.system_file;
        let limits = read(system)?.map(|text| Layer::Limits { origin: Origin::SystemFile(self::shown(system)), text });
        layers.extend(limits);
    } else {
        let system = (&surroundings.system_file, Origin::SystemFile as fn(String) -> Origin);
        let user = surroundings.user_file.as_ref().map(|file| (file, Origin::UserFile as fn(String) -> Origin));
        for (file, origin) in [Some(system), user].into_iter().flatten() {
            layers.extend(read(file)?.map(|text| Layer::File { origin: origin(shown(file)), text }));
        }
    }
    layers.push(Layer::Variables(surroundings.variables.clone()));
    layers.push(Layer::Flags(flags));
    Ok(layers)
}

/// The text of a file beside the user's configuration, where there is one: a theme, a keymap.
pub fn beside(surroundings: &Surroundings, name: &str) -> Result<Option<String>, ConfigError> {
    let folder = surroundings.user_file.as_deref().and_then(Path::parent);
    folder.map_or(Ok(None), |folder| read(&folder.join(name)))
}

/// A path as it is shown in messages.
pub(super) fn shown(path: &Path) -> String {
    clean(&path.to_string_lossy())
}

/// The file's text, or nothing where there is no such file.
pub(super) fn read(path: &Path) -> Result<Option<String>, ConfigError> {
    let unreadable = |error: &std::io::Error| {
        let why = if path.is_dir() { "it is a directory".to_owned() } else { error.kind().to_string() };
        ConfigError::Unreadable { file: shown(path), why }
    };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
        Err(error) => return Err(unreadable(&error)),
    };
    // The size is measured by reading, because a pipe or a device does not tell it.
    let mut bytes = Vec::new();
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(|error| unreadable(&error))?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(ConfigError::TooLarge { file: shown(path) });
    }
    String::from_utf8(bytes).map(Some).map_err(|error| {
        let line = line_of(error.as_bytes(), error.utf8_error().valid_up_to());
        ConfigError::NotText { place: Place::Line { file: shown(path), line, key: String::new() } }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_file_follows_the_xdg_specification() {
        let file = |config_home: &str, home: &str| {
            let set = |value: &str| (!value.is_empty()).then(|| OsString::from(value));
            user_file(set(config_home), set(home)).map(|file| file.to_string_lossy().into_owned())
        };
        assert_eq!(file("/x", "/home/a").as_deref(), Some("/x/warroom/config.toml"));
        assert_eq!(file("", "/home/a").as_deref(), Some("/home/a/.config/warroom/config.toml"));
        assert_eq!(file("relative", "/home/a").as_deref(), Some("/home/a/.config/warroom/config.toml"));
        assert_eq!(file("", ""), None);
    }
}
