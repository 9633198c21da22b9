//! Secrets in running text: tokens, keys and passwords that a log or a message may hold, each replaced by a word. What looks
//! like one is hidden: a false alarm costs a word, a miss costs a key.

use super::names_a_secret;

/// What stands where a secret was.
const HIDDEN: &str = "(hidden)";

/// Beginnings that only keys have, and how many characters a key has at least.
const BEGINNINGS: &[(&str, usize)] = &[
    ("sk-", 16),
    ("hf_", 16),
    ("nvapi-", 20),
    ("ghp_", 20),
    ("gho_", 20),
    ("ghs_", 20),
    ("github_pat_", 20),
    ("glpat-", 16),
    ("xoxb-", 16),
    ("xoxp-", 16),
    ("AKIA", 20),
    ("ASIA", 20),
    ("AIza", 30),
    ("eyJ", 30),
];

/// Words after which a key stands.
const SCHEMES: [&str; 3] = ["bearer", "basic", "token"];

/// The text without its secrets.
pub fn without_secrets(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    // After `Authorization:` and the like the next word is hidden, and the one after a scheme.
    let mut hide_next = false;
    for piece in pieces(text) {
        let word = piece.trim_matches(is_edge);
        if word.is_empty() {
            out.push_str(piece);
            continue;
        }
        let scheme = SCHEMES.iter().any(|s| word.eq_ignore_ascii_case(s));
        let shown = if hide_next && !scheme && !word.starts_with("--") { HIDDEN.to_owned() } else { of_word(word) };
        // A scheme alone hides nothing: "basic health check" is no secret. After a name of a secret it does.
        let flag = word.strip_prefix("--").filter(|name| !name.contains('=')).is_some_and(is_secret_name);
        let named = word.strip_suffix([':', '=']).map(|n| n.trim_matches(is_edge)).is_some_and(is_secret_name);
        let names = named || flag;
        hide_next = names || (scheme && (hide_next || word.eq_ignore_ascii_case("bearer")));
        out.push_str(&piece.replacen(word, &shown, 1));
    }
    out
}

/// Words with the white space behind each.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive(char::is_whitespace)
}

const fn is_edge(c: char) -> bool {
    c.is_ascii_whitespace() || matches!(c, '"' | '\'' | ',' | ';' | '(' | ')' | '[' | ']' | '{' | '}' | '<' | '>')
}

fn is_secret_name(name: &str) -> bool {
    names_a_secret(name) || name.eq_ignore_ascii_case("authorization") || name.eq_ignore_ascii_case("api-key")
}

/// One word: a key by itself, `name=value`, `"name":"value"`, or a URL with a user.
fn of_word(word: &str) -> String {
    for sign in ['=', ':'] {
        if let Some((name, value)) = word.split_once(sign) {
            let (name, value) = (name.trim_matches(is_edge), value.trim_matches(is_edge));
            let long = value.chars().count() >= 3;
            if long && is_secret_name(name.trim_start_matches('-')) && !value.starts_with("//") {
                return word.replacen(value, HIDDEN, 1);
            }
        }
    }
    if let Some((scheme, rest)) = word.split_once("://") {
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if let Some((user, _)) = authority.rsplit_once('@') {
            return format!("{scheme}://{HIDDEN}{}", &rest[user.len()..]);
        }
    }
    for (beginning, least) in BEGINNINGS {
        if let Some(at) = word.find(beginning) {
            let before = word[..at].chars().next_back();
            let key = &word[at..];
            let end = key.find(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c))).unwrap_or(key.len());
            if end >= *least && before.is_none_or(|c| !c.is_ascii_alphanumeric()) {
                return format!("{}{HIDDEN}{}", &word[..at], of_word(&key[end..]));
            }
        }
    }
    word.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_hidden_wherever_they_stand() {
        for (text, expected) in [
            ("Authorization: Bearer abc.def-123", "Authorization: Bearer (hidden)"),
            ("authorization: Basic dXNlcjpwYXNz ok", "authorization: Basic (hidden) ok"),
            ("curl -H 'Authorization: Bearer s3cr3t' x", "curl -H 'Authorization: Bearer (hidden)' x"),
            ("HF_TOKEN=hf_abcdefghijklmnopqrst next", "HF_TOKEN=(hidden) next"),
            ("loading with hf_abcdefghijklmnopqrst", "loading with (hidden)"),
            ("--api-key sk-abcdefghijklmnop1234", "--api-key (hidden)"),
            ("--api-key=tiny", "--api-key=(hidden)"),
            ("vllm serve m --api-key tiny --port 1", "vllm serve m --api-key (hidden) --port 1"),
            (r#"{"api_key": "whatever", "n": 1}"#, r#"{"api_key": "(hidden)", "n": 1}"#),
            (r#"{"api_key":"whatever"}"#, r#"{"api_key":"(hidden)"}"#),
            ("password: hunter2!", "password: (hidden)"),
            ("postgres://me:hunter2@db:5432/x?y", "postgres://(hidden)@db:5432/x?y"),
            ("aws AKIAIOSFODNN7EXAMPLE used", "aws (hidden) used"),
            ("jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abcdefgh end", "jwt (hidden) end"),
        ] {
            assert_eq!(without_secrets(text), expected);
        }
    }

    #[test]
    fn ordinary_lines_stay_as_they_are() {
        for text in [
            "INFO 06-08 basic health check passed; max_tokens=16 tokenizer: llama",
            "GET http://10.0.0.7:8000/metrics HTTP/1.1\" 200",
            "  indented   twice\tand tabbed  ",
            "prompt throughput: 12.3 tokens/s, KV cache usage: 4.5%",
            "task-abc sk-short risk-averse-and-long-enough-word",
            "",
        ] {
            assert_eq!(without_secrets(text), text);
        }
    }
}
