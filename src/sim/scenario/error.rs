//! What can be wrong with a scenario: always with the place and what to do.

/// A scenario that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScenarioError {
    /// No such name.
    #[error("there is no scenario '{name}'; the known ones are {known}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// All names.
        known: String,
    },
    /// A file that says something wrong.
    #[error("scenario '{file}', line {line}: {message}")]
    File {
        /// Its name.
        file: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong and what to do.
        message: String,
    },
}

/// Something that parses and makes no sense: where it stands, by a word of it, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrong {
    /// Text that stands on the line.
    pub(super) word: String,
    /// What is wrong and what to do.
    pub(super) message: String,
}

impl ScenarioError {
    pub(super) fn from_toml(file: &str, text: &str, error: &toml::de::Error) -> Self {
        let offset = error.span().map_or(0, |span| span.start);
        let message = format!("{}: correct that line", error.message().lines().collect::<Vec<_>>().join(", "));
        Self::File { file: file.to_owned(), line: line_of(text, offset), message }
    }

    pub(super) fn at_word(file: &str, text: &str, wrong: &Wrong) -> Self {
        let offset = text.find(&wrong.word).unwrap_or(0);
        Self::File { file: file.to_owned(), line: line_of(text, offset), message: wrong.message.clone() }
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + memchr::memchr_iter(b'\n', &text.as_bytes()[..offset.min(text.len())]).count()
}
