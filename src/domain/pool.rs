//! The part that an engine has in a disaggregated deployment, which computes prompts on some engines and produces tokens
//! on others.

use super::codes;

codes! {
    /// What an engine does of a request; one that does everything, or of which nothing is known, has none.
    Pool {
        /// It computes prompts, and hands their KV cache over.
        Prefill = "prefill",
        /// It takes a KV cache over, and produces tokens.
        Decode = "decode",
    }
}

impl Pool {
    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Prefill => Self::Decode,
            Self::Decode => Self::Prefill,
        }
    }

    /// The one that a word such as `prefill`, `VllmPrefillWorker` or `decoder` names; none where it names both or neither.
    pub fn named_by(word: &str) -> Option<Self> {
        let word = word.to_ascii_lowercase();
        match (word.contains("prefill"), word.contains("decode")) {
            (true, false) => Some(Self::Prefill),
            (false, true) => Some(Self::Decode),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_names_one_pool_or_none() {
        for (word, pool) in [
            ("prefill", Some(Pool::Prefill)),
            ("VllmPrefillWorker", Some(Pool::Prefill)),
            ("decode", Some(Pool::Decode)),
            ("Decoder", Some(Pool::Decode)),
            ("prefill-decode", None),
            ("unified", None),
            ("", None),
        ] {
            assert_eq!(Pool::named_by(word), pool, "{word}");
        }
    }
}
