//! Strings from outside: made harmless to a terminal and bounded before anything shows them or writes them down.
//!
//! A model name, a `Location`, an error message or a label is whatever its sender chose, escape sequences included.
//! This module decides only what may be seen; it does not know what the string means or where it came from.

mod mask;
mod secrets;

pub use mask::{Mask, MaskRule};
pub use secrets::without_secrets;

/// What stands where a character was that a terminal would obey or hide.
const REPLACEMENT: char = '·';

/// What stands at the end of a string that was longer than its place.
const CUT: char = '…';

/// No known word is longer than this, in characters.
const LONGEST_WORD: usize = 120;

/// The string without anything that steers a terminal or hides from a reader, in at most `max` characters.
///
/// Control characters (C0, DEL and C1, so every escape sequence loses its beginning), line and paragraph separators,
/// directional overrides and characters without width become `·`, one for one. A longer string ends with `…`, which
/// counts. At most `max + 1` characters are read, so the cost does not depend on the sender.
pub fn clean(raw: &str, max: usize) -> String {
    let mut cleaned = String::with_capacity(raw.len().min(max.saturating_mul(2)));
    let mut chars = raw.chars().map(|c| if is_unsafe(c) { REPLACEMENT } else { c });
    cleaned.extend(chars.by_ref().take(max));
    if chars.next().is_some() && cleaned.pop().is_some() {
        cleaned.push(CUT);
    }
    cleaned
}

/// A word as a shell takes it, for a line that is shown to be typed; what no word may hold is left out whole.
pub fn shell_word(word: &str) -> String {
    shlex::try_quote(word).map_or_else(|_| "''".to_owned(), std::borrow::Cow::into_owned)
}

/// Whether a variable or a flag of this name is likely to carry a secret, which is then never shown.
pub fn names_a_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase().replace('-', "_");
    // `MAX_TOKENS` and `TOKENIZER` are no secrets.
    ["TOKEN", "SECRET", "PASSWORD", "API_KEY", "ACCESS_KEY", "CREDENTIAL"].iter().any(|word| name.ends_with(word))
}

/// The word of `known` that `word` was most likely meant to be: at most half of its letters are different.
pub fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    // The distance costs the product of both lengths, and the word may be as long as a file.
    let word = clean(word, LONGEST_WORD).to_lowercase();
    let distance = |candidate: &str| strsim::damerau_levenshtein(&word, candidate);
    let best = known.iter().min_by_key(|candidate| distance(candidate))?;
    (distance(best) * 2 <= best.chars().count().max(word.chars().count())).then_some(*best)
}

/// Whether a character moves the cursor, changes the direction of its neighbours or takes no room.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00AD}'                    // soft hyphen: invisible until a line breaks
            | '\u{034F}'                  // combining grapheme joiner
            | '\u{061C}'                  // Arabic letter mark
            | '\u{115F}' | '\u{1160}'     // Hangul fillers
            | '\u{180B}'..='\u{180F}'     // Mongolian selectors and vowel separator
            | '\u{200B}'..='\u{200F}'     // zero width space and joiners, direction marks
            | '\u{2028}'..='\u{202E}'     // line and paragraph separators, embeddings and overrides
            | '\u{2060}'..='\u{206F}'     // word joiner, invisible operators, isolates
            | '\u{3164}' | '\u{FFA0}'     // more Hangul fillers
            | '\u{FE00}'..='\u{FE0F}'     // variation selectors
            | '\u{FEFF}'                  // zero width no-break space
            | '\u{FFF9}'..='\u{FFFB}'     // interlinear annotation
            | '\u{E0000}'..='\u{E0FFF}'   // tags and more variation selectors
        )
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn an_ordinary_string_stays_as_it_is() {
        assert_eq!(clean("meta-llama/Llama-3.1-8B", 120), "meta-llama/Llama-3.1-8B");
        assert_eq!(clean("日本語 é ü", 120), "日本語 é ü");
        assert_eq!(clean("", 120), "");
    }

    #[test]
    fn an_escape_sequence_loses_its_beginning() {
        assert_eq!(clean("\x1b[2J\x1b]0;owned\x07", 120), "·[2J·]0;owned·");
        assert_eq!(clean("\u{9b}31m", 120), "·31m", "C1 controls are escape sequences of one character");
        assert_eq!(clean("a\r\nb\tc\0d\x7f", 120), "a··b·c·d·");
    }

    #[test]
    fn nothing_can_turn_the_direction_or_hide() {
        for c in ('\u{202A}'..='\u{202E}').chain('\u{2066}'..='\u{2069}').chain('\u{200B}'..='\u{200F}') {
            assert_eq!(clean(&format!("a{c}b"), 120), "a·b", "{c:?}");
        }
        assert_eq!(clean("\u{feff}x\u{2028}y\u{e0041}", 120), "·x·y·");
    }

    #[test]
    fn a_long_string_is_cut_between_characters_and_says_so() {
        assert_eq!(clean("abcdef", 6), "abcdef");
        assert_eq!(clean("abcdefg", 6), "abcde…");
        assert_eq!(clean("日本語の長い名前", 4), "日本語…");
        assert_eq!(clean("ab", 1), "…");
        assert_eq!(clean("ab", 0), "");
    }

    #[test]
    fn the_result_is_never_longer_than_asked_and_cleaning_twice_changes_nothing() {
        let raw: String = ('\0'..='\u{2fff}').collect();
        for max in [0, 1, 2, 119, 120, 20_000] {
            let once = clean(&raw, max);
            assert!(once.chars().count() <= max);
            assert_eq!(clean(&once, max), once);
        }
    }
}
