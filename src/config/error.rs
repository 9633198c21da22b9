//! What can be wrong with a configuration. Each text names the thing, says what happened and what to do.
//!
//! Strings from outside are cleaned and bounded before they are put into an error, never when it is shown.

use std::fmt;

/// Where a value was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A line of a file, counted from 1.
    Line {
        /// The file as it was found or named.
        file: String,
        /// The line.
        line: usize,
        /// The key with its table, or empty where the line as a whole is meant.
        key: String,
    },
    /// An environment variable, by its name.
    Variable(String),
    /// A flag, by its name with the dashes.
    Flag(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line { file, line, key } if key.is_empty() => write!(f, "'{file}' line {line}"),
            Self::Line { file, line, key } => write!(f, "'{file}' line {line}: '{key}'"),
            Self::Variable(name) => write!(f, "variable '{name}'"),
            Self::Flag(name) => write!(f, "flag '{name}'"),
        }
    }
}

/// Why there is no [`Config`](super::Config).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A key that means nothing: most often mistyped, and a mistyped promise must not be ignored.
    #[error("{place}: unknown key '{key}'{hint}")]
    UnknownKey {
        /// Where.
        place: Place,
        /// The key as written.
        key: String,
        /// The table that it stands in, and the nearest right key or all of them.
        hint: String,
    },
    /// The file is not TOML.
    #[error("{place}: not valid TOML, {why}: correct that line")]
    NotToml {
        /// Where.
        place: Place,
        /// What the parser says.
        why: String,
    },
    /// A value of another type than the key wants.
    #[error("{place} is {found}: write {wanted}")]
    WrongType {
        /// Where.
        place: Place,
        /// The type that was found, with its article.
        found: &'static str,
        /// What belongs there, with an example.
        wanted: &'static str,
    },
    /// A duration that is none, or that this key cannot take.
    #[error("{place} is '{value}', which {why}: write {wanted}")]
    BadDuration {
        /// Where.
        place: Place,
        /// What was given.
        value: String,
        /// What is wrong with it.
        why: &'static str,
        /// What belongs there, with an example.
        wanted: &'static str,
    },
    /// An objective that is not a share of requests.
    #[error("{place} is '{value}', which is not between 0 and 1: write 99 % as 0.99")]
    BadObjective {
        /// Where.
        place: Place,
        /// What was given.
        value: String,
    },
    /// A number of simultaneous fetches that would do nothing, or harm.
    #[error("{place} is '{value}': write a whole number from 1 to {most}")]
    BadConcurrency {
        /// Where.
        place: Place,
        /// What was given.
        value: String,
        /// The highest that is allowed.
        most: u16,
    },
    /// An alias for a quantity that does not exist.
    #[error("{place} is '{value}', which is no quantity{hint}")]
    UnknownQuantity {
        /// Where.
        place: Place,
        /// The quantity as written.
        value: String,
        /// The nearest right one, or all of them.
        hint: String,
    },
    /// A burn preset that does not exist.
    #[error("{place} is '{value}', which is no burn preset{hint}")]
    UnknownBurn {
        /// Where.
        place: Place,
        /// The preset as written.
        value: String,
        /// The nearest right one, or all of them.
        hint: String,
    },
    /// Whether engines are read through a Prometheus, in another word.
    #[error("{place} is '{value}': write \"auto\", \"always\" or \"never\"")]
    UnknownEngines {
        /// Where.
        place: Place,
        /// As written.
        value: String,
    },
    /// Whether gateways or GPUs are, in another word.
    #[error("{place} is '{value}': write \"always\" or \"never\"")]
    UnknownOthers {
        /// Where.
        place: Place,
        /// As written.
        value: String,
    },
    /// A way that is none.
    #[error("{place} is '{value}', which is no way to a pod{hint}")]
    UnknownVia {
        /// Where.
        place: Place,
        /// The way as written.
        value: String,
        /// The nearest right one, or all of them.
        hint: String,
    },
    /// What is neither on nor off.
    #[error("{place} is '{value}': write true or false")]
    BadSwitch {
        /// Where.
        place: Place,
        /// What was given.
        value: String,
    },
    /// A way to confirm that does not exist.
    #[error("{place} is '{value}', which is no way to confirm{hint}")]
    UnknownConfirm {
        /// Where.
        place: Place,
        /// The way as written.
        value: String,
        /// The nearest right one, or all of them.
        hint: String,
    },
    /// A pattern that protects nothing.
    #[error("{place} holds '{value}', which {why}: write contexts as in [\"prod-*\"]")]
    BadPattern {
        /// Where.
        place: Place,
        /// The pattern as written.
        value: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A largest step that would allow nothing, or anything.
    #[error("{place} is '{value}': write a whole number from 1 to {most}")]
    BadStep {
        /// Where.
        place: Place,
        /// What was given.
        value: String,
        /// The highest that is allowed.
        most: u32,
    },
    /// Pods or a page of a gateway that cannot be.
    #[error("{place} {why}: write \"LABELS\" or \"NAMESPACE:LABELS\" for selector, and \"PORT/PATH\" for metrics")]
    BadGateway {
        /// Where.
        place: Place,
        /// What is wrong with it.
        why: String,
    },
    /// An address or a path that is none.
    #[error("{place} {why}: write it as clients have it, such as \"https://llm.example.org/v1\"")]
    BadUrl {
        /// Where.
        place: Place,
        /// What is wrong with it; never the address itself, which may hold a secret.
        why: String,
    },
    /// A theme's name that could not be the name of a file in a themes folder.
    #[error("{place} is '{value}', which cannot name a theme: use letters, digits, '-' and '_', 64 at most")]
    BadTheme {
        /// Where.
        place: Place,
        /// The name as written.
        value: String,
    },
    /// The file that was asked for is not there.
    #[error("'{file}' does not exist: correct the path after --config, or write it with 'warroom config init'")]
    Missing {
        /// The file.
        file: String,
    },
    /// The file is there and cannot be read.
    #[error("'{file}' cannot be read ({why}): correct its permissions, or name another file with --config")]
    Unreadable {
        /// The file.
        file: String,
        /// What the system says.
        why: String,
    },
    /// The file is far larger than any configuration.
    #[error("'{file}' is larger than 1 MB: that is no configuration, name the right file with --config")]
    TooLarge {
        /// The file.
        file: String,
    },
    /// The file is not text.
    #[error("{place}: not UTF-8: save the file as UTF-8 text")]
    NotText {
        /// The line with the first byte that is no text.
        place: Place,
    },
}
