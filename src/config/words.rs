//! Words from outside made fit to be shown, where they stand, and the nearest known word to a mistyped one. Knows no key and no file.

/// How much of a string from outside is echoed, in characters.
const MOST_SHOWN: usize = 120;

/// `text` made harmless and bounded.
pub(super) fn clean(text: &str) -> String {
    crate::text::clean(text, MOST_SHOWN)
}

/// `text` as a TOML string, clean.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", clean(text).replace('\\', "\\\\").replace('"', "\\\""))
}

/// `key` as TOML wants it in a dotted key: bare where that is allowed, quoted everywhere else.
pub(super) fn key(key: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !key.is_empty() && key.len() <= MOST_SHOWN && key.chars().all(bare) { key.to_owned() } else { quoted(key) }
}

/// The line, from 1, on which the byte at `offset` stands.
pub(super) fn line_of(bytes: &[u8], offset: usize) -> usize {
    1 + memchr::memchr_iter(b'\n', &bytes[..offset.min(bytes.len())]).count()
}

/// The end of a sentence about an unknown word: the nearest of `known`, or all of them where none is near.
pub(super) fn hint(word: &str, known: &[&str]) -> String {
    match crate::text::nearest(word, known) {
        Some(near) => format!(", did you mean '{near}'?"),
        None => format!(": known here are {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_quoted_only_where_they_must_be() {
        assert_eq!(key("llama-3-70b"), "llama-3-70b");
        assert_eq!(key("meta/llama \"3\""), r#""meta/llama \"3\"""#);
        assert_eq!(key(""), "\"\"");
    }

    #[test]
    fn a_near_word_is_offered_and_a_far_one_is_not() {
        assert_eq!(hint("tagret", &["objective", "target"]), ", did you mean 'target'?");
        assert_eq!(hint("Target", &["objective", "target"]), ", did you mean 'target'?");
        assert_eq!(hint("gpu", &["slo", "ui"]), ": known here are slo, ui");
    }
}
