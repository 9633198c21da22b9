//! The arguments of an engine's container, edited as a person edits them.

/// Arguments with some flags set (`--name=value` or `--name`) and some taken away. A flag that is there keeps its place.
pub fn with_flags(args: &[String], set: &[String], unset: &[String]) -> Vec<String> {
    let mut after: Vec<String> = args.iter().filter(|arg| !unset.iter().any(|u| same(arg, u))).cloned().collect();
    for flag in set {
        match after.iter_mut().find(|arg| same(arg, flag)) {
            Some(there) => there.clone_from(flag),
            None => after.push(flag.clone()),
        }
    }
    after
}

/// The value of a flag in arguments, in both spellings (`--name=value`, `--name value`); empty for one without a value.
/// `_` and `-` are the same in names, as in vLLM, and of several the last counts.
pub fn flag<'a>(args: &'a [String], name: &str) -> Option<&'a str> {
    let mut found = None;
    let mut rest = args.iter().peekable();
    while let Some(arg) = rest.next() {
        if arg.starts_with("--") && plain(arg) == plain(name) {
            let after = rest.peek().filter(|next| !next.starts_with("--")).map_or("", |next| next.as_str());
            found = Some(arg.split_once('=').map_or(after, |(_, value)| value));
        }
    }
    found
}

fn plain(flag: &str) -> String {
    let name = flag.split_once('=').map_or(flag, |(name, _)| name);
    name.trim_start_matches('-').replace('_', "-")
}

fn same(a: &str, b: &str) -> bool {
    a.starts_with("--") && plain(a) == plain(b)
}
