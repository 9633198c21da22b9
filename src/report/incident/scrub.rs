//! Secrets in sentences: what a flag, a variable or a header carries is left out before anybody reads a report. Names of
//! things stay.

/// What stands in a secret's place.
const LEFT_OUT: &str = "(left out)";

/// The text without the values of secrets.
pub(super) fn scrub(text: &str) -> String {
    let mut out = Vec::new();
    let mut hide_next = false;
    let mut variable = false;
    for word in text.split(' ') {
        let (shown, hides) = one(word, variable);
        if hide_next && !word.starts_with("--") && !word.is_empty() {
            // `env HF_TOKEN old -> new`: both sides go, the arrow stays.
            if word == "->" {
                out.push(word.to_owned());
                continue;
            }
            // `Authorization: Bearer x`: the scheme is no secret, what follows it is.
            if word.eq_ignore_ascii_case("bearer") || word.eq_ignore_ascii_case("basic") {
                out.push(word.to_owned());
                continue;
            }
            out.push(LEFT_OUT.to_owned());
            // A comma or the end of a sentence ends what belongs to the variable.
            hide_next = variable && !word.ends_with([',', ';', '.']);
            variable &= hide_next;
            continue;
        }
        if !hide_next {
            variable = word == "env";
        }
        hide_next = hides;
        variable |= hides && !word.starts_with("--") && !word.ends_with(':');
        out.push(shown);
    }
    out.join(" ")
}

/// A word as it is shown, and whether the word after it is a secret.
fn one(word: &str, after_env: bool) -> (String, bool) {
    let bare = word.trim_matches(|c: char| matches!(c, '"' | '\'' | ',' | ';' | '(' | ')'));
    if is_token(bare) {
        return (LEFT_OUT.to_owned(), false);
    }
    if let Some((key, value)) = word.split_once('=').filter(|(key, value)| is_secret(key) && !value.is_empty()) {
        let _ = value;
        return (format!("{key}={LEFT_OUT}"), false);
    }
    let flag = word.starts_with("--") && !word.contains('=') && is_secret(word);
    let header = word.strip_suffix(':').is_some_and(is_secret);
    let bearer = bare.eq_ignore_ascii_case("bearer");
    (word.to_owned(), flag || header || bearer || (after_env && is_secret(word)))
}

/// Whether a key names a secret: as a word of its own, so that `--max-num-batched-tokens` is none.
fn is_secret(key: &str) -> bool {
    let lower = key.to_ascii_lowercase();
    let parts: Vec<&str> = lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|p| !p.is_empty()).collect();
    let secret = |p: &&str| {
        matches!(
            *p,
            "token" | "secret" | "password" | "passwd" | "apikey" | "authorization" | "credential" | "credentials"
        )
    };
    parts.iter().any(secret) || parts.windows(2).any(|w| matches!(w, ["api" | "access" | "private", "key"]))
}

/// Whether a word looks like a token by itself: a JWT, or one of a known maker.
fn is_token(word: &str) -> bool {
    let known = ["eyJ", "hf_", "sk-", "ghp_", "gho_", "xoxb-", "AKIA"];
    word.len() >= 16 && known.iter().any(|k| word.starts_with(k))
}

#[cfg(test)]
mod tests {
    use super::scrub;

    #[test]
    fn values_of_secrets_are_left_out_and_names_stay() {
        for (text, expected) in [
            ("--api-key abc --port 8000", "--api-key (left out) --port 8000"),
            ("--api-key=abc --port 8000", "--api-key=(left out) --port 8000"),
            ("env HF_TOKEN hf_a -> hf_b, image x", "env HF_TOKEN (left out) -> (left out) image x"),
            ("Authorization: Bearer abc and more", "Authorization: Bearer (left out) and more"),
            ("Authorization: abc and more", "Authorization: (left out) and more"),
            ("got eyJhbGciOiJIUzI1NiJ9.abc.def here", "got (left out) here"),
            ("password=hunter2", "password=(left out)"),
        ] {
            assert_eq!(scrub(text), expected);
        }
    }

    #[test]
    fn numbers_and_metrics_stay() {
        for text in [
            "rev 41 -> 42: --max-num-batched-tokens 8192 -> 2048",
            "TTFT p95 10-20 s, target 2.5 s, first token late",
            "vllm:time_to_first_token_seconds 94% late",
            "kubectl rollout undo deployment/x --to-revision=41",
            "env VLLM_USE_V1 0 -> 1",
        ] {
            assert_eq!(scrub(text), text);
        }
    }
}
