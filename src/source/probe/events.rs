//! What a line of a streamed completion says: server-sent events, as the completions API streams them.

use serde_json::Value;

use crate::text::clean;

/// What was heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Heard {
    /// A comment, an empty line, an event without a token such as the usage at the end.
    Nothing,
    /// A token, or several that came in one event.
    Token,
    /// The end.
    End,
    /// An error in the middle of the stream, cleaned.
    Error(String),
}

/// What a line says.
pub(super) fn heard(line: &[u8]) -> Heard {
    let line = String::from_utf8_lossy(line);
    let Some(data) = line.trim_end().strip_prefix("data:").map(str::trim) else { return Heard::Nothing };
    if data == "[DONE]" {
        return Heard::End;
    }
    let Ok(event) = serde_json::from_str::<Value>(data) else { return Heard::Nothing };
    if let Some(error) = event.get("error").filter(|e| !e.is_null()) {
        let what =
            error["message"].as_str().or_else(|| error.as_str()).map_or_else(|| error.to_string(), str::to_owned);
        return Heard::Error(clean(&what, 200));
    }
    let choice = &event["choices"][0];
    // The last event may carry the reason alone; a token may be no text of its own.
    let text = choice["text"].as_str();
    match (text, choice["finish_reason"].as_str()) {
        (None, _) | (Some(""), Some(_)) => Heard::Nothing,
        (Some(_), _) => Heard::Token,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_ends_and_errors_are_told_apart() {
        for (line, expected) in [
            (r#"data: {"choices":[{"index":0,"text":" a","finish_reason":null}]}"#, Heard::Token),
            (r#"data:{"choices":[{"text":" a","finish_reason":"length"}]}"#, Heard::Token),
            (r#"data: {"choices":[{"text":"","finish_reason":null}]}"#, Heard::Token),
            (r#"data: {"choices":[{"text":"","finish_reason":"stop"}]}"#, Heard::Nothing),
            (r#"data: {"choices":[],"usage":{"total_tokens":9}}"#, Heard::Nothing),
            ("data: [DONE]\r", Heard::End),
            (": ping", Heard::Nothing),
            ("", Heard::Nothing),
            ("data: {cut", Heard::Nothing),
            (r#"data: {"error":{"message":"out of \u001b[2J memory"}}"#, Heard::Error("out of ·[2J memory".to_owned())),
            (r#"data: {"error":"gone"}"#, Heard::Error("gone".to_owned())),
        ] {
            assert_eq!(heard(line.as_bytes()), expected, "{line}");
        }
    }
}
