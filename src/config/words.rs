//! Words from outside made fit to be shown, where they stand, and the nearest known word to a mistyped one. Knows no key and no file.

/// How much of a string from outside is echoed, in characters.
const MOST_SHOWN: usize = 120;

/// `text` with everything that could move a cursor or turn a line around replaced, and cut to a bounded length.
pub(super) fn clean(text: &str) -> String {
    let mut chars = text.chars();
    let mut shown: String = chars.by_ref().take(MOST_SHOWN).map(|c| if harmful(c) { '\u{fffd}' } else { c }).collect();
    if chars.next().is_some() {
        shown.push('…');
    }
    shown
}

/// Control characters, line separators, marks that are not seen and marks that turn the direction of writing.
fn harmful(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
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
    match nearest(word, known) {
        Some(near) => format!(", did you mean '{near}'?"),
        None => format!(": known here are {}", known.join(", ")),
    }
}

/// The word of `known` that `word` was most likely meant to be: at most half of its letters are different.
fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    // The distance costs the product of both lengths, and the word may be as long as a file.
    let word = clean(word).to_lowercase();
    let distance = |candidate: &str| strsim::damerau_levenshtein(&word, candidate);
    let best = known.iter().min_by_key(|candidate| distance(candidate))?;
    (distance(best) * 2 <= best.chars().count().max(word.chars().count())).then_some(*best)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_echoed_cannot_move_the_cursor() {
        assert_eq!(clean("a\u{1b}[2Jb\nc\u{202e}d"), "a\u{fffd}[2Jb\u{fffd}c\u{fffd}d");
    }

    #[test]
    fn what_is_echoed_is_bounded() {
        assert_eq!(clean(&"ü".repeat(100_000)).chars().count(), MOST_SHOWN + 1);
        assert_eq!(clean(&"ü".repeat(MOST_SHOWN)).chars().count(), MOST_SHOWN);
    }

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
