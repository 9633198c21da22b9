//! The words that a container's command line comes to: Kubernetes' `$(NAME)` filled in, and a shell's script taken apart.
//! Engines are often started by `sh -c "exec vllm serve ..."`, and their flags stand inside of one argument then.
//!
//! It runs no shell: what depends on more than literal variables stays as it was written.

/// Programs that take a script behind `-c`.
const SHELLS: [&str; 6] = ["sh", "bash", "ash", "dash", "zsh", "busybox"];

/// Words that stand before a command and are none.
const BEFORE: [&str; 4] = ["exec", "eval", "nohup", "time"];

/// What ends a command.
const ENDS: [&str; 6] = ["&&", "||", ";", "|", "&", "\n"];

/// The words of `command` and `args`, with these literal variables.
pub(super) fn words(args: &[String], env: &[(String, String)]) -> Vec<String> {
    let filled: Vec<String> = args.iter().map(|arg| of_kubernetes(arg, env)).collect();
    script(&filled, env).unwrap_or(filled)
}

fn value<'e>(env: &'e [(String, String)], name: &str) -> Option<&'e str> {
    env.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// `$(NAME)` where the variable is known; `$$(NAME)` is not meant.
fn of_kubernetes(arg: &str, env: &[(String, String)]) -> String {
    let (mut out, mut rest) = (String::new(), arg);
    while let Some(at) = rest.find("$(") {
        let (before, from) = rest.split_at(at);
        let Some(end) = from.find(')') else { break };
        let name = &from[2..end];
        if let Some(literal) = before.strip_suffix('$') {
            out.push_str(literal);
            out.push_str(&from[..=end]);
        } else {
            out.push_str(before);
            out.push_str(value(env, name).unwrap_or(&from[..=end]));
        }
        rest = &from[end + 1..];
    }
    out + rest
}

/// The words of the command in a shell's script that has flags, the last one of several; `None` where there is no shell.
fn script(args: &[String], env: &[(String, String)]) -> Option<Vec<String>> {
    let shell = args.first()?.rsplit('/').next()?;
    if !SHELLS.contains(&shell) {
        return None;
    }
    let is_c = |arg: &String| arg.starts_with('-') && !arg.starts_with("--") && arg.ends_with('c');
    let at = args.iter().skip(1).position(is_c)? + 1;
    let text = args.get(at + 1)?;
    // What stands behind the script are its parameters, from `$0` on.
    let parameters = args.get(at + 3..).unwrap_or_default();
    // The lexer takes a line's end for a space: a command ends there all the same, unless it is escaped.
    let text = text.replace("\\\n", " ").replace('\n', " ; ");
    let lexed = shlex::split(&spaced(&text))?;
    let has_flags = |command: &&[String]| command.iter().any(|word| word.starts_with("--"));
    let command =
        lexed.split(|word| ENDS.contains(&word.as_str())).rfind(|c| has_flags(c) || c.iter().any(|w| w == "$@"));
    let mut words: Vec<String> = Vec::new();
    for word in command? {
        match word.as_str() {
            "$@" | "$*" | "${@}" => words.extend(parameters.iter().cloned()),
            word if words.is_empty() && (BEFORE.contains(&word) || is_assignment(word)) => {}
            word => words.push(of_shell(word, env)),
        }
    }
    Some(words)
}

/// Signs that end a command stand alone, so that the lexer makes words of them; those inside of quotes are left as they
/// are.
fn spaced(text: &str) -> String {
    let (mut out, mut quote) = (String::new(), None);
    for c in text.chars() {
        match quote {
            Some(q) if c == q => quote = None,
            None if c == '\'' || c == '"' => quote = Some(c),
            None if c == ';' => {
                out.push_str(" ; ");
                continue;
            }
            _ => {}
        }
        out.push(c);
    }
    out
}

fn is_assignment(word: &str) -> bool {
    let name = word.split_once('=').map(|(name, _)| name);
    name.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'))
}

/// `$NAME` and `${NAME}` where the variable is known.
fn of_shell(word: &str, env: &[(String, String)]) -> String {
    let (mut out, mut rest) = (String::new(), word);
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let from = &rest[at + 1..];
        let braced = from.strip_prefix('{').and_then(|inner| Some((inner, inner.find('}')?)));
        let (name, end) = if let Some((inner, end)) = braced {
            (&inner[..end], end + 2)
        } else {
            let end = from.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(from.len());
            (&from[..end], end)
        };
        match value(env, name) {
            Some(value) => out.push_str(value),
            None => out.push_str(&rest[at..=at + end]),
        }
        rest = &from[end..];
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(args: &[&str]) -> String {
        let args: Vec<String> = args.iter().map(|a| (*a).to_owned()).collect();
        let env = [("SEQS".to_owned(), "256".to_owned()), ("MODEL".to_owned(), "meta/llama".to_owned())];
        words(&args, &env).join(" ")
    }

    #[test]
    fn variables_are_filled_in_as_kubernetes_does() {
        assert_eq!(
            of(&["vllm", "serve", "$(MODEL)", "--max-num-seqs=$(SEQS)"]),
            "vllm serve meta/llama --max-num-seqs=256"
        );
        assert_eq!(of(&["x", "$$(SEQS)", "$(UNKNOWN)", "$(open"]), "x $(SEQS) $(UNKNOWN) $(open");
    }

    #[test]
    fn a_shells_script_is_taken_apart() {
        for (args, expected) in [
            (
                vec!["sh", "-c", "exec vllm serve $MODEL --max-num-seqs ${SEQS}"],
                "vllm serve meta/llama --max-num-seqs 256",
            ),
            (vec!["/bin/bash", "-ec", "cd /models && \\\n vllm serve m \\\n --port 8000"], "vllm serve m --port 8000"),
            (vec!["bash", "-lc", "export A=b; HF_HOME=/x vllm serve m --tp 4; sleep 1"], "vllm serve m --tp 4"),
            (
                vec!["sh", "-c", "nvidia-smi\nvllm serve m --served-model-name 'a b'"],
                "vllm serve m --served-model-name a b",
            ),
            (
                vec!["bash", "-c", "exec vllm serve m \"$@\"", "--", "--max-num-seqs=8", "--port", "1"],
                "vllm serve m --max-num-seqs=8 --port 1",
            ),
            (vec!["sh", "-c", "echo 'unclosed"], "sh -c echo 'unclosed"),
            (vec!["python", "-c", "print(1)"], "python -c print(1)"),
            (vec!["sh", "/start.sh", "--x"], "sh /start.sh --x"),
            (vec!["sh", "-c", "vllm serve m --kv '{\"a\": \"b;c\"}'"], "vllm serve m --kv {\"a\": \"b;c\"}"),
        ] {
            assert_eq!(of(&args), expected);
        }
    }
}
