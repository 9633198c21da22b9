//! `warroom config print|path|validate|init`: returns what is to be printed. Does not know how the words were typed.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::config::{Config, ConfigError, DEFAULT_FILE, Layer, Surroundings, gather, merge};

/// Why a command about the configuration did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum ConfigCommandError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// There is a file already, and it is somebody's.
    #[error("'{file}' exists already: edit it, or move it away and run this again")]
    Exists {
        /// The file.
        file: String,
    },
    /// The file could not be written.
    #[error("'{file}' cannot be written ({why}): correct the folder's permissions, or name another with --config")]
    Unwritable {
        /// The file.
        file: String,
        /// What the system says.
        why: String,
    },
    /// There is no place for the user's file.
    #[error(
        "there is no place for the file: set HOME or XDG_CONFIG_HOME to an absolute path, or name it with --config"
    )]
    NoHome,
}

/// Every value in effect, with who said it; ends with a line break.
pub fn print(config: &Config) -> String {
    let mut lines = config.describe().join("\n");
    lines.push('\n');
    lines
}

/// The file that `init` would write and that is the user's to edit: the one named, else the user's.
pub fn path(surroundings: &Surroundings, named: Option<&Path>) -> Result<PathBuf, ConfigCommandError> {
    named.map(Path::to_path_buf).or_else(|| surroundings.user_file.clone()).ok_or(ConfigCommandError::NoHome)
}

/// Reads all files and variables that would be read, and says which files were and that they are right.
pub fn validate(surroundings: &Surroundings, named: Option<&Path>) -> Result<String, ConfigCommandError> {
    let layers = gather(surroundings, named, Vec::new())?;
    let mut said: String = layers
        .iter()
        .filter_map(|layer| match layer {
            Layer::File { origin, .. } | Layer::Limits { origin, .. } => Some(format!("'{origin}' is valid\n")),
            _ => None,
        })
        .collect();
    merge(layers)?;
    if said.is_empty() {
        said.push_str("no file found: the defaults hold, 'warroom config init' writes them to a file\n");
    }
    Ok(said)
}

/// The default file's text, and where it belongs; writes nothing.
pub fn init(surroundings: &Surroundings, named: Option<&Path>) -> Result<(PathBuf, &'static str), ConfigCommandError> {
    Ok((path(surroundings, named)?, DEFAULT_FILE))
}

/// Writes a new file that only its owner can read, and its folders; never over a file that is there. Says what it did.
pub fn write(file: &Path, text: &str) -> Result<String, ConfigCommandError> {
    let shown = file.display().to_string();
    let failed = |error: &std::io::Error| match error.kind() {
        ErrorKind::AlreadyExists => ConfigCommandError::Exists { file: shown.clone() },
        kind => ConfigCommandError::Unwritable { file: shown.clone(), why: kind.to_string() },
    };
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).map_err(|error| failed(&error))?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut new = options.open(file).map_err(|error| failed(&error))?;
    if let Err(error) = new.write_all(text.as_bytes()) {
        // Half a file would be in the way of the next attempt; if it cannot be removed, that attempt will say so.
        let _ = fs::remove_file(file);
        return Err(failed(&error));
    }
    Ok(format!("wrote '{shown}'\n"))
}
